//! Training of graph networks in f64: by the gradient alone, by L-BFGS, by one after the other, or by Gauss-Newton.

use eddy_nets::{
    FirstOrder, GaussNewton, GaussNewtonSettings, Lbfgs, LbfgsSettings, LbfgsState, NetError, Rule, Schedule, Shape,
    graph::{Graph, NormalEquations},
};
use eddy_spec::{Axis, Better, EddyError, Metric, Outcome, ViewData, choice};
use web_time::Instant;

#[cfg(feature = "pinn")]
use super::{
    insight::{Insight, Probes, graph_neurons, points_view, spectrum_view},
    terms::Terms,
};
use crate::{
    Budget, Context, DeviceKind, LocalFuture, Precision, Progress, Record, Run, ready,
    weights::{Tensor, fill, tensors},
};

/// A loss over the parameters of a graph, with a reference to compare with.
pub trait Objective: 'static {
    fn graph(&self) -> &Graph;
    /// Metrics beyond [`ERROR`], [`LOSS`] and [`SECONDS`].
    fn extras(&self) -> &'static [Metric] {
        &[]
    }
    /// Draws the points of step `step` where they change.
    fn draw(&mut self, _step: u64) {}
    /// Points per step, for the speed read-out.
    fn points(&self) -> usize;
    /// The number format of its gradient. The parameters are in f64 in any case, and so is everything but the gradient: L-BFGS
    /// stalls in f32 at a loss of about 1e-7 of the first one.
    fn precision(&self) -> Precision {
        Precision::F64
    }
    /// From here on the loss must be the function whose gradient is given, as line searches need it: what depends on the
    /// course of the run, such as causal weights, is left out.
    fn fix(&mut self) {}
    /// Why the loss has no finite value at `parameters`, and what to do, where it is the equations that have none.
    fn undefined(&mut self, _parameters: &[f64]) -> Option<(String, String)> {
        None
    }
    /// Lets go what was held fixed at first. Called where Gauss-Newton can go no further; whether there was such a thing, so
    /// that it can now.
    fn release(&mut self) -> bool {
        false
    }
    /// Whether the loss is another function from step to step, so that its rise says nothing.
    fn is_moving(&self) -> bool {
        false
    }
    /// Windows in time that are trained one after the other, each with its share of the steps and an optimizer of its own.
    fn windows(&self) -> u64 {
        1
    }
    /// Goes on to the next window, after the last step of this one; what [`fix`](Self::fix) left out is there again.
    fn next_window(&mut self, _parameters: &[f64]) {}
    /// Terms of the loss, for the views of [`insight`](super::insight): at the points of the last step. Returns their sum.
    #[cfg(feature = "pinn")]
    fn terms(&mut self, _parameters: &[f64], _terms: &mut Terms<'_>) -> f64 {
        f64::NAN
    }
    /// Where each coordinate of the points begins and ends, for those views; empty where they are not drawn.
    #[cfg(feature = "pinn")]
    fn domain(&self) -> Vec<(f64, f64)> {
        Vec::new()
    }
    /// Where the solution is compared, for those views.
    #[cfg(feature = "pinn")]
    fn probes(&self) -> Option<Probes> {
        None
    }
    /// The loss; overwrites `gradient`.
    fn gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64;
    /// Normal equations of the loss as a sum of squares, for those that are trained by Gauss-Newton.
    fn linearize(&mut self, _parameters: &[f64], _equations: &mut NormalEquations) {}
    /// That sum elsewhere, at the same points and with the same weights.
    fn loss_there(&mut self, _parameters: &[f64]) -> f64 {
        f64::NAN
    }
    /// Relative L² error against the reference, then the extras; what is drawn afterwards is this state.
    fn measure(&mut self, parameters: &[f64]) -> Vec<f64>;
    fn view(&mut self, key: &str) -> ViewData;
    /// See [`Run::remarks`].
    fn remarks(&self) -> Vec<EddyError> {
        Vec::new()
    }
    /// See [`Run::script`].
    fn script(&self, _descent: &Descent) -> Option<Result<String, EddyError>> {
        None
    }
}

