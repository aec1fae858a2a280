//! Logarithms of the modified Bessel functions, for orders and arguments whose values no f64 holds.
//!
//! Every branch adds logarithms, or numbers near one: nothing overflows, nothing underflows. The limits of the branches are ours.
//! Plesner, Sørensen and Hauberg, "Accurate computation of the logarithm of modified Bessel functions on GPUs" (ICS 2024);
//! the expansions are DLMF 10.25.2, 10.40.1-2, 10.41.3-4 and 10.32.9.

use std::f64::consts::{FRAC_PI_2, LN_2, TAU};
use std::sync::OnceLock;

use super::double_double::{BERNOULLI, DoubleDouble};

/// Which expression is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BesselBranch {
    /// Power series from its largest term (I), or the integral ∫ e^{-x cosh t} cosh vt dt (K).
    Small,
    /// Hankel's expansion for a large argument.
    LargeArgument,
    /// Uniform expansion for a large order.
    LargeOrder,
}

/// From this order on the uniform expansion is used: its terms are about (k-1)!/(2π (πv)^k), twenty reach 1e-16.
const LARGE_ORDER: f64 = 12.0;
/// From this argument on, for smaller orders, Hankel's: it can reach e^{-2x}, and its terms stay below 3.
const LARGE_ARGUMENT: f64 = 30.0;

pub fn bessel_branch(v: f64, x: f64) -> BesselBranch {
    match (v >= LARGE_ORDER, x >= LARGE_ARGUMENT) {
        (true, _) => BesselBranch::LargeOrder,
        (false, true) => BesselBranch::LargeArgument,
        (false, false) => BesselBranch::Small,
    }
}

/// ln Γ(x) for x > 0 (else NaN): Γ is shifted up to 15, then Stirling's series with eight terms. Absolute error below 2e-14 for
/// x < 15, relative error a few 1e-16 beyond.
pub fn ln_gamma(x: f64) -> f64 {
    if !(x > 0.0) {
        return f64::NAN;
    }
    let (mut y, mut product) = (x, 1.0);
    while y < 15.0 {
        product *= y;
        y += 1.0;
    }
    let mut series = 0.0;
    for (k, (numerator, denominator)) in BERNOULLI.iter().enumerate().take(8).rev() {
        let m = 2.0 * (k as f64 + 1.0);
        series = series / (y * y) + numerator / (denominator * m * (m - 1.0));
    }
    (y - 0.5) * y.ln() - y + 0.5 * TAU.ln() + series / y - product.ln()
}

/// ln I_v(x) for v ≥ 0, x ≥ 0 (else NaN); -∞ at x = 0 unless v = 0.
///
/// Error below 1e-12 max(1, |ln I|) over v ≤ 1e4, x ≤ 1e4, mostly some 1e-16. About 0.1 to 1 µs.
pub fn log_bessel_i(v: f64, x: f64) -> f64 {
    if !(v >= 0.0 && x >= 0.0) {
        return f64::NAN;
    }
    if x == 0.0 {
        return if v == 0.0 { 0.0 } else { f64::NEG_INFINITY };
    }
    match bessel_branch(v, x) {
        BesselBranch::Small => {
            let (peak, sum) = series_about_peak(v, x);
            peak + sum.ln()
        }
        BesselBranch::LargeArgument => x - 0.5 * (TAU * x).ln() + hankel_sum(v, x, -1.0).ln(),
        BesselBranch::LargeOrder => {
            let r = v.hypot(x);
            (r - v * (v / x).asinh()) - 0.5 * (TAU * r).ln() + uniform_sum(v, v / r, 1.0).ln()
        }
    }
}

/// ln K_v(x) for v ≥ 0, x ≥ 0 (else NaN); ∞ at x = 0. Accuracy and cost as [`log_bessel_i`], the integral some 5 µs.
pub fn log_bessel_k(v: f64, x: f64) -> f64 {
    if !(v >= 0.0 && x >= 0.0) {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::INFINITY;
    }
    match bessel_branch(v, x) {
        BesselBranch::Small => log_k_integral(v, x),
        BesselBranch::LargeArgument => -x + 0.5 * (FRAC_PI_2 / x).ln() + hankel_sum(v, x, 1.0).ln(),
        BesselBranch::LargeOrder => {
            let r = v.hypot(x);
            -(r - v * (v / x).asinh()) + 0.5 * (FRAC_PI_2 / r).ln() + uniform_sum(v, v / r, -1.0).ln()
        }
    }
}

