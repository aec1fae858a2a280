// A jet of a function of (t, x): (value, d/dt, d/dx, d2/dx2).

// (s, s', s'', s''') of the activation: 0 tanh, 1 sine.
fn activation_slopes(activation: u32, z: f32) -> vec4<f32> {
    if activation == 1u {
        let s = sin(z);
        let c = cos(z);
        return vec4<f32>(s, c, -s, -c);
    }
    // Own formula: built-in tanh overflows on some devices.
    let e = exp(2.0 * min(abs(z), 10.0));
    let y = sign(z) * (1.0 - 2.0 / (e + 1.0));
    let d = 1.0 - y * y;
    return vec4<f32>(y, d, -2.0 * y * d, d * (6.0 * y * y - 2.0));
}

// The jet of s(z).
fn jet_forward(s: vec4<f32>, z: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(s.x, s.y * z.y, s.y * z.z, s.y * z.w + s.z * z.z * z.z);
}

// The adjoint of z from the adjoint of s(z).
fn jet_backward(s: vec4<f32>, z: vec4<f32>, a: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        s.y * a.x + s.z * (z.y * a.y + z.z * a.z) + (s.w * z.z * z.z + s.z * z.w) * a.w,
        s.y * a.y,
        s.y * a.z + 2.0 * s.z * z.z * a.w,
        s.y * a.w,
    );
}

// The jet of a + b n.
fn jet_candidate(a: vec4<f32>, b: vec4<f32>, n: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        a.x + b.x * n.x,
        a.y + b.y * n.x + b.x * n.y,
        a.z + b.z * n.x + b.x * n.z,
        a.w + b.w * n.x + 2.0 * b.z * n.z + b.x * n.w,
    );
}

// The adjoint of n from the adjoint of a + b n.
fn jet_candidate_backward(b: vec4<f32>, s: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        dot(b, s),
        b.x * s.y,
        b.x * s.z + 2.0 * b.z * s.w,
        b.x * s.w,
    );
}
