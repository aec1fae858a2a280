//! The heat equation by finite differences: explicit, and the matrix of implicit steps.

use crate::Real;
use crate::space::stencil::{Axis, Stencil1, StencilOrder};
use crate::time::Term;

/// u_t = D u_xx on a line with any ends.
pub struct HeatLine<R> {
    stencil: Stencil1<R>,
    pub diffusivity: f64,
}

impl<R: Real> HeatLine<R> {
    pub fn new(axis: Axis, order: StencilOrder, diffusivity: f64) -> Self {
        Self { stencil: Stencil1::new(axis, order), diffusivity }
    }

    /// Largest eigenvalue magnitude, for the diffusive limit.
    pub fn spectral_radius(&self) -> f64 {
        self.diffusivity * self.stencil.order.spectral_radius(self.stencil.axis.spacing)
    }
}

impl<R: Real> Term<R> for HeatLine<R> {
    type Value = R;
    fn size(&self) -> usize {
        self.stencil.axis.points
    }
    fn evaluate(&mut self, _: f64, y: &[R], slope: &mut [R]) {
        self.stencil.second_derivative(y, self.diffusivity, slope);
    }
}
