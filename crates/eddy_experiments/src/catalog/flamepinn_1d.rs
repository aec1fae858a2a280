//@ feature: pinn
//! A flame is a thin layer, and its speed is part of the answer.
//!
//! $$\rho_0 s_L c_p\,T' = \lambda\,T'' + q\,\omega, \qquad \omega = A\,e^{-E/RT}(Y\rho)^{1.6}$$
//!
//! Cold gas streams in from the left at the speed $s_L$ at which the flame stands still. One network is the temperature; the
//! fuel that is left, the density and the gas speed follow from it by algebra. $s_L$ is one more number to train.
//! Every flame can be shifted, so the slope at the inlet, $T'(0) = 10^5$ K/m, says where it stands.
//!
//! Two devices make this work. The bound: $T = T_0 + \sigma(N)(T_b - T_0)$ cannot leave the possible range, outside of which
//! the rate is meaningless. The thin layer: the network's input runs to 10, not to 0.0015 m, and the loss is written in
//! those units. A short warm-up fits a ramp from cold to burnt, behind where the flame will stand.
//!
//! What to look for: switch the input to metres and the same training ends without a flame at every rate from 0.003 to 1.
//! Gas without a flame solves the equation at any speed, so a speed that looks right proves nothing: look at the profile.
//! Start at 0.8 m/s with the speed no faster than the weights (its relative rate at 1): with seed 2 the flame is blown out
//! of the domain before the speed has come down. Where the flame stands is the weak point anyway: the profile is shifted by
//! far more than the speed is wrong.
//!
//! The dashed reference shoots: it guesses $s_L$, integrates from the inlet and corrects, in milliseconds. The network is far
//! slower; its use is the inverse problem, where λ or $E$ is found from ten noisy temperatures. There the rate is
//! exponential in $E$, so the error shown is that of $E$ itself.

use eddy_nets::{
    NetError,
    graph::{Derivatives, Function, Graph, GraphEngine},
    normal,
};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Marker, Metric, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};

use crate::{
    Baseline, Context, DeviceKind, Experiment, Lab, Run,
    labs::pinn::{
        self, Descent, Method, Objective, Terms,
        flame::{CAPACITY, Flame, HEAT},
        insight::{self, Probes},
        relative_error,
    },
};

choice! { pub enum Task {
    /// the speed, from the equation
    Speed = "speed",
    /// the conductivity λ, from samples
    Conductivity = "conductivity",
    /// the activation energy E, from samples
    Activation = "activation",
} }

choice! { pub enum Units {
    /// thin layer: x to 10, T to 5
    Layer = "layer",
    /// SI: W/m³, K and K/m
    Si = "si",
} }

params! { pub struct Params {
    /// Sought.
    task: Task = Task::Speed => choice().group("problem"),
    /// Equivalence ratio.
    phi: f64 = 0.4 => range(0.3, 0.6).by(0.01).symbol("\\varphi").group("problem"),
    /// Temperature of the gas that streams in.
    inflow: f64 = 450.0 => range(298.0, 600.0).symbol("T_0").unit("K").group("problem"),
    /// Speed at the start.
    speed: f64 = 0.4 => log(0.1, 2.0).symbol("s_L^0").unit("m/s").group("problem").only_when("task", &["speed"]),
    /// The sought at the start, relative to the truth.
    first: f64 = 1.3 => log(0.5, 2.0).group("problem").only_when("task", &["conductivity", "activation"]),
    /// Noise of the samples, relative to the rise of the temperature.
    noise: f64 = 0.01 => range(0.0, 0.1).group("problem").only_when("task", &["conductivity", "activation"]),
    /// Length of the domain for the network. 0.0015 are metres.
    stretch: f64 = 10.0 => log(0.0015, 100.0).group("devices"),
    /// Temperature within its bounds.
    bounded: bool = true => toggle().group("devices"),
    /// Units of the loss.
    units: Units = Units::Layer => choice().group("devices"),
    /// Steps of the warm-up.
    warm_up: u32 = 1_000 => steps(0, 5000).group("devices"),
    /// Middle of the ramp of the warm-up, relative to the length.
    ramp: f64 = 0.4 => range(0.15, 0.85).group("devices"),
    /// Weight of the inlet.
    inlet: f64 = 10.0 => log(1e-4, 1e4).symbol("w").group("training"),
    /// Points.
    points: u32 = 200 => steps(50, 1000).symbol("N").group("training"),
    /// Training steps of Adam.
    steps: u32 = 8_000 => steps(100, 50_000).group("training"),
    /// Learning rate. It falls to a hundredth along half a cosine.
    rate: f64 = 3e-3 => log(1e-5, 10.0).symbol("\\eta").group("training"),
    /// Rate of the sought, relative to that of the network.
    lead: f64 = 5.0 => log(0.1, 100.0).group("training"),
    /// Units of both hidden layers.
    width: u32 = 32 => steps(4, 64).group("network"),
    /// Seed of the network and of the noise.
    seed: u32 = 1 => seed(),
} }

