//! The right-hand side of an equation as linear part + derivatives of fluxes + pointwise rest + noise.
//!
//! The linear part has coefficients made of parameters only, so its symbol is a polynomial in i k; what has a
//! varying coefficient, or more than one field in a product, is left to the rest. Terms are only split where the
//! text has them: sin(u) keeps its linear part.

use crate::{
    ir::{Graph, Id, Leaf, Node, Op1, Op2, Orders, rewrite::RewriteError},
    poly::{Atom, Polynomial, Polynomials, field_leaf},
};

/// coefficient · ∂^orders variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearTerm {
    pub variable: u16,
    pub orders: Orders,
    /// A node made of constants and parameters, possibly complex.
    pub coefficient: Id,
}

/// ∂^orders value: a nonlinear flux under a derivative that the text has outermost, so that a scheme can keep
/// its conservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flux {
    pub orders: Orders,
    pub value: Id,
}

/// amplitude · ∂^orders ξ, white noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseTerm {
    pub channel: u16,
    pub orders: Orders,
    pub amplitude: Id,
    /// Whether the amplitude contains fields (multiplicative noise, read in the sense of Itô).
    pub is_multiplicative: bool,
}

/// A right-hand side, split. All values have their derivatives expanded down to the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub linear: Vec<LinearTerm>,
    pub fluxes: Vec<Flux>,
    /// Everything else; `None` where nothing is left.
    pub rest: Option<Id>,
    pub noise: Vec<NoiseTerm>,
    /// Highest degree of fluxes and rest in the fields (0 without fields); `None` where they are no polynomial.
    /// With degree p, zeroing the upper 1 - 2/(p+1) of the wavenumbers removes aliasing.
    pub degree: Option<u32>,
}

/// Noise that does not enter as amplitude times noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error("noise must enter as a factor, such as 0.1*u*noise(), not inside a function or squared")]
    Noise,
}

/// Splits a right-hand side as typed (derivatives not expanded).
pub fn split(graph: &mut Graph, rate: Id) -> Result<Split, SplitError> {
    let (rate, noise) = split_noise(graph, rate)?;
    let mut result = Split { noise, degree: Some(0), ..Split::default() };
    let mut rest = Vec::new();
    for (sign, term) in addends(graph, rate) {
        split_addend(graph, sign, term, &mut result, &mut rest)?;
    }
    combine_linear(graph, &mut result.linear);
    if !rest.is_empty() {
        let sum = graph.sum(rest);
        if graph.real_value(sum) != Some(0.0) {
            result.rest = Some(sum);
        }
    }
    Ok(result)
}

/// The terms of nested sums, differences and negations, with their signs.
fn addends(graph: &Graph, root: Id) -> Vec<(f64, Id)> {
    let mut terms = Vec::new();
    let mut stack = vec![(1.0, root)];
    while let Some((sign, id)) = stack.pop() {
        match graph.node(id) {
            Node::Binary(Op2::Add, a, b) => stack.extend([(sign, b), (sign, a)]),
            Node::Binary(Op2::Sub, a, b) => stack.extend([(-sign, b), (sign, a)]),
            Node::Unary(Op1::Neg, a) => stack.push((-sign, a)),
            _ => terms.push((sign, id)),
        }
        // Shared sums could unfold without end; beyond this size the whole counts as one term.
        if terms.len() + stack.len() > 2_000 {
            return vec![(1.0, root)];
        }
    }
    terms
}

fn split_addend(
    graph: &mut Graph,
    sign: f64,
    term: Id,
    result: &mut Split,
    rest: &mut Vec<Id>,
) -> Result<(), RewriteError> {
    // constant · ∂(inner): the derivative stays outside.
    let (factor, core) = constant_factor(graph, term);
    let (orders, inner) = match graph.node(core) {
        Node::Derivative(orders, inner) => (orders, inner),
        _ => ([0; 3], core),
    };
    let signed = graph.real(sign);
    let factor = graph.mul(signed, factor);
    let inner = graph.expand_derivatives(&[inner])?[0];
    let mut forms = Polynomials::new(graph);
    let form = forms.polynomial(inner);
    let (linear, nonlinear): (Polynomial, Polynomial) = form
        .iter()
        .map(|(monomial, coefficient)| (monomial.clone(), *coefficient))
        .partition(|(monomial, _)| is_linear(forms.graph, monomial));
    let degree = degree(&mut forms, &nonlinear);
    let remainder = if linear.is_empty() { inner } else { forms.rebuild(&nonlinear) };
    for (monomial, coefficient) in &linear {
        if let Some((variable, inner_orders)) = monomial.first().and_then(|(atom, _)| field_leaf(graph, *atom)) {
            let coefficient = graph.mul(factor, *coefficient);
            let orders = [0, 1, 2].map(|axis| orders[axis].saturating_add(inner_orders[axis]));
            result.linear.push(LinearTerm { variable, orders, coefficient });
        }
    }
    if nonlinear.is_empty() {
        return Ok(());
    }
    result.degree = match (result.degree, degree) {
        (Some(before), Some(degree)) => Some(before.max(degree)),
        _ => None,
    };
    let value = graph.mul(factor, remainder);
    if orders == [0; 3] {
        rest.push(value);
    } else {
        result.fluxes.push(Flux { orders, value });
    }
    Ok(())
}

