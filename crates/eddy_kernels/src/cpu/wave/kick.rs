//! Twin of wave/kick.wgsl.

use crate::cpu::shared::laplacian::{Stencil, laplacian};
use crate::cpu::shared::wall::is_on_wall;

crate::layout::uniform! {
    pub struct Params {
        stencil: Stencil,
        speed_squared: f32,
        dt: f32,
    }
}

/// Second half of a Störmer-Verlet step, in place: half a step of the velocity with the force of the new field.
pub fn kick(params: &Params, state: &mut [f32]) {
    let s = &params.stencil;
    let points = (s.nx * s.ny) as usize;
    for y in 0..s.ny {
        for x in 0..s.nx {
            if !is_on_wall(s, x, y) {
                let force = params.speed_squared * laplacian(s, state, 0, x, y);
                state[points + (y * s.nx + x) as usize] += 0.5 * params.dt * force;
            }
        }
    }
}
