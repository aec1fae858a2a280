//! Mixtures of one width in many dimensions: posterior mean and its Jacobian in closed form, fast enough for pictures.
//!
//! With x₀ ~ Σ w_k N(m_k, s² I), x = α x₀ + σ ε and v = α² s² + σ²,
//!
//! E[x₀ | x] = (σ²/v) Σ r_k m_k + (α s²/v) x,  r_k ∝ w_k exp(−|x − α m_k|²/2v),
//!
//! and by differentiating r_k, ∂E[x₀ | x]/∂x = (α s²/v) I + (α σ²/v²) Cov_r(m). The second is symmetric, so its product with
//! a vector is at the same time the vector-Jacobian product that a gradient through the denoiser needs.

use super::DiffusionError;

/// Equal or given weights, one standard deviation. Counts what it is asked, a point at a time.
#[derive(Clone, Debug)]
pub struct Templates {
    dim: usize,
    /// Row by row.
    means: Vec<f64>,
    squares: Vec<f64>,
    log_weights: Vec<f64>,
    variance: f64,
    shares: Vec<f64>,
    evaluations: u64,
    products: u64,
    operations: u64,
}

/// Shares below this do not move a mean of numbers of order 1 by a rounding error.
const NEGLIGIBLE: f64 = 1e-17;

impl Templates {
    /// From means in array-of-structures order, with equal weights. Fails without means or on a width that is not positive.
    pub fn new(dim: usize, means: Vec<f64>, sd: f64) -> Result<Self, DiffusionError> {
        let count = means.len().checked_div(dim).unwrap_or(0);
        let wrong = |what| DiffusionError::Component { index: 0, what };
        if dim == 0 {
            return Err(DiffusionError::Dimension);
        }
        if count == 0 {
            return Err(DiffusionError::NoWeight);
        }
        if !(sd.is_finite() && sd > 0.0) {
            return Err(wrong("its standard deviation must be above 0"));
        }
        if count * dim != means.len() || means.iter().any(|m| !m.is_finite()) {
            return Err(wrong("its mean must have one finite number per dimension"));
        }
        let squares = means.chunks_exact(dim).map(|m| dot(m, m)).collect();
        Ok(Self {
            dim,
            squares,
            log_weights: vec![-(count as f64).ln(); count],
            shares: vec![0.0; count],
            means,
            variance: sd * sd,
            evaluations: 0,
            products: 0,
            operations: 0,
        })
    }

    pub fn dim(&self) -> usize {
        self.dim
    }
    pub fn count(&self) -> usize {
        self.squares.len()
    }
    pub fn mean(&self, k: usize) -> &[f64] {
        &self.means[k * self.dim..][..self.dim]
    }
    /// Denoised points so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }
    /// Products with the Jacobian so far.
    pub fn products(&self) -> u64 {
        self.products
    }
    /// Multiplications of a mean's coordinate so far, the work that grows with the number of components.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Writes E[x₀ | x] at noise level (α, σ): one evaluation.
    pub fn denoise(&mut self, x: &[f64], alpha: f64, sigma: f64, out: &mut [f64]) {
        self.evaluations += 1;
        self.share(x, alpha, sigma);
        self.mix(x, alpha, sigma, out);
    }

    /// The same, and the product of its Jacobian with the vector that `direction` makes of it: an evaluation and a product,
    /// as a backward pass through a network would be.
    pub fn denoise_with_product(
        &mut self,
        x: &[f64],
        (alpha, sigma): (f64, f64),
        out: &mut [f64],
        direction: impl FnOnce(&[f64]) -> Vec<f64>,
    ) -> Vec<f64> {
        self.denoise(x, alpha, sigma, out);
        self.products += 1;
        let g = direction(out);
        let v = alpha * alpha * self.variance + sigma * sigma;
        // Cov_r(m) g = Σ r_k (m_k − m̄)(m_k·g), with m̄ read off the evaluation where σ is not 0.
        let mut mean = vec![0.0; self.dim];
        self.add_shared(&mut mean, |_, r| r);
        self.operations += self.means.len() as u64;
        let along: Vec<f64> = self.means.chunks_exact(self.dim).map(|m| dot(m, &g)).collect();
        let centre = dot(&mean, &g);
        let mut product = vec![0.0; self.dim];
        self.add_shared(&mut product, |k, r| r * (along[k] - centre));
        let (a, b) = (alpha * self.variance / v, alpha * sigma * sigma / (v * v));
        product.iter_mut().zip(&g).for_each(|(p, g)| *p = a * g + b * *p);
        product
    }

    /// Posterior shares of the components.
    fn share(&mut self, x: &[f64], alpha: f64, sigma: f64) {
        let v = alpha * alpha * self.variance + sigma * sigma;
        let mut top = f64::NEG_INFINITY;
        self.operations += self.means.len() as u64;
        for (k, m) in self.means.chunks_exact(self.dim).enumerate() {
            // |x − α m|² without |x|², which all have.
            let square = alpha * (alpha * self.squares[k] - 2.0 * dot(x, m));
            self.shares[k] = self.log_weights[k] - 0.5 * square / v;
            top = top.max(self.shares[k]);
        }
        let mut sum = 0.0;
        for share in &mut self.shares {
            *share = (*share - top).exp();
            sum += *share;
        }
        self.shares.iter_mut().for_each(|share| *share /= sum);
    }

