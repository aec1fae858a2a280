//! A velocity field trained live: a dense network of (x, t), fitted to targets drawn afresh at every step.

use eddy_nets::{Activation, Adam, AdamSettings, Architecture, Engine, JetSpec, NetError, Network, Schedule, Shape};
use eddy_numerics::diffusion::Batch;
use eddy_spec::EddyError;

use crate::weights::{Tensor, fill, tensors};

/// What is minimized of the difference d between the network and its target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// |d|².
    Square,
    /// √(|d|² + c²) − c: |d|²/2c near 0, |d| far away.
    PseudoHuber { c: f64 },
}

impl Loss {
    /// Value, and the factor of d in its gradient.
    fn of(self, square: f64) -> (f64, f64) {
        match self {
            Self::Square => (square, 2.0),
            Self::PseudoHuber { c } => {
                let root = (square + c * c).sqrt();
                (root - c, 1.0 / root)
            }
        }
    }
}

/// The network, its optimizer and their memory. Nothing is allocated per training step. f32, as everywhere a network
/// is trained for a picture; the particles stay in f64.
pub struct FieldNetwork {
    dim: usize,
    network: Network<f32>,
    engine: Engine<f32>,
    adam: Adam<f32>,
    gradient: Vec<f32>,
    inputs: Vec<f32>,
    targets: Vec<f32>,
}

impl FieldNetwork {
    /// (x, t) → v with tanh layers. Adam's rate falls along half a cosine to a hundredth over `steps`.
    pub fn new(dim: usize, hidden: &[usize], seed: u32, rate: f64, steps: u64) -> Result<Self, EddyError> {
        Self::with_inputs(dim + 1, dim, hidden, seed, rate, steps)
    }

    /// The same with any inputs: a condition beside x and t.
    pub fn with_inputs(
        inputs: usize,
        dim: usize,
        hidden: &[usize],
        seed: u32,
        rate: f64,
        steps: u64,
    ) -> Result<Self, EddyError> {
        let refused = |e: NetError| EddyError::start(format!("The network cannot be built. {e}"));
        let architecture = Architecture::dense(inputs, hidden, dim, Activation::Tanh);
        let network = Network::<f32>::new(architecture, u64::from(seed)).map_err(refused)?;
        let engine = Engine::new(&network, &JetSpec::value(inputs)).map_err(refused)?;
        let count = network.parameters.len();
        let gradient = vec![0.0; count];
        let adam = optimizer(count, rate, steps, None);
        let (inputs, targets) = (Vec::new(), Vec::new());
        Ok(Self { dim, network, engine, adam, gradient, inputs, targets })
    }

    /// Keeps the parameters and begins with a fresh optimizer.
    pub fn restart(&mut self, rate: f64, steps: u64) {
        self.adam = optimizer(self.network.parameters.len(), rate, steps, None);
    }

    pub fn parameters(&self) -> usize {
        self.network.parameters.len()
    }

    /// The parameters by name.
    pub fn weights(&self, prefix: &str) -> Vec<Tensor> {
        tensors(prefix, &self.network.architecture().named(), &self.network.parameters)
    }

    /// Puts given parameters in and begins with a fresh optimizer.
    pub fn set_weights(&mut self, prefix: &str, given: &[Tensor], rate: f64, steps: u64) -> Result<(), EddyError> {
        fill(prefix, &self.network.architecture().named(), given, &mut self.network.parameters)?;
        self.restart(rate, steps);
        Ok(())
    }

