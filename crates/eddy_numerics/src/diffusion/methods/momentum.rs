//! Momentum samplers (Wizadwongsa et al. 2024, "Diffusion sampling with momentum for mitigating divergence artifacts"),
//! on d(x/α)/dρ = ε with weights for equal steps of ρ = σ/α. On grids that are not even in ρ the order is at most 2.

use super::{
    Method,
    adams::{BASHFORTH, newest},
    may_end_clean,
};
use crate::diffusion::{Combination, Interval, Node, Plan, Schedule, Source};

/// Polyak's heavy ball around Adams-Bashforth: v ← (1 − b) v + b Σ c_j ε_j, x/α += Δρ v.
///
/// Damping b < 1 enlarges the region of stability at the price of order 1; b = 1 is the method itself. v starts at the
/// first ε.
#[derive(Clone, Copy, Debug)]
pub struct HeavyBall {
    order: usize,
    damping: f64,
}

impl HeavyBall {
    /// Order of the Adams-Bashforth weights (1..=4) and damping b in (0, 1].
    pub fn new(order: u32, damping: f64) -> Self {
        Self { order: order.clamp(1, 4) as usize, damping: damping.clamp(1e-3, 1.0) }
    }
}

impl Method for HeavyBall {
    fn name(&self) -> &'static str {
        "PLMS with heavy ball"
    }
    fn order(&self) -> u32 {
        if self.damping == 1.0 { self.order as u32 } else { 1 }
    }
    fn memory(&self) -> usize {
        self.order
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let order = self.order.min(at.past.len() + 1);
        let b = self.damping;
        let mut velocity: Vec<_> = BASHFORTH[order - 1].iter().enumerate().map(|(j, c)| (newest(j), b * c)).collect();
        if at.past.is_empty() {
            velocity = vec![(newest(0), 1.0)];
        } else {
            velocity.push((Source::Carried, 1.0 - b));
        }
        let mut plan = Plan::simple(&at.from, Combination::transfer(&at.from, &at.to, &velocity))
            .remembering(Combination::source(Source::Stage(0)));
        plan.carry = Some(Combination::new(0.0, velocity));
        plan
    }
}

/// Nesterov's momentum around Adams-Bashforth: p = Σ c_j ε_j, v ← (1 − b) v + b p, x/α += Δρ ((1 − b) v + b p) (the
/// same paper, section 4).
///
/// Between the heavy ball and the method itself, which b = 1 is; order 1 otherwise. v starts at the first ε.
#[derive(Clone, Copy, Debug)]
pub struct Nesterov(HeavyBall);

impl Nesterov {
    /// Order of the Adams-Bashforth weights (1..=4) and damping b in (0, 1].
    pub fn new(order: u32, damping: f64) -> Self {
        Self(HeavyBall::new(order, damping))
    }
}

impl Method for Nesterov {
    fn name(&self) -> &'static str {
        "PLMS with Nesterov momentum"
    }
    fn order(&self) -> u32 {
        self.0.order()
    }
    fn memory(&self) -> usize {
        self.0.memory()
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let mut plan = self.0.plan(at);
        let order = self.0.order.min(at.past.len() + 1);
        let b = self.0.damping;
        let velocity = plan.carry.clone().unwrap_or_default();
        let mut weights: Vec<_> = velocity.terms.iter().map(|(s, w)| (*s, (1.0 - b) * w)).collect();
        weights.extend(BASHFORTH[order - 1].iter().enumerate().map(|(j, c)| (newest(j), b * c)));
        plan.update = Combination::transfer(&at.from, &at.to, &weights);
        plan
    }
}

/// Generalized heavy ball: v ← (1 − b) v + b ε, x/α += Δρ Σ c_j(b) v_j, with c_j such that the method has order k for
/// every b; b = 1 is Adams-Bashforth of order k, b → 0 approaches order k − 1. "GHVB r" means k = ⌈r⌉, b = r − k + 1.
///
/// One evaluation per step; the first steps use the lower orders with the same b. v starts at the first ε.
#[derive(Clone, Copy, Debug)]
pub struct Ghvb {
    order: usize,
    damping: f64,
}

