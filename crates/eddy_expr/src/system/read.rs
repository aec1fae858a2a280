//! Statements to a system: sorts lines into equations, parameters, functions and definitions, then checks them.

use std::collections::{HashMap, HashSet};

use super::{
    MAX_FIELDS, MAX_PARAMETERS, Options, Parameter, System, solve_for,
    walk::{called_functions, high_rate, is_numeric, time_derivative, visit, visit_names},
};
use crate::{
    builtins,
    check::{Checker, Definition, DefinitionState, MAX_ERRORS, Meaning, UserFunction},
    diagnostic::{Code, Diagnostic, Span},
    ir::Graph,
    syntax::{self, Expr, ExprKind, Statement},
};

/// A line for a field, before its right-hand side is checked.
pub(super) struct FieldLine {
    pub name: String,
    pub name_span: Span,
    pub kind: FieldKind,
    pub right: Expr,
    pub span: Span,
}

pub(super) enum FieldKind {
    First,
    Second,
    Elliptic { left: Expr },
}

#[derive(Default)]
pub(super) struct Lines {
    /// Functions of the language that the text calls: their names are not free for anything else.
    called: HashSet<String>,
    /// Names that some expression of the text reads.
    read: HashSet<String>,
    /// Names that a line, or the caller, gives a value or an equation.
    given: HashSet<String>,
    pub fields: Vec<FieldLine>,
    pub parameters: Vec<Parameter>,
    pub functions: Vec<UserFunction>,
    pub definitions: Vec<Definition>,
    pub elliptic: Vec<(Expr, Expr, Span)>,
    pub errors: Vec<Diagnostic>,
}

pub(super) fn read(text: &str, options: &Options) -> Result<System, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    let statements = syntax::parse_statements(text, &mut errors);
    let broken = !errors.is_empty();
    let mut lines = Lines { errors, called: called_functions(&statements), ..Lines::default() };
    lines.note_names(&statements, options);
    for statement in &statements {
        lines.sort(statement);
    }
    lines.add_given_parameters(options);
    lines.find_elliptic_unknowns();
    lines.check_sizes(text);
    let names = lines.names();
    let dimension =
        options.dimension.map_or_else(|| infer_dimension(&statements, &names), |dimension| dimension.min(3));
    lines.check_coordinates(dimension);
    let system = super::build::build(&mut lines, &names, dimension, options, statements, broken);
    lines.errors.sort_by_key(|error| (error.span.start, error.span.end));
    lines.errors.dedup();
    lines.errors.truncate(MAX_ERRORS);
    match system {
        Some(system) if lines.errors.is_empty() => Ok(system),
        _ => {
            if lines.errors.is_empty() {
                lines.errors.push(Diagnostic::new(
                    Code::System,
                    Span::default(),
                    "The system cannot be read.",
                    "Check its lines one by one.",
                ));
            }
            Err(lines.errors)
        }
    }
}

impl Lines {
    fn fail(&mut self, code: Code, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(Diagnostic::new(code, span, message, hint));
    }

    fn note_names(&mut self, statements: &[Statement], options: &Options) {
        self.given = options.parameters.iter().map(|(name, _)| name.clone()).collect();
        for statement in statements {
            visit_names(&statement.right, &mut |name, _| {
                self.read.insert(name.to_string());
            });
            let Some(left) = &statement.left else { continue };
            match (&left.kind, solve_for::derivative(left)) {
                (_, Some((base, ..))) => {
                    self.given.insert(base);
                }
                (ExprKind::Name(name), _) => {
                    self.given.insert(name.clone());
                }
                _ => visit(left, &mut |part| {
                    if let Some((base, ..)) = solve_for::derivative(part) {
                        self.given.insert(base);
                    }
                }),
            }
        }
    }

    /// Whether a name alone on the left is a derivative, as in `phi_xx = -rho`: of a field that nothing else determines,
    /// unless the text reads the whole name as a value, such as a parameter `D_xx`.
    fn is_elliptic(&self, name: &str) -> bool {
        let Some((base, suffix)) = name.rsplit_once('_') else { return false };
        if base.is_empty() || builtins::orders_from_axes(suffix).is_none() || self.given.contains(base) {
            return false;
        }
        self.read.contains(base) || (suffix.len() > 1 && !self.read.contains(name))
    }

