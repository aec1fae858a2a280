//! SOAP: Adam along the eigenvectors of Shampoo's preconditioners, for the matrices of layers.

use crate::LayerShape;

/// Constants of [`Soap`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoapSettings {
    pub rate: f64,
    pub beta1: f64,
    /// Of the second moments, and of the preconditioners.
    pub beta2: f64,
    pub epsilon: f64,
    /// Steps between two refreshes of the eigenvectors.
    pub every: u64,
}

impl Default for SoapSettings {
    /// The paper's constants; eigenvectors every other step, as Wang, Bhartari, Li, Perdikaris 2025 train physics-informed
    /// networks.
    fn default() -> Self {
        Self { rate: 3e-3, beta1: 0.95, beta2: 0.95, epsilon: 1e-8, every: 2 }
    }
}

/// Rounds of orthogonal iteration with which the eigenvectors begin.
const FIRST_ROUNDS: usize = 30;

/// SOAP (Vyas et al. 2024, "SOAP: improving and stabilizing Shampoo using Adam", algorithm 3). Of a matrix W [m×n] with
/// gradient G the averages L of GGᵀ and R of GᵀG are kept, Shampoo's preconditioners (Gupta, Koren, Singer 2018, algorithm 1);
/// Q_L and Q_R are their eigenvectors. Adam then works on Q_LᵀGQ_R, and its step is turned back: W ← W − rate·Q_L N Q_Rᵀ. So a
/// loss that is seen through rotated rows and columns takes the same course, as with Adam it does not. The eigenvectors
/// follow by one orthogonal iteration Q ← qr(LQ) at a time. The first gradient only begins the averages. A step costs
/// some 4mn(m + n) operations, a refresh 4(m³ + n³).
#[derive(Clone, Debug)]
pub struct Soap {
    pub settings: SoapSettings,
    layers: Vec<(LayerShape, State)>,
    step: u64,
}

#[derive(Clone, Debug)]
struct State {
    left: Side,
    right: Side,
    /// Mean of the gradients, and of the squares of the turned ones.
    mean: Vec<f64>,
    square: Vec<f64>,
}

/// One side of a matrix: the preconditioner and its eigenvectors, in columns.
#[derive(Clone, Debug)]
struct Side {
    size: usize,
    average: Vec<f64>,
    basis: Vec<f64>,
}

impl Soap {
    /// For the weights of these layers.
    pub fn new(layers: &[LayerShape], settings: SoapSettings) -> Self {
        let state = |layer: &LayerShape| {
            let zero = vec![0.0; layer.inputs * layer.outputs];
            let (left, right) = (Side::new(layer.outputs), Side::new(layer.inputs));
            (*layer, State { left, right, mean: zero.clone(), square: zero })
        };
        Self { settings, layers: layers.iter().map(state).collect(), step: 0 }
    }

    /// Moves the layers' weights; the other parameters stay.
    ///
    /// # Panics
    /// If a layer lies beyond the parameters.
    pub fn step(&mut self, parameters: &mut [f64], gradient: &[f64]) {
        let SoapSettings { rate, beta1, beta2, epsilon, every } = self.settings;
        let step = self.step;
        self.step += 1;
        let [first, second] = [beta1, beta2].map(|beta| 1.0 - beta.powf(step as f64));
        for (layer, state) in &mut self.layers {
            let range = layer.weights..layer.weights + layer.inputs * layer.outputs;
            let (rows, columns) = (layer.outputs, layer.inputs);
            let g = &gradient[range.clone()];
            let State { left, right, mean, square } = state;
            if step > 0 {
                let turned = between(&left.basis, g, &right.basis, rows, columns, true);
                mean.iter_mut().zip(g).for_each(|(m, g)| *m = beta1 * *m + (1.0 - beta1) * g);
                square.iter_mut().zip(&turned).for_each(|(s, g)| *s = beta2 * *s + (1.0 - beta2) * g * g);
                let mut ahead = between(&left.basis, mean, &right.basis, rows, columns, true);
                for (a, s) in ahead.iter_mut().zip(square.iter()) {
                    *a = *a / first / ((s / second).sqrt() + epsilon);
                }
                let back = between(&left.basis, &ahead, &right.basis, rows, columns, false);
                parameters[range].iter_mut().zip(&back).for_each(|(p, b)| *p -= rate * b);
            }
            let kept = if step == 0 { 0.0 } else { beta2 };
            left.average(kept, |i, j| (0..columns).map(|k| g[i * columns + k] * g[j * columns + k]).sum());
            right.average(kept, |i, j| (0..rows).map(|k| g[k * columns + i] * g[k * columns + j]).sum());
            let rounds = if step == 0 { FIRST_ROUNDS } else { usize::from(step.is_multiple_of(every.max(1))) };
            for _ in 0..rounds {
                left.refresh();
                right.refresh();
            }
        }
    }
}

