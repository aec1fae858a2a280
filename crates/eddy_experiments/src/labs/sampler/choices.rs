//! The choices that experiments offer, with what they stand for.

use std::sync::Arc;

use eddy_numerics::diffusion::{
    CondOt, Edm, Field, Mixture, Prediction, Schedule, Spacing, SubVp, Ve, VpCosine, VpLinear,
    methods::{
        Adams, Bdia, Ddim, Deis, DpmMultistep, DpmSingle, DpmSolver, DpmSolverFast, EulerMaruyama, FPndm, Fon, Ghvb,
        HeavyBall, Method, PredictorCorrector, RungeKutta, SPndm, Tableau, UniPc, Variable, Variant,
    },
    targets,
};
use eddy_spec::{Drawing, EddyError, choice};

use super::{drawn, modes};

choice! { pub enum Target {
    /// 8 Gaussians on a ring
    Ring = "ring",
    /// 3 unequal Gaussians
    Three = "three",
    /// two moons
    Moons = "moons",
    /// spiral
    Spiral = "spiral",
    /// checkerboard
    Checkerboard = "checkerboard",
    /// pinwheel
    Pinwheel = "pinwheel",
    /// Swiss roll
    SwissRoll = "swiss-roll",
    /// your own, on the picture
    Own = "own",
    /// a drawing of yours
    Drawn = "drawn",
} }

impl Target {
    /// Keys of those that take their width from `sd`.
    pub const WITH_SD: &[&str] = &["ring", "moons", "spiral", "checkerboard", "pinwheel", "swiss-roll", "own"];

    /// The mixture, with the user's modes as text and the user's drawing.
    pub fn law(self, radius: f64, sd: f64, own: &str, drawing: &Drawing) -> Result<Mixture, EddyError> {
        match self {
            Self::Own => modes::mixture(own, sd),
            Self::Drawn => drawn::mixture(drawing),
            _ => Ok(self.mixture(radius, sd)),
        }
    }

    /// The mixture. `radius` and `sd` are those of the ring; the others take their width from `sd` alone. What is the user's
    /// own is more than this ([`Target::law`]); without it there are the three.
    pub fn mixture(self, radius: f64, sd: f64) -> Mixture {
        match self {
            Self::Ring => targets::ring(8, radius, sd),
            Self::Three | Self::Own | Self::Drawn => targets::three(),
            Self::Moons => targets::two_moons(sd),
            Self::Spiral => targets::spiral(sd),
            Self::Checkerboard => targets::checkerboard(sd),
            Self::Pinwheel => targets::pinwheel(sd),
            Self::SwissRoll => targets::swiss_roll(sd),
        }
    }
}

choice! { pub enum Noise {
    /// variance preserving, linear β
    VpLinear = "vp-linear",
    /// variance preserving, cosine
    VpCosine = "vp-cosine",
    /// variance exploding
    Ve = "ve",
    /// EDM, σ = t
    Edm = "edm",
    /// flow, straight paths
    Flow = "flow",
    /// sub-variance preserving
    SubVp = "sub-vp",
} }

impl Noise {
    pub fn schedule(self) -> Arc<dyn Schedule> {
        match self {
            Self::VpLinear => Arc::new(VpLinear::default()),
            Self::VpCosine => Arc::new(VpCosine::default()),
            Self::Ve => Arc::new(Ve::default()),
            Self::Edm => Arc::new(Edm),
            Self::Flow => Arc::new(CondOt),
            Self::SubVp => Arc::new(SubVp::default()),
        }
    }
}

choice! { pub enum Grid {
    /// uniform in λ
    LogSnr = "log-snr",
    /// quadratic in t
    Quadratic = "quadratic",
    /// uniform in t
    Uniform = "uniform",
    /// Karras, ρ = 7
    Karras = "karras",
} }

impl Grid {
    pub fn spacing(self) -> Spacing {
        match self {
            Self::LogSnr => Spacing::LogSnr,
            Self::Quadratic => Spacing::Quadratic,
            Self::Uniform => Spacing::Uniform,
            Self::Karras => Spacing::Karras { rho: 7.0 },
        }
    }
}

