//! A batch through a graph, tile by tile, and back.

use super::{
    Entry, Function, Graph, Kind,
    derivatives::Derivatives,
    kernels::{Apply, Gaussians, Multiply},
    rows::{DenseRows, Sink},
};
use crate::{
    Activation, JetSpec, LayerShape, Level, NetError, Real,
    activation::Layer,
    aligned::Aligned,
    engine::chain::{self, Chain},
    matmul::{Strided, add_product_transposed, product},
};

/// All memory of a training step of one graph and one set of derivatives; nothing is allocated per step.
///
/// Cost per point with C components: 6·C operations per weight with the gradient, 2·C without, and for each unit of a
/// function or product node about (order + 2) times the number of pairs of components whose product is carried.
pub struct GraphEngine<T> {
    level: Level,
    pub(super) capacity: usize,
    pub(super) lanes: usize,
    derivatives: Derivatives,
    pub(super) graph: Graph,
    /// Fixed maps in the number format, empty for other nodes.
    matrices: Vec<Vec<T>>,
    /// [inputs][lanes]
    points: Aligned<T>,
    /// Per node, in Taylor coefficients, [units][components][lanes].
    values: Vec<Aligned<T>>,
    adjoints: Vec<Aligned<T>>,
    /// What the loss sees, in derivatives.
    outputs: Aligned<T>,
    pub(super) output_adjoints: Aligned<T>,
    scratch: Aligned<T>,
    factorials: Vec<T>,
    /// The derivatives as the layers of dense networks take them, where these are of second order at most.
    jets: Option<JetSpec>,
    /// Per node, of functions that go that way: what [`Layer`] keeps, [units][3][lanes].
    slopes: Vec<Aligned<T>>,
    /// One zero per unit of the widest node.
    no_bias: Vec<T>,
    /// By node: the last one that reads it on the way to the loss. It is the first one on the way back, and writes where the
    /// others add.
    readers: Vec<Option<usize>>,
    /// Dense networks within the graph that fewer components go through than the graph carries: where each begins to read, and
    /// its memory.
    chains: Vec<(usize, Chain<T>)>,
    /// Per node: the chain that it is part of, and whether it is its last one.
    links: Vec<Option<(usize, bool)>>,
    /// Whether the pass in hand goes through chains: rows of single points need every node.
    pub(super) uses_chains: bool,
}

/// Bytes of the widest node's series in a tile. 64 units and 192 columns of f32, as in [`Engine`](crate::Engine).
const LANES_BYTES: usize = 49_152;

/// Functions that dense networks have too.
fn activation(function: Function) -> Option<Activation> {
    match function {
        Function::Tanh => Some(Activation::Tanh),
        Function::Sin => Some(Activation::Sin),
        Function::Cos | Function::Exp => None,
    }
}

/// What a node reads.
fn read(kind: &Kind) -> [Option<usize>; 2] {
    match kind {
        Kind::Coordinates | Kind::Indicator { .. } | Kind::Gaussians { .. } => [None; 2],
        Kind::Fixed { from, .. } | Kind::Dense { from, .. } | Kind::Apply { from, .. } => [Some(*from), None],
        Kind::Multiply { left, right } | Kind::Add { left, right } | Kind::Join { left, right } => {
            [Some(*left), Some(*right)]
        }
    }
}

/// The nodes of a dense network, its layers' places and its activation: from a layer that reads what is not trained, layer,
/// function, layer, …, to a layer, each read by the next one only.
fn dense_network(nodes: &[Entry], start: usize) -> Option<(Vec<usize>, Vec<LayerShape>, Activation)> {
    let only_reader = |node: usize| {
        let mut all =
            nodes.iter().enumerate().flat_map(|(n, e)| read(&e.kind).into_iter().flatten().map(move |f| (n, f)));
        let (reader, _) = all.find(|(_, from)| *from == node)?;
        (all.all(|(_, from)| from != node) && node + 1 < nodes.len()).then_some(reader)
    };
    let shape = |node: usize| match nodes[node].kind {
        Kind::Dense { from, at } => {
            let (inputs, outputs) = (nodes[from].units, nodes[node].units);
            Some(LayerShape { inputs, outputs, weights: at, biases: at + inputs * outputs })
        }
        _ => None,
    };
    let first = shape(start).filter(|_| !read(&nodes[start].kind)[0].is_some_and(|from| nodes[from].is_trained))?;
    let (mut chain, mut layers, mut common) = (vec![start], vec![first], None);
    while let Some(apply) = only_reader(chain[chain.len() - 1]) {
        let Kind::Apply { function, .. } = nodes[apply].kind else { break };
        let Some(next) = only_reader(apply) else { break };
        let (Some(activation), Some(layer)) = (activation(function), shape(next)) else { break };
        if common.is_some_and(|common| common != activation) {
            break;
        }
        common = Some(activation);
        chain.extend([apply, next]);
        layers.push(layer);
    }
    Some((chain, layers, common?))
}

