//! Parameters as a flat list with names and shapes, and the optimizer on it.
//!
//! The lists live on the host in the order of the layers, so that a checkpoint holds all of a training's state and a
//! resumed run gives the same bytes as one that was never stopped.

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use eddy_numerics::rng::{Philox, Stream};

/// A matrix of a network; a bias is a matrix of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub name: String,
    pub rows: usize,
    pub columns: usize,
    /// Standard deviation of the first values.
    pub spread: f64,
}

impl Matrix {
    /// Weights [inputs, outputs] that keep the mean square of their inputs times `gain`² (LeCun et al. 1998).
    pub fn weight(name: &str, inputs: usize, outputs: usize, gain: f64) -> Self {
        Self { name: name.to_owned(), rows: inputs, columns: outputs, spread: gain / (inputs as f64).sqrt() }
    }
    /// A table with `rows` rows that starts at normal numbers of standard deviation `spread`.
    pub fn table(name: &str, rows: usize, columns: usize, spread: f64) -> Self {
        Self { name: name.to_owned(), rows, columns, spread }
    }
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }
}

pub(super) fn count(layout: &[Matrix]) -> usize {
    layout.iter().map(Matrix::len).sum()
}

/// First values: normal, from the seed; `draw` tells networks apart.
pub(super) fn initial(layout: &[Matrix], rng: &Philox, draw: u32) -> Vec<f32> {
    let mut out = Vec::with_capacity(count(layout));
    for (m, matrix) in layout.iter().enumerate() {
        let normal = |i: usize| rng.normals(Stream::Lift, draw, i as u32 / 4, m as u32)[i % 4];
        out.extend((0..matrix.len()).map(|i| (matrix.spread * normal(i)) as f32));
    }
    out
}

/// The matrices on a device, in the order of the layout.
pub(super) fn on_device(layout: &[Matrix], values: &[f32], device: &Device) -> Vec<Tensor<2>> {
    let mut rest = values;
    let mut out = Vec::with_capacity(layout.len());
    for matrix in layout {
        let (own, after) = rest.split_at(matrix.len().min(rest.len()));
        rest = after;
        out.push(Tensor::from_data(TensorData::new(own.to_vec(), [matrix.rows, matrix.columns]), device));
    }
    out
}

/// The gradient as a flat list; 0 where a matrix had no part in the loss.
pub(super) async fn gradient(
    layout: &[Matrix],
    tensors: &[Tensor<2>],
    gradients: &Gradients,
) -> Result<Vec<f32>, crate::LearnError> {
    let mut out = Vec::with_capacity(count(layout));
    for (matrix, tensor) in layout.iter().zip(tensors) {
        match tensor.grad(gradients) {
            Some(grad) => out.extend(numbers(grad).await?),
            None => out.resize(out.len() + matrix.len(), 0.0),
        }
    }
    Ok(out)
}

/// The values of a tensor on the host, row-major.
pub(super) async fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, crate::LearnError> {
    let data = tensor.into_data_async().await.map_err(crate::LearnError::execution)?;
    data.try_into_vec_as::<f32>().map_err(crate::LearnError::execution)
}

/// Adam (Kingma & Ba 2015, algorithm 1) with the gradient's norm clipped, and the moving average of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Adam {
    pub values: Vec<f32>,
    /// Exponential moving average of `values`: what samples are drawn with.
    pub average: Vec<f32>,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    pub steps: u32,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.99;
const EPSILON: f64 = 1e-8;
/// Largest norm of a gradient.
const CLIP: f64 = 1.0;
/// Weight of the past in the moving average, once there is a past: its memory is a thousand steps, and less at first.
const AVERAGE: f64 = 0.999;

impl Adam {
    pub fn new(values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self { average: values.clone(), first: zeros.clone(), second: zeros, values, steps: 0 }
    }

    pub fn step(&mut self, rate: f64, gradient: &[f32]) {
        self.steps += 1;
        let n = f64::from(self.steps);
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let clip = (CLIP / norm).min(1.0);
        let (b1, b2) = (BETA_1 as f32, BETA_2 as f32);
        let rate = (rate / (1.0 - BETA_1.powf(n))) as f32;
        let root = (1.0 / (1.0 - BETA_2.powf(n))) as f32;
        let keep = AVERAGE.min((1.0 + n) / (10.0 + n)) as f32;
        for (i, g) in gradient.iter().enumerate() {
            let g = g * clip as f32;
            self.first[i] = b1 * self.first[i] + (1.0 - b1) * g;
            self.second[i] = b2 * self.second[i] + (1.0 - b2) * g * g;
            self.values[i] -= rate * self.first[i] / ((root * self.second[i]).sqrt() + EPSILON as f32);
            self.average[i] = keep * self.average[i] + (1.0 - keep) * self.values[i];
        }
    }
}

/// The learning rate at a step: risen linearly over the first steps, then along a half cosine to zero at `steps`.
pub(super) fn rate_at(peak: f64, step: usize, steps: usize) -> f64 {
    let warm = (steps / 20).clamp(1, 200);
    let risen = ((step + 1) as f64 / warm as f64).min(1.0);
    let progress = (step as f64 / steps.max(1) as f64).min(1.0);
    peak * risen * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_of_adam_by_hand() {
        // With one number the first step is −rate · sign of the gradient, whatever its size.
        let mut adam = Adam::new(vec![1.0, 2.0]);
        adam.step(0.1, &[1e-3, -0.5]);
        assert!((adam.values[0] - 0.9).abs() < 1e-5 && (adam.values[1] - 2.1).abs() < 1e-5, "{:?}", adam.values);
        // The average keeps 2/11 of the start.
        assert!((adam.average[0] - (2.0 / 11.0 + 9.0 / 11.0 * 0.9)).abs() < 1e-6);
        adam.step(0.1, &[1e-3, 0.5]);
        // Equal gradients: the same step again. Opposite ones: m̂ = (0.1 g − 0.09 g) / 0.19.
        assert!((adam.values[0] - 0.8).abs() < 1e-5);
        assert!((adam.values[1] - (2.1 - 0.1 * 0.01 / 0.19)).abs() < 1e-5, "{:?}", adam.values);
    }

    #[test]
    fn a_long_gradient_is_clipped_and_the_rate_rises_and_falls() {
        let (mut long, mut unit) = (Adam::new(vec![0.0; 2]), Adam::new(vec![0.0; 2]));
        long.step(0.1, &[300.0, 400.0]);
        unit.step(0.1, &[0.6, 0.8]);
        assert!(long.second.iter().zip(&unit.second).all(|(a, b)| (a - b).abs() < 1e-7));
        let rates: Vec<f64> = (0..1000).map(|n| rate_at(1.0, n, 1000)).collect();
        assert!((rates[0] - 0.02).abs() < 1e-3 && rates[60] > 0.95 && rates[999] < 1e-4);
    }
}
