//! Training on the GPU, whatever the network is trained on.

use eddy_gpu::Gpu;
use eddy_nets::gpu::{GpuTrainError, LineTrainer};
use eddy_spec::{EddyError, Outcome, ViewData};
use web_time::Instant;

use crate::{Budget, DeviceKind, LocalFuture, Progress, Record, Run, gpu_error, weights::Tensor};

/// What is trained, as the CPU sees it.
pub trait Followed: 'static {
    /// Takes what the device has come to, and returns a row of the record. None where it is not finite: the last good state
    /// stays.
    fn measure(&mut self, reached: Reached) -> Option<Vec<f64>>;
    /// Points per step.
    fn points(&self) -> usize;
    /// What is said where it is not finite.
    fn divergence(&mut self, step: u64) -> Outcome;
    fn view(&mut self, key: &str) -> ViewData;
    /// See [`Run::weights`].
    fn weights(&self) -> Vec<Tensor> {
        Vec::new()
    }
    /// See [`Run::script`].
    fn script(&self) -> Option<Result<String, EddyError>> {
        None
    }
    /// See [`Run::remarks`].
    fn remarks(&self) -> Vec<EddyError> {
        Vec::new()
    }
    /// Whether the gradient is asked for.
    fn wants_gradient(&self) -> bool {
        false
    }
}

/// What was read back after a step.
pub struct Reached {
    /// Steps done.
    pub step: u64,
    /// Spent training.
    pub seconds: f64,
    pub parameters: Vec<f32>,
    /// Squared residual of each point of the last step, then the squared errors of conditions.
    pub squares: Vec<f32>,
    /// Of the last step, where it was asked for.
    #[cfg_attr(not(feature = "equations"), allow(dead_code, reason = "typed networks ask for it"))]
    pub gradient: Vec<f32>,
}

/// Sets of random points on the device; a step takes the next one. Few enough to upload at once, many enough that the
/// network cannot fit them instead of the equation.
pub const POOL: u64 = 64;
/// A submission should not take longer than this, so that a budget is kept.
const SUBMISSION_SECS: f64 = 0.02;

/// A run whose steps are made on the device.
pub struct DeviceRun<F> {
    gpu: Gpu,
    trainer: LineTrainer,
    followed: F,
    all: u64,
    record_every: u64,
    record: Record,
    steps: u64,
    /// Spent training.
    seconds: f64,
    /// Steps that fit into a submission.
    pace: u64,
    outcome: Outcome,
}

/// A network that cannot be trained there, as the page says it.
pub fn refused(e: GpuTrainError) -> EddyError {
    match e {
        GpuTrainError::Gpu(e) => gpu_error(e),
        e => EddyError::start(e.to_string()),
    }
}

impl<F: Followed> DeviceRun<F> {
    /// A training of `all` steps, with a row of the record every so many of them.
    pub fn new(gpu: &Gpu, trainer: LineTrainer, followed: F, [all, record_every]: [u64; 2], record: Record) -> Self {
        Self {
            gpu: gpu.clone(),
            trainer,
            followed,
            all,
            record_every,
            record,
            steps: 0,
            seconds: 0.0,
            pace: 1,
            outcome: Outcome::Running,
        }
    }

    async fn train(&mut self, budget: Budget) -> Result<(), EddyError> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            let every = self.record_every;
            let until_row = if self.steps == 0 { 1 } else { every - self.steps % every };
            let remaining = self.all - self.steps;
            let asked = until_row.min(remaining).min(self.pace).min(clock.steps_left().max(1));
            let begun = Instant::now();
            self.trainer.train(asked as usize).map_err(gpu_error)?;
            self.gpu.finished().await.map_err(gpu_error)?;
            let secs = begun.elapsed().as_secs_f64().max(1e-6);
            self.seconds += secs;
            self.pace = (SUBMISSION_SECS * asked as f64 / secs).clamp(1.0, every as f64) as u64;
            self.steps += asked;
            let end = self.steps >= self.all;
            if (end || self.steps == 1 || self.steps.is_multiple_of(every)) && !self.measure().await? {
                self.outcome = self.followed.divergence(self.steps);
            } else if end {
                self.outcome = Outcome::Finished;
            }
            if !clock.tick(asked) {
                break;
            }
        }
        Ok(())
    }

    /// Reads back and writes a row. Returns whether it is finite.
    async fn measure(&mut self) -> Result<bool, EddyError> {
        let squares = self.trainer.squares().await.map_err(gpu_error)?;
        let parameters = self.trainer.parameters().await.map_err(gpu_error)?;
        if !parameters.iter().chain(&squares).all(|p| p.is_finite()) {
            return Ok(false);
        }
        let gradient = match self.followed.wants_gradient() {
            true => self.trainer.gradient().await.map_err(gpu_error)?,
            false => Vec::new(),
        };
        let (step, seconds) = (self.steps, self.seconds);
        let row = self.followed.measure(Reached { step, seconds, parameters, squares, gradient });
        if let Some(row) = &row {
            self.record.push(step as f64, row);
        }
        Ok(row.is_some())
    }
}

impl<F: Followed> Run for DeviceRun<F> {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        Box::pin(self.train(budget))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        Progress {
            steps: self.steps,
            position: self.steps as f64,
            fraction: (self.steps as f64 / self.all as f64).min(1.0),
            work: self.steps as f64 * self.followed.points() as f64,
            work_unit: "points",
        }
    }
    fn device_kind(&self) -> Option<DeviceKind> {
        Some(DeviceKind::Gpu)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        crate::ready(Ok(self.followed.view(key)))
    }
    fn weights(&self) -> Vec<Tensor> {
        self.followed.weights()
    }
    fn set_weights(&mut self, _given: &[Tensor]) -> Result<(), EddyError> {
        Err(EddyError::new(
            "weights",
            "The GPU takes no weights from a file. Switch the device to CPU and load them there.",
        ))
    }
    fn script(&self) -> Option<Result<String, EddyError>> {
        self.followed.script()
    }
    fn remarks(&self) -> Vec<EddyError> {
        self.followed.remarks()
    }
}
