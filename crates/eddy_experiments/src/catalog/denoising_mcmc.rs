//@ feature: sampler
//! # Do not start from pure noise every time
//!
//! A diffusion sampler comes down from the largest noise for every sample, and most of its steps only decide where to go.
//! Keep a Markov chain near the data instead, over points *and* noise levels together,
//!
//! $$p(x, \sigma) = p_\sigma(x)\,p(\sigma): \qquad x \leftarrow x + \tfrac{\eta}{2}\nabla \ln p_\sigma(x) + \sqrt\eta\,z, \qquad
//! \sigma \sim p(\sigma \mid x),$$
//!
//! and every few moves denoise a copy of the state from its own $\sigma$, which is small: a few steps suffice.
//!
//! The data are ten patterns of 8 × 8 pixels with a little noise, so score and $p(\sigma \mid x)$ are exact. All evaluations
//! count, those of the chains' first samples too. Samples of one chain are alike, so there are many chains.
//!
//! In two dimensions this fails: a point does not tell its noise there, and a step too long for a small $\sigma$ is not noticed.
//! With more evaluations the plain solver catches up.

use eddy_numerics::{
    diffusion::{Batch, Mixture, metrics::sliced_wasserstein},
    rng::{Philox, Stream},
    transport::denoising_chain::{DenoisingChain, denoise, log_levels},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Method {
    /// chain, then denoise
    Chain = "chain",
    /// denoise from the largest level
    Plain = "plain",
} }

