//! A square drum:
//!
//! $$u_{tt} = c^2\,\nabla^2 u - \gamma\,u_t$$
//!
//! Strike it (paint on it) and watch rings run out, bounce off the rim and cross each other. A clamped rim turns a crest into a
//! trough, a free one sends it back upright, joined sides let it in again from the other side.
//!
//! The leapfrog (Störmer-Verlet) step keeps the energy within a narrow band for ever: it is the exact motion of a drum that
//! differs a little from this one. It bears steps up to $c\,\Delta t/\Delta x = 1/\sqrt2$. On the grid short waves are slow:
//! $\sin\frac{\omega\Delta t}{2} = \frac{c\,\Delta t}{\Delta x}\sqrt{\sin^2\frac{k_x\Delta x}{2} + \sin^2\frac{k_y\Delta x}{2}}$.
//! That is the train of ripples behind a sharp ring.

use std::any::Any;
use std::f64::consts::PI;

use eddy_numerics::space::stencil::{Edge, StencilOrder};
use eddy_numerics::systems::wave::WavePlane;
use eddy_numerics::time::runge_kutta::RK4;
use eddy_spec::{Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::labs::pde::{Live, Measure, PdeRun, Picture, Range, Setup, Shape, smallest_dt, wave_axis, wave_backend};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Run};

choice! { pub enum Rim {
    /// clamped
    Clamped = "clamped",
    /// free
    Free = "free",
    /// joined sides
    Joined = "joined",
} }

choice! { pub enum Start {
    /// two drops
    Drops = "drops",
    /// one mode
    Mode = "mode",
    /// at rest
    Rest = "rest",
} }

choice! { pub enum Method {
    /// Störmer-Verlet (leapfrog)
    Verlet = "verlet",
    /// Runge-Kutta 4
    Rk4 = "rk4",
} }

params! { pub struct Params {
    /// Speed of waves.
    speed: f64 = 1.0 => range(0.1, 2.0).symbol("c").live().group("equation"),
    /// Damping. Takes effect with Runge-Kutta only.
    damping: f64 = 0.0 => range(0.0, 5.0).symbol("\\gamma").live().only_when("method", &["rk4"]).group("equation"),
    /// Rim.
    rim: Rim = Rim::Clamped => choice().group("equation"),
    /// Start.
    start: Start = Start::Drops => choice().group("start"),
    /// Mode number.
    mode: u32 = 2 => steps(1, 8).only_when("start", &["mode"]).group("start"),
    /// Points along a side.
    points: u32 = 160 => steps(32, 384).symbol("N").group("method"),
    /// Method.
    method: Method = Method::Verlet => choice().group("method"),
    /// Length of a step.
    dt: f64 = 2.5e-3 => log(2e-4, 0.05).symbol("\\Delta t").live().group("method"),
    /// End. The run stops at this time.
    end: f64 = 8.0 => range(0.5, 100.0).symbol("T").live().group("method"),
} }

pub struct Wave2d;

fn live(p: &Params) -> Live {
    let damping = if p.method == Method::Rk4 { p.damping } else { 0.0 };
    Live { dt: p.dt, end: p.end, coefficients: vec![p.speed, damping] }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    crate::own(params).map(live)
}

/// The standing shape of a mode, 1 at its crests.
fn mode_shape(rim: Rim, mode: u32, x: f64, y: f64) -> f64 {
    let m = f64::from(mode);
    match rim {
        Rim::Clamped => (m * PI * x).sin() * (m * PI * y).sin(),
        Rim::Free => (m * PI * x).cos() * (m * PI * y).cos(),
        Rim::Joined => (2.0 * m * PI * x).cos() * (2.0 * m * PI * y).cos(),
    }
}

