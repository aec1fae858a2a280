//@ feature: flow
//! # Restoring a picture by descent
//!
//! Of a picture $x_0$ only $y = A x_0$ plus noise is known. Fit a narrow Gaussian around $\mu$ to what the measurement
//! and a diffusion model together say of it. What is to be minimized is a misfit and, at every noise level, how badly
//! the model guesses the noise that was added to $\mu$. Leaving out the Jacobian of the network gives a descent along
//!
//! $$g = \nabla_\mu\,\frac{|A\mu - y|^2}{2\|A\|^2} + \lambda\,w_t\,\bigl(\varepsilon_\theta(x_t, t) - \varepsilon\bigr),
//! \qquad x_t = \alpha_t\mu + \sigma_t\varepsilon,$$
//!
//! with fresh noise and one call of the denoiser per step, $t$ swept from noise to data, and Adam. Which weight? With
//! $\varepsilon_\theta - \varepsilon = \alpha_t\,(\mu - \hat x)/\sigma_t$ the choice $w_t = \sigma_t/\alpha_t$ turns
//! the second part into $\lambda(\mu - \hat x)$: every level pulls to its clean estimate with the same strength. A
//! constant weight forgets the noisy levels, which decide about what is where.
//!
//! *DPS* instead samples: it goes the way from noise to picture and steers by the gradient of the misfit *through* the
//! denoiser, as many passes backward as forward.
//!
//! Know before you trust it. Peak signal-to-noise ratio favours a method that seeks one likely picture, as this does;
//! its spread over repeated restorations is smaller than that of samples. $\lambda$ has the units of the misfit, so
//! every method has three tries; yet in the hole the misfit says nothing and Adam divides by the length of the
//! gradient, so that a small $\lambda$ is no weaker there. The denoiser is exact, of a mixture of 600 pictures, which
//! helps DPS more than a network would: the lead of descent over it is 0.4 to more than 2 dB, as the draw has it, and
//! from means of 4 × 4 pixels, or where the hole may hide a whole shape, DPS restores better.

use eddy_numerics::{
    diffusion::{Schedule, VpLinear, templates::Templates},
    rng::{Philox, Stream},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Measured, Metric, Outcome, Role, Test,
    ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::flow::{
        restore::{Pictures, Problem, Task, Truth, decibel_limits, is_lost, noises, way_line},
        shapes::{PICTURES, PIXELS, Size, add_noise, mosaic, prior},
        sweep_lines,
    },
    ready,
};

choice! { pub enum Method {
    /// RED-diff
    Red = "red-diff",
    /// DPS
    Dps = "dps",
} }

choice! { pub enum Weight {
    /// σ/α
    InverseSnr = "inverse-snr",
    /// √(σ/α)
    Root = "root",
    /// (σ/α)²
    Square = "square",
    /// constant
    Constant = "constant",
} }

impl Weight {
    fn at(self, alpha: f64, sigma: f64) -> f64 {
        let ratio = sigma / alpha;
        match self {
            Self::InverseSnr => ratio,
            Self::Root => ratio.sqrt(),
            Self::Square => ratio * ratio,
            Self::Constant => 1.0,
        }
    }
}

