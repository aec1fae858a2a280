//! Networks with structure, on burn: dense networks as the oracle of `eddy_nets`, convolutional surrogates, and a
//! diffusion model of small pictures.
//!
//! The back end is a value, [`Engine`], not a type: burn-flex on the CPU, WebGPU where the feature `wgpu` is on and the
//! browser has it. All arithmetic is f32. Read-back from a GPU is asynchronous, so training is `async` throughout.
//!
//! Derivatives with respect to inputs never go through burn's autodiff, which is first order: [`jets`] pushes them
//! forward and reverses once.

pub mod bench;
pub mod dense;
mod engine;
mod error;
pub mod image;
pub mod jets;
pub mod oracle;
pub mod surrogate;

pub use engine::Engine;
pub use error::LearnError;
