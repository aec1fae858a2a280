//! `eddy sample`: a sampler from a file to its samples.

mod measured;
mod npy;
#[cfg(test)]
mod official;
mod options;
mod own;
mod schedule;
mod spec;
mod target;
mod toml_reader;

use std::{path::PathBuf, time::Instant};

use clap::Args as ClapArgs;
use eddy_experiments::{
    labs::sampler::{
        diffusion::{
            Batch, Denoiser, DiffusionError, Lane, MixtureModel, Node, Sampler, Status, Thresholded,
            methods::named::{DC_SOLVER, DPM_SOLVER_V3, MR_SAMPLER, PFGM_PP, SAMPLERS, Setup, USF},
            poisson_flow::PoissonFlow,
        },
        rng::{Philox, Stream},
    },
    spec::EddyError,
};
use serde_json::json;

use self::{spec::Spec, toml_reader::refused};
use crate::{device::PrecisionOption, file_error, npz::NpzWriter};

#[derive(ClapArgs)]
pub struct Args {
    /// File (TOML): target, schedule, sampler, run; see docs/sample.md.
    #[arg(required_unless_present = "list")]
    spec: Option<PathBuf>,
    /// Write x0, x_T and evaluations as a NumPy archive.
    #[arg(long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// Add the states at all times (xs, ts) to the archive.
    #[arg(long)]
    trajectory: bool,
    /// Number format, instead of the file's.
    #[arg(long, value_enum)]
    precision: Option<PrecisionOption>,
    /// Seed, instead of the file's.
    #[arg(long)]
    seed: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// List the samplers.
    #[arg(long)]
    list: bool,
}

pub fn run(args: &Args) -> Result<i32, EddyError> {
    let Some(path) = args.spec.as_ref().filter(|_| !args.list) else {
        list(args.json);
        return Ok(0);
    };
    let text = std::fs::read_to_string(path).map_err(|e| file_error("read the file", path, &e))?;
    let mut spec = Spec::parse(&text)?;
    if let Some(seed) = args.seed {
        spec.seed = seed;
    }
    if let Some(precision) = args.precision {
        spec.double = precision != PrecisionOption::F32;
    }
    spec.beside(path);
    let start = start(&spec)?;
    if spec.double { sample::<f64>(args, &spec, &start) } else { sample::<f32>(args, &spec, &start) }
}

fn list(json: bool) {
    if json {
        let all: Vec<_> =
            SAMPLERS.iter().map(|s| json!({ "name": s.name, "about": s.about, "options": s.options })).collect();
        println!("{}", json!(all));
        return;
    }
    for s in SAMPLERS {
        let options = if s.options.is_empty() { String::new() } else { format!("  [{}]", s.options.join(", ")) };
        println!("{:<22} {}{options}", s.name, s.about);
    }
}

/// The points to start from: those of the file's array, or noise of the first time's level.
fn start(spec: &Spec) -> Result<Batch<f64>, EddyError> {
    let dim = spec.mixture.dim();
    if let Some(noise) = &spec.noise {
        let array = npy::read("run.noise", noise)?;
        if array.columns != dim {
            let what = format!("the array has {} columns and the target {dim} dimensions", array.columns);
            return Err(refused("run.noise", what));
        }
        if let Some(samples) = spec.samples.filter(|n| *n != array.rows) {
            let what = format!(
                "{samples} are asked for, but the array of run.noise has {} rows; leave samples out",
                array.rows
            );
            return Err(refused("run.samples", what));
        }
        if array.rows == 0 {
            return Err(refused("run.noise", "the array has no rows"));
        }
        return Ok(Batch::from_points(dim, &array.data));
    }
    let sd = spec.schedule.prior_sd(setup(spec)?.grid[0].t);
    if spec.sampler.name == PFGM_PP {
        let (len, rng) = (spec.samples.unwrap_or(1024), Philox::new(spec.seed));
        return Ok(PoissonFlow::prior(dim, len, spec.options.extra_dimensions, sd, &rng));
    }
    let noise = Batch::normal(dim, spec.samples.unwrap_or(1024), sd, &Philox::new(spec.seed), Stream::Prior, 0);
    Ok(about_mean(spec, &noise, 1.0))
}

