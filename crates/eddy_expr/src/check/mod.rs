//! From syntax trees to the typed graph: names get their meaning, kinds and dimensions are checked.

mod operators;
mod values;

use std::collections::HashMap;

pub use values::Value;

use crate::{
    builtins::{self, Function},
    diagnostic::{Code, Diagnostic, Span, did_you_mean},
    ir::{Graph, Id, Kind, Leaf, Node, Op1, Op2},
    syntax::{Comparison, Expr, ExprKind},
};

/// Most steps of elaboration of one text; user functions that call one another can multiply work.
const MAX_STEPS: usize = 200_000;
/// Deepest chain of trees within user functions within definitions.
const MAX_ELABORATION_DEPTH: usize = 160;
/// Errors kept per text.
pub(crate) const MAX_ERRORS: usize = 20;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    Parameter(u16),
    Variable(u16),
    /// A definition, by index; see [`Definition`].
    Definition(usize),
    /// A user function, by index.
    Function(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct UserFunction {
    pub name: String,
    pub arguments: Vec<String>,
    pub body: Expr,
}

/// `name = expression` that is not a plain number.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub name: String,
    pub span: Span,
    pub body: Expr,
    pub state: DefinitionState,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DefinitionState {
    Fresh,
    Busy,
    /// Used in place of its name.
    Alias(Value),
    /// A field of its own: variable index and value.
    Field(u16, Id),
    Failed,
}

/// An integral over the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integral {
    /// Divide by the volume of the domain.
    pub is_mean: bool,
    pub integrand: Id,
}

/// Turns trees into graph nodes.
pub(crate) struct Checker<'a> {
    pub graph: &'a mut Graph,
    pub dimension: u8,
    pub names: &'a HashMap<String, Meaning>,
    pub functions: &'a [UserFunction],
    pub definitions: Vec<Definition>,
    /// For each variable: the variable that is its time derivative.
    pub velocities: HashMap<u16, u16>,
    /// Called when a definition turns out to be a field; gives its variable index.
    pub next_variable: u16,
    /// Names of complex fields, as far as known.
    pub complex_names: &'a [String],
    /// Names of definitions that are fields whatever they read.
    pub field_names: &'a [String],
    pub integrals: Vec<Integral>,
    pub noise_channels: u16,
    pub errors: Vec<Diagnostic>,
    /// Whether noise, integrals and derivatives may appear.
    pub in_system: bool,
    locals: Vec<HashMap<String, Value>>,
    /// User functions being worked out, by index.
    calls: Vec<usize>,
    steps: usize,
    depth: usize,
}

impl<'a> Checker<'a> {
    pub fn new(
        graph: &'a mut Graph,
        dimension: u8,
        names: &'a HashMap<String, Meaning>,
        functions: &'a [UserFunction],
        definitions: Vec<Definition>,
        complex_names: &'a [String],
    ) -> Self {
        Self {
            graph,
            dimension,
            names,
            functions,
            definitions,
            velocities: HashMap::new(),
            next_variable: 0,
            complex_names,
            field_names: &[],
            integrals: Vec::new(),
            noise_channels: 0,
            errors: Vec::new(),
            in_system: true,
            locals: Vec::new(),
            calls: Vec::new(),
            steps: 0,
            depth: 0,
        }
    }

