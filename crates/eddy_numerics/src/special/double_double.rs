//! Numbers of twice the length of an f64: about 31 decimal digits, for references.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// The unevaluated sum hi + lo, |lo| ≤ ulp(hi)/2. Range of f64; infinities and NaN are not propagated with care.
///
/// Sums and products without fused multiply-add (a browser has none): Knuth's and Dekker's exact transformations. Relative
/// error of +, -, ·, / a few 2⁻¹⁰⁴; of [`DoubleDouble::exp`] and [`DoubleDouble::ln`] below 1e-29, ln absolutely near 1. Dekker,
/// Numer. Math. 18 (1971) 224.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoubleDouble {
    pub hi: f64,
    pub lo: f64,
}

const fn pair(hi: f64, lo: f64) -> DoubleDouble {
    DoubleDouble { hi, lo }
}

fn two_sum(a: f64, b: f64) -> DoubleDouble {
    let s = a + b;
    let t = s - a;
    pair(s, (a - (s - t)) + (b - t))
}

/// For |a| ≥ |b|.
fn quick_two_sum(a: f64, b: f64) -> DoubleDouble {
    let s = a + b;
    pair(s, b - (s - a))
}

fn two_product(a: f64, b: f64) -> DoubleDouble {
    // Halves of 26 bits multiply exactly.
    let split = |v: f64| {
        let t = 134_217_729.0 * v;
        let high = t - (t - v);
        (high, v - high)
    };
    let p = a * b;
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    pair(p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
}

impl DoubleDouble {
    pub const PI: Self = pair(std::f64::consts::PI, 1.224_646_799_147_353_2e-16);
    pub const LN_2: Self = pair(std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17);

    pub fn value(self) -> f64 {
        self.hi + self.lo
    }

    /// a + b, exactly.
    pub fn sum(a: f64, b: f64) -> Self {
        two_sum(a, b)
    }

    /// a/b of two f64, to full length.
    pub fn ratio(a: f64, b: f64) -> Self {
        Self::from(a) / Self::from(b)
    }

    /// Multiplied by a power of two, exactly.
    pub fn scaled(self, power_of_two: f64) -> Self {
        pair(self.hi * power_of_two, self.lo * power_of_two)
    }

    /// e^x for |x| < 700. Sixteen terms after division by 2⁶, then six squarings.
    pub fn exp(self) -> Self {
        let k = (self.hi / std::f64::consts::LN_2).round();
        let r = (self - Self::LN_2 * Self::from(k)).scaled(1.0 / 64.0);
        let mut sum = Self::from(1.0);
        for n in (1..=16).rev() {
            sum = Self::from(1.0) + r * sum / Self::from(f64::from(n));
        }
        for _ in 0..6 {
            sum = sum * sum;
        }
        // Two factors, because 2^k alone may be out of range.
        let half = (k / 2.0).trunc();
        sum.scaled(half.exp2()).scaled((k - half).exp2())
    }

    /// ln x for normal x > 0: of the mantissa by two Newton steps on e^y = m, the second for the last digits, and the
    /// exponent times ln 2.
    pub fn ln(self) -> Self {
        let exponent = self.hi.log2().floor();
        // Two factors, because 2^exponent alone may be out of range.
        let half = (exponent / 2.0).trunc();
        let mantissa = self.scaled((-half).exp2()).scaled((half - exponent).exp2());
        let mut y = Self::from(mantissa.hi.ln());
        for _ in 0..2 {
            y = y + mantissa * (-y).exp() - Self::from(1.0);
        }
        y + Self::LN_2 * Self::from(exponent)
    }

    /// ln Γ(x) for x > 0: Γ(x + n) = x … (x + n - 1) Γ(x) up to 40, then Stirling's series with twelve Bernoulli numbers.
    /// Absolute error about 1e-28.
    pub fn ln_gamma(self) -> Self {
        let (mut x, mut product) = (self, Self::from(1.0));
        while x.hi < 40.0 {
            product = product * x;
            x = x + Self::from(1.0);
        }
        let half = Self::from(0.5);
        let two_pi = Self::PI.scaled(2.0);
        let mut sum = (x - half) * x.ln() - x + half * two_pi.ln();
        let inverse = Self::from(1.0) / x;
        let square = inverse * inverse;
        let mut power = inverse;
        for (k, (numerator, denominator)) in BERNOULLI.iter().enumerate() {
            let m = 2.0 * (k as f64 + 1.0);
            sum = sum + Self::ratio(*numerator, denominator * m * (m - 1.0)) * power;
            power = power * square;
        }
        sum - product.ln()
    }
}

/// B₂, B₄, … as fractions.
pub(super) const BERNOULLI: [(f64, f64); 12] = [
    (1.0, 6.0),
    (-1.0, 30.0),
    (1.0, 42.0),
    (-1.0, 30.0),
    (5.0, 66.0),
    (-691.0, 2730.0),
    (7.0, 6.0),
    (-3617.0, 510.0),
    (43_867.0, 798.0),
    (-174_611.0, 330.0),
    (854_513.0, 138.0),
    (-236_364_091.0, 2730.0),
];

impl From<f64> for DoubleDouble {
    fn from(v: f64) -> Self {
        pair(v, 0.0)
    }
}

impl Neg for DoubleDouble {
    type Output = Self;
    fn neg(self) -> Self {
        pair(-self.hi, -self.lo)
    }
}

impl Add for DoubleDouble {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        let (s, t) = (two_sum(self.hi, b.hi), two_sum(self.lo, b.lo));
        let first = quick_two_sum(s.hi, s.lo + t.hi);
        quick_two_sum(first.hi, first.lo + t.lo)
    }
}

