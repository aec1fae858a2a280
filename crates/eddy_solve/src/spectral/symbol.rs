//! The linear part in Fourier space, with elliptic lines eliminated.

use eddy_expr::LinearSymbol;
use eddy_numerics::Complex;

use super::{Blocks, CMatrix, Modes};
use crate::{error::SolveError, evaluate::Scalar};

/// L for each wavenumber, for the stepped variables; and how elliptic variables follow from them.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub modes: usize,
    /// Stepped variables.
    pub size: usize,
    /// Elliptic variables.
    elliptic: usize,
    /// Of each wavenumber: L, size × size.
    pub matrices: Vec<CMatrix>,
    /// -D⁺C (elliptic × size) and -D⁺ (elliptic × elliptic).
    from_state: Blocks<f64>,
    from_sources: Blocks<f64>,
    /// -B D⁺ (size × elliptic).
    to_state: Blocks<f64>,
    /// Highest total order of the linear part.
    pub order: u32,
}

impl Symbol {
    /// Rows of elliptic variables read D ψ + C u + sources = 0, those of stepped ones A u + B ψ.
    pub fn new(modes: &Modes, linear: &LinearSymbol, stepped: &[u16], elliptic: &[u16]) -> Result<Self, SolveError> {
        let (m, e) = (stepped.len(), elliptic.len());
        let n = modes.len();
        let all = linear.size;
        let pick = |matrix: &[(f64, f64)], rows: &[u16], columns: &[u16]| -> Vec<Complex<f64>> {
            rows.iter()
                .flat_map(|row| columns.iter().map(move |column| (usize::from(*row), usize::from(*column))))
                .map(|(row, column)| Complex::new(matrix[row * all + column].0, matrix[row * all + column].1))
                .collect()
        };
        // What counts as zero, measured against the largest entry over all wavenumbers.
        let mut largest = 0.0f64;
        if e > 0 {
            for index in 0..n {
                let d = pick(&linear.at(modes.at(index)), elliptic, elliptic);
                largest = d.iter().map(|z| z.norm()).fold(largest, f64::max);
            }
            if largest == 0.0 {
                return Err(SolveError::value(
                    "equations",
                    "an elliptic equation does not contain the field it is to give",
                ));
            }
        }
        let mut matrices = Vec::with_capacity(n);
        // By wavenumber, each row-major.
        let [mut from_state, mut from_sources, mut to_state] = [const { Vec::new() }; 3];
        for index in 0..n {
            let matrix = linear.at(modes.at(index));
            let mut a = CMatrix { size: m, entries: pick(&matrix, stepped, stepped) };
            if e > 0 {
                let d = CMatrix { size: e, entries: pick(&matrix, elliptic, elliptic) };
                let (b, c) = (pick(&matrix, stepped, elliptic), pick(&matrix, elliptic, stepped));
                let minus = d.pseudo_inverse(1e-13 * largest).scaled(-1.0);
                let from = product(&minus.entries, &c, e, e, m);
                let coupling = product(&b, &from, m, e, m);
                a.entries.iter_mut().zip(coupling).for_each(|(a, c)| *a += c);
                from_state.push(from);
                to_state.push(product(&b, &minus.entries, m, e, e));
                from_sources.push(minus.entries);
            }
            if a.entries.iter().any(|z| !(z.re.is_finite() && z.im.is_finite())) {
                return Err(SolveError::value("equations", "a coefficient of the linear part is not finite"));
            }
            matrices.push(a);
        }
        let blocks = |rows: usize, columns: usize, values: &[Vec<Complex<f64>>]| {
            Blocks::new(rows, columns, n, |row, column, mode| values[mode][row * columns + column])
        };
        Ok(Self {
            modes: n,
            size: m,
            elliptic: e,
            matrices,
            from_state: blocks(e, m, &from_state),
            from_sources: blocks(e, e, &from_sources),
            to_state: blocks(m, e, &to_state),
            order: linear.highest_order(),
        })
    }

    pub fn is_diagonal(&self) -> bool {
        let m = self.size;
        self.matrices.iter().all(|a| (0..m * m).all(|at| at / m == at % m || a.entries[at] == Complex::default()))
    }

    /// The diagonal, field by field: for methods that need no more.
    pub fn diagonal(&self) -> Vec<Complex<f64>> {
        (0..self.size)
            .flat_map(|field| self.matrices.iter().map(move |a| a.entries[field * self.size + field]))
            .collect()
    }

    pub fn blocks<R: Scalar>(&self, of: impl Fn(&CMatrix) -> CMatrix) -> Blocks<R> {
        let values: Vec<CMatrix> = self.matrices.iter().map(of).collect();
        let m = self.size;
        Blocks::new(m, m, self.modes, |row, column, mode| values[mode].entries[row * m + column])
    }

    /// Largest norm of L over the wavenumbers: a bound of its spectral radius.
    pub fn radius(&self) -> f64 {
        self.matrices.iter().map(CMatrix::norm).fold(0.0, f64::max)
    }

    /// out += L u.
    pub fn add_product<R: Scalar>(&self, u: &[Complex<R>], out: &mut [Complex<R>]) {
        let (n, m) = (self.modes, self.size);
        for (mode, matrix) in self.matrices.iter().enumerate() {
            for row in 0..m {
                let mut sum = Complex::new(R::of(0.0), R::of(0.0));
                for column in 0..m {
                    let z = matrix.entries[row * m + column];
                    sum += u[column * n + mode] * Complex::new(R::of(z.re), R::of(z.im));
                }
                out[row * n + mode] += sum;
            }
        }
    }

    /// ψ = -D⁺ (C u + sources); the sources of all elliptic variables one after the other, or none.
    pub fn solve_elliptic<R: Scalar>(&self, u: &[Complex<R>], sources: &[Complex<R>], solved: &mut [Complex<R>]) {
        solved.fill(Complex::default());
        self.from_state.add_product(u, solved);
        if !sources.is_empty() {
            self.from_sources.add_product(sources, solved);
        }
    }

    /// out += -B D⁺ sources.
    pub fn add_sources<R: Scalar>(&self, sources: &[Complex<R>], out: &mut [Complex<R>]) {
        if self.elliptic > 0 {
            self.to_state.add_product(sources, out);
        }
    }
}

/// Product of an (r × s) and an (s × t) matrix.
fn product(a: &[Complex<f64>], b: &[Complex<f64>], r: usize, s: usize, t: usize) -> Vec<Complex<f64>> {
    let mut out = vec![Complex::default(); r * t];
    for i in 0..r {
        for k in 0..s {
            for j in 0..t {
                out[i * t + j] += a[i * s + k] * b[k * t + j];
            }
        }
    }
    out
}
