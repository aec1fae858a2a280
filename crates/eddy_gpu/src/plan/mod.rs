//! Whole time steps on the device.

pub mod etdrk4;
pub mod stencil;
pub mod typed;

use std::f64::consts::TAU;

use eddy_kernels::cpu::brush::gaussian;
use eddy_kernels::kernels;

use crate::buffer::Buffer;
use crate::error::GpuError;
use crate::gpu::Gpu;
use crate::recording::Recording;

/// A Gaussian bump to add to a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brush {
    /// Centre in grid points; (0, 0) is the first point.
    pub x: f32,
    pub y: f32,
    /// Standard deviation in grid points.
    pub radius: f32,
    pub amplitude: f32,
}

/// Wavenumbers of `n` points over `length` in FFT order: 0, 1, …, -2, -1 times 2π / length.
pub fn wavenumbers(n: usize, length: f64) -> Vec<f64> {
    let mode = |i: usize| if 2 * i < n { i as f64 } else { i as f64 - n as f64 };
    (0..n).map(|i| TAU / length * mode(i)).collect()
}

/// Adds a bump to the field that starts at element `offset` of `field`.
fn paint_bump(
    gpu: &Gpu,
    field: &Buffer,
    [nx, ny]: [u32; 2],
    offset: u32,
    is_periodic: bool,
    brush: Brush,
) -> Result<(), GpuError> {
    let params = gaussian::Params {
        nx,
        ny,
        offset,
        is_periodic: u32::from(is_periodic),
        x: brush.x,
        y: brush.y,
        // A radius of 0 would divide by 0.
        radius: brush.radius.max(1e-3),
        amplitude: brush.amplitude,
    };
    let pipeline = gpu.pipeline_now(&kernels::brush::GAUSSIAN)?;
    let mut recording = Recording::new();
    recording.dispatch(gpu, &pipeline, &[&gpu.uniform(&params), field], pipeline.workgroups([nx, ny, 1]))?;
    gpu.submit(&recording, 1)
}

/// Whether every initial field has `points` values.
fn check_fields(initial: &[&[f32]], fields: usize, points: usize) -> Result<(), GpuError> {
    if initial.len() != fields || initial.iter().any(|f| f.len() != points) {
        let lengths: Vec<usize> = initial.iter().map(|f| f.len()).collect();
        return Err(GpuError::shape(format!("{fields} fields of {points} points needed, got {lengths:?}.")));
    }
    Ok(())
}
