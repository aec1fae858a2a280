//! Small matrix products in registers. A block of rows times a block of vectors of columns is kept in registers over the
//! whole inner dimension; the blocks are chosen for sixteen registers.

use crate::{
    Real, fused,
    lanes::Lanes,
    real::{Kernel, Level},
};

/// A matrix read entry by entry: entry (r, k) lies at `r·row + k·column`.
#[derive(Clone, Copy)]
pub struct Strided<'a, T> {
    pub data: &'a [T],
    pub row: usize,
    pub column: usize,
}

/// C = A·B: A is rows × inner, strided; B is inner × n and C rows × n, both in rows of n. n is a multiple of 8.
pub fn product<T: Real>(level: Level, a: Strided<'_, T>, b: &[T], c: &mut [T], rows: usize, inner: usize, n: usize) {
    assert!(n.is_multiple_of(8) && b.len() >= inner * n && c.len() >= rows * n && rows > 0 && inner > 0);
    assert!(a.data.len() > (rows - 1) * a.row + (inner - 1) * a.column);
    let done = if level == Level::Fused { fused::first_rows(a, b, c, rows, inner, n) } else { 0 };
    if done < rows {
        T::run_on_rows(level, n, Product { a, b, c, first_row: done, rows, inner, n });
    }
}

/// C += A·Bᵀ: A is rows × n, B is columns × n, C is rows × columns, all in rows. n is a multiple of 8.
pub fn add_product_transposed<T: Real>(
    level: Level,
    a: &[T],
    b: &[T],
    c: &mut [T],
    rows: usize,
    columns: usize,
    n: usize,
) {
    assert!(n.is_multiple_of(8) && a.len() >= rows * n && b.len() >= columns * n && c.len() >= rows * columns);
    let done = if level == Level::Fused { fused::first_block(a, b, c, [rows, columns], columns, n) } else { [0, 0] };
    if done != [rows, columns] {
        T::run_on_rows(level, n, AddProductTransposed { a, b, c, done, rows, columns, n, stride: n, pitch: columns });
    }
}

/// Of C += A·Aᵀ the part on and below the diagonal, and what else the blocks reach: A is rows × n in rows of `stride`, C in
/// rows of `pitch`. n is a multiple of 8.
pub fn add_gram<T: Real>(level: Level, a: &[T], stride: usize, c: &mut [T], pitch: usize, rows: usize, n: usize) {
    /// Rows of a block: two of them with n at most some hundred stay in the second-level cache.
    const BLOCK: usize = 48;
    for top in (0..rows).step_by(BLOCK) {
        let high = BLOCK.min(rows - top);
        for left in (0..=top).step_by(BLOCK) {
            let (c, wide) = (&mut c[top * pitch + left..], BLOCK.min(rows - left));
            add_product_of_rows(level, &a[top * stride..], &a[left * stride..], stride, c, pitch, [high, wide], n);
        }
    }
}

/// C += A·Bᵀ of the first n columns of A and B, both in rows of `stride`; C is high × wide in rows of `pitch`. n is a multiple
/// of 8.
#[allow(clippy::too_many_arguments, reason = "two matrices in larger ones, and where they end")]
pub fn add_product_of_rows<T: Real>(
    level: Level,
    a: &[T],
    b: &[T],
    stride: usize,
    c: &mut [T],
    pitch: usize,
    [rows, columns]: [usize; 2],
    n: usize,
) {
    assert!(n.is_multiple_of(8) && n <= stride && columns <= pitch && rows > 0 && columns > 0);
    assert!(a.len() >= (rows - 1) * stride + n && b.len() >= (columns - 1) * stride + n);
    assert!(c.len() >= (rows - 1) * pitch + columns);
    // The fused products know whole rows only.
    let is_whole = level == Level::Fused && stride == n;
    let done = if is_whole { fused::first_block(a, b, c, [rows, columns], pitch, n) } else { [0, 0] };
    if done != [rows, columns] {
        T::run_on_rows(level, n, AddProductTransposed { a, b, c, done, rows, columns, n, stride, pitch });
    }
}

struct Product<'a, T> {
    a: Strided<'a, T>,
    b: &'a [T],
    c: &'a mut [T],
    /// Those above are done already.
    first_row: usize,
    rows: usize,
    inner: usize,
    n: usize,
}

