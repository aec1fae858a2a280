//@ feature: pinn
//! A network that solves an equation sees its residual $r$ only at points. If the solution is a narrow peak, most uniform points
//! miss it. Here a second network chooses the points, as an opponent: its density $p$ goes
//! where the residual is large, the first network makes it small there, and so on until the residual is nearly even,
//!
//! $$\min_u \max_p \int r^2\,p\,dx - \beta \int |\nabla p|^2\,dx .$$
//!
//! The last term keeps $p$ smooth. For a given residual the best density is known, $p = \tfrac14 + (-\Delta)^{-1}(r^2 - \overline{r^2})/2\beta$
//! as long as that is positive, so the inner maximum measures how far $r^2$ is from uniform, as a transport distance does.
//! The equation is $-\Delta u = f$ on $[-1,1]^2$ with $u = e^{-s|x-c|^2}$: at $s = 500$ all of $f$ lies in a hundredth of the square.
//!
//! The density is a normalizing flow of the square onto itself, six couplings that each send one coordinate through a mixture
//! of logistic functions, cut at the ends. Its slope is that of $E_p[r^2] - \beta E_p[|\nabla p|^2/p]$ at the points of the
//! step, whose residuals are known already: the opponent costs time, but no evaluations. Looks at the residual of the other
//! methods count, and all methods get as many evaluations.
//!
//! Watch the points: each keeps its place in the flow's own square, and its trail shows where it has come from. Uniform points
//! hit the peak once in a hundred and fifty times, and the network learns nothing in a million evaluations, or in three. With
//! the opponent the variance of the residual falls by two orders. The error follows late: to have learned nothing is an
//! error of 1, and a residual of 3 all over the square, where the source reaches 2000, is one of twenty, so small is this
//! narrow peak in the mean. After a million evaluations the error is still above that of learning nothing; after three
//! million (turn the budget up) it was 0.41 with the opponent, 0.31 with the list of the largest residuals (RAR, half of the
//! points uniform) and 1.01 with uniform points, for one seed each.
//!
//! Compare with that list and with points in proportion to the residual on a grid: in two dimensions both are cheap and hard
//! opponents. A flow needs no grid and no list, which only pays in more dimensions, not shown here. At $\beta = 1000$ the
//! points stay uniform.
//!
//! Departures: $\beta$ is in units of $E_p[r^2]$, so that it means the same while the residual falls by orders; a share of
//! the points stays uniform; boundary values are built in by a factor $(1-x^2)(1-y^2)$, not asked for by a penalty; the
//! couplings are logistic mixtures, not the paper's bounded KRnet.

use eddy_nets::{AdamSettings, NetError, Schedule, Shape};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Test, ViewData,
    ViewSpec, choice, params,
};
use std::any::Any;
use web_time::Instant;

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::pinn::{self, relative_error},
    ready,
    weights::{Tensor, fill, tensors},
};

#[path = "adversarial_adaptive_sampling/choosers.rs"]
mod choosers;
#[path = "adversarial_adaptive_sampling/flow.rs"]
mod flow;
#[path = "adversarial_adaptive_sampling/solver.rs"]
mod solver;
#[path = "adversarial_adaptive_sampling/views.rs"]
mod views;

use choosers::{CELLS, Chooser, Numbers};
use solver::{Problem, Solver};

choice! { pub enum Choice {
    /// adversarial density
    Adversarial = "adversarial",
    /// uniform
    Uniform = "uniform",
    /// uniform, drawn once
    Once = "once",
    /// list of the largest residuals
    Largest = "largest",
    /// in proportion to the residual, on a grid
    Grid = "grid",
} }

choice! { pub enum Peaks {
    /// one
    One = "one",
    /// two
    Two = "two",
} }

