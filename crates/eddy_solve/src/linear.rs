//! Solves of the sparse systems that implicit steps and elliptic lines make.

use std::sync::{Arc, OnceLock};

#[cfg(feature = "sparse")]
use eddy_numerics::linear::sparse::SparseLu;
use eddy_numerics::linear::{Banded, BandedLu, Csr, GalerkinMultigrid, Krylov};

/// A matrix as rows of (column, value); a column may appear more than once in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub rows: Vec<Vec<(usize, f64)>>,
}

impl Rows {
    pub fn new(size: usize) -> Self {
        Self { rows: vec![Vec::new(); size] }
    }

    pub fn size(&self) -> usize {
        self.rows.len()
    }

    fn csr(&self) -> Csr<f64> {
        Csr::from_rows(self.size(), self.rows.iter().cloned())
    }

    /// Entries below and above the diagonal, at most.
    fn bandwidth(&self, order: &[usize]) -> (usize, usize) {
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, index)| place[*index] = at);
        let (mut below, mut above) = (0, 0);
        for (row, entries) in self.rows.iter().enumerate() {
            for (column, _) in entries {
                let (r, c) = (place[row], place[*column]);
                below = below.max(r.saturating_sub(c));
                above = above.max(c.saturating_sub(r));
            }
        }
        (below, above)
    }
}

/// The matrix has no inverse, or is too large to factor here.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FactorError {
    #[error("a matrix is singular: the equations do not determine the solution")]
    Singular,
    #[error("a matrix of {size} rows with bandwidth {band} is too large for a direct solve; use fewer points")]
    TooLarge { size: usize, band: usize },
    #[error("the solution of a linear system is not finite")]
    NotFinite,
}

/// Most numbers that a banded factor may hold: 1 GiB.
const MAX_BAND: usize = 1 << 27;

/// Above so many numbers in a band, other ways are faster.
const WIDE_BAND: usize = 1 << 19;

/// Most unknowns that are factored by sparse elimination in the plane, where one factorization serves many solves.
#[cfg(feature = "sparse")]
const MAX_SPARSE: usize = 100_000;

/// Unknowns of several components on a grid, ordered so that the band is as narrow as the shorter sides allow.
pub fn grid_order(shape: [usize; 3], components: usize) -> Vec<usize> {
    let points: usize = shape.iter().product();
    // The longest axis runs slowest.
    let mut axes = [0, 1, 2];
    axes.sort_by_key(|axis| shape[*axis]);
    let strides = [1, shape[0], shape[0] * shape[1]];
    let mut order = Vec::with_capacity(points * components);
    for slow in 0..shape[axes[2]] {
        for middle in 0..shape[axes[1]] {
            for fast in 0..shape[axes[0]] {
                let point = slow * strides[axes[2]] + middle * strides[axes[1]] + fast * strides[axes[0]];
                order.extend((0..components).map(|component| component * points + point));
            }
        }
    }
    order
}

/// A matrix made ready to be solved with.
pub enum Factor {
    /// A band in an order that makes it narrow: size · bandwidth² for the factors, size · bandwidth for a solve.
    Band { factors: BandedLu<f64>, order: Vec<usize> },
    /// Sparse factors with an order that keeps them sparse.
    #[cfg(feature = "sparse")]
    Sparse(SparseLu<f64>),
    /// A Krylov method.
    Iterative(Box<Iterative>),
}

impl Factor {
    /// For unknowns on a grid: a narrow band directly; a large plane, where there are sparse factors, by those; everything
    /// else by a Krylov method with multigrid.
    pub fn new(matrix: &Rows, shape: [usize; 3], components: usize) -> Result<Self, FactorError> {
        let order = grid_order(shape, components);
        let (below, above) = matrix.bandwidth(&order);
        let axes = shape.iter().filter(|n| **n > 1).count();
        if axes < 2 || matrix.size() * (2 * below + above) <= WIDE_BAND {
            return Self::banded(matrix, order);
        }
        #[cfg(feature = "sparse")]
        if axes == 2 && matrix.size() <= MAX_SPARSE {
            return Self::sparse(matrix);
        }
        match Iterative::new(matrix, shape, components) {
            Some(iterative) => Ok(Self::Iterative(Box::new(iterative))),
            None => Self::direct(matrix, order),
        }
    }

