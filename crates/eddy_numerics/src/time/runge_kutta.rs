//! Explicit Runge-Kutta methods: one loop, and tableaux.

use super::{Stepper, Term};
use crate::{Real, Value};

pub use super::dop853::DOP853;

/// An error estimate as weights of the stages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Embedded {
    /// A method without an estimate.
    None,
    /// Weights minus the weights of the embedded method.
    Difference(&'static [f64]),
    /// Two estimates blended as in DOP853.
    Blend { fifth: &'static [f64], third: &'static [f64] },
}

/// An explicit method: stage i is `k_i = f(t + nodes[i] dt, y + dt Σ_j matrix[i][j] k_j)`, the step `y + dt Σ weights[i] k_i`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tableau {
    /// Name on the command line and in problem files.
    pub name: &'static str,
    pub order: u32,
    pub nodes: &'static [f64],
    pub matrix: &'static [&'static [f64]],
    pub weights: &'static [f64],
    pub error: Embedded,
    /// Order by which the error estimate shrinks (local error ~ dt^(error_order + 1)).
    pub error_order: u32,
    /// dt·|λ| up to which a real negative eigenvalue λ is damped.
    pub real_interval: f64,
    /// dt·|λ| up to which an imaginary eigenvalue is not amplified (for odd orders: by more than 1 % a step).
    pub imaginary_interval: f64,
}

/// Explicit Euler: order 1, one evaluation. Unstable for waves at any step.
pub const EULER: Tableau = Tableau {
    name: "euler",
    order: 1,
    nodes: &[0.0],
    matrix: &[&[]],
    weights: &[1.0],
    error: Embedded::None,
    error_order: 0,
    real_interval: 2.0,
    imaginary_interval: 0.0,
};

/// Heun's method, the optimal two-stage SSP method: order 2, two evaluations.
pub const RK2: Tableau = Tableau {
    name: "rk2",
    order: 2,
    nodes: &[0.0, 1.0],
    matrix: &[&[], &[1.0]],
    weights: &[0.5, 0.5],
    error: Embedded::None,
    error_order: 0,
    real_interval: 2.0,
    imaginary_interval: 0.0,
};

/// Strong-stability-preserving, order 3, three evaluations: a convex combination of Euler steps, so it keeps whatever
/// bound (total variation, positivity) Euler keeps at the same step. Shu & Osher (1988), J. Comput. Phys. 77, eq. 2.18.
pub const SSPRK3: Tableau = Tableau {
    name: "ssprk3",
    order: 3,
    nodes: &[0.0, 1.0, 0.5],
    matrix: &[&[], &[1.0], &[0.25, 0.25]],
    weights: &[1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0],
    error: Embedded::None,
    error_order: 0,
    real_interval: 2.51,
    imaginary_interval: 1.73,
};

/// The classical method: order 4, four evaluations. Kutta (1901).
pub const RK4: Tableau = Tableau {
    name: "rk4",
    order: 4,
    nodes: &[0.0, 0.5, 0.5, 1.0],
    matrix: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
    weights: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    error: Embedded::None,
    error_order: 0,
    real_interval: 2.785,
    imaginary_interval: 2.828,
};

/// Dormand-Prince 5(4): order 5, seven stages of which the last is the first of the next step (here it is evaluated again,
/// because a brush may touch the state between steps). The usual choice at moderate tolerances.
/// Dormand & Prince (1980), J. Comput. Appl. Math. 6, 19, table 2.
pub const DOPRI5: Tableau = Tableau {
    name: "dopri5",
    order: 5,
    nodes: &[0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0],
    matrix: &[
        &[],
        &[0.2],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
        &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
    ],
    weights: &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0, 0.0],
    error: Embedded::Difference(&[
        71.0 / 57600.0,
        0.0,
        -71.0 / 16695.0,
        71.0 / 1920.0,
        -17253.0 / 339200.0,
        22.0 / 525.0,
        -1.0 / 40.0,
    ]),
    error_order: 4,
    real_interval: 3.3,
    imaginary_interval: 1.72,
};

/// Explicit methods, by name.
pub const TABLEAUX: &[&Tableau] = &[&EULER, &RK2, &SSPRK3, &RK4, &DOPRI5, &DOP853];

/// A tableau at work: holds the stages, so that a step allocates nothing.
pub struct RungeKutta<V> {
    pub tableau: &'static Tableau,
    stages: Vec<Vec<V>>,
    argument: Vec<V>,
}

