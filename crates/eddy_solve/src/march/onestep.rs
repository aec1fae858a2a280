//! One-step methods without an error estimate: with steps of one length, or controlled by step doubling.

use std::ops::Range;

use eddy_numerics::{
    Complex, Real,
    rng::Philox,
    time::{
        Term,
        controller::Tolerance,
        implicit::SolveFailed,
        runge_kutta::{RK4, RungeKutta, Tableau},
    },
};

use super::{Counts, March, Stop, Walk, stochastic::draw_noise};
use crate::{discrete::Discrete, error::SolveError, evaluate::Scalar, spectral::Blocks};

/// A method that makes one step of any length.
pub trait OneStep<R: Scalar> {
    fn order(&self) -> u32;
    fn advance(&mut self, system: &mut Discrete<R>, t: f64, dt: f64, y: &mut [R]) -> Result<(), SolveFailed>;
    /// The same from `y` to `next`.
    fn advance_into(
        &mut self,
        system: &mut Discrete<R>,
        t: f64,
        dt: f64,
        y: &[R],
        next: &mut [R],
    ) -> Result<(), SolveFailed> {
        next.copy_from_slice(y);
        self.advance(system, t, dt, next)
    }
    fn reset(&mut self);
}

/// Steps of one length, shortened to meet the times asked for.
pub struct Fixed<M> {
    method: M,
    dt: f64,
    walk: Walk,
    accepted: u64,
}

impl<M> Fixed<M> {
    pub fn new(method: M, dt: f64) -> Self {
        Self { method, dt, walk: Walk::default(), accepted: 0 }
    }
}

impl<R: Scalar, M: OneStep<R>> March<R> for Fixed<M> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        let (dt, is_last) = self.walk.next(t, t_end, self.dt);
        self.method.advance(system, t, dt, y).map_err(|error| Stop::Failed(error.to_string()))?;
        self.accepted += 1;
        Ok(if is_last { t_end } else { t + dt })
    }
    fn step_into(
        &mut self,
        system: &mut Discrete<R>,
        t: f64,
        t_end: f64,
        y: &[R],
        next: &mut [R],
    ) -> Result<f64, Stop> {
        let (dt, is_last) = self.walk.next(t, t_end, self.dt);
        self.method.advance_into(system, t, dt, y, next).map_err(|error| Stop::Failed(error.to_string()))?;
        self.accepted += 1;
        Ok(if is_last { t_end } else { t + dt })
    }
    fn reset(&mut self, _: &mut Discrete<R>) {
        self.walk.reset();
        self.method.reset();
    }
    fn counts(&self) -> Counts {
        Counts { accepted: self.accepted, rejected: 0, dt: self.walk.length }
    }
}

/// Error control by comparing a step with two of half its length (Richardson): the pair is kept. Lengths are the interval to
/// the next saved state over powers of two, so that factors and coefficients of few lengths serve the whole run.
pub struct Doubled<R, M> {
    method: M,
    tolerance: Tolerance,
    level: u32,
    base: f64,
    start: f64,
    end: f64,
    ticks: u64,
    whole: Vec<R>,
    halves: Vec<R>,
    counts: Counts,
}

const MAX_LEVEL: u32 = 40;

impl<R: Scalar, M: OneStep<R>> Doubled<R, M> {
    pub fn new(method: M, size: usize, tolerance: Tolerance) -> Self {
        let zero = vec![R::of(0.0); size];
        Self {
            method,
            tolerance,
            level: 4,
            base: 0.0,
            start: f64::NAN,
            end: f64::NAN,
            ticks: 0,
            whole: zero.clone(),
            halves: zero,
            counts: Counts::default(),
        }
    }
}

