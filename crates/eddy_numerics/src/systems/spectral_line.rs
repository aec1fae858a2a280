//! Scalar equations on a periodic line with a quadratic flux, in Fourier space.

use num_complex::Complex;

use crate::Real;
use crate::space::fft::RealFft;
use crate::space::grid::{Periodic, keeps};
use crate::time::etdrk::SplitTerm;

/// u_t = L u - flux · (u²/2)_x, with L given by its symbol λ(k).
///
/// One term covers heat (flux 0), viscous Burgers, Kuramoto-Sivashinsky and Korteweg-de Vries. The state is the half
/// spectrum, truncated to 2/3 so that the product has no aliasing error. Cost of N: two transforms.
pub struct SpectralLine<R: Real> {
    pub grid: Periodic,
    fft: RealFft<R>,
    symbol: Vec<Complex<f64>>,
    flux: f64,
    /// -i k flux/2, zero for truncated modes.
    derivative: Vec<Complex<R>>,
    kept: usize,
    physical: Vec<R>,
    work: Vec<Complex<R>>,
}

impl<R: Real> SpectralLine<R> {
    /// The equation with symbol `λ(k)` and the coefficient of u u_x.
    pub fn new(grid: Periodic, symbol: impl Fn(f64) -> Complex<f64>, flux: f64) -> Self {
        let modes = grid.half_modes();
        let kept = (0..modes).take_while(|m| keeps(*m as i64, grid.points, (2, 3))).count();
        let mut line = Self {
            grid,
            fft: RealFft::new(grid.points),
            symbol: Vec::new(),
            flux,
            derivative: vec![Complex::default(); modes],
            kept,
            physical: vec![R::of(0.0); grid.points],
            work: vec![Complex::default(); modes],
        };
        line.set(symbol, flux);
        line
    }

    /// Heat: u_t = D u_xx.
    pub fn heat(grid: Periodic, diffusivity: f64) -> Self {
        Self::new(grid, |k| Complex::from(-diffusivity * k * k), 0.0)
    }

    /// Viscous Burgers: u_t = -u u_x + ν u_xx.
    pub fn burgers(grid: Periodic, viscosity: f64) -> Self {
        Self::new(grid, |k| Complex::from(-viscosity * k * k), 1.0)
    }

    /// Kuramoto-Sivashinsky: u_t = -u u_x - u_xx - u_xxxx. Fastest growing wavenumber 1/√2 at rate 1/4.
    pub fn kuramoto_sivashinsky(grid: Periodic) -> Self {
        Self::new(grid, |k| Complex::from(k * k - k.powi(4)), 1.0)
    }

    /// Korteweg-de Vries: u_t = -6 u u_x - u_xxx.
    pub fn korteweg_de_vries(grid: Periodic) -> Self {
        Self::new(grid, |k| Complex::new(0.0, k.powi(3)), 6.0)
    }

    /// Changes the coefficients. The stepper must be given the new symbol.
    pub fn set(&mut self, symbol: impl Fn(f64) -> Complex<f64>, flux: f64) {
        self.flux = flux;
        self.symbol = self.grid.wavenumbers_half().into_iter().map(symbol).collect();
        for (m, (d, k)) in self.derivative.iter_mut().zip(self.grid.derivative_half()).enumerate() {
            let k = if m < self.kept { k } else { 0.0 };
            *d = Complex::new(R::of(0.0), R::of(-0.5 * flux * k));
        }
    }

    /// Coefficients of a field. With a flux they are truncated to 2/3.
    pub fn transform(&mut self, u: &[R], u_hat: &mut [Complex<R>]) {
        self.fft.forward(u, u_hat);
        if self.flux != 0.0 {
            u_hat[self.kept..].fill(Complex::default());
        }
    }

    /// The field of coefficients.
    pub fn field(&mut self, u_hat: &[Complex<R>], u: &mut [R]) {
        self.fft.inverse(u_hat, u);
    }

    /// u_x of coefficients.
    pub fn slope(&mut self, u_hat: &[Complex<R>], u_x: &mut [R]) {
        for ((w, u), k) in self.work.iter_mut().zip(u_hat).zip(self.grid.derivative_half()) {
            *w = *u * Complex::new(R::of(0.0), R::of(k));
        }
        self.fft.inverse(&self.work, u_x);
    }
}

impl<R: Real> SplitTerm<R> for SpectralLine<R> {
    fn modes(&self) -> usize {
        self.symbol.len()
    }
    fn symbol(&self) -> Vec<Complex<f64>> {
        self.symbol.clone()
    }
    fn nonlinear(&mut self, _: f64, u_hat: &[Complex<R>], out: &mut [Complex<R>]) {
        self.fft.inverse(u_hat, &mut self.physical);
        for v in &mut self.physical {
            *v = *v * *v;
        }
        self.fft.forward(&self.physical, out);
        for (o, d) in out.iter_mut().zip(&self.derivative) {
            *o = *o * *d;
        }
    }
    fn is_linear(&self) -> bool {
        self.flux == 0.0
    }
}
