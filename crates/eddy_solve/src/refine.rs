//! The refinement study: the same run with shorter steps and finer grids, and the orders that it shows.
//!
//! Three runs with h, h/2, h/4 differ by e₁ = |u_h - u_h/2| and e₂ = |u_h/2 - u_h/4|; their ratio is 2^p for a method at work
//! at its order p, with no exact solution needed, and e₂ / (2^p - 1) estimates what is left in the finest run.

use serde::Serialize;

use crate::{
    error::SolveError,
    problem::{AxisText, Number, Problem},
    simulation::{Outcome, Simulation},
    statement::Statement,
};

/// What one series of three runs found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Study {
    /// Step lengths, or spacings along x.
    pub sizes: [f64; 3],
    /// Root mean square differences of neighbouring runs over the size of the solution.
    pub differences: [f64; 2],
    /// log₂ of their ratio; NaN where differences are at rounding.
    pub order: f64,
    /// Estimated error of the first run.
    pub error: f64,
    /// What to make of it.
    pub note: String,
}

/// Both studies. `None` with the reason in the other's note where a study makes no sense.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Refinement {
    pub time: Option<Study>,
    pub space: Option<Study>,
}

/// Which part of the study a run belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Time,
    Space,
}

struct Job {
    part: Part,
    size: f64,
    problem: Problem,
    /// Every how many points of this grid lie on the first one.
    stride: usize,
}

/// The study in slices: a page can show progress and cancel.
pub struct Refiner {
    jobs: Vec<Job>,
    done: usize,
    running: Option<Box<Simulation<f64>>>,
    /// Values of all fields at the points of the first grid, by job.
    results: Vec<Vec<f64>>,
    end: f64,
}

/// Differences below this are rounding.
const ROUNDING: f64 = 1e-12;
/// Points of the finest grid, at most.
const MAX_POINTS: usize = 1 << 20;

impl Refiner {
    /// For a problem until `end`, starting with step `dt` (of a run that was seen to work) in the method of `method`, which
    /// must take steps of a given length.
    pub fn new(problem: &Problem, method: (&str, &str), dt: f64, end: f64) -> Result<Self, SolveError> {
        let (space, time) = method;
        let mut base = problem.clone();
        base.time.end = Some(Number::Value(end));
        base.time.save_every = None;
        base.time.max_steps = Some(5_000_000);
        base.method.space = if space == "none" { "auto".into() } else { space.into() };
        let statement = Statement::new(base.clone())?;
        if statement.system.noise_channels > 0 {
            return Err(SolveError::value(
                "equations",
                "with noise each run is another path: a refinement study has no meaning",
            ));
        }
        let start = statement.start;
        base.time.save_every = Some(Number::Value((end - start).max(f64::MIN_POSITIVE)));
        let mut jobs = Vec::new();
        // What the first run of the page used may be longer than the interval here.
        let dt = dt.min((end - start) / 4.0);
        for level in 0..3 {
            let mut problem = base.clone();
            let size = dt / f64::from(1 << level);
            problem.time.dt = Some(Number::Value(size));
            problem.time.tolerance = None;
            problem.method.time = time.into();
            jobs.push(Job { part: Part::Time, size, problem, stride: 1 });
        }
        let grid = &statement.grid;
        let is_random =
            problem.initial.values().any(|value| matches!(value, Number::Text(text) if text.contains("rand")));
        let finest: usize =
            grid.axes.iter().map(|axis| if axis.is_periodic { 4 * axis.points } else { 4 * axis.points - 3 }).product();
        if grid.dimension() > 0 && finest <= MAX_POINTS && !is_random {
            for level in 0..3u32 {
                let mut problem = base.clone();
                let factor = 1usize << level;
                let texts = [&mut problem.domain.x, &mut problem.domain.y, &mut problem.domain.z];
                for (text, axis) in texts.into_iter().zip(&grid.axes) {
                    if let Some(AxisText { points, .. }) = text {
                        let count =
                            if axis.is_periodic { axis.points * factor } else { (axis.points - 1) * factor + 1 };
                        *points = count as u32;
                    }
                }
                problem.time.dt = None;
                problem.time.tolerance = Some(Number::Value(1e-9));
                problem.method.time = "auto".into();
                let size = grid.axes[0].spacing() / factor as f64;
                jobs.push(Job { part: Part::Space, size, problem, stride: factor });
            }
        }
        Ok(Self { jobs, done: 0, running: None, results: Vec::new(), end })
    }

