//@ feature: pinn
//! The classical test of physics-informed networks: $u_t + u\,u_x = \nu\,u_{xx}$ on $[-1, 1]$ with $u = -\sin \pi x$ at the start and
//! $u = 0$ at both ends. No data: the network sees only the equation, at 2,048 fresh random points per step.
//!
//! Start and ends hold exactly, because the solution is written as $u = -\sin \pi x + t\,(1 - x^2)\,N(t, x)$. The derivatives of $N$
//! are carried through the network together with its value. The exact solution (the substitution of Cole and Hopf) is
//! shown dashed.
//!
//! On the GPU the steps take their points from 64 such sets in turn.
//!
//! What to look for: the outer parts fit within a few hundred steps, the front at $x = 0$ comes last, and the remaining error sits
//! there. A larger viscosity is easier.

use std::f64::consts::PI;

use eddy_nets::{Activation, Architecture, Features, Linear, gpu::LineResidual};
use eddy_spec::{Axis, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::pinn::{
        self, Training, Weighting,
        line::{Jet, LineEquation, LineProblem, Strip},
    },
};

choice! { pub enum Nonlinearity {
    /// tanh
    Tanh = "tanh",
    /// sine
    Sin = "sin",
    /// GELU
    Gelu = "gelu",
} }

impl Nonlinearity {
    fn activation(self) -> Activation {
        match self {
            Self::Tanh => Activation::Tanh,
            Self::Sin => Activation::Sin,
            Self::Gelu => Activation::Gelu,
        }
    }
}

params! { pub struct Params {
    /// Viscosity.
    viscosity: f64 = 0.01 / PI => log(3e-3, 1.0).symbol("\\nu").group("problem"),
    /// Units of a hidden layer. Up to 64 on the GPU.
    width: u32 = 32 => steps(4, 96).group("network"),
    /// Hidden layers.
    layers: u32 = 4 => steps(1, 8).group("network"),
    /// Activation. GELU trains on the CPU only.
    activation: Nonlinearity = Nonlinearity::Tanh => choice().group("network"),
    /// Times per step. Each has 32 positions.
    times: u32 = 64 => steps(8, 128).group("training"),
    /// Training steps.
    steps: u32 = 5_000 => steps(100, 50_000).group("training"),
    /// Learning rate. It falls by a tenth with every twentieth of the steps.
    rate: f64 = 3e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training"),
    /// Seed of the network and of the points.
    seed: u32 = 1 => seed(),
} }

pub struct PinnBurgers;

impl Experiment for PinnBurgers {
    type Params = Params;
    const TITLE: &'static str = "Burgers by a network";
    const SUMMARY: &'static str = "A network learns a steepening front from the equation alone.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] = pinn::METRICS;
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("profile", "profiles", Axis::linear("position", "x"), Axis::linear("velocity", "u")),
        ViewSpec::field(
            "u",
            "solution",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("velocity", "u"),
            ColorMap::Diverging,
        ),
        ViewSpec::field(
            "difference",
            "error",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("difference", "u - u_{exact}"),
            ColorMap::Diverging,
        ),
        pinn::RESIDUAL_VIEW,
        pinn::insight::points_spec(Axis::linear("position", "x"), Axis::linear("time", "t")),
        pinn::insight::SPECTRUM_VIEW,
        pinn::insight::KERNEL_VIEW,
        pinn::insight::GRADIENTS_VIEW,
        pinn::insight::neurons_spec(Axis::linear("position", "x")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "one hidden layer", change: "layers=1" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let strip = Strip { end: 1.0, times: p.times as usize, positions: 32, rows: 41, columns: 129 };
        let reference = (0..strip.rows * strip.columns)
            .map(|k| {
                cole_hopf(strip.row_time(k / strip.columns), strip.column_position(k % strip.columns), p.viscosity)
            })
            .collect();
        let linear = vec![Linear { input: 0, center: 0.5, scale: 2.0 }, Linear { input: 1, center: 0.0, scale: 1.0 }];
        let architecture = Architecture {
            inputs: 2,
            features: Features { linear, waves: Vec::new() },
            hidden: vec![p.width as usize; p.layers as usize],
            outputs: 1,
            activation: p.activation.activation(),
        };
        let equation = Burgers { viscosity: p.viscosity };
        let training = Training {
            weighting: Weighting::Uniform,
            steps: u64::from(p.steps),
            seed: p.seed,
            rate: p.rate,
            decay: (0.9, 0.05),
            record_every: 20,
        };
        pinn::start_line(LineProblem::new(equation, architecture, strip, p.seed, reference), training, context)
    }
}

