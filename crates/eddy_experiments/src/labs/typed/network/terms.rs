//! Terms of the loss beside the equations and the sides: conditions on integrals, and measurements.

use eddy_nets::graph::{GraphTile, NormalEquations, RowTile, Rows};

use super::{Measurements, TypedNetwork, candidate::Output};

impl Measurements {
    /// What the network says at point `i` of a tile less what was measured there.
    fn gap(&self, tile: &GraphTile<'_, f64>, output: usize, i: usize) -> f64 {
        let at = tile.start + i;
        tile.jet(output, 0)[i] + self.bases[output][at] - self.values[output][at]
    }
}

impl TypedNetwork {
    /// Adds the conditions on integrals to the gradient, and returns their part of the loss.
    pub(super) fn at_integrals(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.each_integral(parameters, |value, slopes| {
            gradient.iter_mut().zip(slopes).for_each(|(g, s)| *g += 2.0 * value * s);
        });
        self.training.integral_weight * self.integral_loss
    }

    /// The same as rows.
    pub(super) fn rows_of_integrals(&mut self, parameters: &[f64], equations: &mut NormalEquations) {
        self.each_integral(parameters, |value, slopes| equations.add_one(value, slopes));
        equations.finish();
    }

    fn each_integral(&mut self, parameters: &[f64], take: impl FnMut(f64, &[f64])) {
        let (coefficients, dimension) = (self.coefficients(parameters), self.statement.grid.dimension());
        let (weight, sought, is_held) = (self.training.integral_weight, &self.sought, self.is_held);
        let Some(integrals) = &mut self.integrals else { return };
        self.integral_loss = integrals.rows(parameters, &coefficients, sought, is_held, dimension, weight, take);
    }

    /// Their part of the loss elsewhere.
    pub(super) fn integrals_there(&mut self, parameters: &[f64]) -> f64 {
        let (coefficients, dimension) = (self.coefficients(parameters), self.statement.grid.dimension());
        let Some(integrals) = &mut self.integrals else { return 0.0 };
        self.training.integral_weight * integrals.loss(parameters, &coefficients, dimension)
    }

    /// Mean squared distance from the measurements, relative to the size of each field.
    pub(super) fn at_measurements(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let (data, factors) = (&self.data, self.data_factors());
        self.values.add_gradient(parameters, &data.points, gradient, |tile| {
            let mut loss = 0.0;
            for (o, factor) in factors.iter().enumerate() {
                for i in 0..tile.len {
                    let gap = data.gap(tile, o, i);
                    loss += factor * gap * gap;
                    tile.adjoint(o, 0)[i] = 2.0 * factor * gap;
                }
            }
            loss
        })
    }

    /// What the squared distance of an output from a measurement counts: nothing where there is nothing to measure.
    pub(super) fn data_factors(&self) -> Vec<f64> {
        let count = self.data.points.len() / self.candidate.inputs;
        let (names, variables) = (&self.training.measured, &self.statement.system.variables);
        let factor = |(output, size): (&Output, &f64)| {
            let is_measured = names.is_empty() || names.contains(&variables[usize::from(output.variable)].name);
            let counts = *size != 0.0 && output.guess.is_none() && is_measured;
            if counts { self.data_weight / (count as f64 * size * size) } else { 0.0 }
        };
        self.candidate.outputs.iter().zip(&self.reference.sizes).map(factor).collect()
    }

    pub(super) fn rows_of_measurements(&mut self, parameters: &[f64], take: impl FnMut(&Rows<'_, f64>)) {
        let (data, factors) = (&self.data, self.data_factors());
        let write = |rows: &mut RowTile<'_, '_, f64>, o: usize| {
            let (tile, root) = (&mut rows.tile, factors[o].sqrt());
            for i in 0..tile.len {
                let gap = data.gap(tile, o, i);
                rows.residuals[i] = root * gap;
                tile.adjoint(o, 0)[i] = root;
            }
        };
        self.values.rows(parameters, &data.points, factors.len(), write, take);
    }

    /// Their part of the loss elsewhere.
    pub(super) fn measurements_there(&mut self, parameters: &[f64]) -> f64 {
        if self.data.points.is_empty() {
            return 0.0;
        }
        let (data, factors, mut loss) = (&self.data, self.data_factors(), 0.0);
        self.values.evaluate(parameters, &data.points, |tile| {
            for (o, factor) in factors.iter().enumerate() {
                for i in 0..tile.len {
                    let gap = data.gap(tile, o, i);
                    loss += factor * gap * gap;
                }
            }
        });
        loss
    }
}
