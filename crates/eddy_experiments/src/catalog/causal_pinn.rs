//@ feature: pinn
//! A network that minimises the residual of an evolution equation at all times at once can settle on a function that solves
//! the equation late, but from the wrong past. Causal training weighs the residual at each moment by how well everything
//! before it is solved:
//!
//! $$w_i = \exp\Big(-\varepsilon\,\frac1N\sum_{k<i}\mathcal L(t_k)\Big)$$
//!
//! Here the network learns two units of time of the Lorenz system, $\dot x = 10(y-x)$, $\dot y = x(28-z)-y$, $\dot z = xy -
//! \tfrac83 z$, from $(1,1,1)$, built in exactly as $u = u_0 + t\,N(t)$. Watch the front of the weights sweep to the right and the
//! curves lock on to the reference behind it. Set the weights to uniform and the same network with the same points and steps
//! ends on a smooth curve with a small residual nearly everywhere, which is not the solution.
//!
//! The *residual at the points* shows how: with uniform weights it stays large in the first tenth only, and the rest of the curve
//! obeys the equation from a wrong start. The *gradients by term* of causal training begin with the early third of the time; the
//! middle and the late one join in when their turn comes. The *neurons*, flat beyond the front, say the same.
//!
//! The residual is measured in the size of each coordinate. The strictness $\varepsilon$ grows tenfold from stage to stage; a stage ends when even the last weight exceeds 0.99.

use std::f64::consts::TAU;

use eddy_nets::{Activation, Architecture, Features, JetSpec, Linear, Real, Tile};
use eddy_numerics::time::{
    Stepper, Term,
    runge_kutta::{RK4, RungeKutta},
};
use eddy_spec::{
    Arm, Axis, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Role, Series, Test, ViewData, ViewSpec,
    choice, params,
};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::pinn::{self, Problem, Slices, Training, Weigher, Weighting, compared, insight},
};

choice! { pub enum Weights {
    /// causal
    Causal = "causal",
    /// uniform (the baseline)
    Uniform = "uniform",
} }

params! { pub struct Params {
    /// Weights in time.
    weights: Weights = Weights::Causal => choice().group("training"),
    /// First strictness. The stages use this, ten times this and a hundred times this. Below about 25 the front leaks and the
    /// network rests near the origin, where the residual is small too.
    epsilon: f64 = 50.0 => log(1e-6, 1e3).symbol("\\varepsilon").group("training").only_when("weights", &["causal"]),
    /// Duration. A longer orbit is harder: nearby Lorenz orbits separate about 2.5-fold in one unit of time.
    duration: f64 = 2.0 => range(0.5, 4.0).symbol("T").group("problem"),
    /// Points in time.
    points: u32 = 128 => steps(16, 1024).symbol("N").group("training"),
    /// Training steps.
    steps: u32 = 10_000 => steps(100, 50_000).group("training"),
    /// Learning rate. It falls by a tenth with every twentieth of the steps.
    rate: f64 = 2e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training"),
    /// Units of a hidden layer.
    width: u32 = 48 => steps(8, 128).group("network"),
    /// Hidden layers.
    layers: u32 = 3 => steps(1, 6).group("network"),
    /// Seed of the network.
    seed: u32 = 1 => seed(),
} }

pub struct CausalPinn;

