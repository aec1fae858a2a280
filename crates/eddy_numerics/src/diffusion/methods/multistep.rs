//! Multistep DPM-Solver and DPM-Solver++ (Lu et al. 2022, "DPM-Solver++", algorithm 2; Lu et al. 2022, "DPM-Solver").

use super::{
    Method,
    dpm_solver::{general_step, inner_nodes},
};
use crate::diffusion::{Combination, Interval, Node, Plan, Prediction, Schedule, Source, Spacing, Stage};

/// When the last steps of a multistep method lower their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LowerFinal {
    Never,
    /// Only on grids of fewer than 10 steps, as the authors' code of DPM-Solver does.
    Below10,
    /// Only on grids of fewer steps than this: diffusers has 15.
    Below(usize),
    Always,
}

impl LowerFinal {
    /// Order of step `step` (from 0) of `steps`, for a method of order `order` that starts with order 1.
    pub(super) fn order(self, order: usize, step: usize, steps: usize) -> usize {
        let lower = match self {
            Self::Never => false,
            Self::Below10 => steps < 10,
            Self::Below(n) => steps < n,
            Self::Always => true,
        };
        let order = order.min(step + 1);
        if lower && steps > 0 { order.min(steps - step.min(steps - 1)) } else { order }
    }
}

/// How an exponential integrator in λ writes the flow: the coefficients of
/// x ← carry · x − scale (e^hh − 1) · (value at the start) − …, where the value is x₀ (DPM-Solver++) or ε (DPM-Solver).
#[derive(Clone, Copy, Debug)]
pub(super) struct Exponential {
    pub carry: f64,
    pub scale: f64,
    /// −h for x₀, h for ε.
    pub hh: f64,
    /// scale (e^hh − 1), which is finite also at σ = 0.
    whole: f64,
}

impl Exponential {
    pub(super) fn new(value: Prediction, from: &Node, to: &Node) -> Self {
        let h = to.lambda - from.lambda;
        if value == Prediction::Data {
            Self { carry: to.sigma / from.sigma, scale: to.alpha, hh: -h, whole: to.alpha * (-h).exp_m1() }
        } else {
            let (carry, push) = from.transfer(to);
            Self { carry, scale: to.sigma, hh: h, whole: -push }
        }
    }
    /// The exact step for a constant value, `source`.
    pub(super) fn constant(&self, state: Combination, source: &Combination) -> Combination {
        state.times(self.carry).plus(-self.whole, source)
    }
}

/// (e^z − 1)/z − 1 and ((e^z − 1)/z − 1)/z − ½: z φ₂(z) and z φ₃(z).
pub(super) fn phis(z: f64) -> (f64, f64) {
    // Below 0.1 the closed forms lose 2 and 4 digits; ten terms of the series are exact to rounding there.
    if z.abs() < 0.1 {
        let series = |first: i32| {
            let mut factorial: f64 = (1..=first).map(f64::from).product();
            let mut sum = 0.0;
            let mut power = z;
            for k in 0..10 {
                sum += power / factorial;
                power *= z;
                factorial *= f64::from(first + 1 + k);
            }
            sum
        };
        (series(2), series(3))
    } else if z.is_infinite() {
        // One of them is not used there: the step from α = 0 has order 1.
        (-1.0, -0.5)
    } else {
        let two = z.exp_m1() / z - 1.0;
        (two, two / z - 0.5)
    }
}

pub(super) fn stage(value: Prediction, node: Node, point: Combination) -> Stage {
    if value == Prediction::Data { Stage::data(node, point) } else { Stage::epsilon(node, point) }
}

/// DPM-Solver-kM (ε) and DPM-Solver++(kM) (x₀), k = 1, 2, 3: the value is replaced by the polynomial in λ through its
/// last k values.
///
/// One evaluation per step, the first k − 1 steps of lower order; the first one, of order 1, caps the order at 2 in the
/// limit. Order 3 as its authors' code has it gives the second difference half of its weight, which makes the order 2 on
/// every grid: with `polynomial` it is 3, and with `single_start` also in the limit. The ++ form is the one to use with
/// guidance: x₀ is bounded where ε/α is not. With `stochastic`, SDE-DPM-Solver++ of order 1 or 2 (the same paper,
/// appendix on stochastic samplers): the reverse SDE of the same marginals.
#[derive(Clone, Copy, Debug)]
pub struct DpmMultistep {
    order: usize,
    pub value: Prediction,
    /// The variant called "taylor" by the authors (order 2 only): φ₂ instead of half of φ₁.
    pub taylor: bool,
    /// Order 3 with the weight of the second divided difference that the interpolating polynomial has, h φ₃ 2!, instead
    /// of the authors' h φ₃.
    pub polynomial: bool,
    /// The first steps are single steps of the full order, k evaluations each, instead of multistep ones of lower order.
    pub single_start: bool,
    pub lower_final: LowerFinal,
    pub stochastic: bool,
}

