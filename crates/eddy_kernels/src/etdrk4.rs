//! Coefficients of ETDRK4 for a diagonal linear part.

use std::collections::HashMap;
use std::f64::consts::TAU;

use crate::Complex;

/// Rows of the coefficient table, in order.
pub const ROWS: usize = 6;

/// Points of the contour. The mean over equidistant points of a circle converges exponentially; 32 reach f64 rounding for
/// these entire functions on radius 1.
const CONTOUR_POINTS: usize = 32;

type C64 = [f64; 2];

fn times(a: C64, b: C64) -> C64 {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

fn plus(a: C64, b: C64) -> C64 {
    [a[0] + b[0], a[1] + b[1]]
}

fn scaled(s: f64, a: C64) -> C64 {
    [s * a[0], s * a[1]]
}

fn over(a: C64, b: C64) -> C64 {
    scaled(1.0 / (b[0] * b[0] + b[1] * b[1]), times(a, [b[0], -b[1]]))
}

fn exponential(a: C64) -> C64 {
    let (sin, cos) = a[1].sin_cos();
    scaled(a[0].exp(), [cos, sin])
}

/// E, E2, Q, f1, f2, f3 of one mode with λ = `symbol` and step `dt` (Kassam and Trefethen 2005, SIAM J. Sci. Comput. 26,
/// 1214, section 3), the last four as means over a circle of radius 1 around λ dt, which avoids the cancellation near 0.
pub fn mode_coefficients(symbol: [f64; 2], dt: f64) -> [[f64; 2]; ROWS] {
    let z = scaled(dt, symbol);
    let mut means = [[0.0; 2]; 4];
    for j in 0..CONTOUR_POINTS {
        let (sin, cos) = (TAU * (j as f64 + 0.5) / CONTOUR_POINTS as f64).sin_cos();
        let r = plus(z, [cos, sin]);
        let (e, half) = (exponential(r), exponential(scaled(0.5, r)));
        let r2 = times(r, r);
        let r3 = times(r2, r);
        // Q = (e^{r/2} - 1) / r
        let q = over(plus(half, [-1.0, 0.0]), r);
        // f1 = (-4 - r + e^r (4 - 3 r + r²)) / r³
        let tail = plus(plus([4.0, 0.0], scaled(-3.0, r)), r2);
        let f1 = over(plus(plus([-4.0, 0.0], scaled(-1.0, r)), times(e, tail)), r3);
        // f2 = (2 + r + e^r (r - 2)) / r³
        let f2 = over(plus(plus([2.0, 0.0], r), times(e, plus(r, [-2.0, 0.0]))), r3);
        // f3 = (-4 - 3 r - r² + e^r (4 - r)) / r³
        let head = plus(plus([-4.0, 0.0], scaled(-3.0, r)), scaled(-1.0, r2));
        let f3 = over(plus(head, times(e, plus([4.0, 0.0], scaled(-1.0, r)))), r3);
        for (mean, value) in means.iter_mut().zip([q, f1, f2, f3]) {
            *mean = plus(*mean, scaled(dt / CONTOUR_POINTS as f64, value));
        }
    }
    [exponential(z), exponential(scaled(0.5, z)), means[0], means[1], means[2], means[3]]
}

/// Six rows of `symbols.len()` coefficients, as etdrk4/stage and etdrk4/combine read them.
///
/// Equal symbols are computed once: an isotropic plane has few distinct ones.
pub fn coefficients(symbols: &[[f64; 2]], dt: f64) -> Vec<Complex> {
    let count = symbols.len();
    let mut table = vec![[0.0; 2]; ROWS * count];
    let mut known: HashMap<[u64; 2], [[f64; 2]; ROWS]> = HashMap::new();
    for (i, symbol) in symbols.iter().enumerate() {
        let rows = known.entry(symbol.map(f64::to_bits)).or_insert_with(|| mode_coefficients(*symbol, dt));
        for (row, value) in rows.iter().enumerate() {
            table[row * count + i] = value.map(|v| v as f32);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// φ_k by its Taylor series, good for |z| ≤ 1: the independent path near the removable singularity.
    fn phi(k: usize, z: C64) -> C64 {
        let mut term = [1.0 / (1..=k).product::<usize>() as f64, 0.0];
        let mut sum = [0.0; 2];
        for n in 1..40 {
            sum = plus(sum, term);
            term = scaled(1.0 / (n + k) as f64, times(term, z));
        }
        sum
    }

    fn check(z: C64, bend: f64) -> f64 {
        let [_, _, q, f1, f2, f3] = mode_coefficients(scaled(10.0, z), 0.1);
        let (p1, p2, p3) = (phi(1, z), phi(2, z), phi(3, z));
        // In φ functions: Q = ½ φ1(z/2), f1 = φ1 - 3 φ2 + 4 φ3, f2 = φ2 - 2 φ3, f3 = -φ2 + 4 φ3.
        let expected = [
            scaled(0.5, phi(1, scaled(0.5, z))),
            plus(plus(p1, scaled(-3.0, p2)), scaled(4.0 + bend, p3)),
            plus(p2, scaled(-2.0, p3)),
            plus(scaled(-1.0, p2), scaled(4.0, p3)),
        ];
        let pairs = [q, f1, f2, f3].into_iter().zip(expected);
        pairs.map(|(a, b)| (a[0] - 0.1 * b[0]).abs() + (a[1] - 0.1 * b[1]).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn contour_means_equal_taylor_series() {
        for z in [[0.0, 0.0], [-1e-9, 0.0], [-0.3, 0.4], [0.9, 0.0], [0.0, -0.7]] {
            assert!(check(z, 0.0) < 3e-15, "{z:?}: {:e}", check(z, 0.0));
            assert!(check(z, 1e-9) > 3e-15, "a bent coefficient must show");
        }
    }

    #[test]
    fn large_decay_has_the_stiff_limit() {
        // For λ dt → -∞: Q → -1/λ, f3 → λ² terms dominate: f3 = dt (-4 - 3 z - z²) / z³ exactly but for e^z.
        let z = -200.0;
        let [e, _, q, _, _, f3] = mode_coefficients([z, 0.0], 1.0);
        assert!(e[0] < 1e-80 && (q[0] + 1.0 / z).abs() < 1e-15);
        assert!((f3[0] - (-4.0 - 3.0 * z - z * z) / (z * z * z)).abs() < 1e-15);
    }
}
