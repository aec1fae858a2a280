//! What samplers by name can be told.

use super::{Churn, LowerFinal, Quadrature, StochasticAdams, Variant};
use crate::diffusion::{Prediction, compensation::Abscissa};

/// Numbers and choices that some samplers take. Each has the default of the authors' code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Noise of DDIM: 0 none, 1 that of DDPM.
    pub eta: f64,
    /// Absolute and relative tolerance of the adaptive Dormand-Prince.
    pub absolute: f64,
    pub relative: f64,
    /// Damping b of the heavy ball.
    pub damping: f64,
    /// Order r of GHVB.
    pub momentum_order: f64,
    /// Signal-to-noise ratio of the corrector.
    pub snr: f64,
    /// γ of BDIA.
    pub gamma: f64,
    pub variant: Variant,
    /// What UniPC works on.
    pub value: Prediction,
    pub taylor: bool,
    /// When the last steps lower their order; `None` is the default of the method.
    pub lower_final: Option<LowerFinal>,
    pub quadrature: Quadrature,
    /// The weight of the second difference in order 3 of multistep DPM-Solver is that of the polynomial.
    pub polynomial: bool,
    /// Single steps of DPM-Solver evaluate even in λ inside a step, whatever the grid.
    pub inner_even: bool,
    /// The last step of a grid ends at σ = 0.
    pub append_zero: bool,
    /// Order of the linear multistep method in σ/α, 1 to 4.
    pub multistep_order: usize,
    pub compensation: CompensationOptions,
    pub search: SearchOptions,
    /// Multistep DPM-Solver starts with single steps of its order.
    pub single_start: bool,
    /// Noise added before each step; `None` is the default of the sampler.
    pub churn: Option<Churn>,
    pub stochastic_adams: StochasticAdams,
    /// Dimensions that PFGM++ adds.
    pub extra_dimensions: f64,
    pub statistics: StatisticsOptions,
}

/// How DC-Solver fits its ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompensationOptions {
    /// Order of the UniPC inside, 2 or 3.
    pub order: u32,
    pub abscissa: Abscissa,
    /// Trajectories that the ratios are fitted on.
    pub samples: usize,
}

impl Default for CompensationOptions {
    fn default() -> Self {
        Self { order: 3, abscissa: Abscissa::Time, samples: 10 }
    }
}

/// How a solver schedule is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchOptions {
    /// Schedules that are scored.
    pub trials: usize,
    pub population: usize,
    /// Trajectories of a score.
    pub samples: usize,
    pub times: bool,
    pub orders: bool,
    pub values: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { trials: 400, population: 40, samples: 64, times: true, orders: true, values: true }
    }
}

/// How DPM-Solver-v3 measures the model and steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticsOptions {
    pub order: usize,
    /// Values that correct a step, the new one included; 0 for none.
    pub corrector: usize,
    pub lower_final: bool,
    /// Steps of λ in the table of statistics.
    pub steps: usize,
    /// Particles that they are averaged over.
    pub samples: usize,
    /// The authors' arithmetic: trapezoidal integrals and times at nodes of the table, with the pseudo high order of
    /// predictor and corrector.
    pub trapezoid: bool,
    pub pseudo: (bool, bool),
}

impl Default for StatisticsOptions {
    fn default() -> Self {
        Self {
            order: 3,
            corrector: 3,
            lower_final: true,
            steps: 120,
            samples: 1024,
            trapezoid: false,
            pseudo: (false, false),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            eta: 0.0,
            absolute: 1e-5,
            relative: 1e-5,
            damping: 0.8,
            momentum_order: 2.5,
            snr: 0.16,
            gamma: 1.0,
            variant: Variant::Bh1,
            value: Prediction::Data,
            taylor: false,
            lower_final: None,
            quadrature: Quadrature::Riemann,
            polynomial: false,
            inner_even: false,
            append_zero: false,
            multistep_order: 4,
            compensation: CompensationOptions::default(),
            search: SearchOptions::default(),
            single_start: false,
            churn: None,
            stochastic_adams: StochasticAdams::default(),
            extra_dimensions: 128.0,
            statistics: StatisticsOptions::default(),
        }
    }
}
