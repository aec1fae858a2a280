//! One run: snapshots, their axes, examples, training, and what the blocks that come of it are like.

use std::any::Any;

use eddy_numerics::rng::{Philox, Stream};
use eddy_spec::{EddyError, Outcome, Role, Series, ViewData};

use super::{
    Condition, Method, Params, Text2pde,
    model::{Case, Examples, Model, given},
    pod::{Pod, Waves},
    waves::{Attributes, BLOCK, FRAMES, Look, PLACES, Setup, Solver, all_attributes},
    words::{Caption, is_held_out},
};
use crate::{
    Budget, Experiment, LocalFuture, Precision, Progress, Record, Run, labs::flow::error_lines, ready, weights::Tensor,
};

/// Runs whose axes are sought, the first ones of the examples, and runs made per unit of work.
const SNAPSHOTS: usize = 512;
const MADE: usize = 32;
/// Runs kept for tests, and samples made per unit of work.
const TESTS: usize = 64;
const CHUNK: usize = 16;
/// Chunks of samples at the end (captions as taught, new combinations, new wordings) and on the way.
const CHUNKS: [usize; 3] = [15, 8, 8];
const FEW: usize = 3;
/// Rows of the record, and pictures of a run.
const ROWS: u32 = 10;
const PICTURES: u32 = 50;
/// Samples that are looked at, and those shown whole.
const LOOKED_AT: usize = 32;
const SHOWN: usize = 4;

/// Sums of a measurement in progress.
#[derive(Default)]
struct Evaluation {
    /// The group of each chunk.
    plan: Vec<usize>,
    done: usize,
    /// Samples of each group, and those with the caption's number, direction and speed.
    count: [f64; 3],
    right: [f64; 3],
    /// Those of the first group with the right value of each attribute.
    each: [f64; 4],
    errors: Vec<f64>,
}

pub struct BlockRun {
    params: Params,
    caption: Caption,
    solver: Solver,
    model: Model,
    snapshots: Vec<f64>,
    waves: Option<Waves>,
    pod: Option<Pod>,
    examples: Examples,
    tests: Vec<Case>,
    /// Mean relative error of each frame of the tests' projections, and of the blocks made last.
    floors: Vec<f64>,
    errors: Vec<f64>,
    evaluation: Option<Evaluation>,
    step: u32,
    loss: f64,
    /// The solver's runs beside what is made, that, and when it was, in pictures of a run.
    beside: Vec<Case>,
    picture: Vec<Vec<f64>>,
    pictured: Option<u32>,
    outcome: Outcome,
    record: Record,
}

impl BlockRun {
    pub fn new(p: &Params) -> Result<Self, EddyError> {
        if p.condition == Condition::Words && p.method == Method::Steps {
            let message =
                "A caption gives no first frame to step from: condition on the first frame, or choose another method.";
            return Err(EddyError::start(message).at("method"));
        }
        let mut run = Self {
            caption: caption(p)?,
            solver: Solver::new(),
            model: Model::new(p)?,
            snapshots: Vec::new(),
            waves: None,
            pod: None,
            examples: Examples::default(),
            tests: Vec::new(),
            floors: Vec::new(),
            errors: Vec::new(),
            evaluation: None,
            step: 0,
            loss: f64::NAN,
            beside: Vec::new(),
            picture: Vec::new(),
            pictured: None,
            outcome: Outcome::Running,
            record: Record::of(Text2pde::METRICS),
            params: p.clone(),
        };
        run.solve_beside();
        Ok(run)
    }

    fn is_told(&self) -> bool {
        self.params.condition == Condition::Words
    }

    /// Run number `index` of a stream, with attributes that are taught.
    fn make(&mut self, stream: Stream, index: usize) -> (Attributes, Setup, Vec<f64>) {
        let (rng, is_told) = (Philox::new(self.params.seed), self.is_told());
        let pool: Vec<Attributes> = all_attributes().filter(|a| !(is_told && is_held_out(*a))).collect();
        let share = rng.uniforms(stream, 0, index as u32, 3)[0];
        let attributes = pool[((share * pool.len() as f64) as usize).min(pool.len() - 1)];
        let setup = Setup::draw(attributes, &rng, stream, index as u32);
        let block = self.solver.block(&setup);
        (attributes, setup, block)
    }

