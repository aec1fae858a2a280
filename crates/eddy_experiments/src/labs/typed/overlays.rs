//! Lines over a plane: contours of a field, and arrows of a vector field.

use eddy_solve::{discrete::Values, grid::Grid};
use eddy_spec::ViewData;

use super::pictures::span;

/// Contours between the ends of the range.
const LEVELS: usize = 11;
/// Most cells along an axis that contours are sought in; finer grids are read at every second, third, … point.
const CELLS: usize = 160;
/// Arrows along the longer axis.
const ARROWS: usize = 28;

/// A field on the plane, row by row in y, as the stage draws it.
pub struct Plane<'a> {
    pub grid: &'a Grid,
    pub values: &'a [f64],
    pub range: (f64, f64),
}

impl Plane<'_> {
    fn backdrop(&self) -> ViewData {
        let [nx, ny, _] = self.grid.shape();
        let (x, y) = (&self.grid.axes[0], &self.grid.axes[1]);
        let data = self.values.iter().map(|v| *v as f32).collect();
        ViewData::Field { nx, ny, data, x: (x.min, x.max), y: (y.min, y.max), range: self.range }
    }

    fn drawn(&self, trails: Vec<f32>, trail_len: usize) -> ViewData {
        let (x, y) = (&self.grid.axes[0], &self.grid.axes[1]);
        ViewData::Points {
            positions: Vec::new(),
            values: Vec::new(),
            range: self.range,
            trails,
            trail_len,
            backdrop: Some(Box::new(self.backdrop())),
            x: (x.min, x.max),
            y: (y.min, y.max),
        }
    }

    /// Lines on which the field has the values that divide its range into equal parts, as pieces of two points. In each
    /// cell of the grid the field is taken as linear along the edges (marching squares); where all four edges are crossed
    /// the mean of the corners decides which ends belong together.
    pub fn contours(&self) -> ViewData {
        let (low, high) = self.range;
        let levels = (1..=LEVELS).map(|i| low + (high - low) * i as f64 / (LEVELS + 1) as f64);
        self.drawn(self.lines(self.values, levels), 2)
    }

    /// The line on which another field is 1/2, or half way between its ends if it is nowhere: where a shape ends that is 1
    /// inside and 0 outside. None of a field that is the same everywhere.
    pub fn outline(&self, other: &[f64]) -> ViewData {
        let (low, high) = span(other.iter().copied());
        let level = if low < 0.5 && high > 0.5 { 0.5 } else { 0.5 * (low + high) };
        self.drawn(if low < high { self.lines(other, std::iter::once(level)) } else { Vec::new() }, 2)
    }

    /// Pieces of two points of the lines on which `values` has each of the levels.
    fn lines(&self, values: &[f64], levels: impl Iterator<Item = f64>) -> Vec<f32> {
        let [nx, ny, _] = self.grid.shape();
        let (xs, ys) = (self.grid.axes[0].coordinates(), self.grid.axes[1].coordinates());
        let stride = nx.max(ny).div_ceil(CELLS).max(1);
        let mut trails = Vec::new();
        for level in levels {
            for j in (0..ny.saturating_sub(stride)).step_by(stride) {
                for i in (0..nx.saturating_sub(stride)).step_by(stride) {
                    // Corners in turn around the cell.
                    let corners = [(i, j), (i + stride, j), (i + stride, j + stride), (i, j + stride)];
                    let above = corners.map(|(i, j)| values[j * nx + i] - level);
                    for (from, to) in cell(above) {
                        for edge in [from, to] {
                            let (a, b) = (edge, (edge + 1) % 4);
                            let part = above[a] / (above[a] - above[b]);
                            let between = |p: f64, q: f64| (p + part * (q - p)) as f32;
                            trails.push(between(xs[corners[a].0], xs[corners[b].0]));
                            trails.push(between(ys[corners[a].1], ys[corners[b].1]));
                        }
                    }
                }
            }
        }
        trails
    }

    /// Arrows of a vector field on a lattice, the longest as long as the lattice is wide. Each is a line of five points:
    /// foot, tip, one barb, tip, the other.
    pub fn arrows(&self, vectors: &(Vec<f64>, Vec<f64>)) -> ViewData {
        let [nx, ny, _] = self.grid.shape();
        let (x, y) = (&self.grid.axes[0], &self.grid.axes[1]);
        let stride = nx.max(ny).div_ceil(ARROWS).max(1);
        let longest = vectors.0.iter().zip(&vectors.1).map(|(u, v)| u.hypot(*v)).fold(0.0, f64::max);
        let spacing = (x.length() / nx as f64).max(y.length() / ny as f64) * stride as f64;
        let scale = if longest > 0.0 { spacing / longest } else { 0.0 };
        let mut trails = Vec::new();
        for j in (stride / 2..ny).step_by(stride) {
            for i in (stride / 2..nx).step_by(stride) {
                let (u, v) = (scale * vectors.0[j * nx + i], scale * vectors.1[j * nx + i]);
                let foot = (x.at(i), y.at(j));
                let tip = (foot.0 + u, foot.1 + v);
                let barb = |side: f64| (tip.0 - 0.35 * u + side * 0.18 * v, tip.1 - 0.35 * v - side * 0.18 * u);
                for point in [foot, tip, barb(1.0), tip, barb(-1.0)] {
                    trails.extend([point.0 as f32, point.1 as f32]);
                }
            }
        }
        self.drawn(trails, 5)
    }
}

