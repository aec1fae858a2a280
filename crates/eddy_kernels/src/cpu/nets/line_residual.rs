//! Twin of nets/line_residual.wgsl.

use crate::cpu::shared::jet::{Jet, jet_dot};

crate::layout::uniform! {
    pub struct Params {
        points: u32,
        batches: u32,
        advection: f32,
        diffusion: f32,
        reaction: f32,
        weight: f32,
    }
}

/// Residual r = u_t + advection u u_x − diffusion u_xx + reaction (u³ − u) at u = a + b N; `squares` = r² and `adjoints` the
/// derivative of weight · r² with respect to the jet of N. `envelopes` holds the jets of a and b, [batch][point][2].
pub fn line_residual(
    params: &Params,
    state: &[u32],
    envelopes: &[Jet],
    outputs: &[Jet],
    adjoints: &mut [Jet],
    squares: &mut [f32],
) {
    let points = params.points as usize;
    let batch = (state[0] % params.batches) as usize;
    for point in 0..points {
        let at = 2 * (batch * points + point);
        let (a, b, n) = (envelopes[at], envelopes[at + 1], outputs[point]);
        let u = [
            a[0] + b[0] * n[0],
            a[1] + b[1] * n[0] + b[0] * n[1],
            a[2] + b[2] * n[0] + b[0] * n[2],
            a[3] + b[3] * n[0] + 2.0 * b[2] * n[2] + b[0] * n[3],
        ];
        let r = u[1] + params.advection * u[0] * u[2] - params.diffusion * u[3]
            + params.reaction * (u[0] * u[0] * u[0] - u[0]);
        let factor = 2.0 * params.weight * r;
        let s = [
            params.advection * u[2] + params.reaction * (3.0 * u[0] * u[0] - 1.0),
            1.0,
            params.advection * u[0],
            -params.diffusion,
        ]
        .map(|s| factor * s);
        adjoints[point] = [jet_dot(b, s), b[0] * s[1], b[0] * s[2] + 2.0 * b[2] * s[3], b[0] * s[3]];
        squares[point] = r * r;
    }
}
