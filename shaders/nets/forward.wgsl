// Jets through all layers of a dense network, eight points to a workgroup: a layer's jets stay in workgroup memory.
// #import shared/jet
struct Params {
    points: u32,
    batches: u32,
    features: u32,
    width: u32,
    layers: u32,
    activation: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [0]: steps done; the batch is this modulo the number of batches.
@group(0) @binding(1) var<storage, read> state: array<u32>;
// Per layer weights [output][input], then biases.
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
// [batch][point][feature]
@group(0) @binding(3) var<storage, read> features: array<vec4<f32>>;
// Sums of the hidden layers, [layer][point][unit]
@group(0) @binding(4) var<storage, read_write> sums: array<vec4<f32>>;
// [point]
@group(0) @binding(5) var<storage, read_write> outputs: array<vec4<f32>>;

const TILE: u32 = 8u;
const UNITS: u32 = 64u;

// Inputs of the layer in hand, [input][point of the tile]
var<workgroup> inputs: array<vec4<f32>, 512>;

@compute @workgroup_size(64)
fn forward(@builtin(local_invocation_index) unit: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let first = group.x * TILE;
    let batch = state[0] % params.batches;
    for (var i = unit; i < params.features * TILE; i += UNITS) {
        let point = first + i % TILE;
        var jet = vec4<f32>();
        if point < params.points {
            jet = features[(batch * params.points + point) * params.features + i / TILE];
        }
        inputs[i] = jet;
    }
    workgroupBarrier();

    var start = 0u;
    var count = params.features;
    for (var layer = 0u; layer < params.layers; layer++) {
        var z: array<vec4<f32>, 8>;
        if unit < params.width {
            let bias = parameters[start + params.width * count + unit];
            for (var p = 0u; p < TILE; p++) {
                z[p] = vec4<f32>(bias, 0.0, 0.0, 0.0);
            }
            for (var k = 0u; k < count; k++) {
                let weight = parameters[start + unit * count + k];
                for (var p = 0u; p < TILE; p++) {
                    z[p] += weight * inputs[k * TILE + p];
                }
            }
        }
        workgroupBarrier();
        if unit < params.width {
            for (var p = 0u; p < TILE; p++) {
                if first + p < params.points {
                    sums[(layer * params.points + first + p) * params.width + unit] = z[p];
                }
                inputs[unit * TILE + p] = jet_forward(activation_slopes(params.activation, z[p].x), z[p]);
            }
        }
        workgroupBarrier();
        start += params.width * (count + 1u);
        count = params.width;
    }

    if unit < TILE && first + unit < params.points {
        var u = vec4<f32>(parameters[start + count], 0.0, 0.0, 0.0);
        for (var k = 0u; k < count; k++) {
            u += parameters[start + k] * inputs[k * TILE + unit];
        }
        outputs[first + unit] = u;
    }
}
