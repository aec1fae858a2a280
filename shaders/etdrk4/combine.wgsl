// The last stage of ETDRK4 (Kassam and Trefethen 2005, eq. 29), in place:
// u = E u + f1 N(u) + 2 f2 (N(a) + N(b)) + f3 N(c).
// #import shared/complex
struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Six rows of `count`: E, E2, Q, f1, f2, f3.
@group(0) @binding(1) var<storage, read> coefficients: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> n_u: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> n_a: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> n_b: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> n_c: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> spectrum: array<vec2<f32>>;

@compute @workgroup_size(256)
fn combine(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let count = params.count;
    if i >= count {
        return;
    }
    spectrum[i] = complex_multiply(coefficients[i], spectrum[i])
        + complex_multiply(coefficients[3u * count + i], n_u[i])
        + 2.0 * complex_multiply(coefficients[4u * count + i], n_a[i] + n_b[i])
        + complex_multiply(coefficients[5u * count + i], n_c[i]);
}
