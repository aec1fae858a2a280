//! Vector forms of tanh and of the sine pair. No fitted coefficients: argument reduction, then the Taylor series.

use crate::{
    Real,
    lanes::Lanes,
    real::{Kernel, Level},
};

/// Σ of `terms` (highest power first) by Horner's rule at `x`.
#[inline(always)]
fn horner<T: Real, V: Lanes<T>>(terms: &[f64], x: V) -> V {
    let mut sum = V::splat(T::from_f64(terms[0]));
    for &term in &terms[1..] {
        sum = sum.fma(x, V::splat(T::from_f64(term)));
    }
    sum
}

/// tanh x = (e^{2|x|} − 1)/(e^{2|x|} + 1) with the sign of x; e^{y} − 1 comes from y = k ln 2 + r without cancellation,
/// so the relative error stays at a few units in the last place for every x, zero included. NaN in, NaN out.
/// Largest relative error measured on a dense sweep: 1.6e-7 in f32, 4.9e-16 in f64 (the tests bound it).
#[inline(always)]
pub fn tanh<T: Real, V: Lanes<T>>(x: V) -> V {
    let y = V::splat(T::from_f64(2.0 * T::TANH_ONE)).min(x.abs().add(x.abs()));
    let round = V::splat(T::ROUND_BIASED);
    let biased = y.fma(V::splat(T::from_f64(std::f64::consts::LOG2_E)), round);
    let k = round.sub(biased); // −k
    let r = k.fma(V::splat(T::LN_2[1]), k.fma(V::splat(T::LN_2[0]), y));
    let expm1_r = r.mul(r).fma(horner(T::EXP_TERMS, r), r);
    let power = biased.low_bits_as_exponent();
    let expm1 = power.fma(expm1_r, power.sub(V::splat(T::ONE)));
    expm1.div(expm1.add(V::splat(T::from_f64(2.0)))).with_sign_of(x)
}

/// (sin x, cos x) from x = kπ + r. Absolute error below 2e-7 in f32 for |x| ≤ 1000 and 4e-16 in f64 for |x| ≤ 1e5; it
/// grows with |x| beyond that.
#[inline(always)]
pub fn sin_cos<T: Real, V: Lanes<T>>(x: V) -> (V, V) {
    let magic = V::splat(T::ROUND);
    let round = x.fma(V::splat(T::from_f64(std::f64::consts::FRAC_1_PI)), magic);
    let k = magic.sub(round); // −k
    let r = k.fma(V::splat(T::PI[2]), k.fma(V::splat(T::PI[1]), k.fma(V::splat(T::PI[0]), x)));
    let r2 = r.mul(r);
    let sin = r.mul(r2).fma(horner(T::SIN_TERMS, r2), r);
    let cos = r2.fma(horner(T::COS_TERMS, r2), V::splat(T::ONE));
    (sin.flip_if_odd(round), cos.flip_if_odd(round))
}

/// tanh of every number, at `level`.
pub fn tanh_all<T: Real>(level: Level, values: &mut [T]) {
    T::run(level, InPlace { values, f: Function::Tanh });
}

/// Sine (or cosine) of every number, at `level`.
pub fn sin_cos_all<T: Real>(level: Level, values: &mut [T], cosine: bool) {
    T::run(level, InPlace { values, f: if cosine { Function::Cos } else { Function::Sin } });
}

#[derive(Clone, Copy)]
enum Function {
    Tanh,
    Sin,
    Cos,
}

struct InPlace<'a, T> {
    values: &'a mut [T],
    f: Function,
}

impl<T: Real> Kernel<T> for InPlace<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        let mut part = [T::ZERO; 8];
        for chunk in self.values.chunks_mut(V::N) {
            part[..chunk.len()].copy_from_slice(chunk);
            // SAFETY: eight numbers hold the widest register.
            unsafe {
                let x = V::load(part.as_ptr());
                let y: V = match self.f {
                    Function::Tanh => tanh(x),
                    Function::Sin => sin_cos(x).0,
                    Function::Cos => sin_cos(x).1,
                };
                y.store(part.as_mut_ptr());
            }
            chunk.copy_from_slice(&part[..chunk.len()]);
        }
    }
}
