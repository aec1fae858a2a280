//@ feature: equations
//! Someone types an equation. The page could walk the typed tree at every point of the grid, as a calculator would. Or it could
//! first look at what was typed:
//!
//! $$u_t = a - (b+1)\,u + u^2 v + D_u \Delta u, \qquad v_t = b\,u - u^2 v + D_v \Delta v$$
//!
//! Equal parts become one node (hash-consing), sums and products become dictionaries in which like terms meet, and an
//! e-graph holds all forms that some forty algebraic rules can reach, of which the cheapest is taken out. What is left becomes
//! straight-line code that runs on blocks of points. All forms give the same numbers up to rounding: other orders of summation
//! round otherwise, which the difference shows; without the e-graph the code computes what was typed.
//!
//! The second object is a network of twenty species that react at random, $\dot c_i = \sum_r \nu_{ir} k_r \prod c$. Its code is
//! taken through the same forms, and its Jacobian is coloured: columns of one colour never meet in a row, so one
//! difference gives them all.
//!
//! What to look for: an e-graph that is given a long sum whole is full before its factors meet, so sums go in by parts that have a
//! factor in common. Hash-consing alone saves more than that on the network, because each flux stands in several equations; and what
//! is factored out of one equation is no longer shared with the others. Both counts are shown. Try: your own equations; the tree as
//! the way to run; few reactions; hubs.

#[path = "symbolics_jl/forms.rs"]
mod forms;
#[path = "symbolics_jl/network.rs"]
mod network;
#[path = "symbolics_jl/rates.rs"]
mod rates;

use std::any::Any;

use eddy_numerics::rng::{Philox, Stream};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};
use web_time::Instant;

use self::network::{Network, SPECIES};
use self::rates::{Form, Rates};
use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Way {
    /// walk the tree
    Tree = "tree",
    /// walk the distinct nodes
    Walk = "nodes",
    /// code on blocks
    Kernel = "code",
} }

params! { pub struct Params {
    /// Equations. In u, v, …; x, y, t; your own parameters; dx, dy, lap, …
    equations: String = DEFAULT.to_owned() => expression(400).group("equations"),
    /// Start. One number for each field; five percent of noise are added.
    start: String = "4.5, 1.6".to_owned() => expression(120).group("equations"),
    /// Way to run.
    way: Way = Way::Kernel => choice().group("method"),
    /// E-graph. Off: the code computes what was typed.
    egraph: bool = true => toggle().group("method"),
    /// Reactions. Among twenty species.
    reactions: u32 = 60 => steps(5, 120).group("network"),
    /// Hubs. 1: all species react equally often; above, few of them take part in most reactions, as in a cell.
    hubs: f64 = 1.0 => range(1.0, 4.0).group("network"),
    /// Points along a side.
    points: u32 = 96 => steps(16, 256).by(16.0).symbol("N").group("grid"),
    /// Length of a side.
    length: f64 = 96.0 => log(1.0, 500.0).symbol("L").group("grid"),
    /// Length of a step.
    dt: f64 = 0.015 => log(1e-5, 0.5).symbol("\\Delta t").live().group("grid"),
    /// End. The run stops at this time.
    end: f64 = 60.0 => log(0.1, 1000.0).symbol("T").live().group("grid"),
    /// Seed.
    seed: u32 = 1 => seed().group("network"),
} }

const DEFAULT: &str = "u_t = a - (b + 1)*u + u^2*v + Du*lap(u); v_t = b*u - u^2*v + Dv*lap(v); \
                       a = 4.5; b = 7.5; Du = 2; Dv = 16";

pub struct SymbolicsJl;

const PAPER: Citation = Citation {
    number: 18,
    key: "gowda2021symbolics",
    authors: "Gowda, S. and Ma, Y. and Cheli, A. and Gwozdz, M. and Shah, V. B. and Edelman, A. and Rackauckas, C.",
    title: "High-performance symbolic-numerics via multiple dispatch",
    venue: "ACM Communications in Computer Algebra 55(3)",
    year: 2021,
    url: "https://arxiv.org/abs/2105.03949",
};

