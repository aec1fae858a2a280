// Sums the gradients of the workgroups and takes a step of Adam (Kingma and Ba 2015, algorithm 1).
struct Params {
    count: u32,
    groups: u32,
    steps: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [0]: steps done.
@group(0) @binding(1) var<storage, read> state: array<u32>;
// Of each step: rate / (1 - beta1^step) and 1 / (1 - beta2^step).
@group(0) @binding(2) var<storage, read> rates: array<vec2<f32>>;
// [group][parameter]
@group(0) @binding(3) var<storage, read> partials: array<f32>;
@group(0) @binding(4) var<storage, read_write> parameters: array<f32>;
// First and second moment, [parameter]
@group(0) @binding(5) var<storage, read_write> moments: array<vec2<f32>>;

@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= params.count {
        return;
    }
    var g = 0.0;
    for (var group = 0u; group < params.groups; group++) {
        g += partials[group * params.count + i];
    }
    let rate = rates[min(state[0], params.steps - 1u)];
    let m = params.beta1 * moments[i].x + (1.0 - params.beta1) * g;
    let v = params.beta2 * moments[i].y + (1.0 - params.beta2) * g * g;
    moments[i] = vec2<f32>(m, v);
    parameters[i] -= rate.x * m / (sqrt(v * rate.y) + params.epsilon);
}
