//! Implicit-explicit and θ-methods: orders in two-sided bands, exactness, damping, an independent path.

use crate::space::tridiagonal::{Tridiagonal, TridiagonalSolver};
use crate::testing::{max_difference, observed_order};
use crate::time::Term;
use crate::time::controlled::{Controlled, controlled};
use crate::time::controller::Tolerance;
use crate::time::imex::*;
use crate::time::implicit::{ImplicitTerm, SolveFailed, ThetaMethod};
use crate::time::integrate::{Adaptive, Ending, adaptive};
use crate::time::runge_kutta::{DOP853, RungeKutta};

/// Manufactured: y = (1.5 + sin t, 1.2 + cos 2t), L a matrix that is not symmetric, a product in N, half of the forcing in
/// N and half in b(t).
struct Manufactured {
    matrix: [f64; 4],
}

const MANUFACTURED: Manufactured = Manufactured { matrix: [-2.0, 1.0, 0.5, -3.0] };

impl Manufactured {
    fn exact(t: f64) -> [f64; 2] {
        [1.5 + t.sin(), 1.2 + (2.0 * t).cos()]
    }
    fn product(y: &[f64]) -> [f64; 2] {
        [0.4 * y[0] * y[1], -0.3 * y[0] * y[0]]
    }
    fn half_forcing(&self, t: f64) -> [f64; 2] {
        let (y, m) = (Self::exact(t), self.matrix);
        let p = Self::product(&y);
        [
            0.5 * (t.cos() - m[0] * y[0] - m[1] * y[1] - p[0]),
            0.5 * (-2.0 * (2.0 * t).sin() - m[2] * y[0] - m[3] * y[1] - p[1]),
        ]
    }
}

impl ImplicitTerm<f64> for Manufactured {
    type Value = f64;
    fn size(&self) -> usize {
        2
    }
    fn explicit(&mut self, t: f64, y: &[f64], out: &mut [f64]) {
        let (p, g) = (Self::product(y), self.half_forcing(t));
        (out[0], out[1]) = (p[0] + g[0], p[1] + g[1]);
    }
    fn implicit(&mut self, t: f64, y: &[f64], out: &mut [f64]) {
        let (m, g) = (self.matrix, self.half_forcing(t));
        (out[0], out[1]) = (m[0] * y[0] + m[1] * y[1] + g[0], m[2] * y[0] + m[3] * y[1] + g[1]);
    }
    fn solve(&mut self, t: f64, shift: f64, y: &mut [f64]) -> Result<(), SolveFailed> {
        let (m, g) = (self.matrix.map(|v| -shift * v), self.half_forcing(t));
        let (a, b, c, d) = (1.0 + m[0], m[1], m[2], 1.0 + m[3]);
        let (p, q) = (y[0] + shift * g[0], y[1] + shift * g[1]);
        let determinant = a * d - b * c;
        if determinant == 0.0 {
            return Err(SolveFailed::Singular { row: 1 });
        }
        (y[0], y[1]) = ((d * p - b * q) / determinant, (a * q - c * p) / determinant);
        Ok(())
    }
}

/// Errors at t = 2 with 40, 80, 160 steps.
fn errors(mut make: impl FnMut(&mut Manufactured, f64, f64, &mut [f64], bool)) -> Vec<f64> {
    [40, 80, 160]
        .iter()
        .map(|&n| {
            let (mut y, dt) = (Manufactured::exact(0.0), 2.0 / f64::from(n));
            let mut term = MANUFACTURED;
            for i in 0..n {
                make(&mut term, dt * f64::from(i), dt, &mut y, i == 0);
            }
            max_difference(&y, &Manufactured::exact(2.0))
        })
        .collect()
}

fn multistep_orders(scheme: &'static MultistepScheme) -> (f64, f64) {
    let mut stepper = ImexMultistep::new(scheme, 2);
    let errors = errors(|term, t, dt, y, first| {
        if first {
            stepper.reset();
        }
        stepper.step(term, t, dt, y).expect("a regular matrix");
    });
    observed_order(&errors)
}

#[test]
fn multistep_methods_keep_their_order_from_the_first_step() {
    for scheme in MULTISTEP_SCHEMES {
        let (least, most) = multistep_orders(scheme);
        let order = f64::from(scheme.order);
        assert!(least > order - 0.3 && most < order + 0.4, "{}: {least:.2} {most:.2}", scheme.name);
    }
    // Planted: one weight of the explicit part moved to its neighbour, consistent to order 1 only.
    const FAULTY: MultistepScheme = MultistepScheme { explicit: &[2.99, -2.99, 1.0], ..SBDF3 };
    let (least, _) = multistep_orders(&FAULTY);
    assert!(least < 2.0, "{least}");
}