    /// A run for tests: its first frame is given.
    fn test(&mut self, index: usize) -> Case {
        let (attributes, setup, truth) = self.make(Stream::Control, index);
        Case { condition: given(&truth, &setup), said: attributes.map(Some), truth }
    }

    /// The solver's runs that are shown: with the caption's attributes, or those whose first frames are given.
    fn solve_beside(&mut self) {
        let rng = Philox::new(self.params.seed);
        let mut beside = Vec::with_capacity(LOOKED_AT);
        for k in 0..LOOKED_AT {
            beside.push(if self.is_told() {
                let attributes = self.caption.filled(rng.words(Stream::Lift, 1, k as u32, 0));
                let truth = self.solver.block(&Setup::draw(attributes, &rng, Stream::Lift, k as u32));
                Case { condition: self.caption.words.to_vec(), said: self.caption.said, truth }
            } else {
                self.test(k)
            });
        }
        (self.beside, self.pictured) = (beside, None);
    }

    /// One unit of work.
    fn work(&mut self) {
        if self.pod.is_none() {
            self.prepare();
        } else if self.examples.count < self.params.trajectories as usize {
            for index in self.examples.count..(self.examples.count + MADE).min(self.params.trajectories as usize) {
                let (attributes, setup, block) = self.make(Stream::Data, index);
                if let Some(pod) = &self.pod {
                    self.examples.push(&block, &setup, attributes, pod, self.params.method);
                }
            }
        } else if self.evaluation.is_some() {
            self.evaluate();
        } else {
            self.loss = self.model.train(&self.examples, &self.params, self.step);
            self.step += 1;
            if !self.loss.is_finite() {
                self.outcome = Outcome::Diverged {
                    step: self.step.into(),
                    cause: "a training step made the network overflow".to_owned(),
                    advice: "Lower the learning rate.".to_owned(),
                    repair: None,
                };
            } else if self.step == self.params.steps || self.step.is_multiple_of((self.params.steps / ROWS).max(1)) {
                self.begin_evaluation();
            }
        }
    }

    /// Snapshots, then the axes of a wavenumber at a time, then the tests.
    fn prepare(&mut self) {
        if let Some(waves) = &mut self.waves {
            let Some(pod) = waves.work(self.params.latents as usize) else { return };
            self.model.set_scales(&self.params, &pod, change(&self.snapshots));
            self.snapshots = Vec::new();
            self.floors = vec![0.0; FRAMES];
            for k in 0..TESTS {
                let case = self.test(k);
                add_errors(&mut self.floors, &pod.decode(&pod.encode(&case.truth)), &case.truth);
                self.tests.push(case);
            }
            (self.waves, self.pod) = (None, Some(pod));
        } else if self.snapshots.len() < SNAPSHOTS * BLOCK {
            let at = self.snapshots.len() / BLOCK;
            for index in at..at + MADE {
                let (_, _, block) = self.make(Stream::Data, index);
                self.snapshots.extend(block);
            }
        } else {
            self.waves = Some(Waves::new(&self.snapshots));
        }
    }

    fn begin_evaluation(&mut self) {
        let plan = if !self.is_told() {
            vec![0; TESTS / CHUNK]
        } else if self.step == self.params.steps {
            (0..3).flat_map(|group| std::iter::repeat_n(group, CHUNKS[group])).collect()
        } else {
            vec![0; FEW]
        };
        self.evaluation = Some(Evaluation { plan, errors: vec![0.0; FRAMES], ..Evaluation::default() });
    }

