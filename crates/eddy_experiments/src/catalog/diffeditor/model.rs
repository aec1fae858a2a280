//! The exact denoiser of all scenes: every shape at every place on every background, and a little noise about each.

use eddy_numerics::diffusion::Batch;

use super::scenes::{Scene, Texture, backgrounds, shapes};
use crate::labs::flow::{denoise::Level, shapes::PIXELS};

/// Standard deviation of a pixel about its scene.
pub const SPREAD: f64 = 0.05;
/// Posterior weights below this move nothing.
const NEGLIGIBLE: f64 = 1e-14;

/// A scene is a background b seen around a shape: x₀ = b + s (1 − b), s being the share of a pixel that the shape covers.
/// So the product of a picture with all of some 16,000 scenes is that with every background, and for every shape a sum over
/// the few pixels that it covers.
pub struct Denoiser {
    /// Pixels of every shape with their shares.
    shapes: Vec<Vec<(usize, f64)>>,
    /// Number of backgrounds; their pixels, and one less them, all backgrounds of a pixel together.
    count: usize,
    behind: Vec<f64>,
    hidden: Vec<f64>,
    /// Square norms, shape by shape.
    squares: Vec<f64>,
    weights: Vec<f64>,
    along: Vec<f64>,
    /// Pictures denoised, and products with the Jacobian.
    pub cost: [u64; 2],
}

impl Denoiser {
    pub fn new(texture: Texture) -> Self {
        let backgrounds = backgrounds(texture);
        let count = backgrounds.len();
        let behind: Vec<f64> = (0..PIXELS).flat_map(|p| backgrounds.iter().map(move |b| b[p])).collect();
        let hidden = behind.iter().map(|b| 1.0 - b).collect();
        let covered = |scene: &Scene| {
            let shares = scene.shares();
            shares.into_iter().enumerate().filter(|(_, s)| *s > 0.0).collect::<Vec<_>>()
        };
        let shapes: Vec<Vec<(usize, f64)>> = shapes().iter().map(covered).collect();
        let all = shapes.len() * count;
        let mut model = Self {
            shapes,
            count,
            behind,
            hidden,
            squares: Vec::new(),
            weights: vec![0.0; all],
            along: vec![0.0; all],
            cost: [0; 2],
        };
        model.squares = model.norms();
        model
    }

    #[cfg(test)]
    pub fn scenes(&self) -> usize {
        self.weights.len()
    }

    fn norms(&self) -> Vec<f64> {
        let mut out = Vec::with_capacity(self.weights.len());
        for shape in &self.shapes {
            for b in 0..self.count {
                let mut picture: Vec<f64> = (0..PIXELS).map(|p| self.behind[p * self.count + b]).collect();
                shape.iter().for_each(|(p, s)| picture[*p] += s * (1.0 - picture[*p]));
                out.push(picture.iter().map(|v| v * v).sum());
            }
        }
        out
    }

    /// Products of a picture with all scenes.
    fn products(&self, x: &[f64], out: &mut [f64]) {
        let n = self.count;
        let mut alone = vec![0.0; n];
        for (x, behind) in x.iter().zip(self.behind.chunks_exact(n)) {
            alone.iter_mut().zip(behind).for_each(|(sum, b)| *sum += x * b);
        }
        for (shape, out) in self.shapes.iter().zip(out.chunks_exact_mut(n)) {
            out.copy_from_slice(&alone);
            for (p, s) in shape {
                let factor = s * x[*p];
                out.iter_mut().zip(&self.hidden[p * n..]).for_each(|(sum, h)| *sum += factor * h);
            }
        }
    }

