//! Twin of fft/stockham.wgsl: FFT of many lines in place.

use std::f64::consts::TAU;

use crate::Complex;
use crate::cpu::shared::complex::{complex_add, complex_multiply, complex_scale};

/// Most points of a line.
pub const MAX_POINTS: u32 = 1024;

/// Elements that one workgroup holds; it transforms `TILE / points` lines.
pub const TILE: u32 = 1024;

crate::layout::uniform! {
    pub struct Params {
        /// Exponent of the number of points, 1 to 10.
        log2_points: u32,
        lines: u32,
        /// Line l starts at (l / inner) · outer_stride + (l % inner) · inner_stride, with inner a power of two.
        log2_inner: u32,
        inner_stride: u32,
        outer_stride: u32,
        element_stride: u32,
        inverse: u32,
        /// Factor of the result.
        scale: f32,
    }
}

impl Params {
    /// Rows of `nx` points, a power of two up to [`MAX_POINTS`], that follow one another. The inverse is scaled by 1 / nx.
    pub fn rows(nx: u32, rows: u32, inverse: bool) -> Self {
        Self {
            log2_points: nx.ilog2(),
            lines: rows,
            log2_inner: 0,
            inner_stride: 0,
            outer_stride: nx,
            element_stride: 1,
            inverse: u32::from(inverse),
            scale: if inverse { 1.0 / nx as f32 } else { 1.0 },
        }
    }

    /// Columns of `planes` planes of nx × ny, both powers of two, ny up to [`MAX_POINTS`]. The inverse is scaled by 1 / ny.
    pub fn columns(nx: u32, ny: u32, planes: u32, inverse: bool) -> Self {
        Self {
            log2_points: ny.ilog2(),
            lines: nx * planes,
            log2_inner: nx.ilog2(),
            inner_stride: 1,
            outer_stride: nx * ny,
            element_stride: nx,
            inverse: u32::from(inverse),
            scale: if inverse { 1.0 / ny as f32 } else { 1.0 },
        }
    }

    /// Points of a line.
    pub fn points(&self) -> u32 {
        1 << self.log2_points
    }

    /// Workgroups of a dispatch.
    pub fn workgroups(&self) -> u32 {
        self.lines.div_ceil(TILE / self.points())
    }
}

/// exp(-2πi m / points), computed in f64.
pub fn twiddles(points: u32) -> Vec<Complex> {
    let angle = |m: u32| -TAU * f64::from(m) / f64::from(points);
    (0..points).map(|m| [angle(m).cos() as f32, angle(m).sin() as f32]).collect()
}

/// Cost 5 n log2 n per line.
pub fn stockham(params: &Params, twiddles: &[Complex], data: &mut [Complex]) {
    let n = params.points() as usize;
    let inner = 1 << params.log2_inner;
    let mut line = vec![[0.0; 2]; n];
    let mut out = line.clone();
    for l in 0..params.lines {
        let start = (l / inner) * params.outer_stride + (l % inner) * params.inner_stride;
        let at = |e: usize| start as usize + e * params.element_stride as usize;
        for e in 0..n {
            line[e] = data[at(e)];
        }
        transform_line(params.inverse != 0, twiddles, &mut line, &mut out);
        for e in 0..n {
            data[at(e)] = complex_scale(params.scale, line[e]);
        }
    }
}

