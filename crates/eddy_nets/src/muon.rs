//! Muon: momentum made orthogonal, for the matrices of hidden layers.

use crate::LayerShape;

/// Constants of [`Muon`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonSettings {
    pub rate: f64,
    pub momentum: f64,
    /// Newton-Schulz iterations.
    pub iterations: usize,
    /// Root mean square of a matrix' step over the rate, in place of the factor √max(1, rows/columns).
    pub root_mean_square: Option<f64>,
}

impl Default for MuonSettings {
    fn default() -> Self {
        Self { rate: 0.02, momentum: 0.95, iterations: 5, root_mean_square: None }
    }
}

/// Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): m ← μm + g, then the matrix
/// g + μm is replaced by the nearest one with all singular values near one, X ← aX + bAX + cA²X with A = XXᵀ and (a, b, c) =
/// (3.4445, −4.7750, 2.0315), and p ← p − rate·√max(1, rows/columns)·X. Every direction of a layer then moves alike, also
/// those in which the gradient is small. Biases and other parameters are left to another optimizer. Five iterations bring
/// singular values within [0.01, 1] of the largest to about [0.7, 1.2]; a step costs 4·iterations·rows²·columns operations.
#[derive(Clone, Debug)]
pub struct Muon {
    pub settings: MuonSettings,
    layers: Vec<LayerShape>,
    momentum: Vec<Vec<f64>>,
}

impl Muon {
    /// For the weights of these layers.
    pub fn new(layers: &[LayerShape], settings: MuonSettings) -> Self {
        let momentum = layers.iter().map(|l| vec![0.0; l.inputs * l.outputs]).collect();
        Self { settings, layers: layers.to_vec(), momentum }
    }

    /// Moves the layers' weights; the other parameters stay.
    ///
    /// # Panics
    /// If a layer lies beyond the parameters.
    pub fn step(&mut self, parameters: &mut [f64], gradient: &[f64]) {
        let MuonSettings { rate, momentum, iterations, root_mean_square } = self.settings;
        for (layer, m) in self.layers.iter().zip(&mut self.momentum) {
            let range = layer.weights..layer.weights + layer.inputs * layer.outputs;
            for (m, g) in m.iter_mut().zip(&gradient[range.clone()]) {
                *m = momentum * *m + g;
            }
            let ahead: Vec<f64> = m.iter().zip(&gradient[range.clone()]).map(|(m, g)| g + momentum * m).collect();
            let step = orthogonalized(&ahead, layer.outputs, layer.inputs, iterations);
            let [rows, columns] = [layer.outputs, layer.inputs].map(|n| n as f64);
            // Of r×c entries with min(r, c) singular values one the root mean square is 1/√max(r, c).
            let rate = match root_mean_square {
                Some(size) => rate * size * rows.max(columns).sqrt(),
                None => rate * (rows / columns).max(1.0).sqrt(),
            };
            for (p, s) in parameters[range].iter_mut().zip(&step) {
                *p -= rate * s;
            }
        }
    }
}

/// The matrix with its singular values brought near one, by the Newton-Schulz iteration above; zero stays zero.
pub fn orthogonalized(matrix: &[f64], rows: usize, columns: usize, iterations: usize) -> Vec<f64> {
    let norm = matrix.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm == 0.0 || !norm.is_finite() {
        return matrix.to_vec();
    }
    let mut x: Vec<f64> = matrix.iter().map(|v| v / norm).collect();
    // A = XXᵀ has the size of the rows: with more rows than columns the sums run the other way, over XᵀX.
    let is_tall = rows > columns;
    let n = rows.min(columns);
    for _ in 0..iterations {
        let entry = |i: usize, k: usize| if is_tall { x[k * columns + i] } else { x[i * columns + k] };
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let sum: f64 = (0..rows.max(columns)).map(|k| entry(i, k) * entry(j, k)).sum();
                a[i * n + j] = sum;
                a[j * n + i] = sum;
            }
        }
        let mut polynomial = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let square: f64 = (0..n).map(|k| a[i * n + k] * a[k * n + j]).sum();
                let unit = f64::from(u8::from(i == j));
                polynomial[i * n + j] = 3.4445 * unit - 4.7750 * a[i * n + j] + 2.0315 * square;
            }
        }
        let mut next = vec![0.0; x.len()];
        for r in 0..rows {
            for c in 0..columns {
                next[r * columns + c] = if is_tall {
                    (0..n).map(|k| x[r * columns + k] * polynomial[k * n + c]).sum()
                } else {
                    (0..n).map(|k| polynomial[r * n + k] * x[k * columns + c]).sum()
                };
            }
        }
        x = next;
    }
    x
}
