//! Discovers the catalogue: every file of src/catalog is one experiment. The file stem is its id (`dpm_solver.rs` is
//! `dpm-solver`), the type inside has the stem in CamelCase (`DpmSolver`), the leading `//!` block is the introduction.
//! A first line `//@ feature: sampler` names the wasm bundle that holds it, which is also the feature without which it is
//! left out; files without that line are in `core`.

use std::{env, fmt::Write as _, fs, path::Path};

/// The bundles that catalogue files may name: features of this crate and of eddy_wasm.
const BUNDLES: [&str; 6] = ["core", "pinn", "sampler", "flow", "equations", "learn"];

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    // Absolute, because the paths written below are: where the checkout was moved, the old files are gone and cargo asks again.
    println!("cargo::rerun-if-changed={root}/src/catalog");
    println!("cargo::rerun-if-changed={root}/build.rs");
    let mut stems: Vec<String> = fs::read_dir(Path::new(&root).join("src/catalog"))
        .expect("src/catalog exists")
        .filter_map(|e| e.ok()?.file_name().into_string().ok()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    stems.sort();

    let (mut modules, mut entries, mut sources) = (String::new(), String::new(), String::new());
    for stem in &stems {
        assert!(
            stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
            "src/catalog/{stem}.rs: a file name is the id of an experiment: use a-z, 0-9 and _"
        );
        let path = format!("{root}/src/catalog/{stem}.rs");
        let text = fs::read_to_string(&path).expect("readable source file");
        let feature = text.lines().next().and_then(|l| l.strip_prefix("//@ feature: ")).map_or("core", str::trim);
        assert!(
            BUNDLES.contains(&feature),
            "{path}: there is no feature {feature:?}; the first line may name one of {BUNDLES:?}"
        );
        if env::var_os(format!("CARGO_FEATURE_{}", feature.to_uppercase())).is_none() {
            continue;
        }
        let intro: Vec<&str> = text
            .lines()
            .skip_while(|l| l.starts_with("//@"))
            .take_while(|l| l.starts_with("//!"))
            .map(|l| l.strip_prefix("//! ").unwrap_or(l.trim_start_matches("//!")))
            .collect();
        assert!(intro.len() >= 3, "{path}: begin with a //! introduction, it is the page's text");
        let type_name: String = stem.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        let id = stem.replace('_', "-");
        writeln!(modules, "#[path = {path:?}]\npub mod {stem};").unwrap();
        writeln!(entries, "Entry::of::<catalog::{stem}::{type_name}>({id:?}),").unwrap();
        writeln!(
            sources,
            "Source {{ id: {id:?}, bundle: {feature:?}, intro: {:?}, file: {:?}, code: include_str!({path:?}) }},",
            intro.join("\n"),
            format!("crates/eddy_experiments/src/catalog/{stem}.rs")
        )
        .unwrap();
    }
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let generated = format!(
        "/// One module per experiment.\npub mod catalog {{\n{modules}}}\n\
         pub(crate) fn discovered() -> Vec<Entry> {{ vec![\n{entries}] }}\n\
         pub(crate) static SOURCES: &[Source] = &[\n{sources}];\n"
    );
    fs::write(Path::new(&out).join("catalog.rs"), generated).expect("OUT_DIR is writable");
}
