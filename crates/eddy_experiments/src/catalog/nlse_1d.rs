//! Envelopes of light in a fibre, of matter waves and of ocean swell obey
//!
//! $$i\,\psi_t = -\tfrac12\,\psi_{xx} - |\psi|^2\,\psi.$$
//!
//! Spreading and self-focusing balance in solitons $A\,\mathrm{sech}(A(x - vt))\,e^{i(vx + (A^2 - v^2)t/2)}$. Two of them pass
//! through each other and keep their shape; all that is left of the meeting is a shift, soliton 1 being ahead by
//! $\frac1{A_1}\ln\frac{(A_1 + A_2)^2 + (v_1 - v_2)^2}{(A_1 - A_2)^2 + (v_1 - v_2)^2}$ of where it would have been.
//!
//! The method of the paper: Fourier derivatives, a filter on the cubic term, and an explicit Runge-Kutta method of order 8
//! that chooses its own steps. Beside it: second-order differences in space with Runge-Kutta 4, on the same points, and the
//! split-step method. The dashed line is the exact solution (for two solitons: the closed form of Zakharov and Shabat).
//!
//! Other starts: a bound state that breathes with period $\pi/2$, the Akhmediev breather that comes out of a plane wave and
//! vanishes in it, and noise on a plane wave, which grows at the rate $|k|\sqrt{1 - k^2/4}$.

use std::any::Any;
use std::f64::consts::PI;

use eddy_numerics::Complex;
use eddy_numerics::Real;
use eddy_numerics::space::grid::Periodic;
use eddy_numerics::systems::schrodinger::{Derivative, ONE_HALF, Schrodinger, Soliton, TWO_THIRDS, WaveInvariants};
use eddy_numerics::time::controller::Tolerance;
use eddy_numerics::time::integrate::Adaptive;
use eddy_numerics::time::runge_kutta::{DOP853, RK4, RungeKutta};
use eddy_numerics::time::stability::{Limit, StabilityLimits};
use eddy_numerics::time::strang::Strang;
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Metric, Test, ViewSpec, choice,
    params,
};

use crate::labs::pde::{
    Backend, CpuBackend, Live, Measure, PdeRun, Picture, Range, Setup, Shape, WaveFunctionSolver, WaveStepper,
    smallest_dt, uniforms,
};
use crate::{Baseline, Context, DeviceKind, Experiment, Lab, Precision, Run};

choice! { pub enum Start {
    /// two solitons meet
    Collision = "collision",
    /// one soliton
    Soliton = "soliton",
    /// bound state 2 sech x
    BoundState = "bound-state",
    /// Akhmediev breather
    Breather = "breather",
    /// noise on a plane wave
    Noise = "noise",
} }

choice! { pub enum Method {
    /// Fourier, DOP853 (adaptive)
    Dop853 = "dop853",
    /// Fourier, split-step
    Strang = "strang",
    /// differences, Runge-Kutta 4
    Differences = "differences",
} }

choice! { pub enum Truncation {
    /// 2/3 of the modes
    TwoThirds = "2/3",
    /// 1/2 of the modes
    Half = "1/2",
} }

params! { pub struct Params {
    /// Start.
    start: Start = Start::Collision => choice().group("start"),
    /// Height of soliton 1.
    amplitude: f64 = 1.0 => range(0.4, 2.0).symbol("A_1").only_when("start", &["collision", "soliton"]).group("start"),
    /// Height of soliton 2.
    amplitude2: f64 = 0.7 => range(0.4, 2.0).symbol("A_2").only_when("start", &["collision"]).group("start"),
    /// Speed. Soliton 1 moves to the right, soliton 2 to the left.
    speed: f64 = 1.0 => range(0.2, 2.0).symbol("v").only_when("start", &["collision", "soliton"]).group("start"),
    /// Method.
    method: Method = Method::Dop853 => choice().group("method"),
    /// Points.
    points: u32 = 256 => steps(64, 1024).symbol("N").group("method"),
    /// Tolerance. Relative error that a step of the adaptive method may make.
    tolerance: f64 = 1e-10 => log(1e-12, 1e-2).only_when("method", &["dop853"]).group("method"),
    /// Kept by the cubic term. A product of three fields is free of aliasing only with 1/2.
    truncation: Truncation = Truncation::TwoThirds => choice().group("method"),
    /// Length of a step. For the adaptive method the time between two pictures.
    dt: f64 = 0.02 => log(1e-3, 0.5).symbol("\\Delta t").live().group("method"),
    /// Seed.
    seed: u32 = 1 => seed().only_when("start", &["noise"]).group("start"),
} }

