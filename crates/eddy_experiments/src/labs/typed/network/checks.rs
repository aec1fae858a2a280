//! What is looked at before a training begins, and where its loss has no value.

use eddy_expr::{Read, Residuals};
use eddy_solve::{Statement, boundary::Side};
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
            } else if order >= 2 && count > order {
                "more contradict each other"
            } else {
                continue;
            };
            let field = &statement.system.variables[usize::from(output.variable)].name;
            let message = format!(
                "The equations differentiate {field} {order} times along {name}, so its two sides there take {order} conditions \
                 together; they have {count}, and {wrong}. Two at one side are written with a semicolon: {field} = dirichlet: 0; \
                 neumann: 0."
            );
            return Err(EddyError::start(message).at("boundary"));
        }
    }
    Ok(())
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
