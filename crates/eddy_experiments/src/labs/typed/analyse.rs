//! What an editor shows of a form as one types: errors at their characters, fields, parameters, formulas, the method chosen.

use eddy_expr::{Options, Role, System, builtins};
use eddy_solve::{Problem, Simulation, SolveError, Statement};
use serde_json::{Value, json};

use super::{
    gpu::Scheme,
    texts::{FormError, Texts},
};

/// More points than this are not discretized only to name the method: it would hold up typing.
const QUICK: usize = 1 << 17;

/// Checks the form without running it, as JSON:
///
/// - `texts`: every text with the preset's in the place of empty ones; `about`: what the preset says of itself;
/// - `errors`: `[{key, start, end, message, hint, replacement}]`, characters counted as a browser counts;
/// - `dimension`, `fields`: `[{name, complex, painted}]`, `parameters`: `[{name, value, range, unit}]`, `latex`: lines;
/// - `method`: `{space, time, reasons, dt, tolerance, limits: [{process, rate, dt}], warnings, gpu}`, once all is right;
///   `gpu` is `{space, time, text}`: what runs there, null where nothing does, and a sentence that says so or why not;
///   `numpy` is `{script, text}`: a Python script of the same problem, or null and why there is none;
/// - `toml`: the problem file for `eddy solve`; `completions`: `[{label, detail, kind}]`.
pub fn analyse(texts: &Texts) -> Value {
    let about = texts.about();
    let filled = match texts.filled() {
        Ok(filled) => filled,
        Err(error) => return json!({ "texts": texts, "about": about, "errors": [error] }),
    };
    let mut errors: Vec<FormError> = Vec::new();
    let problem = filled.problem(false).map_err(|error| errors.push(error)).ok();
    let statement = problem
        .clone()
        .and_then(|problem| Statement::new(problem).map_err(|error| errors.extend(filled.place(&error))).ok());
    // Errors in other texts leave the equations what they are.
    let system = match &statement {
        Some(statement) => Some(statement.system.clone()),
        None => lone_system(&filled, problem.as_ref(), &mut errors),
    };
    let method = statement.as_ref().and_then(|statement| match method(statement) {
        Ok(method) => Some(method),
        Err(error) => {
            errors.extend(filled.place(&error));
            None
        }
    });
    let toml = problem.as_ref().and_then(|problem| problem.to_toml().ok());
    json!({
        "texts": filled,
        "network_end": super::network::network_end(&texts.preset),
        "about": about,
        "errors": errors,
        "dimension": statement.as_ref().map(|s| s.grid.dimension()),
        "periodic": statement.as_ref().is_some_and(|s| s.grid.is_periodic()),
        "hasExact": statement.as_ref().is_some_and(|s| !s.exact.is_empty()),
        "hasNoise": system.as_ref().is_some_and(|s| s.noise_channels > 0),
        "fields": system.as_ref().map(fields),
        "parameters": system.as_ref().map(parameters),
        "latex": system.as_ref().map(System::latex),
        "method": method,
        "toml": toml,
        "completions": completions(system.as_ref()),
    })
}

/// The equations by themselves, where another text keeps the whole from being read.
fn lone_system(texts: &Texts, problem: Option<&Problem>, errors: &mut Vec<FormError>) -> Option<System> {
    let dimension = [&texts.x, &texts.y, &texts.z].iter().filter(|t| !t.trim().is_empty()).count() as u8;
    let given = problem.map(|p| &p.parameters).into_iter().flatten();
    let parameters = given.filter_map(|(name, value)| Some((name.clone(), value.get("parameters").ok()?))).collect();
    let options = Options { dimension: Some(dimension), parameters, ..Options::default() };
    match System::parse(&texts.equations, &options) {
        Ok(system) => Some(system),
        Err(diagnostics) => {
            if errors.iter().all(|error| error.key != "equations") {
                errors.extend(texts.place(&SolveError::Text {
                    place: eddy_solve::Place::Equations,
                    text: texts.equations.clone(),
                    diagnostics,
                }));
            }
            None
        }
    }
}

