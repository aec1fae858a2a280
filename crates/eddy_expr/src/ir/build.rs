//! Constructors that fold constants and drop neutral elements.
//!
//! Only rewritings that hold for all finite values are made here; `0*x → 0` is among them, so a product with a
//! constant zero forgets that x may be infinite.

use super::{Graph, Id, Leaf, Node, Op1, Op2, Orders};

impl Graph {
    /// A finite constant. Non-finite values never become nodes; they stay as the operation that makes them.
    pub fn real(&mut self, value: f64) -> Id {
        debug_assert!(value.is_finite());
        // One zero, so that equal constants are one node.
        let value = if value == 0.0 { 0.0 } else { value };
        self.intern(Node::Real(value.to_bits()))
    }

    pub fn imaginary(&mut self) -> Id {
        self.intern(Node::Imaginary)
    }

    pub fn leaf(&mut self, leaf: Leaf) -> Id {
        self.intern(Node::Leaf(leaf))
    }

    pub fn variable(&mut self, index: u16) -> Id {
        self.leaf(Leaf::Variable(index))
    }

    pub fn neg(&mut self, a: Id) -> Id {
        self.unary(Op1::Neg, a)
    }

    pub fn add(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op2::Add, a, b)
    }

    pub fn sub(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op2::Sub, a, b)
    }

    pub fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op2::Mul, a, b)
    }

    pub fn div(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op2::Div, a, b)
    }

    pub fn pow(&mut self, a: Id, b: Id) -> Id {
        self.binary(Op2::Pow, a, b)
    }

    /// a^n for whole n.
    pub fn powi(&mut self, a: Id, n: i32) -> Id {
        let exponent = self.real(f64::from(n));
        self.pow(a, exponent)
    }

    /// Number times value.
    pub fn scaled(&mut self, factor: f64, a: Id) -> Id {
        let factor = self.real(factor);
        self.mul(factor, a)
    }

    pub fn sum(&mut self, terms: impl IntoIterator<Item = Id>) -> Id {
        let mut total = None;
        for term in terms {
            total = Some(match total {
                None => term,
                Some(sum) => self.add(sum, term),
            });
        }
        total.unwrap_or_else(|| self.real(0.0))
    }

    pub fn unary(&mut self, op: Op1, a: Id) -> Id {
        if let Some(value) = self.real_value(a) {
            let folded = op.eval(value);
            // sqrt(-1) and log(-1) stay operations; in a complex equation they have values.
            if folded.is_finite() && op != Op1::Not {
                return self.real(folded);
            }
        }
        match (op, self.node(a)) {
            (Op1::Neg, Node::Unary(Op1::Neg, inner)) | (Op1::Not, Node::Unary(Op1::Not, inner)) => return inner,
            (Op1::Neg, Node::Binary(Op2::Sub, left, right)) => return self.sub(right, left),
            (Op1::Conj, Node::Unary(Op1::Conj, inner)) => return inner,
            (Op1::Conj, Node::Imaginary) => return self.neg(a),
            (Op1::Conj | Op1::Re, _) if !self.is_complex(a) => return a,
            (Op1::Im, _) if !self.is_complex(a) => return self.real(0.0),
            (Op1::Abs, Node::Unary(Op1::Abs | Op1::Neg, inner)) => return self.unary(Op1::Abs, inner),
            _ => {}
        }
        self.intern(Node::Unary(op, a))
    }

    pub fn binary(&mut self, op: Op2, a: Id, b: Id) -> Id {
        let (left, right) = (self.real_value(a), self.real_value(b));
        if let (Some(left), Some(right)) = (left, right)
            && !op.gives_truth()
        {
            let folded = op.eval(left, right);
            if folded.is_finite() {
                return self.real(folded);
            }
        }
        match op {
            Op2::Add => {
                if left == Some(0.0) {
                    return b;
                }
                if right == Some(0.0) {
                    return a;
                }
                if let Node::Unary(Op1::Neg, inner) = self.node(b) {
                    return self.sub(a, inner);
                }
                if let Node::Unary(Op1::Neg, inner) = self.node(a) {
                    return self.sub(b, inner);
                }
            }
            Op2::Sub => {
                if right == Some(0.0) {
                    return a;
                }
                if left == Some(0.0) {
                    return self.neg(b);
                }
                if a == b {
                    return self.real(0.0);
                }
                if let Node::Unary(Op1::Neg, inner) = self.node(b) {
                    return self.add(a, inner);
                }
            }
            Op2::Mul => {
                if left == Some(0.0) || right == Some(0.0) {
                    return self.real(0.0);
                }
                if left == Some(1.0) {
                    return b;
                }
                if right == Some(1.0) {
                    return a;
                }
                if left == Some(-1.0) {
                    return self.neg(b);
                }
                if right == Some(-1.0) {
                    return self.neg(a);
                }
                if a == b && self.node(a) == Node::Imaginary {
                    return self.real(-1.0);
                }
                if let Some(scale) = right
                    && left.is_none()
                {
                    let constant = self.real(scale);
                    return self.mul(constant, a);
                }
                // c*(d*x) = (c*d)*x for constants.
                if let (Some(outer), Node::Binary(Op2::Mul, inner, rest)) = (left, self.node(b))
                    && let Some(inner) = self.real_value(inner)
                    && (outer * inner).is_finite()
                {
                    let constant = self.real(outer * inner);
                    return self.mul(constant, rest);
                }
                if let Node::Unary(Op1::Neg, inner) = self.node(b) {
                    let product = self.mul(a, inner);
                    return self.neg(product);
                }
                if let Node::Unary(Op1::Neg, inner) = self.node(a) {
                    let product = self.mul(inner, b);
                    return self.neg(product);
                }
            }
            Op2::Div => {
                if right == Some(1.0) {
                    return a;
                }
                if right == Some(-1.0) {
                    return self.neg(a);
                }
                if left == Some(0.0) && right != Some(0.0) && right.is_some() {
                    return self.real(0.0);
                }
            }
            Op2::Pow => {
                if right == Some(1.0) {
                    return a;
                }
                if right == Some(0.0) {
                    return self.real(1.0);
                }
                if left == Some(1.0) {
                    return self.real(1.0);
                }
                if let (Some(n), Node::Imaginary) = (right, self.node(a))
                    && n == n.trunc()
                {
                    let one = self.real(1.0);
                    let turned = if n.rem_euclid(2.0) == 1.0 { a } else { one };
                    return if n.rem_euclid(4.0) >= 2.0 { self.neg(turned) } else { turned };
                }
            }
            Op2::Min | Op2::Max if a == b => return a,
            _ => {}
        }
        // Constants stand first in a product; otherwise the older node does.
        let swap = op.is_commutative() && right.is_some() == left.is_some() && b < a;
        if swap { self.intern(Node::Binary(op, b, a)) } else { self.intern(Node::Binary(op, a, b)) }
    }

    pub fn select(&mut self, condition: Id, yes: Id, no: Id) -> Id {
        if yes == no { yes } else { self.intern(Node::Select(condition, yes, no)) }
    }

    /// The derivative as an operator on `a`; a derivative of a derivative becomes one. Values that do not vary in
    /// space vanish.
    pub fn derivative(&mut self, orders: Orders, a: Id) -> Id {
        if orders == [0; 3] {
            return a;
        }
        match self.node(a) {
            Node::Real(_)
            | Node::Imaginary
            | Node::Leaf(Leaf::Parameter(_) | Leaf::Time | Leaf::Integral(_) | Leaf::InverseSpacing(_)) => {
                self.real(0.0)
            }
            Node::Derivative(inner, value) => {
                let total = [0, 1, 2].map(|axis| orders[axis].saturating_add(inner[axis]));
                self.derivative(total, value)
            }
            _ => self.intern(Node::Derivative(orders, a)),
        }
    }

    /// Re-makes a node from new operands, through the folding constructors.
    pub fn rebuild(&mut self, node: Node, mut operand: impl FnMut(Id) -> Id) -> Id {
        match node {
            Node::Real(_) | Node::Imaginary | Node::Leaf(_) => self.intern(node),
            Node::Unary(op, a) => {
                let a = operand(a);
                self.unary(op, a)
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (operand(a), operand(b));
                self.binary(op, a, b)
            }
            Node::Select(a, b, c) => {
                let (a, b, c) = (operand(a), operand(b), operand(c));
                self.select(a, b, c)
            }
            Node::Derivative(orders, a) => {
                let a = operand(a);
                self.derivative(orders, a)
            }
            Node::Upwind(axis, a, b) => {
                let (a, b) = (operand(a), operand(b));
                self.intern(Node::Upwind(axis, a, b))
            }
        }
    }
}
