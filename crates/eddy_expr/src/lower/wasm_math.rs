//! Elementary functions on pairs of doubles, in WASM SIMD.
//!
//! Each is a function v128 → v128 of the module. Where both lanes lie in the range of its formula it works without
//! leaving SIMD, with relative errors of a few 1e-16; otherwise (very large arguments, zero, infinities, not a
//! number) it calls the imported function once per lane. Formulas: range reduction by multiples of ln 2 and π/2 in
//! parts that multiply exactly (Cody and Waite, Software Manual for the Elementary Functions, 1980), then Taylor
//! polynomials on the reduced range.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, LN_2, LOG2_E, SQRT_2};

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::MathCall;
use crate::ir::Op1;

/// Whether a function has a SIMD form here.
pub(super) const fn has_vector_form(call: MathCall) -> bool {
    matches!(call, MathCall::One(Op1::Exp | Op1::Log | Op1::Sin | Op1::Cos | Op1::Sinh | Op1::Cosh | Op1::Tanh))
}

/// Parts of ln 2: the first has 21 significant bits, so that products with exponents are exact.
fn ln2_parts() -> (f64, f64) {
    let high = f64::from_bits(LN_2.to_bits() & !0xFFFF_FFFF);
    // ln 2 = LN_2 + 2.319046813846300e-17.
    (high, (LN_2 - high) + 2.319_046_813_846_3e-17)
}

/// Parts of π/2 of 33 bits, 33 bits and the rest: products with whole numbers below 2^20 are exact.
fn half_pi_parts() -> (f64, f64, f64) {
    let mask = !0xF_FFFF_u64;
    let first = f64::from_bits(FRAC_PI_2.to_bits() & mask);
    // π/2 = FRAC_PI_2 + 6.123233995736766e-17.
    let low = 6.123_233_995_736_766e-17;
    let rest = FRAC_PI_2 - first;
    let second = f64::from_bits((rest + low).to_bits() & mask);
    (first, second, (rest - second) + low)
}

/// 1.5 · 2^52: adding it puts a whole number into the low bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;
/// Largest argument of sine and cosine for the formula: multiples of π/2 stay below 2^17.
const SINE_LIMIT: f64 = 1e5;
/// Largest argument of exp and its kin: 2^n stays a normal number.
const EXP_LIMIT: f64 = 700.0;

const X: u32 = 0;
const N: u32 = 1;
const R: u32 = 2;
const P: u32 = 3;
const S: u32 = 4;
const Z: u32 = 5;

struct Body<'a> {
    sink: InstructionSink<'a>,
}

/// The function of `call`; `import` is the index of its scalar form.
pub(super) fn function(call: MathCall, import: u32) -> Function {
    let mut function = Function::new([(5, ValType::V128)]);
    let mut body = Body { sink: function.instructions() };
    let MathCall::One(op) = call else {
        body.sink.local_get(X).end();
        return function;
    };
    body.in_range(op);
    body.sink.if_(BlockType::Result(ValType::V128));
    match op {
        Op1::Exp => {
            body.reduced_exp();
            body.get(S).get(P).mul().get(S).add();
        }
        Op1::Tanh => {
            // E/(E + 2) with E = exp(2x) - 1.
            body.get(X).get(X).add().set(X);
            body.reduced_exp();
            body.exp_minus_one();
            body.set(P).get(P).get(P).constant(2.0).add();
            body.sink.f64x2_div();
        }
        Op1::Sinh | Op1::Cosh => {
            // With E = exp|x| - 1: sinh|x| = (E + E/(E + 1))/2, cosh x = 1 + E²/(2(E + 1)).
            body.get(X).set(Z);
            body.get(X);
            body.sink.f64x2_abs();
            body.set(X);
            body.reduced_exp();
            body.exp_minus_one();
            body.set(P).get(P).get(P).constant(1.0).add();
            body.sink.f64x2_div();
            if op == Op1::Sinh {
                body.get(P).add().constant(0.5).mul();
                body.get(Z).constant(-0.0);
                body.sink.v128_and().v128_or();
            } else {
                body.get(P).mul().constant(0.5).mul().constant(1.0).add();
            }
        }
        Op1::Log => body.log(),
        _ => body.sine(op == Op1::Cos),
    }
    body.sink.else_();
    body.get(X).set(R);
    for lane in 0..2 {
        body.sink.local_get(R).local_get(X).f64x2_extract_lane(lane).call(import).f64x2_replace_lane(lane).local_set(R);
    }
    body.get(R);
    body.sink.end().end();
    function
}

