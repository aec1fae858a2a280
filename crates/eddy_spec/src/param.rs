use std::fmt;

use serde::Serialize;

use crate::{Drawing, Scale};

/// The kind of a parameter, from which the page derives its control.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ParamKind {
    /// A number in `[min, max]`, both included. `step` is the increment of the control (0: continuous).
    Number {
        min: f64,
        max: f64,
        step: f64,
        scale: Scale,
        integer: bool,
    },
    /// One of `(key, label)`.
    Choice {
        options: Vec<(&'static str, &'static str)>,
    },
    Toggle,
    /// Seed of the counter generator: any `u32`.
    Seed,
    /// A text of at most `max_len` characters, such as an expression in x.
    Text {
        max_len: usize,
    },
    /// A [`Drawing`](crate::Drawing) of `columns` × `rows` cells, or none.
    Drawing {
        columns: u32,
        rows: u32,
    },
}

/// One row of a parameter table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParamSpec {
    pub key: &'static str,
    /// Label of the control: the first sentence of the doc comment.
    pub label: String,
    /// The rest of the doc comment.
    pub doc: String,
    pub default: String,
    #[serde(flatten)]
    pub kind: ParamKind,
    /// LaTeX without `$`.
    pub symbol: &'static str,
    pub unit: &'static str,
    /// Heading under which the page shows the control.
    pub group: &'static str,
    /// Whether a change applies to the running run; if not, it restarts.
    pub live: bool,
    /// The control is shown only while parameter `.0` has one of the values `.1`.
    pub only_when: Option<(&'static str, &'static [&'static str])>,
}

impl ParamSpec {
    fn new(kind: ParamKind) -> Self {
        Self {
            key: "",
            label: String::new(),
            doc: String::new(),
            default: String::new(),
            kind,
            symbol: "",
            unit: "",
            group: "",
            live: false,
            only_when: None,
        }
    }
    /// Symbol in formulas (LaTeX without `$`).
    pub fn symbol(mut self, symbol: &'static str) -> Self {
        self.symbol = symbol;
        self
    }
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }
    pub fn group(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }
    /// A change applies without a restart.
    pub fn live(mut self) -> Self {
        self.live = true;
        self
    }
    pub fn only_when(mut self, key: &'static str, values: &'static [&'static str]) -> Self {
        self.only_when = Some((key, values));
        self
    }
    /// Increment of the control.
    pub fn by(mut self, increment: f64) -> Self {
        if let ParamKind::Number { step, .. } = &mut self.kind {
            *step = increment;
        }
        self
    }
}

/// A whole number from `min` to `max`.
pub fn steps(min: u32, max: u32) -> ParamSpec {
    ParamSpec::new(ParamKind::Number {
        min: min.into(),
        max: max.into(),
        step: 1.0,
        scale: Scale::Linear,
        integer: true,
    })
}
/// A number from `min` to `max` on a linear slider.
pub fn range(min: f64, max: f64) -> ParamSpec {
    ParamSpec::new(ParamKind::Number { min, max, step: 0.0, scale: Scale::Linear, integer: false })
}
/// A positive number from `min` to `max` on a logarithmic slider.
pub fn log(min: f64, max: f64) -> ParamSpec {
    ParamSpec::new(ParamKind::Number { min, max, step: 0.0, scale: Scale::Log, integer: false })
}
/// One variant of a `choice!` enumeration.
pub fn choice() -> ParamSpec {
    ParamSpec::new(ParamKind::Choice { options: Vec::new() })
}
pub fn toggle() -> ParamSpec {
    ParamSpec::new(ParamKind::Toggle)
}
pub fn seed() -> ParamSpec {
    ParamSpec::new(ParamKind::Seed)
}
/// A text such as a formula.
pub fn expression(max_len: usize) -> ParamSpec {
    ParamSpec::new(ParamKind::Text { max_len })
}
/// A drawing of `columns` × `rows` cells, each at most [`Drawing::MOST`](crate::Drawing::MOST). Its text has up to one
/// character for each cell and three more, so that 32 × 32 leave half of a link to the other parameters.
pub fn drawing(columns: u32, rows: u32) -> ParamSpec {
    ParamSpec::new(ParamKind::Drawing { columns, rows })
}

/// A type that a parameter can have: it converts from and to the text of a permalink.
pub trait ParamType: Sized {
    /// Parses `text`; the error says what was expected ("a whole number").
    fn parse(text: &str) -> Result<Self, &'static str>;
    /// Shortest text that parses back to the same value.
    fn print(&self) -> String;
    /// The value as a number, for the range check.
    fn number(&self) -> Option<f64> {
        None
    }
    /// Columns and rows, for the check of a drawing; `None` where there are none.
    fn size(&self) -> Option<[u32; 2]> {
        None
    }
    /// Options of a choice.
    fn options() -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

impl ParamType for f64 {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let v: f64 = text.trim().parse().map_err(|_| "a number such as 0.5 or 1e-3")?;
        if v.is_finite() { Ok(v) } else { Err("a finite number such as 0.5 or 1e-3") }
    }
    fn print(&self) -> String {
        // Both forms of Rust's shortest representation round-trip; take the shorter text.
        let (plain, exponent) = (format!("{self}"), format!("{self:e}"));
        if exponent.len() < plain.len() { exponent } else { plain }
    }
    fn number(&self) -> Option<f64> {
        Some(*self)
    }
}

impl ParamType for u32 {
    fn parse(text: &str) -> Result<Self, &'static str> {
        text.trim().parse().map_err(|_| "a whole number such as 8")
    }
    fn print(&self) -> String {
        self.to_string()
    }
    fn number(&self) -> Option<f64> {
        Some(f64::from(*self))
    }
}

