//! Pictures of a typed system: what its run keeps for them, and how they are drawn from it.

use std::borrow::Cow;

use eddy_expr::Expression;
use eddy_solve::{Statement, discrete::Values, grid::Grid, statement::sample};
use eddy_spec::{Role, Series, ViewData};

use super::overlays::{self, Plane};
use super::spectra;

/// Which numbers of a complex field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Real,
    Imaginary,
    Magnitude,
}

/// One real quantity of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    pub field: usize,
    pub part: Part,
}

impl Component {
    /// The component of a name: `u`, `re u`, `im u`, `|u|`. A complex field by its name alone is its magnitude; a name that
    /// no field has is the first field.
    pub fn find(values: &[Values], name: &str) -> Self {
        let trimmed = name.trim().trim_matches('|');
        let (part, field) = match trimmed.split_once(' ') {
            Some(("re", field)) => (Some(Part::Real), field.trim()),
            Some(("im", field)) => (Some(Part::Imaginary), field.trim()),
            _ => (None, trimmed),
        };
        let field = values.iter().position(|one| one.name == field).unwrap_or(0);
        let is_complex = values.get(field).is_some_and(|one| !one.im.is_empty());
        let part = match part {
            Some(part) if is_complex => part,
            _ if is_complex => Part::Magnitude,
            _ => Part::Real,
        };
        Self { field, part }
    }

    pub fn is_imaginary(self) -> bool {
        self.part == Part::Imaginary
    }
}

/// The numbers of a component.
pub fn component_values(values: &[Values], component: Component) -> Cow<'_, [f64]> {
    let Some(field) = values.get(component.field) else { return Cow::Borrowed(&[]) };
    match component.part {
        Part::Real => Cow::Borrowed(&field.re),
        Part::Imaginary => Cow::Borrowed(&field.im),
        Part::Magnitude => Cow::Owned(field.re.iter().zip(&field.im).map(|(a, b)| a.hypot(*b)).collect()),
    }
}

/// Rows of a space-time picture.
const ROWS: usize = 240;
/// Points of a path, after which every second one is dropped.
const PATH: usize = 4096;

/// What is kept of the states that went by.
pub struct Pictures {
    start: f64,
    end: f64,
    /// By row, then field: real and imaginary parts in one.
    rows: Vec<Vec<(Vec<f32>, Vec<f32>)>>,
    keeps_rows: bool,
    probe: usize,
    /// Time, then real and imaginary part of each field at the probe.
    path: Vec<(f64, Vec<(f64, f64)>)>,
    every: usize,
    seen: usize,
    ranges: Vec<(&'static str, (f64, f64))>,
    /// Name of the field whose outline is drawn over the others.
    outlined: String,
    /// The colours have a middle, which is for zero.
    has_middle: bool,
}

impl Pictures {
    pub fn new(statement: &Statement) -> Self {
        Self {
            start: statement.start,
            end: statement.end,
            rows: Vec::new(),
            keeps_rows: statement.grid.dimension() == 1,
            probe: 0,
            path: Vec::new(),
            every: 1,
            seen: 0,
            ranges: Vec::new(),
            outlined: String::new(),
            has_middle: false,
        }
    }

    /// Gives zero the middle of the colours: for maps that have one.
    pub fn centre_colors(&mut self) {
        self.has_middle = true;
    }

    /// The range of the colours for values of this span.
    fn colors(&mut self, key: &'static str, (low, high): (f64, f64)) -> (f64, f64) {
        let most = high.max(-low);
        self.range(key, if self.has_middle && low < 0.0 && high > 0.0 { (-most, most) } else { (low, high) })
    }

    /// Draws the outline of this field over the plane of another one; of none where empty.
    pub fn outline(&mut self, field: &str) {
        self.outlined = field.trim().to_owned();
    }

