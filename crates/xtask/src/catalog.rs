//! `web/src/generated/catalog.json`: the static facts of all experiments, written by the Rust that runs them.

use crate::Failure;

#[cfg(feature = "catalog")]
pub fn run(options: &[&str]) -> Result<(), Failure> {
    use crate::{at, workspace_root};
    let check = match options {
        [] => false,
        ["--check"] => true,
        other => return Err(format!("catalog takes only --check, not `{}`", other.join(" "))),
    };
    let path = workspace_root().join("web/src/generated/catalog.json");
    let fresh = format!("{:#}\n", eddy_experiments::catalog_json());
    let stored = std::fs::read_to_string(&path).ok();
    if stored.as_deref() == Some(fresh.as_str()) {
        // Unchanged files keep their time, so that Vite does not rebuild.
        println!("catalog: {} is up to date", path.display());
        return Ok(());
    }
    if check {
        return Err(format!("{} is older than the experiments; run `cargo run -p xtask -- catalog`", path.display()));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
    }
    std::fs::write(&path, fresh).map_err(at(&path))?;
    println!("catalog: wrote {}", path.display());
    Ok(())
}

#[cfg(not(feature = "catalog"))]
pub fn run(_options: &[&str]) -> Result<(), Failure> {
    Err("this xtask was built without the experiments; run it without --no-default-features".into())
}
