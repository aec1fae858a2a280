//! Memory for the tiles.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use crate::Real;

/// A cache line of zeros. Without it, allocators for WebAssembly align to eight bytes, and every fourth vector lies across
/// two lines: a tenth of a matrix product's time.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "room for numbers, which are read where they lie")] [u64; 8]);

/// A slice of numbers that starts at a cache line.
pub(crate) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    numbers: PhantomData<T>,
}

impl<T: Real> Aligned<T> {
    pub fn zeros(len: usize) -> Self {
        assert!(align_of::<T>() <= align_of::<Line>());
        let mut lines = vec![Line([0; 8]); (len * size_of::<T>()).div_ceil(size_of::<Line>())];
        let start: *mut T = lines.as_mut_ptr().cast();
        for i in 0..len {
            // SAFETY: the lines have room for `len` numbers and are aligned for them.
            unsafe { start.add(i).write(T::ZERO) };
        }
        Self { lines, len, numbers: PhantomData }
    }
}

impl<T: Real> Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `zeros` has written `len` numbers there.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}
impl<T: Real> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
