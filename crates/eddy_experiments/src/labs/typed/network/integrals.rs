//! Conditions on integrals over the domain, as a term of the loss: the norm of a bound state, the content of a box.

use eddy_expr::{BlockKernel, Column, Conditions, Read, Row, kernel::Part, program::UniformInput};
use eddy_nets::{graph::GraphEngine, uniform};
use eddy_numerics::quadrature::gauss_legendre;
use eddy_solve::{Statement, grid::Axis};
use eddy_spec::EddyError;

use super::{
    Sought,
    candidate::Candidate,
    points::{Buffers, put_parameters, run_at},
    reads::{Sources, bases, sources},
    scale::of_rows,
};
use crate::labs::pinn::refused;

/// Places along an axis, by dimension: waves and polynomials of that degree are integrated exactly.
const PLACES: [usize; 4] = [1, 96, 28, 12];
/// Places of all moments of a step, about; and most moments.
const POINTS: usize = 1024;
const MOMENTS: usize = 8;

/// Places along an axis and their weights: Gauss-Legendre between sides, equal distances on periods.
pub(super) fn rule(axis: &Axis, count: usize) -> (Vec<f64>, Vec<f64>) {
    if axis.is_periodic {
        let step = axis.length() / count as f64;
        return ((0..count).map(|i| axis.min + i as f64 * step).collect(), vec![step; count]);
    }
    let (points, weights) = gauss_legendre(count);
    let half = 0.5 * axis.length();
    // They come from the upper end downwards.
    let place = |x: &f64| axis.min + half * (1.0 - x);
    (points.iter().map(place).collect(), weights.iter().map(|w| half * w).collect())
}

/// All places of one from each list, the last one fastest.
pub(super) fn tensor(along: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let longer = |all: Vec<Vec<f64>>, list: &Vec<f64>| -> Vec<Vec<f64>> {
        all.iter().flat_map(|place| list.iter().map(move |x| [&place[..], &[*x]].concat())).collect()
    };
    along.iter().fold(vec![Vec::new()], longer)
}

/// By integral: one over what it is divided by.
pub(super) fn factors(conditions: &Conditions, axes: &[Axis]) -> Vec<f64> {
    let volume: f64 = axes.iter().map(Axis::length).product();
    conditions.is_mean.iter().map(|is_mean| if *is_mean { 1.0 / volume } else { 1.0 }).collect()
}

/// Conditions g(∫f₁, ∫f₂, …, t, p) = 0 as functions of the integrals: values and slopes.
pub(super) struct Outer {
    kernel: BlockKernel<f64>,
    count: usize,
    integral_slopes: Vec<(usize, usize)>,
    parameter_slopes: Vec<(usize, usize)>,
    values: Vec<[f64; 1]>,
}

impl Outer {
    pub fn new(conditions: &Conditions) -> Self {
        let slopes = conditions.integral_slopes.len() + conditions.parameter_slopes.len();
        Self {
            kernel: BlockKernel::new(conditions.program.clone()),
            count: conditions.program.outputs.len() - slopes,
            integral_slopes: conditions.integral_slopes.clone(),
            parameter_slopes: conditions.parameter_slopes.clone(),
            values: vec![[0.0]; conditions.program.outputs.len()],
        }
    }

    /// How many conditions.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Works everything out for these integrals.
    pub fn run(&mut self, integrals: &[f64], time: f64, parameters: &[f64]) {
        self.kernel.set_uniforms(|input| match input {
            UniformInput::Integral(k) => integrals[usize::from(k)],
            UniformInput::Parameter(k) => parameters.get(usize::from(k)).copied().unwrap_or(f64::NAN),
            UniformInput::Time => time,
            UniformInput::InverseSpacing(_) => f64::NAN,
        });
        let row = Row { fields: &[], strides: [1, 0, 0], coordinates: [Column::Constant(0.0); 3] };
        let mut outputs: Vec<&mut [f64]> = self.values.iter_mut().map(<[f64; 1]>::as_mut_slice).collect();
        if self.kernel.run(&row, &mut outputs).is_err() {
            self.values.fill([f64::NAN]);
        }
    }

