//! `eddy solve`: a typed system from a problem file to its saved states.

use std::{path::PathBuf, time::Instant};

use clap::Args as ClapArgs;
use eddy_experiments::spec::EddyError;
use eddy_solve::{Outcome, Problem, Simulation, SolveError, Statement, evaluate::Scalar};
use serde_json::{Value, json};

mod device;

use device::Solver;

use crate::{
    device::{DeviceOption, PrecisionOption},
    file_error,
    npz::NpzWriter,
    run::progress_bar,
};

#[derive(ClapArgs)]
pub struct Args {
    /// Problem file (TOML): equations, domain, boundary, initial, parameters, time, method.
    problem: PathBuf,
    /// Write times, coordinates and all fields as a NumPy archive.
    #[arg(long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceOption,
    /// Number format, instead of the file's.
    #[arg(long, value_enum)]
    precision: Option<PrecisionOption>,
    /// Seed, instead of the file's.
    #[arg(long)]
    seed: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write a Python script of the same problem (NumPy, Fourier, classical Runge-Kutta) instead of solving it.
    #[arg(long, value_name = "FILE.py")]
    numpy: Option<PathBuf>,
}

/// One saved variable: all states after each other.
struct Column {
    name: String,
    re: Vec<f64>,
    im: Vec<f64>,
}

pub fn run(args: &Args) -> Result<i32, EddyError> {
    let text = std::fs::read_to_string(&args.problem).map_err(|e| file_error("read the problem", &args.problem, &e))?;
    let mut problem = Problem::parse(&text).map_err(refused)?;
    if let Some(seed) = args.seed {
        problem.method.seed = seed;
    }
    if let Some(precision) = args.precision {
        problem.method.precision = if precision == PrecisionOption::F32 { "f32" } else { "f64" }.into();
    }
    let precision = problem.method.precision.clone();
    let statement = Statement::new(problem).map_err(refused)?;
    if let Some(path) = &args.numpy {
        let simulation = Simulation::<f64>::new(statement.clone()).map_err(refused)?;
        let script = eddy_solve::listing::numpy(&statement, &simulation.choice.limits).map_err(refused)?;
        std::fs::write(path, script).map_err(|e| file_error("write the script", path, &e))?;
        println!("written: {}", path.display());
        return Ok(0);
    }
    // Without a GPU scheme the CPU solves it, and the reason is among the warnings.
    let mut refusal = None;
    if args.device != DeviceOption::Cpu {
        let wants_double = args.precision == Some(PrecisionOption::F64);
        let found = if wants_double { Err("The GPU computes in f32.".into()) } else { device::scheme(&statement) };
        match found {
            Ok((gpu, scheme)) => {
                let simulation = Simulation::<f32>::new(scheme.statement.clone()).map_err(refused)?;
                return solve(args, Solver::on_gpu(&gpu, scheme, simulation)?);
            }
            Err(why) => refusal = Some(format!("Solved on the CPU. {why}")),
        }
    }
    match precision.as_str() {
        "f64" => solve(args, Solver::<f64>::on_cpu(statement, refusal)?),
        "f32" => solve(args, Solver::<f32>::on_cpu(statement, refusal)?),
        other => {
            Err(refused(SolveError::value("method.precision", format!("there is no `{other}`; choose f64 or f32"))))
        }
    }
}

fn refused(error: SolveError) -> EddyError {
    EddyError::new(error.code(), error.to_string())
}

/// Most numbers that one archive holds: 4 GiB, all of it in memory until it is written.
const MAX_SAVED: usize = 1 << 29;

/// Refuses an archive that would not fit, with the distance of saved states that would.
fn check_size(statement: &Statement) -> Result<(), SolveError> {
    let arrays: usize = statement.system.variables.iter().map(|variable| 1 + usize::from(variable.is_complex)).sum();
    let state = statement.grid.points().saturating_mul(arrays);
    let saves = statement.saves.len();
    if state.saturating_mul(saves) <= MAX_SAVED {
        return Ok(());
    }
    // The start and an odd end are saved too, and the advice is rounded.
    let intervals = (MAX_SAVED / state.max(1)).max(4) - 3;
    Err(SolveError::value(
        "time.save_every",
        format!(
            "{saves} states of {state} numbers each would be saved, {} GiB; 4 GiB are the most. save_every = {:.3e} would fit",
            state.saturating_mul(saves) >> 27,
            (statement.end - statement.start) / intervals as f64,
        ),
    ))
}

