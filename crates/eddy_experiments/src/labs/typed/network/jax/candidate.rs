//! The network and the candidate solution, as a script writes them.

use std::fmt::Write;

use eddy_expr::{
    kernel::Part,
    lower::numpy::python_name,
    system::{Role, System},
};
use eddy_nets::graph::{ring_share, wave_rows};
use eddy_spec::EddyError;

use super::{
    AXES, cannot, number,
    templates::{
        CALLED, GAUSSIANS, GLOROT, LOCAL, MODIFIED, PARTS, PLAIN, RESIDUAL, RING_DOMAIN, RING_WINDOW, SINES,
        WALL_DOMAIN, WALL_WINDOW,
    },
};
use crate::labs::typed::network::{Architecture, Kind, TypedNetwork, architecture::Split, built_in::BuiltIn};

impl TypedNetwork {
    pub(super) fn write_network(&self, out: &mut String, call: &str) {
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
        let inputs = self.feature_count();
        let free = self.free().count();
        let solved = self.candidate.outputs.len() - free;
        let places = self.place_feature_count();
        self.write_layers(out, inputs, solved, (free > 0).then_some((places, free)));
        let split = Split::new(&self.statement);
        if let kind @ (Kind::Parts { count } | Kind::Domains { count }) = self.training.architecture.kind {
            let window = match (kind, split.is_periodic) {
                (Kind::Parts { .. }, true) => RING_WINDOW.to_owned(),
                (Kind::Parts { .. }, false) => format!("{LOCAL}{WALL_WINDOW}"),
                (_, true) => RING_DOMAIN.to_owned(),
                (_, false) => format!("{LOCAL}{WALL_DOMAIN}"),
            };
            let window = window.replace("COUNT", &count.to_string()).replace("SHARE", &number(ring_share(count)));
            let (low, length) = (number(split.min), number(split.max - split.min));
            out.push_str(&window.replace("LOW", &low).replace("LENGTH", &length));
        }
        let layers = self.sizes(inputs, solved).len();
        let last = layers + if free > 0 { self.sizes(places, free).len() } else { 0 };
        writeln!(out, "def network(weights, {call}):").ok();
        if free > 0 {
            writeln!(out, "    weights = weights[:{layers}]").ok();
        } else if !self.sought.is_empty() {
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
            Kind::Gaussians { .. } => &GAUSSIANS.replace("COUNT", &inputs.to_string()),
            Kind::Parts { count } | Kind::Domains { count } => {
                let place = call.split(',').next().unwrap_or(call);
                let local = if split.is_periodic { "h".into() } else { format!("np.append(h, local(k, {place}))") };
                let layers = self.training.architecture.layers.to_string();
                let body = PARTS.replace("COUNT", &count.to_string()).replace("LAYERS", &layers);
                &body.replace("LOCAL", &local).replace("PLACE", place)
            }
        };
        let ending = "    w, b = weights[-1]\n    return w @ h + b\n\n\n";
        out.push_str(body);
        out.push_str(ending);
        if free > 0 {
            features.truncate(features.len() - usize::from(self.candidate.has_time));
            writeln!(out, "def found(weights, {}):", AXES[..grid.dimension()].join(", ")).ok();
            writeln!(out, "    weights = weights[{layers}:{last}]").ok();
            writeln!(out, "    h = np.stack([{}])", features.join(", ")).ok();
            out.push_str(body);
            out.push_str(ending);
        }
    }

    /// What the network sees at a point.
    pub(super) fn feature_count(&self) -> usize {
        self.place_feature_count() + usize::from(self.candidate.has_time)
    }

    /// What of it is of the place.
    fn place_feature_count(&self) -> usize {
        let waves = 2 * self.training.architecture.harmonics;
        self.statement.grid.axes.iter().map(|axis| if axis.is_periodic { waves } else { 1 }).sum()
    }

    /// Units that each layer reads, and its own.
    fn sizes(&self, inputs: usize, outputs: usize) -> Vec<(usize, usize)> {
        let architecture = self.training.architecture;
        let Architecture { kind, width, layers, .. } = architecture;
        let inputs = if let Kind::Waves { .. } = kind { 2 * architecture.waves() } else { inputs };
        let inner = vec![(width, width); layers - 1];
        match kind {
            Kind::Gaussians { .. } => {
                [vec![(1, width); inputs], vec![(width, width)], inner, vec![(width, outputs)]].concat()
            }
            Kind::Parts { count } | Kind::Domains { count } => {
                let first = inputs + usize::from(!Split::new(&self.statement).is_periodic);
                let part = [vec![(first, width)], inner].concat();
                [part.repeat(count), vec![(count * width, outputs)]].concat()
            }
            _ => {
                let first = if kind == Kind::Modified { 3 } else { 1 };
                [vec![(inputs, width); first], inner, vec![(width, outputs)]].concat()
            }
        }
    }

