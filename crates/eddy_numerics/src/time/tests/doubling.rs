//! Step doubling and dense output.

use std::collections::BTreeMap;

use num_complex::Complex;

use super::{Bell, DoubleExponential, TwoModes};
use crate::testing::observed_order;
use crate::time::controller::Tolerance;
use crate::time::dense::hermite;
use crate::time::doubling::{LadderStep, StepDoubling};
use crate::time::etdrk::{Etdrk, EtdrkOrder};
use crate::time::implicit::SolveFailed;
use crate::time::integrate::{Adaptive, adaptive};
use crate::time::runge_kutta::{DOP853, DOPRI5, EULER, RK4, RungeKutta, Tableau};
use crate::time::{Stepper, Term};

/// (error at t = 10, accepted, rejected, evaluations) of y = 1/(1 + t²).
fn run(tableau: &'static Tableau, claimed_order: u32, tolerance: f64) -> (f64, u64, u64, u64) {
    let (mut y, mut method) = ([1.0], RungeKutta::new(tableau, 1));
    let mut control = StepDoubling::new(claimed_order, 1, Tolerance { relative: tolerance, absolute: tolerance });
    let (mut last, mut made) = (0.0, 0);
    control
        .run(
            (0.0, 10.0),
            &mut y,
            |LadderStep { t, dt, level }, y| {
                assert_eq!(dt, 10.0 / 2_f64.powi(level as i32));
                assert_eq!((t / dt).fract(), 0.0, "a step starts at a multiple of its length");
                made += 1;
                method.step(&mut Bell, t, dt, y);
                Ok(())
            },
            |t, _| {
                assert!(t > last);
                last = t;
            },
        )
        .expect("smooth");
    assert_eq!(last, 10.0);
    ((y[0] - 1.0 / 101.0).abs(), control.accepted, control.rejected, made)
}

#[test]
fn any_method_gets_error_control() {
    for (tableau, tolerances) in [(&EULER, [1e-3, 1e-4, 1e-5]), (&RK4, [1e-4, 1e-7, 1e-10])] {
        let results = tolerances.map(|tolerance| run(tableau, tableau.order, tolerance));
        for ((error, accepted, rejected, made), tolerance) in results.iter().zip(tolerances) {
            assert!(*error < 10.0 * tolerance, "{} {tolerance}: {error:e}", tableau.name);
            assert!(rejected < accepted, "{} {tolerance} {accepted} {rejected}", tableau.name);
            assert!(*made <= 3 * (accepted + rejected), "the first half of a rejected step is used again");
        }
        assert!(results[2].1 > results[0].1 && results[2].0 < results[0].0);
    }
    // A wrong order makes the estimate too small, by a factor of 1,000 here: the error is past what is asked for.
    let (honest, ..) = run(&EULER, 1, 1e-4);
    let (wrong, ..) = run(&EULER, 10, 1e-4);
    assert!(honest < 2.5e-4 && wrong > 5e-4, "{honest:e} {wrong:e}");
}

#[test]
fn exponential_methods_need_few_sets_of_coefficients() {
    let symbol = [Complex::new(-0.5, 0.0), Complex::new(-30.0, 0.0)];
    let start = [Complex::new(0.4, 0.2), Complex::new(-0.3, 0.5)];
    let mut exact = start;
    let mut reference = Adaptive::new(RungeKutta::new(&DOP853, 2), 2, Tolerance { relative: 1e-13, absolute: 1e-13 });
    adaptive(&mut TwoModes { symbol }, &mut reference, (0.0, 2.0), 100_000, &mut exact, |_, _| {});
    let mut y = start;
    let mut term = TwoModes { symbol };
    let mut cache: BTreeMap<u32, Etdrk<f64>> = BTreeMap::new();
    let mut control = StepDoubling::new(4, 2, Tolerance { relative: 1e-8, absolute: 1e-8 });
    for interval in 0..8 {
        control
            .run(
                (0.25 * f64::from(interval), 0.25),
                &mut y,
                |step, y| {
                    let method =
                        cache.entry(step.level).or_insert_with(|| Etdrk::new(EtdrkOrder::Four, &symbol, step.dt));
                    method.step(&mut term, step.t, y);
                    Ok(())
                },
                |_, _| {},
            )
            .expect("smooth");
    }
    let error = (y[0] - exact[0]).norm() + (y[1] - exact[1]).norm();
    assert!(error < 1e-6, "{error:e}");
    assert!(cache.len() <= 6 && control.accepted > 12, "{} {}", cache.len(), control.accepted);
}

