//! Quadrature: adaptive, and the points of Gauss.

use std::collections::BinaryHeap;

/// Positive abscissae of the 15-point Kronrod rule, the centre last.
const NODES: [f64; 8] = [
    0.991_455_371_120_812_6,
    0.949_107_912_342_758_5,
    0.864_864_423_359_769_1,
    0.741_531_185_599_394_5,
    0.586_087_235_467_691_1,
    0.405_845_151_377_397_2,
    0.207_784_955_007_898_47,
    0.0,
];
const KRONROD: [f64; 8] = [
    0.022_935_322_010_529_224,
    0.063_092_092_629_978_55,
    0.104_790_010_322_250_18,
    0.140_653_259_715_525_92,
    0.169_004_726_639_267_9,
    0.190_350_578_064_785_42,
    0.204_432_940_075_298_9,
    0.209_482_141_084_727_82,
];
/// Weights of the 7-point Gauss rule at the nodes 1, 3, 5, 7 above.
const GAUSS: [f64; 4] =
    [0.129_484_966_168_869_7, 0.279_705_391_489_276_64, 0.381_830_050_505_118_93, 0.417_959_183_673_469_4];

/// An integral with its error estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Integral {
    pub value: f64,
    /// Estimate of the absolute error, usually far above the true one.
    pub error: f64,
    pub evaluations: u32,
    /// Whether the tolerance was met within the panels allowed.
    pub converged: bool,
}

#[derive(Clone, Copy, PartialEq)]
struct Panel {
    a: f64,
    b: f64,
    value: f64,
    error: f64,
}

impl Eq for Panel {}
impl PartialOrd for Panel {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Panel {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.error.total_cmp(&other.error)
    }
}

fn panel(f: &mut impl FnMut(f64) -> f64, a: f64, b: f64) -> Panel {
    let (centre, half) = (0.5 * (a + b), 0.5 * (b - a));
    let middle = f(centre);
    let (mut kronrod, mut gauss) = (KRONROD[7] * middle, GAUSS[3] * middle);
    for i in 0..7 {
        let sum = f(centre - half * NODES[i]) + f(centre + half * NODES[i]);
        kronrod += KRONROD[i] * sum;
        if i % 2 == 1 {
            gauss += GAUSS[i / 2] * sum;
        }
    }
    Panel { a, b, value: kronrod * half, error: ((kronrod - gauss) * half).abs() }
}

/// ∫ₐᵇ f by globally adaptive bisection of the panel with the largest error, Gauss-Kronrod 7/15 on each; at most
/// `max_panels` panels. Exact for polynomials of degree 22 on one panel. Piessens et al. (1983), QUADPACK.
pub fn integrate(
    mut f: impl FnMut(f64) -> f64,
    a: f64,
    b: f64,
    absolute: f64,
    relative: f64,
    max_panels: usize,
) -> Integral {
    let first = panel(&mut f, a, b);
    let mut evaluations = 15;
    let (mut value, mut error) = (first.value, first.error);
    // The common case needs no heap.
    if !(error > absolute.max(relative * value.abs())) {
        return Integral { value, error, evaluations, converged: !value.is_nan() };
    }
    let mut panels = BinaryHeap::from([first]);
    while error > absolute.max(relative * value.abs()) {
        if panels.len() >= max_panels {
            return Integral { value, error, evaluations, converged: false };
        }
        let Some(worst) = panels.pop() else { break };
        let middle = 0.5 * (worst.a + worst.b);
        let (left, right) = (panel(&mut f, worst.a, middle), panel(&mut f, middle, worst.b));
        evaluations += 30;
        value += left.value + right.value - worst.value;
        error += left.error + right.error - worst.error;
        panels.push(left);
        panels.push(right);
    }
    // The running sums carry rounding of every bisection: add up once more.
    value = panels.iter().map(|p| p.value).sum();
    Integral { value, error: panels.iter().map(|p| p.error).sum(), evaluations, converged: value.is_finite() }
}

/// Points and weights of Gauss-Legendre on [-1, 1], by Newton's method on the Legendre polynomial.
pub fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut points = vec![0.0; n];
    let mut weights = vec![0.0; n];
    for i in 0..n {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        // Newton converges quadratically from this start (Tricomi); 8 steps reach rounding for any n.
        for _ in 0..8 {
            let (mut p, mut before) = (1.0, 0.0);
            for k in 0..n {
                let k = k as f64;
                (p, before) = (((2.0 * k + 1.0) * x * p - k * before) / (k + 1.0), p);
            }
            slope = n as f64 * (x * p - before) / (x * x - 1.0);
            x -= p / slope;
        }
        points[i] = x;
        weights[i] = 2.0 / ((1.0 - x * x) * slope * slope);
    }
    (points, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_exact_to_degree_22_and_not_beyond() {
        for degree in 0..=22 {
            let exact = if degree % 2 == 0 { 2.0 / f64::from(degree + 1) } else { 0.0 };
            let p = panel(&mut |x: f64| x.powi(degree), -1.0, 1.0);
            assert!((p.value - exact).abs() < 2e-15, "degree {degree}: {}", p.value);
        }
        let p = panel(&mut |x: f64| x.powi(24), -1.0, 1.0);
        assert!((p.value - 2.0 / 25.0).abs() > 1e-12);
        // The Gauss rule inside is exact to 13.
        assert!(panel(&mut |x: f64| x.powi(12), -1.0, 1.0).error < 1e-15);
        assert!(panel(&mut |x: f64| x.powi(14), -1.0, 1.0).error > 1e-6);
    }

    #[test]
    fn hard_integrands_converge_and_say_when_not() {
        let i = integrate(|x| x.sqrt(), 0.0, 1.0, 0.0, 1e-10, 200);
        assert!(i.converged && (i.value - 2.0 / 3.0).abs() < 1e-10);
        let peak = integrate(|x| 1e-3 / (x * x + 1e-6), -1.0, 2.0, 0.0, 1e-11, 200);
        let exact = 2000.0_f64.atan() + 1000.0_f64.atan();
        assert!(peak.converged && (peak.value - exact).abs() < 1e-10);
        assert!(!integrate(|x| 1.0 / x, 0.0, 1.0, 0.0, 1e-10, 50).converged);
        assert!(!integrate(|_| f64::NAN, 0.0, 1.0, 0.0, 1e-10, 50).converged);
    }

    #[test]
    fn quadrature_is_exact_to_degree_2n_minus_1() {
        let (x, w) = gauss_legendre(6);
        for p in 0..12 {
            let got: f64 = x.iter().zip(&w).map(|(x, w)| w * x.powi(p)).sum();
            let exact = if p % 2 == 0 { 2.0 / f64::from(p + 1) } else { 0.0 };
            assert!((got - exact).abs() < 1e-14, "{p}");
        }
        let beyond: f64 = x.iter().zip(&w).map(|(x, w)| w * x.powi(12)).sum();
        assert!((beyond - 2.0 / 13.0).abs() > 1e-6);
    }
}
