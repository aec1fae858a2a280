//! Space: grids, Fourier transforms, finite differences, tridiagonal systems.

pub mod difference;
pub mod fft;
pub mod grid;
mod plan;
pub mod stencil;
pub mod tridiagonal;
pub mod trig;