    fn sort(&mut self, statement: &Statement) {
        let Some(left) = &statement.left else {
            self.fail(
                Code::System,
                statement.span,
                "This line defines nothing.",
                "Write u_t = … for a field, D = 0.1 for a parameter, f(s) = … for a function.",
            );
            return;
        };
        if let Some((what, span)) = statement.extra()
            && !matches!(&left.kind, ExprKind::Name(name) if time_derivative(name).is_none())
        {
            self.fail(Code::System, span, format!("Only a parameter has a {what}."), "Remove it from this line.");
            return;
        }
        if let Some((base, order, span)) = solve_for::derivative(left) {
            self.evolution(&base, order, span, statement);
            return;
        }
        let is_name = matches!(left.kind, ExprKind::Name(_));
        if !(is_name && is_numeric(&statement.right, true)) && self.refuse_high_rates(left) {
            return;
        }
        match &left.kind {
            ExprKind::Name(name) if self.is_elliptic(name) => self.implicit(left, statement),
            ExprKind::Name(name) => self.named(name, left.span, statement),
            ExprKind::Call { name, arguments, .. } => {
                let plain: Option<Vec<String>> = arguments
                    .iter()
                    .map(|argument| match &argument.kind {
                        ExprKind::Name(name) => Some(name.clone()),
                        _ => None,
                    })
                    .collect();
                match plain {
                    Some(arguments) if builtins::function(name).is_none() && !arguments.is_empty() => {
                        self.function(name, arguments, left.span, statement);
                    }
                    _ if builtins::function(name).is_some() => self.implicit(left, statement),
                    _ => self.fail(
                        Code::Definition,
                        left.span,
                        format!("The arguments of '{name}' must be plain names."),
                        format!("Write {name}(s) = … with a name for each argument."),
                    ),
                }
            }
            ExprKind::Error => {}
            _ => self.implicit(left, statement),
        }
    }

    /// Tells of u_ttt or u''' on the left of a line, where no line gives that name a value.
    fn refuse_high_rates(&mut self, left: &Expr) -> bool {
        let mut found: Option<(String, Span)> = None;
        let is_alone = matches!(left.kind, ExprKind::Name(_));
        visit_names(left, &mut |name, span| {
            let base = high_rate(name).filter(|_| !(if is_alone { &self.read } else { &self.given }).contains(name));
            found = found.take().or(base.map(|base| (base.to_owned(), span)));
        });
        let Some((base, span)) = found else { return false };
        self.fail(
            Code::System,
            span,
            "An equation has rates of change up to the second.",
            format!("Give the lower ones names and a line each: {base}_t = v, v_t = w, w_t = …."),
        );
        true
    }

    /// A line with an expression on its left: solved for a rate of change, or an elliptic one.
    fn implicit(&mut self, left: &Expr, statement: &Statement) {
        match solve_for::rate(left, &statement.right) {
            Ok(Some(solved)) => {
                let statement =
                    Statement { left: None, right: solved.right, range: None, unit: None, span: statement.span };
                self.evolution(&solved.base, solved.order, solved.span, &statement);
            }
            Ok(None) => self.elliptic.push((left.clone(), statement.right.clone(), statement.span)),
            Err(error) => self.errors.push(error),
        }
    }

    fn evolution(&mut self, base: &str, order: usize, span: Span, statement: &Statement) {
        // x, y and z may be fields of a system without those axes (Lorenz); see `check_coordinates`.
        let reserved = builtins::is_reserved(base) && builtins::coordinate(base).is_none();
        if reserved || base.is_empty() {
            self.fail(
                Code::Definition,
                span,
                format!("'{base}' cannot be a field."),
                "Use another name: x, y, z and t are the coordinates and time.",
            );
            return;
        }
        self.fields.push(FieldLine {
            name: base.to_string(),
            name_span: span,
            kind: if order == 1 { FieldKind::First } else { FieldKind::Second },
            right: statement.right.clone(),
            span: statement.span,
        });
    }

