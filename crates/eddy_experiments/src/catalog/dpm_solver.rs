//@ feature: sampler
//! # Solve exactly what is linear
//!
//! The flow that turns noise into data, $\dot x = f(t)\,x + \frac{g^2(t)}{2\sigma_t}\,\epsilon(x, t)$, is linear except
//! for the network $\epsilon$. In the variable $\lambda = \ln(\alpha_t/\sigma_t)$ its solution is exactly
//!
//! $$x_t = \frac{\alpha_t}{\alpha_s}\,x_s - \alpha_t \int_{\lambda_s}^{\lambda_t} e^{-\lambda}\,\epsilon_\lambda\,d\lambda,$$
//!
//! so only $\epsilon$ has to be approximated. Holding it constant over a step gives DDIM; expanding it to first and second
//! order in $h = \lambda_t - \lambda_s$ gives DPM-Solver-2 and -3 at two and three evaluations per step. Here the data are
//! eight Gaussians, so $\epsilon$ is known exactly and every error you see is the solver's.
//!
//! Watch the curve below the stage: at ten evaluations DDIM is still ahead. The higher orders win from about twenty on, and
//! then quickly. Try the quadratic grid, where DDIM is at its best, and steps uniform in $t$, where all of them suffer.

use eddy_spec::{
    Arm, Axis, Bound, Citation, Claim, Cost, Counter, Drawing, EddyError, Measured, Metric, Test, ViewSpec, params,
};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::sampler::{self, BUDGETS, Grid, Noise, Setup, Solver, Sweep, Target, drawn, modes},
};

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::DpmSolver3 => choice().group("Sampler"),
    /// Evaluations. Function evaluations allowed per sample; a solver uses at most that many.
    evaluations: u32 = 40 => steps(1, 250).symbol("N").group("Sampler"),
    /// Time grid. Where the steps lie between noise and data.
    grid: Grid = Grid::LogSnr => choice().group("Sampler"),
    /// Target.
    target: Target = Target::Ring => choice().group("Data"),
    /// Modes. Drag the circles on the picture, draw to add some, Delete removes one; or write x y, a width, a weight.
    modes: String = modes::DEFAULT.to_owned() => expression(modes::LONGEST).group("Data").only_when("target", &["own"]),
    /// Drawing. The density of the samples: draw it on the pad.
    drawing: Drawing = drawn::default() => drawn::pad().group("Data").only_when("target", &["drawn"]),
    /// Radius of the ring.
    radius: f64 = 1.4 => range(0.2, 2.0).symbol("R").group("Data").only_when("target", &["ring"]),
    /// Width of a mode. Standard deviation of each Gaussian.
    sd: f64 = 0.1 => log(0.02, 0.5).symbol("s").group("Data").only_when("target", Target::WITH_SD),
    /// Noise schedule.
    schedule: Noise = Noise::VpLinear => choice().group("Data"),
    /// Particles.
    particles: u32 = 2000 => steps(50, 50_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Error curve. Measures the sampler at other budgets after the run.
    curve: bool = true => toggle().group("Run"),
} }

pub struct DpmSolver;

/// Slope of ln(error) over ln(evaluations) between the arms at 24 and at 96 evaluations.
fn slope(m: &Measured, at_24: &str, at_96: &str) -> f64 {
    (m.mean(at_96, "error") / m.mean(at_24, "error")).ln() / 4.0_f64.ln()
}

impl Experiment for DpmSolver {
    type Params = Params;
    const TITLE: &'static str = "DPM-Solver: exponential integrators for diffusion";
    const SUMMARY: &'static str =
        "Particles flow from noise to eight Gaussians; the order of the solver shows in the curve.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 31,
        key: "lu2022dpm",
        authors: "Cheng Lu and Yuhao Zhou and Fan Bao and Jianfei Chen and Chongxuan Li and Jun Zhu",
        title: "DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 Steps",
        venue: "NeurIPS",
        year: 2022,
        url: "https://arxiv.org/abs/2206.00927",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[sampler::ERROR, sampler::MEDIAN, sampler::WASSERSTEIN, sampler::EVALUATIONS];
    const VIEWS: &'static [ViewSpec] = &[sampler::PARTICLES, sampler::CURVE_ERROR, sampler::STABILITY];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "DDIM", change: "sampler=ddim" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "On the 8-Gaussian VP mixture with exact score and uniform-lambda steps the paired error slope between 24 and 96 NFE is <= -1.6 (DPM-2) and <= -2.1 (DPM-3) against >= -1.3 for DDIM, and at 40 NFE DPM-2 <= 0.5x and DPM-3 <= 0.35x DDIM's error.",
        arms: &[
            Arm { name: "DDIM, 24", setting: "sampler=ddim&evaluations=24&curve=off" },
            Arm { name: "DDIM, 40", setting: "sampler=ddim&evaluations=40&curve=off" },
            Arm { name: "DDIM, 96", setting: "sampler=ddim&evaluations=96&curve=off" },
            Arm { name: "DPM-2, 24", setting: "sampler=dpm-solver-2&evaluations=24&curve=off" },
            Arm { name: "DPM-2, 40", setting: "sampler=dpm-solver-2&evaluations=40&curve=off" },
            Arm { name: "DPM-2, 96", setting: "sampler=dpm-solver-2&evaluations=96&curve=off" },
            Arm { name: "DPM-3, 24", setting: "sampler=dpm-solver-3&evaluations=24&curve=off" },
            Arm { name: "DPM-3, 40", setting: "sampler=dpm-solver-3&evaluations=40&curve=off" },
            Arm { name: "DPM-3, 96", setting: "sampler=dpm-solver-3&evaluations=96&curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "slope of DPM-2",
                measure: |m| slope(m, "DPM-2, 24", "DPM-2, 96"),
                bound: Bound::AtMost(-1.6),
                unit: "",
            },
            Test {
                label: "slope of DPM-3",
                measure: |m| slope(m, "DPM-3, 24", "DPM-3, 96"),
                bound: Bound::AtMost(-2.1),
                unit: "",
            },
            Test {
                label: "slope of DDIM",
                measure: |m| slope(m, "DDIM, 24", "DDIM, 96"),
                bound: Bound::AtLeast(-1.3),
                unit: "",
            },
            Test {
                label: "DPM-2 / DDIM at 40 evaluations",
                measure: |m| m.ratio("DPM-2, 40", "DDIM, 40", "error"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
            Test {
                label: "DPM-3 / DDIM at 40 evaluations",
                measure: |m| m.ratio("DPM-3, 40", "DDIM, 40", "error"),
                bound: Bound::AtMost(0.35),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "With steps uniform in t the last step of λ is too long for the higher orders at 40 evaluations.",
            arms: &[],
            change: "grid=uniform",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let setup = Setup {
            grid: p.grid,
            solver: p.sampler,
            evaluations: p.evaluations,
            particles: p.particles,
            seed: p.seed,
            sweep: if p.curve { Sweep::Evaluations(BUDGETS) } else { Sweep::None },
            ..Setup::new(p.target.law(p.radius, p.sd, &p.modes, &p.drawing)?, p.schedule, Self::METRICS)
        };
        sampler::start(setup, context)
    }
}