    fn mix(&mut self, x: &[f64], alpha: f64, sigma: f64, out: &mut [f64]) {
        let v = alpha * alpha * self.variance + sigma * sigma;
        let (a, b) = (sigma * sigma / v, alpha * self.variance / v);
        out.iter_mut().zip(x).for_each(|(out, x)| *out = b * x);
        self.add_shared(out, |_, r| a * r);
    }

    /// out += Σ weight(k, r_k) m_k.
    fn add_shared(&mut self, out: &mut [f64], weight: impl Fn(usize, f64) -> f64) {
        for (k, share) in self.shares.iter().enumerate().filter(|(_, r)| **r > NEGLIGIBLE || r.is_nan()) {
            let w = weight(k, *share);
            let mean = &self.means[k * self.dim..][..self.dim];
            out.iter_mut().zip(mean).for_each(|(out, m)| *out += w * m);
            self.operations += self.dim as u64;
        }
    }
}

/// In eight sums, which a compiler can keep in vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (heads, tails) = (a.chunks_exact(8).zip(b.chunks_exact(8)), a.len() - a.len() % 8);
    let mut sums = [0.0; 8];
    for (a, b) in heads {
        for j in 0..8 {
            sums[j] += a[j] * b[j];
        }
    }
    sums.iter().sum::<f64>() + a[tails..].iter().zip(&b[tails..]).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::targets;

    fn dictionary() -> (Templates, crate::diffusion::Mixture) {
        let mixture = targets::dictionary(11, 6, 0.4, 3);
        let means = mixture.components().iter().flat_map(|c| c.mean.clone()).collect();
        (Templates::new(11, means, 0.4).unwrap(), mixture)
    }

    #[test]
    fn the_posterior_mean_is_that_of_the_general_mixture() {
        let (mut templates, mixture) = dictionary();
        let x: Vec<f64> = (0..11).map(|j| (1.3 * f64::from(j)).sin()).collect();
        let mut out = vec![0.0; 11];
        for (alpha, sigma) in [(1.0, 0.0), (0.9, 0.3), (0.3, 0.9), (0.0, 1.0), (1.0, 30.0)] {
            templates.denoise(&x, alpha, sigma, &mut out);
            let general = mixture.denoised(&x, alpha, sigma);
            let error = out.iter().zip(&general).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-12, "{alpha} {sigma}: {error}");
        }
        assert_eq!(templates.evaluations(), 5);
        // Seen to fail: another width.
        let means = mixture.components().iter().flat_map(|c| c.mean.clone()).collect();
        Templates::new(11, means, 0.5).unwrap().denoise(&x, 0.9, 0.3, &mut out);
        let general = mixture.denoised(&x, 0.9, 0.3);
        assert!(out.iter().zip(&general).any(|(a, b)| (a - b).abs() > 1e-3));
    }

    #[test]
    fn the_product_is_the_derivative_and_symmetric() {
        let (mut templates, _) = dictionary();
        let x: Vec<f64> = (0..11).map(|j| 0.5 * (2.1 * f64::from(j)).cos()).collect();
        let wave = |p: f64| (0..11).map(|j| (p * f64::from(j) + p).sin()).collect::<Vec<f64>>();
        let (g, u) = (wave(0.7), wave(1.9));
        let level = (0.6, 0.8);
        let (mut out, mut plus, mut minus) = (vec![0.0; 11], vec![0.0; 11], vec![0.0; 11]);
        let product = templates.denoise_with_product(&x, level, &mut out, |_| g.clone());
        let h = 1e-5;
        let at = |s: f64| x.iter().zip(&g).map(|(x, g)| x + s * g).collect::<Vec<f64>>();
        templates.denoise(&at(h), level.0, level.1, &mut plus);
        templates.denoise(&at(-h), level.0, level.1, &mut minus);
        for j in 0..11 {
            let difference = (plus[j] - minus[j]) / (2.0 * h);
            assert!((product[j] - difference).abs() < 1e-8, "{j}: {} {difference}", product[j]);
        }
        // Mixed shares, or the covariance would not have been tested.
        assert!(templates.shares.iter().filter(|r| **r > 0.05).count() >= 2, "{:?}", templates.shares);
        let other = templates.denoise_with_product(&x, level, &mut out, |_| u.clone());
        assert!((dot(&u, &product) - dot(&g, &other)).abs() < 1e-12);
        assert_eq!((templates.evaluations(), templates.products()), (4, 2));
    }

    #[test]
    fn what_cannot_be_a_mixture_is_refused() {
        assert_eq!(Templates::new(0, vec![1.0], 1.0).unwrap_err(), DiffusionError::Dimension);
        assert_eq!(Templates::new(2, vec![], 1.0).unwrap_err(), DiffusionError::NoWeight);
        assert!(Templates::new(2, vec![0.0; 3], 1.0).is_err() && Templates::new(2, vec![0.0; 4], 0.0).is_err());
        assert!(Templates::new(1, vec![f64::NAN], 1.0).is_err());
    }
}
