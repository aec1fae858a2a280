//! Chebyshev collocation on an interval: spectral accuracy between walls.
//!
//! Points are x_j = middle - half · cos(πj/n), j = 0 … n, ascending, both ends included (Gauss-Lobatto). Smooth fields
//! converge faster than any power of n; eigenvalues of derivative m grow as n^{2m}, so that explicit steps are short.

mod sides;
#[cfg(test)]
mod tests;

use std::f64::consts::PI;

pub use sides::{ChebyshevError, ChebyshevSides};

use crate::Real;
use crate::space::trig::{TrigKind, TrigTransform};

/// An interval with Gauss-Lobatto points.
#[derive(Clone, Debug, PartialEq)]
pub struct Chebyshev {
    low: f64,
    high: f64,
    x: Vec<f64>,
}

impl Chebyshev {
    /// `points` points on `[low, high]`, at least 2.
    ///
    /// # Panics
    /// If there are fewer points or the interval is empty or not finite.
    pub fn new(points: usize, low: f64, high: f64) -> Self {
        assert!(points >= 2 && low < high && (high - low).is_finite(), "an interval with both its ends");
        let n = points - 1;
        let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
        // Sines about the middle: exactly symmetric.
        let angle = |j: usize| PI * (2.0 * j as f64 - n as f64) / (2 * n) as f64;
        let mut x: Vec<f64> = (0..points).map(|j| middle + half * angle(j).sin()).collect();
        (x[0], x[n]) = (low, high);
        Self { low, high, x }
    }

    pub fn points(&self) -> usize {
        self.x.len()
    }

