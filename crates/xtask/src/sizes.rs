//! Compressed sizes of what a visitor downloads, against their budgets.

use crate::bundle::{BUNDLES, Bundle};
use crate::pkg::BUILD_RECORD;
use crate::{Failure, at, workspace_root};
use flate2::{Compression, write::GzEncoder};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// JavaScript that the page loads before any WebAssembly, gzipped.
const PAGE_BUDGET: usize = 155_000;

/// What is over its budget although it should not be, and the size it must not pass meanwhile. An entry that is within its
/// budget again fails the check, so that the list stays true.
const KNOWN_OVER: &[(&str, usize)] = &[];

struct Row {
    name: String,
    raw: usize,
    gzipped: usize,
    budget: usize,
}

impl Row {
    fn is_over(&self) -> bool {
        self.gzipped > self.budget
    }
}

pub fn run(names: &[&str]) -> Result<(), Failure> {
    let all: Vec<&str> = BUNDLES.iter().map(|bundle| bundle.name).chain(["page"]).collect();
    let wanted = if names.is_empty() { &all[..] } else { names };
    let root = workspace_root();
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for &name in wanted {
        let row = if name == "page" {
            page_row(&root.join("web/dist"))
        } else if let Some(bundle) = Bundle::by_name(name) {
            bundle_row(&root.join("pkg/dist"), bundle)
        } else {
            return Err(format!("no size named `{name}`; there are {}", all.join(", ")));
        };
        match row {
            Ok(row) => rows.push(row),
            Err(why) => failures.push(why),
        }
    }
    print!("{}", table(&rows));
    failures.extend(rows.iter().filter_map(|row| complaint(row, KNOWN_OVER)));
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n       ")) }
}

/// Why a size fails the check, if it does.
fn complaint(row: &Row, known_over: &[(&str, usize)]) -> Option<Failure> {
    let ceiling = known_over.iter().find(|(name, _)| *name == row.name).map(|(_, ceiling)| *ceiling);
    match (row.is_over(), ceiling) {
        (true, Some(ceiling)) if row.gzipped <= ceiling => None,
        (true, _) => Some(format!("{} is {} bytes over its budget", row.name, row.gzipped - row.budget)),
        (false, Some(_)) => Some(format!("{} is within its budget again; take it out of KNOWN_OVER", row.name)),
        (false, None) => None,
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<10} {:>12} {:>12} {:>12} {:>6}\n", "", "bytes", "gzipped", "budget", "used");
    for row in rows {
        let used = 100.0 * row.gzipped as f64 / row.budget as f64;
        let mark = if row.is_over() { "  OVER" } else { "" };
        text +=
            &format!("{:<10} {:>12} {:>12} {:>12} {used:>5.0}%{mark}\n", row.name, row.raw, row.gzipped, row.budget);
    }
    text
}

/// Module and glue of one bundle.
fn bundle_row(dist: &Path, bundle: Bundle) -> Result<Row, Failure> {
    let folder = dist.join(bundle.name);
    let build = format!("run `cargo run -p xtask -- pkg --bundle {}`", bundle.name);
    let record_path = folder.join(BUILD_RECORD);
    let record = std::fs::read_to_string(&record_path)
        .map_err(|_| format!("the {} bundle is not built; {build}", bundle.name))?;
    let record: serde_json::Value =
        serde_json::from_str(&record).map_err(|error| format!("{}: {error}; {build}", record_path.display()))?;
    if record["profile"] != bundle.profile || record["wasm_opt"] != bundle.wasm_opt.join(" ") {
        return Err(format!("the {} bundle was built with --fast, its size says nothing; {build}", bundle.name));
    }
    let files = [folder.join("eddy_bg.wasm"), folder.join("eddy.js")];
    row(bundle.name, &files, bundle.budget)
}

/// The scripts that the page's HTML starts with, with everything they import statically.
/// What is behind `import()` or in a worker's own file is loaded later, or beside the page, and is not counted
/// unless the HTML preloads it.
fn page_row(dist: &Path) -> Result<Row, Failure> {
    let html_path = dist.join("index.html");
    let html = std::fs::read_to_string(&html_path)
        .map_err(|error| format!("{}: {error}; run `./eddy build`", html_path.display()))?;
    let mut queue: Vec<PathBuf> =
        scripts_of_html(&html).iter().map(|path| dist.join(path.trim_start_matches('/'))).collect();
    if queue.is_empty() {
        return Err(format!("{} loads no script, so there is nothing to measure", html_path.display()));
    }
    let mut files = BTreeSet::new();
    while let Some(path) = queue.pop() {
        let path = path.canonicalize().map_err(at(&path))?;
        if !files.insert(path.clone()) {
            continue;
        }
        let source = std::fs::read_to_string(&path).map_err(at(&path))?;
        let folder = path.parent().unwrap_or(dist);
        queue.extend(static_imports(&source).iter().map(|import| folder.join(import)));
    }
    row("page", &files.into_iter().collect::<Vec<_>>(), PAGE_BUDGET)
}

