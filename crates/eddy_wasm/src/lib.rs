//! The wasm boundary: one class for a run, one for the check of a claim, a few functions. Strings, numbers and buffers.
//!
//! Static facts never cross: the page reads `catalog.json`, written by the same Rust.

mod check;
#[cfg(all(target_arch = "wasm32", feature = "equations"))]
mod compiled;
mod device;
#[cfg(feature = "equations")]
mod equations;
#[cfg(all(target_arch = "wasm32", any(feature = "pinn", feature = "equations")))]
mod fused;
#[cfg(target_arch = "wasm32")]
mod paint;
mod session;
mod wire;

use wasm_bindgen::prelude::*;

/// Routes a Rust panic to the console with its message; the page shows it as a defect with the permalink. Looks for fused
/// products.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    #[cfg(all(target_arch = "wasm32", any(feature = "pinn", feature = "equations")))]
    fused::install();
    #[cfg(all(target_arch = "wasm32", feature = "equations"))]
    compiled::install();
}

/// Version of the catalogue compiled in; the page refuses to mix it with another `catalog.json`.
#[wasm_bindgen(js_name = catalogVersion)]
pub fn catalog_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Bytes of linear memory in use by this module.
#[wasm_bindgen(js_name = memoryBytes)]
pub fn memory_bytes() -> f64 {
    #[cfg(target_arch = "wasm32")]
    {
        (core::arch::wasm32::memory_size(0) * 65536) as f64
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        0.0
    }
}

/// The benchmarks of this bundle as JSON `[{name, what, bundle}]`.
#[wasm_bindgen(js_name = benchNames)]
pub fn bench_names() -> String {
    eddy_experiments::bench_names().to_string()
}

/// Seconds of one unit of a benchmark; NaN if there is no such benchmark.
#[wasm_bindgen]
pub fn bench(name: &str) -> f64 {
    eddy_experiments::benches().iter().find(|b| b.name == name).map_or(f64::NAN, |b| (b.run)())
}
