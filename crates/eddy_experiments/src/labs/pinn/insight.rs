//! Why a network learns what it learns when: the spectrum of its error, that of its tangent kernel, which term of the loss pulls,
//! and what its units answer.

#[cfg(feature = "pinn")]
use eddy_nets::graph::{Derivatives, Graph, GraphEngine};
use eddy_numerics::diffusion::symmetric_eigen;
#[cfg(feature = "pinn")]
use eddy_spec::Marker;
use eddy_spec::{Axis, ColorMap, Role, Series, ViewData, ViewSpec};

use super::AXIS;
#[cfg(feature = "pinn")]
use super::terms::Placed;

/// Waves of the error.
#[cfg(feature = "pinn")]
pub const SPECTRUM_VIEW: ViewSpec = ViewSpec::lines(
    "error-spectrum",
    "spectrum of the error",
    Axis::linear("wave", "k"),
    Axis::log("amplitude", "|\\hat u_k|"),
);
/// See [`kernel_view`].
pub const KERNEL_VIEW: ViewSpec =
    ViewSpec::lines("kernel", "tangent kernel", Axis::linear("place", "j"), Axis::log("eigenvalue", "\\lambda_j"));
/// See [`gradients_view`].
pub const GRADIENTS_VIEW: ViewSpec = ViewSpec::curves(
    "gradients",
    "gradients by term",
    AXIS,
    Axis::log("norm of the gradient", "|\\nabla_\\theta\\mathcal L|"),
);
/// Points of the last step in the plane; see [`points_view`].
#[cfg(feature = "pinn")]
pub const fn points_spec(x: Axis, y: Axis) -> ViewSpec {
    ViewSpec::points("points", "points", x, y, Axis::linear("squared residual", "\\log_{10} r^2"), ColorMap::Viridis)
}
/// Points of the last step along a line.
#[cfg(feature = "pinn")]
pub const fn line_points_spec(x: Axis) -> ViewSpec {
    ViewSpec::lines("points", "residual at the points", x, Axis::log("squared residual", "r^2"))
}
/// See [`neurons_view`].
pub const fn neurons_spec(along: Axis) -> ViewSpec {
    ViewSpec::field(
        "neurons",
        "neurons",
        along,
        Axis::linear("unit of the layer", "j"),
        Axis::linear("answer", "\\sigma"),
        ColorMap::Diverging,
    )
}

/// Points at which the tangent kernel is taken.
pub const KERNEL_POINTS: usize = 40;
/// What is below this share of the largest is not drawn.
const FLOOR: f64 = 1e-12;
/// Rows of the gradients' history: each costs a gradient.
#[cfg(feature = "pinn")]
const HISTORY: u64 = 100;

/// Roles of the terms of a loss, in their order.
const ROLES: [Role; 4] = [Role::Result, Role::Second, Role::Third, Role::Fourth];

/// About [`KERNEL_POINTS`] of so many points, evenly.
pub fn chosen(all: usize) -> Vec<usize> {
    let count = KERNEL_POINTS.min(all);
    (0..count).map(|k| k * all / count).collect()
}

/// Amplitudes along lines of `n` values, root mean square over the lines: of the reference, and of the error. Between sides the
/// even continuation is expanded, so that the ends make no jump.
pub fn spectrum_view(reference: &[f64], own: &[f64], n: usize, is_periodic: bool) -> ViewData {
    let gaps: Vec<f64> = own.iter().zip(reference).map(|(a, b)| a - b).collect();
    let [solution, error] = [reference, &gaps[..]].map(|values| amplitudes(values, n, is_periodic));
    let waves: Vec<f64> = (0..solution.len()).map(|k| k as f64).collect();
    let largest = solution.iter().chain(&error).fold(1e-300, |m: f64, v| m.max(*v));
    let shown = |values: Vec<f64>| values.into_iter().map(|v| v.max(FLOOR * largest)).collect();
    let series = vec![
        Series::line("solution", Role::Reference, waves.clone(), shown(solution)),
        Series::line("error", Role::Result, waves.clone(), shown(error)),
    ];
    let low = series.iter().flat_map(|s| &s.ys).fold(largest, |m, v| m.min(*v));
    ViewData::Lines { series, x: (0.0, waves.len().max(2) as f64 - 1.0), y: (0.5 * low, 2.0 * largest) }
}

