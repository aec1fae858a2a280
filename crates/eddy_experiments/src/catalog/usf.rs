//@ feature: sampler
//! # Let evolution write the sampler
//!
//! Fast samplers are all one formula with choices left open. Between two times the flow is either of
//!
//! $$x_t = \tfrac{\sigma_t}{\sigma_s}\,x_s + \sigma_t\!\int e^{\lambda}\,x_0\,d\lambda, \qquad
//! x_t = \tfrac{\alpha_t}{\alpha_s}\,x_s - \alpha_t\!\int e^{-\lambda}\,\epsilon\,d\lambda,$$
//!
//! with a polynomial through the last values put in for $x_0$ or $\epsilon$. A *solver schedule* chooses for every step its
//! length, the order of the polynomial and which of the two it uses. Here 1200 schedules are tried on 256 noises: the best
//! are mixed and mutated, and the winner is tested on noises it never saw. The paper has more choices (correctors among
//! them) and, where a trial is dear, trains a predictor to save trials.
//!
//! Most of the gain is the time grid: lock the orders and the kinds and see how little is lost. A schedule belongs to its
//! density: on a ring with wider modes most of its lead is gone, though on our rings it seldom turns into a loss. And it
//! was chosen by the distance to the exact flow, which is not how pictures look.

use std::sync::Arc;

use eddy_numerics::{
    diffusion::{
        Batch, Denoiser, MixtureModel, Prediction, Sampler,
        few_steps::{RingTask, SPAN},
        methods::{Ddim, DpmMultistep, Method},
        metrics::{paired_distances, rms},
        searched::{Evolution, Free, Genome, GenomeRun},
    },
    rng::Stream,
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::{
        flow::error_lines,
        sampler::{self, RingBench, refused},
    },
    ready,
};

choice! { pub enum Solver {
    /// searched schedule
    Searched = "searched",
    /// DPM-Solver++(2M)
    DpmPlus2m = "dpm-solver-pp-2m",
    /// DPM-Solver++(3M)
    DpmPlus3m = "dpm-solver-pp-3m",
    /// DDIM
    Ddim = "ddim",
} }

