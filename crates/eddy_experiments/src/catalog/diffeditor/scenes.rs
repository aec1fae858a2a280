//! Drawn scenes, one shape on a background, and drags of the shape with their true result.

use std::f64::consts::TAU;

use eddy_numerics::rng::{Philox, Stream};
use eddy_spec::choice;

use crate::labs::flow::shapes::{PIXELS, SIDE};

/// Least distance of a shape's centre from the edge. The window of the largest shape then lies within the picture.
const EDGE: f64 = 4.0;
const RADII: [f64; 2] = [2.0, 2.6];
const KINDS: u32 = 3;
/// What the window shows around the shape: a box drawn by hand is never tight.
const RIM: f64 = 1.0;
/// Shortest random drag along one of the axes.
const FAR: f64 = 3.0;
const CONTRAST: f64 = 0.5;
/// Wavelength of the stripes, in pixels, their directions and phases.
const WAVE: f64 = 5.5;
const DIRECTIONS: u32 = 4;
const PHASES: u32 = 8;

choice! { pub enum Texture {
    /// stripes
    Stripes = "stripes",
    /// flat
    Flat = "flat",
} }

/// A bright disc, square or diamond on stripes, or on one shade.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    kind: u32,
    centre: [f64; 2],
    radius: f64,
    stripes: Stripes,
}

#[derive(Clone, Copy, Debug)]
struct Stripes {
    wave: [f64; 2],
    phase: f64,
}

impl Stripes {
    const NONE: Self = Self { wave: [0.0; 2], phase: 0.0 };

    fn of(direction: u32, phase: u32) -> Self {
        let (sin, cos) = (std::f64::consts::PI * f64::from(direction) / f64::from(DIRECTIONS)).sin_cos();
        let k = TAU / WAVE;
        Self { wave: [k * cos, k * sin], phase: TAU * f64::from(phase) / f64::from(PHASES) }
    }
    fn all(texture: Texture) -> Vec<Self> {
        match texture {
            Texture::Flat => vec![Self::NONE],
            Texture::Stripes => (0..DIRECTIONS).flat_map(|d| (0..PHASES).map(move |p| Self::of(d, p))).collect(),
        }
    }
    fn at(&self, [x, y]: [f64; 2]) -> f64 {
        CONTRAST * (self.wave[0] * x + self.wave[1] * y + self.phase).sin()
    }
}

/// Middle of a pixel; row 0 is on top.
fn middle(p: usize) -> [f64; 2] {
    [(p % SIDE) as f64 + 0.5, (p / SIDE) as f64 + 0.5]
}

/// All backgrounds.
pub fn backgrounds(texture: Texture) -> Vec<Vec<f64>> {
    Stripes::all(texture).iter().map(|s| (0..PIXELS).map(|p| s.at(middle(p))).collect()).collect()
}

/// All shapes at all places, on no stripes.
pub fn shapes() -> Vec<Scene> {
    let side = SIDE - 2 * EDGE as usize + 1;
    let of = |n: usize| Scene {
        kind: (n / side / side) as u32 % KINDS,
        radius: RADII[n / side / side / KINDS as usize],
        centre: [EDGE + (n % side) as f64, EDGE + (n / side % side) as f64],
        stripes: Stripes::NONE,
    };
    (0..side * side * KINDS as usize * RADII.len()).map(of).collect()
}

impl Scene {
    /// Scene `index` of a set: any of all, each as likely.
    pub fn random(texture: Texture, rng: &Philox, stream: Stream, set: u32, index: u32) -> Self {
        let [shape, stripes, ..] = rng.uniforms(stream, set, index, 0);
        let pick = |u: f64, count: usize| ((u * count as f64) as usize).min(count - 1);
        let (shapes, all) = (shapes(), Stripes::all(texture));
        Self { stripes: all[pick(stripes, all.len())], ..shapes[pick(shape, shapes.len())] }
    }

    /// The share of every pixel that the shape covers. Edges are smoothed over a pixel.
    pub fn shares(&self) -> Vec<f64> {
        let share = |p: usize| {
            let at = middle(p);
            let [dx, dy] = [0, 1].map(|d| (at[d] - self.centre[d]).abs());
            let depth = match self.kind {
                0 => self.radius - dx.hypot(dy),
                1 => self.radius - dx.max(dy),
                _ => 0.8 * (1.4 * self.radius - dx - dy),
            };
            (depth + 0.5).clamp(0.0, 1.0)
        };
        (0..PIXELS).map(share).collect()
    }

