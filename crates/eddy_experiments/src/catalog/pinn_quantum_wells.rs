//@ feature: pinn
//! A network can find a bound state and its energy at once: the energy is one more number to train.
//!
//! $$-\psi'' + V\psi = E\psi, \qquad \psi = b(x)\,N(x)$$
//!
//! The factor $b$ vanishes at both walls, so those hold exactly. The loss is the mean squared residual plus
//! $w\,(\int\psi^2 - 1)^2$: without the second part $\psi = 0$ solves everything.
//!
//! What to look for: the energy, started 30% off, first drifts to whatever makes the residual small, and settles when the
//! shape is right. In the infinite well the paper fixes $E = \pi^2$, which hands the network the answer. Set the weight of
//! the norm to 0.001 and $\psi$ collapses.
//!
//! The dashed curve is the ground state by finite differences on two grids, extrapolated, and no training comes near it in
//! time or error. The grid of 64 points whose error is plotted with the network's has the better energy in the infinite
//! well; in the finite one, whose edges are steep, the network does better than those few points.

use eddy_nets::{
    NetError,
    graph::{Derivatives, Function, Graph, GraphEngine},
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::pinn::{
        self, Descent, Method, Objective, Terms,
        insight::{self, Probes},
        relative_error,
    },
};

choice! { pub enum Well {
    /// infinite: V = 0 on [0, 1]
    Infinite = "infinite",
    /// finite: a box of width 2 with smooth edges, on [−4, 4]
    Finite = "finite",
    /// harmonic: V = x² on [−6, 6]
    Harmonic = "harmonic",
    /// double: V = (x² − 2)², on [−4, 4]
    Double = "double",
} }

choice! { pub enum Energy {
    /// trained
    Trained = "trained",
    /// fixed at the reference
    Fixed = "fixed",
} }

params! { pub struct Params {
    /// Potential.
    well: Well = Well::Finite => choice().group("problem"),
    /// Depth of the finite well.
    depth: f64 = 10.0 => range(2.0, 40.0).symbol("V_0").group("problem").only_when("well", &["finite"]),
    /// Width of the finite well's edges.
    edge: f64 = 0.1 => range(0.05, 0.5).symbol("\\delta").group("problem").only_when("well", &["finite"]),
    /// Energy.
    energy: Energy = Energy::Trained => choice().group("training"),
    /// Energy at the start, relative to the reference.
    first: f64 = 1.3 => range(0.2, 3.0).symbol("E_0/E").group("training").only_when("energy", &["trained"]),
    /// Weight of the norm.
    norm: f64 = 10.0 => log(1e-4, 1e4).symbol("w").group("training"),
    /// Points.
    points: u32 = 200 => steps(20, 1000).symbol("N").group("training"),
    /// Training steps of Adam.
    steps: u32 = 5_000 => steps(100, 50_000).group("training"),
    /// Learning rate. It falls to a hundredth along half a cosine.
    rate: f64 = 3e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training"),
    /// Units of both hidden layers.
    width: u32 = 32 => steps(4, 64).group("network"),
    /// Seed of the network.
    seed: u32 = 1 => seed(),
} }

pub struct PinnQuantumWells;

const ENERGY: Metric =
    Metric::new("energy", Axis::linear("energy", "E"), Better::Neither, "Energy of the network's state.");
const ENERGY_ERROR: Metric = Metric::new(
    "energy_error",
    Axis::log("relative error of the energy", "|E-E_{ref}|/E_{ref}"),
    Better::Lower,
    "Against finite differences on two grids, extrapolated.",
);
const GRID_ERROR: Metric = Metric::new(
    "grid_error",
    Axis::log("relative error of the energy", "|E_{64}-E_{ref}|/E_{ref}"),
    Better::Lower,
    "The same of finite differences on 64 points.",
);

