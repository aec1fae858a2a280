//! Twin of gray_scott/runge_kutta.wgsl.

use crate::cpu::shared::laplacian::{Stencil, laplacian};

crate::layout::uniform! {
    pub struct Params {
        stencil: Stencil,
        diffusivity_u: f32,
        diffusivity_v: f32,
        feed: f32,
        kill: f32,
        /// h b_i
        share: f32,
        /// h a_{i+1,i}
        ahead: f32,
        is_first: u32,
    }
}

/// One Runge-Kutta stage: sum (+)= share · f(state), next = start + ahead · f(state).
pub fn runge_kutta(params: &Params, start: &[f32], state: &[f32], sum: &mut [f32], next: &mut [f32]) {
    let s = &params.stencil;
    let points = (s.nx * s.ny) as usize;
    for y in 0..s.ny {
        for x in 0..s.nx {
            let i = (y * s.nx + x) as usize;
            let j = points + i;
            let (u, v) = (state[i], state[j]);
            let eaten = u * v * v;
            let u_t = params.diffusivity_u * laplacian(s, state, 0, x, y) - eaten + params.feed * (1.0 - u);
            let v_t = params.diffusivity_v * laplacian(s, state, points as u32, x, y) + eaten
                - (params.feed + params.kill) * v;
            for (at, slope) in [(i, u_t), (j, v_t)] {
                let before = if params.is_first != 0 { start[at] } else { sum[at] };
                sum[at] = before + params.share * slope;
                next[at] = start[at] + params.ahead * slope;
            }
        }
    }
}
