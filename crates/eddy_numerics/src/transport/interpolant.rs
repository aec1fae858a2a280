//! Stochastic interpolants between two Gaussian mixtures, with exact velocity and score.
//!
//! x_t = a(t) x₀ + b(t) x₁ + γ(t) z with independent x₀, x₁ and normal z. Every pair (k, l) of components makes x_t normal
//! with mean m = a μ_k + b ν_l and variance V = a² s_k² + b² r_l² + γ², and given the pair the three parts of x_t are
//! normal too, so that
//!
//! - the velocity E[a' x₀ + b' x₁ + γ' z | x_t] is Σ p_kl (a' μ_k + b' ν_l + (a a' s_k² + b b' r_l² + γγ') (x − m)/V);
//! - the score is −Σ p_kl (x − m)/V.
//!
//! The law of x_t is that of dX = v dt, and for every ε ≥ 0 that of dX = (v + ε score) dt + √(2ε) dW. Source: Albergo,
//! Boffi and Vanden-Eijnden, "Stochastic interpolants: a unifying framework for flows and diffusions", 2023.

use super::TransportError;
use crate::{
    diffusion::{Batch, Mixture, Shape},
    rng::{Philox, Stream},
};

/// How much of start and end is in x_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blend {
    /// 1 − t and t.
    Linear,
    /// cos(πt/2) and sin(πt/2).
    Trigonometric,
}

impl Blend {
    /// a, b, a', b'.
    fn at(self, t: f64) -> [f64; 4] {
        match self {
            Self::Linear => [1.0 - t, t, -1.0, 1.0],
            Self::Trigonometric => {
                let half = std::f64::consts::FRAC_PI_2;
                let (s, c) = (half * t).sin_cos();
                [c, s, -half * s, half * c]
            }
        }
    }
}

/// An interpolant with γ² = `noise` · t (1 − t).
#[derive(Clone, Debug)]
pub struct Interpolant {
    source: Mixture,
    target: Mixture,
    blend: Blend,
    noise: f64,
}

/// One pair of components at a time.
struct Pair {
    log_weight: f64,
    mean: Vec<f64>,
    drift: Vec<f64>,
    /// 1/V.
    precision: f64,
    /// Growth rate (1/2) V'/V.
    growth: f64,
}

impl Interpolant {
    /// Fails unless the mixtures have the same dimension and round components.
    pub fn new(source: Mixture, target: Mixture, blend: Blend, noise: f64) -> Result<Self, TransportError> {
        let round = |m: &Mixture| m.components().iter().all(|c| matches!(c.shape, Shape::Isotropic { .. }));
        if source.dim() != target.dim() {
            return Err(TransportError::Dimensions { start: source.dim(), target: target.dim() });
        }
        if !round(&source) || !round(&target) {
            return Err(TransportError::Shape);
        }
        if !(noise >= 0.0 && noise.is_finite()) {
            return Err(TransportError::Noise);
        }
        Ok(Self { source, target, blend, noise })
    }

    pub fn dim(&self) -> usize {
        self.source.dim()
    }
    pub fn source(&self) -> &Mixture {
        &self.source
    }
    pub fn target(&self) -> &Mixture {
        &self.target
    }

    fn pairs(&self, t: f64) -> Vec<Pair> {
        let [a, b, da, db] = self.blend.at(t);
        let (gamma2, gamma_rate) = (self.noise * t * (1.0 - t), 0.5 * self.noise * (1.0 - 2.0 * t));
        let sd = |shape: &Shape| match shape {
            Shape::Isotropic { sd } => *sd,
            // Refused in `new`.
            Shape::Full { .. } => f64::NAN,
        };
        let mut out = Vec::with_capacity(self.source.components().len() * self.target.components().len());
        for k in self.source.components() {
            for l in self.target.components() {
                let (s2, r2) = (sd(&k.shape).powi(2), sd(&l.shape).powi(2));
                let variance = a * a * s2 + b * b * r2 + gamma2;
                let mix = |p: f64, q: f64| k.mean.iter().zip(&l.mean).map(|(u, v)| p * u + q * v).collect();
                out.push(Pair {
                    log_weight: (k.weight * l.weight).ln() - 0.5 * self.dim() as f64 * variance.ln(),
                    mean: mix(a, b),
                    drift: mix(da, db),
                    precision: 1.0 / variance,
                    growth: (a * da * s2 + b * db * r2 + gamma_rate) / variance,
                });
            }
        }
        out
    }

    /// Velocity and score of all points at time t in [0, 1]. O(points · pairs of components).
    pub fn fields(&self, x: &Batch<f64>, t: f64, velocity: &mut Batch<f64>, score: &mut Batch<f64>) {
        let (dim, pairs) = (self.dim(), self.pairs(t));
        let mut logs = vec![0.0; pairs.len()];
        let (mut point, mut v, mut s) = (vec![0.0; dim], vec![0.0; dim], vec![0.0; dim]);
        for i in 0..x.len() {
            (0..dim).for_each(|d| point[d] = x.coordinate(d)[i]);
            log_terms(&pairs, &point, &mut logs);
            let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut total = 0.0;
            (v.fill(0.0), s.fill(0.0));
            for (pair, log) in pairs.iter().zip(&logs) {
                let p = (log - top).exp();
                total += p;
                for d in 0..dim {
                    let off = point[d] - pair.mean[d];
                    v[d] += p * (pair.drift[d] + pair.growth * off);
                    s[d] -= p * pair.precision * off;
                }
            }
            for d in 0..dim {
                velocity.coordinate_mut(d)[i] = v[d] / total;
                score.coordinate_mut(d)[i] = s[d] / total;
            }
        }
    }

