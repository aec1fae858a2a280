//! Where a network computes.

use burn::tensor::Device;

use crate::LearnError;

/// A back end of burn, ready for use. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    device: Device,
    name: String,
}

impl Engine {
    /// The CPU, through burn-flex: single-threaded, f32.
    #[cfg(feature = "flex")]
    pub fn cpu() -> Self {
        Self { device: Device::flex(), name: "CPU · f32".to_owned() }
    }

    /// WebGPU. The runtime can be set up once per thread only, so every call returns the same engine; calls that come
    /// while the first one is still waiting for the browser wait with it.
    ///
    /// # Errors
    /// [`LearnError::NoAdapter`], [`LearnError::NoTimestamps`] or [`LearnError::GpuInit`]; a later call tries again.
    #[cfg(feature = "wgpu")]
    pub async fn web_gpu() -> Result<Self, LearnError> {
        use futures_util::future::{FutureExt, LocalBoxFuture, Shared};
        use std::cell::RefCell;
        type Pending = Shared<LocalBoxFuture<'static, Result<Engine, LearnError>>>;
        thread_local! {
            static ENGINE: RefCell<Option<Pending>> = const { RefCell::new(None) };
        }
        let pending = ENGINE
            .with(|engine| engine.borrow_mut().get_or_insert_with(|| open_web_gpu().boxed_local().shared()).clone());
        let result = pending.await;
        if result.is_err() {
            ENGINE.with(|engine| engine.borrow_mut().take());
        }
        result
    }

    /// Without the feature `wgpu`, the reason why there is no GPU.
    #[cfg(not(feature = "wgpu"))]
    pub async fn web_gpu() -> Result<Self, LearnError> {
        Err(LearnError::NoGpuBuild)
    }

    /// What the device chip shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device for tensors outside a gradient.
    pub(crate) fn plain(&self) -> &Device {
        &self.device
    }

    /// The device for parameters and what is differentiated.
    pub(crate) fn training(&self) -> Device {
        self.device.clone().autodiff()
    }
}

/// Asks the browser for an adapter before burn does: without timestamp queries burn's runtime panics in wasm where it
/// opens its first stream, and a panic there takes the whole page with it.
#[cfg(feature = "wgpu")]
async fn open_web_gpu() -> Result<Engine, LearnError> {
    use burn::tensor::wgpu::wgpu;
    let instance = wgpu::Instance::default();
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..wgpu::RequestAdapterOptions::default()
    };
    let adapter = instance
        .request_adapter(&options)
        .await
        .map_err(|error| LearnError::NoAdapter { reason: error.to_string() })?;
    let info = adapter.get_info();
    let name = if info.name.is_empty() { "WebGPU".to_owned() } else { info.name };
    if !adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        return Err(LearnError::NoTimestamps { adapter: name });
    }
    drop(adapter);
    let device =
        Device::wgpu_options().init_async().await.map_err(|error| LearnError::GpuInit { reason: error.to_string() })?;
    Ok(Engine { device, name: format!("{name} · f32") })
}
