//! Mean-reverting diffusion and its samplers.
//!
//! The forward process dx = θ(t)(μ − x) dt + s√(2θ) dW forgets the data and remembers a given point μ (a blurred
//! picture, say): x_t = a x₀ + (1 − a) μ + σ ε with a = e^{−∫θ}, σ² = s²(1 − a²). With y = x − μ it is a
//! variance-preserving process whose noise has the size s, so λ = ln(a/σ), grids and transfer are those of any
//! [`Schedule`].
//!
//! Sources: Luo et al., "Image restoration with mean-reverting stochastic differential equations", ICML 2023 (the
//! process, cosine θ); Luo et al., "Photo-realistic image restoration in the wild", CVPR workshops 2024 (posterior
//! sampling); Li et al., "MRS: a fast sampler for mean reverting diffusion based on ODE and SDE solvers", ICLR 2025,
//! sections 3 and 4 (the exponential integrators). The integrals of the second order are exact for a value linear in λ.

use std::f64::consts::{FRAC_PI_2, PI};

use super::{Batch, Denoiser, DiffusionError, Mixture, MixtureModel, Node, Schedule};
use crate::rng::{Philox, Stream};

/// Offset of the cosine.
const OFFSET: f64 = 0.008;

/// θ(t) ∝ sin²(π/2 · (t + 0.008)/1.008) on [0, 1], scaled so that a(1) is `last`; noise of size `size` at the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanReverting {
    size: f64,
    scale: f64,
}

impl MeanReverting {
    /// `last` in (0, 1), `size` positive; values outside are put to the nearest usable ones.
    pub fn new(last: f64, size: f64) -> Self {
        let clean = |v: f64, low: f64, high: f64| if v.is_finite() { v.clamp(low, high) } else { low };
        let scale = -clean(last, 1e-6, 0.99).ln() / Self::shape(1.0);
        Self { size: clean(size, 1e-3, 1e3), scale }
    }

    /// θ(t).
    pub fn rate(&self, t: f64) -> f64 {
        self.scale * (FRAC_PI_2 * (t + OFFSET) / (1.0 + OFFSET)).sin().powi(2)
    }

    /// ∫₀ᵗ sin².
    fn shape(t: f64) -> f64 {
        let angle = |t: f64| PI * (t + OFFSET) / (1.0 + OFFSET);
        // sin B − sin A = 2 cos((A + B)/2) sin((B − A)/2).
        let (a, b) = (angle(0.0), angle(t));
        0.5 * t - (1.0 + OFFSET) / PI * (0.5 * (a + b)).cos() * (0.5 * (b - a)).sin()
    }
}

impl Schedule for MeanReverting {
    fn log_alpha(&self, t: f64) -> f64 {
        -self.scale * Self::shape(t)
    }
    fn sigma(&self, t: f64) -> f64 {
        self.size * (-(2.0 * self.log_alpha(t)).exp_m1()).max(0.0).sqrt()
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        // λ falls from ∞ at t = 0. Sixty halvings reach rounding.
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.lambda(middle) > lambda { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }
    fn drift(&self, t: f64) -> f64 {
        -self.rate(t)
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        2.0 * self.rate(t) * self.size * self.size
    }
    fn prior_sd(&self, _: f64) -> f64 {
        self.size
    }
    /// σ(0.01) is a hundredth of its largest value: below it nothing of a target is resolved.
    fn default_span(&self) -> (f64, f64) {
        (0.01, 1.0)
    }
}

/// What is held constant, or linear in λ, over a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The prediction of x₀.
    Data,
    /// That of ε.
    Noise,
}

/// A method for the way back. One evaluation per step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MrMethod {
    /// Euler on the probability-flow ODE; order 1.
    EulerOde,
    /// Euler-Maruyama on the reverse SDE; weak order 1.
    EulerSde,
    /// Ancestral: a draw from the exact law of x_s given x_t and the predicted x₀; weak order 1. The same numbers as
    /// `Sde { order: 1 }`.
    Posterior,
    /// MRS on the ODE: the exact linear part with a value of the given order, 1 or 2, in λ.
    Ode { order: u32, held: Held },
    /// MRS on the reverse SDE, with x₀ held.
    Sde { order: u32 },
}

