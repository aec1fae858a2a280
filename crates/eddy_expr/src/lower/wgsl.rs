//! WGSL compute shaders for a program on a grid.
//!
//! Bindings of group 0: 0 `array<f32>` uniforms ([`Program::uniform_values`], then x of the first point, spacing in
//! x, the same for y and z); 1 `array<f32>` state, one plane of nx·ny·nz points per array slot; 2 `array<f32>`
//! results, one plane per output; 3 uniform `vec4<u32>` with nx, ny, nz. Entry point `main`, one invocation per point.

use std::{collections::BTreeSet, fmt::Write};

use crate::{
    ir::{Op1, Op2},
    program::{Action, Operand, Program, Uniform},
};

/// What a stencil reads beyond the ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    Periodic,
    /// The mirror image at the last point's outer half, u(-1) = u(0): no flux through the side between cells.
    Mirror,
    /// The mirror image at the last point itself, u(-1) = u(1): no slope at a side that holds a point.
    Reflect,
    /// The last point, repeated.
    Clamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WgslOptions {
    /// Axes of the grid, 1 to 3.
    pub dimension: u8,
    pub edges: [Edge; 3],
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WgslError {
    #[error("{0} has no version in single precision on the GPU; run on the CPU")]
    Function(&'static str),
    #[error("the number {0} is too large for single precision; run on the CPU")]
    Range(String),
}

/// Threads per workgroup along x and y.
pub const fn workgroup(dimension: u8) -> [u32; 3] {
    if dimension <= 1 { [64, 1, 1] } else { [16, 8, 1] }
}

/// The shader. `state` and `results` are different buffers.
pub fn shader(program: &Program, options: &WgslOptions) -> Result<String, WgslError> {
    let PointCode { mut body, outputs, helpers } = point_code(program, options, u32::from, "")?;
    for (index, text) in outputs.iter().enumerate() {
        writeln!(body, "    results[{index}u * cells + cell] = {text};").ok();
    }
    let coordinates = coordinates(program, "");
    let [wx, wy, wz] = workgroup(options.dimension);
    Ok(format!(
        "@group(0) @binding(0) var<storage, read> uniforms: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
@group(0) @binding(3) var<uniform> grid: vec4<u32>;
{helpers}
@compute @workgroup_size({wx}, {wy}, {wz})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
    if (id.x >= grid.x || id.y >= grid.y || id.z >= grid.z) {{
        return;
    }}
    let cells = grid.x * grid.y * grid.z;
    let cell = id.x + grid.x * (id.y + grid.y * id.z);
{coordinates}{body}}}
"
    ))
}

/// A program at one point, as text.
pub(super) struct PointCode {
    /// Statements; they read `uniforms`, `state`, `grid`, `cells`, `id`, `x`, `y` and `z`.
    pub body: String,
    /// One expression per output of the program.
    pub outputs: Vec<String>,
    /// Functions that the statements call.
    pub helpers: String,
}

/// `x`, `y` and `z` of the point; `base` stands before each index of a uniform.
pub(super) fn coordinates(program: &Program, base: &str) -> String {
    let count = program.uniforms.len();
    let mut text = String::new();
    for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
        let (first, spacing) = (count + 2 * axis, count + 2 * axis + 1);
        writeln!(text, "    let {name} = uniforms[{base}{first}u] + f32(id.{name}) * uniforms[{base}{spacing}u];").ok();
    }
    text
}

/// Writes a program for one point. `plane` says which plane of the state an array slot is.
pub(super) fn point_code(
    program: &Program,
    options: &WgslOptions,
    plane: impl Fn(u16) -> u32,
    base: &'static str,
) -> Result<PointCode, WgslError> {
    let mut body = String::new();
    let mut helpers: BTreeSet<&'static str> = BTreeSet::new();
    let loads = loads(program);
    // Neighbours along each axis, once each.
    let mut offsets: BTreeSet<(usize, i8)> = BTreeSet::new();
    for (_, offset) in &loads {
        for axis in 0..3 {
            offsets.insert((axis, offset[axis]));
        }
    }
    let axes = ["x", "y", "z"];
    for (axis, offset) in &offsets {
        let name = axes[*axis];
        let text = if *offset == 0 {
            format!("i32(id.{name})")
        } else {
            let edge = match options.edges[*axis] {
                Edge::Periodic => "wrap",
                Edge::Mirror => "mirror",
                Edge::Reflect => "reflected",
                Edge::Clamp => "clamped",
            };
            helpers.insert(edge);
            format!("{edge}(i32(id.{name}) + ({offset}), i32(grid.{name}))")
        };
        writeln!(body, "    let {} = {text};", index_name(*axis, *offset)).ok();
    }
    for (position, (slot, offset)) in loads.iter().enumerate() {
        let [x, y, z] = [0, 1, 2].map(|axis| index_name(axis, offset[axis]));
        let plane = plane(*slot);
        writeln!(
            body,
            "    let a{position} = state[{plane}u * cells + u32({x} + i32(grid.x) * ({y} + i32(grid.y) * {z}))];"
        )
        .ok();
    }
    let outputs = statements(program, &loads, base, &mut helpers, &mut body)?;
    Ok(PointCode { body, outputs, helpers: sources(&helpers) })
}