/// Logarithm of the largest term (x/2)^{v+2k} / (k! Γ(v+k+1)) and the sum of all terms in units of it.
fn series_about_peak(v: f64, x: f64) -> (f64, f64) {
    let quarter = 0.25 * x * x;
    // Terms grow while k (k + v) < x²/4.
    let peak = (0.5 * ((v * v + x * x).sqrt() - v)).floor();
    let log_peak = (v + 2.0 * peak) * (0.5 * x).ln() - ln_gamma(peak + 1.0) - ln_gamma(v + peak + 1.0);
    let mut sum = 1.0;
    let (mut term, mut k) = (1.0, peak + 1.0);
    while term > 1e-17 * sum {
        term *= quarter / (k * (k + v));
        sum += term;
        k += 1.0;
    }
    (term, k) = (1.0, peak);
    while k >= 1.0 && term > 1e-17 * sum {
        term *= k * (k + v) / quarter;
        sum += term;
        k -= 1.0;
    }
    (log_peak, sum)
}

/// Σ (±1)^k a_k(v)/x^k, a_k/a_{k-1} = (4v² - (2k-1)²)/(8k), up to the smallest term.
fn hankel_sum(v: f64, x: f64, sign: f64) -> f64 {
    let mu = 4.0 * v * v;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..200 {
        let odd = f64::from(2 * k - 1);
        let next: f64 = term * sign * (mu - odd * odd) / (8.0 * x * f64::from(k));
        // They may first grow, while 2k < v²/x; after that the smallest one ends an asymptotic series.
        if next.abs() < 1e-17 || (odd > 2.0 * v && next.abs() > term.abs()) {
            break;
        }
        term = next;
        sum += term;
    }
    sum
}

/// Terms of the uniform expansion kept.
const UNIFORM_TERMS: usize = 20;

/// Coefficients of u_k(p) = Σ_j c_j p^{k+2j}, row after row (k + 1 of them), by DLMF 10.41.9:
/// u_{k+1} = p²(1-p²)/2 u_k' + ⅛ ∫₀ᵖ (1 - 5t²) u_k dt.
fn uniform_coefficients() -> &'static [Vec<f64>] {
    static TABLE: OnceLock<Vec<Vec<f64>>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rows = vec![vec![1.0]];
        for k in 0..UNIFORM_TERMS {
            let mut next = vec![0.0; k + 2];
            for (j, c) in rows[k].iter().enumerate() {
                let m = (k + 2 * j) as f64;
                next[j] += c * (0.5 * m + 0.125 / (m + 1.0));
                next[j + 1] -= c * (0.5 * m + 0.625 / (m + 3.0));
            }
            rows.push(next);
        }
        rows
    })
}

/// Σ (±1)^k u_k(p)/v^k.
fn uniform_sum(v: f64, p: f64, sign: f64) -> f64 {
    let (square, step) = (p * p, sign * p / v);
    let (mut power, mut sum, mut size) = (1.0, 1.0, 1.0);
    for (k, row) in uniform_coefficients().iter().enumerate().skip(1) {
        power *= step;
        sum += power * row.iter().rev().fold(0.0, |s, c| s * square + c);
        size *= k as f64 / (std::f64::consts::PI * v);
        if size < 1e-18 {
            break;
        }
    }
    sum
}

/// ln ∫₀^∞ e^{-x cosh t} cosh vt dt by the trapezoidal rule about the largest exponent. The integrand is analytic for
/// |Im t| < π/2, so that the error is e^{-π²/h} = 1e-17 at h = 1/4; a finer step costs little and allows for v.
fn log_k_integral(v: f64, x: f64) -> f64 {
    let h = 0.125;
    // ln cosh vt without overflow.
    let exponent = |t: f64| v * t + (-2.0 * v * t).exp().ln_1p() - LN_2 - x * t.cosh();
    let top = (v / x).asinh();
    let centre = (top / h).round();
    let peak = exponent(h * centre);
    let mut sum = if centre == 0.0 { 0.5 } else { 1.0 };
    let mut k = centre + 1.0;
    loop {
        let term = (exponent(h * k) - peak).exp();
        sum += term;
        k += 1.0;
        if term < 1e-18 * sum {
            break;
        }
    }
    k = centre - 1.0;
    while k >= 0.0 {
        let term = (exponent(h * k) - peak).exp();
        sum += if k == 0.0 { 0.5 * term } else { term };
        if term < 1e-18 * sum {
            break;
        }
        k -= 1.0;
    }
    peak + (h * sum).ln()
}

