//@ feature: flow
//! # One law in time, many ways to follow it
//!
//! Blend a start and an end and add noise that vanishes at both:
//!
//! $$x_t = a(t)\,x_0 + b(t)\,x_1 + \gamma(t)\,z, \qquad \gamma^2 = \gamma_0\,t(1-t).$$
//!
//! The law $p_t$ of $x_t$ has a velocity $v = \mathbb E[\dot a x_0 + \dot b x_1 + \dot\gamma z \mid x_t]$ and a score $s = \nabla \ln p_t$. Both the
//! ordinary equation $dX = v\,dt$ and, for every $\varepsilon > 0$,
//!
//! $$dX = (v + \varepsilon s)\,dt + \sqrt{2\varepsilon}\,dW$$
//!
//! have exactly this law at every time. So why add noise? Because fields are never exact. An error of $v$ pushes the
//! ordinary flow away for good, while the score of the noisy one pulls back to $p_t$ what strays: its error stays bounded
//! by those of $v$ and $s$, the other's does not.
//!
//! Between Gaussian mixtures $v$ and $s$ are known, and the error is put in on purpose: $a\,(\sin 3y, \cos 3x)$ added to
//! the velocity, another to the score. Too large an $\varepsilon$ with a wrong score turns the advantage round.

use eddy_numerics::{
    diffusion::{Batch, metrics::sliced_wasserstein, targets},
    rng::{Philox, Stream},
    transport::{Blend, Interpolant},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::flow::{Cloud, Trails, angles},
    ready,
};

choice! { pub enum Path {
    /// straight
    Linear = "linear",
    /// trigonometric
    Trigonometric = "trigonometric",
} }

