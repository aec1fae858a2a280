//@ feature: pinn
//! A network that has to transport something over long ways fails: the loss sinks, the error does not. A Lagrangian
//! network moves with the transport. For $u_t + f(u)\,u_x = \nu u_{xx}$ it has two branches in the label $\xi$ and time,
//! the place $X(\xi,t)$ and the value $U(\xi,t)$ of what started at $\xi$:
//!
//! $$X_t = f(U),\qquad U_t = \nu\,u_{xx},\qquad
//! u_{xx} = \frac{1}{X_\xi}\,\partial_\xi\Big(\frac{1}{X_\xi}\,\partial_\xi U\Big).$$
//!
//! Both residuals, and $X = \xi$, $U = u_0$ at the start, are the loss. Space is periodic, and so are all networks, by
//! their inputs $\cos\xi$ and $\sin\xi$. The baseline is the plain network of $x$ and $t$ with as many parameters, points
//! and steps, and with the weight of the initial values that suits it better, 100 instead of 1000; it may have a curriculum
//! too, which raises the speed $c$ from zero during the first half of the training.
//!
//! Be fair: with constant speed the Lagrangian problem is nearly trivial, $X = \xi + ct$ and $U = u_0$. The honest test is
//! Burgers' equation, where characteristics approach each other: watch the smallest $X_\xi$, and lower the viscosity until
//! they cross. Then $X$ is no map any more and the frame breaks down where the solution itself has no more than a shock.
//! At $\nu = 0.05$ nothing is gained: both frames end near 0.12.
//! What is compared is the scattered pairs $(X, U)$, interpolated linearly to the points of the reference: the error of
//! that is inside the figure.
//!
//! Why it works can be seen in the singular values: snapshots of a wave that moves are of high rank at fixed places, and of
//! low rank along its characteristics.
//! The *neurons*, drawn at half of the time, show it too: on labels they carry the wave, at fixed places they hardly depend on the
//! place, as the solution that this network settles on.

use eddy_nets::{
    NetError,
    graph::{Derivatives, Function, Graph, GraphEngine},
    uniform,
};
use eddy_numerics::{
    Complex,
    diffusion::symmetric_eigen,
    space::grid::Periodic,
    systems::spectral_line::SpectralLine,
    time::etdrk::{Etdrk, EtdrkOrder, SplitTerm},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::pinn::{
        self, Descent, Objective, Optimizer, Terms,
        insight::{self, Probes},
        relative_error,
    },
};

choice! { pub enum Frame {
    /// Lagrangian
    Lagrangian = "lagrangian",
    /// fixed places
    Eulerian = "eulerian",
} }

choice! { pub enum Equation {
    /// convection
    Convection = "convection",
    /// viscous Burgers
    Burgers = "burgers",
} }

choice! { pub enum Start {
    /// sine
    Sine = "sine",
    /// Gaussian
    Gaussian = "gaussian",
} }

params! { pub struct Params {
    /// Equation.
    equation: Equation = Equation::Convection => choice().group("problem"),
    /// Speed.
    speed: f64 = 30.0 => range(0.0, 50.0).symbol("c").group("problem").only_when("equation", &["convection"]),
    /// Viscosity.
    viscosity: f64 = 0.05 => log(0.005, 0.5).symbol("\\nu").group("problem").only_when("equation", &["burgers"]),
    /// Initial values.
    start: Start = Start::Sine => choice().symbol("u_0").group("problem"),
    /// Frame of the network.
    frame: Frame = Frame::Lagrangian => choice().group("network"),
    /// Units of a layer of U. The network at fixed places gets as many as make the parameters equal.
    width: u32 = 32 => steps(8, 64).group("network"),
    /// Points inside, drawn anew for every step.
    points: u32 = 1600 => steps(100, 6400).symbol("N").group("training"),
    /// Weight of the initial values.
    start_weight: f64 = 1000.0 => log(1.0, 1e5).symbol("w_0").group("training"),
    /// Weight of the characteristics.
    path_weight: f64 = 10.0 => log(1e-2, 1e3).symbol("w_X").group("training").only_when("frame", &["lagrangian"]),
    /// Raise the speed from zero during the first half of the training.
    curriculum: bool = false => toggle().group("training").only_when("equation", &["convection"]),
    /// Optimizer. L-BFGS after Adam is usual in the literature.
    optimizer: Optimizer = Optimizer::Adam => choice().group("training"),
    /// Training steps.
    steps: u32 = 2000 => steps(100, 20_000).group("training"),
    /// Learning rate of Adam. It falls to a hundredth along half a cosine.
    rate: f64 = 5e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training"),
    /// Seed of the network and of the points.
    seed: u32 = 1 => seed(),
} }

