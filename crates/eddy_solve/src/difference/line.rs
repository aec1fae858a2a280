//! Finite differences along one axis, of any order, with boundary conditions in the rows near the ends.
//!
//! In the interior a derivative is that of the polynomial through the nearest points on both sides. Near an end it is that of
//! the polynomial through the nearest points that also satisfies the conditions there: for the second derivative of order 2
//! and u_n = 0 this is the reflected stencil, exactly. Rows near an end have one order less than the interior, which global
//! errors do not see (Gustafsson 1975, Math. Comp. 29, 396).

use super::chebyshev::Dense;
use crate::evaluate::Scalar;

/// A condition at an end as the difference rows see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndCondition {
    /// Factors of u and its derivatives along the outward normal.
    pub coefficients: [f64; 4],
    /// The value itself is given: the end point holds it, and the rows only read it there.
    pub is_dirichlet: bool,
}

/// One row near an end: Σ weights[j] u[start + j] + Σ data[c] g_c, with g_c the right-hand sides of the conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Closure<R> {
    pub start: usize,
    pub weights: Vec<R>,
    pub data: [R; 2],
}

/// The derivative of one order along one axis.
#[derive(Clone, Debug)]
pub struct Line<R> {
    pub points: usize,
    pub is_periodic: bool,
    pub reach: usize,
    /// Weights of the points from -reach to reach.
    pub interior: Vec<R>,
    /// Rows 0, 1, … and the last ones in ascending order.
    pub low: Vec<Closure<R>>,
    pub high: Vec<Closure<R>>,
    /// On Chebyshev points: all rows, full.
    dense: Option<Dense<R>>,
}

/// Points that a derivative needs along an axis.
pub fn least_points(derivative: u8, accuracy: u8) -> usize {
    (usize::from(derivative) + usize::from(accuracy)).max(3)
}

impl<R: Scalar> Line<R> {
    /// `accuracy` is even; `ends` are the conditions at the low and high end, empty for none; ignored on a periodic axis.
    pub fn new(
        derivative: u8,
        accuracy: u8,
        points: usize,
        spacing: f64,
        is_periodic: bool,
        ends: [&[EndCondition]; 2],
    ) -> Self {
        // Order 8 inside feeds advection at ends of order 3; order 6 does not.
        let is_open = |end: &[EndCondition]| end.iter().all(|condition| condition.is_dirichlet);
        let is_fed = !is_periodic && derivative % 2 == 1 && (is_open(ends[0]) || is_open(ends[1]));
        let accuracy = if is_fed { accuracy.min(6) } else { accuracy };
        let reach = usize::from(derivative.div_ceil(2)) + usize::from(accuracy) / 2 - 1;
        let offsets: Vec<f64> = (0..=2 * reach).map(|j| j as f64 - reach as f64).collect();
        let scale = spacing.powi(-i32::from(derivative));
        let round = |weights: Vec<f64>| weights.into_iter().map(|w| R::of(w * scale)).collect::<Vec<R>>();
        let interior = round(weights(&offsets, &[], derivative, 0.0, spacing).0);
        let (mut low, mut high) = (Vec::new(), Vec::new());
        if !is_periodic {
            // One more point where the order is that of the first derivative of order 2, or the end would be first order.
            let spare = usize::from(accuracy == 2 && derivative == 1);
            for (side, rows) in [&mut low, &mut high].into_iter().enumerate() {
                let conditions: Vec<(usize, [f64; 4])> = ends[side]
                    .iter()
                    .enumerate()
                    .filter(|(_, condition)| !condition.is_dirichlet)
                    .map(|(index, condition)| (index, condition.coefficients))
                    .collect();
                let factors: Vec<[f64; 4]> = conditions.iter().map(|(_, c)| *c).collect();
                // Without a condition on a slope, rows of order above 3 feed waves at the end until they blow up (seen for
                // u_tt = u_xx, u_t = i u_xx and u_t = -u_x); so there the order of the whole is 4 at most.
                let is_open = ends[side].iter().any(|c| c.is_dirichlet) || factors.is_empty();
                let closure = if is_open { accuracy.min(4) } else { accuracy };
                let count = usize::from(derivative) + usize::from(closure) - 1 + spare;
                let nodes = (count - factors.len().min(count - 1)).min(points);
                let distances: Vec<f64> = (0..nodes).map(|j| j as f64).collect();
                for row in 0..reach.min(points / 2 + 1) {
                    // Derivatives along the inward normal, from the end.
                    let (mut values, given) = weights(&distances, &factors, derivative, row as f64, spacing);
                    let sign = if side == 1 && derivative % 2 == 1 { -1.0 } else { 1.0 };
                    values.iter_mut().for_each(|w| *w *= sign);
                    let mut data = [R::of(0.0); 2];
                    for ((index, _), w) in conditions.iter().zip(&given) {
                        data[*index] = R::of(w * sign * scale);
                    }
                    let mut weights = round(values);
                    let start = if side == 0 {
                        0
                    } else {
                        weights.reverse();
                        points - nodes
                    };
                    rows.push(Closure { start, weights, data });
                }
            }
            high.reverse();
        }
        Self { points, is_periodic, reach, interior, low, high, dense: None }
    }

