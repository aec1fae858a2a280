//! Tokens to trees, with chumsky. Each statement is parsed by itself, so an error in one leaves the others intact.

use chumsky::{input::MappedInput, prelude::*};

use super::{
    ast::{Comparison, Expr, ExprKind, Statement},
    lexer::{self, Spanned, Token},
};
use crate::diagnostic::{Code, Diagnostic, Span};

type Tokens<'a> = MappedInput<'a, Token, SimpleSpan, &'a [Spanned]>;
type Fault<'a> = extra::Err<Rich<'a, Token, SimpleSpan>>;

/// All statements of `text`. With errors, the statements that could be read come along, so that names they define
/// are known to later checks.
pub fn parse_statements(text: &str, errors: &mut Vec<Diagnostic>) -> Vec<Statement> {
    let statements = lexer::statements(text, errors);
    let mut parsed = Vec::with_capacity(statements.len());
    for tokens in &statements {
        parsed.extend(read(tokens, errors));
        if errors.len() > 50 {
            break;
        }
    }
    parsed
}

/// The one expression that `text` is.
pub fn parse_expression(text: &str, errors: &mut Vec<Diagnostic>) -> Option<Expr> {
    let length = text.chars().count();
    let mut statements = parse_statements(text, errors);
    if !errors.is_empty() {
        return None;
    }
    if statements.is_empty() {
        errors.push(Diagnostic::new(
            Code::Syntax,
            Span::new(0, length),
            "There is no expression.",
            "Write one, for example sin(x) or 0.5*x^2.",
        ));
        return None;
    }
    if statements.len() > 1 {
        errors.push(Diagnostic::new(
            Code::Syntax,
            statements[1].span,
            "Only one expression fits here.",
            "Remove the second one, or join the two with an operator.",
        ));
        return None;
    }
    let statement = statements.remove(0);
    if statement.left.is_some() || statement.range.is_some() || statement.unit.is_some() {
        errors.push(Diagnostic::new(
            Code::Syntax,
            statement.span,
            "An expression is expected here, not an equation.",
            "Write only what stands to the right of the '='; for a comparison write '=='.",
        ));
        return None;
    }
    Some(statement.right)
}

fn read(tokens: &[Spanned], errors: &mut Vec<Diagnostic>) -> Option<Statement> {
    let end = tokens.last().map_or(0, |(_, span)| span.end);
    let (output, faults) = statement().parse(tokens.split_token_span((end..end).into())).into_output_errors();
    // Later reports of one statement are mostly echoes of the first.
    if let Some(fault) = faults.into_iter().min_by_key(|fault| fault.span().start) {
        errors.push(diagnostic_from_fault(&fault, tokens));
    }
    output
}

fn diagnostic_from_fault(fault: &Rich<'_, Token, SimpleSpan>, tokens: &[Spanned]) -> Diagnostic {
    let span = *fault.span();
    let before = tokens.iter().rev().find(|(_, place)| place.end <= span.start).map(|(token, _)| token);
    let after_operand = matches!(before, Some(Token::Number(_) | Token::Name(_) | Token::Close | Token::CloseList));
    let (message, hint) = match fault.found() {
        None => {
            let last = before.map_or(String::new(), |token| format!(" after '{token}'"));
            (format!("The line ends too early{last}."), "Add what is missing, for example a number or a name.".into())
        }
        Some(token @ (Token::Number(_) | Token::Name(_) | Token::Open | Token::OpenList)) if after_operand => (
            format!("There is no operator before '{token}'."),
            "Write '*' for a product, for example 2*u; names hold no spaces.".into(),
        ),
        Some(Token::Assign) => (
            "A second '=' stands in this line.".to_string(),
            "Write one equation per line (or separate them by ';'); to compare, write '=='.".into(),
        ),
        Some(Token::In) => {
            ("A range stands in the wrong place.".to_string(), "A range follows a parameter: D = 0.1 in [0, 1].".into())
        }
        Some(Token::Unit(_)) => (
            "A unit stands in the wrong place.".to_string(),
            "A unit follows a parameter and its range: D = 0.1 in [0, 1] \"m^2/s\".".into(),
        ),
        Some(token) => {
            let mut expected: Vec<String> = fault.expected().map(|pattern| pattern.to_string()).collect();
            expected.sort();
            expected.dedup();
            expected.truncate(4);
            let hint = if expected.is_empty() {
                "Remove it.".to_string()
            } else {
                format!("Expected here: {}.", expected.join(", "))
            };
            (format!("'{token}' does not fit here."), hint)
        }
    };
    // The end of the line has no character of its own: point at the last one there is.
    let start = if span.start == span.end { span.start.saturating_sub(1) } else { span.start };
    Diagnostic::new(Code::Syntax, Span::new(start, span.end), message, hint)
}

fn span_from(span: SimpleSpan) -> Span {
    Span::new(span.start, span.end)
}

fn node(kind: ExprKind, span: SimpleSpan) -> Expr {
    Expr { kind, span: span_from(span) }
}

fn statement<'a>() -> impl Parser<'a, Tokens<'a>, Statement, Fault<'a>> {
    let expression = expression();
    let range = just(Token::In).ignore_then(
        expression
            .clone()
            .then_ignore(just(Token::Comma))
            .then(expression.clone())
            .delimited_by(just(Token::OpenList), just(Token::CloseList)),
    );
    expression
        .clone()
        .then(just(Token::Assign).ignore_then(expression).or_not())
        .then(range.or_not())
        .then(select! { Token::Unit(unit) => unit }.map_with(|unit, e| (unit, span_from(e.span()))).or_not())
        .then_ignore(end())
        .map_with(|(((first, second), range), unit), e| {
            let (left, right) = match second {
                Some(right) => (Some(first), right),
                None => (None, first),
            };
            Statement { left, right, range, unit, span: span_from(e.span()) }
        })
}

