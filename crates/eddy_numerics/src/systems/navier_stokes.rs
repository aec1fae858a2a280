//! Two-dimensional incompressible flow in vorticity form, pseudo-spectral.

use num_complex::Complex;

use crate::Real;
use crate::space::fft::RealFft2;
use crate::space::grid::{Periodic, keeps, signed_mode};
use crate::time::etdrk::SplitTerm;

/// ω_t + u·∇ω = ν ∇²ω - drag · ω + forcing on a periodic rectangle, with u = ψ_y, v = -ψ_x, ∇²ψ = -ω.
///
/// The state is the half spectrum of ω by columns (see [`RealFft2`]), truncated to 2/3: products have no aliasing error.
/// The nonlinear term takes the form of Basdevant (1983), J. Comput. Phys. 50, 209,
/// `N = -(∂xx - ∂yy)(u v) - ∂xy (v² - u²)`, which needs four transforms instead of the five of `-u·∇ω`; in exact
/// arithmetic they are equal. Energy and enstrophy are conserved by N.
///
/// Good values: 128², ν = 1e-3 for a box of 2π with ω of order 10, dt = 0.01. Breaks when the smallest eddies (ν^(3/4)) fall
/// below the grid: enstrophy then piles up at the cut-off and the picture turns grainy.
pub struct NavierStokes2<R: Real> {
    pub x: Periodic,
    pub y: Periodic,
    pub viscosity: f64,
    pub drag: f64,
    /// Kolmogorov forcing `amplitude · wavenumber · cos(wavenumber · y)`, the curl of `-amplitude sin(…)` in x; the mode
    /// number must be below the truncation.
    forcing: (f64, u32),
    fft: RealFft2<R>,
    /// Modes -kept..=kept of y survive.
    kept: usize,
    /// Wavenumbers of x per column and of y per entry, 0 for truncated y.
    kx: Vec<R>,
    ky: Vec<R>,
    /// 1 / k², 0 for the mean and for truncated modes.
    inverse_laplacian: Vec<R>,
    u_hat: Vec<Complex<R>>,
    v_hat: Vec<Complex<R>>,
    u: Vec<R>,
    v: Vec<R>,
}

/// Integrals of a flow, per unit area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowIntegrals {
    /// ½ ⟨u² + v²⟩
    pub energy: f64,
    /// ½ ⟨ω²⟩
    pub enstrophy: f64,
}

impl<R: Real> NavierStokes2<R> {
    pub fn new(x: Periodic, y: Periodic, viscosity: f64, drag: f64) -> Self {
        let columns = (0..x.half_modes()).take_while(|m| keeps(*m as i64, x.points, (2, 3))).count();
        let fft = RealFft2::new(x.points, y.points, columns);
        let kept = (0..y.points as i64).take_while(|m| keeps(*m, y.points, (2, 3))).count() - 1;
        let survives = |j: usize| signed_mode(j, y.points).unsigned_abs() as usize <= kept;
        let kx: Vec<f64> = x.wavenumbers_half()[..columns].to_vec();
        let ky = y.wavenumbers();
        let modes = fft.modes();
        let mut inverse_laplacian = vec![R::of(0.0); modes];
        for (i, kx) in kx.iter().enumerate() {
            for (j, ky) in ky.iter().enumerate() {
                let k2 = kx * kx + ky * ky;
                if k2 > 0.0 && survives(j) {
                    inverse_laplacian[i * y.points + j] = R::of(1.0 / k2);
                }
            }
        }
        let points = x.points * y.points;
        Self {
            x,
            y,
            viscosity,
            drag,
            forcing: (0.0, 0),
            fft,
            kept,
            kx: kx.into_iter().map(R::of).collect(),
            ky: ky.into_iter().enumerate().map(|(j, k)| R::of(if survives(j) { k } else { 0.0 })).collect(),
            inverse_laplacian,
            u_hat: vec![Complex::default(); modes],
            v_hat: vec![Complex::default(); modes],
            u: vec![R::of(0.0); points],
            v: vec![R::of(0.0); points],
        }
    }

    /// Adds the steady force `amplitude · sin(k y)` along x with k = `mode` fundamental wavenumbers.
    pub fn force(&mut self, amplitude: f64, mode: u32) {
        self.forcing = (amplitude, mode.min(self.kept as u32));
    }

    /// Coefficients of a vorticity field, truncated, without mean (a periodic flow has none).
    pub fn transform(&mut self, vorticity: &[R], w_hat: &mut [Complex<R>]) {
        self.fft.forward(vorticity, w_hat);
        self.truncate(w_hat);
        w_hat[0] = Complex::default();
    }

