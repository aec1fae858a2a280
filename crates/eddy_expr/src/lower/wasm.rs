//! A WebAssembly module with 128-bit SIMD for one program, made while the page runs.
//!
//! The module imports `env.memory` and the functions of [`WasmModule::imports`] from `math`, and exports
//! `run(table: i32, uniforms: i32, nx: i32, ny: i32)`, which evaluates nx × ny points:
//!
//! - `table` points at 32-bit words: the address of the first point of each array slot, then of each output, then
//!   three strides in bytes: from row to row of the arrays, from plane to plane of the arrays, from row to row of
//!   the outputs. The arrays need halos as wide as [`Program::reach`].
//! - `uniforms` points at numbers of the module's precision: [`Program::uniform_values`], then x of the first point,
//!   spacing in x, y of the first row, spacing in y, z.
//!
//! nx must be at least [`Precision::lanes`]. The last vector of a row overlaps the one before, so rows need no
//! padding, but outputs must not be inputs of the same call. Nothing is checked inside: addresses are the caller's.

use std::collections::{BTreeSet, HashMap};

use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    InstructionSink, MemArg, MemArgTarget, MemoryType, Module, TypeSection, ValType,
};

use super::{MathCall, wasm_math};
use crate::{
    ir::{Op1, Op2},
    program::{Action, Instruction, Operand, Program},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    F32,
    F64,
}

impl Precision {
    /// Points per vector.
    pub const fn lanes(self) -> u32 {
        match self {
            Self::F32 => 4,
            Self::F64 => 2,
        }
    }

    pub const fn bytes(self) -> u32 {
        16 / self.lanes()
    }
}

/// A module and what it needs.
#[derive(Clone, Debug)]
pub struct WasmModule {
    pub bytes: Vec<u8>,
    pub precision: Precision,
    /// Imports from module "math", in order: f64 → f64, or (f64, f64) → f64.
    pub imports: Vec<MathCall>,
    /// Words in the table of the call.
    pub table_words: usize,
    /// Numbers in the uniforms of the call.
    pub uniform_count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WasmError {
    #[error(
        "the program needs {found} local values, more than the {limit} an engine allows; use the block interpreter"
    )]
    TooLarge { found: usize, limit: usize },
}

/// Engines refuse functions with more locals.
const MAX_LOCALS: usize = 45_000;

/// Makes the module. `shared_pages`: the largest size of the memory in pages where it is a shared one.
pub fn module(program: &Program, precision: Precision, shared_pages: Option<u64>) -> Result<WasmModule, WasmError> {
    let mut imports = BTreeSet::new();
    imports.extend(program.code.iter().filter_map(|instruction| call_of(instruction.action)));
    let imports: Vec<MathCall> = imports.into_iter().collect();
    let mut types = TypeSection::new();
    types.ty().function([ValType::F64], [ValType::F64]);
    types.ty().function([ValType::F64, ValType::F64], [ValType::F64]);
    types.ty().function([ValType::I32; 4], []);
    types.ty().function([ValType::V128], [ValType::V128]);
    let mut import_section = ImportSection::new();
    let memory = MemoryType {
        minimum: 0,
        maximum: shared_pages,
        memory64: false,
        shared: shared_pages.is_some(),
        page_size_log2: None,
    };
    import_section.import("env", "memory", EntityType::Memory(memory));
    for call in &imports {
        import_section.import("math", call.name(), EntityType::Function(call.arity() as u32 - 1));
    }
    let mut functions = FunctionSection::new();
    functions.function(2);
    let vectors: Vec<MathCall> = imports.iter().copied().filter(|call| wasm_math::has_vector_form(*call)).collect();
    for _ in &vectors {
        functions.function(3);
    }
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, imports.len() as u32);

    let emitter = Emitter::new(program, precision, &imports);
    let locals = emitter.i32_count + emitter.vector_count;
    if locals as usize > MAX_LOCALS {
        return Err(WasmError::TooLarge { found: locals as usize, limit: MAX_LOCALS });
    }
    let function = emitter.function();
    let mut code = CodeSection::new();
    code.function(&function);
    for call in &vectors {
        code.function(&wasm_math::function(*call, import_index(&imports, *call)));
    }
    let mut module = Module::new();
    module.section(&types).section(&import_section).section(&functions).section(&exports).section(&code);
    Ok(WasmModule {
        bytes: module.finish(),
        precision,
        imports,
        table_words: program.arrays.len() + program.outputs.len() + 3,
        uniform_count: program.uniforms.len() + 5,
    })
}

