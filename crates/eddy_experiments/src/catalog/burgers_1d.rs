//! The simplest fight of steepening against smoothing:
//!
//! $$u_t + u\,u_x = \nu\,u_{xx}$$
//!
//! Where $u$ is large it moves fast and catches up with what is ahead, so the front becomes steep, until viscosity $\nu$
//! smooths as fast as the front sharpens. For the start $u = -\sin \pi x$ on $[-1, 1]$ and $\nu = 0.01/\pi$ the slope at 0
//! reaches 152.005 at $t = 0.5105$ (Basdevant et al. 1986), over a layer about $\nu$ wide: that is why this is the classical
//! test. The linearising substitution of Cole and Hopf gives the exact solution, shown dashed.
//!
//! What to look for: halve the points. The wiggles that appear (Gibbs) are waves that the layer needs and the grid has not.

use std::any::Any;
use std::f64::consts::PI;

use eddy_numerics::Complex;
use eddy_numerics::space::fft::RealFft;
use eddy_numerics::space::grid::Periodic;
use eddy_numerics::time::stability::{Limit, StabilityLimits};
use eddy_spec::{Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::labs::pde::{
    LineEquation, Live, Measure, PdeRun, Picture, Range, Setup, Shape, line_backend, smallest_dt, uniforms,
};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Run};

choice! { pub enum Start {
    /// −sin πx
    Sine = "sine",
    /// two humps
    Humps = "humps",
    /// random waves
    Random = "random",
} }

params! { pub struct Params {
    /// Viscosity.
    viscosity: f64 = 0.01 / PI => log(1e-3, 1.0).symbol("\\nu").live().group("equation"),
    /// Start.
    start: Start = Start::Sine => choice().group("start"),
    /// Points. A power of two runs on the GPU as well.
    points: u32 = 1024 => steps(32, 2048).symbol("N").group("method"),
    /// Length of a step.
    dt: f64 = 1e-3 => log(1e-4, 0.1).symbol("\\Delta t").live().group("method"),
    /// End. The run stops at this time.
    end: f64 = 2.0 => range(0.2, 20.0).symbol("T").live().group("method"),
    /// Seed.
    seed: u32 = 1 => seed().group("start"),
} }

pub struct Burgers1d;

fn live(p: &Params) -> Live {
    Live { dt: p.dt, end: p.end, coefficients: vec![p.viscosity] }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    crate::own(params).map(live)
}

fn initial(p: &Params, grid: Periodic) -> Vec<f64> {
    let waves: Vec<(f64, f64, f64)> = (1..=6)
        .map(|k| {
            let [a, b, ..] = uniforms(p.seed, k);
            (f64::from(k), (2.0 * a - 1.0) / f64::from(k), 2.0 * PI * b)
        })
        .collect();
    let hump = |x: f64, at: f64, width: f64| (-((x - at) / width).powi(2)).exp();
    grid.xs()
        .into_iter()
        .map(|x| match p.start {
            Start::Sine => -(PI * x).sin(),
            Start::Humps => hump(x, -0.6, 0.18) + 0.5 * hump(x, 0.1, 0.15),
            Start::Random => waves.iter().map(|(k, a, phase)| a * (k * PI * x + phase).sin()).sum(),
        })
        .collect()
}

