//! Steady problems that the lab's solvers do not take, as references: eigenproblems, conditions on integrals, equations that
//! are not linear.
//!
//! Fields are polynomials through Chebyshev's points between sides and waves on periods (Trefethen 2000, chapters 6 and 3).
//! Residuals at the points of a quadrature, conditions at the sides and conditions on integrals are made small together, by
//! Newton's method in the sense of least squares, so that nothing hangs on how many conditions an equation needs (the
//! rectangular collocation of Driscoll and Hale 2016, with all rows kept). Errors fall faster than any power of the number of
//! points where the solution is smooth. Cost: n³ a step for n unknowns.

mod newton;

use std::collections::HashMap;

use eddy_expr::{Conditions, Read, Residuals};
use eddy_numerics::least_squares::Qr;
use eddy_solve::{Statement, boundary::Side, grid::Axis};
use eddy_spec::EddyError;

use super::{
    candidate::{Candidate, Output},
    checks::jump_of_equations,
    integrals::{Outer, factors, rule, tensor},
    points::run_at,
    sides::Sides,
    start::{Line, nodes},
};

/// Points along an axis by dimension, and where some derivative is of order 3 or 4: rounding grows with the points to twice
/// that power.
const POINTS: [usize; 4] = [1, 128, 22, 9];
const POINTS_HIGH: [usize; 4] = [1, 48, 18, 9];
/// Most unknowns.
const UNKNOWNS: f64 = 900.0;
/// Share of the points of the second solution, whose distance is the error.
const COARSER: f64 = 0.75;
/// Largest error of a reference, relative.
const RESOLVED: f64 = 1e-2;
/// What counts as no solution at all on half of the points, where coefficients may jump: what is left relative to its terms.
const IMPOSSIBLE: f64 = 0.5;
/// What rounding makes of the terms that a derivative is the sum of.
const ROUNDING: f64 = 1e-9;

/// A steady problem. Numbers that are looked for come with a first guess; they are unknowns of the problem itself.
pub(super) struct Steady<'a> {
    pub statement: &'a Statement,
    pub candidate: &'a Candidate,
    pub residuals: &'a Residuals,
    pub sides: Option<&'a Sides>,
    pub conditions: Option<&'a Conditions>,
    /// Index of a parameter, position of it among the slopes of the residuals, first guess.
    pub numbers: Vec<(usize, usize, f64)>,
}

/// A solution at some points.
pub(super) struct Solution {
    /// By output.
    pub values: Vec<Vec<f64>>,
    pub numbers: Vec<f64>,
    /// What solves it as well: any sum of these, of the same size. Each by output.
    pub space: Vec<Vec<Vec<f64>>>,
    /// Largest relative distance from the solution with three quarters of the points.
    pub error: f64,
}

