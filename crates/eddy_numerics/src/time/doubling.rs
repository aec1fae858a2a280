//! Error control for any one-step method by step doubling, with step lengths on a ladder.

use super::controlled::{StepFailed, scaled_error};
use super::controller::Tolerance;
use super::implicit::SolveFailed;
use crate::{Real, Value};

/// Compares one step of dt with two of dt/2 and keeps the two: `|y₂ - y₁| / (2^p - 1)` estimates their error, p the order.
/// One and a half times the work of the steps kept (the first half of a rejected step is the whole step of the next trial).
///
/// An interval is walked in steps of `interval / 2^k`, each at a multiple of its own length, so the end is met exactly and
/// intervals of one length share one set of step lengths: a method with coefficients or factors that depend on dt keeps a
/// small cache of them, with k as the key. For one-step methods only: a multistep method has no memory of half steps.
/// Hairer, Nørsett & Wanner (1993), section II.4.
pub struct StepDoubling<V> {
    pub tolerance: Tolerance,
    /// Order of the method.
    pub order: u32,
    /// Step of the next trial: interval / 2^level.
    pub level: u32,
    /// Finest level allowed, at most [`MAX_LEVEL`]; the half steps go one further.
    pub max_level: u32,
    pub accepted: u64,
    pub rejected: u64,
    coarse: Vec<V>,
    half: Vec<V>,
    fine: Vec<V>,
    /// Set after a rejection: growing at once asks for the next one.
    hold: bool,
}

/// Steps of an interval / 2^40 are the shortest there are.
pub const MAX_LEVEL: u32 = 40;

/// A step that is asked for: its length is exactly `interval / 2^level`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LadderStep {
    pub t: f64,
    pub dt: f64,
    pub level: u32,
}

/// Where in an interval a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub start: f64,
    pub length: f64,
    /// Position in units of length / 2^41.
    position: u64,
}

/// Half steps of the finest level are one unit.
const UNITS: u64 = 1 << (MAX_LEVEL + 1);

impl Interval {
    pub fn new(start: f64, length: f64) -> Self {
        Self { start, length, position: 0 }
    }

    pub fn t(&self) -> f64 {
        self.at(self.position)
    }

    pub fn is_done(&self) -> bool {
        self.position >= UNITS
    }

    fn at(&self, position: u64) -> f64 {
        self.start + self.length * (position as f64 / UNITS as f64)
    }
}

impl<V: Copy + Default> StepDoubling<V> {
    /// For a method of order `order` on states of `size` entries.
    pub fn new(order: u32, size: usize, tolerance: Tolerance) -> Self {
        let vec = || vec![V::default(); size];
        Self {
            tolerance,
            order,
            level: 3,
            max_level: MAX_LEVEL,
            accepted: 0,
            rejected: 0,
            coarse: vec(),
            half: vec(),
            fine: vec(),
            hold: false,
        }
    }

    /// Makes one accepted step inside the interval. `make(step, y)` moves y by `step.dt` in place; it may fail, which
    /// shortens the step. After a failure of the whole the state is unchanged.
    pub fn step<R: Real>(
        &mut self,
        interval: &mut Interval,
        y: &mut [V],
        mut make: impl FnMut(LadderStep, &mut [V]) -> Result<(), SolveFailed>,
    ) -> Result<(), StepFailed>
    where
        V: Value<R>,
    {
        if interval.is_done() {
            return Ok(());
        }
        let max_level = self.max_level.min(MAX_LEVEL);
        self.level = self.level.min(max_level);
        // A step starts at a multiple of its length: level 0 from the start, finer ones from odd places.
        while interval.position % span(self.level) != 0 {
            self.level += 1;
        }
        let step = |level: u32, position: u64| LadderStep {
            t: interval.at(position),
            dt: interval.length / (1_u64 << level) as f64,
            level,
        };
        let mut has_coarse = false;
        loop {
            let (level, position) = (self.level, interval.position);
            let mut trial = || -> Result<f64, SolveFailed> {
                if !has_coarse {
                    self.coarse.copy_from_slice(y);
                    make(step(level, position), &mut self.coarse)?;
                }
                self.half.copy_from_slice(y);
                make(step(level + 1, position), &mut self.half)?;
                self.fine.copy_from_slice(&self.half);
                make(step(level + 1, position + span(level + 1)), &mut self.fine)?;
                let divisor = R::of(1.0 / (2_f64.powi(self.order as i32) - 1.0));
                for (c, f) in self.coarse.iter_mut().zip(&self.fine) {
                    *c = (*f - *c) * divisor;
                }
                Ok(scaled_error(&self.coarse, y, &self.fine, self.tolerance))
            };
            let (error, cause) = match trial() {
                Ok(error) => (error, None),
                Err(failed) => (f64::INFINITY, Some(failed)),
            };
            if error <= 1.0 {
                y.copy_from_slice(&self.fine);
                interval.position += span(level);
                self.accepted += 1;
                // Doubling multiplies the error by 2^(p + 1); half the tolerance is kept in reserve.
                let next = error * 2_f64.powi(self.order as i32 + 1);
                let aligned = level > 0 && interval.position % span(level - 1) == 0;
                if next <= 0.5 && !self.hold && aligned {
                    self.level = level - 1;
                }
                self.hold = false;
                return Ok(());
            }
            self.rejected += 1;
            self.hold = true;
            let wanted = if error.is_finite() { error.log2() / f64::from(self.order + 1) } else { 2.0 };
            let down = (wanted.ceil().max(1.0)).min(6.0) as u32;
            if level + down > max_level {
                return Err(StepFailed { t: interval.t(), dt: step(level, position).dt, cause });
            }
            self.level = level + down;
            has_coarse = down == 1 && cause.is_none();
            if has_coarse {
                std::mem::swap(&mut self.coarse, &mut self.half);
            }
        }
    }

    /// Walks a whole interval, calling `recorder(t, y)` after each accepted step.
    pub fn run<R: Real>(
        &mut self,
        (start, length): (f64, f64),
        y: &mut [V],
        mut make: impl FnMut(LadderStep, &mut [V]) -> Result<(), SolveFailed>,
        mut recorder: impl FnMut(f64, &[V]),
    ) -> Result<(), StepFailed>
    where
        V: Value<R>,
    {
        let mut interval = Interval::new(start, length);
        while !interval.is_done() {
            self.step(&mut interval, y, &mut make)?;
            recorder(interval.t(), y);
        }
        Ok(())
    }
}

/// Units of a step of a level.
fn span(level: u32) -> u64 {
    UNITS >> level
}
