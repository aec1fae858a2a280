//! `ClaimSession`: the check of a claim seen across the boundary.

use eddy_experiments::{Budget, ClaimCheck, entry};
use wasm_bindgen::prelude::*;

use crate::{
    device::context_from_options,
    wire::{js_error, json_text},
};

/// The check of an experiment's claim: its arms at every seed, then the counter-setting.
#[wasm_bindgen]
pub struct ClaimSession {
    inner: ClaimCheck,
}

#[wasm_bindgen]
impl ClaimSession {
    /// Prepares the check. `options` as for `Session.open`.
    pub async fn open(id: String, options: String) -> Result<ClaimSession, JsValue> {
        let context = context_from_options(&options).await.map_err(js_error)?;
        let entry = entry(&id).map_err(js_error)?;
        Ok(ClaimSession { inner: ClaimCheck::new(entry, context, None, true).map_err(js_error)? })
    }

    /// Moves on for at most `budget_ms` milliseconds; returns the progress as JSON
    /// `{runs_done, runs, fraction, seconds, doing, tests}`.
    pub async fn advance(&mut self, budget_ms: f64) -> Result<String, JsValue> {
        self.inner.advance(Budget::seconds(budget_ms / 1000.0)).await.map_err(js_error)?;
        Ok(json_text(&self.inner.progress()))
    }

    /// The verdict as JSON, once every run has ended.
    pub fn verdict(&self) -> Option<String> {
        self.inner.verdict().map(|v| json_text(&v))
    }
}
