//! Calls of built-in functions and of operators on fields.

use super::{Checker, Integral, Value, capital};
use crate::{
    builtins::{self, Derived, Function, MAX_ORDER, Operator},
    diagnostic::{Code, Span},
    ir::{Id, Leaf, Op1, Op2},
    special::MAX_BESSEL_ORDER,
    syntax::Expr,
};

impl Checker<'_> {
    fn wrong_count<T>(&mut self, name: &str, arguments: &[Expr], span: Span) -> Option<T> {
        self.fail(
            Code::Arity,
            span,
            format!("'{name}' does not take {} argument(s).", arguments.len()),
            format!("Write {}.", builtins::signature(name)),
        )
    }

    pub(super) fn builtin(&mut self, function: Function, name: &str, arguments: &[Expr], span: Span) -> Option<Value> {
        let id = match function {
            Function::One(op) => {
                let [argument] = arguments else { return self.wrong_count(name, arguments, span) };
                let complex_too = matches!(
                    op,
                    Op1::Sqrt
                        | Op1::Exp
                        | Op1::Log
                        | Op1::Sin
                        | Op1::Cos
                        | Op1::Tan
                        | Op1::Sinh
                        | Op1::Cosh
                        | Op1::Tanh
                        | Op1::Abs
                        | Op1::Conj
                        | Op1::Re
                        | Op1::Im
                        | Op1::Arg
                );
                let operand = if complex_too {
                    self.scalar(argument)?
                } else {
                    self.real_scalar(argument, &format!("put into {name}"))?
                };
                self.graph.unary(op, operand)
            }
            Function::Two(op) => {
                let [first, second] = arguments else { return self.wrong_count(name, arguments, span) };
                let (a, b) = if op == Op2::Pow {
                    (self.scalar(first), self.scalar(second))
                } else {
                    let role = format!("put into {name}");
                    (self.real_scalar(first, &role), self.real_scalar(second, &role))
                };
                self.graph.binary(op, a?, b?)
            }
            Function::Bessel(op, order) => {
                let [argument] = arguments else { return self.wrong_count(name, arguments, span) };
                let operand = self.real_scalar(argument, &format!("put into {name}"))?;
                let order = self.graph.real(f64::from(order));
                self.graph.binary(op, order, operand)
            }
            Function::Derived(derived) => return self.derived(derived, name, arguments, span).map(Value::Scalar),
            Function::Operator(operator) => return self.operator(operator, name, arguments, span),
        };
        Some(Value::Scalar(id))
    }

    fn derived(&mut self, derived: Derived, name: &str, arguments: &[Expr], span: Span) -> Option<Id> {
        match derived {
            Derived::If => {
                let [condition, yes, no] = arguments else { return self.wrong_count(name, arguments, span) };
                let (condition, yes, no) = (self.truth(condition), self.scalar(yes), self.scalar(no));
                Some(self.graph.select(condition?, yes?, no?))
            }
            Derived::Piecewise => {
                if arguments.len() < 3 || arguments.len() % 2 == 0 {
                    return self.wrong_count(name, arguments, span);
                }
                let mut value = self.scalar(&arguments[arguments.len() - 1])?;
                for pair in arguments[..arguments.len() - 1].chunks_exact(2).rev() {
                    let (condition, yes) = (self.truth(&pair[0]), self.scalar(&pair[1]));
                    value = self.graph.select(condition?, yes?, value);
                }
                Some(value)
            }
            Derived::Min | Derived::Max => {
                if arguments.len() < 2 {
                    return self.wrong_count(name, arguments, span);
                }
                let op = if derived == Derived::Min { Op2::Min } else { Op2::Max };
                let role = format!("put into {name}");
                let mut total = None;
                for argument in arguments {
                    let next = self.real_scalar(argument, &role)?;
                    total = Some(total.map_or(next, |before| self.graph.binary(op, before, next)));
                }
                total
            }
            Derived::Clamp => {
                let [value, low, high] = arguments else { return self.wrong_count(name, arguments, span) };
                let [value, low, high] = [value, low, high].map(|argument| self.real_scalar(argument, "clamped"));
                let raised = self.graph.binary(Op2::Max, value?, low?);
                Some(self.graph.binary(Op2::Min, raised, high?))
            }
            Derived::Smoothstep => {
                let [low, high, value] = arguments else { return self.wrong_count(name, arguments, span) };
                let [low, high, value] =
                    [low, high, value].map(|argument| self.real_scalar(argument, "put into smoothstep"));
                let (low, high, value) = (low?, high?, value?);
                let graph = &mut *self.graph;
                let (zero, one, three) = (graph.real(0.0), graph.real(1.0), graph.real(3.0));
                let (above, width) = (graph.sub(value, low), graph.sub(high, low));
                let ratio = graph.div(above, width);
                let raised = graph.binary(Op2::Max, ratio, zero);
                let s = graph.binary(Op2::Min, raised, one);
                let twice = graph.scaled(2.0, s);
                let slope = graph.sub(three, twice);
                let square = graph.powi(s, 2);
                Some(graph.mul(square, slope))
            }
            Derived::Hypot => {
                let [first, second] = arguments else { return self.wrong_count(name, arguments, span) };
                let (a, b) = (self.real_scalar(first, "put into hypot"), self.real_scalar(second, "put into hypot"));
                let (a, b) = (self.graph.powi(a?, 2), self.graph.powi(b?, 2));
                let sum = self.graph.add(a, b);
                Some(self.graph.unary(Op1::Sqrt, sum))
            }
            Derived::BesselJ | Derived::BesselY | Derived::BesselI | Derived::BesselK => {
                let [order, argument] = arguments else { return self.wrong_count(name, arguments, span) };
                let order_span = order.span;
                let (order, argument) = (self.scalar(order)?, self.real_scalar(argument, &format!("put into {name}"))?);
                let whole = self
                    .graph
                    .real_value(order)
                    .filter(|n| *n == n.trunc() && (0.0..=f64::from(MAX_BESSEL_ORDER)).contains(n));
                if whole.is_none() {
                    return self.fail(
                        Code::Value,
                        order_span,
                        format!("The order of {name} must be a whole number from 0 to {MAX_BESSEL_ORDER}, written as a number."),
                        format!("Write for example {name}(2, x)."),
                    );
                }
                let op = match derived {
                    Derived::BesselJ => Op2::BesselJ,
                    Derived::BesselY => Op2::BesselY,
                    Derived::BesselI => Op2::BesselI,
                    _ => Op2::BesselK,
                };
                Some(self.graph.binary(op, order, argument))
            }
            _ => {
                let [argument] = arguments else { return self.wrong_count(name, arguments, span) };
                let real_only = matches!(derived, Derived::Heaviside | Derived::Cbrt | Derived::Sinc);
                let a = if real_only {
                    self.real_scalar(argument, &format!("put into {name}"))?
                } else {
                    self.scalar(argument)?
                };
                Some(self.derived_of_one(derived, a))
            }
        }
    }

    fn derived_of_one(&mut self, derived: Derived, a: Id) -> Id {
        let graph = &mut *self.graph;
        let (zero, one) = (graph.real(0.0), graph.real(1.0));
        let one_over = |graph: &mut crate::ir::Graph, op: Op1| {
            let value = graph.unary(op, a);
            graph.div(one, value)
        };
        match derived {
            Derived::Log2 | Derived::Log10 => {
                let log = graph.unary(Op1::Log, a);
                let base = if derived == Derived::Log2 { std::f64::consts::LN_2 } else { std::f64::consts::LN_10 };
                let base = graph.real(base);
                graph.div(log, base)
            }
            Derived::Sec => one_over(graph, Op1::Cos),
            Derived::Csc => one_over(graph, Op1::Sin),
            Derived::Cot => one_over(graph, Op1::Tan),
            Derived::Sech => one_over(graph, Op1::Cosh),
            Derived::Csch => one_over(graph, Op1::Sinh),
            Derived::Coth => one_over(graph, Op1::Tanh),
            Derived::Square => graph.powi(a, 2),
            Derived::Gauss => {
                let square = graph.powi(a, 2);
                let negative = graph.neg(square);
                graph.unary(Op1::Exp, negative)
            }
            Derived::Cbrt => {
                let (size, sign, third) = (graph.unary(Op1::Abs, a), graph.unary(Op1::Sign, a), graph.real(1.0 / 3.0));
                let root = graph.pow(size, third);
                graph.mul(sign, root)
            }
            Derived::Sinc => {
                // sin(a)/a, 1 at 0.
                let sine = graph.unary(Op1::Sin, a);
                let at_zero = graph.binary(Op2::Equal, a, zero);
                let safe = graph.select(at_zero, one, a);
                let ratio = graph.div(sine, safe);
                graph.select(at_zero, one, ratio)
            }
            _ => {
                // Heaviside with 1/2 at the step.
                let half = graph.real(0.5);
                let above = graph.binary(Op2::Less, zero, a);
                let below = graph.binary(Op2::Less, a, zero);
                let rest = graph.select(above, one, half);
                graph.select(below, zero, rest)
            }
        }
    }

    pub(super) fn operator(&mut self, operator: Operator, name: &str, arguments: &[Expr], span: Span) -> Option<Value> {
        if !self.in_system {
            return self.fail(
                Code::System,
                span,
                format!("'{name}' works on fields and has no meaning in this expression."),
                "Use it in an equation; here only coordinates, time and parameters are known.",
            );
        }
        match operator {
            Operator::Noise => return self.noise(arguments, name, span),
            Operator::Integral | Operator::Mean => {
                let [argument] = arguments else { return self.wrong_count(name, arguments, span) };
                let integrand = self.real_scalar(argument, "integrated; integrate its real and imaginary parts")?;
                let integral = Integral { is_mean: operator == Operator::Mean, integrand };
                let index = self.integrals.iter().position(|known| *known == integral).unwrap_or_else(|| {
                    self.integrals.push(integral);
                    self.integrals.len() - 1
                });
                return Some(Value::Scalar(self.graph.leaf(Leaf::Integral(index as u16))));
            }
            Operator::Dot | Operator::Cross => {
                let [first, second] = arguments else { return self.wrong_count(name, arguments, span) };
                let (a, b) = (self.vector(first), self.vector(second));
                let (a, b) = (a?, b?);
                if a.len() != b.len() || (operator == Operator::Cross && a.len() == 1) {
                    return self.fail(
                        Code::Dimension,
                        span,
                        format!("'{name}' does not take vectors of {} and {}.", a.len(), b.len()),
                        "Both need one component per axis.",
                    );
                }
                return Some(if operator == Operator::Dot {
                    Value::Scalar(self.dot(&a, &b))
                } else {
                    self.cross(&a, &b)
                });
            }
            Operator::Norm => {
                let [argument] = arguments else { return self.wrong_count(name, arguments, span) };
                let vector = self.vector(argument)?;
                let squares: Vec<Id> = vector
                    .into_iter()
                    .map(|component| {
                        let size = if self.graph.is_complex(component) {
                            self.graph.unary(Op1::Abs, component)
                        } else {
                            component
                        };
                        self.graph.powi(size, 2)
                    })
                    .collect();
                let sum = self.graph.sum(squares);
                return Some(Value::Scalar(self.graph.unary(Op1::Sqrt, sum)));
            }
            _ => {}
        }
        if self.dimension == 0 {
            return self.axis_error(0, span, &format!("'{name}'"));
        }
        if operator == Operator::Upwind {
            return self.upwind(name, arguments, span);
        }
        let [argument] = arguments else { return self.wrong_count(name, arguments, span) };
        let value = self.number_or_vector(argument)?;
        match (operator, value) {
            (Operator::Partial(orders), value) => self.partial(orders, value, span),
            (Operator::Laplacian, value) => Some(value.map(|id| self.laplacian(id))),
            (Operator::Bilaplacian, value) => Some(value.map(|id| {
                let once = self.laplacian(id);
                self.laplacian(once)
            })),
            (Operator::Gradient, Value::Scalar(id)) => {
                Some(Value::Vector((0..self.dimension).map(|axis| self.along(axis, id)).collect()))
            }
            (Operator::Divergence, Value::Vector(parts)) if parts.len() == usize::from(self.dimension) => {
                let terms: Vec<Id> = parts.into_iter().zip(0..).map(|(part, axis)| self.along(axis, part)).collect();
                Some(Value::Scalar(self.graph.sum(terms)))
            }
            (Operator::Divergence, Value::Scalar(id)) if self.dimension == 1 => Some(Value::Scalar(self.along(0, id))),
            (Operator::Curl, Value::Vector(parts)) if parts.len() == 2 && self.dimension == 2 => {
                let (first, second) = (self.along(0, parts[1]), self.along(1, parts[0]));
                Some(Value::Scalar(self.graph.sub(first, second)))
            }
            (Operator::Curl, Value::Scalar(id)) if self.dimension == 2 => {
                let (first, second) = (self.along(1, id), self.along(0, id));
                Some(Value::Vector(vec![first, self.graph.neg(second)]))
            }
            (Operator::Curl, Value::Vector(parts)) if parts.len() == 3 && self.dimension == 3 => {
                let pairs = [(1u8, 2u8), (2, 0), (0, 1)];
                Some(Value::Vector(
                    pairs
                        .into_iter()
                        .map(|(a, b)| {
                            let (first, second) =
                                (self.along(a, parts[usize::from(b)]), self.along(b, parts[usize::from(a)]));
                            self.graph.sub(first, second)
                        })
                        .collect(),
                ))
            }
            (_, value) => {
                let dimension = self.dimension;
                self.fail(
                    Code::Dimension,
                    argument.span,
                    format!("{} does not fit '{name}' in {dimension} dimension(s).", capital(&value.describe())),
                    format!("Write {}; a vector needs {dimension} component(s) here.", builtins::signature(name)),
                )
            }
        }
    }

    fn noise(&mut self, arguments: &[Expr], name: &str, span: Span) -> Option<Value> {
        let channel = match arguments {
            [] => self.noise_channels,
            [channel] => {
                let id = self.scalar(channel)?;
                match self.graph.real_value(id).filter(|n| *n == n.trunc() && (0.0..=31.0).contains(n)) {
                    Some(n) => n as u16,
                    None => {
                        return self.fail(
                            Code::Value,
                            channel.span,
                            "A noise channel is a whole number from 0 to 31.",
                            "Write noise() for independent noise, or noise(0) in several places for the same noise.",
                        );
                    }
                }
            }
            _ => return self.wrong_count(name, arguments, span),
        };
        if channel > 31 {
            return self.fail(
                Code::TooLarge,
                span,
                "There are more than 32 noise terms.",
                "Share channels: noise(0), noise(1), ….",
            );
        }
        self.noise_channels = self.noise_channels.max(channel + 1);
        Some(Value::Scalar(self.graph.leaf(Leaf::Noise(channel))))
    }

    fn upwind(&mut self, name: &str, arguments: &[Expr], span: Span) -> Option<Value> {
        let [velocity, value] = arguments else { return self.wrong_count(name, arguments, span) };
        let velocity_span = velocity.span;
        let (velocity, value) = (self.number_or_vector(velocity), self.scalar(value));
        let (velocity, value) = (velocity?, value?);
        let parts = match velocity {
            Value::Vector(parts) => parts,
            Value::Scalar(id) => vec![id],
        };
        if parts.len() != usize::from(self.dimension) || parts.iter().any(|part| self.graph.is_complex(*part)) {
            let dimension = self.dimension;
            return self.fail(
                Code::Dimension,
                velocity_span,
                format!("The velocity of upwind needs {dimension} real component(s)."),
                "Write upwind([a, b], u) in two dimensions, upwind(a, u) in one.",
            );
        }
        let terms: Vec<Id> = parts
            .into_iter()
            .zip(0..)
            .map(|(part, axis)| self.graph.intern(crate::ir::Node::Upwind(axis, part, value)))
            .collect();
        Some(Value::Scalar(self.graph.sum(terms)))
    }

    fn vector(&mut self, expr: &Expr) -> Option<Vec<Id>> {
        match self.number_or_vector(expr)? {
            Value::Vector(parts) => Some(parts),
            Value::Scalar(id) if self.dimension == 1 => Some(vec![id]),
            Value::Scalar(_) => self.fail(
                Code::Type,
                expr.span,
                "A number stands where a vector is needed.",
                "Write a vector such as [u, v] or grad(u).",
            ),
        }
    }

    fn dot(&mut self, a: &[Id], b: &[Id]) -> Id {
        let terms: Vec<Id> = a.iter().zip(b).map(|(a, b)| self.graph.mul(*a, *b)).collect();
        self.graph.sum(terms)
    }

    fn cross(&mut self, a: &[Id], b: &[Id]) -> Value {
        let mut component = |i: usize, j: usize| {
            let (first, second) = (self.graph.mul(a[i], b[j]), self.graph.mul(a[j], b[i]));
            self.graph.sub(first, second)
        };
        if a.len() == 2 {
            return Value::Scalar(component(0, 1));
        }
        Value::Vector(vec![component(1, 2), component(2, 0), component(0, 1)])
    }

    /// First derivative along an axis.
    fn along(&mut self, axis: u8, id: Id) -> Id {
        let mut orders = [0; 3];
        orders[usize::from(axis)] = 1;
        self.graph.derivative(orders, id)
    }

    pub(super) fn laplacian(&mut self, id: Id) -> Id {
        let terms: Vec<Id> = (0..usize::from(self.dimension))
            .map(|axis| {
                let mut orders = [0; 3];
                orders[axis] = 2;
                self.graph.derivative(orders, id)
            })
            .collect();
        self.graph.sum(terms)
    }

    /// A partial derivative, after checking its axes and total order.
    pub(super) fn partial(&mut self, orders: [u8; 3], value: Value, span: Span) -> Option<Value> {
        if let Some(axis) = (self.dimension..3).find(|axis| orders[usize::from(*axis)] > 0) {
            return self.axis_error(axis, span, "This derivative");
        }
        if !self.in_system {
            return self.fail(
                Code::System,
                span,
                "A derivative has no meaning in this expression.",
                "Use it in an equation; here only coordinates, time and parameters are known.",
            );
        }
        let value = value.map(|id| self.graph.derivative(orders, id));
        let ids: &[Id] = match &value {
            Value::Scalar(id) => std::slice::from_ref(id),
            Value::Vector(ids) => ids,
        };
        let too_high = ids.iter().any(|id| match self.graph.node(*id) {
            crate::ir::Node::Derivative(orders, _) => orders.iter().any(|order| *order > MAX_ORDER),
            _ => false,
        });
        if too_high {
            return self.fail(
                Code::TooLarge,
                span,
                format!("Derivatives go up to order {MAX_ORDER} along an axis."),
                "Make a part of it an algebraic field (w = lap(u)) and differentiate that.",
            );
        }
        Some(value)
    }
}
