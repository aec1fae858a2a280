//! One expression in coordinates, time and parameters: initial conditions, coefficients, boundary values.

use std::collections::HashMap;

use crate::{
    block::{BlockKernel, Column, EvalError, Field, Row},
    check::{Checker, Definition, DefinitionState, Meaning, UserFunction, Value},
    complex,
    diagnostic::{Code, Diagnostic, Span},
    ir::{Graph, Id, Leaf, Node, Orders},
    lower::latex,
    program::{Program, UniformInput},
    real::Real,
    simplify,
    syntax::{self, Expr, ExprKind},
    system::System,
};

/// The names that an expression may use besides `x y z t`, `pi e i` and the built-in functions.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Axes of the domain, 0 to 3.
    pub dimension: u8,
    /// Parameters, in the order in which values will be given.
    pub parameters: Vec<String>,
    /// Fields that may appear by value (not differentiated), in the order in which arrays will be given.
    pub fields: Vec<String>,
    functions: Vec<UserFunction>,
    definitions: Vec<Definition>,
}

impl Names {
    pub fn new(dimension: u8) -> Self {
        Self { dimension: dimension.min(3), ..Self::default() }
    }

    pub fn with_parameters<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.parameters.extend(names.into_iter().map(Into::into));
        self
    }

    /// With the parameters of a system, its functions, and what it defines without fields, such as `omega = sqrt(k)`.
    pub fn with_system(mut self, system: &System) -> Self {
        self.parameters.extend(system.parameters.iter().map(|parameter| parameter.name.clone()));
        for statement in system.statements() {
            match statement.left.as_ref().map(|left| &left.kind) {
                Some(ExprKind::Name(name)) if system.defines(name) => self.definitions.push(Definition {
                    name: name.clone(),
                    span: statement.span,
                    body: statement.right.clone(),
                    state: DefinitionState::Fresh,
                }),
                Some(ExprKind::Call { name, arguments, .. }) if crate::builtins::function(name).is_none() => {
                    let plain = arguments.iter().map(|argument| match &argument.kind {
                        ExprKind::Name(name) => Some(name.clone()),
                        _ => None,
                    });
                    if let Some(arguments) = plain.collect::<Option<Vec<String>>>() {
                        let body = statement.right.clone();
                        self.functions.push(UserFunction { name: name.clone(), arguments, body });
                    }
                }
                _ => {}
            }
        }
        self
    }

    pub fn with_fields<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.fields.extend(names.into_iter().map(Into::into));
        self
    }
}

/// Where a block of points lies and the numbers that hold there.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T> {
    /// x, y and z of the points; those beyond the dimension are ignored.
    pub coordinates: [Column<'a, T>; 3],
    pub time: f64,
    /// One value per name in [`Names::parameters`].
    pub parameters: &'a [f64],
    /// One array per name in [`Names::fields`], each as long as the block.
    pub fields: &'a [&'a [T]],
}

/// A checked expression, ready to evaluate.
#[derive(Clone, Debug)]
pub struct Expression {
    tree: Expr,
    graph: Graph,
    /// Real part, and imaginary part where the expression is complex.
    roots: Vec<Id>,
    is_complex: bool,
    program: Program,
    parameter_count: usize,
}

