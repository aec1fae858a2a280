//! Networks of any shape, with partial derivatives up to order 4 in up to 4 coordinates.
//!
//! A [`Graph`] is built node by node: trainable dense layers and Gaussians, functions, products, sums, fixed linear maps. Every
//! node carries its truncated Taylor series at each point, so conditions that hold exactly (a distance function times the
//! network), periodic inputs and gates are ordinary nodes and get exact derivatives. [`GraphEngine`] runs it forward, hands
//! the outputs' derivatives to the caller's loss and goes backward once.
//!
//! For plain dense networks to order 2 [`Engine`](crate::Engine) does the same, and carries several derivatives as one.

mod derivatives;
mod engine;
mod kernels;
mod networks;
mod parts;
mod rows;

use crate::{LayerShape, Named, NetError, Real, network::named_layer, normal, uniform};

pub use derivatives::{Derivatives, MAX_INPUTS, MAX_ORDER};
pub use engine::{GraphEngine, GraphTile};
pub use networks::wave_rows;
pub use parts::{Parts, ring_share};
pub use rows::{NormalEquations, RowTile, Rows};

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Tanh,
    Sin,
    Cos,
    Exp,
}

/// How a trainable layer starts. Biases start at zero unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// Uniform within ±√(6/(inputs + outputs)) (Glorot and Bengio 2010, eq. 16).
    Glorot,
    /// Uniform within ±bound, biases too.
    Uniform(f64),
    /// Normal with this deviation.
    Normal(f64),
    /// All weights 1/width, biases uniform within ±1/width: of a layer on one unit within [-1, 1], the distance from a centre
    /// there over a width.
    Centres { width: f64 },
}

/// A node of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(usize);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Coordinates,
    /// Rows of `matrix` over the units of `from`, plus `shift`.
    Fixed {
        from: usize,
        matrix: Vec<f64>,
        shift: Vec<f64>,
    },
    /// Weights [units][inputs] and biases from `at`.
    Dense {
        from: usize,
        at: usize,
    },
    Apply {
        from: usize,
        function: Function,
    },
    /// Unit by unit; an operand of one unit goes with every unit of the other.
    Multiply {
        left: usize,
        right: usize,
    },
    Add {
        left: usize,
        right: usize,
    },
    Join {
        left: usize,
        right: usize,
    },
    /// One between `low` and `high` of a coordinate, zero elsewhere.
    Indicator {
        input: usize,
        low: f64,
        high: f64,
        /// Coordinates that differ by it are one.
        period: Option<f64>,
    },
    /// Per unit the centre and the logarithms of the widths, from `at`.
    Gaussians {
        at: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    kind: Kind,
    units: usize,
    /// Whether any parameter is below it.
    is_trained: bool,
}

/// How a run of parameters starts.
#[derive(Clone, Debug, PartialEq)]
enum Start {
    Value(f64),
    Uniform(f64, f64),
    Normal(f64),
}

/// Nodes in the order of their making; the last one is the output.
///
/// Errors of the making are kept and told by [`start`](Self::start).
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    inputs: usize,
    nodes: Vec<Entry>,
    starts: Vec<(usize, Start)>,
    parameters: usize,
    error: Option<NetError>,
}

/// Largest width of a node.
const MAX_UNITS: usize = 4096;

impl Graph {
    pub fn new(inputs: usize) -> Self {
        let coordinates = Entry { kind: Kind::Coordinates, units: inputs, is_trained: false };
        Self { inputs, nodes: vec![coordinates], starts: Vec::new(), parameters: 0, error: None }
    }

    /// The point itself.
    pub fn coordinates(&self) -> Node {
        Node(0)
    }
    /// Number of units of a node.
    pub fn units(&self, node: Node) -> usize {
        self.nodes[node.0].units
    }
    /// Number of parameters so far.
    pub fn parameters(&self) -> usize {
        self.parameters
    }
    pub fn inputs(&self) -> usize {
        self.inputs
    }
    /// Number of units of the last node.
    pub fn outputs(&self) -> usize {
        self.nodes.last().map_or(0, |n| n.units)
    }

    fn push(&mut self, kind: Kind, units: usize, is_trained: bool) -> Node {
        if units == 0 {
            self.error.get_or_insert(NetError::Empty { what: "units in a node" });
        } else if units > MAX_UNITS {
            self.error.get_or_insert(NetError::TooLarge { units, limit: MAX_UNITS });
        }
        self.nodes.push(Entry { kind, units, is_trained });
        Node(self.nodes.len() - 1)
    }
    fn reserve(&mut self, count: usize, start: Start) -> usize {
        let at = self.parameters;
        self.parameters += count;
        self.starts.push((count, start));
        at
    }
    fn trained(&self, nodes: [Node; 2]) -> bool {
        nodes.iter().any(|n| self.nodes[n.0].is_trained)
    }

