//! Samplers of the reverse SDE dx = [f x + (g²/σ) ε] dt + g dW̄ (Anderson 1982; Song et al. 2021, equation 6).

use super::Method;
use crate::diffusion::{Combination, Interval, Langevin, Plan, Source};

/// One Euler-Maruyama step backwards in time.
fn euler_maruyama(at: &Interval) -> Plan {
    let step = at.to.t - at.from.t;
    let g2 = at.schedule.diffusion_squared(at.from.t);
    let state = 1.0 + step * at.schedule.drift(at.from.t);
    let update = Combination::new(state, [(Source::Stage(0), step * g2 / at.from.sigma)]);
    Plan::simple(&at.from, update).with_noise((g2 * -step).max(0.0).sqrt())
}

/// Euler-Maruyama: one evaluation per step, weak order 1. Needs hundreds of steps on the usual schedules.
#[derive(Clone, Copy, Debug, Default)]
pub struct EulerMaruyama;

impl Method for EulerMaruyama {
    fn name(&self) -> &'static str {
        "Euler-Maruyama"
    }
    fn order(&self) -> u32 {
        1
    }
    fn is_stochastic(&self) -> bool {
        true
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn plan(&self, at: &Interval) -> Plan {
        euler_maruyama(at)
    }
}

/// The reverse-diffusion predictor followed by one Langevin correction (Song et al. 2021, algorithms 2 to 5): two
/// evaluations per step. `snr` r = 0.16 is the paper's value. With an exact score the corrector has nothing to correct.
#[derive(Clone, Copy, Debug)]
pub struct PredictorCorrector {
    pub snr: f64,
}

impl Default for PredictorCorrector {
    fn default() -> Self {
        Self { snr: 0.16 }
    }
}

impl Method for PredictorCorrector {
    fn name(&self) -> &'static str {
        "Predictor-corrector"
    }
    fn order(&self) -> u32 {
        1
    }
    fn is_stochastic(&self) -> bool {
        true
    }
    fn cost(&self, steps: usize) -> usize {
        2 * steps
    }
    fn plan(&self, at: &Interval) -> Plan {
        let mut plan = euler_maruyama(at);
        plan.corrector = Some(Langevin { snr: self.snr, decay: at.from.alpha / at.to.alpha });
        plan
    }
}
