//@ feature: sampler
//! # Look ahead by a little more than you know
//!
//! UniPC predicts a state, evaluates the network there, and corrects the state with the result. It keeps that result for the
//! steps to come, although it belongs to the predicted state and not to the corrected one. DC-Solver exchanges it: with the
//! parabola $P$ through the last three results,
//!
//! $$\hat x_0 \leftarrow P(u'), \qquad u' = \rho_i\,u_i + (1 - \rho_i)\,u_{i-1}.$$
//!
//! $\rho = 1$ changes nothing, $\rho > 1$ looks ahead. One number per step is chosen on ten trajectories, so that the next
//! state comes nearest to the exact flow. Sampling costs no further evaluation; the search does, and they are counted: all
//! of its trials, and the exact flow itself. Drag the ratios by hand and watch the trails.
//!
//! The authors interpolate in time, $u = t$. On the equal steps of $\lambda$ used here $u = \lambda$ does better (choose the
//! other and see). The ratios are those of ten particles: some end at the bound of the search, 0.5 or 2, the last one above
//! all, and a few particles still go astray, so the median is far below the error. At 5 evaluations with guidance 3 it
//! barely helps, and plain DDIM is best.

use eddy_numerics::{
    diffusion::{
        Denoiser, MixtureModel, Prediction, Sampler,
        compensation::{Abscissa, Compensated, RANGE, RatioFit, exact_states},
        few_steps::RingTask,
        methods::{Ddim, DpmMultistep, Method, RungeKutta, Tableau, UniPc, Variable, Variant},
        metrics::{quantile, rms},
    },
    rng::Stream,
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::sampler::{self, CURVE_PARTICLES, ErrorCurve, RingBench, refused},
    ready,
};

choice! { pub enum Solver {
    /// DC-Solver, ratios fitted
    Fitted = "fitted",
    /// DC-Solver, ratios by hand
    Hand = "hand",
    /// UniPC-2
    UniPc2 = "unipc-2",
    /// DPM-Solver++(2M)
    DpmPlus2m = "dpm-solver-pp-2m",
    /// DDIM
    Ddim = "ddim",
} }

choice! { pub enum Parabola {
    /// λ
    Lambda = "lambda",
    /// t
    Time = "time",
} }

choice! { pub enum Guided {
    /// none
    Off = "none",
    /// toward two neighbours
    Pair = "pair",
} }

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::Fitted => choice().group("Sampler"),
    /// Evaluations.
    evaluations: u32 = 8 => steps(2, 50).symbol("N").group("Sampler"),
    /// Parabola in.
    parabola: Parabola = Parabola::Lambda => choice().symbol("u").group("Sampler").only_when("sampler", &["fitted", "hand"]),
    /// Trajectories of the fit.
    samples: u32 = 10 => steps(2, 200).group("Sampler").only_when("sampler", &["fitted"]),
    /// Third step.
    ratio_3: f64 = 1.0 => range(0.5, 2.0).symbol("\\rho_3").group("Ratios").only_when("sampler", &["hand"]),
    /// Fourth step.
    ratio_4: f64 = 1.0 => range(0.5, 2.0).symbol("\\rho_4").group("Ratios").only_when("sampler", &["hand"]),
    /// Fifth step.
    ratio_5: f64 = 1.0 => range(0.5, 2.0).symbol("\\rho_5").group("Ratios").only_when("sampler", &["hand"]),
    /// Later steps.
    ratio_later: f64 = 1.0 => range(0.5, 2.0).symbol("\\rho_{6..}").group("Ratios").only_when("sampler", &["hand"]),
    /// Guidance.
    guidance: Guided = Guided::Pair => choice().group("Data"),
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
    /// Error curve. Measures all samplers at other budgets after the run, with ratios fitted anew.
    curve: bool = true => toggle().group("Run"),
} }

/// The fit draws from a seed far from the ones people type.
const APART: u32 = 1_000_003;
/// Budgets of the curve, and particles of its runs.
const BUDGETS: [usize; 7] = [4, 5, 6, 7, 8, 9, 10];
const PER_STEP: usize = 24;

fn host() -> UniPc {
    UniPc::new(2, Variant::Bh2, Prediction::Data)
}

