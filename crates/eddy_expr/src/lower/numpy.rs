//! A Python script with NumPy that runs a system on its own: Fourier derivatives on a periodic grid, classical
//! Runge-Kutta steps (Euler-Maruyama with noise). Meant to be read, changed and compared with; not to be fast.

use std::{collections::HashMap, fmt::Write};

use crate::{
    expression::{Expression, Names},
    ir::{Graph, Id, Leaf, Node, Op1, Op2},
    split::Split,
    system::{Equation, Role, System},
};

/// The run that the script makes.
#[derive(Clone, Debug, Default)]
pub struct NumpyOptions {
    /// Lower end, upper end and number of points of each axis; periodic, upper end excluded.
    pub axes: Vec<(f64, f64, usize)>,
    /// Initial values of stepped variables by name (`u`, and `u_t` for a second-order field) as texts of the
    /// language; 0 where missing.
    pub initial: Vec<(String, String)>,
    pub time_step: f64,
    pub end_time: f64,
    pub seed: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumpyError {
    #[error("the script solves elliptic lines with constant coefficients only; '{0}' has others")]
    Elliptic(String),
    #[error("the script solves elliptic lines one after the other; '{0}' needs one that needs it too")]
    Mutual(String),
    #[error("the script needs one range for each of the {0} axes")]
    Axes(u8),
    #[error("the initial value of '{0}' cannot be read")]
    Initial(String),
    #[error("the equations cannot be split: {0}")]
    Split(String),
}

/// Names that the scripts themselves use, this one and that of [`super::jax`].
const TAKEN: &[&str] = &[
    "np",
    "x",
    "y",
    "z",
    "t",
    "d",
    "solve",
    "rates",
    "state",
    "step",
    "rng",
    "cell",
    "axes",
    "wave",
    "dt",
    "steps",
    "special",
    "shape",
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "for",
    "def",
    "del",
    "from",
    "import",
    "lambda",
    "class",
    "return",
    "while",
    "pass",
    "with",
    "as",
    "try",
    "None",
    "True",
    "False",
    "abs",
    "min",
    "max",
    "sum",
    "print",
    "noise",
    "parts",
    "out",
    "self",
    "n",
    "jax",
    "optax",
    "sys",
    "low",
    "high",
    "start",
    "length",
    "widths",
    "network",
    "weights",
    "fields",
    "residuals",
    "SIDES",
    "side_error",
    "slices",
    "each",
    "causality",
    "side_points",
    "side_weight",
    "square",
    "loss",
    "rate",
    "key",
    "adam",
    "begin",
    "load",
    "train",
    "field",
    "omega",
    "spread",
    "bias",
    "bounds",
    "layers",
    "waves",
    "drawn",
    "moments",
    "full",
    "flat",
    "normal",
    "real",
    "terms",
    "done",
    "numbers",
    "found",
    "window",
    "turn",
    "before",
    "say",
    "descend",
    "polish",
    "lbfgs",
    "elsewhere",
    "unravel",
    "muon",
    "soap",
    "by_layer",
    "features",
    "misses",
    "conditions",
    "integral_weight",
    "joint_points",
    "joint_weight",
    "jump",
    "places",
    "cells",
    "rules",
    "gauss",
    "ended",
];

/// `name` where it means nothing else in the script.
pub fn python_name(name: &str) -> String {
    let mut text: String = name.chars().map(|letter| if letter == '\'' { 'p' } else { letter }).collect();
    // v0, v1, … are the script's own values.
    let is_value =
        text.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.chars().all(|digit| digit.is_ascii_digit()));
    if TAKEN.contains(&text.as_str()) || is_value {
        text.push('_');
    }
    text
}

