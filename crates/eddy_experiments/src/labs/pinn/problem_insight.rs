//! The views of [`insight`](super::insight) of problems on dense networks, made in f64 whatever they are trained in.

use eddy_nets::{Activation, Architecture, Engine, JetSpec, NetError, Network, Real, Tile};
use eddy_spec::ViewData;

use super::{
    Problem, Slices, Weigher,
    insight::{Insight, by_weight, chosen, neurons_view, points_view, rows_of, spectrum_view},
    terms::Placed,
};

/// Thirds of the time, whose shares of the gradient are drawn: what causal weights change.
const THIRDS: [&str; 3] = ["early", "middle", "late"];

/// A training as it stands.
pub struct Standing<'a> {
    architecture: &'a Architecture,
    parameters: Vec<f64>,
    /// Points of the last step, [point][input].
    points: &'a [f64],
    step: u64,
}

/// The same whatever it is trained in.
pub fn standing<'a, T: Real>(network: &'a Network<T>, points: &'a [f64], step: u64) -> Standing<'a> {
    let parameters = network.parameters.iter().map(|p| p.to_f64()).collect();
    Standing { architecture: network.architecture(), parameters, points, step }
}

/// A problem's residual, once for all problems.
struct Equation<'a> {
    network: Network<f64>,
    engine: Engine<f64>,
    points: &'a [f64],
    slices: Slices,
    backward: &'a mut dyn FnMut(&mut Tile<'_, f64>, &mut Weigher),
}

impl<'a> Equation<'a> {
    fn new(
        standing: &Standing<'a>,
        jets: &JetSpec,
        slices: Slices,
        backward: &'a mut dyn FnMut(&mut Tile<'_, f64>, &mut Weigher),
    ) -> Result<Self, NetError> {
        let network = Network::with_parameters(standing.architecture.clone(), standing.parameters.clone())?;
        let engine = Engine::new(&network, jets)?;
        Ok(Self { network, engine, points: standing.points, slices, backward })
    }

    fn points(&self) -> usize {
        self.points.len() / self.network.architecture().inputs
    }

    /// The gradient of the residual's part at these points.
    fn gradient(&mut self, from: usize, to: usize, weigher: &mut Weigher) -> Vec<f64> {
        let Self { network, engine, points, backward, .. } = self;
        let inputs = network.architecture().inputs;
        let mut gradient = vec![0.0; network.parameters.len()];
        engine.gradient(network, &points[from * inputs..to * inputs], &mut gradient, |tile| {
            backward(tile, weigher);
            0.0
        });
        gradient
    }

    /// Norms of the gradients of the thirds of the time, with the causal weights of this strictness.
    fn thirds(&mut self, epsilon: f64) -> Vec<(&'static str, f64)> {
        let Slices { count, points, .. } = self.slices;
        let mut weigher = Weigher::new(self.slices);
        weigher.begin(epsilon);
        let third = |(k, name)| {
            let [from, to] = [k, k + 1].map(|k| k * count / THIRDS.len() * points);
            weigher.start_at(from);
            (name, self.gradient(from, to, &mut weigher).iter().map(|g| g * g).sum::<f64>().sqrt())
        };
        THIRDS.into_iter().enumerate().map(third).collect()
    }

    /// The points and what the equation leaves there.
    fn placed(&mut self) -> Placed {
        let mut weigher = Weigher::new(self.slices);
        weigher.begin(0.0);
        weigher.kept = Some(Vec::new());
        self.gradient(0, self.points(), &mut weigher);
        // Problems on a strip have the time first, and it is drawn upwards.
        let points = match self.network.architecture().inputs {
            2 => self.points.chunks_exact(2).flat_map(|p| [p[1], p[0]]).collect(),
            _ => self.points.to_vec(),
        };
        Placed { name: "residual", points, squares: weigher.kept.take().unwrap_or_default() }
    }

    /// Rows ∂r/∂θ at some of the points.
    fn rows(&mut self) -> Vec<Vec<f64>> {
        let mut weigher = Weigher::new(Slices { count: 1, points: 1, end: self.slices.end });
        let places = chosen(self.points());
        let single = |at: usize| {
            weigher.begin(0.0);
            let gradient = self.gradient(at, at + 1, &mut weigher);
            (weigher.mean(), gradient)
        };
        rows_of(places.into_iter().map(single).collect(), 1)
    }
}

/// What a training keeps for these views.
#[derive(Default)]
pub struct ProblemInsight(Insight);

impl ProblemInsight {
    /// See [`Insight::forget_kernel`].
    pub fn forget_kernel(&mut self) {
        self.0.forget_kernel();
    }

    /// Whether [`measured`](Self::measured) is due at this step.
    pub fn is_due(&self, step: u64) -> bool {
        self.0.is_due(step)
    }

