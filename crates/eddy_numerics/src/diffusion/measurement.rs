//! Linear measurements of a picture: y = A x, its transpose, and what y alone says of x.

/// A sparse matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    columns: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

/// Iterations of the pseudo-inverse and of the norm.
const CONJUGATE: usize = 12;
const POWER: usize = 60;

impl Measurement {
    /// Entries (column, value) of each row; those outside `columns` are left out.
    pub fn new(columns: usize, mut rows: Vec<Vec<(usize, f64)>>) -> Self {
        rows.iter_mut().for_each(|row| row.retain(|(j, v)| *j < columns && v.is_finite()));
        Self { columns, rows }
    }

    /// The pixels of which `seen` is true.
    pub fn pixels(seen: &[bool]) -> Self {
        let rows = seen.iter().enumerate().filter(|(_, seen)| **seen).map(|(j, _)| vec![(j, 1.0)]);
        Self::new(seen.len(), rows.collect())
    }

    /// Means over blocks of `factor` × `factor` of a picture of `side` × `side`; incomplete blocks are left out.
    pub fn blocks(side: usize, factor: usize) -> Self {
        let factor = factor.max(1);
        let coarse = side / factor;
        let share = 1.0 / (factor * factor) as f64;
        let pixel = |block: usize, k: usize| {
            let (bx, by) = (block % coarse, block / coarse);
            (by * factor + k / factor) * side + bx * factor + k % factor
        };
        let row = |block| (0..factor * factor).map(|k| (pixel(block, k), share)).collect();
        Self::new(side * side, (0..coarse * coarse).map(row).collect())
    }

    /// A Gaussian blur of standard deviation `sd` pixels; beyond the edge the picture goes on with its edge pixels.
    pub fn blur(side: usize, sd: f64) -> Self {
        let sd = if sd.is_finite() && sd > 0.0 { sd } else { 1e-3 };
        let reach = ((3.0 * sd).ceil() as isize).min(side as isize);
        let weights: Vec<f64> = (-reach..=reach).map(|k| (-0.5 * (k as f64 / sd).powi(2)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let place = |i: usize, k: isize| (i as isize + k).clamp(0, side as isize - 1) as usize;
        let row = |pixel: usize| {
            let (i, j) = (pixel % side, pixel / side);
            let entry = |a: usize, b: usize| {
                let (dx, dy) = (a as isize - reach, b as isize - reach);
                (place(j, dy) * side + place(i, dx), weights[a] * weights[b] / (sum * sum))
            };
            (0..weights.len()).flat_map(|b| (0..weights.len()).map(move |a| (a, b))).map(|(a, b)| entry(a, b)).collect()
        };
        Self::new(side * side, (0..side * side).map(row).collect())
    }

    /// Length of x.
    pub fn columns(&self) -> usize {
        self.columns
    }
    /// Length of y.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// A x.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        self.rows.iter().map(|row| row.iter().map(|(j, v)| v * x[*j]).sum()).collect()
    }

    /// Aᵀ y.
    pub fn transpose(&self, y: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns];
        for (row, y) in self.rows.iter().zip(y) {
            row.iter().for_each(|(j, v)| out[*j] += v * y);
        }
        out
    }

    /// A⁺ y = Aᵀ (A Aᵀ)⁻¹ y, the shortest x with this y, by at most 12 conjugate gradient steps: exact for pixels and
    /// blocks, where A Aᵀ is a multiple of the identity; for a blur the few steps keep noise from being blown up.
    pub fn pseudo_inverse(&self, y: &[f64]) -> Vec<f64> {
        let mut u = vec![0.0; y.len()];
        let mut residual = y.to_vec();
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let enough = 1e-24 * square;
        for _ in 0..CONJUGATE {
            if square.is_nan() || square <= enough {
                break;
            }
            let image = self.apply(&self.transpose(&direction));
            let step = square / dot(&direction, &image);
            if !step.is_finite() {
                break;
            }
            for i in 0..u.len() {
                u[i] += step * direction[i];
                residual[i] -= step * image[i];
            }
            let next = dot(&residual, &residual);
            direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / square * *d);
            square = next;
        }
        self.transpose(&u)
    }

    /// ‖A‖², the largest eigenvalue of Aᵀ A, from below, by the power method. 0 without rows.
    pub fn norm_squared(&self) -> f64 {
        let mut x: Vec<f64> = (0..self.columns).map(|j| 1.0 + 0.1 * (1.7 * j as f64).sin()).collect();
        let mut value = 0.0;
        for _ in 0..POWER {
            let length = dot(&x, &x).sqrt();
            if length == 0.0 {
                return 0.0;
            }
            x.iter_mut().for_each(|x| *x /= length);
            let y = self.apply(&x);
            value = dot(&y, &y);
            x = self.transpose(&y);
        }
        value
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(len: usize, p: f64) -> Vec<f64> {
        (0..len).map(|j| (p * j as f64 + p).sin()).collect()
    }

    fn all() -> Vec<(&'static str, Measurement, f64)> {
        let seen: Vec<bool> = (0..64).map(|j| j % 3 != 0).collect();
        vec![
            ("pixels", Measurement::pixels(&seen), 1.0),
            // A Aᵀ = I/16.
            ("blocks", Measurement::blocks(8, 4), 1.0 / 16.0),
        ]
    }

    #[test]
    fn the_transpose_is_one() {
        let mut measurements = all();
        measurements.push(("blur", Measurement::blur(8, 1.2), 1.0));
        for (name, a, _) in measurements {
            let (x, y) = (wave(a.columns(), 0.7), wave(a.rows(), 1.9));
            assert!((dot(&a.apply(&x), &y) - dot(&x, &a.transpose(&y))).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn the_pseudo_inverse_reproduces_y_and_is_the_shortest() {
        for (name, a, norm) in all() {
            let y = wave(a.rows(), 1.3);
            let x = a.pseudo_inverse(&y);
            let error = a.apply(&x).iter().zip(&y).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-12, "{name}: {error}");
            // Orthogonal to all that A does not see: adding it makes x longer. A wave less its seen part is unseen.
            let w = wave(a.columns(), 0.3);
            let seen = a.pseudo_inverse(&a.apply(&w));
            let unseen: Vec<f64> = w.iter().zip(&seen).map(|(w, s)| w - s).collect();
            assert!(dot(&x, &unseen).abs() < 1e-10 && dot(&unseen, &unseen) > 0.1, "{name}");
            assert!((a.norm_squared() - norm).abs() < 1e-9, "{name}: {}", a.norm_squared());
        }
    }

    #[test]
    fn a_blur_keeps_constants_and_smooths() {
        let a = Measurement::blur(8, 1.0);
        assert!(a.apply(&[2.5; 64]).iter().all(|y| (y - 2.5).abs() < 1e-12));
        let x: Vec<f64> = (0..64).map(|j| if (j + j / 8) % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!(a.apply(&x).iter().all(|y| y.abs() < 0.3), "a chessboard is smoothed away");
        // Without rows nothing is known.
        let none = Measurement::pixels(&[false; 9]);
        assert_eq!((none.norm_squared(), none.pseudo_inverse(&[]).len()), (0.0, 9));
    }
}
