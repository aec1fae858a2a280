//! The bench of samplers that have few evaluations: all begin at the same noise, and the end points of a converged run are
//! worked out first, so that every later error is known at once.

use eddy_numerics::{
    diffusion::{
        Batch, MixtureModel, Sampler, Status,
        few_steps::{FINE_STEPS, RingTask, log_distances},
        metrics::{paired_distances, rms},
    },
    rng::Stream,
};
use eddy_spec::{EddyError, Role, Series, ViewData};

use super::refused;
use crate::labs::flow::{Cloud, Trails, density, error_lines};

const TRAILS: usize = 40;
/// Steps of the converged run in one of the bench.
const FINE_UNIT: usize = 10;
/// Particles of the runs that make a curve.
pub const CURVE_PARTICLES: usize = 400;

/// A task, its noise and where that ends.
pub struct RingBench {
    pub task: RingTask,
    /// Counts what the run and what it needs before ask of it; the converged run asks another.
    pub model: MixtureModel<f64>,
    pub start: Batch<f64>,
    fine: Option<Sampler<f64>>,
    reference: Option<Batch<f64>>,
    trails: Trails,
    limit: f64,
    backdrop: ViewData,
}

impl RingBench {
    /// Calls of [`Self::converge`] until it has nothing more to do.
    pub const CONVERGING: usize = FINE_STEPS / FINE_UNIT;

    pub fn new(task: RingTask, seed: u32, particles: u32) -> Result<Self, EddyError> {
        let start = task.noise(seed, Stream::Prior, particles as usize);
        let limit = (1.15 * task.mixture().extent()).max(2.8);
        let mut trails = Trails::of(TRAILS);
        trails.push(&start);
        Ok(Self {
            fine: Some(task.fine(start.clone()).map_err(refused)?),
            model: task.model().map_err(refused)?,
            backdrop: density(&task.target(), limit),
            task,
            start,
            reference: None,
            trails,
            limit,
        })
    }

    /// A part of the converged run; false once its end points are known.
    pub fn converge(&mut self) -> Result<bool, EddyError> {
        let Some(fine) = &mut self.fine else { return Ok(false) };
        let mut model = self.task.model().map_err(refused)?;
        for _ in 0..FINE_UNIT {
            fine.step(&mut model);
        }
        if fine.status() != Status::Running {
            self.reference = Some(fine.x().clone());
            self.fine = None;
        }
        Ok(true)
    }

    /// Distances of the first particles to their end points; none while those are unknown.
    pub fn distances(&self, x: &Batch<f64>) -> Option<Vec<f64>> {
        self.reference.as_ref().map(|reference| paired_distances(x, reference))
    }
    /// Root mean square of [`Self::distances`]; NaN while unknown.
    pub fn error(&self, x: &Batch<f64>) -> f64 {
        self.distances(x).map_or(f64::NAN, |distances| rms(&distances))
    }

    /// Another state of the run that is shown.
    pub fn follow(&mut self, x: &Batch<f64>) {
        self.trails.push(x);
    }

    /// Particles at `x` with their trails, coloured by the distance to their end points.
    pub fn particles(&self, x: &Batch<f64>) -> ViewData {
        self.particles_to(x, None)
    }

    /// The same with other points to measure the distances to.
    pub fn particles_to(&self, x: &Batch<f64>, to: Option<&Batch<f64>>) -> ViewData {
        let reference = to.or(self.reference.as_ref());
        let colours = reference.map_or_else(|| vec![0.0; x.len()], |r| log_distances(x, r));
        let mut cloud = Cloud::new(x, colours, (-3.0, 0.5), self.limit);
        cloud.trails = self.trails.clone();
        cloud.backdrop = Some(self.backdrop.clone());
        cloud.view()
    }
}

/// Errors against evaluations, line after line.
#[derive(Clone, Debug)]
pub struct ErrorCurve(Vec<(Vec<f64>, Vec<f64>)>);

impl ErrorCurve {
    pub fn of(lines: usize) -> Self {
        Self(vec![Default::default(); lines])
    }
    /// A point of a line; an error that is no number leaves a gap.
    pub fn push(&mut self, line: usize, evaluations: u64, error: f64) {
        if error.is_finite() {
            self.0[line].0.push(evaluations as f64);
            self.0[line].1.push(error.clamp(1e-6, 1e3));
        }
    }
    /// The error of a line at so many evaluations.
    pub fn at(&self, line: usize, evaluations: f64) -> Option<f64> {
        let (xs, ys) = &self.0[line];
        xs.iter().position(|n| *n == evaluations).map(|i| ys[i])
    }
    pub fn view(&self, names: impl Iterator<Item = (&'static str, Role)>, x: (f64, f64)) -> ViewData {
        let line =
            |((name, role), (xs, ys)): (_, &(Vec<f64>, Vec<f64>))| Series::dotted(name, role, xs.clone(), ys.clone());
        error_lines(names.zip(&self.0).map(line).collect(), x, (0.1, 0.5))
    }
}
