//! Linearly implicit (Rosenbrock) methods for stiff nonlinear systems.

use super::controlled::{Attempt, ErrorEstimating, scaled_error};
use super::controller::Tolerance;
use super::imex::axpy;
use super::implicit::SolveFailed;
use super::jacobian::Jacobian;
use crate::{Real, Value};

/// A method in the form without products J·u: stage i solves
/// `(I - γ dt J) u_i = γ dt f(t + nodes[i] dt, y + Σ_j stages[i][j] u_j) + γ Σ_j couplings[i][j] u_j + γ dt² time[i] f_t`,
/// and the step is `y + Σ_i weights[i] u_i`. Hairer & Wanner (1996), section IV.7, eq. 7.25.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RosenbrockTableau {
    pub name: &'static str,
    pub order: u32,
    pub gamma: f64,
    pub nodes: &'static [f64],
    pub time: &'static [f64],
    pub stages: &'static [&'static [f64]],
    pub couplings: &'static [&'static [f64]],
    pub weights: &'static [f64],
    /// Weights minus those of the embedded method.
    pub error: &'static [f64],
    pub error_order: u32,
}

/// RODAS5P: order 5 with an embedded method of order 4, eight stages, L-stable, stiffly accurate; keeps its order on
/// semi-discretized parabolic problems and the Prothero-Robinson problem (down to 4). Steinebach (2023), BIT Numer. Math.
/// 63, 27, table of section 4.
pub const RODAS5P: RosenbrockTableau = RosenbrockTableau {
    name: "rodas",
    order: 5,
    gamma: 0.21193756319429014,
    nodes: &[0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0],
    time: &[
        0.21193756319429014,
        -0.42387512638858027,
        -0.3384627126235924,
        1.8046452872882734,
        2.325825639765069,
        0.0,
        0.0,
        0.0,
    ],
    stages: &[
        &[],
        &[3.0],
        &[2.849394379747939, 0.45842242204463923],
        &[-6.954028509809101, 2.489845061869568, -10.358996098473584],
        &[2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641],
        &[-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946],
        &[-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946, 1.0],
        &[
            -7.502846399306121,
            2.561846144803919,
            -11.627539656261098,
            -0.18268767659942256,
            0.030198172008377946,
            1.0,
            1.0,
        ],
    ],
    couplings: &[
        &[],
        &[-14.155112264123755],
        &[-17.97296035885952, -2.859693295451294],
        &[147.12150275711716, -1.41221402718213, 71.68940251302358],
        &[165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306],
        &[24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471],
        &[
            30.91273214028599,
            -3.1208243349937974,
            77.79954646070892,
            34.28646028294783,
            -19.097331116725623,
            -28.087943162872662,
        ],
        &[
            37.80277123390563,
            -3.2571969029072276,
            112.26918849496327,
            66.9347231244047,
            -40.06618937091002,
            -54.66780262877968,
            -9.48861652309627,
        ],
    ],
    weights: &[
        -7.502846399306121,
        2.561846144803919,
        -11.627539656261098,
        -0.18268767659942256,
        0.030198172008377946,
        1.0,
        1.0,
        1.0,
    ],
    error: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    error_order: 4,
};

/// A Rosenbrock method at work: one Jacobian and one factorization a step, one evaluation and one solve a stage. No Newton
/// iteration, so no step fails for lack of convergence. For stiff reactions, nonlinear diffusion in one dimension, systems
/// without space. The order relies on the Jacobian being right (differences are right enough down to tolerances of 1e-8).
pub struct Rosenbrock<V> {
    pub tableau: &'static RosenbrockTableau,
    stages: Vec<Vec<V>>,
    argument: Vec<V>,
    slope: Vec<V>,
    time_derivative: Vec<V>,
}

impl<V: Copy + Default> Rosenbrock<V> {
    /// For states of `size` entries.
    pub fn new(tableau: &'static RosenbrockTableau, size: usize) -> Self {
        let vec = || vec![V::default(); size];
        let stages = (0..tableau.nodes.len()).map(|_| vec()).collect();
        Self { tableau, stages, argument: vec(), slope: vec(), time_derivative: vec() }
    }

    fn evaluate<R: Real, T: Jacobian<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        Attempt { t, dt, is_retry }: Attempt,
        y: &[V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        let Self { tableau, stages, argument, slope, time_derivative } = self;
        let autonomous = term.is_autonomous();
        if !is_retry {
            term.refresh(t, y);
            term.evaluate(t, y, slope);
            if !autonomous {
                term.time_derivative(t, dt, y, slope, argument, time_derivative);
            }
        }
        let gamma_dt = tableau.gamma * dt;
        term.factor(gamma_dt)?;
        for i in 0..stages.len() {
            let (done, rest) = stages.split_at_mut(i);
            let unknown = &mut rest[0];
            if i == 0 {
                unknown.copy_from_slice(slope);
            } else {
                argument.copy_from_slice(y);
                for (u, a) in done.iter().zip(tableau.stages[i]) {
                    axpy(argument, u, *a);
                }
                term.evaluate(t + tableau.nodes[i] * dt, argument, unknown);
            }
            let factor = R::of(gamma_dt);
            for k in unknown.iter_mut() {
                *k = *k * factor;
            }
            for (u, c) in done.iter().zip(tableau.couplings[i]) {
                axpy(unknown, u, tableau.gamma * c);
            }
            if !autonomous && tableau.time[i] != 0.0 {
                axpy(unknown, time_derivative, gamma_dt * dt * tableau.time[i]);
            }
            term.solve(unknown)?;
        }
        Ok(())
    }

    /// Moves `y` from `t` to `t + dt`, in place. After a failure `y` is unchanged.
    pub fn step<R: Real, T: Jacobian<R, Value = V> + ?Sized>(
        &mut self,
        term: &mut T,
        t: f64,
        dt: f64,
        y: &mut [V],
    ) -> Result<(), SolveFailed>
    where
        V: Value<R>,
    {
        self.evaluate(term, Attempt { t, dt, is_retry: false }, y)?;
        for (u, m) in self.stages.iter().zip(self.tableau.weights) {
            axpy(y, u, *m);
        }
        Ok(())
    }
}

impl<R: Real, V: Value<R>, T: Jacobian<R, Value = V> + ?Sized> ErrorEstimating<R, T> for Rosenbrock<V> {
    type Value = V;
    fn order(&self) -> u32 {
        self.tableau.order
    }
    fn error_order(&self) -> u32 {
        self.tableau.error_order
    }
    fn slope(&mut self, term: &mut T, t: f64, y: &[V], out: &mut [V]) {
        term.evaluate(t, y, out);
    }
    fn attempt(
        &mut self,
        term: &mut T,
        attempt: Attempt,
        y: &[V],
        out: &mut [V],
        tolerance: Tolerance,
    ) -> Result<f64, SolveFailed> {
        self.evaluate(term, attempt, y)?;
        out.copy_from_slice(y);
        self.argument.fill(V::default());
        for (i, u) in self.stages.iter().enumerate() {
            axpy(out, u, self.tableau.weights[i]);
            if self.tableau.error[i] != 0.0 {
                axpy(&mut self.argument, u, self.tableau.error[i]);
            }
        }
        Ok(scaled_error(&self.argument, y, out, tolerance))
    }
}
