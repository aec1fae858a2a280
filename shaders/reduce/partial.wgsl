// Minimum, maximum, sum and number of non-finite values: one summary per workgroup.
// #import shared/summary
struct Params {
    count: u32,
    offset: u32,
    stride: u32,
    groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;

var<workgroup> tile: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn partial(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    var mine = empty_summary();
    for (var i = group.x * 256u + thread; i < params.count; i += params.groups * 256u) {
        mine = join_summaries(mine, summary_of(values[params.offset + i * params.stride]));
    }
    tile[thread] = mine;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if thread < half {
            tile[thread] = join_summaries(tile[thread], tile[thread + half]);
        }
        workgroupBarrier();
    }
    if thread == 0u {
        partials[group.x] = tile[0];
    }
}
