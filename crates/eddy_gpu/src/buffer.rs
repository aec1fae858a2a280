//! Device memory.

use std::sync::Arc;

/// A buffer on the device; clones share it. The memory is released with the last clone, also in a browser, where dropping a
/// handle alone would leave it to the garbage collector.
#[derive(Clone, Debug)]
pub struct Buffer {
    inner: Arc<Owned>,
}

#[derive(Debug)]
struct Owned {
    raw: wgpu::Buffer,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.raw.destroy();
    }
}

impl Buffer {
    pub(crate) fn new(raw: wgpu::Buffer) -> Self {
        Self { inner: Arc::new(Owned { raw }) }
    }

    /// The handle of the device.
    pub fn raw(&self) -> &wgpu::Buffer {
        &self.inner.raw
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.inner.raw.size()
    }
}
