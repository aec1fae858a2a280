//@ feature: sampler
//! # When does a masked token show itself?
//!
//! Masked diffusion hides the tokens of a text and uncovers each of them once on the way back from $t = 1$ to $t = 0$. The
//! usual sampler walks a grid: from $t$ to $s$ each masked token becomes $v$ with probability $\tfrac{t-s}{t}\,\pi_v$ and
//! stays hidden otherwise, a categorical draw for every masked token at every step. But the time at which the *first* of
//! $n$ masked tokens shows itself is known in closed form,
//!
//! $$\tau_{n-1} = \tau_n\,u^{1/n}, \qquad u \sim U(0, 1),$$
//!
//! which one it is is uniform, and its value comes from the model: one draw per token, no grid, the same law.
//!
//! The second point is numerical. A categorical draw $\arg\max_v(\ln p_v - \ln(-\ln u_v))$ with uniforms of $b$ bits cannot see
//! probabilities below $2^{-b}$. With many steps all $p_v$ are that small, only the likely tokens get through, the entropy of
//! the text falls, and a judge that likes likely text is pleased. In single precision ($b = 24$) it takes a large vocabulary
//! and thousands of steps; here 64 tokens and 512 steps show it at $b = 12$. The bits are a dial, not a model of one machine.
//!
//! The model is exact: every token follows Zipf's law, whatever the others are.

use eddy_numerics::{
    rng::Philox,
    transport::masked::{MASK, MaskedSampler, TokenLaw},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Marker, Metric, Outcome, Role,
    Series, Test, ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Sampler {
    /// first-hitting
    FirstHitting = "first-hitting",
    /// ancestral, on a grid
    Ancestral = "ancestral",
} }

