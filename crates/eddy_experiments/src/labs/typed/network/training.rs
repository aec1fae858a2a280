//! How a typed network is trained, and what a training records.

use eddy_spec::{Axis, Better, Metric};

use super::{Architecture, Balance};

/// How the network is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    pub architecture: Architecture,
    /// Points inside, per step.
    pub points: usize,
    /// Points per side.
    pub side_points: usize,
    /// Factor of the conditions at the sides in the loss.
    pub side_weight: f64,
    /// Whether that factor, and the one of the measurements, follow the training; they are the first ones then.
    pub balance: Balance,
    /// Factor of the conditions on integrals.
    pub integral_weight: f64,
    /// Whether conditions at the sides are built into the network where they can be.
    pub builds_sides: bool,
    /// Coefficients that begin elsewhere, and the steps in which they go to their values, in each window.
    pub curriculum: Vec<(String, f64)>,
    pub curriculum_steps: u64,
    /// Factor of the conditions where parts of the domain meet.
    pub joint_weight: f64,
    /// Steps for which eigenvalues stay at their first guesses, so that the state becomes the one that belongs to them.
    pub hold: u64,
    /// Strictness of the causal weights; 0 for none.
    pub causality: f64,
    /// Windows in time, trained one after the other.
    pub windows: usize,
    /// Whether the points differ from step to step.
    pub is_resampled: bool,
    /// Whether they are drawn where the residual is large.
    pub is_adaptive: bool,
    /// Whether the gradient inside is taken in single precision.
    pub is_single: bool,
    pub seed: u32,
    /// Coefficients to be found, numbers and fields of the place, with first guesses.
    pub sought: Vec<(String, f64)>,
    pub data: Data,
    /// Names of the fields that are measured; all where there are none.
    pub measured: Vec<String>,
    /// Whether the initial values are known, and built in.
    pub knows_start: bool,
    /// Name of the field that is drawn; the first one where empty.
    pub shown: String,
    /// Hidden layer whose units are drawn; the last one where 0.
    pub shown_layer: usize,
}

/// Measurements from which coefficients are found: values of the reference, with noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Data {
    pub points: usize,
    /// Standard deviation relative to that of the field.
    pub noise: f64,
    pub weight: f64,
    /// The weight is divided by this in the course of so many steps, evenly in its logarithm.
    pub fall: (f64, u64),
}

impl Data {
    /// The weight from step `step` on.
    pub(super) fn weight_at(&self, step: u64) -> f64 {
        let (fall, steps) = self.fall;
        self.weight / fall.powf((step as f64 / steps.max(1) as f64).min(1.0))
    }
}

/// Those of every descent, then [`Objective::extras`].
pub(super) const METRICS: &[Metric] = &[
    crate::labs::pinn::ERROR,
    crate::labs::pinn::LOSS,
    crate::labs::pinn::SECONDS,
    Metric::new(
        "residual",
        Axis::log("mean squared residual", "\\overline{r^2}"),
        Better::Lower,
        "Mean of the squared residual over the points of the step, without causal weights, times the length of the run squared; of steady problems a hundred times over the size of their terms squared. Fields count in units of how far they go, here and in the terms below.",
    ),
    Metric::new(
        "sides",
        Axis::log("mean squared error at the sides", "\\overline{b^2}"),
        Better::Lower,
        "Mean of the squared error of the conditions at the sides; not defined without such.",
    ),
    Metric::new(
        "coefficient",
        Axis::log("error of the coefficients", "\\max|p - p^*|/|p^*|"),
        Better::Lower,
        "Largest relative error of the coefficients to be found; not defined without such.",
    ),
    Metric::new(
        "weight",
        Axis::log("weight of the sides", "\\lambda"),
        Better::Neither,
        "Factor of the conditions at the sides in the loss; not defined without such.",
    ),
    Metric::new(
        "integrals",
        Axis::log("mean squared error of the integrals", "\\overline{g^2}"),
        Better::Lower,
        "Mean of the squared error of the conditions on integrals; not defined without such.",
    ),
    Metric::new(
        "data",
        Axis::log("mean squared misfit of the data", "\\overline{d^2}"),
        Better::Lower,
        "Mean squared distance from the measurements, each relative to the largest value of its field; not defined without such.",
    ),
    Metric::new(
        "joints",
        Axis::log("mean squared jump", "\\overline{j^2}"),
        Better::Lower,
        "Mean of the squared jumps where networks of two parts of the domain meet; not defined without such.",
    ),
];
