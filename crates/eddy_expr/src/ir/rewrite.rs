//! Derivatives, substitution and copying between graphs. All iterative and memoised.

use std::collections::HashMap;

use super::{Graph, Id, Leaf, Node, Op1, Op2, Orders};

/// Why a pass over a graph stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    #[error("the expression grows beyond {} operations; split it into algebraic fields (w = …)", super::MAX_NODES)]
    TooLarge,
    #[error(
        "conj, re, im, abs and arg of a complex value have no complex derivative; use the real and imaginary parts"
    )]
    NotHolomorphic,
}

impl Graph {
    /// Replaces nodes by others, bottom-up: `replace(graph, node with new operands, its id)` gives the new id, or
    /// `None` to keep it.
    pub fn map(
        &mut self,
        roots: &[Id],
        mut replace: impl FnMut(&mut Self, Id, Node) -> Option<Id>,
    ) -> Result<Vec<Id>, RewriteError> {
        let needed = self.reachable(roots);
        let mut image: Vec<Id> = (0..needed.len() as u32).map(Id).collect();
        for index in 0..needed.len() {
            if !needed[index] {
                continue;
            }
            if self.is_too_large() {
                return Err(RewriteError::TooLarge);
            }
            let old = Id(index as u32);
            let node = self.node(old);
            image[index] = match replace(self, old, node) {
                Some(id) => id,
                None => self.rebuild(node, |operand| image[operand.index()]),
            };
        }
        Ok(roots.iter().map(|root| image[root.index()]).collect())
    }

    /// Copies the roots into another graph, with leaves replaced.
    pub fn copy_into(&self, target: &mut Self, roots: &[Id], mut leaf: impl FnMut(&mut Self, Leaf) -> Id) -> Vec<Id> {
        let needed = self.reachable(roots);
        let mut image = vec![Id(0); needed.len()];
        for (id, node) in self.nodes() {
            if needed[id.index()] {
                image[id.index()] = match node {
                    Node::Leaf(inner) => leaf(target, inner),
                    _ => target.rebuild(node, |operand| image[operand.index()]),
                };
            }
        }
        roots.iter().map(|root| image[root.index()]).collect()
    }

    /// ∂root/∂target, where `target` is a node treated as an independent variable (a leaf, or the derivative of a
    /// field, which is independent of the field itself).
    pub fn differentiate(&mut self, root: Id, target: Id) -> Result<Id, RewriteError> {
        let needed = self.reachable(&[root]);
        let zero = self.real(0.0);
        let mut slopes = vec![zero; needed.len()];
        for index in 0..needed.len() {
            if !needed[index] {
                continue;
            }
            if self.is_too_large() {
                return Err(RewriteError::TooLarge);
            }
            let id = Id(index as u32);
            slopes[index] = if id == target {
                self.real(1.0)
            } else {
                match self.node(id) {
                    Node::Derivative(..) => zero,
                    node => {
                        if let Node::Unary(Op1::Conj | Op1::Re | Op1::Im | Op1::Abs | Op1::Arg, a) = node
                            && self.is_complex(a)
                            && slopes[a.index()] != zero
                        {
                            return Err(RewriteError::NotHolomorphic);
                        }
                        self.chain_rule(id, |operand| slopes[operand.index()])
                    }
                }
            };
        }
        Ok(slopes[root.index()])
    }

    /// Pushes every spatial derivative down to the fields by the sum, product and chain rules, so that only
    /// derivatives of variables (and of noise) are left.
    pub fn expand_derivatives(&mut self, roots: &[Id]) -> Result<Vec<Id>, RewriteError> {
        let mut memo = [HashMap::new(), HashMap::new(), HashMap::new()];
        let needed = self.reachable(roots);
        let mut image: Vec<Id> = (0..needed.len() as u32).map(Id).collect();
        for index in 0..needed.len() {
            if !needed[index] {
                continue;
            }
            if self.is_too_large() {
                return Err(RewriteError::TooLarge);
            }
            let node = self.node(Id(index as u32));
            image[index] = match node {
                Node::Derivative(orders, inner) => self.expand_one(orders, image[inner.index()], &mut memo)?,
                _ => self.rebuild(node, |operand| image[operand.index()]),
            };
        }
        Ok(roots.iter().map(|root| image[root.index()]).collect())
    }

    fn expand_one(&mut self, orders: Orders, value: Id, memo: &mut [HashMap<Id, Id>; 3]) -> Result<Id, RewriteError> {
        let mut value = value;
        for axis in 0..3 {
            for _ in 0..orders[axis] {
                value = self.along_axis(axis as u8, value, &mut memo[axis])?;
            }
        }
        Ok(value)
    }

