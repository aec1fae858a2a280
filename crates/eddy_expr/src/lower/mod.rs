//! Lowerings of expressions and systems to other languages.

pub mod latex;
