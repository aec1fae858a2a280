//! Carrying one law to another: bridges, flows and interpolants between samples, and masked diffusion of tokens.

pub mod denoising_chain;
mod interpolant;
pub mod kinetic;
mod light_bridge;
pub mod masked;

pub use interpolant::{Blend, Interpolant};
pub use light_bridge::{LightBridge, gaussian_cross_covariance};

/// Input between which nothing can be carried. The message says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TransportError {
    #[error("The start has {start} dimensions and the target {target}; give them the same number.")]
    Dimensions { start: usize, target: usize },
    #[error("This needs mixtures whose components are round: one standard deviation each.")]
    Shape,
    #[error("The noise of an interpolant must be a number that is not negative.")]
    Noise,
}
