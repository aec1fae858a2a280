//! The same training as a Python script with JAX, to be read, changed and compared with. It also starts from the weights
//! that the page saves: names and layout of the layers are the same.

use std::fmt::Write;

use eddy_expr::{
    kernel::Part,
    lower::numpy::python_name,
    system::{Role, System},
};
use eddy_nets::graph::wave_rows;
use eddy_spec::EddyError;

use super::{Architecture, Kind, SLICES, TypedNetwork};
use crate::labs::pinn::{Descent, Method};

const AXES: [&str; 3] = ["x", "y", "z"];

fn cannot(why: impl std::fmt::Display) -> EddyError {
    EddyError::new("script", format!("There is no script of this training: {why}."))
}

/// `1.0`, `0.1`, `-2.5e-7` as Python reads them.
fn number(value: f64) -> String {
    format!("{value:?}")
}

impl TypedNetwork {
    /// The script. Adam trains it; what it cannot say is an error.
    pub(super) fn jax(&self, descent: &Descent) -> Result<String, EddyError> {
        if self.free().next().is_some() {
            return Err(cannot("a field is to be found by a network of its own, which it does not do"));
        }
        if self.training.balance != super::Balance::Fixed {
            return Err(cannot("the weights of the terms follow the training, which they do not do there"));
        }
        if self.march.windows > 1 {
            return Err(cannot("it is trained window after window, which it does not do"));
        }
        let statement = &self.statement;
        let mut system = statement.system.clone();
        let dimension = statement.grid.dimension();
        let mut arguments: Vec<&'static str> = AXES[..dimension].to_vec();
        arguments.extend(self.candidate.has_time.then_some("t"));
        let lines = system.jax_lines(&arguments).map_err(cannot)?;
        let conditions = system.jax_conditions(&self.nodes, &arguments).map_err(cannot)?;
        let call = arguments.join(", ");
        let mut out = String::from(HEAD);
        let length = statement.end - statement.start;
        for (parameter, value) in system.parameters.iter().zip(&statement.parameters) {
            writeln!(out, "{} = {}", python_name(&parameter.name), number(*value)).ok();
        }
        let ends = |end: &dyn Fn(usize) -> f64, time: f64| -> String {
            let all = (0..dimension).map(end).chain(self.candidate.has_time.then_some(time));
            all.map(number).collect::<Vec<_>>().join(", ")
        };
        let axes = &statement.grid.axes;
        writeln!(out, "low = np.array([{}])  # of {call}", ends(&|i| axes[i].min, statement.start)).ok();
        writeln!(out, "high = np.array([{}])", ends(&|i| axes[i].max, statement.end)).ok();
        if self.candidate.has_time {
            writeln!(out, "start, length = {}, {}", number(statement.start), number(length)).ok();
        }
        out.push_str(DERIVATIVE);
        self.write_numbers(&mut out);
        self.write_network(&mut out, &call);
        self.write_fields(&mut out, &system, &call)?;
        self.write_residuals(&mut out, &system, &lines, &call);
        let has_sides = self.write_sides(&mut out, &system, &call);
        self.write_conditions(&mut out, &system, &conditions);
        self.write_loss(&mut out, has_sides);
        // A step of Gauss-Newton does more than 25 of Adam.
        let steps = descent.steps * if descent.method == Method::GaussNewton { 25 } else { 1 };
        let rate = match descent.method {
            Method::Adam { rate } => rate,
            Method::AdamLbfgs { rate, .. } => {
                out.push_str("# Eddy trained by Adam, then by L-BFGS; this is Adam, which needs more steps.\n");
                rate
            }
            Method::Lbfgs | Method::GaussNewton => {
                let name = if descent.method == Method::Lbfgs { "L-BFGS" } else { "Gauss-Newton" };
                writeln!(out, "# Eddy trained by {name}; this is Adam, which needs more steps.").ok();
                5e-3
            }
        };
        writeln!(out, "steps = {}\nrate = optax.cosine_decay_schedule({}, steps, 0.01)", steps, number(rate)).ok();
        writeln!(out, "key = jax.random.PRNGKey({})", descent.seed).ok();
        out.push_str(TAIL);
        if !self.sought.is_empty() {
            let starts: Vec<String> = (self.training.sought.iter().zip(&self.sought))
                .map(|((_, guess), one)| number(guess / one.scale))
                .collect();
            let begun =
                format!("    weights.append(np.array([{}]))\n    return weights\n\n\ndef load", starts.join(", "));
            out = out.replace("    return weights\n\n\ndef load", &begun);
            out = out.replace(LAYERS_LOADED, &format!("{LAYERS_LOADED}{}", NUMBERS_LOADED));
            out.push_str(NUMBERS_SHOWN);
        }
        let names: Vec<String> = self.fields().into_iter().map(|name| format!("{name:?}")).collect();
        out = out.replace("FIELD_NAMES", &names.join(", "));
        out = if out.contains("special.") { out } else { out.replace("from jax.scipy import special\n", "") };
        Ok(out)
    }

