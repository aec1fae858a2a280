//! Builds `eddy_wasm` for the browser: cargo, then wasm-bindgen, then wasm-opt.
//!
//! The result is `pkg/dist/<bundle>/{eddy.js, eddy_bg.wasm, eddy.d.ts, build.json}`. The glue is an ES module, so a
//! module worker can import it. A bundle replaces the one before it only when it is complete.

use crate::bundle::{BUNDLES, Bundle, FAST_PROFILE};
use crate::toolchain::{TARGET, Toolchain};
use crate::{Failure, at, workspace_root};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// File beside each bundle that says how it was made.
pub const BUILD_RECORD: &str = "build.json";

/// What browsers since 2022 (Chrome 113, Firefox 115, Safari 16.4) have and rustc's output uses.
const WASM_FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

pub fn run(options: &[&str]) -> Result<(), Failure> {
    let (bundles, fast) = parse(options)?;
    let toolchain = Toolchain::find()?;
    let how = if toolchain.builds_std { ", building its standard library" } else { "" };
    println!("pkg: {}{how}", toolchain.version);
    for bundle in bundles {
        build(bundle, fast, &toolchain)?;
    }
    Ok(())
}

fn parse(options: &[&str]) -> Result<(Vec<Bundle>, bool), Failure> {
    let mut bundles = Vec::new();
    let mut fast = false;
    let mut words = options.iter();
    while let Some(&word) = words.next() {
        match word {
            "--fast" => fast = true,
            "--bundle" => match words.next().copied() {
                Some("all") => bundles.extend(BUNDLES),
                Some(name) => bundles.push(
                    Bundle::by_name(name)
                        .ok_or_else(|| format!("no bundle `{name}`; there are {}, all", Bundle::names()))?,
                ),
                None => return Err(format!("--bundle needs a name: {}, all", Bundle::names())),
            },
            other => return Err(format!("pkg does not take `{other}`; it takes --bundle NAME and --fast")),
        }
    }
    if bundles.is_empty() {
        return Err(format!("pkg needs --bundle NAME, one of {}, all", Bundle::names()));
    }
    Ok((bundles, fast))
}

fn build(bundle: Bundle, fast: bool, toolchain: &Toolchain) -> Result<(), Failure> {
    let started = Instant::now();
    let profile = if fast { FAST_PROFILE } else { bundle.profile };
    let compiled = compile(bundle, profile, toolchain)?;
    let compile_seconds = started.elapsed().as_secs_f64();

    let module = std::fs::read(&compiled).map_err(at(&compiled))?;
    let root = workspace_root();
    let optimizer = if fast { None } else { Some(find_wasm_opt(&root)?) };
    let passes = optimizer.as_ref().map(|_| bundle.wasm_opt.join(" "));
    let input = format!("{:016x}", fnv1a(&module));
    let recipe = json!({
        "bundle": bundle.name,
        "input": input,
        "profile": profile,
        "wasm_opt": passes,
        "wasm_bindgen": wasm_bindgen_version(),
        "compiler": toolchain.version,
    });
    let dist = root.join("pkg/dist").join(bundle.name);
    if is_current(&dist, &recipe) {
        println!("pkg: {} is up to date", bundle.name);
        return Ok(());
    }

    // Two builds of one bundle at a time must not empty each other's folder.
    let fresh = root.join("pkg/dist").join(format!(".{}.{}.new", bundle.name, std::process::id()));
    remove_folder(&fresh)?;
    std::fs::create_dir_all(&fresh).map_err(at(&fresh))?;
    bind(&compiled, &fresh, fast)?;
    let wasm = fresh.join("eddy_bg.wasm");
    if let Some(optimizer) = &optimizer {
        println!("pkg: wasm-opt {} on {}", bundle.wasm_opt.join(" "), bundle.name);
        optimize(optimizer, bundle.wasm_opt, &wasm)?;
    }
    let bytes = std::fs::metadata(&wasm).map_err(at(&wasm))?.len();
    let mut record = recipe;
    record["bytes"] = json!(bytes);
    record["compile_seconds"] = json!(compile_seconds.round());
    record["seconds"] = json!(started.elapsed().as_secs_f64().round());
    let record_path = fresh.join(BUILD_RECORD);
    std::fs::write(&record_path, format!("{record:#}\n")).map_err(at(&record_path))?;

    remove_folder(&dist)?;
    std::fs::rename(&fresh, &dist).map_err(at(&dist))?;
    println!(
        "pkg: {} → {} ({bytes} bytes, {:.0} s)",
        bundle.name,
        dist.strip_prefix(&root).unwrap_or(&dist).display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Compiles `eddy_wasm` and returns the path of the module that cargo left.
fn compile(bundle: Bundle, profile: &str, toolchain: &Toolchain) -> Result<PathBuf, Failure> {
    let target_dir = wasm_target_dir(toolchain)?;
    let mut flags: Vec<String> =
        vec!["-Ctarget-feature=+simd128".into(), "--cfg".into(), r#"getrandom_backend="wasm_js""#.into()];
    if let Some(linker) = &toolchain.linker {
        flags.push(format!("-Clinker={}", linker.display()));
    }
    let mut command = Command::new(&toolchain.cargo);
    command
        .current_dir(workspace_root())
        .env("RUSTC", &toolchain.rustc)
        // Encoded, since the quotes of the cfg do not survive RUSTFLAGS.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_TARGET_DIR", &target_dir)
        // Set by the cargo that runs xtask; they would mislead the inner one.
        .env_remove("CARGO")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_MANIFEST_DIR")
        .args(["build", "-p", "eddy_wasm", "--lib", "--no-default-features"])
        .args(["--target", TARGET, "--profile", profile, "--features", bundle.features]);
    if let Some(jobs) = std::env::var_os("EDDY_JOBS") {
        command.arg("-j").arg(jobs);
    }
    if toolchain.builds_std {
        // Stable compilers accept -Zbuild-std only so; std is built with the workspace's own flags and panic strategy.
        command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    }
    let status = command.status().map_err(|error| format!("{}: {error}", toolchain.cargo.display()))?;
    if !status.success() {
        return Err(format!("cargo could not build the {} bundle; its message is above", bundle.name));
    }
    Ok(target_dir.join(TARGET).join(profile).join("eddy_wasm.wasm"))
}

/// Build folder for this toolchain. Outside the checkout, so that fresh clones share what they compile.
fn wasm_target_dir(toolchain: &Toolchain) -> Result<PathBuf, Failure> {
    let base = match std::env::var_os("EDDY_TARGET_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => std::env::home_dir()
            .ok_or("no home folder for the build cache; set EDDY_TARGET_DIR")?
            .join(".cache/eddy/target"),
    };
    Ok(base.join("wasm").join(toolchain.folder()))
}

fn bind(compiled: &Path, folder: &Path, fast: bool) -> Result<(), Failure> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .input_path(compiled)
        .out_name("eddy")
        .typescript(true)
        // Function names make a fast build's panics readable, and cost a released module a tenth of its size.
        .remove_name_section(!fast)
        .remove_producers_section(true);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(folder)).map_err(|error| format!("wasm-bindgen: {error:#}"))
}

/// Version of the bindgen library compiled into this program, from the lock file it was built with.
fn wasm_bindgen_version() -> String {
    let lock = include_str!("../../../Cargo.lock");
    version_in_lock(lock, "wasm-bindgen-cli-support").unwrap_or_default()
}

fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"\n")))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"').to_owned())
}