impl MrMethod {
    pub const fn is_stochastic(self) -> bool {
        matches!(self, Self::EulerSde | Self::Posterior | Self::Sde { .. })
    }
}

/// Points on their way back from noise about μ to data, with the exact prediction of a mixture.
pub struct MeanRevertingSampler {
    schedule: MeanReverting,
    model: MixtureModel<f64>,
    mean: Vec<f64>,
    method: MrMethod,
    lower: bool,
    nodes: Vec<Node>,
    done: usize,
    x: Batch<f64>,
    /// λ and value of the step before.
    past: Option<(f64, Batch<f64>)>,
    rng: Philox,
}

impl MeanRevertingSampler {
    /// From points `x` at the first of `nodes` (times falling). Fails if `mean` has not the mixture's dimension or
    /// there is no step.
    pub fn new(
        schedule: MeanReverting,
        mixture: Mixture,
        mean: &[f64],
        method: MrMethod,
        nodes: Vec<Node>,
        x: Batch<f64>,
        rng: Philox,
    ) -> Result<Self, DiffusionError> {
        if mean.len() != mixture.dim() || x.dim() != mixture.dim() {
            return Err(DiffusionError::Dimension);
        }
        if nodes.len() < 2 {
            return Err(DiffusionError::NoSteps);
        }
        let model = MixtureModel::new(mixture);
        Ok(Self { schedule, model, mean: mean.to_vec(), method, lower: false, nodes, done: 0, x, past: None, rng })
    }

    /// With fewer than 10 steps the one before the last has order 1, as in the authors' code.
    pub fn with_lower_order(mut self) -> Self {
        self.lower = true;
        self
    }

    pub fn x(&self) -> &Batch<f64> {
        &self.x
    }
    pub fn steps_done(&self) -> usize {
        self.done
    }
    pub fn steps(&self) -> usize {
        self.nodes.len() - 1
    }
    pub fn is_done(&self) -> bool {
        self.done == self.steps()
    }
    /// Evaluations so far, counted by the model.
    pub fn evaluations(&self) -> u64 {
        self.model.evaluations()
    }

    /// E[x₀ | x_t = x]: one evaluation.
    fn data(&mut self, node: &Node) -> Batch<f64> {
        let (mut inner, mut out) = (self.x.clone(), Batch::zeros(self.x.dim(), self.x.len()));
        // x − (1 − a) μ = a x₀ + σ ε.
        shift(&mut inner, &self.mean, node.alpha - 1.0);
        self.model.data(&inner, node, &mut out);
        out
    }

    /// ε of x_t with the given x₀.
    fn noise(&self, data: &Batch<f64>, node: &Node) -> Batch<f64> {
        let mut out = self.x.clone();
        out.combine(1.0 / node.sigma, &[(-node.alpha / node.sigma, data)]);
        shift(&mut out, &self.mean, (node.alpha - 1.0) / node.sigma);
        out
    }

    /// One step; `false` if there is none left.
    pub fn step(&mut self) -> bool {
        if self.is_done() {
            return false;
        }
        let (from, to) = (self.nodes[self.done], self.nodes[self.done + 1]);
        let data = self.data(&from);
        let lowers = self.lower && self.steps() < 10 && self.done + 2 == self.steps();
        let of = |order: u32| if lowers { 1 } else { order };
        match self.method {
            MrMethod::EulerOde => self.euler(&data, &from, &to, 1.0),
            MrMethod::EulerSde => {
                self.euler(&data, &from, &to, 2.0);
                self.add_noise((self.schedule.diffusion_squared(from.t) * (from.t - to.t)).sqrt());
            }
            MrMethod::Posterior => self.posterior(&data, &from, &to),
            MrMethod::Ode { order, held: Held::Data } => {
                let (k, h) = (to.sigma / from.sigma, to.lambda - from.lambda);
                let (value, change) = (-to.alpha * (-h).exp_m1(), -to.alpha * rest(-h));
                let mean = 1.0 - k + k * from.alpha - to.alpha;
                self.exponential(k, mean, (value, change), data, &from, of(order), h);
            }
            MrMethod::Ode { order, held: Held::Noise } => {
                let (k, h) = (to.alpha / from.alpha, to.lambda - from.lambda);
                let noise = self.noise(&data, &from);
                self.exponential(k, 1.0 - k, (-to.sigma * h.exp_m1(), -to.sigma * rest(h)), noise, &from, of(order), h);
            }
            MrMethod::Sde { order } => {
                let h = to.lambda - from.lambda;
                let k = to.sigma / from.sigma * (-h).exp();
                let value = -to.alpha * (-2.0 * h).exp_m1();
                let change = -to.alpha * rest(-2.0 * h);
                self.exponential(k, 1.0 - k - value, (value, change), data, &from, of(order), h);
                self.add_noise(to.sigma * (-(-2.0 * h).exp_m1()).sqrt());
            }
        }
        self.done += 1;
        true
    }

