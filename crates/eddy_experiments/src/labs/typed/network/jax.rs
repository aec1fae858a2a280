//! The same training as a Python script with JAX, to be read, changed and compared with. It also starts from the weights
//! that the page saves: names and layout of the layers are the same.

mod candidate;
mod optimizers;
mod templates;
mod windows;

use std::fmt::Write;

use eddy_expr::{kernel::Part, lower::numpy::python_name, system::System};
use eddy_spec::EddyError;

use super::{Balance, Kind, SLICES, TypedNetwork};
use crate::labs::pinn::Descent;
use crate::labs::pinn::Method;
use optimizers::descent;
use templates::*;

const AXES: [&str; 3] = ["x", "y", "z"];

fn cannot(why: impl std::fmt::Display) -> EddyError {
    EddyError::new("script", format!("There is no script of this training: {why}."))
}

/// `1.0`, `0.1`, `-2.5e-7` as Python reads them.
fn number(value: f64) -> String {
    format!("{value:?}")
}

impl TypedNetwork {
    /// The script; what it cannot say is an error.
    pub(super) fn jax(&self, by: &Descent) -> Result<String, EddyError> {
        let kind = self.training.architecture.kind;
        if self.free().next().is_some() && !matches!(kind, Kind::Plain | Kind::Residual | Kind::Modified) {
            return Err(cannot(
                "a field is to be found by a network of its own, which it does for layers of tanh alone",
            ));
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
        self.write_sides(&mut out, &system, &call);
        self.write_conditions(&mut out, &system, &conditions);
        self.write_loss(&mut out);
        writeln!(out, "key = jax.random.PRNGKey({})\n\n", by.seed).ok();
        out.push_str(BEGIN);
        out.push_str("\n\n");
        let held =
            (self.begins_held && by.method == Method::GaussNewton).then_some((self.training.hold, self.sought.len()));
        out.push_str(&descent(by, self.march.windows as u64, held));
        out.push_str(MAIN);
        if let Kind::Gaussians { .. } = self.training.architecture.kind {
            let count = self.feature_count().to_string();
            out = out.replace("    return weights\n\n\ndef load", &GAUSSIANS_BEGUN.replace("COUNT", &count));
        }
        out = self.with_curriculum(out);
        if !self.sought.is_empty() {
            let starts: Vec<String> =
                self.guesses().zip(&self.sought).map(|((_, guess), one)| number(guess / one.scale)).collect();
            let begun =
                format!("    weights.append(np.array([{}]))\n    return weights\n\n\ndef load", starts.join(", "));
            out = out.replace("    return weights\n\n\ndef load", &begun);
            out = out.replace(LAYERS_LOADED, &format!("{LAYERS_LOADED}{}", NUMBERS_LOADED));
            out.push_str(NUMBERS_SHOWN);
        }
        if self.march.windows > 1 {
            out = self.with_windows(out, by.steps);
        }
        let names: Vec<String> = self.fields().into_iter().map(|name| format!("{name:?}")).collect();
        out = out.replace("FIELD_NAMES", &names.join(", "));
        out = if out.contains("special.") { out } else { out.replace("from jax.scipy import special\n", "") };
        Ok(out)
    }

    /// Coefficients that move: the residuals take them, by the share of the way that is done.
    fn with_curriculum(&self, mut script: String) -> String {
        if !self.curriculum.is_there() {
            return script.replace("@DONE=1.0", "").replace("@DONE", "").replace("@NOW", "");
        }
        let (mut moved, parameters) = (String::new(), &self.statement.system.parameters);
        for (parameter, first) in self.curriculum.firsts() {
            let (name, first) = (python_name(&parameters[*parameter].name), *first);
            let last = self.statement.parameters[*parameter];
            let (one, other) = (number(first), number(last));
            if first * last > 0.0 {
                writeln!(moved, "    {name} = {other} * ({one} / {other}) ** (1 - done)").ok();
            } else {
                writeln!(moved, "    {name} = {one} + done * ({other} - {one})").ok();
            }
        }
        let head = script.find("def residuals(weights").unwrap_or(0);
        let line = head + script[head..].find('\n').map_or(0, |at| at + 1);
        script.insert_str(line, &moved);
        let now = format!(", min(1.0, step / {})", self.curriculum.steps().max(1));
        script.replace("@DONE", ", done").replace("@NOW", &now)
    }

    /// Names of the fields with an equation, in the order of the network's outputs.
    fn fields(&self) -> Vec<String> {
        let variables = &self.statement.system.variables;
        let real = self.candidate.outputs.iter().filter(|output| output.part == Part::Real);
        real.map(|output| python_name(&variables[usize::from(output.variable)].name)).collect()
    }

    fn write_residuals(&self, out: &mut String, system: &System, lines: &[eddy_expr::lower::jax::Line], call: &str) {
        writeln!(out, "def residuals(weights@DONE, {call}):\n    {}, = fields(weights)", self.fields().join(", ")).ok();
        out.push_str(&self.numbers_read(system));
        out.push_str("    return [\n");
        let dimension = self.statement.grid.dimension();
        for line in lines {
            let own = self.residuals.fields.iter().position(|field| *field == (line.variable, Part::Real));
            let scale = &own.map_or(1.0, |own| self.scales[own]);
            let name = python_name(&system.variables[usize::from(line.variable)].name);
            let mut orders = vec!["0".to_owned(); dimension];
            orders.push(line.order.to_string());
            match line.order {
                0 if *scale == 1.0 => writeln!(out, "        {},", line.text).ok(),
                // Terms are brought to one size.
                0 => writeln!(out, "        {} * ({}),", number(*scale), line.text).ok(),
                order => {
                    let (length, amplitude) = (["length", "length**2"], self.amplitude(line.variable));
                    let over = if amplitude == 1.0 { String::new() } else { format!(" / {}", number(amplitude)) };
                    let (power, rate) = (length[usize::from(order != 1)], format!("d({name}, {})", orders.join(", ")));
                    writeln!(out, "        {power}{over} * ({rate}({call}) - {}),", line.text).ok()
                }
            };
        }
        out.push_str("    ]\n\n\n");
    }

    /// Of a field, the factor of what the network says of it.
    fn amplitude(&self, variable: u16) -> f64 {
        self.candidate.output(variable, Part::Real).map_or(1.0, |output| self.candidate.outputs[output].size.amplitude)
    }

    /// Numbers that are trained, the last entry of the weights.
    fn write_numbers(&self, out: &mut String) {
        if self.sought.is_empty() {
            return;
        }
        let line = |(name, guess): &(String, f64)| format!("{:?}: {}", python_name(name), number(*guess));
        let guesses: Vec<String> = self.guesses().map(line).collect();
        let note = "first guesses; above is what the reference has. Eddy holds eigenvalues there at first";
        writeln!(out, "\nSOUGHT = {{{}}}  # {note}", guesses.join(", ")).ok();
        let scales: Vec<String> = self.sought.iter().map(|one| number(one.scale)).collect();
        writeln!(out, "\n\ndef numbers(weights):\n    return np.array([{}]) * weights[-1]\n", scales.join(", ")).ok();
    }

    /// Names of the numbers that are to be found, with their first guesses.
    fn guesses(&self) -> impl Iterator<Item = &(String, f64)> {
        let system = &self.statement.system;
        self.training.sought.iter().filter(|(name, _)| system.parameter(name).is_some())
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
        let scaled = |(text, scale): (&String, &f64)| match scale {
            1.0 => text.clone(),
            _ => format!("{} * ({text})", number(*scale)),
        };
        let conditions: Vec<String> = conditions.iter().zip(integrals.scales()).map(scaled).collect();
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
                format!("np.{part}({name}(*_at))")
            })
            .collect();
        let weights: Vec<String> = seen.iter().map(|o| number(factors[*o])).collect();
        let fields = self.fields().join(", ");
        writeln!(out, "])\n\n\ndef misses(weights, row):\n    {fields}, = fields(weights)\n    _at = row[:{inputs}]")
            .ok();
        writeln!(out, "    own = np.stack([{}])", own.join(", ")).ok();
        writeln!(out, "    return np.array([{}]) ** 0.5 * (own - row[{inputs}:])\n\n", weights.join(", ")).ok();
    }

    fn write_sides(&self, out: &mut String, system: &System, call: &str) {
        let Some(sides) = &self.sides else { return };
        out.push_str(
            "# Conditions: field, coordinate, place, factors of its derivatives along the coordinate, what they add up to.\nSIDES = [\n",
        );
        // A complex field has a condition for each part; the script says it once, also where one of them is built in.
        let mut said = Vec::new();
        for held in sides.held() {
            let up_to = &self.candidate.outputs[..=held.output];
            let field = up_to.iter().filter(|output| output.part == Part::Real).count() - 1;
            let one = (field, held.axis, held.is_high, held.condition.coefficients);
            if said.contains(&one) {
                continue;
            }
            said.push(one);
            let grid = &self.statement.grid.axes[held.axis];
            let place = number(if held.is_high { grid.max } else { grid.min });
            let factors = held.factors().map(number).join(", ");
            // The residual at u = 0 is minus the right side.
            let time = if self.candidate.has_time { "t" } else { "0.0" };
            let value = if held.condition.is_homogeneous {
                "0.0".into()
            } else {
                let scale = if held.scale == 1.0 { String::new() } else { format!("{} * ", number(held.scale)) };
                format!("-{scale}({})", system.python(held.condition.residual(), time))
            };
            writeln!(out, "    ({field}, {}, {place}, ({factors}), lambda {call}: {value}),", held.axis).ok();
        }
        out.push_str(SIDE_ERROR);
    }

    fn write_loss(&self, out: &mut String) {
        let slices = if self.candidate.has_time { SLICES } else { 1 };
        let each = self.training.points.div_ceil(slices).max(1);
        writeln!(out, "slices, each = {slices}, {each}  # in time, and points in each").ok();
        if self.training.balance != Balance::Fixed {
            out.push_str("# Eddy's weights of the terms follow the training; these are what they had come to.\n");
        }
        let is_adaptive = self.training.is_adaptive;
        writeln!(
            out,
            "drawn = {}",
            if is_adaptive { "4 * each  # of which those with large residuals are kept" } else { "each" }
        )
        .ok();
        writeln!(out, "causality = {}", number(if slices > 1 { self.march.causality() } else { 0.0 })).ok();
        if self.sides.is_some() {
            let (points, weight) = (self.training.side_points, number(self.side_weight));
            writeln!(out, "side_points, side_weight = {points}, {weight}").ok();
        }
        if let Some(integrals) = &self.integrals {
            writeln!(out, "integral_weight = {}", number(self.training.integral_weight)).ok();
            if self.candidate.has_time {
                writeln!(out, "moments = {}  # at which integrals are taken", integrals.moments()).ok();
            }
        }
        if let Some(joints) = &self.joints {
            let places: Vec<String> = joints.places().iter().map(|place| number(*place)).collect();
            writeln!(out, "JOINTS = [{}]  # where parts meet", places.join(", ")).ok();
            let real = joints.continued().filter(|(output, ..)| self.candidate.outputs[*output].part == Part::Real);
            let field = |output: usize| {
                self.candidate.outputs[..output].iter().filter(|output| output.part == Part::Real).count()
            };
            let line = |(output, order, factor)| format!("({}, {order}, {})", field(output), number(factor));
            let continued: Vec<String> = real.map(line).collect();
            writeln!(out, "CONTINUED = [{}]  # field, derivative, factor", continued.join(", ")).ok();
            let weight = number(self.training.joint_weight);
            writeln!(out, "joint_points, joint_weight = {}, {weight}", joints.count()).ok();
            let axis = super::architecture::Split::new(&self.statement).input.to_string();
            out.push_str(&JUMP.replace("AXIS", &axis).replace("BESIDE", &number(joints.beside())));
        }
        if !self.data.points.is_empty() {
            self.write_data(out);
        }
        out.push_str(LOSS);
        if self.candidate.has_time {
            out.push_str(STRATIFIED);
        }
        if is_adaptive {
            out.push_str(LOSS_FOLLOWED);
        }
        out.push_str(LOSS_INSIDE);
        if let Some(sides) = &self.sides {
            // Of a complex field both parts count.
            out.push_str(&LOSS_SIDES.replace("HELD", &sides.held().len().to_string()));
        }
        if self.integrals.is_some() {
            let term = if self.candidate.has_time { LOSS_INTEGRALS_IN_TIME } else { LOSS_INTEGRALS };
            out.push_str(&term.replace("COUNT", &self.nodes.len().to_string()));
        }
        if let Some(joints) = &self.joints {
            out.push_str(&LOSS_JOINTS.replace("SHARES", &joints.continued().count().to_string()));
        }
        if !self.data.points.is_empty() {
            out.push_str(LOSS_DATA);
        }
        out.push_str(LOSS_END);
    }
}
