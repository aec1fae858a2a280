//! Rosenbrock, implicit midpoint, the ready-made Jacobians and Runge-Kutta-Chebyshev: orders, invariants, stiff problems
//! with published solutions.

use super::{Bell, DoubleExponential, Pendulum, pendulum_reference};
use crate::testing::{Lcg, max_difference, observed_order};
use crate::time::Term;
use crate::time::controlled::{Controlled, controlled};
use crate::time::controller::Tolerance;
use crate::time::implicit::{ImplicitMidpoint, SolveFailed};
use crate::time::integrate::{Adaptive, Ending, adaptive};
use crate::time::jacobian::{DenseJacobian, Jacobian, KrylovJacobian};
use crate::time::rosenbrock::{RODAS5P, Rosenbrock, RosenbrockTableau};
use crate::time::runge_kutta::{DOPRI5, RK4, RungeKutta};
use crate::time::stabilized::{Rkc, rkc_interval};

/// y' = f(t, y) from a function.
struct Function<F> {
    size: usize,
    f: F,
}
impl<F: FnMut(f64, &[f64], &mut [f64])> Term<f64> for Function<F> {
    type Value = f64;
    fn size(&self) -> usize {
        self.size
    }
    fn evaluate(&mut self, t: f64, y: &[f64], slope: &mut [f64]) {
        (self.f)(t, y, slope);
    }
}

#[test]
fn dense_solves_invert_the_matrix() {
    // J needs pivots: its diagonal with the shift is zero in the first row.
    let mut random = Lcg::new(5);
    let n = 12;
    let mut matrix: Vec<f64> = (0..n * n).map(|_| random.symmetric()).collect();
    matrix[0] = 4.0;
    let m = matrix.clone();
    let linear = move |_: f64, y: &[f64], out: &mut [f64]| {
        for i in 0..n {
            out[i] = (0..n).map(|j| m[i * n + j] * y[j]).sum();
        }
    };
    let x: Vec<f64> = (0..n).map(|_| random.symmetric()).collect();
    let shift = 0.25;
    let right: Vec<f64> =
        (0..n).map(|i| x[i] - shift * (0..n).map(|j| matrix[i * n + j] * x[j]).sum::<f64>()).collect();
    let mut dense = DenseJacobian::new(Function { size: n, f: linear.clone() });
    let mut krylov = KrylovJacobian::new(Function { size: n, f: linear });
    for (name, term) in [("dense", &mut dense as &mut dyn Jacobian<f64, Value = f64>), ("krylov", &mut krylov)] {
        let mut solved = right.clone();
        term.refresh(0.0, &vec![0.3; n]);
        term.factor(shift).expect("regular");
        term.solve(&mut solved).expect("regular");
        assert!(max_difference(&solved, &x) < 2e-6, "{name} {:e}", max_difference(&solved, &x));
        // Another shift is another matrix: the comparison sees it.
        term.factor(0.26).expect("regular");
        let mut other = right.clone();
        term.solve(&mut other).expect("regular");
        assert!(max_difference(&other, &x) > 1e-3, "{name}");
    }
    // A singular matrix is an error, not a division by zero.
    let mut singular =
        DenseJacobian::new(Function { size: 2, f: |_: f64, y: &[f64], out: &mut [f64]| out.copy_from_slice(y) });
    singular.refresh(0.0, &[0.0, 0.0]);
    assert_eq!(singular.factor(1.0), Err(SolveFailed::Singular { row: 0 }));
}

#[test]
fn rodas_has_order_five_with_and_without_time() {
    let orders = |tableau: &'static RosenbrockTableau| {
        let errors: Vec<f64> = [40, 80, 160]
            .iter()
            .map(|&n| {
                let (mut y, dt) = ([1.0_f64.exp()], 5.0 / f64::from(n));
                let (mut term, mut method) = (DenseJacobian::new(DoubleExponential), Rosenbrock::new(tableau, 1));
                for i in 0..n {
                    method.step(&mut term, dt * f64::from(i), dt, &mut y).expect("regular");
                }
                (y[0] - 5.0_f64.sin().exp().exp()).abs()
            })
            .collect();
        observed_order(&errors)
    };
    let (least, most) = orders(&RODAS5P);
    assert!(least > 4.6 && most < 5.5, "{least} {most}");
    // Planted: the weight of ∂f/∂t in one stage.
    const FAULTY: RosenbrockTableau = RosenbrockTableau {
        time: &[0.2119375, -0.42387512638858027, -0.34, 1.8046452872882734, 2.325825639765069, 0.0, 0.0, 0.0],
        ..RODAS5P
    };
    assert!(orders(&FAULTY).0 < 3.0, "{:?}", orders(&FAULTY));
}