pub struct Flamepinn1d;

const SPEED: Metric = Metric::new(
    "speed",
    Axis::linear("speed of the flame", "s_L").unit("m/s"),
    Better::Neither,
    "Speed of the flame; given where something else is sought.",
);
const RATIO: Metric = Metric::new(
    "ratio",
    Axis::linear("sought, relative to the truth", "p/p_{ref}"),
    Better::Neither,
    "The number that is trained with the network, over the one of the reference.",
);
const SOUGHT_ERROR: Metric = Metric::new(
    "sought_error",
    Axis::log("relative error of the sought", "|p/p_{ref}-1|"),
    Better::Lower,
    "Relative error of the speed by shooting, or of λ or E as the samples were made with.",
);

impl Experiment for Flamepinn1d {
    type Params = Params;
    const TITLE: &'static str = "A flame and its speed";
    const SUMMARY: &'static str = "A network finds a thin flame and the speed at which it stands still.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[Citation {
        number: 41,
        key: "wu2025flamepinn",
        authors: "Wu, Jiahao and Zhang, Su and Wu, Yuxin and Zhang, Guihua and Li, Xin and Zhang, Hai",
        title: "FlamePINN-1D: Physics-informed neural networks to solve forward and inverse problems of 1D laminar flames",
        venue: "Combustion and Flame",
        year: 2025,
        url: "https://arxiv.org/abs/2406.09071",
    }];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] = &[pinn::ERROR, pinn::LOSS, pinn::SECONDS, SPEED, RATIO, SOUGHT_ERROR];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines(
            "temperature",
            "temperature",
            Axis::linear("position", "x").unit("mm"),
            Axis::linear("temperature", "T").unit("K"),
        ),
        ViewSpec::lines(
            "burning",
            "fuel and burning",
            Axis::linear("position", "x").unit("mm"),
            Axis::linear("fuel and rate, relative to their largest", "Y, \\omega"),
        ),
        ViewSpec::lines(
            "difference",
            "error",
            Axis::linear("position", "x").unit("mm"),
            Axis::linear("difference", "T-T_{ref}").unit("K"),
        ),
        insight::line_points_spec(Axis::linear("position over the length", "x/L")),
        insight::SPECTRUM_VIEW,
        insight::KERNEL_VIEW,
        insight::GRADIENTS_VIEW,
        insight::neurons_spec(Axis::linear("position", "x").unit("mm")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "metres", change: "stretch=0.0015" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At φ = 0.4 and 450 K the flame speed, started at 0.2, 0.4 or 0.8 m/s, ends within 5% of shooting's \
                   0.458 m/s; with the input in metres and everything else equal the same training misses the speed or \
                   the profile by more than 20%, also at thirty times the rate.",
        arms: &[
            Arm { name: "from 0.4", setting: "" },
            Arm { name: "from 0.2", setting: "speed=0.2" },
            Arm { name: "from 0.8", setting: "speed=0.8" },
            Arm { name: "metres", setting: "stretch=0.0015" },
            Arm { name: "metres, fast", setting: "stretch=0.0015&rate=0.1" },
        ],
        seeds: &[1, 2],
        tests: &[
            Test {
                label: "largest error of the speed over the three starts",
                measure: |m| {
                    let of = |arm| m.max(arm, "sought_error");
                    let all = [of("from 0.2"), of("from 0.4"), of("from 0.8")];
                    if all.iter().any(|e| e.is_nan()) { f64::NAN } else { all.into_iter().fold(0.0, f64::max) }
                },
                bound: Bound::AtMost(0.05),
                unit: "",
            },
            Test {
                label: "metres: error of speed or profile, whichever is larger",
                measure: |m| m.min("metres", "sought_error").max(m.min("metres", "error")),
                bound: Bound::AtLeast(0.2),
                unit: "",
            },
            Test {
                label: "metres, fast: error of speed or profile, whichever is larger",
                measure: |m| m.min("metres, fast", "sought_error").max(m.min("metres, fast", "error")),
                bound: Bound::AtLeast(0.2),
                unit: "",
            },
        ],
        counter: Counter {
            why: "Without bounds the temperature leaves the range in which the rate means anything.",
            arms: &["from 0.4"],
            change: "bounded=off",
        },
        cost: Cost::Slow,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let method = Method::adam(p.rate);
        let descent = Descent { method, steps: u64::from(p.steps), seed: p.seed, record_every: 25 };
        let flame = Flame::new(p.phi, p.inflow);
        let shot = flame
            .shoot(SLOPE, LENGTH, CELLS)
            .ok_or_else(|| EddyError::start("No speed makes this flame stand still. Change φ or the temperature."))?;
        let problem = Layer::new(p, flame, &shot.temperatures, shot.speed).map_err(pinn::refused)?;
        pinn::start_descent(problem, descent, context)
    }
}