fn expression<'a>() -> impl Parser<'a, Tokens<'a>, Expr, Fault<'a>> + Clone {
    recursive(|expression| {
        let arguments = expression.clone().separated_by(just(Token::Comma)).collect::<Vec<_>>();
        // A bracket with an error inside is skipped as a whole and stands for an unknown value.
        let skipped_round =
            nested_delimiters(Token::Open, Token::Close, [(Token::OpenList, Token::CloseList)], |_| ExprKind::Error);
        let skipped_list =
            nested_delimiters(Token::OpenList, Token::CloseList, [(Token::Open, Token::Close)], |_| ExprKind::Error);
        let number = select! { Token::Number(value) => ExprKind::Number(value) };
        let name = select! { Token::Name(name) => name };
        let call_arguments = arguments
            .clone()
            .delimited_by(just(Token::Open), just(Token::Close))
            .map(Some)
            .recover_with(via_parser(skipped_round.clone().to(None)));
        let named = name
            .map_with(|name, e| (name, span_from(e.span())))
            .then(call_arguments.or_not())
            .map(|((name, name_span), arguments)| match arguments {
                None => ExprKind::Name(name),
                Some(None) => ExprKind::Error,
                Some(Some(arguments)) => ExprKind::Call { name, name_span, arguments },
            })
            .boxed();
        let vector = arguments
            .delimited_by(just(Token::OpenList), just(Token::CloseList))
            .map(ExprKind::Vector)
            .recover_with(via_parser(skipped_list));
        let group = expression
            .delimited_by(just(Token::Open), just(Token::Close))
            .map(|inner: Expr| inner.kind)
            .recover_with(via_parser(skipped_round));
        let atom = choice((number, named, vector, group))
            .map_with(|kind, e| node(kind, e.span()))
            .labelled("a number, a name or a bracket")
            .boxed();
        // A sign binds looser than a power, -x^2 = -(x^2), and may stand in an exponent, 2^-x.
        let signed = recursive(|signed| {
            let power =
                atom.then(just(Token::Power).ignore_then(signed.clone()).or_not()).map_with(|(base, exponent), e| {
                    match exponent {
                        Some(exponent) => node(ExprKind::Power(Box::new(base), Box::new(exponent)), e.span()),
                        None => base,
                    }
                });
            let sign = select! { Token::Plus => false, Token::Minus => true };
            choice((
                sign.then(signed).map_with(|(negative, inner), e| {
                    if negative { node(ExprKind::Negative(Box::new(inner)), e.span()) } else { inner }
                }),
                power,
            ))
            .boxed()
        });
        let times = select! { Token::Times => false, Token::Divide => true };
        let product = signed
            .clone()
            .then(times.then(signed).repeated().collect::<Vec<_>>())
            .map_with(|(first, rest), e| chain(first, rest, ExprKind::Product, e.span()))
            .boxed();
        let plus = select! { Token::Plus => false, Token::Minus => true };
        let sum = product
            .clone()
            .then(plus.then(product).repeated().collect::<Vec<_>>())
            .map_with(|(first, rest), e| chain(first, rest, ExprKind::Sum, e.span()))
            .boxed();
        let relation = select! {
            Token::Less => Comparison::Less,
            Token::LessEqual => Comparison::LessEqual,
            Token::Greater => Comparison::Greater,
            Token::GreaterEqual => Comparison::GreaterEqual,
            Token::Equal => Comparison::Equal,
            Token::NotEqual => Comparison::NotEqual,
        };
        let comparison =
            sum.clone()
                .then(relation.then(sum).repeated().collect::<Vec<_>>())
                .map_with(|(first, rest), e| {
                    if rest.is_empty() { first } else { node(ExprKind::Compare(Box::new(first), rest), e.span()) }
                })
                .boxed();
        let negation = recursive(|negation| {
            choice((
                just(Token::Not)
                    .ignore_then(negation)
                    .map_with(|inner, e| node(ExprKind::Not(Box::new(inner)), e.span())),
                comparison,
            ))
            .boxed()
        });
        let conjunction = negation
            .separated_by(just(Token::And))
            .at_least(1)
            .collect::<Vec<_>>()
            .map_with(|parts, e| joined(parts, ExprKind::And, e.span()));
        conjunction
            .separated_by(just(Token::Or))
            .at_least(1)
            .collect::<Vec<_>>()
            .map_with(|parts, e| joined(parts, ExprKind::Or, e.span()))
            .boxed()
    })
}

fn chain(first: Expr, rest: Vec<(bool, Expr)>, kind: fn(Vec<(bool, Expr)>) -> ExprKind, span: SimpleSpan) -> Expr {
    if rest.is_empty() {
        return first;
    }
    let mut parts = Vec::with_capacity(rest.len() + 1);
    parts.push((false, first));
    parts.extend(rest);
    node(kind(parts), span)
}

fn joined(mut parts: Vec<Expr>, kind: fn(Vec<Expr>) -> ExprKind, span: SimpleSpan) -> Expr {
    match parts.len() {
        1 => parts.remove(0),
        _ => node(kind(parts), span),
    }
}