    /// The derivative on Chebyshev points.
    pub fn chebyshev(points: usize, dense: Dense<R>) -> Self {
        Self {
            points,
            is_periodic: false,
            reach: 0,
            interior: Vec::new(),
            low: Vec::new(),
            high: Vec::new(),
            dense: Some(dense),
        }
    }

    /// The row of a point as (index, weight), and the weights of the conditions' right-hand sides: which end, and which.
    pub fn row(&self, index: usize) -> (Vec<(usize, R)>, Option<(usize, [R; 2])>) {
        let n = self.points;
        if let Some(dense) = &self.dense {
            let row = &dense.rows[index * n..(index + 1) * n];
            return (row.iter().copied().enumerate().filter(|(_, w)| *w != R::of(0.0)).collect(), None);
        }
        let closure = |closure: &Closure<R>, side: usize| {
            let entries = closure.weights.iter().enumerate().map(|(j, w)| (closure.start + j, *w)).collect();
            (entries, Some((side, closure.data)))
        };
        if index < self.low.len() {
            return closure(&self.low[index], 0);
        }
        if index >= n - self.high.len() {
            return closure(&self.high[index + self.high.len() - n], 1);
        }
        let entries = self
            .interior
            .iter()
            .enumerate()
            .map(|(j, w)| ((index + n + j - self.reach) % n, *w))
            .filter(|(_, w)| *w != R::of(0.0))
            .collect();
        (entries, None)
    }

    /// Differentiates `u` along an axis into `out`. `given[side][condition]` are right-hand sides over the face, empty for
    /// zero.
    pub fn apply(&self, axis: usize, shape: [usize; 3], u: &[R], given: [[&[R]; 2]; 2], out: &mut [R]) {
        let [nx, ny, nz] = shape;
        let n = self.points;
        if let Some(dense) = &self.dense {
            // One dimension: one line, and one point at each end.
            let g = [0, 1].map(|side| given[side][0].first().copied().unwrap_or(R::of(0.0)));
            for (i, out) in out.iter_mut().enumerate() {
                let row = &dense.rows[i * n..(i + 1) * n];
                let sum = row.iter().zip(u).fold(R::of(0.0), |sum, (w, u)| sum + *w * *u);
                *out = sum + dense.data[i][0] * g[0] + dense.data[i][1] * g[1];
            }
            return;
        }
        let stride = [1, nx, nx * ny][axis];
        let (first, last) = if self.is_periodic { (0, n) } else { (self.low.len(), n - self.high.len()) };
        if axis == 0 {
            for line in 0..ny * nz {
                let (u, out) = (&u[line * nx..(line + 1) * nx], &mut out[line * nx..(line + 1) * nx]);
                self.interior_line(u, out, first, last);
            }
        } else {
            let outer = if axis == 1 { nz } else { 1 };
            for block in 0..outer {
                let base = block * stride * n;
                for at in first..last {
                    let target = &mut out[base + at * stride..base + (at + 1) * stride];
                    target.fill(R::of(0.0));
                    for (j, w) in self.interior.iter().enumerate().filter(|(_, w)| **w != R::of(0.0)) {
                        let from = (at + n + j - self.reach) % n;
                        let source = &u[base + from * stride..base + (from + 1) * stride];
                        for (t, s) in target.iter_mut().zip(source) {
                            *t += *s * *w;
                        }
                    }
                }
            }
        }
        if self.is_periodic {
            return;
        }
        // Rows near the ends, for each line along the axis.
        let lines = nx * ny * nz / n;
        let rows = self.low.iter().enumerate().map(|(at, row)| (at, row, 0));
        let offset = n - self.high.len();
        for (at, row, side) in rows.chain(self.high.iter().enumerate().map(|(at, row)| (offset + at, row, 1))) {
            for line in 0..lines {
                let base = match axis {
                    0 => line * nx,
                    1 => line / nx * (nx * ny) + line % nx,
                    _ => line,
                };
                let mut sum = R::of(0.0);
                for (j, w) in row.weights.iter().enumerate() {
                    sum += u[base + (row.start + j) * stride] * *w;
                }
                for (w, g) in row.data.iter().zip(given[side]) {
                    if let Some(g) = g.get(line) {
                        sum += *g * *w;
                    }
                }
                out[base + at * stride] = sum;
            }
        }
    }