fn solve<R: Scalar>(args: &Args, mut solver: Solver<R>) -> Result<i32, EddyError> {
    let started = Instant::now();
    let simulation = &mut solver.simulation;
    if args.out.is_some() {
        check_size(&simulation.statement).map_err(refused)?;
    }
    let (start, end) = (simulation.statement.start, simulation.statement.end);
    let bar = progress_bar(args.json);
    let mut times = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    for save in simulation.statement.saves.clone() {
        let mut shown = Instant::now();
        let mut at = simulation.time;
        let mut reached = simulation.time >= save;
        while !reached && simulation.outcome == Outcome::Running {
            reached = match &mut solver.device {
                Some(device) => device.advance(simulation, save)?,
                None => simulation.advance(save, || shown.elapsed().as_millis() < 200),
            };
            shown = Instant::now();
            at = simulation.time.max(at);
            bar.set_position((1000.0 * (at - start) / (end - start).max(f64::MIN_POSITIVE)) as u64);
            bar.set_message(format!("t = {at:.4}"));
        }
        if !reached {
            break;
        }
        times.push(save);
        for (index, values) in simulation.values().into_iter().enumerate() {
            if columns.len() <= index {
                columns.push(Column { name: values.name.clone(), re: Vec::new(), im: Vec::new() });
            }
            if args.out.is_none() {
                // The last state alone is shown.
                columns[index].re.clear();
                columns[index].im.clear();
            }
            columns[index].re.extend(values.re);
            columns[index].im.extend(values.im);
        }
    }
    bar.finish_and_clear();
    if simulation.outcome == Outcome::Running {
        simulation.outcome = Outcome::Finished;
    }
    let seconds = started.elapsed().as_secs_f64();
    let errors: serde_json::Map<String, Value> =
        simulation.errors().into_iter().map(|(name, error)| (name, json!(error))).collect();
    let (steps, rejected) =
        solver.device.as_ref().map_or_else(|| simulation.steps(), |device| (device.system.steps(), 0));
    let dt = solver.device.as_ref().map_or_else(|| simulation.dt(), |device| device.system.dt());
    let device = solver.device.as_ref().map_or("cpu", |device| device.name.as_str());
    let choice = &simulation.choice;
    let meta = json!({
        "space": choice.space, "time": simulation.method(), "dt": dt, "steps": steps, "rejected": rejected,
        "seconds": seconds, "outcome": outcome_name(&simulation.outcome), "ending": simulation.outcome,
        "warnings": simulation.warnings, "reasons": choice.reasons, "tolerance": choice.tolerance, "limits": choice.limits,
        "precision": if size_of::<R>() == 4 { "f32" } else { "f64" }, "device": device,
        "parameters": parameters(&simulation.statement), "errors": errors,
    });
    if let Some(path) = &args.out {
        let mut npz = NpzWriter::create(path)?;
        npz.f64("t", &[times.len() as u64], &times)?;
        let grid = &simulation.statement.grid;
        for (name, axis) in ["x", "y", "z"].iter().zip(&grid.axes) {
            npz.f64(name, &[axis.points as u64], &axis.coordinates())?;
        }
        let mut shape = vec![times.len() as u64];
        shape.extend(grid.axes.iter().rev().map(|axis| axis.points as u64));
        for column in &columns {
            if column.im.is_empty() {
                npz.f64(&column.name, &shape, &column.re)?;
            } else {
                npz.complex(&column.name, &shape, &column.re, &column.im)?;
            }
        }
        npz.text("meta", &meta.to_string())?;
        npz.finish()?;
    }
    if args.json {
        println!("{meta}");
    } else {
        println!(
            "space {}, time {}, {steps} steps ({rejected} rejected) in {seconds:.2} s",
            choice.space,
            simulation.method()
        );
        choice.reasons.iter().for_each(|reason| println!("  {reason}"));
        simulation.warnings.iter().for_each(|warning| println!("  note: {warning}"));
        for column in &columns {
            let last = &column.re[column.re.len() - simulation.statement.grid.points()..];
            let (low, high) = last.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
            println!("  {:<12} {low:>14.6e} … {high:<14.6e} at t = {}", column.name, times.last().unwrap_or(&start));
        }
        errors.iter().for_each(|(name, error)| println!("  {name:<12} differs from the exact solution by {error}"));
        match &simulation.outcome {
            Outcome::Diverged { time, cause, advice } => println!("stopped at t = {time}: {cause}; {advice}"),
            Outcome::StepLimit { time, advice } => println!("stopped at t = {time}: {advice}"),
            _ => {}
        }
        if let Some(path) = &args.out {
            println!("written: {}", path.display());
        }
    }
    Ok(i32::from(simulation.outcome != Outcome::Finished))
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Running => "running",
        Outcome::Finished => "finished",
        Outcome::Diverged { .. } => "diverged",
        Outcome::StepLimit { .. } => "step-limit",
    }
}

fn parameters(statement: &Statement) -> Value {
    statement
        .system
        .parameters
        .iter()
        .zip(&statement.parameters)
        .map(|(parameter, value)| (parameter.name.clone(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_that_would_not_fit_is_refused_with_one_that_would() {
        let heat = |save_every: &str| {
            let text = format!(
                "equations = \"u_t = lap(u)\"\n[domain]\nx = {{ max = 1, points = 4096 }}\ny = {{ max = 1, points = 4096 }}\n\
                 [time]\nend = 1\n{save_every}"
            );
            check_size(&Statement::new(Problem::parse(&text).unwrap()).unwrap())
        };
        let message = heat("").unwrap_err().to_string();
        assert!(message.contains("101 states") && message.contains("12 GiB"), "{message}");
        let advice = message.split("save_every = ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(heat(&format!("save_every = {advice}")).is_ok(), "{advice}");
    }
}