/// Eigenvalues of J Jᵀ, largest first, of named rows J = ∂r/∂θ. Gradient descent removes what lies along an eigenvector at a speed
/// proportional to its eigenvalue (Jacot et al. 2018; of residuals, Wang, Yu and Perdikaris 2022, J. Comput. Phys. 449, 110768,
/// equation 3.11).
pub fn kernel_view(rows: &[(&str, Vec<Vec<f64>>)]) -> ViewData {
    let spectra: Vec<Vec<f64>> = rows.iter().map(|(_, rows)| eigenvalues(rows)).collect();
    let largest = spectra.iter().flatten().fold(1e-300, |m: f64, v| m.max(*v));
    let series: Vec<Series> = (rows.iter().zip(spectra).zip(ROLES))
        .map(|(((name, _), values), role)| {
            let places = (1..=values.len()).map(|k| k as f64).collect();
            Series::dotted(*name, role, places, values.into_iter().map(|v| v.max(FLOOR * largest)).collect())
        })
        .collect();
    let low = series.iter().flat_map(|s| &s.ys).fold(largest, |m, v| m.min(*v));
    let most = series.iter().map(|s| s.xs.len()).fold(2, usize::max);
    ViewData::Lines { series, x: (1.0, most as f64), y: (0.5 * low, 2.0 * largest) }
}

/// Norms of the gradients of the loss's terms over the steps.
pub fn gradients_view(series: Vec<Series>) -> ViewData {
    let all = series.iter().flat_map(|s| &s.ys).filter(|v| **v > 0.0);
    let (low, high) = all.fold((f64::MAX, 0.0), |(l, h): (f64, f64), v| (l.min(*v), h.max(*v)));
    let y = if low <= high { (0.7 * low, 1.4 * high) } else { (1e-3, 1.0) };
    let end = series.iter().flat_map(|s| &s.xs).fold(1.0, |m: f64, x| m.max(*x));
    ViewData::Lines { series, x: (0.0, end), y }
}

/// What units answer at `places` points along a line, [unit][place], the unit with the largest weights on top.
pub fn neurons_view(data: Vec<f32>, places: usize, along: (f64, f64)) -> ViewData {
    // Layers that add to what they get may answer more than 1.
    let most = f64::from(data.iter().fold(1.0, |m: f32, v| m.max(v.abs())));
    let units = data.len() / places.max(1);
    ViewData::Field { nx: places, ny: units, data, x: along, y: (0.0, units as f64), range: (-most, most) }
}

