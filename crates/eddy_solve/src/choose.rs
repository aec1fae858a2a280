//! Which method serves a system, and why.

use eddy_expr::Role;
use eddy_numerics::time::{controller::Tolerance, etdrk::EtdrkOrder, runge_kutta::TABLEAUX};
use serde::Serialize;

use crate::{
    difference::Difference,
    discrete::Discrete,
    error::SolveError,
    evaluate::Scalar,
    march::{AdaptiveExplicit, Etd, FixedExplicit, Linear, March, SpectralMaruyama, Steps},
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
        "fourier" => Err(SolveError::value(
            "method.space",
            "the Fourier method needs periodic sides; use fd2, fd4, fd6, fd8 or chebyshev, or make all sides periodic",
        )),
        "auto" => difference(statement, if statement.grid.axes.iter().all(|axis| axis.points >= 20) { 6 } else { 4 }),
        "fd2" => difference(statement, 2),
        "fd4" => difference(statement, 4),
        "fd6" => difference(statement, 6),
        "fd8" => difference(statement, 8),
        _ => Err(SolveError::value("method.space", format!("there is no space method `{space}`"))),
    }
}

fn difference<R: Scalar>(statement: &Statement, accuracy: u8) -> Result<Chosen<R>, SolveError> {
    let difference = Difference::<R>::new(statement, accuracy)?;
    let mut choice = Choice { warnings: difference.warnings.clone(), ..Choice::default() };
    if statement.grid.dimension() == 0 {
        choice.space = "none".into();
    } else {
        choice.space = format!("fd{accuracy}");
        choice.reasons.push(format!("Differences of order {accuracy} take walls of every kind."));
    }
    let has_noise = !difference.noise_terms.is_empty();
    let size = difference.size();
    let mut discrete = Discrete::Difference(Box::new(difference));
    let time = statement.problem.method.time.trim().to_ascii_lowercase();
    let name = if time == "auto" { "dop853".to_string() } else { time };
    let march = march(statement, &mut discrete, &name, size, has_noise, &mut choice)?;
    Ok((discrete, march, choice))
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
    let spectral = Spectral::<R>::new(statement, dealias)?;
    let mut choice = Choice { space: "fourier".into(), ..Choice::default() };
    choice.reasons.push("All sides are periodic: Fourier series converge faster than any power of the spacing.".into());
    choice.reasons.push(match (spectral.dealias, spectral.degree) {
        (Dealias::None, _) => "No wavenumbers are cut off.".into(),
        (Dealias::Pad, degree) => {
            format!("Products ({}) are worked out on a finer grid, so that nothing folds back.", degree_name(degree))
        }
        (Dealias::Truncate, degree) => format!(
            "Products ({}) are kept from folding back by giving up the wavenumbers above {} of {}.",
            degree_name(degree),
            spectral.modes.highest[0],
            statement.grid.axes[0].points / 2
        ),
    });
    let facts = SpectralFacts {
        is_linear: spectral.is_linear(),
        has_noise: !spectral.noise_terms.is_empty(),
        linear_order: spectral.symbol.order,
        nonlinear_order: spectral.nonlinear_order(),
        has_pair: statement.system.variables.iter().any(|v| matches!(v.role, Role::Velocity { .. })),
    };
    let size = spectral.size();
    let mut discrete = Discrete::Spectral(Box::new(spectral));
    let time = method.time.trim().to_ascii_lowercase();
    let name = if time == "auto" { facts.choose(&mut choice).to_string() } else { time };
    let march = march(statement, &mut discrete, &name, 2 * size, facts.has_noise, &mut choice)?;
    Ok((discrete, march, choice))
}

/// What the choice in time depends on.
struct SpectralFacts {
    is_linear: bool,
    has_noise: bool,
    linear_order: u32,
    nonlinear_order: u32,
    has_pair: bool,
}

