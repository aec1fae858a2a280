//! Gradients through the sampling flow: what a loss of the sample says about the noise it came from.
//!
//! With y = x/α and ρ = σ/α the flow is dy/dρ = ε(αy), and the gradient a = dL/dy obeys the equation backward along it,
//! da/dρ = −α (∂ε/∂x)ᵀ a (Pan et al. 2024, "AdjointDPM", section 4.1). Both are integrated from data to noise together, so
//! that nothing of the way forward is kept. The way back does not retrace the way forward exactly; the gradient is that of
//! the flow, up to the error of the integration, and not that of the discrete sampler.

use super::{Schedule, templates::Templates};

/// How the flow and its adjoint are integrated, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// dy/dλ = E[x₀ | x] − y with λ = −ln ρ by the explicit midpoint rule, equal steps of λ. Order 2, two evaluations per
    /// step.
    MidpointLambda,
    /// Equal steps of λ; the explicit midpoint rule in ρ, with the middle at the middle of λ. Order 2, two
    /// evaluations per step. Forward it is DPM-Solver-2.
    MidpointRho,
    /// The same with Euler's rule: order 1, one evaluation per step. Forward it is DDIM.
    EulerRho,
    /// dx/dt = f x + (g²/2σ) ε as it stands, equal steps of t, Euler's rule: order 1, one evaluation per step.
    EulerTime,
    /// dy/dλ = E[x₀ | x] − y by the classical method of order 4, four evaluations per step.
    RungeKutta4,
}

impl Scheme {
    /// Evaluations of a step.
    pub fn stages(self) -> usize {
        match self {
            Self::EulerRho | Self::EulerTime => 1,
            Self::MidpointRho | Self::MidpointLambda => 2,
            Self::RungeKutta4 => 4,
        }
    }
}

/// Points and gradients, in array-of-structures order.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub x: Vec<f64>,
    pub gradient: Vec<f64>,
}

/// The flow of a mixture between two times.
pub struct AdjointFlow<'a> {
    pub model: &'a mut Templates,
    pub schedule: &'a dyn Schedule,
    /// Time of the noise, and of the data.
    pub span: (f64, f64),
}

/// Signal, noise and the variable of integration at one place of the way.
struct Place {
    t: f64,
    alpha: f64,
    sigma: f64,
    s: f64,
}

