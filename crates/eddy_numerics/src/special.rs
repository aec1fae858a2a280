//! Special functions.

pub mod double_double;
pub mod log_bessel;
pub mod von_mises_fisher;

/// e^{-|x|} I₁(x), the modified Bessel function scaled so that it never overflows; odd in x, about 1/√(2πx) for large x.
///
/// Relative error below 1e-14. |x| < 30: the power series, whose terms all have one sign (no cancellation), about x/2 + 20
/// terms. Beyond: the asymptotic series, Abramowitz & Stegun 9.7.1, cut at its rounding level.
pub fn bessel_i1_scaled(x: f64) -> f64 {
    let z = x.abs();
    let value = if z < 30.0 {
        let quarter = 0.25 * z * z;
        // (z/2)^(2k+1) / (k! (k+1)!)
        let mut term = 0.5 * z * (-z).exp();
        let mut sum = term;
        let mut k = 1.0;
        while term > sum * 1e-17 {
            term *= quarter / (k * (k + 1.0));
            sum += term;
            k += 1.0;
        }
        sum
    } else if z.is_finite() {
        let mut term = 1.0;
        let mut sum = 1.0;
        for k in 1..40 {
            let odd = f64::from(2 * k - 1);
            let next = term * -(4.0 - odd * odd) / (8.0 * z * f64::from(k));
            if next.abs() < 1e-17 || next.abs() > term.abs() {
                break;
            }
            term = next;
            sum += term;
        }
        sum / (std::f64::consts::TAU * z).sqrt()
    } else if z.is_nan() {
        z
    } else {
        0.0
    };
    value.copysign(x)
}

/// e^{-|x|} I₀(x). Same method and accuracy as [`bessel_i1_scaled`].
pub fn bessel_i0_scaled(x: f64) -> f64 {
    let z = x.abs();
    if z < 30.0 {
        let quarter = 0.25 * z * z;
        let mut term = (-z).exp();
        let mut sum = term;
        let mut k = 1.0;
        while term > sum * 1e-17 {
            term *= quarter / (k * k);
            sum += term;
            k += 1.0;
        }
        sum
    } else if z.is_finite() {
        let mut term = 1.0;
        let mut sum = 1.0;
        for k in 1..40 {
            let odd = f64::from(2 * k - 1);
            let next = term * odd * odd / (8.0 * z * f64::from(k));
            if next.abs() < 1e-17 || next.abs() > term.abs() {
                break;
            }
            term = next;
            sum += term;
        }
        sum / (std::f64::consts::TAU * z).sqrt()
    } else if z.is_nan() {
        z
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I_n(x) = (1/π) ∫₀^π e^{x cos θ} cos nθ dθ by the trapezoidal rule, which converges exponentially here.
    fn by_integral(n: f64, x: f64) -> f64 {
        let points = 400;
        let sum: f64 = (0..=points)
            .map(|j| {
                let theta = std::f64::consts::PI * f64::from(j) / f64::from(points);
                let weight = if j == 0 || j == points { 0.5 } else { 1.0 };
                weight * (x * (theta.cos() - 1.0)).exp() * (n * theta).cos()
            })
            .sum();
        sum / f64::from(points)
    }

    #[test]
    fn equals_its_integral() {
        for x in [0.01, 0.5, 1.0, 3.0, 10.0, 29.0, 29.999, 30.0, 35.0, 100.0, 2000.0] {
            let (i1, i0) = (by_integral(1.0, x), by_integral(0.0, x));
            assert!((bessel_i1_scaled(x) / i1 - 1.0).abs() < 1e-13, "I1({x}): {} {i1}", bessel_i1_scaled(x));
            assert!((bessel_i0_scaled(x) / i0 - 1.0).abs() < 1e-13, "I0({x})");
            assert_eq!(bessel_i1_scaled(-x), -bessel_i1_scaled(x));
        }
        // A planted fault: I1 is not I0.
        assert!((bessel_i0_scaled(3.0) / by_integral(1.0, 3.0) - 1.0).abs() > 0.1);
        // Abramowitz & Stegun, table 9.8: e^{-1} I1(1).
        assert!((bessel_i1_scaled(1.0) - 0.207_910_415_349_708_5).abs() < 1e-15);
        assert!(
            bessel_i1_scaled(1e300) > 0.0 && bessel_i1_scaled(f64::INFINITY) == 0.0 && bessel_i1_scaled(0.0) == 0.0
        );
    }
}