/// The places of arrays that a program reads: slot and offset.
pub(super) fn loads(program: &Program) -> Vec<(u16, [i8; 3])> {
    let mut loads: Vec<(u16, [i8; 3])> = Vec::new();
    let mut see = |operand: &Operand| {
        if let Operand::Array { slot, offset } = operand
            && !loads.contains(&(*slot, *offset))
        {
            loads.push((*slot, *offset));
        }
    };
    program.code.iter().flat_map(|instruction| instruction.used()).chain(&program.outputs).for_each(&mut see);
    loads
}

/// What a program computes, where what it loads is known as `a0`, `a1`, … in the order of `loads`: statements are added to
/// `body`, one expression per output is returned.
pub(super) fn statements(
    program: &Program,
    loads: &[(u16, [i8; 3])],
    base: &'static str,
    helpers: &mut BTreeSet<&'static str>,
    body: &mut String,
) -> Result<Vec<String>, WgslError> {
    let mut writer = Writer { program, loads, helpers, base };
    for (index, instruction) in program.code.iter().enumerate() {
        let text = writer.action(instruction.action, &instruction.operands)?;
        let kind = if writer.is_truth(instruction.action) { "bool" } else { "f32" };
        writeln!(body, "    let r{index}: {kind} = {text};").ok();
    }
    let mut outputs = Vec::with_capacity(program.outputs.len());
    for operand in &program.outputs {
        outputs.push(writer.operand(*operand)?);
    }
    Ok(outputs)
}

/// The functions of these names, each once.
pub(super) fn sources(helpers: &BTreeSet<&'static str>) -> String {
    let mut texts = BTreeSet::new();
    texts.extend(helpers.iter().map(|name| helper(name)));
    texts.into_iter().collect()
}

fn index_name(axis: usize, offset: i8) -> String {
    let axis = ["i", "j", "k"][axis];
    match offset {
        0 => axis.to_string(),
        1.. => format!("{axis}p{offset}"),
        _ => format!("{axis}m{}", -i32::from(offset)),
    }
}

struct Writer<'a> {
    program: &'a Program,
    loads: &'a [(u16, [i8; 3])],
    helpers: &'a mut BTreeSet<&'static str>,
    /// Stands before each index of a uniform.
    base: &'static str,
}

