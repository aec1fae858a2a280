//! Twin of etdrk4/decay.wgsl.

use crate::Complex;
use crate::cpu::shared::complex::complex_multiply;

crate::layout::uniform! {
    pub struct Params { count: u32, }
}

/// u = E u, in place.
pub fn decay(params: &Params, coefficients: &[Complex], spectrum: &mut [Complex]) {
    for i in 0..params.count as usize {
        spectrum[i] = complex_multiply(coefficients[i], spectrum[i]);
    }
}
