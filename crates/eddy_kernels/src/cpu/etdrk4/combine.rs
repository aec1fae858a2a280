//! Twin of etdrk4/combine.wgsl.

use crate::Complex;
use crate::cpu::shared::complex::{complex_add, complex_multiply, complex_scale};

crate::layout::uniform! {
    pub struct Params { count: u32, }
}

/// u = E u + f1 N(u) + 2 f2 (N(a) + N(b)) + f3 N(c), in place, with `coefficients` the six rows E, E2, Q, f1, f2, f3.
pub fn combine(
    params: &Params,
    coefficients: &[Complex],
    n_u: &[Complex],
    n_a: &[Complex],
    n_b: &[Complex],
    n_c: &[Complex],
    spectrum: &mut [Complex],
) {
    let count = params.count as usize;
    let row = |r: usize, i: usize| coefficients[r * count + i];
    for i in 0..count {
        let linear = complex_multiply(row(0, i), spectrum[i]);
        let middle = complex_multiply(row(4, i), complex_add(n_a[i], n_b[i]));
        let sum = complex_add(linear, complex_multiply(row(3, i), n_u[i]));
        let sum = complex_add(sum, complex_scale(2.0, middle));
        spectrum[i] = complex_add(sum, complex_multiply(row(5, i), n_c[i]));
    }
}
