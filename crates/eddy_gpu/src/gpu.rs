//! The device and what it can do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytemuck::Pod;

use crate::buffer::Buffer;
use crate::error::GpuError;
use crate::pipeline::Pipeline;

/// How to choose an adapter.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Prefer the adapter that saves power.
    pub saves_power: bool,
    /// Take a software adapter even if there is hardware.
    pub wants_software: bool,
}

/// What to expect of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Emulated on the CPU: correct, slower than Eddy's CPU code.
    Software,
    /// Hardware with the limits that WebGPU guarantees.
    Standard,
    /// Hardware with bindings of 1 GiB and more.
    Large,
}

/// Limits that the kernels rely on: name, value.
fn needed_limits(have: &wgpu::Limits) -> [(&'static str, u64, u64); 4] {
    [
        ("workgroup memory (bytes)", u64::from(have.max_compute_workgroup_storage_size), 16384),
        ("invocations per workgroup", u64::from(have.max_compute_invocations_per_workgroup), 256),
        ("storage buffers per stage", u64::from(have.max_storage_buffers_per_shader_stage), 8),
        ("workgroups per dimension", u64::from(have.max_compute_workgroups_per_dimension), 65535),
    ]
}

/// A device with its queue, pipelines and pending errors. Clones share all of it.
#[derive(Clone)]
pub struct Gpu {
    inner: Arc<Inner>,
}

struct Inner {
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    faults: Arc<Mutex<Faults>>,
    pipelines: Mutex<HashMap<&'static str, Arc<Pipeline>>>,
}

/// Errors that came without a caller.
#[derive(Default)]
struct Faults {
    lost: Option<String>,
    pending: Option<GpuError>,
}

/// A panic while the lock is held leaves plain data behind, so the data is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Gpu {
    /// Asks for an adapter and a device.
    ///
    /// # Errors
    /// [`GpuError::NoWebGpu`], [`GpuError::NoAdapter`], [`GpuError::Limit`], or [`GpuError::DeviceLost`] where the adapter
    /// refuses a device.
    pub async fn request(options: GpuOptions) -> Result<Self, GpuError> {
        #[cfg(target_arch = "wasm32")]
        if !browser_has_webgpu() {
            return Err(GpuError::NoWebGpu);
        }
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::PRIMARY,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: if options.saves_power {
                    wgpu::PowerPreference::LowPower
                } else {
                    wgpu::PowerPreference::HighPerformance
                },
                force_fallback_adapter: options.wants_software,
                ..Default::default()
            })
            .await
            .map_err(|e| GpuError::NoAdapter { reason: e.to_string() })?;
        let limits = adapter.limits();
        for (name, have, need) in needed_limits(&limits) {
            if have < need {
                return Err(GpuError::Limit { name, have, need });
            }
        }
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("eddy"),
                required_limits: limits.clone(),
                ..Default::default()
            })
            .await
            .map_err(|e| GpuError::DeviceLost { reason: e.to_string() })?;

        let faults = Arc::new(Mutex::new(Faults::default()));
        let at_loss = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            lock(&at_loss).lost = Some(if message.is_empty() { format!("{reason:?}") } else { message });
        });
        let at_error = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            // The first error is the cause, later ones are its consequences.
            lock(&at_error).pending.get_or_insert(error.into());
        }));
        let info = adapter.get_info();
        let inner = Inner { instance, adapter, device, queue, info, limits, faults, pipelines: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The handles, for a library that shares the device.
    pub fn instance(&self) -> &wgpu::Instance {
        &self.inner.instance
    }
    pub fn adapter(&self) -> &wgpu::Adapter {
        &self.inner.adapter
    }
    pub fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }
    pub fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }
    pub fn limits(&self) -> &wgpu::Limits {
        &self.inner.limits
    }

    /// The adapter's name, as far as the browser tells it: often only its maker and architecture.
    pub fn adapter_name(&self) -> String {
        let info = &self.inner.info;
        #[cfg(target_arch = "wasm32")]
        if info.name.is_empty()
            && let Some(name) = maker_and_architecture(&self.inner.device)
        {
            return name;
        }
        [&info.name, &info.driver].into_iter().find(|s| !s.is_empty()).cloned().unwrap_or_else(|| "GPU".to_owned())
    }

    /// "WebGPU", "Vulkan", "Metal" or "Direct3D 12".
    pub fn backend(&self) -> &'static str {
        match self.inner.info.backend {
            wgpu::Backend::BrowserWebGpu => "WebGPU",
            wgpu::Backend::Vulkan => "Vulkan",
            wgpu::Backend::Metal => "Metal",
            wgpu::Backend::Dx12 => "Direct3D 12",
            _ => "GPU",
        }
    }

    /// Whether the CPU emulates the device (lavapipe, SwiftShader, WARP).
    pub fn is_software(&self) -> bool {
        let info = &self.inner.info;
        let name = format!("{} {} {}", info.name, info.driver, info.driver_info).to_lowercase();
        info.device_type == wgpu::DeviceType::Cpu
            || ["llvmpipe", "lavapipe", "swiftshader", "basic render"].iter().any(|s| name.contains(s))
    }

    pub fn tier(&self) -> Tier {
        if self.is_software() {
            Tier::Software
        } else if self.inner.limits.max_storage_buffer_binding_size >= 1 << 30 {
            Tier::Large
        } else {
            Tier::Standard
        }
    }

    /// "WebGPU · adapter", for the device chip.
    pub fn describe(&self) -> String {
        format!("{} · {}", self.backend(), self.adapter_name())
    }

    /// Reports what went wrong since the last call. A lost device is reported by every call.
    pub fn check(&self) -> Result<(), GpuError> {
        let mut faults = lock(&self.inner.faults);
        if let Some(reason) = &faults.lost {
            return Err(GpuError::DeviceLost { reason: reason.clone() });
        }
        faults.pending.take().map_or(Ok(()), Err)
    }

    /// Whether the device is gone for good. Unlike [`Gpu::check`] this takes no pending error away from its caller.
    pub fn is_lost(&self) -> bool {
        lock(&self.inner.faults).lost.is_some()
    }

    /// A storage buffer of `bytes` zeros.
    ///
    /// # Errors
    /// [`GpuError::Limit`] if no binding may be that large.
    pub fn storage(&self, label: &str, bytes: u64) -> Result<Buffer, GpuError> {
        let have = self.inner.limits.max_storage_buffer_binding_size.min(self.inner.limits.max_buffer_size);
        if bytes > have {
            return Err(GpuError::Limit { name: "buffer size (bytes)", have, need: bytes });
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        // A binding may not be empty.
        Ok(self.buffer(label, bytes.next_multiple_of(4).max(16), usage))
    }

    /// A storage buffer with these contents.
    pub fn storage_from<T: Pod>(&self, label: &str, data: &[T]) -> Result<Buffer, GpuError> {
        let buffer = self.storage(label, size_of_val(data) as u64)?;
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// A uniform buffer with these contents.
    pub fn uniform<T: Pod>(&self, params: &T) -> Buffer {
        let bytes = (size_of::<T>() as u64).next_multiple_of(16);
        let buffer = self.buffer("params", bytes, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
        self.inner.queue.write_buffer(buffer.raw(), 0, bytemuck::bytes_of(params));
        buffer
    }

    fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> Buffer {
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        Buffer::new(self.inner.device.create_buffer(&descriptor))
    }

    /// Writes `data` from element `start` on, before the next submission.
    ///
    /// # Errors
    /// [`GpuError::Shape`] if it does not fit; what [`Gpu::check`] reports.
    pub fn write<T: Pod>(&self, buffer: &Buffer, start: usize, data: &[T]) -> Result<(), GpuError> {
        self.check()?;
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let at = (start * size_of::<T>()) as u64;
        if at + bytes.len() as u64 > buffer.size() {
            let message = format!("{} bytes do not fit into a buffer of {} at {at}.", bytes.len(), buffer.size());
            return Err(GpuError::Shape { message });
        }
        self.inner.queue.write_buffer(buffer.raw(), at, bytes);
        Ok(())
    }

    /// Reads `count` elements from element `start` on, after all work submitted before.
    ///
    /// The copy is submitted at once, not when the future is first polled: later steps do not change what is read.
    pub fn read<T: Pod>(
        &self,
        buffer: &Buffer,
        start: usize,
        count: usize,
    ) -> impl Future<Output = Result<Vec<T>, GpuError>> + use<T> {
        let staged = self.stage_read(buffer, (start * size_of::<T>()) as u64, (count * size_of::<T>()) as u64);
        let gpu = self.clone();
        async move {
            let (staging, arrived) = staged?;
            gpu.wait_natively();
            let mapped = arrived.await;
            gpu.check()?;
            if !matches!(mapped, Ok(Ok(()))) {
                return Err(GpuError::Validation { message: "a read-back could not be mapped".to_owned() });
            }
            let view =
                staging.raw().get_mapped_range(..).map_err(|e| GpuError::Validation { message: e.to_string() })?;
            // The mapped range may be less aligned than T.
            let mut out = vec![T::zeroed(); count];
            bytemuck::cast_slice_mut::<T, u8>(&mut out).copy_from_slice(&view[..count * size_of::<T>()]);
            drop(view);
            staging.raw().unmap();
            Ok(out)
        }
    }

    /// All of a buffer as f32.
    pub fn read_f32(&self, buffer: &Buffer) -> impl Future<Output = Result<Vec<f32>, GpuError>> + use<> {
        self.read(buffer, 0, (buffer.size() / 4) as usize)
    }

    #[allow(clippy::type_complexity, reason = "the receiver's type is the library's")]
    fn stage_read(
        &self,
        buffer: &Buffer,
        at: u64,
        bytes: u64,
    ) -> Result<(Buffer, futures_channel::oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>), GpuError> {
        self.check()?;
        if at + bytes > buffer.size() || !at.is_multiple_of(4) || !bytes.is_multiple_of(4) {
            let message = format!("Cannot read {bytes} bytes at {at} of a buffer of {}.", buffer.size());
            return Err(GpuError::Shape { message });
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer("read-back", bytes.max(4), usage);
        let mut encoder = self.inner.device.create_command_encoder(&Default::default());
        if bytes > 0 {
            encoder.copy_buffer_to_buffer(buffer.raw(), at, staging.raw(), 0, Some(bytes));
        }
        self.inner.queue.submit([encoder.finish()]);
        let (sender, receiver) = futures_channel::oneshot::channel();
        staging.raw().map_async(wgpu::MapMode::Read, .., move |result| {
            // The reader may have been dropped.
            let _ = sender.send(result);
        });
        Ok((staging, receiver))
    }

    /// Resolves when all submitted work is done: what a frame loop waits for, so that it does not run ahead of the device.
    pub async fn finished(&self) -> Result<(), GpuError> {
        self.check()?;
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.inner.queue.on_submitted_work_done(move || {
            let _ = sender.send(());
        });
        self.wait_natively();
        // A lost device drops the callback; check() then says so.
        let _ = receiver.await;
        self.check()
    }

    /// Callbacks arrive by themselves in a browser; natively somebody must poll.
    fn wait_natively(&self) {
        if cfg!(not(target_arch = "wasm32"))
            && let Err(error) = self.inner.device.poll(wgpu::PollType::wait_indefinitely())
        {
            lock(&self.inner.faults).pending.get_or_insert(GpuError::Validation { message: error.to_string() });
        }
    }

    /// The compiled pipeline of a kernel, from the cache if it was asked for before.
    pub async fn pipeline(&self, kernel: &'static eddy_kernels::Kernel) -> Result<Arc<Pipeline>, GpuError> {
        if let Some(known) = lock(&self.inner.pipelines).get(kernel.name) {
            return Ok(known.clone());
        }
        let pipeline = Arc::new(Pipeline::compile(self, kernel, kernel.source).await?);
        lock(&self.inner.pipelines).insert(kernel.name, pipeline.clone());
        Ok(pipeline)
    }

    /// [`Gpu::pipeline`] without waiting for the compiler's verdict: an error is reported by a later [`Gpu::check`]. This is
    /// what plans use, so that a run can start at once; the kernels themselves were validated when this crate was built.
    pub fn pipeline_now(&self, kernel: &'static eddy_kernels::Kernel) -> Result<Arc<Pipeline>, GpuError> {
        self.check()?;
        let mut known = lock(&self.inner.pipelines);
        if let Some(pipeline) = known.get(kernel.name) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(Pipeline::build(self, kernel, kernel.source)?);
        known.insert(kernel.name, pipeline.clone());
        Ok(pipeline)
    }

    /// Ends the device as a driver reset would; every later call reports [`GpuError::DeviceLost`].
    pub fn destroy(&self) {
        self.inner.device.destroy();
        self.wait_natively();
        lock(&self.inner.faults).lost.get_or_insert_with(|| "destroyed".to_owned());
    }
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({})", self.describe())
    }
}

#[cfg(target_arch = "wasm32")]
fn browser_has_webgpu() -> bool {
    use wgpu::web_sys::{
        js_sys::{Reflect, global},
        wasm_bindgen::JsValue,
    };
    fn get(object: &JsValue, key: &str) -> Option<JsValue> {
        Reflect::get(object, &key.into()).ok().filter(|v| !v.is_undefined() && !v.is_null())
    }
    get(&global(), "navigator").and_then(|navigator| get(&navigator, "gpu")).is_some()
}

/// What `device.adapterInfo` says beside the description, which browsers leave empty.
#[cfg(target_arch = "wasm32")]
fn maker_and_architecture(device: &wgpu::Device) -> Option<String> {
    use wgpu::web_sys::{js_sys::Reflect, wasm_bindgen::JsValue};
    let device: &JsValue = device.as_webgpu()?.as_ref();
    let info = Reflect::get(device, &"adapterInfo".into()).ok()?;
    let word = |key: &str| Reflect::get(&info, &key.into()).ok().and_then(|v| v.as_string()).filter(|s| !s.is_empty());
    let words: Vec<String> = ["vendor", "architecture"].into_iter().filter_map(word).collect();
    (!words.is_empty()).then(|| words.join(" "))
}
