//! A convolutional network that learns the step map of an evolution equation from a solver.

mod network;

pub use network::NetworkShape;
