//! The solution that the network is measured against: a run of the solver on the same system.

use std::time::Duration;

use eddy_expr::kernel::Part;
use eddy_solve::{Outcome, Simulation, Statement};
use eddy_spec::EddyError;
use web_time::Instant;

use super::candidate::Candidate;

/// Longest time the solver may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Points along an axis at most, by dimension.
const MOST: [usize; 4] = [1, 128, 48, 24];

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
}

impl Reference {
    pub fn new(statement: &Statement, candidate: &Candidate) -> Result<Self, EddyError> {
        let refused = |e: eddy_solve::SolveError| EddyError::start(e.to_string()).at("equations");
        let mut simulation = Simulation::<f64>::new(statement.clone()).map_err(refused)?;
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
        let kept: Vec<Vec<usize>> = grid
            .axes
            .iter()
            .map(|axis| (0..axis.points).step_by(axis.points.div_ceil(MOST[grid.dimension()])).collect())
            .collect();
        let axes: Vec<Vec<f64>> = grid
            .axes
            .iter()
            .zip(&kept)
            .map(|(axis, kept)| {
                let all = axis.coordinates();
                kept.iter().map(|index| all[*index]).collect()
            })
            .collect();
        let shape = grid.shape();
        let range = |axis: usize| kept.get(axis).cloned().unwrap_or_else(|| vec![0]);
        let mut places = Vec::new();
        for z in range(2) {
            for y in range(1) {
                for x in range(0) {
                    places.push([x, y, z]);
                }
            }
        }
        let mut values = vec![Vec::new(); candidate.outputs.len()];
        let mut points = Vec::new();
        let begun = Instant::now();
        for time in &times {
            if *time > simulation.time && !simulation.advance(*time, || begun.elapsed() < PATIENCE) {
                return Err(stopped(&simulation));
            }
            let fields = simulation.values();
            for (output, values) in candidate.outputs.iter().zip(&mut values) {
                let name = &statement.system.variables[usize::from(output.variable)].name;
                let Some(field) = fields.iter().find(|field| field.name == *name) else {
                    return Err(EddyError::start(format!("The solver has no values of {name}.")).at("equations"));
                };
                let part = if output.part == Part::Real { &field.re } else { &field.im };
                values.extend(places.iter().map(|[x, y, z]| part[(z * shape[1] + y) * shape[0] + x]));
            }
            for place in &places {
                points.extend(grid.axes.iter().zip(place).map(|(axis, index)| axis.at(*index)));
                points.extend(candidate.has_time.then_some(*time));
            }
        }
        let largest = |values: &Vec<f64>| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let sizes = values.iter().map(largest).collect();
        let deviation = |values: &Vec<f64>| {
            let mean = super::mean(values);
            (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64).sqrt()
        };
        let deviations = values.iter().map(deviation).collect();
        Ok(Self { times, axes, values, points, sizes, deviations })
    }

    /// Points at one time.
    pub fn per_time(&self) -> usize {
        self.axes.iter().map(Vec::len).product()
    }
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
