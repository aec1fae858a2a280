//! Every solver against the matrix that it inverts, an independent factorization, and what theory says of its iterations.

use faer::linalg::solvers::Solve;
use num_complex::Complex;

use super::*;
use crate::testing::{Lcg, max_difference};

fn random(n: usize, seed: u64) -> Vec<f64> {
    let mut random = Lcg::new(seed);
    (0..n).map(|_| random.symmetric()).collect()
}

/// -∇·∇ of order 2 on a square of n² inner points, times h².
fn laplacian(n: usize) -> Csr<f64> {
    let row = |i: usize| {
        let mut row = vec![(i, 2.0)];
        row.extend(i.checked_sub(1).map(|j| (j, -1.0)));
        row.extend(Some(i + 1).filter(|j| *j < n).map(|j| (j, -1.0)));
        row
    };
    Csr::along(0, [1, n, n], row).combine(1.0, &Csr::along(1, [1, n, n], row), 1.0)
}

/// Advection and diffusion, not symmetric.
fn convection(n: usize) -> Csr<f64> {
    let row = |i: usize| {
        let mut row = Vec::new();
        row.extend(i.checked_sub(1).map(|j| (j, -0.4)));
        row.extend(Some(i + 1).filter(|j| *j < n).map(|j| (j, 0.4)));
        row
    };
    laplacian(n).combine(1.0, &Csr::along(0, [1, n, n], row), 1.0)
}

fn residual_of<V: Scalar>(a: &Csr<V>, x: &[V], b: &[V]) -> f64 {
    let mut out = vec![V::default(); b.len()];
    a.apply(x, &mut out);
    out.iter().zip(b).map(|(a, b)| (*a - *b).magnitude()).fold(0.0, f64::max)
}

/// Factors against faer's dense ones, with rows that need pivots; plain and around the corner; real and complex.
#[test]
fn bands_agree_with_dense_factors() {
    for (n, below, above) in [(1, 0, 0), (2, 1, 1), (9, 2, 1), (30, 1, 4), (41, 5, 5), (12, 11, 11), (7, 3, 4)] {
        for cyclic in [false, true] {
            let mut a = if cyclic { Banded::cyclic(n, below, above) } else { Banded::new(n, below, above) };
            let mut next = Lcg::new(n as u64 + 7);
            for i in 0..n {
                for offset in -(below as isize)..=above as isize {
                    let j = i as isize + offset;
                    let j = if cyclic { j.rem_euclid(n as isize) } else { j };
                    // A small diagonal, so that pivots are needed.
                    let value = next.symmetric() * if offset == 0 { 0.01 } else { 1.0 };
                    if (0..n as isize).contains(&j) {
                        a.add(i, j as usize, value);
                    }
                }
            }
            let dense = faer::Mat::from_fn(n, n, |i, j| a.get(i, j));
            let b = random(n, 3);
            let mut x = b.clone();
            a.factor().unwrap().solve(&mut x);
            let expected = dense.partial_piv_lu().solve(faer::Mat::from_fn(n, 1, |i, _| b[i]));
            let scale = x.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
            for i in 0..n {
                assert!((x[i] - expected[(i, 0)]).abs() < 1e-9 * scale, "{n} {below} {above} {cyclic}");
            }
            let mut back = vec![f64::NAN; n];
            a.apply(&x, &mut back);
            assert!(max_difference(&back, &b) < 1e-11 * scale);
            // A planted fault: the solution of a changed matrix does not pass.
            if n > 2 {
                a.add(1, 2, 0.5);
                a.apply(&x, &mut back);
                assert!(max_difference(&back, &b) > 1e-6);
            }
        }
    }
}