    /// Coordinates, ascending; the first and last are the ends.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    pub fn ends(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    fn half(&self) -> f64 {
        0.5 * (self.high - self.low)
    }

    /// x_i - x_j without cancellation.
    fn distance(&self, i: usize, j: usize) -> f64 {
        let step = PI / (2 * (self.x.len() - 1)) as f64;
        2.0 * self.half() * ((i + j) as f64 * step).sin() * ((i as f64 - j as f64) * step).sin()
    }

    /// The matrix of derivative `derivative`, by rows: `matrix[i * points + j]` is the weight of u_j at x_i. Each diagonal
    /// entry is minus the sum of its row, so that constants have derivative zero to the last bit but rounding of the sum.
    ///
    /// Source: Welfert 1997, SIAM J. Numer. Anal. 34, 1640 (recursion over derivatives); Baltensperger, Trummer 2003, SIAM
    /// J. Sci. Comput. 24, 1465 (negative sum).
    pub fn matrix<R: Real>(&self, derivative: usize) -> Vec<R> {
        let n = self.points();
        let weight = |j: usize| if j == 0 || j + 1 == n { 2.0 } else { 1.0 } * if j % 2 == 0 { 1.0 } else { -1.0 };
        let mut d: Vec<f64> = (0..n * n).map(|at| if at / n == at % n { 1.0 } else { 0.0 }).collect();
        for order in 1..=derivative {
            let mut next = vec![0.0; n * n];
            for i in 0..n {
                for j in (0..n).filter(|j| *j != i) {
                    let ratio = weight(i) / weight(j);
                    next[i * n + j] = order as f64 / self.distance(i, j) * (ratio * d[i * n + i] - d[i * n + j]);
                }
                next[i * n + i] = -negative_sum(&next[i * n..(i + 1) * n]);
            }
            d = next;
        }
        d.into_iter().map(R::of).collect()
    }

    /// Weights of an integral over the interval, exact for polynomials up to degree n: Clenshaw-Curtis. All positive.
    ///
    /// Source: Waldvogel 2006, BIT 46, 195, equation 2.
    pub fn quadrature(&self) -> Vec<f64> {
        let n = self.points() - 1;
        (0..=n)
            .map(|j| {
                let angle = 2.0 * PI * j as f64 / n as f64;
                let mut sum = 1.0;
                for k in 1..=n / 2 {
                    let factor = if 2 * k == n { 1.0 } else { 2.0 };
                    sum -= factor / (4 * k * k - 1) as f64 * (angle * k as f64).cos();
                }
                let end = if j == 0 || j == n { 1.0 } else { 2.0 };
                self.half() * end / n as f64 * sum
            })
            .collect()
    }

    /// Weights of the values in the interpolant at `x`, inside the interval: barycentric formula of the second kind (Berrut,
    /// Trefethen 2004, SIAM Rev. 46, 501, equation 4.2). Cost n.
    pub fn interpolation(&self, x: f64) -> Vec<f64> {
        let n = self.points();
        if let Some(at) = self.x.iter().position(|node| *node == x) {
            return (0..n).map(|j| if j == at { 1.0 } else { 0.0 }).collect();
        }
        let mut weights: Vec<f64> = (0..n)
            .map(|j| {
                let end = if j == 0 || j + 1 == n { 0.5 } else { 1.0 };
                end * if j % 2 == 0 { 1.0 } else { -1.0 } / (x - self.x[j])
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        weights
    }

    /// The interpolant of `u` at `x`.
    ///
    /// # Panics
    /// If `u` has not [`Chebyshev::points`] entries.
    pub fn interpolate<R: Real>(&self, u: &[R], x: f64) -> f64 {
        assert_eq!(u.len(), self.points(), "points of the interval");
        self.interpolation(x).iter().zip(u).map(|(w, u)| w * u.to_f64()).sum()
    }
}

/// Sum of a row, smallest entries first: off-diagonal entries differ by many orders near the ends.
fn negative_sum(row: &[f64]) -> f64 {
    let mut sorted = row.to_vec();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    sorted.iter().sum()
}

/// Coefficients of Σ c_k T_k(z) become those of its derivative in x = `half`·z: c'_{k-1} = c'_{k+1} + 2k c_k, downwards, and
/// half of that for c'_0.
pub fn differentiated(coefficients: &mut [f64], half: f64) {
    // c'_{k+1} and c'_{k+2} of the last two.
    let (mut above, mut two_above) = (0.0, 0.0);
    for k in (0..coefficients.len()).rev() {
        let own = coefficients[k];
        coefficients[k] = above / half;
        (above, two_above) = (two_above + 2.0 * k as f64 * own, above);
    }
    if let Some(first) = coefficients.first_mut() {
        *first *= 0.5;
    }
}

/// Derivatives by a cosine transform: O(n log n), for large n.
pub struct ChebyshevTransform<R: Real> {
    transform: TrigTransform<R>,
    half: f64,
    spectrum: Vec<R>,
    /// The spectrum while it is differentiated.
    wide: Vec<f64>,
}

impl<R: Real> ChebyshevTransform<R> {
    pub fn new(grid: &Chebyshev) -> Self {
        let points = grid.points();
        Self {
            transform: TrigTransform::new(TrigKind::Cosine1, points),
            half: grid.half(),
            spectrum: vec![R::of(0.0); points],
            wide: Vec::with_capacity(points),
        }
    }

    /// Coefficients c_k of Σ c_k T_k((x - middle) / half) to `out`.
    ///
    /// # Panics
    /// If lengths do not fit.
    pub fn coefficients(&mut self, u: &[R], out: &mut [R]) {
        out.copy_from_slice(u);
        self.transform.forward(out);
        let n = out.len() - 1;
        for (k, c) in out.iter_mut().enumerate() {
            // Points ascend, so that the transform sees T_k(-x) = (-1)^k T_k(x).
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            let end = if k == 0 || k == n { 0.5 } else { 1.0 };
            *c *= R::of(sign * end / n as f64);
        }
    }

    /// Values from coefficients, to `out`.
    ///
    /// # Panics
    /// If lengths do not fit.
    pub fn values(&mut self, coefficients: &[R], out: &mut [R]) {
        let n = out.len() - 1;
        for (k, (o, c)) in out.iter_mut().zip(coefficients).enumerate() {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            let end = if k == 0 || k == n { 1.0 } else { 0.5 };
            *o = *c * R::of(sign * end);
        }
        self.transform.forward(out);
    }

    /// The `derivative`-th derivative of `u` to `out`.
    ///
    /// # Panics
    /// If lengths do not fit.
    pub fn derivative(&mut self, derivative: usize, u: &[R], out: &mut [R]) {
        let mut spectrum = std::mem::take(&mut self.spectrum);
        self.coefficients(u, &mut spectrum);
        if derivative > 0 {
            self.wide.clear();
            self.wide.extend(spectrum.iter().map(|s| s.to_f64()));
            (0..derivative).for_each(|_| differentiated(&mut self.wide, self.half));
            spectrum.iter_mut().zip(&self.wide).for_each(|(s, c)| *s = R::of(*c));
        }
        self.values(&spectrum, out);
        self.spectrum = spectrum;
    }
}
