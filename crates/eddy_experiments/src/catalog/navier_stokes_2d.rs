//! An incompressible fluid in the plane, by its vorticity $\omega$:
//!
//! $$\omega_t + \mathbf{u}\cdot\nabla\omega = \nu\,\nabla^2\omega - \mu\,\omega + f, \qquad \mathbf{u} = (\psi_y, -\psi_x),
//! \quad \nabla^2\psi = -\omega$$
//!
//! on a periodic square. In two dimensions a vortex cannot be stretched, so energy does not run to small eddies: it goes to
//! large ones. Vortices of one sign orbit each other and merge, those of opposite sign pair up and travel; enstrophy
//! $\tfrac12\langle\omega^2\rangle$ is drawn out into filaments and lost there, while the energy hardly falls.
//!
//! Method: Fourier, products freed of aliasing (2/3 rule), ETDRK4 in time. Viscosity is exact, so only the flow limits the
//! step. Start from the Taylor-Green vortices to check: their exact decay is known, and met to rounding. Paint to stir.

use std::any::Any;
use std::f64::consts::{PI, TAU};

use eddy_numerics::Complex;
use eddy_numerics::space::grid::Periodic;
use eddy_numerics::systems::navier_stokes::NavierStokes2;
use eddy_numerics::time::etdrk::SplitTerm;
use eddy_numerics::time::stability::{Limit, StabilityLimits};
use eddy_spec::{Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::labs::pde::{Live, Measure, PdeRun, Picture, Range, Setup, Shape, flow_backend, smallest_dt, uniforms};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Run};

choice! { pub enum Start {
    /// many vortices
    Vortices = "vortices",
    /// shear layers
    Shear = "shear",
    /// Taylor-Green
    TaylorGreen = "taylor-green",
    /// at rest
    Rest = "rest",
} }

choice! { pub enum Side {
    /// 64²
    Small = "64",
    /// 128²
    Medium = "128",
    /// 256²
    Large = "256",
} }

impl Side {
    fn points(self) -> usize {
        match self {
            Self::Small => 64,
            Self::Medium => 128,
            Self::Large => 256,
        }
    }
}

params! { pub struct Params {
    /// Viscosity.
    viscosity: f64 = 8e-4 => log(1e-4, 0.1).symbol("\\nu").live().group("equation"),
    /// Drag.
    drag: f64 = 0.0 => range(0.0, 1.0).symbol("\\mu").live().group("equation"),
    /// Force. Amplitude of a steady force along x that varies as a sine in y (Kolmogorov flow).
    force: f64 = 0.0 => range(0.0, 2.0).symbol("f").live().group("equation"),
    /// Wavenumber of the force.
    force_mode: u32 = 4 => steps(1, 16).live().group("equation"),
    /// Start.
    start: Start = Start::Vortices => choice().group("start"),
    /// Vortices.
    count: u32 = 40 => steps(2, 120).only_when("start", &["vortices"]).group("start"),
    /// Grid.
    grid: Side = Side::Medium => choice().group("method"),
    /// Length of a step.
    dt: f64 = 0.01 => log(1e-3, 1.0).symbol("\\Delta t").live().group("method"),
    /// End. The run stops at this time.
    end: f64 = 30.0 => range(1.0, 500.0).symbol("T").live().group("method"),
    /// Seed.
    seed: u32 = 3 => seed().group("start"),
} }

pub struct NavierStokes2d;

fn live(p: &Params) -> Live {
    Live { dt: p.dt, end: p.end, coefficients: vec![p.viscosity, p.drag, p.force, f64::from(p.force_mode)] }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    crate::own(params).map(live)
}

fn initial(p: &Params, shape: &Shape) -> Vec<f64> {
    let vortices: Vec<(f64, f64, f64, f64)> = (0..p.count)
        .map(|i| {
            let [x, y, s, r] = uniforms(p.seed, i);
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            (TAU * x, TAU * y, sign * (6.0 + 8.0 * s), 0.14 + 0.12 * r)
        })
        .collect();
    let near = |a: f64, b: f64| (a - b).abs().min(TAU - (a - b).abs());
    let mut vorticity = shape.sample(|x, y| match p.start {
        Start::Vortices => vortices
            .iter()
            .map(|(a, b, strength, r)| strength * (-(near(x, *a).powi(2) + near(y, *b).powi(2)) / (2.0 * r * r)).exp())
            .sum(),
        Start::Shear => {
            let layer = |at: f64, sign: f64| {
                let width = 0.12;
                let bend = 0.05 * (2.0 * x).sin() + 0.02 * (3.0 * x + 1.0).sin();
                sign * 1.0 / width / ((y - at - bend) / width).cosh().powi(2)
            };
            layer(0.5 * PI, 1.0) + layer(1.5 * PI, -1.0)
        }
        // u = cos x sin y, v = -sin x cos y
        Start::TaylorGreen => -2.0 * x.cos() * y.cos(),
        Start::Rest => 0.0,
    });
    // A periodic flow has no mean vorticity.
    let mean = vorticity.iter().sum::<f64>() / vorticity.len() as f64;
    for v in &mut vorticity {
        *v -= mean;
    }
    vorticity
}

