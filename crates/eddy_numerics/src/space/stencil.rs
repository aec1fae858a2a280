//! Finite differences of order 2 and 4 on lines and planes, with periodic, Dirichlet and Neumann ends.

use crate::Real;
use crate::space::tridiagonal::Tridiagonal;

/// Condition at one end of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edge {
    /// The last point is the neighbour of the first. Both ends must be periodic.
    Periodic,
    /// The end point keeps this value.
    Dirichlet(f64),
    /// This slope in the direction of the axis (not of the outward normal).
    Neumann(f64),
}

/// Formal order of the interior formula. Ghost values mirror the field about the end point; order 4 is kept there if the
/// mirrored field is smooth (homogeneous Neumann for diffusion, values at which the field is odd), else it falls to 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StencilOrder {
    Two,
    Four,
}

impl StencilOrder {
    /// Weights of the second derivative at distances 0, 1, 2, in units of 1/dx².
    pub fn second_derivative(self) -> [f64; 3] {
        match self {
            Self::Two => [-2.0, 1.0, 0.0],
            Self::Four => [-5.0 / 2.0, 4.0 / 3.0, -1.0 / 12.0],
        }
    }

    /// Antisymmetric weights of the first derivative at distances 1, 2, in units of 1/dx.
    pub fn first_derivative(self) -> [f64; 2] {
        match self {
            Self::Two => [0.5, 0.0],
            Self::Four => [2.0 / 3.0, -1.0 / 12.0],
        }
    }

    /// The eigenvalue of the second derivative for wavenumber `k` on a periodic grid; tends to -k².
    pub fn symbol(self, k: f64, dx: f64) -> f64 {
        let [w0, w1, w2] = self.second_derivative();
        (w0 + 2.0 * w1 * (k * dx).cos() + 2.0 * w2 * (2.0 * k * dx).cos()) / (dx * dx)
    }

    /// Largest eigenvalue magnitude of the second derivative in one dimension: 4/dx² or 16/(3 dx²).
    pub fn spectral_radius(self, dx: f64) -> f64 {
        match self {
            Self::Two => 4.0 / (dx * dx),
            Self::Four => 16.0 / (3.0 * dx * dx),
        }
    }
}

/// One axis: points, distance, ends. Without periodicity the end points are points of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    pub points: usize,
    pub spacing: f64,
    pub low: Edge,
    pub high: Edge,
}

impl Axis {
    pub fn periodic(points: usize, length: f64) -> Self {
        Self { points, spacing: length / points as f64, low: Edge::Periodic, high: Edge::Periodic }
    }

    /// `points` points over `length`, both end points included.
    pub fn bounded(points: usize, length: f64, low: Edge, high: Edge) -> Self {
        Self { points, spacing: length / (points - 1) as f64, low, high }
    }
}

/// Ghost points at each end.
const GHOSTS: usize = 2;

/// Copies a line into `padded` (two ghosts at each end) and fills the ghosts. `at(i)` addresses element i of `padded`.
fn fill_ghosts<R: Real>(padded: &mut [R], axis: &Axis, at: impl Fn(usize) -> usize) {
    let n = axis.points;
    for g in 1..=GHOSTS {
        let (low, high) = (GHOSTS - g, GHOSTS + n - 1 + g);
        // A mirror image inside the grid; on very short grids the far end stands in.
        let (inside_low, inside_high) =
            ((GHOSTS + g).min(GHOSTS + n - 1), (GHOSTS + n - 1).saturating_sub(g).max(GHOSTS));
        let distance = R::of(2.0 * axis.spacing * g as f64);
        padded[at(low)] = match axis.low {
            Edge::Periodic => padded[at(GHOSTS + (n - g % n) % n)],
            Edge::Dirichlet(value) => R::of(2.0 * value) - padded[at(inside_low)],
            Edge::Neumann(slope) => padded[at(inside_low)] - distance * R::of(slope),
        };
        padded[at(high)] = match axis.high {
            Edge::Periodic => padded[at(GHOSTS + (g - 1) % n)],
            Edge::Dirichlet(value) => R::of(2.0 * value) - padded[at(inside_high)],
            Edge::Neumann(slope) => padded[at(inside_high)] + distance * R::of(slope),
        };
    }
}

