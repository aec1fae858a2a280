//! Twin of spectral/real_from_complex.wgsl.

use crate::Complex;

crate::layout::uniform! {
    pub struct Params { count: u32, }
}

pub fn real_from_complex(params: &Params, work: &[Complex], field: &mut [f32]) {
    for i in 0..params.count as usize {
        field[i] = work[i][0];
    }
}
