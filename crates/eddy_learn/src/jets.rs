//! Value, first and second input derivatives of a dense network, pushed forward layer by layer (Taylor mode), so that
//! one reverse pass through them gives the gradient of a loss that contains derivatives.
//!
//! For z = W a + b the derivatives pass linearly; for a = f(z) the chain rule gives a_t = f'(z) z_t and
//! a_xx = f''(z) z_x² + f'(z) z_xx (Griewank & Walther, Evaluating Derivatives, 2nd ed., chapter 13).

use burn::tensor::{Tensor, TensorData};

use crate::{
    Engine, LearnError,
    dense::{Activation, Dense, check_widths},
};

/// A function of (t, x) with the derivatives that a second-order evolution equation needs. Shapes [batch, width].
pub(crate) struct Jet {
    pub value: Tensor<2>,
    pub t: Tensor<2>,
    pub x: Tensor<2>,
    pub xx: Tensor<2>,
}

impl Dense {
    /// Jet of the network at points [batch, 2] of (t, x).
    pub(crate) fn forward_jet(&self, points: Tensor<2>) -> Jet {
        let [batch, _] = points.dims();
        let device = points.device();
        let unit = |row: [f32; 2]| Tensor::<2>::from_floats([row], &device).expand([batch, 2]);
        let mut jet =
            Jet { xx: Tensor::zeros([batch, 2], &device), t: unit([1.0, 0.0]), x: unit([0.0, 1.0]), value: points };
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate() {
            let weight = layer.weight.val().transpose();
            jet = Jet {
                value: jet.value.matmul(weight.clone()) + layer.bias.val().unsqueeze(),
                t: jet.t.matmul(weight.clone()),
                x: jet.x.matmul(weight.clone()),
                xx: jet.xx.matmul(weight),
            };
            if i < last {
                jet = self.activation.apply_jet(jet);
            }
        }
        jet
    }
}

