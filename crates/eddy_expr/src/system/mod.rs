//! Systems of equations: what a user types to define a problem.

mod build;
mod growth;
mod read;
mod solve_for;
mod symbol;
mod walk;

pub use symbol::LinearSymbol;

use crate::{
    check::Integral,
    diagnostic::{Code, Diagnostic, Span},
    ir::{Graph, Id, Leaf, Node},
    lower::latex,
    split::{self, Split, SplitError},
    syntax::Statement,
};

/// Most fields in a system, elliptic and algebraic ones included.
pub const MAX_FIELDS: usize = 8;
/// Most parameters in a system.
pub const MAX_PARAMETERS: usize = 128;

/// What is known about a problem besides its text.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Axes of the domain, 0 (ordinary differential equations) to 3; found from the text where not given.
    pub dimension: Option<u8>,
    /// Values of parameters, which replace those in the text or add to them.
    pub parameters: Vec<(String, f64)>,
    /// Fields to be complex although their equations are real, as when an initial value is complex.
    pub complex_fields: Vec<String>,
    /// Definitions to be fields although they read none, such as `D = 1 + 0.5*sin(x)` where D is to be found from data.
    pub fields: Vec<String>,
    /// Whether lines such as `lap(u) = u^3` are allowed: elliptic ones that are not linear in their unknown. The solvers
    /// want linear ones.
    pub is_nonlinear: bool,
}

impl Options {
    pub fn new(dimension: u8) -> Self {
        Self { dimension: Some(dimension), ..Self::default() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// u_t = …
    FirstOrder,
    /// u_tt = …; `velocity` is the variable of u_t.
    SecondOrder { velocity: u16 },
    /// The time derivative of a second-order field.
    Velocity { of: u16 },
    /// Solves an elliptic line such as lap(psi) = -w.
    Elliptic,
    /// Given by its expression in other fields.
    Algebraic,
}

/// A field, or the velocity of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: String,
    pub role: Role,
    pub is_complex: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub value: f64,
    pub range: Option<(f64, f64)>,
    /// As written behind it; empty where nothing is.
    pub unit: String,
    /// The characters of the name, where it is in the text.
    pub span: Option<Span>,
}

/// One line of the system, by the variable it determines. Ids are nodes of [`System::graph`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Equation {
    /// ∂variable/∂t = rate. A second-order field has two: its own, with its velocity as rate, and the velocity's.
    Evolution { variable: u16, rate: Id, span: Span },
    /// left = right, solved for the variable; linear in it.
    Elliptic { variable: u16, left: Id, right: Id, span: Span },
    /// variable = value.
    Algebraic { variable: u16, value: Id, span: Span },
}

/// A checked system.
#[derive(Clone, Debug)]
pub struct System {
    pub dimension: u8,
    /// Index is that of [`Leaf::Variable`]: fields in time first, then elliptic ones, velocities, algebraic ones.
    pub variables: Vec<Variable>,
    /// Index is that of [`Leaf::Parameter`].
    pub parameters: Vec<Parameter>,
    /// Evolution equations first, then elliptic, then algebraic ones, each such that an algebraic field only needs
    /// algebraic fields before it.
    pub equations: Vec<Equation>,
    /// Index is that of [`Leaf::Integral`].
    pub integrals: Vec<Integral>,
    /// Noise channels used.
    pub noise_channels: u16,
    pub graph: Graph,
    statements: Vec<Statement>,
}

impl System {
    /// Reads and checks a text. All errors found are returned, each at its characters.
    pub fn parse(text: &str, options: &Options) -> Result<Self, Vec<Diagnostic>> {
        read::read(text, options)
    }

    pub fn variable(&self, name: &str) -> Option<u16> {
        self.variables.iter().position(|variable| variable.name == name).map(|index| index as u16)
    }

    pub fn parameter(&self, name: &str) -> Option<u16> {
        self.parameters.iter().position(|parameter| parameter.name == name).map(|index| index as u16)
    }

