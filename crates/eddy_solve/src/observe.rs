//! Values of expressions of a run's fields on its grid, at double precision: algebraic fields, integrals, energies, and the
//! sensitivities that stability limits come from.

use eddy_expr::{Discretization, System, ir::Id, kernel::Output, kernel::Part, kernel::Slot, kernel::Source};

use crate::{
    discrete::Discrete,
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
