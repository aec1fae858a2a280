//@ feature: sampler
//! # Drag a shape
//!
//! A picture shows a shape on stripes; the shape shall lie elsewhere, and the stripes go on where it was. No model was
//! trained for that. Carry the picture to the noise by DDIM, keep the clean pictures $\hat x^{\,\mathrm{src}}_t$ that the
//! denoiser sees on the way, and come back guided by two energies of the clean picture $\hat x$ it sees now,
//!
//! $$E_{\text{edit}} = \tfrac12\!\!\sum_{p \in \text{new window}}\!\!\bigl(\hat x(p) - \hat x^{\,\mathrm{src}}_t(p - d)\bigr)^2,
//! \qquad
//! E_{\text{content}} = \tfrac12\!\!\!\sum_{p \notin \text{both windows}}\!\!\!\bigl(\hat x(p) - \hat x^{\,\mathrm{src}}_t(p)\bigr)^2,$$
//!
//! whose gradients by the noisy picture, *through* the denoiser, move $\varepsilon$ by $w\,\sigma_t\nabla E$ and $\hat x$
//! with it. Four edits, each with what the one before has:
//!
//! 1. *global*: one gradient of the sum, everywhere;
//! 2. *masks*: each gradient in its own region alone;
//! 3. *noise*: fresh noise in both windows for a while, of strength $\eta$, elsewhere none;
//! 4. *travel*: some levels are visited $U$ times, noised again from the level below.
//!
//! Extra visits are paid by fewer levels, so that both ways together take as many evaluations in all four; with masks
//! two gradients are taken per evaluation, and counted. Windows are boxes with a rim, as drawn by hand: they carry
//! stripes of the old place, wrong at the new one, which the denoiser has to mend.
//!
//! In the paper the energies compare features of a large network and push the old object away. Here they are of clean
//! pictures, and the denoiser is exact, as is its Jacobian: the posterior mean over all scenes there are, 486 shapes on 32
//! backgrounds, with a little noise about each. So the result shows what the guidance does, without the errors of a
//! network, and the true result is known: the shape drawn at the new place. Where the guidance fails the result is another
//! scene altogether, and its error large. The paper returns to a level by a step of DDIM,
//! for an evaluation; here by noise, within the windows, for none. Its image prompts have no counterpart.
//!
//! All parts together keep what lies outside: its error is a third of the global one. In the new window masks cost: one
//! gradient of everything decides sooner which scene it is. Noise and travel win part of it back.

use std::any::Any;

use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test, ViewData,
    ViewSpec, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run,
    labs::flow::{
        error_lines,
        shapes::{PICTURES, mosaic},
        sweep_lines, with_gaps,
    },
    ready,
};

#[path = "diffeditor/editor.rs"]
mod editor;
#[path = "diffeditor/measure.rs"]
mod measure;
#[path = "diffeditor/model.rs"]
mod model;
#[path = "diffeditor/scenes.rs"]
mod scenes;

use editor::{Edit, Parts, Plan};
use measure::{Bench, EDITS, Shown, WEIGHTS};
use model::Denoiser;
use scenes::Texture;

const DEFAULT_WEIGHT: f64 = 3.0;

params! { pub struct Params {
    /// Picture.
    picture: u32 = 1 => steps(1, 50).live().group("Edit"),
    /// To the right. Pixels by which the shape is dragged; it stops at the edge.
    dx: f64 = -5.0 => range(-8.0, 8.0).by(1.0).symbol("d_x").live().group("Edit"),
    /// Downward.
    dy: f64 = 3.0 => range(-8.0, 8.0).by(1.0).symbol("d_y").live().group("Edit"),
    /// Weight of the guidance. Of the edit shown; the random drags try six.
    weight: f64 = DEFAULT_WEIGHT => log(0.01, 100.0).symbol("w").live().group("Edit"),
    /// Guided share of the way.
    guided: f64 = 0.6 => range(0.0, 1.0).live().group("Method"),
    /// Fresh noise. 1 is as much as the diffusion itself would add.
    eta: f64 = 0.4 => range(0.0, 1.0).symbol("\\eta").live().group("Method"),
    /// Visits of a level.
    visits: u32 = 3 => steps(1, 8).symbol("U").live().group("Method"),
    /// Evaluations of each way.
    evaluations: u32 = 40 => steps(6, 100).symbol("N").live().group("Method"),
    /// Background.
    texture: Texture = Texture::Stripes => choice().group("Edit"),
    /// Seed.
    seed: u32 = 7 => seed().group("Run"),
    /// Random drags. Measures 64 of them after the edit shown.
    drags: bool = true => toggle().group("Run"),
} }

impl Params {
    fn plan(&self, parts: Parts, weight: f64) -> Plan {
        let Self { guided, eta, visits, evaluations, seed, .. } = *self;
        Plan { parts, weight, guided, eta, visits, evaluations, seed }
    }
}

const fn error(key: &'static str, label: &'static str, symbol: &'static str, doc: &'static str) -> Metric {
    Metric::new(key, Axis::log(label, symbol), Better::Lower, doc)
}

