//! A problem as the texts of a form, and back.
//!
//! The form is short, as all of it goes into a link: an axis is `0 .. 2*pi, 128`, conditions and initial values are lines
//! `u = …`, parameters are `F = 0.037; k = 0.06`. The texts make the same [`Problem`] that a problem file makes.

use std::collections::BTreeMap;

use eddy_solve::{
    Problem, SolveError, Statement,
    problem::{AxisText, BoundaryText, DomainText, MethodText, Number, TimeText},
};
use eddy_spec::EddyError;
use serde::{Deserialize, Serialize};

/// The texts of the form. Each key is that of a parameter of the lab.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Texts {
    /// Key of the preset that stands in for empty texts while `equations` is empty.
    pub preset: String,
    /// Lines such as `u_t = D*lap(u)`.
    pub equations: String,
    /// `min .. max, points`; `max` alone starts at 0. Without x there is no space.
    pub x: String,
    pub y: String,
    pub z: String,
    /// Lines `u = dirichlet: 0`, `u.x_min = neumann: 1`, or one condition for all; periodic where empty.
    pub boundary: String,
    /// Lines `u = sin(x)`.
    pub initial: String,
    /// `F = 0.037; k = 0.06`: values that replace those in the equations.
    pub parameters: String,
    /// Lines `u = exp(-t)*sin(x)`: the run is compared with them.
    pub exact: String,
    /// `end` or `start .. end`.
    pub end: String,
    /// Distance of the saved states; one hundredth of the whole where empty.
    pub every: String,
    /// Fixed step length; chosen where empty.
    pub dt: String,
    /// Relative error a step may make; chosen where empty.
    pub tolerance: String,
    pub space: String,
    pub time: String,
    pub dealias: String,
    pub seed: u32,
    /// Conditions on integrals, lines `integral(u^2) = 1`; of networks only.
    pub integrals: String,
    /// Coefficients to be found with their first guesses; of networks only.
    pub sought: String,
    /// Whether steady lines may be other than linear; no text of the form.
    #[serde(skip)]
    pub is_nonlinear: bool,
    /// Definitions that are fields whatever they read ([`eddy_expr::Options::fields`]); no text of the form.
    #[serde(skip)]
    pub fields: Vec<String>,
}

/// What is wrong with the form: which text, which characters of it, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FormError {
    /// Key of the text.
    pub key: String,
    /// Characters of that text in UTF-16 code units, as a browser counts. The whole text where only that is known.
    pub start: usize,
    pub end: usize,
    pub message: String,
    pub hint: String,
    /// Text that would repair these characters.
    pub replacement: Option<String>,
}

/// One `name = value` of a text: where the value starts, in characters of the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    pub name: String,
    pub value: String,
    pub start: usize,
}

/// Points along an axis where the text gives none, by dimension.
const POINTS: [u32; 3] = [128, 96, 32];
const AXES: [&str; 3] = ["x", "y", "z"];

impl FormError {
    pub(super) fn whole(key: &str, text: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            start: 0,
            end: text.encode_utf16().count(),
            message: message.into(),
            hint: hint.into(),
            replacement: None,
        }
    }

    /// One sentence for where there is no editor.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.message, self.hint).trim().to_owned()
    }

    /// The same as an error of the parameter that holds the text.
    pub fn refusal(&self) -> EddyError {
        EddyError::start(self.sentence()).at(self.key.clone())
    }

    /// The same, repaired by the replacement within `text`, where there is one.
    pub fn refusal_in(&self, text: &str) -> EddyError {
        let units: Vec<u16> = text.encode_utf16().collect();
        let repaired = self.replacement.as_ref().filter(|_| self.start <= self.end && self.end <= units.len());
        let repaired = repaired.map(|replacement| {
            let [before, after] = [&units[..self.start], &units[self.end..]].map(String::from_utf16_lossy);
            [&before, replacement, &after].map(String::as_str).concat()
        });
        match repaired {
            Some(text) => self.refusal().repaired_by(self.key.clone(), text),
            None => self.refusal(),
        }
    }
}

