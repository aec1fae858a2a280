//! Strang splitting of a system into two parts that can each be solved exactly.

use std::marker::PhantomData;

use super::Stepper;
use crate::{Real, Value};

/// A system that is the sum of two parts, each with a known map y(t) → y(t + dt).
pub trait Flow<V> {
    /// The part applied for two half steps (take the cheaper one).
    fn outer(&mut self, t: f64, dt: f64, y: &mut [V]);
    /// The part applied once in between.
    fn inner(&mut self, t: f64, dt: f64, y: &mut [V]);
}

/// Half a step of the outer part, a whole one of the inner, half a step of the outer: order 2, symmetric, and symplectic
/// or norm-conserving where both parts are. Strang (1968), SIAM J. Numer. Anal. 5, 506.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strang<V>(PhantomData<V>);

impl<R: Real, V: Value<R>, T: Flow<V> + ?Sized> Stepper<R, T> for Strang<V> {
    type Value = V;
    fn order(&self) -> u32 {
        2
    }
    fn evaluations(&self) -> u32 {
        1
    }
    fn step(&mut self, term: &mut T, t: f64, dt: f64, y: &mut [V]) {
        term.outer(t, 0.5 * dt, y);
        term.inner(t, dt, y);
        term.outer(t + 0.5 * dt, 0.5 * dt, y);
    }
}