    fn truncate(&self, w_hat: &mut [Complex<R>]) {
        let ny = self.y.points;
        for column in w_hat.chunks_exact_mut(ny) {
            column[self.kept + 1..ny - self.kept].fill(Complex::default());
        }
    }

    /// The vorticity of coefficients.
    pub fn field(&mut self, w_hat: &[Complex<R>], vorticity: &mut [R]) {
        self.u_hat.copy_from_slice(w_hat);
        self.fft.inverse(&mut self.u_hat, vorticity);
    }

    /// The velocity of coefficients.
    pub fn velocity(&mut self, w_hat: &[Complex<R>]) -> (&[R], &[R]) {
        self.solve_velocity(w_hat);
        (&self.u, &self.v)
    }

    fn solve_velocity(&mut self, w_hat: &[Complex<R>]) {
        let ny = self.y.points;
        for (i, kx) in self.kx.iter().enumerate() {
            let at = i * ny..(i + 1) * ny;
            let (w, inverse) = (&w_hat[at.clone()], &self.inverse_laplacian[at.clone()]);
            let (u, v) = (&mut self.u_hat[at.clone()], &mut self.v_hat[at]);
            for j in 0..ny {
                // ψ̂ = ω̂ / k², u = i ky ψ̂, v = -i kx ψ̂
                let psi = w[j] * inverse[j];
                u[j] = Complex::new(-psi.im * self.ky[j], psi.re * self.ky[j]);
                v[j] = Complex::new(psi.im * *kx, -psi.re * *kx);
            }
        }
        self.fft.inverse(&mut self.u_hat, &mut self.u);
        self.fft.inverse(&mut self.v_hat, &mut self.v);
    }

    /// Energy and enstrophy from the coefficients (Parseval).
    pub fn integrals(&self, w_hat: &[Complex<R>]) -> FlowIntegrals {
        let (nx, ny) = (self.x.points, self.y.points);
        let points = (nx * ny) as f64;
        let (mut energy, mut enstrophy) = (0.0, 0.0);
        for (index, w) in w_hat.iter().enumerate() {
            // Columns kx > 0 stand for -kx as well.
            let weight = if index < ny { 0.5 } else { 1.0 };
            let square = w.norm_sqr().to_f64() * weight;
            enstrophy += square;
            energy += square * self.inverse_laplacian[index].to_f64();
        }
        FlowIntegrals { energy: energy / (points * points), enstrophy: enstrophy / (points * points) }
    }

    /// Largest speed of a flow, for the CFL number.
    pub fn max_speed(&mut self, w_hat: &[Complex<R>]) -> f64 {
        self.solve_velocity(w_hat);
        let largest = self.u.iter().zip(&self.v).map(|(u, v)| (*u * *u + *v * *v).to_f64()).fold(0.0, f64::max);
        largest.sqrt()
    }
}

impl<R: Real> SplitTerm<R> for NavierStokes2<R> {
    fn modes(&self) -> usize {
        self.fft.modes()
    }

    fn symbol(&self) -> Vec<Complex<f64>> {
        let ky = self.y.wavenumbers();
        let kx = self.x.wavenumbers_half();
        let mut symbol = Vec::with_capacity(self.fft.modes());
        for kx in &kx[..self.fft.columns()] {
            symbol.extend(ky.iter().map(|ky| Complex::from(-self.viscosity * (kx * kx + ky * ky) - self.drag)));
        }
        symbol
    }

    fn nonlinear(&mut self, _: f64, w_hat: &[Complex<R>], out: &mut [Complex<R>]) {
        self.solve_velocity(w_hat);
        for (u, v) in self.u.iter_mut().zip(&mut self.v) {
            (*u, *v) = (*u * *v, (*v - *u) * (*v + *u));
        }
        self.fft.forward(&self.u, &mut self.u_hat);
        self.fft.forward(&self.v, &mut self.v_hat);
        let ny = self.y.points;
        for (i, kx) in self.kx.iter().enumerate() {
            let at = i * ny..(i + 1) * ny;
            let (uv, difference) = (&self.u_hat[at.clone()], &self.v_hat[at.clone()]);
            let out = &mut out[at];
            for j in 0..ny {
                let ky = self.ky[j];
                out[j] = uv[j] * (*kx * *kx - ky * ky) + difference[j] * (*kx * ky);
            }
            out[self.kept + 1..ny - self.kept].fill(Complex::default());
        }
        let (amplitude, mode) = self.forcing;
        if amplitude != 0.0 && mode > 0 {
            // ω of the force is -∂y(amplitude sin ky) = -amplitude k cos ky: half of it in each of ±k.
            let k = self.y.fundamental() * f64::from(mode);
            let half = -0.5 * amplitude * k * (self.x.points * ny) as f64;
            out[mode as usize].re += R::of(half);
            out[ny - mode as usize].re += R::of(half);
        }
    }
}
