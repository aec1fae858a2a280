//! Noise schedules: x_t = α(t) x_0 + σ(t) ε.
//!
//! Time runs from 0 (data) to its end (noise). λ = ln(α/σ) is half the logarithm of the signal-to-noise ratio. The
//! forward process dx = f x dt + g dW has these marginals for f = α'/α and g² = (σ²)' − 2 f σ² (Song et al. 2021; Kingma
//! et al. 2021, "Variational diffusion models", appendix C).

use std::f64::consts::FRAC_PI_2;

use super::Prediction;

/// A noise schedule. Every function is evaluated without cancellation at both ends.
pub trait Schedule {
    /// ln α(t).
    fn log_alpha(&self, t: f64) -> f64;
    fn alpha(&self, t: f64) -> f64 {
        self.log_alpha(t).exp()
    }
    fn sigma(&self, t: f64) -> f64;
    /// ln(α/σ), falling in t.
    fn lambda(&self, t: f64) -> f64 {
        self.log_alpha(t) - self.sigma(t).ln()
    }
    /// The time at which `lambda` is reached.
    fn time_of_lambda(&self, lambda: f64) -> f64;
    /// Drift coefficient f(t) of the forward process.
    fn drift(&self, t: f64) -> f64;
    /// Squared diffusion coefficient g²(t).
    fn diffusion_squared(&self, t: f64) -> f64;
    /// Usual first and last time of sampling (last, first): noise level at which it stops, and at which it starts.
    fn default_span(&self) -> (f64, f64);

    /// All of it at one time.
    fn node(&self, t: f64) -> Node {
        Node { t, alpha: self.alpha(t), sigma: self.sigma(t), lambda: self.lambda(t) }
    }
    fn node_of_lambda(&self, lambda: f64) -> Node {
        Node { lambda, ..self.node(self.time_of_lambda(lambda)) }
    }
    /// Coefficients (a, b) of dx/dt = a x + b value, where the value is ε or, for α near 0, x₀.
    fn slope(&self, node: &Node, value: Prediction) -> (f64, f64) {
        if value != Prediction::Data {
            return self.flow(node.t);
        }
        // dx/dt = α' x₀ + σ' ε with ε = (x − α x₀)/σ.
        let (alpha_rate, sigma_rate) = self.rates(node.t);
        (sigma_rate / node.sigma, alpha_rate - node.alpha * sigma_rate / node.sigma)
    }
    /// (dα/dt, dσ/dt).
    fn rates(&self, t: f64) -> (f64, f64) {
        let (f, g) = self.flow(t);
        (f * self.alpha(t), g + f * self.sigma(t))
    }
    /// Standard deviation of the noise that sampling starts from at time t.
    fn prior_sd(&self, t: f64) -> f64 {
        // Where the signal is kept the noise must be as large as that level's; where it is not, it is 1.
        if self.log_alpha(t) == 0.0 { self.sigma(t) } else { 1.0 }
    }
    /// Coefficients (f, g²/2σ) of the probability-flow ODE dx/dt = f x + (g²/2σ) ε(x, t).
    fn flow(&self, t: f64) -> (f64, f64) {
        (self.drift(t), 0.5 * self.diffusion_squared(t) / self.sigma(t))
    }
}

/// A time with its noise level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    pub t: f64,
    pub alpha: f64,
    pub sigma: f64,
    pub lambda: f64,
}

impl Node {
    /// The end of sampling where nothing of the noise is left.
    pub fn clean() -> Self {
        Self { t: 0.0, alpha: 1.0, sigma: 0.0, lambda: f64::INFINITY }
    }
    /// σ/α: the noise level of the rescaled state x/α.
    pub fn rho(&self) -> f64 {
        self.sigma / self.alpha
    }
    /// The exact solution of the flow for constant ε from here to `to`: x ← a x + b ε with
    /// a = α_to/α, b = −σ_to (e^h − 1), h = λ_to − λ (Lu et al. 2022, equation 3.7).
    pub fn transfer(&self, to: &Self) -> (f64, f64) {
        let a = to.alpha / self.alpha;
        // At σ = 0, where λ is infinite, the same by σ_to − a σ.
        (a, if to.sigma == 0.0 { -a * self.sigma } else { -to.sigma * (to.lambda - self.lambda).exp_m1() })
    }
}

