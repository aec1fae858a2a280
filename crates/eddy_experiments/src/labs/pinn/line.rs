//! Scalar equations u_t = … on a space-time strip [0, T] × [−1, 1].

use eddy_nets::{Architecture, JetSpec, Real, Tile, gpu::LineResidual, uniform};
use eddy_spec::{Role, Series, ViewData};

use super::{Problem, Slices, Weigher};

/// (value, ∂t, ∂x, ∂xx) of a function of (t, x).
pub type Jet = [f64; 4];

/// An equation with conditions that hold exactly: the solution is u = a + b·N with the network N, where `a` meets the
/// initial and boundary values and `b` vanishes where they are given.
pub trait LineEquation: 'static {
    /// Jets of `a` and `b` at (t, x).
    fn envelope(&self, t: f64, x: f64) -> (Jet, Jet);
    /// ν of u_t − ν u_xx, the part of the residual that has second derivatives. The network carries it as one component.
    fn viscosity(&self) -> f64;
    /// The residual at (u, u_x, u_t − ν u_xx) and its derivatives with respect to these.
    fn residual(&self, u: [f64; 3]) -> (f64, [f64; 3]);
    /// The coefficients with which the GPU computes the same residual, if it can.
    fn on_gpu(&self) -> Option<LineResidual> {
        None
    }
}

/// How the strip is sampled and drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strip {
    pub end: f64,
    /// Times and positions of a training step: stratified random, new at every step, the positions anew for each time.
    pub times: usize,
    pub positions: usize,
    /// Rows (times, both ends included) and columns (positions from −1 to 1) of the reference.
    pub rows: usize,
    pub columns: usize,
}

impl Strip {
    /// Time of reference row `j`.
    pub fn row_time(&self, j: usize) -> f64 {
        self.end * j as f64 / (self.rows - 1) as f64
    }
    /// Position of reference column `i`.
    pub fn column_position(&self, i: usize) -> f64 {
        -1.0 + 2.0 * i as f64 / (self.columns - 1) as f64
    }
}

/// A line equation on a strip, with its reference on the grid of the strip, row by row.
pub struct LineProblem<E> {
    equation: E,
    architecture: Architecture,
    strip: Strip,
    seed: u64,
    probes: Vec<f64>,
    reference: Vec<f64>,
    /// Range of the colours.
    range: (f64, f64),
}

impl<E: LineEquation> LineProblem<E> {
    /// The reference is given row by row at the strip's times.
    pub fn new(equation: E, architecture: Architecture, strip: Strip, seed: u32, reference: Vec<f64>) -> Self {
        assert_eq!(reference.len(), strip.rows * strip.columns, "one reference value per grid point");
        let grid = |k: usize| [strip.row_time(k / strip.columns), strip.column_position(k % strip.columns)];
        let probes = (0..reference.len()).flat_map(grid).collect();
        let top = reference.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        Self { equation, architecture, strip, seed: u64::from(seed), probes, reference, range: (-top, top) }
    }

    pub(super) fn equation(&self) -> &E {
        &self.equation
    }

    fn row(&self, data: &[f64], j: usize) -> Vec<f64> {
        data[j * self.strip.columns..][..self.strip.columns].to_vec()
    }
}

impl<E: LineEquation> Problem for LineProblem<E> {
    fn architecture(&self) -> Architecture {
        self.architecture.clone()
    }
    fn jets(&self) -> JetSpec {
        JetSpec::value(2).along(1).operator(&[1.0, 0.0], &[(0, 0, -self.equation.viscosity())])
    }
    fn slices(&self) -> Slices {
        Slices { count: self.strip.times, points: self.strip.positions, end: self.strip.end }
    }
    fn points(&self, step: u64, out: &mut [f64]) {
        let Strip { times, positions, end, .. } = self.strip;
        let per_step = (times * (positions + 1)) as u64;
        for i in 0..times {
            let word = |k: usize| uniform(self.seed ^ 0x5eed, step * per_step + (i * (positions + 1) + k) as u64);
            let t = end * (i as f64 + word(positions)) / times as f64;
            for k in 0..positions {
                let x = -1.0 + 2.0 * (k as f64 + word(k)) / positions as f64;
                out[2 * (i * positions + k)..][..2].copy_from_slice(&[t, x]);
            }
        }
    }
    fn is_resampled(&self) -> bool {
        true
    }

