//! The WebAssembly bundles: which features and profile they are built with, and their budgets.

/// One WebAssembly bundle of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Folder under `pkg/dist` and name on the command line.
    pub name: &'static str,
    /// Features of `eddy_wasm`.
    pub features: &'static str,
    /// Cargo profile of the optimized build (root Cargo.toml).
    pub profile: &'static str,
    /// What wasm-opt is told to do.
    pub wasm_opt: &'static [&'static str],
    /// Largest gzipped size of module and glue together, in bytes.
    pub budget: usize,
}

/// Without inlining: rustc has inlined what pays, and more of it makes a module that is smaller as it is and larger when
/// compressed (learn: 981 kB gzipped with it, 890 kB without, 934 kB before wasm-opt).
const SMALL: &[&str] = &["-Oz", "--skip-pass=inlining-optimizing"];

/// A visitor downloads one bundle for an experiment, so what is counted is one bundle.
pub const BUNDLES: [Bundle; 7] = [
    Bundle { name: "core", features: "core gpu", profile: "wasm", wasm_opt: SMALL, budget: 400_000 },
    // Fourteen experiments over one set of engines; any of them would bring the engines into another bundle, 35 kB.
    Bundle { name: "pinn", features: "pinn gpu", profile: "wasm", wasm_opt: SMALL, budget: 600_000 },
    // No sampler runs on the GPU, so these two go without.
    Bundle { name: "sampler", features: "sampler", profile: "wasm", wasm_opt: SMALL, budget: 400_000 },
    Bundle { name: "flow", features: "flow", profile: "wasm", wasm_opt: SMALL, budget: 555_000 },
    // A language, its compilers, a solver and the networks that learn what is typed.
    Bundle { name: "equations", features: "equations gpu", profile: "wasm", wasm_opt: SMALL, budget: 1_190_000 },
    // Both with burn share a profile, and so most of what is compiled for them. The operations of burn-flex exist for
    // every number format and the kernel generators run once per shape: size first.
    Bundle { name: "learn", features: "learn gpu", profile: "wasm-small", wasm_opt: SMALL, budget: 900_000 },
    Bundle { name: "learn-gpu", features: "learn-gpu", profile: "wasm-small", wasm_opt: SMALL, budget: 3_000_000 },
];

/// Profile of every bundle under `--fast`.
pub const FAST_PROFILE: &str = "wasm-dev";

impl Bundle {
    pub fn by_name(name: &str) -> Option<Bundle> {
        BUNDLES.into_iter().find(|bundle| bundle.name == name)
    }

    /// The known names, for messages.
    pub fn names() -> String {
        BUNDLES.map(|bundle| bundle.name).join(", ")
    }
}
