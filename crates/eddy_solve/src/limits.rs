//! How long an explicit step may be, and what limits it.
//!
//! The right-hand side F(u, u_x, u_xx, …) is linearized at the present state: ∂F/∂(∂^m u) by differences, largest over the
//! grid, times the largest factor by which the discretization multiplies in ∂^m. Each order is a physical process with its
//! own limit: reaction (0), advection (1), diffusion (2), dispersion (3), and so on.

use eddy_expr::{
    Role,
    ir::Id,
    kernel::{Part, Slot, Source},
};
use serde::Serialize;

use crate::{
    discrete::Discrete,
    error::SolveError,
    evaluate::Scalar,
    observe::{Integrals, Observer},
    statement::Statement,
};

/// What a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Process {
    Reaction,
    Advection,
    Diffusion,
    Dispersion,
    /// Fourth derivatives and above.
    HighOrder,
}

impl Process {
    fn of(order: u32) -> Self {
        match order {
            0 => Self::Reaction,
            1 => Self::Advection,
            2 => Self::Diffusion,
            3 => Self::Dispersion,
            _ => Self::HighOrder,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Reaction => "reaction",
            Self::Advection => "advection",
            Self::Diffusion => "diffusion",
            Self::Dispersion => "dispersion",
            Self::HighOrder => "fourth-order",
        }
    }
}

/// One limit: `rate` bounds the eigenvalues, `dt` is the longest stable step of the classical Runge-Kutta method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limit {
    pub process: Process,
    pub rate: f64,
    pub dt: f64,
}

/// All limits at a state, strongest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Limits {
    pub all: Vec<Limit>,
    /// Some ∂F/∂(second derivative of the own field) is negative somewhere: short waves grow, the problem is ill-posed there.
    pub is_backward: bool,
}

impl Limits {
    pub fn rate(&self, process: Process) -> f64 {
        self.all.iter().find(|limit| limit.process == process).map_or(0.0, |limit| limit.rate)
    }

    /// The binding one.
    pub fn binding(&self) -> Option<Limit> {
        self.all.first().copied()
    }

    /// Bound of all eigenvalues.
    pub fn total(&self) -> f64 {
        self.all.iter().map(|limit| limit.rate).sum()
    }
}

/// What an entry of the linearization means. `rate` is its size times the factor of the derivative.
fn process_of(statement: &Statement, slot: &Slot, row: u16, part: Part, rate: f64) -> (Process, f64) {
    let order: u32 = slot.orders.iter().map(|order| u32::from(*order)).sum();
    let Source::Variable { index, part: source_part } = slot.source else { return (Process::of(order), rate) };
    let role = |variable: u16| statement.system.variables[usize::from(variable)].role;
    match role(row) {
        // u_tt = c² u_xx turns: the frequency is the root, and waves of it limit steps like advection, bending waves like
        // dispersion.
        Role::Velocity { of } if of == index => {
            let process = match order {
                0 => Process::Reaction,
                1 | 2 => Process::Advection,
                _ => Process::Dispersion,
            };
            (process, rate.sqrt())
        }
        // u_t = v is the other half of the same pair.
        Role::SecondOrder { velocity } if velocity == index && order == 0 => (Process::Reaction, 0.0),
        // i u_xx couples the parts of a complex field: it turns and does not damp.
        _ if index == row && part != source_part && order >= 2 => (Process::Dispersion, rate),
        _ => (Process::of(order), rate),
    }
}

fn strongest(rates: Vec<(Process, f64)>) -> Vec<(Process, f64)> {
    let mut found: Vec<(Process, f64)> = Vec::new();
    for (process, rate) in rates.into_iter().filter(|(_, rate)| *rate > 0.0 && rate.is_finite()) {
        match found.iter_mut().find(|(other, _)| *other == process) {
            Some((_, largest)) => *largest = largest.max(rate),
            None => found.push((process, rate)),
        }
    }
    found
}

/// Stability interval of the classical Runge-Kutta method on the imaginary and on the negative real axis.
const RK4_IMAGINARY: f64 = 2.828;
const RK4_REAL: f64 = 2.785;

