//! The exact rectified flow from noise N(0, I) to a mixture, run to the data and back to the noise.
//!
//! Time runs from 0 (noise) to 1 (data), as flows count it: x_t = t x₁ + (1 − t) x₀ with independent ends. Its velocity is
//! v(x, t) = E[x₁ − x₀ | x_t = x] = (x − E[x₀ | x_t = x])/t, known for a mixture and finite at both ends.
//!
//! Sources: Liu, Gong, Liu, "Flow straight and fast", ICLR 2023, equation 1 (the flow); Wang et al., "Taming rectified flow
//! for inversion and editing", ICML 2025, section 3.2 and algorithm 1 (the Taylor step).

use super::{Batch, CondOt, Denoiser, Mixture, MixtureModel, Schedule, methods::Tableau};

/// The velocity of the rectified flow to a mixture. It counts its evaluations.
#[derive(Clone, Debug)]
pub struct RectifiedFlow {
    model: MixtureModel<f64>,
}

/// Below this t the velocity comes from E[x₁ | x]: the other form would divide by t.
const SMALL_TIME: f64 = 1e-3;

impl RectifiedFlow {
    pub fn new(mixture: Mixture) -> Self {
        Self { model: MixtureModel::new(mixture) }
    }

    /// Writes v(x, t) for t in [0, 1]: one evaluation.
    pub fn velocity(&mut self, x: &Batch<f64>, t: f64, out: &mut Batch<f64>) {
        // A stage of the last step may pass the end by rounding.
        let node = CondOt.node((1.0 - t).clamp(0.0, 1.0));
        if node.alpha > SMALL_TIME {
            // σ = 1 − α: v = x₁ − ε with x₁ = (x − σ ε)/α is (x − ε)/α.
            self.model.epsilon(x, &node, out);
            out.combine(-1.0 / node.alpha, &[(1.0 / node.alpha, x)]);
        } else {
            // v = x₁ − ε with ε = (x − α x₁)/σ is (x₁ − x)/σ.
            self.model.data(x, &node, out);
            out.combine(1.0 / node.sigma, &[(-1.0 / node.sigma, x)]);
        }
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> u64 {
        self.model.evaluations()
    }
}

/// A one-step method for dx/dt = v(x, t), in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowSolver {
    /// Order 1, one evaluation per step.
    Euler,
    /// RF-Solver: x + h v + ½ h² v' with the total derivative v' = (v(x + ½ h v, t + ½ h) − v)/(½ h). Order 2, two
    /// evaluations per step. The same numbers as the explicit midpoint rule.
    Taylor,
    /// Order 2, two evaluations per step.
    Heun,
    /// The classical method of order 4, four evaluations per step.
    RungeKutta4,
}

impl FlowSolver {
    pub const fn order(self) -> u32 {
        match self {
            Self::Euler => 1,
            Self::Taylor | Self::Heun => 2,
            Self::RungeKutta4 => 4,
        }
    }

    /// Evaluations of a step.
    pub const fn stages(self) -> usize {
        match self {
            Self::Euler => 1,
            Self::Taylor | Self::Heun => 2,
            Self::RungeKutta4 => 4,
        }
    }

    /// One step of length `h`, negative toward the noise, from time `t`. `v` writes the field into its last argument.
    pub fn step(self, x: &mut Batch<f64>, t: f64, h: f64, mut v: impl FnMut(&Batch<f64>, f64, &mut Batch<f64>)) {
        let table = match self {
            Self::Taylor => return taylor(x, t, h, v),
            Self::Euler => Tableau::EULER,
            Self::Heun => Tableau::HEUN,
            Self::RungeKutta4 => Tableau::RK4,
        };
        let mut slopes: Vec<Batch<f64>> = Vec::with_capacity(table.c.len());
        let mut point = x.clone();
        for (c, row) in table.c.iter().zip(table.a) {
            let terms: Vec<(f64, &Batch<f64>)> = row.iter().map(|a| h * a).zip(&slopes).collect();
            point.assign(1.0, x, &terms);
            let mut slope = Batch::zeros(x.dim(), x.len());
            v(&point, t + c * h, &mut slope);
            slopes.push(slope);
        }
        let terms: Vec<(f64, &Batch<f64>)> = table.b.iter().map(|b| h * b).zip(&slopes).collect();
        x.combine(1.0, &terms);
    }

