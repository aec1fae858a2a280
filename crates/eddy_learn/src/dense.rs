//! Dense networks.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation},
};

use crate::LearnError;

/// Function between the layers; the last layer has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Tanh,
    Sin,
    /// x Φ(x), with the exact Φ (erf), not its tanh approximation.
    Gelu,
}

impl Activation {
    fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Tanh => x.tanh(),
            Self::Sin => x.sin(),
            Self::Gelu => activation::gelu(x),
        }
    }
}

/// y = W x + b with W of shape [out, in].
#[derive(Module, Debug)]
pub(crate) struct DenseLayer {
    pub weight: Param<Tensor<2>>,
    pub bias: Param<Tensor<1>>,
}

/// A dense network: layers of given widths with one activation between them.
#[derive(Module, Debug)]
pub struct Dense {
    pub(crate) layers: Vec<DenseLayer>,
    #[module(skip)]
    pub(crate) activation: Activation,
}

/// Number of weights and biases of a network with these layer widths.
pub fn parameter_count(widths: &[usize]) -> usize {
    widths.windows(2).map(|pair| pair[1] * (pair[0] + 1)).sum()
}

/// Fails unless `widths` names an input, an output and no empty layer.
pub(crate) fn check_widths(widths: &[usize]) -> Result<(), LearnError> {
    if widths.len() < 2 || widths.contains(&0) {
        return Err(LearnError::Setting {
            message: format!(
                "A dense network needs at least an input and an output width, each at least 1: {widths:?}"
            ),
        });
    }
    Ok(())
}

impl Dense {
    /// Network of layer widths `widths` (input first) from a flat parameter list: layer by layer the weights
    /// W[out][in] in row-major order, then the biases.
    ///
    /// # Errors
    /// [`LearnError::Setting`] for fewer than two widths or an empty layer, [`LearnError::Size`] if `parameters` has not
    /// [`parameter_count`] entries.
    pub(crate) fn from_parameters(
        widths: &[usize],
        activation: Activation,
        parameters: &[f32],
        device: &Device,
    ) -> Result<Self, LearnError> {
        check_widths(widths)?;
        LearnError::check_size("The dense network", parameter_count(widths), parameters.len())?;
        let mut rest = parameters;
        let mut layers = Vec::with_capacity(widths.len() - 1);
        for pair in widths.windows(2) {
            let (weight, after) = rest.split_at(pair[0] * pair[1]);
            let (bias, after) = after.split_at(pair[1]);
            rest = after;
            let weight = TensorData::new(weight.to_vec(), [pair[1], pair[0]]);
            let bias = TensorData::new(bias.to_vec(), [pair[1]]);
            layers.push(DenseLayer {
                weight: Param::from_tensor(Tensor::from_data(weight, device)),
                bias: Param::from_tensor(Tensor::from_data(bias, device)),
            });
        }
        Ok(Self { layers, activation })
    }

    /// Outputs [batch, out] for inputs [batch, in].
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(x, |h, (i, layer)| {
            let z = h.matmul(layer.weight.val().transpose()) + layer.bias.val().unsqueeze();
            if i == last { z } else { self.activation.apply(z) }
        })
    }
}
