//@ feature: pinn
//! How large must a network be to hold the solution of a nonlinear equation in many dimensions? Follow a descent and see.
//!
//! $$E(u) = \int \tfrac12|\nabla u|^2 + \tfrac12u^2 + \tfrac14u^4 - fu, \qquad u_{t+1} = u_t - \eta\,(1-\Delta)^{-1}DE(u_t)$$
//!
//! The inverse in front makes all waves fall equally fast, so the number of steps to a given energy gap depends on the
//! nonlinearity alone. Each step turns a function of small Barron norm $\sum_k(1+|k|)|\hat u_k|$ into another one: a sum of
//! cosines stays such a sum. Few steps mean a small norm, and by Barron's theorem a two-layer network of a width that is
//! polynomial in the dimension comes close. That is the paper, and it is about existence, not about training.
//!
//! Steps: compare plain descent in L², whose step must be as short as the finest wave of the grid is stiff. Both take the
//! step $2/(\mu+L)$ that is best for all one knows, the least and the largest curvature. With the preconditioner up to half
//! as much again is faster still; without it a third more diverges, and no step gains more than a few percent.
//!
//! Network: a two-layer network of cosines lowers the energy on the unit cube at random points (Deep Ritz); frequencies,
//! phases and strengths are trained. Splines: the best approximation there is by tensor products of cubic splines with as
//! many coefficients, which no method for the equation betters. In six dimensions 2,000 coefficients are only three or four
//! along each axis. In two they are 44, and the splines are far ahead. The waves as solution are made of the network's own
//! kind of terms, though their frequencies must be found; the exponential is not. It is one product of functions of one
//! coordinate each, which suits the splines, and the network's lead is then only about twofold.

use eddy_nets::{Adam, AdamSettings, Schedule, Shape};
use eddy_numerics::Complex;
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Marker, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};
use web_time::Instant;

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::pinn::{
        relative_error,
        ritz::{BestSpline, CosineNetwork, Solution, spread_points},
        sobolev::{Slope, Torus},
    },
    ready,
    weights::{Tensor, fill, tensors},
};

choice! { pub enum Method {
    /// descent with the preconditioner
    Preconditioned = "preconditioned",
    /// plain descent in L²
    Plain = "plain",
    /// two-layer network, Deep Ritz
    Network = "network",
    /// best tensor-product splines
    Splines = "splines",
} }

choice! { pub enum Sought {
    /// three products of two waves
    Waves = "waves",
    /// an exponential of waves
    Exponential = "exponential",
} }

params! { pub struct Params {
    /// Method.
    method: Method = Method::Preconditioned => choice().group("method"),
    /// Dimension. 1 and 2 for the descents, at least 2 for network and splines.
    dimension: u32 = 1 => steps(1, 8).symbol("d").group("problem"),
    /// Points per axis.
    points: u32 = 64 => steps(8, 256).symbol("N").group("method").only_when("method", &["preconditioned", "plain"]),
    /// Step, relative to 2/(μ + L).
    step: f64 = 1.0 => range(0.05, 1.5).symbol("\\eta(\\mu+L)/2").group("method")
        .only_when("method", &["preconditioned", "plain"]),
    /// Solution.
    sought: Sought = Sought::Waves => choice().group("problem").only_when("method", &["network", "splines"]),
    /// Frequency. Multiplies all waves of the solution.
    frequency: u32 = 1 => steps(1, 3).group("problem").only_when("method", &["network", "splines"]),
    /// Parameters or coefficients, at most.
    parameters: u32 = 2_000 => steps(20, 8_000).group("method").only_when("method", &["network", "splines"]),
    /// Deviation of the network's wave vectors at the start.
    spread: f64 = 3.0 => log(0.1, 30.0).group("training").only_when("method", &["network"]),
    /// Points of a training step.
    batch: u32 = 256 => steps(16, 4096).group("training").only_when("method", &["network"]),
    /// Training steps of Adam.
    steps: u32 = 3_000 => steps(100, 20_000).group("training").only_when("method", &["network"]),
    /// Learning rate. It falls to a hundredth along half a cosine.
    rate: f64 = 1e-2 => log(1e-5, 1.0).symbol("\\eta").group("training").only_when("method", &["network"]),
    /// Seed of the network and of its points.
    seed: u32 = 1 => seed(),
} }

pub struct BarronNonlinearPde;

