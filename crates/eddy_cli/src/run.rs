//! `eddy run`: one experiment to its end.

use std::{path::PathBuf, time::Instant};

use clap::Args as ClapArgs;
use eddy_experiments::{
    Budget, Session,
    spec::{EddyError, Outcome, Setting, ViewData},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::{
    device::{DeviceOption, Devices, PrecisionOption},
    file_error,
    npz::NpzWriter,
};

#[derive(ClapArgs)]
pub struct Args {
    /// Experiment or permalink, such as deis or "deis?evaluations=20".
    permalink: String,
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceOption,
    /// Number format on the CPU; the GPU computes in f32.
    #[arg(long, value_enum, default_value = "f64")]
    precision: PrecisionOption,
    /// Seed, instead of the permalink's.
    #[arg(long)]
    seed: Option<u32>,
    /// Stop after this many steps.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write the metrics and the final contents of every view as a NumPy archive.
    #[arg(long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// Start from the trained parameters in this file, as --save-weights or the page has saved them.
    #[arg(long, value_name = "FILE.safetensors")]
    weights: Option<PathBuf>,
    /// Write the trained parameters.
    #[arg(long, value_name = "FILE.safetensors")]
    save_weights: Option<PathBuf>,
    /// Write a Python script (JAX) of the same training instead of running it, where the experiment has one.
    #[arg(long, value_name = "FILE.py")]
    script: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<i32, EddyError> {
    let setting = Setting::parse(&args.permalink)?;
    let entry = eddy_experiments::entry(&setting.id)?;
    let devices = Devices::new(args.device, args.precision)?;
    let (mut session, errors) = Session::open(&args.permalink, devices.context(entry))?;
    // On a page a bad value falls back to its default and is shown at its control; a command must not compute
    // something else than it was asked for.
    if let Some(e) = errors.into_iter().next() {
        return Err(e.into());
    }
    if let Some(seed) = args.seed {
        session.set("seed", &seed.to_string())?;
    }

    if let Some(path) = &args.script {
        let text = session.script()?.ok_or_else(|| {
            EddyError::new("script", format!("“{}” writes no script; “typed-pinn” does.", entry.title))
        })?;
        std::fs::write(path, text).map_err(|e| file_error("write the script", path, &e))?;
        println!("written: {}", path.display());
        return Ok(0);
    }
    if let Some(path) = &args.weights {
        let file = std::fs::read(path).map_err(|e| file_error("read the weights", path, &e))?;
        session.set_weights(&file)?;
    }

    let bar = progress_bar(args.json);
    let started = Instant::now();
    while session.run().outcome().is_running() {
        let done = session.run().progress();
        let left = args.steps.map_or(u64::MAX, |s| s.saturating_sub(done.steps));
        if left == 0 {
            break;
        }
        pollster::block_on(session.advance(Budget { seconds: 0.25, steps: left }))?;
        let done = session.run().progress();
        bar.set_position((done.fraction.clamp(0.0, 1.0) * 1000.0) as u64);
        bar.set_message(format!("{} steps", done.steps));
    }
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();

    let outcome = session.run().outcome();
    let progress = session.run().progress();
    let metrics: Map<String, Value> =
        session.run().record().latest_named().into_iter().map(|(k, v)| (k, json!(v))).collect();
    let meta = json!({
        "id": entry.id, "permalink": session.permalink(), "outcome": outcome, "steps": progress.steps,
        "position": progress.position, "metrics": metrics, "seconds": seconds,
        "device": session.device(), "remarks": session.run().remarks(),
    });
    if let Some(path) = &args.out {
        let mut npz = NpzWriter::create(path)?;
        write_record(&mut npz, &session)?;
        for view in entry.views {
            let data = pollster::block_on(session.run_mut().view(view.key))?;
            write_view(&mut npz, view.key, &data)?;
        }
        npz.text("meta", &meta.to_string())?;
        npz.finish()?;
    }
    if let Some(path) = &args.save_weights {
        let file = session.weights().ok_or_else(|| {
            EddyError::new("weights", format!("“{}” trains no network; leave out --save-weights.", entry.title))
        })?;
        std::fs::write(path, file).map_err(|e| file_error("write the weights", path, &e))?;
    }
    if args.json {
        println!("{meta}");
    } else {
        println!("{} · {} · {} steps in {seconds:.2} s", session.permalink(), session.device(), progress.steps);
        for m in entry.metrics {
            println!("  {:<28} {:>14.6e} {}", m.axis.label, session.run().record().latest(m.key), m.axis.unit);
        }
        session.run().remarks().iter().for_each(|remark| println!("  note: {remark}"));
        if let Outcome::Diverged { step, cause, advice, .. } = &outcome {
            println!("diverged at step {step}: {cause} {advice}");
        }
        for path in [&args.out, &args.save_weights].into_iter().flatten() {
            println!("written: {}", path.display());
        }
    }
    Ok(i32::from(matches!(outcome, Outcome::Diverged { .. })))
}

/// A bar on stderr with the time left; none when the output is no terminal or is to be read by a program.
pub fn progress_bar(quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(1000), target).with_style(style)
}

fn write_record(npz: &mut NpzWriter, session: &Session) -> Result<(), EddyError> {
    let record = session.run().record();
    let (n, width) = (record.x().len(), record.keys().len());
    npz.f64("axis", &[n as u64], record.x())?;
    for (i, key) in record.keys().iter().enumerate() {
        let column: Vec<f64> = (0..n).map(|row| record.rows()[row * width + i]).collect();
        npz.f64(&format!("metric_{key}"), &[n as u64], &column)?;
    }
    Ok(())
}

fn write_view(npz: &mut NpzWriter, key: &str, data: &ViewData) -> Result<(), EddyError> {
    match data {
        ViewData::Field { nx, ny, data, x, y, .. } => {
            npz.f32(key, &[*ny as u64, *nx as u64], data)?;
            npz.f64(&format!("{key}_extent"), &[4], &[x.0, x.1, y.0, y.1])
        }
        ViewData::Volume { shape: [nx, ny, nz], data, x, y, z, .. } => {
            npz.f32(key, &[*nz as u64, *ny as u64, *nx as u64], data)?;
            npz.f64(&format!("{key}_extent"), &[6], &[x.0, x.1, y.0, y.1, z.0, z.1])
        }
        ViewData::Lines { series, .. } => {
            for (i, s) in series.iter().enumerate() {
                npz.f64(&format!("{key}_{i}_x"), &[s.xs.len() as u64], &s.xs)?;
                npz.f64(&format!("{key}_{i}_y"), &[s.ys.len() as u64], &s.ys)?;
            }
            let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
            npz.text(&format!("{key}_names"), &json!(names).to_string())
        }
        ViewData::Points { positions, values, .. } => {
            npz.f32(key, &[positions.len() as u64 / 2, 2], positions)?;
            npz.f32(&format!("{key}_values"), &[values.len() as u64], values)
        }
        ViewData::Mesh { positions, values, triangles, .. } => {
            npz.f32(key, &[positions.len() as u64 / 2, 2], positions)?;
            npz.f32(&format!("{key}_values"), &[values.len() as u64], values)?;
            let indices: Vec<f64> = triangles.iter().map(|index| f64::from(*index)).collect();
            npz.f64(&format!("{key}_triangles"), &[triangles.len() as u64 / 3, 3], &indices)
        }
        ViewData::Empty => Ok(()),
    }
}