pub struct DcSolver;

impl Experiment for DcSolver {
    type Params = Params;
    const TITLE: &'static str = "DC-Solver: dynamic compensation";
    const SUMMARY: &'static str = "One number per step bends a guided sampler back onto the exact path.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 67,
        key: "zhao2024dcsolver",
        authors: "Wenliang Zhao and Haolin Wang and Jie Zhou and Jiwen Lu",
        title: "DC-Solver: Improving Predictor-Corrector Diffusion Sampler via Dynamic Compensation",
        venue: "ECCV",
        year: 2024,
        url: "https://arxiv.org/abs/2409.03755",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[
        sampler::ERROR,
        sampler::MEDIAN,
        sampler::EVALUATIONS,
        Metric::new(
            "search",
            Axis::linear("evaluations of the fit", "N_f"),
            Better::Lower,
            "Evaluations of the model for the ratios, made once, each of all trajectories of the fit; counted by the model.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        sampler::PARTICLES,
        sampler::CURVE_ERROR,
        ViewSpec::lines("ratios", "ratios", Axis::linear("step", "i"), Axis::linear("ratio", "\\rho_i")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "UniPC-2", change: "sampler=unipc-2" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At 8 NFE with guidance 7.5 DC-Solver's endpoint error on held-out noises is <= 0.4x that of UniPC and of DPM-Solver++(2M), and unconditionally at 5 NFE <= 0.6x.",
        arms: &[
            Arm { name: "DC, guided", setting: "curve=off" },
            Arm { name: "UniPC, guided", setting: "sampler=unipc-2&curve=off" },
            Arm { name: "2M, guided", setting: "sampler=dpm-solver-pp-2m&curve=off" },
            Arm { name: "DC, 5", setting: "guidance=none&evaluations=5&curve=off" },
            Arm { name: "UniPC, 5", setting: "sampler=unipc-2&guidance=none&evaluations=5&curve=off" },
            Arm { name: "2M, 5", setting: "sampler=dpm-solver-pp-2m&guidance=none&evaluations=5&curve=off" },
        ],
        seeds: &[1, 2, 3, 4, 5],
        tests: &[
            Test {
                label: "guidance 7.5, 8 NFE: DC / UniPC",
                measure: |m| m.ratio("DC, guided", "UniPC, guided", "error"),
                bound: Bound::AtMost(0.4),
                unit: "×",
            },
            Test {
                label: "guidance 7.5, 8 NFE: DC / 2M",
                measure: |m| m.ratio("DC, guided", "2M, guided", "error"),
                bound: Bound::AtMost(0.4),
                unit: "×",
            },
            Test {
                label: "no guidance, 5 NFE: DC / UniPC",
                measure: |m| m.ratio("DC, 5", "UniPC, 5", "error"),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
            Test {
                label: "no guidance, 5 NFE: DC / 2M",
                measure: |m| m.ratio("DC, 5", "2M, 5", "error"),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "With every ratio at 1 nothing is exchanged, and what is left is UniPC.",
            arms: &["DC, guided", "DC, 5"],
            change: "sampler=hand",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(DcRun::new(p)?))
    }
}

impl Params {
    fn task(&self) -> Result<RingTask, EddyError> {
        let scale = (self.guidance == Guided::Pair).then_some(self.scale);
        RingTask::new(self.radius, self.sd, scale).map_err(refused)
    }

    fn abscissa(&self) -> Abscissa {
        match self.parabola {
            Parabola::Lambda => Abscissa::Lambda,
            Parabola::Time => Abscissa::Time,
        }
    }

    /// Ratios by hand; the first two steps have nothing to exchange.
    fn hand(&self) -> Vec<f64> {
        let mut out = vec![1.0, 1.0, self.ratio_3, self.ratio_4, self.ratio_5];
        out.resize((self.evaluations as usize).max(out.len()), self.ratio_later);
        out
    }

    /// A fit over `steps` steps, with the exact trajectories asked of `model`.
    fn fit(&self, task: &RingTask, steps: usize, model: &mut MixtureModel<f64>) -> Result<RatioFit, EddyError> {
        let x = task.noise(self.seed.wrapping_add(APART), Stream::Control, self.samples as usize);
        let runge_kutta = Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho));
        let fine = task.grid(steps * PER_STEP).map_err(refused)?;
        let truth = exact_states(&mut task.sampler(runge_kutta, &fine, x), steps, PER_STEP, model);
        let nodes = task.grid(steps).map_err(refused)?;
        Ok(RatioFit::new(host(), self.abscissa(), task.schedule(), nodes, truth))
    }

    fn method(&self, solver: Solver, fitted: &[f64]) -> Box<dyn Method> {
        match solver {
            Solver::Fitted => Box::new(Compensated::new(host(), self.abscissa(), fitted.to_vec())),
            Solver::Hand => Box::new(Compensated::new(host(), self.abscissa(), self.hand())),
            Solver::UniPc2 => Box::new(host()),
            Solver::DpmPlus2m => Box::new(DpmMultistep::new(2, Prediction::Data)),
            Solver::Ddim => Box::new(Ddim::default()),
        }
    }
}

const LINES: [(&str, Role, Solver); 4] = [
    ("DC-Solver, fitted", Role::Result, Solver::Fitted),
    ("UniPC-2", Role::Second, Solver::UniPc2),
    ("DPM-Solver++(2M)", Role::Third, Solver::DpmPlus2m),
    ("DDIM", Role::Reference, Solver::Ddim),
];

/// First the converged end points, then the fit, then the sampling, then the curve.
struct DcRun {
    params: Params,
    bench: RingBench,
    /// Where a fit is wanted, begun by the first of its steps.
    fit: Option<RatioFit>,
    ratios: Vec<f64>,
    fit_evaluations: u64,
    moving: Option<Sampler<f64>>,
    evaluations: u64,
    done: usize,
    curve: ErrorCurve,
    measured: usize,
    steps: u64,
    record: Record,
}

impl DcRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        Ok(Self {
            bench: RingBench::new(p.task()?, p.seed, p.particles)?,
            ratios: if p.sampler == Solver::Hand { p.hand() } else { Vec::new() },
            params: p.clone(),
            fit: None,
            fit_evaluations: 0,
            moving: None,
            evaluations: 0,
            done: 0,
            curve: ErrorCurve::of(LINES.len()),
            measured: 0,
            steps: 0,
            record: Record::of(DcSolver::METRICS),
        })
    }

