//! Which method serves a system, and why.

use eddy_numerics::time::{
    controller::Tolerance,
    etdrk::EtdrkOrder,
    runge_kutta::{DOP853, TABLEAUX},
};
use serde::Serialize;

use crate::{
    discrete::Discrete,
    error::SolveError,
    evaluate::Scalar,
    march::{AdaptiveExplicit, Etd, FixedExplicit, March, Steps},
    spectral::{Dealias, Spectral},
    statement::Statement,
};

/// What was chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Choice {
    pub space: String,
    pub time: String,
    /// Why, in a sentence each.
    pub reasons: Vec<String>,
    pub tolerance: Option<f64>,
    pub fixed_dt: Option<f64>,
    pub warnings: Vec<String>,
}

type Chosen<R> = (Discrete<R>, Box<dyn March<R>>, Choice);

/// Discretizes a statement and picks its method in time.
pub fn choose<R: Scalar>(statement: &Statement) -> Result<Chosen<R>, SolveError> {
    let method = &statement.problem.method;
    let space = method.space.trim().to_ascii_lowercase();
    let is_periodic = statement.grid.is_periodic();
    match space.as_str() {
        "auto" | "fourier" if is_periodic && statement.grid.dimension() > 0 => spectral(statement),
        _ => Err(SolveError::value("method.space", format!("there is no space method `{space}`"))),
    }
}

fn spectral<R: Scalar>(statement: &Statement) -> Result<Chosen<R>, SolveError> {
    let method = &statement.problem.method;
    let dealias = match method.dealias.as_str() {
        "auto" => None,
        "pad" => Some(Dealias::Pad),
        "truncate" => Some(Dealias::Truncate),
        "none" => Some(Dealias::None),
        other => {
            return Err(SolveError::value(
                "method.dealias",
                format!("there is no `{other}`; choose auto, pad, truncate or none"),
            ));
        }
    };
    let mut spectral = Spectral::<R>::new(statement, dealias)?;
    let mut choice = Choice { space: "fourier".into(), ..Choice::default() };
    choice.reasons.push("All sides are periodic: Fourier series are exact for all resolved wavenumbers.".into());
    let size = spectral.size();
    let time = method.time.trim().to_ascii_lowercase();
    let floor = if R::EPSILON > 1e-10 { 1e-5 } else { 1e-8 };
    let tolerance = statement.tolerance.unwrap_or(floor);
    let _ = &mut spectral;
    let march: Box<dyn March<R>> = match time.as_str() {
        "auto" | "etdrk4" | "etdrk2" => {
            let order = if time == "etdrk2" { EtdrkOrder::Two } else { EtdrkOrder::Four };
            let steps = match statement.dt {
                Some(dt) => Steps::Fixed(dt),
                None => Steps::Adaptive { tolerance },
            };
            choice.time = if time == "auto" { "etdrk4".into() } else { time };
            Box::new(Etd::new(order, steps, size))
        }
        name => {
            let Some(tableau) = TABLEAUX.iter().find(|tableau| tableau.name == name) else {
                return Err(SolveError::value("method.time", format!("there is no time method `{name}`")));
            };
            choice.time = name.to_string();
            let longest = statement.end - statement.start;
            match statement.dt {
                None if tableau.error_order > 0 => Box::new(AdaptiveExplicit::new(
                    tableau,
                    2 * size,
                    Tolerance { relative: tolerance, absolute: 1e-3 * tolerance },
                    longest,
                )),
                Some(dt) => Box::new(FixedExplicit::new(tableau, 2 * size, dt)),
                None => Box::new(AdaptiveExplicit::new(
                    &DOP853,
                    2 * size,
                    Tolerance { relative: tolerance, absolute: 1e-3 * tolerance },
                    longest,
                )),
            }
        }
    };
    choice.fixed_dt = statement.dt;
    choice.tolerance = statement.dt.is_none().then_some(tolerance);
    Ok((Discrete::Spectral(Box::new(spectral)), march, choice))
}