impl Side {
    fn new(size: usize) -> Self {
        let mut basis = vec![0.0; size * size];
        basis.iter_mut().step_by(size + 1).for_each(|b| *b = 1.0);
        Self { size, average: vec![0.0; size * size], basis }
    }

    fn average(&mut self, kept: f64, product: impl Fn(usize, usize) -> f64) {
        let n = self.size;
        for i in 0..n {
            for j in 0..=i {
                let entry = kept * self.average[i * n + j] + (1.0 - kept) * product(i, j);
                self.average[i * n + j] = entry;
                self.average[j * n + i] = entry;
            }
        }
    }

    /// Q ← qr(LQ). What is not finite leaves it as it was.
    fn refresh(&mut self) {
        let n = self.size;
        let mut product = vec![0.0; n * n];
        for (row, out) in self.average.chunks_exact(n).zip(product.chunks_exact_mut(n)) {
            for (l, q) in row.iter().zip(self.basis.chunks_exact(n)) {
                out.iter_mut().zip(q).for_each(|(o, q)| *o += l * q);
            }
        }
        let basis = orthonormal(product, n);
        if basis.iter().all(|b| b.is_finite()) {
            self.basis = basis;
        }
    }
}

/// LᵀGR where `is_there`, and LGRᵀ the way back.
fn between(left: &[f64], g: &[f64], right: &[f64], rows: usize, columns: usize, is_there: bool) -> Vec<f64> {
    let mut half = vec![0.0; rows * columns];
    for i in 0..rows {
        for k in 0..rows {
            let factor = if is_there { left[k * rows + i] } else { left[i * rows + k] };
            let (to, from) = (&mut half[i * columns..][..columns], &g[k * columns..][..columns]);
            to.iter_mut().zip(from).for_each(|(t, f)| *t += factor * f);
        }
    }
    let mut all = vec![0.0; rows * columns];
    for (from, to) in half.chunks_exact(columns).zip(all.chunks_exact_mut(columns)) {
        for (k, f) in from.iter().enumerate() {
            for (j, t) in to.iter_mut().enumerate() {
                *t += f * if is_there { right[k * columns + j] } else { right[j * columns + k] };
            }
        }
    }
    all
}

/// Q of the QR decomposition of a square matrix by Householder's reflections, which is orthogonal whatever the rank.
fn orthonormal(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    let mut q = vec![0.0; n * n];
    q.iter_mut().step_by(n + 1).for_each(|b| *b = 1.0);
    for k in 0..n {
        let mut v: Vec<f64> = (k..n).map(|i| a[i * n + k]).collect();
        let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm == 0.0 {
            continue;
        }
        v[0] += norm.copysign(v[0]);
        let scale = 2.0 / v.iter().map(|v| v * v).sum::<f64>();
        for j in k..n {
            let share = scale * v.iter().enumerate().map(|(i, v)| v * a[(k + i) * n + j]).sum::<f64>();
            v.iter().enumerate().for_each(|(i, v)| a[(k + i) * n + j] -= share * v);
        }
        for row in q.chunks_exact_mut(n) {
            let share = scale * v.iter().zip(&row[k..]).map(|(v, q)| v * q).sum::<f64>();
            v.iter().zip(&mut row[k..]).for_each(|(v, q)| *q -= share * v);
        }
    }
    q
}
