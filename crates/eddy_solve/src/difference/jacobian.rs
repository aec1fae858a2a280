//! The matrix ∂f/∂y of a difference scheme: sensitivities of the compiled right-hand sides times difference rows.

use eddy_expr::{
    System,
    ir::{Id, Leaf},
    kernel::Source,
};
use eddy_numerics::time::implicit::SolveFailed;

use super::Difference;
use crate::{
    discrete::Discrete,
    error::SolveError,
    evaluate::Scalar,
    linear::{Factor, Rows},
    observe::{Integrals, Observer},
    statement::Statement,
};

/// Assembles ∂f/∂y for systems without elliptic fields; what integrals add is left out.
pub struct Jacobian {
    observer: Observer,
    integrals: Integrals,
    statement: Statement,
    /// Difference rows by slot, made once.
    rows: Vec<Vec<Vec<(usize, f64)>>>,
}

impl Jacobian {
    pub fn new<R: Scalar>(difference: &mut Difference<R>) -> Result<Self, SolveError> {
        let system = difference.statement.system.clone();
        let ids: Vec<(Id, bool)> = difference
            .statement
            .stepped()
            .iter()
            .filter_map(|variable| {
                system.rate(*variable).map(|rate| (rate, system.variables[usize::from(*variable)].is_complex))
            })
            .collect();
        Self::of(difference, system, &ids)
    }

    /// For one node of the system's graph for each stepped variable.
    fn of<R: Scalar>(
        difference: &mut Difference<R>,
        mut system: System,
        ids: &[(Id, bool)],
    ) -> Result<Self, SolveError> {
        let statement = difference.statement.clone();
        let integrals = Integrals::new(&mut system, &statement.grid, &statement)?;
        let observer = Observer::new(&mut system, ids, &statement.grid, &statement)?;
        let mut rows = Vec::new();
        for slot in &observer.slots {
            rows.push(match slot.source {
                Source::Variable { index, .. } => difference.rows(index, slot.orders),
                Source::Noise(_) => Vec::new(),
            });
        }
        Ok(Self { observer, integrals, statement, rows })
    }

    /// ∂f/∂y at a state.
    pub fn at<R: Scalar>(&mut self, discrete: &mut Discrete<R>, time: f64, state: &[R]) -> Rows {
        let grid = self.statement.grid.clone();
        let parameters = discrete.parameters().to_vec();
        let points = grid.points();
        let values = self.integrals.values(discrete, &grid, time, state, &parameters);
        let mut arrays = self.observer.arrays(discrete, time, state);
        let Discrete::Difference(difference) = discrete else { return Rows::default() };
        let mut matrix = Rows::new(difference.size());
        for slot in 0..arrays.len() {
            let Source::Variable { index, part } = self.observer.slots[slot].source else { continue };
            let Some(column) = difference.components.iter().position(|c| c.variable == index && c.part == part) else {
                continue;
            };
            if column >= difference.stepped {
                continue;
            }
            // Central differences: the error is the square of the step, exact for quadratics.
            let size = arrays[slot].iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let shift = 6e-6 * (size + 1e-4);
            arrays[slot].iter_mut().for_each(|value| *value += shift);
            let up = self.observer.run(&arrays, time, &parameters, &values);
            arrays[slot].iter_mut().for_each(|value| *value -= 2.0 * shift);
            let down = self.observer.run(&arrays, time, &parameters, &values);
            arrays[slot].iter_mut().for_each(|value| *value += shift);
            // Outputs come in the order of the stepped components.
            for (row, (up, down)) in up.iter().zip(&down).enumerate() {
                for point in 0..points {
                    let sensitivity = (up[point] - down[point]) / (2.0 * shift);
                    if sensitivity == 0.0 {
                        continue;
                    }
                    let target = &mut matrix.rows[row * points + point];
                    if self.rows[slot].is_empty() {
                        target.push((column * points + point, sensitivity));
                    } else {
                        target.extend(
                            self.rows[slot][point].iter().map(|(at, w)| (column * points + at, w * sensitivity)),
                        );
                    }
                }
            }
        }
        difference.fix_rows(&mut matrix);
        matrix
    }
}

/// The linear part with constant coefficients, L u + b(t), with b from the conditions at the sides.
pub struct LinearPart {
    jacobian: Jacobian,
    /// Unknowns whose rows are not of the linear part: given values and sides where waves leave.
    outside: Vec<usize>,
}

impl LinearPart {
    pub fn new<R: Scalar>(difference: &mut Difference<R>) -> Result<Self, SolveError> {
        let mut system = difference.statement.system.clone();
        let mut ids = Vec::new();
        for variable in difference.statement.stepped() {
            let mut terms = Vec::new();
            if let Some(split) = system.split(variable) {
                let split = split.map_err(|diagnostic| super::text_error(&difference.statement, diagnostic))?;
                for term in split.linear {
                    // Elliptic fields are solved, not stepped.
                    if difference.components[..difference.stepped].iter().any(|c| c.variable == term.variable) {
                        let field = system.graph.leaf(Leaf::Variable(term.variable));
                        let slope = system.graph.derivative(term.orders, field);
                        terms.push(system.graph.mul(term.coefficient, slope));
                    }
                }
            }
            let sum = system.graph.sum(terms);
            ids.push((sum, system.variables[usize::from(variable)].is_complex));
        }
        let jacobian = Jacobian::of(difference, system, &ids)?;
        let points = difference.grid.points();
        let mut outside = Vec::new();
        for (component, fixed) in difference.fixed.iter().enumerate().take(difference.stepped) {
            outside.extend(fixed.iter().map(|(point, ..)| component * points + point));
        }
        for out in &difference.outgoing {
            for point in super::face(&difference.grid, out.axis, out.side) {
                outside.extend([out.pair.0 * points + point, out.pair.1 * points + point]);
            }
        }
        Ok(Self { jacobian, outside })
    }

