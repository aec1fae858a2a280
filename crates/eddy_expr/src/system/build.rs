//! Sorted lines to a checked system.

use std::collections::HashMap;

use super::{
    Equation, MAX_FIELDS, Options, Role, System, Variable,
    read::{FieldKind, Lines},
};
use crate::{
    check::{Checker, DefinitionState, Meaning, Value},
    diagnostic::{Code, Diagnostic, Span},
    ir::{Graph, Leaf, Node},
    syntax::Statement,
};

/// Checks all lines, again and again until it is known which fields are complex: each pass can only add some.
pub(super) fn build(
    lines: &mut Lines,
    names: &HashMap<String, Meaning>,
    dimension: u8,
    options: &Options,
    statements: Vec<Statement>,
    broken: bool,
) -> Option<System> {
    let mut complex_names: Vec<String> = options.complex_fields.clone();
    for _ in 0..=MAX_FIELDS + lines.definitions.len() {
        let before = complex_names.len();
        let pass = build_once(lines, names, dimension, options, &mut complex_names);
        if complex_names.len() > before {
            continue;
        }
        let (mut system, mut errors) = pass;
        // With a line unread, names that it would define are unknown; such echoes are not worth showing.
        if broken {
            errors.retain(|error| error.code != Code::UnknownName);
        }
        lines.errors.extend(errors);
        if !lines.errors.is_empty() {
            return None;
        }
        system.statements = statements;
        return Some(system);
    }
    None
}

fn build_once(
    lines: &Lines,
    names: &HashMap<String, Meaning>,
    dimension: u8,
    options: &Options,
    complex_names: &mut Vec<String>,
) -> (System, Vec<Diagnostic>) {
    let mut graph = Graph::new(0);
    let mut variables: Vec<Variable> = Vec::new();
    let mut velocities = HashMap::new();
    let is_complex = |name: &str| complex_names.iter().any(|other| other == name);
    for field in &lines.fields {
        let role = match field.kind {
            FieldKind::First | FieldKind::Second => Role::FirstOrder,
            FieldKind::Elliptic { .. } => Role::Elliptic,
        };
        variables.push(Variable { name: field.name.clone(), role, is_complex: is_complex(&field.name) });
    }
    for (index, field) in lines.fields.iter().enumerate() {
        if matches!(field.kind, FieldKind::Second) {
            let velocity = variables.len() as u16;
            velocities.insert(index as u16, velocity);
            variables[index].role = Role::SecondOrder { velocity };
            variables.push(Variable {
                name: format!("{}_t", field.name),
                role: Role::Velocity { of: index as u16 },
                is_complex: is_complex(&field.name),
            });
        }
    }
    for (index, variable) in variables.iter().enumerate() {
        if variable.is_complex && index < 32 {
            graph.set_complex(index as u16);
        }
    }
    let known_complex = complex_names.clone();
    let mut checker =
        Checker::new(&mut graph, dimension, names, &lines.functions, lines.definitions.clone(), &known_complex);
    checker.velocities = velocities.clone();
    checker.field_names = &options.fields;
    checker.next_variable = variables.len() as u16;
    let mut evolution = Vec::new();
    let mut elliptic = Vec::new();
    let mut newly_complex: Vec<String> = Vec::new();
    for (index, field) in lines.fields.iter().enumerate() {
        let index = index as u16;
        let right = checker.scalar(&field.right);
        let mut note = |checker: &Checker<'_>, id| {
            if checker.graph.is_complex(id) && !known_complex.contains(&field.name) {
                newly_complex.push(field.name.clone());
            }
        };
        match &field.kind {
            FieldKind::First => {
                if let Some(rate) = right {
                    note(&checker, rate);
                    evolution.push(Equation::Evolution { variable: index, rate, span: field.span });
                }
            }
            FieldKind::Second => {
                if let Some(rate) = right {
                    note(&checker, rate);
                    let velocity = velocities[&index];
                    let velocity_id = checker.graph.variable(velocity);
                    evolution.push(Equation::Evolution { variable: index, rate: velocity_id, span: field.span });
                    evolution.push(Equation::Evolution { variable: velocity, rate, span: field.span });
                }
            }
            FieldKind::Elliptic { left } => {
                let left_id = checker.scalar(left);
                if let (Some(left_id), Some(right)) = (left_id, right) {
                    note(&checker, left_id);
                    note(&checker, right);
                    check_elliptic(&mut checker, index, left_id, right, left.span, &field.name, options.is_nonlinear);
                    elliptic.push(Equation::Elliptic { variable: index, left: left_id, right, span: field.span });
                }
            }
        }
    }
    // Definitions that no equation uses are checked too, and those that are fields are shown.
    for index in 0..checker.definitions.len() {
        let span = checker.definitions[index].span;
        let _ = checker.definition(index, span);
    }
    // A definition gets its index after those it uses, so this is an order in which they can be worked out.
    let mut algebraic: Vec<(u16, String, crate::ir::Id, Span)> = Vec::new();
    for definition in &checker.definitions {
        if let DefinitionState::Field(variable, value) = definition.state {
            let place = algebraic.partition_point(|(other, ..)| *other < variable);
            algebraic.insert(place, (variable, definition.name.clone(), value, definition.span));
        }
    }
    let integrals = std::mem::take(&mut checker.integrals);
    let noise_channels = checker.noise_channels;
    let mut errors = std::mem::take(&mut checker.errors);
    let mut equations = evolution;
    equations.extend(elliptic);
    for (variable, name, value, span) in algebraic {
        let value_is_complex = graph.is_complex(value);
        if value_is_complex && !known_complex.contains(&name) {
            newly_complex.push(name.clone());
        }
        variables.push(Variable { name, role: Role::Algebraic, is_complex: value_is_complex });
        equations.push(Equation::Algebraic { variable, value, span });
    }
    let fields = variables.iter().filter(|variable| !matches!(variable.role, Role::Velocity { .. })).count();
    if fields > MAX_FIELDS && lines.fields.len() <= MAX_FIELDS {
        let span = equations.iter().rev().find_map(|equation| match equation {
            Equation::Algebraic { span, .. } => Some(*span),
            _ => None,
        });
        errors.push(Diagnostic::new(
            Code::TooLarge,
            span.unwrap_or_default(),
            format!("There are {fields} fields, algebraic ones included; {MAX_FIELDS} is the most."),
            "Make some of them user functions, f(u) = ….",
        ));
    }
    newly_complex.sort();
    newly_complex.dedup();
    complex_names.extend(newly_complex);
    let system = System {
        dimension,
        variables,
        parameters: lines.parameters.clone(),
        equations,
        integrals,
        noise_channels,
        graph,
        statements: Vec::new(),
    };
    (system, errors)
}

