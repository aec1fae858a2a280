//! Exactness on polynomials, spectral convergence, eigenvalues and boundary value problems with closed forms.

use std::f64::consts::PI;

use faer::linalg::solvers::Solve;

use super::*;
use crate::space::difference::{Condition, Side};
use crate::testing::max_difference;

fn times(matrix: &[f64], u: &[f64]) -> Vec<f64> {
    matrix.chunks_exact(u.len()).map(|row| row.iter().zip(u).map(|(a, u)| a * u).sum()).collect()
}

#[test]
fn exact_for_polynomials() {
    let grid = Chebyshev::new(12, -0.7, 1.9);
    assert_eq!((grid.x()[0], grid.x()[11]), (-0.7, 1.9));
    assert!(grid.x().is_sorted());
    let power = |x: f64, p: i32, k: i32| {
        let factor: f64 = (0..k).map(|i| f64::from(p - i)).product();
        if k > p { 0.0 } else { factor * x.powi(p - k) }
    };
    let mut fast = ChebyshevTransform::<f64>::new(&grid);
    let values = |p, k| grid.x().iter().map(|x| power(*x, p, k)).collect::<Vec<_>>();
    for p in 0..=11 {
        let u = values(p, 0);
        for k in 0..=4 {
            let scale = values(p, k).iter().fold(1.0_f64, |m, v| m.max(v.abs())) * 144.0_f64.powi(k);
            let by_matrix = times(&grid.matrix(k as usize), &u);
            assert!(max_difference(&by_matrix, &values(p, k)) < 1e-13 * scale, "{p} {k}");
            let mut by_transform = vec![f64::NAN; 12];
            fast.derivative(k as usize, &u, &mut by_transform);
            assert!(max_difference(&by_transform, &values(p, k)) < 1e-13 * scale, "{p} {k}");
        }
        let integral: f64 = grid.quadrature().iter().zip(&u).map(|(w, u)| w * u).sum();
        let exact = (1.9_f64.powi(p + 1) - (-0.7_f64).powi(p + 1)) / f64::from(p + 1);
        assert!((integral - exact).abs() < 1e-12 * exact.abs().max(1.0));
        for x in [-0.7, -0.3, 0.11, 1.0, grid.x()[4], 1.9] {
            assert!((grid.interpolate(&u, x) - power(x, p, 0)).abs() < 1e-11 * 1.9_f64.powi(p));
        }
        let (mut c, mut back) = (vec![0.0; 12], vec![0.0; 12]);
        fast.coefficients(&u, &mut c);
        fast.values(&c, &mut back);
        assert!(max_difference(&back, &u) < 1e-13 * 1.9_f64.powi(p).max(1.0));
    }
    // One degree more is not exact: a planted fault.
    let twelve = times(&grid.matrix(1), &values(12, 0));
    assert!(max_difference(&twelve, &values(12, 1)) > 1e-6);
    // T_3 has one coefficient.
    let on_unit = Chebyshev::new(9, -1.0, 1.0);
    let u: Vec<f64> = on_unit.x().iter().map(|x| 4.0 * x.powi(3) - 3.0 * x).collect();
    let mut c = vec![0.0; 9];
    ChebyshevTransform::new(&on_unit).coefficients(&u, &mut c);
    assert!((0..9).all(|k| (c[k] - if k == 3 { 1.0 } else { 0.0 }).abs() < 1e-15));
}

/// Errors of derivatives and integrals of an analytic function fall by a factor per point until rounding.
#[test]
fn spectral_convergence() {
    // Pole at distance 1 from the interval's middle, half width 1: the ellipse has axes sum 1 + √2.
    let f = |x: f64| 1.0 / (1.0 + x * x);
    let slope = |x: f64| -2.0 * x / (1.0 + x * x).powi(2);
    let error = |n: usize| {
        let grid = Chebyshev::new(n, -1.0, 1.0);
        let u: Vec<f64> = grid.x().iter().map(|x| f(*x)).collect();
        let exact: Vec<f64> = grid.x().iter().map(|x| slope(*x)).collect();
        let integral: f64 = grid.quadrature().iter().zip(&u).map(|(w, u)| w * u).sum();
        (max_difference(&times(&grid.matrix(1), &u), &exact), (integral - PI / 2.0).abs())
    };
    for n in [9, 17, 25] {
        // Eight points more: (1 + √2)^8 ≈ 1154.
        let ratio = error(n).0 / error(n + 8).0;
        assert!((300.0..3000.0).contains(&ratio), "{n}: {ratio}");
    }
    assert!(error(41).1 < 1e-15 * 4.0 && error(49).0 < 1e-12);
}