struct Burgers {
    viscosity: f64,
}

impl LineEquation for Burgers {
    fn envelope(&self, t: f64, x: f64) -> (Jet, Jet) {
        let (sin, cos) = (PI * x).sin_cos();
        let hat = 1.0 - x * x;
        ([-sin, 0.0, -PI * cos, PI * PI * sin], [t * hat, hat, -2.0 * t * x, -2.0 * t])
    }
    fn viscosity(&self) -> f64 {
        self.viscosity
    }
    fn residual(&self, [u, ux, rest]: [f64; 3]) -> (f64, [f64; 3]) {
        (rest + u * ux, [ux, u, 1.0])
    }
    fn on_gpu(&self) -> Option<LineResidual> {
        Some(LineResidual { advection: 1.0, diffusion: self.viscosity as f32, reaction: 0.0 })
    }
}

/// The exact solution at (t, x) for the start −sin πx (Cole 1951, Hopf 1950): with s = η/√(4νt),
/// u = −∫ sin(π(x−η)) f(x−η) e^{−s²} ds / ∫ f(x−η) e^{−s²} ds, f(y) = exp(−cos(πy)/(2πν)), by the trapezoidal rule, which
/// converges faster than any power for such integrands. Error below 1e-10 for ν ≥ 0.003, where f spans e^{106}.
fn cole_hopf(t: f64, x: f64, viscosity: f64) -> f64 {
    if t == 0.0 {
        return -(PI * x).sin();
    }
    let width = (4.0 * viscosity * t).sqrt();
    // The exponents of f reach ±1/(2πν); those of the Gaussian must outweigh both, and 40 more.
    let reach = (40.0 + 1.0 / (PI * viscosity)).sqrt();
    // f changes over a width of about √(2ν/π) in y: thirteen points over it, and over the Gaussian's own.
    let step = (0.08 * (1.0f64).min((2.0 * viscosity / PI).sqrt() / width)).max(0.005);
    let count = (reach / step).ceil() as i32;
    let (mut above, mut below) = (0.0, 0.0);
    for i in -count..=count {
        let s = step * f64::from(i);
        let (sin, cos) = (PI * (x - width * s)).sin_cos();
        // Relative to the largest possible f, so that nothing overflows.
        let weight = (-(cos + 1.0) / (2.0 * PI * viscosity) - s * s).exp();
        above -= sin * weight;
        below += weight;
    }
    above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_equals_central_differences() {
        let strip = Strip { end: 1.0, times: 5, positions: 7, rows: 3, columns: 9 };
        let architecture = Architecture::dense(2, &[6, 5], 1, Activation::Sin);
        let equation = Burgers { viscosity: 0.1 };
        pinn::check_gradient(&LineProblem::new(equation, architecture, strip, 3, vec![0.0; 27]));
    }

    #[test]
    fn reference_has_the_published_slope_and_solves_the_equation() {
        let nu = 0.01 / PI;
        // Basdevant et al. 1986: |u_x(0)| is largest, 152.00516, at t = 1.6037/π; from Cole-Hopf 152.00504.
        let h = 1e-5;
        let slope = (cole_hopf(1.6037 / PI, h, nu) - cole_hopf(1.6037 / PI, -h, nu)) / (2.0 * h);
        assert!((slope + 152.005).abs() < 0.01, "{slope}");
        // The equation by central differences where the solution is smooth, with the sign of diffusion as a fault.
        let (t, x, h) = (0.4, 0.3, 1e-3);
        for (nu, scale) in [(0.05, 1.0), (0.05, -1.0)] {
            let u = |dt: f64, dx: f64| cole_hopf(t + dt * h, x + dx * h, nu);
            let residual = (u(1.0, 0.0) - u(-1.0, 0.0)) / (2.0 * h)
                + u(0.0, 0.0) * (u(0.0, 1.0) - u(0.0, -1.0)) / (2.0 * h)
                - scale * nu * (u(0.0, 1.0) - 2.0 * u(0.0, 0.0) + u(0.0, -1.0)) / (h * h);
            assert_eq!(residual.abs() < 1e-4, scale > 0.0, "{residual}");
        }
        assert!(cole_hopf(0.7, 1.0, nu).abs() < 1e-9 && cole_hopf(0.7, 0.0, nu).abs() < 1e-9);
    }
}