impl Expression {
    /// Reads and checks `text`. All errors found are returned, each at its characters.
    pub fn parse(text: &str, names: &Names) -> Result<Self, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let Some(tree) = syntax::parse_expression(text, &mut errors) else {
            return Err(errors);
        };
        let mut meanings = HashMap::new();
        for (index, function) in names.functions.iter().enumerate() {
            meanings.insert(function.name.clone(), Meaning::Function(index));
        }
        for (index, definition) in names.definitions.iter().enumerate() {
            meanings.insert(definition.name.clone(), Meaning::Definition(index));
        }
        for (index, name) in names.parameters.iter().enumerate() {
            meanings.insert(name.clone(), Meaning::Parameter(index as u16));
        }
        for (index, name) in names.fields.iter().enumerate() {
            meanings.insert(name.clone(), Meaning::Variable(index as u16));
        }
        let mut graph = Graph::new(0);
        let mut checker =
            Checker::new(&mut graph, names.dimension, &meanings, &names.functions, names.definitions.clone(), &[]);
        checker.in_system = false;
        let value = checker.value(&tree);
        let root = match value {
            Some(Value::Scalar(id)) => Some(checker.as_number(id)),
            Some(Value::Vector(_)) => checker.fail(
                Code::Type,
                tree.span,
                "The expression is a vector; a number is needed.",
                "Write one component, or norm(v) for the length.",
            ),
            None => None,
        };
        // Errors within a function or definition of a system have their characters in another text.
        let length = text.chars().count();
        errors.extend(checker.errors.into_iter().map(|mut error| {
            if error.span.end > length {
                error.span = tree.span;
            }
            error
        }));
        let Some(root) = root.filter(|_| errors.is_empty()) else {
            if errors.is_empty() {
                errors.push(Diagnostic::new(
                    Code::Syntax,
                    tree.span,
                    "The expression cannot be read.",
                    "Check its brackets.",
                ));
            }
            return Err(errors);
        };
        let mut real_graph = Graph::new(0);
        let pair = complex::split(&graph, &mut real_graph, &[root])[0];
        let is_complex = graph.is_complex(root) && real_graph.real_value(pair.1) != Some(0.0);
        let roots = if is_complex { vec![pair.0, pair.1] } else { vec![pair.0] };
        // Fields keep the slots of their order in `names`.
        let slots: Vec<Leaf> = (0..names.fields.len() as u16).map(Leaf::Variable).collect();
        let program = Program::compile(&real_graph, &roots, &slots).map_err(|error| {
            vec![Diagnostic::new(Code::TooLarge, tree.span, format!("{error}."), "Use a shorter expression.")]
        })?;
        Ok(Self { tree, graph: real_graph, roots, is_complex, program, parameter_count: names.parameters.len() })
    }

    /// The value of a text that holds only numbers, such as `2*pi`.
    pub fn constant(text: &str) -> Result<f64, Vec<Diagnostic>> {
        Self::number(text, &Names::new(0), &[])
    }

    /// The value of a text that holds numbers and parameters, such as `2*pi/k`.
    pub fn number(text: &str, names: &Names, parameters: &[f64]) -> Result<f64, Vec<Diagnostic>> {
        let expression = Self::parse(text, names)?;
        let (re, im) = expression.eval([0.0; 3], 0.0, parameters);
        let span = expression.tree.span;
        let error = |message: &str, hint: &str| Err(vec![Diagnostic::new(Code::Value, span, message, hint)]);
        if im != 0.0 {
            error("A real number is needed.", "Remove the imaginary part.")
        } else if expression.needs_time() {
            error("A plain number is needed.", "Write a number, for example 2*pi, without t.")
        } else if !re.is_finite() {
            error(
                "This has no finite value.",
                "Check for division by zero and for roots and logarithms of negative numbers.",
            )
        } else {
            Ok(re)
        }
    }

    /// Whether values have an imaginary part.
    pub fn is_complex(&self) -> bool {
        self.is_complex
    }

    /// Whether the value is the same at all points.
    pub fn is_uniform(&self) -> bool {
        self.program.code.is_empty()
            && self.program.outputs.iter().all(|output| matches!(output, crate::program::Operand::Uniform(_)))
    }

    /// Whether the value changes in time.
    pub fn needs_time(&self) -> bool {
        self.program.inputs().any(|input| input == UniformInput::Time)
    }

    /// Whether the value depends on coordinate 0, 1 or 2.
    pub fn needs_coordinate(&self, axis: u8) -> bool {
        self.graph.nodes().any(|(_, node)| node == Node::Leaf(Leaf::Coordinate(axis)))
    }

    /// A partial derivative in space; `None` where the value reads fields, which have none here, or grows too large. Of a
    /// function in pieces it is that of each piece.
    pub fn derivative(&self, orders: Orders) -> Option<Self> {
        let mut graph = self.graph.clone();
        let wanted: Vec<Id> = self.roots.iter().map(|root| graph.derivative(orders, *root)).collect();
        let mut roots = graph.expand_derivatives(&wanted).ok()?;
        roots = simplify::simplify(&mut graph, &roots);
        if graph.leaves(&roots).iter().any(|leaf| matches!(leaf, Leaf::Variable(_))) {
            return None;
        }
        let program = Program::compile(&graph, &roots, &[]).ok()?;
        Some(Self { graph, roots, program, tree: self.tree.clone(), ..*self })
    }

    /// LaTeX of the text as typed, without `$`.
    pub fn latex(&self) -> String {
        latex::expression(&self.tree)
    }

    /// The graph of real values, with the real part and, where there is one, the imaginary part.
    pub(crate) fn real_graph(&self) -> (&Graph, &[Id]) {
        (&self.graph, &self.roots)
    }

    /// The characters that the expression covers.
    pub fn span(&self) -> Span {
        self.tree.span
    }

    /// A kernel to call many times without allocation.
    pub fn kernel<T: Real>(&self) -> ExpressionKernel<T> {
        ExpressionKernel {
            inner: BlockKernel::new(self.program.clone()),
            is_complex: self.is_complex,
            parameter_count: self.parameter_count,
        }
    }

    /// The real part of the value at each point of a block of any length.
    pub fn eval_block<T: Real>(&self, inputs: &Inputs<'_, T>, out: &mut [T]) -> Result<(), EvalError> {
        let mut imaginary = vec![T::ZERO; if self.is_complex { out.len() } else { 0 }];
        self.kernel().eval(inputs, out, &mut imaginary)
    }

    /// Real and imaginary parts; the latter are set to zero where the expression is real.
    pub fn eval_block_complex<T: Real>(
        &self,
        inputs: &Inputs<'_, T>,
        re: &mut [T],
        im: &mut [T],
    ) -> Result<(), EvalError> {
        if !self.is_complex {
            im.fill(T::ZERO);
        }
        self.kernel().eval(inputs, re, im)
    }

    /// Real and imaginary part at one point. Without values for all parameters the result is not a number.
    pub fn eval(&self, point: [f64; 3], time: f64, parameters: &[f64]) -> (f64, f64) {
        let inputs = Inputs { coordinates: point.map(Column::Constant), time, parameters, fields: &[] };
        let (mut re, mut im) = ([0.0], [0.0]);
        match self.eval_block_complex(&inputs, &mut re, &mut im) {
            Ok(()) => (re[0], im[0]),
            Err(_) => (f64::NAN, f64::NAN),
        }
    }
}

/// An [`Expression`] with its working memory.
#[derive(Clone, Debug)]
pub struct ExpressionKernel<T> {
    inner: BlockKernel<T>,
    is_complex: bool,
    parameter_count: usize,
}

impl<T: Real> ExpressionKernel<T> {
    /// Values at each point; `im` is only touched where the expression is complex.
    pub fn eval(&mut self, inputs: &Inputs<'_, T>, re: &mut [T], im: &mut [T]) -> Result<(), EvalError> {
        if inputs.parameters.len() < self.parameter_count {
            return Err(EvalError::Parameter { index: inputs.parameters.len() });
        }
        self.inner.set_uniforms(|input| match input {
            UniformInput::Parameter(index) => inputs.parameters[usize::from(index)],
            UniformInput::Time => inputs.time,
            _ => f64::NAN,
        });
        let fields: Vec<Field<'_, T>> = inputs.fields.iter().map(|data| Field { data, start: 0 }).collect();
        let row = Row { fields: &fields, strides: [1, 0, 0], coordinates: inputs.coordinates };
        if self.is_complex { self.inner.run(&row, &mut [re, im]) } else { self.inner.run(&row, &mut [re]) }
    }
}
