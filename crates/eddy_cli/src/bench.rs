//! `eddy bench`: speeds of this machine, side by side with peers in the same run.
//!
//! A figure of one machine says little; a ratio measured in one run says more. `--browser` measures the same functions in
//! Chromium, `--peers` runs `benches/peers/peers.py` (JAX, exponax) if its Python packages are installed.

use std::{path::Path, process::Command};

use clap::Args as ClapArgs;
use eddy_experiments::{benches, spec::EddyError};
use serde_json::{Value, json};

#[derive(ClapArgs)]
pub struct Args {
    /// Measure in headless Chromium too (needs the built page and node packages).
    #[arg(long)]
    browser: bool,
    /// Run the Python peers too, with this interpreter: pip install -r benches/peers/requirements.txt
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, default_missing_value = "python3")]
    peers: Option<String>,
    /// Only benchmarks whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Print JSON: an array of {name, what, native, browser, peer, peer_seconds}, in seconds.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<i32, EddyError> {
    let wanted = |name: &str| args.only.as_deref().is_none_or(|o| name.contains(o));
    // Peers and browser run before and after the native measurements, never beside them.
    let peers = match &args.peers {
        Some(python) => json_lines(Command::new(python).arg("benches/peers/peers.py"), "the Python peers")?,
        None => Vec::new(),
    };
    let mut rows = Vec::new();
    for b in benches().iter().filter(|b| wanted(b.name)) {
        if !args.json {
            eprintln!("measuring {} …", b.name);
        }
        rows.push((b, (b.run)()));
    }
    let browser = if args.browser {
        let script = Path::new("benches/browser/bench.mjs");
        json_lines(Command::new("node").arg(script).args(args.only.iter()), "the browser benchmark")?
    } else {
        Vec::new()
    };

    let seconds_of =
        |rows: &[Value], name: &str| rows.iter().find(|r| r["name"] == name).and_then(|r| r["seconds"].as_f64());
    let mut out = Vec::new();
    if !args.json {
        println!("{:<26} {:>11} {:>11} {:>11}  {:>9} {:>9}", "", "native", "Chromium", "peer", "nat/peer", "chr/peer");
    }
    for (b, native) in &rows {
        let (chromium, peer) = (seconds_of(&browser, b.name), seconds_of(&peers, b.name));
        if args.json {
            let who = peers.iter().find(|r| r["name"] == b.name).map(|r| r["peer"].clone());
            out.push(json!({ "name": b.name, "what": b.what, "native": native, "browser": chromium, "peer": who, "peer_seconds": peer }));
        } else {
            let ratio = |a: Option<f64>| match (a, peer) {
                (Some(a), Some(p)) => format!("{:.2} ×", a / p),
                _ => String::new(),
            };
            let ms = |s: Option<f64>| s.map_or(String::new(), |s| format!("{:.3} ms", s * 1e3));
            println!(
                "{:<26} {:>11} {:>11} {:>11}  {:>9} {:>9}  {}",
                b.name,
                ms(Some(*native)),
                ms(chromium),
                ms(peer),
                ratio(Some(*native)),
                ratio(chromium),
                b.what
            );
        }
    }
    for row in browser.iter().filter(|r| !rows.iter().any(|(b, _)| r["name"] == b.name)) {
        // Measurements that exist in the browser alone (burn in the learn bundle).
        if args.json {
            out.push(json!({ "name": row["name"], "what": row["what"], "browser": row["seconds"] }));
        } else {
            let ms = row["seconds"].as_f64().unwrap_or(f64::NAN) * 1e3;
            println!(
                "{:<26} {:>11} {:>11}  {}",
                row["name"].as_str().unwrap_or("?"),
                "",
                format!("{ms:.3} ms"),
                row["what"].as_str().unwrap_or("")
            );
        }
    }
    if args.json {
        println!("{}", Value::Array(out));
    }
    Ok(0)
}

/// Runs a program that prints a JSON object per line.
fn json_lines(command: &mut Command, what: &str) -> Result<Vec<Value>, EddyError> {
    let output = command.output().map_err(|e| {
        EddyError::new("bench", format!("Could not start {what} ({e}). See “eddy bench --help” for what it needs."))
    })?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let last = why.trim().lines().last().unwrap_or("no message").to_owned();
        return Err(EddyError::new(
            "bench",
            format!("{what} failed; see “eddy bench --help” for what it needs. It said: {last}"),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(|l| serde_json::from_str(l).ok()).collect())
}