impl<R: Scalar, M: OneStep<R>> March<R> for Doubled<R, M> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        if self.end != t_end {
            let base = t_end - t;
            if self.base > 0.0 && (base - self.base).abs() > 1e-9 * base {
                let h = self.base / 2f64.powi(self.level as i32);
                self.level = (base / h).log2().ceil().clamp(0.0, f64::from(MAX_LEVEL)) as u32;
                self.base = base;
            } else if self.base == 0.0 {
                self.base = base;
            }
            (self.start, self.end, self.ticks) = (t, t_end, 0);
        }
        let power = 2f64.powi(self.method.order() as i32);
        loop {
            let h = self.base / 2f64.powi(self.level as i32);
            self.whole.copy_from_slice(y);
            self.halves.copy_from_slice(y);
            let tried = self
                .method
                .advance(system, t, h, &mut self.whole)
                .and_then(|()| self.method.advance(system, t, 0.5 * h, &mut self.halves))
                .and_then(|()| self.method.advance(system, t + 0.5 * h, 0.5 * h, &mut self.halves));
            let error = match tried {
                Ok(()) => {
                    let mut sum = 0.0;
                    for ((a, b), y) in self.whole.iter().zip(&self.halves).zip(y.iter()) {
                        let size = Real::to_f64(*b).abs().max(Real::to_f64(*y).abs());
                        let ratio = Real::to_f64(*a - *b) / (self.tolerance.absolute + self.tolerance.relative * size);
                        sum += ratio * ratio;
                    }
                    (sum / y.len().max(1) as f64).sqrt() / (power - 1.0)
                }
                Err(_) => f64::INFINITY,
            };
            if error <= 1.0 {
                y.copy_from_slice(&self.halves);
                self.counts.accepted += 1;
                self.counts.dt = 0.5 * h;
                self.ticks += 1;
                let is_last = self.ticks == 1 << self.level;
                let reached = if is_last { t_end } else { self.start + h * self.ticks as f64 };
                if self.level > 0 && self.ticks.is_multiple_of(2) && error * 4.0 * power < 1.0 {
                    self.level -= 1;
                    self.ticks /= 2;
                }
                return Ok(reached);
            }
            self.counts.rejected += 1;
            self.level += 1;
            self.ticks *= 2;
            if self.level > MAX_LEVEL {
                return Err(Stop::StepTooSmall);
            }
        }
    }
    fn reset(&mut self, _: &mut Discrete<R>) {
        self.end = f64::NAN;
        self.method.reset();
    }
    fn counts(&self) -> Counts {
        self.counts
    }
}

/// An explicit Runge-Kutta method as a one-step method.
pub struct Explicit<R: Scalar> {
    inner: RungeKutta<R>,
    next: Vec<R>,
}

impl<R: Scalar> Explicit<R> {
    pub fn new(tableau: &'static Tableau, size: usize) -> Self {
        Self { inner: RungeKutta::new(tableau, size), next: vec![R::of(0.0); size] }
    }
}

impl<R: Scalar> OneStep<R> for Explicit<R> {
    fn order(&self) -> u32 {
        self.inner.tableau.order
    }
    fn advance(&mut self, system: &mut Discrete<R>, t: f64, dt: f64, y: &mut [R]) -> Result<(), SolveFailed> {
        self.inner.attempt(system, t, dt, y, &mut self.next, Tolerance::relative(1.0));
        y.copy_from_slice(&self.next);
        Ok(())
    }
    fn advance_into(
        &mut self,
        system: &mut Discrete<R>,
        t: f64,
        dt: f64,
        y: &[R],
        next: &mut [R],
    ) -> Result<(), SolveFailed> {
        // Explicit Euler is one pass over memory where the system can make it so.
        let is_euler = self.inner.tableau.name == "euler";
        if let Discrete::Difference(difference) = system
            && is_euler
            && difference.euler(t, dt, y, next)
        {
            return Ok(());
        }
        self.inner.attempt(system, t, dt, y, next, Tolerance::relative(1.0));
        Ok(())
    }
    fn reset(&mut self) {}
}

/// Störmer-Verlet for u_tt = F(u): half a kick, a drift, half a kick. Order 2, symplectic, symmetric: no drift of the energy
/// over long times. Hairer, Lubich & Wanner (2003), Acta Numerica 12, 399, eq. 1.8.
pub struct Verlet<R: Scalar> {
    /// Ranges of u and of u_t in the state.
    pairs: Vec<(Range<usize>, Range<usize>)>,
    slope: Vec<R>,
}

