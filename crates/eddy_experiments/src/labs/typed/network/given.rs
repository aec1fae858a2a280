//! What is given to a training beside the equations: coefficients to be found, and measurements.

use eddy_expr::{Expression, Role, system::Equation};
use eddy_nets::{normal, uniform};
use eddy_solve::{Statement, problem::BoundaryText};
use eddy_spec::EddyError;

use super::{
    Measurements, Training,
    candidate::{Candidate, is_solved},
    collocation::Steady,
    reference::Reference,
};
use crate::labs::typed::Texts;

/// Relative distance of the solution on half of the points from which on it says nothing: beside a resonance it is one.
const UNSETTLED: f64 = 0.5;

/// Takes the equations of the fields that are to be found out of the system; returns them with their first guesses.
pub(super) fn free_fields(statement: &mut Statement, sought: &[(String, f64)]) -> Result<Vec<(u16, f64)>, EddyError> {
    let mut free = Vec::new();
    for (name, guess) in sought {
        if statement.system.parameter(name).is_some() {
            continue;
        }
        let field = statement.system.variable(name);
        let field = field.filter(|field| !statement.system.variables[usize::from(*field)].is_complex);
        if let Some(field) = field.filter(|field| statement.system.free(*field)) {
            free.push((field, *guess));
            continue;
        }
        let system = &statement.system;
        let has_line = |k: usize| {
            system
                .equations
                .iter()
                .any(|e| matches!(e, Equation::Algebraic { variable, .. } if usize::from(*variable) == k))
        };
        let given = system
            .variables
            .iter()
            .enumerate()
            .filter(|(k, v)| v.role == Role::Algebraic && !v.is_complex && has_line(*k))
            .map(|(_, v)| v.name.as_str());
        let names: Vec<&str> = system.parameters.iter().map(|p| p.name.as_str()).chain(given).collect();
        let message = format!(
            "There is no coefficient {name} to be found; there are: {}. A number has a line such as D = 0.1, a field one \
             such as D = 1 + 0.5*sin(x).",
            names.join(", ")
        );
        return Err(EddyError::start(message).at("sought"));
    }
    Ok(free)
}

/// Whether what is measured has a name here, and whether something is where the initial values are to be found.
pub(super) fn check_measured(statement: &Statement, training: &Training) -> Result<(), EddyError> {
    let names: Vec<&str> =
        statement.system.variables.iter().filter(|v| is_solved(v.role)).map(|v| v.name.as_str()).collect();
    if let Some(other) = training.measured.iter().find(|name| !names.contains(&name.as_str())) {
        let message = format!("There is no field {other} to be measured; there are: {}.", names.join(", "));
        return Err(EddyError::start(message).at("seen").repaired_by("seen", ""));
    }
    if !training.knows_start && (training.sought.is_empty() || training.windows > 1) {
        let message = "Initial values can only be found from measurements, over the whole time at once: name a coefficient \
                       to be found, and take one window.";
        return Err(EddyError::start(message).at("begins").repaired_by("begins", "known"));
    }
    Ok(())
}

/// Measurements at random points of the reference.
pub(super) fn measured(candidate: &Candidate, reference: &Reference, training: &Training) -> Measurements {
    let inputs = candidate.inputs;
    let all = reference.points.len() / inputs;
    // What is built in need not be measured.
    let first = if candidate.has_time && training.knows_start { reference.per_time() } else { 0 };
    let seed = u64::from(training.seed) ^ 0xda7a;
    let mut data = Measurements { values: vec![Vec::new(); candidate.outputs.len()], ..Measurements::default() };
    for n in 0..training.data.points as u64 {
        let at = first + ((all - first) as f64 * uniform(seed, n)) as usize;
        data.points.extend_from_slice(&reference.points[at * inputs..][..inputs]);
        for (o, values) in data.values.iter_mut().enumerate() {
            let noise = normal(seed ^ 1, n * 16 + o as u64) * training.data.noise * reference.deviations[o];
            values.push(reference.values[o][at] + noise);
        }
    }
    data.bases = (0..candidate.outputs.len()).map(|o| candidate.base(o, [0; 3], 0, &data.points)).collect();
    data
}

