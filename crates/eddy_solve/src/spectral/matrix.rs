//! Functions of the small matrices that a coupled linear part has at each wavenumber.

use eddy_numerics::Complex;

use crate::evaluate::Scalar;

/// A dense complex matrix of a few rows, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct CMatrix {
    pub size: usize,
    pub entries: Vec<Complex<f64>>,
}

impl CMatrix {
    pub fn zero(size: usize) -> Self {
        Self { size, entries: vec![Complex::default(); size * size] }
    }

    pub fn identity(size: usize) -> Self {
        let mut one = Self::zero(size);
        (0..size).for_each(|i| one.entries[i * size + i] = Complex::new(1.0, 0.0));
        one
    }

    pub fn scaled(&self, factor: f64) -> Self {
        Self { size: self.size, entries: self.entries.iter().map(|z| z * factor).collect() }
    }

    pub fn plus(&self, other: &Self) -> Self {
        let entries = self.entries.iter().zip(&other.entries).map(|(a, b)| a + b).collect();
        Self { size: self.size, entries }
    }

    pub fn times(&self, other: &Self) -> Self {
        let n = self.size;
        let mut out = Self::zero(n);
        for i in 0..n {
            for k in 0..n {
                let a = self.entries[i * n + k];
                if a != Complex::default() {
                    for j in 0..n {
                        out.entries[i * n + j] += a * other.entries[k * n + j];
                    }
                }
            }
        }
        out
    }

    /// Largest row sum.
    pub fn norm(&self) -> f64 {
        self.entries.chunks(self.size.max(1)).map(|row| row.iter().map(|z| z.norm()).sum::<f64>()).fold(0.0, f64::max)
    }

    /// φ₀ = exp, φ₁, φ₂, φ₃ of the matrix, where φ_k(z) = Σ_j z^j / (j + k)!.
    ///
    /// Taylor series of a matrix halved until its norm is below one half, then doubled again by the formulas of Skaflestad
    /// & Wright (2009), Appl. Numer. Math. 59, 783, eq. 3.6. Rounding: about 1e-15 times the number of doublings.
    pub fn phi(&self) -> [Self; 4] {
        if self.size == 1 {
            return phi_scalar(self.entries[0]).map(|z| Self { size: 1, entries: vec![z] });
        }
        let norm = self.norm();
        let doublings = if norm > 0.5 && norm.is_finite() { (norm / 0.5).log2().ceil() as u32 } else { 0 };
        let b = self.scaled(0.5f64.powi(doublings as i32));
        let one = Self::identity(self.size);
        // Horner's scheme for φ₃: ((… + 1/(k+3)!) b + 1/3!); 0.5^16 / 19! is far below rounding.
        let mut p3 = Self::zero(self.size);
        for k in (0..16).rev() {
            p3 = p3.times(&b).plus(&one.scaled(1.0 / factorial(k + 3)));
        }
        let mut p2 = b.times(&p3).plus(&one.scaled(0.5));
        let mut p1 = b.times(&p2).plus(&one);
        let mut p0 = b.times(&p1).plus(&one);
        for _ in 0..doublings {
            let next3 = p1.times(&p2).plus(&p3.scaled(2.0)).plus(&p2).scaled(0.125);
            let next2 = p1.times(&p1).plus(&p2.scaled(2.0)).scaled(0.25);
            let next1 = p0.times(&p1).plus(&p1).scaled(0.5);
            p0 = p0.times(&p0);
            (p1, p2, p3) = (next1, next2, next3);
        }
        [p0, p1, p2, p3]
    }

    /// The inverse; directions that the matrix maps to (nearly) nothing are mapped to nothing.
    pub fn pseudo_inverse(&self, threshold: f64) -> Self {
        let n = self.size;
        let mut a = self.entries.clone();
        let mut inverse = Self::identity(n).entries;
        let mut is_null = vec![false; n];
        for column in 0..n {
            let best = (column..n)
                .max_by(|i, j| a[i * n + column].norm().total_cmp(&a[j * n + column].norm()))
                .unwrap_or(column);
            if a[best * n + column].norm() <= threshold {
                is_null[column] = true;
                continue;
            }
            for j in 0..n {
                a.swap(best * n + j, column * n + j);
                inverse.swap(best * n + j, column * n + j);
            }
            let pivot = Complex::new(1.0, 0.0) / a[column * n + column];
            for j in 0..n {
                a[column * n + j] *= pivot;
                inverse[column * n + j] *= pivot;
            }
            for i in (0..n).filter(|i| *i != column) {
                let factor = a[i * n + column];
                if factor != Complex::default() {
                    for j in 0..n {
                        let (x, y) = (a[column * n + j], inverse[column * n + j]);
                        a[i * n + j] -= factor * x;
                        inverse[i * n + j] -= factor * y;
                    }
                }
            }
        }
        for (row, _) in is_null.iter().enumerate().filter(|(_, null)| **null) {
            inverse[row * n..(row + 1) * n].fill(Complex::default());
        }
        Self { size: n, entries: inverse }
    }
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}

