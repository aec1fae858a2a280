// The first half of a Störmer-Verlet step of u_tt = c² ∇²u, arrays [u…, u_t…] with index y * nx + x:
// the velocity takes half a step, then the field a whole one. Points on a Dirichlet wall keep their value.
// #import shared/laplacian
// #import shared/wall
struct Params {
    stencil: Stencil,
    speed_squared: f32,
    dt: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(16, 16)
fn kick_drift(@builtin(global_invocation_id) id: vec3<u32>) {
    let s = params.stencil;
    if id.x >= s.nx || id.y >= s.ny {
        return;
    }
    let i = id.y * s.nx + id.x;
    let j = s.nx * s.ny + i;
    var velocity = state[j];
    var drift = 0.0;
    if !is_on_wall(s, id.x, id.y) {
        velocity += 0.5 * params.dt * params.speed_squared * laplacian(s, 0u, id.x, id.y);
        drift = params.dt * velocity;
    }
    next[i] = state[i] + drift;
    next[j] = velocity;
}
