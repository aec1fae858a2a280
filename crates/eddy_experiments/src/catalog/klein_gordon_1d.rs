//! A field with a spring at every point:
//!
//! $$\varphi_{tt} = \varphi_{xx} - V'(\varphi)$$
//!
//! With $V = 1 - \cos\varphi$ (sine-Gordon) a kink and an antikink can be bound and swing through each other for ever: the
//! breather $4\arctan\frac{\sqrt{1-\omega^2}\,\sin\omega t}{\omega\cosh(\sqrt{1-\omega^2}\,x)}$ of energy
//! $16\sqrt{1-\omega^2}$. With $V = \frac14(\varphi^2-1)^2$ a kink and an antikink that meet too slowly are caught, and escape
//! again only in narrow windows of the speed.
//!
//! The method of the paper is the leapfrog of Störmer and Verlet with Fourier derivatives. It is symplectic: its energy error
//! swings but does not grow, however long the run. Runge-Kutta 4 at the same number of force evaluations (steps four times as
//! long) loses energy steadily. Its solution is still the more accurate one for a while: watch both errors.

use std::any::Any;

use eddy_numerics::Real;
use eddy_numerics::space::grid::Periodic;
use eddy_numerics::systems::klein_gordon::{KleinGordon, Potential, breather};
use eddy_numerics::systems::schrodinger::Derivative;
use eddy_numerics::time::runge_kutta::{RK4, RungeKutta};
use eddy_numerics::time::stability::{Limit, StabilityLimits};
use eddy_numerics::time::verlet::Verlet;
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Test, ViewSpec, choice,
    params,
};

use crate::labs::pde::{
    Backend, CpuBackend, Live, Measure, PdeRun, Picture, Range, Setup, Shape, StencilSolver, smallest_dt,
};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Precision, Run};

choice! { pub enum Start {
    /// breather (sine-Gordon)
    Breather = "breather",
    /// kink meets antikink (double well)
    Collision = "collision",
    /// kinks at rest (double well)
    Static = "static",
    /// wave packet (linear)
    Packet = "packet",
} }

choice! { pub enum Method {
    /// Störmer-Verlet
    Verlet = "verlet",
    /// Runge-Kutta 4
    Rk4 = "rk4",
} }

choice! { pub enum Space {
    /// Fourier
    Fourier = "fourier",
    /// differences, 3 points
    Differences = "differences",
} }

params! { pub struct Params {
    /// Start.
    start: Start = Start::Breather => choice().group("start"),
    /// Frequency of the breather.
    frequency: f64 = 0.6 => range(0.2, 0.95).symbol("\\omega").only_when("start", &["breather"]).group("start"),
    /// Speed of the kinks. In units of the speed of light.
    speed: f64 = 0.3 => range(0.05, 0.9).symbol("v").only_when("start", &["collision"]).group("start"),
    /// Method.
    method: Method = Method::Verlet => choice().group("method"),
    /// Derivative in space.
    space: Space = Space::Fourier => choice().group("method"),
    /// Points.
    points: u32 = 256 => steps(32, 1024).symbol("N").group("method"),
    /// Length of a step.
    dt: f64 = 0.05 => log(2e-3, 1.0).symbol("\\Delta t").live().group("method"),
    /// End. The run stops at this time.
    end: f64 = 400.0 => range(20.0, 2000.0).symbol("T").live().group("method"),
} }

pub struct KleinGordon1d;

const LENGTH: f64 = 60.0;
/// Kinks start this far from the middle.
const APART: f64 = 10.0;

impl Params {
    fn grid(&self) -> Periodic {
        Periodic::centred(self.points as usize, LENGTH)
    }

    fn potential(&self) -> Potential {
        match self.start {
            Start::Breather => Potential::Cosine,
            Start::Collision | Start::Static => Potential::DoubleWell { strength: 1.0, vacuum: 1.0 },
            Start::Packet => Potential::Quadratic { mass: 1.0 },
        }
    }

    fn derivative(&self) -> Derivative {
        match self.space {
            Space::Fourier => Derivative::Spectral,
            Space::Differences => Derivative::SecondOrder,
        }
    }

