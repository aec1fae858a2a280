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
//! ```
//! use eddy_expr::{Discretization, Options, System};
//! let mut system = System::parse("u_t = D*lap(u) - u^3; D = 0.1 in [0, 1]", &Options::new(2)).unwrap();
//! let symbol = system.linear_symbol(&[0.1]).unwrap();
//! assert!((symbol.at([3.0, 4.0, 0.0])[0].0 + 2.5).abs() < 1e-12);
//! let kernel = system.rates_kernel(Discretization::Stencil(2)).unwrap();
//! assert_eq!(kernel.program.reach(), [1, 1, 0]);
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
pub mod kernel;
pub mod lower;
mod poly;
pub mod program;
mod real;
pub mod simplify;
pub mod special;
pub mod split;
pub mod syntax;
pub mod system;

pub use block::{BLOCK, BlockKernel, Column, EvalError, Field, Row};
pub use check::Integral;
pub use diagnostic::{Code, Diagnostic, Span};
pub use expression::{Expression, ExpressionKernel, Inputs, Names};
pub use kernel::{Conditions, Discretization, Kernel, KernelError, Read, ResidualError, Residuals};
pub use real::Real;
pub use split::{Flux, LinearTerm, NoiseTerm, Split};
pub use system::{Equation, LinearSymbol, Options, Parameter, Role, System, Variable};
