//@ feature: flow
//! # Steer without looking back
//!
//! A picture was measured: $y = A x_0$ plus noise, with pixels missing, averaged or blurred. A flow that makes pictures
//! of noise, $z_t = (1-t)\,x_0 + t\,n$ with $\dot z = v(z, t)$, can be steered to one that fits. At every step the
//! velocity tells which clean picture it is heading for, and how badly that fits:
//!
//! $$\hat x = z - t\,v, \qquad L = \tfrac12\,|A\hat x - y|^2/\|A\|^2 .$$
//!
//! The gradient with respect to $z$ is $(\partial\hat x/\partial z)^\top\nabla_{\hat x}L$: a pass backward through the
//! network. FlowChef leaves the first factor out and goes
//!
//! $$z \leftarrow z - s\,\nabla_{\hat x} L, \qquad z \leftarrow z + v\,\Delta t.$$
//!
//! What is left out is known here, since the prior is a mixture of 600 pictures and its denoiser exact:
//! $\partial\hat x/\partial z$ is symmetric, with a large part along the differences between the pictures that are still possible and
//! nearly nothing elsewhere. The full gradient can go only along those differences; leaving the factor out corrects
//! each measured pixel by its own error, also where the pictures of the prior have nothing of the kind. A box of
//! missing pixels then gets no gradient at all: it is filled only since the pixels around decide which pictures remain
//! possible.
//!
//! The argument for leaving it out is that paths are nearly straight. On the circle $\cos, \sin$ they are not, and yet
//! nothing is lost here: with an exact denoiser the circle is the same flow in another scale, $z/(\alpha + \sigma)$.
//! What a curved path does to a trained network this page cannot show.
//!
//! Both have a step length $s$ of their own; compare each at its best one. Peak signal-to-noise ratio rewards an
//! average of what is possible, so contrast and misfit are measured too. *Projection*, older than both, puts the
//! measurement with fresh noise in place of what was measured. The pictures to restore are drawn by the same rule as
//! the templates but are none of them.

use eddy_numerics::{
    diffusion::templates::Templates,
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
    /// FlowChef
    Skip = "flowchef",
    /// full gradient
    Full = "gradient",
    /// projection
    Projection = "projection",
    /// none
    None = "none",
} }

choice! { pub enum Path {
    /// straight: 1 − t, t
    Straight = "straight",
    /// circle: cos, sin
    Circle = "circle",
} }

