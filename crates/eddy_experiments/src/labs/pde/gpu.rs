//! GPU plans as back ends.

use eddy_gpu::{
    Edge, Etdrk4Plan, Etdrk4Spec, FieldSource, Gpu, GpuError, Nonlinear, StencilMethod, StencilOrder, StencilPlan,
    StencilSpec, StencilSystem, Summary, wavenumbers,
};
use eddy_numerics::space::grid::Periodic;
use eddy_spec::EddyError;

use super::{Advance, Backend, Brush, LineEquation, Live, Shape};
use crate::experiment::gpu_error;
use crate::{DeviceKind, LocalFuture};

/// A plan on the device.
enum Plan {
    Etdrk4(Etdrk4Plan),
    Stencil(StencilPlan),
}

/// What a plan solves, for live coefficients.
#[derive(Clone, Copy)]
enum System {
    Line(LineEquation, Periodic),
    Flow(Periodic),
    GrayScott,
    Wave,
}

/// A plan as a back end. Steps are submitted together; a reduction over every field tells whether they were good, and a
/// copy on the device holds the last state that was.
pub struct GpuBackend {
    plan: Plan,
    system: System,
    shape: Shape,
    fields: usize,
    /// Magnitude beyond which the state counts as blown up.
    bound: f64,
    growth: f64,
}

/// Rows of a record are this many times rarer than on the CPU: each one waits for the device.
const ROW_STRIDE: u64 = 8;

/// Largest number of points along an axis of a transform.
const LARGEST_TRANSFORM: usize = 1024;

fn check_transform(points: usize, key: &str) -> Result<(), EddyError> {
    if points.is_power_of_two() && points <= LARGEST_TRANSFORM {
        return Ok(());
    }
    let near = points.next_power_of_two().min(LARGEST_TRANSFORM);
    Err(EddyError::gpu(
        "gpu-transform",
        format!("On the GPU the number of points must be a power of two up to {LARGEST_TRANSFORM}. Take {near}, or switch to the CPU."),
    )
    .at(key))
}

fn line_symbol(equation: LineEquation, grid: &Periodic, live: &Live) -> Vec<Vec<[f64; 2]>> {
    let symbol = |k: &f64| [equation.symbol(&live.coefficients, *k), 0.0];
    vec![wavenumbers(grid.points, grid.length).iter().map(symbol).collect()]
}

fn flow_symbol(side: &Periodic, live: &Live) -> Vec<Vec<[f64; 2]>> {
    let k = wavenumbers(side.points, side.length);
    let (viscosity, drag) = (live.coefficients[0], live.coefficients[1]);
    let symbol = |ky: &f64| k.iter().map(|kx| [-viscosity * (kx * kx + ky * ky) - drag, 0.0]).collect::<Vec<_>>();
    vec![k.iter().flat_map(symbol).collect()]
}

fn flow_force(live: &Live) -> Nonlinear {
    Nonlinear::NavierStokes { amplitude: live.coefficients[2], mode: live.coefficients[3] as u32 }
}

fn reaction(live: &Live) -> StencilSystem {
    let c = &live.coefficients;
    StencilSystem::GrayScott { diffusivity_u: c[0], diffusivity_v: c[1], feed: c[2], kill: c[3] }
}

fn wave(live: &Live) -> StencilSystem {
    StencilSystem::Wave { speed: live.coefficients[0], damping: live.coefficients[1] }
}

fn narrow(fields: &[Vec<f64>]) -> Vec<Vec<f32>> {
    fields.iter().map(|f| f.iter().map(|v| *v as f32).collect()).collect()
}

impl GpuBackend {
    fn new(plan: Plan, system: System, shape: Shape, fields: &[Vec<f64>], growth: f64) -> Result<Self, EddyError> {
        let mut backend = Self { plan, system, shape, fields: fields.len(), bound: f64::INFINITY, growth };
        let largest = fields.iter().flatten().fold(0.0_f64, |m, v| m.max(v.abs()));
        backend.bound = growth * largest.max(1.0);
        backend.keep().map_err(gpu_error)?;
        Ok(backend)
    }

