use serde::Serialize;

use crate::Axis;

/// Colour map of a field or of point values. All perceptually uniform and safe for colour-blind readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColorMap {
    /// Sequential.
    Viridis,
    /// Sequential, blue to yellow.
    Cividis,
    /// Signed fields; the range is kept symmetric about zero.
    Diverging,
    /// Phases and angles.
    Cyclic,
}

/// What kind of picture a view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewKind {
    /// A scalar on a regular 2-D grid (space, or space and time), drawn with a colour map. On the stage.
    Field,
    /// Curves y(x) that move. On the stage.
    Lines,
    /// A scalar on a regular 3-D grid, looked into from any side. On the stage.
    Volume,
    /// Points in the plane, each with a value, some with trails. On the stage.
    Points,
    /// A plane of triangles with a value at each corner. On the stage.
    Mesh,
    /// Curves of a finished or growing measurement (error against evaluations). In a plot below the stage, where the
    /// page overlays the same view of the baseline in grey.
    Curves,
}

/// A thing to draw, declared once per experiment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ViewSpec {
    /// Stable name.
    pub key: &'static str,
    pub label: &'static str,
    pub kind: ViewKind,
    pub x: Axis,
    pub y: Axis,
    /// The third axis of a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub z: Option<Axis>,
    /// The value shown by colour (fields, points); ignored by lines and curves.
    pub value: Axis,
    pub colors: ColorMap,
    /// Lines that can be listened to: samples per second. What is constant in a curve is not heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard: Option<f64>,
}

impl ViewSpec {
    pub const fn field(
        key: &'static str,
        label: &'static str,
        x: Axis,
        y: Axis,
        value: Axis,
        colors: ColorMap,
    ) -> Self {
        Self { key, label, kind: ViewKind::Field, x, y, z: None, value, colors, heard: None }
    }
    pub const fn points(
        key: &'static str,
        label: &'static str,
        x: Axis,
        y: Axis,
        value: Axis,
        colors: ColorMap,
    ) -> Self {
        Self { key, label, kind: ViewKind::Points, x, y, z: None, value, colors, heard: None }
    }
    pub const fn volume(
        key: &'static str,
        label: &'static str,
        [x, y, z]: [Axis; 3],
        value: Axis,
        colors: ColorMap,
    ) -> Self {
        Self { key, label, kind: ViewKind::Volume, x, y, z: Some(z), value, colors, heard: None }
    }
    pub const fn mesh(key: &'static str, label: &'static str, x: Axis, y: Axis, value: Axis, colors: ColorMap) -> Self {
        Self { key, label, kind: ViewKind::Mesh, x, y, z: None, value, colors, heard: None }
    }
    pub const fn lines(key: &'static str, label: &'static str, x: Axis, y: Axis) -> Self {
        Self { key, label, kind: ViewKind::Lines, x, y, z: None, value: y, colors: ColorMap::Viridis, heard: None }
    }
    pub const fn curves(key: &'static str, label: &'static str, x: Axis, y: Axis) -> Self {
        Self { key, label, kind: ViewKind::Curves, x, y, z: None, value: y, colors: ColorMap::Viridis, heard: None }
    }
    /// The same, to be listened to at `rate` samples per second.
    pub const fn heard(self, rate: f64) -> Self {
        Self { heard: Some(rate), ..self }
    }
}

/// What a curve stands for; decides colour and dash on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What the run computes.
    Result,
    /// Closed form or converged reference; drawn thin and dashed.
    Reference,
    /// A second quantity beside the first.
    Second,
    /// A third.
    Third,
    /// A fourth.
    Fourth,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marker {
    Line,
    LineAndDots,
    Dots,
}

/// One named curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub name: String,
    pub role: Role,
    pub marker: Marker,
    pub xs: Vec<f64>,
    pub ys: Vec<f64>,
}

impl Series {
    pub fn line(name: impl Into<String>, role: Role, xs: Vec<f64>, ys: Vec<f64>) -> Self {
        Self { name: name.into(), role, marker: Marker::Line, xs, ys }
    }
    pub fn dotted(name: impl Into<String>, role: Role, xs: Vec<f64>, ys: Vec<f64>) -> Self {
        Self { name: name.into(), role, marker: Marker::LineAndDots, xs, ys }
    }
}

/// The contents of a view at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum ViewData {
    /// `data[j * nx + i]`, row 0 at `y.0` (the bottom). Values outside `range` saturate.
    Field { nx: usize, ny: usize, data: Vec<f32>, x: (f64, f64), y: (f64, f64), range: (f64, f64) },
    /// `data[(k * ny + j) * nx + i]` with `shape` = nx, ny, nz, each layer as a field. Values outside `range` saturate.
    Volume { shape: [usize; 3], data: Vec<f32>, x: (f64, f64), y: (f64, f64), z: (f64, f64), range: (f64, f64) },
    /// `x` and `y` are the axis limits to show.
    Lines { series: Vec<Series>, x: (f64, f64), y: (f64, f64) },
    /// `positions` holds x, y pairs; `values` one number per point (colour). `trails` holds polylines, each
    /// `trail_len` x, y pairs long, of the first points. `backdrop` is an optional field drawn behind (a density).
    Points {
        positions: Vec<f32>,
        values: Vec<f32>,
        range: (f64, f64),
        trails: Vec<f32>,
        trail_len: usize,
        backdrop: Option<Box<ViewData>>,
        x: (f64, f64),
        y: (f64, f64),
    },
    /// `positions` holds x, y pairs and `values` a number for each; `triangles` holds three indices of points each. Values
    /// between corners are interpolated linearly; where triangles lie over each other the later one is seen.
    Mesh { positions: Vec<f32>, values: Vec<f32>, triangles: Vec<u32>, range: (f64, f64), x: (f64, f64), y: (f64, f64) },
    /// Nothing to show yet.
    Empty,
}

impl ViewData {
    /// Whether every number to be drawn is finite. The page never draws a view for which this is false.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Field { data, .. } | Self::Volume { data, .. } => data.iter().all(|v| v.is_finite()),
            // A NaN in a curve is a gap (a point not measured yet); an infinity is not drawable.
            Self::Lines { series, .. } => series.iter().all(|s| s.ys.iter().all(|v| !v.is_infinite())),
            Self::Points { positions, backdrop, .. } => {
                positions.iter().all(|v| v.is_finite()) && backdrop.as_ref().is_none_or(|b| b.is_finite())
            }
            Self::Mesh { positions, values, .. } => positions.iter().chain(values).all(|v| v.is_finite()),
            Self::Empty => true,
        }
    }
}
