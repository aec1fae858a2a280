//@ feature: pinn
//! Keep the time steps of a classical solver and replace the grid by the weights of a network:
//! $u(x, t_n) = f(x;\theta_n)$.
//!
//! $$\theta_{n+1} = \arg\min_\theta \overline{|f(x;\theta) - f(x - v\,\Delta t;\theta_n)|^2}$$
//!
//! over fresh random points $x$, from $\theta_n$ on. That is the step along characteristics, which the paper takes for
//! flows. Its rule for this equation, $u_t + v u_x = 0$, is the midpoint one,
//! $|(u-u_n)/\Delta t + v(u_x+u_{n,x})/2|^2$: choose it and see an error that is not the network's. The rule itself
//! delays waves of number $k$ by $(k v\Delta t)^2/12$ of their way.
//!
//! The network is one of sines with some 900 weights, and a grid with as many numbers and linear interpolation takes
//! the same steps. A Gaussian of width 0.1 moves three quarters of a unit in 60 steps. First the network is fitted to
//! the start; then watch the error grow as every inner fit leaves a little behind. Stopped early it looks like
//! diffusion or noise; it is neither, but the optimisation.
//!
//! Be fair to grids: linear interpolation is the most diffusive there is. With cubic interpolation the same 900 numbers
//! beat the network, and either grid is thousands of times faster; both are shown. The inner solver is Gauss-Newton,
//! ours; the paper's is Adam with up to 20,000 iterations for each time step, and can be chosen. Flows in two
//! dimensions and elastic bodies are not here, nor is a network in space and time.

use eddy_nets::{
    Adam, AdamSettings, GaussNewton, GaussNewtonSettings, NetError, Schedule, Shape,
    graph::{Derivatives, Graph, GraphEngine},
    uniform,
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};
use web_time::Instant;

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::pinn::{self, relative_error},
    ready,
    weights::{Tensor, fill, tensors},
};

choice! { pub enum Rule {
    /// along characteristics
    Characteristics = "characteristics",
    /// midpoint
    Midpoint = "midpoint",
} }

choice! { pub enum Solver {
    /// Gauss-Newton
    GaussNewton = "gauss-newton",
    /// Adam
    Adam = "adam",
} }

params! { pub struct Params {
    /// Velocity.
    velocity: f64 = 0.25 => range(-0.5, 1.0).symbol("v").group("problem"),
    /// Width of the Gaussian.
    sigma: f64 = 0.1 => range(0.05, 0.4).symbol("\\sigma").group("problem"),
    /// Length of a time step.
    dt: f64 = 0.05 => log(0.005, 0.2).symbol("\\Delta t").group("time"),
    /// Time steps.
    count: u32 = 60 => steps(1, 1000).group("time"),
    /// Rule of a time step.
    rule: Rule = Rule::Characteristics => choice().group("time"),
    /// Inner solver.
    solver: Solver = Solver::GaussNewton => choice().group("fit"),
    /// Iterations for each time step.
    inner: u32 = 10 => steps(1, 5000).group("fit"),
    /// Iterations for the start.
    first: u32 = 40 => steps(1, 20_000).group("fit"),
    /// Learning rate.
    rate: f64 = 1e-3 => log(1e-6, 1e-1).symbol("\\eta").group("fit").only_when("solver", &["adam"]),
    /// Points, one drawn in each of as many cells for every iteration's time step.
    points: u32 = 150 => steps(20, 2000).symbol("N").group("fit"),
    /// Units of a layer.
    width: u32 = 20 => steps(4, 40).group("network"),
    /// Layers of sines.
    layers: u32 = 3 => steps(1, 4).group("network"),
    /// Spread of the first layer's wave numbers.
    omega: f64 = 15.0 => log(1.0, 60.0).symbol("\\omega").group("network"),
    /// Seed.
    seed: u32 = 1 => seed(),
} }

pub struct InsrPde;

