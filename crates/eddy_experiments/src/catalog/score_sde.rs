//@ feature: sampler
//! # One density, two ways to move
//!
//! Noise is added by $dx = f\,dt + g\,dW$. Two equations undo it with the same densities $p_t$: the reverse SDE
//! $dx = [f - g^2\,\nabla\ln p_t]\,dt + g\,d\bar W$, and the probability-flow ODE
//!
//! $$\dot x = f - \tfrac12\,g^2\,\nabla \ln p_t(x).$$
//!
//! The ODE is smooth, so an adaptive Runge-Kutta method needs few evaluations where Euler-Maruyama needs hundreds. And it is
//! invertible, so it gives the likelihood of any point, $\ln p_0(x_0) = \ln p_T(x_T) + \int \nabla\!\cdot\!(f - \frac12 g^2
//! \nabla\ln p_t)\,dt$, here with the exact divergence, next to the analytic density: compare the two maps.
//!
//! The distance to the target cannot fall below that of as many exact samples (the dashed line). RK45 and 200 steps of
//! Euler-Maruyama both reach it: with 400,000 particles both measure about 0.004, so which of them is ahead at the 20,000
//! of the claim is decided by the draw, and that part of the claim need not hold. With an exact score the corrector of a predictor-corrector sampler has nothing to
//! correct; it pays off with a learned one.

use eddy_spec::{Arm, Axis, Bound, Citation, Claim, Cost, Counter, Drawing, EddyError, Metric, Test, ViewSpec, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::sampler::{self, BUDGETS, Colour, Grid, Noise, Setup, Solver, SolverOptions, Sweep, Target, drawn, modes},
};

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::Rk45 => choice().group("Sampler"),
    /// Evaluations. Function evaluations allowed per sample; the adaptive solver stops here if it has not arrived.
    evaluations: u32 = 200 => steps(8, 1000).symbol("N").group("Sampler"),
    /// Tolerance. Error allowed per step of the adaptive solver, absolute and relative.
    tolerance: f64 = 1e-3 => log(1e-8, 1.0).group("Sampler").only_when("sampler", &["rk45"]),
    /// Corrector's signal-to-noise ratio.
    snr: f64 = 0.16 => range(0.01, 0.5).symbol("r").group("Sampler").only_when("sampler", &["predictor-corrector"]),
    /// Time grid. Where the steps lie between noise and data.
    grid: Grid = Grid::Uniform => choice().group("Sampler"),
    /// Target.
    target: Target = Target::Ring => choice().group("Data"),
    /// Modes. Drag the circles on the picture, draw to add some, Delete removes one; or write x y, a width, a weight.
    modes: String = modes::DEFAULT.to_owned() => expression(modes::LONGEST).group("Data").only_when("target", &["own"]),
    /// Drawing. The density of the samples: draw it on the pad.
    drawing: Drawing = drawn::default() => drawn::pad().group("Data").only_when("target", &["drawn"]),
    /// Radius of the ring.
    radius: f64 = 1.0 => range(0.2, 2.0).symbol("R").group("Data").only_when("target", &["ring"]),
    /// Width of a mode. Standard deviation of each Gaussian.
    sd: f64 = 0.1 => log(0.02, 0.5).symbol("s").group("Data").only_when("target", Target::WITH_SD),
    /// Noise schedule.
    schedule: Noise = Noise::VpLinear => choice().group("Data"),
    /// Tolerance of the likelihood.
    likelihood_tolerance: f64 = 1e-4 => log(1e-8, 1.0).group("Data"),
    /// Particles.
    particles: u32 = 2000 => steps(50, 50_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Error curve. Measures the sampler at other budgets after the run.
    curve: bool = true => toggle().group("Run"),
} }

pub struct ScoreSde;

impl Experiment for ScoreSde {
    type Params = Params;
    const TITLE: &'static str = "Score SDE: the probability-flow ODE";
    const SUMMARY: &'static str =
        "The same densities by a random walk and by a smooth flow, which also gives likelihoods.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 85,
        key: "song2021score",
        authors: "Yang Song and Jascha Sohl-Dickstein and Diederik P. Kingma and Abhishek Kumar and Stefano Ermon and Ben Poole",
        title: "Score-Based Generative Modeling through Stochastic Differential Equations",
        venue: "ICLR",
        year: 2021,
        url: "https://arxiv.org/abs/2011.13456",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] =
        &[sampler::WASSERSTEIN, sampler::WASSERSTEIN_FLOOR, sampler::LIKELIHOOD, sampler::EVALUATIONS];
    const VIEWS: &'static [ViewSpec] =
        &[sampler::PARTICLES_BY_DENSITY, sampler::LIKELIHOOD_MAP, sampler::DENSITY_MAP, sampler::CURVE_WASSERSTEIN];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "Euler-Maruyama", change: "sampler=euler-maruyama" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "On the 8-Gaussian with exact score, RK45 (tol 1e-3) on the probability-flow ODE uses <= 120 NFE, its sliced W2 is <= that of 200-step Euler-Maruyama, and the ODE log-likelihood (tol 1e-4) differs from the exact log-density at t_eps by <= 0.01 nats on average.",
        arms: &[
            Arm { name: "RK45", setting: "particles=20000&curve=off" },
            Arm { name: "Euler-Maruyama", setting: "sampler=euler-maruyama&evaluations=200&particles=20000&curve=off" },
        ],
        seeds: &[1, 2, 3, 4, 5],
        tests: &[
            Test {
                label: "evaluations of RK45",
                measure: |m| m.max("RK45", "evaluations"),
                bound: Bound::AtMost(120.0),
                unit: "",
            },
            Test {
                label: "sliced W2, RK45 / Euler-Maruyama with 200 steps",
                measure: |m| m.ratio("RK45", "Euler-Maruyama", "w2"),
                bound: Bound::AtMost(1.0),
                unit: "×",
            },
            Test {
                label: "error of the log-likelihood",
                measure: |m| m.mean("RK45", "likelihood"),
                bound: Bound::AtMost(0.01),
                unit: "nats",
            },
        ],
        counter: Counter {
            why: "With a tolerance of 0.3 the flow is followed too coarsely for either samples or likelihood.",
            arms: &["RK45"],
            change: "tolerance=0.3&likelihood_tolerance=0.3",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let setup = Setup {
            grid: p.grid,
            solver: p.sampler,
            options: SolverOptions { tolerance: p.tolerance, snr: p.snr, ..SolverOptions::default() },
            evaluations: p.evaluations,
            particles: p.particles,
            seed: p.seed,
            colour: Colour::Density,
            likelihood_tolerance: p.likelihood_tolerance,
            sweep: if p.curve { Sweep::Evaluations(BUDGETS) } else { Sweep::None },
            ..Setup::new(p.target.law(p.radius, p.sd, &p.modes, &p.drawing)?, p.schedule, Self::METRICS)
        };
        sampler::start(setup, context)
    }
}