pub struct Diffeditor;

impl Experiment for Diffeditor {
    type Params = Params;
    const TITLE: &'static str = "DiffEditor: drag a shape";
    const SUMMARY: &'static str = "A shape moves to a new place, and a denoiser fills in what was behind it.";
    const LAB: Lab = Lab::Flow;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 86,
        key: "mou2024diffeditor",
        authors: "Chong Mou and Xintao Wang and Jiechong Song and Ying Shan and Jian Zhang",
        title: "DiffEditor: Boosting Accuracy and Flexibility on Diffusion-based Image Editing",
        venue: "CVPR",
        year: 2024,
        url: "https://arxiv.org/abs/2402.02583",
    }];
    const AXIS: Axis = Axis::linear("steps", "n");
    const METRICS: &'static [Metric] = &[
        error(
            "object",
            "error of the object, travel",
            "e_o",
            "Square error per pixel in the new window, all four parts: mean over 64 random drags at the best of six weights.",
        ),
        error("background", "error of the background, travel", "e_b", "The same outside the new window."),
        error("object_noise", "error of the object, noise", "e_o", "The same without travel."),
        error("background_noise", "error of the background, noise", "e_b", "The same without travel."),
        error("object_masks", "error of the object, masks", "e_o", "The same with masks alone."),
        error("background_masks", "error of the background, masks", "e_b", "The same with masks alone."),
        error("object_global", "error of the object, global", "e_o", "The same with one gradient everywhere."),
        error("background_global", "error of the background, global", "e_b", "The same with one gradient everywhere."),
        error(
            "pasted",
            "error of the object, pasted",
            "e_p",
            "Square error per pixel in the new window if the old one is copied there, without any model.",
        ),
        Metric::new(
            "evaluations",
            Axis::linear("evaluations per edit", "2N"),
            Better::Lower,
            "Pictures denoised per edit, both ways, counted by the denoiser: the most of the four edits.",
        ),
        Metric::new(
            "backward",
            Axis::linear("passes backward per edit", "N_b"),
            Better::Lower,
            "Products with the denoiser's Jacobian per edit with all parts, counted by it.",
        ),
        error(
            "shown",
            "error of the drag shown, travel",
            "e",
            "Square error per pixel of the whole picture, this drag.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        PICTURES,
        ViewSpec::lines(
            "way",
            "on the way",
            Axis::linear("evaluations", "n"),
            Axis::log("square error per pixel of the clean picture", "e"),
        ),
        ViewSpec::lines(
            "parts",
            "object and background",
            Axis::linear("edit: 1 global, 2 masks, 3 noise, 4 travel", "k"),
            Axis::log("square error per pixel", "e"),
        ),
        ViewSpec::curves(
            "objects",
            "object against weight, random drags",
            Axis::log("weight of the guidance", "w"),
            Axis::log("square error per pixel in the new window", "e_o"),
        ),
        ViewSpec::curves(
            "backgrounds",
            "background against weight, random drags",
            Axis::log("weight of the guidance", "w"),
            Axis::log("square error per pixel outside the new window", "e_b"),
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "masks alone", change: "eta=0&visits=1" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At equal evaluations, masks, local noise and travel together leave at most 0.8 times the square error of one global gradient in the new window, and at most 1.1 times outside, over 64 random drags.",
        arms: &[Arm { name: "edits", setting: "" }],
        seeds: &[1, 2, 3],
        tests: &[
            Test {
                label: "object, all parts / global",
                measure: |m| m.mean("edits", "object") / m.mean("edits", "object_global"),
                bound: Bound::AtMost(0.8),
                unit: "×",
            },
            Test {
                label: "background, all parts / global",
                measure: |m| m.mean("edits", "background") / m.mean("edits", "background_global"),
                bound: Bound::AtMost(1.1),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "Without fresh noise and second visits only the masks are left.",
            arms: &[],
            change: "eta=0&visits=1",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(EditRun::new(p)))
    }
}

/// The edit shown, then the random drags.
struct EditRun {
    params: Params,
    denoiser: Denoiser,
    shown: Shown,
    bench: Option<Bench>,
    /// Steps of any kind.
    units: u64,
    outcome: Outcome,
    record: Record,
}

impl EditRun {
    fn new(p: &Params) -> Self {
        Self {
            denoiser: Denoiser::new(p.texture),
            shown: Shown::new(p),
            bench: None,
            units: 0,
            outcome: Outcome::Running,
            record: Record::of(Diffeditor::METRICS),
            params: p.clone(),
        }
    }

    /// One evaluation of the edits.
    fn work(&mut self) {
        self.units += 1;
        let p = &self.params;
        if !self.shown.is_done() {
            self.shown.step(&mut self.denoiser);
            if self.shown.edits.iter().any(Edit::is_lost) {
                self.outcome = Outcome::Diverged {
                    step: self.units,
                    cause: "a picture left the range of brightness: the guidance is too strong".to_owned(),
                    advice: "Lower its weight.".to_owned(),
                    repair: Some(("weight".to_owned(), DEFAULT_WEIGHT.to_string())),
                };
            } else {
                self.push_row();
            }
            return;
        }
        if p.drags {
            let bench = self.bench.get_or_insert_with(|| Bench::new(p));
            if !bench.is_done() {
                bench.step(p, &mut self.denoiser);
            }
            if !bench.is_done() {
                return;
            }
        }
        self.push_row();
        self.outcome = Outcome::Finished;
    }

    fn push_row(&mut self) {
        let mut row = [f64::NAN; 12];
        if let Some(bench) = self.bench.as_ref().filter(|bench| bench.is_done()) {
            for edit in 0..EDITS.len() {
                let at = 2 * (EDITS.len() - 1 - edit);
                row[at..at + 2].copy_from_slice(&bench.best(edit));
            }
            let pasted = bench.drags.iter().map(|drag| drag.errors(&drag.pasted())[0]);
            row[8] = pasted.sum::<f64>() / bench.drags.len() as f64;
            row[9..11].copy_from_slice(&bench.cost);
        }
        row[11] = self.shown.ways.last().and_then(|(_, errors)| errors.last().copied()).unwrap_or(f64::NAN);
        self.record.push(self.units as f64, &row);
    }

    fn pictures(&self) -> ViewData {
        let Shown { drag: [drag], edits, .. } = &self.shown;
        let above = [drag.source.clone(), edits[0].inversion.x.point(0), drag.map(), drag.truth.clone()];
        let below: Vec<Vec<f64>> = edits.iter().map(|edit| edit.clean.point(0)).collect();
        mosaic(&[above.iter().map(Vec::as_slice).collect(), below.iter().map(Vec::as_slice).collect()])
    }

    fn way(&self) -> ViewData {
        let ways = &self.shown.ways;
        let line = |((_, name, role), (xs, ys)): (&(Parts, &str, Role), &(Vec<f64>, Vec<f64>))| {
            Series::line(*name, *role, xs.clone(), with_gaps(ys))
        };
        let series = EDITS.iter().zip(ways).map(line).collect();
        error_lines(series, (0.0, 2.0 * f64::from(self.params.evaluations)), (1e-3, 0.3))
    }

    fn parts(&self) -> ViewData {
        let mut series = Vec::new();
        let mut add = |names: [&str; 2], roles: [Role; 2], errors: Vec<[f64; 2]>| {
            for k in 0..2 {
                let ys: Vec<f64> = errors.iter().map(|e| e[k]).collect();
                let xs = (1..=ys.len()).map(|n| n as f64).collect();
                series.push(Series::dotted(names[k], roles[k], xs, with_gaps(&ys)));
            }
        };
        let Shown { drag: [drag], edits, .. } = &self.shown;
        let errors = edits.iter().map(|edit| drag.errors(&edit.clean.point(0))).collect();
        add(["object, this drag", "background, this drag"], [Role::Result, Role::Second], errors);
        if let Some(bench) = &self.bench {
            let errors = (0..EDITS.len()).map(|edit| bench.best(edit)).collect();
            add(["object, 64 drags", "background, 64 drags"], [Role::Third, Role::Reference], errors);
        }
        error_lines(series, (0.5, 4.5), (1e-3, 0.1))
    }

    fn weights_curve(&self, which: usize) -> ViewData {
        let errors: Vec<f64> = self.bench.iter().flat_map(|b| &b.errors).map(|e| e[which]).collect();
        let series = sweep_lines(EDITS.iter().map(|e| (e.1, e.2)), &WEIGHTS, &errors);
        error_lines(series, (WEIGHTS[0], WEIGHTS[WEIGHTS.len() - 1]), (1e-3, 0.1))
    }
}

impl Run for EditRun {
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
        // An edit counts as its evaluations, those of the 64 random drags at a time as one each.
        let (each, p) = (2.0 * f64::from(self.params.evaluations), &self.params);
        let drags = if p.drags { (EDITS.len() * WEIGHTS.len()) as f64 } else { 0.0 };
        let bench = self.bench.as_ref().map_or(0.0, |b| b.errors.len() as f64).min(drags);
        let done = self.shown.edits[0].cost[0] as f64 + each * bench;
        Progress {
            steps: self.units,
            position: self.units as f64,
            fraction: if self.outcome.is_running() { (done / (each * (1.0 + drags))).min(1.0) } else { 1.0 },
            work: self.denoiser.cost[0] as f64,
            work_unit: "pictures",
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
            "way" => self.way(),
            "parts" => self.parts(),
            "objects" => self.weights_curve(0),
            "backgrounds" => self.weights_curve(1),
            _ => self.pictures(),
        }))
    }

    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let new: &Params = crate::own(params)?;
        // Another drag of the same method leaves what was measured of it.
        if new.plan(Parts::Travel, 1.0) != self.params.plan(Parts::Travel, 1.0) {
            self.bench = None;
        }
        self.params = new.clone();
        self.shown = Shown::new(new);
        self.outcome = Outcome::Running;
        Ok(())
    }
}

#[cfg(test)]
#[path = "diffeditor/tests.rs"]
mod tests;
