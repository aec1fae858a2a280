//! Shape and parameters of a network.

use thiserror::Error;

use crate::{Activation, Features, Real, random::uniform};

/// What is wrong with a network, and what to change.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum NetError {
    #[error("The network has no {what}. Give at least one.")]
    Empty { what: &'static str },
    #[error("A layer of {units} units is too large; at most {limit} are allowed.")]
    TooLarge { units: usize, limit: usize },
    #[error("A feature reads input {input}, but the inputs are numbered 0 to {}.", inputs - 1)]
    FeatureInput { input: usize, inputs: usize },
    #[error("A wave vector has {have} entries; give one per input, {need}.")]
    Wave { have: usize, need: usize },
    #[error("A derivative is taken along a direction of {have} inputs; the network has {need}.")]
    Directions { have: usize, need: usize },
    #[error("A second derivative names direction {direction}, but only {directions} first derivatives were added.")]
    SecondWithoutFirst { direction: usize, directions: usize },
    #[error(
        "Derivatives of order {order} in {inputs} variables were asked for; at most order 4 in 4 variables are carried."
    )]
    TooManyDerivatives { inputs: usize, order: usize },
    #[error("Two parts of a network do not fit: one has {have} units where {need} are needed.")]
    Units { have: usize, need: usize },
    #[error("There are {have} parameters; this network has {need}.")]
    Parameters { have: usize, need: usize },
}

/// Largest width of a layer: wider ones belong to a tensor library.
const MAX_UNITS: usize = 4096;

/// Shape of a dense network: features → hidden layers, each with the activation → linear outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    pub inputs: usize,
    pub features: Features,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    pub outputs: usize,
    pub activation: Activation,
}

/// Where a layer's numbers lie among the parameters: weights [outputs][inputs] from `weights`, biases from `biases`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    pub inputs: usize,
    pub outputs: usize,
    pub weights: usize,
    pub biases: usize,
}

/// A run of parameters with a name and a shape, as other libraries keep them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// `layers.0.weight`, `layers.0.bias`, …
    pub name: String,
    /// Row-major; weights are [outputs, inputs].
    pub shape: Vec<usize>,
    /// Where it begins among the parameters.
    pub at: usize,
}

impl Named {
    pub(crate) fn new(name: String, shape: &[usize], at: usize) -> Self {
        Self { name, shape: shape.to_vec(), at }
    }

    /// Its place among the parameters.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.at..self.at + self.shape.iter().product::<usize>()
    }
}

/// Weights and biases of dense layer `index`.
pub(crate) fn named_layer(index: usize, outputs: usize, inputs: usize, at: usize) -> [Named; 2] {
    [
        Named::new(format!("layers.{index}.weight"), &[outputs, inputs], at),
        Named::new(format!("layers.{index}.bias"), &[outputs], at + outputs * inputs),
    ]
}

impl Architecture {
    /// A network that sees its inputs as they are.
    pub fn dense(inputs: usize, hidden: &[usize], outputs: usize, activation: Activation) -> Self {
        Self { inputs, features: Features::identity(inputs), hidden: hidden.to_vec(), outputs, activation }
    }

    /// The layers in order, the linear output layer last.
    pub fn layers(&self) -> Vec<LayerShape> {
        let mut at = 0;
        let mut inputs = self.features.count();
        let widths = self.hidden.iter().copied().chain([self.outputs]);
        widths
            .map(|outputs| {
                let layer = LayerShape { inputs, outputs, weights: at, biases: at + inputs * outputs };
                at = layer.biases + outputs;
                inputs = outputs;
                layer
            })
            .collect()
    }

    /// The parameters by name, in their order.
    pub fn named(&self) -> Vec<Named> {
        let layers = self.layers().into_iter().enumerate();
        layers.flat_map(|(i, l)| named_layer(i, l.outputs, l.inputs, l.weights)).collect()
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.layers().last().map_or(0, |l| l.biases + l.outputs)
    }

    pub(crate) fn check(&self) -> Result<(), NetError> {
        if self.inputs == 0 {
            return Err(NetError::Empty { what: "inputs" });
        }
        if self.outputs == 0 {
            return Err(NetError::Empty { what: "outputs" });
        }
        if self.hidden.contains(&0) {
            return Err(NetError::Empty { what: "units in a hidden layer" });
        }
        self.features.check(self.inputs)?;
        let widths = [self.features.count(), self.outputs, self.inputs];
        match self.hidden.iter().chain(&widths).find(|u| **u > MAX_UNITS) {
            Some(&units) => Err(NetError::TooLarge { units, limit: MAX_UNITS }),
            None => Ok(()),
        }
    }
}

/// A network with its parameters in one vector, laid out by [`Architecture::layers`].
#[derive(Clone, Debug, PartialEq)]
pub struct Network<T> {
    architecture: Architecture,
    pub parameters: Vec<T>,
}

impl<T: Real> Network<T> {
    /// Weights uniform within ±√(6/(inputs + outputs)) of each layer (Glorot and Bengio 2010, "Understanding the
    /// difficulty of training deep feedforward neural networks", eq. 16), biases zero. Parameter i of a seed is the same
    /// in both formats up to rounding, on every machine.
    pub fn new(architecture: Architecture, seed: u64) -> Result<Self, NetError> {
        architecture.check()?;
        let mut parameters = vec![T::ZERO; architecture.parameters()];
        for layer in architecture.layers() {
            let bound = (6.0 / (layer.inputs + layer.outputs) as f64).sqrt();
            for i in layer.weights..layer.biases {
                parameters[i] = T::from_f64(bound * (2.0 * uniform(seed, i as u64) - 1.0));
            }
        }
        Ok(Self { architecture, parameters })
    }

    /// A network with given parameters.
    pub fn with_parameters(architecture: Architecture, parameters: Vec<T>) -> Result<Self, NetError> {
        architecture.check()?;
        let need = architecture.parameters();
        if parameters.len() != need {
            return Err(NetError::Parameters { have: parameters.len(), need });
        }
        Ok(Self { architecture, parameters })
    }

    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }
}
