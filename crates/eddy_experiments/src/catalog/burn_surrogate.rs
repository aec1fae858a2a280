//@ feature: learn
//! A solver knows where a state goes next. So does, after a few hundred lessons, a small convolutional network, at a
//! fraction of the steps. It is taught here while you watch: the solver makes trajectories of viscous Burgers,
//!
//! $$u_t + u\,u_x = \nu\,u_{xx}, \qquad x \in [0, 2\pi) \text{ periodic},$$
//!
//! from random sums of three sines and a mean, and the network learns the map $u(t) \mapsto u(t + \Delta)$ from pairs of
//! consecutive states. Each training step one new trajectory joins, so the network sees fresh states as they are made.
//!
//! What the network gives is not the change of $u$ but the flux $F$ through each cell's right face,
//! $u_i(t + \Delta) = u_i(t) - (F_i - F_{i-1})$. Whatever the weights are, what leaves one cell enters the next, and the
//! mean stays what it was. Switch to the direct form, and the same network, with the same error after one step, lets the
//! mean drift.
//!
//! The stage shows a state that the network has never seen: where it starts, where the solver takes it in eight steps,
//! and where the network does. The errors are relative to the change: 1 is no better than saying that nothing happens.

use std::{any::Any, f64::consts::TAU};

use eddy_learn::{
    Engine, LearnError,
    surrogate::{Evaluation, NetworkShape, Options, Problem, Training},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Form {
    /// flux through the faces
    Flux = "flux",
    /// change of the value
    Direct = "direct",
} }

params! { pub struct Params {
    /// Output of the network. As fluxes it keeps the mean for any weights.
    form: Form = Form::Flux => choice(),
    /// Channels of each hidden layer.
    channels: u32 = 12 => steps(2, 32).group("Network"),
    /// Hidden layers.
    layers: u32 = 2 => steps(1, 4).group("Network"),
    /// Neighbours on each side that a layer sees.
    radius: u32 = 2 => steps(1, 4).symbol("r").group("Network"),
    /// Learning rate. It falls to zero along a half cosine.
    rate: f64 = 1e-2 => log(1e-4, 0.1).symbol("\\eta").live().group("Training"),
    /// Pairs of states per training step.
    batch: u32 = 32 => steps(4, 128).group("Training"),
    /// Training steps.
    lessons: u32 = 400 => steps(50, 4000).group("Training"),
    /// Viscosity.
    viscosity: f64 = 0.1 => log(0.08, 1.0).symbol("\\nu").group("Equation"),
    /// Time that one application of the map moves on.
    interval: f64 = 0.2 => range(0.05, 0.5).symbol("\\Delta").group("Equation"),
    /// Seed of the states, the weights and the batches.
    seed: u32 = 1 => seed(),
} }

/// Grid points; enough for the steepest front at the smallest viscosity.
const POINTS: usize = 64;
/// Applications of the map in a trajectory.
const TRAJECTORY: usize = 8;
/// Training steps between two evaluations, each of which costs about one training step.
const EVALUATE_EVERY: usize = 10;
/// Longest time between two readings of the losses.
const CHUNK_SECS: f64 = 0.03;

pub struct BurnSurrogate;

