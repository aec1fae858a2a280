//! What is wrong with a problem, and where.

use eddy_expr::Diagnostic;

/// Where in a problem an error is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// Characters of the equations.
    Equations,
    /// A key such as `boundary.u.x_min`, or characters of the text that it holds.
    Key(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File => write!(f, "problem"),
            Self::Equations => write!(f, "equations"),
            Self::Key(key) => write!(f, "{key}"),
        }
    }
}

/// A problem that cannot be solved as it stands.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SolveError {
    /// The file is not of the format.
    #[error("The problem file cannot be read. {0}")]
    File(String),
    /// Errors at characters of a text.
    #[error("{}", listed(.place, .text, .diagnostics))]
    Text { place: Place, text: String, diagnostics: Vec<Diagnostic> },
    /// A value that cannot be used.
    #[error("{place}: {message}")]
    Value { place: Place, message: String },
    /// More than fits.
    #[error("{message}")]
    TooLarge { message: String },
    /// The system has no sensible solution, or none that this program can find.
    #[error("{message}")]
    IllPosed { message: String },
}

impl SolveError {
    pub fn value(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Value { place: Place::Key(place.into()), message: message.into() }
    }

    /// Stable name of the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(_) => "problem-file",
            Self::Text { .. } => "problem-text",
            Self::Value { .. } => "problem-value",
            Self::TooLarge { .. } => "problem-too-large",
            Self::IllPosed { .. } => "problem-ill-posed",
        }
    }
}

/// Each error with the line it is in and a mark under its characters.
fn listed(place: &Place, text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&format!("{place}: {} {}", diagnostic.message, diagnostic.hint));
        let chars: Vec<char> = text.chars().collect();
        let start = diagnostic.span.start.min(chars.len());
        let line_start = chars[..start].iter().rposition(|c| *c == '\n').map_or(0, |at| at + 1);
        let line: String = chars[line_start..].iter().take_while(|c| **c != '\n').collect();
        let width = diagnostic.span.end.saturating_sub(start).clamp(1, line.chars().count().max(1));
        let indent = start - line_start;
        out.push_str(&format!("\n    {line}\n    {}{}", " ".repeat(indent), "^".repeat(width)));
    }
    out
}
