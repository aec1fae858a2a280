use super::{
    Method, may_end_clean,
    multistep::{Exponential, phis, stage},
};
use crate::diffusion::{Combination, Interval, Node, Plan, Prediction, Schedule, Source, Spacing, grid};

/// DPM-Solver-1, -2, -3: single-step exponential integrators in λ (Lu et al. 2022, algorithms 1 and 2; order 1 is DDIM).
///
/// `order` evaluations per step. Made for steps uniform in λ. Orders 2 and 3 need h below about 1 to pay: on sharply
/// separated modes they lose to DDIM at 10 evaluations.
#[derive(Clone, Copy, Debug)]
pub struct DpmSolver {
    order: u32,
}

impl DpmSolver {
    /// `order` is clamped to 1, 2 or 3.
    pub fn new(order: u32) -> Self {
        Self { order: order.clamp(1, 3) }
    }
}

impl Method for DpmSolver {
    fn name(&self) -> &'static str {
        ["DPM-Solver-1", "DPM-Solver-2", "DPM-Solver-3"][self.order as usize - 1]
    }
    fn order(&self) -> u32 {
        self.order
    }
    fn cost(&self, steps: usize) -> usize {
        steps * self.order as usize
    }
    fn plan(&self, at: &Interval) -> Plan {
        single_step(self.order, at.schedule, &at.from, &at.to)
    }
}

/// DPM-Solver-fast: steps of order 3 and, so that the evaluations add up exactly, one or two of lower order at the end
/// (the same paper, section 3.4).
#[derive(Clone, Copy, Debug)]
pub struct DpmSolverFast {
    pub evaluations: usize,
}

impl DpmSolverFast {
    /// Order of step `step` of `steps`.
    fn order_of(&self, step: usize, steps: usize) -> u32 {
        let from_end = steps - 1 - step.min(steps - 1);
        match (self.evaluations % 3, from_end) {
            (0, 0) | (1, 0) => 1,
            (0, 1) | (2, 0) => 2,
            _ => 3,
        }
    }
}

impl Method for DpmSolverFast {
    fn name(&self) -> &'static str {
        "DPM-Solver-fast"
    }
    fn order(&self) -> u32 {
        3
    }
    fn cost(&self, steps: usize) -> usize {
        if steps == 0 { 0 } else { (0..steps).map(|i| self.order_of(i, steps) as usize).sum() }
    }
    fn plan(&self, at: &Interval) -> Plan {
        single_step(self.order_of(at.step, at.steps.max(1)), at.schedule, &at.from, &at.to)
    }
}

/// Single steps of DPM-Solver (ε) or DPM-Solver++ (x₀) with the orders, the outer and the inner times of the authors'
/// code: every step has its own order, and the inner times are spread like the grid.
///
/// With three evaluations a step of order 3 costs; DPM-Solver++(2S) and (3S) are orders 2 and 3 on x₀ (Lu et al. 2022,
/// "DPM-Solver++", algorithm 1).
#[derive(Clone, Debug)]
pub struct DpmSingle {
    order: u32,
    orders: Vec<u32>,
    value: Prediction,
    /// How the inner times are spread; r₁ and r₂ follow.
    pub inner: Spacing,
    /// The variant called "taylor" by the authors.
    pub taylor: bool,
}

impl DpmSingle {
    /// Orders that spend `evaluations` exactly: steps of `order` (1..=3) and, at the end, lower ones.
    pub fn spending(evaluations: usize, order: u32, value: Prediction, inner: Spacing) -> Self {
        let order = order.clamp(1, 3);
        let (whole, rest) = (evaluations / order as usize, evaluations % order as usize);
        let orders = match (order, rest) {
            (3, 0) if whole > 0 => [vec![3; whole - 1], vec![2, 1]].concat(),
            (2 | 3, r @ 1..) => [vec![order; whole], vec![r as u32]].concat(),
            _ => vec![order; whole],
        };
        Self { order, orders, value, inner, taylor: false }
    }
    /// `steps` steps of the same order.
    pub fn fixed(steps: usize, order: u32, value: Prediction, inner: Spacing) -> Self {
        let order = order.clamp(1, 3);
        Self { order, orders: vec![order; steps], value, inner, taylor: false }
    }
    pub fn orders(&self) -> &[u32] {
        &self.orders
    }
}

impl Method for DpmSingle {
    fn name(&self) -> &'static str {
        match (self.value, self.order) {
            (Prediction::Data, 2) => "DPM-Solver++(2S)",
            (Prediction::Data, 3) => "DPM-Solver++(3S)",
            (Prediction::Data, _) => "DPM-Solver++(1)",
            (_, order) => ["DPM-Solver-1", "DPM-Solver-2", "DPM-Solver-3"][order as usize - 1],
        }
    }
    fn order(&self) -> u32 {
        self.order
    }
    fn cost(&self, steps: usize) -> usize {
        (0..steps).map(|i| self.orders.get(i).copied().unwrap_or(self.order) as usize).sum()
    }
    fn cost_to_zero(&self, steps: usize) -> usize {
        if steps == 0 { 0 } else { self.cost(steps - 1) + 1 }
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        // λ is infinite at σ = 0: that step has order 1.
        let order = if at.to.lambda.is_finite() { self.orders.get(at.step).copied().unwrap_or(self.order) } else { 1 };
        let inner = inner_nodes(at, self.inner, order);
        general_step(order, self.value, self.taylor, at, &inner)
    }
}

