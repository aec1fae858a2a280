// The nonlinear term of the vorticity equation from the spectrum of the advection: cut by the 2/3 rule, without mean, plus
// the curl of a steady force sin(k y) along x, of which `forcing` is the coefficient at ±forced_mode.
// #import shared/modes
struct Params {
    nx: u32,
    ny: u32,
    forced_mode: u32,
    forcing: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> work: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> nonlinear: array<vec2<f32>>;

@compute @workgroup_size(256)
fn force(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= params.nx * params.ny {
        return;
    }
    let mx = signed_mode(i % params.nx, params.nx);
    let my = signed_mode(i / params.nx, params.ny);
    var value = vec2<f32>(0.0, 0.0);
    if i != 0u && is_kept(mx, params.nx) && is_kept(my, params.ny) {
        value = work[i];
        if mx == 0 && u32(abs(my)) == params.forced_mode {
            value.x += params.forcing;
        }
    }
    nonlinear[i] = value;
}
