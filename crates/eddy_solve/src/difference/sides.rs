//! Conditions at the sides: rows of derivatives that keep them, values that are given, right-hand sides that move.

use eddy_expr::{Role, kernel::Part};

use super::{
    Difference, FREE, Given, Outgoing,
    chebyshev::{self, Dense, Ends},
    face,
    line::{EndCondition, Line},
    position, text_error,
};
use crate::{boundary::Side, error::SolveError, evaluate::Scalar};

impl<R: Scalar> Difference<R> {
    pub(super) fn add_lines(&mut self, variable: u16, orders: [u8; 3]) {
        for axis in 0..self.grid.dimension() {
            let order = orders[axis];
            if order == 0 || self.lines.iter().any(|(v, a, o, _)| (*v, *a, *o) == (variable, axis, order)) {
                continue;
            }
            let ends = self.end_conditions(variable, axis);
            let grid_axis = &self.grid.axes[axis];
            if grid_axis.is_chebyshev {
                let (n, min, max) = (grid_axis.points, grid_axis.min, grid_axis.max);
                if let Some(ends) = Ends::new(n, min, max, [&ends[0], &ends[1]]) {
                    self.lines.push((variable, axis, order, Line::chebyshev(n, ends.derivative(order, n, min, max))));
                }
                continue;
            }
            let line = Line::new(
                order,
                self.accuracy,
                grid_axis.points,
                grid_axis.spacing(),
                grid_axis.is_periodic,
                [&ends[0], &ends[1]],
            );
            self.lines.push((variable, axis, order, line));
        }
    }

    pub(super) fn end_conditions(&self, variable: u16, axis: usize) -> [Vec<EndCondition>; 2] {
        [0, 1].map(|side| match &self.statement.sides[usize::from(variable)] {
            Some(sides) => match &sides[axis][side] {
                Side::Conditions(conditions) => conditions
                    .iter()
                    .map(|c| EndCondition { coefficients: c.coefficients, is_dirichlet: c.is_dirichlet() })
                    .collect(),
                _ => Vec::new(),
            },
            None => Vec::new(),
        })
    }

    /// Points whose value is given, sides where waves leave, and room for right-hand sides of conditions.
    pub(super) fn read_sides(&mut self, system: &mut eddy_expr::System) -> Result<(), SolveError> {
        let dimension = self.grid.dimension();
        self.given = (0..self.components.len())
            .map(|index| {
                let sides = self.statement.sides[usize::from(self.components[index].variable)].as_ref()?;
                let needs_time = sides.iter().flatten().any(
                    |side| matches!(side, Side::Conditions(all) if all.iter().any(|condition| condition.needs_time)),
                );
                Some(Given { values: Default::default(), needs_time })
            })
            .collect();
        self.fixed = vec![Vec::new(); self.components.len()];
        self.ends = vec![None; self.components.len()];
        if self.grid.axes.first().is_some_and(|axis| axis.is_chebyshev) {
            let axis = self.grid.axes[0];
            for index in 0..self.components.len() {
                let variable = self.components[index].variable;
                let conditions = self.end_conditions(variable, 0);
                let ends = Ends::new(axis.points, axis.min, axis.max, [&conditions[0], &conditions[1]]);
                let Some(ends) = ends else {
                    let name = &self.statement.system.variables[usize::from(variable)].name;
                    return Err(SolveError::value(
                        format!("boundary.{name}"),
                        "Chebyshev points take one condition a side that determines the value there; use space = \"fd6\"",
                    ));
                };
                for (side, point) in [(0, 0), (1, axis.points - 1)] {
                    if ends.is_given[side] {
                        self.fixed[index].push((point, 0, side, 0, 0));
                    }
                }
                self.ends[index] = Some(ends);
            }
        }
        for (index, component) in self.components.iter().enumerate() {
            let Some(sides) = &self.statement.sides[usize::from(component.variable)] else { continue };
            for axis in (0..dimension).filter(|axis| !self.grid.axes[*axis].is_chebyshev) {
                for side in 0..2 {
                    if let Side::Conditions(conditions) = &sides[axis][side]
                        && let Some(condition) = conditions.iter().position(|condition| condition.is_dirichlet())
                    {
                        for (place, point) in face(&self.grid, axis, side).into_iter().enumerate() {
                            self.fixed[index].push((point, axis, side, place, condition));
                        }
                    }
                }
            }
        }
        let symbol =
            system.linear_symbol(&self.parameters).map_err(|diagnostic| text_error(&self.statement, diagnostic))?;
        for (variable, sides) in self.statement.sides.clone().iter().enumerate() {
            let Some(sides) = sides else { continue };
            for axis in 0..dimension {
                for side in 0..2 {
                    if !matches!(sides[axis][side], Side::Absorbing) {
                        continue;
                    }
                    let described = &self.statement.system.variables[variable];
                    match described.role {
                        Role::SecondOrder { velocity } => {
                            // u_tt = c² u_xx + …: the coefficient of the velocity's equation.
                            let mut orders = [0; 3];
                            orders[axis] = 2;
                            let square = symbol
                                .terms
                                .iter()
                                .filter(|(row, column, o, _)| (*row, usize::from(*column), *o) == (velocity, variable, orders))
                                .map(|term| term.3.0)
                                .sum::<f64>();
                            let position = |v: u16| self.components.iter().position(|c| c.variable == v);
                            let (Some(u), Some(v)) = (position(variable as u16), position(velocity)) else { continue };
                            if !(square > 0.0) {
                                return Err(SolveError::value(
                                    format!("boundary.{}", described.name),
                                    "absorbing needs a wave equation u_tt = c^2*lap(u) + … with a constant c; use free or robin",
                                ));
                            }
                            self.add_lines_free(velocity, axis);
                            self.outgoing.push(Outgoing { axis, side, pair: (u, v), speed: square.sqrt() });
                        }
                        Role::Velocity { .. } => {}
                        _ => self.warnings.push(format!(
                            "absorbing lets {} leave only where the flow points outwards; waves of u_tt equations are absorbed.",
                            described.name
                        )),
                    }
                }
            }
        }
        Ok(())
    }