fn transform_line(is_inverse: bool, twiddles: &[Complex], line: &mut Vec<Complex>, out: &mut Vec<Complex>) {
    let n = line.len();
    let subtract = |a: Complex, b: Complex| [a[0] - b[0], a[1] - b[1]];
    let quarter_turn = |z: Complex| if is_inverse { [-z[1], z[0]] } else { [z[1], -z[0]] };
    let twiddle = |m: usize| if is_inverse { [twiddles[m][0], -twiddles[m][1]] } else { twiddles[m] };
    let mut span = 1;
    if n.trailing_zeros() % 2 == 1 {
        let half = n / 2;
        for p in 0..half {
            out[2 * p] = complex_add(line[p], line[p + half]);
            out[2 * p + 1] = subtract(line[p], line[p + half]);
        }
        std::mem::swap(line, out);
        span = 2;
    }
    while span < n {
        let quarter = n / 4;
        for j in 0..quarter {
            let k = j % span;
            let step = k * (quarter / span);
            let x0 = line[j];
            let x1 = complex_multiply(twiddle(step), line[j + quarter]);
            let x2 = complex_multiply(twiddle(2 * step), line[j + 2 * quarter]);
            let x3 = complex_multiply(twiddle(3 * step), line[j + 3 * quarter]);
            let (even, odd) = (complex_add(x0, x2), subtract(x0, x2));
            let (sum, turned) = (complex_add(x1, x3), quarter_turn(subtract(x1, x3)));
            let at = (j / span) * span * 4 + k;
            out[at] = complex_add(even, sum);
            out[at + span] = complex_add(odd, turned);
            out[at + 2 * span] = subtract(even, sum);
            out[at + 3 * span] = subtract(odd, turned);
        }
        std::mem::swap(line, out);
        span *= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum that defines the transform, in f64: the link below this twin.
    fn naive(line: &[Complex], is_inverse: bool) -> Vec<[f64; 2]> {
        let n = line.len();
        let sign = if is_inverse { 1.0 } else { -1.0 };
        (0..n)
            .map(|k| {
                let mut sum = [0.0; 2];
                for (j, z) in line.iter().enumerate() {
                    let (s, c) = (sign * TAU * (k * j % n) as f64 / n as f64).sin_cos();
                    sum[0] += f64::from(z[0]) * c - f64::from(z[1]) * s;
                    sum[1] += f64::from(z[0]) * s + f64::from(z[1]) * c;
                }
                if is_inverse { sum.map(|v| v / n as f64) } else { sum }
            })
            .collect()
    }

    fn signal(n: usize) -> Vec<Complex> {
        (0..n).map(|i| [(i as f32 * 0.37).sin() + 0.2, ((i * i) as f32 * 0.11).cos()]).collect()
    }

    fn largest_difference(a: &[Complex], b: &[[f64; 2]]) -> f64 {
        let pairs = a.iter().flatten().zip(b.iter().flatten());
        pairs.map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn equals_the_defining_sum_at_every_size() {
        for log2 in 1..=10 {
            let n = 1 << log2;
            for inverse in [false, true] {
                let mut data = signal(n);
                let expected = naive(&data, inverse);
                stockham(&Params::rows(n as u32, 1, inverse), &twiddles(n as u32), &mut data);
                // Rounding grows like log2 n; the largest coefficient is about n · 0.7 forward, 1 inverse.
                let bound = 4e-7 * f64::from(log2) * if inverse { 1.0 } else { (n as f64).sqrt() * 2.0 };
                let difference = largest_difference(&data, &expected);
                assert!(difference < bound, "{n} {inverse}: {difference:e} of {bound:e}");
                data.swap(0, 1);
                assert!(largest_difference(&data, &expected) > bound, "{n}: a swapped pair must show");
            }
        }
    }

    #[test]
    fn columns_are_transposed_rows() {
        let (nx, ny, planes) = (4, 8, 3);
        let data = signal(nx * ny * planes);
        let mut columns = data.clone();
        stockham(&Params::columns(nx as u32, ny as u32, planes as u32, false), &twiddles(ny as u32), &mut columns);
        for plane in 0..planes {
            for x in 0..nx {
                let at = |y: usize| (plane * ny + y) * nx + x;
                let mut line: Vec<_> = (0..ny).map(|y| data[at(y)]).collect();
                stockham(&Params::rows(ny as u32, 1, false), &twiddles(ny as u32), &mut line);
                assert!((0..ny).all(|y| columns[at(y)] == line[y]));
            }
        }
    }
}
