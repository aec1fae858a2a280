//! The pictures that the image model learns: shapes and digits drawn by formula from counted random numbers.
//!
//! A picture is a function of (seed, stream, draw, index), so there is no data set to load and none to run out of: every
//! training step sees new ones, and held-out pictures come from another stream.

use eddy_numerics::rng::{Philox, Stream};

/// Pixels along a side, and all.
pub const SIDE: usize = 16;
pub const PIXELS: usize = SIDE * SIDE;
/// What a picture may show, in the order of the class numbers.
pub const CLASSES: [&str; 14] =
    ["disc", "square", "triangle", "cross", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// How large it is, in the order of the attribute numbers.
pub const SIZES: [&str; 2] = ["small", "large"];

/// Shapes come before the digits.
const FIRST_DIGIT: usize = 4;

/// What is asked of a picture; `None` leaves it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Index into [`CLASSES`].
    pub class: Option<usize>,
    /// Index into [`SIZES`].
    pub size: Option<usize>,
}

impl Condition {
    pub fn of(class: usize, size: usize) -> Self {
        Self { class: Some(class), size: Some(size) }
    }
}

/// A drawn picture: brightness from −1 (ground) to 1, rows from above.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub class: usize,
    pub size: usize,
    pub pixels: Vec<f32>,
}

/// Picture `index` of a stream, of a class and size that are drawn too.
pub fn picture(rng: &Philox, stream: Stream, draw: u32, index: u32) -> Picture {
    let [class, size, ..] = rng.uniforms(stream, draw, index, 0);
    picture_of(pick(class, CLASSES.len()), pick(size, SIZES.len()), rng, stream, draw, index)
}

/// Picture `index` of a stream, of a given class and size. Numbers beyond the lists count as the last entry.
pub fn picture_of(class: usize, size: usize, rng: &Philox, stream: Stream, draw: u32, index: u32) -> Picture {
    let (class, size) = (class.min(CLASSES.len() - 1), size.min(SIZES.len() - 1));
    let [.., across, down] = rng.uniforms(stream, draw, index, 0);
    let [radius, turn, width, stroke] = rng.uniforms(stream, draw, index, 1);
    // Half the height in pixels. The two ranges are apart, so that a picture tells its size.
    let radius = [3.2, 5.4][size] + [0.8, 1.2][size] * radius;
    let is_digit = class >= FIRST_DIGIT;
    let turn = if is_digit { 0.16 } else { 0.3 } * (2.0 * turn - 1.0);
    let width = 0.9 + 0.2 * width;
    // Whole pictures only: the centre keeps the radius and a little more from the edge.
    let room = radius + 0.7;
    let centre = |u: f64| room + (SIDE as f64 - 2.0 * room) * u;
    let (cx, cy) = (centre(across), centre(down));
    let (sin, cos) = turn.sin_cos();
    let half_stroke = 0.62 + 0.05 * radius + 0.2 * stroke;
    let depth = |p: usize| {
        let (dx, dy) = ((p % SIDE) as f64 + 0.5 - cx, (p / SIDE) as f64 + 0.5 - cy);
        let (x, y) = ((cos * dx + sin * dy) / width, cos * dy - sin * dx);
        match class {
            0 => 0.92 * radius - x.hypot(y),
            1 => 0.8 * radius - x.abs().max(y.abs()),
            // Three edges at half the distance of the corners, one corner on top.
            2 => 0.5 * radius - y.max(0.75f64.sqrt() * x.abs() - 0.5 * y),
            3 => {
                let arm = 0.25 * radius + 0.2;
                let bar = |along: f64, aside: f64| (0.95 * radius - along.abs()).min(arm - aside.abs());
                bar(x, y).max(bar(y, x))
            }
            _ => half_stroke - distance_to_strokes(strokes(class - FIRST_DIGIT), x / radius, y / radius) * radius,
        }
    };
    // Edges are smoothed over a pixel.
    let pixels = (0..PIXELS).map(|p| (2.0 * depth(p)).clamp(-1.0, 1.0) as f32).collect();
    Picture { class, size, pixels }
}

/// One of `count` for a number in (0, 1).
pub(super) fn pick(u: f64, count: usize) -> usize {
    ((u * count as f64) as usize).min(count - 1)
}

