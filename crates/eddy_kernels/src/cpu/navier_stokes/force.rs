//! Twin of navier_stokes/force.wgsl.

use crate::Complex;
use crate::cpu::shared::modes::{is_kept, signed_mode};

crate::layout::uniform! {
    pub struct Params {
        nx: u32,
        ny: u32,
        /// Mode number in y of the force; it acts only if the 2/3 rule keeps it.
        forced_mode: u32,
        /// Coefficient at (0, ±forced_mode): -½ amplitude k nx ny.
        forcing: f32,
    }
}

pub fn force(params: &Params, work: &[Complex], nonlinear: &mut [Complex]) {
    for i in 0..(params.nx * params.ny) as usize {
        let mx = signed_mode(i as u32 % params.nx, params.nx);
        let my = signed_mode(i as u32 / params.nx, params.ny);
        nonlinear[i] = [0.0; 2];
        if i != 0 && is_kept(mx, params.nx) && is_kept(my, params.ny) {
            nonlinear[i] = work[i];
            if mx == 0 && my.unsigned_abs() == params.forced_mode {
                nonlinear[i][0] += params.forcing;
            }
        }
    }
}