    /// A trainable number for the loss to use; its index among the parameters. No node reads it.
    pub fn scalar(&mut self, value: f64) -> usize {
        self.reserve(1, Start::Value(value))
    }
    /// A fixed linear map: one row of `matrix` and one entry of `shift` per unit.
    pub fn fixed(&mut self, from: Node, matrix: &[Vec<f64>], shift: &[f64]) -> Node {
        let width = self.units(from);
        if let Some(row) = matrix.iter().find(|row| row.len() != width) {
            self.error.get_or_insert(NetError::Units { have: row.len(), need: width });
        } else if shift.len() != matrix.len() {
            self.error.get_or_insert(NetError::Units { have: shift.len(), need: matrix.len() });
        }
        let is_trained = self.nodes[from.0].is_trained;
        let kind = Kind::Fixed { from: from.0, matrix: matrix.concat(), shift: shift.to_vec() };
        self.push(kind, matrix.len(), is_trained)
    }
    /// `scale · unit + shift`, one unit of `from`.
    pub fn pick(&mut self, from: Node, unit: usize, scale: f64, shift: f64) -> Node {
        let mut row = vec![0.0; self.units(from)];
        match row.get_mut(unit) {
            Some(entry) => *entry = scale,
            None => drop(self.error.get_or_insert(NetError::Units { have: row.len(), need: unit + 1 })),
        }
        self.fixed(from, &[row], &[shift])
    }
    /// The same for all units.
    pub fn affine(&mut self, from: Node, scale: f64, shift: f64) -> Node {
        let units = self.units(from);
        let row = |u| (0..units).map(|v| if u == v { scale } else { 0.0 }).collect();
        self.fixed(from, &(0..units).map(row).collect::<Vec<_>>(), &vec![shift; units])
    }
    /// A trainable layer, weights and biases.
    pub fn dense(&mut self, from: Node, units: usize, initial: Initial) -> Node {
        let inputs = self.units(from);
        let (weights, biases) = match initial {
            Initial::Glorot => {
                let bound = (6.0 / (inputs + units) as f64).sqrt();
                (Start::Uniform(-bound, bound), Start::Value(0.0))
            }
            Initial::Uniform(bound) => (Start::Uniform(-bound, bound), Start::Uniform(-bound, bound)),
            Initial::Normal(deviation) => (Start::Normal(deviation), Start::Value(0.0)),
            Initial::Centres { width } => (Start::Value(1.0 / width), Start::Uniform(-1.0 / width, 1.0 / width)),
        };
        let at = self.reserve(units * inputs, weights);
        self.reserve(units, biases);
        self.push(Kind::Dense { from: from.0, at }, units, true)
    }
    pub fn apply(&mut self, from: Node, function: Function) -> Node {
        let Entry { units, is_trained, .. } = self.nodes[from.0];
        self.push(Kind::Apply { from: from.0, function }, units, is_trained)
    }
    /// Unit by unit; a node of one unit multiplies every unit of the other.
    pub fn multiply(&mut self, left: Node, right: Node) -> Node {
        let [a, b] = [left, right].map(|n| self.units(n));
        if a != b && a.min(b) != 1 {
            self.error.get_or_insert(NetError::Units { have: a, need: b });
        }
        self.push(Kind::Multiply { left: left.0, right: right.0 }, a.max(b), self.trained([left, right]))
    }
    pub fn add(&mut self, left: Node, right: Node) -> Node {
        let [a, b] = [left, right].map(|n| self.units(n));
        if a != b {
            self.error.get_or_insert(NetError::Units { have: a, need: b });
        }
        self.push(Kind::Add { left: left.0, right: right.0 }, a, self.trained([left, right]))
    }
    /// The units of both, `left`'s first.
    pub fn join(&mut self, left: Node, right: Node) -> Node {
        let units = self.units(left) + self.units(right);
        self.push(Kind::Join { left: left.0, right: right.0 }, units, self.trained([left, right]))
    }
    /// One where coordinate `input` is in [low, high), else zero, with derivatives zero: what is multiplied by it jumps there. On a
    /// ring of length `period` the coordinate is taken from `low` on.
    pub fn indicator(&mut self, input: usize, low: f64, high: f64, period: Option<f64>) -> Node {
        if input >= self.inputs {
            self.error.get_or_insert(NetError::Units { have: self.inputs, need: input + 1 });
        }
        self.push(Kind::Indicator { input, low, high, period }, 1, false)
    }
    /// Gaussians of the coordinates with trainable centres, drawn uniformly from the box, and trainable widths along each
    /// coordinate, kept as logarithms so that they stay positive. Their parameters are, per unit, the centre and then the
    /// logarithms of the widths; the first one's index comes with the node.
    pub fn gaussians(&mut self, count: usize, corners: &[(f64, f64)], width: f64) -> (Node, usize) {
        if corners.len() != self.inputs {
            self.error.get_or_insert(NetError::Directions { have: corners.len(), need: self.inputs });
        }
        let at = self.parameters;
        for _ in 0..count {
            for &(low, high) in corners {
                self.reserve(1, Start::Uniform(low, high));
            }
            self.reserve(corners.len(), Start::Value(width.max(1e-12).ln()));
        }
        (self.push(Kind::Gaussians { at }, count, true), at)
    }