fn import_index(imports: &[MathCall], call: MathCall) -> u32 {
    imports.iter().position(|known| *known == call).unwrap_or(0) as u32
}

/// The import that an action needs, where SIMD has no instruction for it.
fn call_of(action: Action) -> Option<MathCall> {
    match action {
        Action::One(op) => match op {
            Op1::Neg
            | Op1::Abs
            | Op1::Sign
            | Op1::Floor
            | Op1::Ceil
            | Op1::Round
            | Op1::Sqrt
            | Op1::Not
            | Op1::Conj
            | Op1::Re => None,
            _ => Some(MathCall::One(op)),
        },
        Action::Two(op) => match op {
            Op2::Pow | Op2::Atan2 => Some(MathCall::Two(op)),
            _ if op.is_bessel() => Some(MathCall::Two(op)),
            _ => None,
        },
        Action::Select => None,
    }
}

/// How often a value has to be worked out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Call,
    Row,
    Point,
}

struct Emitter<'a> {
    program: &'a Program,
    precision: Precision,
    imports: &'a [MathCall],
    levels: Vec<Level>,
    /// Rows of arrays that are read: (slot, offset in y, offset in z) → (i32 local, least offset in x).
    rows: Vec<((u16, i8, i8), i8)>,
    row_index: HashMap<(u16, i8, i8), usize>,
    reads_x: bool,
    /// Uniforms that the code reads → vector local.
    uniform_locals: HashMap<u32, u32>,
    i32_count: u32,
    vector_count: u32,
}

const TABLE: u32 = 0;
const UNIFORMS: u32 = 1;
const NX: u32 = 2;
const NY: u32 = 3;
/// Present row and point, then byte offset of the point, then scratch.
const ROW: u32 = 4;
const POINT: u32 = 5;
const BYTES: u32 = 6;
const FIRST_POINTER: u32 = 7;

impl<'a> Emitter<'a> {
    fn new(program: &'a Program, precision: Precision, imports: &'a [MathCall]) -> Self {
        let mut levels = Vec::with_capacity(program.code.len());
        let mut rows: Vec<((u16, i8, i8), i8)> = Vec::new();
        let mut row_index = HashMap::new();
        let mut uniforms: Vec<u32> = Vec::new();
        let mut uniform_set = std::collections::HashSet::new();
        let mut reads_x = false;
        let mut see = |operand: &Operand, levels: &[Level]| match operand {
            Operand::Uniform(index) => {
                if uniform_set.insert(*index) {
                    uniforms.push(*index);
                }
                Level::Call
            }
            Operand::Coordinate(0) => {
                reads_x = true;
                Level::Point
            }
            Operand::Coordinate(_) => Level::Row,
            Operand::Array { slot, offset } => {
                let key = (*slot, offset[1], offset[2]);
                let at = *row_index.entry(key).or_insert_with(|| {
                    rows.push((key, offset[0]));
                    rows.len() - 1
                });
                rows[at].1 = rows[at].1.min(offset[0]);
                Level::Point
            }
            Operand::Result(index) => levels[*index as usize],
        };
        for instruction in &program.code {
            let level = instruction.used().iter().map(|operand| see(operand, &levels)).max().unwrap_or(Level::Call);
            levels.push(level);
        }
        for operand in &program.outputs {
            see(operand, &levels);
        }
        let pointers = rows.len() + program.outputs.len();
        let i32_count = FIRST_POINTER - ROW + pointers as u32;
        let first_vector = ROW + i32_count;
        // Vectors: x, spacing of x across lanes and y, z; two of scratch; uniforms; results.
        let uniform_locals: HashMap<u32, u32> = uniforms
            .iter()
            .enumerate()
            .map(|(position, index)| (*index, first_vector + FIXED_VECTORS + position as u32))
            .collect();
        let vector_count = FIXED_VECTORS + uniforms.len() as u32 + program.code.len() as u32;
        Self { program, precision, imports, levels, rows, row_index, reads_x, uniform_locals, i32_count, vector_count }
    }

