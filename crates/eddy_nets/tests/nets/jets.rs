//! Jets and gradients: by hand for one unit, against hyper-dual numbers and central differences for whole networks.

use crate::hyper_dual::network_value;
use eddy_nets::{Activation, Architecture, Engine, Features, JetSpec, Level, Linear, Network, Real, uniform};

const ACTIVATIONS: [Activation; 4] = [Activation::Tanh, Activation::Sin, Activation::Gelu, Activation::Identity];

fn points(count: usize, inputs: usize) -> Vec<f64> {
    (0..count * inputs).map(|i| 2.0 * uniform(99, i as u64) - 1.0).collect()
}

/// Fourier features of both inputs, an unequal scaling, unequal layers, two outputs.
fn architecture(activation: Activation) -> Architecture {
    Architecture {
        inputs: 2,
        features: Features {
            linear: vec![Linear { input: 0, center: 0.3, scale: 1.7 }],
            waves: vec![vec![0.0, std::f64::consts::PI], vec![0.4, -1.3]],
        },
        hidden: vec![7, 16, 5],
        outputs: 2,
        activation,
    }
}

fn network(activation: Activation) -> Network<f64> {
    let mut network = Network::new(architecture(activation), 5).unwrap();
    // Biases start at zero; here they must take part.
    for (i, p) in network.parameters.iter_mut().enumerate() {
        *p += 0.2 * (uniform(8, i as u64) - 0.5);
    }
    network
}

/// Value, all first and all second derivatives, one of them along a slanted direction, and an operator of both orders.
fn all_jets() -> JetSpec {
    let jets = JetSpec::value(2).along(0).along(1).direction(vec![0.6, -0.8]);
    let jets = jets.second(0, 0).second(1, 1).second(0, 1).second(2, 2);
    jets.operator(&[0.9, -0.2], &[(0, 0, 0.7), (1, 2, -1.3)])
}

/// Jets of all points, [point][output][component].
fn evaluate<T: Real>(network: &Network<T>, jets: &JetSpec, points: &[f64], level: Level) -> Vec<f64> {
    let points: Vec<T> = points.iter().map(|x| T::from_f64(*x)).collect();
    let mut engine = Engine::with(network, jets, 16, level).unwrap();
    let outputs = network.architecture().outputs;
    let mut out = Vec::new();
    engine.evaluate(network, &points, |tile| {
        for i in 0..tile.len {
            for o in 0..outputs {
                out.extend((0..jets.components()).map(|c| tile.jet(o, c)[i].to_f64()));
            }
        }
    });
    out
}

fn worst(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max)
}

#[test]
fn one_unit_by_hand() {
    // u = a tanh(w₀t + w₁x + b) + c
    let [w0, w1, b, a, c] = [0.7, -1.1, 0.2, 1.5, -0.4];
    let architecture = Architecture::dense(2, &[1], 1, Activation::Tanh);
    let network = Network::with_parameters(architecture, vec![w0, w1, b, a, c]).unwrap();
    let jets = JetSpec::value(2).along(0).along(1).second(1, 1).second(0, 1);
    let points = points(37, 2);
    let got = evaluate(&network, &jets, &points, Level::best());
    let want: Vec<f64> = points
        .chunks(2)
        .flat_map(|p| {
            let y = (w0 * p[0] + w1 * p[1] + b).tanh();
            let s = 1.0 - y * y;
            [a * y + c, a * s * w0, a * s * w1, -2.0 * a * y * s * w1 * w1, -2.0 * a * y * s * w0 * w1]
        })
        .collect();
    assert!(worst(&got, &want) < 1e-15, "{:e}", worst(&got, &want));
}

#[test]
fn jets_equal_hyper_dual_numbers() {
    let jets = all_jets();
    let points = points(37, 2);
    for activation in ACTIVATIONS {
        let network = network(activation);
        let mut want = Vec::new();
        for p in points.chunks(2) {
            for output in 0..2 {
                let along = |i: usize, j: usize| {
                    let d = jets.directions();
                    network_value(&network, p, &d[i], &d[j], output)
                };
                want.push(along(0, 0).value);
                want.extend((0..3).map(|i| along(i, i).first));
                want.extend(jets.operators().iter().map(|operator| {
                    let first = network_value(&network, p, &operator.along, &operator.along, output).first;
                    first + operator.terms.iter().map(|&(i, j, c)| c * along(i, j).mixed).sum::<f64>()
                }));
            }
        }
        for level in Level::available() {
            let got = evaluate(&network, &jets, &points, level);
            // A dozen operations deep, each rounding at 1e-16 of numbers below 100.
            assert!(worst(&got, &want) < 1e-13, "{activation:?} {level:?}: {:e}", worst(&got, &want));
            // Planted fault: one weight off by 1e-9.
            let mut faulty = network.clone();
            faulty.parameters[40] += 1e-9;
            assert!(worst(&evaluate(&faulty, &jets, &points, level), &want) > 1e-13);
        }
    }
}

