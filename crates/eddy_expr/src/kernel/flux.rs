//! Terms ∂F/∂x and ∂²F/∂x² that the text has outermost, differenced so that what leaves a point enters its neighbour.
//!
//! With order 2, ∂F/∂x at point i is (F(i+½) - F(i-½))/h and ∂²F/∂x² is (F(i+1) - 2F(i) + F(i-1))/h², so that sums over a
//! periodic axis, and between walls without slope, keep their value to rounding. Half-way between two points a field is the
//! mean of both, its derivative along the axis their difference over h, and any other derivative the mean of both.
//!
//! Fluxes that read coordinates smoothly are expanded by the product rule instead: half a cell beyond a wall they may have
//! no value. A coefficient that jumps (`if(x < 1, 1, 10)`, `floor(x)`) has no derivative there, so such fluxes are
//! differenced, with the coordinates half-way between two points; half a cell beyond a side a coefficient is what its formula
//! says there, so that a jump that runs into the side may let something through.
//!
//! Matrices of implicit methods are those of the expanded form, which differs by the error of the scheme, and by the jumps.

use super::{KernelError, Lowering, checked, source_of};
use crate::ir::{Graph, Id, Leaf, Node, Op1, Op2, Orders, rewrite::RewriteError};

/// ∂^order value along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flux {
    pub axis: u8,
    pub order: u8,
    pub value: Id,
}

/// Beyond so many terms a sum is left as it is.
const MAX_TERMS: usize = 2_000;

/// The fluxes among the terms of a sum, and the sum of the others.
pub(super) fn split(graph: &mut Graph, root: Id) -> (Id, Vec<Flux>) {
    let is_field = |leaf: Leaf| matches!(leaf, Leaf::Variable(_) | Leaf::RealPart(_) | Leaf::ImaginaryPart(_));
    let has_fields = graph.depends(|node| matches!(node, Node::Leaf(leaf) if is_field(leaf)));
    let reads_place = graph.depends(|node| matches!(node, Node::Leaf(Leaf::Coordinate(_))));
    let jumps = jumps(graph);
    // What a flux must not read, and a constant factor neither.
    let differs =
        graph.depends(|node| matches!(node, Node::Leaf(Leaf::Noise(_) | Leaf::Array { .. }) | Node::Upwind(..)));
    let varies: Vec<bool> =
        (0..differs.len()).map(|node| differs[node] || (reads_place[node] && !jumps[node])).collect();
    let is_constant = |id: Id| {
        id.index() >= differs.len() || !(has_fields[id.index()] || differs[id.index()] || reads_place[id.index()])
    };
    let mut fluxes = Vec::new();
    let mut rest = Vec::new();
    let one = graph.real(1.0);
    let mut stack = vec![(one, root)];
    while let Some((factor, id)) = stack.pop() {
        if stack.len() + rest.len() + fluxes.len() > MAX_TERMS {
            return (root, Vec::new());
        }
        match graph.node(id) {
            Node::Binary(Op2::Add, a, b) => stack.extend([(factor, b), (factor, a)]),
            Node::Binary(Op2::Sub, a, b) => {
                let minus = graph.neg(factor);
                stack.extend([(minus, b), (factor, a)]);
            }
            Node::Unary(Op1::Neg, a) => {
                let minus = graph.neg(factor);
                stack.push((minus, a));
            }
            Node::Binary(Op2::Mul, a, b) if is_constant(a) => stack.push((graph.mul(factor, a), b)),
            Node::Binary(Op2::Mul, a, b) if is_constant(b) => stack.push((graph.mul(factor, b), a)),
            Node::Binary(Op2::Div, a, b) if is_constant(b) => stack.push((graph.div(factor, b), a)),
            Node::Derivative(orders, inner)
                if has_fields[inner.index()]
                    && !varies[inner.index()]
                    && !matches!(graph.node(inner), Node::Leaf(_))
                    && along_one_axis(orders).is_some() =>
            {
                let (axis, order) = along_one_axis(orders).unwrap_or((0, 1));
                let value = graph.mul(factor, inner);
                fluxes.push(Flux { axis, order, value });
            }
            _ => rest.push(graph.mul(factor, id)),
        }
    }
    if fluxes.is_empty() {
        return (root, fluxes);
    }
    (graph.sum(rest), fluxes)
}

/// By node, whether it is a discontinuous function of the coordinates.
fn jumps(graph: &Graph) -> Vec<bool> {
    let reads_place = graph.depends(|node| matches!(node, Node::Leaf(Leaf::Coordinate(_))));
    graph.depends(|node| match node {
        Node::Select(condition, ..) => reads_place[condition.index()],
        Node::Unary(Op1::Sign | Op1::Floor | Op1::Ceil | Op1::Round, a) => reads_place[a.index()],
        Node::Binary(Op2::Mod, a, b) => reads_place[a.index()] || reads_place[b.index()],
        _ => false,
    })
}

