// -(u ω_x + v ω_y) on the grid, in place over the first half of `work`, which holds u + i v; the second half holds
// ω_x + i ω_y.
struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> work: array<vec2<f32>>;

@compute @workgroup_size(256)
fn advection(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.count {
        work[id.x] = vec2<f32>(-dot(work[id.x], work[params.count + id.x]), 0.0);
    }
}