choice! { pub enum Solver {
    /// DDIM
    Ddim = "ddim",
    /// DDPM (ancestral)
    Ddpm = "ddpm",
    /// Euler on the ODE
    Euler = "euler",
    /// Heun in σ/α
    Heun = "heun",
    /// Runge-Kutta 4 in σ/α
    Rk4 = "rk4",
    /// DPM-Solver-2
    DpmSolver2 = "dpm-solver-2",
    /// DPM-Solver-3
    DpmSolver3 = "dpm-solver-3",
    /// DPM-Solver-fast
    DpmSolverFast = "dpm-solver-fast",
    /// DPM-Solver-2M (on ε)
    DpmSolver2m = "dpm-solver-2m",
    /// DPM-Solver++(2S)
    DpmPlus2s = "dpm-solver-pp-2s",
    /// DPM-Solver++(2M)
    DpmPlus2m = "dpm-solver-pp-2m",
    /// DPM-Solver++(3M)
    DpmPlus3m = "dpm-solver-pp-3m",
    /// UniPC-2
    UniPc2 = "unipc-2",
    /// UniPC-3
    UniPc3 = "unipc-3",
    /// DEIS tAB1
    Tab1 = "deis-tab1",
    /// DEIS tAB2
    Tab2 = "deis-tab2",
    /// DEIS tAB3
    Tab3 = "deis-tab3",
    /// DEIS ρAB2
    RhoAb2 = "rho-ab2",
    /// F-PNDM
    FPndm = "f-pndm",
    /// S-PNDM
    SPndm = "s-pndm",
    /// FON (classical multistep)
    Fon = "fon",
    /// AB2 in σ/α
    Ab2 = "ab2",
    /// PLMS4
    Plms4 = "plms4",
    /// PLMS4 with heavy ball
    HeavyBall = "plms4-hb",
    /// GHVB
    Ghvb = "ghvb",
    /// BDIA-DDIM, γ = 1
    Bdia = "bdia",
    /// midpoint on the ODE (RF-Solver)
    Midpoint = "midpoint",
    /// adaptive RK45
    Rk45 = "rk45",
    /// Euler-Maruyama (SDE)
    EulerMaruyama = "euler-maruyama",
    /// DPM-Solver++(2M) (SDE)
    DpmPlusSde = "dpm-solver-pp-sde-2m",
    /// predictor-corrector (SDE)
    PredictorCorrector = "predictor-corrector",
} }

/// Numbers that some solvers take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SolverOptions {
    /// Absolute and relative tolerance of RK45.
    pub tolerance: f64,
    /// Damping b of the heavy ball.
    pub damping: f64,
    /// Order r of GHVB.
    pub momentum_order: f64,
    /// Signal-to-noise ratio of the corrector.
    pub snr: f64,
}

impl Default for SolverOptions {
    fn default() -> Self {
        Self { tolerance: 1e-3, damping: 0.8, momentum_order: 2.5, snr: 0.16 }
    }
}

impl Solver {
    /// The method for a budget of `evaluations`.
    pub fn method(self, evaluations: usize, options: &SolverOptions) -> Box<dyn Method> {
        match self {
            Self::Ddim => Box::new(Ddim::default()),
            Self::Ddpm => Box::new(Ddim { eta: 1.0 }),
            Self::Euler => Box::new(RungeKutta::new(Tableau::EULER, Variable::Time)),
            Self::Heun => Box::new(RungeKutta::new(Tableau::HEUN, Variable::Rho)),
            Self::Rk4 => Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho)),
            Self::DpmSolver2 => Box::new(DpmSolver::new(2)),
            Self::DpmSolver3 => Box::new(DpmSolver::new(3)),
            Self::DpmSolverFast => Box::new(DpmSolverFast { evaluations }),
            Self::DpmSolver2m => Box::new(DpmMultistep::new(2, Prediction::Epsilon)),
            Self::DpmPlus2s => Box::new(DpmSingle::fixed(evaluations / 2, 2, Prediction::Data, Spacing::LogSnr)),
            Self::DpmPlus2m => Box::new(DpmMultistep::new(2, Prediction::Data)),
            Self::DpmPlus3m => Box::new(DpmMultistep::new(3, Prediction::Data)),
            Self::DpmPlusSde => Box::new(DpmMultistep::stochastic(2, Prediction::Data)),
            Self::UniPc2 => Box::new(UniPc::new(2, Variant::Bh2, Prediction::Data)),
            Self::UniPc3 => Box::new(UniPc::new(3, Variant::Bh2, Prediction::Data)),
            Self::RhoAb2 => Box::new(Deis::rho(2)),
            Self::Bdia => Box::new(Bdia::new(1.0)),
            Self::Midpoint => Box::new(RungeKutta::new(Tableau::MIDPOINT, Variable::Time)),
            Self::Tab1 => Box::new(Deis::new(1)),
            Self::Tab2 => Box::new(Deis::new(2)),
            Self::Tab3 => Box::new(Deis::new(3)),
            Self::FPndm => Box::new(FPndm),
            Self::SPndm => Box::new(SPndm),
            Self::Fon => Box::new(Fon),
            Self::Ab2 => Box::new(Adams::new(2)),
            Self::Plms4 => Box::new(Adams::new(4)),
            Self::HeavyBall => Box::new(HeavyBall::new(4, options.damping)),
            Self::Ghvb => Box::new(Ghvb::new(options.momentum_order)),
            Self::Rk45 => Box::new(RungeKutta::adaptive(options.tolerance)),
            Self::EulerMaruyama => Box::new(EulerMaruyama),
            Self::PredictorCorrector => Box::new(PredictorCorrector { snr: options.snr }),
        }
    }
}

choice! { pub enum Gauge {
    /// c R s: rotated by 90°
    Rotated = "rotated",
    /// c diag(1, −1) s: sheared
    Sheared = "sheared",
    /// score of other weights
    Reweighted = "reweighted",
    /// none
    Exact = "none",
} }

impl Gauge {
    /// The field of strength `c` for `components` components.
    pub fn field(self, c: f64, components: usize) -> Field {
        match self {
            Self::Rotated => Field::Rotated { c },
            Self::Sheared => Field::Sheared { c },
            // From equal shares at c = 0 toward the last component.
            Self::Reweighted => Field::Reweighted { weights: (0..components).map(|k| 1.0 + c * k as f64).collect() },
            Self::Exact => Field::Exact,
        }
    }
}
