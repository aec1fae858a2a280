//! Kernels on grids: values of a system's equations at every point, from arrays of its fields.
//!
//! A pointwise kernel reads the derivatives of the fields as arrays of their own (for pseudo-spectral schemes, which
//! make them by transforms); a stencil kernel reads neighbours and works the derivatives out by central differences.

mod flux;
mod pieces;
mod residual;

pub use pieces::Piece;
pub use residual::{Conditions, Read, ResidualError, Residuals};

use std::collections::HashMap;

use flux::Flux;

use crate::{
    complex,
    diagnostic::Diagnostic,
    ir::{Graph, Id, Leaf, Node, Op2, Orders, rewrite::RewriteError},
    program::{Program, ProgramError},
    simplify,
    system::System,
};

/// Real or imaginary part of a complex field; a real field has only the former.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Real,
    Imaginary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Variable { index: u16, part: Part },
    Noise(u16),
}

/// What an array slot of a kernel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    pub source: Source,
    /// Derivative of the source; zero in stencil kernels.
    pub orders: Orders,
}

/// One output array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Index of the root it belongs to.
    pub root: usize,
    pub part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discretization {
    /// Derivatives come as arrays.
    Pointwise,
    /// Central differences of order 2, 4, 6 or 8. `upwind(…)` differences against the flow: with 2 points (first
    /// order) for order 2, with 4 points (third order) above. With order 2, outermost derivatives of fluxes that read no
    /// coordinates, or jump with them, conserve: see [`flux`].
    Stencil(u8),
}

/// A program with the meaning of its slots and outputs.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub program: Program,
    pub slots: Vec<Slot>,
    pub outputs: Vec<Output>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("a stencil has order 2, 4, 6 or 8, not {0}")]
    Order(u8),
    #[error("the stencil reaches more than 100 points; use a lower order or an algebraic field")]
    Reach,
}

impl System {
    /// The rates of all stepped variables, in the order of [`System::stepped`]; complex ones have two outputs.
    /// Algebraic fields are put in; elliptic fields and integrals are read. Noise reads as an array.
    pub fn rates_kernel(&mut self, discretization: Discretization) -> Result<Kernel, KernelError> {
        let stepped: Vec<u16> = self.stepped().collect();
        let roots: Vec<(Id, bool)> = stepped
            .iter()
            .filter_map(|variable| {
                self.rate(*variable).map(|rate| (rate, self.variables[usize::from(*variable)].is_complex))
            })
            .collect();
        self.kernel(&roots, discretization)
    }

    /// Values of nodes of the system's graph; the flag asks for an imaginary output too. `root` of an output is the
    /// position in `roots`.
    pub fn kernel(&mut self, roots: &[(Id, bool)], discretization: Discretization) -> Result<Kernel, KernelError> {
        if let Discretization::Stencil(order) = discretization
            && !matches!(order, 2 | 4 | 6 | 8)
        {
            return Err(KernelError::Order(order));
        }
        let ids: Vec<Id> = roots.iter().map(|(id, _)| *id).collect();
        let mut ids = self.inlined(&ids)?;
        if discretization == Discretization::Pointwise {
            ids = centred_upwind(&mut self.graph, &ids)?;
        }
        let mut fluxes: Vec<(usize, Flux)> = Vec::new();
        if discretization == Discretization::Stencil(2) {
            for (root, id) in ids.iter_mut().enumerate() {
                let (rest, found) = flux::split(&mut self.graph, *id);
                *id = rest;
                fluxes.extend(found.into_iter().map(|flux| (root, flux)));
            }
            ids.extend(fluxes.iter().map(|(_, flux)| flux.value));
        }
        let ids = self.graph.expand_derivatives(&ids)?;
        let mut real = Graph::new(0);
        let pairs = complex::split(&self.graph, &mut real, &ids);
        let mut outputs = Vec::new();
        let mut real_roots = Vec::new();
        for (root, (pair, (_, is_complex))) in pairs.iter().zip(roots).enumerate() {
            outputs.push(Output { root, part: Part::Real });
            real_roots.push(pair.0);
            if *is_complex {
                outputs.push(Output { root, part: Part::Imaginary });
                real_roots.push(pair.1);
            }
        }
        let mut lowering =
            Lowering { source: &real, target: Graph::new(0), slots: Vec::new(), discretization, memo: HashMap::new() };
        let mut lowered = lowering.run(&real_roots, [0; 3])?;
        for ((root, flux), pair) in fluxes.iter().zip(&pairs[roots.len()..]) {
            for (place, output) in lowered.iter_mut().zip(&outputs).filter(|(_, output)| output.root == *root) {
                let value = if output.part == Part::Real { pair.0 } else { pair.1 };
                let difference = lowering.flux(*flux, value)?;
                *place = lowering.target.add(*place, difference);
            }
        }
        let Lowering { mut target, slots, .. } = lowering;
        let simplified = simplify::simplify(&mut target, &lowered);
        let arrays: Vec<Leaf> = (0..slots.len() as u16).map(|slot| Leaf::Array { slot, offset: [0; 3] }).collect();
        let program = Program::compile(&target, &simplified, &arrays)?;
        Ok(Kernel { program, slots, outputs })
    }

