//! Transforms against their definitions; solves against the difference operators, and against closed forms.

use std::f64::consts::{PI, TAU};

use super::*;
use crate::space::difference::{Derivative1, Side};
use crate::testing::{Lcg, max_difference, observed_order};

fn random(n: usize, seed: u64) -> Vec<f64> {
    let mut random = Lcg::new(seed);
    (0..n).map(|_| random.symmetric()).collect()
}

/// The sums of the documentation.
fn definition(kind: TrigKind, x: &[f64]) -> Vec<f64> {
    let n = x.len();
    let sum = |term: &dyn Fn(f64) -> f64| (0..n).map(|j| x[j] * term(j as f64)).sum::<f64>();
    let m = n as f64;
    (0..n)
        .map(|index| {
            let k = index as f64;
            match kind {
                TrigKind::Fourier if index <= n / 2 => sum(&|j| (TAU * j * k / m).cos()),
                TrigKind::Fourier => {
                    let k = (index - n / 2) as f64;
                    sum(&|j| -(TAU * j * k / m).sin())
                }
                TrigKind::Cosine1 => {
                    sum(&|j| if j == 0.0 || j == m - 1.0 { 1.0 } else { 2.0 } * (PI * j * k / (m - 1.0)).cos())
                }
                TrigKind::Sine1 => sum(&|j| 2.0 * (PI * (j + 1.0) * (k + 1.0) / (m + 1.0)).sin()),
                TrigKind::Cosine2 => sum(&|j| 2.0 * (PI * (j + 0.5) * k / m).cos()),
                TrigKind::Sine2 => sum(&|j| 2.0 * (PI * (j + 0.5) * (k + 1.0) / m).sin()),
            }
        })
        .collect()
}

const KINDS: [TrigKind; 5] =
    [TrigKind::Fourier, TrigKind::Cosine1, TrigKind::Sine1, TrigKind::Cosine2, TrigKind::Sine2];

#[test]
fn transforms_equal_their_definitions() {
    for kind in KINDS {
        for n in (2..40).chain([64, 101, 128]) {
            let x = random(n, n as u64);
            let mut y = x.clone();
            let mut plan = TrigTransform::<f64>::new(kind, n);
            plan.forward(&mut y);
            let expected = definition(kind, &x);
            assert!(max_difference(&y, &expected) < 1e-13 * n as f64, "{kind:?} of {n}");
            // A planted fault: neighbouring kinds do differ.
            for other in KINDS.into_iter().filter(|other| *other != kind && n > 3) {
                assert!(max_difference(&y, &definition(other, &x)) > 1e-3, "{kind:?} {other:?} {n}");
            }
            plan.inverse(&mut y);
            assert!(max_difference(&y, &x) < 1e-14, "{kind:?} of {n}, back");
        }
    }
}

const ENDS: [Ends; 5] =
    [Ends::Periodic, Ends::Dirichlet, Ends::Neumann, Ends::DirichletNeumann, Ends::NeumannDirichlet];

fn sides(ends: Ends) -> [Side; 2] {
    let (d, n) = (Side::Dirichlet, Side::Neumann);
    match ends {
        Ends::Periodic => [Side::Periodic, Side::Periodic],
        Ends::Dirichlet => [d, Side::Dirichlet],
        Ends::Neumann => [n, Side::Neumann],
        Ends::DirichletNeumann => [d, n],
        Ends::NeumannDirichlet => [n, d],
    }
}

/// Largest |reaction u - diffusion ∇·∇u - f| at unknown points, by the difference operators of order 2.
fn residual(axes: &[FastAxis], reaction: f64, diffusion: f64, slopes: [[&[f64]; 2]; 3], f: &[f64], u: &[f64]) -> f64 {
    let points = |axis: usize| axes.get(axis).map_or(1, |a| a.points);
    let shape = [points(2), points(1), points(0)];
    let mut sum: Vec<f64> = u.iter().map(|u| reaction * u).collect();
    let mut is_given = vec![false; u.len()];
    let mut stride = 1;
    for (axis, a) in axes.iter().enumerate() {
        let [low, high] = sides(a.ends);
        let d = Derivative1::<f64>::new(2, 2, a.points, a.spacing, &low, &high).unwrap();
        let mut second = vec![0.0; u.len()];
        let data = [[slopes[axis][0]], [slopes[axis][1]]];
        d.apply_along(axis, shape, u, [&data[0], &data[1]], &mut second);
        sum.iter_mut().zip(&second).for_each(|(s, v)| *s -= diffusion * v);
        for (i, given) in is_given.iter_mut().enumerate() {
            let at = i / stride % a.points;
            *given |= (at == 0 && low == Side::Dirichlet) || (at + 1 == a.points && high == Side::Dirichlet);
        }
        stride *= a.points;
    }
    (0..u.len()).filter(|i| !is_given[*i]).map(|i| (sum[i] - f[i]).abs()).fold(0.0, f64::max)
}

