//@ feature: flow
//! # Two steps, trained as two steps
//!
//! A flow that turns noise into waves is trained one time at a time and knows nothing of the solver that will be used.
//! With few Euler steps its waves are dull: what the condition does not determine is averaged away. Instead of distilling
//! it into another network, take the solver as it is, two steps of it, call the whole thing a generator,
//!
//! $$G(x_0, c) = x_0 + \sum_{k} h\,v_\theta(x_k, t_k, c),$$
//!
//! and *fine-tune* it for a few hundred steps on what a listener hears: log-spectra at several lengths, and
//! discriminators. One discriminator sees every second sample, one every fourth, so that each looks at one phase of a
//! period. Gradients run back through all steps of the solver.
//!
//! Here waves have 64 samples: three damped harmonics whose frequency and damping are the condition, a band of noise and
//! a little noise everywhere. Frequencies in every fifth cell of the range are never trained on; all distances are
//! measured there, between the mean power spectrum of 16 waves and the exact one. The network gives the wave that it
//! expects, $D$, and $v = (D - x)/(1 - t)$.
//!
//! Watch the *spread*. The paper compares each wave with one true wave. Where the condition leaves room for noise, as
//! here, that is least for a wave of medium loudness at every frequency, always the same one: with one wave in a group the
//! spread falls to a few hundredths and the spectrum gets worse than before. So waves of one condition are compared in
//! groups, by their mean power, and each is free to differ. The discriminators then add little. The paper also matches
//! features of the discriminators and has one that looks at bands, on speech; neither is here.
//!
//! *Sound* plays held-out waves end to end, 125 a second, sixteen of each of eight conditions, as a voice is made of
//! pulses: true ones, those of the solver before it was tuned, and those of now. Untuned, the hiss on top of each note is
//! missing.

use eddy_nets::{Activation, Adam, Architecture, Engine, JetSpec, NetError, Network};
use eddy_numerics::rng::{Philox, Stream};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Measured, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::flow::{error_lines, optimizer, with_gaps},
    ready,
    weights::{Tensor, fill, tensors},
};

#[path = "periodwave_turbo/dense.rs"]
mod dense;
#[path = "periodwave_turbo/judge.rs"]
mod judge;
#[path = "periodwave_turbo/page.rs"]
mod page;
#[path = "periodwave_turbo/spectral_loss.rs"]
mod spectral_loss;
#[path = "periodwave_turbo/waves.rs"]
mod waves;

use dense::Tape;
use judge::Judge;
use spectral_loss::SpectralLoss;
use waves::{BINS, Condition, FEATURES, LEN, Spectra, Transform, log_distance_squared, noise_power};

/// The largest norm of a gradient.
const CLIP: Option<f64> = Some(10.0);

choice! { pub enum Tuning {
    /// spectra and discriminators
    Adversarial = "adversarial",
    /// spectra alone
    Spectra = "spectra",
    /// none: as many more steps of flow matching
    Flow = "flow",
} }

choice! { pub enum Generator {
    /// 1
    One = "1",
    /// 2
    Two = "2",
    /// 4
    Four = "4",
} }

