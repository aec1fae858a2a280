//! The device of a run from the options of the page.

use eddy_experiments::{Context, Device, Precision, spec::EddyError};

/// Reads `{"device", "precision"}`.
pub async fn context_from_options(options: &str) -> Result<Context, EddyError> {
    let value: serde_json::Value = serde_json::from_str(options)
        .map_err(|e| EddyError::internal(format!("The page sent options that are not JSON ({e}).")))?;
    let precision = match value.get("precision").and_then(|v| v.as_str()) {
        Some("f32") => Precision::F32,
        _ => Precision::F64,
    };
    Ok(Context { device: Device::Cpu, precision })
}