/// The script.
pub fn script(system: &mut System, options: &NumpyOptions) -> Result<String, NumpyError> {
    let dimension = usize::from(system.dimension);
    if options.axes.len() != dimension {
        return Err(NumpyError::Axes(system.dimension));
    }
    let mut out =
        String::from("# Made by Eddy. Needs NumPy (and SciPy where special functions appear).\nimport numpy as np\n");
    let body = rates(system)?;
    if body.contains("special.") {
        out.push_str("from scipy import special\n");
    }
    out.push('\n');
    for parameter in &system.parameters {
        writeln!(out, "{} = {:?}", python_name(&parameter.name), parameter.value).ok();
    }
    grid(&mut out, options);
    out.push_str(&body);
    let stepped: Vec<u16> = system.stepped().collect();
    out.push_str("\nstate = [\n");
    for variable in &stepped {
        let variable = &system.variables[usize::from(*variable)];
        let text =
            options.initial.iter().find(|(name, _)| *name == variable.name).map_or("0", |(_, text)| text.as_str());
        let value = initial(system, text).ok_or_else(|| NumpyError::Initial(variable.name.clone()))?;
        let kind = if variable.is_complex { "complex" } else { "float" };
        writeln!(out, "    np.zeros(shape, dtype={kind}) + ({value}),  # {}", variable.name).ok();
    }
    out.push_str("]\n");
    let steps = if options.time_step > 0.0 { (options.end_time / options.time_step).round().max(1.0) } else { 1.0 };
    writeln!(
        out,
        "steps = {}\ndt = {:?} / steps\nrng = np.random.default_rng({})",
        steps as u64, options.end_time, options.seed
    )
    .ok();
    writeln!(out, "for step in range(steps):\n    t = step * dt").ok();
    if system.noise_channels > 0 {
        writeln!(out, "    noise = rng.standard_normal(({},) + shape) / np.sqrt(dt * cell)", system.noise_channels)
            .ok();
        out.push_str("    state = [value + dt * rate for value, rate in zip(state, rates(t, state, noise))]\n");
    } else {
        out.push_str(
            "    k1 = rates(t, state)
    k2 = rates(t + dt / 2, [value + dt / 2 * rate for value, rate in zip(state, k1)])
    k3 = rates(t + dt / 2, [value + dt / 2 * rate for value, rate in zip(state, k2)])
    k4 = rates(t + dt, [value + dt * rate for value, rate in zip(state, k3)])
    state = [value + dt / 6 * (a + 2 * b + 2 * c + e) for value, a, b, c, e in zip(state, k1, k2, k3, k4)]\n",
        );
    }
    out.push_str("\nfor name, value in zip([");
    for variable in &stepped {
        write!(out, "{:?}, ", system.variables[usize::from(*variable)].name).ok();
    }
    out.push_str("], state):\n    print(name, \"min\", np.min(value.real), \"max\", np.max(value.real), \"mean\", np.mean(value))\n");
    Ok(out)
}

