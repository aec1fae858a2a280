//! Twin of shared/wall.wgsl.

use super::laplacian::{DIRICHLET, Stencil};

fn is_held(index: u32, points: u32, edge: u32) -> bool {
    edge == DIRICHLET && (index == 0 || index + 1 == points)
}

/// Whether a point lies at the end of an axis with a Dirichlet wall, where fields keep their value.
pub fn is_on_wall(s: &Stencil, x: u32, y: u32) -> bool {
    is_held(x, s.nx, s.edge_x) || is_held(y, s.ny, s.edge_y)
}
