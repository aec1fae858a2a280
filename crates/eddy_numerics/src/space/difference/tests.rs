//! Exactness on polynomials, spectra, and orders of solutions with every kind of side.

use faer::linalg::solvers::Solve;

use super::*;
use crate::testing::{Lcg, observed_order};

const ORDERS: [usize; 4] = [2, 4, 6, 8];

fn sides() -> Vec<Side> {
    let list = |c: &[Condition]| Side::Conditions(c.to_vec());
    vec![
        Side::Free,
        Side::Dirichlet,
        Side::Neumann,
        Side::Robin { a: 2.0, b: 1.0 },
        list(&[Condition::dirichlet(), Condition::moment()]),
        list(&[Condition::neumann(), Condition::dirichlet()]),
        list(&[Condition::neumann(), Condition::shear()]),
        list(&[Condition::moment(), Condition::shear()]),
    ]
}

/// Right-hand sides of the conditions for a function, given its derivative `j` along x at the end.
fn data(side: &Side, is_high: bool, derivative: impl Fn(usize) -> f64) -> Vec<f64> {
    let sign = |j: usize| if is_high || j.is_multiple_of(2) { 1.0 } else { -1.0 };
    side.conditions().iter().map(|c| (0..4).map(|j| c.coefficients[j] * sign(j) * derivative(j)).sum()).collect()
}

/// `apply_along` with constant data.
fn apply(d: &Derivative1<f64>, axis: usize, shape: [usize; 3], u: &[f64], g: [&[f64]; 2]) -> Vec<f64> {
    let mut out = vec![f64::NAN; u.len()];
    let lists = g.map(|g| g.iter().map(std::slice::from_ref).collect::<Vec<&[f64]>>());
    d.apply_along(axis, shape, u, [&lists[0], &lists[1]], &mut out);
    out
}

#[test]
fn classical_weights() {
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-13);
    let w = weights(0.0, &[-1.0, 0.0, 1.0], 2);
    assert!(near(&w[0], &[0.0, 1.0, 0.0]) && near(&w[1], &[-0.5, 0.0, 0.5]) && near(&w[2], &[1.0, -2.0, 1.0]));
    assert!(near(&weights(0.0, &[0.0, 1.0, 2.0, 3.0], 2)[2], &[2.0, -5.0, 4.0, -1.0]));
    // Half-way interpolation, any order of the nodes.
    assert!(near(&weights(0.5, &[2.0, 0.0, 1.0, -1.0], 0)[0], &[-0.0625, 0.5625, 0.5625, -0.0625]));
    // The comparison sees a node that has moved.
    assert!(!near(&weights(0.0, &[-1.0, 0.0, 1.1], 2)[2], &[1.0, -2.0, 1.0]));
    let periodic = |m, p| Derivative1::<f64>::new(m, p, 16, 1.0, &Side::Periodic, &Side::Periodic).unwrap();
    let eight = [-1.0 / 560.0, 8.0 / 315.0, -0.2, 1.6, -205.0 / 72.0, 1.6, -0.2, 8.0 / 315.0, -1.0 / 560.0];
    assert!(near(periodic(2, 8).interior(), &eight));
    assert!(near(periodic(1, 4).interior(), &[1.0 / 12.0, -2.0 / 3.0, 0.0, 2.0 / 3.0, -1.0 / 12.0]));
    assert!(near(periodic(4, 2).interior(), &[1.0, -4.0, 6.0, -4.0, 1.0]));
}

