//! DPM-Solver-v3 in the arithmetic of its authors' code: all integrals by the trapezoidal rule on the nodes of the table,
//! and every time a node (Zheng et al. 2023, appendix on implementation).

use super::{Node, model_statistics::ModelStatistics};

/// Integrals from the first node to each, of one coordinate.
#[derive(Clone, Debug)]
struct Sums {
    /// L = ∫ l and S = ∫ s.
    linear: Vec<f64>,
    scaling: Vec<f64>,
    /// I = ∫ e^(L + S), B = ∫ e^(−S) b, C = ∫ e^(L + S) B.
    growth: Vec<f64>,
    bias: Vec<f64>,
    joint: Vec<f64>,
}

/// The table of integrals, and how high derivatives are taken.
#[derive(Clone, Debug)]
pub struct TrapezoidRule {
    lambdas: Vec<f64>,
    sums: Vec<Sums>,
    /// Derivatives of g are its divided differences alone (the paper's pseudo high order), in predictor and corrector. The
    /// corrector then uses one value more.
    pub pseudo: (bool, bool),
}

impl TrapezoidRule {
    pub fn new(statistics: &ModelStatistics, pseudo: (bool, bool)) -> Self {
        let lambdas = statistics.lambdas();
        let cumulative = |f: &dyn Fn(usize) -> f64| {
            let mut out = vec![0.0];
            for k in 1..lambdas.len() {
                out.push(out[k - 1] + 0.5 * (lambdas[k] - lambdas[k - 1]) * (f(k) + f(k - 1)));
            }
            out
        };
        let sums = statistics.coordinates().iter().map(|row| {
            let linear = cumulative(&|k| row.linear[k]);
            let scaling = cumulative(&|k| row.scaling[k]);
            let both = |k: usize| (linear[k] + scaling[k]).exp();
            let growth = cumulative(&both);
            let bias = cumulative(&|k| (-scaling[k]).exp() * row.bias[k]);
            let joint = cumulative(&|k| both(k) * bias[k]);
            Sums { growth, bias, joint, linear, scaling }
        });
        Self { sums: sums.collect(), pseudo, lambdas }
    }

    /// The node of the table nearest to λ.
    pub fn nearest(&self, lambda: f64) -> usize {
        let last = self.lambdas.len() - 1;
        let part = (lambda - self.lambdas[0]) / (self.lambdas[last] - self.lambdas[0]);
        // A tie is rounded to even, as by the authors' code, also where rounding has moved it a little.
        let place = part * last as f64;
        let tie = 0.5 * (2.0 * place).round();
        let place = if (place - tie).abs() < 1e-9 { tie } else { place };
        place.round_ties_even().clamp(0.0, last as f64) as usize
    }
    /// λ of a node.
    pub fn lambda(&self, index: usize) -> f64 {
        self.lambdas[index.min(self.lambdas.len() - 1)]
    }

