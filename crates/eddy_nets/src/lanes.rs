//! Vectors of numbers, one type per instruction set, behind one trait.

use crate::Real;

/// A register full of numbers. All operations are lane by lane.
pub trait Lanes<T: Real>: Copy {
    /// How many numbers.
    const N: usize;
    fn splat(x: T) -> Self;
    /// # Safety
    /// `N` numbers can be read from `p`, aligned as `T`.
    unsafe fn load(p: *const T) -> Self;
    /// # Safety
    /// `N` numbers can be written to `p`, aligned as `T`.
    unsafe fn store(self, p: *mut T);
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    /// `self · b + c`, rounded once where the hardware does.
    fn fma(self, b: Self, c: Self) -> Self;
    /// The lesser one, and `b` where either is NaN.
    fn min(self, b: Self) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    /// `self`, assumed positive, with the sign of `b`.
    fn with_sign_of(self, b: Self) -> Self;
    /// See [`Real::low_bits_as_exponent`].
    fn low_bits_as_exponent(self) -> Self;
    /// See [`Real::flip_if_odd`].
    fn flip_if_odd(self, round: Self) -> Self;
    fn sum(self) -> T;
    /// A scalar function of each lane, for what has no vector form.
    fn map(self, f: impl Fn(T) -> T) -> Self;
}

/// Four numbers without vector instructions.
#[cfg_attr(all(target_arch = "wasm32", target_feature = "simd128"), allow(dead_code))]
#[derive(Clone, Copy, Debug)]
pub struct Portable<T>([T; 4]);