pub struct Lpinn;

const FOLD: Metric = Metric::new(
    "fold",
    Axis::linear("smallest spacing of characteristics", "\\min X_\\xi"),
    Better::Higher,
    "Characteristics cross where it is zero or less. 1 for the network at fixed places.",
);

impl Experiment for Lpinn {
    type Params = Params;
    const TITLE: &'static str = "A network that moves with the flow";
    const SUMMARY: &'static str = "Networks fail at long transport; one along characteristics does not.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 64,
        key: "mojgani2022lagrangian",
        authors: "Mojgani, Rambod; Balajewicz, Maciej; Hassanzadeh, Pedram",
        title: "Lagrangian PINNs: A causality-conforming solution to failure modes of physics-informed neural networks",
        venue: "arXiv preprint",
        year: 2022,
        url: "https://arxiv.org/abs/2205.02902",
    }];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] = &[pinn::ERROR, pinn::LOSS, pinn::SECONDS, FOLD];
    const VIEWS: &'static [ViewSpec] = &[
        view("u", "solution", "u", ColorMap::Viridis),
        view("difference", "error", "|u-u_{ref}|", ColorMap::Cividis),
        ViewSpec::lines("end", "at the end", Axis::linear("place", "x"), Axis::linear("value", "u")),
        ViewSpec::lines("paths", "characteristics", Axis::linear("place", "X"), Axis::linear("time", "t")),
        ViewSpec::curves(
            "rank",
            "singular values of the snapshots",
            Axis::linear("number", "k"),
            Axis::log("singular value over the first", "\\sigma_k/\\sigma_1"),
        ),
        insight::points_spec(Axis::linear("place or label", "x"), Axis::linear("time", "t")),
        insight::SPECTRUM_VIEW,
        insight::KERNEL_VIEW,
        insight::GRADIENTS_VIEW,
        insight::neurons_spec(Axis::linear("place or label", "x")),
    ];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "fixed places", change: "frame=eulerian&start_weight=100" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "Convection: at speed 30, after 2,000 steps, the Lagrangian network has a relative error of at most 0.1, \
                   and the network at fixed places, of as many parameters and points, at least 0.5, with a curriculum, \
                   a higher rate or L-BFGS too; from speed 1 to 50 the Lagrangian network's error grows at most threefold. After 12,000 steps on \
                   400 points its error is at most 0.01 at both speeds that the field measures, 30 and 50.",
        arms: &[
            Arm { name: "Lagrangian", setting: "" },
            Arm { name: "fixed", setting: "frame=eulerian&start_weight=100" },
            Arm { name: "curriculum", setting: "frame=eulerian&start_weight=100&curriculum=true" },
            Arm { name: "fixed, higher rate", setting: "frame=eulerian&start_weight=100&rate=0.02" },
            Arm { name: "fixed, L-BFGS", setting: "frame=eulerian&start_weight=100&optimizer=adam-lbfgs" },
            Arm {
                name: "curriculum, L-BFGS",
                setting: "frame=eulerian&start_weight=100&curriculum=true&optimizer=adam-lbfgs",
            },
            Arm { name: "slow", setting: "speed=1" },
            Arm { name: "fast", setting: "speed=50" },
            Arm { name: "30, trained out", setting: "steps=12000&points=400&width=24" },
            Arm { name: "50, trained out", setting: "steps=12000&points=400&width=24&speed=50" },
        ],
        seeds: &[1],
        tests: &[
            Test {
                label: "error at speed 30, Lagrangian",
                measure: |m| m.mean("Lagrangian", "error"),
                bound: Bound::AtMost(0.1),
                unit: "",
            },
            Test {
                label: "error at speed 30, fixed places",
                measure: |m| m.best(FIXED, "error"),
                bound: Bound::AtLeast(0.5),
                unit: "",
            },
            Test {
                label: "error at speed 50 over that at speed 1",
                measure: |m| m.mean("fast", "error") / m.mean("slow", "error"),
                bound: Bound::AtMost(3.0),
                unit: "×",
            },
            Test {
                label: "error at speeds 30 and 50, trained out",
                // A NaN in either stays one.
                measure: |m| {
                    let [a, b] = ["30, trained out", "50, trained out"].map(|arm| m.mean(arm, "error"));
                    if a > b || a.is_nan() { a } else { b }
                },
                bound: Bound::AtMost(0.01),
                unit: "",
            },
        ],
        counter: Counter {
            why: "At speed 1 nothing is transported far: the network at fixed places learns it.",
            arms: FIXED,
            change: "speed=1",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let method = p.optimizer.method(p.rate, p.steps);
        let descent = Descent { method, steps: u64::from(p.steps), seed: p.seed, record_every: 50 };
        pinn::start_descent(Transport::new(p).map_err(pinn::refused)?, descent, context)
    }
}