params! { pub struct Params {
    /// Method.
    method: Method = Method::Chain => choice().group("Sampler"),
    /// Heun steps of a denoising run. Each but the last costs two evaluations.
    heun_steps: u32 = 4 => steps(1, 40).group("Sampler"),
    /// Moves of the chain between two samples.
    skip: u32 = 3 => steps(1, 20).group("Sampler").only_when("method", &["chain"]),
    /// Langevin step.
    eta: f64 = 0.5 => log(0.01, 2.0).symbol("\\eta").group("Sampler").only_when("method", &["chain"]),
    /// Largest noise.
    sigma_max: f64 = 30.0 => log(2.0, 100.0).symbol("\\sigma_{max}").group("Sampler"),
    /// Noise of a pixel.
    sd: f64 = 0.1 => log(0.02, 0.5).symbol("s").group("Data"),
    /// Chains.
    chains: u32 = 200 => steps(16, 500).group("Run"),
    /// Samples of each chain.
    per_chain: u32 = 20 => steps(2, 100).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

/// Ten digits, one byte per row, the left pixel highest.
const PATTERNS: [[u8; 8]; 10] = [
    [0x3c, 0x66, 0x66, 0x6e, 0x76, 0x66, 0x66, 0x3c],
    [0x18, 0x38, 0x78, 0x18, 0x18, 0x18, 0x18, 0x7e],
    [0x3c, 0x66, 0x06, 0x0c, 0x18, 0x30, 0x60, 0x7e],
    [0x3c, 0x66, 0x06, 0x1c, 0x1c, 0x06, 0x66, 0x3c],
    [0x0c, 0x1c, 0x3c, 0x6c, 0xcc, 0xfe, 0x0c, 0x0c],
    [0x7e, 0x60, 0x60, 0x7c, 0x06, 0x06, 0x66, 0x3c],
    [0x1c, 0x30, 0x60, 0x7c, 0x66, 0x66, 0x66, 0x3c],
    [0x7e, 0x06, 0x0c, 0x0c, 0x18, 0x18, 0x30, 0x30],
    [0x3c, 0x66, 0x66, 0x3c, 0x3c, 0x66, 0x66, 0x3c],
    [0x3c, 0x66, 0x66, 0x66, 0x3e, 0x06, 0x0c, 0x38],
];
const SIDE: usize = 8;
const DIM: usize = SIDE * SIDE;
/// Levels between which σ is drawn, the least of them, and the noise that the first samples get.
const LEVELS: usize = 120;
const LEAST: f64 = 0.01;
const FIRST_NOISE: f64 = 0.5;
/// Heun steps of a chain's first sample.
const FIRST_STEPS: u32 = 10;
const DIRECTIONS: usize = 96;
/// Samples on the stage, in rows and columns, and chains whose σ is drawn.
const SHOWN: usize = 4;
const DRAWN: usize = 5;

fn patterns(sd: f64) -> Result<Mixture, EddyError> {
    let pixel = |row: &u8, i: usize| if row >> (SIDE - 1 - i) & 1 == 1 { 1.0 } else { 0.0 };
    let mean = |p: &[u8; 8]| p.iter().flat_map(|row| (0..SIDE).map(move |i| pixel(row, i))).collect();
    let means: Vec<Vec<f64>> = PATTERNS.iter().map(mean).collect();
    Mixture::isotropic(DIM, &means, sd).map_err(|e| EddyError::start(e.to_string()))
}

pub struct DenoisingMcmc;

impl Experiment for DenoisingMcmc {
    type Params = Params;
    const TITLE: &'static str = "Denoising MCMC";
    const SUMMARY: &'static str = "Chains wander among noisy digits and are denoised from where they stand.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 78,
        key: "kim2023denoising",
        authors: "Beomsu Kim and Jong Chul Ye",
        title: "Denoising MCMC for Accelerating Diffusion-Based Generative Models",
        venue: "ICML",
        year: 2023,
        url: "https://arxiv.org/abs/2209.14593",
    }];
    const AXIS: Axis = Axis::linear("samples of each chain", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "w2",
            Axis::log("sliced Wasserstein distance", "W_2"),
            Better::Lower,
            "Sliced 2-Wasserstein distance (96 directions) of all samples to as many of the data, patterns in exact shares.",
        ),
        Metric::new(
            "floor",
            Axis::log("sliced Wasserstein distance of exact samples", "W_2^*"),
            Better::Neither,
            "The same distance for as many independent exact samples.",
        ),
        Metric::new(
            "tv",
            Axis::linear("error of the shares", "TV"),
            Better::Lower,
            "Total variation between the shares of the patterns among the samples and one tenth each.",
        ),
        Metric::new(
            "spread",
            Axis::linear("spread within a pattern", "\\hat s/s"),
            Better::Neither,
            "Standard deviation of the pixels about their pattern over the true one.",
        ),
        Metric::new(
            "evaluations",
            Axis::linear("evaluations per sample", "N"),
            Better::Lower,
            "Evaluations of score or denoiser per sample, counted, first samples of the chains included.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "samples",
            "samples",
            Axis::linear("pixel", "i"),
            Axis::linear("pixel", "j"),
            Axis::linear("brightness", "x"),
            ColorMap::Viridis,
        ),
        ViewSpec::field(
            "states",
            "chains",
            Axis::linear("pixel", "i"),
            Axis::linear("pixel", "j"),
            Axis::linear("brightness", "x"),
            ColorMap::Viridis,
        ),
        ViewSpec::lines("levels", "noise of the chains", Axis::linear("sample", "n"), Axis::log("noise", "\\sigma")),
    ];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "Heun from the largest level", change: "method=plain&heun_steps=6" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At about 11 evaluations per sample the chain (4-step Heun, eta 0.5, skip 3) has a sliced W2 <= 0.7x that of Heun from the largest level at 11, and at about 5 evaluations <= 0.3x, with a total variation of the pattern counts <= 0.15.",
        arms: &[
            Arm { name: "chain, 11", setting: "" },
            Arm { name: "plain, 11", setting: "method=plain&heun_steps=6" },
            Arm { name: "chain, 5", setting: "heun_steps=2&skip=1" },
            Arm { name: "plain, 5", setting: "method=plain&heun_steps=3" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "distance at 11 evaluations, chain / plain",
                measure: |m| m.ratio("chain, 11", "plain, 11", "w2"),
                bound: Bound::AtMost(0.7),
                unit: "×",
            },
            Test {
                label: "distance at 5 evaluations, chain / plain",
                measure: |m| m.ratio("chain, 5", "plain, 5", "w2"),
                bound: Bound::AtMost(0.3),
                unit: "×",
            },
            Test {
                label: "error of the shares",
                measure: |m| m.mean("chain, 11", "tv").max(m.mean("chain, 5", "tv")),
                bound: Bound::AtMost(0.15),
                unit: "",
            },
            Test {
                label: "evaluations of the chain per sample",
                measure: |m| m.mean("chain, 11", "evaluations"),
                bound: Bound::AtMost(11.0),
                unit: "",
            },
        ],
        counter: Counter {
            why: "A single step from the noise of a state ends at a mean over patterns, not at one.",
            arms: &["chain, 11", "chain, 5"],
            change: "heun_steps=1",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(ChainRun::new(p)?))
    }
}

