// A stage of an explicit Runge-Kutta method, each of whose stages needs the one before only, for Gray-Scott, arrays
// [u…, v…] with index y * nx + x: sum (+)= share · f(state), next = start + ahead · f(state), with share = h b_i and
// ahead = h a_{i+1,i}.
// #import shared/laplacian
struct Params {
    stencil: Stencil,
    diffusivity_u: f32,
    diffusivity_v: f32,
    feed: f32,
    kill: f32,
    share: f32,
    ahead: f32,
    // 1 in the first stage, where the sum starts from `start`.
    is_first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> start: array<f32>;
@group(0) @binding(2) var<storage, read> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum: array<f32>;
@group(0) @binding(4) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(16, 16)
fn runge_kutta(@builtin(global_invocation_id) id: vec3<u32>) {
    let s = params.stencil;
    if id.x >= s.nx || id.y >= s.ny {
        return;
    }
    let points = s.nx * s.ny;
    let i = id.y * s.nx + id.x;
    let j = points + i;
    let u = state[i];
    let v = state[j];
    let eaten = u * v * v;
    let u_t = params.diffusivity_u * laplacian(s, 0u, id.x, id.y) - eaten + params.feed * (1.0 - u);
    let v_t = params.diffusivity_v * laplacian(s, points, id.x, id.y) + eaten - (params.feed + params.kill) * v;
    let first = params.is_first != 0u;
    sum[i] = select(sum[i], start[i], first) + params.share * u_t;
    sum[j] = select(sum[j], start[j], first) + params.share * v_t;
    next[i] = start[i] + params.ahead * u_t;
    next[j] = start[j] + params.ahead * v_t;
}