/// The network at fixed places, trained in every way.
const FIXED: &[&str] = &["fixed", "curriculum", "fixed, higher rate", "fixed, L-BFGS", "curriculum, L-BFGS"];

const fn view(key: &'static str, label: &'static str, symbol: &'static str, colors: ColorMap) -> ViewSpec {
    ViewSpec::field(
        key,
        label,
        Axis::linear("place", "x"),
        Axis::linear("time", "t"),
        Axis::linear(label, symbol),
        colors,
    )
}

const LENGTH: f64 = std::f64::consts::TAU;
const END: f64 = 1.0;
/// Places and moments at which solution and reference are compared.
const PLACES: usize = 128;
const MOMENTS: usize = 51;
/// Labels whose places and values are interpolated.
const LABELS: usize = 256;
/// Points at the start.
const STARTS: usize = 64;
/// Points of the reference of Burgers' equation: a shock of width 2ν at ν = 0.005 has some.
const FINE: usize = 1024;
/// Its steps: ETDRK4 at a Courant number of 1/6 is far below any error that is shown.
const FINE_STEPS: usize = 1000;

#[derive(Clone, Copy)]
struct Law {
    equation: Equation,
    speed: f64,
    viscosity: f64,
    start: Start,
}

/// What a Lagrangian network has at a point: U, U_ξ, U_ξξ, U_t, X_ξ, X_ξξ, X_t.
#[derive(Clone, Copy)]
struct Carried {
    u: [f64; 4],
    x: [f64; 3],
}

impl Law {
    fn initial(self, x: f64) -> f64 {
        match self.start {
            Start::Sine => x.sin(),
            // Half a unit wide: at the seam it is below 1e-8.
            Start::Gaussian => (-2.0 * (x - 0.5 * LENGTH).powi(2)).exp(),
        }
    }

    /// f(u) and f'(u).
    fn flux(self, u: f64) -> (f64, f64) {
        match self.equation {
            Equation::Convection => (self.speed, 0.0),
            Equation::Burgers => (u, 1.0),
        }
    }

    fn diffusion(self) -> f64 {
        if self.equation == Equation::Burgers { self.viscosity } else { 0.0 }
    }

    /// X_t - f(U) and U_t - ν u_xx.
    fn carried(self, c: Carried) -> [f64; 2] {
        let ([u, u1, u2, ut], [j, k, xt]) = (c.u, c.x);
        [xt - self.flux(u).0, ut - self.diffusion() * (u2 / (j * j) - u1 * k / (j * j * j))]
    }

    /// Derivative of a·(first residual) + b·(second) by what it is made of.
    fn carried_back(self, c: Carried, [a, b]: [f64; 2]) -> Carried {
        let ([u, u1, u2, _], [j, k, _]) = (c.u, c.x);
        let nu = b * self.diffusion();
        let j3 = j * j * j;
        Carried {
            u: [-a * self.flux(u).1, nu * k / j3, -nu / (j * j), b],
            x: [nu * (2.0 * u2 / j3 - 3.0 * u1 * k / (j3 * j)), nu * u1 / j3, a],
        }
    }