/// Variance preserving, β rising linearly from `beta_min` to `beta_max` on [0, 1] (Ho et al. 2020 in continuous time).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VpLinear {
    pub beta_min: f64,
    pub beta_max: f64,
}

impl Default for VpLinear {
    fn default() -> Self {
        Self { beta_min: 0.1, beta_max: 20.0 }
    }
}

/// σ = √(1 − α²) from ln α.
pub(super) fn vp_sigma(log_alpha: f64) -> f64 {
    (-(2.0 * log_alpha).exp_m1()).sqrt()
}

/// ln α of a variance-preserving schedule at λ: −½ ln(1 + e^(−2λ)), in the form that does not overflow.
pub(super) fn vp_log_alpha(lambda: f64) -> f64 {
    if lambda > 0.0 { -0.5 * (-2.0 * lambda).exp().ln_1p() } else { lambda - 0.5 * (2.0 * lambda).exp().ln_1p() }
}

impl VpLinear {
    /// The time at which ln α is reached.
    fn time_of_log_alpha(&self, log_alpha: f64) -> f64 {
        // a t² + b t = −ln α, solved for the positive root without cancellation.
        let (a, b) = (0.25 * (self.beta_max - self.beta_min), 0.5 * self.beta_min);
        2.0 * -log_alpha / (b + (b * b - 4.0 * a * log_alpha).sqrt())
    }
}

impl Schedule for VpLinear {
    fn log_alpha(&self, t: f64) -> f64 {
        -0.25 * (self.beta_max - self.beta_min) * t * t - 0.5 * self.beta_min * t
    }
    fn sigma(&self, t: f64) -> f64 {
        vp_sigma(self.log_alpha(t))
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        self.time_of_log_alpha(vp_log_alpha(lambda))
    }
    fn drift(&self, t: f64) -> f64 {
        -0.5 * self.diffusion_squared(t)
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        self.beta_min + (self.beta_max - self.beta_min) * t
    }
    fn default_span(&self) -> (f64, f64) {
        (1e-3, 1.0)
    }
}

/// Variance preserving, α a quarter of a cosine (Nichol & Dhariwal 2021, equation 17, with s = 0.008).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VpCosine {
    pub s: f64,
}

impl Default for VpCosine {
    fn default() -> Self {
        Self { s: 0.008 }
    }
}

impl VpCosine {
    fn angle(&self, t: f64) -> f64 {
        FRAC_PI_2 * (t + self.s) / (1.0 + self.s)
    }
}

impl Schedule for VpCosine {
    fn log_alpha(&self, t: f64) -> f64 {
        self.alpha(t).ln()
    }
    fn alpha(&self, t: f64) -> f64 {
        self.angle(t).cos() / self.angle(0.0).cos()
    }
    fn sigma(&self, t: f64) -> f64 {
        // cos²A − cos²B = sin(B + A) sin(B − A): no cancellation at t = 0.
        let (a, b) = (self.angle(0.0), self.angle(t));
        ((b + a).sin() * (b - a).sin()).max(0.0).sqrt() / a.cos()
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        let a = self.angle(0.0);
        let log_alpha = vp_log_alpha(lambda);
        let sigma = vp_sigma(log_alpha);
        let cos = log_alpha.exp() * a.cos();
        let sin = (a.sin().powi(2) + (sigma * a.cos()).powi(2)).sqrt();
        let b = sin.atan2(cos);
        let sum = (b + a).sin();
        // Near t = 0 the difference of angles comes from its sine, elsewhere from the angle itself.
        let difference = if b - a < 0.5 { ((sigma * a.cos()).powi(2) / sum).asin() } else { b - a };
        difference / FRAC_PI_2 * (1.0 + self.s)
    }
    fn drift(&self, t: f64) -> f64 {
        -FRAC_PI_2 / (1.0 + self.s) * self.angle(t).tan()
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        -2.0 * self.drift(t)
    }
    /// Starts before t = 1, where α = 0 and λ has no value (Lu et al. 2022, appendix D, use the same 0.9946).
    fn default_span(&self) -> (f64, f64) {
        (1e-3, 0.9946)
    }
}