/// T′ at the inlet, K/m.
const SLOPE: f64 = 1e5;
/// Length of the domain, m.
const LENGTH: f64 = 1.5e-3;
/// Steps of the shooting, and how many of them lie between two points that are compared.
const CELLS: usize = 2000;
const STRIDE: usize = 10;
const SAMPLES: usize = 10;
/// In the units of a thin layer x runs to 10 and T to 5.
const LAYER_LENGTH: f64 = 10.0;
const LAYER_HEAT: f64 = 5.0;

struct Layer {
    graph: Graph,
    engine: GraphEngine<f64>,
    probe_engine: GraphEngine<f64>,
    /// The true flame.
    flame: Flame,
    task: Task,
    units: Units,
    /// Of the sought's logarithm among the parameters.
    scalar: usize,
    /// What the exponential of that logarithm multiplies: 1 m/s, λ or E.
    unit: f64,
    lead: f64,
    true_speed: f64,
    points: Vec<f64>,
    inlet: f64,
    warm_up: u64,
    ramp: f64,
    step: u64,
    sample_places: Vec<f64>,
    samples: Vec<f64>,
    probes: Vec<f64>,
    reference: Vec<f64>,
    solution: Vec<f64>,
    /// The flame with the sought as trained, and the speed, as last measured.
    found: (Flame, f64),
}

