//! Langevin chains over points and noise levels together, denoised from wherever they are.
//!
//! The joint law p(x, σ) = p_σ(x) p(σ) of data with noise σ is explored by turns of a Langevin step in x,
//! x ← x + (η/2) ∇ ln p_σ(x) + √η z, and an exact draw of σ given x (denoising Langevin Gibbs). A sample of the data is
//! made from the present state by a few steps of a reverse solver from σ, which is small, instead of from the largest
//! level. Langevin steps of finite η are not exact; in many dimensions x tells σ, which follows the error of the step.
//!
//! Source: Kim and Ye, "Denoising MCMC for accelerating diffusion-based generative models", ICML 2023.

use super::TransportError;
use crate::{
    diffusion::{Batch, Mixture, Shape},
    rng::{Philox, Stream},
};

/// Least noise of a denoising run before its last step.
const LEAST: f64 = 0.01;

/// Karras et al. 2022, eq. 5: ρ = 7.
const RHO: f64 = 7.0;

/// One chain for each point of a batch. Levels are equally likely beforehand.
#[derive(Clone, Debug)]
pub struct DenoisingChain {
    data: Mixture,
    levels: Vec<f64>,
    eta: f64,
    x: Batch<f64>,
    sigma: Vec<f64>,
    moves: u32,
    rng: Philox,
}

/// `count` levels from `low` to `high`, evenly in their logarithm.
pub fn log_levels(low: f64, high: f64, count: usize) -> Vec<f64> {
    let step = (high / low).ln() / (count.max(2) - 1) as f64;
    (0..count.max(2)).map(|i| low * (step * i as f64).exp()).collect()
}

impl DenoisingChain {
    /// Chains at `x`, all thought to have noise `sigma`. Fails unless the components of the data are round.
    pub fn new(
        data: Mixture,
        levels: Vec<f64>,
        eta: f64,
        x: Batch<f64>,
        sigma: f64,
        rng: Philox,
    ) -> Result<Self, TransportError> {
        if !data.components().iter().all(|c| matches!(c.shape, Shape::Isotropic { .. })) {
            return Err(TransportError::Shape);
        }
        let sigma = vec![sigma; x.len()];
        Ok(Self { data, levels, eta, x, sigma, moves: 0, rng })
    }

    /// The states, in the chains' order.
    pub fn x(&self) -> &Batch<f64> {
        &self.x
    }
    /// The noise of each.
    pub fn sigma(&self) -> &[f64] {
        &self.sigma
    }

    /// p(σ | x) over the levels.
    pub fn posterior(&self, x: &[f64]) -> Vec<f64> {
        let dim = self.data.dim() as f64;
        let parts: Vec<(f64, f64, f64)> = self
            .data
            .components()
            .iter()
            .map(|c| {
                let square = x.iter().zip(&c.mean).map(|(x, m)| (x - m) * (x - m)).sum();
                let Shape::Isotropic { sd } = c.shape else { return (f64::NAN, square, f64::NAN) };
                (c.weight.ln(), square, sd * sd)
            })
            .collect();
        let mut out: Vec<f64> = self
            .levels
            .iter()
            .map(|sigma| {
                let term = |(log, square, s2): &(f64, f64, f64)| {
                    let v = s2 + sigma * sigma;
                    log - 0.5 * (square / v + dim * v.ln())
                };
                let top = parts.iter().map(term).fold(f64::NEG_INFINITY, f64::max);
                top + parts.iter().map(|p| (term(p) - top).exp()).sum::<f64>().ln()
            })
            .collect();
        let top = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        out.iter_mut().for_each(|l| *l = (*l - top).exp());
        let total: f64 = out.iter().sum();
        out.iter_mut().for_each(|p| *p /= total);
        out
    }

    /// One Langevin step and one draw of the level in each chain: one evaluation of the score for each.
    pub fn advance(&mut self) {
        let dim = self.data.dim();
        for i in 0..self.x.len() {
            let mut x = self.x.point(i);
            let score = self.data.score(&x, 1.0, self.sigma[i]);
            for (j, x) in x.iter_mut().enumerate() {
                let z = self.rng.normals(Stream::Corrector, self.moves, i as u32, (j / 4) as u32)[j % 4];
                *x += 0.5 * self.eta * score[j] + self.eta.sqrt() * z;
            }
            let posterior = self.posterior(&x);
            let mut u = self.rng.uniforms(Stream::Path, self.moves, i as u32, 0)[0];
            let mut level = 0;
            while level + 1 < posterior.len() && u >= posterior[level] {
                u -= posterior[level];
                level += 1;
            }
            self.sigma[i] = self.levels[level];
            for (j, x) in x.iter().enumerate().take(dim) {
                self.x.coordinate_mut(j)[i] = *x;
            }
        }
        self.moves += 1;
    }
}

