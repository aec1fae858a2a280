//! The two number formats, and where a kernel is compiled for each instruction set.

use std::{
    fmt::{Debug, Display},
    ops::{Add, AddAssign, Div, Mul, Neg, Sub},
};

use crate::lanes::Lanes;

/// f32 or f64, with the constants that the vector functions need.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + Debug
    + Display
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    const ZERO: Self;
    const ONE: Self;
    /// 1.5 · 2^p with p stored mantissa bits: adding it rounds to the nearest integer, which then stands in the low bits.
    const ROUND: Self;
    /// [`ROUND`](Self::ROUND) plus the bias of the exponent: the low bits, moved up by p, are a power of two.
    const ROUND_BIASED: Self;
    /// ln 2 as a part with trailing zero bits, so that its product with a small integer is exact, and the rest.
    const LN_2: [Self; 2];
    /// π likewise, in three parts.
    const PI: [Self; 3];
    /// Beyond this tanh is 1 to the last bit.
    const TANH_ONE: f64;
    /// 1/k!, k from the highest power down to 2: e^r − 1 − r = r²·Σ, |r| ≤ ln2/2.
    const EXP_TERMS: &'static [f64];
    /// Taylor terms of sin r: ±1/(2k+1)!, highest first, down to −1/3!; |r| ≤ π/2.
    const SIN_TERMS: &'static [f64];
    /// Taylor terms of cos r: ±1/(2k)!, highest first, down to −1/2!; |r| ≤ π/2.
    const COS_TERMS: &'static [f64];

    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
    fn sqrt(self) -> Self;
    fn is_finite(self) -> bool;
    fn erf(self) -> Self;
    fn exp(self) -> Self;
    fn abs(self) -> Self;
    fn copysign(self, sign: Self) -> Self;
    /// The bit pattern moved up by the stored mantissa bits: makes 2^k of k + [`ROUND_BIASED`](Self::ROUND_BIASED).
    fn low_bits_as_exponent(self) -> Self;
    /// `self` with its sign flipped if the lowest bit of `round` is set.
    fn flip_if_odd(self, round: Self) -> Self;
    /// Runs `kernel` compiled for `level`.
    fn run<K: Kernel<Self>>(level: Level, kernel: K);
    /// The same for kernels that take whole vectors of rows of `n` numbers: those of [`Level::Wide512`] need not divide every
    /// row, and are used where they do.
    fn run_on_rows<K: Kernel<Self>>(level: Level, n: usize, kernel: K);
}

/// A piece of work written once over the vector type; [`Real::run`] compiles it per instruction set. Implementations
/// mark `run` and all it calls `#[inline(always)]`, or the wide instructions become calls.
pub trait Kernel<T: Real> {
    fn run<V: Lanes<T>>(self);
}

/// Instruction sets, in rising order of speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain arithmetic on arrays; everywhere, and the reference of the others. In WASM with simd128 the same as [`Wide128`](Self::Wide128).
    Portable,
    /// 128-bit registers: SSE2 or WASM simd128, known at compile time.
    Wide128,
    /// The same with the matrix products in fused multiply-adds; where [`fused::install`](crate::fused::install) put them.
    Fused,
    /// 256-bit registers with fused multiply-add: AVX2 and FMA, asked for at run time.
    Wide256,
    /// The same with the matrix products in 512-bit registers: AVX-512 F and DQ. The rest is a tenth of the time.
    Wide512,
}

impl Level {
    /// The fastest level of this machine.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            let has_512 =
                std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512dq");
            return if has_512 { Self::Wide512 } else { Self::Wide256 };
        }
        if crate::fused::is_installed() {
            return Self::Fused;
        }
        if cfg!(any(target_arch = "x86_64", target_feature = "simd128")) { Self::Wide128 } else { Self::Portable }
    }
    /// The levels that this machine can run.
    pub fn available() -> Vec<Self> {
        let exists = |level: &Self| *level <= Self::best() && (*level != Self::Fused || crate::fused::is_installed());
        [Self::Portable, Self::Wide128, Self::Fused, Self::Wide256, Self::Wide512].into_iter().filter(exists).collect()
    }
}

