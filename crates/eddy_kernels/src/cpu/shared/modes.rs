//! Twin of shared/modes.wgsl.

/// The mode at `index` of FFT order 0, 1, …, -2, -1; an axis of one point has the mode 0 only.
pub fn signed_mode(index: u32, points: u32) -> i32 {
    if 2 * index < points { index as i32 } else { index as i32 - points as i32 }
}

/// The 2/3 rule: |m| < points / 3.
pub fn is_kept(mode: i32, points: u32) -> bool {
    3 * mode.unsigned_abs() < points
}