#[test]
fn jets_equal_central_differences() {
    let jets = all_jets();
    let network = network(Activation::Gelu);
    let value = |t: f64, x: f64| evaluate(&network, &JetSpec::value(2), &[t, x], Level::best());
    let h = 1e-4;
    let (t, x) = (0.21, -0.43);
    let got = evaluate(&network, &jets, &[t, x], Level::best());
    for output in 0..2 {
        let at = |i: f64, j: f64| value(t + i * h, x + j * h)[output];
        let first = [(at(1.0, 0.0) - at(-1.0, 0.0)) / (2.0 * h), (at(0.0, 1.0) - at(0.0, -1.0)) / (2.0 * h)];
        let mixed = (at(1.0, 1.0) - at(1.0, -1.0) - at(-1.0, 1.0) + at(-1.0, -1.0)) / (4.0 * h * h);
        let second = [
            (at(1.0, 0.0) - 2.0 * at(0.0, 0.0) + at(-1.0, 0.0)) / (h * h),
            (at(0.0, 1.0) - 2.0 * at(0.0, 0.0) + at(0.0, -1.0)) / (h * h),
            mixed,
        ];
        let jet = &got[output * 9..][..9];
        // Truncation h² = 1e-8 times a fourth derivative; rounding 1e-16/h² = 1e-8.
        assert!(worst(&jet[1..3], &first) < 1e-6 && worst(&jet[4..7], &second) < 1e-6, "{jet:?} {first:?} {second:?}");
        assert!((jet[4] - second[1]).abs() > 1e-3, "the two second derivatives must differ here");
    }
}

/// A loss in which every component of both outputs enters nonlinearly, and differently at each point.
fn loss<T: Real>(engine: &mut Engine<T>, network: &Network<T>, points: &[T], gradient: &mut [T]) -> f64 {
    let components = engine.jets().components();
    engine.gradient(network, points, gradient, |tile| {
        let mut total = 0.0;
        for o in 0..2 {
            for c in 0..components {
                for i in 0..tile.len {
                    let weight = T::from_f64((1.0 + 0.1 * (tile.start + i) as f64) / (1.0 + (o + 2 * c) as f64));
                    let other = tile.jet(1 - o, (c + 1) % components)[i];
                    let own = tile.jet(o, c)[i];
                    total += (weight * own * own * other).to_f64();
                    tile.adjoint(o, c)[i] += T::from_f64(2.0) * weight * own * other;
                    tile.adjoint(1 - o, (c + 1) % components)[i] += weight * own * own;
                }
            }
        }
        total
    })
}

fn gradient_error(network: &Network<f64>, points: &[f64], level: Level, fault: f64) -> f64 {
    let mut engine = Engine::with(network, &all_jets(), 16, level).unwrap();
    let mut gradient = vec![0.0; network.parameters.len()];
    loss(&mut engine, network, points, &mut gradient);
    gradient[17] += fault * gradient[17].abs().max(1e-3);
    let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let mut scratch = gradient.clone();
    let mut shifted = network.clone();
    let h = 1e-5;
    let mut worst: f64 = 0.0;
    for i in 0..gradient.len() {
        let mut at = |x: f64| {
            shifted.parameters[i] = x;
            loss(&mut engine, &shifted, points, &mut scratch)
        };
        let p = network.parameters[i];
        let difference = (at(p + h) - at(p - h)) / (2.0 * h);
        shifted.parameters[i] = p;
        worst = worst.max((difference - gradient[i]).abs() / scale);
    }
    worst
}