    fn function(&mut self, name: &str, arguments: Vec<String>, span: Span, statement: &Statement) {
        let distinct: HashSet<&String> = arguments.iter().collect();
        if distinct.len() < arguments.len() {
            self.fail(
                Code::Definition,
                span,
                "Two arguments have the same name.",
                "Give each argument a name of its own.",
            );
            return;
        }
        self.functions.push(UserFunction { name: name.to_string(), arguments, body: statement.right.clone() });
        self.check_duplicate(name, span);
    }

    fn named(&mut self, name: &str, span: Span, statement: &Statement) {
        if builtins::is_reserved(name) {
            self.fail(
                Code::Definition,
                span,
                format!("'{name}' cannot be given a value."),
                "x, y, z and t are the coordinates and time; use another name.",
            );
            return;
        }
        if is_numeric(&statement.right, true) {
            let value = self.number(&statement.right);
            let range = statement.range.as_ref().map(|(low, high)| (self.number(low), self.number(high)));
            let range = match range {
                Some((Some(low), Some(high))) => {
                    if low >= high {
                        self.fail(
                            Code::Value,
                            statement.span,
                            "The range is empty.",
                            "Write the smaller number first: in [0, 1].",
                        );
                    } else if value.is_some_and(|value| !(low..=high).contains(&value)) {
                        self.fail(
                            Code::Value,
                            statement.right.span,
                            format!("The value of '{name}' lies outside its range [{low}, {high}]."),
                            "Change the value or widen the range.",
                        );
                    }
                    Some((low, high))
                }
                _ => None,
            };
            self.parameters.push(Parameter {
                name: name.to_string(),
                value: value.unwrap_or(0.0),
                range,
                unit: statement.unit.as_ref().map(|(unit, _)| unit.clone()).unwrap_or_default(),
                span: Some(span),
            });
        } else {
            if let Some((what, span)) = statement.extra() {
                self.fail(
                    Code::System,
                    span,
                    format!("Only a plain number has a {what}."),
                    "Make it a parameter with a number, and use that in the formula.",
                );
            }
            self.definitions.push(Definition {
                name: name.to_string(),
                span: statement.span,
                body: statement.right.clone(),
                state: DefinitionState::Fresh,
            });
        }
        self.check_duplicate(name, span);
    }

    fn check_duplicate(&mut self, name: &str, span: Span) {
        let count = self.parameters.iter().filter(|other| other.name == name).count()
            + self.functions.iter().filter(|other| other.name == name).count()
            + self.definitions.iter().filter(|other| other.name == name).count();
        if count > 1 {
            self.fail(
                Code::Definition,
                span,
                format!("'{name}' is defined twice."),
                "Remove one of the lines, or rename it.",
            );
        }
        if self.is_taken(name) {
            self.fail(Code::Definition, span, format!("'{name}' is a function of the language."), "Use another name.");
        }
    }

    /// Whether a name means a function here. Rates are named k1 and exponents gamma, and few call those functions.
    fn is_taken(&self, name: &str) -> bool {
        match builtins::function(name) {
            Some(builtins::Function::Operator(_)) => true,
            Some(_) => self.called.contains(name) || self.functions.iter().any(|function| function.name == name),
            None => false,
        }
    }

    /// A finite number, evaluated without names.
    fn number(&mut self, expr: &Expr) -> Option<f64> {
        let names = HashMap::new();
        let mut graph = Graph::new(0);
        let mut checker = Checker::new(&mut graph, 0, &names, &[], Vec::new(), &[]);
        let value = checker.scalar(expr);
        let errors = std::mem::take(&mut checker.errors);
        let number = value.and_then(|id| graph.real_value(id));
        if number.is_none() && errors.is_empty() {
            self.fail(
                Code::Value,
                expr.span,
                "This has no finite value.",
                "Write a number; check for division by zero and roots of negative numbers.",
            );
        }
        self.errors.extend(errors);
        number
    }

