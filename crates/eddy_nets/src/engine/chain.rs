//! Dense layers, one after another: forward and back for a tile.

use super::mixed::{self, Mixed, Pass};
use crate::{
    Activation, JetSpec, LayerShape, Level, Real,
    activation::Layer,
    aligned::Aligned,
    matmul::{Strided, add_product_transposed, product},
};

/// Hidden layers with one activation and a linear layer of outputs, from features to outputs, with the memory of a tile.
pub(crate) struct Chain<T> {
    level: Level,
    /// The output layer last.
    layers: Vec<LayerShape>,
    activation: Activation,
    jets: JetSpec,
    hidden: Vec<Hidden<T>>,
    mixed: Option<Mixed<T>>,
    /// Adjoints of the layer in hand and of the one below it.
    adjoints: [Aligned<T>; 2],
}

/// What a hidden layer keeps for the way back: its sums and outputs, [units][components][lanes], and σ′, σ″, σ‴,
/// [units][3][lanes].
pub(super) struct Hidden<T> {
    pub units: usize,
    pub sums: Aligned<T>,
    outputs: Aligned<T>,
    pub slopes: Aligned<T>,
}

/// How many components go through each layer, forward or back.
pub(crate) fn width(jets: &JetSpec, outputs: usize) -> usize {
    mixed::width(jets, outputs)
}

impl<T: Real> Chain<T> {
    /// Memory for tiles of `lanes` points.
    pub fn new(level: Level, layers: Vec<LayerShape>, activation: Activation, jets: &JetSpec, lanes: usize) -> Self {
        let mixed = Mixed::new(jets, &layers, lanes);
        let row = mixed.as_ref().map_or(jets, |m| &m.carried).components() * lanes;
        let widest = layers.iter().map(|shape| shape.outputs).max().unwrap_or(0);
        let hidden = layers.split_last().map_or(&[][..], |(_, hidden)| hidden).iter().map(|shape| shape.outputs);
        Self {
            level,
            hidden: hidden
                .map(|units| Hidden {
                    units,
                    sums: Aligned::zeros(units * row),
                    outputs: Aligned::zeros(units * row),
                    slopes: Aligned::zeros(units * 3 * lanes),
                })
                .collect(),
            adjoints: [Aligned::zeros(widest * row), Aligned::zeros(widest * row)],
            mixed,
            layers,
            activation,
            jets: jets.clone(),
        }
    }

    /// From the features' jets to the outputs', [units][components][lanes].
    pub fn forward(&mut self, parameters: &[T], all_features: &[T], all_outputs: &mut [T], lanes: usize) {
        let (features, outputs, jets) = match &mut self.mixed {
            Some(mixed) => {
                mixed.pack_features(all_features, lanes);
                (&mixed.features[..], &mut mixed.carried_outputs[..], &mixed.carried)
            }
            None => (all_features, &mut *all_outputs, &self.jets),
        };
        let row = jets.components() * lanes;
        for (l, shape) in self.layers.iter().enumerate() {
            let weights = Strided { data: &parameters[shape.weights..shape.biases], row: shape.inputs, column: 1 };
            let biases = &parameters[shape.biases..][..shape.outputs];
            let (below, rest) = self.hidden.split_at_mut(l);
            let inputs = below.last().map_or(features, |h| &h.outputs[..]);
            if let Some(hidden) = rest.first_mut() {
                product(self.level, weights, inputs, &mut hidden.sums, shape.outputs, shape.inputs, row);
                let layer = Layer { activation: self.activation, jets, units: shape.outputs, lanes };
                layer.forward(self.level, biases, &hidden.sums, &mut hidden.outputs, &mut hidden.slopes);
            } else {
                product(self.level, weights, inputs, outputs, shape.outputs, shape.inputs, row);
                for (output, bias) in biases.iter().enumerate() {
                    for value in &mut outputs[output * row..][..lanes] {
                        *value += *bias;
                    }
                }
            }
        }
        if let Some(mixed) = &mut self.mixed {
            let (layers, hidden) = (&self.layers, &self.hidden);
            let pass = Pass { level: self.level, lanes, layers, hidden, features: all_features, parameters };
            mixed.read_off(&pass, all_outputs);
        }
    }

    /// Adds the gradient of the layers' parameters, for these adjoints of the outputs of the last [`forward`](Self::forward).
    pub fn backward(
        &mut self,
        parameters: &[T],
        all_features: &[T],
        all_adjoints: &[T],
        gradient: &mut [T],
        lanes: usize,
    ) {
        if let Some(mixed) = &mut self.mixed {
            let (layers, hidden) = (&self.layers, &self.hidden);
            let pass = Pass { level: self.level, lanes, layers, hidden, features: all_features, parameters };
            mixed.back(&pass, all_adjoints, gradient);
        }
        let (features, output_adjoints, jets) = match &self.mixed {
            Some(mixed) => (&mixed.features[..], &mixed.carried_adjoints[..], &mixed.carried),
            None => (all_features, all_adjoints, &self.jets),
        };
        let row = jets.components() * lanes;
        let [mut above, mut below] = self.adjoints.each_mut();
        for (l, shape) in self.layers.iter().enumerate().rev() {
            if let Some(hidden) = self.hidden.get(l) {
                let layer = Layer { activation: self.activation, jets, units: shape.outputs, lanes };
                let extra = self.mixed.as_ref().map(|mixed| mixed.extra(l));
                layer.backward(self.level, &hidden.sums, &hidden.slopes, above, extra);
            }
            let adjoints: &[T] = if l == self.hidden.len() { output_adjoints } else { above };
            let inputs = if l == 0 { features } else { &self.hidden[l - 1].outputs[..] };
            let (weights, biases) = gradient[shape.weights..][..shape.inputs * shape.outputs + shape.outputs]
                .split_at_mut(shape.inputs * shape.outputs);
            add_product_transposed(self.level, adjoints, inputs, weights, shape.outputs, shape.inputs, row);
            for (unit, bias) in biases.iter_mut().enumerate() {
                // Only the value sees the bias.
                let mut sums = [T::ZERO; 8];
                for chunk in adjoints[unit * row..][..lanes].chunks_exact(8) {
                    for (sum, a) in sums.iter_mut().zip(chunk) {
                        *sum += *a;
                    }
                }
                *bias += sums.into_iter().fold(T::ZERO, |sum, part| sum + part);
            }
            if l > 0 {
                let transposed =
                    Strided { data: &parameters[shape.weights..shape.biases], row: 1, column: shape.inputs };
                product(self.level, transposed, adjoints, below, shape.inputs, shape.outputs, row);
                std::mem::swap(&mut above, &mut below);
            }
        }
    }
}
