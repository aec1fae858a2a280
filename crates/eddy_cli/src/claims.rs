//! `eddy claims`: the verdict on every claim.

use clap::Args as ClapArgs;
use eddy_experiments::{
    Budget, ClaimCheck, Entry, bound_text, entries,
    spec::{Cost, EddyError, Verdict},
};
use serde_json::{Value, json};

use crate::{
    device::{DeviceOption, Devices, PrecisionOption},
    run::progress_bar,
};

#[derive(ClapArgs)]
pub struct Args {
    /// Check only these experiments.
    #[arg(long)]
    id: Vec<String>,
    /// Check only this family of papers.
    #[arg(long)]
    family: Option<String>,
    /// Check the claims that take minutes too. Without it they are listed as not checked (unless named by --id).
    #[arg(long)]
    slow: bool,
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceOption,
    #[arg(long, value_enum, default_value = "f64")]
    precision: PrecisionOption,
    /// Check at this seed instead of the claim's own; may be repeated.
    #[arg(long)]
    seed: Vec<u32>,
    /// Print JSON: an array of {id, claim, held, measured, expected, seeds, seconds, device, counter_held}.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<i32, EddyError> {
    for id in &args.id {
        eddy_experiments::entry(id)?;
    }
    let devices = Devices::new(args.device, args.precision)?;
    let chosen: Vec<&'static Entry> = entries()
        .iter()
        .filter(|e| e.claim.is_some())
        .filter(|e| args.id.is_empty() || args.id.iter().any(|i| i == e.id))
        .filter(|e| args.family.as_deref().is_none_or(|f| f == e.family()))
        .collect();
    if chosen.is_empty() {
        return Err(EddyError::new(
            "claims-none",
            "No claim matches. “eddy list” shows the experiments and which have one.",
        ));
    }
    let (mut rows, mut failed, mut left_out) = (Vec::new(), 0, Vec::new());
    for entry in chosen {
        let claim = entry.claim.as_ref().expect("filtered above");
        if claim.cost == Cost::Slow && !args.slow && args.id.is_empty() {
            left_out.push(entry.id);
            continue;
        }
        let verdict = check(entry, args, &devices)?;
        let counter_ok = verdict.counter_held == Some(false);
        if !verdict.held || !counter_ok {
            failed += 1;
        }
        if args.json {
            rows.push(as_json(entry, &verdict));
        } else {
            print(entry, &verdict);
        }
    }
    if args.json {
        println!("{}", Value::Array(rows));
    } else if !left_out.is_empty() {
        println!("not checked (minutes each; add --slow): {}", left_out.join(", "));
    }
    Ok(i32::from(failed > 0))
}

fn check(entry: &'static Entry, args: &Args, devices: &Devices) -> Result<Verdict, EddyError> {
    let seeds = (!args.seed.is_empty()).then(|| args.seed.clone());
    let mut check = ClaimCheck::new(entry, devices.context(entry), seeds, true)?;
    let bar = progress_bar(args.json);
    loop {
        let done = pollster::block_on(check.advance(Budget::seconds(0.5)))?;
        let progress = check.progress();
        bar.set_position((progress.fraction * 1000.0) as u64);
        bar.set_message(format!("{} · {}", entry.id, progress.doing));
        if done {
            bar.finish_and_clear();
            return check.verdict().ok_or_else(|| EddyError::internal("A finished check has no verdict."));
        }
    }
}

fn as_json(entry: &Entry, verdict: &Verdict) -> Value {
    let claim = entry.claim.as_ref().expect("only entries with a claim are checked");
    let measured: Value =
        verdict.tests.iter().map(|t| json!({ "label": t.label, "value": t.measured, "held": t.held })).collect();
    let expected: Value =
        verdict.tests.iter().map(|t| json!({ "label": t.label, "bound": bound_text(t.bound, &t.unit) })).collect();
    json!({
        "id": entry.id, "claim": claim.sentence, "held": verdict.held, "measured": measured, "expected": expected,
        "seeds": verdict.seeds, "seconds": verdict.seconds, "device": verdict.device, "counter_held": verdict.counter_held,
    })
}

fn print(entry: &Entry, verdict: &Verdict) {
    let claim = entry.claim.as_ref().expect("only entries with a claim are checked");
    let papers: Vec<String> = entry.papers.iter().filter(|p| p.number > 0).map(|p| format!("[{}]", p.number)).collect();
    let word = if verdict.held { "held" } else { "DID NOT HOLD" };
    println!("{} {} · {word} · {:.1} s · {}", entry.id, papers.join(" "), verdict.seconds, verdict.device);
    println!("  {}", claim.sentence);
    for t in &verdict.tests {
        let measured = t.measured.map_or("not measured".to_owned(), |v| format!("{v:.4} {}", t.unit));
        let mark = if t.held { "✓" } else { "✗" };
        println!("  {mark} {}: {} (claimed {})", t.label, measured.trim_end(), bound_text(t.bound, &t.unit));
    }
    match verdict.counter_held {
        Some(false) => println!("  counter-setting fails as it must: {}", claim.counter.why),
        Some(true) => println!("  ✗ THE COUNTER-SETTING HELD, so the check proves nothing: {}", claim.counter.why),
        None => {}
    }
    if verdict.seeds.len() > 1 {
        println!("  seeds {:?}", verdict.seeds);
    }
}
