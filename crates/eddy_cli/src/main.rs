//! The native binary `eddy`: list · run · claims · solve · sample · train · bench · serve.
//!
//! Exit status: 0 when all went well, 1 when a claim did not hold or a run diverged, 2 on an error.

mod bench;
mod claims;
mod device;
mod npz;
mod run;
mod sample;
mod serve;
#[cfg(feature = "equations")]
mod solve;
#[cfg(feature = "learn")]
mod train;

use clap::{Parser, Subcommand};
use eddy_experiments::spec::EddyError;

/// Differential equations, networks and samplers, with the claims of their papers checked on the spot.
#[derive(Parser)]
#[command(name = "eddy", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the experiments.
    List {
        /// Print JSON: an array of {id, title, lab, family, papers, devices, cost, permalink}.
        #[arg(long)]
        json: bool,
    },
    /// Run an experiment to its end and print its metrics.
    Run(run::Args),
    /// Check what the papers claim.
    Claims(claims::Args),
    /// Measure speeds, side by side with a peer where there is one.
    Bench(bench::Args),
    /// Solve a typed system of equations from a problem file.
    #[cfg(feature = "equations")]
    Solve(solve::Args),
    /// Run a diffusion or flow sampler from a file.
    Sample(sample::Args),
    /// Train a model that Eddy ships.
    #[cfg(feature = "learn")]
    Train(train::Args),
    /// Serve the built page.
    Serve(serve::Args),
}

fn main() {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::List { json } => {
            list(json);
            Ok(0)
        }
        Command::Run(args) => run::run(&args),
        Command::Claims(args) => claims::run(&args),
        Command::Bench(args) => bench::run(&args),
        #[cfg(feature = "equations")]
        Command::Solve(args) => solve::run(&args),
        Command::Sample(args) => sample::run(&args),
        #[cfg(feature = "learn")]
        Command::Train(args) => train::run(&args),
        Command::Serve(args) => serve::run(&args),
    };
    match result {
        Ok(status) => std::process::exit(status),
        Err(e) => {
            eprintln!("eddy: {}", e.message);
            std::process::exit(2);
        }
    }
}

fn list(json: bool) {
    if json {
        println!("{}", eddy_experiments::list_json());
        return;
    }
    for e in eddy_experiments::entries() {
        let papers: Vec<String> = e.papers.iter().filter(|p| p.number > 0).map(|p| format!("[{}]", p.number)).collect();
        let claim = if e.claim.is_some() { "claim" } else { "" };
        println!("{:<22} {:<9} {:<8} {:<6} {}", e.id, e.lab.key(), papers.join(" "), claim, e.title);
    }
}

/// Prints the error of a file operation as one of ours.
pub(crate) fn file_error(doing: &str, path: &std::path::Path, e: &std::io::Error) -> EddyError {
    EddyError::new("file", format!("Could not {doing} ({e}): {}", path.display()))
}