    /// A scalar equation on a line.
    pub fn line(
        gpu: &Gpu,
        equation: LineEquation,
        grid: Periodic,
        live: &Live,
        fields: &[Vec<f64>],
        growth: f64,
    ) -> Result<Self, EddyError> {
        check_transform(grid.points, "points")?;
        let spec = Etdrk4Spec {
            shape: [grid.points, 1],
            lengths: [grid.length, 1.0],
            linear: line_symbol(equation, &grid, live),
            nonlinear: match equation {
                LineEquation::Heat => Nonlinear::None,
                _ => Nonlinear::Burgers { flux: equation.flux() },
            },
            dt: live.dt,
        };
        let initial = narrow(fields);
        let plan = Etdrk4Plan::new(gpu, spec, &slices(&initial)).map_err(gpu_error)?;
        Self::new(Plan::Etdrk4(plan), System::Line(equation, grid), Shape::line(grid), fields, growth)
    }

    /// The vorticity of a periodic square.
    pub fn flow(gpu: &Gpu, side: Periodic, live: &Live, fields: &[Vec<f64>], growth: f64) -> Result<Self, EddyError> {
        check_transform(side.points, "grid")?;
        let spec = Etdrk4Spec {
            shape: [side.points; 2],
            lengths: [side.length; 2],
            linear: flow_symbol(&side, live),
            nonlinear: flow_force(live),
            dt: live.dt,
        };
        let initial = narrow(fields);
        let plan = Etdrk4Plan::new(gpu, spec, &slices(&initial)).map_err(gpu_error)?;
        let shape = Shape::square(side.points, side.length, true);
        Self::new(Plan::Etdrk4(plan), System::Flow(side), shape, fields, growth)
    }

    /// Gray-Scott on a periodic square with points at distance 1.
    pub fn gray_scott(
        gpu: &Gpu,
        method: StencilMethod,
        shape: Shape,
        live: &Live,
        fields: &[Vec<f64>],
        growth: f64,
    ) -> Result<Self, EddyError> {
        Self::stencil(gpu, System::GrayScott, reaction(live), method, Edge::Periodic, shape, live, fields, growth)
    }

    /// The wave equation on a square.
    pub fn wave(
        gpu: &Gpu,
        method: StencilMethod,
        edge: Edge,
        shape: Shape,
        live: &Live,
        fields: &[Vec<f64>],
        growth: f64,
    ) -> Result<Self, EddyError> {
        Self::stencil(gpu, System::Wave, wave(live), method, edge, shape, live, fields, growth)
    }

    #[allow(clippy::too_many_arguments, reason = "the two callers above name them")]
    fn stencil(
        gpu: &Gpu,
        system: System,
        equations: StencilSystem,
        method: StencilMethod,
        edge: Edge,
        shape: Shape,
        live: &Live,
        fields: &[Vec<f64>],
        growth: f64,
    ) -> Result<Self, EddyError> {
        let spec = StencilSpec {
            shape: [shape.nx, shape.ny],
            spacing: [shape.dx(), shape.dy()],
            edges: [edge; 2],
            order: StencilOrder::Two,
            system: equations,
            method,
            dt: live.dt,
        };
        let initial = narrow(fields);
        let plan = StencilPlan::new(gpu, spec, &slices(&initial)).map_err(gpu_error)?;
        Self::new(Plan::Stencil(plan), system, shape, fields, growth)
    }

    fn keep(&mut self) -> Result<(), GpuError> {
        match &mut self.plan {
            Plan::Etdrk4(plan) => plan.keep(),
            Plan::Stencil(plan) => plan.keep(),
        }
    }

    fn restore(&mut self) -> Result<(), GpuError> {
        match &mut self.plan {
            Plan::Etdrk4(plan) => plan.restore(),
            Plan::Stencil(plan) => plan.restore(),
        }
    }

    async fn stats(&mut self, field: usize) -> Result<Summary, GpuError> {
        match &mut self.plan {
            Plan::Etdrk4(plan) => plan.stats(field).await,
            Plan::Stencil(plan) => plan.stats(field).await,
        }
    }

