//! Stochastic differential equations in the sense of Itô, `dy_i = f_i(t, y) dt + g_i(t, y) dW_i`, noise diagonal.

use super::Term;
use crate::Real;
use crate::rng::{Philox, Stream};

/// A term with a noise amplitude for every entry of the state. Complex fields are pairs of real entries, each with its own
/// noise.
pub trait NoisyTerm<R: Real>: Term<R, Value = R> {
    /// Writes g(t, y) to `out`, which may hold anything before.
    fn amplitude(&mut self, t: f64, y: &[R], out: &mut [R]);
    /// Writes ∂g_i/∂y_i to `out` and returns true, or returns false where it is not known; Milstein's method then takes
    /// differences.
    fn amplitude_derivative(&mut self, _t: f64, _y: &[R], _out: &mut [R]) -> bool {
        false
    }
    /// Whether g does not depend on y: Milstein's correction is then zero and left out.
    fn is_additive(&self) -> bool {
        false
    }
}

/// Which of the two methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdeScheme {
    /// `y + f dt + g ΔW`: strong order 1/2 (1 for additive noise), weak order 1. Maruyama (1955).
    EulerMaruyama,
    /// Adds `g g' (ΔW² - dt) / 2`: strong and weak order 1 where g_i depends on y_i alone; if it depends on other entries
    /// too, the order is 1/2 again. Without a derivative the correction is
    /// `(g(ŷ) - g(y)) (ΔW² - dt) / (2√dt)` with `ŷ = y + f dt + g √dt`. Milstein (1974); Kloeden & Platen (1992),
    /// Numerical Solution of Stochastic Differential Equations, eq. 10.3.1 and 11.1.3.
    Milstein,
}

/// A stochastic method at work: explicit, one evaluation of f and of g a step (Milstein without derivative: two of g).
/// Its drift is that of Euler's method, so the diffusive limit dt < dx²/(2 d D) holds, and multiplicative noise narrows it.
pub struct Sde<R> {
    pub scheme: SdeScheme,
    slope: Vec<R>,
    amplitude: Vec<R>,
    correction: Vec<R>,
    support: Vec<R>,
}

impl<R: Real> Sde<R> {
    /// For states of `size` entries.
    pub fn new(scheme: SdeScheme, size: usize) -> Self {
        let vec = || vec![R::of(0.0); size];
        Self { scheme, slope: vec(), amplitude: vec(), correction: vec(), support: vec() }
    }

    /// Moves `y` from `t` to `t + dt`, in place. `normals` holds one standard normal number for each entry, so that
    /// ΔW_i = √dt · normals\[i\]; independent ones in space (white noise in space as well has them divided by the square
    /// root of the cell's volume, in the amplitude).
    pub fn step<T: NoisyTerm<R> + ?Sized>(&mut self, term: &mut T, t: f64, dt: f64, normals: &[R], y: &mut [R]) {
        let root = dt.sqrt();
        let (h, w) = (R::of(dt), R::of(root));
        term.evaluate(t, y, &mut self.slope);
        term.amplitude(t, y, &mut self.amplitude);
        let n = y.len();
        if self.scheme == SdeScheme::Milstein && !term.is_additive() {
            if term.amplitude_derivative(t, y, &mut self.correction) {
                for i in 0..n {
                    self.correction[i] = self.correction[i] * self.amplitude[i];
                }
            } else {
                for i in 0..n {
                    self.support[i] = y[i] + self.slope[i] * h + self.amplitude[i] * w;
                }
                term.amplitude(t, &self.support, &mut self.correction);
                let inverse = R::of(1.0 / root);
                for i in 0..n {
                    self.correction[i] = (self.correction[i] - self.amplitude[i]) * inverse;
                }
            }
            let half = R::of(0.5 * dt);
            for i in 0..n {
                y[i] += self.correction[i] * half * (normals[i] * normals[i] - R::of(1.0));
            }
        }
        for i in 0..n {
            y[i] += self.slope[i] * h + self.amplitude[i] * w * normals[i];
        }
    }
}

/// Fills `out` with standard normal numbers that depend on the seed, the stream, the number of the step and their place
/// alone: the same whatever the device, the order or the number of threads.
pub fn fill_normals<R: Real>(philox: &Philox, stream: Stream, step: u32, out: &mut [R]) {
    for (i, chunk) in out.chunks_mut(4).enumerate() {
        for (o, z) in chunk.iter_mut().zip(philox.normals(stream, step, i as u32, 0)) {
            *o = R::of(z);
        }
    }
}
