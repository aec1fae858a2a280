//@ feature: flow
//! # A ramp between two points of the path
//!
//! Consistency distillation compares the jumps from two points of a sampling path, $x_t$ and $x_{t-k}$, and asks that
//! they end alike. A large skip $k$ carries what is known at the data to the noise in few links, but then the two jumps
//! differ much and the student has to close the whole gap at once. *Sub-path linear approximation* puts a straight line
//! between the two points and jumps from anywhere on it:
//!
//! $$x_{\gamma,t} = (1-\gamma)\frac{\alpha_t}{\alpha_{t-k}}\,x_{t-k} + \gamma\,x_t,\qquad
//! \sigma_\gamma = (1-\gamma)\frac{\alpha_t}{\alpha_{t-k}}\,\sigma_{t-k} + \gamma\,\sigma_t,\qquad
//! \hat x_0 = \frac{x_{\gamma,t} - \sigma_\gamma\,\varepsilon_\theta(x_{\gamma,t}, \gamma, t)}{\alpha_t}.$$
//!
//! At $\gamma = 0$ the two jumps start from the same place and hardly differ; at $\gamma = 1$ this is consistency
//! distillation. With $\gamma$ drawn from all of $[0, 1]$ the student climbs the gap on a ramp: see *error along the
//! sub-path*. The line is DDIM's own path, straight in $x/\alpha$ against $\sigma/\alpha$; *sub-paths* shows how far
//! exact ones are from it.
//!
//! Near the noise $\alpha_t$ is small and $x_{\gamma,t}$ with it. The network is shown the point at unit variance,
//! $x_{\gamma,t}/\sqrt{\alpha_t^2+\sigma_\gamma^2}$, and gives the velocity $v = \alpha\varepsilon - \sigma x_0$ there,
//! so that nothing is divided by $\alpha_t$.
//!
//! In the plane this does not pay. With $k = 6$ the mean distance over 1, 2 and 4 deterministic steps is 1.32 times that
//! of consistency distillation with the same skip (three seeds), nearly all of it in the four steps. The mean of $\gamma$
//! is one half, so a ramp of length $k$ acts much like a skip of $k/2$; and the shorter the skip, the nearer the student
//! is to the true end of each path, for which deterministic steps between are wrong, as they leave the path. With
//! $k = 12$ the two are on a par. What does hold is the gain on the teacher: after two steps the distance is 0.22 times
//! that of two DDIM steps. Lower the reach of $\gamma$ to see the ramp matter: a student that never leaves its foot learns
//! nothing from the teacher.

use eddy_numerics::diffusion::targets;
use eddy_spec::{Arm, Axis, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Test, ViewSpec, choice, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::flow::distill::{DistillRun, GAP, METRICS, PARTICLES, RACE, SUB_PATH, Setup, Stage, TEACHER, bounds},
};

choice! { pub enum Method {
    /// anywhere on the sub-path
    SubPath = "sub-path",
    /// from its end: consistency distillation
    Consistency = "consistency",
} }

params! { pub struct Params {
    /// Jumps start.
    method: Method = Method::SubPath => choice().group("Method"),
    /// Largest γ of the training.
    reach: f64 = 1.0 => range(0.0, 1.0).symbol("\\gamma_{\\max}").group("Method").only_when("method", &["sub-path"]),
    /// Skip. Grid steps between the two points, of 48.
    skip: u32 = 6 => steps(1, 16).symbol("k").group("Method"),
    /// Steps shown.
    evaluations: u32 = 2 => steps(1, 8).symbol("N").group("Method"),
    /// Width of a mode.
    sd: f64 = 0.1 => log(0.03, 0.3).symbol("s").group("Problem"),
    /// Units of each of two layers.
    width: u32 = 96 => steps(4, 128).group("Network"),
    /// Steps of plain denoising before.
    warm_up: u32 = 3000 => steps(10, 10_000).group("Network"),
    /// Steps of the distillation.
    steps: u32 = 6000 => steps(10, 20_000).group("Network"),
    /// Samples per step.
    batch: u32 = 256 => steps(16, 512).group("Network"),
    /// Learning rate. It falls along half a cosine in each training.
    rate: f64 = 2e-3 => log(1e-5, 0.1).symbol("\\eta").group("Network"),
    /// Share of the running average that a step keeps.
    keep: f64 = 0.95 => range(0.0, 0.999).symbol("\\mu").group("Network"),
    /// Particles.
    particles: u32 = 2000 => steps(50, 4000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

impl Params {
    fn setup(&self) -> Setup {
        Setup {
            law: targets::ring(8, 1.0, self.sd),
            width: self.width as usize,
            warm_up: self.warm_up,
            stages: vec![Stage { steps: self.steps, bounds: bounds(1, 1.0) }],
            skip: self.skip as usize,
            reach: (self.method == Method::SubPath).then_some(self.reach),
            batch: self.batch as usize,
            rate: self.rate,
            keep: self.keep,
            particles: self.particles as usize,
            shown: self.evaluations as usize,
            seed: self.seed,
            metrics: METRICS,
        }
    }
}

pub struct Splam;

impl Experiment for Splam {
    type Params = Params;
    const TITLE: &'static str = "SPLAM: sub-path linear approximation";
    const SUMMARY: &'static str = "A student climbs from one point of the path to the next on a straight ramp.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 99,
        key: "xu2024accelerating",
        authors: "Chen Xu and Tianhui Song and Weixin Feng and Xubin Li and Tiezheng Ge and Bo Zheng and Limin Wang",
        title: "Accelerating Image Generation with Sub-path Linear Approximation Model",
        venue: "ECCV",
        year: 2024,
        url: "https://arxiv.org/abs/2404.13903",
    }];
    const AXIS: Axis = Axis::linear("training steps", "n");
    const METRICS: &'static [Metric] = METRICS;
    const VIEWS: &'static [ViewSpec] = &[PARTICLES, TEACHER, SUB_PATH, GAP, RACE];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "consistency distillation", change: "method=consistency" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With a skip of 6 and as many updates, the mean sliced W2 of 1, 2 and 4 deterministic steps is at \
                   most 1.05 times that of plain consistency distillation, and that of 2 steps at most 0.35 times \
                   that of 2 steps of DDIM.",
        arms: &[Arm { name: "SPLAM", setting: "" }, Arm { name: "CD", setting: "method=consistency" }],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "mean distance over 1, 2 and 4 steps, SPLAM / CD",
                measure: |m| m.ratio("SPLAM", "CD", "mean"),
                bound: Bound::AtMost(1.05),
                unit: "×",
            },
            Test {
                label: "distance after 2 steps, SPLAM / DDIM",
                measure: |m| m.mean("SPLAM", "two") / m.mean("SPLAM", "ddim_two"),
                bound: Bound::AtMost(0.35),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "From the foot of the ramp both jumps start at the same point: the teacher's step is never bridged.",
            arms: &["SPLAM"],
            change: "reach=0",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(DistillRun::new(p.setup())?))
    }
}

#[cfg(test)]
#[path = "splam/tests.rs"]
mod tests;
