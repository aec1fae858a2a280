//! WGSL kernels and their CPU twins.
