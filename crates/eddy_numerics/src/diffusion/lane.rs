//! Number formats of the sampler kernels and their vector exponential.

use crate::Real;

/// Particles per block. Eight f32 are two registers of SSE2 or simd128 and one of AVX; loops over a block compile to
/// vector instructions without intrinsics.
pub const LANES: usize = 8;
/// A value for each particle of a block.
pub(super) type Lanes<T> = [T; LANES];

/// f32 or f64 with a vector exponential.
pub trait Lane: Real {
    const ZERO: Self;
    const ONE: Self;
    /// A sum of products of two `exp_lanes`, of which none is above 1, is exact to rounding from here on: what the clamp
    /// of its terms may add lies far below.
    const FAINTEST: Self;
    /// e^x in every lane; x is first clamped to the range of normal numbers (f32: [-87, 88], f64: [-708, 709]).
    /// Relative error at most 2 units in the last place. NaN gives NaN.
    fn exp_lanes(x: [Self; LANES]) -> [Self; LANES];
}

/// e^x by the reduction x = n ln 2 + r, |r| ≤ ln 2 / 2, a Taylor polynomial of e^r, and n added to the exponent bits.
/// Adding 1.5 · 2^(mantissa bits) leaves the rounded n in the low bits of the sum, so that no conversion instruction is
/// needed (SSE2 and simd128 have none for 64-bit integers). Taylor remainder at |r| = 0.3466: 5e-9 for f32 (degree 7),
/// 4e-18 for f64 (degree 13).
macro_rules! vector_exp {
    ($float:ty, $low:expr, $high:expr, $magic:expr, $ln2_high:expr, $ln2_low:expr, $bias:expr, $mantissa:expr, [$($c:expr),+]) => {
        #[inline(always)]
        fn exp_lanes(x: [Self; LANES]) -> [Self; LANES] {
            let mut out = [0.0; LANES];
            for l in 0..LANES {
                // Written so that NaN falls through both comparisons.
                let v = if x[l] < $low { $low } else { x[l] };
                let v = if v > $high { $high } else { v };
                let shifted = v * std::f64::consts::LOG2_E as $float + $magic;
                let n = shifted - $magic;
                let r = (v - n * $ln2_high) - n * $ln2_low;
                let mut p: $float = 0.0;
                $( p = p * r + $c as $float; )+
                let bits = (shifted.to_bits().wrapping_add($bias)) << $mantissa;
                out[l] = p * <$float>::from_bits(bits);
            }
            out
        }
    };
}

impl Lane for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const FAINTEST: Self = 1e-24;
    vector_exp!(
        f32,
        -87.0,
        88.0,
        12_582_912.0,
        0.693_359_4,
        -2.121_944_4e-4,
        127,
        23,
        [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]
    );
}

impl Lane for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const FAINTEST: Self = 1e-280;
    vector_exp!(
        f64,
        -708.0,
        709.0,
        6_755_399_441_055_744.0,
        0.693_147_180_369_123_8,
        1.908_214_929_270_587_7e-10,
        1023,
        52,
        [
            1.0 / 6_227_020_800.0,
            1.0 / 479_001_600.0,
            1.0 / 39_916_800.0,
            1.0 / 3_628_800.0,
            1.0 / 362_880.0,
            1.0 / 40_320.0,
            1.0 / 5040.0,
            1.0 / 720.0,
            1.0 / 120.0,
            1.0 / 24.0,
            1.0 / 6.0,
            0.5,
            1.0,
            1.0
        ]
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest relative error in units of `ulp` over [low, high].
    fn worst<T: Lane>(low: f64, high: f64, ulp: f64) -> f64 {
        let n = 200_000;
        let mut worst = 0.0_f64;
        for i in 0..n {
            let x = T::of(low + (high - low) * i as f64 / n as f64);
            let got = T::exp_lanes([x; LANES])[3].to_f64();
            worst = worst.max((got / x.to_f64().exp() - 1.0).abs() / ulp);
        }
        worst
    }

    #[test]
    fn exponential_error() {
        let (single, double) = (f64::from(f32::EPSILON), f64::EPSILON);
        assert!(worst::<f32>(-86.9, 87.9, single) < 2.0, "{}", worst::<f32>(-86.9, 87.9, single));
        assert!(worst::<f64>(-707.0, 708.0, double) < 2.0, "{}", worst::<f64>(-707.0, 708.0, double));
        // The measure sees f32 arithmetic posing as f64.
        assert!(worst::<f32>(-5.0, 5.0, double) > 1e6);
    }

    #[test]
    fn exponential_at_the_ends() {
        assert_eq!(f32::exp_lanes([0.0; LANES]), [1.0; LANES]);
        assert_eq!(f64::exp_lanes([0.0; LANES]), [1.0; LANES]);
        assert!(f32::exp_lanes([f32::NEG_INFINITY; LANES])[0] < 2e-38);
        assert!(f64::exp_lanes([f64::INFINITY; LANES])[0].is_finite());
        assert!(f32::exp_lanes([f32::NAN; LANES])[0].is_nan() && f64::exp_lanes([f64::NAN; LANES])[0].is_nan());
    }
}