fn fields(system: &System) -> Value {
    let stepped: Vec<u16> = system.stepped().collect();
    system
        .variables
        .iter()
        .enumerate()
        .map(|(index, variable)| {
            json!({
                "name": variable.name,
                "complex": variable.is_complex,
                "stepped": stepped.contains(&(index as u16)),
                "velocity": matches!(variable.role, Role::Velocity { .. }),
            })
        })
        .collect()
}

fn parameters(system: &System) -> Value {
    system
        .parameters
        .iter()
        .map(|parameter| json!({ "name": parameter.name, "value": parameter.value, "range": parameter.range, "unit": parameter.unit }))
        .collect()
}

fn method(statement: &Statement) -> Result<Value, SolveError> {
    if statement.grid.points() > QUICK {
        return Ok(json!({
            "space": "", "time": "", "limits": [], "tolerance": null, "dt": statement.dt, "warnings": statement.warnings,
            "gpu": on_gpu(statement),
            "numpy": { "script": null, "text": "A script is made for smaller grids." },
            "reasons": [format!("With {} points the method is chosen when the run starts.", statement.grid.points())],
        }));
    }
    let simulation = Simulation::<f64>::new(statement.clone())?;
    let choice = &simulation.choice;
    let numpy = match eddy_solve::listing::numpy(statement, &choice.limits) {
        Ok(script) => json!({ "script": script, "text": "" }),
        Err(error) => json!({ "script": null, "text": error.to_string() }),
    };
    Ok(json!({
        "space": choice.space,
        "time": simulation.method(),
        "reasons": choice.reasons,
        "dt": choice.fixed_dt,
        "tolerance": choice.tolerance,
        "limits": choice.limits.all.iter().filter(|limit| limit.rate > 0.0).map(|limit| json!({
            "process": limit.process.name(), "rate": limit.rate, "dt": limit.dt,
        })).collect::<Vec<_>>(),
        "warnings": simulation.warnings,
        "gpu": on_gpu(statement),
        "numpy": numpy,
    }))
}

/// The form of a VisualPDE link as JSON: `{texts, notes}`, `notes` saying what of the link the form does not hold.
pub fn import_link(link: &str) -> Result<Value, SolveError> {
    let import = eddy_solve::visualpde::import(link)?;
    Ok(json!({ "texts": Texts::of(&import.problem), "notes": import.notes }))
}

/// What the GPU would do with a statement.
fn on_gpu(statement: &Statement) -> Value {
    match Scheme::of(statement) {
        Ok(scheme) => {
            let (space, time) = (format!("fd{}", scheme.accuracy), scheme.method.name());
            let text = format!(
                "On the GPU {time} steps of one length are made with differences of order {}, in f32, without error control.",
                scheme.accuracy
            );
            json!({ "space": space, "time": time, "text": text })
        }
        Err(why) => json!({ "space": null, "time": null, "text": format!("Runs on the CPU only. {why}") }),
    }
}

fn completions(system: Option<&System>) -> Value {
    let mut all: Vec<Value> = builtins::FUNCTIONS
        .iter()
        .map(|(name, _, signature)| json!({ "label": name, "detail": signature, "kind": "function" }))
        .collect();
    all.extend(
        ["pi", "e", "i", "t", "x", "y", "z"].map(|name| json!({ "label": name, "detail": "", "kind": "constant" })),
    );
    if let Some(system) = system {
        all.extend(system.variables.iter().map(|v| json!({ "label": v.name, "detail": "field", "kind": "variable" })));
        all.extend(
            system
                .parameters
                .iter()
                .map(|p| json!({ "label": p.name, "detail": p.value.to_string(), "kind": "variable" })),
        );
    }
    Value::Array(all)
}

/// The presets as JSON `[{key, title, group, summary, look_for, question, view, field, colors}]`.
pub fn presets_json() -> Value {
    eddy_solve::presets::presets()
        .iter()
        .filter_map(|preset| {
            let about = Problem::parse(preset.text).ok()?.about?;
            let mut row = serde_json::to_value(about).ok()?;
            row.as_object_mut()?.insert("key".into(), preset.key.into());
            Some(row)
        })
        .collect()
}