impl Layer {
    fn new(p: &Params, flame: Flame, temperatures: &[f64], speed: f64) -> Result<Self, NetError> {
        let mut graph = Graph::new(1);
        let (unit, first) = match p.task {
            Task::Speed => (1.0, p.speed),
            Task::Conductivity => (flame.conductivity, p.first),
            Task::Activation => (flame.activation, p.first),
        };
        // Its logarithm, positive whatever the steps, over the factor by which it is faster: steps of Adam have one length.
        let scalar = graph.scalar(first.ln() / p.lead);
        // The coordinate is x over the length.
        let x = graph.coordinates();
        let stretched = graph.affine(x, p.stretch, 0.0);
        let width = p.width as usize;
        let network = graph.mlp(stretched, &[width, width], 1, Function::Tanh);
        if p.bounded {
            // The logistic function of N is (1 + tanh N/2)/2.
            let half = graph.affine(network, 0.5, 0.0);
            let bent = graph.apply(half, Function::Tanh);
            graph.affine(bent, 0.5, 0.5);
        }
        let count = p.points as usize;
        let rise = flame.hottest() - flame.inflow;
        let reference: Vec<f64> = temperatures.iter().step_by(STRIDE).copied().collect();
        let probes: Vec<f64> = (0..reference.len()).map(|i| (i * STRIDE) as f64 / CELLS as f64).collect();
        let at_sample = |k: usize| (k + 1) * CELLS / (SAMPLES + 1);
        let noise = |k: usize| p.noise * rise * normal(u64::from(p.seed) ^ 0xf1a3e, k as u64);
        let set = Derivatives::new(1, &[&[2]])?;
        Ok(Self {
            engine: GraphEngine::new(&graph, &set)?,
            probe_engine: GraphEngine::new(&graph, &Derivatives::new(1, &[])?)?,
            flame,
            task: p.task,
            units: p.units,
            scalar,
            unit,
            lead: p.lead,
            true_speed: speed,
            points: (0..count).map(|i| (i as f64 + 0.5) / count as f64).collect(),
            inlet: p.inlet,
            warm_up: p.warm_up.into(),
            ramp: p.ramp,
            step: 0,
            sample_places: (0..SAMPLES).map(|k| at_sample(k) as f64 / CELLS as f64).collect(),
            samples: (0..SAMPLES).map(|k| temperatures[at_sample(k)] + noise(k)).collect(),
            solution: vec![0.0; reference.len()],
            probes,
            reference,
            found: (flame, speed),
            graph,
        })
    }

    /// Kept within what a number can be: a run that diverges is still drawn.
    fn sought(&self, parameters: &[f64]) -> f64 {
        self.unit * (self.lead * parameters[self.scalar]).clamp(-20.0, 20.0).exp()
    }

    /// The flame and the speed as these parameters have them.
    fn flame_of(&self, parameters: &[f64]) -> (Flame, f64) {
        let sought = self.sought(parameters);
        match self.task {
            Task::Speed => (self.flame, sought),
            Task::Conductivity => (Flame { conductivity: sought, ..self.flame }, self.true_speed),
            Task::Activation => (Flame { activation: sought, ..self.flame }, self.true_speed),
        }
    }

    fn rise(&self) -> f64 {
        self.flame.hottest() - self.flame.inflow
    }

    /// Factors that turn the residual (W/m³), a temperature (K) and a slope (K/m) into the units of the loss.
    fn factors(&self) -> (f64, f64, f64) {
        let heat = LAYER_HEAT / self.flame.hottest();
        match self.units {
            // The residual also over ρ₀c_p, which leaves the speed of the flame, a number of order one in m/s, as its size.
            // The slope is relative to the one that is asked for: what it does is to fix the place.
            Units::Layer => {
                let carried = self.flame.inflow_density() * CAPACITY;
                (heat / (LAYER_LENGTH / LENGTH) / carried, heat, 1.0 / SLOPE)
            }
            Units::Si => (1.0, 1.0, 1.0),
        }
    }

    /// The warm-up's profile, a fraction of the rise: a ramp over a tenth of the length.
    fn ramp_at(&self, x: f64) -> f64 {
        (0.5 + (x - self.ramp) / 0.1).clamp(0.0, 1.0)
    }
}

