//! The stochastic sampler of Karras et al. 2022, "Elucidating the design space of diffusion-based generative models",
//! algorithm 2: before each step noise is added, so that the step starts from a higher level.

use super::{Method, RungeKutta, Tableau, Variable};
use crate::diffusion::{Interval, Node, Plan, Schedule};

/// Amount and range of the noise added, with the names of the paper's table 5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// S_churn: over N steps the level is raised N times by the factor 1 + min(S_churn/N, √2 − 1).
    pub amount: f64,
    /// S_min and S_max: levels σ/α outside of them are left alone.
    pub low: f64,
    pub high: f64,
    /// S_noise: factor on the noise added, slightly above 1 against a model that denoises too much.
    pub noise: f64,
}

impl Default for Churn {
    /// None: the deterministic sampler.
    fn default() -> Self {
        Self { amount: 0.0, low: 0.0, high: f64::INFINITY, noise: 1.0 }
    }
}

impl Churn {
    /// The paper's choice for ImageNet-64 (table 5).
    pub const IMAGENET: Self = Self { amount: 40.0, low: 0.05, high: 50.0, noise: 1.003 };
}

/// Euler or Heun on d(x/α)/dρ = ε from the raised level; the last step, to σ = 0, is one of Euler.
///
/// As many evaluations per step as stages. Without churn the order is that of the tableau; with it the law at the end has
/// weak order 1 of a score that is exact, since the noise added is exactly what the level says for S_noise = 1.
#[derive(Clone, Copy, Debug)]
pub struct EdmStochastic {
    pub tableau: Tableau,
    pub churn: Churn,
}

impl EdmStochastic {
    fn inner(&self) -> RungeKutta {
        RungeKutta::new(self.tableau, Variable::Rho).with_euler_to_zero()
    }

    /// The level from which the step starts; the node itself if nothing is added there.
    fn raised(&self, at: &Interval) -> Node {
        let rho = at.from.rho();
        let Churn { amount, low, high, .. } = self.churn;
        let gamma = if (low..=high).contains(&rho) {
            (amount / at.steps.max(1) as f64).min(std::f64::consts::SQRT_2 - 1.0)
        } else {
            0.0
        };
        if gamma > 0.0 { at.schedule.node_of_lambda(at.from.lambda - gamma.ln_1p()) } else { at.from }
    }
}

impl Method for EdmStochastic {
    fn name(&self) -> &'static str {
        if self.tableau.order == 1 { "EDM stochastic Euler" } else { "EDM stochastic Heun" }
    }
    fn order(&self) -> u32 {
        if self.is_stochastic() { 1 } else { self.tableau.order }
    }
    fn is_stochastic(&self) -> bool {
        self.churn.amount > 0.0
    }
    fn cost(&self, steps: usize) -> usize {
        self.inner().cost(steps)
    }
    fn reaches(&self, schedule: &dyn Schedule, first: &Node, last: &Node) -> bool {
        self.inner().reaches(schedule, first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let from = self.raised(at);
        let mut plan = self.inner().plan(&Interval { from, ..*at });
        if from != at.from {
            let added = (from.rho().powi(2) - at.from.rho().powi(2)).max(0.0).sqrt();
            plan.lift = Some((from.alpha / at.from.alpha, from.alpha * added * self.churn.noise));
        }
        plan
    }
}
