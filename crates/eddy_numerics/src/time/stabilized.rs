//! Stabilized explicit methods: many stages spent on stability along the negative real axis.

use super::Term;
use super::controlled::{Attempt, ErrorEstimating, scaled_error};
use super::controller::Tolerance;
use super::implicit::SolveFailed;
use crate::Real;

/// Damping: the stability polynomial stays below 1 - ε/3 inside the interval.
const DAMPING: f64 = 2.0 / 13.0;

/// Runge-Kutta-Chebyshev of order 2: explicit, without solves; s stages reach s² as far as one. For diffusion, also
/// nonlinear, with a spectrum near the negative real axis; useless for waves and for very stiff reactions, where s explodes.
///
/// The number of stages follows from an estimate of the spectral radius by the power method on f itself, renewed every
/// [`Rkc::EVERY`] steps and after a rejected step. Memory: seven vectors whatever s is. Stability interval about
/// 0.653 (s² - 1). Sommeijer, Shampine & Verwer (1998), J. Comput. Appl. Math. 88, 315, eq. 2.3-2.7 and section 3.
pub struct Rkc<R> {
    /// Most stages of a step; longer steps are cut. Rounding grows like s².
    pub max_stages: u32,
    /// An upper bound of the spectral radius of ∂f/∂y where one is known; the power method is then not used.
    pub bound: Option<f64>,
    /// Stages of the last step.
    pub stages: u32,
    /// Evaluations of f so far.
    pub evaluations: u64,
    radius: f64,
    estimated_at: Option<f64>,
    steps_since: u32,
    slope: Vec<R>,
    previous: Vec<R>,
    older: Vec<R>,
    current: Vec<R>,
    /// Direction of the largest eigenvalue, kept as the start of the next estimate.
    direction: Vec<R>,
    has_direction: bool,
}

/// dt·|λ| on the negative real axis up to which `stages` stages are stable.
pub fn rkc_interval(stages: u32) -> f64 {
    let chebyshev = Chebyshev::at_end(stages);
    // (w0 + 1) / w1: the argument w0 + w1 z then ends at -1.
    (chebyshev.w0 + 1.0) * chebyshev.second / chebyshev.first
}

/// T_s, T_s', T_s'' at w0 = 1 + ε/s².
struct Chebyshev {
    w0: f64,
    first: f64,
    second: f64,
}

impl Chebyshev {
    fn at_end(stages: u32) -> Self {
        let s = f64::from(stages);
        let w0 = 1.0 + DAMPING / (s * s);
        let root = (w0 * w0 - 1.0).sqrt();
        // Hyperbolic forms: T_s(w0) = cosh(s arcosh w0).
        let angle = s * (w0 + root).ln();
        let first = s * angle.sinh() / root;
        let second = (s * s * angle.cosh() - w0 * first) / (root * root);
        Self { w0, first, second }
    }
}

fn stages_for(reach: f64) -> u32 {
    let mut s = (1.0 + 1.54 * reach).sqrt().ceil().max(2.0).min(1e6) as u32;
    while s > 2 && rkc_interval(s - 1) >= reach {
        s -= 1;
    }
    while rkc_interval(s) < reach {
        s += 1;
    }
    s
}

impl<R: Real> Rkc<R> {
    /// Steps between two estimates of the spectral radius.
    pub const EVERY: u32 = 25;

    /// For states of `size` entries.
    pub fn new(size: usize) -> Self {
        let vec = || vec![R::of(0.0); size];
        Self {
            max_stages: 1000,
            bound: None,
            stages: 0,
            evaluations: 0,
            radius: 0.0,
            estimated_at: None,
            steps_since: 0,
            slope: vec(),
            previous: vec(),
            older: vec(),
            current: vec(),
            direction: vec(),
            has_direction: false,
        }
    }

    /// Forgets the spectral radius: the term or the state was changed.
    pub fn reset(&mut self) {
        self.estimated_at = None;
    }

    /// The spectral radius in use, safety factor included.
    pub fn spectral_radius(&self) -> f64 {
        self.bound.unwrap_or(self.radius)
    }

    fn estimate<T: Term<R, Value = R> + ?Sized>(&mut self, term: &mut T, t: f64, y: &[R]) {
        let norm = |v: &[R]| v.iter().map(|x| x.to_f64().powi(2)).sum::<f64>().sqrt();
        let size = norm(y);
        let reach = if size > 0.0 { R::EPSILON.sqrt() * size } else { R::EPSILON.sqrt() };
        if !self.has_direction {
            // Alternating signs with uneven weights: rich in the high modes of every grid, none missing.
            for (i, d) in self.direction.iter_mut().enumerate() {
                let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
                *d = R::of(sign * (0.6 + 0.4 * (1.7 * i as f64).sin()));
            }
            self.has_direction = true;
        }
        let (mut radius, mut last) = (0.0_f64, 0.0);
        for sweep in 0..60 {
            let length = norm(&self.direction);
            if !(length > 0.0 && length.is_finite()) {
                self.has_direction = false;
                break;
            }
            let step = R::of(reach / length);
            for ((c, v), d) in self.current.iter_mut().zip(y).zip(&self.direction) {
                *c = *v + *d * step;
            }
            term.evaluate(t, &self.current, &mut self.older);
            self.evaluations += 1;
            for ((d, f), g) in self.direction.iter_mut().zip(&self.older).zip(&self.slope) {
                *d = *f - *g;
            }
            last = radius;
            radius = norm(&self.direction) / reach;
            if sweep >= 2 && (radius - last).abs() <= 0.01 * radius {
                break;
            }
        }
        // The power method comes from below.
        self.radius = 1.2 * radius.max(last);
    }

