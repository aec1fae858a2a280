//@ feature: sampler
//! # A heavy ball keeps fast samplers from blowing up
//!
//! With $\bar x = x/\alpha$ and $\bar\sigma = \sigma/\alpha$ the flow is $d\bar x/d\bar\sigma = \epsilon$, and popular few-step
//! samplers are Adams-Bashforth methods for it. Their regions of stability are tiny. Guidance multiplies the eigenvalues
//! of the field, a step leaves the region, and samples fly off into saturated spots. A momentum term damps them:
//!
//! $$v_{n+1} = (1 - b)\,v_n + b \sum_j c_j\,\epsilon_{n-j}, \qquad \bar x_{n+1} = \bar x_n + \Delta\bar\sigma\,v_{n+1}.$$
//!
//! The heavy ball costs the order; the generalized one (GHVB $r$, with $k = \lceil r\rceil$ and $b = r - k + 1$) keeps order
//! $k$ and trades accuracy for damping continuously. The stability view shows the region of the sampler that is chosen:
//! blue is damped.
//!
//! On this easy target DDIM never diverges and is the most accurate at eight steps: the point is only the repair of
//! high-order methods. The weights assume equal steps of $\bar\sigma$, which no usual grid has; the paper and its baselines
//! do the same.

use eddy_numerics::diffusion::Guidance;
use eddy_spec::{Arm, Axis, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Test, ViewSpec, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::sampler::{self, Grid, Noise, Setup, Solver, SolverOptions, Sweep, Target},
};

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::HeavyBall => choice().group("Sampler"),
    /// Steps. Each costs one guided evaluation, or as many as the solver needs.
    evaluations: u32 = 8 => steps(4, 200).symbol("N").group("Sampler"),
    /// Damping. 1 is the method without momentum.
    damping: f64 = 0.8 => range(0.1, 1.0).symbol("b").group("Sampler").only_when("sampler", &["plms4-hb"]),
    /// Order of GHVB.
    order: f64 = 2.5 => range(1.0, 4.0).symbol("r").group("Sampler").only_when("sampler", &["ghvb"]),
    /// Time grid. Where the steps lie between noise and data.
    grid: Grid = Grid::Uniform => choice().group("Sampler"),
    /// Guidance scale. 1 is the class alone.
    guidance: f64 = 7.5 => range(0.0, 15.0).symbol("w").group("Guidance"),
    /// Class. The mode that is asked for.
    class: u32 = 0 => steps(0, 7).group("Guidance"),
    /// Radius of the ring.
    radius: f64 = 1.0 => range(0.2, 2.0).symbol("R").group("Data"),
    /// Width of a mode. Standard deviation of each Gaussian.
    sd: f64 = 0.05 => log(0.02, 0.5).symbol("s").group("Data"),
    /// Noise schedule.
    schedule: Noise = Noise::VpLinear => choice().group("Data"),
    /// Particles.
    particles: u32 = 2000 => steps(50, 50_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Error curve. Measures the sampler at other budgets after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Budgets of the curve.
const STEPS: &[u32] = &[6, 7, 8, 10, 12, 14, 16, 20, 25, 30, 40, 60, 100];

pub struct Ghvb;

impl Experiment for Ghvb {
    type Params = Params;
    const TITLE: &'static str = "Momentum against divergence artifacts";
    const SUMMARY: &'static str = "Strong guidance throws a multistep sampler off; a heavy ball brings it back.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 98,
        key: "wizadwongsa2024momentum",
        authors: "Suttisak Wizadwongsa and Worameth Chinchuthakun and Pramook Khungurn and Amit Raj and Supasorn Suwajanakorn",
        title: "Diffusion Sampling with Momentum for Mitigating Divergence Artifacts",
        venue: "ICLR",
        year: 2024,
        url: "https://arxiv.org/abs/2307.11118",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[sampler::ERROR, sampler::DIVERGED, sampler::MEDIAN, sampler::EVALUATIONS];
    const VIEWS: &'static [ViewSpec] = &[sampler::PARTICLES, sampler::STABILITY, sampler::CURVE_ERROR];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "PLMS4", change: "sampler=plms4" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At guidance 7.5 and 8 steps, heavy-ball damping (b=0.8) lowers PLMS4's share of diverged samples from >= 10% to <= 2% and its paired RMSE to <= 0.6x.",
        arms: &[
            Arm { name: "PLMS4", setting: "sampler=plms4&curve=off" },
            Arm { name: "PLMS4 + HB", setting: "curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "diverged, PLMS4",
                measure: |m| 100.0 * m.mean("PLMS4", "diverged"),
                bound: Bound::AtLeast(10.0),
                unit: "%",
            },
            Test {
                label: "diverged, with heavy ball",
                measure: |m| 100.0 * m.mean("PLMS4 + HB", "diverged"),
                bound: Bound::AtMost(2.0),
                unit: "%",
            },
            Test {
                label: "error with heavy ball / PLMS4",
                measure: |m| m.ratio("PLMS4 + HB", "PLMS4", "error"),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Without guidance beyond the class itself nothing leaves the region of stability: there is nothing to repair.",
            arms: &[],
            change: "guidance=1",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let setup = Setup {
            grid: p.grid,
            solver: p.sampler,
            options: SolverOptions { damping: p.damping, momentum_order: p.order, ..SolverOptions::default() },
            evaluations: p.evaluations,
            particles: p.particles,
            seed: p.seed,
            guidance: Some(Guidance { class: p.class, scale: p.guidance }),
            sweep: if p.curve { Sweep::Evaluations(STEPS) } else { Sweep::None },
            ..Setup::new(Target::Ring.mixture(p.radius, p.sd), p.schedule, Self::METRICS)
        };
        sampler::start(setup, context)
    }
}
