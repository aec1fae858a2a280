use super::Method;
use crate::diffusion::{Combination, Interval, Node, Plan, Source, ode::gauss_legendre};

/// tAB-DEIS: Adams-Bashforth with the linear part solved exactly (Zhang & Chen 2023, equations 14 and 15).
///
/// ε is replaced by the polynomial in t through its last `order + 1` values. With ρ = σ/α the coefficients are
/// C_j = α_to ∫ ℓ_j dρ, here integrated over λ (dρ = −e^(−λ) dλ) by Gauss-Legendre. One evaluation per step; the first
/// steps use the lower orders (as published; the first one, of order 1, caps the order at 2 in the limit, far below the
/// accuracy at which it is used). Order 0 is DDIM. Works best on the quadratic grid at few steps.
#[derive(Clone, Copy, Debug)]
pub struct Deis {
    order: usize,
}

impl Deis {
    /// `order` is clamped to 0..=3 (tAB0 to tAB3).
    pub fn new(order: u32) -> Self {
        Self { order: order.min(3) as usize }
    }
}

impl Method for Deis {
    fn name(&self) -> &'static str {
        ["DEIS-tAB0", "DEIS-tAB1", "DEIS-tAB2", "DEIS-tAB3"][self.order]
    }
    fn order(&self) -> u32 {
        self.order as u32 + 1
    }
    fn memory(&self) -> usize {
        self.order
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn plan(&self, at: &Interval) -> Plan {
        let times: Vec<f64> = std::iter::once(at.from.t).chain(at.past.iter().take(self.order).map(|n| n.t)).collect();
        let weights = coefficients(at, &times);
        let source = |j: usize| if j == 0 { Source::Stage(0) } else { Source::Past(j - 1) };
        let state = at.to.alpha / at.from.alpha;
        let update = Combination::new(state, weights.iter().enumerate().map(|(j, c)| (source(j), *c)));
        Plan::simple(&at.from, update).remembering(Combination::source(Source::Stage(0)))
    }
}

/// α_to ∫ ℓ_j(t(ρ)) dρ over the step for the Lagrange basis on `times`.
fn coefficients(at: &Interval, times: &[f64]) -> Vec<f64> {
    if times.len() == 1 {
        return vec![at.from.transfer(&at.to).1];
    }
    // The integrand is smooth in λ over at most about 15 units: 32 points reach rounding.
    let (points, weights) = gauss_legendre(32);
    let (a, b) = (at.from.lambda, at.to.lambda);
    let mut out = vec![0.0; times.len()];
    for (u, w) in points.iter().zip(&weights) {
        let lambda = 0.5 * (a + b) + 0.5 * (b - a) * u;
        let Node { t, .. } = at.schedule.node_of_lambda(lambda);
        // α_to e^(−λ) = σ_to e^(λ_to − λ): no overflow.
        let density = -at.to.sigma * (b - lambda).exp() * 0.5 * (b - a) * w;
        for (j, c) in out.iter_mut().enumerate() {
            let others = times.iter().enumerate().filter(|(i, _)| *i != j);
            *c += density * others.map(|(_, s)| (t - s) / (times[j] - s)).product::<f64>();
        }
    }
    out
}
