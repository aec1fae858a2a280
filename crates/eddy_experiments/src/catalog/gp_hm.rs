//@ feature: pinn
//! A Gaussian process prefers smooth functions, or whatever functions its covariance is made of. Here the covariance
//! learns from the equation itself which frequencies the solution has.
//!
//! $$u'' = f,\qquad u\sim\mathcal N(0,K),\qquad k(d) = \sum_{q\le Q} w_q\,\kappa(d/l_q)\cos 2\pi f_q d$$
//!
//! This is the inverse Fourier transform of a spectrum of bumps at $\pm f_q$: Student-t bumps have Matérn envelopes
//! $\kappa$, Gaussian bumps Gaussian ones. Weights, frequencies and lengths go by Adam down
//!
//! $$\tfrac12u^TK^{-1}u + \tfrac12\ln|K| + \tfrac v2|K''K^{-1}u - f|^2 + \tfrac\tau2|u-u_b|^2_{ends},$$
//!
//! the weights in their logarithms, which prunes those that are not needed. Watch the spectrum: thirty dots at first,
//! then a few, the largest at the solution's frequency. The paper trains $u$ as well, over some $10^5$ steps; the
//! equation is linear, so here $u$ is found by one linear solve within each step, and $v = 1$, $\tau = 10^6$ are fixed.
//! That is ours. The two-dimensional product grid of the paper is not here.
//!
//! The first frequencies are drawn one in each of $Q$ equal cells of $[0, F]$, so that none is the answer by luck; the
//! truth must lie below $F$, or it is not found. $K$ is singular to rounding: the jitter on its diagonal and double
//! precision are not a choice. A step costs $N^3$.
//!
//! Rivals: a tanh network of four layers of 64 with its ends built in, the same with random waves as first layer, and
//! covariances without waves. And the plain solvers of numerical analysis, which need no training: second-order
//! differences and Numerov's rule on the same nodes, and finite elements of degree 10 with as many unknowns. The last
//! are better than all the rest.
//!
//! Mind what the nodes give for nothing: a dozen per period of $\sin 100x$ are plenty. One plain Matérn covariance,
//! without waves, gets to an error of 0.003 on them, below the claim's bound too, and one plain Gaussian covariance to
//! 5e-5, nearly as good as waves. What waves add is the spectrum. In the sum of three waves the slow one is a five
//! hundredth of $f$: its frequency ends some 17 % off and the solution 3 %.

use std::f64::consts::TAU;

use eddy_nets::{
    Adam, AdamSettings, NetError, Schedule, Shape,
    graph::{Derivatives, Function, Graph, GraphEngine},
    normal, uniform,
};
use eddy_numerics::{
    fem1d::{Elements, exponential_mesh},
    gp::{Collocation, Envelope, differences},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Marker, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};
use web_time::Instant;

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::pinn::{self, Descent, Objective, Optimizer, insight, relative_error},
    ready,
};

choice! { pub enum Model {
    /// waves, Student-t bumps
    Student = "student",
    /// waves, Gaussian bumps
    Gaussian = "gaussian",
    /// one Matérn covariance
    Matern = "matern",
    /// one Gaussian covariance
    Smooth = "smooth",
    /// tanh network
    Network = "network",
    /// tanh network of random waves
    Features = "features",
} }

choice! { pub enum Sought {
    /// sin 100x
    Sine = "sine",
    /// sin x + 0.1 sin 20x + 0.05 cos 100x
    Mixed = "mixed",
    /// sin 6x · cos 100x
    Product = "product",
} }