fn find_wasm_opt(root: &Path) -> Result<PathBuf, Failure> {
    if let Some(path) = std::env::var_os("EDDY_WASM_OPT") {
        return Ok(path.into());
    }
    let local = root.join("web/node_modules/.bin/wasm-opt");
    if local.exists() {
        return Ok(local);
    }
    Err(format!("{} is missing; run `npm install` in web/ (it brings binaryen), or build with --fast", local.display()))
}

fn optimize(wasm_opt: &Path, passes: &[&str], module: &Path) -> Result<(), Failure> {
    let optimized = module.with_extension("opt");
    let mut arguments: Vec<OsString> = passes.iter().map(OsString::from).collect();
    arguments.extend(WASM_FEATURES.map(OsString::from));
    arguments.extend([module.into(), "-o".into(), optimized.clone().into()]);
    let status =
        Command::new(wasm_opt).args(arguments).status().map_err(|error| format!("{}: {error}", wasm_opt.display()))?;
    if !status.success() {
        return Err(format!("wasm-opt failed on {}; its message is above", module.display()));
    }
    std::fs::rename(&optimized, module).map_err(at(module))
}

/// Does the bundle in `dist` come from the same input by the same recipe?
fn is_current(dist: &Path, recipe: &Value) -> bool {
    let complete = ["eddy.js", "eddy_bg.wasm", "eddy.d.ts"].iter().all(|file| dist.join(file).is_file());
    let Ok(text) = std::fs::read_to_string(dist.join(BUILD_RECORD)) else {
        return false;
    };
    let Ok(record) = serde_json::from_str::<Value>(&text) else {
        return false;
    };
    let Some(fields) = recipe.as_object() else {
        return false;
    };
    complete && fields.iter().all(|(key, value)| record.get(key) == Some(value))
}

fn remove_folder(folder: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(folder)(error)),
        _ => Ok(()),
    }
}

/// 64-bit FNV-1a: tells changed modules apart; not for anything an adversary touches.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        assert_eq!(parse(&["--bundle", "core", "--fast"]).unwrap(), (vec![BUNDLES[0]], true));
        assert_eq!(parse(&["--bundle", "all"]).unwrap().0.len(), BUNDLES.len());
        for bad in [&["--bundle", "cor"][..], &["--bundle"], &["--fats", "--bundle", "core"], &[]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn fnv1a_matches_its_published_values() {
        // Test vectors of the FNV reference (draft-eastlake-fnv, appendix C).
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_lock_file_names_the_bindgen_version() {
        let lock =
            "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"ab\"\nversion = \"2.0.0\"\n";
        assert_eq!(version_in_lock(lock, "ab").as_deref(), Some("2.0.0"));
        assert_eq!(version_in_lock(lock, "b"), None);
        assert!(!wasm_bindgen_version().is_empty());
    }

    #[test]
    fn a_bundle_is_current_only_with_equal_recipe_and_all_files() {
        let dist = std::env::temp_dir().join(format!("eddy-xtask-{}", std::process::id()));
        std::fs::create_dir_all(&dist).unwrap();
        let recipe = json!({ "input": "1", "profile": "wasm" });
        for file in ["eddy.js", "eddy_bg.wasm", "eddy.d.ts"] {
            std::fs::write(dist.join(file), "").unwrap();
        }
        std::fs::write(dist.join(BUILD_RECORD), r#"{ "input": "1", "profile": "wasm", "bytes": 3 }"#).unwrap();
        assert!(is_current(&dist, &recipe));
        assert!(!is_current(&dist, &json!({ "input": "2", "profile": "wasm" })));
        assert!(!is_current(&dist, &json!({ "input": "1", "profile": "wasm-dev" })));
        std::fs::remove_file(dist.join("eddy.d.ts")).unwrap();
        assert!(!is_current(&dist, &recipe));
        std::fs::remove_dir_all(&dist).unwrap();
    }
}
