// Blocks of four random 32-bit words: block i is Philox4x32-10 of (counter + i, key), the counter 128 bits wide of which the
// low 64 carry.
// #import shared/philox
struct Params {
    counter_0: u32,
    counter_1: u32,
    counter_2: u32,
    counter_3: u32,
    key_0: u32,
    key_1: u32,
    blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> words: array<vec4<u32>>;

@compute @workgroup_size(256)
fn philox(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.blocks {
        return;
    }
    let low = params.counter_0 + id.x;
    let carry = select(0u, 1u, low < id.x);
    let counter = vec4<u32>(low, params.counter_1 + carry, params.counter_2, params.counter_3);
    words[id.x] = philox_4x32_10(counter, vec2<u32>(params.key_0, params.key_1));
}
