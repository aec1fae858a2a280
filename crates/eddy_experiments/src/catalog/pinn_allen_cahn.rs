//@ feature: pinn
//! $u_t = 10^{-4} u_{xx} + 5u - 5u^3$, periodic, from $u = x^2 \cos \pi x$: the reaction drives $u$ to $\pm 1$ and leaves thin walls. A
//! plain network that minimises the residual at all times at once stays far from the solution, since near $u = 0$ any slow
//! function has a small residual. With causal weights the network first fits the early times, then the later ones:
//!
//! $$w_i = \exp\Big(-\varepsilon\,\frac1N\sum_{k<i}\mathcal L(t_k)\Big)$$
//!
//! Periodicity is exact, as the network sees $x$ only through $\sin k\pi x$ and $\cos k\pi x$; the start is exact through
//! $u = x^2\cos \pi x + t\,N(t, x)$. The reference is a spectral ETDRK4 computation with 512 points.
//!
//! This is the second example of Wang, Sankaran and Perdikaris (2024), on a network small enough for a browser.

use std::f64::consts::PI;

use eddy_nets::{Activation, Architecture, Features, Linear};
use eddy_numerics::{
    Complex,
    space::{fft::RealFft, grid::Periodic},
    time::etdrk::{Etdrk, EtdrkOrder, SplitTerm},
};
use eddy_spec::{Axis, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

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
    /// First strictness. The stages use this, ten times this and a hundred times this. The slow function near zero has a mean
    /// squared residual of 0.007: below about 100 the weights do not see it.
    epsilon: f64 = 300.0 => log(1e-6, 1e3).symbol("\\varepsilon").group("training").only_when("weights", &["causal"]),
    /// Diffusivity.
    diffusivity: f64 = 1e-4 => log(1e-4, 1e-1).symbol("D").group("problem"),
    /// Times per step. Each has 32 positions.
    times: u32 = 32 => steps(8, 128).group("training"),
    /// Training steps.
    steps: u32 = 10_000 => steps(100, 100_000).group("training"),
    /// Learning rate. It falls by a tenth with every twentieth of the steps.
    rate: f64 = 2e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training"),
    /// Units of a hidden layer.
    width: u32 = 48 => steps(8, 96).group("network"),
    /// Hidden layers.
    layers: u32 = 3 => steps(1, 6).group("network"),
    /// Wavenumbers that the network sees.
    waves: u32 = 6 => steps(1, 16).group("network"),
    /// Seed of the network and of the points.
    seed: u32 = 1 => seed(),
} }

pub struct PinnAllenCahn;

impl Experiment for PinnAllenCahn {
    type Params = Params;
    const TITLE: &'static str = "Allen-Cahn by a causal network";
    const SUMMARY: &'static str = "Walls form between two phases; a network finds them only in the order of time.";
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
        ViewSpec::field(
            "u",
            "solution",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("phase", "u"),
            ColorMap::Diverging,
        ),
        ViewSpec::lines("profile", "profiles", Axis::linear("position", "x"), Axis::linear("phase", "u")),
        ViewSpec::field(
            "difference",
            "error",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("difference", "u - u_{ref}"),
            ColorMap::Diverging,
        ),
        pinn::WEIGHTS_VIEW,
        pinn::RESIDUAL_VIEW,
        pinn::insight::points_spec(Axis::linear("position", "x"), Axis::linear("time", "t")),
        pinn::insight::SPECTRUM_VIEW,
        pinn::insight::KERNEL_VIEW,
        pinn::insight::GRADIENTS_VIEW,
        pinn::insight::neurons_spec(Axis::linear("position", "x")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "uniform weights", change: "weights=uniform" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let strip = Strip { end: 1.0, times: p.times as usize, positions: 32, rows: 51, columns: 129 };
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
        let equation = AllenCahn { diffusivity: p.diffusivity };
        let reference = reference(p.diffusivity, &strip, 20);
        pinn::start(LineProblem::new(equation, architecture, strip, p.seed, reference), training, context)
    }
}

struct AllenCahn {
    diffusivity: f64,
}

