//! The nonlinear Schrödinger equation on a periodic line.

use num_complex::Complex;

use crate::Real;
use crate::space::fft::ComplexFft;
use crate::space::grid::{Periodic, keeps, signed_mode};
use crate::time::Term;
use crate::time::strang::Flow;

/// How the space derivative is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivative {
    /// -k² in Fourier space.
    Spectral,
    /// Three points.
    SecondOrder,
}

/// i ψ_t = -½ ψ_xx - |ψ|² ψ (focusing). State: ψ at the points.
///
/// Spectral form: the cubic term is filtered (truncation to the fraction `truncation` of the modes, then
/// `exp(-36 (|k|/k_cut)^36)`), which costs three transforms an evaluation. Truncation to 2/3 is the usual one and removes
/// the aliasing of a quadratic term; a cubic one needs 1/2. The filter is not Hamiltonian, so the energy is conserved only
/// as far as the tail of the spectrum is empty. Explicit methods need dt · k_max²/2 within their imaginary interval.
pub struct Schrodinger<R: Real> {
    pub grid: Periodic,
    pub derivative: Derivative,
    fft: ComplexFft<R>,
    /// k²/2
    half_k2: Vec<R>,
    filter: Vec<R>,
    work: Vec<Complex<R>>,
    cubic: Vec<Complex<R>>,
}

/// Fraction of modes that the cubic term keeps.
pub const TWO_THIRDS: (usize, usize) = (2, 3);
/// Fraction of modes that removes the aliasing of a cubic term.
pub const ONE_HALF: (usize, usize) = (1, 2);

/// Invariants of the equation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaveInvariants {
    /// ∫ |ψ|²
    pub mass: f64,
    /// Im ∫ ψ* ψ_x
    pub momentum: f64,
    /// ∫ ½ |ψ_x|² - ½ |ψ|⁴
    pub energy: f64,
}

impl<R: Real> Schrodinger<R> {
    pub fn new(grid: Periodic, derivative: Derivative, truncation: (usize, usize)) -> Self {
        let n = grid.points;
        let k = grid.wavenumbers();
        let cut = (0..n as i64).take_while(|m| keeps(*m, n, truncation)).count().max(1) as f64;
        let filter = (0..n).map(|m| {
            let mode = signed_mode(m, n);
            if keeps(mode, n, truncation) { (-36.0 * (mode.abs() as f64 / cut).powi(36)).exp() } else { 0.0 }
        });
        Self {
            grid,
            derivative,
            fft: ComplexFft::new(n),
            half_k2: k.iter().map(|k| R::of(0.5 * k * k)).collect(),
            filter: filter.map(R::of).collect(),
            work: vec![Complex::default(); n],
            cubic: vec![Complex::default(); n],
        }
    }

    /// Largest frequency of the linear part on this grid.
    pub fn max_frequency(&self) -> f64 {
        match self.derivative {
            Derivative::Spectral => 0.5 * (std::f64::consts::PI / self.grid.spacing()).powi(2),
            Derivative::SecondOrder => 2.0 / self.grid.spacing().powi(2),
        }
    }

    /// Removes the filtered modes from a state, so that two methods start from the same one.
    pub fn project(&mut self, psi: &mut [Complex<R>]) {
        self.fft.forward(psi);
        for (v, f) in psi.iter_mut().zip(&self.filter) {
            *v = *v * *f;
        }
        self.fft.inverse(psi);
    }

    /// Mass, momentum and energy, with spectral derivatives.
    pub fn invariants(&mut self, psi: &[Complex<R>]) -> WaveInvariants {
        let n = self.grid.points as f64;
        let dx = self.grid.spacing();
        let (mut mass, mut quartic) = (0.0, 0.0);
        for v in psi {
            let square = v.norm_sqr().to_f64();
            mass += square;
            quartic += square * square;
        }
        self.work.copy_from_slice(psi);
        self.fft.forward(&mut self.work);
        let (mut momentum, mut gradient) = (0.0, 0.0);
        for (v, k) in self.work.iter().zip(self.grid.wavenumbers()) {
            let square = v.norm_sqr().to_f64() / n;
            momentum += k * square;
            gradient += k * k * square;
        }
        WaveInvariants { mass: mass * dx, momentum: momentum * dx, energy: 0.5 * (gradient - quartic) * dx }
    }
}

