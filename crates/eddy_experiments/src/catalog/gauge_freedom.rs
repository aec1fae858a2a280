//@ feature: sampler
//! # A swirl that changes nothing
//!
//! Samples follow a field $v$; the density only feels $\nabla\!\cdot(p_t\,v)$. Add to the exact score $s = \nabla \ln p_t$ any
//! field $r$ with $\nabla\!\cdot(p_t\,r) = 0$ and every particle moves differently, yet the density at the end is the same:
//! the *gauge freedom* of diffusion models. Here
//!
//! $$v = s + c\,R\,s, \qquad R = \begin{pmatrix} 0 & -1 \\ 1 & 0 \end{pmatrix}, \qquad
//! \nabla\!\cdot(p\,R\,s) = \nabla\!\cdot(R\,\nabla p) = 0,$$
//!
//! so particles swirl around the modes and still end right. The shear $c\,\mathrm{diag}(1, -1)\,s$ is just as large and
//! violates the condition: a tenth of the strength ruins the samples. The score of other weights is a gradient field, as a
//! “proper” score should be, and wrong. Being conservative is neither needed nor enough.
//!
//! The statement is about continuous time: at large $c$ a coarse solver cannot follow the swirl.

use eddy_spec::{Arm, Axis, Bound, Citation, Claim, Cost, Counter, Drawing, EddyError, Metric, Test, ViewSpec, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::sampler::{self, Colour, Gauge, Grid, Noise, Setup, Solver, Start, Sweep, Target, drawn, modes},
};

params! { pub struct Params {
    /// Added field. What is added to the exact score.
    field: Gauge = Gauge::Rotated => choice().group("Field"),
    /// Strength.
    c: f64 = 3.0 => range(0.0, 6.0).symbol("c").group("Field"),
    /// Sampler.
    sampler: Solver = Solver::Heun => choice().group("Sampler"),
    /// Evaluations. Function evaluations allowed per sample.
    evaluations: u32 = 800 => steps(10, 2000).symbol("N").group("Sampler"),
    /// Time grid. Where the steps lie between noise and data.
    grid: Grid = Grid::LogSnr => choice().group("Sampler"),
    /// Target.
    target: Target = Target::Three => choice().group("Data"),
    /// Modes. Drag the circles on the picture, draw to add some, Delete removes one; or write x y, a width, a weight.
    modes: String = modes::DEFAULT.to_owned() => expression(modes::LONGEST).group("Data").only_when("target", &["own"]),
    /// Drawing. The density of the samples: draw it on the pad.
    drawing: Drawing = drawn::default() => drawn::pad().group("Data").only_when("target", &["drawn"]),
    /// Width of a mode. Standard deviation of each Gaussian of the targets other than the three.
    sd: f64 = 0.1 => log(0.02, 0.5).symbol("s").group("Data").only_when("target", Target::WITH_SD),
    /// Noise schedule.
    schedule: Noise = Noise::Ve => choice().group("Data"),
    /// Particles.
    particles: u32 = 1500 => steps(50, 20_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Curve. Measures other strengths after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Strengths of the curve.
const STRENGTHS: &[f64] = &[0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0];

pub struct GaugeFreedom;

impl Experiment for GaugeFreedom {
    type Params = Params;
    const TITLE: &'static str = "Gauge freedom of the score";
    const SUMMARY: &'static str = "Particles swirl, the density does not notice; a shear a tenth as strong ruins it.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 136,
        key: "horvat2024gauge",
        authors: "Christian Horvat and Jean-Pascal Pfister",
        title: "On gauge freedom, conservativity and intrinsic dimensionality estimation in diffusion models",
        venue: "ICLR",
        year: 2024,
        url: "https://arxiv.org/abs/2402.03845",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[sampler::ENERGY, sampler::FLOOR, sampler::LEVEL, sampler::EVALUATIONS];
    const VIEWS: &'static [ViewSpec] = &[sampler::PARTICLES_BY_DENSITY, sampler::CURVE_ENERGY];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "shear, c = 0.3", change: "field=sheared&c=0.3" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With the gauge term at c = 3 the energy distance of 1500 samples to fresh data stays <= 2x the two-sample floor, while the non-gauge perturbation at c = 0.3 gives >= 10x the floor.",
        arms: &[
            Arm { name: "gauge, c = 3", setting: "curve=off" },
            Arm { name: "shear, c = 0.3", setting: "field=sheared&c=0.3&curve=off" },
        ],
        seeds: &[1, 2, 3, 4, 5],
        tests: &[
            Test {
                label: "energy distance with the gauge term / floor",
                measure: |m| m.mean("gauge, c = 3", "energy") / m.mean("gauge, c = 3", "floor"),
                bound: Bound::AtMost(2.0),
                unit: "×",
            },
            Test {
                label: "energy distance with the shear / floor",
                measure: |m| m.mean("shear, c = 0.3", "energy") / m.mean("shear, c = 0.3", "floor"),
                bound: Bound::AtLeast(10.0),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Forty steps of Euler cannot follow the swirl: the freedom is one of continuous time.",
            arms: &["gauge, c = 3"],
            change: "sampler=euler&evaluations=40",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let mixture = p.target.law(1.4, p.sd, &p.modes, &p.drawing)?;
        let setup = Setup {
            field: p.field.field(p.c, mixture.components().len()),
            grid: p.grid,
            solver: p.sampler,
            evaluations: p.evaluations,
            particles: p.particles,
            seed: p.seed,
            colour: Colour::Density,
            // At large c even the little signal left at the first time is swirled: start from its exact marginal.
            start: Start::Marginal,
            sweep: if p.curve { Sweep::Strength(STRENGTHS) } else { Sweep::None },
            ..Setup::new(mixture, p.schedule, Self::METRICS)
        };
        sampler::start(setup, context)
    }
}
