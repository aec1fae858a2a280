// A field as colours over the whole target: values [low, high] onto 256 packed RGBA colours. Non-finite values are clear.
struct Params {
    nx: u32,
    ny: u32,
    offset: u32,
    // 1: row 0 at the bottom, as in a plot.
    is_flipped: u32,
    // 1: bilinear between points, with edges held.
    is_smooth: u32,
    low: f32,
    high: f32,
    width: f32,
    height: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> field: array<f32>;
@group(0) @binding(2) var<storage, read> colours: array<u32>;

@vertex
fn colormap_vertex(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // One triangle that covers the target: (-1, -1), (3, -1), (-1, 3).
    return vec4<f32>(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

fn value_at(x: i32, y: i32) -> f32 {
    let ix = u32(clamp(x, 0, i32(params.nx) - 1));
    let iy = u32(clamp(y, 0, i32(params.ny) - 1));
    return field[params.offset + iy * params.nx + ix];
}

@fragment
fn colormap_fragment(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    var uv = position.xy / vec2<f32>(params.width, params.height);
    if params.is_flipped != 0u {
        uv.y = 1.0 - uv.y;
    }
    let at = uv * vec2<f32>(f32(params.nx), f32(params.ny));
    var value: f32;
    if params.is_smooth != 0u {
        let corner = floor(at - 0.5);
        let t = at - 0.5 - corner;
        let x = i32(corner.x);
        let y = i32(corner.y);
        let lower = mix(value_at(x, y), value_at(x + 1, y), t.x);
        let upper = mix(value_at(x, y + 1), value_at(x + 1, y + 1), t.x);
        value = mix(lower, upper, t.y);
    } else {
        value = value_at(i32(floor(at.x)), i32(floor(at.y)));
    }
    if (bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u {
        return vec4<f32>(0.0, 0.0, 0.0, 0.0);
    }
    let t = clamp((value - params.low) / (params.high - params.low), 0.0, 1.0);
    return unpack4x8unorm(colours[u32(floor(t * 255.0 + 0.5))]);
}
