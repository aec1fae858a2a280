//! What can go wrong with a device.

/// An error of the GPU. Each has a way out that the message names; on the page the way out is the CPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    #[error("This browser has no WebGPU. Use a current Chrome, Edge, Firefox or Safari, or run on the CPU.")]
    NoWebGpu,
    #[error("No GPU adapter was offered. Update the graphics driver or allow WebGPU, or run on the CPU. ({reason})")]
    NoAdapter { reason: String },
    #[error("The GPU is too small: {name} is {have}, {need} needed. Choose a smaller grid or run on the CPU.")]
    Limit { name: &'static str, have: u64, need: u64 },
    #[error("The GPU device was lost. Restart the run, or run on the CPU. ({reason})")]
    DeviceLost { reason: String },
    #[error("The GPU ran out of memory. Choose a smaller grid, close other GPU programs, or run on the CPU.")]
    OutOfMemory,
    #[error("The GPU refused the work. Run on the CPU and report this: {message}")]
    Validation { message: String },
    #[error("{message}")]
    Shape { message: String },
    #[error("The GPU computes wrongly on this machine. Update the graphics driver or run on the CPU. ({message})")]
    Canary { message: String },
}

impl GpuError {
    /// Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoWebGpu => "no-webgpu",
            Self::NoAdapter { .. } => "no-adapter",
            Self::Limit { .. } => "limit",
            Self::DeviceLost { .. } => "device-lost",
            Self::OutOfMemory => "out-of-memory",
            Self::Validation { .. } => "validation",
            Self::Shape { .. } => "shape",
            Self::Canary { .. } => "canary",
        }
    }

    pub(crate) fn shape(message: impl Into<String>) -> Self {
        Self::Shape { message: message.into() }
    }
}

impl From<wgpu::Error> for GpuError {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
                Self::Validation { message: description }
            }
        }
    }
}
