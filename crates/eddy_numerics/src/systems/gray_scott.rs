//! Gray-Scott: two chemicals, one of which feeds on the other.

use crate::Real;
use crate::space::stencil::{Axis, Laplacian2, StencilOrder};
use crate::time::Term;
use crate::time::stability::{Limit, StabilityLimits};

/// Rates of the reaction U + 2V → 3V with feed and kill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrayScottRates {
    pub diffusivity_u: f64,
    pub diffusivity_v: f64,
    /// F
    pub feed: f64,
    /// k
    pub kill: f64,
}

impl GrayScottRates {
    /// Uniform states besides (1, 0): (u, v) of the lower and the upper branch. They exist where F ≥ 4 (F + k)²; at
    /// k = 0.06 that is 0.04 ≤ F ≤ 0.09.
    pub fn uniform_states(&self) -> Option<[(f64, f64); 2]> {
        let sum = self.feed + self.kill;
        let discriminant = 1.0 - 4.0 * sum * sum / self.feed;
        (discriminant >= 0.0).then(|| {
            let root = discriminant.sqrt();
            [1.0, -1.0].map(|sign| {
                let u = 0.5 * (1.0 + sign * root);
                (u, (1.0 - u) * self.feed / sum)
            })
        })
    }
}

/// u_t = Du ∇²u - u v² + F (1 - u), v_t = Dv ∇²v + u v² - (F + k) v. State `[u…, v…]`, each `y * nx + x`.
///
/// Pearson (1993), Science 261, 189. His Euler steps of 1 on a grid of 2.5/256 with Du = 2e-5 are well inside the limits.
pub struct GrayScott<R> {
    pub rates: GrayScottRates,
    laplacian: Laplacian2<R>,
    row: Vec<R>,
}

impl<R: Real> GrayScott<R> {
    pub fn new(x: Axis, y: Axis, order: StencilOrder, rates: GrayScottRates) -> Self {
        Self { rates, laplacian: Laplacian2::new(x, y, order), row: vec![R::of(0.0); x.points] }
    }

    /// Limits for an explicit method with the real stability interval `interval`.
    pub fn limits(&self, interval: f64) -> StabilityLimits {
        let r = &self.rates;
        let diffusivity = r.diffusivity_u.max(r.diffusivity_v);
        StabilityLimits::default()
            .with(Limit::Diffusive, interval / (diffusivity * self.laplacian.spectral_radius()))
            // The stiffest rate met in patterns: v² + F with v near 1, and F + k.
            .with(Limit::Reaction, interval / (1.0 + r.feed + r.kill))
    }
}

impl<R: Real> Term<R> for GrayScott<R> {
    type Value = R;
    fn size(&self) -> usize {
        2 * self.laplacian.x.points * self.laplacian.y.points
    }
    fn evaluate(&mut self, _: f64, y: &[R], slope: &mut [R]) {
        let n = y.len() / 2;
        let nx = self.laplacian.x.points;
        let (u, v) = y.split_at(n);
        let (u_t, v_t) = slope.split_at_mut(n);
        let (du, dv) = (R::of(self.rates.diffusivity_u), R::of(self.rates.diffusivity_v));
        let (feed, loss) = (R::of(self.rates.feed), R::of(self.rates.feed + self.rates.kill));
        self.laplacian.for_rows(u, &mut self.row, |j, lap| {
            let at = j * nx..(j + 1) * nx;
            let (u, v, out) = (&u[at.clone()], &v[at.clone()], &mut u_t[at]);
            for i in 0..nx {
                out[i] = du * lap[i] - u[i] * v[i] * v[i] + feed * (R::of(1.0) - u[i]);
            }
        });
        self.laplacian.for_rows(v, &mut self.row, |j, lap| {
            let at = j * nx..(j + 1) * nx;
            let (u, v, out) = (&u[at.clone()], &v[at.clone()], &mut v_t[at]);
            for i in 0..nx {
                out[i] = dv * lap[i] + u[i] * v[i] * v[i] - loss * v[i];
            }
        });
    }
}
