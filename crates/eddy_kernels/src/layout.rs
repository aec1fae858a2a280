//! Uniform structs that Rust and WGSL lay out alike.

use crate::StaticField;

/// Type of a scalar leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    F32,
    U32,
    I32,
}

/// A scalar leaf of a Rust struct: dotted name, offset in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutField {
    pub name: String,
    pub offset: u32,
    pub kind: Scalar,
}

/// A type whose bytes go into a uniform buffer.
pub trait Layout {
    /// Appends the leaves, named below `name`, from `offset` on.
    fn leaves(name: &str, offset: usize, out: &mut Vec<LayoutField>);

    /// All leaves.
    fn fields() -> Vec<LayoutField> {
        let mut out = Vec::new();
        Self::leaves("", 0, &mut out);
        out
    }
}

macro_rules! scalar {
    ($($type:ty => $kind:ident),*) => {$(
        impl Layout for $type {
            fn leaves(name: &str, offset: usize, out: &mut Vec<LayoutField>) {
                out.push(LayoutField { name: name.to_owned(), offset: offset as u32, kind: Scalar::$kind });
            }
        }
    )*};
}
scalar!(f32 => F32, u32 => U32, i32 => I32);

/// Declares a `#[repr(C)]` uniform struct with its [`Layout`].
macro_rules! uniform {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $crate::Layout for $name {
            fn leaves(name: &str, offset: usize, out: &mut Vec<$crate::LayoutField>) {
                let path = |field: &str| if name.is_empty() { field.to_owned() } else { format!("{name}.{field}") };
                $(<$type as $crate::Layout>::leaves(
                    &path(stringify!($field)), offset + std::mem::offset_of!($name, $field), out);)*
            }
        }
    };
}
pub(crate) use uniform;

/// Compares the leaves that Rust has with those that naga found: names, offsets, types, total size.
pub fn check_layout(
    rust: &[LayoutField],
    rust_size: usize,
    wgsl: &[StaticField],
    wgsl_size: u32,
) -> Result<(), String> {
    for (r, w) in rust.iter().zip(wgsl) {
        if (r.name.as_str(), r.offset, r.kind) != (w.name, w.offset, w.kind) {
            return Err(format!("Rust has {r:?}, WGSL has {w:?}"));
        }
    }
    if rust.len() != wgsl.len() {
        return Err(format!("Rust has {} fields, WGSL has {}", rust.len(), wgsl.len()));
    }
    if rust_size as u32 != wgsl_size {
        return Err(format!("Rust has {rust_size} bytes, WGSL has {wgsl_size}"));
    }
    Ok(())
}
