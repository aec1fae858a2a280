// (minimum, maximum, sum, number of non-finite values); the first three are over the finite values.
const LARGEST: f32 = 3.4028234e38;

fn empty_summary() -> vec4<f32> {
    return vec4<f32>(LARGEST, -LARGEST, 0.0, 0.0);
}

// By the exponent's bits: a compiler may assume that comparisons never meet a NaN.
fn summary_of(value: f32) -> vec4<f32> {
    if (bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u {
        return vec4<f32>(LARGEST, -LARGEST, 0.0, 1.0);
    }
    return vec4<f32>(value, value, value, 0.0);
}

fn join_summaries(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(min(a.x, b.x), max(a.y, b.y), a.z + b.z, a.w + b.w);
}
