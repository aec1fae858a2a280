// Residual of u_t + advection u u_x - diffusion u_xx + reaction (u^3 - u) for u = a + b N, and the adjoint of N's jet.
// #import shared/jet
struct Params {
    points: u32,
    batches: u32,
    advection: f32,
    diffusion: f32,
    reaction: f32,
    // Of the squared residual in the loss: 1 / points.
    weight: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [0]: steps done.
@group(0) @binding(1) var<storage, read> state: array<u32>;
// Jets of a and b, [batch][point][2]
@group(0) @binding(2) var<storage, read> envelopes: array<vec4<f32>>;
// Jets of N, [point]
@group(0) @binding(3) var<storage, read> outputs: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> adjoints: array<vec4<f32>>;
// Squared residuals, [point]
@group(0) @binding(5) var<storage, read_write> squares: array<f32>;

@compute @workgroup_size(64)
fn line_residual(@builtin(global_invocation_id) id: vec3<u32>) {
    let point = id.x;
    if point >= params.points {
        return;
    }
    let at = 2u * ((state[0] % params.batches) * params.points + point);
    let b = envelopes[at + 1u];
    let u = jet_candidate(envelopes[at], b, outputs[point]);
    let r = u.y + params.advection * u.x * u.z - params.diffusion * u.w + params.reaction * (u.x * u.x * u.x - u.x);
    let factor = 2.0 * params.weight * r;
    let s = factor * vec4<f32>(
        params.advection * u.z + params.reaction * (3.0 * u.x * u.x - 1.0),
        1.0,
        params.advection * u.x,
        -params.diffusion,
    );
    adjoints[point] = jet_candidate_backward(b, s);
    squares[point] = r * r;
}