    /// Names of the fields with an equation, in the order of the network's outputs.
    fn fields(&self) -> Vec<String> {
        let variables = &self.statement.system.variables;
        let real = self.candidate.outputs.iter().filter(|output| output.part == Part::Real);
        real.map(|output| python_name(&variables[usize::from(output.variable)].name)).collect()
    }

    fn write_network(&self, out: &mut String, call: &str) {
        let mut features = Vec::new();
        let grid = &self.statement.grid;
        for (axis, name) in grid.axes.iter().zip(AXES) {
            if axis.is_periodic {
                let wave = number(std::f64::consts::TAU / axis.length());
                for f in ["cos", "sin"] {
                    features.push(format!(
                        "*[np.{f}({wave} * k * {name}) for k in range(1, {})]",
                        self.training.architecture.harmonics + 1
                    ));
                }
            } else {
                features.push(format!("(2 * {name} - {}) / {}", number(axis.min + axis.max), number(axis.length())));
            }
        }
        if self.candidate.has_time {
            features.push("2 * (t - start) / length - 1".into());
        }
        let axes =
            |a: &eddy_solve::grid::Axis| if a.is_periodic { 2 * self.training.architecture.harmonics } else { 1 };
        let inputs = grid.axes.iter().map(axes).sum::<usize>() + usize::from(self.candidate.has_time);
        self.write_layers(out, inputs);
        writeln!(out, "def network(weights, {call}):").ok();
        if !self.sought.is_empty() {
            out.push_str("    weights = weights[:-1]\n");
        }
        writeln!(out, "    h = np.stack([{}])", features.join(", ")).ok();
        let body = match self.training.architecture.kind {
            Kind::Plain => PLAIN,
            Kind::Residual => RESIDUAL,
            Kind::Modified => MODIFIED,
            Kind::Sines { .. } => SINES,
            Kind::Waves { .. } => {
                out.push_str("    h = waves @ h\n    h = np.concatenate([np.cos(h), np.sin(h)])\n");
                PLAIN
            }
        };
        out.push_str(body);
        out.push_str("    w, b = weights[-1]\n    return w @ h + b\n\n\n");
    }

    /// Sizes of the layers, within which bounds their weights begin, and what of the network is not trained.
    fn write_layers(&self, out: &mut String, mut inputs: usize) {
        let architecture = self.training.architecture;
        let Architecture { kind, width, layers, .. } = architecture;
        out.push('\n');
        if let Kind::Waves { sigma, seed } = kind {
            let rows = wave_rows(inputs, architecture.waves(), sigma, seed);
            let line = |row: &Vec<f64>| row.iter().map(|v| number(*v)).collect::<Vec<_>>().join(", ");
            let rows: Vec<String> = rows.iter().map(|row| format!("    [{}],\n", line(row))).collect();
            writeln!(out, "waves = np.array([\n{}])", rows.concat()).ok();
            inputs = 2 * architecture.waves();
        }
        let mut sizes = vec![(inputs, width)];
        if kind == Kind::Modified {
            sizes.extend([(inputs, width); 2]);
        }
        sizes.extend(vec![(width, width); layers - 1]);
        sizes.push((width, self.candidate.outputs.len()));
        let sizes: Vec<String> = sizes.iter().map(|(n, m)| format!("({n}, {m})")).collect();
        writeln!(out, "layers = [{}]  # units that are read, units", sizes.join(", ")).ok();
        match kind {
            Kind::Sines { omega } => {
                writeln!(out, "omega = {}", number(omega)).ok();
                out.push_str(
                    "bounds = [(6 / n) ** 0.5 for n, m in layers]\nbounds[0] = omega / layers[0][0]\n\
                     bounds[-1] /= max(omega, 1)\nbias = 1  # within the same bounds\n\n\n",
                );
            }
            _ => out.push_str("bounds = [(6 / (n + m)) ** 0.5 for n, m in layers]\nbias = 0\n\n\n"),
        }
    }