#[test]
fn a_solve_that_fails_shortens_the_step_and_then_says_so() {
    let mut control = StepDoubling::new(1, 1, Tolerance::relative(1e-3));
    let mut y = [1.0];
    control
        .run(
            (0.0, 1.0),
            &mut y,
            |step, y| {
                if step.dt > 0.01 {
                    return Err(SolveFailed::NoConvergence { iterations: 3, residual: 1.0 });
                }
                y[0] *= 1.0 - 0.1 * step.dt;
                Ok(())
            },
            |_, _| {},
        )
        .expect("short steps work");
    assert!(control.rejected > 0 && (y[0] - (-0.1_f64).exp()).abs() < 1e-4);
    let mut y = [1.0];
    let failed = control.run((0.0, 1.0), &mut y, |_, _| Err(SolveFailed::NotFinite), |_, _| {});
    let failed = failed.expect_err("no step works");
    assert_eq!((failed.cause, y), (Some(SolveFailed::NotFinite), [1.0]));
}

#[test]
fn dense_output_has_its_order() {
    let steps = [0.2, 0.1, 0.05];
    let exact = |t: f64| t.sin().exp().exp();
    let slope = |t: f64, y: f64| t.cos() * y * y.ln();
    // Largest error inside one step from t = 0.7.
    let worst = |f: &dyn Fn(f64, f64) -> f64, dt: f64| {
        (1..20).map(|i| (f(f64::from(i) / 20.0, dt) - exact(0.7 + dt * f64::from(i) / 20.0)).abs()).fold(0.0, f64::max)
    };
    let cubic = |part: f64, dt: f64| {
        let (y0, y1) = (exact(0.7), exact(0.7 + dt));
        let mut out = [0.0];
        hermite(part, dt, (&[y0], &[slope(0.7, y0)]), (&[y1], &[slope(0.7 + dt, y1)]), &mut out);
        out[0]
    };
    let continuous = |part: f64, dt: f64| {
        let (y0, mut y1) = ([exact(0.7)], [exact(0.7)]);
        let mut method = RungeKutta::new(&DOPRI5, 1);
        method.step(&mut DoubleExponential, 0.7, dt, &mut y1);
        let mut out = [0.0];
        assert!(method.dense_output(part, dt, &y0, &y1, &mut out));
        out[0]
    };
    let (least, most) = observed_order(&steps.map(|dt| worst(&cubic, dt)));
    assert!(least > 3.6 && most < 4.4, "local order of the cubic: {least} {most}");
    let (least, most) = observed_order(&steps.map(|dt| worst(&continuous, dt)));
    assert!(least > 4.6 && most < 5.6, "local order of the extension: {least} {most}");
    // Exact at the ends, and a cubic is its own interpolant.
    let cube = |t: f64| t * t * t - 2.0 * t;
    let mut out = [0.0];
    hermite(0.3, 2.0, (&[cube(1.0)], &[1.0]), (&[cube(3.0)], &[25.0]), &mut out);
    assert!((out[0] - cube(1.6)).abs() < 1e-13);
    let mut rk4 = RungeKutta::new(&RK4, 1);
    let mut y = [1.0];
    rk4.step(&mut Bell, 0.0, 0.1, &mut y);
    assert_eq!(<Bell as Term<f64>>::size(&Bell), 1);
    assert!(!rk4.dense_output(0.5, 0.1, &[1.0], &y, &mut out), "only for the method that has it");
}