    fn along_axis(&mut self, axis: u8, root: Id, memo: &mut HashMap<Id, Id>) -> Result<Id, RewriteError> {
        let needed = self.reachable(&[root]);
        for index in 0..needed.len() {
            let id = Id(index as u32);
            if !needed[index] || memo.contains_key(&id) {
                continue;
            }
            if self.is_too_large() {
                return Err(RewriteError::TooLarge);
            }
            let mut single = [0; 3];
            single[usize::from(axis)] = 1;
            let slope = match self.node(id) {
                Node::Leaf(Leaf::Coordinate(other)) => self.real(f64::from(u8::from(other == axis))),
                Node::Leaf(_) | Node::Derivative(..) => self.derivative(single, id),
                Node::Upwind(other, velocity, value) => {
                    // The product rule needs the centred meaning of the term.
                    let mut along = [0; 3];
                    along[usize::from(other)] = 1;
                    let inner = match memo_or(memo, value, axis, other) {
                        Some(known) => known,
                        None => self.expand_one(along, value, &mut [HashMap::new(), HashMap::new(), HashMap::new()])?,
                    };
                    let product = self.mul(velocity, inner);
                    self.along_axis(axis, product, &mut HashMap::new())?
                }
                _ => self.chain_rule(id, |operand| memo[&operand]),
            };
            memo.insert(id, slope);
        }
        Ok(memo[&root])
    }

    /// Derivative of one node from those of its operands, along a real direction.
    fn chain_rule(&mut self, id: Id, slope: impl Fn(Id) -> Id) -> Id {
        let zero = self.real(0.0);
        match self.node(id) {
            Node::Real(_) | Node::Imaginary | Node::Leaf(_) | Node::Derivative(..) => zero,
            Node::Unary(op, a) => {
                let inner = slope(a);
                if inner == zero { zero } else { self.unary_slope(op, id, a, inner) }
            }
            Node::Binary(op, a, b) => {
                let (left, right) = (slope(a), slope(b));
                if left == zero && right == zero { zero } else { self.binary_slope(op, id, a, b, left, right) }
            }
            Node::Select(condition, a, b) => {
                let (yes, no) = (slope(a), slope(b));
                self.select(condition, yes, no)
            }
            Node::Upwind(axis, velocity, value) => {
                let (outer, inner) = (slope(velocity), slope(value));
                let mut orders = [0; 3];
                orders[usize::from(axis)] = 1;
                let gradient = self.derivative(orders, value);
                let first = self.mul(outer, gradient);
                let moved = self.derivative(orders, inner);
                let second = self.mul(velocity, moved);
                self.add(first, second)
            }
        }
    }

    fn unary_slope(&mut self, op: Op1, id: Id, a: Id, inner: Id) -> Id {
        let one = self.real(1.0);
        let factor = match op {
            Op1::Neg => return self.neg(inner),
            Op1::Conj | Op1::Re | Op1::Im => return self.unary(op, inner),
            Op1::Abs if self.is_complex(a) => {
                // |z|' = Re(conj(z) z') / |z|.
                let conjugate = self.unary(Op1::Conj, a);
                let product = self.mul(conjugate, inner);
                let real = self.unary(Op1::Re, product);
                return self.div(real, id);
            }
            Op1::Arg if self.is_complex(a) => {
                // arg(z)' = Im(z'/z).
                let ratio = self.div(inner, a);
                return self.unary(Op1::Im, ratio);
            }
            Op1::Abs => self.unary(Op1::Sign, a),
            Op1::Sign | Op1::Floor | Op1::Ceil | Op1::Round | Op1::Not | Op1::Arg => return self.real(0.0),
            Op1::Sqrt => {
                let half = self.real(0.5);
                self.div(half, id)
            }
            Op1::Exp => id,
            Op1::Log => self.div(one, a),
            Op1::Sin => self.unary(Op1::Cos, a),
            Op1::Cos => {
                let sine = self.unary(Op1::Sin, a);
                self.neg(sine)
            }
            Op1::Tan => {
                let square = self.powi(id, 2);
                self.add(one, square)
            }
            Op1::Asin | Op1::Acos => {
                let square = self.powi(a, 2);
                let rest = self.sub(one, square);
                let root = self.unary(Op1::Sqrt, rest);
                let slope = self.div(one, root);
                if op == Op1::Asin { slope } else { self.neg(slope) }
            }
            Op1::Atan => {
                let square = self.powi(a, 2);
                let rest = self.add(one, square);
                self.div(one, rest)
            }
            Op1::Sinh => self.unary(Op1::Cosh, a),
            Op1::Cosh => self.unary(Op1::Sinh, a),
            Op1::Tanh => {
                let square = self.powi(id, 2);
                self.sub(one, square)
            }
            Op1::Asinh => {
                let square = self.powi(a, 2);
                let rest = self.add(square, one);
                let root = self.unary(Op1::Sqrt, rest);
                self.div(one, root)
            }
            Op1::Acosh => {
                // The product of roots keeps the branch for complex values: sqrt(z-1) sqrt(z+1).
                let less = self.sub(a, one);
                let more = self.add(a, one);
                let (less, more) = (self.unary(Op1::Sqrt, less), self.unary(Op1::Sqrt, more));
                let root = self.mul(less, more);
                self.div(one, root)
            }
            Op1::Atanh => {
                let square = self.powi(a, 2);
                let rest = self.sub(one, square);
                self.div(one, rest)
            }
            Op1::Erf | Op1::Erfc => {
                let square = self.powi(a, 2);
                let negative = self.neg(square);
                let bell = self.unary(Op1::Exp, negative);
                let scale = std::f64::consts::FRAC_2_SQRT_PI;
                self.scaled(if op == Op1::Erf { scale } else { -scale }, bell)
            }
            Op1::Gamma => {
                let psi = self.unary(Op1::Digamma, a);
                self.mul(id, psi)
            }
            Op1::LogGamma => self.unary(Op1::Digamma, a),
            // The trigamma function is not in the language: ψ'(x) by a central difference of step 1e-4, error 1e-8.
            Op1::Digamma => {
                let step = 1e-4;
                let (up, down) = (self.real(step), self.real(-step));
                let (above, below) = (self.add(a, up), self.add(a, down));
                let (above, below) = (self.unary(Op1::Digamma, above), self.unary(Op1::Digamma, below));
                let difference = self.sub(above, below);
                self.scaled(0.5 / step, difference)
            }
        };
        self.mul(factor, inner)
    }

