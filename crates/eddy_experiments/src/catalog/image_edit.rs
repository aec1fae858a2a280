//@ feature: learn
//! # Make a 3 of a 2
//!
//! A drawn picture shall become one of another class and stay as it is otherwise: at its place, as large, turned alike.
//! The image model was never trained for that. Carry the picture part of the way to noise and come back with another
//! question; how far it goes, its *depth*, decides how much is decided anew. Three ways to the noise:
//!
//! 1. *Noise is added*, $x_t = \alpha_t x_0 + \sigma_t \varepsilon$ (SDEdit). What the noise hides is forgotten.
//! 2. *DDIM backwards*, asked for what the picture shows. The noise that is found remembers it, but steps forth and back
//!    use the $\varepsilon$ of different ends, so that even the unchanged question does not return the picture.
//! 3. *BDIA* moves both ways by the same $\varepsilon$, which is exact: with the unchanged question the picture returns to
//!    rounding. The pair of states that it keeps also keeps what should change: for editing it takes a smaller $\gamma$,
//!    and rounding then grows by $1/\gamma$ per step.
//!
//! The drawings are made by a rule, so the *true edit* is known: the other class drawn with the same numbers. The distance
//! from it is measured, beside that of a picture of the right class drawn anywhere, and whether the classifier takes the
//! result for what was asked. Both together count: a picture left alone is near its edit, too, since most of it is ground.

use std::any::Any;