#[test]
fn rodas_damps_at_infinity_and_follows_the_slow_solution() {
    // Prothero-Robinson: y' = λ (y - φ) + φ', φ = sin(t + π/4), λ = -1e6.
    let phi = |t: f64| (t + std::f64::consts::FRAC_PI_4).sin();
    let error = |n: u32| {
        let term = Function {
            size: 1,
            f: move |t: f64, y: &[f64], out: &mut [f64]| {
                out[0] = -1e6 * (y[0] - phi(t)) + (t + std::f64::consts::FRAC_PI_4).cos();
            },
        };
        let (mut term, mut method) = (DenseJacobian::new(term), Rosenbrock::new(&RODAS5P, 1));
        let (mut y, dt) = ([phi(0.0)], 2.0 / f64::from(n));
        for i in 0..n {
            method.step(&mut term, dt * f64::from(i), dt, &mut y).expect("regular");
        }
        (y[0] - phi(2.0)).abs()
    };
    let errors = [error(4), error(8), error(16)];
    assert!(errors[0] < 1e-7 && errors[2] < 1e-10, "{errors:?}");
    let mut stiff =
        DenseJacobian::new(Function { size: 1, f: |_: f64, y: &[f64], out: &mut [f64]| out[0] = -1e9 * y[0] });
    let mut y = [1.0];
    Rosenbrock::new(&RODAS5P, 1).step(&mut stiff, 0.0, 1.0, &mut y).expect("regular");
    assert!(y[0].abs() < 1e-6, "{y:?}");
}

/// Van der Pol's oscillator, μ = 1000, the time not scaled.
fn van_der_pol(_: f64, y: &[f64], out: &mut [f64]) {
    (out[0], out[1]) = (y[1], 1000.0 * (1.0 - y[0] * y[0]) * y[1] - y[0]);
}

/// Robertson's reactions.
fn robertson(_: f64, y: &[f64], out: &mut [f64]) {
    let (a, b, c) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
    (out[0], out[1], out[2]) = (b - a, a - b - c, c);
}

#[test]
fn stiff_problems_meet_their_published_solutions() {
    // Mazzia & Magherini, Test Set for Initial Value Problem Solvers, release 2.4: VDPOL at t = 2000, ROBER at t = 1e11.
    let mut term = DenseJacobian::new(Function { size: 2, f: van_der_pol });
    let mut errors = Vec::new();
    for tolerance in [1e-5, 1e-8] {
        let mut y = [2.0, 0.0];
        let tolerance = Tolerance { relative: tolerance, absolute: 1e-2 * tolerance };
        let mut stepper = Controlled::new(Rosenbrock::new(&RODAS5P, 2), 2, tolerance);
        let (report, failed) = controlled(&mut term, &mut stepper, (0.0, 2000.0), 5000, &mut y, |_, _| {});
        assert_eq!((report.ending, failed), (Ending::Finished, None), "{report:?}");
        assert!(report.accepted < 3000, "{report:?}");
        errors.push((y[0] / 1.706167732170469 - 1.0).abs() + (y[1] / -0.8928097010248125e-3 - 1.0).abs());
    }
    assert!(errors[0] < 1e-3 && errors[1] < 1e-6, "{errors:?}");

    let mut term = DenseJacobian::new(Function { size: 3, f: robertson });
    let mut y = [1.0, 0.0, 0.0];
    let tolerance = Tolerance { relative: 1e-6, absolute: 1e-14 };
    let mut stepper = Controlled::new(Rosenbrock::new(&RODAS5P, 3), 3, tolerance);
    stepper.dt = 1e-4;
    let (report, _) = controlled(&mut term, &mut stepper, (0.0, 1e11), 3000, &mut y, |_, _| {});
    assert_eq!(report.ending, Ending::Finished, "{report:?}");
    for (have, want) in y.iter().zip([0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050]) {
        assert!((have / want - 1.0).abs() < 1e-3, "{have:e} {want:e}");
    }
    // Every stage conserves the mass, as J does up to its differences.
    assert!((y.iter().sum::<f64>() - 1.0).abs() < 1e-7, "{:e}", y.iter().sum::<f64>() - 1.0);
}