#[test]
fn complex_bands() {
    let n = 50;
    let mut a = Banded::<Complex<f64>>::cyclic(n, 1, 1);
    for i in 0..n {
        a.add(i, i, Complex::new(2.0, 0.3));
        a.add(i, (i + 1) % n, Complex::new(-1.0, 0.1));
        a.add(i, (i + n - 1) % n, Complex::new(-1.0, -0.2));
    }
    // e^{ikx} is an eigenvector of a circulant matrix.
    let wave = |i: usize| Complex::new(0.0, std::f64::consts::TAU * 3.0 * i as f64 / n as f64).exp();
    let eigenvalue = a.get(0, 0) + a.get(0, 1) * wave(1) + a.get(0, n - 1) * wave(1).conj();
    let mut x: Vec<Complex<f64>> = (0..n).map(wave).collect();
    a.factor().unwrap().solve(&mut x);
    assert!((0..n).all(|i| (x[i] * eigenvalue - wave(i)).norm() < 1e-13));
}

#[test]
fn singular_matrices_are_refused() {
    let mut a = Banded::<f64>::new(400, 1, 1);
    for i in 0..400 {
        // No flux at both ends: a constant can be added.
        a.add(i, i, if i == 0 || i == 399 { 1.0 } else { 2.0 });
        if i > 0 {
            a.add(i, i - 1, -1.0);
            a.add(i - 1, i, -1.0);
        }
    }
    assert!(matches!(a.factor(), Err(LinearError::Singular { .. })));
    // A little reaction fixes the level.
    (0..400).for_each(|i| a.add(i, i, 1e-6));
    assert!(a.factor().is_ok());
    a.add(3, 3, f64::NAN);
    assert_eq!(a.factor().unwrap_err(), LinearError::NotFinite);
    assert_eq!(Banded::<f64>::new(4, 1, 1).factor().unwrap_err(), LinearError::Singular { unknown: 0 });
    let tall = Csr::from_triplets(3, 2, [(0, 0, 1.0)]);
    assert_eq!(tall.factor().unwrap_err(), LinearError::NotSquare { rows: 3, columns: 2 });
    // Far couplings everywhere: no order makes a narrow band.
    let n = 20_000;
    let web = (0..n).flat_map(|i| [(i, i, 4.0), (i, (i * 7919 + 13) % n, 1.0), (i, (i * 104_729 + 7) % n, 1.0)]);
    assert!(matches!(Csr::from_triplets(n, n, web).factor(), Err(LinearError::TooLarge { .. })));
}

#[test]
fn rows_lists_and_transposes() {
    let a = Csr::from_triplets(3, 4, [(0, 3, 1.0), (2, 0, 2.0), (0, 1, 5.0), (0, 3, 0.5), (1, 1, -1.0)]);
    assert_eq!(a.row(0), (&[1, 3][..], &[5.0, 1.5][..]));
    assert_eq!((a.entries(), a.get(2, 0), a.get(2, 1), a.diagonal()), (4, 2.0, 0.0, vec![0.0, -1.0, 0.0]));
    assert_eq!(a.bandwidth(), (2, 3));
    assert_eq!(a.transpose().transpose(), a);
    // yᵀ(A x) = (Aᵀ y)ᵀ x.
    let (x, y) = (random(4, 1), random(3, 2));
    let (mut ax, mut aty) = (vec![0.0; 3], vec![0.0; 4]);
    a.apply(&x, &mut ax);
    a.transpose().apply(&y, &mut aty);
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!((inner(&y, &ax) - inner(&aty, &x)).abs() < 1e-14);
    let implicit = laplacian(3).identity_minus(0.1);
    assert!((implicit.get(4, 4) - 0.6).abs() < 1e-15 && (implicit.get(4, 1) - 0.1).abs() < 1e-15);
}

