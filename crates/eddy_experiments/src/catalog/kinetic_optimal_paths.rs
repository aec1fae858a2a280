//@ feature: flow
//! # The laziest way from noise to data
//!
//! Mix data and noise, $x_t = a(t)\,x_1 + m(t)\,x_0$, and let particles follow the law. Which schedule moves them least? Write
//! $a = r\sin\theta$, $m = r\cos\theta$. The kinetic energy per dimension is
//!
//! $$E = \int_0^1 \dot r^2 + \lambda(\theta)\,r^2\,\dot\theta^2\,dt, \qquad
//! \lambda(\theta) = 1 - \frac{\mathrm{MMSE}(\tan\theta)}{d\cos^2\theta} \in [0, 1].$$
//!
//! $\lambda$ is how well the data can be told apart at that noise, and is all that matters of them. With
//! $\varphi = \int\!\sqrt\lambda\,d\theta$ this is the metric of a cone. Unroll it: the best schedule is the straight chord, of energy
//! $4\sin^2(\Phi/2)$.
//!
//! For Gaussian data $\lambda = 0$: turn at $r = 1$ (variance preserving). For few points in many dimensions $\lambda \to 1$: go straight,
//! $a = t$, $m = 1 - t$ (the usual flow). Data in the plane lie in between, and both usual schedules waste energy.
//!
//! Low energy is not few steps: compare the distance after 16 Euler steps.
//!
//! The reduction to a cone is ours. The energy is measured independently of it, as the mean square of the exact velocity.

use eddy_numerics::{
    diffusion::{Batch, Component, Mixture, Shape, metrics::sliced_wasserstein, targets},
    rng::{Philox, Stream},
    transport::kinetic::{Cone, angles, marginal_velocity, separation},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::flow::{Cloud, Trails, angles as directions, density},
    ready,
};

choice! { pub enum Data {
    /// 8 Gaussians on a ring
    Ring = "ring",
    /// two wide Gaussians
    Pair = "pair",
    /// two moons
    Moons = "moons",
    /// random points
    Points = "points",
} }

choice! { pub enum Path {
    /// kinetic-optimal
    Optimal = "optimal",
    /// straight, a = t
    Straight = "straight",
    /// variance preserving
    Turn = "turn",
} }