    fn add_given_parameters(&mut self, options: &Options) {
        for (name, value) in &options.parameters {
            match self.parameters.iter_mut().find(|parameter| parameter.name == *name) {
                Some(parameter) => parameter.value = *value,
                None => {
                    // A definition of the same name gives way: the caller knows better.
                    self.definitions.retain(|definition| definition.name != *name);
                    let unit = String::new();
                    self.parameters.push(Parameter {
                        name: name.clone(),
                        value: *value,
                        range: None,
                        unit,
                        span: None,
                    });
                }
            }
        }
    }

    /// The one name on the left of an elliptic line that nothing else defines.
    fn find_elliptic_unknowns(&mut self) {
        let mut known: HashSet<String> = self.fields.iter().map(|field| field.name.clone()).collect();
        known.extend(self.parameters.iter().map(|parameter| parameter.name.clone()));
        known.extend(self.definitions.iter().map(|definition| definition.name.clone()));
        for (left, right, span) in std::mem::take(&mut self.elliptic) {
            let mut unknown: Vec<(String, Span)> = Vec::new();
            visit_names(&left, &mut |name, span| {
                let base = match name.rsplit_once('_') {
                    Some((base, suffix)) if builtins::orders_from_axes(suffix).is_some() => base,
                    _ => name,
                };
                let is_builtin = builtins::is_reserved(base) || builtins::constant(base).is_some() || base == "i";
                if !known.contains(base)
                    && !known.contains(name)
                    && !is_builtin
                    && !unknown.iter().any(|(other, _)| other == base)
                {
                    unknown.push((base.to_string(), span));
                }
            });
            match unknown.as_slice() {
                [(name, name_span)] => {
                    known.insert(name.clone());
                    self.fields.push(FieldLine { name: name.clone(), name_span: *name_span, kind: FieldKind::Elliptic { left }, right, span });
                }
                [] => self.fail(
                    Code::System,
                    left.span,
                    "This line has no unknown to solve for.",
                    "An elliptic line such as lap(psi) = -w solves for a field that no other line defines; to define a value, write a single name on the left.",
                ),
                several => {
                    let list = several.iter().map(|(name, _)| format!("'{name}'")).collect::<Vec<_>>().join(" and ");
                    let span = several[1].1;
                    self.fail(
                        Code::System,
                        span,
                        format!("This line has several unknowns: {list}."),
                        "Give all but one a value or an equation on a line of its own.",
                    );
                }
            }
        }
        // Fields in time come first, elliptic ones after them.
        let is_elliptic = |field: &mut FieldLine| matches!(field.kind, FieldKind::Elliptic { .. });
        let elliptic: Vec<FieldLine> = self.fields.extract_if(.., is_elliptic).collect();
        self.fields.extend(elliptic);
    }

    fn check_sizes(&mut self, text: &str) {
        let mut seen: HashMap<String, ()> = HashMap::new();
        let taken: HashSet<String> = self
            .parameters
            .iter()
            .map(|parameter| parameter.name.clone())
            .chain(self.definitions.iter().map(|definition| definition.name.clone()))
            .chain(self.functions.iter().map(|function| function.name.clone()))
            .collect();
        let mut errors = Vec::new();
        for field in &self.fields {
            if seen.insert(field.name.clone(), ()).is_some() || taken.contains(&field.name) {
                errors.push(Diagnostic::new(
                    Code::Definition,
                    field.name_span,
                    format!("'{}' is defined twice.", field.name),
                    "Each field has one equation, and no parameter or function of its name.",
                ));
            }
            if self.is_taken(&field.name) {
                errors.push(Diagnostic::new(
                    Code::Definition,
                    field.name_span,
                    format!("'{}' is a function of the language.", field.name),
                    "Use another name for the field.",
                ));
            }
        }
        if self.fields.len() > MAX_FIELDS {
            errors.push(Diagnostic::new(
                Code::TooLarge,
                self.fields[MAX_FIELDS].span,
                format!("There are {} fields; {MAX_FIELDS} is the most.", self.fields.len()),
                "Remove fields, or put them in through user functions.",
            ));
        }
        if self.parameters.len() > MAX_PARAMETERS {
            let span = self.parameters[MAX_PARAMETERS].span.unwrap_or_default();
            errors.push(Diagnostic::new(
                Code::TooLarge,
                span,
                format!("There are more than {MAX_PARAMETERS} parameters."),
                "Write numbers in place of some.",
            ));
        }
        if self.fields.is_empty() && self.errors.is_empty() {
            let slope = self.definitions.iter().find_map(|definition| {
                let (base, axes) = definition.name.rsplit_once('_')?;
                builtins::orders_from_axes(axes).map(|_| (base, axes, &definition.name, definition.span))
            });
            let end = text.chars().count();
            let (span, hint) = match slope {
                Some((base, axes, name, span)) => {
                    (span, format!("If {name} is meant as a derivative of a field {base}, write d{axes}({base}) = …."))
                }
                None => (Span::new(0, end), "Write one for each field, for example u_t = lap(u).".to_owned()),
            };
            errors.push(Diagnostic::new(Code::System, span, "There is no equation.", hint));
        }
        self.errors.extend(errors);
    }