/// A point at noise `sigma` carried to noise 0 by `steps` steps of Heun's method on dx/dσ = (x − E[x₀|x])/σ, the levels
/// after Karras et al. with ρ = 7, the last step by Euler. Returns the point and its evaluations, 2 · `steps` − 1.
pub fn denoise(data: &Mixture, mut x: Vec<f64>, sigma: f64, steps: u32) -> (Vec<f64>, u32) {
    let steps = steps.max(1);
    let (first, least) = (sigma.powf(1.0 / RHO), LEAST.min(0.5 * sigma).powf(1.0 / RHO));
    let level = |k: u32| {
        if k == steps {
            return 0.0;
        }
        // With one step the only level is the first.
        let share = f64::from(k) / f64::from((steps - 1).max(1));
        (first + share * (least - first)).powf(RHO)
    };
    let slope =
        |x: &[f64], s: f64| -> Vec<f64> { data.denoised(x, 1.0, s).iter().zip(x).map(|(d, x)| (x - d) / s).collect() };
    let mut evaluations = 0;
    for k in 0..steps {
        let (now, next) = (level(k), level(k + 1));
        let a = slope(&x, now);
        evaluations += 1;
        let h = next - now;
        let ahead: Vec<f64> = x.iter().zip(&a).map(|(x, a)| x + h * a).collect();
        if next == 0.0 {
            x = ahead;
            continue;
        }
        let b = slope(&ahead, next);
        evaluations += 1;
        x.iter_mut().zip(a.iter().zip(&b)).for_each(|(x, (a, b))| *x += 0.5 * h * (a + b));
    }
    (x, evaluations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::targets;

    #[test]
    fn posterior_is_bayes_rule_on_the_density() {
        let data = targets::dictionary(6, 3, 0.2, 1);
        let levels = log_levels(0.05, 5.0, 9);
        assert!((levels[0] - 0.05).abs() < 1e-12 && (levels[8] - 5.0).abs() < 1e-12);
        let chain =
            DenoisingChain::new(data.clone(), levels.clone(), 0.5, Batch::zeros(6, 1), 1.0, Philox::new(1)).unwrap();
        let x = [0.3, -0.8, 0.2, 1.0, 0.0, -0.4];
        let p = chain.posterior(&x);
        for i in 1..levels.len() {
            let expected = data.log_density(&x, 1.0, levels[i]) - data.log_density(&x, 1.0, levels[0]);
            assert!(((p[i] / p[0]).ln() - expected).abs() < 1e-9);
        }
        assert!(p.iter().any(|v| *v > 0.3) && p[8] < 0.01, "{p:?}");
    }

    #[test]
    fn a_chain_in_many_dimensions_keeps_its_noise_known() {
        // One Gaussian at 0: the squared length of x tells σ within about 1/√(2d).
        let (d, n) = (64, 50);
        let data = targets::single(&vec![0.0; d], 0.1);
        let start = Batch::normal(d, n, 0.5, &Philox::new(1), Stream::Prior, 0);
        let mut chain =
            DenoisingChain::new(data, log_levels(0.01, 30.0, 120), 0.1, start, 0.5, Philox::new(2)).unwrap();
        for _ in 0..20 {
            chain.advance();
        }
        for i in 0..n {
            let length: f64 = chain.x().point(i).iter().map(|x| x * x).sum::<f64>() / d as f64;
            let told = chain.sigma()[i].hypot(0.1);
            assert!((told / length.sqrt() - 1.0).abs() < 0.5, "{told} {length}");
        }
    }

    #[test]
    fn denoising_has_order_two_and_counts_its_evaluations() {
        // For one Gaussian the flow is x ∝ √(s² + σ²).
        let data = targets::single(&[0.0], 0.5);
        let exact = 3.0 * 0.5 / 4f64.hypot(0.5);
        let error = |steps| {
            let (x, evaluations) = denoise(&data, vec![3.0], 4.0, steps);
            assert_eq!(evaluations, 2 * steps - 1);
            (x[0] - exact).abs()
        };
        // Beyond some 30 steps the error of the least level shows.
        let order = (error(8) / error(16)).log2();
        assert!((order - 2.0).abs() < 0.5, "{order}");
        assert!(error(1) > 0.1);
    }
}
