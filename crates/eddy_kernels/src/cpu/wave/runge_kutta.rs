//! Twin of wave/runge_kutta.wgsl.

use crate::cpu::shared::laplacian::{Stencil, laplacian};
use crate::cpu::shared::wall::is_on_wall;

crate::layout::uniform! {
    pub struct Params {
        stencil: Stencil,
        speed_squared: f32,
        damping: f32,
        /// h b_i
        share: f32,
        /// h a_{i+1,i}
        ahead: f32,
        is_first: u32,
    }
}

/// One Runge-Kutta stage of the pair (u, u_t): sum (+)= share · f(state), next = start + ahead · f(state).
pub fn runge_kutta(params: &Params, start: &[f32], state: &[f32], sum: &mut [f32], next: &mut [f32]) {
    let s = &params.stencil;
    let points = (s.nx * s.ny) as usize;
    for y in 0..s.ny {
        for x in 0..s.nx {
            let i = (y * s.nx + x) as usize;
            let j = points + i;
            let mut u_t = state[j];
            let mut v_t = params.speed_squared * laplacian(s, state, 0, x, y) - params.damping * u_t;
            if is_on_wall(s, x, y) {
                (u_t, v_t) = (0.0, 0.0);
            }
            for (at, slope) in [(i, u_t), (j, v_t)] {
                let before = if params.is_first != 0 { start[at] } else { sum[at] };
                sum[at] = before + params.share * slope;
                next[at] = start[at] + params.ahead * slope;
            }
        }
    }
}
