//! What is drawn of a training.

use eddy_spec::{Role, Series, ViewData};

use super::{
    super::{
        layer::{COMPONENTS, Row, jet},
        volumes::{COLUMNS, ROWS},
    },
    HELD_OUT, Training, level, middles, probes,
};

const ROLES: [Role; 3] = [Role::Result, Role::Second, Role::Third];
/// Bases that are drawn.
const MOST: usize = 9;

fn field(values: impl Iterator<Item = f64>, range: (f64, f64)) -> ViewData {
    // Far outside the range is far outside in f32 as well.
    let data = values.map(|v| v.clamp(-1e6, 1e6) as f32).collect();
    ViewData::Field { nx: COLUMNS, ny: ROWS, data, x: (0.0, 1.0), y: (0.0, 1.0), range }
}

fn limits(series: &[Series]) -> (f64, f64) {
    let all = || series.iter().flat_map(|s| &s.ys);
    let (low, high) = all().fold((0.0f64, 1e-9f64), |(l, h), y| (l.min(*y), h.max(*y)));
    (low - 0.05 * (high - low), high + 0.05 * (high - low))
}

impl Training {
    pub fn draw_view(&mut self, key: &str) -> ViewData {
        match key {
            "u" => field(self.shown.solution.iter().copied(), (0.0, 1.0)),
            "difference" => {
                let difference = || self.shown.solution.iter().zip(&self.reference).map(|(u, r)| u - r);
                let top = difference().fold(1e-6, |m: f64, d| m.max(d.abs())).min(0.2);
                field(difference(), (-top, top))
            }
            "residual" => self.residual(),
            "profile" => self.profiles(),
            "seams" => self.jumps(),
            "bases" => self.some_bases(),
            "levels" => {
                let xs: Vec<f64> = HELD_OUT.iter().map(|at| level(*at)).collect();
                let series = vec![Series::dotted("held out", Role::Result, xs, self.held_out_errors.clone())];
                ViewData::Lines { series, x: (0.02, 0.2), y: (1e-3, 1.0) }
            }
            _ => ViewData::Empty,
        }
    }

    /// log₁₀|r| inside, with the cells to the right of and above a seam at the top of the scale.
    fn residual(&mut self) -> ViewData {
        let (points, boxes) = (probes(self.params.level), self.boxes);
        let bases = self.jets(&points);
        let (low, top) = (-4.0, 1.0);
        let value = |k: usize| {
            let owner = boxes.owner(points[3 * k], points[3 * k + 1]);
            let is_seam = (k % COLUMNS > 0 && boxes.owner(points[3 * k - 3], points[3 * k + 1]) != owner)
                || (k >= COLUMNS && boxes.owner(points[3 * k], points[3 * (k - COLUMNS) + 1]) != owner);
            let r = Row::Inside.at(jet(&bases, k, &self.shown.layer.weights[owner])).value;
            if is_seam || !r.is_finite() { top } else { r.abs().max(1e-12).log10() }
        };
        field((0..ROWS * COLUMNS).map(value), (low, top))
    }

    fn profiles(&self) -> ViewData {
        let mut series = Vec::new();
        for (row, role) in [(1, Role::Third), (ROWS / 4, Role::Second), (ROWS - 1, Role::Result)] {
            let name = format!("t = {:.0}", 500.0 * (row as f64 + 0.5) / ROWS as f64);
            let part = |u: &[f64]| u[row * COLUMNS..(row + 1) * COLUMNS].to_vec();
            let exact = part(&self.reference);
            series.push(Series::line(format!("{name}, reference"), Role::Reference, middles(COLUMNS), exact));
            let own = part(&self.shown.solution).into_iter().map(|u| u.clamp(-2.0, 3.0)).collect();
            series.push(Series::line(name, role, middles(COLUMNS), own));
        }
        ViewData::Lines { series, x: (0.0, 1.0), y: (-0.05, 1.05) }
    }

    fn jumps(&self) -> ViewData {
        if self.shown.jumps.is_empty() {
            return ViewData::Empty;
        }
        let count = self.boxes.count as f64;
        let one = |(k, jumps): (usize, &Vec<f64>)| {
            let at = (k + 1) as f64 / count;
            let name = if self.boxes.in_time { format!("t = {:.0}", 500.0 * at) } else { format!("x = {at:.3}") };
            Series::line(name, ROLES[k % 3], middles(COLUMNS), jumps.clone())
        };
        let series: Vec<Series> = self.shown.jumps.iter().enumerate().map(one).collect();
        let y = limits(&series);
        ViewData::Lines { series, x: (0.0, 1.0), y }
    }

    /// The first bases over x in the middle of the time.
    fn some_bases(&mut self) -> ViewData {
        let level = self.params.level;
        let points: Vec<f64> = middles(COLUMNS).into_iter().flat_map(|x| [x, 0.5, level]).collect();
        let bases = self.jets(&points);
        let n = bases.len() / (COLUMNS * COMPONENTS);
        let one = |o: usize| {
            let ys = bases.iter().skip(o).step_by(COMPONENTS * n).copied().collect();
            Series::line(format!("b{}", o + 1), ROLES[o % 3], middles(COLUMNS), ys)
        };
        let series: Vec<Series> = (0..n.min(MOST)).map(one).collect();
        let y = limits(&series);
        ViewData::Lines { series, x: (0.0, 1.0), y }
    }
}
