// u² of the real parts, in place.
struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> work: array<vec2<f32>>;

@compute @workgroup_size(256)
fn square(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.count {
        let u = work[id.x].x;
        work[id.x] = vec2<f32>(u * u, 0.0);
    }
}
