//! The statement of a problem: equations, domain, boundary, initial state, times, method. Text in, checked values out.

use std::collections::BTreeMap;

use eddy_expr::{Expression, Names};
use serde::{Deserialize, Serialize};

use crate::error::SolveError;

/// A number, or an expression of numbers such as `2*pi`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    Value(f64),
    Text(String),
}

impl Number {
    pub fn get(&self, place: &str) -> Result<f64, SolveError> {
        self.get_with(place, &Names::new(0), &[])
    }

    /// The value where the text may name parameters.
    pub fn get_with(&self, place: &str, names: &Names, parameters: &[f64]) -> Result<f64, SolveError> {
        let value = match self {
            Self::Value(value) => *value,
            Self::Text(text) => Expression::number(text, names, parameters).map_err(|diagnostics| {
                SolveError::Text { place: crate::error::Place::Key(place.into()), text: text.clone(), diagnostics }
            })?,
        };
        if value.is_finite() { Ok(value) } else { Err(SolveError::value(place, "this is not a finite number")) }
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Value(value)
    }
}

/// One axis of the domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisText {
    #[serde(default = "zero")]
    pub min: Number,
    pub max: Number,
    /// Points. On a periodic axis the end point is left out, as it is the first one again.
    pub points: u32,
}

fn zero() -> Number {
    Number::Value(0.0)
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<AxisText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<AxisText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<AxisText>,
}

/// Conditions of a field: one text for all sides, or by axis and side (`x`, `x_min`, `x_max`, `y`, …).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "AnyBoundary")]
pub enum BoundaryText {
    All(String),
    Sides(BTreeMap<String, String>),
}

/// What may stand there, to be told apart with a message of its own.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyBoundary {
    All(String),
    Sides(BTreeMap<String, String>),
    Number(f64),
    Mixed(BTreeMap<String, Number>),
    Other(serde::de::IgnoredAny),
}

impl TryFrom<AnyBoundary> for BoundaryText {
    type Error = String;

    fn try_from(any: AnyBoundary) -> Result<Self, String> {
        let plain = |number: f64| {
            format!(
                "a number alone is no condition: write \"dirichlet: {number}\" for a value, \"neumann: {number}\" for a slope"
            )
        };
        match any {
            AnyBoundary::All(text) => Ok(Self::All(text)),
            AnyBoundary::Sides(sides) => Ok(Self::Sides(sides)),
            AnyBoundary::Number(number) => Err(plain(number)),
            AnyBoundary::Mixed(sides) => Err(sides
                .values()
                .find_map(|side| match side {
                    Number::Value(number) => Some(plain(*number)),
                    Number::Text(_) => None,
                })
                .unwrap_or_default()),
            AnyBoundary::Other(_) => {
                Err("a condition is a text such as \"dirichlet: 0\", or a table of them by side: { x_min = \"dirichlet: 0\", … }".into())
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeText {
    #[serde(default = "zero")]
    pub start: Number,
    /// May be left out where nothing changes in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Number>,
    /// Distance of the saved states; one hundredth of the whole where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub save_every: Option<Number>,
    /// Fixed step length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dt: Option<Number>,
    /// Relative error a step may make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Number>,
    /// Most steps before the run gives up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
}

impl Default for TimeText {
    fn default() -> Self {
        Self { start: zero(), end: None, save_every: None, dt: None, tolerance: None, max_steps: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MethodText {
    pub space: String,
    pub time: String,
    pub precision: String,
    pub seed: u32,
    /// `auto`, `pad`, `truncate` or `none`.
    pub dealias: String,
}

impl Default for MethodText {
    fn default() -> Self {
        Self { space: "auto".into(), time: "auto".into(), precision: "f64".into(), seed: 1, dealias: "auto".into() }
    }
}

/// A problem as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    pub equations: String,
    #[serde(default)]
    pub domain: DomainText,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub boundary: BTreeMap<String, BoundaryText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub initial: BTreeMap<String, Number>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Number>,
    #[serde(default)]
    pub time: TimeText,
    #[serde(default)]
    pub method: MethodText,
    /// Exact solution by field, where one is known: the run is compared with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exact: BTreeMap<String, String>,
    /// What the page shows; the solver ignores it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<toml::Table>,
    /// See [`eddy_expr::Options::fields`].
    #[serde(skip)]
    pub fields: Vec<String>,
    /// See [`eddy_expr::Options::is_nonlinear`]; for those who do not hand the statement to a solver.
    #[serde(skip)]
    pub is_nonlinear: bool,
}

impl Problem {
    /// Reads a problem file (TOML).
    pub fn parse(text: &str) -> Result<Self, SolveError> {
        toml::from_str(text).map_err(|error| SolveError::File(error.to_string()))
    }

    /// The problem file that [`Problem::parse`] reads back to the same problem.
    pub fn to_toml(&self) -> Result<String, SolveError> {
        toml::to_string_pretty(self).map_err(|error| SolveError::File(error.to_string()))
    }

    /// The same problem with the numbers of its domain and times worked out.
    pub fn with_numbers(&self, names: &Names, parameters: &[f64]) -> Result<Self, SolveError> {
        let mut all = self.clone();
        let work_out = |number: &mut Number, place: &str| -> Result<(), SolveError> {
            *number = Number::Value(number.get_with(place, names, parameters)?);
            Ok(())
        };
        for (name, axis) in [("x", &mut all.domain.x), ("y", &mut all.domain.y), ("z", &mut all.domain.z)] {
            if let Some(axis) = axis {
                work_out(&mut axis.min, &format!("domain.{name}.min"))?;
                work_out(&mut axis.max, &format!("domain.{name}.max"))?;
            }
        }
        work_out(&mut all.time.start, "time.start")?;
        let time = &mut all.time;
        for (name, number) in [
            ("end", &mut time.end),
            ("save_every", &mut time.save_every),
            ("dt", &mut time.dt),
            ("tolerance", &mut time.tolerance),
        ] {
            if let Some(number) = number {
                work_out(number, &format!("time.{name}"))?;
            }
        }
        Ok(all)
    }

    /// The values of the parameters, which may name one another.
    pub fn parameter_values(&self) -> Result<Vec<(String, f64)>, SolveError> {
        let mut known: Vec<(String, f64)> = Vec::new();
        loop {
            let names = Names::new(0).with_parameters(known.iter().map(|(name, _)| name.clone()));
            let values: Vec<f64> = known.iter().map(|(_, value)| *value).collect();
            let mut failure = None;
            let before = known.len();
            for (name, number) in &self.parameters {
                if known.iter().any(|(other, _)| other == name) {
                    continue;
                }
                match number.get_with(&format!("parameters.{name}"), &names, &values) {
                    Ok(value) => known.push((name.clone(), value)),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            match failure {
                None => return Ok(known),
                Some(error) if known.len() == before => return Err(error),
                Some(_) => {}
            }
        }
    }

    pub fn axes(&self) -> Result<Vec<(&'static str, &AxisText)>, SolveError> {
        let all = [("x", &self.domain.x), ("y", &self.domain.y), ("z", &self.domain.z)];
        let mut axes = Vec::new();
        for (index, (name, axis)) in all.iter().enumerate() {
            if let Some(axis) = axis {
                if axes.len() != index {
                    let missing = all[axes.len()].0;
                    return Err(SolveError::value(
                        format!("domain.{name}"),
                        format!("the domain has {name} but not {missing}; axes are used in the order x, y, z"),
                    ));
                }
                axes.push((*name, axis));
            }
        }
        Ok(axes)
    }
}