impl Objective for Layer {
    fn graph(&self) -> &Graph {
        &self.graph
    }
    fn extras(&self) -> &'static [Metric] {
        &[SPEED, RATIO, SOUGHT_ERROR]
    }
    fn draw(&mut self, step: u64) {
        self.step = step;
    }
    fn points(&self) -> usize {
        self.points.len()
    }

    fn gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.terms(parameters, &mut Terms::sum(gradient))
    }

    fn terms(&mut self, parameters: &[f64], terms: &mut Terms<'_>) -> f64 {
        let (rise, inflow) = (self.rise(), self.flame.inflow);
        let (of_residual, of_heat, of_slope) = self.factors();
        let scale = 1.0 / self.points.len() as f64;
        if self.step < self.warm_up {
            let weight = scale * (rise * of_heat).powi(2);
            let (ramp, points) = (self.points.iter().map(|x| self.ramp_at(*x)).collect::<Vec<_>>(), &self.points);
            return terms.add("warm-up", &mut self.probe_engine, parameters, points, &mut |tile| {
                let mut loss = 0.0;
                for i in 0..tile.len {
                    let difference = tile.jet(0, 0)[i] - ramp[tile.start + i];
                    loss += weight * difference * difference;
                    tile.adjoint(0, 0)[i] = 2.0 * weight * difference;
                }
                loss
            });
        }
        let (flame, speed) = self.flame_of(parameters);
        let carried = flame.inflow_density() * CAPACITY;
        let task = self.task;
        // Derivatives along the coordinate, x over the length.
        let (first, second) = (rise / LENGTH, rise / (LENGTH * LENGTH));
        let mut of_sought = 0.0;
        let mut loss = terms.add("residual", &mut self.engine, parameters, &self.points, &mut |tile| {
            let mut loss = 0.0;
            for i in 0..tile.len {
                let [fraction, slope, curvature] = [0, 1, 2].map(|c| tile.jet(0, c)[i]);
                let rate = flame.rate(inflow + rise * fraction, speed);
                let (slope, curvature) = (first * slope, second * curvature);
                let r = of_residual * (carried * speed * slope - flame.conductivity * curvature - HEAT * rate.value);
                loss += scale * r * r;
                let back = 2.0 * scale * r * of_residual;
                tile.adjoint(0, 0)[i] = -back * HEAT * rate.by_temperature * rise;
                tile.adjoint(0, 1)[i] = back * carried * speed * first;
                tile.adjoint(0, 2)[i] = -back * flame.conductivity * second;
                // The parameter is the logarithm of the sought.
                of_sought += back
                    * match task {
                        Task::Speed => speed * (carried * slope - HEAT * rate.by_speed),
                        Task::Conductivity => -flame.conductivity * curvature,
                        Task::Activation => -flame.activation * HEAT * rate.by_activation,
                    };
            }
            loss
        });
        terms.slope(self.scalar, self.lead * of_sought);

        // Samples fix the place of the flame where there are any.
        let of_slope = if task == Task::Speed { of_slope } else { 0.0 };
        let weight = self.inlet;
        loss += terms.add("inlet", &mut self.engine, parameters, &[0.0], &mut |tile| {
            let cold = of_heat * rise * tile.jet(0, 0)[0];
            let slope = of_slope * (first * tile.jet(0, 1)[0] - SLOPE);
            tile.adjoint(0, 0)[0] = 2.0 * weight * cold * of_heat * rise;
            tile.adjoint(0, 1)[0] = 2.0 * weight * slope * of_slope * first;
            weight * (cold * cold + slope * slope)
        });
        if task != Task::Speed {
            let (samples, scale) = (&self.samples, 1.0 / SAMPLES as f64);
            loss += terms.add("samples", &mut self.probe_engine, parameters, &self.sample_places, &mut |tile| {
                let mut loss = 0.0;
                for i in 0..tile.len {
                    let d = of_heat * (inflow + rise * tile.jet(0, 0)[i] - samples[tile.start + i]);
                    loss += scale * d * d;
                    tile.adjoint(0, 0)[i] = 2.0 * scale * d * of_heat * rise;
                }
                loss
            });
        }
        loss
    }

    fn probes(&self) -> Option<Probes> {
        Some(Probes {
            own: self.solution.clone(),
            reference: self.reference.clone(),
            per_line: self.probes.len(),
            is_periodic: false,
            line: self.probes.clone(),
            along: (0.0, 1e3 * LENGTH),
        })
    }

    fn domain(&self) -> Vec<(f64, f64)> {
        vec![(0.0, 1.0)]
    }

    /// The error is that of T − T₀, so that gas that does not burn at all is wrong by 1.
    fn measure(&mut self, parameters: &[f64]) -> Vec<f64> {
        let (rise, inflow, solution) = (self.rise(), self.flame.inflow, &mut self.solution);
        self.probe_engine.evaluate(parameters, &self.probes, |tile| {
            for i in 0..tile.len {
                solution[tile.start + i] = inflow + rise * tile.jet(0, 0)[i];
            }
        });
        self.found = self.flame_of(parameters);
        let above = |ts: &[f64]| ts.iter().map(|t| t - inflow).collect::<Vec<_>>();
        let truth = if self.task == Task::Speed { self.true_speed } else { self.unit };
        let ratio = self.sought(parameters) / truth;
        vec![relative_error(&above(&self.solution), &above(&self.reference)), self.found.1, ratio, (ratio - 1.0).abs()]
    }

    fn view(&mut self, key: &str) -> ViewData {
        const MM: f64 = 1e3 * LENGTH;
        let xs = || self.probes.iter().map(|x| MM * x).collect::<Vec<_>>();
        let (x, cold, hot) = ((0.0, MM), self.flame.inflow, self.flame.hottest());
        match key {
            "temperature" => {
                let mut series = vec![
                    Series::line("shooting", Role::Reference, xs(), self.reference.clone()),
                    Series::line("network", Role::Result, xs(), self.solution.clone()),
                ];
                if self.task != Task::Speed {
                    let places = self.sample_places.iter().map(|x| MM * x).collect();
                    let samples = Series::line("samples", Role::Second, places, self.samples.clone());
                    series.push(Series { marker: Marker::Dots, ..samples });
                }
                let margin = 0.1 * (hot - cold);
                ViewData::Lines { series, x, y: (cold - margin, hot + margin) }
            }
            "burning" => {
                let fuel = |ts: &[f64]| ts.iter().map(|t| self.flame.fuel_at(*t) / self.flame.fuel).collect::<Vec<_>>();
                let rate = |flame: &Flame, speed: f64, ts: &[f64]| {
                    ts.iter().map(|t| flame.rate(*t, speed).value).collect::<Vec<_>>()
                };
                let truth = rate(&self.flame, self.true_speed, &self.reference);
                let top = truth.iter().fold(1e-300, |m: f64, w| m.max(*w));
                let relative = |ws: Vec<f64>| ws.into_iter().map(|w| w / top).collect::<Vec<_>>();
                let own = rate(&self.found.0, self.found.1, &self.solution);
                let series = vec![
                    Series::line("fuel, shooting", Role::Reference, xs(), fuel(&self.reference)),
                    Series::line("rate, shooting", Role::Reference, xs(), relative(truth)),
                    Series::line("fuel", Role::Result, xs(), fuel(&self.solution)),
                    Series::line("rate", Role::Second, xs(), relative(own)),
                ];
                ViewData::Lines { series, x, y: (-0.1, 1.3) }
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
    use super::*;

    fn layer(p: &Params) -> Layer {
        let flame = Flame::new(p.phi, p.inflow);
        let shot = flame.shoot(SLOPE, LENGTH, CELLS).unwrap();
        Layer::new(p, flame, &shot.temperatures, shot.speed).unwrap()
    }

    #[test]
    fn gradient_equals_central_differences() {
        let small = Params { width: 5, points: 50, warm_up: 0, ..Params::default() };
        for task in [Task::Speed, Task::Conductivity, Task::Activation] {
            pinn::check_objective(&mut layer(&Params { task, ..small.clone() }), 3);
        }
        for changed in [
            Params { warm_up: 10, ..small.clone() },
            Params { bounded: false, ..small.clone() },
            Params { units: Units::Si, stretch: 1.5e-3, ..small.clone() },
        ] {
            pinn::check_objective(&mut layer(&changed), 3);
        }
    }
}
