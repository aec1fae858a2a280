// Projects spectra onto those of real fields, in place: ŵ(k) = conj ŵ(-k). Rounding leaves that subspace, and outside it an
// unstable linear part (Kuramoto-Sivashinsky) would grow without the nonlinear term that holds it back.
// Optionally cuts by the 2/3 rule and removes the mean.
// #import shared/modes
struct Params {
    nx: u32,
    ny: u32,
    fields: u32,
    truncates: u32,
    removes_mean: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> spectrum: array<vec2<f32>>;

@compute @workgroup_size(256)
fn project(@builtin(global_invocation_id) id: vec3<u32>) {
    let modes = params.nx * params.ny;
    if id.x >= modes * params.fields {
        return;
    }
    let base = (id.x / modes) * modes;
    let mode = id.x % modes;
    let ix = mode % params.nx;
    let iy = mode / params.nx;
    let partner = ((params.ny - iy) % params.ny) * params.nx + (params.nx - ix) % params.nx;
    // The pair belongs to the thread with the smaller index.
    if partner < mode {
        return;
    }
    let cut = params.truncates != 0u
        && !(is_kept(signed_mode(ix, params.nx), params.nx) && is_kept(signed_mode(iy, params.ny), params.ny));
    var value = 0.5 * (spectrum[base + mode] + spectrum[base + partner] * vec2<f32>(1.0, -1.0));
    if cut || (params.removes_mean != 0u && mode == 0u) {
        value = vec2<f32>(0.0, 0.0);
    }
    spectrum[base + partner] = value * vec2<f32>(1.0, -1.0);
    spectrum[base + mode] = value;
}
