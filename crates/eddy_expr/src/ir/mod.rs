//! The typed, hash-consed graph of an expression.
//!
//! Equal subexpressions are one node; an operand always precedes its user, so every pass is one loop over the
//! nodes and nothing recurses.

mod build;
pub mod op;
pub mod rewrite;

use std::collections::HashMap;

pub use op::{Op1, Op2};

/// Most nodes in one graph. Passes stop with an error beyond it.
pub const MAX_NODES: usize = 60_000;

/// Index of a node in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub(crate) u32);

impl Id {
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Derivative orders along x, y and z.
pub type Orders = [u8; 3];

/// What a value depends on besides other values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leaf {
    /// A named number, by index.
    Parameter(u16),
    /// x, y or z as 0, 1, 2.
    Coordinate(u8),
    Time,
    /// A field or the time derivative of a second-order field, by index.
    Variable(u16),
    /// The real part of a complex variable, after [`crate::complex::split`].
    RealPart(u16),
    /// The imaginary part, likewise.
    ImaginaryPart(u16),
    /// A white-noise channel.
    Noise(u16),
    /// An integral over the domain, by index.
    Integral(u16),
    /// One over the grid spacing of an axis, in kernels.
    InverseSpacing(u8),
    /// The value of an array of a kernel at an offset in points from the present point.
    Array {
        slot: u16,
        offset: [i8; 3],
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// A finite real number, by its bits.
    Real(u64),
    /// The imaginary unit.
    Imaginary,
    Leaf(Leaf),
    Unary(Op1, Id),
    Binary(Op2, Id, Id),
    /// Condition, value if true, value if false.
    Select(Id, Id, Id),
    /// Partial derivative in space.
    Derivative(Orders, Id),
    /// Velocity times first derivative along an axis of a value, to be differenced against the flow.
    Upwind(u8, Id, Id),
}

/// Kind of value a node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Real,
    Complex,
    Truth,
}

/// A graph with its hash table.
#[derive(Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    kinds: Vec<Kind>,
    index: HashMap<Node, Id>,
    /// Bit n: variable n is complex.
    complex_variables: u32,
}

/// The nodes; the hash table only says again where they are, in an order that changes from run to run.
impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.nodes).finish()
    }
}

impl Graph {
    /// A graph in which the variables whose bits are set are complex.
    pub fn new(complex_variables: u32) -> Self {
        Self { complex_variables, ..Self::default() }
    }

    /// Marks a variable as complex; to be called before its first use.
    pub fn set_complex(&mut self, variable: u16) {
        self.complex_variables |= 1 << (variable % 32);
    }

    pub fn complex_variables(&self) -> u32 {
        self.complex_variables
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn is_too_large(&self) -> bool {
        self.nodes.len() > MAX_NODES
    }

    pub fn node(&self, id: Id) -> Node {
        self.nodes[id.index()]
    }

    pub fn kind(&self, id: Id) -> Kind {
        self.kinds[id.index()]
    }

    pub fn is_complex(&self, id: Id) -> bool {
        self.kind(id) == Kind::Complex
    }

    /// The number, where the node is one.
    pub fn real_value(&self, id: Id) -> Option<f64> {
        match self.node(id) {
            Node::Real(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    pub fn nodes(&self) -> impl Iterator<Item = (Id, Node)> + '_ {
        self.nodes.iter().enumerate().map(|(index, node)| (Id(index as u32), *node))
    }

    /// The node as it is, without any simplification; equal nodes get equal ids.
    pub fn intern(&mut self, node: Node) -> Id {
        if let Some(id) = self.index.get(&node) {
            return *id;
        }
        let kind = self.kind_of(node);
        let id = Id(self.nodes.len() as u32);
        self.nodes.push(node);
        self.kinds.push(kind);
        self.index.insert(node, id);
        id
    }

    fn kind_of(&self, node: Node) -> Kind {
        let complex_if = |condition: bool| if condition { Kind::Complex } else { Kind::Real };
        match node {
            Node::Real(_) => Kind::Real,
            Node::Imaginary => Kind::Complex,
            Node::Leaf(Leaf::Variable(index)) => complex_if(self.complex_variables >> (index % 32) & 1 == 1),
            Node::Leaf(_) => Kind::Real,
            Node::Unary(Op1::Not, _) => Kind::Truth,
            Node::Unary(Op1::Abs | Op1::Re | Op1::Im | Op1::Arg, _) => Kind::Real,
            Node::Unary(_, a) => self.kind(a),
            Node::Binary(op, _, _) if op.gives_truth() => Kind::Truth,
            Node::Binary(_, a, b) => complex_if(self.is_complex(a) || self.is_complex(b)),
            Node::Select(_, a, b) => complex_if(self.is_complex(a) || self.is_complex(b)),
            Node::Derivative(_, a) => self.kind(a),
            Node::Upwind(_, a, b) => complex_if(self.is_complex(a) || self.is_complex(b)),
        }
    }

    /// Operands of a node, in order.
    pub fn operands(node: Node) -> impl Iterator<Item = Id> {
        let list = match node {
            Node::Real(_) | Node::Imaginary | Node::Leaf(_) => [None; 3],
            Node::Unary(_, a) | Node::Derivative(_, a) => [Some(a), None, None],
            Node::Binary(_, a, b) | Node::Upwind(_, a, b) => [Some(a), Some(b), None],
            Node::Select(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        list.into_iter().flatten()
    }

    /// Which nodes the roots need, as flags by node.
    pub fn reachable(&self, roots: &[Id]) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        for root in roots {
            needed[root.index()] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if needed[index] {
                for operand in Self::operands(self.nodes[index]) {
                    needed[operand.index()] = true;
                }
            }
        }
        needed
    }

    /// Number of distinct nodes that the roots need.
    pub fn size(&self, roots: &[Id]) -> usize {
        self.reachable(roots).into_iter().filter(|needed| *needed).count()
    }

    /// For every node, whether it or anything below satisfies `test`.
    pub fn depends(&self, test: impl Fn(Node) -> bool) -> Vec<bool> {
        let mut flags = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = test(*node) || Self::operands(*node).any(|operand| flags[operand.index()]);
            flags.push(value);
        }
        flags
    }

    /// Every leaf that the roots need, in order of first use.
    pub fn leaves(&self, roots: &[Id]) -> Vec<Leaf> {
        let needed = self.reachable(roots);
        let mut leaves = Vec::new();
        for (id, node) in self.nodes() {
            if let (true, Node::Leaf(leaf)) = (needed[id.index()], node) {
                leaves.push(leaf);
            }
        }
        leaves
    }
}
