//! Step-length control.

/// Error that a step may make: a step is accepted if the root mean square of error / (absolute + relative·|y|) is at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    pub relative: f64,
    pub absolute: f64,
}

impl Tolerance {
    /// `absolute` a thousandth of `relative`: right for states of size one.
    pub fn relative(relative: f64) -> Self {
        Self { relative, absolute: 1e-3 * relative }
    }
}

/// Proportional-integral control: `dt ← dt · safety · error^(-α) · previous_error^β` with α = 0.7/p, β = 0.4/p, where the
/// local error shrinks like dt^p. The integral part damps the oscillation of dt that pure proportional control has where
/// stability, not accuracy, limits the step. Gustafsson (1991), ACM TOMS 17, 533; constants of Hairer & Wanner (1996),
/// section IV.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PiController {
    pub safety: f64,
    /// Bounds of the change in one step.
    pub shrink: f64,
    pub grow: f64,
    previous_error: f64,
    rejected: bool,
}

impl Default for PiController {
    fn default() -> Self {
        Self { safety: 0.9, shrink: 0.2, grow: 5.0, previous_error: 1.0, rejected: false }
    }
}

/// What to do with an attempted step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    pub accept: bool,
    /// Length of the next attempt.
    pub next_dt: f64,
}

impl PiController {
    /// Judges a step of length `dt` with scaled error `error` by a method whose estimate has order `error_order`. An error
    /// that is not a number shrinks the step as far as allowed.
    pub fn decide(&mut self, dt: f64, error: f64, error_order: u32) -> Decision {
        let p = f64::from(error_order + 1);
        if error <= 1.0 {
            let error = error.max(1e-10);
            let mut factor = self.safety * error.powf(-0.7 / p) * self.previous_error.powf(0.4 / p);
            factor = factor.clamp(self.shrink, self.grow);
            if self.rejected {
                // Growing right after a rejection asks for the next one.
                factor = factor.min(1.0);
            }
            self.previous_error = error;
            self.rejected = false;
            Decision { accept: true, next_dt: dt * factor }
        } else {
            self.rejected = true;
            let factor =
                if error.is_finite() { (self.safety * error.powf(-1.0 / p)).max(self.shrink) } else { self.shrink };
            Decision { accept: false, next_dt: dt * factor.min(0.95) }
        }
    }
}
