//! WGSL kernels, their layouts and their CPU twins. No device.
//!
//! `shaders/<domain>/<kernel>.wgsl` is a kernel: one entry point of the same name, bindings in group 0, of which binding 0
//! is the uniform `params`. build.rs validates it and describes it as [`Kernel`] constants in [`kernels`]. Its twin
//! `cpu::<domain>::<kernel>::<kernel>` takes the bindings in the same order and does the same arithmetic in plain f32, so
//! that one dispatch of either from equal inputs gives equal outputs to rounding.
//!
//! Fields are rows of `nx` points, index `y * nx + x`; several fields follow one another. Spectra hold all modes in FFT order
//! as (real, imaginary) pairs. The forward transform is not scaled, the inverse is scaled by 1 / points.

pub use bytemuck;

pub mod cpu;
pub mod etdrk4;
mod layout;

pub use layout::{Layout, LayoutField, Scalar, check_layout};

/// A complex number, real part first.
pub type Complex = [f32; 2];

/// A kernel as build.rs found it.
#[derive(Debug)]
pub struct Kernel {
    /// `<domain>/<kernel>`
    pub name: &'static str,
    /// WGSL with imports resolved, without comments.
    pub source: &'static str,
    pub entries: &'static [EntryPoint],
    /// In binding order; number 0 is `params`.
    pub bindings: &'static [Binding],
    /// Scalar leaves of the uniform, in order.
    pub params: &'static [StaticField],
    /// Size of the uniform in bytes.
    pub params_size: u32,
}

impl Kernel {
    /// The compute entry point; none for a drawing kernel.
    pub fn compute(&self) -> Option<&EntryPoint> {
        self.entries.iter().find(|e| e.stage == Stage::Compute)
    }

    /// The entry point of a stage.
    pub fn entry(&self, stage: Stage) -> Option<&EntryPoint> {
        self.entries.iter().find(|e| e.stage == stage)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Compute,
    Vertex,
    Fragment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    pub name: &'static str,
    pub stage: Stage,
    /// [0, 0, 0] for drawing stages; 1 along an axis that a pipeline constant (`override`) sets.
    pub workgroup_size: [u32; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingKind {
    Uniform,
    Read,
    ReadWrite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    pub name: &'static str,
    pub kind: BindingKind,
}

/// A scalar of a uniform: dotted name, offset in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticField {
    pub name: &'static str,
    pub offset: u32,
    pub kind: Scalar,
}

/// The kernels as constants: `kernels::<domain>::<KERNEL>`, and all of them in `kernels::KERNELS`.
pub mod kernels {
    use crate::{Binding, BindingKind, EntryPoint, Kernel, Layout, LayoutField, Scalar, Stage, StaticField};
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}
