//! Flow and adsorption in a chromatography column.

use crate::Real;
use crate::quadrature::{Integral, integrate};
use crate::space::tridiagonal::Tridiagonal;
use crate::special::bessel_i1_scaled;
use crate::time::crank_nicolson::CrankNicolson;
use crate::time::runge_kutta::{RungeKutta, SSPRK3};
use crate::time::stability::{Limit, StabilityLimits};
use crate::time::{Stepper, Term};

/// What one compound of the mixture does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compound {
    /// Concentration during the injection.
    pub inlet: f64,
    /// Adsorption rate k_a.
    pub adsorption: f64,
    /// Desorption rate k_d.
    pub desorption: f64,
}

/// A column of length `length` with carrier speed `velocity`. Each compound is injected as a pulse from t = 0 to `pulse`.
///
/// c_t + u c_x = D c_xx - F q_t,   q_t = k_a c (1 - Σ q / q_max) - k_d q.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    pub length: f64,
    pub velocity: f64,
    /// D
    pub diffusivity: f64,
    /// F, volume of the stationary phase per volume of the mobile one.
    pub phase_ratio: f64,
    /// q_max; infinite makes the kinetics linear and the compounds independent.
    pub capacity: f64,
    pub pulse: f64,
}

impl Column {
    /// u L / D: how far advection dominates diffusion.
    pub fn peclet(&self) -> f64 {
        self.velocity * self.length / self.diffusivity
    }

    /// Mean time at which a compound leaves, in the linear model.
    pub fn retention_time(&self, compound: &Compound) -> f64 {
        self.length / self.velocity * (1.0 + self.phase_ratio * compound.adsorption / compound.desorption)
            + 0.5 * self.pulse
    }

    /// Standard deviation of the leaving times by kinetics and injection alone.
    pub fn peak_width(&self, compound: &Compound) -> f64 {
        let xi = self.phase_ratio * compound.adsorption * self.length / self.velocity;
        (2.0 * xi / compound.desorption.powi(2) + self.pulse.powi(2) / 12.0).sqrt()
    }

    /// Concentration at the outlet at time `t` without diffusion and competition: one integral per compound.
    ///
    /// With τ = t - L/u and ξ = F k_a L/u the Laplace solution exp(-ξ s/(s + k_d)) inverts to
    /// `c = e^{-ξ} c_in(τ) + ∫ c_in(τ - y) G(y) dy`, `G(y) = √(ξ k_d / y) I₁(2√(ξ k_d y)) e^{-k_d y - ξ}`. The exponents are
    /// joined to `-(√ξ - √(k_d y))²` with the scaled Bessel function, so nothing overflows. Adaptive Gauss-Kronrod; the pulse
    /// turns the convolution into an integral over `[τ - pulse, τ]`.
    pub fn outlet(&self, compound: &Compound, t: f64) -> Integral {
        let tau = t - self.length / self.velocity;
        if tau <= 0.0 {
            return Integral { value: 0.0, error: 0.0, evaluations: 0, converged: true };
        }
        let xi = self.phase_ratio * compound.adsorption * self.length / self.velocity;
        let kd = compound.desorption;
        let direct = if tau < self.pulse { (-xi).exp() } else { 0.0 };
        let kernel = |y: f64| {
            if y <= 0.0 {
                return xi * kd * (-xi).exp();
            }
            let root = (kd * y).sqrt();
            let gap = xi.sqrt() - root;
            (xi * kd / y).sqrt() * bessel_i1_scaled(2.0 * xi.sqrt() * root) * (-gap * gap).exp()
        };
        let mut result = integrate(kernel, (tau - self.pulse).max(0.0), tau, 1e-9, 1e-8, 100);
        result.value = compound.inlet * (direct + result.value);
        result.error *= compound.inlet;
        result
    }
}

/// How the advective flux is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advection {
    /// First-order upwind: monotone, with a numerical diffusion of u dx/2.
    Upwind,
    /// Third-order upwind-biased with Koren's limiter (1993): monotone and sharp.
    Limited,
}