    /// φ and φ_t at the start.
    fn initial(&self, x: f64) -> (f64, f64) {
        match self.start {
            Start::Breather => breather(self.frequency, x, 0.0),
            Start::Collision | Start::Static => {
                // A pair, because one kink alone does not close on a ring.
                let v = if self.start == Start::Collision { self.speed } else { 0.0 };
                let gamma = 1.0 / (1.0 - v * v).sqrt() / 2.0_f64.sqrt();
                let (left, right) = (gamma * (x + APART), gamma * (x - APART));
                let slope = |z: f64| gamma / z.cosh().powi(2);
                (left.tanh() - right.tanh() - 1.0, -v * (slope(left) + slope(right)))
            }
            Start::Packet => {
                let (k, width) = (2.0_f64, 2.5_f64);
                let omega = (k * k + 1.0).sqrt();
                let envelope = (-(x + 10.0).powi(2) / (2.0 * width * width)).exp();
                (envelope * (k * x).cos(), envelope * omega * (k * x).sin())
            }
        }
    }
}

fn live(p: &Params) -> Live {
    Live { dt: p.dt, end: p.end, coefficients: Vec::new() }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    crate::own(params).map(live)
}

const PAPER: Citation = Citation {
    number: 116,
    key: "herho2025amangkurat",
    authors: "Herho, S. H. S. and others",
    title: "amangkurat: A Python Library for Symplectic Pseudo-Spectral Solution of the Idealized (1+1)D Nonlinear \
            Klein-Gordon Equation",
    venue: "arXiv preprint",
    year: 2025,
    url: "https://github.com/sandyherho/amangkurat",
};

