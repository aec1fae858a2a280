//! Helpers of the tests in this crate.

/// A small congruential generator: test data only, never a run.
pub struct Lcg(u64);

impl Lcg {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    /// Uniform in [-1, 1).
    pub fn symmetric(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

pub fn max_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, |m, d| if d.is_nan() { f64::NAN } else { f64::max(m, d) })
}

/// Observed order from errors at step lengths that halve: the smallest and largest slope between neighbours.
pub fn observed_order(errors: &[f64]) -> (f64, f64) {
    let slopes: Vec<f64> = errors.windows(2).map(|w| (w[0] / w[1]).log2()).collect();
    (slopes.iter().copied().fold(f64::INFINITY, f64::min), slopes.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}