    /// x ← k x + c μ + value · v + change · (v − v_before) h/h_before, the last term with order 2 and a step before.
    #[expect(clippy::too_many_arguments, reason = "the coefficients of one formula, named")]
    fn exponential(
        &mut self,
        k: f64,
        mean: f64,
        (value, change): (f64, f64),
        v: Batch<f64>,
        from: &Node,
        order: u32,
        h: f64,
    ) {
        match (&self.past, order) {
            (Some((lambda, before)), 2) => {
                let per_step = change * h / (from.lambda - lambda);
                self.x.combine(k, &[(value + per_step, &v), (-per_step, before)]);
            }
            _ => self.x.combine(k, &[(value, &v)]),
        }
        shift(&mut self.x, &self.mean, mean);
        self.past = Some((from.lambda, v));
    }

    /// dx/dt = θ(μ − x) − c s² θ ∇ ln p with c = 1 (flow) or 2 (reverse SDE), and ∇ ln p = −ε/σ.
    fn euler(&mut self, data: &Batch<f64>, from: &Node, to: &Node, c: f64) {
        let (h, rate) = (to.t - from.t, self.schedule.rate(from.t));
        let noise = self.noise(data, from);
        let per_noise = 0.5 * c * self.schedule.diffusion_squared(from.t) / from.sigma;
        self.x.combine(1.0 - h * rate, &[(h * per_noise, &noise)]);
        shift(&mut self.x, &self.mean, h * rate);
    }

    fn posterior(&mut self, data: &Batch<f64>, from: &Node, to: &Node) {
        let size = self.schedule.prior_sd(1.0);
        let r = from.alpha / to.alpha;
        // Variance that the forward process adds between the two times.
        let added = -size * size * (2.0 * r.ln()).exp_m1();
        let variance = from.sigma * from.sigma;
        let (k, value) = (r * to.sigma * to.sigma / variance, to.alpha * added / variance);
        self.x.combine(k, &[(value, data)]);
        shift(&mut self.x, &self.mean, 1.0 - k - value);
        self.add_noise(to.sigma * (added / variance).sqrt());
    }

    fn add_noise(&mut self, sd: f64) {
        self.x.add_normal(sd, &self.rng, Stream::Path, self.done as u32);
    }
}

/// Adds c μ to every point.
fn shift(x: &mut Batch<f64>, mean: &[f64], c: f64) {
    for (d, m) in mean.iter().enumerate() {
        x.coordinate_mut(d).iter_mut().for_each(|v| *v += c * m);
    }
}

