//! Transforms of lines and planes.

use std::sync::Arc;

use eddy_kernels::cpu::fft::stockham::{MAX_POINTS, Params, twiddles};
use eddy_kernels::kernels;

use crate::buffer::Buffer;
use crate::error::GpuError;
use crate::gpu::Gpu;
use crate::pipeline::Pipeline;
use crate::recording::Recording;

/// In-place complex transforms of `nx` × `ny` planes (or of lines, `ny` = 1) that follow one another in a buffer.
///
/// The forward transform is not scaled; the inverse is scaled by 1 / (nx ny). One dispatch for lines, two for planes.
pub struct FftPlan {
    pipeline: Arc<Pipeline>,
    nx: u32,
    ny: u32,
    twiddles_x: Buffer,
    twiddles_y: Option<Buffer>,
}

impl FftPlan {
    /// # Errors
    /// [`GpuError::Shape`] unless `nx` is a power of two from 2 to 1024 and `ny` is one or 1.
    pub fn new(gpu: &Gpu, nx: usize, ny: usize) -> Result<Self, GpuError> {
        let fits = |n: usize| n.is_power_of_two() && (2..=MAX_POINTS as usize).contains(&n);
        if !fits(nx) || !(ny == 1 || fits(ny)) {
            return Err(GpuError::shape(format!(
                "The GPU's Fourier transform takes powers of two from 2 to {MAX_POINTS} per axis, not {nx} × {ny}. \
                 Change the grid or run on the CPU."
            )));
        }
        let table = |n: usize| gpu.storage_from("twiddles", &twiddles(n as u32));
        Ok(Self {
            pipeline: gpu.pipeline_now(&kernels::fft::STOCKHAM)?,
            nx: nx as u32,
            ny: ny as u32,
            twiddles_x: table(nx)?,
            twiddles_y: if ny > 1 { Some(table(ny)?) } else { None },
        })
    }

    /// Appends the transform of the first `planes` planes of `data`.
    pub fn record(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        data: &Buffer,
        planes: u32,
        is_inverse: bool,
    ) -> Result<(), GpuError> {
        let rows = Params::rows(self.nx, self.ny * planes, is_inverse);
        self.pass(gpu, recording, &rows, &self.twiddles_x, data)?;
        if let Some(twiddles) = &self.twiddles_y {
            let columns = Params::columns(self.nx, self.ny, planes, is_inverse);
            self.pass(gpu, recording, &columns, twiddles, data)?;
        }
        Ok(())
    }

    fn pass(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        params: &Params,
        twiddles: &Buffer,
        data: &Buffer,
    ) -> Result<(), GpuError> {
        let uniform = gpu.uniform(params);
        recording.dispatch(gpu, &self.pipeline, &[&uniform, twiddles, data], [params.workgroups(), 1, 1])
    }
}
