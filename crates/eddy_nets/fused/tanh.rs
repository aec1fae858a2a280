//! The hyperbolic tangent, as `src/functions.rs` computes it.

use wasm_encoder::{Function, Instruction as I, ValType};

use crate::emit::{Body, Format, Locals, VECTOR, at};

/// Terms of the exponential's series beyond r, the first numbers of the table after those named below.
fn terms(format: Format) -> u32 {
    if format == Format::F32 { 6 } else { 12 }
}

/// (x, x_row, y, y_row, bias, rows, n, table): in bytes but rows. y = tanh(x + bias), one bias a row; n is a multiple of a
/// vector, neither is 0. The table: twice the number from which on tanh is 1, 1, 2, 1/ln 2, the number whose bits round,
/// both parts of ln 2, the terms.
///
/// The table is read into locals once: a constant vector takes a browser five instructions wherever it is used.
pub fn tanh(format: Format) -> Function {
    let [x, x_row, y, y_row, bias, rows, n, table] = [0, 1, 2, 3, 4, 5, 6, 7];
    let mut locals = Locals::new(8);
    let [left, from, to] = [(); 3].map(|()| locals.take(1, ValType::I32));
    let count = 7 + terms(format);
    let constants = locals.take(count, ValType::V128);
    let [limit, one, two, log2_e, round, ln2_high, ln2_low] = std::array::from_fn(|i| constants + i as u32);
    let series = constants + 7;
    let [shift, z, sign, biased, k, r, sum] = [(); 7].map(|()| locals.take(1, ValType::V128));
    let mut f = Body::new(&locals);
    let fma = |f: &mut Body, a: u32, b: u32, c: u32, to: u32| {
        f.put(&[I::LocalGet(a), I::LocalGet(b), I::LocalGet(c), format.fused_multiply_add(), I::LocalSet(to)]);
    };
    let apply = |f: &mut Body, a: u32, b: u32, how: I<'static>, to: u32| {
        f.put(&[I::LocalGet(a), I::LocalGet(b), how, I::LocalSet(to)]);
    };
    for i in 0..count {
        f.put(&[I::LocalGet(table), format.load_splat(), I::LocalSet(constants + i)]);
        f.bump(table, I::I32Const(format.bytes() as i32));
    }
    f.open_loop();
    f.put(&[I::LocalGet(bias), format.load_splat(), I::LocalSet(shift)]);
    f.bump(bias, I::I32Const(format.bytes() as i32));
    f.put(&[I::LocalGet(x), I::LocalSet(from), I::LocalGet(y), I::LocalSet(to), I::LocalGet(n), I::LocalSet(left)]);
    f.open_loop();
    f.put(&[I::LocalGet(from), I::V128Load(at(0, 2)), I::LocalGet(shift), format.add(), I::LocalTee(z)]);
    f.put(&[format.abs(), I::LocalTee(r), I::LocalGet(z), I::V128Xor, I::LocalSet(sign)]);
    // z = min(2|x|, limit), and NaN stays.
    apply(&mut f, r, r, format.add(), z);
    apply(&mut f, z, limit, format.pseudo_min(), z);
    fma(&mut f, z, log2_e, round, biased);
    apply(&mut f, round, biased, format.sub(), k);
    fma(&mut f, k, ln2_high, z, z);
    fma(&mut f, k, ln2_low, z, r);
    fma(&mut f, series, r, series + 1, sum);
    for term in 2..terms(format) {
        fma(&mut f, sum, r, series + term, sum);
    }
    apply(&mut f, r, r, format.mul(), z);
    fma(&mut f, z, sum, r, sum);
    f.put(&[I::LocalGet(biased), I::I32Const(format.mantissa()), format.shift_left(), I::LocalSet(biased)]);
    apply(&mut f, biased, one, format.sub(), z);
    fma(&mut f, biased, sum, z, z);
    apply(&mut f, z, two, format.add(), r);
    apply(&mut f, z, r, format.div(), z);
    f.put(&[I::LocalGet(to), I::LocalGet(z), I::LocalGet(sign), I::V128Or, I::V128Store(at(0, 2))]);
    f.bump(from, I::I32Const(VECTOR));
    f.bump(to, I::I32Const(VECTOR));
    f.repeat(left, VECTOR);
    f.put(&[I::End]);
    f.bump(x, I::LocalGet(x_row));
    f.bump(y, I::LocalGet(y_row));
    f.repeat(rows, 1);
    f.put(&[I::End]);
    f.end()
}