const fn grid_error(key: &'static str, doc: &'static str) -> Metric {
    Metric::new(key, Axis::log("relative error", "\\|u-u_{ref}\\|_2/\\|u_{ref}\\|_2"), Better::Lower, doc)
}

impl Experiment for InsrPde {
    type Params = Params;
    const TITLE: &'static str = "A network in place of the grid";
    const SUMMARY: &'static str = "A solver steps in time while a network's weights hold the field.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 8,
        key: "chen2023insr",
        authors: "Chen, Honglin; Wu, Rundi; Grinspun, Eitan; Zheng, Changxi; Chen, Peter Yichen",
        title: "Implicit Neural Spatial Representations for Time-dependent PDEs",
        venue: "International Conference on Machine Learning",
        year: 2023,
        url: "https://arxiv.org/abs/2210.00124",
    }];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        grid_error("error", "Relative L² error of the network, at 801 places."),
        grid_error("linear_error", "Of a grid with as many numbers and linear interpolation, at its nodes."),
        grid_error("cubic_error", "Of the same grid with cubic interpolation."),
        Metric::new(
            "residual",
            Axis::log("residual of the fit", "\\sqrt{\\overline{r^2}}"),
            Better::Lower,
            "Root mean square that the last inner fit left at its points.",
        ),
        pinn::SECONDS,
        Metric::new(
            "slowdown",
            Axis::log("time over the grid's", "t/t_{grid}"),
            Better::Lower,
            "Time of the network's steps over that of as many steps of the grid with linear interpolation.",
        ),
        Metric::new("floats", Axis::linear("storage", "n"), Better::Lower, "Numbers that hold the field."),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("u", "field", Axis::linear("position", "x"), Axis::linear("field", "u")),
        ViewSpec::points(
            "cloud",
            "points of the fit",
            Axis::linear("position", "x"),
            Axis::linear("field", "u"),
            Axis::linear("residual", "\\log_{10}|r|"),
            ColorMap::Viridis,
        ),
        ViewSpec::curves(
            "history",
            "error in time",
            Axis::linear("time", "t"),
            Axis::log("relative error", "\\|u-u_{ref}\\|/\\|u_{ref}\\|"),
        ),
        ViewSpec::lines("difference", "error", Axis::linear("position", "x"), Axis::linear("difference", "u-u_{ref}")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "midpoint rule", change: "rule=midpoint" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With 900 numbers each and steps of 0.05 along characteristics, the network's error after 60 steps is at \
                   most 0.3 times that of a grid with linear interpolation; with cubic interpolation the grid is better by \
                   far, it is more than a hundred times faster, and by the midpoint rule the network loses to the linear grid.",
        arms: &[
            Arm { name: "network", setting: "rule=characteristics" },
            Arm { name: "midpoint", setting: "rule=midpoint" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "error over that of the linear grid",
                measure: |m| m.max("network", "error") / m.min("network", "linear_error"),
                bound: Bound::AtMost(0.3),
                unit: "×",
            },
            Test {
                label: "error over that of the cubic grid",
                measure: |m| m.min("network", "error") / m.max("network", "cubic_error"),
                bound: Bound::AtLeast(2.0),
                unit: "×",
            },
            Test {
                label: "error by the midpoint rule over that of the linear grid",
                measure: |m| m.min("midpoint", "error") / m.max("midpoint", "linear_error"),
                bound: Bound::AtLeast(1.0),
                unit: "×",
            },
            Test {
                label: "time over the grid's",
                measure: |m| m.min("network", "slowdown"),
                bound: Bound::AtLeast(100.0),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "A hundred short steps of Adam leave more behind at each time step than the grid's interpolation does.",
            arms: &["network"],
            change: "solver=adam&inner=100&first=2000",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(Stepping::new(p).map_err(pinn::refused)?))
    }
}

const ENDS: (f64, f64) = (-2.0, 2.0);
const START: f64 = -1.5;
const PROBES: usize = 801;