impl Experiment for CausalPinn {
    type Params = Params;
    const TITLE: &'static str = "Causal training of a PINN";
    const SUMMARY: &'static str =
        "A network learns a Lorenz orbit from its equation, moment by moment, and fails without the order.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 125,
        key: "wang2024causality",
        authors: "Wang, Sifan and Sankaran, Shyam and Perdikaris, Paris",
        title: "Respecting causality is all you need for training physics-informed neural networks",
        venue: "Computer Methods in Applied Mechanics and Engineering 421",
        year: 2024,
        url: "https://arxiv.org/abs/2203.07404",
    }];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] = pinn::METRICS;
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("orbit", "orbit", Axis::linear("time", "t"), Axis::linear("state", "x, y, z")),
        pinn::WEIGHTS_VIEW,
        ViewSpec::lines("butterfly", "x and z", Axis::linear("x", "x"), Axis::linear("z", "z")),
        pinn::RESIDUAL_VIEW,
        insight::line_points_spec(Axis::linear("time", "t")),
        insight::SPECTRUM_VIEW,
        insight::KERNEL_VIEW,
        insight::GRADIENTS_VIEW,
        insight::neurons_spec(Axis::linear("time", "t")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "uniform weights", change: "weights=uniform" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With the same network, points and 10,000 steps, causal weights solve Lorenz over [0, 2] to 1%, where \
                   uniform weights stay above 50%, at a lower and a higher rate too.",
        arms: &[
            Arm { name: "causal", setting: "weights=causal" },
            Arm { name: "uniform", setting: "weights=uniform" },
            Arm { name: "uniform, lower rate", setting: "weights=uniform&rate=5e-4" },
            Arm { name: "uniform, higher rate", setting: "weights=uniform&rate=8e-3" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "largest relative error, causal",
                measure: |m| m.max("causal", "error"),
                bound: Bound::AtMost(0.01),
                unit: "",
            },
            Test {
                label: "error of causal over error of uniform",
                measure: |m| m.mean("causal", "error") / m.best(UNIFORM, "error"),
                bound: Bound::AtMost(0.05),
                unit: "×",
            },
            Test {
                label: "relative error, best of uniform",
                measure: |m| m.best(UNIFORM, "error"),
                bound: Bound::AtLeast(0.5),
                unit: "",
            },
        ],
        counter: Counter {
            why: "With a strictness of 1e-5 all weights are one, so nothing is causal.",
            arms: &["causal"],
            change: "epsilon=1e-5",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let weighting = match p.weights {
            Weights::Uniform => Weighting::Uniform,
            Weights::Causal => {
                Weighting::Causal { stages: [1.0, 10.0, 100.0].map(|k| k * p.epsilon).to_vec(), threshold: 0.99 }
            }
        };
        let training = Training {
            weighting,
            steps: u64::from(p.steps),
            seed: p.seed,
            rate: p.rate,
            decay: (0.9, 0.05),
            record_every: 20,
        };
        pinn::start(Lorenz::new(p), training, context)
    }
}

/// Uniform weights, at several rates.
const UNIFORM: &[&str] = &["uniform", "uniform, lower rate", "uniform, higher rate"];

const START: [f64; 3] = [1.0, 1.0, 1.0];
/// The size of each coordinate: the network's outputs and the residuals are measured in it.
const SCALE: [f64; 3] = [10.0, 10.0, 20.0];
const PROBES: usize = 401;

fn lorenz([x, y, z]: [f64; 3]) -> [f64; 3] {
    [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z]
}

struct LorenzTerm;

impl Term<f64> for LorenzTerm {
    type Value = f64;
    fn size(&self) -> usize {
        3
    }
    fn evaluate(&mut self, _: f64, y: &[f64], slope: &mut [f64]) {
        slope.copy_from_slice(&lorenz([y[0], y[1], y[2]]));
    }
}

struct Lorenz {
    architecture: Architecture,
    duration: f64,
    points: usize,
    probes: Vec<f64>,
    reference: Vec<f64>,
}

impl Lorenz {
    fn new(p: &Params) -> Self {
        let duration = p.duration;
        let features = Features {
            linear: vec![Linear { input: 0, center: duration / 2.0, scale: 2.0 / duration }],
            waves: (1..=4).map(|k| vec![TAU * f64::from(k) / duration]).collect(),
        };
        let architecture = Architecture {
            inputs: 1,
            features,
            hidden: vec![p.width as usize; p.layers as usize],
            outputs: 3,
            activation: Activation::Tanh,
        };
        let probes: Vec<f64> = (0..PROBES).map(|i| duration * i as f64 / (PROBES - 1) as f64).collect();
        // RK4 at a hundredth of the probes' spacing: its error, (1e-4)⁴ times e^{0.9 T}, is far below any network's.
        let mut state = START.to_vec();
        let mut reference = state.clone();
        let mut stepper = RungeKutta::new(&RK4, 3);
        let dt = duration / (100 * (PROBES - 1)) as f64;
        for step in 0..100 * (PROBES - 1) {
            stepper.step(&mut LorenzTerm, step as f64 * dt, dt, &mut state);
            if (step + 1).is_multiple_of(100) {
                reference.extend_from_slice(&state);
            }
        }
        Self { architecture, duration, points: p.points as usize, probes, reference }
    }
}

impl Problem for Lorenz {
    fn architecture(&self) -> Architecture {
        self.architecture.clone()
    }
    fn jets(&self) -> JetSpec {
        JetSpec::value(1).along(0)
    }
    fn slices(&self) -> Slices {
        Slices { count: self.points, points: 1, end: self.duration }
    }
    fn points(&self, _: u64, out: &mut [f64]) {
        for (i, t) in out.iter_mut().enumerate() {
            *t = self.duration * i as f64 / (self.points - 1) as f64;
        }
    }
    fn is_resampled(&self) -> bool {
        false
    }