impl Experiment for Wave2d {
    type Params = Params;
    const TITLE: &'static str = "Waves on a drum";
    const SUMMARY: &'static str = "Rings run out, bounce and cross; the leapfrog keeps their energy.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "drift",
            Axis::log("change of energy", "|E/E_0 - 1|"),
            Better::Lower,
            "Relative change of the energy since the start or the last stroke.",
        ),
        Metric::new(
            "energy",
            Axis::linear("energy", "E"),
            Better::Neither,
            "½∫(u_t² + c²|∇u|²), with the grid's gradient.",
        ),
        Metric::new("amplitude", Axis::linear("largest magnitude", "\\max|u|"), Better::Neither, "Largest magnitude."),
        Metric::new(
            "error",
            Axis::log("error against the exact mode", "\\max|u - u_{exact}|"),
            Better::Lower,
            "Largest difference from cos ωt times the mode, while the start is a mode and untouched.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[ViewSpec::field(
        "u",
        "height",
        Axis::linear("position", "x"),
        Axis::linear("position", "y"),
        Axis::linear("height", "u"),
        ColorMap::Diverging,
    )];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "Runge-Kutta 4", change: "method=rk4" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let n = p.points as usize;
        let edge = match p.rim {
            Rim::Clamped => Edge::Dirichlet(0.0),
            Rim::Free => Edge::Neumann(0.0),
            Rim::Joined => Edge::Periodic,
        };
        let shape = Shape::square(n, 1.0, p.rim == Rim::Joined);
        let drop = |x: f64, y: f64, at: (f64, f64)| {
            let r2 = (x - at.0).powi(2) + (y - at.1).powi(2);
            (-r2 / (2.0 * 0.028 * 0.028)).exp()
        };
        let (start, rim, mode) = (p.start, p.rim, p.mode);
        let mut height = shape.sample(|x, y| match start {
            Start::Drops => drop(x, y, (0.32, 0.6)) + 0.8 * drop(x, y, (0.7, 0.35)),
            Start::Mode => mode_shape(rim, mode, x, y),
            Start::Rest => 0.0,
        });
        if rim == Rim::Clamped {
            for (i, v) in height.iter_mut().enumerate() {
                if i % n == 0 || i % n == n - 1 || i / n == 0 || i / n == n - 1 {
                    *v = 0.0;
                }
            }
        }
        let fields = vec![height, vec![0.0; n * n]];
        let live = live(p);
        let symplectic = p.method == Method::Verlet;
        let backend = wave_backend(context, n, 1.0, edge, symplectic, &live, &fields)?;
        let axis = wave_axis(n, 1.0, edge);
        let interval = if symplectic { 2.0 } else { RK4.imaginary_interval };
        let diagnose = move |live: &Live, _: &[Vec<f64>]| {
            WavePlane::<f64>::new(axis, axis, StencilOrder::Two, live.coefficients[0], 0.0)
                .limits(interval)
                .diagnose(live.dt)
        };
        let measure = WaveMeasure {
            term: WavePlane::new(axis, axis, StencilOrder::Two, p.speed, 0.0),
            state: vec![0.0; 2 * n * n],
            reference_energy: f64::NAN,
            mode: (p.start == Start::Mode).then(|| {
                let k = f64::from(p.mode) * PI * if rim == Rim::Joined { 2.0 } else { 1.0 };
                (shape.sample(|x, y| mode_shape(rim, mode, x, y)), p.speed * k * 2.0_f64.sqrt())
            }),
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
            pictures: vec![("u", Picture::Plane(0), Range::Symmetric)],
            brush: (0, 0.5),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

struct WaveMeasure {
    term: WavePlane<f64>,
    state: Vec<f64>,
    reference_energy: f64,
    /// Shape and frequency of the exact mode.
    mode: Option<(Vec<f64>, f64)>,
}

impl WaveMeasure {
    fn energy(&mut self, fields: &[Vec<f64>]) -> f64 {
        let n = fields[0].len();
        self.state[..n].copy_from_slice(&fields[0]);
        self.state[n..].copy_from_slice(&fields[1]);
        self.term.energy(&self.state)
    }
}

impl Measure for WaveMeasure {
    fn measure(&mut self, t: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        let energy = self.energy(fields);
        out[0] = if self.reference_energy > 0.0 { (energy / self.reference_energy - 1.0).abs() } else { 0.0 };
        out[1] = energy;
        out[2] = fields[0].iter().fold(0.0, |m, v| m.max(v.abs()));
        out[3] = self.mode.as_ref().map_or(f64::NAN, |(shape, omega)| {
            let factor = (omega * t).cos();
            fields[0].iter().zip(shape).map(|(u, s)| (u - factor * s).abs()).fold(0.0, f64::max)
        });
    }
    fn disturbed(&mut self, t: f64, fields: &[Vec<f64>], live: &Live) {
        self.term.speed = live.coefficients[0];
        self.reference_energy = self.energy(fields);
        if t > 0.0 {
            self.mode = None;
        }
    }
}
