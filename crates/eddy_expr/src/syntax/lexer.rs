//! Characters to tokens, with spans in characters.

use std::fmt;

use chumsky::span::SimpleSpan;

use super::{MAX_CHARACTERS, MAX_DEPTH, MAX_TOKENS};
use crate::diagnostic::{Code, Diagnostic, Span};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Number(f64),
    Name(String),
    /// `"m/s"`
    Unit(String),
    Plus,
    Minus,
    Times,
    Divide,
    Power,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Assign,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    And,
    Or,
    Not,
    In,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Number(value) => return write!(f, "{value}"),
            Self::Name(name) => name,
            Self::Unit(unit) => return write!(f, "\"{unit}\""),
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divide => "/",
            Self::Power => "^",
            Self::Open => "(",
            Self::Close => ")",
            Self::OpenList => "[",
            Self::CloseList => "]",
            Self::Comma => ",",
            Self::Assign => "=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::And => "and",
            Self::Or => "or",
            Self::Not => "not",
            Self::In => "in",
        };
        f.write_str(text)
    }
}

/// Characters of the longest unit.
const MAX_UNIT: usize = 24;

pub type Spanned = (Token, SimpleSpan);

/// The statements of a text as token lists. `|a|` is read as abs(a). A line break ends a statement unless a bracket is open, or the line
/// ends, or the next one begins, with an operator. `;` always ends one. `#` and `//` start a comment.
pub fn statements(text: &str, errors: &mut Vec<Diagnostic>) -> Vec<Vec<Spanned>> {
    let characters: Vec<char> = text.chars().take(MAX_CHARACTERS + 1).collect();
    if characters.len() > MAX_CHARACTERS {
        errors.push(Diagnostic::new(
            Code::TooLarge,
            Span::new(MAX_CHARACTERS, MAX_CHARACTERS + 1),
            format!("The text is longer than {MAX_CHARACTERS} characters."),
            "Shorten it, for example with user functions such as f(s) = s*(1 - s).",
        ));
        return Vec::new();
    }
    let mut lexer = Lexer {
        characters: &characters,
        position: 0,
        errors,
        statements: vec![Vec::new()],
        open: Vec::new(),
        bars: Vec::new(),
        tokens: 0,
        line_ended: false,
    };
    lexer.run();
    let open = std::mem::take(&mut lexer.open);
    let mut statements = lexer.statements;
    for (token, at) in open {
        let (token, closing) = bracket(&characters, &token, at);
        errors.push(Diagnostic::new(
            Code::Syntax,
            Span::new(at, at + 1),
            format!("This '{token}' is never closed."),
            format!("Add the matching '{closing}'."),
        ));
        return Vec::new();
    }
    statements.retain(|tokens| !tokens.is_empty());
    statements.retain(|tokens| depth_allowed(tokens, errors));
    statements
}