impl Experiment for NavierStokes2d {
    type Params = Params;
    const TITLE: &'static str = "Navier-Stokes: vortices merge";
    const SUMMARY: &'static str = "Vortices orbit, merge and shed filaments; energy goes to the large ones.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "energy",
            Axis::linear("energy", "\\tfrac12\\langle|\\mathbf u|^2\\rangle"),
            Better::Neither,
            "Mean kinetic energy.",
        ),
        Metric::new(
            "enstrophy",
            Axis::linear("enstrophy", "\\tfrac12\\langle\\omega^2\\rangle"),
            Better::Neither,
            "Half the mean square vorticity.",
        ),
        Metric::new("top", Axis::linear("largest vorticity", "\\max|\\omega|"), Better::Neither, "Largest magnitude."),
        Metric::new(
            "error",
            Axis::log("error against Taylor-Green", "\\max|\\omega - \\omega_{exact}|"),
            Better::Lower,
            "Largest difference from the exact decay, while the start is Taylor-Green, unforced and untouched.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[ViewSpec::field(
        "vorticity",
        "vorticity",
        Axis::linear("position", "x"),
        Axis::linear("position", "y"),
        Axis::linear("vorticity", "\\omega"),
        ColorMap::Diverging,
    )];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "ten times the viscosity", change: "viscosity=8e-3" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let n = p.grid.points();
        let side = Periodic::new(n, TAU);
        let shape = Shape::square(n, TAU, true);
        let live = live(p);
        let fields = vec![initial(p, &shape)];
        let backend = flow_backend(context, side, &live, &fields)?;
        let diagnose = move |live: &Live, fields: &[Vec<f64>]| {
            let mut term = NavierStokes2::<f64>::new(side, side, live.coefficients[0], live.coefficients[1]);
            let mut hat = vec![Complex::default(); term.modes()];
            term.transform(&fields[0], &mut hat);
            // Advection at the largest kept wavenumber n/3, inside RK4's imaginary interval.
            let limit = 2.83 / (term.max_speed(&hat) * side.fundamental() * n as f64 / 3.0);
            StabilityLimits::default().with(Limit::Advective, limit).diagnose(live.dt)
        };
        let term = NavierStokes2::new(side, side, 0.0, 0.0);
        let is_decay = p.start == Start::TaylorGreen && p.force == 0.0;
        let measure = FlowMeasure {
            hat: vec![Complex::default(); term.modes()],
            term,
            exact: is_decay.then(|| (fields[0].clone(), 2.0 * p.viscosity + p.drag)),
            rows: 0,
        };
        Ok(Box::new(PdeRun::new(Setup {
            shape,
            backend,
            initial: fields,
            live,
            smallest_dt: smallest_dt::<Params>(),
            metrics: Self::METRICS,
            measure: Box::new(measure),
            record_every: 4,
            pictures: vec![("vorticity", Picture::Plane(0), Range::Symmetric)],
            brush: (0, 4.0),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

struct FlowMeasure {
    term: NavierStokes2<f64>,
    hat: Vec<Complex<f64>>,
    /// Start and decay rate of the exact solution.
    exact: Option<(Vec<f64>, f64)>,
    rows: u64,
}

impl Measure for FlowMeasure {
    fn measure(&mut self, t: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        self.term.transform(&fields[0], &mut self.hat);
        let integrals = self.term.integrals(&self.hat);
        out[0] = integrals.energy;
        out[1] = integrals.enstrophy;
        out[2] = fields[0].iter().fold(0.0, |m, v| m.max(v.abs()));
        out[3] = self.exact.as_ref().map_or(f64::NAN, |(start, rate)| {
            let factor = (-rate * t).exp();
            fields[0].iter().zip(start).map(|(a, b)| (a - factor * b).abs()).fold(0.0, f64::max)
        });
        self.rows += 1;
    }
    fn disturbed(&mut self, _: f64, _: &[Vec<f64>], _: &Live) {
        // Called once before the first row; any later call means another problem.
        if self.rows > 0 {
            self.exact = None;
        }
    }
}
