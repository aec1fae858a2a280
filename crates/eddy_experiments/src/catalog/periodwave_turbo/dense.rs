//! Dense tanh networks with the derivative by their inputs: what a chain of networks is trained through.
//!
//! The engine of eddy_nets gives the gradient by the parameters alone. Here numbers lie as [unit][sample], so that every
//! inner loop runs over the samples.

use eddy_nets::{LayerShape, Level, Network};

/// What a pass forward keeps for the way back: inputs, then every layer's outputs.
#[derive(Default)]
pub struct Tape {
    count: usize,
    values: Vec<Vec<f32>>,
}

impl Tape {
    /// The inputs to be filled in, [input][sample].
    pub fn inputs(&mut self, inputs: usize, count: usize) -> &mut [f32] {
        self.count = count;
        if self.values.is_empty() {
            self.values.push(Vec::new());
        }
        self.values[0].resize(inputs * count, 0.0);
        &mut self.values[0]
    }

    /// The network's outputs, [output][sample].
    pub fn outputs(&self) -> &[f32] {
        self.values.last().map_or(&[], |v| v)
    }

    /// Runs the network on the inputs: tanh after every layer but the last. 2 P operations per sample for P parameters.
    pub fn forward(&mut self, network: &Network<f32>) {
        let (layers, parameters, count) = (network.architecture().layers(), &network.parameters, self.count);
        self.values.resize_with(layers.len() + 1, Vec::new);
        for (k, layer) in layers.iter().enumerate() {
            let (below, above) = self.values.split_at_mut(k + 1);
            let (input, output) = (&below[k], &mut above[0]);
            output.resize(layer.outputs * count, 0.0);
            for (unit, sums) in output.chunks_exact_mut(count).enumerate() {
                sums.fill(parameters[layer.biases + unit]);
                let weights = &parameters[layer.weights + unit * layer.inputs..][..layer.inputs];
                for (weight, x) in weights.iter().zip(input.chunks_exact(count)) {
                    sums.iter_mut().zip(x).for_each(|(s, x)| *s += weight * x);
                }
            }
            if k + 1 < layers.len() {
                eddy_nets::tanh_all(Level::best(), output);
            }
        }
    }

    /// Takes the derivative of a loss by the outputs back through the network: adds its derivative by the parameters to
    /// `gradient` and, for inputs 0 to `wanted`, returns that by the inputs, [input][sample]. 4 P operations per sample.
    pub fn backward(
        &self,
        network: &Network<f32>,
        outputs: &[f32],
        gradient: Option<&mut [f32]>,
        wanted: usize,
    ) -> Vec<f32> {
        let (layers, parameters, count) = (network.architecture().layers(), &network.parameters, self.count);
        let mut gradient = gradient;
        let mut adjoint = outputs.to_vec();
        for (k, layer) in layers.iter().enumerate().rev() {
            let LayerShape { inputs, weights, biases, .. } = *layer;
            let input = &self.values[k];
            if let Some(gradient) = gradient.as_deref_mut() {
                for (unit, adjoint) in adjoint.chunks_exact(count).enumerate() {
                    gradient[biases + unit] += adjoint.iter().sum::<f32>();
                    let row = &mut gradient[weights + unit * inputs..][..inputs];
                    for (g, x) in row.iter_mut().zip(input.chunks_exact(count)) {
                        *g += dot(adjoint, x);
                    }
                }
            }
            let needed = if k == 0 { wanted.min(inputs) } else { inputs };
            let mut below = vec![0.0; needed * count];
            for (unit, adjoint) in adjoint.chunks_exact(count).enumerate() {
                let row = &parameters[weights + unit * inputs..][..inputs];
                for (weight, below) in row.iter().zip(below.chunks_exact_mut(count)) {
                    below.iter_mut().zip(adjoint).for_each(|(b, a)| *b += weight * a);
                }
            }
            if k > 0 {
                // tanh′ = 1 − tanh².
                below.iter_mut().zip(input).for_each(|(b, y)| *b *= 1.0 - y * y);
            }
            adjoint = below;
        }
        adjoint
    }
}

/// Eight sums side by side: the compiler may not reorder one.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    rest + sums.iter().sum::<f32>()
}