impl Steady<'_> {
    /// Whether zero fulfils the equations and the conditions at the sides, so that numbers that are looked for are eigenvalues.
    pub fn is_homogeneous(&self) -> bool {
        let held = self.sides.iter().flat_map(|sides| sides.held());
        let mut all = held.into_iter();
        all.all(|one| one.condition.is_homogeneous) && {
            let grid = Grid::new(self, 0.5);
            grid.system(&grid.zero(None), None).largest_residual == 0.0
        }
    }

    /// Whether no side gives the value of some field.
    pub fn has_free_level(&self) -> bool {
        let gives = |side: &Side| matches!(side, Side::Conditions(all) if all.iter().any(|c| c.coefficients[0] != 0.0));
        let is_held = |output: &Output| {
            let sides = self.statement.sides[usize::from(output.variable)].as_ref();
            sides.is_some_and(|sides| sides.iter().flatten().any(gives))
        };
        !self.candidate.outputs.iter().all(is_held)
    }

    /// Whether the conditions at the sides leave the equations a solution.
    pub fn is_possible(&self) -> bool {
        let grid = Grid::new(self, 0.5);
        !(grid.descend(grid.zero(None)).1 > IMPOSSIBLE)
    }

    /// The solution nearest to zero, or of an eigenproblem the state whose eigenvalue is nearest to the guess, at `points`
    /// [point][axis].
    pub fn solve(&self, points: &[f64], is_eigen: bool) -> Result<Solution, EddyError> {
        let (fine, coarse) = (Grid::new(self, 1.0), Grid::new(self, COARSER));
        let none = |why: &str| {
            let jump = jump_of_equations(self.statement, self.residuals);
            let is_asked = self.conditions.is_some() && jump.is_none();
            let advice = jump.unwrap_or_else(|| {
                "Check the conditions at the sides and on integrals, and take a nearer first guess.".into()
            });
            let message = format!("Nothing was found that the network could be compared with: {why}. {advice}");
            EddyError::start(message).at(if is_asked { "integrals" } else { "equations" })
        };
        let found = fine.solve(is_eigen).map_err(|why| none(&why))?;
        let other = coarse.solve(is_eigen).map_err(|why| none(&why))?;
        let (values, theirs) = (fine.interpolate(&found, points), coarse.interpolate(&other, points));
        let fields = &found[..fine.fields()];
        if is_eigen && fields.iter().all(|v| v.abs() < 1e-9) {
            return Err(none("the conditions leave nothing but zero"));
        }
        let space = if is_eigen { fine.space(&found) } else { Vec::new() };
        let space: Vec<_> = space.iter().map(|y| fine.interpolate(y, points)).collect();
        let (numbers, coarser) = (found[fine.fields()..].to_vec(), &other[coarse.fields()..]);
        let gaps = numbers.iter().zip(coarser).map(|(a, b)| (a - b).abs() / a.abs().max(1e-12));
        let error = gaps.fold(distance(&nearest(&space, &theirs, &values), &theirs), f64::max);
        if !(error < RESOLVED) {
            return Err(none(&format!(
                "{} points along x and {} give solutions that are {error:.1e} apart",
                coarse.axes[0].nodes.len(),
                fine.axes[0].nodes.len()
            )));
        }
        Ok(Solution { values, numbers, space, error })
    }
}

/// |a - b| relative to |a|, over all fields.
fn distance(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let pairs = || a.iter().flatten().zip(b.iter().flatten());
    let gap: f64 = pairs().map(|(a, b)| (a - b) * (a - b)).sum();
    (gap / pairs().map(|(a, _)| a * a).sum::<f64>().max(1e-300)).sqrt()
}

/// The sum of `space` that is nearest to `values`, with the size that `like` has. `like` where there is none.
pub(super) fn nearest(space: &[Vec<Vec<f64>>], values: &[Vec<f64>], like: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let flat = |all: &[Vec<f64>]| all.concat();
    let (target, columns) = (flat(values), space.iter().map(|s| flat(s)).collect::<Vec<_>>());
    let found = if space.is_empty() { None } else { Qr::new(columns).and_then(|qr| qr.solve(target)) };
    let Some(factors) = found else { return like.to_vec() };
    let mut sum: Vec<Vec<f64>> = like.iter().map(|values| vec![0.0; values.len()]).collect();
    for (state, factor) in space.iter().zip(&factors) {
        sum.iter_mut().flatten().zip(state.iter().flatten()).for_each(|(s, v)| *s += factor * v);
    }
    let size = |all: &[Vec<f64>]| all.iter().flatten().map(|v| v * v).sum::<f64>().sqrt();
    let scale = size(like) / size(&sum);
    if !scale.is_finite() {
        return like.to_vec();
    }
    sum.iter_mut().flatten().for_each(|v| *v *= scale);
    sum
}

/// Functions along one axis, by their values at nodes.
#[derive(Clone)]
struct Along {
    line: Line,
    nodes: Vec<f64>,
    /// [order][node]: coefficients of the derivative of what is 1 at the node and 0 at the others.
    coefficients: Vec<Vec<Vec<f64>>>,
    samples: Vec<f64>,
    weights: Vec<f64>,
}