/// Second and first derivatives on a line. O(n), no allocation after construction.
#[derive(Clone, Debug)]
pub struct Stencil1<R> {
    pub axis: Axis,
    pub order: StencilOrder,
    padded: Vec<R>,
}

impl<R: Real> Stencil1<R> {
    pub fn new(axis: Axis, order: StencilOrder) -> Self {
        Self { axis, order, padded: vec![R::of(0.0); axis.points + 2 * GHOSTS] }
    }

    fn load(&mut self, u: &[R]) {
        self.padded[GHOSTS..GHOSTS + self.axis.points].copy_from_slice(u);
        fill_ghosts(&mut self.padded, &self.axis, |i| i);
    }

    fn fix_ends(&self, out: &mut [R]) {
        if matches!(self.axis.low, Edge::Dirichlet(_)) {
            out[0] = R::of(0.0);
        }
        if matches!(self.axis.high, Edge::Dirichlet(_)) {
            out[self.axis.points - 1] = R::of(0.0);
        }
    }

    /// out = scale · u_xx; 0 at Dirichlet ends, whose value does not change.
    pub fn second_derivative(&mut self, u: &[R], scale: f64, out: &mut [R]) {
        self.load(u);
        let [w0, w1, w2] =
            self.order.second_derivative().map(|w| R::of(w * scale / (self.axis.spacing * self.axis.spacing)));
        let p = &self.padded;
        for (i, o) in out.iter_mut().enumerate() {
            *o = w0 * p[i + 2] + w1 * (p[i + 1] + p[i + 3]) + w2 * (p[i] + p[i + 4]);
        }
        self.fix_ends(out);
    }

    /// out = scale · u_x.
    pub fn first_derivative(&mut self, u: &[R], scale: f64, out: &mut [R]) {
        self.load(u);
        let [w1, w2] = self.order.first_derivative().map(|w| R::of(w * scale / self.axis.spacing));
        let p = &self.padded;
        for (i, o) in out.iter_mut().enumerate() {
            *o = w1 * (p[i + 3] - p[i + 1]) + w2 * (p[i + 4] - p[i]);
        }
    }

    /// The second derivative of order 2 as a matrix and a source, for implicit steps: scale · u_xx = A u + b.
    pub fn tridiagonal(axis: &Axis, scale: f64) -> (Tridiagonal<R>, Vec<R>) {
        let n = axis.points;
        let w = scale / (axis.spacing * axis.spacing);
        let mut a = Tridiagonal {
            lower: vec![R::of(w); n],
            diagonal: vec![R::of(-2.0 * w); n],
            upper: vec![R::of(w); n],
            periodic: axis.low == Edge::Periodic,
        };
        let mut b = vec![R::of(0.0); n];
        let zero = R::of(0.0);
        match axis.low {
            Edge::Periodic => {}
            Edge::Dirichlet(_) => (a.diagonal[0], a.upper[0]) = (zero, zero),
            Edge::Neumann(slope) => {
                a.upper[0] = R::of(2.0 * w);
                b[0] = R::of(-2.0 * w * axis.spacing * slope);
            }
        }
        match axis.high {
            Edge::Periodic => {}
            Edge::Dirichlet(_) => (a.diagonal[n - 1], a.lower[n - 1]) = (zero, zero),
            Edge::Neumann(slope) => {
                a.lower[n - 1] = R::of(2.0 * w);
                b[n - 1] = R::of(2.0 * w * axis.spacing * slope);
            }
        }
        (a, b)
    }
}

/// The Laplacian on a plane `u[y * nx + x]`: five points (order 2) or nine points of a cross (order 4).
#[derive(Clone, Debug)]
pub struct Laplacian2<R> {
    pub x: Axis,
    pub y: Axis,
    pub order: StencilOrder,
    padded: Vec<R>,
}

impl<R: Real> Laplacian2<R> {
    pub fn new(x: Axis, y: Axis, order: StencilOrder) -> Self {
        Self { x, y, order, padded: vec![R::of(0.0); (x.points + 2 * GHOSTS) * (y.points + 2 * GHOSTS)] }
    }

    /// Largest eigenvalue magnitude.
    pub fn spectral_radius(&self) -> f64 {
        self.order.spectral_radius(self.x.spacing) + self.order.spectral_radius(self.y.spacing)
    }