impl<V: Copy + Default> RungeKutta<V> {
    /// For states of `size` entries.
    pub fn new(tableau: &'static Tableau, size: usize) -> Self {
        let stages = vec![vec![V::default(); size]; tableau.weights.len()];
        Self { tableau, stages, argument: vec![V::default(); size] }
    }

    /// The stages k_i of the step last made or tried.
    pub(super) fn stages(&self) -> &[Vec<V>] {
        &self.stages
    }

    /// Evaluates all stages from `y`.
    fn evaluate<R: Real, T: Term<R, Value = V> + ?Sized>(&mut self, term: &mut T, t: f64, dt: f64, y: &[V])
    where
        V: Value<R>,
    {
        for (i, row) in self.tableau.matrix.iter().enumerate() {
            let (done, rest) = self.stages.split_at_mut(i);
            let at = t + self.tableau.nodes[i] * dt;
            if row.is_empty() {
                term.evaluate(at, y, &mut rest[0]);
            } else {
                self.argument.copy_from_slice(y);
                combine(&mut self.argument, done, row, dt);
                term.evaluate(at, &self.argument, &mut rest[0]);
            }
        }
    }

    /// Tries a step from `y`: writes the candidate to `out` and returns the scaled error, which must be at most 1 for a
    /// step to be accepted. Methods without an estimate return 0.
    pub fn attempt<R: Real, T: Term<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &[V],
        out: &mut [V],
        tolerance: super::controller::Tolerance,
    ) -> f64
    where
        V: Value<R>,
    {
        self.evaluate(term, t, dt, y);
        out.copy_from_slice(y);
        combine(out, &self.stages, self.tableau.weights, dt);
        match self.tableau.error {
            Embedded::None => 0.0,
            Embedded::Difference(weights) => {
                dt.abs() * self.squared_error(weights, y, out, tolerance).sqrt() / (y.len() as f64).sqrt()
            }
            Embedded::Blend { fifth, third } => {
                let e5 = self.squared_error(fifth, y, out, tolerance);
                let e3 = self.squared_error(third, y, out, tolerance);
                let denominator = e5 + 0.01 * e3;
                if denominator == 0.0 { 0.0 } else { dt.abs() * e5 / (denominator * y.len() as f64).sqrt() }
            }
        }
    }

    /// Σ |error_i / scale_i|², without the factor dt².
    fn squared_error<R: Real>(
        &mut self,
        weights: &[f64],
        y: &[V],
        out: &[V],
        tolerance: super::controller::Tolerance,
    ) -> f64
    where
        V: Value<R>,
    {
        self.argument.fill(V::default());
        combine(&mut self.argument, &self.stages, weights, 1.0);
        let (absolute, relative) = (R::of(tolerance.absolute), R::of(tolerance.relative));
        let mut sum = 0.0;
        for ((e, a), b) in self.argument.iter().zip(y).zip(out) {
            let ratio = (e.magnitude() / (absolute + relative * a.magnitude().max(b.magnitude()))).to_f64();
            sum += ratio * ratio;
        }
        sum
    }
}

/// `target += dt Σ weights[j] stages[j]`, two stages a pass to halve the memory traffic.
fn combine<R: Real, V: Value<R>>(target: &mut [V], stages: &[Vec<V>], weights: &[f64], dt: f64) {
    let mut terms = weights.iter().zip(stages).filter(|(w, _)| **w != 0.0);
    while let Some((w0, k0)) = terms.next() {
        let w0 = R::of(w0 * dt);
        if let Some((w1, k1)) = terms.next() {
            let w1 = R::of(w1 * dt);
            for ((v, a), b) in target.iter_mut().zip(k0).zip(k1) {
                *v += *a * w0 + *b * w1;
            }
        } else {
            for (v, a) in target.iter_mut().zip(k0) {
                *v += *a * w0;
            }
        }
    }
}

impl<R: Real, V: Value<R>, T: Term<R, Value = V> + ?Sized> Stepper<R, T> for RungeKutta<V> {
    type Value = V;
    fn order(&self) -> u32 {
        self.tableau.order
    }
    fn evaluations(&self) -> u32 {
        self.tableau.weights.len() as u32
    }
    fn step(&mut self, term: &mut T, t: f64, dt: f64, y: &mut [V]) {
        self.evaluate(term, t, dt, y);
        combine(y, &self.stages, self.tableau.weights, dt);
    }
}
