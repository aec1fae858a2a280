//! Loss and gradients of a dense network by burn's autodiff: the independent path that `eddy_nets` is checked against.

use burn::tensor::{Tensor, TensorData};

use crate::{
    Engine, LearnError,
    dense::{Activation, Dense, check_widths},
};

/// Loss and gradient of one network on one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct LossAndGradients {
    /// Mean over batch and outputs of the squared error.
    pub loss: f32,
    /// ∂loss/∂parameter, in the order of the parameters.
    pub gradients: Vec<f32>,
}

/// Mean squared error of a tanh network and its gradient, on the CPU in f32.
///
/// `widths` are the layer widths, input first; `parameters` holds layer by layer W[out][in] (row-major), then the biases;
/// `x` is [batch][in] and `y` [batch][out], both row-major.
///
/// # Errors
/// [`LearnError::Setting`] for impossible widths or an empty batch, [`LearnError::Size`] for lists of the wrong length.
#[cfg(feature = "flex")]
pub fn value_gradients(
    widths: &[usize],
    parameters: &[f32],
    x: &[f32],
    y: &[f32],
) -> Result<LossAndGradients, LearnError> {
    value_gradients_with(widths, Activation::Tanh, parameters, x, y)
}

/// [`value_gradients`] with any activation.
///
/// # Errors
/// As [`value_gradients`].
#[cfg(feature = "flex")]
pub fn value_gradients_with(
    widths: &[usize],
    activation: Activation,
    parameters: &[f32],
    x: &[f32],
    y: &[f32],
) -> Result<LossAndGradients, LearnError> {
    check_widths(widths)?;
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let batch = x.len() / inputs;
    if batch == 0 {
        return Err(LearnError::Setting { message: "The batch is empty; give at least one point.".into() });
    }
    LearnError::check_size("The batch of inputs", batch * inputs, x.len())?;
    LearnError::check_size("The batch of targets", batch * outputs, y.len())?;

    let engine = Engine::cpu();
    let network = Dense::from_parameters(widths, activation, parameters, &engine.training())?;
    let x = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [batch, inputs]), &engine.training());
    let y = Tensor::<2>::from_data(TensorData::new(y.to_vec(), [batch, outputs]), &engine.training());
    let loss = (network.forward(x) - y).square().mean();
    let mut gradients = loss.backward();

    let mut flat = Vec::with_capacity(parameters.len());
    for layer in &network.layers {
        // A parameter that the loss does not depend on would have no gradient; here every one has.
        let weight = layer.weight.val().grad_remove(&mut gradients).ok_or_else(no_gradient)?;
        let bias = layer.bias.val().grad_remove(&mut gradients).ok_or_else(no_gradient)?;
        flat.extend(weight.try_into_vec_as::<f32>().map_err(LearnError::execution)?);
        flat.extend(bias.try_into_vec_as::<f32>().map_err(LearnError::execution)?);
    }
    let loss = loss.try_into_scalar::<f32>().map_err(LearnError::execution)?;
    Ok(LossAndGradients { loss, gradients: flat })
}