impl Experiment for Burgers1d {
    type Params = Params;
    const TITLE: &'static str = "Burgers: a front steepens";
    const SUMMARY: &'static str = "A sine wave steepens into a front 152 times as steep as it is wide.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "slope",
            Axis::linear("steepest slope", "\\max|u_x|"),
            Better::Neither,
            "Largest magnitude of the spectral derivative.",
        ),
        Metric::new(
            "energy",
            Axis::linear("energy", "\\tfrac12\\int u^2"),
            Better::Neither,
            "Half the integral of the square.",
        ),
        Metric::new(
            "top",
            Axis::linear("largest value", "\\max u"),
            Better::Neither,
            "Largest value; it may only fall.",
        ),
        Metric::new(
            "error",
            Axis::log("error against Cole-Hopf", "\\max|u - u_{exact}|"),
            Better::Lower,
            "Largest difference from the exact solution at 33 points, while the start is the sine and untouched.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("u", "velocity", Axis::linear("position", "x"), Axis::linear("velocity", "u")),
        ViewSpec::field(
            "history",
            "history",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("velocity", "u"),
            ColorMap::Diverging,
        ),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "128 points", change: "points=128" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let grid = Periodic::centred(p.points as usize, 2.0);
        let live = live(p);
        let fields = vec![initial(p, grid)];
        let backend = line_backend(context, LineEquation::Burgers, grid, &live, &fields)?;
        let dx = grid.spacing();
        let diagnose = move |live: &Live, fields: &[Vec<f64>]| {
            // Advection at the largest kept wavenumber 2π/(3 dx), inside RK4's imaginary interval.
            let speed = fields[0].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            StabilityLimits::default().with(Limit::Advective, 2.83 * 3.0 * dx / (2.0 * PI * speed)).diagnose(live.dt)
        };
        Ok(Box::new(PdeRun::new(Setup {
            shape: Shape::line(grid),
            backend,
            initial: fields,
            live,
            smallest_dt: smallest_dt::<Params>(),
            metrics: Self::METRICS,
            measure: Box::new(BurgersMeasure::new(grid, p)),
            record_every: 2,
            pictures: vec![
                ("u", Picture::Lines(vec![(0, "velocity")]), Range::Symmetric),
                ("history", Picture::SpaceTime(p.end.min(5.0)), Range::Symmetric),
            ],
            brush: (0, 0.5),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

/// u(x, t) from u0 = -sin πx by the quotient of Gaussian integrals of Cole and Hopf, summed by the trapezoidal rule (which
/// converges exponentially here).
fn cole_hopf(x: f64, t: f64, viscosity: f64) -> f64 {
    if t <= 0.0 {
        return -(PI * x).sin();
    }
    let width = (4.0 * viscosity * t).sqrt();
    let f = |y: f64| (-((PI * y).cos() + 1.0) / (2.0 * PI * viscosity)).exp();
    let (mut above, mut below) = (0.0, 0.0);
    // The integrand lies where fluid came from, at most t·max|u| away, and is as sharp as f or the Gaussian.
    let reach = t + 7.0 * width;
    let sharpness = width.min((4.0 * viscosity / PI).sqrt());
    let count = ((8.0 * reach / sharpness) as usize).clamp(200, 4000);
    for i in 0..=2 * count {
        let eta = reach * (i as f64 / count as f64 - 1.0);
        let weight = (-(eta / width).powi(2)).exp() * f(x - eta);
        above -= (PI * (x - eta)).sin() * weight;
        below += weight;
    }
    above / below
}

struct BurgersMeasure {
    grid: Periodic,
    fft: RealFft<f64>,
    hat: Vec<Complex<f64>>,
    slope: Vec<f64>,
    viscosity: f64,
    /// Whether the run is still the one that the closed form describes.
    is_pure: bool,
    rows: u64,
    last_error: f64,
}

impl BurgersMeasure {
    fn new(grid: Periodic, p: &Params) -> Self {
        let fft = RealFft::new(grid.points);
        Self {
            grid,
            hat: vec![Complex::default(); fft.modes()],
            fft,
            slope: vec![0.0; grid.points],
            viscosity: p.viscosity,
            is_pure: p.start == Start::Sine,
            rows: 0,
            last_error: f64::NAN,
        }
    }
}

impl Measure for BurgersMeasure {
    fn measure(&mut self, t: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        let u = &fields[0];
        self.fft.forward(u, &mut self.hat);
        for (h, k) in self.hat.iter_mut().zip(self.grid.derivative_half()) {
            *h *= Complex::new(0.0, k);
        }
        self.fft.inverse(&self.hat, &mut self.slope);
        out[0] = self.slope.iter().fold(0.0, |m, v| m.max(v.abs()));
        out[1] = 0.5 * u.iter().map(|v| v * v).sum::<f64>() * self.grid.spacing();
        out[2] = u.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // The closed form costs more than many steps: every eighth row.
        if !self.is_pure {
            self.last_error = f64::NAN;
        } else if self.rows.is_multiple_of(8) {
            let n = u.len();
            self.last_error = (0..=32)
                .map(|i| (i * n / 33).min(n - 1))
                .map(|i| (u[i] - cole_hopf(self.grid.x(i), t, self.viscosity)).abs())
                .fold(0.0, f64::max);
        }
        self.rows += 1;
        out[3] = self.last_error;
    }
    fn disturbed(&mut self, _: f64, _: &[Vec<f64>], _: &Live) {
        // Called once before the first row; any later call means another problem.
        self.is_pure &= self.rows == 0;
    }
    fn exact(&mut self, t: f64) -> Option<Vec<f64>> {
        self.is_pure.then(|| self.grid.xs().into_iter().map(|x| cole_hopf(x, t, self.viscosity)).collect())
    }
}
