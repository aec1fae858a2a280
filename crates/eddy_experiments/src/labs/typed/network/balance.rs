//! Weights of the loss's terms that follow the training.

use eddy_nets::graph::Rows;

use super::TypedNetwork;

/// How the weights of the sides and of the measurements are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// As given.
    Fixed,
    /// So that each term pulls as hard as the residual: λ̂ = ‖∇L_r‖/‖∇L_b‖ (Wang, Teng, Perdikaris 2021, SIAM J. Sci. Comput. 43,
    /// A3055, algorithm 1, with norms in place of its largest and mean entries, as Wang, Sankaran, Wang, Perdikaris 2023 do).
    Norms,
    /// So that each term is learnt as fast as the residual: λ̂ = (tr K_rr/N_r)/(tr K_bb/N_b) with the tangent kernels (Wang, Yu,
    /// Perdikaris 2022, J. Comput. Phys. 449, 110768, algorithm 1, here for means of squares).
    Kernel,
}

/// Steps between two looks.
const EVERY: u64 = 100;
/// Share of the old weight that is kept.
const KEPT: f64 = 0.9;
/// The weights stay within these.
const RANGE: (f64, f64) = (1e-4, 1e6);

impl TypedNetwork {
    /// Moves the weights towards what is asked for, every hundredth step, after the gradient at `parameters`.
    pub(super) fn balance(&mut self, parameters: &[f64]) {
        if self.training.balance == Balance::Fixed || self.is_fixed || !self.step.is_multiple_of(EVERY) {
            return;
        }
        let [residual, sides, data] = match self.training.balance {
            Balance::Kernel => self.mean_traces(parameters),
            _ => {
                let [residual, sides, data, ..] = self.insight.norms;
                [residual, sides / self.side_weight, data / self.data_weight]
            }
        };
        let moved = |weight: f64, pull: f64| {
            let asked = residual / pull;
            let is_known = asked.is_finite() && asked > 0.0;
            if is_known { (KEPT * weight + (1.0 - KEPT) * asked).clamp(RANGE.0, RANGE.1) } else { weight }
        };
        self.side_weight = moved(self.side_weight, sides);
        self.data_weight = moved(self.data_weight, data);
    }

    /// tr K/N of residual, sides and measurements, 0 where there are none.
    fn mean_traces(&mut self, parameters: &[f64]) -> [f64; 3] {
        let count = parameters.len();
        let squares = |rows: &Rows<'_, f64>| -> f64 {
            (0..count).map(|p| rows.slopes(p).iter().map(|s| s * s).sum::<f64>()).sum()
        };
        let mut traces = [0.0; 3];
        self.rows_inside(parameters, |rows| traces[0] += squares(rows));
        if let Some(sides) = &mut self.sides {
            sides.rows(parameters, 1.0, |rows| traces[1] += squares(rows));
        }
        if !self.data.points.is_empty() {
            self.rows_of_measurements(parameters, |rows| traces[2] += squares(rows));
            traces[2] /= self.data_weight;
        }
        traces
    }
}
