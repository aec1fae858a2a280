//@ feature: sampler
//! # Stay on the manifold
//!
//! A classical multistep method treats the sampling flow as any other equation, and its states drift off the noise level
//! that the network was trained on. PNDM splits a step in two: a *gradient part* that combines the network's last outputs
//! as Adams-Bashforth would, $e' = (55\,e_t - 59\,e_{t+\delta} + 37\,e_{t+2\delta} - 9\,e_{t+3\delta})/24$, and a *transfer
//! part* that moves the state,
//!
//! $$\phi(x, e', t, s) = \frac{\alpha_s}{\alpha_t}\,(x - \sigma_t\,e') + \sigma_s\,e',$$
//!
//! which is exact if $e'$ is the true noise. With $e' = e_t$ it is DDIM.
//!
//! The plot “size against its noise level” shows how far the states are from where they should be. The first three steps
//! of F-PNDM cost four evaluations each, and they are counted: below about thirty evaluations on steps uniform in $t$ the
//! method loses to DDIM. Compare FON, the same formula without the transfer.

use eddy_spec::{Arm, Axis, Bound, Citation, Claim, Cost, Counter, Drawing, EddyError, Metric, Test, ViewSpec, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::sampler::{self, BUDGETS, Grid, Noise, Setup, Solver, Sweep, Target, drawn, modes},
};

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::FPndm => choice().group("Sampler"),
    /// Evaluations. Function evaluations allowed per sample; a solver uses at most that many.
    evaluations: u32 = 20 => steps(4, 250).symbol("N").group("Sampler"),
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

pub struct Pndm;

impl Experiment for Pndm {
    type Params = Params;
    const TITLE: &'static str = "PNDM: multistep on the noise manifold";
    const SUMMARY: &'static str = "A multistep method whose states keep the noise level the network knows.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 56,
        key: "liu2022pndm",
        authors: "Luping Liu and Yi Ren and Zhijie Lin and Zhou Zhao",
        title: "Pseudo Numerical Methods for Diffusion Models on Manifolds",
        venue: "ICLR",
        year: 2022,
        url: "https://arxiv.org/abs/2202.09778",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[sampler::ERROR, sampler::MEDIAN, sampler::LEVEL, sampler::EVALUATIONS];
    const VIEWS: &'static [ViewSpec] = &[sampler::PARTICLES, sampler::CURVE_ERROR, sampler::STABILITY];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "DDIM", change: "sampler=ddim" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "On the uniform-lambda grid F-PNDM with 50 NFE has an endpoint error <= that of DDIM with 250 NFE (5x the cost), and at equal NFE (20) <= 0.6x DDIM's.",
        arms: &[
            Arm { name: "F-PNDM, 50", setting: "evaluations=50&curve=off" },
            Arm { name: "DDIM, 250", setting: "sampler=ddim&evaluations=250&curve=off" },
            Arm { name: "F-PNDM, 20", setting: "evaluations=20&curve=off" },
            Arm { name: "DDIM, 20", setting: "sampler=ddim&evaluations=20&curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "F-PNDM at 50 / DDIM at 250 evaluations",
                measure: |m| m.ratio("F-PNDM, 50", "DDIM, 250", "error"),
                bound: Bound::AtMost(1.0),
                unit: "×",
            },
            Test {
                label: "F-PNDM / DDIM at 20 evaluations",
                measure: |m| m.ratio("F-PNDM, 20", "DDIM, 20", "error"),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "On steps uniform in t the warm-up and the last step of λ dominate, and F-PNDM is worse than DDIM.",
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
