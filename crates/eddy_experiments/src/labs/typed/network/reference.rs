//! The solution that the network is measured against: a run of the solver on the same system.

use std::time::Duration;

use eddy_expr::kernel::Part;
use eddy_solve::{Outcome, Simulation, Statement, grid::Axis, problem::Number};
use eddy_spec::EddyError;
use web_time::Instant;

use super::{
    candidate::{Candidate, Output},
    collocation::{Solution, Steady},
};

/// Longest time the solver may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Values between which a coarser solution is interpolated, and the tolerance of its steps.
const NEAREST: i64 = 8;
const LOOSE: f64 = 1e-5;
/// Points along an axis at most, by dimension.
const MOST: [usize; 4] = [1, 128, 48, 24];
/// The same of three axes and time.
const MOST_IN_TIME: usize = 16;

/// Values on part of the solver's grid at some times.
pub struct Reference {
    pub times: Vec<f64>,
    /// Points along each axis that are kept.
    pub axes: Vec<Vec<f64>>,
    /// By output, then [time][z][y][x].
    pub values: Vec<Vec<f64>>,
    /// [point][input], in that order.
    pub points: Vec<f64>,
    /// Largest magnitude, by output.
    pub sizes: Vec<f64>,
    /// Standard deviation over all points, by output.
    pub deviations: Vec<f64>,
    /// Its own relative error, where it is known: the distance from a solution with less effort.
    pub error: Option<f64>,
}

/// Where values are kept.
struct Layout {
    times: Vec<f64>,
    axes: Vec<Vec<f64>>,
    /// Indices on the solver's grid.
    places: Vec<[usize; 3]>,
    points: Vec<f64>,
}

impl Layout {
    fn new(statement: &Statement, candidate: &Candidate) -> Self {
        let rows = match (candidate.has_time, statement.grid.dimension()) {
            (false, _) => 1,
            (true, 0) => 201,
            (true, 1) => 41,
            (true, _) => 6,
        };
        let length = statement.end - statement.start;
        let times: Vec<f64> =
            (0..rows).map(|row| statement.start + length * row as f64 / (rows.max(2) - 1) as f64).collect();
        let grid = &statement.grid;
        let most = if candidate.has_time && grid.dimension() == 3 { MOST_IN_TIME } else { MOST[grid.dimension()] };
        let kept: Vec<Vec<usize>> =
            grid.axes.iter().map(|axis| (0..axis.points).step_by(axis.points.div_ceil(most)).collect()).collect();
        let axes: Vec<Vec<f64>> = grid
            .axes
            .iter()
            .zip(&kept)
            .map(|(axis, kept)| {
                let all = axis.coordinates();
                kept.iter().map(|index| all[*index]).collect()
            })
            .collect();
        let range = |axis: usize| kept.get(axis).cloned().unwrap_or_else(|| vec![0]);
        let mut places = Vec::new();
        for z in range(2) {
            for y in range(1) {
                for x in range(0) {
                    places.push([x, y, z]);
                }
            }
        }
        let mut points = Vec::new();
        for time in &times {
            for place in &places {
                points.extend(grid.axes.iter().zip(place).map(|(axis, index)| axis.at(*index)));
                points.extend(candidate.has_time.then_some(*time));
            }
        }
        Self { times, axes, places, points }
    }
}

impl Reference {
    /// By the lab's solver.
    pub fn new(statement: &Statement, candidate: &Candidate) -> Result<Self, EddyError> {
        let refused = |e: eddy_solve::SolveError| EddyError::start(e.to_string()).at("equations");
        let mut simulation = Simulation::<f64>::new(statement.clone()).map_err(refused)?;
        let layout = Layout::new(statement, candidate);
        let shape = statement.grid.shape();
        let mut values = vec![Vec::new(); candidate.outputs.len()];
        let begun = Instant::now();
        for time in &layout.times {
            if *time > simulation.time && !simulation.advance(*time, || begun.elapsed() < PATIENCE) {
                return Err(stopped(&simulation));
            }
            for (part, values) in present(&mut simulation, candidate)?.iter().zip(&mut values) {
                values.extend(layout.places.iter().map(|[x, y, z]| part[(z * shape[1] + y) * shape[0] + x]));
            }
        }
        let error = coarser(statement, candidate, &layout, &values);
        Ok(Self { error, ..Self::of(layout, values) })
    }

    /// By collocation; with it what else solves the problem, and the numbers that were unknown.
    pub fn steady(problem: &Steady<'_>, is_eigen: bool) -> Result<(Self, Solution), EddyError> {
        let layout = Layout::new(problem.statement, problem.candidate);
        let solution = problem.solve(&layout.points, is_eigen)?;
        let reference = Self { error: Some(solution.error), ..Self::of(layout, solution.values.clone()) };
        Ok((reference, solution))
    }

    fn of(layout: Layout, values: Vec<Vec<f64>>) -> Self {
        let largest = |values: &Vec<f64>| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let sizes = values.iter().map(largest).collect();
        let deviation = |values: &Vec<f64>| {
            let mean = super::mean(values);
            (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64).sqrt()
        };
        let deviations = values.iter().map(deviation).collect();
        Self { times: layout.times, axes: layout.axes, values, points: layout.points, sizes, deviations, error: None }
    }