/// Whether a flux among the terms of a sum jumps from place to place.
pub(super) fn has_jumps(graph: &mut Graph, root: Id) -> bool {
    let (_, fluxes) = split(graph, root);
    let jumps = jumps(graph);
    fluxes.iter().any(|flux| jumps[flux.value.index()])
}

/// Axis and order of a first or second derivative along one axis.
fn along_one_axis(orders: Orders) -> Option<(u8, u8)> {
    let axis = orders.iter().position(|order| *order > 0)?;
    let order = orders[axis];
    (order <= 2 && orders.iter().map(|o| u32::from(*o)).sum::<u32>() == u32::from(order)).then_some((axis as u8, order))
}

impl Lowering<'_> {
    /// The difference of a flux at the present point; `value` is the flux in the graph that is lowered from.
    pub(super) fn flux(&mut self, flux: Flux, value: Id) -> Result<Id, KernelError> {
        let axis = usize::from(flux.axis);
        let inverse = self.target.leaf(Leaf::InverseSpacing(flux.axis));
        let (mut ahead, mut behind) = ([0i8; 3], [0i8; 3]);
        (ahead[axis], behind[axis]) = (1, -1);
        if flux.order == 1 {
            let right = self.half_way(value, axis, [0; 3])?;
            let left = self.half_way(value, axis, behind)?;
            let difference = self.target.sub(right, left);
            return Ok(self.target.mul(inverse, difference));
        }
        let [right, centre, left] = [ahead, [0; 3], behind].map(|offset| self.run(&[value], offset).map(|ids| ids[0]));
        let (right, centre, left) = (right?, centre?, left?);
        let (both, centre) = (self.target.add(right, left), self.target.scaled(-2.0, centre));
        let sum = self.target.add(both, centre);
        let square = self.target.powi(inverse, 2);
        Ok(self.target.mul(square, sum))
    }

    /// A value half-way between the points at `offset` and one further along `axis`.
    fn half_way(&mut self, root: Id, axis: usize, offset: [i8; 3]) -> Result<Id, KernelError> {
        let mut ahead = offset;
        ahead[axis] = checked(ahead[axis], 1)?;
        let mut needed = vec![false; self.source.len()];
        needed[root.index()] = true;
        let nodes: Vec<(Id, Node)> = self.source.nodes().collect();
        for (id, node) in nodes.iter().rev() {
            if needed[id.index()] && !matches!(node, Node::Derivative(..)) {
                Graph::operands(*node).for_each(|operand| needed[operand.index()] = true);
            }
        }
        let mut image: Vec<Option<Id>> = vec![None; nodes.len()];
        for (id, node) in nodes {
            if !needed[id.index()] {
                continue;
            }
            if self.target.is_too_large() {
                return Err(RewriteError::TooLarge.into());
            }
            let of = |id: Id| image[id.index()].unwrap_or(id);
            let new = match node {
                Node::Leaf(leaf) => match source_of(leaf) {
                    Some(source) => {
                        let (a, b) = (self.array(source, [0; 3], offset), self.array(source, [0; 3], ahead));
                        self.mean(a, b)
                    }
                    None => match leaf {
                        Leaf::Coordinate(along) => {
                            let half = if usize::from(along) == axis { 0.5 } else { 0.0 };
                            self.coordinate(along, f64::from(offset[usize::from(along)]) + half)
                        }
                        _ => self.target.leaf(leaf),
                    },
                },
                Node::Derivative(orders, inner) => {
                    let source = match self.source.node(inner) {
                        Node::Leaf(leaf) => source_of(leaf),
                        _ => None,
                    };
                    let Some(source) = source else { return Err(crate::program::ProgramError::Derivative.into()) };
                    let mut lower = orders;
                    lower[axis] = lower[axis].saturating_sub(1);
                    let a = self.derivative(source, lower, 2, offset)?;
                    let b = self.derivative(source, lower, 2, ahead)?;
                    if orders[axis] > 0 {
                        let difference = self.target.sub(b, a);
                        let inverse = self.target.leaf(Leaf::InverseSpacing(axis as u8));
                        self.target.mul(inverse, difference)
                    } else {
                        self.mean(a, b)
                    }
                }
                _ => self.target.rebuild(node, of),
            };
            image[id.index()] = Some(new);
        }
        Ok(image[root.index()].unwrap_or(root))
    }

    fn mean(&mut self, a: Id, b: Id) -> Id {
        let sum = self.target.add(a, b);
        self.target.scaled(0.5, sum)
    }
}
