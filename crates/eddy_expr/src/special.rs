//! Special functions that neither the standard library nor libm has.
//!
//! The modified Bessel functions use the trapezium rule on integrals whose integrand is periodic and analytic, or
//! decays doubly exponentially; it converges geometrically there (Trefethen and Weideman, "The exponentially
//! convergent trapezoidal rule", SIAM Review 56, 2014, sections 3 and 4).

use std::f64::consts::PI;

/// Highest order of a Bessel function accepted by the language.
pub const MAX_BESSEL_ORDER: i32 = 64;

/// J_n(x) for whole n, 0 ≤ n ≤ [`MAX_BESSEL_ORDER`].
pub fn bessel_j(n: i32, x: f64) -> f64 {
    match n {
        0 => libm::j0(x),
        1 => libm::j1(x),
        _ => libm::jn(n, x),
    }
}

/// Y_n(x); minus infinity at 0, not a number for negative x.
pub fn bessel_y(n: i32, x: f64) -> f64 {
    match n {
        0 => libm::y0(x),
        1 => libm::y1(x),
        _ => libm::yn(n, x),
    }
}

/// I_n(x) = (1/π) ∫₀^π exp(x cos θ) cos(nθ) dθ (DLMF 10.32.3). Relative error about 1e-14 for n = 0, 1; the sum
/// cancels for n above x, where the power series takes over.
pub fn bessel_i(n: i32, x: f64) -> f64 {
    let (n, size) = (n.unsigned_abs(), x.abs());
    let sign = if x < 0.0 && n % 2 == 1 { -1.0 } else { 1.0 };
    if size > 720.0 {
        // exp overflows just below 710; beyond, the value is infinite in double precision.
        return if size.is_nan() { f64::NAN } else { sign * f64::INFINITY };
    }
    if size < 12.0 || size < f64::from(n) * f64::from(n) {
        // DLMF 10.25.2; all terms have one sign, so nothing cancels.
        let quarter = 0.25 * size * size;
        let mut term = 1.0;
        for k in 1..=n {
            term *= 0.5 * size / f64::from(k);
        }
        let mut sum = term;
        let mut k = 1.0;
        while term > sum * 1e-18 && k < 4000.0 {
            term *= quarter / (k * (k + f64::from(n)));
            sum += term;
            k += 1.0;
        }
        return sign * sum;
    }
    // The N-point rule aliases order n with N - n; I_N falls off beyond N of about sqrt(75 x) + n.
    let points = 2 * ((80.0 * size).sqrt() as usize / 2 + n as usize + 20);
    let mut sum = 0.0;
    for point in 0..points {
        let angle = 2.0 * PI * point as f64 / points as f64;
        sum += (size * (angle.cos() - 1.0)).exp() * (f64::from(n) * angle).cos();
    }
    sign * sum / points as f64 * size.exp()
}

/// K_n(x) = ∫₀^∞ exp(-x cosh t) cosh(nt) dt (DLMF 10.32.9) for x > 0; infinite at 0, not a number below.
/// Relative error about 1e-14.
pub fn bessel_k(n: i32, x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::INFINITY;
    }
    let order = f64::from(n.abs());
    // exp(-x (cosh t - 1)) keeps the largest term near 1; terms that overflow mean an infinite value. The strip of
    // analyticity is |Im t| < π/2, narrower in effect for large x, where the integrand is a Gaussian of width 1/√x.
    let step = 0.125 / (1.0 + 0.05 * x).sqrt();
    let mut sum = 0.5;
    let mut largest = 0.5f64;
    for point in 1..20_000 {
        let t = step * f64::from(point);
        let exponent = -x * (t.cosh() - 1.0);
        let term = 0.5 * ((exponent + order * t).exp() + (exponent - order * t).exp());
        sum += term;
        largest = largest.max(term);
        // Terms grow first when the order is high, then fall faster than any exponential.
        if term < 1e-18 * largest && x * t.sinh() > order {
            break;
        }
    }
    sum * step * (-x).exp()
}

/// ψ(x) = Γ'(x)/Γ(x): recurrence up to x ≥ 10, then the asymptotic series (DLMF 5.5.2, 5.11.2); reflection
/// (DLMF 5.5.4) for negative x. Infinite at 0, -1, -2, …
pub fn digamma(x: f64) -> f64 {
    if x <= 0.0 && x == x.floor() {
        return f64::NAN;
    }
    if x < 0.0 {
        return digamma(1.0 - x) - PI / (PI * x).tan();
    }
    let mut x = x;
    let mut shift = 0.0;
    while x < 10.0 {
        shift -= 1.0 / x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    // Bernoulli numbers B_2k / 2k.
    let series = inverse
        * (1.0 / 12.0
            - inverse
                * (1.0 / 120.0
                    - inverse
                        * (1.0 / 252.0
                            - inverse * (1.0 / 240.0 - inverse * (1.0 / 132.0 - inverse * 691.0 / 32760.0)))));
    shift + x.ln() - 0.5 / x - series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance * expected.abs(), "{value} against {expected}");
    }

    #[test]
    fn tabulated_values() {
        // Abramowitz and Stegun, tables 9.8 and 9.11, and DLMF 5.4.12-13.
        near(bessel_i(0, 1.0), 1.266_065_877_752_008_4, 1e-14);
        near(bessel_i(1, 1.0), 0.565_159_103_992_485, 1e-14);
        near(bessel_k(0, 1.0), 0.421_024_438_240_708_34, 1e-13);
        near(bessel_k(1, 1.0), 0.601_907_230_197_234_6, 1e-13);
        near(digamma(1.0), -0.577_215_664_901_532_9, 1e-13);
        near(digamma(0.5), -1.963_510_026_021_423_5, 1e-13);
    }

    #[test]
    fn wronskian_binds_i_and_k_over_all_branches() {
        // I_n K_(n+1) + I_(n+1) K_n = 1/x (DLMF 10.28.2).
        for order in [0, 1, 2, 5, 9] {
            for x in [0.01, 0.3, 1.0, 4.0, 11.9, 12.1, 30.0, 99.0, 101.0, 400.0] {
                let value = bessel_i(order, x) * bessel_k(order + 1, x) + bessel_i(order + 1, x) * bessel_k(order, x);
                near(value, 1.0 / x, 2e-12);
            }
        }
    }

    #[test]
    fn digamma_follows_log_gamma() {
        for x in [-2.3, -0.4, 0.2, 1.7, 9.99, 10.01, 50.0] {
            let slope = (libm::lgamma(x + 1e-5) - libm::lgamma(x - 1e-5)) / 2e-5;
            near(digamma(x), slope, 1e-7);
        }
    }
}
