//! `eddy_nets` against burn: the weight gradients of the fused networks are those of burn's autodiff of the same network.
//!
//! burn itself is held to central differences in f64 (src/oracle.rs), so this is the next link of the chain.
#![cfg(feature = "flex")]

use eddy_learn::{dense, oracle::value_gradients_with};
use eddy_nets::{Activation, Architecture, Engine, JetSpec, Level, Network, Real, uniform};

/// Both names of an activation.
const ACTIVATIONS: [(Activation, dense::Activation); 3] = [
    (Activation::Tanh, dense::Activation::Tanh),
    (Activation::Sin, dense::Activation::Sin),
    (Activation::Gelu, dense::Activation::Gelu),
];

/// Input width, hidden widths, output width, points: square and lopsided, deeper and shallower, with batches that fill
/// SIMD tiles, leave a rest, or are a single point.
const NETWORKS: [(usize, &[usize], usize, usize); 5] =
    [(1, &[16], 1, 7), (2, &[64, 64], 1, 256), (3, &[9, 33, 5], 4, 101), (2, &[24, 24, 24, 24], 2, 65), (5, &[], 3, 1)];

/// Parameters that leave no entry at zero, biases included.
fn network<T: Real>(inputs: usize, hidden: &[usize], outputs: usize, activation: Activation) -> Network<T> {
    let mut network = Network::new(Architecture::dense(inputs, hidden, outputs, activation), 11).unwrap();
    for (i, p) in network.parameters.iter_mut().enumerate() {
        *p = *p + T::from_f64(0.2 * uniform(5, i as u64) - 0.1);
    }
    network
}

/// Mean squared error over points and outputs, and its gradient, by the fused path. `pull` scales the adjoints, 1 for
/// what is right.
fn fused<T: Real>(network: &Network<T>, level: Level, x: &[T], y: &[T], pull: f64) -> (f64, Vec<T>) {
    let outputs = network.architecture().outputs;
    let mut engine = Engine::with(network, &JetSpec::value(network.architecture().inputs), 16, level).unwrap();
    let mut gradient = vec![T::ZERO; network.parameters.len()];
    let (scale, mut start) = (1.0 / y.len() as f64, 0);
    let loss = engine.gradient(network, x, &mut gradient, |tile| {
        let mut sum = 0.0;
        for i in 0..tile.len {
            for o in 0..outputs {
                let error = tile.jet(o, 0)[i] - y[(start + i) * outputs + o];
                sum += error.to_f64() * error.to_f64();
                tile.adjoint(o, 0)[i] = T::from_f64(2.0 * scale * pull) * error;
            }
        }
        start += tile.len;
        sum * scale
    });
    (loss, gradient)
}

/// Largest difference of the two gradients relative to the largest entry, and the relative difference of the losses.
fn gaps<T: Real>(case: usize, which: usize, level: Level, pull: f64) -> (f64, f64) {
    let (inputs, hidden, outputs, points) = NETWORKS[case];
    let (ours, burns) = ACTIVATIONS[which];
    let network = network::<T>(inputs, hidden, outputs, ours);
    let numbers =
        |seed, count| -> Vec<f32> { (0..count).map(|i| 2.0 * uniform(seed, i as u64) as f32 - 1.0).collect() };
    let (x, y) = (numbers(1, points * inputs), numbers(2, points * outputs));
    let typed = |v: &[f32]| -> Vec<T> { v.iter().map(|v| T::from_f64(f64::from(*v))).collect() };
    let (loss, gradient) = fused(&network, level, &typed(&x), &typed(&y), pull);

    let widths: Vec<usize> = [inputs].into_iter().chain(hidden.iter().copied()).chain([outputs]).collect();
    let parameters: Vec<f32> = network.parameters.iter().map(|p| p.to_f64() as f32).collect();
    let expected = value_gradients_with(&widths, burns, &parameters, &x, &y).unwrap();
    assert_eq!(expected.gradients.len(), gradient.len());
    let largest = expected.gradients.iter().fold(0.0f64, |m, g| m.max(f64::from(g.abs())));
    assert!(largest > 1e-3, "a gradient of nothing compares nothing");
    let gap = expected.gradients.iter().zip(&gradient).map(|(e, g)| (f64::from(*e) - g.to_f64()).abs());
    let expected_loss = f64::from(expected.loss);
    (gap.fold(0.0, f64::max) / largest, (loss - expected_loss).abs() / expected_loss)
}

/// Rounding of burn's f32 sums over at most 256 points and 64 units, relative to the largest entry.
const TOLERANCE: f64 = 5e-6;

#[test]
fn gradients_equal_those_of_autodiff() {
    for case in 0..NETWORKS.len() {
        for which in 0..ACTIVATIONS.len() {
            for level in Level::available() {
                for (gradient, loss) in [gaps::<f32>(case, which, level, 1.0), gaps::<f64>(case, which, level, 1.0)] {
                    let what =
                        format!("network {case}, {:?}, {level:?}: {gradient:e}, loss {loss:e}", ACTIVATIONS[which].0);
                    assert!(gradient < TOLERANCE && loss < TOLERANCE, "{what}");
                }
            }
        }
    }
}

#[test]
fn an_adjoint_off_by_a_thousandth_is_caught() {
    for case in 0..NETWORKS.len() {
        let (gradient, _) = gaps::<f32>(case, 0, Level::best(), 1.001);
        assert!(gradient > 100.0 * TOLERANCE, "network {case}: {gradient:e}");
    }
}

#[test]
fn another_activation_is_caught() {
    // tanh here, sin there.
    let (inputs, hidden, outputs, _) = NETWORKS[1];
    let ours = network::<f32>(inputs, hidden, outputs, Activation::Tanh);
    let x: Vec<f32> = (0..128).map(|i| (i as f32 * 0.37).sin()).collect();
    let y = vec![0.5f32; 64];
    let (_, gradient) = fused(&ours, Level::best(), &x, &y, 1.0);
    let theirs = value_gradients_with(&[2, 64, 64, 1], dense::Activation::Sin, &ours.parameters, &x, &y).unwrap();
    let largest = theirs.gradients.iter().fold(0.0f32, |m, g| m.max(g.abs()));
    let gap = theirs.gradients.iter().zip(&gradient).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(f64::from(gap / largest) > 100.0 * TOLERANCE);
}
