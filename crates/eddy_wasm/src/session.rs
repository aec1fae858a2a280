//! `Session`: a run seen across the boundary.

use eddy_experiments::{Budget, Picture, Pointer, PointerKind, Session as Inner, spec::EddyError};
use js_sys::Float64Array;
use serde_json::json;
use wasm_bindgen::prelude::*;

use crate::{
    device::context_from_options,
    wire::{js_error, json_text, view_payload},
};

/// An open experiment.
#[wasm_bindgen]
pub struct Session {
    inner: Inner,
    /// Errors of the permalink's parameters as JSON: `[{code, message, key}]`.
    warnings: String,
    #[cfg(target_arch = "wasm32")]
    canvas: Option<crate::paint::Painter>,
}

#[wasm_bindgen]
impl Session {
    /// Opens a permalink. `options` is JSON: `{"device": "cpu" | "gpu", "precision": "f32" | "f64"}`.
    /// Parameters of the link that do not fit are reported by `warnings` and stay at their defaults.
    pub async fn open(permalink: String, options: String) -> Result<Session, JsValue> {
        let context = context_from_options(&options).await.map_err(js_error)?;
        let (inner, errors) = Inner::open(&permalink, context).map_err(js_error)?;
        let warnings: Vec<EddyError> = errors.into_iter().map(EddyError::from).collect();
        Ok(Session {
            inner,
            warnings: json_text(&warnings),
            #[cfg(target_arch = "wasm32")]
            canvas: None,
        })
    }

    pub fn warnings(&self) -> String {
        self.warnings.clone()
    }

    /// What the settings bring about that they do not say, as JSON: `[{code, message, key}]`.
    pub fn remarks(&self) -> String {
        json_text(&self.inner.run().remarks())
    }

    /// Sets a parameter; returns `live` or `restart`. On an error nothing has changed.
    pub fn set(&mut self, key: &str, text: &str) -> Result<String, JsValue> {
        let effect = self.inner.set(key, text).map_err(js_error)?;
        Ok(json_text(&effect).trim_matches('"').to_owned())
    }

    pub fn get(&self, key: &str) -> Option<String> {
        self.inner.get(key)
    }

    pub fn restart(&mut self) -> Result<(), JsValue> {
        self.inner.restart().map_err(js_error)
    }

    pub fn permalink(&self) -> String {
        self.inner.permalink()
    }

    /// Permalink of the baseline with the present parameters.
    #[wasm_bindgen(js_name = baselinePermalink)]
    pub fn baseline_permalink(&self) -> Result<Option<String>, JsValue> {
        self.inner.baseline_permalink().map_err(js_error)
    }

    /// Moves on for at most `budget_ms` milliseconds and `max_steps` steps (0: no limit). Returns the progress as JSON:
    /// `{steps, position, fraction, work, workUnit, outcome: {kind, …}, kept}`, with `kept` the first and last position that
    /// [`Self::seek`] can go to and their number, or null.
    pub async fn advance(&mut self, budget_ms: f64, max_steps: f64) -> Result<String, JsValue> {
        let steps = if max_steps >= 1.0 { max_steps as u64 } else { u64::MAX };
        self.inner.advance(Budget { seconds: budget_ms / 1000.0, steps }).await.map_err(js_error)?;
        Ok(self.progress())
    }

    /// The same JSON without moving on.
    pub fn progress(&self) -> String {
        let p = self.inner.run().progress();
        json!({
            "steps": p.steps,
            "position": p.position,
            "fraction": p.fraction,
            "work": p.work,
            "workUnit": p.work_unit,
            "outcome": self.inner.run().outcome(),
            "kept": self.kept(),
        })
        .to_string()
    }

    /// Goes to the kept state nearest to a position on the axis. Returns whether there is one.
    pub fn seek(&mut self, position: f64) -> bool {
        self.inner.run_mut().seek(position)
    }

    /// The whole record of the metrics: rows of `[x, metric…]` in the order of the catalogue.
    pub fn metrics(&self) -> Float64Array {
        let record = self.inner.run().record();
        let width = record.keys().len();
        let mut out = Vec::with_capacity(record.x().len() * (width + 1));
        for (i, x) in record.x().iter().enumerate() {
            out.push(*x);
            out.extend_from_slice(&record.rows()[i * width..(i + 1) * width]);
        }
        Float64Array::from(&out[..])
    }