impl Experiment for SymbolicsJl {
    type Params = Params;
    const TITLE: &'static str = "From typed equations to fast code";
    const SUMMARY: &'static str =
        "A typed reaction and its diffusion: walked as a tree, or rewritten, compiled and run.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[PAPER];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "speedup",
            Axis::log("tree / code", "\\times"),
            Better::Higher,
            "Time of one evaluation of all rates by walking the typed tree, over that of the code; the best of five \
             measurements each.",
        ),
        Metric::new(
            "difference",
            Axis::log("tree against code", "\\max|\\Delta|/\\max|r|"),
            Better::Lower,
            "Largest difference so far between the rates by the tree and by the code, over the largest rate of the field so far, and \
             between the typed and the extracted rates of the network. 1e-17 stands for none.",
        ),
        Metric::new(
            "network_saving",
            Axis::linear("saving on the network", "1 - c_{egraph}/c_{typed}"),
            Better::Higher,
            "Modelled cost of the twenty equations as typed and after the e-graph, each as code without shared parts.",
        ),
        Metric::new(
            "shared_saving",
            Axis::linear("saving on shared code", "1 - c_{egraph}/c_{consed}"),
            Better::Higher,
            "The same for code in which equal parts are computed once: what the e-graph adds to hash-consing.",
        ),
        Metric::new(
            "consing_saving",
            Axis::linear("saving by hash-consing", "1 - c_{consed}/c_{typed}"),
            Better::Higher,
            "Modelled cost of the twenty equations that hash-consing alone saves.",
        ),
        Metric::new(
            "colours",
            Axis::linear("colours of the Jacobian", "n"),
            Better::Lower,
            "Differences that give all of the network's Jacobian, of twenty columns.",
        ),
        Metric::new(
            "jacobian_error",
            Axis::log("error of the coloured Jacobian", "\\max|\\Delta|"),
            Better::Lower,
            "Largest difference between the Jacobian from one central difference per colour and the symbolic one.",
        ),
        Metric::new(
            "tree_nodes",
            Axis::log("nodes of the tree", "n"),
            Better::Lower,
            "Operations, numbers and values that a walk of the typed tree visits at each point.",
        ),
        Metric::new("distinct_nodes", Axis::log("distinct nodes", "n"), Better::Lower, "The same after hash-consing."),
        Metric::new(
            "nanoseconds",
            Axis::log("time of a point, code", "t").unit("ns"),
            Better::Lower,
            "Time of the code for all rates at one point.",
        ),
        Metric::new(
            "tree_nanoseconds",
            Axis::log("time of a point, tree", "t").unit("ns"),
            Better::Lower,
            "The same by walking the tree.",
        ),
        Metric::new(
            "nodes_nanoseconds",
            Axis::log("time of a point, distinct nodes", "t").unit("ns"),
            Better::Lower,
            "The same by one pass over the distinct nodes, a point at a time.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "field",
            "first field",
            Axis::linear("position", "x"),
            Axis::linear("position", "y"),
            Axis::linear("value", "u"),
            ColorMap::Viridis,
        ),
        ViewSpec::points(
            "graph",
            "expression",
            Axis::linear("place", ""),
            Axis::linear("depth", "d"),
            Axis::linear("cost", "c"),
            ColorMap::Cividis,
        ),
        ViewSpec::field(
            "jacobian",
            "Jacobian of the network",
            Axis::linear("species", "j"),
            Axis::linear("rate", "i"),
            Axis::linear("colour", ""),
            ColorMap::Viridis,
        ),
        ViewSpec::curves(
            "cost",
            "modelled cost",
            Axis::linear("typed, distinct, dictionaries, e-graph", ""),
            Axis::log("additions", "c"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "walking the tree", change: "way=tree" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "For the typed Brusselator in the plane the code is at least five times as fast as walking the tree, with \
                   rates that differ by less than 1e-12 of the largest, and the e-graph takes at least 20 % off the modelled \
                   cost of the typed equations of a network of twenty species.",
        arms: &[Arm { name: "typed", setting: "end=1.5" }],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "speed, tree / code",
                measure: |m| m.min("typed", "speedup"),
                bound: Bound::AtLeast(5.0),
                unit: "×",
            },
            Test {
                label: "difference of the rates",
                measure: |m| m.max("typed", "difference"),
                bound: Bound::AtMost(1e-12),
                unit: "",
            },
            Test {
                label: "saving on the network",
                measure: |m| m.min("typed", "network_saving"),
                bound: Bound::AtLeast(0.2),
                unit: "",
            },
        ],
        counter: Counter {
            why: "With fewer reactions than species hardly any equation has two terms with a common factor: nothing is left \
                  to save.",
            arms: &[],
            change: "reactions=10",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _: &Context) -> Result<Box<dyn Run>, EddyError> {
        // In f64 always: the forms are compared to its last digits.
        Ok(Box::new(SystemRun::new(p)?))
    }
}

