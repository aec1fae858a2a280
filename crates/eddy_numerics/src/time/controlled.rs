//! Adaptive steps for every one-step method that estimates its own error, implicit ones included.

use super::controller::{PiController, Tolerance};
use super::implicit::SolveFailed;
use super::integrate::{BLOW_UP, Ending, Report};
use crate::{Real, Value, max_magnitude};

/// One trial of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    pub t: f64,
    pub dt: f64,
    /// Whether the last trial started from the same time and state and was rejected: what depends on them alone (the
    /// slope, the Jacobian) still holds.
    pub is_retry: bool,
}

/// A one-step method with an error estimate.
pub trait ErrorEstimating<R: Real, T: ?Sized> {
    /// One entry of the state.
    type Value: Value<R>;
    /// Order of convergence in time.
    fn order(&self) -> u32;
    /// The error estimate shrinks like dt^(error_order + 1).
    fn error_order(&self) -> u32;
    /// Writes the whole right side y' to `out`: it sets the length of the first step.
    fn slope(&mut self, term: &mut T, t: f64, y: &[Self::Value], out: &mut [Self::Value]);
    /// The longest step, at most `attempt.dt`, that the method can make from here.
    fn longest_step(&mut self, _term: &mut T, attempt: Attempt, _y: &[Self::Value], _tolerance: Tolerance) -> f64 {
        attempt.dt
    }
    /// Writes the state at `t + dt` to `out` and returns the scaled error, at most 1 for a step that may be accepted.
    fn attempt(
        &mut self,
        term: &mut T,
        attempt: Attempt,
        y: &[Self::Value],
        out: &mut [Self::Value],
        tolerance: Tolerance,
    ) -> Result<f64, SolveFailed>;
}

/// Root mean square of error / (absolute + relative · the larger of |y| and |next|); infinite if not a number.
pub fn scaled_error<R: Real, V: Value<R>>(error: &[V], y: &[V], next: &[V], tolerance: Tolerance) -> f64 {
    let mut sum = 0.0;
    for ((e, a), b) in error.iter().zip(y).zip(next) {
        let size = a.magnitude().max(b.magnitude()).to_f64();
        let ratio = e.magnitude().to_f64() / (tolerance.absolute + tolerance.relative * size);
        sum += ratio * ratio;
    }
    let mean = (sum / error.len().max(1) as f64).sqrt();
    if mean.is_finite() { mean } else { f64::INFINITY }
}

/// No step could be made: the length fell below what the time can resolve.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "No step from t = {t} meets the tolerance (last tried dt = {dt:.1e}): a singularity, or a tolerance below rounding."
)]
pub struct StepFailed {
    pub t: f64,
    pub dt: f64,
    /// The solve that failed in the last trial, if that was the reason.
    #[source]
    pub cause: Option<SolveFailed>,
}

/// A method with its controller: a state machine that a page can advance step by step. The twin of
/// [`Adaptive`](super::integrate::Adaptive) for methods whose steps can fail.
pub struct Controlled<M, V> {
    pub method: M,
    pub tolerance: Tolerance,
    pub controller: PiController,
    /// Length of the next trial; 0 asks for an automatic first step.
    pub dt: f64,
    /// Longest step allowed.
    pub dt_max: f64,
    pub accepted: u64,
    pub rejected: u64,
    candidate: Vec<V>,
}

impl<M, V: Copy + Default> Controlled<M, V> {
    /// For states of `size` entries.
    pub fn new(method: M, size: usize, tolerance: Tolerance) -> Self {
        Self {
            method,
            tolerance,
            controller: PiController::default(),
            dt: 0.0,
            dt_max: f64::INFINITY,
            accepted: 0,
            rejected: 0,
            candidate: vec![V::default(); size],
        }
    }

