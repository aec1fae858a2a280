// The Laplacian of the bound array `state` at one point of a plane: weights `near` at distance 1 and `far` at distance 2.
const PERIODIC: u32 = 0u;
const DIRICHLET: u32 = 1u;

struct Stencil {
    nx: u32,
    ny: u32,
    edge_x: u32,
    edge_y: u32,
    inverse_dx2: f32,
    inverse_dy2: f32,
    near: f32,
    far: f32,
}

struct Neighbour {
    index: u32,
    // -1 where a Dirichlet wall mirrors the field oddly.
    sign: f32,
}

fn neighbour(index: u32, step: i32, points: u32, edge: u32) -> Neighbour {
    let n = i32(points);
    var at = i32(index) + step;
    if at >= 0 && at < n {
        return Neighbour(u32(at), 1.0);
    }
    if edge == PERIODIC {
        return Neighbour(u32((at + n) % n), 1.0);
    }
    at = select(2 * (n - 1) - at, -at, at < 0);
    return Neighbour(u32(at), select(1.0, -1.0, edge == DIRICHLET));
}

fn second_difference_x(s: Stencil, base: u32, x: u32, y: u32, step: i32) -> f32 {
    let low = neighbour(x, -step, s.nx, s.edge_x);
    let high = neighbour(x, step, s.nx, s.edge_x);
    let row = base + y * s.nx;
    return low.sign * state[row + low.index] + high.sign * state[row + high.index] - 2.0 * state[row + x];
}

fn second_difference_y(s: Stencil, base: u32, x: u32, y: u32, step: i32) -> f32 {
    let low = neighbour(y, -step, s.ny, s.edge_y);
    let high = neighbour(y, step, s.ny, s.edge_y);
    let column = base + x;
    return low.sign * state[column + low.index * s.nx] + high.sign * state[column + high.index * s.nx]
        - 2.0 * state[column + y * s.nx];
}

fn laplacian(s: Stencil, base: u32, x: u32, y: u32) -> f32 {
    var along_x = s.near * second_difference_x(s, base, x, y, 1);
    var along_y = s.near * second_difference_y(s, base, x, y, 1);
    if s.far != 0.0 {
        along_x += s.far * second_difference_x(s, base, x, y, 2);
        along_y += s.far * second_difference_y(s, base, x, y, 2);
    }
    return s.inverse_dx2 * along_x + s.inverse_dy2 * along_y;
}