#[test]
fn gradients_equal_central_differences() {
    // 37 points are two full tiles of 16 and a part of a third.
    let points = points(37, 2);
    for activation in ACTIVATIONS {
        let network = network(activation);
        for level in Level::available() {
            let error = gradient_error(&network, &points, level, 0.0);
            // Rounding of the loss over h (1e-16·1e2/1e-5) and truncation h², relative to the largest entry.
            assert!(error < 1e-7, "{activation:?} {level:?}: {error:e}");
        }
    }
    let faulty = gradient_error(&network(Activation::Tanh), &points, Level::best(), 0.5);
    assert!(faulty > 1e-7, "a wrong entry must be seen: {faulty:e}");
}

/// Σ over points of Σ w c² for the components of `jets`, its gradient added to `gradient`.
fn add_squares(network: &Network<f64>, jets: &JetSpec, weights: &[f64], points: &[f64], gradient: &mut [f64]) -> f64 {
    let mut engine = Engine::with(network, jets, 24, Level::best()).unwrap();
    let mut own = vec![0.0; gradient.len()];
    let loss = engine.gradient(network, points, &mut own, |tile| {
        let mut loss = 0.0;
        for (c, weight) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            for i in 0..tile.len {
                let value = tile.jet(0, c)[i];
                loss += weight * value * value;
                tile.adjoint(0, c)[i] = 2.0 * weight * value;
            }
        }
        loss
    });
    gradient.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
    loss
}

#[test]
fn what_is_read_off_on_the_way_back_is_what_is_carried_forward() {
    // (u, u_t, u_x, u_xx), all derivatives in three inputs, and the first ones: fewer than these go through the layers.
    let all = vec![(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)];
    for (inputs, pairs) in [(2, vec![(1, 1)]), (3, all), (3, vec![])] {
        let mut architecture = Architecture::dense(inputs, &[9, 16, 5], 1, Activation::Tanh);
        architecture.features.waves = vec![vec![1.3; inputs], vec![-0.4; inputs]];
        let mut network = Network::<f64>::new(architecture, 5).unwrap();
        network.parameters.iter_mut().enumerate().for_each(|(i, p)| *p += 0.2 * (uniform(8, i as u64) - 0.5));
        let firsts = (0..inputs).fold(JetSpec::value(inputs), JetSpec::along);
        let jets = pairs.iter().fold(firsts, |spec, &(i, j)| spec.second(i, j));
        let points = points(61, inputs);
        let weight = |c: usize| 1.0 / (1.0 + c as f64);
        let weights: Vec<f64> = (0..jets.components()).map(weight).collect();
        let mut got = vec![0.0; network.parameters.len()];
        let loss = add_squares(&network, &jets, &weights, &points, &mut got);
        // One second derivative of two directions and less at a time: all of these go through.
        let mut want = vec![0.0; got.len()];
        let mut sum = add_squares(&network, &JetSpec::value(inputs), &weights[..1], &points, &mut want);
        for i in 0..inputs {
            let alone = [0.0, weight(jets.first_component(i))];
            sum += add_squares(&network, &JetSpec::value(inputs).along(i), &alone, &points, &mut want);
        }
        for (k, &(i, j)) in pairs.iter().enumerate() {
            let (factor, both) = (weight(jets.second_component(k)), JetSpec::value(inputs).along(i));
            let (both, weights) = if i == j {
                (both.second(0, 0), vec![0.0, 0.0, factor])
            } else {
                (both.along(j).second(0, 1), vec![0.0, 0.0, 0.0, factor])
            };
            sum += add_squares(&network, &both, &weights, &points, &mut want);
        }
        let scale = want.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        let error = |got: &[f64]| got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / scale;
        assert!((loss - sum).abs() < 1e-13 * sum, "{inputs}: {loss} {sum}");
        assert!(error(&got) < 1e-13, "{inputs}: {:e}", error(&got));
        // Planted fault: one weight of the loss off by 1e-9.
        let mut faulty = weights.clone();
        faulty[inputs] += 1e-9;
        let mut got = vec![0.0; want.len()];
        add_squares(&network, &jets, &faulty, &points, &mut got);
        assert!(error(&got) > 1e-13, "{inputs}: a wrong factor must be seen");
    }
}

