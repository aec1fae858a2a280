//! Fields on a canvas, straight from their buffer.

use eddy_kernels::cpu::draw::colormap::Params;
use eddy_kernels::{Stage, kernels};

use crate::buffer::Buffer;
use crate::error::GpuError;
use crate::gpu::Gpu;
use crate::pipeline::{bind_group, bind_group_layout, pipeline_layout, shader_module};

/// A field inside a buffer: `nx` × `ny` values of f32 from element `offset` on, index `y * nx + x`.
#[derive(Clone, Debug)]
pub struct FieldSource {
    pub buffer: Buffer,
    pub nx: usize,
    pub ny: usize,
    pub offset: usize,
}

/// 256 colours on the device.
#[derive(Clone, Debug)]
pub struct ColourMap {
    colours: Buffer,
}

impl ColourMap {
    /// From red, green, blue, alpha; premultiplied where they are not opaque.
    pub fn new(gpu: &Gpu, rgba: &[[u8; 4]; 256]) -> Result<Self, GpuError> {
        let packed: Vec<u32> = rgba.iter().map(|c| u32::from_le_bytes(*c)).collect();
        Ok(Self { colours: gpu.storage_from("colours", &packed)? })
    }
}

/// How values become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaintStyle {
    /// Values of the first and the last colour.
    pub low: f32,
    pub high: f32,
    /// Bilinear between points instead of one flat cell per point.
    pub is_smooth: bool,
    /// Row 0 at the bottom, as in a plot, instead of at the top.
    pub is_flipped: bool,
}

impl PaintStyle {
    /// A range that the kernel can divide by.
    fn range(&self) -> (f32, f32) {
        if self.low.is_finite() && self.high.is_finite() && self.low != self.high {
            return (self.low, self.high);
        }
        let middle = if self.low.is_finite() { self.low } else { 0.0 };
        let half = 0.5 * middle.abs().max(1.0);
        (middle - half, middle + half)
    }
}

enum Target {
    Surface { surface: wgpu::Surface<'static>, config: wgpu::SurfaceConfiguration },
    Texture(wgpu::Texture),
}

/// Something to draw on: a browser's canvas or a texture.
pub struct Canvas {
    gpu: Gpu,
    target: Target,
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    params: Buffer,
    /// The bind group of the last field and colours; a run draws the same ones every frame.
    last: Option<([wgpu::Buffer; 2], wgpu::BindGroup)>,
}

const TEXTURE_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

impl Gpu {
    /// Takes over an OffscreenCanvas. It must not have another context.
    #[cfg(target_arch = "wasm32")]
    pub async fn surface_from_offscreen(&self, canvas: wgpu::web_sys::OffscreenCanvas) -> Result<Canvas, GpuError> {
        self.check()?;
        let (width, height) = (canvas.width().max(1), canvas.height().max(1));
        let surface = self
            .instance()
            .create_surface(wgpu::SurfaceTarget::OffscreenCanvas(canvas))
            .map_err(|e| GpuError::Validation { message: e.to_string() })?;
        Canvas::from_surface(self, surface, width, height).await
    }

    /// A texture of `width` × `height` pixels that can be read back.
    pub async fn texture_canvas(&self, width: u32, height: u32) -> Result<Canvas, GpuError> {
        self.check()?;
        let texture = new_texture(self, width, height)?;
        Canvas::new(self, Target::Texture(texture), TEXTURE_FORMAT).await
    }
}

fn new_texture(gpu: &Gpu, width: u32, height: u32) -> Result<wgpu::Texture, GpuError> {
    check_size(gpu, width, height)?;
    Ok(gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: Some("canvas"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: TEXTURE_FORMAT,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    }))
}

fn check_size(gpu: &Gpu, width: u32, height: u32) -> Result<(), GpuError> {
    let most = gpu.limits().max_texture_dimension_2d;
    let largest = width.max(height);
    if largest > most {
        return Err(GpuError::Limit { name: "canvas size (pixels)", have: most.into(), need: largest.into() });
    }
    if width == 0 || height == 0 {
        return Err(GpuError::shape("A canvas needs at least one pixel."));
    }
    Ok(())
}