fn row(name: &str, files: &[PathBuf], budget: usize) -> Result<Row, Failure> {
    let (mut raw, mut gzipped) = (0, 0);
    for path in files {
        let bytes = std::fs::read(path).map_err(at(path))?;
        raw += bytes.len();
        gzipped += gzipped_size(&bytes);
    }
    Ok(Row { name: name.to_owned(), raw, gzipped, budget })
}

fn gzipped_size(bytes: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_or(usize::MAX, |packed| packed.len())
}

/// Paths of the `.js` files that an HTML page names in `src` or `href`.
fn scripts_of_html(html: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for attribute in ["src=\"", "href=\""] {
        for rest in html.split(attribute).skip(1) {
            let Some(path) = rest.split('"').next() else { continue };
            if path.ends_with(".js") && !path.contains("//") {
                paths.push(path.to_owned());
            }
        }
    }
    paths
}

/// Relative paths in `import … from "./x.js"`, `import "./x.js"` and `export … from "./x.js"`,
/// as bundlers write them; `import("./x.js")` is dynamic and left out.
fn static_imports(source: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for quote in ['"', '\''] {
        for keyword in ["from", "import"] {
            for (start, _) in source.match_indices(keyword) {
                let rest = source[start + keyword.len()..].trim_start();
                let Some(inside) = rest.strip_prefix(quote) else { continue };
                let Some(path) = inside.split(quote).next() else { continue };
                if path.starts_with('.') && path.ends_with(".js") {
                    paths.push(path.to_owned());
                }
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("eddy-sizes-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Bytes that gzip cannot shrink: a full-period linear congruential sequence, upper bits.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    #[test]
    fn a_bundle_over_its_budget_is_caught() {
        let dist = scratch("bundle");
        let bundle = Bundle { budget: 10_000, ..BUNDLES[0] };
        let folder = dist.join(bundle.name);
        std::fs::create_dir_all(&folder).unwrap();
        let record = format!(r#"{{ "profile": "{}", "wasm_opt": "{}" }}"#, bundle.profile, bundle.wasm_opt.join(" "));
        std::fs::write(folder.join(BUILD_RECORD), record).unwrap();
        std::fs::write(folder.join("eddy.js"), "export{}").unwrap();
        std::fs::write(folder.join("eddy_bg.wasm"), noise(5_000)).unwrap();
        let small = bundle_row(&dist, bundle).unwrap();
        assert!(!small.is_over() && small.gzipped > 5_000, "{}", small.gzipped);
        std::fs::write(folder.join("eddy_bg.wasm"), noise(20_000)).unwrap();
        assert!(bundle_row(&dist, bundle).unwrap().is_over());
        // A fast build is refused rather than measured.
        std::fs::write(folder.join(BUILD_RECORD), r#"{ "profile": "wasm-dev", "wasm_opt": null }"#).unwrap();
        assert!(bundle_row(&dist, bundle).is_err());
        std::fs::remove_dir_all(&dist).unwrap();
    }

    #[test]
    fn the_page_counts_static_imports_once_and_leaves_dynamic_ones() {
        let dist = scratch("page");
        std::fs::create_dir_all(dist.join("assets")).unwrap();
        let html = r#"<script type="module" src="./assets/main.js"></script><link href="./assets/main.css">"#;
        std::fs::write(dist.join("index.html"), html).unwrap();
        let main = r#"import{a}from"./part.js";import"./part.js";const b=()=>import("./late.js");"#;
        let part = "export const a=1;";
        std::fs::write(dist.join("assets/main.js"), main).unwrap();
        std::fs::write(dist.join("assets/part.js"), part).unwrap();
        std::fs::write(dist.join("assets/late.js"), noise(900_000)).unwrap();
        let row = page_row(&dist).unwrap();
        assert_eq!(row.raw, main.len() + part.len());
        assert!(!row.is_over());
        // The same big file imported statically must break the budget.
        let digits: String = noise(500_000).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(dist.join("assets/part.js"), format!("export const a='{digits}';")).unwrap();
        assert!(page_row(&dist).unwrap().is_over());
        std::fs::remove_dir_all(&dist).unwrap();
    }

    #[test]
    fn imports_are_read_as_bundlers_write_them() {
        let source = r#"import{a as b}from"./x.js";import*as c from './y.js';export{d}from"./z.js";import("./w.js")"#;
        assert_eq!(static_imports(source), ["./x.js", "./z.js", "./y.js"]);
    }

    #[test]
    fn a_known_excess_may_stay_but_not_grow() {
        let row = |gzipped| Row { name: "core".to_owned(), raw: 0, gzipped, budget: 400 };
        let known: &[(&str, usize)] = &[("core", 480)];
        assert!(complaint(&row(480), known).is_none());
        assert!(complaint(&row(481), known).is_some());
        assert!(complaint(&row(390), known).is_some(), "a stale entry is named");
        assert!(complaint(&row(401), &[]).is_some());
        assert!(complaint(&row(400), &[]).is_none());
    }
}
