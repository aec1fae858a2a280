//! The candidate solution: a network with the initial values and the periods built in.

use std::ops::Range;

use eddy_expr::{Column, Expression, Inputs, Role, kernel::Part};
use eddy_nets::graph::{Graph, Node};
use eddy_solve::Statement;
use eddy_spec::EddyError;

use super::{
    amplitude::{Known, Size, sizes},
    architecture::{Architecture, Split},
    built_in::BuiltIn,
    sides::normal,
    start::Start,
};

/// One real component of a field: an output of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub variable: u16,
    pub part: Part,
    /// As it is written in legends: `u`, `re psi`.
    pub name: String,
    /// Order in time of its equation; 0 where it has none.
    pub order: u8,
    /// First guess of a field that is to be found from data; it depends on the place alone.
    pub guess: Option<f64>,
    pub size: Size,
    /// Positions among the stepped variables of its initial value and of that of its velocity.
    initial: [Option<usize>; 2],
}

impl Output {
    /// Positions among the stepped variables of what is known of it at the start.
    pub fn initial_positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.initial.iter().flatten().copied()
    }

    /// Its part of a number.
    pub fn pick(&self, re: f64, im: f64) -> f64 {
        if self.part == Part::Real { re } else { im }
    }
}

/// u = u₀(x) + τN, u₀ + (t - t₀)v₀ + τ²N for equations of second order in time, and N where there is no time, with
/// τ = (t - t₀)/(t₁ - t₀): initial values hold exactly (Lagaris, Likas, Fotiadis 1998, eq. 2). N sees a periodic coordinate
/// only through sines and cosines of the period (Dong and Ni 2021). Where the initial values are not known, N alone. In place of N
/// there may be a product with a distance from the sides ([`BuiltIn`]). N is the network's output times an amplitude.
pub struct Candidate {
    pub outputs: Vec<Output>,
    /// Axes, then time where there is one.
    pub inputs: usize,
    pub has_time: bool,
    pub graph: Graph,
    /// Of each derivative asked for so far.
    known: Vec<((usize, [u8; 3]), Option<Expression>)>,
    /// By output: what a later window begins with in place of the initial values, then the velocity where there is one.
    starts: Vec<Vec<Start>>,
    /// By output.
    built_in: Vec<BuiltIn>,
    start: f64,
    parameters: Vec<f64>,
    dimension: usize,
}

/// Order in time that the highest time derivative has.
fn order_of(role: Role) -> Option<u8> {
    match role {
        Role::FirstOrder => Some(1),
        Role::SecondOrder { .. } => Some(2),
        Role::Elliptic => Some(0),
        Role::Velocity { .. } | Role::Algebraic => None,
    }
}

/// Whether a network has an output for it.
pub fn is_solved(role: Role) -> bool {
    order_of(role).is_some()
}

