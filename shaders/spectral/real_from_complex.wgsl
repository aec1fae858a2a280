// The real parts after an inverse transform; the imaginary parts are rounding.
struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> work: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> field: array<f32>;

@compute @workgroup_size(256)
fn real_from_complex(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.count {
        field[id.x] = work[id.x].x;
    }
}
