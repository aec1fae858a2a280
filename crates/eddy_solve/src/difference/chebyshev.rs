//! Differentiation on Chebyshev points, with the conditions at the ends eliminated.
//!
//! The polynomial through all points is differentiated; at an end with a condition the value there is no unknown but follows
//! from the condition and the other values. Points x_j = middle - half · cos(π j / (n - 1)). Matrices by Baltensperger & Trummer
//! (2003), SIAM J. Sci. Comput. 24, 1465: off-diagonal entries from the barycentric weights, diagonals as negative row sums.

use super::line::EndCondition;
use crate::evaluate::Scalar;

/// Chebyshev points of an interval, ascending.
pub fn points(n: usize, min: f64, max: f64) -> Vec<f64> {
    let (middle, half) = (0.5 * (min + max), 0.5 * (max - min));
    (0..n)
        .map(|j| match j {
            0 => min,
            _ if j + 1 == n => max,
            // sin keeps the symmetry about the middle to the last digit.
            _ => {
                middle
                    + half * (std::f64::consts::PI * (2.0 * j as f64 - (n - 1) as f64) / (2.0 * (n - 1) as f64)).sin()
            }
        })
        .collect()
}

/// Weights of the Clenshaw-Curtis rule at the points: exact for polynomials of degree n - 1.
pub fn quadrature(n: usize, length: f64) -> Vec<f64> {
    let last = n - 1;
    (0..n)
        .map(|j| {
            let theta = std::f64::consts::PI * j as f64 / last as f64;
            let ends = if j == 0 || j == last { 1.0 } else { 2.0 };
            let mut sum = 1.0;
            for k in 1..=last / 2 {
                let factor = if 2 * k == last { 1.0 } else { 2.0 };
                sum -= factor * (2.0 * k as f64 * theta).cos() / (4.0 * (k * k) as f64 - 1.0);
            }
            0.5 * length * ends * sum / last as f64
        })
        .collect()
}

/// The matrix of the derivative of an order, row-major.
pub fn matrix(order: u8, n: usize, min: f64, max: f64) -> Vec<f64> {
    let xs = points(n, min, max);
    let sign = |j: usize| {
        let half = if j == 0 || j == n - 1 { 0.5 } else { 1.0 };
        if j.is_multiple_of(2) { half } else { -half }
    };
    let mut current = vec![0.0; n * n];
    (0..n).for_each(|i| current[i * n + i] = 1.0);
    for m in 1..=order {
        // Welfert (1997), SIAM J. Numer. Anal. 34, 1640, eq. 8: each order from the last, without the loss of a product.
        let mut next = vec![0.0; n * n];
        for i in 0..n {
            let mut sum = 0.0;
            for j in (0..n).filter(|j| *j != i) {
                let value =
                    f64::from(m) / (xs[i] - xs[j]) * (sign(j) / sign(i) * current[i * n + i] - current[i * n + j]);
                next[i * n + j] = value;
                sum += value;
            }
            next[i * n + i] = -sum;
        }
        current = next;
    }
    current
}

/// The ends of one field: each end with a condition holds a value that follows from the others.
#[derive(Clone, Debug)]
pub struct Ends<R> {
    /// Which ends have a condition.
    pub is_given: [bool; 2],
    /// u(end) = Σ_j inner[end][j] u_j + data[end][side] g_side, with zeros at ends that have a condition.
    pub inner: [Vec<R>; 2],
    pub data: [[R; 2]; 2],
}

/// The derivative of one order, with given ends eliminated.
#[derive(Clone, Debug)]
pub struct Dense<R> {
    pub rows: Vec<R>,
    pub data: Vec<[R; 2]>,
}

impl<R: Scalar> Ends<R> {
    /// `None` if an end has two conditions or they do not determine the value.
    pub fn new(n: usize, min: f64, max: f64, ends: [&[EndCondition]; 2]) -> Option<Self> {
        if ends.iter().any(|conditions| conditions.len() > 1) {
            return None;
        }
        let powers: Vec<Vec<f64>> = (0..4).map(|order| matrix(order, n, min, max)).collect();
        let at = [0, n - 1];
        // Row of each condition: factors of all values.
        let mut conditions: Vec<(usize, Vec<f64>)> = Vec::new();
        for side in 0..2 {
            if let Some(condition) = ends[side].first() {
                let outward = if side == 0 { -1.0f64 } else { 1.0 };
                let row = (0..n)
                    .map(|j| {
                        (0..4)
                            .map(|m| condition.coefficients[m] * outward.powi(m as i32) * powers[m][at[side] * n + j])
                            .sum()
                    })
                    .collect();
                conditions.push((side, row));
            }
        }
        let mut is_given = [false; 2];
        conditions.iter().for_each(|(side, _)| is_given[*side] = true);
        let mut inner = [vec![0.0; n], vec![0.0; n]];
        let mut data = [[0.0; 2]; 2];
        let free = |j: usize| !((j == 0 && is_given[0]) || (j == n - 1 && is_given[1]));
        match &conditions[..] {
            [] => {}
            [(side, row)] => {
                let pivot = row[at[*side]];
                if pivot == 0.0 {
                    return None;
                }
                (0..n).filter(|j| free(*j)).for_each(|j| inner[*side][j] = -row[j] / pivot);
                data[*side][*side] = 1.0 / pivot;
            }
            [(_, low), (_, high)] => {
                let (a, b, c, d) = (low[0], low[n - 1], high[0], high[n - 1]);
                let determinant = a * d - b * c;
                if determinant == 0.0 {
                    return None;
                }
                for j in (0..n).filter(|j| free(*j)) {
                    inner[0][j] = (-d * low[j] + b * high[j]) / determinant;
                    inner[1][j] = (c * low[j] - a * high[j]) / determinant;
                }
                data = [[d / determinant, -b / determinant], [-c / determinant, a / determinant]];
            }
            _ => return None,
        }
        Some(Self {
            is_given,
            inner: inner.map(|row| row.into_iter().map(R::of).collect()),
            data: data.map(|row| row.map(R::of)),
        })
    }

