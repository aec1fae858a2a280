//! The von Mises-Fisher distribution on the sphere in R^d: density ∝ e^{κ μ·x}. Its mean has length A_d(κ) = I_{d/2}/I_{d/2-1}.

use super::log_bessel::log_bessel_i;
use crate::rng::{Philox, Stream};

/// A_d(κ) for d ≥ 2, κ > 0, as the exponential of a difference of logarithms. Relative error some 1e-12 at d = 32768.
pub fn mean_length(dimension: f64, kappa: f64) -> f64 {
    (log_bessel_i(0.5 * dimension, kappa) - log_bessel_i(0.5 * dimension - 1.0, kappa)).exp()
}

/// A fitted concentration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    pub kappa: f64,
    pub steps: u32,
}

/// The κ whose mean has the length `resultant` in (0, 1): the start of Banerjee et al. (2005), R (d - R²)/(1 - R²), then Newton with
/// A' = 1 - A² - (d - 1) A/κ (Sra 2012). `mean_length` may be another function of (d, κ). `None` if a step leaves the positive
/// numbers, as it does where the function is not finite.
pub fn fit_kappa(dimension: f64, resultant: f64, mean_length: impl Fn(f64, f64) -> f64) -> Option<Fit> {
    let mut kappa = resultant * (dimension - resultant * resultant) / (1.0 - resultant * resultant);
    for steps in 1..=50 {
        let a = mean_length(dimension, kappa);
        let slope = 1.0 - a * a - (dimension - 1.0) * a / kappa;
        let next = kappa - (a - resultant) / slope;
        if !(next.is_finite() && next > 0.0) {
            return None;
        }
        let change = (next / kappa - 1.0).abs();
        kappa = next;
        // A carries the rounding of two logarithms of size d; asking for more would only wander.
        if change < 1e-11 * dimension.sqrt() {
            return Some(Fit { kappa, steps });
        }
    }
    None
}

/// Random numbers of one sample, as many as its rejections take.
struct Draws {
    random: Philox,
    sample: u32,
    next: u32,
}

impl Draws {
    fn normal(&mut self) -> f64 {
        self.next += 1;
        self.random.normals(Stream::Data, self.next, self.sample, 0)[0]
    }
    fn uniform(&mut self) -> f64 {
        self.next += 1;
        self.random.uniforms(Stream::Data, self.next, self.sample, 1)[0]
    }

    /// Gamma(shape, 1) for shape > 0: Marsaglia and Tsang (2000); below one through shape + 1.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = self.uniform().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let z = self.normal();
            let v = (1.0 + c * z).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * z * z + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// μ·x of a von Mises-Fisher sample: Wood (1994), rejection from a transformed beta variable.
    fn along(&mut self, dimension: f64, kappa: f64) -> f64 {
        let m = dimension - 1.0;
        let b = m / (2.0 * kappa + (4.0 * kappa * kappa + m * m).sqrt());
        let x0 = (1.0 - b) / (1.0 + b);
        let c = kappa * x0 + m * (1.0 - x0 * x0).ln();
        loop {
            let (g, h) = (self.gamma(0.5 * m), self.gamma(0.5 * m));
            let z = g / (g + h);
            let w = (1.0 - (1.0 + b) * z) / (1.0 - (1.0 - b) * z);
            if kappa * w + m * (1.0 - x0 * w).ln() - c >= self.uniform().ln() {
                return w;
            }
        }
    }
}