    fn backward<T: Real>(&self, tile: &mut Tile<'_, T>, weigher: &mut Weigher) {
        let ts = tile.input(0);
        for i in 0..tile.len {
            let t = ts[i].to_f64();
            let n = [0, 1, 2].map(|o| tile.jet(o, 0)[i].to_f64());
            let n1 = [0, 1, 2].map(|o| tile.jet(o, 1)[i].to_f64());
            let u: [f64; 3] = std::array::from_fn(|o| START[o] + t * SCALE[o] * n[o]);
            let f = lorenz(u);
            let r: [f64; 3] = std::array::from_fn(|o| n[o] + t * n1[o] - f[o] / SCALE[o]);
            let squared = r.iter().map(|r| r * r).sum::<f64>() / 3.0;
            let factor = 2.0 / 3.0 * weigher.weigh(tile.start + i, squared);
            // Adjoints of the right-hand side's values, then through the transposed Jacobian of `lorenz`.
            let g: [f64; 3] = std::array::from_fn(|o| -factor * r[o] / SCALE[o]);
            let [x, y, z] = u;
            let state = [
                -10.0 * g[0] + (28.0 - z) * g[1] + y * g[2],
                10.0 * g[0] - g[1] + x * g[2],
                -x * g[1] - 8.0 / 3.0 * g[2],
            ];
            for o in 0..3 {
                tile.adjoint(o, 0)[i] = T::from_f64(factor * r[o] + t * SCALE[o] * state[o]);
                tile.adjoint(o, 1)[i] = T::from_f64(factor * r[o] * t);
            }
        }
    }

    fn probes(&self) -> &[f64] {
        &self.probes
    }
    fn solution(&self, point: &[f64], outputs: &[f64], solution: &mut [f64]) {
        for (o, u) in solution.iter_mut().enumerate() {
            *u = START[o] + point[0] * SCALE[o] * outputs[o];
        }
    }
    fn reference(&self) -> &[f64] {
        &self.reference
    }

    fn domain(&self) -> Vec<(f64, f64)> {
        vec![(0.0, self.duration)]
    }
    fn probe_lines(&self) -> Option<(usize, (f64, f64))> {
        Some((PROBES, (0.0, self.duration)))
    }

    fn view(&self, key: &str, solution: &[f64]) -> ViewData {
        match key {
            "orbit" => {
                let columns = [(0, "x", Role::Result), (1, "y", Role::Second), (2, "z", Role::Third)];
                let series = compared(&self.probes, solution, &self.reference, 3, &columns);
                ViewData::Lines { series, x: (0.0, self.duration), y: (-30.0, 55.0) }
            }
            "butterfly" => {
                let plane = |data: &[f64]| -> (Vec<f64>, Vec<f64>) { data.chunks(3).map(|u| (u[0], u[2])).unzip() };
                let ((xr, zr), (x, z)) = (plane(&self.reference), plane(solution));
                let series = vec![
                    Series::line("reference", Role::Reference, xr, zr),
                    Series::line("network", Role::Result, x, z),
                ];
                ViewData::Lines { series, x: (-25.0, 25.0), y: (-5.0, 55.0) }
            }
            _ => ViewData::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_equals_central_differences() {
        let p = Params { width: 8, layers: 2, points: 19, duration: 0.7, ..Params::default() };
        pinn::check_gradient(&Lorenz::new(&p));
    }

    #[test]
    fn reference_is_converged() {
        // A second path: the equation at the middle of each probe interval, by the sixth-order central difference.
        let lorenz_run = Lorenz::new(&Params::default());
        let u = |i: usize, o: usize| lorenz_run.reference[3 * i + o];
        let dt = lorenz_run.probes[1];
        for i in 3..PROBES - 3 {
            let f = lorenz([u(i, 0), u(i, 1), u(i, 2)]);
            for o in 0..3 {
                let d = |k: usize| u(i + k, o) - u(i - k, o);
                let slope = (45.0 * d(1) - 9.0 * d(2) + d(3)) / (60.0 * dt);
                // dt⁶/140 times a seventh derivative of about 20·20⁷.
                assert!(
                    (slope - f[o]).abs() < 1e-2 && (slope - f[o]).abs() < 1e-4 * (10.0 + f[o].abs()),
                    "{i} {o}: {slope} {}",
                    f[o]
                );
            }
        }
    }
}