/// u_t = (u³)_xx / 3 on a closed rod: nonlinear diffusion in conservative form.
fn porous(size: usize) -> impl FnMut(f64, &[f64], &mut [f64]) {
    let rate = (size * size) as f64 / 3.0;
    move |_, u, out| {
        let cube = |i: usize| u[i] * u[i] * u[i];
        for i in 0..size {
            let left = if i > 0 { cube(i) - cube(i - 1) } else { 0.0 };
            let right = if i + 1 < size { cube(i + 1) - cube(i) } else { 0.0 };
            out[i] = rate * (right - left);
        }
    }
}

fn bump(size: usize) -> Vec<f64> {
    (0..size).map(|i| 1.0 + 0.8 * (std::f64::consts::PI * (i as f64 + 0.5) / size as f64).cos()).collect()
}

#[test]
fn nonlinear_diffusion_by_four_methods() {
    let (size, end) = (32, 0.1);
    let start = bump(size);
    let mut exact = start.clone();
    let mut reference =
        Adaptive::new(RungeKutta::new(&DOPRI5, size), size, Tolerance { relative: 1e-10, absolute: 1e-10 });
    adaptive(&mut Function { size, f: porous(size) }, &mut reference, (0.0, end), 100_000, &mut exact, |_, _| {});
    let tolerance = Tolerance { relative: 1e-6, absolute: 1e-6 };

    let mut dense = start.clone();
    let mut stepper = Controlled::new(Rosenbrock::new(&RODAS5P, size), size, tolerance);
    let mut term = DenseJacobian::new(Function { size, f: porous(size) });
    controlled(&mut term, &mut stepper, (0.0, end), 1000, &mut dense, |_, _| {});
    assert!(max_difference(&dense, &exact) < 2e-5 && stepper.accepted < 60, "{:e}", max_difference(&dense, &exact));

    let mut krylov = start.clone();
    let mut stepper = Controlled::new(Rosenbrock::new(&RODAS5P, size), size, tolerance);
    let mut term = KrylovJacobian::new(Function { size, f: porous(size) });
    let (report, _) = controlled(&mut term, &mut stepper, (0.0, end), 1000, &mut krylov, |_, _| {});
    assert_eq!(report.ending, Ending::Finished);
    assert!(max_difference(&krylov, &exact) < 5e-5, "{:e}", max_difference(&krylov, &exact));

    let mut chebyshev = start.clone();
    let mut stepper = Controlled::new(Rkc::new(size), size, tolerance);
    let mut term = Function { size, f: porous(size) };
    let (report, _) = controlled(&mut term, &mut stepper, (0.0, end), 5000, &mut chebyshev, |_, _| {});
    assert_eq!(report.ending, Ending::Finished);
    assert!(max_difference(&chebyshev, &exact) < 1e-4, "{:e}", max_difference(&chebyshev, &exact));
    assert!((chebyshev.iter().sum::<f64>() - start.iter().sum::<f64>()).abs() < 1e-10, "conservative");
    // It takes more than one stage's worth of step: the explicit limit is 2/λ.
    assert!(stepper.method.stages > 4, "{}", stepper.method.stages);

    let (mut midpoint, mut term) = (start, DenseJacobian::new(Function { size, f: porous(size) }));
    let mut method = ImplicitMidpoint::new(size);
    for i in 0..400 {
        method.step(&mut term, end * f64::from(i) / 400.0, end / 400.0, &mut midpoint).expect("converges");
    }
    assert!(max_difference(&midpoint, &exact) < 2e-5, "{:e}", max_difference(&midpoint, &exact));
}

