//! Small pictures drawn by formula, a prior over them with an exact denoiser, and how pictures are compared and shown.

use eddy_numerics::{
    diffusion::{measurement::Measurement, templates::Templates},
    rng::{Philox, Stream},
};
use eddy_spec::{Axis, ColorMap, EddyError, ViewData, ViewSpec, choice};

/// Pixels along a side, and all.
pub const SIDE: usize = 16;
pub const PIXELS: usize = SIDE * SIDE;
/// Pictures of the prior, and the standard deviation around each.
const TEMPLATES: usize = 600;
const SPREAD: f64 = 0.1;

choice! { pub enum Size {
    /// large
    Large = "large",
    /// small
    Small = "small",
} }

impl Size {
    /// Least distance of a centre from the edge, and least radius. A large shape reaches beyond a box of 8 × 8 in the
    /// middle, a small one may lie within.
    fn bounds(self) -> (f64, f64) {
        match self {
            Self::Large => (6.5, 4.0),
            Self::Small => (5.0, 2.5),
        }
    }
}

/// Mosaics of pictures.
pub const PICTURES: ViewSpec = ViewSpec::field(
    "pictures",
    "pictures",
    Axis::linear("picture", "k"),
    Axis::linear("rows from above", "j"),
    Axis::linear("brightness", "x"),
    ColorMap::Viridis,
);

/// Picture `index`: a disc, a square or a ring, bright (1) on dark (−1), edges smoothed over a pixel.
fn shape(which: Size, rng: &Philox, stream: Stream, index: u32) -> Vec<f64> {
    let [kind, x, y, size] = rng.uniforms(stream, 0, index, 0);
    let (edge, least) = which.bounds();
    let centre = |u: f64| edge + (SIDE as f64 - 2.0 * edge) * u;
    let (cx, cy, radius) = (centre(x), centre(y), least + 2.5 * size);
    let inside = |i: usize, j: usize| {
        let (dx, dy) = (i as f64 + 0.5 - cx, j as f64 + 0.5 - cy);
        let depth = match (3.0 * kind) as u32 {
            0 => radius - dx.hypot(dy),
            1 => radius - dx.abs().max(dy.abs()),
            _ => 1.2 - (dx.hypot(dy) - radius + 0.6).abs(),
        };
        (2.0 * depth).clamp(-1.0, 1.0)
    };
    (0..PIXELS).map(|p| inside(p % SIDE, p / SIDE)).collect()
}

/// The prior: the same at every seed.
pub fn prior(size: Size) -> Result<Templates, EddyError> {
    let rng = Philox::new(0x5EED);
    let means = (0..TEMPLATES as u32).flat_map(|k| shape(size, &rng, Stream::Data, k)).collect();
    Templates::new(PIXELS, means, SPREAD).map_err(|e| EddyError::start(e.to_string()))
}

/// `count` pictures to be restored: of the prior itself, or drawn by the same rule but not among its templates.
pub fn truths(prior: &Templates, size: Size, count: usize, held_out: bool, seed: u32) -> Vec<Vec<f64>> {
    let rng = Philox::new(seed);
    let picture = |k: usize| {
        if held_out {
            return shape(size, &rng, Stream::Control, k as u32);
        }
        let pick = rng.uniforms(Stream::Control, 0, k as u32, 0)[0];
        let mut out = prior.mean(((pick * prior.count() as f64) as usize).min(prior.count() - 1)).to_vec();
        add_noise(&mut out, SPREAD, &rng, Stream::Data, k as u32, 0);
        out
    };
    (0..count).map(picture).collect()
}

/// Adds normal noise; `draw` numbers repeated use for one picture.
pub fn add_noise(x: &mut [f64], sd: f64, rng: &Philox, stream: Stream, picture: u32, draw: u32) {
    for (chunk, four) in x.chunks_mut(4).enumerate() {
        let z = rng.normals(stream, draw, picture, chunk as u32);
        four.iter_mut().zip(z).for_each(|(x, z)| *x += sd * z);
    }
}

/// Everything but a box of 8 × 8 in the middle.
pub fn box_mask() -> Vec<bool> {
    let hidden = |i: usize| (SIDE / 4..3 * SIDE / 4).contains(&i);
    (0..PIXELS).map(|p| !(hidden(p % SIDE) && hidden(p / SIDE))).collect()
}