impl<T: Real> Portable<T> {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(T, T) -> T) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl<T: Real> Lanes<T> for Portable<T> {
    const N: usize = 4;
    #[inline(always)]
    fn splat(x: T) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        // SAFETY: the caller vouches for four numbers.
        Self(unsafe { p.cast::<[T; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        // SAFETY: the caller vouches for four numbers.
        unsafe { p.cast::<[T; 4]>().write(self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        self.mul(b).add(c)
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        self.zip(b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.map(T::abs)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(T::sqrt)
    }
    #[inline(always)]
    fn with_sign_of(self, b: Self) -> Self {
        self.zip(b, T::copysign)
    }
    #[inline(always)]
    fn low_bits_as_exponent(self) -> Self {
        self.map(T::low_bits_as_exponent)
    }
    #[inline(always)]
    fn flip_if_odd(self, round: Self) -> Self {
        self.zip(round, T::flip_if_odd)
    }
    #[inline(always)]
    fn sum(self) -> T {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }
    #[inline(always)]
    fn map(self, f: impl Fn(T) -> T) -> Self {
        Self(self.0.map(f))
    }
}

/// Implements [`Lanes`] for a register type from the names of its instructions.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
macro_rules! lanes {
    ($name:ident, $t:ty, $register:ty, $n:literal, $splat:expr, $add:expr, $sub:expr, $mul:expr,
     $div:expr, $fma:expr, $min:expr, $sqrt:expr, $and:expr, $or:expr, $xor:expr, $shift_mantissa:expr, $shift_sign:expr) => {
        #[derive(Clone, Copy)]
        pub struct $name($register);

        #[allow(unused_unsafe, clippy::macro_metavars_in_unsafe, reason = "some sets mark these instructions safe")]
        impl Lanes<$t> for $name {
            // SAFETY of every block below: the type is only reached through `Real::run`, which has checked the
            // instruction set; `load` and `store` pass their own duty on to the caller.
            const N: usize = $n;
            #[inline(always)]
            fn splat(x: $t) -> Self {
                Self(unsafe { $splat(x) })
            }
            #[inline(always)]
            unsafe fn load(p: *const $t) -> Self {
                // Not the set's own load, which in builds with checks also looks for overlaps.
                Self(unsafe { p.cast::<$register>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t) {
                unsafe { p.cast::<$register>().write_unaligned(self.0) }
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                Self(unsafe { $add(self.0, b.0) })
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                Self(unsafe { $sub(self.0, b.0) })
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                Self(unsafe { $mul(self.0, b.0) })
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                Self(unsafe { $div(self.0, b.0) })
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                Self(unsafe { $fma(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn min(self, b: Self) -> Self {
                Self(unsafe { $min(self.0, b.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn abs(self) -> Self {
                let magnitude = Self::splat(<$t>::from_bits(!(-0.0 as $t).to_bits()));
                Self(unsafe { $and(self.0, magnitude.0) })
            }
            #[inline(always)]
            fn with_sign_of(self, b: Self) -> Self {
                let sign = Self::splat(-0.0);
                Self(unsafe { $or(self.0, $and(b.0, sign.0)) })
            }
            #[inline(always)]
            fn low_bits_as_exponent(self) -> Self {
                Self(unsafe { $shift_mantissa(self.0) })
            }
            #[inline(always)]
            fn flip_if_odd(self, round: Self) -> Self {
                Self(unsafe { $xor(self.0, $shift_sign(round.0)) })
            }
            #[inline(always)]
            fn sum(self) -> $t {
                let mut parts = [0.0; $n];
                // SAFETY: the array holds the register.
                unsafe { self.store(parts.as_mut_ptr()) };
                let mut half = $n / 2;
                while half > 0 {
                    for i in 0..half {
                        parts[i] += parts[i + half];
                    }
                    half /= 2;
                }
                parts[0]
            }
            #[inline(always)]
            fn map(self, f: impl Fn($t) -> $t) -> Self {
                let mut parts = [0.0; $n];
                // SAFETY: the array holds the register.
                unsafe {
                    self.store(parts.as_mut_ptr());
                    Self::load(parts.map(f).as_ptr())
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    //! SSE2, AVX2 with FMA, and AVX-512.
    use std::arch::x86_64::*;

    use super::Lanes;

    macro_rules! bits {
        ($shift:ident, $n:literal, $to:ident, $from:ident) => {
            |x| $from($shift::<$n>($to(x)))
        };
    }
    lanes!(
        F32x4,
        f32,
        __m128,
        4,
        _mm_set1_ps,
        _mm_add_ps,
        _mm_sub_ps,
        _mm_mul_ps,
        _mm_div_ps,
        |a, b, c| _mm_add_ps(_mm_mul_ps(a, b), c),
        _mm_min_ps,
        _mm_sqrt_ps,
        _mm_and_ps,
        _mm_or_ps,
        _mm_xor_ps,
        bits!(_mm_slli_epi32, 23, _mm_castps_si128, _mm_castsi128_ps),
        bits!(_mm_slli_epi32, 31, _mm_castps_si128, _mm_castsi128_ps)
    );
    lanes!(
        F64x2,
        f64,
        __m128d,
        2,
        _mm_set1_pd,
        _mm_add_pd,
        _mm_sub_pd,
        _mm_mul_pd,
        _mm_div_pd,
        |a, b, c| _mm_add_pd(_mm_mul_pd(a, b), c),
        _mm_min_pd,
        _mm_sqrt_pd,
        _mm_and_pd,
        _mm_or_pd,
        _mm_xor_pd,
        bits!(_mm_slli_epi64, 52, _mm_castpd_si128, _mm_castsi128_pd),
        bits!(_mm_slli_epi64, 63, _mm_castpd_si128, _mm_castsi128_pd)
    );
    lanes!(
        F32x8,
        f32,
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        |a, b, c| _mm256_fmadd_ps(a, b, c),
        _mm256_min_ps,
        _mm256_sqrt_ps,
        _mm256_and_ps,
        _mm256_or_ps,
        _mm256_xor_ps,
        bits!(_mm256_slli_epi32, 23, _mm256_castps_si256, _mm256_castsi256_ps),
        bits!(_mm256_slli_epi32, 31, _mm256_castps_si256, _mm256_castsi256_ps)
    );
    lanes!(
        F64x4,
        f64,
        __m256d,
        4,
        _mm256_set1_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_div_pd,
        |a, b, c| _mm256_fmadd_pd(a, b, c),
        _mm256_min_pd,
        _mm256_sqrt_pd,
        _mm256_and_pd,
        _mm256_or_pd,
        _mm256_xor_pd,
        bits!(_mm256_slli_epi64, 52, _mm256_castpd_si256, _mm256_castsi256_pd),
        bits!(_mm256_slli_epi64, 63, _mm256_castpd_si256, _mm256_castsi256_pd)
    );
    lanes!(
        F32x16,
        f32,
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_div_ps,
        |a, b, c| _mm512_fmadd_ps(a, b, c),
        _mm512_min_ps,
        _mm512_sqrt_ps,
        _mm512_and_ps,
        _mm512_or_ps,
        _mm512_xor_ps,
        bits!(_mm512_slli_epi32, 23, _mm512_castps_si512, _mm512_castsi512_ps),
        bits!(_mm512_slli_epi32, 31, _mm512_castps_si512, _mm512_castsi512_ps)
    );
    lanes!(
        F64x8,
        f64,
        __m512d,
        8,
        _mm512_set1_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_div_pd,
        |a, b, c| _mm512_fmadd_pd(a, b, c),
        _mm512_min_pd,
        _mm512_sqrt_pd,
        _mm512_and_pd,
        _mm512_or_pd,
        _mm512_xor_pd,
        bits!(_mm512_slli_epi64, 52, _mm512_castpd_si512, _mm512_castsi512_pd),
        bits!(_mm512_slli_epi64, 63, _mm512_castpd_si512, _mm512_castsi512_pd)
    );
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod wasm {
    //! WASM simd128. `min` is the pseudo-minimum with its operands exchanged: one instruction, and NaN as stated.
    use std::arch::wasm32::*;

    use super::Lanes;

    lanes!(
        F32x4,
        f32,
        v128,
        4,
        f32x4_splat,
        f32x4_add,
        f32x4_sub,
        f32x4_mul,
        f32x4_div,
        |a, b, c| f32x4_add(f32x4_mul(a, b), c),
        |a, b| f32x4_pmin(b, a),
        f32x4_sqrt,
        v128_and,
        v128_or,
        v128_xor,
        |x| i32x4_shl(x, 23),
        |x| i32x4_shl(x, 31)
    );
    lanes!(
        F64x2,
        f64,
        v128,
        2,
        f64x2_splat,
        f64x2_add,
        f64x2_sub,
        f64x2_mul,
        f64x2_div,
        |a, b, c| f64x2_add(f64x2_mul(a, b), c),
        |a, b| f64x2_pmin(b, a),
        f64x2_sqrt,
        v128_and,
        v128_or,
        v128_xor,
        |x| i64x2_shl(x, 52),
        |x| i64x2_shl(x, 63)
    );
}