/// One step of a grid with values at equally spaced nodes: those at `shift` spacings upstream, by linear or cubic
/// interpolation (Lagrange, four nodes). Zero beyond the ends.
fn advect(u: &[f64], shift: f64, cubic: bool, out: &mut [f64]) {
    let whole = shift.floor();
    // The place upstream of node i lies between nodes i - whole - 1 and i - whole, at `a` from the first.
    let a = 1.0 - (shift - whole);
    let at = |i: isize| usize::try_from(i).ok().and_then(|i| u.get(i)).copied().unwrap_or(0.0);
    for (i, out) in out.iter_mut().enumerate() {
        let j = i as isize - whole as isize - 1;
        let [w, x, y, z] = [at(j - 1), at(j), at(j + 1), at(j + 2)];
        *out = if cubic {
            -a * (a - 1.0) * (a - 2.0) / 6.0 * w + (a + 1.0) * (a - 1.0) * (a - 2.0) / 2.0 * x
                - (a + 1.0) * a * (a - 2.0) / 2.0 * y
                + (a + 1.0) * a * (a - 1.0) / 6.0 * z
        } else {
            (1.0 - a) * x + a * y
        };
    }
}

enum Inner {
    GaussNewton(GaussNewton),
    Adam(Box<Adam<f64>>),
}

impl Inner {
    fn new(p: &Params, count: usize) -> Self {
        match p.solver {
            Solver::GaussNewton => Self::GaussNewton(GaussNewton::new(GaussNewtonSettings::default())),
            Solver::Adam => {
                let schedule = Schedule { rate: p.rate, shape: Shape::Constant, warm_up: 0 };
                Self::Adam(Box::new(Adam::new(count, AdamSettings { schedule, ..AdamSettings::default() })))
            }
        }
    }
}

struct Stepping {
    params: Params,
    engine: GraphEngine<f64>,
    slope: usize,
    parameters: Vec<f64>,
    inner: Inner,
    /// Points of this time step and what the field there shall be, in the combination the rule asks for.
    points: Vec<f64>,
    wanted: Vec<f64>,
    residuals: Vec<f64>,
    jacobian: Vec<f64>,
    gradient: Vec<f64>,
    /// Time steps that are done and inner iterations of this one; the start is step 0.
    done: u64,
    iterations: u64,
    steps: u64,
    residual: f64,
    seconds: f64,
    grid_seconds: f64,
    grids: [Vec<f64>; 2],
    probes: Vec<f64>,
    solution: Vec<f64>,
    /// Time and errors of network, linear and cubic grid.
    history: Vec<[f64; 4]>,
    outcome: Outcome,
    record: Record,
}

impl Stepping {
    fn new(p: &Params) -> Result<Self, NetError> {
        let mut graph = Graph::new(1);
        let x = graph.coordinates();
        let scaled = graph.affine(x, 2.0 / (ENDS.1 - ENDS.0), 0.0);
        graph.siren(scaled, &vec![p.width as usize; p.layers as usize], 1, p.omega);
        let set = Derivatives::new(1, &[&[1]])?;
        let parameters: Vec<f64> = graph.start(u64::from(p.seed))?;
        let (count, points) = (parameters.len(), p.points as usize);
        let jacobian = if p.solver == Solver::GaussNewton { (points + 2) * count } else { 0 };
        let along = |i: usize, n: usize| ENDS.0 + (ENDS.1 - ENDS.0) * i as f64 / (n - 1) as f64;
        let start: Vec<f64> = (0..count).map(|i| exact(p, along(i, count), 0.0)).collect();
        let mut run = Self {
            engine: GraphEngine::new(&graph, &set)?,
            slope: set.component(&[1]).unwrap_or(0),
            inner: Inner::new(p, count),
            points: vec![0.0; points + 2],
            wanted: vec![0.0; points + 2],
            residuals: vec![0.0; points + 2],
            jacobian: vec![0.0; jacobian],
            gradient: vec![0.0; count],
            parameters,
            done: 0,
            iterations: 0,
            steps: 0,
            residual: f64::NAN,
            seconds: 0.0,
            grid_seconds: 0.0,
            grids: [start.clone(), start],
            probes: (0..PROBES).map(|i| along(i, PROBES)).collect(),
            solution: vec![0.0; PROBES],
            history: Vec::new(),
            outcome: Outcome::Running,
            record: Record::of(InsrPde::METRICS),
            params: p.clone(),
        };
        run.draw();
        run.evaluate();
        Ok(run)
    }

