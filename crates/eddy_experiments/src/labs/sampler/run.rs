//! The run of every sampler experiment: a converged reference, the sampling itself, then the curve.

use std::rc::Rc;

use eddy_numerics::diffusion::{Batch, Denoiser, Lane, MixtureModel, Node, Sampler, Status};
use eddy_spec::{EddyError, Outcome, ViewData};

use super::{
    Setup, Sweep,
    metrics::{ERROR, MEDIAN, Snapshot, Yardsticks, is_slow, row},
    pictures::Pictures,
    reference::Reference,
    sweep::{Curve, Score},
};
use crate::{Budget, LocalFuture, Progress, Record, Run, ready};

/// Rows in which the metrics that take long are computed too, at most, before the last one.
const FULL_ROWS: usize = 40;
/// Beyond this many particles they are computed at the end only.
const FULL_PARTICLES: u32 = 2000;

pub(super) struct SamplerRun<T> {
    setup: Setup,
    sampler: Sampler<T>,
    model: MixtureModel<T>,
    /// Still to be computed.
    pending: Option<Reference>,
    reference: Option<Rc<Batch<f64>>>,
    /// Steps of the grid; 0 if the solver chooses them.
    grid_steps: usize,
    curve: Curve,
    record: Record,
    yard: Yardsticks,
    pictures: Pictures,
    outcome: Outcome,
    attempts: u64,
}

impl<T: Lane> SamplerRun<T> {
    pub(super) fn new(setup: Setup) -> Result<Self, EddyError> {
        let method = setup.method();
        let nodes = setup.nodes(&*method)?;
        let grid_steps = if method.step_control().is_some() { 0 } else { nodes.len() - 1 };
        let sampler = setup.sampler::<T>()?;
        let curve = Curve::of(&setup, score_of(&setup));
        let paired = !method.is_stochastic() && (setup.wants(&ERROR) || setup.wants(&MEDIAN));
        let pending = if paired { Some(Reference::of(&setup)?) } else { None };
        let mut run = Self {
            model: setup.model()?,
            pictures: Pictures::of(&setup),
            record: Record::of(setup.metrics),
            pending,
            reference: None,
            grid_steps,
            curve,
            sampler,
            yard: Yardsticks::default(),
            outcome: Outcome::Running,
            attempts: 0,
            setup,
        };
        // A cached reference is there at once; the first picture then has its colours.
        if let Some(Reference::Ready(batch)) = &run.pending {
            run.reference = Some(batch.clone());
            run.pending = None;
        }
        run.pictures.moved(run.sampler.x(), &run.sampler.node());
        Ok(run)
    }

    /// One unit of work. Returns the steps it counts as: the reference is preparation and counts as none.
    fn work(&mut self) -> Result<u64, EddyError> {
        if let Some(reference) = &mut self.pending {
            if let Some(batch) = reference.step() {
                self.reference = Some(batch);
                self.pending = None;
            }
            return Ok(0);
        }
        if self.sampler.status() == Status::Running {
            self.sample()?;
            return Ok(1);
        }
        if self.curve.done() < self.curve.points() {
            self.curve.step(self.reference.as_deref())?;
            if self.curve.done() < self.curve.points() {
                return Ok(1);
            }
        }
        self.outcome = self.ending();
        Ok(1)
    }

