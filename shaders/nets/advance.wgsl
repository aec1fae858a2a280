// Counts a step: a dispatch of its own, because the kernels of a step all read the count.
struct Params {
    steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;

@compute @workgroup_size(1)
fn advance() {
    state[0] += params.steps;
}
