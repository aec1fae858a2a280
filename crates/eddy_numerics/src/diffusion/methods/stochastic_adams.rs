//! SA-Solver: a stochastic Adams method (Xue, Yi, Luo, Zhang, Sun, Li, Ma, "SA-Solver: stochastic Adams solver for fast
//! sampling of diffusion models", NeurIPS 2023).

use super::{Method, multistep::stage};
use crate::diffusion::{Combination, Interval, Node, Plan, Prediction, Source};
use crate::quadrature::gauss_legendre;

/// Predictor and corrector of Adams's kind on the family of reverse SDEs with noise of scale τ, whose marginals are the
/// same for every τ: 0 is the flow, 1 the usual reverse SDE. The value (x₀ or ε) is replaced by the polynomial in λ
/// through the last values; linear part and noise are exact (equations 14, 17, 18 of the paper).
///
/// One evaluation per step: the corrector uses the value at the predicted state and the same noise. Strong order 1 where
/// τ > 0, else that of the orders given (theorems 5.1 and 5.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StochasticAdams {
    /// Values of the predictor, 1 to 4.
    pub predictor: usize,
    /// Values of the corrector, the new one included, 1 to 4; 0 for none.
    pub corrector: usize,
    pub value: Prediction,
    pub tau: f64,
    /// Times of the ends of steps between which τ applies; it is 0 elsewhere.
    pub active: (f64, f64),
    /// Order 2 on x₀ with the slope weighted by half the step, as in the authors' code for few steps; a change of order h³.
    pub few_steps: bool,
    /// The last step is predicted only, and without noise, as in the authors' code for few steps. Otherwise the grid ends
    /// with its last node twice: the step between them evaluates there and corrects.
    pub skip_final: bool,
    /// The last steps lower their order.
    pub lower_final: bool,
}

impl Default for StochasticAdams {
    /// The authors' code.
    fn default() -> Self {
        Self {
            predictor: 3,
            corrector: 4,
            value: Prediction::Data,
            tau: 1.0,
            active: (0.0, f64::INFINITY),
            few_steps: true,
            skip_final: true,
            lower_final: true,
        }
    }
}

/// The most values of a polynomial.
const MOST: usize = 4;

impl StochasticAdams {
    /// With orders inside their ranges and a finite τ that is not negative.
    pub fn cleaned(mut self) -> Self {
        self.predictor = self.predictor.clamp(1, MOST);
        self.corrector = self.corrector.min(MOST);
        self.tau = if self.tau.is_finite() { self.tau.abs() } else { 0.0 };
        if self.value != Prediction::Data {
            self.value = Prediction::Epsilon;
        }
        self
    }

    /// The fewest steps: as many as start the highest order.
    pub fn least_steps(&self) -> usize {
        self.predictor.max(self.corrector.saturating_sub(1)).max(1)
    }

    fn tau_at(&self, end: &Node) -> f64 {
        if (self.active.0..=self.active.1).contains(&end.t) { self.tau } else { 0.0 }
    }

    /// Orders of predictor and corrector on the way to the end of step `step` (from 0).
    fn orders(&self, step: usize, steps: usize) -> (usize, usize) {
        let (mut predictor, mut corrector) = (self.predictor.min(step + 1), self.corrector.min(step + 2));
        if self.lower_final && step + 1 >= self.least_steps() && steps > 0 {
            predictor = predictor.min(steps.saturating_sub(step).max(1));
            corrector = corrector.min(steps.saturating_sub(step) + 1);
        }
        (predictor, corrector)
    }