    fn write_fields(&self, out: &mut String, system: &System, call: &str) -> Result<(), EddyError> {
        writeln!(out, "def fields(weights):\n    \"\"\"The candidate: initial values and periods hold exactly.\"\"\"")
            .ok();
        let stepped = self.statement.stepped();
        let initial = |variable: u16| -> String {
            let position = stepped.iter().position(|other| *other == variable);
            let expression = position.and_then(|position| self.statement.initial_expression(position));
            expression.map_or_else(|| "0.0".into(), |e| system.python(e, "start"))
        };
        for (index, output) in self.candidate.outputs.iter().enumerate() {
            if output.part == Part::Imaginary {
                continue;
            }
            let variable = &system.variables[usize::from(output.variable)];
            let learnt = if variable.is_complex {
                format!("(network(weights, {call})[{index}] + 1j * network(weights, {call})[{}])", index + 1)
            } else {
                format!("network(weights, {call})[{index}]")
            };
            let tau = "(t - start) / length";
            let text = match (output.order, variable.role) {
                _ if !self.training.knows_start => learnt,
                (1, _) => format!("({}) + {tau} * {learnt}", initial(output.variable)),
                (2, Role::SecondOrder { velocity }) => format!(
                    "({}) + (t - start) * ({}) + ({tau}) ** 2 * {learnt}",
                    initial(output.variable),
                    initial(velocity)
                ),
                _ => learnt,
            };
            if text.contains("np.nan") || text.len() > 20_000 {
                return Err(cannot("the initial values are too long"));
            }
            writeln!(out, "    def {}({call}):\n        return {text}", python_name(&variable.name)).ok();
        }
        writeln!(out, "    return {},\n\n", self.fields().join(", ")).ok();
        Ok(())
    }

    fn write_residuals(&self, out: &mut String, system: &System, lines: &[eddy_expr::lower::jax::Line], call: &str) {
        writeln!(out, "def residuals(weights, {call}):\n    {}, = fields(weights)", self.fields().join(", ")).ok();
        out.push_str(&self.numbers_read(system));
        out.push_str("    return [\n");
        let dimension = self.statement.grid.dimension();
        for line in lines {
            let name = python_name(&system.variables[usize::from(line.variable)].name);
            let mut orders = vec!["0".to_owned(); dimension];
            orders.push(line.order.to_string());
            match line.order {
                0 => writeln!(out, "        {},", line.text).ok(),
                1 => writeln!(out, "        length * (d({name}, {})({call}) - {}),", orders.join(", "), line.text).ok(),
                _ => writeln!(out, "        length**2 * (d({name}, {})({call}) - {}),", orders.join(", "), line.text)
                    .ok(),
            };
        }
        out.push_str("    ]\n\n\n");
    }

    /// Numbers that are trained, the last entry of the weights.
    fn write_numbers(&self, out: &mut String) {
        if self.sought.is_empty() {
            return;
        }
        let line = |(name, guess): &(String, f64)| format!("{:?}: {}", python_name(name), number(*guess));
        let guesses: Vec<String> = self.training.sought.iter().map(line).collect();
        let note = "first guesses; above is what the reference has. Eddy holds eigenvalues there at first";
        writeln!(out, "\nSOUGHT = {{{}}}  # {note}", guesses.join(", ")).ok();
        let scales: Vec<String> = self.sought.iter().map(|one| number(one.scale)).collect();
        writeln!(out, "\n\ndef numbers(weights):\n    return np.array([{}]) * weights[-1]\n", scales.join(", ")).ok();
    }

