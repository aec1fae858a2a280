use super::Method;
use crate::diffusion::{Combination, Interval, Plan, Source};

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
    fn plan(&self, at: &Interval) -> Plan {
        let (from, to) = (&at.from, &at.to);
        let (a, b) = from.transfer(to);
        let noise = self.eta * to.sigma * (-(2.0 * (from.lambda - to.lambda)).exp_m1()).sqrt();
        // The noise takes its share of σ_s from the direction of ε: √(σ_s² − n²) instead of σ_s.
        let lost = to.sigma - (to.sigma * to.sigma - noise * noise).max(0.0).sqrt();
        Plan::simple(from, Combination::new(a, [(Source::Stage(0), b - lost)])).with_noise(noise)
    }
}
