//! Elliptic lines such as lap(psi) = -w, solved directly; lines that read each other's unknowns are solved together.

use eddy_expr::{Discretization, Equation, System, ir::Id, kernel::Part, kernel::Source};

use super::{Component, Difference, text_error};
use eddy_numerics::Value;

use crate::{
    error::SolveError,
    evaluate::{Pointwise, Scalar, Uniforms},
    grid::Grid,
    jumps::{jumps, of_coefficients},
    linear::{Factor, FactorError, Rows},
    statement::Statement,
};

/// left - right of one line, or of several that need each other, linear in the components that they determine.
pub(super) struct Elliptic<R: Scalar> {
    /// As a sentence names them.
    names: String,
    variables: Vec<u16>,
    unknowns: Vec<usize>,
    kernel: Pointwise<R>,
    /// Component and orders of each array.
    slots: Vec<(usize, [u8; 3])>,
    outputs: usize,
    /// Sensitivities by slot of an unknown and output, for which the factors were made.
    coefficients: Vec<Vec<R>>,
    factor: Option<Factor>,
    /// What each row is divided by, so that equations in any unit stand beside values that are given.
    weights: Vec<f64>,
    /// The level is free (no side and no term fixes it): the mean is set to zero.
    is_free: bool,
    /// Of a free level: the equations given up for it, by component, and what a constant source of each component makes.
    given_up: Vec<Vec<(usize, f64)>>,
    answers: Vec<Vec<f64>>,
    rows: Vec<Vec<Vec<(usize, f64)>>>,
    pub failure: Option<String>,
}

impl<R: Scalar> Elliptic<R> {
    /// All elliptic lines of a system, each after those that it reads.
    pub fn all(
        statement: &Statement,
        system: &mut System,
        variables: &[u16],
        components: &[Component],
        grid: &Grid,
    ) -> Result<Vec<Self>, SolveError> {
        let mut lines = Vec::new();
        for variable in variables {
            lines.push(Some(Self::new(statement, system, &[*variable], components, grid)?));
        }
        let mut needs: Vec<Vec<bool>> = lines
            .iter()
            .flatten()
            .map(|line| variables.iter().map(|v| line.reads().any(|(c, _)| components[c].variable == *v)).collect())
            .collect();
        for through in 0..needs.len() {
            let beyond = needs[through].clone();
            for row in needs.iter_mut().filter(|row| row[through]) {
                row.iter_mut().zip(&beyond).for_each(|(a, b)| *a |= *b);
            }
        }
        let mut found = Vec::new();
        while let Some(next) = (0..lines.len()).find(|line| {
            // What a line needs is done, or needs it too.
            lines[*line].is_some()
                && (0..lines.len()).all(|k| lines[k].is_none() || !needs[*line][k] || needs[k][*line])
        }) {
            let together: Vec<usize> =
                (0..lines.len()).filter(|k| *k == next || (needs[next][*k] && needs[*k][next])).collect();
            let alone = lines[next].take();
            if let ([_], Some(line)) = (&together[..], alone) {
                found.push(line);
                continue;
            }
            together.iter().for_each(|k| lines[*k] = None);
            let group: Vec<u16> = together.iter().map(|k| variables[*k]).collect();
            found.push(Self::new(statement, system, &group, components, grid)?);
        }
        Ok(found)
    }

    fn new(
        statement: &Statement,
        system: &mut System,
        variables: &[u16],
        components: &[Component],
        grid: &Grid,
    ) -> Result<Self, SolveError> {
        let name = |variable: u16| system.variables[usize::from(variable)].name.clone();
        let names = variables.iter().map(|v| name(*v)).collect::<Vec<_>>().join(" and ");
        let mut residuals: Vec<(Id, bool)> = Vec::new();
        for variable in variables {
            let sides = system.equations.iter().find_map(|equation| match equation {
                Equation::Elliptic { variable: other, left, right, .. } if other == variable => Some((*left, *right)),
                _ => None,
            });
            let Some((left, right)) = sides else {
                return Err(SolveError::value("equations", format!("nothing determines {}", name(*variable))));
            };
            let is_complex = system.variables[usize::from(*variable)].is_complex;
            residuals.push((system.graph.sub(left, right), is_complex));
        }
        let roots: Vec<Id> = residuals.iter().map(|(residual, _)| *residual).collect();
        if let Some(place) = of_coefficients(statement, system, &roots) {
            return Err(SolveError::value("equations", jumps(&names, &place)));
        }
        let kernel = system
            .kernel(&residuals, Discretization::Pointwise)
            .map_err(|error| text_error(statement, system.kernel_diagnostic(&error)))?;
        let mut slots = Vec::new();
        for slot in &kernel.slots {
            let component = match slot.source {
                Source::Variable { index, part } => {
                    components.iter().position(|c| c.variable == index && c.part == part)
                }
                Source::Noise(_) => None,
            };
            let Some(component) = component else {
                return Err(SolveError::value(
                    "equations",
                    format!("the equation of {names} reads what nothing determines"),
                ));
            };
            slots.push((component, slot.orders));
        }
        let parts = variables.iter().flat_map(|v| [(*v, Part::Real), (*v, Part::Imaginary)]);
        let unknowns: Vec<usize> =
            parts.filter_map(|(v, part)| components.iter().position(|c| c.variable == v && c.part == part)).collect();
        Ok(Self {
            names,
            variables: variables.to_vec(),
            unknowns,
            kernel: Pointwise::new(&kernel, grid),
            slots,
            outputs: kernel.outputs.len(),
            coefficients: Vec::new(),
            factor: None,
            weights: Vec::new(),
            is_free: false,
            given_up: Vec::new(),
            answers: Vec::new(),
            rows: Vec::new(),
            failure: None,
        })
    }

