//! Fused dense networks.
