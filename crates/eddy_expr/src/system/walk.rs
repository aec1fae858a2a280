//! What a syntax tree mentions, and what a name says by itself.

use std::collections::HashSet;

use crate::{
    builtins,
    diagnostic::Span,
    syntax::{Expr, ExprKind, Statement},
};

/// A tree and all that is in it.
pub(super) fn visit(expr: &Expr, f: &mut impl FnMut(&Expr)) {
    f(expr);
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Error => {}
        ExprKind::Call { arguments, .. } => arguments.iter().for_each(|part| visit(part, f)),
        ExprKind::Vector(parts) | ExprKind::And(parts) | ExprKind::Or(parts) => {
            parts.iter().for_each(|part| visit(part, f))
        }
        ExprKind::Negative(inner) | ExprKind::Not(inner) => visit(inner, f),
        ExprKind::Power(a, b) => {
            visit(a, f);
            visit(b, f);
        }
        ExprKind::Sum(parts) | ExprKind::Product(parts) => parts.iter().for_each(|(_, part)| visit(part, f)),
        ExprKind::Compare(first, rest) => {
            visit(first, f);
            rest.iter().for_each(|(_, part)| visit(part, f));
        }
    }
}

/// Every name, and where it stands.
pub(super) fn visit_names(expr: &Expr, f: &mut impl FnMut(&str, Span)) {
    visit(expr, &mut |part| {
        if let ExprKind::Name(name) = &part.kind {
            f(name, part.span);
        }
    });
}

/// The functions of the language that stand with arguments.
pub(super) fn called_functions(statements: &[Statement]) -> HashSet<String> {
    let mut called = HashSet::new();
    for statement in statements {
        for expr in statement.left.iter().chain([&statement.right]) {
            visit(expr, &mut |part| {
                if let ExprKind::Call { name, .. } = &part.kind
                    && builtins::function(name).is_some()
                {
                    called.insert(name.clone());
                }
            });
        }
    }
    called
}

/// Whether a tree holds only numbers, constants and functions of them.
pub(super) fn is_numeric(expr: &Expr, top: bool) -> bool {
    let mut numeric = !matches!(expr.kind, ExprKind::Vector(_)) || !top;
    visit(expr, &mut |part| match &part.kind {
        ExprKind::Name(name) => numeric &= builtins::constant(name).is_some(),
        ExprKind::Call { name, .. } => {
            numeric &= matches!(builtins::function(name), Some(function) if !matches!(function, builtins::Function::Operator(_)));
        }
        ExprKind::Vector(_) | ExprKind::Error => numeric = false,
        _ => {}
    });
    numeric
}

/// u_t or u' → (u, 1), u_tt or u'' → (u, 2).
pub(super) fn time_derivative(name: &str) -> Option<(&str, usize)> {
    if let Some(base) = name.strip_suffix("_tt") {
        return Some((base, 2));
    }
    for (marks, order) in [("''", 2), ("'", 1)] {
        if let Some(base) = name.strip_suffix(marks).filter(|base| !base.ends_with('\'')) {
            return Some((base, order));
        }
    }
    name.strip_suffix("_t").map(|base| (base, 1))
}

/// u_ttt or u''' → u: a rate of a higher order than equations have.
pub(super) fn high_rate(name: &str) -> Option<&str> {
    let marks = name.trim_end_matches('\'');
    if name.len() >= marks.len() + 3 {
        return Some(marks);
    }
    name.rsplit_once('_').filter(|(_, rate)| rate.len() > 2 && rate.chars().all(|c| c == 't')).map(|(base, _)| base)
}
