//! Training of line problems on the GPU.

use eddy_gpu::Gpu;
use eddy_nets::{
    Network,
    gpu::{GpuTrainError, LineTask, LineTrainer},
};
use eddy_spec::{EddyError, Outcome, ViewData};
use web_time::Instant;

use super::{
    METRICS, Problem, Training, Weigher, Weighting,
    line::{LineEquation, LineProblem},
    run::{Prober, divergence, residual_view, start, weights_view},
};
use crate::{Budget, Context, Device, LocalFuture, Progress, Record, Run, gpu_error};

/// A fresh run of a line problem on the context's device.
pub fn start_line<E: LineEquation>(
    problem: LineProblem<E>,
    training: Training,
    context: &Context,
) -> Result<Box<dyn Run>, EddyError> {
    match &context.device {
        Device::Cpu => start(problem, training, context),
        Device::Gpu(gpu) => Ok(Box::new(GpuPinnRun::new(problem, training, gpu)?)),
    }
}

/// Sets of random points on the device; a step takes the next one. Few enough to upload at once, many enough that the
/// network cannot fit them instead of the equation.
const POOL: u64 = 64;
/// A submission should not take longer than this, so that a budget is kept.
const SUBMISSION_SECS: f64 = 0.02;

struct GpuPinnRun<E> {
    gpu: Gpu,
    problem: LineProblem<E>,
    training: Training,
    trainer: LineTrainer,
    /// The network as last read back.
    network: Network<f32>,
    prober: Prober<f32>,
    weigher: Weigher,
    record: Record,
    steps: u64,
    /// Spent training.
    seconds: f64,
    /// Steps that fit into a submission.
    pace: u64,
    outcome: Outcome,
}

fn refused(e: GpuTrainError) -> EddyError {
    match e {
        GpuTrainError::Gpu(e) => gpu_error(e),
        e => EddyError::start(e.to_string()),
    }
}

impl<E: LineEquation> GpuPinnRun<E> {
    fn new(problem: LineProblem<E>, training: Training, gpu: &Gpu) -> Result<Self, EddyError> {
        let (Some(residual), Weighting::Uniform) = (problem.equation().on_gpu(), &training.weighting) else {
            return Err(EddyError::gpu(
                "device-unsupported",
                "This training runs on the CPU. Switch the device to CPU.",
            ));
        };
        let network = Network::<f32>::new(problem.architecture(), u64::from(training.seed))
            .map_err(|e| refused(GpuTrainError::Network(e)))?;
        let slices = problem.slices();
        let batch = slices.count * slices.points;
        let mut points = vec![0.0; 2 * batch * POOL as usize];
        for (set, points) in points.chunks_exact_mut(2 * batch).enumerate() {
            problem.points(set as u64, points);
        }
        let mut envelopes = Vec::with_capacity(points.len());
        for p in points.chunks_exact(2) {
            let (a, b) = problem.equation().envelope(p[0], p[1]);
            envelopes.extend([a, b].map(|jet| jet.map(|v| v as f32)));
        }
        let points: Vec<f32> = points.iter().map(|x| *x as f32).collect();
        let task = LineTask {
            residual,
            points: &points,
            envelopes: &envelopes,
            batch,
            adam: training.adam(),
            steps: training.steps,
        };
        let trainer = LineTrainer::new(gpu, &network, &task).map_err(refused)?;
        let mut prober = Prober::new(&problem, &network).map_err(|e| refused(GpuTrainError::Network(e)))?;
        prober.measure(&problem, &network);
        Ok(Self {
            gpu: gpu.clone(),
            trainer,
            prober,
            weigher: Weigher::new(slices),
            record: Record::of(METRICS),
            steps: 0,
            seconds: 0.0,
            pace: 1,
            outcome: Outcome::Running,
            network,
            problem,
            training,
        })
    }

    async fn train(&mut self, budget: Budget) -> Result<(), EddyError> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            let every = self.training.record_every;
            let until_row = if self.steps == 0 { 1 } else { every - self.steps % every };
            let remaining = self.training.steps - self.steps;
            let asked = until_row.min(remaining).min(self.pace).min(clock.steps_left().max(1));
            let begun = Instant::now();
            self.trainer.train(asked as usize).map_err(gpu_error)?;
            self.gpu.finished().await.map_err(gpu_error)?;
            let secs = begun.elapsed().as_secs_f64().max(1e-6);
            self.seconds += secs;
            self.pace = (SUBMISSION_SECS * asked as f64 / secs).clamp(1.0, every as f64) as u64;
            self.steps += asked;
            let end = self.steps >= self.training.steps;
            if (end || self.steps == 1 || self.steps.is_multiple_of(every)) && !self.measure().await? {
                self.outcome = divergence(self.steps, self.training.rate);
            } else if end {
                self.outcome = Outcome::Finished;
            }
            if !clock.tick(asked) {
                break;
            }
        }
        Ok(())
    }

    /// Reads back and writes a row. Returns whether it is finite; if not, the last good network stays.
    async fn measure(&mut self) -> Result<bool, EddyError> {
        let squares = self.trainer.squares().await.map_err(gpu_error)?;
        let parameters = self.trainer.parameters().await.map_err(gpu_error)?;
        if !parameters.iter().chain(&squares).all(|p| p.is_finite()) {
            return Ok(false);
        }
        self.network.parameters = parameters;
        self.weigher.begin(0.0);
        for (point, square) in squares.iter().enumerate() {
            self.weigher.weigh(point, f64::from(*square));
        }
        let error = self.prober.measure(&self.problem, &self.network);
        if error.is_finite() {
            let row = [error, self.weigher.mean(), self.weigher.smallest(), f64::NAN, self.seconds];
            self.record.push(self.steps as f64, &row);
        }
        Ok(error.is_finite())
    }
}

impl<E: LineEquation> Run for GpuPinnRun<E> {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        Box::pin(self.train(budget))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        let slices = self.weigher.slices();
        Progress {
            steps: self.steps,
            position: self.steps as f64,
            fraction: (self.steps as f64 / self.training.steps as f64).min(1.0),
            work: self.steps as f64 * (slices.count * slices.points) as f64,
            work_unit: "points",
        }
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        crate::ready(Ok(match key {
            "weights" => weights_view(&self.weigher),
            "residual" => residual_view(&self.weigher, self.steps),
            _ => self.problem.view(key, &self.prober.solution),
        }))
    }
}