#[test]
fn additive_runge_kutta_orders() {
    let orders = |tableau: &'static ArkTableau| {
        let mut stepper = Ark::new(tableau, 2);
        observed_order(&errors(|term, t, dt, y, _| stepper.step(term, t, dt, y).expect("a regular matrix")))
    };
    for tableau in ARK_TABLEAUX {
        let (least, most) = orders(tableau);
        let order = f64::from(tableau.order);
        assert!(least > order - 0.3 && most < order + 0.4, "{}: {least:.2} {most:.2}", tableau.name);
    }
    const FAULTY: ArkTableau = ArkTableau { nodes: &[0.0, 0.5, 0.33, 31.0 / 50.0, 17.0 / 20.0, 1.0], ..ARK4 };
    assert!(orders(&FAULTY).0 < 3.0);
}

#[test]
fn theta_methods_have_their_orders() {
    for (order, make) in [(2.0, ThetaMethod::crank_nicolson as fn(usize) -> _), (1.0, ThetaMethod::backward_euler)] {
        let mut stepper: ThetaMethod<f64> = make(2);
        let errors = errors(|term, t, dt, y, _| stepper.step(term, t, dt, y).expect("converges"));
        let (least, most) = observed_order(&errors);
        assert!(least > order - 0.1 && most < order + 0.1, "{order}: {least} {most}");
        // One sweep is explicit in N: the iteration must not pretend to have converged.
        stepper.max_sweeps = 1;
        let mut y = Manufactured::exact(0.0);
        let failed = stepper.step(&mut { MANUFACTURED }, 0.0, 0.1, &mut y);
        assert!(matches!(failed, Err(SolveFailed::NoConvergence { .. })));
        assert_eq!(y, Manufactured::exact(0.0), "a failed step leaves the state alone");
    }
}

/// y' = λ y + p'(t), three tenths of p' in N and the rest in b (for parts of 1 : p the leading errors of the explicit and
/// the implicit half would cancel).
struct Polynomial {
    degree: i32,
    lambda: f64,
}
impl Polynomial {
    fn derivative(&self, t: f64) -> f64 {
        if self.degree == 0 { 0.0 } else { f64::from(self.degree) * t.powi(self.degree - 1) }
    }
}
impl ImplicitTerm<f64> for Polynomial {
    type Value = f64;
    fn size(&self) -> usize {
        1
    }
    fn explicit(&mut self, t: f64, _: &[f64], out: &mut [f64]) {
        out[0] = 0.3 * self.derivative(t);
    }
    fn implicit(&mut self, t: f64, y: &[f64], out: &mut [f64]) {
        out[0] = self.lambda * y[0] + 0.7 * self.derivative(t);
    }
    fn solve(&mut self, t: f64, shift: f64, y: &mut [f64]) -> Result<(), SolveFailed> {
        y[0] = (y[0] + shift * 0.7 * self.derivative(t)) / (1.0 - shift * self.lambda);
        Ok(())
    }
    fn is_linear(&self) -> bool {
        self.degree == 0
    }
}

#[test]
fn polynomials_up_to_the_order_are_exact() {
    for scheme in MULTISTEP_SCHEMES {
        let error = |degree: i32| {
            let (mut y, mut stepper) = ([1.0], ImexMultistep::new(scheme, 1));
            let mut term = Polynomial { degree, lambda: 0.0 };
            for i in 0..10 {
                stepper.step(&mut term, 0.3 * f64::from(i), 0.3, &mut y).expect("no matrix");
            }
            (y[0] - 1.0 - 3.0_f64.powi(degree)).abs()
        };
        for degree in 1..=scheme.order as i32 {
            assert!(error(degree) < 1e-11, "{} {degree}: {:e}", scheme.name, error(degree));
        }
        assert!(error(scheme.order as i32 + 1) > 1e-3, "{}", scheme.name);
    }
}