    /// Whatever eliminates without iterating.
    fn direct(matrix: &Rows, order: Vec<usize>) -> Result<Self, FactorError> {
        #[cfg(feature = "sparse")]
        return Self::sparse(matrix).or_else(|_| Self::banded(matrix, order));
        #[cfg(not(feature = "sparse"))]
        Self::banded(matrix, order)
    }

    #[cfg(feature = "sparse")]
    fn sparse(matrix: &Rows) -> Result<Self, FactorError> {
        SparseLu::new(&matrix.csr()).map(Self::Sparse).map_err(|_| FactorError::Singular)
    }

    /// `order[place]` is the unknown at a place; it should keep coupled unknowns near each other.
    pub fn banded(matrix: &Rows, order: Vec<usize>) -> Result<Self, FactorError> {
        let size = matrix.size();
        let (below, above) = matrix.bandwidth(&order);
        if size.saturating_mul(2 * below + above + 1) > MAX_BAND {
            return Err(FactorError::TooLarge { size, band: above.max(below) });
        }
        let mut place = vec![0; size];
        order.iter().enumerate().for_each(|(at, index)| place[*index] = at);
        let mut band = Banded::<f64>::new(size, below, above);
        for (row, entries) in matrix.rows.iter().enumerate() {
            entries.iter().for_each(|(column, value)| band.add(place[row], place[*column], *value));
        }
        let factors = band.factor().map_err(|_| FactorError::Singular)?;
        Ok(Self::Band { factors, order })
    }

    /// Solves in place.
    pub fn solve(&self, x: &mut [f64]) -> Result<(), FactorError> {
        match self {
            Self::Band { factors, order } => {
                let mut y: Vec<f64> = order.iter().map(|index| x[*index]).collect();
                factors.solve(&mut y);
                order.iter().zip(&y).for_each(|(index, value)| x[*index] = *value);
            }
            #[cfg(feature = "sparse")]
            Self::Sparse(factors) => factors.solve(x),
            Self::Iterative(iterative) => iterative.solve(x)?,
        }
        if x.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(FactorError::NotFinite) }
    }
}

/// GMRES with one cycle of multigrid before each application. Where that does not converge, the matrix is factored after
/// all, once.
pub struct Iterative {
    matrix: Arc<Csr<f64>>,
    multigrid: GalerkinMultigrid<f64>,
    order: Vec<usize>,
    fallback: OnceLock<Result<Factor, FactorError>>,
}

impl Iterative {
    /// Some three times what an elliptic problem needs.
    const KRYLOV: Krylov = Krylov { tolerance: 1e-13, floor: 0.0, max_iterations: 40, restart: 20 };

    fn new(matrix: &Rows, shape: [usize; 3], components: usize) -> Option<Self> {
        let matrix = Arc::new(matrix.csr());
        let multigrid = GalerkinMultigrid::new(matrix.clone(), shape, components).ok()?;
        Some(Self { matrix, multigrid, order: grid_order(shape, components), fallback: OnceLock::new() })
    }

    fn solve(&self, x: &mut [f64]) -> Result<(), FactorError> {
        if self.fallback.get().is_none() {
            let mut answer = vec![0.0; x.len()];
            let report = Self::KRYLOV.gmres(&*self.matrix, &self.multigrid, x, &mut answer);
            if report.is_converged() || self.is_as_good_as_direct(&answer, x, report.residual) {
                x.copy_from_slice(&answer);
                return Ok(());
            }
        }
        let fallback = self.fallback.get_or_init(|| {
            let rows = (0..self.matrix.rows()).map(|row| {
                let (columns, values) = self.matrix.row(row);
                columns.iter().copied().zip(values.iter().copied()).collect()
            });
            Factor::direct(&Rows { rows: rows.collect() }, self.order.clone())
        });
        match fallback {
            Ok(factor) => factor.solve(x),
            Err(error) => Err(error.clone()),
        }
    }

