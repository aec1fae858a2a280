//@ feature: flow
//! # A Schrödinger bridge in seconds
//!
//! Particles start at random and move like Brownian motion of variance $\varepsilon$, but must arrive in a given law. The likeliest
//! way is the *Schrödinger bridge*: of all couplings of start $x$ and end $y$ the one closest to Brownian motion,
//! $\pi(y \mid x) \propto e^{\langle x, y\rangle/\varepsilon}\,v(y)$. Take a mixture of Gaussians for the potential,
//!
//! $$v(y) = \sum_k \alpha_k\,\mathcal N(y;\, r_k,\, \varepsilon S_k), \qquad
//! c(x) = \int e^{\langle x, y\rangle/\varepsilon} v(y)\,dy = \sum_k \alpha_k \exp\frac{x^\top S_k x + 2 r_k^\top x}{2\varepsilon},$$
//!
//! and $\mathrm{KL}(\pi^* \Vert \pi) = \mathbb E_{p_0} \ln c(x) - \mathbb E_{p_1} \ln v(y) + \text{const}$ is a loss on plain samples. No simulation,
//! no second network; an end is drawn in one shot, and the path between is a Brownian bridge.
//!
//! To arrive in the right law is not enough, since independent ends do that too. So one problem is a pair of Gaussians whose
//! optimal coupling is known in closed form, and the learned cross-covariance is held against it.
//!
//! Try: small $\varepsilon$ (straight, short ways); three components (five modes have none); the network, which learns the drift of
//! a bridge between independent ends. Simulated in 50 steps it arrives almost as well, in 4 it does not.

use eddy_nets::{Adam, AdamSettings, Schedule, Shape};
use eddy_numerics::{
    diffusion::{Batch, Component, Mixture, Shape as Covariance, metrics::energy_distance},
    rng::{Philox, Stream},
    transport::{LightBridge, gaussian_cross_covariance},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::{
        flow::{Cloud, FieldNetwork, Loss, Trails, angles, density, energy_floor, euler_maruyama, transport_cost},
        sampler::Target,
    },
    ready,
};

choice! { pub enum Problem {
    /// 8 Gaussians on a ring
    Ring = "ring",
    /// two moons
    Moons = "moons",
    /// spiral
    Spiral = "spiral",
    /// checkerboard
    Checkerboard = "checkerboard",
    /// one Gaussian, coupling known
    Gaussian = "gaussian",
} }

choice! { pub enum Method {
    /// light bridge
    Light = "light",
    /// bridge matching, network
    Network = "network",
} }