    /// Whether a rate of change differentiates something that jumps from place to place, such as
    /// `dx(if(x < 1, 1, 10)*dx(u))`: only stencils of order 2 see the jump.
    pub fn has_jumps(&mut self) -> Result<bool, KernelError> {
        let stepped: Vec<u16> = self.stepped().collect();
        let rates: Vec<Id> = stepped.iter().filter_map(|variable| self.rate(*variable)).collect();
        let rates = self.inlined(&rates)?;
        Ok(rates.into_iter().any(|rate| flux::has_jumps(&mut self.graph, rate)))
    }

    /// A diagnostic at the first equation for a kernel that cannot be made.
    pub fn kernel_diagnostic(&self, error: &KernelError) -> Diagnostic {
        use crate::{diagnostic::Code, system::Equation};
        let span = self.equations.first().map_or_else(Default::default, |equation| match equation {
            Equation::Evolution { span, .. } | Equation::Elliptic { span, .. } | Equation::Algebraic { span, .. } => {
                *span
            }
        });
        Diagnostic::new(Code::TooLarge, span, format!("The equations cannot be compiled: {error}."), "Shorten them.")
    }
}

/// upwind(a, u) as a times the derivative of u, for schemes that know no upwind side.
fn centred_upwind(graph: &mut Graph, roots: &[Id]) -> Result<Vec<Id>, RewriteError> {
    let mut image: HashMap<Id, Id> = HashMap::new();
    graph.map(roots, |graph, id, node| {
        let at = |image: &HashMap<Id, Id>, id: Id| image.get(&id).copied().unwrap_or(id);
        let new = match node {
            Node::Upwind(axis, velocity, value) => {
                let mut orders = [0; 3];
                orders[usize::from(axis)] = 1;
                let slope = graph.derivative(orders, at(&image, value));
                graph.mul(at(&image, velocity), slope)
            }
            _ => graph.rebuild(node, |operand| at(&image, operand)),
        };
        image.insert(id, new);
        Some(new)
    })
}

struct Lowering<'a> {
    source: &'a Graph,
    target: Graph,
    slots: Vec<Slot>,
    discretization: Discretization,
    /// Node at an offset in points → node of the target.
    memo: HashMap<(Id, [i8; 3]), Id>,
}