pub struct Nlse1d;

/// Length of the line (a little more for the breather, which needs whole periods).
const LENGTH: f64 = 60.0;
/// Solitons start here; they meet at 0.
const APART: f64 = 12.0;
/// Parameter of the breather: 1/4 grows fastest.
const BREATHER: f64 = 0.25;

impl Params {
    fn grid(&self) -> Periodic {
        let length = match self.start {
            Start::Breather => {
                let period = PI / (1.0 - 2.0 * BREATHER).sqrt();
                (LENGTH / period).round() * period
            }
            _ => LENGTH,
        };
        Periodic::centred(self.points as usize, length)
    }

    /// Long enough to see it all: solitons end as far behind the meeting as they started before it.
    fn end(&self) -> f64 {
        match self.start {
            Start::Collision => 2.0 * APART / self.speed,
            Start::Soliton => 2.0 * APART / self.speed,
            Start::BoundState => 2.0 * PI,
            Start::Breather => 10.0,
            Start::Noise => 25.0,
        }
    }

    fn solitons(&self) -> (Soliton, Soliton) {
        (
            Soliton { amplitude: self.amplitude, velocity: self.speed, position: -APART, phase: 0.0 },
            Soliton { amplitude: self.amplitude2, velocity: -self.speed, position: APART, phase: 0.0 },
        )
    }

    /// The exact solution, where there is one.
    fn exact(&self, x: f64, t: f64) -> Option<Complex<f64>> {
        let (first, second) = self.solitons();
        Some(match self.start {
            Start::Collision => two_solitons(&first, &second, x, t),
            Start::Soliton => first.at(x, t),
            Start::BoundState => {
                // Satsuma & Yajima (1974).
                let scale = 4.0 * Complex::from_polar(1.0, 0.5 * t);
                let above = (3.0 * x).cosh() + 3.0 * Complex::from_polar(1.0, 4.0 * t) * x.cosh();
                scale * above / ((4.0 * x).cosh() + 4.0 * (2.0 * x).cosh() + 3.0 * (4.0 * t).cos())
            }
            Start::Breather => {
                let (a, t) = (BREATHER, t - 5.0);
                let (b, omega) = ((8.0 * a * (1.0 - 2.0 * a)).sqrt(), 2.0 * (1.0 - 2.0 * a).sqrt());
                let wave = (2.0 * a).sqrt() * (omega * x).cos();
                let (cosh, sinh) = ((b * t).cosh(), (b * t).sinh());
                let above = Complex::new((1.0 - 4.0 * a) * cosh + wave, b * sinh);
                Complex::from_polar(1.0, t) * above / (wave - cosh)
            }
            Start::Noise => return None,
        })
    }
}

/// Two solitons for all times: with ζ = A + iv and γ = exp(ζ(x - x₀) + iζ²t/2), ψ = u₁ + u₂ where
/// Σ_k (1/γ_j + γ_k*)/(ζ_j + ζ_k*) u_k = 1. Gordon (1983), Opt. Lett. 8, 596.
fn two_solitons(first: &Soliton, second: &Soliton, x: f64, t: f64) -> Complex<f64> {
    let pair = [first, second];
    let zeta = pair.map(|s| Complex::new(s.amplitude, s.velocity));
    let exponent = [0, 1].map(|j| zeta[j] * (x - pair[j].position) + Complex::new(0.0, 0.5) * zeta[j] * zeta[j] * t);
    let matrix = |j: usize, k: usize| ((-exponent[j]).exp() + exponent[k].conj().exp()) / (zeta[j] + zeta[k].conj());
    let (a, b, c, d) = (matrix(0, 0), matrix(0, 1), matrix(1, 0), matrix(1, 1));
    (d - b + a - c) / (a * d - b * c)
}