impl Texts {
    /// The texts of a problem, each in full.
    pub fn of(problem: &Problem) -> Self {
        let axis = |axis: &Option<AxisText>| axis.as_ref().map_or(String::new(), axis_text);
        let start = match &problem.time.start {
            Number::Value(start) if *start == 0.0 => String::new(),
            start => format!("{} .. ", number_text(start)),
        };
        let optional = |number: &Option<Number>| number.as_ref().map_or(String::new(), number_text);
        let lines = |pairs: &mut dyn Iterator<Item = (String, String)>| {
            pairs.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>()
        };
        let numbers = |map: &BTreeMap<String, Number>| {
            lines(&mut map.iter().map(|(name, value)| (name.clone(), number_text(value))))
        };
        let mut boundary = Vec::new();
        for (field, text) in &problem.boundary {
            match text {
                // A condition such as u_nn = 0 would read as one for a field u_nn.
                BoundaryText::All(text) if field == "all" && assignment(0, text).is_none() => {
                    boundary.push(text.clone())
                }
                BoundaryText::All(text) => boundary.push(format!("{field} = {text}")),
                BoundaryText::Sides(sides) => {
                    boundary.extend(sides.iter().map(|(side, text)| format!("{field}.{side} = {text}")));
                }
            }
        }
        Self {
            preset: String::new(),
            equations: problem.equations.trim().to_owned(),
            x: axis(&problem.domain.x),
            y: axis(&problem.domain.y),
            z: axis(&problem.domain.z),
            boundary: boundary.join("\n"),
            initial: numbers(&problem.initial).join("\n"),
            parameters: numbers(&problem.parameters).join("; "),
            exact: lines(&mut problem.exact.iter().map(|(name, value)| (name.clone(), value.clone()))).join("\n"),
            end: problem.time.end.as_ref().map_or_else(|| "0".into(), |end| format!("{start}{}", number_text(end))),
            every: optional(&problem.time.save_every),
            dt: optional(&problem.time.dt),
            tolerance: optional(&problem.time.tolerance),
            space: problem.method.space.clone(),
            time: problem.method.time.clone(),
            dealias: problem.method.dealias.clone(),
            seed: problem.method.seed,
            integrals: String::new(),
            sought: String::new(),
            is_nonlinear: false,
            fields: problem.fields.clone(),
        }
    }

    /// These texts with those of the preset where they are empty. With equations of their own they stand alone.
    pub fn filled(&self) -> Result<Self, FormError> {
        if !self.equations.trim().is_empty() {
            return Ok(self.clone());
        }
        let base = match super::network::network_preset(self.preset.trim()) {
            Some(texts) => texts,
            None => Self::of(&self.preset_problem()?),
        };
        let or = |own: &String, preset: String| if own.trim().is_empty() { preset } else { own.clone() };
        let auto = |own: &String, preset: String| if matches!(own.trim(), "" | "auto") { preset } else { own.clone() };
        Ok(Self {
            preset: self.preset.clone(),
            equations: base.equations,
            x: or(&self.x, base.x),
            y: or(&self.y, base.y),
            z: or(&self.z, base.z),
            boundary: or(&self.boundary, base.boundary),
            initial: merged(&self.initial, &base.initial, "\n"),
            parameters: merged(&self.parameters, &base.parameters, "; "),
            exact: or(&self.exact, base.exact),
            end: or(&self.end, base.end),
            every: or(&self.every, base.every),
            dt: or(&self.dt, base.dt),
            tolerance: or(&self.tolerance, base.tolerance),
            space: auto(&self.space, base.space),
            time: auto(&self.time, base.time),
            dealias: auto(&self.dealias, base.dealias),
            seed: self.seed,
            integrals: or(&self.integrals, base.integrals),
            sought: or(&self.sought, base.sought),
            is_nonlinear: self.is_nonlinear,
            fields: self.fields.clone(),
        })
    }

    fn preset_problem(&self) -> Result<Problem, FormError> {
        let refuse = |message: String| {
            let hint = "Choose another preset, or type equations such as u_t = 0.1*lap(u).";
            FormError::whole("preset", &self.preset, message, hint)
        };
        let Some(preset) = eddy_solve::presets::preset(self.preset.trim()) else {
            return Err(refuse(format!("There is no preset “{}”.", self.preset.trim())));
        };
        Problem::parse(preset.text).map_err(|error| refuse(error.to_string()))
    }

    /// What the preset's file says about itself.
    pub fn about(&self) -> serde_json::Value {
        self.preset_problem().ok().and_then(|p| serde_json::to_value(p.about).ok()).unwrap_or_default()
    }

