//! Twin of nets/adam.wgsl.

crate::layout::uniform! {
    pub struct Params {
        count: u32,
        groups: u32,
        steps: u32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
    }
}

/// A step of Adam with the sum of the groups' gradients, `partials` [group][parameter]. `rates` holds for each step
/// rate/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ); `state[0]` is the number of steps done; `moments` the first and second moment.
pub fn adam(
    params: &Params,
    state: &[u32],
    rates: &[[f32; 2]],
    partials: &[f32],
    parameters: &mut [f32],
    moments: &mut [[f32; 2]],
) {
    let count = params.count as usize;
    let rate = rates[state[0].min(params.steps - 1) as usize];
    for i in 0..count {
        let g: f32 = (0..params.groups as usize).map(|group| partials[group * count + i]).sum();
        let m = params.beta1 * moments[i][0] + (1.0 - params.beta1) * g;
        let v = params.beta2 * moments[i][1] + (1.0 - params.beta2) * g * g;
        moments[i] = [m, v];
        parameters[i] -= rate[0] * m / ((v * rate[1]).sqrt() + params.epsilon);
    }
}
