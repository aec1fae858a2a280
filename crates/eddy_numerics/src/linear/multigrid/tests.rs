//! Cycles against difference operators and closed forms; their speed against theory, on several sizes.

use super::*;
use crate::space::difference::Derivative1;
use crate::testing::{Lcg, max_difference, observed_order};

fn random(n: usize, seed: u64) -> Vec<f64> {
    let mut random = Lcg::new(seed);
    (0..n).map(|_| random.symmetric()).collect()
}

fn problem(points: [usize; 2], sides: [[Side; 2]; 2]) -> EllipticProblem<'static, f64> {
    let spacing = [0, 1].map(|axis| {
        let intervals = if sides[axis][0] == Side::Periodic { points[axis] } else { points[axis] - 1 };
        1.0 / intervals.max(1) as f64
    });
    EllipticProblem { points, spacing, sides, diffusion: &[1.0], reaction: &[0.0] }
}

fn both(side: Side) -> [Side; 2] {
    [side.clone(), side]
}

/// Largest residual over points that are not given, by difference operators of order 2.
fn difference_residual(p: &EllipticProblem<f64>, f: &[f64], data: FaceData<f64>, u: &[f64]) -> f64 {
    let [nx, ny] = p.points;
    let mut out: Vec<f64> = u.iter().map(|u| p.reaction[0] * u).collect();
    let mut is_given = vec![false; u.len()];
    for axis in 0..if ny == 1 { 1 } else { 2 } {
        let [low, high] = &p.sides[axis];
        let n = p.points[axis];
        let d = Derivative1::<f64>::new(2, 2, n, p.spacing[axis], low, high).unwrap();
        let mut second = vec![0.0; u.len()];
        d.apply_along(axis, [1, ny, nx], u, [&[data[axis][0]], &[data[axis][1]]], &mut second);
        out.iter_mut().zip(&second).for_each(|(o, s)| *o -= p.diffusion[0] * s);
        for (i, given) in is_given.iter_mut().enumerate() {
            let at = if axis == 0 { i % nx } else { i / nx };
            *given |= (at == 0 && *low == Side::Dirichlet) || (at + 1 == n && *high == Side::Dirichlet);
        }
    }
    (0..u.len()).filter(|i| !is_given[*i]).map(|i| (out[i] - f[i]).abs()).fold(0.0, f64::max)
}

/// Every mix of sides, with data on them: the same equations as differences with ghost values.
#[test]
fn same_equations_as_differences() {
    let kinds = [Side::Periodic, Side::Dirichlet, Side::Neumann, Side::Robin { a: 2.0, b: 1.5 }].map(|side| both(side));
    let mut pairs: Vec<[Side; 2]> = kinds.to_vec();
    pairs.push([Side::Dirichlet, Side::Neumann]);
    pairs.push([Side::Robin { a: 1.0, b: 1.0 }, Side::Dirichlet]);
    for x in &pairs {
        for y in &pairs {
            let count = |sides: &[Side; 2], n: usize| if sides[0] == Side::Periodic { n } else { n + 1 };
            let points = [count(x, 32), count(y, 16)];
            let mut p = problem(points, [x.clone(), y.clone()]);
            (p.diffusion, p.reaction) = (&[0.7], &[0.3]);
            let n = points[0] * points[1];
            let f = random(n, 3);
            let faces = [random(points[1], 1), random(points[1], 2), random(points[0], 4), random(points[0], 5)];
            let data = [[&faces[0][..], &faces[1][..]], [&faces[2][..], &faces[3][..]]];
            let mut u = vec![0.0; n];
            let cycles = Cycles { tolerance: 1e-12, ..Cycles::default() };
            let report = Multigrid::new(&p).unwrap().solve(&f, data, &cycles, &mut u).unwrap();
            assert!(report.is_converged && report.factor() < 0.2, "{x:?} {y:?}: {report:?}");
            let found = difference_residual(&p, &f, data, &u);
            // The tolerance is on the norm of the whole, with boundary data of size 1 / h².
            assert!(found < 1e-7, "{x:?} {y:?}: {found:e}");
            u[n / 2] += 1e-6;
            assert!(difference_residual(&p, &f, data, &u) > 1e-5, "a planted fault");
        }
    }
}