/// Those that fewer components go through than the graph carries.
fn dense_networks(nodes: &[Entry], jets: Option<&JetSpec>) -> Vec<(Vec<usize>, Vec<LayerShape>, Activation)> {
    let Some(jets) = jets else { return Vec::new() };
    let saves =
        |layers: &[LayerShape]| layers.last().is_some_and(|last| chain::width(jets, last.outputs) < jets.components());
    (0..nodes.len()).filter_map(|start| dense_network(nodes, start)).filter(|(_, layers, _)| saves(layers)).collect()
}

/// A tile of the batch, as the loss sees it.
pub struct GraphTile<'a, T> {
    /// Number of the tile's first point within the batch.
    pub start: usize,
    /// Points in the tile.
    pub len: usize,
    /// The first one's place among the lanes.
    pub(super) first: usize,
    lanes: usize,
    components: usize,
    points: &'a [T],
    jets: &'a [T],
    adjoints: &'a mut [T],
}

impl<'a, T: Real> GraphTile<'a, T> {
    /// Coordinate `i` at the tile's points.
    pub fn input(&self, i: usize) -> &'a [T] {
        &self.points[i * self.lanes + self.first..][..self.len]
    }
    /// Derivative number `component` (see [`Derivatives::component`]) of output `output` at the tile's points.
    pub fn jet(&self, output: usize, component: usize) -> &'a [T] {
        &self.jets[(output * self.components + component) * self.lanes + self.first..][..self.len]
    }
    /// The derivative of the loss with respect to it, to be written by the loss; zero if it is not.
    pub fn adjoint(&mut self, output: usize, component: usize) -> &mut [T] {
        &mut self.adjoints[(output * self.components + component) * self.lanes + self.first..][..self.len]
    }
}

impl<T: Real> GraphEngine<T> {
    pub fn new(graph: &Graph, derivatives: &Derivatives) -> Result<Self, NetError> {
        // The widest node's series in 48 kB: with its adjoints it stays in the second-level cache.
        let widest = graph.nodes.iter().map(|n| n.units).max().unwrap_or(1) * derivatives.components();
        let lanes = (LANES_BYTES / size_of::<T>() / widest.max(1) / 8 * 8).clamp(8, 128);
        // Through chains values and directions go apart from what comes back: each in whole vectors, and enough of them.
        let has_chains = !dense_networks(&graph.nodes, derivatives.jets().as_ref()).is_empty();
        let lanes = if has_chains { (lanes / 16 * 16).max(64) } else { lanes };
        Self::with(graph, derivatives, lanes, Level::best())
    }