/// Pairs of edges of a cell that a contour joins; edge e runs from corner e to the next. `above` is what the corners have
/// over the level.
fn cell(above: [f64; 4]) -> impl Iterator<Item = (usize, usize)> {
    let is_above = above.map(|v| v > 0.0);
    let mut crossed = (0..4).filter(|edge| is_above[*edge] != is_above[(edge + 1) % 4]);
    let first = crossed.next().zip(crossed.next());
    let second = crossed.next().zip(crossed.next());
    let pairs = match (first, second) {
        (Some((a, b)), Some((c, d))) => {
            // Two corners in opposition stand out; the middle of the cell goes with the others.
            let middle = above.iter().sum::<f64>() > 0.0;
            // Edges 0 and 1 meet in corner 1: it is cut off where it differs from the middle.
            if is_above[1] == middle { [Some((d, a)), Some((b, c))] } else { [Some((a, b)), Some((c, d))] }
        }
        (pair, _) => [pair, None],
    };
    pairs.into_iter().flatten()
}

/// The vector field that the fields of a system hold, and its name: two fields named as the components of one, the flow
/// (ψ_y, -ψ_x) of a stream function, or else the direction in which the field shown falls.
pub fn vectors(grid: &Grid, values: &[Values], shown: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let field = |name: &str| values.iter().find(|one| one.name == name && one.im.is_empty());
    for (first, second) in [("ux", "uy"), ("vx", "vy"), ("u1", "u2"), ("u", "v"), ("U", "V")] {
        // Concentrations are often named u and v: a velocity has a pressure, a density or a height beside it.
        let is_flow = first != "u" || ["p", "h", "rho", "eta", "b"].iter().any(|name| field(name).is_some());
        if let (true, Some(a), Some(b)) = (is_flow, field(first), field(second)) {
            return (a.re.clone(), b.re.clone());
        }
    }
    if let Some(psi) = field("psi") {
        let (dx, dy) = slopes(grid, &psi.re);
        return (dy, dx.into_iter().map(|v| -v).collect());
    }
    let (dx, dy) = slopes(grid, shown);
    (dx.into_iter().map(|v| -v).collect(), dy.into_iter().map(|v| -v).collect())
}

/// Centred differences along x and y, one-sided at walls.
fn slopes(grid: &Grid, values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let shape = grid.shape();
    let along = |axis: usize| {
        let line = &grid.axes[axis];
        let stride = if axis == 0 { 1 } else { shape[0] };
        let count = shape[axis];
        (0..shape[0] * shape[1])
            .map(|index| {
                let here = index / stride % count;
                let (before, after) = if line.is_periodic {
                    ((here + count - 1) % count, (here + 1) % count)
                } else {
                    (here.saturating_sub(1), (here + 1).min(count - 1))
                };
                let at = |place: usize| values[index - here * stride + place * stride];
                let width = if line.is_periodic { 2.0 * line.spacing() } else { line.at(after) - line.at(before) };
                (at(after) - at(before)) / width
            })
            .collect()
    };
    (along(0), along(1))
}

#[cfg(test)]
mod tests {
    use eddy_solve::{Problem, Statement};

    use super::*;

    fn grid(rest: &str) -> Grid {
        let text = format!(
            "equations = \"u_t = lap(u)\"\n[domain]\nx = {{ min = -1, max = 1, points = 41 }}\n\
             y = {{ min = -1, max = 1, points = 33 }}\n[time]\nend = 1\n{rest}"
        );
        Statement::new(Problem::parse(&text).unwrap()).unwrap().grid
    }

    fn sampled(grid: &Grid, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let (xs, ys) = (grid.axes[0].coordinates(), grid.axes[1].coordinates());
        ys.iter().flat_map(|y| xs.iter().map(|x| f(*x, *y)).collect::<Vec<_>>()).collect()
    }

