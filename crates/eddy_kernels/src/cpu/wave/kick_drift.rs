//! Twin of wave/kick_drift.wgsl.

use crate::cpu::shared::laplacian::{Stencil, laplacian};
use crate::cpu::shared::wall::is_on_wall;

crate::layout::uniform! {
    pub struct Params {
        stencil: Stencil,
        speed_squared: f32,
        dt: f32,
    }
}

/// First half of a Störmer-Verlet step of the pair (u, u_t): half a step of the velocity, a whole one of the field.
pub fn kick_drift(params: &Params, state: &[f32], next: &mut [f32]) {
    let s = &params.stencil;
    let points = (s.nx * s.ny) as usize;
    for y in 0..s.ny {
        for x in 0..s.nx {
            let i = (y * s.nx + x) as usize;
            let (mut velocity, mut drift) = (state[points + i], 0.0);
            if !is_on_wall(s, x, y) {
                velocity += 0.5 * params.dt * params.speed_squared * laplacian(s, state, 0, x, y);
                drift = params.dt * velocity;
            }
            next[i] = state[i] + drift;
            next[points + i] = velocity;
        }
    }
}