impl Candidate {
    /// `guesses`: fields without an equation, with what is guessed of them first. `knows_start`: whether the initial values
    /// are built in; `builds_sides`: whether conditions at the sides are, where they can be. `norm`: how large conditions on
    /// integrals ask fields to be.
    pub fn new(
        statement: &Statement,
        architecture: Architecture,
        guesses: &[(u16, f64)],
        knows_start: bool,
        known: &Known<'_>,
    ) -> Result<Self, EddyError> {
        let stepped = statement.stepped();
        let position = |variable: u16| stepped.iter().position(|other| *other == variable);
        let mut outputs = Vec::new();
        for (index, variable) in statement.system.variables.iter().enumerate() {
            let Some(order) = order_of(variable.role) else { continue };
            let index = index as u16;
            let guess = guesses.iter().find(|(variable, _)| *variable == index).map(|(_, guess)| *guess);
            let initial = match variable.role {
                _ if !knows_start => [None, None],
                Role::FirstOrder => [position(index), None],
                Role::SecondOrder { velocity } => [position(index), position(velocity)],
                _ => [None, None],
            };
            let parts: &[(Part, &str)] = match variable.is_complex {
                true => &[(Part::Real, "re "), (Part::Imaginary, "im ")],
                false => &[(Part::Real, "")],
            };
            for (part, prefix) in parts {
                let name = format!("{prefix}{}", variable.name);
                outputs.push(Output { variable: index, part: *part, name, order, guess, size: Size::UNKNOWN, initial });
            }
        }
        // Their own network comes after that of the others.
        let held: Vec<Output> = outputs.extract_if(.., |output| output.guess.is_some()).collect();
        outputs.extend(held);
        let has_time = !stepped.is_empty();
        let dimension = statement.grid.dimension();
        let inputs = dimension + usize::from(has_time);
        if inputs == 0 {
            return Err(
                EddyError::start("There is nothing to be found: give an equation with a derivative.").at("equations")
            );
        }
        if dimension == 0 && !guesses.is_empty() {
            let message = "A field that is to be found needs an axis along which it varies. Give x a domain, or look for a number.";
            return Err(EddyError::start(message).at("sought"));
        }
        let (start, parameters) = (statement.start, statement.parameters.clone());
        let mut candidate = Self {
            outputs,
            inputs,
            has_time,
            graph: Graph::new(inputs),
            known: Vec::new(),
            starts: Vec::new(),
            built_in: Vec::new(),
            start,
            parameters,
            dimension,
        };
        for output in 0..candidate.outputs.len() {
            candidate.need(statement, output, [0; 3])?;
        }
        let sizes = sizes(known, &candidate);
        candidate.outputs.iter_mut().zip(sizes).for_each(|(output, size)| output.size = size);
        for output in 0..candidate.outputs.len() {
            let built_in = if known.builds_sides { candidate.build_in(statement, output) } else { BuiltIn::default() };
            candidate.built_in.push(built_in);
        }
        candidate.build(statement, architecture, knows_start);
        Ok(candidate)
    }

    fn build_in(&mut self, statement: &Statement, output: usize) -> BuiltIn {
        let one = self.outputs[output].clone();
        if one.guess.is_some() {
            return BuiltIn::default();
        }
        if one.initial == [None, None] {
            return BuiltIn::new(statement, &one, self.inputs, None);
        }
        let is_known = (0..self.dimension).all(|axis| self.need(statement, output, normal(axis, 1)).is_ok());
        let base = |order: u8, axis: usize, points: &[f64]| self.base(output, normal(axis, order), 0, points);
        if is_known { BuiltIn::new(statement, &one, self.inputs, Some(&base)) } else { BuiltIn::default() }
    }

    /// What of the conditions at the sides holds by itself.
    pub(super) fn built_in(&self, output: usize) -> &BuiltIn {
        &self.built_in[output]
    }

    fn build(&mut self, statement: &Statement, architecture: Architecture, knows_start: bool) {
        let mut graph = Graph::new(self.inputs);
        let features = features(&mut graph, statement, self.has_time, architecture);
        let solved = self.outputs.iter().filter(|output| output.guess.is_none()).count();
        let split = Split::new(statement);
        let all = joined(&mut graph, &features);
        let network = architecture.network(&mut graph, all, solved, split);
        let network = self.enveloped(&mut graph, network, solved, statement, knows_start);
        if solved < self.outputs.len() {
            let places = joined(&mut graph, &features[..self.dimension]);
            let found = architecture.network(&mut graph, places, self.outputs.len() - solved, split);
            let found = self.at_amplitude(&mut graph, found, solved..self.outputs.len());
            graph.join(network, found);
        }
        self.graph = graph;
    }

    /// A node's columns times the amplitudes of these outputs.
    fn at_amplitude(&self, graph: &mut Graph, node: Node, outputs: Range<usize>) -> Node {
        let amplitudes: Vec<f64> = self.outputs[outputs].iter().map(|output| output.size.amplitude).collect();
        if amplitudes.iter().all(|a| *a == 1.0) {
            return node;
        }
        let (coordinates, none) = (graph.coordinates(), vec![vec![0.0; graph.inputs()]; amplitudes.len()]);
        let amplitudes = graph.fixed(coordinates, &none, &amplitudes);
        graph.multiply(node, amplitudes)
    }