impl SpectralFacts {
    fn choose(&self, choice: &mut Choice) -> &'static str {
        let (name, reason) = if self.has_noise {
            ("exponential-euler", "There is noise: an exponential Euler-Maruyama step treats the linear part exactly.")
        } else if self.is_linear {
            ("etdrk4", "The system is linear with constant coefficients: its exponential is exact at any step length.")
        } else if self.nonlinear_order > self.linear_order
            || (self.nonlinear_order == self.linear_order && self.linear_order >= 2)
        {
            match self.nonlinear_order {
                0 | 1 => {
                    ("dop853", "Nothing is stiff: an explicit method of order 8 with error control is the cheapest.")
                }
                _ => (
                    "rkc",
                    "The stiff part is not linear with constant coefficients: a stabilized explicit method takes it.",
                ),
            }
        } else if self.linear_order >= 2 || self.has_pair {
            ("etdrk4", "The linear part is stiff and diagonal in Fourier space: exponential steps take it exactly.")
        } else {
            ("dop853", "Nothing is stiff: an explicit method of order 8 with error control is the cheapest.")
        };
        choice.reasons.push(reason.into());
        name
    }
}

fn degree_name(degree: Option<u32>) -> String {
    match degree {
        Some(degree) => format!("of degree {degree}"),
        None => "no polynomial".into(),
    }
}

/// The method of a name, with its step length or tolerance.
fn march<R: Scalar>(
    statement: &Statement,
    discrete: &mut Discrete<R>,
    name: &str,
    size: usize,
    has_noise: bool,
    choice: &mut Choice,
) -> Result<Box<dyn March<R>>, SolveError> {
    let floor: f64 = if R::EPSILON > 1e-10 { 1e-5 } else { 1e-8 };
    let tolerance = statement.tolerance.unwrap_or(floor).max(50.0 * R::EPSILON);
    let interval = statement.end - statement.start;
    choice.time = name.to_string();
    choice.fixed_dt = statement.dt;
    choice.tolerance = statement.dt.is_none().then_some(tolerance);
    let scaled = Tolerance { relative: tolerance, absolute: 1e-3 * tolerance };
    let is_stochastic = matches!(name, "exponential-euler" | "euler-maruyama" | "milstein");
    if has_noise && !is_stochastic {
        return Err(SolveError::value(
            "method.time",
            format!("`{name}` does not take noise; choose exponential-euler, euler-maruyama or milstein"),
        ));
    }
    Ok(match name {
        "etdrk4" | "etdrk2" => {
            let Discrete::Spectral(spectral) = discrete else {
                return Err(SolveError::value("method.time", "exponential methods need space = \"fourier\""));
            };
            let order = if name == "etdrk2" { EtdrkOrder::Two } else { EtdrkOrder::Four };
            let steps = match statement.dt {
                Some(dt) => Steps::Fixed(dt),
                None => Steps::Adaptive { tolerance },
            };
            Box::new(Etd::new(order, steps, spectral.size()))
        }
        "exponential-euler" | "euler-maruyama" => {
            let dt = match statement.dt {
                Some(dt) => dt,
                None => {
                    let dt = interval / 1000.0;
                    choice.warnings.push(format!(
                        "The step dt = {dt:.3e} is a thousandth of the run; with noise there is no error control, so halve it to check."
                    ));
                    choice.fixed_dt = Some(dt);
                    choice.tolerance = None;
                    dt
                }
            };
            let linear = if name == "exponential-euler" { Linear::Exponential } else { Linear::Explicit };
            Box::new(SpectralMaruyama::new(linear, dt, statement.problem.method.seed, size / 2))
        }
        _ => {
            let Some(tableau) = TABLEAUX.iter().find(|tableau| tableau.name == name) else {
                return Err(SolveError::value("method.time", format!("there is no time method `{name}`")));
            };
            match statement.dt {
                None if tableau.error_order > 0 => Box::new(AdaptiveExplicit::new(tableau, size, scaled, interval)),
                Some(dt) => Box::new(FixedExplicit::new(tableau, size, dt)),
                None => return Err(SolveError::value("time.dt", format!("`{name}` needs a step length"))),
            }
        }
    })
}
