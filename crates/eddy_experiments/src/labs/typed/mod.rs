//! The lab of typed equations: a problem as short texts, its run, and what an editor shows of it as one types.
//!
//! [`Texts`] are the texts of the lab's form; they make an [`eddy_solve::Problem`] and come back from one. [`TypedRun`]
//! runs it, [`network`] trains a network on it. [`analyse`] checks a form without running it.

mod analyse;
mod conditioned;
pub mod gpu;
pub mod network;
mod overlays;
mod pictures;
mod refine;
mod run;
mod spectra;
mod texts;

pub use analyse::{analyse, import_link, presets_json};
pub use conditioned::Conditioned;
pub use refine::Refinement;
pub use run::{Shown, TypedRun};
pub use texts::{FormError, Texts};