/// (e^z − 1)/z − 1, by its series near 0, where that cancels.
fn rest(z: f64) -> f64 {
    if z.abs() > 0.1 {
        return z.exp_m1() / z - 1.0;
    }
    let (mut term, mut sum) = (1.0, 0.0);
    for k in 2..14 {
        term *= z / f64::from(k);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        diffusion::{
            Component, Prediction, Sampler, Spacing, grid,
            methods::{Ddim, DpmMultistep, LowerFinal, Method, RungeKutta, Tableau, Variable},
            metrics::{paired_distances, rms},
            targets,
        },
        quadrature::integrate,
    };

    const MU: [f64; 2] = [0.4, -0.2];
    const LAST: f64 = 0.005;

    fn ring() -> Mixture {
        targets::ring(8, 1.0, 0.05)
    }

    /// The mixture moved by −μ: in y = x − μ the process is variance preserving about 0.
    fn moved(mixture: &Mixture) -> Mixture {
        let component =
            |c: &Component| Component { mean: c.mean.iter().zip(MU).map(|(m, mu)| m - mu).collect(), ..c.clone() };
        Mixture::new(2, mixture.components().iter().map(component).collect()).unwrap()
    }

    fn nodes(schedule: &MeanReverting, steps: usize) -> Vec<Node> {
        grid(schedule, Spacing::LogSnr, 1.0, 0.01, steps).unwrap()
    }

    fn noise(len: usize, size: f64) -> Batch<f64> {
        Batch::normal(2, len, size, &Philox::new(3), Stream::Prior, 0)
    }

    /// Ends about μ from noise about μ.
    fn ends(mixture: Mixture, size: f64, method: MrMethod, steps: usize, len: usize) -> Batch<f64> {
        let schedule = MeanReverting::new(LAST, size);
        let mut x = noise(len, size);
        shift(&mut x, &MU, 1.0);
        let nodes = nodes(&schedule, steps);
        let mut sampler = MeanRevertingSampler::new(schedule, mixture, &MU, method, nodes, x, Philox::new(5)).unwrap();
        while sampler.step() {}
        assert_eq!(sampler.evaluations(), steps as u64);
        sampler.x().clone()
    }

    /// The same by the samplers of variance-preserving diffusion on the moved mixture.
    fn ends_by_shift(mixture: &Mixture, size: f64, method: Box<dyn Method>, steps: usize, len: usize) -> Batch<f64> {
        let schedule = MeanReverting::new(LAST, size);
        let nodes = nodes(&schedule, steps);
        let x = noise(len, size);
        let mut sampler = Sampler::new(Arc::new(schedule), method, &nodes, x, Philox::new(5));
        let mut model = MixtureModel::new(moved(mixture));
        while sampler.step(&mut model).is_some() {}
        let mut x = sampler.x().clone();
        shift(&mut x, &MU, 1.0);
        x
    }

    fn error(a: &Batch<f64>, b: &Batch<f64>) -> f64 {
        rms(&paired_distances(a, b))
    }

    #[test]
    fn the_schedule_is_that_of_its_rate() {
        for size in [1.0, 0.3] {
            let s = MeanReverting::new(LAST, size);
            assert!((s.alpha(1.0) - LAST).abs() < 1e-12);
            for k in 1..=50 {
                let t = 0.02 * f64::from(k);
                let by_rate = -integrate(|u| s.rate(u), 0.0, t, 1e-13, 0.0, 100).value;
                assert!((s.log_alpha(t) - by_rate).abs() < 1e-10, "{t}: {} {by_rate}", s.log_alpha(t));
                assert!((s.sigma(t).powi(2) - size * size * (1.0 - s.alpha(t).powi(2))).abs() < 1e-12);
                assert!((s.time_of_lambda(s.lambda(t)) - t).abs() < 1e-9, "{t}");
            }
        }
        // Seen to fail: the rate of another end.
        let other = MeanReverting::new(0.006, 1.0);
        let by_rate = -integrate(|u| other.rate(u), 0.0, 0.5, 1e-13, 0.0, 100).value;
        assert!((MeanReverting::new(LAST, 1.0).log_alpha(0.5) - by_rate).abs() > 1e-3);
    }

    #[test]
    fn first_order_is_ddim_about_the_mean() {
        for size in [1.0, 0.5] {
            let other = ends_by_shift(&ring(), size, Box::new(Ddim::default()), 15, 60);
            for held in [Held::Data, Held::Noise] {
                let got = ends(ring(), size, MrMethod::Ode { order: 1, held }, 15, 60);
                assert!(error(&got, &other) < 1e-10, "{held:?}: {}", error(&got, &other));
            }
            // Seen to fail: the second order goes elsewhere.
            let second = ends(ring(), size, MrMethod::Ode { order: 2, held: Held::Data }, 15, 60);
            assert!(error(&second, &other) > 1e-3);
        }
    }

    #[test]
    fn second_order_is_the_taylor_variant_of_dpm_solver_about_the_mean() {
        let rule = |value, taylor| {
            let mut rule = DpmMultistep::new(2, value);
            (rule.taylor, rule.lower_final) = (taylor, LowerFinal::Never);
            Box::new(rule)
        };
        for (held, value) in [(Held::Data, Prediction::Data), (Held::Noise, Prediction::Epsilon)] {
            let got = ends(ring(), 1.0, MrMethod::Ode { order: 2, held }, 15, 60);
            let off = |taylor| error(&got, &ends_by_shift(&ring(), 1.0, rule(value, taylor), 15, 60));
            assert!(off(true) < 1e-10, "{held:?}: {}", off(true));
            // Seen to fail: the usual variant, half of the first-order factor.
            assert!(off(false) > 1e-3, "{held:?}: {}", off(false));
        }
    }

    #[test]
    fn orders_against_a_fine_runge_kutta() {
        // Wide modes: the observed order is that of the limit.
        let wide = targets::ring(8, 1.0, 0.4);
        let fine = Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho));
        let exact = ends_by_shift(&wide, 1.0, fine, 400, 40);
        let observed = |method: MrMethod| {
            let at = |steps| error(&ends(wide.clone(), 1.0, method, steps, 40), &exact);
            (at(80) / at(160)).log2()
        };
        for (method, order) in [
            (MrMethod::EulerOde, 1.0),
            (MrMethod::Ode { order: 1, held: Held::Data }, 1.0),
            (MrMethod::Ode { order: 2, held: Held::Data }, 2.0),
            (MrMethod::Ode { order: 2, held: Held::Noise }, 2.0),
        ] {
            let p = observed(method);
            assert!((p - order).abs() < 0.3, "{method:?}: {p}");
        }
    }

    /// Variance of a Gaussian target after sampling, and that of the data.
    fn variance(x: &Batch<f64>) -> f64 {
        let v = x.coordinate(0);
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / v.len() as f64
    }

    #[test]
    fn stochastic_samplers_keep_the_law_of_a_gaussian() {
        let (m, s, len) = ([0.9, 0.3], 0.3_f64, 4000);
        let schedule = MeanReverting::new(LAST, 1.0);
        let end = schedule.node(0.01);
        let expected = (end.alpha * s).powi(2) + end.sigma.powi(2);
        for method in [MrMethod::Sde { order: 1 }, MrMethod::Sde { order: 2 }, MrMethod::Posterior, MrMethod::EulerSde]
        {
            let x = ends(targets::single(&m, s), 1.0, method, 150, len);
            let mean = x.coordinate(0).iter().sum::<f64>() / len as f64;
            assert!((mean - m[0]).abs() < 0.03, "{method:?}: {mean}");
            // Five standard errors of a variance, and 5 % of bias by the steps.
            let tolerance = 5.0 * (2.0 / len as f64).sqrt() + 0.05;
            assert!((variance(&x) / expected - 1.0).abs() < tolerance, "{method:?}: {} {expected}", variance(&x));
        }
        // Seen to fail: the flow of a target half as wide.
        let narrow = ends(targets::single(&m, 0.5 * s), 1.0, MrMethod::Sde { order: 1 }, 150, len);
        assert!((variance(&narrow) / expected - 1.0).abs() > 0.5);
    }

    #[test]
    fn posterior_sampling_is_the_first_order_sde() {
        let posterior = ends(ring(), 0.7, MrMethod::Posterior, 15, 60);
        assert!(error(&posterior, &ends(ring(), 0.7, MrMethod::Sde { order: 1 }, 15, 60)) < 1e-9);
        // Seen to fail: the second order, with the same noise.
        assert!(error(&posterior, &ends(ring(), 0.7, MrMethod::Sde { order: 2 }, 15, 60)) > 1e-3);
    }

    #[test]
    fn the_mean_must_fit() {
        let schedule = MeanReverting::new(LAST, 1.0);
        let start = |mean: &[f64], nodes: Vec<Node>| {
            let method = MrMethod::EulerOde;
            MeanRevertingSampler::new(schedule, ring(), mean, method, nodes, noise(3, 1.0), Philox::new(0)).err()
        };
        assert_eq!(start(&[1.0], nodes(&schedule, 3)), Some(DiffusionError::Dimension));
        assert_eq!(start(&MU, Vec::new()), Some(DiffusionError::NoSteps));
        assert_eq!(start(&MU, nodes(&schedule, 3)), None);
    }
}
