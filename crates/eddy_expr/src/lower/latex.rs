//! LaTeX of what the user wrote: the tree as typed, in the notation of a textbook.

use crate::{
    builtins,
    syntax::{Comparison, Expr, ExprKind, Statement},
};

/// How tightly a piece of text holds together, to know where brackets are needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    Or,
    And,
    Comparison,
    Sum,
    Product,
    /// An operator or function in front of its operand.
    Prefix,
    Power,
    Atom,
}

struct Piece {
    text: String,
    tightness: Tightness,
}

fn piece(text: impl Into<String>, tightness: Tightness) -> Piece {
    Piece { text: text.into(), tightness }
}

impl Piece {
    fn at_least(self, tightness: Tightness) -> String {
        if self.tightness >= tightness { self.text } else { format!("\\left({}\\right)", self.text) }
    }
}

/// LaTeX of an expression, without `$`.
pub fn expression(expr: &Expr) -> String {
    render(expr).text
}

/// LaTeX of an equation, with `=`; a range is left out.
pub fn statement(statement: &Statement) -> String {
    match &statement.left {
        Some(left) => format!("{} = {}", left_side(left), expression(&statement.right)),
        None => expression(&statement.right),
    }
}

/// `u_t` as a partial derivative.
fn left_side(expr: &Expr) -> String {
    if let ExprKind::Name(text) = &expr.kind {
        if let Some(base) = text.strip_suffix("_tt") {
            return format!("\\frac{{\\partial^{{2}} {}}}{{\\partial t^{{2}}}}", name(base));
        }
        if let Some(base) = text.strip_suffix("_t") {
            return format!("\\frac{{\\partial {}}}{{\\partial t}}", name(base));
        }
    }
    expression(expr)
}

fn render(expr: &Expr) -> Piece {
    match &expr.kind {
        ExprKind::Number(value) => number(*value),
        ExprKind::Name(text) => named(text),
        ExprKind::Call { name, arguments, .. } => call(name, arguments),
        ExprKind::Vector(parts) => {
            let parts: Vec<String> = parts.iter().map(expression).collect();
            piece(format!("\\begin{{pmatrix}}{}\\end{{pmatrix}}", parts.join(" \\\\ ")), Tightness::Atom)
        }
        ExprKind::Negative(inner) => piece(format!("-{}", render(inner).at_least(Tightness::Product)), Tightness::Sum),
        ExprKind::Power(base, exponent) => {
            // sin(x)^2 as sin^2(x) is ambiguous to some; brackets around the whole are not.
            let base = render(base).at_least(Tightness::Atom);
            piece(format!("{base}^{{{}}}", expression(exponent)), Tightness::Power)
        }
        ExprKind::Sum(terms) => {
            let mut text = String::new();
            for (index, (subtracted, term)) in terms.iter().enumerate() {
                let term = render(term);
                let term = if index == 0 {
                    term.at_least(Tightness::Sum)
                } else {
                    text.push_str(if *subtracted { " - " } else { " + " });
                    term.at_least(Tightness::Product)
                };
                text.push_str(&term);
            }
            piece(text, Tightness::Sum)
        }
        ExprKind::Product(factors) => product(factors),
        ExprKind::Compare(first, rest) => {
            let mut text = render(first).at_least(Tightness::Sum);
            for (comparison, right) in rest {
                text.push_str(match comparison {
                    Comparison::Less => " < ",
                    Comparison::LessEqual => " \\le ",
                    Comparison::Greater => " > ",
                    Comparison::GreaterEqual => " \\ge ",
                    Comparison::Equal => " = ",
                    Comparison::NotEqual => " \\ne ",
                });
                text.push_str(&render(right).at_least(Tightness::Sum));
            }
            piece(text, Tightness::Comparison)
        }
        ExprKind::Not(inner) => piece(format!("\\lnot {}", render(inner).at_least(Tightness::Atom)), Tightness::Prefix),
        ExprKind::And(parts) => joined(parts, " \\land ", Tightness::And),
        ExprKind::Or(parts) => joined(parts, " \\lor ", Tightness::Or),
        ExprKind::Error => piece("\\square", Tightness::Atom),
    }
}

fn joined(parts: &[Expr], sign: &str, tightness: Tightness) -> Piece {
    let parts: Vec<String> = parts.iter().map(|part| render(part).at_least(Tightness::Comparison)).collect();
    piece(parts.join(sign), tightness)
}

fn number(value: f64) -> Piece {
    let text = format!("{value:?}");
    if let Some((mantissa, exponent)) = text.split_once('e') {
        let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
        let power = format!("10^{{{exponent}}}");
        let text = if mantissa == "1" { power } else { format!("{mantissa} \\cdot {power}") };
        return piece(text, Tightness::Product);
    }
    piece(text.strip_suffix(".0").unwrap_or(&text), Tightness::Atom)
}