/// The fields at the start: constants with five percent of noise.
fn initial(p: &Params, fields: usize) -> Result<Vec<Vec<f64>>, EddyError> {
    let values: Vec<f64> = p.start.split(',').map_while(|t| t.trim().parse().ok()).collect();
    if values.len() != fields || values.iter().any(|v: &f64| !v.is_finite()) || p.start.split(',').count() != fields {
        let message =
            format!("The start takes {fields} numbers, one for each field, with commas between, such as {}.", {
                vec!["1.5"; fields].join(", ")
            });
        return Err(EddyError::start(message).at("start"));
    }
    let random = Philox::new(p.seed);
    let n = p.points as usize;
    let noisy = |f: usize, k: usize| {
        let u = random.uniforms(Stream::Prior, f as u32, (k / 4) as u32, 0)[k % 4];
        values[f] + 0.1 * (u - 0.5) * if values[f] == 0.0 { 1.0 } else { values[f] }
    };
    Ok((0..fields).map(|f| (0..n * n).map(|k| noisy(f, k)).collect()).collect())
}

/// First the forms are timed, then the system runs by one of them.
struct SystemRun {
    params: Params,
    rates: Rates,
    network: Network,
    fields: Vec<Vec<f64>>,
    /// Stage values, and the four slopes of Runge-Kutta 4.
    stage: Vec<Vec<f64>>,
    slopes: [Vec<Vec<f64>>; 4],
    /// Seconds of one evaluation: tree, distinct nodes, code as typed, code.
    seconds: Option<[f64; 4]>,
    difference: f64,
    /// Largest rate of each field so far: towards a steady state rates vanish, the rounding of their terms does not.
    scale: Vec<f64>,
    t: f64,
    steps: u64,
    record: Record,
    outcome: Outcome,
}

const FORMS: [Form; 4] = [Form::Tree, Form::Walk, Form::Typed, Form::Kernel];