params! { pub struct Params {
    /// Sampler.
    sampler: Solver = Solver::Searched => choice().group("Sampler"),
    /// Evaluations.
    evaluations: u32 = 5 => steps(2, 50).symbol("N").group("Sampler"),
    /// Schedules tried.
    trials: u32 = 1200 => steps(1, 5000).group("Search").only_when("sampler", &["searched"]),
    /// Noises of the search.
    samples: u32 = 256 => steps(8, 1024).group("Search").only_when("sampler", &["searched"]),
    /// Population.
    population: u32 = 40 => steps(4, 200).group("Search").only_when("sampler", &["searched"]),
    /// Search times.
    times: bool = true => toggle().group("Search").only_when("sampler", &["searched"]),
    /// Search orders.
    orders: bool = true => toggle().group("Search").only_when("sampler", &["searched"]),
    /// Search kinds (ε or x₀).
    kinds: bool = true => toggle().group("Search").only_when("sampler", &["searched"]),
    /// Radius of the ring.
    radius: f64 = 2.0 => range(0.5, 3.0).symbol("R").group("Data"),
    /// Width of a mode.
    sd: f64 = 0.15 => log(0.05, 0.5).symbol("s").group("Data"),
    /// Width of a mode elsewhere. The same schedule is then tried on a ring with modes this wide.
    other_sd: f64 = 0.4 => log(0.05, 0.5).symbol("s'").group("Data"),
    /// Particles.
    particles: u32 = 1000 => steps(50, 5000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

/// The search draws from a seed far from the ones people type.
const APART: u32 = 1_000_003;
/// Rows of the picture of the genomes.
const SHOWN: usize = 24;
/// Cells across a genome's strip.
const CELLS: usize = 120;

pub struct Usf;

impl Experiment for Usf {
    type Params = Params;
    const TITLE: &'static str = "Unified sampling framework: a searched solver";
    const SUMMARY: &'static str =
        "Evolution chooses times, orders and kinds of five steps and beats every textbook choice.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 43,
        key: "liu2024usf",
        authors: "Enshu Liu and Xuefei Ning and Huazhong Yang and Yu Wang",
        title: "A Unified Sampling Framework for Solver Searching of Diffusion Probabilistic Models",
        venue: "ICLR",
        year: 2024,
        url: "https://arxiv.org/abs/2312.07243",
    }];
    const AXIS: Axis = Axis::linear("evaluations", "N");
    const METRICS: &'static [Metric] = &[
        sampler::ERROR,
        sampler::EVALUATIONS,
        Metric::new(
            "seen",
            Axis::log("error on the noises of the search", "e_s"),
            Better::Neither,
            "Root mean square distance to the end of the exact flow on the noises that the schedule was chosen by.",
        ),
        Metric::new(
            "other",
            Axis::log("error on the other density", "e'"),
            Better::Lower,
            "The same error for the same sampler on the ring with modes of the other width, with as many evaluations.",
        ),
        Metric::new(
            "other_2m",
            Axis::log("error of 2M on the other density", "e'_{2M}"),
            Better::Neither,
            "DPM-Solver++(2M) there.",
        ),
        Metric::new(
            "search",
            Axis::linear("evaluations of the search", "N_s"),
            Better::Lower,
            "Evaluations of the model by all trials, each of all noises of the search; counted by the model.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        sampler::PARTICLES,
        ViewSpec::field(
            "genomes",
            "schedules, the best on top",
            Axis::linear("half log-SNR", "\\lambda"),
            Axis::linear("place from below", "k"),
            Axis::linear("order, with its sign + for x₀ and − for ε", "\\pm p"),
            ColorMap::Diverging,
        ),
        ViewSpec::curves("progress", "search", Axis::linear("schedules tried", "n"), Axis::log("best error", "e")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "DPM-Solver++(2M)", change: "sampler=dpm-solver-pp-2m" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At 5 NFE, the schedule found with <= 1200 evaluations has an endpoint error on held-out noises <= 0.35x that of DPM-Solver++(2M) and of DDIM with uniform-lambda steps.",
        arms: &[
            Arm { name: "searched", setting: "" },
            Arm { name: "2M", setting: "sampler=dpm-solver-pp-2m" },
            Arm { name: "DDIM", setting: "sampler=ddim" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "searched / DPM-Solver++(2M)",
                measure: |m| m.ratio("searched", "2M", "error"),
                bound: Bound::AtMost(0.35),
                unit: "×",
            },
            Test {
                label: "searched / DDIM",
                measure: |m| m.ratio("searched", "DDIM", "error"),
                bound: Bound::AtMost(0.35),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "On equal steps of λ the choice of orders and kinds alone gains less.",
            arms: &["searched"],
            change: "times=off",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(UsfRun::new(p)?))
    }
}

impl Params {
    fn method(&self) -> Box<dyn Method> {
        match self.sampler {
            Solver::Ddim => Box::new(Ddim::default()),
            Solver::DpmPlus3m => Box::new(DpmMultistep::new(3, Prediction::Data)),
            Solver::Searched | Solver::DpmPlus2m => Box::new(DpmMultistep::new(2, Prediction::Data)),
        }
    }

    /// The search starts from the textbook schedules.
    fn evolution(&self) -> Evolution {
        let n = self.evaluations as usize;
        let known = vec![Genome::uniform(n, 2, Prediction::Data, true), Genome::uniform(n, 1, Prediction::Data, true)];
        let free = Free { times: self.times, orders: self.orders, values: self.kinds };
        Evolution::new(known, self.population as usize, free, self.seed)
    }
}

/// A sampler on its way.
enum Mover {
    Genome(Box<GenomeRun>),
    Planned(Box<Sampler<f64>>),
}

impl Mover {
    fn step(&mut self, model: &mut MixtureModel<f64>) -> bool {
        match self {
            Self::Genome(g) => g.step(model),
            Self::Planned(s) => s.step(model).is_some(),
        }
    }
    fn x(&self) -> &Batch<f64> {
        match self {
            Self::Genome(g) => g.x(),
            Self::Planned(s) => s.x(),
        }
    }
}

/// Where `genome`, or else the method of the parameters, takes `x`.
fn mover(p: &Params, task: &RingTask, genome: Option<&Genome>, x: Batch<f64>) -> Result<Mover, EddyError> {
    Ok(match genome {
        Some(genome) => Mover::Genome(Box::new(GenomeRun::new(genome.clone(), &*task.schedule(), SPAN, x))),
        None => {
            let nodes = task.grid(p.evaluations as usize).map_err(refused)?;
            Mover::Planned(Box::new(task.sampler(p.method(), &nodes, x)))
        }
    })
}

fn error(x: &Batch<f64>, ends: &Batch<f64>) -> f64 {
    rms(&paired_distances(x, ends))
}

/// First the converged end points, then the search, then the sampling, then the other density.
struct UsfRun {
    params: Params,
    bench: RingBench,
    /// Noises of the search and where the exact flow takes them.
    seen: Option<Arc<(Batch<f64>, Batch<f64>)>>,
    evolution: Option<Evolution>,
    /// Best error after so many trials, where it changed.
    history: Vec<(f64, f64)>,
    tried: u32,
    search_evaluations: u64,
    mover: Option<Mover>,
    evaluations: u64,
    done: u32,
    finished: bool,
    steps: u64,
    record: Record,
}

impl UsfRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let task = RingTask::new(p.radius, p.sd, None).map_err(refused)?;
        Ok(Self {
            bench: RingBench::new(task, p.seed, p.particles)?,
            evolution: (p.sampler == Solver::Searched).then(|| p.evolution()),
            params: p.clone(),
            seen: None,
            history: Vec::new(),
            tried: 0,
            search_evaluations: 0,
            mover: None,
            evaluations: 0,
            done: 0,
            finished: false,
            steps: 0,
            record: Record::of(Usf::METRICS),
        })
    }

    fn trials(&self) -> u32 {
        if self.evolution.is_some() { self.params.trials } else { 0 }
    }
    /// One step for the noises of the search, one for the other density.
    fn all_steps(&self) -> u64 {
        let search = if self.evolution.is_some() { u64::from(self.trials()) + 1 } else { 0 };
        RingBench::CONVERGING as u64 + search + u64::from(self.params.evaluations) + 1
    }
    fn best(&self) -> Option<&Genome> {
        self.evolution.as_ref().and_then(Evolution::best).map(|(_, genome)| genome)
    }

    fn step(&mut self) -> Result<(), EddyError> {
        self.steps += 1;
        if self.bench.converge()? {
            return Ok(());
        }
        if self.evolution.is_some() && self.seen.is_none() {
            let p = &self.params;
            let x = self.bench.task.noise(p.seed.wrapping_add(APART), Stream::Control, p.samples as usize);
            let ends = self.bench.task.converged(x.clone()).map_err(refused)?;
            self.seen = Some(Arc::new((x, ends)));
        } else if self.tried < self.trials() {
            self.trial();
        } else if self.done < self.params.evaluations {
            self.sample()?;
        } else {
            self.elsewhere()?;
            self.finished = true;
        }
        Ok(())
    }

    /// Scores one schedule.
    fn trial(&mut self) {
        let (Some(evolution), Some(seen)) = (&mut self.evolution, self.seen.clone()) else { return };
        let (task, model) = (&self.bench.task, &mut self.bench.model);
        let before = model.evaluations();
        let progress = f64::from(self.tried) / f64::from(self.params.trials);
        evolution.step(progress, |genome| {
            let mut run = GenomeRun::new(genome.clone(), &*task.schedule(), SPAN, seen.0.clone());
            while run.step(model) {}
            error(run.x(), &seen.1)
        });
        self.search_evaluations += model.evaluations() - before;
        self.tried += 1;
        if let Some((best, _)) = evolution.best()
            && self.history.last().is_none_or(|last| best < &last.1)
        {
            self.history.push((f64::from(self.tried), *best));
        }
    }

    fn sample(&mut self) -> Result<(), EddyError> {
        if self.mover.is_none() {
            self.mover = Some(mover(&self.params, &self.bench.task, self.best(), self.bench.start.clone())?);
        }
        let Some(mover) = &mut self.mover else { return Ok(()) };
        let before = self.bench.model.evaluations();
        mover.step(&mut self.bench.model);
        self.evaluations += self.bench.model.evaluations() - before;
        self.done += 1;
        self.bench.follow(mover.x());
        self.write_row(f64::NAN, f64::NAN);
        Ok(())
    }

    /// The same sampler where the modes are wider.
    fn elsewhere(&mut self) -> Result<(), EddyError> {
        let p = &self.params;
        let other = RingTask::new(p.radius, p.other_sd, None).map_err(refused)?;
        let ends = other.converged(self.bench.start.clone()).map_err(refused)?;
        let plain = Params { sampler: Solver::DpmPlus2m, ..p.clone() };
        let mut out = [f64::NAN; 2];
        for (out, (p, genome)) in out.iter_mut().zip([(p, self.best()), (&plain, None)]) {
            let mut model = other.model().map_err(refused)?;
            let mut mover = mover(p, &other, genome, self.bench.start.clone())?;
            while mover.step(&mut model) {}
            *out = error(mover.x(), &ends);
        }
        self.write_row(out[0], out[1]);
        Ok(())
    }

    fn write_row(&mut self, other: f64, other_2m: f64) {
        let Some(mover) = &self.mover else { return };
        let here = self.bench.error(mover.x());
        let seen = self.history.last().map_or(f64::NAN, |h| h.1);
        let used = self.evaluations as f64;
        self.record.push(used, &[here, used, seen, other, other_2m, self.search_evaluations as f64]);
    }

    /// A strip for each of the best schedules; without a search that of the sampler's own.
    fn genomes(&self) -> ViewData {
        let n = self.params.evaluations as usize;
        let order = if self.params.sampler == Solver::Ddim { 1 } else { 2 };
        let own = [(0.0, Genome::uniform(n, order, Prediction::Data, true))];
        let population = self.evolution.as_ref().map(Evolution::population).filter(|p| !p.is_empty()).unwrap_or(&own);
        let schedule = self.bench.task.schedule();
        let (first, last) = (schedule.node(SPAN.0), schedule.node(SPAN.1));
        let mut data = vec![0.0_f32; SHOWN * CELLS];
        for (row, (_, genome)) in population.iter().take(SHOWN).enumerate() {
            let total: f64 = genome.0.iter().map(|g| g.length).sum();
            let (mut step, mut end) = (0, genome.0[0].length / total);
            for cell in 0..CELLS {
                let at = (cell as f64 + 0.5) / CELLS as f64;
                let mut boundary = false;
                while at > end && step + 1 < genome.0.len() {
                    step += 1;
                    end += genome.0[step].length / total;
                    boundary = genome.0.len() < CELLS / 4;
                }
                let gene = genome.0[step];
                // Fewer values than the order asks for lower it; a gap parts two steps.
                let order = gene.order.min(step + 1) as f32;
                let value = if gene.value == Prediction::Data { order } else { -order };
                data[(SHOWN - 1 - row) * CELLS + cell] = if boundary { 0.0 } else { value };
            }
        }
        let x = (first.lambda, last.lambda);
        ViewData::Field { nx: CELLS, ny: SHOWN, data, x, y: (0.0, SHOWN as f64), range: (-3.0, 3.0) }
    }

    fn progress_lines(&self) -> ViewData {
        let (xs, ys): (Vec<f64>, Vec<f64>) = self.history.iter().map(|(x, y)| (*x, y.clamp(1e-6, 1e6))).unzip();
        let series = vec![Series::dotted("best so far", Role::Result, xs, ys)];
        error_lines(series, (0.0, f64::from(self.params.trials)), (0.1, 0.3))
    }
}

impl Run for UsfRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while !self.finished {
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
        if self.finished { Outcome::Finished } else { Outcome::Running }
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
            "genomes" => self.genomes(),
            "progress" => self.progress_lines(),
            _ => self.bench.particles(self.mover.as_ref().map_or(&self.bench.start, Mover::x)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(p: &Params) -> UsfRun {
        let mut run = UsfRun::new(p).unwrap();
        while !run.finished {
            run.step().unwrap();
        }
        run
    }
    fn metric(run: &UsfRun, key: &str) -> f64 {
        run.record.latest_named().iter().find(|m| m.0 == key).unwrap().1
    }

    #[test]
    fn every_evaluation_is_counted_and_steps_add_up() {
        let p = Params { trials: 60, samples: 16, particles: 50, ..Params::default() };
        let run = finished(&p);
        assert_eq!((run.evaluations, run.search_evaluations, run.steps), (5, 300, run.all_steps()));
        assert_eq!(run.bench.model.evaluations(), 305);
    }

    #[test]
    fn one_trial_is_the_textbook_schedule() {
        // The first schedule tried is DPM-Solver++(2M) in its Taylor form on equal steps.
        let p = Params { trials: 1, samples: 8, particles: 100, ..Params::default() };
        let first = metric(&finished(&p), "error");
        let task = RingTask::new(p.radius, p.sd, None).unwrap();
        let x = task.noise(p.seed, Stream::Prior, 100);
        let mut method = DpmMultistep::new(2, Prediction::Data);
        method.taylor = true;
        let (y, _) = task.run(Box::new(method), 5, x.clone()).unwrap();
        let known = error(&y, &task.converged(x).unwrap());
        assert!((first / known - 1.0).abs() < 1e-9, "{first} {known}");
        let searched = metric(&finished(&Params { trials: 300, samples: 64, ..p }), "error");
        assert!(searched < 0.7 * known, "{searched} {known}");
    }

    #[test]
    fn the_pitfalls_that_the_page_names() {
        let p = Params { trials: 500, samples: 128, particles: 300, ..Params::default() };
        let all = finished(&p);
        let grid = finished(&Params { orders: false, kinds: false, ..p.clone() });
        let rest = finished(&Params { times: false, ..p });
        let [a, b, c] = [&all, &grid, &rest].map(|r| metric(r, "error"));
        // Most of the gain is the grid's.
        assert!(b < 1.6 * a && c > 1.7 * b, "all {a}, times {b}, orders and kinds {c}");
        // Its lead over 2M shrinks to less than a third elsewhere.
        let plain = finished(&Params { sampler: Solver::DpmPlus2m, particles: 300, ..Params::default() });
        let home = a / metric(&plain, "error");
        let away = metric(&all, "other") / metric(&all, "other_2m");
        assert!(away > 3.0 * home, "home {home}, away {away}");
    }
}