    /// Values of the parameters, in order.
    pub fn parameter_values(&self) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.value).collect()
    }

    /// The variables that are stepped in time.
    pub fn stepped(&self) -> impl Iterator<Item = u16> + '_ {
        (0u16..)
            .zip(&self.variables)
            .filter(|(_, variable)| !matches!(variable.role, Role::Elliptic | Role::Algebraic))
            .map(|(index, _)| index)
    }

    /// What is to be fulfilled, by the field it belongs to: the order in time of the left side and the right one; for
    /// elliptic lines order 0 and left less right. Algebraic fields have none, and neither has a field of second order
    /// itself, whose rate is its velocity.
    pub(crate) fn residual_lines(&mut self) -> Vec<(u16, u8, Id)> {
        let mut lines = Vec::new();
        for equation in self.equations.clone() {
            match equation {
                Equation::Evolution { variable, rate, .. } => match self.variables[usize::from(variable)].role {
                    Role::SecondOrder { .. } => {}
                    Role::Velocity { of } => lines.push((of, 2, rate)),
                    _ => lines.push((variable, 1, rate)),
                },
                Equation::Elliptic { variable, left, right, .. } => {
                    let difference = self.graph.sub(left, right);
                    lines.push((variable, 0, difference));
                }
                Equation::Algebraic { .. } => {}
            }
        }
        lines
    }

    /// Forgets what gives an algebraic field: from here on it is read like a field that is solved for, and has no equation.
    /// Returns whether there was such a field.
    pub fn free(&mut self, wanted: u16) -> bool {
        let before = self.equations.len();
        self.equations.retain(|e| !matches!(e, Equation::Algebraic { variable, .. } if *variable == wanted));
        let is_freed = self.equations.len() < before;
        if is_freed {
            self.variables[usize::from(wanted)].role = Role::Elliptic;
        }
        is_freed
    }

    /// Takes out the line of an algebraic field that no other line reads, and returns its value.
    pub fn take(&mut self, wanted: u16) -> Option<Id> {
        let is_it = |e: &Equation| matches!(e, Equation::Algebraic { variable, .. } if *variable == wanted);
        let at = self.equations.iter().position(is_it)?;
        match self.equations.remove(at) {
            Equation::Algebraic { value, .. } => Some(value),
            _ => None,
        }
    }

    /// ∂variable/∂t, for variables that are stepped.
    pub fn rate(&self, wanted: u16) -> Option<Id> {
        self.equations.iter().find_map(|equation| match equation {
            Equation::Evolution { variable, rate, .. } if *variable == wanted => Some(*rate),
            _ => None,
        })
    }

    /// The right-hand side of a stepped variable with algebraic fields put in, split into linear part, fluxes, rest
    /// and noise. `None` for a variable that is not stepped.
    pub fn split(&mut self, variable: u16) -> Option<Result<Split, Diagnostic>> {
        let (rate, span) = self.equations.iter().find_map(|equation| match equation {
            Equation::Evolution { variable: other, rate, span } if *other == variable => Some((*rate, *span)),
            _ => None,
        })?;
        Some(self.split_value(rate, span))
    }

    /// left - right of an elliptic variable, split: its linear part holds the operator, and sources that are linear
    /// in other fields; the rest holds the other sources.
    pub fn split_elliptic(&mut self, variable: u16) -> Option<Result<Split, Diagnostic>> {
        let (left, right, span) = self.equations.iter().find_map(|equation| match equation {
            Equation::Elliptic { variable: other, left, right, span } if *other == variable => {
                Some((*left, *right, *span))
            }
            _ => None,
        })?;
        let difference = self.graph.sub(left, right);
        Some(self.split_value(difference, span))
    }

    fn split_value(&mut self, value: Id, span: Span) -> Result<Split, Diagnostic> {
        let value = self.inlined(&[value]).map_err(|error| too_large(span, &error.to_string()))?[0];
        split::split(&mut self.graph, value).map_err(|error| match error {
            SplitError::Noise => Diagnostic::new(
                Code::System,
                span,
                "Noise stands where it cannot.",
                format!("{}.", capital(&error.to_string())),
            ),
            SplitError::Rewrite(_) => too_large(span, &error.to_string()),
        })
    }

    /// The values with algebraic fields replaced by their expressions.
    pub fn inlined(&mut self, roots: &[Id]) -> Result<Vec<Id>, crate::ir::rewrite::RewriteError> {
        let mut values: std::collections::HashMap<u16, Id> = std::collections::HashMap::new();
        let algebraic: Vec<(u16, Id)> = self
            .equations
            .iter()
            .filter_map(|equation| match equation {
                Equation::Algebraic { variable, value, .. } => Some((*variable, *value)),
                _ => None,
            })
            .collect();
        for (variable, value) in algebraic {
            let value = replace_variables(&mut self.graph, &[value], &values)?[0];
            values.insert(variable, value);
        }
        replace_variables(&mut self.graph, roots, &values)
    }

    /// LaTeX of each line that defines a field, as typed, in the order of the text.
    pub fn latex(&self) -> Vec<String> {
        self.statements.iter().filter(|statement| !self.is_parameter_line(statement)).map(latex::statement).collect()
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Whether a line of this name alone is a definition that reads no field: neither a parameter nor a variable.
    pub(crate) fn defines(&self, name: &str) -> bool {
        let is_elliptic = || {
            let base = name.rsplit_once('_').map(|(base, _)| base);
            base.is_some_and(|base| self.variable(base).is_some())
        };
        walk::time_derivative(name).is_none()
            && self.parameter(name).is_none()
            && self.variable(name).is_none()
            && !is_elliptic()
    }

    fn is_parameter_line(&self, statement: &Statement) -> bool {
        match statement.left.as_ref().map(|left| &left.kind) {
            Some(crate::syntax::ExprKind::Name(name)) => self.parameter(name).is_some(),
            _ => false,
        }
    }

    /// Highest spatial derivative that appears, by axis, in any equation after expansion.
    pub fn highest_orders(&mut self) -> Result<[u8; 3], crate::ir::rewrite::RewriteError> {
        let roots = self.roots();
        let expanded = self.graph.expand_derivatives(&roots)?;
        let needed = self.graph.reachable(&expanded);
        let mut highest = [0u8; 3];
        for (id, node) in self.graph.nodes() {
            if needed[id.index()] {
                match node {
                    Node::Derivative(orders, _) => {
                        for axis in 0..3 {
                            highest[axis] = highest[axis].max(orders[axis]);
                        }
                    }
                    Node::Upwind(axis, ..) => highest[usize::from(axis)] = highest[usize::from(axis)].max(1),
                    _ => {}
                }
            }
        }
        Ok(highest)
    }

    fn roots(&self) -> Vec<Id> {
        self.equations
            .iter()
            .flat_map(|equation| match equation {
                Equation::Evolution { rate, .. } => vec![*rate],
                Equation::Elliptic { left, right, .. } => vec![*left, *right],
                Equation::Algebraic { value, .. } => vec![*value],
            })
            .chain(self.integrals.iter().map(|integral| integral.integrand))
            .collect()
    }
}

fn replace_variables(
    graph: &mut Graph,
    roots: &[Id],
    values: &std::collections::HashMap<u16, Id>,
) -> Result<Vec<Id>, crate::ir::rewrite::RewriteError> {
    graph.map(roots, |_, _, node| match node {
        Node::Leaf(Leaf::Variable(variable)) => values.get(&variable).copied(),
        _ => None,
    })
}

fn too_large(span: Span, message: &str) -> Diagnostic {
    Diagnostic::new(
        Code::TooLarge,
        span,
        format!("{}.", capital(message)),
        "Use algebraic fields (w = …) for repeated parts.",
    )
}

fn capital(text: &str) -> String {
    crate::check::capital(text)
}
