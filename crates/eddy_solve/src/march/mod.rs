//! Moving a discretized system in time.

mod etd;
mod explicit;
mod implicit;
mod onestep;
mod stochastic;
mod switching;

pub use etd::{Etd, Steps};
pub use explicit::AdaptiveExplicit;
pub use implicit::{
    ImexAdaptive, ImexStep, MAX_DENSE, Midpoint, Multistep, Rodas, RodasStep, Stabilized, StabilizedStep, Theta,
};
pub use onestep::{Doubled, Explicit, Fixed, Maruyama, OneStep, Strang, Verlet};
pub use stochastic::{Linear, SpectralMaruyama};
pub use switching::Switching;

use crate::{discrete::Discrete, evaluate::Scalar};

/// Why a step could not be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The step length fell below what the time can resolve.
    StepTooSmall,
    /// The method failed, with the reason.
    Failed(String),
}

/// What a method has done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub accepted: u64,
    pub rejected: u64,
    /// Length of the last step.
    pub dt: f64,
}

/// A method in time with its memory.
pub trait March<R: Scalar> {
    /// One accepted step from `t`, not beyond `t_end`; returns the time reached.
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop>;
    /// The same from `y` to `next`. Where it fails, what stands in `next` means nothing.
    fn step_into(
        &mut self,
        system: &mut Discrete<R>,
        t: f64,
        t_end: f64,
        y: &[R],
        next: &mut [R],
    ) -> Result<f64, Stop> {
        next.copy_from_slice(y);
        self.step(system, t, t_end, next)
    }
    /// Forgets what was kept from earlier steps, as the state or the parameters were changed.
    fn reset(&mut self, system: &mut Discrete<R>);
    fn counts(&self) -> Counts;
    /// The method that took over on the way, if one did.
    fn switched(&self) -> Option<&'static str> {
        None
    }
}

/// The number of equal steps of at most `dt` that cover an interval; a ratio that is whole but for rounding counts as it.
pub(crate) fn equal_steps(interval: f64, dt: f64) -> u64 {
    (interval / dt * (1.0 - 1e-9)).ceil().max(1.0) as u64
}

/// Walks an interval in equal steps: remembers where it ends and how many are left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    end: f64,
    left: u64,
    pub length: f64,
}

impl Walk {
    /// Length of the next step of at most `dt` towards `t_end`, and whether it is the last one.
    pub fn next(&mut self, t: f64, t_end: f64, dt: f64) -> (f64, bool) {
        if self.left == 0 || self.end != t_end {
            self.left = equal_steps(t_end - t, dt);
            let length = (t_end - t) / self.left as f64;
            // Lengths that differ by rounding are one length, so that coefficients are kept.
            if (length - self.length).abs() > 1e-12 * length.abs() {
                self.length = length;
            }
            self.end = t_end;
        }
        self.left -= 1;
        (self.length, self.left == 0)
    }

    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
