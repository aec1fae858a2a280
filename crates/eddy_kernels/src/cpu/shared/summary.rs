//! Twin of shared/summary.wgsl.

/// (minimum, maximum, sum, number of non-finite values); the first three are over the finite values.
pub type Summary = [f32; 4];

pub const EMPTY: Summary = [f32::MAX, -f32::MAX, 0.0, 0.0];

pub fn summary_of(value: f32) -> Summary {
    if value.is_finite() { [value, value, value, 0.0] } else { [f32::MAX, -f32::MAX, 0.0, 1.0] }
}

pub fn join_summaries(a: Summary, b: Summary) -> Summary {
    [a[0].min(b[0]), a[1].max(b[1]), a[2] + b[2], a[3] + b[3]]
}

/// Halves `tile` again and again, as one workgroup does.
pub fn join_tile(tile: &mut [Summary; 256]) -> Summary {
    let mut half = 128;
    while half > 0 {
        for i in 0..half {
            tile[i] = join_summaries(tile[i], tile[i + half]);
        }
        half /= 2;
    }
    tile[0]
}