    /// The problem that these texts (with all of them filled) state. `is_single` asks for 32-bit numbers.
    pub fn problem(&self, is_single: bool) -> Result<Problem, FormError> {
        let dimension = [&self.x, &self.y, &self.z].into_iter().filter(|text| !is_none(text)).count();
        let axis = |index: usize, text: &str| parse_axis(AXES[index], text, POINTS[dimension.clamp(1, 3) - 1]);
        let domain = DomainText { x: axis(0, &self.x)?, y: axis(1, &self.y)?, z: axis(2, &self.z)? };
        let mut boundary: BTreeMap<String, BoundaryText> = BTreeMap::new();
        for line in conditions(&self.boundary) {
            if line.value.trim() == "periodic" && line.name == "all" {
                continue;
            }
            let (field, side) = line.name.split_once('.').map_or((line.name.as_str(), None), |(f, s)| (f, Some(s)));
            match (boundary.get_mut(field), side) {
                (Some(BoundaryText::Sides(sides)), Some(side)) if !sides.contains_key(side) => {
                    sides.insert(side.to_owned(), line.value);
                }
                (Some(_), _) => {
                    let message = format!("There are two conditions for {field}.");
                    let hint = "Give one line for all its sides, or one for each side (x_min, x_max, …); two conditions at one side \
                                share its line: u = dirichlet: 0; neumann: 0.";
                    return Err(FormError::whole("boundary", &self.boundary, message, hint));
                }
                (None, None) => {
                    boundary.insert(field.to_owned(), BoundaryText::All(line.value));
                }
                (None, Some(side)) => {
                    let mut sides = BTreeMap::new();
                    sides.insert(side.to_owned(), line.value);
                    boundary.insert(field.to_owned(), BoundaryText::Sides(sides));
                }
            }
        }
        let initial = assignments("initial", &self.initial)?;
        let exact = assignments("exact", &self.exact)?;
        // Extended rather than collected: a collected map sorts first, which is 7 kB of code for each kind of values.
        let (mut initial_values, mut parameters, mut exact_values) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        initial_values.extend(initial.into_iter().map(|line| (line.name, number_of(&line.value))));
        parameters.extend(self.parameter_values()?);
        exact_values.extend(exact.into_iter().map(|line| (line.name, line.value)));
        let number = |text: &str| match text.trim() {
            "" | "auto" => None,
            text => Some(number_of(text)),
        };
        let (start, end) = match self.end.split_once("..") {
            Some((start, end)) => (start, end),
            None => ("0", self.end.as_str()),
        };
        let or_auto = |text: &str| if text.trim().is_empty() { "auto".to_owned() } else { text.trim().to_owned() };
        Ok(Problem {
            equations: self.equations.clone(),
            domain,
            boundary,
            initial: initial_values,
            parameters,
            time: TimeText {
                start: number(start).unwrap_or(Number::Value(0.0)),
                // Without a time there is no need of an end.
                end: number(end),
                save_every: number(&self.every),
                dt: number(&self.dt),
                tolerance: number(&self.tolerance),
                max_steps: None,
            },
            method: MethodText {
                space: or_auto(&self.space),
                time: or_auto(&self.time),
                precision: if is_single { "f32" } else { "f64" }.into(),
                seed: self.seed,
                dealias: or_auto(&self.dealias),
            },
            exact: exact_values,
            about: None,
            fields: self.fields.clone(),
            is_nonlinear: false,
        })
    }

    /// These texts with all of them filled, and what they state. An error is that of the parameter that holds the text.
    pub fn statement(&self, is_single: bool) -> Result<(Self, Statement), EddyError> {
        let filled = self.filled().map_err(|e| e.refusal())?;
        let problem = filled.problem(is_single).map_err(|e| e.refusal())?;
        let statement = match Statement::new(problem.clone()) {
            Err(SolveError::Text { .. }) if filled.is_nonlinear => {
                Statement::new(Problem { is_nonlinear: true, ..problem })
            }
            read => read,
        };
        let statement = statement.map_err(|e| filled.refusal(&e))?;
        Ok((filled, statement))
    }

    /// An error of the solver as that of the parameter that holds the text.
    pub fn refusal(&self, error: &SolveError) -> EddyError {
        let first = self.place(error).into_iter().next();
        first.map_or_else(|| EddyError::start(error.to_string()), |one| one.refusal_in(self.get(&one.key)))
    }

    /// The values of the text `parameters`.
    pub fn parameter_values(&self) -> Result<Vec<(String, Number)>, FormError> {
        Ok(assignments("parameters", &self.parameters)?
            .into_iter()
            .map(|line| (line.name, number_of(&line.value)))
            .collect())
    }

