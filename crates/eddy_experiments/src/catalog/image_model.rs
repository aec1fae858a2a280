//@ feature: learn
//! # Ask for a picture
//!
//! A network of 143,000 weights has seen 384,000 drawings of 16 × 16 pixels: discs, squares, triangles, crosses
//! and the ten digits, small or large, each with noise added and told what it shows. It predicts
//! $v = \alpha\,\varepsilon - \sigma\,x_0$, from which any sampler makes pictures of noise. The weights are Eddy's own:
//! `eddy train image` makes them again from nothing but the repository.
//!
//! In one case of ten the network was not told what a picture shows, so it also knows the answer to no question. The
//! difference of the two answers points to what makes a picture more of its class, and *guidance* goes further along it:
//!
//! $$v = v_\varnothing + w\,(v_c - v_\varnothing).$$
//!
//! With $w = 0$ nobody listens to the question, with $w = 1$ it is asked as it was in training, with more it is asked
//! with emphasis. Emphasis has a price: what is most typical of a class is drawn again and again, and the spread of the
//! true pictures is lost.
//!
//! Both are measured by a second small network that Eddy has trained to tell the classes apart. Its answer says how many
//! samples show what was asked for. Its 24 features, taken as a Gaussian for the samples and for freshly drawn pictures,
//! give a Fréchet distance; this is not the FID of any paper, whose features are those of another network. Two sets of
//! drawn pictures have a distance too, as they are finite: that floor is shown, and below it nothing can be told apart.
//!
//! Teach it on: *fine-tuning* goes on from these weights, on all pictures or only on those asked for; or start from
//! random weights and watch pictures appear.

use std::{any::Any, sync::Arc};

use eddy_learn::{
    Engine,
    image::{
        CLASSES, Classifier, Condition, Guided, Model, Moments, Options, PIXELS, Picture, SIZES, Training,
        drawing::picture_of, schedule, span,
    },
};
use eddy_numerics::{
    diffusion::{
        Batch, Denoiser, Method, Prediction, Sampler, Spacing, grid,
        methods::{Ddim, DpmMultistep, RungeKutta, Tableau, Variable},
    },
    rng::{Philox, Stream},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::image::{Class, ROW, Size, eddy_error, mosaic, pictures, shares},
    ready,
    weights::{Numbers, Tensor},
};

#[path = "image_model/page.rs"]
mod page;

choice! { pub enum Weights {
    /// as shipped
    Shipped = "shipped",
    /// fine-tuned here
    FineTune = "fine-tune",
    /// trained here from random
    Scratch = "scratch",
} }

choice! { pub enum Lesson {
    /// all pictures
    All = "all",
    /// what is asked for
    Asked = "asked",
} }

choice! { pub enum Solver {
    /// DDIM
    Ddim = "ddim",
    /// Heun in σ/α
    Heun = "heun",
    /// DPM-Solver++(2M)
    DpmPlus2m = "dpm-solver-pp-2m",
} }

choice! { pub enum Spread {
    /// uniform in t
    Uniform = "uniform",
    /// uniform in λ
    LogSnr = "log-snr",
} }

