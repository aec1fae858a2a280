//@ feature: sampler
//! # Back from a picture that is known
//!
//! Restoring a picture need not start from pure noise. *Mean-reverting* diffusion forgets the data $x_0$ and keeps a
//! given $\mu$, the blurred picture:
//!
//! $$dx = \theta_t(\mu - x)\,dt + s\sqrt{2\theta_t}\,dW, \qquad x_t = a_t x_0 + (1 - a_t)\mu + \sigma_t\epsilon, \qquad
//! \sigma_t^2 = s^2(1 - a_t^2).$$
//!
//! The way back is linear but for the prediction $D$ of $x_0$. MRS solves the linear part exactly. With
//! $\lambda = \ln(a/\sigma)$, a step of length $h$ in it from $t$ to $u$, and $k = \sigma_u/\sigma_t$,
//!
//! $$x_u = k x_t + (1 - k + k a_t - a_u)\mu + a_u(1 - e^{-h})D_0 + a_u\Bigl(1 - \frac{1 - e^{-h}}{h}\Bigr)\frac{h}{h'}(D_0 - D_1),$$
//!
//! where $D_1$ is remembered from the step before, of length $h'$. Without the last term the order is 1. A step costs
//! one evaluation.
//!
//! In $y = x - \mu$ the process is variance preserving, and MRS is DDIM or DPM-Solver++ there: $\mu$ costs nothing.
//! Posterior sampling, the usual way back, is MRS-1 on the SDE up to rounding. Move $\mu$ and watch the paths bend
//! to it, and from it to the data.
//!
//! At five evaluations the second order is no better than Euler here, and worse than Euler on the same grid. The grid
//! matters as much as the order: Euler gains from steps uniform in $\lambda$ too, and is compared on both. At few
//! evaluations holding the noise instead of the data is better for this exact prediction; the paper finds the opposite
//! for networks. Both data and $\mu$ are points of the plane: this tests the solver, not restoration.

use std::sync::Arc;

use eddy_numerics::{
    diffusion::{
        Batch, Component, Mixture, MixtureModel, Sampler, Schedule, Spacing, Status, grid,
        mean_reverting::{Held, MeanReverting, MeanRevertingSampler, MrMethod},
        methods::{RungeKutta, Tableau, Variable},
        metrics::{paired_distances, rms, sliced_wasserstein},
        targets,
    },
    rng::{Philox, Stream},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::{
        flow::{Cloud, Trails, angles, density, error_lines, sweep_lines},
        sampler::refused,
    },
    ready,
};

choice! { pub enum Method {
    /// MRS-2 (ODE)
    Mrs2 = "mrs-2",
    /// MRS-1 (ODE)
    Mrs1 = "mrs-1",
    /// MRS-2 (SDE)
    Sde2 = "mrs-sde-2",
    /// MRS-1 (SDE)
    Sde1 = "mrs-sde-1",
    /// Euler on the ODE
    Euler = "euler",
    /// Euler-Maruyama (SDE)
    EulerMaruyama = "euler-maruyama",
    /// posterior sampling (ancestral)
    Posterior = "posterior",
} }

choice! { pub enum Value {
    /// data
    Data = "data",
    /// noise
    Noise = "noise",
} }

choice! { pub enum Steps {
    /// uniform in λ
    LogSnr = "log-snr",
    /// uniform in t
    Uniform = "uniform",
} }

