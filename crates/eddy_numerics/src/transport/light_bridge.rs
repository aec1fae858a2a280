//! The light Schrödinger bridge: a bridge between two laws given by samples, whose potential is a Gaussian mixture.
//!
//! Among all processes from p₀ to p₁ the Schrödinger bridge is the one closest to Brownian motion of variance ε. Its
//! coupling has the form π(y|x) ∝ e^{⟨x, y⟩/ε} v(y). With v(y) = Σ α_k N(y; r_k, ε S_k), S_k diagonal, everything is
//! closed: π(y|x) is a mixture again, and ∫ e^{⟨x, y⟩/ε} v(y) dy = c(x) with
//! ln c(x) = ln Σ α_k exp((xᵀS_k x + 2 r_kᵀx)/(2ε)). The loss E ln c(x) − E ln v(y) differs from KL(π* ‖ π) by a constant,
//! so that plain gradient descent on samples learns the bridge; no simulation, no second network.
//!
//! Source: Korotin, Gushchin and Burnaev, "Light Schrödinger bridge", ICLR 2024 (the mixture, its transform, the loss).
//! A step costs O(batch · components · dimensions).

use std::f64::consts::TAU;

use crate::{
    diffusion::Batch,
    rng::{Philox, Stream},
};

/// Standard deviations of a component, in units of √ε, at the start.
const SPREAD: f64 = 0.1;

/// A bridge. Points are in `dim` dimensions; `epsilon` is the variance that the Brownian motion gathers in unit time.
#[derive(Clone, Debug)]
pub struct LightBridge {
    dim: usize,
    components: usize,
    epsilon: f64,
    /// ln α_k, then the r_k, then the logarithms of the diagonals of S_k; `dim` values each for component after component.
    pub parameters: Vec<f64>,
}

impl LightBridge {
    /// Equal weights, S = 0.1 I, centres at the first samples of the target (one after another, from the first again if
    /// there are fewer than `components`).
    pub fn from_samples(epsilon: f64, components: usize, target: &Batch<f64>) -> Self {
        let (dim, components) = (target.dim(), components.max(1));
        let mut parameters = vec![0.0; components * (1 + 2 * dim)];
        parameters[..components].fill(-(components as f64).ln());
        for k in 0..components {
            if !target.is_empty() {
                let centre = target.point(k % target.len());
                parameters[components + k * dim..][..dim].copy_from_slice(&centre);
            }
        }
        parameters[components * (1 + dim)..].fill(SPREAD.ln());
        Self { dim, components, epsilon, parameters }
    }

