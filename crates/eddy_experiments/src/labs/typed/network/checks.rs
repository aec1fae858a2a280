//! What is looked at before a training begins, and where its loss has no value.

use eddy_expr::{Column, Equation, Expression, Inputs, Read, Residuals, System, ir::Id, kernel::Part};
use eddy_solve::{Statement, boundary::Side, grid::Axis, jumps};
use eddy_spec::EddyError;

use super::{
    TypedNetwork,
    candidate::Candidate,
    integrals::tensor,
    points::{Buffers, run_at},
    reference::Reference,
};

/// Places along an axis that are looked at, by dimension; and moments.
const PLACES: [usize; 4] = [1, 33, 9, 5];
const MOMENTS: usize = 3;
/// Values that everything which is read may have: where none of them gives a number, the place is to blame.
const VALUES: [f64; 4] = [0.0, 0.5, 1.0, -1.0];
const NAMES: [&str; 3] = ["x", "y", "z"];
/// Places on the other axes at which jumps along one are looked for, as shares of their lengths.
const SHARES: [f64; 3] = [0.381_966, 0.723_607, 0.1];
/// Share of the range by which the two ends of a period may differ: what of a pulse has not decayed at its ends.
const SEAM: f64 = 0.05;
/// Share of their range by which corners may change initial values over the time. Allen and Cahn's, with a corner where its
/// period closes, is a benchmark and comes to 0.02, an option's payoff to 0.1; a string that is plucked in the middle to 2.
const FELT: f64 = 0.2;

/// Whether the equations have values in the domain, whatever the fields are there.
pub(super) fn check_domain(statement: &Statement, residuals: &Residuals) -> Result<(), EddyError> {
    let axes = &statement.grid.axes;
    let count = PLACES[axes.len()];
    let between = |low: f64, length: f64, count: usize| -> Vec<f64> {
        (1..=count).map(|i| low + length * i as f64 / (count + 1) as f64).collect()
    };
    let mut along: Vec<Vec<f64>> = axes.iter().map(|axis| between(axis.min, axis.length(), count)).collect();
    along.push(between(statement.start, statement.end - statement.start, MOMENTS));
    let points = tensor(&along);
    let columns: Vec<Vec<f64>> = (0..along.len()).map(|c| points.iter().map(|p| p[c]).collect()).collect();
    let (places, time) = columns.split_at(axes.len());
    let mut is_defined = vec![false; points.len()];
    for value in VALUES {
        let read = |read: &Read| if *read == Read::Time { time[0].clone() } else { vec![value; points.len()] };
        let reads: Vec<Vec<f64>> = residuals.reads.iter().map(read).collect();
        let Some(outputs) = run_at(residuals, &statement.parameters, places, &reads) else { return Ok(()) };
        for (i, is_defined) in is_defined.iter_mut().enumerate() {
            *is_defined |= outputs[..residuals.fields.len()].iter().all(|output| output[i].is_finite());
        }
    }
    let Some(wrong) = is_defined.iter().position(|is_defined| !is_defined) else { return Ok(()) };
    let has_time = residuals.reads.iter().any(|read| matches!(read, Read::Jet { time: 1.., .. }));
    let message = format!(
        "The equations have no finite value at {}, whatever the fields are: a root or a logarithm of a negative number, or a \
         division by zero. Take a domain without such places, or write the equations otherwise.",
        place(&points[wrong], axes.len(), has_time)
    );
    Err(EddyError::start(message).at("equations"))
}

/// `x = 0.3, t = 0.1`
fn place(point: &[f64], dimension: usize, has_time: bool) -> String {
    let names = NAMES[..dimension].iter().chain(has_time.then_some(&"t"));
    let parts: Vec<String> = names.zip(point).map(|(name, value)| format!("{name} = {value:.4}")).collect();
    parts.join(", ")
}

/// Whether there is time to pass.
pub(super) fn check_time(statement: &Statement) -> Result<(), EddyError> {
    if statement.stepped().is_empty() || statement.end > statement.start {
        return Ok(());
    }
    let message = format!("The end ({}) must lie after the start ({}).", statement.end, statement.start);
    Err(EddyError::start(message).at("end").repaired_by("end", format!("{}", statement.start + 1.0)))
}