/// Length of the mean of `count` samples, exactly in distribution, in O(count) whatever the dimension.
///
/// Of a sample only μ·x = w matters for the sum along μ; the rest is √(1-w²) times a uniform direction in R^{d-1}, and the length
/// of a sum of such vectors grows as S² ← S² + r² + 2 S r cos θ with the cosine between a fixed and a uniform direction,
/// z/√(z² + χ²_{d-2}). `dimension` ≥ 3.
pub fn sample_resultant(dimension: u32, kappa: f64, count: u32, seed: u32) -> f64 {
    let d = f64::from(dimension);
    let (mut along, mut across) = (0.0, 0.0_f64);
    for sample in 0..count {
        let mut draws = Draws { random: Philox::new(seed), sample, next: 0 };
        let w = draws.along(d, kappa);
        along += w;
        let r = (1.0 - w * w).max(0.0).sqrt();
        let z = draws.normal();
        let cosine = z / (z * z + 2.0 * draws.gamma(0.5 * (d - 2.0))).sqrt();
        across = (across * across + r * r + 2.0 * across * r * cosine).max(0.0).sqrt();
    }
    along.hypot(across) / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_known_in_three_dimensions() {
        for kappa in [0.01_f64, 1.0, 30.0, 400.0] {
            // A₃ = coth κ - 1/κ, by its series for a small κ.
            let exact = if kappa < 0.1 { kappa / 3.0 - kappa.powi(3) / 45.0 } else { 1.0 / kappa.tanh() - 1.0 / kappa };
            assert!((mean_length(3.0, kappa) / exact - 1.0).abs() < 1e-9, "{kappa}");
            assert!((mean_length(4.0, kappa) / exact - 1.0).abs() > 1e-4, "the comparison sees the dimension");
            let fit = fit_kappa(3.0, exact, mean_length).unwrap();
            assert!((fit.kappa / kappa - 1.0).abs() < 1e-7, "{kappa}: {fit:?}");
        }
        assert_eq!(fit_kappa(2048.0, 0.5, |_, _| f64::NAN), None);
    }

    #[test]
    fn the_fit_inverts_the_mean_in_high_dimensions() {
        for d in [2048.0, 8192.0, 32_768.0] {
            for ratio in [0.05, 1.0, 5.0] {
                let kappa = ratio * d;
                let fit = fit_kappa(d, mean_length(d, kappa), mean_length).unwrap();
                assert!((fit.kappa / kappa - 1.0).abs() < 1e-8, "{d} {kappa} {fit:?}");
            }
        }
    }

    #[test]
    fn samples_have_the_mean_length_they_should() {
        for (d, kappa) in [(3, 2.0), (3, 50.0), (10, 8.0), (200, 150.0), (8192, 8192.0)] {
            let n = 4000;
            let r = sample_resultant(d, kappa, n, 11);
            let a = mean_length(f64::from(d), kappa);
            // E R² = A² + (1 - A²)/n; the spread along μ is at most √(A'/n).
            let expected = (a * a + (1.0 - a * a) / f64::from(n)).sqrt();
            let slope = 1.0 - a * a - (f64::from(d) - 1.0) * a / kappa;
            let sd = (slope / f64::from(n)).sqrt();
            assert!((r - expected).abs() < 4.5 * sd + 2e-5, "d = {d}: {r} {expected} {sd}");
            let other = mean_length(f64::from(d), 0.8 * kappa);
            assert!((r - other).abs() > 10.0 * sd, "the comparison sees κ");
        }
    }

    /// Whole vectors, drawn the plain way, against the recursion of lengths.
    #[test]
    fn lengths_are_those_of_vectors() {
        let (d, kappa, n) = (6_u32, 1.5, 50_u32);
        let rounds = 400;
        let mean = |f: &dyn Fn(u32) -> f64| (0..rounds).map(f).sum::<f64>() / f64::from(rounds);
        let short = mean(&|seed| sample_resultant(d, kappa, n, seed));
        let long = mean(&|seed| {
            let mut sum = vec![0.0; d as usize];
            for sample in 0..n {
                let mut draws = Draws { random: Philox::new(seed + 7000), sample, next: 0 };
                let w = draws.along(f64::from(d), kappa);
                let direction: Vec<f64> = (1..d).map(|_| draws.normal()).collect();
                let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
                sum[0] += w;
                for (s, v) in sum[1..].iter_mut().zip(&direction) {
                    *s += (1.0 - w * w).sqrt() * v / length;
                }
            }
            sum.iter().map(|v| v * v).sum::<f64>().sqrt() / f64::from(n)
        });
        // The spread of one length is about 1/√(n d).
        let sd = (2.0 / f64::from(n * d * rounds)).sqrt();
        assert!((short - long).abs() < 4.0 * sd, "{short} {long} {sd}");
    }
}
