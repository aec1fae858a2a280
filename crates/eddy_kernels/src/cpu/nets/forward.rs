//! Twin of nets/forward.wgsl.

use crate::cpu::shared::jet::{Jet, activation_slopes, jet_add, jet_forward};

crate::layout::uniform! {
    pub struct Params {
        points: u32,
        batches: u32,
        features: u32,
        width: u32,
        layers: u32,
        activation: u32,
    }
}

/// Jets of batch `state[0] % batches` through `layers` hidden layers of `width` units and one output: fills `sums`
/// [layer][point][unit] and `outputs` [point]. `parameters` holds per layer the weights [output][input], then the biases;
/// `features` is [batch][point][feature].
pub fn forward(
    params: &Params,
    state: &[u32],
    parameters: &[f32],
    features: &[Jet],
    sums: &mut [Jet],
    outputs: &mut [Jet],
) {
    let [points, count, width] = [params.points, params.features, params.width].map(|n| n as usize);
    let batch = (state[0] % params.batches) as usize;
    for point in 0..points {
        let mut inputs = features[(batch * points + point) * count..][..count].to_vec();
        let mut start = 0;
        for layer in 0..params.layers as usize {
            let count = inputs.len();
            let z: Vec<Jet> = (0..width)
                .map(|unit| {
                    let mut z = [parameters[start + width * count + unit], 0.0, 0.0, 0.0];
                    for (k, input) in inputs.iter().enumerate() {
                        jet_add(&mut z, parameters[start + unit * count + k], *input);
                    }
                    z
                })
                .collect();
            sums[(layer * points + point) * width..][..width].copy_from_slice(&z);
            inputs = z.iter().map(|z| jet_forward(activation_slopes(params.activation, z[0]), *z)).collect();
            start += width * (count + 1);
        }
        let mut u = [parameters[start + inputs.len()], 0.0, 0.0, 0.0];
        for (k, input) in inputs.iter().enumerate() {
            jet_add(&mut u, parameters[start + k], *input);
        }
        outputs[point] = u;
    }
}