    /// The line that reads them.
    fn numbers_read(&self, system: &System) -> String {
        let names: Vec<String> =
            self.sought.iter().map(|one| python_name(&system.parameters[one.parameter].name)).collect();
        if names.is_empty() { String::new() } else { format!("    {}, = numbers(weights)\n", names.join(", ")) }
    }

    fn write_conditions(&self, out: &mut String, system: &System, conditions: &[String]) {
        let Some(integrals) = &self.integrals else { return };
        let axes = &self.statement.grid.axes;
        if axes.iter().any(|axis| !axis.is_periodic) {
            out.push_str(GAUSS);
        }
        out.push_str("# Places along each axis and their weights.\nrules = [\n");
        for (i, axis) in axes.iter().enumerate() {
            let (count, span) = (integrals.places_along(), format!("(high[{i}] - low[{i}])"));
            if axis.is_periodic {
                let step = format!("{span} / {count}");
                writeln!(out, "    (low[{i}] + {step} * np.arange({count}), np.full({count}, {step})),").ok();
            } else {
                writeln!(out, "    gauss(low[{i}], high[{i}], {count}),").ok();
            }
        }
        out.push_str(PLACES);
        let time = if self.candidate.has_time { ", t" } else { "" };
        writeln!(out, "def conditions(weights{time}):\n    {}, = fields(weights)", self.fields().join(", ")).ok();
        out.push_str(&self.numbers_read(system));
        out.push_str(&INTEGRAL.replace("TIME", time));
        writeln!(out, "    return [{}]\n\n", conditions.join(", ")).ok();
    }

    /// Measured values, with what their squared distances count.
    fn write_data(&self, out: &mut String) {
        let (data, inputs, factors) = (&self.data, self.candidate.inputs, self.data_factors());
        let seen: Vec<usize> = (0..factors.len()).filter(|o| factors[*o] > 0.0).collect();
        let (fall, _) = self.training.data.fall;
        if fall > 1.0 {
            writeln!(
                out,
                "# Their weight falls to a {}th in the course of Eddy's training; here it stays.",
                number(fall)
            )
            .ok();
        }
        out.push_str("# Coordinates, then measured values.\nDATA = np.array([\n");
        for (n, point) in data.points.chunks_exact(inputs).enumerate() {
            let row = point.iter().copied().chain(seen.iter().map(|o| data.values[*o][n]));
            writeln!(out, "    [{}],", row.map(number).collect::<Vec<_>>().join(", ")).ok();
        }
        let own: Vec<String> = (seen.iter())
            .map(|o| {
                let output = &self.candidate.outputs[*o];
                let name = python_name(&self.statement.system.variables[usize::from(output.variable)].name);
                let part = if output.part == Part::Real { "real" } else { "imag" };
                format!("np.{part}({name}(*p))")
            })
            .collect();
        let weights: Vec<String> = seen.iter().map(|o| number(factors[*o])).collect();
        writeln!(out, "])\n\n\ndef misses(weights):\n    {}, = fields(weights)", self.fields().join(", ")).ok();
        writeln!(out, "    own = jax.vmap(lambda p: np.stack([{}]))(DATA[:, :{inputs}])", own.join(", ")).ok();
        writeln!(out, "    return np.sum(np.array([{}]) * (own - DATA[:, {inputs}:]) ** 2)\n\n", weights.join(", "))
            .ok();
    }

    /// Returns whether there are conditions.
    fn write_sides(&self, out: &mut String, system: &System, call: &str) -> bool {
        let Some(sides) = &self.sides else { return false };
        out.push_str(
            "# Conditions: field, coordinate, place, factors of its derivatives along the coordinate, what they add up to.\nSIDES = [\n",
        );
        // A complex field has a condition for each part; the script says it once.
        for held in sides.held().iter().filter(|held| held.part == Part::Real) {
            let before = &self.candidate.outputs[..held.output];
            let field = before.iter().filter(|output| output.part == Part::Real).count();
            let grid = &self.statement.grid.axes[held.axis];
            let place = number(if held.is_high { grid.max } else { grid.min });
            let factors = held.factors().map(number).join(", ");
            // The residual at u = 0 is minus the right side.
            let time = if self.candidate.has_time { "t" } else { "0.0" };
            let value = if held.condition.is_homogeneous {
                "0.0".into()
            } else {
                format!("-({})", system.python(held.condition.residual(), time))
            };
            writeln!(out, "    ({field}, {}, {place}, ({factors}), lambda {call}: {value}),", held.axis).ok();
        }
        out.push_str(SIDE_ERROR);
        true
    }