/// a*b/c*d as a fraction: all divisors go below the line.
fn product(factors: &[(bool, Expr)]) -> Piece {
    let above: Vec<&Expr> = factors.iter().filter(|(divided, _)| !divided).map(|(_, expr)| expr).collect();
    let below: Vec<&Expr> = factors.iter().filter(|(divided, _)| *divided).map(|(_, expr)| expr).collect();
    let top = row(&above);
    if below.is_empty() {
        return piece(top, Tightness::Product);
    }
    let bare = |parts: &[&Expr], text: String| if let [only] = parts { expression(only) } else { text };
    let bottom = row(&below);
    piece(format!("\\frac{{{}}}{{{}}}", bare(&above, top), bare(&below, bottom)), Tightness::Product)
}

fn row(factors: &[&Expr]) -> String {
    let mut text = String::new();
    for (index, factor) in factors.iter().enumerate() {
        let rendered = render(factor);
        let leading = matches!(factor.kind, ExprKind::Negative(_)) && index == 0;
        let part = if leading { rendered.text } else { rendered.at_least(Tightness::Product) };
        if index > 0 {
            // Juxtaposition reads as a product except before a digit.
            let before_digit = part.starts_with(|first: char| first.is_ascii_digit());
            text.push_str(if before_digit { " \\cdot " } else { " \\, " });
        }
        text.push_str(&part);
    }
    text
}

fn call(name_text: &str, arguments: &[Expr]) -> Piece {
    let all = || arguments.iter().map(expression).collect::<Vec<_>>().join(", ");
    let first = || arguments.first().map(render);
    if let (Some(orders), [_]) = (name_text.strip_prefix('d').and_then(builtins::orders_from_axes), arguments) {
        let operand = first().map_or_else(String::new, |operand| operand.at_least(Tightness::Power));
        return piece(format!("{}{operand}", partial(orders)), Tightness::Prefix);
    }
    let operator = |sign: &str| {
        let operand = first().map_or_else(String::new, |operand| operand.at_least(Tightness::Prefix));
        piece(format!("{sign}{operand}"), Tightness::Prefix)
    };
    match (name_text, arguments) {
        ("lap" | "laplacian", [_]) => operator("\\nabla^{2} "),
        ("bilap", [_]) => operator("\\nabla^{4} "),
        ("grad", [_]) => operator("\\nabla "),
        ("div", [_]) => operator("\\nabla \\cdot "),
        ("curl", [_]) => operator("\\nabla \\times "),
        ("dot", [a, b]) => binary(a, " \\cdot ", b),
        ("cross", [a, b]) => binary(a, " \\times ", b),
        ("upwind", [a, b]) => piece(
            format!("{} \\cdot \\nabla {}", render(a).at_least(Tightness::Power), render(b).at_least(Tightness::Power)),
            Tightness::Product,
        ),
        ("norm", [a]) => piece(format!("\\left\\lVert {} \\right\\rVert", expression(a)), Tightness::Atom),
        ("abs", [a]) => piece(format!("\\left|{}\\right|", expression(a)), Tightness::Atom),
        ("sqrt", [a]) => piece(format!("\\sqrt{{{}}}", expression(a)), Tightness::Atom),
        ("cbrt", [a]) => piece(format!("\\sqrt[3]{{{}}}", expression(a)), Tightness::Atom),
        ("floor", [a]) => piece(format!("\\left\\lfloor {} \\right\\rfloor", expression(a)), Tightness::Atom),
        ("ceil", [a]) => piece(format!("\\left\\lceil {} \\right\\rceil", expression(a)), Tightness::Atom),
        ("square", [a]) => piece(format!("{}^{{2}}", render(a).at_least(Tightness::Atom)), Tightness::Power),
        ("pow", [a, b]) => {
            piece(format!("{}^{{{}}}", render(a).at_least(Tightness::Atom), expression(b)), Tightness::Power)
        }
        ("conj", [a]) => piece(format!("\\overline{{{}}}", expression(a)), Tightness::Atom),
        ("exp", [a]) => piece(format!("e^{{{}}}", expression(a)), Tightness::Power),
        ("integral", [a]) => piece(format!("\\int_{{\\Omega}} {} \\,\\mathrm{{d}}V", expression(a)), Tightness::Prefix),
        ("mean", [a]) => piece(format!("\\left\\langle {} \\right\\rangle", expression(a)), Tightness::Atom),
        ("noise", _) => {
            let channel = arguments.first().map_or_else(String::new, |a| format!("_{{{}}}", expression(a)));
            piece(format!("\\xi{channel}"), Tightness::Atom)
        }
        ("besselj" | "bessely" | "besseli" | "besselk", [n, a]) => {
            let letter = name_text.chars().next_back().unwrap_or('j').to_ascii_uppercase();
            piece(format!("{letter}_{{{}}}\\left({}\\right)", expression(n), expression(a)), Tightness::Atom)
        }
        ("j0" | "j1" | "y0" | "y1" | "i0" | "i1" | "k0" | "k1", [a]) => {
            let mut letters = name_text.chars();
            let letter = letters.next().unwrap_or('j').to_ascii_uppercase();
            piece(format!("{letter}_{{{}}}\\left({}\\right)", letters.as_str(), expression(a)), Tightness::Atom)
        }
        ("if" | "where" | "piecewise", _) if arguments.len() >= 3 => cases(arguments),
        ("gamma", _) => piece(format!("\\Gamma\\left({}\\right)", all()), Tightness::Atom),
        ("digamma", _) => piece(format!("\\psi\\left({}\\right)", all()), Tightness::Atom),
        ("heaviside" | "step", _) => piece(format!("H\\left({}\\right)", all()), Tightness::Atom),
        ("log" | "ln", _) => piece(format!("\\ln\\left({}\\right)", all()), Tightness::Atom),
        ("log2", _) => piece(format!("\\log_{{2}}\\left({}\\right)", all()), Tightness::Atom),
        ("log10", _) => piece(format!("\\log_{{10}}\\left({}\\right)", all()), Tightness::Atom),
        ("asin" | "arcsin", _) => piece(format!("\\arcsin\\left({}\\right)", all()), Tightness::Atom),
        ("acos" | "arccos", _) => piece(format!("\\arccos\\left({}\\right)", all()), Tightness::Atom),
        ("atan" | "arctan", _) => piece(format!("\\arctan\\left({}\\right)", all()), Tightness::Atom),
        (
            "sin" | "cos" | "tan" | "sec" | "csc" | "cot" | "sinh" | "cosh" | "tanh" | "coth" | "min" | "max" | "arg",
            _,
        ) => piece(format!("\\{name_text}\\left({}\\right)", all()), Tightness::Atom),
        _ if builtins::function(name_text).is_some() => {
            piece(format!("\\operatorname{{{name_text}}}\\left({}\\right)", all()), Tightness::Atom)
        }
        _ => piece(format!("{}\\left({}\\right)", name(name_text), all()), Tightness::Atom),
    }
}

