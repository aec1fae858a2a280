//@ feature: flow
//! # Charges in D more dimensions
//!
//! Put the data as charges on the plane $r = 0$ of a space with $D$ more dimensions and follow the electric field lines.
//! Only the distance $r$ from the plane matters, and the field is that of noise with heavy tails: the kernel
//!
//! $$p_r(x \mid y) \propto \bigl(|x - y|^2 + r^2\bigr)^{-(N+D)/2}, \qquad r = \sigma\sqrt{D},$$
//!
//! is Student's t with $D$ degrees of freedom and scale $\sigma$. $D = 1$ is the Poisson flow, $D \to \infty$ is Gaussian
//! diffusion. With $r = \sigma\sqrt D$ everything else stays: the flow $dx/d\sigma = (x - \hat y)/\sigma$, Heun's method, the
//! levels, the scaling of the network, its loss.
//!
//! A small network is trained here while you watch. Then points are sampled twice, once as they should be and once with
//! noise $a\,\sigma z$ added after every step, as a stand-in for anything that disturbs a sampler. With few dimensions the
//! network has seen points far away from their level and brings them back, so the disturbance costs less.
//!
//! The price: undisturbed, small $D$ is worse than $D = \infty$. The paper's claim is about the ratio, so both are shown. With
//! the exact denoiser there is nothing to see: its last step puts every point on the data. The second picture is that
//! exact field: the field lines of a point between two modes straighten as $D$ falls.

use eddy_numerics::{
    diffusion::{
        Batch, Denoiser, Edm, Mixture, MixtureModel, Node, Spacing, grid,
        metrics::sliced_wasserstein,
        poisson_flow::{PoissonFlow, chi_squared},
        targets,
    },
    rng::{Philox, Stream},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Measured, Metric, Outcome, Role, Series, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::{
        flow::{Cloud, FieldNetwork, Loss, Trails, angles, density, error_lines},
        sampler::refused,
    },
    ready,
    weights::Tensor,
};

choice! { pub enum Extra {
    /// 1: Poisson flow
    One = "1",
    /// 4
    Four = "4",
    /// 16
    Sixteen = "16",
    /// 128
    Many = "128",
    /// 2048
    Thousands = "2048",
    /// ∞: Gaussian diffusion
    Infinite = "infinite",
} }

impl Extra {
    /// D, none for ∞.
    fn dimensions(self) -> Option<f64> {
        match self {
            Self::One => Some(1.0),
            Self::Four => Some(4.0),
            Self::Sixteen => Some(16.0),
            Self::Many => Some(128.0),
            Self::Thousands => Some(2048.0),
            Self::Infinite => None,
        }
    }
}

params! { pub struct Params {
    /// Dimensions added.
    extra: Extra = Extra::Sixteen => choice().symbol("D").group("Field"),
    /// Noise after every step. In units of the level; the second sampling has it.
    stress: f64 = 0.4 => range(0.0, 0.6).symbol("a").group("Sampling"),
    /// Levels. Heun's method: two evaluations each but for the last.
    levels: u32 = 18 => steps(4, 60).symbol("N").group("Sampling"),
    /// Radius of the ring.
    radius: f64 = 1.4 => range(0.5, 3.0).symbol("R").group("Data"),
    /// Width of a mode.
    sd: f64 = 0.15 => log(0.05, 0.5).symbol("s").group("Data"),
    /// Training steps.
    steps: u32 = 4000 => steps(10, 20_000).group("Training"),
    /// Examples per step.
    batch: u32 = 256 => steps(16, 1024).group("Training"),
    /// Width of the two layers.
    width: u32 = 64 => steps(8, 128).group("Training"),
    /// Learning rate.
    rate: f64 = 3e-3 => log(1e-4, 2e-2).group("Training"),
    /// Particles.
    particles: u32 = 4000 => steps(50, 10_000).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
} }

/// Highest and lowest level of sampling. The data are of size 1, so that 40 is far.
const TOP: f64 = 40.0;
const LEAST: f64 = 0.02;
/// Law of ln σ in training: Karras et al.'s, a little wider for the distance between the modes.
const LOG_MEAN: f64 = -0.8;
const LOG_SPREAD: f64 = 1.4;
/// Disturbances of the curve.
const STRESSES: [f64; 5] = [0.0, 0.1, 0.2, 0.3, 0.4];
/// Rows of the record.
const ROWS: u32 = 10;
/// Particles on the stage.
const SHOWN: usize = 400;
const TRAILS: usize = 60;
/// Field lines of the second picture.
const FIELD_LINES: usize = 13;

