//! Dense output: the state between the ends of a step, so that output times need not cut steps.

use super::runge_kutta::{DOPRI5, RungeKutta};
use crate::{Real, Value};

/// Writes the cubic Hermite interpolant at `t + part·dt` (0 ≤ part ≤ 1) to `out`, from the states and slopes at both ends.
/// Order 3 in a step (local error dt⁴), for any method. Hairer, Nørsett & Wanner (1993), eq. II.6.7.
pub fn hermite<R: Real, V: Value<R>>(
    part: f64,
    dt: f64,
    (y0, slope0): (&[V], &[V]),
    (y1, slope1): (&[V], &[V]),
    out: &mut [V],
) {
    let s = part;
    let rest = 1.0 - s;
    let [a, b, c, d] =
        [rest * rest * (1.0 + 2.0 * s), s * s * (3.0 - 2.0 * s), dt * s * rest * rest, -dt * s * s * rest].map(R::of);
    for i in 0..out.len() {
        out[i] = y0[i] * a + y1[i] * b + slope0[i] * c + slope1[i] * d;
    }
}

/// Weights of the stages for the correction that lifts the Hermite cubic of Dormand-Prince 5(4) to order 4.
const LIFT: [f64; 7] = [
    -12715105075.0 / 11282082432.0,
    0.0,
    87487479700.0 / 32700410799.0,
    -10690763975.0 / 1880347072.0,
    701980252875.0 / 199316789632.0,
    -1453857185.0 / 822651844.0,
    69997945.0 / 29380423.0,
];

impl<V: Copy + Default> RungeKutta<V> {
    /// Writes the state at `t + part·dt` of the step last made or tried with [`DOPRI5`] to `out`, order 4, no further
    /// evaluation; `y0` and `y1` are the states at its ends. Returns false, and writes nothing, for other methods. Hairer,
    /// Nørsett & Wanner (1993), section II.6, continuous extension of Shampine (1986), Math. Comp. 46, 135.
    pub fn dense_output<R: Real>(&self, part: f64, dt: f64, y0: &[V], y1: &[V], out: &mut [V]) -> bool
    where
        V: Value<R>,
    {
        if self.tableau.name != DOPRI5.name {
            return false;
        }
        let stages = self.stages();
        hermite(part, dt, (y0, &stages[0]), (y1, &stages[6]), out);
        let bubble = part * part * (1.0 - part) * (1.0 - part) * dt;
        for (k, d) in stages.iter().zip(LIFT).filter(|(_, d)| *d != 0.0) {
            super::imex::axpy(out, k, bubble * d);
        }
        true
    }
}
