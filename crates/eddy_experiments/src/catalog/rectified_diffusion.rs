//@ feature: flow
//! # Straight is not what you need
//!
//! A diffusion model learns from pairs of a picture and a noise drawn apart from each other,
//! $x_t = \alpha_t x_0 + \sigma_t\varepsilon$. *Rectification* takes the pairs that its own flow connects, and trains on:
//!
//! $$\min_\theta\ \mathbb E\,\bigl|\varepsilon_\theta(\alpha_t x_0 + \sigma_t \varepsilon,\ t) - \varepsilon\bigr|^2,
//! \qquad (\varepsilon, x_0)\ \text{start and end of the flow}.$$
//!
//! Rectified flow does so with $\alpha = 1 - t$, $\sigma = t$ and asks for straight paths. But what makes few steps
//! exact is another thing: that *the same* pair serves the whole path, so that $\varepsilon_\theta$ is constant along
//! it. Then DDIM, which keeps $\varepsilon$ and changes the level, is exact with any number of steps. Such a path is
//! *of first order*; under a variance-preserving schedule it is an arc of an ellipse. So keep the schedule and the
//! output that the model was trained with. No part of it has to be learned anew.
//!
//! Compare *bend*, how far paths are from their chords, with *wander*, how much $\varepsilon$ changes along a path: the
//! first stays, the second falls. The control trains as long on pairs drawn apart.
//!
//! Where sampling starts there is a little signal left, $\alpha_T > 0$. Points start from the true law at that level,
//! and the noise of a pair is the one that its start and its end imply, $(x_T - \alpha_T x_0)/\sigma_T$. A network that
//! gives $\varepsilon$ has its errors divided by $\alpha_T$ in the first step: with a small network in the plane that
//! leaves it, after two steps, three times as far from the data as rectified flow. A network that gives
//! $v = \alpha\varepsilon - \sigma x_0$ divides by nothing; the paper allows either, and it is the default here.

use eddy_numerics::{
    diffusion::{Batch, Mixture, Schedule, VpLinear, metrics::sliced_wasserstein, targets},
    rng::{Philox, Stream},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, Drawing, EddyError, Metric, Outcome, Role,
    Series, Test, ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::{
        flow::{
            Cloud, FieldNetwork, Loss, Trails, angles,
            denoise::{Level, Output, bend, ddim, wander},
            density, error_lines, with_gaps,
        },
        sampler::drawn,
    },
    ready,
    weights::Tensor,
};

choice! { pub enum Target {
    /// 8 Gaussians
    Ring = "ring",
    /// two moons
    Moons = "moons",
    /// checkerboard
    Checkerboard = "checkerboard",
    /// a drawing of yours
    Drawn = "drawn",
} }

choice! { pub enum Second {
    /// rectified diffusion: pairs of the flow, same schedule
    Diffusion = "diffusion",
    /// rectified flow: pairs of the flow, straight paths
    Flow = "flow",
    /// control: pairs drawn apart
    Control = "control",
} }

choice! { pub enum Kind {
    /// noise
    Noise = "noise",
    /// velocity
    Velocity = "velocity",
} }