    /// u_t + f(u) u_x - ν u_xx of (u, u_x, u_xx, u_t).
    fn fixed(self, [u, u1, u2, ut]: [f64; 4]) -> f64 {
        ut + self.flux(u).0 * u1 - self.diffusion() * u2
    }

    fn fixed_back(self, [u, u1, ..]: [f64; 4], a: f64) -> [f64; 4] {
        let (f, slope) = self.flux(u);
        [a * slope * u1, a * f, -a * self.diffusion(), a]
    }

    /// The solution at the places of all moments, moment by moment.
    fn reference(self) -> Vec<f64> {
        let place = |i: usize| LENGTH * i as f64 / PLACES as f64;
        let moment = |n: usize| END * n as f64 / (MOMENTS - 1) as f64;
        if self.equation == Equation::Convection {
            let at = |n: usize, i: usize| self.initial((place(i) - self.speed * moment(n)).rem_euclid(LENGTH));
            return (0..MOMENTS).flat_map(|n| (0..PLACES).map(move |i| at(n, i))).collect();
        }
        let grid = Periodic::new(FINE, LENGTH);
        let mut term = SpectralLine::<f64>::burgers(grid, self.viscosity);
        let mut stepper = Etdrk::new(EtdrkOrder::Four, &term.symbol(), END / FINE_STEPS as f64);
        let mut u: Vec<f64> = grid.xs().iter().map(|x| self.initial(*x)).collect();
        let mut u_hat = vec![Complex::default(); grid.half_modes()];
        term.transform(&u, &mut u_hat);
        let mut all = Vec::with_capacity(PLACES * MOMENTS);
        for n in 0..=FINE_STEPS {
            if n.is_multiple_of(FINE_STEPS / (MOMENTS - 1)) {
                term.field(&u_hat, &mut u);
                all.extend(u.iter().step_by(FINE / PLACES));
            }
            stepper.step(&mut term, 0.0, &mut u_hat);
        }
        all
    }
}

struct Transport {
    graph: Graph,
    engine: GraphEngine<f64>,
    value_engine: GraphEngine<f64>,
    /// Value, first and second derivative along the label (or place), first in time.
    at: [usize; 4],
    law: Law,
    frame: Frame,
    weights: [f64; 2],
    /// Steps over which the speed rises; 0 for none.
    rise: u64,
    /// Speed of the present step over the full one.
    factor: f64,
    seed: u64,
    points: Vec<f64>,
    starts: Vec<f64>,
    /// (label or place, time) where the solution is measured, moment by moment.
    grid: Vec<f64>,
    reference: Vec<f64>,
    /// Parameters at the last measurement; the views are drawn from them.
    parameters: Vec<f64>,
    solution: Vec<f64>,
    /// U and X - ξ at the labels of all moments.
    carried: Vec<[f64; 2]>,
    fold: f64,
}

/// Hidden layers of U, of X and of the network at fixed places.
const DEPTHS: [usize; 3] = [3, 2, 3];

/// Parameters of a dense network on three inputs.
fn count(width: usize, depth: usize) -> usize {
    4 * width + (depth - 1) * (width + 1) * width + width + 1
}