/// Eigenvalues of the Laplacian with each pair of ends, against closed forms.
#[test]
fn eigenvalues_of_the_laplacian() {
    let length = 2.5;
    let grid = Chebyshev::new(40, 1.0, 1.0 + length);
    let (value, slope) = (Side::Dirichlet, Side::Neumann);
    let check = |low: &Side, high: &Side, wavenumbers: &[f64]| {
        let sides = ChebyshevSides::new(&grid, low, high).unwrap();
        let (matrix, _) = sides.operator::<f64>(2);
        let n = sides.inner().len();
        let mut found: Vec<f64> = faer::Mat::from_fn(n, n, |i, j| matrix[i * n + j])
            .eigenvalues()
            .unwrap()
            .iter()
            .map(|v| {
                assert!(v.re < 1e-8 && v.im.abs() < 1e-6 * v.norm().max(1.0), "{v}");
                -v.re
            })
            .collect();
        found.sort_by(f64::total_cmp);
        for (found, k) in found.iter().zip(wavenumbers) {
            assert!((found - k * k).abs() < 1e-8 * (1.0 + k * k), "{low:?} {high:?}: {found} {}", k * k);
        }
    };
    let multiples = |shift: f64| (0..10).map(|m| PI * (f64::from(m) + shift) / length).collect::<Vec<_>>();
    check(&value, &value, &multiples(1.0));
    check(&slope, &slope, &multiples(0.0));
    check(&value, &slope, &multiples(0.5));
    // u(0) = 0, 2 u + u_n = 0 at the other end: tan(k L) = -k / 2, between (m + ½) π and (m + 1) π.
    let roots: Vec<f64> = (0..8)
        .map(|m| {
            let (mut a, mut b) = (PI * (f64::from(m) + 0.5) / length, PI * (f64::from(m) + 1.0) / length);
            for _ in 0..80 {
                let k = 0.5 * (a + b);
                let residual = |k: f64| 2.0 * (k * length).sin() + k * (k * length).cos();
                if residual(a) * residual(k) <= 0.0 { b = k } else { a = k }
            }
            0.5 * (a + b)
        })
        .collect();
    check(&value, &Side::Robin { a: 2.0, b: 1.0 }, &roots);
}

/// u_xx + u and u_xxxx with inhomogeneous data of every kind.
#[test]
fn boundary_value_problems() {
    let grid = Chebyshev::new(28, -0.5, 1.5);
    let u = |x: f64, k: usize| {
        // e^x sin 2x and its derivatives.
        let root = num_complex::Complex::new(1.0_f64, 2.0);
        (root.powu(k as u32) * (root * x).exp()).im
    };
    let list = |a, b| Side::Conditions(vec![a, b]);
    let (value, slope, mixed) = (Side::Dirichlet, Side::Neumann, Side::Robin { a: 1.0, b: 3.0 });
    let clamped = list(Condition::dirichlet(), Condition::neumann());
    let hinged = list(Condition::dirichlet(), Condition::moment());
    for (derivative, low, high) in [
        (2, &value, &value),
        (2, &slope, &value),
        (2, &slope, &mixed),
        (2, &mixed, &mixed),
        (4, &clamped, &clamped),
        (4, &hinged, &clamped),
        (1, &value, &Side::Free),
    ] {
        let sides = ChebyshevSides::new(&grid, low, high).unwrap();
        let mut data = Vec::new();
        for (side, sign, x) in [(low, -1.0_f64, -0.5), (high, 1.0, 1.5)] {
            for condition in side.conditions() {
                data.push((0..4).map(|k| condition.coefficients[k] * sign.powi(k as i32) * u(x, k)).sum::<f64>());
            }
        }
        let (matrix, affine) = sides.operator::<f64>(derivative);
        let (inner, count) = (sides.inner(), data.len());
        let n = inner.len();
        let a = faer::Mat::from_fn(n, n, |i, j| matrix[i * n + j] + if i == j { 1.0 } else { 0.0 });
        let b = faer::Mat::from_fn(n, 1, |i, _| {
            let x = grid.x()[inner.start + i];
            let known: f64 = affine[i * count..(i + 1) * count].iter().zip(&data).map(|(w, g)| w * g).sum();
            u(x, derivative) + u(x, 0) - known
        });
        let solution = a.partial_piv_lu().solve(&b);
        let mut field = vec![f64::NAN; 28];
        (0..n).for_each(|i| field[inner.start + i] = solution[(i, 0)]);
        sides.complete(&mut field, &data);
        let exact: Vec<f64> = grid.x().iter().map(|x| u(*x, 0)).collect();
        let error = max_difference(&field, &exact);
        assert!(error < 1e-8, "{derivative} {low:?} {high:?}: {error:e}");
        // A planted fault: other data, other solution.
        data[0] += 0.1;
        sides.complete(&mut field, &data);
        assert!(max_difference(&field, &exact) > 1e-5);
    }
}

#[test]
fn refusals() {
    let grid = Chebyshev::new(4, 0.0, 1.0);
    let error = |low: &Side, high: &Side| ChebyshevSides::new(&grid, low, high).unwrap_err();
    assert_eq!(error(&Side::Periodic, &Side::Periodic), ChebyshevError::Periodic);
    let clamped = Side::Conditions(vec![Condition::dirichlet(), Condition::neumann()]);
    assert_eq!(error(&clamped, &clamped), ChebyshevError::TooFewPoints { have: 4, need: 6 });
    let nothing = Side::Conditions(vec![Condition::new([0.0; 4])]);
    assert_eq!(error(&nothing, &Side::Free), ChebyshevError::Contradictory);
}
