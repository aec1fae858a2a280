//! A covariance matrix as principal axes.

use super::{DiffusionError, Shape};

/// The shape of a covariance, `dim`·`dim` values in row order. It must be symmetric (to 10⁻⁹ of its largest entry) and
/// positive definite (smallest eigenvalue above 10⁻¹³ of the largest).
pub fn shape_of(covariance: &[f64], dim: usize) -> Result<Shape, DiffusionError> {
    let wrong = DiffusionError::Covariance;
    if covariance.len() != dim * dim || dim == 0 {
        return Err(wrong("it must have as many rows and columns as there are dimensions"));
    }
    if covariance.iter().any(|v| !v.is_finite()) {
        return Err(wrong("all its entries must be finite numbers"));
    }
    let largest = covariance.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    for i in 0..dim {
        for j in 0..i {
            if (covariance[i * dim + j] - covariance[j * dim + i]).abs() > 1e-9 * largest {
                return Err(wrong("it must be symmetric"));
            }
        }
    }
    let (values, axes) = symmetric_eigen(covariance, dim);
    let top = values.iter().copied().fold(0.0, f64::max);
    if values.iter().any(|v| *v <= 1e-13 * top) {
        return Err(wrong(
            "it must be positive definite: some combination of the coordinates has no positive variance",
        ));
    }
    let diagonal = (0..dim).all(|i| (0..dim).all(|j| i == j || covariance[i * dim + j] == 0.0));
    if diagonal && (0..dim).all(|i| covariance[i * dim + i] == covariance[0]) {
        return Ok(Shape::Isotropic { sd: covariance[0].sqrt() });
    }
    Ok(Shape::Full { axes, sds: values.iter().map(|v| v.sqrt()).collect() })
}

/// Eigenvalues and orthonormal eigenvectors (rows) of a symmetric matrix, by cyclic Jacobi rotations: each sweep costs
/// O(n³) and convergence is quadratic (Golub & Van Loan, section 8.5).
pub fn symmetric_eigen(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut v: Vec<f64> = (0..n * n).map(|k| if k / n == k % n { 1.0 } else { 0.0 }).collect();
    let scale: f64 = a.iter().map(|x| x * x).sum::<f64>();
    // 10 sweeps reach rounding for any size met here; 50 is a guard.
    for _ in 0..50 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        if off <= 1e-32 * scale {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (v[p * n + k], v[q * n + k]);
                    (v[p * n + k], v[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{Component, Mixture};

    fn dense(n: usize) -> Vec<f64> {
        // A Gram matrix of points that are not aligned, plus a ridge.
        let g = |i: usize, j: usize| ((i * 7 + j * 3) as f64).sin();
        (0..n * n)
            .map(|k| {
                let (i, j) = (k / n, k % n);
                (0..n).map(|m| g(i, m) * g(j, m)).sum::<f64>() / n as f64 + if i == j { 0.1 } else { 0.0 }
            })
            .collect()
    }

    #[test]
    fn axes_rebuild_the_matrix() {
        for n in [1, 2, 5, 64] {
            let matrix = dense(n);
            let (values, axes) = symmetric_eigen(&matrix, n);
            for i in 0..n {
                for j in 0..n {
                    let sum: f64 = (0..n).map(|k| values[k] * axes[k * n + i] * axes[k * n + j]).sum();
                    assert!((sum - matrix[i * n + j]).abs() < 1e-12, "{n} {i} {j}");
                }
            }
            let shape = shape_of(&matrix, n).unwrap();
            let component = Component { weight: 1.0, mean: vec![0.0; n], shape, class: 0 };
            assert!(Mixture::new(n, vec![component]).is_ok(), "{n}");
        }
    }

    #[test]
    fn what_is_no_covariance_is_explained() {
        let said = |m: &[f64]| shape_of(m, 2).unwrap_err().to_string();
        assert!(said(&[1.0, 0.2, 0.3, 1.0]).contains("symmetric"));
        assert!(said(&[1.0, 2.0, 2.0, 1.0]).contains("positive definite"));
        assert!(said(&[1.0, 1.0, 1.0, 1.0]).contains("positive definite"));
        assert!(said(&[0.0; 4]).contains("positive definite"));
        assert!(said(&[f64::NAN, 0.0, 0.0, 1.0]).contains("finite"));
        assert!(said(&[1.0, 0.0]).contains("rows"));
    }
}
