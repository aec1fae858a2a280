//! Problems of which one linear part is treated implicitly, and the one-step θ-methods for them.

use crate::{Real, Value};

/// Why a linear or nonlinear solve inside a step gave no answer. A shorter step often helps: the matrix I - dt·L tends to
/// the identity.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SolveFailed {
    /// A pivot vanished or was not a number.
    #[error("The matrix of the implicit step is singular (row {row}); take a shorter step or another method.")]
    Singular { row: usize },
    /// An iteration ran out of its budget.
    #[error(
        "The implicit solve did not converge: residual {residual:.1e} after {iterations} iterations; \
         take a shorter step or more iterations."
    )]
    NoConvergence { iterations: u32, residual: f64 },
    /// The state or the right side was not finite.
    #[error("The implicit solve met a value that is not finite; take a shorter step.")]
    NotFinite,
    /// A stabilized step of the length asked for would need more stages than rounding and patience allow.
    #[error(
        "A stabilized step of this length needs {stages:.1e} stages, at most {most} are made; take a shorter step."
    )]
    TooManyStages { stages: f64, most: u32 },
}

/// y' = N(t, y) + L y + b(t): N is treated explicitly, the affine part L y + b(t) implicitly.
///
/// N should hold what is not stiff (reaction, advection), L what is (diffusion, dispersion). Values of b(t) that come from
/// boundary data belong to the implicit part, or the boundary conditions hold only to first order.
pub trait ImplicitTerm<R: Real> {
    /// One entry of the state.
    type Value: Value<R>;
    /// Length of the state.
    fn size(&self) -> usize;
    /// Writes N(t, y) to `out`, which may hold anything before.
    fn explicit(&mut self, t: f64, y: &[Self::Value], out: &mut [Self::Value]);
    /// Writes L y + b(t) to `out`, which may hold anything before.
    fn implicit(&mut self, t: f64, y: &[Self::Value], out: &mut [Self::Value]);
    /// Solves `z - shift (L z + b(t)) = y` and writes z to `y`. `shift` is one of a few numbers as long as dt stays the
    /// same (one for a multistep method, one for each distinct diagonal entry of a Runge-Kutta method), so a factorization
    /// can be kept.
    fn solve(&mut self, t: f64, shift: f64, y: &mut [Self::Value]) -> Result<(), SolveFailed>;
    /// Whether N is zero; `explicit` is then not called.
    fn is_linear(&self) -> bool {
        false
    }
}

/// N(t, y), or zero where the term has none.
pub(super) fn explicit_or_zero<R: Real, T: ImplicitTerm<R> + ?Sized>(
    term: &mut T,
    t: f64,
    y: &[T::Value],
    out: &mut [T::Value],
) {
    if term.is_linear() {
        out.fill(T::Value::default());
    } else {
        term.explicit(t, y, out);
    }
}

/// `z = y + dt ((1 - θ) F(t, y) + θ F(t + dt, z))` with F = N + L y + b. θ = 1/2 is Crank-Nicolson (order 2), θ = 1 backward
/// Euler (order 1).
///
/// The linear part is solved; N at the new level is found by fixed-point iteration, which converges while
/// θ·dt·|∂N/∂y| < 1. One solve a step if N is zero, otherwise one a sweep. Crank-Nicolson is A-stable but leaves the
/// stiffest modes undamped (factor -1): rough data ring. Backward Euler damps everything. Crank & Nicolson (1947).
pub struct ThetaMethod<V> {
    theta: f64,
    /// A sweep that changes the state by less than this, relative to its size, ends the iteration.
    pub tolerance: f64,
    /// Sweeps after which a step counts as failed.
    pub max_sweeps: u32,
    base: Vec<V>,
    slope: Vec<V>,
    previous: Vec<V>,
    candidate: Vec<V>,
}

impl<V: Copy + Default> ThetaMethod<V> {
    /// Crank-Nicolson for states of `size` entries.
    pub fn crank_nicolson(size: usize) -> Self {
        Self::new(size, 0.5)
    }

    /// Backward Euler for states of `size` entries.
    pub fn backward_euler(size: usize) -> Self {
        Self::new(size, 1.0)
    }

    fn new(size: usize, theta: f64) -> Self {
        let vec = || vec![V::default(); size];
        Self { theta, tolerance: 1e-12, max_sweeps: 60, base: vec(), slope: vec(), previous: vec(), candidate: vec() }
    }

