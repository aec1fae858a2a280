//! Carrying one law to another: bridges, flows and interpolants between samples, and masked diffusion of tokens.

mod light_bridge;
pub mod masked;

pub use light_bridge::{LightBridge, gaussian_cross_covariance};
