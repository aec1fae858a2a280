//! Conditions at the sides of the domain, as a term of the loss.

use eddy_expr::kernel::Part;
use eddy_nets::{
    graph::{Derivatives, GraphEngine, GraphTile, RowTile, Rows},
    uniform,
};
use eddy_solve::{
    Statement,
    boundary::{Condition, Side},
};
use eddy_spec::EddyError;

use super::{candidate::Candidate, scale::of_condition};
use crate::labs::pinn::refused;

/// One condition of one component: Σ_j c_j ∂ʲu/∂nʲ = g. Its error is the difference of both sides times a factor.
pub(super) struct Held {
    pub output: usize,
    variable: u16,
    pub part: Part,
    pub axis: usize,
    pub is_high: bool,
    pub condition: Condition,
    /// Factor of its errors ([`of_condition`]).
    pub scale: f64,
    /// First of its points.
    first: usize,
}

/// All conditions with their points.
pub struct Sides {
    held: Vec<Held>,
    /// Points of each condition.
    count: usize,
    /// The candidate with its derivatives along the axes.
    engine: GraphEngine<f64>,
    /// Component of ∂ʲ along each axis.
    components: [[usize; 4]; 3],
    points: Vec<f64>,
    /// By condition: what the initial values add to the left side, less the right side, at its points.
    bases: Vec<Vec<f64>>,
    parameters: Vec<f64>,
    seed: u64,
}

impl Sides {
    /// `None` where every side is periodic or free.
    pub fn new(
        statement: &Statement,
        candidate: &mut Candidate,
        points: usize,
        seed: u32,
    ) -> Result<Option<Self>, EddyError> {
        let mut held = Vec::new();
        for output in 0..candidate.outputs.len() {
            let (variable, part) = (candidate.outputs[output].variable, candidate.outputs[output].part);
            let Some(sides) = &statement.sides[usize::from(variable)] else { continue };
            for axis in 0..statement.grid.dimension() {
                for (side, is_high) in sides[axis].iter().zip([false, true]) {
                    match side {
                        Side::Periodic | Side::Free => {}
                        Side::Absorbing => {
                            let message = "A network knows no absorbing side: give it a condition such as neumann: 0, or none \
                                           with free.";
                            return Err(EddyError::start(message).at("boundary"));
                        }
                        Side::Conditions(conditions) => {
                            for condition in conditions {
                                let (condition, first) = (condition.clone(), held.len() * points);
                                let scale = of_condition(statement, &condition, axis, &candidate.outputs[output].size);
                                held.push(Held { output, variable, part, axis, is_high, condition, scale, first });
                            }
                        }
                    }
                }
            }
        }
        if held.is_empty() || points == 0 {
            return Ok(None);
        }
        let highest = |axis: usize| {
            held.iter()
                .filter(|one| one.axis == axis)
                .filter_map(|one| one.condition.coefficients.iter().rposition(|c| *c != 0.0))
                .max()
                .unwrap_or(0)
        };
        let along = |axis: usize, order: usize| {
            let mut orders = vec![0; candidate.inputs];
            if order > 0 {
                orders[axis] = order;
            }
            orders
        };
        let wanted: Vec<Vec<usize>> = (0..statement.grid.dimension()).map(|axis| along(axis, highest(axis))).collect();
        let derivatives = Derivatives::new(candidate.inputs, &wanted.iter().map(Vec::as_slice).collect::<Vec<_>>())
            .map_err(refused)?;
        let component = |axis, order| derivatives.component(&along(axis, order)).unwrap_or(0);
        let components = [0, 1, 2]
            .map(|axis| [0, 1, 2, 3].map(|order| if axis < wanted.len() { component(axis, order) } else { 0 }));
        let engine = GraphEngine::new(&candidate.graph, &derivatives).map_err(refused)?;
        for one in &held {
            for order in (0..4u8).filter(|order| one.condition.coefficients[usize::from(*order)] != 0.0) {
                candidate.need(statement, one.output, normal(one.axis, order))?;
            }
        }
        Ok(Some(Self {
            bases: vec![Vec::new(); held.len()],
            held,
            count: points,
            engine,
            components,
            points: Vec::new(),
            parameters: statement.parameters.clone(),
            seed: u64::from(seed) ^ 0x51de,
        }))
    }

    /// The conditions, by output, axis and side.
    pub(super) fn held(&self) -> &[Held] {
        &self.held
    }

    /// What is left as a term of the loss where some conditions are built into the candidate; `None` where all are.
    pub fn without_built_in(mut self, candidate: &Candidate) -> Option<Self> {
        self.held.retain(|one| !candidate.built_in(one.output).holds(one.axis, one.is_high, &one.condition));
        self.held.iter_mut().enumerate().for_each(|(i, one)| one.first = i * self.count);
        self.bases.truncate(self.held.len());
        (!self.held.is_empty()).then_some(self)
    }

    /// Points of all conditions.
    pub fn points(&self) -> usize {
        self.held.len() * self.count
    }

    /// Its points, one condition after the other, [point][input].
    pub(super) fn places(&self) -> &[f64] {
        &self.points
    }

    /// By point: the factors of u, ∂u and ∂²u along the axis in the error there, and what is added.
    pub(super) fn in_order(&self) -> impl Iterator<Item = [f64; 4]> {
        self.held.iter().zip(&self.bases).flat_map(|(one, base)| {
            let [u, slope, second, _] = one.factors();
            base.iter().map(move |base| [u, slope, second, *base])
        })
    }

    /// Whether some side fixes the value of a field.
    pub fn fixes(&self, variable: u16) -> bool {
        self.held.iter().any(|one| one.variable == variable && one.condition.coefficients[0] != 0.0)
    }

