//! The block interpreter: runs a [`Program`] over a row of points, a block at a time, so that all intermediate
//! values stay in the first-level cache and each operation is one loop the compiler vectorizes.

use crate::{
    ir::{Op1, Op2},
    program::{Action, Instruction, Operand, Program, UniformInput},
    real::Real,
};

/// Points per block: 2 KiB a register at double precision.
pub const BLOCK: usize = 256;

/// A value at each point of a row: one for all, or one each.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a, T> {
    Constant(T),
    Values(&'a [T]),
}

/// An array that a stencil reads: the whole storage, and the index of the first point of the row.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a, T> {
    pub data: &'a [T],
    pub start: usize,
}

/// A row of points and what is known there.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a, T> {
    /// One per array slot of the program.
    pub fields: &'a [Field<'a, T>],
    /// Distance in elements of neighbours along x, y and z, the same for all arrays. x must be contiguous (1).
    pub strides: [usize; 3],
    pub coordinates: [Column<'a, T>; 3],
}

/// A call that does not fit the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("the program has {expected} outputs, {found} were given")]
    Outputs { expected: usize, found: usize },
    #[error("the program reads {expected} arrays, {found} were given")]
    Arrays { expected: usize, found: usize },
    #[error("an array or coordinate is shorter than the row and its stencil need")]
    Length,
    #[error("parameter {index} has no value")]
    Parameter { index: usize },
}

/// A program with registers assigned, ready to run.
#[derive(Clone, Debug)]
pub struct BlockKernel<T> {
    program: Program,
    /// Register of each result.
    registers: Vec<u16>,
    register_count: usize,
    uniforms: Vec<T>,
    storage: Vec<Vec<T>>,
}