impl Along {
    fn new(axis: &Axis, count: usize) -> Self {
        let line = Line::new(axis);
        // Of an odd number of waves each sine has its cosine.
        let count = if axis.is_periodic { count | 1 } else { count };
        let unit = |j: usize| (0..count).map(|i| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
        let mut coefficients = vec![(0..count).map(|j| line.coefficients(&unit(j))).collect::<Vec<_>>()];
        for order in 0..eddy_nets::graph::MAX_ORDER {
            let mut next = coefficients[order].clone();
            next.iter_mut().for_each(|c| line.derivative(c));
            coefficients.push(next);
        }
        let (samples, weights) = rule(axis, count);
        Self { line, nodes: nodes(axis, count), coefficients, samples, weights }
    }

    /// The derivative at `x` by the values at the nodes.
    fn row(&self, x: f64, order: usize) -> Vec<f64> {
        let all = &self.coefficients[order];
        let mut basis = vec![0.0; all[0].len()];
        self.line.basis(x, &mut basis);
        all.iter().map(|c| c.iter().zip(&basis).map(|(c, b)| c * b).sum()).collect()
    }
}

/// A problem on so many points.
#[derive(Clone)]
struct Grid<'a> {
    problem: &'a Steady<'a>,
    axes: Vec<Along>,
    /// [sample][axis], and their weights.
    samples: Vec<Vec<f64>>,
    weights: Vec<f64>,
    nodes: usize,
    /// [sample][node] of each derivative that is read.
    matrices: HashMap<[u8; 3], Vec<Vec<f64>>>,
    /// Mean sum of the magnitudes of their rows.
    sizes: HashMap<[u8; 3], f64>,
    /// The size s with which fields enter the equations, R(s u)/s: 0 at the guess of a linear problem, 1 at the problem itself.
    strength: f64,
}

/// Left less right of everything, and its derivatives by all unknowns, by column.
struct System {
    rows: Vec<f64>,
    columns: Vec<Vec<f64>>,
    /// Of the residuals of the equations alone.
    largest_residual: f64,
    /// Residual in the mean, largest error at a side and of an integral, each relative to its terms.
    mismatch: f64,
    /// Of conditions at the sides and on integrals.
    weight: f64,
    /// Rows before those of conditions on integrals.
    local: usize,
}

impl<'a> Grid<'a> {
    fn new(problem: &'a Steady<'a>, share: f64) -> Self {
        let axes = &problem.statement.grid.axes;
        let integrands = problem.conditions.map(|c| &c.integrands);
        let reads = || problem.residuals.reads.iter().chain(integrands.into_iter().flat_map(|i| &i.reads));
        let orders = || {
            reads().filter_map(|read| match read {
                Read::Jet { orders, .. } => Some(*orders),
                Read::Time => None,
            })
        };
        let is_high = orders().flatten().any(|order| order > 2);
        let wanted = if is_high { POINTS_HIGH } else { POINTS }[axes.len()] as f64;
        let most = (UNKNOWNS / problem.candidate.outputs.len() as f64).powf(1.0 / axes.len() as f64);
        let count = (share * wanted.min(most)) as usize;
        let along: Vec<Along> = axes.iter().map(|axis| Along::new(axis, count.max(6))).collect();
        let list = |of: fn(&Along) -> &Vec<f64>| along.iter().map(|a| of(a).clone()).collect::<Vec<_>>();
        let samples = tensor(&list(|a| &a.samples));
        let weights = tensor(&list(|a| &a.weights)).iter().map(|all| all.iter().product()).collect();
        let nodes = along.iter().map(|a| a.nodes.len()).product();
        let (matrices, sizes) = (HashMap::new(), HashMap::new());
        let mut grid = Self { problem, samples, weights, nodes, matrices, sizes, axes: along, strength: 1.0 };
        for orders in orders().chain([[0; 3]]) {
            if !grid.matrices.contains_key(&orders) {
                let rows: Vec<Vec<f64>> = grid.samples.iter().map(|sample| grid.row(sample, orders)).collect();
                let sum: f64 = rows.iter().flatten().map(|e| e.abs()).sum();
                grid.sizes.insert(orders, sum / rows.len() as f64);
                grid.matrices.insert(orders, rows);
            }
        }
        grid
    }