    /// One step of coordinate `d`: x ← carry · x + constant + Σ weight_j f_j, with f at `knots`, the first of which is
    /// `from`.
    pub fn step(&self, d: usize, from: &Node, to: &Node, knots: &[f64], pseudo: bool) -> (f64, f64, Vec<f64>) {
        let sums = &self.sums[d];
        let (s, t) = (self.nearest(from.lambda), self.nearest(to.lambda));
        let at: Vec<usize> = knots.iter().map(|k| self.nearest(*k)).collect();
        let scale = to.alpha * (sums.linear[s] - sums.linear[t]).exp();
        // ∫ e^(L + S) (λ − λ_s)^n from s to t, relative to its start.
        let moment = |n: usize| {
            if n == 0 {
                return (-sums.linear[s] - sums.scaling[s]).exp() * (sums.growth[t] - sums.growth[s]);
            }
            let f = |k: usize| {
                let exponent = sums.linear[k] + sums.scaling[k] - sums.linear[s] - sums.scaling[s];
                (self.lambdas[k] - self.lambdas[s]).powi(n as i32) * exponent.exp()
            };
            (s + 1..=t).map(|k| 0.5 * (self.lambdas[k] - self.lambdas[k - 1]) * (f(k) + f(k - 1))).sum::<f64>()
        };
        let moments: Vec<f64> = (0..knots.len()).map(moment).collect();
        let offsets: Vec<f64> = knots.iter().map(|k| k - knots[0]).collect();
        let mut weights = Vec::new();
        let mut constant = sums.joint[t] - sums.joint[s] - sums.bias[s] * (sums.growth[t] - sums.growth[s]);
        constant *= -to.alpha * (-sums.linear[t]).exp();
        for j in 0..knots.len() {
            let part: f64 = coefficients(&offsets, j, pseudo).iter().zip(&moments).map(|(c, m)| c * m).sum();
            // g_j = e^(S_s − S_j) f_j − e^(S_s) (B_j − B_s).
            weights.push(-scale * part * (sums.scaling[s] - sums.scaling[at[j]]).exp());
            constant += scale * part * sums.scaling[s].exp() * (sums.bias[at[j]] - sums.bias[s]);
        }
        (to.alpha / from.alpha * (sums.linear[s] - sums.linear[t]).exp(), constant, weights)
    }
}

/// What value j adds to the coefficient of each power of u in the polynomial through the values at `nodes`, the first of
/// which is 0. With `pseudo` the coefficient of u^n is the divided difference of the first n + 1 values.
fn coefficients(nodes: &[f64], j: usize, pseudo: bool) -> Vec<f64> {
    let n = nodes.len();
    let product = |upto: usize| (0..upto).filter(|i| *i != j).map(|i| nodes[j] - nodes[i]).product::<f64>();
    if pseudo {
        return (0..n).map(|k| if j <= k { 1.0 / product(k + 1) } else { 0.0 }).collect();
    }
    let mut out = vec![1.0 / product(n)];
    for (_, r) in nodes.iter().enumerate().filter(|(i, _)| *i != j) {
        // Times (u − r).
        out.push(0.0);
        for k in (0..out.len()).rev() {
            out[k] = if k > 0 { out[k - 1] } else { 0.0 } - r * out[k];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_by_their_coefficients() {
        let nodes = [0.0, -0.7, -1.9];
        let value = |u: f64| 0.3 - 1.1 * u + 0.8 * u * u;
        let sum = |n: usize, pseudo| (0..3).map(|j| coefficients(&nodes, j, pseudo)[n] * value(nodes[j])).sum::<f64>();
        for (n, exact) in [0.3, -1.1, 0.8].into_iter().enumerate() {
            assert!((sum(n, false) - exact).abs() < 1e-14, "{n}");
        }
        // The divided difference of two values has the slope half way between them, −1.1 + 0.8 · (−0.7).
        assert!((sum(1, true) + 1.66).abs() < 1e-14 && (sum(2, true) - 0.8).abs() < 1e-14);
    }

    #[test]
    fn constant_statistics_are_the_exponential_integrals() {
        // l = 1, s = b = 0: DDIM on x₀, exactly so as the table becomes fine.
        let statistics = ModelStatistics::table(0.0, 0.001, vec![(vec![1.0; 2001], vec![0.0; 2001], vec![0.0; 2001])]);
        let rule = TrapezoidRule::new(&statistics.unwrap(), (false, false));
        let node = |lambda: f64| Node { t: 0.0, alpha: 0.6, sigma: 0.8, lambda };
        let (carry, constant, weights) = rule.step(0, &node(0.5), &node(1.5), &[0.5], false);
        assert!((carry - (-1.0_f64).exp()).abs() < 1e-12 && constant == 0.0);
        assert!((weights[0] / (-0.6 * (1.0 - (-1.0_f64).exp())) - 1.0).abs() < 1e-6, "{weights:?}");
        assert!(ModelStatistics::table(0.0, 0.1, vec![(vec![1.0; 3], vec![0.0; 2], vec![0.0; 3])]).is_none());
    }
}
