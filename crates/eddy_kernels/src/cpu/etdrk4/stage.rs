//! Twin of etdrk4/stage.wgsl.

use crate::Complex;
use crate::cpu::shared::complex::{complex_add, complex_multiply, complex_scale};

crate::layout::uniform! {
    pub struct Params {
        count: u32,
        first_weight: f32,
        second_weight: f32,
    }
}

/// out = E2 base + Q (first_weight · first + second_weight · second), with `coefficients` the six rows E, E2, Q, f1, f2, f3.
pub fn stage(
    params: &Params,
    coefficients: &[Complex],
    base: &[Complex],
    first: &[Complex],
    second: &[Complex],
    out: &mut [Complex],
) {
    let count = params.count as usize;
    for i in 0..count {
        let n =
            complex_add(complex_scale(params.first_weight, first[i]), complex_scale(params.second_weight, second[i]));
        out[i] = complex_add(
            complex_multiply(coefficients[count + i], base[i]),
            complex_multiply(coefficients[2 * count + i], n),
        );
    }
}