    /// The derivative at a place by the values at all nodes.
    fn row(&self, place: &[f64], orders: [u8; 3]) -> Vec<f64> {
        let along: Vec<Vec<f64>> =
            self.axes.iter().zip(place).zip(orders).map(|((a, x), order)| a.row(*x, usize::from(order))).collect();
        tensor(&along).iter().map(|all| all.iter().product()).collect()
    }

    /// Unknowns that are values of fields, [output][node].
    fn fields(&self) -> usize {
        self.problem.candidate.outputs.len() * self.nodes
    }

    /// No fields, at these numbers or at the guesses.
    fn zero(&self, numbers: Option<&[f64]>) -> Vec<f64> {
        let mut y = vec![0.0; self.fields()];
        match numbers {
            Some(numbers) => y.extend_from_slice(numbers),
            None => y.extend(self.problem.numbers.iter().map(|(_, _, guess)| *guess)),
        }
        y
    }

    fn parameters(&self, y: &[f64]) -> Vec<f64> {
        let mut values = self.problem.statement.parameters.clone();
        for ((parameter, _, _), value) in self.problem.numbers.iter().zip(&y[self.fields()..]) {
            values[*parameter] = *value;
        }
        values
    }

    /// What a program gives at all samples, and what it reads there.
    fn run(&self, residuals: &Residuals, y: &[f64], parameters: &[f64]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let columns: Vec<Vec<f64>> = (residuals.reads.iter())
            .map(|read| match read {
                Read::Time => vec![self.problem.statement.start; self.samples.len()],
                Read::Jet { variable, part, orders, .. } => {
                    let output = self.problem.candidate.output(*variable, *part).unwrap_or(0);
                    let values = &y[output * self.nodes..][..self.nodes];
                    let product = |row: &Vec<f64>| row.iter().zip(values).map(|(a, b)| a * b).sum();
                    self.matrices[orders].iter().map(product).collect()
                }
            })
            .collect();
        let places: Vec<Vec<f64>> = (0..self.axes.len()).map(|a| self.samples.iter().map(|s| s[a]).collect()).collect();
        let outputs = run_at(residuals, parameters, &places, &columns);
        let missing = || vec![vec![f64::NAN; self.samples.len()]; residuals.program.outputs.len()];
        (outputs.unwrap_or_else(missing), columns)
    }

    /// Everything at `y`. `weight` is the factor of conditions at the sides and on integrals, the mean size of the others' rows
    /// where it is not given.
    fn system(&self, y: &[f64], weight: Option<f64>) -> System {
        let parameters = self.parameters(y);
        let (residuals, count) = (self.problem.residuals, self.problem.residuals.fields.len());
        let mut system = System::new(y.len());
        self.equations(&mut system, residuals, count, y, &parameters);
        let weight = weight.unwrap_or_else(|| system.row_size());
        system.weight = weight;
        self.at_sides(&mut system, y, weight);
        system.local = system.rows.len();
        self.on_integrals(&mut system, y, &parameters, weight);
        system
    }