    /// ln p_t at points in array-of-structures order.
    pub fn log_densities(&self, points: &[f64], t: f64) -> Vec<f64> {
        let pairs = self.pairs(t);
        let mut logs = vec![0.0; pairs.len()];
        let constant = 0.5 * self.dim() as f64 * std::f64::consts::TAU.ln();
        let log_density = |x: &[f64]| {
            log_terms(&pairs, x, &mut logs);
            let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            top + logs.iter().map(|l| (l - top).exp()).sum::<f64>().ln() - constant
        };
        points.chunks_exact(self.dim()).map(log_density).collect()
    }

    /// Exact samples of x_t, made of samples of its three parts; the components in their exact proportions.
    pub fn sample(&self, len: usize, t: f64, rng: &Philox) -> Batch<f64> {
        let [a, b, ..] = self.blend.at(t);
        // Each set lists its components in order: one of them must be shuffled, or they would be coupled.
        let start = self.source.sample(len, 1.0, 0.0, rng, Stream::Data);
        let end = self.target.sample_stratified(len, 1.0, 0.0, rng, Stream::Control);
        let mut out = Batch::normal(self.dim(), len, (self.noise * t * (1.0 - t)).sqrt(), rng, Stream::Corrector, 0);
        out.combine(1.0, &[(a, &start), (b, &end)]);
        out
    }
}

fn log_terms(pairs: &[Pair], x: &[f64], logs: &mut [f64]) {
    for (log, pair) in logs.iter_mut().zip(pairs) {
        let square: f64 = x.iter().zip(&pair.mean).map(|(x, m)| (x - m) * (x - m)).sum();
        *log = pair.log_weight - 0.5 * pair.precision * square;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::targets;

    fn example(blend: Blend, noise: f64) -> Interpolant {
        Interpolant::new(targets::ring(3, 1.5, 0.4), targets::three(), blend, noise).unwrap()
    }

    #[test]
    fn density_is_carried_by_the_velocity_and_has_the_score() {
        for (blend, noise) in [(Blend::Linear, 0.0), (Blend::Linear, 2.0), (Blend::Trigonometric, 0.7)] {
            let it = example(blend, noise);
            let (t, h) = (0.37, 1e-4);
            let density = |x: f64, y: f64, t: f64| it.log_densities(&[x, y], t)[0].exp();
            let flux = |x: f64, y: f64| {
                let (mut v, mut s) = (Batch::zeros(2, 1), Batch::zeros(2, 1));
                it.fields(&Batch::from_points(2, &[x, y]), t, &mut v, &mut s);
                let p = density(x, y, t);
                ([v.data()[0], v.data()[1]], [s.data()[0], s.data()[1]], p)
            };
            for (x, y) in [(0.2, 0.4), (-0.7, 0.1), (0.5, -0.9)] {
                let (v, s, p) = flux(x, y);
                let rate = (density(x, y, t + h) - density(x, y, t - h)) / (2.0 * h);
                let along_x =
                    (flux(x + h, y).0[0] * flux(x + h, y).2 - flux(x - h, y).0[0] * flux(x - h, y).2) / (2.0 * h);
                let along_y =
                    (flux(x, y + h).0[1] * flux(x, y + h).2 - flux(x, y - h).0[1] * flux(x, y - h).2) / (2.0 * h);
                assert!((rate + along_x + along_y).abs() < 1e-6 * (1.0 + rate.abs()), "{rate} {along_x} {along_y}");
                assert!(rate.abs() > 1e-3, "the terms are not all small: {rate}");
                let slope = (density(x + h, y, t) - density(x - h, y, t)) / (2.0 * h) / p;
                assert!((slope - s[0]).abs() < 1e-6, "{slope} {}", s[0]);
                assert!(v[0].is_finite());
            }
        }
    }

    #[test]
    fn ends_are_the_two_mixtures_and_the_middle_is_sampled() {
        let it = example(Blend::Linear, 1.0);
        let x = [0.3, -0.5];
        assert!((it.log_densities(&x, 0.0)[0] - it.source().log_density(&x, 1.0, 0.0)).abs() < 1e-12);
        assert!((it.log_densities(&x, 1.0)[0] - it.target().log_density(&x, 1.0, 0.0)).abs() < 1e-12);
        // Second moment of the exact samples against the formula.
        let (n, t) = (40_000, 0.6);
        let samples = it.sample(n, t, &Philox::new(3));
        let measured: f64 = samples.data().iter().map(|v| v * v).sum::<f64>() / n as f64;
        let mean = |m: &Mixture, d: usize| m.components().iter().map(|c| c.weight * c.mean[d]).sum::<f64>();
        let cross: f64 = (0..2).map(|d| mean(it.source(), d) * mean(it.target(), d)).sum();
        let expected = 0.16 * it.source().mean_square()
            + 0.36 * it.target().mean_square()
            + 2.0 * 0.24 * cross
            + 2.0 * 1.0 * t * (1.0 - t);
        assert!((measured / expected - 1.0).abs() < 0.03, "{measured} {expected}");
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let round = targets::three();
        let other = targets::single(&[0.0; 3], 1.0);
        assert!(matches!(
            Interpolant::new(round.clone(), other, Blend::Linear, 0.0),
            Err(TransportError::Dimensions { start: 2, target: 3 })
        ));
        assert_eq!(Interpolant::new(round.clone(), round, Blend::Linear, f64::NAN).unwrap_err(), TransportError::Noise);
    }
}