    /// Takes the gradients of the thirds of the time, with the causal weights of this strictness.
    pub fn measured<P: Problem>(
        &mut self,
        problem: &P,
        standing: &Standing<'_>,
        epsilon: f64,
        steps: u64,
    ) -> Result<(), NetError> {
        let mut backward = |tile: &mut Tile<'_, f64>, weigher: &mut Weigher| problem.backward(tile, weigher);
        let norms = Equation::new(standing, &problem.jets(), problem.slices(), &mut backward)?.thirds(epsilon);
        self.0.measured(standing.step, steps, norms);
        Ok(())
    }

    /// One of the views, or an empty one.
    pub fn view<P: Problem>(
        &mut self,
        key: &str,
        problem: &P,
        standing: &Standing<'_>,
        solution: &[f64],
    ) -> Result<ViewData, NetError> {
        let Architecture { inputs, outputs, .. } = *standing.architecture;
        let mut backward = |tile: &mut Tile<'_, f64>, weigher: &mut Weigher| problem.backward(tile, weigher);
        let mut equation = Equation::new(standing, &problem.jets(), problem.slices(), &mut backward)?;
        Ok(match (key, problem.probe_lines()) {
            ("gradients", _) => self.0.gradients(),
            ("kernel", _) => self.0.kernel(standing.step, || vec![("residual", equation.rows())]),
            ("points", _) => points_view(&[equation.placed()], &problem.domain()),
            ("error-spectrum", Some((n, _))) => {
                let first = |values: &[f64]| values.iter().step_by(outputs).copied().collect::<Vec<_>>();
                spectrum_view(&first(problem.reference()), &first(solution), n, false)
            }
            ("neurons", Some((n, along))) => {
                let lines = problem.probes().len() / (n * inputs);
                neurons(&equation.network, &problem.probes()[lines / 2 * n * inputs..][..n * inputs], along)?
            }
            _ => ViewData::Empty,
        })
    }
}

