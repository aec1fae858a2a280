//! Links of VisualPDE (`…?options=…`) as problems.
//!
//! Such a link holds the options that differ from VisualPDE's default simulation, as JSON, packed by LZ-string into
//! characters that fit a link. Its system is, for up to four species s_i,
//! τ_i ∂s_i/∂t = Σ_j ∇·(D_ij ∇s_j) + f_i, or s_i = Σ_{j≠i} ∇·(D_ij ∇s_j) + f_i for its algebraic ones.
//!
//! What has no counterpart here and would change the solution (domains of other shapes, images, ghost nodes, values read at
//! other places) is refused by name; what only changes the view or the steps is noted.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    error::SolveError,
    problem::{AxisText, BoundaryText, DomainText, MethodText, Number, Problem, TimeText},
};

mod text;

use text::Translator;

/// A problem made from a link, and what of the link it does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    pub problem: Problem,
    pub notes: Vec<String>,
}

/// Short names of options in links, by the names that are read here. Letters U V W Q stand for species 1 to 4.
const SHORT: &[(&str, &str)] = &[
    ("boundaryConditions", "b"),
    ("comboStr", "cs"),
    ("dirichletStr", "d"),
    ("diffusionStr", "d"),
    ("initCond", "c"),
    ("neumannStr", "n"),
    ("reactionStr", "r"),
    ("robinStr", "ro"),
    ("autoPause", "ap"),
    ("autoPauseAt", "apa"),
    ("crossDiffusion", "cD"),
    ("dimension", "di"),
    ("domainIndicatorFun", "d"),
    ("domainScale", "ds"),
    ("domainViaIndicatorFun", "dv"),
    ("initialState", "iS"),
    ("kineticParams", "k"),
    ("numAlgebraicSpecies", "na"),
    ("numSpecies", "n"),
    ("numTimestepsPerFrame", "nT"),
    ("oneDimensional", "o"),
    ("preset", "p"),
    ("randSeed", "rs"),
    ("spatialStep", "sp"),
    ("speciesNames", "sn"),
    ("squareCanvas", "sq"),
    ("timesteppingScheme", "ts"),
];

/// Names of older links, before species were numbered.
const OLD: &[(&str, &str)] = &[("initCond", "clearValue")];

const LETTERS: [&str; 4] = ["U", "V", "W", "Q"];

/// The options of a link, with VisualPDE's defaults behind them.
struct Options(Map<String, Value>);

impl Options {
    /// Value of an option, `base` with the species it belongs to (counted from 0).
    fn raw(&self, base: &str, species: &[usize]) -> Option<&Value> {
        let numbers: String = species.iter().map(|index| format!("_{}", index + 1)).collect();
        let letters: String = species.iter().map(|index| LETTERS[*index]).collect();
        let short = SHORT.iter().find(|(name, _)| *name == base).map(|(_, short)| format!("{short}{letters}"));
        let old = OLD.iter().find(|(name, _)| *name == base).map_or(base, |(_, old)| old);
        [Some(format!("{base}{numbers}")), short, Some(format!("{old}{letters}"))]
            .into_iter()
            .flatten()
            .find_map(|key| self.0.get(&key))
    }

    fn text(&self, base: &str, species: &[usize], default: &str) -> String {
        match self.raw(base, species) {
            Some(Value::String(text)) => text.trim().to_string(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(value)) => value.to_string(),
            _ => default.to_string(),
        }
    }

    fn flag(&self, base: &str) -> bool {
        matches!(self.text(base, &[], "false").as_str(), "true" | "1")
    }

    fn number(&self, base: &str, default: f64) -> Result<f64, SolveError> {
        let text = self.text(base, &[], "");
        if text.is_empty() {
            return Ok(default);
        }
        let value = Number::Text(text).get(&format!("options.{base}"))?;
        Ok(value)
    }
}

fn refuse(option: &str, message: impl Into<String>) -> SolveError {
    SolveError::value(format!("options.{option}"), message)
}

/// The JSON text in a link, or in the part of it behind `options=`.
pub fn options_json(link: &str) -> Result<String, SolveError> {
    let packed = link.split_once("options=").map_or(link, |(_, rest)| rest);
    let packed = packed.split(['&', '#']).next().unwrap_or(packed).trim();
    if packed.is_empty() || link.contains("preset=") && !link.contains("options=") {
        return Err(refuse(
            "link",
            "the link names a preset but holds no options; in VisualPDE use \"Copy URL\" and paste what it gives",
        ));
    }
    // Some programs write + as a space or as %2B.
    let packed = packed.replace(' ', "+").replace("%2B", "+").replace("%24", "$");
    lz_str::decompress_from_encoded_uri_component(&packed)
        .and_then(|units| String::from_utf16(&units).ok())
        .filter(|text| text.trim_start().starts_with('{'))
        .ok_or_else(|| refuse("link", "the options cannot be unpacked; copy the whole link again"))
}

