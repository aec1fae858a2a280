//! Heat spreads from hot to cold:
//!
//! $$u_t = D\,u_{xx}$$
//!
//! on a ring of length $2\pi$. In Fourier space every wave $e^{ikx}$ fades on its own, as $e^{-Dk^2t}$: short waves at once,
//! long ones slowly. That is why a sharp edge is gone after a moment while the broad shape stays.
//!
//! The exponential method (ETDRK4) uses just that and is exact at any step. Finite differences are not: they have a rate of
//! their own, $\frac{4D}{\Delta x^2}\sin^2\frac{k\Delta x}{2}$, a little too slow. And the explicit ones bear only steps up to
//! a multiple of $\Delta x^2/D$. Take the step length to its end and see what happens beyond.
//!
//! Paint on the curve: the dashed exact solution starts again from what you drew.

use std::any::Any;

use eddy_numerics::Complex;
use eddy_numerics::space::fft::RealFft;
use eddy_numerics::space::grid::Periodic;
use eddy_numerics::space::stencil::{Axis as GridAxis, Stencil1, StencilOrder};
use eddy_numerics::systems::heat::HeatLine;
use eddy_numerics::time::crank_nicolson::CrankNicolson;
use eddy_numerics::time::runge_kutta::{EULER, RK4, RungeKutta};
use eddy_numerics::time::stability::{Limit, StabilityLimits};
use eddy_numerics::{Real, max_magnitude};
use eddy_spec::{Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::labs::pde::{
    Backend, CpuBackend, LineEquation, Live, Measure, PdeRun, Picture, Range, Setup, Shape, Solver, StencilSolver,
    line_backend, smallest_dt, uniforms,
};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Precision, Run};

choice! { pub enum Scheme {
    /// exponential, Fourier (ETDRK4)
    Etdrk4 = "etdrk4",
    /// explicit Euler, 3 points
    Euler = "euler",
    /// Runge-Kutta 4, 3 points
    Rk4 = "rk4",
    /// Runge-Kutta 4, 5 points
    Rk4Fourth = "rk4-fd4",
    /// Crank-Nicolson, 3 points
    CrankNicolson = "crank-nicolson",
} }

choice! { pub enum Start {
    /// two hot blocks
    Blocks = "blocks",
    /// one wave
    Sine = "sine",
    /// random waves
    Random = "random",
} }

params! { pub struct Params {
    /// Diffusivity.
    diffusivity: f64 = 0.1 => log(1e-3, 1.0).symbol("D").live().group("equation"),
    /// Start.
    start: Start = Start::Blocks => choice().group("start"),
    /// Wavenumber. Waves around the ring.
    wavenumber: u32 = 3 => steps(1, 10).symbol("k").only_when("start", &["sine"]).group("start"),
    /// Scheme. The exponential one runs on the GPU where that is chosen, the others on the CPU.
    scheme: Scheme = Scheme::Etdrk4 => choice().group("method"),
    /// Points.
    points: u32 = 128 => steps(16, 512).symbol("N").group("method"),
    /// Length of a step.
    dt: f64 = 0.01 => log(1e-4, 1.0).symbol("\\Delta t").live().group("method"),
    /// End. The run stops at this time.
    end: f64 = 10.0 => range(0.5, 100.0).symbol("T").live().group("method"),
    /// Seed.
    seed: u32 = 1 => seed().group("start"),
} }

pub struct Heat1d;

const LENGTH: f64 = std::f64::consts::TAU;

fn live(p: &Params) -> Live {
    Live { dt: p.dt, end: p.end, coefficients: vec![p.diffusivity] }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    crate::own(params).map(live)
}