pub const ERROR: Metric = Metric::new(
    "error",
    Axis::log("relative error", "\\|u-u_{ref}\\|_2/\\|u_{ref}\\|_2"),
    Better::Lower,
    "Relative L² error against the reference, at points that are not trained on.",
);
pub const LOSS: Metric = Metric::new("loss", Axis::log("loss", "\\mathcal L"), Better::Lower, "What is minimised.");
pub const SECONDS: Metric =
    Metric::new("seconds", Axis::linear("time", "t").unit("s"), Better::Lower, "Time spent training on this machine.");

/// Steps along the gradient alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    pub rule: Rule,
    pub rate: f64,
    pub fall: Fall,
    /// Steps over which the rate rises at first.
    pub warm_up: u64,
}

/// How the rate falls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fall {
    Constant,
    /// To a hundredth along half a cosine.
    Cosine,
    /// Evenly in its logarithm, to a hundredth.
    Exponential,
}

/// What a rate falls to, relative.
const FLOOR: f64 = 0.01;

impl Gradient {
    /// Adam with a falling rate.
    pub const fn adam(rate: f64) -> Self {
        Self { rule: Rule::Adam, rate, fall: Fall::Cosine, warm_up: 0 }
    }

    /// Of so many steps in all.
    pub fn schedule(&self, steps: u64) -> Schedule {
        let shape = match self.fall {
            Fall::Constant => Shape::Constant,
            Fall::Cosine => Shape::Cosine { steps, floor: FLOOR },
            Fall::Exponential => Shape::Exponential { factor: FLOOR, every: steps, staircase: false },
        };
        Schedule { rate: self.rate, shape, warm_up: self.warm_up }
    }
}

/// How the parameters are moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    FirstOrder(Gradient),
    /// L-BFGS. Its points must not change.
    Lbfgs,
    /// The gradient alone for the first steps, then L-BFGS, as is usual in the literature. The points of L-BFGS are drawn anew
    /// every [`RENEWED`] steps, so that a network with more parameters than points does not fit these points only.
    ThenLbfgs {
        gradient: Gradient,
        first: u64,
    },
    /// Gauss-Newton with Levenberg's damping, of objectives that are sums of squares. Its points are drawn anew every
    /// [`REDRAWN`] steps: on the same ones for long, it fits what lies between them to anything.
    GaussNewton,
}

impl Method {
    /// [`Gradient::adam`] throughout.
    pub const fn adam(rate: f64) -> Self {
        Self::FirstOrder(Gradient::adam(rate))
    }
}

choice! { pub enum Optimizer {
    /// Adam
    Adam = "adam",
    /// Adam for the first half, then L-BFGS
    AdamLbfgs = "adam-lbfgs",
} }

impl Optimizer {
    /// With this rate, for so many steps in all.
    pub fn method(self, rate: f64, steps: u32) -> Method {
        match self {
            Self::Adam => Method::adam(rate),
            Self::AdamLbfgs => Method::ThenLbfgs { gradient: Gradient::adam(rate), first: u64::from(steps / 2) },
        }
    }
}

/// A training by the gradient whose loss grows this many times above the lowest it had has exploded: other points and a step too far
/// now and then raise it a thousandfold at most.
const EXPLODED: f64 = 1e6;
/// Steps of L-BFGS on the same points, where they are drawn anew.
pub const RENEWED: u64 = 100;
/// Steps of Gauss-Newton on the same points.
pub const REDRAWN: u64 = 5;
/// Most parameters for Gauss-Newton: its matrix has their number squared entries, 72 MB.
pub const MOST_NEWTON: usize = 3_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    pub method: Method,
    pub steps: u64,
    pub seed: u32,
    /// Steps between two rows of the record.
    pub record_every: u64,
}