/// Whether anything moves: what nothing is said of begins at zero, where all may stay.
pub(super) fn check_start(statement: &Statement, reference: &Reference) -> Result<(), EddyError> {
    let stepped = statement.stepped();
    let is_told = (0..stepped.len()).any(|position| statement.initial_expression(position).is_some());
    if stepped.is_empty() || is_told || reference.sizes.iter().any(|size| *size > 0.0) {
        return Ok(());
    }
    let name = &statement.system.variables[usize::from(stepped[0])].name;
    let message = format!(
        "Nothing says where {name} begins, and from zero it never moves. Give its initial values, such as {name} = sin(x)."
    );
    Err(EddyError::start(message).at("initial"))
}

/// Whether both sides of each axis together have as many conditions as the equations have derivatives along it. Sides that are
/// left free on purpose are.
pub(super) fn check_sides(
    statement: &Statement,
    residuals: &Residuals,
    candidate: &Candidate,
) -> Result<(), EddyError> {
    for output in &candidate.outputs {
        let Some(sides) = &statement.sides[usize::from(output.variable)] else { continue };
        let orders = |axis: usize| {
            let of = |read: &Read| match read {
                Read::Jet { variable, orders, .. } if *variable == output.variable => orders[axis],
                _ => 0,
            };
            residuals.reads.iter().map(of).max().unwrap_or(0)
        };
        for (axis, name) in NAMES.iter().enumerate().take(statement.grid.dimension()) {
            let [Side::Conditions(low), Side::Conditions(high)] = &sides[axis] else { continue };
            let (order, count) = (usize::from(orders(axis)), low.len() + high.len());
            let wrong = if count < order {
                "fewer leave its solution open"
            } else if count > order && (order >= 2 || (order == 1 && !candidate.has_time)) {
                "more contradict each other"
            } else {
                continue;
            };
            let field = &statement.system.variables[usize::from(output.variable)].name;
            let message = format!(
                "The equations differentiate {field} {order} times along {name}, so its two sides there take {order} conditions \
                 together; they have {count}, and {wrong}. Two at one side are written with a semicolon: {field} = dirichlet: 0; \
                 neumann: 0; a side without a condition is free: {field}.{name}_max = free."
            );
            return Err(EddyError::start(message).at("boundary"));
        }
    }
    Ok(())
}

/// Whether what is built into the network, and what the equations differentiate, has the derivatives that residuals need: taken
/// point by point they do not see a jump, and the network would come to rest beside the solution.
pub(super) fn check_smooth(
    statement: &Statement,
    residuals: &Residuals,
    candidate: &Candidate,
) -> Result<(), EddyError> {
    let mut system = statement.system.clone();
    for equation in system.equations.clone() {
        let (variable, roots) = match equation {
            Equation::Elliptic { variable, left, right, .. } => (variable, vec![left, right]),
            _ => continue,
        };
        check_coefficients(statement, &mut system, variable, &roots)?;
    }
    for variable in statement.stepped() {
        if let Some(rate) = system.rate(variable) {
            check_coefficients(statement, &mut system, variable, &[rate])?;
        }
    }
    for output in &candidate.outputs {
        let name = &statement.system.variables[usize::from(output.variable)].name;
        for (axis, line) in statement.grid.axes.iter().enumerate() {
            let of = |read: &Read| match read {
                Read::Jet { variable, orders, .. } if *variable == output.variable => orders[axis],
                _ => 0,
            };
            let order = residuals.reads.iter().map(of).max().unwrap_or(0);
            for expression in output.initial_positions().filter_map(|position| statement.initial_expression(position)) {
                // What a step of the derivative of order k does as far as the equation carries in the time.
                let reach = output.size.reach.min(line.length());
                let Some(itself) = expression.derivative([0; 3]) else { continue };
                for (k, share) in (0..order).flat_map(|k| SHARES.map(|share| (k, share))) {
                    let mut orders = [0; 3];
                    orders[axis] = k;
                    let Some(slope) = expression.derivative(orders) else { continue };
                    let Some((place, step)) = jump_of(statement, &slope, axis, share, output.part) else { continue };
                    let (range, _) = range(statement, &itself, axis, share, output.part);
                    if k == 0 || 0.5 * step * reach.powi(i32::from(k)) > FELT * range {
                        return Err(rough(name, k, NAMES[axis], place, line));
                    }
                }
            }
        }
    }
    Ok(())
}

