//! Twin of burgers/flux.wgsl.

use crate::Complex;
use crate::cpu::shared::modes::{is_kept, signed_mode};

crate::layout::uniform! {
    pub struct Params {
        points: u32,
        lines: u32,
        /// Fundamental wavenumber 2π / length.
        wavenumber: f32,
        /// Coefficient of u u_x.
        flux: f32,
    }
}

/// The spectrum of -flux (u²/2)_x from that of u², cut by the 2/3 rule.
pub fn flux(params: &Params, square: &[Complex], nonlinear: &mut [Complex]) {
    for i in 0..(params.points * params.lines) as usize {
        let mode = signed_mode(i as u32 % params.points, params.points);
        nonlinear[i] = if is_kept(mode, params.points) {
            let half = 0.5 * params.flux * params.wavenumber * mode as f32;
            [half * square[i][1], -half * square[i][0]]
        } else {
            [0.0; 2]
        };
    }
}
