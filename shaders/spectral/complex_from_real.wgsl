// Real fields as complex numbers without imaginary part, ready for a transform.
struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> field: array<f32>;
@group(0) @binding(2) var<storage, read_write> work: array<vec2<f32>>;

@compute @workgroup_size(256)
fn complex_from_real(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.count {
        work[id.x] = vec2<f32>(field[id.x], 0.0);
    }
}