impl AdjointFlow<'_> {
    /// The place at the share `p` of the way from noise (0) to data (1).
    fn place(&self, scheme: Scheme, p: f64) -> Place {
        let (from, to) = self.span;
        let t = if p == 0.0 {
            from
        } else if p == 1.0 {
            to
        } else if scheme == Scheme::EulerTime {
            from + p * (to - from)
        } else {
            let (a, b) = (self.schedule.lambda(from), self.schedule.lambda(to));
            self.schedule.time_of_lambda(a + p * (b - a))
        };
        let (alpha, sigma) = (self.schedule.alpha(t), self.schedule.sigma(t));
        let s = match scheme {
            Scheme::MidpointRho | Scheme::EulerRho => sigma / alpha,
            Scheme::EulerTime => t,
            Scheme::RungeKutta4 | Scheme::MidpointLambda => (alpha / sigma).ln(),
        };
        Place { t, alpha, sigma, s }
    }

    /// Factor between x and the variable that is integrated.
    fn scale(scheme: Scheme, place: &Place) -> f64 {
        if scheme == Scheme::EulerTime { 1.0 } else { place.alpha }
    }

    /// Rates of the state and, if there is one, of the gradient: one evaluation of each point, and a product each.
    fn rates(&mut self, scheme: Scheme, place: &Place, u: &[f64], a: Option<&[f64]>) -> (Vec<f64>, Vec<f64>) {
        let dim = self.model.dim();
        let scale = Self::scale(scheme, place);
        let (alpha, sigma) = (place.alpha, place.sigma);
        let (drift, factor) = self.schedule.flow(place.t);
        let (mut du, mut da) = (Vec::with_capacity(u.len()), Vec::with_capacity(u.len()));
        let mut clean = vec![0.0; dim];
        for (i, point) in u.chunks_exact(dim).enumerate() {
            let x: Vec<f64> = point.iter().map(|u| scale * u).collect();
            let product = if let Some(a) = a {
                let a = a[i * dim..][..dim].to_vec();
                self.model.denoise_with_product(&x, (alpha, sigma), &mut clean, |_| a)
            } else {
                self.model.denoise(&x, alpha, sigma, &mut clean);
                Vec::new()
            };
            for d in 0..dim {
                let eps = (x[d] - alpha * clean[d]) / sigma;
                du.push(match scheme {
                    Scheme::MidpointRho | Scheme::EulerRho => eps,
                    Scheme::EulerTime => drift * x[d] + factor * eps,
                    Scheme::RungeKutta4 | Scheme::MidpointLambda => clean[d] - point[d],
                });
                if let Some(a) = a {
                    // (∂ε/∂x)ᵀ a = (a − α Jᵀ a)/σ with J the Jacobian of the denoiser.
                    let a = a[i * dim + d];
                    let turned = (a - alpha * product[d]) / sigma;
                    da.push(match scheme {
                        Scheme::MidpointRho | Scheme::EulerRho => -alpha * turned,
                        Scheme::EulerTime => -drift * a - factor * turned,
                        Scheme::RungeKutta4 | Scheme::MidpointLambda => sigma * turned,
                    });
                }
            }
        }
        (du, da)
    }

    /// Step from share `p` to share `q` of the way, of the state and of the gradient if there is one.
    fn step(&mut self, scheme: Scheme, (p, q): (f64, f64), u: &mut Vec<f64>, a: &mut Option<Vec<f64>>) {
        let (from, to) = (self.place(scheme, p), self.place(scheme, q));
        let h = to.s - from.s;
        let k1 = self.rates(scheme, &from, u, a.as_deref());
        match scheme {
            Scheme::EulerRho | Scheme::EulerTime => {
                *u = moved(u, &[(h, &k1.0)]);
                *a = a.take().map(|a| moved(&a, &[(h, &k1.1)]));
            }
            Scheme::MidpointRho | Scheme::MidpointLambda => {
                let middle = self.place(scheme, 0.5 * (p + q));
                let half = middle.s - from.s;
                let (um, am) = (moved(u, &[(half, &k1.0)]), a.as_ref().map(|a| moved(a, &[(half, &k1.1)])));
                let k2 = self.rates(scheme, &middle, &um, am.as_deref());
                *u = moved(u, &[(h, &k2.0)]);
                *a = a.take().map(|a| moved(&a, &[(h, &k2.1)]));
            }
            Scheme::RungeKutta4 => {
                let middle = self.place(scheme, 0.5 * (p + q));
                let mut stage = |place: &Place, c: f64, k: &(Vec<f64>, Vec<f64>)| {
                    let (u, a) = (moved(u, &[(c, &k.0)]), a.as_ref().map(|a| moved(a, &[(c, &k.1)])));
                    self.rates(scheme, place, &u, a.as_deref())
                };
                let k2 = stage(&middle, 0.5 * h, &k1);
                let k3 = stage(&middle, 0.5 * h, &k2);
                let k4 = stage(&to, h, &k3);
                let (b, c) = (h / 6.0, h / 3.0);
                *u = moved(u, &[(b, &k1.0), (c, &k2.0), (c, &k3.0), (b, &k4.0)]);
                *a = a.take().map(|a| moved(&a, &[(b, &k1.1), (c, &k2.1), (c, &k3.1), (b, &k4.1)]));
            }
        }
    }

    /// From noise to data in `steps` steps; `visit` sees every state, the first too.
    pub fn sample(&mut self, scheme: Scheme, steps: usize, noise: &[f64], mut visit: impl FnMut(&[f64])) -> Vec<f64> {
        let steps = steps.max(1);
        let start = Self::scale(scheme, &self.place(scheme, 0.0));
        let mut u: Vec<f64> = noise.iter().map(|x| x / start).collect();
        visit(noise);
        for k in 0..steps {
            let share = |k: usize| k as f64 / steps as f64;
            self.step(scheme, (share(k), share(k + 1)), &mut u, &mut None);
            let scale = Self::scale(scheme, &self.place(scheme, share(k + 1)));
            visit(&u.iter().map(|u| scale * u).collect::<Vec<f64>>());
        }
        let scale = Self::scale(scheme, &self.place(scheme, 1.0));
        u.iter().map(|u| scale * u).collect()
    }

    /// From data to noise in `steps` steps, with the gradient: `end` holds x₀ and dL/dx₀, the result x_T, integrated again,
    /// and dL/dx_T.
    pub fn pull_back(&mut self, scheme: Scheme, steps: usize, end: &Pair) -> Pair {
        let steps = steps.max(1);
        let scale = Self::scale(scheme, &self.place(scheme, 1.0));
        // dL/dy = α dL/dx.
        let mut u: Vec<f64> = end.x.iter().map(|x| x / scale).collect();
        let mut a = Some(end.gradient.iter().map(|g| scale * g).collect::<Vec<f64>>());
        for k in (0..steps).rev() {
            let share = |k: usize| k as f64 / steps as f64;
            self.step(scheme, (share(k + 1), share(k)), &mut u, &mut a);
        }
        let scale = Self::scale(scheme, &self.place(scheme, 0.0));
        let gradient = a.unwrap_or_default().iter().map(|a| a / scale).collect();
        Pair { x: u.iter().map(|u| scale * u).collect(), gradient }
    }

    /// Every state of DDIM in `steps` equal steps of λ, from noise to data: what a stored graph keeps.
    pub fn ddim_states(&mut self, steps: usize, noise: &[f64]) -> Vec<Vec<f64>> {
        let mut states = Vec::new();
        self.sample(Scheme::EulerRho, steps, noise, |x| states.push(x.to_vec()));
        states
    }

    /// The exact gradient of that discrete sampler: `gradient` is dL/dx₀ at the last of its states, the result dL/dx_T.
    pub fn backpropagate(&mut self, states: &[Vec<f64>], gradient: &[f64]) -> Vec<f64> {
        let (dim, steps) = (self.model.dim(), states.len().saturating_sub(1).max(1));
        let mut g = gradient.to_vec();
        let mut clean = vec![0.0; dim];
        for (k, state) in states.iter().enumerate().take(states.len().saturating_sub(1)).rev() {
            let share = |k: usize| k as f64 / steps as f64;
            let (from, to) = (self.place(Scheme::EulerRho, share(k)), self.place(Scheme::EulerRho, share(k + 1)));
            // x' = (α'/α) x + α' (ρ' − ρ) ε(x).
            let (keep, add) = (to.alpha / from.alpha, to.alpha * (to.s - from.s));
            for (x, g) in state.chunks_exact(dim).zip(g.chunks_exact_mut(dim)) {
                let direction = g.to_vec();
                let level = (from.alpha, from.sigma);
                let product = self.model.denoise_with_product(x, level, &mut clean, |_| direction);
                for (g, product) in g.iter_mut().zip(&product) {
                    *g = keep * *g + add * (*g - from.alpha * product) / from.sigma;
                }
            }
        }
        g
    }
}