impl Transport {
    fn new(p: &Params) -> Result<Self, NetError> {
        let mut graph = Graph::new(2);
        let (circle, all) = (graph.periodic(0, LENGTH, 1), graph.coordinates());
        let time = graph.pick(all, 1, 2.0 / END, -1.0);
        let inputs = graph.join(circle, time);
        let width = p.width as usize;
        let lagrangian = p.frame == Frame::Lagrangian;
        if lagrangian {
            let u = graph.mlp(inputs, &vec![width; DEPTHS[0]], 1, Function::Tanh);
            let x = graph.mlp(inputs, &vec![width; DEPTHS[1]], 1, Function::Tanh);
            graph.join(u, x);
        } else {
            let same = count(width, DEPTHS[0]) + count(width, DEPTHS[1]);
            let wide = (width..).take_while(|wide| count(*wide, DEPTHS[2]) <= same).last().unwrap_or(width);
            graph.mlp(inputs, &vec![wide; DEPTHS[2]], 1, Function::Tanh);
        }
        let set = Derivatives::new(2, &[&[2, 0], &[0, 1]])?;
        let component = |orders: [usize; 2]| set.component(&orders).unwrap_or(0);
        let law = Law { equation: p.equation, speed: p.speed, viscosity: p.viscosity, start: p.start };
        let across = if lagrangian { LABELS } else { PLACES };
        let grid = (0..MOMENTS * across)
            .flat_map(|k| {
                [LENGTH * (k % across) as f64 / across as f64, END * (k / across) as f64 / (MOMENTS - 1) as f64]
            })
            .collect();
        Ok(Self {
            engine: GraphEngine::new(&graph, &set)?,
            value_engine: GraphEngine::new(&graph, &Derivatives::new(2, &[])?)?,
            at: [[0, 0], [1, 0], [2, 0], [0, 1]].map(component),
            law,
            frame: p.frame,
            weights: [p.path_weight, p.start_weight],
            rise: if p.curriculum && p.equation == Equation::Convection { u64::from(p.steps) / 2 } else { 0 },
            factor: 1.0,
            seed: u64::from(p.seed) << 32,
            points: vec![0.0; 2 * p.points as usize],
            starts: vec![0.0; 2 * STARTS],
            grid,
            reference: law.reference(),
            parameters: Vec::new(),
            solution: vec![0.0; PLACES * MOMENTS],
            carried: Vec::new(),
            fold: 1.0,
            graph,
        })
    }

    /// The law with the speed of the present step.
    fn present(&self) -> Law {
        Law { speed: self.factor * self.law.speed, ..self.law }
    }

    fn field(data: Vec<f32>, range: (f64, f64)) -> ViewData {
        ViewData::Field { nx: PLACES, ny: MOMENTS, data, x: (0.0, LENGTH), y: (0.0, END), range }
    }

    fn range(&self) -> (f64, f64) {
        self.reference.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), u| (l.min(*u), h.max(*u)))
    }
}

/// Values at equidistant places from scattered pairs (place, value), linear between neighbours around the circle.
fn interpolate(pairs: &mut [(f64, f64)], out: &mut [f64]) {
    pairs.iter_mut().for_each(|(x, _)| *x = x.rem_euclid(LENGTH));
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = pairs.len();
    let mut above = 0;
    let places = out.len();
    for (i, value) in out.iter_mut().enumerate() {
        let x = LENGTH * i as f64 / places as f64;
        while above < n && pairs[above].0 < x {
            above += 1;
        }
        let (low, high) = (pairs[(above + n - 1) % n], pairs[above % n]);
        let gap = (high.0 - low.0).rem_euclid(LENGTH);
        let part = if gap > 0.0 { (x - low.0).rem_euclid(LENGTH) / gap } else { 0.0 };
        *value = low.1 + part * (high.1 - low.1);
    }
}

/// Singular values over the first of a matrix of rows: roots of the eigenvalues of rows times rows, so good to 1e-8.
fn singular_values(rows: &[&[f64]]) -> Vec<f64> {
    let n = rows.len();
    let gram: Vec<f64> =
        (0..n * n).map(|k| rows[k / n].iter().zip(rows[k % n]).map(|(a, b)| a * b).sum::<f64>()).collect();
    let (mut values, _) = symmetric_eigen(&gram, n);
    values.sort_by(|a, b| b.total_cmp(a));
    let first = values.first().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
    values.iter().map(|v| (v.max(0.0) / first).sqrt().max(1e-8)).collect()
}

