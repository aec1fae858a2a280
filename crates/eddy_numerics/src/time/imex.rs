//! Implicit-explicit methods: multistep (CNAB2, SBDF1-4) and additive Runge-Kutta with an error estimate.

use super::controlled::{Attempt, ErrorEstimating, scaled_error};
use super::controller::Tolerance;
use super::implicit::{ImplicitTerm, SolveFailed, explicit_or_zero};
use crate::{Real, Value};

pub use super::imex_tableaux::{ARK_TABLEAUX, ARK3, ARK4, ARS222, ARS443};

/// A linear multistep scheme with history entries j = 1 … of `left`:
/// `Σ_j left[j] y_{n+1-j} = dt (Σ_j explicit[j] N_{n-j} + implicit[0] K_{n+1} + implicit[1] K_n)` with K = L y + b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultistepScheme {
    /// Name on the command line and in problem files.
    pub name: &'static str,
    pub order: u32,
    pub left: &'static [f64],
    pub explicit: &'static [f64],
    pub implicit: [f64; 2],
}

/// Crank-Nicolson for L, Adams-Bashforth 2 for N. Order 2, one solve a step. Little numerical damping: right for waves with
/// weak dissipation; stiff modes are left undamped and ring. Ascher, Ruuth & Wetton (1995), SIAM J. Numer. Anal. 32, 797,
/// eq. 11 with γ = 1/2, c = 0.
pub const CNAB2: MultistepScheme =
    MultistepScheme { name: "cnab2", order: 2, left: &[1.0, -1.0], explicit: &[1.5, -0.5], implicit: [0.5, 0.5] };

/// Backward Euler for L, Euler for N. Order 1, damps everything.
pub const SBDF1: MultistepScheme =
    MultistepScheme { name: "sbdf1", order: 1, left: &[1.0, -1.0], explicit: &[1.0], implicit: [1.0, 0.0] };

/// Semi-implicit backward differentiation, order 2: strong damping of stiff modes. Ascher, Ruuth & Wetton (1995), eq. 13.
pub const SBDF2: MultistepScheme =
    MultistepScheme { name: "sbdf2", order: 2, left: &[1.5, -2.0, 0.5], explicit: &[2.0, -1.0], implicit: [1.0, 0.0] };

/// Order 3; its explicit part tolerates advection (part of the imaginary axis). Ascher, Ruuth & Wetton (1995), eq. 16.
pub const SBDF3: MultistepScheme = MultistepScheme {
    name: "sbdf3",
    order: 3,
    left: &[11.0 / 6.0, -3.0, 1.5, -1.0 / 3.0],
    explicit: &[3.0, -3.0, 1.0],
    implicit: [1.0, 0.0],
};

/// Order 4; a step about half as long as that of order 3 must be taken for stability. Ascher, Ruuth & Wetton (1995), eq. 20.
pub const SBDF4: MultistepScheme = MultistepScheme {
    name: "sbdf4",
    order: 4,
    left: &[25.0 / 12.0, -4.0, 3.0, -4.0 / 3.0, 0.25],
    explicit: &[4.0, -6.0, 4.0, -1.0],
    implicit: [1.0, 0.0],
};

/// Multistep schemes, by name.
pub const MULTISTEP_SCHEMES: &[&MultistepScheme] = &[&CNAB2, &SBDF1, &SBDF2, &SBDF3, &SBDF4];

/// A multistep scheme at work: one evaluation of N and one solve a step.
///
/// The first steps are made by an additive Runge-Kutta method of order 3 (order 4 for order 4), so the order holds from the
/// start. A step of another length, or from another time than the last one ended, starts anew; call
/// [`reset`](ImexMultistep::reset) when the state itself was changed in between.
pub struct ImexMultistep<V> {
    scheme: &'static MultistepScheme,
    starter: Ark<V>,
    /// y and N at the last steps, newest first.
    states: Vec<Vec<V>>,
    slopes: Vec<Vec<V>>,
    /// How many of them hold.
    held: usize,
    right_side: Vec<V>,
    kept: Vec<V>,
    dt: f64,
    expected_t: f64,
}