impl Writer<'_> {
    fn is_truth(&self, action: Action) -> bool {
        matches!(action, Action::One(Op1::Not)) || matches!(action, Action::Two(op) if op.gives_truth())
    }

    fn literal(value: f64) -> Result<String, WgslError> {
        let single = value as f32;
        if !single.is_finite() {
            return Err(WgslError::Range(format!("{value:e}")));
        }
        // Below the normal range a device may flush to zero; so may we, and keep the literal valid everywhere.
        let single = if single.abs() < f32::MIN_POSITIVE { 0.0 } else { single };
        Ok(format!("({single:?}f)"))
    }

    fn operand(&mut self, operand: Operand) -> Result<String, WgslError> {
        Ok(match operand {
            Operand::Uniform(index) => match self.program.uniforms[index as usize] {
                Uniform::Constant(value) => Self::literal(value)?,
                _ => format!("uniforms[{}{index}u]", self.base),
            },
            Operand::Coordinate(axis) => ["x", "y", "z"][usize::from(axis.min(2))].to_string(),
            Operand::Array { slot, offset } => {
                let position = self.loads.iter().position(|known| *known == (slot, offset)).unwrap_or(0);
                format!("a{position}")
            }
            Operand::Result(index) => format!("r{index}"),
        })
    }

    fn truth(&mut self, operand: Operand) -> Result<String, WgslError> {
        let text = self.operand(operand)?;
        Ok(if matches!(operand, Operand::Result(_)) { text } else { format!("({text} != 0.0f)") })
    }

    fn action(&mut self, action: Action, operands: &[Operand; 3]) -> Result<String, WgslError> {
        let [first, second, third] = *operands;
        Ok(match action {
            Action::Select => {
                let (condition, yes, no) = (self.truth(first)?, self.operand(second)?, self.operand(third)?);
                format!("select({no}, {yes}, {condition})")
            }
            Action::One(Op1::Not) => format!("!({})", self.truth(first)?),
            Action::Two(op @ (Op2::And | Op2::Or)) => {
                let (a, b) = (self.truth(first)?, self.truth(second)?);
                format!("{a} {} {b}", if op == Op2::And { "&&" } else { "||" })
            }
            Action::One(op) => {
                let a = self.operand(first)?;
                self.one(op, &a)?
            }
            Action::Two(op) => {
                let (a, b) = (self.operand(first)?, self.operand(second)?);
                self.two(op, first, &a, &b)?
            }
        })
    }

    fn one(&mut self, op: Op1, a: &str) -> Result<String, WgslError> {
        let mut help = |name: &'static str| {
            self.helpers.insert(name);
            format!("eddy_{name}({a})")
        };
        Ok(match op {
            Op1::Neg => format!("-({a})"),
            Op1::Round => format!("round({a})"),
            // Some drivers overflow exp inside tanh, sinh and cosh; atanh and acosh miss on others.
            Op1::Tanh => help("tanh"),
            Op1::Erf => help("erf"),
            Op1::Erfc => help("erfc"),
            Op1::Gamma => help("gamma"),
            Op1::LogGamma => help("lgamma"),
            Op1::Digamma => help("digamma"),
            Op1::Conj | Op1::Re => a.to_string(),
            Op1::Im => "0.0f".to_string(),
            Op1::Arg => format!("select(0.0f, 3.1415927f, {a} < 0.0f)"),
            Op1::Not => format!("!({a})"),
            Op1::Abs
            | Op1::Sign
            | Op1::Floor
            | Op1::Ceil
            | Op1::Sqrt
            | Op1::Exp
            | Op1::Log
            | Op1::Sin
            | Op1::Cos
            | Op1::Tan
            | Op1::Asin
            | Op1::Acos
            | Op1::Atan
            | Op1::Sinh
            | Op1::Cosh
            | Op1::Asinh
            | Op1::Acosh
            | Op1::Atanh => format!("{}({a})", op.name()),
        })
    }

    fn two(&mut self, op: Op2, first: Operand, a: &str, b: &str) -> Result<String, WgslError> {
        Ok(match op {
            Op2::Add | Op2::Sub | Op2::Mul | Op2::Div => format!("{a} {} {b}", op.name()),
            Op2::Pow => {
                self.helpers.insert("pow");
                format!("eddy_pow({a}, {b})")
            }
            Op2::Min | Op2::Max | Op2::Atan2 => format!("{}({a}, {b})", op.name()),
            Op2::Mod => format!("{a} - {b} * floor({a} / {b})"),
            Op2::Less => format!("{a} < {b}"),
            Op2::LessEqual => format!("{a} <= {b}"),
            Op2::Equal => format!("{a} == {b}"),
            Op2::And => format!("{a} && {b}"),
            Op2::Or => format!("{a} || {b}"),
            Op2::BesselJ | Op2::BesselI | Op2::BesselK => {
                let order = match first {
                    Operand::Uniform(index) => match self.program.uniforms[index as usize] {
                        Uniform::Constant(order) => order as i32,
                        _ => 0,
                    },
                    _ => 0,
                };
                let name = match op {
                    Op2::BesselJ => "besselj",
                    Op2::BesselI => "besseli",
                    _ => "besselk",
                };
                self.helpers.insert(name);
                format!("eddy_{name}({order}, {b})")
            }
            Op2::BesselY => return Err(WgslError::Function("bessely")),
        })
    }
}

