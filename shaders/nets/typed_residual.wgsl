// Residual of an equation of u = a + b N at the first points of a batch, the error of a condition at the others, and the
// adjoint of N's jet. Whoever has another equation puts its own function `residual` in the place of the one here, that of heat
// with the source x t.
// #import shared/jet
struct Params {
    points: u32,
    batches: u32,
    // Points of the equation.
    inside: u32,
    // Of the residual.
    scale: f32,
    // Of a squared residual in the loss, and of a squared error of a condition.
    weight: f32,
    side_weight: f32,
}

// What the equation leaves, and its derivatives with respect to the jet of u.
struct Residual {
    value: f32,
    slopes: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
// [0]: steps done.
@group(0) @binding(1) var<storage, read> state: array<u32>;
// Numbers of the equation.
@group(0) @binding(2) var<storage, read> uniforms: array<f32>;
// (x, t) of the points, [batch][point]
@group(0) @binding(3) var<storage, read> places: array<vec2<f32>>;
// Factors of u, u_x and u_xx, and what is added, [batch][point that is not inside]
@group(0) @binding(4) var<storage, read> conditions: array<vec4<f32>>;
// Jets of a and b, [batch][point][2]
@group(0) @binding(5) var<storage, read> envelopes: array<vec4<f32>>;
// Jets of N, [point]
@group(0) @binding(6) var<storage, read> outputs: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> adjoints: array<vec4<f32>>;
// Squared residuals and errors, [point]
@group(0) @binding(8) var<storage, read_write> squares: array<f32>;

fn residual(u: vec4<f32>, place: vec2<f32>) -> Residual {
    return Residual(u.y - uniforms[0] * u.w - place.x * place.y, vec4<f32>(0.0, 1.0, 0.0, -uniforms[0]));
}

@compute @workgroup_size(64)
fn typed_residual(@builtin(global_invocation_id) id: vec3<u32>) {
    let point = id.x;
    if point >= params.points {
        return;
    }
    let batch = state[0] % params.batches;
    let at = batch * params.points + point;
    let b = envelopes[2u * at + 1u];
    let u = jet_candidate(envelopes[2u * at], b, outputs[point]);
    var r: f32;
    var slopes: vec4<f32>;
    var weight = params.weight;
    if point < params.inside {
        let found = residual(u, places[at]);
        r = params.scale * found.value;
        slopes = params.scale * found.slopes;
    } else {
        let c = conditions[batch * (params.points - params.inside) + point - params.inside];
        r = dot(c.xyz, u.xzw) + c.w;
        slopes = vec4<f32>(c.x, 0.0, c.y, c.z);
        weight = params.side_weight;
    }
    adjoints[point] = jet_candidate_backward(b, (2.0 * weight * r) * slopes);
    squares[point] = r * r;
}
