//@ feature: flow
//! # Straighten the flow, then take one step
//!
//! Couple starts $Z_0$ and ends $Z_1$ at random, draw the straight line between them, and fit one velocity to all lines:
//!
//! $$\min_v \int_0^1 \mathbb E\,\bigl|Z_1 - Z_0 - v(Z_t, t)\bigr|^2\,dt, \qquad Z_t = (1-t)\,Z_0 + t\,Z_1.$$
//!
//! Lines of random couples cross, paths of a flow cannot. So the learned flow turns where the lines cross, keeps the law at
//! every time, and lowers the cost $\mathbb E\,c(Z_1 - Z_0)$ of every convex $c$ at once. Its paths are curved; but they make new couples, and
//! lines between *those* hardly cross. Fit again (*reflow*): the paths become straight, and one Euler step $Z_0 + v(Z_0, 0)$ is
//! enough.
//!
//! The new flow inherits the errors of the one before: look at the fine distance too, which a second round does not lower.
//!
//! The network is trained here, live. Both rounds start at the same points; colours show where a particle started. The *sheet*
//! is a lattice of starting points carried along: blue where the flow presses it together, orange where it tears it apart.

use eddy_numerics::diffusion::{Component, Mixture, Shape, targets};
use eddy_spec::{
    Arm, Axis, Bound, Citation, Claim, ColorMap, Cost, Counter, Drawing, EddyError, Metric, Test, ViewSpec, choice,
    params,
};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::{
        flow::{
            Cloud, Loss,
            reflow::{
                COST, COUPLES_COST, FINE, ONE_STEP, ROUNDS, ReflowRun, ReflowSetup, STRAIGHT, STRAIGHT_ROUNDS,
                TimeDensity,
            },
            sheet::SHEET_VIEW,
        },
        sampler::drawn,
    },
};

choice! { pub enum Pair {
    /// 3 Gaussians to 3 Gaussians
    Columns = "columns",
    /// noise to 8 Gaussians
    Ring = "ring",
    /// noise to two moons
    Moons = "moons",
    /// 8 Gaussians to two moons
    RingMoons = "ring-moons",
    /// noise to checkerboard
    Checkerboard = "checkerboard",
    /// noise to a drawing of yours
    Drawn = "drawn",
} }

impl Pair {
    /// Source and target; `drawing` is the user's.
    pub fn laws(self, drawing: &Drawing) -> Result<(Mixture, Mixture), EddyError> {
        let noise = targets::single(&[0.0, 0.0], 1.0);
        Ok(match self {
            Self::Columns => (column(-2.0), column(2.0)),
            Self::Ring => (noise, targets::ring(8, 2.0, 0.15)),
            Self::Moons => (noise, targets::two_moons(0.1)),
            Self::RingMoons => (targets::ring(8, 2.2, 0.15), targets::two_moons(0.1)),
            Self::Checkerboard => (noise, targets::checkerboard(0.12)),
            Self::Drawn => (noise, drawn::mixture(drawing)?),
        })
    }
}

/// Three Gaussians above each other: straight ways from one column to another cross.
fn column(x: f64) -> Mixture {
    let component = |y: f64| Component {
        weight: 1.0,
        mean: vec![x, y],
        shape: Shape::Isotropic { sd: 0.25 },
        class: (y + 2.0) as u32,
    };
    Mixture::new(2, vec![component(-1.8), component(0.0), component(1.8)]).expect("three proper components")
}

params! { pub struct Params {
    /// Laws.
    pair: Pair = Pair::Columns => choice().group("Problem"),
    /// Drawing. The law that the flow leads to: draw it on the pad.
    drawing: Drawing = drawn::default() => drawn::pad().group("Problem").only_when("pair", &["drawn"]),
    /// Rounds. 1: independent couples only; each further one fits the couples of the flow before.
    rounds: u32 = 2 => steps(1, 3).symbol("k").group("Method"),
    /// Couples. Made by the flow for the next round.
    couples: u32 = 4096 => steps(64, 16_384).group("Method"),
    /// Units of each of three layers.
    width: u32 = 64 => steps(8, 128).group("Network"),
    /// Training steps of a round.
    steps: u32 = 1500 => steps(10, 10_000).group("Network"),
    /// Samples per step.
    batch: u32 = 256 => steps(16, 1024).group("Network"),
    /// Learning rate. It falls along half a cosine in each round.
    rate: f64 = 3e-3 => log(1e-5, 0.1).symbol("\\eta").group("Network"),
    /// Particles.
    particles: u32 = 2000 => steps(50, 5000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

pub const ONE_STEP_VIEW: ViewSpec = ViewSpec::points(
    "one-step",
    "one Euler step",
    Axis::linear("x", "x_1"),
    Axis::linear("y", "x_2"),
    Axis::linear("direction of the start", "\\varphi"),
    ColorMap::Cyclic,
);

pub struct RectifiedFlow;

impl Experiment for RectifiedFlow {
    type Params = Params;
    const TITLE: &'static str = "Rectified flow";
    const SUMMARY: &'static str = "Curved paths make couples, couples make straight paths: one step is then enough.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 45,
        key: "liu2023flow",
        authors: "Xingchao Liu and Chengyue Gong and Qiang Liu",
        title: "Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow",
        venue: "ICLR",
        year: 2023,
        url: "https://arxiv.org/abs/2209.03003",
    }];
    const AXIS: Axis = Axis::linear("training steps", "n");
    const METRICS: &'static [Metric] =
        &[ONE_STEP, FINE, STRAIGHT, COST, COUPLES_COST, ROUNDS[0], ROUNDS[1], STRAIGHT_ROUNDS[0], STRAIGHT_ROUNDS[1]];
    const VIEWS: &'static [ViewSpec] = &[Cloud::BY_START, ONE_STEP_VIEW, SHEET_VIEW];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "one round", change: "rounds=1" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With one Euler step the sliced W2 of the 2-rectified flow is <= 0.5x that of the 1-rectified flow, its straightness S is <= 0.33x, and the mean square way does not rise by more than 2 % over that of the couples it was trained on.",
        arms: &[Arm { name: "reflow", setting: "" }],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "one-step distance, round 2 / round 1",
                measure: |m| m.mean("reflow", "one") / m.mean("reflow", "round1"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
            Test {
                label: "straightness, round 2 / round 1",
                measure: |m| m.mean("reflow", "straight") / m.mean("reflow", "straight1"),
                bound: Bound::AtMost(0.33),
                unit: "×",
            },
            Test {
                label: "mean square way / that of the couples",
                measure: |m| m.mean("reflow", "cost") / m.mean("reflow", "couples_cost"),
                bound: Bound::AtMost(1.02),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Without a second round nothing was straightened.",
            arms: &["reflow"],
            change: "rounds=1",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let (source, target) = p.pair.laws(&p.drawing)?;
        let setup = ReflowSetup {
            source,
            target,
            rounds: p.rounds,
            steps: p.steps,
            batch: p.batch,
            rate: p.rate,
            width: p.width,
            couples: p.couples,
            times: TimeDensity::Uniform,
            loss: Loss::Square,
            particles: p.particles,
            seed: p.seed,
            metrics: Self::METRICS,
        };
        Ok(Box::new(ReflowRun::new(setup)?))
    }
}
