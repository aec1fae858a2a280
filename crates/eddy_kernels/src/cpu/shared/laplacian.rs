//! Twin of shared/laplacian.wgsl.

pub const PERIODIC: u32 = 0;
pub const DIRICHLET: u32 = 1;
pub const NEUMANN: u32 = 2;

crate::layout::uniform! {
    /// A plane and the weights of its second differences.
    pub struct Stencil {
        nx: u32,
        ny: u32,
        /// [`PERIODIC`], [`DIRICHLET`] (odd mirror) or [`NEUMANN`] (even mirror about the end point).
        edge_x: u32,
        edge_y: u32,
        inverse_dx2: f32,
        inverse_dy2: f32,
        /// Weight at distance 1: 1 for order 2, 4/3 for order 4.
        near: f32,
        /// Weight at distance 2: 0 for order 2, -1/12 for order 4.
        far: f32,
    }
}

fn neighbour(index: u32, step: i32, points: u32, edge: u32) -> (usize, f32) {
    let n = points as i32;
    let at = index as i32 + step;
    if (0..n).contains(&at) {
        return (at as usize, 1.0);
    }
    if edge == PERIODIC {
        return (((at + n) % n) as usize, 1.0);
    }
    let mirrored = if at < 0 { -at } else { 2 * (n - 1) - at };
    (mirrored as usize, if edge == DIRICHLET { -1.0 } else { 1.0 })
}

/// ∇² of the field that starts at `base`.
pub fn laplacian(s: &Stencil, state: &[f32], base: u32, x: u32, y: u32) -> f32 {
    let (base, nx) = (base as usize, s.nx as usize);
    let centre = 2.0 * state[base + y as usize * nx + x as usize];
    let along_x = |step: i32| {
        let (low, sign_low) = neighbour(x, -step, s.nx, s.edge_x);
        let (high, sign_high) = neighbour(x, step, s.nx, s.edge_x);
        let row = base + y as usize * nx;
        sign_low * state[row + low] + sign_high * state[row + high] - centre
    };
    let along_y = |step: i32| {
        let (low, sign_low) = neighbour(y, -step, s.ny, s.edge_y);
        let (high, sign_high) = neighbour(y, step, s.ny, s.edge_y);
        let column = base + x as usize;
        sign_low * state[column + low * nx] + sign_high * state[column + high * nx] - centre
    };
    let (mut sum_x, mut sum_y) = (s.near * along_x(1), s.near * along_y(1));
    if s.far != 0.0 {
        sum_x += s.far * along_x(2);
        sum_y += s.far * along_y(2);
    }
    s.inverse_dx2 * sum_x + s.inverse_dy2 * sum_y
}