/// Variance exploding, σ geometric from `sigma_min` to `sigma_max` on [0, 1] (Song et al. 2021, appendix C).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ve {
    pub sigma_min: f64,
    pub sigma_max: f64,
}

impl Default for Ve {
    fn default() -> Self {
        Self { sigma_min: 0.01, sigma_max: 8.0 }
    }
}

impl Schedule for Ve {
    fn log_alpha(&self, _: f64) -> f64 {
        0.0
    }
    fn sigma(&self, t: f64) -> f64 {
        self.sigma_min * (t * (self.sigma_max / self.sigma_min).ln()).exp()
    }
    fn lambda(&self, t: f64) -> f64 {
        -self.sigma_min.ln() - t * (self.sigma_max / self.sigma_min).ln()
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        (-lambda - self.sigma_min.ln()) / (self.sigma_max / self.sigma_min).ln()
    }
    fn drift(&self, _: f64) -> f64 {
        0.0
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        2.0 * self.sigma(t).powi(2) * (self.sigma_max / self.sigma_min).ln()
    }
    fn default_span(&self) -> (f64, f64) {
        (0.0, 1.0)
    }
}

/// Sub-variance preserving: the α of [`VpLinear`] with σ = 1 − α² (Song et al. 2021, appendix C).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SubVp(pub VpLinear);

impl Schedule for SubVp {
    fn log_alpha(&self, t: f64) -> f64 {
        self.0.log_alpha(t)
    }
    fn sigma(&self, t: f64) -> f64 {
        -(2.0 * self.log_alpha(t)).exp_m1()
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        // α/(1 − α²) = e^λ, the positive root: α = 2/(e^(−λ) + √(e^(−2λ) + 4)), which does not cancel for either sign;
        // for large λ the form with sinh keeps the digits of ln α = −asinh(e^(−λ)/2).
        self.0.time_of_log_alpha(-(0.5 * (-lambda).exp()).asinh())
    }
    fn drift(&self, t: f64) -> f64 {
        self.0.drift(t)
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        // g² = β (1 − e^(−2∫β)), and e^(−2∫β) = α⁴.
        -self.0.diffusion_squared(t) * (4.0 * self.log_alpha(t)).exp_m1()
    }
    fn default_span(&self) -> (f64, f64) {
        self.0.default_span()
    }
}

/// σ = t (Karras et al. 2022).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Edm;

impl Schedule for Edm {
    fn log_alpha(&self, _: f64) -> f64 {
        0.0
    }
    fn sigma(&self, t: f64) -> f64 {
        t
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        (-lambda).exp()
    }
    fn drift(&self, _: f64) -> f64 {
        0.0
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        2.0 * t
    }
    fn flow(&self, _: f64) -> (f64, f64) {
        (0.0, 1.0)
    }
    fn default_span(&self) -> (f64, f64) {
        (0.002, 80.0)
    }
}

/// Straight paths: α = 1 − t, σ = t (Lipman et al. 2023, with the direction of time of this module).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CondOt;