    /// Records an error; the `None` it gives means "already reported".
    pub(crate) fn fail<T>(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(Diagnostic::new(code, span, message, hint));
        }
        None
    }

    /// The value of a tree, or `None` after an error was recorded.
    pub fn value(&mut self, expr: &Expr) -> Option<Value> {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.graph.is_too_large() {
            // Reported once; everything after it would fail alike.
            if !self.errors.iter().any(|error| error.code == Code::TooLarge) {
                return self.fail(
                    Code::TooLarge,
                    expr.span,
                    "The equations grow too large when functions and definitions are put in.",
                    "Make the result of a function an algebraic field (w = …) and use w.",
                );
            }
            return None;
        }
        if self.depth > MAX_ELABORATION_DEPTH {
            return self.fail(
                Code::TooLarge,
                expr.span,
                "Functions and definitions are nested too deep here.",
                "Let fewer functions call one another; a function may not call itself.",
            );
        }
        self.depth += 1;
        let value = self.value_inner(expr);
        self.depth -= 1;
        value
    }

    fn value_inner(&mut self, expr: &Expr) -> Option<Value> {
        match &expr.kind {
            ExprKind::Number(number) => Some(Value::Scalar(self.graph.real(*number))),
            ExprKind::Name(name) => self.named(name, expr.span),
            ExprKind::Call { name, name_span, arguments } => self.call(name, *name_span, arguments, expr.span),
            ExprKind::Vector(parts) => {
                if parts.is_empty() || parts.len() > 3 {
                    return self.fail(
                        Code::Dimension,
                        expr.span,
                        format!("A vector has one to three components, not {}.", parts.len()),
                        "Write one component per axis, for example [u, v].",
                    );
                }
                let components: Vec<Option<Id>> = parts.iter().map(|part| self.scalar(part)).collect();
                components.into_iter().collect::<Option<Vec<Id>>>().map(Value::Vector)
            }
            ExprKind::Negative(inner) => {
                let value = self.number_or_vector(inner)?;
                Some(value.map(|id| self.graph.neg(id)))
            }
            ExprKind::Power(base, exponent) => {
                let (base_id, exponent_id) = (self.scalar(base), self.scalar(exponent));
                Some(Value::Scalar(self.graph.pow(base_id?, exponent_id?)))
            }
            ExprKind::Sum(terms) => self.sum(terms),
            ExprKind::Product(factors) => self.product(factors),
            ExprKind::Compare(first, rest) => self.compare(first, rest),
            ExprKind::Not(inner) => {
                let inner = self.truth(inner)?;
                Some(Value::Scalar(self.graph.unary(Op1::Not, inner)))
            }
            ExprKind::And(parts) => self.connect(parts, Op2::And),
            ExprKind::Or(parts) => self.connect(parts, Op2::Or),
            ExprKind::Error => None,
        }
    }

    fn sum(&mut self, terms: &[(bool, Expr)]) -> Option<Value> {
        let mut total: Option<Value> = None;
        let mut failed = false;
        for (subtracted, term) in terms {
            let Some(value) = self.number_or_vector(term) else {
                failed = true;
                continue;
            };
            total = match (total, value) {
                (None, value) => Some(if *subtracted { value.map(|id| self.graph.neg(id)) } else { value }),
                (Some(Value::Scalar(sum)), Value::Scalar(term)) => {
                    Some(Value::Scalar(self.signed_add(sum, term, *subtracted)))
                }
                (Some(Value::Vector(sum)), Value::Vector(term)) if sum.len() == term.len() => Some(Value::Vector(
                    sum.into_iter().zip(term).map(|(sum, term)| self.signed_add(sum, term, *subtracted)).collect(),
                )),
                (Some(sum), value) => {
                    return self.fail(
                        Code::Type,
                        term.span,
                        format!("{} cannot be added to {}.", capital(&value.describe()), sum.describe()),
                        "Add numbers to numbers and vectors to vectors of the same length; dot(v, w), div(v) and norm(v) make numbers of vectors.",
                    );
                }
            };
        }
        if failed { None } else { total }
    }

    fn signed_add(&mut self, sum: Id, term: Id, subtracted: bool) -> Id {
        if subtracted { self.graph.sub(sum, term) } else { self.graph.add(sum, term) }
    }

    fn product(&mut self, factors: &[(bool, Expr)]) -> Option<Value> {
        let mut total: Option<Value> = None;
        let mut failed = false;
        for (divided, factor) in factors {
            let Some(value) = self.number_or_vector(factor) else {
                failed = true;
                continue;
            };
            total = match (total, value, divided) {
                (None, value, _) => Some(value),
                (Some(Value::Scalar(product)), Value::Scalar(factor), false) => {
                    Some(Value::Scalar(self.graph.mul(product, factor)))
                }
                (Some(Value::Scalar(product)), Value::Scalar(divisor), true) => {
                    if self.graph.real_value(divisor) == Some(0.0) {
                        return self.fail(
                            Code::Value,
                            factor.span,
                            "This divides by zero.",
                            "Divide by something else.",
                        );
                    }
                    Some(Value::Scalar(self.graph.div(product, divisor)))
                }
                (Some(Value::Vector(product)), Value::Scalar(factor), _) => Some(Value::Vector(
                    product
                        .into_iter()
                        .map(|component| {
                            if *divided { self.graph.div(component, factor) } else { self.graph.mul(component, factor) }
                        })
                        .collect(),
                )),
                (Some(Value::Scalar(product)), Value::Vector(components), false) => Some(Value::Vector(
                    components.into_iter().map(|component| self.graph.mul(product, component)).collect(),
                )),
                (Some(_), Value::Vector(_), _) => {
                    return self.fail(
                        Code::Type,
                        factor.span,
                        if *divided { "A vector cannot divide." } else { "Two vectors stand in a product." },
                        "Write dot(v, w) for the inner product, cross(v, w) in three dimensions, or norm(v) for the length.",
                    );
                }
            };
        }
        if failed { None } else { total }
    }

    fn compare(&mut self, first: &Expr, rest: &[(Comparison, Expr)]) -> Option<Value> {
        let mut left = self.real_scalar(first, "compared");
        let mut total: Option<Id> = None;
        let mut failed = left.is_none();
        for (comparison, expr) in rest {
            let right = self.real_scalar(expr, "compared");
            if let (Some(a), Some(b)) = (left, right) {
                let graph = &mut *self.graph;
                let holds = match comparison {
                    Comparison::Less => graph.binary(Op2::Less, a, b),
                    Comparison::LessEqual => graph.binary(Op2::LessEqual, a, b),
                    Comparison::Greater => graph.binary(Op2::Less, b, a),
                    Comparison::GreaterEqual => graph.binary(Op2::LessEqual, b, a),
                    Comparison::Equal => graph.binary(Op2::Equal, a, b),
                    Comparison::NotEqual => {
                        let equal = graph.binary(Op2::Equal, a, b);
                        graph.unary(Op1::Not, equal)
                    }
                };
                total = Some(match total {
                    None => holds,
                    Some(before) => graph.binary(Op2::And, before, holds),
                });
            } else {
                failed = true;
            }
            left = right;
        }
        if failed { None } else { total.map(Value::Scalar) }
    }

    fn connect(&mut self, parts: &[Expr], op: Op2) -> Option<Value> {
        let parts: Vec<Option<Id>> = parts.iter().map(|part| self.truth(part)).collect();
        let mut total = None;
        for part in parts {
            let part = part?;
            total = Some(match total {
                None => part,
                Some(before) => self.graph.binary(op, before, part),
            });
        }
        total.map(Value::Scalar)
    }

    fn named(&mut self, name: &str, span: Span) -> Option<Value> {
        if let Some(value) = self.locals.last().and_then(|locals| locals.get(name)) {
            return Some(value.clone());
        }
        if let Some(meaning) = self.names.get(name).cloned() {
            return match meaning {
                Meaning::Parameter(index) => Some(Value::Scalar(self.graph.leaf(Leaf::Parameter(index)))),
                Meaning::Variable(index) => Some(Value::Scalar(self.graph.variable(index))),
                Meaning::Definition(index) => self.definition(index, span),
                Meaning::Function(index) => {
                    let arguments = self.functions[index].arguments.join(", ");
                    self.fail(
                        Code::Arity,
                        span,
                        format!("The function '{name}' stands without arguments."),
                        format!("Write {name}({arguments})."),
                    )
                }
            };
        }
        if let Some(axis) = builtins::coordinate(name) {
            if axis >= self.dimension {
                return self.axis_error(axis, span, &format!("The coordinate {name}"));
            }
            return Some(Value::Scalar(self.graph.leaf(Leaf::Coordinate(axis))));
        }
        if name == "t" {
            return Some(Value::Scalar(self.graph.leaf(Leaf::Time)));
        }
        if name == "i" {
            return Some(Value::Scalar(self.graph.imaginary()));
        }
        if let Some(value) = builtins::constant(name) {
            return Some(Value::Scalar(self.graph.real(value)));
        }
        if let Some(value) = self.subscripted(name, span) {
            return value;
        }
        if builtins::function(name).is_some() {
            return self.fail(
                Code::Arity,
                span,
                format!("'{name}' stands without arguments."),
                format!("Write {}.", builtins::signature(name)),
            );
        }
        self.unknown_name(name, span, false)
    }

    /// `u_xx` as a derivative, `u_t` as a velocity. The outer `None`: the name is not of that form.
    fn subscripted(&mut self, name: &str, span: Span) -> Option<Option<Value>> {
        let (base, suffix) = match name.strip_suffix('\'') {
            Some(base) => base.strip_suffix('\'').map_or((base, "t"), |base| (base, "tt")),
            None => name.rsplit_once('_')?,
        };
        let known = self.locals.last().is_some_and(|locals| locals.contains_key(base))
            || matches!(self.names.get(base), Some(Meaning::Variable(_) | Meaning::Definition(_)));
        if !known {
            return None;
        }
        if let Some(orders) = builtins::orders_from_axes(suffix) {
            let value = self.named(base, span)?;
            return Some(self.partial(orders, value, span));
        }
        if suffix == "t" || suffix == "tt" {
            if suffix == "t"
                && let Some(Meaning::Variable(index)) = self.names.get(base)
                && let Some(velocity) = self.velocities.get(index)
            {
                return Some(Some(Value::Scalar(self.graph.variable(*velocity))));
            }
            return Some(self.fail(
                Code::System,
                span,
                format!("The time derivative {name} cannot stand on the right."),
                format!("Only a field of second order in time ({base}_tt = …) has {base}_t as a value; put in the right-hand side of its equation instead."),
            ));
        }
        None
    }

    pub(crate) fn unknown_name<T>(&mut self, name: &str, span: Span, called: bool) -> Option<T> {
        let mut known: Vec<&str> = self.names.keys().map(String::as_str).collect();
        if let Some(locals) = self.locals.last() {
            known.extend(locals.keys().map(String::as_str));
        }
        known.sort_unstable();
        if called {
            known.retain(|other| matches!(self.names.get(*other), Some(Meaning::Function(_))));
            known.extend(builtins::FUNCTIONS.iter().map(|entry| entry.0));
            known.extend(["dx", "dy", "dz", "dxx", "dyy", "dzz"]);
        } else {
            known.extend(["x", "y", "z", "t", "pi"]);
        }
        let guess = did_you_mean(name, known).map(str::to_string);
        let message =
            if called { format!("There is no function '{name}'.") } else { format!("Nothing is named '{name}'.") };
        let hint = match &guess {
            Some(guess) => format!("Did you mean '{guess}'?"),
            None if called => {
                format!("Define it on a line of its own: {name}(s) = …; or write '*' before the bracket for a product.")
            }
            None => format!("Give it a value on a line of its own: {name} = 1 in [0, 2]."),
        };
        if self.errors.len() < MAX_ERRORS {
            let mut diagnostic = Diagnostic::new(Code::UnknownName, span, message, hint);
            diagnostic.replacement = guess;
            self.errors.push(diagnostic);
        }
        None
    }

    /// The value of a definition, worked out at its first use.
    pub(crate) fn definition(&mut self, index: usize, span: Span) -> Option<Value> {
        match &self.definitions[index].state {
            DefinitionState::Alias(value) => return Some(value.clone()),
            DefinitionState::Field(variable, _) => {
                let variable = *variable;
                return Some(Value::Scalar(self.graph.variable(variable)));
            }
            DefinitionState::Failed => return None,
            DefinitionState::Busy => {
                let name = self.definitions[index].name.clone();
                return self.fail(
                    Code::Definition,
                    span,
                    format!("The definition of '{name}' needs '{name}' itself."),
                    format!("If '{name}' should change in time, write {name}_t = …; if it solves an elliptic equation, write lap({name}) = …."),
                );
            }
            DefinitionState::Fresh => {}
        }
        self.definitions[index].state = DefinitionState::Busy;
        let body = self.definitions[index].body.clone();
        // A definition sees no arguments of the function that uses it.
        self.locals.push(HashMap::new());
        let value = self.value(&body);
        self.locals.pop();
        let Some(value) = value else {
            self.definitions[index].state = DefinitionState::Failed;
            return None;
        };
        let is_field = match &value {
            Value::Scalar(id) => self.needs_fields(*id) || self.field_names.contains(&self.definitions[index].name),
            Value::Vector(_) => false,
        };
        if let (true, Value::Scalar(id)) = (is_field, &value) {
            let id = self.as_number(*id);
            let variable = self.next_variable;
            self.next_variable += 1;
            if self.complex_names.contains(&self.definitions[index].name) {
                self.graph.set_complex(variable);
            }
            self.definitions[index].state = DefinitionState::Field(variable, id);
            return Some(Value::Scalar(self.graph.variable(variable)));
        }
        self.definitions[index].state = DefinitionState::Alias(value.clone());
        Some(value)
    }

    fn needs_fields(&self, id: Id) -> bool {
        let needed = self.graph.reachable(&[id]);
        self.graph.nodes().any(|(other, node)| {
            needed[other.index()] && matches!(node, Node::Leaf(Leaf::Variable(_) | Leaf::Noise(_) | Leaf::Integral(_)))
        })
    }

    fn call(&mut self, name: &str, name_span: Span, arguments: &[Expr], span: Span) -> Option<Value> {
        if self.locals.last().is_some_and(|locals| locals.contains_key(name)) {
            return self.not_a_function(name, name_span);
        }
        match self.names.get(name).cloned() {
            Some(Meaning::Function(index)) => self.user_call(index, arguments, span),
            Some(_) => self.not_a_function(name, name_span),
            None => match builtins::function(name) {
                Some(Function::Operator(operator)) => self.operator(operator, name, arguments, span),
                Some(function) => self.builtin(function, name, arguments, span),
                None => {
                    let simple_name = builtins::coordinate(name).is_some()
                        || builtins::constant(name).is_some()
                        || matches!(name, "t" | "i");
                    if simple_name {
                        self.not_a_function(name, name_span)
                    } else {
                        self.unknown_name(name, name_span, true)
                    }
                }
            },
        }
    }

    fn not_a_function(&mut self, name: &str, span: Span) -> Option<Value> {
        self.fail(Code::Arity, span, format!("'{name}' is not a function."), format!("For a product write {name}*(…)."))
    }

    fn user_call(&mut self, index: usize, arguments: &[Expr], span: Span) -> Option<Value> {
        let functions = self.functions;
        let function = &functions[index];
        if arguments.len() != function.arguments.len() {
            return self.fail(
                Code::Arity,
                span,
                format!("'{}' takes {} argument(s), not {}.", function.name, function.arguments.len(), arguments.len()),
                format!("Write {}({}).", function.name, function.arguments.join(", ")),
            );
        }
        if self.calls.contains(&index) {
            return self.fail(
                Code::Definition,
                span,
                format!("The function '{}' needs itself.", function.name),
                "A function may not call itself, nor one that calls it; write out the steps as functions of their own.",
            );
        }
        let values: Vec<Option<Value>> = arguments.iter().map(|argument| self.number_or_vector(argument)).collect();
        let mut locals = HashMap::new();
        for (name, value) in function.arguments.iter().zip(values) {
            locals.insert(name.clone(), value?);
        }
        self.locals.push(locals);
        self.calls.push(index);
        let value = self.value(&function.body);
        self.calls.pop();
        self.locals.pop();
        value
    }

    pub(crate) fn axis_error<T>(&mut self, axis: u8, span: Span, what: &str) -> Option<T> {
        let axis_name = ["x", "y", "z"][usize::from(axis.min(2))];
        let has = match self.dimension {
            0 => "this system has no space".to_string(),
            1 => "this domain has only x".to_string(),
            _ => "this domain has only x and y".to_string(),
        };
        self.fail(
            Code::Dimension,
            span,
            format!("{what} needs the axis {axis_name}, and {has}."),
            format!("Add the axis {axis_name} to the domain, or use another axis."),
        )
    }

    /// Whether the value is a truth value.
    pub(crate) fn is_truth(&self, id: Id) -> bool {
        self.graph.kind(id) == Kind::Truth
    }
}

pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