    fn pieces(view: ViewData) -> (Vec<f32>, usize) {
        match view {
            ViewData::Points { trails, trail_len, .. } => (trails, trail_len),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn contours_of_a_plane_are_exact_and_of_a_cone_are_circles() {
        let grid = grid("[boundary]\nu = \"neumann: 0\"\n");
        let values = sampled(&grid, |x, y| x + 2.0 * y);
        let (trails, _) = pieces(Plane { grid: &grid, values: &values, range: (-3.0, 3.0) }.contours());
        assert!(trails.len() > 400);
        for point in trails.chunks(2) {
            let level = 2.0 * (f64::from(point[0]) + 2.0 * f64::from(point[1]));
            assert!((level - level.round()).abs() < 1e-5, "{point:?}");
        }
        let values = sampled(&grid, f64::hypot);
        let (trails, _) = pieces(Plane { grid: &grid, values: &values, range: (0.0, 1.2) }.contours());
        let mut length = 0.0;
        for piece in trails.chunks(4) {
            let [a, b, c, d] = [piece[0], piece[1], piece[2], piece[3]].map(f64::from);
            let (radius, other) = (a.hypot(b), c.hypot(d));
            assert!((radius - other).abs() < 0.01);
            if (radius - 0.5).abs() < 0.02 {
                length += (a - c).hypot(b - d);
            }
        }
        // A circle of radius 1/2 is drawn once and is closed.
        assert!((length - std::f64::consts::PI).abs() < 0.01, "{length}");
    }

    #[test]
    fn an_outline_is_where_a_shape_is_one_half() {
        let grid = grid("[boundary]\nu = \"neumann: 0\"\n");
        let values = sampled(&grid, |_, _| 0.0);
        let plane = Plane { grid: &grid, values: &values, range: (0.0, 1.0) };
        // 1/2 on the circle of radius 0.6, whatever is added in its middle.
        let shape = sampled(&grid, |x, y| (1.1 - x.hypot(y)).powi(if x.hypot(y) < 0.3 { 3 } else { 1 }));
        let (trails, _) = pieces(plane.outline(&shape));
        assert!(trails.len() > 100);
        for point in trails.chunks(2) {
            assert!((point[0].hypot(point[1]) - 0.6).abs() < 0.01, "{point:?}");
        }
        // Where it is nowhere 1/2: half way. Where it is the same everywhere: no line.
        let low = sampled(&grid, |x, _| 0.01 * x);
        let (trails, _) = pieces(plane.outline(&low));
        assert!(!trails.is_empty() && trails.chunks(2).all(|point| point[0].abs() < 1e-6));
        assert!(pieces(plane.outline(&values)).0.is_empty());
    }

    #[test]
    fn a_saddle_is_joined_by_its_middle() {
        let joined: Vec<_> = cell([1.0, -3.0, 1.0, -3.0]).collect();
        assert_eq!(joined, [(3, 0), (1, 2)]);
        let joined: Vec<_> = cell([3.0, -1.0, 3.0, -1.0]).collect();
        assert_eq!(joined, [(0, 1), (2, 3)]);
        assert_eq!(cell([1.0, 1.0, 1.0, 2.0]).count(), 0);
    }

    #[test]
    fn arrows_follow_the_stream_function_and_fall_with_the_field() {
        let grid = grid("[boundary]\nu = \"neumann: 0\"\n");
        let field = |name: &str, values: Vec<f64>| Values { name: name.into(), re: values, im: Vec::new() };
        let psi = sampled(&grid, |x, y| 3.0 * y - 2.0 * x);
        let (u, v) = vectors(&grid, &[field("w", psi.clone()), field("psi", psi.clone())], &psi);
        assert!(u.iter().zip(&v).all(|(u, v)| (u - 3.0).abs() < 1e-12 && (v - 2.0).abs() < 1e-12));
        let (u, v) = vectors(&grid, &[field("w", psi.clone())], &psi);
        assert!(u.iter().zip(&v).all(|(u, v)| (u - 2.0).abs() < 1e-12 && (v + 3.0).abs() < 1e-12));
        let (trails, length) = pieces(Plane { grid: &grid, values: &psi, range: (-5.0, 5.0) }.arrows(&(u, v)));
        let arrow = &trails[..2 * length];
        let (along, up) = (arrow[2] - arrow[0], arrow[3] - arrow[1]);
        assert!(along > 0.0 && (up / along + 1.5).abs() < 1e-4);
    }
}
