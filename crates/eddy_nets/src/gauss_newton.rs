//! Gauss-Newton with Levenberg's damping, for losses that are sums of squares of few residuals or few parameters.

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
        mut loss: impl FnMut(&[f64]) -> f64,
    ) -> GaussNewtonStep {
        let (m, n) = (residuals.len(), parameters.len());
        assert_eq!(jacobian.len(), m * n, "one row per residual, one column per parameter");
        let before: f64 = residuals.iter().map(|r| r * r).sum();
        let mut gradient = vec![0.0; n];
        for (row, r) in jacobian.chunks_exact(n.max(1)).zip(residuals) {
            for (g, j) in gradient.iter_mut().zip(row) {
                *g += r * j;
            }
        }
        let wide = m < n;
        let gram = if wide { gram_of_rows(jacobian, m, n) } else { gram_of_rows(&transposed(jacobian, m, n), n, m) };
        let size = m.min(n);
        let mut trial = vec![0.0; n];
        for tries in 1..=self.settings.tries {
            let mut factor = gram.clone();
            for i in 0..size {
                factor[i * size + i] += self.damping;
            }
            if cholesky(&mut factor, size) {
                let mut delta = if wide { residuals.to_vec() } else { gradient.clone() };
                solve_cholesky(&factor, size, &mut delta);
                if wide {
                    let mut long = vec![0.0; n];
                    for (row, d) in jacobian.chunks_exact(n).zip(&delta) {
                        for (l, j) in long.iter_mut().zip(row) {
                            *l += d * j;
                        }
                    }
                    delta = long;
                }
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

/// The lower factor of the symmetric positive definite `a` in its lower triangle; false if a pivot is not positive.
fn cholesky(a: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        let (above, below) = a.split_at_mut(i * n);
        let row = &mut below[..n];
        for j in 0..i {
            let other = &above[j * n..][..n];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        row[i] = pivot.sqrt();
    }
    true
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
