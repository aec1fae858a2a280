//! Values during elaboration, and the conversions between their kinds.

use super::Checker;
use crate::{
    diagnostic::Code,
    ir::{Id, Node, Op1},
    syntax::Expr,
};

/// A number (or truth value) or a vector of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Scalar(Id),
    Vector(Vec<Id>),
}

impl Value {
    pub fn map(self, mut f: impl FnMut(Id) -> Id) -> Self {
        match self {
            Self::Scalar(id) => Self::Scalar(f(id)),
            Self::Vector(ids) => Self::Vector(ids.into_iter().map(f).collect()),
        }
    }

    pub fn describe(&self) -> String {
        match self {
            Self::Scalar(_) => "a number".into(),
            Self::Vector(ids) => format!("a vector of {}", ids.len()),
        }
    }
}

impl Checker<'_> {
    /// A truth value as 1 or 0, anything else as it is.
    pub(crate) fn as_number(&mut self, id: Id) -> Id {
        if !self.is_truth(id) {
            return id;
        }
        let (one, zero) = (self.graph.real(1.0), self.graph.real(0.0));
        self.graph.select(id, one, zero)
    }

    /// A number or a vector; truth values count as 1 and 0.
    pub(crate) fn number_or_vector(&mut self, expr: &Expr) -> Option<Value> {
        match self.value(expr)? {
            Value::Scalar(id) => Some(Value::Scalar(self.as_number(id))),
            vector => Some(vector),
        }
    }

    /// A number, complex ones included.
    pub(crate) fn scalar(&mut self, expr: &Expr) -> Option<Id> {
        match self.number_or_vector(expr)? {
            Value::Scalar(id) => Some(id),
            Value::Vector(_) => self.fail(
                Code::Type,
                expr.span,
                "A vector stands where a number is needed.",
                "Use dot(v, w), div(v) or norm(v) to make a number of it.",
            ),
        }
    }

    /// A real number; `role` completes "a complex value cannot be …".
    pub(crate) fn real_scalar(&mut self, expr: &Expr, role: &str) -> Option<Id> {
        let id = self.scalar(expr)?;
        if self.graph.is_complex(id) {
            return self.fail(
                Code::Type,
                expr.span,
                format!("A complex value cannot be {role}."),
                "Use its real part re(u), imaginary part im(u) or size abs(u).",
            );
        }
        Some(id)
    }

    /// A truth value.
    pub(crate) fn truth(&mut self, expr: &Expr) -> Option<Id> {
        if let Value::Scalar(id) = self.value(expr)? {
            if self.is_truth(id) {
                return Some(id);
            }
            // Also 1 or 0 that came from a comparison, as through a user function.
            if let Node::Select(condition, yes, no) = self.graph.node(id) {
                match (self.graph.real_value(yes), self.graph.real_value(no)) {
                    (Some(1.0), Some(0.0)) => return Some(condition),
                    (Some(0.0), Some(1.0)) => return Some(self.graph.unary(Op1::Not, condition)),
                    _ => {}
                }
            }
        }
        self.fail(
            Code::Type,
            expr.span,
            "A condition is needed here.",
            "Compare something, for example u > 0 or x < 1 and y < 1.",
        )
    }
}