params! { pub struct Params {
    /// Sampler.
    sampler: Method = Method::Mrs2 => choice().group("Sampler"),
    /// Evaluations.
    evaluations: u32 = 20 => steps(2, 400).symbol("N").group("Sampler"),
    /// Time grid.
    grid: Steps = Steps::LogSnr => choice().group("Sampler"),
    /// Held value. What is constant, or linear in λ, over a step.
    held: Value = Value::Data => choice().group("Sampler").only_when("sampler", &["mrs-2", "mrs-1"]),
    /// Mean, x.
    mu_x: f64 = 0.4 => range(-2.0, 2.0).symbol("\\mu_1").group("Process"),
    /// Mean, y.
    mu_y: f64 = -0.2 => range(-2.0, 2.0).symbol("\\mu_2").group("Process"),
    /// Size of the noise.
    size: f64 = 1.0 => range(0.1, 2.0).symbol("s").group("Process"),
    /// Signal left at the end.
    last: f64 = 0.005 => log(1e-4, 0.2).symbol("a_1").group("Process"),
    /// Width of a mode. Standard deviation of each of the 8 Gaussians.
    sd: f64 = 0.05 => log(0.02, 0.5).group("Data"),
    /// Particles.
    particles: u32 = 1000 => steps(50, 10_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Error curve. Measures the samplers at other budgets after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Last time: σ is a hundredth of the size of the noise there.
const END: f64 = 0.01;
/// Runge-Kutta steps of the reference.
const FINE_STEPS: usize = 200;
/// Budgets of the curve and particles of its runs.
const BUDGETS: [usize; 9] = [5, 8, 10, 15, 20, 30, 40, 60, 100];
const CURVE_PARTICLES: usize = 500;
const DIRECTIONS: usize = 64;
const TRAILS: usize = 60;

/// Lines of the curve.
const LINES: [(Method, Steps, &str, Role); 4] = [
    (Method::Mrs2, Steps::LogSnr, "MRS-2", Role::Result),
    (Method::Mrs1, Steps::LogSnr, "MRS-1", Role::Second),
    (Method::Euler, Steps::LogSnr, "Euler, uniform in λ", Role::Third),
    (Method::Euler, Steps::Uniform, "Euler, uniform in t", Role::Reference),
];

impl Params {
    fn schedule(&self) -> MeanReverting {
        MeanReverting::new(self.last, self.size)
    }

    fn mean(&self) -> [f64; 2] {
        [self.mu_x, self.mu_y]
    }

    fn method(&self, method: Method) -> MrMethod {
        let held = if self.held == Value::Data { Held::Data } else { Held::Noise };
        match method {
            Method::Mrs2 => MrMethod::Ode { order: 2, held },
            Method::Mrs1 => MrMethod::Ode { order: 1, held },
            Method::Sde2 => MrMethod::Sde { order: 2 },
            Method::Sde1 => MrMethod::Sde { order: 1 },
            Method::Euler => MrMethod::EulerOde,
            Method::EulerMaruyama => MrMethod::EulerSde,
            Method::Posterior => MrMethod::Posterior,
        }
    }

    /// Noise about μ, the same for the first particles whatever their number.
    fn start(&self, particles: usize) -> Batch<f64> {
        let mut x = Batch::normal(2, particles, self.size, &Philox::new(self.seed), Stream::Prior, 0);
        shift(&mut x, self.mean(), 1.0);
        x
    }

    fn sampler(
        &self,
        method: Method,
        steps: Steps,
        count: usize,
        particles: usize,
    ) -> Result<MeanRevertingSampler, EddyError> {
        let schedule = self.schedule();
        let spacing = if steps == Steps::LogSnr { Spacing::LogSnr } else { Spacing::Uniform };
        let nodes = grid(&schedule, spacing, 1.0, END, count).map_err(refused)?;
        let (ring, x, rng) = (self.ring(), self.start(particles), Philox::new(self.seed));
        MeanRevertingSampler::new(schedule, ring, &self.mean(), self.method(method), nodes, x, rng).map_err(refused)
    }

    fn ring(&self) -> Mixture {
        targets::ring(8, 1.0, self.sd)
    }
}

/// Adds c μ to every point.
fn shift(x: &mut Batch<f64>, mean: [f64; 2], c: f64) {
    for (d, m) in mean.iter().enumerate() {
        x.coordinate_mut(d).iter_mut().for_each(|v| *v += c * m);
    }
}

/// The same end points by another way: Runge-Kutta of order 4 in σ/α on y = x − μ, whose target is the ring moved by
/// −μ.
struct Reference {
    sampler: Sampler<f64>,
    model: MixtureModel<f64>,
}

impl Reference {
    fn of(p: &Params) -> Result<Self, EddyError> {
        let schedule = p.schedule();
        let nodes = grid(&schedule, Spacing::LogSnr, 1.0, END, FINE_STEPS).map_err(refused)?;
        let mean = p.mean();
        let moved =
            |c: &Component| Component { mean: c.mean.iter().zip(mean).map(|(m, mu)| m - mu).collect(), ..c.clone() };
        let ring = Mixture::new(2, p.ring().components().iter().map(moved).collect()).map_err(refused)?;
        let mut x = p.start(p.particles as usize);
        shift(&mut x, mean, -1.0);
        let rule = Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho));
        let sampler = Sampler::new(Arc::new(schedule), rule, &nodes, x, Philox::new(p.seed));
        Ok(Self { sampler, model: MixtureModel::new(ring) })
    }

    /// One step; the end points once they are there.
    fn step(&mut self, mean: [f64; 2]) -> Option<Batch<f64>> {
        self.sampler.step(&mut self.model);
        (self.sampler.status() != Status::Running).then(|| {
            let mut x = self.sampler.x().clone();
            shift(&mut x, mean, 1.0);
            x
        })
    }
}

pub struct MrSampler;

impl Experiment for MrSampler {
    type Params = Params;
    const TITLE: &'static str = "MRS: back from a known mean";
    const SUMMARY: &'static str =
        "Noise about a given point returns to the data; the linear part of the way is solved exactly.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 83,
        key: "li2025mrs",
        authors: "Ao Li and Wei Fang and Hongbo Zhao and Le Lu and Ge Yang and Minfeng Xu",
        title: "MRS: A Fast Sampler for Mean Reverting Diffusion based on ODE and SDE Solvers",
        venue: "ICLR",
        year: 2025,
        url: "https://arxiv.org/abs/2502.07856",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "error",
            Axis::log("paired error", "e"),
            Better::Lower,
            "RMS distance of the particles to the ends of the same noise by 200 Runge-Kutta steps; none for stochastic samplers.",
        ),
        Metric::new(
            "w2",
            Axis::log("sliced Wasserstein distance", "W_2"),
            Better::Lower,
            "Sliced 2-Wasserstein distance (64 directions) of the particles to a stratified sample of the data at the last time.",
        ),
        Metric::new(
            "floor",
            Axis::log("sliced Wasserstein distance of exact samples", "W_2^*"),
            Better::Neither,
            "The same distance for as many independent exact samples: nothing can be told apart below it.",
        ),
        Metric::new(
            "evaluations",
            Axis::linear("evaluations", "N"),
            Better::Lower,
            "Evaluations of the prediction, counted by the model.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        Cloud::BY_START,
        ViewSpec::lines(
            "process",
            "process",
            Axis::linear("time", "t"),
            Axis::linear("shares of data, mean and noise", "a, 1-a, \\sigma"),
        ),
        ViewSpec::curves(
            "race",
            "error against evaluations",
            Axis::log("evaluations", "N"),
            Axis::log("RMS distance to the reference", "e"),
        ),
    ];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "Euler, uniform in t", change: "sampler=euler&grid=uniform" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With the exact predictor on the 8-Gaussian target, MRS-2 at 20 evaluations has a paired endpoint RMSE <= 0.4x that of Euler on the probability-flow ODE at 20, on its own grid and on that of MRS, and <= that of Euler at 40.",
        arms: &[
            Arm { name: "MRS-2, 20", setting: "curve=off" },
            Arm { name: "Euler in t, 20", setting: "sampler=euler&grid=uniform&curve=off" },
            Arm { name: "Euler in λ, 20", setting: "sampler=euler&curve=off" },
            Arm { name: "Euler in t, 40", setting: "sampler=euler&grid=uniform&evaluations=40&curve=off" },
            Arm { name: "Euler in λ, 40", setting: "sampler=euler&evaluations=40&curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "error, MRS-2 / Euler uniform in t, 20 evaluations",
                measure: |m| m.ratio("MRS-2, 20", "Euler in t, 20", "error"),
                bound: Bound::AtMost(0.4),
                unit: "×",
            },
            Test {
                label: "error, MRS-2 / Euler uniform in λ, 20 evaluations",
                measure: |m| m.ratio("MRS-2, 20", "Euler in λ, 20", "error"),
                bound: Bound::AtMost(0.4),
                unit: "×",
            },
            Test {
                label: "error, MRS-2 at 20 / Euler uniform in t at 40",
                measure: |m| m.ratio("MRS-2, 20", "Euler in t, 40", "error"),
                bound: Bound::AtMost(1.0),
                unit: "×",
            },
            Test {
                label: "error, MRS-2 at 20 / Euler uniform in λ at 40",
                measure: |m| m.ratio("MRS-2, 20", "Euler in λ, 40", "error"),
                bound: Bound::AtMost(1.0),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Two predictions five long steps apart do not lie on a line: at so few evaluations order 2 gains nothing.",
            arms: &["MRS-2, 20", "Euler in t, 20", "Euler in λ, 20"],
            change: "evaluations=5",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(MrRun::new(p)?))
    }
}