    /// `steps` equal steps from time `from` to time `to`.
    pub fn travel(
        self,
        x: &mut Batch<f64>,
        (from, to): (f64, f64),
        steps: usize,
        mut v: impl FnMut(&Batch<f64>, f64, &mut Batch<f64>),
    ) {
        let h = (to - from) / steps.max(1) as f64;
        for k in 0..steps {
            self.step(x, from + h * k as f64, h, &mut v);
        }
    }
}

fn taylor(x: &mut Batch<f64>, t: f64, h: f64, mut v: impl FnMut(&Batch<f64>, f64, &mut Batch<f64>)) {
    let (mut slope, mut rate) = (Batch::zeros(x.dim(), x.len()), Batch::zeros(x.dim(), x.len()));
    v(x, t, &mut slope);
    let mut probe = x.clone();
    probe.combine(1.0, &[(0.5 * h, &slope)]);
    v(&probe, t + 0.5 * h, &mut rate);
    let per_half = 1.0 / (0.5 * h);
    rate.combine(per_half, &[(-per_half, &slope)]);
    x.combine(1.0, &[(h, &slope), (0.5 * h * h, &rate)]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        diffusion::{
            Sampler, Spacing, grid,
            methods::{RungeKutta, Variable},
            metrics::{paired_distances, rms},
            targets,
        },
        rng::{Philox, Stream},
        transport::kinetic::marginal_velocity,
    };

    const ALL: [FlowSolver; 4] = [FlowSolver::Euler, FlowSolver::Taylor, FlowSolver::Heun, FlowSolver::RungeKutta4];

    fn noise(len: usize) -> Batch<f64> {
        Batch::normal(2, len, 1.0, &Philox::new(4), Stream::Prior, 0)
    }

    fn error(a: &Batch<f64>, b: &Batch<f64>) -> f64 {
        rms(&paired_distances(a, b))
    }

    #[test]
    fn velocity_is_that_of_the_marginals() {
        let (ring, x) = (targets::ring(8, 2.0, 0.15), noise(50));
        let mut flow = RectifiedFlow::new(ring.clone());
        let mut v = Batch::zeros(2, x.len());
        let times = [0.0, 5e-4, 2e-3, 0.3, 0.5, 0.9, 1.0 - 1e-9, 1.0];
        for t in times {
            flow.velocity(&x, t, &mut v);
            for p in 0..x.len() {
                // By posterior means of both ends, point by point.
                let exact = marginal_velocity(&ring, &x.point(p), (t, 1.0 - t), (1.0, -1.0));
                for (a, b) in v.point(p).iter().zip(&exact) {
                    assert!((a - b).abs() < 1e-10 * (1.0 + b.abs()), "{t}: {a} {b}");
                }
            }
        }
        assert_eq!(flow.evaluations(), times.len() as u64);
        // Seen to fail: the velocity of a slightly other time.
        flow.velocity(&x, 0.51, &mut v);
        let other = marginal_velocity(&ring, &x.point(0), (0.5, 0.5), (1.0, -1.0));
        assert!((v.point(0)[0] - other[0]).abs() > 1e-3);
    }

    /// Errors of both ways between two times. The flow to one Gaussian is known: x_t − t m grows as its standard deviation.
    fn gaussian_errors(solver: FlowSolver, (from, to): (f64, f64), steps: usize) -> [f64; 2] {
        let (m, s, z) = ([0.8, -0.5], 0.4, noise(40));
        let at = |t: f64| {
            let mut out = Batch::zeros(2, z.len());
            for (d, m) in m.iter().enumerate() {
                let sd = (t * s).hypot(1.0 - t);
                out.coordinate_mut(d).iter_mut().zip(z.coordinate(d)).for_each(|(o, z)| *o = t * m + sd * z);
            }
            out
        };
        let mut flow = RectifiedFlow::new(targets::single(&m, s));
        let mut error_of = |(a, b): (f64, f64)| {
            let mut x = at(a);
            solver.travel(&mut x, (a, b), steps, |x, t, v| flow.velocity(x, t, v));
            error(&x, &at(b))
        };
        let errors = [error_of((from, to)), error_of((to, from))];
        assert_eq!(flow.evaluations(), (2 * steps * solver.stages()) as u64);
        errors
    }

    #[test]
    fn orders_to_the_known_flow_of_a_gaussian_in_both_directions() {
        for solver in ALL {
            let (coarse, fine) = (gaussian_errors(solver, (0.1, 0.7), 80), gaussian_errors(solver, (0.1, 0.7), 160));
            // The standard deviation y has y² quadratic in t, so y''' = -3 y' y''/y, and with it the leading error of the
            // midpoint rule vanishes.
            let expected = if solver == FlowSolver::Taylor { 3.0 } else { f64::from(solver.order()) };
            for (a, b) in coarse.iter().zip(&fine) {
                let order = (a / b).log2();
                assert!((order - expected).abs() < 0.2, "{solver:?}: {order}");
            }
        }
    }

    #[test]
    fn orders_to_a_mixture() {
        let wide = targets::ring(8, 1.4, 0.5);
        let mut flow = RectifiedFlow::new(wide.clone());
        let data = wide.sample(40, 1.0, 0.0, &Philox::new(2), Stream::Data);
        let mut end = |solver: FlowSolver, steps| {
            let mut x = data.clone();
            solver.travel(&mut x, (0.9, 0.1), steps, |x, t, v| flow.velocity(x, t, v));
            x
        };
        let fine = end(FlowSolver::RungeKutta4, 1000);
        for solver in ALL {
            let order = (error(&end(solver, 80), &fine) / error(&end(solver, 160), &fine)).log2();
            assert!((order - f64::from(solver.order())).abs() < 0.3, "{solver:?}: {order}");
        }
    }

    #[test]
    fn the_taylor_step_is_the_midpoint_rule_of_the_sampler() {
        let (ring, start, steps) = (targets::ring(8, 2.0, 0.15), noise(60), 12);
        let schedule = Arc::new(CondOt);
        let nodes = grid(&*schedule, Spacing::Uniform, 0.99, 0.01, steps).unwrap();
        let rule = Box::new(RungeKutta::new(Tableau::MIDPOINT, Variable::Time));
        let mut sampler = Sampler::new(schedule, rule, &nodes, start.clone(), Philox::new(0));
        let mut model = MixtureModel::new(ring.clone());
        while sampler.step(&mut model).is_some() {}

        let mut flow = RectifiedFlow::new(ring);
        let mut end = |solver: FlowSolver| {
            let mut x = start.clone();
            solver.travel(&mut x, (0.01, 0.99), steps, |x, t, v| flow.velocity(x, t, v));
            x
        };
        assert!(error(&end(FlowSolver::Taylor), sampler.x()) < 1e-12);
        // Seen to fail: another method of the same order.
        assert!(error(&end(FlowSolver::Heun), sampler.x()) > 1e-3);
    }

    #[test]
    fn a_wrong_derivative_lowers_the_order() {
        // v = t x: x(1) = x(0) e^{1/2}. The planted fault divides by the whole step instead of the half.
        let field = |x: &Batch<f64>, t: f64, v: &mut Batch<f64>| v.assign(t, x, &[]);
        let ends = |steps: usize| {
            let mut right = Batch::from_points(1, &[1.0]);
            FlowSolver::Taylor.travel(&mut right, (0.0, 1.0), steps, field);
            let mut wrong = Batch::from_points(1, &[1.0]);
            let h = 1.0 / steps as f64;
            for k in 0..steps {
                let t = h * k as f64;
                let before = wrong.clone();
                FlowSolver::Taylor.step(&mut wrong, t, h, field);
                // Half of the second-order term taken back.
                let mut euler = before;
                FlowSolver::Euler.step(&mut euler, t, h, field);
                wrong.combine(0.5, &[(0.5, &euler)]);
            }
            [right, wrong].map(|x| (x.data()[0] - 0.5f64.exp()).abs())
        };
        let (a, b) = (ends(40), ends(80));
        assert!((1.8..2.2).contains(&(a[0] / b[0]).log2()), "{a:?} {b:?}");
        assert!((a[1] / b[1]).log2() < 1.2, "{a:?} {b:?}");
    }

    #[test]
    fn a_fine_round_trip_returns() {
        let (ring, steps) = (targets::ring(8, 2.0, 0.15), 200);
        let mut flow = RectifiedFlow::new(ring.clone());
        let data = ring.sample(100, 1.0, 0.0, &Philox::new(2), Stream::Data);
        let mut x = data.clone();
        FlowSolver::RungeKutta4.travel(&mut x, (1.0, 0.0), steps, |x, t, v| flow.velocity(x, t, v));
        // Noise in between: not where it came from.
        assert!(error(&x, &data) > 0.5);
        FlowSolver::RungeKutta4.travel(&mut x, (0.0, 1.0), steps, |x, t, v| flow.velocity(x, t, v));
        assert!(error(&x, &data) < 1e-5, "{}", error(&x, &data));
    }
}
