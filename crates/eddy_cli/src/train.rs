//! `eddy train`: the models that Eddy ships, trained again from nothing but the repository.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clap::{Args as ClapArgs, Subcommand};
use eddy_experiments::spec::EddyError;
use eddy_learn::{
    Engine, LearnError,
    image::{Classifier, Condition, Metadata, Options, Training, parameter_count},
};

use crate::{file_error, run::progress_bar};

#[derive(ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    model: Model,
}

#[derive(Subcommand)]
enum Model {
    /// Train the image model on pictures drawn by Eddy. Equal arguments give equal bytes on one kind of processor.
    Image(ImageArgs),
}

#[derive(ClapArgs)]
struct ImageArgs {
    /// Training steps.
    #[arg(long, default_value_t = 6000)]
    steps: usize,
    /// Seed of the first weights, the pictures and the noise.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Pictures per step.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 2e-3)]
    rate: f64,
    /// Training steps of the classifier whose features compare samples with pictures. With --resume it is trained
    /// already; give the number again, for the command that the checkpoint notes.
    #[arg(long, default_value_t = 2000)]
    classifier_steps: usize,
    /// Where the checkpoint goes: safetensors in half precision.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where the state of the training goes every 500 steps and at the end, in single precision.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Go on with the training whose --state this is; its options then count, not those given here.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Stop after this many steps of the whole, as if interrupted.
    #[arg(long, value_name = "STEPS")]
    until: Option<usize>,
    /// Print one JSON object at the end and no progress.
    #[arg(long)]
    json: bool,
}

/// Steps between two lines of losses, and between two savings of the state.
const REPORT_EVERY: usize = 100;
const SAVE_EVERY: usize = 500;

pub fn run(args: &Args) -> Result<i32, EddyError> {
    match &args.model {
        Model::Image(args) => image(args),
    }
}

fn eddy_error(error: LearnError) -> EddyError {
    EddyError::new(error.code(), error.to_string())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), EddyError> {
    std::fs::write(path, bytes).map_err(|e| file_error("write the checkpoint", path, &e))
}

fn image(args: &ImageArgs) -> Result<i32, EddyError> {
    let (engine, started) = (Engine::cpu(), Instant::now());
    let bar = progress_bar(args.json);
    let mut training = match &args.resume {
        Some(path) => {
            let state = std::fs::read(path).map_err(|e| file_error("read the state", path, &e))?;
            Training::resume(&state, engine.clone()).map_err(eddy_error)?
        }
        None => {
            let mut done = 0;
            let classifier = pollster::block_on(Classifier::train(args.seed, args.classifier_steps, &engine, |loss| {
                done += 1;
                bar.set_position((1000 * done / args.classifier_steps.max(1)) as u64);
                bar.set_message(format!("classifier, step {done}, loss {loss:.4}"));
            }))
            .map_err(eddy_error)?;
            let options = Options {
                steps: args.steps,
                seed: args.seed,
                batch: args.batch,
                learning_rate: args.rate,
                only: Condition::default(),
            };
            Training::new(options, classifier, engine.clone()).map_err(eddy_error)?
        }
    };
    let options = *training.options();
    let end = args.until.map_or(options.steps, |until| until.min(options.steps));
    while training.steps_done() < end {
        let done = training.steps_done();
        let steps = (REPORT_EVERY - done % REPORT_EVERY).min(end - done);
        let losses = pollster::block_on(training.advance(steps)).map_err(eddy_error)?;
        let (done, mean) = (training.steps_done(), losses.iter().sum::<f64>() / losses.len().max(1) as f64);
        if !mean.is_finite() {
            bar.finish_and_clear();
            eprintln!("The loss is no longer finite at step {done}. Lower --rate and train again.");
            return Ok(1);
        }
        bar.set_position((1000 * done / options.steps) as u64);
        bar.set_message(format!("step {done}, loss {mean:.4}"));
        if !args.json {
            bar.suspend(|| println!("step {done:>6}  loss {mean:.5}"));
        }
        if let Some(path) = args.state.as_ref().filter(|_| done.is_multiple_of(SAVE_EVERY) || done == end) {
            write(path, &training.state())?;
        }
    }
    bar.finish_and_clear();

    let done = training.steps_done();
    let cut = if done < options.steps { format!(" --until {done}") } else { String::new() };
    let model = training.model();
    let held_out = pollster::block_on(model.held_out_loss(&engine)).map_err(eddy_error)?;
    let metadata = Metadata::from(
        [
            ("format", "eddy image model 1".to_owned()),
            ("origin", "Trained by Eddy on pictures that Eddy draws; no other data.".to_owned()),
            // What is equal to a default too, so that the command stays true when defaults change.
            (
                "command",
                format!(
                    "eddy train image --steps {} --seed {} --batch {} --rate {} --classifier-steps {}{cut}",
                    options.steps, options.seed, options.batch, options.learning_rate, args.classifier_steps
                ),
            ),
            ("seed", options.seed.to_string()),
            ("steps", done.to_string()),
            ("held_out_loss", format!("{held_out:.5}")),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let file = model.to_bytes(&metadata);
    write(&args.out, &file)?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        println!(
            "{}",
            serde_json::json!({
                "steps": training.steps_done(), "loss": training.latest_loss(), "held_out_loss": held_out,
                "parameters": parameter_count(), "bytes": file.len(), "seconds": seconds,
            })
        );
    } else {
        println!(
            "{} weights, {} steps, held-out loss {held_out:.5}, {seconds:.1} s",
            parameter_count(),
            training.steps_done()
        );
        println!("written: {} ({} kB)", args.out.display(), file.len() / 1000);
    }
    Ok(0)
}