/// The factor of a cycle, one sweep before and one after, does not depend on the size nor on the sides.
#[test]
fn as_fast_on_any_grid() {
    for side in [Side::Dirichlet, Side::Neumann, Side::Periodic, Side::Robin { a: 3.0, b: 1.0 }] {
        let mut factors = Vec::new();
        for n in [32, 64, 128, 256] {
            let n = if side == Side::Periodic { n } else { n + 1 };
            let p = problem([n, n], [both(side.clone()), both(side.clone())]);
            let mut f = random(n * n, 9);
            if matches!(side, Side::Periodic | Side::Neumann) {
                let part = |i: usize| if side == Side::Neumann && (i == 0 || i + 1 == n) { 0.5 } else { 1.0 };
                let (mut sum, mut total) = (0.0, 0.0);
                for (i, f) in f.iter().enumerate() {
                    sum += part(i % n) * part(i / n) * f;
                    total += part(i % n) * part(i / n);
                }
                f.iter_mut().for_each(|f| *f -= sum / total);
            }
            let mut u = vec![0.0; n * n];
            let mut solver = Multigrid::new(&p).unwrap();
            let cycles = Cycles { tolerance: 1e-9, ..Cycles::default() };
            let report = solver.solve(&f, [[&[]; 2]; 2], &cycles, &mut u).unwrap();
            assert!(report.is_converged && report.history.windows(2).all(|w| w[1] < w[0]));
            factors.push(report.factor());
        }
        assert!(factors.iter().all(|factor| (0.06..0.15).contains(factor)), "{side:?}: {factors:?}");
        assert!((factors[3] / factors[1] - 1.0).abs() < 0.35, "{side:?}: {factors:?}");
    }
    // Without coarse grids the same sweeps get nowhere.
    let p = problem([65, 65], [both(Side::Dirichlet), both(Side::Dirichlet)]);
    let mut solver = Multigrid::new(&p).unwrap();
    solver.levels[0].set_right_side(&random(65 * 65, 9));
    let before = solver.levels[0].residual();
    (0..20).for_each(|_| solver.levels[0].sweep());
    assert!(solver.levels[0].residual() > 0.01 * before, "sweeps are slow where cycles are not");
}

#[test]
fn stretched_cells_and_lines() {
    // Cells of 1 : 8 and 16 : 1 are halved along the strong axis first.
    for points in [[129, 17], [17, 257], [64, 33]] {
        let p = problem(points, [both(Side::Dirichlet), both(Side::Neumann)]);
        let f = random(points[0] * points[1], 2);
        let mut u = vec![0.0; f.len()];
        let report = Multigrid::new(&p).map(|mut s| s.solve(&f, [[&[]; 2]; 2], &Cycles::default(), &mut u));
        if points[0] == 64 {
            // 63 intervals: no coarser grid, but small enough to solve at once.
            assert_eq!(report.unwrap().unwrap().cycles, 1);
        } else {
            let report = report.unwrap().unwrap();
            assert!(report.is_converged && report.factor() < 0.2, "{points:?}: {report:?}");
        }
        assert!(difference_residual(&p, &f, [[&[]; 2]; 2], &u) < 1e-8);
    }
    let p = EllipticProblem {
        points: [257, 1],
        spacing: [1.0 / 256.0, 1.0],
        sides: [[Side::Dirichlet, Side::Robin { a: 1.0, b: 2.0 }], both(Side::Free)],
        diffusion: &[1.0],
        reaction: &[0.0],
    };
    let mut u = vec![0.0; 257];
    let report =
        Multigrid::new(&p).unwrap().solve(&[0.0; 257], [[&[1.0], &[4.0]], [&[]; 2]], &Cycles::default(), &mut u);
    // On lines red-black sweeps with linear transfer are a direct solver.
    assert!(report.unwrap().cycles <= 3);
    // u = 1 + s x with (1 + s) + 2 s = 4.
    assert!((0..257).all(|i| (u[i] - (1.0 + i as f64 / 256.0)).abs() < 1e-9));
}