impl Activation {
    /// f(z) with its derivatives; the arguments' derivatives are those of z.
    fn apply_jet(self, z: Jet) -> Jet {
        let (value, first, second) = match self {
            Self::Tanh => {
                let value = z.value.tanh();
                let first = value.clone().square().neg() + 1.0;
                let second = value.clone() * first.clone() * -2.0;
                (value, first, second)
            }
            Self::Sin => {
                let value = z.value.clone().sin();
                (value.clone(), z.value.cos(), value.neg())
            }
            Self::Gelu => {
                // Φ and φ: distribution and density of the standard normal.
                let distribution = (z.value.clone() * std::f32::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
                let peak = 1.0 / (2.0 * std::f32::consts::PI).sqrt();
                let density = (z.value.clone().square() * -0.5).exp() * peak;
                let value = z.value.clone() * distribution.clone();
                let first = distribution + z.value.clone() * density.clone();
                let second = density * (z.value.square().neg() + 2.0);
                (value, first, second)
            }
        };
        Jet { value, t: first.clone() * z.t, xx: second * z.x.clone().square() + first.clone() * z.xx, x: first * z.x }
    }
}

/// u, u_t, u_x and u_xx of a network with inputs (t, x) and one output.
#[derive(Clone, Debug, PartialEq)]
pub struct JetValues {
    pub u: Vec<f32>,
    pub u_t: Vec<f32>,
    pub u_x: Vec<f32>,
    pub u_xx: Vec<f32>,
}

/// The jet of a dense network at `points` ([batch][2] of t, x), on the CPU in f32. Layout of `parameters` as in
/// [`crate::oracle::value_gradients`].
///
/// # Errors
/// [`LearnError::Setting`] unless the network maps 2 inputs to 1 output, [`LearnError::Size`] for wrong lengths.
#[cfg(feature = "flex")]
pub fn jet_values(
    widths: &[usize],
    activation: Activation,
    parameters: &[f32],
    points: &[f32],
) -> Result<JetValues, LearnError> {
    check_widths(widths)?;
    if widths[0] != 2 || widths[widths.len() - 1] != 1 || points.is_empty() {
        return Err(LearnError::Setting {
            message: "Jets need inputs (t, x), one output and at least one point.".into(),
        });
    }
    let batch = points.len() / 2;
    LearnError::check_size("The batch of points", 2 * batch, points.len())?;
    let engine = Engine::cpu();
    let network = Dense::from_parameters(widths, activation, parameters, engine.plain())?;
    let points = Tensor::<2>::from_data(TensorData::new(points.to_vec(), [batch, 2]), engine.plain());
    let jet = network.forward_jet(points);
    let list = |tensor: Tensor<2>| tensor.try_into_vec_as::<f32>().map_err(LearnError::execution);
    Ok(JetValues { u: list(jet.value)?, u_t: list(jet.t)?, u_x: list(jet.x)?, u_xx: list(jet.xx)? })
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::dense::parameter_count;

    /// Value of the network in f64 with loops.
    fn value_f64(widths: &[usize], activation: Activation, parameters: &[f32], point: [f64; 2]) -> f64 {
        let mut h = point.to_vec();
        let mut at = 0;
        for (l, pair) in widths.windows(2).enumerate() {
            let bias = at + pair[0] * pair[1];
            h = (0..pair[1])
                .map(|o| {
                    let z = (0..pair[0]).map(|i| f64::from(parameters[at + o * pair[0] + i]) * h[i]).sum::<f64>()
                        + f64::from(parameters[bias + o]);
                    match activation {
                        _ if l + 2 == widths.len() => z,
                        Activation::Tanh => z.tanh(),
                        Activation::Sin => z.sin(),
                        // The tanh form differs from the erf form by up to 5e-4, so Gelu is left to its own test.
                        Activation::Gelu => unreachable!(),
                    }
                })
                .collect();
            at = bias + pair[1];
        }
        h[0]
    }

    fn worst_error(activation: Activation, fault: impl Fn(&mut JetValues)) -> f64 {
        let widths = [2, 9, 9, 1];
        let parameters: Vec<f32> = (0..parameter_count(&widths))
            .map(|i| 2.0 * (((i + 1) as f64 * 0.618_033_988_749_895).fract() - 0.5) as f32)
            .collect();
        let points: Vec<f32> = (0..24).map(|i| ((i as f32) * 0.37).sin()).collect();
        let mut jet = jet_values(&widths, activation, &parameters, &points).unwrap();
        fault(&mut jet);
        let h = 1e-4;
        let mut worst = 0.0f64;
        for (b, point) in points.chunks(2).enumerate() {
            let (t, x) = (f64::from(point[0]), f64::from(point[1]));
            let u = |t: f64, x: f64| value_f64(&widths, activation, &parameters, [t, x]);
            let exact = [
                u(t, x),
                (u(t + h, x) - u(t - h, x)) / (2.0 * h),
                (u(t, x + h) - u(t, x - h)) / (2.0 * h),
                (u(t, x + h) - 2.0 * u(t, x) + u(t, x - h)) / (h * h),
            ];
            let found = [jet.u[b], jet.u_t[b], jet.u_x[b], jet.u_xx[b]];
            for (e, f) in exact.iter().zip(found) {
                worst = worst.max((e - f64::from(f)).abs() / (1.0 + e.abs()));
            }
        }
        worst
    }

    #[test]
    fn jets_equal_finite_differences() {
        // Differences in f64 err by about 1e-7; the rest is f32.
        for activation in [Activation::Tanh, Activation::Sin] {
            let error = worst_error(activation, |_| {});
            assert!(error < 5e-6, "{activation:?}: {error:e}");
        }
        // Planted fault: the two first derivatives exchanged.
        let error = worst_error(Activation::Tanh, |jet| std::mem::swap(&mut jet.u_t, &mut jet.u_x));
        assert!(error > 1e-2, "{error:e}");
    }

    #[test]
    fn gelu_jet_equals_its_closed_form_derivatives() {
        // One unit, so u = GELU(x) and u_xx = φ(x)(2 - x²); GELU(1) = 0.841344746, GELU'(1) = 1.083315471.
        let parameters = [0.0, 1.0, 0.0, 1.0, 0.0];
        let jet = jet_values(&[2, 1, 1], Activation::Gelu, &parameters, &[0.3, 1.0]).unwrap();
        assert!((jet.u[0] - 0.841_344_75).abs() < 1e-6, "{}", jet.u[0]);
        assert!((jet.u_x[0] - 1.083_315_5).abs() < 1e-6, "{}", jet.u_x[0]);
        assert!((jet.u_xx[0] - 0.241_970_72).abs() < 1e-6, "{}", jet.u_xx[0]);
        assert_eq!(jet.u_t[0], 0.0);
    }
}