    fn first_vector(&self) -> u32 {
        ROW + self.i32_count
    }

    fn x_local(&self) -> u32 {
        self.first_vector()
    }

    /// x of the lanes at the start of the row.
    fn x_start_local(&self) -> u32 {
        self.first_vector() + 1
    }

    fn y_local(&self) -> u32 {
        self.first_vector() + 2
    }

    fn z_local(&self) -> u32 {
        self.first_vector() + 3
    }

    fn scratch(&self) -> u32 {
        self.first_vector() + 4
    }

    fn result_local(&self, index: u32) -> u32 {
        self.first_vector() + FIXED_VECTORS + self.uniform_locals.len() as u32 + index
    }

    fn output_pointer(&self, index: usize) -> u32 {
        FIRST_POINTER + (self.rows.len() + index) as u32
    }

    fn memarg(&self, offset: u32) -> MemArg {
        MemArg {
            offset: u64::from(offset),
            align: if self.precision == Precision::F64 { 3 } else { 2 },
            target: MemArgTarget::Memory(0),
            ordering: None,
        }
    }

    fn word(index: usize) -> MemArg {
        MemArg { offset: 4 * index as u64, align: 2, target: MemArgTarget::Memory(0), ordering: None }
    }

    /// A uniform of the call, in all lanes.
    fn load_splat(&self, sink: &mut InstructionSink<'_>, index: usize) {
        sink.local_get(UNIFORMS);
        let memarg = self.memarg(index as u32 * self.precision.bytes());
        match self.precision {
            Precision::F64 => sink.v128_load64_splat(memarg),
            Precision::F32 => sink.v128_load32_splat(memarg),
        };
    }

