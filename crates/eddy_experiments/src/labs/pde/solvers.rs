//! The CPU methods of the lab, generic over f32 and f64.

use eddy_numerics::space::grid::Periodic;
use eddy_numerics::systems::gray_scott::GrayScott;
use eddy_numerics::systems::heat::HeatLine;
use eddy_numerics::systems::klein_gordon::KleinGordon;
use eddy_numerics::systems::navier_stokes::NavierStokes2;
use eddy_numerics::systems::schrodinger::Schrodinger;
use eddy_numerics::systems::spectral_line::SpectralLine;
use eddy_numerics::systems::wave::WavePlane;
use eddy_numerics::time::Stepper;
use eddy_numerics::time::etdrk::{Etdrk, EtdrkOrder, SplitTerm};
use eddy_numerics::time::integrate::Adaptive;
use eddy_numerics::time::runge_kutta::RungeKutta;
use eddy_numerics::time::strang::Strang;
use eddy_numerics::{Complex, Real, max_magnitude};

use super::{Live, Solver};

/// Scalar equations on a periodic line that the lab knows so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEquation {
    /// Coefficients: diffusivity.
    Heat,
    /// Coefficients: viscosity.
    Burgers,
    /// Coefficients: those of -u_xx and -u_xxxx.
    KuramotoSivashinsky,
}

impl LineEquation {
    /// λ(k).
    pub fn symbol(self, coefficients: &[f64], k: f64) -> f64 {
        match self {
            Self::Heat | Self::Burgers => -coefficients[0] * k * k,
            Self::KuramotoSivashinsky => coefficients[0] * k * k - coefficients[1] * k.powi(4),
        }
    }

    /// Coefficient of u u_x.
    pub fn flux(self) -> f64 {
        match self {
            Self::Heat => 0.0,
            Self::Burgers | Self::KuramotoSivashinsky => 1.0,
        }
    }
}

/// ETDRK4 on the half spectrum of a line.
pub struct LineSolver<R: Real> {
    equation: LineEquation,
    term: SpectralLine<R>,
    stepper: Etdrk<R>,
    hat: Vec<Complex<R>>,
    kept: Vec<Complex<R>>,
    physical: Vec<R>,
}

impl<R: Real> LineSolver<R> {
    pub fn new(equation: LineEquation, grid: Periodic, live: &Live) -> Self {
        let coefficients = live.coefficients.clone();
        let term = SpectralLine::new(grid, |k| Complex::from(equation.symbol(&coefficients, k)), equation.flux());
        let modes = term.modes();
        Self {
            equation,
            stepper: Etdrk::new(EtdrkOrder::Four, &term.symbol(), live.dt),
            term,
            hat: vec![Complex::default(); modes],
            kept: vec![Complex::default(); modes],
            physical: vec![R::of(0.0); grid.points],
        }
    }
}

/// Copies a field of R into f64.
fn widen<R: Real>(from: &[R], to: &mut [f64]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t = f.to_f64();
    }
}

fn narrow<R: Real>(from: &[f64], to: &mut [R]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t = R::of(*f);
    }
}

impl<R: Real> Solver for LineSolver<R> {
    fn step(&mut self, t: f64) {
        self.stepper.step(&mut self.term, t, &mut self.hat);
    }
    fn magnitude(&self) -> f64 {
        // Of the coefficients: at most the number of points above that of the field.
        max_magnitude(&self.hat) / self.physical.len() as f64
    }
    fn keep(&mut self) {
        self.kept.copy_from_slice(&self.hat);
    }
    fn restore(&mut self) {
        self.hat.copy_from_slice(&self.kept);
    }
    fn read(&mut self, fields: &mut [Vec<f64>]) {
        self.term.field(&self.hat, &mut self.physical);
        widen(&self.physical, &mut fields[0]);
    }
    fn write(&mut self, fields: &[Vec<f64>]) {
        narrow(&fields[0], &mut self.physical);
        self.term.transform(&self.physical, &mut self.hat);
    }
    fn set(&mut self, live: &Live) {
        let equation = self.equation;
        self.term.set(|k| Complex::from(equation.symbol(&live.coefficients, k)), equation.flux());
        self.stepper.set(&self.term.symbol(), live.dt);
    }
}