impl Experiment for PinnQuantumWells {
    type Params = Params;
    const TITLE: &'static str = "Quantum wells by a network";
    const SUMMARY: &'static str = "A network finds a bound state and its energy together.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 148,
        key: "sarkar2025wells",
        authors: "Sarkar, Soumyadip",
        title: "Physics-Informed Neural Networks for One-Dimensional Quantum Well Problems",
        venue: "arXiv preprint",
        year: 2025,
        url: "https://arxiv.org/abs/2504.05367",
    }];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] = &[pinn::ERROR, pinn::LOSS, pinn::SECONDS, ENERGY, ENERGY_ERROR, GRID_ERROR];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("state", "state", Axis::linear("position", "x"), Axis::linear("amplitude", "\\psi")),
        ViewSpec::lines("potential", "potential", Axis::linear("position", "x"), Axis::linear("energy", "V, E")),
        ViewSpec::lines(
            "difference",
            "error",
            Axis::linear("position", "x"),
            Axis::linear("difference", "\\psi-\\psi_{ref}"),
        ),
        insight::line_points_spec(Axis::linear("position", "x")),
        insight::SPECTRUM_VIEW,
        insight::KERNEL_VIEW,
        insight::GRADIENTS_VIEW,
        insight::neurons_spec(Axis::linear("position", "x")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "weak norm", change: "norm=0.001" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "After 5,000 steps the state in the infinite well, its energy given, is within 1% of the sine, and the \
                   trained energy of the finite well, started 30% off either way, is within 2%; differences on 64 points \
                   are then still closer to the infinite well's energy than 0.1%.",
        arms: &[
            Arm { name: "infinite", setting: "well=infinite&energy=fixed" },
            Arm { name: "from above", setting: "first=1.3" },
            Arm { name: "from below", setting: "first=0.7" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "largest error of the state in the infinite well",
                measure: |m| m.max("infinite", "error"),
                bound: Bound::AtMost(0.01),
                unit: "",
            },
            Test {
                label: "largest error of the energy, from above",
                measure: |m| m.max("from above", "energy_error"),
                bound: Bound::AtMost(0.02),
                unit: "",
            },
            Test {
                label: "largest error of the energy, from below",
                measure: |m| m.max("from below", "energy_error"),
                bound: Bound::AtMost(0.02),
                unit: "",
            },
            Test {
                label: "error of the energy on 64 points, infinite well",
                measure: |m| m.max("infinite", "grid_error"),
                bound: Bound::AtMost(0.001),
                unit: "",
            },
        ],
        counter: Counter {
            why: "With almost no weight on the norm the state shrinks to zero, which solves the equation at any energy.",
            arms: &[],
            change: "norm=0.0001",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let method = Method::adam(p.rate);
        let descent = Descent { method, steps: u64::from(p.steps), seed: p.seed, record_every: 25 };
        pinn::start_descent(State::new(p).map_err(pinn::refused)?, descent, context)
    }
}

#[derive(Clone, Copy)]
struct Potential {
    well: Well,
    depth: f64,
    edge: f64,
}

impl Potential {
    fn walls(self) -> (f64, f64) {
        match self.well {
            Well::Infinite => (0.0, 1.0),
            Well::Finite | Well::Double => (-4.0, 4.0),
            Well::Harmonic => (-6.0, 6.0),
        }
    }
    fn at(self, x: f64) -> f64 {
        match self.well {
            Well::Infinite => 0.0,
            Well::Finite => {
                let step = |s: f64| 0.5 * (1.0 + (s / self.edge).tanh());
                self.depth * (1.0 - step(x + 1.0) * step(1.0 - x))
            }
            Well::Harmonic => x * x,
            Well::Double => (x * x - 2.0) * (x * x - 2.0),
        }
    }
}

