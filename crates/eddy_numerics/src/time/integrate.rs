//! The time loop, once: fixed or adaptive steps to an end time.

use super::controller::{PiController, Tolerance};
use super::runge_kutta::RungeKutta;
use super::{Stepper, Term};
use crate::{Real, Value, max_magnitude};

/// How an integration ended. A blow-up is a result, not an error; the state is then the last good one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    Finished,
    /// The step limit came first.
    StepLimit,
    /// A value was not finite, or larger than the bound.
    Diverged {
        step: u64,
    },
    /// The step length fell below what the time can resolve: a singularity, or a tolerance below rounding.
    StepTooSmall {
        t: f64,
    },
}

/// Counters of an integration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    pub ending: Ending,
    pub t: f64,
    pub accepted: u64,
    pub rejected: u64,
}

/// Largest magnitude that still counts as a state rather than a blow-up.
pub const BLOW_UP: f64 = 1e12;

/// Integrates with steps of length `dt` (the last one shortened to meet `t_end`), calling `recorder(t, y)` after each.
pub fn fixed<R: Real, T: ?Sized, S: Stepper<R, T>>(
    term: &mut T,
    stepper: &mut S,
    (t_start, t_end): (f64, f64),
    dt: f64,
    y: &mut [S::Value],
    mut recorder: impl FnMut(f64, &[S::Value]),
) -> Report {
    let steps = ((t_end - t_start) / dt * (1.0 - 1e-12)).ceil().max(0.0) as u64;
    let mut good = y.to_vec();
    for step in 0..steps {
        let t = t_start + dt * step as f64;
        let length = if step + 1 == steps { t_end - t } else { dt };
        stepper.step(term, t, length, y);
        if !(max_magnitude(y) <= BLOW_UP) {
            y.copy_from_slice(&good);
            return Report { ending: Ending::Diverged { step: step + 1 }, t, accepted: step, rejected: 0 };
        }
        good.copy_from_slice(y);
        recorder(t + length, y);
    }
    Report { ending: Ending::Finished, t: t_end, accepted: steps, rejected: 0 }
}

/// An embedded Runge-Kutta method with its controller: a state machine that a page can advance step by step.
pub struct Adaptive<V> {
    pub method: RungeKutta<V>,
    pub tolerance: Tolerance,
    pub controller: PiController,
    /// Length of the next attempt; 0 asks for an automatic first step.
    pub dt: f64,
    pub accepted: u64,
    pub rejected: u64,
    pub evaluations: u64,
    candidate: Vec<V>,
}

impl<V: Copy + Default> Adaptive<V> {
    pub fn new(method: RungeKutta<V>, size: usize, tolerance: Tolerance) -> Self {
        Self {
            method,
            tolerance,
            controller: PiController::default(),
            dt: 0.0,
            accepted: 0,
            rejected: 0,
            evaluations: 0,
            candidate: vec![V::default(); size],
        }
    }

    /// Makes one accepted step from `t`, not beyond `t_end`; returns the new time. `None` if the step length fell below
    /// what `t` can resolve; the state is then unchanged.
    pub fn step<R: Real, T: Term<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        t_end: f64,
        y: &mut [V],
    ) -> Option<f64>
    where
        V: Value<R>,
    {
        if self.dt <= 0.0 {
            self.dt = self.first_step(term, t, t_end, y);
        }
        // What t can resolve; near t = 0 a step may be far shorter than anything that the end time can (Robertson's
        // problem runs to 1e11 from a first step of 1e-4).
        let smallest = (16.0 * f64::EPSILON * t.abs()).max(1e-30 * (t_end - t).abs());
        loop {
            let is_last = t + self.dt * (1.0 + 1e-10) >= t_end;
            let dt = if is_last { t_end - t } else { self.dt };
            let error = self.method.attempt(term, t, dt, y, &mut self.candidate, self.tolerance);
            self.evaluations += self.method.tableau.weights.len() as u64;
            let decision = self.controller.decide(dt, error, self.method.tableau.error_order);
            if decision.accept {
                // A last step cut short says nothing about the length of the next one, unless the control wants less.
                if !is_last || decision.next_dt < self.dt {
                    self.dt = decision.next_dt;
                }
                self.accepted += 1;
                y.copy_from_slice(&self.candidate);
                return Some(if is_last { t_end } else { t + dt });
            }
            self.rejected += 1;
            self.dt = decision.next_dt;
            if self.dt < smallest {
                return None;
            }
        }
    }

    /// A first step that changes the state by about a hundredth of itself, shortened by the controller if that is too far.
    fn first_step<R: Real, T: Term<R, Value = V> + ?Sized>(&mut self, term: &mut T, t: f64, t_end: f64, y: &[V]) -> f64
    where
        V: Value<R>,
    {
        term.evaluate(t, y, &mut self.candidate);
        self.evaluations += 1;
        let (size, slope) = (max_magnitude(y), max_magnitude(&self.candidate));
        let guess = if slope > 0.0 && slope.is_finite() { 0.01 * size.max(1e-3) / slope } else { 1e-6 * (t_end - t) };
        guess.min(t_end - t)
    }
}

/// Integrates adaptively to `t_end`, calling `recorder(t, y)` after each accepted step; at most `max_steps` of them.
pub fn adaptive<R: Real, T: Term<R> + ?Sized>(
    term: &mut T,
    stepper: &mut Adaptive<T::Value>,
    (t_start, t_end): (f64, f64),
    max_steps: u64,
    y: &mut [T::Value],
    mut recorder: impl FnMut(f64, &[T::Value]),
) -> Report {
    let mut t = t_start;
    let report = |ending, t, s: &Adaptive<T::Value>| Report { ending, t, accepted: s.accepted, rejected: s.rejected };
    let first = stepper.accepted;
    while t < t_end {
        if stepper.accepted - first >= max_steps {
            return report(Ending::StepLimit, t, stepper);
        }
        match stepper.step(term, t, t_end, y) {
            Some(next) => t = next,
            None => return report(Ending::StepTooSmall { t }, t, stepper),
        }
        if !(max_magnitude(y) <= BLOW_UP) {
            return report(Ending::Diverged { step: stepper.accepted }, t, stepper);
        }
        recorder(t, y);
    }
    report(Ending::Finished, t, stepper)
}
