//! Chooses the back end of a system: the one place that knows which systems have a GPU plan.

use eddy_gpu::StencilMethod;
use eddy_numerics::Real;
use eddy_numerics::space::grid::Periodic;
use eddy_numerics::space::stencil::{Axis, Edge, StencilOrder};
use eddy_numerics::systems::gray_scott::{GrayScott, GrayScottRates};
use eddy_numerics::systems::wave::WavePlane;
use eddy_numerics::time::runge_kutta::{EULER, RK4, RungeKutta, Tableau};
use eddy_numerics::time::verlet::Verlet;
use eddy_spec::EddyError;

use super::gpu::GpuBackend;
use super::{Backend, CpuBackend, FlowSolver, LineEquation, LineSolver, Live, Shape, StencilSolver};
use crate::{Context, Device, Precision};

/// Magnitude growth that counts as a blow-up for systems that saturate by themselves.
const GROWTH: f64 = 1e3;
/// Concentrations stay of order one.
const REACTION_GROWTH: f64 = 20.0;
/// Velocities start at rest and reach c/width of the steepest crest.
const WAVE_GROWTH: f64 = 200.0;

/// ETDRK4 in Fourier space for a scalar equation on a line.
pub fn line_backend(
    context: &Context,
    equation: LineEquation,
    grid: Periodic,
    live: &Live,
    fields: &[Vec<f64>],
) -> Result<Box<dyn Backend>, EddyError> {
    let shape = Shape::line(grid);
    match (&context.device, context.precision) {
        (Device::Gpu(gpu), _) => Ok(Box::new(GpuBackend::line(gpu, equation, grid, live, fields, GROWTH)?)),
        (Device::Cpu, Precision::F64) => {
            Ok(Box::new(CpuBackend::new(LineSolver::<f64>::new(equation, grid, live), shape, fields, live, GROWTH)))
        }
        (Device::Cpu, Precision::F32) => {
            Ok(Box::new(CpuBackend::new(LineSolver::<f32>::new(equation, grid, live), shape, fields, live, GROWTH)))
        }
    }
}

/// ETDRK4 for the vorticity of a periodic square.
pub fn flow_backend(
    context: &Context,
    side: Periodic,
    live: &Live,
    fields: &[Vec<f64>],
) -> Result<Box<dyn Backend>, EddyError> {
    let shape = Shape::square(side.points, side.length, true);
    match (&context.device, context.precision) {
        (Device::Gpu(gpu), _) => Ok(Box::new(GpuBackend::flow(gpu, side, live, fields, GROWTH)?)),
        (Device::Cpu, Precision::F64) => {
            Ok(Box::new(CpuBackend::new(FlowSolver::<f64>::new(side, side, live), shape, fields, live, GROWTH)))
        }
        (Device::Cpu, Precision::F32) => {
            Ok(Box::new(CpuBackend::new(FlowSolver::<f32>::new(side, side, live), shape, fields, live, GROWTH)))
        }
    }
}

/// Steps of Gray-Scott that exist on both devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactionMethod {
    Euler,
    Rk4,
}

impl ReactionMethod {
    pub fn tableau(self) -> &'static Tableau {
        match self {
            Self::Euler => &EULER,
            Self::Rk4 => &RK4,
        }
    }
    fn on_gpu(self) -> StencilMethod {
        match self {
            Self::Euler => StencilMethod::Euler,
            Self::Rk4 => StencilMethod::Rk4,
        }
    }
}

/// Gray-Scott on a periodic square of n² points at distance 1.
pub fn gray_scott_backend(
    context: &Context,
    n: usize,
    method: ReactionMethod,
    live: &Live,
    fields: &[Vec<f64>],
) -> Result<Box<dyn Backend>, EddyError> {
    fn on_cpu<R: Real>(n: usize, tableau: &'static Tableau, live: &Live, fields: &[Vec<f64>]) -> Box<dyn Backend> {
        let axis = Axis::periodic(n, n as f64);
        let c = &live.coefficients;
        let rates = GrayScottRates { diffusivity_u: c[0], diffusivity_v: c[1], feed: c[2], kill: c[3] };
        let term = GrayScott::<R>::new(axis, axis, StencilOrder::Two, rates);
        let size = 2 * n * n;
        let solver = StencilSolver::new(term, RungeKutta::new(tableau, size), size, live.dt);
        Box::new(CpuBackend::new(solver, Shape::square(n, n as f64, true), fields, live, REACTION_GROWTH))
    }
    match (&context.device, context.precision) {
        (Device::Gpu(gpu), _) => {
            let shape = Shape::square(n, n as f64, true);
            Ok(Box::new(GpuBackend::gray_scott(gpu, method.on_gpu(), shape, live, fields, REACTION_GROWTH)?))
        }
        (Device::Cpu, Precision::F64) => Ok(on_cpu::<f64>(n, method.tableau(), live, fields)),
        (Device::Cpu, Precision::F32) => Ok(on_cpu::<f32>(n, method.tableau(), live, fields)),
    }
}

/// The wave equation on a square of n² points of side `length`: Störmer-Verlet where `symplectic` (then without damping),
/// else Runge-Kutta 4.
pub fn wave_backend(
    context: &Context,
    n: usize,
    length: f64,
    edge: Edge,
    symplectic: bool,
    live: &Live,
    fields: &[Vec<f64>],
) -> Result<Box<dyn Backend>, EddyError> {
    struct Plan<'a> {
        n: usize,
        length: f64,
        edge: Edge,
        symplectic: bool,
        live: &'a Live,
        fields: &'a [Vec<f64>],
    }
    fn on_cpu<R: Real>(p: &Plan<'_>) -> Box<dyn Backend> {
        let n = p.n;
        let axis = wave_axis(n, p.length, p.edge);
        let c = &p.live.coefficients;
        let term = WavePlane::<R>::new(axis, axis, StencilOrder::Two, c[0], c[1]);
        let (size, shape) = (2 * n * n, Shape::square(n, p.length, p.edge == Edge::Periodic));
        if p.symplectic {
            let solver = StencilSolver::new(term, Verlet::new(n * n), size, p.live.dt);
            Box::new(CpuBackend::new(solver, shape, p.fields, p.live, WAVE_GROWTH))
        } else {
            let solver = StencilSolver::new(term, RungeKutta::new(&RK4, size), size, p.live.dt);
            Box::new(CpuBackend::new(solver, shape, p.fields, p.live, WAVE_GROWTH))
        }
    }
    let plan = Plan { n, length, edge, symplectic, live, fields };
    match (&context.device, context.precision) {
        (Device::Gpu(gpu), _) => {
            let shape = Shape::square(n, length, edge == Edge::Periodic);
            let edge = match edge {
                Edge::Periodic => eddy_gpu::Edge::Periodic,
                Edge::Dirichlet(_) => eddy_gpu::Edge::Dirichlet,
                Edge::Neumann(_) => eddy_gpu::Edge::Neumann,
            };
            let method = if symplectic { StencilMethod::Verlet } else { StencilMethod::Rk4 };
            Ok(Box::new(GpuBackend::wave(gpu, method, edge, shape, live, fields, WAVE_GROWTH)?))
        }
        (Device::Cpu, Precision::F64) => Ok(on_cpu::<f64>(&plan)),
        (Device::Cpu, Precision::F32) => Ok(on_cpu::<f32>(&plan)),
    }
}

/// Axis of the wave's square.
pub fn wave_axis(n: usize, length: f64, edge: Edge) -> Axis {
    match edge {
        Edge::Periodic => Axis::periodic(n, length),
        _ => Axis::bounded(n, length, edge, edge),
    }
}