    fn write_loss(&self, out: &mut String, has_sides: bool) {
        let slices = if self.candidate.has_time { SLICES } else { 1 };
        let each = self.training.points.div_ceil(slices).max(1);
        writeln!(out, "slices, each = {slices}, {each}  # in time, and points in each").ok();
        writeln!(out, "causality = {}", number(if slices > 1 { self.training.causality } else { 0.0 })).ok();
        if has_sides {
            let (points, weight) = (self.training.side_points, number(self.training.side_weight));
            writeln!(out, "side_points, side_weight = {points}, {weight}").ok();
        }
        if let Some(integrals) = &self.integrals {
            writeln!(out, "integral_weight = {}", number(self.training.integral_weight)).ok();
            if self.candidate.has_time {
                writeln!(out, "moments = {}  # at which integrals are taken", integrals.moments()).ok();
            }
        }
        if !self.data.points.is_empty() {
            self.write_data(out);
        }
        out.push_str(LOSS);
        if self.candidate.has_time {
            out.push_str(STRATIFIED);
        }
        out.push_str(LOSS_INSIDE);
        if has_sides {
            out.push_str(LOSS_SIDES);
        }
        if self.integrals.is_some() {
            out.push_str(if self.candidate.has_time { LOSS_INTEGRALS_IN_TIME } else { LOSS_INTEGRALS });
        }
        if !self.data.points.is_empty() {
            out.push_str("    total = total + misses(weights)\n");
        }
        out.push_str("    return total\n\n\n");
    }
}

const HEAD: &str =
    "# Made by Eddy. Needs JAX and Optax; with a file of weights (safetensors) as argument it starts from those.
import sys

import jax
import jax.numpy as np
import optax
from jax.scipy import special