params! { pub struct Params {
    /// Solution.
    sought: Sought = Sought::Sine => choice().group("problem"),
    /// Nodes.
    points: u32 = 200 => steps(50, 400).symbol("N").group("problem"),
    /// Model.
    model: Model = Model::Student => choice().group("model"),
    /// Waves in the covariance.
    waves: u32 = 30 => steps(1, 60).symbol("Q").group("model").only_when("model", &["student", "gaussian"]),
    /// Highest frequency at the start, in periods per unit of length.
    highest: f64 = 30.0 => log(1.0, 100.0).symbol("F").group("model").only_when("model", &["student", "gaussian"]),
    /// Jitter, relative to the variance.
    jitter: f64 = 1e-8 => log(1e-16, 1e-3).group("model")
        .only_when("model", &["student", "gaussian", "matern", "smooth"]),
    /// Deviation of the random waves, in radians per unit of length.
    deviation: f64 = 60.0 => log(1.0, 300.0).group("model").only_when("model", &["features"]),
    /// Optimizer of networks. L-BFGS after Adam is usual in the literature.
    optimizer: Optimizer = Optimizer::Adam => choice().group("training").only_when("model", &["network", "features"]),
    /// Training steps.
    steps: u32 = 400 => steps(20, 20_000).group("training"),
    /// Learning rate of Adam. It falls to a hundredth along half a cosine.
    rate: f64 = 0.1 => log(1e-4, 0.3).symbol("\\eta").group("training"),
    /// Seed.
    seed: u32 = 1 => seed(),
} }

pub struct GpHm;

const FREQUENCY: Metric = Metric::new(
    "frequency_error",
    Axis::log("relative error of the frequency", "|2\\pi f_q-\\omega|/\\omega"),
    Better::Lower,
    "From the frequency of the largest weight to the nearest one of the solution; not defined without waves.",
);
const ACTIVE: Metric = Metric::new(
    "active",
    Axis::linear("waves left", "q"),
    Better::Neither,
    "Waves with more than a thousandth of the largest weight; not defined without waves.",
);
const GRID: Metric = Metric::new(
    "grid_error",
    Axis::log("relative error", "\\|u-u_{ref}\\|_2/\\|u_{ref}\\|_2"),
    Better::Lower,
    "Of second-order differences on the same nodes.",
);
const NUMEROV: Metric = Metric::new(
    "numerov_error",
    Axis::log("relative error", "\\|u-u_{ref}\\|_2/\\|u_{ref}\\|_2"),
    Better::Lower,
    "Of Numerov's rule, of order 4, on the same nodes.",
);
const ELEMENTS: Metric = Metric::new(
    "elements_error",
    Axis::log("relative error", "\\|u-u_{ref}\\|_2/\\|u_{ref}\\|_2"),
    Better::Lower,
    "Of finite elements of degree 10 with at most as many unknowns.",
);

impl Experiment for GpHm {
    type Params = Params;
    const TITLE: &'static str = "A covariance that finds the frequency";
    const SUMMARY: &'static str = "A Gaussian process learns from an equation which waves its solution is made of.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 27,
        key: "fang2024gphm",
        authors: "Fang, Shikai; Cooley, Madison; Long, Da; Li, Shibo; Kirby, Robert; Zhe, Shandian",
        title: "Solving High Frequency and Multi-Scale PDEs with Gaussian Processes",
        venue: "International Conference on Learning Representations",
        year: 2024,
        url: "https://arxiv.org/abs/2311.04465",
    }];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] =
        &[pinn::ERROR, pinn::LOSS, pinn::SECONDS, FREQUENCY, ACTIVE, GRID, NUMEROV, ELEMENTS];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("u", "solution", Axis::linear("position", "x"), Axis::linear("solution", "u")),
        ViewSpec::lines(
            "spectrum",
            "weights of the waves",
            Axis::linear("frequency", "2\\pi f_q").unit("rad"),
            Axis::log("weight over the largest", "w_q/\\max w"),
        ),
        ViewSpec::lines("difference", "error", Axis::linear("position", "x"), Axis::linear("difference", "u-u_{ref}")),
        insight::SPECTRUM_VIEW,
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "tanh network", change: "model=network&rate=0.003" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "On sin 100x with 200 nodes the relative error is below 0.01 and at most 0.05 times that of the best of \
                   three trainings of a tanh network, each at least as long, and the largest weight sits within 5 % of the true frequency.",
        arms: &[
            Arm { name: "waves", setting: "model=student" },
            Arm { name: "network", setting: "model=network&rate=0.003&steps=1000" },
            Arm { name: "network, higher rate", setting: "model=network&rate=0.03&steps=1000" },
            Arm { name: "network, L-BFGS", setting: "model=network&rate=0.01&steps=1000&optimizer=adam-lbfgs" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test { label: "error", measure: |m| m.max("waves", "error"), bound: Bound::AtMost(0.01), unit: "" },
            Test {
                label: "error over the network's",
                measure: |m| m.max("waves", "error") / m.best(NETWORKS, "error"),
                bound: Bound::AtMost(0.05),
                unit: "×",
            },
            Test {
                label: "network's time over that of the waves",
                measure: |m| m.min("network", "seconds") / m.max("waves", "seconds"),
                bound: Bound::AtLeast(1.0),
                unit: "×",
            },
            Test {
                label: "error of the frequency",
                measure: |m| m.max("waves", "frequency_error"),
                bound: Bound::AtMost(0.05),
                unit: "",
            },
        ],
        counter: Counter {
            why: "All frequencies start below 63 rad and none reaches 100, so the largest weight is that of a wrong wave.",
            arms: &["waves"],
            change: "highest=10",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        if matches!(p.model, Model::Network | Model::Features) {
            let method = p.optimizer.method(p.rate, p.steps);
            let descent = Descent { method, steps: u64::from(p.steps), seed: p.seed, record_every: 25 };
            return pinn::start_descent(Network::new(p).map_err(pinn::refused)?, descent, context);
        }
        Ok(Box::new(Process::new(p)))
    }
}