    fn function(&self) -> Function {
        let mut function = Function::new([(self.i32_count, ValType::I32), (self.vector_count, ValType::V128)]);
        let mut sink = function.instructions();
        let sink = &mut sink;
        let slots = self.program.arrays.len();
        let strides = slots + self.program.outputs.len();
        let count = self.program.uniforms.len();
        let mut uniforms: Vec<(u32, u32)> = self.uniform_locals.iter().map(|(index, local)| (*index, *local)).collect();
        uniforms.sort_unstable();
        for (index, local) in uniforms {
            self.load_splat(sink, index as usize);
            sink.local_set(local);
        }
        // x of the first lanes: x0 + (0, 1, …) h.
        self.load_splat(sink, count + 1);
        self.lane_numbers(sink);
        self.mul(sink);
        self.load_splat(sink, count);
        self.add(sink);
        sink.local_set(self.x_start_local());
        self.load_splat(sink, count + 4);
        sink.local_set(self.z_local());
        self.straight_line(sink, Level::Call);

        sink.block(BlockType::Empty);
        sink.local_get(NY).i32_const(0).i32_le_s().br_if(0);
        sink.loop_(BlockType::Empty);
        // Pointers of this row.
        for (position, ((slot, dy, dz), least)) in self.rows.iter().enumerate() {
            sink.local_get(TABLE).i32_load(Self::word(usize::from(*slot)));
            sink.local_get(ROW);
            if *dy != 0 {
                sink.i32_const(i32::from(*dy)).i32_add();
            }
            sink.local_get(TABLE).i32_load(Self::word(strides)).i32_mul().i32_add();
            if *dz != 0 {
                sink.local_get(TABLE).i32_load(Self::word(strides + 1)).i32_const(i32::from(*dz)).i32_mul().i32_add();
            }
            if *least != 0 {
                sink.i32_const(i32::from(*least) * self.precision.bytes() as i32).i32_add();
            }
            sink.local_set(FIRST_POINTER + position as u32);
        }
        for output in 0..self.program.outputs.len() {
            sink.local_get(TABLE).i32_load(Self::word(slots + output));
            sink.local_get(ROW).local_get(TABLE).i32_load(Self::word(strides + 2)).i32_mul().i32_add();
            sink.local_set(self.output_pointer(output));
        }
        // y = y0 + row h.
        self.load_splat(sink, count + 3);
        self.splat_of_int(sink, ROW);
        self.mul(sink);
        self.load_splat(sink, count + 2);
        self.add(sink);
        sink.local_set(self.y_local());
        self.straight_line(sink, Level::Row);

        sink.i32_const(0).local_set(POINT);
        sink.loop_(BlockType::Empty);
        sink.local_get(POINT).i32_const(self.precision.bytes() as i32).i32_mul().local_set(BYTES);
        if self.reads_x {
            self.load_splat(sink, count + 1);
            self.splat_of_int(sink, POINT);
            self.mul(sink);
            sink.local_get(self.x_start_local());
            self.add(sink);
            sink.local_set(self.x_local());
        }
        self.straight_line(sink, Level::Point);
        for (index, operand) in self.program.outputs.iter().enumerate() {
            sink.local_get(self.output_pointer(index)).local_get(BYTES).i32_add();
            self.push(sink, *operand);
            sink.v128_store(self.memarg(0));
        }
        // The next vector, or the last whole one of the row, or the end.
        let lanes = self.precision.lanes() as i32;
        sink.local_get(POINT).i32_const(lanes).i32_add().local_tee(POINT);
        sink.local_get(NX).i32_lt_s();
        sink.if_(BlockType::Empty);
        sink.local_get(POINT);
        sink.local_get(NX).i32_const(lanes).i32_sub();
        sink.local_get(POINT);
        sink.local_get(NX).i32_const(lanes).i32_sub();
        sink.i32_lt_s().select().local_set(POINT);
        sink.br(1);
        sink.end().end();

        sink.local_get(ROW).i32_const(1).i32_add().local_tee(ROW);
        sink.local_get(NY).i32_lt_s().br_if(0);
        sink.end().end();
        sink.end();
        function
    }

    /// All instructions of one level, into their locals.
    fn straight_line(&self, sink: &mut InstructionSink<'_>, level: Level) {
        for (index, instruction) in self.program.code.iter().enumerate() {
            if self.levels[index] == level {
                self.instruction(sink, instruction);
                sink.local_set(self.result_local(index as u32));
            }
        }
    }

    fn push(&self, sink: &mut InstructionSink<'_>, operand: Operand) {
        match operand {
            Operand::Uniform(index) => {
                if let Some(local) = self.uniform_locals.get(&index) {
                    sink.local_get(*local);
                }
            }
            Operand::Coordinate(axis) => {
                sink.local_get([self.x_local(), self.y_local(), self.z_local()][usize::from(axis.min(2))]);
            }
            Operand::Array { slot, offset } => {
                let at = self.row_index[&(slot, offset[1], offset[2])];
                let steps = i32::from(offset[0]) - i32::from(self.rows[at].1);
                sink.local_get(FIRST_POINTER + at as u32).local_get(BYTES).i32_add();
                sink.v128_load(self.memarg(steps as u32 * self.precision.bytes()));
            }
            Operand::Result(index) => {
                sink.local_get(self.result_local(index));
            }
        }
    }

    /// A truth value as a mask. Results of truth actions are masks already; uniforms are 0 or 1.
    fn push_mask(&self, sink: &mut InstructionSink<'_>, operand: Operand) {
        self.push(sink, operand);
        if !matches!(operand, Operand::Result(_)) {
            self.constant(sink, 0.0);
            match self.precision {
                Precision::F64 => sink.f64x2_ne(),
                Precision::F32 => sink.f32x4_ne(),
            };
        }
    }