impl Experiment for KleinGordon1d {
    type Params = Params;
    const TITLE: &'static str = "A breather that never tires";
    const SUMMARY: &'static str = "A symplectic step keeps the energy of a breather for ever; Runge-Kutta loses it.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[PAPER];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "energy_error",
            Axis::log("error of the energy", "|E/E_0 - 1|"),
            Better::Lower,
            "Relative change of the energy since the start.",
        ),
        Metric::new(
            "first_half",
            Axis::log("largest error of the energy, first half", "\\epsilon_1"),
            Better::Lower,
            "Largest relative change of the energy in the first half of the run.",
        ),
        Metric::new(
            "second_half",
            Axis::log("largest error of the energy, second half", "\\epsilon_2"),
            Better::Lower,
            "Largest relative change of the energy in the second half of the run.",
        ),
        Metric::new(
            "error",
            Axis::log("error against the exact breather", "\\max|\\varphi - \\varphi_{exact}|"),
            Better::Lower,
            "Largest difference from the closed form, while the start is the breather and untouched.",
        ),
        Metric::new("energy", Axis::linear("energy", "E"), Better::Neither, "∫ ½φ_t² + ½φ_x² + V(φ)."),
        Metric::new(
            "entropy",
            Axis::linear("Shannon entropy", "S"),
            Better::Neither,
            "-Σ p ln p of the energy density p: how widely the energy is spread over the points.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "history",
            "space and time",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("field", "\\varphi"),
            ColorMap::Diverging,
        ),
        ViewSpec::lines("phi", "field", Axis::linear("position", "x"), Axis::linear("field", "\\varphi")),
    ];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "Runge-Kutta 4, same cost", change: "method=rk4&dt=0.2" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "For the breather of frequency 0.6 to t = 400 with equal force evaluations, Verlet's largest energy error \
                   in the second half is at most 1.05 times that of the first and at most 0.6 times that of Runge-Kutta 4, \
                   whose error grows by at least 1.5 times.",
        arms: &[
            Arm { name: "verlet", setting: "method=verlet&dt=0.05" },
            Arm { name: "rk4", setting: "method=rk4&dt=0.2" },
        ],
        seeds: &[0],
        tests: &[
            Test {
                label: "Verlet: second half / first half",
                measure: |m| m.mean("verlet", "second_half") / m.mean("verlet", "first_half"),
                bound: Bound::AtMost(1.05),
                unit: "×",
            },
            Test {
                label: "second half: Verlet / Runge-Kutta 4",
                measure: |m| m.ratio("verlet", "rk4", "second_half"),
                bound: Bound::AtMost(0.6),
                unit: "×",
            },
            Test {
                label: "Runge-Kutta 4: second half / first half",
                measure: |m| m.mean("rk4", "second_half") / m.mean("rk4", "first_half"),
                bound: Bound::AtLeast(1.5),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "At four times the cost Runge-Kutta 4 keeps the energy far better than Verlet over this time.",
            arms: &["rk4"],
            change: "dt=0.05",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let grid = p.grid();
        let both: Vec<(f64, f64)> = grid.xs().into_iter().map(|x| p.initial(x)).collect();
        let fields = vec![both.iter().map(|b| b.0).collect::<Vec<f64>>(), both.iter().map(|b| b.1).collect()];
        let live = live(p);
        let backend = match context.precision {
            Precision::F64 => backend::<f64>(p, grid, &live, &fields),
            Precision::F32 => backend::<f32>(p, grid, &live, &fields),
        };
        let fastest = KleinGordon::<f64>::new(grid, p.potential(), p.derivative()).max_frequency();
        let interval = if p.method == Method::Verlet { 2.0 } else { RK4.imaginary_interval };
        let diagnose = move |live: &Live, _: &[Vec<f64>]| {
            StabilityLimits::default().with(Limit::Dispersive, interval / fastest).diagnose(live.dt)
        };
        let range = match p.start {
            Start::Breather => {
                let top = 4.0 * ((1.0 - p.frequency * p.frequency).sqrt() / p.frequency).atan();
                Range::Fixed(-top, top)
            }
            Start::Packet => Range::Fixed(-1.0, 1.0),
            Start::Collision | Start::Static => Range::Fixed(-1.6, 1.6),
        };
        Ok(Box::new(PdeRun::new(Setup {
            shape: Shape::line(grid),
            backend,
            initial: fields,
            live,
            smallest_dt: smallest_dt::<Params>(),
            metrics: Self::METRICS,
            measure: Box::new(FieldMeasure::new(p.clone(), grid)),
            record_every: 1,
            pictures: vec![
                ("history", Picture::SpaceTime(p.end.min(100.0)), range),
                ("phi", Picture::Lines(vec![(0, "φ")]), range),
            ],
            brush: (0, 0.5),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

fn backend<R: Real>(p: &Params, grid: Periodic, live: &Live, fields: &[Vec<f64>]) -> Box<dyn Backend> {
    let term = KleinGordon::<R>::new(grid, p.potential(), p.derivative());
    let (n, shape) = (grid.points, Shape::line(grid));
    // Fields and velocities are of order one and stay so.
    match p.method {
        Method::Verlet => {
            let solver = StencilSolver::new(term, Verlet::new(n), 2 * n, live.dt);
            Box::new(CpuBackend::new(solver, shape, fields, live, 10.0))
        }
        Method::Rk4 => {
            let solver = StencilSolver::new(term, RungeKutta::new(&RK4, 2 * n), 2 * n, live.dt);
            Box::new(CpuBackend::new(solver, shape, fields, live, 10.0))
        }
    }
}

struct FieldMeasure {
    params: Params,
    grid: Periodic,
    term: KleinGordon<f64>,
    state: Vec<f64>,
    start: Option<f64>,
    first_half: f64,
    second_half: f64,
    half_time: f64,
    is_pure: bool,
}

impl FieldMeasure {
    fn new(params: Params, grid: Periodic) -> Self {
        let term = KleinGordon::new(grid, params.potential(), params.derivative());
        Self {
            is_pure: params.start == Start::Breather,
            half_time: 0.5 * params.end,
            params,
            grid,
            term,
            state: vec![0.0; 2 * grid.points],
            start: None,
            first_half: 0.0,
            second_half: f64::NAN,
        }
    }
}

impl Measure for FieldMeasure {
    fn measure(&mut self, t: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        let n = fields[0].len();
        self.state[..n].copy_from_slice(&fields[0]);
        self.state[n..].copy_from_slice(&fields[1]);
        let energy = self.term.energy(&self.state);
        let start = *self.start.get_or_insert(energy);
        let error = (energy / start - 1.0).abs();
        if t <= self.half_time * (1.0 + 1e-9) {
            self.first_half = self.first_half.max(error);
        } else {
            // max drops the NaN that stands for "not there yet".
            self.second_half = self.second_half.max(error);
        }
        (out[0], out[1], out[2]) = (error, self.first_half, self.second_half);
        out[3] = f64::NAN;
        if self.is_pure {
            let exact = |i: usize| breather(self.params.frequency, self.grid.x(i), t).0;
            out[3] = fields[0].iter().enumerate().map(|(i, v)| (v - exact(i)).abs()).fold(0.0, f64::max);
        }
        out[4] = energy;
        let density = self.term.energy_density(&self.state);
        let total: f64 = density.iter().sum();
        out[5] = density.iter().map(|d| d / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    }
    fn disturbed(&mut self, t: f64, _: &[Vec<f64>], live: &Live) {
        self.half_time = 0.5 * live.end;
        if t > 0.0 {
            (self.is_pure, self.start) = (false, None);
        }
    }
    fn exact(&mut self, t: f64) -> Option<Vec<f64>> {
        self.is_pure.then(|| self.grid.xs().into_iter().map(|x| breather(self.params.frequency, x, t).0).collect())
    }
}