    /// A residual that rounding of A x explains: what elimination leaves too.
    fn is_as_good_as_direct(&self, x: &[f64], b: &[f64], residual: f64) -> bool {
        let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let row = |row: usize| self.matrix.row(row).1.iter().map(|v| v.abs()).sum::<f64>();
        let size = (0..self.matrix.rows()).map(row).fold(0.0, f64::max);
        residual * norm(b) <= 8.0 * f64::EPSILON * (size * norm(x) + norm(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_what_it_multiplied() {
        for (n, below, above) in [(1, 0, 0), (7, 2, 1), (40, 3, 5), (30, 29, 29)] {
            let mut matrix = Rows::new(n);
            let mut seed = 1u32;
            let mut next = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(seed >> 8) / f64::from(1 << 24) - 0.5
            };
            for i in 0..n {
                for j in i.saturating_sub(below)..=(i + above).min(n - 1) {
                    matrix.rows[i].push((j, next()));
                }
            }
            let exact: Vec<f64> = (0..n).map(|_| next()).collect();
            let mut x: Vec<f64> = matrix.rows.iter().map(|row| row.iter().map(|(j, a)| a * exact[*j]).sum()).collect();
            // Backwards is as good an order as any.
            let band = Factor::banded(&matrix, (0..n).rev().collect()).unwrap();
            band.solve(&mut x).unwrap();
            let error = x.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-9, "{n}: {error:e}");
        }
    }

    #[test]
    fn says_that_a_matrix_is_singular() {
        let mut matrix = Rows::new(2);
        matrix.rows = vec![vec![(0, 1.0), (1, 2.0)], vec![(0, 0.0), (1, 0.0)]];
        assert!(matches!(Factor::banded(&matrix, vec![0, 1]), Err(FactorError::Singular)));
    }

    /// A five-point operator with an uneven diagonal.
    fn five_points(shape: [usize; 3], diagonal: f64) -> Rows {
        let mut matrix = Rows::new(shape[0] * shape[1]);
        for point in 0..matrix.size() {
            let (x, y) = (point % shape[0], point / shape[0]);
            matrix.rows[point].push((point, diagonal + (point as f64).sin()));
            for (is_inside, other) in [
                (x > 0, point.wrapping_sub(1)),
                (x + 1 < shape[0], point + 1),
                (y > 0, point.wrapping_sub(shape[0])),
                (y + 1 < shape[1], point + shape[0]),
            ] {
                if is_inside {
                    matrix.rows[point].push((other, -1.0));
                }
            }
        }
        matrix
    }

    /// Largest difference to what a band gives.
    fn differs(factor: &Factor, matrix: &Rows, shape: [usize; 3]) -> f64 {
        let right: Vec<f64> = (0..matrix.size()).map(|i| (0.37 * i as f64).cos()).collect();
        let (mut a, mut b) = (right.clone(), right);
        factor.solve(&mut a).unwrap();
        Factor::banded(matrix, grid_order(shape, 1)).unwrap().solve(&mut b).unwrap();
        a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[cfg(feature = "sparse")]
    #[test]
    fn sparse_factors_give_what_bands_give() {
        let shape = [90, 80, 1];
        let matrix = five_points(shape, 4.5);
        let sparse = Factor::new(&matrix, shape, 1).unwrap();
        assert!(matches!(sparse, Factor::Sparse(_)));
        let error = differs(&sparse, &matrix, shape);
        assert!(error < 1e-12, "{error:e}");
    }

    #[test]
    fn cycles_give_what_bands_give() {
        let shape = [90, 80, 1];
        let matrix = five_points(shape, 4.5);
        let iterative = Iterative::new(&matrix, shape, 1).unwrap();
        let factor = Factor::Iterative(Box::new(iterative));
        let error = differs(&factor, &matrix, shape);
        assert!(error < 1e-11, "{error:e}");
        let Factor::Iterative(iterative) = factor else { return };
        assert!(iterative.fallback.get().is_none(), "the cycles converged by themselves");
    }

    /// Far from elliptic: cycles do not converge, and the answer is right nevertheless.
    #[test]
    fn what_cycles_cannot_solve_is_eliminated() {
        let shape = [90, 80, 1];
        let matrix = five_points(shape, 1.3);
        let factor = Factor::Iterative(Box::new(Iterative::new(&matrix, shape, 1).unwrap()));
        let error = differs(&factor, &matrix, shape);
        assert!(error < 1e-8, "{error:e}");
        let Factor::Iterative(iterative) = factor else { return };
        assert!(iterative.fallback.get().is_some(), "it was eliminated");
    }

    #[test]
    fn orders_every_unknown_once() {
        let mut order = grid_order([3, 5, 2], 2);
        assert_eq!(order[..2], [0, 30]);
        order.sort_unstable();
        assert_eq!(order, (0..60).collect::<Vec<_>>());
    }
}
