//! Matrices whose entries lie near the diagonal, also periodic ones, and their LU factors.

use super::{LinearError, MAX_FACTOR, Scalar, check_by_probe};

/// A square matrix with `below` diagonals under and `above` diagonals over the main one. In a cyclic one the band goes on
/// past the corners: column indices are taken modulo the size.
#[derive(Clone, Debug, PartialEq)]
pub struct Banded<V> {
    size: usize,
    below: usize,
    above: usize,
    cyclic: bool,
    /// Row-major, `below + above + 1` numbers a row, the diagonal at column `below`.
    entries: Vec<V>,
}

impl<V: Scalar> Banded<V> {
    /// Zeros. More diagonals than the size has are dropped.
    pub fn new(size: usize, below: usize, above: usize) -> Self {
        let most = size.saturating_sub(1);
        let (below, above) = (below.min(most), above.min(most));
        Self { size, below, above, cyclic: false, entries: vec![V::default(); size * (below + above + 1)] }
    }

    /// Zeros of a matrix whose band goes around.
    pub fn cyclic(size: usize, below: usize, above: usize) -> Self {
        Self { cyclic: true, ..Self::new(size, below, above) }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Diagonals under and over the main one.
    pub fn bandwidth(&self) -> (usize, usize) {
        (self.below, self.above)
    }

    fn slot(&self, row: usize, column: usize) -> Option<usize> {
        let n = self.size;
        if row >= n || column >= n {
            return None;
        }
        let direct = (column + self.below).checked_sub(row);
        let around = [Some(column + self.below + n), (column + self.below).checked_sub(n)];
        let wrapped = around.into_iter().flatten().filter_map(|c| c.checked_sub(row));
        let width = self.below + self.above + 1;
        let place = direct.into_iter().chain(wrapped.filter(|_| self.cyclic)).find(|place| *place < width)?;
        Some(row * width + place)
    }

    /// Adds to an entry.
    ///
    /// # Panics
    /// If the entry is outside the band.
    pub fn add(&mut self, row: usize, column: usize, value: V) {
        let slot = self.slot(row, column).expect("an entry inside the band");
        self.entries[slot] += value;
    }

    /// An entry; zero outside the band.
    pub fn get(&self, row: usize, column: usize) -> V {
        self.slot(row, column).map_or(V::default(), |slot| self.entries[slot])
    }

    /// Row, column and value of every place of the band inside the matrix.
    fn places(&self) -> impl Iterator<Item = (usize, usize, V)> + '_ {
        let (n, width) = (self.size, self.below + self.above + 1);
        self.entries.iter().enumerate().filter_map(move |(at, value)| {
            let (row, place) = (at / width, at % width);
            let column = if self.cyclic {
                (row + n + place - self.below) % n
            } else {
                (row + place).checked_sub(self.below).filter(|column| *column < n)?
            };
            Some((row, column, *value))
        })
    }

    /// out = A x.
    ///
    /// # Panics
    /// If a length is not the size.
    pub fn apply(&self, x: &[V], out: &mut [V]) {
        assert!(x.len() == self.size && out.len() == self.size, "length of the matrix");
        out.fill(V::default());
        for (row, column, value) in self.places() {
            out[row] += value * x[column];
        }
    }

    /// Factors for [`BandedLu::solve`]. Cost: size · below · (below + above); a cyclic matrix is folded so that both ends
    /// meet, which doubles the band.
    pub fn factor(&self) -> Result<BandedLu<V>, LinearError> {
        // Zeros that the folding would put far from the diagonal must not widen the band of a matrix that is not cyclic.
        if self.cyclic {
            BandedLu::new(self.size, Some(folded(self.size)), || self.places())
        } else {
            BandedLu::new(self.size, None, || self.places())
        }
    }
}

/// 0, n - 1, 1, n - 2, …: neighbours on a circle stay near each other on a line.
fn folded(n: usize) -> Vec<usize> {
    (0..n).map(|i| if i % 2 == 0 { i / 2 } else { n - 1 - i / 2 }).collect()
}

/// LU factors of a band with row pivots (Golub, Van Loan, Matrix Computations, 4th ed., algorithm 4.3.2): backward stable
/// for any matrix. A solve costs size · (2 below + above).
#[derive(Clone, Debug)]
pub struct BandedLu<V> {
    size: usize,
    below: usize,
    /// Width of the upper factor without its diagonal; pivots widen it by `below`.
    above: usize,
    /// Upper factor by rows, diagonal first, then `above` numbers.
    upper: Vec<V>,
    /// Multipliers by columns, `below` numbers each.
    lower: Vec<V>,
    pivots: Vec<usize>,
    /// Unknown at each place.
    order: Option<Vec<usize>>,
}

