use super::Method;
use crate::diffusion::{Combination, Interval, Node, Plan, Schedule, Source, Stage};

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

/// e^z − 1 over z, minus 1.
fn phi(z: f64) -> f64 {
    // Below 0.01 five terms of the series are exact to rounding; the closed form would lose those digits.
    if z.abs() < 1e-2 {
        z / 2.0 * (1.0 + z / 3.0 * (1.0 + z / 4.0 * (1.0 + z / 5.0 * (1.0 + z / 6.0))))
    } else {
        z.exp_m1() / z - 1.0
    }
}

fn single_step(order: u32, schedule: &dyn Schedule, from: &Node, to: &Node) -> Plan {
    let h = to.lambda - from.lambda;
    let e = Source::Stage;
    let inside = |r: f64| schedule.node_of_lambda(from.lambda + r * h);
    let first = Stage { node: *from, point: Combination::identity() };
    match order {
        1 => Plan::new(vec![first], Combination::transfer(from, to, &[(e(0), 1.0)])),
        2 => {
            let middle = inside(0.5);
            let second = Stage { node: middle, point: Combination::transfer(from, &middle, &[(e(0), 1.0)]) };
            Plan::new(vec![first, second], Combination::transfer(from, to, &[(e(1), 1.0)]))
        }
        _ => {
            let (r1, r2) = (1.0 / 3.0, 2.0 / 3.0);
            let (one, two) = (inside(r1), inside(r2));
            let second = Stage { node: one, point: Combination::transfer(from, &one, &[(e(0), 1.0)]) };
            // u₂ adds −σ (r₂/r₁) φ(r₂h) (ε₁ − ε₀).
            let c = -two.sigma * r2 / r1 * phi(r2 * h);
            let mut point = Combination::transfer(from, &two, &[(e(0), 1.0)]);
            point.terms[0].1 -= c;
            point.terms.push((e(1), c));
            let third = Stage { node: two, point };
            let c = -to.sigma / r2 * phi(h);
            let mut update = Combination::transfer(from, to, &[(e(0), 1.0)]);
            update.terms[0].1 -= c;
            update.terms.push((e(2), c));
            Plan::new(vec![first, second, third], update)
        }
    }
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
    fn phi_is_continuous() {
        assert!((phi(0.00999999) / phi(0.0100001) - 1.0).abs() < 1e-4);
        for z in [0.0099, -0.0099_f64] {
            assert!((phi(z) - (z.exp_m1() / z - 1.0)).abs() < 1e-13);
        }
    }
}