    /// The text of a key.
    pub fn get(&self, key: &str) -> &str {
        match key {
            "preset" => &self.preset,
            "x" => &self.x,
            "y" => &self.y,
            "z" => &self.z,
            "boundary" => &self.boundary,
            "initial" => &self.initial,
            "parameters" => &self.parameters,
            "exact" => &self.exact,
            "end" => &self.end,
            "every" => &self.every,
            "dt" => &self.dt,
            "tolerance" => &self.tolerance,
            "space" => &self.space,
            "time" => &self.time,
            "dealias" => &self.dealias,
            "integrals" => &self.integrals,
            "sought" => &self.sought,
            _ => &self.equations,
        }
    }

    /// Where in the form an error of the solver belongs.
    pub fn place(&self, error: &SolveError) -> Vec<FormError> {
        match error {
            SolveError::Text { place, diagnostics, .. } => {
                let place = place.to_string();
                let (key, offset) = self.find(&place);
                let text: Vec<char> = self.get(key).chars().collect();
                let units =
                    |until: usize| text.iter().take(until).map(|character| character.len_utf16()).sum::<usize>();
                diagnostics
                    .iter()
                    .map(|diagnostic| FormError {
                        key: key.to_owned(),
                        start: units(offset + diagnostic.span.start),
                        end: units(offset + diagnostic.span.end),
                        message: diagnostic.message.clone(),
                        hint: diagnostic.hint.clone(),
                        replacement: diagnostic.replacement.clone(),
                    })
                    .collect()
            }
            SolveError::Value { place, message } => {
                let (key, _) = self.find(&place.to_string());
                let whole = FormError::whole(key, self.get(key), format!("{place}: {message}."), "");
                // Some end is better than none.
                let replacement = (key == "end" && is_none(self.get(key))).then(|| "1".to_owned());
                vec![FormError { replacement, ..whole }]
            }
            other => vec![FormError::whole("equations", &self.equations, other.to_string(), "")],
        }
    }

    /// The text that holds a key of a problem, such as `initial.u`, and where its value starts there (in characters).
    fn find(&self, place: &str) -> (&'static str, usize) {
        let (table, rest) = place.split_once('.').unwrap_or((place, ""));
        let offset = |lines: &[Assignment], name: &str| lines.iter().find(|l| l.name == name).map_or(0, |l| l.start);
        match (table, rest.split('.').next().unwrap_or_default()) {
            ("domain", "y") => ("y", 0),
            ("domain", "z") => ("z", 0),
            ("domain", _) => ("x", 0),
            ("boundary", field) => {
                let lines = conditions(&self.boundary);
                let exact = lines.iter().find(|l| l.name == rest).or_else(|| lines.iter().find(|l| l.name == field));
                ("boundary", exact.map_or_else(|| offset(&lines, "all"), |line| line.start))
            }
            ("initial", name) => ("initial", offset(&split_lines(&self.initial), name)),
            ("exact", name) => ("exact", offset(&split_lines(&self.exact), name)),
            ("parameters", name) => ("parameters", offset(&split_lines(&self.parameters), name)),
            ("time", "save_every") => ("every", 0),
            ("time", "dt") => ("dt", 0),
            ("time", "tolerance") => ("tolerance", 0),
            ("time", _) => ("end", 0),
            ("method", "space") => ("space", 0),
            ("method", "dealias") => ("dealias", 0),
            ("method", _) => ("time", 0),
            _ => ("equations", 0),
        }
    }
}

fn is_none(text: &str) -> bool {
    matches!(text.trim(), "" | "none" | "-")
}

/// A number where the text is one, else the expression.
fn number_of(text: &str) -> Number {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            Number::Value(value)
        }
        _ => Number::Text(text.to_owned()),
    }
}

fn number_text(number: &Number) -> String {
    match number {
        Number::Text(text) => text.trim().to_owned(),
        Number::Value(value) => {
            let (plain, exponent) = (format!("{value}"), format!("{value:e}"));
            if exponent.len() + 2 < plain.len() { exponent } else { plain }
        }
    }
}

fn axis_text(axis: &AxisText) -> String {
    format!("{} .. {}, {}", number_text(&axis.min), number_text(&axis.max), axis.points)
}