    fn interior_line(&self, u: &[R], out: &mut [R], first: usize, last: usize) {
        let n = u.len();
        let (reach, width) = (self.reach, self.interior.len());
        // Points whose stencil does not wrap.
        let (inner, outer) = (first.max(reach), last.min(n.saturating_sub(reach)));
        if inner < outer {
            out[inner..outer].fill(R::of(0.0));
            for (j, w) in self.interior.iter().enumerate().filter(|(_, w)| **w != R::of(0.0)) {
                let source = &u[inner + j - reach..outer + j - reach];
                for (t, s) in out[inner..outer].iter_mut().zip(source) {
                    *t += *s * *w;
                }
            }
        }
        for at in (first..inner.min(last)).chain(outer.max(first)..last) {
            out[at] = (0..width)
                .map(|j| u[(at + n * width + j - reach) % n] * self.interior[j])
                .fold(R::of(0.0), |a, b| a + b);
        }
    }
}

/// Weights of values at `nodes` and of conditions at 0 in the derivative at `at` of the polynomial that they fix.
///
/// Nodes and `at` are in spacings, inward from the end; conditions have factors of derivatives along the outward normal in
/// units of length. The result is in units of spacings; right-hand sides are taken as they are.
pub fn weights(nodes: &[f64], conditions: &[[f64; 4]], derivative: u8, at: f64, spacing: f64) -> (Vec<f64>, Vec<f64>) {
    let n = nodes.len() + conditions.len();
    // Monomials in x / size keep the matrix well scaled.
    let size = nodes.iter().fold(1.0f64, |a, b| a.max(b.abs()));
    let monomial = |power: usize, order: usize, x: f64| -> f64 {
        if order > power {
            return 0.0;
        }
        let factor: f64 = (power - order + 1..=power).map(|k| k as f64).product();
        factor * (x / size).powi((power - order) as i32) / size.powi(order as i32)
    };
    // Transposed system: every functional applied to every monomial.
    let mut matrix = vec![0.0; n * (n + 1)];
    let width = n + 1;
    for power in 0..n {
        for (column, node) in nodes.iter().enumerate() {
            matrix[power * width + column] = monomial(power, 0, *node);
        }
        for (column, factors) in conditions.iter().enumerate() {
            let value: f64 = (0..4)
                .map(|j| {
                    // Outward is against the direction in which nodes are counted.
                    let sign = if j % 2 == 1 { -1.0 } else { 1.0 };
                    factors[j] * sign * monomial(power, j, 0.0) / spacing.powi(j as i32)
                })
                .sum();
            matrix[power * width + nodes.len() + column] = value;
        }
        matrix[power * width + n] = monomial(power, usize::from(derivative), at);
    }
    // Rows of conditions have units of 1 / length^j: scale columns, so that pivots compare.
    let mut scales = vec![1.0; n];
    for (column, scale) in scales.iter_mut().enumerate() {
        let largest = (0..n).map(|row| matrix[row * width + column].abs()).fold(0.0, f64::max);
        if largest > 0.0 {
            *scale = 1.0 / largest;
            (0..n).for_each(|row| matrix[row * width + column] *= *scale);
        }
    }
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|a, b| matrix[a * width + column].abs().total_cmp(&matrix[b * width + column].abs()))
            .unwrap_or(column);
        if matrix[pivot * width + column] == 0.0 {
            continue;
        }
        if pivot != column {
            (0..width).for_each(|j| matrix.swap(pivot * width + j, column * width + j));
        }
        for row in 0..n {
            let factor = matrix[row * width + column] / matrix[column * width + column];
            if row != column && factor != 0.0 {
                for j in column..width {
                    matrix[row * width + j] -= factor * matrix[column * width + j];
                }
            }
        }
    }
    let solution: Vec<f64> = (0..n).map(|i| matrix[i * width + n] / matrix[i * width + i] * scales[i]).collect();
    let (values, given) = solution.split_at(nodes.len());
    (values.to_vec(), given.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(coefficients: [f64; 4]) -> EndCondition {
        EndCondition { coefficients, is_dirichlet: coefficients[1..] == [0.0; 3] }
    }

    #[test]
    fn classical_stencils() {
        let line = |derivative, accuracy| Line::<f64>::new(derivative, accuracy, 16, 1.0, true, [&[], &[]]).interior;
        let close = |a: Vec<f64>, b: &[f64]| {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{a} {b}"));
        };
        close(line(2, 2), &[1.0, -2.0, 1.0]);
        close(line(1, 4), &[1.0 / 12.0, -2.0 / 3.0, 0.0, 2.0 / 3.0, -1.0 / 12.0]);
        close(line(4, 2), &[1.0, -4.0, 6.0, -4.0, 1.0]);
        close(line(2, 8), &[-1.0 / 560.0, 8.0 / 315.0, -0.2, 1.6, -205.0 / 72.0, 1.6, -0.2, 8.0 / 315.0, -1.0 / 560.0]);
    }

    #[test]
    fn no_flux_is_the_reflected_stencil() {
        let ends = [condition([0.0, 1.0, 0.0, 0.0])];
        let line = Line::<f64>::new(2, 2, 8, 0.5, false, [&ends, &ends]);
        assert_eq!(line.low.len(), 1);
        assert!(line.low[0].weights.iter().zip([-8.0, 8.0]).all(|(a, b)| (a - b).abs() < 1e-12));
        // u_n = g outwards adds 2 g / h.
        assert!((line.low[0].data[0] - 4.0).abs() < 1e-12);
        assert!(line.high[0].weights.iter().zip([8.0, -8.0]).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    /// Every row is exact for polynomials up to its order, along every axis, with the conditions' data taken from them.
    #[test]
    fn exact_for_polynomials() {
        let kinds: [&[[f64; 4]]; 5] = [
            &[],
            &[[1.0, 0.0, 0.0, 0.0]],
            &[[0.0, 1.0, 0.0, 0.0]],
            &[[2.0, 1.0, 0.0, 0.0]],
            &[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        ];
        for kind in kinds {
            for accuracy in [2u8, 4, 6, 8] {
                for derivative in 1..=4u8 {
                    let n = 17;
                    let h = 0.3;
                    let ends: Vec<EndCondition> = kind.iter().map(|c| condition(*c)).collect();
                    let line = Line::<f64>::new(derivative, accuracy, n, h, false, [&ends, &ends]);
                    let closure =
                        if ends.is_empty() || ends.iter().any(|e| e.is_dirichlet) { accuracy.min(4) } else { accuracy };
                    let degree = i32::from(derivative) + i32::from(closure) - 2;
                    let power = |order: i32, x: f64| -> f64 {
                        if order > degree {
                            return 0.0;
                        }
                        (0..order).map(|k| f64::from(degree - k)).product::<f64>() * (x - 2.0).powi(degree - order)
                    };
                    for axis in 0..2 {
                        let shape = if axis == 0 { [n, 3, 1] } else { [3, n, 1] };
                        let at = |i: usize| if axis == 0 { i % n } else { i / 3 };
                        let u: Vec<f64> = (0..3 * n).map(|i| power(0, h * at(i) as f64)).collect();
                        let end = |side: usize| if side == 0 { 0.0 } else { h * (n - 1) as f64 };
                        let given: Vec<Vec<Vec<f64>>> = (0..2)
                            .map(|side| {
                                (0..2)
                                    .map(|index| match ends.get(index) {
                                        Some(condition) => {
                                            let outward = if side == 0 { -1.0f64 } else { 1.0 };
                                            let value: f64 = (0..4)
                                                .map(|j| {
                                                    condition.coefficients[j as usize]
                                                        * outward.powi(j)
                                                        * power(j, end(side))
                                                })
                                                .sum();
                                            vec![value; 3]
                                        }
                                        None => Vec::new(),
                                    })
                                    .collect()
                            })
                            .collect();
                        let mut out = vec![f64::NAN; 3 * n];
                        let given = [[&given[0][0][..], &given[0][1][..]], [&given[1][0][..], &given[1][1][..]]];
                        line.apply(axis, shape, &u, given, &mut out);
                        let scale = u.iter().fold(1.0f64, |a, b| a.max(b.abs())) / h.powi(i32::from(derivative));
                        for (i, found) in out.iter().enumerate() {
                            let exact = power(i32::from(derivative), h * at(i) as f64);
                            assert!(
                                (found - exact).abs() < 1e-9 * scale,
                                "{kind:?} order {accuracy} derivative {derivative} point {} : {found} {exact}",
                                at(i)
                            );
                        }
                        // The rows as lists are the same operator.
                        for i in 0..n {
                            let (entries, data) = line.row(i);
                            let mut sum: f64 =
                                entries.iter().map(|(j, w)| w * u[if axis == 0 { *j } else { 3 * j }]).sum();
                            if let Some((side, weights)) = data {
                                sum += weights
                                    .iter()
                                    .zip(given[side])
                                    .map(|(w, g)| g.first().map_or(0.0, |g| w * g))
                                    .sum::<f64>();
                            }
                            assert!((sum - out[if axis == 0 { i } else { 3 * i }]).abs() < 1e-10 * scale);
                        }
                    }
                }
            }
        }
    }
}
