//@ feature: sampler
//! # Extrapolate the noise, not the path
//!
//! The sampling flow is linear in $x$ apart from the network $\epsilon$. DEIS solves the linear part exactly and replaces
//! $\epsilon$ by the polynomial in $t$ through its last $r + 1$ values:
//!
//! $$x_{i-1} = \Psi(t_{i-1}, t_i)\,x_i + \sum_{j=0}^{r} C_{ij}\,\epsilon(x_{i+j}, t_{i+j}), \qquad
//! C_{ij} = \int_{t_i}^{t_{i-1}} \Psi(t_{i-1}, s)\,\frac{g^2(s)}{2\sigma_s}\,\ell_j(s)\,ds.$$
//!
//! The coefficients are computed once per grid by quadrature, and a step still costs one evaluation: memory is free, calls
//! of the network are not. With $r = 0$ this is DDIM.
//!
//! Part of the gain comes from the grid, not from the method: switch the grid to uniform $t$ and the order of the
//! finishers changes. A comparison that changes both at once proves nothing, so the claim holds the grid fixed first.

use eddy_spec::{Arm, Axis, Bound, Citation, Claim, Cost, Counter, Drawing, EddyError, Metric, Test, ViewSpec, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::sampler::{self, BUDGETS, Grid, Noise, Setup, Solver, Sweep, Target, drawn, modes},
};

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::Tab2 => choice().group("Sampler"),
    /// Evaluations. Function evaluations allowed per sample; a solver uses at most that many.
    evaluations: u32 = 10 => steps(1, 250).symbol("N").group("Sampler"),
    /// Time grid. Where the steps lie between noise and data.
    grid: Grid = Grid::Quadratic => choice().group("Sampler"),
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

pub struct Deis;

impl Experiment for Deis {
    type Params = Params;
    const TITLE: &'static str = "DEIS: exponential integrator with memory";
    const SUMMARY: &'static str =
        "Ten evaluations carry noise to eight Gaussians; remembered evaluations straighten the way.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 16,
        key: "zhang2023deis",
        authors: "Qinsheng Zhang and Yongxin Chen",
        title: "Fast Sampling of Diffusion Models with Exponential Integrator",
        venue: "ICLR",
        year: 2023,
        url: "https://arxiv.org/abs/2204.13902",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[sampler::ERROR, sampler::MEDIAN, sampler::WASSERSTEIN, sampler::EVALUATIONS];
    const VIEWS: &'static [ViewSpec] = &[sampler::PARTICLES, sampler::CURVE_ERROR, sampler::STABILITY];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "DDIM", change: "sampler=ddim" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At 10 NFE on the quadratic grid tAB2-DEIS has a paired RMS error <= 0.5x that of DDIM on the same grid and <= 0.25x that of Euler with uniform steps (8-Gaussian, exact score, 400+ particles).",
        arms: &[
            Arm { name: "DEIS", setting: "curve=off" },
            Arm { name: "DDIM", setting: "sampler=ddim&curve=off" },
            Arm { name: "Euler", setting: "sampler=euler&grid=uniform&curve=off" },
        ],
        seeds: &[1, 2, 3, 4, 5],
        tests: &[
            Test {
                label: "DEIS / DDIM",
                measure: |m| m.ratio("DEIS", "DDIM", "error"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
            Test {
                label: "DEIS / Euler with uniform steps",
                measure: |m| m.ratio("DEIS", "Euler", "error"),
                bound: Bound::AtMost(0.25),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "With steps uniform in t the last step is too long for a polynomial through ten evaluations.",
            arms: &["DEIS", "DDIM"],
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