    async fn is_good(&mut self) -> Result<bool, GpuError> {
        for field in 0..self.fields {
            let s = self.stats(field).await?;
            let largest = f64::from(s.min.abs().max(s.max.abs()));
            if s.non_finite > 0 || !(largest <= self.bound) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn submit(&mut self, steps: u64) -> Result<(), GpuError> {
        match &mut self.plan {
            Plan::Etdrk4(plan) => plan.step(steps as usize),
            Plan::Stencil(plan) => plan.step(steps as usize),
        }
    }

    async fn steps(&mut self, steps: u64, sample_at: &[u64]) -> Result<Advance, GpuError> {
        let mut submitted = 0;
        let mut samples = Vec::with_capacity(sample_at.len());
        for &at in sample_at {
            self.submit(at - submitted)?;
            submitted = at;
            // The copy is on its way at once; waiting for it between the steps would keep the device idle.
            samples.push(match &mut self.plan {
                Plan::Etdrk4(plan) => Sample::Etdrk4(plan.read(0)?),
                Plan::Stencil(plan) => Sample::Stencil(plan.read(0)?),
            });
        }
        self.submit(steps - submitted)?;
        if !self.is_good().await? {
            self.restore()?;
            return Ok(Advance::default());
        }
        self.keep()?;
        let mut done = Advance { steps, samples: Vec::with_capacity(samples.len()) };
        for sample in samples {
            let values = match sample {
                Sample::Etdrk4(values) => values.await?,
                Sample::Stencil(values) => values.await?,
            };
            done.samples.push(values.into_iter().map(f64::from).collect());
        }
        Ok(done)
    }

    async fn copy(&mut self, fields: &mut [Vec<f64>]) -> Result<(), GpuError> {
        for (i, field) in fields.iter_mut().enumerate() {
            let values = match &mut self.plan {
                Plan::Etdrk4(plan) => plan.read(i)?.await?,
                Plan::Stencil(plan) => plan.read(i)?.await?,
            };
            for (to, from) in field.iter_mut().zip(values) {
                *to = f64::from(from);
            }
        }
        Ok(())
    }

    fn change(&mut self, live: &Live) -> Result<(), GpuError> {
        match (&mut self.plan, self.system) {
            (Plan::Etdrk4(plan), System::Line(equation, grid)) => {
                plan.set_dt(live.dt)?;
                plan.set_linear(line_symbol(equation, &grid, live))
            }
            (Plan::Etdrk4(plan), System::Flow(side)) => {
                plan.set_dt(live.dt)?;
                plan.set_nonlinear(flow_force(live))?;
                plan.set_linear(flow_symbol(&side, live))
            }
            (Plan::Stencil(plan), system) => {
                plan.set_dt(live.dt)?;
                plan.set_system(if matches!(system, System::Wave) { wave(live) } else { reaction(live) })
            }
            (Plan::Etdrk4(_), _) => Ok(()),
        }
    }
}

/// A read-back under way; the two plans have futures of different types.
enum Sample<E, S> {
    Etdrk4(E),
    Stencil(S),
}

fn slices(fields: &[Vec<f32>]) -> Vec<&[f32]> {
    fields.iter().map(Vec::as_slice).collect()
}

impl Backend for GpuBackend {
    fn advance<'a>(
        &'a mut self,
        _: f64,
        steps: u64,
        sample_at: &'a [u64],
    ) -> LocalFuture<'a, Result<Advance, EddyError>> {
        Box::pin(async move { self.steps(steps, sample_at).await.map_err(gpu_error) })
    }

    fn device_kind(&self) -> DeviceKind {
        DeviceKind::Gpu
    }

    fn read<'a>(&'a mut self, fields: &'a mut [Vec<f64>]) -> LocalFuture<'a, Result<(), EddyError>> {
        Box::pin(async move { self.copy(fields).await.map_err(gpu_error) })
    }

    fn paint(&mut self, field: usize, brush: &Brush) -> Result<(), EddyError> {
        let (shape, dx) = (self.shape, self.shape.dx());
        let stroke = eddy_gpu::Brush {
            x: ((brush.x - shape.x.0) / dx) as f32,
            y: if shape.ny > 1 { ((brush.y - shape.y.0) / shape.dy()) as f32 } else { 0.0 },
            radius: (brush.radius / dx).max(1.5) as f32,
            amplitude: brush.amount as f32,
        };
        match &mut self.plan {
            Plan::Etdrk4(plan) => plan.paint(field, stroke),
            Plan::Stencil(plan) => plan.paint(field, stroke),
        }
        .map_err(gpu_error)?;
        self.bound = self.bound.max(self.growth * brush.amount.abs());
        self.keep().map_err(gpu_error)
    }

    fn set(&mut self, live: &Live) -> Result<(), EddyError> {
        self.change(live).map_err(gpu_error)
    }

    fn gpu_field(&mut self, field: usize) -> Option<FieldSource> {
        match &mut self.plan {
            Plan::Etdrk4(plan) => plan.physical_buffer(field).ok(),
            Plan::Stencil(plan) => plan.physical_buffer(field).ok(),
        }
    }

    fn row_stride(&self) -> u64 {
        ROW_STRIDE
    }
}
