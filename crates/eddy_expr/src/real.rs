//! The two precisions of evaluation.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::ir::{Op1, Op2};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// f32 or f64.
pub trait Real:
    sealed::Sealed
    + Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + std::fmt::Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    const ZERO: Self;
    const ONE: Self;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn floor(self) -> Self;
    /// Any operation on one value, at this precision (special functions go through f64).
    fn one(op: Op1, x: Self) -> Self;
    /// Any operation on two values.
    fn two(op: Op2, a: Self, b: Self) -> Self;
}

macro_rules! real {
    ($type:ty) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn floor(self) -> Self {
                self.floor()
            }
            fn one(op: Op1, x: Self) -> Self {
                match op {
                    Op1::Exp => x.exp(),
                    Op1::Log => x.ln(),
                    Op1::Sin => x.sin(),
                    Op1::Cos => x.cos(),
                    Op1::Tan => x.tan(),
                    Op1::Asin => x.asin(),
                    Op1::Acos => x.acos(),
                    Op1::Atan => x.atan(),
                    Op1::Sinh => x.sinh(),
                    Op1::Cosh => x.cosh(),
                    Op1::Tanh => x.tanh(),
                    Op1::Asinh => x.asinh(),
                    Op1::Acosh => x.acosh(),
                    Op1::Atanh => x.atanh(),
                    Op1::Ceil => x.ceil(),
                    Op1::Round => x.round_ties_even(),
                    Op1::Sqrt => x.sqrt(),
                    Op1::Abs => x.abs(),
                    Op1::Floor => x.floor(),
                    Op1::Neg => -x,
                    _ => op.eval(f64::from(x)) as $type,
                }
            }
            fn two(op: Op2, a: Self, b: Self) -> Self {
                match op {
                    Op2::Pow => a.powf(b),
                    Op2::Atan2 => a.atan2(b),
                    Op2::Mod => a - b * (a / b).floor(),
                    _ => op.eval(f64::from(a), f64::from(b)) as $type,
                }
            }
        }
    };
}
real!(f32);
real!(f64);