impl Body<'_> {
    fn get(&mut self, local: u32) -> &mut Self {
        self.sink.local_get(local);
        self
    }

    fn set(&mut self, local: u32) -> &mut Self {
        self.sink.local_set(local);
        self
    }

    fn constant(&mut self, value: f64) -> &mut Self {
        self.bits(value.to_bits())
    }

    fn bits(&mut self, bits: u64) -> &mut Self {
        let lane = u128::from(bits);
        self.sink.v128_const((lane << 64 | lane) as i128);
        self
    }

    fn add(&mut self) -> &mut Self {
        self.sink.f64x2_add();
        self
    }

    fn sub(&mut self) -> &mut Self {
        self.sink.f64x2_sub();
        self
    }

    fn mul(&mut self) -> &mut Self {
        self.sink.f64x2_mul();
        self
    }

    /// Leaves 1 where both lanes suit the formula.
    fn in_range(&mut self, op: Op1) {
        if op == Op1::Log {
            self.get(X).constant(f64::MIN_POSITIVE);
            self.sink.f64x2_ge();
            self.get(X).constant(f64::MAX);
            self.sink.f64x2_le().v128_and();
        } else {
            let limit = match op {
                Op1::Sin | Op1::Cos => SINE_LIMIT,
                Op1::Tanh => 0.5 * EXP_LIMIT,
                _ => EXP_LIMIT,
            };
            self.get(X);
            self.sink.f64x2_abs();
            self.constant(limit);
            self.sink.f64x2_le();
        }
        self.sink.i64x2_all_true();
    }

    /// Horner's rule in the local, coefficients from the lowest power on.
    fn polynomial(&mut self, local: u32, coefficients: &[f64]) -> &mut Self {
        let mut rest = coefficients.iter().rev();
        self.constant(rest.next().copied().unwrap_or(0.0));
        for coefficient in rest {
            self.get(local).mul().constant(*coefficient).add();
        }
        self
    }

    /// x = n ln 2 + r: P becomes exp(r) - 1, S becomes 2^n.
    fn reduced_exp(&mut self) {
        let (high, low) = ln2_parts();
        self.get(X).constant(LOG2_E).mul();
        self.sink.f64x2_nearest();
        self.set(N);
        self.get(X).get(N).constant(high).mul().sub().get(N).constant(low).mul().sub().set(R);
        // r + r² (1/2! + r/3! + …), |r| ≤ ln(2)/2: the first term left out is below 2e-18.
        let coefficients: Vec<f64> = (2..=14).map(|n| 1.0 / factorial(n)).collect();
        self.get(R).get(R).get(R).mul().polynomial(R, &coefficients).mul().add().set(P);
        self.get(N).constant(MAGIC).add().bits(1023);
        self.sink.i64x2_add().i32_const(52).i64x2_shl();
        self.set(S);
    }

    /// Leaves exp(x) - 1 = 2^n p + (2^n - 1), free of cancellation.
    fn exp_minus_one(&mut self) -> &mut Self {
        self.get(S).get(P).mul().get(S).constant(1.0).sub().add()
    }

    fn log(&mut self) {
        let (high, low) = ln2_parts();
        // x = 2^n m with m in [√½, √2).
        self.get(X).bits(0x000F_FFFF_FFFF_FFFF);
        self.sink.v128_and();
        self.bits(1f64.to_bits());
        self.sink.v128_or();
        self.set(R);
        self.get(R).constant(SQRT_2);
        self.sink.f64x2_gt();
        self.set(S);
        self.get(X);
        self.sink.i32_const(52).i64x2_shr_u();
        self.bits(4_503_599_627_370_496f64.to_bits());
        self.sink.v128_or();
        self.constant(4_503_599_627_370_496.0 + 1023.0).sub();
        self.get(S).constant(1.0);
        self.sink.v128_and();
        self.add().set(N);
        self.get(R).constant(0.5).mul().get(R).get(S);
        self.sink.v128_bitselect();
        self.set(R);
        // log m = 2 atanh(s), s = (m - 1)/(m + 1), |s| ≤ 0.1716.
        self.get(R).constant(1.0).sub().get(R).constant(1.0).add();
        self.sink.f64x2_div();
        self.set(S);
        self.get(S).get(S).mul().set(Z);
        let coefficients: Vec<f64> = (1..=11).map(|k| 2.0 / f64::from(2 * k + 1)).collect();
        self.get(N).constant(high).mul();
        self.get(S).get(S).add();
        self.get(S).get(Z).mul().polynomial(Z, &coefficients).mul();
        self.get(N).constant(low).mul().add().add().add();
    }

    /// sin or cos: x = q π/2 + r, |r| ≤ π/4.
    fn sine(&mut self, is_cosine: bool) {
        let (first, second, third) = half_pi_parts();
        self.get(X).constant(FRAC_2_PI).mul();
        self.sink.f64x2_nearest();
        self.set(N);
        self.get(X).get(N).constant(first).mul().sub();
        self.get(N).constant(second).mul().sub();
        self.get(N).constant(third).mul().sub().set(R);
        self.get(R).get(R).mul().set(Z);
        let signed = |n: u32| if n % 2 == 0 { 1.0 } else { -1.0 };
        let sine: Vec<f64> = (1..=9).map(|k| signed(k) / factorial(2 * k + 1)).collect();
        let cosine: Vec<f64> = (2..=9).map(|k| signed(k) / factorial(2 * k)).collect();
        // r + r z (…), and 1 - z/2 + z² (…).
        self.get(R).get(R).get(Z).mul().polynomial(Z, &sine).mul().add().set(P);
        self.constant(1.0).get(Z).constant(0.5).mul().sub();
        self.get(Z).get(Z).mul().polynomial(Z, &cosine).mul().add().set(S);
        // Quadrant in the low bits; the cosine is the sine a quarter later.
        self.get(N).constant(MAGIC).add();
        if is_cosine {
            self.bits(1);
            self.sink.i64x2_add();
        }
        self.set(N);
        self.get(S).get(P);
        self.get(N).bits(1);
        self.sink.v128_and();
        self.bits(1);
        self.sink.i64x2_eq().v128_bitselect();
        // Bit 1 of the quadrant is the sign.
        self.get(N).bits(2);
        self.sink.v128_and().i32_const(62).i64x2_shl().v128_xor();
    }
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}
