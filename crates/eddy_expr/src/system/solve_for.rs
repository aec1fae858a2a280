//! Lines whose left side holds the time derivative among other terms: `i*psi_t = …`, `u_t + 6*u*dx(u) + dxxx(u) = 0`.
//! They are solved for the highest time derivative where it stands in one term, as a factor.

use super::walk::{time_derivative, visit};
use crate::{
    diagnostic::{Code, Diagnostic, Span},
    syntax::{Expr, ExprKind},
};

/// A line solved for a rate: ∂^order base/∂t^order = right.
pub(super) struct Solved {
    pub base: String,
    pub order: usize,
    /// Where the derivative stands.
    pub span: Span,
    pub right: Expr,
}

/// `left = right` solved for the time derivative on the left; `None` where there is none.
pub(super) fn rate(left: &Expr, right: &Expr) -> Result<Option<Solved>, Diagnostic> {
    let mut found: Vec<(String, usize, Span)> = Vec::new();
    visit(left, &mut |part| found.extend(derivative(part)));
    let Some(order) = found.iter().map(|(_, order, _)| *order).max() else { return Ok(None) };
    let mut highest = found.into_iter().filter(|(_, other, _)| *other == order);
    let Some((base, _, span)) = highest.next() else { return Ok(None) };
    if let Some((other, _, at)) = highest.next() {
        let (message, hint) = if other == base {
            (
                format!("'{base}' has its time derivative more than once on the left."),
                "Collect the terms with it into one.".to_string(),
            )
        } else {
            (
                format!("The line has the time derivatives of '{base}' and of '{other}' on the left."),
                format!("Write a line for each, solved for it: {base}_t = … and {other}_t = …."),
            )
        };
        return Err(Diagnostic::new(Code::System, at, message, hint));
    }
    let is_it = |expr: &Expr| derivative(expr).is_some_and(|(name, other, _)| name == base && other == order);
    let not_linear = || {
        Diagnostic::new(
            Code::System,
            span,
            "The time derivative does not stand as a factor of one term of the left side.",
            format!("Solve the line for it: {base}_{} = ….", "t".repeat(order)),
        )
    };
    let terms = match &left.kind {
        ExprKind::Sum(terms) => terms.clone(),
        _ => vec![(false, left.clone())],
    };
    let mut moved = vec![(false, right.clone())];
    let mut divisors = Vec::new();
    for (subtracted, term) in terms {
        if !holds(&term, &is_it) {
            moved.push((!subtracted, term));
            continue;
        }
        let (negative, inner) = match &term.kind {
            ExprKind::Negative(inner) => (true, (**inner).clone()),
            _ => (false, term.clone()),
        };
        match &inner.kind {
            _ if is_it(&inner) => {}
            ExprKind::Product(factors) => {
                for (divided, factor) in factors {
                    if is_it(factor) && !divided {
                        continue;
                    }
                    if holds(factor, &is_it) {
                        return Err(not_linear());
                    }
                    divisors.push((!divided, factor.clone()));
                }
            }
            _ => return Err(not_linear()),
        }
        if subtracted != negative {
            divisors.push((true, Expr { kind: ExprKind::Negative(Box::new(one(span))), span }));
        }
    }
    let whole = right.span;
    let mut value = if moved.len() == 1 { right.clone() } else { Expr { kind: ExprKind::Sum(moved), span: whole } };
    if !divisors.is_empty() {
        divisors.insert(0, (false, value));
        value = Expr { kind: ExprKind::Product(divisors), span: whole };
    }
    Ok(Some(Solved { base, order, span, right: value }))
}

fn one(span: Span) -> Expr {
    Expr { kind: ExprKind::Number(1.0), span }
}

/// u_t, u_tt, u', u'', du/dt, dt(u) or dtt(u).
pub(super) fn derivative(expr: &Expr) -> Option<(String, usize, Span)> {
    match &expr.kind {
        ExprKind::Name(name) => time_derivative(name).map(|(base, order)| (base.to_string(), order, expr.span)),
        ExprKind::Call { name, arguments, .. } if matches!(name.as_str(), "dt" | "dtt") => match arguments.as_slice() {
            [Expr { kind: ExprKind::Name(base), .. }] => Some((base.clone(), name.len() - 1, expr.span)),
            _ => None,
        },
        ExprKind::Product(factors) => match factors.as_slice() {
            [(false, Expr { kind: ExprKind::Name(above), .. }), (true, Expr { kind: ExprKind::Name(below), .. })]
                if below == "dt" =>
            {
                let base = above.strip_prefix('d').filter(|base| !base.is_empty())?;
                Some((base.to_string(), 1, expr.span))
            }
            _ => None,
        },
        _ => None,
    }
}

fn holds(expr: &Expr, is_it: &impl Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    visit(expr, &mut |part| found |= is_it(part));
    found
}
