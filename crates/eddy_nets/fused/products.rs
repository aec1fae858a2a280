//! The matrix products.

use wasm_encoder::{Function, Instruction as I, ValType};

use crate::emit::{Body, Format, Locals, VECTOR, at};

/// A block of C is this many rows times this many vectors: with the operands eleven registers, of fifteen.
const HIGH: u32 = 4;
const WIDE: u32 = 2;

/// (a, a_row, a_column, b, c, rows, inner, n): all in bytes but rows and inner. C = A·B for rows a multiple of 4 and n a
/// multiple of two vectors, none of them 0.
pub fn product(format: Format) -> Function {
    let [a, a_row, a_column, b, c, rows, inner, n] = [0, 1, 2, 3, 4, 5, 6, 7];
    let mut locals = Locals::new(8);
    let [columns_left, rows_left, left, right, row_start, block] = [(); 6].map(|()| locals.take(1, ValType::I32));
    let pointers = locals.take(HIGH, ValType::I32);
    let sums = locals.take(HIGH * WIDE, ValType::V128);
    let operands = locals.take(WIDE, ValType::V128);
    let factor = locals.take(1, ValType::V128);
    let mut f = Body::new(&locals);
    f.put(&[I::LocalGet(n), I::LocalSet(columns_left)]);
    f.open_loop();
    f.put(&[I::LocalGet(rows), I::LocalSet(rows_left), I::LocalGet(a), I::LocalSet(row_start)]);
    f.put(&[I::LocalGet(c), I::LocalSet(block)]);
    f.open_loop();
    for sum in 0..HIGH * WIDE {
        f.put(&[I::V128Const(0), I::LocalSet(sums + sum)]);
    }
    for h in 0..HIGH {
        f.put(&[I::LocalGet(row_start), I::LocalSet(pointers + h)]);
        f.bump(row_start, I::LocalGet(a_row));
    }
    f.put(&[I::LocalGet(b), I::LocalSet(right), I::LocalGet(inner), I::LocalSet(left)]);
    f.open_loop();
    for w in 0..WIDE {
        f.put(&[I::LocalGet(right), I::V128Load(at(16 * u64::from(w), 2)), I::LocalSet(operands + w)]);
    }
    f.bump(right, I::LocalGet(n));
    for h in 0..HIGH {
        f.put(&[I::LocalGet(pointers + h), format.load_splat(), I::LocalSet(factor)]);
        f.bump(pointers + h, I::LocalGet(a_column));
        for w in 0..WIDE {
            let sum = sums + h * WIDE + w;
            f.put(&[I::LocalGet(factor), I::LocalGet(operands + w), I::LocalGet(sum)]);
            f.put(&[format.fused_multiply_add(), I::LocalSet(sum)]);
        }
    }
    f.repeat(left, 1);
    f.put(&[I::End]);
    for h in 0..HIGH {
        for w in 0..WIDE {
            let sum = sums + h * WIDE + w;
            f.put(&[I::LocalGet(block), I::LocalGet(sum), I::V128Store(at(16 * u64::from(w), 2))]);
        }
        f.bump(block, I::LocalGet(n));
    }
    f.repeat(rows_left, HIGH as i32);
    f.put(&[I::End]);
    f.bump(b, I::I32Const(WIDE as i32 * VECTOR));
    f.bump(c, I::I32Const(WIDE as i32 * VECTOR));
    f.repeat(columns_left, WIDE as i32 * VECTOR);
    f.put(&[I::End]);
    f.end()
}