fn binary(a: &Expr, sign: &str, b: &Expr) -> Piece {
    piece(
        format!("{}{sign}{}", render(a).at_least(Tightness::Prefix), render(b).at_least(Tightness::Prefix)),
        Tightness::Product,
    )
}

fn cases(arguments: &[Expr]) -> Piece {
    let mut lines: Vec<String> = arguments
        .chunks_exact(2)
        .map(|pair| format!("{} & \\text{{if }} {}", expression(&pair[1]), expression(&pair[0])))
        .collect();
    // `if(c, a, b)` has the same shape as `piecewise(c, a, b)`.
    if let Some(last) = arguments.last() {
        lines.push(format!("{} & \\text{{otherwise}}", expression(last)));
    }
    piece(format!("\\begin{{cases}}{}\\end{{cases}}", lines.join(" \\\\ ")), Tightness::Atom)
}

fn partial(orders: [u8; 3]) -> String {
    let mut text = String::new();
    for (order, axis) in orders.into_iter().zip(["x", "y", "z"]) {
        match order {
            0 => {}
            1 => text.push_str(&format!("\\partial_{{{axis}}} ")),
            _ => text.push_str(&format!("\\partial_{{{axis}}}^{{{order}}} ")),
        }
    }
    text
}

fn named(text: &str) -> Piece {
    // u_xx is a derivative; D_u is a parameter with an index.
    if let Some((base, suffix)) = text.rsplit_once('_')
        && !base.is_empty()
        && builtins::orders_from_axes(suffix).is_some()
    {
        return piece(format!("{}_{{{suffix}}}", name(base)), Tightness::Power);
    }
    piece(name(text), Tightness::Atom)
}

/// A name with its Greek letters, primes and indices: `alpha2` → `\alpha_{2}`, `D_u` → `D_{u}`.
pub fn name(text: &str) -> String {
    const GREEK: &[&str] = &[
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
        "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta",
        "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
    ];
    if let Some((base, index)) = text.split_once('_')
        && !base.is_empty()
        && !index.is_empty()
    {
        let index: Vec<String> = index.split('_').map(name).collect();
        return format!("{}_{{{}}}", name(base), index.join(","));
    }
    let text = text.trim_matches('_');
    let primes = text.chars().rev().take_while(|letter| *letter == '\'').count();
    let body = &text[..text.len() - primes];
    let stem = body.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let digits = &body[stem.len()..];
    let stem_text = if GREEK.contains(&stem) {
        format!("\\{stem}")
    } else if stem.chars().count() > 1 {
        format!("\\mathrm{{{stem}}}")
    } else {
        stem.to_string()
    };
    // D followed by one letter is by far most often a coefficient with an index: Du, Dv.
    let mut letters = stem.chars();
    let stem_text = match (letters.next(), letters.next(), letters.next()) {
        (Some('D'), Some(index), None) if index.is_alphabetic() => format!("D_{{{index}}}"),
        _ => stem_text,
    };
    let index = if digits.is_empty() { String::new() } else { format!("_{{{digits}}}") };
    format!("{stem_text}{index}{}", "'".repeat(primes))
}
