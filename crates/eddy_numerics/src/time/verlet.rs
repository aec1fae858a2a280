//! Störmer-Verlet for second-order systems q'' = a(q).

use super::Stepper;
use crate::Real;

/// A second-order system q'' = a(t, q) without velocity-dependent forces.
pub trait Acceleration<R: Real> {
    /// Length of q.
    fn size(&self) -> usize;
    /// Writes a(t, q) to `out`.
    fn acceleration(&mut self, t: f64, q: &[R], out: &mut [R]);
}

/// Störmer-Verlet in kick-drift-kick form: order 2, one evaluation a step, symplectic, time-reversible, explicit.
///
/// Equivalent to the leapfrog `q⁺ = 2q - q⁻ + dt² a(q)`, with velocities at the same times. The energy error of a smooth
/// Hamiltonian stays bounded over very long times but the phase is only second order. Stable for `ω dt < 2`. The state is
/// `[q…, q'…]`, twice the size of q. Hairer, Lubich & Wanner (2003), Acta Numerica 12, 399.
pub struct Verlet<R> {
    force: Vec<R>,
    /// Whether `force` belongs to the state that the last step left; saves the second evaluation of a step.
    fresh: bool,
}

impl<R: Real> Verlet<R> {
    /// For q of `size` entries.
    pub fn new(size: usize) -> Self {
        Self { force: vec![R::of(0.0); size], fresh: false }
    }
}

impl<R: Real, T: Acceleration<R> + ?Sized> Stepper<R, T> for Verlet<R> {
    type Value = R;
    fn order(&self) -> u32 {
        2
    }
    fn evaluations(&self) -> u32 {
        1
    }
    fn step(&mut self, term: &mut T, t: f64, dt: f64, y: &mut [R]) {
        let (q, v) = y.split_at_mut(self.force.len());
        if !self.fresh {
            term.acceleration(t, q, &mut self.force);
        }
        let (half, full) = (R::of(0.5 * dt), R::of(dt));
        for ((q, v), f) in q.iter_mut().zip(v.iter_mut()).zip(&self.force) {
            *v += *f * half;
            *q += *v * full;
        }
        term.acceleration(t + dt, q, &mut self.force);
        for (v, f) in v.iter_mut().zip(&self.force) {
            *v += *f * half;
        }
        self.fresh = true;
    }
    fn reset(&mut self) {
        self.fresh = false;
    }
}