/// Every row differentiates the polynomials that its stencil can represent, with the conditions' data taken from them;
/// along every axis; and the rows as lists are the same operator.
#[test]
fn exact_for_polynomials() {
    let (n, h) = (21, 0.25);
    for side in sides() {
        for m in 1..=6 {
            for p in ORDERS {
                let d = Derivative1::<f64>::new(m, p, n, h, &side, &side).unwrap();
                let degree = closure_degree(m, p, &side.conditions()).min(m + p - 1);
                // (x - c)^degree and its derivatives, in a variable of size one.
                let power = |x: f64, k: usize| {
                    let factor: f64 = (0..k).map(|i| degree as f64 - i as f64).product();
                    if k > degree { 0.0 } else { factor * (x - 0.45 * h * n as f64).powi((degree - k) as i32) }
                };
                let x = |i: usize| i as f64 * h;
                let last = x(n - 1);
                let g = [data(&side, false, |j| power(0.0, j)), data(&side, true, |j| power(last, j))];
                for (axis, shape) in [[2, 3, n], [2, n, 3], [n, 2, 3]].into_iter().enumerate() {
                    let stride = [1, 3, 6][axis];
                    let u: Vec<f64> = (0..6 * n).map(|i| power(x(i / stride % n), 0)).collect();
                    let out = apply(&d, axis, shape, &u, [&g[0], &g[1]]);
                    let scale = u.iter().fold(1.0_f64, |a, u| a.max(u.abs())) * h.powi(-(m as i32));
                    for (i, found) in out.iter().enumerate() {
                        let at = i / stride % n;
                        let error = (found - power(x(at), m)).abs();
                        assert!(error < 1e-10 * scale, "{side:?}, derivative {m}, order {p}, point {at}: {error:e}");
                        let row = d.row(at);
                        let line = i - at * stride;
                        let mut sum: f64 = row.entries.iter().map(|(j, w)| w * u[line + j * stride]).sum();
                        for (weights, g) in [(&row.low, &g[0]), (&row.high, &g[1])] {
                            sum += weights.iter().zip(g).map(|(w, g)| w * g).sum::<f64>();
                        }
                        assert!((sum - found).abs() < 1e-11 * scale);
                    }
                    // A planted fault: data of another function must show, where the side has any.
                    if side.conditions().iter().any(|c| !c.is_dirichlet()) {
                        let wrong: Vec<f64> = g[0].iter().map(|g| g + 0.1 * scale).collect();
                        let out = apply(&d, axis, shape, &u, [&wrong, &g[1]]);
                        assert!((out[0] - power(0.0, m)).abs() > 1e-4 * scale);
                    }
                }
            }
        }
    }
}

#[test]
fn one_number_a_line_and_one_for_all() {
    let d = Derivative1::<f64>::new(2, 4, 9, 0.5, &Side::Neumann, &Side::Robin { a: 1.0, b: 2.0 }).unwrap();
    let mut random = Lcg::new(5);
    let u: Vec<f64> = (0..9 * 4).map(|_| random.symmetric()).collect();
    let (low, high) = ([0.3, -0.2, 0.7, 0.1], [1.0, 2.0, 3.0, 4.0]);
    let mut out = vec![0.0; u.len()];
    // Axis y of shape [2, 9, 2]: lines (z, x).
    d.apply_along(1, [2, 9, 2], &u, [&[&low], &[&high]], &mut out);
    for z in 0..2 {
        for x in 0..2 {
            let line: Vec<f64> = (0..9).map(|y| u[(z * 9 + y) * 2 + x]).collect();
            let alone = apply(&d, 0, [1, 1, 9], &line, [&[low[z * 2 + x]], &[high[z * 2 + x]]]);
            assert!((0..9).all(|y| (alone[y] - out[(z * 9 + y) * 2 + x]).abs() < 1e-13));
        }
    }
}

/// No flux at order 2 is the reflected stencil, to the last bit, and u_n = g adds 2 g / h.
#[test]
fn no_flux_is_reflection() {
    let d = Derivative1::<f64>::new(2, 2, 8, 0.5, &Side::Neumann, &Side::Neumann).unwrap();
    assert_eq!(d.row(0), Row { entries: vec![(0, -8.0), (1, 8.0)], low: vec![4.0], high: vec![] });
    assert_eq!(d.row(7), Row { entries: vec![(6, 8.0), (7, -8.0)], low: vec![], high: vec![4.0] });
    let first = Derivative1::<f64>::new(1, 2, 8, 0.5, &Side::Neumann, &Side::Neumann).unwrap();
    assert_eq!(first.row(0).entries.iter().map(|(_, w)| w.abs()).fold(0.0, f64::max), 0.0);
    assert_eq!((first.row(0).low, first.row(7).high), (vec![-1.0], vec![1.0]));
}

