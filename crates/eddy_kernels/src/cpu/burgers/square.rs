//! Twin of burgers/square.wgsl.

use crate::Complex;

crate::layout::uniform! {
    pub struct Params { count: u32, }
}

pub fn square(params: &Params, work: &mut [Complex]) {
    for z in &mut work[..params.count as usize] {
        *z = [z[0] * z[0], 0.0];
    }
}
