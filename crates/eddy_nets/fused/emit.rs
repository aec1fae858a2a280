//! What is needed to write functions instruction by instruction.

use wasm_encoder::{BlockType, Function, Instruction as I, MemArg, MemArgTarget, ValType};

/// A number format: bytes of a number.
#[derive(Clone, Copy, PartialEq)]
pub enum Format {
    F32,
    F64,
}

impl Format {
    pub fn bytes(self) -> u64 {
        if self == Self::F32 { 4 } else { 8 }
    }
    pub fn load_splat(self) -> I<'static> {
        if self == Self::F32 { I::V128Load32Splat(at(0, 2)) } else { I::V128Load64Splat(at(0, 3)) }
    }
    pub fn fused_multiply_add(self) -> I<'static> {
        if self == Self::F32 { I::F32x4RelaxedMadd } else { I::F64x2RelaxedMadd }
    }
    pub fn add(self) -> I<'static> {
        if self == Self::F32 { I::F32x4Add } else { I::F64x2Add }
    }
    pub fn sub(self) -> I<'static> {
        if self == Self::F32 { I::F32x4Sub } else { I::F64x2Sub }
    }
    pub fn mul(self) -> I<'static> {
        if self == Self::F32 { I::F32x4Mul } else { I::F64x2Mul }
    }
    pub fn div(self) -> I<'static> {
        if self == Self::F32 { I::F32x4Div } else { I::F64x2Div }
    }
    pub fn abs(self) -> I<'static> {
        if self == Self::F32 { I::F32x4Abs } else { I::F64x2Abs }
    }
    /// b < a ? b : a
    pub fn pseudo_min(self) -> I<'static> {
        if self == Self::F32 { I::F32x4PMin } else { I::F64x2PMin }
    }
    pub fn shift_left(self) -> I<'static> {
        if self == Self::F32 { I::I32x4Shl } else { I::I64x2Shl }
    }
    /// Stored bits of the mantissa.
    pub fn mantissa(self) -> i32 {
        if self == Self::F32 { 23 } else { 52 }
    }
}

pub fn at(offset: u64, align: u32) -> MemArg {
    MemArg { offset, align, target: MemArgTarget::Memory(0), ordering: None }
}

/// Bytes of a vector.
pub const VECTOR: i32 = 16;

/// Numbers locals after the parameters.
pub struct Locals {
    next: u32,
    list: Vec<(u32, ValType)>,
}

impl Locals {
    pub fn new(parameters: u32) -> Self {
        Self { next: parameters, list: Vec::new() }
    }
    pub fn take(&mut self, count: u32, kind: ValType) -> u32 {
        let first = self.next;
        self.next += count;
        self.list.push((count, kind));
        first
    }
}

pub struct Body {
    function: Function,
}

impl Body {
    pub fn new(locals: &Locals) -> Self {
        Self { function: Function::new(locals.list.clone()) }
    }
    pub fn put(&mut self, instructions: &[I<'static>]) {
        for i in instructions {
            self.function.instruction(i);
        }
    }
    /// `local += step`.
    pub fn bump(&mut self, local: u32, step: I<'static>) {
        self.put(&[I::LocalGet(local), step, I::I32Add, I::LocalSet(local)]);
    }
    /// `counter -= by`, and again from the start of the enclosing loop until it is 0.
    pub fn repeat(&mut self, counter: u32, by: i32) {
        self.put(&[I::LocalGet(counter), I::I32Const(by), I::I32Sub, I::LocalTee(counter), I::BrIf(0)]);
    }
    pub fn open_loop(&mut self) {
        self.put(&[I::Loop(BlockType::Empty)]);
    }
    pub fn end(mut self) -> Function {
        self.put(&[I::End]);
        self.function
    }
}