impl Experiment for BurnSurrogate {
    type Params = Params;
    const TITLE: &'static str = "A network learns a solver's step";
    const SUMMARY: &'static str =
        "A convolutional network is taught Burgers' equation by a solver, and rolls out on its own.";
    const LAB: Lab = Lab::Operator;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("training step", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "loss",
            Axis::log("training loss", "L"),
            Better::Lower,
            "Mean squared error of the batch over the mean squared change in one application of the map.",
        ),
        Metric::new(
            "error",
            Axis::log("error of one step", "e_1"),
            Better::Lower,
            "RMS error after one application on unseen states, over the RMS change.",
        ),
        Metric::new(
            "rollout",
            Axis::log("error of a trajectory", "e_8"),
            Better::Lower,
            "RMS error after eight applications of the network to its own output, over the RMS change.",
        ),
        Metric::new(
            "drift",
            Axis::log("drift of the mean", "|\\Delta \\bar u|"),
            Better::Lower,
            "Largest change of the spatial mean in a trajectory of the network; the equation keeps the mean.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("rollout", "rollout", Axis::linear("position", "x"), Axis::linear("velocity", "u")),
        ViewSpec::field(
            "network",
            "network",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("velocity", "u"),
            ColorMap::Diverging,
        ),
        ViewSpec::field(
            "difference",
            "error",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("network minus solver", "\\delta u"),
            ColorMap::Diverging,
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "direct form", change: "form=direct" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "After 400 steps the network errs by at most a tenth of the change, over one step and over eight, on \
                   states it has never seen; in flux form it keeps the mean to rounding, in direct form it does not.",
        arms: &[Arm { name: "flux", setting: "form=flux" }, Arm { name: "direct", setting: "form=direct" }],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "error of one step",
                measure: |m| m.max("flux", "error"),
                bound: Bound::AtMost(0.1),
                unit: "",
            },
            Test {
                label: "error over eight steps",
                measure: |m| m.max("flux", "rollout"),
                bound: Bound::AtMost(0.1),
                unit: "",
            },
            Test {
                label: "drift of the mean, flux form",
                measure: |m| m.max("flux", "drift"),
                bound: Bound::AtMost(1e-6),
                unit: "",
            },
            Test {
                label: "drift of the mean, direct form",
                measure: |m| m.min("direct", "drift"),
                bound: Bound::AtLeast(1e-3),
                unit: "",
            },
        ],
        counter: Counter {
            why: "Without fluxes nothing ties what leaves one cell to what enters the next.",
            arms: &["flux"],
            change: "form=direct",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(params: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let options = options_of(params);
        let stage = match context.kind() {
            DeviceKind::Cpu => Stage::Training(Box::new(Training::new(options, Engine::cpu()).map_err(eddy_error)?)),
            // The browser answers for a GPU asynchronously; the first advance asks.
            DeviceKind::Gpu => Stage::Waiting,
        };
        Ok(Box::new(Lessons {
            options,
            stage,
            evaluation: None,
            chunk: 1,
            outcome: Outcome::Running,
            record: Record::of(Self::METRICS),
        }))
    }
}

fn options_of(p: &Params) -> Options {
    Options {
        problem: Problem { points: POINTS, viscosity: p.viscosity, interval: p.interval, steps: TRAJECTORY },
        shape: NetworkShape {
            channels: p.channels as usize,
            hidden_layers: p.layers as usize,
            radius: p.radius as usize,
            is_conservative: p.form == Form::Flux,
        },
        batch: p.batch as usize,
        learning_rate: p.rate,
        steps: p.lessons as usize,
        seed: p.seed,
    }
}

fn eddy_error(error: LearnError) -> EddyError {
    EddyError::new(error.code(), error.to_string())
}

enum Stage {
    Waiting,
    Training(Box<Training>),
}

struct Lessons {
    options: Options,
    stage: Stage,
    /// The last one with finite numbers.
    evaluation: Option<Evaluation>,
    /// Training steps per reading of the losses, which on a GPU waits for the queue: as many as take [`CHUNK_SECS`].
    chunk: usize,
    outcome: Outcome,
    record: Record,
}

impl Lessons {
    fn steps_done(&self) -> usize {
        match &self.stage {
            Stage::Waiting => 0,
            Stage::Training(training) => training.steps_done(),
        }
    }

