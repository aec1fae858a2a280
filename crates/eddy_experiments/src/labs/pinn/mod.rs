//! The PINN lab: a network is trained until the residual of a differential equation vanishes at sampled points.
//!
//! A [`Problem`] gives the equation (its residual and how that depends on the network's jets), builds initial and boundary
//! conditions in exactly, and knows a reference solution. [`Weighting`] decides how much each moment counts;
//! [`PinnRun`] is the training loop, once for all problems; [`DescentRun`] is the one
//! for networks of other shapes ([`Objective`]), by L-BFGS too. [`line`] makes problems of scalar equations in (t, x), which
//! [`start_line`] also trains on the GPU ([`DeviceRun`]).

mod descent;
mod device;
pub mod flame;
mod gpu;
pub mod insight;
pub mod line;
#[cfg(feature = "pinn")]
mod problem_insight;
pub mod ritz;
mod run;
pub mod sobolev;
#[cfg(feature = "pinn")]
mod terms;
mod weighting;

use eddy_nets::{Architecture, JetSpec, Real, Tile};
use eddy_spec::{Axis, Better, Metric, ViewData, ViewSpec};
#[cfg(feature = "pinn")]
use eddy_spec::{Role, Series};

#[cfg(test)]
pub(crate) use descent::check_objective;
pub use descent::{
    Descent, DescentRun, ERROR, Fall, Gradient, LOSS, MOST_NEWTON, Method, Objective, Optimizer, REDRAWN, RENEWED,
    SECONDS, refused, relative_error, start_descent,
};
#[cfg(feature = "equations")]
pub(crate) use device::{DeviceRun, Followed, POOL, Reached, refused as refused_on_gpu};
pub use gpu::start_line;
pub use run::{PinnRun, Training, start};
#[cfg(feature = "equations")]
pub(crate) use run::{divergence as divergence_at_rate, residual_view, weights_view};
#[cfg(feature = "pinn")]
pub use terms::Terms;
pub use weighting::{Slices, Weigher, Weighting};

/// A differential equation on a time interval, with its conditions built in and its reference.
pub trait Problem: 'static {
    /// The network: its features and size.
    fn architecture(&self) -> Architecture;
    /// The derivatives of the network that the residual needs.
    fn jets(&self) -> JetSpec;
    /// How the points of a step are ordered in time.
    fn slices(&self) -> Slices;
    /// Writes the points of step `step`, [point][input], slice by slice in order of time.
    fn points(&self, step: u64, out: &mut [f64]);
    /// Whether `points` differs from step to step.
    fn is_resampled(&self) -> bool;
    /// For each point of the tile in order: the squared residual goes to `weigher`, which answers with the factor of the
    /// adjoints to write (the derivative of the squared residual with respect to each jet component, times that factor).
    fn backward<T: Real>(&self, tile: &mut Tile<'_, T>, weigher: &mut Weigher);
    /// Points at which solution and reference are compared and drawn, [point][input].
    fn probes(&self) -> &[f64];
    /// The solution at a probe from the network's outputs there.
    fn solution(&self, point: &[f64], outputs: &[f64], solution: &mut [f64]);
    /// The reference at the probes, [point][output].
    fn reference(&self) -> &[f64];
    /// Where each coordinate of the points as drawn begins and ends: of one the time, of two the place and the time.
    #[cfg(feature = "pinn")]
    fn domain(&self) -> Vec<(f64, f64)> {
        Vec::new()
    }
    /// How many probes make a line along their last coordinate, and where it begins and ends.
    #[cfg(feature = "pinn")]
    fn probe_lines(&self) -> Option<(usize, (f64, f64))> {
        None
    }
    /// The problem's own views.
    fn view(&self, key: &str, solution: &[f64]) -> ViewData;
}

