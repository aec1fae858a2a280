//! The GPU executor: device, buffers, recorded dispatches, plans for whole time steps, read-back, drawing.
//!
//! Everything works natively (Vulkan, Metal, Direct3D 12) and in a browser (WebGPU only). Steps are recorded once and
//! replayed, many to a submission; nothing waits except the futures of read-backs. Errors of the device arrive late and
//! without a caller: they are kept, and the next call that returns a [`GpuError`] reports them.

mod buffer;
mod canary;
mod draw;
mod error;
mod fft;
mod gpu;
mod pipeline;
mod plan;
mod recording;
mod reduce;

pub use buffer::Buffer;
pub use canary::canary;
pub use draw::{Canvas, ColourMap, FieldSource, PaintStyle};
pub use error::GpuError;
pub use fft::FftPlan;
pub use gpu::{Gpu, GpuOptions, Tier};
pub use pipeline::Pipeline;
pub use plan::etdrk4::{Etdrk4Plan, Etdrk4Spec, Nonlinear};
pub use plan::stencil::{Edge, StencilMethod, StencilOrder, StencilPlan, StencilSpec, StencilSystem};
pub use plan::typed::{TypedMethod, TypedPlan, TypedSpec, UniformsAt};
pub use plan::{Brush, wavenumbers};
pub use recording::Recording;
pub use reduce::{Reduction, Summary};
pub use wgpu;