#[test]
fn amplification_factors_are_the_rational_functions() {
    let mut term = Polynomial { degree: 0, lambda: -3.0 };
    let mut y = [1.0];
    ThetaMethod::crank_nicolson(1).step(&mut term, 0.0, 0.5, &mut y).expect("regular");
    assert!((y[0] - 0.25 / 1.75).abs() < 1e-15);
    let mut y = [1.0];
    ThetaMethod::backward_euler(1).step(&mut term, 0.0, 0.5, &mut y).expect("regular");
    assert!((y[0] - 1.0 / 2.5).abs() < 1e-15);
    // At infinity: L-stable methods damp, Crank-Nicolson turns the sign.
    let mut stiff = Polynomial { degree: 0, lambda: -1e9 };
    for tableau in ARK_TABLEAUX {
        let mut y = [1.0];
        Ark::new(tableau, 1).step(&mut stiff, 0.0, 1.0, &mut y).expect("regular");
        assert!(y[0].abs() < 1e-6, "{}: {}", tableau.name, y[0]);
    }
    for scheme in MULTISTEP_SCHEMES {
        let (mut y, mut stepper) = ([1.0], ImexMultistep::new(scheme, 1));
        for i in 0..40 {
            stepper.step(&mut stiff, f64::from(i), 1.0, &mut y).expect("regular");
        }
        assert!(y[0].abs() < 1e-6, "{}: {}", scheme.name, y[0]);
    }
    let mut y = [1.0];
    ThetaMethod::crank_nicolson(1).step(&mut stiff, 0.0, 1.0, &mut y).expect("regular");
    assert!((y[0] + 1.0).abs() < 1e-8);
}

#[test]
fn a_change_of_step_or_a_jump_in_time_starts_anew() {
    let run = |keeps: bool| {
        let errors: Vec<f64> = [40, 80, 160]
            .iter()
            .map(|&n| {
                let (mut term, mut y) = (MANUFACTURED, Manufactured::exact(0.0));
                let (mut stepper, dt) = (ImexMultistep::new(&SBDF3, 2), 1.0 / f64::from(n));
                for i in 0..n {
                    stepper.step(&mut term, dt * f64::from(i), dt, &mut y).expect("regular");
                }
                if keeps {
                    // A brush: without a reset the history would belong to another state.
                    y = Manufactured::exact(0.5);
                    let mut fresh = y;
                    let mut other = ImexMultistep::new(&SBDF3, 2);
                    for i in 0..n {
                        stepper.step(&mut term, 0.5 + dt * f64::from(i), dt, &mut y).expect("regular");
                        other.step(&mut term, 0.5 + dt * f64::from(i), dt, &mut fresh).expect("regular");
                    }
                    assert_eq!(y, fresh);
                    return max_difference(&y, &Manufactured::exact(1.5));
                }
                for i in 0..2 * n {
                    stepper.step(&mut term, 1.0 + 0.5 * dt * f64::from(i), 0.5 * dt, &mut y).expect("regular");
                }
                max_difference(&y, &Manufactured::exact(2.0))
            })
            .collect();
        observed_order(&errors)
    };
    for keeps in [false, true] {
        let (least, most) = run(keeps);
        assert!(least > 2.7 && most < 3.4, "{keeps}: {least} {most}");
    }
}

/// Fisher-KPP on a rod of 40 points, walls held at 1 and 0: L tridiagonal with boundary data in b.
struct Rod {
    solver: Option<(f64, TridiagonalSolver<f64>)>,
    factorizations: u32,
}
const POINTS: usize = 40;
const RATE: f64 = 1.0 / ((1.0 / 41.0) * (1.0 / 41.0));
impl Rod {
    fn matrix(scale: f64, diagonal: f64) -> Tridiagonal<f64> {
        Tridiagonal {
            lower: vec![scale * RATE; POINTS],
            diagonal: vec![diagonal - 2.0 * scale * RATE; POINTS],
            upper: vec![scale * RATE; POINTS],
            periodic: false,
        }
    }
}
impl ImplicitTerm<f64> for Rod {
    type Value = f64;
    fn size(&self) -> usize {
        POINTS
    }
    fn explicit(&mut self, _: f64, y: &[f64], out: &mut [f64]) {
        for (o, v) in out.iter_mut().zip(y) {
            *o = 8.0 * v * (1.0 - v);
        }
    }
    fn implicit(&mut self, t: f64, y: &[f64], out: &mut [f64]) {
        Self::matrix(1.0, 0.0).apply(y, out);
        out[0] += RATE * (1.0 + 0.2 * t.sin());
    }
    fn solve(&mut self, t: f64, shift: f64, y: &mut [f64]) -> Result<(), SolveFailed> {
        if self.solver.as_ref().is_none_or(|s| s.0 != shift) {
            self.solver = Some((shift, TridiagonalSolver::new(&Self::matrix(-shift, 1.0))));
            self.factorizations += 1;
        }
        y[0] += shift * RATE * (1.0 + 0.2 * t.sin());
        if let Some((_, solver)) = &self.solver {
            solver.solve(y);
        }
        Ok(())
    }
}
impl Term<f64> for Rod {
    type Value = f64;
    fn size(&self) -> usize {
        POINTS
    }
    fn evaluate(&mut self, t: f64, y: &[f64], slope: &mut [f64]) {
        let mut reaction = vec![0.0; POINTS];
        self.explicit(t, y, &mut reaction);
        self.implicit(t, y, slope);
        for (s, r) in slope.iter_mut().zip(&reaction) {
            *s += r;
        }
    }
}