    /// `[x, metric…]`: the latest values.
    pub fn latest(&self) -> Float64Array {
        let (x, row) = self.inner.run().record().latest_row();
        let mut out = vec![x];
        out.extend_from_slice(row);
        Float64Array::from(&out[..])
    }

    /// The contents of a view: `{header: string, data: Float32Array}` (see `wire.rs`).
    pub async fn view(&mut self, key: String) -> Result<JsValue, JsValue> {
        let data = self.inner.run_mut().view(&key).await.map_err(js_error)?;
        if !data.is_finite() {
            return Err(js_error(EddyError::internal(format!("The view “{key}” holds numbers that are not finite."))));
        }
        view_payload(&data)
    }

    /// The pointer on a view, in data coordinates. `kind` is `down`, `move` or `up`. Returns whether anything changed.
    pub fn pointer(&mut self, key: &str, kind: &str, x: f64, y: f64, radius: f64, secondary: bool) -> bool {
        let kind = match kind {
            "down" => PointerKind::Down,
            "move" => PointerKind::Move,
            _ => PointerKind::Up,
        };
        if ![x, y, radius].iter().all(|v| v.is_finite()) {
            return false;
        }
        self.inner.run_mut().pointer(key, &Pointer { kind, x, y, radius, secondary })
    }

    /// Puts a picture of `nx` columns in shades from 0 to 1, row 0 at the bottom, in place of the field that a view shows.
    /// Returns whether there is such a field.
    pub fn load(&mut self, key: &str, nx: u32, values: Vec<f32>) -> bool {
        let nx = nx as usize;
        let ny = values.len().checked_div(nx).unwrap_or(0);
        self.inner.run_mut().load(key, &Picture { nx, ny, values })
    }

    /// What the device chip says.
    pub fn device(&self) -> String {
        self.inner.device()
    }
}

/// Of bundles that train networks.
#[cfg(any(feature = "pinn", feature = "flow", feature = "equations"))]
#[wasm_bindgen]
impl Session {
    /// A Python program that makes the same run; nothing where the experiment writes none.
    pub fn script(&self) -> Result<Option<String>, JsValue> {
        self.inner.script().map_err(js_error)
    }

    /// The trained parameters of the run as a safetensors file; nothing where none are trained.
    pub fn weights(&self) -> Option<Vec<u8>> {
        self.inner.weights()
    }

    /// Puts the parameters of such a file in place of the trained ones. On an error nothing has changed.
    #[wasm_bindgen(js_name = setWeights)]
    pub fn set_weights(&mut self, file: &[u8]) -> Result<(), JsValue> {
        self.inner.set_weights(file).map_err(js_error)
    }
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
impl Session {
    /// Lets fields that lie on the GPU be drawn on this canvas, which must have no other context. Does nothing for a CPU run.
    #[wasm_bindgen(js_name = attachCanvas)]
    pub async fn attach_canvas(&mut self, canvas: web_sys::OffscreenCanvas) -> Result<(), JsValue> {
        self.canvas = crate::paint::Painter::attach(self.inner.context(), canvas).await.map_err(js_error)?;
        Ok(())
    }

    /// Draws a field that lies on the GPU over the attached canvas at `width` × `height` pixels with 256 RGBA colours.
    /// Returns the header of the view as in `view`, or nothing if this view is not on the GPU: then draw it from `view`.
    #[wasm_bindgen(js_name = drawGpu)]
    pub fn draw_gpu(&mut self, key: &str, colors: &[u8], width: u32, height: u32) -> Result<Option<String>, JsValue> {
        if cfg!(not(feature = "gpu")) {
            return Ok(None);
        }
        let Some(painter) = &mut self.canvas else { return Ok(None) };
        let Some(field) = self.inner.run_mut().gpu_field(key) else { return Ok(None) };
        painter.paint(&field, colors, width, height).map_err(js_error)
    }
}

impl Session {
    /// First and last position of the states that are kept, and their number; `None` where there are not two.
    fn kept(&self) -> Option<[f64; 3]> {
        let positions = self.inner.run().keyframes();
        match positions[..] {
            [first, .., last] => Some([first, last, positions.len() as f64]),
            _ => None,
        }
    }
}
