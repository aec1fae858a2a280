//! Schedules x_t = a(t) x₁ + m(t) x₀ of least kinetic energy, x₀ normal, x₁ data with E|x₁|² = d.
//!
//! Per dimension the marginal velocity has the mean square a'² + m'² − (a' − a m'/m)² MMSE(a/m)/d, where MMSE is the error
//! of the exact denoiser. With a = r sin θ, m = r cos θ the energy is ∫ r'² + λ(θ) r² θ'² dt, and
//! λ(θ) = 1 − MMSE(tan θ)/(d cos² θ) in [0, 1] says how far the data are apart at that noise. With φ = ∫ √λ dθ this is the
//! flat metric of a cone: the optimal schedule is the straight chord from (r, φ) = (1, 0) to (1, Φ), of energy
//! 4 sin²(Φ/2). λ = 0 (Gaussian data) gives a rotation at r = 1, λ = 1 (separate points) the line a = t, m = 1 − t.
//!
//! Source: Shaul, Chen, Nickel, Le, Lipman, "On kinetic optimal probability paths for generative models", ICML 2023: the
//! energy and its bounds. The cone is our reduction of the paper's one-dimensional problem.

use std::f64::consts::FRAC_PI_2;

use crate::diffusion::{Batch, Mixture};

/// λ is kept above this, so that the angle does not jump where the data say next to nothing.
const LEAST: f64 = 1e-3;

/// λ(θ) by the exact denoiser, over pairs of data and noise: the mean square, per dimension, of the marginal velocity
/// E[cos θ x₁ − sin θ x₀ | x_θ] of a rotation. This equals 1 − MMSE/(d cos² θ), with an error that is small where λ is.
pub fn separation(data: &Mixture, theta: f64, samples: &Batch<f64>, noise: &Batch<f64>) -> f64 {
    let (a, m) = theta.sin_cos();
    let len = samples.len().min(noise.len());
    let mut sum = 0.0;
    for i in 0..len {
        let (x1, x0) = (samples.point(i), noise.point(i));
        let x: Vec<f64> = x1.iter().zip(&x0).map(|(x1, x0)| a * x1 + m * x0).collect();
        sum += marginal_velocity(data, &x, (a, m), (m, -a)).iter().map(|v| v * v).sum::<f64>();
    }
    sum / (len.max(1) * data.dim()) as f64
}

/// Angles at which λ is wanted: the middles of `count` equal parts of [0, π/2].
pub fn angles(count: usize) -> Vec<f64> {
    (0..count).map(|i| FRAC_PI_2 * (i as f64 + 0.5) / count as f64).collect()
}

/// The cone of a data set: λ as a step function on equal parts of [0, π/2].
#[derive(Clone, Debug, PartialEq)]
pub struct Cone {
    lambda: Vec<f64>,
    /// φ at the ends of the parts, from 0.
    phi: Vec<f64>,
}

impl Cone {
    /// From λ at [`angles`]; values are put into [0, 1], at least one is needed.
    pub fn new(lambda: &[f64]) -> Self {
        let clean = |v: &f64| if v.is_finite() { v.clamp(LEAST, 1.0) } else { LEAST };
        let lambda: Vec<f64> = if lambda.is_empty() { vec![LEAST] } else { lambda.iter().map(clean).collect() };
        let part = FRAC_PI_2 / lambda.len() as f64;
        let mut phi = vec![0.0];
        for (i, l) in lambda.iter().enumerate() {
            phi.push(phi[i] + part * l.sqrt());
        }
        Self { lambda, phi }
    }

    /// Φ, in (0, π/2].
    pub fn opening(&self) -> f64 {
        self.phi[self.lambda.len()]
    }

    /// Least energy per dimension, 4 sin²(Φ/2).
    pub fn least_energy(&self) -> f64 {
        4.0 * (0.5 * self.opening()).sin().powi(2)
    }

    /// φ(θ).
    pub fn phi(&self, theta: f64) -> f64 {
        let n = self.lambda.len();
        let at = (theta / FRAC_PI_2).clamp(0.0, 1.0) * n as f64;
        let i = (at as usize).min(n - 1);
        self.phi[i] + (at - i as f64) * (self.phi[i + 1] - self.phi[i])
    }

    fn theta(&self, phi: f64) -> f64 {
        let n = self.lambda.len();
        let i = self.phi.partition_point(|p| *p <= phi).clamp(1, n) - 1;
        let share = (phi - self.phi[i]) / (self.phi[i + 1] - self.phi[i]);
        FRAC_PI_2 * (i as f64 + share.clamp(0.0, 1.0)) / n as f64
    }

    /// The kinetic-optimal (a, m) at t in [0, 1].
    pub fn optimal(&self, t: f64) -> (f64, f64) {
        let (sin, cos) = self.opening().sin_cos();
        let (x, y) = (1.0 - t + t * cos, t * sin);
        let theta = self.theta(y.atan2(x));
        let r = x.hypot(y);
        (r * theta.sin(), r * theta.cos())
    }

    /// ∫ r'² + r² φ'² of a schedule t → (a, m), by chords of `steps` parts: their squared length on the unrolled cone.
    pub fn energy(&self, schedule: impl Fn(f64) -> (f64, f64), steps: usize) -> f64 {
        let point = |k: usize| {
            let (a, m) = schedule(k as f64 / steps as f64);
            let (sin, cos) = self.phi(a.atan2(m)).sin_cos();
            let r = a.hypot(m);
            (r * cos, r * sin)
        };
        let squares = (0..steps).map(|k| {
            let ((x0, y0), (x1, y1)) = (point(k), point(k + 1));
            (x1 - x0).powi(2) + (y1 - y0).powi(2)
        });
        squares.sum::<f64>() * steps as f64
    }
}