params! { pub struct Params {
    /// Data.
    target: Target = Target::Ring => choice().group("Problem"),
    /// Drawing. The data: draw their density on the pad.
    drawing: Drawing = drawn::default() => drawn::pad().group("Problem").only_when("target", &["drawn"]),
    /// Second training.
    second: Second = Second::Diffusion => choice().group("Method"),
    /// Output of the network.
    output: Kind = Kind::Velocity => choice().group("Method"),
    /// Signal left at the start. 0.068 is that of Stable Diffusion.
    terminal: f64 = 0.068 => log(0.005, 0.5).symbol("\\alpha_T").group("Method"),
    /// Pairs. Made by 100 DDIM steps.
    pairs: u32 = 8192 => steps(64, 20_000).group("Method"),
    /// Steps shown.
    evaluations: u32 = 2 => steps(1, 32).symbol("N").group("Method"),
    /// Units of each of three layers.
    width: u32 = 64 => steps(8, 128).group("Network"),
    /// Steps of the first training.
    steps: u32 = 4000 => steps(10, 10_000).group("Network"),
    /// Steps of the second training.
    more: u32 = 2000 => steps(10, 10_000).group("Network"),
    /// Samples per step.
    batch: u32 = 256 => steps(16, 1024).group("Network"),
    /// Learning rate. It falls along half a cosine in each training.
    rate: f64 = 3e-3 => log(1e-5, 0.1).symbol("\\eta").group("Network"),
    /// Particles.
    particles: u32 = 2000 => steps(50, 5000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

/// Steps that make a pair, and steps that count as fine. Pairs made per unit of work.
const PAIR_STEPS: usize = 100;
const CHUNK: usize = 512;
const FINE_STEPS: usize = 64;
/// Rows of the record per training, and points whose paths are measured in one.
const ROWS: u32 = 5;
const PATHS: usize = 300;
/// Step counts of the curve.
const RACE: [usize; 6] = [1, 2, 4, 8, 16, FINE_STEPS];
const SHOWN: usize = 400;
const TRAILS: usize = 50;

impl Params {
    fn law(&self) -> Result<Mixture, EddyError> {
        Ok(match self.target {
            Target::Ring => targets::ring(8, 2.0, 0.15),
            Target::Moons => targets::two_moons(0.1),
            Target::Checkerboard => targets::checkerboard(0.12),
            Target::Drawn => drawn::mixture(&self.drawing)?,
        })
    }

    /// Variance preserving with α(1) as wanted: ln α(1) = −(β₁ − β₀)/4 − β₀/2.
    fn schedule(&self) -> VpLinear {
        let beta_min = 0.1;
        VpLinear { beta_min, beta_max: beta_min + 4.0 * (-self.terminal.ln() - 0.5 * beta_min) }
    }

    fn form(&self, second: bool) -> Form {
        let output = match self.output {
            Kind::Noise => Output::Noise,
            Kind::Velocity => Output::Velocity,
        };
        if second && self.second == Second::Flow {
            Form { output: Output::Straight, schedule: None }
        } else {
            Form { output, schedule: Some(self.schedule()) }
        }
    }
}

/// How a network is read: its output and its schedule, none for straight paths.
#[derive(Clone, Copy)]
struct Form {
    output: Output,
    schedule: Option<VpLinear>,
}

impl Form {
    fn level(&self, t: f64) -> Level {
        let (alpha, sigma) = self.schedule.map_or((1.0 - t, t), |s| (s.alpha(t), s.sigma(t)));
        Level { t, alpha, sigma }
    }
    /// Equal steps of t from 1 to 0.
    fn levels(&self, steps: usize) -> Vec<Level> {
        (0..=steps).map(|k| self.level(1.0 - k as f64 / steps as f64)).collect()
    }
}

pub struct RectifiedDiffusion;

impl Experiment for RectifiedDiffusion {
    type Params = Params;
    const TITLE: &'static str = "Rectified diffusion";
    const SUMMARY: &'static str = "Paths stay curved, and two steps are enough all the same.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 62,
        key: "wang2025rectified",
        authors: "Fu-Yun Wang and Ling Yang and Zhaoyang Huang and Mengdi Wang and Hongsheng Li",
        title: "Rectified Diffusion: Straightness Is Not Your Need in Rectified Flow",
        venue: "ICLR",
        year: 2025,
        url: "https://arxiv.org/abs/2410.07303",
    }];
    const AXIS: Axis = Axis::linear("training steps", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "one",
            Axis::log("sliced Wasserstein distance, 1 step", "W_2(1)"),
            Better::Lower,
            "Sliced 2-Wasserstein distance (64 directions) to a stratified sample of the data after one DDIM step.",
        ),
        Metric::new(
            "two",
            Axis::log("sliced Wasserstein distance, 2 steps", "W_2(2)"),
            Better::Lower,
            "The same distance after two steps.",
        ),
        Metric::new(
            "four",
            Axis::log("sliced Wasserstein distance, 4 steps", "W_2(4)"),
            Better::Lower,
            "The same distance after four steps.",
        ),
        Metric::new(
            "fine",
            Axis::log("sliced Wasserstein distance, fine", "W_2(\\infty)"),
            Better::Lower,
            "The same distance after 64 steps: what is left is the error of the network.",
        ),
        Metric::new(
            "bend",
            Axis::linear("bend of the paths", "\\kappa"),
            Better::Neither,
            "Mean distance of fine paths from the chords between their ends, over the mean length of the chords.",
        ),
        Metric::new(
            "wander",
            Axis::log("variance of the noise along a path", "\\operatorname{var}\\varepsilon"),
            Better::Lower,
            "Variance along a fine path of the noise that the network implies, per dimension: 0 on a path of first order.",
        ),
        Metric::new(
            "evaluations",
            Axis::log("network evaluations for the pairs", "N_p"),
            Better::Lower,
            "Evaluations of one point each that made the pairs, counted at the network.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        Cloud::BY_START,
        ViewSpec::points(
            "few",
            "few steps",
            Axis::linear("x", "x_1"),
            Axis::linear("y", "x_2"),
            Axis::linear("direction of the start", "\\varphi"),
            ColorMap::Cyclic,
        ),
        ViewSpec::lines(
            "wander",
            "noise along a path",
            Axis::linear("time", "t"),
            Axis::linear("RMS distance from its mean along the path", "\\delta\\varepsilon"),
        ),
        ViewSpec::curves(
            "race",
            "distance against steps",
            Axis::log("DDIM steps", "N"),
            Axis::log("sliced Wasserstein distance", "W_2"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "control", change: "second=control" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With 2 DDIM steps rectified diffusion (A) has sliced W2 <= 0.5x that of the control (C), and <= 1.3x that of rectified flow (B) although its paths are curved (mean path curvature >= 3x B's).",
        arms: &[
            Arm { name: "A", setting: "" },
            Arm { name: "B", setting: "second=flow" },
            Arm { name: "C", setting: "second=control" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "distance after 2 steps, A / C",
                measure: |m| m.ratio("A", "C", "two"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
            Test {
                label: "distance after 2 steps, A / B",
                measure: |m| m.ratio("A", "B", "two"),
                bound: Bound::AtMost(1.3),
                unit: "×",
            },
            Test {
                label: "bend, A / B",
                measure: |m| m.ratio("A", "B", "bend"),
                bound: Bound::AtLeast(3.0),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "A network that gives the noise has its errors divided by the signal at the start, 0.068.",
            arms: &["A"],
            change: "output=noise",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(RectifyRun::new(p)?))
    }
}

/// What a network was like at one moment.
#[derive(Clone, Default)]
struct Measured {
    /// Distances at the step counts of the curve.
    distances: Vec<f64>,
    /// Times and RMS distance of the noise from its mean along the path.
    wander: (Vec<f64>, Vec<f64>),
    bend: f64,
}

/// The first training, the pairs, the second training.
struct RectifyRun {
    params: Params,
    law: Mixture,
    network: FieldNetwork,
    step: u32,
    /// Noises and ends of the pairs made so far, array-of-structures order.
    pairs: (Vec<f64>, Vec<f64>),
    pair_evaluations: u64,
    start: Batch<f64>,
    reference: Batch<f64>,
    /// Distance of two samples of the data.
    floor: f64,
    before: Option<Measured>,
    now: Option<Measured>,
    /// The training step of which the pictures are.
    shown: Option<u32>,
    pictures: [Cloud; 2],
    backdrop: ViewData,
    limit: f64,
    outcome: Outcome,
    record: Record,
}

impl RectifyRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let (law, rng) = (p.law()?, Philox::new(p.seed));
        let count = p.particles as usize;
        let top = p.form(false).level(1.0);
        let start = law.sample(count, top.alpha, top.sigma, &rng, Stream::Prior);
        let reference = law.sample_stratified(count, 1.0, 0.0, &rng, Stream::Control);
        let another = law.sample(count, 1.0, 0.0, &rng, Stream::Corrector);
        let limit = 1.15 * law.extent().max(2.6);
        let backdrop = density(&law, limit);
        let pi = std::f64::consts::PI;
        let mut cloud = Cloud::new(&start.head(SHOWN), angles(&start.head(SHOWN)), (-pi, pi), limit);
        cloud.backdrop = Some(backdrop.clone());
        Ok(Self {
            network: FieldNetwork::new(2, &[p.width as usize; 3], p.seed, p.rate, p.steps.into())?,
            floor: sliced_wasserstein(&another, &reference, 64),
            law,
            step: 0,
            pairs: (Vec::new(), Vec::new()),
            pair_evaluations: 0,
            start,
            reference,
            before: None,
            now: None,
            shown: None,
            pictures: [cloud.clone(), cloud],
            backdrop,
            limit,
            outcome: Outcome::Running,
            record: Record::of(RectifiedDiffusion::METRICS),
            params: p.clone(),
        })
    }

    fn all_steps(&self) -> u32 {
        self.params.steps + self.params.more
    }
    fn is_second(&self) -> bool {
        self.step >= self.params.steps
    }
    /// How the network is read now: after the last step of the first training still as that training wants it.
    fn form(&self) -> Form {
        self.params.form(self.step > self.params.steps)
    }
    fn made(&self) -> usize {
        self.pairs.0.len() / 2
    }
    /// Whether pairs must be made before the next training step.
    fn wants_pairs(&self) -> bool {
        self.step == self.params.steps
            && self.params.second != Second::Control
            && self.made() < self.params.pairs as usize
    }

    /// One unit of work. Returns the steps it counts as: making pairs is preparation and counts as none.
    fn work(&mut self) -> u64 {
        if self.wants_pairs() {
            self.make_pairs();
            return 0;
        }
        if self.step == self.params.steps {
            self.network.restart(self.params.rate, self.params.more.into());
        }
        let loss = if self.is_second() && self.params.second != Second::Control {
            self.train_on_pairs()
        } else {
            self.train_apart()
        };
        self.step += 1;
        if !loss.is_finite() {
            self.outcome = Outcome::Diverged {
                step: self.step.into(),
                cause: "a training step made the network overflow".to_owned(),
                advice: "Lower the learning rate.".to_owned(),
                repair: None,
            };
            return 1;
        }
        let (done, of) = if self.step > self.params.steps {
            (self.step - self.params.steps, self.params.more)
        } else {
            (self.step, self.params.steps)
        };
        if done == of || done.is_multiple_of((of / ROWS).max(1)) {
            self.write_row();
        }
        if self.step == self.params.steps {
            self.before = self.now.clone();
        }
        if self.step == self.all_steps() {
            self.outcome = Outcome::Finished;
        }
        1
    }

    /// Noise and data drawn apart.
    fn train_apart(&mut self) -> f64 {
        let batch = self.params.batch as usize;
        let rng = Philox::new(self.params.seed.wrapping_mul(0x9E37_79B9).wrapping_add(self.step + 1));
        let clean = self.law.sample(batch, 1.0, 0.0, &rng, Stream::Data);
        let noise = Batch::<f64>::normal(2, batch, 1.0, &rng, Stream::Path, 0);
        let form = self.params.form(false);
        self.network.train(batch, Loss::Square, |i, input, target| {
            let t = rng.uniforms(Stream::Corrector, 0, i as u32, 0)[0];
            let pair = |d: usize| (clean.coordinate(d)[i], noise.coordinate(d)[i]);
            example(&form, t, pair, input, target);
        })
    }

    fn train_on_pairs(&mut self) -> f64 {
        let batch = self.params.batch as usize;
        let rng = Philox::new(self.params.seed.wrapping_mul(0x9E37_79B9).wrapping_add(self.step + 1));
        let (made, (noises, ends)) = (self.made(), &self.pairs);
        let form = self.params.form(true);
        self.network.train(batch, Loss::Square, |i, input, target| {
            let [pick, t, ..] = rng.uniforms(Stream::Corrector, 0, i as u32, 0);
            let at = 2 * ((pick * made as f64) as usize).min(made - 1);
            example(&form, t, |d| (ends[at + d], noises[at + d]), input, target);
        })
    }

    fn make_pairs(&mut self) {
        let at = self.made();
        let count = CHUNK.min(self.params.pairs as usize - at);
        let rng = Philox::new(self.params.seed.wrapping_add(7919 * (at as u32 + 1)));
        let form = self.params.form(false);
        let levels = form.levels(PAIR_STEPS);
        let top = levels[0];
        let start = self.law.sample(count, top.alpha, top.sigma, &rng, Stream::Prior);
        let (network, asked) = (&mut self.network, &mut self.pair_evaluations);
        let value = |x: &Batch<f64>, t: f64, out: &mut Batch<f64>| {
            *asked += x.len() as u64;
            network.evaluate(x, t, out);
        };
        let end = ddim(start.clone(), &levels, form.output, value, |_, _, _| ());
        // The noise of a pair puts its start on its path; straight paths start at t = 1 with no signal.
        let (alpha, sigma) = if self.params.second == Second::Flow { (0.0, 1.0) } else { (top.alpha, top.sigma) };
        let mut noise = start;
        noise.combine(1.0 / sigma, &[(-alpha / sigma, &end)]);
        self.pairs.0.extend(noise.to_points());
        self.pairs.1.extend(end.to_points());
    }

    /// Where `steps` steps take the particles.
    fn ends(
        &mut self,
        start: Batch<f64>,
        steps: usize,
        visit: impl FnMut(&Level, &Batch<f64>, &Batch<f64>),
    ) -> Batch<f64> {
        let form = self.form();
        let network = &mut self.network;
        ddim(start, &form.levels(steps), form.output, |x, t, out| network.evaluate(x, t, out), visit)
    }

    fn measure(&mut self) -> Measured {
        let mut distances = Vec::new();
        for steps in RACE {
            let end = self.ends(self.start.clone(), steps, |_, _, _| ());
            distances.push(sliced_wasserstein(&end, &self.reference, 64));
        }
        let (mut times, mut states, mut noises) = (Vec::new(), Vec::new(), Vec::new());
        let end = self.ends(self.start.head(PATHS), FINE_STEPS, |level, x, eps| {
            times.push(level.t);
            states.push(x.clone());
            noises.push(eps.clone());
        });
        states.push(end);
        Measured { distances, wander: (times, wander(&noises)), bend: bend(&states) }
    }

    fn write_row(&mut self) {
        let measured = self.measure();
        let at = |steps: usize| RACE.iter().position(|n| *n == steps).map_or(f64::NAN, |i| measured.distances[i]);
        let variance = measured.wander.1.iter().sum::<f64>() / measured.wander.1.len() as f64;
        let row = [at(1), at(2), at(4), at(FINE_STEPS), measured.bend, variance, self.pair_evaluations as f64];
        self.record.push(self.step.into(), &row);
        self.now = Some(measured);
    }

    fn show(&mut self) {
        // While pairs are made the network rests; a broken one is not shown.
        if self.shown == Some(self.step) || matches!(self.outcome, Outcome::Diverged { .. }) {
            return;
        }
        self.shown = Some(self.step);
        let start = self.start.head(SHOWN);
        for (k, steps) in [(0, 32), (1, self.params.evaluations as usize)] {
            let mut trails = Trails::of(TRAILS);
            let end = self.ends(start.clone(), steps, |_, x, _| trails.push(x));
            trails.push(&end);
            let pi = std::f64::consts::PI;
            let mut cloud = Cloud::new(&end, angles(&start), (-pi, pi), self.limit);
            cloud.trails = trails;
            cloud.backdrop = Some(self.backdrop.clone());
            self.pictures[k] = cloud;
        }
    }

    /// The network as it is, and as it was before the second training.
    fn moments(&self) -> impl Iterator<Item = (&'static str, Role, &Measured)> {
        let before = self.before.as_ref().filter(|_| self.step > self.params.steps);
        let before = before.map(|m| ("before", Role::Reference, m));
        before.into_iter().chain(self.now.as_ref().map(|m| ("now", Role::Result, m)))
    }

    fn wander_lines(&self) -> ViewData {
        let root =
            |v: &Vec<f64>| v.iter().map(|v| if v.is_finite() { v.sqrt() } else { f64::NAN }).collect::<Vec<f64>>();
        let line =
            |(name, role, m): (&str, Role, &Measured)| Series::line(name, role, m.wander.0.clone(), root(&m.wander.1));
        let series: Vec<Series> = self.moments().map(line).collect();
        let top = series.iter().flat_map(|s| &s.ys).copied().filter(|y| y.is_finite()).fold(0.1, f64::max);
        ViewData::Lines { series, x: (0.0, 1.0), y: (0.0, 1.1 * top) }
    }

    fn race(&self) -> ViewData {
        let steps: Vec<f64> = RACE.iter().map(|n| *n as f64).collect();
        let mut series: Vec<Series> = self
            .moments()
            .map(|(name, role, m)| Series::dotted(name, role, steps.clone(), with_gaps(&m.distances)))
            .collect();
        let ends = vec![steps[0], steps[steps.len() - 1]];
        series.push(Series::line("a sample of the data", Role::Third, ends.clone(), vec![self.floor; 2]));
        error_lines(series, (ends[0], ends[1]), (0.02, 1.0))
    }
}

/// Input and target at time `t` of the pair (x₀, ε).
fn example(form: &Form, t: f64, pair: impl Fn(usize) -> (f64, f64), input: &mut [f64], target: &mut [f64]) {
    let level = form.level(t);
    for d in 0..2 {
        let (clean, noise) = pair(d);
        input[d] = level.alpha * clean + level.sigma * noise;
        target[d] = form.output.target(clean, noise, level.alpha, level.sigma);
    }
    input[2] = t;
}

impl Run for RectifyRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        budget.spend(|| self.outcome.is_running().then(|| self.work()));
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        Progress {
            steps: self.step.into(),
            position: self.step.into(),
            fraction: f64::from(self.step) / f64::from(self.all_steps()),
            work: f64::from(self.step) * f64::from(self.params.batch),
            work_unit: "samples",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F32)
    }
    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(match key {
            "wander" => self.wander_lines(),
            "race" => self.race(),
            _ => {
                self.show();
                self.pictures[usize::from(key == "few")].clone().view()
            }
        }))
    }
    fn weights(&self) -> Vec<Tensor> {
        self.network.weights("")
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        self.network.set_weights("", given, self.params.rate, self.params.steps.into())?;
        self.shown = None;
        Ok(())
    }
}

#[cfg(test)]
#[path = "rectified_diffusion/tests.rs"]
mod tests;