/// The lowest eigenvalue of −ψ″ + Vψ on `n` inner points by second-order differences, by bisection on the signs of the
/// pivots (Sturm), and the state by inverse iteration, ∫ψ² = 1 and positive.
fn ground_state(potential: Potential, n: usize) -> (f64, Vec<f64>) {
    let (low, high) = potential.walls();
    let h = (high - low) / (n + 1) as f64;
    let off = -1.0 / (h * h);
    let diagonal: Vec<f64> = (1..=n).map(|i| 2.0 / (h * h) + potential.at(low + i as f64 * h)).collect();
    let has_below = |e: f64| {
        let mut pivot = f64::INFINITY;
        diagonal.iter().any(|d| {
            pivot = d - e - off * off / pivot;
            pivot < 0.0
        })
    };
    let mut bounds = (diagonal.iter().fold(f64::INFINITY, |m: f64, d| m.min(*d)) + 2.0 * off, 0.0);
    bounds.1 = diagonal.iter().fold(f64::INFINITY, |m: f64, d| m.min(*d));
    for _ in 0..100 {
        let middle = 0.5 * (bounds.0 + bounds.1);
        if has_below(middle) { bounds.1 = middle } else { bounds.0 = middle }
    }
    // Just below the eigenvalue the matrix is positive definite, so elimination needs no pivoting.
    let shift = bounds.0 - 1e-9 * (1.0 + bounds.0.abs());
    let mut state = vec![1.0; n];
    for _ in 0..4 {
        let mut pivots = vec![0.0; n];
        for i in 0..n {
            pivots[i] = diagonal[i] - shift - if i > 0 { off * off / pivots[i - 1] } else { 0.0 };
            if i > 0 {
                state[i] -= off / pivots[i - 1] * state[i - 1];
            }
        }
        state[n - 1] /= pivots[n - 1];
        for i in (0..n - 1).rev() {
            state[i] = (state[i] - off * state[i + 1]) / pivots[i];
        }
        let norm = (h * state.iter().map(|s| s * s).sum::<f64>()).sqrt();
        state.iter_mut().for_each(|s| *s /= norm);
    }
    (bounds.0, state)
}

/// Inner points of the coarser grid of the reference; the finer one has every point of it.
const COARSE: usize = 999;

struct State {
    graph: Graph,
    engine: GraphEngine<f64>,
    probe_engine: GraphEngine<f64>,
    potential: Potential,
    points: Vec<f64>,
    potentials: Vec<f64>,
    spacing: f64,
    norm: f64,
    /// Index of the energy among the parameters, if it is trained.
    scalar: Option<usize>,
    energy: f64,
    exact_energy: f64,
    grid_error: f64,
    probes: Vec<f64>,
    reference: Vec<f64>,
    solution: Vec<f64>,
    values: Vec<[f64; 2]>,
    second: usize,
}

impl State {
    fn new(p: &Params) -> Result<Self, NetError> {
        let potential = Potential { well: p.well, depth: p.depth, edge: p.edge };
        let (low, high) = potential.walls();
        // The error is a series in h²: the two grids' leading terms cancel.
        let ((coarse, coarse_state), (fine, fine_state)) =
            (ground_state(potential, COARSE), ground_state(potential, 2 * COARSE + 1));
        let exact_energy = (4.0 * fine - coarse) / 3.0;
        let extrapolated =
            coarse_state.iter().enumerate().map(|(i, c)| (4.0 * fine_state[2 * i + 1] - c) / 3.0).step_by(9);
        let reference: Vec<f64> = extrapolated.collect();
        let h = (high - low) / (COARSE + 1) as f64;
        let probes: Vec<f64> = (0..COARSE).map(|i| low + (i + 1) as f64 * h).step_by(9).collect();

        let mut graph = Graph::new(1);
        let x = graph.coordinates();
        let half = 0.5 * (high - low);
        let scaled = graph.affine(x, 1.0 / half, -0.5 * (low + high) / half);
        let width = p.width as usize;
        let scalar = (p.energy == Energy::Trained).then(|| graph.scalar(p.first * exact_energy));
        let network = graph.mlp(scaled, &[width, width], 1, Function::Tanh);
        let (up, down) = (graph.affine(scaled, 1.0, 1.0), graph.affine(scaled, -1.0, 1.0));
        let walls = graph.multiply(up, down);
        graph.multiply(walls, network);

        let count = p.points as usize;
        let spacing = (high - low) / count as f64;
        let points: Vec<f64> = (0..count).map(|i| low + (i as f64 + 0.5) * spacing).collect();
        let set = Derivatives::new(1, &[&[2]])?;
        Ok(Self {
            engine: GraphEngine::new(&graph, &set)?,
            probe_engine: GraphEngine::new(&graph, &Derivatives::new(1, &[])?)?,
            second: set.component(&[2]).unwrap_or(0),
            potentials: points.iter().map(|x| potential.at(*x)).collect(),
            values: vec![[0.0; 2]; count],
            points,
            spacing,
            norm: p.norm,
            scalar,
            energy: exact_energy,
            grid_error: (ground_state(potential, 64).0 / exact_energy - 1.0).abs(),
            exact_energy,
            solution: vec![0.0; reference.len()],
            reference,
            probes,
            graph,
            potential,
        })
    }
}