/// `min .. max, points`, with 0 and the usual number of points for what is left out.
fn parse_axis(key: &'static str, text: &str, points: u32) -> Result<Option<AxisText>, FormError> {
    if is_none(text) {
        return Ok(None);
    }
    let refuse =
        |message: String| FormError::whole(key, text, message, "Write it as “0 .. 2*pi, 128”: from, to, points.");
    let (interval, count) = match text.rsplit_once(',') {
        Some((interval, count)) => (interval, Some(count.trim())),
        None => (text, None),
    };
    let points = match count {
        None | Some("") => points,
        Some(count) => count
            .parse()
            .map_err(|_| refuse(format!("The number of points along {key} is no whole number: “{count}”.")))?,
    };
    let (min, max) = match interval.split_once("..") {
        Some((min, max)) => (min.trim(), max.trim()),
        None => ("0", interval.trim()),
    };
    if min.is_empty() || max.is_empty() {
        return Err(refuse(format!("The {key} axis has no {}.", if min.is_empty() { "start" } else { "end" })));
    }
    Ok(Some(AxisText { min: number_of(min), max: number_of(max), points }))
}

/// Pieces between the separators, with their first character's position. What follows a number sign on its line is a remark.
pub(super) fn pieces(text: &str, is_separator: fn(char) -> bool) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut piece = String::new();
    let (mut start, mut is_remark) = (0, false);
    for (at, character) in text.chars().chain(['\n']).enumerate() {
        is_remark = character != '\n' && (is_remark || character == '#');
        if is_remark {
            continue;
        }
        if is_separator(character) {
            if !piece.trim().is_empty() {
                found.push((start, std::mem::take(&mut piece)));
            }
            piece.clear();
            start = at + 1;
        } else {
            piece.push(character);
        }
    }
    found
}

pub(super) fn line_or_semicolon(character: char) -> bool {
    matches!(character, '\n' | ';')
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || "_.'′".contains(c))
}

/// The `name = value` of a piece.
fn assignment(start: usize, piece: &str) -> Option<Assignment> {
    let (name, value) = piece.split_once('=')?;
    let trimmed = value.trim_start();
    let start = start + name.chars().count() + 1 + (value.chars().count() - trimmed.chars().count());
    let name = name.trim();
    is_name(name).then(|| Assignment { name: name.to_owned(), value: trimmed.trim_end().to_owned(), start })
}

/// What reads as assignments; the rest is left out.
fn split_lines(text: &str) -> Vec<Assignment> {
    pieces(text, line_or_semicolon).iter().filter_map(|(start, piece)| assignment(*start, piece)).collect()
}

/// Assignments of a text; a piece that is none is an error at its characters.
fn assignments(key: &'static str, text: &str) -> Result<Vec<Assignment>, FormError> {
    let mut found: Vec<Assignment> = Vec::new();
    for (start, piece) in pieces(text, line_or_semicolon) {
        let refuse = |message: String, hint: &str| {
            let units = |characters: usize| text.chars().take(characters).map(char::len_utf16).sum::<usize>();
            let indent = piece.chars().take_while(|c| c.is_whitespace()).count();
            FormError {
                key: key.to_owned(),
                start: units(start + indent),
                end: units(start + piece.trim_end().chars().count()),
                message,
                hint: hint.to_owned(),
                replacement: None,
            }
        };
        let Some(line) = assignment(start, &piece).filter(|line| !line.value.is_empty()) else {
            let hint = "Write a name, “=” and a value, such as u = sin(x).";
            return Err(refuse(format!("“{}” gives no value to a name.", piece.trim()), hint));
        };
        if found.iter().any(|other| other.name == line.name) {
            return Err(refuse(format!("{} is given twice.", line.name), "Keep one of the lines."));
        }
        found.push(line);
    }
    Ok(found)
}

/// Conditions, one a line: `field = …`, `field.side = …`, or one without a name, which is for all. A side may have two,
/// with a semicolon between.
fn conditions(text: &str) -> Vec<Assignment> {
    pieces(text, |character| character == '\n')
        .iter()
        .map(|(start, piece)| {
            assignment(*start, piece).unwrap_or_else(|| Assignment {
                name: "all".into(),
                value: piece.trim().to_owned(),
                start: start + piece.chars().take_while(|c| c.is_whitespace()).count(),
            })
        })
        .collect()
}

/// The assignments of `base` with those of `own` in place or added.
fn merged(own: &str, base: &str, separator: &str) -> String {
    if own.trim().is_empty() {
        return base.to_owned();
    }
    let own_lines = split_lines(own);
    let kept = split_lines(base).into_iter().filter(|line| !own_lines.iter().any(|own| own.name == line.name));
    let mut all: Vec<String> = kept.map(|line| format!("{} = {}", line.name, line.value)).collect();
    all.push(own.trim().to_owned());
    all.join(separator)
}
