//! Lowerings of expressions and systems to other languages.

pub mod jax;
pub mod latex;
pub mod numpy;
pub mod wasm;
mod wasm_math;
pub mod wgsl;
pub mod wgsl_point;
pub mod wgsl_step;

use crate::ir::{Op1, Op2};

/// A function that generated code calls because its target has no instruction for it. All work on f64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MathCall {
    One(Op1),
    Two(Op2),
}

impl MathCall {
    /// Name of the import, in module "math".
    pub const fn name(self) -> &'static str {
        match self {
            Self::One(op) => op.name(),
            Self::Two(Op2::Pow) => "pow",
            Self::Two(op) => op.name(),
        }
    }

    pub const fn arity(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Two(_) => 2,
        }
    }

    /// The function itself, for a host to hand in. `b` is ignored by functions of one value.
    pub fn call(self, a: f64, b: f64) -> f64 {
        match self {
            Self::One(op) => op.eval(a),
            Self::Two(op) => op.eval(a, b),
        }
    }

    /// The call of an import name.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "pow" {
            return Some(Self::Two(Op2::Pow));
        }
        name.parse().map(Self::One).or_else(|_| name.parse().map(Self::Two)).ok()
    }
}