impl Descent {
    /// Steps along the gradient alone, and which.
    pub fn first_order(&self) -> Option<(u64, Gradient)> {
        match self.method {
            Method::FirstOrder(gradient) => Some((self.steps, gradient)),
            Method::Lbfgs | Method::GaussNewton => None,
            Method::ThenLbfgs { gradient, first } => Some((first.min(self.steps), gradient)),
        }
    }
}

enum Mover {
    FirstOrder(Box<FirstOrder>),
    Lbfgs(Box<Lbfgs>),
    GaussNewton(Box<(GaussNewton, NormalEquations)>),
}

impl Mover {
    /// What moves the parameters of a network after `done` steps.
    fn new(descent: &Descent, graph: &Graph, done: u64) -> Self {
        let count = graph.parameters();
        match descent.first_order() {
            Some((steps, gradient)) if done < steps => {
                let schedule = gradient.schedule(steps);
                Self::FirstOrder(Box::new(FirstOrder::new(gradient.rule, schedule, count, &graph.layers())))
            }
            _ if descent.method == Method::GaussNewton => {
                let solver = GaussNewton::new(GaussNewtonSettings::default());
                Self::GaussNewton(Box::new((solver, NormalEquations::new(count))))
            }
            _ => Self::Lbfgs(Box::new(Lbfgs::new(count, LbfgsSettings::default()))),
        }
    }
}

/// The share of one of so many windows.
fn share(descent: Descent, windows: u64) -> Descent {
    Descent { steps: descent.steps.div_ceil(windows.max(1)), ..descent }
}

/// Training of an objective.
pub struct DescentRun<O> {
    objective: O,
    descent: Descent,
    parameters: Vec<f64>,
    gradient: Vec<f64>,
    mover: Mover,
    loss: f64,
    /// The lowest loss so far, of this window.
    lowest: f64,
    steps: u64,
    seconds: f64,
    outcome: Outcome,
    record: Record,
    /// Parameters at the last finite measurement.
    good: Vec<f64>,
    /// Whether L-BFGS could not go on at the last step.
    is_stalled: bool,
    /// Windows done, and the step with which this one began.
    windows: (u64, u64),
    #[cfg(feature = "pinn")]
    insight: Insight,
}

/// A fresh run on the CPU.
pub fn start_descent<O: Objective>(
    objective: O,
    descent: Descent,
    context: &Context,
) -> Result<Box<dyn Run>, EddyError> {
    if context.kind() == DeviceKind::Gpu {
        return Err(EddyError::gpu("device-unsupported", "This training runs on the CPU. Switch the device to CPU."));
    }
    Ok(Box::new(DescentRun::new(objective, descent).map_err(refused)?))
}

/// A network that cannot be built, as the page says it.
pub fn refused(e: NetError) -> EddyError {
    EddyError::start(format!("The network cannot be built. {e}"))
}

impl<O: Objective> DescentRun<O> {
    pub fn new(mut objective: O, descent: Descent) -> Result<Self, NetError> {
        let parameters: Vec<f64> = objective.graph().start(u64::from(descent.seed))?;
        objective.draw(0);
        objective.measure(&parameters);
        let count = parameters.len();
        let mover = Mover::new(&share(descent, objective.windows()), objective.graph(), 0);
        if matches!(mover, Mover::Lbfgs(_)) {
            objective.fix();
        }
        let extras = objective.extras().iter().map(|m| m.key);
        Ok(Self {
            record: Record::new(["error", "loss", "seconds"].into_iter().chain(extras)),
            good: parameters.clone(),
            gradient: vec![0.0; count],
            parameters,
            mover,
            objective,
            descent,
            loss: f64::NAN,
            lowest: f64::INFINITY,
            steps: 0,
            seconds: 0.0,
            outcome: Outcome::Running,
            is_stalled: false,
            windows: (0, 0),
            #[cfg(feature = "pinn")]
            insight: Insight::default(),
        })
    }