impl<V: Scalar> BandedLu<V> {
    /// Factors the matrix of the entries (row, column, value), repeated ones summed, with unknown `order[place]` at each
    /// place.
    pub(super) fn new<I: Iterator<Item = (usize, usize, V)>>(
        size: usize,
        order: Option<Vec<usize>>,
        entries: impl Fn() -> I,
    ) -> Result<Self, LinearError> {
        let place: Vec<usize> = match &order {
            None => (0..size).collect(),
            Some(order) => {
                let mut place = vec![0; size];
                order.iter().enumerate().for_each(|(at, unknown)| place[*unknown] = at);
                place
            }
        };
        let (mut below, mut over, mut row_sizes) = (0, 0, vec![0.0_f64; size]);
        for (row, column, value) in entries().filter(|e| e.2 != V::default()) {
            let (r, c) = (place[row], place[column]);
            below = below.max(r.saturating_sub(c));
            over = over.max(c.saturating_sub(r));
            let magnitude = value.magnitude();
            if !magnitude.is_finite() {
                return Err(LinearError::NotFinite);
            }
            row_sizes[row] = row_sizes[row].max(magnitude);
        }
        let above = (over + below).min(size.saturating_sub(1));
        let width = below + above + 1;
        let need = size.saturating_mul(width + below);
        if need > MAX_FACTOR {
            return Err(LinearError::TooLarge { need, limit: MAX_FACTOR });
        }
        let mut a = vec![V::default(); size * width];
        for (row, column, value) in entries().filter(|e| e.2 != V::default()) {
            a[place[row] * width + place[column] + below - place[row]] += value;
        }
        let unknown = |at: usize| order.as_ref().map_or(at, |order| order[at]);
        let (mut lower, mut pivots) = (vec![V::default(); size * below], vec![0; size]);
        for k in 0..size {
            let last = (k + below).min(size - 1);
            let (mut pivot, mut best) = (k, -1.0);
            for i in k..=last {
                let magnitude = a[i * width + k + below - i].magnitude();
                if magnitude > best {
                    (pivot, best) = (i, magnitude);
                }
            }
            if !(best > 0.0) {
                return Err(LinearError::Singular { unknown: unknown(k) });
            }
            pivots[k] = pivot;
            let reach = (k + above).min(size - 1) - k;
            if pivot != k {
                let (head, tail) = a.split_at_mut(pivot * width);
                let (from, into) = (k * width + below, k + below - pivot);
                head[from..=from + reach].swap_with_slice(&mut tail[into..=into + reach]);
            }
            let (head, tail) = a.split_at_mut((k + 1) * width);
            let row = &head[k * width + below..][..=reach];
            for i in k + 1..=last {
                let at = (i - k - 1) * width + k + below - i;
                let factor = tail[at] / row[0];
                lower[k * below + i - k - 1] = factor;
                if factor != V::default() {
                    for (x, p) in tail[at + 1..][..reach].iter_mut().zip(&row[1..]) {
                        *x -= factor * *p;
                    }
                }
            }
        }
        let mut upper = Vec::with_capacity(size * (above + 1));
        a.chunks_exact(width.max(1)).for_each(|row| upper.extend_from_slice(&row[below..]));
        let lu = Self { size, below, above, upper, lower, pivots, order };
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
        match &self.order {
            None => self.sweep(x),
            Some(order) => {
                let mut y: Vec<V> = order.iter().map(|unknown| x[*unknown]).collect();
                self.sweep(&mut y);
                order.iter().zip(&y).for_each(|(unknown, y)| x[*unknown] = *y);
            }
        }
    }

    fn sweep(&self, x: &mut [V]) {
        let n = self.size;
        for k in 0..n {
            x.swap(k, self.pivots[k]);
            let value = x[k];
            for (x, l) in x[k + 1..].iter_mut().zip(&self.lower[k * self.below..][..self.below]) {
                *x -= *l * value;
            }
        }
        for k in (0..n).rev() {
            let row = &self.upper[k * (self.above + 1)..][..=self.above];
            let mut sum = x[k];
            for (u, x) in row[1..].iter().zip(&x[k + 1..]) {
                sum -= *u * *x;
            }
            x[k] = sum / row[0];
        }
    }
}
