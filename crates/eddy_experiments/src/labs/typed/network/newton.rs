//! The loss as a sum of squares, whose residuals are known one by one: what Gauss-Newton needs.

use eddy_nets::graph::{NormalEquations, RowTile, Rows};

use super::{TypedNetwork, distance, points::Buffers};

impl TypedNetwork {
    /// Normal equations of the whole loss. Causal weights are those of this state, also for [`loss_there`](Self::loss_there).
    pub(super) fn linearize(&mut self, parameters: &[f64], equations: &mut NormalEquations) {
        self.count_step();
        equations.clear();
        self.rows_inside(parameters, |rows| equations.add(rows));
        equations.finish();
        let mut before = std::mem::take(&mut self.insight.before);
        // The gradient of the loss is twice what the equations have on their right side.
        self.insight.norms = [2.0 * distance(&equations.gradient, None), 0.0, 0.0, 0.0, 0.0];
        if let Some(sides) = &mut self.sides {
            equations.gradient.clone_into(&mut before);
            self.side_loss = sides.rows(parameters, self.side_weight, |rows| equations.add(rows));
            equations.finish();
            self.insight.norms[1] = 2.0 * distance(&equations.gradient, Some(&before));
        }
        if !self.data.points.is_empty() {
            equations.gradient.clone_into(&mut before);
            let before_them = equations.loss;
            self.rows_of_measurements(parameters, |rows| equations.add(rows));
            self.data_loss = (equations.loss - before_them) / self.data_weight;
            equations.finish();
            self.insight.norms[2] = 2.0 * distance(&equations.gradient, Some(&before));
        }
        if self.integrals.is_some() {
            equations.gradient.clone_into(&mut before);
            self.rows_of_integrals(parameters, equations);
            self.insight.norms[3] = 2.0 * distance(&equations.gradient, Some(&before));
        }
        if let Some(joints) = &mut self.joints {
            equations.gradient.clone_into(&mut before);
            self.joint_loss = joints.rows(parameters, self.training.joint_weight, equations);
            self.insight.norms[4] = 2.0 * distance(&equations.gradient, Some(&before));
        }
        self.insight.before = before;
    }

    /// Rows of the residuals, whose squares are their part of the loss.
    pub(super) fn rows_inside(&mut self, parameters: &[f64], take: impl FnMut(&Rows<'_, f64>)) {
        self.put_coefficients(parameters);
        let Self { kernel, residuals, sources, bases, scales, weigher, sought, engine, statement, squares, .. } = self;
        let (dimension, count) = (statement.grid.dimension(), residuals.fields.len());
        let is_held = self.is_held;
        weigher.begin(self.training.causality);
        let mut buffers = Buffers::new(residuals);
        let mut roots = Vec::new();
        squares.clear();
        self.factors.clear();
        let factors = &mut self.factors;
        let write = |rows: &mut RowTile<'_, '_, f64>, k: usize| {
            let tile = &rows.tile;
            if k == 0 {
                if !buffers.run(kernel, sources, bases, 0, dimension, tile) {
                    buffers.outputs.iter_mut().for_each(|output| output.fill(f64::NAN));
                }
                roots.clear();
                for i in 0..tile.len {
                    let squared: f64 = (0..count).map(|k| (scales[k] * buffers.outputs[k][i]).powi(2)).sum();
                    squares.push(squared);
                    factors.push(weigher.weigh(tile.start + i, squared));
                    roots.push(factors[tile.start + i].sqrt());
                }
            }
            let factor = |i: usize| scales[k] * roots[i];
            buffers.write(rows, k, residuals, sources, factor);
            for (slope, position) in buffers.parameter_slopes(residuals, k).filter(|_| !is_held) {
                let one = &sought[position];
                for (i, (to, slope)) in rows.slopes(one.at).iter_mut().zip(slope).enumerate() {
                    *to += one.scale * factor(i) * slope;
                }
            }
        };
        engine.rows(parameters, &self.points, count, write, take);
    }

    /// The loss elsewhere, with the weights of the last linearization.
    pub(super) fn loss_there(&mut self, parameters: &[f64]) -> f64 {
        self.put_coefficients(parameters);
        let Self { kernel, residuals, sources, bases, scales, engine, statement, factors, .. } = self;
        let (dimension, mut buffers) = (statement.grid.dimension(), Buffers::new(residuals));
        let mut loss = 0.0;
        engine.evaluate(parameters, &self.points, |tile| {
            if !buffers.run(kernel, sources, bases, 0, dimension, tile) {
                loss = f64::NAN;
            }
            for i in 0..tile.len {
                let squared: f64 = scales.iter().zip(&buffers.outputs).map(|(s, r)| (s * r[i]).powi(2)).sum();
                loss += factors[tile.start + i] * squared;
            }
        });
        if let Some(sides) = &mut self.sides {
            loss += self.side_weight * sides.loss(parameters);
        }
        if let Some(joints) = &mut self.joints {
            loss += self.training.joint_weight * joints.loss(parameters);
        }
        loss += self.integrals_there(parameters);
        loss += self.measurements_there(parameters);
        loss
    }
}