#[test]
fn reordering_narrows_the_band() {
    // A long strip, numbered the wrong way round and then shuffled.
    let (nx, ny) = (60, 5);
    let row = |n: usize| move |i: usize| (i.saturating_sub(1)..=(i + 1).min(n - 1)).map(|j| (j, 1.0)).collect();
    let strip = Csr::along(0, [1, ny, nx], row(nx)).combine(1.0, &Csr::along(1, [1, ny, nx], row(ny)), 1.0);
    let shuffled = |i: usize| i * 77 % (nx * ny);
    let strip = Csr::from_triplets(nx * ny, nx * ny, strip.triplets().map(|(i, j, v)| (shuffled(i), shuffled(j), v)));
    let order = strip.reverse_cuthill_mckee();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..nx * ny).collect::<Vec<_>>());
    let mut place = vec![0; nx * ny];
    order.iter().enumerate().for_each(|(at, i)| place[*i] = at);
    let width = strip.triplets().map(|(i, j, _)| place[i].abs_diff(place[j])).max().unwrap();
    assert!(width <= ny + 2 && strip.bandwidth().0 > 100, "{width}");
    let b = random(nx * ny, 9);
    let fixed = strip.identity_minus(-0.3);
    let mut x = b.clone();
    fixed.factor().unwrap().solve(&mut x);
    assert!(residual_of(&fixed, &x, &b) < 1e-11);
}

/// Exact arithmetic ends after as many steps as there are different eigenvalues in the start residual.
#[test]
fn as_many_steps_as_eigenvalues() {
    let (eigenvalues, n) = ([1.0, 2.5, 4.0, 7.0, 11.0], 60);
    let diagonal = Csr::from_triplets(n, n, (0..n).map(|i| (i, i, eigenvalues[i % 5])));
    let b = vec![1.0; n];
    let krylov = Krylov { tolerance: 1e-12, ..Krylov::default() };
    let mut x = vec![0.0; n];
    let report = krylov.conjugate_gradients(&diagonal, &Identity, &b, &mut x);
    assert_eq!((report.outcome, report.iterations), (Outcome::Converged, 5));
    x.fill(0.0);
    let report = krylov.gmres(&diagonal, &Identity, &b, &mut x);
    assert_eq!((report.outcome, report.iterations), (Outcome::Converged, 5));
    x.fill(0.0);
    let report = krylov.bicgstab(&diagonal, &Identity, &b, &mut x);
    assert!(report.is_converged() && report.iterations <= 6);
    // The diagonal's own inverse: one step.
    x.fill(0.0);
    let report = krylov.conjugate_gradients(&diagonal, &Jacobi::new(&diagonal).unwrap(), &b, &mut x);
    assert_eq!((report.outcome, report.iterations), (Outcome::Converged, 1));
    // Without fill-in incomplete factors are the factors.
    let line = Csr::along(0, [1, 1, 80], |i| {
        let mut row = vec![(i, 3.0)];
        row.extend(i.checked_sub(1).map(|j| (j, -1.3)));
        row.extend(Some(i + 1).filter(|j| *j < 80).map(|j| (j, -0.7)));
        row
    });
    let (b, mut x) = (random(80, 4), vec![0.0; 80]);
    let report = krylov.gmres(&line, &Ilu0::new(&line).unwrap(), &b, &mut x);
    assert_eq!((report.outcome, report.iterations), (Outcome::Converged, 1));
}

/// Iterations of conjugate gradients double with the points of a side, those of a preconditioned one are fewer, and all
/// methods reach the direct solution.
#[test]
fn methods_agree_on_grids() {
    let krylov = Krylov { tolerance: 1e-11, ..Krylov::default() };
    let mut iterations = Vec::new();
    for n in [16, 32, 64] {
        let a = laplacian(n);
        let b = random(n * n, 8);
        let mut direct = b.clone();
        a.factor().unwrap().solve(&mut direct);
        assert!(residual_of(&a, &direct, &b) < 1e-12);
        let ilu = Ilu0::new(&a).unwrap();
        let solve = |with_ilu: bool| {
            let mut x = vec![0.0; n * n];
            let report = if with_ilu {
                krylov.conjugate_gradients(&a, &ilu, &b, &mut x)
            } else {
                krylov.conjugate_gradients(&a, &Identity, &b, &mut x)
            };
            assert!(report.is_converged() && max_difference(&x, &direct) < 1e-8);
            report.iterations
        };
        iterations.push((solve(false), solve(true)));
    }
    for w in iterations.windows(2) {
        let ratio = w[1].0 as f64 / w[0].0 as f64;
        assert!((1.6..2.4).contains(&ratio) && 2 * w[1].1 < w[1].0, "{iterations:?}");
    }
    let a = convection(24);
    let b = random(576, 2);
    let mut direct = b.clone();
    a.factor().unwrap().solve(&mut direct);
    let ilu = Ilu0::new(&a).unwrap();
    let check = |name: &str, solve: &dyn Fn(&mut [f64]) -> Report| {
        let mut x = vec![0.0; 576];
        let report = solve(&mut x);
        assert!(report.is_converged() && max_difference(&x, &direct) < 1e-8, "{name}: {report:?}");
        report
    };
    let plain = check("gmres", &|x| krylov.gmres(&a, &Identity, &b, x));
    assert!(plain.history.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-9)), "residuals of GMRES never grow");
    let better = check("gmres, ilu", &|x| krylov.gmres(&a, &ilu, &b, x));
    assert!(2 * better.iterations < plain.iterations);
    let _ = check("bicgstab", &|x| krylov.bicgstab(&a, &Identity, &b, x));
    let _ = check("bicgstab, ilu", &|x| krylov.bicgstab(&a, &ilu, &b, x));
    // A planted fault: the transposed matrix has another solution.
    let mut x = vec![0.0; 576];
    assert!(krylov.gmres(&a.transpose(), &Identity, &b, &mut x).is_converged());
    assert!(max_difference(&x, &direct) > 1e-3);
}

