//! Observed order of every stepper, in two-sided bands, on problems with closed solutions.

mod doubling;
mod imex;
mod order_conditions;
mod stiff;
mod stochastic;

use num_complex::Complex;

use super::controller::Tolerance;
use super::etdrk::{Etdrk, EtdrkOrder, SplitTerm};
use super::integrate::{Adaptive, Ending, adaptive, fixed};
use super::runge_kutta::{DOP853, DOPRI5, EULER, RK4, RungeKutta, TABLEAUX, Tableau};
use super::strang::{Flow, Strang};
use super::verlet::{Acceleration, Verlet};
use super::*;
use crate::testing::observed_order;

/// y' = -2 t y² with y(0) = 1: y = 1/(1 + t²). Nonlinear and dependent on time.
struct Bell;
impl Term<f64> for Bell {
    type Value = f64;
    fn size(&self) -> usize {
        1
    }
    fn evaluate(&mut self, t: f64, y: &[f64], slope: &mut [f64]) {
        slope[0] = -2.0 * t * y[0] * y[0];
    }
}

/// y' = cos(t) y ln y with y(0) = e, that is y = exp(exp(sin t)): smooth, nonlinear, with large derivatives, so that
/// methods of high order show their order before they reach rounding.
struct DoubleExponential;
impl Term<f64> for DoubleExponential {
    type Value = f64;
    fn size(&self) -> usize {
        1
    }
    fn evaluate(&mut self, t: f64, y: &[f64], slope: &mut [f64]) {
        slope[0] = t.cos() * y[0] * y[0].ln();
    }
}

#[test]
fn runge_kutta_orders() {
    for tableau in TABLEAUX {
        let exact = 5.0_f64.sin().exp().exp();
        let base = if tableau.order >= 8 { 0.5 } else { 0.1 };
        let errors: Vec<f64> = [1.0, 0.5, 0.25]
            .iter()
            .map(|f| {
                let mut y = [1.0_f64.exp()];
                let mut method = RungeKutta::new(tableau, 1);
                let report = fixed(&mut DoubleExponential, &mut method, (0.0, 5.0), base * f, &mut y, |_, _| {});
                assert_eq!(report.ending, Ending::Finished);
                (y[0] - exact).abs()
            })
            .collect();
        let (least, most) = observed_order(&errors);
        let order = f64::from(tableau.order);
        // Order 8 shows nearly 9 at steps that are still above rounding: its leading error constant is very small.
        let above = if tableau.order >= 8 { 1.4 } else { 0.4 };
        assert!(least > order - 0.4 && most < order + above, "{}: {least:.2} {most:.2} {errors:?}", tableau.name);
    }
}

#[test]
fn tableaux_are_consistent() {
    for t in TABLEAUX {
        assert!((t.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14, "{}", t.name);
        for (row, node) in t.matrix.iter().zip(t.nodes) {
            assert!((row.iter().sum::<f64>() - node).abs() < 1e-13, "{}", t.name);
        }
        // Quadrature conditions Σ b c^k = 1/(k+1) up to the order.
        for k in 1..t.order {
            let sum: f64 = t.weights.iter().zip(t.nodes).map(|(b, c)| b * c.powi(k as i32)).sum();
            assert!((sum - 1.0 / f64::from(k + 1)).abs() < 1e-13, "{} {k}", t.name);
        }
    }
}

#[test]
fn stated_stability_intervals_are_true() {
    // |R(z)| of y' = λy: stable just inside the interval, unstable just outside.
    struct Linear(Complex<f64>);
    impl Term<f64> for Linear {
        type Value = Complex<f64>;
        fn size(&self) -> usize {
            1
        }
        fn evaluate(&mut self, _: f64, y: &[Complex<f64>], slope: &mut [Complex<f64>]) {
            slope[0] = self.0 * y[0];
        }
    }
    let growth = |t: &'static Tableau, z: Complex<f64>| {
        let mut y = [Complex::from(1.0)];
        RungeKutta::new(t, 1).step(&mut Linear(z), 0.0, 1.0, &mut y);
        y[0].norm()
    };
    for t in TABLEAUX {
        assert!(growth(t, Complex::from(-t.real_interval * 0.999)) <= 1.0, "{}", t.name);
        assert!(growth(t, Complex::from(-t.real_interval * 1.01)) > 1.0, "{}", t.name);
        if t.imaginary_interval > 0.0 {
            assert!(growth(t, Complex::new(0.0, t.imaginary_interval * 0.999)) <= 1.01, "{}", t.name);
            assert!(growth(t, Complex::new(0.0, t.imaginary_interval * 1.03)) > 1.01, "{}", t.name);
        }
    }
}