/// Source of a helper with those it needs before it.
fn helper(name: &str) -> String {
    match name {
        "wrap" => "
fn wrap(i: i32, n: i32) -> i32 {
    return ((i % n) + n) % n;
}
"
        .into(),
        "mirror" => "
fn mirror(i: i32, n: i32) -> i32 {
    let folded = select(i, -1 - i, i < 0);
    return clamp(select(folded, 2 * n - 1 - folded, folded >= n), 0, n - 1);
}
"
        .into(),
        "reflected" => "
fn reflected(i: i32, n: i32) -> i32 {
    let folded = abs(i);
    return clamp(select(folded, 2 * n - 2 - folded, folded >= n), 0, n - 1);
}
"
        .into(),
        "clamped" => "
fn clamped(i: i32, n: i32) -> i32 {
    return clamp(i, 0, n - 1);
}
"
        .into(),
        "tanh" => "
fn eddy_tanh(x: f32) -> f32 {
    return tanh(clamp(x, -10.0f, 10.0f));
}
"
        .into(),
        // pow is undefined below zero in WGSL; there only whole exponents have a real value, and roots have none.
        "pow" => "
fn eddy_pow(x: f32, y: f32) -> f32 {
    if (x < 0.0f && y != floor(y)) {
        return sqrt(x);
    }
    let size = pow(abs(x), y);
    let odd = abs(y - 2.0f * floor(0.5f * y) - 1.0f) < 0.5f;
    return select(size, -size, x < 0.0f && odd);
}
"
        .into(),
        // Abramowitz and Stegun 7.1.26, error at most 1.5e-7; near zero the series 7.1.5 keeps the relative error.
        "erf" | "erfc" => "
fn eddy_erf(x: f32) -> f32 {
    let s = abs(x);
    if (s < 0.5f) {
        let q = x * x;
        return x * 1.1283792f * (1.0f - q * (0.33333333f - q * (0.1f - q * (0.023809524f - q * (0.0046296296f - q * 0.00075757576f)))));
    }
    let t = 1.0f / (1.0f + 0.3275911f * s);
    let p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    return sign(x) * (1.0f - p * exp(-s * s));
}
fn eddy_erfc(x: f32) -> f32 {
    return 1.0f - eddy_erf(x);
}
"
        .into(),
        // Stirling's series (DLMF 5.11.1) after raising the argument to 8; reflection (DLMF 5.5.3) below 1/2.
        "lgamma" | "gamma" => "
fn eddy_lgamma_right(x0: f32) -> f32 {
    var x = x0;
    var product = 1.0f;
    for (var n = 0; n < 8; n++) {
        if (x < 8.0f) {
            product *= x;
            x += 1.0f;
        }
    }
    let q = 1.0f / (x * x);
    let series = (0.083333333f - q * (0.0027777778f - q * 0.00079365079f)) / x;
    return (x - 0.5f) * log(x) - x + 0.91893853f + series - log(product);
}
fn eddy_lgamma(x: f32) -> f32 {
    if (x < 0.5f) {
        return log(3.1415927f / abs(sin(3.1415927f * x))) - eddy_lgamma_right(1.0f - x);
    }
    return eddy_lgamma_right(x);
}
fn eddy_gamma(x: f32) -> f32 {
    if (x < 0.5f) {
        return 3.1415927f / (sin(3.1415927f * x) * exp(eddy_lgamma_right(1.0f - x)));
    }
    return exp(eddy_lgamma_right(x));
}
"
        .into(),
        // As `special::digamma`.
        "digamma" => "
fn eddy_digamma(x0: f32) -> f32 {
    var x = select(x0, 1.0f - x0, x0 < 0.0f);
    var shift = 0.0f;
    for (var n = 0; n < 6; n++) {
        if (x < 6.0f) {
            shift -= 1.0f / x;
            x += 1.0f;
        }
    }
    let q = 1.0f / (x * x);
    let right = shift + log(x) - 0.5f / x - q * (0.083333333f - q * (0.0083333333f - q * 0.0039682540f));
    return select(right, right - 3.1415927f / tan(3.1415927f * x0), x0 < 0.0f);
}
"
        .into(),
        // The trapezium rule on Bessel's integral (DLMF 10.9.2), exact up to J_(N-n), with N growing with x.
        "besselj" => "
fn eddy_besselj(n: i32, x: f32) -> f32 {
    let points = min(i32(abs(x)) + n + 24, 2048);
    let step = 6.2831853f / f32(points);
    var sum = 0.0f;
    for (var m = 0; m < points; m++) {
        let angle = step * f32(m);
        sum += cos(f32(n) * angle - x * sin(angle));
    }
    return sum / f32(points);
}
"
        .into(),
        // As `special::bessel_i` above its series.
        "besseli" => "
fn eddy_besseli(n: i32, x: f32) -> f32 {
    let points = 2 * (i32(sqrt(40.0f * abs(x))) / 2 + n + 12);
    let step = 6.2831853f / f32(points);
    var sum = 0.0f;
    for (var m = 0; m < points; m++) {
        let angle = step * f32(m);
        sum += exp(abs(x) * (cos(angle) - 1.0f)) * cos(f32(n) * angle);
    }
    let value = sum / f32(points) * exp(abs(x));
    return select(value, -value, x < 0.0f && n % 2 == 1);
}
"
        .into(),
        // As `special::bessel_k`.
        "besselk" => "
fn eddy_besselk(n: i32, x: f32) -> f32 {
    let step = 0.25f / sqrt(1.0f + 0.05f * x);
    var sum = 0.5f;
    for (var m = 1; m < 400; m++) {
        let t = step * f32(m);
        let exponent = -x * (cosh(t) - 1.0f);
        let term = 0.5f * (exp(exponent + f32(n) * t) + exp(exponent - f32(n) * t));
        sum += term;
        if (term < 1e-8f * sum && x * sinh(t) > f32(n)) {
            break;
        }
    }
    return sum * step * exp(-x);
}
"
        .into(),
        _ => String::new(),
    }
}