/// (I - i dt/2 L) of Crank-Nicolson for Schrödinger's equation; also by a function, without a matrix.
#[test]
fn complex_systems() {
    let n = 20;
    let i_unit = Complex::new(0.0, 1.0);
    let l = laplacian(n);
    let a = Csr::from_triplets(
        n * n,
        n * n,
        l.triplets().map(|(i, j, v)| (i, j, i_unit * v)).chain((0..n * n).map(|i| (i, i, 1.0.into()))),
    );
    let b: Vec<Complex<f64>> =
        random(n * n, 1).into_iter().zip(random(n * n, 2)).map(|(re, im)| Complex::new(re, im)).collect();
    let mut direct = b.clone();
    a.factor().unwrap().solve(&mut direct);
    assert!(residual_of(&a, &direct, &b) < 1e-13);
    let krylov = Krylov { tolerance: 1e-12, restart: 30, ..Krylov::default() };
    let far = |x: &[Complex<f64>]| x.iter().zip(&direct).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    let mut x = vec![Complex::default(); n * n];
    assert!(krylov.gmres(&a, &Ilu0::new(&a).unwrap(), &b, &mut x).is_converged() && far(&x) < 1e-10);
    x.fill(Complex::default());
    let matrix_free = |x: &[Complex<f64>], out: &mut [Complex<f64>]| a.apply(x, out);
    assert!(krylov.bicgstab(matrix_free, &Identity, &b, &mut x).is_converged() && far(&x) < 1e-10);
}

#[test]
fn failures_are_named() {
    let short = Krylov { max_iterations: 4, ..Krylov::default() };
    let a = laplacian(20);
    let (b, mut x) = (random(400, 5), vec![0.0; 400]);
    for report in [
        short.conjugate_gradients(&a, &Identity, &b, &mut x.clone()),
        short.bicgstab(&a, &Identity, &b, &mut x.clone()),
        short.gmres(&a, &Identity, &b, &mut x.clone()),
    ] {
        assert_eq!(report.outcome, Outcome::TooManyIterations);
        assert!(report.residual > 1e-10 && report.history.len() == report.iterations + 1);
    }
    let krylov = Krylov::default();
    let indefinite = Csr::from_triplets(4, 4, (0..4).map(|i| (i, i, i as f64 - 1.5)));
    let report = krylov.conjugate_gradients(&indefinite, &Identity, &[1.0; 4], &mut x[..4]);
    assert_eq!(report.outcome, Outcome::NotPositiveDefinite);
    // Rows 0 and 1 contradict each other: no solution.
    let singular = Csr::from_triplets(3, 3, [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0)]);
    let report = krylov.gmres(&singular, &Identity, &[1.0, 2.0, 3.0], &mut [0.0; 3]);
    assert!(matches!(report.outcome, Outcome::Stagnated | Outcome::Breakdown) && report.residual > 0.1, "{report:?}");
    let poisoned = |_: &[f64], out: &mut [f64]| out.fill(f64::NAN);
    for report in [
        krylov.gmres(poisoned, &Identity, &[1.0, 2.0], &mut [0.0; 2]),
        krylov.bicgstab(poisoned, &Identity, &[1.0, 2.0], &mut [0.0; 2]),
        krylov.conjugate_gradients(poisoned, &Identity, &[1.0, 2.0], &mut [0.0; 2]),
    ] {
        assert_eq!(report.outcome, Outcome::NotFinite);
    }
    // Nothing to do: zero is the solution, at once.
    let report = krylov.gmres(&a, &Identity, &[0.0; 400], &mut [0.0; 400]);
    assert_eq!((report.outcome, report.iterations), (Outcome::Converged, 0));
    assert!(Jacobi::new(&Csr::from_triplets(2, 2, [(0, 0, 1.0)])).is_err());
    assert!(Ilu0::new(&Csr::from_triplets(2, 2, [(0, 1, 1.0), (1, 0, 1.0)])).is_err());
}

