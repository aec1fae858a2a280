//! Plans: what a method does on one interval, as coefficients only.
//!
//! Every sampler here moves the state by linear combinations of the state, of ε at stages inside the step, of vectors
//! remembered from earlier steps, and of fresh noise. The coefficients depend on times and noise levels but not on the
//! state, so they are computed in f64 once per step for the whole batch.

use super::{Node, Prediction, Schedule};

/// A vector that a combination may use besides the state at the start of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// ε at stage j of this step.
    Stage(usize),
    /// What was remembered j steps ago: 0 is the last step.
    Past(usize),
    /// The vector carried from the last step.
    Carried,
}

/// state · x + Σ coefficient · source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Combination {
    pub state: f64,
    pub terms: Vec<(Source, f64)>,
}

impl Combination {
    /// The state itself.
    pub fn identity() -> Self {
        Self { state: 1.0, terms: Vec::new() }
    }
    pub fn new(state: f64, terms: impl IntoIterator<Item = (Source, f64)>) -> Self {
        Self { state, terms: terms.into_iter().collect() }
    }
    /// One source alone.
    pub fn source(source: Source) -> Self {
        Self { state: 0.0, terms: vec![(source, 1.0)] }
    }
    /// self + c · other, with terms of one source added up.
    pub fn plus(mut self, c: f64, other: &Self) -> Self {
        self.state += c * other.state;
        for (source, value) in &other.terms {
            match self.terms.iter_mut().find(|(s, _)| s == source) {
                Some((_, total)) => *total += c * value,
                None => self.terms.push((*source, c * value)),
            }
        }
        self
    }
    /// c · self.
    pub fn times(self, c: f64) -> Self {
        Self::default().plus(c, &self)
    }
    /// The transfer from one node to another with ε replaced by Σ weight · source.
    pub fn transfer(from: &Node, to: &Node, weights: &[(Source, f64)]) -> Self {
        let (a, b) = from.transfer(to);
        Self::new(a, weights.iter().map(|(s, w)| (*s, b * w)))
    }
}

/// One evaluation of the model: at which noise level, and at which point.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub node: Node,
    /// May use the state, the past and earlier stages.
    pub point: Combination,
    /// What the stage's value is: ε, or x₀, which alone determines the step where α = 0.
    pub value: Prediction,
}

impl Stage {
    /// ε at `point`.
    pub fn epsilon(node: Node, point: Combination) -> Self {
        Self { node, point, value: Prediction::Epsilon }
    }
    /// x₀ at `point`.
    pub fn data(node: Node, point: Combination) -> Self {
        Self { node, point, value: Prediction::Data }
    }
}

/// A Langevin correction at the end of a step: x += e s + √(2e) z with e = 2 α² (snr |z|/|s|)², where |·| is the mean
/// norm over the batch (Song et al. 2021, algorithms 4 and 5, where α² is called α).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Langevin {
    pub snr: f64,
    /// Factor α of the forward step; 1 for variance exploding.
    pub decay: f64,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub stages: Vec<Stage>,
    /// Before anything else: x ← scale x + sd z, which lifts the state to another noise level (scale, sd).
    pub lift: Option<(f64, f64)>,
    /// Kept for later steps, computed before `update`.
    pub remember: Option<Combination>,
    /// New value of the one vector that is carried from step to step (a velocity), computed before `update`.
    pub carry: Option<Combination>,
    /// The new state.
    pub update: Combination,
    /// Standard deviation of the noise added after `update`.
    pub noise: f64,
    /// Estimate of the error made, for methods with step control.
    pub error: Option<Combination>,
    pub corrector: Option<Langevin>,
    /// Whether `carry` is the state at the start of the step, improved with this step's evaluation.
    pub corrects: bool,
}

impl Plan {
    /// A deterministic step without memory.
    pub fn new(stages: Vec<Stage>, update: Combination) -> Self {
        Self {
            stages,
            lift: None,
            remember: None,
            carry: None,
            update,
            noise: 0.0,
            error: None,
            corrector: None,
            corrects: false,
        }
    }
    /// One evaluation at the state, then `update`.
    pub fn simple(from: &Node, update: Combination) -> Self {
        Self::new(vec![Stage::epsilon(*from, Combination::identity())], update)
    }
    /// The same with x₀ as the value of the evaluation.
    pub fn simple_data(from: &Node, update: Combination) -> Self {
        Self::new(vec![Stage::data(*from, Combination::identity())], update)
    }
    /// The same, remembering `what`.
    pub fn remembering(mut self, what: Combination) -> Self {
        self.remember = Some(what);
        self
    }
    /// The same with noise added.
    pub fn with_noise(mut self, sd: f64) -> Self {
        self.noise = sd;
        self
    }
}

/// The interval a plan is asked for.
#[derive(Clone, Copy)]
pub struct Interval<'a> {
    pub schedule: &'a dyn Schedule,
    pub from: Node,
    pub to: Node,
    /// Index of this step, from 0.
    pub step: usize,
    /// Steps of the whole grid; 0 if the method chooses them itself.
    pub steps: usize,
    /// Nodes at which the remembered vectors were made, newest first.
    pub past: &'a [Node],
}
