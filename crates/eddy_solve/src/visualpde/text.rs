//! Expressions of VisualPDE in the words of this language.

use std::{cell::RefCell, collections::BTreeMap};

use crate::{error::SolveError, problem::AxisText};

/// What names stand for in one link.
pub(super) struct Translator {
    /// VisualPDE's names by the names used here.
    renamed: BTreeMap<String, String>,
    species: Vec<String>,
    parameters: Vec<String>,
    constants: BTreeMap<&'static str, String>,
    dimension: usize,
    notes: RefCell<Vec<String>>,
}

/// Parts between separators that are not inside brackets.
pub(super) fn split_top(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0i32, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ if letter == separator && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// A word or the text between two words.
enum Piece<'a> {
    Word(&'a str),
    Other(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = is_word(first) && !first.is_ascii_digit();
        let end = if in_word {
            rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
        } else if first.is_ascii_digit() || first == '.' {
            // Numbers keep their exponents: 1e-3.
            number_end(rest)
        } else {
            rest.char_indices().nth(1).map_or(rest.len(), |(at, _)| at)
        };
        let (piece, after) = rest.split_at(end);
        found.push(if in_word { Piece::Word(piece) } else { Piece::Other(piece) });
        rest = after;
    }
    found
}

fn number_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    while end < bytes.len() && (bytes[end].is_ascii_digit() || bytes[end] == b'.') {
        end += 1;
    }
    if end < bytes.len() && matches!(bytes[end], b'e' | b'E') {
        let mut after = end + 1;
        if after < bytes.len() && matches!(bytes[after], b'+' | b'-') {
            after += 1;
        }
        if after < bytes.len() && bytes[after].is_ascii_digit() {
            while after < bytes.len() && bytes[after].is_ascii_digit() {
                after += 1;
            }
            return after;
        }
    }
    end.max(1)
}

/// Position of the bracket that closes the one that `text` begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

impl Translator {
    pub fn new(species: &[String], axes: &[AxisText], step: f64, dt: f64) -> Self {
        let value = |number: &crate::problem::Number| number.get("domain").unwrap_or(0.0);
        let length =
            |axis: usize| axes.get(axis).or(axes.first()).map_or(1.0, |axis| value(&axis.max) - value(&axis.min));
        let low = |axis: usize| axes.get(axis).map_or(0.0, |axis| value(&axis.min));
        let constants = [
            ("L", length(0).max(length(1))),
            ("L_x", length(0)),
            ("L_y", length(1)),
            ("L_min", length(0).min(length(1))),
            ("MINX", low(0)),
            ("MINY", low(1)),
            ("dx", step),
            ("dy", step),
            ("dt", dt),
        ];
        let mut translator = Self {
            renamed: BTreeMap::new(),
            species: Vec::new(),
            parameters: Vec::new(),
            constants: BTreeMap::new(),
            dimension: axes.len(),
            notes: RefCell::default(),
        };
        translator.constants.extend(constants.into_iter().map(|(name, value)| (name, format!("{value:?}"))));
        translator.species = species.iter().map(|name| translator.rename(name)).collect();
        translator
    }

    /// Names used here of the species.
    pub fn species(&self) -> Vec<String> {
        self.species.clone()
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.take()
    }

    fn note(&self, text: &str) {
        let mut notes = self.notes.borrow_mut();
        if !notes.iter().any(|known| known == text) {
            notes.push(text.into());
        }
    }

    /// A name that means nothing else in this language.
    fn rename(&mut self, name: &str) -> String {
        let is_taken = eddy_expr::builtins::function(name).is_some()
            || eddy_expr::builtins::is_reserved(name)
            || eddy_expr::builtins::constant(name).is_some()
            || matches!(name, "i" | "rand" | "randn");
        let free = if is_taken { format!("{name}0") } else { name.to_string() };
        self.renamed.insert(name.to_string(), free.clone());
        free
    }

