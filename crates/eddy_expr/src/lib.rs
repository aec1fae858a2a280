//! The equation language: a user types a system of partial differential equations, and it runs.
//!
//! ```
//! use eddy_expr::{Expression, Names};
//! let names = Names::new(1).with_parameters(["k"]);
//! let wave = Expression::parse("sin(k*x)", &names).unwrap();
//! assert_eq!(wave.eval([0.5, 0.0, 0.0], 0.0, &[2.0]).0, 1f64.sin());
//! let errors = Expression::parse("sin(kk*x)", &Names::new(1).with_parameters(["kappa", "kk2"])).unwrap_err();
//! assert_eq!((errors[0].span.start, errors[0].span.end), (4, 6));
//! assert_eq!(errors[0].replacement.as_deref(), Some("kk2"));
//! ```
//!
//! Text → [`syntax`] trees with spans → [`ir::Graph`], hash-consed and typed → simplification, derivative, split →
//! [`program::Program`] → block interpreter, WASM SIMD, WGSL. LaTeX comes from the tree as typed.

pub mod block;
pub mod builtins;
mod check;
pub mod complex;
pub mod diagnostic;
mod expression;
pub mod ir;
pub mod lower;
pub mod program;
mod real;
pub mod special;
pub mod syntax;

pub use block::{BLOCK, BlockKernel, Column, EvalError, Field, Row};
pub use check::Integral;
pub use diagnostic::{Code, Diagnostic, Span};
pub use expression::{Expression, ExpressionKernel, Inputs, Names};
pub use real::Real;
