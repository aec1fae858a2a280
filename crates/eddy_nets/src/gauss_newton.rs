//! Gauss-Newton with Levenberg's damping, for losses that are sums of squares of few residuals or few parameters.

use crate::{Level, graph::NormalEquations, matmul::add_product_of_rows};

/// Constants of [`GaussNewton`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussNewtonSettings {
    /// Damping at the start.
    pub damping: f64,
    /// The damping stays within these.
    pub range: (f64, f64),
    /// Tries per step before giving up.
    pub tries: usize,
}

impl Default for GaussNewtonSettings {
    fn default() -> Self {
        Self { damping: 1e-3, range: (1e-14, 1e8), tries: 12 }
    }
}

/// Minimises ½|r(p)|² by (JᵀJ + λ)δ = −Jᵀr (Levenberg 1944; Marquardt 1963; for networks also "energy natural gradient",
/// Müller and Zeinhofer 2023, eq. 8, whose Gram matrix is JᵀJ for a least-squares energy). Whichever of JᵀJ and JJᵀ is
/// smaller is factorized: δ = −Jᵀ(JJᵀ + λ)⁻¹r is the same step. λ falls threefold after a step that the model predicted
/// well and grows fourfold after one that did not reduce the loss. Quadratic convergence where the residual can vanish;
/// a step costs m·n·min(m, n) operations for m residuals and n parameters, so keep the lesser one below about a thousand.
#[derive(Clone, Debug)]
pub struct GaussNewton {
    pub settings: GaussNewtonSettings,
    damping: f64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussNewtonStep {
    /// |r|² after it.
    pub loss: f64,
    pub damping: f64,
    /// Evaluations of the residuals alone.
    pub tries: usize,
    /// Whether the loss fell.
    pub moved: bool,
}

impl GaussNewton {
    pub fn new(settings: GaussNewtonSettings) -> Self {
        Self { damping: settings.damping, settings }
    }

    /// One step from `parameters`, where the residuals and their Jacobian (one row per residual) are known;
    /// `loss(parameters)` is |r|² elsewhere. The parameters change only if it falls.
    ///
    /// # Panics
    /// If `jacobian` has not one row per residual and one column per parameter.
    pub fn step(
        &mut self,
        parameters: &mut [f64],
        residuals: &[f64],
        jacobian: &[f64],
        loss: impl FnMut(&[f64]) -> f64,
    ) -> GaussNewtonStep {
        let (m, n) = (residuals.len(), parameters.len());
        assert_eq!(jacobian.len(), m * n, "one row per residual, one column per parameter");
        let before: f64 = residuals.iter().map(|r| r * r).sum();
        let back = |long: &mut [f64], factors: &[f64]| {
            for (row, factor) in jacobian.chunks_exact(n.max(1)).zip(factors) {
                for (l, j) in long.iter_mut().zip(row) {
                    *l += factor * j;
                }
            }
        };
        let mut gradient = vec![0.0; n];
        back(&mut gradient, residuals);
        if m < n {
            let gram = gram_of_rows(jacobian, m, n);
            self.attempt(parameters, before, &gradient, &gram, loss, |factor| {
                let (mut short, mut delta) = (residuals.to_vec(), vec![0.0; n]);
                solve_cholesky(factor, m, &mut short);
                back(&mut delta, &short);
                delta
            })
        } else {
            let gram = gram_of_rows(&transposed(jacobian, m, n), n, m);
            self.attempt(parameters, before, &gradient, &gram, loss, |factor| solution(factor, &gradient))
        }
    }

    /// The same from the normal equations, which are finished: for many more residuals than parameters.
    ///
    /// # Panics
    /// If they are of another number of parameters.
    pub fn step_normal(
        &mut self,
        parameters: &mut [f64],
        equations: &NormalEquations,
        loss: impl FnMut(&[f64]) -> f64,
    ) -> GaussNewtonStep {
        let NormalEquations { gram, gradient, loss: before, .. } = equations;
        assert_eq!(gradient.len(), parameters.len(), "the equations are of another network");
        self.attempt(parameters, *before, gradient, gram, loss, |factor| solution(factor, gradient))
    }

    /// Tries dampings until the loss falls from `before`; `delta` makes the step of a factor of `gram` + λ.
    fn attempt(
        &mut self,
        parameters: &mut [f64],
        before: f64,
        gradient: &[f64],
        gram: &[f64],
        mut loss: impl FnMut(&[f64]) -> f64,
        delta: impl Fn(&[f64]) -> Vec<f64>,
    ) -> GaussNewtonStep {
        let size = gram.len().isqrt();
        let (mut trial, mut factor) = (vec![0.0; parameters.len()], Vec::new());
        for tries in 1..=self.settings.tries {
            gram.clone_into(&mut factor);
            for i in 0..size {
                factor[i * size + i] += self.damping;
            }
            if cholesky(&mut factor, size) {
                let delta = delta(&factor);
                for ((t, p), d) in trial.iter_mut().zip(parameters.iter()).zip(&delta) {
                    *t = p - d;
                }
                let after = loss(&trial);
                // The model's own prediction: |r|² falls by gᵀδ + λ|δ|².
                let predicted: f64 = gradient.iter().zip(&delta).map(|(g, d)| d * (g + self.damping * d)).sum();
                if after < before {
                    parameters.copy_from_slice(&trial);
                    let used = self.damping;
                    let factor = if before - after > 0.25 * predicted { 1.0 / 3.0 } else { 2.0 };
                    self.scale(factor);
                    return GaussNewtonStep { loss: after, damping: used, tries, moved: true };
                }
            }
            self.scale(4.0);
        }
        GaussNewtonStep { loss: before, damping: self.damping, tries: self.settings.tries, moved: false }
    }