params! { pub struct Params {
    /// Sampler.
    sampler: Sampler = Sampler::FirstHitting => choice().group("Sampler"),
    /// Steps. Of the grid; the first-hitting sampler has none.
    grid_steps: u32 = 512 => steps(1, 4096).symbol("N").group("Sampler").only_when("sampler", &["ancestral"]),
    /// Bits of the uniforms. Numbers of single precision in [0, 1) have 24, of double precision 53.
    bits: u32 = 53 => steps(8, 53).symbol("b").group("Sampler"),
    /// Vocabulary.
    tokens: u32 = 64 => steps(2, 1024).symbol("V").group("Model"),
    /// Exponent of Zipf's law. 0: all tokens alike.
    zipf: f64 = 1.2 => range(0.0, 3.0).symbol("s").group("Model"),
    /// Length of a text.
    length: u32 = 64 => steps(1, 256).symbol("L").group("Run"),
    /// Texts.
    texts: u32 = 128 => steps(1, 512).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Curve. Measures other numbers of steps after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Steps of the curve's points, and how many texts each has.
const SWEEP: [u32; 7] = [8, 16, 32, 64, 128, 256, 512];
const SWEEP_TEXTS: usize = 32;
/// Texts on the stage.
const SHOWN: usize = 32;

impl Params {
    fn law(&self) -> TokenLaw {
        TokenLaw::zipf(self.tokens as usize, self.zipf)
    }

    fn ancestral(&self, steps: u32, texts: usize) -> MaskedSampler {
        MaskedSampler::ancestral(self.law(), self.length as usize, texts, steps, self.bits, Philox::new(self.seed))
    }

    fn sampler(&self) -> MaskedSampler {
        let texts = self.texts as usize;
        match self.sampler {
            Sampler::Ancestral => self.ancestral(self.grid_steps, texts),
            Sampler::FirstHitting => {
                let rng = Philox::new(self.seed);
                MaskedSampler::first_hitting(self.law(), self.length as usize, texts, self.bits, rng)
            }
        }
    }
}

pub struct FirstHittingSampler;

impl Experiment for FirstHittingSampler {
    type Params = Params;
    const TITLE: &'static str = "First hits of masked diffusion";
    const SUMMARY: &'static str = "Hidden tokens show themselves one by one, at times that need no grid.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 51,
        key: "zheng2025masked",
        authors: "Kaiwen Zheng and Yongxin Chen and Hanzi Mao and Ming-Yu Liu and Jun Zhu and Qinsheng Zhang",
        title: "Masked Diffusion Models are Secretly Time-Agnostic Masked Models and Exploit Inaccurate Categorical Sampling",
        venue: "ICLR",
        year: 2025,
        url: "https://arxiv.org/abs/2409.02908",
    }];
    const AXIS: Axis = Axis::linear("categorical draws per token", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "deficit",
            Axis::linear("missing entropy", "H - \\hat H").unit("nats"),
            Better::Neither,
            "Entropy of the model less that of all uncovered tokens. Even exact tokens miss about (V − 1)/2n of it.",
        ),
        Metric::new(
            "chi2",
            Axis::log("χ² per degree of freedom", "\\chi^2/(V-1)"),
            Better::Lower,
            "Pearson's statistic of the uncovered tokens against the model: about 1 if they follow it.",
        ),
        Metric::new(
            "draws",
            Axis::linear("categorical draws per token", "n"),
            Better::Lower,
            "Draws of all tokens together, counted, over the number of tokens.",
        ),
        Metric::new("hidden", Axis::linear("hidden tokens", "m"), Better::Neither, "Share of the tokens still masked."),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "texts",
            "texts",
            Axis::linear("position", "i"),
            Axis::linear("text", "k"),
            Axis::linear("likelier tokens brighter, hidden ones dark", "\\log_2"),
            ColorMap::Viridis,
        ),
        ViewSpec::lines("shares", "token shares", Axis::log("rank", "k"), Axis::log("share", "\\pi_k")),
        ViewSpec::curves(
            "race",
            "entropy against steps",
            Axis::log("steps of the grid", "N"),
            Axis::linear("entropy", "H").unit("nats"),
        ),
    ];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "ancestral, 512 steps, 12 bits", change: "sampler=ancestral&grid_steps=512&bits=12" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With 12-bit uniforms and 512 steps the entropy of the tokens falls by >= 0.3 nat below the exact value, while f64 uniforms and the first-hitting sampler stay within 0.05 nat, the latter with <= 1/8 of the categorical draws.",
        arms: &[
            Arm { name: "12 bits", setting: "sampler=ancestral&bits=12&curve=off" },
            Arm { name: "f64", setting: "sampler=ancestral&curve=off" },
            Arm { name: "first-hitting", setting: "curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "missing entropy with 12 bits",
                measure: |m| m.min("12 bits", "deficit"),
                bound: Bound::AtLeast(0.3),
                unit: "nats",
            },
            Test {
                label: "missing entropy with f64 uniforms, either way",
                measure: |m| m.max("f64", "deficit").abs().max(m.min("f64", "deficit").abs()),
                bound: Bound::AtMost(0.05),
                unit: "nats",
            },
            Test {
                label: "missing entropy of the first-hitting sampler, either way",
                measure: |m| m.max("first-hitting", "deficit").abs().max(m.min("first-hitting", "deficit").abs()),
                bound: Bound::AtMost(0.05),
                unit: "nats",
            },
            Test {
                label: "draws, first-hitting / f64 ancestral",
                measure: |m| m.ratio("first-hitting", "f64", "draws"),
                bound: Bound::AtMost(0.125),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "On 24 bits the least probability of a step, about 1e-5, is still far above the spacing of the uniforms.",
            arms: &["12 bits"],
            change: "bits=24",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(MaskedRun::new(p)))
    }
}

/// The texts, then the points of the curve one after another.
struct MaskedRun {
    params: Params,
    sampler: MaskedSampler,
    /// The point of the curve at work, and those done as (steps, entropy).
    point: Option<MaskedSampler>,
    curve: Vec<(f64, f64)>,
    steps: u64,
    record: Record,
}

impl MaskedRun {
    fn new(p: &Params) -> Self {
        let record = Record::of(FirstHittingSampler::METRICS);
        Self { params: p.clone(), sampler: p.sampler(), point: None, curve: Vec::new(), steps: 0, record }
    }

    fn points(&self) -> usize {
        if self.params.curve { SWEEP.len() } else { 0 }
    }

    fn is_done(&self) -> bool {
        self.sampler.is_done() && self.curve.len() == self.points()
    }

