//@ feature: flow
//! # Short jumps before long ones
//!
//! A *consistency model* learns to jump from any point of a sampling path to the path's end. Two neighbouring points,
//! the second made from the first by one step of the teacher, must end alike:
//!
//! $$\min_\theta\ d\bigl(f_\theta(x_t, t \to 0),\ f_{\bar\theta}(\hat x_{t-d}, t-d \to 0)\bigr),\qquad
//! f_\theta(x, t \to s) = \alpha_s\,\hat x_0 + \sigma_s\,\hat\varepsilon,$$
//!
//! with $\bar\theta$ a running average of $\theta$. What is known at the data has to creep to the noise, and errors
//! gather on the way. *Trajectory segmented* distillation cuts the time in $k$ parts and only asks for jumps to the lower
//! end $s$ of the part in which $t$ lies. With $k = 4$ such a student samples in four jumps, each of which it was trained
//! for. Then $k$ is halved, and halved again: the long jumps of one stage are built on the short ones of the stage
//! before.
//!
//! In the plane the first half of it is plain to see. A consistency student that samples in four deterministic jumps
//! stops at levels for which its jump was never trained, and gets worse with every one; the segmented student does not.
//! Look at *where jumps end*: its error starts from zero in each part. The second half is not: with $k = 1$ the training
//! is that of a consistency model, and one step is as good after either.
//!
//! There is a simple repair that needs no segments: jump to the data each time and go back with fresh noise. In four steps
//! it comes near the segmented student, only its paths are no longer those of the teacher, so that noise and sample do not go
//! together. The other half of the paper, rewards from people and a score for the one step, is not here.

use eddy_numerics::diffusion::targets;
use eddy_spec::{Arm, Axis, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Test, ViewSpec, choice, params};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::flow::distill::{DistillRun, METRICS, MISS, PARTICLES, RACE, Setup, Stage, TEACHER, bounds},
};

choice! { pub enum Method {
    /// segments, halved down to one
    Progressive = "progressive",
    /// segments, kept
    Segmented = "segmented",
    /// consistency distillation: one segment
    Consistency = "consistency",
} }

choice! { pub enum Segments {
    /// 2
    Two = "2",
    /// 4
    Four = "4",
    /// 8
    Eight = "8",
} }

params! { pub struct Params {
    /// Training.
    method: Method = Method::Progressive => choice().group("Method"),
    /// Segments at first.
    segments: Segments = Segments::Four => choice().group("Method").only_when("method", &["progressive", "segmented"]),
    /// Crowding of the boundaries. At 1 the segments are equally long, above it they are shorter near the data.
    crowding: f64 = 1.0 => log(0.5, 2.0).symbol("p").group("Method").only_when("method", &["progressive", "segmented"]),
    /// Grid steps of the teacher's step, of 48.
    skip: u32 = 2 => steps(1, 12).symbol("d").group("Method"),
    /// Steps shown.
    evaluations: u32 = 4 => steps(1, 8).symbol("N").group("Method"),
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
    /// The stages of the distillation: as many steps in all whatever the method.
    fn stages(&self) -> Vec<Stage> {
        let first = match self.segments {
            Segments::Two => 2,
            Segments::Four => 4,
            Segments::Eight => 8,
        };
        let counts: Vec<usize> = match self.method {
            Method::Consistency => vec![1],
            Method::Segmented => vec![first],
            Method::Progressive => std::iter::successors(Some(first), |k| (*k > 1).then_some(k / 2)).collect(),
        };
        let stages = counts.len() as u32;
        let stage = |(i, count): (usize, &usize)| Stage {
            steps: self.steps / stages + u32::from((i as u32) < self.steps % stages),
            bounds: bounds(*count, self.crowding),
        };
        counts.iter().enumerate().map(stage).collect()
    }

    fn setup(&self) -> Setup {
        Setup {
            law: targets::ring(8, 1.0, self.sd),
            width: self.width as usize,
            warm_up: self.warm_up,
            stages: self.stages(),
            skip: self.skip as usize,
            reach: None,
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

pub struct HyperSd;

impl Experiment for HyperSd {
    type Params = Params;
    const TITLE: &'static str = "Hyper-SD: segmented distillation";
    const SUMMARY: &'static str = "Teach a network to jump a quarter of the way, then half, then all of it.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 96,
        key: "ren2024hyper",
        authors: "Yuxi Ren and Xin Xia and Yanzuo Lu and Jiacheng Zhang and Jie Wu and Pan Xie and Xing Wang and Xuefeng Xiao",
        title: "Hyper-SD: Trajectory Segmented Consistency Model for Efficient Image Synthesis",
        venue: "NeurIPS",
        year: 2024,
        url: "https://arxiv.org/abs/2404.13686",
    }];
    const AXIS: Axis = Axis::linear("training steps", "n");
    const METRICS: &'static [Metric] = METRICS;
    const VIEWS: &'static [ViewSpec] = &[PARTICLES, TEACHER, MISS, RACE];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "consistency distillation", change: "method=consistency" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "After as many updates, four deterministic jumps of the student trained on 4 segments lie at most \
                   0.75 times as far from the data (sliced W2) as four of the plain consistency student; trained on \
                   through 2 segments to 1, its single jump lies at most 0.25 times as far as one step of DDIM.",
        arms: &[
            Arm { name: "4 segments", setting: "method=segmented" },
            Arm { name: "4-2-1", setting: "" },
            Arm { name: "CD", setting: "method=consistency" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "distance after 4 deterministic steps, 4 segments / CD",
                measure: |m| m.ratio("4 segments", "CD", "four"),
                bound: Bound::AtMost(0.75),
                unit: "×",
            },
            Test {
                label: "distance after 1 step, 4-2-1 / DDIM",
                measure: |m| m.mean("4-2-1", "one") / m.mean("4-2-1", "ddim_one"),
                bound: Bound::AtMost(0.25),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Halved down to one segment the student is a consistency model, also in four steps.",
            arms: &["4 segments"],
            change: "method=progressive",
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
#[path = "hyper_sd/tests.rs"]
mod tests;