fn initial(p: &Params, grid: Periodic) -> Vec<f64> {
    let waves: Vec<(f64, f64, f64)> = (1..=12)
        .map(|k| {
            let [a, b, ..] = uniforms(p.seed, k);
            (f64::from(k), (2.0 * a - 1.0) / f64::from(k).sqrt(), LENGTH * b)
        })
        .collect();
    grid.xs()
        .into_iter()
        .map(|x| match p.start {
            Start::Blocks => {
                let inside = |a: f64, b: f64| if x >= a && x < b { 1.0 } else { 0.0 };
                inside(0.8, 2.4) + 0.6 * inside(3.6, 4.2) - 0.5 * inside(4.8, 5.6)
            }
            Start::Sine => (f64::from(p.wavenumber) * x).sin(),
            Start::Random => 0.6 * waves.iter().map(|(k, a, phase)| a * (k * x + phase).sin()).sum::<f64>(),
        })
        .collect()
}

impl Experiment for Heat1d {
    type Params = Params;
    const TITLE: &'static str = "Heat on a ring";
    const SUMMARY: &'static str = "Sharp edges melt at once, long waves linger; explicit steps may be only so long.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "error",
            Axis::log("error against the exact solution", "\\max|u - u_{exact}|"),
            Better::Lower,
            "Largest difference from the exact solution of the same start.",
        ),
        Metric::new("amplitude", Axis::linear("largest magnitude", "\\max|u|"), Better::Neither, "Largest magnitude."),
        Metric::new(
            "mean",
            Axis::linear("mean temperature", "\\bar u"),
            Better::Neither,
            "Mean value; the exact one stays.",
        ),
        Metric::new("energy", Axis::linear("energy", "\\int u^2"), Better::Neither, "Integral of the square."),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("u", "temperature", Axis::linear("position", "x"), Axis::linear("temperature", "u")),
        ViewSpec::field(
            "history",
            "history",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("temperature", "u"),
            ColorMap::Diverging,
        ),
    ];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "Crank-Nicolson, 3 points", change: "scheme=crank-nicolson" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let grid = Periodic::new(p.points as usize, LENGTH);
        let live = live(p);
        let fields = vec![initial(p, grid)];
        let backend = match p.scheme {
            Scheme::Etdrk4 => line_backend(context, LineEquation::Heat, grid, &live, &fields)?,
            _ => match context.precision {
                Precision::F64 => by_differences::<f64>(p.scheme, grid, &live, &fields),
                Precision::F32 => by_differences::<f32>(p.scheme, grid, &live, &fields),
            },
        };
        let (scheme, dx) = (p.scheme, grid.spacing());
        let diagnose = move |live: &Live, _: &[Vec<f64>]| {
            let (interval, order) = match scheme {
                Scheme::Euler => (EULER.real_interval, StencilOrder::Two),
                Scheme::Rk4Fourth => (RK4.real_interval, StencilOrder::Four),
                _ => (RK4.real_interval, StencilOrder::Two),
            };
            let radius = live.coefficients[0] * order.spectral_radius(dx);
            StabilityLimits::default().with(Limit::Diffusive, interval / radius).diagnose(live.dt)
        };
        let top = fields[0].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        Ok(Box::new(PdeRun::new(Setup {
            shape: Shape::line(grid),
            backend,
            initial: fields,
            live,
            smallest_dt: smallest_dt::<Params>(),
            metrics: Self::METRICS,
            measure: Box::new(HeatMeasure::new(grid)),
            record_every: 1,
            pictures: vec![
                ("u", Picture::Lines(vec![(0, "temperature")]), Range::Fit),
                ("history", Picture::SpaceTime(p.end.min(20.0)), Range::Fixed(-top, top)),
            ],
            brush: (0, 0.3),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

fn by_differences<R: Real>(scheme: Scheme, grid: Periodic, live: &Live, fields: &[Vec<f64>]) -> Box<dyn Backend> {
    let axis = GridAxis::periodic(grid.points, grid.length);
    let (n, shape) = (grid.points, Shape::line(grid));
    let order = if scheme == Scheme::Rk4Fourth { StencilOrder::Four } else { StencilOrder::Two };
    if scheme == Scheme::CrankNicolson {
        let solver = ImplicitHeat::<R>::new(axis, live);
        return Box::new(CpuBackend::new(solver, shape, fields, live, GROWTH));
    }
    let tableau = if scheme == Scheme::Euler { &EULER } else { &RK4 };
    let term = HeatLine::<R>::new(axis, order, live.coefficients[0]);
    let solver = StencilSolver::new(term, RungeKutta::new(tableau, n), n, live.dt);
    Box::new(CpuBackend::new(solver, shape, fields, live, GROWTH))
}

/// Heat only fades, so any growth is a blow-up.
const GROWTH: f64 = 3.0;

/// Crank-Nicolson as a solver of the lab.
struct ImplicitHeat<R: Real> {
    axis: GridAxis,
    stepper: CrankNicolson<R>,
    state: Vec<R>,
    kept: Vec<R>,
}

impl<R: Real> ImplicitHeat<R> {
    fn new(axis: GridAxis, live: &Live) -> Self {
        let state = vec![R::of(0.0); axis.points];
        Self { axis, stepper: Self::stepper(axis, live), kept: state.clone(), state }
    }
    fn stepper(axis: GridAxis, live: &Live) -> CrankNicolson<R> {
        let (matrix, source) = Stencil1::tridiagonal(&axis, live.coefficients[0]);
        CrankNicolson::new(matrix, source, live.dt)
    }
}

impl<R: Real> Solver for ImplicitHeat<R> {
    fn step(&mut self, _: f64) {
        self.stepper.step(&mut self.state);
    }
    fn magnitude(&self) -> f64 {
        max_magnitude(&self.state)
    }
    fn keep(&mut self) {
        self.kept.copy_from_slice(&self.state);
    }
    fn restore(&mut self) {
        self.state.copy_from_slice(&self.kept);
    }
    fn read(&mut self, fields: &mut [Vec<f64>]) {
        for (f, v) in fields[0].iter_mut().zip(&self.state) {
            *f = v.to_f64();
        }
    }
    fn write(&mut self, fields: &[Vec<f64>]) {
        for (v, f) in self.state.iter_mut().zip(&fields[0]) {
            *v = R::of(*f);
        }
    }
    fn set(&mut self, live: &Live) {
        self.stepper = Self::stepper(self.axis, live);
    }
}

/// Metrics, and the exact solution of the trigonometric interpolant of the last start.
struct HeatMeasure {
    grid: Periodic,
    fft: RealFft<f64>,
    reference: Vec<Complex<f64>>,
    work: Vec<Complex<f64>>,
    since: f64,
    diffusivity: f64,
    exact: Vec<f64>,
}

impl HeatMeasure {
    fn new(grid: Periodic) -> Self {
        let fft = RealFft::new(grid.points);
        let hat = vec![Complex::default(); fft.modes()];
        Self {
            grid,
            fft,
            work: hat.clone(),
            reference: hat,
            since: 0.0,
            diffusivity: 0.0,
            exact: vec![0.0; grid.points],
        }
    }

    fn solve(&mut self, t: f64) {
        let decay = self.diffusivity * (t - self.since);
        for ((w, r), k) in self.work.iter_mut().zip(&self.reference).zip(self.grid.wavenumbers_half()) {
            *w = *r * (-decay * k * k).exp();
        }
        self.fft.inverse(&self.work, &mut self.exact);
    }
}

impl Measure for HeatMeasure {
    fn measure(&mut self, t: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        self.solve(t);
        let u = &fields[0];
        let n = u.len() as f64;
        out[0] = u.iter().zip(&self.exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        out[1] = u.iter().map(|v| v.abs()).fold(0.0, f64::max);
        out[2] = u.iter().sum::<f64>() / n;
        out[3] = u.iter().map(|v| v * v).sum::<f64>() * self.grid.spacing();
    }
    fn disturbed(&mut self, t: f64, fields: &[Vec<f64>], live: &Live) {
        self.fft.forward(&fields[0], &mut self.reference);
        self.since = t;
        self.diffusivity = live.coefficients[0];
    }
    fn exact(&mut self, t: f64) -> Option<Vec<f64>> {
        self.solve(t);
        Some(self.exact.clone())
    }
}