    /// Makes one accepted step from `t`, not beyond `t_end`; returns the new time. After a failure the state is unchanged.
    pub fn step<R: Real, T: ?Sized>(&mut self, term: &mut T, t: f64, t_end: f64, y: &mut [V]) -> Result<f64, StepFailed>
    where
        V: Value<R>,
        M: ErrorEstimating<R, T, Value = V>,
    {
        if !(self.dt > 0.0) {
            self.method.slope(term, t, y, &mut self.candidate);
            // A first step that changes the state by about a hundredth of itself; the controller corrects it.
            let (size, slope) = (max_magnitude(y), max_magnitude(&self.candidate));
            let guess =
                if slope > 0.0 && slope.is_finite() { 0.01 * size.max(1e-3) / slope } else { 1e-6 * (t_end - t) };
            self.dt = guess.min(t_end - t);
        }
        // What t can resolve; near t = 0 a step may be far shorter than anything that the end time can (Robertson's
        // problem runs to 1e11 from a first step of 1e-4).
        let smallest = (16.0 * f64::EPSILON * t.abs()).max(1e-30 * (t_end - t).abs());
        let (mut is_retry, mut cause) = (false, None);
        loop {
            let wanted = Attempt { t, dt: self.dt.min(self.dt_max), is_retry };
            let longest = self.method.longest_step(term, wanted, y, self.tolerance).min(wanted.dt);
            if !(longest >= smallest) && longest < t_end - t {
                return Err(StepFailed { t, dt: longest, cause });
            }
            // Two equal steps rather than a whole one and a sliver.
            let left = t_end - t;
            let is_last = longest * (1.0 + 1e-10) >= left;
            let dt = if is_last {
                left
            } else if 2.0 * longest > left {
                0.5 * left
            } else {
                longest
            };
            let (error, tried) =
                match self.method.attempt(term, Attempt { t, dt, is_retry }, y, &mut self.candidate, self.tolerance) {
                    Ok(error) => (error, None),
                    Err(failed) => (f64::INFINITY, Some(failed)),
                };
            let decision = self.controller.decide(dt, error, self.method.error_order());
            if decision.accept {
                // A step cut short to meet the end says nothing about the next one, unless the control wants less.
                if dt >= longest || decision.next_dt < self.dt {
                    self.dt = decision.next_dt;
                }
                self.accepted += 1;
                y.copy_from_slice(&self.candidate);
                return Ok(if is_last { t_end } else { t + dt });
            }
            (is_retry, cause) = (true, tried);
            self.rejected += 1;
            self.dt = decision.next_dt;
            if !(self.dt >= smallest) {
                return Err(StepFailed { t, dt: self.dt, cause });
            }
        }
    }
}

/// Integrates to `t_end`, calling `recorder(t, y)` after each accepted step; at most `max_steps` of them. Also returns why
/// the last step failed, if one did.
pub fn controlled<R: Real, T: ?Sized, V: Value<R>, M: ErrorEstimating<R, T, Value = V>>(
    term: &mut T,
    stepper: &mut Controlled<M, V>,
    (t_start, t_end): (f64, f64),
    max_steps: u64,
    y: &mut [V],
    mut recorder: impl FnMut(f64, &[V]),
) -> (Report, Option<StepFailed>) {
    let mut t = t_start;
    let (accepted, rejected) = (stepper.accepted, stepper.rejected);
    let report = |ending, t, s: &Controlled<M, V>| Report {
        ending,
        t,
        accepted: s.accepted - accepted,
        rejected: s.rejected - rejected,
    };
    while t < t_end {
        if stepper.accepted - accepted >= max_steps {
            return (report(Ending::StepLimit, t, stepper), None);
        }
        match stepper.step(term, t, t_end, y) {
            Ok(next) => t = next,
            Err(failed) => return (report(Ending::StepTooSmall { t }, t, stepper), Some(failed)),
        }
        if !(max_magnitude(y) <= BLOW_UP) {
            return (report(Ending::Diverged { step: stepper.accepted - accepted }, t, stepper), None);
        }
        recorder(t, y);
    }
    (report(Ending::Finished, t, stepper), None)
}