/// The corners of a digit's line in units of half its height, y downward.
fn strokes(digit: usize) -> &'static [(f64, f64)] {
    const DIGITS: [&[(f64, f64)]; 10] = [
        &[
            (0.0, -0.9),
            (0.38, -0.7),
            (0.55, 0.0),
            (0.38, 0.7),
            (0.0, 0.9),
            (-0.38, 0.7),
            (-0.55, 0.0),
            (-0.38, -0.7),
            (0.0, -0.9),
        ],
        &[(-0.35, -0.5), (0.05, -0.9), (0.05, 0.9)],
        &[(-0.5, -0.5), (-0.3, -0.85), (0.25, -0.9), (0.5, -0.5), (0.35, -0.05), (-0.5, 0.88), (0.55, 0.88)],
        &[
            (-0.5, -0.75),
            (0.0, -0.92),
            (0.45, -0.6),
            (0.35, -0.2),
            (-0.1, -0.05),
            (0.4, 0.15),
            (0.5, 0.55),
            (0.1, 0.92),
            (-0.5, 0.75),
        ],
        &[(0.25, 0.9), (0.25, -0.9), (-0.55, 0.35), (0.6, 0.35)],
        &[(0.5, -0.88), (-0.4, -0.88), (-0.45, -0.1), (0.15, -0.2), (0.52, 0.3), (0.2, 0.85), (-0.5, 0.8)],
        &[
            (0.35, -0.9),
            (-0.25, -0.5),
            (-0.5, 0.2),
            (-0.35, 0.75),
            (0.05, 0.9),
            (0.45, 0.7),
            (0.45, 0.2),
            (0.05, 0.0),
            (-0.45, 0.25),
        ],
        &[(-0.55, -0.88), (0.5, -0.88), (-0.1, 0.9)],
        &[
            (0.0, -0.08),
            (-0.4, -0.35),
            (-0.35, -0.75),
            (0.0, -0.92),
            (0.35, -0.75),
            (0.4, -0.35),
            (0.0, -0.08),
            (-0.5, 0.25),
            (-0.45, 0.75),
            (0.0, 0.92),
            (0.45, 0.75),
            (0.5, 0.25),
            (0.0, -0.08),
        ],
        &[
            (-0.35, 0.9),
            (0.25, 0.5),
            (0.5, -0.2),
            (0.35, -0.75),
            (-0.05, -0.9),
            (-0.45, -0.7),
            (-0.45, -0.2),
            (-0.05, 0.0),
            (0.45, -0.25),
        ],
    ];
    DIGITS[digit.min(9)]
}