impl Objective for Transport {
    fn graph(&self) -> &Graph {
        &self.graph
    }
    fn extras(&self) -> &'static [Metric] {
        &[FOLD]
    }
    fn points(&self) -> usize {
        (self.points.len() + self.starts.len()) / 2
    }

    fn draw(&mut self, step: u64) {
        let numbers = (self.points.len() + STARTS) as u64;
        let draw = |k: usize| uniform(self.seed, numbers * step + k as u64);
        let inside = self.points.len();
        for (k, point) in self.points.chunks_exact_mut(2).enumerate() {
            point[0] = LENGTH * draw(2 * k);
            point[1] = END * draw(2 * k + 1);
        }
        for (k, point) in self.starts.chunks_exact_mut(2).enumerate() {
            // One in each of as many cells.
            point[0] = LENGTH * (k as f64 + draw(inside + k)) / STARTS as f64;
            point[1] = 0.0;
        }
        self.factor = if self.rise == 0 { 1.0 } else { (step as f64 / self.rise as f64).min(1.0) };
    }

    fn gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.terms(parameters, &mut Terms::sum(gradient))
    }

    fn terms(&mut self, parameters: &[f64], terms: &mut Terms<'_>) -> f64 {
        let (at, law, frame, [path_weight, start_weight]) = (self.at, self.present(), self.frame, self.weights);
        let scale = 2.0 / self.points.len() as f64;
        let inside = terms.add("residual", &mut self.engine, parameters, &self.points, &mut |tile| {
            let mut loss = 0.0;
            for i in 0..tile.len {
                let u = at.map(|c| tile.jet(0, c)[i]);
                if frame == Frame::Eulerian {
                    let r = law.fixed(u);
                    loss += scale * r * r;
                    for (c, value) in at.into_iter().zip(law.fixed_back(u, 2.0 * scale * r)) {
                        tile.adjoint(0, c)[i] = value;
                    }
                    continue;
                }
                let x = [1.0 + tile.jet(1, at[1])[i], tile.jet(1, at[2])[i], tile.jet(1, at[3])[i]];
                let carried = Carried { u, x };
                let r = law.carried(carried);
                loss += scale * (path_weight * r[0] * r[0] + r[1] * r[1]);
                let back = law.carried_back(carried, [2.0 * scale * path_weight * r[0], 2.0 * scale * r[1]]);
                for (c, value) in at.into_iter().zip(back.u) {
                    tile.adjoint(0, c)[i] = value;
                }
                for (c, value) in at[1..].iter().zip(back.x) {
                    tile.adjoint(1, *c)[i] = value;
                }
            }
            loss
        });
        let scale = start_weight / STARTS as f64;
        let start = terms.add("start", &mut self.value_engine, parameters, &self.starts, &mut |tile| {
            let mut loss = 0.0;
            for i in 0..tile.len {
                let e = tile.jet(0, 0)[i] - law.initial(tile.input(0)[i]);
                loss += scale * e * e;
                tile.adjoint(0, 0)[i] = 2.0 * scale * e;
                if frame == Frame::Lagrangian {
                    let d = tile.jet(1, 0)[i];
                    loss += scale * d * d;
                    tile.adjoint(1, 0)[i] = 2.0 * scale * d;
                }
            }
            loss
        });
        inside + start
    }

    /// The neurons are those of U, at labels on characteristics, or at places.
    fn probes(&self) -> Option<Probes> {
        let per_moment = self.grid.len() / MOMENTS;
        Some(Probes {
            own: self.solution.clone(),
            reference: self.reference.clone(),
            per_line: PLACES,
            is_periodic: true,
            line: self.grid[per_moment * (MOMENTS / 2)..][..per_moment].to_vec(),
            along: (0.0, LENGTH),
        })
    }

    fn domain(&self) -> Vec<(f64, f64)> {
        vec![(0.0, LENGTH), (0.0, END)]
    }

    fn measure(&mut self, parameters: &[f64]) -> Vec<f64> {
        self.parameters.clear();
        self.parameters.extend_from_slice(parameters);
        let Self { value_engine, grid, solution, carried, frame, .. } = self;
        if *frame == Frame::Eulerian {
            value_engine.evaluate(parameters, grid, |tile| {
                solution[tile.start..tile.start + tile.len].copy_from_slice(&tile.jet(0, 0)[..tile.len]);
            });
            return vec![relative_error(&self.solution, &self.reference), 1.0];
        }
        carried.resize(LABELS * MOMENTS, [0.0; 2]);
        value_engine.evaluate(parameters, grid, |tile| {
            for i in 0..tile.len {
                carried[tile.start + i] = [tile.jet(0, 0)[i], tile.jet(1, 0)[i]];
            }
        });
        let label = |k: usize| LENGTH * k as f64 / LABELS as f64;
        let mut pairs = Vec::with_capacity(LABELS);
        self.fold = f64::INFINITY;
        for (row, out) in carried.chunks_exact(LABELS).zip(solution.chunks_exact_mut(PLACES)) {
            for (k, [_, shift]) in row.iter().enumerate() {
                let next = row[(k + 1) % LABELS][1];
                self.fold = self.fold.min(1.0 + (next - shift) / label(1));
            }
            pairs.clear();
            pairs.extend(row.iter().enumerate().map(|(k, [u, shift])| (label(k) + shift, *u)));
            interpolate(&mut pairs, out);
        }
        vec![relative_error(&self.solution, &self.reference), self.fold]
    }

    fn view(&mut self, key: &str) -> ViewData {
        let moment = |n: usize| END * n as f64 / (MOMENTS - 1) as f64;
        match key {
            "u" => Self::field(self.solution.iter().map(|u| *u as f32).collect(), self.range()),
            "difference" => {
                let pairs = self.solution.iter().zip(&self.reference);
                let data: Vec<f32> = pairs.map(|(n, e)| (n - e).abs() as f32).collect();
                let top = data.iter().fold(1e-9, |m: f32, d| m.max(*d));
                Self::field(data, (0.0, f64::from(top)))
            }
            "end" => {
                let xs: Vec<f64> = (0..PLACES).map(|i| LENGTH * i as f64 / PLACES as f64).collect();
                let last = (MOMENTS - 1) * PLACES;
                let (low, high) = self.range();
                let margin = 0.1 * (high - low);
                let series = vec![
                    Series::line("reference", Role::Reference, xs.clone(), self.reference[last..].to_vec()),
                    Series::line("network", Role::Result, xs, self.solution[last..].to_vec()),
                ];
                ViewData::Lines { series, x: (0.0, LENGTH), y: (low - margin, high + margin) }
            }
            // Without labels there are no characteristics of the network to draw.
            "paths" if self.frame == Frame::Lagrangian => {
                const DRAWN: usize = 17;
                let (mut series, mut low, mut high) = (Vec::new(), 0.0f64, LENGTH);
                for line in 0..DRAWN {
                    let k = line * (LABELS - 1) / (DRAWN - 1);
                    let label = LENGTH * k as f64 / LABELS as f64;
                    let xs: Vec<f64> = (0..MOMENTS).map(|n| label + self.carried[n * LABELS + k][1]).collect();
                    (low, high) = xs.iter().fold((low, high), |(l, h), x| (l.min(*x), h.max(*x)));
                    series.push(Series::line(
                        format!("ξ = {label:.2}"),
                        Role::Result,
                        xs,
                        (0..MOMENTS).map(moment).collect(),
                    ));
                }
                ViewData::Lines { series, x: (low, high), y: (0.0, END) }
            }
            "rank" => {
                let numbers = || (1..=MOMENTS).map(|k| k as f64).collect::<Vec<_>>();
                let rows: Vec<&[f64]> = self.reference.chunks_exact(PLACES).collect();
                let mut series =
                    vec![Series::line("at fixed places", Role::Reference, numbers(), singular_values(&rows))];
                if self.frame == Frame::Lagrangian {
                    let u: Vec<f64> = self.carried.iter().map(|[u, _]| *u).collect();
                    let rows: Vec<&[f64]> = u.chunks_exact(LABELS).collect();
                    series.push(Series::line("along characteristics", Role::Result, numbers(), singular_values(&rows)));
                }
                ViewData::Lines { series, x: (1.0, MOMENTS as f64), y: (1e-8, 1.0) }
            }
            _ => ViewData::Empty,
        }
    }
}

#[cfg(test)]
#[path = "lpinn/tests.rs"]
mod tests;
