//! The names that the language itself gives a meaning: functions with their arities, constants, operators.

use crate::ir::{Op1, Op2};

/// What a built-in name followed by brackets means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// A function of one value.
    One(Op1),
    /// A function of two values.
    Two(Op2),
    /// A Bessel function of fixed order.
    Bessel(Op2, u8),
    /// Made of other operations.
    Derived(Derived),
    /// An operator on fields.
    Operator(Operator),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derived {
    /// log2, log10, sec, csc, cot, sech, cbrt, sinc, …, of one value.
    Log2,
    Log10,
    Sec,
    Csc,
    Cot,
    Sech,
    Csch,
    Coth,
    Cbrt,
    Sinc,
    Heaviside,
    Square,
    Gauss,
    /// Any number of values, at least two.
    Min,
    Max,
    If,
    Piecewise,
    Clamp,
    Smoothstep,
    Hypot,
    BesselJ,
    BesselY,
    BesselI,
    BesselK,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// A partial derivative of given orders.
    Partial([u8; 3]),
    Laplacian,
    Bilaplacian,
    Gradient,
    Divergence,
    Curl,
    Dot,
    Cross,
    Norm,
    /// upwind(velocity, u), velocity a vector or, in one dimension, a number.
    Upwind,
    Integral,
    Mean,
    Noise,
}

/// Every function and operator: name, meaning, signature for messages.
pub const FUNCTIONS: &[(&str, Function, &str)] = &[
    ("sqrt", Function::One(Op1::Sqrt), "sqrt(a)"),
    ("exp", Function::One(Op1::Exp), "exp(a)"),
    ("log", Function::One(Op1::Log), "log(a)"),
    ("ln", Function::One(Op1::Log), "ln(a)"),
    ("log2", Function::Derived(Derived::Log2), "log2(a)"),
    ("log10", Function::Derived(Derived::Log10), "log10(a)"),
    ("sin", Function::One(Op1::Sin), "sin(a)"),
    ("cos", Function::One(Op1::Cos), "cos(a)"),
    ("tan", Function::One(Op1::Tan), "tan(a)"),
    ("sec", Function::Derived(Derived::Sec), "sec(a)"),
    ("csc", Function::Derived(Derived::Csc), "csc(a)"),
    ("cot", Function::Derived(Derived::Cot), "cot(a)"),
    ("asin", Function::One(Op1::Asin), "asin(a)"),
    ("acos", Function::One(Op1::Acos), "acos(a)"),
    ("atan", Function::One(Op1::Atan), "atan(a)"),
    ("arcsin", Function::One(Op1::Asin), "arcsin(a)"),
    ("arccos", Function::One(Op1::Acos), "arccos(a)"),
    ("arctan", Function::One(Op1::Atan), "arctan(a)"),
    ("atan2", Function::Two(Op2::Atan2), "atan2(y, x)"),
    ("sinh", Function::One(Op1::Sinh), "sinh(a)"),
    ("cosh", Function::One(Op1::Cosh), "cosh(a)"),
    ("tanh", Function::One(Op1::Tanh), "tanh(a)"),
    ("sech", Function::Derived(Derived::Sech), "sech(a)"),
    ("csch", Function::Derived(Derived::Csch), "csch(a)"),
    ("coth", Function::Derived(Derived::Coth), "coth(a)"),
    ("asinh", Function::One(Op1::Asinh), "asinh(a)"),
    ("acosh", Function::One(Op1::Acosh), "acosh(a)"),
    ("atanh", Function::One(Op1::Atanh), "atanh(a)"),
    ("erf", Function::One(Op1::Erf), "erf(a)"),
    ("erfc", Function::One(Op1::Erfc), "erfc(a)"),
    ("gamma", Function::One(Op1::Gamma), "gamma(a)"),
    ("lgamma", Function::One(Op1::LogGamma), "lgamma(a)"),
    ("digamma", Function::One(Op1::Digamma), "digamma(a)"),
    ("abs", Function::One(Op1::Abs), "abs(a)"),
    ("sign", Function::One(Op1::Sign), "sign(a)"),
    ("floor", Function::One(Op1::Floor), "floor(a)"),
    ("ceil", Function::One(Op1::Ceil), "ceil(a)"),
    ("round", Function::One(Op1::Round), "round(a)"),
    ("cbrt", Function::Derived(Derived::Cbrt), "cbrt(a)"),
    ("sinc", Function::Derived(Derived::Sinc), "sinc(a)"),
    ("square", Function::Derived(Derived::Square), "square(a)"),
    ("gauss", Function::Derived(Derived::Gauss), "gauss(a), which is exp(-a^2)"),
    ("heaviside", Function::Derived(Derived::Heaviside), "heaviside(a)"),
    ("step", Function::Derived(Derived::Heaviside), "step(a)"),
    ("conj", Function::One(Op1::Conj), "conj(a)"),
    ("re", Function::One(Op1::Re), "re(a)"),
    ("im", Function::One(Op1::Im), "im(a)"),
    ("arg", Function::One(Op1::Arg), "arg(a)"),
    ("mod", Function::Two(Op2::Mod), "mod(a, b)"),
    ("pow", Function::Two(Op2::Pow), "pow(a, b)"),
    ("min", Function::Derived(Derived::Min), "min(a, b, …)"),
    ("max", Function::Derived(Derived::Max), "max(a, b, …)"),
    ("hypot", Function::Derived(Derived::Hypot), "hypot(a, b)"),
    ("clamp", Function::Derived(Derived::Clamp), "clamp(a, low, high)"),
    ("smoothstep", Function::Derived(Derived::Smoothstep), "smoothstep(low, high, a)"),
    ("if", Function::Derived(Derived::If), "if(condition, a, b)"),
    ("where", Function::Derived(Derived::If), "where(condition, a, b)"),
    ("piecewise", Function::Derived(Derived::Piecewise), "piecewise(condition, a, condition, b, …, otherwise)"),
    ("besselj", Function::Derived(Derived::BesselJ), "besselj(n, a) with a whole number n"),
    ("bessely", Function::Derived(Derived::BesselY), "bessely(n, a) with a whole number n"),
    ("besseli", Function::Derived(Derived::BesselI), "besseli(n, a) with a whole number n"),
    ("besselk", Function::Derived(Derived::BesselK), "besselk(n, a) with a whole number n"),
    ("j0", Function::Bessel(Op2::BesselJ, 0), "j0(a)"),
    ("j1", Function::Bessel(Op2::BesselJ, 1), "j1(a)"),
    ("y0", Function::Bessel(Op2::BesselY, 0), "y0(a)"),
    ("y1", Function::Bessel(Op2::BesselY, 1), "y1(a)"),
    ("i0", Function::Bessel(Op2::BesselI, 0), "i0(a)"),
    ("i1", Function::Bessel(Op2::BesselI, 1), "i1(a)"),
    ("k0", Function::Bessel(Op2::BesselK, 0), "k0(a)"),
    ("k1", Function::Bessel(Op2::BesselK, 1), "k1(a)"),
    ("lap", Function::Operator(Operator::Laplacian), "lap(u)"),
    ("laplacian", Function::Operator(Operator::Laplacian), "laplacian(u)"),
    ("bilap", Function::Operator(Operator::Bilaplacian), "bilap(u)"),
    ("grad", Function::Operator(Operator::Gradient), "grad(u)"),
    ("div", Function::Operator(Operator::Divergence), "div(v) of a vector, such as div(D*grad(u))"),
    ("curl", Function::Operator(Operator::Curl), "curl(v) of a vector"),
    ("dot", Function::Operator(Operator::Dot), "dot(v, w)"),
    ("cross", Function::Operator(Operator::Cross), "cross(v, w)"),
    ("norm", Function::Operator(Operator::Norm), "norm(v)"),
    ("upwind", Function::Operator(Operator::Upwind), "upwind(velocity, u)"),
    ("integral", Function::Operator(Operator::Integral), "integral(a)"),
    ("mean", Function::Operator(Operator::Mean), "mean(a)"),
    ("noise", Function::Operator(Operator::Noise), "noise() or noise(channel)"),
];