    /// Calls `row(y, lap, u)` for each row with the Laplacian and the field there; the caller combines them while they are
    /// in the first cache. `scratch` is one row long.
    pub fn for_rows(&mut self, u: &[R], scratch: &mut [R], mut row: impl FnMut(usize, &[R])) {
        let (nx, ny) = (self.x.points, self.y.points);
        let width = nx + 2 * GHOSTS;
        for (j, line) in u.chunks_exact(nx).enumerate() {
            let start = (j + GHOSTS) * width;
            let padded = &mut self.padded[start..start + width];
            padded[GHOSTS..GHOSTS + nx].copy_from_slice(line);
            fill_ghosts(padded, &self.x, |i| i);
        }
        for i in 0..width {
            fill_ghosts(&mut self.padded, &self.y, |j| j * width + i);
        }
        let weights = |axis: &Axis| self.order.second_derivative().map(|w| R::of(w / (axis.spacing * axis.spacing)));
        let ([x0, x1, x2], [y0, y1, y2]) = (weights(&self.x), weights(&self.y));
        let centre = x0 + y0;
        let p = &self.padded;
        let (fixed_left, fixed_right) =
            (matches!(self.x.low, Edge::Dirichlet(_)), matches!(self.x.high, Edge::Dirichlet(_)));
        for j in 0..ny {
            let at = |k: usize| &p[(j + k) * width..(j + k + 1) * width];
            let (c, down, up) = (at(2), at(1), at(3));
            let (down, up) = (&down[2..2 + nx], &up[2..2 + nx]);
            let fixed = (j == 0 && matches!(self.y.low, Edge::Dirichlet(_)))
                || (j + 1 == ny && matches!(self.y.high, Edge::Dirichlet(_)));
            let out = &mut scratch[..nx];
            if fixed {
                out.fill(R::of(0.0));
            } else {
                let (left, middle, right) = (&c[1..1 + nx], &c[2..2 + nx], &c[3..3 + nx]);
                for i in 0..nx {
                    out[i] = centre * middle[i] + x1 * (left[i] + right[i]) + y1 * (down[i] + up[i]);
                }
                if self.order == StencilOrder::Four {
                    let (left, right) = (&c[..nx], &c[4..4 + nx]);
                    let (down, up) = (&at(0)[2..2 + nx], &at(4)[2..2 + nx]);
                    for i in 0..nx {
                        out[i] += x2 * (left[i] + right[i]) + y2 * (down[i] + up[i]);
                    }
                }
                if fixed_left {
                    out[0] = R::of(0.0);
                }
                if fixed_right {
                    out[nx - 1] = R::of(0.0);
                }
            }
            row(j, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::observed_order;
    use std::f64::consts::{PI, TAU};

    #[test]
    fn periodic_symbols_are_exact() {
        for order in [StencilOrder::Two, StencilOrder::Four] {
            let axis = Axis::periodic(24, TAU);
            let mut stencil = Stencil1::<f64>::new(axis, order);
            for k in 0..12 {
                let u: Vec<f64> = (0..24).map(|i| (k as f64 * axis.spacing * i as f64 + 0.3).cos()).collect();
                let mut out = vec![f64::NAN; 24];
                stencil.second_derivative(&u, 1.0, &mut out);
                let symbol = order.symbol(k as f64, axis.spacing);
                assert!(out.iter().zip(&u).all(|(a, b)| (a - symbol * b).abs() < 1e-11));
                assert!(symbol.abs() <= order.spectral_radius(axis.spacing) + 1e-12);
            }
        }
    }

    #[test]
    fn ends_have_their_order() {
        // cos has zero slope at 0 and π, sin is odd there: mirroring is exact, so order 4 must be seen.
        for (order, low, high) in [(StencilOrder::Two, 1.9, 2.1), (StencilOrder::Four, 3.8, 4.2)] {
            for (edge, f) in
                [(Edge::Neumann(0.0), f64::cos as fn(f64) -> f64), (Edge::Dirichlet(0.0), f64::sin as fn(f64) -> f64)]
            {
                let errors: Vec<f64> = [17, 33, 65]
                    .iter()
                    .map(|&n| {
                        let axis = Axis::bounded(n, PI, edge, edge);
                        let u: Vec<f64> = (0..n).map(|i| f(axis.spacing * i as f64)).collect();
                        let mut out = vec![f64::NAN; n];
                        Stencil1::new(axis, order).second_derivative(&u, 1.0, &mut out);
                        out.iter().zip(&u).map(|(a, b)| (a + b).abs()).fold(0.0, f64::max)
                    })
                    .collect();
                let (least, most) = observed_order(&errors);
                assert!(least > low && most < high, "{order:?} {edge:?}: {least} {most}");
            }
        }
        // An inhomogeneous slope and value, exact for a parabola at order 2.
        let axis = Axis::bounded(9, 2.0, Edge::Neumann(-1.0), Edge::Neumann(3.0));
        let u: Vec<f64> = (0..9).map(|i| axis.spacing * i as f64).map(|x| x * x - x).collect();
        let mut out = vec![0.0; 9];
        Stencil1::new(axis, StencilOrder::Two).second_derivative(&u, 1.0, &mut out);
        assert!(out.iter().all(|v| (v - 2.0).abs() < 1e-12));
    }

    #[test]
    fn planes_equal_lines_in_both_directions() {
        let edges = [Edge::Periodic, Edge::Neumann(0.5), Edge::Dirichlet(0.2)];
        for order in [StencilOrder::Two, StencilOrder::Four] {
            for edge in edges {
                let (nx, ny) = (13, 9);
                let axis = |n, length| match edge {
                    Edge::Periodic => Axis::periodic(n, length),
                    _ => Axis::bounded(n, length, edge, edge),
                };
                let (x, y) = (axis(nx, 1.3), axis(ny, 0.7));
                let u: Vec<f64> = (0..nx * ny).map(|i| ((i * 37 % 101) as f64 / 50.0).sin()).collect();
                let mut expected = vec![0.0; nx * ny];
                let mut row = vec![0.0; nx];
                for j in 0..ny {
                    Stencil1::new(x, order).second_derivative(&u[j * nx..(j + 1) * nx], 1.0, &mut row);
                    expected[j * nx..(j + 1) * nx].copy_from_slice(&row);
                }
                let mut column_out = vec![0.0; ny];
                for i in 0..nx {
                    let column: Vec<f64> = (0..ny).map(|j| u[j * nx + i]).collect();
                    Stencil1::new(y, order).second_derivative(&column, 1.0, &mut column_out);
                    for j in 0..ny {
                        expected[j * nx + i] += column_out[j];
                    }
                }
                if matches!(edge, Edge::Dirichlet(_)) {
                    for j in 0..ny {
                        for i in 0..nx {
                            if i == 0 || j == 0 || i + 1 == nx || j + 1 == ny {
                                expected[j * nx + i] = 0.0;
                            }
                        }
                    }
                }
                let mut laplacian = Laplacian2::new(x, y, order);
                let mut scratch = vec![f64::NAN; nx];
                let mut worst = 0.0_f64;
                laplacian.for_rows(&u, &mut scratch, |j, lap| {
                    for (a, b) in lap.iter().zip(&expected[j * nx..]) {
                        worst = worst.max((a - b).abs());
                    }
                });
                assert!(worst < 1e-10, "{order:?} {edge:?}: {worst}");
            }
        }
    }

    #[test]
    fn matrix_form_equals_the_stencil() {
        for (low, high) in [(Edge::Periodic, Edge::Periodic), (Edge::Dirichlet(1.0), Edge::Neumann(-0.3))] {
            let axis = Axis { points: 11, spacing: 0.17, low, high };
            let u: Vec<f64> = (0..11).map(|i| if i == 0 { 1.0 } else { (i as f64).sin() }).collect();
            let (a, b) = Stencil1::tridiagonal(&axis, 0.4);
            let (mut by_matrix, mut by_stencil) = (vec![0.0; 11], vec![0.0; 11]);
            a.apply(&u, &mut by_matrix);
            Stencil1::new(axis, StencilOrder::Two).second_derivative(&u, 0.4, &mut by_stencil);
            for i in 0..11 {
                assert!((by_matrix[i] + b[i] - by_stencil[i]).abs() < 1e-12, "{low:?} {i}");
            }
        }
    }
}
