//! Networks on parts of an axis without overlap, and the conditions where two of them meet.

use eddy_expr::{Read, Residuals};
use eddy_nets::{
    graph::{Derivatives, GraphEngine, GraphTile, NormalEquations, RowTile},
    uniform,
};
use eddy_solve::Statement;
use eddy_spec::EddyError;

use super::{
    architecture::{Kind, Split},
    candidate::Candidate,
};
use crate::labs::pinn::refused;

/// How far beside a joint its two sides are looked at, relative to a part: less than rounding moves anything smooth.
const BESIDE: f64 = 1e-9;

/// One of the derivatives that go on across a joint.
struct Continued {
    output: usize,
    component: usize,
    order: usize,
    /// h^order over the output's amplitude, so that all count alike; h is the length of a part, or what the equation reaches in the
    /// time where that is less: a jump of a slope is felt no farther.
    factor: f64,
}

/// Interface conditions of a domain decomposition (Jagtap and Karniadakis 2020, "Extended physics-informed neural networks",
/// section 2.2, with derivatives in place of fluxes): at random points of each joint the value and all derivatives along the
/// axis below the order of the equation are the same from both sides.
pub(super) struct Joints {
    places: Vec<f64>,
    split: Split,
    continued: Vec<Continued>,
    engine: GraphEngine<f64>,
    /// Pairs of points at the low and at the high side of a joint, [pair][side][input].
    points: Vec<f64>,
    /// Pairs of each joint.
    count: usize,
    seed: u64,
}

impl Joints {
    /// `None` where the network is in one piece.
    pub fn new(
        statement: &Statement,
        candidate: &Candidate,
        residuals: &Residuals,
        kind: Kind,
        points: usize,
        seed: u32,
    ) -> Result<Option<Self>, EddyError> {
        let Kind::Domains { count } = kind else { return Ok(None) };
        let split = Split::new(statement);
        let (inputs, dimension) = (candidate.inputs, statement.grid.dimension());
        let highest = |output: usize| {
            let variable = candidate.outputs[output].variable;
            let of = |read: &Read| match read {
                Read::Jet { variable: other, orders, time, .. } if *other == variable => {
                    usize::from(if split.input < dimension { orders[split.input] } else { *time })
                }
                _ => 0,
            };
            residuals.reads.iter().map(of).max().unwrap_or(0).max(1)
        };
        let along = |order: usize| (0..inputs).map(|i| if i == split.input { order } else { 0 }).collect::<Vec<_>>();
        let outputs = candidate.outputs.len();
        let most = (0..outputs).map(highest).max().unwrap_or(1) - 1;
        let derivatives = Derivatives::new(inputs, &[&along(most)]).map_err(refused)?;
        let length = (split.max - split.min) / count as f64;
        let continued = (0..outputs).flat_map(|output| (0..highest(output)).map(move |order| (output, order)));
        let continued = continued.map(|(output, order)| {
            let size = candidate.outputs[output].size;
            let length = if split.input < dimension { length.min(size.reach) } else { length };
            let component = derivatives.component(&along(order)).unwrap_or(0);
            Continued { output, order, component, factor: length.powi(order as i32) / size.amplitude }
        });
        let first = usize::from(!split.is_periodic);
        Ok(Some(Self {
            places: (first..count).map(|k| split.min + k as f64 * length).collect(),
            split,
            continued: continued.collect(),
            engine: GraphEngine::new(&candidate.graph, &derivatives).map_err(refused)?,
            points: Vec::new(),
            count: points.max(1),
            seed: u64::from(seed) ^ 0x901e,
        }))
    }

    /// Where parts meet.
    pub fn places(&self) -> &[f64] {
        &self.places
    }

    /// How far beside a joint its sides are looked at.
    pub fn beside(&self) -> f64 {
        let parts = self.places.len() + usize::from(!self.split.is_periodic);
        BESIDE * (self.split.max - self.split.min) / parts as f64
    }

    /// (output, order, factor) of what goes on across.
    pub fn continued(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        self.continued.iter().map(|one| (one.output, one.order, one.factor))
    }