    pub fn dim(&self) -> usize {
        self.dim
    }
    pub fn components(&self) -> usize {
        self.components
    }
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }
    fn log_weights(&self) -> &[f64] {
        &self.parameters[..self.components]
    }
    fn centre(&self, k: usize) -> &[f64] {
        &self.parameters[self.components + k * self.dim..][..self.dim]
    }
    fn log_scales(&self, k: usize) -> &[f64] {
        &self.parameters[self.components * (1 + self.dim) + k * self.dim..][..self.dim]
    }

    /// ln of each term of c(x).
    fn transform_terms(&self, x: &[f64], terms: &mut [f64]) {
        for (k, term) in terms.iter_mut().enumerate() {
            let sum: f64 = x
                .iter()
                .zip(self.centre(k))
                .zip(self.log_scales(k))
                .map(|((x, r), log_s)| x * (log_s.exp() * x + 2.0 * r))
                .sum();
            *term = self.log_weights()[k] + 0.5 * sum / self.epsilon;
        }
    }

    /// ln of each term of v(y).
    fn potential_terms(&self, y: &[f64], terms: &mut [f64]) {
        for (k, term) in terms.iter_mut().enumerate() {
            let sum: f64 = y
                .iter()
                .zip(self.centre(k))
                .zip(self.log_scales(k))
                .map(|((y, r), log_s)| {
                    (TAU * self.epsilon).ln() + log_s + (y - r) * (y - r) / (self.epsilon * log_s.exp())
                })
                .sum();
            *term = self.log_weights()[k] - 0.5 * sum;
        }
    }

    /// ln c(x).
    pub fn log_transform(&self, x: &[f64]) -> f64 {
        let mut terms = vec![0.0; self.components];
        self.transform_terms(x, &mut terms);
        normalize(&mut terms)
    }

    /// ln v(y).
    pub fn log_potential(&self, y: &[f64]) -> f64 {
        let mut terms = vec![0.0; self.components];
        self.potential_terms(y, &mut terms);
        normalize(&mut terms)
    }

    /// The loss mean ln c(x) − mean ln v(y) over the batches, and its gradient by the parameters (overwritten).
    pub fn gradient(&self, x: &Batch<f64>, y: &Batch<f64>, gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let (n, d, eps) = (self.components, self.dim, self.epsilon);
        let mut terms = vec![0.0; n];
        let (mut point, mut loss) = (vec![0.0; d], 0.0);
        let (by_weight, rest) = gradient.split_at_mut(n);
        let (by_centre, by_scale) = rest.split_at_mut(n * d);
        for (batch, is_start) in [(x, true), (y, false)] {
            let share = 1.0 / batch.len().max(1) as f64;
            for i in 0..batch.len() {
                (0..d).for_each(|j| point[j] = batch.coordinate(j)[i]);
                if is_start {
                    self.transform_terms(&point, &mut terms);
                    loss += share * normalize(&mut terms);
                } else {
                    self.potential_terms(&point, &mut terms);
                    loss -= share * normalize(&mut terms);
                }
                let sign = if is_start { share } else { -share };
                for (k, p) in terms.iter().enumerate() {
                    // Components that have no part in this point do not move.
                    if *p < 1e-14 {
                        continue;
                    }
                    let p = sign * p;
                    by_weight[k] += p;
                    for j in 0..d {
                        let at = k * d + j;
                        let s = self.log_scales(k)[j].exp();
                        if is_start {
                            by_centre[at] += p * point[j] / eps;
                            by_scale[at] += 0.5 * p * s * point[j] * point[j] / eps;
                        } else {
                            let z = (point[j] - self.centre(k)[j]) / (eps * s);
                            by_centre[at] += p * z;
                            by_scale[at] += 0.5 * p * (eps * s * z * z - 1.0);
                        }
                    }
                }
            }
        }
        loss
    }

    /// E[y | x].
    pub fn mean(&self, x: &[f64]) -> Vec<f64> {
        let mut terms = vec![0.0; self.components];
        self.transform_terms(x, &mut terms);
        normalize(&mut terms);
        let mut out = vec![0.0; self.dim];
        for (k, p) in terms.iter().enumerate() {
            for (j, o) in out.iter_mut().enumerate() {
                *o += p * (self.centre(k)[j] + self.log_scales(k)[j].exp() * x[j]);
            }
        }
        out
    }

    /// One end y ~ π(y|x) for each start x.
    pub fn sample(&self, x: &Batch<f64>, rng: &Philox, stream: Stream, draw: u32) -> Batch<f64> {
        /// The counter word that picks the component; coordinates use chunks far below it.
        const PICK: u32 = 1 << 31;
        let mut out = Batch::zeros(self.dim, x.len());
        let mut terms = vec![0.0; self.components];
        for i in 0..x.len() {
            let point = x.point(i);
            self.transform_terms(&point, &mut terms);
            normalize(&mut terms);
            let mut u = rng.uniforms(stream, draw, i as u32, PICK)[0];
            let mut k = 0;
            while k + 1 < self.components && u >= terms[k] {
                u -= terms[k];
                k += 1;
            }
            for j in 0..self.dim {
                let z = rng.normals(stream, draw, i as u32, (j / 4) as u32)[j % 4];
                let s = self.log_scales(k)[j].exp();
                out.coordinate_mut(j)[i] = self.centre(k)[j] + s * point[j] + (self.epsilon * s).sqrt() * z;
            }
        }
        out
    }

    /// Drift of the bridge as a diffusion dX = g dt + √ε dW at (x, t), t in [0, 1): (E[y | x_t = x] − x)/(1 − t), where
    /// the law of y given x_t is e^{⟨x, y⟩/(ε(1−t))} e^{−t|y|²/(2ε(1−t))} v(y), normalized.
    pub fn drift(&self, x: &[f64], t: f64) -> Vec<f64> {
        let left = (1.0 - t).max(1e-12);
        let scale = 1.0 / (self.epsilon * left);
        let mut terms = vec![0.0; self.components];
        let mean = |k: usize, j: usize| {
            let variance = self.epsilon * self.log_scales(k)[j].exp();
            let precision = 1.0 / variance + t * scale;
            ((self.centre(k)[j] / variance + scale * x[j]) / precision, precision, variance)
        };
        for (k, term) in terms.iter_mut().enumerate() {
            let of = |j: usize| {
                let (m, precision, variance) = mean(k, j);
                m * m * precision - self.centre(k)[j].powi(2) / variance - (precision * variance).ln()
            };
            *term = self.log_weights()[k] + 0.5 * (0..self.dim).map(of).sum::<f64>();
        }
        normalize(&mut terms);
        (0..self.dim)
            .map(|j| {
                let end: f64 = terms.iter().enumerate().map(|(k, p)| p * mean(k, j).0).sum();
                (end - x[j]) / left
            })
            .collect()
    }
}