/// Bright soliton A sech(A(x - x0 - vt)) e^{i(v(x - x0) + (A² - v²) t/2 + phase)}.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Soliton {
    pub amplitude: f64,
    pub velocity: f64,
    pub position: f64,
    pub phase: f64,
}

impl Soliton {
    pub fn at(&self, x: f64, t: f64) -> Complex<f64> {
        let Self { amplitude: a, velocity: v, position, phase } = *self;
        let envelope = a / (a * (x - position - v * t)).cosh();
        Complex::from_polar(envelope, v * (x - position) + 0.5 * (a * a - v * v) * t + phase)
    }

    /// Shift of this soliton, in the direction of its motion relative to `other`, by a full collision with it:
    /// (1/A₁) ln[((A₁ + A₂)² + Δv²) / ((A₁ - A₂)² + Δv²)]. Zakharov & Shabat (1972).
    pub fn collision_shift(&self, other: &Self) -> f64 {
        let (sum, difference) = (self.amplitude + other.amplitude, self.amplitude - other.amplitude);
        let v2 = (self.velocity - other.velocity).powi(2);
        let forward = if self.velocity >= other.velocity { 1.0 } else { -1.0 };
        forward / self.amplitude * ((sum * sum + v2) / (difference * difference + v2)).ln()
    }
}

impl<R: Real> Term<R> for Schrodinger<R> {
    type Value = Complex<R>;
    fn size(&self) -> usize {
        self.grid.points
    }
    fn evaluate(&mut self, _: f64, psi: &[Complex<R>], slope: &mut [Complex<R>]) {
        match self.derivative {
            Derivative::Spectral => {
                for (c, v) in self.cubic.iter_mut().zip(psi) {
                    *c = *v * v.norm_sqr();
                }
                self.fft.forward(&mut self.cubic);
                self.work.copy_from_slice(psi);
                self.fft.forward(&mut self.work);
                for i in 0..psi.len() {
                    // i (½ ψ_xx + |ψ|² ψ)
                    let sum = self.cubic[i] * self.filter[i] - self.work[i] * self.half_k2[i];
                    slope[i] = Complex::new(-sum.im, sum.re);
                }
                self.fft.inverse(slope);
            }
            Derivative::SecondOrder => {
                let n = psi.len();
                let w = R::of(0.5 / self.grid.spacing().powi(2));
                let two = R::of(2.0);
                for i in 0..n {
                    let (left, right) = (psi[(i + n - 1) % n], psi[(i + 1) % n]);
                    let sum = (left + right - psi[i] * two) * w + psi[i] * psi[i].norm_sqr();
                    slope[i] = Complex::new(-sum.im, sum.re);
                }
            }
        }
    }
}

impl<R: Real> Flow<Complex<R>> for Schrodinger<R> {
    /// The cubic part: |ψ|² is constant under it, so it is a rotation.
    fn outer(&mut self, _: f64, dt: f64, psi: &mut [Complex<R>]) {
        let dt = R::of(dt);
        for v in psi {
            let angle = v.norm_sqr() * dt;
            *v = *v * Complex::new(angle.cos(), angle.sin());
        }
    }
    /// The linear part, exact in Fourier space, with the same truncation as the spectral term.
    fn inner(&mut self, _: f64, dt: f64, psi: &mut [Complex<R>]) {
        self.fft.forward(psi);
        for ((v, k2), f) in psi.iter_mut().zip(&self.half_k2).zip(&self.filter) {
            let angle = (-k2.to_f64() * dt) % std::f64::consts::TAU;
            *v = *v * Complex::new(R::of(angle.cos()) * *f, R::of(angle.sin()) * *f);
        }
        self.fft.inverse(psi);
    }
}