    fn instruction(&self, sink: &mut InstructionSink<'_>, instruction: &Instruction) {
        let [a, b, c] = instruction.operands;
        if let Some(call) = call_of(instruction.action) {
            self.call(sink, call, a, b);
            return;
        }
        let wide = self.precision == Precision::F64;
        match instruction.action {
            Action::Select => {
                self.push(sink, b);
                self.push(sink, c);
                self.push_mask(sink, a);
                sink.v128_bitselect();
            }
            Action::One(Op1::Not) => {
                self.push_mask(sink, a);
                sink.v128_not();
            }
            Action::Two(op @ (Op2::And | Op2::Or)) => {
                self.push_mask(sink, a);
                self.push_mask(sink, b);
                if op == Op2::And {
                    sink.v128_and()
                } else {
                    sink.v128_or()
                };
            }
            Action::One(Op1::Sign) => {
                // 1 above, -1 below, itself (0 or not a number) otherwise.
                self.constant(sink, 1.0);
                self.constant(sink, -1.0);
                self.push(sink, a);
                self.push(sink, a);
                self.constant(sink, 0.0);
                if wide {
                    sink.f64x2_lt()
                } else {
                    sink.f32x4_lt()
                };
                sink.v128_bitselect();
                self.push(sink, a);
                self.constant(sink, 0.0);
                if wide {
                    sink.f64x2_gt()
                } else {
                    sink.f32x4_gt()
                };
                sink.v128_bitselect();
            }
            Action::One(op) => {
                self.push(sink, a);
                match (op, wide) {
                    (Op1::Neg, true) => sink.f64x2_neg(),
                    (Op1::Neg, false) => sink.f32x4_neg(),
                    (Op1::Abs, true) => sink.f64x2_abs(),
                    (Op1::Abs, false) => sink.f32x4_abs(),
                    (Op1::Floor, true) => sink.f64x2_floor(),
                    (Op1::Floor, false) => sink.f32x4_floor(),
                    (Op1::Ceil, true) => sink.f64x2_ceil(),
                    (Op1::Ceil, false) => sink.f32x4_ceil(),
                    (Op1::Round, true) => sink.f64x2_nearest(),
                    (Op1::Round, false) => sink.f32x4_nearest(),
                    (Op1::Sqrt, true) => sink.f64x2_sqrt(),
                    (Op1::Sqrt, false) => sink.f32x4_sqrt(),
                    // conj and re of a real value.
                    _ => sink,
                };
            }
            Action::Two(Op2::Mod) => {
                self.push(sink, a);
                self.push(sink, b);
                self.push(sink, a);
                self.push(sink, b);
                if wide {
                    sink.f64x2_div().f64x2_floor().f64x2_mul().f64x2_sub();
                } else {
                    sink.f32x4_div().f32x4_floor().f32x4_mul().f32x4_sub();
                }
            }
            Action::Two(op) => {
                self.push(sink, a);
                self.push(sink, b);
                match (op, wide) {
                    (Op2::Add, true) => sink.f64x2_add(),
                    (Op2::Add, false) => sink.f32x4_add(),
                    (Op2::Sub, true) => sink.f64x2_sub(),
                    (Op2::Sub, false) => sink.f32x4_sub(),
                    (Op2::Mul, true) => sink.f64x2_mul(),
                    (Op2::Mul, false) => sink.f32x4_mul(),
                    (Op2::Div, true) => sink.f64x2_div(),
                    (Op2::Div, false) => sink.f32x4_div(),
                    (Op2::Min, true) => sink.f64x2_pmin(),
                    (Op2::Min, false) => sink.f32x4_pmin(),
                    (Op2::Max, true) => sink.f64x2_pmax(),
                    (Op2::Max, false) => sink.f32x4_pmax(),
                    (Op2::Less, true) => sink.f64x2_lt(),
                    (Op2::Less, false) => sink.f32x4_lt(),
                    (Op2::LessEqual, true) => sink.f64x2_le(),
                    (Op2::LessEqual, false) => sink.f32x4_le(),
                    (Op2::Equal, true) => sink.f64x2_eq(),
                    (_, false) => sink.f32x4_eq(),
                    (_, true) => sink.f64x2_eq(),
                };
            }
        }
    }