impl Objective for State {
    fn graph(&self) -> &Graph {
        &self.graph
    }
    fn extras(&self) -> &'static [Metric] {
        &[ENERGY, ENERGY_ERROR, GRID_ERROR]
    }
    fn points(&self) -> usize {
        self.points.len()
    }

    fn gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.terms(parameters, &mut Terms::sum(gradient))
    }

    /// The norm ties all points together, so one pass collects ψ and ψ″ and a second one goes back.
    fn terms(&mut self, parameters: &[f64], terms: &mut Terms<'_>) -> f64 {
        let second = self.second;
        let values = &mut self.values;
        self.engine.evaluate(parameters, &self.points, |tile| {
            for i in 0..tile.len {
                values[tile.start + i] = [tile.jet(0, 0)[i], tile.jet(0, second)[i]];
            }
        });
        // The midpoint rule: ψ vanishes at both walls and is smooth.
        let excess = self.spacing * self.values.iter().map(|v| v[0] * v[0]).sum::<f64>() - 1.0;
        let energy = self.scalar.map_or(self.energy, |s| parameters[s]);
        let scale = 1.0 / self.points.len() as f64;
        let of_norm = 4.0 * self.norm * excess * self.spacing;
        let (values, potentials) = (&self.values, &self.potentials);
        let mut energy_slope = 0.0;
        // Both terms go back in one pass where they need not be kept apart.
        let with_residual = if terms.is_apart() { 0.0 } else { of_norm };
        let loss = terms.add("residual", &mut self.engine, parameters, &self.points, &mut |tile| {
            let mut loss = 0.0;
            for i in 0..tile.len {
                let [psi, curvature] = values[tile.start + i];
                let v = potentials[tile.start + i];
                let r = (v - energy) * psi - curvature;
                loss += scale * r * r;
                energy_slope -= 2.0 * scale * r * psi;
                tile.adjoint(0, 0)[i] = 2.0 * scale * r * (v - energy) + with_residual * psi;
                tile.adjoint(0, second)[i] = -2.0 * scale * r;
            }
            loss
        });
        if let Some(scalar) = self.scalar {
            terms.slope(scalar, energy_slope);
        }
        // One number of all points: it has no rows by point.
        if terms.is_apart() && !terms.is_by_point() {
            terms.add("norm", &mut self.engine, parameters, &self.points, &mut |tile| {
                for i in 0..tile.len {
                    tile.adjoint(0, 0)[i] = of_norm * values[tile.start + i][0];
                }
                0.0
            });
        }
        loss + self.norm * excess * excess
    }

    fn probes(&self) -> Option<Probes> {
        Some(Probes {
            own: self.solution.clone(),
            reference: self.reference.clone(),
            per_line: self.probes.len(),
            is_periodic: false,
            line: self.probes.clone(),
            along: self.potential.walls(),
        })
    }

    fn domain(&self) -> Vec<(f64, f64)> {
        vec![self.potential.walls()]
    }

    fn measure(&mut self, parameters: &[f64]) -> Vec<f64> {
        let solution = &mut self.solution;
        self.probe_engine.evaluate(parameters, &self.probes, |tile| {
            solution[tile.start..tile.start + tile.len].copy_from_slice(tile.jet(0, 0));
        });
        // A state and its negative are the same.
        if self.solution.iter().zip(&self.reference).map(|(a, b)| a * b).sum::<f64>() < 0.0 {
            self.solution.iter_mut().for_each(|s| *s = -*s);
        }
        self.energy = self.scalar.map_or(self.energy, |s| parameters[s]);
        let error = (self.energy / self.exact_energy - 1.0).abs();
        vec![relative_error(&self.solution, &self.reference), self.energy, error, self.grid_error]
    }

    fn view(&mut self, key: &str) -> ViewData {
        let x = self.potential.walls();
        let xs = || self.probes.clone();
        match key {
            "state" => {
                let top = self.reference.iter().chain(&self.solution).fold(1.0, |m: f64, v| m.max(v.abs()));
                let series = vec![
                    Series::line("differences", Role::Reference, xs(), self.reference.clone()),
                    Series::line("network", Role::Result, xs(), self.solution.clone()),
                ];
                ViewData::Lines { series, x, y: (-0.2 * top, 1.1 * top) }
            }
            "potential" => {
                let level = |e: f64| vec![e; self.probes.len()];
                let top = 1.5 * self.exact_energy.max(self.energy);
                let v = self.probes.iter().map(|x| self.potential.at(*x).min(top)).collect();
                let series = vec![
                    Series::line("energy, reference", Role::Reference, xs(), level(self.exact_energy)),
                    Series::line("energy", Role::Result, xs(), level(self.energy)),
                    Series::line("potential", Role::Second, xs(), v),
                ];
                ViewData::Lines { series, x, y: (0.0f64.min(1.1 * self.energy), top) }
            }
            "difference" => {
                let ys: Vec<f64> = self.solution.iter().zip(&self.reference).map(|(a, b)| a - b).collect();
                let top = ys.iter().fold(1e-9, |m: f64, v| m.max(v.abs()));
                ViewData::Lines { series: vec![Series::line("error", Role::Result, xs(), ys)], x, y: (-top, top) }
            }
            _ => ViewData::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn gradient_equals_central_differences() {
        let p = Params { width: 5, points: 30, ..Params::default() };
        pinn::check_objective(&mut State::new(&p).unwrap(), 3);
    }

    #[test]
    fn references_have_their_known_energies() {
        let energy = |well, n| ground_state(Potential { well, depth: 10.0, edge: 0.1 }, n).0;
        // π² and 1; the difference scheme's own eigenvalue in the infinite well is 4/h² sin²(πh/2).
        let extrapolated = |well| (4.0 * energy(well, 2 * COARSE + 1) - energy(well, COARSE)) / 3.0;
        assert!((extrapolated(Well::Infinite) - PI * PI).abs() < 1e-7);
        assert!((extrapolated(Well::Harmonic) - 1.0).abs() < 1e-7);
        let h = 1.0 / 65.0;
        let discrete = 4.0 / (h * h) * (0.5 * PI * h).sin().powi(2);
        assert!((energy(Well::Infinite, 64) - discrete).abs() < 1e-9);
        // Halving h divides the error by 4.
        let error = |n| (energy(Well::Harmonic, n) - 1.0).abs();
        let ratio = error(199) / error(399);
        assert!((3.9..4.1).contains(&ratio), "{ratio}");
        // A box of width 2 and depth 10 with sharp edges: k tan k = √(10 − k²).
        let (mut low, mut high) = (0.5, 1.5);
        for _ in 0..60 {
            let k = 0.5 * (low + high);
            if k * f64::tan(k) < f64::sqrt(10.0 - k * k) { low = k } else { high = k }
        }
        let sharp = ground_state(Potential { well: Well::Finite, depth: 10.0, edge: 0.005 }, 7999).0;
        assert!((sharp - low * low).abs() < 2e-3 * low * low, "{sharp} {}", low * low);
    }

    #[test]
    fn state_is_the_sine() {
        let (_, state) = ground_state(Potential { well: Well::Infinite, depth: 1.0, edge: 0.1 }, 99);
        let worst =
            state.iter().enumerate().map(|(i, s)| (s - 2f64.sqrt() * (PI * (i + 1) as f64 / 100.0).sin()).abs());
        // On this grid the discrete state is the sine exactly.
        assert!(worst.fold(0.0, f64::max) < 1e-9);
    }
}