fn no_gradient() -> LearnError {
    LearnError::Execution { reason: "a parameter has no gradient".into() }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::dense::parameter_count;

    /// Numbers in (-0.5, 0.5) without a pattern: fractional parts of multiples of the golden ratio.
    fn spread(count: usize, offset: usize) -> Vec<f32> {
        (0..count).map(|i| (((i + offset + 1) as f64 * 0.618_033_988_749_895).fract() - 0.5) as f32).collect()
    }

    /// The same loss in f64 with loops: the link below burn in the chain.
    fn loss_f64(widths: &[usize], activation: Activation, parameters: &[f64], x: &[f32], y: &[f32]) -> f64 {
        let (inputs, outputs) = (widths[0], *widths.last().unwrap());
        let batch = x.len() / inputs;
        let mut sum = 0.0;
        for b in 0..batch {
            let mut h: Vec<f64> = x[b * inputs..(b + 1) * inputs].iter().map(|v| f64::from(*v)).collect();
            let mut at = 0;
            for (l, pair) in widths.windows(2).enumerate() {
                let (weight, bias) = (at, at + pair[0] * pair[1]);
                at = bias + pair[1];
                h = (0..pair[1])
                    .map(|o| {
                        let z: f64 = (0..pair[0]).map(|i| parameters[weight + o * pair[0] + i] * h[i]).sum::<f64>()
                            + parameters[bias + o];
                        match activation {
                            _ if l + 2 == widths.len() => z,
                            Activation::Tanh => z.tanh(),
                            Activation::Sin => z.sin(),
                            Activation::Gelu => 0.5 * z * (1.0 + erf(z / std::f64::consts::SQRT_2)),
                        }
                    })
                    .collect();
            }
            sum += (0..outputs).map(|o| (h[o] - f64::from(y[b * outputs + o])).powi(2)).sum::<f64>();
        }
        sum / (batch * outputs) as f64
    }

    /// erf by its Taylor series, which converges for every argument; arguments here are below 3.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    /// Largest difference between burn's gradient and central differences of `loss_f64`, relative to the largest entry.
    fn worst_gradient_error(activation: Activation, fault: impl Fn(&mut Vec<f32>)) -> f64 {
        let widths = [2, 7, 5, 3];
        let count = parameter_count(&widths);
        let parameters = spread(count, 0);
        let (x, y) = (spread(2 * 6, 1000), spread(3 * 6, 2000));
        let mut result = value_gradients_with(&widths, activation, &parameters, &x, &y).unwrap();
        fault(&mut result.gradients);
        assert_eq!(result.gradients.len(), count);
        let exact: Vec<f64> = parameters.iter().map(|v| f64::from(*v)).collect();
        let loss = loss_f64(&widths, activation, &exact, &x, &y);
        assert!((f64::from(result.loss) - loss).abs() < 2e-6 * loss.abs(), "{} {loss}", result.loss);
        // Central differences in f64 with h = 1e-5 err by about h² ≈ 1e-10; the bound is f32 rounding of burn's side.
        let numeric: Vec<f64> = (0..count)
            .map(|i| {
                let at = |h: f64| {
                    let mut moved = exact.clone();
                    moved[i] += h;
                    loss_f64(&widths, activation, &moved, &x, &y)
                };
                (at(1e-5) - at(-1e-5)) / 2e-5
            })
            .collect();
        let scale = numeric.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        numeric.iter().zip(&result.gradients).fold(0.0, |a, (n, g)| f64::max(a, (n - f64::from(*g)).abs() / scale))
    }

    #[test]
    fn gradients_equal_central_differences() {
        for activation in [Activation::Tanh, Activation::Sin, Activation::Gelu] {
            let error = worst_gradient_error(activation, |_| {});
            assert!(error < 2e-6, "{activation:?}: {error:e}");
        }
    }

    #[test]
    fn a_transposed_weight_gradient_is_caught() {
        // The first layer's gradient, [7][2], read as [2][7].
        let error = worst_gradient_error(Activation::Tanh, |gradients| {
            let before = gradients.clone();
            for o in 0..7 {
                for i in 0..2 {
                    gradients[i * 7 + o] = before[o * 2 + i];
                }
            }
        });
        assert!(error > 1e-2, "{error:e}");
    }

    #[test]
    fn wrong_sizes_are_errors() {
        let parameters = spread(parameter_count(&[2, 3, 1]), 0);
        let code = |widths: &[usize], p: &[f32], x: &[f32], y: &[f32]| {
            value_gradients(widths, p, x, y).expect_err("must not fit").code()
        };
        assert_eq!(code(&[2, 3, 1], &parameters[1..], &[0.0; 4], &[0.0; 2]), "learn-size");
        assert_eq!(code(&[2, 3, 1], &parameters, &[0.0; 5], &[0.0; 2]), "learn-size");
        assert_eq!(code(&[2, 3, 1], &parameters, &[0.0; 4], &[0.0; 3]), "learn-size");
        assert_eq!(code(&[2, 3, 1], &parameters, &[], &[]), "learn-setting");
        assert_eq!(code(&[2], &[], &[0.0; 4], &[]), "learn-setting");
        assert_eq!(code(&[2, 0, 1], &[], &[0.0; 4], &[0.0; 2]), "learn-setting");
    }
}
