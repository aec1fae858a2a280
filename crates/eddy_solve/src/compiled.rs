//! Compiled kernels at machine speed in a browser: a module made at run time, called through the function table.
//!
//! This crate makes the modules; only the surroundings can load them, so they [`install`] a way to do it once. Without it, on
//! other targets, or where a page forbids compiling (a content security policy without 'wasm-unsafe-eval'), kernels run in
//! the block interpreter and give the same numbers.

use std::{
    ffi::c_void,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

pub use eddy_expr::lower::{
    MathCall,
    wasm::{Precision, WasmModule},
};
use eddy_expr::{
    BlockKernel, Column, Field, Row,
    ir::{Op1, Op2},
    lower::wasm,
    program::{Operand, Program, UniformInput},
};

use crate::evaluate::{Scalar, Uniforms};

/// `run` of a module: (table of addresses and strides, numbers, points along x, rows). What stands where is said at
/// [`eddy_expr::lower::wasm`].
pub type Entry = unsafe extern "C" fn(*const u32, *const c_void, u32, u32);

/// How modules are loaded.
#[derive(Clone, Copy, Debug)]
pub struct Compiler {
    /// Instantiates a module on this program's memory, with the functions at [`address`] as imports, and puts its `run` into
    /// the function table. `None` where that cannot be done.
    pub compile: fn(&WasmModule) -> Option<Entry>,
    /// Frees the place in the table.
    pub release: fn(Entry),
}

static COMPILER: OnceLock<Compiler> = OnceLock::new();
static IS_ENABLED: AtomicBool = AtomicBool::new(true);

/// Lets kernels use `compiler` from now on; false if one is installed already.
///
/// # Safety
/// `compile` must return functions that do what the module's `run` does, on the memory of the caller, until they are
/// released.
pub unsafe fn install(compiler: Compiler) -> bool {
    COMPILER.set(compiler).is_ok()
}

/// Whether kernels made from now on may be compiled; for comparisons.
pub fn set_enabled(is_enabled: bool) {
    IS_ENABLED.store(is_enabled, Ordering::Relaxed);
}

/// A loaded module.
#[derive(Debug)]
struct Loaded {
    entry: Entry,
    release: fn(Entry),
}

impl Drop for Loaded {
    fn drop(&mut self) {
        (self.release)(self.entry);
    }
}

/// Below this many operations at all points together a call is over before a module would be compiled.
const LEAST_WORK: usize = 1 << 12;

/// Rows of points of all arrays, as a kernel walks over them. Lengths in elements.
#[derive(Clone, Copy, Debug)]
pub struct Plane {
    /// Index of the first point in every array.
    pub start: usize,
    /// From row to row, and from plane to plane, of the arrays.
    pub strides: [usize; 2],
    /// Points along x, rows.
    pub shape: [usize; 2],
    /// Position of the first point along x, y and z.
    pub origin: [usize; 3],
    /// Index of the first point in every output, and from row to row of them.
    pub output: [usize; 2],
}

/// A program in the fastest form at hand.
#[derive(Clone, Debug)]
pub struct Runner<R> {
    block: BlockKernel<R>,
    loaded: Option<Arc<Loaded>>,
    is_tried: bool,
    /// Room for the arguments of a call.
    numbers: Vec<R>,
    table: Vec<u32>,
    /// Coordinates of the points along each axis.
    coordinates: [Vec<R>; 3],
    /// First point and distance along each axis; `None` where a module cannot serve: distances differ and the program reads
    /// coordinates, or a row is narrower than a vector.
    lattice: Option<[[f64; 2]; 3]>,
    spacings: [f64; 3],
}

impl<R: Scalar> Runner<R> {
    /// `width` is the number of points along x of all calls.
    pub fn new(program: Program, grid: &crate::grid::Grid, width: usize) -> Self {
        let coordinates = [0, 1, 2].map(|axis| {
            grid.axes
                .get(axis)
                .map_or_else(|| vec![R::of(0.0)], |axis| axis.coordinates().into_iter().map(R::of).collect())
        });
        let spacings = [0, 1, 2].map(|axis| grid.axes.get(axis).map_or(1.0, crate::grid::Axis::spacing));
        // The module steps x by whole vectors of equal distances.
        let is_wide = width * size_of::<R>() >= 16;
        let is_even = !reads_coordinates(&program) || !grid.axes.iter().any(|axis| axis.is_chebyshev);
        let lattice = (is_even && is_wide)
            .then(|| [0, 1, 2].map(|axis| [grid.axes.get(axis).map_or(0.0, |a| a.min), spacings[axis]]));
        Self {
            block: BlockKernel::new(program),
            loaded: None,
            is_tried: false,
            numbers: Vec::new(),
            table: Vec::new(),
            coordinates,
            lattice,
            spacings,
        }
    }

    pub fn program(&self) -> &Program {
        self.block.program()
    }

    /// Whether calls go to a compiled module.
    pub fn is_compiled(&self) -> bool {
        self.loaded.is_some()
    }

    /// Values that hold at all points, for the calls to come.
    pub fn set_uniforms(&mut self, uniforms: Uniforms<'_>, points: usize) {
        let spacings = self.spacings;
        let input = |input: UniformInput| match input {
            UniformInput::Parameter(index) => uniforms.parameters.get(usize::from(index)).copied().unwrap_or(f64::NAN),
            UniformInput::Time => uniforms.time,
            UniformInput::Integral(index) => uniforms.integrals.get(usize::from(index)).copied().unwrap_or(f64::NAN),
            UniformInput::InverseSpacing(axis) => 1.0 / spacings[usize::from(axis.min(2))],
        };
        self.load(points);
        if self.loaded.is_some() {
            self.numbers.clear();
            self.numbers.extend(self.block.program().uniform_values(input).into_iter().map(R::of));
        } else {
            self.block.set_uniforms(input);
        }
    }

    /// Compiles once, if that can pay.
    fn load(&mut self, points: usize) {
        if self.is_tried || points * self.block.program().code.len() < LEAST_WORK {
            return;
        }
        self.is_tried = true;
        let Some(compiler) = COMPILER.get().filter(|_| IS_ENABLED.load(Ordering::Relaxed)) else { return };
        if self.lattice.is_none() {
            return;
        }
        let precision = if size_of::<R>() == 4 { Precision::F32 } else { Precision::F64 };
        // A program that is too large for an engine stays with the interpreter.
        let Ok(module) = wasm::module(self.block.program(), precision, None) else { return };
        self.loaded = (compiler.compile)(&module).map(|entry| Arc::new(Loaded { entry, release: compiler.release }));
    }

    /// Evaluates a plane. What does not fit leaves NaN, which a run reports as a blow-up.
    pub fn run(&mut self, arrays: &[&[R]], plane: Plane, outputs: &mut [&mut [R]]) {
        if !(self.run_loaded(arrays, plane, outputs) || self.run_block(arrays, plane, outputs)) {
            outputs.iter_mut().for_each(|output| output.fill(R::of(f64::NAN)));
        }
    }

    fn run_block(&mut self, arrays: &[&[R]], plane: Plane, outputs: &mut [&mut [R]]) -> bool {
        let [nx, ny] = plane.shape;
        let [first, along] = plane.output;
        let Some(xs) = self.coordinates[0].get(plane.origin[0]..) else { return false };
        let end = first + ny.saturating_sub(1) * along + nx;
        if outputs.iter().any(|output| output.len() < end) {
            return false;
        }
        for row in 0..ny {
            let start = plane.start + row * plane.strides[0];
            let fields: Vec<Field<'_, R>> = arrays.iter().map(|data| Field { data, start }).collect();
            let at = |axis: usize, index: usize| {
                let all = &self.coordinates[axis];
                Column::Constant(all.get(index).copied().unwrap_or(all[0]))
            };
            let coordinates = [Column::Values(xs), at(1, plane.origin[1] + row), at(2, plane.origin[2])];
            let to = first + row * along;
            let mut slices: Vec<&mut [R]> = outputs.iter_mut().map(|output| &mut output[to..to + nx]).collect();
            let strides = [1, plane.strides[0], plane.strides[1]];
            if self.block.run(&Row { fields: &fields, strides, coordinates }, &mut slices).is_err() {
                return false;
            }
        }
        true
    }

    fn run_loaded(&mut self, arrays: &[&[R]], plane: Plane, outputs: &mut [&mut [R]]) -> bool {
        let (Some(loaded), Some(lattice)) = (&self.loaded, self.lattice) else { return false };
        let program = self.block.program();
        let [nx, ny] = plane.shape;
        let size = size_of::<R>();
        if !fits(program, arrays, plane, outputs) {
            return false;
        }
        self.numbers.truncate(program.uniforms.len());
        let [[x, dx], [y, dy], [z, dz]] = lattice;
        let [i, j, k] = plane.origin.map(|index| index as f64);
        let place = [x + dx * i, dx, y + dy * j, dy, z + dz * k];
        self.numbers.extend(place.map(R::of));
        self.table.clear();
        self.table.extend(
            arrays[..program.arrays.len()].iter().map(|array| (array.as_ptr() as usize + size * plane.start) as u32),
        );
        let [first, along] = plane.output;
        self.table.extend(outputs.iter().map(|output| (output.as_ptr() as usize + size * first) as u32));
        self.table.extend([plane.strides[0], plane.strides[1], along].map(|stride| (stride * size) as u32));
        // SAFETY: `fits` has checked every place that the program reads and writes; arrays and outputs do not overlap, since
        // the latter are borrowed exclusively. Who installed the compiler promised the rest.
        unsafe { (loaded.entry)(self.table.as_ptr(), self.numbers.as_ptr().cast(), nx as u32, ny as u32) };
        true
    }
}

/// Where the function of an import is: with the C calling convention, f64 → f64 or (f64, f64) → f64. In WebAssembly this is
/// its index in the function table.
pub fn address(call: MathCall) -> usize {
    macro_rules! one {
        ($op:expr, $($name:ident)*) => {
            match $op {
                $(Op1::$name => {
                    extern "C" fn of(a: f64) -> f64 {
                        Op1::$name.eval(a)
                    }
                    of as extern "C" fn(f64) -> f64 as usize
                })*
            }
        };
    }
    macro_rules! two {
        ($op:expr, $($name:ident)*) => {
            match $op {
                $(Op2::$name => {
                    extern "C" fn of(a: f64, b: f64) -> f64 {
                        Op2::$name.eval(a, b)
                    }
                    of as extern "C" fn(f64, f64) -> f64 as usize
                })*
            }
        };
    }
    match call {
        MathCall::One(op) => {
            one!(op, Neg Abs Sign Floor Ceil Round Sqrt Exp Log Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh
            Asinh Acosh Atanh Erf Erfc Gamma LogGamma Digamma Not Conj Re Im Arg)
        }
        MathCall::Two(op) => two!(op, Add Sub Mul Div Pow Min Max Atan2 Mod Less LessEqual Equal And Or BesselJ BesselY
            BesselI BesselK),
    }
}

/// Whether a program reads coordinates.
pub fn reads_coordinates(program: &Program) -> bool {
    program
        .code
        .iter()
        .flat_map(|instruction| instruction.used())
        .chain(&program.outputs)
        .any(|operand| matches!(operand, Operand::Coordinate(_)))
}

/// Whether all reads and writes of a plane stay inside the arrays.
fn fits<R>(program: &Program, arrays: &[&[R]], plane: Plane, outputs: &[&mut [R]]) -> bool {
    let [nx, ny] = plane.shape;
    let reach = program.reach();
    let room = reach[0] + reach[1] * plane.strides[0] + reach[2] * plane.strides[1];
    let end = plane.start + ny.saturating_sub(1) * plane.strides[0] + nx + room;
    let [first, along] = plane.output;
    let output_end = first + ny.saturating_sub(1) * along + nx;
    arrays.len() >= program.arrays.len()
        && outputs.len() == program.outputs.len()
        && plane.start >= room
        && arrays.iter().all(|array| end <= array.len())
        && outputs.iter().all(|output| output_end <= output.len())
}