/// What the units of the last hidden layer answer along a line.
fn neurons(network: &Network<f64>, line: &[f64], along: (f64, f64)) -> Result<ViewData, NetError> {
    let whole = network.architecture();
    let (Some(last), Some((&units, below))) = (whole.layers().last().copied(), whole.hidden.split_last()) else {
        return Ok(ViewData::Empty);
    };
    // The hidden layer as an output: the same weights, linear.
    let architecture = Architecture { hidden: below.to_vec(), outputs: units, ..whole.clone() };
    let parameters = network.parameters[..architecture.parameters()].to_vec();
    let hidden = Network::with_parameters(architecture, parameters)?;
    let answer = |x: f64| match whole.activation {
        Activation::Tanh => x.tanh(),
        Activation::Sin => x.sin(),
        Activation::Gelu => 0.5 * x * (1.0 + Real::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        Activation::Identity => x,
    };
    let order = by_weight(&network.parameters[last.weights..last.biases], units);
    let places = line.len() / whole.inputs;
    let mut data = vec![0.0; places * units];
    Engine::new(&hidden, &JetSpec::value(whole.inputs))?.evaluate(&hidden, line, |tile| {
        for (row, unit) in order.iter().enumerate() {
            for (i, value) in tile.jet(*unit, 0).iter().enumerate() {
                data[row * places + tile.start + i] = answer(*value) as f32;
            }
        }
    });
    Ok(neurons_view(data, places, along))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::pinn::{
        METRICS,
        line::{Jet, LineEquation, LineProblem, Strip},
    };

    /// u_t = ν u_xx with nothing built in.
    struct Heat;
    impl LineEquation for Heat {
        fn envelope(&self, _: f64, _: f64) -> (Jet, Jet) {
            ([0.0; 4], [1.0, 0.0, 0.0, 0.0])
        }
        fn viscosity(&self) -> f64 {
            0.1
        }
        fn residual(&self, u: [f64; 3]) -> (f64, [f64; 3]) {
            (u[2], [0.0, 0.0, 1.0])
        }
    }

    #[test]
    fn parts_add_up_and_rows_are_the_residual_s() {
        assert_eq!(METRICS.len(), 5);
        let strip = Strip { end: 1.0, times: 9, positions: 4, rows: 5, columns: 7 };
        let architecture = Architecture::dense(2, &[5, 4], 1, Activation::Tanh);
        let problem = LineProblem::new(Heat, architecture.clone(), strip, 1, vec![0.5; 35]);
        let network = Network::<f64>::new(architecture, 3).unwrap();
        let mut points = vec![0.0; 2 * 36];
        problem.points(0, &mut points);
        let standing = standing(&network, &points, 7);
        let mut backward = |tile: &mut Tile<'_, f64>, weigher: &mut Weigher| problem.backward(tile, weigher);
        let mut equation = Equation::new(&standing, &problem.jets(), problem.slices(), &mut backward).unwrap();

        // The whole gradient, with causal weights, and its thirds, each by itself.
        let mut engine = Engine::new(&network, &problem.jets()).unwrap();
        let mut weigher = Weigher::new(problem.slices());
        weigher.begin(3.0);
        let mut whole = vec![0.0; network.parameters.len()];
        engine.gradient(&network, &points, &mut whole, |tile| {
            problem.backward(tile, &mut weigher);
            0.0
        });
        weigher.begin(3.0);
        let (mut sum, mut late) = (vec![0.0; whole.len()], 0.0);
        for k in 0..3 {
            let mut own = vec![0.0; whole.len()];
            weigher.start_at(12 * k);
            engine.gradient(&network, &points[24 * k..][..24], &mut own, |tile| {
                problem.backward(tile, &mut weigher);
                0.0
            });
            sum.iter_mut().zip(&own).for_each(|(s, o)| *s += o);
            late = own.iter().map(|g| g * g).sum::<f64>().sqrt();
        }
        assert!(whole.iter().zip(&sum).all(|(w, s)| (w - s).abs() < 1e-14 * w.abs().max(1.0)));
        let mut insight = ProblemInsight::default();
        insight.measured(&problem, &standing, 3.0, 100).unwrap();
        let ViewData::Lines { series, .. } = insight.view("gradients", &problem, &standing, &[0.0; 35]).unwrap() else {
            panic!()
        };
        assert_eq!(series.len(), 3);
        assert!((series[2].ys[0] / late - 1.0).abs() < 1e-12 && series[2].xs == [7.0]);

        // Squares at the points: their mean is that of the pass, and the first is that of the first point.
        weigher.begin(0.0);
        engine.gradient(&network, &points, &mut whole, |tile| {
            problem.backward(tile, &mut weigher);
            0.0
        });
        let Placed { points: places, squares, .. } = equation.placed();
        assert!((squares.iter().sum::<f64>() / 36.0 / weigher.mean() - 1.0).abs() < 1e-12 && squares.len() == 36);
        assert_eq!(places[..2], [points[1], points[0]]);

        // One row of the kernel against central differences of r.
        let rows = equation.rows();
        let residual = |parameters: Vec<f64>| {
            let network = Network::with_parameters(network.architecture().clone(), parameters).unwrap();
            let mut r = 0.0;
            engine.evaluate(&network, &points[..2], |tile| r = tile.jet(0, 2)[0]);
            r
        };
        let mut residual = residual;
        let h = 1e-6;
        let sign = residual(network.parameters.clone()).signum();
        for (p, slope) in rows[0].iter().enumerate() {
            let mut at = |by: f64| {
                let mut parameters = network.parameters.clone();
                parameters[p] += by;
                residual(parameters)
            };
            let expected = sign * (at(h) - at(-h)) / (2.0 * h);
            assert!((slope - expected).abs() < 1e-7, "{p}: {slope} {expected}");
        }
    }

    /// Units against the network: weighted by what reads them they make the output, at half time.
    #[test]
    fn units_make_the_output() {
        let strip = Strip { end: 1.0, times: 9, positions: 4, rows: 5, columns: 7 };
        for activation in [Activation::Tanh, Activation::Sin, Activation::Gelu, Activation::Identity] {
            let architecture = Architecture::dense(2, &[5, 4], 1, activation);
            let problem = LineProblem::new(Heat, architecture.clone(), strip, 1, vec![0.5; 35]);
            let network = Network::<f64>::new(architecture, 3).unwrap();
            let standing = standing(&network, &[0.0; 72], 7);
            let view = ProblemInsight::default().view("neurons", &problem, &standing, &[0.0; 35]).unwrap();
            let ViewData::Field { nx, ny, data, y, .. } = view else { panic!() };
            assert_eq!((nx, ny, y), (7, 4, (0.0, 4.0)));
            let last = network.architecture().layers()[2];
            let weights = &network.parameters[last.weights..last.biases];
            let order = by_weight(weights, 4);
            let made: f64 = order.iter().enumerate().map(|(row, u)| weights[*u] * f64::from(data[row * 7 + 2])).sum();
            let mut value = 0.0;
            let mut engine = Engine::new(&network, &problem.jets()).unwrap();
            engine.evaluate(&network, &[0.5, strip.column_position(2)], |tile| value = tile.jet(0, 0)[0]);
            let made = made + network.parameters[last.biases];
            assert!((made - value).abs() < 1e-6 && value != 0.0, "{activation:?}: {made} {value}");
        }
    }
}