    /// Order of convergence in time.
    pub fn order(&self) -> u32 {
        if self.theta == 0.5 { 2 } else { 1 }
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
        let (shift, rest) = (self.theta * dt, R::of((1.0 - self.theta) * dt));
        self.base.copy_from_slice(y);
        if self.theta < 1.0 {
            term.implicit(t, y, &mut self.slope);
            for (b, s) in self.base.iter_mut().zip(&self.slope) {
                *b += *s * rest;
            }
        }
        if term.is_linear() {
            self.candidate.copy_from_slice(&self.base);
            term.solve(t + dt, shift, &mut self.candidate)?;
            y.copy_from_slice(&self.candidate);
            return Ok(());
        }
        term.explicit(t, y, &mut self.slope);
        for (b, s) in self.base.iter_mut().zip(&self.slope) {
            *b += *s * rest;
        }
        self.previous.copy_from_slice(y);
        // Below rounding of the format no sweep can settle.
        let tolerance = self.tolerance.max(4.0 * R::EPSILON);
        let mut change = f64::INFINITY;
        for sweep in 0..self.max_sweeps {
            // The first sweep takes N from the old state, which is the predictor.
            if sweep > 0 {
                term.explicit(t + dt, &self.previous, &mut self.slope);
            }
            for ((c, b), s) in self.candidate.iter_mut().zip(&self.base).zip(&self.slope) {
                *c = *b + *s * R::of(shift);
            }
            term.solve(t + dt, shift, &mut self.candidate)?;
            let (mut largest, mut size) = (0.0_f64, 0.0_f64);
            for (c, p) in self.candidate.iter().zip(&self.previous) {
                let d = (*c - *p).magnitude().to_f64();
                if !d.is_finite() {
                    return Err(SolveFailed::NotFinite);
                }
                largest = largest.max(d);
                size = size.max(c.magnitude().to_f64());
            }
            change = largest / size.max(f64::MIN_POSITIVE);
            std::mem::swap(&mut self.candidate, &mut self.previous);
            if sweep > 0 && change <= tolerance {
                y.copy_from_slice(&self.previous);
                return Ok(());
            }
        }
        Err(SolveFailed::NoConvergence { iterations: self.max_sweeps, residual: change })
    }
}

/// Implicit midpoint for y' = f(t, y): `z = y + dt/2 f(t + dt/2, z)`, `y⁺ = 2z - y`. Order 2, A-stable, symmetric,
/// symplectic; keeps every quadratic invariant (norm, angular momentum) to the tolerance of the solve.
///
/// Newton's method with the Jacobian of the start of the step, refreshed once if it converges slowly; cost: one
/// factorization and two to four solves a step. The stiffest modes are not damped. Hairer, Lubich & Wanner (2006),
/// Geometric Numerical Integration, section IV.2.
pub struct ImplicitMidpoint<V> {
    /// Newton corrections below this, relative to the state, end the iteration.
    pub tolerance: f64,
    pub max_iterations: u32,
    middle: Vec<V>,
    residual: Vec<V>,
}

impl<V: Copy + Default> ImplicitMidpoint<V> {
    /// For states of `size` entries.
    pub fn new(size: usize) -> Self {
        Self {
            tolerance: 1e-12,
            max_iterations: 25,
            middle: vec![V::default(); size],
            residual: vec![V::default(); size],
        }
    }

    /// Moves `y` from `t` to `t + dt`, in place. After a failure `y` is unchanged.
    pub fn step<R: Real, T: super::jacobian::Jacobian<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &mut [V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        self.solve(term, t, dt, y)?;
        for (v, z) in y.iter_mut().zip(&self.middle) {
            *v = *z + *z - *v;
        }
        Ok(())
    }

    /// Finds the state in the middle of the step.
    fn solve<R: Real, T: super::jacobian::Jacobian<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &[V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        let (at, shift) = (t + 0.5 * dt, 0.5 * dt);
        self.middle.copy_from_slice(y);
        term.refresh(at, y);
        term.factor(shift)?;
        let mut refreshed = false;
        let mut last = f64::INFINITY;
        // The last correction leaves an error of its own size times the rate, so it may stay above rounding.
        let tolerance = self.tolerance.max(8.0 * R::EPSILON);
        for _ in 0..self.max_iterations {
            term.evaluate(at, &self.middle, &mut self.residual);
            for ((r, z), v) in self.residual.iter_mut().zip(&self.middle).zip(y) {
                *r = *v - *z + *r * R::of(shift);
            }
            term.solve(&mut self.residual)?;
            let (mut largest, mut size) = (0.0_f64, 0.0_f64);
            for (z, r) in self.middle.iter_mut().zip(&self.residual) {
                *z += *r;
                let d = r.magnitude().to_f64();
                if !d.is_finite() {
                    return Err(SolveFailed::NotFinite);
                }
                largest = largest.max(d);
                size = size.max(z.magnitude().to_f64());
            }
            let change = largest / size.max(f64::MIN_POSITIVE);
            // At rounding the corrections no longer shrink: accept them there, not above.
            if change <= tolerance || (change <= 64.0 * tolerance && change >= 0.5 * last) {
                return Ok(());
            }
            if !refreshed && change > 0.3 * last {
                term.refresh(at, &self.middle);
                term.factor(shift)?;
                refreshed = true;
            }
            last = change;
        }
        Err(SolveFailed::NoConvergence { iterations: self.max_iterations, residual: last })
    }
}
