//! The three WebAssembly bundles: which features and profile they are built with, and their budgets.

/// One WebAssembly bundle of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Folder under `pkg/dist` and name on the command line.
    pub name: &'static str,
    /// Feature of `eddy_wasm`, if any.
    pub feature: Option<&'static str>,
    /// Cargo profile of the optimized build (root Cargo.toml).
    pub profile: &'static str,
    /// Level handed to wasm-opt.
    pub wasm_opt_level: &'static str,
    /// Largest gzipped size of module and glue together, in bytes.
    pub budget: usize,
}

pub const BUNDLES: [Bundle; 3] = [
    // Speed first: this one holds the solvers, and has room in its budget.
    Bundle { name: "core", feature: None, profile: "wasm", wasm_opt_level: "-O3", budget: 400_000 },
    // Both with burn share a profile, and so most of what is compiled for them. The operations of burn-flex exist for
    // every number format and the kernel generators run once per shape: size first.
    Bundle { name: "learn", feature: Some("learn"), profile: "wasm-small", wasm_opt_level: "-O3", budget: 900_000 },
    Bundle {
        name: "learn-gpu",
        feature: Some("learn-gpu"),
        profile: "wasm-small",
        wasm_opt_level: "-Oz",
        budget: 3_000_000,
    },
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