/// The limits at a state.
pub fn limits<R: Scalar>(
    statement: &Statement,
    discrete: &mut Discrete<R>,
    time: f64,
    state: &[R],
) -> Result<Limits, SolveError> {
    let mut system = statement.system.clone();
    let grid = &statement.grid;
    let stepped = statement.stepped();
    let ids: Vec<(Id, bool)> = stepped
        .iter()
        .filter_map(|variable| {
            system.rate(*variable).map(|rate| (rate, system.variables[usize::from(*variable)].is_complex))
        })
        .collect();
    let mut integrals = Integrals::new(&mut system, grid, statement)?;
    let mut observer = Observer::new(&mut system, &ids, grid, statement)?;
    let values = integrals.values(discrete, grid, time, state, &statement.parameters);
    let mut arrays = observer.arrays(discrete, time, state);
    if let Discrete::Difference(difference) = discrete
        && difference.has_elliptic()
    {
        // The rates may not read an elliptic field.
        difference.decode(time, state);
        if let Some(failure) = difference.failure() {
            return Err(SolveError::IllPosed { message: failure.into() });
        }
    }
    let base = observer.run(&arrays, time, &statement.parameters, &values);
    for (output, values) in observer.outputs.iter().zip(&base) {
        if let Some(point) = values.iter().position(|value| !value.is_finite()) {
            let [nx, ny, _] = grid.shape();
            let place: Vec<f64> = [point % nx, point / nx % ny, point / (nx * ny)]
                .iter()
                .zip(&grid.axes)
                .map(|(index, axis)| axis.at(*index))
                .collect();
            let name = &statement.system.variables[usize::from(stepped[output.root])].name;
            let place = if place.is_empty() { String::new() } else { format!(" at {place:?}") };
            return Err(SolveError::IllPosed {
                message: format!(
                    "The rate of change of {name} has no finite value at the start (t = {time}){place}: look there for a division \
                     by zero, a root or logarithm of a negative number, or an initial value that is too large."
                ),
            });
        }
    }
    let mut rates: Vec<(Process, f64)> = Vec::new();
    let mut is_backward = false;
    for slot in 0..arrays.len() {
        let order: u32 = observer.slots[slot].orders.iter().map(|order| u32::from(*order)).sum();
        let size = arrays[slot].iter().fold(0.0f64, |a, b| a.max(b.abs()));
        let shift = 1e-6 * (size + 1e-3);
        arrays[slot].iter_mut().for_each(|value| *value += shift);
        let moved = observer.run(&arrays, time, &statement.parameters, &values);
        arrays[slot].iter_mut().for_each(|value| *value -= shift);
        let factor = discrete.largest_factor(observer.slots[slot].orders);
        let mut by_process: Vec<(Process, f64)> = Vec::new();
        for (output, (a, b)) in observer.outputs.iter().zip(moved.iter().zip(&base)) {
            let own = matches!(
                observer.slots[slot].source,
                Source::Variable { index, part }
                    if Some(&index) == stepped.get(output.root) && part == output.part
            );
            let (mut largest, mut is_negative, mut lowest) = (0.0f64, false, 0.0f64);
            for (a, b) in a.iter().zip(b) {
                let derivative = (a - b) / shift;
                largest = largest.max(derivative.abs());
                is_negative |= derivative < -1e-6 * (1.0 + b.abs() / (size + 1e-3));
                lowest = lowest.min(derivative);
            }
            // Pure second derivatives only: mixed ones have either sign. Where diffusion vanishes with the field, as in a porous
            // medium, the ripples of a series about the edge reach a little below zero.
            let is_pure = observer.slots[slot].orders.contains(&2) && order == 2;
            is_backward |= own && is_pure && is_negative && lowest < -0.02 * largest;
            by_process.push(process_of(
                statement,
                &observer.slots[slot],
                stepped[output.root],
                output.part,
                largest * factor,
            ));
        }
        // The same array in several equations bounds one row of the matrix each; the largest counts.
        for (process, rate) in strongest(by_process) {
            match rates.iter_mut().find(|(other, _)| *other == process) {
                // Axes and fields add up: a sum bounds the matrix norm from above.
                Some((_, sum)) => *sum += rate,
                None => rates.push((process, rate)),
            }
        }
    }
    Ok(Limits { all: tightest_first(rates), is_backward })
}

/// The steps of the classical Runge-Kutta method that these rates allow.
fn tightest_first(rates: Vec<(Process, f64)>) -> Vec<Limit> {
    let mut all: Vec<Limit> = rates
        .into_iter()
        .map(|(process, rate)| {
            let interval = match process {
                Process::Advection | Process::Dispersion => RK4_IMAGINARY,
                _ => RK4_REAL,
            };
            Limit { process, rate, dt: interval / rate }
        })
        .collect();
    all.sort_by(|a, b| a.dt.total_cmp(&b.dt));
    all
}