impl LineEquation for AllenCahn {
    fn envelope(&self, t: f64, x: f64) -> (Jet, Jet) {
        let (sin, cos) = (PI * x).sin_cos();
        let slope = 2.0 * x * cos - PI * x * x * sin;
        let curvature = (2.0 - PI * PI * x * x) * cos - 4.0 * PI * x * sin;
        ([x * x * cos, 0.0, slope, curvature], [t, 1.0, 0.0, 0.0])
    }
    fn viscosity(&self) -> f64 {
        self.diffusivity
    }
    fn residual(&self, [u, _, rest]: [f64; 3]) -> (f64, [f64; 3]) {
        (rest + 5.0 * (u * u * u - u), [5.0 * (3.0 * u * u - 1.0), 0.0, 1.0])
    }
}

/// û' = −D k² û + FFT(5u − 5u³), not truncated: the walls, some √D wide, are resolved.
struct Spectral {
    fft: RealFft<f64>,
    symbol: Vec<Complex<f64>>,
    u: Vec<f64>,
}

impl SplitTerm<f64> for Spectral {
    fn modes(&self) -> usize {
        self.symbol.len()
    }
    fn symbol(&self) -> Vec<Complex<f64>> {
        self.symbol.clone()
    }
    fn nonlinear(&mut self, _: f64, u_hat: &[Complex<f64>], out: &mut [Complex<f64>]) {
        self.fft.inverse(u_hat, &mut self.u);
        for u in &mut self.u {
            *u = 5.0 * (*u - *u * *u * *u);
        }
        self.fft.forward(&self.u, out);
    }
}

/// The solution on the strip's grid by ETDRK4 on 512 points, `steps` steps per row.
fn reference(diffusivity: f64, strip: &Strip, steps: usize) -> Vec<f64> {
    let grid = Periodic::centred(512, 2.0);
    let mut term = Spectral {
        fft: RealFft::new(grid.points),
        symbol: grid.wavenumbers_half().into_iter().map(|k| Complex::from(-diffusivity * k * k)).collect(),
        u: vec![0.0; grid.points],
    };
    let mut u: Vec<f64> = grid.xs().into_iter().map(|x| x * x * (PI * x).cos()).collect();
    let mut u_hat = vec![Complex::default(); term.modes()];
    term.fft.forward(&u, &mut u_hat);
    let dt = strip.end / ((strip.rows - 1) * steps) as f64;
    let mut stepper = Etdrk::<f64>::new(EtdrkOrder::Four, &term.symbol, dt);
    let stride = grid.points / (strip.columns - 1);
    let mut out = Vec::with_capacity(strip.rows * strip.columns);
    for row in 0..strip.rows {
        if row > 0 {
            for _ in 0..steps {
                stepper.step(&mut term, 0.0, &mut u_hat);
            }
            term.fft.inverse(&u_hat, &mut u);
        }
        out.extend((0..strip.columns).map(|i| u[i * stride % grid.points]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_equals_central_differences() {
        let strip = Strip { end: 1.0, times: 5, positions: 7, rows: 3, columns: 129 };
        let mut architecture = Architecture::dense(2, &[6, 5], 1, Activation::Tanh);
        architecture.features.waves = vec![vec![0.0, PI]];
        let equation = AllenCahn { diffusivity: 0.05 };
        pinn::check_gradient(&LineProblem::new(equation, architecture, strip, 3, vec![0.0; 3 * 129]));
    }

    #[test]
    fn reference_converges_and_walls_stand_at_equilibrium() {
        let strip = Strip { end: 1.0, times: 8, positions: 8, rows: 11, columns: 129 };
        let worst = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let fine = reference(1e-4, &strip, 80);
        let [coarse, middle] = [10, 20].map(|steps| worst(&reference(1e-4, &strip, steps), &fine));
        // Fourth order in the step; the finest run is the truth here.
        assert!(middle < 1e-7 && (10.0..25.0).contains(&(coarse / middle)), "{coarse:e} {middle:e}");
        // Where diffusion does not reach the reaction alone has a closed form: u² = u₀² / (u₀² + (1 − u₀²) e^{−10t}).
        let (u0, x) = (reference(1e-4, &strip, 1)[80], strip.column_position(80));
        assert!((u0 - x * x * (PI * x).cos()).abs() < 1e-12);
        let flat = 10 * 129 + 64;
        assert!(fine[flat].abs() < 0.2, "the middle starts at zero and leaves it only by diffusion: {}", fine[flat]);
        let end = fine[10 * 129];
        assert!((end + 1.0).abs() < 0.05, "the ends rest at −1: {end}");
    }
}
