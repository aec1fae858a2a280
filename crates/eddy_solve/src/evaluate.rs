//! Compiled expressions at all points of a grid.

use eddy_expr::Kernel;
use eddy_numerics::Real;

use crate::{
    compiled::{Plane, Runner, reads_coordinates},
    grid::Grid,
};

/// Both number traits at once: f32 and f64.
pub trait Scalar: Real + eddy_expr::Real + bytemuck::Pod {}
impl Scalar for f32 {}
impl Scalar for f64 {}

/// Numbers that hold at all points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniforms<'a> {
    pub time: f64,
    pub parameters: &'a [f64],
    pub integrals: &'a [f64],
}

/// A pointwise kernel on a grid.
#[derive(Clone, Debug)]
pub struct Pointwise<R> {
    runner: Runner<R>,
    /// Points along a row, rows of a plane, planes: all points are one row where no coordinate is read.
    shape: [usize; 3],
}

impl<R: Scalar> Pointwise<R> {
    pub fn new(kernel: &Kernel, grid: &Grid) -> Self {
        let shape = if reads_coordinates(&kernel.program) { grid.shape() } else { [grid.points(), 1, 1] };
        Self { runner: Runner::new(kernel.program.clone(), grid, shape[0]), shape }
    }

    /// Evaluates all outputs at all points. A call that does not fit leaves NaN, which the run reports as a blow-up.
    pub fn run(&mut self, arrays: &[&[R]], uniforms: Uniforms<'_>, outputs: &mut [Vec<R>]) {
        let [nx, ny, nz] = self.shape;
        self.runner.set_uniforms(uniforms, nx * ny * nz);
        for z in 0..nz {
            let start = z * nx * ny;
            let plane = Plane { start, strides: [nx, nx * ny], shape: [nx, ny], origin: [0, 0, z], output: [0, nx] };
            let mut slices: Vec<&mut [R]> =
                outputs.iter_mut().map(|output| &mut output[start..start + nx * ny]).collect();
            self.runner.run(arrays, plane, &mut slices);
        }
    }
}