fn live(p: &Params) -> Live {
    let dt = if p.method == Method::Dop853 { p.dt.max(0.05) } else { p.dt };
    Live { dt, end: p.end(), coefficients: Vec::new() }
}

fn live_of(params: &dyn Any) -> Result<Live, EddyError> {
    crate::own(params).map(live)
}

const PAPER: Citation = Citation {
    number: 151,
    key: "herho2025nlse",
    authors: "Herho, S. H. S. and others",
    title: "simple-idealized-1d-nlse: Pseudo-Spectral Solver for the 1D Nonlinear Schrödinger Equation",
    venue: "arXiv preprint",
    year: 2025,
    url: "https://pypi.org/project/simple-idealized-1d-nlse/",
};

impl Experiment for Nlse1d {
    type Params = Params;
    const TITLE: &'static str = "Solitons pass through each other";
    const SUMMARY: &'static str = "Two light pulses meet, merge, part, and are only shifted; the shift is measured.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[PAPER];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "error",
            Axis::log("error against the exact solution", "\\max|\\psi - \\psi_{exact}|"),
            Better::Lower,
            "Largest difference from the closed form on the infinite line.",
        ),
        Metric::new(
            "mass_drift",
            Axis::log("change of mass", "|M/M_0 - 1|"),
            Better::Lower,
            "Relative change of ∫|ψ|² since the start.",
        ),
        Metric::new(
            "momentum_drift",
            Axis::log("change of momentum", "|P - P_0|"),
            Better::Lower,
            "Change of Im ∫ψ*ψ_x since the start.",
        ),
        Metric::new(
            "energy_drift",
            Axis::log("change of energy", "|E - E_0|"),
            Better::Lower,
            "Change of ∫ ½|ψ_x|² - ½|ψ|⁴ since the start.",
        ),
        Metric::new(
            "shift_error",
            Axis::log("error of the shifts", "\\max|\\Delta/\\Delta_{exact} - 1|"),
            Better::Lower,
            "Worse of the two relative errors of the measured collision shifts (centroids of |ψ|² either side of the middle).",
        ),
        Metric::new(
            "shift",
            Axis::linear("shift of soliton 1", "\\Delta_1"),
            Better::Neither,
            "Measured shift of soliton 1.",
        ),
        Metric::new(
            "shift2",
            Axis::linear("shift of soliton 2", "\\Delta_2"),
            Better::Neither,
            "Measured shift of soliton 2.",
        ),
        Metric::new(
            "entropy",
            Axis::linear("Shannon entropy", "S"),
            Better::Neither,
            "-Σ p ln p of p = |ψ|²/Σ|ψ|²: how widely the wave is spread over the points.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::field(
            "history",
            "space and time",
            Axis::linear("position", "x"),
            Axis::linear("time", "t"),
            Axis::linear("height", "|\\psi|"),
            ColorMap::Viridis,
        ),
        ViewSpec::lines(
            "psi",
            "wave",
            Axis::linear("position", "x"),
            Axis::linear("height", "|\\psi|,\\ \\mathrm{Re}\\,\\psi"),
        ),
    ];
    const BASELINE: Option<Baseline> =
        Some(Baseline { label: "differences, Runge-Kutta 4", change: "method=differences" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "For two solitons of height 1 and 0.7 and speeds ±1 on 256 points, the collision shifts agree with theory \
                   within 3 %, mass drifts by at most 1e-9, and differences with Runge-Kutta 4 on the same points have an \
                   error at least 100 times as large.",
        arms: &[
            Arm { name: "spectral", setting: "tolerance=1e-10" },
            Arm { name: "differences", setting: "method=differences&dt=0.01" },
        ],
        seeds: &[1],
        tests: &[
            Test {
                label: "error of the shifts",
                measure: |m| m.max("spectral", "shift_error"),
                bound: Bound::AtMost(0.03),
                unit: "",
            },
            Test {
                label: "change of mass",
                measure: |m| m.max("spectral", "mass_drift"),
                bound: Bound::AtMost(1e-9),
                unit: "",
            },
            Test {
                label: "error of differences / spectral",
                measure: |m| m.ratio("differences", "spectral", "error"),
                bound: Bound::AtLeast(100.0),
                unit: "×",
            },
        ],
        counter: Counter {
            why: "On 64 points the filter cuts into the solitons themselves, so Fourier derivatives have little left to \
                  gain over differences.",
            arms: &[],
            change: "points=64",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let grid = p.grid();
        let start: Vec<Complex<f64>> = grid
            .xs()
            .into_iter()
            .enumerate()
            .map(|(i, x)| {
                p.exact(x, 0.0).unwrap_or_else(|| {
                    let [a, b, ..] = uniforms(p.seed, i as u32);
                    Complex::new(1.0 + 2e-3 * (a - 0.5), 2e-3 * (b - 0.5))
                })
            })
            .collect();
        let fields: Vec<Vec<f64>> = vec![
            start.iter().map(|v| v.norm()).collect(),
            start.iter().map(|v| v.re).collect(),
            start.iter().map(|v| v.im).collect(),
        ];
        let live = live(p);
        let backend = match context.precision {
            Precision::F64 => backend::<f64>(p, grid, &live, &fields),
            Precision::F32 => backend::<f32>(p, grid, &live, &fields),
        };
        let method = p.method;
        let top = fields[0].iter().copied().fold(0.0, f64::max);
        let diagnose = move |live: &Live, _: &[Vec<f64>]| {
            let limits = match method {
                Method::Differences => {
                    let fastest = Schrodinger::<f64>::new(grid, Derivative::SecondOrder, TWO_THIRDS).max_frequency();
                    StabilityLimits::default().with(Limit::Dispersive, RK4.imaginary_interval / (fastest + top * top))
                }
                _ => StabilityLimits::default(),
            };
            limits.diagnose(live.dt)
        };
        let is_adaptive = p.method == Method::Dop853;
        let range = match p.start {
            Start::Collision | Start::Soliton => Range::Fixed(0.0, 1.2 * p.amplitude.max(p.amplitude2)),
            Start::BoundState => Range::Fixed(0.0, 4.0),
            Start::Breather | Start::Noise => Range::Fit,
        };
        Ok(Box::new(PdeRun::new(Setup {
            shape: Shape::line(grid),
            backend,
            initial: fields,
            live,
            smallest_dt: smallest_dt::<Params>(),
            metrics: Self::METRICS,
            measure: Box::new(WaveMeasure::new(p.clone(), grid)),
            record_every: if is_adaptive { 1 } else { 4 },
            pictures: vec![
                ("history", Picture::SpaceTime(p.end()), range),
                ("psi", Picture::Lines(vec![(0, "|ψ|"), (1, "Re ψ")]), Range::Symmetric),
            ],
            brush: (1, 0.3),
            diagnose: Box::new(diagnose),
            live_of,
        })))
    }
}

fn backend<R: Real>(p: &Params, grid: Periodic, live: &Live, fields: &[Vec<f64>]) -> Box<dyn Backend> {
    let derivative = if p.method == Method::Differences { Derivative::SecondOrder } else { Derivative::Spectral };
    let truncation = if p.truncation == Truncation::Half { ONE_HALF } else { TWO_THIRDS };
    let n = grid.points;
    let stepper = match p.method {
        Method::Dop853 => {
            // Below its rounding a format cannot meet a tolerance.
            let relative = p.tolerance.max(100.0 * R::EPSILON);
            let tolerance = Tolerance { relative, absolute: 1e-2 * relative };
            WaveStepper::Adaptive(Adaptive::new(RungeKutta::new(&DOP853, n), n, tolerance))
        }
        Method::Strang => WaveStepper::Split(Strang::default()),
        Method::Differences => WaveStepper::Fixed(RungeKutta::new(&RK4, n)),
    };
    let solver = WaveFunctionSolver::<R>::new(Schrodinger::new(grid, derivative, truncation), stepper, live.dt);
    // The tallest breather is three times its plane wave, a bound state twice its start.
    Box::new(CpuBackend::new(solver, Shape::line(grid), fields, live, 10.0))
}

struct WaveMeasure {
    params: Params,
    grid: Periodic,
    term: Schrodinger<f64>,
    psi: Vec<Complex<f64>>,
    start: Option<WaveInvariants>,
    /// Centroids of the left and the right half at the start.
    centroids: (f64, f64),
    /// Whether the run is still the one that the closed form describes.
    is_pure: bool,
}

impl WaveMeasure {
    fn new(params: Params, grid: Periodic) -> Self {
        let psi = vec![Complex::default(); grid.points];
        let term = Schrodinger::new(grid, Derivative::Spectral, TWO_THIRDS);
        Self { is_pure: params.start != Start::Noise, params, grid, term, psi, start: None, centroids: (0.0, 0.0) }
    }

    /// Centroids of |ψ|² left and right of the middle.
    fn centroids(&self, height: &[f64]) -> (f64, f64) {
        let half = |left: bool| {
            let (mut mass, mut moment) = (0.0, 0.0);
            for (i, h) in height.iter().enumerate() {
                let x = self.grid.x(i);
                // The point at 0 and the one at the far end stand on the border of the halves.
                let weight = if x == 0.0 || i == 0 { 0.5 } else { f64::from(u8::from((x < 0.0) == left)) };
                let x = if i == 0 && !left { -x } else { x };
                mass += weight * h * h;
                moment += weight * h * h * x;
            }
            moment / mass
        };
        (half(true), half(false))
    }
}

impl Measure for WaveMeasure {
    fn measure(&mut self, t: f64, fields: &[Vec<f64>], out: &mut [f64]) {
        for (v, (re, im)) in self.psi.iter_mut().zip(fields[1].iter().zip(&fields[2])) {
            *v = Complex::new(*re, *im);
        }
        let now = self.term.invariants(&self.psi);
        let start = *self.start.get_or_insert(now);
        out[0] = f64::NAN;
        if self.is_pure {
            let difference = |(i, v): (usize, &Complex<f64>)| {
                self.params.exact(self.grid.x(i), t).map_or(f64::NAN, |exact| (v - exact).norm())
            };
            out[0] = self.psi.iter().enumerate().map(difference).fold(0.0, f64::max);
        }
        out[1] = (now.mass / start.mass - 1.0).abs();
        out[2] = (now.momentum - start.momentum).abs();
        out[3] = (now.energy - start.energy).abs();
        (out[4], out[5], out[6]) = (f64::NAN, f64::NAN, f64::NAN);
        if self.is_pure && self.params.start == Start::Collision {
            if t == 0.0 {
                self.centroids = self.centroids(&fields[0]);
            } else if t >= self.params.end() * (1.0 - 1e-9) {
                let (left, right) = self.centroids(&fields[0]);
                let (first, second) = self.params.solitons();
                let shift = right - self.centroids.0 - first.velocity * t;
                let shift2 = left - self.centroids.1 - second.velocity * t;
                let relative = |shift: f64, exact: f64| (shift / exact - 1.0).abs();
                out[4] = relative(shift, first.collision_shift(&second))
                    .max(relative(shift2, second.collision_shift(&first)));
                (out[5], out[6]) = (shift, shift2);
            }
        }
        let total: f64 = fields[0].iter().map(|h| h * h).sum();
        out[7] = fields[0].iter().map(|h| h * h / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    }
    fn disturbed(&mut self, _: f64, _: &[Vec<f64>], _: &Live) {
        // Called once before the first row; any later call means another problem.
        if self.start.is_some() {
            self.is_pure = false;
            self.start = None;
        }
    }
    fn exact(&mut self, t: f64) -> Option<Vec<f64>> {
        if !self.is_pure {
            return None;
        }
        self.grid.xs().into_iter().map(|x| self.params.exact(x, t).map(|v| v.norm())).collect()
    }
}