impl<R: Scalar> Verlet<R> {
    /// Fails for systems that have other equations than u_tt = F(u), or a force that depends on the velocity.
    pub fn new(system: &mut Discrete<R>, time: f64, y: &[R]) -> Result<Self, SolveError> {
        let refuse = |why: &str| Err(SolveError::value("method.time", format!("verlet {why}; use rk4 or dop853")));
        let Some(pairs) = system.pairs() else {
            return refuse("needs every equation to be of second order, u_tt = F(u)");
        };
        let mut slope = vec![R::of(0.0); y.len()];
        let mut moved = y.to_vec();
        for (_, velocity) in &pairs {
            for (index, value) in moved[velocity.clone()].iter_mut().enumerate() {
                *value += R::of(0.1 + (index as f64).sin());
            }
        }
        let mut other = slope.clone();
        system.evaluate(time, y, &mut slope);
        system.evaluate(time, &moved, &mut other);
        let size = 1.0 + eddy_numerics::max_magnitude::<R, R>(&slope);
        for (_, velocity) in &pairs {
            let differs = slope[velocity.clone()]
                .iter()
                .zip(&other[velocity.clone()])
                .any(|(a, b)| Real::to_f64(*a - *b).abs() > 1e3 * R::EPSILON * size);
            if differs {
                return refuse("needs a force that does not depend on the velocity");
            }
        }
        Ok(Self { pairs, slope })
    }

    fn kick(&mut self, system: &mut Discrete<R>, t: f64, h: f64, y: &mut [R]) {
        system.evaluate(t, y, &mut self.slope);
        let h = R::of(h);
        for (_, velocity) in &self.pairs {
            for (v, a) in y[velocity.clone()].iter_mut().zip(&self.slope[velocity.clone()]) {
                *v += *a * h;
            }
        }
    }
}

impl<R: Scalar> OneStep<R> for Verlet<R> {
    fn order(&self) -> u32 {
        2
    }
    fn advance(&mut self, system: &mut Discrete<R>, t: f64, dt: f64, y: &mut [R]) -> Result<(), SolveFailed> {
        self.kick(system, t, 0.5 * dt, y);
        for (position, velocity) in &self.pairs {
            for (u, v) in position.clone().zip(velocity.clone()) {
                let drift = y[v] * R::of(dt);
                y[u] += drift;
            }
        }
        self.kick(system, t + dt, 0.5 * dt, y);
        Ok(())
    }
    fn reset(&mut self) {}
}

/// Strang splitting of Fourier coefficients: half a step of the linear part, exactly, a step of the rest by the classical
/// Runge-Kutta method, half a step of the linear part. Order 2; keeps the norm of Schrödinger equations to the order of the
/// inner method. Strang (1968), SIAM J. Numer. Anal. 5, 506.
pub struct Strang<R: Scalar> {
    halves: Option<(f64, Blocks<R>)>,
    rest: RungeKutta<Complex<R>>,
    next: Vec<Complex<R>>,
}

impl<R: Scalar> Strang<R> {
    pub fn new(system: &Discrete<R>) -> Result<Self, SolveError> {
        let Discrete::Spectral(spectral) = system else {
            return Err(SolveError::value("method.time", "strang needs space = \"fourier\""));
        };
        let size = spectral.size();
        Ok(Self { halves: None, rest: RungeKutta::new(&RK4, size), next: vec![Complex::default(); size] })
    }
}

/// N alone.
struct Rest<'a, R: Scalar>(&'a mut crate::spectral::Spectral<R>);

impl<R: Scalar> Term<R> for Rest<'_, R> {
    type Value = Complex<R>;
    fn size(&self) -> usize {
        self.0.size()
    }
    fn evaluate(&mut self, t: f64, y: &[Complex<R>], slope: &mut [Complex<R>]) {
        self.0.nonlinear(t, y, slope);
    }
}

