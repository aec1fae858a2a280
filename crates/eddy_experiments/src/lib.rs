//! Labs and the catalogue: one file per claim.
//!
//! `labs/` holds what experiments share (one run per kind of problem); `catalog/` holds one file per experiment, found
//! by build.rs. This file only discovers them.

mod bench;
mod check;
mod experiment;
#[cfg(feature = "equations")]
mod keyframes;
pub mod labs;
mod listing;
mod record;
mod registry;
mod session;
pub mod weights;

pub use bench::{Bench, bench_names, benches};
pub use check::{CheckProgress, ClaimCheck};
pub use eddy_nets::fused as fused_products;
#[cfg(feature = "equations")]
pub use eddy_solve::compiled as compiled_kernels;
pub use eddy_spec as spec;
pub use experiment::{
    Baseline, Budget, Clock, Context, Device, DeviceKind, Experiment, GpuField, Lab, LocalFuture, Picture, Pointer,
    PointerKind, Precision, Progress, Run, gpu_error, own, ready,
};
pub use listing::{Paper, Source, bound_text, catalog_json, list_json, papers};
pub use record::Record;
pub use registry::{Entry, ErasedParams, entries, entry};
pub use session::Session;

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
