//! Entries of matrices: real or complex.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use num_complex::Complex;

use crate::Real;

/// A real or complex number that matrices can be made of.
pub trait Scalar:
    Copy
    + Default
    + Debug
    + PartialEq
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
{
    /// Distance from 1 to the next number of its real format.
    const EPSILON: f64;
    /// A real number, rounded to the format.
    fn of(x: f64) -> Self;
    fn conj(self) -> Self;
    /// |z|.
    fn magnitude(self) -> f64;
    fn re(self) -> f64;
}

impl<R: Real> Scalar for R {
    const EPSILON: f64 = <R as Real>::EPSILON;
    #[inline(always)]
    fn of(x: f64) -> Self {
        <R as Real>::of(x)
    }
    #[inline(always)]
    fn conj(self) -> Self {
        self
    }
    #[inline(always)]
    fn magnitude(self) -> f64 {
        self.abs().to_f64()
    }
    #[inline(always)]
    fn re(self) -> f64 {
        self.to_f64()
    }
}

impl<R: Real> Scalar for Complex<R> {
    const EPSILON: f64 = <R as Real>::EPSILON;
    #[inline(always)]
    fn of(x: f64) -> Self {
        Complex::new(<R as Real>::of(x), <R as Real>::of(0.0))
    }
    #[inline(always)]
    fn conj(self) -> Self {
        Complex::new(self.re, -self.im)
    }
    #[inline(always)]
    fn magnitude(self) -> f64 {
        f64::sqrt(self.norm_sqr().to_f64())
    }
    #[inline(always)]
    fn re(self) -> f64 {
        self.re.to_f64()
    }
}
