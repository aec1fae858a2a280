//! Typed systems of partial differential equations on grids: text → checked statement → discretization → run.

pub mod bench;
pub mod boundary;
pub mod compiled;
pub mod error;
pub mod evaluate;
pub mod grid;
pub mod presets;
pub mod problem;
pub mod refine;
pub mod spectral;
pub mod statement;
pub mod stencil;

pub use error::{Place, SolveError};
pub use problem::Problem;
pub use statement::Statement;
pub mod choose;
pub mod difference;
pub mod discrete;
pub mod jumps;
pub mod limits;
pub mod linear;
pub mod listing;
pub mod march;
pub mod observe;
mod outflow;
pub mod simulation;
pub mod visualpde;

pub use simulation::{Outcome, Simulation};
