//! What is drawn.

use eddy_spec::{Role, Series, ViewData};

use super::{GRID, Game, SHOWN};

impl Game {
    /// The contents of a view.
    pub(super) fn draw(&mut self, key: &str) -> ViewData {
        match key {
            "points" => self.points_view(),
            "u" => Self::field(self.solution.iter().copied(), (-0.2, 1.0)),
            "difference" => {
                let difference = || self.solution.iter().zip(&self.reference).map(|(u, r)| (u - r).abs());
                Self::field(difference(), (0.0, difference().fold(1e-9, f64::max)))
            }
            "residual" => Self::field(Self::logarithms(&self.residuals), self.decades()),
            "density" => match self.chooser.density(&self.params, &self.grid) {
                Some(p) => Self::field(p.iter().map(|p| p.max(1e-6).log10()), (-2.0, 2.0)),
                None => ViewData::Empty,
            },
            "cut" => {
                let y = self.solver.problem.centres[0][1];
                let xs: Vec<f64> = (0..401).map(|i| -1.0 + f64::from(i) / 200.0).collect();
                let line: Vec<f64> = xs.iter().flat_map(|x| [*x, y]).collect();
                let exact = xs.iter().map(|x| self.solver.problem.exact(*x, y)).collect();
                let (own, _) = self.solver.look(&line);
                let (low, high) = own.iter().fold((0.0, 1.0), |(l, h): (f64, f64), u| (l.min(*u), h.max(*u)));
                let series = vec![
                    Series::line("exact", Role::Reference, xs.clone(), exact),
                    Series::line("network", Role::Result, xs, own),
                ];
                ViewData::Lines { series, x: (-1.0, 1.0), y: (low - 0.1, high + 0.1) }
            }
            "evenness" => {
                let mut sizes: Vec<f64> = self.residuals.iter().map(|r| r.abs().max(1e-6)).collect();
                sizes.sort_by(|a, b| b.total_cmp(a));
                let (xs, ys): (Vec<f64>, Vec<f64>) =
                    (0..=200).map(|k| (f64::from(k) / 200.0, sizes[(sizes.len() - 1) * k as usize / 200])).unzip();
                let (low, high) = (ys[200], ys[0].max(2.0 * ys[200]));
                let series = vec![Series::line("|r|", Role::Result, xs, ys)];
                ViewData::Lines { series, x: (0.0, 1.0), y: (low, high) }
            }
            _ => ViewData::Empty,
        }
    }

    fn field(data: impl Iterator<Item = f64>, range: (f64, f64)) -> ViewData {
        ViewData::Field {
            nx: GRID,
            ny: GRID,
            data: data.map(|v| v as f32).collect(),
            x: (-1.0, 1.0),
            y: (-1.0, 1.0),
            range,
        }
    }

    /// Logarithms of the residual, those below 10⁻⁶ at that.
    fn logarithms(residuals: &[f64]) -> impl Iterator<Item = f64> {
        residuals.iter().map(|r| r.abs().max(1e-6).log10())
    }

    /// The range of the residual's colours: four decades below the source's largest value.
    fn decades(&self) -> (f64, f64) {
        let top = (4.0 * self.params.sharpness).log10();
        (top - 4.0, top)
    }

    fn points_view(&mut self) -> ViewData {
        let positions = match self.ways.last() {
            Some(places) => places.clone(),
            None => self.points[..self.points.len().min(2 * SHOWN)].to_vec(),
        };
        let (_, residuals) = self.solver.look(&positions);
        let values = Self::logarithms(&residuals).map(|v| v as f32).collect();
        let count = self.ways.len();
        let mut trails = Vec::with_capacity(2 * SHOWN * count);
        if count > 1 {
            for k in 0..SHOWN {
                trails.extend(self.ways.iter().flat_map(|way| [way[2 * k] as f32, way[2 * k + 1] as f32]));
            }
        }
        ViewData::Points {
            positions: positions.iter().map(|x| *x as f32).collect(),
            values,
            range: self.decades(),
            trail_len: if count > 1 { count } else { 0 },
            trails,
            backdrop: Some(Box::new(Self::field(self.solution.iter().copied(), (-0.2, 1.0)))),
            x: (-1.0, 1.0),
            y: (-1.0, 1.0),
        }
    }
}
