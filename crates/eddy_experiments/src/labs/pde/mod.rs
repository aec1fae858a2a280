//! The PDE lab: one run for every time-dependent system on a regular grid.
//!
//! An experiment gives a [`Setup`]: a [`Backend`] that steps the fields (on the CPU a [`Solver`], on the GPU a plan), a
//! [`Measure`] that turns fields into metrics, pictures, and a diagnosis for a blow-up. The loop, the record, the
//! space-time history, the brush and the outcome are [`PdeRun`]'s.

mod backend;
mod devices;
mod gpu;
mod history;
mod run;
mod solvers;

pub use backend::{Advance, Backend, Brush, CpuBackend, Live, Solver};
pub use devices::{ReactionMethod, flow_backend, gray_scott_backend, line_backend, wave_axis, wave_backend};
pub use run::{Measure, PdeRun, Picture, Range, Setup};
pub use solvers::{FlowSolver, LineEquation, LineSolver, StencilSolver, Tunable, WaveFunctionSolver, WaveStepper};

use eddy_numerics::rng::{Philox, Stream};
use eddy_spec::{ParamKind, ParamTable};

/// Points of the fields: `ny` is 1 on a line. Coordinates of point (i, j) are (x.0 + i·dx, y.0 + j·dy).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub nx: usize,
    pub ny: usize,
    /// First coordinate and extent of x. The extent of a periodic axis reaches to the image of the first point.
    pub x: (f64, f64),
    pub y: (f64, f64),
    /// Whether the ends are joined; without, the last point lies at the end of the extent.
    pub periodic: bool,
}

impl Shape {
    /// A periodic line.
    pub fn line(grid: eddy_numerics::space::grid::Periodic) -> Self {
        Self { nx: grid.points, ny: 1, x: (grid.start, grid.length), y: (0.0, 1.0), periodic: true }
    }

    /// A square of n² points from 0 to `length`.
    pub fn square(n: usize, length: f64, periodic: bool) -> Self {
        Self { nx: n, ny: n, x: (0.0, length), y: (0.0, length), periodic }
    }

    pub fn points(&self) -> usize {
        self.nx * self.ny
    }

    /// Distance of two points along x.
    pub fn dx(&self) -> f64 {
        self.x.1 / (if self.periodic { self.nx } else { self.nx - 1 }) as f64
    }

    pub fn dy(&self) -> f64 {
        self.y.1 / (if self.periodic { self.ny } else { self.ny - 1 }) as f64
    }

    pub fn xs(&self) -> Vec<f64> {
        (0..self.nx).map(|i| self.x.0 + self.dx() * i as f64).collect()
    }

    /// Values of `f(x, y)` at the points.
    pub fn sample(&self, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let (dx, dy) = (self.dx(), self.dy());
        (0..self.points())
            .map(|p| f(self.x.0 + dx * (p % self.nx) as f64, self.y.0 + dy * (p / self.nx) as f64))
            .collect()
    }
}

/// Uniform numbers of a seed for random initial states: draw `i` gives four numbers in (0, 1).
pub fn uniforms(seed: u32, i: u32) -> [f64; 4] {
    Philox::new(seed).uniforms(Stream::Prior, 0, i, 0)
}

/// Lower end of the range of parameter `dt`.
pub fn smallest_dt<P: ParamTable>() -> f64 {
    let row = P::table().iter().find(|s| s.key == "dt");
    row.map_or(0.0, |s| if let ParamKind::Number { min, .. } = s.kind { min } else { 0.0 })
}