    /// Adds Σ weight · scene to `out`.
    fn add_mean(&self, weights: impl Fn(usize) -> f64, out: &mut [f64]) {
        let n = self.count;
        let (mut of_backgrounds, mut own) = (vec![0.0; n], vec![0.0; n]);
        for (k, shape) in self.shapes.iter().enumerate() {
            own.iter_mut().enumerate().for_each(|(b, own)| *own = weights(k * n + b));
            if own.iter().all(|w| w.abs() < NEGLIGIBLE) {
                continue;
            }
            of_backgrounds.iter_mut().zip(&own).for_each(|(sum, w)| *sum += w);
            for (p, s) in shape {
                out[*p] += s * own.iter().zip(&self.hidden[p * n..]).map(|(w, h)| w * h).sum::<f64>();
            }
        }
        for (out, behind) in out.iter_mut().zip(self.behind.chunks_exact(n)) {
            *out += of_backgrounds.iter().zip(behind).map(|(w, b)| w * b).sum::<f64>();
        }
    }

    /// Posterior weights of the scenes, proportional to exp(−|x − α m|²/2v) with v = α² s² + σ²; returns v.
    fn weigh(&mut self, x: &[f64], at: &Level) -> f64 {
        let v = (at.alpha * SPREAD).powi(2) + at.sigma * at.sigma;
        let mut weights = std::mem::take(&mut self.weights);
        self.products(x, &mut weights);
        let mut top = f64::NEG_INFINITY;
        for (w, square) in weights.iter_mut().zip(&self.squares) {
            *w = at.alpha * (*w - 0.5 * at.alpha * square) / v;
            top = top.max(*w);
        }
        let mut sum = 0.0;
        for w in &mut weights {
            *w = (*w - top).exp();
            sum += *w;
        }
        weights.iter_mut().for_each(|w| *w /= sum);
        self.weights = weights;
        v
    }

    /// E[x₀ | x] of one picture, and its Jacobian's products with the vectors that `directions` makes of it. The Jacobian is
    /// (α s²/v) + (α σ²/v²) Cov(m), as for any mixture of one width.
    pub fn pull_back(
        &mut self,
        x: &[f64],
        at: &Level,
        directions: impl FnOnce(&[f64]) -> Vec<Vec<f64>>,
    ) -> (Vec<f64>, Vec<Vec<f64>>) {
        self.cost[0] += 1;
        let v = self.weigh(x, at);
        let mut mean = vec![0.0; PIXELS];
        self.add_mean(|k| self.weights[k], &mut mean);
        let (own, rest) = (at.alpha * SPREAD * SPREAD / v, at.sigma * at.sigma / v);
        let clean: Vec<f64> = mean.iter().zip(x).map(|(m, x)| rest * m + own * x).collect();
        let mut products = directions(&clean);
        self.cost[1] += products.len() as u64;
        for g in &mut products {
            let mut along = std::mem::take(&mut self.along);
            self.products(g, &mut along);
            let centre: f64 = mean.iter().zip(g.iter()).map(|(m, g)| m * g).sum();
            let mut spread = vec![0.0; PIXELS];
            self.add_mean(|k| self.weights[k] * (along[k] - centre), &mut spread);
            g.iter_mut().zip(&spread).for_each(|(g, s)| *g = own * *g + at.alpha * rest / v * s);
            self.along = along;
        }
        (clean, products)
    }

    /// The clean pictures that `x` stands for.
    pub fn clean(&mut self, x: &Batch<f64>, at: &Level) -> Batch<f64> {
        let all: Vec<f64> = (0..x.len()).flat_map(|i| self.pull_back(&x.point(i), at, |_| Vec::new()).0).collect();
        Batch::from_points(PIXELS, &all)
    }

    /// v = α ε − σ x₀, which is 0 without noise.
    pub fn velocity(&mut self, x: &Batch<f64>, at: &Level, out: &mut Batch<f64>) {
        *out = self.clean(x, at);
        if at.sigma == 0.0 {
            out.data_mut().fill(0.0);
        } else {
            out.combine(-1.0 / at.sigma, &[(at.alpha / at.sigma, x)]);
        }
    }
}
