//! The device of a run from the options of the page, and what this browser offers.

use std::cell::RefCell;

use eddy_experiments::{Context, Device, Precision, spec::EddyError};
use serde_json::json;
use wasm_bindgen::prelude::*;

thread_local! {
    /// One device for all sessions of a worker; asked for at the first use.
    static GPU: RefCell<Option<Device>> = const { RefCell::new(None) };
}

/// A bundle without GPU code.
#[cfg(not(feature = "gpu"))]
async fn shared_gpu() -> Result<Device, EddyError> {
    Err(EddyError::gpu("gpu-none", "The experiments of this lab run on the CPU only."))
}

/// The shared GPU. A lost one is asked for anew.
#[cfg(feature = "gpu")]
async fn shared_gpu() -> Result<Device, EddyError> {
    let kept = GPU.with_borrow(Clone::clone);
    if let Some(Device::Gpu(gpu)) = &kept
        && !gpu.is_lost()
    {
        return Ok(Device::Gpu(gpu.clone()));
    }
    let device = Device::request_gpu().await?;
    GPU.with_borrow_mut(|slot| *slot = Some(device.clone()));
    Ok(device)
}

/// Reads `{"device", "precision"}`.
pub async fn context_from_options(options: &str) -> Result<Context, EddyError> {
    let value: serde_json::Value = serde_json::from_str(options)
        .map_err(|e| EddyError::internal(format!("The page sent options that are not JSON ({e}).")))?;
    let precision = match value.get("precision").and_then(|v| v.as_str()) {
        Some("f32") => Precision::F32,
        _ => Precision::F64,
    };
    let device = match value.get("device").and_then(|v| v.as_str()) {
        Some("gpu") => shared_gpu().await?,
        _ => Device::Cpu,
    };
    Ok(Context { device, precision })
}

/// What this browser offers, as JSON `{webgpu, adapter, software, reason}`; `reason` says why there is no WebGPU.
#[wasm_bindgen]
pub async fn capabilities() -> String {
    match shared_gpu().await {
        Ok(Device::Gpu(gpu)) => {
            json!({ "webgpu": true, "adapter": gpu.adapter_name(), "software": gpu.is_software(), "reason": "" })
        }
        Ok(Device::Cpu) => json!({ "webgpu": false, "adapter": "", "software": false, "reason": "" }),
        Err(e) => json!({ "webgpu": false, "adapter": "", "software": false, "reason": e.message }),
    }
    .to_string()
}

/// Destroys the GPU device, as a driver crash would: for the tests of what the page then does.
#[wasm_bindgen(js_name = loseGpu)]
pub fn lose_gpu() {
    GPU.with_borrow(|slot| {
        if let Some(Device::Gpu(gpu)) = slot {
            gpu.destroy();
        }
    });
}