    async fn advance_within(&mut self, budget: Budget) -> Result<(), EddyError> {
        if !self.outcome.is_running() {
            return Ok(());
        }
        if let Stage::Waiting = self.stage {
            let engine = Engine::web_gpu().await.map_err(eddy_error)?;
            self.stage = Stage::Training(Box::new(Training::new(self.options, engine).map_err(eddy_error)?));
        }
        let Stage::Training(training) = &mut self.stage else { return Ok(()) };
        let mut clock = budget.start();
        loop {
            let before = training.steps_done();
            let to_evaluation = EVALUATE_EVERY - before % EVALUATE_EVERY;
            let wanted = self.chunk.min(to_evaluation).min(self.options.steps - before);
            let steps = wanted.min(usize::try_from(clock.steps_left()).unwrap_or(usize::MAX)).max(1);
            let started = clock.elapsed_secs();
            let losses = training.advance(steps).await.map_err(eddy_error)?;
            let took = clock.elapsed_secs() - started;
            self.chunk = if took < 0.5 * CHUNK_SECS {
                2 * steps
            } else if took > CHUNK_SECS {
                steps.div_ceil(2)
            } else {
                steps
            };
            let done = training.steps_done();
            let is_last = done >= self.options.steps;
            if done.is_multiple_of(EVALUATE_EVERY) || is_last || self.evaluation.is_none() {
                let found = training.evaluate().await.map_err(eddy_error)?;
                let is_finite = found.predicted.iter().flatten().all(|v| v.is_finite());
                if is_finite || self.evaluation.is_none() {
                    self.evaluation = Some(found);
                }
            }
            let measured =
                self.evaluation.as_ref().map_or([f64::NAN; 3], |e| [e.step_error, e.rollout_error, e.mean_drift]);
            for (i, loss) in losses.iter().enumerate() {
                let step = before + i + 1;
                if !loss.is_finite() {
                    self.outcome = Outcome::Diverged {
                        step: step as u64,
                        cause: "the loss is no longer a finite number: the learning rate is too high".into(),
                        advice: "Lower the learning rate and restart.".into(),
                        repair: Some(("rate".into(), format!("{}", (self.options.learning_rate / 4.0).max(1e-4)))),
                    };
                    return Ok(());
                }
                self.record.push(step as f64, &[*loss, measured[0], measured[1], measured[2]]);
            }
            if is_last {
                self.outcome = Outcome::Finished;
                return Ok(());
            }
            if !clock.tick(steps as u64) {
                return Ok(());
            }
        }
    }
}

/// A trajectory as rows of a field, oldest at the bottom.
fn field(rows: Vec<f32>, interval: f64, range: f64) -> ViewData {
    ViewData::Field {
        nx: POINTS,
        ny: TRAJECTORY + 1,
        data: rows,
        x: (0.0, TAU),
        y: (0.0, interval * TRAJECTORY as f64),
        range: (-range, range),
    }
}

impl Run for Lessons {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        Box::pin(self.advance_within(budget))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        let steps = self.steps_done();
        Progress {
            steps: steps as u64,
            position: steps as f64,
            fraction: steps as f64 / self.options.steps as f64,
            work: (steps * self.options.batch) as f64,
            work_unit: "pairs",
        }
    }
    fn precision(&self) -> Option<Precision> {
        // Burn's back ends compute in single precision.
        Some(Precision::F32)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let Some(evaluation) = &self.evaluation else { return ready(Ok(ViewData::Empty)) };
        let interval = self.options.problem.interval;
        ready(Ok(match key {
            "rollout" => {
                let xs: Vec<f64> = (0..POINTS).map(|i| TAU * i as f64 / POINTS as f64).collect();
                let line = |name: &str, role, u: &[f32]| {
                    Series::line(name, role, xs.clone(), u.iter().map(|v| f64::from(*v)).collect())
                };
                let end = interval * TRAJECTORY as f64;
                let series = vec![
                    line("at t = 0", Role::Second, &evaluation.exact[0]),
                    line(&format!("solver at t = {end:.2}"), Role::Reference, &evaluation.exact[TRAJECTORY]),
                    line(&format!("network at t = {end:.2}"), Role::Result, &evaluation.predicted[TRAJECTORY]),
                ];
                ViewData::Lines { series, x: (0.0, TAU), y: (-2.5, 2.5) }
            }
            "network" => field(evaluation.predicted.concat(), interval, 2.0),
            "difference" => {
                let rows = evaluation.predicted.iter().flatten().zip(evaluation.exact.iter().flatten());
                field(rows.map(|(p, e)| p - e).collect(), interval, 0.5)
            }
            _ => ViewData::Empty,
        }))
    }
    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        if let Some(params) = params.downcast_ref::<Params>() {
            self.options = options_of(params);
            if let Stage::Training(training) = &mut self.stage {
                training.set_learning_rate(params.rate);
            }
        }
        Ok(())
    }
}
