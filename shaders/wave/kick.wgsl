// The second half of a Störmer-Verlet step of u_tt = c² ∇²u, in place: the velocity takes its other half a step with the
// force of the new field. Each invocation writes its own velocity only, which no other reads.
// #import shared/laplacian
// #import shared/wall
struct Params {
    stencil: Stencil,
    speed_squared: f32,
    dt: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> state: array<f32>;

@compute @workgroup_size(16, 16)
fn kick(@builtin(global_invocation_id) id: vec3<u32>) {
    let s = params.stencil;
    if id.x >= s.nx || id.y >= s.ny || is_on_wall(s, id.x, id.y) {
        return;
    }
    let j = s.nx * s.ny + id.y * s.nx + id.x;
    state[j] += 0.5 * params.dt * params.speed_squared * laplacian(s, 0u, id.x, id.y);
}
