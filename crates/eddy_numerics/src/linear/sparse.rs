//! Direct solves of large sparse systems, by faer: LU with minimum-degree column ordering and supernodes. Feature `sparse`.
//!
//! On a grid of n points in the plane: about n log n numbers and n^1.5 operations for the factors, where a band needs n^1.5
//! and n². For up to about 10⁶ unknowns in the plane.

use faer::linalg::solvers::SolveCore;
use faer::sparse::linalg::LuError;
use faer::sparse::linalg::solvers::{Lu, SymbolicLu};
use faer::sparse::{SparseColMat, Triplet};
use faer::{Conj, MatMut};

use super::{Csr, LinearError, Scalar, check_by_probe};

/// Factors of a sparse matrix.
#[derive(Clone, Debug)]
pub struct SparseLu<V: faer::traits::ComplexField> {
    size: usize,
    symbolic: SymbolicLu<usize>,
    factors: Lu<usize, V>,
}

fn column_matrix<V: Scalar + faer::traits::ComplexField>(
    matrix: &Csr<V>,
) -> Result<SparseColMat<usize, V>, LinearError> {
    let (rows, columns) = (matrix.rows(), matrix.columns());
    if rows != columns {
        return Err(LinearError::NotSquare { rows, columns });
    }
    if matrix.triplets().any(|(_, _, v)| !v.magnitude().is_finite()) {
        return Err(LinearError::NotFinite);
    }
    let triplets: Vec<_> = matrix.triplets().map(|(row, col, val)| Triplet::new(row, col, val)).collect();
    SparseColMat::try_new_from_triplets(rows, columns, &triplets)
        .map_err(|_| LinearError::TooLarge { need: matrix.entries(), limit: usize::MAX })
}

impl<V: Scalar + faer::traits::ComplexField> SparseLu<V> {
    /// Orders and factors.
    pub fn new(matrix: &Csr<V>) -> Result<Self, LinearError> {
        let columns = column_matrix(matrix)?;
        let symbolic = SymbolicLu::try_new(columns.symbolic())
            .map_err(|_| LinearError::TooLarge { need: matrix.entries(), limit: usize::MAX })?;
        Self::with_order(matrix, &columns, symbolic)
    }

    /// Factors a matrix with the same pattern anew, without ordering again.
    pub fn refactor(&self, matrix: &Csr<V>) -> Result<Self, LinearError> {
        if matrix.rows() != self.size {
            return Err(LinearError::NotSquare { rows: matrix.rows(), columns: self.size });
        }
        Self::with_order(matrix, &column_matrix(matrix)?, self.symbolic.clone())
    }

    fn with_order(
        matrix: &Csr<V>,
        columns: &SparseColMat<usize, V>,
        symbolic: SymbolicLu<usize>,
    ) -> Result<Self, LinearError> {
        let size = matrix.rows();
        let factors = Lu::try_new_with_symbolic(symbolic.clone(), columns.as_ref()).map_err(|error| match error {
            LuError::SymbolicSingular { index } => LinearError::Singular { unknown: index },
            LuError::Generic(_) => LinearError::TooLarge { need: size, limit: usize::MAX },
        })?;
        let lu = Self { size, symbolic, factors };
        let row_sizes: Vec<f64> =
            (0..size).map(|i| matrix.row(i).1.iter().fold(0.0_f64, |m, v| m.max(v.magnitude()))).collect();
        check_by_probe(&row_sizes, |probe: &mut [V]| lu.solve(probe))?;
        Ok(lu)
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Overwrites the right-hand side `x` with the solution.
    ///
    /// # Panics
    /// If the length is not the size.
    pub fn solve(&self, x: &mut [V]) {
        assert_eq!(x.len(), self.size, "length of the matrix");
        self.factors.solve_in_place_with_conj(Conj::No, MatMut::from_column_major_slice_mut(x, self.size, 1));
    }
}
