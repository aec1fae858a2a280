//! The editor of the equation lab seen across the boundary.

use eddy_experiments::{Budget, labs::typed, spec::EddyError};
use wasm_bindgen::prelude::*;

use crate::wire::js_error;

/// Checks a form without running it. `form` is a JSON object of its texts (`equations`, `x`, `initial`, …; those left out
/// are empty); the answer is JSON as `eddy_experiments::labs::typed::analyse` describes.
#[wasm_bindgen]
pub fn analyse(form: &str) -> Result<String, JsValue> {
    Ok(typed::analyse(&texts(form)?).to_string())
}

/// The form of a VisualPDE link as JSON `{texts, notes}`.
#[wasm_bindgen(js_name = importLink)]
pub fn import_link(link: &str) -> Result<String, JsValue> {
    typed::import_link(link).map(|form| form.to_string()).map_err(|e| js_error(EddyError::start(e.to_string())))
}

fn texts(form: &str) -> Result<typed::Texts, JsValue> {
    serde_json::from_str(form)
        .map_err(|e| js_error(EddyError::internal(format!("The page sent a form that is not JSON ({e})."))))
}

fn refused(error: typed::FormError) -> JsValue {
    js_error(EddyError::start(error.sentence()).at(error.key.clone()))
}

/// A refinement study under way.
#[wasm_bindgen]
pub struct RefineSession {
    inner: typed::Refinement,
}

#[wasm_bindgen]
impl RefineSession {
    /// For a form as in [`analyse`] and the step length of its run (not a number: that of a first step).
    pub fn open(form: &str, dt: f64) -> Result<RefineSession, JsValue> {
        Ok(Self { inner: typed::Refinement::new(&texts(form)?, Some(dt)).map_err(refused)? })
    }

    /// Moves on for at most `budget_ms` milliseconds; returns the report as JSON
    /// `{fraction, done, space, time, dt, end, studies}`.
    pub fn advance(&mut self, budget_ms: f64) -> Result<String, JsValue> {
        self.inner.advance(Budget::seconds(budget_ms / 1000.0)).map_err(refused)?;
        Ok(self.inner.report().to_string())
    }
}

/// The presets as JSON `[{key, title, group, summary, look_for, question, view, field, colors}]`.
#[wasm_bindgen]
pub fn presets() -> String {
    typed::presets_json().to_string()
}