    /// One step. Returns what ends the run, if anything does.
    fn step(&mut self) -> Option<Outcome> {
        let is_both = matches!(self.descent.method, Method::ThenLbfgs { .. });
        let of_window = share(self.descent, self.objective.windows());
        if self.steps - self.windows.1 >= of_window.steps {
            self.begin_window();
        }
        let is_over = of_window.first_order().is_none_or(|(steps, _)| self.steps - self.windows.1 >= steps);
        if is_both && is_over && matches!(self.mover, Mover::FirstOrder(_)) {
            self.renew_mover();
        }
        let Self { objective, parameters, gradient, .. } = self;
        let fine = match &mut self.mover {
            Mover::FirstOrder(optimizer) => {
                objective.draw(self.steps);
                self.loss = objective.gradient(parameters, gradient);
                optimizer.step(parameters, gradient).is_finite() && self.loss.is_finite()
            }
            Mover::Lbfgs(lbfgs) => {
                if is_both && self.is_stalled {
                    objective.draw(self.steps);
                    lbfgs.forget();
                } else if is_both && self.steps.is_multiple_of(RENEWED) {
                    objective.draw(self.steps);
                    lbfgs.refresh();
                }
                let step = lbfgs.step(parameters, |p, g| objective.gradient(p, g));
                self.loss = step.loss;
                let stalls = step.state == LbfgsState::Stalled;
                // On other points it may go on, once.
                if stalls && (!is_both || self.is_stalled) {
                    return (!self.begin_window()).then_some(Outcome::Finished);
                }
                self.is_stalled = stalls;
                step.state != LbfgsState::NotFinite
            }
            Mover::GaussNewton(both) => {
                let (solver, equations) = &mut **both;
                if self.is_stalled || (self.steps - self.windows.1).is_multiple_of(REDRAWN) {
                    objective.draw(self.steps);
                }
                objective.linearize(parameters, equations);
                let is_finite = equations.loss.is_finite();
                let step = solver.step_normal(parameters, equations, |p| objective.loss_there(p));
                self.loss = step.loss;
                let is_stalled = !step.moved && self.is_stalled;
                if is_finite && is_stalled && !objective.release() {
                    return (!self.begin_window()).then_some(Outcome::Finished);
                }
                self.is_stalled = !step.moved;
                is_finite
            }
        };
        if !fine {
            return Some(self.diverged("The loss or its gradient is not a finite number."));
        }
        self.lowest = if self.objective.is_moving() { self.loss } else { self.lowest.min(self.loss) };
        let has_exploded = self.loss > EXPLODED * self.lowest && matches!(self.mover, Mover::FirstOrder(_));
        has_exploded.then(|| self.diverged("The loss has risen to a million times what it had come to."))
    }

    /// The end of a run that came to no finite number, with a setting that may help.
    fn diverged(&mut self, cause: &str) -> Outcome {
        let step = self.steps;
        if let Some((cause, advice)) = self.objective.undefined(&self.parameters).filter(|_| step == 0) {
            return Outcome::Diverged { step, cause, advice, repair: None };
        }
        let (advice, repair) = match self.descent.first_order() {
            Some((_, Gradient { rate, .. })) => {
                ("Lower the learning rate.", ("rate".to_owned(), format!("{:e}", (0.1 * rate).max(1e-5))))
            }
            None => {
                let next = self.descent.seed.wrapping_add(1);
                ("Start from another seed, or train by Adam.", ("seed".to_owned(), next.to_string()))
            }
        };
        Outcome::Diverged { step, cause: cause.to_owned(), advice: advice.to_owned(), repair: Some(repair) }
    }