/// The reference of a training; what solves an eigenproblem as well as it, and the eigenvalues.
pub(super) fn reference(
    truth: &Statement,
    is_nonlinear: bool,
    mut problem: Steady<'_>,
    free: &[(u16, f64)],
    is_measured: bool,
) -> Result<(Reference, Vec<Vec<Vec<f64>>>, Vec<f64>), EddyError> {
    let has_time = problem.candidate.has_time;
    if has_time && is_nonlinear {
        let message = "A line without a time derivative is linear in its unknown where others have one. Write its time \
                       derivative, and let it settle.";
        return Err(EddyError::start(message).at("equations"));
    }
    let is_word =
        |text: &str, name: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
    let sides = truth.problem.boundary.values().flat_map(|text| match text {
        BoundaryText::All(text) => vec![text],
        BoundaryText::Sides(sides) => sides.values().collect(),
    });
    let names = || problem.numbers.iter().map(|(parameter, _, _)| &truth.system.parameters[*parameter].name);
    if let Some(name) = sides.into_iter().find_map(|text| names().find(|name| is_word(text, name))) {
        let message = format!(
            "{name} stands in a condition at a side, where nothing can be learnt of it. Look for a number of the equations."
        );
        return Err(EddyError::start(message).at("sought"));
    }
    if has_time || (!is_nonlinear && problem.conditions.is_none()) {
        let reference = Reference::new(truth, problem.candidate)?;
        if !has_time && !problem.numbers.is_empty() && reference.sizes.iter().all(|size| *size == 0.0) {
            let message = "Zero solves these equations, whatever the number is. Give a condition that keeps the solution from \
                           zero, such as integral(u^2) = 1: then the number is an eigenvalue.";
            return Err(EddyError::start(message).at("integrals"));
        }
        if !has_time && problem.candidate.inputs > 0 && free.is_empty() {
            problem.numbers.clear();
            // Where a side gives the value there is a solution, but for resonances.
            if problem.has_free_level() && !problem.is_possible() {
                let message = "No solution fulfils these equations with these conditions at the sides: between sides that fix the \
                               slope alone, or around a ring, what flows out must be what the sources bring.";
                return Err(EddyError::start(message).at("boundary"));
            }
            if let Some(error) = reference.error.filter(|error| *error > UNSETTLED) {
                let message = format!(
                    "Nothing was found that the network could be compared with: on half of the points along each axis the \
                     solution is {error:.1e} away. Take more points, or coefficients at which the equations have a single \
                     solution."
                );
                return Err(EddyError::start(message).at("equations"));
            }
        }
        return Ok((reference, Vec::new(), Vec::new()));
    }
    if !free.is_empty() {
        let message = "A field is found from measurements of a linear problem without conditions on integrals. Look for a \
                       number, or take the conditions away.";
        return Err(EddyError::start(message).at("sought"));
    }
    let is_eigen = problem.conditions.is_some() && problem.is_homogeneous();
    if !is_eigen && is_measured {
        // The equations give what is to be found from measurements.
        problem.numbers.clear();
    }
    let (reference, solution) = Reference::steady(&problem, is_eigen)?;
    Ok((reference, solution.space, solution.numbers))
}

/// The lines `name = first guess` of a text.
pub fn guesses(text: &str) -> Result<Vec<(String, f64)>, EddyError> {
    let texts = Texts { parameters: text.to_owned(), ..Texts::default() };
    let lines = texts.parameter_values().map_err(|e| e.refusal().at("sought"))?;
    lines
        .into_iter()
        .map(|(name, number)| match number {
            eddy_solve::problem::Number::Value(value) => Ok((name, value)),
            eddy_solve::problem::Number::Text(text) => match Expression::constant(&text) {
                Ok(value) => Ok((name, value)),
                Err(_) => {
                    let message =
                        format!("The first guess of {name} is no number: {text}. Write for example {name} = 0.1.");
                    Err(EddyError::start(message).at("sought"))
                }
            },
        })
        .collect()
}