params! { pub struct Params {
    /// What the pictures shall show.
    class: Class = Class::Every => choice().group("Question"),
    /// How large.
    size: Size = Size::Both => choice().group("Question"),
    /// Guidance. 0 does not listen, 1 asks as in training.
    guidance: f64 = 2.0 => range(0.0, 8.0).symbol("w").group("Question"),
    /// Sampler.
    sampler: Solver = Solver::DpmPlus2m => choice().group("Sampler"),
    /// Evaluations of the network.
    evaluations: u32 = 10 => steps(2, 100).symbol("N").group("Sampler"),
    /// Spread of the times.
    grid: Spread = Spread::Uniform => choice().group("Sampler"),
    /// Weights.
    weights: Weights = Weights::Shipped => choice().group("Training"),
    /// Pictures to learn from.
    lesson: Lesson = Lesson::All => choice().group("Training").only_when("weights", &["fine-tune"]),
    /// Training steps of 64 pictures.
    lessons: u32 = 200 => steps(20, 5000).group("Training").only_when("weights", &["fine-tune", "scratch"]),
    /// Highest learning rate.
    rate: f64 = 1e-3 => log(1e-5, 1e-2).symbol("\\eta").live().group("Training").only_when("weights", &["fine-tune", "scratch"]),
    /// Number of pictures.
    samples: u32 = 56 => steps(8, 256).group("Run"),
    /// Seed.
    seed: u32 = 1 => seed().group("Run"),
    /// Curve. Measures other guidances after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Freshly drawn pictures that samples are compared with.
const REFERENCE: usize = 1400;
/// Pictures of a training step.
const BATCH: usize = 64;
/// Samplings while training.
const LOOKS: usize = 5;
/// Guidances of the curve.
const CURVE: [f64; 6] = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0];

pub struct ImageModel;

impl Experiment for ImageModel {
    type Params = Params;
    const TITLE: &'static str = "A small image model";
    const SUMMARY: &'static str = "Ask a network of 143,000 weights for shapes and digits, guide it, teach it on.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("steps", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "share",
            Axis::linear("samples of the asked class", "p_c"),
            Better::Higher,
            "Share of the samples that the classifier takes for the class that was asked for.",
        ),
        Metric::new(
            "size",
            Axis::linear("samples of the asked size", "p_s"),
            Better::Higher,
            "Share of the samples that the classifier takes for the size that was asked for.",
        ),
        Metric::new(
            "frechet",
            Axis::log("Fréchet distance to drawn pictures", "d^2"),
            Better::Lower,
            "Between Gaussians fitted to the 24 features of samples and of drawn pictures, in features trained by Eddy: \
             comparable only within this experiment.",
        ),
        Metric::new(
            "floor",
            Axis::log("the same of drawn pictures", "d_0^2"),
            Better::Neither,
            "Fréchet distance of as many other drawn pictures: what perfect samples would have.",
        ),
        Metric::new(
            "evaluations",
            Axis::linear("evaluations per picture", "N"),
            Better::Lower,
            "Evaluations of the network, counted by it; with and without the question together count as one.",
        ),
        Metric::new(
            "loss",
            Axis::log("held-out loss", "L"),
            Better::Lower,
            "Mean squared error of v per pixel on 256 pictures that no training sees. No model reaches 0, since noise hides \
             what a picture is.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        pictures("samples", "samples"),
        pictures("drawn", "drawn"),
        ViewSpec::curves(
            "classes",
            "asked class",
            Axis::linear("guidance", "w"),
            Axis::linear("samples of the asked class", "p_c"),
        ),
        ViewSpec::curves(
            "distance",
            "distance",
            Axis::linear("guidance", "w"),
            Axis::log("Fréchet distance to drawn pictures", "d^2"),
        ),
        ViewSpec::lines("lessons", "training", Axis::linear("training step", "n"), Axis::log("training loss", "L")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "without guidance", change: "guidance=1" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With 10 evaluations, guidance 3 raises the share of samples that show the asked class by at least ten \
                   points, and the price is a Fréchet distance at least 1.5 times as large.",
        arms: &[
            Arm { name: "asked", setting: "guidance=1&samples=140&curve=off" },
            Arm { name: "guided", setting: "guidance=3&samples=140&curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "share of the asked class, guided less asked",
                measure: |m| m.mean("guided", "share") - m.mean("asked", "share"),
                // Three standard deviations of the difference for 420 samples each.
                bound: Bound::AtLeast(0.1),
                unit: "",
            },
            Test {
                label: "Fréchet distance, guided / asked",
                measure: |m| m.ratio("guided", "asked", "frechet"),
                bound: Bound::AtLeast(1.5),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "With guidance 0 the question is not heard, and a class comes by chance.",
            arms: &["guided"],
            change: "guidance=0",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(Pictures::new(p)?))
    }
}

impl Solver {
    fn method(self) -> Box<dyn Method> {
        match self {
            Self::Ddim => Box::new(Ddim::default()),
            Self::Heun => Box::new(RungeKutta::new(Tableau::HEUN, Variable::Rho)),
            Self::DpmPlus2m => Box::new(DpmMultistep::new(2, Prediction::Data)),
        }
    }
}

/// What is asked of picture `k`: classes along a row, sizes by rows.
fn asked(p: &Params, k: usize) -> (usize, usize) {
    (p.class.index().unwrap_or(k % CLASSES.len()), p.size.index().unwrap_or(k / ROW % SIZES.len()))
}

/// A sampling on its way, and the denoiser it asks.
struct Draw {
    sampler: Sampler<f32>,
    model: Guided,
}

impl Draw {
    fn new(p: &Params, model: &Model, guidance: f64, engine: &Engine) -> Result<Self, EddyError> {
        let start = |e: &dyn std::fmt::Display| EddyError::start(e.to_string());
        let (method, schedule, (end, begin)) = (p.sampler.method(), schedule(), span());
        let steps = method.steps_for(p.evaluations as usize).map_err(|e| start(&e))?;
        let spacing = match p.grid {
            Spread::Uniform => Spacing::Uniform,
            Spread::LogSnr => Spacing::LogSnr,
        };
        let nodes = grid(&schedule, spacing, begin, end, steps).map_err(|e| start(&e))?;
        let (count, rng) = (p.samples as usize, Philox::new(p.seed));
        let x = Batch::normal(PIXELS, count, nodes[0].sigma, &rng, Stream::Prior, 0);
        let conditions = (0..count).map(|k| asked(p, k)).map(|(class, size)| Condition::of(class, size)).collect();
        Ok(Self {
            sampler: Sampler::new(Arc::new(schedule), method, &nodes, x, rng),
            model: Guided::new(model, conditions, guidance, engine),
        })
    }

    /// A step; whether it was the last.
    fn step(&mut self) -> bool {
        self.sampler.step(&mut self.model);
        self.sampler.status() != eddy_numerics::diffusion::Status::Running
    }

    /// Rows of pixels of all pictures.
    fn pixels(&self) -> Vec<f32> {
        self.sampler.x().to_points().into_iter().map(|v| v as f32).collect()
    }
}

/// How samples compare with what was asked for and with drawn pictures.
#[derive(Clone, Copy)]
struct Quality {
    share: f64,
    size: f64,
    frechet: f64,
}

impl Quality {
    const NONE: Self = Self { share: f64::NAN, size: f64::NAN, frechet: f64::NAN };
}

enum Stage {
    /// What is compared with is drawn first.
    Opening,
    Teaching,
    Drawing(Draw),
    /// Sampling with guidance number k of the curve.
    Curve(usize, Draw),
}

struct Pictures {
    params: Params,
    engine: Engine,
    model: Model,
    training: Option<Box<Training>>,
    stage: Stage,
    /// Moments of drawn pictures in the features, and the distance of others from them.
    reference: Option<(Moments, f64)>,
    /// The last samples with finite numbers, and drawn pictures of the same kinds.
    shown: Vec<f32>,
    drawn: Vec<f32>,
    held_out: f64,
    losses: Vec<(f64, f64)>,
    curve: Vec<(f64, Quality)>,
    /// Steps of everything done, sampler steps among them.
    steps: u64,
    evaluations: u64,
    outcome: Outcome,
    record: Record,
}

impl Pictures {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let engine = Engine::cpu();
        let model = Model::shipped().map_err(eddy_error)?;
        // A first try says whether the sampler's settings go together.
        Draw::new(p, &model, p.guidance, &engine)?;
        let mut run = Self {
            params: p.clone(),
            engine,
            model,
            training: None,
            stage: Stage::Opening,
            reference: None,
            shown: Vec::new(),
            drawn: Vec::new(),
            held_out: f64::NAN,
            losses: Vec::new(),
            curve: Vec::new(),
            steps: 0,
            evaluations: 0,
            outcome: Outcome::Running,
            record: Record::of(ImageModel::METRICS),
        };
        run.teach_from_here()?;
        Ok(run)
    }

    /// A new training where one is asked for, from the model's weights or from random ones.
    fn teach_from_here(&mut self) -> Result<(), EddyError> {
        let p = &self.params;
        if p.weights == Weights::Shipped {
            return Ok(());
        }
        let only = match (p.weights, p.lesson) {
            (Weights::FineTune, Lesson::Asked) => Condition { class: p.class.index(), size: p.size.index() },
            _ => Condition::default(),
        };
        let options = Options { steps: p.lessons as usize, seed: p.seed, batch: BATCH, learning_rate: p.rate, only };
        let training = match p.weights {
            Weights::Scratch => Training::new(options, self.model.classifier().clone(), self.engine.clone()),
            _ => Training::from_model(options, &self.model, self.engine.clone()),
        };
        self.training = Some(Box::new(training.map_err(eddy_error)?));
        Ok(())
    }

    /// `count` drawn pictures of what is asked for, of a stream.
    fn draw_pictures(&self, stream: Stream, count: usize) -> Vec<f32> {
        let rng = Philox::new(self.params.seed);
        let one = |k: usize| -> Picture {
            let (class, size) = asked(&self.params, k);
            picture_of(class, size, &rng, stream, 0, k as u32)
        };
        (0..count).flat_map(|k| one(k).pixels).collect()
    }

    async fn open(&mut self) -> Result<(), EddyError> {
        let count = self.params.samples as usize;
        self.drawn = self.draw_pictures(Stream::Data, count);
        let reference = self.draw_pictures(Stream::Control, REFERENCE);
        let classifier: &Classifier = self.model.classifier();
        let far = classifier.judge(&reference, &self.engine).await.map_err(eddy_error)?.moments();
        let near = classifier.judge(&self.drawn, &self.engine).await.map_err(eddy_error)?.moments();
        let floor = near.frechet(&far);
        self.reference = Some((far, floor));
        self.next_stage().await
    }

    async fn judge(&self, pixels: &[f32]) -> Result<Quality, EddyError> {
        let Some((reference, _)) = &self.reference else { return Ok(Quality::NONE) };
        let judged = self.model.classifier().judge(pixels, &self.engine).await.map_err(eddy_error)?;
        let [share, size] = shares(&judged, |k| asked(&self.params, k));
        Ok(Quality { share, size, frechet: judged.moments().frechet(reference) })
    }

    /// What comes after a sampling, or after the opening.
    async fn next_stage(&mut self) -> Result<(), EddyError> {
        let is_taught = self.training.as_ref().is_none_or(|t| t.steps_done() >= t.options().steps);
        self.stage = match &self.stage {
            Stage::Opening if !is_taught => Stage::Teaching,
            Stage::Opening | Stage::Teaching => {
                self.held_out = self.model.held_out_loss(&self.engine).await.map_err(eddy_error)?;
                Stage::Drawing(Draw::new(&self.params, &self.model, self.params.guidance, &self.engine)?)
            }
            Stage::Drawing(_) if !is_taught => Stage::Teaching,
            Stage::Drawing(_) if self.params.curve => self.curve_stage(0)?,
            Stage::Curve(k, _) if k + 1 < CURVE.len() => self.curve_stage(k + 1)?,
            Stage::Drawing(_) | Stage::Curve(..) => {
                self.outcome = Outcome::Finished;
                return Ok(());
            }
        };
        Ok(())
    }

    fn curve_stage(&self, k: usize) -> Result<Stage, EddyError> {
        Ok(Stage::Curve(k, Draw::new(&self.params, &self.model, CURVE[k], &self.engine)?))
    }

    async fn advance_within(&mut self, budget: Budget) -> Result<(), EddyError> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            match &mut self.stage {
                Stage::Opening => self.open().await?,
                Stage::Teaching => self.teach().await?,
                Stage::Drawing(draw) => {
                    let is_last = draw.step();
                    let (pixels, evaluations) = (draw.pixels(), draw.model.evaluations());
                    self.evaluations += 1;
                    self.draw_step(pixels, evaluations, is_last).await?;
                }
                Stage::Curve(k, draw) => {
                    let (k, is_last) = (*k, draw.step());
                    let pixels = draw.pixels();
                    self.steps += 1;
                    if is_last {
                        let quality = self.judge(&pixels).await?;
                        self.curve.push((CURVE[k], quality));
                        self.next_stage().await?;
                    }
                }
            }
            if !clock.tick(1) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn draw_step(&mut self, pixels: Vec<f32>, evaluations: u64, is_last: bool) -> Result<(), EddyError> {
        self.steps += 1;
        if pixels.iter().any(|v| !v.is_finite()) {
            self.outcome = Outcome::Diverged {
                step: self.steps,
                cause: "the samples are no longer finite numbers".into(),
                advice: "Ask with less guidance, or train with a lower learning rate.".into(),
                repair: Some(("guidance".into(), "2".into())),
            };
            return Ok(());
        }
        let quality = self.judge(&pixels).await?;
        self.shown = pixels;
        let floor = self.reference.as_ref().map_or(f64::NAN, |(_, floor)| *floor);
        let row = [quality.share, quality.size, quality.frechet, floor, evaluations as f64, self.held_out];
        self.record.push(self.steps as f64, &row);
        if is_last {
            self.next_stage().await?;
        }
        Ok(())
    }

    /// One training step; samples are drawn [`LOOKS`] times on the way.
    async fn teach(&mut self) -> Result<(), EddyError> {
        let Some(training) = &mut self.training else { return self.next_stage().await };
        let losses = training.advance(1).await.map_err(eddy_error)?;
        let (done, all) = (training.steps_done(), training.options().steps);
        self.steps += 1;
        let loss = losses.first().copied().unwrap_or(f64::NAN);
        if !loss.is_finite() {
            self.outcome = Outcome::Diverged {
                step: self.steps,
                cause: "the loss is no longer a finite number: the learning rate is too high".into(),
                advice: "Lower the learning rate and restart.".into(),
                repair: Some(("rate".into(), format!("{}", (self.params.rate / 4.0).max(1e-5)))),
            };
            return Ok(());
        }
        self.losses.push((done as f64, loss));
        if done == all || done.is_multiple_of(all.div_ceil(LOOKS)) {
            self.model = training.model();
            self.next_stage_after_lesson().await?;
        }
        Ok(())
    }

    async fn next_stage_after_lesson(&mut self) -> Result<(), EddyError> {
        self.held_out = self.model.held_out_loss(&self.engine).await.map_err(eddy_error)?;
        self.stage = Stage::Drawing(Draw::new(&self.params, &self.model, self.params.guidance, &self.engine)?);
        Ok(())
    }

    fn taught(&self) -> usize {
        self.training.as_ref().map_or(0, |t| t.steps_done())
    }

    /// Steps of the whole run.
    fn whole(&self) -> f64 {
        let p = &self.params;
        let draw = p.sampler.method().steps_for(p.evaluations as usize).unwrap_or(1) as f64;
        let lessons = if p.weights == Weights::Shipped { 0.0 } else { f64::from(p.lessons) };
        let looks = if p.weights == Weights::Shipped { 1.0 } else { LOOKS as f64 };
        let curve = if p.curve { CURVE.len() as f64 } else { 0.0 };
        // Opening and lessons count as steps too.
        1.0 + lessons + (looks + curve) * draw
    }
}