/// ETDRK4 for 2-D flow. Coefficients: viscosity, drag, amplitude of the force, its mode number.
pub struct FlowSolver<R: Real> {
    term: NavierStokes2<R>,
    stepper: Etdrk<R>,
    hat: Vec<Complex<R>>,
    kept: Vec<Complex<R>>,
    physical: Vec<R>,
}

impl<R: Real> FlowSolver<R> {
    pub fn new(x: Periodic, y: Periodic, live: &Live) -> Self {
        let term = NavierStokes2::new(x, y, live.coefficients[0], live.coefficients[1]);
        let modes = term.modes();
        let stepper = Etdrk::new(EtdrkOrder::Four, &term.symbol(), live.dt);
        Self {
            term,
            stepper,
            hat: vec![Complex::default(); modes],
            kept: vec![Complex::default(); modes],
            physical: vec![R::of(0.0); x.points * y.points],
        }
    }
}

impl<R: Real> Solver for FlowSolver<R> {
    fn step(&mut self, t: f64) {
        self.stepper.step(&mut self.term, t, &mut self.hat);
    }
    fn magnitude(&self) -> f64 {
        max_magnitude(&self.hat) / self.physical.len() as f64
    }
    fn keep(&mut self) {
        self.kept.copy_from_slice(&self.hat);
    }
    fn restore(&mut self) {
        self.hat.copy_from_slice(&self.kept);
    }
    fn read(&mut self, fields: &mut [Vec<f64>]) {
        self.term.field(&self.hat, &mut self.physical);
        widen(&self.physical, &mut fields[0]);
    }
    fn write(&mut self, fields: &[Vec<f64>]) {
        narrow(&fields[0], &mut self.physical);
        self.term.transform(&self.physical, &mut self.hat);
    }
    fn set(&mut self, live: &Live) {
        let c = &live.coefficients;
        let changed = (self.term.viscosity, self.term.drag, self.stepper.dt()) != (c[0], c[1], live.dt);
        (self.term.viscosity, self.term.drag) = (c[0], c[1]);
        self.term.force(c[2], c[3] as u32);
        if changed {
            self.stepper.set(&self.term.symbol(), live.dt);
        }
    }
}

/// A term whose coefficients can change while it runs.
pub trait Tunable {
    fn tune(&mut self, coefficients: &[f64]);
}

impl<R: Real> Tunable for HeatLine<R> {
    /// Diffusivity.
    fn tune(&mut self, coefficients: &[f64]) {
        self.diffusivity = coefficients[0];
    }
}

impl<R: Real> Tunable for GrayScott<R> {
    /// Du, Dv, F, k.
    fn tune(&mut self, c: &[f64]) {
        (self.rates.diffusivity_u, self.rates.diffusivity_v) = (c[0], c[1]);
        (self.rates.feed, self.rates.kill) = (c[2], c[3]);
    }
}

impl<R: Real> Tunable for WavePlane<R> {
    /// Speed, damping.
    fn tune(&mut self, c: &[f64]) {
        (self.speed, self.damping) = (c[0], c[1]);
    }
}

/// Any stepper on a term in physical space; the state is the fields one after the other.
pub struct StencilSolver<R, T, S> {
    term: T,
    stepper: S,
    dt: f64,
    state: Vec<R>,
    kept: Vec<R>,
}

impl<R: Real, T: Tunable, S: Stepper<R, T, Value = R>> StencilSolver<R, T, S> {
    /// For a state of `size` numbers.
    pub fn new(term: T, stepper: S, size: usize, dt: f64) -> Self {
        Self { term, stepper, dt, state: vec![R::of(0.0); size], kept: vec![R::of(0.0); size] }
    }
}

