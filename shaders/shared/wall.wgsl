// Points at the end of an axis with a Dirichlet wall; needs shared/laplacian.
fn is_held(index: u32, points: u32, edge: u32) -> bool {
    return edge == DIRICHLET && (index == 0u || index + 1u == points);
}

fn is_on_wall(s: Stencil, x: u32, y: u32) -> bool {
    return is_held(x, s.nx, s.edge_x) || is_held(y, s.ny, s.edge_y);
}