#[test]
fn midpoint_is_second_order_and_keeps_quadratic_invariants() {
    let exact = pendulum_reference(4.0);
    let errors: Vec<f64> = [40, 80, 160]
        .iter()
        .map(|&n| {
            let (mut y, dt) = ([2.0, 0.0], 4.0 / f64::from(n));
            let (mut term, mut method) = (DenseJacobian::new(Pendulum), ImplicitMidpoint::new(2));
            for i in 0..n {
                method.step(&mut term, dt * f64::from(i), dt, &mut y).expect("converges");
            }
            max_difference(&y, &exact)
        })
        .collect();
    let (least, most) = observed_order(&errors);
    assert!(least > 1.9 && most < 2.1, "{errors:?}");

    // Euler's free rigid body: |y|² and the energy are both quadratic.
    let body = |_: f64, y: &[f64], out: &mut [f64]| {
        (out[0], out[1], out[2]) = (-1.0 * y[1] * y[2], 1.5 * y[0] * y[2], -0.5 * y[0] * y[1]);
    };
    let invariants = |y: &[f64]| [y[0] * y[0] + y[1] * y[1] + y[2] * y[2], 1.5 * y[0] * y[0] + 1.0 * y[1] * y[1]];
    let start = [0.8, 0.6, 0.3];
    let (mut y, mut term) = (start, DenseJacobian::new(Function { size: 3, f: body }));
    let mut method = ImplicitMidpoint::new(3);
    for i in 0..2000 {
        method.step(&mut term, 0.3 * f64::from(i), 0.3, &mut y).expect("converges");
    }
    let drift = max_difference(&invariants(&y), &invariants(&start));
    assert!(drift < 1e-9 && max_difference(&y, &start) > 0.1, "{drift:e} {y:?}");
    let mut y = start;
    let mut rk4 = RungeKutta::new(&RK4, 3);
    crate::time::integrate::fixed(&mut Function { size: 3, f: body }, &mut rk4, (0.0, 600.0), 0.3, &mut y, |_, _| {});
    assert!(max_difference(&invariants(&y), &invariants(&start)) > 1e-6, "the check sees a drift");
}

#[test]
fn chebyshev_is_second_order_and_stable_on_its_interval() {
    for stages in [2, 3, 5, 12] {
        let errors: Vec<f64> = [200, 400, 800]
            .iter()
            .map(|&n| {
                let (mut y, dt) = ([1.0], 5.0 / f64::from(n));
                let mut method = Rkc::new(1);
                for i in 0..n {
                    method.step_with_stages(&mut Bell, dt * f64::from(i), dt, &mut y, stages);
                }
                (y[0] - 1.0 / 26.0_f64).abs()
            })
            .collect();
        let (least, most) = observed_order(&errors);
        assert!(least > 1.8 && most < 2.2, "{stages}: {errors:?}");

        let interval = rkc_interval(stages);
        let s = f64::from(stages);
        assert!((interval / (0.653 * (s * s - 1.0)) - 1.0).abs() < 0.05, "{stages} {interval}");
        let growth = |z: f64| {
            let mut y = [1.0];
            let mut term = Function { size: 1, f: move |_: f64, y: &[f64], out: &mut [f64]| out[0] = -z * y[0] };
            Rkc::new(1).step_with_stages(&mut term, 0.0, 1.0, &mut y, stages);
            y[0].abs()
        };
        for i in 0..=200 {
            let z = interval * f64::from(i) / 200.0;
            assert!(growth(z) <= 1.0 + 1e-12, "{stages} {z}: {}", growth(z));
        }
        // An even number ends at +1, an odd one at -1/3 and so is stable a little further.
        let outside = if stages % 2 == 0 { 1.02 } else { 1.2 };
        assert!(growth(outside * interval) > 1.0, "{stages}");
    }
}

#[test]
fn the_spectral_radius_is_found_and_renewed() {
    // Heat equation on a closed rod: the largest eigenvalue is 4 n² cos²(π/2n).
    let size = 64;
    let heat = move |_: f64, u: &[f64], out: &mut [f64]| {
        for i in 0..size {
            let (left, right) = (u[i.max(1) - 1], u[(i + 1).min(size - 1)]);
            out[i] = (size * size) as f64 * (left - 2.0 * u[i] + right);
        }
    };
    let exact = 4.0 * 4096.0 * (std::f64::consts::PI / 128.0).cos().powi(2);
    // A steady state too has a spectrum.
    for start in [bump(size), vec![1.0; size]] {
        let mut y = start;
        let mut stepper = Controlled::new(Rkc::new(size), size, Tolerance { relative: 1e-4, absolute: 1e-4 });
        let mut term = Function { size, f: heat };
        let (report, _) = controlled(&mut term, &mut stepper, (0.0, 0.2), 1000, &mut y, |_, _| {});
        assert_eq!(report.ending, Ending::Finished);
        let ratio = stepper.method.spectral_radius() / exact;
        assert!(ratio > 1.0 && ratio < 1.25, "{ratio}");
        let explicit_steps = 0.2 * exact / 2.0;
        assert!((stepper.method.evaluations as f64) < 0.5 * explicit_steps, "{}", stepper.method.evaluations);
    }
}