#[test]
fn adaptive_error_follows_the_tolerance() {
    for tableau in [&DOPRI5, &DOP853] {
        let mut errors = Vec::new();
        for tolerance in [1e-4, 1e-7, 1e-10] {
            let mut y = [1.0];
            let method = RungeKutta::new(tableau, 1);
            let mut stepper = Adaptive::new(method, 1, Tolerance { relative: tolerance, absolute: tolerance });
            let mut last = 0.0;
            let report = adaptive(&mut Bell, &mut stepper, (0.0, 10.0), 10_000, &mut y, |t, _| {
                assert!(t > last);
                last = t;
            });
            assert_eq!((report.ending, last), (Ending::Finished, 10.0));
            errors.push((y[0] - 1.0 / 101.0).abs());
            assert!(errors[errors.len() - 1] < 10.0 * tolerance, "{} {errors:?}", tableau.name);
        }
        assert!(errors[2] < 1e-2 * errors[0], "{} {errors:?}", tableau.name);
    }
}

#[test]
fn a_blow_up_is_an_ending_and_keeps_the_last_good_state() {
    /// y' = y²: infinite at t = 1.
    struct Explosion;
    impl Term<f64> for Explosion {
        type Value = f64;
        fn size(&self) -> usize {
            1
        }
        fn evaluate(&mut self, _: f64, y: &[f64], slope: &mut [f64]) {
            slope[0] = y[0] * y[0];
        }
    }
    let mut y = [1.0];
    let report = fixed(&mut Explosion, &mut RungeKutta::new(&EULER, 1), (0.0, 5.0), 0.05, &mut y, |_, _| {});
    assert!(matches!(report.ending, Ending::Diverged { .. }) && y[0].is_finite(), "{report:?}");
    let mut y = [1.0];
    let mut stepper = Adaptive::new(RungeKutta::new(&DOPRI5, 1), 1, Tolerance::relative(1e-8));
    let report = adaptive(&mut Explosion, &mut stepper, (0.0, 5.0), 100_000, &mut y, |_, _| {});
    assert!(!matches!(report.ending, Ending::Finished) && (report.t - 1.0).abs() < 1e-3, "{report:?}");
    assert!(y[0].is_finite());
}

/// q'' = -sin q.
struct Pendulum;
impl Acceleration<f64> for Pendulum {
    fn size(&self) -> usize {
        1
    }
    fn acceleration(&mut self, _: f64, q: &[f64], out: &mut [f64]) {
        out[0] = -q[0].sin();
    }
}
impl Term<f64> for Pendulum {
    type Value = f64;
    fn size(&self) -> usize {
        2
    }
    fn evaluate(&mut self, _: f64, y: &[f64], slope: &mut [f64]) {
        (slope[0], slope[1]) = (y[1], -y[0].sin());
    }
}

fn pendulum_reference(t: f64) -> [f64; 2] {
    // DOP853, whose order the test above has verified.
    let mut y = [2.0, 0.0];
    let mut stepper = Adaptive::new(RungeKutta::new(&DOP853, 2), 2, Tolerance { relative: 1e-13, absolute: 1e-13 });
    adaptive(&mut Pendulum, &mut stepper, (0.0, t), 10_000, &mut y, |_, _| {});
    y
}

#[test]
fn verlet_is_second_order_reversible_and_keeps_the_energy() {
    let exact = pendulum_reference(4.0);
    let errors: Vec<f64> = [0.1, 0.05, 0.025]
        .iter()
        .map(|dt| {
            let mut y = [2.0, 0.0];
            fixed(&mut Pendulum, &mut Verlet::new(1), (0.0, 4.0), *dt, &mut y, |_, _| {});
            (y[0] - exact[0]).abs()
        })
        .collect();
    let (least, most) = observed_order(&errors);
    assert!(least > 1.9 && most < 2.1, "{errors:?}");

    let energy = |y: &[f64]| 0.5 * y[1] * y[1] - y[0].cos();
    let mut y = [2.0, 0.0];
    let (mut first, mut second) = (0.0_f64, 0.0_f64);
    fixed(&mut Pendulum, &mut Verlet::new(1), (0.0, 2000.0), 0.1, &mut y, |t, y| {
        let error = (energy(y) - energy(&[2.0, 0.0])).abs();
        if t < 1000.0 { first = first.max(error) } else { second = second.max(error) }
    });
    assert!(second < 1.01 * first, "no drift: {first} {second}");
    // Backwards to the start: exactly reversible up to rounding.
    let (end, mut stepper) = (y, Verlet::new(1));
    for _ in 0..20_000 {
        stepper.step(&mut Pendulum, 0.0, -0.1, &mut y);
    }
    assert!((y[0] - 2.0).abs() < 1e-8 && end != y, "{y:?}");
    // The counterpart drifts, so the energy test can fail.
    let mut y = [2.0, 0.0];
    let mut rk4 = RungeKutta::new(&RK4, 2);
    fixed(&mut Pendulum, &mut rk4, (0.0, 2000.0), 0.4, &mut y, |_, _| {});
    assert!((energy(&y) - energy(&[2.0, 0.0])).abs() > 0.05);
}

