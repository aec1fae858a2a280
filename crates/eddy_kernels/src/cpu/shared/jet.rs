//! Twin of shared/jet.wgsl: (value, ∂t, ∂x, ∂xx) of functions of (t, x).

/// A jet, or an adjoint of one.
pub type Jet = [f32; 4];

/// (σ, σ′, σ″, σ‴) of activation 0 (tanh) or 1 (sine).
pub fn activation_slopes(activation: u32, z: f32) -> Jet {
    if activation == 1 {
        let (s, c) = z.sin_cos();
        return [s, c, -s, -c];
    }
    let e = (2.0 * z.abs().min(10.0)).exp();
    let y = z.signum() * (1.0 - 2.0 / (e + 1.0));
    let d = 1.0 - y * y;
    [y, d, -2.0 * y * d, d * (6.0 * y * y - 2.0)]
}

/// The jet of σ(z).
pub fn jet_forward(s: Jet, z: Jet) -> Jet {
    [s[0], s[1] * z[1], s[1] * z[2], s[1] * z[3] + s[2] * z[2] * z[2]]
}

/// The adjoint of z from the adjoint of σ(z).
pub fn jet_backward(s: Jet, z: Jet, a: Jet) -> Jet {
    [
        s[1] * a[0] + s[2] * (z[1] * a[1] + z[2] * a[2]) + (s[3] * z[2] * z[2] + s[2] * z[3]) * a[3],
        s[1] * a[1],
        s[1] * a[2] + 2.0 * s[2] * z[2] * a[3],
        s[1] * a[3],
    ]
}

/// `sum += weight · jet`.
pub fn jet_add(sum: &mut Jet, weight: f32, jet: Jet) {
    for (s, j) in sum.iter_mut().zip(jet) {
        *s += weight * j;
    }
}

/// Σ a·b.
pub fn jet_dot(a: Jet, b: Jet) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}

/// The jet of a + b n.
pub fn jet_candidate(a: Jet, b: Jet, n: Jet) -> Jet {
    [
        a[0] + b[0] * n[0],
        a[1] + b[1] * n[0] + b[0] * n[1],
        a[2] + b[2] * n[0] + b[0] * n[2],
        a[3] + b[3] * n[0] + 2.0 * b[2] * n[2] + b[0] * n[3],
    ]
}

/// The adjoint of n from the adjoint of a + b n.
pub fn jet_candidate_backward(b: Jet, s: Jet) -> Jet {
    [jet_dot(b, s), b[0] * s[1], b[0] * s[2] + 2.0 * b[2] * s[3], b[0] * s[3]]
}
