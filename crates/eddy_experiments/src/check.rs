//! Checking a claim: every arm at every seed, then the same with the counter-setting, where the claim must fail.

use eddy_spec::{Claim, EddyError, Measured, Outcome, Setting, TestResult, Verdict};
use serde::Serialize;
use web_time::Instant;

use crate::{Budget, Context, Entry, Run};

struct Job {
    arm: usize,
    seed: u32,
    /// Part of the counter-setting's pass.
    counter: bool,
}

/// A check of one claim in progress; `advance` it until there is a verdict.
pub struct ClaimCheck {
    entry: &'static Entry,
    claim: &'static Claim,
    context: Context,
    seeds: Vec<u32>,
    jobs: Vec<Job>,
    next: usize,
    current: Option<Box<dyn Run>>,
    measured: Measured,
    measured_counter: Measured,
    /// Where the runs so far computed, each way once.
    devices: Vec<String>,
    with_counter: bool,
    seconds: f64,
}

/// How far a check is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckProgress {
    pub runs_done: usize,
    pub runs: usize,
    /// Fraction done in [0, 1].
    pub fraction: f64,
    pub seconds: f64,
    /// What runs now: arm and seed.
    pub doing: String,
    /// The inequalities on what is measured so far, at the seeds that every arm has finished.
    pub tests: Vec<TestResult>,
}

impl ClaimCheck {
    /// Prepares the check of `entry`'s claim at the claim's seeds, or at `seeds` if given.
    pub fn new(
        entry: &'static Entry,
        context: Context,
        seeds: Option<Vec<u32>>,
        with_counter: bool,
    ) -> Result<Self, EddyError> {
        let claim = entry.claim.as_ref().ok_or_else(|| {
            EddyError::new("claim-none", format!("“{}” states no claim: it is a bench to play with.", entry.title))
        })?;
        let seeds = seeds.filter(|s| !s.is_empty()).unwrap_or_else(|| claim.seeds.to_vec());
        // An experiment without a seed is deterministic and runs once.
        let seeds = if entry.table.iter().any(|p| p.key == "seed") && !seeds.is_empty() { seeds } else { vec![0] };
        let mut jobs = Vec::new();
        for &seed in &seeds {
            jobs.extend((0..claim.arms.len()).map(|arm| Job { arm, seed, counter: false }));
        }
        if with_counter {
            for &seed in &seeds {
                let changed = (0..claim.arms.len()).filter(|&arm| changes(claim, arm));
                jobs.extend(changed.map(|arm| Job { arm, seed, counter: true }));
            }
        }
        Ok(Self {
            entry,
            claim,
            context,
            seeds,
            jobs,
            next: 0,
            current: None,
            measured: Measured::default(),
            measured_counter: Measured::default(),
            devices: Vec::new(),
            with_counter,
            seconds: 0.0,
        })
    }

    /// Permalink of the run that job `job` makes.
    fn setting(&self, job: &Job) -> Result<Box<dyn crate::ErasedParams>, EddyError> {
        let arm = &self.claim.arms[job.arm];
        let mut params = self.entry.with(arm.setting)?;
        if self.entry.table.iter().any(|p| p.key == "seed") {
            params.set("seed", &job.seed.to_string())?;
        }
        if job.counter {
            for (key, text) in Setting::parse_query(self.claim.counter.change)? {
                params.set(&key, &text)?;
            }
        }
        Ok(params)
    }

    /// Moves on within the budget. Returns whether the check is finished.
    pub async fn advance(&mut self, budget: Budget) -> Result<bool, EddyError> {
        let started = Instant::now();
        let mut clock = budget.start();
        while self.next < self.jobs.len() {
            let mut run = match self.current.take() {
                Some(run) => run,
                None => self.setting(&self.jobs[self.next])?.start(&self.context)?,
            };
            let left = Budget { seconds: (budget.seconds - clock.elapsed_secs()).max(0.0), steps: clock.steps_left() };
            let before = run.progress().steps;
            run.advance(left).await?;
            let steps = run.progress().steps - before;
            if run.outcome().is_running() {
                self.current = Some(run);
            } else {
                self.finish(&*run);
            }
            if !clock.tick(steps) {
                break;
            }
        }
        self.seconds += started.elapsed().as_secs_f64();
        Ok(self.next == self.jobs.len())
    }

    fn finish(&mut self, run: &dyn Run) {
        let device = self.context.describe_run(run);
        if !self.devices.contains(&device) {
            self.devices.push(device);
        }
        let job = &self.jobs[self.next];
        let arm = &self.claim.arms[job.arm];
        // A run that did not finish has no final metrics; a test over them then measures nothing and does not hold.
        let metrics = match run.outcome() {
            Outcome::Finished | Outcome::StepLimit { .. } => run.record().latest_named(),
            _ => Vec::new(),
        };
        if job.counter {
            self.measured_counter.push(arm.name, job.seed, metrics);
        } else {
            if self.with_counter && !changes(self.claim, job.arm) {
                self.measured_counter.push(arm.name, job.seed, metrics.clone());
            }
            self.measured.push(arm.name, job.seed, metrics);
        }
        self.next += 1;
    }

    pub fn progress(&self) -> CheckProgress {
        let inner = self.current.as_ref().map_or(0.0, |r| r.progress().fraction.clamp(0.0, 1.0));
        let doing = self.jobs.get(self.next).map_or_else(String::new, |j| {
            let counter = if j.counter { ", counter-setting" } else { "" };
            format!("{} · seed {}{counter}", self.claim.arms[j.arm].name, j.seed)
        });
        CheckProgress {
            runs_done: self.next,
            runs: self.jobs.len(),
            fraction: (self.next as f64 + inner) / self.jobs.len().max(1) as f64,
            seconds: self.seconds,
            doing,
            tests: self.claim.judge(&self.measured),
        }
    }

    /// The verdict; `None` until every run has ended.
    pub fn verdict(&self) -> Option<Verdict> {
        if self.next < self.jobs.len() {
            return None;
        }
        let tests = self.claim.judge(&self.measured);
        let all = |results: &[TestResult]| results.iter().all(|t| t.held);
        Some(Verdict {
            held: all(&tests),
            counter_held: self.with_counter.then(|| all(&self.claim.judge(&self.measured_counter))),
            tests,
            seeds: self.seeds.clone(),
            seconds: self.seconds,
            device: self.devices.join(" and "),
        })
    }

    /// Final metrics of every run so far.
    pub fn measured(&self) -> &Measured {
        &self.measured
    }
}

/// Whether the counter-setting changes arm `arm`.
fn changes(claim: &Claim, arm: usize) -> bool {
    claim.counter.arms.is_empty() || claim.counter.arms.contains(&claim.arms[arm].name)
}