#[test]
fn strang_is_second_order() {
    /// Logistic growth y' = y - y²: growth and competition, each solved exactly.
    struct Logistic;
    impl Flow<f64> for Logistic {
        fn outer(&mut self, _: f64, dt: f64, y: &mut [f64]) {
            y[0] *= dt.exp();
        }
        fn inner(&mut self, _: f64, dt: f64, y: &mut [f64]) {
            y[0] /= 1.0 + dt * y[0];
        }
    }
    let exact = 1.0 / (1.0 + 9.0 * (-3.0_f64).exp());
    let errors: Vec<f64> = [0.1, 0.05, 0.025]
        .iter()
        .map(|dt| {
            let mut y = [0.1];
            fixed(&mut Logistic, &mut Strang::default(), (0.0, 3.0), *dt, &mut y, |_, _| {});
            (y[0] - exact).abs()
        })
        .collect();
    let (least, most) = observed_order(&errors);
    assert!(least > 1.9 && most < 2.1, "{errors:?}");
}

/// Two coupled modes with stiff and oscillating linear parts: u' = λ u + u v̄, v' = μ v + u² + cos t.
struct TwoModes {
    symbol: [Complex<f64>; 2],
}
impl SplitTerm<f64> for TwoModes {
    fn modes(&self) -> usize {
        2
    }
    fn symbol(&self) -> Vec<Complex<f64>> {
        self.symbol.to_vec()
    }
    fn nonlinear(&mut self, t: f64, u: &[Complex<f64>], out: &mut [Complex<f64>]) {
        out[0] = u[0] * u[1].conj();
        out[1] = u[0] * u[0] + t.cos();
    }
}
/// The same system whole, for methods that do not split.
impl Term<f64> for TwoModes {
    type Value = Complex<f64>;
    fn size(&self) -> usize {
        2
    }
    fn evaluate(&mut self, t: f64, y: &[Complex<f64>], slope: &mut [Complex<f64>]) {
        self.nonlinear(t, y, slope);
        for i in 0..2 {
            slope[i] += self.symbol[i] * y[i];
        }
    }
}

#[test]
fn etdrk_orders_real_and_complex() {
    for symbol in [
        [Complex::new(-0.5, 0.0), Complex::new(-30.0, 0.0)],
        [Complex::new(-0.2, 3.0), Complex::new(-1.0, -8.0)],
        [Complex::new(0.0, 0.0), Complex::new(-2.0, 0.0)],
    ] {
        let start = [Complex::new(0.4, 0.2), Complex::new(-0.3, 0.5)];
        let mut exact = start;
        let mut term = TwoModes { symbol };
        let mut reference =
            Adaptive::new(RungeKutta::new(&DOP853, 2), 2, Tolerance { relative: 1e-13, absolute: 1e-13 });
        adaptive(&mut term, &mut reference, (0.0, 2.0), 100_000, &mut exact, |_, _| {});
        for (order, nominal) in [(EtdrkOrder::Two, 2.0), (EtdrkOrder::Four, 4.0)] {
            let errors: Vec<f64> = [80, 160, 320]
                .iter()
                .map(|&steps| {
                    let dt = 2.0 / f64::from(steps);
                    let mut stepper = Etdrk::new(order, &symbol, dt);
                    let mut u = start;
                    for i in 0..steps {
                        stepper.step(&mut term, dt * f64::from(i), &mut u);
                    }
                    (u[0] - exact[0]).norm() + (u[1] - exact[1]).norm()
                })
                .collect();
            let (least, most) = observed_order(&errors);
            assert!(least > nominal - 0.3 && most < nominal + 0.3, "{order:?} {symbol:?}: {least} {most} {errors:?}");
        }
    }
}