    /// The derivative of an order for this field.
    pub fn derivative(&self, order: u8, n: usize, min: f64, max: f64) -> Dense<R> {
        let full = matrix(order, n, min, max);
        let at = [0, n - 1];
        let mut rows = vec![R::of(0.0); n * n];
        let mut data = vec![[R::of(0.0); 2]; n];
        for i in 0..n {
            for j in 0..n {
                let is_end = (0..2).any(|side| self.is_given[side] && at[side] == j);
                if is_end {
                    continue;
                }
                let mut value = full[i * n + j];
                for side in (0..2).filter(|side| self.is_given[*side]) {
                    value += full[i * n + at[side]] * eddy_numerics::Real::to_f64(self.inner[side][j]);
                }
                rows[i * n + j] = R::of(value);
            }
            for side in (0..2).filter(|side| self.is_given[*side]) {
                for given in 0..2 {
                    let weight = eddy_numerics::Real::to_f64(self.data[side][given]);
                    data[i][given] += R::of(full[i * n + at[side]] * weight);
                }
            }
        }
        Dense { rows, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differentiates_polynomials_and_integrates_them() {
        let n = 12;
        let xs = points(n, -1.0, 3.0);
        let weights = quadrature(n, 4.0);
        for degree in 0..n as i32 {
            let total: f64 = xs.iter().zip(&weights).map(|(x, w)| w * x.powi(degree)).sum();
            let exact = (3f64.powi(degree + 1) - (-1f64).powi(degree + 1)) / f64::from(degree + 1);
            assert!((total / exact - 1.0).abs() < 1e-12, "{degree}");
        }
        for order in 1..=4u8 {
            let d = matrix(order, n, -1.0, 3.0);
            for degree in 0..8i32 {
                let factor: f64 = (0..i32::from(order)).map(|k| f64::from(degree - k)).product();
                for i in 0..n {
                    let found: f64 = (0..n).map(|j| d[i * n + j] * xs[j].powi(degree)).sum();
                    let exact =
                        if degree < i32::from(order) { 0.0 } else { factor * xs[i].powi(degree - i32::from(order)) };
                    assert!((found - exact).abs() < 1e-7 * (1.0 + exact.abs()), "{order} {degree}: {found} {exact}");
                }
            }
        }
    }

    #[test]
    fn ends_follow_from_conditions() {
        // u = x² + 1 on [0, 2]: u + u_n at 0 is 1 + 0, u_n at 2 is 4.
        let n = 9;
        let robin = [EndCondition { coefficients: [1.0, 1.0, 0.0, 0.0], is_dirichlet: false }];
        let neumann = [EndCondition { coefficients: [0.0, 1.0, 0.0, 0.0], is_dirichlet: false }];
        let ends = Ends::<f64>::new(n, 0.0, 2.0, [&robin, &neumann]).unwrap();
        let xs = points(n, 0.0, 2.0);
        let g = [1.0, 4.0];
        for (side, exact) in [(0, 1.0), (1, 5.0)] {
            let value: f64 = (0..n).map(|j| ends.inner[side][j] * (xs[j] * xs[j] + 1.0)).sum::<f64>()
                + ends.data[side][0] * g[0]
                + ends.data[side][1] * g[1];
            assert!((value - exact).abs() < 1e-11, "{value}");
        }
        let dense = ends.derivative(2, n, 0.0, 2.0);
        for i in 0..n {
            let value: f64 = (0..n).map(|j| dense.rows[i * n + j] * (xs[j] * xs[j] + 1.0)).sum::<f64>()
                + dense.data[i][0] * g[0]
                + dense.data[i][1] * g[1];
            assert!((value - 2.0).abs() < 1e-9, "{value}");
        }
    }
}
