//! The catalogue as data: `catalog.json` for the page, and the list of papers.

use std::sync::OnceLock;

use eddy_spec::{Bound, Cost};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Entry, SOURCES, entries};

/// A catalogue file as text.
pub struct Source {
    pub id: &'static str,
    /// The wasm bundle that holds it.
    pub bundle: &'static str,
    /// Its introduction in Markdown with `$LaTeX$`.
    pub intro: &'static str,
    /// Path in the repository.
    pub file: &'static str,
    pub code: &'static str,
}

/// A paper of the list. Whether it has an experiment is derived, never written here.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Paper {
    pub number: u32,
    pub id: String,
    pub title: String,
    pub family: String,
    /// What it is about, in one line.
    pub line: String,
}

/// The project's list of papers.
pub fn papers() -> &'static [Paper] {
    static PAPERS: OnceLock<Vec<Paper>> = OnceLock::new();
    PAPERS.get_or_init(|| {
        include_str!("../papers.jsonl")
            .lines()
            .filter(|l| !l.trim().is_empty())
            .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("papers.jsonl: {e}: {l}")))
            .collect()
    })
}

/// Everything static that the page needs: experiments with their parameter tables, metrics, views, claims and sources,
/// and the papers with the experiments that cover them.
pub fn catalog_json() -> Value {
    let experiments: Vec<Value> = entries().iter().map(experiment).collect();
    let papers: Vec<Value> = papers()
        .iter()
        .map(|p| {
            let live: Vec<&str> =
                entries().iter().filter(|e| e.papers.iter().any(|c| c.number == p.number)).map(|e| e.id).collect();
            json!({ "number": p.number, "id": p.id, "title": p.title, "family": p.family, "line": p.line, "experiments": live })
        })
        .collect();
    json!({ "version": env!("CARGO_PKG_VERSION"), "experiments": experiments, "papers": papers })
}

fn experiment(e: &Entry) -> Value {
    let source = SOURCES.iter().find(|s| s.id == e.id).expect("build.rs lists both alike");
    let claim = e.claim.as_ref().map(|c| {
        let tests: Vec<Value> =
            c.tests.iter().map(|t| json!({ "label": t.label, "bound": t.bound, "unit": t.unit })).collect();
        json!({
            "sentence": c.sentence, "arms": c.arms, "seeds": c.seeds, "tests": tests, "cost": c.cost,
            "counter": c.counter,
        })
    });
    json!({
        "id": e.id,
        "title": e.title,
        "summary": e.summary,
        "intro": source.intro,
        "lab": e.lab.key(),
        "labLabel": e.lab.label(),
        "family": e.family(),
        "papers": e.papers,
        "bibtex": e.papers.iter().map(|p| p.bibtex()).collect::<String>(),
        "axis": e.axis,
        "metrics": e.metrics,
        "views": e.views,
        "params": e.table,
        "baseline": e.baseline.map(|b| json!({ "label": b.label, "change": b.change })),
        "claim": claim,
        "devices": e.devices.iter().map(|d| d.key()).collect::<Vec<_>>(),
        "cost": e.cost,
        "bundle": source.bundle,
        "file": source.file,
        "code": source.code,
    })
}

/// `eddy list --json`: one object per experiment.
pub fn list_json() -> Value {
    entries()
        .iter()
        .map(|e| {
            json!({
                "id": e.id,
                "title": e.title,
                "lab": e.lab.key(),
                "family": e.family(),
                "papers": e.papers.iter().map(|p| p.number).filter(|n| *n > 0).collect::<Vec<_>>(),
                "devices": e.devices.iter().map(|d| d.key()).collect::<Vec<_>>(),
                "cost": match e.cost { Cost::Cheap => "cheap", Cost::Slow => "slow" },
                "permalink": e.id,
            })
        })
        .collect()
}

/// A bound in words: "≤ 0.5 ×".
pub fn bound_text(bound: Bound, unit: &str) -> String {
    let (sign, limit) = match bound {
        Bound::AtMost(l) => ("≤", l),
        Bound::AtLeast(l) => ("≥", l),
    };
    format!("{sign} {limit} {unit}").trim_end().to_owned()
}