params! { pub struct Params {
    /// Points. How they are chosen.
    sampler: Choice = Choice::Adversarial => choice().group("points"),
    /// Smoothness of the density. Large: the points stay uniform; small: they run to one place.
    beta: f64 = 1e-3 => log(1e-6, 1e3).symbol("\\beta").group("points").only_when("sampler", &["adversarial"]).live(),
    /// Steps of the network for each step of the density.
    turns: u32 = 4 => steps(1, 50).group("points").only_when("sampler", &["adversarial"]),
    /// Learning rate of the density. It falls to a tenth along half a cosine.
    density_rate: f64 = 1e-2 => log(1e-5, 1e-1).group("points").only_when("sampler", &["adversarial"]),
    /// Share of the points that is uniform.
    uniform_share: f64 = 0.2 => range(0.0, 0.9).symbol("\\omega").group("points").only_when("sampler", &["adversarial", "largest", "grid"]),
    /// Steps between two looks at the residual.
    refresh: u32 = 20 => steps(1, 500).group("points").only_when("sampler", &["largest", "grid"]),
    /// Power of the residual.
    power: f64 = 1.0 => range(0.25, 3.0).group("points").only_when("sampler", &["grid"]),
    /// Sharpness of a peak.
    sharpness: f64 = 500.0 => log(20.0, 1000.0).symbol("s").group("problem"),
    /// Peaks.
    peaks: Peaks = Peaks::One => choice().group("problem"),
    /// Points of a step.
    points: u32 = 200 => steps(100, 4000).symbol("N").group("training"),
    /// Evaluations of the residual in all, in thousands.
    budget: u32 = 1000 => steps(50, 20_000).group("training"),
    /// Learning rate. It falls to a hundredth along half a cosine.
    rate: f64 = 5e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training"),
    /// Units of a hidden layer.
    width: u32 = 32 => steps(8, 64).group("network"),
    /// Hidden layers.
    layers: u32 = 4 => steps(1, 6).group("network"),
    /// Seed of the networks and of the points.
    seed: u32 = 1 => seed(),
} }

impl Params {
    /// After how many steps the residual is looked at, and evaluations that it takes.
    fn look(&self) -> (u64, u64) {
        match self.sampler {
            Choice::Uniform | Choice::Once | Choice::Adversarial => (1, 0),
            Choice::Largest | Choice::Grid => (self.refresh.into(), (CELLS * CELLS) as u64),
        }
    }
    fn evaluations(&self) -> u64 {
        1000 * u64::from(self.budget)
    }
    /// Steps that the budget allows.
    fn training_steps(&self) -> u64 {
        let (every, cost) = self.look();
        (self.evaluations() * every / (u64::from(self.points) * every + cost)).max(1)
    }
    fn problem(&self) -> Problem {
        let centres = match self.peaks {
            Peaks::One => vec![[0.5, 0.5]],
            Peaks::Two => vec![[0.5, 0.5], [-0.5, -0.5]],
        };
        Problem { centres, sharpness: self.sharpness }
    }
}

pub struct AdversarialAdaptiveSampling;

const VARIANCE: Metric = Metric::new(
    "variance",
    Axis::log("variance of the residual", "\\mathrm{Var}\\,r"),
    Better::Lower,
    "Variance of the residual under the uniform measure, at 81 × 81 places that are not counted as evaluations.",
);
const SPREAD: Metric = Metric::new(
    "square_variance",
    Axis::log("variance of the squared residual", "\\mathrm{Var}\\,r^2"),
    Better::Lower,
    "The same of the squared residual: what makes a mean over uniform points uncertain.",
);
const FOCUS: Metric = Metric::new(
    "focus",
    Axis::linear("share of points at a peak", "n/N"),
    Better::Neither,
    "Share of the last step's points within 2/√s of a centre.",
);

