//! The sampler lab: Gaussian mixtures with exact score, any schedule, grid and sampler, on one run.
//!
//! An experiment fills in a [`Setup`]; [`start`] makes the run. Every run of the lab begins from the same noise for the
//! same seed, so any two can be compared particle by particle.

mod choices;
pub mod drawn;
mod metrics;
pub mod modes;
mod pictures;
mod reference;
mod ring;
mod run;
mod stability;
mod sweep;

use std::sync::Arc;

use eddy_numerics::{
    diffusion::{
        Batch, DiffusionError, Field, Guidance, Lane, Method, Mixture, MixtureModel, Node, Sampler, Schedule, grid,
    },
    rng::{Philox, Stream},
};
use eddy_spec::{EddyError, Metric};

/// The numerics of this lab, for callers that set a sampler up by name and not as an experiment.
pub use eddy_numerics::{diffusion, rng};

pub use choices::{Gauge, Grid, Noise, Solver, SolverOptions, Target};
pub use metrics::{
    DIVERGED, ENERGY, ERROR, EVALUATIONS, FLOOR, LEVEL, LIKELIHOOD, MEDIAN, WASSERSTEIN, WASSERSTEIN_FLOOR,
};
pub use pictures::{DENSITY_MAP, LIKELIHOOD_MAP, PARTICLES, PARTICLES_BY_DENSITY};
pub use ring::{CURVE_PARTICLES, ErrorCurve, RingBench};
pub use stability::STABILITY;
pub use sweep::{BUDGETS, CURVE_ENERGY, CURVE_ERROR, CURVE_WASSERSTEIN, Score, Sweep};

use crate::{Context, Precision, Run};

/// Where the particles come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Pure noise N(0, σ² I), as in practice.
    Prior,
    /// Exact samples of the target's marginal at the first time.
    Marginal,
}

/// What a particle's colour shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Distance to its end point in the reference run.
    Error,
    /// Logarithm of the density where it is.
    Density,
}

/// Everything that decides a run.
#[derive(Clone)]
pub struct Setup {
    pub mixture: Mixture,
    pub schedule: Arc<dyn Schedule>,
    /// First and last time.
    pub span: (f64, f64),
    pub grid: Grid,
    pub solver: Solver,
    pub options: SolverOptions,
    /// Evaluations allowed.
    pub evaluations: u32,
    pub particles: u32,
    pub seed: u32,
    pub guidance: Option<Guidance>,
    pub field: Field,
    pub start: Start,
    pub colour: Colour,
    /// Tolerance of the log-likelihood, where it is a metric.
    pub likelihood_tolerance: f64,
    pub sweep: Sweep,
    /// The experiment's METRICS.
    pub metrics: &'static [Metric],
}

impl Setup {
    /// A target sampled by DDIM from noise; the rest as most experiments want it. `metrics` is the experiment's METRICS.
    pub fn new(mixture: Mixture, noise: Noise, metrics: &'static [Metric]) -> Self {
        let schedule = noise.schedule();
        let (last, first) = schedule.default_span();
        Self {
            mixture,
            schedule,
            span: (first, last),
            grid: Grid::LogSnr,
            solver: Solver::Ddim,
            options: SolverOptions::default(),
            evaluations: 10,
            particles: 2000,
            seed: 7,
            guidance: None,
            field: Field::Exact,
            start: Start::Prior,
            colour: Colour::Error,
            likelihood_tolerance: 1e-4,
            sweep: Sweep::None,
            metrics,
        }
    }

    fn method(&self) -> Box<dyn Method> {
        self.solver.method(self.evaluations as usize, &self.options)
    }

    fn nodes(&self, method: &dyn Method) -> Result<Vec<Node>, EddyError> {
        let steps = if method.step_control().is_some() {
            1
        } else {
            method.steps_for(self.evaluations as usize).map_err(refused)?
        };
        grid(&*self.schedule, self.grid.spacing(), self.span.0, self.span.1, steps).map_err(refused)
    }

    fn rng(&self) -> Philox {
        Philox::new(self.seed)
    }

    fn model<T: Lane>(&self) -> Result<MixtureModel<T>, EddyError> {
        let mut model = MixtureModel::new(self.mixture.clone()).with_field(self.field.clone()).map_err(refused)?;
        if let Some(guidance) = self.guidance {
            model = model.with_guidance(guidance).map_err(refused)?;
        }
        Ok(model)
    }

    /// The particles at the first time, always drawn in f64.
    fn noise(&self) -> Batch<f64> {
        let node = self.schedule.node(self.span.0);
        let (dim, len) = (self.mixture.dim(), self.particles as usize);
        match self.start {
            Start::Prior => Batch::normal(dim, len, node.sigma, &self.rng(), Stream::Prior, 0),
            Start::Marginal => self.mixture.sample(len, node.alpha, node.sigma, &self.rng(), Stream::Prior),
        }
    }

    fn sampler<T: Lane>(&self) -> Result<Sampler<T>, EddyError> {
        let method = self.method();
        let nodes = self.nodes(&*method)?;
        let sampler = Sampler::new(self.schedule.clone(), method, &nodes, self.noise().cast(), self.rng());
        Ok(sampler.with_limit(self.evaluations.into()))
    }

    fn end(&self) -> Node {
        self.schedule.node(self.span.1)
    }

    fn wants(&self, metric: &Metric) -> bool {
        self.metrics.iter().any(|m| m.key == metric.key)
    }
}

/// What cannot start, at the control that can repair it.
pub fn refused(error: DiffusionError) -> EddyError {
    let key = match &error {
        DiffusionError::Evaluations { .. } | DiffusionError::NoSteps => Some("evaluations"),
        DiffusionError::Class { .. } => Some("class"),
        _ => None,
    };
    let out = EddyError::start(error.to_string());
    match key {
        Some(key) => out.at(key),
        None => out,
    }
}

/// A run in the context's number format.
pub fn start(setup: Setup, context: &Context) -> Result<Box<dyn Run>, EddyError> {
    Ok(match context.precision {
        Precision::F32 => Box::new(run::SamplerRun::<f32>::new(setup)?),
        Precision::F64 => Box::new(run::SamplerRun::<f64>::new(setup)?),
    })
}