/// The full model on `cells` finite volumes. State: for each compound c at the cells, then for each compound q.
///
/// The term holds advection and kinetics, to be stepped by SSPRK3; diffusion is stiff on fine grids and follows as an
/// implicit half of the step, [`ColumnStepper`].
pub struct ColumnModel<R> {
    pub column: Column,
    pub compounds: Vec<Compound>,
    pub advection: Advection,
    pub cells: usize,
    /// 1 - Σ q / q_max at each cell.
    free: Vec<R>,
    /// One compound with two ghost cells at the inlet and one at the outlet.
    padded: Vec<R>,
    /// Flux through the left face of each cell, and the outlet.
    flux: Vec<R>,
    /// Share of the injected concentration during the present step; if none, by the time of the evaluation. A stage time
    /// that falls beyond the end of the pulse would otherwise lose a part of the last step's mass.
    injection: Option<f64>,
}

impl<R: Real> ColumnModel<R> {
    pub fn new(column: Column, compounds: Vec<Compound>, cells: usize, advection: Advection) -> Self {
        let zeros = |n: usize| vec![R::of(0.0); n];
        Self {
            column,
            compounds,
            advection,
            cells,
            free: zeros(cells),
            padded: zeros(cells + 3),
            flux: zeros(cells + 1),
            injection: None,
        }
    }

    fn spacing(&self) -> f64 {
        self.column.length / self.cells as f64
    }

    /// Centres of the cells.
    pub fn xs(&self) -> Vec<f64> {
        (0..self.cells).map(|i| self.spacing() * (i as f64 + 0.5)).collect()
    }

    /// Limits of the explicit part for SSPRK3.
    pub fn limits(&self) -> StabilityLimits {
        let fastest = self
            .compounds
            .iter()
            .map(|c| c.desorption + c.adsorption * self.column.phase_ratio.max(1.0))
            .fold(0.0, f64::max);
        StabilityLimits::default()
            .with(Limit::Advective, self.spacing() / self.column.velocity)
            .with(Limit::Reaction, 2.5 / fastest)
    }

    /// A stable, monotone and accurate step.
    pub fn suggested_dt(&self) -> f64 {
        0.8 * self.limits().binding().map_or(1.0, |(_, dt)| dt)
    }

    /// Concentration of compound `index` at the outlet face.
    pub fn outlet(&self, state: &[R], index: usize) -> f64 {
        let c = &state[index * self.cells..(index + 1) * self.cells];
        let (last, before) = (c[self.cells - 1].to_f64(), c[self.cells - 2].to_f64());
        1.5 * last - 0.5 * before
    }

    /// Largest Σ q / q_max over the column: competition is negligible below about 5 %.
    pub fn occupancy(&self, state: &[R]) -> f64 {
        let q = &state[self.compounds.len() * self.cells..];
        let sum_at = |i: usize| q.chunks_exact(self.cells).map(|q| q[i].to_f64()).sum::<f64>();
        (0..self.cells).map(sum_at).fold(0.0, f64::max) / self.column.capacity
    }

    /// Mass of compound `index` in the column, per unit of cross section: mobile and adsorbed.
    pub fn held(&self, state: &[R], index: usize) -> f64 {
        let n = self.cells;
        let sum = |k: usize| state[k * n..(k + 1) * n].iter().map(|v| v.to_f64()).sum::<f64>();
        (sum(index) + self.column.phase_ratio * sum(self.compounds.len() + index)) * self.spacing()
    }
}

impl<R: Real> Term<R> for ColumnModel<R> {
    type Value = R;
    fn size(&self) -> usize {
        2 * self.compounds.len() * self.cells
    }
    fn evaluate(&mut self, t: f64, y: &[R], slope: &mut [R]) {
        let n = self.cells;
        let count = self.compounds.len();
        let (c_all, q_all) = y.split_at(count * n);
        let (c_t_all, q_t_all) = slope.split_at_mut(count * n);
        self.free.fill(R::of(1.0));
        if self.column.capacity.is_finite() {
            let share = R::of(1.0 / self.column.capacity);
            for q in q_all.chunks_exact(n) {
                for (f, q) in self.free.iter_mut().zip(q) {
                    *f -= *q * share;
                }
            }
        }
        let is_injecting = t >= 0.0 && t < self.column.pulse;
        let share = self.injection.unwrap_or(f64::from(u8::from(is_injecting)));
        let speed = R::of(self.column.velocity / self.spacing());
        let ratio = R::of(self.column.phase_ratio);
        for (k, compound) in self.compounds.iter().enumerate() {
            let at = k * n..(k + 1) * n;
            let (c, q) = (&c_all[at.clone()], &q_all[at.clone()]);
            let (c_t, q_t) = (&mut c_t_all[at.clone()], &mut q_t_all[at]);
            let inlet = R::of(share * compound.inlet);
            let p = &mut self.padded;
            (p[0], p[1]) = (inlet, inlet);
            p[2..n + 2].copy_from_slice(c);
            // Linear extrapolation: a constant one would make the last cell first order, and the signal late by half a cell.
            p[n + 2] = c[n - 1] + c[n - 1] - c[n - 2];
            match self.advection {
                Advection::Upwind => {
                    for (f, upwind) in self.flux.iter_mut().zip(&p[1..]) {
                        *f = speed * *upwind;
                    }
                }
                Advection::Limited => limited_flux(p, speed, &mut self.flux),
            }
            // What enters is what was injected.
            self.flux[0] = speed * inlet;
            let (ka, kd) = (R::of(compound.adsorption), R::of(compound.desorption));
            let (left, right, free) = (&self.flux[..n], &self.flux[1..n + 1], &self.free[..n]);
            for i in 0..n {
                let uptake = ka * c[i] * free[i] - kd * q[i];
                q_t[i] = uptake;
                c_t[i] = left[i] - right[i] - ratio * uptake;
            }
        }
    }
}