    /// The same with a chosen tile (rounded up to a multiple of 8 points) and instruction set.
    pub fn with(graph: &Graph, derivatives: &Derivatives, lanes: usize, level: Level) -> Result<Self, NetError> {
        if let Some(error) = &graph.error {
            return Err(error.clone());
        }
        if derivatives.inputs() != graph.inputs {
            return Err(NetError::Directions { have: derivatives.inputs(), need: graph.inputs });
        }
        let lanes = lanes.max(1).next_multiple_of(8);
        let components = derivatives.components();
        let row = components * lanes;
        let rows = |units: usize| Aligned::zeros(units * row);
        let widest = graph.nodes.iter().map(|n| n.units).max().unwrap_or(0);
        let matrix = |entry: &Entry| match &entry.kind {
            Kind::Fixed { matrix, .. } => matrix.iter().map(|x| T::from_f64(*x)).collect(),
            _ => Vec::new(),
        };
        let nodes = &graph.nodes;
        let slopes = |entry: &Entry| match entry.kind {
            Kind::Apply { function, .. } if derivatives.order() <= 2 && activation(function).is_some() => {
                Aligned::zeros(entry.units * 3 * lanes)
            }
            _ => Aligned::zeros(0),
        };
        let mut readers = vec![None; nodes.len()];
        for (n, entry) in nodes.iter().enumerate().filter(|(_, entry)| entry.is_trained) {
            read(&entry.kind).into_iter().flatten().for_each(|from| readers[from] = Some(n));
        }
        let jets = derivatives.jets();
        let (mut chains, mut links) = (Vec::new(), vec![None; nodes.len()]);
        for (chain, layers, activation) in dense_networks(nodes, jets.as_ref()) {
            let last = chain.last().copied();
            chain.iter().for_each(|node| links[*node] = Some((chains.len(), Some(*node) == last)));
            let from = read(&nodes[chain[0]].kind)[0].unwrap_or(0);
            chains.extend(jets.as_ref().map(|jets| (from, Chain::new(level, layers, activation, jets, lanes))));
        }
        Ok(Self {
            jets,
            chains,
            links,
            uses_chains: true,
            slopes: nodes.iter().map(slopes).collect(),
            no_bias: vec![T::ZERO; widest],
            readers,
            level,
            capacity: lanes,
            lanes,
            matrices: graph.nodes.iter().map(matrix).collect(),
            points: Aligned::zeros(graph.inputs * lanes),
            values: graph.nodes.iter().map(|n| rows(n.units)).collect(),
            adjoints: graph.nodes.iter().map(|n| rows(n.units)).collect(),
            outputs: rows(graph.outputs()),
            output_adjoints: rows(graph.outputs()),
            scratch: rows(widest),
            factorials: (0..components).map(|c| T::from_f64(derivatives.factorial(c))).collect(),
            derivatives: derivatives.clone(),
            graph: graph.clone(),
        })
    }

    pub fn derivatives(&self) -> &Derivatives {
        &self.derivatives
    }
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Loss and its gradient, which is added to `gradient`, one number per parameter. `points` is [point][input]; `loss` is
    /// called once per tile, in order, writes the adjoint of each derivative that it uses and returns its part of the loss.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn add_gradient(
        &mut self,
        parameters: &[T],
        points: &[T],
        gradient: &mut [T],
        mut loss: impl FnMut(&mut GraphTile<'_, T>) -> f64,
    ) -> f64 {
        assert_eq!(gradient.len(), self.graph.parameters, "one gradient entry per parameter");
        let mut total = 0.0;
        self.uses_chains = true;
        self.tiles(parameters, points, |engine, start, len| {
            engine.output_adjoints.fill(T::ZERO);
            total += loss(&mut engine.tile(start, len));
            engine.backward(parameters, Sink::Sum(gradient));
        });
        total
    }