/// Mean square difference per pixel in decibels below the square of the range, 2: peak signal-to-noise ratio.
pub fn psnr(x: &[f64], truth: &[f64]) -> f64 {
    let square: f64 = x.iter().zip(truth).map(|(a, b)| (a - b) * (a - b)).sum();
    10.0 * (4.0 * truth.len() as f64 / square.max(1e-30)).log10()
}

/// RMS of A x − y.
pub fn misfit(a: &Measurement, x: &[f64], y: &[f64]) -> f64 {
    let square: f64 = a.apply(x).iter().zip(y).map(|(a, b)| (a - b) * (a - b)).sum();
    (square / y.len().max(1) as f64).sqrt()
}

/// RMS difference of neighbouring pixels.
pub fn contrast(x: &[f64]) -> f64 {
    let at = |i: usize, j: usize| x[j * SIDE + i];
    let mut sum = 0.0;
    for j in 0..SIDE - 1 {
        for i in 0..SIDE - 1 {
            sum += (at(i + 1, j) - at(i, j)).powi(2) + (at(i, j + 1) - at(i, j)).powi(2);
        }
    }
    (sum / ((SIDE - 1) * (SIDE - 1)) as f64).sqrt()
}

/// Rows of pictures, the first row on top, a dark line between pictures. Rows may be of different lengths; what is not
/// finite is dark.
pub fn mosaic(rows: &[Vec<&[f64]>]) -> ViewData {
    let (across, down) = (rows.iter().map(Vec::len).max().unwrap_or(0).max(1), rows.len().max(1));
    let (nx, ny) = (across * (SIDE + 1) - 1, down * (SIDE + 1) - 1);
    let mut data = vec![-1.0f32; nx * ny];
    for (r, row) in rows.iter().enumerate() {
        for (c, picture) in row.iter().enumerate() {
            for (p, v) in picture.iter().enumerate().take(PIXELS) {
                let (i, j) = (c * (SIDE + 1) + p % SIDE, r * (SIDE + 1) + p / SIDE);
                data[(ny - 1 - j) * nx + i] = if v.is_finite() { v.clamp(-1e6, 1e6) as f32 } else { -1.0 };
            }
        }
    }
    ViewData::Field { nx, ny, data, x: (0.0, across as f64), y: (0.0, down as f64), range: (-1.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_pictures_of_three_kinds_and_held_out_ones_are_new() {
        let size = Size::Large;
        let prior = prior(size).unwrap();
        let (new, known) = (truths(&prior, size, 30, true, 1), truths(&prior, size, 30, false, 1));
        let nearest = |x: &[f64]| (0..prior.count()).map(|k| psnr(x, prior.mean(k))).fold(f64::NEG_INFINITY, f64::max);
        for (new, known) in new.iter().zip(&known) {
            assert!(new.iter().any(|v| *v > 0.9) && new.iter().all(|v| (-1.0..=1.0).contains(v)));
            assert!(nearest(new) < 45.0, "no template: {}", nearest(new));
            // Noise of 0.1 on a range of 2 is 26 dB.
            assert!((nearest(known) - 26.0).abs() < 2.0, "{}", nearest(known));
        }
        // The middle of a ring is dark, that of a disc or a square bright; both occur.
        assert!((contrast(&[0.3; PIXELS])).abs() < 1e-15 && contrast(&new[0]) > 0.1);
    }

    #[test]
    fn a_mosaic_has_its_pictures_where_they_belong() {
        let (dark, bright) = (vec![0.0; PIXELS], vec![1.0; PIXELS]);
        let ViewData::Field { nx, ny, data, .. } = mosaic(&[vec![&bright, &dark], vec![&dark]]) else { panic!() };
        assert_eq!((nx, ny), (33, 33));
        // Row 0 is the bottom: the bright one is above, on the left.
        assert_eq!((data[32 * nx], data[0], data[32 * nx + 32], data[32]), (1.0, 0.0, 0.0, -1.0));
    }

    #[test]
    fn the_box_hides_small_shapes_and_no_large_one() {
        let seen = box_mask();
        let is_hidden = |x: &Vec<f64>| x.iter().zip(&seen).all(|(x, seen)| !seen || *x < -0.9);
        let hidden = |size| {
            let prior = prior(size).unwrap();
            truths(&prior, size, 200, true, 1).iter().filter(|x| is_hidden(x)).count()
        };
        assert_eq!(hidden(Size::Large), 0);
        assert!(hidden(Size::Small) > 0);
    }

    #[test]
    fn decibels() {
        assert!((psnr(&[0.2; PIXELS], &[0.0; PIXELS]) - 20.0).abs() < 1e-9);
    }
}