    /// Left less right of a condition.
    pub fn value(&self, condition: usize) -> f64 {
        self.values[condition][0]
    }

    /// ∂g/∂(integral) of a condition, those that do not vanish.
    pub fn integral_slopes(&self, condition: usize) -> impl Iterator<Item = (usize, f64)> {
        let first = self.count;
        let all = self.integral_slopes.iter().enumerate().filter(move |(_, (of, _))| *of == condition);
        all.map(move |(n, (_, integral))| (*integral, self.values[first + n][0]))
    }

    /// ∂g/∂(position of a parameter), likewise.
    pub fn parameter_slopes(&self, condition: usize) -> impl Iterator<Item = (usize, f64)> {
        let first = self.count + self.integral_slopes.len();
        let all = self.parameter_slopes.iter().enumerate().filter(move |(_, (of, _))| *of == condition);
        all.map(move |(n, (_, position))| (*position, self.values[first + n][0]))
    }
}

/// What conditions leave at the start of fields that are `size` everywhere, with derivatives of that over the lengths of the axes.
pub(super) fn left_by(statement: &Statement, conditions: &Conditions, size: impl Fn(u16, Part) -> f64) -> Vec<f64> {
    let (axes, integrands) = (&statement.grid.axes, &conditions.integrands);
    let (along, weights): (Vec<_>, Vec<_>) = axes.iter().map(|axis| rule(axis, PLACES[axes.len()])).unzip();
    let (places, weights) = (tensor(&along), tensor(&weights));
    let columns: Vec<Vec<f64>> = (integrands.reads.iter())
        .map(|read| match read {
            Read::Time => vec![statement.start; places.len()],
            Read::Jet { variable, part, orders, time: 0 } => {
                let lengths = axes.iter().zip(orders).map(|(axis, order)| axis.length().powi(i32::from(*order)));
                vec![size(*variable, *part) / lengths.product::<f64>(); places.len()]
            }
            Read::Jet { .. } => vec![0.0; places.len()],
        })
        .collect();
    let by_axis: Vec<Vec<f64>> = (0..axes.len()).map(|axis| places.iter().map(|place| place[axis]).collect()).collect();
    let values = run_at(integrands, &statement.parameters, &by_axis, &columns).unwrap_or_default();
    let weights: Vec<f64> = weights.iter().map(|all| all.iter().product()).collect();
    let integral = |(factor, values): (&f64, &Vec<f64>)| {
        factor * weights.iter().zip(values).map(|(weight, value)| weight * value).sum::<f64>()
    };
    let integrals: Vec<f64> = factors(conditions, axes).iter().zip(&values).map(integral).collect();
    let mut outer = Outer::new(conditions);
    if integrals.len() == conditions.is_mean.len() {
        outer.run(&integrals, statement.start, &statement.parameters);
    }
    (0..outer.count()).map(|condition| outer.value(condition)).collect()
}

/// By condition: one over what it leaves of zero fields, or over how many times more fields of their amplitudes change it than fields
/// of amplitude one where that is more; where it is far from one.
fn scales(statement: &Statement, candidate: &Candidate, conditions: &Conditions) -> Vec<f64> {
    let amplitude = |variable: u16, part: Part| {
        candidate.output(variable, part).map_or(1.0, |output| candidate.outputs[output].size.amplitude)
    };
    let nothing = left_by(statement, conditions, |_, _| 0.0);
    let one = left_by(statement, conditions, |_, _| 1.0);
    let as_far = left_by(statement, conditions, amplitude);
    let scale = |((nothing, one), as_far): ((f64, f64), f64)| {
        let times = (as_far - nothing).abs() / (one - nothing).abs();
        1.0 / of_rows(if times.is_finite() { times.max(nothing.abs()) } else { nothing.abs() })
    };
    nothing.into_iter().zip(one).zip(as_far).map(scale).collect()
}

