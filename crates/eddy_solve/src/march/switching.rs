//! Explicit steps as long as nothing is stiff, implicit ones from then on.

use eddy_numerics::{
    Real,
    time::{Term, controller::Tolerance},
};

use super::{AdaptiveExplicit, Counts, March, Rodas, Stop};
use crate::{discrete::Discrete, evaluate::Scalar};

/// Steps between two looks.
const EVERY: u64 = 40;
/// dt times the spectral radius beyond which steps are taken to be limited by stability: the interval of the method of order 8
/// is about 6 on both axes, and steps limited by accuracy stay far below.
const AT_THE_LIMIT: f64 = 2.5;
/// Explicit steps that are still cheap enough to be waited for.
const FEW: f64 = 2000.0;

/// Starts with the explicit method of order 8 and goes over to the Rosenbrock method where stability, not accuracy, has come
/// to limit the steps. The spectral radius is found by the power method on f itself.
pub struct Switching<R: Scalar> {
    explicit: AdaptiveExplicit<R>,
    stiff: Option<Rodas<R>>,
    tolerance: Tolerance,
    end: f64,
    direction: Vec<R>,
    base: Vec<R>,
    moved: Vec<R>,
    image: Vec<R>,
    looked: u64,
}

impl<R: Scalar> Switching<R> {
    pub fn new(explicit: AdaptiveExplicit<R>, size: usize, tolerance: Tolerance, end: f64) -> Self {
        let direction =
            (0..size).map(|i| R::of((1.0 + 0.3 * (1.7 * i as f64).sin()) * if i % 2 == 0 { 1.0 } else { -1.0 }));
        let zero = vec![R::of(0.0); size];
        Self {
            explicit,
            stiff: None,
            tolerance,
            end,
            direction: direction.collect(),
            base: zero.clone(),
            moved: zero.clone(),
            image: zero,
            looked: 0,
        }
    }

    fn radius(&mut self, system: &mut Discrete<R>, t: f64, y: &[R]) -> f64 {
        let norm = |v: &[R]| v.iter().map(|x| Real::to_f64(*x).powi(2)).sum::<f64>().sqrt();
        system.evaluate(t, y, &mut self.base);
        let reach = (R::EPSILON.sqrt() * (norm(y) + 1e-3)).max(1e-12);
        let mut radius = 0.0;
        for _ in 0..12 {
            let length = norm(&self.direction);
            if !(length > 0.0 && length.is_finite()) {
                return 0.0;
            }
            let factor = R::of(reach / length);
            for ((moved, y), d) in self.moved.iter_mut().zip(y).zip(&self.direction) {
                *moved = *y + *d * factor;
            }
            system.evaluate(t, &self.moved, &mut self.image);
            for ((d, image), base) in self.direction.iter_mut().zip(&self.image).zip(&self.base) {
                *d = *image - *base;
            }
            radius = norm(&self.direction) / reach;
        }
        if radius.is_finite() { radius } else { 0.0 }
    }
}

impl<R: Scalar> March<R> for Switching<R> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        if let Some(stiff) = &mut self.stiff {
            return stiff.step(system, t, t_end, y);
        }
        let tries = self.explicit.counts();
        let total = tries.accepted + tries.rejected;
        if total >= self.looked + EVERY {
            self.looked = total;
            let dt = self.explicit.planned();
            if dt > 0.0 && (self.end - t) / dt > FEW && dt * self.radius(system, t, y) > AT_THE_LIMIT {
                // Where no matrix can be made the explicit method goes on.
                if let Ok(stiff) = Rodas::new(system, self.tolerance) {
                    let stiff = self.stiff.insert(stiff);
                    return stiff.step(system, t, t_end, y);
                }
                self.looked = u64::MAX - EVERY;
            }
        }
        self.explicit.step(system, t, t_end, y)
    }

    fn reset(&mut self, system: &mut Discrete<R>) {
        self.explicit.reset(system);
        if let Some(stiff) = &mut self.stiff {
            stiff.reset(system);
        }
    }

    fn counts(&self) -> Counts {
        let first = self.explicit.counts();
        match &self.stiff {
            None => first,
            Some(stiff) => {
                let then = stiff.counts();
                Counts {
                    accepted: first.accepted + then.accepted,
                    rejected: first.rejected + then.rejected,
                    dt: then.dt,
                }
            }
        }
    }

    fn switched(&self) -> Option<&'static str> {
        self.stiff.as_ref().map(|_| "rodas")
    }
}
