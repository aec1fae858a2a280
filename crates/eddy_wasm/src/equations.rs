//! The editor of the equation lab seen across the boundary.

use eddy_experiments::{labs::typed, spec::EddyError};
use wasm_bindgen::prelude::*;

use crate::wire::js_error;

/// Checks a form without running it. `form` is a JSON object of its texts (`equations`, `x`, `initial`, …; those left out
/// are empty); the answer is JSON as `eddy_experiments::labs::typed::analyse` describes.
#[wasm_bindgen]
pub fn analyse(form: &str) -> Result<String, JsValue> {
    let texts: typed::Texts = serde_json::from_str(form)
        .map_err(|e| js_error(EddyError::internal(format!("The page sent a form that is not JSON ({e})."))))?;
    Ok(typed::analyse(&texts).to_string())
}

/// The presets as JSON `[{key, title, group, summary, look_for, question, view, field, colors}]`.
#[wasm_bindgen]
pub fn presets() -> String {
    typed::presets_json().to_string()
}
