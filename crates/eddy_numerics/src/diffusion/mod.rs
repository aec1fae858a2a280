//! Diffusion sampling: exact mixtures, noise schedules, samplers, likelihood, metrics.
//!
//! A sampler is a [`Method`]: it turns an interval of the time grid into a [`Plan`], a table of coefficients. One loop,
//! [`Sampler`], executes plans of every method. Noise levels are described by a [`Schedule`], the model is anything that
//! predicts ε ([`Denoiser`]) and counts its evaluations.

pub mod adjoint;
mod batch;
pub mod bench;
pub mod compensation;
mod covariance;
mod discrete;
pub mod few_steps;
mod grid;
mod kernel;
mod lane;
mod lattice;
mod likelihood;
pub mod mean_reverting;
pub mod measurement;
pub mod methods;
pub mod metrics;
mod mixture;
mod model;
pub mod model_statistics;
mod ode;
mod plan;
pub mod poisson_flow;
mod prediction;
pub mod rectified;
mod round_trip;
mod sampler;
mod schedule;
pub mod searched;
pub mod targets;
pub mod templates;
mod threshold;
pub mod trapezoid_rule;

pub use batch::Batch;
pub use covariance::{shape_of, symmetric_eigen};
pub use discrete::{Betas, VpDiscrete};
pub use grid::{Spacing, grid};
pub use lane::{LANES, Lane};
pub use likelihood::{Likelihood, log_likelihood};
pub use methods::Method;
pub use mixture::{Component, Mixture, Shape};
pub use model::{Denoiser, Field, Guidance, MixtureModel};
pub use ode::{OdeError, OdeSolution, dormand_prince};
pub use plan::{Combination, Interval, Langevin, Plan, Source, Stage};
pub use prediction::Prediction;
pub use round_trip::RoundTrip;
pub use sampler::{Sampler, Status, StepReport};
pub use schedule::{CondOt, Edm, Node, Schedule, SubVp, Ve, VpCosine, VpLinear};
pub use threshold::{Threshold, Thresholded};

/// Input that no sampling can start from. The message says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DiffusionError {
    #[error("Component {index} of the mixture cannot be used: {what}.")]
    Component { index: usize, what: &'static str },
    #[error("A mixture needs at least one component with a weight above 0.")]
    NoWeight,
    #[error("This needs points in at least one dimension, and a rotation or shear in at least two.")]
    Dimension,
    #[error("No component has class {class}. Choose a class of this target.")]
    Class { class: u32 },
    #[error("A sampler needs at least one step.")]
    NoSteps,
    #[error(
        "Sampling runs from a later time to an earlier one, both with noise and signal left; {start} to {end} does not."
    )]
    Span { start: f64, end: f64 },
    #[error(
        "“{method}” cannot run from t = {start} to t = {end}: it needs both signal and noise at every time. Start a \
         little earlier or end a little later (t_start, t_end, times)."
    )]
    Ends { method: &'static str, start: f64, end: f64 },
    #[error("{0}")]
    Covariance(&'static str),
    #[error("“{method}” needs at least {needed} evaluations; {given} were allowed.")]
    Evaluations { method: &'static str, needed: usize, given: usize },
}
