//! Edits side by side: of one drag, step by step, and of random ones, measured against their true results.

use eddy_numerics::rng::{Philox, Stream};
use eddy_spec::Role;

use super::{
    Params,
    editor::{Edit, Inversion, Parts},
    model::Denoiser,
    scenes::{Drag, Scene},
};
use crate::labs::flow::shapes::PIXELS;

pub const EDITS: [(Parts, &str, Role); 4] = [
    (Parts::Global, "global", Role::Reference),
    (Parts::Masks, "masks", Role::Second),
    (Parts::Noise, "noise", Role::Third),
    (Parts::Travel, "travel", Role::Result),
];
/// Weights that every edit tries, and random drags.
pub const WEIGHTS: [f64; 6] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
const DRAGS: u32 = 64;

/// Means over the drags: new window, outside, whole picture. NaN where the edit was lost.
fn mean_errors(drags: &[Drag], edit: &Edit) -> [f64; 3] {
    if edit.is_lost() {
        return [f64::NAN; 3];
    }
    let mut sums = [0.0; 3];
    for (i, drag) in drags.iter().enumerate() {
        let picture = edit.clean.point(i);
        let [object, background] = drag.errors(&picture);
        let square: f64 = picture.iter().zip(&drag.truth).map(|(a, b)| (a - b) * (a - b)).sum();
        let own = [object, background, square / PIXELS as f64];
        sums.iter_mut().zip(own).for_each(|(s, e)| *s += e / drags.len() as f64);
    }
    sums
}

/// The drag of the page, by all four edits.
pub struct Shown {
    pub drag: [Drag; 1],
    pub edits: Vec<Edit>,
    /// Evaluations and errors of each.
    pub ways: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Shown {
    pub fn new(p: &Params) -> Self {
        let scene = Scene::random(p.texture, &Philox::new(p.seed), Stream::Lift, 0, p.picture);
        let drag = [Drag::new(&scene, [p.dx, p.dy])];
        let edits: Vec<Edit> = EDITS.iter().map(|e| Edit::new(p.plan(e.0, p.weight), &drag, None)).collect();
        Self { drag, ways: vec![Default::default(); edits.len()], edits }
    }

    pub fn is_done(&self) -> bool {
        self.edits.iter().all(Edit::is_done)
    }

    /// One evaluation of each edit.
    pub fn step(&mut self, denoiser: &mut Denoiser) {
        for (edit, way) in self.edits.iter_mut().zip(&mut self.ways) {
            let is_back = edit.is_inverted();
            edit.step(denoiser, &self.drag);
            if is_back {
                way.0.push(edit.cost[0] as f64);
                way.1.push(mean_errors(&self.drag, edit)[2]);
            }
        }
    }
}

/// Random drags by every edit at every weight.
pub struct Bench {
    pub drags: Vec<Drag>,
    edit: Option<Edit>,
    known: Option<Inversion>,
    /// Errors of the object, the background and all, edit by edit and weight by weight; NaN where an edit was lost.
    pub errors: Vec<[f64; 3]>,
    /// The most evaluations and passes backward that a drag took.
    pub cost: [f64; 2],
}

impl Bench {
    pub fn new(p: &Params) -> Self {
        let drags = (0..DRAGS).map(|i| Drag::random(p.texture, p.seed, i)).collect();
        Self { drags, edit: None, known: None, errors: Vec::new(), cost: [0.0; 2] }
    }

    pub fn is_done(&self) -> bool {
        self.errors.len() == EDITS.len() * WEIGHTS.len()
    }

    /// One evaluation of all drags.
    pub fn step(&mut self, p: &Params, denoiser: &mut Denoiser) {
        let at = self.errors.len();
        let plan = p.plan(EDITS[at / WEIGHTS.len()].0, WEIGHTS[at % WEIGHTS.len()]);
        let (drags, known) = (&self.drags, &mut self.known);
        let mut edit = self.edit.take().unwrap_or_else(|| Edit::new(plan, drags, known.take()));
        edit.step(denoiser, drags);
        if !edit.is_done() {
            self.edit = Some(edit);
            return;
        }
        let count = drags.len() as f64;
        self.errors.push(mean_errors(drags, &edit));
        self.cost = [0, 1].map(|k| self.cost[k].max(edit.cost[k] as f64 / count));
        self.known = Some(edit.inversion);
    }

    /// Object and background of an edit at the weight with the least error of whole pictures.
    pub fn best(&self, edit: usize) -> [f64; 2] {
        let own = self.errors.iter().skip(edit * WEIGHTS.len()).take(WEIGHTS.len());
        let best = own.filter(|e| e[2].is_finite()).min_by(|a, b| a[2].total_cmp(&b[2]));
        best.map_or([f64::NAN; 2], |e| [e[0], e[1]])
    }
}
