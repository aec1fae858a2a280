//! Cheap approximate inverses for Krylov methods.

use super::{BandedLu, Csr, LinearError, Scalar};

/// z ≈ A⁻¹ r, the same linear map at every call.
pub trait Preconditioner<V> {
    fn precondition(&self, r: &[V], z: &mut [V]);
}

/// z = r.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl<V: Scalar> Preconditioner<V> for Identity {
    fn precondition(&self, r: &[V], z: &mut [V]) {
        z.copy_from_slice(r);
    }
}

/// Division by the diagonal: for matrices whose rows differ in scale.
#[derive(Clone, Debug)]
pub struct Jacobi<V> {
    inverse: Vec<V>,
}

impl<V: Scalar> Jacobi<V> {
    /// Fails if an entry of the diagonal is zero.
    pub fn new(matrix: &Csr<V>) -> Result<Self, LinearError> {
        let inverse = matrix.diagonal().into_iter().enumerate().map(|(unknown, d)| {
            if d == V::default() { Err(LinearError::Singular { unknown }) } else { Ok(V::of(1.0) / d) }
        });
        Ok(Self { inverse: inverse.collect::<Result<_, _>>()? })
    }
}

impl<V: Scalar> Preconditioner<V> for Jacobi<V> {
    fn precondition(&self, r: &[V], z: &mut [V]) {
        for ((z, r), d) in z.iter_mut().zip(r).zip(&self.inverse) {
            *z = *r * *d;
        }
    }
}

/// Incomplete LU factors on the pattern of the matrix: L U agrees with A wherever A has an entry (Meijerink, van der Vorst
/// 1977, Math. Comp. 31, 148). Exact for matrices without fill-in, such as tridiagonal ones. It exists for M-matrices,
/// which implicit diffusion gives; without pivots it may fail or be poor for others.
#[derive(Clone, Debug)]
pub struct Ilu0<V> {
    factors: Csr<V>,
    inverse_diagonal: Vec<V>,
}

impl<V: Scalar> Ilu0<V> {
    pub fn new(matrix: &Csr<V>) -> Result<Self, LinearError> {
        let n = matrix.rows();
        if n != matrix.columns() {
            return Err(LinearError::NotSquare { rows: n, columns: matrix.columns() });
        }
        let mut factors = matrix.clone();
        let mut inverse_diagonal = Vec::with_capacity(n);
        // Place of each column in the row at hand.
        let mut place = vec![usize::MAX; n];
        for i in 0..n {
            let columns = factors.row(i).0.to_vec();
            columns.iter().enumerate().for_each(|(at, column)| place[*column] = at);
            for (at, k) in columns.iter().copied().enumerate().take_while(|(_, k)| *k < i) {
                let factor = factors.row(i).1[at] * inverse_diagonal[k];
                factors.row_mut(i).1[at] = factor;
                let (upper_columns, upper_values) = factors.row(k);
                let updates: Vec<(usize, V)> = upper_columns
                    .iter()
                    .zip(upper_values)
                    .filter(|(j, _)| **j > k && place[**j] != usize::MAX)
                    .map(|(j, v)| (place[*j], factor * *v))
                    .collect();
                let row = factors.row_mut(i).1;
                updates.into_iter().for_each(|(at, v)| row[at] -= v);
            }
            columns.iter().for_each(|column| place[*column] = usize::MAX);
            let diagonal = factors.get(i, i);
            if !(diagonal.magnitude() > 0.0 && diagonal.magnitude().is_finite()) {
                return Err(LinearError::Singular { unknown: i });
            }
            inverse_diagonal.push(V::of(1.0) / diagonal);
        }
        Ok(Self { factors, inverse_diagonal })
    }
}

impl<V: Scalar> Preconditioner<V> for Ilu0<V> {
    fn precondition(&self, r: &[V], z: &mut [V]) {
        z.copy_from_slice(r);
        for i in 0..z.len() {
            let (columns, values) = self.factors.row(i);
            let mut sum = z[i];
            for (j, v) in columns.iter().zip(values).take_while(|(j, _)| **j < i) {
                sum -= *v * z[*j];
            }
            z[i] = sum;
        }
        for i in (0..z.len()).rev() {
            let (columns, values) = self.factors.row(i);
            let mut sum = z[i];
            for (j, v) in columns.iter().zip(values).rev().take_while(|(j, _)| **j > i) {
                sum -= *v * z[*j];
            }
            z[i] = sum * self.inverse_diagonal[i];
        }
    }
}

/// The exact inverse of a neighbouring matrix.
impl<V: Scalar> Preconditioner<V> for BandedLu<V> {
    fn precondition(&self, r: &[V], z: &mut [V]) {
        z.copy_from_slice(r);
        self.solve(z);
    }
}