struct Lexer<'a> {
    characters: &'a [char],
    position: usize,
    errors: &'a mut Vec<Diagnostic>,
    statements: Vec<Vec<Spanned>>,
    /// Brackets not yet closed, with their places.
    open: Vec<(Token, usize)>,
    /// Which of them, counted from 1, are bars of |a|.
    bars: Vec<usize>,
    tokens: usize,
    line_ended: bool,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.position + ahead).copied().unwrap_or('\0')
    }

    fn run(&mut self) {
        while self.position < self.characters.len() {
            if self.tokens > MAX_TOKENS {
                self.errors.push(Diagnostic::new(
                    Code::TooLarge,
                    Span::new(self.position, self.position + 1),
                    format!("The text has more than {MAX_TOKENS} numbers, names and signs."),
                    "Shorten it, for example with user functions such as f(s) = s*(1 - s).",
                ));
                self.statements.clear();
                self.open.clear();
                return;
            }
            // One report per kind of mistake is enough for a text of thousands of strange characters.
            if self.errors.len() > 20 {
                self.open.clear();
                return;
            }
            let start = self.position;
            match self.peek(0) {
                '\n' => {
                    self.position += 1;
                    self.line_ended = true;
                }
                '#' => self.skip_line(),
                '/' if self.peek(1) == '/' => self.skip_line(),
                character if character.is_whitespace() => self.position += 1,
                ';' => {
                    self.position += 1;
                    if let Some((token, at)) = self.open.pop() {
                        let (token, closing) = bracket(self.characters, &token, at);
                        self.errors.push(Diagnostic::new(
                            Code::Syntax,
                            Span::new(at, at + 1),
                            format!("This '{token}' is not closed before the ';'."),
                            format!("Add the matching '{closing}'."),
                        ));
                        self.open.clear();
                        self.bars.clear();
                        // What was read of this statement would only cause a second report.
                        if let Some(last) = self.statements.last_mut() {
                            last.clear();
                        }
                    }
                    self.statements.push(Vec::new());
                    self.line_ended = false;
                }
                character if character.is_ascii_digit() || (character == '.' && self.peek(1).is_ascii_digit()) => {
                    self.number(start);
                }
                character if is_name_start(character) => self.name(start),
                '"' => self.unit(start),
                _ => self.sign(start),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.position < self.characters.len() && self.peek(0) != '\n' {
            self.position += 1;
        }
    }

    fn push(&mut self, token: Token, start: usize) {
        if self.line_ended {
            self.line_ended = false;
            let continues_here = matches!(
                token,
                Token::Plus
                    | Token::Minus
                    | Token::Times
                    | Token::Divide
                    | Token::Power
                    | Token::Assign
                    | Token::In
                    | Token::And
                    | Token::Or
                    | Token::Less
                    | Token::LessEqual
                    | Token::Greater
                    | Token::GreaterEqual
                    | Token::Equal
                    | Token::NotEqual
            );
            let last = self.statements.last().and_then(|tokens| tokens.last()).map(|(token, _)| token);
            let continued = matches!(
                last,
                Some(
                    Token::Plus
                        | Token::Minus
                        | Token::Times
                        | Token::Divide
                        | Token::Power
                        | Token::Assign
                        | Token::Comma
                        | Token::In
                        | Token::And
                        | Token::Or
                        | Token::Not
                        | Token::Less
                        | Token::LessEqual
                        | Token::Greater
                        | Token::GreaterEqual
                        | Token::Equal
                        | Token::NotEqual
                )
            );
            if self.open.is_empty() && !continues_here && !continued && last.is_some() {
                self.statements.push(Vec::new());
            }
        }
        self.tokens += 1;
        let span = SimpleSpan::from(start..self.position);
        if let Some(last) = self.statements.last_mut() {
            // 2x and 2(x + 1) are products; a space in between is an error with a hint, as it often is a slip.
            if matches!(token, Token::Name(_) | Token::Open)
                && matches!(last.last(), Some((Token::Number(_), before)) if before.end == start)
            {
                last.push((Token::Times, SimpleSpan::from(start..start)));
            }
            last.push((token, span));
        }
    }

    fn number(&mut self, start: usize) {
        let mut text = String::new();
        while self.peek(0).is_ascii_digit() {
            text.push(self.peek(0));
            self.position += 1;
        }
        if self.peek(0) == '.' {
            text.push('.');
            self.position += 1;
            while self.peek(0).is_ascii_digit() {
                text.push(self.peek(0));
                self.position += 1;
            }
        }
        // 2e3 is a number, 2exp(x) is 2 times a function.
        if matches!(self.peek(0), 'e' | 'E') {
            let sign = usize::from(matches!(self.peek(1), '+' | '-'));
            if self.peek(1 + sign).is_ascii_digit() {
                text.push('e');
                if sign == 1 {
                    text.push(self.peek(1));
                }
                self.position += 1 + sign;
                while self.peek(0).is_ascii_digit() {
                    text.push(self.peek(0));
                    self.position += 1;
                }
            }
        }
        let value: f64 = text.parse().unwrap_or(f64::NAN);
        if !value.is_finite() {
            self.errors.push(Diagnostic::new(
                Code::Value,
                Span::new(start, self.position),
                "This number is too large.",
                "Numbers go up to about 1.8e308.",
            ));
        }
        if self.peek(0) == '.' {
            let at = self.position;
            self.position += 1;
            self.errors.push(Diagnostic::new(
                Code::Syntax,
                Span::new(at, at + 1),
                "A number has one decimal point.",
                "Remove this point.",
            ));
        }
        self.push(Token::Number(if value.is_finite() { value } else { 0.0 }), start);
    }

    /// A unit in quotes, up to the second one in the same line.
    fn unit(&mut self, start: usize) {
        self.position += 1;
        let mut unit = String::new();
        while self.position < self.characters.len() && !matches!(self.peek(0), '"' | '\n' | ';') {
            unit.push(self.peek(0));
            self.position += 1;
        }
        if self.peek(0) == '"' {
            self.position += 1;
        } else {
            self.errors.push(Diagnostic::new(
                Code::Syntax,
                Span::new(start, start + 1),
                "This quote is never closed.",
                "A unit stands in quotes behind a parameter: D = 0.1 \"m^2/s\".",
            ));
        }
        let unit = unit.trim().to_owned();
        if unit.is_empty() || unit.chars().count() > MAX_UNIT {
            self.errors.push(Diagnostic::new(
                Code::Syntax,
                Span::new(start, self.position),
                format!("A unit has 1 to {MAX_UNIT} characters."),
                "Write it short: \"m/s\".",
            ));
        }
        self.push(Token::Unit(unit), start);
    }

    fn name(&mut self, start: usize) {
        let mut name = String::new();
        while is_name_part(self.peek(0)) {
            name.push(self.peek(0));
            self.position += 1;
        }
        if name == "π" {
            name = "pi".into();
        }
        let token = match name.as_str() {
            "and" => Token::And,
            "or" => Token::Or,
            "not" => Token::Not,
            "in" => Token::In,
            _ => Token::Name(name),
        };
        self.push(token, start);
    }

    /// Whether what was read of the statement ends with a value, so that no value can follow.
    fn after_value(&self) -> bool {
        let last = self.statements.last().and_then(|tokens| tokens.last()).map(|(token, _)| token);
        matches!(last, Some(Token::Number(_) | Token::Name(_) | Token::Close | Token::CloseList))
    }

    /// A bar of |a|: it closes one where a value ends within it, and opens one otherwise.
    fn bar(&mut self, start: usize) {
        self.position += 1;
        if self.bars.last() == Some(&self.open.len()) && self.after_value() {
            self.bars.pop();
            self.open.pop();
            self.push(Token::Close, start);
        } else if self.open.len() < MAX_TOKENS {
            self.push(Token::Name("abs".into()), start);
            self.push(Token::Open, self.position);
            self.open.push((Token::Open, start));
            self.bars.push(self.open.len());
        }
    }

    fn sign(&mut self, start: usize) {
        let (first, second) = (self.peek(0), self.peek(1));
        // Two bars in a row close two: ||a|| is none of ours, (a || b) is the truth value.
        if first == '|' && (second != '|' || self.bars.last() == Some(&self.open.len())) {
            self.bar(start);
            return;
        }
        let (token, length) = match (first, second) {
            ('*', '*') => (Token::Power, 2),
            ('<', '=') => (Token::LessEqual, 2),
            ('>', '=') => (Token::GreaterEqual, 2),
            ('=', '=') => (Token::Equal, 2),
            ('!', '=') => (Token::NotEqual, 2),
            ('&', '&') => (Token::And, 2),
            ('|', '|') => (Token::Or, 2),
            ('+', _) => (Token::Plus, 1),
            ('-' | '−', _) => (Token::Minus, 1),
            ('*' | '·' | '×', _) => (Token::Times, 1),
            ('/' | '÷', _) => (Token::Divide, 1),
            ('^', _) => (Token::Power, 1),
            ('(' | '{', _) => (Token::Open, 1),
            (')' | '}', _) => (Token::Close, 1),
            ('[', _) => (Token::OpenList, 1),
            (']', _) => (Token::CloseList, 1),
            (',', _) => (Token::Comma, 1),
            ('=', _) => (Token::Assign, 1),
            ('<', _) => (Token::Less, 1),
            ('≤', _) => (Token::LessEqual, 1),
            ('>', _) => (Token::Greater, 1),
            ('≥', _) => (Token::GreaterEqual, 1),
            ('≠', _) => (Token::NotEqual, 1),
            ('!', _) => (Token::Not, 1),
            ('²' | '³', _) => {
                self.position += 1;
                self.push(Token::Power, start);
                self.push(Token::Number(if first == '²' { 2.0 } else { 3.0 }), start);
                return;
            }
            _ => {
                self.position += 1;
                self.errors.push(Diagnostic::new(
                    Code::Syntax,
                    Span::new(start, start + 1),
                    format!("The character '{}' has no meaning here.", first.escape_debug()),
                    "Equations use names, numbers, + - * / ^, brackets, comparisons and commas; remove it.",
                ));
                return;
            }
        };
        self.position += length;
        match token {
            Token::Open | Token::OpenList => {
                if self.open.len() >= MAX_TOKENS {
                    return;
                }
                self.push(token.clone(), start);
                self.open.push((token, start));
            }
            Token::Close | Token::CloseList => {
                let is_bar = self.bars.last() == Some(&self.open.len());
                if is_bar {
                    self.bars.pop();
                }
                let wanted = if token == Token::Close { Token::Open } else { Token::OpenList };
                match self.open.pop() {
                    Some((open, _)) if open == wanted && !is_bar => self.push(token, start),
                    Some((open, at)) => {
                        let (shown, closing) = bracket(self.characters, &open, at);
                        self.errors.push(Diagnostic::new(
                            Code::Syntax,
                            Span::new(start, start + 1),
                            format!("This '{token}' does not match the '{shown}' at character {at}."),
                            format!("Write '{closing}' here."),
                        ));
                        let matching = if open == Token::Open { Token::Close } else { Token::CloseList };
                        self.push(matching, start);
                    }
                    None => self.errors.push(Diagnostic::new(
                        Code::Syntax,
                        Span::new(start, start + 1),
                        format!("This '{token}' closes nothing."),
                        "Remove it, or add the opening bracket before it.",
                    )),
                }
            }
            token => self.push(token, start),
        }
    }
}

/// An opening bracket as it stands in the text, with the one that closes it.
fn bracket(characters: &[char], token: &Token, at: usize) -> (char, char) {
    match (characters.get(at), token) {
        (Some('|'), _) => ('|', '|'),
        (_, Token::OpenList) => ('[', ']'),
        _ => ('(', ')'),
    }
}

fn is_name_start(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

fn is_name_part(character: char) -> bool {
    is_name_start(character) || character.is_ascii_digit() || character == '\''
}

/// Whether the parser can read these tokens within its depth. Brackets nest; prefix signs and powers nest until
/// the next sign of a sum, product or comparison.
fn depth_allowed(tokens: &[Spanned], errors: &mut Vec<Diagnostic>) -> bool {
    let mut chains = vec![0usize];
    let mut total = 0usize;
    let mut after_operand = false;
    for (token, span) in tokens {
        let is_operand = match token {
            Token::Open | Token::OpenList => {
                chains.push(1);
                total += 1;
                false
            }
            Token::Close | Token::CloseList => {
                if chains.len() > 1 {
                    total -= chains.pop().unwrap_or(0);
                }
                true
            }
            Token::Number(_) | Token::Name(_) => true,
            Token::Power | Token::Not => {
                total += 1;
                if let Some(chain) = chains.last_mut() {
                    *chain += 1;
                }
                false
            }
            Token::Plus | Token::Minus if !after_operand => {
                total += 1;
                if let Some(chain) = chains.last_mut() {
                    *chain += 1;
                }
                false
            }
            _ => {
                // A new term: the chain within this bracket starts afresh.
                let base = usize::from(chains.len() > 1);
                if let Some(chain) = chains.last_mut() {
                    total -= *chain - base.min(*chain);
                    *chain = base.min(*chain);
                }
                false
            }
        };
        after_operand = is_operand;
        if total > MAX_DEPTH {
            errors.push(Diagnostic::new(
                Code::TooLarge,
                Span::new(span.start, span.end),
                format!("Brackets, signs and powers are nested more than {MAX_DEPTH} deep here."),
                "Give the inner part a name on a line of its own.",
            ));
            return false;
        }
    }
    true
}
