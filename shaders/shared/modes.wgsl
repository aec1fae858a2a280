// Fourier modes in FFT order: 0, 1, …, -2, -1. An axis of one point has the mode 0 only.
fn signed_mode(index: u32, points: u32) -> i32 {
    return select(i32(index) - i32(points), i32(index), 2u * index < points);
}

// The 2/3 rule: |m| < points / 3.
fn is_kept(mode: i32, points: u32) -> bool {
    return 3u * u32(abs(mode)) < points;
}