    fn time(&self) -> f64 {
        // The start is fitted first and takes no time.
        self.done.saturating_sub(1) as f64 * self.params.dt
    }

    /// Fresh points of the time step that begins and what is wanted there, from the field as it is. The last two points are
    /// the ends, where the field is zero.
    fn draw(&mut self) {
        let p = &self.params;
        let cells = p.points as usize;
        for k in 0..cells {
            let at = uniform(u64::from(p.seed) << 20, self.done * cells as u64 + k as u64);
            self.points[k] = ENDS.0 + (ENDS.1 - ENDS.0) * (k as f64 + at) / cells as f64;
        }
        (self.points[cells], self.points[cells + 1]) = ENDS;
        self.wanted.fill(0.0);
        if self.done == 0 {
            for k in 0..cells {
                self.wanted[k] = exact(p, self.points[k], 0.0);
            }
            return;
        }
        let (wanted, slope, move_by) = (&mut self.wanted, self.slope, p.velocity * p.dt);
        match p.rule {
            Rule::Characteristics => {
                let feet: Vec<f64> = self.points[..cells].iter().map(|x| x - move_by).collect();
                self.engine.evaluate(&self.parameters, &feet, |tile| {
                    for i in 0..tile.len {
                        // Nothing comes in through the ends.
                        let inside = (ENDS.0..=ENDS.1).contains(&tile.input(0)[i]);
                        wanted[tile.start + i] = if inside { tile.jet(0, 0)[i] } else { 0.0 };
                    }
                });
            }
            Rule::Midpoint => self.engine.evaluate(&self.parameters, &self.points[..cells], |tile| {
                for i in 0..tile.len {
                    wanted[tile.start + i] = tile.jet(0, 0)[i] - 0.5 * move_by * tile.jet(0, slope)[i];
                }
            }),
        }
    }

    /// How the slope enters what is fitted, in units of the field.
    fn slope_share(&self) -> f64 {
        let p = &self.params;
        if self.done > 0 && p.rule == Rule::Midpoint { 0.5 * p.velocity * p.dt } else { 0.0 }
    }

    /// One inner iteration. Returns whether all is finite.
    fn fit(&mut self) -> bool {
        let (share, slope, cells) = (self.slope_share(), self.slope, self.params.points as usize);
        let scale = 1.0 / (self.points.len() as f64).sqrt();
        let Self { engine, parameters, points, wanted, residuals, jacobian, gradient, .. } = self;
        // At the ends the field alone is held.
        let of = |at: usize| if at < cells { share } else { 0.0 };
        let loss = match &mut self.inner {
            Inner::GaussNewton(solver) => {
                engine.jacobian(parameters, points, 1, residuals, jacobian, |rows, _| {
                    let tile = &mut rows.tile;
                    for i in 0..tile.len {
                        let at = tile.start + i;
                        rows.residuals[i] = scale * (tile.jet(0, 0)[i] + of(at) * tile.jet(0, slope)[i] - wanted[at]);
                        tile.adjoint(0, 0)[i] = scale;
                        if of(at) != 0.0 {
                            tile.adjoint(0, slope)[i] = scale * of(at);
                        }
                    }
                });
                let step = solver.step(parameters, residuals, jacobian, |trial| {
                    let mut sum = 0.0;
                    engine.evaluate(trial, points, |tile| {
                        for i in 0..tile.len {
                            let at = tile.start + i;
                            let r = scale * (tile.jet(0, 0)[i] + of(at) * tile.jet(0, slope)[i] - wanted[at]);
                            sum += r * r;
                        }
                    });
                    sum
                });
                step.loss
            }
            Inner::Adam(adam) => {
                gradient.fill(0.0);
                let loss = engine.add_gradient(parameters, points, gradient, |tile| {
                    let mut sum = 0.0;
                    for i in 0..tile.len {
                        let at = tile.start + i;
                        let r = scale * (tile.jet(0, 0)[i] + of(at) * tile.jet(0, slope)[i] - wanted[at]);
                        sum += r * r;
                        tile.adjoint(0, 0)[i] = 2.0 * scale * r;
                        if of(at) != 0.0 {
                            tile.adjoint(0, slope)[i] = 2.0 * scale * r * of(at);
                        }
                    }
                    sum
                });
                if !adam.step(parameters, gradient).is_finite() {
                    return false;
                }
                loss
            }
        };
        self.residual = loss.max(0.0).sqrt();
        loss.is_finite()
    }