/// Cross-covariance E[x y] of the entropic coupling of N(0, a) and N(m, b) on the line: √(ab + ε²/4) − ε/2. The one of
/// Gaussians with commuting covariances follows axis by axis (Janati, Muzellec, Peyré, Cuturi, "Entropic optimal transport
/// between unbalanced Gaussian measures has a closed form", NeurIPS 2020, theorem 1, with the cost |x − y|²/2).
pub fn gaussian_cross_covariance(a: f64, b: f64, epsilon: f64) -> f64 {
    (a * b + 0.25 * epsilon * epsilon).sqrt() - 0.5 * epsilon
}

/// Makes shares of logarithms, and returns the logarithm of their sum.
fn normalize(terms: &mut [f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for term in terms.iter_mut() {
        *term = (*term - top).exp();
        total += *term;
    }
    terms.iter_mut().for_each(|t| *t /= total);
    top + total.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(dim: usize) -> LightBridge {
        let target = Batch::<f64>::normal(dim, 9, 1.3, &Philox::new(2), Stream::Data, 0);
        let mut bridge = LightBridge::from_samples(0.7, 4, &target);
        for (i, p) in bridge.parameters.iter_mut().enumerate() {
            *p += 0.3 * (1.7 * i as f64).sin();
        }
        bridge
    }

    #[test]
    fn gradient_against_differences() {
        let bridge = example(3);
        let x = Batch::normal(3, 20, 1.0, &Philox::new(1), Stream::Prior, 0);
        let y = Batch::normal(3, 15, 1.5, &Philox::new(1), Stream::Data, 0);
        let n = bridge.parameters.len();
        let mut g = vec![0.0; n];
        let loss = bridge.gradient(&x, &y, &mut g);
        let mean = |b: &Batch<f64>, f: &dyn Fn(&[f64]) -> f64| {
            (0..b.len()).map(|i| f(&b.point(i))).sum::<f64>() / b.len() as f64
        };
        let direct = mean(&x, &|p| bridge.log_transform(p)) - mean(&y, &|p| bridge.log_potential(p));
        assert!((loss - direct).abs() < 1e-12);
        let mut largest = 0.0_f64;
        for i in 0..n {
            let at = |h: f64| {
                let mut b = bridge.clone();
                b.parameters[i] += h;
                b.gradient(&x, &y, &mut vec![0.0; n])
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (g[i] - difference).abs() < 1e-8 * (1.0 + difference.abs()),
                "parameter {i}: {} {difference}",
                g[i]
            );
            largest = largest.max(g[i].abs());
        }
        assert!(largest > 0.05, "the comparison is of numbers that are not all small");
    }

    #[test]
    fn transform_is_the_integral_of_the_potential() {
        let bridge = example(1);
        for x in [-1.0, 0.2, 1.4] {
            // Trapezoidal rule on a smooth function that vanishes at the ends.
            let h = 1e-3;
            let term = |y: f64| (x * y / 0.7 + bridge.log_potential(&[y])).exp();
            let (mut sum, mut first) = (0.0, 0.0);
            for i in -20_000..20_000 {
                let y = f64::from(i) * h;
                sum += h * term(y);
                first += h * y * term(y);
            }
            assert!((sum.ln() - bridge.log_transform(&[x])).abs() < 1e-10);
            assert!((first / sum - bridge.mean(&[x])[0]).abs() < 1e-10);
            // At t = 0 the drift leads to the mean end.
            assert!((bridge.drift(&[x], 0.0)[0] - (bridge.mean(&[x])[0] - x)).abs() < 1e-10);
            assert!((bridge.drift(&[x], 0.3)[0] - (bridge.mean(&[x])[0] - x)).abs() > 1e-3, "a wrong time is seen");
        }
    }

    #[test]
    fn ends_have_the_law_of_their_mean() {
        let bridge = example(2);
        let x = Batch::from_points(2, &[0.4, -0.9].repeat(20_000));
        let y = bridge.sample(&x, &Philox::new(4), Stream::Path, 0);
        let mean = bridge.mean(&[0.4, -0.9]);
        for (j, mean) in mean.iter().enumerate() {
            let c = y.coordinate(j);
            let m = c.iter().sum::<f64>() / 20_000.0;
            let sd = (c.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / 20_000.0).sqrt();
            assert!((m - mean).abs() < 5.0 * sd / 20_000f64.sqrt(), "{m} {mean}");
        }
    }

    #[test]
    fn the_diffusion_arrives_where_the_coupling_says() {
        let bridge = example(1);
        let (count, steps) = (4000, 200);
        let mut x: Vec<f64> = vec![0.5; count];
        for k in 0..steps {
            let t = k as f64 / steps as f64;
            for (i, x) in x.iter_mut().enumerate() {
                let z = Philox::new(6).normals(Stream::Path, k as u32, i as u32, 0)[0];
                *x += bridge.drift(&[*x], t)[0] / steps as f64 + (0.7 / steps as f64).sqrt() * z;
            }
        }
        let direct = bridge.sample(&Batch::from_points(1, &vec![0.5; count]), &Philox::new(9), Stream::Data, 0);
        let moments = |v: &[f64]| {
            let m = v.iter().sum::<f64>() / v.len() as f64;
            (m, (v.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / v.len() as f64).sqrt())
        };
        let ((m, s), (mean, sd)) = (moments(&x), moments(direct.data()));
        // Five standard errors of the difference, and the bias of 200 steps.
        let error = 5.0 * sd * (2.0 / count as f64).sqrt() + 0.01;
        assert!((m - mean).abs() < error && (s - sd).abs() < error, "{m} {mean} {s} {sd}");
    }

    #[test]
    fn gaussian_coupling_is_stationary() {
        // One component with the S and r of the closed form has no gradient on the exact moments.
        let (a, b, eps) = (1.3, 0.6, 0.8);
        let s = gaussian_cross_covariance(a, b, eps) / a;
        let bridge = LightBridge { dim: 1, components: 1, epsilon: eps, parameters: vec![0.0, 0.4, s.ln()] };
        // Points ±√a have mean 0 and variance a; 0.4 ± √b likewise. The gradient sees moments up to the second only.
        let x = Batch::from_points(1, &[a.sqrt(), -a.sqrt()]);
        let y = Batch::from_points(1, &[0.4 + b.sqrt(), 0.4 - b.sqrt()]);
        let mut g = vec![0.0; 3];
        bridge.gradient(&x, &y, &mut g);
        assert!(g.iter().all(|g| g.abs() < 1e-12), "{g:?}");
        let wrong = LightBridge { parameters: vec![0.0, 0.4, (1.1 * s).ln()], ..bridge };
        wrong.gradient(&x, &y, &mut g);
        assert!(g.iter().any(|g| g.abs() > 1e-2), "{g:?}");
    }
}
