//! Boundary conditions as text: `periodic`, `dirichlet: g`, `neumann: g`, `robin: 2*u + u_n = 1`, `absorbing`, `free`, or
//! several equations separated by `;` where an equation needs more than one condition a side, as a beam does.
//!
//! `u_n`, `u_nn`, `u_nnn` are derivatives along the outward normal. Conditions are linear in them, with coefficients that
//! are constant; right-hand sides may vary in time and along the side.

use eddy_expr::{Code, Diagnostic, Expression, Names};

use crate::error::{Place, SolveError};

/// One condition: Σ_j coefficients[j] ∂ʲu/∂nʲ = -residual(at u = 0).
#[derive(Clone, Debug)]
pub struct Condition {
    /// Of u, u_n, u_nn, u_nnn.
    pub coefficients: [f64; 4],
    /// Left minus right side; reads the four as fields.
    residual: Expression,
    /// Value of the right-hand side changes with time.
    pub needs_time: bool,
    /// The right-hand side is zero everywhere and always.
    pub is_homogeneous: bool,
}

/// What holds at one side of one field.
#[derive(Clone, Debug)]
pub enum Side {
    Periodic,
    /// No condition: differences reach inwards only. For outflow.
    Free,
    /// Waves leave: u_t = -c u_n.
    Absorbing,
    Conditions(Vec<Condition>),
}

impl Side {
    pub fn is_periodic(&self) -> bool {
        matches!(self, Self::Periodic)
    }

    /// The condition that fixes the value itself, where there is one.
    pub fn dirichlet(&self) -> Option<&Condition> {
        match self {
            Self::Conditions(conditions) => conditions.iter().find(|condition| condition.is_dirichlet()),
            _ => None,
        }
    }
}

impl Condition {
    pub fn is_dirichlet(&self) -> bool {
        self.coefficients[0] != 0.0 && self.coefficients[1..] == [0.0; 3]
    }

    /// Left minus right side, where the fields 0 to 3 of its names are u, u_n, u_nn, u_nnn.
    pub fn residual(&self) -> &Expression {
        &self.residual
    }

    /// Right-hand side g at a point, so that Σ_j c_j ∂ʲu = g, as real and imaginary part.
    pub fn value(&self, point: [f64; 3], time: f64, parameters: &[f64]) -> (f64, f64) {
        let (re, im) = residual_at(&self.residual, [0.0; 4], point, time, parameters);
        (-re, -im)
    }
}

fn residual_at(residual: &Expression, u: [f64; 4], point: [f64; 3], time: f64, parameters: &[f64]) -> (f64, f64) {
    // Twice: by the name of the field and as u.
    let columns: Vec<[f64; 1]> = u.iter().chain(&u).map(|value| [*value]).collect();
    let fields: Vec<&[f64]> = columns.iter().map(|column| column.as_slice()).collect();
    let inputs =
        eddy_expr::Inputs { coordinates: point.map(eddy_expr::Column::Constant), time, parameters, fields: &fields };
    let (mut re, mut im) = ([0.0], [0.0]);
    match residual.eval_block_complex(&inputs, &mut re, &mut im) {
        Ok(()) => (re[0], im[0]),
        Err(_) => (f64::NAN, f64::NAN),
    }
}

/// Reads the conditions of `field` at one side. `place` is the key that the text stands at.
pub fn parse(
    text: &str,
    place: &str,
    field: &str,
    names: &Names,
    parameters: &[f64],
    probe: [f64; 3],
    is_u_free: bool,
) -> Result<Side, SolveError> {
    let trimmed = text.trim();
    match trimmed.to_ascii_lowercase().as_str() {
        "periodic" => return Ok(Side::Periodic),
        "absorbing" | "outgoing" => return Ok(Side::Absorbing),
        "free" | "outflow" | "none" => return Ok(Side::Free),
        "clamped" => return parse("dirichlet: 0; neumann: 0", place, field, names, parameters, probe, is_u_free),
        "hinged" | "simply supported" => {
            let text = format!("dirichlet: 0; {field}_nn = 0");
            return parse(&text, place, field, names, parameters, probe, is_u_free);
        }
        _ => {}
    }
    let mut conditions = Vec::new();
    for part in trimmed.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        conditions.push(condition(part, place, field, names, parameters, probe, is_u_free)?);
    }
    match conditions.len() {
        0 => Err(SolveError::value(place, "the condition is empty; write for example `dirichlet: 0`")),
        1 | 2 => Ok(Side::Conditions(conditions)),
        _ => Err(SolveError::value(place, "at most two conditions can hold at a side")),
    }
}