#[test]
fn tile_size_and_instruction_set_do_not_matter() {
    let network = network(Activation::Sin);
    let points = points(101, 2);
    let mut reference = vec![0.0; network.parameters.len()];
    let mut engine = Engine::with(&network, &all_jets(), 16, Level::Portable).unwrap();
    let total = loss(&mut engine, &network, &points, &mut reference);
    let scale = reference.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    for level in Level::available() {
        for lanes in [16, 48, 128] {
            let mut gradient = vec![7.0; network.parameters.len()];
            let mut engine = Engine::with(&network, &all_jets(), lanes, level).unwrap();
            let again = loss(&mut engine, &network, &points, &mut gradient);
            assert!((again - total).abs() < 1e-11 * total.abs(), "{again} {total}");
            let error = worst(&gradient, &reference);
            assert!(error < 1e-11 * scale.max(1.0), "{level:?} {lanes}: {error:e}");
        }
    }
}

#[test]
fn single_precision_follows_double() {
    for activation in ACTIVATIONS {
        let double = network(activation);
        let parameters = double.parameters.iter().map(|p| *p as f32).collect();
        let single = Network::<f32>::with_parameters(architecture(activation), parameters).unwrap();
        // The same numbers in both formats, so that only the arithmetic differs.
        let parameters = single.parameters.iter().map(|p| f64::from(*p)).collect();
        let double = Network::<f64>::with_parameters(architecture(activation), parameters).unwrap();
        let points: Vec<f64> = points(64, 2).iter().map(|x| f64::from(*x as f32)).collect();
        let want = evaluate(&double, &all_jets(), &points, Level::best());
        let got = evaluate(&single, &all_jets(), &points, Level::best());
        let error = worst(&got, &want);
        // Second derivatives sum some tens of terms of size 10: 1e-7·√50·10.
        assert!(error < 2e-5 && error > 1e-9, "{activation:?}: {error:e}");
    }
}

#[test]
fn waves_make_the_network_exactly_periodic() {
    let mut architecture = architecture(Activation::Tanh);
    architecture.features.waves = vec![vec![0.0, std::f64::consts::PI], vec![0.0, 2.0 * std::f64::consts::PI]];
    let network = Network::<f64>::new(architecture, 3).unwrap();
    let at = |x: f64| evaluate(&network, &all_jets(), &[0.4, x], Level::best());
    assert!(worst(&at(0.7), &at(0.7 - 2.0)) < 1e-13);
    assert!(worst(&at(0.7), &at(0.7 - 1.0)) > 1e-3);
}

#[test]
fn a_seed_names_a_network() {
    let make = |seed| Network::<f64>::new(architecture(Activation::Tanh), seed).unwrap().parameters;
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    let single = Network::<f32>::new(architecture(Activation::Tanh), 1).unwrap().parameters;
    assert!(make(1).iter().zip(&single).all(|(d, s)| (*d as f32).to_bits() == s.to_bits()));
    // Uniform within the bound of Glorot and Bengio: the variance of a layer is bound²/3.
    let wide = Network::<f64>::new(Architecture::dense(64, &[64], 1, Activation::Tanh), 4).unwrap();
    let weights = &wide.parameters[..64 * 64];
    let bound = (6.0 / 128.0f64).sqrt();
    let variance = weights.iter().map(|w| w * w).sum::<f64>() / 4096.0;
    assert!(weights.iter().all(|w| w.abs() <= bound));
    assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.06, "{variance}");
}

#[test]
fn wrong_shapes_are_named() {
    let network = Network::<f64>::new(Architecture::dense(2, &[4], 1, Activation::Tanh), 1).unwrap();
    let error = |jets: JetSpec| Engine::new(&network, &jets).err().unwrap().to_string();
    assert!(error(JetSpec::value(3)).contains("the network has 2"));
    assert!(error(JetSpec::value(2).along(0).second(0, 1)).contains("direction 1"));
    assert!(error(JetSpec::value(2).direction(vec![1.0])).contains("1 inputs"));
    let make = |hidden: &[usize]| Network::<f64>::new(Architecture::dense(2, hidden, 1, Activation::Tanh), 1);
    assert!(make(&[0]).is_err() && make(&[100_000]).is_err());
    let mut bad = Architecture::dense(2, &[4], 1, Activation::Tanh);
    bad.features.waves = vec![vec![1.0]];
    assert!(Network::<f64>::new(bad, 1).unwrap_err().to_string().contains("one per input, 2"));
    let few = Network::with_parameters(Architecture::dense(1, &[2], 1, Activation::Tanh), vec![0.0; 3]);
    assert!(few.unwrap_err().to_string().contains("this network has 7"));
}