/// (a, b, c, rows, columns, n, c_row): n and c_row in bytes. C += A·Bᵀ for rows a multiple of 4, columns of 2 and n of two
/// vectors, none of them 0.
pub fn add_product_transposed(format: Format) -> Function {
    let [a, b, c, rows, columns, n, c_row] = [0, 1, 2, 3, 4, 5, 6];
    let mut locals = Locals::new(7);
    let [columns_left, left, right_start, block, target] = [(); 5].map(|()| locals.take(1, ValType::I32));
    let lefts = locals.take(HIGH, ValType::I32);
    let rights = locals.take(2, ValType::I32);
    let sums = locals.take(HIGH * 2, ValType::V128);
    let operands = locals.take(2, ValType::V128);
    let [factor, low, high] = [(); 3].map(|()| locals.take(1, ValType::V128));
    let mut f = Body::new(&locals);
    f.open_loop();
    f.put(&[I::LocalGet(columns), I::LocalSet(columns_left), I::LocalGet(b), I::LocalSet(right_start)]);
    f.put(&[I::LocalGet(c), I::LocalSet(block)]);
    f.open_loop();
    for sum in 0..HIGH * 2 {
        f.put(&[I::V128Const(0), I::LocalSet(sums + sum)]);
    }
    f.put(&[I::LocalGet(a), I::LocalSet(lefts)]);
    for h in 1..HIGH {
        f.put(&[I::LocalGet(lefts + h - 1), I::LocalGet(n), I::I32Add, I::LocalSet(lefts + h)]);
    }
    for w in 0..2 {
        f.put(&[I::LocalGet(right_start), I::LocalSet(rights + w)]);
        f.bump(right_start, I::LocalGet(n));
    }
    f.put(&[I::LocalGet(n), I::LocalSet(left)]);
    f.open_loop();
    for w in 0..2 {
        f.put(&[I::LocalGet(rights + w), I::V128Load(at(0, 2)), I::LocalSet(operands + w)]);
        f.bump(rights + w, I::I32Const(VECTOR));
    }
    for h in 0..HIGH {
        f.put(&[I::LocalGet(lefts + h), I::V128Load(at(0, 2)), I::LocalSet(factor)]);
        f.bump(lefts + h, I::I32Const(VECTOR));
        for w in 0..2 {
            let sum = sums + h * 2 + w;
            f.put(&[I::LocalGet(factor), I::LocalGet(operands + w), I::LocalGet(sum)]);
            f.put(&[format.fused_multiply_add(), I::LocalSet(sum)]);
        }
    }
    f.repeat(left, VECTOR);
    f.put(&[I::End]);
    fold(&mut f, format, [block, target, c_row, lefts], sums, [factor, low, high]);
    f.bump(block, I::I32Const(2 * format.bytes() as i32));
    f.repeat(columns_left, 2);
    f.put(&[I::End]);
    for _ in 0..HIGH {
        f.bump(a, I::LocalGet(n));
        f.bump(c, I::LocalGet(c_row));
    }
    f.repeat(rows, HIGH as i32);
    f.put(&[I::End]);
    f.end()
}

/// Adds the sums over the lanes to C, two columns of a row side by side.
fn fold(
    f: &mut Body,
    format: Format,
    [block, target, c_row, next]: [u32; 4],
    sums: u32,
    [factor, low, high]: [u32; 3],
) {
    f.put(&[I::LocalGet(block), I::LocalSet(target)]);
    let pick = |format: Format, numbers: [u8; 4]| {
        // Numbers of both operands, in order; of f64 the first two count.
        let size = format.bytes() as u8;
        I::I8x16Shuffle(std::array::from_fn(|i| numbers[i / usize::from(size)] * size + i as u8 % size))
    };
    let pair = |f: &mut Body, x: u32, y: u32, low_numbers, high_numbers, to: u32| {
        f.put(&[I::LocalGet(x), I::LocalGet(y), pick(format, low_numbers), I::LocalSet(low)]);
        f.put(&[I::LocalGet(x), I::LocalGet(y), pick(format, high_numbers), I::LocalSet(high)]);
        f.put(&[I::LocalGet(low), I::LocalGet(high), format.add(), I::LocalSet(to)]);
    };
    match format {
        Format::F32 => {
            for h in 0..HIGH {
                // (x0 + x2, x1 + x3, y0 + y2, y1 + y3)
                let (x, y) = (sums + 2 * h, sums + 2 * h + 1);
                pair(f, x, y, [0, 1, 4, 5], [2, 3, 6, 7], x);
            }
            for h in (0..HIGH).step_by(2) {
                let (first, second) = (sums + 2 * h, sums + 2 * h + 2);
                pair(f, first, second, [0, 2, 4, 6], [1, 3, 5, 7], factor);
                f.put(&[I::LocalGet(target), I::LocalGet(c_row), I::I32Add, I::LocalSet(next)]);
                f.put(&[I::LocalGet(target), I::V128Load64Zero(at(0, 2)), I::LocalSet(low)]);
                f.put(&[I::LocalGet(next), I::LocalGet(low), I::V128Load64Lane { memarg: at(0, 2), lane: 1 }]);
                f.put(&[I::LocalGet(factor), format.add(), I::LocalSet(low)]);
                f.put(&[I::LocalGet(target), I::LocalGet(low), I::V128Store64Lane { memarg: at(0, 2), lane: 0 }]);
                f.put(&[I::LocalGet(next), I::LocalGet(low), I::V128Store64Lane { memarg: at(0, 2), lane: 1 }]);
                f.put(&[I::LocalGet(next), I::LocalGet(c_row), I::I32Add, I::LocalSet(target)]);
            }
        }
        Format::F64 => {
            for h in 0..HIGH {
                let (x, y) = (sums + 2 * h, sums + 2 * h + 1);
                pair(f, x, y, [0, 2, 0, 0], [1, 3, 0, 0], factor);
                f.put(&[I::LocalGet(target), I::LocalGet(target), I::V128Load(at(0, 2)), I::LocalGet(factor)]);
                f.put(&[format.add(), I::V128Store(at(0, 2))]);
                f.bump(target, I::LocalGet(c_row));
            }
        }
    }
}
