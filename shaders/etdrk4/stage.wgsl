// A stage of ETDRK4 for a diagonal linear part (Kassam and Trefethen 2005, eqs. 26-28):
// out = E2 base + Q (first_weight N_first + second_weight N_second).
// #import shared/complex
struct Params {
    count: u32,
    first_weight: f32,
    second_weight: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Six rows of `count`: E, E2, Q, f1, f2, f3.
@group(0) @binding(1) var<storage, read> coefficients: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> base: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> first: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> second: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> out: array<vec2<f32>>;

@compute @workgroup_size(256)
fn stage(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= params.count {
        return;
    }
    let n = params.first_weight * first[i] + params.second_weight * second[i];
    out[i] = complex_multiply(coefficients[params.count + i], base[i])
        + complex_multiply(coefficients[2u * params.count + i], n);
}