    /// The parameters by name, in their order: dense layers as `layers.0.weight` and `layers.0.bias`, Gaussians as
    /// `gaussians.0` with one row of centre and logarithms of the widths per unit, what no node reads as `scalars.0`.
    pub fn named(&self) -> Vec<Named> {
        let (mut layers, mut gaussians) = (0, 0);
        let mut named = Vec::new();
        for node in &self.nodes {
            match node.kind {
                Kind::Dense { from, at } => {
                    named.extend(named_layer(layers, node.units, self.nodes[from].units, at));
                    layers += 1;
                }
                Kind::Gaussians { at } => {
                    named.push(Named::new(format!("gaussians.{gaussians}"), &[node.units, 2 * self.inputs], at));
                    gaussians += 1;
                }
                _ => {}
            }
        }
        let by_place = |n: &Named| n.at;
        named.sort_by_key(by_place);
        let (mut at, mut scalars) = (0, Vec::new());
        for next in named.iter().map(Named::range).chain([self.parameters..self.parameters]) {
            scalars.extend(at..next.start);
            at = next.end;
        }
        named.extend(scalars.iter().enumerate().map(|(i, at)| Named::new(format!("scalars.{i}"), &[1], *at)));
        named.sort_by_key(by_place);
        named
    }

    /// The dense layers, in the order of their making.
    pub fn layers(&self) -> Vec<LayerShape> {
        let layer = |node: &Entry| match node.kind {
            Kind::Dense { from, at } => {
                let (inputs, outputs) = (self.nodes[from].units, node.units);
                Some(LayerShape { inputs, outputs, weights: at, biases: at + inputs * outputs })
            }
            _ => None,
        };
        self.nodes.iter().filter_map(layer).collect()
    }

    /// The units that the layer behind the first output reads, as a network of the same parameters, and that layer. None where no
    /// trainable layer is behind it.
    pub fn hidden(&self) -> Option<(Self, LayerShape)> {
        let mut at = self.nodes.len() - 1;
        loop {
            let entry = &self.nodes[at];
            at = match entry.kind {
                Kind::Dense { from, at } => {
                    let (inputs, outputs) = (self.nodes[from].units, entry.units);
                    let nodes = self.nodes[..=from].to_vec();
                    let shape = LayerShape { inputs, outputs, weights: at, biases: at + inputs * outputs };
                    return Some((Self { nodes, ..self.clone() }, shape));
                }
                Kind::Fixed { from, .. } | Kind::Apply { from, .. } => from,
                Kind::Multiply { left, right } | Kind::Add { left, right } | Kind::Join { left, right } => {
                    if self.nodes[left].is_trained { left } else { right }
                }
                Kind::Coordinates | Kind::Indicator { .. } | Kind::Gaussians { .. } => return None,
            };
        }
    }

    /// Parameters at the start: the same for a seed in both formats up to rounding, on every machine.
    pub fn start<T: Real>(&self, seed: u64) -> Result<Vec<T>, NetError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let mut parameters = Vec::with_capacity(self.parameters);
        for (count, start) in &self.starts {
            for _ in 0..*count {
                let counter = parameters.len() as u64;
                parameters.push(T::from_f64(match start {
                    Start::Value(value) => *value,
                    Start::Uniform(low, high) => low + (high - low) * uniform(seed, counter),
                    Start::Normal(deviation) => deviation * normal(seed, counter),
                }));
            }
        }
        Ok(parameters)
    }
}