    fn equations(&self, system: &mut System, residuals: &Residuals, count: usize, y: &[f64], parameters: &[f64]) {
        let s = self.strength;
        let scaled: Vec<f64> = y[..self.fields()].iter().map(|v| s * v).collect();
        let (mut outputs, mut columns) = self.run(residuals, &scaled, parameters);
        let after = count + residuals.slopes.len();
        let of_numbers = outputs.len().min(after)..outputs.len();
        outputs[of_numbers].iter_mut().flatten().for_each(|v| *v /= s);
        outputs.iter_mut().take(count).chain(&mut columns).flatten().for_each(|v| *v /= s);
        let largest_field = y[..self.fields()].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for k in 0..count {
            let (mut squares, mut terms) = (0.0, 0.0);
            for (s, weight) in self.weights.iter().enumerate() {
                let row = system.new_row(weight.sqrt() * outputs[k][s]);
                system.largest_residual = worse(system.largest_residual, outputs[k][s].abs());
                squares += weight * outputs[k][s].powi(2);
                for (n, (_, read)) in residuals.slopes.iter().enumerate().filter(|(_, (of, _))| *of == k) {
                    let Read::Jet { variable, part, orders, .. } = residuals.reads[*read] else { continue };
                    let slope = outputs[count + n][s];
                    // What rounding alone leaves of a derivative counts as a term.
                    let rounding = ROUNDING * self.sizes[&orders] * largest_field;
                    terms += weight * slope.powi(2) * (columns[*read][s].powi(2) + rounding.powi(2));
                    let first = self.problem.candidate.output(variable, part).unwrap_or(0) * self.nodes;
                    for (node, entry) in self.matrices[&orders][s].iter().enumerate() {
                        system.columns[first + node][row] += weight.sqrt() * slope * entry;
                    }
                }
                for (n, (_, position)) in residuals.parameter_slopes.iter().enumerate().filter(|(_, (of, _))| *of == k)
                {
                    if let Some(number) = self.problem.numbers.iter().position(|(_, p, _)| p == position) {
                        system.columns[self.fields() + number][row] += weight.sqrt() * outputs[after + n][s];
                    }
                }
            }
            // In the mean: at corners the conditions of two sides may ask for what the equations deny.
            let mismatch = if squares == 0.0 { 0.0 } else { (squares / f64::max(terms, squares)).sqrt() };
            system.mismatch = worse(system.mismatch, if squares.is_finite() { mismatch } else { f64::NAN });
        }
    }

    fn at_sides(&self, system: &mut System, y: &[f64], weight: f64) {
        let statement = self.problem.statement;
        let size = y[..self.fields()].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for held in self.problem.sides.iter().flat_map(|sides| sides.held()) {
            let axis = &statement.grid.axes[held.axis];
            let end = if held.is_high { axis.max } else { axis.min };
            let others = self.axes.iter().enumerate();
            let along: Vec<Vec<f64>> =
                others.map(|(a, along)| if a == held.axis { vec![end] } else { along.samples.clone() }).collect();
            for place in tensor(&along) {
                let mut entries = vec![0.0; self.nodes];
                for (order, factor) in (0u8..).zip(held.coefficients()).filter(|(_, factor)| *factor != 0.0) {
                    let mut orders = [0; 3];
                    orders[held.axis] = order;
                    entries.iter_mut().zip(self.row(&place, orders)).for_each(|(e, r)| *e += factor * r);
                }
                let mut point = [0.0; 3];
                point[..place.len()].copy_from_slice(&place);
                let (re, im) = held.condition.value(point, statement.start, &statement.parameters);
                let first = held.output * self.nodes;
                let left: f64 = entries.iter().zip(&y[first..]).map(|(e, v)| e * v).sum();
                let error = left - if held.part == eddy_expr::kernel::Part::Real { re } else { im };
                let rounding: f64 = entries.iter().zip(&y[first..]).map(|(e, v)| ROUNDING * (e * v).abs()).sum();
                system.mismatch = worse(system.mismatch, error.abs() / (size + left.abs() + rounding).max(1e-300));
                // Rows of second and third derivatives no larger than those of first ones: elimination would lose these.
                let size_of = |row: &[f64]| row.iter().map(|e| e * e).sum::<f64>().sqrt();
                let mut first_order = [0; 3];
                first_order[held.axis] = 1;
                let weight = weight / (size_of(&entries) / size_of(&self.row(&place, first_order))).max(1.0);
                let row = system.new_row(weight * error);
                for (node, entry) in entries.iter().enumerate() {
                    system.columns[first + node][row] += weight * entry;
                }
            }
        }
    }