fn moved(u: &[f64], terms: &[(f64, &Vec<f64>)]) -> Vec<f64> {
    let add = |(i, u): (usize, &f64)| u + terms.iter().map(|(c, k)| c * k[i]).sum::<f64>();
    u.iter().enumerate().map(add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::VpLinear;

    fn ring() -> Templates {
        let angle = |k: usize| std::f64::consts::TAU * k as f64 / 5.0;
        let means = (0..5).flat_map(|k| [1.5 * angle(k).cos(), 1.5 * angle(k).sin()]).collect();
        Templates::new(2, means, 0.3).unwrap()
    }

    const NOISE: [f64; 6] = [0.9, 0.4, -0.6, 1.1, 0.2, -1.3];

    fn loss_gradient(x: &[f64]) -> Vec<f64> {
        x.chunks_exact(2).flat_map(|x| [2.0 * (x[0] - 1.5), 2.0 * x[1]]).collect()
    }

    fn with<T>(work: impl FnOnce(&mut AdjointFlow) -> T) -> T {
        let mut model = ring();
        work(&mut AdjointFlow { model: &mut model, schedule: &VpLinear::default(), span: (1.0, 1e-3) })
    }

    /// dL/dx_T by the scheme there and back, and the end of its way back.
    fn pulled(scheme: Scheme, steps: usize) -> Pair {
        with(|flow| {
            let x = flow.sample(scheme, steps, &NOISE, |_| ());
            let gradient = loss_gradient(&x);
            flow.pull_back(scheme, steps, &Pair { x, gradient })
        })
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    }

    #[test]
    fn the_adjoint_is_the_derivative_of_the_fine_flow() {
        let fine = pulled(Scheme::RungeKutta4, 300);
        assert!(distance(&fine.x, &NOISE) < 1e-7, "a fine way back retraces the way: {}", distance(&fine.x, &NOISE));
        let loss = |j: usize, h: f64| {
            let mut noise = NOISE;
            noise[j] += h;
            let x = with(|flow| flow.sample(Scheme::RungeKutta4, 300, &noise, |_| ()));
            x.chunks_exact(2).map(|x| (x[0] - 1.5).powi(2) + x[1] * x[1]).sum::<f64>()
        };
        for j in 0..6 {
            let difference = (loss(j, 1e-5) - loss(j, -1e-5)) / 2e-5;
            assert!((fine.gradient[j] - difference).abs() < 1e-6, "{j}: {} {difference}", fine.gradient[j]);
        }
    }

    #[test]
    fn the_stored_graph_gives_the_derivative_of_the_discrete_sampler() {
        let loss = |j: usize, h: f64| {
            let mut noise = NOISE;
            noise[j] += h;
            let states = with(|flow| flow.ddim_states(12, &noise));
            states[12].chunks_exact(2).map(|x| (x[0] - 1.5).powi(2) + x[1] * x[1]).sum::<f64>()
        };
        let (g, kept) = with(|flow| {
            let states = flow.ddim_states(12, &NOISE);
            (flow.backpropagate(&states, &loss_gradient(&states[12])), states.len())
        });
        assert_eq!(kept, 13);
        for (j, g) in g.iter().enumerate() {
            let difference = (loss(j, 1e-5) - loss(j, -1e-5)) / 2e-5;
            assert!((g - difference).abs() < 1e-7, "{j}: {g} {difference}");
        }
    }

    #[test]
    fn orders_of_the_gradient() {
        let fine = pulled(Scheme::RungeKutta4, 400).gradient;
        let error = |scheme, steps| distance(&pulled(scheme, steps).gradient, &fine);
        for (scheme, order, steps) in [
            (Scheme::MidpointLambda, 2.0, 200),
            (Scheme::MidpointRho, 2.0, 200),
            (Scheme::EulerRho, 1.0, 3200),
            (Scheme::EulerTime, 1.0, 3200),
        ] {
            let observed = (error(scheme, steps) / error(scheme, 2 * steps)).log2();
            assert!((observed - order).abs() < 0.2, "{scheme:?}: {observed}");
        }
    }

    #[test]
    fn evaluations_and_products_are_counted_by_the_model() {
        for scheme in
            [Scheme::MidpointLambda, Scheme::MidpointRho, Scheme::EulerRho, Scheme::EulerTime, Scheme::RungeKutta4]
        {
            with(|flow| {
                let x = flow.sample(scheme, 8, &NOISE, |_| ());
                let forward = 3 * 8 * scheme.stages() as u64;
                assert_eq!((flow.model.evaluations(), flow.model.products()), (forward, 0));
                flow.pull_back(scheme, 8, &Pair { gradient: x.clone(), x });
                assert_eq!((flow.model.evaluations(), flow.model.products()), (2 * forward, forward));
            });
        }
    }

    #[test]
    fn a_single_gaussian_has_a_known_gradient() {
        // x₀ = s_0 x_T/s_T with s² = α² sd² + σ²: dL/dx_T = (s_0/s_T) dL/dx₀.
        let mut model = Templates::new(1, vec![0.0], 0.5).unwrap();
        let schedule = VpLinear::default();
        let mut flow = AdjointFlow { model: &mut model, schedule: &schedule, span: (1.0, 1e-3) };
        let end = Pair { x: vec![0.7], gradient: vec![1.0] };
        let mut got = |scheme| flow.pull_back(scheme, 400, &end).gradient[0];
        let sd = |t: f64| (0.25 * schedule.alpha(t).powi(2) + schedule.sigma(t).powi(2)).sqrt();
        for scheme in [Scheme::MidpointLambda, Scheme::MidpointRho, Scheme::RungeKutta4] {
            assert!((got(scheme) - sd(1e-3) / sd(1.0)).abs() < 1e-3, "{scheme:?}: {}", got(scheme));
        }
    }
}
