// In-place FFT of many lines, 2 to 1024 points (a power of two), each line in workgroup memory.
// Radix 4 with one leading radix-2 stage where log2 is odd; Stockham's ordering needs no bit reversal
// (Govindaraju et al. 2008, "High performance discrete Fourier transforms on graphics processors", section 4).
// #import shared/complex
struct Params {
    // Sizes are powers of two and given by their exponents: integer division is slow on every device.
    log2_points: u32,
    lines: u32,
    // Line l starts at (l / inner) * outer_stride + (l % inner) * inner_stride.
    log2_inner: u32,
    inner_stride: u32,
    outer_stride: u32,
    element_stride: u32,
    inverse: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// exp(-2πi m / points), m < points
@group(0) @binding(1) var<storage, read> twiddles: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> data: array<vec2<f32>>;

// Threads that share a tile. A device emulated on a CPU pays for every thread at every barrier and is five times faster
// with 16 than with 256.
override THREADS: u32 = 256u;

const LOG2_TILE: u32 = 10u;
const TILE: u32 = 1024u;
// Every stage reads one half and writes the other.
var<workgroup> tile: array<vec2<f32>, 2048>;

// value % 2^bits
fn low_bits(value: u32, bits: u32) -> u32 {
    return value & ((1u << bits) - 1u);
}

// (line within the workgroup, element) of the e-th number of the tile, neighbouring threads on neighbouring addresses.
fn place(e: u32) -> vec2<u32> {
    if params.element_stride == 1u {
        return vec2<u32>(e >> params.log2_points, low_bits(e, params.log2_points));
    }
    let log2_lines = LOG2_TILE - params.log2_points;
    return vec2<u32>(low_bits(e, log2_lines), e >> log2_lines);
}

fn address(line: u32, element: u32) -> u32 {
    return (line >> params.log2_inner) * params.outer_stride + low_bits(line, params.log2_inner) * params.inner_stride
        + element * params.element_stride;
}

fn twiddle(m: u32) -> vec2<f32> {
    let w = twiddles[m];
    return select(w, vec2<f32>(w.x, -w.y), params.inverse != 0u);
}

// -i z forward, i z inverse.
fn quarter_turn(z: vec2<f32>) -> vec2<f32> {
    return select(vec2<f32>(z.y, -z.x), vec2<f32>(-z.y, z.x), params.inverse != 0u);
}

@compute @workgroup_size(THREADS)
fn stockham(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let log2_n = params.log2_points;
    let first_line = group.x << (LOG2_TILE - log2_n);
    for (var e = thread; e < TILE; e += THREADS) {
        let at = place(e);
        if first_line + at.x < params.lines {
            tile[(at.x << log2_n) + at.y] = data[address(first_line + at.x, at.y)];
        }
    }
    workgroupBarrier();

    var source = 0u;
    var log2_span = 0u;
    if (log2_n & 1u) == 1u {
        let log2_half = log2_n - 1u;
        for (var i = thread; i < TILE / 2u; i += THREADS) {
            let p = low_bits(i, log2_half);
            let base = (i >> log2_half) << log2_n;
            let a = tile[base + p];
            let b = tile[base + p + (1u << log2_half)];
            tile[TILE + base + 2u * p] = a + b;
            tile[TILE + base + 2u * p + 1u] = a - b;
        }
        workgroupBarrier();
        source = TILE;
        log2_span = 1u;
    }
    for (; log2_span < log2_n; log2_span += 2u) {
        let log2_quarter = log2_n - 2u;
        let quarter = 1u << log2_quarter;
        let span = 1u << log2_span;
        for (var i = thread; i < TILE / 4u; i += THREADS) {
            let j = low_bits(i, log2_quarter);
            let line = (i >> log2_quarter) << log2_n;
            let k = low_bits(j, log2_span);
            let step = k << (log2_quarter - log2_span);
            let at = source + line + j;
            let x0 = tile[at];
            let x1 = complex_multiply(twiddle(step), tile[at + quarter]);
            let x2 = complex_multiply(twiddle(2u * step), tile[at + 2u * quarter]);
            let x3 = complex_multiply(twiddle(3u * step), tile[at + 3u * quarter]);
            let even = x0 + x2;
            let odd = x0 - x2;
            let sum = x1 + x3;
            let turned = quarter_turn(x1 - x3);
            let out = TILE - source + line + ((j - k) << 2u) + k;
            tile[out] = even + sum;
            tile[out + span] = odd + turned;
            tile[out + 2u * span] = even - sum;
            tile[out + 3u * span] = odd - turned;
        }
        workgroupBarrier();
        source = TILE - source;
    }

    for (var e = thread; e < TILE; e += THREADS) {
        let at = place(e);
        if first_line + at.x < params.lines {
            data[address(first_line + at.x, at.y)] = params.scale * tile[source + (at.x << log2_n) + at.y];
        }
    }
}
