//@ feature: equations
//! Type a system of differential equations and watch it run. A line gives the rate of change of a field:
//!
//! ```text
//! D = 0.05 in [0.001, 1]
//! u_t = D*lap(u)
//! ```
//!
//! Names that nothing defines are parameters if you give them a value, as `D` above; the range in brackets makes the slider.
//! `u_tt = …` is an equation of second order in time, `lap(psi) = -w` one that holds at every moment, `w = dx(v) - dy(u)` a
//! name for an expression. Derivatives are `dx`, `dy`, `dxx`, `lap`, `grad`, `div`, `curl`; there are the usual functions,
//! `integral`, `mean` and `noise`.
//!
//! The solver reads your equations, not a list of known ones: it separates the linear part from the rest, finds what limits
//! the steps, and picks a method for it. The box beside the picture says which one and why.
//!
//! Parameters named as coordinates, `x1` and `y1` say, are places to be dragged over the picture, and so is the probe. A field
//! that stands still, `wall_t = 0`, is a shape to be drawn with the brush.
//!
//! The same problem runs on the command line with the same numbers: take its file from the export and call `eddy solve`.

use eddy_solve::{Simulation, Statement, evaluate::Scalar};
use eddy_spec::{Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::labs::typed::{Shown, Texts, TypedRun, gpu::Scheme};
use crate::{Baseline, Context, Device, DeviceKind, Experiment, Lab, Precision, Run};

choice! { pub enum Space {
    /// chosen for you
    Auto = "auto",
    /// Fourier
    Fourier = "fourier",
    /// differences of order 2
    Fd2 = "fd2",
    /// differences of order 4
    Fd4 = "fd4",
    /// differences of order 6
    Fd6 = "fd6",
    /// differences of order 8
    Fd8 = "fd8",
    /// Chebyshev points
    Chebyshev = "chebyshev",
} }

choice! { pub enum Dealias {
    /// chosen for you
    Auto = "auto",
    /// finer grid for products
    Pad = "pad",
    /// short waves given up
    Truncate = "truncate",
    None = "none",
} }

params! { pub struct Params {
    /// Preset. It stands in for what is left empty below, as long as there are no equations of your own.
    preset: String = "gray-scott-mitosis".into() => expression(80).group("problem"),
    /// Equations.
    equations: String = String::new() => expression(4000).group("problem"),
    /// Domain along x. From, to and points: 0 .. 2*pi, 128. None for ordinary differential equations.
    x: String = String::new() => expression(80).group("domain"),
    /// Domain along y.
    y: String = String::new() => expression(80).group("domain"),
    /// Domain along z.
    z: String = String::new() => expression(80).group("domain"),
    /// Conditions at the sides. Lines such as u = dirichlet: 0; periodic where empty.
    boundary: String = String::new() => expression(800).group("domain"),
    /// Initial values. Lines such as u = sin(x).
    initial: String = String::new() => expression(2000).group("problem"),
    /// Parameters. Values that replace those in the equations: F = 0.037; k = 0.06.
    parameters: String = String::new() => expression(800).live().group("problem"),
    /// Exact solution. Lines such as u = exp(-t)*sin(x), where one is known.
    exact: String = String::new() => expression(2000).group("problem"),
    /// End. The run stops at this time.
    end: String = String::new() => expression(60).symbol("T").group("time"),
    /// Time between saved states. One hundredth of the whole where empty.
    every: String = String::new() => expression(40).group("time"),
    /// Length of a step. Chosen where empty.
    dt: String = String::new() => expression(40).symbol("\\Delta t").group("method"),
    /// Error of a step. Relative; chosen where empty.
    tolerance: String = String::new() => expression(40).group("method"),
    /// Method in space.
    space: Space = Space::Auto => choice().group("method"),
    /// Method in time. One of the names that eddy solve knows, such as etdrk4, dopri5 or rodas.
    time: String = "auto".into() => expression(24).group("method"),
    /// Products of waves. What is done about wavenumbers that the grid cannot hold.
    dealias: Dealias = Dealias::Auto => choice().group("method"),
    /// Field shown. Its name; re or im before it for a part of a complex one.
    shown: String = String::new() => expression(40).live().group("view"),
    /// Probe. The point whose values are plotted against time: 3.1, 2. The middle where empty.
    probe: String = String::new() => expression(40).live().group("view"),
    /// Brush on. The field that the brush paints: the one shown where empty. Another one is seen by its outline, where it is 1/2.
    brush: String = String::new() => expression(40).live().group("view"),
    /// Seed of random initial values and noise.
    seed: u32 = 1 => seed().group("problem"),
} }

impl Params {
    /// The texts of the form, as given.
    pub fn texts(&self) -> Texts {
        Texts {
            preset: self.preset.clone(),
            equations: self.equations.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
            z: self.z.clone(),
            boundary: self.boundary.clone(),
            initial: self.initial.clone(),
            parameters: self.parameters.clone(),
            exact: self.exact.clone(),
            end: self.end.clone(),
            every: self.every.clone(),
            dt: self.dt.clone(),
            tolerance: self.tolerance.clone(),
            space: self.space.key().to_owned(),
            time: self.time.clone(),
            dealias: self.dealias.key().to_owned(),
            seed: self.seed,
            fields: Vec::new(),
            ..Texts::default()
        }
    }

    /// What is looked at; without a choice the field that the preset names.
    fn shown(&self) -> Shown {
        let about = if self.equations.trim().is_empty() { self.texts().about() } else { Default::default() };
        let or_preset = |own: &str, name: &str| match own.trim() {
            "" => about[name].as_str().unwrap_or_default().to_owned(),
            own => own.to_owned(),
        };
        Shown {
            field: or_preset(&self.shown, "field"),
            probe: self.probe.clone(),
            brush: or_preset(&self.brush, "brush"),
        }
    }
}

/// What the run needs of live parameters.
fn live(params: &dyn std::any::Any) -> Result<(Texts, Shown), EddyError> {
    crate::own::<Params>(params).map(|p| (p.texts(), p.shown()))
}

pub struct EquationLab;

const X: Axis = Axis::linear("position", "x");
const Y: Axis = Axis::linear("position", "y");
const T: Axis = Axis::linear("time", "t");
const U: Axis = Axis::linear("value", "u");
const GAP: Axis = Axis::linear("difference", "u - u_{exact}");

impl Experiment for EquationLab {
    type Params = Params;
    const TITLE: &'static str = "Type an equation";
    const SUMMARY: &'static str =
        "Your own system of differential equations: checked as you type, solved by a method chosen for it.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = T;
    const METRICS: &'static [Metric] = &[
        Metric::new("mean", Axis::linear("mean", "\\bar u"), Better::Neither, "Mean of the field shown."),
        Metric::new(
            "min",
            Axis::linear("smallest value", "\\min u"),
            Better::Neither,
            "Smallest value of the field shown.",
        ),
        Metric::new(
            "max",
            Axis::linear("largest value", "\\max u"),
            Better::Neither,
            "Largest value of the field shown.",
        ),
        Metric::new(
            "drift",
            Axis::log("change of the integral", "\\left|\\Delta\\int u\\right|"),
            Better::Lower,
            "Change of the integral of the field shown since the start, over the integral of its magnitude: rounding where the \
             equations conserve it.",
        ),
        Metric::new(
            "error",
            Axis::log("error against the exact solution", "\\max|u - u_{exact}|/\\max|u_{exact}|"),
            Better::Lower,
            "Largest difference from the exact solution of any field that has one, over its largest value.",
        ),
        Metric::new("dt", Axis::log("length of a step", "\\Delta t"), Better::Neither, "Length of the last step."),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field("field", "plane", X, Y, U, ColorMap::Viridis),
        ViewSpec::volume("volume", "volume", [X, Y, Axis::linear("position", "z")], U, ColorMap::Viridis),
        ViewSpec::lines("lines", "curves", X, U),
        ViewSpec::field("spacetime", "space and time", X, T, U, ColorMap::Viridis),
        ViewSpec::points("contours", "contours", X, Y, U, ColorMap::Viridis),
        ViewSpec::points("arrows", "arrows", X, Y, U, ColorMap::Viridis),
        ViewSpec::lines("difference", "difference to the exact solution", X, GAP),
        ViewSpec::field("difference-plane", "difference to the exact solution", X, Y, GAP, ColorMap::Diverging),
        ViewSpec::lines("phase", "phase portrait", Axis::linear("first field", "u"), Axis::linear("second field", "v")),
        ViewSpec::curves("probe", "values at the probe", T, U),
        ViewSpec::curves(
            "frequencies",
            "frequencies at the probe",
            Axis::log("frequency", "f"),
            Axis::log("amplitude", "A"),
        ),
        ViewSpec::curves("spectrum", "spectrum", Axis::log("wavenumber", "|k|"), Axis::log("magnitude", "|\\hat u|")),
    ];
    const BASELINE: Option<Baseline> = None;
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let is_single = context.precision == Precision::F32;
        let (texts, statement) = p.texts().statement(is_single)?;
        // What the GPU does not do runs on the CPU; the form says why.
        if let (Device::Gpu(gpu), Ok(scheme)) = (&context.device, Scheme::of(&statement)) {
            let run = TypedRun::on_gpu(gpu, scheme, p.texts(), p.shown(), live, EquationLab::METRICS)?;
            return Ok(Box::new(run));
        }
        fn begin<R: Scalar>(
            statement: Statement,
            texts: Texts,
            shown: Shown,
        ) -> Result<Box<dyn Run>, eddy_solve::SolveError> {
            let simulation = Simulation::<R>::new(statement)?;
            Ok(Box::new(TypedRun::new(simulation, texts, shown, live, EquationLab::METRICS)))
        }
        if is_single {
            begin::<f32>(statement, p.texts(), p.shown()).map_err(|e| texts.refusal(&e))
        } else {
            begin::<f64>(statement, p.texts(), p.shown()).map_err(|e| texts.refusal(&e))
        }
    }
}