impl Sub for DoubleDouble {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        self + -b
    }
}

impl Mul for DoubleDouble {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        let p = two_product(self.hi, b.hi);
        quick_two_sum(p.hi, p.lo + (self.hi * b.lo + self.lo * b.hi))
    }
}

impl Div for DoubleDouble {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let first = self.hi / b.hi;
        let rest = self - b * Self::from(first);
        let second = rest.hi / b.hi;
        let rest = rest - b * Self::from(second);
        quick_two_sum(first, second) + Self::from(rest.hi / b.hi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: DoubleDouble, b: DoubleDouble, relative: f64) {
        let d = a - b;
        assert!(d.hi.abs() <= relative * b.hi.abs().max(1.0), "{a:?} {b:?}: {}", d.hi);
    }

    #[test]
    fn twice_the_length() {
        let third = DoubleDouble::ratio(1.0, 3.0);
        close(third * DoubleDouble::from(3.0), DoubleDouble::from(1.0), 1e-31);
        assert_eq!(DoubleDouble::sum(1.0, 1e-25).lo, 1e-25);
        // e, and ln 2 to 32 digits.
        let e = DoubleDouble { hi: std::f64::consts::E, lo: 1.445_646_891_729_250_2e-16 };
        close(DoubleDouble::from(1.0).exp(), e, 1e-30);
        close(DoubleDouble::from(2.0).ln(), DoubleDouble::LN_2, 1e-30);
        for x in [-650.3, -1.0, 1e-3, 0.7, 50.0, 690.1] {
            close(DoubleDouble::from(x).exp().ln(), DoubleDouble::from(x), 1e-29);
        }
        // The comparison is finer than f64.
        let d = DoubleDouble::from(1.0).exp() - DoubleDouble::from(std::f64::consts::E);
        assert!(d.hi.abs() > 1e-17);
    }

    #[test]
    fn gamma_by_its_recurrence_reflection_and_factorials() {
        let ln_gamma = |x: f64| DoubleDouble::from(x).ln_gamma();
        close(ln_gamma(1.0), DoubleDouble::from(0.0), 1e-28);
        close(ln_gamma(11.0), DoubleDouble::from(3_628_800.0).ln(), 1e-28);
        close(ln_gamma(0.5), DoubleDouble::PI.ln().scaled(0.5), 1e-28);
        for x in [0.3, 7.7, 39.9, 1234.5, 10_000.25] {
            close(DoubleDouble::sum(x, 1.0).ln_gamma(), ln_gamma(x) + DoubleDouble::from(x).ln(), 1e-28);
        }
        assert!((ln_gamma(7.7) - ln_gamma(7.7 + 1e-14)).hi.abs() > 1e-15, "the comparison sees the last digits");
    }
}
