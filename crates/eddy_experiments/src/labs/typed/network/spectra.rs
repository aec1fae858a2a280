//! Why a network learns what it learns when: the spectrum of its error, that of its tangent kernel, and which term of the loss
//! pulls.

use eddy_nets::graph::Rows;
use eddy_numerics::diffusion::symmetric_eigen;
use eddy_spec::{Role, Series, ViewData};

use super::{TypedNetwork, points::Buffers};

/// Points at which the tangent kernel is taken.
const KERNEL_POINTS: usize = 40;
/// What is below this share of the largest is not drawn.
const FLOOR: f64 = 1e-12;

/// What the views of this file need of a training.
#[derive(Default)]
pub(super) struct Insight {
    /// Parameters as last measured, and the step.
    parameters: Vec<f64>,
    at: u64,
    /// The picture of the kernel, and the step for which it was made.
    kernel: Option<(u64, ViewData)>,
    /// Norms of the gradients of residual, sides, data, integrals and joints at the last step.
    pub norms: [f64; 5],
    /// Memory for the gradient before a term is added.
    pub before: Vec<f64>,
    /// The step, and those norms at it.
    history: Vec<(f64, [f64; 5])>,
}

impl Insight {
    /// As last measured.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    pub fn measured(&mut self, step: u64, parameters: &[f64]) {
        self.parameters.clear();
        self.parameters.extend_from_slice(parameters);
        self.at = step;
        if self.norms[0] > 0.0 {
            self.history.push((step as f64, self.norms));
        }
    }
}