fn grid(out: &mut String, options: &NumpyOptions) {
    let names = ["x", "y", "z"];
    // Arrays are indexed [z, y, x]: the last index runs along x.
    let shape: Vec<String> = options.axes.iter().rev().map(|(_, _, points)| points.to_string()).collect();
    writeln!(out, "\nshape = ({})", if shape.is_empty() { "1,".into() } else { shape.join(", ") + "," }).ok();
    let count = options.axes.len();
    let mut cell = String::from("1.0");
    for (axis, (low, high, points)) in options.axes.iter().enumerate() {
        let mut view = vec!["None"; count];
        view[count - 1 - axis] = ":";
        let name = names[axis];
        writeln!(
            out,
            "{name} = ({low:?} + ({high:?} - {low:?}) / {points} * np.arange({points}))[{}]",
            view.join(", ")
        )
        .ok();
        write!(cell, " * ({high:?} - {low:?}) / {points}").ok();
    }
    writeln!(out, "cell = {cell}").ok();
    out.push_str("axes = []  # wavenumbers along x, y, z and the index they run along\n");
    for (axis, (low, high, points)) in options.axes.iter().enumerate() {
        let mut view = vec!["None"; count];
        view[count - 1 - axis] = ":";
        writeln!(
            out,
            "axes.append((2 * np.pi * np.fft.fftfreq({points}, ({high:?} - {low:?}) / {points}))[{}])",
            view.join(", ")
        )
        .ok();
    }
    out.push_str(
        "

def wave(axis, order):
    \"\"\"(i k)^order along an axis; odd orders have none at the highest wavenumber of an even grid.\"\"\"
    k = axes[axis]
    if order % 2 == 1 and k.size % 2 == 0:
        k = np.where(np.abs(k) == np.max(np.abs(k)), 0.0, k)
    return (1j * k) ** order


def d(value, *orders):
    \"\"\"Derivative of the given orders along x, y, z.\"\"\"
    value = np.zeros(shape) + value
    transform = np.fft.fftn(value)
    for axis, order in enumerate(orders):
        if order:
            transform = transform * wave(axis, order)
    result = np.fft.ifftn(transform)
    return result if np.iscomplexobj(value) else result.real


def solve(symbol, source):
    \"\"\"The mean-free solution of operator(result) = source.\"\"\"
    source = np.zeros(shape) + source
    symbol = np.zeros(shape) + symbol
    transform = np.where(symbol == 0, 0, np.fft.fftn(source) / np.where(symbol == 0, 1, symbol))
    result = np.fft.ifftn(transform)
    return result if np.iscomplexobj(source) else result.real

",
    );
}

/// The function of the right-hand sides.
fn rates(system: &mut System) -> Result<String, NumpyError> {
    let stepped: Vec<u16> = system.stepped().collect();
    let names: Vec<String> =
        stepped.iter().map(|variable| python_name(&system.variables[usize::from(*variable)].name)).collect();
    let noisy = if system.noise_channels > 0 { ", noise" } else { "" };
    let mut out = format!(
        "\ndef rates(t, state{noisy}):\n    {} = state\n",
        if names.len() == 1 { format!("{},", names[0]) } else { names.join(", ") }
    );
    let mut values = 0;
    let mut waiting: Vec<(u16, String, Id)> = Vec::new();
    for equation in system.equations.clone() {
        if let Equation::Elliptic { variable, .. } = equation {
            let name = system.variables[usize::from(variable)].name.clone();
            let split =
                system.split_elliptic(variable).and_then(Result::ok).ok_or_else(|| NumpyError::Split(name.clone()))?;
            let (symbol, source) = elliptic_parts(system, variable, &split).ok_or(NumpyError::Elliptic(name))?;
            waiting.push((variable, symbol, source));
        }
    }
    while !waiting.is_empty() {
        let is_ready = |source: Id| {
            let leaves = system.graph.leaves(&[source]);
            waiting.iter().all(|(other, ..)| !leaves.contains(&Leaf::Variable(*other)))
        };
        let name = |variable: u16| system.variables[usize::from(variable)].name.clone();
        let next = waiting.iter().position(|(.., source)| is_ready(*source));
        let next = next.ok_or_else(|| NumpyError::Mutual(name(waiting[0].0)))?;
        let (variable, symbol, source) = waiting.remove(next);
        let name = name(variable);
        let mut writer = Writer::new(system, values, &[source]);
        let source = writer.text(source);
        values = writer.count;
        out.push_str(&writer.lines);
        writeln!(out, "    {} = solve({symbol}, {source})", python_name(&name)).ok();
    }
    let roots: Vec<Id> = stepped.iter().filter_map(|variable| system.rate(*variable)).collect();
    let roots = system.inlined(&roots).map_err(|error| NumpyError::Split(error.to_string()))?;
    let mut writer = Writer::new(system, values, &roots);
    let texts: Vec<String> = roots.iter().map(|root| writer.text(*root)).collect();
    out.push_str(&writer.lines);
    writeln!(out, "    return [{}]", texts.join(", ")).ok();
    Ok(out)
}