    /// The field whose outline lies over the plane of `component`.
    fn outlined<'a>(&self, values: &'a [Values], component: Component) -> Option<&'a Values> {
        values
            .iter()
            .enumerate()
            .find(|(index, field)| field.name == self.outlined && *index != component.field)
            .map(|(_, field)| field)
    }

    pub fn has_outline(&self, values: &[Values], component: Component) -> bool {
        self.outlined(values, component).is_some()
    }

    /// Colours begin anew.
    pub fn forget_ranges(&mut self) {
        self.ranges.clear();
    }

    /// Puts the probe at the grid point next to the coordinates of a text such as `3.1, 2`; in the middle without. The
    /// values kept so far are those of another point and go.
    pub fn set_probe(&mut self, statement: &Statement, text: &str) {
        let mut index = 0;
        let mut stride = 1;
        let given: Vec<Option<f64>> = text.split(',').map(|part| Expression::constant(part).ok()).collect();
        for (number, axis) in statement.grid.axes.iter().enumerate() {
            let at = given.get(number).copied().flatten().unwrap_or(0.5 * (axis.min + axis.max));
            let nearest = (0..axis.points)
                .min_by(|a, b| (axis.at(*a) - at).abs().total_cmp(&(axis.at(*b) - at).abs()))
                .unwrap_or(0);
            index += stride * nearest;
            stride *= axis.points;
        }
        self.probe = index;
        self.path.clear();
        (self.every, self.seen) = (1, 0);
    }

    /// Takes back what was kept of states beyond a time.
    pub fn forget_after(&mut self, time: f64) {
        let rows = self.row_at(time) + 1;
        self.rows.truncate(rows);
        self.path.retain(|(at, _)| *at <= time);
        self.seen = self.path.len() * self.every;
    }

    fn row_at(&self, time: f64) -> usize {
        let part = (time - self.start) / (self.end - self.start).max(f64::MIN_POSITIVE);
        ((part * (ROWS - 1) as f64 * (1.0 + 1e-9)) as usize).min(ROWS - 1)
    }

    /// Whether a row of the space-time picture waits for the state at `time`.
    pub fn is_due(&self, time: f64) -> bool {
        self.keeps_rows && self.row_at(time) >= self.rows.len()
    }

    /// Keeps what the pictures need of the state at `time`.
    pub fn observe(&mut self, time: f64, values: &[Values], grid: &Grid) {
        debug_assert!(values.iter().all(|field| field.re.len() == grid.points()));
        if self.is_due(time) {
            let narrow = |list: &[f64]| list.iter().map(|v| *v as f32).collect::<Vec<f32>>();
            let row: Vec<_> = values.iter().map(|field| (narrow(&field.re), narrow(&field.im))).collect();
            // A step longer than a row fills several.
            let due = self.row_at(time);
            while self.rows.len() <= due {
                self.rows.push(row.clone());
            }
        }
        if self.seen.is_multiple_of(self.every) {
            let at = |list: &[f64]| list.get(self.probe).copied().unwrap_or(0.0);
            self.path.push((time, values.iter().map(|field| (at(&field.re), at(&field.im))).collect()));
            if self.path.len() >= PATH {
                let mut index = 0;
                self.path.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.every *= 2;
            }
        }
        self.seen += 1;
    }

    /// A range that widens at once and narrows slowly, so that colours do not flicker.
    fn range(&mut self, key: &'static str, (low, high): (f64, f64)) -> (f64, f64) {
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let least = 1e-12f64.max(1e-9 * low.abs().max(high.abs()));
        let (low, high) = if high - low < least { (low - least, high + least) } else { (low, high) };
        let ease = |shown: f64, now: f64| shown + 0.05 * (now - shown);
        match self.ranges.iter_mut().find(|(other, _)| *other == key) {
            Some((_, held)) => {
                *held = (low.min(ease(held.0, low)), high.max(ease(held.1, high)));
                *held
            }
            None => {
                self.ranges.push((key, (low, high)));
                (low, high)
            }
        }
    }

    /// The view of a key; empty where it does not suit the system.
    pub fn view(
        &mut self,
        key: &str,
        statement: &Statement,
        values: &[Values],
        component: Component,
        time: f64,
        is_pure: bool,
    ) -> ViewData {
        match (key, statement.grid.dimension()) {
            ("field", 2 | 3) => self.plane(&statement.grid, values, component),
            ("volume", 3) => self.volume(&statement.grid, values, component),
            ("lines", 1) => self.lines(statement, values, time, is_pure),
            ("spacetime", 1) => self.spacetime(&statement.grid, component),
            ("phase", _) => self.phase(values, component),
            ("probe", _) => self.probe(values),
            ("contours" | "arrows", 2) => self.over_plane(key, &statement.grid, values, component),
            ("difference", 1) | ("difference-plane", 2) if is_pure => {
                self.difference(statement, values, component, time)
            }
            ("spectrum", 1 | 2) if statement.grid.is_periodic() => spectra::of_fields(&statement.grid, values),
            ("frequencies", _) => spectra::of_path(&self.path, values),
            _ => ViewData::Empty,
        }
    }

    /// The field on the plane; of three dimensions the slice in the middle of z.
    fn plane(&mut self, grid: &Grid, values: &[Values], component: Component) -> ViewData {
        let [nx, ny, nz] = grid.shape();
        let all = component_values(values, component);
        let slice = &all[nz / 2 * nx * ny..][..nx * ny];
        let range = self.colors("field", span(slice.iter().copied()));
        if let (1, Some(field)) = (nz, self.outlined(values, component)) {
            return Plane { grid, values: slice, range }.outline(&field.re);
        }
        let (x, y) = (&grid.axes[0], &grid.axes[1]);
        let data = slice.iter().map(|v| *v as f32).collect();
        ViewData::Field { nx, ny, data, x: (x.min, x.max), y: (y.min, y.max), range }
    }

    /// The whole field in space.
    fn volume(&mut self, grid: &Grid, values: &[Values], component: Component) -> ViewData {
        let all = component_values(values, component);
        let range = self.colors("volume", span(all.iter().copied()));
        let data = all.iter().map(|v| *v as f32).collect();
        let [x, y, z] = [0, 1, 2].map(|axis| (grid.axes[axis].min, grid.axes[axis].max));
        ViewData::Volume { shape: grid.shape(), data, x, y, z, range }
    }

    /// Lines over the field shown.
    fn over_plane(&mut self, key: &str, grid: &Grid, values: &[Values], component: Component) -> ViewData {
        let shown = component_values(values, component);
        let range = self.colors("field", span(shown.iter().copied()));
        let plane = Plane { grid, values: &shown, range };
        if key == "contours" { plane.contours() } else { plane.arrows(&overlays::vectors(grid, values, &shown)) }
    }

    /// The field shown less its exact solution; in one dimension every field that has one.
    fn difference(&mut self, statement: &Statement, values: &[Values], component: Component, time: f64) -> ViewData {
        let grid = &statement.grid;
        let mut found = Vec::new();
        for (variable, exact) in &statement.exact {
            let name = &statement.system.variables[usize::from(*variable)].name;
            let Some(field) = values.iter().position(|one| one.name == *name) else { continue };
            let (re, im) = sample(exact, grid, time, &statement.parameters, &[]);
            let exact =
                [Values { name: name.clone(), re, im: if values[field].im.is_empty() { Vec::new() } else { im } }];
            let part =
                if field == component.field || values[field].im.is_empty() { component.part } else { Part::Real };
            let part = if values[field].im.is_empty() { Part::Real } else { part };
            let ours = component_values(values, Component { field, part });
            let theirs = component_values(&exact, Component { field: 0, part });
            let gap: Vec<f64> = ours.iter().zip(theirs.iter()).map(|(a, b)| a - b).collect();
            if gap.iter().all(|v| v.is_finite()) {
                found.push((field, name.clone(), gap));
            }
        }
        let most = |gap: &[f64]| gap.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        if grid.dimension() == 1 {
            let size = found.iter().map(|(_, _, gap)| most(gap)).fold(0.0, f64::max);
            let (low, high) = self.range("difference", (-size, size));
            let roles = [Role::Result, Role::Second, Role::Third];
            let xs = grid.axes[0].coordinates();
            let series: Vec<Series> = found
                .into_iter()
                .enumerate()
                .map(|(n, (_, name, gap))| Series::line(format!("{name} - exact"), roles[n.min(2)], xs.clone(), gap))
                .collect();
            if series.is_empty() {
                return ViewData::Empty;
            }
            let (x, y) = ((grid.axes[0].min, grid.axes[0].max), widened((low, high)));
            return ViewData::Lines { series, x, y };
        }
        let Some((_, _, gap)) = found.into_iter().find(|(field, ..)| *field == component.field) else {
            return ViewData::Empty;
        };
        let size = most(&gap);
        let (low, high) = self.range("difference", (-size, size));
        let [nx, ny, _] = grid.shape();
        let range = (low.min(-high), high.max(-low));
        let (x, y) = (&grid.axes[0], &grid.axes[1]);
        let data = gap.iter().map(|v| *v as f32).collect();
        ViewData::Field { nx, ny, data, x: (x.min, x.max), y: (y.min, y.max), range }
    }

    /// Values of the first and the last colour of the plane of a component.
    pub fn plane_range(&mut self, grid: &Grid, values: &[Values], component: Component) -> (f64, f64) {
        let [nx, ny, nz] = grid.shape();
        let all = component_values(values, component);
        self.colors("field", span(all.iter().skip(nz / 2 * nx * ny).take(nx * ny).copied()))
    }

    fn lines(&mut self, statement: &Statement, values: &[Values], time: f64, is_pure: bool) -> ViewData {
        let axis = &statement.grid.axes[0];
        let xs = axis.coordinates();
        let mut series = Vec::new();
        if is_pure {
            for (variable, exact) in &statement.exact {
                let name = &statement.system.variables[usize::from(*variable)].name;
                let (re, _) = sample(exact, &statement.grid, time, &statement.parameters, &[]);
                if re.iter().all(|v| v.is_finite()) {
                    series.push(Series::line(format!("{name} exact"), Role::Reference, xs.clone(), re));
                }
            }
        }
        let mut all = span(std::iter::empty());
        let mut count = 0;
        let mut add = |name: String, ys: &[f64]| {
            let (low, high) = span(ys.iter().copied());
            all = (all.0.min(low), all.1.max(high));
            let role = [Role::Result, Role::Second, Role::Third][count.min(2)];
            count += 1;
            series.push(Series::line(name, role, xs.clone(), ys.to_vec()));
        };
        for field in values {
            if field.im.is_empty() {
                add(field.name.clone(), &field.re);
            } else {
                let size: Vec<f64> = field.re.iter().zip(&field.im).map(|(a, b)| a.hypot(*b)).collect();
                add(format!("|{}|", field.name), &size);
                add(format!("re {}", field.name), &field.re);
                add(format!("im {}", field.name), &field.im);
            }
        }
        let (low, high) = self.range("lines", all);
        let margin = 0.08 * (high - low);
        ViewData::Lines { series, x: (axis.min, axis.max), y: (low - margin, high + margin) }
    }

    fn spacetime(&mut self, grid: &Grid, component: Component) -> ViewData {
        let axis = &grid.axes[0];
        let mut data: Vec<f32> = Vec::with_capacity(axis.points * ROWS);
        for row in &self.rows {
            let Some((re, im)) = row.get(component.field) else { return ViewData::Empty };
            match component.part {
                Part::Real => data.extend(re),
                Part::Imaginary => data.extend(im),
                Part::Magnitude => data.extend(re.iter().zip(im).map(|(a, b)| a.hypot(*b))),
            }
        }
        let range = self.colors("spacetime", span(data.iter().map(|v| f64::from(*v))));
        data.resize(axis.points * ROWS, (0.5 * (range.0 + range.1)) as f32);
        ViewData::Field { nx: axis.points, ny: ROWS, data, x: (axis.min, axis.max), y: (self.start, self.end), range }
    }

    /// Two components at the probe against each other: the one shown and the next field (of a complex field its parts).
    fn phase(&mut self, values: &[Values], component: Component) -> ViewData {
        let first = component.field;
        let Some(field) = values.get(first) else { return ViewData::Empty };
        let second = if first + 1 < values.len() { first + 1 } else { 0 };
        let of = |row: &[(f64, f64)], index: usize| row.get(index).map_or(0.0, |pair| pair.0);
        let pair = |row: &Vec<(f64, f64)>| {
            if !field.im.is_empty() {
                row.get(first).copied().unwrap_or_default()
            } else if second != first {
                (of(row, first), of(row, second))
            } else {
                (0.0, 0.0)
            }
        };
        if field.im.is_empty() && second == first {
            return ViewData::Empty;
        }
        let points: Vec<(f64, f64)> = self.path.iter().map(|(_, row)| pair(row)).collect();
        let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let x = widened(self.range("phase x", span(xs.iter().copied())));
        let y = widened(self.range("phase y", span(ys.iter().copied())));
        let name = if field.im.is_empty() {
            format!("{}, {}", field.name, values[second].name)
        } else {
            format!("re {0}, im {0}", field.name)
        };
        let mut series = Vec::new();
        if let Some((last_x, last_y)) = points.last() {
            let mut now = Series::line("now", Role::Second, vec![*last_x], vec![*last_y]);
            now.marker = eddy_spec::Marker::Dots;
            series.push(Series::line(name, Role::Result, xs, ys));
            series.push(now);
        }
        ViewData::Lines { series, x, y }
    }

    fn probe(&mut self, values: &[Values]) -> ViewData {
        let times: Vec<f64> = self.path.iter().map(|(time, _)| *time).collect();
        let roles = [Role::Result, Role::Second, Role::Third];
        let mut series = Vec::new();
        for (index, field) in values.iter().enumerate() {
            let value = |row: &Vec<(f64, f64)>| row.get(index).copied().unwrap_or_default();
            let role = roles[series.len().min(2)];
            let ys = self.path.iter().map(|(_, row)| value(row).0).collect();
            let name = if field.im.is_empty() { field.name.clone() } else { format!("re {}", field.name) };
            series.push(Series::line(name, role, times.clone(), ys));
            if !field.im.is_empty() {
                let ys = self.path.iter().map(|(_, row)| value(row).1).collect();
                series.push(Series::line(format!("im {}", field.name), Role::Third, times.clone(), ys));
            }
        }
        let all = span(series.iter().flat_map(|s| s.ys.iter().copied()));
        let y = widened(if all.0 <= all.1 { all } else { (0.0, 1.0) });
        ViewData::Lines { series, x: (self.start, self.end), y }
    }
}

pub fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
}

fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let margin = (0.06 * (high - low)).max(1e-9);
    (low - margin, high + margin)
}