/// I_v(x) itself by its series: ∞ or 0 where no f64 holds it. What a library function gives; its logarithm is the naive way.
pub fn bessel_i(v: f64, x: f64) -> f64 {
    value_of(v, x, 0.0)
}

/// e^{-x} I_v(x): safe for large x, 0 where v is far above x.
pub fn bessel_i_scaled(v: f64, x: f64) -> f64 {
    value_of(v, x, x)
}

fn value_of(v: f64, x: f64, shift: f64) -> f64 {
    if !(v >= 0.0 && x > 0.0) {
        return if v == 0.0 && x == 0.0 { 1.0 } else { f64::NAN };
    }
    let (peak, sum) = series_about_peak(v, x);
    (peak - shift).exp() * sum
}

/// K_v(x) itself, and e^{x} K_v(x): ∞ or 0 where no f64 holds them.
pub fn bessel_k(v: f64, x: f64) -> f64 {
    log_bessel_k(v, x).exp()
}

pub fn bessel_k_scaled(v: f64, x: f64) -> f64 {
    (log_bessel_k(v, x) + x).exp()
}

/// ln I_v(x) as a reference for v ≥ 0, x > 0: the series from its first term in double-double, rescaled as it grows. O(x)
/// terms; error below 1e-20 of the terms it adds.
pub fn reference_log_i(v: f64, x: f64) -> f64 {
    let half = DoubleDouble::from(0.5 * x);
    let quarter = half * half;
    let (mut term, mut sum, mut scale) = (DoubleDouble::from(1.0), DoubleDouble::from(1.0), 0.0);
    let mut k = 1.0;
    loop {
        term = term * quarter / (DoubleDouble::sum(k, v) * DoubleDouble::from(k));
        sum = sum + term;
        if sum.hi > 1e200 {
            let down = (-600f64).exp2();
            (term, sum, scale) = (term.scaled(down), sum.scaled(down), scale + 600.0);
        }
        if term.hi < 1e-33 * sum.hi && k * (k + v) > quarter.hi {
            break;
        }
        k += 1.0;
    }
    let order = DoubleDouble::from(v);
    let gamma = DoubleDouble::sum(v, 1.0).ln_gamma();
    (order * half.ln() - gamma + sum.ln() + DoubleDouble::LN_2 * DoubleDouble::from(scale)).value()
}

