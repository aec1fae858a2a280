//! Twin of nets/line_residual.wgsl.

use crate::cpu::shared::jet::{Jet, jet_candidate, jet_candidate_backward};

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
        let b = envelopes[at + 1];
        let u = jet_candidate(envelopes[at], b, outputs[point]);
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
        adjoints[point] = jet_candidate_backward(b, s);
        squares[point] = r * r;
    }
}
