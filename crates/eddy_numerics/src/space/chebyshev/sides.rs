//! Boundary conditions: the values next to the ends are expressed by the others.

use super::Chebyshev;
use crate::Real;
use crate::space::difference::Side;

/// Why conditions cannot be met.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChebyshevError {
    #[error("an interval is not periodic; use Fourier modes")]
    Periodic,
    #[error("{have} points are too few for these conditions: {need} are needed")]
    TooFewPoints { have: usize, need: usize },
    #[error("the conditions at the sides contradict or repeat each other; change one")]
    Contradictory,
}

/// Conditions at both ends, solved for as many values nearest to each end as it has conditions: u_b = B_b⁻¹ (g - B_i u_i)
/// with i the remaining, inner points.
#[derive(Clone, Debug)]
pub struct ChebyshevSides {
    points: usize,
    /// Values eliminated at the low and high end.
    eliminated: [usize; 2],
    /// By eliminated value (low ones first) and inner point.
    by_inner: Vec<Vec<f64>>,
    /// By eliminated value and condition (low ones first).
    by_data: Vec<Vec<f64>>,
    grid: Chebyshev,
}

impl ChebyshevSides {
    /// A free side has no condition, and all its values are inner ones.
    pub fn new(grid: &Chebyshev, low: &Side, high: &Side) -> Result<Self, ChebyshevError> {
        if *low == Side::Periodic || *high == Side::Periodic {
            return Err(ChebyshevError::Periodic);
        }
        let n = grid.points();
        let conditions = [low.conditions(), high.conditions()];
        let eliminated = [conditions[0].len(), conditions[1].len()];
        let count = eliminated[0] + eliminated[1];
        if n < count + 2 {
            return Err(ChebyshevError::TooFewPoints { have: n, need: count + 2 });
        }
        let highest = conditions.iter().flatten().map(|c| c.coefficients.iter().rposition(|v| *v != 0.0).unwrap_or(0));
        let matrices: Vec<Vec<f64>> = (0..=highest.max().unwrap_or(0)).map(|k| grid.matrix(k)).collect();
        let is_boundary = |j: usize| j < eliminated[0] || j >= n - eliminated[1];
        let boundary: Vec<usize> = (0..n).filter(|j| is_boundary(*j)).collect();
        // [B_b | -B_i | I], each row scaled to size one.
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(count);
        for (side, list) in conditions.iter().enumerate() {
            let at = if side == 0 { 0 } else { n - 1 };
            let outward = if side == 0 { -1.0_f64 } else { 1.0 };
            for condition in list {
                let weight = |j: usize| -> f64 {
                    matrices
                        .iter()
                        .enumerate()
                        .take(4)
                        .map(|(k, m)| condition.coefficients[k] * outward.powi(k as i32) * m[at * n + j])
                        .sum()
                };
                let mut row: Vec<f64> = boundary.iter().map(|j| weight(*j)).collect();
                row.extend((0..n).filter(|j| !is_boundary(*j)).map(|j| -weight(j)));
                row.extend((0..count).map(|c| if c == rows.len() { 1.0 } else { 0.0 }));
                let size = row[..n].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                if !(size > 0.0 && size.is_finite()) {
                    return Err(ChebyshevError::Contradictory);
                }
                row.iter_mut().for_each(|v| *v /= size);
                rows.push(row);
            }
        }
        for column in 0..count {
            let pivot = (column..count)
                .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))
                .unwrap_or(column);
            rows.swap(pivot, column);
            let diagonal = rows[column][column];
            if diagonal.abs() < 1e-11 {
                return Err(ChebyshevError::Contradictory);
            }
            rows[column].iter_mut().for_each(|v| *v /= diagonal);
            let pivot_row = rows[column].clone();
            for row in (0..count).filter(|row| *row != column) {
                let factor = rows[row][column];
                rows[row].iter_mut().zip(&pivot_row).for_each(|(v, p)| *v -= factor * p);
            }
        }
        let by_inner = rows.iter().map(|row| row[count..n].to_vec()).collect();
        let by_data = rows.iter().map(|row| row[n..].to_vec()).collect();
        Ok(Self { points: n, eliminated, by_inner, by_data, grid: grid.clone() })
    }

    /// Points whose values are unknowns; the others follow from them.
    pub fn inner(&self) -> std::ops::Range<usize> {
        self.eliminated[0]..self.points - self.eliminated[1]
    }

    /// Point of an eliminated value.
    fn boundary(&self, index: usize) -> usize {
        if index < self.eliminated[0] { index } else { self.points - self.by_inner.len() + index }
    }

    /// Sets the values near the ends so that the conditions hold with right-hand sides `data` (those of the low side's
    /// conditions, then of the high side's).
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn complete<R: Real>(&self, u: &mut [R], data: &[f64]) {
        assert!(u.len() == self.points && data.len() == self.by_inner.len(), "points and conditions of the interval");
        for (index, (by_inner, by_data)) in self.by_inner.iter().zip(&self.by_data).enumerate() {
            let inner: f64 = by_inner.iter().zip(&u[self.inner()]).map(|(w, u)| w * u.to_f64()).sum();
            let given: f64 = by_data.iter().zip(data).map(|(w, g)| w * g).sum();
            u[self.boundary(index)] = R::of(inner + given);
        }
    }

    /// A derivative of fields that satisfy the conditions, at inner points and by inner values: (matrix by rows, inner²
    /// numbers; weights of the right-hand sides by rows, inner · conditions numbers).
    pub fn operator<R: Real>(&self, derivative: usize) -> (Vec<R>, Vec<R>) {
        let full: Vec<f64> = self.grid.matrix(derivative);
        let (n, inner, count) = (self.points, self.inner(), self.by_inner.len());
        let (mut matrix, mut affine) = (Vec::with_capacity(inner.len() * inner.len()), Vec::new());
        for i in inner.clone() {
            let row = &full[i * n..(i + 1) * n];
            let shares: Vec<f64> = (0..count).map(|index| row[self.boundary(index)]).collect();
            let through = |table: &[Vec<f64>], column: usize| -> f64 {
                shares.iter().zip(table).map(|(share, weights)| share * weights[column]).sum()
            };
            let columns = inner.clone().enumerate();
            matrix.extend(columns.map(|(column, j)| R::of(row[j] + through(&self.by_inner, column))));
            affine.extend((0..count).map(|c| R::of(through(&self.by_data, c))));
        }
        (matrix, affine)
    }
}
