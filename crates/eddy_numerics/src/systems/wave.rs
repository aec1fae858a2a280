//! The wave equation on a plane.

use crate::Real;
use crate::space::stencil::{Axis, Laplacian2, StencilOrder};
use crate::time::stability::{Limit, StabilityLimits};
use crate::time::{Term, verlet::Acceleration};

/// u_tt = c² ∇²u - damping · u_t. Second-order form for Verlet (without damping), first-order form `[u…, u_t…]` for
/// Runge-Kutta methods.
pub struct WavePlane<R> {
    pub speed: f64,
    pub damping: f64,
    laplacian: Laplacian2<R>,
    row: Vec<R>,
}

impl<R: Real> WavePlane<R> {
    pub fn new(x: Axis, y: Axis, order: StencilOrder, speed: f64, damping: f64) -> Self {
        Self { speed, damping, laplacian: Laplacian2::new(x, y, order), row: vec![R::of(0.0); x.points] }
    }

    /// Limits for a method that keeps oscillations with ω dt ≤ `interval`: 2 for Verlet.
    pub fn limits(&self, interval: f64) -> StabilityLimits {
        let fastest = self.speed * self.laplacian.spectral_radius().sqrt();
        StabilityLimits::default().with(Limit::Advective, interval / fastest)
    }

    /// Energy ½ Σ (u_t² + c² |∇u|²) dx dy, with the gradient that belongs to the stencil (Σ -u ∇²u), so that the exact flow
    /// in time conserves it on periodic, clamped and free edges of order 2.
    pub fn energy(&mut self, state: &[R]) -> f64 {
        let n = state.len() / 2;
        let (u, velocity) = state.split_at(n);
        let (x, y) = (self.laplacian.x, self.laplacian.y);
        let (nx, ny) = (x.points, y.points);
        // End points of a bounded axis stand for half a cell.
        let half = |axis: &Axis, i: usize| {
            let is_end = (i == 0 || i + 1 == axis.points) && axis.low != crate::space::stencil::Edge::Periodic;
            if is_end { 0.5 } else { 1.0 }
        };
        let mut sum = 0.0;
        let c2 = self.speed * self.speed;
        self.laplacian.for_rows(u, &mut self.row, |j, lap| {
            for i in 0..nx {
                let (u, v) = (u[j * nx + i].to_f64(), velocity[j * nx + i].to_f64());
                let weight = half(&x, i) * half(&y, j.min(ny - 1));
                sum += weight * (v * v - c2 * u * lap[i].to_f64());
            }
        });
        0.5 * sum * x.spacing * y.spacing
    }
}

impl<R: Real> Acceleration<R> for WavePlane<R> {
    fn size(&self) -> usize {
        self.laplacian.x.points * self.laplacian.y.points
    }
    fn acceleration(&mut self, _: f64, q: &[R], out: &mut [R]) {
        let nx = self.laplacian.x.points;
        let c2 = R::of(self.speed * self.speed);
        self.laplacian.for_rows(q, &mut self.row, |j, lap| {
            for (o, l) in out[j * nx..(j + 1) * nx].iter_mut().zip(lap) {
                *o = c2 * *l;
            }
        });
    }
}

impl<R: Real> Term<R> for WavePlane<R> {
    type Value = R;
    fn size(&self) -> usize {
        2 * self.laplacian.x.points * self.laplacian.y.points
    }
    fn evaluate(&mut self, t: f64, y: &[R], slope: &mut [R]) {
        let n = y.len() / 2;
        let (u, v) = y.split_at(n);
        let (u_t, v_t) = slope.split_at_mut(n);
        u_t.copy_from_slice(v);
        self.acceleration(t, u, v_t);
        let damping = R::of(self.damping);
        for (a, v) in v_t.iter_mut().zip(v) {
            *a -= damping * *v;
        }
    }
}
