//! Twin of shared/complex.wgsl.

use crate::Complex;

pub fn complex_multiply(a: Complex, b: Complex) -> Complex {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

pub fn complex_add(a: Complex, b: Complex) -> Complex {
    [a[0] + b[0], a[1] + b[1]]
}

pub fn complex_scale(s: f32, z: Complex) -> Complex {
    [s * z[0], s * z[1]]
}
