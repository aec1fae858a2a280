//! Twin of navier_stokes/velocity.wgsl.

use crate::Complex;
use crate::cpu::shared::complex::complex_multiply;
use crate::cpu::shared::modes::{is_kept, signed_mode};

crate::layout::uniform! {
    pub struct Params {
        nx: u32,
        ny: u32,
        /// Fundamental wavenumbers 2π / length.
        wavenumber_x: f32,
        wavenumber_y: f32,
    }
}

/// û + i v̂ in the first half of `work`, (ω_x)^ + i (ω_y)^ in the second.
pub fn velocity(params: &Params, vorticity: &[Complex], work: &mut [Complex]) {
    let modes = (params.nx * params.ny) as usize;
    for i in 0..modes {
        let mx = signed_mode(i as u32 % params.nx, params.nx);
        let my = signed_mode(i as u32 / params.nx, params.ny);
        let (mut flow, mut slope) = ([0.0; 2], [0.0; 2]);
        if i != 0 && is_kept(mx, params.nx) && is_kept(my, params.ny) {
            let kx = params.wavenumber_x * mx as f32;
            let ky = params.wavenumber_y * my as f32;
            let w = vorticity[i];
            let k2 = kx * kx + ky * ky;
            flow = complex_multiply([w[0] / k2, w[1] / k2], [kx, ky]);
            slope = complex_multiply(w, [-ky, kx]);
        }
        work[i] = flow;
        work[modes + i] = slope;
    }
}