#[test]
fn periodic_modes_are_eigenvectors() {
    for m in 1..=6 {
        for p in ORDERS {
            let n = 32;
            let h = std::f64::consts::TAU / n as f64;
            let d = Derivative1::<f64>::new(m, p, n, h, &Side::Periodic, &Side::Periodic).unwrap();
            let k = 5.0;
            let (re, im) = d.symbol(k * h);
            let exact = k.powi(m as i32);
            let sign = if matches!(m % 4, 0 | 1) { 1.0 } else { -1.0 };
            let found = if m % 2 == 0 { re } else { im };
            // 5 of 16 modes: the phase is about 1, where order p leaves about c·1^p.
            assert!((found - sign * exact).abs() < 0.45 * exact, "{m} {p} {found}");
            let cosine: Vec<f64> = (0..n).map(|i| (k * h * i as f64).cos()).collect();
            let out = apply(&d, 0, [1, 1, n], &cosine, [&[], &[]]);
            for (i, o) in out.iter().enumerate() {
                let x = k * h * i as f64;
                assert!((o - (re * x.cos() - im * x.sin())).abs() < 1e-11 * exact * 20.0);
            }
        }
    }
}

#[test]
fn f32_is_the_rounded_f64() {
    let side = Side::Robin { a: 1.0, b: 1.0 };
    let (a, b) = (
        Derivative1::<f64>::new(2, 6, 40, 0.1, &side, &Side::Neumann).unwrap(),
        Derivative1::<f32>::new(2, 6, 40, 0.1, &side, &Side::Neumann).unwrap(),
    );
    for i in 0..40 {
        let pairs = a.row(i).entries.into_iter().zip(b.row(i).entries);
        pairs.for_each(|((_, a), (_, b))| assert!((a - f64::from(b)).abs() <= 1e-7 * a.abs()));
    }
}

#[test]
fn refusals_say_what_to_do() {
    let new = |m, p, n, low: &Side, high: &Side| Derivative1::<f64>::new(m, p, n, 0.1, low, high).unwrap_err();
    let (free, periodic) = (Side::Free, Side::Periodic);
    assert_eq!(new(7, 2, 50, &free, &free), DifferenceError::Unsupported { derivative: 7, order: 2 });
    assert_eq!(new(2, 3, 50, &free, &free), DifferenceError::Unsupported { derivative: 2, order: 3 });
    assert_eq!(new(2, 4, 50, &free, &periodic), DifferenceError::HalfPeriodic);
    assert_eq!(new(2, 8, 8, &periodic, &periodic), DifferenceError::TooFewPoints { have: 8, need: 9 });
    let twice = Side::Conditions(vec![Condition::dirichlet(); 2]);
    assert_eq!(new(4, 2, 50, &twice, &free), DifferenceError::TooManyConditions(2));
    let same = Side::Conditions(vec![Condition::neumann(); 2]);
    assert_eq!(new(4, 2, 50, &same, &free), DifferenceError::Contradictory);
    let nothing = Side::Conditions(vec![Condition::new([0.0; 4])]);
    assert_eq!(new(2, 2, 50, &nothing, &free), DifferenceError::Contradictory);
}

/// The operator's matrix, without the points whose value is given.
fn matrix(d: &Derivative1<f64>, low: &Side, high: &Side) -> faer::Mat<f64> {
    let n = d.points();
    let first = usize::from(low.dirichlet().is_some());
    let last = n - usize::from(high.dirichlet().is_some());
    let mut a = faer::Mat::zeros(last - first, last - first);
    for i in first..last {
        for (j, w) in d.row(i).entries {
            if (first..last).contains(&j) {
                a[(i - first, j - first)] += w;
            }
        }
    }
    a
}

/// Largest real part, and largest imaginary part, of the eigenvalues of factor · D, both over the largest magnitude.
fn spectrum(d: &Derivative1<f64>, low: &Side, high: &Side, factor: f64) -> (f64, f64) {
    let values = matrix(d, low, high).eigenvalues().unwrap();
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.norm()));
    let real = values.iter().fold(f64::NEG_INFINITY, |m, v| m.max(factor * v.re));
    (real / largest, values.iter().fold(0.0_f64, |m, v| m.max(v.im.abs())) / largest)
}

fn on_unit(m: usize, p: usize, n: usize, low: &Side, high: &Side) -> Derivative1<f64> {
    Derivative1::new(m, p, n, 1.0 / (n - 1) as f64, low, high).unwrap()
}