    /// One chunk of samples, and the row when all are done.
    fn evaluate(&mut self) {
        let (Some(mut now), Some(pod)) = (self.evaluation.take(), &self.pod) else { return };
        let (group, draw) = (now.plan[now.done], now.done as u32 + 1);
        if self.params.condition == Condition::Words {
            let cases = captions(group, self.params.seed, now.done);
            let blocks = self.model.blocks(&cases, pod, &self.params, draw);
            for (block, case) in blocks.iter().zip(&cases) {
                let seen = Look::of(block).attributes();
                let is_right = |a: usize| Some(seen[a]) == case.said[a];
                now.count[group] += 1.0;
                now.right[group] += f64::from((0..3).all(is_right));
                if group == 0 {
                    (0..4).for_each(|a| now.each[a] += f64::from(is_right(a)));
                }
            }
        } else {
            let cases = &self.tests[now.done * CHUNK..][..CHUNK];
            let blocks = self.model.blocks(cases, pod, &self.params, draw);
            blocks.iter().zip(cases).for_each(|(block, case)| add_errors(&mut now.errors, block, &case.truth));
        }
        now.done += 1;
        if now.done == now.plan.len() {
            self.write_row(now);
        } else {
            self.evaluation = Some(now);
        }
    }

    fn write_row(&mut self, e: Evaluation) {
        // A group without samples has no share: 0/0 is not a number.
        let each = e.each.map(|right| right / e.count[0]);
        let right = [0, 1, 2].map(|group| e.right[group] / e.count[group]);
        let error = if self.is_told() { f64::NAN } else { e.errors[FRAMES - 1] };
        let multiplications = f64::from(self.step) * self.model.multiplications(self.params.batch);
        let mut row = vec![self.loss, error, self.floors[FRAMES - 1]];
        row.extend(right.into_iter().chain(each).chain([multiplications]));
        self.record.push(self.step.into(), &row);
        if !self.is_told() {
            self.errors = e.errors;
        }
        if self.step == self.params.steps {
            self.outcome = Outcome::Finished;
        }
    }

    /// Samples for the views, of the network as it is now and then; those of a broken one are not shown.
    fn draw(&mut self) {
        let at = Some(self.step / (self.params.steps / PICTURES).max(1));
        let is_due = at != self.pictured && !matches!(self.outcome, Outcome::Diverged { .. });
        if let Some(pod) = self.pod.as_ref().filter(|_| is_due) {
            self.pictured = at;
            self.picture = self.model.blocks(&self.beside, pod, &self.params, 0);
            self.picture.iter_mut().flatten().for_each(|u| *u = if u.is_finite() { u.clamp(-10.0, 10.0) } else { 0.0 });
        }
    }

    /// Made blocks above, the solver's below, time upward in each.
    fn mosaic(&self) -> ViewData {
        let (nx, ny) = (SHOWN * (PLACES + 1) - 1, 2 * FRAMES + 1);
        let mut data = vec![0.0f32; nx * ny];
        let solved = self.beside.iter().map(|case| &case.truth).take(SHOWN).enumerate();
        let made = self.picture.iter().take(SHOWN).enumerate();
        for (row, column, block) in solved.map(|(i, b)| (0, i, b)).chain(made.map(|(i, b)| (FRAMES + 1, i, b))) {
            for (frame, values) in block.chunks_exact(PLACES).enumerate() {
                let to = &mut data[(row + frame) * nx + column * (PLACES + 1)..][..PLACES];
                to.iter_mut().zip(values).for_each(|(to, u)| *to = *u as f32);
            }
        }
        ViewData::Field { nx, ny, data, x: (0.0, SHOWN as f64), y: (0.0, 2.0), range: (0.0, 1.0) }
    }

    /// Speed and diffusivity of the samples, coloured by the number of their pulses.
    fn looks(&self) -> ViewData {
        let (x, y) = ((-0.45, 0.45), (-3.2, -1.6));
        let looks = self.picture.iter().map(|block| Look::of(block));
        let looks: Vec<Look> = looks.filter(|l| l.speed.is_finite() && l.diffusivity.is_finite()).collect();
        let place = |l: &Look| [l.speed.clamp(x.0, x.1), l.diffusivity.max(1e-9).log10().clamp(y.0, y.1)];
        let positions = looks.iter().flat_map(place).map(|v| v as f32).collect();
        let values = looks.iter().map(|l| l.pulses as f32).collect();
        let trails = Vec::new();
        ViewData::Points { positions, values, range: (1.0, 3.0), trails, trail_len: 0, backdrop: None, x, y }
    }