impl Lowering<'_> {
    /// The roots as seen from `offset` points away.
    fn run(&mut self, roots: &[Id], offset: [i8; 3]) -> Result<Vec<Id>, KernelError> {
        // A derivative reads its own array or neighbours; the field below it is not needed for it.
        let mut needed = vec![false; self.source.len()];
        for root in roots {
            needed[root.index()] = true;
        }
        let nodes: Vec<(Id, Node)> = self.source.nodes().collect();
        for (id, node) in nodes.iter().rev() {
            if needed[id.index()] && !matches!(node, Node::Derivative(..)) {
                Graph::operands(*node).for_each(|operand| needed[operand.index()] = true);
            }
        }
        for (id, node) in nodes {
            if !needed[id.index()] || self.memo.contains_key(&(id, offset)) {
                continue;
            }
            if self.target.is_too_large() {
                return Err(RewriteError::TooLarge.into());
            }
            let lowered = self.lower(node, offset)?;
            self.memo.insert((id, offset), lowered);
        }
        Ok(roots.iter().map(|root| self.memo[&(*root, offset)]).collect())
    }

    fn lower(&mut self, node: Node, offset: [i8; 3]) -> Result<Id, KernelError> {
        Ok(match node {
            Node::Leaf(leaf) => match source_of(leaf) {
                Some(source) => self.array(source, [0; 3], offset),
                None => match leaf {
                    Leaf::Coordinate(axis) => self.coordinate(axis, f64::from(offset[usize::from(axis)])),
                    _ => self.target.leaf(leaf),
                },
            },
            Node::Derivative(orders, inner) => {
                let source = match self.source.node(inner) {
                    Node::Leaf(leaf) => source_of(leaf),
                    _ => None,
                };
                let Some(source) = source else { return Err(ProgramError::Derivative.into()) };
                match self.discretization {
                    Discretization::Pointwise => self.array(source, orders, offset),
                    Discretization::Stencil(accuracy) => self.derivative(source, orders, accuracy, offset)?,
                }
            }
            Node::Upwind(axis, velocity, value) => self.upwind(axis, velocity, value, offset)?,
            _ => {
                let memo = &self.memo;
                self.target.rebuild(node, |operand| memo[&(operand, offset)])
            }
        })
    }

    /// A central difference as seen from `offset`.
    fn derivative(&mut self, source: Source, orders: Orders, accuracy: u8, offset: [i8; 3]) -> Result<Id, KernelError> {
        let difference = self.difference(source, orders, accuracy, 0, offset)?;
        let mut scale = self.target.real(1.0);
        for axis in 0..3u8 {
            if orders[usize::from(axis)] > 0 {
                let inverse = self.target.leaf(Leaf::InverseSpacing(axis));
                let power = self.target.powi(inverse, i32::from(orders[usize::from(axis)]));
                scale = self.target.mul(scale, power);
            }
        }
        Ok(self.target.mul(scale, difference))
    }

    /// A coordinate so many points further along its axis.
    fn coordinate(&mut self, axis: u8, points: f64) -> Id {
        let x = self.target.leaf(Leaf::Coordinate(axis));
        if points == 0.0 {
            return x;
        }
        let points = self.target.real(points);
        let inverse = self.target.leaf(Leaf::InverseSpacing(axis));
        let shift = self.target.div(points, inverse);
        self.target.add(x, shift)
    }

    fn array(&mut self, source: Source, orders: Orders, offset: [i8; 3]) -> Id {
        let slot = Slot { source, orders };
        let index = self.slots.iter().position(|known| *known == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        self.target.leaf(Leaf::Array { slot: index as u16, offset })
    }

    /// Tensor product of one-dimensional differences from `axis` on, without the powers of the spacing. Points at
    /// equal distance are paired, so that an odd derivative of an even function vanishes to the last bit.
    fn difference(
        &mut self,
        source: Source,
        orders: Orders,
        accuracy: u8,
        axis: usize,
        offset: [i8; 3],
    ) -> Result<Id, KernelError> {
        if axis == 3 {
            return Ok(self.array(source, [0; 3], offset));
        }
        if orders[axis] == 0 {
            return self.difference(source, orders, accuracy, axis + 1, offset);
        }
        let weights = central_weights(usize::from(orders[axis]), usize::from(accuracy));
        let reach = weights.len() / 2;
        let is_odd = orders[axis] % 2 == 1;
        let mut terms = Vec::new();
        if !is_odd {
            let centre = self.difference(source, orders, accuracy, axis + 1, offset)?;
            terms.push(self.target.scaled(weights[reach], centre));
        }
        for distance in 1..=reach {
            let (mut ahead, mut behind) = (offset, offset);
            let step = i8::try_from(distance).map_err(|_| KernelError::Reach)?;
            ahead[axis] = checked(ahead[axis], step)?;
            behind[axis] = checked(behind[axis], -step)?;
            let ahead = self.difference(source, orders, accuracy, axis + 1, ahead)?;
            let behind = self.difference(source, orders, accuracy, axis + 1, behind)?;
            let pair = if is_odd { self.target.sub(ahead, behind) } else { self.target.add(ahead, behind) };
            terms.push(self.target.scaled(weights[reach + distance], pair));
        }
        Ok(self.target.sum(terms))
    }

    /// max(a, 0) times the difference from behind + min(a, 0) times the one from ahead.
    fn upwind(&mut self, axis: u8, velocity: Id, value: Id, offset: [i8; 3]) -> Result<Id, KernelError> {
        let third_order = matches!(self.discretization, Discretization::Stencil(order) if order > 2);
        let axis_index = usize::from(axis);
        // Weights at -2, -1, 0, 1 for flow to the right; mirrored with opposite sign for flow to the left.
        let weights: &[(i8, f64)] = if third_order {
            &[(-2, 1.0 / 6.0), (-1, -1.0), (0, 0.5), (1, 1.0 / 3.0)]
        } else {
            &[(-1, -1.0), (0, 1.0)]
        };
        let mut sides = [Vec::new(), Vec::new()];
        for (side, direction) in [1i8, -1].into_iter().enumerate() {
            for (step, weight) in weights {
                let mut shifted = offset;
                shifted[axis_index] = checked(shifted[axis_index], step * direction)?;
                let there = self.run(&[value], shifted)?[0];
                sides[side].push(self.target.scaled(weight * f64::from(direction), there));
            }
        }
        let [behind, ahead] = sides.map(|terms| self.target.sum(terms));
        let velocity = self.memo[&(velocity, offset)];
        let zero = self.target.real(0.0);
        let (right, left) =
            (self.target.binary(Op2::Max, velocity, zero), self.target.binary(Op2::Min, velocity, zero));
        let (first, second) = (self.target.mul(right, behind), self.target.mul(left, ahead));
        let sum = self.target.add(first, second);
        let inverse = self.target.leaf(Leaf::InverseSpacing(axis));
        Ok(self.target.mul(inverse, sum))
    }
}