impl SystemRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let refused = |message: String| EddyError::start(message).at("equations");
        let rates = Rates::new(&p.equations, p.points as usize, p.length).map_err(refused)?;
        let fields = initial(p, rates.names.len())?;
        let empty = || vec![vec![0.0; fields[0].len()]; fields.len()];
        let mut run = Self {
            network: Network::new(p.reactions as usize, p.hubs, p.seed),
            stage: empty(),
            slopes: [empty(), empty(), empty(), empty()],
            scale: vec![1e-300; fields.len()],
            params: p.clone(),
            rates,
            fields,
            seconds: None,
            difference: f64::NAN,
            t: 0.0,
            steps: 0,
            record: Record::of(SymbolicsJl::METRICS),
            outcome: Outcome::Running,
        };
        run.write_record();
        Ok(run)
    }

    /// The code that this run calls code.
    fn code(&self) -> Form {
        if self.params.egraph { Form::Kernel } else { Form::Typed }
    }

    fn form(&self) -> Form {
        match self.params.way {
            Way::Tree => Form::Tree,
            Way::Walk => Form::Walk,
            Way::Kernel => self.code(),
        }
    }

    /// Times every form on the present fields, in turn, so that all see the same machine.
    fn time_forms(&mut self) {
        self.rates.load(&self.fields);
        let mut best = [f64::INFINITY; 4];
        for _ in 0..5 {
            for (form, best) in FORMS.iter().zip(&mut best) {
                let started = Instant::now();
                let mut rounds = 0.0;
                // A browser's clock is coarse.
                while started.elapsed().as_secs_f64() < 4e-3 {
                    self.rates.evaluate(*form, self.t, &mut self.slopes[0]);
                    rounds += 1.0;
                }
                *best = best.min(started.elapsed().as_secs_f64() / rounds);
            }
        }
        self.seconds = Some(best);
    }

    /// Tree against code on the present fields.
    fn compare(&mut self) {
        self.rates.load(&self.fields);
        let code = self.code();
        let (a, rest) = self.slopes.split_at_mut(1);
        self.rates.evaluate(Form::Tree, self.t, &mut a[0]);
        self.rates.evaluate(code, self.t, &mut rest[0]);
        for ((a, b), scale) in a[0].iter().zip(&rest[0]).zip(&mut self.scale) {
            *scale = a.iter().fold(*scale, |m, v| m.max(v.abs()));
            let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / *scale;
            self.difference = self.difference.max(worst.max(1e-17));
        }
    }

    /// Runge-Kutta 4. Returns whether all is finite.
    fn step(&mut self) -> bool {
        let (dt, form) = (self.params.dt, self.form());
        for (k, share) in [0.0, 0.5, 0.5, 1.0].into_iter().enumerate() {
            if k == 0 {
                self.rates.load(&self.fields);
            } else {
                for ((stage, field), slope) in self.stage.iter_mut().zip(&self.fields).zip(&self.slopes[k - 1]) {
                    for ((s, f), r) in stage.iter_mut().zip(field).zip(slope) {
                        *s = f + share * dt * r;
                    }
                }
                self.rates.load(&self.stage);
            }
            self.rates.evaluate(form, self.t + share * dt, &mut self.slopes[k]);
        }
        let [a, b, c, d] = &self.slopes;
        let mut is_finite = true;
        for (f, stage) in self.stage.iter_mut().enumerate() {
            for (i, s) in stage.iter_mut().enumerate() {
                *s = self.fields[f][i] + dt / 6.0 * (a[f][i] + 2.0 * (b[f][i] + c[f][i]) + d[f][i]);
                is_finite &= s.abs() < 1e12;
            }
        }
        if is_finite {
            std::mem::swap(&mut self.fields, &mut self.stage);
            self.t += dt;
            self.steps += 1;
        }
        is_finite
    }

    fn write_record(&mut self) {
        let n = self.network.outcome.as_ref();
        let of = |f: fn(&network::Outcome) -> f64| n.map_or(f64::NAN, f);
        let cells = (self.params.points * self.params.points) as f64;
        let code = if self.params.egraph { 3 } else { 2 };
        let time = |form: usize| self.seconds.map_or(f64::NAN, |s| 1e9 * s[form] / cells);
        let row = [
            time(0) / time(code),
            larger(self.difference, of(|n| n.difference)),
            of(|n| 1.0 - n.extracted / n.typed),
            of(|n| 1.0 - n.extracted_consed / n.consed),
            of(|n| 1.0 - n.consed / n.typed),
            of(|n| n.colours.into()),
            of(|n| n.jacobian_error),
            self.rates.costs.tree_nodes as f64,
            self.rates.costs.consed_nodes as f64,
            time(code),
            time(0),
            time(1),
        ];
        self.record.push(self.t, &row);
    }

    fn graph_view(&self) -> ViewData {
        let (nodes, edges) = self.rates.drawing();
        let place = |i: usize| [nodes[i][1] as f32, nodes[i][0] as f32];
        let deepest = nodes.iter().map(|n| n[0]).fold(1.0, f64::max);
        ViewData::Points {
            positions: (0..nodes.len()).flat_map(place).collect(),
            values: nodes.iter().map(|n| n[2] as f32).collect(),
            range: (0.0, 4.0),
            trails: edges.iter().flat_map(|(a, b)| [place(*a), place(*b)]).flatten().collect(),
            trail_len: 2,
            backdrop: None,
            x: (0.0, 1.0),
            y: (-0.5, deepest + 0.5),
        }
    }

    fn field_view(&self) -> ViewData {
        let (low, high) =
            self.fields[0].iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        let range = if high - low > 1e-12 * high.abs() { (low, high) } else { (low - 0.5, high + 0.5) };
        let n = self.params.points as usize;
        let data = self.fields[0].iter().map(|v| *v as f32).collect();
        ViewData::Field { nx: n, ny: n, data, x: (0.0, self.params.length), y: (0.0, self.params.length), range }
    }
}

