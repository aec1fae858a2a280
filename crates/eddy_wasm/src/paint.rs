//! Fields drawn from where they lie on the GPU.

use eddy_experiments::{Context, Device, GpuField, gpu_error, spec::EddyError};
use eddy_gpu::{Canvas, ColourMap, Gpu, PaintStyle};
use serde_json::json;
use web_sys::OffscreenCanvas;

/// A canvas with the colours used last.
pub struct Painter {
    gpu: Gpu,
    canvas: Canvas,
    colors: Option<(Vec<u8>, ColourMap)>,
}

impl Painter {
    /// `None` for a CPU run.
    pub async fn attach(context: &Context, canvas: OffscreenCanvas) -> Result<Option<Self>, EddyError> {
        if cfg!(not(feature = "gpu")) {
            return Ok(None);
        }
        let Device::Gpu(gpu) = &context.device else { return Ok(None) };
        let canvas = gpu.surface_from_offscreen(canvas).await.map_err(gpu_error)?;
        Ok(Some(Self { gpu: gpu.clone(), canvas, colors: None }))
    }

    /// Draws; returns the header, or nothing if the canvas cannot be drawn on now or the colours are not 256 of RGBA.
    pub fn paint(
        &mut self,
        field: &GpuField,
        colors: &[u8],
        width: u32,
        height: u32,
    ) -> Result<Option<String>, EddyError> {
        if self.canvas.size() != [width, height] {
            self.canvas.resize(width, height).map_err(gpu_error)?;
        }
        if self.colors.as_ref().is_none_or(|(bytes, _)| bytes != colors) {
            let (table, rest) = colors.as_chunks::<4>();
            let Ok(table) = <&[[u8; 4]; 256]>::try_from(table) else { return Ok(None) };
            if !rest.is_empty() {
                return Ok(None);
            }
            self.colors = Some((colors.to_vec(), ColourMap::new(&self.gpu, table).map_err(gpu_error)?));
        }
        let Some((_, map)) = &self.colors else { return Ok(None) };
        let style =
            PaintStyle { low: field.range.0 as f32, high: field.range.1 as f32, is_smooth: true, is_flipped: true };
        if !self.canvas.paint(&field.source, map, &style).map_err(gpu_error)? {
            return Ok(None);
        }
        Ok(Some(
            json!({
                "kind": "field", "nx": field.source.nx, "ny": field.source.ny,
                "x": [field.x.0, field.x.1], "y": [field.y.0, field.y.1], "range": [field.range.0, field.range.1],
            })
            .to_string(),
        ))
    }
}