    /// Goes on to the next window, if there is one.
    fn begin_window(&mut self) -> bool {
        let windows = self.objective.windows();
        if self.windows.0 + 1 >= windows {
            return false;
        }
        self.windows = (self.windows.0 + 1, self.steps);
        // What was reached is kept as this window's part of the solution.
        self.objective.measure(&self.parameters);
        self.objective.next_window(&self.parameters);
        self.renew_mover();
        self.is_stalled = false;
        self.lowest = f64::INFINITY;
        true
    }

    /// A fresh optimizer, the one that is due at this step of the window.
    fn renew_mover(&mut self) {
        let of_window = share(self.descent, self.objective.windows());
        self.mover = Mover::new(&of_window, self.objective.graph(), self.steps - self.windows.1);
        if matches!(self.mover, Mover::Lbfgs(_)) {
            self.objective.fix();
        }
    }

    /// Writes a row. Returns whether the error is finite.
    fn measure(&mut self) -> bool {
        let measured = self.objective.measure(&self.parameters);
        if !measured.first().is_some_and(|e| e.is_finite()) {
            return false;
        }
        self.good.copy_from_slice(&self.parameters);
        let mut row = vec![measured[0], self.loss, self.seconds];
        row.extend_from_slice(&measured[1..]);
        self.record.push(self.steps as f64, &row);
        #[cfg(feature = "pinn")]
        if self.insight.is_due(self.steps) {
            let mut apart = Vec::new();
            self.objective.terms(&self.parameters, &mut Terms::apart(&mut apart));
            let norm = |gradient: &[f64]| gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let norms = apart.iter().map(|(name, gradient)| (*name, norm(gradient))).collect();
            self.insight.measured(self.steps, self.descent.steps, norms);
        }
        true
    }

    /// The views that all objectives of this loop have.
    #[cfg(feature = "pinn")]
    fn seen(&mut self, key: &str) -> ViewData {
        let Self { objective, insight, good, parameters, steps, .. } = self;
        // With the points and the window of now; the last good ones where these are none.
        let good = if parameters.iter().all(|p| p.is_finite()) { &*parameters } else { &*good };
        match (key, objective.probes()) {
            ("gradients", _) => insight.gradients(),
            ("kernel", _) => insight.kernel(*steps, || {
                let mut rows = Vec::new();
                objective.terms(good, &mut Terms::rows(&mut rows));
                rows
            }),
            ("points", _) => {
                let mut placed = Vec::new();
                objective.terms(good, &mut Terms::points(&mut placed));
                points_view(&placed, &objective.domain())
            }
            ("error-spectrum", Some(p)) => spectrum_view(&p.reference, &p.own, p.per_line, p.is_periodic),
            ("neurons", Some(probes)) => graph_neurons(objective.graph(), good, &probes),
            _ => ViewData::Empty,
        }
    }
}

impl<O: Objective> Run for DescentRun<O> {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            let started = Instant::now();
            let end = self.step();
            self.seconds += started.elapsed().as_secs_f64();
            self.steps += 1;
            let last = end.is_some() || self.steps >= self.descent.steps;
            let row = last || self.steps == 1 || self.steps.is_multiple_of(self.descent.record_every);
            let diverged = matches!(end, Some(Outcome::Diverged { .. }));
            if diverged || (row && !self.measure()) {
                self.parameters.copy_from_slice(&self.good);
                self.objective.measure(&self.parameters);
                self.outcome = match end {
                    Some(end @ Outcome::Diverged { .. }) => end,
                    _ => self.diverged("The solution is not a finite number."),
                };
            } else if last {
                self.outcome = Outcome::Finished;
            }
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        Progress {
            steps: self.steps,
            position: self.steps as f64,
            fraction: if self.outcome.is_running() {
                (self.steps as f64 / self.descent.steps as f64).min(1.0)
            } else {
                1.0
            },
            work: self.steps as f64 * self.objective.points() as f64,
            work_unit: "points",
        }
    }
    fn precision(&self) -> Option<Precision> {
        Some(self.objective.precision())
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let view = self.objective.view(key);
        #[cfg(feature = "pinn")]
        let view = if view == ViewData::Empty { self.seen(key) } else { view };
        ready(Ok(view))
    }
    fn script(&self) -> Option<Result<String, EddyError>> {
        self.objective.script(&self.descent)
    }
    fn remarks(&self) -> Vec<EddyError> {
        self.objective.remarks()
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.objective.graph().named(), &self.parameters)
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        fill("", &self.objective.graph().named(), given, &mut self.parameters)?;
        self.good.copy_from_slice(&self.parameters);
        #[cfg(feature = "pinn")]
        self.insight.forget_kernel();
        // What was reached before says nothing of these.
        (self.lowest, self.is_stalled) = (f64::INFINITY, false);
        self.renew_mover();
        self.objective.measure(&self.parameters);
        Ok(())
    }
}