params! { pub struct Params {
    /// Schedule.
    path: Path = Path::Optimal => choice().group("Schedule"),
    /// Data.
    data: Data = Data::Ring => choice().group("Data"),
    /// Number of points.
    count: u32 = 4 => steps(2, 256).symbol("n").group("Data").only_when("data", &["points"]),
    /// Dimensions.
    dimensions: u32 = 2 => steps(2, 64).symbol("d").group("Data").only_when("data", &["points"]),
    /// Euler steps.
    evaluations: u32 = 16 => steps(1, 200).symbol("N").group("Run"),
    /// Particles.
    particles: u32 = 1000 => steps(50, 5000).group("Run"),
    /// Samples for λ and for the energy.
    samples: u32 = 1500 => steps(100, 20_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

/// Angles at which λ is estimated, and times at which the energy is.
const ANGLES: usize = 100;
const TIMES: usize = 100;
const TRAILS: usize = 40;
/// Width of a point.
const POINT: f64 = 0.02;

impl Params {
    /// The data, scaled so that E|x|² = d.
    fn mixture(&self) -> Result<Mixture, EddyError> {
        let raw = match self.data {
            Data::Ring => targets::ring(8, 1.4, 0.14),
            Data::Pair => Mixture::isotropic(2, &[vec![-1.0, 0.0], vec![1.0, 0.0]], 0.5)
                .map_err(|e| EddyError::start(e.to_string()))?,
            Data::Moons => targets::two_moons(0.1),
            Data::Points => {
                let (d, n) = (self.dimensions as usize, self.count as usize);
                let points = Batch::<f64>::normal(d, n, 1.0, &Philox::new(self.seed), Stream::Corrector, 0);
                let means: Vec<Vec<f64>> = (0..n).map(|i| points.point(i)).collect();
                Mixture::isotropic(d, &means, POINT).map_err(|e| EddyError::start(e.to_string()))?
            }
        };
        let scale = (raw.dim() as f64 / raw.mean_square()).sqrt();
        let scaled = |c: &Component| Component {
            mean: c.mean.iter().map(|m| scale * m).collect(),
            shape: match &c.shape {
                Shape::Isotropic { sd } => Shape::Isotropic { sd: scale * sd },
                Shape::Full { axes, sds } => {
                    Shape::Full { axes: axes.clone(), sds: sds.iter().map(|s| scale * s).collect() }
                }
            },
            ..c.clone()
        };
        let components = raw.components().iter().map(scaled).collect();
        Mixture::new(raw.dim(), components).map_err(|e| EddyError::start(e.to_string()))
    }
}

impl Path {
    /// (a, m) at t.
    fn at(self, cone: &Cone, t: f64) -> (f64, f64) {
        match self {
            Self::Optimal => cone.optimal(t),
            Self::Straight => (t, 1.0 - t),
            Self::Turn => (std::f64::consts::FRAC_PI_2 * t).sin_cos(),
        }
    }

    /// Its rate, by differences over the resolution of λ: the optimal one has kinks at every estimated angle.
    fn rate(self, cone: &Cone, t: f64) -> (f64, f64) {
        let h = 0.5 / ANGLES as f64;
        let (low, high) = ((t - h).max(0.0), (t + h).min(1.0));
        let ((a0, m0), (a1, m1)) = (self.at(cone, low), self.at(cone, high));
        ((a1 - a0) / (high - low), (m1 - m0) / (high - low))
    }
}

pub struct KineticOptimalPaths;

impl Experiment for KineticOptimalPaths {
    type Params = Params;
    const TITLE: &'static str = "Kinetic optimal paths";
    const SUMMARY: &'static str = "Unroll a cone: its chord is the schedule that moves particles least.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 100,
        key: "shaul2023kinetic",
        authors: "Neta Shaul and Ricky T. Q. Chen and Maximilian Nickel and Matthew Le and Yaron Lipman",
        title: "On Kinetic Optimal Probability Paths for Generative Models",
        venue: "ICML",
        year: 2023,
        url: "https://arxiv.org/abs/2306.06626",
    }];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "energy",
            Axis::linear("kinetic energy", "E"),
            Better::Lower,
            "∫ E|v|²/d dt by the exact velocity at exact samples, 100 times.",
        ),
        Metric::new(
            "predicted",
            Axis::linear("energy on the cone", "E_\\lambda"),
            Better::Neither,
            "∫ r'² + λ r² θ'² dt of the same schedule from the estimated λ.",
        ),
        Metric::new(
            "least",
            Axis::linear("least energy", "4\\sin^2(\\Phi/2)"),
            Better::Neither,
            "Energy of the chord.",
        ),
        Metric::new(
            "opening",
            Axis::linear("opening of the cone", "2\\Phi/\\pi"),
            Better::Neither,
            "Φ over π/2: 0 for Gaussian data, 1 for separate points.",
        ),
        Metric::new(
            "w2",
            Axis::log("sliced Wasserstein distance", "W_2"),
            Better::Lower,
            "Sliced 2-Wasserstein distance (64 directions) of the particles after the Euler steps to the data.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        Cloud::BY_START,
        ViewSpec::lines(
            "cone",
            "unrolled cone",
            Axis::linear("r cos φ", "r\\cos\\varphi"),
            Axis::linear("r sin φ", "r\\sin\\varphi"),
        ),
        ViewSpec::lines("schedule", "schedule", Axis::linear("time", "t"), Axis::linear("share", "a, m")),
        ViewSpec::lines(
            "lambda",
            "separation",
            Axis::linear("angle", "\\theta"),
            Axis::linear("separation", "\\lambda"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "straight", change: "path=straight" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "On 8 Gaussians in the plane the measured kinetic energy of the kinetic-optimal path is <= 0.5x that of the straight path and <= 0.7x that of the variance-preserving one and agrees with 4 sin^2(Phi/2) within 10 %, while for 4 points in 64 dimensions Phi is >= 0.85 pi/2.",
        arms: &[
            Arm { name: "optimal", setting: "" },
            Arm { name: "straight", setting: "path=straight" },
            Arm { name: "turn", setting: "path=turn" },
            Arm { name: "points", setting: "data=points&dimensions=64&count=4&samples=1000&particles=200" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "energy, optimal / straight",
                measure: |m| m.ratio("optimal", "straight", "energy"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
            Test {
                label: "energy, optimal / variance preserving",
                measure: |m| m.ratio("optimal", "turn", "energy"),
                bound: Bound::AtMost(0.7),
                unit: "×",
            },
            Test {
                label: "measured energy off 4 sin²(Φ/2)",
                measure: |m| (m.mean("optimal", "energy") / m.mean("optimal", "least") - 1.0).abs(),
                bound: Bound::AtMost(0.1),
                unit: "",
            },
            Test {
                label: "2Φ/π of 4 points in 64 dimensions",
                measure: |m| m.mean("points", "opening"),
                bound: Bound::AtLeast(0.85),
                unit: "",
            },
        ],
        counter: Counter {
            why: "Four points in 64 dimensions are so far apart that the straight path is all but optimal.",
            arms: &["optimal", "straight", "turn"],
            change: "data=points&dimensions=64&count=4&samples=500&particles=200",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(KineticRun::new(p)?))
    }
}

/// First λ, then the particles, then the energy.
struct KineticRun {
    params: Params,
    data: Mixture,
    samples: Batch<f64>,
    noise: Batch<f64>,
    lambda: Vec<f64>,
    cone: Cone,
    x: Batch<f64>,
    starts: Vec<f32>,
    trails: Trails,
    backdrop: Option<ViewData>,
    limit: f64,
    /// Euler steps done, and times of the energy.
    moved: u32,
    times: usize,
    energy: f64,
    w2: f64,
    steps: u64,
    record: Record,
}

impl KineticRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let (data, rng) = (p.mixture()?, Philox::new(p.seed));
        let dim = data.dim();
        let x = Batch::normal(dim, p.particles as usize, 1.0, &rng, Stream::Path, 0);
        // A cloud of many dimensions seen in two has the size of its noise.
        let limit = if dim == 2 { (1.15 * data.extent()).max(2.8) } else { 3.2 };
        let mut trails = Trails::of(TRAILS);
        trails.push(&x);
        Ok(Self {
            samples: data.sample(p.samples as usize, 1.0, 0.0, &rng, Stream::Data),
            noise: Batch::normal(dim, p.samples as usize, 1.0, &rng, Stream::Prior, 0),
            lambda: Vec::new(),
            cone: Cone::new(&[]),
            starts: directions(&x),
            backdrop: (dim == 2).then(|| density(&data, limit)),
            limit,
            trails,
            x,
            data,
            params: p.clone(),
            moved: 0,
            times: 0,
            energy: 0.0,
            w2: f64::NAN,
            steps: 0,
            record: Record::of(KineticOptimalPaths::METRICS),
        })
    }

    fn all_steps(&self) -> u64 {
        (ANGLES + TIMES) as u64 + u64::from(self.params.evaluations)
    }
    fn is_done(&self) -> bool {
        self.steps >= self.all_steps()
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.lambda.len() < ANGLES {
            let theta = angles(ANGLES)[self.lambda.len()];
            self.lambda.push(separation(&self.data, theta, &self.samples, &self.noise));
            if self.lambda.len() == ANGLES {
                self.cone = Cone::new(&self.lambda);
            }
        } else if self.moved < self.params.evaluations {
            self.euler();
        } else {
            self.energy_at((self.times as f64 + 0.5) / TIMES as f64);
            self.times += 1;
            if self.times == TIMES {
                let predicted = self.cone.energy(|t| self.params.path.at(&self.cone, t), 400);
                let opening = self.cone.opening() / std::f64::consts::FRAC_PI_2;
                self.record.push(1.0, &[self.energy, predicted, self.cone.least_energy(), opening, self.w2]);
            }
        }
    }

    fn euler(&mut self) {
        let (path, h) = (self.params.path, 1.0 / f64::from(self.params.evaluations));
        // The rate of a step is its own mean: with it no schedule is left before its end.
        let t = f64::from(self.moved) * h;
        let (now, next) = (path.at(&self.cone, t), path.at(&self.cone, t + h));
        let rate = ((next.0 - now.0) / h, (next.1 - now.1) / h);
        for i in 0..self.x.len() {
            let v = marginal_velocity(&self.data, &self.x.point(i), now, rate);
            for (d, v) in v.iter().enumerate() {
                self.x.coordinate_mut(d)[i] += h * v;
            }
        }
        self.moved += 1;
        self.trails.push(&self.x);
        if self.moved == self.params.evaluations {
            let rng = Philox::new(self.params.seed);
            let target = self.data.sample_stratified(self.x.len(), 1.0, 0.0, &rng, Stream::Control);
            self.w2 = sliced_wasserstein(&self.x, &target, 64);
        }
    }

    /// Adds the share of time t to the energy.
    fn energy_at(&mut self, t: f64) {
        let path = self.params.path;
        let (now, rate) = (path.at(&self.cone, t), path.rate(&self.cone, t));
        let len = self.samples.len();
        let mut sum = 0.0;
        for i in 0..len {
            let (x1, x0) = (self.samples.point(i), self.noise.point(i));
            let x: Vec<f64> = x1.iter().zip(&x0).map(|(x1, x0)| now.0 * x1 + now.1 * x0).collect();
            sum += marginal_velocity(&self.data, &x, now, rate).iter().map(|v| v * v).sum::<f64>();
        }
        self.energy += sum / (len * self.data.dim() * TIMES) as f64;
    }

    fn cone_lines(&self) -> ViewData {
        // The axes stand before the cone is known.
        let corners = if self.lambda.len() < ANGLES { 0 } else { 81 };
        let line = |path: Path, name: &str, role: Role| {
            let points = (0..corners).map(|k| {
                let (a, m) = path.at(&self.cone, f64::from(k) / 80.0);
                let (sin, cos) = self.cone.phi(a.atan2(m)).sin_cos();
                (a.hypot(m) * cos, a.hypot(m) * sin)
            });
            let (xs, ys) = points.unzip();
            Series::line(name, role, xs, ys)
        };
        let series = vec![
            line(Path::Optimal, "optimal: the chord", Role::Result),
            line(Path::Straight, "straight", Role::Second),
            line(Path::Turn, "variance preserving", Role::Third),
        ];
        ViewData::Lines { series, x: (0.0, 1.1), y: (-0.05, 1.05) }
    }

    fn schedule_lines(&self) -> ViewData {
        let times = if self.lambda.len() < ANGLES { 0 } else { 101 };
        let ts: Vec<f64> = (0..times).map(|k| f64::from(k) / 100.0).collect();
        let (a, m): (Vec<f64>, Vec<f64>) = ts.iter().map(|t| self.params.path.at(&self.cone, *t)).unzip();
        let series =
            vec![Series::line("data, a", Role::Result, ts.clone(), a), Series::line("noise, m", Role::Second, ts, m)];
        ViewData::Lines { series, x: (0.0, 1.0), y: (-0.02, 1.05) }
    }

    fn lambda_line(&self) -> ViewData {
        let xs = angles(ANGLES)[..self.lambda.len()].to_vec();
        let ys = self.lambda.iter().map(|l| if l.is_finite() { l.clamp(-0.1, 1.1) } else { f64::NAN }).collect();
        let series = vec![Series::line("λ", Role::Result, xs, ys)];
        ViewData::Lines { series, x: (0.0, std::f64::consts::FRAC_PI_2), y: (-0.1, 1.1) }
    }
}

impl Run for KineticRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while !self.is_done() {
            self.step();
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        if self.is_done() { Outcome::Finished } else { Outcome::Running }
    }

    fn progress(&self) -> Progress {
        Progress {
            steps: self.steps,
            position: f64::from(self.moved) / f64::from(self.params.evaluations),
            fraction: (self.steps as f64 / self.all_steps() as f64).min(1.0),
            work: self.steps as f64 * f64::from(self.params.samples),
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
        ready(Ok(match key {
            "cone" => self.cone_lines(),
            "schedule" => self.schedule_lines(),
            "lambda" => self.lambda_line(),
            _ => {
                let pi = std::f64::consts::PI;
                let mut cloud = Cloud::new(&self.x, self.starts.clone(), (-pi, pi), self.limit);
                cloud.trails = self.trails.clone();
                cloud.backdrop = self.backdrop.clone();
                cloud.view()
            }
        }))
    }
}