params! { pub struct Params {
    /// Measurement.
    task: Task = Task::Box => choice().group("Problem"),
    /// Noise of the measurement.
    noise: f64 = 0.02 => range(0.0, 0.5).symbol("\\sigma_y").group("Problem"),
    /// Size of the shapes. The box may hide a small one as a whole.
    shapes: Size = Size::Large => choice().group("Problem"),
    /// Pictures to restore.
    truth: Truth = Truth::HeldOut => choice().group("Problem"),
    /// Method.
    method: Method = Method::Red => choice().group("Method"),
    /// Weight of a noise level.
    weight: Weight = Weight::InverseSnr => choice().group("Method").only_when("method", &["red-diff"]),
    /// Strength of the model.
    lambda: f64 = 0.1 => log(1e-3, 100.0).symbol("\\lambda").group("Method").only_when("method", &["red-diff"]),
    /// Learning rate.
    rate: f64 = 0.1 => log(1e-3, 1.0).symbol("\\eta").group("Method").only_when("method", &["red-diff"]),
    /// Strength of the steering.
    zeta: f64 = 1.4 => log(0.01, 100.0).symbol("\\zeta").group("Method").only_when("method", &["dps"]),
    /// Denoiser calls per picture.
    evaluations: u32 = 100 => steps(5, 1000).symbol("N").group("Method"),
    /// Number of pictures.
    samples: u32 = 32 => steps(1, 64).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Curve. Measures other strengths after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Strengths of the curve, and its pictures.
const STRENGTHS: [f64; 7] = [0.01, 0.1, 0.3, 0.7, 1.4, 2.8, 6.0];
const CURVE_IMAGES: usize = 8;
const LINES: [(Method, Weight, &str, Role); 3] = [
    (Method::Red, Weight::InverseSnr, "RED-diff, σ/α", Role::Result),
    (Method::Red, Weight::Constant, "RED-diff, constant", Role::Second),
    (Method::Dps, Weight::Constant, "DPS", Role::Third),
];
/// Pictures that are shown, and those restored twice.
const SHOWN: usize = 8;
const TWICE: usize = 8;
/// Adam's averages and what keeps its steps finite.
const DECAYS: (f64, f64) = (0.9, 0.99);
const TINY: f64 = 1e-8;

const SNR: [&str; 3] = ["σ/α, 0.01", "σ/α, 0.1", "σ/α, 1"];
const CONSTANT: [&str; 3] = ["constant, 0.01", "constant, 0.1", "constant, 1"];
const DPS: [&str; 3] = ["DPS, 0.7", "DPS, 1.4", "DPS, 2.8"];

/// The best mean PSNR of these arms; NaN if one of them has none.
fn best(m: &Measured, arms: &[&str]) -> f64 {
    let means = arms.iter().map(|arm| m.mean(arm, "psnr"));
    means.reduce(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }).unwrap_or(f64::NAN)
}

pub struct RedDiff;

impl Experiment for RedDiff {
    type Params = Params;
    const TITLE: &'static str = "RED-diff: restoring by descent";
    const SUMMARY: &'static str = "Fill a hole in a picture by descending what a denoiser and a measurement say.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 135,
        key: "mardani2024variational",
        authors: "Morteza Mardani and Jiaming Song and Jan Kautz and Arash Vahdat",
        title: "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
        venue: "ICLR",
        year: 2024,
        url: "https://arxiv.org/abs/2305.04391",
    }];
    const AXIS: Axis = Axis::linear("denoiser calls per picture", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "psnr",
            Axis::linear("peak signal-to-noise ratio in dB", "\\mathrm{PSNR}"),
            Better::Higher,
            "Of the restored against the true picture, in decibels, mean over the pictures.",
        ),
        Metric::new(
            "misfit",
            Axis::log("misfit of the measurement", "|A\\mu - y|"),
            Better::Lower,
            "RMS difference of the measurement of the restored picture from the one given, mean over the pictures.",
        ),
        Metric::new(
            "contrast",
            Axis::linear("contrast against the truth", "c"),
            Better::Neither,
            "RMS difference of neighbouring pixels over that of the true picture: below 1 is blurred.",
        ),
        Metric::new(
            "spread",
            Axis::linear("spread of repeated restorations", "\\delta"),
            Better::Neither,
            "RMS difference per pixel between two restorations of one measurement with other noise, over eight pictures.",
        ),
        Metric::new(
            "evaluations",
            Axis::linear("denoiser calls per picture", "N"),
            Better::Lower,
            "Calls of the denoiser, counted by it.",
        ),
        Metric::new(
            "backward",
            Axis::linear("backward passes per picture", "N_b"),
            Better::Lower,
            "Products of the denoiser's Jacobian with a vector, counted by it.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        PICTURES,
        ViewSpec::lines(
            "way",
            "on the way",
            Axis::linear("denoiser calls", "n"),
            Axis::linear("peak signal-to-noise ratio in dB", "\\mathrm{PSNR}"),
        ),
        ViewSpec::curves(
            "strengths",
            "strengths",
            Axis::log("strength of the model or of the steering", "\\lambda, \\zeta"),
            Axis::linear("peak signal-to-noise ratio in dB", "\\mathrm{PSNR}"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "DPS", change: "method=dps" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At 100 denoiser calls on box inpainting (32 images, best of 3 strengths each), RED-diff with sigma_t/alpha_t weighting gains >= 1 dB PSNR over constant weighting and >= 0.5 dB over DPS.",
        arms: &[
            Arm { name: "σ/α, 0.01", setting: "lambda=0.01&curve=off" },
            Arm { name: "σ/α, 0.1", setting: "lambda=0.1&curve=off" },
            Arm { name: "σ/α, 1", setting: "lambda=1&curve=off" },
            Arm { name: "constant, 0.01", setting: "weight=constant&lambda=0.01&curve=off" },
            Arm { name: "constant, 0.1", setting: "weight=constant&lambda=0.1&curve=off" },
            Arm { name: "constant, 1", setting: "weight=constant&lambda=1&curve=off" },
            Arm { name: "DPS, 0.7", setting: "method=dps&zeta=0.7&curve=off" },
            Arm { name: "DPS, 1.4", setting: "method=dps&zeta=1.4&curve=off" },
            Arm { name: "DPS, 2.8", setting: "method=dps&zeta=2.8&curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "σ/α over constant weight",
                measure: |m| best(m, &SNR) - best(m, &CONSTANT),
                bound: Bound::AtLeast(1.0),
                unit: "dB",
            },
            Test {
                label: "σ/α over DPS",
                measure: |m| best(m, &SNR) - best(m, &DPS),
                bound: Bound::AtLeast(0.5),
                unit: "dB",
            },
        ],
        counter: Counter {
            why: "A box that may hide a whole shape leaves too much open: descent ends at one shape too early, samples of DPS are better.",
            arms: &[],
            change: "shapes=small",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(RestoreRun::new(p)?))
    }
}

/// All pictures on their way, those restored twice at the end.
struct Restoration {
    params: Params,
    schedule: VpLinear,
    /// Pictures to be restored, without the repetitions.
    count: usize,
    done: usize,
    /// μ, or the noisy state.
    x: Vec<Vec<f64>>,
    /// Adam's averages.
    first: Vec<Vec<f64>>,
    second: Vec<Vec<f64>>,
    /// What is restored so far: μ, or the clean estimate.
    restored: Vec<Vec<f64>>,
}

impl Restoration {
    fn new(p: &Params, problem: &Problem, count: usize, twice: usize) -> Self {
        let all = count + twice.min(count);
        let x = match p.method {
            Method::Red => {
                let known = problem.pseudo_inverses(count);
                (0..all).map(|k| known[k % count].clone()).collect()
            }
            // A little signal is left at t = 1, of which nothing is known: its mean is 0.
            Method::Dps => noises(all, p.seed),
        };
        let zeros = vec![vec![0.0; PIXELS]; all];
        let restored = if p.method == Method::Red { x.clone() } else { zeros.clone() };
        let schedule = VpLinear::default();
        Self { params: p.clone(), schedule, count, done: 0, x, first: zeros.clone(), second: zeros, restored }
    }

    fn steps(&self) -> usize {
        self.params.evaluations as usize
    }

    /// α, σ after `k` of all steps.
    fn level(&self, k: usize) -> (f64, f64) {
        let t = 1.0 - k as f64 / self.steps() as f64;
        (self.schedule.alpha(t), self.schedule.sigma(t))
    }

    fn step(&mut self, prior: &mut Templates, problem: &Problem) {
        let (now, next) = (self.level(self.done), self.level(self.done + 1));
        self.done += 1;
        for k in 0..self.x.len() {
            match self.params.method {
                Method::Red => self.descend(k, now, prior, problem),
                Method::Dps => self.sample(k, now, next, prior, problem),
            }
        }
    }

    fn noise(&self, k: usize) -> Vec<f64> {
        let mut noise = vec![0.0; PIXELS];
        add_noise(&mut noise, 1.0, &Philox::new(self.params.seed), Stream::Path, k as u32, self.done as u32);
        noise
    }

    /// A step of Adam for μ.
    fn descend(&mut self, k: usize, (alpha, sigma): (f64, f64), prior: &mut Templates, problem: &Problem) {
        let noise = self.noise(k);
        let x = &mut self.x[k];
        let noisy: Vec<f64> = x.iter().zip(&noise).map(|(x, e)| alpha * x + sigma * e).collect();
        let mut clean = vec![0.0; PIXELS];
        prior.denoise(&noisy, alpha, sigma, &mut clean);
        let strength = self.params.lambda * self.params.weight.at(alpha, sigma);
        let mut gradient = problem.gradient(k % self.count, x);
        for j in 0..PIXELS {
            let guessed = (noisy[j] - alpha * clean[j]) / sigma;
            gradient[j] += strength * (guessed - noise[j]);
        }
        let power = self.done as i32;
        let (first, second) = (&mut self.first[k], &mut self.second[k]);
        for j in 0..PIXELS {
            first[j] += (1.0 - DECAYS.0) * (gradient[j] - first[j]);
            second[j] += (1.0 - DECAYS.1) * (gradient[j] * gradient[j] - second[j]);
            let (m, v) = (first[j] / (1.0 - DECAYS.0.powi(power)), second[j] / (1.0 - DECAYS.1.powi(power)));
            x[j] -= self.params.rate * m / (v.sqrt() + TINY);
        }
        self.restored[k].clone_from(x);
    }

    /// An ancestral step, steered by ζ ∇|A x̂ − y| through the denoiser (Chung et al. 2023, algorithm 1).
    fn sample(&mut self, k: usize, now: (f64, f64), next: (f64, f64), prior: &mut Templates, problem: &Problem) {
        let (fresh, is_last) = (self.noise(k), self.done == self.steps());
        let (x, clean) = (&mut self.x[k], &mut self.restored[k]);
        let picture = k % self.count;
        let steer = prior.denoise_with_product(x, now, clean, |clean| {
            let fit = problem.a.apply(clean);
            let off: Vec<f64> = fit.iter().zip(&problem.measured[picture]).map(|(a, b)| a - b).collect();
            let length = off.iter().map(|r| r * r).sum::<f64>().sqrt().max(TINY);
            let scale = 1.0 / (length * problem.norm.sqrt());
            problem.a.transpose(&off.iter().map(|r| scale * r).collect::<Vec<f64>>())
        });
        let (ratio, share) = (next.1 / now.1, now.0 / next.0);
        let added = ratio * (1.0 - share * share).max(0.0).sqrt();
        let kept = (next.1 * next.1 - added * added).max(0.0).sqrt();
        for j in 0..PIXELS {
            let noise = (x[j] - now.0 * clean[j]) / now.1;
            x[j] = next.0 * clean[j] + kept * noise + added * fresh[j] - self.params.zeta * steer[j];
        }
        if is_last {
            clean.clone_from(x);
        }
    }

    /// RMS difference per pixel of the repeated restorations from the first ones; NaN without any.
    fn spread(&self) -> f64 {
        let pairs = self.restored[self.count..].iter().zip(&self.restored).map(|(a, b)| a.iter().zip(b));
        let square: f64 = pairs.flatten().map(|(a, b)| (a - b) * (a - b)).sum();
        (square / ((self.restored.len() - self.count) * PIXELS) as f64).sqrt()
    }
}

/// The restoration, then other strengths.
struct RestoreRun {
    params: Params,
    prior: Templates,
    problem: Problem,
    restoration: Restoration,
    way: (Vec<f64>, Vec<f64>),
    curve: Vec<f64>,
    outcome: Outcome,
    record: Record,
}

impl RestoreRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let prior = prior(p.shapes)?;
        let of = Pictures { size: p.shapes, truth: p.truth };
        let problem = Problem::new(&prior, of, p.task, p.noise, p.samples as usize, p.seed);
        Ok(Self {
            restoration: Restoration::new(p, &problem, problem.count(), TWICE),
            prior,
            problem,
            way: (Vec::new(), Vec::new()),
            curve: Vec::new(),
            outcome: Outcome::Running,
            record: Record::of(RedDiff::METRICS),
            params: p.clone(),
        })
    }

    fn points(&self) -> usize {
        if self.params.curve { LINES.len() * STRENGTHS.len() } else { 0 }
    }
    fn all_steps(&self) -> usize {
        self.restoration.steps() + self.points()
    }
    fn steps(&self) -> usize {
        self.restoration.done + self.curve.len()
    }

    fn work(&mut self) {
        if self.restoration.done < self.restoration.steps() {
            self.restoration.step(&mut self.prior, &self.problem);
            if is_lost(&self.restoration.restored) || is_lost(&self.restoration.x) {
                self.outcome = Outcome::Diverged {
                    step: self.restoration.done as u64,
                    cause: "a picture left the range of brightness: the steering is too strong".to_owned(),
                    advice: "Lower its strength ζ or the learning rate.".to_owned(),
                    repair: None,
                };
                return;
            }
            let first = &self.restoration.restored[..self.restoration.count];
            let [psnr, misfit, contrast] = self.problem.quality(first);
            self.way.0.push(self.restoration.done as f64);
            self.way.1.push(psnr);
            let each = |n: u64| n as f64 / self.restoration.x.len() as f64;
            let (calls, backward) = (each(self.prior.evaluations()), each(self.prior.products()));
            self.record.push(calls, &[psnr, misfit, contrast, self.restoration.spread(), calls, backward]);
        } else {
            let at = self.curve.len();
            let ((method, weight, ..), strength) = (LINES[at / STRENGTHS.len()], STRENGTHS[at % STRENGTHS.len()]);
            let p = Params { method, weight, lambda: strength, zeta: strength, ..self.params.clone() };
            let count = CURVE_IMAGES.min(self.problem.count());
            // A prior of its own, so that its evaluations are not the run's.
            let mut prior = self.prior.clone();
            let mut restoration = Restoration::new(&p, &self.problem, count, 0);
            while restoration.done < restoration.steps() {
                restoration.step(&mut prior, &self.problem);
            }
            self.curve.push(self.problem.quality(&restoration.restored)[0]);
        }
        if self.steps() == self.all_steps() {
            self.outcome = Outcome::Finished;
        }
    }

    fn pictures(&self) -> ViewData {
        let shown = SHOWN.min(self.problem.count());
        let known = self.problem.pseudo_inverses(shown);
        let row = |k: &Vec<Vec<f64>>, from: usize| (from..from + shown).map(|i| k[i].clone()).collect::<Vec<_>>();
        let mut rows = vec![row(&self.problem.truths, 0), known, row(&self.restoration.restored, 0)];
        // The same pictures again, with other noise.
        rows.push(row(&self.restoration.restored, self.restoration.count));
        mosaic(&rows.iter().map(|row| row.iter().map(Vec::as_slice).collect()).collect::<Vec<_>>())
    }

    fn strengths(&self) -> ViewData {
        let series = sweep_lines(LINES.iter().map(|l| (l.2, l.3)), &STRENGTHS, &self.curve);
        // Far too strong steering is far below the picture.
        let (low, high) = decibel_limits(series.iter().flat_map(|s| &s.ys));
        ViewData::Lines { series, x: (STRENGTHS[0], STRENGTHS[STRENGTHS.len() - 1]), y: (low.max(-5.0), high) }
    }
}