    /// A SIMD function of the module where there is one, else one call per lane, at double precision.
    fn call(&self, sink: &mut InstructionSink<'_>, call: MathCall, a: Operand, b: Operand) {
        let index = import_index(self.imports, call);
        if wasm_math::has_vector_form(call) {
            let before =
                self.imports[..index as usize].iter().filter(|other| wasm_math::has_vector_form(**other)).count();
            let vector = self.imports.len() as u32 + 1 + before as u32;
            self.push(sink, a);
            match self.precision {
                Precision::F64 => {
                    sink.call(vector);
                }
                Precision::F32 => {
                    sink.f64x2_promote_low_f32x4().call(vector).f32x4_demote_f64x2_zero();
                    self.push(sink, a);
                    self.push(sink, a);
                    sink.i8x16_shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
                    sink.f64x2_promote_low_f32x4().call(vector).f32x4_demote_f64x2_zero();
                    sink.i8x16_shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
                }
            }
            return;
        }
        self.constant(sink, 0.0);
        sink.local_set(self.scratch());
        for lane in 0..self.precision.lanes() as u8 {
            sink.local_get(self.scratch());
            for operand in [a, b].into_iter().take(call.arity()) {
                self.push(sink, operand);
                match self.precision {
                    Precision::F64 => sink.f64x2_extract_lane(lane),
                    Precision::F32 => sink.f32x4_extract_lane(lane).f64_promote_f32(),
                };
            }
            sink.call(index);
            match self.precision {
                Precision::F64 => sink.f64x2_replace_lane(lane),
                Precision::F32 => sink.f32_demote_f64().f32x4_replace_lane(lane),
            };
            sink.local_set(self.scratch());
        }
        sink.local_get(self.scratch());
    }

    fn constant(&self, sink: &mut InstructionSink<'_>, value: f64) {
        let bits = match self.precision {
            Precision::F64 => {
                let lane = u128::from(value.to_bits());
                lane << 64 | lane
            }
            Precision::F32 => (0..4).fold(0, |bits, _| bits << 32 | u128::from((value as f32).to_bits())),
        };
        sink.v128_const(bits as i128);
    }

    /// (0, 1, …) across the lanes.
    fn lane_numbers(&self, sink: &mut InstructionSink<'_>) {
        let lanes = self.precision.lanes();
        let bits = (0..lanes).rev().fold(0u128, |bits, lane| match self.precision {
            Precision::F64 => bits << 64 | u128::from(f64::from(lane).to_bits()),
            Precision::F32 => bits << 32 | u128::from((lane as f32).to_bits()),
        });
        sink.v128_const(bits as i128);
    }

    fn splat_of_int(&self, sink: &mut InstructionSink<'_>, local: u32) {
        sink.local_get(local);
        match self.precision {
            Precision::F64 => sink.f64_convert_i32_s().f64x2_splat(),
            Precision::F32 => sink.f32_convert_i32_s().f32x4_splat(),
        };
    }

    fn mul(&self, sink: &mut InstructionSink<'_>) {
        match self.precision {
            Precision::F64 => sink.f64x2_mul(),
            Precision::F32 => sink.f32x4_mul(),
        };
    }

    fn add(&self, sink: &mut InstructionSink<'_>) {
        match self.precision {
            Precision::F64 => sink.f64x2_add(),
            Precision::F32 => sink.f32x4_add(),
        };
    }
}

/// x, x of the row's start, y, z, scratch.
const FIXED_VECTORS: u32 = 5;