/// √(Σ(a − b)²/Σb²).
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    let (mut difference, mut size) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        difference += (a - b) * (a - b);
        size += b * b;
    }
    (difference / size).sqrt()
}

/// The gradient of an objective against central differences; and with a wrong entry, which must be seen.
#[cfg(test)]
pub(crate) fn check_objective<O: Objective>(objective: &mut O, seed: u64) {
    let mut parameters: Vec<f64> = objective.graph().start(seed).unwrap();
    objective.draw(0);
    let mut gradient = vec![0.0; parameters.len()];
    let mut scratch = gradient.clone();
    objective.gradient(&parameters, &mut gradient);
    let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    #[cfg(feature = "pinn")]
    {
        let (mut apart, mut rows) = (Vec::new(), Vec::new());
        objective.terms(&parameters, &mut Terms::apart(&mut apart));
        objective.terms(&parameters, &mut Terms::rows(&mut rows));
        if let Some((_, first)) = rows.first() {
            let sum = |i: usize| apart.iter().map(|(_, gradient)| gradient[i]).sum::<f64>();
            assert!((0..gradient.len()).all(|i| (sum(i) - gradient[i]).abs() < 1e-12 * scale), "terms make the loss");
            assert!(first.iter().flatten().all(|r| r.is_finite()) && first.iter().flatten().any(|r| *r != 0.0));
            // The squares at single points make the loss; what has no points of its own may be missing.
            let mut placed = Vec::new();
            objective.terms(&parameters, &mut Terms::points(&mut placed));
            let mean = |one: &super::terms::Placed| one.squares.iter().sum::<f64>() / one.squares.len() as f64;
            let (whole, sum) = (objective.gradient(&parameters, &mut scratch), placed.iter().map(mean).sum::<f64>());
            let missing = apart.len() - placed.len();
            assert!(sum <= whole * (1.0 + 1e-12) && (missing > 0 || sum >= whole * (1.0 - 1e-12)), "{sum} {whole}");
        }
    }
    let h = 1e-5;
    let (mut worst, mut seen): (f64, f64) = (0.0, 0.0);
    // Some three hundred of the parameters, and the one with the largest slope.
    let stride = parameters.len().div_ceil(300);
    for i in (0..parameters.len()).filter(|i| i.is_multiple_of(stride) || gradient[*i].abs() == scale) {
        let p = parameters[i];
        let mut at = |x: f64| {
            parameters[i] = x;
            objective.gradient(&parameters, &mut scratch)
        };
        let slope = (at(p + h) - at(p - h)) / (2.0 * h);
        parameters[i] = p;
        worst = worst.max((slope - gradient[i]).abs() / scale);
        if gradient[i].abs() == scale {
            seen = (slope - 0.999 * gradient[i]).abs() / scale;
        }
    }
    // Truncation h² and rounding 1e-16/h, relative to the largest entry.
    assert!(worst < 1e-6 && seen > 1e-6, "{worst:e} {seen:e}");
}
