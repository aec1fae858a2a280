//@ feature: pinn
//! $u_t + \beta u_\xi = 0$ on a circle of length $2\pi$ from $u = \sin \xi$ only moves: $u = \sin(\xi - \beta t)$. For a network it is
//! hard as soon as $\beta$ is large. At late times nothing but the residual says how far the wave has come, and $u = 0$ has none;
//! a plain network settles there. This is the first example of the failures that Krishnapriyan et al. (2021) describe, and
//! a standard test since, at $\beta = 30$ and $50$.
//!
//! With causal weights the network fits one moment after the other, from the start that it knows:
//!
//! $$w_i = \exp\Big(-\varepsilon\,\frac1N\sum_{k<i}\mathcal L(t_k)\Big)$$
//!
//! Drawn is $x = \xi/\pi - 1$, from $-1$ to $1$. The period is exact, as the network sees $x$ only through $\sin k\pi x$ and $\cos
//! k\pi x$; the start is exact through $u = \sin \pi x + t\,N(t, x)$. The reference is the closed form.

use std::f64::consts::PI;

use eddy_nets::{Activation, Architecture, Features, Linear};
use eddy_spec::{
    Arm, Axis, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Test, ViewSpec, choice, params,
};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::pinn::{
        self, Training, Weighting,
        line::{Jet, LineEquation, LineProblem, Strip},
    },
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
    /// First strictness. The stages use this, ten times this and a hundred times this.
    epsilon: f64 = 0.1 => log(1e-6, 1e3).symbol("\\varepsilon").group("training").only_when("weights", &["causal"]),
    /// Speed of the wave, in radians per unit of time.
    speed: f64 = 30.0 => range(0.0, 60.0).symbol("\\beta").group("problem"),
    /// Times per step. Each has 32 positions.
    times: u32 = 32 => steps(8, 128).group("training"),
    /// Training steps.
    steps: u32 = 10_000 => steps(100, 100_000).group("training"),
    /// Learning rate. It falls by a tenth with every twentieth of the steps.
    rate: f64 = 3e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training"),
    /// Units of a hidden layer.
    width: u32 = 48 => steps(8, 96).group("network"),
    /// Hidden layers.
    layers: u32 = 3 => steps(1, 6).group("network"),
    /// Wavenumbers in x that the network sees.
    waves: u32 = 1 => steps(1, 16).group("network"),
    /// Seed of the network and of the points.
    seed: u32 = 1 => seed(),
} }

pub struct PinnConvection;

impl Experiment for PinnConvection {
    type Params = Params;
    const TITLE: &'static str = "Convection: where plain networks fail";
    const SUMMARY: &'static str = "A wave only moves, and a network that minimises the residual everywhere loses it.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] = pinn::METRICS;
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "u",
            "solution",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("value", "u"),
            ColorMap::Diverging,
        ),
        ViewSpec::lines("profile", "profiles", Axis::linear("position", "x"), Axis::linear("value", "u")),
        ViewSpec::field(
            "difference",
            "error",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("difference", "u - u_{exact}"),
            ColorMap::Diverging,
        ),
        pinn::WEIGHTS_VIEW,
        pinn::RESIDUAL_VIEW,
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "uniform weights", change: "weights=uniform" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At speeds 30 and 50 the causally trained network is within 1% of the exact wave, where the same network \
                   with uniform weights misses it at 30 by more than half.",
        arms: &[
            Arm { name: "30", setting: "speed=30" },
            Arm { name: "50", setting: "speed=50" },
            Arm { name: "uniform", setting: "speed=30&weights=uniform" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "largest relative error at speed 30",
                measure: |m| m.max("30", "error"),
                bound: Bound::AtMost(0.01),
                unit: "",
            },
            Test {
                label: "largest relative error at speed 50",
                measure: |m| m.max("50", "error"),
                bound: Bound::AtMost(0.01),
                unit: "",
            },
            Test {
                label: "smallest relative error, uniform weights, speed 30",
                measure: |m| m.min("uniform", "error"),
                bound: Bound::AtLeast(0.5),
                unit: "",
            },
        ],
        counter: Counter {
            why: "With a strictness of 1e-6 all weights are one, so nothing is causal.",
            arms: &["30", "50"],
            change: "epsilon=1e-6",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let strip = Strip { end: 1.0, times: p.times as usize, positions: 32, rows: 101, columns: 129 };
        let architecture = Architecture {
            inputs: 2,
            features: Features {
                linear: vec![Linear { input: 0, center: 0.5, scale: 2.0 }],
                waves: (1..=p.waves).map(|k| vec![0.0, f64::from(k) * PI]).collect(),
            },
            hidden: vec![p.width as usize; p.layers as usize],
            outputs: 1,
            activation: Activation::Tanh,
        };
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
        let exact = |k: usize| wave(p.speed, strip.row_time(k / strip.columns), strip.column_position(k % strip.columns));
        let reference = (0..strip.rows * strip.columns).map(exact).collect();
        let equation = Convection { speed: p.speed };
        pinn::start(LineProblem::new(equation, architecture, strip, p.seed, reference), training, context)
    }
}

fn wave(speed: f64, t: f64, x: f64) -> f64 {
    (PI * x - speed * t).sin()
}

struct Convection {
    /// In radians per unit of time; x runs from −1 to 1 around the circle.
    speed: f64,
}

impl LineEquation for Convection {
    fn envelope(&self, t: f64, x: f64) -> (Jet, Jet) {
        let (sin, cos) = (PI * x).sin_cos();
        ([sin, 0.0, PI * cos, -PI * PI * sin], [t, 1.0, 0.0, 0.0])
    }
    fn residual(&self, [_, ut, ux, _]: Jet) -> (f64, Jet) {
        let c = self.speed / PI;
        (ut + c * ux, [0.0, 1.0, c, 0.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_equals_central_differences() {
        let strip = Strip { end: 1.0, times: 5, positions: 7, rows: 3, columns: 129 };
        let mut architecture = Architecture::dense(2, &[6, 5], 1, Activation::Tanh);
        architecture.features.waves = vec![vec![0.0, PI]];
        pinn::check_gradient(&LineProblem::new(Convection { speed: 3.0 }, architecture, strip, 3, vec![0.0; 3 * 129]));
    }

    #[test]
    fn the_exact_wave_has_no_residual_and_meets_the_start() {
        let equation = Convection { speed: 30.0 };
        for (t, x) in [(0.0, 0.3), (0.4, -0.7), (1.0, 0.9)] {
            let (sin, cos) = (PI * x - 30.0 * t).sin_cos();
            let (residual, _) = equation.residual([sin, -30.0 * cos, PI * cos, -PI * PI * sin]);
            assert!(residual.abs() < 1e-12, "{residual}");
            // A wave of another speed has one.
            let (other, _) = Convection { speed: 29.0 }.residual([sin, -30.0 * cos, PI * cos, 0.0]);
            assert!(other.abs() > 0.1 * cos.abs(), "{other}");
            assert!((equation.envelope(0.0, x).0[0] - wave(30.0, 0.0, x)).abs() < 1e-15);
        }
    }
}
