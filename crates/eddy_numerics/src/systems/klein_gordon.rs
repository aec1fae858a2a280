//! Nonlinear Klein-Gordon equations on a periodic line.

use num_complex::Complex;

use crate::Real;
use crate::space::fft::RealFft;
use crate::space::grid::Periodic;
use crate::systems::schrodinger::Derivative;
use crate::time::{Term, verlet::Acceleration};

/// The potential V(φ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Potential {
    /// ½ m² φ²: linear, dispersive.
    Quadratic { mass: f64 },
    /// ¼ λ (φ² - v²)²: two vacua, kinks v tanh(√(λ/2) v x).
    DoubleWell { strength: f64, vacuum: f64 },
    /// 1 - cos φ: sine-Gordon, integrable.
    Cosine,
}

impl Potential {
    pub fn energy(self, phi: f64) -> f64 {
        match self {
            Self::Quadratic { mass } => 0.5 * mass * mass * phi * phi,
            Self::DoubleWell { strength, vacuum } => 0.25 * strength * (phi * phi - vacuum * vacuum).powi(2),
            Self::Cosine => 1.0 - phi.cos(),
        }
    }

    /// -V'(φ) added to `out`.
    fn add_force<R: Real>(self, phi: &[R], out: &mut [R]) {
        match self {
            Self::Quadratic { mass } => {
                let m2 = R::of(mass * mass);
                for (o, p) in out.iter_mut().zip(phi) {
                    *o -= m2 * *p;
                }
            }
            Self::DoubleWell { strength, vacuum } => {
                let (strength, v2) = (R::of(strength), R::of(vacuum * vacuum));
                for (o, p) in out.iter_mut().zip(phi) {
                    *o -= strength * (*p * *p - v2) * *p;
                }
            }
            Self::Cosine => {
                for (o, p) in out.iter_mut().zip(phi) {
                    *o -= p.sin();
                }
            }
        }
    }
}

/// φ_tt = φ_xx - V'(φ). State `[φ…, φ_t…]`. One evaluation costs two transforms (spectral) or none (three points).
pub struct KleinGordon<R: Real> {
    pub grid: Periodic,
    pub potential: Potential,
    pub derivative: Derivative,
    fft: RealFft<R>,
    hat: Vec<Complex<R>>,
    minus_k2: Vec<R>,
}

impl<R: Real> KleinGordon<R> {
    pub fn new(grid: Periodic, potential: Potential, derivative: Derivative) -> Self {
        let fft = RealFft::new(grid.points);
        Self {
            grid,
            potential,
            derivative,
            hat: vec![Complex::default(); fft.modes()],
            minus_k2: grid.wavenumbers_half().into_iter().map(|k| R::of(-k * k)).collect(),
            fft,
        }
    }

    /// Largest frequency of the linear part on this grid (the potential adds less than one).
    pub fn max_frequency(&self) -> f64 {
        let k = match self.derivative {
            Derivative::Spectral => std::f64::consts::PI / self.grid.spacing(),
            Derivative::SecondOrder => 2.0 / self.grid.spacing(),
        };
        (k * k + 1.0).sqrt()
    }

    /// ∫ ½ φ_t² + ½ φ_x² + V(φ), with the spectral or the finite-difference gradient, as the scheme has it.
    pub fn energy(&mut self, state: &[R]) -> f64 {
        let (phi, velocity) = state.split_at(state.len() / 2);
        let n = phi.len();
        let mut sum = 0.0;
        for (p, v) in phi.iter().zip(velocity) {
            let (p, v) = (p.to_f64(), v.to_f64());
            sum += 0.5 * v * v + self.potential.energy(p);
        }
        match self.derivative {
            Derivative::Spectral => {
                self.fft.forward(phi, &mut self.hat);
                for (m, (h, k2)) in self.hat.iter().zip(&self.minus_k2).enumerate() {
                    // Modes that stand for their negative count twice.
                    let weight = if m == 0 || 2 * m == n { 0.5 } else { 1.0 };
                    sum -= weight * k2.to_f64() * h.norm_sqr().to_f64() / n as f64;
                }
            }
            Derivative::SecondOrder => {
                let dx = self.grid.spacing();
                for i in 0..n {
                    let slope = (phi[(i + 1) % n] - phi[i]).to_f64() / dx;
                    sum += 0.5 * slope * slope;
                }
            }
        }
        sum * self.grid.spacing()
    }

    /// Energy density at each point.
    pub fn energy_density(&mut self, state: &[R]) -> Vec<f64> {
        let (phi, velocity) = state.split_at(state.len() / 2);
        let n = phi.len();
        let dx = self.grid.spacing();
        (0..n)
            .map(|i| {
                let slope = (phi[(i + 1) % n] - phi[(i + n - 1) % n]).to_f64() / (2.0 * dx);
                let v = velocity[i].to_f64();
                0.5 * (v * v + slope * slope) + self.potential.energy(phi[i].to_f64())
            })
            .collect()
    }
}

/// Sine-Gordon breather 4 atan[(√(1-ω²)/ω) sin ωt / cosh(√(1-ω²) x)] and its time derivative. Energy 16 √(1-ω²).
pub fn breather(frequency: f64, x: f64, t: f64) -> (f64, f64) {
    let width = (1.0 - frequency * frequency).sqrt();
    let scale = width / frequency / (width * x).cosh();
    let (sin, cos) = (frequency * t).sin_cos();
    let argument = scale * sin;
    (4.0 * argument.atan(), 4.0 * scale * frequency * cos / (1.0 + argument * argument))
}

impl<R: Real> Acceleration<R> for KleinGordon<R> {
    fn size(&self) -> usize {
        self.grid.points
    }
    fn acceleration(&mut self, _: f64, phi: &[R], out: &mut [R]) {
        match self.derivative {
            Derivative::Spectral => {
                self.fft.forward(phi, &mut self.hat);
                for (h, k2) in self.hat.iter_mut().zip(&self.minus_k2) {
                    *h = *h * *k2;
                }
                self.fft.inverse(&self.hat, out);
            }
            Derivative::SecondOrder => {
                let n = phi.len();
                let w = R::of(1.0 / self.grid.spacing().powi(2));
                let two = R::of(2.0);
                for i in 0..n {
                    out[i] = w * (phi[(i + 1) % n] + phi[(i + n - 1) % n] - two * phi[i]);
                }
            }
        }
        self.potential.add_force(phi, out);
    }
}

impl<R: Real> Term<R> for KleinGordon<R> {
    type Value = R;
    fn size(&self) -> usize {
        2 * self.grid.points
    }
    fn evaluate(&mut self, t: f64, y: &[R], slope: &mut [R]) {
        let n = y.len() / 2;
        let (phi, velocity) = y.split_at(n);
        let (phi_t, velocity_t) = slope.split_at_mut(n);
        phi_t.copy_from_slice(velocity);
        self.acceleration(t, phi, velocity_t);
    }
}