#[test]
fn diffusion_decays_and_waves_do_not_grow() {
    let (value, slope) = (Side::Dirichlet, Side::Neumann);
    let (mild, stiff) = (Side::Robin { a: 2.0, b: 1.0 }, Side::Robin { a: 100.0, b: 1.0 });
    let hinge = Side::Conditions(vec![Condition::dirichlet(), Condition::moment()]);
    let mirror = Side::Conditions(vec![Condition::neumann(), Condition::shear()]);
    for (low, high) in [
        (&value, &value),
        (&slope, &slope),
        (&mild, &mild),
        (&stiff, &value),
        (&value, &slope),
        (&slope, &mild),
        (&hinge, &hinge),
        (&mirror, &mirror),
        (&mirror, &value),
    ] {
        for p in ORDERS {
            for n in [20, 41, 80] {
                let (real, imaginary) = spectrum(&on_unit(2, p, n, low, high), low, high, 1.0);
                assert!(real < 1e-12 && imaginary < 1e-12, "{low:?} {high:?} order {p}: {real:e} {imaginary:e}");
            }
        }
    }
    // A planted fault: the closure that would keep order 8 with given values has complex eigenvalues.
    let d = Derivative1::with_degrees(2, 8, 41, 1.0 / 40.0, [&value, &value], [9, 9]).unwrap();
    assert!(spectrum(&d, &value, &value, 1.0).1 > 0.01);
}

#[test]
fn advection_leaves_through_a_free_side() {
    for p in ORDERS {
        for n in [20, 41, 80, 161] {
            let d = on_unit(1, p, n, &Side::Dirichlet, &Side::Free);
            let (real, _) = spectrum(&d, &Side::Dirichlet, &Side::Free, -1.0);
            assert!(real < 1e-9, "order {p}: {real:e}");
            let d = on_unit(1, p, n, &Side::Free, &Side::Dirichlet);
            assert!(spectrum(&d, &Side::Free, &Side::Dirichlet, 1.0).0 < 1e-9);
        }
    }
    let sides = [&Side::Dirichlet, &Side::Free];
    let d = Derivative1::with_degrees(1, 8, 41, 1.0 / 40.0, sides, [8, 8]).unwrap();
    assert!(spectrum(&d, &Side::Dirichlet, &Side::Free, -1.0).0 > 0.01);
}

#[test]
fn beams_swing_and_dispersive_waves_pass() {
    let list = |a, b| Side::Conditions(vec![a, b]);
    for side in [
        list(Condition::dirichlet(), Condition::moment()),
        list(Condition::dirichlet(), Condition::neumann()),
        list(Condition::neumann(), Condition::shear()),
        list(Condition::moment(), Condition::shear()),
    ] {
        for p in ORDERS {
            for n in [20, 41, 60] {
                let (real, imaginary) = spectrum(&on_unit(4, p, n, &side, &side), &side, &side, -1.0);
                // Free ends have double eigenvalues 0 (shift and turn), which rounding splits by its square root.
                assert!(real < 1e-9 && imaginary < 1e-8, "{side:?} order {p}: {real:e} {imaginary:e}");
            }
        }
    }
    let outflow = list(Condition::dirichlet(), Condition::neumann());
    for p in ORDERS {
        for n in [20, 41, 60] {
            // u_t = -u_xxx on [0, 1]: one condition at the left, two at the right.
            let d = on_unit(3, p, n, &Side::Dirichlet, &outflow);
            assert!(spectrum(&d, &Side::Dirichlet, &outflow, -1.0).0 < 1e-9, "order {p}");
        }
    }
}

/// e^{-x} sin(2x + 0.4) as the imaginary part of e^{0.4i} e^{(−1+2i)x}, with all derivatives; no symmetry at either end.
fn smooth(x: f64, derivative: usize) -> f64 {
    let root = num_complex::Complex::new(-1.0_f64, 2.0);
    (num_complex::Complex::new(0.0, 0.4).exp() * root.powu(derivative as u32) * (root * x).exp()).im
}