fn check_coefficients(
    statement: &Statement,
    system: &mut System,
    variable: u16,
    roots: &[Id],
) -> Result<(), EddyError> {
    let Some(place) = jumps::of_coefficients(statement, system, roots) else { return Ok(()) };
    let name = &statement.system.variables[usize::from(variable)].name;
    let message = jumps::jumps(name, &place);
    Err(EddyError::start(format!("T{}.", &message[1..])).at("equations"))
}

/// What to do where the equations jump from one place to the next, whatever the fields are: a potential with walls, a source that
/// ends. The series that the network is compared with does not settle there.
pub(super) fn jump_of_equations(statement: &Statement, residuals: &Residuals) -> Option<String> {
    let axes = &statement.grid.axes;
    let values = |axis: usize, share: f64, places: &[f64], output: usize| -> Option<Vec<f64>> {
        let other = |k: usize| vec![axes[k].min + share * axes[k].length(); places.len()];
        let columns: Vec<Vec<f64>> =
            (0..axes.len()).map(|k| if k == axis { places.to_vec() } else { other(k) }).collect();
        let reads = |value: f64| vec![vec![value; places.len()]; residuals.reads.len()];
        let [one, none] = [1.0, 0.0].map(|value| run_at(residuals, &statement.parameters, &columns, &reads(value)));
        let (one, none) = (one?, none?);
        Some(one[output].iter().zip(&none[output]).map(|(a, b)| a + b).collect())
    };
    let all = (0..axes.len()).flat_map(|axis| (0..residuals.fields.len()).map(move |output| (axis, output)));
    let mut all = all.flat_map(|(axis, output)| SHARES.map(|share| (axis, output, share)));
    let (axis, (place, _)) = all.find_map(|(axis, output, share)| {
        let line = &axes[axis];
        let of = |places: &[f64]| values(axis, share, places, output).unwrap_or_else(|| vec![f64::NAN; places.len()]);
        jumps::jump(line.min, line.max, of).map(|found| (axis, found))
    })?;
    let (name, length) = (NAMES[axis], axes[axis].length());
    let tidy = |v: f64, digits: usize| format!("{v:.digits$}").parse::<f64>().unwrap_or(v) + 0.0;
    let digits = (4.0 - length.log10().floor()).clamp(0.0, 300.0) as usize;
    let (shown, width) = (tidy(place, digits), tidy(0.01 * length, digits));
    let from = if shown < 0.0 { format!("{name} + {}", -shown) } else { format!("{name} - {shown}") };
    Some(format!(
        "The equations jump at {name} = {shown}, where no series settles. Let them change steeply instead: 1/(1 + \
         exp(-({from})/{width})) in place of if({name} > {shown}, 1, 0), say."
    ))
}

/// Values along an axis, with the other coordinates at a share of their axes.
fn along(
    statement: &Statement,
    expression: &Expression,
    axis: usize,
    share: f64,
    part: Part,
    places: &[f64],
) -> Vec<f64> {
    let other = |k: usize| statement.grid.axes.get(k).map_or(0.0, |other| other.min + share * other.length());
    let mut coordinates = [0, 1, 2].map(|k| Column::Constant(other(k)));
    coordinates[axis] = Column::Values(places);
    let inputs = Inputs { coordinates, time: statement.start, parameters: &statement.parameters, fields: &[] };
    let (mut re, mut im) = (vec![0.0; places.len()], vec![0.0; places.len()]);
    if expression.eval_block_complex(&inputs, &mut re, &mut im).is_err() {
        re.fill(f64::NAN);
    }
    if part == Part::Real { re } else { im }
}

/// Largest less smallest value at places along an axis, and both ends.
fn range(statement: &Statement, expression: &Expression, axis: usize, share: f64, part: Part) -> (f64, [f64; 2]) {
    let line = &statement.grid.axes[axis];
    let places: Vec<f64> = (0..=64).map(|i| line.min + line.length() * f64::from(i) / 64.0).collect();
    let values = along(statement, expression, axis, share, part, &places);
    let (least, most) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    (most - least, [values[0], values[64]])
}