/// Symbol of the operator on the variable itself, as text, and everything else with its sign turned.
fn elliptic_parts(system: &mut System, variable: u16, split: &Split) -> Option<(String, Id)> {
    let mut symbol = Vec::new();
    let mut others = Vec::new();
    for term in &split.linear {
        if term.variable == variable {
            let mut text = Writer::new(system, 0, &[]).inline(term.coefficient)?;
            for axis in 0..3 {
                if term.orders[axis] > 0 {
                    write!(text, " * wave({axis}, {})", term.orders[axis]).ok();
                }
            }
            symbol.push(text);
        } else {
            let leaf = system.graph.variable(term.variable);
            let derivative = system.graph.derivative(term.orders, leaf);
            others.push(system.graph.mul(term.coefficient, derivative));
        }
    }
    others.extend(split.rest);
    for flux in &split.fluxes {
        others.push(system.graph.derivative(flux.orders, flux.value));
    }
    let sum = system.graph.sum(others);
    if symbol.is_empty() || system.graph.leaves(&[sum]).contains(&Leaf::Variable(variable)) {
        return None;
    }
    Some((symbol.join(" + "), system.graph.neg(sum)))
}

fn initial(system: &System, text: &str) -> Option<String> {
    let names =
        Names::new(system.dimension).with_parameters(system.parameters.iter().map(|parameter| parameter.name.clone()));
    Some(of_expression(system, &Expression::parse(text, &names).ok()?, "0.0"))
}

/// Text of an expression in the system's coordinates and parameters; `time` stands for t.
pub(super) fn of_expression(system: &System, expression: &Expression, time: &'static str) -> String {
    let (graph, roots) = expression.real_graph();
    let mut writer = Writer::inline_of(graph, system);
    // What fields an expression has are not those of the system.
    (writer.time, writer.fields) = (time, Fields::Zero);
    let parts: Vec<String> = roots.iter().map(|root| writer.text(*root)).collect();
    match parts.as_slice() {
        [re, im] => format!("{re} + 1j * ({im})"),
        _ => parts.concat(),
    }
}

/// Longest text of a value: on one line, what is shared is written out again in each place.
const MAX_TEXT: usize = 20_000;

/// How fields and their derivatives are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Fields {
    /// Arrays over the grid.
    #[default]
    Arrays,
    /// Functions of the point, called with these arguments; the last one is the time if it stands among them.
    Functions(Vec<&'static str>),
    /// All are zero.
    Zero,
}

pub(super) struct Writer<'a> {
    graph: &'a Graph,
    system: &'a System,
    pub(super) integrals: &'a [crate::check::Integral],
    count: usize,
    lines: String,
    uses: Vec<u32>,
    texts: HashMap<Id, String>,
    inline_only: bool,
    time: &'static str,
    pub(super) fields: Fields,
    /// A text outgrew [`MAX_TEXT`] and was dropped.
    pub(super) is_too_long: bool,
}

impl<'a> Writer<'a> {
    fn new(system: &'a System, count: usize, roots: &[Id]) -> Self {
        let graph = &system.graph;
        let mut all = roots.to_vec();
        all.extend(system.integrals.iter().map(|integral| integral.integrand));
        let needed = graph.reachable(&all);
        let mut uses = vec![0u32; graph.len()];
        for (id, node) in graph.nodes() {
            if needed[id.index()] {
                Graph::operands(node).for_each(|operand| uses[operand.index()] += 1);
            }
        }
        Self {
            graph,
            system,
            integrals: &system.integrals,
            count,
            uses,
            inline_only: false,
            ..Self::inline_of(graph, system)
        }
    }