impl<T: Real> BlockKernel<T> {
    pub fn new(program: Program) -> Self {
        let (registers, register_count) = assign_registers(&program);
        let uniforms = vec![T::ZERO; program.uniforms.len()];
        let storage = vec![vec![T::ZERO; BLOCK]; register_count];
        Self { program, registers, register_count, uniforms, storage }
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Registers of [`BLOCK`] values each.
    pub fn register_count(&self) -> usize {
        self.register_count
    }

    /// Sets parameters, time and the like for the calls to come. Work that depends on nothing else is done here,
    /// at double precision.
    pub fn set_uniforms(&mut self, input: impl FnMut(UniformInput) -> f64) {
        for (place, value) in self.uniforms.iter_mut().zip(self.program.uniform_values(input)) {
            *place = T::from_f64(value);
        }
    }

    /// Evaluates the row into `outputs`, all of one length.
    pub fn run(&mut self, row: &Row<'_, T>, outputs: &mut [&mut [T]]) -> Result<(), EvalError> {
        if outputs.len() != self.program.outputs.len() {
            return Err(EvalError::Outputs { expected: self.program.outputs.len(), found: outputs.len() });
        }
        if row.fields.len() < self.program.arrays.len() {
            return Err(EvalError::Arrays { expected: self.program.arrays.len(), found: row.fields.len() });
        }
        let points = outputs.first().map_or(0, |output| output.len());
        if outputs.iter().any(|output| output.len() != points) {
            return Err(EvalError::Length);
        }
        self.check_lengths(row, points)?;
        let mut storage = std::mem::take(&mut self.storage);
        let mut first = 0;
        while first < points {
            let count = BLOCK.min(points - first);
            for (index, instruction) in self.program.code.iter().enumerate() {
                let register = usize::from(self.registers[index]);
                // The register of a result never is one of its operands, so it can be taken out meanwhile.
                let mut target = std::mem::take(&mut storage[register]);
                self.execute(instruction, &mut target[..count], &storage, row, first);
                storage[register] = target;
            }
            for (output, operand) in outputs.iter_mut().zip(&self.program.outputs) {
                let target = &mut output[first..first + count];
                match self.source(*operand, &storage, row, first, count) {
                    Source::One(value) => target.fill(value),
                    Source::Many(values) => target.copy_from_slice(values),
                }
            }
            first += count;
        }
        self.storage = storage;
        Ok(())
    }

    /// Every slice that the code will take exists, so that taking it cannot panic.
    fn check_lengths(&self, row: &Row<'_, T>, points: usize) -> Result<(), EvalError> {
        let operands = self.program.code.iter().flat_map(|instruction| instruction.used()).chain(&self.program.outputs);
        for operand in operands {
            match operand {
                Operand::Array { slot, offset } => {
                    let field = row.fields.get(usize::from(*slot)).ok_or(EvalError::Length)?;
                    let start = shifted_start(field, row.strides, *offset).ok_or(EvalError::Length)?;
                    if start.checked_add(points).is_none_or(|end| end > field.data.len()) {
                        return Err(EvalError::Length);
                    }
                }
                Operand::Coordinate(axis) => {
                    if let Column::Values(values) = row.coordinates[usize::from(*axis)]
                        && values.len() < points
                    {
                        return Err(EvalError::Length);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn source<'s>(
        &self,
        operand: Operand,
        storage: &'s [Vec<T>],
        row: &'s Row<'_, T>,
        first: usize,
        count: usize,
    ) -> Source<'s, T> {
        match operand {
            Operand::Uniform(index) => Source::One(self.uniforms[index as usize]),
            Operand::Result(index) => Source::Many(&storage[usize::from(self.registers[index as usize])][..count]),
            Operand::Coordinate(axis) => match row.coordinates[usize::from(axis)] {
                Column::Constant(value) => Source::One(value),
                Column::Values(values) => Source::Many(&values[first..first + count]),
            },
            Operand::Array { slot, offset } => {
                let field = &row.fields[usize::from(slot)];
                let start = shifted_start(field, row.strides, offset).unwrap_or(0) + first;
                Source::Many(&field.data[start..start + count])
            }
        }
    }

    fn execute(&self, instruction: &Instruction, target: &mut [T], storage: &[Vec<T>], row: &Row<'_, T>, first: usize) {
        let count = target.len();
        let source = |index: usize| self.source(instruction.operands[index], storage, row, first, count);
        match instruction.action {
            Action::One(op) => one(op, target, source(0)),
            Action::Two(op) => two(op, target, source(0), source(1)),
            Action::Select => {
                let (condition, yes, no) = (source(0), source(1), source(2));
                for (index, place) in target.iter_mut().enumerate() {
                    *place = if condition.at(index) != T::ZERO { yes.at(index) } else { no.at(index) };
                }
            }
        }
    }
}

fn shifted_start<T>(field: &Field<'_, T>, strides: [usize; 3], offset: [i8; 3]) -> Option<usize> {
    let mut start = field.start as isize;
    for axis in 0..3 {
        start = start.checked_add(isize::from(offset[axis]).checked_mul(strides[axis] as isize)?)?;
    }
    usize::try_from(start).ok()
}

#[derive(Clone, Copy)]
enum Source<'a, T> {
    One(T),
    Many(&'a [T]),
}

impl<T: Copy> Source<'_, T> {
    #[inline(always)]
    fn at(&self, index: usize) -> T {
        match self {
            Self::One(value) => *value,
            Self::Many(values) => values[index],
        }
    }
}

#[inline(always)]
fn map_one<T: Real>(target: &mut [T], a: Source<'_, T>, f: impl Fn(T) -> T) {
    match a {
        Source::One(a) => target.fill(f(a)),
        Source::Many(a) => {
            for (place, a) in target.iter_mut().zip(a) {
                *place = f(*a);
            }
        }
    }
}

#[inline(always)]
fn map_two<T: Real>(target: &mut [T], a: Source<'_, T>, b: Source<'_, T>, f: impl Fn(T, T) -> T) {
    match (a, b) {
        (Source::One(a), Source::One(b)) => target.fill(f(a, b)),
        (Source::One(a), Source::Many(b)) => {
            for (place, b) in target.iter_mut().zip(b) {
                *place = f(a, *b);
            }
        }
        (Source::Many(a), Source::One(b)) => {
            for (place, a) in target.iter_mut().zip(a) {
                *place = f(*a, b);
            }
        }
        (Source::Many(a), Source::Many(b)) => {
            for ((place, a), b) in target.iter_mut().zip(a).zip(b) {
                *place = f(*a, *b);
            }
        }
    }
}

fn truth<T: Real>(holds: bool) -> T {
    if holds { T::ONE } else { T::ZERO }
}

fn one<T: Real>(op: Op1, target: &mut [T], a: Source<'_, T>) {
    match op {
        Op1::Neg => map_one(target, a, |a| -a),
        Op1::Abs => map_one(target, a, T::abs),
        Op1::Sqrt => map_one(target, a, T::sqrt),
        Op1::Floor => map_one(target, a, T::floor),
        Op1::Not => map_one(target, a, |a| truth(a == T::ZERO)),
        Op1::Sign => map_one(target, a, |a| {
            if a > T::ZERO {
                T::ONE
            } else if a < T::ZERO {
                -T::ONE
            } else {
                a
            }
        }),
        _ => map_one(target, a, |a| T::one(op, a)),
    }
}

fn two<T: Real>(op: Op2, target: &mut [T], a: Source<'_, T>, b: Source<'_, T>) {
    match op {
        Op2::Add => map_two(target, a, b, |a, b| a + b),
        Op2::Sub => map_two(target, a, b, |a, b| a - b),
        Op2::Mul => map_two(target, a, b, |a, b| a * b),
        Op2::Div => map_two(target, a, b, |a, b| a / b),
        Op2::Min => map_two(target, a, b, |a, b| if b < a { b } else { a }),
        Op2::Max => map_two(target, a, b, |a, b| if b > a { b } else { a }),
        Op2::Less => map_two(target, a, b, |a, b| truth(a < b)),
        Op2::LessEqual => map_two(target, a, b, |a, b| truth(a <= b)),
        Op2::Equal => map_two(target, a, b, |a, b| truth(a == b)),
        Op2::And => map_two(target, a, b, |a, b| truth(a != T::ZERO && b != T::ZERO)),
        Op2::Or => map_two(target, a, b, |a, b| truth(a != T::ZERO || b != T::ZERO)),
        _ => map_two(target, a, b, |a, b| T::two(op, a, b)),
    }
}

/// Linear scan over the point code: a register is free again after the last use of its result.
fn assign_registers(program: &Program) -> (Vec<u16>, usize) {
    let mut last_use = vec![0usize; program.code.len()];
    for (index, instruction) in program.code.iter().enumerate() {
        for operand in instruction.used() {
            if let Operand::Result(result) = operand {
                last_use[*result as usize] = index;
            }
        }
    }
    for operand in &program.outputs {
        if let Operand::Result(result) = operand {
            last_use[*result as usize] = usize::MAX;
        }
    }
    let mut free: Vec<u16> = Vec::new();
    let mut count = 0usize;
    let mut registers = Vec::with_capacity(program.code.len());
    for (index, instruction) in program.code.iter().enumerate() {
        // Taken before the operands are freed: target and operands never share a register.
        let register = free.pop().unwrap_or_else(|| {
            count += 1;
            (count - 1) as u16
        });
        registers.push(register);
        let mut done: Vec<u32> = instruction
            .used()
            .iter()
            .filter_map(|operand| match operand {
                Operand::Result(result) if last_use[*result as usize] == index => Some(*result),
                _ => None,
            })
            .collect();
        done.sort_unstable();
        done.dedup();
        free.extend(done.into_iter().map(|result| registers[result as usize]));
        if last_use[index] == 0 {
            // Never used: only possible for code that no output needs.
            free.push(register);
        }
    }
    (registers, count)
}
