//! Labs: what the experiments of one kind of problem share. The time or training loop of a kind exists once, here.

pub mod pde;
pub mod pinn;
pub mod sampler;