    fn error_curves(&self) -> ViewData {
        let frames = |ys: &[f64]| (1..=ys.len()).map(|k| k as f64).collect();
        let line = |name, role, ys: &Vec<f64>| Series::line(name, role, frames(ys), ys.clone());
        let series = vec![line("made", Role::Result, &self.errors), line("code", Role::Reference, &self.floors)];
        error_lines(series, (1.0, FRAMES as f64), (0.01, 1.0))
    }
}

fn caption(p: &Params) -> Result<Caption, EddyError> {
    if p.condition == Condition::Words { Caption::read(&p.caption) } else { Ok(Caption::default()) }
}

/// Captions that say everything, of one group: as taught, new combinations, new wordings.
fn captions(group: usize, seed: u32, chunk: usize) -> Vec<Case> {
    let pool: Vec<Attributes> = all_attributes().filter(|a| is_held_out(*a) == (group == 1)).collect();
    let case = |index: usize| {
        let draws = Philox::new(seed).words(Stream::Lift, 2, index as u32, 0);
        let caption = Caption::full(pool[index % pool.len()], group != 2, draws);
        Case { condition: caption.words.to_vec(), said: caption.said, truth: Vec::new() }
    };
    (chunk * CHUNK..(chunk + 1) * CHUNK).map(case).collect()
}

/// RMS change of a value from frame to frame.
fn change(blocks: &[f64]) -> f64 {
    let square = |block: &[f64]| block.windows(PLACES + 1).map(|w| (w[PLACES] - w[0]).powi(2)).sum::<f64>();
    (blocks.chunks_exact(BLOCK).map(square).sum::<f64>() / blocks.len().max(1) as f64).sqrt()
}

/// Adds the share of one of the tests in the mean of |made − true|/|true|, for each frame.
fn add_errors(sums: &mut [f64], made: &[f64], truth: &[f64]) {
    for ((sum, made), truth) in sums.iter_mut().zip(made.chunks_exact(PLACES)).zip(truth.chunks_exact(PLACES)) {
        let off: f64 = made.iter().zip(truth).map(|(a, b)| (a - b) * (a - b)).sum();
        *sum += (off / truth.iter().map(|u| u * u).sum::<f64>()).sqrt() / TESTS as f64;
    }
}

impl Run for BlockRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        budget.spend(|| {
            self.outcome.is_running().then(|| {
                self.work();
                1
            })
        });
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        let (p, made) = (&self.params, self.snapshots.len() / BLOCK + self.examples.count);
        let (prepared, trained) =
            (made as f64 / f64::from(p.trajectories.max(SNAPSHOTS as u32)), f64::from(self.step) / f64::from(p.steps));
        Progress {
            steps: self.step.into(),
            position: self.step.into(),
            fraction: 0.1 * prepared.min(1.0) + 0.9 * trained,
            work: f64::from(self.step) * f64::from(p.batch),
            work_unit: "examples",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F32)
    }
    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        self.draw();
        ready(Ok(match key {
            "looks" => self.looks(),
            "errors" => self.error_curves(),
            _ => self.mosaic(),
        }))
    }

    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let p: &Params = crate::own(params)?;
        self.caption = caption(p)?;
        let is_sampled_anew = (p.guidance, p.evaluations) != (self.params.guidance, self.params.evaluations);
        self.params = p.clone();
        self.solve_beside();
        if is_sampled_anew && self.outcome == Outcome::Finished {
            self.begin_evaluation();
            self.outcome = Outcome::Running;
        }
        Ok(())
    }

    fn weights(&self) -> Vec<Tensor> {
        self.model.net.weights("")
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        self.pictured = None;
        self.model.net.set_weights("", given, self.params.rate, self.params.steps.into())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