impl<V: Copy + Default> ImexMultistep<V> {
    /// For states of `size` entries.
    pub fn new(scheme: &'static MultistepScheme, size: usize) -> Self {
        let vec = || vec![V::default(); size];
        let past = scheme.explicit.len();
        Self {
            scheme,
            starter: Ark::new(if scheme.order >= 4 { &ARK4 } else { &ARK3 }, size),
            states: (0..past).map(|_| vec()).collect(),
            slopes: (0..past).map(|_| vec()).collect(),
            held: 0,
            right_side: vec(),
            kept: vec(),
            dt: 0.0,
            expected_t: 0.0,
        }
    }

    pub fn scheme(&self) -> &'static MultistepScheme {
        self.scheme
    }

    /// Order of convergence in time.
    pub fn order(&self) -> u32 {
        self.scheme.order
    }

    /// Forgets the past: the next steps start anew.
    pub fn reset(&mut self) {
        self.held = 0;
    }

    /// Moves `y` from `t` to `t + dt`, in place. After a failure `y` is unchanged and the next step starts anew.
    pub fn step<R: Real, T: ImplicitTerm<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &mut [V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        // Times that a caller counts as t0 + n dt differ from ours by rounding, and so do their differences.
        let rounding = 1e-9 * dt.abs() + 4.0 * f64::EPSILON * t.abs();
        if (dt - self.dt).abs() > rounding || (t - self.expected_t).abs() > rounding {
            self.held = 0;
            self.dt = dt;
        }
        let dt = self.dt;
        let past = self.states.len();
        self.states.rotate_right(1);
        self.slopes.rotate_right(1);
        self.states[0].copy_from_slice(y);
        explicit_or_zero(term, t, y, &mut self.slopes[0]);
        self.held = (self.held + 1).min(past);
        let made = if self.held < past { self.starter.step(term, t, dt, y) } else { self.multistep(term, t, dt, y) };
        if made.is_err() {
            self.held = 0;
        }
        self.expected_t = t + dt;
        made
    }

    fn multistep<R: Real, T: ImplicitTerm<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &mut [V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        let Self { scheme, states, slopes, right_side, kept, .. } = self;
        let leading = scheme.left[0];
        right_side.fill(V::default());
        for (state, a) in states.iter().zip(&scheme.left[1..]) {
            axpy(right_side, state, -a / leading);
        }
        for (slope, b) in slopes.iter().zip(scheme.explicit) {
            axpy(right_side, slope, dt * b / leading);
        }
        if scheme.implicit[1] != 0.0 {
            term.implicit(t, y, kept);
            axpy(right_side, kept, dt * scheme.implicit[1] / leading);
        }
        term.solve(t + dt, dt * scheme.implicit[0] / leading, right_side)?;
        y.copy_from_slice(right_side);
        Ok(())
    }
}

/// `target += factor · source`.
pub(super) fn axpy<R: Real, V: Value<R>>(target: &mut [V], source: &[V], factor: f64) {
    let factor = R::of(factor);
    for (v, s) in target.iter_mut().zip(source) {
        *v += *s * factor;
    }
}

/// An additive Runge-Kutta pair: stage i solves
/// `Y_i = y + dt Σ_{j<i} (explicit[i][j] N_j + implicit[i][j] K_j) + dt implicit[i][i] K_i`, and the step is
/// `y + dt Σ_i (explicit_weights[i] N_i + implicit_weights[i] K_i)`, with K = L Y + b at `t + nodes[i] dt`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArkTableau {
    /// Name on the command line and in problem files.
    pub name: &'static str,
    pub order: u32,
    pub nodes: &'static [f64],
    pub explicit: &'static [&'static [f64]],
    /// Rows with their diagonal entry last.
    pub implicit: &'static [&'static [f64]],
    pub explicit_weights: &'static [f64],
    pub implicit_weights: &'static [f64],
    /// Weights of the embedded method, the same for both parts; empty if there is none.
    pub embedded: &'static [f64],
    pub error_order: u32,
}

/// An additive Runge-Kutta method at work. A step costs one evaluation of N a stage and one solve a stage with a diagonal
/// entry (all with the same shift), plus one application of L at the start.
///
/// Where L is very stiff and driven by b(t), the order falls to the stage order 2, as for every method of this kind.
pub struct Ark<V> {
    pub tableau: &'static ArkTableau,
    explicit: Vec<Vec<V>>,
    implicit: Vec<Vec<V>>,
    stage: Vec<V>,
    right_side: Vec<V>,
}

impl<V: Copy + Default> Ark<V> {
    /// For states of `size` entries.
    pub fn new(tableau: &'static ArkTableau, size: usize) -> Self {
        let vec = || vec![V::default(); size];
        let stages = || (0..tableau.nodes.len()).map(|_| vec()).collect();
        Self { tableau, explicit: stages(), implicit: stages(), stage: vec(), right_side: vec() }
    }

