//! Compiled expressions at all points of a grid.

use eddy_expr::{BlockKernel, Column, Field, Kernel, Row, program::Operand, program::UniformInput};
use eddy_numerics::Real;

use crate::grid::Grid;

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
    kernel: BlockKernel<R>,
    coordinates: [Vec<R>; 3],
    shape: [usize; 3],
    reads_coordinates: bool,
}

impl<R: Scalar> Pointwise<R> {
    pub fn new(kernel: &Kernel, grid: &Grid) -> Self {
        let program = &kernel.program;
        let reads_coordinates = program
            .code
            .iter()
            .flat_map(|instruction| instruction.used())
            .chain(&program.outputs)
            .any(|operand| matches!(operand, Operand::Coordinate(_)));
        let coordinates = [0, 1, 2].map(|axis| {
            grid.axes
                .get(axis)
                .map_or_else(|| vec![R::of(0.0)], |axis| axis.coordinates().into_iter().map(R::of).collect())
        });
        Self { kernel: BlockKernel::new(program.clone()), coordinates, shape: grid.shape(), reads_coordinates }
    }

    /// Evaluates all outputs at all points. A call that does not fit leaves NaN, which the run reports as a blow-up.
    pub fn run(&mut self, arrays: &[&[R]], uniforms: Uniforms<'_>, outputs: &mut [Vec<R>]) {
        self.kernel.set_uniforms(|input| match input {
            UniformInput::Parameter(index) => uniforms.parameters.get(usize::from(index)).copied().unwrap_or(f64::NAN),
            UniformInput::Time => uniforms.time,
            UniformInput::Integral(index) => uniforms.integrals.get(usize::from(index)).copied().unwrap_or(f64::NAN),
            UniformInput::InverseSpacing(_) => f64::NAN,
        });
        let [nx, ny, nz] = self.shape;
        let (width, rows) = if self.reads_coordinates { (nx, ny * nz) } else { (nx * ny * nz, 1) };
        for row in 0..rows {
            let range = row * width..(row + 1) * width;
            let fields: Vec<Field<'_, R>> = arrays.iter().map(|data| Field { data, start: range.start }).collect();
            let coordinates = [
                Column::Values(self.coordinates[0].as_slice()),
                Column::Constant(self.coordinates[1][row % ny]),
                Column::Constant(self.coordinates[2][row / ny % nz]),
            ];
            let mut slices: Vec<&mut [R]> = outputs.iter_mut().map(|output| &mut output[range.clone()]).collect();
            if self.kernel.run(&Row { fields: &fields, strides: [1, 0, 0], coordinates }, &mut slices).is_err() {
                slices.iter_mut().for_each(|slice| slice.fill(R::of(f64::NAN)));
            }
        }
    }
}