/// The marginal velocity E[a' x₁ + m' x₀ | x_t = x], finite also where m or a is 0.
pub fn marginal_velocity(data: &Mixture, x: &[f64], (a, m): (f64, f64), (da, dm): (f64, f64)) -> Vec<f64> {
    let (denoised, score) = (data.denoised(x, a, m), data.score(x, a, m));
    // E[x₀ | x] = −m ∇ ln p_t.
    denoised.iter().zip(&score).map(|(d, s)| da * d - dm * m * s).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diffusion::targets,
        quadrature::integrate,
        rng::{Philox, Stream},
    };

    fn cone() -> Cone {
        Cone::new(&angles(400).iter().map(|t| 0.05 + 0.9 * t.sin().powi(4)).collect::<Vec<_>>())
    }

    #[test]
    fn limits_are_the_line_and_the_rotation() {
        let (line, turn) = (Cone::new(&[1.0; 50]), Cone::new(&[0.0; 50]));
        for k in 0..=10 {
            let t = 0.1 * f64::from(k);
            let (a, m) = line.optimal(t);
            assert!((a - t).abs() < 1e-12 && (m - (1.0 - t)).abs() < 1e-12, "{t}: {a} {m}");
            let (a, m) = turn.optimal(t);
            let (sin, cos) = (FRAC_PI_2 * t).sin_cos();
            // λ is kept above a thousandth: the chord cuts the turn short by so little.
            assert!((a - sin).abs() < 1e-3 && (m - cos).abs() < 1e-3, "{t}: {a} {m}");
        }
        assert!((line.least_energy() - 2.0).abs() < 1e-12 && turn.least_energy() < 0.003);
    }

    #[test]
    fn the_chord_has_the_least_energy() {
        let cone = cone();
        let least = cone.energy(|t| cone.optimal(t), 2000);
        assert!((least / cone.least_energy() - 1.0).abs() < 1e-4, "{least} {}", cone.least_energy());
        // Every smooth change that keeps the ends costs energy, at second order in its size.
        for k in 1..=5 {
            let changed = |size: f64| {
                cone.energy(
                    |t| {
                        let (a, m) = cone.optimal(t);
                        let wave = size * (std::f64::consts::PI * f64::from(k) * t).sin();
                        (a + wave, m + 0.7 * wave)
                    },
                    2000,
                )
            };
            let (small, large) = (changed(0.02) - least, changed(0.04) - least);
            assert!(small > 0.0 && (large / small - 4.0).abs() < 1.0, "{k}: {small} {large}");
        }
    }

    #[test]
    fn separation_of_a_gaussian_and_of_two_points() {
        let (n, rng) = (20_000, Philox::new(1));
        let noise = Batch::normal(1, n, 1.0, &rng, Stream::Prior, 0);
        let gaussian = targets::single(&[0.0], 1.0);
        let samples = gaussian.sample(n, 1.0, 0.0, &rng, Stream::Data);
        let pair = Mixture::isotropic(1, &[vec![-1.0], vec![1.0]], 1e-4).unwrap();
        let points = pair.sample(n, 1.0, 0.0, &rng, Stream::Data);
        for theta in [0.4, 0.9, 1.3] {
            let l = separation(&gaussian, theta, &samples, &noise);
            assert!(l < 1e-20, "{theta}: {l}");
            // x₁ = ±1: the denoiser is tanh(a x/m²), and by symmetry the error is that given x₁ = 1.
            let (a, m) = theta.sin_cos();
            let error = |z: f64| {
                let guess = (a * (a + m * z) / (m * m)).tanh();
                (1.0 - guess).powi(2) * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt()
            };
            let mmse = integrate(error, -10.0, 10.0, 1e-10, 0.0, 200).value;
            let (exact, l) = (1.0 - mmse / (m * m), separation(&pair, theta, &points, &noise));
            assert!((l - exact).abs() < 0.06, "{theta}: {l} {exact}");
            assert!(theta < 0.5 || exact > 0.1, "a Gaussian would not pass for two points: {exact}");
        }
    }

    #[test]
    fn energy_on_the_cone_is_that_of_the_velocity() {
        // One schedule, by λ and by sampling |v|².
        let data = targets::ring(8, 1.4, 0.14);
        let (n, rng) = (4000, Philox::new(2));
        let noise = Batch::normal(2, n, 1.0, &rng, Stream::Prior, 0);
        let samples = data.sample(n, 1.0, 0.0, &rng, Stream::Data);
        let lambda: Vec<f64> = angles(60).iter().map(|t| separation(&data, *t, &samples, &noise)).collect();
        let predicted = Cone::new(&lambda).energy(|t| (t, 1.0 - t), 400);
        let (mut measured, parts) = (0.0, 60);
        for k in 0..parts {
            let t = (f64::from(k) + 0.5) / f64::from(parts);
            for i in 0..500 {
                let (x1, x0) = (samples.point(i), noise.point(i));
                let x = [t * x1[0] + (1.0 - t) * x0[0], t * x1[1] + (1.0 - t) * x0[1]];
                let v = marginal_velocity(&data, &x, (t, 1.0 - t), (1.0, -1.0));
                measured += (v[0] * v[0] + v[1] * v[1]) / (2.0 * 500.0 * f64::from(parts));
            }
        }
        assert!((predicted / measured - 1.0).abs() < 0.08, "{predicted} {measured}");
    }
}
