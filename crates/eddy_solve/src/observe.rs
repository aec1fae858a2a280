//! Values of expressions of a run's fields on its grid, at double precision: algebraic fields, integrals, energies, and the
//! sensitivities that stability limits come from.

use eddy_expr::{Discretization, System, ir::Id, kernel::Output, kernel::Part, kernel::Slot, kernel::Source};

use crate::{
    discrete::{Discrete, Values},
    error::{Place, SolveError},
    evaluate::{Pointwise, Scalar, Uniforms},
    grid::Grid,
    statement::Statement,
};

/// A compiled list of expressions.
pub struct Observer {
    kernel: Pointwise<f64>,
    pub slots: Vec<Slot>,
    pub outputs: Vec<Output>,
    points: usize,
}

/// Arrays by slot of an observer.
pub type Arrays = Vec<Vec<f64>>;

impl Observer {
    /// For nodes of the system's graph; the flag asks for an imaginary part too.
    pub fn new(
        system: &mut System,
        ids: &[(Id, bool)],
        grid: &Grid,
        statement: &Statement,
    ) -> Result<Self, SolveError> {
        let kernel = system.kernel(ids, Discretization::Pointwise).map_err(|error| SolveError::Text {
            place: Place::Equations,
            text: statement.problem.equations.clone(),
            diagnostics: vec![system.kernel_diagnostic(&error)],
        })?;
        Ok(Self {
            kernel: Pointwise::new(&kernel, grid),
            slots: kernel.slots,
            outputs: kernel.outputs,
            points: grid.points(),
        })
    }

    /// The arrays that the expressions read, at a state. Noise reads as zero.
    pub fn arrays<R: Scalar>(&self, discrete: &mut Discrete<R>, time: f64, state: &[R]) -> Arrays {
        self.slots
            .iter()
            .map(|slot| match slot.source {
                Source::Variable { index, part } => {
                    let (re, im) = discrete.derivative(time, state, index, slot.orders);
                    let values = if part == Part::Real { re } else { im };
                    if values.is_empty() {
                        vec![0.0; self.points]
                    } else {
                        values.into_iter().map(eddy_numerics::Real::to_f64).collect()
                    }
                }
                Source::Noise(_) => vec![0.0; self.points],
            })
            .collect()
    }

    /// The outputs for given arrays.
    pub fn run(&mut self, arrays: &Arrays, time: f64, parameters: &[f64], integrals: &[f64]) -> Vec<Vec<f64>> {
        let mut outputs = vec![vec![0.0; self.points]; self.outputs.len()];
        let slices: Vec<&[f64]> = arrays.iter().map(Vec::as_slice).collect();
        self.kernel.run(&slices, Uniforms { time, parameters, integrals }, &mut outputs);
        outputs
    }
}

/// ∫ over the domain by the trapezoidal rule, which is the sum that differences of order 2 conserve.
pub fn integral(grid: &Grid, values: &[f64]) -> f64 {
    integral_of_order(grid, values, 2)
}

/// ∫ over the domain, as accurate at walls as differences of an order are.
pub fn integral_of_order(grid: &Grid, values: &[f64], order: u8) -> f64 {
    let [wx, wy, wz] = [0, 1, 2].map(|axis| grid.weights(axis, order));
    let (nx, ny) = (wx.len(), wy.len());
    values
        .chunks(nx)
        .enumerate()
        .map(|(row, line)| wy[row % ny] * wz[row / ny] * line.iter().zip(&wx).map(|(v, w)| v * w).sum::<f64>())
        .sum()
}

/// How much of a field's deviation from its mean alternates from point to point: fourth differences along an axis, which are 16
/// times such a wave and little of any longer one, over the deviation; the largest over the axes.
pub fn roughness(grid: &Grid, values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count).sqrt();
    let [nx, ny, nz] = grid.shape();
    let mut roughest = 0.0f64;
    for (n, stride) in [(nx, 1), (ny, nx), (nz, nx * ny)] {
        if n < 8 {
            continue;
        }
        let (mut sum, mut terms) = (0.0, 0usize);
        for start in (0..values.len()).filter(|index| index / stride % n < n - 4) {
            let at = |step: usize| values[start + step * stride];
            let fourth = at(0) - 4.0 * at(1) + 6.0 * at(2) - 4.0 * at(3) + at(4);
            sum += fourth * fourth;
            terms += 1;
        }
        roughest = roughest.max((sum / terms.max(1) as f64).sqrt() / 16.0);
    }
    if deviation > 1e-9 * mean.abs() { roughest / deviation } else { 0.0 }
}

/// Fields that grew rough: the grid no longer resolves them, though nothing else may tell.
#[derive(Clone, Debug, Default)]
pub struct Rough {
    /// By field: its deviation at the start, whether it was smooth then, and whether it was told.
    fields: Vec<(f64, bool, bool)>,
}

/// That of waves of four points, which Fourier series still follow, is a quarter; a jump in 256 points has 0.03, ringing behind
/// a shock several tenths.
const ROUGH: f64 = 0.2;

impl Rough {
    /// Looks at the values of one time; returns the names of fields that are found rough for the first time.
    pub fn look(&mut self, grid: &Grid, values: &[Values]) -> Vec<String> {
        let mut found = Vec::new();
        for (index, field) in values.iter().enumerate() {
            let largest = field.re.iter().fold(0.0f64, |a, v| a.max(v.abs()));
            let roughness = roughness(grid, &field.re);
            let Some((first, is_smooth, is_told)) = self.fields.get_mut(index) else {
                self.fields.push((largest, roughness < 0.5 * ROUGH, false));
                continue;
            };
            // What has died away to rounding is noise.
            if *is_smooth && !*is_told && roughness > ROUGH && largest > 1e-6 * *first {
                *is_told = true;
                found.push(field.name.clone());
            }
        }
        found
    }
}

/// The integrals that a system's equations contain.
pub struct Integrals {
    observer: Option<Observer>,
    is_mean: Vec<bool>,
}

impl Integrals {
    pub fn new(system: &mut System, grid: &Grid, statement: &Statement) -> Result<Self, SolveError> {
        let ids: Vec<(Id, bool)> = system.integrals.iter().map(|integral| (integral.integrand, false)).collect();
        let observer = if ids.is_empty() { None } else { Some(Observer::new(system, &ids, grid, statement)?) };
        Ok(Self { observer, is_mean: system.integrals.iter().map(|integral| integral.is_mean).collect() })
    }

    pub fn values<R: Scalar>(
        &mut self,
        discrete: &mut Discrete<R>,
        grid: &Grid,
        time: f64,
        state: &[R],
        parameters: &[f64],
    ) -> Vec<f64> {
        let Some(observer) = &mut self.observer else { return Vec::new() };
        let arrays = observer.arrays(discrete, time, state);
        let outputs = observer.run(&arrays, time, parameters, &[]);
        let order = discrete.accuracy();
        outputs
            .iter()
            .zip(&self.is_mean)
            .map(|(values, is_mean)| {
                integral_of_order(grid, values, order) / if *is_mean { grid.volume() } else { 1.0 }
            })
            .collect()
    }
}