    /// Amplitude, τ, τ² or 1, and the distance from the sides, times each output, and what goes from side to side.
    fn enveloped(
        &self,
        graph: &mut Graph,
        network: Node,
        solved: usize,
        statement: &Statement,
        knows_start: bool,
    ) -> Node {
        let network = self.at_amplitude(graph, network, 0..solved);
        let starts = self.has_time && knows_start;
        let built_in = &self.built_in[..solved];
        if !starts && built_in.iter().all(BuiltIn::is_nothing) {
            return network;
        }
        let (coordinates, inputs) = (graph.coordinates(), graph.inputs());
        let length = statement.end - statement.start;
        let one = graph.fixed(coordinates, &[vec![0.0; inputs]], &[1.0]);
        let powers = if starts {
            let tau = graph.pick(coordinates, self.dimension, 1.0 / length, -statement.start / length);
            [one, tau, graph.multiply(tau, tau)]
        } else {
            [one; 3]
        };
        let factors: Vec<Node> = (built_in.iter().zip(&self.outputs))
            .map(|(built_in, output)| {
                let power = powers[usize::from(output.order)];
                let distance = built_in.distance(graph, statement);
                distance.map_or(power, |distance| if power == one { distance } else { graph.multiply(power, distance) })
            })
            .collect();
        let envelope = joined(graph, &factors);
        let network = graph.multiply(network, envelope);
        if built_in.iter().all(|one| one.lift().is_none()) {
            return network;
        }
        let lifts = built_in.iter().map(|one| one.lift().unwrap_or_default());
        let row =
            |(_, slope, axis): (f64, f64, usize)| (0..inputs).map(|i| if i == axis { slope } else { 0.0 }).collect();
        let rows: Vec<Vec<f64>> = lifts.clone().map(row).collect();
        let shifts: Vec<f64> = lifts.map(|(value, _, _)| value).collect();
        let lift = graph.fixed(coordinates, &rows, &shifts);
        graph.add(network, lift)
    }

    /// What a plain network sees, and A and A + B where the only output is A + B N: without what initial values add to A, which
    /// is [`base`](Self::base).
    pub fn frame(&self, statement: &Statement, architecture: Architecture, knows_start: bool) -> [Graph; 3] {
        let mut seen = Graph::new(self.inputs);
        let features = features(&mut seen, statement, self.has_time, architecture);
        joined(&mut seen, &features);
        let around = |network: f64| {
            let mut graph = Graph::new(self.inputs);
            let coordinates = graph.coordinates();
            let network = graph.fixed(coordinates, &[vec![0.0; self.inputs]], &[network]);
            self.enveloped(&mut graph, network, 1, statement, knows_start);
            graph
        };
        [seen, around(0.0), around(1.0)]
    }

    /// The component that is a part of a variable.
    pub fn output(&self, variable: u16, part: Part) -> Option<usize> {
        self.outputs.iter().position(|output| (output.variable, output.part) == (variable, part))
    }

    /// Makes ∂^orders of the initial values of an output known.
    pub fn need(&mut self, statement: &Statement, output: usize, orders: [u8; 3]) -> Result<(), EddyError> {
        for position in self.outputs[output].initial.into_iter().flatten() {
            if self.known.iter().any(|(key, _)| *key == (position, orders)) {
                continue;
            }
            let derivative = match statement.initial_expression(position) {
                None => None,
                Some(expression) => Some(expression.derivative(orders).ok_or_else(|| {
                    let name = &self.outputs[output].name;
                    let message = format!(
                        "The initial value of {name} is random or too long to be differentiated. Give a formula in the \
                         coordinates."
                    );
                    EddyError::start(message).at("initial")
                })?),
            };
            self.known.push(((position, orders), derivative));
        }
        Ok(())
    }

    /// From now on outputs begin with `starts`: each with as many fields as its equation has orders in time.
    pub fn begin(&mut self, starts: Vec<Vec<Start>>) {
        self.starts = starts;
    }