fn checked(offset: i8, step: i8) -> Result<i8, KernelError> {
    offset.checked_add(step).filter(|sum| sum.abs() <= 100).ok_or(KernelError::Reach)
}

fn source_of(leaf: Leaf) -> Option<Source> {
    match leaf {
        Leaf::Variable(index) | Leaf::RealPart(index) => Some(Source::Variable { index, part: Part::Real }),
        Leaf::ImaginaryPart(index) => Some(Source::Variable { index, part: Part::Imaginary }),
        Leaf::Noise(channel) => Some(Source::Noise(channel)),
        _ => None,
    }
}

/// Central difference weights for a derivative of the given order (≥ 1) on points of distance 1, with errors of
/// O(h^accuracy), accuracy even: Fornberg, Mathematics of Computation 51 (1988), the recursion of equations
/// (3.6)-(3.10) of its section 3, on points ordered by distance.
pub fn central_weights(order: usize, accuracy: usize) -> Vec<f64> {
    let reach = order.div_ceil(2) + accuracy / 2 - 1;
    let points: Vec<f64> = (0..=2 * reach)
        .map(|index| {
            let distance = index.div_ceil(2) as f64;
            if index % 2 == 1 { distance } else { -distance }
        })
        .collect();
    // weights[m][j]: weight of point j in the derivative of order m.
    let mut weights = vec![vec![0.0; points.len()]; order + 1];
    weights[0][0] = 1.0;
    let mut before = 1.0;
    for n in 1..points.len() {
        let mut product = 1.0;
        let old = weights.clone();
        for j in 0..n {
            let gap = points[n] - points[j];
            product *= gap;
            for m in 0..=order.min(n) {
                let lower = if m > 0 { m as f64 * old[m - 1][j] } else { 0.0 };
                weights[m][j] = (points[n] * old[m][j] - lower) / gap;
            }
        }
        for m in 0..=order.min(n) {
            let lower = if m > 0 { m as f64 * old[m - 1][n - 1] } else { 0.0 };
            weights[m][n] = before / product * (lower - points[n - 1] * old[m][n - 1]);
        }
        before = product;
    }
    let mut sorted = vec![0.0; points.len()];
    for (point, weight) in points.iter().zip(&weights[order]) {
        sorted[(*point + reach as f64) as usize] = *weight;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_exact_on_polynomials_of_their_degree_and_no_higher() {
        for order in 1..=8usize {
            for accuracy in [2usize, 4, 6, 8] {
                let weights = central_weights(order, accuracy);
                let reach = (weights.len() / 2) as f64;
                let moment = |degree: usize| -> f64 {
                    weights.iter().enumerate().map(|(j, weight)| weight * (j as f64 - reach).powi(degree as i32)).sum()
                };
                let factorial: f64 = (1..=order).map(|n| n as f64).product();
                let size: f64 = weights.iter().map(|weight| weight.abs()).sum();
                for degree in 0..order + accuracy {
                    let expected = if degree == order { factorial } else { 0.0 };
                    let rounding = 1e-13 * size * reach.powi(degree as i32).max(1.0);
                    assert!(
                        (moment(degree) - expected).abs() <= rounding,
                        "order {order}/{accuracy}, degree {degree}: {}",
                        moment(degree)
                    );
                }
                assert!(moment(order + accuracy).abs() > 1e-2, "more accurate than it says: {order}/{accuracy}");
            }
        }
        assert_eq!(central_weights(2, 2), [1.0, -2.0, 1.0]);
    }
}
