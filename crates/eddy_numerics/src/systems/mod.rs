//! Systems of equations, each a term for the steppers of [`crate::time`].

pub mod chromatograph;
pub mod gray_scott;
pub mod heat;
pub mod klein_gordon;
pub mod navier_stokes;
pub mod responsive_membrane;
pub mod schrodinger;
pub mod spectral_line;
pub mod stochastic_acceleration;
pub mod wave;
