//! What the experiments on the small image model share: what is asked of pictures, and how sets of them are shown.

use eddy_learn::{
    LearnError,
    image::{Judged, PIXELS, SIDE},
};
use eddy_spec::{Axis, ColorMap, EddyError, ViewData, ViewSpec, choice};

choice! { pub enum Class {
    /// each in turn
    Every = "every",
    /// disc
    Disc = "disc",
    /// square
    Square = "square",
    /// triangle
    Triangle = "triangle",
    /// cross
    Cross = "cross",
    /// 0
    Zero = "0",
    /// 1
    One = "1",
    /// 2
    Two = "2",
    /// 3
    Three = "3",
    /// 4
    Four = "4",
    /// 5
    Five = "5",
    /// 6
    Six = "6",
    /// 7
    Seven = "7",
    /// 8
    Eight = "8",
    /// 9
    Nine = "9",
} }

choice! { pub enum Size {
    /// both in turn
    Both = "both",
    /// small
    Small = "small",
    /// large
    Large = "large",
} }

impl Class {
    /// None for each in turn.
    pub fn index(self) -> Option<usize> {
        (self as usize).checked_sub(1)
    }
}

impl Size {
    /// None for both in turn.
    pub fn index(self) -> Option<usize> {
        (self as usize).checked_sub(1)
    }
}

/// Pictures in a row where each class is asked for in turn.
pub const ROW: usize = 14;

/// A view of many pictures.
pub const fn pictures(key: &'static str, label: &'static str) -> ViewSpec {
    ViewSpec::field(
        key,
        label,
        Axis::linear("picture", "k"),
        Axis::linear("rows from below", "j"),
        Axis::linear("brightness", "x"),
        ColorMap::Viridis,
    )
}

/// Pictures in rows of [`ROW`], the first row on top, a dark line between them.
pub fn mosaic(pixels: &[f32]) -> ViewData {
    let count = pixels.len() / PIXELS;
    if count == 0 {
        return ViewData::Empty;
    }
    let (across, down) = (count.min(ROW), count.div_ceil(ROW));
    let (nx, ny) = (across * (SIDE + 1) - 1, down * (SIDE + 1) - 1);
    let mut data = vec![-1.0f32; nx * ny];
    for (k, picture) in pixels.chunks_exact(PIXELS).enumerate() {
        for (p, v) in picture.iter().enumerate() {
            let (i, j) = (k % ROW * (SIDE + 1) + p % SIDE, k / ROW * (SIDE + 1) + p / SIDE);
            data[(ny - 1 - j) * nx + i] = v.clamp(-1e6, 1e6);
        }
    }
    ViewData::Field { nx, ny, data, x: (0.0, across as f64), y: (0.0, down as f64), range: (-1.0, 1.0) }
}

/// Shares of the pictures that were taken for the class and for the size that was asked of each.
pub fn shares(judged: &Judged, asked: impl Fn(usize) -> (usize, usize)) -> [f64; 2] {
    let n = judged.answers.len().max(1) as f64;
    let pairs = judged.answers.iter().enumerate().filter_map(|(k, a)| Some(((*a)?, asked(k))));
    let (class, size) = pairs
        .fold((0_u32, 0_u32), |(class, size), (a, b)| (class + u32::from(a.0 == b.0), size + u32::from(a.1 == b.1)));
    [f64::from(class) / n, f64::from(size) / n]
}

pub fn eddy_error(error: LearnError) -> EddyError {
    EddyError::new(error.code(), error.to_string())
}
