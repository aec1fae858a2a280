//! Direct solves of the sparse systems that implicit steps and elliptic lines make.

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
}

/// Most numbers that a banded factor may hold: 1 GiB.
const MAX_BAND: usize = 1 << 27;

/// LU factors with row pivoting of a matrix whose entries lie near the diagonal once unknowns are ordered. Cost: size ·
/// bandwidth² for the factors, size · bandwidth for a solve.
#[derive(Clone, Debug)]
pub struct BandLu {
    size: usize,
    below: usize,
    above: usize,
    /// Row-major, `width` numbers a row, the diagonal at column `below`.
    factors: Vec<f64>,
    pivots: Vec<usize>,
    order: Vec<usize>,
}

impl BandLu {
    /// `order[place]` is the unknown at a place; it should keep coupled unknowns near each other.
    pub fn new(matrix: &Rows, order: Vec<usize>) -> Result<Self, FactorError> {
        let size = matrix.size();
        let (below, upper) = matrix.bandwidth(&order);
        // Pivoting moves entries up to `below` further to the right.
        let above = upper + below;
        let width = below + above + 1;
        if size.saturating_mul(width) > MAX_BAND {
            return Err(FactorError::TooLarge { size, band: upper.max(below) });
        }
        let mut place = vec![0; size];
        order.iter().enumerate().for_each(|(at, index)| place[*index] = at);
        let mut a = vec![0.0; size * width];
        let mut largest = 0.0f64;
        for (row, entries) in matrix.rows.iter().enumerate() {
            let r = place[row];
            for (column, value) in entries {
                let slot = &mut a[r * width + place[*column] + below - r];
                *slot += value;
                largest = largest.max(slot.abs());
            }
        }
        let mut pivots = vec![0; size];
        for k in 0..size {
            let last = (k + below).min(size - 1);
            let pivot = (k..=last)
                .max_by(|i, j| a[i * width + k + below - i].abs().total_cmp(&a[j * width + k + below - j].abs()))
                .unwrap_or(k);
            pivots[k] = pivot;
            let reach = (k + above).min(size - 1);
            if pivot != k {
                for column in k..=reach {
                    a.swap(pivot * width + column + below - pivot, k * width + column + below - k);
                }
            }
            let diagonal = a[k * width + below];
            if !(diagonal.abs() > 1e-300 + 1e-16 * largest * f64::EPSILON) {
                return Err(FactorError::Singular);
            }
            let (upper_rows, lower_rows) = a.split_at_mut((k + 1) * width);
            let pivot_row = &upper_rows[k * width + below + 1..k * width + below + 1 + (reach - k)];
            for i in k + 1..=last {
                let base = (i - k - 1) * width;
                let at = base + k + below - i;
                let factor = lower_rows[at] / diagonal;
                lower_rows[at] = factor;
                if factor != 0.0 {
                    let row = &mut lower_rows[at + 1..at + 1 + pivot_row.len()];
                    for (x, p) in row.iter_mut().zip(pivot_row) {
                        *x -= factor * p;
                    }
                }
            }
        }
        Ok(Self { size, below, above, factors: a, pivots, order })
    }

    /// Solves in place.
    pub fn solve(&self, x: &mut [f64]) {
        let n = self.size;
        let width = self.below + self.above + 1;
        let mut y: Vec<f64> = self.order.iter().map(|index| x[*index]).collect();
        for k in 0..n {
            y.swap(k, self.pivots[k]);
            let value = y[k];
            if value != 0.0 {
                for i in k + 1..=(k + self.below).min(n - 1) {
                    y[i] -= self.factors[i * width + k + self.below - i] * value;
                }
            }
        }
        for k in (0..n).rev() {
            let row = &self.factors[k * width + self.below..];
            let reach = (k + self.above).min(n - 1) - k;
            let sum: f64 = row[1..=reach].iter().zip(&y[k + 1..]).map(|(a, y)| a * y).sum();
            y[k] = (y[k] - sum) / row[0];
        }
        self.order.iter().zip(&y).for_each(|(index, value)| x[*index] = *value);
    }
}

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

/// A factored matrix.
#[derive(Debug)]
pub enum Factor {
    Band(BandLu),
}

impl Factor {
    pub fn new(matrix: &Rows, shape: [usize; 3], components: usize) -> Result<Self, FactorError> {
        BandLu::new(matrix, grid_order(shape, components)).map(Self::Band)
    }

    pub fn solve(&self, x: &mut [f64]) {
        match self {
            Self::Band(band) => band.solve(x),
        }
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
            let band = BandLu::new(&matrix, (0..n).rev().collect()).unwrap();
            band.solve(&mut x);
            let error = x.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-9, "{n}: {error:e}");
        }
    }

    #[test]
    fn says_that_a_matrix_is_singular() {
        let mut matrix = Rows::new(2);
        matrix.rows = vec![vec![(0, 1.0), (1, 2.0)], vec![(0, 0.0), (1, 0.0)]];
        assert_eq!(BandLu::new(&matrix, vec![0, 1]).unwrap_err(), FactorError::Singular);
    }

    #[test]
    fn orders_every_unknown_once() {
        let mut order = grid_order([3, 5, 2], 2);
        assert_eq!(order[..2], [0, 30]);
        order.sort_unstable();
        assert_eq!(order, (0..60).collect::<Vec<_>>());
    }
}