    fn budget(&self) -> usize {
        self.params.evaluations as usize
    }
    fn points(&self) -> usize {
        if self.params.curve { LINES.len() * BUDGETS.len() } else { 0 }
    }
    /// Steps of the fit: one begins it, and one for each ratio but the first two.
    fn fit_steps(&self) -> usize {
        if self.params.sampler == Solver::Fitted { self.budget() - 1 } else { 0 }
    }
    fn all_steps(&self) -> u64 {
        (RingBench::CONVERGING + self.fit_steps() + self.budget() + self.points()) as u64
    }
    fn is_done(&self) -> bool {
        self.done == self.budget() && self.measured == self.points()
    }
    fn wants_fit(&self) -> bool {
        self.params.sampler == Solver::Fitted && self.ratios.len() < self.budget()
    }

    fn step(&mut self) -> Result<(), EddyError> {
        self.steps += 1;
        if self.bench.converge()? {
            return Ok(());
        }
        if self.wants_fit() {
            let before = self.bench.model.evaluations();
            match &mut self.fit {
                None => self.fit = Some(self.params.fit(&self.bench.task, self.budget(), &mut self.bench.model)?),
                Some(fit) => fit.step(&mut self.bench.model),
            }
            self.ratios = self.fit.as_ref().map_or(Vec::new(), |f| f.ratios().to_vec());
            self.fit_evaluations += self.bench.model.evaluations() - before;
        } else if self.done < self.budget() {
            self.sample()?;
        } else {
            self.next_point()?;
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<(), EddyError> {
        if self.moving.is_none() {
            let nodes = self.bench.task.grid(self.budget()).map_err(refused)?;
            let method = self.params.method(self.params.sampler, &self.ratios);
            self.moving = Some(self.bench.task.sampler(method, &nodes, self.bench.start.clone()));
        }
        let Some(moving) = &mut self.moving else { return Ok(()) };
        let before = self.bench.model.evaluations();
        moving.step(&mut self.bench.model);
        self.evaluations += self.bench.model.evaluations() - before;
        self.done += 1;
        let x = moving.x();
        self.bench.follow(x);
        let distances = self.bench.distances(x);
        let (error, median) = distances.map_or((f64::NAN, f64::NAN), |d| (rms(&d), quantile(&d, 0.5)));
        let used = self.evaluations as f64;
        self.record.push(used, &[error, median, used, self.fit_evaluations as f64]);
        Ok(())
    }

    fn next_point(&mut self) -> Result<(), EddyError> {
        let line = self.measured % LINES.len();
        let budget = BUDGETS[(self.measured / LINES.len()).min(BUDGETS.len() - 1)];
        self.measured += 1;
        let mut ratios = Vec::new();
        if LINES[line].2 == Solver::Fitted {
            let mut model = self.bench.task.model().map_err(refused)?;
            let mut fit = self.params.fit(&self.bench.task, budget, &mut model)?;
            while !fit.is_done() {
                fit.step(&mut model);
            }
            ratios = fit.ratios().to_vec();
        }
        let method = self.params.method(LINES[line].2, &ratios);
        let (x, used) = self.bench.task.run(method, budget, self.bench.start.head(CURVE_PARTICLES)).map_err(refused)?;
        self.curve.push(line, used, self.bench.error(&x));
        Ok(())
    }

    fn ratio_lines(&self) -> ViewData {
        let budget = self.budget();
        let shown = self.ratios.len().min(budget);
        let steps: Vec<f64> = (1..=shown).map(|i| i as f64).collect();
        let ends = vec![1.0, budget as f64];
        let series = vec![
            Series::dotted("ρ", Role::Result, steps, self.ratios[..shown].to_vec()),
            Series::line("UniPC", Role::Reference, ends.clone(), vec![1.0; 2]),
            Series::line("bounds of the search", Role::Third, ends.clone(), vec![RANGE.0; 2]),
            Series::line("bounds of the search", Role::Third, ends, vec![RANGE.1; 2]),
        ];
        ViewData::Lines { series, x: (0.5, budget as f64 + 0.5), y: (0.4, 2.1) }
    }
}

impl Run for DcRun {
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
            "race" => self.curve.view(LINES.iter().map(|l| (l.0, l.1)), (3.7, 11.0)),
            "ratios" => self.ratio_lines(),
            _ => self.bench.particles(self.moving.as_ref().map_or(&self.bench.start, Sampler::x)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(p: &Params) -> DcRun {
        let mut run = DcRun::new(p).unwrap();
        while !run.is_done() {
            run.step().unwrap();
        }
        run
    }

    #[test]
    fn every_evaluation_is_counted_and_steps_add_up() {
        for evaluations in [2, 3, 6] {
            let p = Params { evaluations, particles: 50, curve: false, ..Params::default() };
            let run = finished(&p);
            assert_eq!((run.evaluations, run.steps), (evaluations.into(), run.all_steps()), "{evaluations}");
            assert_eq!(run.bench.model.evaluations(), run.evaluations + run.fit_evaluations);
            assert!(run.fit_evaluations >= (4 * PER_STEP) as u64 * u64::from(evaluations));
        }
    }

    #[test]
    fn ratios_of_1_by_hand_are_unipc() {
        let error = |sampler| {
            let run = finished(&Params { sampler, particles: 200, curve: false, ..Params::default() });
            run.record.latest_named().iter().find(|m| m.0 == "error").unwrap().1
        };
        assert_eq!(error(Solver::Hand), error(Solver::UniPc2));
        assert!(error(Solver::Fitted) != error(Solver::UniPc2));
    }

    #[test]
    fn the_cell_where_ddim_is_best() {
        let run = finished(&Params { scale: 3.0, particles: 400, ..Params::default() });
        let at = |line: usize| run.curve.at(line, 5.0).unwrap();
        assert!(at(3) < at(0) && at(0) > 0.6 * at(1), "DC {}, UniPC {}, DDIM {}", at(0), at(1), at(3));
    }
}
