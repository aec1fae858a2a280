//! Twin of spectral/complex_from_real.wgsl.

use crate::Complex;

crate::layout::uniform! {
    pub struct Params { count: u32, }
}

pub fn complex_from_real(params: &Params, field: &[f32], work: &mut [Complex]) {
    for i in 0..params.count as usize {
        work[i] = [field[i], 0.0];
    }
}