    /// Calls `read` with every tile; nothing goes backward.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn evaluate(&mut self, parameters: &[T], points: &[T], mut read: impl FnMut(&GraphTile<'_, T>)) {
        self.uses_chains = true;
        self.tiles(parameters, points, |engine, start, len| read(&engine.tile(start, len)));
    }

    pub(super) fn tiles(&mut self, parameters: &[T], points: &[T], mut each: impl FnMut(&mut Self, usize, usize)) {
        assert_eq!(parameters.len(), self.graph.parameters, "the engine was made for another graph");
        let inputs = self.graph.inputs;
        assert!(points.len().is_multiple_of(inputs), "one number per input and point");
        let count = points.len() / inputs;
        let mut start = 0;
        while start < count {
            let len = self.capacity.min(count - start);
            self.lanes = len.next_multiple_of(8);
            for lane in 0..self.lanes {
                // Idle lanes repeat the last point; their adjoints are zero.
                let point = &points[(start + lane.min(len - 1)) * inputs..][..inputs];
                for (input, x) in point.iter().enumerate() {
                    self.points[input * self.lanes + lane] = *x;
                }
            }
            self.forward(parameters);
            each(self, start, len);
            start += len;
        }
    }

    pub(super) fn tile(&mut self, start: usize, len: usize) -> GraphTile<'_, T> {
        GraphTile {
            start,
            len,
            first: 0,
            lanes: self.lanes,
            components: self.derivatives.components(),
            points: &self.points,
            jets: &self.outputs,
            adjoints: &mut self.output_adjoints,
        }
    }

    // Once for all losses, of which each makes its own loop over the tiles.
    #[inline(never)]
    fn forward(&mut self, parameters: &[T]) {
        let (level, lanes, set, jets) = (self.level, self.lanes, &self.derivatives, &self.jets);
        let row = set.components() * lanes;
        for (n, entry) in self.graph.nodes.iter().enumerate() {
            let (below, rest) = self.values.split_at_mut(n);
            let (out, units) = (&mut rest[0][..entry.units * row], entry.units);
            if let Some((chain, is_last)) = self.links[n].filter(|_| self.uses_chains) {
                let (from, chain) = &mut self.chains[chain];
                if is_last {
                    chain.forward(parameters, &below[*from], out, lanes);
                }
                continue;
            }
            match &entry.kind {
                Kind::Coordinates => {
                    out.fill(T::ZERO);
                    for unit in 0..units {
                        let (from, to) = (unit * lanes, unit * row);
                        out[to..to + lanes].copy_from_slice(&self.points[from..from + lanes]);
                        let mut orders = vec![0; units];
                        orders[unit] = 1;
                        if let Some(c) = set.component(&orders) {
                            out[to + c * lanes..][..lanes].fill(T::ONE);
                        }
                    }
                }
                Kind::Fixed { from, shift, .. } => {
                    let width = self.graph.nodes[*from].units;
                    let matrix = Strided { data: &self.matrices[n][..], row: width, column: 1 };
                    product(level, matrix, &below[*from], out, units, width, row);
                    for (unit, shift) in shift.iter().enumerate() {
                        let shift = T::from_f64(*shift);
                        out[unit * row..][..lanes].iter_mut().for_each(|x| *x += shift);
                    }
                }
                Kind::Dense { from, at } => {
                    let width = self.graph.nodes[*from].units;
                    let weights = Strided { data: &parameters[*at..][..units * width], row: width, column: 1 };
                    product(level, weights, &below[*from], out, units, width, row);
                    for (unit, bias) in parameters[at + units * width..][..units].iter().enumerate() {
                        out[unit * row..][..lanes].iter_mut().for_each(|x| *x += *bias);
                    }
                }
                Kind::Apply { from, function } => {
                    let x = &below[*from];
                    match (jets, activation(*function)) {
                        (Some(jets), Some(activation)) => {
                            let layer = Layer { activation, jets, units, lanes };
                            layer.forward(level, &self.no_bias[..units], x, out, &mut self.slopes[n]);
                        }
                        _ => T::run(level, Apply { set, function: *function, units, lanes, x, out, back: None }),
                    }
                }
                Kind::Multiply { left, right } => {
                    out.fill(T::ZERO);
                    let strides = [*left, *right].map(|n| usize::from(self.graph.nodes[n].units > 1));
                    let strides = [strides[0], strides[1], 1];
                    let (x, y) = (&below[*left], &below[*right]);
                    T::run(level, Multiply { set, lanes, units, x, y, out, strides, transposed: false });
                }
                Kind::Add { left, right } => {
                    let (left, right) = (&below[*left], &below[*right]);
                    for (out, (a, b)) in out.iter_mut().zip(left.iter().zip(right.iter())) {
                        *out = *a + *b;
                    }
                }
                Kind::Join { left, right } => {
                    let split = self.graph.nodes[*left].units * row;
                    out[..split].copy_from_slice(&below[*left][..split]);
                    let rest = units * row - split;
                    out[split..].copy_from_slice(&below[*right][..rest]);
                }
                Kind::Indicator { input, low, high, period } => {
                    out.fill(T::ZERO);
                    for (out, x) in out[..lanes].iter_mut().zip(&self.points[input * lanes..][..lanes]) {
                        let x = x.to_f64();
                        let x = period.map_or(x, |period| low + (x - low).rem_euclid(period));
                        *out = if (*low..*high).contains(&x) { T::ONE } else { T::ZERO };
                    }
                }
                Kind::Gaussians { at } => {
                    let parameters = &parameters[*at..][..2 * self.graph.inputs * units];
                    let (points, out) = (&self.points, Some(out));
                    T::run(level, Gaussians { set, units, lanes, points, parameters, out, back: None });
                }
            }
        }
        if let Some(last) = self.values.last() {
            convert(&last[..self.graph.outputs() * row], &mut self.outputs, lanes, &self.factorials);
        }
    }

    #[inline(never)]
    pub(super) fn backward(&mut self, parameters: &[T], mut sink: Sink<'_, T>) {
        let (level, lanes, set, jets) = (self.level, self.lanes, &self.derivatives, &self.jets);
        let row = set.components() * lanes;
        // What nothing reads has no share in the loss.
        for ((entry, adjoints), reader) in self.graph.nodes.iter().zip(&mut self.adjoints).zip(&self.readers) {
            if entry.is_trained && reader.is_none() {
                adjoints[..entry.units * row].fill(T::ZERO);
            }
        }
        if let Some(last) = self.adjoints.last_mut() {
            let extent = self.graph.outputs() * row;
            convert(&self.output_adjoints[..extent], last, lanes, &self.factorials);
        }
        for (n, entry) in self.graph.nodes.iter().enumerate().rev().filter(|(_, e)| e.is_trained) {
            let (below, rest) = self.adjoints.split_at_mut(n);
            let (above, units) = (&mut rest[0], entry.units);
            let adjoints = &above[..units * row];
            let nodes = &self.graph.nodes;
            let is_first = |from: usize| self.readers[from] == Some(n);
            if let (Some((chain, is_last)), Sink::Sum(gradient)) = (self.links[n], &mut sink) {
                let (from, chain) = &mut self.chains[chain];
                if is_last {
                    chain.backward(parameters, &self.values[*from], adjoints, gradient, lanes);
                }
                continue;
            }
            match &entry.kind {
                Kind::Coordinates | Kind::Indicator { .. } => {}
                Kind::Fixed { from, .. } => {
                    let width = nodes[*from].units;
                    let transposed = Strided { data: &self.matrices[n][..], row: 1, column: width };
                    let out = if is_first(*from) { &mut below[*from] } else { &mut self.scratch };
                    product(level, transposed, adjoints, out, width, units, row);
                    if !is_first(*from) {
                        add_all(&mut below[*from], &self.scratch[..width * row]);
                    }
                }
                Kind::Dense { from, at } => {
                    let width = nodes[*from].units;
                    match &mut sink {
                        Sink::Sum(gradient) => {
                            let own = &mut gradient[*at..][..units * width + units];
                            let (weights, biases) = own.split_at_mut(units * width);
                            add_product_transposed(level, adjoints, &self.values[*from], weights, units, width, row);
                            for (unit, bias) in biases.iter_mut().enumerate() {
                                // Only the value sees the bias.
                                let mut sums = [T::ZERO; 8];
                                for chunk in adjoints[unit * row..][..lanes].chunks_exact(8) {
                                    sums.iter_mut().zip(chunk).for_each(|(sum, a)| *sum += *a);
                                }
                                *bias += sums.into_iter().fold(T::ZERO, |sum, part| sum + part);
                            }
                        }
                        Sink::Rows(slopes) => {
                            let own = &mut slopes[at * lanes..][..(units * width + units) * lanes];
                            let (out, biases) = own.split_at_mut(units * width * lanes);
                            let values = &self.values[*from];
                            T::run(level, DenseRows { set, units, inputs: width, lanes, adjoints, values, out });
                            for (unit, bias) in biases.chunks_exact_mut(lanes).enumerate() {
                                bias.copy_from_slice(&adjoints[unit * row..][..lanes]);
                            }
                        }
                    }
                    if nodes[*from].is_trained {
                        let transposed = Strided { data: &parameters[*at..][..units * width], row: 1, column: width };
                        let out = if is_first(*from) { &mut below[*from] } else { &mut self.scratch };
                        product(level, transposed, adjoints, out, width, units, row);
                        if !is_first(*from) {
                            add_all(&mut below[*from], &self.scratch[..width * row]);
                        }
                    }
                }
                Kind::Apply { from, function } => match (jets, activation(*function)) {
                    (Some(jets), Some(activation)) => {
                        let layer = Layer { activation, jets, units, lanes };
                        layer.backward(level, &self.values[*from], &self.slopes[n], above, None);
                        // Nobody asks for the adjoints of this node again.
                        if is_first(*from) {
                            std::mem::swap(above, &mut below[*from]);
                        } else {
                            add_all(&mut below[*from], &above[..units * row]);
                        }
                    }
                    _ => {
                        let (x, out) = (&self.values[*from], &mut below[*from]);
                        if is_first(*from) {
                            out[..units * row].fill(T::ZERO);
                        }
                        let back = Some([&self.values[n][..], adjoints]);
                        T::run(level, Apply { set, function: *function, units, lanes, x, out, back });
                    }
                },
                Kind::Multiply { left, right } => {
                    for (this, other, is_again) in [(*left, *right, false), (*right, *left, left == right)] {
                        if nodes[this].is_trained {
                            let stride = |n: usize| usize::from(nodes[n].units > 1);
                            let strides = [1, stride(other), stride(this)];
                            let (x, y, out) = (adjoints, &self.values[other], &mut below[this]);
                            if is_first(this) && !is_again {
                                out[..nodes[this].units * row].fill(T::ZERO);
                            }
                            T::run(level, Multiply { set, lanes, units, x, y, out, strides, transposed: true });
                        }
                    }
                }
                Kind::Add { left, right } | Kind::Join { left, right } => {
                    let split = if matches!(entry.kind, Kind::Join { .. }) { nodes[*left].units * row } else { 0 };
                    let shares = if split > 0 { [&adjoints[..split], &adjoints[split..]] } else { [adjoints; 2] };
                    for (node, share, is_again) in [(*left, shares[0], false), (*right, shares[1], left == right)] {
                        if !nodes[node].is_trained {
                            continue;
                        }
                        if is_first(node) && !is_again {
                            below[node][..share.len()].copy_from_slice(share);
                        } else {
                            add_all(&mut below[node], share);
                        }
                    }
                }
                Kind::Gaussians { at } => {
                    let range = *at..at + 2 * self.graph.inputs * units;
                    let (parameters, points) = (&parameters[range.clone()], &self.points);
                    let back = |adjoints: &[T], sums: &mut [T]| {
                        let back = Some((adjoints, sums));
                        T::run(level, Gaussians { set, units, lanes, points, parameters, out: None, back });
                    };
                    match &mut sink {
                        Sink::Sum(gradient) => back(adjoints, &mut gradient[range]),
                        // Point by point: few networks have them.
                        Sink::Rows(slopes) => {
                            let (mut single, mut sums) = (vec![T::ZERO; adjoints.len()], vec![T::ZERO; range.len()]);
                            for lane in 0..lanes {
                                let of_lane = adjoints.iter().skip(lane).step_by(lanes);
                                single.iter_mut().skip(lane).step_by(lanes).zip(of_lane).for_each(|(s, a)| *s = *a);
                                sums.fill(T::ZERO);
                                back(&single, &mut sums);
                                single.iter_mut().skip(lane).step_by(lanes).for_each(|s| *s = T::ZERO);
                                for (parameter, sum) in range.clone().zip(&sums) {
                                    slopes[parameter * lanes + lane] = *sum;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Every component times its factor: from Taylor coefficients to derivatives, and of their adjoints the other way.
fn convert<T: Real>(from: &[T], to: &mut [T], lanes: usize, factors: &[T]) {
    for (k, (from, to)) in from.chunks_exact(lanes).zip(to.chunks_exact_mut(lanes)).enumerate() {
        let factor = factors[k % factors.len()];
        for (to, from) in to.iter_mut().zip(from) {
            *to = factor * *from;
        }
    }
}

fn add_all<T: Real>(to: &mut [T], from: &[T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += *from;
    }
}