/// Reads a link.
pub fn import(link: &str) -> Result<Import, SolveError> {
    let json = options_json(link)?;
    let options: Map<String, Value> = serde_json::from_str(&json).map_err(|error| {
        refuse("link", format!("the options are not readable JSON ({error}); copy the whole link again"))
    })?;
    from_options(options)
}

fn from_options(options: Map<String, Value>) -> Result<Import, SolveError> {
    let options = Options(options);
    let mut notes = Vec::new();
    if options.flag("domainViaIndicatorFun") {
        return Err(refuse(
            "domainViaIndicatorFun",
            "the domain is not a rectangle, which is the only shape known here",
        ));
    }
    if options.raw("initialState", &[]).is_some() {
        notes.push(
            "The link begins from a saved state, which it does not hold; the initial conditions are used.".into(),
        );
    }
    let species = options.number("numSpecies", 2.0)?;
    let algebraic = options.number("numAlgebraicSpecies", 0.0)?;
    if !(1.0..=4.0).contains(&species) || !(0.0..=3.0).contains(&algebraic) || algebraic >= species {
        return Err(refuse(
            "numSpecies",
            format!("{species} species of which {algebraic} are algebraic make no system"),
        ));
    }
    let (count, first_algebraic) = (species as usize, (species - algebraic) as usize);
    let axes = domain(&options, &mut notes)?;
    let names_text = options.text("speciesNames", &[], "u v w q");
    let mut names: Vec<String> =
        names_text.split([' ', ',']).filter(|name| !name.is_empty()).map(String::from).collect();
    for (index, name) in ["u", "v", "w", "q"].iter().enumerate().skip(names.len()) {
        names.insert(index, (*name).to_string());
    }
    names.truncate(count);
    let dt = options.number("dt", 0.1)?;
    let mut translator = Translator::new(&names, &axes, options.number("spatialStep", 0.5)?, dt);
    let parameters = translator.parameters(&options.text("kineticParams", &[], ""))?;
    let names = translator.species();

    let is_crossed = options.flag("crossDiffusion");
    let mut lines = parameters;
    for index in 0..count {
        let default = match index {
            0 => "-u*v^2 + 0.037*(1.0 - u)",
            1 | 2 => "u*v^2 - (0.037+0.06)*v",
            _ => "0",
        };
        let is_algebraic = index >= first_algebraic;
        let mut terms = Vec::new();
        for other in 0..count {
            if (other != index && !is_crossed) || (other == index && is_algebraic) {
                continue;
            }
            let default = ["0.04", "0.02", "0.02", "0"][index];
            let text = options.text("diffusionStr", &[index, other], if index == other { default } else { "0" });
            let place = format!("diffusionStr_{}_{}", index + 1, other + 1);
            terms.extend(flux(&translator, &place, &text, &names[other], axes.len())?);
        }
        let place = format!("reactionStr_{}", index + 1);
        let reaction = translator.expression(&place, &options.text("reactionStr", &[index], default))?;
        if reaction != "0" || terms.is_empty() {
            terms.push(format!("({reaction})"));
        }
        let name = &names[index];
        let mut right = terms.join(" + ");
        let timescale = options.text("timescale", &[index], "1");
        if !is_algebraic && options.flag("timescales") && timescale != "1" {
            right = format!("({right})/({})", translator.expression(&format!("timescale_{}", index + 1), &timescale)?);
        }
        lines.push(if is_algebraic { format!("{name} = {right}") } else { format!("{name}_t = {right}") });
    }
    notes.append(&mut translator.notes());

    let mut boundary = BTreeMap::new();
    let mut initial = BTreeMap::new();
    for index in 0..first_algebraic {
        if let Some(text) = conditions(&options, &translator, index, axes.len())? {
            boundary.insert(names[index].clone(), text);
        }
        let place = format!("initCond_{}", index + 1);
        let text = options.text("initCond", &[index], if index == 0 { "1.0" } else { "0" });
        initial.insert(names[index].clone(), Number::Text(translator.expression(&place, &text)?));
    }
    let frames = options.number("numTimestepsPerFrame", 100.0)?;
    let end = if options.flag("autoPause") {
        options.number("autoPauseAt", 200.0)?
    } else {
        notes.push("The link has no end; the run ends after what VisualPDE shows in ten seconds.".into());
        dt * frames * 600.0
    };
    notes.push(format!("VisualPDE takes steps of {dt}; here the step length follows from the error."));
    let mut method = MethodText::default();
    let seed = options.number("randSeed", 1.0)?;
    if seed > 0.0 && seed <= f64::from(u32::MAX) {
        method.seed = seed as u32;
    }
    let mut ends = axes.into_iter();
    let domain = DomainText { x: ends.next(), y: ends.next(), z: None };
    let problem = Problem {
        equations: lines.join("\n"),
        domain,
        boundary,
        initial,
        parameters: BTreeMap::new(),
        time: TimeText {
            start: 0.0.into(),
            end: Some(end.into()),
            save_every: None,
            dt: None,
            tolerance: Some(1e-4.into()),
            max_steps: None,
        },
        method,
        exact: BTreeMap::new(),
        about: None,
        fields: Vec::new(),
        is_nonlinear: false,
    };
    Ok(Import { problem, notes })
}

