//! Why a network learns what it learns when: the spectrum of its error, that of its tangent kernel, and which term of the loss
//! pulls.

use eddy_nets::graph::Rows;
use eddy_spec::{Role, Series, ViewData};

use super::{TypedNetwork, points::Buffers};
use crate::labs::pinn::insight::{KERNEL_POINTS, chosen, gradients_view, kernel_view, spectrum_view};

/// What the views of this file need of a training.
#[derive(Default)]
pub(super) struct Insight {
    /// Parameters as last measured.
    parameters: Vec<f64>,
    /// The picture of the kernel, once it has been made.
    kernel: Option<ViewData>,
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
        // Others may have been loaded at the same step.
        self.kernel = None;
        self.parameters.clear();
        self.parameters.extend_from_slice(parameters);
        if self.norms[0] > 0.0 {
            self.history.push((step as f64, self.norms));
        }
    }
}

impl TypedNetwork {
    /// Amplitudes along x (without space: along the time), of the solution by the solver, and of the error.
    pub(super) fn error_spectrum(&self) -> ViewData {
        let output = self.shown();
        let reached = self.march.rows.end * self.reference.per_time();
        let (theirs, own) = (&self.reference.values[output][..reached], &self.solution[output][..reached]);
        let axis = self.statement.grid.axes.first();
        let n = axis.map_or(self.march.rows.end, |_| self.reference.axes[0].len());
        spectrum_view(theirs, own, n, axis.is_some_and(|axis| axis.is_periodic))
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
            series.push(of("integrals", if self.data.points.is_empty() { Role::Third } else { Role::Fourth }, 3));
        }
        if self.joints.is_some() {
            series.push(of("joints", Role::Fourth, 4));
        }
        gradients_view(series)
    }

    /// See [`kernel_view`]: of the residual, and of values, sides and measurements, at some points of the last step.
    pub(super) fn kernel_spectrum(&mut self) -> ViewData {
        if let Some(view) = &self.insight.kernel {
            return view.clone();
        }
        if self.insight.parameters.is_empty() {
            return ViewData::Empty;
        }
        let parameters = self.insight.parameters.clone();
        let all = self.points.len() / self.candidate.inputs;
        let chosen = chosen(all);
        let (residual, value) = (self.residual_rows(&parameters, &chosen), self.value_rows(&parameters, &chosen));
        let mut spectra = vec![("of the residual", residual), ("of the values", value)];
        if let Some(sides) = &mut self.sides {
            let (all, mut rows) = (sides.points(), Vec::new());
            sides.rows(&parameters, all as f64, |tile| some_rows(tile, all, 1.0, parameters.len(), &mut rows));
            spectra.push(("of the sides", rows));
        }
        let measured = self.data.points.len() / self.candidate.inputs;
        if measured > 0 {
            // Distances relative to the size of a field, without their weight.
            let (factor, mut rows) = ((measured as f64 / self.data_weight).sqrt(), Vec::new());
            self.rows_of_measurements(&parameters, |tile| {
                some_rows(tile, measured, factor, parameters.len(), &mut rows)
            });
            spectra.push(("of the data", rows));
        }
        let view = kernel_view(&spectra);
        self.insight.kernel = Some(view.clone());
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