    /// Weights of the values at `knots` (newest first) in the step from `from` to `to` with noise of scale `tau`.
    fn weights(&self, from: &Node, to: &Node, tau: f64, knots: &[f64], corrects: bool) -> Vec<f64> {
        let data = self.value == Prediction::Data;
        let kappa = 1.0 + tau * tau;
        // With u = λ_to − λ the factor inside the integral is e^(−κu) for x₀ and e^u for ε.
        let (scale, rate) = if data { (kappa * to.alpha, -kappa) } else { (-kappa * to.sigma, 1.0) };
        let h = to.lambda - from.lambda;
        let (points, weights) = gauss_legendre(10);
        // Ten points integrate a cubic times an exponential over a piece of rate · length ≤ 1 to rounding.
        let pieces = (h * rate.abs()).ceil().clamp(1.0, 1e4);
        let half = 0.5 * h / pieces;
        let mut sums = vec![0.0; knots.len()];
        for piece in 0..pieces as usize {
            let middle = half * (2 * piece + 1) as f64;
            for (p, w) in points.iter().zip(&weights) {
                let u = middle + half * p;
                let factor = half * w * (rate * u).exp();
                for (j, sum) in sums.iter_mut().enumerate() {
                    let others = knots.iter().enumerate().filter(|(i, _)| *i != j);
                    let basis: f64 = others.map(|(_, k)| (to.lambda - u - k) / (knots[j] - k)).product();
                    *sum += factor * basis;
                }
            }
        }
        if self.few_steps && data && knots.len() == 2 {
            let z = kappa * h;
            // ∫ e^(−κu) (h − u) du, and h²/2 in its place.
            let slope = (z + (-z).exp_m1()) / (kappa * kappa);
            let change = (0.5 * h * h - slope) / if corrects { h } else { knots[0] - knots[1] };
            sums[0] += change;
            sums[1] -= change;
        }
        sums.iter_mut().for_each(|s| *s *= scale);
        sums
    }

    /// The weighted values of a step from `from` to `to`, where `values` are known, newest first.
    fn push(&self, from: &Node, to: &Node, tau: f64, values: &[(f64, Source)], corrects: bool) -> Combination {
        let knots: Vec<f64> = values.iter().map(|v| v.0).collect();
        let weights = self.weights(from, to, tau, &knots, corrects);
        Combination::new(0.0, values.iter().zip(weights).map(|((_, source), w)| (*source, w)))
    }
}

impl Method for StochasticAdams {
    fn name(&self) -> &'static str {
        "SA-Solver"
    }
    fn order(&self) -> u32 {
        if self.tau > 0.0 { 1 } else { self.predictor.max(self.corrector) as u32 }
    }
    fn is_stochastic(&self) -> bool {
        self.tau > 0.0
    }
    fn memory(&self) -> usize {
        MOST
    }
    fn cost(&self, steps: usize) -> usize {
        // The correction of the last state takes one more.
        if steps == 0 { 0 } else { steps + usize::from(!self.skip_final) }
    }
    fn plan(&self, at: &Interval) -> Plan {
        let (from, to) = (&at.from, &at.to);
        let known: Vec<(f64, Source)> = std::iter::once((from.lambda, Source::Stage(0)))
            .chain(at.past.iter().enumerate().map(|(j, n)| (n.lambda, Source::Past(j))))
            .collect();
        let stages = vec![stage(self.value, *from, Combination::identity())];
        // The state at the start of this step, corrected, is what a trajectory shows.
        let with_correction = |mut plan: Plan, corrected: Combination| {
            plan.corrects = corrected != Combination::identity();
            plan.carry = Some(corrected);
            plan
        };
        let steps = at.steps.saturating_sub(usize::from(!self.skip_final));
        // Predictor and corrector differ in the weights only: linear part and noise are the same.
        let mut corrected = Combination::identity();
        if let Some(before) = at.past.first().filter(|_| self.corrector > 0) {
            let (predictor, corrector) = self.orders(at.step - 1, steps);
            let tau = self.tau_at(from);
            let predicted = self.push(before, from, tau, &known[1..=predictor.min(known.len() - 1)], false);
            let better = self.push(before, from, tau, &known[..corrector.min(known.len())], true);
            corrected = corrected.plus(-1.0, &predicted).plus(1.0, &better);
        }
        if from.t == to.t {
            return with_correction(Plan::new(stages, corrected.clone()), corrected);
        }
        let (predictor, _) = self.orders(at.step, steps);
        let tau = if self.skip_final && steps > 0 && at.step + 1 == steps { 0.0 } else { self.tau_at(to) };
        let tau2 = tau * tau;
        let h = to.lambda - from.lambda;
        let (carry, noise) = if self.value == Prediction::Data {
            (to.sigma / from.sigma * (-tau2 * h).exp(), to.sigma * (-(-2.0 * tau2 * h).exp_m1()).sqrt())
        } else {
            (to.alpha / from.alpha, tau * to.sigma * (2.0 * h).exp_m1().sqrt())
        };
        let values = &known[..predictor.min(known.len())];
        let update = corrected.clone().times(carry).plus(1.0, &self.push(from, to, tau, values, false));
        let plan = Plan::new(stages, update).remembering(Combination::source(Source::Stage(0))).with_noise(noise);
        with_correction(plan, corrected)
    }
}
