//! Polynomial normal form of an expanded expression in the fields: the base of the linear/nonlinear split.

use std::collections::BTreeMap;

use crate::ir::{Graph, Id, Leaf, Node, Op1, Op2, Orders};

/// Most terms kept; an expression with more counts as not polynomial.
const MAX_TERMS: usize = 400;
/// Highest power multiplied out.
const MAX_POWER: f64 = 12.0;

/// A product of atoms: (node, power), by node.
pub(crate) type Monomial = Vec<(Id, u32)>;

/// Terms with their coefficients, which are nodes free of fields, coordinates and time.
pub(crate) type Polynomial = BTreeMap<Monomial, Id>;

/// How an atom counts towards the degree in the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Atom {
    /// A field, a derivative of one, or a conjugate of either.
    Field,
    /// Free of fields.
    Given,
    /// A function of fields that is not a polynomial.
    Opaque,
}

pub(crate) struct Polynomials<'a> {
    pub graph: &'a mut Graph,
    memo: Vec<Option<Polynomial>>,
    is_constant: Vec<bool>,
    has_fields: Vec<bool>,
}

/// A polynomial of one term.
fn of_one(monomial: Monomial, coefficient: Id) -> Polynomial {
    let mut polynomial = Polynomial::new();
    polynomial.insert(monomial, coefficient);
    polynomial
}

impl<'a> Polynomials<'a> {
    pub fn new(graph: &'a mut Graph) -> Self {
        Self { graph, memo: Vec::new(), is_constant: Vec::new(), has_fields: Vec::new() }
    }

    fn refresh(&mut self) {
        for index in self.is_constant.len()..self.graph.len() {
            let node = self.graph.node(Id(index as u32));
            let mut constant = !matches!(node, Node::Leaf(leaf) if !matches!(leaf, Leaf::Parameter(_)))
                && !matches!(node, Node::Derivative(..));
            let mut fields = matches!(node, Node::Leaf(Leaf::Variable(_)));
            for operand in Graph::operands(node) {
                constant &= self.is_constant[operand.index()];
                fields |= self.has_fields[operand.index()];
            }
            self.is_constant.push(constant);
            self.has_fields.push(fields);
        }
        self.memo.resize(self.graph.len(), None);
    }

    /// Whether a node depends on parameters only.
    pub fn is_constant(&mut self, id: Id) -> bool {
        self.refresh();
        self.is_constant[id.index()]
    }

    pub fn has_fields(&mut self, id: Id) -> bool {
        self.refresh();
        self.has_fields[id.index()]
    }

    pub fn atom(&mut self, id: Id) -> Atom {
        self.refresh();
        if !self.has_fields[id.index()] {
            return Atom::Given;
        }
        if field_leaf(self.graph, id).is_some() {
            return Atom::Field;
        }
        match self.graph.node(id) {
            Node::Unary(Op1::Conj | Op1::Re | Op1::Im, inner) if field_leaf(self.graph, inner).is_some() => Atom::Field,
            _ => Atom::Opaque,
        }
    }

    /// The normal form of an expression whose derivatives are expanded.
    pub fn polynomial(&mut self, root: Id) -> Polynomial {
        self.refresh();
        let needed = self.graph.reachable(&[root]);
        for index in 0..needed.len() {
            if needed[index] && self.memo.get(index).is_some_and(Option::is_none) {
                let id = Id(index as u32);
                let value = self.work_out(id);
                self.refresh();
                self.memo[index] = Some(value);
            }
        }
        self.memo[root.index()].clone().unwrap_or_default()
    }

    fn single(&mut self, id: Id) -> Polynomial {
        let one = self.graph.real(1.0);
        of_one(vec![(id, 1)], one)
    }

    fn known(&self, id: Id) -> Polynomial {
        self.memo[id.index()].clone().unwrap_or_default()
    }