#[cfg(feature = "sparse")]
#[test]
fn sparse_factors_agree_with_bands() {
    for a in [laplacian(40), convection(40)] {
        let b = random(1600, 6);
        let (mut x, mut y) = (b.clone(), b.clone());
        let lu = sparse::SparseLu::new(&a).unwrap();
        lu.solve(&mut x);
        a.factor().unwrap().solve(&mut y);
        assert!(residual_of(&a, &x, &b) < 1e-12 && max_difference(&x, &y) < 1e-10);
        let shifted = a.identity_minus(-0.5);
        // A planted fault: the old factors do not serve the new matrix.
        assert!(residual_of(&shifted, &x, &b) > 1e-3);
        let mut x = b.clone();
        lu.refactor(&shifted).unwrap().solve(&mut x);
        assert!(residual_of(&shifted, &x, &b) < 1e-12);
    }
    let level = laplacian(10);
    let free = Csr::from_triplets(
        100,
        100,
        level.triplets().chain((0..100).map(|i| {
            let (columns, values) = level.row(i);
            assert!(columns.contains(&i));
            (i, i, -values.iter().sum::<f64>())
        })),
    );
    assert!(matches!(sparse::SparseLu::new(&free), Err(LinearError::Singular { .. })));
    let b: Vec<Complex<f64>> = random(100, 3).into_iter().map(|v| Complex::new(v, 1.0 - v)).collect();
    let a = Csr::from_triplets(100, 100, level.triplets().map(|(i, j, v)| (i, j, Complex::new(v, 0.3 * v + 0.1))));
    let mut x = b.clone();
    sparse::SparseLu::new(&a).unwrap().solve(&mut x);
    assert!(residual_of(&a, &x, &b) < 1e-12);
}

/// `cargo test --release -p eddy_numerics --features sparse direct_speed -- --ignored --nocapture`
#[cfg(feature = "sparse")]
#[test]
#[ignore = "a measurement"]
fn direct_speed() {
    for n in [64, 128, 256] {
        let a = laplacian(n).identity_minus(-1.0);
        let b = random(n * n, 6);
        let timed = |name: &str, factor: &dyn Fn() -> Box<dyn Fn(&mut [f64])>| {
            let start = web_time::Instant::now();
            let solve = factor();
            let factored = start.elapsed().as_secs_f64();
            let mut x = b.clone();
            let start = web_time::Instant::now();
            solve(&mut x);
            let solved = start.elapsed().as_secs_f64();
            eprintln!("{n}² {name}: factors {:.1} ms, solve {:.2} ms", 1e3 * factored, 1e3 * solved);
        };
        timed("sparse", &|| {
            let lu = sparse::SparseLu::new(&a).unwrap();
            Box::new(move |x| lu.solve(x))
        });
        if n < 256 {
            timed("band", &|| {
                let lu = a.factor().unwrap();
                Box::new(move |x| lu.solve(x))
            });
        }
    }
}
