//! Proper orthogonal decomposition of blocks of frames: the linear code that loses least of their energy.
//!
//! The runs' law does not change when they are shifted along the period, so snapshots stand for all their shifts. Their
//! covariance then couples frames of one wavenumber only, and each axis is a wave whose phase and height change in time.

use std::f64::consts::TAU;

use eddy_numerics::{Complex, diffusion::symmetric_eigen, space::fft::RealFft};

use super::waves::{BLOCK, FRAMES, PLACES};

/// Wavenumbers that are looked at: a pulse has less than 1e-5 of its energy beyond.
pub const WAVES: usize = 9;

/// The decomposition, a wavenumber at a time.
pub struct Waves {
    /// Of each snapshot and frame.
    hats: Vec<[Complex<f64>; WAVES]>,
    mean: f64,
    done: usize,
    /// Variance along an axis, and the axis.
    found: Vec<(f64, Vec<f64>)>,
}

impl Waves {
    pub fn new(snapshots: &[f64]) -> Self {
        let mut fft = RealFft::new(PLACES);
        let mut hat = vec![Complex::default(); fft.modes()];
        let scale = 1.0 / PLACES as f64;
        let frames = snapshots.chunks_exact(PLACES).map(|frame| {
            fft.forward(frame, &mut hat);
            std::array::from_fn(|k| hat[k] * scale)
        });
        let mut hats: Vec<[Complex<f64>; WAVES]> = frames.collect();
        let mean = hats.iter().map(|hat| hat[0].re).sum::<f64>() / hats.len().max(1) as f64;
        hats.iter_mut().for_each(|hat| hat[0].re -= mean);
        Self { hats, mean, done: 0, found: Vec::new() }
    }

    /// The axes of one wavenumber. Returns the decomposition after the last one, with the `kept` best of all.
    ///
    /// The Hermitian covariance A + iB of the frames is the symmetric matrix [A, −B; B, A], whose eigenvectors (a, b) stand
    /// for the axes a(t) cos 2πkx − b(t) sin 2πkx, two for each eigenvalue.
    pub fn work(&mut self, kept: usize) -> Option<Pod> {
        let (k, count) = (self.done, self.hats.len() / FRAMES);
        // The mean of a frame is real.
        let n = if k == 0 { FRAMES } else { 2 * FRAMES };
        let mut matrix = vec![0.0; n * n];
        for run in self.hats.chunks_exact(FRAMES) {
            for s in 0..FRAMES {
                for t in 0..FRAMES {
                    let c = run[s][k] * run[t][k].conj() / count as f64;
                    matrix[s * n + t] += c.re;
                    if k > 0 {
                        matrix[(s + FRAMES) * n + t + FRAMES] += c.re;
                        matrix[(s + FRAMES) * n + t] += c.im;
                        matrix[s * n + t + FRAMES] -= c.im;
                    }
                }
            }
        }
        let (values, vectors) = symmetric_eigen(&matrix, n);
        let length = (PLACES as f64 * if k == 0 { 1.0 } else { 0.5 }).sqrt();
        for (value, vector) in values.iter().zip(vectors.chunks_exact(n)) {
            let at = |i: usize| {
                let (t, x) = (i / PLACES, (i % PLACES) as f64 / PLACES as f64);
                let (sin, cos) = (TAU * k as f64 * x).sin_cos();
                (vector[t] * cos - vector.get(t + FRAMES).map_or(0.0, |b| b * sin)) / length
            };
            self.found.push((PLACES as f64 * value.max(0.0), (0..BLOCK).map(at).collect()));
        }
        self.found.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.found.truncate(kept);
        self.done += 1;
        (self.done == WAVES).then(|| {
            let (variances, axes): (Vec<f64>, Vec<Vec<f64>>) = std::mem::take(&mut self.found).into_iter().unzip();
            let least = 1e-12 * variances[0].max(f64::MIN_POSITIVE);
            Pod { mean: self.mean, axes, spreads: variances.iter().map(|v| v.max(least).sqrt()).collect() }
        })
    }
}

/// The mean, which shifts make a number, orthonormal axes, and the standard deviations along them: codes have variance 1.
pub struct Pod {
    pub mean: f64,
    pub axes: Vec<Vec<f64>>,
    pub spreads: Vec<f64>,
}

impl Pod {
    pub fn encode(&self, block: &[f64]) -> Vec<f64> {
        let share = |axis: &Vec<f64>| axis.iter().zip(block).map(|(a, u)| a * (u - self.mean)).sum::<f64>();
        self.axes.iter().zip(&self.spreads).map(|(axis, spread)| share(axis) / spread).collect()
    }

    pub fn decode(&self, code: &[f64]) -> Vec<f64> {
        let mut block = vec![self.mean; BLOCK];
        for ((axis, spread), z) in self.axes.iter().zip(&self.spreads).zip(code) {
            block.iter_mut().zip(axis).for_each(|(u, a)| *u += z * spread * a);
        }
        block
    }
}