/// The larger; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// Four stages as a curve with dots.
fn stages(name: &str, role: Role, values: [f64; 4]) -> Series {
    Series::dotted(name, role, vec![1.0, 2.0, 3.0, 4.0], values.to_vec())
}

fn stage_view(series: Vec<Series>) -> ViewData {
    let all = || series.iter().flat_map(|s| &s.ys).copied().filter(|v| *v > 0.0);
    let y = (0.7 * all().fold(1e9, f64::min), 1.4 * all().fold(1e-9, f64::max));
    ViewData::Lines { series, x: (0.8, 4.2), y }
}

impl Run for SystemRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            // Work before the first step, in slices: one equation at a time.
            if self.network.outcome.is_none() {
                self.network.advance();
                if clock.tick(0) {
                    continue;
                }
                break;
            }
            if self.seconds.is_none() {
                self.time_forms();
                self.compare();
                self.write_record();
            }
            if !self.step() {
                self.outcome = Outcome::Diverged {
                    step: self.steps,
                    cause: "The fields grew beyond 1e12.".to_owned(),
                    advice: "Take a shorter step: the diffusion limit of Runge-Kutta 4 is 0.35 dx²/D.".to_owned(),
                    repair: Some(("dt".to_owned(), format!("{}", (0.25 * self.params.dt).max(1e-5)))),
                };
                break;
            }
            let is_over = self.t >= self.params.end * (1.0 - 1e-9);
            if self.steps.is_multiple_of(50) || is_over {
                self.compare();
                self.write_record();
            }
            if is_over {
                self.outcome = Outcome::Finished;
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
            position: self.t,
            fraction: (self.t / self.params.end).min(1.0),
            work: self.steps as f64 * 4.0 * f64::from(self.params.points * self.params.points),
            work_unit: "points",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F64)
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let data = match key {
            "field" => self.field_view(),
            "graph" => self.graph_view(),
            "jacobian" => self.network.outcome.as_ref().map_or(ViewData::Empty, |n| ViewData::Field {
                nx: SPECIES,
                ny: SPECIES,
                data: n.jacobian.iter().map(|c| f32::from(*c)).collect(),
                x: (0.0, SPECIES as f64),
                y: (0.0, SPECIES as f64),
                range: (0.0, f64::from(n.colours.max(1))),
            }),
            "cost" => {
                let c = &self.rates.costs;
                let mut series =
                    vec![stages("typed system", Role::Result, [c.tree, c.consed, c.canonical, c.extracted])];
                if let Some(n) = &self.network.outcome {
                    let apart = [n.typed, n.typed, n.canonical, n.extracted];
                    series.push(stages("network, nothing shared", Role::Second, apart));
                    let shared = [n.typed, n.consed, n.consed, n.extracted_consed];
                    series.push(stages("network, shared", Role::Third, shared));
                }
                stage_view(series)
            }
            _ => ViewData::Empty,
        };
        ready(Ok(data))
    }

    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let p: &Params = crate::own(params)?;
        (self.params.dt, self.params.end) = (p.dt, p.end);
        match self.outcome {
            Outcome::Diverged { .. } => self.outcome = Outcome::Running,
            Outcome::Finished if self.t < p.end * (1.0 - 1e-9) => self.outcome = Outcome::Running,
            _ => {}
        }
        Ok(())
    }
}