/// An error of the set-up with the key that causes it.
fn unfit(spec: &Spec, error: &DiffusionError) -> EddyError {
    use eddy_experiments::labs::sampler::diffusion::methods::named::{Options, Times};
    let is_zero = spec.options.append_zero && {
        let options = Options { append_zero: false, ..spec.options };
        spec.sampler.setup(&*spec.schedule, &spec.times, &options).is_ok()
    };
    let key = match (error, &spec.times) {
        _ if is_zero => "sampler.append_zero",
        (DiffusionError::Evaluations { .. } | DiffusionError::NoSteps, Times::Spaced { .. }) => "sampler.evaluations",
        (DiffusionError::Span { .. } | DiffusionError::Ends { .. }, Times::Spaced { start, .. })
            if spec.schedule.alpha(*start) == 0.0 =>
        {
            "schedule.t_start"
        }
        (_, Times::Spaced { .. }) => "schedule.t_end",
        (_, Times::Given(_)) => "sampler.times",
    };
    refused(key, error)
}

fn sample<T: Lane>(args: &Args, spec: &Spec, start: &Batch<f64>) -> Result<i32, EddyError> {
    let started = Instant::now();
    let run = execute::<T>(args.trajectory, spec, start)?;
    report(args, spec, start, &run, started.elapsed().as_secs_f64())
}

/// The whole run, from the points `start`.
fn execute<T: Lane>(trajectory: bool, spec: &Spec, start: &Batch<f64>) -> Result<Trace, EddyError> {
    let centred = about_mean(spec, start, -1.0);
    let mut run = match spec.sampler.name {
        PFGM_PP => {
            let flow = PoissonFlow::new(spec.mixture.clone(), spec.options.extra_dimensions);
            trace::<T>(trajectory, spec, &centred, setup(spec)?, &mut flow.map_err(|e| refused("sampler.D", e))?)?
        }
        DPM_SOLVER_V3 => measured::trace(trajectory, spec, &centred, &mut *model(spec)?)?,
        DC_SOLVER => own::compensated(trajectory, spec, &centred, &mut *model(spec)?)?,
        USF => own::searched(trajectory, spec, &centred, &mut *model(spec)?)?,
        MR_SAMPLER => own::mean_reverting(trajectory, spec, &centred)?,
        _ => trace::<T>(trajectory, spec, &centred, setup(spec)?, &mut *model(spec)?)?,
    };
    if let Some(mean) = &spec.mean {
        let move_back = |points: &mut Vec<f64>| {
            points.iter_mut().enumerate().for_each(|(k, v)| *v += mean[k % mean.len()]);
        };
        move_back(&mut run.x0);
        run.states.iter_mut().for_each(move_back);
    }
    Ok(run)
}

/// The points moved by `sign` times the mean of the process.
fn about_mean(spec: &Spec, x: &Batch<f64>, sign: f64) -> Batch<f64> {
    let mut out = x.clone();
    for (d, m) in spec.mean.iter().flatten().enumerate() {
        out.coordinate_mut(d).iter_mut().for_each(|v| *v += sign * m);
    }
    out
}

/// The exact model of the target with the guidance and the threshold of the file.
fn model<T: Lane>(spec: &Spec) -> Result<Box<dyn Denoiser<T>>, EddyError> {
    let mut model = MixtureModel::<T>::new(spec.mixture.clone());
    if let Some(guidance) = spec.guidance {
        model = model.with_guidance(guidance).map_err(|e| refused("guidance.class", e))?;
    }
    Ok(match spec.threshold {
        None => Box::new(model),
        Some(threshold) => Box::new(Thresholded { model, threshold }),
    })
}

fn setup(spec: &Spec) -> Result<Setup, EddyError> {
    spec.sampler.setup(&*spec.schedule, &spec.times, &spec.options).map_err(|e| unfit(spec, &e))
}