params! { pub struct Params {
    /// Method.
    method: Method = Method::Light => choice().group("Method"),
    /// Components. Gaussians of the potential.
    components: u32 = 50 => steps(1, 200).symbol("K").group("Method").only_when("method", &["light"]),
    /// Steps of the simulation. The light bridge needs none.
    simulation: u32 = 50 => steps(1, 200).group("Method").only_when("method", &["network"]),
    /// Noise. Variance that the Brownian motion gathers on the way.
    epsilon: f64 = 0.1 => log(0.01, 2.0).symbol("\\varepsilon").group("Problem"),
    /// Target. The start is the standard normal law.
    problem: Problem = Problem::Ring => choice().group("Problem"),
    /// Dimensions.
    dimensions: u32 = 8 => steps(2, 16).symbol("d").group("Problem").only_when("problem", &["gaussian"]),
    /// Training steps.
    steps: u32 = 3000 => steps(10, 20_000).group("Training"),
    /// Samples per step, of the start and of the target.
    batch: u32 = 128 => steps(8, 1024).group("Training"),
    /// Learning rate. It falls along half a cosine.
    rate: f64 = 0.01 => log(1e-4, 0.1).symbol("\\eta").group("Training"),
    /// Particles.
    particles: u32 = 1000 => steps(50, 4000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

/// Particles with a path, and points of a path.
const TRAILS: usize = 48;
const PATH: usize = 48;
/// Rows of the record.
const ROWS: u32 = 30;
/// Starts over which the coupling is estimated.
const COUPLING_POINTS: usize = 4000;
/// The network's drift is learned up to this time: its target grows like 1/√(1 − t).
const LAST_TIME: f64 = 0.99;

impl Params {
    fn target(&self) -> Mixture {
        let plane = |t: Target| t.mixture(2.0, 0.15);
        match self.problem {
            Problem::Ring => plane(Target::Ring),
            Problem::Moons => plane(Target::Moons),
            Problem::Spiral => plane(Target::Spiral),
            Problem::Checkerboard => plane(Target::Checkerboard),
            Problem::Gaussian => {
                let d = self.dimensions as usize;
                let mean = (0..d).map(|j| if j % 2 == 0 { 1.0 } else { -0.5 }).collect();
                let axes = (0..d * d).map(|i| f64::from(u8::from(i / d == i % d))).collect();
                let shape = Covariance::Full { axes, sds: variances(d).iter().map(|b| b.sqrt()).collect() };
                Mixture::new(d, vec![Component { weight: 1.0, mean, shape, class: 0 }])
                    .expect("the mean is finite, the axes are those of the coordinates")
            }
        }
    }
}

/// Variances of the Gaussian target, from 1/4 to 9/4.
fn variances(d: usize) -> Vec<f64> {
    (0..d).map(|j| 0.25 + 2.0 * j as f64 / (d - 1) as f64).collect()
}

const ENERGY: Metric = Metric::new(
    "energy",
    Axis::log("energy distance", "D_E"),
    Better::Lower,
    "Energy distance between the ends of the particles and as many fresh samples of the target.",
);

pub struct LightSb;

impl Experiment for LightSb {
    type Params = Params;
    const TITLE: &'static str = "Light Schrödinger bridge";
    const SUMMARY: &'static str =
        "The likeliest way of a cloud to its target, learned in seconds without a simulation.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 121,
        key: "korotin2024light",
        authors: "Alexander Korotin and Nikita Gushchin and Evgeny Burnaev",
        title: "Light Schrödinger Bridge",
        venue: "ICLR",
        year: 2024,
        url: "https://arxiv.org/abs/2310.01174",
    }];
    const AXIS: Axis = Axis::linear("training steps", "k");
    const METRICS: &'static [Metric] = &[
        ENERGY,
        Metric::new(
            "floor",
            Axis::log("two-sample floor", "D_E^*"),
            Better::Neither,
            "Energy distance between two fresh samples of the target of the same size, mean over 8 pairs.",
        ),
        Metric::new(
            "coupling",
            Axis::log("error of the cross-covariance", "\\|\\hat C - C\\|/\\|C\\|"),
            Better::Lower,
            "Relative Frobenius distance of E[x yᵀ] from that of the exact bridge; for the Gaussian problem.",
        ),
        Metric::new(
            "cost",
            Axis::linear("mean square way", "E|y-x|^2"),
            Better::Neither,
            "Mean square distance from start to end.",
        ),
        Metric::new("loss", Axis::linear("training loss", "L"), Better::Neither, "Loss of the last step's batch."),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        Cloud::BY_START,
        ViewSpec::field(
            "potential",
            "potential",
            Axis::linear("x", "x_1"),
            Axis::linear("y", "x_2"),
            Axis::linear("log-potential", "\\ln v"),
            ColorMap::Viridis,
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "bridge matching", change: "method=network&rate=0.003" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "From a Gaussian to a Gaussian (d = 8, eps = 1) the learned coupling's cross-covariance is within 5 % (relative Frobenius) of the closed form, and from a Gaussian to 8 Gaussians the energy distance of one-shot samples to the target is <= 2x the two-sample floor and <= 0.5x that of a bridge-matching network trained on as many batches and simulated in 4 steps.",
        arms: &[
            Arm { name: "Gaussian", setting: "problem=gaussian&epsilon=1&components=5" },
            Arm { name: "light", setting: "" },
            Arm { name: "network", setting: "method=network&rate=0.003&simulation=4" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "error of the Gaussian coupling",
                measure: |m| m.max("Gaussian", "coupling"),
                bound: Bound::AtMost(0.05),
                unit: "",
            },
            Test {
                label: "energy distance of the light bridge / floor",
                measure: |m| m.mean("light", "energy") / m.mean("light", "floor"),
                bound: Bound::AtMost(2.0),
                unit: "×",
            },
            Test {
                label: "energy distance, light bridge / network",
                measure: |m| m.ratio("light", "network", "energy"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Three components cannot hold eight separate modes.",
            arms: &["light"],
            change: "components=3",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(BridgeRun::new(p)?))
    }
}

enum Learner {
    Light { bridge: LightBridge, adam: Adam<f64>, gradient: Vec<f64> },
    Network(Box<FieldNetwork>),
}

struct BridgeRun {
    params: Params,
    target: Mixture,
    learner: Learner,
    /// Starts of the particles, and their ends under the bridge as it stood at step `ends_at`.
    start: Batch<f64>,
    ends: Batch<f64>,
    trails: Trails,
    ends_at: Option<u32>,
    fresh: Batch<f64>,
    backdrop: ViewData,
    floor: f64,
    step: u32,
    outcome: Outcome,
    record: Record,
}

impl BridgeRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let (target, rng, count) = (p.target(), Philox::new(p.seed), p.particles as usize);
        let learner = match p.method {
            Method::Light => {
                let samples =
                    target.sample(p.components as usize, 1.0, 0.0, &batch_rng(p.seed, u32::MAX), Stream::Data);
                let bridge = LightBridge::from_samples(p.epsilon, p.components as usize, &samples);
                let shape = Shape::Cosine { steps: p.steps.into(), floor: 0.01 };
                let schedule = Schedule { rate: p.rate, shape, warm_up: 0 };
                let parameters = bridge.parameters.len();
                let adam = Adam::new(parameters, AdamSettings { schedule, ..AdamSettings::default() });
                Learner::Light { bridge, adam, gradient: vec![0.0; parameters] }
            }
            Method::Network => {
                let network = FieldNetwork::new(target.dim(), &[64, 64, 64], p.seed, p.rate, p.steps.into())?;
                Learner::Network(Box::new(network))
            }
        };
        let start = Batch::normal(target.dim(), count, 1.0, &rng, Stream::Prior, 0);
        let limit = limit(&target);
        let mut run = Self {
            backdrop: if target.dim() == 2 { density(&target, limit) } else { ViewData::Empty },
            fresh: target.sample(count, 1.0, 0.0, &rng, Stream::Control),
            floor: energy_floor(&target, count, 8, p.seed),
            ends: start.clone(),
            start,
            trails: Trails::default(),
            ends_at: None,
            learner,
            target,
            params: p.clone(),
            step: 0,
            outcome: Outcome::Running,
            record: Record::of(LightSb::METRICS),
        };
        run.move_particles();
        Ok(run)
    }

    /// One training step. Returns the loss.
    fn train(&mut self) -> f64 {
        let (dim, count) = (self.target.dim(), self.params.batch as usize);
        let rng = batch_rng(self.params.seed, self.step);
        let x = Batch::normal(dim, count, 1.0, &rng, Stream::Prior, 0);
        let y = self.target.sample(count, 1.0, 0.0, &rng, Stream::Data);
        match &mut self.learner {
            Learner::Light { bridge, adam, gradient } => {
                let loss = bridge.gradient(&x, &y, gradient);
                let norm = adam.step(&mut bridge.parameters, gradient);
                if norm.is_finite() { loss } else { f64::NAN }
            }
            Learner::Network(network) => {
                let epsilon = self.params.epsilon;
                network.train(count, Loss::Square, |i, input, target| {
                    let t = LAST_TIME * rng.uniforms(Stream::Control, 0, i as u32, 0)[0];
                    input[dim] = t;
                    for j in 0..dim {
                        // A Brownian bridge between two independent ends, and its drift.
                        let z = rng.normals(Stream::Path, 0, i as u32, (j / 4) as u32)[j % 4];
                        let (a, b) = (x.coordinate(j)[i], y.coordinate(j)[i]);
                        input[j] = (1.0 - t) * a + t * b + (epsilon * t * (1.0 - t)).sqrt() * z;
                        target[j] = (b - input[j]) / (1.0 - t);
                    }
                })
            }
        }
    }

    /// Ends and paths under the bridge as it stands.
    fn move_particles(&mut self) {
        if self.ends_at == Some(self.step) {
            return;
        }
        self.ends_at = Some(self.step);
        let rng = Philox::new(self.params.seed);
        self.trails = Trails::of(TRAILS);
        match &mut self.learner {
            Learner::Light { bridge, .. } => {
                self.ends = bridge.sample(&self.start, &rng, Stream::Corrector, 0);
                let mut x = self.start.head(TRAILS);
                let ends = self.ends.head(TRAILS);
                self.trails.push(&x);
                for k in 0..PATH {
                    // One step of the Brownian bridge to the end: exact in law.
                    let left = (PATH - k) as f64;
                    let h = 1.0 / PATH as f64;
                    let keep = 1.0 - 1.0 / left;
                    x.combine(keep, &[(1.0 - keep, &ends)]);
                    x.add_normal((self.params.epsilon * h * keep).sqrt(), &rng, Stream::Path, k as u32);
                    self.trails.push(&x);
                }
            }
            Learner::Network(network) => {
                let steps = self.params.simulation;
                let times: Vec<f64> = (0..=steps).map(|k| f64::from(k) / f64::from(steps)).collect();
                let trails = &mut self.trails;
                let mut field = |x: &Batch<f64>, t: f64, v: &mut Batch<f64>| network.evaluate(x, t, v);
                let noise = 0.5 * self.params.epsilon;
                self.ends = euler_maruyama(self.start.clone(), &times, noise, &rng, &mut field, |_, x| trails.push(x));
            }
        }
    }

    fn write_row(&mut self, loss: f64) {
        self.move_particles();
        let energy = energy_distance(&self.ends, &self.fresh);
        let coupling = self.coupling_error();
        let cost = transport_cost(&self.start, &self.ends);
        self.record.push(f64::from(self.step), &[energy, self.floor, coupling, cost, loss]);
    }

    fn coupling_error(&self) -> f64 {
        if self.params.problem != Problem::Gaussian {
            return f64::NAN;
        }
        let (d, epsilon) = (self.target.dim(), self.params.epsilon);
        let exact: Vec<f64> = variances(d).iter().map(|b| gaussian_cross_covariance(1.0, *b, epsilon)).collect();
        let (x, y) = match &self.learner {
            Learner::Light { bridge, .. } => {
                let x = Batch::normal(d, COUPLING_POINTS, 1.0, &Philox::new(self.params.seed), Stream::Control, 1);
                let means: Vec<f64> = (0..x.len()).flat_map(|i| bridge.mean(&x.point(i))).collect();
                let y = Batch::from_points(d, &means);
                (x, y)
            }
            Learner::Network(_) => (self.start.clone(), self.ends.clone()),
        };
        relative_error(&x, &y, &exact)
    }

    fn potential(&self) -> ViewData {
        const CELLS: usize = 72;
        let Learner::Light { bridge, .. } = &self.learner else { return ViewData::Empty };
        let limit = limit(&self.target);
        let at = |i: usize| limit * (2.0 * (i as f64 + 0.5) / CELLS as f64 - 1.0);
        // In more dimensions: the plane of the first two through the mean of the target.
        let mut point = self.target.class_mean(0).unwrap_or_default();
        point.resize(bridge.dim(), 0.0);
        let mut data = Vec::with_capacity(CELLS * CELLS);
        for j in 0..CELLS {
            for i in 0..CELLS {
                (point[0], point[1]) = (at(i), at(j));
                data.push(bridge.log_potential(&point).clamp(-1e6, 1e6) as f32);
            }
        }
        let top = f64::from(data.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        ViewData::Field { nx: CELLS, ny: CELLS, data, x: (-limit, limit), y: (-limit, limit), range: (top - 12.0, top) }
    }
}

/// A generator of its own for each step's batch.
fn batch_rng(seed: u32, step: u32) -> Philox {
    Philox::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(step).wrapping_add(1))
}

fn limit(target: &Mixture) -> f64 {
    (1.15 * target.extent()).clamp(2.8, 5.0)
}

/// Relative Frobenius distance of E[x yᵀ] from diag(exact), x ~ N(0, I). What the sample covariance of x misses of I, times
/// the exact answer, is taken off: its mean is 0, and it is most of the scatter.
fn relative_error(x: &Batch<f64>, y: &Batch<f64>, exact: &[f64]) -> f64 {
    let (d, n) = (exact.len(), x.len() as f64);
    let (mut difference, mut size) = (0.0, 0.0);
    for j in 0..d {
        let mean = y.coordinate(j).iter().sum::<f64>() / n;
        for i in 0..d {
            let product = |v: &[f64], m: f64| x.coordinate(i).iter().zip(v).map(|(x, v)| x * (v - m)).sum::<f64>() / n;
            let target = if i == j { exact[j] } else { 0.0 };
            let excess = product(x.coordinate(j), 0.0) - f64::from(u8::from(i == j));
            difference += (product(y.coordinate(j), mean) - excess * exact[j] - target).powi(2);
            size += target * target;
        }
    }
    (difference / size).sqrt()
}

impl Run for BridgeRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            let loss = self.train();
            self.step += 1;
            if !loss.is_finite() {
                self.outcome = Outcome::Diverged {
                    step: self.step.into(),
                    cause: "a training step made the potential or the network overflow".to_owned(),
                    advice: "Lower the learning rate or raise the noise.".to_owned(),
                    repair: None,
                };
                break;
            }
            let is_last = self.step >= self.params.steps;
            if is_last {
                self.outcome = Outcome::Finished;
            }
            if is_last || self.step.is_multiple_of((self.params.steps / ROWS).max(1)) {
                self.write_row(loss);
            }
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        let steps = f64::from(self.step);
        Progress {
            steps: self.step.into(),
            position: steps,
            fraction: (steps / f64::from(self.params.steps)).min(1.0),
            work: steps * f64::from(self.params.batch),
            work_unit: "samples",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F64)
    }
    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(match key {
            "potential" => self.potential(),
            _ => {
                if self.outcome.is_running() || self.outcome == Outcome::Finished {
                    self.move_particles();
                }
                let pi = std::f64::consts::PI;
                let mut cloud = Cloud::new(&self.ends, angles(&self.start), (-pi, pi), limit(&self.target));
                cloud.trails = self.trails.clone();
                cloud.backdrop = (self.backdrop != ViewData::Empty).then(|| self.backdrop.clone());
                cloud.view()
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coupling_error_sees_five_percent() {
        let exact = [0.8, 0.3];
        let x = Batch::<f64>::normal(2, 4000, 1.0, &Philox::new(1), Stream::Data, 0);
        let map = |factor: f64| {
            let points: Vec<f64> = (0..x.len())
                .flat_map(|i| [factor * exact[0] * x.point(i)[0] + 2.0, exact[1] * x.point(i)[1]])
                .collect();
            Batch::from_points(2, &points)
        };
        assert!(relative_error(&x, &map(1.0), &exact) < 0.03);
        assert!(relative_error(&x, &map(1.06), &exact) > 0.05);
    }
}