const CLEAN: Metric = Metric::new(
    "w2",
    Axis::log("sliced Wasserstein distance", "W_2"),
    Better::Lower,
    "Sliced 2-Wasserstein distance (64 directions) of the samples to a stratified sample of the data.",
);
const STRESSED: Metric = Metric::new(
    "w2_stress",
    Axis::log("sliced Wasserstein distance under stress", "W_2(a)"),
    Better::Lower,
    "The same with noise added after every step.",
);
const LOSS: Metric = Metric::new(
    "loss",
    Axis::log("loss", "L"),
    Better::Lower,
    "Mean loss of the last training steps, before weighting.",
);
const FLOOR: Metric = Metric::new(
    "floor",
    Axis::log("sliced Wasserstein distance of exact samples", "W_2^*"),
    Better::Neither,
    "The same distance for as many independent exact samples.",
);
const ASKED: Metric = Metric::new(
    "evaluations",
    Axis::linear("evaluations per sampling", "N_e"),
    Better::Lower,
    "Evaluations of the network for one sampling, counted by it.",
);

pub struct PfgmPp;

/// W₂ with stress over W₂ without.
fn growth(m: &Measured, arm: &str) -> f64 {
    m.mean(arm, "w2_stress") / m.mean(arm, "w2")
}

impl Experiment for PfgmPp {
    type Params = Params;
    const TITLE: &'static str = "PFGM++: between Poisson flow and diffusion";
    const SUMMARY: &'static str = "Field lines of charges in D more dimensions; few of them make a sampler sturdy.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 90,
        key: "xu2023pfgmpp",
        authors: "Yilun Xu and Ziming Liu and Yonglong Tian and Shangyuan Tong and Max Tegmark and Tommi Jaakkola",
        title: "PFGM++: Unlocking the Potential of Physics-Inspired Generative Models",
        venue: "ICML",
        year: 2023,
        url: "https://arxiv.org/abs/2302.04265",
    }];
    const AXIS: Axis = Axis::linear("training step", "n");
    const METRICS: &'static [Metric] = &[CLEAN, STRESSED, LOSS, FLOOR, ASKED];
    const VIEWS: &'static [ViewSpec] = &[
        Cloud::BY_START,
        ViewSpec::curves(
            "race",
            "distance against stress",
            Axis::linear("noise after every step", "a"),
            Axis::log("sliced Wasserstein distance", "W_2"),
        ),
        ViewSpec::lines(
            "field",
            "exact field lines",
            Axis::linear("level", "\\log_{10}\\sigma"),
            Axis::linear("position over its level", "x_1/\\sqrt{1+\\sigma^2}"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "D = ∞", change: "extra=infinite" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "The growth of the sliced W2 under noise of 0.4 after every step is for D = 4 and D = 16 <= 0.85x that for D = infinity, while without it the W2 of D = 128 is within 1.1x of that of D = infinity.",
        arms: &[
            Arm { name: "D = 4", setting: "extra=4" },
            Arm { name: "D = 16", setting: "extra=16" },
            Arm { name: "D = 128", setting: "extra=128" },
            Arm { name: "D = ∞", setting: "extra=infinite" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "growth under stress, D = 4 / D = ∞",
                measure: |m| growth(m, "D = 4") / growth(m, "D = ∞"),
                bound: Bound::AtMost(0.85),
                unit: "×",
            },
            Test {
                label: "growth under stress, D = 16 / D = ∞",
                measure: |m| growth(m, "D = 16") / growth(m, "D = ∞"),
                bound: Bound::AtMost(0.85),
                unit: "×",
            },
            Test {
                label: "without stress, D = 128 / D = ∞",
                measure: |m| m.ratio("D = 128", "D = ∞", "w2"),
                bound: Bound::AtMost(1.1),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "With D = 2048 instead of 4 and 16 the field is that of diffusion, and so is the harm.",
            arms: &["D = 4", "D = 16"],
            change: "extra=2048",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(FlowRun::new(p)?))
    }
}

/// A network with the scaling of Karras et al. 2022 (table 1): ŷ = c_skip x + c_out F(c_in x, ln σ/4).
struct Learned {
    network: FieldNetwork,
    data_sd: f64,
    evaluations: u64,
}

impl Learned {
    /// c_skip, c_out, c_in.
    fn scales(&self, sigma: f64) -> (f64, f64, f64) {
        let (s2, d2) = (sigma * sigma, self.data_sd * self.data_sd);
        (d2 / (s2 + d2), sigma * self.data_sd / (s2 + d2).sqrt(), 1.0 / (s2 + d2).sqrt())
    }

    fn train(&mut self, clean: &Batch<f64>, noise: &Batch<f64>, level: impl Fn(usize) -> f64) -> f64 {
        let scales: Vec<_> = (0..clean.len()).map(|i| (level(i), self.scales(level(i)))).collect();
        self.network.train(clean.len(), Loss::Square, |i, input, target| {
            let (sigma, (skip, out, scale)) = scales[i];
            for d in 0..2 {
                let y = clean.coordinate(d)[i];
                let x = y + sigma * noise.coordinate(d)[i];
                input[d] = scale * x;
                target[d] = (y - skip * x) / out;
            }
            input[2] = 0.25 * sigma.ln();
        })
    }
}

impl Denoiser<f64> for Learned {
    fn dim(&self) -> usize {
        2
    }
    fn epsilon(&mut self, x: &Batch<f64>, node: &Node, out: &mut Batch<f64>) {
        self.data(x, node, out);
        out.combine(-1.0 / node.sigma, &[(1.0 / node.sigma, x)]);
    }
    fn data(&mut self, x: &Batch<f64>, node: &Node, out: &mut Batch<f64>) {
        self.evaluations += 1;
        let (skip, scale_out, scale_in) = self.scales(node.sigma);
        let mut input = x.clone();
        input.combine(scale_in, &[]);
        self.network.evaluate(&input, 0.25 * node.sigma.ln(), out);
        out.combine(scale_out, &[(skip, x)]);
    }
    fn evaluations(&self) -> u64 {
        self.evaluations
    }
}

/// Noise of the kernel of scale 1: normal, or Student's t with D degrees of freedom.
fn kernel_noise(len: usize, extra: Option<f64>, rng: &Philox) -> Batch<f64> {
    let mut z = Batch::normal(2, len, 1.0, rng, Stream::Path, 0);
    if let Some(d) = extra {
        for p in 0..len {
            let stretch = (d / chi_squared(d, rng, p as u32)).sqrt();
            (0..2).for_each(|k| z.coordinate_mut(k)[p] *= stretch);
        }
    }
    z
}

/// Karras et al.'s levels and 0.
fn levels(count: u32) -> Result<Vec<Node>, EddyError> {
    let mut nodes = grid(&Edm, Spacing::Karras { rho: 7.0 }, TOP, LEAST, count.max(2) as usize - 1).map_err(refused)?;
    nodes.push(Node { t: 0.0, alpha: 1.0, sigma: 0.0, lambda: f64::INFINITY });
    Ok(nodes)
}

/// Heun's method over `nodes`, the last step one of Euler, with noise `stress` · σ added at the end of each step: none at the
/// end of the last, where σ = 0.
fn sample(
    model: &mut dyn Denoiser<f64>,
    mut x: Batch<f64>,
    nodes: &[Node],
    stress: f64,
    rng: &Philox,
    mut visit: impl FnMut(&Node, &Batch<f64>),
) -> Batch<f64> {
    let (mut first, mut second) = (x.clone(), x.clone());
    for (i, pair) in nodes.windows(2).enumerate() {
        let h = pair[1].sigma - pair[0].sigma;
        model.epsilon(&x, &pair[0], &mut first);
        if pair[1].sigma > 0.0 {
            let mut probe = x.clone();
            probe.combine(1.0, &[(h, &first)]);
            model.epsilon(&probe, &pair[1], &mut second);
            x.combine(1.0, &[(0.5 * h, &first), (0.5 * h, &second)]);
            x.add_normal(stress * pair[1].sigma, rng, Stream::Corrector, i as u32);
        } else {
            x.combine(1.0, &[(h, &first)]);
        }
        visit(&pair[1], &x);
    }
    x
}

struct FlowRun {
    params: Params,
    law: Mixture,
    model: Learned,
    nodes: Vec<Node>,
    start: Batch<f64>,
    reference: Batch<f64>,
    floor: f64,
    step: u32,
    loss: (f64, u32),
    /// Points of the curve over the stress.
    curve: Vec<f64>,
    trails: Trails,
    ends: Batch<f64>,
    field: Option<ViewData>,
    backdrop: ViewData,
    limit: f64,
    outcome: Outcome,
    record: Record,
}

impl FlowRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let law = targets::ring(8, p.radius, p.sd);
        let (rng, count) = (Philox::new(p.seed), p.particles as usize);
        let mut start = kernel_noise(count, p.extra.dimensions(), &rng);
        start.combine(TOP, &[]);
        let reference = law.sample_stratified(count, 1.0, 0.0, &rng, Stream::Control);
        let another = law.sample(count, 1.0, 0.0, &rng, Stream::Corrector);
        let limit = (1.25 * law.extent()).max(2.0);
        let network = FieldNetwork::new(2, &[p.width as usize; 2], p.seed, p.rate, p.steps.into())?;
        // Spread of one coordinate of the data.
        let data_sd = (0.5 * law.mean_square()).sqrt();
        Ok(Self {
            nodes: levels(p.levels)?,
            floor: sliced_wasserstein(&another, &reference, 64),
            model: Learned { network, data_sd, evaluations: 0 },
            ends: start.head(SHOWN),
            backdrop: density(&law, limit),
            law,
            start,
            reference,
            step: 0,
            loss: (0.0, 0),
            curve: Vec::new(),
            trails: Trails::of(TRAILS),
            field: None,
            limit,
            outcome: Outcome::Running,
            record: Record::of(PfgmPp::METRICS),
            params: p.clone(),
        })
    }

    fn all_steps(&self) -> u32 {
        self.params.steps + STRESSES.len() as u32
    }

    fn work(&mut self) {
        if self.step < self.params.steps {
            self.train();
        } else {
            let stress = STRESSES[self.curve.len().min(STRESSES.len() - 1)];
            let (distance, _) = self.distance(stress);
            self.curve.push(distance);
        }
        self.step += 1;
        if self.step == self.all_steps() && self.outcome == Outcome::Running {
            self.outcome = Outcome::Finished;
        }
    }

    fn train(&mut self) {
        let batch = self.params.batch as usize;
        let rng = Philox::new(self.params.seed.wrapping_mul(0x9E37_79B9).wrapping_add(self.step + 1));
        let clean = self.law.sample(batch, 1.0, 0.0, &rng, Stream::Data);
        let noise = kernel_noise(batch, self.params.extra.dimensions(), &rng);
        let level = |i: usize| (LOG_MEAN + LOG_SPREAD * rng.normals(Stream::Control, 0, i as u32, 0)[0]).exp();
        let loss = self.model.train(&clean, &noise, level);
        if !loss.is_finite() {
            self.outcome = Outcome::Diverged {
                step: self.step.into(),
                cause: "a training step made the network overflow".to_owned(),
                advice: "Lower the learning rate.".to_owned(),
                repair: None,
            };
            return;
        }
        self.loss = (self.loss.0 + loss, self.loss.1 + 1);
        let done = self.step + 1;
        if done == self.params.steps || done.is_multiple_of((self.params.steps / ROWS).max(1)) {
            self.write_row();
        }
    }

    /// Distance of a sampling to the data, and its evaluations.
    fn distance(&mut self, stress: f64) -> (f64, u64) {
        let before = self.model.evaluations;
        let rng = Philox::new(self.params.seed.wrapping_add(101));
        let ends = sample(&mut self.model, self.start.clone(), &self.nodes, stress, &rng, |_, _| ());
        (sliced_wasserstein(&ends, &self.reference, 64), self.model.evaluations - before)
    }

    fn write_row(&mut self) {
        let (clean, asked) = self.distance(0.0);
        let (stressed, _) = self.distance(self.params.stress);
        let loss = self.loss.0 / f64::from(self.loss.1.max(1));
        self.loss = (0.0, 0);
        self.record.push(f64::from(self.step + 1), &[clean, stressed, loss, self.floor, asked as f64]);
        let mut trails = Trails::of(TRAILS);
        let shown = self.start.head(SHOWN);
        let shrink = |node: &Node, x: &Batch<f64>| {
            let mut y = x.clone();
            y.combine(1.0 / 1.0_f64.hypot(node.sigma), &[]);
            y
        };
        trails.push(&shrink(&self.nodes[0], &shown));
        let rng = Philox::new(self.params.seed.wrapping_add(101));
        self.ends = sample(&mut self.model, shown, &self.nodes, self.params.stress, &rng, |node, x| {
            trails.push(&shrink(node, x));
        });
        self.trails = trails;
    }

    fn cloud(&self) -> ViewData {
        let pi = std::f64::consts::PI;
        let shown = if self.record.x().is_empty() {
            let mut start = self.ends.clone();
            start.combine(1.0 / 1.0_f64.hypot(TOP), &[]);
            start
        } else {
            self.ends.clone()
        };
        let mut cloud = Cloud::new(&shown, angles(&self.start.head(SHOWN)), (-pi, pi), self.limit);
        cloud.trails = self.trails.clone();
        cloud.backdrop = Some(self.backdrop.clone());
        cloud.view()
    }

    /// Lines of the exact field, from starts spread over the first axis.
    fn field_lines(&self) -> Result<ViewData, EddyError> {
        let start: Vec<f64> =
            (0..FIELD_LINES).flat_map(|i| [TOP * 0.35 * (i as f64 - 0.5 * (FIELD_LINES - 1) as f64), 0.0]).collect();
        let mut model: Box<dyn Denoiser<f64>> = match self.params.extra.dimensions() {
            Some(d) => Box::new(PoissonFlow::new(self.law.clone(), d).map_err(refused)?),
            None => Box::new(MixtureModel::new(self.law.clone())),
        };
        let place = |node: &Node, x: &Batch<f64>| -> Vec<f64> {
            x.coordinate(0).iter().map(|v| v / 1.0_f64.hypot(node.sigma)).collect()
        };
        let x = Batch::from_points(2, &start);
        let nodes = levels(30)?;
        let mut lines = vec![(nodes[0].sigma, place(&nodes[0], &x))];
        sample(model.as_mut(), x, &nodes, 0.0, &Philox::new(0), |node, x| {
            if node.sigma > 0.0 {
                lines.push((node.sigma, place(node, x)));
            }
        });
        let xs: Vec<f64> = lines.iter().map(|l| l.0.log10()).collect();
        let series = (0..FIELD_LINES)
            .map(|i| Series::line("field line", Role::Result, xs.clone(), lines.iter().map(|l| l.1[i]).collect()))
            .collect();
        Ok(ViewData::Lines { series, x: (LEAST.log10(), TOP.log10()), y: (-2.5, 2.5) })
    }
}

