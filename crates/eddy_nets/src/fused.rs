//! Matrix products and the hyperbolic tangent in fused multiply-adds for WebAssembly, where those are an extension (relaxed
//! SIMD) that a module must not contain for a browser without it. So they are a module of their own, [`MODULE`], of four
//! kilobytes, that the surroundings instantiate on this module's memory where the browser takes it, and [`install`].
//!
//! What is computed is what `matmul` and `functions` compute, rounded once per product and sum instead of twice where the
//! processor has such an instruction: results differ in the last bits between machines, as they do between instruction sets.

use std::sync::OnceLock;

use crate::{
    Level, Real,
    functions::tanh_all,
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
    /// (x, x_row, y, y_row, bias, rows, n, table): y = tanh(x + bias) in `rows` rows of n bytes, x_row and y_row bytes apart,
    /// with one bias each. n is a multiple of 16; neither is 0. The table is that of [`tanh_table`].
    pub tanh: fn(Format, [usize; 8]),
}

/// What [`Fused::tanh`] reads: twice the number from which on tanh is 1, then 1, 2, 1/ln 2, the number whose bits round, both
/// parts of ln 2, and the terms of the series.
fn tanh_table<T: Real>() -> [T; 19] {
    let mut table = [T::ZERO; 19];
    let named = [2.0 * T::TANH_ONE, 1.0, 2.0, std::f64::consts::LOG2_E].map(T::from_f64);
    let parts = [T::ROUND_BIASED, T::LN_2[0], T::LN_2[1]];
    let terms = T::EXP_TERMS.iter().map(|term| T::from_f64(*term));
    table.iter_mut().zip(named.into_iter().chain(parts).chain(terms)).for_each(|(to, from)| *to = from);
    table
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

/// Lets `Level::Fused` use `fused` from now on, if it computes rightly: all functions, in both formats, are compared with
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

/// All functions on small matrices of random numbers: sums of up to 16 products of numbers below 1.
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
    } && {
        // Of sums from −12 to 12: to where it is 1, and through 0.
        let numbers: Vec<T> = wide.iter().map(|x| *x * T::from_f64(11.0)).collect();
        let biases = &a[..ROWS];
        let mut expected: Vec<T> =
            numbers.chunks(N).zip(biases).flat_map(|(row, b)| row.iter().map(|x| *x + *b)).collect();
        tanh_all(Level::Portable, &mut expected);
        let mut got = vec![T::ZERO; ROWS * N];
        run_tanh(fused, &numbers, &mut got, biases, N, N);
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

fn run_tanh<T: Real>(fused: &Fused, x: &[T], y: &mut [T], bias: &[T], row: usize, n: usize) {
    let size = size_of::<T>();
    let table = tanh_table::<T>();
    let [x_at, bias_at, table_at] = [x, bias, &table].map(|m| m.as_ptr() as usize);
    let y_at = y.as_mut_ptr() as usize;
    (fused.tanh)(Format::of::<T>(), [x_at, row * size, y_at, row * size, bias_at, bias.len(), n * size, table_at]);
}

/// y = tanh(x + bias) in the first n numbers of rows of `row`, one bias each. Returns whether it could be done.
pub(crate) fn tanh_rows<T: Real>(x: &[T], y: &mut [T], bias: &[T], row: usize, n: usize) -> bool {
    assert!(
        n <= row
            && x.len() >= bias.len() * row
            && y.len() >= bias.len() * row
            && (n * size_of::<T>()).is_multiple_of(16)
    );
    match INSTALLED.get() {
        Some(fused) if !bias.is_empty() && n > 0 => {
            run_tanh(fused, x, y, bias, row, n);
            true
        }
        _ => false,
    }
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

/// The first rows and columns of C += A·Bᵀ with C in rows of `pitch`, whose extents the caller has checked; returns how many.
pub(crate) fn first_block<T: Real>(
    a: &[T],
    b: &[T],
    c: &mut [T],
    [rows, columns]: [usize; 2],
    pitch: usize,
    n: usize,
) -> [usize; 2] {
    let whole = [rows / 4 * 4, columns / 2 * 2];
    match INSTALLED.get() {
        Some(fused) if whole[0] > 0 && whole[1] > 0 && n > 0 => {
            run_transposed(fused, a, b, c, whole, pitch, n);
            whole
        }
        _ => [0, 0],
    }
}
