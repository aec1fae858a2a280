//! The dependency rules of the design, checked on `cargo metadata`: which crate may name which, and why.

use crate::{Failure, workspace_root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Workspace crates that each workspace crate may name outside its tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("eddy_spec", &[]),
    ("eddy_expr", &[]),
    ("eddy_numerics", &[]),
    ("eddy_solve", &["eddy_expr", "eddy_numerics"]),
    ("eddy_kernels", &[]),
    ("eddy_gpu", &["eddy_kernels"]),
    ("eddy_nets", &["eddy_kernels", "eddy_gpu"]),
    ("eddy_learn", &["eddy_numerics", "eddy_gpu"]),
    (
        "eddy_experiments",
        &[
            "eddy_spec",
            "eddy_expr",
            "eddy_numerics",
            "eddy_solve",
            "eddy_kernels",
            "eddy_gpu",
            "eddy_nets",
            "eddy_learn",
        ],
    ),
    ("eddy_wasm", &["eddy_spec", "eddy_gpu", "eddy_experiments"]),
    ("eddy_cli", &["eddy_spec", "eddy_gpu", "eddy_solve", "eddy_learn", "eddy_experiments"]),
    ("xtask", &["eddy_spec", "eddy_experiments"]),
    // The tests compare everything with everything; only the browser's boundary cannot run there.
    (
        "eddy_tests",
        &[
            "eddy_spec",
            "eddy_expr",
            "eddy_numerics",
            "eddy_solve",
            "eddy_kernels",
            "eddy_gpu",
            "eddy_nets",
            "eddy_learn",
            "eddy_experiments",
            "eddy_cli",
        ],
    ),
];

/// Third-party crates that only some workspace crates may name.
struct Fence {
    /// The crate itself, or with a trailing `-*` all crates whose name starts so.
    crates: &'static [&'static str],
    may_name: &'static [&'static str],
    why: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        crates: &["burn", "burn-*", "cubecl", "cubecl-*"],
        may_name: &["eddy_learn"],
        why: "burn stays in one crate, so that the core bundle has none of it",
    },
    Fence {
        crates: &["wasm-bindgen", "wasm-bindgen-futures", "js-sys", "web-sys", "console_error_panic_hook"],
        may_name: &["eddy_wasm"],
        why: "the browser's boundary is one crate",
    },
    Fence { crates: &["wgpu"], may_name: &["eddy_gpu"], why: "devices, buffers and submissions go through eddy_gpu" },
];

/// Crates of which the whole tree must hold one version.
const ONE_VERSION: &[(&str, &str)] = &[
    ("wgpu", "burn and eddy_gpu share one device, which only works with one wgpu"),
    ("wasm-bindgen", "the glue is generated for one version"),
];

/// Crates that must not be reachable from another at all, by normal and build dependencies.
const UNREACHABLE: &[(&str, &str, &str)] = &[
    ("eddy_kernels", "eddy_numerics", "a twin never calls its oracle"),
    ("eddy_numerics", "wgpu", "the oracle runs without a device"),
    ("eddy_spec", "wgpu", "the vocabulary is serde only"),
];

