//! What is wrong with a text, where, and what to do about it.

use std::fmt;

/// A range of characters (Unicode scalar values, not bytes) of the text, end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The smallest span that holds both.
    pub fn join(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// One error in a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostic {
    /// Stable name of the kind of error, for tests and translation.
    pub code: Code,
    /// The characters it is about.
    pub span: Span,
    /// What happened.
    pub message: String,
    /// What to do, a full sentence; never empty.
    pub hint: String,
    /// Text that would repair the span, where one is certain enough to offer as a click.
    pub replacement: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (characters {}..{})", self.message, self.hint, self.span.start, self.span.end)
    }
}

/// Kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The text is not of the language.
    Syntax,
    /// A name that nothing defines.
    UnknownName,
    /// A function called with the wrong number or kind of arguments.
    Arity,
    /// A scalar where a vector is needed, real where complex, and the like.
    Type,
    /// An axis that the domain has not.
    Dimension,
    /// A name defined twice, or a definition that needs itself.
    Definition,
    /// Something that a system may not contain at that place.
    System,
    /// Larger than the stated limits.
    TooLarge,
    /// A value that is not a number, such as 1/0.
    Value,
}

impl Code {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::UnknownName => "unknown-name",
            Self::Arity => "arity",
            Self::Type => "type",
            Self::Dimension => "dimension",
            Self::Definition => "definition",
            Self::System => "system",
            Self::TooLarge => "too-large",
            Self::Value => "value",
        }
    }
}

impl Diagnostic {
    pub fn new(code: Code, span: Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), hint: hint.into(), replacement: None }
    }

    pub fn with_replacement(mut self, text: impl Into<String>) -> Self {
        self.replacement = Some(text.into());
        self
    }

    /// Line and column of the start, both from 1, in `text` (the text that was parsed).
    pub fn line_and_column(&self, text: &str) -> (usize, usize) {
        let mut line = 1;
        let mut column = 1;
        for character in text.chars().take(self.span.start) {
            if character == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        (line, column)
    }

    /// The span in UTF-16 code units, as a browser's text area counts.
    pub fn utf16_span(&self, text: &str) -> Span {
        let units = |until: usize| text.chars().take(until).map(char::len_utf16).sum();
        Span { start: units(self.span.start), end: units(self.span.end) }
    }
}

/// The known name closest to `name`, where it is close enough to be a misspelling: one edit for up to four
/// letters, two beyond; a swap of neighbours is one edit (optimal string alignment distance). Names that differ
/// only in case come first.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() > 40 {
        return None;
    }
    let allowed = match letters.len() {
        0 | 1 => 0,
        2..=4 => 1,
        _ => 2,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = if candidate.to_lowercase() == name.to_lowercase() {
            0
        } else {
            let other: Vec<char> = candidate.chars().collect();
            if other.len().abs_diff(letters.len()) > allowed {
                continue;
            }
            edit_distance(&letters, &other).max(1)
        };
        if distance <= allowed && candidate != name && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: insertions, deletions, changes and swaps of neighbours.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut table = vec![0usize; (a.len() + 1) * width];
    for row in 0..=a.len() {
        for column in 0..width {
            table[row * width + column] = if row == 0 {
                column
            } else if column == 0 {
                row
            } else {
                let change = usize::from(a[row - 1] != b[column - 1]);
                let mut least = (table[(row - 1) * width + column] + 1)
                    .min(table[row * width + column - 1] + 1)
                    .min(table[(row - 1) * width + column - 1] + change);
                if row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1] {
                    least = least.min(table[(row - 2) * width + column - 2] + 1);
                }
                least
            };
        }
    }
    table[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_find_their_neighbour() {
        assert_eq!(did_you_mean("lpa", ["lap", "exp", "sin"]), Some("lap"));
        assert_eq!(did_you_mean("alpah", ["alpha", "beta"]), Some("alpha"));
        assert_eq!(did_you_mean("d", ["D"]), Some("D"));
        assert_eq!(did_you_mean("zzz", ["lap", "exp"]), None);
        assert_eq!(did_you_mean("q", ["D"]), None);
    }

    #[test]
    fn edits_are_counted() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(edit_distance(&letters("kitten"), &letters("sitting")), 3);
        assert_eq!(edit_distance(&letters("ab"), &letters("ba")), 1);
    }
}
