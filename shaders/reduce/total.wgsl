// Joins up to 256 summaries of `partial` in one workgroup.
// #import shared/summary
struct Params {
    groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> summary: array<vec4<f32>>;

var<workgroup> tile: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn total(@builtin(local_invocation_index) thread: u32) {
    tile[thread] = empty_summary();
    if thread < params.groups {
        tile[thread] = partials[thread];
    }
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if thread < half {
            tile[thread] = join_summaries(tile[thread], tile[thread + half]);
        }
        workgroupBarrier();
    }
    if thread == 0u {
        summary[0] = tile[0];
    }
}