/// The conditions of a training, taken at one moment of a steady problem, at some random ones of others.
pub struct Integrals {
    pub conditions: Conditions,
    inner: BlockKernel<f64>,
    outer: Outer,
    engine: GraphEngine<f64>,
    sources: Sources,
    /// [place][axis], and the weight of each place.
    places: Vec<Vec<f64>>,
    weights: Vec<f64>,
    /// [`factors`]
    factors: Vec<f64>,
    /// By condition: factor of its error ([`scales`]).
    scales: Vec<f64>,
    /// Moments of a step, as the equations know them.
    moments: Vec<f64>,
    /// [moment][place][input]
    points: Vec<f64>,
    bases: Vec<Vec<f64>>,
    seed: u64,
}

impl Integrals {
    pub fn new(
        statement: &Statement,
        candidate: &mut Candidate,
        conditions: Conditions,
        seed: u32,
    ) -> Result<Self, EddyError> {
        let axes = &statement.grid.axes;
        if axes.is_empty() {
            let message = "Without an axis in space there is no domain to integrate over. Give x a domain.";
            return Err(EddyError::start(message).at("integrals"));
        }
        let (derivatives, sources) = sources(&conditions.integrands.reads, statement, candidate)?;
        let (along, weights): (Vec<_>, Vec<_>) = axes.iter().map(|axis| rule(axis, PLACES[axes.len()])).unzip();
        let places = tensor(&along);
        let moments = if candidate.has_time { (POINTS / places.len()).clamp(1, MOMENTS) } else { 1 };
        Ok(Self {
            inner: BlockKernel::new(conditions.integrands.program.clone()),
            outer: Outer::new(&conditions),
            engine: GraphEngine::new(&candidate.graph, &derivatives).map_err(refused)?,
            sources,
            weights: tensor(&weights).iter().map(|all| all.iter().product()).collect(),
            places,
            factors: factors(&conditions, axes),
            scales: scales(statement, candidate, &conditions),
            moments: vec![statement.start; moments],
            points: Vec::new(),
            bases: Vec::new(),
            seed: u64::from(seed) ^ 0x1a7e,
            conditions,
        })
    }

    /// New moments of step `step`, in a window that begins `offset` after the run.
    pub fn draw(&mut self, statement: &Statement, candidate: &Candidate, offset: f64, step: u64) {
        if !candidate.has_time && !self.points.is_empty() {
            return;
        }
        let count = self.moments.len();
        self.points.clear();
        for m in 0..count {
            let share = (m as f64 + uniform(self.seed, step * count as u64 + m as u64)) / count as f64;
            let time = statement.start + (statement.end - statement.start) * share;
            if candidate.has_time {
                self.moments[m] = time + offset;
            }
            for place in &self.places {
                self.points.extend_from_slice(place);
                self.points.extend(candidate.has_time.then_some(time));
            }
        }
        let reads = &self.conditions.integrands.reads;
        self.bases = bases(reads, &self.sources, statement, candidate, &self.points, offset);
    }

    /// By condition the factor of its error.
    pub fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// Places along an axis, and moments of a step.
    pub fn places_along(&self) -> usize {
        PLACES[self.places.first().map_or(0, Vec::len)]
    }

    pub fn moments(&self) -> usize {
        self.moments.len()
    }

    /// How many squares the loss is the mean of.
    fn rows_of_loss(&self) -> f64 {
        (self.outer.count() * self.moments.len()) as f64
    }

    /// [moment][integral] of the network.
    fn values(&mut self, parameters: &[f64], coefficients: &[f64], dimension: usize) -> Vec<f64> {
        put_parameters(&mut self.inner, coefficients);
        let Self { conditions, inner, engine, sources, weights, factors, bases, points, moments, .. } = self;
        let (integrands, count, places) = (&conditions.integrands, factors.len(), weights.len());
        let mut buffers = Buffers::new(integrands);
        let mut found = vec![0.0; moments.len() * count];
        engine.evaluate(parameters, points, |tile| {
            let is_known = buffers.run(inner, sources, bases, 0, dimension, tile);
            for i in 0..tile.len {
                let (moment, place) = ((tile.start + i) / places, (tile.start + i) % places);
                for (k, factor) in factors.iter().enumerate() {
                    let value = if is_known { buffers.outputs[k][i] } else { f64::NAN };
                    found[moment * count + k] += factor * weights[place] * value;
                }
            }
        });
        found
    }

