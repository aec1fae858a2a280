//! Conditions on integrals over the domain, lines such as `integral(psi^2) = 1`, read with the names of the equations.

use eddy_expr::{diagnostic::Diagnostic, ir::Id};
use eddy_solve::{SolveError, Statement};
use eddy_spec::EddyError;

use super::texts::{FormError, Texts, line_or_semicolon, pieces};

/// A statement with conditions beside its equations.
#[derive(Clone, Debug)]
pub struct Conditioned {
    /// The equations; their graph holds the conditions too.
    pub statement: Statement,
    /// Left less right of each condition.
    pub nodes: Vec<Id>,
}

/// A side of a condition: where it stands in the equations with the conditions behind them, and where in its own text.
struct Copied {
    there: usize,
    here: usize,
    length: usize,
}

impl Texts {
    /// The statement with the conditions of the text `integrals`; `None` where there are none. The texts are filled.
    pub fn conditioned(&self, is_single: bool) -> Result<Option<Conditioned>, EddyError> {
        let mut problem = self.problem(is_single).map_err(|e| e.refusal())?;
        problem.is_nonlinear = self.is_nonlinear;
        let mut text = format!("{}\n", self.equations);
        let first = text.chars().count();
        let (mut names, mut copied) = (Vec::new(), Vec::new());
        for (start, piece) in pieces(&self.integrals, line_or_semicolon) {
            let sides: Vec<&str> = piece.split('=').collect();
            let is_whole = sides.iter().all(|side| !side.trim().is_empty());
            let (true, [left, right]) = (is_whole, &sides[..]) else {
                let message = format!("“{}” is no condition.", piece.trim());
                let hint = "Write an integral, “=” and its value, such as integral(u^2) = 1.";
                return Err(FormError::whole("integrals", &self.integrals, message, hint).refusal());
            };
            if !sides.iter().all(|side| is_balanced(side)) {
                let message = format!("The parentheses of “{}” do not match.", piece.trim());
                let hint = "Each side closes what it opens: integral(u^2) = 1.";
                return Err(FormError::whole("integrals", &self.integrals, message, hint).refusal());
            }
            let name = format!("eddy_condition{}", names.len() + 1);
            let mut copy = |text: &mut String, side: &str, here: usize| {
                copied.push(Copied { there: text.chars().count(), here, length: side.chars().count() });
                text.push_str(side);
            };
            text.push_str(&format!("{name} = ("));
            copy(&mut text, left, start);
            text.push_str(") - (");
            copy(&mut text, right, start + left.chars().count() + 1);
            text.push_str(")\n");
            names.push(name);
        }
        if names.is_empty() {
            return Ok(None);
        }
        problem.equations = text;
        problem.fields.extend(names.iter().cloned());
        let mut statement = Statement::new(problem).map_err(|error| match error {
            SolveError::Text { diagnostics, .. } => {
                self.misread(&diagnostics, first, &copied).refusal_in(&self.integrals)
            }
            other => self.refusal(&other),
        })?;
        let nodes = names.iter().filter_map(|name| statement.system.variable(name));
        let nodes: Vec<u16> = nodes.collect();
        let nodes = nodes.into_iter().filter_map(|variable| statement.system.take(variable)).collect();
        Ok(Some(Conditioned { statement, nodes }))
    }

    /// An error in the equations with the conditions behind them, at its characters in the text of the conditions.
    fn misread(&self, diagnostics: &[Diagnostic], first: usize, copied: &[Copied]) -> FormError {
        let is_own = |d: &&Diagnostic| d.span.start >= first;
        let Some(found) = diagnostics.iter().find(is_own).or(diagnostics.first()) else {
            return FormError::whole("integrals", &self.integrals, "The conditions cannot be read.", "");
        };
        let mut error = FormError::whole("integrals", &self.integrals, &found.message, &found.hint);
        let within = |c: &&Copied| (c.there..c.there + c.length).contains(&found.span.start);
        if let Some(side) = copied.iter().find(within) {
            let text: Vec<char> = self.integrals.chars().collect();
            let units = |until: usize| text.iter().take(until).map(|c| c.len_utf16()).sum::<usize>();
            let at = side.here + found.span.start - side.there;
            (error.start, error.end) = (units(at), units(at + found.span.end - found.span.start));
            error.replacement.clone_from(&found.replacement);
        }
        error
    }
}

/// Whether every parenthesis of a side is closed within it: sides are put into others here.
fn is_balanced(side: &str) -> bool {
    let mut depth = 0_i32;
    let steps = side.chars().map(|c| i32::from(c == '(') - i32::from(c == ')'));
    let never_below = steps.map(|step| (depth += step, depth).1).all(|depth| depth >= 0);
    never_below && depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well(integrals: &str) -> Texts {
        Texts {
            equations: "-dxx(psi) + x^2*psi = E*psi; E = 1".into(),
            x: "-5 .. 5, 64".into(),
            boundary: "psi = dirichlet: 0".into(),
            end: "0".into(),
            integrals: integrals.into(),
            ..Texts::default()
        }
    }

    #[test]
    fn conditions_are_read_with_the_names_of_the_equations() {
        let read = |text: &str| well(text).conditioned(false);
        assert!(read(" \n").unwrap().is_none());
        let two = read("integral(psi^2) = 1; mean(x*psi)\n = E - 1").map_err(|e| e.message);
        assert!(two.unwrap_err().contains("is no condition"), "a line is a condition");
        let found = read("integral(psi^2) = 1; mean(x*psi) = E - 1").unwrap().unwrap();
        assert_eq!(found.nodes.len(), 2);
        // A side that closes more than it opens would be read as another condition.
        let crossed = read("integral(psi^2)) - (2*integral(psi^2) = 1").unwrap_err();
        assert!(crossed.message.contains("do not match") && crossed.key.as_deref() == Some("integrals"), "{crossed}");
        // The equations are what they were.
        let plain = well("").statement(false).unwrap().1;
        assert_eq!(found.statement.system.equations.len(), plain.system.equations.len());
        assert!(found.statement.system.latex().first() == plain.system.latex().first());
    }

    #[test]
    fn errors_stand_at_their_characters() {
        let text = "integral(psi^2) = 1; integral(phi) = 0";
        let wrong = well(text);
        let error = wrong.conditioned(false).unwrap_err();
        assert_eq!(error.key.as_deref(), Some("integrals"));
        assert!(error.message.contains("phi") && error.message.contains("psi"), "{error}");
        let copied = [Copied { there: 100, here: 20, length: 14 }];
        let diagnostic = Diagnostic::new(eddy_expr::Code::UnknownName, eddy_expr::Span::new(110, 113), "", "");
        let placed = wrong.misread(&[diagnostic], 80, &copied);
        assert_eq!(&text[placed.start..placed.end], "phi");
    }
}