    fn backward<T: Real>(&self, tile: &mut Tile<'_, T>, weigher: &mut Weigher) {
        let (ts, xs) = (tile.input(0), tile.input(1));
        let n = [0, 1, 2].map(|c| tile.jet(0, c));
        let nu = self.equation.viscosity();
        for i in 0..tile.len {
            let (a, b) = self.equation.envelope(ts[i].to_f64(), xs[i].to_f64());
            let [n, nx, nl] = n.map(|c| c[i].to_f64());
            // Of a and b what the operator makes, and of the product what is left over: −2ν b_x N_x.
            let [al, bl] = [a, b].map(|jet| jet[1] - nu * jet[3]);
            let cross = -2.0 * nu * b[2];
            let u = [a[0] + b[0] * n, a[2] + b[2] * n + b[0] * nx, al + bl * n + cross * nx + b[0] * nl];
            let (r, slope) = self.equation.residual(u);
            let factor = 2.0 * r * weigher.weigh(tile.start + i, r * r);
            let u = slope.map(|s| s * factor);
            let adjoints = [b[0] * u[0] + b[2] * u[1] + bl * u[2], b[0] * u[1] + cross * u[2], b[0] * u[2]];
            for (c, adjoint) in adjoints.into_iter().enumerate() {
                tile.adjoint(0, c)[i] = T::from_f64(adjoint);
            }
        }
    }

    fn probes(&self) -> &[f64] {
        &self.probes
    }
    fn solution(&self, point: &[f64], outputs: &[f64], solution: &mut [f64]) {
        let (a, b) = self.equation.envelope(point[0], point[1]);
        solution[0] = a[0] + b[0] * outputs[0];
    }
    fn reference(&self) -> &[f64] {
        &self.reference
    }

    #[cfg(feature = "pinn")]
    fn domain(&self) -> Vec<(f64, f64)> {
        vec![(-1.0, 1.0), (0.0, self.strip.end)]
    }
    #[cfg(feature = "pinn")]
    fn probe_lines(&self) -> Option<(usize, (f64, f64))> {
        Some((self.strip.columns, (-1.0, 1.0)))
    }

    /// `u` and `difference` are fields (x, t); `profile` shows u(x) at three times.
    fn view(&self, key: &str, solution: &[f64]) -> ViewData {
        let Strip { rows, columns, end, .. } = self.strip;
        let field = |data: Vec<f32>, range| ViewData::Field {
            nx: columns,
            ny: rows,
            data,
            x: (-1.0, 1.0),
            y: (0.0, end),
            range,
        };
        match key {
            "u" => field(solution.iter().map(|v| *v as f32).collect(), self.range),
            "difference" => {
                let data: Vec<f32> = solution.iter().zip(&self.reference).map(|(u, r)| (u - r) as f32).collect();
                let top = f64::from(data.iter().fold(0f32, |m, v| m.max(v.abs()))).max(1e-6);
                field(data, (-top, top))
            }
            "profile" => {
                let xs: Vec<f64> = (0..columns).map(|i| self.strip.column_position(i)).collect();
                let mut series = Vec::new();
                for (part, role) in [(4, Role::Third), (2, Role::Second), (1, Role::Result)] {
                    let j = (rows - 1) / part;
                    let name = format!("t = {:.2}", self.strip.row_time(j));
                    let reference = self.row(&self.reference, j);
                    series.push(Series::line(format!("{name}, reference"), Role::Reference, xs.clone(), reference));
                    series.push(Series::line(name, role, xs.clone(), self.row(solution, j)));
                }
                let (low, high) = self.range;
                ViewData::Lines { series, x: (-1.0, 1.0), y: (1.1 * low, 1.1 * high) }
            }
            _ => ViewData::Empty,
        }
    }
}