impl Experiment for AdversarialAdaptiveSampling {
    type Params = Params;
    const TITLE: &'static str = "An opponent chooses the points";
    const SUMMARY: &'static str = "A second network moves the training points to where the first one fails.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 28,
        key: "tang2024adversarial",
        authors: "Tang, Kejun; Zhai, Jiayu; Wan, Xiaoliang; Yang, Chao",
        title: "Adversarial Adaptive Sampling: Unify PINN and Optimal Transport for the Approximation of PDEs",
        venue: "International Conference on Learning Representations",
        year: 2024,
        url: "https://arxiv.org/abs/2305.18702",
    }];
    const AXIS: Axis = Axis::linear("evaluations of the residual", "E");
    const METRICS: &'static [Metric] = &[pinn::ERROR, pinn::LOSS, VARIANCE, SPREAD, FOCUS, pinn::SECONDS];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::points(
            "points",
            "points",
            Axis::linear("position", "x"),
            Axis::linear("position", "y"),
            Axis::linear("residual", "\\log_{10}|r|"),
            ColorMap::Viridis,
        ),
        view("density", "density of the points", "\\log_{10}p", ColorMap::Viridis),
        view("residual", "residual", "\\log_{10}|r|", ColorMap::Cividis),
        view("u", "solution", "u", ColorMap::Viridis),
        view("difference", "error", "|u-u_{exact}|", ColorMap::Cividis),
        ViewSpec::lines("cut", "cut through a peak", Axis::linear("position", "x"), Axis::linear("solution", "u")),
        ViewSpec::curves(
            "evenness",
            "residual, sorted",
            Axis::linear("share of the square", "a"),
            Axis::log("residual", "|r|"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "uniform points", change: "sampler=uniform" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "For the peak of s = 500, after a million evaluations of the residual each, the error with adversarial points is \
                   at most 0.3 times that with uniform points, and the variance of the residual under the uniform measure at \
                   most half.",
        arms: &[
            Arm { name: "adversarial", setting: "" },
            Arm { name: "uniform", setting: "sampler=uniform" },
            Arm { name: "largest", setting: "sampler=largest&uniform_share=0.5" },
            Arm { name: "grid", setting: "sampler=grid&uniform_share=0.5" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "error, adversarial over uniform points",
                measure: |m| m.ratio("adversarial", "uniform", "error"),
                bound: Bound::AtMost(0.3),
                unit: "×",
            },
            Test {
                label: "variance of the residual, adversarial over uniform points",
                measure: |m| m.ratio("adversarial", "uniform", "variance"),
                bound: Bound::AtMost(0.5),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "A density as smooth as this stays uniform.",
            arms: &["adversarial"],
            change: "beta=1000",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        if context.kind() == DeviceKind::Gpu {
            return Err(EddyError::gpu(
                "device-unsupported",
                "This training runs on the CPU. Switch the device to CPU.",
            ));
        }
        Ok(Box::new(Game::new(p).map_err(pinn::refused)?))
    }
}

const fn view(key: &'static str, label: &'static str, symbol: &'static str, colors: ColorMap) -> ViewSpec {
    ViewSpec::field(key, label, Axis::linear("", "x"), Axis::linear("", "y"), Axis::linear(label, symbol), colors)
}

/// Places along each side at which errors and residuals are measured.
const GRID: usize = 81;
/// Points drawn with their ways, and most places of a way.
const SHOWN: usize = 400;
const WAY: usize = 24;
/// Rows of the record.
const ROWS: u64 = 60;

fn axis(i: usize) -> f64 {
    -1.0 + 2.0 * i as f64 / (GRID - 1) as f64
}

struct Game {
    params: Params,
    solver: Solver,
    chooser: Chooser,
    numbers: Numbers,
    points: Vec<f64>,
    grid: Vec<f64>,
    reference: Vec<f64>,
    solution: Vec<f64>,
    residuals: Vec<f64>,
    /// Fixed places of [0, 1]² and where the flow has sent them so far.
    latent: Vec<f64>,
    ways: Vec<Vec<f64>>,
    /// Memory of places that have gone from `ways`.
    spare: Vec<Vec<f64>>,
    steps: u64,
    evaluations: u64,
    /// Evaluations at which the next row is due.
    due: u64,
    loss: f64,
    seconds: f64,
    outcome: Outcome,
    record: Record,
    /// Weights at the last finite measurement: the solution's, then the flow's.
    good: Vec<Vec<f64>>,
}

impl Game {
    fn new(p: &Params) -> Result<Self, NetError> {
        let shape = Shape::Cosine { steps: p.training_steps(), floor: 0.01 };
        let settings =
            AdamSettings { schedule: Schedule { rate: p.rate, shape, warm_up: 0 }, ..AdamSettings::default() };
        let problem = p.problem();
        let grid: Vec<f64> = (0..GRID * GRID).flat_map(|k| [axis(k % GRID), axis(k / GRID)]).collect();
        let mut numbers = Numbers::new(u64::from(p.seed) << 20);
        let hidden = vec![p.width as usize; p.layers as usize];
        let mut run = Self {
            reference: grid.chunks_exact(2).map(|x| problem.exact(x[0], x[1])).collect(),
            solver: Solver::new(problem, &hidden, u64::from(p.seed), settings)?,
            chooser: Chooser::new(p)?,
            points: vec![0.0; 2 * p.points as usize],
            latent: (0..2 * SHOWN).map(|_| numbers.next()).collect(),
            ways: Vec::new(),
            spare: Vec::new(),
            solution: Vec::new(),
            residuals: Vec::new(),
            grid,
            numbers,
            steps: 0,
            evaluations: 0,
            due: 0,
            loss: f64::NAN,
            seconds: 0.0,
            outcome: Outcome::Running,
            record: Record::of(AdversarialAdaptiveSampling::METRICS),
            good: Vec::new(),
            params: p.clone(),
        };
        run.chooser.draw(&run.params, &mut run.numbers, &mut run.points);
        run.look_around();
        run.keep();
        Ok(run)
    }

    /// One step of the network at new points, and the opponent's after it. Returns whether all stayed finite.
    fn train(&mut self) -> bool {
        let Self { params, solver, chooser, numbers, points, .. } = self;
        let (every, cost) = params.look();
        let mut fine = true;
        if self.steps.is_multiple_of(every) {
            fine = chooser.look(params, solver, numbers);
            self.evaluations += cost;
        }
        chooser.draw(params, numbers, points);
        self.loss = solver.step(points);
        self.evaluations += u64::from(params.points);
        if self.steps.is_multiple_of(params.turns.into()) {
            fine &= chooser.answer(params, points, &solver.squares);
        }
        self.steps += 1;
        fine && self.loss.is_finite()
    }

    /// Whether the budget allows another step.
    fn is_left(&self) -> bool {
        let (every, cost) = self.params.look();
        let look = if self.steps.is_multiple_of(every) { cost } else { 0 };
        self.evaluations + look + u64::from(self.params.points) <= self.params.evaluations()
    }

    fn work(&mut self) -> u64 {
        let started = Instant::now();
        let fine = self.train();
        self.seconds += started.elapsed().as_secs_f64();
        let last = !self.is_left();
        let row = last || self.evaluations >= self.due;
        if !fine || (row && !self.measure()) {
            self.restore();
            self.outcome = Outcome::Diverged {
                step: self.steps,
                cause: "The loss, its gradient or the density is not a finite number.".to_owned(),
                advice: "Lower the learning rates.".to_owned(),
                repair: Some(("rate".to_owned(), format!("{:e}", (0.3 * self.params.rate).max(1e-5)))),
            };
        } else if last {
            self.outcome = Outcome::Finished;
        }
        1
    }

    /// Solution and residual on the grid, and the ways of the points.
    fn look_around(&mut self) {
        self.solver.look_into(&self.grid, &mut self.solution, &mut self.residuals);
        if let Chooser::Adversarial { flow, .. } = &mut self.chooser {
            if self.ways.len() >= WAY {
                // Every second one goes, the first stays.
                let half = self.ways.len().div_ceil(2);
                (0..half).for_each(|k| self.ways.swap(k, 2 * k));
                self.spare.extend(self.ways.drain(half..));
            }
            let mut places = self.spare.pop().unwrap_or_default();
            self.latent.clone_into(&mut places);
            flow.sample(&mut places);
            self.ways.push(places);
        }
    }

    /// Writes a row. Returns whether it is finite.
    fn measure(&mut self) -> bool {
        self.look_around();
        let count = self.residuals.len() as f64;
        let variance = |f: &dyn Fn(f64) -> f64| {
            let mean = self.residuals.iter().map(|r| f(*r)).sum::<f64>() / count;
            self.residuals.iter().map(|r| (f(*r) - mean).powi(2)).sum::<f64>() / count
        };
        let (first, square) = (variance(&|r| r), variance(&|r| r * r));
        let error = relative_error(&self.solution, &self.reference);
        if !(error.is_finite() && first.is_finite()) {
            return false;
        }
        let problem = &self.solver.problem;
        let near = |x: &[f64]| {
            problem.centres.iter().any(|c| (x[0] - c[0]).hypot(x[1] - c[1]) < 2.0 / problem.sharpness.sqrt())
        };
        let focus = self.points.chunks_exact(2).filter(|x| near(x)).count() as f64 / f64::from(self.params.points);
        self.record.push(self.evaluations as f64, &[error, self.loss, first, square, focus, self.seconds]);
        self.due = self.evaluations + self.params.evaluations() / ROWS;
        self.keep();
        true
    }

    fn keep(&mut self) {
        let flows = match &self.chooser {
            Chooser::Adversarial { flow, .. } => flow.networks.as_slice(),
            _ => &[],
        };
        self.good.resize(1 + flows.len(), Vec::new());
        let all = std::iter::once(&self.solver.network.parameters).chain(flows.iter().map(|n| &n.parameters));
        self.good.iter_mut().zip(all).for_each(|(good, own)| own.clone_into(good));
    }

    fn restore(&mut self) {
        let Some((solution, flows)) = self.good.split_first() else { return };
        self.solver.network.parameters.copy_from_slice(solution);
        if let Chooser::Adversarial { flow, .. } = &mut self.chooser {
            flow.networks.iter_mut().zip(flows).for_each(|(n, good)| n.parameters.copy_from_slice(good));
        }
        self.ways.pop();
        self.look_around();
    }
}

impl Run for Game {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        budget.spend(|| self.outcome.is_running().then(|| self.work()));
        ready(Ok(()))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        let fraction = self.evaluations as f64 / self.params.evaluations() as f64;
        Progress {
            steps: self.steps,
            position: self.evaluations as f64,
            fraction: if self.outcome.is_running() { fraction.min(1.0) } else { 1.0 },
            work: self.evaluations as f64,
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
        ready(Ok(self.draw(key)))
    }
    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let p: &Params = crate::own(params)?;
        self.params = p.clone();
        Ok(())
    }
    fn weights(&self) -> Vec<Tensor> {
        let network = &self.solver.network;
        let mut all = tensors("solution.", &network.architecture().named(), &network.parameters);
        if let Chooser::Adversarial { flow, .. } = &self.chooser {
            for (k, n) in flow.networks.iter().enumerate() {
                all.extend(tensors(&format!("density.{k}."), &n.architecture().named(), &n.parameters));
            }
        }
        all
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        // Into copies first: a file that lacks one network must not change the others.
        let mut solution = self.solver.network.clone();
        fill("solution.", &solution.architecture().named(), given, &mut solution.parameters)?;
        if let Chooser::Adversarial { flow, .. } = &mut self.chooser {
            let mut networks = flow.networks.clone();
            for (k, n) in networks.iter_mut().enumerate() {
                fill(&format!("density.{k}."), &n.architecture().named(), given, &mut n.parameters)?;
            }
            flow.networks = networks;
            flow.restart();
        }
        self.solver.network = solution;
        self.solver.restart();
        self.ways.clear();
        self.look_around();
        self.keep();
        Ok(())
    }
}

#[cfg(test)]
#[path = "adversarial_adaptive_sampling/tests.rs"]
mod tests;