impl TypedNetwork {
    /// Amplitudes along x (without space: along the time), root mean square over everything else: of the solution by the solver,
    /// and of the error. Between sides the even continuation is expanded, so that the ends make no jump.
    pub(super) fn error_spectrum(&self) -> ViewData {
        let output = self.shown();
        let reached = self.march.rows.end * self.reference.per_time();
        let (theirs, own) = (&self.reference.values[output][..reached], &self.solution[output][..reached]);
        let gaps: Vec<f64> = own.iter().zip(theirs).map(|(a, b)| a - b).collect();
        let axis = self.statement.grid.axes.first();
        let n = axis.map_or(self.march.rows.end, |_| self.reference.axes[0].len());
        let is_periodic = axis.is_some_and(|axis| axis.is_periodic);
        let [solution, error] = [theirs, &gaps[..]].map(|values| amplitudes(values, n, is_periodic));
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

    /// Norms of the gradients of the loss's terms, as they are added.
    pub(super) fn gradient_norms(&self) -> ViewData {
        let steps: Vec<f64> = self.insight.history.iter().map(|row| row.0).collect();
        let of = |name: &str, role, n: usize| {
            let norms = self.insight.history.iter().map(|row| row.1[n]).collect();
            Series::line(name, role, steps.clone(), norms)
        };
        let mut series = vec![of("residual", Role::Result, 0)];
        if self.sides.is_some() {
            series.push(of("sides", Role::Second, 1));
        }
        if !self.data.points.is_empty() {
            series.push(of("data", Role::Third, 2));
        }
        if self.integrals.is_some() {
            series.push(of("integrals", if self.data.points.is_empty() { Role::Third } else { Role::Reference }, 3));
        }
        if self.joints.is_some() {
            series.push(of("joints", Role::Reference, 4));
        }
        let all = series.iter().flat_map(|s| &s.ys).filter(|v| **v > 0.0);
        let (low, high) = all.fold((f64::MAX, 0.0), |(l, h): (f64, f64), v| (l.min(*v), h.max(*v)));
        let y = if low <= high { (0.7 * low, 1.4 * high) } else { (1e-3, 1.0) };
        ViewData::Lines { series, x: (0.0, steps.last().copied().unwrap_or(1.0).max(1.0)), y }
    }

    /// Eigenvalues of ∂r/∂θ · ∂r/∂θᵀ and of the same for values, sides and measurements, at some points of the last step.
    /// Gradient descent removes what lies along an eigenvector at a speed proportional to its eigenvalue (Jacot et al. 2018; of residuals, Wang, Yu and
    /// Perdikaris 2022, J. Comput. Phys. 449, 110768, equation 3.11).
    pub(super) fn kernel_spectrum(&mut self) -> ViewData {
        if let Some((step, view)) = &self.insight.kernel
            && *step == self.insight.at
        {
            return view.clone();
        }
        if self.insight.parameters.is_empty() {
            return ViewData::Empty;
        }
        let parameters = self.insight.parameters.clone();
        let all = self.points.len() / self.candidate.inputs;
        let count = KERNEL_POINTS.min(all);
        let chosen: Vec<usize> = (0..count).map(|k| k * all / count.max(1)).collect();
        let residual = eigenvalues(&self.residual_rows(&parameters, &chosen));
        let value = eigenvalues(&self.value_rows(&parameters, &chosen));
        let mut spectra = vec![("of the residual", Role::Result, residual), ("of the values", Role::Second, value)];
        if let Some(sides) = &mut self.sides {
            let (all, mut rows) = (sides.points(), Vec::new());
            sides.rows(&parameters, all as f64, |tile| some_rows(tile, all, 1.0, parameters.len(), &mut rows));
            spectra.push(("of the sides", Role::Third, eigenvalues(&rows)));
        }
        let measured = self.data.points.len() / self.candidate.inputs;
        if measured > 0 {
            // Distances relative to the size of a field, without their weight.
            let (factor, mut rows) = ((measured as f64 / self.data_weight).sqrt(), Vec::new());
            self.rows_of_measurements(&parameters, |tile| {
                some_rows(tile, measured, factor, parameters.len(), &mut rows)
            });
            spectra.push(("of the data", Role::Reference, eigenvalues(&rows)));
        }
        let largest = spectra.iter().flat_map(|(_, _, values)| values).fold(1e-300, |m: f64, v| m.max(*v));
        let series: Vec<Series> = (spectra.into_iter())
            .map(|(name, role, values)| {
                let places = (1..=values.len()).map(|k| k as f64).collect();
                Series::dotted(name, role, places, values.into_iter().map(|v| v.max(FLOOR * largest)).collect())
            })
            .collect();
        let low = series.iter().flat_map(|s| &s.ys).fold(largest, |m, v| m.min(*v));
        let most = series.iter().map(|s| s.xs.len()).fold(2, usize::max);
        let view = ViewData::Lines { series, x: (1.0, most as f64), y: (0.5 * low, 2.0 * largest) };
        self.insight.kernel = Some((self.insight.at, view.clone()));
        view
    }

    /// ∂u/∂θ of the first output at points of the last step.
    fn value_rows(&mut self, parameters: &[f64], chosen: &[usize]) -> Vec<Vec<f64>> {
        let points = self.places(chosen);
        let (mut values, mut matrix) = (vec![0.0; chosen.len()], vec![0.0; chosen.len() * parameters.len()]);
        self.values.jacobian(parameters, &points, 1, &mut values, &mut matrix, |rows, _| {
            rows.tile.adjoint(0, 0).fill(1.0);
        });
        matrix.chunks_exact(parameters.len()).map(<[f64]>::to_vec).collect()
    }

    /// ∂r/∂θ of the first equation's residual at points of the last step.
    pub(super) fn residual_rows(&mut self, parameters: &[f64], chosen: &[usize]) -> Vec<Vec<f64>> {
        self.put_coefficients(parameters);
        let points = self.places(chosen);
        let bases: Vec<Vec<f64>> = self.bases.iter().map(|base| chosen.iter().map(|at| base[*at]).collect()).collect();
        let Self { kernel, residuals, sources, scales, sought, engine, statement, .. } = self;
        let (dimension, mut buffers) = (statement.grid.dimension(), Buffers::new(residuals));
        let (mut values, mut matrix) = (vec![0.0; chosen.len()], vec![0.0; chosen.len() * parameters.len()]);
        engine.jacobian(parameters, &points, 1, &mut values, &mut matrix, |rows, _| {
            if !buffers.run(kernel, sources, &bases, 0, dimension, &rows.tile) {
                return;
            }
            buffers.write(rows, 0, residuals, sources, |_| scales[0]);
            for (slope, position) in buffers.parameter_slopes(residuals, 0) {
                let one = &sought[position];
                rows.slopes(one.at).iter_mut().zip(slope).for_each(|(to, s)| *to += one.scale * scales[0] * s);
            }
        });
        matrix.chunks_exact(parameters.len()).map(<[f64]>::to_vec).collect()
    }

    fn places(&self, chosen: &[usize]) -> Vec<f64> {
        let inputs = self.candidate.inputs;
        chosen.iter().flat_map(|at| &self.points[at * inputs..][..inputs]).copied().collect()
    }
}

/// Keeps the rows of about [`KERNEL_POINTS`] points of `all`, times a factor.
fn some_rows(tile: &Rows<'_, f64>, all: usize, factor: f64, parameters: usize, kept: &mut Vec<Vec<f64>>) {
    let stride = all.div_ceil(KERNEL_POINTS);
    for i in (0..tile.len).filter(|i| (tile.start + i).is_multiple_of(stride)) {
        kept.push((0..parameters).map(|p| factor * tile.slopes(p)[i]).collect());
    }
}

/// Eigenvalues of the products of rows, largest first.
fn eigenvalues(rows: &[Vec<f64>]) -> Vec<f64> {
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
