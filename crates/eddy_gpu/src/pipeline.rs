//! Compiled kernels.

use eddy_kernels::{BindingKind, Kernel};

use crate::buffer::Buffer;
use crate::error::GpuError;
use crate::gpu::Gpu;

/// How a kernel says that any number of threads may share a workgroup's memory.
const SHARED_THREADS: &str = "override THREADS: u32";

/// Few threads where each waits for its turn on a core of the CPU.
const SOFTWARE_THREADS: &[(&str, f64)] = &[("THREADS", 16.0)];

/// A compiled compute kernel.
#[derive(Debug)]
pub struct Pipeline {
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
    pub(crate) kernel: &'static Kernel,
}

impl Pipeline {
    /// Compiles `source` with the bindings of `kernel`. [`Gpu::pipeline`] caches; this does not.
    ///
    /// # Errors
    /// [`GpuError::Validation`] with the compiler's message.
    pub async fn compile(gpu: &Gpu, kernel: &'static Kernel, source: &str) -> Result<Self, GpuError> {
        gpu.check()?;
        let scope = gpu.device().push_error_scope(wgpu::ErrorFilter::Validation);
        let built = Self::build(gpu, kernel, source);
        match scope.pop().await {
            Some(error) => Err(error.into()),
            None => built,
        }
    }

    /// [`compile`](Self::compile) without waiting for the compiler's verdict: an error is reported by a later [`Gpu::check`].
    ///
    /// # Errors
    /// A fault of the device that is known already.
    pub fn start(gpu: &Gpu, kernel: &'static Kernel, source: &str) -> Result<Self, GpuError> {
        gpu.check()?;
        Self::build(gpu, kernel, source)
    }

    /// Compiles without waiting for the compiler's verdict: an error is reported by a later [`Gpu::check`].
    pub(crate) fn build(gpu: &Gpu, kernel: &'static Kernel, source: &str) -> Result<Self, GpuError> {
        let entry = kernel.compute().ok_or_else(|| GpuError::Validation {
            message: format!("{} draws; it has no compute entry point", kernel.name),
        })?;
        let layout = bind_group_layout(gpu, kernel, wgpu::ShaderStages::COMPUTE);
        let raw = gpu.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout(gpu, kernel, &layout)),
            module: &shader_module(gpu, kernel, source),
            entry_point: Some(entry.name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: if gpu.is_software() && source.contains(SHARED_THREADS) { SOFTWARE_THREADS } else { &[] },
                ..Default::default()
            },
            cache: None,
        });
        Ok(Self { raw, layout, kernel })
    }

    /// The kernel.
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// Workgroups that cover `points` along each axis.
    pub fn workgroups(&self, points: [u32; 3]) -> [u32; 3] {
        let size = self.kernel.compute().map_or([1; 3], |e| e.workgroup_size);
        [0, 1, 2].map(|axis| points[axis].div_ceil(size[axis].max(1)))
    }
}

pub(crate) fn shader_module(gpu: &Gpu, kernel: &Kernel, source: &str) -> wgpu::ShaderModule {
    gpu.device().create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    })
}

pub(crate) fn bind_group_layout(gpu: &Gpu, kernel: &Kernel, visibility: wgpu::ShaderStages) -> wgpu::BindGroupLayout {
    let entry = |(number, binding): (usize, &eddy_kernels::Binding)| wgpu::BindGroupLayoutEntry {
        binding: number as u32,
        visibility,
        ty: wgpu::BindingType::Buffer {
            ty: match binding.kind {
                BindingKind::Uniform => wgpu::BufferBindingType::Uniform,
                BindingKind::Read => wgpu::BufferBindingType::Storage { read_only: true },
                BindingKind::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
            },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<_> = kernel.bindings.iter().enumerate().map(entry).collect();
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(kernel.name), entries: &entries };
    gpu.device().create_bind_group_layout(&descriptor)
}

pub(crate) fn pipeline_layout(gpu: &Gpu, kernel: &Kernel, group: &wgpu::BindGroupLayout) -> wgpu::PipelineLayout {
    gpu.device().create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.name),
        bind_group_layouts: &[Some(group)],
        immediate_size: 0,
    })
}

pub(crate) fn bind_group(
    gpu: &Gpu,
    kernel: &Kernel,
    layout: &wgpu::BindGroupLayout,
    buffers: &[&Buffer],
) -> wgpu::BindGroup {
    let mut entries = Vec::with_capacity(buffers.len());
    for (number, buffer) in buffers.iter().enumerate() {
        entries.push(wgpu::BindGroupEntry { binding: number as u32, resource: buffer.raw().as_entire_binding() });
    }
    gpu.device().create_bind_group(&wgpu::BindGroupDescriptor { label: Some(kernel.name), layout, entries: &entries })
}