/// -∇·(a ∇u) + c u = f with all of it varying, mixed sides with data: second order, and full multigrid reaches the error of
/// the discretization in one pass.
#[test]
fn variable_coefficients_are_second_order() {
    let a = |x: f64, y: f64| 1.0 + 0.8 * (3.0 * x + y).sin();
    let c = |x: f64, y: f64| 1.0 + x * y;
    let u = |x: f64, y: f64| (2.0 * x).sin() * (1.5 * y).exp();
    let (u_x, u_y) = (|x: f64, y: f64| 2.0 * (2.0 * x).cos() * (1.5 * y).exp(), |x: f64, y: f64| 1.5 * u(x, y));
    let f = |x: f64, y: f64| {
        let slope = 0.8 * (3.0 * x + y).cos();
        -(3.0 * slope * u_x(x, y) + slope * u_y(x, y)) - a(x, y) * (2.25 - 4.0) * u(x, y) + c(x, y) * u(x, y)
    };
    let (mut errors, mut full_errors) = (Vec::new(), Vec::new());
    for n in [33, 65, 129] {
        let h = 1.0 / (n - 1) as f64;
        let field = |g: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            (0..n * n).map(|i| g((i % n) as f64 * h, (i / n) as f64 * h)).collect()
        };
        let (diffusion, reaction, right, exact) = (field(&a), field(&c), field(&f), field(&u));
        let p = EllipticProblem {
            points: [n, n],
            spacing: [h, h],
            sides: [[Side::Robin { a: 2.0, b: 1.0 }, Side::Dirichlet], [Side::Neumann, Side::Robin { a: 1.0, b: 1.0 }]],
            diffusion: &diffusion,
            reaction: &reaction,
        };
        let line = |g: &dyn Fn(f64) -> f64| (0..n).map(|i| g(i as f64 * h)).collect::<Vec<f64>>();
        let faces = [
            line(&|y| 2.0 * u(0.0, y) - u_x(0.0, y)),
            line(&|y| u(1.0, y)),
            line(&|x| -u_y(x, 0.0)),
            line(&|x| u(x, 1.0) + u_y(x, 1.0)),
        ];
        let data = [[&faces[0][..], &faces[1][..]], [&faces[2][..], &faces[3][..]]];
        let mut solver = Multigrid::new(&p).unwrap();
        let mut field = vec![0.0; n * n];
        let report = solver.solve(&right, data, &Cycles::default(), &mut field).unwrap();
        assert!(report.is_converged && report.factor() < 0.25, "{n}: {report:?}");
        errors.push(max_difference(&field, &exact));
        let once = Cycles { is_full: true, max_cycles: 1, before: 2, after: 1, ..Cycles::default() };
        field.fill(0.0);
        let report = solver.solve(&right, data, &once, &mut field).unwrap();
        assert_eq!(report.cycles, 1);
        full_errors.push(max_difference(&field, &exact));
    }
    let (low, high) = observed_order(&errors);
    assert!(low > 1.85 && high < 2.15, "{errors:?}");
    for (full, error) in full_errors.iter().zip(&errors) {
        assert!((0.3..2.5).contains(&(full / error)), "{full_errors:?} {errors:?}");
    }
}

/// Coefficients that jump by a thousand: blocks that coarse grids cannot see cost cycles, but none diverges; the flux
/// through a plane jump is continuous.
#[test]
fn jumps() {
    for size in [65, 129] {
        // A block and a corner where two of them touch, off the coarse grids' lines.
        let is_hard = |x: usize, y: usize| {
            let (x, y) = (64 * x / (size - 1), 64 * y / (size - 1));
            ((13..37).contains(&x) && (9..30).contains(&y)) || ((37..51).contains(&x) && (30..47).contains(&y))
        };
        let diffusion: Vec<f64> =
            (0..size * size).map(|i| if is_hard(i % size, i / size) { 1000.0 } else { 1.0 }).collect();
        let mut p = problem([size, size], [both(Side::Dirichlet), both(Side::Neumann)]);
        p.diffusion = &diffusion;
        let (f, mut u) = (random(size * size, 8), vec![0.0; size * size]);
        let cycles = Cycles { max_cycles: 80, ..Cycles::default() };
        let mut solver = Multigrid::new(&p).unwrap();
        let report = solver.solve(&f, [[&[]; 2]; 2], &cycles, &mut u).unwrap();
        assert!(report.is_converged && report.factor() < 0.65, "{size}: {} {report:?}", report.factor());
        // A planted fault: corrections at full length overshoot.
        solver.is_rough = false;
        u.fill(0.0);
        assert!(!solver.solve(&f, [[&[]; 2]; 2], &cycles, &mut u).unwrap().is_converged);
    }
    let n = 65;
    let diffusion: Vec<f64> = (0..n * n).map(|i| if i % n < 32 { 1.0 } else { 1000.0 }).collect();
    let mut p = problem([n, n], [both(Side::Dirichlet), both(Side::Neumann)]);
    p.diffusion = &diffusion;
    let mut u = vec![0.0; n * n];
    let report =
        Multigrid::new(&p).unwrap().solve(&vec![0.0; n * n], [[&[], &[1.0]], [&[]; 2]], &Cycles::default(), &mut u);
    let report = report.unwrap();
    assert!(report.is_converged && report.factor() < 0.3, "{} {report:?}", report.factor());
    let flux = |x: usize| 0.5 * (diffusion[x] + diffusion[x + 1]) * (u[x + 1] - u[x]);
    assert!((0..n - 1).all(|x| (flux(x) / flux(0) - 1.0).abs() < 1e-6));
}