/// The network, trained in several ways.
const NETWORKS: &[&str] = &["network", "network, higher rate", "network, L-BFGS"];

impl Sought {
    /// u and u″.
    fn at(self, x: f64) -> [f64; 2] {
        let wave = |a: f64, k: f64, phase: f64| [a * (k * x + phase).sin(), -a * k * k * (k * x + phase).sin()];
        let parts = match self {
            Self::Sine => vec![wave(1.0, 100.0, 0.0)],
            Self::Mixed => vec![wave(1.0, 1.0, 0.0), wave(0.1, 20.0, 0.0), wave(0.05, 100.0, 0.25 * TAU)],
            // 2 sin a cos b = sin(a + b) + sin(a - b)
            Self::Product => vec![wave(0.5, 106.0, 0.0), wave(-0.5, 94.0, 0.0)],
        };
        [parts.iter().map(|p| p[0]).sum(), parts.iter().map(|p| p[1]).sum()]
    }
    fn frequencies(self) -> &'static [f64] {
        match self {
            Self::Sine => &[100.0],
            Self::Mixed => &[1.0, 20.0, 100.0],
            Self::Product => &[94.0, 106.0],
        }
    }
}

/// The equation, its solution and what untrained solvers make of it.
struct Problem {
    sought: Sought,
    nodes: Vec<f64>,
    exact: Vec<f64>,
    source: Vec<f64>,
    /// GRID, NUMEROV and ELEMENTS.
    plain: [f64; 3],
}

impl Problem {
    fn new(p: &Params) -> Self {
        let n = p.points as usize;
        let nodes: Vec<f64> = (0..n).map(|i| i as f64 / (n - 1) as f64).collect();
        let [exact, source] = [0, 1].map(|k| nodes.iter().map(|x| p.sought.at(*x)[k]).collect::<Vec<f64>>());
        let ends = [exact[0], exact[n - 1]];
        let [grid, numerov] = [false, true].map(|high| relative_error(&differences(&source, ends, high), &exact));
        // A straight line through the ends, and elements for the rest, which is zero there.
        let elements = Elements::new(exponential_mesh((n / 10).max(1), 1.0, 1.0), 10);
        let f: Vec<f64> = elements.quadrature().iter().map(|(x, _)| -p.sought.at(*x)[1]).collect();
        let mut u = elements.load(&f);
        elements.matrix(1.0, &vec![0.0; f.len()]).solve(&mut u);
        let line = |x: f64| ends[0] + (ends[1] - ends[0]) * x;
        let by_elements: Vec<f64> = nodes.iter().map(|x| line(*x) + elements.value(&u, *x)).collect();
        let plain = [grid, numerov, relative_error(&by_elements, &exact)];
        Self { sought: p.sought, nodes, exact, source, plain }
    }