    /// Of values that are written on one line; integrals are to be given.
    pub(super) fn inline_of(graph: &'a Graph, system: &'a System) -> Self {
        Self {
            graph,
            system,
            integrals: &[],
            count: 0,
            lines: String::new(),
            uses: Vec::new(),
            texts: HashMap::new(),
            inline_only: true,
            time: "t",
            fields: Fields::Arrays,
            is_too_long: false,
        }
    }

    /// Text of a value, with lines for shared and long parts before it.
    pub(super) fn text(&mut self, root: Id) -> String {
        let needed = self.graph.reachable(&[root]);
        let nodes: Vec<(Id, Node)> = self.graph.nodes().filter(|(id, _)| needed[id.index()]).collect();
        for (id, node) in nodes {
            if self.texts.contains_key(&id) {
                continue;
            }
            if let Node::Leaf(Leaf::Integral(index)) = node
                && let Some(integral) = self.integrals.get(usize::from(index)).copied()
            {
                let inner = self.text(integral.integrand);
                let text = if let Fields::Functions(arguments) = &self.fields {
                    let name = if integral.is_mean { "mean" } else { "integral" };
                    format!("{name}(lambda {}: {inner})", arguments.join(", "))
                } else if integral.is_mean {
                    format!("np.mean({inner})")
                } else {
                    format!("(np.sum(np.zeros(shape) + {inner}) * cell)")
                };
                self.texts.insert(id, text);
                continue;
            }
            let mut text = self.node(node);
            let is_leaf = Graph::operands(node).next().is_none();
            let shared = self.uses.get(id.index()).is_some_and(|uses| *uses > 1);
            if !self.inline_only && !is_leaf && (shared || text.len() > 90) {
                writeln!(self.lines, "    v{} = {text}", self.count).ok();
                text = format!("v{}", self.count);
                self.count += 1;
            }
            if text.len() > MAX_TEXT {
                self.is_too_long = true;
                text.clear();
            }
            self.texts.insert(id, text);
        }
        self.texts[&root].clone()
    }

    /// Text of a value on one line.
    fn inline(&mut self, root: Id) -> Option<String> {
        self.inline_only = true;
        Some(self.text(root))
    }

    fn node(&self, node: Node) -> String {
        let at = |id: Id| self.texts[&id].as_str();
        match node {
            Node::Real(bits) => {
                let value = f64::from_bits(bits);
                if value < 0.0 { format!("({value:?})") } else { format!("{value:?}") }
            }
            Node::Imaginary => "1j".into(),
            Node::Leaf(leaf) => match leaf {
                Leaf::Parameter(index) => python_name(&self.system.parameters[usize::from(index)].name),
                Leaf::Coordinate(axis) => ["x", "y", "z"][usize::from(axis.min(2))].into(),
                Leaf::Time => self.time.into(),
                Leaf::Variable(index) => self.field(index),
                Leaf::Noise(channel) => format!("noise[{channel}]"),
                _ => "0.0".into(),
            },
            Node::Unary(op, a) => unary(op, at(a)),
            Node::Binary(op, a, b) => binary(op, at(a), at(b)),
            Node::Select(condition, a, b) => format!("np.where({}, {}, {})", at(condition), at(a), at(b)),
            Node::Derivative(orders, a) => self.derivative(orders, at(a)),
            Node::Upwind(axis, velocity, value) => {
                let mut orders = [0; 3];
                orders[usize::from(axis)] = 1;
                format!("{} * {}", at(velocity), self.derivative(orders, at(value)))
            }
        }
    }

    fn field(&self, index: u16) -> String {
        if self.fields == Fields::Zero {
            return "0.0".into();
        }
        let variable = &self.system.variables[usize::from(index)];
        match (&self.fields, variable.role) {
            (Fields::Functions(arguments), Role::Velocity { of }) => {
                let field = python_name(&self.system.variables[usize::from(of)].name);
                let orders: Vec<&str> = arguments.iter().map(|a| if *a == "t" { "1" } else { "0" }).collect();
                format!("d({field}, {})({})", orders.join(", "), arguments.join(", "))
            }
            (Fields::Functions(arguments), _) => format!("{}({})", python_name(&variable.name), arguments.join(", ")),
            (Fields::Arrays | Fields::Zero, _) => python_name(&variable.name),
        }
    }