impl<R: Real, T: Tunable, S: Stepper<R, T, Value = R>> Solver for StencilSolver<R, T, S> {
    fn step(&mut self, t: f64) {
        self.stepper.step(&mut self.term, t, self.dt, &mut self.state);
    }
    fn magnitude(&self) -> f64 {
        max_magnitude(&self.state)
    }
    fn keep(&mut self) {
        self.kept.copy_from_slice(&self.state);
    }
    fn restore(&mut self) {
        self.state.copy_from_slice(&self.kept);
        self.stepper.reset();
    }
    fn read(&mut self, fields: &mut [Vec<f64>]) {
        let n = fields[0].len();
        for (part, field) in self.state.chunks_exact(n).zip(fields) {
            widen(part, field);
        }
    }
    fn write(&mut self, fields: &[Vec<f64>]) {
        let n = fields[0].len();
        for (part, field) in self.state.chunks_exact_mut(n).zip(fields) {
            narrow(field, part);
        }
        self.stepper.reset();
    }
    fn set(&mut self, live: &Live) {
        self.term.tune(&live.coefficients);
        self.dt = live.dt;
        self.stepper.reset();
    }
}

impl<R: Real> Tunable for KleinGordon<R> {
    fn tune(&mut self, _: &[f64]) {}
}

/// Time stepping of the Schrödinger equation.
pub enum WaveStepper<R: Real> {
    /// Adaptive steps inside every step of the run.
    Adaptive(Adaptive<Complex<R>>),
    Fixed(RungeKutta<Complex<R>>),
    Split(Strang<Complex<R>>),
}

/// A complex field on a line. Fields of the run: |ψ|, Re ψ, Im ψ.
pub struct WaveFunctionSolver<R: Real> {
    term: Schrodinger<R>,
    stepper: WaveStepper<R>,
    dt: f64,
    psi: Vec<Complex<R>>,
    kept: Vec<Complex<R>>,
    /// An adaptive step could not be made small enough.
    stuck: bool,
}

impl<R: Real> WaveFunctionSolver<R> {
    pub fn new(term: Schrodinger<R>, stepper: WaveStepper<R>, dt: f64) -> Self {
        let n = term.grid.points;
        Self { term, stepper, dt, psi: vec![Complex::default(); n], kept: vec![Complex::default(); n], stuck: false }
    }
}

impl<R: Real> Solver for WaveFunctionSolver<R> {
    fn step(&mut self, t: f64) {
        let (term, psi, dt) = (&mut self.term, &mut self.psi, self.dt);
        match &mut self.stepper {
            WaveStepper::Fixed(method) => method.step(term, t, dt, psi),
            WaveStepper::Split(method) => method.step(term, t, dt, psi),
            WaveStepper::Adaptive(method) => {
                let mut now = t;
                while now < t + dt && !self.stuck {
                    match method.step(term, now, t + dt, psi) {
                        Some(next) => now = next,
                        None => self.stuck = true,
                    }
                }
            }
        }
    }
    fn magnitude(&self) -> f64 {
        if self.stuck { f64::NAN } else { max_magnitude(&self.psi) }
    }
    fn keep(&mut self) {
        self.kept.copy_from_slice(&self.psi);
    }
    fn restore(&mut self) {
        self.psi.copy_from_slice(&self.kept);
        self.stuck = false;
    }
    fn read(&mut self, fields: &mut [Vec<f64>]) {
        for (i, v) in self.psi.iter().enumerate() {
            let (re, im) = (v.re.to_f64(), v.im.to_f64());
            (fields[0][i], fields[1][i], fields[2][i]) = (re.hypot(im), re, im);
        }
    }
    fn write(&mut self, fields: &[Vec<f64>]) {
        for (i, v) in self.psi.iter_mut().enumerate() {
            *v = Complex::new(R::of(fields[1][i]), R::of(fields[2][i]));
        }
    }
    fn set(&mut self, live: &Live) {
        self.dt = live.dt;
    }
}
