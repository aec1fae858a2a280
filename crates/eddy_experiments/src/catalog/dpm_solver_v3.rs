//@ feature: sampler
//! # Measure the model, then choose the formula
//!
//! With $\lambda = \ln(\alpha/\sigma)$ a linear part can be taken out of the sampling flow and solved exactly, and there is
//! a choice: DPM-Solver leaves $\epsilon$ to be approximated ($l = 0$), DPM-Solver++ leaves $x_0$ ($l = 1$). DPM-Solver-v3
//! takes the $l(\lambda)$ for which what is left moves least with $x$,
//!
//! $$f = \frac{\sigma\,\epsilon - l\,x}{\alpha}, \qquad l = \mathbb E\Big[\sigma\,\frac{\partial \epsilon_i}{\partial x_i}\Big],
//! \qquad \frac{df}{d\lambda} \approx s\,f + b,$$
//!
//! and takes out the line $s f + b$ too, fitted along trajectories. The rest is a polynomial through the last values.
//!
//! $l$, $s$ and $b$ are measured once per model on other noise (and once per guidance scale: they differ). That costs
//! evaluations of its own, which are stated. Too few particles make $b$ noisy and cost half of the gain.
//!
//! The measurement alone does not win. Without the corrector this solver *loses* to DPM-Solver++(2M) here; UniPC corrects
//! too, and from about 10 evaluations it is as good. Both are in the curve. The error is to the end of the exact flow from
//! the same noise: distances between samples and data hide all of this behind their own scatter.
//!
//! With guidance toward modes on opposite sides $s$ grows so large that the corrector explodes; the pair here is adjacent.

use std::sync::Arc;

use eddy_numerics::{
    diffusion::{
        Batch, Denoiser, MixtureModel, Prediction, Sampler,
        few_steps::{RingTask, SPAN},
        methods::{Ddim, DpmMultistep, Method, UniPc, Variant},
        model_statistics::{self, Coordinate, ModelStatistics, StatisticsEstimator},
    },
    rng::Stream,
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Measured, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::sampler::{self, CURVE_PARTICLES, ErrorCurve, RingBench, refused},
    ready,
};

choice! { pub enum Solver {
    /// DPM-Solver-v3
    V3 = "v3",
    /// DPM-Solver++(2M)
    DpmPlus2m = "dpm-solver-pp-2m",
    /// UniPC-2
    UniPc2 = "unipc-2",
    /// DDIM
    Ddim = "ddim",
} }

choice! { pub enum Linear {
    /// measured
    Measured = "measured",
    /// l = 0
    Zero = "0",
    /// l = 1
    One = "1",
} }

choice! { pub enum Guided {
    /// none
    Off = "none",
    /// toward two neighbours
    Pair = "pair",
} }

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::V3 => choice().group("Sampler"),
    /// Evaluations.
    evaluations: u32 = 5 => steps(2, 100).symbol("N").group("Sampler"),
    /// Linear part.
    linear: Linear = Linear::Measured => choice().symbol("l").group("Sampler").only_when("sampler", &["v3"]),
    /// Take out s f + b.
    scaling: bool = true => toggle().group("Sampler").only_when("sampler", &["v3"]),
    /// Corrector. Uses the next step's evaluation: no further one is made.
    corrector: bool = true => toggle().group("Sampler").only_when("sampler", &["v3"]),
    /// Order.
    order: u32 = 2 => steps(1, 3).group("Sampler").only_when("sampler", &["v3"]),
    /// Particles of the measurement.
    samples: u32 = 2048 => steps(64, 8192).group("Sampler").only_when("sampler", &["v3"]),
    /// Guidance.
    guidance: Guided = Guided::Off => choice().group("Data"),
    /// Guidance scale.
    scale: f64 = 7.5 => range(1.0, 10.0).symbol("w").group("Data").only_when("guidance", &["pair"]),
    /// Radius of the ring.
    radius: f64 = 2.0 => range(0.5, 3.0).symbol("R").group("Data"),
    /// Width of a mode.
    sd: f64 = 0.15 => log(0.05, 0.5).symbol("s").group("Data"),
    /// Particles.
    particles: u32 = 1000 => steps(50, 5000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Error curve. Measures this and the other samplers at other budgets after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Nodes of the table of l, s and b.
const NODES: usize = 241;
/// The measurement draws from a seed far from the ones people type.
const APART: u32 = 1_000_003;
/// Budgets of the curve, and particles of its runs.
const BUDGETS: [usize; 9] = [4, 5, 6, 7, 8, 10, 12, 15, 20];

/// Largest ratio of the errors of two samplers over the budgets of the claim.
fn worst(m: &Measured, other: [&str; 4]) -> f64 {
    let ratios = ["v3, 5", "v3, 6", "v3, 8", "v3, 10"].iter().zip(other).map(|(a, b)| m.ratio(a, b, "error"));
    ratios.fold(f64::NEG_INFINITY, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) })
}