impl<T: Real> Kernel<T> for Product<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(mut self) {
        let mut column = 0;
        // Four rows times two vectors: eight sums hide the latency of a fused multiply-add, and four by three would need
        // all sixteen registers, of which compilers spill one. Columns outermost: two vectors of B's rows stay in the first cache while all rows of A pass over them.
        while column + 2 * V::N <= self.n {
            self.stripe::<V, 2>(column);
            column += 2 * V::N;
        }
        while column < self.n {
            self.stripe::<V, 1>(column);
            column += V::N;
        }
    }
}

impl<T: Real> Product<'_, T> {
    #[inline(always)]
    fn stripe<V: Lanes<T>, const WIDE: usize>(&mut self, column: usize) {
        let mut row = self.first_row;
        while row + 4 <= self.rows {
            self.block::<V, 4, WIDE>(row, column);
            row += 4;
        }
        while row < self.rows {
            self.block::<V, 1, WIDE>(row, column);
            row += 1;
        }
    }

    #[inline(always)]
    fn block<V: Lanes<T>, const HIGH: usize, const WIDE: usize>(&mut self, row: usize, column: usize) {
        // SAFETY: `product` has checked the extents; n is a multiple of every V::N, so column + WIDE·N ≤ n, and the
        // loops above keep row + HIGH ≤ rows. C is borrowed mutably by `self` and aliases nothing.
        unsafe {
            let mut sums = [[V::splat(T::ZERO); WIDE]; HIGH];
            let mut a = self.a.data.as_ptr().add(row * self.a.row);
            let mut b = self.b.as_ptr().add(column);
            for _ in 0..self.inner {
                let mut right = [V::splat(T::ZERO); WIDE];
                for w in 0..WIDE {
                    right[w] = V::load(b.add(w * V::N));
                }
                for h in 0..HIGH {
                    let left = V::splat(*a.add(h * self.a.row));
                    for w in 0..WIDE {
                        sums[h][w] = left.fma(right[w], sums[h][w]);
                    }
                }
                a = a.wrapping_add(self.a.column);
                b = b.wrapping_add(self.n);
            }
            let c = self.c.as_mut_ptr().add(row * self.n + column);
            for h in 0..HIGH {
                for w in 0..WIDE {
                    sums[h][w].store(c.add(h * self.n + w * V::N));
                }
            }
        }
    }
}

struct AddProductTransposed<'a, T> {
    a: &'a [T],
    b: &'a [T],
    c: &'a mut [T],
    /// Rows, a multiple of 4, and columns of the block that is done already.
    done: [usize; 2],
    rows: usize,
    columns: usize,
    n: usize,
    /// Between two rows of A, and of B.
    stride: usize,
    /// Between two rows of C.
    pitch: usize,
}

impl<T: Real> Kernel<T> for AddProductTransposed<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(mut self) {
        let mut row = 0;
        while row + 4 <= self.rows {
            self.stripe::<V, 4>(row);
            row += 4;
        }
        while row < self.rows {
            self.stripe::<V, 1>(row);
            row += 1;
        }
    }
}

impl<T: Real> AddProductTransposed<'_, T> {
    #[inline(always)]
    fn stripe<V: Lanes<T>, const HIGH: usize>(&mut self, row: usize) {
        let mut column = if row < self.done[0] { self.done[1] } else { 0 };
        while column + 3 <= self.columns {
            self.block::<V, HIGH, 3>(row, column);
            column += 3;
        }
        while column < self.columns {
            self.block::<V, HIGH, 1>(row, column);
            column += 1;
        }
    }

    #[inline(always)]
    fn block<V: Lanes<T>, const HIGH: usize, const WIDE: usize>(&mut self, row: usize, column: usize) {
        let mut sums = [[V::splat(T::ZERO); WIDE]; HIGH];
        // SAFETY: `add_product_transposed` and `add_product_of_rows` have checked the extents; row + HIGH ≤ rows, column + WIDE ≤ columns,
        // and n is a multiple of every V::N.
        unsafe {
            let a = self.a.as_ptr().add(row * self.stride);
            let b = self.b.as_ptr().add(column * self.stride);
            let mut i = 0;
            while i < self.n {
                let mut right = [V::splat(T::ZERO); WIDE];
                for w in 0..WIDE {
                    right[w] = V::load(b.add(w * self.stride + i));
                }
                for h in 0..HIGH {
                    let left = V::load(a.add(h * self.stride + i));
                    for w in 0..WIDE {
                        sums[h][w] = left.fma(right[w], sums[h][w]);
                    }
                }
                i += V::N;
            }
        }
        for h in 0..HIGH {
            for w in 0..WIDE {
                self.c[(row + h) * self.pitch + column + w] += sums[h][w].sum();
            }
        }
    }
}