jax.config.update(\"jax_enable_x64\", True)

";

const PLAIN: &str = "    for w, b in weights[:-1]:
        h = np.tanh(w @ h + b)
";
const RESIDUAL: &str = "    w, b = weights[0]
    h = np.tanh(w @ h + b)
    for w, b in weights[1:-1]:
        h = h + np.tanh(w @ h + b)
";
const MODIFIED: &str = "    u, v = [np.tanh(w @ h + b) for w, b in weights[:2]]
    for w, b in weights[2:-1]:
        z = np.tanh(w @ h + b)
        h = (1 - z) * u + z * v
";
const SINES: &str = "    for w, b in weights[:-1]:
        h = np.sin(w @ h + b)
";

const DERIVATIVE: &str = "

def d(f, *orders):
    \"\"\"The derivative of f of the given order in each coordinate, as a function.\"\"\"

    def along(f, i):
        return lambda *p: jax.jvp(lambda s: f(*p[:i], s, *p[i + 1 :]), (p[i],), (np.ones_like(p[i]),))[1]

    for i, order in enumerate(orders):
        for _ in range(order):
            f = along(f, i)
    return f

";

const SIDE_ERROR: &str = "]


def side_error(weights, side, point):
    field, axis, place, factors, value = side
    point = list(point)
    point[axis] = place + 0 * point[axis]
    f = fields(weights)[field]
    error = -value(*point)
    for order, factor in enumerate(factors):
        if factor:
            orders = [order if i == axis else 0 for i in range(len(point))]
            error = error + factor * d(f, *orders)(*point)
    return error


";

const LOSS: &str = "

def square(r):
    return np.real(r) ** 2 + np.imag(r) ** 2


def loss(weights, key):
    inside, beside = jax.random.split(key)
    share = jax.random.uniform(inside, (slices * each, low.size))
";

const STRATIFIED: &str = "    share = share.at[:, -1].set((np.repeat(np.arange(slices), each) + share[:, -1]) / slices)
";

const LOSS_INSIDE: &str = "    points = low + (high - low) * share
    squares = jax.vmap(lambda p: sum(square(r) for r in residuals(weights, *p)))(points).reshape(slices, each).mean(1)
    before = (np.cumsum(squares) - squares) / slices
    total = np.mean(jax.lax.stop_gradient(np.exp(-causality * before)) * squares)
";

const LOSS_SIDES: &str = "    points = low + (high - low) * jax.random.uniform(beside, (side_points, low.size))
    for side in SIDES:
        errors = jax.vmap(lambda p: square(side_error(weights, side, p)))(points)
        total = total + side_weight * np.mean(errors) / len(SIDES)
";

const PLACES: &str = "]
places = np.stack([axis.ravel() for axis in np.meshgrid(*[rule[0] for rule in rules], indexing=\"ij\")], 1)
cells = np.prod(np.stack([axis.ravel() for axis in np.meshgrid(*[rule[1] for rule in rules], indexing=\"ij\")]), 0)


";

const INTEGRAL: &str = "
    def integral(f):
        return np.sum(cells * jax.vmap(lambda p: f(*pTIME) + 0 * p[0])(places))

    def mean(f):
        return integral(f) / np.sum(cells)

";

const GAUSS: &str = "
def gauss(low, high, count):
    from numpy.polynomial.legendre import leggauss

    points, weights = leggauss(count)
    return low + (high - low) * (1 + np.asarray(points)) / 2, (high - low) * np.asarray(weights) / 2


";

const LOSS_INTEGRALS: &str = "    errors = np.stack(conditions(weights))
    total = total + integral_weight * np.mean(errors**2)
";

const LOSS_INTEGRALS_IN_TIME: &str = "    share = jax.random.uniform(jax.random.fold_in(key, 2), (moments,))
    times = start + length * (np.arange(moments) + share) / moments
    errors = jax.vmap(lambda t: np.stack(conditions(weights, t)))(times)
    total = total + integral_weight * np.mean(errors**2)
";

const LAYERS_LOADED: &str =
    "[tuple(np.asarray(file[f\"layers.{i}.{part}\"]) for part in [\"weight\", \"bias\"]) for i in range(len(layers))]";
const NUMBERS_LOADED: &str = " + [
        np.concatenate([np.asarray(file[f\"scalars.{i}\"]) for i in range(len(SOUGHT))])
    ]";
const NUMBERS_SHOWN: &str = "    for name, value in zip(SOUGHT, numbers(weights)):
        print(f\"{name} = {value:.6g}\")
";

const TAIL: &str = "adam = optax.adam(rate)


def begin(key):
    weights = []
    for (n, m), bound in zip(layers, bounds):
        key, one, two = jax.random.split(key, 3)
        w, b = jax.random.uniform(one, (m, n), minval=-1), jax.random.uniform(two, (m,), minval=-1)
        weights.append((bound * w, bias * bound * b))
    return weights


def load(path):
    from safetensors.numpy import load_file

    file = load_file(path)
    return [tuple(np.asarray(file[f\"layers.{i}.{part}\"]) for part in [\"weight\", \"bias\"]) for i in range(len(layers))]


@jax.jit
def train(weights, state, key):
    value, gradient = jax.value_and_grad(loss)(weights, key)
    updates, state = adam.update(gradient, state)
    return optax.apply_updates(weights, updates), state, value


if __name__ == \"__main__\":
    weights = load(sys.argv[1]) if len(sys.argv) > 1 else begin(key)
    state = adam.init(weights)
    for step in range(steps):
        weights, state, value = train(weights, state, jax.random.fold_in(key, step))
        if (step + 1) % max(1, steps // 20) == 0:
            print(f\"step {step + 1}: loss {value:.3e}\")
    centre = (low + high) / 2
    for name, field in zip([FIELD_NAMES], fields(weights)):
        print(f\"{name} in the middle of the domain, at half of the time: {field(*centre):.6g}\")
";