/// Eigenvalues of the products of rows, largest first.
pub fn eigenvalues(rows: &[Vec<f64>]) -> Vec<f64> {
    let n = rows.len();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let matrix: Vec<f64> = (0..n * n).map(|i| product(&rows[i / n], &rows[i % n])).collect();
    if matrix.iter().any(|v| !v.is_finite()) {
        return vec![0.0; n];
    }
    let (mut values, _) = symmetric_eigen(&matrix, n);
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

/// Root mean square over lines of `n` values of the amplitude of each wave: cos and sin of 2πkx/L together, or cosines of
/// πkx/L. The sums are made as they stand: n is at most a few hundred.
fn amplitudes(values: &[f64], n: usize, is_periodic: bool) -> Vec<f64> {
    let lines = (values.len() / n.max(1)).max(1) as f64;
    let waves = if is_periodic { n / 2 + 1 } else { n };
    (0..waves)
        .map(|k| {
            let squares: f64 = values
                .chunks_exact(n)
                .map(|line| {
                    let (mut re, mut im) = (0.0, 0.0);
                    for (j, v) in line.iter().enumerate() {
                        // Of even continuations by the trapezoidal rule, whose ends count half.
                        let is_end = !is_periodic && (j == 0 || j + 1 == n);
                        let turns =
                            if is_periodic { 2.0 * (k * j) as f64 / n as f64 } else { (k * j) as f64 / (n - 1) as f64 };
                        let angle = std::f64::consts::PI * turns;
                        let v = if is_end { 0.5 * v } else { *v };
                        re += v * angle.cos();
                        im += if is_periodic { v * angle.sin() } else { 0.0 };
                    }
                    let points = if is_periodic { n as f64 } else { (n - 1) as f64 };
                    let is_single = k == 0 || (k + 1 == waves && (!is_periodic || n.is_multiple_of(2)));
                    let factor = if is_single { 1.0 } else { 2.0 } / points;
                    factor * factor * (re * re + im * im)
                })
                .sum();
            (squares / lines).sqrt()
        })
        .collect()
}

/// Points of the last step where they are, with the squared residual there and the weight of its term: coloured by its logarithm in
/// the plane, as dots along a line.
#[cfg(feature = "pinn")]
pub fn points_view(placed: &[Placed], domain: &[(f64, f64)]) -> ViewData {
    const LEAST: f64 = 1e-20;
    // What is beyond all numbers is as large as the largest of the others.
    let largest = placed.iter().flat_map(|one| &one.squares).filter(|s| s.is_finite()).fold(LEAST, |m, s| m.max(*s));
    let shown = |square: &f64| if square.is_finite() { square.max(LEAST) } else { largest };
    let (low, high) = (placed.iter().flat_map(|one| &one.squares).map(shown))
        .fold((f64::MAX, LEAST), |(l, h): (f64, f64), v| (l.min(v), h.max(v)));
    match domain {
        [x, y] if !placed.is_empty() => ViewData::Points {
            positions: placed.iter().flat_map(|one| &one.points).map(|p| *p as f32).collect(),
            values: placed.iter().flat_map(|one| &one.squares).map(|s| shown(s).log10() as f32).collect(),
            range: (low.log10() - 1e-3, high.log10() + 1e-3),
            trails: Vec::new(),
            trail_len: 0,
            backdrop: None,
            x: *x,
            y: *y,
        },
        [x] if !placed.is_empty() => {
            let dots = |(one, role): (&Placed, Role)| {
                let ys = one.squares.iter().map(shown).collect();
                Series { marker: Marker::Dots, ..Series::dotted(one.name, role, one.points.clone(), ys) }
            };
            ViewData::Lines { series: placed.iter().zip(ROLES).map(dots).collect(), x: *x, y: (0.5 * low, 2.0 * high) }
        }
        _ => ViewData::Empty,
    }
}

/// Where a solution is compared with its reference.
#[cfg(feature = "pinn")]
pub struct Probes {
    pub own: Vec<f64>,
    pub reference: Vec<f64>,
    /// Values per line along the fastest coordinate.
    pub per_line: usize,
    pub is_periodic: bool,
    /// Inputs of the network along the line in the middle, and where that begins and ends.
    pub line: Vec<f64>,
    pub along: (f64, f64),
}

/// What the units of the last hidden layer behind a graph's first output answer along the line of the probes.
#[cfg(feature = "pinn")]
pub fn graph_neurons(graph: &Graph, parameters: &[f64], probes: &Probes) -> ViewData {
    let Some((hidden, layer)) = graph.hidden() else { return ViewData::Empty };
    let engine = Derivatives::new(graph.inputs(), &[]).and_then(|set| GraphEngine::<f64>::new(&hidden, &set));
    let Ok(mut engine) = engine else { return ViewData::Empty };
    let places = probes.line.len() / graph.inputs();
    let order = by_weight(&parameters[layer.weights..layer.biases], layer.inputs);
    let mut data = vec![0.0; places * order.len()];
    engine.evaluate(parameters, &probes.line, |tile| {
        for (row, unit) in order.iter().enumerate() {
            for (i, value) in tile.jet(*unit, 0).iter().enumerate() {
                data[row * places + tile.start + i] = *value as f32;
            }
        }
    });
    neurons_view(data, places, probes.along)
}

/// Units in the order in which [`neurons_view`] draws them, from the weights [output][unit] that read them.
pub fn by_weight(weights: &[f64], units: usize) -> Vec<usize> {
    let weight = |unit: usize| weights.iter().skip(unit).step_by(units).map(|w| w * w).sum::<f64>();
    let mut order: Vec<usize> = (0..units).collect();
    order.sort_by(|a, b| weight(*a).total_cmp(&weight(*b)));
    order
}

/// Rows ∂r/∂θ, with the weight of the term, from the parts of the loss and their gradients at single points of `all`: of r², the
/// gradient is 2r ∂r/∂θ. Of several residuals at a point it is their row along the residual. Its sign is left open, which no
/// eigenvalue sees.
#[cfg(feature = "pinn")]
pub fn rows_of(parts: Vec<(f64, Vec<f64>)>, all: usize) -> Vec<Vec<f64>> {
    let row = |(part, gradient): (f64, Vec<f64>)| {
        let factor = if part > 0.0 { (all as f64).sqrt() / (2.0 * part.sqrt()) } else { 0.0 };
        gradient.into_iter().map(|g| factor * g).collect()
    };
    parts.into_iter().map(row).collect()
}

/// What a training keeps for these views.
#[cfg(feature = "pinn")]
#[derive(Default)]
pub struct Insight {
    /// By term: steps, and norms of its gradient there.
    history: Vec<(&'static str, Vec<f64>, Vec<f64>)>,
    /// Step from which on the next row is due.
    due: u64,
    /// The picture of the kernel, and the step for which it was made.
    kernel: Option<(u64, ViewData)>,
}

#[cfg(feature = "pinn")]
impl Insight {
    /// Whether a row of gradients is due at this one of so many steps.
    pub fn is_due(&self, step: u64) -> bool {
        step >= self.due
    }

    /// Takes the norms of the terms' gradients at this one of so many steps.
    pub fn measured(&mut self, step: u64, steps: u64, norms: Vec<(&'static str, f64)>) {
        self.due = step + (steps / HISTORY).max(1);
        for (name, norm) in norms {
            if !self.history.iter().any(|row| row.0 == name) {
                self.history.push((name, Vec::new(), Vec::new()));
            }
            for row in self.history.iter_mut().filter(|row| row.0 == name) {
                row.1.push(step as f64);
                row.2.push(norm);
            }
        }
    }

    pub fn gradients(&self) -> ViewData {
        let lines = self.history.iter().zip(ROLES);
        gradients_view(lines.map(|((name, xs, ys), role)| Series::line(*name, role, xs.clone(), ys.clone())).collect())
    }

    /// Forgets the kernel: the weights are others now.
    pub fn forget_kernel(&mut self) {
        self.kernel = None;
    }

    /// The kernel as of this step, from rows that are made only where they are not known.
    pub fn kernel(&mut self, step: u64, rows: impl FnOnce() -> Vec<(&'static str, Vec<Vec<f64>>)>) -> ViewData {
        match &self.kernel {
            Some((at, view)) if *at == step => view.clone(),
            _ => {
                let rows = rows();
                let view = if rows.is_empty() { ViewData::Empty } else { kernel_view(&rows) };
                self.kernel = Some((step, view.clone()));
                view
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_have_their_amplitudes() {
        let n = 16;
        let wave = |j: usize| 0.7 + 3.0 * (std::f64::consts::TAU * 2.0 * j as f64 / n as f64 + 0.4).sin();
        let line: Vec<f64> = (0..n).chain(0..n).map(wave).collect();
        let found = amplitudes(&line, n, true);
        assert_eq!(found.len(), 9);
        for (k, a) in found.iter().enumerate() {
            let expected = [0.7, 0.0, 3.0].get(k).copied().unwrap_or(0.0);
            assert!((a - expected).abs() < 1e-13, "{k}: {a}");
        }
        let cosine: Vec<f64> = (0..n).map(|j| 2.0 * (3.0 * std::f64::consts::PI * j as f64 / 15.0).cos()).collect();
        let found = amplitudes(&cosine, n, false);
        assert!((found[3] - 2.0).abs() < 1e-13 && found.iter().sum::<f64>() < 2.0 + 1e-12, "{found:?}");
    }

    #[test]
    fn eigenvalues_of_rows() {
        // The products are 4, 9 and nothing between them.
        assert_eq!(eigenvalues(&[vec![2.0, 0.0, 0.0], vec![0.0, 0.0, 3.0]]), [9.0, 4.0]);
    }
}