impl<R: Scalar> OneStep<R> for Strang<R> {
    fn order(&self) -> u32 {
        2
    }
    fn advance(&mut self, system: &mut Discrete<R>, t: f64, dt: f64, y: &mut [R]) -> Result<(), SolveFailed> {
        let Discrete::Spectral(spectral) = system else { return Err(SolveFailed::NotFinite) };
        let u: &mut [Complex<R>] = bytemuck::cast_slice_mut(y);
        if self.halves.as_ref().is_none_or(|(length, _)| *length != dt) {
            self.halves = Some((dt, spectral.symbol.blocks(|l| l.scaled(0.5 * dt).phi()[0].clone())));
        }
        let Some((_, half)) = &self.halves else { return Err(SolveFailed::NotFinite) };
        self.next.fill(Complex::default());
        half.add_product(u, &mut self.next);
        u.copy_from_slice(&self.next);
        if !spectral.is_linear() {
            self.rest.attempt(&mut Rest(spectral), t, dt, u, &mut self.next, Tolerance::relative(1.0));
            u.copy_from_slice(&self.next);
        }
        self.next.fill(Complex::default());
        half.add_product(u, &mut self.next);
        u.copy_from_slice(&self.next);
        Ok(())
    }
    fn reset(&mut self) {
        self.halves = None;
    }
}

/// Euler-Maruyama or Milstein at points (Itô). Strong order 1/2, and 1 with Milstein's correction for noise that acts on each
/// component through that component alone; the derivative in it is a difference, as in Kloeden & Platen (1992), section 11.1.
pub struct Maruyama<R: Scalar> {
    is_milstein: bool,
    dt: f64,
    seed: Philox,
    draw: u32,
    walk: Walk,
    slope: Vec<R>,
    accepted: u64,
}

impl<R: Scalar> Maruyama<R> {
    pub fn new(is_milstein: bool, dt: f64, seed: u32, size: usize) -> Self {
        Self {
            is_milstein,
            dt,
            seed: Philox::new(seed),
            draw: 0,
            walk: Walk::default(),
            slope: vec![R::of(0.0); size],
            accepted: 0,
        }
    }
}

impl<R: Scalar> March<R> for Maruyama<R> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        let (h, is_last) = self.walk.next(t, t_end, self.dt);
        system.evaluate(t, y, &mut self.slope);
        let Discrete::Difference(difference) = system else {
            return Err(Stop::Failed("this method needs differences in space".into()));
        };
        let points = difference.grid.points();
        // White noise in a cell has variance 1 / (cell · dt).
        let spread = (1.0 / difference.grid.cell()).sqrt();
        let terms = difference.noise_terms.clone();
        let amplitudes = difference.noise_amplitudes(t, y);
        let mut moved = y.to_vec();
        if self.is_milstein {
            let step = R::of(h.sqrt() * spread);
            for (term, amplitude) in terms.iter().zip(&amplitudes) {
                let place = term.component * points..(term.component + 1) * points;
                moved[place].iter_mut().zip(amplitude).for_each(|(u, a)| *u += *a * step);
            }
        }
        let shifted = if self.is_milstein { difference.noise_amplitudes(t, &moved) } else { Vec::new() };
        y.iter_mut().zip(&self.slope).for_each(|(u, f)| *u += *f * R::of(h));
        for (index, (term, amplitude)) in terms.iter().zip(&amplitudes).enumerate() {
            let noise: Vec<R> = draw_noise(&self.seed, self.draw, term.channel, points, h.sqrt() * spread);
            let place = term.component * points..(term.component + 1) * points;
            for (point, u) in y[place].iter_mut().enumerate() {
                *u += amplitude[point] * noise[point];
                if let Some(shifted) = shifted.get(index) {
                    let variance = R::of(h * spread * spread);
                    let factor = (noise[point] * noise[point] - variance) * R::of(0.5 / (h.sqrt() * spread));
                    *u += (shifted[point] - amplitude[point]) * factor;
                }
            }
        }
        self.draw = self.draw.wrapping_add(1);
        self.accepted += 1;
        Ok(if is_last { t_end } else { t + h })
    }
    fn reset(&mut self, _: &mut Discrete<R>) {
        self.walk.reset();
    }
    fn counts(&self) -> Counts {
        Counts { accepted: self.accepted, rejected: 0, dt: self.walk.length }
    }
}
