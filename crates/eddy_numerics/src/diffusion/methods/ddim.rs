use super::Method;
use crate::diffusion::{Combination, Interval, Node, Plan, Schedule, Source};

/// DDIM (Song, Meng, Ermon 2021, equation 12) and, with η = 1, DDPM's ancestral sampling (Ho et al. 2020).
///
/// One evaluation per step. η = 0 is deterministic, of order 1 in λ, and exact for constant ε; it is also DPM-Solver-1
/// and DEIS of order 0. η adds noise of η times the posterior's standard deviation, written here for any schedule:
/// q(x_s | x_t, x_0) has variance −σ_s² expm1(2(λ_t − λ_s)). Best on the quadratic grid at few steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ddim {
    pub eta: f64,
}

impl Method for Ddim {
    fn name(&self) -> &'static str {
        if self.eta == 0.0 { "DDIM" } else { "DDPM" }
    }
    fn order(&self) -> u32 {
        1
    }
    fn is_stochastic(&self) -> bool {
        self.eta != 0.0
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn reaches(&self, _: &dyn Schedule, _: &Node, last: &Node) -> bool {
        last.lambda.is_finite() || last.sigma == 0.0
    }
    fn plan(&self, at: &Interval) -> Plan {
        let (from, to) = (&at.from, &at.to);
        if from.alpha == 0.0 {
            // ε does not determine x₀ there: x ← σ_s x + α_s x₀ with ε = x/σ_t, and no share of the noise.
            let update = Combination::new(to.sigma / from.sigma, [(Source::Stage(0), to.alpha)]);
            return Plan::simple_data(from, update);
        }
        let (a, b) = from.transfer(to);
        let noise = self.eta * to.sigma * (-(2.0 * (from.lambda - to.lambda)).exp_m1()).sqrt();
        // The noise takes its share of σ_s from the direction of ε: √(σ_s² − n²) instead of σ_s.
        let lost = to.sigma - (to.sigma * to.sigma - noise * noise).max(0.0).sqrt();
        Plan::simple(from, Combination::new(a, [(Source::Stage(0), b - lost)])).with_noise(noise)
    }
}