    fn derivative(&self, orders: [u8; 3], value: &str) -> String {
        let mut orders: Vec<String> = orders[..usize::from(self.system.dimension)].iter().map(u8::to_string).collect();
        match &self.fields {
            Fields::Arrays | Fields::Zero => format!("d({value}, {})", orders.join(", ")),
            Fields::Functions(arguments) => {
                orders.extend((arguments.len() > orders.len()).then(|| "0".into()));
                let call = arguments.join(", ");
                // A field is a function already.
                let suffix = format!("({call})");
                let function = value.strip_suffix(suffix.as_str()).filter(|name| {
                    name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') && !name.is_empty()
                });
                let function = function.map_or_else(|| format!("lambda {call}: {value}"), str::to_owned);
                format!("d({function}, {})({call})", orders.join(", "))
            }
        }
    }
}

fn unary(op: Op1, a: &str) -> String {
    let name = match op {
        Op1::Neg => return format!("(-{a})"),
        Op1::Not => return format!("np.logical_not({a})"),
        Op1::Abs => "np.abs",
        Op1::Sign => "np.sign",
        Op1::Floor => "np.floor",
        Op1::Ceil => "np.ceil",
        Op1::Round => "np.round",
        Op1::Sqrt => "np.sqrt",
        Op1::Exp => "np.exp",
        Op1::Log => "np.log",
        Op1::Sin => "np.sin",
        Op1::Cos => "np.cos",
        Op1::Tan => "np.tan",
        Op1::Asin => "np.arcsin",
        Op1::Acos => "np.arccos",
        Op1::Atan => "np.arctan",
        Op1::Sinh => "np.sinh",
        Op1::Cosh => "np.cosh",
        Op1::Tanh => "np.tanh",
        Op1::Asinh => "np.arcsinh",
        Op1::Acosh => "np.arccosh",
        Op1::Atanh => "np.arctanh",
        Op1::Erf => "special.erf",
        Op1::Erfc => "special.erfc",
        Op1::Gamma => "special.gamma",
        Op1::LogGamma => "special.gammaln",
        Op1::Digamma => "special.psi",
        Op1::Conj => "np.conj",
        Op1::Re => "np.real",
        Op1::Im => "np.imag",
        Op1::Arg => "np.angle",
    };
    format!("{name}({a})")
}

fn binary(op: Op2, a: &str, b: &str) -> String {
    let call = |name: &str| format!("{name}({a}, {b})");
    match op {
        Op2::Add | Op2::Sub | Op2::Mul | Op2::Div | Op2::Less | Op2::LessEqual | Op2::Equal => {
            format!("({a} {} {b})", op.name())
        }
        Op2::Pow => format!("(({a}) ** ({}))", b.strip_suffix(".0").unwrap_or(b)),
        Op2::Min => call("np.minimum"),
        Op2::Max => call("np.maximum"),
        Op2::Atan2 => call("np.arctan2"),
        Op2::Mod => call("np.mod"),
        Op2::And => call("np.logical_and"),
        Op2::Or => call("np.logical_or"),
        Op2::BesselJ => call("special.jv"),
        Op2::BesselY => call("special.yv"),
        Op2::BesselI => call("special.iv"),
        Op2::BesselK => call("special.kv"),
    }
}

impl System {
    /// A runnable NumPy script; see [`script`].
    pub fn numpy(&mut self, options: &NumpyOptions) -> Result<String, NumpyError> {
        script(self, options)
    }

    /// Whether any field solves an elliptic line.
    pub fn has_elliptic(&self) -> bool {
        self.variables.iter().any(|variable| variable.role == Role::Elliptic)
    }
}