use eddy_learn::{
    Engine,
    image::{CLASSES, Condition, Guided, Model, PIXELS, SIDE, SIZES, drawing::picture_of, schedule, span},
};
use eddy_numerics::{
    diffusion::{
        Batch, Denoiser, Node, RoundTrip, Schedule, Spacing, grid,
        metrics::{paired_distances, rms},
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
};

choice! { pub enum Way {
    /// BDIA backwards
    Bdia = "bdia",
    /// DDIM backwards
    Ddim = "ddim",
    /// noise is added
    Noise = "noise",
} }

params! { pub struct Params {
    /// What the pictures show.
    from: Class = Class::Every => choice().group("Edit"),
    /// What they shall become. Each in turn is the class after that of the picture.
    to: Class = Class::Every => choice().group("Edit"),
    /// How large they are.
    size: Size = Size::Large => choice().group("Edit"),
    /// Way to the noise.
    way: Way = Way::Ddim => choice().group("Method"),
    /// Depth. Time to which the pictures are carried; 1 is noise alone.
    depth: f64 = 0.9 => range(0.1, 0.99).symbol("t").group("Method"),
    /// Share of the move back. 1 is a leapfrog; below it rounding grows by its inverse each step.
    gamma: f64 = 0.8 => range(0.5, 1.0).symbol("\\gamma").group("Method").only_when("way", &["bdia"]),
    /// Guidance of the way back.
    guidance: f64 = 3.0 => range(0.0, 8.0).symbol("w").group("Method"),
    /// Evaluations of each way.
    evaluations: u32 = 20 => steps(3, 100).symbol("N").group("Method"),
    /// Number of pictures.
    samples: u32 = 56 => steps(8, 256).group("Run"),
    /// Seed.
    seed: u32 = 1 => seed().group("Run"),
    /// Curve. Measures other depths and ways after the run.
    curve: bool = true => toggle().group("Run"),
} }

/// Lines and depths of the curve.
const WAYS: [(Way, &str, Role); 3] =
    [(Way::Bdia, "BDIA", Role::Second), (Way::Ddim, "DDIM", Role::Result), (Way::Noise, "noise", Role::Reference)];
const DEPTHS: [f64; 5] = [0.3, 0.5, 0.7, 0.85, 0.97];

pub struct ImageEdit;

impl Experiment for ImageEdit {
    type Params = Params;
    const TITLE: &'static str = "Edit pictures";
    const SUMMARY: &'static str = "Carry a drawing part of the way to noise and bring it back as something else.";
    const LAB: Lab = Lab::Sampler;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("evaluations", "n");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "share",
            Axis::linear("edits of the asked class", "p_c"),
            Better::Higher,
            "Share of the edited pictures that the classifier takes for the class that was asked for.",
        ),
        Metric::new(
            "error",
            Axis::linear("distance from the true edit", "e"),
            Better::Lower,
            "RMS difference per pixel from the asked class drawn at the same place, as large and turned alike.",
        ),
        Metric::new(
            "elsewhere",
            Axis::linear("the same of pictures drawn elsewhere", "e_0"),
            Better::Neither,
            "RMS difference per pixel between the true edit and another drawing of its class and size: what remembers nothing.",
        ),
        Metric::new(
            "moved",
            Axis::linear("shift of the centre", "m").unit("pixels"),
            Better::Lower,
            "RMS distance between the centre of brightness of the edited picture and that of the true edit.",
        ),
        Metric::new(
            "return",
            Axis::log("distance of the return", "r"),
            Better::Lower,
            "RMS difference per pixel from the picture where the question stays what it shows, without guidance.",
        ),
        Metric::new(
            "evaluations",
            Axis::linear("evaluations per edit", "n"),
            Better::Lower,
            "Evaluations of the network for an edit, both ways, counted by it.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        pictures("edits", "pictures and edits"),
        pictures("true", "pictures and true edits"),
        pictures("latent", "noise found"),
        pictures("returned", "returned"),
        ViewSpec::curves(
            "classes",
            "asked class",
            Axis::linear("depth", "t"),
            Axis::linear("edits of the asked class", "p_c"),
        ),
        ViewSpec::curves(
            "errors",
            "distance",
            Axis::linear("depth", "t"),
            Axis::linear("distance from the true edit", "e"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "noise is added", change: "way=noise" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With 20 evaluations each way BDIA returns pictures a thousand times as exactly as DDIM. Edited to depth 0.9 by \
                   DDIM, at least as many show the asked class as with added noise, and their centres are at most 0.9 times \
                   as far from where they belong.",
        arms: &[
            Arm { name: "bdia", setting: "way=bdia&gamma=1&samples=140&curve=off" },
            Arm { name: "ddim", setting: "samples=140&curve=off" },
            Arm { name: "noise", setting: "way=noise&samples=140&curve=off" },
        ],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "distance of the return, BDIA / DDIM",
                measure: |m| m.ratio("bdia", "ddim", "return"),
                bound: Bound::AtMost(1e-3),
                unit: "×",
            },
            Test {
                label: "share of the asked class, DDIM less noise",
                measure: |m| m.mean("ddim", "share") - m.mean("noise", "share"),
                bound: Bound::AtLeast(0.0),
                unit: "",
            },
            Test {
                label: "shift of the centre, DDIM / noise",
                measure: |m| m.ratio("ddim", "noise", "moved"),
                bound: Bound::AtMost(0.9),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "From pure noise nothing of the picture is left.",
            arms: &[],
            change: "way=noise&depth=0.99",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(Edits::new(p)?))
    }
}

/// What picture `k` shows and what it shall become, and its size.
fn classes(p: &Params, k: usize) -> [usize; 3] {
    let from = p.from.index().unwrap_or(k % CLASSES.len());
    [from, p.to.index().unwrap_or((from + 1) % CLASSES.len()), p.size.index().unwrap_or(k / ROW % SIZES.len())]
}

/// Rows of pixels of all pictures.
fn rows(x: &Batch<f32>) -> Vec<f32> {
    x.to_points().into_iter().map(|v| v as f32).collect()
}

/// Centre of brightness in pixels; the middle of a dark picture.
fn centre(picture: &[f32]) -> [f64; 2] {
    let mut sums = [1e-9, 0.0, 0.0];
    for (p, v) in picture.iter().enumerate() {
        let light = (0.5 * (1.0 + f64::from(*v))).max(0.0);
        let middle = SIDE as f64 / 2.0;
        let at = [(p % SIDE) as f64 + 0.5 - middle, (p / SIDE) as f64 + 0.5 - middle];
        sums[0] += light;
        (0..2).for_each(|d| sums[1 + d] += light * at[d]);
    }
    [sums[1] / sums[0], sums[2] / sums[0]]
}

/// The way out of all pictures and, from its end, the way back to the edits.
struct Trip {
    way: RoundTrip<f32>,
    shown: Guided,
    asked: Guided,
}

impl Trip {
    fn new(
        p: &Params,
        way: Way,
        depth: f64,
        source: &Batch<f32>,
        model: &Model,
        engine: &Engine,
    ) -> Result<Self, EddyError> {
        let schedule = schedule();
        let spread = grid(&schedule, Spacing::Uniform, depth, span().0, p.evaluations as usize);
        let nodes: Vec<Node> = spread.map_err(|e| EddyError::start(e.to_string()))?;
        let way = match way {
            Way::Bdia => RoundTrip::new(nodes, source.clone(), Some(p.gamma)),
            Way::Ddim => RoundTrip::new(nodes, source.clone(), None),
            Way::Noise => {
                let at = schedule.node(depth);
                let mut x = Batch::normal(PIXELS, source.len(), at.sigma, &Philox::new(p.seed), Stream::Path, 0);
                x.combine(1.0, &[(at.alpha, source)]);
                RoundTrip::from_noise(nodes, x)
            }
        };
        let conditions = |which: usize| {
            let all = (0..source.len()).map(|k| classes(p, k));
            all.map(|c| Condition::of(c[which], c[2])).collect::<Vec<_>>()
        };
        Ok(Self {
            way,
            shown: Guided::new(model, conditions(0), 1.0, engine),
            asked: Guided::new(model, conditions(1), p.guidance, engine),
        })
    }

    fn is_out(&self) -> bool {
        self.way.latent().is_some()
    }
    fn step(&mut self) {
        let is_out = self.is_out();
        self.way.step(if is_out { &mut self.asked } else { &mut self.shown });
    }
    fn evaluations(&self) -> u64 {
        self.shown.evaluations() + self.asked.evaluations()
    }
}

#[derive(Clone, Copy)]
struct Quality {
    share: f64,
    error: f64,
    moved: f64,
}

enum Stage {
    Edit(Box<Trip>),
    /// The same way back with the question unchanged.
    Return(Box<RoundTrip<f32>>, Box<Guided>),
    /// Way and depth of this number.
    Curve(usize, Box<Trip>),
    Done,
}

struct Edits {
    params: Params,
    engine: Engine,
    model: Model,
    source: Batch<f32>,
    /// The true edits, their centres, and their distance from other pictures of those classes.
    truth: Batch<f32>,
    centres: Vec<[f64; 2]>,
    elsewhere: f64,
    stage: Stage,
    /// Where the way back of the edit began, for the return.
    turned: Option<RoundTrip<f32>>,
    edited: Vec<f32>,
    returned: Vec<f32>,
    now: Quality,
    back: f64,
    curve: Vec<Quality>,
    steps: u64,
    work: u64,
    outcome: Outcome,
    record: Record,
}

/// RMS difference per pixel.
fn distance(a: &Batch<f32>, b: &Batch<f32>) -> f64 {
    rms(&paired_distances(a, b)) / (PIXELS as f64).sqrt()
}

impl Edits {
    fn new(p: &Params) -> Result<Self, EddyError> {
        let (engine, model) = (Engine::cpu(), Model::shipped().map_err(eddy_error)?);
        let rng = Philox::new(p.seed);
        let drawn = |which: usize, stream: Stream| -> Batch<f32> {
            let all = (0..p.samples as usize).flat_map(|k| {
                let c = classes(p, k);
                // One index, one place: classes differ in nothing else.
                picture_of(c[which], c[2], &rng, stream, 0, k as u32).pixels
            });
            Batch::from_points(PIXELS, &all.map(f64::from).collect::<Vec<_>>())
        };
        let [source, truth] = [0, 1].map(|which| drawn(which, Stream::Data));
        let elsewhere = distance(&truth, &drawn(1, Stream::Control));
        let trip = Trip::new(p, p.way, p.depth, &source, &model, &engine)?;
        Ok(Self {
            edited: rows(&source),
            centres: rows(&truth).chunks_exact(PIXELS).map(centre).collect(),
            source,
            truth,
            elsewhere,
            stage: Stage::Edit(Box::new(trip)),
            turned: None,
            returned: Vec::new(),
            now: Quality { share: f64::NAN, error: f64::NAN, moved: f64::NAN },
            back: f64::NAN,
            curve: Vec::new(),
            steps: 0,
            work: 0,
            outcome: Outcome::Running,
            record: Record::of(ImageEdit::METRICS),
            engine,
            model,
            params: p.clone(),
        })
    }

    async fn judge(&self, x: &Batch<f32>) -> Result<Quality, EddyError> {
        let pixels = rows(x);
        let judged = self.model.classifier().judge(&pixels, &self.engine).await.map_err(eddy_error)?;
        let [share, _] = shares(&judged, |k| (classes(&self.params, k)[1], classes(&self.params, k)[2]));
        let shift = |(picture, to): (&[f32], &[f64; 2])| {
            let at = centre(picture);
            (at[0] - to[0]).hypot(at[1] - to[1])
        };
        let shifts: Vec<f64> = pixels.chunks_exact(PIXELS).zip(&self.centres).map(shift).collect();
        Ok(Quality { share, error: distance(x, &self.truth), moved: rms(&shifts) })
    }

    /// Way and depth number `k` of the curve.
    fn curve_stage(&self, k: usize) -> Result<Stage, EddyError> {
        if !self.params.curve || k == WAYS.len() * DEPTHS.len() {
            return Ok(Stage::Done);
        }
        let (way, depth) = (WAYS[k / DEPTHS.len()].0, DEPTHS[k % DEPTHS.len()]);
        let trip = Trip::new(&self.params, way, depth, &self.source, &self.model, &self.engine)?;
        Ok(Stage::Curve(k, Box::new(trip)))
    }

    fn lost(&mut self) {
        self.outcome = Outcome::Diverged {
            step: self.steps,
            cause: "the pictures are no longer finite numbers".into(),
            advice: "Take a larger share of the move back, fewer evaluations, or less guidance.".into(),
            repair: Some(("gamma".into(), "1".into())),
        };
    }

    async fn step(&mut self) -> Result<(), EddyError> {
        self.steps += 1;
        let count = u64::from(self.params.samples);
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Edit(mut trip) => {
                let was_out = trip.is_out();
                if was_out && self.turned.is_none() {
                    self.turned = Some(trip.way.clone());
                }
                trip.step();
                self.work += count;
                let x = trip.way.here().clone();
                if x.data().iter().any(|v| !v.is_finite()) {
                    self.lost();
                    return Ok(());
                }
                self.edited = rows(&x);
                if was_out {
                    self.now = self.judge(&x).await?;
                }
                self.push_row(trip.evaluations());
                self.stage = if trip.way.is_done() {
                    let way = self.turned.clone().unwrap_or_else(|| trip.way.clone());
                    Stage::Return(Box::new(way), Box::new(trip.shown))
                } else {
                    Stage::Edit(trip)
                };
            }
            Stage::Return(mut way, mut shown) => {
                way.step(shown.as_mut());
                self.work += count;
                self.returned = rows(way.here());
                if way.is_done() {
                    self.back = distance(way.here(), &self.source);
                    let last = self.record.latest("evaluations");
                    self.push_row(last as u64);
                    self.stage = self.curve_stage(0)?;
                } else {
                    self.stage = Stage::Return(way, shown);
                }
            }
            Stage::Curve(k, mut trip) => {
                trip.step();
                self.work += count;
                if trip.way.is_done() {
                    let quality = self.judge(trip.way.here()).await?;
                    self.curve.push(quality);
                    self.stage = self.curve_stage(k + 1)?;
                } else {
                    self.stage = Stage::Curve(k, trip);
                }
            }
            Stage::Done => {}
        }
        if matches!(self.stage, Stage::Done) {
            self.outcome = Outcome::Finished;
        }
        Ok(())
    }

    fn push_row(&mut self, evaluations: u64) {
        let Quality { share, error, moved } = self.now;
        self.record.push(evaluations as f64, &[share, error, self.elsewhere, moved, self.back, evaluations as f64]);
    }

    async fn advance_within(&mut self, budget: Budget) -> Result<(), EddyError> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            self.step().await?;
            if !clock.tick(1) {
                break;
            }
        }
        Ok(())
    }

    /// Steps of the whole run: three ways, and two for each point of the curve.
    fn whole(&self) -> f64 {
        let n = f64::from(self.params.evaluations);
        let one = |way: Way| if way == Way::Noise { n } else { 2.0 * n };
        let curve: f64 = WAYS.iter().map(|w| DEPTHS.len() as f64 * one(w.0)).sum();
        n + one(self.params.way) + if self.params.curve { curve } else { 0.0 }
    }

    /// Row for row: pictures, and below them what became of them.
    fn pairs(&self, below: &[f32]) -> ViewData {
        let source = rows(&self.source);
        let both = source.chunks(ROW * PIXELS).zip(below.chunks(ROW * PIXELS));
        mosaic(
            &both
                .flat_map(|(a, b)| {
                    // A row that is not full ends in ground.
                    [a, b].map(|row| {
                        row.iter().copied().chain(std::iter::repeat(-1.0)).take(ROW * PIXELS).collect::<Vec<f32>>()
                    })
                })
                .flatten()
                .collect::<Vec<f32>>(),
        )
    }

    fn lines(&self, of: impl Fn(&Quality) -> f64) -> Vec<Series> {
        let line = |(w, (_, name, role)): (usize, &(Way, &str, Role))| {
            let ys: Vec<f64> =
                self.curve.iter().skip(w * DEPTHS.len()).take(DEPTHS.len()).map(|q| of(q).min(10.0)).collect();
            Series::dotted(*name, *role, DEPTHS[..ys.len()].to_vec(), ys)
        };
        WAYS.iter().enumerate().map(line).collect()
    }
}

