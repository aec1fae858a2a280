// Adjoints of the outputs back to the parameters. A workgroup takes every `groups`-th tile of eight points and adds up its
// own gradient; each entry is always written by the same invocation.
// #import shared/jet
struct Params {
    points: u32,
    batches: u32,
    features: u32,
    width: u32,
    layers: u32,
    activation: u32,
    groups: u32,
    // Number of parameters.
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [0]: steps done.
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
// [batch][point][feature]
@group(0) @binding(3) var<storage, read> features: array<vec4<f32>>;
// [layer][point][unit]
@group(0) @binding(4) var<storage, read> sums: array<vec4<f32>>;
// [point]
@group(0) @binding(5) var<storage, read> adjoints: array<vec4<f32>>;
// [group][parameter]
@group(0) @binding(6) var<storage, read_write> partials: array<f32>;

const TILE: u32 = 8u;
const UNITS: u32 = 64u;

// Inputs of the layer in hand and adjoints of its sums, [input or unit][point of the tile]
var<workgroup> inputs: array<vec4<f32>, 512>;
var<workgroup> above: array<vec4<f32>, 512>;

fn collect(at: u32, value: f32, is_first: bool) {
    if is_first {
        partials[at] = value;
    } else {
        partials[at] += value;
    }
}

@compute @workgroup_size(64)
fn backward(@builtin(local_invocation_index) unit: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let width = params.width;
    let base = group.x * params.count;
    let batch = state[0] % params.batches;
    let tiles = (params.points + TILE - 1u) / TILE;
    let output = width * (params.features + 1u) + (params.layers - 1u) * width * (width + 1u);
    for (var tile = group.x; tile < tiles; tile += params.groups) {
        let is_first = tile == group.x;
        let first = tile * TILE;
        // Of the layer below the one in hand: sums, and slopes there.
        var z: array<vec4<f32>, 8>;
        // Adjoints of the sums of the layer in hand.
        var adjoint: array<vec4<f32>, 8>;
        if unit < width {
            let weight = parameters[output + unit];
            var slope = 0.0;
            var bias = 0.0;
            for (var p = 0u; p < TILE; p++) {
                adjoint[p] = vec4<f32>();
                if first + p < params.points {
                    let jet = sums[((params.layers - 1u) * params.points + first + p) * width + unit];
                    let s = activation_slopes(params.activation, jet.x);
                    let a = adjoints[first + p];
                    slope += dot(a, jet_forward(s, jet));
                    bias += a.x;
                    adjoint[p] = jet_backward(s, jet, weight * a);
                }
            }
            collect(base + output + unit, slope, is_first);
            if unit == 0u {
                collect(base + output + width, bias, is_first);
            }
        }
        var start = output;
        for (var above_layer = params.layers; above_layer > 0u; above_layer--) {
            let layer = above_layer - 1u;
            var count = width;
            if layer == 0u {
                count = params.features;
            }
            start -= width * (count + 1u);
            // The layer above has been read by all.
            workgroupBarrier();
            if layer == 0u {
                for (var i = unit; i < count * TILE; i += UNITS) {
                    let point = first + i % TILE;
                    var jet = vec4<f32>();
                    if point < params.points {
                        jet = features[(batch * params.points + point) * count + i / TILE];
                    }
                    inputs[i] = jet;
                }
            }
            if unit < width {
                for (var p = 0u; p < TILE; p++) {
                    above[unit * TILE + p] = adjoint[p];
                    if layer > 0u {
                        z[p] = vec4<f32>();
                        if first + p < params.points {
                            z[p] = sums[((layer - 1u) * params.points + first + p) * width + unit];
                        }
                        inputs[unit * TILE + p] = jet_forward(activation_slopes(params.activation, z[p].x), z[p]);
                    }
                }
            }
            workgroupBarrier();
            if unit < width {
                for (var k = 0u; k < count; k++) {
                    var slope = 0.0;
                    for (var p = 0u; p < TILE; p++) {
                        slope += dot(adjoint[p], inputs[k * TILE + p]);
                    }
                    collect(base + start + unit * count + k, slope, is_first);
                }
                var bias = 0.0;
                for (var p = 0u; p < TILE; p++) {
                    bias += adjoint[p].x;
                }
                collect(base + start + width * count + unit, bias, is_first);
                if layer > 0u {
                    for (var p = 0u; p < TILE; p++) {
                        adjoint[p] = vec4<f32>();
                    }
                    for (var k = 0u; k < width; k++) {
                        let weight = parameters[start + k * width + unit];
                        for (var p = 0u; p < TILE; p++) {
                            adjoint[p] += weight * above[k * TILE + p];
                        }
                    }
                    for (var p = 0u; p < TILE; p++) {
                        adjoint[p] = jet_backward(activation_slopes(params.activation, z[p].x), z[p], adjoint[p]);
                    }
                }
            }
        }
        workgroupBarrier();
    }
}