params! { pub struct Params {
    /// Measurement.
    task: Task = Task::Box => choice().group("Problem"),
    /// Noise of the measurement.
    noise: f64 = 0.02 => range(0.0, 0.5).symbol("\\sigma_y").group("Problem"),
    /// Size of the shapes. The box may hide a small one as a whole.
    shapes: Size = Size::Large => choice().group("Problem"),
    /// Pictures to restore.
    truth: Truth = Truth::HeldOut => choice().group("Problem"),
    /// Steering.
    method: Method = Method::Skip => choice().group("Method"),
    /// Step length.
    s: f64 = 1.0 => log(0.01, 100.0).symbol("s").group("Method").only_when("method", &["flowchef", "gradient"]),
    /// Euler steps.
    evaluations: u32 = 50 => steps(2, 250).symbol("N").group("Method"),
    /// Path from noise to picture.
    path: Path = Path::Straight => choice().group("Method"),
    /// Number of pictures.
    samples: u32 = 32 => steps(1, 64).group("Run"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Curve. Measures other numbers of steps after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Steps of the curve, and its pictures.
const RACE: [usize; 5] = [10, 20, 35, 50, 100];
const RACE_IMAGES: usize = 8;
const LINES: [(Method, &str, Role); 4] = [
    (Method::Skip, "FlowChef", Role::Result),
    (Method::Full, "full gradient", Role::Second),
    (Method::Projection, "projection", Role::Third),
    (Method::None, "none", Role::Reference),
];
/// Pictures that are shown.
const SHOWN: usize = 8;

impl Path {
    fn level(self, t: f64) -> (f64, f64) {
        match self {
            Self::Straight => (1.0 - t, t),
            Self::Circle => {
                let (sigma, alpha) = (0.5 * std::f64::consts::PI * t).sin_cos();
                (alpha, sigma)
            }
        }
    }
}

pub struct Flowchef;

impl Experiment for Flowchef {
    type Params = Params;
    const TITLE: &'static str = "FlowChef: steering a flow";
    const SUMMARY: &'static str = "Restore pictures with a flow, without a single pass backward through it.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 53,
        key: "patel2024steering",
        authors: "Maitreya Patel and Song Wen and Dimitris N. Metaxas and Yezhou Yang",
        title: "Steering Rectified Flow Models in the Vector Field for Controlled Image Generation",
        venue: "ICCV",
        year: 2025,
        url: "https://arxiv.org/abs/2412.00100",
    }];
    const AXIS: Axis = Axis::linear("steps", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "psnr",
            Axis::linear("peak signal-to-noise ratio in dB", "\\mathrm{PSNR}"),
            Better::Higher,
            "Of the clean estimate against the true picture, in decibels, mean over the pictures.",
        ),
        Metric::new(
            "misfit",
            Axis::log("misfit of the measurement", "|A\\hat x - y|"),
            Better::Lower,
            "RMS difference of the measurement of the clean estimate from the one given, mean over the pictures.",
        ),
        Metric::new(
            "contrast",
            Axis::linear("contrast against the truth", "c"),
            Better::Neither,
            "RMS difference of neighbouring pixels over that of the true picture: below 1 is blurred.",
        ),
        Metric::new(
            "evaluations",
            Axis::linear("evaluations per picture", "N"),
            Better::Lower,
            "Evaluations of the velocity, counted by the model.",
        ),
        Metric::new(
            "backward",
            Axis::linear("backward passes per picture", "N_b"),
            Better::Lower,
            "Products of the velocity's Jacobian with a vector, counted by the model.",
        ),
        Metric::new(
            "operations",
            Axis::log("multiplications per picture", "M"),
            Better::Lower,
            "Multiplications by a pixel of a template, forward and backward, counted by the model: what the time goes to.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        PICTURES,
        ViewSpec::lines(
            "way",
            "on the way",
            Axis::linear("time", "t"),
            Axis::linear("peak signal-to-noise ratio in dB", "\\mathrm{PSNR}"),
        ),
        ViewSpec::curves(
            "race",
            "steps",
            Axis::log("Euler steps", "N"),
            Axis::linear("peak signal-to-noise ratio in dB", "\\mathrm{PSNR}"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "none", change: "method=none" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "On inpainting and 4x super-resolution with 50 steps FlowChef reaches a PSNR within 1 dB of (or above) the full gradient's, each with the best of three step lengths, with no backward pass and <= 0.6x its multiplications, and >= 3 dB above unguided sampling.",
        arms: &[
            Arm { name: "box, FlowChef ½", setting: "s=0.5&curve=off" },
            Arm { name: "box, FlowChef 1", setting: "s=1&curve=off" },
            Arm { name: "box, FlowChef 2", setting: "s=2&curve=off" },
            Arm { name: "box, gradient ½", setting: "s=0.5&method=gradient&curve=off" },
            Arm { name: "box, gradient 1", setting: "s=1&method=gradient&curve=off" },
            Arm { name: "box, gradient 2", setting: "s=2&method=gradient&curve=off" },
            Arm { name: "box, none", setting: "method=none&curve=off" },
            Arm { name: "blocks, FlowChef ½", setting: "task=blocks&s=0.5&curve=off" },
            Arm { name: "blocks, FlowChef 1", setting: "task=blocks&s=1&curve=off" },
            Arm { name: "blocks, FlowChef 2", setting: "task=blocks&s=2&curve=off" },
            Arm { name: "blocks, gradient ½", setting: "task=blocks&s=0.5&method=gradient&curve=off" },
            Arm { name: "blocks, gradient 1", setting: "task=blocks&s=1&method=gradient&curve=off" },
            Arm { name: "blocks, gradient 2", setting: "task=blocks&s=2&method=gradient&curve=off" },
            Arm { name: "blocks, none", setting: "task=blocks&method=none&curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "inpainting: FlowChef over full gradient",
                measure: |m| best(m, &BOX_SKIP) - best(m, &BOX_FULL),
                bound: Bound::AtLeast(-1.0),
                unit: "dB",
            },
            Test {
                label: "super-resolution: FlowChef over full gradient",
                measure: |m| best(m, &BLOCKS_SKIP) - best(m, &BLOCKS_FULL),
                bound: Bound::AtLeast(-1.0),
                unit: "dB",
            },
            Test {
                label: "inpainting: FlowChef over unguided",
                measure: |m| best(m, &BOX_SKIP) - m.mean("box, none", "psnr"),
                bound: Bound::AtLeast(3.0),
                unit: "dB",
            },
            Test {
                label: "super-resolution: FlowChef over unguided",
                measure: |m| best(m, &BLOCKS_SKIP) - m.mean("blocks, none", "psnr"),
                bound: Bound::AtLeast(3.0),
                unit: "dB",
            },
            Test {
                label: "backward passes of FlowChef",
                measure: |m| m.max("box, FlowChef 1", "backward").max(m.max("blocks, FlowChef 1", "backward")),
                bound: Bound::AtMost(0.0),
                unit: "",
            },
            Test {
                label: "multiplications, FlowChef / full gradient",
                measure: |m| {
                    let box_ratio = m.ratio("box, FlowChef 1", "box, gradient 1", "operations");
                    box_ratio.max(m.ratio("blocks, FlowChef 1", "blocks, gradient 1", "operations"))
                },
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Without the Jacobian nothing damps a step that is too long: at 4 the corrections overshoot and grow.",
            arms: &[
                "box, FlowChef ½",
                "box, FlowChef 1",
                "box, FlowChef 2",
                "blocks, FlowChef ½",
                "blocks, FlowChef 1",
                "blocks, FlowChef 2",
            ],
            change: "s=4",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(SteerRun::new(p)?))
    }
}

const BOX_SKIP: [&str; 3] = ["box, FlowChef ½", "box, FlowChef 1", "box, FlowChef 2"];
const BOX_FULL: [&str; 3] = ["box, gradient ½", "box, gradient 1", "box, gradient 2"];
const BLOCKS_SKIP: [&str; 3] = ["blocks, FlowChef ½", "blocks, FlowChef 1", "blocks, FlowChef 2"];
const BLOCKS_FULL: [&str; 3] = ["blocks, gradient ½", "blocks, gradient 1", "blocks, gradient 2"];

/// The best mean PSNR of these arms; NaN if one of them has none.
fn best(m: &Measured, arms: &[&str]) -> f64 {
    let means = arms.iter().map(|arm| m.mean(arm, "psnr"));
    means.reduce(|a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }).unwrap_or(f64::NAN)
}

/// One way from noise to pictures.
struct Steering {
    method: Method,
    s: f64,
    path: Path,
    steps: usize,
    done: usize,
    z: Vec<Vec<f64>>,
    /// Clean estimates.
    clean: Vec<Vec<f64>>,
    rng: Philox,
}

impl Steering {
    fn new(p: &Params, method: Method, steps: usize, images: usize) -> Self {
        Self {
            method,
            s: p.s,
            path: p.path,
            steps,
            done: 0,
            z: noises(images, p.seed),
            clean: vec![vec![0.0; PIXELS]; images],
            rng: Philox::new(p.seed),
        }
    }

    fn t(&self) -> f64 {
        1.0 - self.done as f64 / self.steps as f64
    }

    /// A step of all pictures.
    fn step(&mut self, prior: &mut Templates, problem: &Problem) {
        let t = self.t();
        let (alpha, sigma) = self.path.level(t);
        self.done += 1;
        let is_last = self.done == self.steps;
        let (to_alpha, to_sigma) = if is_last { (1.0, 0.0) } else { self.path.level(self.t()) };
        for (k, (z, clean)) in self.z.iter_mut().zip(&mut self.clean).enumerate() {
            let y = &problem.measured[k];
            if self.method == Method::Projection {
                // What was measured, with the noise of this level, in place of what z says of it.
                let mut there: Vec<f64> = vec![0.0; PIXELS];
                add_noise(&mut there, sigma, &self.rng, Stream::Path, k as u32, self.done as u32);
                let seen = problem.a.apply(&there);
                let now = problem.a.apply(z);
                let change: Vec<f64> = (0..y.len()).map(|i| alpha * y[i] + seen[i] - now[i]).collect();
                let change = problem.a.pseudo_inverse(&change);
                z.iter_mut().zip(&change).for_each(|(z, c)| *z += c);
            }
            // The last step is not steered: nothing would follow that makes a picture of it.
            let steer = match self.method {
                Method::Full if !is_last => {
                    Some(prior.denoise_with_product(z, (alpha, sigma), clean, |x| problem.gradient(k, x)))
                }
                Method::Skip if !is_last => {
                    prior.denoise(z, alpha, sigma, clean);
                    Some(problem.gradient(k, clean))
                }
                _ => {
                    prior.denoise(z, alpha, sigma, clean);
                    None
                }
            };
            // The Euler step of the straight path, or the step of constant noise on the circle: the pair (x̂, n) goes on.
            for (j, z) in z.iter_mut().enumerate() {
                let noise = (*z - alpha * clean[j]) / sigma;
                *z = to_alpha * clean[j] + to_sigma * noise - steer.as_ref().map_or(0.0, |g| self.s * g[j]);
            }
        }
    }
}

/// The steered pictures, then other numbers of steps.
struct SteerRun {
    params: Params,
    prior: Templates,
    problem: Problem,
    steering: Steering,
    /// PSNR along the way.
    way: (Vec<f64>, Vec<f64>),
    race: Vec<f64>,
    outcome: Outcome,
    record: Record,
}

impl SteerRun {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let prior = prior(p.shapes)?;
        let of = Pictures { size: p.shapes, truth: p.truth };
        let images = p.samples as usize;
        Ok(Self {
            problem: Problem::new(&prior, of, p.task, p.noise, images, p.seed),
            prior,
            steering: Steering::new(p, p.method, p.evaluations as usize, images),
            way: (Vec::new(), Vec::new()),
            race: Vec::new(),
            outcome: Outcome::Running,
            record: Record::of(Flowchef::METRICS),
            params: p.clone(),
        })
    }

    fn points(&self) -> usize {
        if self.params.curve { LINES.len() * RACE.len() } else { 0 }
    }
    fn all_steps(&self) -> usize {
        self.steering.steps + self.points()
    }
    fn steps(&self) -> usize {
        self.steering.done + self.race.len()
    }

    fn work(&mut self) {
        if self.steering.done < self.steering.steps {
            let t = self.steering.t();
            self.steering.step(&mut self.prior, &self.problem);
            if is_lost(&self.steering.clean) {
                self.outcome = Outcome::Diverged {
                    step: self.steering.done as u64,
                    cause: "a picture left the range of numbers: the step length is too large".to_owned(),
                    advice: "Lower the step length s.".to_owned(),
                    repair: Some(("s".to_owned(), "1".to_owned())),
                };
                return;
            }
            let [psnr, misfit, contrast] = self.problem.quality(&self.steering.clean);
            self.way.0.push(t);
            self.way.1.push(psnr);
            let each = |n: u64| n as f64 / f64::from(self.params.samples);
            let (n, b, m) = (self.prior.evaluations(), self.prior.products(), self.prior.operations());
            self.record.push(self.steering.done as f64, &[psnr, misfit, contrast, each(n), each(b), each(m)]);
        } else {
            // A prior of its own, so that its evaluations are not the run's.
            let mut prior = self.prior.clone();
            let at = self.race.len();
            let (line, steps) = (at / RACE.len(), RACE[at % RACE.len()]);
            let images = RACE_IMAGES.min(self.params.samples as usize);
            let mut steering = Steering::new(&self.params, LINES[line].0, steps, images);
            while steering.done < steps {
                steering.step(&mut prior, &self.problem);
            }
            self.race.push(self.problem.quality(&steering.clean)[0]);
        }
        if self.steps() == self.all_steps() {
            self.outcome = Outcome::Finished;
        }
    }

    fn pictures(&self) -> ViewData {
        let shown = SHOWN.min(self.problem.truths.len());
        let measured = self.problem.pseudo_inverses(shown);
        mosaic(&[
            self.problem.truths[..shown].iter().map(Vec::as_slice).collect(),
            measured.iter().map(Vec::as_slice).collect(),
            self.steering.z[..shown].iter().map(Vec::as_slice).collect(),
            self.steering.clean[..shown].iter().map(Vec::as_slice).collect(),
        ])
    }

    fn race(&self) -> ViewData {
        let points = RACE.map(|n| n as f64);
        let series = sweep_lines(LINES.iter().map(|l| (l.1, l.2)), &points, &self.race);
        let y = decibel_limits(series.iter().flat_map(|s| &s.ys));
        ViewData::Lines { series, x: (points[0], points[RACE.len() - 1]), y }
    }
}

impl Run for SteerRun {
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
            position: self.steering.done as f64,
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
            "way" => way_line("clean estimate", &self.way, 1.0),
            "race" => self.race(),
            _ => self.pictures(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(p: &Params) -> SteerRun {
        let mut run = SteerRun::new(p).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        assert_eq!(run.outcome(), Outcome::Finished);
        run
    }

    fn quick(method: Method) -> Params {
        Params { method, evaluations: 12, samples: 3, curve: false, ..Params::default() }
    }

    #[test]
    fn forward_and_backward_passes_are_counted_apart() {
        for (method, backward) in
            [(Method::Skip, 0), (Method::None, 0), (Method::Projection, 0), (Method::Full, 3 * 11)]
        {
            let run = finished(&quick(method));
            assert_eq!((run.prior.evaluations(), run.prior.products()), (3 * 12, backward), "{method:?}");
        }
        // The curve asks another model.
        assert_eq!(finished(&Params { curve: true, ..quick(Method::Skip) }).prior.evaluations(), 3 * 12);
    }

    #[test]
    fn the_full_gradient_is_the_derivative_of_the_cost_and_the_short_one_is_not() {
        let run = SteerRun::new(&Params { task: Task::Blocks, ..quick(Method::Full) }).unwrap();
        let (mut prior, problem, level) = (run.prior.clone(), &run.problem, (0.5, 0.5));
        let z = &run.steering.z[0];
        let z: Vec<f64> = z.iter().zip(&problem.truths[0]).map(|(n, x)| 0.5 * x + 0.5 * n).collect();
        let (y, gradient) = (&problem.measured[0], |x: &[f64]| problem.gradient(0, x));
        let mut clean = vec![0.0; PIXELS];
        let full = prior.denoise_with_product(&z, level, &mut clean, gradient);
        let short = gradient(&clean);
        let mut cost = |shift: f64, along: &[f64]| {
            let at: Vec<f64> = z.iter().zip(along).map(|(z, d)| z + shift * d).collect();
            let mut clean = vec![0.0; PIXELS];
            prior.denoise(&at, level.0, level.1, &mut clean);
            problem.a.apply(&clean).iter().zip(y).map(|(a, b)| 0.5 * (a - b) * (a - b) / problem.norm).sum::<f64>()
        };
        let direction: Vec<f64> = (0..PIXELS).map(|p| (0.37 * p as f64).sin()).collect();
        let slope = (cost(1e-5, &direction) - cost(-1e-5, &direction)) / 2e-5;
        let along = |g: &[f64]| g.iter().zip(&direction).map(|(g, d)| g * d).sum::<f64>();
        assert!((along(&full) - slope).abs() < 1e-6 * slope.abs().max(1e-3), "{} {slope}", along(&full));
        assert!((along(&short) - slope).abs() > 1e-2 * slope.abs(), "{} {slope}", along(&short));
    }

    #[test]
    fn a_step_length_of_nothing_is_no_steering_and_one_that_is_far_too_long_ends_with_its_cause() {
        let psnr = |p: &Params| finished(p).record.latest_named().remove(0).1;
        let none = psnr(&quick(Method::None));
        assert!(psnr(&quick(Method::Skip)) > none + 3.0);
        for (method, s) in [(Method::Skip, 0.01), (Method::Full, 0.01)] {
            // A hundredth of the usual length has little effect.
            assert!((psnr(&Params { s, ..quick(method) }) - none).abs() < 3.0, "{method:?}");
        }
        let mut run = SteerRun::new(&Params { s: 100.0, evaluations: 250, ..quick(Method::Skip) }).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        assert!(matches!(run.outcome(), Outcome::Diverged { .. }), "{:?}", run.outcome());
        assert!(pollster::block_on(run.view("pictures")).unwrap().is_finite());
    }
}
