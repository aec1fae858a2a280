//! Explicit Runge-Kutta methods, with fixed steps or error control.

use eddy_numerics::time::{
    controller::Tolerance,
    integrate::Adaptive,
    runge_kutta::{RungeKutta, Tableau},
};

use super::{Counts, March, Stop, Walk};
use crate::{discrete::Discrete, evaluate::Scalar};

/// A method with an embedded error estimate.
pub struct AdaptiveExplicit<R: Scalar> {
    inner: Adaptive<R>,
    dt: f64,
    longest: f64,
}

impl<R: Scalar> AdaptiveExplicit<R> {
    pub fn new(tableau: &'static Tableau, size: usize, tolerance: Tolerance, longest: f64) -> Self {
        Self { inner: Adaptive::new(RungeKutta::new(tableau, size), size, tolerance), dt: 0.0, longest }
    }
}

impl<R: Scalar> March<R> for AdaptiveExplicit<R> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        if self.inner.dt > self.longest {
            self.inner.dt = self.longest;
        }
        let reached = self.inner.step(system, t, t_end, y).ok_or(Stop::StepTooSmall)?;
        self.dt = reached - t;
        Ok(reached)
    }

    fn reset(&mut self, _: &mut Discrete<R>) {
        self.inner.dt = 0.0;
    }

    fn counts(&self) -> Counts {
        Counts { accepted: self.inner.accepted, rejected: self.inner.rejected, dt: self.dt }
    }
}

/// A method with steps of one length, shortened to meet the times asked for.
pub struct FixedExplicit<R: Scalar> {
    method: RungeKutta<R>,
    dt: f64,
    walk: Walk,
    next: Vec<R>,
    accepted: u64,
}

impl<R: Scalar> FixedExplicit<R> {
    pub fn new(tableau: &'static Tableau, size: usize, dt: f64) -> Self {
        Self {
            method: RungeKutta::new(tableau, size),
            dt,
            walk: Walk::default(),
            next: vec![R::of(0.0); size],
            accepted: 0,
        }
    }
}

impl<R: Scalar> March<R> for FixedExplicit<R> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        let (dt, is_last) = self.walk.next(t, t_end, self.dt);
        self.method.attempt(system, t, dt, y, &mut self.next, Tolerance::relative(1.0));
        y.copy_from_slice(&self.next);
        self.accepted += 1;
        Ok(if is_last { t_end } else { t + dt })
    }

    fn reset(&mut self, _: &mut Discrete<R>) {
        self.walk.reset();
    }

    fn counts(&self) -> Counts {
        Counts { accepted: self.accepted, rejected: 0, dt: self.walk.length }
    }
}
