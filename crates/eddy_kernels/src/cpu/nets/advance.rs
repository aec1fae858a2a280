//! Twin of nets/advance.wgsl.

crate::layout::uniform! {
    pub struct Params {
        steps: u32,
    }
}

/// Counts `steps` more steps.
pub fn advance(params: &Params, state: &mut [u32]) {
    state[0] += params.steps;
}
