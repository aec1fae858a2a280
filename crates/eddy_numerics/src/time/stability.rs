//! Stability limits of a step, and what to say when a run blew up.

/// What bounds the step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// dt · D · (largest eigenvalue of the Laplacian).
    Diffusive,
    /// dt · speed / dx: the CFL number.
    Advective,
    /// dt · (highest frequency of a dispersive term).
    Dispersive,
    /// dt · (rate of the reaction).
    Reaction,
}

impl Limit {
    fn sentence(self) -> &'static str {
        match self {
            Self::Diffusive => "the diffusive limit (diffusivity × dt / dx² is too large for an explicit step)",
            Self::Advective => "the advective limit (the CFL number speed × dt / dx is too large)",
            Self::Dispersive => "the dispersive limit (the fastest wave on the grid turns too far in one step)",
            Self::Reaction => "the limit of the reaction (it changes the state too much in one step)",
        }
    }
}

/// Largest stable steps that are known for a setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StabilityLimits(pub Vec<(Limit, f64)>);

impl StabilityLimits {
    /// Adds a limit if it is a positive number.
    pub fn with(mut self, limit: Limit, dt: f64) -> Self {
        if dt > 0.0 && dt.is_finite() {
            self.0.push((limit, dt));
        }
        self
    }

    /// The limit that binds: the smallest.
    pub fn binding(&self) -> Option<(Limit, f64)> {
        self.0.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Names the cause of a blow-up at step length `dt` and a step that would be stable.
    pub fn diagnose(&self, dt: f64) -> Diagnosis {
        match self.binding() {
            Some((limit, stable)) if dt > stable => {
                let suggestion = round_down(0.8 * stable);
                Diagnosis {
                    cause: format!("The step dt = {} is {:.2} times {}.", short(dt), dt / stable, limit.sentence()),
                    advice: format!("Take dt = {} or less, or a coarser grid.", short(suggestion)),
                    stable_dt: suggestion,
                }
            }
            // The linear limits are met, so the nonlinear part ran away: a shorter step resolves it if anything does.
            binding => {
                let suggestion = round_down(0.5 * dt.min(binding.map_or(f64::INFINITY, |b| b.1)));
                Diagnosis {
                    cause: "The solution grew without bound although the step meets the linear stability limits: \
                            the nonlinear part is not resolved."
                        .to_owned(),
                    advice: format!("Take dt = {}, a finer grid or more dissipation.", short(suggestion)),
                    stable_dt: suggestion,
                }
            }
        }
    }
}

/// Why a run blew up and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    pub cause: String,
    pub advice: String,
    /// A step length that should be stable.
    pub stable_dt: f64,
}

/// The largest number of two significant digits that is not above `x`.
pub fn round_down(x: f64) -> f64 {
    if !(x > 0.0 && x.is_finite()) {
        return x;
    }
    let unit = 10_f64.powf(x.log10().floor() - 1.0);
    // The division may land a rounding below a whole number.
    let digits = (x / unit * (1.0 + 1e-12)).floor();
    // Through text: 0.29 rather than 0.29000000000000004.
    format!("{:e}", digits * unit).parse::<f64>().map_or(x, |v| format!("{v:.1e}").parse().unwrap_or(v))
}

fn short(x: f64) -> String {
    if (1e-3..1e4).contains(&x) { format!("{}", (x * 1e6).round() / 1e6) } else { format!("{x:.1e}") }
}

/// dt up to which an explicit method with the real stability interval `interval` damps diffusion: `spectral_radius` is the
/// largest eigenvalue magnitude of D·Laplacian.
pub fn diffusive_dt(interval: f64, spectral_radius: f64) -> f64 {
    interval / spectral_radius
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binding_limit_is_named() {
        let limits = StabilityLimits::default()
            .with(Limit::Diffusive, 0.02)
            .with(Limit::Advective, 0.5)
            .with(Limit::Reaction, f64::NAN);
        assert_eq!(limits.binding(), Some((Limit::Diffusive, 0.02)));
        let d = limits.diagnose(0.1);
        assert!(d.cause.contains("5.00 times the diffusive limit"), "{}", d.cause);
        assert_eq!(d.stable_dt, 0.016);
        assert!(limits.diagnose(0.01).cause.contains("nonlinear"));
        assert!(limits.diagnose(0.01).stable_dt < 0.01);
    }

    #[test]
    fn rounding_keeps_two_digits() {
        assert_eq!(round_down(0.2999), 0.29);
        assert_eq!(round_down(0.29), 0.29);
        assert_eq!(round_down(123.4), 120.0);
        assert_eq!(round_down(1e-7), 1e-7);
    }
}