    fn evaluate(&mut self) {
        let solution = &mut self.solution;
        self.engine.evaluate(&self.parameters, &self.probes, |tile| {
            solution[tile.start..tile.start + tile.len].copy_from_slice(tile.jet(0, 0));
        });
    }

    fn reference(&self) -> Vec<f64> {
        self.probes.iter().map(|x| exact(&self.params, *x, self.time())).collect()
    }

    /// A time step of both grids.
    fn move_grids(&mut self) {
        let n = self.grids[0].len();
        let shift = self.params.velocity * self.params.dt * (n - 1) as f64 / (ENDS.1 - ENDS.0);
        let mut next = vec![0.0; n];
        let started = Instant::now();
        advect(&self.grids[0], shift, false, &mut next);
        self.grid_seconds += started.elapsed().as_secs_f64();
        std::mem::swap(&mut self.grids[0], &mut next);
        advect(&self.grids[1], shift, true, &mut next);
        std::mem::swap(&mut self.grids[1], &mut next);
    }

    fn finish_time_step(&mut self) {
        if self.done > 0 {
            self.move_grids();
        }
        self.done += 1;
        self.iterations = 0;
        self.evaluate();
        let t = self.time();
        let error = relative_error(&self.solution, &self.reference());
        let n = self.grids[0].len();
        let nodes = (0..n).map(|i| ENDS.0 + (ENDS.1 - ENDS.0) * i as f64 / (n - 1) as f64);
        let at_nodes: Vec<f64> = nodes.map(|x| exact(&self.params, x, t)).collect();
        // The start is exact on a grid; a logarithm has no place for zero.
        let [linear, cubic] = [0, 1].map(|g| relative_error(&self.grids[g], &at_nodes).max(1e-16));
        self.history.push([t, error.max(1e-16), linear, cubic]);
        // Clocks of browsers tick in microseconds at best.
        let slowdown = if self.done > 1 { self.seconds / self.grid_seconds.max(1e-6) } else { f64::NAN };
        let row = [error, linear, cubic, self.residual, self.seconds, slowdown, n as f64];
        self.record.push(t, &row);
        if !error.is_finite() {
            self.outcome = self.diverged();
        } else if self.done > u64::from(self.params.count) {
            self.outcome = Outcome::Finished;
        } else {
            self.draw();
        }
    }

    fn diverged(&self) -> Outcome {
        Outcome::Diverged {
            step: self.steps,
            cause: "The fit is not a finite number.".to_owned(),
            advice: "Lower the learning rate, or fit by Gauss-Newton.".to_owned(),
            repair: None,
        }
    }

    fn step(&mut self) {
        let started = Instant::now();
        let fine = self.fit();
        // The fit to the start is not part of the steps' time.
        if self.done > 0 {
            self.seconds += started.elapsed().as_secs_f64();
        }
        self.steps += 1;
        self.iterations += 1;
        let last = if self.done == 0 { self.params.first } else { self.params.inner };
        if !fine {
            self.outcome = self.diverged();
        } else if self.iterations >= u64::from(last) {
            self.finish_time_step();
        } else if self.done == 0 {
            self.evaluate();
        }
    }