pub struct DpmSolverV3;

impl Experiment for DpmSolverV3 {
    type Params = Params;
    const TITLE: &'static str = "DPM-Solver-v3: measured statistics";
    const SUMMARY: &'static str = "Measure the network's Jacobian along its paths, and five evaluations suffice.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 42,
        key: "zheng2023dpmsolverv3",
        authors: "Kaiwen Zheng and Cheng Lu and Jianfei Chen and Jun Zhu",
        title: "DPM-Solver-v3: Improved Diffusion ODE Solver with Empirical Model Statistics",
        venue: "NeurIPS",
        year: 2023,
        url: "https://arxiv.org/abs/2310.13268",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[
        sampler::ERROR,
        sampler::EVALUATIONS,
        Metric::new(
            "measurement",
            Axis::linear("evaluations of the measurement", "N_s"),
            Better::Lower,
            "Evaluations of the model for l, s and b, made once, each of all particles of the measurement; counted by the model.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        sampler::PARTICLES,
        sampler::CURVE_ERROR,
        ViewSpec::lines(
            "statistics",
            "l and s",
            Axis::linear("half log-SNR", "\\lambda"),
            Axis::linear("l, s", "l, s"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "DPM-Solver++(2M)", change: "sampler=dpm-solver-pp-2m" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At 5, 6, 8 and 10 NFE on the ring, DPM-Solver-v3 (order 2, with corrector) has an endpoint error <= 0.7x that of DPM-Solver++(2M) and <= 0.6x that of DDIM.",
        arms: &[
            Arm { name: "v3, 5", setting: "evaluations=5&particles=500&curve=off" },
            Arm { name: "v3, 6", setting: "evaluations=6&particles=500&curve=off" },
            Arm { name: "v3, 8", setting: "evaluations=8&particles=500&curve=off" },
            Arm { name: "v3, 10", setting: "evaluations=10&particles=500&curve=off" },
            Arm { name: "2M, 5", setting: "sampler=dpm-solver-pp-2m&evaluations=5&particles=500&curve=off" },
            Arm { name: "2M, 6", setting: "sampler=dpm-solver-pp-2m&evaluations=6&particles=500&curve=off" },
            Arm { name: "2M, 8", setting: "sampler=dpm-solver-pp-2m&evaluations=8&particles=500&curve=off" },
            Arm { name: "2M, 10", setting: "sampler=dpm-solver-pp-2m&evaluations=10&particles=500&curve=off" },
            Arm { name: "DDIM, 5", setting: "sampler=ddim&evaluations=5&particles=500&curve=off" },
            Arm { name: "DDIM, 6", setting: "sampler=ddim&evaluations=6&particles=500&curve=off" },
            Arm { name: "DDIM, 8", setting: "sampler=ddim&evaluations=8&particles=500&curve=off" },
            Arm { name: "DDIM, 10", setting: "sampler=ddim&evaluations=10&particles=500&curve=off" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "v3 / DPM-Solver++(2M), the worst of four budgets",
                measure: |m| worst(m, ["2M, 5", "2M, 6", "2M, 8", "2M, 10"]),
                bound: Bound::AtMost(0.7),
                unit: "×",
            },
            Test {
                label: "v3 / DDIM, the worst of four budgets",
                measure: |m| worst(m, ["DDIM, 5", "DDIM, 6", "DDIM, 8", "DDIM, 10"]),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Without the corrector the extrapolation over such long steps is worse than the baseline.",
            arms: &["v3, 5", "v3, 6", "v3, 8", "v3, 10"],
            change: "corrector=off",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(V3Run::new(p)?))
    }
}

impl Params {
    fn task(&self) -> Result<RingTask, EddyError> {
        let scale = (self.guidance == Guided::Pair).then_some(self.scale);
        RingTask::new(self.radius, self.sd, scale).map_err(refused)
    }

    fn estimator(&self, task: &RingTask) -> Result<StatisticsEstimator, EddyError> {
        let x = task.noise(self.seed.wrapping_add(APART), Stream::Control, self.samples as usize);
        let work = StatisticsEstimator::new(task.schedule(), SPAN, NODES, x).map_err(refused)?;
        Ok(match self.linear {
            Linear::Measured => work,
            Linear::Zero => work.with_linear(0.0),
            Linear::One => work.with_linear(1.0),
        })
    }

    /// A run of `solver` over `steps` steps; v3 needs the statistics.
    fn mover(
        &self,
        task: &RingTask,
        line: Line,
        statistics: Option<&Arc<ModelStatistics>>,
        steps: usize,
        x: Batch<f64>,
    ) -> Result<Mover, EddyError> {
        let nodes = task.grid(steps).map_err(refused)?;
        let method: Box<dyn Method> = match (line.solver, statistics) {
            (Solver::V3, Some(statistics)) => {
                let (order, corrector) =
                    (self.order as usize, if line.corrector { (self.order as usize).max(2) } else { 0 });
                let stepper = model_statistics::DpmSolverV3::new(statistics.clone(), order, corrector, nodes, x);
                return Ok(Mover::Measured(Box::new(stepper)));
            }
            (Solver::V3 | Solver::DpmPlus2m, _) => Box::new(DpmMultistep::new(2, Prediction::Data)),
            (Solver::UniPc2, _) => Box::new(UniPc::new(2, Variant::Bh2, Prediction::Data)),
            (Solver::Ddim, _) => Box::new(Ddim::default()),
        };
        Ok(Mover::Planned(Box::new(task.sampler(method, &nodes, x))))
    }
}

/// A sampler on its way.
enum Mover {
    Measured(Box<model_statistics::DpmSolverV3>),
    Planned(Box<Sampler<f64>>),
}

impl Mover {
    /// False at the end.
    fn step(&mut self, model: &mut MixtureModel<f64>) -> bool {
        match self {
            Self::Measured(m) => m.step(model),
            Self::Planned(s) => s.step(model).is_some(),
        }
    }
    fn x(&self) -> &Batch<f64> {
        match self {
            Self::Measured(m) => m.x(),
            Self::Planned(s) => s.x(),
        }
    }
}

/// A line of the error curve.
#[derive(Clone, Copy)]
struct Line {
    name: &'static str,
    role: Role,
    solver: Solver,
    corrector: bool,
}

const LINES: [Line; 5] = [
    Line { name: "DPM-Solver-v3", role: Role::Result, solver: Solver::V3, corrector: true },
    Line { name: "DPM-Solver-v3 without corrector", role: Role::Second, solver: Solver::V3, corrector: false },
    Line { name: "DPM-Solver++(2M)", role: Role::Third, solver: Solver::DpmPlus2m, corrector: true },
    Line { name: "UniPC-2", role: Role::Third, solver: Solver::UniPc2, corrector: true },
    Line { name: "DDIM", role: Role::Reference, solver: Solver::Ddim, corrector: true },
];

/// First the converged end points, then the statistics, then the sampling, then the curve.
struct V3Run {
    params: Params,
    bench: RingBench,
    estimator: Option<StatisticsEstimator>,
    /// The table so far.
    table: Vec<Coordinate>,
    lambda: (f64, f64),
    statistics: Option<Arc<ModelStatistics>>,
    mover: Option<Mover>,
    evaluations: u64,
    done: usize,
    curve: ErrorCurve,
    measured: usize,
    steps: u64,
    record: Record,
}

impl V3Run {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let bench = RingBench::new(p.task()?, p.seed, p.particles)?;
        let needs_table = p.sampler == Solver::V3 || p.curve;
        let ends = bench.task.grid(1).map_err(refused)?;
        Ok(Self {
            estimator: if needs_table { Some(p.estimator(&bench.task)?) } else { None },
            bench,
            params: p.clone(),
            table: Vec::new(),
            lambda: (ends[0].lambda, ends[1].lambda),
            statistics: None,
            mover: None,
            evaluations: 0,
            done: 0,
            curve: ErrorCurve::of(LINES.len()),
            measured: 0,
            steps: 0,
            record: Record::of(DpmSolverV3::METRICS),
        })
    }

    fn points(&self) -> usize {
        if self.params.curve { LINES.len() * BUDGETS.len() } else { 0 }
    }
    fn all_steps(&self) -> u64 {
        let table = if self.params.curve || self.params.sampler == Solver::V3 { NODES } else { 0 };
        (RingBench::CONVERGING + table + self.params.evaluations as usize + self.points()) as u64
    }
    fn is_done(&self) -> bool {
        self.done == self.params.evaluations as usize && self.measured == self.points()
    }

    fn step(&mut self) -> Result<(), EddyError> {
        self.steps += 1;
        if self.bench.converge()? {
            return Ok(());
        }
        if let Some(work) = &mut self.estimator {
            if let Some(statistics) = work.step(&mut self.bench.model) {
                let statistics = if self.params.scaling { statistics } else { statistics.without_scaling() };
                self.table = statistics.coordinates().to_vec();
                self.statistics = Some(Arc::new(statistics));
                self.estimator = None;
            } else {
                self.table = work.coordinates().to_vec();
            }
        } else if self.done < self.params.evaluations as usize {
            self.sample()?;
        } else {
            self.next_point()?;
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<(), EddyError> {
        if self.mover.is_none() {
            let p = &self.params;
            let line = Line { name: "", role: Role::Result, solver: p.sampler, corrector: p.corrector };
            let steps = p.evaluations as usize;
            self.mover =
                Some(p.mover(&self.bench.task, line, self.statistics.as_ref(), steps, self.bench.start.clone())?);
        }
        let Some(mover) = &mut self.mover else { return Ok(()) };
        let before = self.bench.model.evaluations();
        mover.step(&mut self.bench.model);
        self.evaluations += self.bench.model.evaluations() - before;
        self.done += 1;
        let x = mover.x();
        self.bench.follow(x);
        let error = self.bench.error(x);
        let measurement = self.statistics.as_ref().map_or(0, |s| s.evaluations);
        self.record.push(self.evaluations as f64, &[error, self.evaluations as f64, measurement as f64]);
        Ok(())
    }

    fn next_point(&mut self) -> Result<(), EddyError> {
        let (line, budget) =
            (self.measured % LINES.len(), BUDGETS[(self.measured / LINES.len()).min(BUDGETS.len() - 1)]);
        self.measured += 1;
        let x = self.bench.start.head(CURVE_PARTICLES);
        let mut mover = self.params.mover(&self.bench.task, LINES[line], self.statistics.as_ref(), budget, x)?;
        let mut model = self.bench.task.model().map_err(refused)?;
        while mover.step(&mut model) {}
        self.curve.push(line, model.evaluations(), self.bench.error(mover.x()));
        Ok(())
    }

    fn statistics_lines(&self) -> ViewData {
        let step = (self.lambda.1 - self.lambda.0) / (NODES - 1) as f64;
        let line = |name: String, role: Role, values: &[f64]| {
            let xs = (0..values.len()).map(|k| self.lambda.0 + step * k as f64).collect();
            let ys = values.iter().map(|v| v.clamp(-20.0, 20.0)).collect();
            Series::line(name, role, xs, ys)
        };
        let mut series = Vec::new();
        for (d, row) in self.table.iter().enumerate() {
            series.push(line(format!("l, coordinate {}", d + 1), Role::Result, &row.linear));
            series.push(line(format!("s, coordinate {}", d + 1), Role::Second, &row.scaling));
        }
        ViewData::Lines { series, x: self.lambda, y: (-4.0, 4.0) }
    }
}

impl Run for V3Run {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while !self.is_done() {
            if let Err(e) = self.step() {
                return ready(Err(e));
            }
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
            position: self.evaluations as f64,
            fraction: (self.steps as f64 / self.all_steps() as f64).min(1.0),
            work: self.bench.model.evaluations() as f64,
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
            // The first line is the run's own form; what it changes is said beside the controls.
            "race" => self.curve.view(LINES.iter().map(|l| (l.name, l.role)), (3.5, 23.0)),
            "statistics" => self.statistics_lines(),
            _ => self.bench.particles(self.mover.as_ref().map_or(&self.bench.start, Mover::x)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eddy_numerics::diffusion::metrics::paired_distances;

    fn finished(p: &Params) -> V3Run {
        let mut run = V3Run::new(p).unwrap();
        while !run.is_done() {
            run.step().unwrap();
        }
        run
    }

    #[test]
    fn evaluations_are_those_of_the_model() {
        let p = Params { samples: 64, particles: 50, evaluations: 6, curve: false, ..Params::default() };
        let run = finished(&p);
        assert_eq!((run.evaluations, run.steps), (6, run.all_steps()));
        // 2 dim + 2 per node, and the last node is not left.
        assert_eq!(run.statistics.as_ref().unwrap().evaluations, 6 * NODES as u64 - 1);
        assert_eq!(run.bench.model.evaluations(), 6 + 6 * NODES as u64 - 1);
    }

    #[test]
    fn the_measurement_does_not_see_the_particles() {
        let p = Params { samples: 64, particles: 64, ..Params::default() };
        let task = p.task().unwrap();
        let x = task.noise(p.seed.wrapping_add(APART), Stream::Control, 64);
        assert!(paired_distances(&x, &V3Run::new(&p).unwrap().bench.start).iter().all(|d| *d > 0.0));
    }

    #[test]
    fn the_pitfalls_that_the_page_names() {
        let p = Params { samples: 512, particles: 300, ..Params::default() };
        let run = finished(&p);
        let at = |line: usize, budget: f64| run.curve.at(line, budget).unwrap();
        assert!(at(1, 5.0) > 1.3 * at(2, 5.0), "without corrector {}, 2M {}", at(1, 5.0), at(2, 5.0));
        assert!(at(0, 5.0) < 0.6 * at(3, 5.0) && at(0, 10.0) > 0.5 * at(3, 10.0), "UniPC catches up");
    }
}