/// What every PINN run records, in this order.
pub const METRICS: &[Metric] = &[
    Metric::new(
        "error",
        Axis::log("relative error", "\\|u-u_{ref}\\|_2/\\|u_{ref}\\|_2"),
        Better::Lower,
        "Relative L² error against the reference, over all probes and components.",
    ),
    Metric::new(
        "residual",
        Axis::log("mean squared residual", "\\overline{r^2}"),
        Better::Lower,
        "Mean of the squared residual over the points of the step, without weights.",
    ),
    Metric::new(
        "w_min",
        Axis::linear("smallest weight", "w_{min}"),
        Better::Higher,
        "Weight of the last moment; above 0.99 the residual is small everywhere before it. 1 without causal weights.",
    ),
    Metric::new(
        "epsilon",
        Axis::log("causality", "\\varepsilon"),
        Better::Neither,
        "Strictness of the causal weights in this stage; not defined without them.",
    ),
    SECONDS,
];

/// The two views of training that every PINN has.
pub const WEIGHTS_VIEW: ViewSpec =
    ViewSpec::lines("weights", "weights in time", Axis::linear("time", "t"), Axis::linear("weight", "w"));
/// See [`WEIGHTS_VIEW`].
pub const RESIDUAL_VIEW: ViewSpec = ViewSpec::curves(
    "residual",
    "residual in time",
    Axis::linear("time", "t"),
    Axis::log("mean squared residual", "\\mathcal L(t)"),
);

/// The axis of all PINN runs.
pub const AXIS: Axis = Axis::linear("training steps", "n");

/// Lines of the solution with the reference dashed behind; `columns` picks (output, name, role).
#[cfg(feature = "pinn")]
pub(crate) fn compared(
    ts: &[f64],
    solution: &[f64],
    reference: &[f64],
    outputs: usize,
    columns: &[(usize, &str, Role)],
) -> Vec<Series> {
    let column = |data: &[f64], o: usize| data.iter().skip(o).step_by(outputs).copied().collect::<Vec<_>>();
    let mut series = Vec::with_capacity(2 * columns.len());
    for &(o, name, _) in columns {
        series.push(Series::line(format!("{name}, reference"), Role::Reference, ts.to_vec(), column(reference, o)));
    }
    for &(o, name, role) in columns {
        series.push(Series::line(name, role, ts.to_vec(), column(solution, o)));
    }
    series
}

/// The gradient that `backward` leads to against central differences of the mean squared residual, without weights; and
/// with a wrong entry, which must be seen.
#[cfg(all(test, feature = "pinn"))]
pub(crate) fn check_gradient<P: Problem>(problem: &P) {
    use eddy_nets::{Engine, Network};
    let mut network = Network::<f64>::new(problem.architecture(), 11).unwrap();
    let mut engine = Engine::new(&network, &problem.jets()).unwrap();
    let slices = problem.slices();
    let mut points = vec![0.0; slices.count * slices.points * network.architecture().inputs];
    problem.points(4, &mut points);
    let mut weigher = Weigher::new(slices);
    let mut loss = |network: &Network<f64>, gradient: &mut [f64]| {
        weigher.begin(0.0);
        engine.gradient(network, &points, gradient, |tile| {
            problem.backward(tile, &mut weigher);
            0.0
        });
        weigher.mean()
    };
    let mut gradient = vec![0.0; network.parameters.len()];
    loss(&network, &mut gradient);
    let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let mut scratch = gradient.clone();
    let h = 1e-5;
    let mut error = |i: usize, gradient: f64| {
        let p = network.parameters[i];
        network.parameters[i] = p + h;
        let above = loss(&network, &mut scratch);
        network.parameters[i] = p - h;
        let below = loss(&network, &mut scratch);
        network.parameters[i] = p;
        ((above - below) / (2.0 * h) - gradient).abs() / scale
    };
    // Truncation h² and rounding 1e-16/h, relative to the largest entry.
    let worst = gradient.iter().enumerate().map(|(i, g)| error(i, *g)).fold(0.0, f64::max);
    assert!(worst < 1e-7, "{worst:e}");
    let largest = gradient.iter().position(|g| g.abs() == scale).unwrap();
    assert!(error(largest, 0.999 * gradient[largest]) > 1e-7);
}