/// Highest total order of a derivative along one axis.
pub const MAX_ORDER: u8 = 8;

/// The function of a name, `dx dy dz dxx dxy …` included.
pub fn function(name: &str) -> Option<Function> {
    if let Some(entry) = FUNCTIONS.iter().find(|entry| entry.0 == name) {
        return Some(entry.1);
    }
    let axes = name.strip_prefix('d')?;
    orders_from_axes(axes).map(|orders| Function::Operator(Operator::Partial(orders)))
}

/// How to call a function, for messages.
pub fn signature(name: &str) -> String {
    FUNCTIONS.iter().find(|entry| entry.0 == name).map_or_else(|| format!("{name}(u)"), |entry| entry.2.to_string())
}

/// "xxy" as orders [2, 1, 0]; `None` for other letters, none at all, or too many.
pub fn orders_from_axes(axes: &str) -> Option<[u8; 3]> {
    if axes.is_empty() || axes.len() > usize::from(MAX_ORDER) {
        return None;
    }
    let mut orders = [0u8; 3];
    for letter in axes.chars() {
        orders[match letter {
            'x' => 0,
            'y' => 1,
            'z' => 2,
            _ => return None,
        }] += 1;
    }
    Some(orders)
}

/// Constants that a definition of the same name replaces.
pub fn constant(name: &str) -> Option<f64> {
    match name {
        "pi" => Some(std::f64::consts::PI),
        "tau" => Some(std::f64::consts::TAU),
        "e" => Some(std::f64::consts::E),
        _ => None,
    }
}

/// x, y, z as 0, 1, 2.
pub fn coordinate(name: &str) -> Option<u8> {
    match name {
        "x" => Some(0),
        "y" => Some(1),
        "z" => Some(2),
        _ => None,
    }
}

/// Names that a definition may not take.
pub fn is_reserved(name: &str) -> bool {
    coordinate(name).is_some() || matches!(name, "t" | "and" | "or" | "not" | "in")
}
