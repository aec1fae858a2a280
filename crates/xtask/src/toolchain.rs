//! Finds a Rust toolchain that can compile for WebAssembly, on machines with rustup and without.

use crate::Failure;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const TARGET: &str = "wasm32-unknown-unknown";

/// Oldest compiler that builds the workspace (`rust-version` in Cargo.toml).
const MINIMUM_RUSTC: (u32, u32) = (1, 95);

/// A compiler and how cargo has to be called to target WebAssembly with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    pub rustc: PathBuf,
    pub cargo: PathBuf,
    /// No compiled standard library for the target: build it from its source.
    pub builds_std: bool,
    /// Linker to name, where rustc does not find one itself.
    pub linker: Option<PathBuf>,
    /// Text of `rustc --version`; its hash keeps build folders apart.
    pub version: String,
}

impl Toolchain {
    /// Finds the toolchain: a compiler with the target's standard library, else rustup told to fetch it,
    /// else a compiler with the standard library's source.
    pub fn find() -> Result<Toolchain, Failure> {
        let named = std::env::var_os("EDDY_WASM_RUSTC").map(PathBuf::from);
        let candidates: Vec<PathBuf> = match &named {
            Some(rustc) => vec![rustc.clone()],
            None => vec!["rustc".into(), "/usr/bin/rustc".into()],
        };
        let mut seen = Vec::new();
        let mut compilers: Vec<Compiler> = Vec::new();
        for candidate in candidates {
            match Compiler::ask(&candidate) {
                Ok(compiler) if compilers.iter().any(|c| c.sysroot == compiler.sysroot) => {}
                Ok(compiler) if compiler.release < MINIMUM_RUSTC => {
                    seen.push(format!("{} is {}", candidate.display(), compiler.version));
                }
                Ok(compiler) => compilers.push(compiler),
                Err(why) => seen.push(why),
            }
        }
        if let Some(ready) = compilers.iter().find(|c| c.has_target()) {
            return Ok(ready.toolchain(false));
        }
        if named.is_none()
            && let Some(first) = compilers.first()
            && rustup_adds_target()
            && first.has_target()
        {
            return Ok(first.toolchain(false));
        }
        for compiler in &compilers {
            if compiler.has_std_source() {
                let linker = compiler.linker()?;
                let mut toolchain = compiler.toolchain(true);
                toolchain.linker = Some(linker);
                return Ok(toolchain);
            }
            seen.push(format!("{} has neither the {TARGET} library nor the library's source", compiler.version));
        }
        Err(format!(
            "no Rust {}.{} or later that can compile for {TARGET}\n  {}\n\
             install one of:\n  rustup target add {TARGET}\n  \
             rustup component add rust-src\n  \
             apt-get install rustc-web cargo-web rust-web-src   (Debian and Ubuntu)",
            MINIMUM_RUSTC.0,
            MINIMUM_RUSTC.1,
            seen.join("\n  ")
        ))
    }

    /// A name for this toolchain's build folder; two compilers cannot share one without rebuilding all.
    pub fn folder(&self) -> String {
        let kind = if self.builds_std { "std" } else { "target" };
        format!("{kind}-{:08x}", crate::pkg::fnv1a(self.version.as_bytes()) as u32)
    }
}

/// A rustc that answered.
struct Compiler {
    rustc: PathBuf,
    version: String,
    release: (u32, u32),
    sysroot: PathBuf,
    host: String,
}

impl Compiler {
    fn ask(rustc: &Path) -> Result<Compiler, Failure> {
        let verbose = output(Command::new(rustc).arg("-vV"))?;
        let line =
            |key: &str| verbose.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned());
        let release = line("release:").and_then(|text| release_from_text(&text));
        let (Some(release), Some(host)) = (release, line("host:")) else {
            return Err(format!("{}: cannot read its version from `{verbose}`", rustc.display()));
        };
        let sysroot = PathBuf::from(output(Command::new(rustc).args(["--print", "sysroot"]))?.trim());
        Ok(Compiler {
            rustc: rustc.to_path_buf(),
            version: verbose.lines().next().unwrap_or_default().to_owned(),
            release,
            sysroot,
            host,
        })
    }

    fn has_target(&self) -> bool {
        self.sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
    }

    fn has_std_source(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
    }

    /// rustup ships the linker beside the compiler; distributions ship it in another package, or not at all,
    /// and then the one of any rustup toolchain serves.
    fn linker(&self) -> Result<PathBuf, Failure> {
        let in_sysroot = |sysroot: &Path| sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld");
        let mut places = vec![in_sysroot(&self.sysroot)];
        if let Ok(other) = output(Command::new("rustc").args(["--print", "sysroot"])) {
            places.push(in_sysroot(Path::new(other.trim())));
        }
        if let Some(path) = std::env::var_os("PATH") {
            places.extend(std::env::split_paths(&path).map(|folder| folder.join("rust-lld")));
        }
        places.iter().find(|place| place.exists()).cloned().ok_or_else(|| {
            format!(
                "{} can compile for {TARGET} but no rust-lld was found to link with; \
                 install the package that has it (Debian and Ubuntu: rust-web-llvm) or a rustup toolchain",
                self.version
            )
        })
    }

    fn toolchain(&self, builds_std: bool) -> Toolchain {
        // The cargo of the same installation: a distribution's rustc lies beside it; `rustc` is found as `cargo` is.
        let cargo =
            if self.rustc.components().count() > 1 { self.rustc.with_file_name("cargo") } else { "cargo".into() };
        Toolchain { rustc: self.rustc.clone(), cargo, builds_std, linker: None, version: self.version.clone() }
    }
}

/// Asks rustup to fetch the target; false without rustup, and where it cannot download.
fn rustup_adds_target() -> bool {
    eprintln!("xtask: rustup target add {TARGET}");
    Command::new("rustup")
        .args(["target", "add", TARGET])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::piped()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// `1.96.0-beta.2` → (1, 96).
fn release_from_text(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_as_numbers() {
        assert_eq!(release_from_text("1.96.0-beta.2"), Some((1, 96)));
        assert_eq!(release_from_text("rustc"), None);
        // As text, 1.100 would sort before 1.95.
        assert!(release_from_text("1.100.0").unwrap() > MINIMUM_RUSTC);
        assert!(release_from_text("1.94.1").unwrap() < MINIMUM_RUSTC);
    }

    #[test]
    fn toolchains_do_not_share_a_build_folder() {
        let toolchain = |version: &str, builds_std| Toolchain {
            rustc: "rustc".into(),
            cargo: "cargo".into(),
            builds_std,
            linker: None,
            version: version.into(),
        };
        let one = toolchain("rustc 1.95.0", false).folder();
        assert_ne!(one, toolchain("rustc 1.96.0", false).folder());
        assert_ne!(one, toolchain("rustc 1.95.0", true).folder());
        assert_eq!(one, toolchain("rustc 1.95.0", false).folder());
    }
}