    /// Mean of the squares. `take` gets each left less right with its derivatives by the network's parameters, both times the
    /// root of `weight` over the number of them, so that their squares add up to `weight` times that mean. Numbers that are
    /// held have none.
    pub(super) fn rows(
        &mut self,
        parameters: &[f64],
        coefficients: &[f64],
        sought: &[Sought],
        is_held: bool,
        dimension: usize,
        weight: f64,
        mut take: impl FnMut(f64, &[f64]),
    ) -> f64 {
        let integrals = self.values(parameters, coefficients, dimension);
        let share = 1.0 / self.rows_of_loss();
        let root = (weight * share).sqrt();
        let Self {
            conditions, inner, outer, engine, sources, weights, factors, scales, bases, points, moments, ..
        } = self;
        let (integrands, count, places) = (&conditions.integrands, factors.len(), weights.len());
        let mut buffers = Buffers::new(integrands);
        let mut gradient = vec![0.0; parameters.len()];
        let per_moment = points.len() / moments.len();
        let mut loss = 0.0;
        for (m, moment) in moments.iter().enumerate() {
            outer.run(&integrals[m * count..][..count], *moment, coefficients);
            for condition in 0..outer.count() {
                gradient.fill(0.0);
                let mut slopes = vec![0.0; count];
                outer.integral_slopes(condition).for_each(|(k, slope)| slopes[k] = factors[k] * slope);
                let mut moved = vec![0.0; sought.len()];
                outer.parameter_slopes(condition).for_each(|(position, slope)| moved[position] += slope);
                engine.add_gradient(parameters, &points[m * per_moment..][..per_moment], &mut gradient, |tile| {
                    if !buffers.run(inner, sources, bases, m * places, dimension, tile) {
                        return f64::NAN;
                    }
                    let weights = &weights[tile.start..][..tile.len];
                    for (n, (k, read)) in integrands.slopes.iter().enumerate() {
                        let Some((output, component)) = sources[*read] else { continue };
                        let inner_slopes = &buffers.outputs[count + n];
                        for ((a, w), slope) in tile.adjoint(output, component).iter_mut().zip(weights).zip(inner_slopes)
                        {
                            *a += slopes[*k] * w * slope;
                        }
                    }
                    for k in 0..count {
                        for (slope, position) in buffers.parameter_slopes(integrands, k) {
                            moved[position] += slopes[k] * weights.iter().zip(slope).map(|(w, s)| w * s).sum::<f64>();
                        }
                    }
                    0.0
                });
                if !is_held {
                    for (one, slope) in sought.iter().zip(moved) {
                        gradient[one.at] += one.scale * slope;
                    }
                }
                let (value, root) = (scales[condition] * outer.value(condition), scales[condition] * root);
                loss += share * value * value;
                gradient.iter_mut().for_each(|g| *g *= root);
                take(root * outer.value(condition), &gradient);
            }
        }
        loss
    }

    /// That mean alone.
    pub fn loss(&mut self, parameters: &[f64], coefficients: &[f64], dimension: usize) -> f64 {
        let integrals = self.values(parameters, coefficients, dimension);
        let count = self.factors.len();
        let mut loss = 0.0;
        for (m, moment) in self.moments.iter().enumerate() {
            self.outer.run(&integrals[m * count..][..count], *moment, coefficients);
            loss += self.scales.iter().enumerate().map(|(c, scale)| (scale * self.outer.value(c)).powi(2)).sum::<f64>();
        }
        loss / self.rows_of_loss()
    }
}
