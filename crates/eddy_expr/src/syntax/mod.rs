//! Text to syntax tree: characters → tokens → statements → trees with spans.

pub mod ast;
mod lexer;
mod parser;

pub use ast::{Comparison, Expr, ExprKind, Statement};
pub use parser::{parse_expression, parse_statements};

/// Longest text accepted, in characters.
pub const MAX_CHARACTERS: usize = 100_000;
/// Most tokens in a text.
pub const MAX_TOKENS: usize = 20_000;
/// Deepest nesting of brackets, prefix signs and towers of powers together. The parser calls itself once per
/// level; at this depth it stays well within the 1 MiB stack of a WebAssembly thread.
pub const MAX_DEPTH: usize = 48;
