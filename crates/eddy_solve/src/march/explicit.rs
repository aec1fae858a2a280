//! Explicit Runge-Kutta methods with error control.

use eddy_numerics::time::{
    controller::Tolerance,
    integrate::Adaptive,
    runge_kutta::{RungeKutta, Tableau},
};

use super::{Counts, March, Stop};
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

impl<R: Scalar> AdaptiveExplicit<R> {
    /// Length of the next step where no saved state cuts it short.
    pub fn planned(&self) -> f64 {
        self.inner.dt
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