    /// One step of `stages` stages; the slope at (t, y) is in `self.slope`. Leaves the result in `self.current`.
    fn chebyshev_step<T: Term<R, Value = R> + ?Sized>(&mut self, term: &mut T, t: f64, dt: f64, y: &[R], stages: u32) {
        let Chebyshev { w0, first, second } = Chebyshev::at_end(stages);
        let w1 = first / second;
        // T_j, T_j', T_j'' at w0 by their recurrences, from j = 0, 1.
        let (mut t0, mut t1) = (1.0, w0);
        let (mut d0, mut d1) = (0.0, 1.0);
        let (mut s0, mut s1) = (0.0, 0.0);
        let start = 0.25 / (w0 * w0);
        let (mut b_older, mut b_last) = (start, start);
        let mut c_last = w1 * start;
        self.older.copy_from_slice(y);
        for ((p, v), f) in self.previous.iter_mut().zip(y).zip(&self.slope) {
            *p = *v + *f * R::of(w1 * start * dt);
        }
        let mut c_older = 0.0;
        for _ in 2..=stages {
            let t2 = 2.0 * w0 * t1 - t0;
            let d2 = 2.0 * w0 * d1 - d0 + 2.0 * t1;
            let s2 = 2.0 * w0 * s1 - s0 + 4.0 * d1;
            let b = s2 / (d2 * d2);
            let mu = 2.0 * w0 * b / b_last;
            let nu = -b / b_older;
            let mu_tilde = 2.0 * b * w1 / b_last;
            let gamma_tilde = -mu_tilde * (1.0 - b_last * t1);
            term.evaluate(t + c_last * dt, &self.previous, &mut self.current);
            self.evaluations += 1;
            let [at_start, of_last, of_older, of_new, of_first] =
                [1.0 - mu - nu, mu, nu, mu_tilde * dt, gamma_tilde * dt].map(R::of);
            for i in 0..y.len() {
                self.current[i] = y[i] * at_start
                    + self.previous[i] * of_last
                    + self.older[i] * of_older
                    + self.current[i] * of_new
                    + self.slope[i] * of_first;
            }
            let c = mu * c_last + nu * c_older + mu_tilde + gamma_tilde;
            (t0, t1, d0, d1, s0, s1) = (t1, t2, d1, d2, s1, s2);
            (b_older, b_last) = (b_last, b);
            (c_older, c_last) = (c_last, c);
            // older ← previous ← current.
            std::mem::swap(&mut self.older, &mut self.previous);
            std::mem::swap(&mut self.previous, &mut self.current);
        }
        std::mem::swap(&mut self.previous, &mut self.current);
        self.stages = stages;
    }

    /// One step of a given number of stages (at least 2), in place: stable while dt times the spectral radius is at most
    /// [`rkc_interval`].
    pub fn step_with_stages<T: Term<R, Value = R> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &mut [R],
        stages: u32,
    ) {
        term.evaluate(t, y, &mut self.slope);
        self.evaluations += 1;
        self.chebyshev_step(term, t, dt, y, stages.max(2));
        y.copy_from_slice(&self.current);
    }
}

impl<R: Real, T: Term<R, Value = R> + ?Sized> ErrorEstimating<R, T> for Rkc<R> {
    type Value = R;
    fn order(&self) -> u32 {
        2
    }
    fn error_order(&self) -> u32 {
        2
    }
    fn slope(&mut self, term: &mut T, t: f64, y: &[R], out: &mut [R]) {
        term.evaluate(t, y, out);
        self.evaluations += 1;
    }
    fn longest_step(&mut self, term: &mut T, attempt: Attempt, y: &[R], tolerance: Tolerance) -> f64 {
        let Attempt { t, dt, is_retry } = attempt;
        if !is_retry {
            term.evaluate(t, y, &mut self.slope);
            self.evaluations += 1;
            self.steps_since += 1;
        }
        if self.bound.is_none() {
            let stale = self.estimated_at.is_none()
                || self.steps_since >= Self::EVERY
                || (is_retry && self.estimated_at != Some(t));
            if stale {
                self.estimate(term, t, y);
                self.estimated_at = Some(t);
                self.steps_since = 0;
            }
        }
        // Internal rounding grows like s²: it must stay below the tolerance.
        let by_rounding = (tolerance.relative / (10.0 * R::EPSILON)).sqrt().max(2.0);
        let most = by_rounding.min(f64::from(self.max_stages.max(2))) as u32;
        let radius = self.spectral_radius();
        if radius > 0.0 { dt.min(rkc_interval(most) / radius) } else { dt }
    }
    fn attempt(
        &mut self,
        term: &mut T,
        Attempt { t, dt, .. }: Attempt,
        y: &[R],
        out: &mut [R],
        tolerance: Tolerance,
    ) -> Result<f64, SolveFailed> {
        let stages = stages_for(dt * self.spectral_radius());
        self.chebyshev_step(term, t, dt, y, stages);
        out.copy_from_slice(&self.current);
        term.evaluate(t + dt, out, &mut self.previous);
        self.evaluations += 1;
        // Eq. 3.1: 0.8 (y - y⁺) + 0.4 dt (f + f⁺).
        let (difference, slopes) = (R::of(0.8), R::of(0.4 * dt));
        for i in 0..y.len() {
            self.older[i] = (y[i] - out[i]) * difference + (self.slope[i] + self.previous[i]) * slopes;
        }
        Ok(scaled_error(&self.older, y, out, tolerance))
    }
}