impl Run for FlowRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome == Outcome::Running {
            self.work();
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
            steps: self.step.into(),
            position: f64::from(self.step.min(self.params.steps)),
            fraction: f64::from(self.step) / f64::from(self.all_steps()),
            work: f64::from(self.step) * f64::from(self.params.batch),
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
        ready(Ok(match key {
            "race" => {
                let xs = STRESSES[..self.curve.len()].to_vec();
                let floor = Series::line("exact samples", Role::Reference, vec![0.0, 0.4], vec![self.floor; 2]);
                error_lines(
                    vec![Series::dotted("learned", Role::Result, xs, self.curve.clone()), floor],
                    (0.0, 0.42),
                    (0.03, 0.3),
                )
            }
            "field" => {
                if self.field.is_none() {
                    match self.field_lines() {
                        Ok(view) => self.field = Some(view),
                        Err(e) => return ready(Err(e)),
                    }
                }
                self.field.clone().unwrap_or_else(|| self.cloud())
            }
            _ => self.cloud(),
        }))
    }

    fn weights(&self) -> Vec<Tensor> {
        self.model.network.weights("")
    }

    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        self.model.network.set_weights("", given, self.params.rate, self.params.steps.into())?;
        self.field = None;
        Ok(())
    }
}

#[cfg(test)]
#[path = "pfgm_pp/tests.rs"]
mod tests;
