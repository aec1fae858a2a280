//! Sides that a transported field leaves through. An equation of first order in space takes no condition there: a value or a
//! slope held against the flow would reflect what arrives, and with wide differences grow.

use eddy_expr::{Role, kernel::Source};

use crate::{
    boundary::Side,
    difference::face,
    observe::{Arrays, Observer},
    statement::Statement,
};

/// Lets go of conditions where a field leaves, and says so. Only speeds that depend on no field and do not change in time are
/// judged, of fields whose equation differentiates no other.
pub fn release(statement: &mut Statement) {
    if statement.grid.is_periodic() {
        return;
    }
    for variable in statement.stepped() {
        let described = &statement.system.variables[usize::from(variable)];
        if described.is_complex || described.role != Role::FirstOrder {
            continue;
        }
        for (axis, side) in sides_left(statement, variable).unwrap_or_default() {
            let Some(sides) = &mut statement.sides[usize::from(variable)] else { continue };
            if !matches!(sides[axis][side], Side::Conditions(_)) {
                continue;
            }
            sides[axis][side] = Side::Free;
            let name = &statement.system.variables[usize::from(variable)].name;
            let side = ["x_min", "x_max", "y_min", "y_max", "z_min", "z_max"][2 * axis + side];
            statement.warnings.push(format!(
                "boundary.{name}: the condition at {side} is not used. {name} leaves there, and an equation of first order in \
                 space takes a condition only where something comes in."
            ));
        }
    }
}

/// Axis and side of each side through which a variable leaves at all its points.
fn sides_left(statement: &Statement, variable: u16) -> Option<Vec<(usize, usize)>> {
    let mut system = statement.system.clone();
    let grid = &statement.grid;
    let rate = system.rate(variable)?;
    let mut observer = Observer::new(&mut system, &[(rate, false)], grid, statement).ok()?;
    let parameters = &statement.parameters;
    let mut slopes: [Option<usize>; 3] = [None; 3];
    for (index, slot) in observer.slots.iter().enumerate() {
        let order: u8 = slot.orders.iter().sum();
        let Source::Variable { index: source, .. } = slot.source else { continue };
        if order == 0 {
            continue;
        }
        if order > 1 || source != variable {
            return None;
        }
        slopes[slot.orders.iter().position(|order| *order == 1)?] = Some(index);
    }
    if slopes == [None; 3] {
        return None;
    }
    let points = grid.points();
    // The speed at all points, with the fields and integrals at some values.
    let mut speed = |slot: usize, time: f64, scale: f64, by: f64| -> Vec<f64> {
        let mut arrays: Arrays =
            (0..observer.slots.len()).map(|other| vec![scale * (0.3 + 0.17 * other as f64); points]).collect();
        let integrals = vec![0.7 * scale; system.integrals.len()];
        let base = observer.run(&arrays, time, parameters, &integrals);
        arrays[slot].iter_mut().for_each(|value| *value += by);
        let moved = observer.run(&arrays, time, parameters, &integrals);
        moved[0].iter().zip(&base[0]).map(|(a, b)| -(a - b) / by).collect()
    };
    let mut left = Vec::new();
    for axis in (0..grid.dimension()).filter(|axis| !grid.axes[*axis].is_periodic) {
        let Some(slot) = slopes[axis] else { continue };
        let found = speed(slot, statement.start, 0.0, 1.0);
        let size = found.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        let others = [(statement.start, 1.0, 1.0), (statement.start, -2.0, 3.0), (statement.end, 1.0, 1.0)];
        let is_fixed = size.is_finite()
            && others.iter().all(|(time, scale, by)| {
                speed(slot, *time, *scale, *by).iter().zip(&found).all(|(a, b)| (a - b).abs() <= 1e-9 * size)
            });
        if !is_fixed {
            continue;
        }
        for side in 0..2 {
            let outward = if side == 0 { -1.0 } else { 1.0 };
            if face(grid, axis, side).into_iter().all(|point| outward * found[point] > 1e-9 * size) {
                left.push((axis, side));
            }
        }
    }
    Some(left)
}