impl Schedule for CondOt {
    fn log_alpha(&self, t: f64) -> f64 {
        (-t).ln_1p()
    }
    fn alpha(&self, t: f64) -> f64 {
        1.0 - t
    }
    fn sigma(&self, t: f64) -> f64 {
        t
    }
    fn time_of_lambda(&self, lambda: f64) -> f64 {
        1.0 / (1.0 + lambda.exp())
    }
    fn drift(&self, t: f64) -> f64 {
        -1.0 / (1.0 - t)
    }
    fn diffusion_squared(&self, t: f64) -> f64 {
        2.0 * t / (1.0 - t)
    }
    fn flow(&self, t: f64) -> (f64, f64) {
        // g²/2σ = 1/(1 − t), also at t = 0.
        (self.drift(t), 1.0 / (1.0 - t))
    }
    fn rates(&self, _: f64) -> (f64, f64) {
        (-1.0, 1.0)
    }
    /// Starts just before t = 1, where α = 0.
    fn default_span(&self) -> (f64, f64) {
        (1e-3, 0.999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(&'static str, Box<dyn Schedule>)> {
        vec![
            ("vp-linear", Box::new(VpLinear::default())),
            ("vp-cosine", Box::new(VpCosine::default())),
            ("ve", Box::new(Ve::default())),
            ("edm", Box::new(Edm)),
            ("sub-vp", Box::new(SubVp::default())),
            ("flow", Box::new(CondOt)),
        ]
    }

    fn times(s: &dyn Schedule) -> Vec<f64> {
        let (end, start) = s.default_span();
        (0..=200).map(|i| end + (start - end) * (f64::from(i) / 200.0).powi(3)).collect()
    }

    #[test]
    fn the_inverse_of_lambda() {
        for (name, s) in all() {
            for t in times(&*s) {
                let back = s.time_of_lambda(s.lambda(t));
                assert!((back - t).abs() <= 1e-12 * t.abs().max(1e-1), "{name} {t}: {back}");
            }
        }
        // Seen to fail: another β is off by far more.
        let other = VpLinear { beta_max: 20.1, ..Default::default() };
        assert!((other.time_of_lambda(VpLinear::default().lambda(0.5)) - 0.5).abs() > 1e-4);
    }

    #[test]
    fn tiny_times_keep_their_digits() {
        for t in [1e-12_f64, 1e-9, 1e-6] {
            let vp = VpLinear::default();
            // −expm1(−β_min t − …) = β_min t to first order.
            assert!((vp.sigma(t).powi(2) / (0.1 * t) - 1.0).abs() < 200.0 * t + 1e-14);
            assert!((vp.time_of_lambda(vp.lambda(t)) / t - 1.0).abs() < 1e-12);
            let cosine = VpCosine::default();
            assert!((cosine.time_of_lambda(cosine.lambda(t)) / t - 1.0).abs() < 1e-6, "{t}");
            assert!((CondOt.time_of_lambda(CondOt.lambda(t)) / t - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn drift_and_diffusion_are_the_rates_of_the_marginals() {
        for (name, s) in all() {
            for t in times(&*s).into_iter().filter(|t| *t > 0.0) {
                // Central differences with a relative step: error about 1e-9.
                let h = 1e-5 * t.min(1.0 - t.min(0.9));
                let rate = |f: &dyn Fn(f64) -> f64| (f(t + h) - f(t - h)) / (2.0 * h);
                let f = rate(&|t| s.log_alpha(t));
                let g2 = rate(&|t| s.sigma(t).powi(2)) - 2.0 * s.drift(t) * s.sigma(t).powi(2);
                assert!((f - s.drift(t)).abs() < 1e-5 * (1.0 + f.abs()), "{name} {t}: {f} {}", s.drift(t));
                let scale = g2.abs() + 2.0 * (s.drift(t) * s.sigma(t).powi(2)).abs();
                assert!((g2 - s.diffusion_squared(t)).abs() < 1e-5 * scale, "{name} {t}: {g2}");
            }
        }
    }

    #[test]
    fn transfer_is_the_two_forms_of_one_formula() {
        for (name, s) in all() {
            let t = times(&*s);
            let (from, to) = (s.node(t[150]), s.node(t[40]));
            let (a, b) = from.transfer(&to);
            assert!((b - (to.sigma - a * from.sigma)).abs() < 1e-12 * (1.0 + a * from.sigma), "{name}");
        }
    }
}
