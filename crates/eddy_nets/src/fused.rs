//! Matrix products in fused multiply-adds for WebAssembly, where those are an extension (relaxed SIMD) that a module must
//! not contain for a browser without it. So they are a module of their own, [`MODULE`], of three kilobytes, that the
//! surroundings instantiate on this module's memory where the browser takes it, and [`install`].
//!
//! What is computed is what `matmul` computes, rounded once per product and sum instead of twice where the processor has
//! such an instruction: results differ in the last bits between machines, as they do between instruction sets.

use std::sync::OnceLock;

use crate::{
    Level, Real,
    matmul::{Strided, add_product_transposed, product},
    random::uniform,
};

/// Imports its memory as `env.memory`; exports the functions of [`Fused`], each as `name_f32` and `name_f64`.
pub const MODULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fused.wasm"));

/// The functions of an instance. All addresses and strides are in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Fused {
    /// (a, a_row, a_column, b, c, rows, inner, n): C = A·B with A rows × inner, strided; B and C in rows of n bytes. `rows`
    /// is a multiple of 4, n of 32; none is 0.
    pub product: fn(Format, [usize; 8]),
    /// (a, b, c, rows, columns, n, c_row): C += A·Bᵀ with A and B in rows of n bytes, C in rows of c_row. `rows` is a
    /// multiple of 4, `columns` of 2, n of 32; none is 0.
    pub add_product_transposed: fn(Format, [usize; 7]),
}

/// The format of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    F32,
    F64,
}

impl Format {
    fn of<T: Real>() -> Self {
        if size_of::<T>() == 4 { Self::F32 } else { Self::F64 }
    }
}

static INSTALLED: OnceLock<Fused> = OnceLock::new();

/// Whether [`Level::Fused`] can be used.
pub fn is_installed() -> bool {
    INSTALLED.get().is_some()
}

/// Lets `Level::Fused` use `fused` from now on, if it computes rightly: both functions, in both formats, are compared with
/// the portable ones first. Returns whether it is in use.
///
/// # Safety
/// The functions must read and write this program's memory as their description says, and nothing else.
pub unsafe fn install(fused: Fused) -> bool {
    if !(computes_rightly::<f32>(&fused, 1e-5) && computes_rightly::<f64>(&fused, 1e-13)) {
        return false;
    }
    INSTALLED.get_or_init(|| fused);
    true
}

/// Both functions on small matrices of random numbers: sums of up to 16 products of numbers below 1.
fn computes_rightly<T: Real>(fused: &Fused, bound: f64) -> bool {
    const ROWS: usize = 8;
    const INNER: usize = 6;
    const N: usize = 16;
    let numbers = |seed, count: usize| -> Vec<T> {
        (0..count).map(|i| T::from_f64(2.0 * uniform(seed, i as u64) - 1.0)).collect()
    };
    let close = |a: &[T], b: &[T]| a.iter().zip(b).all(|(a, b)| (a.to_f64() - b.to_f64()).abs() <= bound);
    let (a, b, wide) = (numbers(1, ROWS * INNER), numbers(2, INNER * N), numbers(3, ROWS * N));
    // The matrix as it lies, and its transpose.
    [(INNER, 1), (1, ROWS)].into_iter().all(|(row, column)| {
        let a = Strided { data: &a, row, column };
        let (mut expected, mut got) = (vec![T::ZERO; ROWS * N], vec![T::ONE; ROWS * N]);
        product(Level::Portable, a, &b, &mut expected, ROWS, INNER, N);
        run_product(fused, a, &b, &mut got, ROWS, INNER, N);
        close(&expected, &got)
    }) && {
        let mut expected = numbers(4, ROWS * INNER);
        let mut got = expected.clone();
        add_product_transposed(Level::Portable, &wide, &b, &mut expected, ROWS, INNER, N);
        run_transposed(fused, &wide, &b, &mut got, [ROWS, INNER], INNER, N);
        close(&expected, &got)
    }
}

fn run_product<T: Real>(fused: &Fused, a: Strided<'_, T>, b: &[T], c: &mut [T], rows: usize, inner: usize, n: usize) {
    let size = size_of::<T>();
    let [a_at, b_at] = [a.data, b].map(|m| m.as_ptr() as usize);
    let c_at = c.as_mut_ptr() as usize;
    (fused.product)(Format::of::<T>(), [a_at, a.row * size, a.column * size, b_at, c_at, rows, inner, n * size]);
}

fn run_transposed<T: Real>(
    fused: &Fused,
    a: &[T],
    b: &[T],
    c: &mut [T],
    [rows, columns]: [usize; 2],
    c_columns: usize,
    n: usize,
) {
    let size = size_of::<T>();
    let [a_at, b_at] = [a, b].map(|m| m.as_ptr() as usize);
    let c_at = c.as_mut_ptr() as usize;
    (fused.add_product_transposed)(Format::of::<T>(), [a_at, b_at, c_at, rows, columns, n * size, c_columns * size]);
}

/// The first rows of C = A·B, whose extents the caller has checked; returns how many.
pub(crate) fn first_rows<T: Real>(
    a: Strided<'_, T>,
    b: &[T],
    c: &mut [T],
    rows: usize,
    inner: usize,
    n: usize,
) -> usize {
    let whole = rows / 4 * 4;
    match INSTALLED.get() {
        Some(fused) if whole > 0 && inner > 0 && n > 0 => {
            run_product(fused, a, b, c, whole, inner, n);
            whole
        }
        _ => 0,
    }
}

/// The first rows and columns of C += A·Bᵀ, whose extents the caller has checked; returns how many.
pub(crate) fn first_block<T: Real>(a: &[T], b: &[T], c: &mut [T], [rows, columns]: [usize; 2], n: usize) -> [usize; 2] {
    let whole = [rows / 4 * 4, columns / 2 * 2];
    match INSTALLED.get() {
        Some(fused) if whole[0] > 0 && whole[1] > 0 && n > 0 => {
            run_transposed(fused, a, b, c, whole, columns, n);
            whole
        }
        _ => [0, 0],
    }
}
