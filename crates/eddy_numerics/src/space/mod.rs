//! Space: grids, Fourier transforms, finite differences, tridiagonal systems.

pub mod fft;
pub mod grid;
pub mod stencil;
pub mod tridiagonal;