    /// The part of a derivative of an output that is not the network's, at points [point][input]. Needs
    /// [`need`](Self::need) before.
    pub fn base(&self, output: usize, orders: [u8; 3], time: u8, points: &[f64]) -> Vec<f64> {
        let count = points.len() / self.inputs;
        if let Some(start) = self.starts.get(output).filter(|start| !start.is_empty()) {
            let of = |field: &Start| {
                let places = points.chunks_exact(self.inputs).map(|point| &point[..self.dimension]);
                field.derivative([orders[0], orders[1]], places)
            };
            let velocity = start.get(1).filter(|_| time <= 1).map(of);
            return match (time, velocity) {
                (0, None) => of(&start[0]),
                (0, Some(velocity)) => {
                    let passed = points.iter().skip(self.dimension).step_by(self.inputs).map(|t| t - self.start);
                    of(&start[0]).iter().zip(velocity).zip(passed).map(|((u, v), t)| u + t * v).collect()
                }
                (1, Some(velocity)) => velocity,
                _ => vec![0.0; count],
            };
        }
        let guess = self.outputs[output].guess.filter(|_| orders == [0; 3] && time == 0);
        let mut values = vec![guess.unwrap_or(0.0); count];
        for (which, position) in self.outputs[output].initial.iter().enumerate() {
            let Some(position) = position else { continue };
            // ∂ₜ of u₀ and of (t - t₀)v₀.
            let is_there = if which == 0 { time == 0 } else { time <= 1 };
            let known = self.known.iter().find(|(key, _)| *key == (*position, orders));
            let Some((_, Some(expression))) = known.filter(|_| is_there) else { continue };
            let columns: Vec<Vec<f64>> = (0..self.dimension)
                .map(|axis| points.iter().skip(axis).step_by(self.inputs).copied().collect())
                .collect();
            let at = |axis: usize| columns.get(axis).map_or(Column::Constant(0.0), |column| Column::Values(column));
            let inputs = Inputs {
                coordinates: [at(0), at(1), at(2)],
                time: self.start,
                parameters: &self.parameters,
                fields: &[],
            };
            let (mut re, mut im) = (vec![0.0; count], vec![0.0; count]);
            if expression.eval_block_complex(&inputs, &mut re, &mut im).is_err() {
                values.fill(f64::NAN);
            }
            let found = if self.outputs[output].part == Part::Real { re } else { im };
            for (i, (value, found)) in values.iter_mut().zip(found).enumerate() {
                let factor =
                    if which == 1 && time == 0 { points[i * self.inputs + self.dimension] - self.start } else { 1.0 };
                *value += factor * found;
            }
        }
        values
    }
}

/// What the network sees: of the places, then of the time where there is one.
fn features(graph: &mut Graph, statement: &Statement, has_time: bool, architecture: Architecture) -> Vec<Node> {
    let coordinates = graph.coordinates();
    let mut features = Vec::new();
    for (index, axis) in statement.grid.axes.iter().enumerate() {
        features.push(if axis.is_periodic {
            graph.periodic(index, axis.length(), architecture.harmonics)
        } else {
            graph.pick(coordinates, index, 2.0 / axis.length(), -(axis.max + axis.min) / axis.length())
        });
    }
    let length = statement.end - statement.start;
    let dimension = statement.grid.dimension();
    if has_time {
        features.push(graph.pick(coordinates, dimension, 2.0 / length, -(statement.end + statement.start) / length));
    }
    features
}

/// The hidden layers of the network as a graph of its own: its parameters are the first ones of the whole.
pub fn neurons(statement: &Statement, inputs: usize, has_time: bool, architecture: Architecture) -> Graph {
    let mut graph = Graph::new(inputs);
    let features = features(&mut graph, statement, has_time, architecture);
    let all = joined(&mut graph, &features);
    architecture.hidden(&mut graph, all, Split::new(statement));
    graph
}

fn joined(graph: &mut Graph, nodes: &[Node]) -> Node {
    nodes[1..].iter().fold(nodes[0], |all, one| graph.join(all, *one))
}
