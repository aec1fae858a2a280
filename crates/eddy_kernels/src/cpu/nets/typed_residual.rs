//! Twin of nets/typed_residual.wgsl.

use crate::cpu::shared::jet::{Jet, jet_candidate, jet_candidate_backward};

crate::layout::uniform! {
    pub struct Params {
        points: u32,
        batches: u32,
        inside: u32,
        scale: f32,
        weight: f32,
        side_weight: f32,
    }
}

/// What an equation leaves, and its derivatives with respect to the jet of u.
pub struct Residual {
    pub value: f32,
    pub slopes: Jet,
}

/// Of heat with a source: r = u_t − uniforms₀ u_xx − x t. In the shader other equations take its place.
fn residual(uniforms: &[f32], u: Jet, [x, t]: [f32; 2]) -> Residual {
    Residual { value: u[1] - uniforms[0] * u[3] - x * t, slopes: [0.0, 1.0, 0.0, -uniforms[0]] }
}

/// At the points inside, r = scale times the residual of an equation at u = a + b N; at the others, r = c₀ u + c₁ u_x + c₂ u_xx +
/// c₃. `squares` = r² and `adjoints` the derivative of weight · r² with respect to the jet of N. `envelopes` holds the jets of a
/// and b, [batch][point][2], `places` what an equation may read besides, (x, t), [batch][point], `conditions` c,
/// [batch][point that is not inside].
#[allow(clippy::too_many_arguments, reason = "one per binding")]
pub fn typed_residual(
    params: &Params,
    state: &[u32],
    uniforms: &[f32],
    places: &[[f32; 2]],
    conditions: &[[f32; 4]],
    envelopes: &[Jet],
    outputs: &[Jet],
    adjoints: &mut [Jet],
    squares: &mut [f32],
) {
    let (points, inside) = (params.points as usize, params.inside as usize);
    let batch = (state[0] % params.batches) as usize;
    for point in 0..points {
        let at = batch * points + point;
        let b = envelopes[2 * at + 1];
        let u = jet_candidate(envelopes[2 * at], b, outputs[point]);
        let (r, slopes, weight) = if point < inside {
            let found = residual(uniforms, u, places[at]);
            (params.scale * found.value, found.slopes.map(|s| params.scale * s), params.weight)
        } else {
            let c = conditions[batch * (points - inside) + point - inside];
            (c[0] * u[0] + c[1] * u[2] + c[2] * u[3] + c[3], [c[0], 0.0, c[1], c[2]], params.side_weight)
        };
        let factor = 2.0 * weight * r;
        adjoints[point] = jet_candidate_backward(b, slopes.map(|s| factor * s));
        squares[point] = r * r;
    }
}