    fn binary_slope(&mut self, op: Op2, id: Id, a: Id, b: Id, left: Id, right: Id) -> Id {
        let zero = self.real(0.0);
        match op {
            Op2::Add => self.add(left, right),
            Op2::Sub => self.sub(left, right),
            Op2::Mul => {
                let first = self.mul(left, b);
                let second = self.mul(a, right);
                self.add(first, second)
            }
            Op2::Div => {
                // (a' - (a/b) b') / b needs no square.
                let carried = self.mul(id, right);
                let top = self.sub(left, carried);
                self.div(top, b)
            }
            Op2::Pow => {
                let mut total = zero;
                if left != zero {
                    let one = self.real(1.0);
                    let lower = self.sub(b, one);
                    let power = self.pow(a, lower);
                    let factor = self.mul(b, power);
                    total = self.mul(factor, left);
                }
                if right != zero {
                    let log = self.unary(Op1::Log, a);
                    let factor = self.mul(id, log);
                    let second = self.mul(factor, right);
                    total = self.add(total, second);
                }
                total
            }
            Op2::Min => {
                let condition = self.binary(Op2::Less, b, a);
                self.select(condition, right, left)
            }
            Op2::Max => {
                let condition = self.binary(Op2::Less, a, b);
                self.select(condition, right, left)
            }
            Op2::Atan2 => {
                let (first, second) = (self.mul(b, left), self.mul(a, right));
                let top = self.sub(first, second);
                let (first, second) = (self.powi(a, 2), self.powi(b, 2));
                let bottom = self.add(first, second);
                self.div(top, bottom)
            }
            Op2::Mod => {
                let ratio = self.div(a, b);
                let whole = self.unary(Op1::Floor, ratio);
                let carried = self.mul(whole, right);
                self.sub(left, carried)
            }
            Op2::Less | Op2::LessEqual | Op2::Equal | Op2::And | Op2::Or => zero,
            Op2::BesselJ | Op2::BesselY | Op2::BesselI | Op2::BesselK => {
                let order = self.real_value(a).unwrap_or(0.0);
                // DLMF 10.6.1, 10.6.2, 10.29.1-4.
                let above = self.real(order + 1.0);
                let above = self.binary(op, above, b);
                let factor = if order == 0.0 {
                    if op == Op2::BesselI { above } else { self.neg(above) }
                } else {
                    let below = self.real(order - 1.0);
                    let below = self.binary(op, below, b);
                    let both = if matches!(op, Op2::BesselJ | Op2::BesselY) {
                        self.sub(below, above)
                    } else {
                        self.add(below, above)
                    };
                    self.scaled(if op == Op2::BesselK { -0.5 } else { 0.5 }, both)
                };
                self.mul(factor, right)
            }
        }
    }
}

/// The slope already known, when both derivatives run along the same axis.
fn memo_or(memo: &HashMap<Id, Id>, value: Id, axis: u8, other: u8) -> Option<Id> {
    if axis == other { memo.get(&value).copied() } else { None }
}