const GAP: Metric = Metric::new(
    "gap",
    Axis::log("energy gap", "E-E^*"),
    Better::Lower,
    "Energy above the least one on the same grid. Not defined for network and splines.",
);
const NEEDED: Metric = Metric::new(
    "needed",
    Axis::log("steps to a gap of 1e-8", "n_{1e-8}"),
    Better::Lower,
    "The first step after which the energy gap is at most 1e-8; not defined before.",
);
const ERROR: Metric = Metric::new(
    "error",
    Axis::log("relative error", "\\|u-u^*\\|_2/\\|u^*\\|_2"),
    Better::Lower,
    "Relative L² error: against the minimum on the grid, at 4,096 points that are not trained on, or exactly for splines.",
);
const BARRON: Metric = Metric::new(
    "barron",
    Axis::linear("Barron norm", "\\sum(1+|k|)|\\hat u_k|"),
    Better::Neither,
    "The sum over all waves of one plus wave number, times strength. Not defined for splines.",
);
const SECONDS: Metric =
    Metric::new("seconds", Axis::linear("time", "t").unit("s"), Better::Lower, "Time spent on this machine.");

impl Experiment for BarronNonlinearPde {
    type Params = Params;
    const TITLE: &'static str = "Descent that networks can follow";
    const SUMMARY: &'static str =
        "A preconditioned descent solves a nonlinear equation in steps that a small network can take.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 126,
        key: "marwah2022barron",
        authors: "Marwah, Tanya and Lipton, Zachary C. and Lu, Jianfeng and Risteski, Andrej",
        title: "Neural Network Approximations of PDEs Beyond Linearity: A Representational Perspective",
        venue: "arXiv preprint",
        year: 2022,
        url: "https://arxiv.org/abs/2210.12101",
    }];
    const AXIS: Axis = Axis::linear("steps", "n");
    const METRICS: &'static [Metric] = &[ERROR, GAP, NEEDED, BARRON, SECONDS];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("cut", "along the first axis", Axis::linear("position", "x_1"), Axis::linear("amplitude", "u")),
        ViewSpec::curves("waves", "waves", Axis::linear("wave number", "|k|"), Axis::log("strength", "|\\hat u_k|")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "plain descent", change: "method=plain" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "From 16 to 256 points the steps with the preconditioner to an energy gap of 1e-8 change by at most 20%, \
                   those of plain descent grow at least fiftyfold; with 2,000 parameters in six dimensions the network's \
                   error is at most half that of the best splines, and smaller than theirs for the exponential too.",
        arms: &[
            Arm { name: "16 points", setting: "points=16" },
            Arm { name: "256 points", setting: "points=256" },
            Arm { name: "plain, 16 points", setting: "method=plain&points=16" },
            Arm { name: "plain, 256 points", setting: "method=plain&points=256" },
            Arm { name: "network", setting: "method=network&dimension=6" },
            Arm { name: "splines", setting: "method=splines&dimension=6" },
            Arm { name: "network, exponential", setting: "method=network&dimension=6&sought=exponential" },
            Arm { name: "splines, exponential", setting: "method=splines&dimension=6&sought=exponential" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "change of the steps with the preconditioner from 16 to 256 points",
                measure: |m| (m.ratio("256 points", "16 points", "needed") - 1.0).abs(),
                bound: Bound::AtMost(0.2),
                unit: "",
            },
            Test {
                label: "plain descent: steps at 256 points over those at 16",
                measure: |m| m.ratio("plain, 256 points", "plain, 16 points", "needed"),
                bound: Bound::AtLeast(50.0),
                unit: "×",
            },
            Test {
                label: "six dimensions: largest error of the network over that of the splines",
                measure: |m| m.max("network", "error") / m.min("splines", "error"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
            Test {
                label: "the same for the exponential",
                measure: |m| m.max("network, exponential", "error") / m.min("splines, exponential", "error"),
                bound: Bound::AtMost(1.0),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "In two dimensions 2,000 splines are 44 along each axis, and far better than the network.",
            arms: &["network", "splines"],
            change: "dimension=2",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let d = p.dimension as usize;
        let solution = || match p.sought {
            Sought::Waves => Solution::waves(d, p.frequency),
            Sought::Exponential => Solution::exponential(d, p.frequency),
        };
        let stepper: Box<dyn Stepper> = match p.method {
            Method::Preconditioned | Method::Plain if d > 2 => {
                return Err(EddyError::start("The descents need a grid: set the dimension to 1 or 2.").at("dimension"));
            }
            Method::Network | Method::Splines if d < 2 => {
                return Err(EddyError::start("Network and splines start at two dimensions.").at("dimension"));
            }
            Method::Preconditioned => Box::new(OnTorus::new(p, Slope::Preconditioned)),
            Method::Plain => Box::new(OnTorus::new(p, Slope::Plain)),
            Method::Network => Box::new(Ritz::new(p, solution())),
            Method::Splines => Box::new(Projection {
                spline: BestSpline::new(&solution(), p.parameters as usize),
                solution: solution(),
            }),
        };
        Ok(Box::new(Chain::new(stepper)))
    }
}

/// What a step leads to.
enum State {
    Going,
    Done,
    NotFinite,
}

/// One of the four methods.
trait Stepper {
    fn step(&mut self) -> State;
    /// ERROR, GAP, NEEDED and BARRON; what is drawn afterwards is this state.
    fn measure(&mut self) -> [f64; 4];
    /// Steps between two rows of the record.
    fn record_every(&self) -> u64;
    fn fraction(&self) -> f64;
    /// Points per step.
    fn points(&self) -> usize;
    fn view(&self, key: &str) -> ViewData;
    /// See [`Run::weights`].
    fn weights(&self) -> Vec<Tensor> {
        Vec::new()
    }
    /// See [`Run::set_weights`].
    fn set_weights(&mut self, _given: &[Tensor]) -> Result<(), EddyError> {
        Err(EddyError::new("weights", "This method trains no network that could take weights. Choose the network."))
    }
}

struct Chain {
    stepper: Box<dyn Stepper>,
    steps: u64,
    seconds: f64,
    outcome: Outcome,
    record: Record,
}

impl Chain {
    fn new(mut stepper: Box<dyn Stepper>) -> Self {
        stepper.measure();
        Self {
            stepper,
            steps: 0,
            seconds: 0.0,
            outcome: Outcome::Running,
            record: Record::of(BarronNonlinearPde::METRICS),
        }
    }
}

impl Run for Chain {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            let started = Instant::now();
            let state = self.stepper.step();
            self.seconds += started.elapsed().as_secs_f64();
            self.steps += 1;
            match state {
                State::NotFinite => {
                    self.outcome = Outcome::Diverged {
                        step: self.steps,
                        cause: "The energy climbs beyond all bounds.".to_owned(),
                        advice: "Take shorter steps or a lower learning rate.".to_owned(),
                        repair: None,
                    };
                }
                State::Going if !self.steps.is_multiple_of(self.stepper.record_every()) => {}
                _ => {
                    let [error, gap, needed, barron] = self.stepper.measure();
                    self.record.push(self.steps as f64, &[error, gap, needed, barron, self.seconds]);
                    if matches!(state, State::Done) {
                        self.outcome = Outcome::Finished;
                    }
                }
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
        Progress {
            steps: self.steps,
            position: self.steps as f64,
            fraction: if self.outcome.is_running() { self.stepper.fraction() } else { 1.0 },
            work: self.steps as f64 * self.stepper.points() as f64,
            work_unit: "points",
        }
    }
    fn precision(&self) -> Option<Precision> {
        // A gap of 1e-8 of the energy is below what f32 resolves.
        Some(Precision::F64)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn weights(&self) -> Vec<Tensor> {
        self.stepper.weights()
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        self.stepper.set_weights(given)?;
        self.stepper.measure();
        Ok(())
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(self.stepper.view(key)))
    }
}

/// The gap that is asked for, the one at which a descent ends, and the most steps it is given.
const ASKED: f64 = 1e-8;
const END: f64 = 1e-9;
const MOST: u64 = 500_000;

/// Either descent on the torus, from zero.
struct OnTorus {
    torus: Torus,
    slope: Slope,
    step: f64,
    u_hat: Vec<Complex<f64>>,
    steps: u64,
    needed: f64,
    first: f64,
    gap: f64,
    values: Vec<f64>,
    points: usize,
    /// (strength by wave number, the same of the minimum).
    spectra: [Vec<f64>; 2],
}

impl OnTorus {
    fn new(p: &Params, slope: Slope) -> Self {
        let mut torus = Torus::new(p.dimension as usize, p.points as usize);
        let minimum = torus.modes_of(&torus.minimum.clone());
        let u_hat = vec![Complex::default(); torus.modes()];
        let first = -torus.least;
        Self {
            step: p.step * torus.best_step(slope),
            spectra: [Vec::new(), torus.spectrum(&minimum)],
            values: vec![0.0; u_hat.len()],
            points: p.points as usize,
            slope,
            u_hat,
            steps: 0,
            needed: f64::NAN,
            gap: first,
            first,
            torus,
        }
    }
}

impl Stepper for OnTorus {
    fn step(&mut self) -> State {
        self.torus.descend(&mut self.u_hat, self.slope, self.step);
        self.steps += 1;
        let (energy, values) = self.torus.energy(&self.u_hat);
        // Zero has the gap `first`; whatever is far above it will not come back.
        if !(energy - self.torus.least).is_finite() || energy > 1e3 * self.first {
            return State::NotFinite;
        }
        (self.gap, self.values) = (energy - self.torus.least, values);
        if self.needed.is_nan() && self.gap <= ASKED {
            self.needed = self.steps as f64;
        }
        if self.gap <= END || self.steps >= MOST { State::Done } else { State::Going }
    }
    fn measure(&mut self) -> [f64; 4] {
        self.spectra[0] = self.torus.spectrum(&self.u_hat);
        // Rounding may leave the energy below the least one that was found.
        let gap = self.gap.max(1e-17);
        [relative_error(&self.values, &self.torus.minimum), gap, self.needed, self.torus.barron_norm(&self.u_hat)]
    }
    fn record_every(&self) -> u64 {
        if self.steps < 1000 { 1 } else { 100 }
    }
    fn fraction(&self) -> f64 {
        ((self.first / self.gap.max(END)).ln() / (self.first / END).ln()).clamp(0.0, 1.0)
    }
    fn points(&self) -> usize {
        self.u_hat.len()
    }
    fn view(&self, key: &str) -> ViewData {
        match key {
            "waves" => {
                // A logarithm has no place for zero, and none is needed for rounding.
                let series = |name, role, strengths: &[f64]| {
                    let (xs, ys) =
                        strengths.iter().enumerate().filter(|s| *s.1 > 1e-17).map(|(k, s)| (k as f64, *s)).unzip();
                    Series::dotted(name, role, xs, ys)
                };
                let [own, least] = &self.spectra;
                let series = vec![series("minimum", Role::Reference, least), series("descent", Role::Result, own)];
                ViewData::Lines { series, x: (0.0, self.points as f64 / 2.0), y: (1e-17, 10.0) }
            }
            "cut" => {
                let n = self.points;
                let xs = || (0..n).map(|i| std::f64::consts::TAU * i as f64 / n as f64).collect::<Vec<_>>();
                let top = 1.3 * self.torus.minimum.iter().fold(0.0, |m: f64, u| m.max(u.abs()));
                let series = vec![
                    Series::line("minimum", Role::Reference, xs(), self.torus.minimum[..n].to_vec()),
                    Series::line("descent", Role::Result, xs(), self.values[..n].to_vec()),
                ];
                ViewData::Lines { series, x: (0.0, std::f64::consts::TAU), y: (-top, top) }
            }
            _ => ViewData::Empty,
        }
    }
}

/// A solution on the unit cube and a function beside it, along the first axis; all other coordinates are 0.2.
fn cut(solution: &Solution, name: &str, own: impl Fn(&[f64]) -> f64) -> ViewData {
    let xs: Vec<f64> = (0..=100).map(|i| 0.01 * f64::from(i)).collect();
    let mut at = vec![0.2; solution.dimension()];
    let mut along = |f: &dyn Fn(&[f64]) -> f64| {
        let value = |x: &f64| {
            at[0] = *x;
            f(&at)
        };
        xs.iter().map(value).collect::<Vec<_>>()
    };
    let (exact, own) = (along(&|x| solution.value_and_source(x).0), along(&own));
    let (low, high) = exact.iter().fold((0.0f64, 0.0f64), |(l, h), u| (l.min(*u), h.max(*u)));
    let margin = 0.2 * (high - low);
    let series =
        vec![Series::line("exact", Role::Reference, xs.clone(), exact), Series::line(name, Role::Result, xs, own)];
    ViewData::Lines { series, x: (0.0, 1.0), y: (low - margin, high + margin) }
}

/// Points at which the network's error is measured.
const PROBES: usize = 4096;

/// Deep Ritz.
struct Ritz {
    network: CosineNetwork,
    solution: Solution,
    adam: Adam<f64>,
    gradient: Vec<f64>,
    points: Vec<f64>,
    batch: usize,
    seed: u64,
    steps: u64,
    last: u64,
    probes: Vec<f64>,
    exact: Vec<f64>,
    /// Parameters at the last finite measurement.
    good: Vec<f64>,
}

impl Ritz {
    fn new(p: &Params, solution: Solution) -> Self {
        let (d, last) = (p.dimension as usize, u64::from(p.steps));
        let network = CosineNetwork::new(d, p.parameters as usize, p.spread, p.seed.into());
        let count = network.parameters.len();
        let schedule = Schedule { rate: p.rate, shape: Shape::Cosine { steps: last, floor: 0.01 }, warm_up: 0 };
        let mut probes = Vec::new();
        // A shift of its own: no step of any seed has these points.
        spread_points(d, PROBES, u64::MAX, &mut probes);
        Self {
            exact: probes.chunks_exact(d).map(|x| solution.value_and_source(x).0).collect(),
            adam: Adam::new(count, AdamSettings { schedule, ..AdamSettings::default() }),
            gradient: vec![0.0; count],
            good: network.parameters.clone(),
            points: Vec::new(),
            batch: p.batch as usize,
            seed: u64::from(p.seed) << 32,
            steps: 0,
            last,
            probes,
            network,
            solution,
        }
    }
}

impl Stepper for Ritz {
    fn step(&mut self) -> State {
        spread_points(self.solution.dimension(), self.batch, self.seed + self.steps, &mut self.points);
        let energy = self.network.energy(&self.points, &self.solution, &mut self.gradient);
        let moved = self.adam.step(&mut self.network.parameters, &mut self.gradient);
        self.steps += 1;
        if !energy.is_finite() || !moved.is_finite() {
            self.network.parameters.copy_from_slice(&self.good);
            return State::NotFinite;
        }
        if self.steps >= self.last { State::Done } else { State::Going }
    }
    fn measure(&mut self) -> [f64; 4] {
        self.good.copy_from_slice(&self.network.parameters);
        let d = self.solution.dimension();
        let values: Vec<f64> = self.probes.chunks_exact(d).map(|x| self.network.value(x)).collect();
        [relative_error(&values, &self.exact), f64::NAN, f64::NAN, self.network.barron_norm()]
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.network.named(), &self.network.parameters)
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        fill("", &self.network.named(), given, &mut self.network.parameters)?;
        self.adam = Adam::new(self.network.parameters.len(), self.adam.settings);
        Ok(())
    }
    fn record_every(&self) -> u64 {
        50
    }
    fn fraction(&self) -> f64 {
        self.steps as f64 / self.last as f64
    }
    fn points(&self) -> usize {
        self.batch
    }
    fn view(&self, key: &str) -> ViewData {
        match key {
            "waves" => {
                let (xs, ys): (Vec<f64>, Vec<f64>) =
                    self.network.units().map(|(a, k)| (k, a.abs())).filter(|(_, a)| *a > 1e-17).unzip();
                let end = xs.iter().fold(10.0, |m: f64, k| m.max(*k));
                let dots = Series::line("units of the network", Role::Result, xs, ys);
                ViewData::Lines {
                    series: vec![Series { marker: Marker::Dots, ..dots }],
                    x: (0.0, end),
                    y: (1e-6, 10.0),
                }
            }
            "cut" => cut(&self.solution, "network", |x| self.network.value(x)),
            _ => ViewData::Empty,
        }
    }
}

/// The splines: nothing to be done but to look.
struct Projection {
    spline: BestSpline,
    solution: Solution,
}

impl Stepper for Projection {
    fn step(&mut self) -> State {
        State::Done
    }
    fn measure(&mut self) -> [f64; 4] {
        [self.spline.error(), f64::NAN, f64::NAN, f64::NAN]
    }
    fn record_every(&self) -> u64 {
        1
    }
    fn fraction(&self) -> f64 {
        0.0
    }
    fn points(&self) -> usize {
        self.spline.coefficients()
    }
    fn view(&self, key: &str) -> ViewData {
        match key {
            // Splines have no waves of their own.
            "waves" => ViewData::Lines {
                series: vec![Series::line("none", Role::Result, Vec::new(), Vec::new())],
                x: (0.0, 10.0),
                y: (1e-6, 10.0),
            },
            "cut" => cut(&self.solution, "splines", |x| self.spline.value(x)),
            _ => ViewData::Empty,
        }
    }
}

#[cfg(test)]
#[path = "barron_nonlinear_pde/tests.rs"]
mod tests;