    /// Sizes of the layers, within which bounds their weights begin, and what of the network is not trained.
    /// `found`: the same of a second network.
    fn write_layers(&self, out: &mut String, inputs: usize, outputs: usize, found: Option<(usize, usize)>) {
        let architecture = self.training.architecture;
        let kind = architecture.kind;
        out.push('\n');
        if let Kind::Waves { sigma, seed } = kind {
            let rows = wave_rows(inputs, architecture.waves(), sigma, seed);
            let line = |row: &Vec<f64>| row.iter().map(|v| number(*v)).collect::<Vec<_>>().join(", ");
            let rows: Vec<String> = rows.iter().map(|row| format!("    [{}],\n", line(row))).collect();
            writeln!(out, "waves = np.array([\n{}])", rows.concat()).ok();
        }
        let mut sizes = self.sizes(inputs, outputs);
        sizes.extend(found.into_iter().flat_map(|(inputs, outputs)| self.sizes(inputs, outputs)));
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
            Kind::Gaussians { width } => {
                writeln!(out, "spread = {}  # of Gaussians, at the start", number(width)).ok();
                out.push_str(GLOROT);
            }
            _ => out.push_str(GLOROT),
        }
    }

    /// The amplitude of an output, where it is not one.
    fn factor(&self, output: usize) -> String {
        let amplitude = self.candidate.outputs[output].size.amplitude;
        if amplitude == 1.0 { String::new() } else { format!("{} * ", number(amplitude)) }
    }

    /// An output of the network with what of the conditions at the sides is built in.
    fn learnt(&self, output: usize, call: &str) -> String {
        let (built_in, mut text) = (self.candidate.built_in(output), self.factor(output));
        for ((axis, name), powers) in self.statement.grid.axes.iter().zip(AXES).zip(built_in.powers()) {
            let scale = BuiltIn::scale(powers);
            if scale != 1.0 {
                write!(text, "{} * ", number(scale)).ok();
            }
            let ways = [format!("({name} - {})", number(axis.min)), format!("({} - {name})", number(axis.max))];
            for (way, power) in ways.iter().zip(powers) {
                match power {
                    0 => Ok(()),
                    1 => write!(text, "{way} / {} * ", number(axis.length())),
                    _ => write!(text, "({way} / {}) ** {power} * ", number(axis.length())),
                }
                .ok();
            }
        }
        write!(text, "network(weights, {call})[{output}]").ok();
        match built_in.lift() {
            None => text,
            Some((value, slope, axis)) => format!("{} + {} * {} + {text}", number(value), number(slope), AXES[axis]),
        }
    }

    pub(super) fn write_fields(&self, out: &mut String, system: &System, call: &str) -> Result<(), EddyError> {
        out.push_str(CALLED);
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
            if let Some(guess) = output.guess {
                // Those of the second network come last.
                let first = self.candidate.outputs.len() - self.free().count();
                let (places, name) = (AXES[..self.statement.grid.dimension()].join(", "), python_name(&variable.name));
                writeln!(out, "    def {name}({call}):").ok();
                let learnt = format!("{}found(weights, {places})[{}]", self.factor(index), index - first);
                writeln!(out, "        return {} + {learnt}\n", number(guess)).ok();
                continue;
            }
            let learnt = if variable.is_complex {
                format!("({} + 1j * ({}))", self.learnt(index, call), self.learnt(index + 1, call))
            } else if self.candidate.built_in(index).lift().is_some() {
                format!("({})", self.learnt(index, call))
            } else {
                self.learnt(index, call)
            };
            let tau = "(t - start) / length";
            // In a later window what the one before ended with, at its end.
            let field = index - self.candidate.outputs[..index].iter().filter(|o| o.part == Part::Imaginary).count();
            let at = format!("{}at", call.strip_suffix('t').unwrap_or(call));
            let windows = self.march.windows > 1;
            let u0 = || match windows {
                false => format!("({})", initial(output.variable)),
                true => format!("(({}) if window == 0 else before[{field}]({at}))", initial(output.variable)),
            };
            let mut carried = String::new();
            let text = match (output.order, variable.role) {
                _ if !self.training.knows_start => learnt,
                (1, _) => format!("{} + {tau} * {learnt}", u0()),
                (2, Role::SecondOrder { velocity }) => {
                    let (u0, v0) = (initial(output.variable), initial(velocity));
                    let from = if windows {
                        // Value and slope of the window before by one trace of it.
                        let along = call.strip_suffix('t').unwrap_or(call);
                        carried = format!(
                            "        u0, v0 = ({u0}, {v0}) if window == 0 else jax.jvp(lambda s: before[{field}]({along}s), (at,), (1.0,))\n"
                        );
                        "u0 + (t - start) * v0".to_owned()
                    } else {
                        format!("({u0}) + (t - start) * ({v0})")
                    };
                    format!("{from} + ({tau}) ** 2 * {learnt}")
                }
                _ => learnt,
            };
            if text.contains("np.nan") || text.len() > 20_000 {
                return Err(cannot("the initial values are too long"));
            }
            let shifted = if self.march.windows > 1 { "        t = t - window * length\n" } else { "" };
            writeln!(out, "    def {}({call}):\n{shifted}{carried}        return {text}", python_name(&variable.name))
                .ok();
        }
        writeln!(out, "    return {},\n\n", self.fields().join(", ")).ok();
        Ok(())
    }
}