    fn sample(&mut self) -> Result<(), EddyError> {
        let Some(report) = self.sampler.step(&mut self.model) else { return Ok(()) };
        self.attempts += 1;
        if report.non_finite > 0 {
            let more = (2 * self.setup.evaluations).min(200);
            self.outcome = Outcome::Diverged {
                step: self.attempts,
                cause: format!(
                    "{} of {} particles left the range of numbers: the steps are too long for this solver",
                    report.non_finite, self.setup.particles
                ),
                advice: "Allow more evaluations, lower the guidance or choose a solver of lower order.".to_owned(),
                repair: (more > self.setup.evaluations).then(|| ("evaluations".to_owned(), more.to_string())),
            };
            return Ok(());
        }
        let ended = self.sampler.status() != Status::Running;
        let every = (self.grid_steps / FULL_ROWS).max(1);
        let done = self.sampler.steps_done();
        // A run without a curve is not looked at on the way: claims and the command line want its end.
        let watched = self.curve.points() > 0 && self.setup.particles <= FULL_PARTICLES;
        let all = ended || (watched && done.is_multiple_of(every));
        let now = Snapshot {
            x: self.sampler.x(),
            node: self.sampler.node(),
            reference: None,
            evaluations: self.model.evaluations(),
            all,
        };
        // Rows in between would have holes where the slow metrics are: none are written.
        if all || !self.setup.metrics.iter().any(is_slow) || !watched {
            let reference = self.reference.as_ref().map(|r| r.cast());
            let values = row(&self.setup, &Snapshot { reference: reference.as_ref(), ..now }, &mut self.yard)?;
            self.record.push(self.model.evaluations() as f64, &values);
        }
        self.pictures.moved(self.sampler.x(), &self.sampler.node());
        if ended && self.curve.points() == 0 {
            self.outcome = self.ending();
        }
        Ok(())
    }

    /// What the run comes to once there is no more to do.
    fn ending(&self) -> Outcome {
        match self.sampler.status() {
            Status::OutOfEvaluations => Outcome::StepLimit { steps: self.attempts },
            Status::Stuck => Outcome::Diverged {
                step: self.attempts,
                cause: "the adaptive solver was driven to steps too short to move time".to_owned(),
                advice: "Lower the strength of guidance or of the added field, or choose a fixed number of steps."
                    .to_owned(),
                repair: None,
            },
            Status::Running | Status::Finished => Outcome::Finished,
        }
    }

    /// Fraction of the sampling itself.
    fn sampled(&self) -> f64 {
        if self.sampler.status() == Status::Finished {
            return 1.0;
        }
        if self.grid_steps > 0 {
            return self.sampler.steps_done() as f64 / self.grid_steps as f64;
        }
        let lambda = |n: &Node| n.lambda;
        let (first, last) = (self.setup.schedule.node(self.setup.span.0), self.setup.end());
        (lambda(&self.sampler.node()) - lambda(&first)) / (lambda(&last) - lambda(&first))
    }
}

/// What the curve of a setup shows: the first of its metrics that a curve can show.
fn score_of(setup: &Setup) -> Score {
    if matches!(setup.sweep, Sweep::Strength(_)) {
        return Score::Energy;
    }
    let first = setup.metrics.iter().find_map(|m| match m.key {
        "error" => Some(Score::Error),
        "w2" => Some(Score::Wasserstein),
        "energy" => Some(Score::Energy),
        _ => None,
    });
    first.unwrap_or(Score::Error)
}

impl<T: Lane> Run for SamplerRun<T> {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            match self.work() {
                Ok(steps) => {
                    if !clock.tick(steps) {
                        break;
                    }
                }
                Err(e) => return ready(Err(e)),
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        let points = self.curve.points() as f64;
        // Every step and every point of the curve is the same share; an adaptive solver is taken as 20 steps.
        let steps = if self.grid_steps > 0 { self.grid_steps as f64 } else { 20.0 };
        let fraction = (self.sampled() * steps + self.curve.done() as f64) / (steps + points);
        Progress {
            steps: self.attempts + self.curve.done() as u64,
            position: self.model.evaluations() as f64,
            fraction: if self.outcome.is_running() { fraction.clamp(0.0, 1.0) } else { 1.0 },
            work: self.model.evaluations() as f64 * f64::from(self.setup.particles),
            work_unit: "evaluations",
        }
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(match key {
            "race" => self.pictures.curve(&self.setup, &self.curve),
            "likelihood" => self.pictures.likelihood(&self.setup),
            "density" => self.pictures.density(&self.setup),
            "stability" => self.pictures.stability(&self.setup),
            _ => self.pictures.particles(&self.setup, self.reference.as_deref()),
        }))
    }
}