/// The axes: VisualPDE gives the longer side and the spacing; the shorter one follows from the window.
fn domain(options: &Options, notes: &mut Vec<String>) -> Result<Vec<AxisText>, SolveError> {
    let scale = options.number("domainScale", 100.0)?;
    let step = options.number("spatialStep", 0.5)?;
    if !(scale > 0.0 && step > 0.0 && scale / step <= 1e6) {
        return Err(refuse("domainScale", format!("a length of {scale} in steps of {step} makes no grid")));
    }
    let is_line = options.flag("oneDimensional") || options.text("dimension", &[], "2") == "1";
    if !is_line && !options.flag("squareCanvas") {
        notes.push("VisualPDE fits the domain to the window; here it is a square.".into());
    }
    let points = ((scale / step).floor() as u32).max(8);
    let axis = |min: f64| AxisText { min: min.into(), max: (min + scale).into(), points };
    let mut axes = vec![axis(options.number("minX", 0.0)?)];
    if !is_line {
        axes.push(axis(options.number("minY", 0.0)?));
    }
    Ok(axes)
}

/// ∇·(D ∇s): one number for D, one an axis, or a matrix row by row, separated by semicolons.
fn flux(
    translator: &Translator,
    place: &str,
    text: &str,
    field: &str,
    dimension: usize,
) -> Result<Option<String>, SolveError> {
    let parts: Vec<String> = text
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| translator.expression(place, part))
        .collect::<Result<_, _>>()?;
    if parts.iter().all(|part| part.parse::<f64>().is_ok_and(|value| value == 0.0)) {
        return Ok(None);
    }
    Ok(Some(match (parts.as_slice(), dimension) {
        // A number in front of the Laplacian is exact in Fourier space.
        ([d], _) if translator.is_constant(d) => format!("({d})*lap({field})"),
        ([d], _) | ([d, ..], 1) => format!("div(({d})*grad({field}))"),
        ([a, b], _) => format!("div([({a})*dx({field}), ({b})*dy({field})])"),
        ([a, b, c, d], _) => {
            format!("div([({a})*dx({field}) + ({b})*dy({field}), ({c})*dx({field}) + ({d})*dy({field})])")
        }
        _ => return Err(refuse(place, format!("{} entries make no diffusion matrix", parts.len()))),
    }))
}

/// The conditions of a species; `None` where all sides are periodic.
fn conditions(
    options: &Options,
    translator: &Translator,
    index: usize,
    dimension: usize,
) -> Result<Option<BoundaryText>, SolveError> {
    let place = format!("boundaryConditions_{}", index + 1);
    let kind = options.text("boundaryConditions", &[index], "periodic").to_ascii_lowercase();
    let one = |kind: &str, value: &str| -> Result<String, SolveError> {
        let value = translator.expression(&place, if value.is_empty() { "0" } else { value })?;
        Ok(match kind {
            "periodic" => "periodic".into(),
            "dirichlet" => format!("dirichlet: {value}"),
            "neumann" => format!("neumann: {value}"),
            "robin" => format!("robin: {}_n = {value}", translator.species()[index]),
            other => {
                return Err(refuse(
                    &place,
                    format!("`{other}` has no counterpart here; there are periodic, dirichlet, neumann and robin"),
                ));
            }
        })
    };
    if kind != "combo" {
        let value = options.text(&format!("{kind}Str"), &[index], "0");
        return Ok(match kind.as_str() {
            "periodic" => None,
            _ => Some(BoundaryText::All(one(&kind, &value)?)),
        });
    }
    let mut sides = BTreeMap::new();
    for part in options.text("comboStr", &[index], "").split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (side, rest) = part.split_once(':').ok_or_else(|| refuse(&place, format!("`{part}` names no side")))?;
        let name = match side.trim().to_ascii_lowercase().as_str() {
            "left" => "x_min",
            "right" => "x_max",
            "bottom" => "y_min",
            "top" => "y_max",
            other => return Err(refuse(&place, format!("there is no side `{other}`"))),
        };
        if dimension == 1 && name.starts_with('y') {
            continue;
        }
        let (kind, value) = rest.split_once('=').unwrap_or((rest, "0"));
        sides.insert(name.to_string(), one(&kind.trim().to_ascii_lowercase(), value.trim())?);
    }
    Ok(Some(BoundaryText::Sides(sides)))
}
