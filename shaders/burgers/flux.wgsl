// The spectrum of -flux (u²/2)_x from that of u², cut by the 2/3 rule.
// #import shared/modes
struct Params {
    points: u32,
    lines: u32,
    wavenumber: f32,
    flux: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> square: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> nonlinear: array<vec2<f32>>;

@compute @workgroup_size(256)
fn flux(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.points * params.lines {
        return;
    }
    let mode = signed_mode(id.x % params.points, params.points);
    var value = vec2<f32>(0.0, 0.0);
    if is_kept(mode, params.points) {
        let half = 0.5 * params.flux * params.wavenumber * f32(mode);
        let z = square[id.x];
        // -i k/2 (a + i b) = k/2 b - i k/2 a
        value = vec2<f32>(half * z.y, -half * z.x);
    }
    nonlinear[id.x] = value;
}