#[test]
fn adaptive_additive_methods_agree_with_an_explicit_one() {
    let start: Vec<f64> = (1..=POINTS).map(|i| 1.0 - i as f64 / 41.0).collect();
    let rod = || Rod { solver: None, factorizations: 0 };
    let mut exact = start.clone();
    let mut reference =
        Adaptive::new(RungeKutta::new(&DOP853, POINTS), POINTS, Tolerance { relative: 1e-11, absolute: 1e-11 });
    adaptive(&mut rod(), &mut reference, (0.0, 0.5), 100_000, &mut exact, |_, _| {});
    for tableau in [&ARK3, &ARK4] {
        let mut last = f64::INFINITY;
        for tolerance in [1e-4, 1e-6, 1e-8] {
            let (mut y, mut term) = (start.clone(), rod());
            let mut stepper = Controlled::new(
                Ark::new(tableau, POINTS),
                POINTS,
                Tolerance { relative: tolerance, absolute: tolerance },
            );
            let (report, failed) = controlled(&mut term, &mut stepper, (0.0, 0.5), 20_000, &mut y, |_, _| {});
            assert_eq!((report.ending, failed), (Ending::Finished, None));
            let error = max_difference(&y, &exact);
            assert!(error < 60.0 * tolerance && error < 0.3 * last, "{} {tolerance}: {error:e}", tableau.name);
            // Not by taking the explicit steps: those are bounded by 2.8 / 6700, so 1,200 of them.
            assert!(tolerance < 1e-6 || report.accepted < 150, "{} {}", tableau.name, report.accepted);
            last = error;
        }
    }
    // Fixed steps keep one factorization for the method and one for its start.
    let (mut y, mut term, mut stepper) = (start, rod(), ImexMultistep::new(&SBDF2, POINTS));
    for i in 0..500 {
        stepper.step(&mut term, 1e-3 * f64::from(i), 1e-3, &mut y).expect("regular");
    }
    assert_eq!(term.factorizations, 2);
    assert!(max_difference(&y, &exact) < 1e-4);
}

#[test]
fn single_precision_runs() {
    struct Decay;
    impl ImplicitTerm<f32> for Decay {
        type Value = f32;
        fn size(&self) -> usize {
            1
        }
        fn explicit(&mut self, t: f64, y: &[f32], out: &mut [f32]) {
            out[0] = t.cos() as f32 + 0.5 * y[0];
        }
        fn implicit(&mut self, _: f64, y: &[f32], out: &mut [f32]) {
            out[0] = -1.5 * y[0];
        }
        fn solve(&mut self, _: f64, shift: f64, y: &mut [f32]) -> Result<(), SolveFailed> {
            y[0] /= 1.0 + 1.5 * shift as f32;
            Ok(())
        }
    }
    // y' = -y + cos t, y(0) = 1/2: y = (cos t + sin t) / 2.
    let mut y = [0.5_f32];
    let mut stepper = Controlled::new(Ark::new(&ARK3, 1), 1, Tolerance { relative: 1e-5, absolute: 1e-5 });
    let (report, _) = controlled(&mut Decay, &mut stepper, (0.0, 3.0), 1000, &mut y, |_, _| {});
    assert_eq!(report.ending, Ending::Finished);
    assert!((f64::from(y[0]) - 0.5 * (3.0_f64.cos() + 3.0_f64.sin())).abs() < 1e-4, "{y:?}");
}
