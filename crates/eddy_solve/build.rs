//! Lists the files of `presets/`, so that a new preset is one new file and nothing else.

use std::{env, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("presets");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut keys = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if let Some(key) = path.file_stem().and_then(|stem| stem.to_str())
            && path.extension().is_some_and(|extension| extension == "toml")
        {
            keys.push((key.to_string(), path.clone()));
        }
    }
    keys.sort();
    let mut code = String::from("&[\n");
    for (key, path) in &keys {
        writeln!(code, "    Preset {{ key: {key:?}, text: include_str!({:?}) }},", path.display().to_string())?;
    }
    code.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("presets.rs"), code)?;
    Ok(())
}