#[test]
fn levels_that_nothing_fixes_and_refusals() {
    let p = problem([33, 32], [both(Side::Neumann), both(Side::Periodic)]);
    let mut solver = Multigrid::new(&p).unwrap();
    let mut u = vec![2.5; 33 * 32];
    let solved = solver.solve(&vec![1.0; 33 * 32], [[&[]; 2]; 2], &Cycles::default(), &mut u);
    assert!(matches!(solved, Err(MultigridError::Incompatible { sum }) if (sum - 1.0).abs() < 1e-12));
    // Out on one side what comes in on the other: a ramp with the mean it had.
    let mut u = vec![2.5; 33 * 32];
    let report = solver.solve(&vec![0.0; 33 * 32], [[&[-1.0], &[1.0]], [&[]; 2]], &Cycles::default(), &mut u).unwrap();
    assert!(report.is_converged);
    assert!((0..u.len()).all(|i| (u[i] - (2.0 + (i % 33) as f64 / 32.0)).abs() < 1e-9));
    let error = |p: &EllipticProblem<f64>| Multigrid::new(p).err().unwrap();
    let sides = |side: Side| [both(side), both(Side::Dirichlet)];
    assert!(matches!(error(&problem([1000, 1000], sides(Side::Dirichlet))), MultigridError::Coarsening { .. }));
    assert_eq!(error(&problem([33, 33], sides(Side::Free))), MultigridError::Side(Side::Free));
    let growing = Side::Robin { a: -1.0, b: 1.0 };
    assert_eq!(error(&problem([33, 33], sides(growing.clone()))), MultigridError::Side(growing));
    assert_eq!(error(&problem([2, 33], sides(Side::Dirichlet))), MultigridError::Axis);
    let p = EllipticProblem { diffusion: &[0.0], ..problem([33, 33], sides(Side::Dirichlet)) };
    assert_eq!(error(&p), MultigridError::Coefficient);
    let p = EllipticProblem { reaction: &[0.0, 1.0], ..problem([33, 33], sides(Side::Dirichlet)) };
    assert!(matches!(error(&p), MultigridError::Length { have: 2, need: 1089, .. }));
}

#[test]
fn single_precision_reaches_its_rounding() {
    let p = EllipticProblem::<f32> {
        points: [65, 65],
        spacing: [1.0 / 64.0; 2],
        sides: [both(Side::Dirichlet), both(Side::Dirichlet)],
        diffusion: &[1.0],
        reaction: &[0.0],
    };
    let f: Vec<f32> = random(65 * 65, 1).into_iter().map(|v| v as f32).collect();
    let mut u = vec![0.0; 65 * 65];
    let cycles = Cycles { tolerance: 3e-6, ..Cycles::default() };
    assert!(Multigrid::new(&p).unwrap().solve(&f, [[&[]; 2]; 2], &cycles, &mut u).unwrap().is_converged);
}

/// `cargo test --release -p eddy_numerics multigrid_speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn multigrid_speed() {
    for n in [257, 513] {
        let p = problem([n, n], [both(Side::Dirichlet), both(Side::Dirichlet)]);
        let f = random(n * n, 1);
        let mut solver = Multigrid::new(&p).unwrap();
        let mut u = vec![0.0; n * n];
        let start = web_time::Instant::now();
        let report = solver.solve(&f, [[&[]; 2]; 2], &Cycles::default(), &mut u).unwrap();
        let ms = 1e3 * start.elapsed().as_secs_f64();
        eprintln!("{n}²: {} cycles, {ms:.1} ms, {:.2} ms a cycle", report.cycles, ms / report.cycles as f64);
    }
}