    /// Views that all models share; `spectrum` holds frequencies in radians and weights.
    fn view(&self, key: &str, solution: &[f64], spectrum: &[(f64, f64)]) -> ViewData {
        let xs = || self.nodes.clone();
        match key {
            "u" => {
                let top = self.exact.iter().chain(solution).fold(0.0, |m: f64, u| m.max(u.abs())).min(10.0);
                let series = vec![
                    Series::line("exact", Role::Reference, xs(), self.exact.clone()),
                    Series::line("model", Role::Result, xs(), solution.to_vec()),
                ];
                ViewData::Lines { series, x: (0.0, 1.0), y: (-1.1 * top, 1.1 * top) }
            }
            "difference" => {
                let ys: Vec<f64> = solution.iter().zip(&self.exact).map(|(a, b)| a - b).collect();
                let top = ys.iter().fold(1e-12, |m: f64, y| m.max(y.abs()));
                let series = vec![Series::line("error", Role::Result, xs(), ys)];
                ViewData::Lines { series, x: (0.0, 1.0), y: (-1.1 * top, 1.1 * top) }
            }
            "error-spectrum" => insight::spectrum_view(&self.exact, solution, self.exact.len(), false),
            "spectrum" => {
                const FLOOR: f64 = 1e-6;
                let largest = spectrum.iter().fold(0.0, |m: f64, s| m.max(s.1));
                let mut series = Vec::new();
                for truth in self.sought.frequencies() {
                    series.push(Series::line("true", Role::Reference, vec![*truth; 2], vec![FLOOR, 1.0]));
                }
                let end = spectrum.iter().fold(120.0, |m: f64, s| m.max(s.0));
                let (xs, ys) = spectrum.iter().map(|(f, w)| (*f, (w / largest).max(FLOOR))).unzip();
                let dots = Series::dotted("waves", Role::Result, xs, ys);
                series.push(Series { marker: Marker::Dots, ..dots });
                ViewData::Lines { series, x: (0.0, 1.05 * end), y: (FLOOR, 2.0) }
            }
            _ => ViewData::Empty,
        }
    }

    /// [`FREQUENCY`] and [`ACTIVE`].
    fn spectrum_metrics(&self, spectrum: &[(f64, f64)]) -> [f64; 2] {
        let Some(peak) = spectrum.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { return [f64::NAN; 2] };
        let off = |truth: &f64| (peak.0 / truth - 1.0).abs();
        let nearest = self.sought.frequencies().iter().map(off).fold(f64::INFINITY, f64::min);
        let active = spectrum.iter().filter(|s| s.1 > 1e-3 * peak.1).count();
        [nearest.max(1e-9), active as f64]
    }
}

/// A Gaussian process whose covariance is trained.
struct Process {
    problem: Problem,
    collocation: Collocation,
    has_waves: bool,
    /// See [`Collocation::fit`].
    mixture: Vec<f64>,
    gradient: Vec<f64>,
    adam: Adam<f64>,
    solution: Vec<f64>,
    loss: f64,
    steps: u64,
    last: u64,
    seconds: f64,
    outcome: Outcome,
    record: Record,
}

impl Process {
    fn new(p: &Params) -> Self {
        let problem = Problem::new(p);
        let envelope =
            if matches!(p.model, Model::Student | Model::Matern) { Envelope::Matern } else { Envelope::Gaussian };
        let has_waves = matches!(p.model, Model::Student | Model::Gaussian);
        let count = if has_waves { p.waves as usize } else { 1 };
        let seed = u64::from(p.seed) ^ 0x9b1d;
        let cell = p.highest / count as f64;
        let mut mixture = vec![-(count as f64).ln(); count];
        mixture.extend((0..count).map(|q| if has_waves { cell * (q as f64 + uniform(seed, q as u64)) } else { 0.0 }));
        // Waves over the whole interval; a covariance without them must be short from the start to see anything.
        mixture.extend((0..count).map(|_| if has_waves { 0.0f64 } else { -3.0 }));
        let ends = [problem.exact[0], problem.exact[problem.exact.len() - 1]];
        let source = problem.source.clone();
        let schedule =
            Schedule { rate: p.rate, shape: Shape::Cosine { steps: u64::from(p.steps), floor: 0.01 }, warm_up: 0 };
        let mut process = Self {
            collocation: Collocation { source, ends, envelope, precision: [1.0, 1e6], jitter: p.jitter },
            has_waves,
            gradient: vec![0.0; mixture.len()],
            adam: Adam::new(mixture.len(), AdamSettings { schedule, ..AdamSettings::default() }),
            mixture,
            solution: vec![0.0; problem.exact.len()],
            loss: f64::NAN,
            steps: 0,
            last: u64::from(p.steps),
            seconds: 0.0,
            outcome: Outcome::Running,
            record: Record::of(GpHm::METRICS),
            problem,
        };
        process.fit();
        process
    }

