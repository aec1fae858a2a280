//! A one-dimensional convolutional network on a periodic grid.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation},
};

/// Shape of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkShape {
    /// Channels of each hidden layer.
    pub channels: usize,
    /// Hidden layers.
    pub hidden_layers: usize,
    /// Points on each side that a layer sees; its kernel has 2 radius + 1 taps.
    pub radius: usize,
    /// Flux form: the network gives the flux through each cell's right face, and the state changes by the differences of
    /// the fluxes, so that the mean is kept to rounding whatever the weights are.
    pub is_conservative: bool,
}

impl NetworkShape {
    fn taps(&self) -> usize {
        2 * self.radius + 1
    }

    /// Input and output channels of each layer.
    fn channel_pairs(&self) -> Vec<(usize, usize)> {
        let mut widths = vec![1];
        widths.extend(std::iter::repeat_n(self.channels, self.hidden_layers));
        widths.push(1);
        widths.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// Number of weights and biases.
    pub fn parameter_count(&self) -> usize {
        self.channel_pairs().iter().map(|(inputs, outputs)| outputs * (inputs * self.taps() + 1)).sum()
    }
}

/// Convolution with periodic ends, as one matrix product over the taps laid side by side.
#[derive(Module, Debug)]
struct PeriodicConvolution {
    /// [out, taps · in], tap by tap.
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    radius: usize,
}

impl PeriodicConvolution {
    /// Activations are [channels, batch, points], so that the product over taps and channels is a single one for the
    /// whole batch. For radius r the cost is 2 (2r+1) · in · out · batch · points flops.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [channels, batch, points] = x.dims();
        let r = self.radius;
        let taps = 2 * r + 1;
        let columns = if r == 0 {
            x
        } else {
            let left = x.clone().narrow(2, points - r, r);
            let right = x.clone().narrow(2, 0, r);
            let padded = Tensor::cat(vec![left, x, right], 2);
            Tensor::cat((0..taps).map(|tap| padded.clone().narrow(2, tap, points)).collect(), 0)
        };
        let columns = columns.reshape([taps * channels, batch * points]);
        let product = self.weight.val().matmul(columns) + self.bias.val().unsqueeze_dim::<2>(1);
        let [outputs, _] = product.dims();
        product.reshape([outputs, batch, points])
    }
}

/// The surrogate: state at t → state at t + Δ, for any number of states at once.
#[derive(Module, Debug)]
pub(crate) struct StepNetwork {
    layers: Vec<PeriodicConvolution>,
    is_conservative: bool,
}

impl StepNetwork {
    /// Network with weights drawn by `uniform` (numbers in [0, 1)) after Glorot & Bengio 2010, eq. 16, in the order of
    /// the layers; biases zero. The last layer starts at a tenth of that, close to "nothing changes".
    pub fn new(shape: &NetworkShape, mut uniform: impl FnMut() -> f32, device: &Device) -> Self {
        let pairs = shape.channel_pairs();
        let last = pairs.len() - 1;
        let layers = pairs
            .iter()
            .enumerate()
            .map(|(i, &(inputs, outputs))| {
                let columns = shape.taps() * inputs;
                let gain = if i == last { 0.1 } else { 1.0 };
                let bound = gain * (6.0 / (columns + shape.taps() * outputs) as f32).sqrt();
                let weight: Vec<f32> = (0..outputs * columns).map(|_| bound * (2.0 * uniform() - 1.0)).collect();
                PeriodicConvolution {
                    weight: Param::from_tensor(Tensor::from_data(TensorData::new(weight, [outputs, columns]), device)),
                    bias: Param::from_tensor(Tensor::zeros([outputs], device)),
                    radius: shape.radius,
                }
            })
            .collect();
        Self { layers, is_conservative: shape.is_conservative }
    }