    /// A field may be named x only where there is no axis x.
    fn check_coordinates(&mut self, dimension: u8) {
        let clashes: Vec<(String, Span)> = self
            .fields
            .iter()
            .filter(|field| builtins::coordinate(&field.name).is_some_and(|axis| axis < dimension))
            .map(|field| (field.name.clone(), field.name_span))
            .collect();
        for (name, span) in clashes {
            self.fail(
                Code::Definition,
                span,
                format!("'{name}' cannot be a field here: it is a coordinate of the domain."),
                "Use another name.",
            );
        }
    }

    fn names(&self) -> HashMap<String, Meaning> {
        let mut names = HashMap::new();
        for (index, function) in self.functions.iter().enumerate() {
            names.insert(function.name.clone(), Meaning::Function(index));
        }
        for (index, definition) in self.definitions.iter().enumerate() {
            names.insert(definition.name.clone(), Meaning::Definition(index));
        }
        for (index, parameter) in self.parameters.iter().enumerate() {
            names.insert(parameter.name.clone(), Meaning::Parameter(index as u16));
        }
        for (index, field) in self.fields.iter().enumerate() {
            names.insert(field.name.clone(), Meaning::Variable(index as u16));
        }
        names
    }
}

/// The number of axes that the text speaks of: at least one where it has a derivative in space at all.
fn infer_dimension(statements: &[Statement], names: &HashMap<String, Meaning>) -> u8 {
    let mut dimension = 0u8;
    let mut see = |name: &str, called: bool| {
        let axes = if called {
            match builtins::function(name) {
                Some(builtins::Function::Operator(builtins::Operator::Partial(orders))) => Some(orders),
                Some(builtins::Function::Operator(operator)) => {
                    use builtins::Operator::{Bilaplacian, Curl, Divergence, Gradient, Laplacian, Upwind};
                    match operator {
                        Laplacian | Bilaplacian | Gradient | Divergence | Upwind => Some([1, 0, 0]),
                        Curl => Some([0, 1, 0]),
                        _ => None,
                    }
                }
                _ => None,
            }
        } else if names.contains_key(name) {
            None
        } else if let Some(axis) = builtins::coordinate(name) {
            let mut orders = [0; 3];
            orders[usize::from(axis)] = 1;
            Some(orders)
        } else {
            name.rsplit_once('_')
                .filter(|(base, _)| names.contains_key(*base))
                .and_then(|(_, suffix)| builtins::orders_from_axes(suffix))
        };
        if let Some(orders) = axes {
            for axis in 0..3u8 {
                if orders[usize::from(axis)] > 0 {
                    dimension = dimension.max(axis + 1);
                }
            }
        }
    };
    for statement in statements {
        for expr in statement.left.iter().chain([&statement.right]) {
            visit(expr, &mut |part| match &part.kind {
                ExprKind::Name(name) => see(name, false),
                ExprKind::Call { name, .. } => see(name, true),
                _ => {}
            });
        }
    }
    dimension
}