/// φ₀ … φ₃ of a number: the series where the closed forms would cancel, those elsewhere.
pub fn phi_scalar(z: Complex<f64>) -> [Complex<f64>; 4] {
    if z.norm() < 1.0 {
        let mut p3 = Complex::default();
        for k in (0..20).rev() {
            p3 = p3 * z + 1.0 / factorial(k + 3);
        }
        let p2 = z * p3 + 0.5;
        let p1 = z * p2 + 1.0;
        [z * p1 + 1.0, p1, p2, p3]
    } else {
        let p0 = z.exp();
        let p1 = (p0 - 1.0) / z;
        let p2 = (p1 - 1.0) / z;
        [p0, p1, p2, (p2 - 0.5) / z]
    }
}

/// A matrix for each wavenumber, stored by entry, so that a product is a loop over wavenumbers for each pair of fields.
/// Entries that are zero everywhere are not stored.
#[derive(Clone, Debug)]
pub struct Blocks<R> {
    modes: usize,
    entries: Vec<(usize, usize, Entry<R>)>,
}

#[derive(Clone, Debug)]
enum Entry<R> {
    Real(Vec<R>),
    Complex(Vec<Complex<R>>),
}

impl<R: Scalar> Blocks<R> {
    /// `at(row, column, mode)` for all rows and columns.
    pub fn new(rows: usize, columns: usize, modes: usize, at: impl Fn(usize, usize, usize) -> Complex<f64>) -> Self {
        let mut entries = Vec::new();
        for row in 0..rows {
            for column in 0..columns {
                let values: Vec<Complex<f64>> = (0..modes).map(|mode| at(row, column, mode)).collect();
                if values.iter().all(|z| *z == Complex::default()) {
                    continue;
                }
                let entry = if values.iter().all(|z| z.im == 0.0) {
                    Entry::Real(values.iter().map(|z| R::of(z.re)).collect())
                } else {
                    Entry::Complex(values.iter().map(|z| Complex::new(R::of(z.re), R::of(z.im))).collect())
                };
                entries.push((row, column, entry));
            }
        }
        Self { modes, entries }
    }

    /// out += M v, in the number format of the vectors.
    pub fn add_product<S: Scalar>(&self, v: &[Complex<S>], out: &mut [Complex<S>]) {
        let n = self.modes;
        let of = |f: R| S::of(eddy_numerics::Real::to_f64(f));
        for (row, column, entry) in &self.entries {
            let (source, target) = (&v[column * n..][..n], &mut out[row * n..][..n]);
            match entry {
                Entry::Real(factors) => {
                    for ((out, v), f) in target.iter_mut().zip(source).zip(factors) {
                        *out += *v * of(*f);
                    }
                }
                Entry::Complex(factors) => {
                    for ((out, v), f) in target.iter_mut().zip(source).zip(factors) {
                        *out += *v * Complex::new(of(f.re), of(f.im));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_a_matrix_with_known_eigenvectors() {
        // [[0, 1], [-w², -2d]] turns and decays: compare with the functions of its eigenvalues.
        for (w, d) in [(3.0f64, 0.1), (200.0, 5.0), (0.01, 0.0), (40.0, 41.0)] {
            let c = |re: f64| Complex::new(re, 0.0);
            let a = CMatrix { size: 2, entries: vec![c(0.0), c(1.0), c(-w * w), c(-2.0 * d)] };
            let root = Complex::new(d * d - w * w, 0.0).sqrt();
            let (l1, l2) = (-d + root, -d - root);
            let phi = a.phi();
            for k in 0..4 {
                let (f1, f2) = (phi_scalar(l1)[k], phi_scalar(l2)[k]);
                // f(A) = ((f1 - f2) A + (l1 f2 - l2 f1) I) / (l1 - l2).
                for entry in 0..4 {
                    let diagonal = if entry % 3 == 0 { l1 * f2 - l2 * f1 } else { Complex::default() };
                    let exact = ((f1 - f2) * a.entries[entry] + diagonal) / (l1 - l2);
                    let error = (phi[k].entries[entry] - exact).norm();
                    assert!(error < 1e-11 * (1.0 + w), "w {w} d {d} k {k} entry {entry}: {error:e}");
                }
            }
        }
    }

    #[test]
    fn series_and_closed_forms_meet() {
        for angle in 0..12 {
            let direction = Complex::from_polar(1.0, f64::from(angle));
            let (inside, outside) = (phi_scalar(direction * 0.999_999), phi_scalar(direction * 1.000_001));
            for k in 0..4 {
                assert!((inside[k] - outside[k]).norm() < 1e-5);
            }
        }
        assert!((phi_scalar(Complex::default())[3] - 1.0 / 6.0).norm() < 1e-16);
    }

    #[test]
    fn inverse_of_what_can_be_inverted() {
        let c = |re: f64, im: f64| Complex::new(re, im);
        let a = CMatrix { size: 2, entries: vec![c(0.0, 1.0), c(2.0, 0.0), c(1.0, 0.0), c(3.0, -1.0)] };
        let product = a.times(&a.pseudo_inverse(1e-13));
        assert!(product.plus(&CMatrix::identity(2).scaled(-1.0)).norm() < 1e-14);
        let null = CMatrix { size: 2, entries: vec![c(0.0, 0.0), c(0.0, 0.0), c(0.0, 0.0), c(4.0, 0.0)] };
        let inverse = null.pseudo_inverse(1e-13);
        assert_eq!(inverse.entries[0], Complex::default());
        assert_eq!(inverse.entries[3], c(0.25, 0.0));
    }
}