fn condition(
    text: &str,
    place: &str,
    field: &str,
    names: &Names,
    parameters: &[f64],
    probe: [f64; 3],
    is_u_free: bool,
) -> Result<Condition, SolveError> {
    let error = |source: &str, diagnostics: Vec<Diagnostic>| SolveError::Text {
        place: Place::Key(place.into()),
        text: source.into(),
        diagnostics,
    };
    // `u` stands for the field of the condition where nothing else is named so.
    let bases = if is_u_free && field != "u" { vec![field, "u"] } else { vec![field] };
    let normals = bases.iter().flat_map(|base| ["", "_n", "_nn", "_nnn"].map(|suffix| format!("{base}{suffix}")));
    let all = names.clone().with_fields(normals);
    let (kind, body) = match text.split_once(':') {
        Some((kind, body)) => (kind.trim().to_ascii_lowercase(), body.trim()),
        None if text.contains('=') => ("robin".to_string(), text),
        None if matches!(text.to_ascii_lowercase().as_str(), "dirichlet" | "neumann") => {
            (text.to_ascii_lowercase(), "0")
        }
        None => {
            return Err(SolveError::value(
                place,
                format!(
                    "`{text}` is not a condition; write periodic, dirichlet: 0, neumann: 0, robin: {field} + {field}_n = 0, \
                     absorbing or free"
                ),
            ));
        }
    };
    let residual = match kind.as_str() {
        "dirichlet" | "value" => format!("{field} - ({body})"),
        "neumann" | "flux" => format!("{field}_n - ({body})"),
        "robin" | "mixed" | "condition" => match body.split_once('=') {
            Some((left, right)) => format!("({left}) - ({right})"),
            None => {
                return Err(SolveError::value(
                    place,
                    format!("`{body}` has no `=`; write for example robin: 2*{field} + {field}_n = 1"),
                ));
            }
        },
        other => {
            return Err(SolveError::value(
                place,
                format!(
                    "`{other}` is no kind of condition; there are periodic, dirichlet, neumann, robin, absorbing, free"
                ),
            ));
        }
    };
    // Errors are to point into what was typed, so that is read alone first.
    for piece in body.split('=') {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        for axis in ["x", "y", "z"] {
            let slope = format!("{field}_{axis}");
            if piece.split(|c| !is_part(c)).any(|word| word == slope) {
                let message = format!(
                    "`{slope}` is not known at a side; write {field}_n, the derivative along the outward normal: {slope} at \
                     {axis}_max and -{slope} at {axis}_min"
                );
                return Err(SolveError::value(place, message));
            }
        }
        Expression::parse(piece.trim(), &all).map_err(|diagnostics| error(piece.trim(), diagnostics))?;
    }
    let expression = Expression::parse(&residual, &all).map_err(|diagnostics| error(&residual, diagnostics))?;
    // Affine in u and its normal derivatives? Coefficients from unit vectors, at two points and times.
    let coefficients_at = |point: [f64; 3], time: f64| {
        let base = residual_at(&expression, [0.0; 4], point, time, parameters);
        // Beside large values of the right side, ones would be lost.
        let unit = 2f64.powf(base.0.abs().max(base.1.abs()).max(1.0).log2().ceil());
        let mut coefficients = [0.0; 4];
        let mut imaginary = [0.0; 4];
        for index in 0..4 {
            let mut one = [0.0; 4];
            one[index] = unit;
            let moved = residual_at(&expression, one, point, time, parameters);
            coefficients[index] = (moved.0 - base.0) / unit;
            imaginary[index] = (moved.1 - base.1) / unit;
        }
        let mixed = [1.5, -2.0, 3.0, 0.5].map(|u| u * unit);
        let straight: f64 = base.0 + coefficients.iter().zip(mixed).map(|(c, u)| c * u).sum::<f64>();
        let is_affine = (residual_at(&expression, mixed, point, time, parameters).0 - straight).abs()
            <= 1e-9 * (unit + straight.abs() + base.0.abs());
        (coefficients, is_affine, imaginary == [0.0; 4])
    };
    let (coefficients, is_affine, is_real) = coefficients_at(probe, 0.0);
    if coefficients.iter().any(|c| !c.is_finite()) {
        return Err(SolveError::value(place, "the condition has no finite value at t = 0"));
    }
    if !is_real {
        let message =
            format!("the factors of {field} and {field}_n must be real; only the right-hand side may be complex");
        return Err(SolveError::value(place, message));
    }
    if !is_affine {
        return Err(SolveError::value(
            place,
            format!("the condition must be linear in {field} and its normal derivative"),
        ));
    }
    let (later, ..) = coefficients_at(probe.map(|x| x + 0.37), 0.71);
    if coefficients.iter().zip(later).any(|(a, b)| (a - b).abs() > 1e-9 * (1.0 + a.abs())) {
        return Err(SolveError::value(
            place,
            format!("the factors of {field} and {field}_n must be constant; only the right-hand side may vary"),
        ));
    }
    if coefficients == [0.0; 4] {
        return Err(SolveError::value(place, format!("the condition does not contain {field}")));
    }
    let is_homogeneous = !(0..3).any(|axis| expression.needs_coordinate(axis)) && {
        let (re, im) = residual_at(&expression, [0.0; 4], probe, 0.0, parameters);
        re == 0.0 && im == 0.0 && !expression.needs_time()
    };
    Ok(Condition { coefficients, needs_time: expression.needs_time(), residual: expression, is_homogeneous })
}

/// A diagnostic for a text that stands at a key.
pub fn diagnostic(place: &str, text: &str, message: &str, hint: &str) -> SolveError {
    let span = eddy_expr::Span::new(0, text.chars().count());
    SolveError::Text {
        place: Place::Key(place.into()),
        text: text.into(),
        diagnostics: vec![Diagnostic::new(Code::Value, span, message, hint)],
    }
}