fn distance_to_strokes(corners: &[(f64, f64)], x: f64, y: f64) -> f64 {
    let to_segment = |pair: &[(f64, f64)]| {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let (ux, uy) = (bx - ax, by - ay);
        let along = (((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy)).clamp(0.0, 1.0);
        (x - ax - along * ux).hypot(y - ay - along * uy)
    };
    corners.windows(2).map(to_segment).fold(f64::INFINITY, f64::min)
}

/// The windows that a layer sees at once: squares of `width` pixels every `stride` pixels, what lies outside the picture
/// is 0. Windows row by row, each row by row: (16 / stride)² · width² numbers per picture.
pub(super) fn windows(pixels: &[f32], stride: usize, width: usize) -> Vec<f32> {
    let (margin, across) = ((width - stride) / 2, SIDE / stride);
    let mut out = Vec::with_capacity(pixels.len() / (stride * stride) * width * width);
    for picture in pixels.chunks_exact(PIXELS) {
        for window in 0..across * across {
            let (left, top) = (stride * (window % across), stride * (window / across));
            for row in top..top + width {
                for column in left..left + width {
                    let inside = |v: usize| v.checked_sub(margin).filter(|v| *v < SIDE);
                    out.push(match (inside(column), inside(row)) {
                        (Some(i), Some(j)) => picture[j * SIDE + i],
                        _ => 0.0,
                    });
                }
            }
        }
    }
    out
}

/// Pixels of patches of `side` × `side`, patch by patch, from rows; `to_rows` is the way back.
pub(super) fn to_patches(pixels: &[f32], side: usize) -> Vec<f32> {
    windows(pixels, side, side)
}

/// Pictures as rows from patches of `side` × `side`.
pub(super) fn to_rows(patches: &[f32], side: usize) -> Vec<f32> {
    let across = SIDE / side;
    let mut out = vec![0.0; patches.len()];
    for (patches, picture) in patches.chunks_exact(PIXELS).zip(out.chunks_exact_mut(PIXELS)) {
        for (k, v) in patches.iter().enumerate() {
            let (patch, within) = (k / (side * side), k % (side * side));
            let (i, j) = (side * (patch % across) + within % side, side * (patch / across) + within / side);
            picture[j * SIDE + i] = *v;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bright(p: &Picture) -> f64 {
        p.pixels.iter().map(|v| f64::from(0.5 + 0.5 * v)).sum()
    }

    #[test]
    fn pictures_are_whole_distinct_and_tell_their_size() {
        let rng = Philox::new(1);
        let mut mean = vec![[0.0; 2]; CLASSES.len()];
        for class in 0..CLASSES.len() {
            for size in 0..2 {
                for i in 0..20 {
                    let p = picture_of(class, size, &rng, Stream::Data, 0, i);
                    assert!(p.pixels.iter().all(|v| (-1.0..=1.0).contains(v)));
                    assert!(p.pixels.iter().any(|v| *v > 0.5), "{class} {size} {i}");
                    // No shape is cut off: the frame of the picture is dark. A digit's stroke may touch it.
                    let frame = (0..SIDE).flat_map(|k| [k, PIXELS - SIDE + k, k * SIDE, k * SIDE + SIDE - 1]);
                    let dark = frame.map(|k| p.pixels[k]).filter(|v| *v < 0.5).count();
                    assert!(dark == 4 * SIDE || (class >= FIRST_DIGIT && dark > 3 * SIDE), "{class} {size} {i}");
                    mean[class][size] += bright(&p) / 20.0;
                }
            }
            assert!(mean[class][1] > 1.4 * mean[class][0], "{class} {:?}", mean[class]);
        }
        // The area of a disc: π (0.92 r)² with r between 5.4 and 6.6, narrowed or widened by up to a tenth.
        let area = std::f64::consts::PI * (0.92f64 * 6.0).powi(2);
        assert!((mean[0][1] / area - 1.0).abs() < 0.1, "{:?} {area}", mean[0]);
    }

    #[test]
    fn a_picture_is_a_function_of_its_counter() {
        let draw = |seed, stream, index| picture(&Philox::new(seed), stream, 3, index);
        assert_eq!(draw(1, Stream::Data, 5), draw(1, Stream::Data, 5));
        assert_ne!(draw(1, Stream::Data, 5).pixels, draw(1, Stream::Data, 6).pixels);
        assert_ne!(draw(1, Stream::Data, 5).pixels, draw(1, Stream::Control, 5).pixels);
        assert_ne!(draw(1, Stream::Data, 5).pixels, draw(2, Stream::Data, 5).pixels);
        let seen: std::collections::HashSet<_> =
            (0..1000).map(|i| draw(1, Stream::Data, i)).map(|p| (p.class, p.size)).collect();
        assert_eq!(seen.len(), CLASSES.len() * SIZES.len());
        // Numbers out of range are the last of their list.
        assert_eq!(picture_of(99, 9, &Philox::new(1), Stream::Data, 0, 0).class, 13);
    }

    #[test]
    fn the_distance_to_a_line_by_hand() {
        let line = [(0.0, 0.0), (2.0, 0.0), (2.0, 1.0)];
        assert_eq!(distance_to_strokes(&line, 1.0, 0.5), 0.5);
        assert_eq!(distance_to_strokes(&line, -3.0, 4.0), 5.0);
        assert_eq!(distance_to_strokes(&line, 3.0, 0.75), 1.0);
    }

    #[test]
    fn patches_and_windows_are_where_they_belong() {
        let pixels: Vec<f32> = (0..2 * PIXELS).map(|v| v as f32 + 1.0).collect();
        let patches = to_patches(&pixels, 4);
        assert_eq!(patches[..5], [1.0, 2.0, 3.0, 4.0, 17.0]);
        assert_eq!(patches[16], 5.0);
        assert_eq!(to_rows(&patches, 4), pixels);
        // Another patch size is no way back.
        assert_ne!(to_rows(&patches, 2), pixels);
        let wide = windows(&pixels, 4, 8);
        assert_eq!(wide.len(), 2 * 16 * 64);
        // The first window begins two pixels above and left of the picture; the second column of patches sees its end.
        assert_eq!((wide[0], wide[17], wide[18], wide[19]), (0.0, 0.0, 1.0, 2.0));
        assert_eq!(wide[64 + 16], 3.0);
    }
}
