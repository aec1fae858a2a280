//! The flow lab: laws carried to laws by fields, learned or exact, and how well they arrive.

pub mod bench;
pub mod denoise;
pub mod distill;
mod network;
mod paths;
mod pictures;
pub mod reflow;
pub mod restore;
pub mod shapes;
pub mod sheet;
mod student;

pub use network::{FieldNetwork, Loss, optimizer};
pub use paths::{euler, euler_maruyama, heun, straightness, transport_cost};
pub use pictures::{Cloud, Trails, angles, density, energy_floor, error_lines, sweep_lines, with_gaps};
