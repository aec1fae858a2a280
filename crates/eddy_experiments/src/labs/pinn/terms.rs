//! The terms of a loss, added up for training or kept apart to be looked at.

use std::ops::Range;

use eddy_nets::graph::{GraphEngine, GraphTile};

use super::insight::{chosen, rows_of};

/// Takes the terms of a loss one by one: a loss that is written once for [`Objective`](super::Objective) is trained on and
/// looked at through it.
pub struct Terms<'a>(Mode<'a>);

enum Mode<'a> {
    /// The gradient of their sum.
    Sum(&'a mut [f64]),
    /// The gradient of each.
    Apart(&'a mut Vec<(&'static str, Vec<f64>)>),
    /// Every point, and its part of each term times the number of points.
    Points(&'a mut Vec<Placed>),
    /// Rows ∂r/∂θ of each at some of its points.
    Rows(&'a mut Vec<(&'static str, Vec<Vec<f64>>)>),
}

/// A term at its points.
pub struct Placed {
    pub name: &'static str,
    /// [point][input]
    pub points: Vec<f64>,
    /// Squared residuals, with the weight of the term.
    pub squares: Vec<f64>,
}

impl<'a> Terms<'a> {
    /// Overwrites `gradient` with the sum.
    pub fn sum(gradient: &'a mut [f64]) -> Self {
        gradient.fill(0.0);
        Self(Mode::Sum(gradient))
    }
    pub fn apart(gradients: &'a mut Vec<(&'static str, Vec<f64>)>) -> Self {
        Self(Mode::Apart(gradients))
    }
    /// See [`rows_of`].
    pub fn rows(rows: &'a mut Vec<(&'static str, Vec<Vec<f64>>)>) -> Self {
        Self(Mode::Rows(rows))
    }
    pub fn points(placed: &'a mut Vec<Placed>) -> Self {
        Self(Mode::Points(placed))
    }
    /// Whether terms that could share a pass must come one by one.
    pub fn is_apart(&self) -> bool {
        !matches!(self.0, Mode::Sum(_))
    }
    /// Whether single points are looked at.
    pub fn is_by_point(&self) -> bool {
        matches!(self.0, Mode::Rows(_) | Mode::Points(_))
    }

    /// A term over points, as [`GraphEngine::add_gradient`] takes it. Returns it.
    pub fn add(
        &mut self,
        name: &'static str,
        engine: &mut GraphEngine<f64>,
        parameters: &[f64],
        points: &[f64],
        loss: &mut dyn FnMut(&mut GraphTile<'_, f64>) -> f64,
    ) -> f64 {
        match &mut self.0 {
            Mode::Sum(gradient) => engine.add_gradient(parameters, points, gradient, loss),
            Mode::Apart(gradients) => {
                let mut own = vec![0.0; parameters.len()];
                let part = engine.add_gradient(parameters, points, &mut own, loss);
                gradients.push((name, own));
                part
            }
            Mode::Points(placed) => {
                let mut squares = engine.parts(parameters, points, loss);
                let all = squares.len() as f64;
                squares.iter_mut().for_each(|s| *s *= all);
                placed.push(Placed { name, points: points.to_vec(), squares });
                f64::NAN
            }
            Mode::Rows(rows) => {
                let all = points.len() / engine.graph().inputs();
                rows.push((name, rows_of(engine.gradients_of(parameters, points, &chosen(all), loss), all)));
                f64::NAN
            }
        }
    }

    /// The last term's slope along a parameter that no node reads. Rows of single points do not have it.
    pub fn slope(&mut self, parameter: usize, slope: f64) {
        match &mut self.0 {
            Mode::Sum(gradient) => gradient[parameter] += slope,
            Mode::Apart(gradients) => {
                if let Some((_, gradient)) = gradients.last_mut() {
                    gradient[parameter] += slope;
                }
            }
            Mode::Points(_) | Mode::Rows(_) => {}
        }
    }

    /// Parameters that stay as they are.
    pub fn hold(&mut self, held: Range<usize>) {
        match &mut self.0 {
            Mode::Sum(gradient) => gradient[held].fill(0.0),
            Mode::Apart(gradients) => gradients.iter_mut().for_each(|(_, g)| g[held.clone()].fill(0.0)),
            Mode::Points(_) => {}
            Mode::Rows(rows) => rows.iter_mut().flat_map(|(_, rows)| rows).for_each(|row| row[held.clone()].fill(0.0)),
        }
    }
}