    /// Points at one time.
    pub fn per_time(&self) -> usize {
        self.axes.iter().map(Vec::len).product()
    }
}

/// What the solver has now, by output.
fn present(simulation: &mut Simulation<f64>, candidate: &Candidate) -> Result<Vec<Vec<f64>>, EddyError> {
    let mut fields = simulation.values();
    let variables = &simulation.statement.system.variables;
    let of = |output: &Output| {
        let name = &variables[usize::from(output.variable)].name;
        let Some(field) = fields.iter_mut().find(|field| field.name == *name) else {
            return Err(EddyError::start(format!("The solver has no values of {name}.")).at("equations"));
        };
        Ok(std::mem::take(if output.part == Part::Real { &mut field.re } else { &mut field.im }))
    };
    candidate.outputs.iter().map(of).collect()
}

/// The same problem with half of the points along each axis, and looser steps in time.
fn with_less_effort(statement: &Statement) -> Option<Statement> {
    let mut problem = statement.problem.clone();
    let texts = [&mut problem.domain.x, &mut problem.domain.y, &mut problem.domain.z];
    for (text, axis) in texts.into_iter().zip(&statement.grid.axes) {
        text.as_mut()?.points = (axis.points / 2).max(8) as u32;
    }
    problem.time.dt = None;
    problem.time.tolerance = Some(Number::Value(LOOSE));
    Statement::new(problem).ok()
}

/// Relative distance, root mean square over everything, from what the solver finds [`with_less_effort`]; the largest of all
/// outputs. It is that solution's error rather than ours, so ours is less where the method converges.
fn coarser(statement: &Statement, candidate: &Candidate, layout: &Layout, values: &[Vec<f64>]) -> Option<f64> {
    let less = with_less_effort(statement)?;
    let rows: Vec<Vec<Weights>> = (statement.grid.axes.iter().zip(&less.grid.axes).zip(&layout.axes))
        .map(|((_, axis), kept)| kept.iter().map(|x| weights(axis, *x)).collect())
        .collect();
    let shape = less.grid.shape();
    let mut simulation = Simulation::<f64>::new(less).ok()?;
    let begun = Instant::now();
    let mut sums = vec![(0.0, 0.0); candidate.outputs.len()];
    let per = values.first()?.len() / layout.times.len();
    let one = || vec![vec![(0, 1.0)]];
    let along = |axis: usize| rows.get(axis).cloned().unwrap_or_else(one);
    let [xs, ys, zs] = &[along(0), along(1), along(2)];
    for (row, time) in layout.times.iter().enumerate() {
        if *time > simulation.time && !simulation.advance(*time, || begun.elapsed() < PATIENCE / 2) {
            return None;
        }
        for ((part, own), sums) in present(&mut simulation, candidate).ok()?.iter().zip(values).zip(&mut sums) {
            let places = zs.iter().flat_map(|z| ys.iter().flat_map(move |y| xs.iter().map(move |x| (x, y, z))));
            for ((x, y, z), own) in places.zip(&own[row * per..]) {
                let mut there = 0.0;
                for (k, c) in z {
                    for (j, b) in y {
                        let line = &part[(k * shape[1] + j) * shape[0]..];
                        there += c * b * x.iter().map(|(i, a)| a * line[*i]).sum::<f64>();
                    }
                }
                sums.0 += (there - own) * (there - own);
                sums.1 += own * own;
            }
        }
    }
    let worst = sums.iter().filter(|(_, size)| *size > 0.0).map(|(gap, size)| (gap / size).sqrt()).fold(0.0, f64::max);
    worst.is_finite().then_some(worst)
}

/// Indices along an axis with their factors.
type Weights = Vec<(usize, f64)>;

/// By which the nearest values of an axis give that at `x`: the polynomial through them.
fn weights(axis: &Axis, x: f64) -> Weights {
    let all = axis.coordinates();
    let (n, period) = (all.len() as i64, axis.length());
    let at = |i: i64| match axis.is_periodic {
        true => all[i.rem_euclid(n) as usize] + period * i.div_euclid(n) as f64,
        false => all[i as usize],
    };
    let after = all.partition_point(|other| *other < x) as i64;
    let count = NEAREST.min(n);
    let first = after - count / 2;
    let first = if axis.is_periodic { first } else { first.clamp(0, n - count) };
    let places: Vec<i64> = (first..first + count).collect();
    let factor = |i: i64| {
        let others = places.iter().filter(|j| **j != i);
        others.map(|j| (x - at(*j)) / (at(i) - at(*j))).product::<f64>()
    };
    places.iter().map(|i| (i.rem_euclid(n) as usize, factor(*i))).collect()
}

fn stopped(simulation: &Simulation<f64>) -> EddyError {
    let at = simulation.time;
    match &simulation.outcome {
        Outcome::Diverged { cause, advice, .. } => EddyError::start(format!(
            "The solver, which the network is compared with, stopped at t = {at:.4}: {cause}. What helps: {advice}."
        ))
        .at("end"),
        _ => EddyError::start(format!(
            "The solver, which the network is compared with, only came to t = {at:.4} in {} s. Take an earlier end or fewer \
             points.",
            PATIENCE.as_secs()
        ))
        .at("end"),
    }
}