    /// The picture with the shape moved by `by`, from −½ to 1.
    pub fn draw(&self, by: [f64; 2]) -> Vec<f64> {
        let moved = Self { centre: [0, 1].map(|d| self.centre[d] + by[d]), ..*self };
        let behind = (0..PIXELS).map(|p| self.stripes.at(middle(p)));
        moved.shares().into_iter().zip(behind).map(|(share, behind)| behind + share * (1.0 - behind)).collect()
    }

    /// The whole number of pixels nearest to `by` by which the shape can move without leaving the room.
    fn reachable(&self, by: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|d| {
            let room = SIDE as f64 - EDGE - self.centre[d];
            by[d].round().clamp((EDGE - self.centre[d]).ceil(), room.floor())
        })
    }
}

/// What is asked of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// To stay as it was.
    Content,
    /// Where the shape was and will not be: anything that fits.
    Left,
    /// To become what the source shows at another one.
    Edit { from: usize },
}

/// A shape dragged elsewhere.
pub struct Drag {
    pub source: Vec<f64>,
    /// The shape drawn at the new place on the same background.
    pub truth: Vec<f64>,
    pub regions: Vec<Region>,
}

impl Drag {
    pub fn new(scene: &Scene, by: [f64; 2]) -> Self {
        let by = scene.reachable(by);
        let half = scene.radius + RIM;
        let back = by[1] as isize * SIDE as isize + by[0] as isize;
        let is_within = |p: usize, by: [f64; 2]| {
            let at = middle(p);
            (0..2).all(|d| (at[d] - scene.centre[d] - by[d]).abs() <= half)
        };
        let region = |p: usize| {
            if is_within(p, by) {
                // The old window lies within the picture.
                Region::Edit { from: p.saturating_add_signed(-back).min(PIXELS - 1) }
            } else if is_within(p, [0.0; 2]) {
                Region::Left
            } else {
                Region::Content
            }
        };
        Self { source: scene.draw([0.0; 2]), truth: scene.draw(by), regions: (0..PIXELS).map(region).collect() }
    }

    /// Drag `index` of those at random: far enough to be one.
    pub fn random(texture: Texture, seed: u32, index: u32) -> Self {
        let rng = Philox::new(seed);
        let scene = Scene::random(texture, &rng, Stream::Control, 0, index);
        let far = |by: &[f64; 2]| by[0].abs().max(by[1].abs()) >= FAR;
        // Even from the middle four places in nine are far enough: sixteen tries all miss once in ten thousand drags.
        let by = (0..16).map(|k| {
            let [x, y, ..] = rng.uniforms(Stream::Control, 1 + k, index, 2);
            let room = SIDE as f64 - 2.0 * EDGE;
            scene.reachable([EDGE + room * x - scene.centre[0], EDGE + room * y - scene.centre[1]])
        });
        let by = by.clone().find(far).or_else(|| by.last()).unwrap_or_default();
        Self::new(&scene, by)
    }

    /// What the guidance asks of pixel `p`, given what it knows of the source; `None` where nothing.
    pub fn wanted(&self, p: usize, known: impl Fn(usize) -> f64) -> Option<f64> {
        match self.regions[p] {
            Region::Content => Some(known(p)),
            Region::Left => None,
            Region::Edit { from } => Some(known(from)),
        }
    }

    /// Square distances per pixel from the true result: within the new window, and everywhere else.
    pub fn errors(&self, picture: &[f64]) -> [f64; 2] {
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        for (p, (a, b)) in picture.iter().zip(&self.truth).enumerate() {
            let part = usize::from(!matches!(self.regions[p], Region::Edit { .. }));
            sums[part] += (a - b) * (a - b);
            counts[part] += 1.0;
        }
        [0, 1].map(|k| sums[k] / f64::max(counts[k], 1.0))
    }

    /// The shifted window pasted over the source, which keeps the old shape: what needs no model.
    pub fn pasted(&self) -> Vec<f64> {
        (0..PIXELS).map(|p| self.wanted(p, |from| self.source[from]).unwrap_or(self.source[p])).collect()
    }

    /// The regions in shades: content dark, the old place grey, the new one bright.
    pub fn map(&self) -> Vec<f64> {
        let shade = |r: &Region| match r {
            Region::Content => -1.0,
            Region::Left => 0.0,
            Region::Edit { .. } => 1.0,
        };
        self.regions.iter().map(shade).collect()
    }
}