struct ChainRun {
    params: Params,
    data: Mixture,
    chain: Option<DenoisingChain>,
    /// All samples, and the last one of each chain.
    samples: Vec<f64>,
    latest: Vec<f64>,
    done: u32,
    evaluations: u64,
    /// σ of the drawn chains, sample after sample.
    levels: Vec<Vec<f64>>,
    floor: Option<f64>,
    record: Record,
}

impl ChainRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let data = patterns(p.sd)?;
        Ok(Self {
            params: p.clone(),
            chain: None,
            latest: vec![0.0; p.chains as usize * DIM],
            samples: Vec::new(),
            done: 0,
            evaluations: 0,
            levels: vec![Vec::new(); DRAWN],
            floor: None,
            record: Record::of(DenoisingMcmc::METRICS),
            data,
        })
    }

    /// Samples of all chains from pure noise.
    fn from_noise(&mut self, steps: u32, draw: u32) -> Vec<f64> {
        let (count, sigma) = (self.params.chains as usize, self.params.sigma_max);
        let x = Batch::<f64>::normal(DIM, count, sigma, &Philox::new(self.params.seed), Stream::Prior, draw);
        (0..count).flat_map(|i| self.denoised(x.point(i), sigma, steps)).collect()
    }

    fn denoised(&mut self, x: Vec<f64>, sigma: f64, steps: u32) -> Vec<f64> {
        let (x, evaluations) = denoise(&self.data, x, sigma, steps);
        self.evaluations += u64::from(evaluations);
        x
    }

    /// One sample of every chain.
    fn step(&mut self) -> Result<(), EddyError> {
        let p = self.params.clone();
        self.latest = match p.method {
            Method::Plain => self.from_noise(p.heun_steps, self.done),
            Method::Chain => {
                let mut chain = match self.chain.take() {
                    Some(chain) => chain,
                    None => self.first(&p)?,
                };
                for _ in 0..p.skip {
                    chain.advance();
                    self.evaluations += u64::from(p.chains);
                }
                let states: Vec<(Vec<f64>, f64)> =
                    (0..chain.x().len()).map(|i| (chain.x().point(i), chain.sigma()[i])).collect();
                for (line, (_, sigma)) in self.levels.iter_mut().zip(&states) {
                    line.push(*sigma);
                }
                self.chain = Some(chain);
                states.into_iter().flat_map(|(x, sigma)| self.denoised(x, sigma, p.heun_steps)).collect()
            }
        };
        self.samples.extend(&self.latest);
        self.done += 1;
        if self.done == p.per_chain || self.done.is_multiple_of(5) {
            self.write_row();
        }
        Ok(())
    }

    /// Chains at a full sample each with some noise.
    fn first(&mut self, p: &Params) -> Result<DenoisingChain, EddyError> {
        let rng = Philox::new(p.seed);
        let start = self.from_noise(FIRST_STEPS, 0);
        let mut x = Batch::from_points(DIM, &start);
        x.add_normal(FIRST_NOISE, &rng, Stream::Data, 1);
        let levels = log_levels(LEAST, p.sigma_max, LEVELS);
        DenoisingChain::new(self.data.clone(), levels, p.eta, x, FIRST_NOISE, rng)
            .map_err(|e| EddyError::start(e.to_string()))
    }

    fn write_row(&mut self) {
        let x = Batch::<f64>::from_points(DIM, &self.samples);
        let rng = Philox::new(self.params.seed);
        let target = self.data.sample_stratified(x.len(), 1.0, 0.0, &rng, Stream::Control);
        let w2 = sliced_wasserstein(&x, &target, DIRECTIONS);
        let ends = self.done == self.params.per_chain;
        if ends && self.floor.is_none() {
            let exact = self.data.sample(x.len(), 1.0, 0.0, &rng, Stream::Data);
            self.floor = Some(sliced_wasserstein(&exact, &target, DIRECTIONS));
        }
        let (mut counts, mut square) = ([0u32; PATTERNS.len()], 0.0);
        for sample in self.samples.chunks_exact(DIM) {
            let (nearest, distance) = self.nearest(sample);
            counts[nearest] += 1;
            square += distance;
        }
        let share = |c: &u32| f64::from(*c) / x.len() as f64;
        let tv = 0.5 * counts.iter().map(|c| (share(c) - 1.0 / PATTERNS.len() as f64).abs()).sum::<f64>();
        let spread = (square / (x.len() * DIM) as f64).sqrt() / self.params.sd;
        let per_sample = self.evaluations as f64 / x.len() as f64;
        let floor = self.floor.unwrap_or(f64::NAN);
        self.record.push(f64::from(self.done), &[w2, floor, tv, spread, per_sample]);
    }

    /// The nearest pattern and the squared distance to it.
    fn nearest(&self, x: &[f64]) -> (usize, f64) {
        let square = |m: &[f64]| x.iter().zip(m).map(|(x, m)| (x - m) * (x - m)).sum::<f64>();
        let all = self.data.components().iter().map(|c| square(&c.mean)).enumerate();
        all.fold((0, f64::INFINITY), |best, now| if now.1 < best.1 { now } else { best })
    }

    fn tiles(points: impl Fn(usize) -> Option<Vec<f64>>) -> ViewData {
        let side = SHOWN * (SIDE + 1) - 1;
        let mut data = vec![0.0_f32; side * side];
        for tile in 0..SHOWN * SHOWN {
            let Some(point) = points(tile) else { continue };
            let (row, column) = (tile / SHOWN * (SIDE + 1), tile % SHOWN * (SIDE + 1));
            for (k, v) in point.iter().enumerate() {
                // Row 0 of a field is its bottom.
                let (y, x) = (side - 1 - row - k / SIDE, column + k % SIDE);
                data[y * side + x] = if v.is_finite() { v.clamp(-1e6, 1e6) as f32 } else { 0.0 };
            }
        }
        let ends = (0.0, side as f64);
        ViewData::Field { nx: side, ny: side, data, x: ends, y: ends, range: (-0.3, 1.3) }
    }

    fn level_lines(&self) -> ViewData {
        let count = self.levels[0].len();
        if count == 0 {
            return ViewData::Empty;
        }
        let all = self.levels.iter().flatten();
        let (low, high) = all.fold((f64::INFINITY, 0.0_f64), |(a, b), s| (a.min(*s), b.max(*s)));
        let xs: Vec<f64> = (1..=count).map(|k| k as f64).collect();
        let line = |(i, ys): (usize, &Vec<f64>)| {
            let role = if i == 0 { Role::Result } else { Role::Second };
            Series::line(format!("chain {}", i + 1), role, xs.clone(), ys.clone())
        };
        let series = self.levels.iter().enumerate().map(line).collect();
        ViewData::Lines { series, x: (1.0, f64::from(self.params.per_chain)), y: (0.7 * low, 1.4 * high) }
    }
}

impl Run for ChainRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.done < self.params.per_chain {
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
        if self.done >= self.params.per_chain { Outcome::Finished } else { Outcome::Running }
    }

    fn progress(&self) -> Progress {
        Progress {
            steps: self.done.into(),
            position: self.done.into(),
            fraction: f64::from(self.done) / f64::from(self.params.per_chain),
            work: self.evaluations as f64,
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
            "levels" => self.level_lines(),
            "states" => match &self.chain {
                Some(chain) => Self::tiles(|i| (i < chain.x().len()).then(|| chain.x().point(i))),
                None => ViewData::Empty,
            },
            _ => Self::tiles(|i| self.latest.get(i * DIM..(i + 1) * DIM).map(<[f64]>::to_vec)),
        }))
    }
}