    /// The solution of the present covariance, and the slopes. Returns whether there is one.
    fn fit(&mut self) -> bool {
        match self.collocation.fit(&self.mixture, &mut self.gradient) {
            Ok(fit) if fit.loss.is_finite() && fit.solution.iter().all(|u| u.is_finite()) => {
                (self.loss, self.solution) = (fit.loss, fit.solution);
                true
            }
            _ => {
                self.outcome = Outcome::Diverged {
                    step: self.steps,
                    cause: "The covariance is singular to rounding.".to_owned(),
                    advice: "Set more jitter, or a lower learning rate.".to_owned(),
                    repair: None,
                };
                false
            }
        }
    }

    fn spectrum(&self) -> Vec<(f64, f64)> {
        let count = self.mixture.len() / 3;
        let wave = |q: usize| (TAU * self.mixture[count + q].abs(), self.mixture[q].exp());
        if self.has_waves { (0..count).map(wave).collect() } else { Vec::new() }
    }

    fn step(&mut self) {
        let count = self.mixture.len() / 3;
        if !self.has_waves {
            self.gradient[count..2 * count].fill(0.0);
        }
        // The slopes are those of the last fit.
        let moved = self.adam.step(&mut self.mixture, &mut self.gradient).is_finite();
        self.steps += 1;
        // Beyond these bounds a length is a constant or white noise, and its exponential soon no number.
        self.mixture[2 * count..].iter_mut().for_each(|l| *l = l.clamp(-12.0, 12.0));
        self.mixture[..count].iter_mut().for_each(|w| *w = w.clamp(-60.0, 60.0));
        if moved && self.fit() && self.steps >= self.last {
            self.outcome = Outcome::Finished;
        }
    }
}

impl Run for Process {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            let started = Instant::now();
            self.step();
            self.seconds += started.elapsed().as_secs_f64();
            let error = relative_error(&self.solution, &self.problem.exact);
            let [frequency, active] = self.problem.spectrum_metrics(&self.spectrum());
            let [grid, numerov, elements] = self.problem.plain;
            let row = [error, self.loss, self.seconds, frequency, active, grid, numerov, elements];
            self.record.push(self.steps as f64, &row);
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
            fraction: if self.outcome.is_running() { self.steps as f64 / self.last as f64 } else { 1.0 },
            work: self.steps as f64 * self.solution.len() as f64,
            work_unit: "points",
        }
    }
    fn precision(&self) -> Option<Precision> {
        // The covariance's smallest eigenvalues are far below the rounding of f32.
        Some(Precision::F64)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(self.problem.view(key, &self.solution, &self.spectrum())))
    }
}

/// A network with the ends built in: a straight line plus 4x(1 - x)N.
struct Network {
    graph: Graph,
    engine: GraphEngine<f64>,
    second: usize,
    problem: Problem,
    /// Mean square of the source: residuals count in its size.
    scale: f64,
    solution: Vec<f64>,
}

impl Network {
    fn new(p: &Params) -> Result<Self, NetError> {
        let problem = Problem::new(p);
        let mut graph = Graph::new(1);
        let x = graph.coordinates();
        let scaled = graph.affine(x, 2.0, -1.0);
        let network = if p.model == Model::Features {
            let seed = u64::from(p.seed) ^ 0x5eed;
            let phases: Vec<Vec<f64>> = (0..32).map(|i| vec![p.deviation * normal(seed, i)]).collect();
            let phases = graph.fixed(x, &phases, &[0.0; 32]);
            let (cos, sin) = (graph.apply(phases, Function::Cos), graph.apply(phases, Function::Sin));
            let waves = graph.join(cos, sin);
            graph.mlp(waves, &[64; 3], 1, Function::Tanh)
        } else {
            graph.mlp(scaled, &[64; 4], 1, Function::Tanh)
        };
        let (up, down) = (graph.affine(scaled, 1.0, 1.0), graph.affine(scaled, -1.0, 1.0));
        let walls = graph.multiply(up, down);
        let inside = graph.multiply(walls, network);
        let ends = [problem.exact[0], problem.exact[problem.exact.len() - 1]];
        let line = graph.affine(x, ends[1] - ends[0], ends[0]);
        graph.add(line, inside);
        let set = Derivatives::new(1, &[&[2]])?;
        Ok(Self {
            engine: GraphEngine::new(&graph, &set)?,
            second: set.component(&[2]).unwrap_or(0),
            scale: problem.source.iter().map(|f| f * f).sum(),
            solution: vec![0.0; problem.exact.len()],
            problem,
            graph,
        })
    }
}