/// Upwind value plus Koren's limited half slope: min(2a, (2a + b)/3, 2b)/2 where both differences have one sign, else 0.
/// Written with selects only, so that it runs in SIMD lanes.
fn limited_flux<R: Real>(p: &[R], speed: R, flux: &mut [R]) {
    let n = flux.len();
    let (far, upwind, down) = (&p[..n], &p[1..n + 1], &p[2..n + 2]);
    let (zero, half, two, third) = (R::of(0.0), R::of(0.5), R::of(2.0), R::of(1.0 / 3.0));
    for i in 0..n {
        let (a, b) = (upwind[i] - far[i], down[i] - upwind[i]);
        let (twice, middle, ahead) = (two * a, (two * a + b) * third, two * b);
        // The smallest in magnitude of three numbers of one sign; for mixed signs the two sides give 0.
        let least = pick(pick(twice, middle, twice < middle), ahead, pick(twice, middle, twice < middle) < ahead);
        let most = pick(pick(twice, middle, twice > middle), ahead, pick(twice, middle, twice > middle) > ahead);
        let slope = pick(least, zero, least > zero) + pick(most, zero, most < zero);
        flux[i] = speed * (upwind[i] + half * slope);
    }
}

#[inline(always)]
fn pick<R: Copy>(a: R, b: R, first: bool) -> R {
    if first { a } else { b }
}

/// SSPRK3 for advection and kinetics, then Crank-Nicolson for diffusion with closed ends (Danckwerts: the injection enters
/// by advection alone). Splitting error of first order in dt, in practice far below that in space: dt is bounded by
/// dx/u.
pub struct ColumnStepper<R: Real> {
    explicit: RungeKutta<R>,
    diffusion: CrankNicolson<R>,
}

impl<R: Real> ColumnStepper<R> {
    pub fn new(model: &ColumnModel<R>, dt: f64) -> Self {
        let n = model.cells;
        let w = R::of(model.column.diffusivity / model.spacing().powi(2));
        let mut matrix =
            Tridiagonal { lower: vec![w; n], diagonal: vec![-(w + w); n], upper: vec![w; n], periodic: false };
        (matrix.diagonal[0], matrix.diagonal[n - 1]) = (-w, -w);
        Self {
            explicit: RungeKutta::new(&SSPRK3, model.size()),
            diffusion: CrankNicolson::new(matrix, vec![R::of(0.0); n], dt),
        }
    }
}

impl<R: Real> Stepper<R, ColumnModel<R>> for ColumnStepper<R> {
    type Value = R;
    fn order(&self) -> u32 {
        1
    }
    fn evaluations(&self) -> u32 {
        3
    }
    /// `dt` must be the one given at construction.
    fn step(&mut self, model: &mut ColumnModel<R>, t: f64, dt: f64, y: &mut [R]) {
        debug_assert_eq!(dt, self.diffusion.dt());
        let injected = (t + dt).min(model.column.pulse) - t.max(0.0);
        model.injection = Some((injected / dt).clamp(0.0, 1.0));
        self.explicit.step(model, t, dt, y);
        model.injection = None;
        for c in y.chunks_exact_mut(model.cells).take(model.compounds.len()) {
            self.diffusion.step(c);
        }
    }
}