    /// A first derivative without conditions at the ends, kept under order 255.
    pub(super) fn add_lines_free(&mut self, variable: u16, axis: usize) {
        if !self.lines.iter().any(|(v, a, o, _)| (*v, *a, *o) == (variable, axis, FREE)) {
            let line = self.free_line(1, 2, axis);
            self.lines.push((variable, axis, FREE, line));
        }
    }

    /// A derivative along an axis without conditions at its ends.
    pub(super) fn free_line(&self, order: u8, accuracy: u8, axis: usize) -> Line<R> {
        let axis = &self.grid.axes[axis];
        if axis.is_chebyshev {
            let (n, min, max) = (axis.points, axis.min, axis.max);
            let rows = chebyshev::matrix(order, n, min, max).into_iter().map(R::of).collect();
            return Line::chebyshev(n, Dense { rows, data: vec![[R::of(0.0); 2]; n] });
        }
        Line::new(order, accuracy, axis.points, axis.spacing(), axis.is_periodic, [&[], &[]])
    }

    pub(super) fn put_fixed(&mut self, component: usize) {
        if let Some(ends) = &self.ends[component] {
            let Some(given) = &self.given[component] else { return };
            let g = [0, 1].map(|side| given.values[0][side][0].first().copied().unwrap_or(R::of(0.0)));
            let field = &self.fields[component];
            let value = |side: usize| {
                let sum = ends.inner[side].iter().zip(field).fold(R::of(0.0), |sum, (w, u)| sum + *w * *u);
                sum + ends.data[side][0] * g[0] + ends.data[side][1] * g[1]
            };
            let values = [value(0), value(1)];
            let last = field.len() - 1;
            for (side, at) in [(0, 0), (1, last)] {
                if ends.is_given[side] {
                    self.fields[component][at] = values[side];
                }
            }
            return;
        }
        let Some(given) = &self.given[component] else { return };
        let factor = |axis: usize, side: usize, condition: usize| -> f64 {
            match &self.statement.sides[usize::from(self.components[component].variable)] {
                Some(sides) => match &sides[axis][side] {
                    Side::Conditions(conditions) => conditions[condition].coefficients[0],
                    _ => 1.0,
                },
                None => 1.0,
            }
        };
        for (point, axis, side, place, condition) in &self.fixed[component] {
            let value = given.values[*axis][*side][*condition].get(*place).copied().unwrap_or(R::of(0.0));
            self.fields[component][*point] = value * R::of(1.0 / factor(*axis, *side, *condition));
        }
    }

    /// Right-hand sides of conditions at a time.
    pub(super) fn update_given(&mut self, time: f64) {
        if self.given_time == Some(time) {
            return;
        }
        let is_first = self.given_time.is_none();
        self.given_time = Some(time);
        for (component, given) in self.components.iter().zip(&mut self.given) {
            let Some(given) = given else { continue };
            if !(is_first || given.needs_time) {
                continue;
            }
            let Some(sides) = &self.statement.sides[usize::from(component.variable)] else { continue };
            let is_velocity =
                matches!(self.statement.system.variables[usize::from(component.variable)].role, Role::Velocity { .. });
            for axis in 0..self.grid.dimension() {
                for side in 0..2 {
                    let Side::Conditions(conditions) = &sides[axis][side] else { continue };
                    for (index, condition) in conditions.iter().enumerate() {
                        if condition.is_homogeneous || (is_velocity && !condition.needs_time) {
                            continue;
                        }
                        let at = |point: usize, time: f64| {
                            let value = condition.value(position(&self.grid, point), time, &self.parameters);
                            if component.part == Part::Real { value.0 } else { value.1 }
                        };
                        given.values[axis][side][index] = face(&self.grid, axis, side)
                            .into_iter()
                            .map(|point| {
                                R::of(if is_velocity {
                                    // What u obeys at every time, its velocity obeys differentiated.
                                    let step = 1e-5 * (1.0 + time.abs());
                                    (at(point, time + step) - at(point, time - step)) / (2.0 * step)
                                } else {
                                    at(point, time)
                                })
                            })
                            .collect();
                    }
                }
            }
        }
    }
}
