// Velocity and vorticity gradient of a vorticity spectrum, two real fields in each complex one:
// work[0, modes) = û + i v̂ = ψ̂ (kx + i ky) and work[modes, 2 modes) = (ω_x)^ + i (ω_y)^ = ω̂ (-ky + i kx),
// with u = ψ_y, v = -ψ_x, ∇²ψ = -ω.
// #import shared/complex
// #import shared/modes
struct Params {
    nx: u32,
    ny: u32,
    wavenumber_x: f32,
    wavenumber_y: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vorticity: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> work: array<vec2<f32>>;

@compute @workgroup_size(256)
fn velocity(@builtin(global_invocation_id) id: vec3<u32>) {
    let modes = params.nx * params.ny;
    let i = id.x;
    if i >= modes {
        return;
    }
    let mx = signed_mode(i % params.nx, params.nx);
    let my = signed_mode(i / params.nx, params.ny);
    var flow = vec2<f32>(0.0, 0.0);
    var slope = vec2<f32>(0.0, 0.0);
    if i != 0u && is_kept(mx, params.nx) && is_kept(my, params.ny) {
        let kx = params.wavenumber_x * f32(mx);
        let ky = params.wavenumber_y * f32(my);
        let w = vorticity[i];
        let psi = w / (kx * kx + ky * ky);
        flow = complex_multiply(psi, vec2<f32>(kx, ky));
        slope = complex_multiply(w, vec2<f32>(-ky, kx));
    }
    work[i] = flow;
    work[modes + i] = slope;
}
