//! Twin of navier_stokes/advection.wgsl.

use crate::Complex;

crate::layout::uniform! {
    pub struct Params { count: u32, }
}

/// -(u ω_x + v ω_y) over the first half of `work`.
pub fn advection(params: &Params, work: &mut [Complex]) {
    let (flow, slope) = work.split_at_mut(params.count as usize);
    for (f, s) in flow.iter_mut().zip(slope) {
        *f = [-(f[0] * s[0] + f[1] * s[1]), 0.0];
    }
}