pub fn run() -> Result<(), Failure> {
    let root = workspace_root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = cargo_output(Command::new(&cargo).current_dir(&root).args([
        "metadata",
        "--format-version=1",
        "--all-features",
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut found = violations(&metadata);

    // The default features of the browser crate are the core bundle.
    let core = cargo_output(Command::new(&cargo).current_dir(&root).args([
        "tree",
        "-p=eddy_wasm",
        "--target=wasm32-unknown-unknown",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
    ]))?;
    found.extend(core_bundle_violations(&core));

    if found.is_empty() {
        println!("deps: every edge is allowed");
        Ok(())
    } else {
        Err(format!("{} forbidden dependencies\n  {}", found.len(), found.join("\n  ")))
    }
}

fn cargo_output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| format!("cargo: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// All broken rules in the answer of `cargo metadata`, one sentence each.
fn violations(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let members: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let workspace: Vec<&Value> = packages
        .iter()
        .copied()
        .filter(|package| text(&package["id"]).is_some_and(|id| members.contains(id)))
        .collect();
    if workspace.is_empty() {
        return vec!["cargo metadata names no workspace crate, so nothing was checked".into()];
    }
    let workspace_names: BTreeSet<&str> = workspace.iter().filter_map(|package| text(&package["name"])).collect();

    for package in &workspace {
        let Some(name) = text(&package["name"]) else { continue };
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{name} is not in the design; add it to ALLOWED in crates/xtask/src/deps.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(dependency_name) = text(&dependency["name"]) else { continue };
            let is_dev = dependency["kind"] == "dev";
            if workspace_names.contains(dependency_name) && !allowed.contains(&dependency_name) {
                // Tests of a crate may look sideways, except that a twin is never tested against itself in disguise.
                let forbidden_even_in_tests =
                    UNREACHABLE.iter().any(|(from, to, _)| *from == name && *to == dependency_name);
                if !is_dev || forbidden_even_in_tests {
                    found.push(format!("{name} → {dependency_name}: not an arrow of the design"));
                }
            }
            for fence in FENCES {
                let is_fenced = fence.crates.iter().any(|pattern| matches(pattern, dependency_name));
                if is_fenced && !is_dev && !fence.may_name.contains(&name) {
                    found.push(format!("{name} → {dependency_name}: {}", fence.why));
                }
            }
        }
    }

    for (name, why) in ONE_VERSION {
        let versions: BTreeSet<&str> = packages
            .iter()
            .filter(|package| package["name"] == *name)
            .filter_map(|package| text(&package["version"]))
            .collect();
        if versions.len() > 1 {
            let list: Vec<&str> = versions.into_iter().collect();
            found.push(format!("{name} is in the tree as {}: {why}", list.join(" and ")));
        }
    }

    let graph = Graph::new(metadata);
    for (from, to, why) in UNREACHABLE {
        if let Some(path) = graph.path(from, to) {
            found.push(format!("{}: {why}", path.join(" → ")));
        }
    }
    found
}

/// burn in the list of crates that the core bundle is made of.
fn core_bundle_violations(tree: &str) -> Vec<String> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    if !names.contains("eddy_wasm") {
        return vec!["cargo tree does not name eddy_wasm, so the core bundle was not checked".into()];
    }
    names
        .into_iter()
        .filter(|name| *name == "eddy_learn" || FENCES[0].crates.iter().any(|pattern| matches(pattern, name)))
        .map(|name| format!("{name} is in the core bundle; it belongs behind the feature `learn`"))
        .collect()
}

/// `burn-*` stands for every name that starts with `burn-`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// Resolved normal and build dependencies, by package name.
struct Graph<'a> {
    edges: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Value) -> Graph<'a> {
        let names: BTreeMap<&str, &str> = metadata["packages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|package| Some((text(&package["id"])?, text(&package["name"])?)))
            .collect();
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().into_iter().flatten() {
            let Some(from) = text(&node["id"]).and_then(|id| names.get(id)) else { continue };
            for dependency in node["deps"].as_array().into_iter().flatten() {
                let kinds = dependency["dep_kinds"].as_array();
                let only_dev = kinds.is_some_and(|kinds| kinds.iter().all(|kind| kind["kind"] == "dev"));
                if let Some(to) = text(&dependency["pkg"]).and_then(|id| names.get(id))
                    && !only_dev
                {
                    edges.entry(from).or_default().insert(to);
                }
            }
        }
        Graph { edges }
    }

    /// A shortest chain of dependencies from one crate to another.
    fn path(&self, from: &'a str, to: &'a str) -> Option<Vec<&'a str>> {
        let mut chains = std::collections::VecDeque::from([vec![from]]);
        let mut seen = BTreeSet::from([from]);
        while let Some(chain) = chains.pop_front() {
            let last = chain.last()?;
            for &next in self.edges.get(last).into_iter().flatten() {
                let mut longer = chain.clone();
                longer.push(next);
                if next == to {
                    return Some(longer);
                }
                if seen.insert(next) {
                    chains.push_back(longer);
                }
            }
        }
        None
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Metadata in cargo's form, of packages (name, version, is a member, [(dependency, kind)]).
    fn metadata(packages: &[(&str, &str, bool, &[(&str, Option<&str>)])]) -> Value {
        let version_of =
            |name: &str| packages.iter().find(|package| package.0 == name).map_or("1.0.0", |package| package.1);
        let id = |name: &str| format!("{name}@{}", version_of(name));
        json!({
            "workspace_members": packages.iter().filter(|package| package.2).map(|package| id(package.0)).collect::<Vec<_>>(),
            "packages": packages.iter().map(|(name, version, _, dependencies)| json!({
                "id": format!("{name}@{version}"),
                "name": name,
                "version": version,
                "dependencies": dependencies.iter().map(|(to, kind)| json!({ "name": to, "kind": kind })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "resolve": { "nodes": packages.iter().map(|(name, version, _, dependencies)| json!({
                "id": format!("{name}@{version}"),
                "deps": dependencies.iter().map(|(to, kind)| json!({
                    "pkg": id(to), "dep_kinds": [{ "kind": kind }],
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>() },
        })
    }

    #[test]
    fn allowed_edges_pass() {
        let found = violations(&metadata(&[
            ("eddy_numerics", "0.1.0", true, &[]),
            ("eddy_kernels", "0.1.0", true, &[]),
            ("eddy_gpu", "0.1.0", true, &[("eddy_kernels", None), ("wgpu", None)]),
            ("eddy_learn", "0.1.0", true, &[("burn", None), ("eddy_gpu", None)]),
            ("eddy_spec", "0.1.0", true, &[("eddy_numerics", Some("dev"))]),
            ("burn", "0.22.1", false, &[("wgpu", None)]),
            ("wgpu", "30.0.1", false, &[]),
        ]));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_twin_that_can_call_its_oracle_is_caught() {
        for kind in [None, Some("build"), Some("dev")] {
            let found = violations(&metadata(&[
                ("eddy_numerics", "0.1.0", true, &[]),
                ("eddy_kernels", "0.1.0", true, &[("eddy_numerics", kind)]),
            ]));
            assert!(found.iter().any(|line| line.contains("eddy_kernels → eddy_numerics")), "{kind:?}: {found:?}");
        }
        // And through a third crate.
        let found = violations(&metadata(&[
            ("eddy_numerics", "0.1.0", true, &[]),
            ("helper", "1.0.0", false, &[("eddy_numerics", None)]),
            ("eddy_kernels", "0.1.0", true, &[("helper", None)]),
        ]));
        assert_eq!(found, ["eddy_kernels → helper → eddy_numerics: a twin never calls its oracle"]);
    }

    #[test]
    fn burn_outside_its_crate_is_caught() {
        let found = violations(&metadata(&[
            ("eddy_experiments", "0.1.0", true, &[("burn-nn", None)]),
            ("burn-nn", "0.22.1", false, &[]),
        ]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("eddy_experiments → burn-nn"));
    }

    #[test]
    fn the_browser_named_outside_its_crate_is_caught() {
        for name in ["wasm-bindgen", "js-sys", "web-sys"] {
            let found = violations(&metadata(&[
                ("eddy_gpu", "0.1.0", true, &[(name, None)]),
                ("eddy_wasm", "0.1.0", true, &[(name, None)]),
                (name, "0.3.0", false, &[]),
            ]));
            assert_eq!(found, [format!("eddy_gpu → {name}: the browser's boundary is one crate")]);
        }
    }

    #[test]
    fn two_versions_of_wgpu_are_caught() {
        let mut value = metadata(&[("eddy_gpu", "0.1.0", true, &[("wgpu", None)]), ("wgpu", "30.0.1", false, &[])]);
        assert!(violations(&value).is_empty());
        value["packages"].as_array_mut().unwrap().push(json!({ "id": "wgpu@29", "name": "wgpu", "version": "29.0.0" }));
        assert!(violations(&value)[0].contains("29.0.0 and 30.0.1"));
    }

    #[test]
    fn an_unknown_crate_and_an_empty_answer_are_caught() {
        let found = violations(&metadata(&[("eddy_new", "0.1.0", true, &[])]));
        assert!(found[0].contains("not in the design"));
        assert!(!violations(&json!({})).is_empty());
    }

    #[test]
    fn burn_in_the_core_bundle_is_caught() {
        assert!(core_bundle_violations("eddy_wasm v0.1.0 (x)\neddy_experiments v0.1.0 (x)\n").is_empty());
        let found = core_bundle_violations("eddy_wasm v0.1.0\neddy_learn v0.1.0\nburn-flex v0.22.1\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(!core_bundle_violations("").is_empty());
    }
}
