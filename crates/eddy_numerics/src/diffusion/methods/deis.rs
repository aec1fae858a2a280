use super::{Method, Variable, may_end_clean};
use crate::diffusion::{Combination, Interval, Node, Plan, Schedule, Source};
use crate::quadrature::gauss_legendre;

/// How the integrals of DEIS are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quadrature {
    /// To rounding.
    Exact,
    /// A left Riemann sum of 10,000 points, as in the authors' code (error about 10⁻⁴ of a coefficient): for comparing
    /// with it digit by digit.
    Riemann,
}

/// tAB-DEIS and ρAB-DEIS: Adams-Bashforth with the linear part solved exactly (Zhang & Chen 2023, equations 14 and 15,
/// and section 3.3 for ρ).
///
/// ε is replaced by the polynomial in t (or in ρ = σ/α) through its last `order + 1` values. The coefficients are
/// C_j = α_to ∫ ℓ_j dρ, here integrated over λ (dρ = −e^(−λ) dλ) by Gauss-Legendre. One evaluation per step; the first
/// steps use the lower orders (as published; the first one, of order 1, caps the order at 2 in the limit, far below the
/// accuracy at which it is used). Order 0 is DDIM. Works best on the quadratic grid at few steps.
#[derive(Clone, Copy, Debug)]
pub struct Deis {
    order: usize,
    variable: Variable,
    pub quadrature: Quadrature,
}

impl Deis {
    /// `order` is clamped to 0..=3 (tAB0 to tAB3).
    pub fn new(order: u32) -> Self {
        Self { order: order.min(3) as usize, variable: Variable::Time, quadrature: Quadrature::Exact }
    }
    /// The same with polynomials in ρ (ρAB0 to ρAB3).
    pub fn rho(order: u32) -> Self {
        Self { variable: Variable::Rho, ..Self::new(order) }
    }
}

impl Method for Deis {
    fn name(&self) -> &'static str {
        match self.variable {
            Variable::Time => ["DEIS-tAB0", "DEIS-tAB1", "DEIS-tAB2", "DEIS-tAB3"][self.order],
            Variable::Rho => ["DEIS-ρAB0", "DEIS-ρAB1", "DEIS-ρAB2", "DEIS-ρAB3"][self.order],
        }
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
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        // In t the integrand has no bound where σ = 0.
        may_end_clean(first, last) && (last.sigma > 0.0 || self.variable == Variable::Rho || self.order == 0)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let variable = |n: &Node| if self.variable == Variable::Time { n.t } else { n.rho() };
        let nodes: Vec<f64> = std::iter::once(&at.from).chain(at.past.iter().take(self.order)).map(variable).collect();
        let weights = match self.quadrature {
            Quadrature::Exact if self.variable == Variable::Rho => exact_in_rho(at, &nodes),
            Quadrature::Exact => exact(at, &nodes, &variable),
            Quadrature::Riemann => self.riemann(at, &nodes),
        };
        let source = |j: usize| if j == 0 { Source::Stage(0) } else { Source::Past(j - 1) };
        let state = at.to.alpha / at.from.alpha;
        let update = Combination::new(state, weights.iter().enumerate().map(|(j, c)| (source(j), *c)));
        Plan::simple(&at.from, update).remembering(Combination::source(Source::Stage(0)))
    }
}

/// The Lagrange polynomial of node j at u.
fn lagrange(nodes: &[f64], j: usize, u: f64) -> f64 {
    nodes.iter().enumerate().filter(|(i, _)| *i != j).map(|(_, s)| (u - s) / (nodes[j] - s)).product()
}

/// α_to ∫ ℓ_j dρ over the step for the Lagrange basis on `nodes`.
fn exact(at: &Interval, nodes: &[f64], variable: &dyn Fn(&Node) -> f64) -> Vec<f64> {
    if nodes.len() == 1 {
        return vec![at.from.transfer(&at.to).1];
    }
    // The integrand is smooth in λ over at most about 15 units: 32 points reach rounding.
    let (points, weights) = gauss_legendre(32);
    let (a, b) = (at.from.lambda, at.to.lambda);
    let mut out = vec![0.0; nodes.len()];
    for (u, w) in points.iter().zip(&weights) {
        let lambda = 0.5 * (a + b) + 0.5 * (b - a) * u;
        let u = variable(&at.schedule.node_of_lambda(lambda));
        // α_to e^(−λ) = σ_to e^(λ_to − λ): no overflow.
        let density = -at.to.sigma * (b - lambda).exp() * 0.5 * (b - a) * w;
        for (j, c) in out.iter_mut().enumerate() {
            *c += density * lagrange(nodes, j, u);
        }
    }
    out
}

/// The same in ρ, where ℓ_j itself is integrated: four points are exact for a cubic, also down to ρ = 0.
fn exact_in_rho(at: &Interval, nodes: &[f64]) -> Vec<f64> {
    let (points, weights) = gauss_legendre(4);
    let (a, b) = (at.from.rho(), at.to.rho());
    let integral = |j: usize| {
        let at_point = |u: &f64| lagrange(nodes, j, 0.5 * (a + b) + 0.5 * (b - a) * u);
        points.iter().zip(&weights).map(|(u, w)| w * at_point(u)).sum::<f64>()
    };
    (0..nodes.len()).map(|j| at.to.alpha * 0.5 * (b - a) * integral(j)).collect()
}

impl Deis {
    /// The same by the sum of the authors: in t of ψ(t, t_to) g²/2σ ℓ_j, in ρ of ℓ_j.
    fn riemann(&self, at: &Interval, nodes: &[f64]) -> Vec<f64> {
        const POINTS: usize = 10_000;
        let in_time = self.variable == Variable::Time;
        let (start, end) = if in_time { (at.from.t, at.to.t) } else { (at.from.rho(), at.to.rho()) };
        let width = (end - start) / POINTS as f64;
        let mut out = vec![0.0; nodes.len()];
        for i in 0..POINTS {
            let u = start + width * i as f64;
            let density =
                if in_time { at.to.alpha / at.schedule.alpha(u) * at.schedule.flow(u).1 } else { at.to.alpha };
            for (j, c) in out.iter_mut().enumerate() {
                *c += density * width * lagrange(nodes, j, u);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{Schedule, VpLinear};

    #[test]
    fn the_sum_tends_to_the_integral() {
        let schedule = VpLinear::default();
        let node = |t| schedule.node(t);
        let past = [node(0.5), node(0.6)];
        let at = Interval { schedule: &schedule, from: node(0.4), to: node(0.3), step: 2, steps: 10, past: &past };
        for method in [Deis::new(2), Deis::rho(2)] {
            let sum = Deis { quadrature: Quadrature::Riemann, ..method };
            let (a, b) = (method.plan(&at).update, sum.plan(&at).update);
            for ((_, x), (_, y)) in a.terms.iter().zip(&b.terms) {
                let error = (x - y).abs() / x.abs();
                // A left sum of n points errs by about (f(b) − f(a))/2n.
                assert!(error < 3e-4 && error > 1e-7, "{} {x} {y}", method.name());
            }
        }
    }
}
