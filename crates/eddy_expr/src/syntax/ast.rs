//! The syntax tree: what the user wrote, before names mean anything.

use crate::diagnostic::Span;

/// A tree with its place in the text. Sums and products are flat lists, so the depth of a tree is bounded by the
/// nesting of brackets and not by the number of terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Number(f64),
    Name(String),
    Call {
        name: String,
        name_span: Span,
        arguments: Vec<Expr>,
    },
    Vector(Vec<Expr>),
    Negative(Box<Expr>),
    Power(Box<Expr>, Box<Expr>),
    /// Terms; `true` means subtracted.
    Sum(Vec<(bool, Expr)>),
    /// Factors; `true` means divided by.
    Product(Vec<(bool, Expr)>),
    /// `a < b <= c`: first operand, then operators with their right operands.
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// Stands where the text could not be read; an error was reported.
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

/// `left = right` with an optional range and unit, or an expression alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub left: Option<Expr>,
    pub right: Expr,
    pub range: Option<(Expr, Expr)>,
    pub unit: Option<(String, Span)>,
    pub span: Span,
}

impl Statement {
    /// What it has that only parameters may have, and where.
    pub fn extra(&self) -> Option<(&'static str, Span)> {
        let range = self.range.as_ref().map(|(low, _)| ("range", low.span));
        range.or(self.unit.as_ref().map(|(_, span)| ("unit", *span)))
    }
}
