//! Time: terms, steppers, controllers, the loop, and what to say when a run blows up.
//!
//! A problem is a *term* ([`Term`], [`SplitTerm`](etdrk::SplitTerm), [`Acceleration`](verlet::Acceleration), or a pair of
//! [`Flow`](strang::Flow)s); a *stepper* moves its state by one step; a *controller* chooses the step length; a *recorder*
//! sees every accepted step; the *ending* says how it went. The same steppers serve hand-written systems and systems
//! compiled from equations: both only have to implement a term.

pub mod controlled;
pub mod controller;
pub mod crank_nicolson;
pub mod dense;
mod dop853;
pub mod doubling;
pub mod etdrk;
pub mod imex;
mod imex_tableaux;
pub mod implicit;
pub mod integrate;
pub mod jacobian;
pub mod methods;
pub mod rosenbrock;
pub mod runge_kutta;
pub mod stability;
pub mod stabilized;
pub mod stochastic;
pub mod strang;
pub mod verlet;

use crate::{Real, Value};

/// A first-order system y' = f(t, y).
pub trait Term<R: Real> {
    /// One entry of the state.
    type Value: Value<R>;
    /// Length of the state.
    fn size(&self) -> usize;
    /// Writes f(t, y) to `slope`. `slope` may hold anything before.
    fn evaluate(&mut self, t: f64, y: &[Self::Value], slope: &mut [Self::Value]);
}

/// Moves a state of `T` by one step of fixed length.
pub trait Stepper<R: Real, T: ?Sized> {
    /// One entry of the state.
    type Value: Value<R>;
    /// Order of convergence in time.
    fn order(&self) -> u32;
    /// Evaluations of the term in one step: the cost.
    fn evaluations(&self) -> u32;
    /// Moves `y` from `t` to `t + dt`, in place.
    fn step(&mut self, term: &mut T, t: f64, dt: f64, y: &mut [Self::Value]);
    /// Forgets what was kept from the last step. To be called when the state or the term was changed between two steps (a
    /// brush, a live parameter).
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests;
