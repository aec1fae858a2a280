//! CPU numerical methods.
