//! Polynomials near an end: the weights that give their derivatives, with boundary conditions built in.

use super::{Condition, DifferenceError};

/// Weights of the values at `nodes` in derivatives 0..=`derivative` at `x0` of the polynomial through them, as
/// `result[k][node]`. Nodes must be distinct; the derivative is exact for polynomials of degree `nodes.len() - 1`.
/// Cost: nodes² · derivative.
///
/// Source: Fornberg 1988, Math. Comp. 51, 699, section 3: the weights for a set of nodes follow from those for one node
/// less.
pub fn weights(x0: f64, nodes: &[f64], derivative: usize) -> Vec<Vec<f64>> {
    let n = nodes.len();
    let mut w = vec![vec![0.0; n]; derivative + 1];
    if n == 0 {
        return w;
    }
    w[0][0] = 1.0;
    // Product of the distances of the newest node to all before it.
    let mut product = 1.0;
    for new in 1..n {
        let highest = new.min(derivative);
        let mut next_product = 1.0;
        let (arm, last_arm) = (nodes[new] - x0, nodes[new - 1] - x0);
        for old in 0..new {
            let gap = nodes[new] - nodes[old];
            next_product *= gap;
            if old + 1 == new {
                let ratio = product / next_product;
                for k in (0..=highest).rev() {
                    let lower = if k > 0 { k as f64 * w[k - 1][old] } else { 0.0 };
                    w[k][new] = ratio * (lower - last_arm * w[k][old]);
                }
            }
            for k in (0..=highest).rev() {
                let lower = if k > 0 { k as f64 * w[k - 1][old] } else { 0.0 };
                w[k][old] = (arm * w[k][old] - lower) / gap;
            }
        }
        product = next_product;
    }
    w
}

/// Derivatives 0..=`highest` at `x` of x^power · Π (x - node).
fn node_polynomial(nodes: &[f64], power: usize, x: f64, highest: usize) -> Vec<f64> {
    // Taylor coefficients about x, one factor at a time.
    let mut taylor = vec![0.0; highest + 1];
    taylor[0] = 1.0;
    for root in nodes.iter().copied().chain(std::iter::repeat_n(0.0, power)) {
        for k in (0..=highest).rev() {
            taylor[k] = (x - root) * taylor[k] + if k > 0 { taylor[k - 1] } else { 0.0 };
        }
    }
    let mut factorial = 1.0;
    for (k, t) in taylor.iter_mut().enumerate() {
        factorial *= k.max(1) as f64;
        *t *= factorial;
    }
    taylor
}

/// The polynomial through values at points 0, 1, … `points - 1` (in spacings, counted inwards from an end at 0) that also
/// satisfies conditions at 0.
///
/// It is written as L + ω(x)(c₀ + c₁ x), with L through the values alone and ω zero at the points, so that only one or two
/// equations for the c remain.
pub(super) struct EndPolynomial {
    nodes: Vec<f64>,
    /// `by_value[e][node]`: share of a value in c_e.
    by_value: Vec<Vec<f64>>,
    /// `by_data[e][condition]`: share of a condition's right-hand side in c_e.
    by_data: Vec<Vec<f64>>,
}

impl EndPolynomial {
    pub fn new(points: usize, conditions: &[Condition], spacing: f64) -> Result<Self, DifferenceError> {
        let nodes: Vec<f64> = (0..points).map(|i| i as f64).collect();
        let count = conditions.len();
        let at_end = weights(0.0, &nodes, 3);
        // Σ_j c_j (-1/h)^j dʲ/dxʲ: the outward normal points against x.
        let factors = |condition: &Condition, j: usize| condition.coefficients[j] * (-1.0 / spacing).powi(j as i32);
        let (mut matrix, mut by_value) = (vec![vec![0.0; count]; count], vec![vec![0.0; points]; count]);
        for (row, condition) in conditions.iter().enumerate() {
            for j in 0..4 {
                let factor = factors(condition, j);
                for (w, at) in by_value[row].iter_mut().zip(&at_end[j]) {
                    *w -= factor * at;
                }
                for (power, entry) in matrix[row].iter_mut().enumerate() {
                    *entry += factor * node_polynomial(&nodes, power, 0.0, 3)[j];
                }
            }
        }
        let mut by_data: Vec<Vec<f64>> =
            (0..count).map(|i| (0..count).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        solve(&mut matrix, &mut by_value, &mut by_data)?;
        Ok(Self { nodes, by_value, by_data })
    }

    /// Weights of the values and of the right-hand sides in the polynomial's value at `x`.
    pub fn value(&self, x: f64) -> (Vec<f64>, Vec<f64>) {
        let mut values = weights(x, &self.nodes, 0).swap_remove(0);
        let mut data = vec![0.0; self.by_data.first().map_or(0, Vec::len)];
        for (power, (by_value, by_data)) in self.by_value.iter().zip(&self.by_data).enumerate() {
            let shape = node_polynomial(&self.nodes, power, x, 0)[0];
            values.iter_mut().zip(by_value).for_each(|(v, b)| *v += shape * b);
            data.iter_mut().zip(by_data).for_each(|(d, b)| *d += shape * b);
        }
        (values, data)
    }
}

/// Solves the small system for both kinds of right-hand sides, in place.
fn solve(matrix: &mut [Vec<f64>], first: &mut [Vec<f64>], second: &mut [Vec<f64>]) -> Result<(), DifferenceError> {
    let n = matrix.len();
    let scales: Vec<f64> = matrix.iter().map(|row| row.iter().fold(0.0, |m: f64, a| m.max(a.abs()))).collect();
    for (row, scale) in scales.iter().enumerate() {
        if *scale == 0.0 || !scale.is_finite() {
            return Err(DifferenceError::Contradictory);
        }
        for values in [&mut matrix[row], &mut first[row], &mut second[row]] {
            values.iter_mut().for_each(|v| *v /= scale);
        }
    }
    for column in 0..n {
        let pivot =
            (column..n).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs())).unwrap_or(column);
        for rows in [&mut *matrix, &mut *first, &mut *second] {
            rows.swap(pivot, column);
        }
        let diagonal = matrix[column][column];
        if diagonal.abs() < 1e-11 {
            return Err(DifferenceError::Contradictory);
        }
        for rows in [&mut *matrix, &mut *first, &mut *second] {
            // The pivot itself is needed for the other rows: the column is read before it changes.
            rows[column].iter_mut().for_each(|v| *v /= diagonal);
        }
        for row in (0..n).filter(|row| *row != column) {
            let factor = matrix[row][column];
            for rows in [&mut *matrix, &mut *first, &mut *second] {
                for k in 0..rows[row].len() {
                    rows[row][k] -= factor * rows[column][k];
                }
            }
        }
    }
    Ok(())
}
