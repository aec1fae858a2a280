//! Labs: what the experiments of one kind of problem share. The time or training loop of a kind exists once, here.

#[cfg(feature = "sampler")]
pub mod atoms;
#[cfg(any(feature = "sampler", feature = "flow"))]
pub mod flow;
#[cfg(feature = "learn")]
pub mod image;
#[cfg(feature = "core")]
pub mod pde;
#[cfg(any(feature = "pinn", feature = "equations"))]
pub mod pinn;
#[cfg(any(feature = "sampler", feature = "flow"))]
pub mod sampler;
#[cfg(feature = "equations")]
pub mod typed;
#[cfg(feature = "pinn")]
pub mod walls;