/// The reference, then the sampling, then other budgets.
struct MrRun {
    params: Params,
    sampler: MeanRevertingSampler,
    pending: Option<Reference>,
    reference: Option<Batch<f64>>,
    trails: Trails,
    colours: Vec<f32>,
    backdrop: ViewData,
    limit: f64,
    /// Errors at the budgets, line after line.
    curve: Vec<f64>,
    steps: u64,
    outcome: Outcome,
    record: Record,
}

impl MrRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let particles = p.particles as usize;
        let sampler = p.sampler(p.sampler, p.grid, p.evaluations as usize, particles)?;
        // Only paths of the flow have an end to compare with, and the curve is about those.
        let paired = p.curve || !p.method(p.sampler).is_stochastic();
        let ring = p.ring();
        let limit = (1.15 * ring.extent()).max(p.mu_x.abs().max(p.mu_y.abs()) + 2.6 * p.size);
        let mut trails = Trails::of(TRAILS);
        trails.push(sampler.x());
        let mut about = sampler.x().clone();
        shift(&mut about, p.mean(), -1.0);
        Ok(Self {
            pending: if paired { Some(Reference::of(p)?) } else { None },
            reference: None,
            trails,
            colours: angles(&about),
            backdrop: density(&ring, limit),
            limit,
            curve: Vec::new(),
            steps: 0,
            outcome: Outcome::Running,
            record: Record::of(MrSampler::METRICS),
            sampler,
            params: p.clone(),
        })
    }

    fn curve_points(&self) -> usize {
        if self.params.curve { LINES.len() * BUDGETS.len() } else { 0 }
    }

    fn all_steps(&self) -> u64 {
        (self.sampler.steps() + self.curve_points()) as u64
    }

    /// One unit of work. Returns the steps it counts as: the reference is preparation and counts as none.
    fn work(&mut self) -> Result<u64, EddyError> {
        if let Some(reference) = &mut self.pending {
            if let Some(x) = reference.step(self.params.mean()) {
                self.reference = Some(x);
                self.pending = None;
            }
            return Ok(0);
        }
        self.steps += 1;
        if !self.sampler.is_done() {
            self.sample();
        } else {
            self.measure_next()?;
        }
        if self.outcome.is_running() && self.steps == self.all_steps() {
            self.outcome = Outcome::Finished;
        }
        Ok(1)
    }

    fn sample(&mut self) {
        self.sampler.step();
        self.trails.push(self.sampler.x());
        if self.sampler.x().non_finite() > 0 {
            let more = (2 * self.params.evaluations).min(400);
            self.outcome = Outcome::Diverged {
                step: self.steps,
                cause: "particles left the range of numbers: the steps are too long for this sampler".to_owned(),
                advice: "Allow more evaluations or choose MRS-1.".to_owned(),
                repair: (more > self.params.evaluations).then(|| ("evaluations".to_owned(), more.to_string())),
            };
        } else if self.sampler.is_done() {
            self.write_row();
        }
    }

    fn write_row(&mut self) {
        let (p, x) = (&self.params, self.sampler.x());
        let error = match &self.reference {
            Some(reference) if !p.method(p.sampler).is_stochastic() => rms(&paired_distances(x, reference)),
            _ => f64::NAN,
        };
        // The law at the last time, whose mean still leans a little toward μ.
        let (ring, end, rng) = (p.ring(), p.schedule().node(END), Philox::new(p.seed));
        let mut target = ring.sample_stratified(x.len(), end.alpha, end.sigma, &rng, Stream::Control);
        let mut exact = ring.sample(x.len(), end.alpha, end.sigma, &rng, Stream::Data);
        shift(&mut target, p.mean(), 1.0 - end.alpha);
        shift(&mut exact, p.mean(), 1.0 - end.alpha);
        let [w2, floor] = [x, &exact].map(|x| sliced_wasserstein(x, &target, DIRECTIONS));
        let evaluations = self.sampler.evaluations() as f64;
        self.record.push(evaluations, &[error, w2, floor, evaluations]);
    }

    /// The next point of the curve.
    fn measure_next(&mut self) -> Result<(), EddyError> {
        let k = self.curve.len();
        let ((method, steps, ..), budget) = (LINES[k / BUDGETS.len()], BUDGETS[k % BUDGETS.len()]);
        let particles = CURVE_PARTICLES.min(self.params.particles as usize);
        let mut sampler = self.params.sampler(method, steps, budget, particles)?;
        while sampler.step() {}
        let reference = self.reference.as_ref().map(|r| r.head(particles));
        self.curve.push(reference.map_or(f64::NAN, |r| rms(&paired_distances(sampler.x(), &r))));
        Ok(())
    }

    fn process(&self) -> ViewData {
        let schedule = self.params.schedule();
        let ts: Vec<f64> = (0..=100).map(|k| END + (1.0 - END) * f64::from(k) / 100.0).collect();
        let line = |name: &str, role: Role, f: &dyn Fn(f64) -> f64| {
            Series::line(name, role, ts.clone(), ts.iter().map(|t| f(*t)).collect())
        };
        let series = vec![
            line("data, a", Role::Result, &|t| schedule.alpha(t)),
            line("mean, 1 − a", Role::Second, &|t| 1.0 - schedule.alpha(t)),
            line("noise, σ", Role::Third, &|t| schedule.sigma(t)),
        ];
        ViewData::Lines { series, x: (0.0, 1.0), y: (0.0, 1.05 * self.params.size.max(1.0)) }
    }

    fn race(&self) -> ViewData {
        let points = BUDGETS.map(|n| n as f64);
        let series = sweep_lines(LINES.iter().map(|l| (l.2, l.3)), &points, &self.curve);
        error_lines(series, (points[0], points[BUDGETS.len() - 1]), (1e-2, 0.2))
    }
}