/// Largest error of the solution of D u + shift u = f with all sides' data taken from [`smooth`].
fn error(m: usize, p: usize, n: usize, sides: [&Side; 2], shift: f64) -> f64 {
    let h = 1.5 / (n - 1) as f64;
    let d = Derivative1::<f64>::new(m, p, n, h, sides[0], sides[1]).unwrap();
    let x = |i: usize| i as f64 * h;
    let g = [data(sides[0], false, |j| smooth(0.0, j)), data(sides[1], true, |j| smooth(1.5, j))];
    let (mut a, mut b) = (faer::Mat::<f64>::zeros(n, n), faer::Mat::<f64>::zeros(n, 1));
    for i in 0..n {
        let end = usize::from(i + 1 == n);
        if (i == 0 || end == 1)
            && let Some(which) = sides[end].dirichlet()
        {
            a[(i, i)] = 1.0;
            b[(i, 0)] = g[end][which] / sides[end].conditions()[which].coefficients[0];
            continue;
        }
        let row = d.row(i);
        row.entries.iter().for_each(|(j, w)| a[(i, *j)] += w);
        a[(i, i)] += shift;
        let given = [(&row.low, &g[0]), (&row.high, &g[1])];
        let known: f64 = given.iter().map(|(w, g)| w.iter().zip(*g).map(|(w, g)| w * g).sum::<f64>()).sum();
        b[(i, 0)] = smooth(x(i), m) + shift * smooth(x(i), 0) - known;
    }
    let u = a.partial_piv_lu().solve(&b);
    (0..n).map(|i| (u[(i, 0)] - smooth(x(i), 0)).abs()).fold(0.0, f64::max)
}

/// The order of solutions with inhomogeneous data at every kind of side, in bands of two sides.
#[test]
fn solutions_have_their_order() {
    let list = |a, b| Side::Conditions(vec![a, b]);
    let (hinged, clamped) =
        (list(Condition::dirichlet(), Condition::moment()), list(Condition::dirichlet(), Condition::neumann()));
    let free = list(Condition::moment(), Condition::shear());
    let mixed = Side::Robin { a: 2.0, b: 1.0 };
    let (value, slope, open) = (Side::Dirichlet, Side::Neumann, Side::Free);
    // Derivative, shift, sides, expected orders for 2, 4, 6, 8.
    let cases: [(usize, f64, [&Side; 2], [f64; 4]); 9] = [
        (2, -1.0, [&value, &value], [2.0, 4.0, 6.5, 6.5]),
        (2, -1.0, [&slope, &slope], [2.0, 4.0, 6.0, 8.0]),
        (2, -1.0, [&mixed, &mixed], [2.0, 4.0, 6.0, 8.0]),
        (2, -1.0, [&value, &mixed], [2.0, 4.0, 6.5, 6.5]),
        (1, 0.0, [&value, &open], [2.0, 4.0, 4.0, 4.0]),
        (4, 1.0, [&hinged, &hinged], [2.0, 4.0, 6.0, 6.0]),
        // On the grids that rounding allows, errors of the ends rule.
        (4, 1.0, [&clamped, &clamped], [2.0, 4.0, 8.0, 7.0]),
        (4, 1.0, [&clamped, &free], [2.0, 4.0, 6.0, 7.0]),
        (3, 0.0, [&value, &clamped], [2.0, 4.0, 5.5, 5.0]),
    ];
    for (m, shift, sides, orders) in cases {
        for (p, expected) in ORDERS.into_iter().zip(orders) {
            // High orders reach rounding on fine grids, fourth derivatives first.
            let sizes: &[usize] = match (m, p) {
                (4, 8) => &[13, 19],
                (4, 6) => &[16, 31],
                (1, _) | (_, 2 | 4) => &[41, 81],
                (_, 8) => &[16, 31],
                _ => &[21, 41],
            };
            let errors: Vec<f64> = sizes.iter().map(|n| error(m, p, *n, sides, shift)).collect();
            let ratio = ((sizes[1] - 1) as f64 / (sizes[0] - 1) as f64).log2();
            let found = observed_order(&errors).0 / ratio;
            assert!((found - expected).abs() < 0.65, "{m}, order {p}, {sides:?}: {found} {errors:?}");
        }
    }
}

/// `cargo test --release -p eddy_numerics difference_speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn difference_speed() {
    let n = 512;
    let u: Vec<f64> = (0..n * n).map(|i| (i as f64).sin()).collect();
    let mut out = vec![0.0; n * n];
    for p in ORDERS {
        for axis in 0..2 {
            let d = Derivative1::<f64>::new(2, p, n, 0.1, &Side::Dirichlet, &Side::Neumann).unwrap();
            let best = (0..30)
                .map(|_| {
                    let start = web_time::Instant::now();
                    d.apply_along(axis, [1, n, n], &u, [&[], &[]], &mut out);
                    start.elapsed().as_secs_f64()
                })
                .fold(f64::INFINITY, f64::min);
            eprintln!("order {p}, axis {axis}: {:.3} ns a point", 1e9 * best / (n * n) as f64);
        }
    }
}