impl Run for RestoreRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
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
            steps: self.steps() as u64,
            position: self.restoration.done as f64,
            fraction: self.steps() as f64 / self.all_steps() as f64,
            work: self.prior.evaluations() as f64,
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
            "way" => way_line("restored", &self.way, self.restoration.steps() as f64),
            "strengths" => self.strengths(),
            _ => self.pictures(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::flow::shapes::psnr;

    fn finished(p: &Params) -> RestoreRun {
        let mut run = RestoreRun::new(p).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        assert_eq!(run.outcome(), Outcome::Finished);
        run
    }

    fn quick(method: Method) -> Params {
        Params { method, evaluations: 20, samples: 3, curve: false, ..Params::default() }
    }

    #[test]
    fn calls_and_backward_passes_are_counted() {
        for (method, backward) in [(Method::Red, 0.0), (Method::Dps, 20.0)] {
            let row = finished(&quick(method)).record.latest_named();
            let at = |key: &str| row.iter().find(|m| m.0 == key).unwrap().1;
            assert_eq!((at("evaluations"), at("backward")), (20.0, backward));
            // Repetitions have other noise.
            assert!(at("spread") > 1e-3, "{method:?}");
        }
    }

    #[test]
    fn with_the_inverse_ratio_every_level_pulls_to_its_clean_estimate() {
        let (mut prior, x) = (prior(Size::Large).unwrap(), vec![0.2; PIXELS]);
        let schedule = VpLinear::default();
        let mut noise = vec![0.0; PIXELS];
        add_noise(&mut noise, 1.0, &Philox::new(1), Stream::Path, 0, 0);
        for t in [0.05, 0.4, 0.9] {
            let (alpha, sigma) = (schedule.alpha(t), schedule.sigma(t));
            let noisy: Vec<f64> = x.iter().zip(&noise).map(|(x, e)| alpha * x + sigma * e).collect();
            let mut clean = vec![0.0; PIXELS];
            prior.denoise(&noisy, alpha, sigma, &mut clean);
            let off = |w: Weight| {
                let pull = |j: usize| w.at(alpha, sigma) * ((noisy[j] - alpha * clean[j]) / sigma - noise[j]);
                (0..PIXELS).map(|j| (pull(j) - (x[j] - clean[j])).abs()).fold(0.0, f64::max)
            };
            assert!(off(Weight::InverseSnr) < 1e-10, "{t}: {}", off(Weight::InverseSnr));
            assert!(off(Weight::Constant) > 1e-2 && off(Weight::Root) > 1e-2 && off(Weight::Square) > 1e-2, "{t}");
        }
    }

    #[test]
    fn without_steering_an_ancestral_way_samples_the_prior() {
        // As bright on average as the templates, whatever was measured.
        let p = Params { zeta: 0.01, noise: 0.5, samples: 48, evaluations: 60, ..quick(Method::Dps) };
        let run = finished(&p);
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let sampled = run.restoration.restored.iter().map(|x| mean(x)).sum::<f64>() / 56.0;
        let known: Vec<f64> = (0..run.prior.count()).map(|k| mean(run.prior.mean(k))).collect();
        let (centre, count) = (mean(&known), known.len() as f64);
        let sd = (known.iter().map(|m| (m - centre) * (m - centre)).sum::<f64>() / count).sqrt();
        assert!((sampled - centre).abs() < 4.0 * sd / 56f64.sqrt(), "{sampled} {centre} {sd}");
        // Every one of them is a template up to the spread around it, 26 dB.
        let near = |x: &Vec<f64>| (0..run.prior.count()).map(|k| psnr(x, run.prior.mean(k))).fold(0.0, f64::max);
        assert!(run.restoration.restored.iter().all(|x| near(x) > 20.0));
    }
}