impl DpmMultistep {
    /// `order` is clamped to 1..=3.
    pub fn new(order: u32, value: Prediction) -> Self {
        let value = if value == Prediction::Data { value } else { Prediction::Epsilon };
        Self {
            order: order.clamp(1, 3) as usize,
            value,
            taylor: false,
            polynomial: false,
            single_start: false,
            lower_final: LowerFinal::Below10,
            stochastic: false,
        }
    }
    /// SDE-DPM-Solver++ or, on ε, SDE-DPM-Solver, of order 1 or 2.
    pub fn stochastic(order: u32, value: Prediction) -> Self {
        Self { stochastic: true, ..Self::new(order.min(2), value) }
    }
}

impl Method for DpmMultistep {
    fn name(&self) -> &'static str {
        match (self.stochastic, self.value == Prediction::Data) {
            (false, true) => ["DPM-Solver++(1)", "DPM-Solver++(2M)", "DPM-Solver++(3M)"][self.order - 1],
            (false, false) => ["DPM-Solver-1", "DPM-Solver-2M", "DPM-Solver-3M"][self.order - 1],
            (true, true) => ["SDE-DPM-Solver++(1)", "SDE-DPM-Solver++(2M)", ""][self.order - 1],
            (true, false) => ["SDE-DPM-Solver-1", "SDE-DPM-Solver-2M", ""][self.order - 1],
        }
    }
    fn order(&self) -> u32 {
        if self.stochastic { 1 } else { self.order as u32 }
    }
    fn is_stochastic(&self) -> bool {
        self.stochastic
    }
    fn memory(&self) -> usize {
        self.order - 1
    }
    fn cost(&self, steps: usize) -> usize {
        // A start of single steps takes k evaluations in each of the first k − 1.
        if self.single_start { steps + steps.min(self.order - 1) * (self.order - 1) } else { steps }
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        // x₀ determines the step at both ends, which then has order 1, and ε that to σ = 0.
        self.value == Prediction::Data
            || first.lambda.is_finite() && (last.lambda.is_finite() || last.sigma == 0.0 && !self.stochastic)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let (from, to) = (&at.from, &at.to);
        let order = self.lower_final.order(self.order, at.step, at.steps).min(at.past.len() + 1);
        let value = |j: usize| Combination::source(if j == 0 { Source::Stage(0) } else { Source::Past(j - 1) });
        let h = to.lambda - from.lambda;
        let order = if h.is_finite() { order } else { 1 };
        if self.single_start && !self.stochastic && at.past.len() + 1 < self.order && h.is_finite() {
            let inner = inner_nodes(at, Spacing::LogSnr, self.order as u32);
            return general_step(self.order as u32, self.value, false, at, &inner).remembering(value(0));
        }
        // Divided differences toward the past, in units of this step.
        let difference = |j: usize| {
            let newer = if j == 0 { from } else { &at.past[j - 1] };
            let r = (newer.lambda - at.past[j].lambda) / h;
            (r, value(j).plus(-1.0, &value(j + 1)).times(1.0 / r))
        };
        let step = Exponential::new(self.value, from, to);
        let stages = vec![stage(self.value, *from, Combination::identity())];
        if self.stochastic {
            // The reverse SDE: twice the move of the flow in λ, and noise that fills the level of `to`.
            let data = self.value == Prediction::Data;
            let gain = if data { (-h).exp() } else { 1.0 };
            let push = if data { to.alpha * (-2.0 * h).exp_m1() } else { 2.0 * to.sigma * h.exp_m1() };
            let mut update = Combination::identity().times(step.carry * gain).plus(-push, &value(0));
            if order > 1 {
                update = update.plus(-0.5 * push, &difference(0).1);
            }
            let noise = to.sigma * if data { -(-2.0 * h).exp_m1() } else { (2.0 * h).exp_m1() }.sqrt();
            return Plan::new(stages, update).remembering(value(0)).with_noise(noise);
        }
        let mut update = step.constant(Combination::identity(), &value(0));
        let (phi_2, phi_3) = phis(step.hh);
        match order {
            1 => {}
            2 if self.taylor => update = update.plus(-step.scale * phi_2, &difference(0).1),
            2 => update = update.plus(-0.5 * step.scale * step.hh.exp_m1(), &difference(0).1),
            _ => {
                let ((r0, d0), (r1, d1)) = (difference(0), difference(1));
                let second = d0.clone().plus(-1.0, &d1);
                let slope = d0.plus(r0 / (r0 + r1), &second);
                update = update.plus(-step.scale * phi_2, &slope);
                // f = f₀ + D₁ u + D₂ u² with D₂ = second/(r₀ + r₁), and ∫ of u² is 2! φ₃: the authors' code has φ₃ there.
                let weight = if self.polynomial { 2.0 } else { 1.0 };
                update = update.plus(-step.scale * phi_3 * weight, &second.times(1.0 / (r0 + r1)));
            }
        }
        Plan::new(stages, update).remembering(value(0))
    }
}
