//! What the network is made of.

use eddy_expr::{Column, Inputs};
use eddy_nets::graph::{Function, Graph, Initial, Node, Parts};
use eddy_solve::Statement;

use super::start::amplitudes;

/// How its layers are put together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// tanh after each layer.
    Plain,
    /// Layers that add to what they get.
    Residual,
    /// Layers that choose between two encodings of the input.
    Modified,
    /// Sines in place of tanh; the first layer's weights are within ±ω/inputs.
    Sines { omega: f64 },
    /// tanh on sines and cosines of as many random directions as a layer has units, half of each; σ is the deviation of their
    /// wave numbers.
    Waves { sigma: f64, seed: u64 },
    /// tanh on as many Gaussians as a layer has units, whose centres and widths are trained; the widths begin with this one,
    /// where features run from -1 to 1.
    Gaussians { width: f64 },
    /// Plain networks on so many overlapping parts of an axis.
    Parts { count: usize },
    /// Plain networks on so many parts of an axis that meet, joined by conditions.
    Domains { count: usize },
}

/// The axis along which [`Kind::Parts`] and [`Kind::Domains`] are made: the first one, or the time where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    pub input: usize,
    pub min: f64,
    pub max: f64,
    pub is_periodic: bool,
}

impl Split {
    fn parts(self, count: usize, is_sharp: bool) -> Parts {
        let Self { input, min: low, max: high, is_periodic } = self;
        Parts { input, low, high, is_periodic, count, is_sharp }
    }

    pub fn new(statement: &Statement) -> Self {
        match statement.grid.axes.first() {
            Some(axis) => Self { input: 0, min: axis.min, max: axis.max, is_periodic: axis.is_periodic },
            None => Self { input: 0, min: statement.start, max: statement.end, is_periodic: false },
        }
    }
}

/// Fewest and most waves that are given to a network by themselves.
const HARMONICS: (usize, usize) = (3, 16);
/// Share of the highest amplitude from which on a wave counts.
const COUNTS: f64 = 0.02;
/// Places along an axis.
const PLACES: usize = 128;

/// Waves of the initial values along periodic axes, through two places of the others.
fn harmonics_of(statement: &Statement) -> usize {
    let axes = &statement.grid.axes;
    let mut most = HARMONICS.0;
    // As its own derivative of order 0 an expression asks for no random numbers; what is random has none.
    let initial = |position| statement.initial_expression(position).and_then(|e| e.derivative([0; 3]));
    for expression in (0..statement.stepped().len()).filter_map(initial) {
        for (own, axis) in axes.iter().enumerate().filter(|(_, axis)| axis.is_periodic) {
            let along: Vec<f64> = (0..PLACES).map(|i| axis.min + axis.length() * i as f64 / PLACES as f64).collect();
            for share in [0.31, 0.77] {
                let column = |other: usize| match axes.get(other) {
                    Some(_) if other == own => Column::Values(&along),
                    Some(axis) => Column::Constant(axis.min + share * axis.length()),
                    None => Column::Constant(0.0),
                };
                let inputs = Inputs {
                    coordinates: [column(0), column(1), column(2)],
                    time: statement.start,
                    parameters: &statement.parameters,
                    fields: &[],
                };
                let (mut re, mut im) = (vec![0.0; PLACES], vec![0.0; PLACES]);
                if expression.eval_block_complex(&inputs, &mut re, &mut im).is_err() {
                    continue;
                }
                for values in [re, im] {
                    let found = amplitudes(axis, &values);
                    let largest = found.iter().copied().fold(0.0, f64::max);
                    let last = found.iter().rposition(|a| *a > COUNTS * largest).unwrap_or(0);
                    most = most.max(last);
                }
            }
        }
    }
    most.min(HARMONICS.1)
}

/// Kind and size of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    pub kind: Kind,
    pub width: usize,
    pub layers: usize,
    /// Waves per periodic coordinate; 0 for as many as the initial values have, within [`HARMONICS`].
    pub harmonics: usize,
}

impl Architecture {
    /// Waves of periodic coordinates that suit the network. Gaussians find the others: a bump on a ring has one.
    pub fn harmonics_of(self, statement: &Statement) -> usize {
        if let Kind::Gaussians { .. } = self.kind { 1 } else { harmonics_of(statement) }
    }

    /// The last hidden layer.
    pub fn hidden(self, graph: &mut Graph, from: Node, split: Split) -> Node {
        let Self { kind, width, layers, .. } = self;
        let all = vec![width; layers];
        match kind {
            Kind::Plain => graph.plain_layers(from, &all, Function::Tanh),
            Kind::Residual => graph.residual_layers(from, width, layers, Function::Tanh),
            Kind::Modified => graph.modified_layers(from, width, layers, Function::Tanh),
            Kind::Sines { omega } => graph.siren_layers(from, &all, omega),
            Kind::Waves { sigma, seed } => {
                let waves = graph.random_waves(from, self.waves(), sigma, seed);
                graph.plain_layers(waves, &all, Function::Tanh)
            }
            Kind::Gaussians { width: begins } => {
                let gaussians = graph.gaussian_features(from, width, begins);
                graph.plain_layers(gaussians, &all, Function::Tanh)
            }
            Kind::Parts { count } | Kind::Domains { count } => {
                let is_sharp = matches!(kind, Kind::Domains { .. });
                graph.parts(&split.parts(count, is_sharp), |graph, window, local| {
                    let from = local.map_or(from, |local| graph.join(from, local));
                    let layers = graph.plain_layers(from, &all, Function::Tanh);
                    graph.multiply(layers, window)
                })
            }
        }
    }

    /// The network, its parameters those of [`hidden`](Self::hidden) and then the weights that read it.
    pub fn network(self, graph: &mut Graph, from: Node, outputs: usize, split: Split) -> Node {
        if let Kind::Sines { omega } = self.kind {
            return graph.siren(from, &vec![self.width; self.layers], outputs, omega);
        }
        let hidden = self.hidden(graph, from, split);
        graph.dense(hidden, outputs, Initial::Glorot)
    }

    /// Whether each part of the domain has layers of its own.
    pub fn is_in_parts(self) -> bool {
        matches!(self.kind, Kind::Parts { .. } | Kind::Domains { .. })
    }

    /// Units of the last hidden layer.
    pub fn units(self) -> usize {
        match self.kind {
            Kind::Parts { count } | Kind::Domains { count } => count * self.width,
            _ => self.width,
        }
    }

    /// Random directions of [`Kind::Waves`].
    pub fn waves(self) -> usize {
        self.width.div_ceil(2)
    }
}