    fn step(&mut self) {
        if !self.sampler.is_done() {
            self.sampler.step();
            self.write_row();
            return;
        }
        let (params, next) = (&self.params, SWEEP[self.curve.len()]);
        let point = self.point.get_or_insert_with(|| params.ancestral(next, SWEEP_TEXTS));
        point.step();
        if point.is_done() {
            self.curve.push((f64::from(next), TokenLaw::observed_entropy(point.counts())));
            self.point = None;
        }
    }

    fn write_row(&mut self) {
        let s = &self.sampler;
        let (all, shown) = (s.tokens().len() as f64, s.counts().iter().sum::<u64>() as f64);
        let draws = s.draws() as f64 / all;
        // Of a hundred tokens neither an entropy nor a χ² says anything.
        let (deficit, chi) = if shown >= 100.0 {
            (s.law().entropy() - TokenLaw::observed_entropy(s.counts()), s.law().chi_square(s.counts()))
        } else {
            (f64::NAN, f64::NAN)
        };
        self.record.push(draws, &[deficit, chi, draws, 1.0 - shown / all]);
    }

    fn texts(&self) -> ViewData {
        let (length, size) = (self.sampler.length(), self.sampler.law().probabilities().len());
        let rows = SHOWN.min(self.params.texts as usize);
        // Ranks by octaves, the likeliest on top; hidden tokens lie two octaves below the rarest.
        let top = (size as f64).log2() + 2.0;
        let value = |t: &u16| if *t == MASK { 0.0 } else { top - f64::from(t + 1).log2() };
        let data = self.sampler.tokens()[..rows * length].iter().map(|t| value(t) as f32).collect();
        ViewData::Field {
            nx: length,
            ny: rows,
            data,
            x: (0.0, length as f64),
            y: (0.0, rows as f64),
            range: (0.0, top),
        }
    }

    fn shares(&self) -> ViewData {
        let law = self.sampler.law();
        let total = self.sampler.counts().iter().sum::<u64>().max(1) as f64;
        let ranks: Vec<f64> = (1..=law.probabilities().len()).map(|k| k as f64).collect();
        let observed = self.sampler.counts().iter().map(|c| if *c == 0 { f64::NAN } else { *c as f64 / total });
        let mut dots = Series::line("tokens", Role::Result, ranks.clone(), observed.collect());
        dots.marker = Marker::Dots;
        let least = law.probabilities().last().copied().unwrap_or(1.0);
        let most = law.probabilities()[0];
        let series = vec![Series::line("model", Role::Reference, ranks.clone(), law.probabilities().to_vec()), dots];
        ViewData::Lines { series, x: (1.0, ranks.len() as f64), y: (0.1 * least, 2.0 * most) }
    }

    fn race(&self) -> ViewData {
        if self.points() == 0 {
            return ViewData::Empty;
        }
        let exact = self.sampler.law().entropy();
        let (xs, ys): (Vec<f64>, Vec<f64>) = self.curve.iter().copied().unzip();
        let ends = (f64::from(SWEEP[0]), f64::from(SWEEP[SWEEP.len() - 1]));
        let low = ys.iter().copied().fold(0.8 * exact, f64::min);
        let label = format!("ancestral, {} bits", self.params.bits);
        let series = vec![
            Series::line("model", Role::Reference, vec![ends.0, ends.1], vec![exact; 2]),
            Series::dotted(label, Role::Result, xs, ys),
        ];
        ViewData::Lines { series, x: ends, y: (low - 0.05, exact + 0.1) }
    }
}

impl Run for MaskedRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while !self.is_done() {
            self.step();
            self.steps += 1;
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
        let curve = if self.points() > 0 { SWEEP.iter().sum::<u32>() } else { 0 };
        let all = f64::from(self.sampler.steps() + curve);
        Progress {
            steps: self.steps,
            position: self.sampler.draws() as f64 / self.sampler.tokens().len() as f64,
            fraction: (self.steps as f64 / all).min(1.0),
            work: self.sampler.draws() as f64,
            work_unit: "draws",
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
            "texts" => self.texts(),
            "shares" => self.shares(),
            "race" => self.race(),
            _ => ViewData::Empty,
        }))
    }
}
