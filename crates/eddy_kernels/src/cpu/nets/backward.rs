//! Twin of nets/backward.wgsl.

use crate::cpu::shared::jet::{Jet, activation_slopes, jet_add, jet_backward, jet_dot, jet_forward};

crate::layout::uniform! {
    pub struct Params {
        points: u32,
        batches: u32,
        features: u32,
        width: u32,
        layers: u32,
        activation: u32,
        groups: u32,
        count: u32,
    }
}

/// Points that a workgroup takes together.
pub const TILE: usize = 8;
/// Most units of a layer and most features: the invocations of a workgroup.
pub const UNITS: usize = 64;

/// From the adjoints of the outputs, [point], to the gradient of each group, `partials` [group][parameter]: group g takes
/// the tiles g, g + groups, …. The other buffers are those of `forward`.
pub fn backward(
    params: &Params,
    state: &[u32],
    parameters: &[f32],
    features: &[Jet],
    sums: &[Jet],
    adjoints: &[Jet],
    partials: &mut [f32],
) {
    let [points, count, width, layers] =
        [params.points, params.features, params.width, params.layers].map(|n| n as usize);
    let batch = (state[0] % params.batches) as usize;
    let (groups, total) = (params.groups as usize, params.count as usize);
    let slopes = |z: Jet| activation_slopes(params.activation, z[0]);
    partials[..groups * total].fill(0.0);
    for point in 0..points {
        let gradient = &mut partials[point / TILE % groups * total..][..total];
        let z = |layer: usize, unit: usize| sums[(layer * points + point) * width + unit];
        let mut start = width * (count + 1) + (layers - 1) * width * (width + 1);
        let mut above = vec![Jet::default(); width];
        for unit in 0..width {
            let z = z(layers - 1, unit);
            gradient[start + unit] += jet_dot(adjoints[point], jet_forward(slopes(z), z));
            above[unit] = jet_backward(slopes(z), z, adjoints[point].map(|a| parameters[start + unit] * a));
        }
        gradient[start + width] += adjoints[point][0];
        for layer in (0..layers).rev() {
            let inputs: Vec<Jet> = match layer {
                0 => features[(batch * points + point) * count..][..count].to_vec(),
                _ => (0..width).map(|unit| jet_forward(slopes(z(layer - 1, unit)), z(layer - 1, unit))).collect(),
            };
            let count = inputs.len();
            start -= width * (count + 1);
            for unit in 0..width {
                for (k, input) in inputs.iter().enumerate() {
                    gradient[start + unit * count + k] += jet_dot(above[unit], *input);
                }
                gradient[start + width * count + unit] += above[unit][0];
            }
            if layer > 0 {
                above = (0..width)
                    .map(|unit| {
                        let mut adjoint = Jet::default();
                        for (k, a) in above.iter().enumerate() {
                            jet_add(&mut adjoint, parameters[start + k * width + unit], *a);
                        }
                        jet_backward(slopes(z(layer - 1, unit)), z(layer - 1, unit), adjoint)
                    })
                    .collect();
            }
        }
    }
}
