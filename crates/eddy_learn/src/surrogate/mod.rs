//! A convolutional network that learns the step map of viscous Burgers from a solver, while it trains.

mod data;
mod network;
mod training;

pub use data::Problem;
pub use network::NetworkShape;
pub use training::{Evaluation, Options, Training};