    /// One step on `batch` examples: `draw(i, x, target)` fills the inputs (of `new`: `dim` + 1, time last) and the
    /// `dim` targets of example i. Returns the mean loss before the step; not finite if training broke down.
    pub fn train(&mut self, batch: usize, loss: Loss, mut draw: impl FnMut(usize, &mut [f64], &mut [f64])) -> f64 {
        let dim = self.dim;
        self.inputs.clear();
        self.targets.clear();
        let (mut x, mut y) = (vec![0.0; self.network.architecture().inputs], vec![0.0; dim]);
        for i in 0..batch {
            draw(i, &mut x, &mut y);
            self.inputs.extend(x.iter().map(|v| *v as f32));
            self.targets.extend(y.iter().map(|v| *v as f32));
        }
        let (targets, share) = (&self.targets, 1.0 / batch.max(1) as f32);
        let value = self.engine.gradient(&self.network, &self.inputs, &mut self.gradient, |tile| {
            let mut sum = 0.0;
            for i in 0..tile.len {
                let target = &targets[(tile.start + i) * dim..][..dim];
                let square: f32 = (0..dim).map(|o| (tile.jet(o, 0)[i] - target[o]).powi(2)).sum();
                let (value, factor) = loss.of(f64::from(square));
                sum += value;
                for (o, target) in target.iter().enumerate() {
                    let difference = tile.jet(o, 0)[i] - target;
                    tile.adjoint(o, 0)[i] = share * factor as f32 * difference;
                }
            }
            sum
        });
        let norm = self.adam.step(&mut self.network.parameters, &mut self.gradient);
        if norm.is_finite() { value * f64::from(share) } else { f64::NAN }
    }

    /// Outputs at inputs given point after point, in the same order.
    pub fn outputs(&mut self, inputs: &[f32]) -> Vec<f32> {
        let dim = self.dim;
        let mut out = vec![0.0; inputs.len() / self.network.architecture().inputs * dim];
        self.engine.evaluate(&self.network, inputs, |tile| {
            for o in 0..dim {
                tile.jet(o, 0).iter().enumerate().for_each(|(i, v)| out[(tile.start + i) * dim + o] = *v);
            }
        });
        out
    }

    /// The field at all points at time `t`, written to `out`.
    pub fn evaluate(&mut self, x: &Batch<f64>, t: f64, out: &mut Batch<f64>) {
        self.inputs.clear();
        for i in 0..x.len() {
            self.inputs.extend((0..self.dim).map(|d| x.coordinate(d)[i] as f32));
            self.inputs.push(t as f32);
        }
        let dim = self.dim;
        self.engine.evaluate(&self.network, &self.inputs, |tile| {
            for o in 0..dim {
                let to = &mut out.coordinate_mut(o)[tile.start..][..tile.len];
                to.iter_mut().zip(tile.jet(o, 0)).for_each(|(to, v)| *to = f64::from(*v));
            }
        });
    }
}

/// Adam whose rate falls to a hundredth along half a cosine; gradients longer than `clip` are shortened to it.
pub fn optimizer(parameters: usize, rate: f64, steps: u64, clip: Option<f64>) -> Adam<f32> {
    let schedule = Schedule { rate, shape: Shape::Cosine { steps, floor: 0.01 }, warm_up: 0 };
    Adam::new(parameters, AdamSettings { schedule, clip, ..AdamSettings::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eddy_numerics::rng::{Philox, Stream};

    fn error(loss: Loss, steps: u64) -> f64 {
        let mut net = FieldNetwork::new(2, &[32, 32], 1, 5e-3, steps).unwrap();
        for step in 0..steps {
            net.train(128, loss, |i, x, y| {
                let u = Philox::new(3).uniforms(Stream::Data, step as u32, i as u32, 0);
                (0..3).for_each(|d| x[d] = 2.0 * u[d] - 1.0);
                (y[0], y[1]) = (x[0] * x[2], (2.0 * x[1]).sin());
            });
        }
        let x = Batch::from_points(2, &[0.5, -0.3, -0.8, 0.7, 0.1, 0.2]);
        let mut v = Batch::zeros(2, 3);
        net.evaluate(&x, 0.6, &mut v);
        (0..3)
            .map(|i| {
                let p = x.point(i);
                (v.point(i)[0] - 0.6 * p[0]).abs().max((v.point(i)[1] - (2.0 * p[1]).sin()).abs())
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn a_field_is_learned_under_both_losses() {
        for loss in [Loss::Square, Loss::PseudoHuber { c: 0.01 }] {
            let learned = error(loss, 1500);
            assert!(learned < 0.05, "{loss:?}: {learned}");
        }
        assert!(error(Loss::Square, 3) > 0.1, "three steps do not suffice");
    }
}