impl Canvas {
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "native programs draw to textures"))]
    async fn from_surface(
        gpu: &Gpu,
        surface: wgpu::Surface<'static>,
        width: u32,
        height: u32,
    ) -> Result<Self, GpuError> {
        check_size(gpu, width, height)?;
        let refused = || GpuError::Validation { message: "the canvas does not fit the adapter".to_owned() };
        let mut config = surface.get_default_config(gpu.adapter(), width, height).ok_or_else(refused)?;
        // Colour maps are given in display values; an sRGB format would encode them twice.
        config.format = config.format.remove_srgb_suffix();
        surface.configure(gpu.device(), &config);
        let format = config.format;
        Self::new(gpu, Target::Surface { surface, config }, format).await
    }

    async fn new(gpu: &Gpu, target: Target, format: wgpu::TextureFormat) -> Result<Self, GpuError> {
        let kernel = &kernels::draw::COLORMAP;
        let device = gpu.device();
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let layout = bind_group_layout(gpu, kernel, wgpu::ShaderStages::FRAGMENT);
        let module = shader_module(gpu, kernel, kernel.source);
        let name = |stage| kernel.entry(stage).map(|e| e.name);
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout(gpu, kernel, &layout)),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: name(Stage::Vertex),
                compilation_options: Default::default(),
                buffers: &[],
            },
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: name(Stage::Fragment),
                compilation_options: Default::default(),
                targets: &[Some(format.into())],
            }),
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            multiview_mask: None,
            cache: None,
        });
        if let Some(error) = scope.pop().await {
            return Err(error.into());
        }
        let params = gpu.uniform(&<Params as bytemuck::Zeroable>::zeroed());
        Ok(Self { gpu: gpu.clone(), target, pipeline, layout, params, last: None })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        match &self.target {
            Target::Surface { config, .. } => [config.width, config.height],
            Target::Texture(texture) => [texture.width(), texture.height()],
        }
    }

    /// Follows a new size of the canvas, in pixels.
    pub fn resize(&mut self, width: u32, height: u32) -> Result<(), GpuError> {
        self.gpu.check()?;
        if self.size() == [width, height] {
            return Ok(());
        }
        check_size(&self.gpu, width, height)?;
        match &mut self.target {
            Target::Surface { surface, config } => {
                (config.width, config.height) = (width, height);
                surface.configure(self.gpu.device(), config);
            }
            Target::Texture(texture) => *texture = new_texture(&self.gpu, width, height)?,
        }
        Ok(())
    }

    /// Draws a field over the whole canvas. False: the canvas has no picture to draw on now (hidden page); try again later.
    pub fn paint(&mut self, field: &FieldSource, colours: &ColourMap, style: &PaintStyle) -> Result<bool, GpuError> {
        self.gpu.check()?;
        if field.nx == 0 || field.ny == 0 || ((field.offset + field.nx * field.ny) * 4) as u64 > field.buffer.size() {
            return Err(GpuError::shape("The field to draw leaves its buffer."));
        }
        let [width, height] = self.size();
        let (low, high) = style.range();
        let params = Params {
            nx: field.nx as u32,
            ny: field.ny as u32,
            offset: field.offset as u32,
            is_flipped: u32::from(style.is_flipped),
            is_smooth: u32::from(style.is_smooth),
            low,
            high,
            width: width as f32,
            height: height as f32,
        };
        self.gpu.write(&self.params, 0, &[params])?;
        let handles = [field.buffer.raw().clone(), colours.colours.raw().clone()];
        let group = match &self.last {
            Some((known, group)) if *known == handles => group.clone(),
            _ => {
                let buffers = [&self.params, &field.buffer, &colours.colours];
                let group = bind_group(&self.gpu, &kernels::draw::COLORMAP, &self.layout, &buffers);
                self.last = Some((handles, group.clone()));
                group
            }
        };
        match &self.target {
            Target::Texture(texture) => {
                self.draw(&texture.create_view(&Default::default()), &group);
            }
            Target::Surface { surface, config } => {
                use wgpu::CurrentSurfaceTexture as Current;
                let frame = match surface.get_current_texture() {
                    Current::Success(frame) | Current::Suboptimal(frame) => frame,
                    Current::Timeout | Current::Occluded => return Ok(false),
                    Current::Outdated | Current::Lost | Current::Validation => {
                        surface.configure(self.gpu.device(), config);
                        self.gpu.check()?;
                        return Ok(false);
                    }
                };
                self.draw(&frame.texture.create_view(&Default::default()), &group);
                self.gpu.queue().present(frame);
            }
        }
        self.gpu.check()?;
        Ok(true)
    }

    fn draw(&self, view: &wgpu::TextureView, group: &wgpu::BindGroup) {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some(kernels::draw::COLORMAP.name),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            });
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.draw(0..3, 0..1);
        }
        self.gpu.queue().submit([encoder.finish()]);
    }

    /// The pixels of a texture canvas, red in the low byte, rows from the top. A browser's canvas cannot be read here.
    pub async fn read_pixels(&self) -> Result<Vec<u32>, GpuError> {
        let Target::Texture(texture) = &self.target else {
            return Err(GpuError::shape("Only a texture canvas can be read."));
        };
        let [width, height] = self.size();
        // Rows of a copy begin at multiples of 256 bytes.
        let row = (width * 4).next_multiple_of(256);
        let buffer = self.gpu.storage("pixels", u64::from(row * height))?;
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        encoder.copy_texture_to_buffer(
            texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: buffer.raw(),
                layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None },
            },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
        self.gpu.queue().submit([encoder.finish()]);
        let padded = self.gpu.read::<u32>(&buffer, 0, (row / 4 * height) as usize).await?;
        let rows = padded.chunks_exact((row / 4) as usize);
        Ok(rows.flat_map(|r| r[..width as usize].iter().copied()).collect())
    }
}