/// An elliptic line must be linear in its unknown, where that is asked for, and must hold it.
fn check_elliptic(
    checker: &mut Checker<'_>,
    variable: u16,
    left: crate::ir::Id,
    right: crate::ir::Id,
    span: Span,
    name: &str,
    may_be_nonlinear: bool,
) {
    let graph = &mut *checker.graph;
    let difference = graph.sub(left, right);
    let Ok(expanded) = graph.expand_derivatives(&[difference]) else { return };
    let is_unknown = |graph: &Graph, id: crate::ir::Id| matches!(crate::poly::field_leaf(graph, id), Some((other, _)) if other == variable);
    let needed = graph.reachable(&expanded);
    let leaves: Vec<crate::ir::Id> = graph
        .nodes()
        .filter(|(id, node)| needed[id.index()] && matches!(node, Node::Leaf(Leaf::Variable(_)) | Node::Derivative(..)))
        .map(|(id, _)| id)
        .filter(|id| is_unknown(graph, *id))
        .collect();
    let mut linear = true;
    for leaf in &leaves {
        match graph.differentiate(expanded[0], *leaf) {
            Ok(slope) => {
                let below = graph.reachable(&[slope]);
                let depends = graph.nodes().any(|(id, node)| {
                    below[id.index()] && matches!(node, Node::Leaf(Leaf::Variable(other)) if other == variable)
                });
                linear &= !depends;
            }
            Err(_) => linear = false,
        }
    }
    let has_derivative = leaves.iter().any(|leaf| matches!(graph.node(*leaf), Node::Derivative(..)));
    if !linear && !may_be_nonlinear {
        let _: Option<Value> = checker.fail(
            Code::System,
            span,
            format!("This line is not linear in '{name}'."),
            format!("Only linear elliptic lines are solved; write {name}_t = … and let it settle instead."),
        );
    } else if !has_derivative {
        let _: Option<Value> = checker.fail(
            Code::System,
            span,
            format!("This line has no derivative of '{name}' in space."),
            format!("Write the value itself: {name} = …."),
        );
    }
}