    fn scale(&mut self, factor: f64) {
        self.damping = (self.damping * factor).clamp(self.settings.range.0, self.settings.range.1);
    }
}

fn transposed(a: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut out = vec![0.0; a.len()];
    for r in 0..rows {
        for c in 0..columns {
            out[c * rows + r] = a[r * columns + c];
        }
    }
    out
}

/// A·Aᵀ of `rows` rows of length `n`, symmetric. Rows are eight at a time, so that one passes over eight while in cache.
fn gram_of_rows(a: &[f64], rows: usize, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; rows * rows];
    for block in (0..rows).step_by(8) {
        for j in 0..rows {
            for i in block..(block + 8).min(rows) {
                if j <= i {
                    let sum = dot(&a[i * n..][..n], &a[j * n..][..n]);
                    out[i * rows + j] = sum;
                    out[j * rows + i] = sum;
                }
            }
        }
    }
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    let rest = a.len() / 8 * 8;
    sums.iter().sum::<f64>() + a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum::<f64>()
}

/// The lower factor of the symmetric positive definite `a` in its lower triangle; false if a pivot is not positive. Block
/// columns from left to right: what lies left of one is subtracted by a matrix product, so that all but n²·BLOCK/2 of the
/// n³/6 multiplications are made in registers.
fn cholesky(a: &mut [f64], n: usize) -> bool {
    const BLOCK: usize = 32;
    let mut sums = vec![0.0; n * BLOCK];
    for left in (0..n).step_by(BLOCK) {
        let (below, wide) = (n - left, BLOCK.min(n - left));
        if left > 0 {
            let sums = &mut sums[..below * wide];
            sums.fill(0.0);
            let rows = &a[left * n..];
            add_product_of_rows(Level::best(), rows, rows, n, sums, wide, [below, wide], left);
            for (row, sums) in a.chunks_exact_mut(n).skip(left).zip(sums.chunks_exact(wide)) {
                row[left..left + wide].iter_mut().zip(sums).for_each(|(x, s)| *x -= s);
            }
        }
        for i in left..n {
            let (above, rest) = a.split_at_mut(i * n);
            let row = &mut rest[left..left + wide];
            for j in 0..wide.min(i - left) {
                let other = &above[(left + j) * n + left..][..wide];
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            if i < left + wide {
                let j = i - left;
                let pivot = row[j] - dot(&row[..j], &row[..j]);
                if !(pivot > 0.0 && pivot.is_finite()) {
                    return false;
                }
                row[j] = pivot.sqrt();
            }
        }
    }
    true
}

fn solution(factor: &[f64], right: &[f64]) -> Vec<f64> {
    let mut x = right.to_vec();
    solve_cholesky(factor, right.len(), &mut x);
    x
}

/// L Lᵀ x = b in place.
fn solve_cholesky(l: &[f64], n: usize, b: &mut [f64]) {
    for i in 0..n {
        b[i] = (b[i] - dot(&l[i * n..][..i], &b[..i])) / l[i * n + i];
    }
    for i in (0..n).rev() {
        b[i] /= l[i * n + i];
        let x = b[i];
        for j in 0..i {
            b[j] -= l[i * n + j] * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal;

    #[test]
    fn blocks_make_the_same_factor_as_single_columns() {
        // Sizes around the blocks; by the textbook, entry by entry.
        for n in [1, 7, 31, 32, 33, 64, 101] {
            let rows: Vec<f64> = (0..n * n).map(|i| normal(3, i as u64)).collect();
            let mut matrix = gram_of_rows(&rows, n, n);
            (0..n).for_each(|i| matrix[i * n + i] += 1.0);
            let mut factor = matrix.clone();
            assert!(cholesky(&mut factor, n));
            let mut plain = vec![0.0; n * n];
            for i in 0..n {
                for j in 0..=i {
                    let sum: f64 = (0..j).map(|k| plain[i * n + k] * plain[j * n + k]).sum();
                    let rest: f64 = matrix[i * n + j] - sum;
                    plain[i * n + j] = if i == j { rest.sqrt() } else { rest / plain[j * n + j] };
                }
            }
            let gap = |i: usize, j: usize| (factor[i * n + j] - plain[i * n + j]).abs();
            let worst = (0..n).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|(i, j)| gap(i, j)).fold(0.0, f64::max);
            assert!(worst < 1e-10 * (n as f64).sqrt(), "{n}: {worst:e}");
            // Seen to fail: not positive in the last place.
            matrix[n * n - 1] = -1e3;
            assert!(!cholesky(&mut matrix, n));
        }
    }
}