    /// Whether an expression is the same at all places and times.
    pub fn is_constant(&self, text: &str) -> bool {
        pieces(text).iter().all(|piece| match piece {
            Piece::Word(word) => {
                self.parameters.iter().any(|name| name == word)
                    || eddy_expr::builtins::constant(word).is_some()
                    || (eddy_expr::builtins::function(word).is_some() && !word.starts_with("noise"))
            }
            Piece::Other(_) => true,
        })
    }

    /// `a = 1 in [0, 2]; b = 2*a` as lines of a system. VisualPDE's ranges may hold a step in the middle, which is left out.
    pub fn parameters(&mut self, text: &str) -> Result<Vec<String>, SolveError> {
        let statements: Vec<(String, String)> = text
            .split([';', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.split_once('=')
                    .map(|(name, value)| (name.trim().to_string(), value.trim().to_string()))
                    .ok_or_else(|| {
                        SolveError::value(
                            "options.kineticParams",
                            format!("`{part}` gives no value; write name = value"),
                        )
                    })
            })
            .collect::<Result<_, _>>()?;
        for (name, _) in &statements {
            let free = self.rename(name);
            self.parameters.push(free);
        }
        let mut lines = Vec::new();
        for (name, value) in &statements {
            let (value, range) = match value.rfind(" in") {
                Some(at) if value[at + 3..].trim_start().starts_with(['[', '(']) => {
                    (value[..at].trim(), Some(value[at + 3..].trim()))
                }
                _ => (value.as_str(), None),
            };
            let mut line = format!("{} = {}", self.renamed[name], self.expression("kineticParams", value)?);
            if let Some(range) = range {
                let ends: Vec<f64> = range
                    .trim_matches(['[', ']', '(', ')'])
                    .split(',')
                    .filter_map(|end| end.trim().parse().ok())
                    .collect();
                if let (Some(low), Some(high)) = (ends.first(), ends.last())
                    && low < high
                {
                    line.push_str(&format!(" in [{low:?}, {high:?}]"));
                }
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// An expression in this language.
    pub fn expression(&self, place: &str, text: &str) -> Result<String, SolveError> {
        let refuse = |message: String| Err(SolveError::value(format!("options.{place}"), message));
        if text.len() > 10_000 {
            return refuse("the expression is longer than 10,000 characters".into());
        }
        if text.trim().is_empty() {
            return Ok("0".into());
        }
        let found = pieces(text);
        let mut out = String::new();
        let mut skip_to = 0;
        let mut at = 0;
        for piece in &found {
            let word = match piece {
                Piece::Word(word) | Piece::Other(word) => *word,
            };
            let begin = at;
            at += word.len();
            if begin < skip_to {
                continue;
            }
            let Piece::Word(_) = piece else {
                out.push_str(word);
                continue;
            };
            let after = text[at..].trim_start();
            let gap = text[at..].len() - after.len();
            if after.starts_with('[') && self.renamed.contains_key(word) {
                return refuse(format!("`{word}[…]` reads a field at another place, which has no counterpart here"));
            }
            // Functions whose arguments are changed.
            if after.starts_with('(')
                && matches!(word, "ind" | "H" | "Gauss" | "Bump" | "safetanh" | "safepow" | "step")
                && !self.parameters.iter().any(|name| name == word)
            {
                let Some(end) = closing(after) else {
                    return refuse(format!("a bracket of `{word}(` is not closed"));
                };
                let arguments: Vec<String> = split_top(&after[1..end], ',')
                    .into_iter()
                    .map(|argument| self.expression(place, argument))
                    .collect::<Result<_, _>>()?;
                match self.call(word, &arguments) {
                    Some(call) => out.push_str(&call),
                    None => return refuse(format!("`{word}` does not take {} values", arguments.len())),
                }
                skip_to = at + gap + end + 1;
                continue;
            }
            if word.starts_with("I_") || word == "RANDVAL" {
                return refuse(format!(
                    "`{word}` is an image or a random number of VisualPDE that has no counterpart here"
                ));
            }
            out.push_str(&self.word(place, word)?);
        }
        Ok(out.trim().to_string())
    }

    fn word(&self, place: &str, word: &str) -> Result<String, SolveError> {
        if let Some(name) = self.renamed.get(word) {
            return Ok(name.clone());
        }
        if let Some(value) = self.constants.get(word) {
            return Ok(format!("({value})"));
        }
        if word == "y" && self.dimension == 1 {
            return Ok("0".into());
        }
        if let Some((field, orders)) = word.rsplit_once('_')
            && let Some(name) = self.renamed.get(field)
            && self.species.contains(name)
        {
            let mut orders = orders.to_string();
            if let Some(end) = orders.strip_suffix('2') {
                orders = end.repeat(2);
            }
            if orders.contains(['f', 'b']) {
                self.note("One-sided differences (such as u_xf) are read as derivatives.");
                orders = orders.replace(['f', 'b'], "");
            }
            if orders.chars().all(|letter| letter == 'x' || letter == 'y') && !orders.is_empty() {
                // There is no change along an axis that does not exist.
                let is_flat = self.dimension == 1 && orders.contains('y');
                return Ok(if is_flat { "0".into() } else { format!("d{orders}({name})") });
            }
        }
        let is_initial = place.starts_with("initCond");
        Ok(match word {
            "RAND" | "RANDN" if !is_initial => {
                return Err(SolveError::value(
                    format!("options.{place}"),
                    format!("{word} is drawn anew in each step, so its strength depends on the step; use WhiteNoise"),
                ));
            }
            "RAND" => "rand".into(),
            "RANDN" => "randn".into(),
            "WhiteNoise" | "WhiteNoise_1" => "noise(0)".into(),
            "WhiteNoise_2" => "noise(1)".into(),
            "WhiteNoise_3" => "noise(2)".into(),
            "WhiteNoise_4" => "noise(3)".into(),
            other => other.into(),
        })
    }

    fn call(&self, name: &str, a: &[String]) -> Option<String> {
        Some(match (name, a) {
            ("ind", [condition]) => format!("if({condition}, 1, 0)"),
            // VisualPDE's step is smooth over ±0.01.
            ("H", [value]) => format!("smoothstep(-0.01, 0.01, {value})"),
            ("H", [value, edge]) => format!("smoothstep(-0.01, 0.01, ({value}) - ({edge}))"),
            ("step", [edge, value]) => format!("if(({value}) < ({edge}), 0, 1)"),
            ("safetanh", [value]) => format!("tanh({value})"),
            ("safepow", [base, exponent]) => format!("({base})^({exponent})"),
            ("Bump", [x, y, radius]) => {
                let square = if self.dimension == 1 {
                    format!("((x - ({x}))^2)/({radius})^2")
                } else {
                    format!("((x - ({x}))^2 + (y - ({y}))^2)/({radius})^2")
                };
                // The largest value keeps the branch that is not taken finite.
                format!("if({square} < 1, exp(1 - 1/max(1 - {square}, 1e-9)), 0)")
            }
            ("Bump", [x, radius]) => {
                return self.call("Bump", &[x.clone(), self.constants["L_y"].clone() + "/2", radius.clone()]);
            }
            ("Gauss", [x, sd]) => {
                let middle = format!("{}/2", self.constants["L_y"]);
                return self.call("Gauss", &[x.clone(), middle, sd.clone(), sd.clone()]);
            }
            ("Gauss", [x, y, sd]) => return self.call("Gauss", &[x.clone(), y.clone(), sd.clone(), sd.clone()]),
            ("Gauss", [x, y, sx, sy]) if self.dimension > 1 => {
                format!("exp(-((x - ({x}))^2/(2*({sx})^2) + (y - ({y}))^2/(2*({sy})^2)))/(2*pi*({sx})*({sy}))")
            }
            _ => return None,
        })
    }
}