    /// Done part in [0, 1].
    pub fn fraction(&self) -> f64 {
        self.done as f64 / self.jobs.len().max(1) as f64
    }

    /// Goes on until `go_on` says no. Returns whether all is done.
    pub fn advance(&mut self, mut go_on: impl FnMut() -> bool) -> Result<bool, SolveError> {
        while self.done < self.jobs.len() {
            let job = &self.jobs[self.done];
            let simulation = match &mut self.running {
                Some(simulation) => simulation,
                None => {
                    let statement = Statement::new(job.problem.clone())?;
                    self.running.insert(Box::new(Simulation::<f64>::new(statement)?))
                }
            };
            let reached = simulation.advance(self.end, &mut go_on);
            if !reached && simulation.outcome == Outcome::Running {
                return Ok(false);
            }
            let values = if reached { sampled(simulation, job.stride) } else { Vec::new() };
            self.results.push(values);
            self.running = None;
            self.done += 1;
            if !go_on() {
                return Ok(self.done == self.jobs.len());
            }
        }
        Ok(true)
    }

    /// What was found, once all is done.
    pub fn result(&self) -> Refinement {
        Refinement { time: self.study(Part::Time), space: self.study(Part::Space) }
    }

    fn study(&self, part: Part) -> Option<Study> {
        let runs: Vec<(f64, &Vec<f64>)> = self
            .jobs
            .iter()
            .zip(&self.results)
            .filter(|(job, _)| job.part == part)
            .map(|(job, values)| (job.size, values))
            .collect();
        let [a, b, c] = runs[..] else { return None };
        let sizes = [a.0, b.0, c.0];
        if runs.iter().any(|(_, values)| values.is_empty()) {
            let note = "One of the runs blew up: the step is beyond the stability limit of the method.".to_string();
            return Some(Study { sizes, differences: [f64::NAN; 2], order: f64::NAN, error: f64::NAN, note });
        }
        let norm = |values: &mut dyn Iterator<Item = f64>| -> f64 {
            let (sum, count) = values.fold((0.0, 0usize), |(s, n), v| (s + v * v, n + 1));
            (sum / count.max(1) as f64).sqrt()
        };
        let size = norm(&mut c.1.iter().copied()).max(f64::MIN_POSITIVE);
        let difference = |x: &[f64], y: &[f64]| norm(&mut x.iter().zip(y).map(|(x, y)| x - y)) / size;
        let differences = [difference(a.1, b.1), difference(b.1, c.1)];
        let order = if differences[1] > ROUNDING { (differences[0] / differences[1]).log2() } else { f64::NAN };
        let error =
            if order.is_finite() && order > 0.0 { differences[0] / (1.0 - 0.5f64.powf(order)) } else { differences[0] };
        let note = if differences[0] <= ROUNDING * 10.0 {
            "All three runs agree to rounding.".to_string()
        } else if order.is_nan() {
            "The finer runs agree to rounding: the error falls faster than any power here.".to_string()
        } else if order < 0.5 {
            "The differences do not shrink: not yet fine enough, or the solution is not smooth or is chaotic."
                .to_string()
        } else {
            format!("The error falls like the power {order:.2}; about {error:.1e} of the solution's size is left.")
        };
        Some(Study { sizes, differences, order, error, note })
    }
}

/// All fields at every `stride`-th point along each axis.
fn sampled(simulation: &mut Simulation<f64>, stride: usize) -> Vec<f64> {
    let [nx, ny, nz] = simulation.statement.grid.shape();
    let step = |n: usize| if n == 1 { 1 } else { stride };
    let mut all = Vec::new();
    for values in simulation.values() {
        for part in [&values.re, &values.im] {
            if part.is_empty() {
                continue;
            }
            for z in (0..nz).step_by(step(nz)) {
                for y in (0..ny).step_by(step(ny)) {
                    for x in (0..nx).step_by(step(nx)) {
                        all.push(part[(z * ny + y) * nx + x]);
                    }
                }
            }
        }
    }
    all
}
