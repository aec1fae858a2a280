//! Sparse matrices by rows.

use super::{BandedLu, LinearError, Scalar};

/// A sparse matrix: for each row its columns, ascending and each once, and their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Csr<V> {
    columns_of_matrix: usize,
    /// Start of each row in `columns` and `values`, and the end of the last.
    starts: Vec<usize>,
    columns: Vec<usize>,
    values: Vec<V>,
}

impl<V: Scalar> Csr<V> {
    /// From (row, column, value); values of the same place are summed.
    ///
    /// # Panics
    /// If a place is outside the matrix.
    pub fn from_triplets(rows: usize, columns: usize, triplets: impl IntoIterator<Item = (usize, usize, V)>) -> Self {
        let mut lists = vec![Vec::new(); rows];
        for (row, column, value) in triplets {
            lists[row].push((column, value));
        }
        Self::from_rows(columns, lists)
    }

    /// From lists of (column, value), one a row; values of the same column are summed.
    ///
    /// # Panics
    /// If a column is outside the matrix.
    pub fn from_rows(columns: usize, rows: impl IntoIterator<Item = Vec<(usize, V)>>) -> Self {
        let mut matrix = Self { columns_of_matrix: columns, starts: vec![0], columns: Vec::new(), values: Vec::new() };
        for mut row in rows {
            // Sorted by themselves, one type for all matrices: a sort of its own for each kind of values is 5 kB of code.
            if !row.is_sorted_by_key(|(column, _)| *column) {
                let columns = row.iter().map(|(column, _)| *column);
                row = in_order(columns).into_iter().map(|at| row[at]).collect();
            }
            let start = matrix.columns.len();
            for (column, value) in row {
                assert!(column < columns, "a column of the matrix");
                if matrix.columns.len() > start && matrix.columns.last() == Some(&column) {
                    if let Some(last) = matrix.values.last_mut() {
                        *last += value;
                    }
                } else {
                    matrix.columns.push(column);
                    matrix.values.push(value);
                }
            }
            matrix.starts.push(matrix.columns.len());
        }
        matrix
    }

    /// The matrix that acts on fields of shape `[nz, ny, nx]` as `row(i)`, a list of (point along the axis, weight), acts
    /// on each line along `axis` (0 is x, 1 is y, 2 is z).
    pub fn along(axis: usize, shape: [usize; 3], row: impl Fn(usize) -> Vec<(usize, V)>) -> Self {
        let [nz, ny, nx] = shape;
        let (n, stride) = [(nx, 1), (ny, nx), (nz, nx * ny)][axis.min(2)];
        let rows: Vec<Vec<(usize, V)>> = (0..n).map(row).collect();
        Self::from_rows(
            nx * ny * nz,
            (0..nx * ny * nz).map(|point| {
                let at = point / stride % n;
                rows[at].iter().map(|(j, w)| (point - at * stride + j * stride, *w)).collect()
            }),
        )
    }

    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn columns(&self) -> usize {
        self.columns_of_matrix
    }

    /// Stored entries.
    pub fn entries(&self) -> usize {
        self.values.len()
    }