impl ParamType for bool {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "on" | "true" | "1" => Ok(true),
            "off" | "false" | "0" => Ok(false),
            _ => Err("on or off"),
        }
    }
    fn print(&self) -> String {
        if *self { "on" } else { "off" }.to_owned()
    }
}

impl ParamType for String {
    fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(text.to_owned())
    }
    fn print(&self) -> String {
        self.clone()
    }
}

/// Whether a changed parameter applies at once or needs a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    Live,
    Restart,
}

/// A parameter that cannot be set so.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamError {
    Unknown { key: String, known: Vec<&'static str> },
    Malformed { key: String, text: String, expected: &'static str },
    OutOfRange { key: String, text: String, min: f64, max: f64 },
    NotAnOption { key: String, text: String, options: Vec<&'static str> },
    TooLong { key: String, length: usize, max_len: usize },
    WrongSize { key: String, size: [u32; 2], expected: [u32; 2] },
}

impl ParamError {
    /// The parameter it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key, .. }
            | Self::Malformed { key, .. }
            | Self::OutOfRange { key, .. }
            | Self::NotAnOption { key, .. }
            | Self::TooLong { key, .. }
            | Self::WrongSize { key, .. } => key,
        }
    }
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "parameter-unknown",
            Self::Malformed { .. } => "parameter-malformed",
            Self::OutOfRange { .. } => "parameter-range",
            Self::NotAnOption { .. } => "parameter-option",
            Self::TooLong { .. } => "parameter-length",
            Self::WrongSize { .. } => "parameter-size",
        }
    }
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { key, known } => {
                write!(f, "There is no parameter “{key}” here. Use one of: {}.", known.join(", "))
            }
            Self::Malformed { key, text, expected } => write!(f, "“{key}” takes {expected}, not “{text}”."),
            Self::OutOfRange { key, text, min, max } => {
                write!(f, "“{key}” must lie between {} and {}; {text} does not.", min.print(), max.print())
            }
            Self::NotAnOption { key, text, options } => {
                write!(f, "“{key}” has no option “{text}”. Choose one of: {}.", options.join(", "))
            }
            Self::TooLong { key, length, max_len } => {
                write!(f, "“{key}” takes at most {max_len} characters; this text has {length}.")
            }
            Self::WrongSize { key, size: [columns, rows], expected: [wide, high] } => {
                write!(f, "“{key}” takes a drawing of {wide} × {high} cells; this one has {columns} × {rows}.")
            }
        }
    }
}

impl std::error::Error for ParamError {}

/// A typed set of parameters that knows its own table. Implemented by `params!`.
pub trait ParamTable: Default + Clone + 'static {
    fn table() -> &'static [ParamSpec];
    /// Sets one parameter from its text, checked against its type and range.
    fn set(&mut self, key: &str, text: &str) -> Result<Effect, ParamError>;
    /// Text of one parameter.
    fn get(&self, key: &str) -> Option<String>;

    /// The parameters that differ from the defaults, in the order of the table.
    fn differences(&self) -> Vec<(String, String)> {
        Self::table()
            .iter()
            .filter_map(|spec| {
                let text = self.get(spec.key)?;
                (text != spec.default).then(|| (spec.key.to_owned(), text))
            })
            .collect()
    }
}

/// Fills in what the declaration gives besides the builder: key, documentation, default, options.
pub fn spec_for<T: ParamType>(key: &'static str, doc: &str, default: &T, mut spec: ParamSpec) -> ParamSpec {
    let doc = doc.trim();
    let (label, rest) = match doc.split_once(". ") {
        Some((first, rest)) => (first, rest.trim()),
        None => (doc.trim_end_matches('.'), ""),
    };
    spec.key = key;
    spec.label = label.to_owned();
    spec.doc = rest.to_owned();
    spec.default = default.print();
    if let ParamKind::Choice { options } = &mut spec.kind {
        *options = T::options();
    }
    spec
}

/// Parses `text` for the parameter described by `spec` and checks it.
#[doc(hidden)]
pub fn parse_checked<T: ParamType>(spec: &ParamSpec, text: &str) -> Result<T, ParamError> {
    let key = || spec.key.to_owned();
    match &spec.kind {
        ParamKind::Choice { options } if !options.iter().any(|(k, _)| *k == text) => {
            return Err(ParamError::NotAnOption {
                key: key(),
                text: shorten(text),
                options: options.iter().map(|(k, _)| *k).collect(),
            });
        }
        ParamKind::Text { max_len } if text.chars().count() > *max_len => {
            return Err(ParamError::TooLong { key: key(), length: text.chars().count(), max_len: *max_len });
        }
        ParamKind::Drawing { columns, rows } if text.len() > Drawing::longest(*columns, *rows) => {
            let max_len = Drawing::longest(*columns, *rows);
            return Err(ParamError::TooLong { key: key(), length: text.chars().count(), max_len });
        }
        _ => {}
    }
    let value =
        T::parse(text).map_err(|expected| ParamError::Malformed { key: key(), text: shorten(text), expected })?;
    if let (ParamKind::Number { min, max, .. }, Some(n)) = (&spec.kind, value.number())
        && !(*min..=*max).contains(&n)
    {
        return Err(ParamError::OutOfRange { key: key(), text: shorten(text), min: *min, max: *max });
    }
    if let (ParamKind::Drawing { columns, rows }, Some(size)) = (&spec.kind, value.size())
        && size != [*columns, *rows]
    {
        return Err(ParamError::WrongSize { key: key(), size, expected: [*columns, *rows] });
    }
    Ok(value)
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(39).chain(['…']).collect() }
}
