//! What the equations leave at the points inside, and its gradient.

use eddy_expr::{BlockKernel, Residuals};
use eddy_nets::{
    NetError, Real,
    graph::{Derivatives, Graph, GraphEngine, GraphTile},
};

use super::{TypedNetwork, points::Buffers, reads::Sources};
use crate::labs::pinn::Weigher;

/// A network in single precision. The numbers that are trained, and the residuals, stay in double precision: what is lost is
/// what rounding adds to a gradient, some 1e-6 of it, in about half the time.
pub(super) struct Single {
    engine: GraphEngine<f32>,
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    points: Vec<f32>,
}

impl Single {
    pub fn new(graph: &Graph, derivatives: &Derivatives) -> Result<Self, NetError> {
        let zeros = vec![0.0; graph.parameters()];
        let (parameters, gradient) = (zeros.clone(), zeros);
        Ok(Self { engine: GraphEngine::new(graph, derivatives)?, parameters, gradient, points: Vec::new() })
    }

    /// As [`GraphEngine::add_gradient`].
    fn add_gradient(
        &mut self,
        parameters: &[f64],
        points: &[f64],
        gradient: &mut [f64],
        loss: impl FnMut(&mut GraphTile<'_, f32>) -> f64,
    ) -> f64 {
        for (to, from) in [(&mut self.parameters, parameters), (&mut self.points, points)] {
            to.clear();
            to.extend(from.iter().map(|x| *x as f32));
        }
        self.gradient.fill(0.0);
        let total = self.engine.add_gradient(&self.parameters, &self.points, &mut self.gradient, loss);
        gradient.iter_mut().zip(&self.gradient).for_each(|(to, from)| *to += f64::from(*from));
        total
    }
}

/// The loss of a tile.
struct Inside<'a> {
    kernel: &'a mut BlockKernel<f64>,
    residuals: &'a Residuals,
    sources: &'a Sources,
    bases: &'a [Vec<f64>],
    scales: &'a [f64],
    weigher: &'a mut Weigher,
    squares: &'a mut Vec<f64>,
    dimension: usize,
    buffers: Buffers,
    factors: Vec<f64>,
    /// By coefficient: the loss's derivative.
    moved: Vec<f64>,
}

impl Inside<'_> {
    fn loss<T: Real>(&mut self, tile: &mut GraphTile<'_, T>) -> f64 {
        let Self { kernel, residuals, sources, bases, scales, weigher, squares, dimension, buffers, factors, moved } =
            self;
        if !buffers.run(kernel, sources, bases, 0, *dimension, tile) {
            return f64::NAN;
        }
        let (outputs, count) = (&buffers.outputs, residuals.fields.len());
        let mut loss = 0.0;
        factors.clear();
        for i in 0..tile.len {
            let squared: f64 = (0..count).map(|k| (scales[k] * outputs[k][i]).powi(2)).sum();
            squares.push(squared);
            let factor = weigher.weigh(tile.start + i, squared);
            loss += factor * squared;
            factors.push(factor);
        }
        let pull = |k: usize, i: usize| 2.0 * factors[i] * scales[k] * scales[k] * outputs[k][i];
        for (n, (k, read)) in residuals.slopes.iter().enumerate() {
            let Some((output, component)) = sources[*read] else { continue };
            let adjoint = tile.adjoint(output, component);
            for (i, a) in adjoint.iter_mut().enumerate() {
                *a += T::from_f64(pull(*k, i) * outputs[count + n][i]);
            }
        }
        let after = count + residuals.slopes.len();
        for (n, (k, position)) in residuals.parameter_slopes.iter().enumerate() {
            moved[*position] += (0..tile.len).map(|i| pull(*k, i) * outputs[after + n][i]).sum::<f64>();
        }
        loss
    }
}

impl TypedNetwork {
    /// Adds to the gradient, and returns this part of the loss.
    pub(super) fn inside(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.put_coefficients(parameters);
        let Self {
            kernel, residuals, sources, bases, scales, weigher, sought, engine, single, squares, points, ..
        } = self;
        weigher.begin(self.training.causality);
        squares.clear();
        let mut inside = Inside {
            buffers: Buffers::new(residuals),
            factors: Vec::new(),
            moved: vec![0.0; sought.len()],
            dimension: self.statement.grid.dimension(),
            kernel,
            residuals,
            sources,
            bases,
            scales,
            weigher,
            squares,
        };
        let total = match single {
            Some(single) => single.add_gradient(parameters, points, gradient, |tile| inside.loss(tile)),
            None => engine.add_gradient(parameters, points, gradient, |tile| inside.loss(tile)),
        };
        if !self.is_held {
            for (one, slope) in sought.iter().zip(inside.moved) {
                gradient[one.at] += one.scale * slope;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Precision,
        labs::{
            pinn::Objective,
            typed::network::{
                Training,
                tests::{HEAT, objective, training},
            },
        },
    };

    /// Loss and gradient at the start, and a residual's weight for a planted fault.
    fn at_start(text: &str, is_single: bool, scale: f64) -> (f64, Vec<f64>) {
        let sought = vec![("D".to_owned(), 0.4)];
        let mut one = objective(text, Training { is_single, sought, ..training() }).unwrap();
        assert_eq!(one.precision(), if is_single { Precision::F32 } else { Precision::F64 });
        one.scales.iter_mut().for_each(|s| *s *= scale);
        let parameters: Vec<f64> = one.graph().start(5).unwrap();
        one.draw(0);
        let mut gradient = vec![0.0; parameters.len()];
        (one.gradient(&parameters, &mut gradient), gradient)
    }

    #[test]
    fn single_precision_gives_the_gradient_of_double_precision_to_rounding() {
        let cubic = "equations = \"u_tt = D*dxx(u) - u^3 - dxxxx(u)/10; D = 0.1\"\ninitial.u = \"sin(x)\"\n\
                     [domain]\nx = { max = \"2*pi\", points = 32 }\n[time]\nend = 0.5\n";
        for text in [HEAT, cubic] {
            let (loss, exact) = at_start(text, false, 1.0);
            let far = |is_single: bool, scale: f64| {
                let (other, gradient) = at_start(text, is_single, scale);
                let size = exact.iter().map(|g| g * g).sum::<f64>().sqrt();
                let gap = exact.iter().zip(&gradient).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt() / size;
                gap.max((other - loss).abs() / loss)
            };
            // Sums of some ten thousand rounded products; derivatives of fourth order are some hundred times the value.
            let gap = far(true, 1.0);
            assert!(gap > 0.0 && gap < 1e-5, "{gap:e}");
            assert!(far(true, 1.0 + 1e-5) > 1e-5);
        }
    }
}