    /// New points of step `step`, in a window that begins `offset` after the run.
    pub fn draw(&mut self, statement: &Statement, candidate: &Candidate, offset: f64, step: u64) {
        let inputs = candidate.inputs;
        let mut counter = step * (self.held.len() * self.count * inputs) as u64;
        self.points.clear();
        for one in &self.held {
            for n in 0..self.count {
                for (index, axis) in statement.grid.axes.iter().enumerate() {
                    counter += 1;
                    self.points.push(match (index == one.axis, one.is_high) {
                        (true, true) => axis.max,
                        (true, false) => axis.min,
                        _ => axis.min + axis.length() * uniform(self.seed, counter),
                    });
                }
                if candidate.has_time {
                    counter += 1;
                    let share = (n as f64 + uniform(self.seed, counter)) / self.count as f64;
                    self.points.push(statement.start + (statement.end - statement.start) * share);
                }
            }
        }
        let dimension = statement.grid.dimension();
        for (one, base) in self.held.iter().zip(&mut self.bases) {
            let points = &self.points[one.first * inputs..][..self.count * inputs];
            base.clear();
            base.extend(points.chunks_exact(inputs).map(|point| {
                if one.condition.is_homogeneous {
                    return 0.0;
                }
                let mut at = [0.0; 3];
                at[..dimension].copy_from_slice(&point[..dimension]);
                let time = if candidate.has_time { point[dimension] + offset } else { statement.start };
                let (re, im) = one.condition.value(at, time, &self.parameters);
                -one.scale * if one.part == Part::Real { re } else { im }
            }));
            for (order, factor) in (0u8..).zip(one.factors()).filter(|(_, factor)| *factor != 0.0) {
                let added = candidate.base(one.output, normal(one.axis, order), 0, points);
                base.iter_mut().zip(added).for_each(|(b, a)| *b += factor * a);
            }
        }
    }

    /// The mean of the squared errors; `weight` times its gradient is added to `gradient`.
    pub fn add_gradient(&mut self, parameters: &[f64], weight: f64, gradient: &mut [f64]) -> f64 {
        let (engine, points, terms) = self.terms();
        engine.add_gradient(parameters, points, gradient, |tile| {
            let mut loss = 0.0;
            for i in 0..tile.len {
                let error = terms.error(tile, i);
                loss += terms.share * error * error;
                for (output, component, factor) in terms.slopes(tile.start + i) {
                    tile.adjoint(output, component)[i] += 2.0 * weight * terms.share * error * factor;
                }
            }
            loss
        })
    }

    /// The same error by error: the squares of the rows that `take` gets are `weight` times that mean.
    pub fn rows(&mut self, parameters: &[f64], weight: f64, take: impl FnMut(&Rows<'_, f64>)) -> f64 {
        let (engine, points, terms) = self.terms();
        let (root, mut loss) = ((weight * terms.share).sqrt(), 0.0);
        let write = |rows: &mut RowTile<'_, '_, f64>, _: usize| {
            let tile = &mut rows.tile;
            for i in 0..tile.len {
                let error = terms.error(tile, i);
                loss += terms.share * error * error;
                rows.residuals[i] = root * error;
                for (output, component, factor) in terms.slopes(tile.start + i) {
                    tile.adjoint(output, component)[i] += root * factor;
                }
            }
        };
        engine.rows(parameters, points, 1, write, take);
        loss
    }

    /// The mean of the squared errors alone.
    pub fn loss(&mut self, parameters: &[f64]) -> f64 {
        let (engine, points, terms) = self.terms();
        let mut loss = 0.0;
        engine.evaluate(parameters, points, |tile| {
            loss += (0..tile.len).map(|i| terms.share * terms.error(tile, i).powi(2)).sum::<f64>();
        });
        loss
    }

    fn terms(&mut self) -> (&mut GraphEngine<f64>, &[f64], Terms<'_>) {
        let Self { held, count, engine, components, points, bases, .. } = self;
        let share = 1.0 / (held.len() * *count) as f64;
        (engine, points, Terms { held, count: *count, components, bases, share })
    }
}

/// The errors at the points, one condition after the other.
struct Terms<'a> {
    held: &'a [Held],
    count: usize,
    components: &'a [[usize; 4]; 3],
    bases: &'a [Vec<f64>],
    /// Of a squared error in their mean.
    share: f64,
}

impl Terms<'_> {
    /// Output, component and factor of what the error at point `at` reads.
    fn slopes(&self, at: usize) -> impl Iterator<Item = (usize, usize, f64)> {
        let one = &self.held[at / self.count];
        let read = one.factors().into_iter().zip(self.components[one.axis]).filter(|(factor, _)| *factor != 0.0);
        let output = one.output;
        read.map(move |(factor, component)| (output, component, factor))
    }

    fn error(&self, tile: &GraphTile<'_, f64>, i: usize) -> f64 {
        let at = tile.start + i;
        let read = self.slopes(at).map(|(output, component, factor)| factor * tile.jet(output, component)[i]);
        self.bases[at / self.count][at % self.count] + read.sum::<f64>()
    }
}

impl Held {
    /// Factors of u, ∂u, ∂²u, ∂³u along the axis: the outward normal points down at the low side.
    pub(super) fn coefficients(&self) -> [f64; 4] {
        let mut factors = self.condition.coefficients;
        if !self.is_high {
            // Without minus zeros, which a script would show.
            factors[1] = 0.0 - factors[1];
            factors[3] = 0.0 - factors[3];
        }
        factors
    }

    /// The same in the error.
    pub(super) fn factors(&self) -> [f64; 4] {
        self.coefficients().map(|c| self.scale * c)
    }
}

pub(super) fn normal(axis: usize, order: u8) -> [u8; 3] {
    let mut orders = [0; 3];
    orders[axis] = order;
    orders
}