/// Every mix of ends on lines, planes and boxes, with values and slopes given: exact up to rounding.
#[test]
fn discrete_equations_are_solved_to_rounding() {
    let axis = |points: usize, ends: Ends| FastAxis { points, spacing: 1.3 / points as f64, ends };
    let mut cases: Vec<Vec<FastAxis>> = Vec::new();
    for a in ENDS {
        cases.push(vec![axis(33, a)]);
        for b in ENDS {
            cases.push(vec![axis(17, a), axis(12, b)]);
            cases.push(vec![axis(9, b), axis(8, a), axis(11, ENDS[(cases.len() * 7) % 5])]);
        }
    }
    for axes in cases {
        let n: usize = axes.iter().map(|a| a.points).product();
        let f = random(n, 11);
        let faces: Vec<Vec<f64>> =
            (0..6).map(|s| random(n / axes[(s / 2).min(axes.len() - 1)].points, s as u64)).collect();
        let slopes = std::array::from_fn(|axis| {
            std::array::from_fn(|side| if axis < axes.len() { &faces[2 * axis + side][..] } else { &[] })
        });
        let mut u = f.clone();
        Helmholtz::new(&axes, Symbol::Order(2)).unwrap().solve_with_slopes(0.7, 0.9, slopes, &mut u).unwrap();
        // Rounding of u times the largest symbol.
        let bound = 2e-12 * u.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        let found = residual(&axes, 0.7, 0.9, slopes, &f, &u);
        assert!(found < bound, "{axes:?}: {found:e}");
        // A planted fault: one value changed.
        u[n / 2] += 1e-6;
        assert!(residual(&axes, 0.7, 0.9, slopes, &f, &u) > 1e-6);
    }
}

#[test]
fn levels_that_nothing_fixes() {
    let axes = [
        FastAxis { points: 17, spacing: 0.1, ends: Ends::Neumann },
        FastAxis { points: 12, spacing: 0.2, ends: Ends::Periodic },
    ];
    let mut solver = Helmholtz::<f64>::new(&axes, Symbol::Order(2)).unwrap();
    let weight = |i: usize| if i % 17 == 0 || i % 17 == 16 { 0.5 } else { 1.0 };
    let mut f = random(17 * 12, 4);
    let mean = |u: &[f64]| (0..204).map(|i| weight(i) * u[i]).sum::<f64>() / (16.0 * 12.0);
    let before = mean(&f);
    match solver.solve(0.0, 1.0, &mut f.clone()) {
        Err(HelmholtzError::Incompatible { mean }) => assert!((mean - before).abs() < 1e-14),
        other => panic!("{other:?}"),
    }
    f.iter_mut().for_each(|v| *v -= before);
    let mut u = f.clone();
    solver.solve(0.0, 1.0, &mut u).unwrap();
    assert!(mean(&u).abs() < 1e-13 && residual(&axes, 0.0, 1.0, [[&[]; 2]; 3], &f, &u) < 1e-11);
    // Slopes count: inflow on one side alone has no steady state, in and out have.
    let (zero, one, minus) = ([0.0; 204], [1.0], [-1.0]);
    assert!(matches!(
        solver.solve_with_slopes(0.0, 1.0, [[&one, &[]], [&[]; 2], [&[]; 2]], &mut zero.clone()),
        Err(HelmholtzError::Incompatible { .. })
    ));
    let mut u = zero;
    solver.solve_with_slopes(0.0, 1.0, [[&minus, &one], [&[]; 2], [&[]; 2]], &mut u).unwrap();
    assert!((0..204).all(|i| (u[i] - (0.1 * (i % 17) as f64 - 0.8)).abs() < 1e-12));
}

#[test]
fn refusals() {
    let axis = FastAxis { points: 17, spacing: 0.1, ends: Ends::Dirichlet };
    let new = |axes: &[FastAxis], symbol| Helmholtz::<f64>::new(axes, symbol).err().unwrap();
    assert_eq!(new(&[], Symbol::Spectral), HelmholtzError::Axes(0));
    assert!(matches!(
        new(&[FastAxis { points: 2, ..axis }], Symbol::Spectral),
        HelmholtzError::Axis { have: 2, need: 3 }
    ));
    assert!(matches!(new(&[axis], Symbol::Order(3)), HelmholtzError::Axis { .. }));
    let mut solver = Helmholtz::<f64>::new(&[axis], Symbol::Spectral).unwrap();
    assert_eq!(solver.solve(0.0, 1.0, &mut [1.0; 17]), Err(HelmholtzError::Inhomogeneous));
    let mut solver = Helmholtz::<f64>::new(&[axis], Symbol::Order(2)).unwrap();
    // -λ u - u_xx with λ the third eigenvalue.
    let eigenvalue = 4.0 * (0.5 * PI * 3.0 / 16.0).sin().powi(2) / 0.01;
    assert_eq!(solver.solve(-eigenvalue, 1.0, &mut [0.0; 17]), Err(HelmholtzError::Resonant));
    let data = [1.0; 3];
    let wrong = solver.solve_with_slopes(1.0, 1.0, [[&data, &[]], [&[]; 2], [&[]; 2]], &mut [0.0; 17]);
    assert_eq!(wrong, Err(HelmholtzError::Data { have: 3, need: 1 }));
}