/// Writes and prints what a run left.
fn report(args: &Args, spec: &Spec, start: &Batch<f64>, run: &Trace, seconds: f64) -> Result<i32, EddyError> {
    let outcome = match run.status {
        _ if run.non_finite > 0 => "diverged",
        Status::Finished | Status::Running => "finished",
        Status::OutOfEvaluations => "out-of-evaluations",
        Status::Stuck => "stuck",
    };
    let mut meta = json!({
        "sampler": spec.sampler.name, "method": run.method, "schedule": spec.schedule_name, "steps": run.steps,
        "evaluations": run.evaluations, "samples": start.len(), "dimensions": start.dim(), "seed": spec.seed,
        "t_start": run.times.first(), "t_end": run.end, "stochastic": run.stochastic, "non_finite": run.non_finite,
        "outcome": outcome, "seconds": seconds, "precision": if spec.double { "f64" } else { "f32" }, "device": "cpu",
    });
    if let Some(evaluations) = run.measurement {
        let name = if spec.sampler.name == DPM_SOLVER_V3 { "statistics_evaluations" } else { "search_evaluations" };
        meta[name] = evaluations.into();
    }
    if let Some(found) = &run.found {
        meta["found"] = found.clone();
    }
    if let Some(path) = &args.out {
        let mut npz = NpzWriter::create(path)?;
        let shape = [start.len() as u64, start.dim() as u64];
        let mut write = |name: &str, shape: &[u64], data: &[f64]| {
            if spec.double {
                npz.f64(name, shape, data)
            } else {
                let single: Vec<f32> = data.iter().map(|v| *v as f32).collect();
                npz.f32(name, shape, &single)
            }
        };
        write("x0", &shape, &run.x0)?;
        write("x_T", &shape, &start.to_points())?;
        if args.trajectory {
            write("xs", &[run.times.len() as u64, shape[0], shape[1]], &run.states.concat())?;
        }
        if args.trajectory {
            npz.f64("ts", &[run.times.len() as u64], &run.times)?;
        }
        for (name, shape, data) in &run.arrays {
            npz.f64(name, shape, data)?;
        }
        npz.i64("evaluations", run.evaluations as i64)?;
        npz.text("meta", &meta.to_string())?;
        npz.finish()?;
    }
    if args.json {
        println!("{meta}");
    } else {
        println!(
            "{} on {}: {} samples in {} dimensions, {} steps, {} evaluations in {seconds:.3} s",
            run.method,
            spec.schedule_name,
            start.len(),
            start.dim(),
            run.steps,
            run.evaluations
        );
        match outcome {
            "finished" => {}
            "diverged" => println!(
                "diverged: {} of them are not finite; use more evaluations, or guidance of less scale",
                run.non_finite
            ),
            "out-of-evaluations" => {
                println!("stopped at t = {}: the evaluations were used up; allow more or raise the tolerance", run.end)
            }
            _ => println!("stopped at t = {}: the steps became too short; raise the tolerance", run.end),
        }
        if let Some(path) = &args.out {
            println!("written: {}", path.display());
        }
    }
    Ok(i32::from(outcome != "finished"))
}

/// What a run left.
struct Trace {
    method: &'static str,
    stochastic: bool,
    steps: usize,
    evaluations: u64,
    status: Status,
    non_finite: usize,
    end: f64,
    x0: Vec<f64>,
    /// Times and states of the accepted steps, the start first.
    times: Vec<f64>,
    states: Vec<Vec<f64>>,
    /// Evaluations of a measurement of the model before the run, where there was one.
    measurement: Option<u64>,
    /// What was fitted or searched.
    found: Option<serde_json::Value>,
    /// Arrays of it: name, shape, numbers.
    arrays: Vec<(&'static str, Vec<u64>, Vec<f64>)>,
}

/// Runs a method from `start` to its end.
fn trace<T: Lane>(
    trajectory: bool,
    spec: &Spec,
    start: &Batch<f64>,
    setup: Setup,
    model: &mut dyn Denoiser<T>,
) -> Result<Trace, EddyError> {
    let (method, stochastic) = (setup.method.name(), setup.method.is_stochastic());
    let first = setup.grid[0];
    let x = start.cast::<T>();
    let mut times = vec![first.t];
    let mut states = if trajectory { vec![x.to_points()] } else { Vec::new() };
    let mut sampler = Sampler::new(spec.schedule.clone(), setup.method, &setup.grid, x, Philox::new(spec.seed));
    if let Some(limit) = setup.limit {
        sampler = sampler.with_limit(limit);
    }
    while let Some(step) = sampler.step(model) {
        if !step.accepted {
            continue;
        }
        if let (Some(corrected), Some(last)) = (sampler.corrected(), states.last_mut()) {
            *last = corrected.to_points();
        }
        if step.from.t == step.to.t {
            // A correction of the last state only.
            continue;
        }
        times.push(step.to.t);
        if trajectory {
            states.push(sampler.x().to_points());
        }
    }
    let mut end: Node = sampler.node();
    let mut x = sampler.x().clone();
    if spec.to_zero && sampler.status() == Status::Finished && end.sigma > 0.0 {
        let mut clean = x.clone();
        model.data(&x, &end, &mut clean);
        x = clean;
        end.t = 0.0;
        times.push(0.0);
        if trajectory {
            states.push(x.to_points());
        }
    }
    Ok(Trace {
        method,
        stochastic,
        steps: sampler.steps_done(),
        evaluations: model.evaluations(),
        status: sampler.status(),
        non_finite: x.non_finite(),
        end: end.t,
        x0: x.to_points(),
        times,
        states,
        measurement: None,
        found: None,
        arrays: Vec::new(),
    })
}
