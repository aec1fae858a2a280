//! The variance-preserving schedule of a model trained at N discrete times.

use super::{
    Schedule,
    schedule::{vp_log_alpha, vp_sigma},
};

/// ln α known at t = n/N, n = 1..N, and linear between (Lu et al. 2022, "DPM-Solver", appendix D.4); α(0) = 1.
///
/// Step n of the training, counted from 0, is t = (n + 1)/N. β is constant on each piece, so the drift jumps at the knots:
/// there it is that of the piece below, into which sampling goes.
#[derive(Clone, Debug, PartialEq)]
pub struct VpDiscrete {
    /// ln α at t = 0, 1/N, …, 1.
    knots: Vec<f64>,
}

/// The variances β_n that networks are trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Betas {
    /// Even from the first to the last (Ho et al. 2020).
    Linear,
    /// √β even from the first to the last (Rombach et al. 2022).
    ScaledLinear,
    /// From the squared cosine of Nichol & Dhariwal 2021, none above 0.999; the first and the last are not used.
    Cosine,
}

impl VpDiscrete {
    /// From β_1 … β_N, each in (0, 1). `None` if there is none or one is outside.
    pub fn from_betas(betas: &[f64]) -> Option<Self> {
        let mut product = 0.0;
        let steps = betas.iter().map(|b| {
            product += 0.5 * (-b).ln_1p();
            product
        });
        let knots: Vec<f64> = std::iter::once(0.0).chain(steps).collect();
        (!betas.is_empty() && betas.iter().all(|b| *b > 0.0 && *b < 1.0)).then_some(Self { knots })
    }

    /// From α² at every step of the training, falling within (0, 1). `None` if they do not.
    pub fn from_alphas_cumprod(values: &[f64]) -> Option<Self> {
        let falls = values.first().is_some_and(|v| *v < 1.0) && values.windows(2).all(|w| w[1] < w[0]);
        let knots = std::iter::once(0.0).chain(values.iter().map(|v| 0.5 * v.ln())).collect();
        (falls && values.iter().all(|v| *v > 0.0)).then_some(Self { knots })
    }

    /// `steps` steps of one of the usual kinds from `first` to `last`.
    pub fn new(kind: Betas, first: f64, last: f64, steps: usize) -> Option<Self> {
        let part = |n: usize| if steps > 1 { n as f64 / (steps - 1) as f64 } else { 0.0 };
        let cos = |n: usize| {
            let angle = (n as f64 / steps as f64 + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2;
            angle.cos().powi(2)
        };
        let betas: Vec<f64> = (0..steps)
            .map(|n| match kind {
                Betas::Linear => first + (last - first) * part(n),
                Betas::ScaledLinear => (first.sqrt() + (last.sqrt() - first.sqrt()) * part(n)).powi(2),
                Betas::Cosine => (1.0 - cos(n + 1) / cos(n)).min(0.999),
            })
            .collect();
        Self::from_betas(&betas)
    }

    /// N.
    pub fn steps(&self) -> usize {
        self.knots.len() - 1
    }

    /// The piece that t lies in, by the index of its upper knot.
    fn piece(&self, t: f64) -> usize {
        // A time that should be a knot, as (n + 1)/N of another program, may lie a rounding above it.
        let at = t * self.steps() as f64;
        let near = at.round();
        let up = if (at - near).abs() < 1e-9 * near.max(1.0) { near } else { at.ceil() };
        (up as usize).clamp(1, self.steps())
    }
}

impl Schedule for VpDiscrete {
    fn log_alpha(&self, t: f64) -> f64 {
        let k = self.piece(t);
        let part = t * self.steps() as f64 - (k - 1) as f64;
        self.knots[k - 1] + (self.knots[k] - self.knots[k - 1]) * part
    }
    fn sigma(&self, t: f64) -> f64 {
        vp_sigma(self.log_alpha(t))
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        let log_alpha = vp_log_alpha(lambda);
        let k = self.knots.partition_point(|v| *v > log_alpha).clamp(1, self.steps());
        let (a, b) = (self.knots[k - 1], self.knots[k]);
        ((k - 1) as f64 + (log_alpha - a) / (b - a)) / self.steps() as f64
    }
    fn drift(&self, t: f64) -> f64 {
        let k = self.piece(t);
        (self.knots[k] - self.knots[k - 1]) * self.steps() as f64
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        -2.0 * self.drift(t)
    }
    /// The first and the last step of the training.
    fn default_span(&self) -> (f64, f64) {
        (1.0 / self.steps() as f64, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::VpLinear;

    fn usual() -> VpDiscrete {
        VpDiscrete::new(Betas::Linear, 1e-4, 0.02, 1000).unwrap()
    }

    #[test]
    fn knots_are_the_products() {
        let s = usual();
        let mut product = 1.0_f64;
        for n in 0..1000 {
            product *= 1.0 - (1e-4 + (0.02 - 1e-4) * f64::from(n) / 999.0);
            let t = f64::from(n + 1) / 1000.0;
            assert!((s.alpha(t).powi(2) / product - 1.0).abs() < 1e-12, "{n}");
            assert!((s.time_of_lambda(s.lambda(t)) - t).abs() < 1e-12, "{n}");
            // Between two knots ln α is half way.
            let (a, b) = (s.log_alpha(t - 1e-3), s.log_alpha(t));
            assert!((s.log_alpha(t - 5e-4) - 0.5 * (a + b)).abs() < 1e-12 * (1.0 + b.abs()), "{n}");
        }
        assert_eq!((s.alpha(0.0), s.sigma(0.0)), (1.0, 0.0));
        let same: Vec<f64> = (1..=1000).map(|n| s.alpha(f64::from(n) / 1000.0).powi(2)).collect();
        let again = VpDiscrete::from_alphas_cumprod(&same).unwrap();
        assert!((1..1000).all(|n| (again.lambda(0.001 * f64::from(n)) - s.lambda(0.001 * f64::from(n))).abs() < 1e-9));
        // The continuous schedule that it stands for differs, but not by much.
        let off = (VpLinear::default().lambda(0.5) - s.lambda(0.5)).abs();
        assert!(off > 1e-4 && off < 2e-2, "{off}");
    }

    #[test]
    fn drift_is_the_slope_of_the_piece_below() {
        for s in [usual(), VpDiscrete::new(Betas::ScaledLinear, 8.5e-4, 0.012, 50).unwrap()] {
            let n = s.steps() as f64;
            for k in 1..=s.steps() {
                let (t, h) = (k as f64 / n, 0.3 / n);
                let slope = (s.log_alpha(t) - s.log_alpha(t - h)) / h;
                assert!((s.drift(t) - slope).abs() < 1e-8 * slope.abs().max(1.0), "{k}: {} {slope}", s.drift(t));
            }
        }
    }

    #[test]
    fn cosine_betas_are_capped_and_bad_ones_refused() {
        let s = VpDiscrete::new(Betas::Cosine, 0.0, 0.0, 1000).unwrap();
        assert!((s.log_alpha(1.0) - s.log_alpha(0.999) - 0.5 * 0.001_f64.ln()).abs() < 1e-9);
        assert!(VpDiscrete::from_betas(&[]).is_none() && VpDiscrete::from_betas(&[0.1, 1.0]).is_none());
        assert!(VpDiscrete::from_alphas_cumprod(&[0.9, 0.9]).is_none());
        assert!(VpDiscrete::from_alphas_cumprod(&[1.0, 0.5]).is_none());
    }
}