    /// Pairs of points at each joint.
    pub fn count(&self) -> usize {
        self.count
    }

    /// New points of step `step`.
    pub fn draw(&mut self, statement: &Statement, candidate: &Candidate, step: u64) {
        let (inputs, beside) = (candidate.inputs, self.beside());
        let mut counter = step * (self.places.len() * self.count * inputs) as u64;
        self.points.clear();
        for place in &self.places {
            for _ in 0..self.count {
                let mut point: Vec<f64> = Vec::with_capacity(inputs);
                let times = candidate.has_time.then_some((statement.start, statement.end));
                for (low, high) in statement.grid.axes.iter().map(|axis| (axis.min, axis.max)).chain(times) {
                    counter += 1;
                    point.push(low + (high - low) * uniform(self.seed, counter));
                }
                for side in [-beside, beside] {
                    point[self.split.input] = place + side;
                    self.points.extend_from_slice(&point);
                }
            }
        }
    }

    /// Of a squared jump in their mean.
    fn share(&self) -> f64 {
        1.0 / (self.places.len() * self.count * self.continued.len()) as f64
    }

    /// The mean of the squared jumps; `weight` times its gradient is added to `gradient`.
    pub fn add_gradient(&mut self, parameters: &[f64], weight: f64, gradient: &mut [f64]) -> f64 {
        let share = self.share();
        let Self { engine, points, continued, .. } = self;
        let loss = engine.add_gradient(parameters, points, gradient, |tile| {
            let mut loss = 0.0;
            for one in continued.iter() {
                for i in (0..tile.len).step_by(2) {
                    let jump = one.jump(tile, i);
                    loss += share * jump * jump;
                    let pull = 2.0 * weight * share * one.factor * jump;
                    let adjoint = tile.adjoint(one.output, one.component);
                    adjoint[i] -= pull;
                    adjoint[i + 1] += pull;
                }
            }
            loss
        });
        loss
    }

    /// The same jump by jump: the squares of what `equations` get are `weight` times that mean.
    pub fn rows(&mut self, parameters: &[f64], weight: f64, equations: &mut NormalEquations) -> f64 {
        let share = self.share();
        let root = (weight * share).sqrt();
        let Self { engine, points, continued, .. } = self;
        let write = |rows: &mut RowTile<'_, '_, f64>, k: usize| {
            let (one, tile) = (&continued[k], &mut rows.tile);
            for i in 0..tile.len {
                let factor = if i % 2 == 0 { -root } else { root } * one.factor;
                rows.residuals[i] = factor * tile.jet(one.output, one.component)[i];
                tile.adjoint(one.output, one.component)[i] = factor;
            }
        };
        let (mut slopes, mut loss) = (vec![0.0; parameters.len()], 0.0);
        engine.rows(parameters, points, continued.len(), write, |rows| {
            for i in (0..rows.len).step_by(2) {
                for (p, slope) in slopes.iter_mut().enumerate() {
                    let own = rows.slopes(p);
                    *slope = own[i] + own[i + 1];
                }
                let jump = rows.residuals[i] + rows.residuals[i + 1];
                loss += jump * jump;
                equations.add_one(jump, &slopes);
            }
        });
        equations.finish();
        loss / weight
    }

    /// The mean of the squared jumps alone.
    pub fn loss(&mut self, parameters: &[f64]) -> f64 {
        let share = self.share();
        let Self { engine, points, continued, .. } = self;
        let mut loss = 0.0;
        engine.evaluate(parameters, points, |tile| {
            for one in continued.iter() {
                loss += (0..tile.len).step_by(2).map(|i| share * one.jump(tile, i).powi(2)).sum::<f64>();
            }
        });
        loss
    }
}

impl Continued {
    /// From the low side of a joint to the high one, where these are points `i` and `i + 1` of a tile.
    fn jump(&self, tile: &GraphTile<'_, f64>, i: usize) -> f64 {
        let jet = tile.jet(self.output, self.component);
        self.factor * (jet[i + 1] - jet[i])
    }
}