    /// States [batch, points] one step later.
    pub fn forward(&self, states: Tensor<2>) -> Tensor<2> {
        let [batch, points] = states.dims();
        let last = self.layers.len() - 1;
        let mut h = states.clone().reshape([1, batch, points]);
        for (i, layer) in self.layers.iter().enumerate() {
            h = layer.forward(h);
            if i < last {
                h = activation::gelu(h);
            }
        }
        let output = h.reshape([batch, points]);
        if self.is_conservative {
            let left_face =
                Tensor::cat(vec![output.clone().narrow(1, points - 1, 1), output.clone().narrow(1, 0, points - 1)], 1);
            states - (output - left_face)
        } else {
            states + output
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::Engine;

    const SHAPE: NetworkShape = NetworkShape { channels: 4, hidden_layers: 2, radius: 2, is_conservative: true };

    fn spread() -> impl FnMut() -> f32 {
        let mut i = 0;
        move || {
            i += 1;
            (f64::from(i) * 0.618_033_988_749_895).fract() as f32
        }
    }

    fn run(network: &StepNetwork, states: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let points = states[0].len();
        let data = TensorData::new(states.concat(), [states.len(), points]);
        let out = network.forward(Tensor::from_data(data, Engine::cpu().plain()));
        out.try_into_vec_as::<f32>().unwrap().chunks(points).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn a_convolution_equals_the_sum_over_its_taps() {
        let device = Engine::cpu().plain().clone();
        let (inputs, outputs, batch, points, radius) = (3, 2, 2, 8, 2);
        let taps = 2 * radius + 1;
        let mut uniform = spread();
        let mut list = |count: usize| (0..count).map(|_| uniform() - 0.5).collect::<Vec<f32>>();
        let (w, b, x) = (list(outputs * taps * inputs), list(outputs), list(inputs * batch * points));
        let layer = PeriodicConvolution {
            weight: Param::from_tensor(Tensor::from_data(
                TensorData::new(w.clone(), [outputs, taps * inputs]),
                &device,
            )),
            bias: Param::from_tensor(Tensor::from_data(TensorData::new(b.clone(), [outputs]), &device)),
            radius,
        };
        let input = Tensor::from_data(TensorData::new(x.clone(), [inputs, batch, points]), &device);
        let found = layer.forward(input).try_into_vec_as::<f32>().unwrap();
        let direct = |shift: usize| -> Vec<f64> {
            let mut out = Vec::new();
            for o in 0..outputs {
                for s in 0..batch {
                    for i in 0..points {
                        let mut sum = f64::from(b[o]);
                        for tap in 0..taps {
                            for c in 0..inputs {
                                let at = (i + points + tap + shift - radius) % points;
                                sum += f64::from(w[o * taps * inputs + tap * inputs + c])
                                    * f64::from(x[(c * batch + s) * points + at]);
                            }
                        }
                        out.push(sum);
                    }
                }
            }
            out
        };
        let worst =
            |expected: Vec<f64>| expected.iter().zip(&found).fold(0.0f64, |a, (e, f)| a.max((e - f64::from(*f)).abs()));
        assert!(worst(direct(0)) < 1e-6);
        // Planted fault: taps shifted by one point.
        assert!(worst(direct(1)) > 1e-2);
    }

    /// The network's step in f64 with loops; weights as [layer][out][tap][in] and biases zero.
    fn step_f64(weights: &[Vec<f64>], shape: &NetworkShape, state: &[f64]) -> Vec<f64> {
        let n = state.len();
        let mut h = vec![state.to_vec()];
        for (l, ((inputs, outputs), w)) in shape.channel_pairs().into_iter().zip(weights).enumerate() {
            h = (0..outputs)
                .map(|o| {
                    (0..n)
                        .map(|i| {
                            let mut z = 0.0;
                            for tap in 0..shape.taps() {
                                for c in 0..inputs {
                                    z += w[(o * shape.taps() + tap) * inputs + c]
                                        * h[c][(i + n + tap - shape.radius) % n];
                                }
                            }
                            let is_last = l == shape.hidden_layers;
                            if is_last { z } else { z * normal_distribution(z) }
                        })
                        .collect()
                })
                .collect();
        }
        (0..n).map(|i| state[i] - (h[0][i] - h[0][(i + n - 1) % n])).collect()
    }

    /// Φ by the series of erf, which converges for every argument; arguments here are below 3.
    fn normal_distribution(z: f64) -> f64 {
        let x = z / std::f64::consts::SQRT_2;
        let (mut term, mut sum) = (x, x);
        for k in 1..60 {
            term *= -x * x / f64::from(k);
            sum += term / f64::from(2 * k + 1);
        }
        0.5 + sum / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn gradients_equal_central_differences() {
        let device = Engine::cpu().training();
        let network = StepNetwork::new(&SHAPE, spread(), &device);
        let state: Vec<f32> = (0..12).map(|i| (i as f32 * 0.9).sin() + 0.2).collect();
        let input = Tensor::<2>::from_data(TensorData::new(state.clone(), [1, 12]), &device);
        let loss = network.forward(input).powi_scalar(3).mean();
        let mut gradients = loss.backward();
        let mut found: Vec<Vec<f32>> = network
            .layers
            .iter()
            .map(|layer| layer.weight.val().grad_remove(&mut gradients).unwrap().try_into_vec_as::<f32>().unwrap())
            .collect();

        let weights: Vec<Vec<f64>> = network
            .layers
            .iter()
            .map(|layer| layer.weight.val().try_into_vec_as::<f32>().unwrap().into_iter().map(f64::from).collect())
            .collect();
        let state: Vec<f64> = state.into_iter().map(f64::from).collect();
        let loss_f64 = |w: &[Vec<f64>]| step_f64(w, &SHAPE, &state).iter().map(|v| v.powi(3)).sum::<f64>() / 12.0;
        assert!((f64::from(loss.into_scalar::<f32>()) - loss_f64(&weights)).abs() < 1e-6);
        let worst = |found: &[Vec<f32>]| {
            let (mut error, mut scale) = (0.0f64, 0.0f64);
            for l in 0..weights.len() {
                for i in 0..weights[l].len() {
                    let at = |h: f64| {
                        let mut moved = weights.clone();
                        moved[l][i] += h;
                        loss_f64(&moved)
                    };
                    // Errs by about h² = 1e-10; the bound below is f32 rounding.
                    let exact = (at(1e-5) - at(-1e-5)) / 2e-5;
                    error = error.max((exact - f64::from(found[l][i])).abs());
                    scale = scale.max(exact.abs());
                }
            }
            error / scale
        };
        assert!(worst(&found) < 1e-5, "{:e}", worst(&found));
        // Planted fault: two taps of the first layer exchanged.
        found[0].swap(0, 1);
        assert!(worst(&found) > 1e-3);
    }

    #[test]
    fn steps_commute_with_shifts_and_keep_the_mean_in_flux_form() {
        let points = 16;
        let state: Vec<f32> = (0..points).map(|i| (i as f32 * 0.8).sin() + 0.3).collect();
        let mut shifted = state.clone();
        shifted.rotate_right(5);
        for is_conservative in [true, false] {
            let shape = NetworkShape { is_conservative, ..SHAPE };
            let network = StepNetwork::new(&shape, spread(), Engine::cpu().plain());
            let out = run(&network, &[state.clone(), shifted.clone()]);
            let mut back = out[1].clone();
            back.rotate_left(5);
            assert!(out[0].iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
            let mean = |u: &[f32]| u.iter().map(|v| f64::from(*v)).sum::<f64>() / points as f64;
            let drift = (mean(&out[0]) - mean(&state)).abs();
            // Rounding of 16 differences in f32 against a free change.
            assert_eq!(drift < 1e-6, is_conservative, "{drift:e}");
        }
    }

    #[test]
    fn the_parameter_count_is_that_of_the_network() {
        let network = StepNetwork::new(&SHAPE, spread(), Engine::cpu().plain());
        assert_eq!(network.num_params(), SHAPE.parameter_count());
        assert_eq!(SHAPE.parameter_count(), 4 * 6 + 4 * 21 + 21);
    }
}