    /// Evaluates all stages from `y`; keeps the first one on a retry.
    fn stages<R: Real, T: ImplicitTerm<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        Attempt { t, dt, is_retry }: Attempt,
        y: &[V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        let tableau = self.tableau;
        let linear = term.is_linear();
        for (i, node) in tableau.nodes.iter().enumerate() {
            let at = t + node * dt;
            let (row_explicit, row_implicit) = (tableau.explicit[i], tableau.implicit[i]);
            let diagonal = row_implicit.get(i).copied().unwrap_or(0.0);
            if i == 0 && diagonal == 0.0 {
                if !is_retry {
                    explicit_or_zero(term, at, y, &mut self.explicit[0]);
                    term.implicit(at, y, &mut self.implicit[0]);
                }
                continue;
            }
            self.stage.copy_from_slice(y);
            for (j, a) in row_explicit.iter().enumerate() {
                if *a != 0.0 && !linear {
                    axpy(&mut self.stage, &self.explicit[j], dt * a);
                }
            }
            for (j, a) in row_implicit.iter().take(i).enumerate() {
                if *a != 0.0 {
                    axpy(&mut self.stage, &self.implicit[j], dt * a);
                }
            }
            if diagonal == 0.0 {
                term.implicit(at, &self.stage, &mut self.implicit[i]);
            } else {
                self.right_side.copy_from_slice(&self.stage);
                let shift = dt * diagonal;
                term.solve(at, shift, &mut self.stage)?;
                // K from the solve itself: no further application of L, and no rounding error amplified by it.
                let inverse = R::of(1.0 / shift);
                for ((k, z), r) in self.implicit[i].iter_mut().zip(&self.stage).zip(&self.right_side) {
                    *k = (*z - *r) * inverse;
                }
            }
            explicit_or_zero(term, at, &self.stage, &mut self.explicit[i]);
        }
        Ok(())
    }

    fn add_weighted<R: Real>(&self, target: &mut [V], dt: f64, weights: (&[f64], &[f64]))
    where
        V: Value<R>,
    {
        for (slopes, weights) in [(&self.explicit, weights.0), (&self.implicit, weights.1)] {
            for (k, b) in slopes.iter().zip(weights).filter(|(_, b)| **b != 0.0) {
                axpy(target, k, dt * b);
            }
        }
    }

    /// Moves `y` from `t` to `t + dt`, in place. After a failure `y` is unchanged.
    pub fn step<R: Real, T: ImplicitTerm<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &mut [V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        self.stages(term, Attempt { t, dt, is_retry: false }, y)?;
        self.add_weighted(y, dt, (self.tableau.explicit_weights, self.tableau.implicit_weights));
        Ok(())
    }
}

impl<R: Real, V: Value<R>, T: ImplicitTerm<R, Value = V> + ?Sized> ErrorEstimating<R, T> for Ark<V> {
    type Value = V;
    fn order(&self) -> u32 {
        self.tableau.order
    }
    fn error_order(&self) -> u32 {
        self.tableau.error_order
    }
    fn slope(&mut self, term: &mut T, t: f64, y: &[V], out: &mut [V]) {
        explicit_or_zero(term, t, y, out);
        term.implicit(t, y, &mut self.stage);
        axpy(out, &self.stage, 1.0);
    }
    fn attempt(
        &mut self,
        term: &mut T,
        attempt: Attempt,
        y: &[V],
        out: &mut [V],
        tolerance: Tolerance,
    ) -> Result<f64, SolveFailed> {
        self.stages(term, attempt, y)?;
        let tableau = self.tableau;
        out.copy_from_slice(y);
        self.add_weighted(out, attempt.dt, (tableau.explicit_weights, tableau.implicit_weights));
        let mut error = std::mem::take(&mut self.stage);
        error.fill(V::default());
        for (sign, weights) in
            [(1.0, (tableau.explicit_weights, tableau.implicit_weights)), (-1.0, (tableau.embedded, tableau.embedded))]
        {
            self.add_weighted(&mut error, sign * attempt.dt, weights);
        }
        let scaled = if tableau.embedded.is_empty() { 0.0 } else { scaled_error(&error, y, out, tolerance) };
        self.stage = error;
        Ok(scaled)
    }
}