impl Run for MrRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            match self.work() {
                Ok(steps) => {
                    if !clock.tick(steps) {
                        break;
                    }
                }
                Err(e) => return ready(Err(e)),
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        let evaluations = self.sampler.evaluations() as f64;
        Progress {
            steps: self.steps,
            position: evaluations,
            fraction: (self.steps as f64 / self.all_steps() as f64).min(1.0),
            work: evaluations * f64::from(self.params.particles),
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
            "process" => self.process(),
            "race" => self.race(),
            _ => {
                let pi = std::f64::consts::PI;
                let mut cloud = Cloud::new(self.sampler.x(), self.colours.clone(), (-pi, pi), self.limit);
                cloud.trails = self.trails.clone();
                cloud.backdrop = Some(self.backdrop.clone());
                cloud.view()
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClaimCheck, entry};

    fn finished(p: &Params) -> MrRun {
        let mut run = MrRun::new(p).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        assert_eq!(run.outcome(), Outcome::Finished);
        run
    }

    fn metric(run: &MrRun, key: &str) -> f64 {
        run.record().latest_named().iter().find(|(k, _)| k == key).unwrap().1
    }

    #[test]
    fn the_claim_holds_and_its_counter_setting_fails() {
        let mut check = ClaimCheck::new(entry("mr-sampler").unwrap(), Context::cpu(), Some(vec![1]), true).unwrap();
        while !pollster::block_on(check.advance(Budget::seconds(10.0))).unwrap() {}
        let verdict = check.verdict().unwrap();
        println!("{verdict:#?} {:#?}", check.measured());
        assert!(verdict.held && verdict.counter_held == Some(false));
    }

    #[test]
    fn every_sampler_reaches_the_law_of_the_data() {
        let all = [
            Method::Mrs2,
            Method::Mrs1,
            Method::Sde2,
            Method::Sde1,
            Method::Euler,
            Method::EulerMaruyama,
            Method::Posterior,
        ];
        for sampler in all {
            let p = Params { sampler, evaluations: 100, particles: 600, curve: false, ..Params::default() };
            let run = finished(&p);
            let (w2, floor) = (metric(&run, "w2"), metric(&run, "floor"));
            println!("{sampler:?} {w2} {floor} {}", metric(&run, "error"));
            assert!(w2 < 1.5 * floor, "{sampler:?}: {w2} {floor}");
            assert_eq!(metric(&run, "evaluations"), 100.0);
            assert_eq!(metric(&run, "error").is_nan(), p.method(sampler).is_stochastic());
        }
        // Seen to fail: two steps of Euler.
        let coarse =
            Params { sampler: Method::Euler, evaluations: 2, particles: 600, curve: false, ..Params::default() };
        let run = finished(&coarse);
        assert!(metric(&run, "w2") > 1.5 * metric(&run, "floor"));
    }

    #[test]
    fn the_curve_meets_the_run() {
        let p = Params { particles: 200, ..Params::default() };
        let run = finished(&p);
        assert_eq!(run.curve.len(), LINES.len() * BUDGETS.len());
        let at_twenty = run.curve[BUDGETS.iter().position(|n| *n == 20).unwrap()];
        assert_eq!(at_twenty, metric(&run, "error"));
    }
}
