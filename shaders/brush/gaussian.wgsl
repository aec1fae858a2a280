// Adds amplitude · exp(-r²/(2 radius²)) around a point; lengths in grid points.
struct Params {
    nx: u32,
    ny: u32,
    offset: u32,
    is_periodic: u32,
    x: f32,
    y: f32,
    radius: f32,
    amplitude: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> field: array<f32>;

fn distance_along(index: u32, centre: f32, points: u32) -> f32 {
    let d = abs(f32(index) - centre);
    return select(d, min(d, f32(points) - d), params.is_periodic != 0u);
}

@compute @workgroup_size(16, 16)
fn gaussian(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.nx || id.y >= params.ny {
        return;
    }
    let dx = distance_along(id.x, params.x, params.nx);
    let dy = distance_along(id.y, params.y, params.ny);
    let i = params.offset + id.y * params.nx + id.x;
    field[i] += params.amplitude * exp(-(dx * dx + dy * dy) / (2.0 * params.radius * params.radius));
}