/// term = factor · core with a factor free of everything but parameters.
fn constant_factor(graph: &mut Graph, term: Id) -> (Id, Id) {
    let mut factor = graph.real(1.0);
    let mut core = term;
    loop {
        let step = match graph.node(core) {
            Node::Binary(Op2::Mul, a, b) => {
                let mut forms = Polynomials::new(graph);
                if forms.is_constant(a) {
                    Some((graph.mul(factor, a), b))
                } else if forms.is_constant(b) {
                    Some((graph.mul(factor, b), a))
                } else {
                    None
                }
            }
            Node::Binary(Op2::Div, a, b) => {
                let constant = Polynomials::new(graph).is_constant(b);
                constant.then(|| (graph.div(factor, b), a))
            }
            Node::Unary(Op1::Neg, a) => Some((graph.neg(factor), a)),
            _ => None,
        };
        match step {
            Some((next_factor, next_core)) => (factor, core) = (next_factor, next_core),
            None => return (factor, core),
        }
    }
}

fn is_linear(graph: &Graph, monomial: &[(Id, u32)]) -> bool {
    matches!(monomial, [(atom, 1)] if field_leaf(graph, *atom).is_some())
}

fn degree(forms: &mut Polynomials<'_>, form: &Polynomial) -> Option<u32> {
    let mut highest = 0;
    for monomial in form.keys() {
        let mut total = 0;
        for (atom, power) in monomial {
            match forms.atom(*atom) {
                Atom::Field => total += power,
                Atom::Given => {}
                Atom::Opaque => return None,
            }
        }
        highest = highest.max(total);
    }
    Some(highest)
}

fn combine_linear(graph: &mut Graph, terms: &mut Vec<LinearTerm>) {
    let mut combined: Vec<LinearTerm> = Vec::new();
    for term in terms.drain(..) {
        match combined.iter_mut().find(|other| (other.variable, other.orders) == (term.variable, term.orders)) {
            Some(other) => other.coefficient = graph.add(other.coefficient, term.coefficient),
            None => {
                let place = |other: &LinearTerm| (other.variable, other.orders) < (term.variable, term.orders);
                combined.insert(combined.partition_point(place), term);
            }
        }
    }
    combined.retain(|term| graph.real_value(term.coefficient) != Some(0.0));
    *terms = combined;
}

/// Takes the noise out: the rate without it, and amplitude by channel and derivative.
fn split_noise(graph: &mut Graph, rate: Id) -> Result<(Id, Vec<NoiseTerm>), SplitError> {
    if !graph.leaves(&[rate]).iter().any(|leaf| matches!(leaf, Leaf::Noise(_))) {
        return Ok((rate, Vec::new()));
    }
    let expanded = graph.expand_derivatives(&[rate])?[0];
    let needed = graph.reachable(&[expanded]);
    let sources: Vec<(Id, u16, Orders)> = graph
        .nodes()
        .filter(|(id, _)| needed[id.index()])
        .filter_map(|(id, node)| match node {
            Node::Leaf(Leaf::Noise(channel)) => Some((id, channel, [0; 3])),
            Node::Derivative(orders, inner) => match graph.node(inner) {
                Node::Leaf(Leaf::Noise(channel)) => Some((id, channel, orders)),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let is_noisy = |graph: &Graph, id: Id| graph.leaves(&[id]).iter().any(|leaf| matches!(leaf, Leaf::Noise(_)));
    let mut terms = Vec::new();
    for (id, channel, orders) in sources {
        let amplitude = graph.differentiate(expanded, id).map_err(|error| match error {
            RewriteError::NotHolomorphic => SplitError::Noise,
            RewriteError::TooLarge => SplitError::Rewrite(error),
        })?;
        if graph.real_value(amplitude) == Some(0.0) {
            continue;
        }
        if is_noisy(graph, amplitude) {
            return Err(SplitError::Noise);
        }
        let is_multiplicative = Polynomials::new(graph).has_fields(amplitude);
        terms.push(NoiseTerm { channel, orders, amplitude, is_multiplicative });
    }
    // The drift keeps the form typed: noise is set to zero in the unexpanded rate.
    let zero = graph.real(0.0);
    let drift = graph.map(&[rate], |_, _, node| matches!(node, Node::Leaf(Leaf::Noise(_))).then_some(zero))?[0];
    Ok((drift, terms))
}