impl Ghvb {
    /// `r` is clamped to [0.1, 5].
    pub fn new(r: f64) -> Self {
        let r = if r.is_nan() { 1.0 } else { r.clamp(0.1, 5.0) };
        let order = r.ceil().clamp(1.0, 5.0);
        Self { order: order as usize, damping: r - (order - 1.0) }
    }

    /// Weights of v, newest first: the table of the paper's section 4.2.
    fn weights(order: usize, b: f64) -> Vec<f64> {
        match order {
            1 => vec![1.0],
            2 => [2.0 + b, -(2.0 - b)].map(|c| c / (2.0 * b)).to_vec(),
            3 => [18.0 + 5.0 * b, -(24.0 - 8.0 * b), 6.0 - b].map(|c| c / (12.0 * b)).to_vec(),
            4 => [46.0 + 9.0 * b, -(78.0 - 19.0 * b), 42.0 - 5.0 * b, -(10.0 - b)].map(|c| c / (24.0 * b)).to_vec(),
            _ => {
                [1650.0 + 251.0 * b, -(3420.0 - 646.0 * b), 2880.0 - 264.0 * b, -(1380.0 - 106.0 * b), 270.0 - 19.0 * b]
                    .map(|c| c / (720.0 * b))
                    .to_vec()
            }
        }
    }
}

impl Method for Ghvb {
    fn name(&self) -> &'static str {
        "GHVB"
    }
    fn order(&self) -> u32 {
        self.order as u32
    }
    fn memory(&self) -> usize {
        // The last velocity is needed even by order 1.
        self.order.max(1)
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let order = self.order.min(at.past.len() + 1);
        let b = self.damping;
        let velocity =
            if at.past.is_empty() { vec![(newest(0), 1.0)] } else { vec![(newest(0), b), (Source::Past(0), 1.0 - b)] };
        let c = Self::weights(order, b);
        let mut step: Vec<_> = velocity.iter().map(|(s, w)| (*s, c[0] * w)).collect();
        step.extend(c.iter().enumerate().skip(1).map(|(j, c)| (Source::Past(j - 1), *c)));
        Plan::simple(&at.from, Combination::transfer(&at.from, &at.to, &step))
            .remembering(Combination::new(0.0, velocity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Σ_j c_j v_{n−j} for ε = n^p with v in its own steady state must match ∫ over the next step, for p < order.
    #[test]
    fn weights_have_their_order() {
        for order in 1..=5 {
            for b in [0.3, 0.8, 1.0] {
                let c = Ghvb::weights(order, b);
                for p in 0..order as i32 {
                    // v_m = b Σ_i (1 − b)^i ε_{m−i}, evaluated far enough back; ε_m = m^p with the step from 0 to 1.
                    let v = |m: i32| (0..400).map(|i| b * (1.0 - b).powi(i) * f64::from(m - i).powi(p)).sum::<f64>();
                    let got: f64 = c.iter().enumerate().map(|(j, c)| c * v(-(j as i32))).sum();
                    // Order 1 has c = 1: its own order 1 means p = 0 only.
                    assert!((got - 1.0 / f64::from(p + 1)).abs() < 1e-9, "order {order} b {b} p {p}: {got}");
                }
            }
        }
        // Seen to fail: the weights of b = 0.8 on velocities of b = 0.3.
        let (c, b) = (Ghvb::weights(2, 0.8), 0.3_f64);
        let v = |m: i32| (0..400).map(|i| b * (1.0 - b).powi(i) * f64::from(m - i)).sum::<f64>();
        assert!((c[0] * v(0) + c[1] * v(-1) - 0.5).abs() > 0.1);
    }
}