params! { pub struct Params {
    /// Noise of the particles. 0: the ordinary flow.
    epsilon: f64 = 1.0 => range(0.0, 4.0).symbol("\\varepsilon").group("Equation"),
    /// Error of the velocity.
    error: f64 = 1.0 => range(0.0, 3.0).symbol("a").group("Equation"),
    /// Error of the score.
    score_error: f64 = 0.0 => range(0.0, 3.0).symbol("a_s").group("Equation"),
    /// Blend.
    path: Path = Path::Linear => choice().group("Interpolant"),
    /// Noise of the interpolant.
    gamma: f64 = 1.0 => range(0.0, 4.0).symbol("\\gamma_0").group("Interpolant"),
    /// Steps.
    time_steps: u32 = 400 => steps(20, 2000).symbol("N").group("Run"),
    /// Particles.
    particles: u32 = 5000 => steps(50, 20_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Curve. Measures other ε after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// ε of the curve's points, their particles and steps.
const SWEEP: [f64; 7] = [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0];
const SWEEP_PARTICLES: u32 = 2000;
const SWEEP_STEPS: u32 = 300;
/// Rows of the record.
const ROWS: u32 = 20;
/// Particles on the stage, and those with a trail.
const SHOWN: usize = 2000;
const TRAILS: usize = 24;
const DIRECTIONS: usize = 64;
/// Half the side of the stage.
const LIMIT: f64 = 3.0;

pub struct StochasticInterpolants;

impl Experiment for StochasticInterpolants {
    type Params = Params;
    const TITLE: &'static str = "Stochastic interpolants";
    const SUMMARY: &'static str = "With the right fields noise changes nothing; with wrong ones it repairs.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 75,
        key: "albergo2023stochastic",
        authors: "Michael S. Albergo and Nicholas M. Boffi and Eric Vanden-Eijnden",
        title: "Stochastic Interpolants: A Unifying Framework for Flows and Diffusions",
        venue: "arXiv preprint",
        year: 2023,
        url: "https://arxiv.org/abs/2303.08797",
    }];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "w2",
            Axis::log("sliced Wasserstein distance", "W_2"),
            Better::Lower,
            "Sliced 2-Wasserstein distance (64 directions) of the particles to as many exact samples of the law at their time.",
        ),
        Metric::new(
            "floor",
            Axis::log("two-sample floor", "W_2^*"),
            Better::Neither,
            "The same distance between two sets of exact samples of the target, mean over 4 pairs.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        Cloud::BY_START,
        ViewSpec::curves(
            "race",
            "distance against noise",
            Axis::linear("noise of the particles", "\\varepsilon"),
            Axis::log("sliced Wasserstein distance", "W_2"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "ordinary flow, ε = 0", change: "epsilon=0" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With exact fields the sliced W2 at eps = 0, 1 and 4 is <= 1.2x the two-sample Monte-Carlo floor; with the velocity off by a = 1 the SDE at eps = 1 has <= 0.6x the sliced W2 of the ODE.",
        arms: &[
            Arm { name: "exact, 0", setting: "epsilon=0&error=0&curve=off" },
            Arm { name: "exact, 1", setting: "epsilon=1&error=0&curve=off" },
            Arm { name: "exact, 4", setting: "epsilon=4&error=0&curve=off" },
            Arm { name: "wrong, ODE", setting: "epsilon=0&curve=off" },
            Arm { name: "wrong, SDE", setting: "curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "ODE with exact fields / floor",
                measure: |m| m.mean("exact, 0", "w2") / m.mean("exact, 0", "floor"),
                bound: Bound::AtMost(1.2),
                unit: "×",
            },
            Test {
                label: "SDE, ε = 1, with exact fields / floor",
                measure: |m| m.mean("exact, 1", "w2") / m.mean("exact, 1", "floor"),
                bound: Bound::AtMost(1.2),
                unit: "×",
            },
            Test {
                label: "SDE, ε = 4, with exact fields / floor",
                measure: |m| m.mean("exact, 4", "w2") / m.mean("exact, 4", "floor"),
                bound: Bound::AtMost(1.2),
                unit: "×",
            },
            Test {
                label: "wrong velocity, SDE / ODE",
                measure: |m| m.ratio("wrong, SDE", "wrong, ODE", "w2"),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "A score that is as wrong as the velocity pulls to the wrong law.",
            arms: &["wrong, SDE"],
            change: "score_error=3",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(InterpolantRun::new(p)?))
    }
}

/// Particles on their way.
struct Walk {
    x: Batch<f64>,
    velocity: Batch<f64>,
    score: Batch<f64>,
    epsilon: f64,
    errors: (f64, f64),
    step: u32,
    steps: u32,
    rng: Philox,
}

impl Walk {
    fn new(it: &Interpolant, p: &Params, epsilon: f64, particles: u32, steps: u32) -> Self {
        let (dim, count, rng) = (it.dim(), particles as usize, Philox::new(p.seed));
        Self {
            x: it.source().sample_stratified(count, 1.0, 0.0, &rng, Stream::Prior),
            velocity: Batch::zeros(dim, count),
            score: Batch::zeros(dim, count),
            epsilon,
            errors: (p.error, p.score_error),
            step: 0,
            steps,
            rng,
        }
    }

    fn is_done(&self) -> bool {
        self.step == self.steps
    }
    fn time(&self) -> f64 {
        f64::from(self.step) / f64::from(self.steps)
    }

    /// One step of Euler and Maruyama.
    fn step(&mut self, it: &Interpolant) {
        it.fields(&self.x, self.time(), &mut self.velocity, &mut self.score);
        let (h, (in_velocity, in_score)) = (1.0 / f64::from(self.steps), self.errors);
        for i in 0..self.x.len() {
            let (x, y) = (self.x.coordinate(0)[i], self.x.coordinate(1)[i]);
            let wave = [(3.0 * y).sin(), (3.0 * x).cos()];
            for (d, w) in wave.iter().enumerate() {
                self.velocity.coordinate_mut(d)[i] += in_velocity * w;
                self.score.coordinate_mut(d)[i] += in_score * w;
            }
        }
        self.x.combine(1.0, &[(h, &self.velocity), (h * self.epsilon, &self.score)]);
        if self.epsilon > 0.0 {
            self.x.add_normal((2.0 * self.epsilon * h).sqrt(), &self.rng, Stream::Path, self.step);
        }
        self.step += 1;
    }

    /// Distance to exact samples at the present time.
    fn distance(&self, it: &Interpolant) -> f64 {
        let exact = it.sample(self.x.len(), self.time(), &Philox::new(self.rng_seed()));
        sliced_wasserstein(&self.x, &exact, DIRECTIONS)
    }

    /// Seed of samples that are independent of the particles.
    fn rng_seed(&self) -> u32 {
        self.rng.words(Stream::Control, u32::MAX, 0, 0)[0]
    }
}

struct InterpolantRun {
    params: Params,
    interpolant: Interpolant,
    walk: Walk,
    starts: Vec<f32>,
    trails: Trails,
    floor: f64,
    /// The point of the curve at work, and those done.
    point: Option<Walk>,
    curve: Vec<(f64, f64)>,
    backdrop: Option<(u32, ViewData)>,
    steps: u64,
    record: Record,
}

impl InterpolantRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let blend = match p.path {
            Path::Linear => Blend::Linear,
            Path::Trigonometric => Blend::Trigonometric,
        };
        let (source, target) = (targets::ring(2, 1.6, 0.3), targets::three());
        let interpolant =
            Interpolant::new(source, target, blend, p.gamma).map_err(|e| EddyError::start(e.to_string()))?;
        let walk = Walk::new(&interpolant, p, p.epsilon, p.particles, p.time_steps);
        let pair = |i: u32| {
            let seed = p.seed.wrapping_add(1_000_003 * (i + 1));
            let samples = |s| interpolant.target().sample(p.particles as usize, 1.0, 0.0, &Philox::new(seed), s);
            sliced_wasserstein(&samples(Stream::Data), &samples(Stream::Control), DIRECTIONS)
        };
        let floor = (0..4).map(pair).sum::<f64>() / 4.0;
        let mut trails = Trails::of(TRAILS);
        trails.push(&spread(&walk.x, TRAILS));
        Ok(Self {
            starts: angles(&spread(&walk.x, SHOWN)),
            params: p.clone(),
            interpolant,
            walk,
            trails,
            floor,
            point: None,
            curve: Vec::new(),
            backdrop: None,
            steps: 0,
            record: Record::of(StochasticInterpolants::METRICS),
        })
    }

    fn points(&self) -> usize {
        if self.params.curve { SWEEP.len() } else { 0 }
    }
    fn is_done(&self) -> bool {
        self.walk.is_done() && self.curve.len() == self.points()
    }

    fn step(&mut self) {
        if !self.walk.is_done() {
            self.walk.step(&self.interpolant);
            self.trails.push(&spread(&self.walk.x, TRAILS));
            // A run without a curve is not looked at on the way.
            let row = self.params.curve && self.walk.step.is_multiple_of((self.walk.steps / ROWS).max(1));
            if row || self.walk.is_done() {
                let w2 = self.walk.distance(&self.interpolant);
                self.record.push(self.walk.time(), &[w2, self.floor]);
            }
            return;
        }
        let (params, it, epsilon) = (&self.params, &self.interpolant, SWEEP[self.curve.len()]);
        let point = self.point.get_or_insert_with(|| Walk::new(it, params, epsilon, SWEEP_PARTICLES, SWEEP_STEPS));
        point.step(it);
        if point.is_done() {
            self.curve.push((epsilon, point.distance(it)));
            self.point = None;
        }
    }

    fn race(&self) -> ViewData {
        if self.points() == 0 {
            return ViewData::Empty;
        }
        let (xs, ys): (Vec<f64>, Vec<f64>) = self.curve.iter().copied().unzip();
        let floor = self.floor * (f64::from(self.params.particles) / f64::from(SWEEP_PARTICLES)).sqrt();
        let top = ys.iter().copied().fold(2.0 * floor, f64::max);
        let low = ys.iter().copied().fold(floor, f64::min);
        let series = vec![
            Series::line("exact samples", Role::Reference, vec![0.0, 4.0], vec![floor; 2]),
            Series::dotted("particles", Role::Result, xs, ys),
        ];
        ViewData::Lines { series, x: (0.0, 4.0), y: (0.7 * low, 1.4 * top) }
    }

    /// Square root of the exact density at the present time.
    fn density(&mut self) -> ViewData {
        const CELLS: usize = 72;
        if let Some((step, data)) = &self.backdrop
            && *step == self.walk.step
        {
            return data.clone();
        }
        let at = |i: usize| LIMIT * (2.0 * (i as f64 + 0.5) / CELLS as f64 - 1.0);
        let points: Vec<f64> = (0..CELLS).flat_map(|j| (0..CELLS).flat_map(move |i| [at(i), at(j)])).collect();
        let logs = self.interpolant.log_densities(&points, self.walk.time());
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let data = logs.iter().map(|v| (0.5 * (v - top)).exp() as f32).collect();
        let side = (-LIMIT, LIMIT);
        let data = ViewData::Field { nx: CELLS, ny: CELLS, data, x: side, y: side, range: (0.0, 1.0) };
        self.backdrop = Some((self.walk.step, data.clone()));
        data
    }
}

/// `count` particles from all over the batch, which lists one component after another.
fn spread(x: &Batch<f64>, count: usize) -> Batch<f64> {
    let stride = x.len().div_ceil(count.max(1)).max(1);
    let points: Vec<f64> = (0..x.len()).step_by(stride).flat_map(|i| x.point(i)).collect();
    Batch::from_points(x.dim(), &points)
}

impl Run for InterpolantRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome().is_running() {
            self.step();
            self.steps += 1;
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        if self.walk.x.non_finite() > 0 {
            return Outcome::Diverged {
                step: self.walk.step.into(),
                cause: "particles left the range of numbers: the steps are too long for so much noise".to_owned(),
                advice: "Take more steps or less noise.".to_owned(),
                repair: None,
            };
        }
        if self.is_done() { Outcome::Finished } else { Outcome::Running }
    }

    fn progress(&self) -> Progress {
        let all = u64::from(self.walk.steps) + self.points() as u64 * u64::from(SWEEP_STEPS);
        Progress {
            steps: self.steps,
            position: self.walk.time(),
            fraction: (self.steps as f64 / all as f64).min(1.0),
            work: f64::from(self.walk.step) * f64::from(self.params.particles),
            work_unit: "evaluations",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F64)
    }
    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(if key == "race" {
            self.race()
        } else {
            let pi = std::f64::consts::PI;
            let mut cloud = Cloud::new(&spread(&self.walk.x, SHOWN), self.starts.clone(), (-pi, pi), LIMIT);
            cloud.trails = self.trails.clone();
            cloud.backdrop = Some(self.density());
            cloud.view()
        }))
    }
}