impl Objective for Network {
    fn graph(&self) -> &Graph {
        &self.graph
    }
    fn extras(&self) -> &'static [Metric] {
        &[FREQUENCY, ACTIVE, GRID, NUMEROV, ELEMENTS]
    }
    fn points(&self) -> usize {
        self.problem.nodes.len()
    }
    fn gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let (second, scale, source) = (self.second, 1.0 / self.scale, &self.problem.source);
        self.engine.add_gradient(parameters, &self.problem.nodes, gradient, |tile| {
            let mut loss = 0.0;
            for i in 0..tile.len {
                let r = tile.jet(0, second)[i] - source[tile.start + i];
                loss += scale * r * r;
                tile.adjoint(0, second)[i] = 2.0 * scale * r;
            }
            loss
        })
    }
    fn measure(&mut self, parameters: &[f64]) -> Vec<f64> {
        let solution = &mut self.solution;
        self.engine.evaluate(parameters, &self.problem.nodes, |tile| {
            solution[tile.start..tile.start + tile.len].copy_from_slice(tile.jet(0, 0));
        });
        let [grid, numerov, elements] = self.problem.plain;
        vec![relative_error(&self.solution, &self.problem.exact), f64::NAN, f64::NAN, grid, numerov, elements]
    }
    fn view(&mut self, key: &str) -> ViewData {
        self.problem.view(key, &self.solution, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(p: &Params) -> Box<dyn Run> {
        let mut run = GpHm::start(p, &Context::cpu()).unwrap();
        let mut check = true;
        while run.outcome().is_running() {
            for view in GpHm::VIEWS.iter().filter(|_| check) {
                let data = pollster::block_on(run.view(view.key)).unwrap();
                assert!(data.is_finite() && data != ViewData::Empty, "{}", view.key);
            }
            check = run.progress().steps == 0;
            pollster::block_on(run.advance(Budget::steps(10))).unwrap();
        }
        run
    }

    #[test]
    fn gradient_of_the_network_equals_central_differences() {
        for model in [Model::Network, Model::Features] {
            pinn::check_objective(&mut Network::new(&Params { model, points: 50, ..Params::default() }).unwrap(), 3);
        }
    }

    #[test]
    fn sources_are_second_derivatives() {
        for sought in [Sought::Sine, Sought::Mixed, Sought::Product] {
            let (x, h) = (0.37, 1e-4);
            let [l, c, r] = [x - h, x, x + h].map(|x| sought.at(x)[0]);
            let second = (l - 2.0 * c + r) / (h * h);
            assert!((second - sought.at(x)[1]).abs() < 0.1, "{}", sought.key());
            assert!((second - sought.at(x + 0.01)[1]).abs() > 1.0);
        }
        assert!((Sought::Product.at(0.3)[0] - (1.8f64).sin() * (30.0f64).cos()).abs() < 1e-12);
    }

    #[test]
    fn waves_find_the_frequency_and_plain_solvers_are_better_still() {
        let with = |highest| finished(&Params { points: 100, steps: 60, highest, ..Params::default() });
        let run = with(30.0);
        let [error, frequency, grid, elements] =
            ["error", "frequency_error", "grid_error", "elements_error"].map(|key| run.record().latest(key));
        assert!(error < 1e-2 && frequency < 0.02, "{:?}", run.record().latest_named());
        assert!(elements < 1e-2 * grid, "{grid:e} {elements:e}");
        // A range of frequencies without the answer.
        let run = with(5.0);
        assert!(run.record().latest("frequency_error") > 0.2, "{:?}", run.record().latest_named());
    }

    #[test]
    fn too_little_jitter_is_an_outcome() {
        let run =
            finished(&Params { jitter: 1e-16, points: 100, steps: 100, model: Model::Gaussian, ..Params::default() });
        assert!(matches!(run.outcome(), Outcome::Diverged { .. }));
    }
}