    /// Columns and values of a row.
    pub fn row(&self, row: usize) -> (&[usize], &[V]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// As [`Csr::row`], values to be changed.
    pub fn row_mut(&mut self, row: usize) -> (&[usize], &mut [V]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], &mut self.values[range])
    }

    /// Row, column and value of all stored entries.
    pub fn triplets(&self) -> impl Iterator<Item = (usize, usize, V)> + '_ {
        (0..self.rows()).flat_map(move |row| {
            let (columns, values) = self.row(row);
            columns.iter().zip(values).map(move |(column, value)| (row, *column, *value))
        })
    }

    /// An entry; zero where none is stored.
    pub fn get(&self, row: usize, column: usize) -> V {
        let (columns, values) = self.row(row);
        columns.binary_search(&column).map_or(V::default(), |at| values[at])
    }

    pub fn diagonal(&self) -> Vec<V> {
        (0..self.rows().min(self.columns_of_matrix)).map(|i| self.get(i, i)).collect()
    }

    /// out = A x.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn apply(&self, x: &[V], out: &mut [V]) {
        assert!(x.len() == self.columns_of_matrix && out.len() == self.rows(), "shape of the matrix");
        for (row, out) in out.iter_mut().enumerate() {
            let (columns, values) = self.row(row);
            let mut sum = V::default();
            for (column, value) in columns.iter().zip(values) {
                sum += *value * x[*column];
            }
            *out = sum;
        }
    }

    pub fn transpose(&self) -> Self {
        Self::from_triplets(self.columns_of_matrix, self.rows(), self.triplets().map(|(i, j, v)| (j, i, v)))
    }

    /// A B.
    ///
    /// # Panics
    /// If the columns of A are not as many as the rows of B.
    pub fn multiply(&self, other: &Self) -> Self {
        assert_eq!(self.columns_of_matrix, other.rows(), "shapes that can be multiplied");
        // The place of each column in the row that is being made.
        let mut places = vec![usize::MAX; other.columns_of_matrix];
        Self::from_rows(
            other.columns_of_matrix,
            (0..self.rows()).map(|row| {
                let mut list: Vec<(usize, V)> = Vec::new();
                let (columns, values) = self.row(row);
                for (middle, a) in columns.iter().zip(values) {
                    let (columns, values) = other.row(*middle);
                    for (column, b) in columns.iter().zip(values) {
                        if places[*column] == usize::MAX {
                            places[*column] = list.len();
                            list.push((*column, V::default()));
                        }
                        list[places[*column]].1 += *a * *b;
                    }
                }
                list.iter().for_each(|(column, _)| places[*column] = usize::MAX);
                list
            }),
        )
    }

    /// a A + b B.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn combine(&self, a: V, other: &Self, b: V) -> Self {
        assert!(self.rows() == other.rows() && self.columns_of_matrix == other.columns_of_matrix, "equal shapes");
        let scaled = |matrix: &Self, row: usize, factor: V| {
            let (columns, values) = matrix.row(row);
            columns.iter().zip(values).map(|(c, v)| (*c, factor * *v)).collect::<Vec<_>>()
        };
        Self::from_rows(
            self.columns_of_matrix,
            (0..self.rows()).map(|row| [scaled(self, row, a), scaled(other, row, b)].concat()),
        )
    }

    /// I - shift A, what an implicit step solves with.
    pub fn identity_minus(&self, shift: V) -> Self {
        let one =
            Self::from_triplets(self.rows(), self.columns_of_matrix, (0..self.rows()).map(|i| (i, i, V::of(1.0))));
        one.combine(V::of(1.0), self, -shift)
    }

    /// Diagonals with entries under and over the main one.
    pub fn bandwidth(&self) -> (usize, usize) {
        self.triplets()
            .fold((0, 0), |(below, above), (i, j, _)| (below.max(i.saturating_sub(j)), above.max(j.saturating_sub(i))))
    }

    /// An order of the unknowns that brings entries near the diagonal: levels of neighbours from an outlying unknown, few
    /// neighbours first, reversed (Cuthill, McKee 1969, Proc. 24th ACM Conf., 157; George, Liu 1979, ACM TOMS 5, 284 for
    /// the start). `order[place]` is the unknown at a place.
    pub fn reverse_cuthill_mckee(&self) -> Vec<usize> {
        let n = self.rows();
        let pattern = self.transpose();
        let neighbours: Vec<Vec<usize>> = (0..n)
            .map(|i| {
                let mut list: Vec<usize> = [self.row(i).0, pattern.row(i).0].concat();
                list.retain(|j| *j != i);
                list.sort_unstable();
                list.dedup();
                list
            })
            .collect();
        let (mut order, mut seen) = (Vec::with_capacity(n), vec![false; n]);
        let mut starts: Vec<usize> = (0..n).collect();
        let degree = |i: &usize| neighbours[*i].len();
        starts.sort_by_key(degree);
        for start in starts {
            if seen[start] {
                continue;
            }
            // Walk to an end of this component: the last level of a search, until levels get no more.
            let (mut from, mut depth) = (start, 0);
            loop {
                let levels = levels(&neighbours, from);
                let Some(end) = levels.last().and_then(|l| l.iter().min_by_key(|i| neighbours[**i].len()).copied())
                else {
                    break;
                };
                if levels.len() <= depth {
                    break;
                }
                (from, depth) = (end, levels.len());
            }
            let first = order.len();
            order.push(from);
            seen[from] = true;
            let mut at = first;
            while at < order.len() {
                let mut next: Vec<usize> = neighbours[order[at]].iter().copied().filter(|j| !seen[*j]).collect();
                next.sort_by_key(degree);
                next.iter().for_each(|j| seen[*j] = true);
                order.extend(next);
                at += 1;
            }
        }
        order.reverse();
        order
    }

    /// Direct factors by a band after [`Csr::reverse_cuthill_mckee`]. On a grid of nx · ny points with ny ≤ nx the cost is
    /// about 2 nx ny³ for the factors and 5 nx ny² a solve and in memory.
    pub fn factor(&self) -> Result<BandedLu<V>, LinearError> {
        if self.rows() != self.columns_of_matrix {
            return Err(LinearError::NotSquare { rows: self.rows(), columns: self.columns_of_matrix });
        }
        BandedLu::new(self.rows(), Some(self.reverse_cuthill_mckee()), || self.triplets())
    }
}

/// Places of these columns in ascending order, equal ones as they came.
fn in_order(columns: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut places: Vec<(usize, usize)> = columns.zip(0..).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, at)| at).collect()
}

/// Unknowns by their distance from one.
fn levels(neighbours: &[Vec<usize>], from: usize) -> Vec<Vec<usize>> {
    let mut seen = vec![false; neighbours.len()];
    seen[from] = true;
    let mut levels = vec![vec![from]];
    loop {
        let mut next = Vec::new();
        for i in levels.last().into_iter().flatten() {
            for j in &neighbours[*i] {
                if !std::mem::replace(&mut seen[*j], true) {
                    next.push(*j);
                }
            }
        }
        if next.is_empty() {
            return levels;
        }
        levels.push(next);
    }
}
