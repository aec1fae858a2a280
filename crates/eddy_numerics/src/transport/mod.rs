//! Carrying one law to another: bridges, flows and interpolants between samples, and masked diffusion of tokens.

pub mod masked;