    fn on_integrals(&self, system: &mut System, y: &[f64], parameters: &[f64], weight: f64) {
        let Some(conditions) = self.problem.conditions else { return };
        let integrands = &conditions.integrands;
        let (outputs, _) = self.run(integrands, y, parameters);
        let count = conditions.is_mean.len();
        let factors = factors(conditions, &self.problem.statement.grid.axes);
        let sum = |values: &[f64]| self.weights.iter().zip(values).map(|(w, v)| w * v).sum::<f64>();
        let integrals: Vec<f64> = (0..count).map(|k| factors[k] * sum(&outputs[k])).collect();
        let mut outer = Outer::new(conditions);
        outer.run(&integrals, self.problem.statement.start, parameters);
        for condition in 0..outer.count() {
            let value = outer.value(condition);
            let row = system.new_row(weight * value);
            let mut terms = 1e-12;
            for (k, slope) in outer.integral_slopes(condition) {
                terms += (slope * integrals[k]).abs();
                for (n, (_, read)) in integrands.slopes.iter().enumerate().filter(|(_, (of, _))| *of == k) {
                    let Read::Jet { variable, part, orders, .. } = integrands.reads[*read] else { continue };
                    let first = self.problem.candidate.output(variable, part).unwrap_or(0) * self.nodes;
                    for (s, entries) in self.matrices[&orders].iter().enumerate() {
                        let factor = weight * slope * factors[k] * self.weights[s] * outputs[count + n][s];
                        entries.iter().enumerate().for_each(|(i, e)| system.columns[first + i][row] += factor * e);
                    }
                }
                let after = count + integrands.slopes.len();
                for (n, (_, p)) in integrands.parameter_slopes.iter().enumerate().filter(|(_, (of, _))| *of == k) {
                    let inner = sum(&outputs[after + n]);
                    self.by_number(system, row, *p, weight * slope * factors[k] * inner);
                }
            }
            for (p, slope) in outer.parameter_slopes(condition) {
                self.by_number(system, row, p, weight * slope);
            }
            system.mismatch = worse(system.mismatch, value.abs() / terms.max(value.abs()));
        }
    }

    fn by_number(&self, system: &mut System, row: usize, position: usize, slope: f64) {
        if let Some(number) = self.problem.numbers.iter().position(|(_, p, _)| *p == position) {
            system.columns[self.fields() + number][row] += slope;
        }
    }

    /// Values at points [point][axis], by output.
    fn interpolate(&self, y: &[f64], points: &[f64]) -> Vec<Vec<f64>> {
        let rows: Vec<Vec<f64>> = points.chunks_exact(self.axes.len()).map(|point| self.row(point, [0; 3])).collect();
        let at = |values: &[f64]| rows.iter().map(|row| row.iter().zip(values).map(|(a, b)| a * b).sum()).collect();
        y[..self.fields()].chunks(self.nodes).map(at).collect()
    }
}

/// The larger of two, and no number where one is none.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

impl System {
    fn new(unknowns: usize) -> Self {
        let columns = vec![Vec::new(); unknowns];
        Self { rows: Vec::new(), columns, largest_residual: 0.0, mismatch: 0.0, weight: 1.0, local: 0 }
    }

    fn new_row(&mut self, value: f64) -> usize {
        self.rows.push(value);
        self.columns.iter_mut().for_each(|column| column.push(0.0));
        self.rows.len() - 1
    }

    /// What its columns are to add up to.
    fn right(&self) -> Vec<f64> {
        self.rows.iter().map(|r| -r).collect()
    }

    /// Root mean square of the rows' sizes.
    fn row_size(&self) -> f64 {
        let squares: f64 = self.columns.iter().flatten().map(|e| e * e).sum();
        (squares / self.rows.len().max(1) as f64).sqrt().max(1e-12)
    }
}