    /// L y + b(t).
    pub fn evaluate<R: Scalar>(&mut self, system: &mut Discrete<R>, time: f64, y: &[R], out: &mut [R]) {
        let parameters = system.parameters().to_vec();
        let arrays = self.jacobian.observer.arrays(system, time, y);
        let outputs = self.jacobian.observer.run(&arrays, time, &parameters, &[]);
        for (place, value) in out.iter_mut().zip(outputs.iter().flatten()) {
            *place = R::of(*value);
        }
        self.outside.iter().for_each(|index| out[*index] = R::of(0.0));
    }

    /// Factors of I - shift L.
    pub fn factor<R: Scalar>(
        &mut self,
        system: &mut Discrete<R>,
        shift: f64,
        shape: [usize; 3],
        components: usize,
    ) -> Result<Factor, SolveFailed> {
        let zero = vec![R::of(0.0); system.size()];
        let mut matrix = self.jacobian.at(system, 0.0, &zero);
        self.outside.iter().for_each(|index| matrix.rows[*index].clear());
        for (row, entries) in matrix.rows.iter_mut().enumerate() {
            entries.iter_mut().for_each(|(_, value)| *value *= -shift);
            entries.push((row, 1.0));
        }
        Factor::new(&matrix, shape, components).map_err(|_| SolveFailed::Singular { row: 0 })
    }
}

impl<R: Scalar> Difference<R> {
    /// Rows of ∂^orders of a variable by point, without right-hand sides of conditions; empty for the identity.
    pub(super) fn rows(&mut self, variable: u16, orders: [u8; 3]) -> Vec<Vec<(usize, f64)>> {
        if orders == [0; 3] {
            return Vec::new();
        }
        self.add_lines(variable, orders);
        let [nx, ny, _] = self.grid.shape();
        let strides = [1, nx, nx * ny];
        let mut rows: Vec<Vec<(usize, f64)>> = (0..self.grid.points()).map(|point| vec![(point, 1.0)]).collect();
        let mut is_first = true;
        // Applied last, so expanded first: the order of `differentiate`, backwards.
        let axes: Vec<usize> = (0..self.grid.dimension()).filter(|axis| orders[*axis] > 0).collect();
        for axis in axes.iter().rev() {
            let is_conditioned = *axis == axes[0];
            let grid_axis = self.grid.axes[*axis];
            let free;
            let line = match self.lines.iter().find(|(v, a, o, _)| (*v, *a, *o) == (variable, *axis, orders[*axis])) {
                Some((.., line)) if is_conditioned => line,
                _ => {
                    free = self.free_line(orders[*axis], self.accuracy, *axis);
                    &free
                }
            };
            let by_index: Vec<Vec<(usize, f64)>> = (0..grid_axis.points)
                .map(|index| {
                    let (entries, _) = line.row(index);
                    entries.into_iter().map(|(at, w)| (at, eddy_numerics::Real::to_f64(w))).collect()
                })
                .collect();
            for row in &mut rows {
                let mut expanded = Vec::with_capacity(row.len() * line.interior.len());
                for (point, weight) in row.iter() {
                    let index = point / strides[*axis] % grid_axis.points;
                    for (at, w) in &by_index[index] {
                        expanded.push((point - index * strides[*axis] + at * strides[*axis], weight * w));
                    }
                }
                *row = expanded;
            }
            is_first = false;
        }
        debug_assert!(!is_first);
        rows
    }

    /// Rows of points whose value is given are zero, and nothing reads them; absorbing sides have rows of their own.
    pub(super) fn fix_rows(&self, matrix: &mut Rows) {
        let points = self.grid.points();
        let [nx, ny, _] = self.grid.shape();
        for out in &self.outgoing {
            let (u, v) = out.pair;
            let variable = self.components[v].variable;
            let Some((.., line)) =
                self.lines.iter().find(|(w, a, o, _)| (*w, *a, *o) == (variable, out.axis, super::FREE))
            else {
                continue;
            };
            let stride = [1, nx, nx * ny][out.axis];
            let sign = if out.side == 0 { 1.0 } else { -1.0 };
            for point in super::face(&self.grid, out.axis, out.side) {
                let index = point / stride % line.points;
                let (entries, _) = line.row(index);
                matrix.rows[u * points + point] = vec![(v * points + point, 1.0)];
                matrix.rows[v * points + point] = entries
                    .into_iter()
                    .map(|(at, w)| {
                        let value = eddy_numerics::Real::to_f64(w) * sign * out.speed;
                        (v * points + point - index * stride + at * stride, value)
                    })
                    .collect();
            }
        }
        let mut is_fixed = vec![false; matrix.size()];
        for (component, fixed) in self.fixed.iter().enumerate().take(self.stepped) {
            fixed.iter().for_each(|(point, ..)| is_fixed[component * points + point] = true);
        }
        if is_fixed.iter().any(|fixed| *fixed) {
            for (row, entries) in matrix.rows.iter_mut().enumerate() {
                if is_fixed[row] {
                    entries.clear();
                } else {
                    entries.retain(|(column, _)| !is_fixed[*column]);
                }
            }
        }
    }
}