/// The nodes inside the step at which an order-k step evaluates, k − 1 of them.
pub(super) fn inner_nodes(at: &Interval, spacing: Spacing, order: u32) -> Vec<Node> {
    let count = order as usize;
    match grid(at.schedule, spacing, at.from.t, at.to.t, count) {
        Ok(nodes) => nodes[1..count].to_vec(),
        // A step from α = 0 or to σ = 0 has no inner times in λ: those of t.
        Err(_) => {
            let part = |i: usize| at.from.t + (at.to.t - at.from.t) * i as f64 / count as f64;
            (1..count).map(|i| at.schedule.node(part(i))).collect()
        }
    }
}

/// One step of order k = 1, 2, 3 through `inner` nodes.
pub(super) fn general_step(order: u32, value: Prediction, taylor: bool, at: &Interval, inner: &[Node]) -> Plan {
    let (from, to) = (&at.from, &at.to);
    let h = to.lambda - from.lambda;
    let source = |j: usize| Combination::source(Source::Stage(j));
    let move_to = |node: &Node| Exponential::new(value, from, node).constant(Combination::identity(), &source(0));
    let whole = Exponential::new(value, from, to);
    let mut stages = vec![stage(value, *from, Combination::identity())];
    let mut update = move_to(to);
    let change = |j: usize| source(j).plus(-1.0, &source(0));
    if let Some(one) = inner.first().filter(|_| order > 1) {
        let r1 = (one.lambda - from.lambda) / h;
        stages.push(stage(value, *one, move_to(one)));
        let (phi_2, phi_3) = phis(whole.hh);
        if let Some(two) = inner.get(1).filter(|_| order > 2) {
            let r2 = (two.lambda - from.lambda) / h;
            let part = Exponential::new(value, from, two);
            let point = move_to(two).plus(-part.scale * r2 / r1 * phis(part.hh).0, &change(1));
            stages.push(stage(value, *two, point));
            if taylor {
                let (d0, d1) = (change(1).times(1.0 / r1), change(2).times(1.0 / r2));
                let slope = d0.clone().times(r2).plus(-r1, &d1).times(1.0 / (r2 - r1));
                let second = d1.plus(-1.0, &d0).times(2.0 / (r2 - r1));
                update = update.plus(-whole.scale * phi_2, &slope).plus(-whole.scale * phi_3, &second);
            } else {
                update = update.plus(-whole.scale * phi_2 / r2, &change(2));
            }
        } else if taylor {
            update = update.plus(-whole.scale * phi_2 / r1, &change(1));
        } else {
            update = update.plus(-whole.scale * whole.hh.exp_m1() * 0.5 / r1, &change(1));
        }
    }
    Plan::new(stages, update)
}

fn single_step(order: u32, schedule: &dyn Schedule, from: &Node, to: &Node) -> Plan {
    let h = to.lambda - from.lambda;
    let inner: Vec<Node> =
        (1..order).map(|i| schedule.node_of_lambda(from.lambda + h * f64::from(i) / f64::from(order))).collect();
    let at = Interval { schedule, from: *from, to: *to, step: 0, steps: 0, past: &[] };
    general_step(order, Prediction::Epsilon, false, &at, &inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_spends_every_evaluation() {
        for n in 3..60 {
            let m = DpmSolverFast { evaluations: n };
            let steps = m.steps_for(n).unwrap();
            assert_eq!((m.cost(steps), steps), (n, n / 3 + 1), "{n}");
        }
    }

    #[test]
    fn phis_join_their_series() {
        let (below, above) = (phis(0.099_999_999), phis(0.1));
        assert!((below.0 / above.0 - 1.0).abs() < 2e-8 && (below.1 / above.1 - 1.0).abs() < 2e-8);
        for z in [0.0999, -0.0999_f64] {
            let two = z.exp_m1() / z - 1.0;
            assert!((phis(z).0 - two).abs() < 1e-15 && (phis(z).1 - (two / z - 0.5)).abs() < 1e-13);
        }
    }

    #[test]
    fn orders_of_the_authors() {
        let orders = |n, k| DpmSingle::spending(n, k, Prediction::Epsilon, Spacing::LogSnr).orders().to_vec();
        assert_eq!(orders(9, 3), [3, 3, 2, 1]);
        assert_eq!(orders(10, 3), [3, 3, 3, 1]);
        assert_eq!(orders(11, 3), [3, 3, 3, 2]);
        assert_eq!(orders(3, 3), [2, 1]);
        assert_eq!((orders(8, 2), orders(9, 2)), (vec![2; 4], vec![2, 2, 2, 2, 1]));
        for n in 1..40 {
            for k in 1..=3 {
                assert_eq!(orders(n, k).iter().sum::<u32>(), n as u32);
            }
        }
    }
}