    pub fn reads(&self) -> impl Iterator<Item = (usize, [u8; 3])> + '_ {
        self.slots.iter().copied()
    }

    /// Puts the solution into the fields of its components.
    pub fn solve(&mut self, difference: &mut Difference<R>, time: f64) {
        let points = difference.grid.points();
        for unknown in &self.unknowns {
            difference.fields[*unknown].fill(R::of(0.0));
            difference.put_fixed(*unknown);
        }
        let mut arrays: Vec<Vec<R>> = Vec::with_capacity(self.slots.len());
        for (component, orders) in &self.slots {
            let mut values = vec![R::of(0.0); points];
            difference.differentiate(*component, *orders, &mut values);
            arrays.push(values);
        }
        let residual = self.evaluate(difference, &arrays, time);
        let coefficients = self.sensitivities(difference, &mut arrays, &residual, time);
        if self.factor.is_none() || differ(&self.coefficients, &coefficients) {
            self.assemble(difference, &coefficients);
            if self.variables.len() > 1 && !self.is_linear(difference, &mut arrays, &coefficients, time) {
                self.factor = None;
                self.failure = Some(format!(
                    "The lines of {} need each other, and together they are not linear in them. Write a rate for one of them, \
                     such as u_t = …, and let it settle.",
                    self.names
                ));
            }
            self.coefficients = coefficients;
        }
        let Some(factor) = &self.factor else {
            self.unknowns.iter().for_each(|unknown| difference.fields[*unknown].fill(R::of(f64::NAN)));
            return;
        };
        let mut right: Vec<f64> = residual
            .iter()
            .flat_map(|values| values.iter().map(|value| -eddy_numerics::Real::to_f64(*value)))
            .collect();
        for (index, unknown) in self.unknowns.iter().enumerate() {
            difference.fixed[*unknown].iter().for_each(|(point, ..)| right[index * points + point] = 0.0);
        }
        let sources: Vec<f64> = (0..self.unknowns.len()).map(|index| right[index * points]).collect();
        if self.is_free {
            (0..self.unknowns.len()).for_each(|index| right[index * points] = 0.0);
        }
        right.iter_mut().zip(&self.weights).for_each(|(value, weight)| *value /= weight);
        if let Err(error) = factor.solve(&mut right) {
            self.failure = Some(self.unsolvable(&error));
            right.fill(f64::NAN);
        }
        if self.is_free {
            self.balance(&mut right, &sources);
        }
        for (index, unknown) in self.unknowns.iter().enumerate() {
            let part = &mut right[index * points..(index + 1) * points];
            if self.is_free {
                let total = crate::observe::integral_of_order(&difference.grid, part, difference.accuracy);
                let mean = total / difference.grid.volume();
                part.iter_mut().for_each(|value| *value -= mean);
            }
            for (field, value) in difference.fields[*unknown].iter_mut().zip(part.iter()) {
                *field += R::of(*value);
            }
        }
    }

    /// The equations given up hold too once a constant is taken off the source: with a free level the source has to balance
    /// the slopes at the sides, which differences only meet to their order. Left alone, one point would carry all of it.
    fn balance(&self, solution: &mut [f64], sources: &[f64]) {
        let at = |row: &[(usize, f64)], x: &[f64]| row.iter().map(|(column, value)| value * x[*column]).sum::<f64>();
        let count = self.answers.len();
        let missed: Vec<f64> = self.given_up.iter().zip(sources).map(|(row, b)| at(row, solution) - b).collect();
        let matrix = |row: usize, column: usize| {
            at(&self.given_up[row], &self.answers[column]) - if row == column { 1.0 } else { 0.0 }
        };
        // One component, or the two of a complex field.
        let constants = if count == 1 {
            vec![missed[0] / matrix(0, 0)]
        } else {
            let [a, b, c, d] = [matrix(0, 0), matrix(0, 1), matrix(1, 0), matrix(1, 1)];
            let determinant = a * d - b * c;
            vec![(d * missed[0] - b * missed[1]) / determinant, (a * missed[1] - c * missed[0]) / determinant]
        };
        for (constant, answer) in constants.iter().zip(&self.answers).filter(|(constant, _)| constant.is_finite()) {
            solution.iter_mut().zip(answer).for_each(|(x, y)| *x -= constant * y);
        }
    }

    fn unsolvable(&self, error: &FactorError) -> String {
        format!(
            "The equation of {} cannot be solved: {error}. Look for a side without a condition, a term that makes the equation \
             empty, or a coefficient at which it has no single solution.",
            self.names
        )
    }

    /// ∂residual/∂slot, by slot of an unknown and output, where the slots are `arrays` and the residual is `residual`.
    fn sensitivities(
        &mut self,
        difference: &Difference<R>,
        arrays: &mut [Vec<R>],
        residual: &[Vec<R>],
        time: f64,
    ) -> Vec<Vec<R>> {
        let mut coefficients = Vec::new();
        for slot in 0..self.slots.len() {
            if !self.unknowns.contains(&self.slots[slot].0) {
                continue;
            }
            // Beside large values given at the sides, ones would be lost.
            let size = arrays[slot].iter().fold(1.0, |m: f64, v| m.max(eddy_numerics::Real::to_f64(v.magnitude())));
            let unit = R::of(2f64.powf(size.log2().ceil()));
            let kept = arrays[slot].clone();
            arrays[slot].iter_mut().for_each(|value| *value += unit);
            let moved = self.evaluate(difference, arrays, time);
            arrays[slot] = kept;
            for (a, b) in moved.iter().zip(residual) {
                coefficients.push(a.iter().zip(b).map(|(a, b)| (*a - *b) / unit).collect::<Vec<R>>());
            }
        }
        coefficients
    }

    /// Whether the sensitivities are the same elsewhere. Each line was found to be linear in its own unknown when it was read.
    fn is_linear(
        &mut self,
        difference: &Difference<R>,
        arrays: &mut [Vec<R>],
        coefficients: &[Vec<R>],
        time: f64,
    ) -> bool {
        for (slot, array) in arrays.iter_mut().enumerate() {
            if self.unknowns.contains(&self.slots[slot].0) {
                let shift = R::of(0.5 + (slot as f64 * 0.618).fract());
                array.iter_mut().for_each(|value| *value += shift);
            }
        }
        let residual = self.evaluate(difference, arrays, time);
        let elsewhere = self.sensitivities(difference, arrays, &residual, time);
        // Differences of larger numbers round more.
        !differ_by(coefficients, &elsewhere, R::of((1e6 * R::EPSILON).min(1e-2)))
    }

    fn evaluate(&mut self, difference: &Difference<R>, arrays: &[Vec<R>], time: f64) -> Vec<Vec<R>> {
        let mut outputs = vec![vec![R::of(0.0); difference.grid.points()]; self.outputs];
        let slices: Vec<&[R]> = arrays.iter().map(Vec::as_slice).collect();
        let uniforms = Uniforms { time, parameters: &difference.parameters, integrals: &difference.integrals };
        self.kernel.run(&slices, uniforms, &mut outputs);
        outputs
    }

    fn assemble(&mut self, difference: &mut Difference<R>, coefficients: &[Vec<R>]) {
        let points = difference.grid.points();
        let size = points * self.unknowns.len();
        let mine: Vec<(usize, [u8; 3])> =
            self.slots.iter().copied().filter(|(component, _)| self.unknowns.contains(component)).collect();
        if self.rows.is_empty() {
            self.rows = mine
                .iter()
                .map(|(component, orders)| {
                    let variable = difference.components[*component].variable;
                    difference.rows(variable, *orders)
                })
                .collect();
        }
        let mut matrix = Rows::new(size);
        for (slot, (component, _)) in mine.iter().enumerate() {
            let column = self.unknowns.iter().position(|unknown| unknown == component).unwrap_or(0);
            for output in 0..self.outputs {
                let values = &coefficients[slot * self.outputs + output];
                let size = |m: f64, v: &R| m.max(eddy_numerics::Real::to_f64(v.magnitude()));
                let largest = values.iter().fold(0.0, size);
                for (point, value) in values.iter().enumerate() {
                    let value = eddy_numerics::Real::to_f64(*value);
                    // Rounding of the sensitivities must not couple what is not coupled.
                    if value.abs() < 1e-14 * largest {
                        continue;
                    }
                    let target = &mut matrix.rows[output * points + point];
                    if self.rows[slot].is_empty() {
                        target.push((column * points + point, value));
                    } else {
                        let entries = self.rows[slot][point].iter();
                        target.extend(entries.map(|(at, w)| (column * points + at, w * value)));
                    }
                }
            }
        }
        let mut is_fixed = vec![false; size];
        for (index, unknown) in self.unknowns.iter().enumerate() {
            difference.fixed[*unknown].iter().for_each(|(point, ..)| is_fixed[index * points + point] = true);
        }
        // A constant that every row maps to nothing: its level is free. Of several lines together one level may be, or two,
        // or a difference of them: they are refused as singular.
        self.is_free = self.variables.len() == 1
            && !is_fixed.contains(&true)
            && matrix.rows.iter().all(|row| {
                let (sum, size) = row.iter().fold((0.0, 0.0), |(s, a), (_, v)| (s + v, a + f64::abs(*v)));
                f64::abs(sum) <= 1e-9 * size
            });
        if self.is_free {
            (0..self.unknowns.len()).for_each(|index| is_fixed[index * points] = true);
        }
        self.given_up = if self.is_free {
            (0..self.unknowns.len()).map(|index| matrix.rows[index * points].clone()).collect()
        } else {
            Vec::new()
        };
        for (row, entries) in matrix.rows.iter_mut().enumerate() {
            if is_fixed[row] {
                *entries = vec![(row, 1.0)];
            } else {
                entries.retain(|(column, _)| !is_fixed[*column]);
            }
        }
        let weight = |row: &Vec<(usize, f64)>| row.iter().map(|(_, value)| value.abs()).sum::<f64>();
        let heaviest = (0..size).filter(|row| !is_fixed[*row]).map(|row| weight(&matrix.rows[row])).fold(0.0, f64::max);
        // What remains of a slope that is given is rounding.
        let silent = (0..size).find(|row| !is_fixed[*row] && weight(&matrix.rows[*row]) <= 1e-12 * heaviest);
        if let Some(row) = silent.filter(|_| heaviest > 0.0) {
            self.factor = None;
            self.failure = Some(format!(
                "The equation of {} says nothing at {}: its coefficients vanish there, or what is left is given at the side. \
                 Take a domain that begins a little beside it.",
                self.names,
                difference.grid.place(row % points)
            ));
            return;
        }
        self.weights = matrix.rows.iter().map(weight).collect();
        for (row, weight) in matrix.rows.iter_mut().zip(&self.weights).filter(|(_, weight)| **weight > 0.0) {
            row.iter_mut().for_each(|(_, value)| *value /= weight);
        }
        let prepared = Factor::new(&matrix, difference.grid.shape(), self.unknowns.len()).and_then(|factor| {
            let answers = (0..self.given_up.len()).map(|index| {
                let mut answer = vec![0.0; size];
                answer[index * points + 1..(index + 1) * points].fill(1.0);
                answer.iter_mut().zip(&self.weights).for_each(|(value, weight)| *value /= weight);
                factor.solve(&mut answer).map(|()| answer)
            });
            Ok((answers.collect::<Result<_, _>>()?, factor))
        });
        match prepared {
            Ok((answers, factor)) => {
                self.answers = answers;
                self.factor = Some(factor);
                self.failure = None;
            }
            Err(error) => {
                self.factor = None;
                self.failure = Some(self.unsolvable(&error));
            }
        }
    }
}

/// Whether coefficients differ by more than the rounding with which they were found.
fn differ<R: Scalar>(old: &[Vec<R>], new: &[Vec<R>]) -> bool {
    differ_by(old, new, R::of(1e3 * R::EPSILON))
}

fn differ_by<R: Scalar>(old: &[Vec<R>], new: &[Vec<R>], tolerance: R) -> bool {
    old.iter().zip(new).any(|(old, new)| {
        let size = new.iter().fold(R::of(0.0), |a, b| eddy_numerics::Real::max(a, b.magnitude()));
        old.iter().zip(new).any(|(a, b)| !((*a - *b).magnitude() <= tolerance * size))
    })
}