params! { pub struct Params {
    /// Fine-tuning.
    tuning: Tuning = Tuning::Adversarial => choice().group("Method"),
    /// Steps of the generator.
    generator: Generator = Generator::Two => choice().symbol("N").group("Method"),
    /// Weight of the spectra against the discriminators.
    weight: f64 = 10.0 => log(0.1, 100.0).symbol("\\lambda").group("Method").only_when("tuning", &["adversarial"]),
    /// Waves whose mean spectrum is compared. 1 compares each wave with one true wave, as the paper does.
    group: u32 = 8 => steps(1, 32).symbol("M").group("Method").only_when("tuning", &["adversarial", "spectra"]),
    /// Units of each of three layers.
    width: u32 = 128 => steps(8, 128).group("Network"),
    /// Steps of flow matching.
    steps: u32 = 3000 => steps(10, 10_000).group("Network"),
    /// Steps of fine-tuning.
    more: u32 = 500 => steps(10, 2000).group("Network"),
    /// Waves per step.
    batch: u32 = 64 => steps(8, 128).group("Network"),
    /// Learning rate. It falls along half a cosine.
    rate: f64 = 2e-3 => log(1e-5, 0.1).symbol("\\eta").group("Network"),
    /// Learning rate of the fine-tuning.
    tuning_rate: f64 = 1e-3 => log(1e-5, 0.1).symbol("\\eta'").group("Network"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

/// Inputs of the network: the wave, the condition, the time with its sine and cosine.
const INPUTS: usize = LEN + FEATURES + 3;
/// Held-out conditions, waves of each, and conditions per unit of work.
const TESTS: usize = 24;
const DRAWS: usize = 16;
const CHUNK: usize = 2;
/// Step counts of the curve; the last one counts as many.
const COUNTS: [usize; 5] = [1, 2, 4, 8, 16];
/// Rows of the record per training.
const ROWS: u32 = 4;
/// Share of the running average that a step of fine-tuning keeps.
const KEEP: f32 = 0.98;
/// The held-out condition that is drawn.
const DRAWN: usize = 13;
/// Samples per second where waves are listened to, and every how manieth held-out condition is.
const RATE: f64 = 8000.0;
const NOTES: usize = 3;

pub struct PeriodwaveTurbo;

/// Median over the seeds of the ratio of two metrics of the tuned generator.
fn median_ratio(m: &Measured, above: &str, below: &str) -> f64 {
    let pairs = m.values("tuned", above).into_iter().zip(m.values("tuned", below));
    let mut ratios: Vec<f64> = pairs.map(|(a, b)| a / b).collect();
    if ratios.is_empty() || ratios.iter().any(|r| r.is_nan()) {
        return f64::NAN;
    }
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

impl Experiment for PeriodwaveTurbo {
    type Params = Params;
    const TITLE: &'static str = "PeriodWave-Turbo: two-step waves";
    const SUMMARY: &'static str = "Fine-tune a solver of two steps by its spectra until it matches one of sixteen.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 52,
        key: "lee2024accelerating",
        authors: "Sang-Hoon Lee and Ha-Yeong Choi and Seong-Whan Lee",
        title: "Accelerating High-Fidelity Waveform Generation via Adversarial Flow Matching Optimization",
        venue: "arXiv",
        year: 2024,
        url: "https://arxiv.org/abs/2408.08019",
    }];
    const AXIS: Axis = Axis::linear("training steps", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "few",
            Axis::linear("log-spectral distance of the generator", "d(N)").unit("dB"),
            Better::Lower,
            "RMS difference in decibels between the mean power of 16 waves and the exact one, over all frequencies of 24 held-out conditions.",
        ),
        Metric::new(
            "untuned",
            Axis::linear("the same before the fine-tuning", "d_0(N)").unit("dB"),
            Better::Lower,
            "Log-spectral distance of as many Euler steps at the end of the flow matching.",
        ),
        Metric::new(
            "many",
            Axis::linear("the same, 16 steps, before the fine-tuning", "d_0(16)").unit("dB"),
            Better::Lower,
            "Log-spectral distance of 16 Euler steps at the end of the flow matching.",
        ),
        Metric::new(
            "floor",
            Axis::linear("log-spectral distance of true waves", "d^*").unit("dB"),
            Better::Neither,
            "The same distance for 16 true waves of each condition.",
        ),
        Metric::new(
            "spread",
            Axis::linear("spread of the generator's waves", "s").unit("×"),
            Better::Neither,
            "Variance of its waves of one condition over the exact variance: 1 is right, 0 is always the same wave.",
        ),
        Metric::new(
            "untuned_spread",
            Axis::linear("the same before the fine-tuning", "s_0").unit("×"),
            Better::Neither,
            "Spread of as many Euler steps at the end of the flow matching.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines(
            "spectrum",
            "power spectrum",
            Axis::linear("cycles per wave", "k"),
            Axis::linear("mean power", "P").unit("dB"),
        ),
        ViewSpec::lines("waves", "waves", Axis::linear("sample", "n"), Axis::linear("amplitude", "x")),
        ViewSpec::lines(
            "sound",
            "sound",
            Axis::linear("time", "t").unit("s"),
            Axis::linear("amplitude, each in its own lane", "x"),
        )
        .heard(RATE),
        ViewSpec::curves(
            "race",
            "distance against steps",
            Axis::log("Euler steps", "N"),
            Axis::log("log-spectral distance", "d").unit("dB"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "more flow matching", change: "tuning=flow" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "Tuned for at most 500 steps, the two-step generator is at most 0.6 times as far from held-out \
                   waves, in log-spectral distance, as two untuned steps, and at most 1.2 times as far as sixteen.",
        arms: &[Arm { name: "tuned", setting: "" }],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "distance, tuned 2 steps / untuned 2 steps, median of the seeds",
                measure: |m| median_ratio(m, "few", "untuned"),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
            Test {
                label: "distance, tuned 2 steps / untuned 16 steps, median of the seeds",
                measure: |m| median_ratio(m, "few", "many"),
                bound: Bound::AtMost(1.2),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "More flow matching fits the field better, not its two steps.",
            arms: &[],
            change: "tuning=flow",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(WaveRun::new(p)?))
    }
}

/// Distances and spreads at all step counts, with the spectra of the condition that is drawn.
#[derive(Clone, Default)]
struct Quality {
    distances: Vec<f64>,
    spreads: Vec<f64>,
    drawn: Vec<[f64; BINS]>,
}

/// A measurement under way: the spectra of the step count in hand.
#[derive(Default)]
struct Measuring {
    done: Quality,
    spectra: Vec<Spectra>,
}

struct WaveRun {
    params: Params,
    /// While tuned beside it, the average is what is measured.
    network: Network<f32>,
    average: Network<f32>,
    engine: Engine<f32>,
    adam: Adam<f32>,
    gradient: Vec<f32>,
    inputs: Vec<f32>,
    targets: Vec<f32>,
    judges: Vec<Judge>,
    loss: SpectralLoss,
    tapes: Vec<Tape>,
    transform: Transform,
    tests: Vec<Condition>,
    exact: Vec<[f64; BINS]>,
    floor: f64,
    step: u32,
    measuring: Option<Measuring>,
    before: Option<Quality>,
    now: Option<Quality>,
    /// Waves of the notes end to end: true ones, those before the fine-tuning, those of the last measurement.
    melodies: [Vec<f64>; 3],
    outcome: Outcome,
    record: Record,
}

impl WaveRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let refused = |e: NetError| EddyError::start(format!("The network cannot be built. {e}"));
        let architecture = Architecture::dense(INPUTS, &[p.width as usize; 3], LEN, Activation::Tanh);
        let network = Network::<f32>::new(architecture, u64::from(p.seed)).map_err(refused)?;
        let engine = Engine::new(&network, &JetSpec::value(INPUTS)).map_err(refused)?;
        let count = network.parameters.len();
        let transform = Transform::new();
        let rng = Philox::new(p.seed);
        let tests: Vec<Condition> = (0..TESTS)
            .map(|i| {
                // Spread over the range, so that every seed tests all of it.
                let [u, v, ..] = rng.uniforms(Stream::Control, 3, i as u32, 0);
                Condition::new((i as f64 + u) / TESTS as f64, v, true)
            })
            .collect();
        let exact: Vec<_> = tests.iter().map(|c| c.power(&transform)).collect();
        let mut sum = 0.0;
        for (i, condition) in tests.iter().enumerate() {
            let mut spectra = Spectra::default();
            (0..DRAWS)
                .for_each(|j| spectra.add(&transform, &condition.draw(&rng, Stream::Control, (i * DRAWS + j) as u32)));
            sum += log_distance_squared(&spectra.power(), &exact[i]);
        }
        Ok(Self {
            average: network.clone(),
            network,
            engine,
            adam: optimizer(count, p.rate, p.steps.into(), CLIP),
            gradient: vec![0.0; count],
            inputs: Vec::new(),
            targets: Vec::new(),
            judges: [2, 4]
                .iter()
                .map(|period| Judge::new(*period, p.seed, p.more))
                .collect::<Result<_, _>>()
                .map_err(refused)?,
            loss: SpectralLoss::new(),
            tapes: Vec::new(),
            transform,
            exact,
            floor: (sum / TESTS as f64).sqrt(),
            step: 0,
            measuring: Some(Measuring::default()),
            before: None,
            now: None,
            melodies: [true_melody(&tests, &rng), Vec::new(), Vec::new()],
            tests,
            outcome: Outcome::Running,
            record: Record::of(PeriodwaveTurbo::METRICS),
            params: p.clone(),
        })
    }

    fn all_steps(&self) -> u32 {
        self.params.steps + self.params.more
    }
    fn rng(&self) -> Philox {
        Philox::new(self.params.seed.wrapping_mul(0x9E37_79B9).wrapping_add(self.step + 1))
    }

    /// One unit of work. Returns the steps it counts as: measuring counts as none.
    fn work(&mut self) -> u64 {
        if self.measuring.is_some() {
            self.measure();
            return 0;
        }
        if self.step == self.params.steps && self.params.tuning != Tuning::Flow {
            self.adam = optimizer(self.gradient.len(), self.params.tuning_rate, self.params.more.into(), CLIP);
        }
        let tuned = self.step >= self.params.steps && self.params.tuning != Tuning::Flow;
        let loss = if tuned { self.tune() } else { self.match_flow() };
        self.step += 1;
        let keep = if tuned { KEEP } else { 0.0 };
        for (average, now) in self.average.parameters.iter_mut().zip(&self.network.parameters) {
            *average = keep * *average + (1.0 - keep) * now;
        }
        if !loss.is_finite() {
            self.outcome = Outcome::Diverged {
                step: self.step.into(),
                cause: "a training step made the network overflow".to_owned(),
                advice: "Lower the learning rates.".to_owned(),
                repair: None,
            };
            return 1;
        }
        let (done, of) = if self.step > self.params.steps {
            (self.step - self.params.steps, self.params.more)
        } else {
            (self.step, self.params.steps)
        };
        if done == of || done.is_multiple_of((of / ROWS).max(1)) {
            self.measuring = Some(Measuring::default());
        }
        1
    }

    /// Condition, noise and wave number `i` of this step; as many in a row as a group has share the condition.
    fn example(&self, rng: &Philox, i: usize, group: usize) -> (Condition, [f64; LEN], [f64; LEN]) {
        let [u, v, ..] = rng.uniforms(Stream::Corrector, 0, (i - i % group) as u32, 0);
        let condition = Condition::new(u, v, false);
        (condition, noise(rng, Stream::Prior, i as u32), condition.draw(rng, Stream::Data, i as u32))
    }

    /// Flow matching: x_t = (1−t) x₀ + t x₁, and D should be x₁. The square of the velocity's error is that of D's over
    /// (1−t)²; the 0.1 keeps the last times from drowning the rest.
    fn match_flow(&mut self) -> f64 {
        let (rng, batch) = (self.rng(), self.params.batch as usize);
        let mut weights = vec![0.0_f32; batch];
        self.inputs.clear();
        self.targets.clear();
        for (i, weight) in weights.iter_mut().enumerate() {
            let (condition, start, end) = self.example(&rng, i, 1);
            let t = rng.uniforms(Stream::Corrector, 0, i as u32, 0)[2];
            self.inputs.extend((0..LEN).map(|n| ((1.0 - t) * start[n] + t * end[n]) as f32));
            self.inputs.extend(context(&condition, t));
            self.targets.extend(end.map(|v| v as f32));
            *weight = (1.0 / (1.1 - t).powi(2) / batch as f64) as f32;
        }
        let targets = &self.targets;
        let value = self.engine.gradient(&self.network, &self.inputs, &mut self.gradient, |tile| {
            let mut sum = 0.0;
            for i in 0..tile.len {
                let weight = weights[tile.start + i];
                for (n, target) in targets[(tile.start + i) * LEN..][..LEN].iter().enumerate() {
                    let difference = tile.jet(n, 0)[i] - target;
                    sum += f64::from(weight * difference * difference);
                    tile.adjoint(n, 0)[i] = 2.0 * weight * difference;
                }
            }
            sum
        });
        let norm = self.adam.step(&mut self.network.parameters, &mut self.gradient);
        if norm.is_finite() { value } else { f64::NAN }
    }

    /// One step of the discriminators and one of the generator, whose gradient runs back through all Euler steps.
    fn tune(&mut self) -> f64 {
        let (rng, batch) = (self.rng(), self.params.batch as usize);
        let (mut conditions, mut x, mut real) = (Vec::new(), vec![0.0; LEN * batch], vec![0.0; LEN * batch]);
        for i in 0..batch {
            let (condition, start, end) = self.example(&rng, i, self.params.group as usize);
            conditions.push(condition);
            for n in 0..LEN {
                (x[n * batch + i], real[n * batch + i]) = (start[n] as f32, end[n] as f32);
            }
        }
        let steps = COUNTS[self.few()];
        self.tapes.resize_with(steps, Tape::default);
        generate(&self.network, &mut x, &conditions, steps, &mut self.tapes);

        let mut adjoint = vec![0.0; LEN * batch];
        let mut loss = 0.0;
        let weight = if self.params.tuning == Tuning::Adversarial { self.params.weight as f32 } else { 1.0 };
        let column = |from: &[f32], i: usize| -> [f32; LEN] { std::array::from_fn(|n| from[n * batch + i]) };
        let all: Vec<usize> = (0..batch).collect();
        for group in all.chunks(self.params.group as usize) {
            let part = group.len() as f32 / batch as f32;
            let [waves, truths] = [&x, &real].map(|from| group.iter().map(|i| column(from, *i)).collect::<Vec<_>>());
            let mut adjoints = vec![[0.0; LEN]; group.len()];
            loss += part * self.loss.add(&waves, &truths, weight * part, &mut adjoints);
            for (i, a) in group.iter().zip(&adjoints) {
                (0..LEN).for_each(|n| adjoint[n * batch + i] = a[n]);
            }
        }
        let mut loss = f64::from(weight * loss);
        if self.params.tuning == Tuning::Adversarial {
            for judge in &mut self.judges {
                loss += judge.learn(&real, &x, &conditions);
                loss += judge.persuade(&x, &conditions, &mut adjoint);
            }
        }
        self.gradient.fill(0.0);
        pull_back(&self.network, adjoint, &self.tapes[..steps], &mut self.gradient);
        let norm = self.adam.step(&mut self.network.parameters, &mut self.gradient);
        if norm.is_finite() { loss } else { f64::NAN }
    }

    /// Waves of test conditions `from` to `to`, `DRAWS` each, in `steps` steps of the average, [sample of the wave][wave].
    fn test_waves(&mut self, from: usize, to: usize, steps: usize) -> Vec<f32> {
        let rng = Philox::new(self.params.seed);
        let count = (to - from) * DRAWS;
        let mut x = vec![0.0; LEN * count];
        let mut conditions = Vec::new();
        for j in 0..count {
            conditions.push(self.tests[from + j / DRAWS]);
            let start = noise(&rng, Stream::Path, (from * DRAWS + j) as u32);
            (0..LEN).for_each(|n| x[n * count + j] = start[n] as f32);
        }
        self.tapes.resize_with(self.tapes.len().max(1), Tape::default);
        generate(&self.average, &mut x, &conditions, steps, &mut self.tapes[..1]);
        x
    }

    /// Waves of the notes as the generator makes them now.
    fn melody(&mut self) -> Vec<f64> {
        let steps = COUNTS[self.few()];
        let mut melody = Vec::with_capacity(TESTS.div_ceil(NOTES) * DRAWS * LEN);
        for note in (0..TESTS).step_by(NOTES) {
            let x = self.test_waves(note, note + 1, steps);
            melody.extend((0..DRAWS).flat_map(|j| (0..LEN).map(move |n| n * DRAWS + j)).map(|k| f64::from(x[k])));
        }
        melody
    }

    /// Some conditions at one step count; the row once all are done.
    fn measure(&mut self) {
        let Some(mut measuring) = self.measuring.take() else { return };
        let steps = COUNTS[measuring.done.distances.len()];
        let from = measuring.spectra.len();
        let to = (from + CHUNK).min(TESTS);
        let x = self.test_waves(from, to, steps);
        let count = (to - from) * DRAWS;
        for c in 0..to - from {
            let mut spectra = Spectra::default();
            for j in c * DRAWS..(c + 1) * DRAWS {
                spectra.add(&self.transform, &std::array::from_fn(|n| f64::from(x[n * count + j])));
            }
            measuring.spectra.push(spectra);
        }
        if measuring.spectra.len() == TESTS {
            let all = std::mem::take(&mut measuring.spectra);
            let powers: Vec<_> = all.iter().map(Spectra::power).collect();
            let square = powers.iter().zip(&self.exact).map(|(p, e)| log_distance_squared(p, e)).sum::<f64>();
            let exact = (0..BINS).map(noise_power).sum::<f64>();
            measuring.done.distances.push((square / TESTS as f64).sqrt());
            measuring.done.spreads.push(all.iter().map(Spectra::spread).sum::<f64>() / (TESTS as f64 * exact));
            measuring.done.drawn.push(powers[DRAWN]);
        }
        if measuring.done.distances.len() == COUNTS.len() {
            self.write_row(measuring.done);
        } else {
            self.measuring = Some(measuring);
        }
    }

    /// Where the generator's step count stands among [`COUNTS`].
    fn few(&self) -> usize {
        match self.params.generator {
            Generator::One => 0,
            Generator::Two => 1,
            Generator::Four => 2,
        }
    }

    fn write_row(&mut self, now: Quality) {
        let few = self.few();
        if self.step <= self.params.steps {
            self.before = Some(now.clone());
        }
        self.melodies[2] = self.melody();
        if self.step <= self.params.steps {
            self.melodies[1] = self.melodies[2].clone();
        }
        let before = |of: fn(&Quality) -> &Vec<f64>, at: usize| self.before.as_ref().map_or(f64::NAN, |b| of(b)[at]);
        let row = [
            now.distances[few],
            before(|q| &q.distances, few),
            before(|q| &q.distances, COUNTS.len() - 1),
            self.floor,
            now.spreads[few],
            before(|q| &q.spreads, few),
        ];
        self.record.push(self.step.into(), &row);
        self.now = Some(now);
        if self.step == self.all_steps() {
            self.outcome = Outcome::Finished;
        }
    }

    /// The measured qualities: now, and before the fine-tuning once it has begun.
    fn moments(&self) -> impl Iterator<Item = (&'static str, Role, &Quality)> {
        let before = self.before.as_ref().filter(|_| self.step > self.params.steps);
        let before = before.map(|q| ("untuned", Role::Second, q));
        before.into_iter().chain(self.now.as_ref().map(|q| ("now", Role::Result, q)))
    }
}

fn true_melody(tests: &[Condition], rng: &Philox) -> Vec<f64> {
    let wave = |k: usize| tests[k / DRAWS].draw(rng, Stream::Control, k as u32);
    (0..TESTS).step_by(NOTES).flat_map(|note| note * DRAWS..(note + 1) * DRAWS).flat_map(wave).collect()
}

/// Independent standard normal numbers.
fn noise(rng: &Philox, stream: Stream, index: u32) -> [f64; LEN] {
    let mut out = [0.0; LEN];
    for (c, part) in out.chunks_mut(4).enumerate() {
        part.copy_from_slice(&rng.normals(stream, 0, index, c as u32)[..part.len()]);
    }
    out
}

/// What the network sees beside the wave.
fn context(condition: &Condition, t: f64) -> impl Iterator<Item = f32> {
    let (sin, cos) = (std::f64::consts::PI * t).sin_cos();
    condition.features().into_iter().chain([t, sin, cos]).map(|v| v as f32)
}

/// Euler steps of equal length from 0 to 1: with v = (D − x)/(1 − t) a step goes the share 1/(steps left) of the way to D.
/// Step k is kept on tape k, or on the last one there is.
fn generate(network: &Network<f32>, x: &mut [f32], conditions: &[Condition], steps: usize, tapes: &mut [Tape]) {
    let count = conditions.len();
    let last = tapes.len() - 1;
    for k in 0..steps {
        let tape = &mut tapes[k.min(last)];
        let inputs = tape.inputs(INPUTS, count);
        inputs[..LEN * count].copy_from_slice(x);
        for (i, condition) in conditions.iter().enumerate() {
            for (n, value) in context(condition, k as f64 / steps as f64).enumerate() {
                inputs[(LEN + n) * count + i] = value;
            }
        }
        tape.forward(network);
        let share = 1.0 / (steps - k) as f32;
        x.iter_mut().zip(tape.outputs()).for_each(|(x, d)| *x += share * (d - *x));
    }
}

/// Takes the derivative of a loss by the generated waves back through all steps; adds it to `gradient`.
fn pull_back(network: &Network<f32>, mut adjoint: Vec<f32>, tapes: &[Tape], gradient: &mut [f32]) {
    for (k, tape) in tapes.iter().enumerate().rev() {
        let share = 1.0 / (tapes.len() - k) as f32;
        let outputs: Vec<f32> = adjoint.iter().map(|a| share * a).collect();
        let below = tape.backward(network, &outputs, Some(gradient), if k == 0 { 0 } else { LEN });
        for (a, b) in adjoint.iter_mut().zip(&below) {
            *a = (1.0 - share) * *a + b;
        }
    }
}

#[cfg(test)]
#[path = "periodwave_turbo/tests.rs"]
mod tests;