/// Closed form sin(πx) cos(2πy) on the unit square, given values in x and slopes in y: each order, and at once by spectra;
/// also with the square of the operator.
#[test]
fn orders_on_a_closed_form() {
    let errors = |symbol: Symbol, sizes: &[usize], is_squared: bool| -> Vec<f64> {
        sizes
            .iter()
            .map(|n| {
                let axis = |ends| FastAxis { points: n + 1, spacing: 1.0 / *n as f64, ends };
                let mut solver = Helmholtz::<f64>::new(&[axis(Ends::Dirichlet), axis(Ends::Neumann)], symbol).unwrap();
                let exact: Vec<f64> = (0..(n + 1) * (n + 1))
                    .map(|i| {
                        let (x, y) = ((i % (n + 1)) as f64 / *n as f64, (i / (n + 1)) as f64 / *n as f64);
                        if i % (n + 1) == 0 || i % (n + 1) == *n { 0.0 } else { (PI * x).sin() * (TAU * y).cos() }
                    })
                    .collect();
                let laplacian = 5.0 * PI * PI;
                let factor = if is_squared { laplacian * laplacian + 1.0 } else { laplacian + 1.0 };
                let mut u: Vec<f64> = exact.iter().map(|v| v * factor).collect();
                if is_squared {
                    solver.solve_symbol(|[x, y, z]| (x + y + z).powi(2) + 1.0, &mut u).unwrap();
                } else {
                    solver.solve(1.0, 1.0, &mut u).unwrap();
                }
                max_difference(&u, &exact)
            })
            .collect()
    };
    for is_squared in [false, true] {
        for (order, sizes) in [(2, [32, 64]), (4, [16, 32]), (6, [16, 32]), (8, [12, 24])] {
            let (found, _) = observed_order(&errors(Symbol::Order(order), &sizes, is_squared));
            assert!((found - order as f64).abs() < 0.35, "order {order}: {found}");
        }
        assert!(errors(Symbol::Spectral, &[8], is_squared)[0] < 1e-14);
    }
}

/// Poisson on 512² in double precision: residual over the right side, as the page's budget has it.
#[test]
fn large_plane_to_rounding() {
    let axis = |ends| FastAxis { points: if ends == Ends::Periodic { 512 } else { 513 }, spacing: 1.0 / 512.0, ends };
    for ends in [[Ends::Periodic, Ends::Periodic], [Ends::Dirichlet, Ends::Neumann]] {
        let axes = ends.map(axis);
        let mut solver = Helmholtz::<f64>::new(&axes, Symbol::Order(2)).unwrap();
        let n = solver.points();
        let (nx, ny) = (axes[0].points, axes[1].points);
        // Smooth, of mean zero.
        let f: Vec<f64> = (0..nx * ny)
            .map(|i| {
                let (x, y) = ((i % nx) as f64 / 512.0, (i / nx) as f64 / 512.0);
                if ends[0] == Ends::Dirichlet && (i % nx == 0 || i % nx == 512) {
                    return 0.0;
                }
                (TAU * x).sin() * (4.0 * PI * y).cos() + 0.3 * (3.0 * TAU * x).sin()
            })
            .collect();
        let mut u = f.clone();
        solver.solve(0.0, 1.0, &mut u).unwrap();
        let found = residual(&axes, 0.0, 1.0, [[&[]; 2]; 3], &f, &u);
        assert!(found < 1e-11, "{ends:?}, {n} points: {found:e}");
    }
}

/// `cargo test --release -p eddy_numerics poisson_speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn poisson_speed() {
    for ends in [Ends::Periodic, Ends::Dirichlet, Ends::Neumann, Ends::DirichletNeumann] {
        let points = if ends == Ends::Periodic { 512 } else { 513 };
        let axis = FastAxis { points, spacing: 1.0 / 512.0, ends };
        let mut solver = Helmholtz::<f64>::new(&[axis, axis], Symbol::Order(2)).unwrap();
        let zero = vec![0.0; solver.points()];
        let best = (0..20)
            .map(|_| {
                let mut u = zero.clone();
                u[points * 100 + 100] = 1.0;
                let start = web_time::Instant::now();
                solver.solve(1.0, 1.0, &mut u).unwrap();
                start.elapsed().as_secs_f64()
            })
            .fold(f64::INFINITY, f64::min);
        eprintln!("{ends:?} 512²: {:.2} ms", 1e3 * best);
    }
}