macro_rules! real {
    ($t:ident, $bits:ident, $mantissa:literal, $bias:literal, $erf:path, $sse:ident, $avx:ident, $avx512:ident, $wasm:ident, {$($constants:tt)*}) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const ROUND: Self = (3u64 << ($mantissa - 1)) as $t;
            const ROUND_BIASED: Self = ((3u64 << ($mantissa - 1)) + $bias) as $t;
            $($constants)*

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                self.is_finite()
            }
            fn erf(self) -> Self {
                $erf(self)
            }
            fn exp(self) -> Self {
                self.exp()
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                self.copysign(sign)
            }
            #[inline(always)]
            fn low_bits_as_exponent(self) -> Self {
                Self::from_bits(self.to_bits() << $mantissa)
            }
            #[inline(always)]
            fn flip_if_odd(self, round: Self) -> Self {
                Self::from_bits(self.to_bits() ^ (round.to_bits() << ($bits::BITS - 1)))
            }
            fn run<K: Kernel<Self>>(level: Level, kernel: K) {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    Level::Wide256 | Level::Wide512 if Level::best() >= Level::Wide256 => {
                        #[target_feature(enable = "avx2,fma")]
                        fn wide<K: Kernel<$t>>(kernel: K) {
                            kernel.run::<crate::lanes::x86::$avx>();
                        }
                        // SAFETY: the guard has asked the processor.
                        unsafe { wide(kernel) }
                    }
                    #[cfg(target_arch = "x86_64")]
                    Level::Wide128 | Level::Fused | Level::Wide256 | Level::Wide512 => kernel.run::<crate::lanes::x86::$sse>(),
                    // In a bundle for browsers a second copy of every kernel would be a tenth of it.
                    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
                    _ => kernel.run::<crate::lanes::wasm::$wasm>(),
                    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
                    _ => kernel.run::<crate::lanes::Portable<$t>>(),
                }
            }
            #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
            fn run_on_rows<K: Kernel<Self>>(level: Level, n: usize, kernel: K) {
                #[cfg(target_arch = "x86_64")]
                if level == Level::Wide512
                    && Level::best() == Level::Wide512
                    && n.is_multiple_of(<crate::lanes::x86::$avx512 as Lanes<$t>>::N)
                {
                    #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                    fn widest<K: Kernel<$t>>(kernel: K) {
                        kernel.run::<crate::lanes::x86::$avx512>();
                    }
                    // SAFETY: `best` has asked the processor.
                    return unsafe { widest(kernel) };
                }
                Self::run(level, kernel);
            }
        }
    };
}

#[allow(clippy::excessive_precision, reason = "these decimals are exact; shorter ones name another number")]
mod formats {
    use super::*;
    real!(f32, u32, 23, 127, libm::erff, F32x4, F32x8, F32x16, F32x4, {
        const LN_2: [Self; 2] = [0.693_115_234_375, 3.194_618_5e-5];
        const PI: [Self; 3] = [3.140_625, 0.000_967_502_593_994_140_6, 1.509_958e-7];
        const TANH_ONE: f64 = 10.0;
        const EXP_TERMS: &'static [f64] = &inverse_factorials::<6>(7, 1, 1.0);
        const SIN_TERMS: &'static [f64] = &inverse_factorials::<6>(13, 2, -1.0);
        const COS_TERMS: &'static [f64] = &inverse_factorials::<7>(14, 2, -1.0);
    });
    real!(f64, u64, 52, 1023, libm::erf, F64x2, F64x4, F64x8, F64x2, {
        const LN_2: [Self; 2] = [0.6931471805582987, 1.6465949582897082e-12];
        const PI: [Self; 3] = [3.141592651605606, 1.9841871583270443e-9, 1.034036596358821e-18];
        const TANH_ONE: f64 = 20.0;
        const EXP_TERMS: &'static [f64] = &inverse_factorials::<12>(13, 1, 1.0);
        const SIN_TERMS: &'static [f64] = &inverse_factorials::<11>(23, 2, -1.0);
        const COS_TERMS: &'static [f64] = &inverse_factorials::<12>(24, 2, -1.0);
    });
}

/// 1/n!, 1/(n−step)!, …, N terms; the signs alternate if `sign` is −1 so that the last one is negative.
const fn inverse_factorials<const N: usize>(highest: u32, step: u32, sign: f64) -> [f64; N] {
    let mut out = [0.0; N];
    let mut i = 0;
    while i < N {
        let n = highest - i as u32 * step;
        let (mut product, mut k) = (1.0, 2);
        while k <= n {
            product *= k as f64;
            k += 1;
        }
        let odd_from_end = (N - 1 - i) % 2 == 0;
        out[i] = (if odd_from_end { sign } else { 1.0 }) / product;
        i += 1;
    }
    out
}
