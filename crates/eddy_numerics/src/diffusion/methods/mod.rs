//! Samplers: each file is one family's coefficients.

mod adams;
mod bdia;
mod churn;
mod ddim;
mod deis;
mod dpm_solver;
mod momentum;
mod multistep;
pub mod named;
mod options;
mod pndm;
mod runge_kutta;
mod sde;
mod stochastic_adams;
mod unipc;

pub use adams::Adams;
pub use bdia::Bdia;
pub use churn::{Churn, EdmStochastic};
pub use ddim::Ddim;
pub use deis::{Deis, Quadrature};
pub use dpm_solver::{DpmSingle, DpmSolver, DpmSolverFast};
pub use momentum::{Ghvb, HeavyBall, Nesterov};
pub use multistep::{DpmMultistep, LowerFinal};
pub use pndm::{FPndm, Fon, Plms, SPndm};
pub use runge_kutta::{RungeKutta, Tableau, Variable};
pub use sde::{EulerMaruyama, PredictorCorrector};
pub use stochastic_adams::StochasticAdams;
pub use unipc::{UniPc, Variant};

use super::{DiffusionError, Interval, Node, Plan, Prediction, Schedule};

/// A sampling method: how many steps a number of evaluations buys, and the plan of each step.
pub trait Method {
    fn name(&self) -> &'static str;
    /// Order of convergence of the end point in the step length; for stochastic methods the weak order.
    fn order(&self) -> u32;
    fn is_stochastic(&self) -> bool {
        false
    }
    /// How many remembered vectors of earlier steps it uses.
    fn memory(&self) -> usize {
        0
    }
    /// Evaluations that `steps` steps cost. Never falls as `steps` grows.
    fn cost(&self, steps: usize) -> usize;
    fn plan(&self, interval: &Interval) -> Plan;
    /// Tolerances, if the method chooses its steps itself.
    fn step_control(&self) -> Option<StepControl> {
        None
    }

    /// What it asks the model for at a node, for methods with step control, whose first evaluation is the loop's.
    fn value_at(&self, _node: &Node) -> Prediction {
        Prediction::Epsilon
    }

    /// Whether it can start at `first` and end at `last`, one of which may lack signal (α = 0) or noise (σ = 0).
    fn reaches(&self, _schedule: &dyn Schedule, first: &Node, last: &Node) -> bool {
        first.lambda.is_finite() && last.lambda.is_finite()
    }

    /// Evaluations of `steps` steps of which the last one ends at σ = 0.
    fn cost_to_zero(&self, steps: usize) -> usize {
        self.cost(steps)
    }

    /// The most steps that `evaluations` evaluations pay for.
    fn steps_for(&self, evaluations: usize) -> Result<usize, DiffusionError> {
        // cost(n) ≥ n for every method, so the answer is at most `evaluations`.
        let mut steps = evaluations;
        while steps > 0 && self.cost(steps) > evaluations {
            steps -= 1;
        }
        if steps == 0 {
            return Err(DiffusionError::Evaluations { method: self.name(), needed: self.cost(1), given: evaluations });
        }
        Ok(steps)
    }
}

/// Whether a run starts with signal and noise and ends with noise or at σ = 0: methods that move by constant or past ε
/// and evaluate at the start of a step only reach that end.
fn may_end_clean(first: &Node, last: &Node) -> bool {
    first.lambda.is_finite() && (last.lambda.is_finite() || last.sigma == 0.0)
}

/// Tolerances of step control: the error of a step is kept below absolute + relative · |x|.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepControl {
    pub absolute: f64,
    pub relative: f64,
}