    fn work_out(&mut self, id: Id) -> Polynomial {
        if self.is_constant[id.index()] {
            return of_one(Vec::new(), id);
        }
        match self.graph.node(id) {
            Node::Unary(Op1::Neg, a) => {
                let minus_one = self.graph.real(-1.0);
                let a = self.known(a);
                self.scaled(a, minus_one)
            }
            Node::Unary(Op1::Conj, a) if self.has_fields[a.index()] => self.conjugated(id, a),
            Node::Binary(Op2::Add, a, b) => {
                let (a, b) = (self.known(a), self.known(b));
                self.added(a, b).unwrap_or_else(|| self.single(id))
            }
            Node::Binary(Op2::Sub, a, b) => {
                let minus_one = self.graph.real(-1.0);
                let (a, b) = (self.known(a), self.known(b));
                let b = self.scaled(b, minus_one);
                self.added(a, b).unwrap_or_else(|| self.single(id))
            }
            Node::Binary(Op2::Mul, a, b) => {
                let (a, b) = (self.known(a), self.known(b));
                self.multiplied(&a, &b).unwrap_or_else(|| self.single(id))
            }
            Node::Binary(Op2::Div, a, b) if self.is_constant[b.index()] => {
                let one = self.graph.real(1.0);
                let inverse = self.graph.div(one, b);
                let a = self.known(a);
                self.scaled(a, inverse)
            }
            // A divisor free of fields is a given coefficient.
            Node::Binary(Op2::Div, a, b) if !self.has_fields[b.index()] && self.has_fields[a.index()] => {
                let one = self.graph.real(1.0);
                let inverse = self.graph.div(one, b);
                self.refresh();
                let a = self.known(a);
                let b = self.single(inverse);
                self.multiplied(&a, &b).unwrap_or_else(|| self.single(id))
            }
            Node::Binary(Op2::Pow, a, b) => {
                let exponent = self.graph.real_value(b).filter(|n| *n == n.trunc() && *n > 0.0 && *n <= MAX_POWER);
                // |z|^(2m) = (z conj z)^m.
                let (base, exponent) = match (exponent, self.graph.node(a)) {
                    (Some(n), Node::Unary(Op1::Abs, z)) if n % 2.0 == 0.0 && self.graph.is_complex(z) => {
                        let conjugate = self.graph.unary(Op1::Conj, z);
                        self.refresh();
                        let z_form = self.known(z);
                        let conjugate_form = self.conjugated(conjugate, z);
                        (self.multiplied(&z_form, &conjugate_form), Some(n / 2.0))
                    }
                    (Some(n), Node::Unary(Op1::Abs, z)) if n % 2.0 == 0.0 => (Some(self.known(z)), Some(n)),
                    _ => (Some(self.known(a)), exponent),
                };
                match (base, exponent) {
                    (Some(base), Some(n)) => {
                        let mut total = Some(base.clone());
                        for _ in 1..n as u32 {
                            total = total.and_then(|so_far| self.multiplied(&so_far, &base));
                        }
                        total.unwrap_or_else(|| self.single(id))
                    }
                    _ => self.single(id),
                }
            }
            _ => self.single(id),
        }
    }

    /// conj of a polynomial: of its coefficients and atoms.
    fn conjugated(&mut self, id: Id, inner: Id) -> Polynomial {
        let form = self.known(inner);
        let mut result = Polynomial::new();
        for (monomial, coefficient) in form {
            if monomial.iter().any(|(atom, _)| self.has_fields[atom.index()] && field_leaf(self.graph, *atom).is_none())
            {
                return self.single(id);
            }
            let mut conjugated: Monomial =
                monomial.iter().map(|(atom, power)| (self.graph.unary(Op1::Conj, *atom), *power)).collect();
            conjugated.sort_unstable();
            let coefficient = self.graph.unary(Op1::Conj, coefficient);
            result.insert(conjugated, coefficient);
        }
        self.refresh();
        result
    }

    fn scaled(&mut self, mut form: Polynomial, factor: Id) -> Polynomial {
        for coefficient in form.values_mut() {
            *coefficient = self.graph.mul(factor, *coefficient);
        }
        form
    }

    fn added(&mut self, mut a: Polynomial, b: Polynomial) -> Option<Polynomial> {
        for (monomial, coefficient) in b {
            let sum = match a.get(&monomial) {
                Some(before) => self.graph.add(*before, coefficient),
                None => coefficient,
            };
            if self.graph.real_value(sum) == Some(0.0) {
                a.remove(&monomial);
            } else {
                a.insert(monomial, sum);
            }
        }
        (a.len() <= MAX_TERMS).then_some(a)
    }

    fn multiplied(&mut self, a: &Polynomial, b: &Polynomial) -> Option<Polynomial> {
        if a.len() * b.len() > 4 * MAX_TERMS {
            return None;
        }
        let mut total = Polynomial::new();
        for (left, left_coefficient) in a {
            for (right, right_coefficient) in b {
                let mut powers: BTreeMap<Id, u32> = BTreeMap::new();
                for (atom, power) in left.iter().chain(right) {
                    *powers.entry(*atom).or_default() += power;
                }
                let monomial: Monomial = powers.into_iter().collect();
                let coefficient = self.graph.mul(*left_coefficient, *right_coefficient);
                total = self.added(total, of_one(monomial, coefficient))?;
            }
        }
        Some(total)
    }

    /// The expression of a normal form.
    pub fn rebuild(&mut self, form: &Polynomial) -> Id {
        let mut terms = Vec::new();
        for (monomial, coefficient) in form {
            let mut term = *coefficient;
            for (atom, power) in monomial {
                let factor = self.graph.powi(*atom, *power as i32);
                term = self.graph.mul(term, factor);
            }
            terms.push(term);
        }
        self.graph.sum(terms)
    }
}

/// The variable and derivative orders, where the node is a field or a derivative of one.
pub(crate) fn field_leaf(graph: &Graph, id: Id) -> Option<(u16, Orders)> {
    match graph.node(id) {
        Node::Leaf(Leaf::Variable(variable)) => Some((variable, [0; 3])),
        Node::Derivative(orders, inner) => match graph.node(inner) {
            Node::Leaf(Leaf::Variable(variable)) => Some((variable, orders)),
            _ => None,
        },
        _ => None,
    }
}
