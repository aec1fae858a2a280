// The exact step of a linear equation with diagonal symbol: u = E u, in place.
// #import shared/complex
struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Six rows of `count`, of which only E, the first, is read.
@group(0) @binding(1) var<storage, read> coefficients: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> spectrum: array<vec2<f32>>;

@compute @workgroup_size(256)
fn decay(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.count {
        spectrum[id.x] = complex_multiply(coefficients[id.x], spectrum[id.x]);
    }
}