    fn cloud(&self) -> ViewData {
        let values = self.points.iter().map(|x| {
            let at = (x - ENDS.0) / (ENDS.1 - ENDS.0) * (PROBES - 1) as f64;
            let i = (at as usize).min(PROBES - 2);
            let share = at - i as f64;
            (1.0 - share) * self.solution[i] + share * self.solution[i + 1]
        });
        let positions = self.points.iter().zip(values).flat_map(|(x, u)| [*x as f32, u as f32]).collect();
        let shown = |r: &f64| ((r.abs() * (self.points.len() as f64).sqrt()).max(1e-9).log10()) as f32;
        ViewData::Points {
            positions,
            values: self.residuals.iter().map(shown).collect(),
            range: (-7.0, -1.0),
            trails: Vec::new(),
            trail_len: 0,
            backdrop: None,
            x: ENDS,
            y: (-0.3, 1.2),
        }
    }
}

/// The Gaussian where it is by then.
fn exact(p: &Params, x: f64, t: f64) -> f64 {
    let s = (x - START - p.velocity * t) / p.sigma;
    (-0.5 * s * s).exp()
}

impl Run for Stepping {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            self.step();
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
        let (p, all) = (&self.params, self.params.count as f64 * f64::from(self.params.inner));
        Progress {
            steps: self.steps,
            position: self.time(),
            fraction: (self.steps as f64 / (all + f64::from(p.first))).min(1.0),
            work: self.steps as f64 * self.points.len() as f64,
            work_unit: "points",
        }
    }
    fn precision(&self) -> Option<Precision> {
        Some(Precision::F64)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.engine.graph().named(), &self.parameters)
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        fill("", &self.engine.graph().named(), given, &mut self.parameters)?;
        self.evaluate();
        Ok(())
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let finite = |u: &f64| if u.is_finite() { *u } else { 0.0 };
        let own: Vec<f64> = self.solution.iter().map(finite).collect();
        let data = match key {
            "u" => {
                let n = self.grids[0].len();
                let nodes = (0..n).map(|i| ENDS.0 + (ENDS.1 - ENDS.0) * i as f64 / (n - 1) as f64).collect();
                let series = vec![
                    Series::line("exact", Role::Reference, self.probes.clone(), self.reference()),
                    Series::line("network", Role::Result, self.probes.clone(), own),
                    Series::line("linear grid", Role::Second, nodes, self.grids[0].clone()),
                ];
                ViewData::Lines { series, x: ENDS, y: (-0.3, 1.2) }
            }
            "cloud" => self.cloud(),
            "history" => {
                let column = |k: usize| self.history.iter().map(|h| h[k]).collect::<Vec<_>>();
                let series = vec![
                    Series::line("network", Role::Result, column(0), column(1)),
                    Series::line("linear grid", Role::Second, column(0), column(2)),
                    Series::line("cubic grid", Role::Third, column(0), column(3)),
                ];
                let end = f64::from(self.params.count) * self.params.dt;
                ViewData::Lines { series, x: (0.0, end), y: (1e-8, 2.0) }
            }
            "difference" => {
                let ys: Vec<f64> = own.iter().zip(self.reference()).map(|(a, b)| a - b).collect();
                let top = ys.iter().fold(1e-9, |m: f64, y| m.max(y.abs()));
                let series = vec![Series::line("error", Role::Result, self.probes.clone(), ys)];
                ViewData::Lines { series, x: ENDS, y: (-1.1 * top, 1.1 * top) }
            }
            _ => ViewData::Empty,
        };
        ready(Ok(data))
    }
}

#[cfg(test)]
#[path = "insr_pde/tests.rs"]
mod tests;