/// Where a function jumps along an axis, and by how much: a place on it, or its end where a period does not close.
fn jump_of(statement: &Statement, expression: &Expression, axis: usize, share: f64, part: Part) -> Option<(f64, f64)> {
    let line = &statement.grid.axes[axis];
    let found = jumps::jump(line.min, line.max, |places| along(statement, expression, axis, share, part, places));
    found.or_else(|| {
        let (range, [low, high]) = range(statement, expression, axis, share, part);
        let gap = (low - high).abs();
        (line.is_periodic && gap > SEAM * range && gap > 1e-9 * low.abs().max(high.abs())).then_some((line.max, gap))
    })
}

/// What to say of initial values whose derivative of order `k` jumps.
fn rough(name: &str, k: u8, axis: &str, place: f64, line: &Axis) -> EddyError {
    let what = match k {
        0 => "jump".to_owned(),
        1 => "have a corner".to_owned(),
        k => format!("have a jump in their derivative of order {k}"),
    };
    let shown = (place * 1e4).round() / 1e4;
    let at = if line.is_periodic && place == line.max {
        return EddyError::start(format!(
            "{axis} is periodic, and the initial values of {name} {what} from its end to its beginning, {axis} = {shown}. A network \
             that begins with them does not see that, and comes to rest beside the solution. Give {name} conditions at the sides, \
             or take values of that period."
        ))
        .at("boundary");
    } else {
        format!("{axis} = {shown}")
    };
    let advice = if k == 0 {
        format!("tanh(({axis} - {shown})/{}) for a step", 0.02 * line.length())
    } else {
        format!("sqrt(({axis} - {shown})^2 + {:.1e}) for |{axis} - {shown}|", (0.02 * line.length()).powi(2))
    };
    EddyError::start(format!(
        "The initial values of {name} {what} at {at}, where the equations need their derivatives. A network that begins with \
         them does not see that, and comes to rest beside the solution. Round it off: {advice}, say."
    ))
    .at("initial")
}

impl TypedNetwork {
    /// A point of this step where the residual has no finite value, and what the network says of the fields there.
    pub(super) fn undefined_at(&mut self, parameters: &[f64]) -> Option<(String, String)> {
        self.put_coefficients(parameters);
        let offset = self.march.offset();
        let Self { kernel, residuals, sources, bases, engine, statement, points, candidate, .. } = self;
        let (dimension, count) = (statement.grid.dimension(), residuals.fields.len());
        let mut buffers = Buffers::new(residuals);
        let mut found: Option<(usize, Vec<String>)> = None;
        engine.evaluate(parameters, points, |tile| {
            if found.is_some() || !buffers.run(kernel, sources, bases, 0, dimension, tile) {
                return;
            }
            let is_undefined = |i: &usize| buffers.outputs[..count].iter().any(|output| !output[*i].is_finite());
            let Some(i) = (0..tile.len).find(is_undefined) else { return };
            let value = |(n, read): (usize, &Read)| match read {
                Read::Jet { variable, orders: [0, 0, 0], time: 0, .. } => {
                    let name = &statement.system.variables[usize::from(*variable)].name;
                    Some(format!("{name} = {:.3}", buffers.read(n, i)))
                }
                _ => None,
            };
            found = Some((tile.start + i, residuals.reads.iter().enumerate().filter_map(value).collect()));
        });
        let (at, values) = found?;
        let mut point = points[at * candidate.inputs..][..candidate.inputs].to_vec();
        if candidate.has_time {
            point[dimension] += offset;
        }
        let cause = format!(
            "At {} the equations have no finite value; the network begins with {} there.",
            place(&point, dimension, candidate.has_time),
            if values.is_empty() { "what it has".to_owned() } else { values.join(", ") }
        );
        let advice = "Keep roots, logarithms and quotients of fields where they are defined: log(max(u, 1e-6)) in place of log(u), \
                      say.";
        Some((cause, advice.to_owned()))
    }
}
