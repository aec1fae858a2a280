//! Real trigonometric transforms of any length, and what they diagonalize: direct solves of a u - d ∇·∇u = f on rectangles.

mod helmholtz;
#[cfg(test)]
mod tests;

use std::f64::consts::PI;

use num_complex::Complex;

pub use helmholtz::{Ends, FastAxis, Helmholtz, HelmholtzError, Symbol};

use crate::Real;
use crate::space::fft::RealFft;

/// A transform of n real values to n real values. Sums run over j = 0 … n - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrigKind {
    /// X_0, Re X_1, …, then Im X_1, …, with X_k = Σ x_j e^{-2πi jk/n}: the half spectrum without its redundant zeros.
    Fourier,
    /// DCT-I, both ends included: X_k = x_0 + (-1)^k x_{n-1} + 2 Σ_{0<j<n-1} x_j cos(π jk / (n-1)). Needs two points.
    Cosine1,
    /// DST-I, ends (zeros) left out: X_k = 2 Σ x_j sin(π (j+1)(k+1) / (n+1)).
    Sine1,
    /// DCT-II, values between the ends: X_k = 2 Σ x_j cos(π (j+½) k / n).
    Cosine2,
    /// DST-II, values between the ends: X_k = 2 Σ x_j sin(π (j+½)(k+1) / n).
    Sine2,
}

/// A planned transform. Cost: that of a real Fourier transform of n values, or 2n for the first kinds.
pub struct TrigTransform<R: Real> {
    kind: TrigKind,
    points: usize,
    fft: RealFft<R>,
    line: Vec<R>,
    hat: Vec<Complex<R>>,
    /// e^{-iπk/2n} of the second kinds.
    twiddles: Vec<Complex<R>>,
}

impl<R: Real> TrigTransform<R> {
    /// # Panics
    /// If `points` is 0, or 1 for DCT-I.
    pub fn new(kind: TrigKind, points: usize) -> Self {
        let least = if kind == TrigKind::Cosine1 { 2 } else { 1 };
        assert!(points >= least, "at least {least} points");
        let length = match kind {
            TrigKind::Cosine1 => 2 * points - 2,
            TrigKind::Sine1 => 2 * points + 2,
            _ => points,
        };
        let fft = RealFft::new(length);
        let twiddles = if matches!(kind, TrigKind::Cosine2 | TrigKind::Sine2) {
            let twiddle = |k: usize| {
                let (sin, cos) = (-0.5 * PI * k as f64 / points as f64).sin_cos();
                Complex::new(R::of(cos), R::of(sin))
            };
            (0..=points / 2).map(twiddle).collect()
        } else {
            Vec::new()
        };
        let (line, hat) = (vec![R::of(0.0); length], vec![Complex::default(); fft.modes()]);
        Self { kind, points, fft, line, hat, twiddles }
    }

    pub fn points(&self) -> usize {
        self.points
    }

    pub fn kind(&self) -> TrigKind {
        self.kind
    }

    /// In place.
    ///
    /// # Panics
    /// If the length is not the plan's.
    pub fn forward(&mut self, x: &mut [R]) {
        assert_eq!(x.len(), self.points, "length of the plan");
        let n = self.points;
        match self.kind {
            TrigKind::Fourier => {
                self.fft.forward(x, &mut self.hat);
                let imaginary = n.div_ceil(2) - 1;
                for (x, z) in x.iter_mut().zip(&self.hat) {
                    *x = z.re;
                }
                for (x, z) in x[n - imaginary..].iter_mut().zip(&self.hat[1..]) {
                    *x = z.im;
                }
            }
            TrigKind::Cosine1 => {
                self.line[..n].copy_from_slice(x);
                for (j, value) in x[1..n - 1].iter().enumerate() {
                    self.line[2 * n - 3 - j] = *value;
                }
                self.fft.forward(&self.line, &mut self.hat);
                for (x, z) in x.iter_mut().zip(&self.hat) {
                    *x = z.re;
                }
            }
            TrigKind::Sine1 => {
                let zero = R::of(0.0);
                (self.line[0], self.line[n + 1]) = (zero, zero);
                for (j, value) in x.iter().enumerate() {
                    self.line[j + 1] = *value;
                    self.line[2 * n + 1 - j] = -*value;
                }
                self.fft.forward(&self.line, &mut self.hat);
                for (x, z) in x.iter_mut().zip(&self.hat[1..]) {
                    *x = -z.im;
                }
            }
            TrigKind::Cosine2 => self.second_forward(x),
            TrigKind::Sine2 => {
                // Sines are cosines of the other end: every second value changes sign, coefficients change order.
                x.iter_mut().skip(1).step_by(2).for_each(|v| *v = -*v);
                self.second_forward(x);
                x.reverse();
            }
        }
    }

    /// The inverse of [`TrigTransform::forward`], in place, factors included.
    ///
    /// # Panics
    /// If the length is not the plan's.
    pub fn inverse(&mut self, x: &mut [R]) {
        assert_eq!(x.len(), self.points, "length of the plan");
        let n = self.points;
        match self.kind {
            TrigKind::Fourier => {
                let imaginary = n.div_ceil(2) - 1;
                for (k, z) in self.hat.iter_mut().enumerate() {
                    let im = if (1..=imaginary).contains(&k) { x[n - imaginary + k - 1] } else { R::of(0.0) };
                    *z = Complex::new(x[k], im);
                }
                self.fft.inverse(&self.hat, x);
            }
            TrigKind::Cosine1 => {
                self.forward(x);
                let scale = R::of(0.5 / (n - 1) as f64);
                x.iter_mut().for_each(|v| *v *= scale);
            }
            TrigKind::Sine1 => {
                self.forward(x);
                let scale = R::of(0.5 / (n + 1) as f64);
                x.iter_mut().for_each(|v| *v *= scale);
            }
            TrigKind::Cosine2 => self.second_inverse(x),
            TrigKind::Sine2 => {
                x.reverse();
                self.second_inverse(x);
                x.iter_mut().skip(1).step_by(2).for_each(|v| *v = -*v);
            }
        }
    }

    /// DCT-II by a Fourier transform of the same length: even points forwards, then odd ones backwards (Makhoul 1980, IEEE
    /// Trans. ASSP 28, 27).
    fn second_forward(&mut self, x: &mut [R]) {
        let n = self.points;
        for (j, value) in x.iter().enumerate() {
            self.line[if j % 2 == 0 { j / 2 } else { n - 1 - j / 2 }] = *value;
        }
        self.fft.forward(&self.line, &mut self.hat);
        let two = R::of(2.0);
        for (k, (z, w)) in self.hat.iter().zip(&self.twiddles).enumerate() {
            let turned = *z * *w;
            x[k] = two * turned.re;
            if k > 0 {
                x[n - k] = -two * turned.im;
            }
        }
        if n.is_multiple_of(2) && n > 0 {
            // Both formulas name the middle; the real part is the one without cancellation.
            x[n / 2] = two * (self.hat[n / 2] * self.twiddles[n / 2]).re;
        }
    }

    fn second_inverse(&mut self, x: &mut [R]) {
        let n = self.points;
        let half = R::of(0.5);
        for (k, (z, w)) in self.hat.iter_mut().zip(&self.twiddles).enumerate() {
            let mirror = if k == 0 { R::of(0.0) } else { x[n - k] };
            *z = Complex::new(x[k] * half, -mirror * half) * w.conj();
        }
        self.fft.inverse(&self.hat, &mut self.line);
        for (j, value) in x.iter_mut().enumerate() {
            *value = self.line[if j % 2 == 0 { j / 2 } else { n - 1 - j / 2 }];
        }
    }
}