/// ln K_v(x) as a reference for v ≥ 0, x > 0: the integral over the whole line, e^{vt - x cosh t}/2, in double-double, about its peak and
/// with a step that both its width and its strip of analyticity allow.
pub fn reference_log_k(v: f64, x: f64) -> f64 {
    // Half a standard deviation of the peak errs by e^{-8π²}, an eighth in the strip |Im t| < π/2 by as much: 1e-34.
    let width = 1.0 / v.hypot(x).sqrt();
    let h = (0.5 * width).min(0.125);
    let h = DoubleDouble::from(2f64.powf(h.log2().floor()));
    let centre = (v / x).asinh();
    let (order, argument, half) = (DoubleDouble::from(v), DoubleDouble::from(x), DoubleDouble::from(0.5));
    let exponent = |t: DoubleDouble| {
        let e = t.exp();
        order * t - argument * (e + DoubleDouble::from(1.0) / e) * half
    };
    let middle = DoubleDouble::from(centre);
    let peak = exponent(middle);
    let mut sum = DoubleDouble::from(1.0);
    for direction in [1.0, -1.0] {
        let mut k = direction;
        loop {
            let difference = exponent(middle + h * DoubleDouble::from(k)) - peak;
            if difference.hi < -75.0 {
                break;
            }
            sum = sum + difference.exp();
            k += direction;
        }
    }
    (peak + (sum * h * half).ln()).value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::{bessel_i0_scaled, bessel_i1_scaled};

    fn grid(n: usize) -> Vec<(f64, f64)> {
        let at = |i: usize, low: f64, high: f64| low * (high / low).powf(i as f64 / (n - 1) as f64);
        (0..n).flat_map(|i| (0..n).map(move |j| (at(i, 1.0, 1e4), at(j, 1e-2, 1e4)))).collect()
    }

    fn mixed(value: f64, exact: f64) -> f64 {
        (value - exact).abs() / exact.abs().max(1.0)
    }

    #[test]
    fn references_are_the_closed_forms_of_half_orders() {
        for x in [0.01, 0.7, 3.0, 31.0, 400.0, 9000.0_f64] {
            // I_{1/2} = √(2/πx) sinh x, K_{1/2} = √(π/2x) e^{-x}.
            let log_sinh = if x < 1.0 { x.sinh().ln() } else { x + (-(-2.0 * x).exp()).ln_1p() - LN_2 };
            let i = 0.5 * (1.0 / (FRAC_PI_2 * x)).ln() + log_sinh;
            let k = 0.5 * (FRAC_PI_2 / x).ln() - x;
            assert!(mixed(reference_log_i(0.5, x), i) < 2e-16 * 3.0, "I at {x}");
            assert!(mixed(reference_log_k(0.5, x), k) < 2e-16 * 3.0, "K at {x}");
            // K_{5/2} = √(π/2x) e^{-x} (1 + 3/x + 3/x²).
            let k = k + (3.0 / x + 3.0 / (x * x)).ln_1p();
            assert!(mixed(reference_log_k(2.5, x), k) < 1e-15, "K 5/2 at {x}");
            assert!(mixed(reference_log_k(2.51, x), k) > 1e-11);
            for (order, scaled) in [(0.0, bessel_i0_scaled(x)), (1.0, bessel_i1_scaled(x))] {
                assert!(mixed(reference_log_i(order, x), scaled.ln() + x) < 1e-13);
            }
        }
    }

    /// I_v K_{v+1} + I_{v+1} K_v = 1/x ties the two references, which share nothing.
    #[test]
    fn references_satisfy_the_wronskian() {
        for (v, x) in [(0.3, 0.02), (3.7, 2.0), (20.0, 35.0), (150.0, 3.0), (900.0, 1200.0)] {
            let a = reference_log_i(v, x) + reference_log_k(v + 1.0, x);
            let b = reference_log_i(v + 1.0, x) + reference_log_k(v, x);
            let sum = a.max(b) + (-(a - b).abs()).exp().ln_1p();
            let size = reference_log_i(v, x).abs() + 1.0;
            assert!((sum + x.ln()).abs() < 1e-15 * size, "v = {v}, x = {x}: {}", sum + x.ln());
            assert!((sum + (1.0001 * x).ln()).abs() > 5e-5);
        }
    }

    #[test]
    fn logarithms_hold_everywhere() {
        let (mut worst_i, mut worst_k) = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0));
        for (v, x) in grid(34).into_iter().chain([(0.0, 3.0), (0.2, 29.9), (11.99, 29.99), (11.99, 30.0), (12.0, 0.01)])
        {
            for (worst, value, exact) in [
                (&mut worst_i, log_bessel_i(v, x), reference_log_i(v, x)),
                (&mut worst_k, log_bessel_k(v, x), reference_log_k(v, x)),
            ] {
                let error = mixed(value, exact);
                assert!(error.is_finite(), "v = {v}, x = {x}: {value} {exact}");
                if error > worst.0 {
                    *worst = (error, v, x);
                }
            }
        }
        assert!(worst_i.0 < 1e-13 && worst_k.0 < 1e-13, "I {worst_i:?}, K {worst_k:?}");
        // A wrong limit shows: Hankel's series at a small argument, the uniform one at order 1.
        assert!(
            mixed(2.0 - 0.5 * (TAU * 2.0_f64).ln() + hankel_sum(1.0, 2.0, -1.0).ln(), reference_log_i(1.0, 2.0)) > 1e-6
        );
        assert!((uniform_sum(1.0, 0.7, 1.0).ln() - uniform_sum(1.0, 0.7001, 1.0).ln()).abs() > 1e-9);
    }

    #[test]
    fn values_fail_where_logarithms_do_not() {
        let cells = grid(30);
        let fails = |f: fn(f64, f64) -> f64| {
            cells.iter().filter(|(v, x)| !f(*v, *x).ln().is_finite()).count() as f64 / cells.len() as f64
        };
        let (naive, scaled) = (fails(bessel_i), fails(bessel_i_scaled));
        assert!(naive > 0.4 && scaled > 0.2 && scaled < naive, "{naive} {scaled}");
        assert!((bessel_i(2.0, 3.0) / 2.245_212_440_929_951_5 - 1.0).abs() < 1e-14);
        assert!(log_bessel_i(-1.0, 1.0).is_nan() && log_bessel_k(1.0, f64::NAN).is_nan());
        assert_eq!((log_bessel_i(0.0, 0.0), log_bessel_i(1.0, 0.0)), (0.0, f64::NEG_INFINITY));
    }
}
