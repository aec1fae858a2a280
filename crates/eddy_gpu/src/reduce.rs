//! Summaries of fields.

use eddy_kernels::cpu::reduce::{partial, total};
use eddy_kernels::kernels;

use crate::buffer::Buffer;
use crate::error::GpuError;
use crate::gpu::Gpu;
use crate::recording::Recording;

/// Of a field: extremes and sum of the finite values, and how many are not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub min: f32,
    pub max: f32,
    pub sum: f32,
    pub non_finite: u32,
}

impl From<[f32; 4]> for Summary {
    fn from([min, max, sum, bad]: [f32; 4]) -> Self {
        // Without any finite value the extremes are those of an empty set.
        if min > max {
            return Self { min: f32::NAN, max: f32::NAN, sum: 0.0, non_finite: bad as u32 };
        }
        Self { min, max, sum, non_finite: bad as u32 }
    }
}

/// Min, max, sum and the count of non-finite values of part of a buffer, in two dispatches.
pub struct Reduction {
    recording: Recording,
    summary: Buffer,
}

impl Reduction {
    /// Of `count` f32 values from element `offset` on, every `stride`-th (2 reads the real parts of complex numbers).
    pub fn new(gpu: &Gpu, values: &Buffer, offset: u32, count: u32, stride: u32) -> Result<Self, GpuError> {
        let last = (u64::from(offset) + u64::from(count.saturating_sub(1)) * u64::from(stride)) * 4;
        if count > 0 && last >= values.size() {
            return Err(GpuError::shape(format!("A summary of {count} values from {offset} on leaves the buffer.")));
        }
        let params = partial::Params::new(count, offset, stride);
        let partials = gpu.storage("partial summaries", 16 * u64::from(params.groups))?;
        let summary = gpu.storage("summary", 16)?;
        let mut recording = Recording::new();
        let first = gpu.pipeline_now(&kernels::reduce::PARTIAL)?;
        recording.dispatch(gpu, &first, &[&gpu.uniform(&params), values, &partials], [params.groups, 1, 1])?;
        let second = gpu.pipeline_now(&kernels::reduce::TOTAL)?;
        let join = total::Params { groups: params.groups };
        recording.dispatch(gpu, &second, &[&gpu.uniform(&join), &partials, &summary], [1, 1, 1])?;
        Ok(Self { recording, summary })
    }

    /// The summary of the values as they are now.
    pub async fn run(&self, gpu: &Gpu) -> Result<Summary, GpuError> {
        gpu.submit(&self.recording, 1)?;
        let values = gpu.read::<f32>(&self.summary, 0, 4).await?;
        Ok(Summary::from([values[0], values[1], values[2], values[3]]))
    }
}
