//! Adam with schedules of the rate and clipping of the gradient.

use crate::{Level, Real, lanes::Lanes, real::Kernel};

/// How the rate falls after the warm-up. Steps count from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Constant,
    /// `rate · factor^⌊step/every⌋`, or without the rounding down if not `staircase`.
    Exponential {
        factor: f64,
        every: u64,
        staircase: bool,
    },
    /// From `rate` to `floor · rate` along half a cosine over `steps`, constant afterwards.
    Cosine {
        steps: u64,
        floor: f64,
    },
}

/// Learning rate by step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    pub rate: f64,
    pub shape: Shape,
    /// Over this many first steps the rate also rises linearly, from `1/warm_up` of itself.
    pub warm_up: u64,
}

impl Schedule {
    pub fn constant(rate: f64) -> Self {
        Self { rate, shape: Shape::Constant, warm_up: 0 }
    }

    /// The rate of step `step`, the first one being 0.
    pub fn at(&self, step: u64) -> f64 {
        let shape = match self.shape {
            Shape::Constant => 1.0,
            Shape::Exponential { factor, every, staircase } => {
                let decays = step as f64 / every.max(1) as f64;
                factor.powf(if staircase { decays.floor() } else { decays })
            }
            Shape::Cosine { steps, floor } => {
                let done = (step as f64 / steps.max(1) as f64).min(1.0);
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        };
        let warm = if step < self.warm_up { (step + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        self.rate * shape * warm
    }
}

/// Constants of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    pub schedule: Schedule,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// A gradient with a larger Euclidean norm is scaled down to this one.
    pub clip: Option<f64>,
    /// Each step first shrinks the parameters by rate · decay, apart from the gradient (AdamW: Loshchilov and Hutter 2019,
    /// "Decoupled weight decay regularization", algorithm 2). 0 is Adam.
    pub decay: f64,
}

impl Default for AdamSettings {
    /// Rate 1e-3, β₁ = 0.9, β₂ = 0.999, ε = 1e-8: the paper's defaults.
    fn default() -> Self {
        Self { schedule: Schedule::constant(1e-3), beta1: 0.9, beta2: 0.999, epsilon: 1e-8, clip: None, decay: 0.0 }
    }
}

/// Adam (Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1): with m ← β₁m + (1−β₁)g,
/// v ← β₂v + (1−β₂)g² and their bias corrections m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), p ← p − rate·m̂/(√v̂ + ε). Each entry
/// moves by about the rate whatever its gradient's size; it breaks where a single noisy entry dominates for thousands of
/// steps (Reddi et al. 2018).
#[derive(Clone, Debug)]
pub struct Adam<T> {
    pub settings: AdamSettings,
    level: Level,
    m: Vec<T>,
    v: Vec<T>,
    step: u64,
}

impl<T: Real> Adam<T> {
    pub fn new(parameters: usize, settings: AdamSettings) -> Self {
        Self { settings, level: Level::best(), m: vec![T::ZERO; parameters], v: vec![T::ZERO; parameters], step: 0 }
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// First and second moments, one number per parameter.
    pub fn moments(&self) -> (&[T], &[T]) {
        (&self.m, &self.v)
    }

    /// Moves the parameters against the gradient, which is scaled in place if it is clipped. Returns the gradient's norm
    /// before clipping, NaN or infinite if an entry is.
    ///
    /// # Panics
    /// If a length is not the one given to [`new`](Self::new).
    pub fn step(&mut self, parameters: &mut [T], gradient: &mut [T]) -> f64 {
        assert!(parameters.len() == self.m.len() && gradient.len() == self.m.len(), "one entry per parameter");
        let norm = gradient.iter().map(|g| g.to_f64() * g.to_f64()).sum::<f64>().sqrt();
        if let Some(limit) = self.settings.clip
            && norm > limit
        {
            let scale = T::from_f64(limit / norm);
            gradient.iter_mut().for_each(|g| *g = *g * scale);
        }
        let AdamSettings { schedule, beta1, beta2, epsilon, .. } = self.settings;
        let rate = schedule.at(self.step);
        self.step += 1;
        if self.settings.decay != 0.0 {
            let kept = T::from_f64(1.0 - rate * self.settings.decay);
            parameters.iter_mut().for_each(|p| *p = *p * kept);
        }
        let correction = |beta: f64| 1.0 - beta.powf(self.step as f64);
        T::run(
            self.level,
            Update {
                parameters,
                gradient,
                m: &mut self.m,
                v: &mut self.v,
                beta: [beta1, beta2].map(T::from_f64),
                rest: [1.0 - beta1, 1.0 - beta2].map(T::from_f64),
                rate: T::from_f64(rate / correction(beta1)),
                v_scale: T::from_f64(1.0 / correction(beta2)),
                epsilon: T::from_f64(epsilon),
            },
        );
        norm
    }
}

struct Update<'a, T> {
    parameters: &'a mut [T],
    gradient: &'a [T],
    m: &'a mut [T],
    v: &'a mut [T],
    beta: [T; 2],
    rest: [T; 2],
    rate: T,
    v_scale: T,
    epsilon: T,
}

impl<T: Real> Kernel<T> for Update<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        let n = self.parameters.len();
        let whole = n - n % V::N;
        // SAFETY: all four have n entries (`Adam::step`).
        unsafe {
            let (p, g) = (self.parameters.as_mut_ptr(), self.gradient.as_ptr());
            let (m, v) = (self.m.as_mut_ptr(), self.v.as_mut_ptr());
            let mut i = 0;
            while i < whole {
                let gradient = V::load(g.add(i));
                let mean = V::splat(self.beta[0]).fma(V::load(m.add(i)), V::splat(self.rest[0]).mul(gradient));
                let square =
                    V::splat(self.beta[1]).fma(V::load(v.add(i)), V::splat(self.rest[1]).mul(gradient).mul(gradient));
                mean.store(m.add(i));
                square.store(v.add(i));
                let spread = square.mul(V::splat(self.v_scale)).sqrt().add(V::splat(self.epsilon));
                V::load(p.add(i)).sub(V::splat(self.rate).mul(mean).div(spread)).store(p.add(i));
                i += V::N;
            }
        }
        for i in whole..n {
            let g = self.gradient[i];
            self.m[i] = self.beta[0] * self.m[i] + self.rest[0] * g;
            self.v[i] = self.beta[1] * self.v[i] + self.rest[1] * g * g;
            let spread = (self.v[i] * self.v_scale).sqrt() + self.epsilon;
            self.parameters[i] = self.parameters[i] - self.rate * self.m[i] / spread;
        }
    }
}