impl Run for Edits {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        Box::pin(self.advance_within(budget))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        Progress {
            steps: self.steps,
            position: self.record.latest("evaluations").max(0.0),
            fraction: if self.outcome.is_running() { (self.steps as f64 / self.whole()).min(1.0) } else { 1.0 },
            work: self.work as f64,
            work_unit: "pictures",
        }
    }
    fn precision(&self) -> Option<Precision> {
        Some(Precision::F32)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let ends = (DEPTHS[0], DEPTHS[DEPTHS.len() - 1]);
        let level = |name: &str, y: f64| Series::line(name, Role::Third, vec![ends.0, ends.1], vec![y, y]);
        ready(Ok(match key {
            "edits" => self.pairs(&self.edited),
            "true" => self.pairs(&rows(&self.truth)),
            "latent" => self.turned.as_ref().and_then(RoundTrip::latent).map_or(ViewData::Empty, |x| mosaic(&rows(x))),
            "returned" if self.returned.is_empty() => ViewData::Empty,
            "returned" => self.pairs(&self.returned),
            "classes" => ViewData::Lines { series: self.lines(|q| q.share), x: ends, y: (0.0, 1.0) },
            "errors" => {
                let mut series = self.lines(|q| q.error);
                series.push(level("drawn elsewhere", self.elsewhere));
                ViewData::Lines { series, x: ends, y: (0.0, 1.2) }
            }
            _ => ViewData::Empty,
        }))
    }
    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        if let Some(params) = params.downcast_ref::<Params>() {
            self.params = params.clone();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Params {
        Params { samples: 14, evaluations: 6, curve: false, ..Params::default() }
    }

    fn finished(p: &Params) -> Edits {
        let mut run = Edits::new(p).unwrap();
        pollster::block_on(run.advance(Budget::steps(u64::MAX))).unwrap();
        assert_eq!(run.outcome(), Outcome::Finished);
        run
    }

    #[test]
    fn only_bdia_returns_what_it_was_given() {
        let back = |way, gamma| finished(&Params { way, gamma, ..small() }).back;
        let (exact, ddim, noise) = (back(Way::Bdia, 1.0), back(Way::Ddim, 1.0), back(Way::Noise, 1.0));
        assert!(exact < 1e-4, "{exact}");
        assert!(ddim > 10.0 * exact && noise > ddim, "{ddim} {noise}");
    }

    #[test]
    fn evaluations_are_counted_and_steps_add_up() {
        for (way, used) in [(Way::Bdia, 6 + 5), (Way::Ddim, 12), (Way::Noise, 6)] {
            let run = finished(&Params { way, ..small() });
            assert_eq!(run.record.latest("evaluations"), f64::from(used), "{way:?}");
            assert!(run.steps as f64 <= run.whole() && run.steps as f64 > run.whole() - 3.0, "{way:?} {}", run.steps);
        }
    }

    #[test]
    fn the_true_edit_is_at_the_picture_s_place() {
        let run = Edits::new(&small()).unwrap();
        let shift = |a: &Batch<f32>, b: &Batch<f32>| {
            let (a, b) = (rows(a), rows(b));
            let of = |(a, b): (&[f32], &[f32])| {
                let (a, b) = (centre(a), centre(b));
                (a[0] - b[0]).hypot(a[1] - b[1])
            };
            a.chunks(PIXELS).zip(b.chunks(PIXELS)).map(of).fold(0.0, f64::max)
        };
        // A triangle's or a digit's centre of brightness is not that of its box.
        assert!(shift(&run.source, &run.truth) < 2.5, "{}", shift(&run.source, &run.truth));
        let other = Edits::new(&Params { seed: 2, ..small() }).unwrap();
        assert!(shift(&run.source, &other.truth) > 2.5);
    }

    #[test]
    fn every_view_can_be_drawn_at_every_moment() {
        let mut run = Edits::new(&Params { samples: 9, evaluations: 3, curve: true, ..small() }).unwrap();
        while run.outcome().is_running() {
            pollster::block_on(run.advance(Budget::steps(1))).unwrap();
            for view in ImageEdit::VIEWS {
                assert!(pollster::block_on(run.view(view.key)).unwrap().is_finite(), "{}", view.key);
            }
        }
        assert_eq!(run.curve.len(), WAYS.len() * DEPTHS.len());
    }
}
