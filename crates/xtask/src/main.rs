//! Build glue that cargo itself cannot do. `cargo run -p xtask` prints the commands.

mod bundle;
mod catalog;
mod deps;
mod pkg;
mod sizes;
mod toolchain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo run -p xtask -- <command>

  pkg --bundle NAME [--fast]
                      build the WebAssembly bundle NAME (core, pinn, sampler, flow, equations, learn, learn-gpu, all) into pkg/dist/<bundle>; --fast skips wasm-opt
                      and link-time optimization
  catalog [--check]   write web/src/generated/catalog.json from the experiments; --check only compares
  sizes [NAME...]     compressed sizes against their budgets (the bundles and page; default all)
  deps                fail on a dependency edge that the design forbids

environment: EDDY_TARGET_DIR   cargo's build folder (default ~/.cache/eddy/target)
             EDDY_WASM_RUSTC   the rustc for WebAssembly, instead of the search
             EDDY_WASM_OPT     the wasm-opt to use instead of web/node_modules/.bin/wasm-opt
             EDDY_JOBS         number of parallel cargo jobs";

/// What went wrong and what to do about it, ready to print.
type Failure = String;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["pkg", options @ ..] => pkg::run(options),
        ["catalog", options @ ..] => catalog::run(options),
        ["sizes", names @ ..] => sizes::run(names),
        ["deps"] => deps::run(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [other, ..] => Err(format!("unknown command `{other}`\n\n{USAGE}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Root folder of the workspace: two above this crate.
fn workspace_root() -> PathBuf {
    // At run time: two checkouts may share a target folder, and cargo then runs the program of either.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).ancestors().nth(2).expect("the crate lies two folders below the workspace root").to_path_buf()
}

/// Adds the path to an I/O error, which has none.
fn at(path: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    move |error| format!("{}: {error}", path.display())
}
