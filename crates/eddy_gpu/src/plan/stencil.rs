//! Explicit equations on grids of points, stepped by Runge-Kutta methods or Störmer-Verlet.

use std::sync::Arc;

use eddy_kernels::cpu::shared::laplacian::{self, Stencil};
use eddy_kernels::cpu::{gray_scott, wave};
use eddy_kernels::kernels;

use super::{Brush, check_fields, paint_bump};
use crate::buffer::Buffer;
use crate::draw::FieldSource;
use crate::error::GpuError;
use crate::gpu::Gpu;
use crate::pipeline::Pipeline;
use crate::recording::Recording;
use crate::reduce::{Reduction, Summary};

/// Both ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The last point is the neighbour of the first.
    Periodic,
    /// The end points keep their value, a wave is reflected with the opposite sign.
    Dirichlet,
    /// Slope 0 at the end points, a wave is reflected with its sign.
    Neumann,
}

impl Edge {
    fn code(self) -> u32 {
        match self {
            Self::Periodic => laplacian::PERIODIC,
            Self::Dirichlet => laplacian::DIRICHLET,
            Self::Neumann => laplacian::NEUMANN,
        }
    }
}

/// Formal order of the Laplacian: 5 points or a cross of 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StencilOrder {
    Two,
    Four,
}

/// The equation and its coefficients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StencilSystem {
    /// u_t = Du ∇²u - u v² + F (1 - u), v_t = Dv ∇²v + u v² - (F + k) v. Fields u, v.
    GrayScott { diffusivity_u: f64, diffusivity_v: f64, feed: f64, kill: f64 },
    /// u_tt = c² ∇²u - damping u_t. Fields u, u_t.
    Wave { speed: f64, damping: f64 },
}

/// How a plan steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StencilMethod {
    /// Explicit Euler: order 1, one dispatch a step. Stable for dt D ρ ≤ 2; unstable for waves without damping.
    Euler,
    /// Heun's method: order 2, two dispatches. Stable for dt D ρ ≤ 2; waves grow slowly.
    Rk2,
    /// The classical Runge-Kutta method: order 4, four dispatches. Stable for dt D ρ ≤ 2.78 and dt c √ρ ≤ 2.82.
    Rk4,
    /// Störmer-Verlet in kick-drift-kick form: order 2, symplectic, two dispatches. Undamped waves only. Stable for
    /// dt c √ρ ≤ 2. Hairer, Lubich & Wanner (2003), Acta Numerica 12, 399.
    Verlet,
}

impl StencilMethod {
    /// b_i and a_{i+1,i} of the stages, in units of dt; every stage needs the one before only.
    fn stages(self) -> &'static [(f64, f64)] {
        match self {
            Self::Euler => &[(1.0, 0.0)],
            Self::Rk2 => &[(0.5, 1.0), (0.5, 0.0)],
            Self::Rk4 => &[(1.0 / 6.0, 0.5), (1.0 / 3.0, 0.5), (1.0 / 3.0, 1.0), (1.0 / 6.0, 0.0)],
            // Its halves are kernels of their own.
            Self::Verlet => &[],
        }
    }
}

/// An equation on a plane, of any size from 3 × 3 on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StencilSpec {
    /// [nx, ny]
    pub shape: [usize; 2],
    /// Distances [dx, dy] of the points.
    pub spacing: [f64; 2],
    pub edges: [Edge; 2],
    pub order: StencilOrder,
    pub system: StencilSystem,
    pub method: StencilMethod,
    pub dt: f64,
}

/// Fields of every [`StencilSystem`].
const FIELDS: usize = 2;

/// Steps of a [`StencilMethod`] in f32 on the device.
///
/// The stability limits of the methods hold with ρ = 4/dx² + 4/dy² for order 2 and 4/3 of it for order 4.
pub struct StencilPlan {
    gpu: Gpu,
    spec: StencilSpec,
    /// The state and where the next one is summed up; they change roles with every step.
    states: [Buffer; 2],
    /// Which of `states` holds the fields.
    current: usize,
    /// Of every stage of a Runge-Kutta method; one of both halves of a Verlet step.
    params: Vec<Buffer>,
    step_from: [Recording; 2],
    summaries: [Vec<Reduction>; 2],
    kept: Option<Kept>,
    steps: u64,
}

/// A copy of the state; how each of the two buffers gets there and back.
struct Kept {
    save: [Recording; 2],
    load: [Recording; 2],
    steps: u64,
}

impl StencilPlan {
    /// Compiles what is needed and loads the two initial fields of nx · ny values.
    ///
    /// # Errors
    /// [`GpuError::Shape`] for sizes that do not fit, [`GpuError::Limit`] for fields beyond the device.
    pub fn new(gpu: &Gpu, spec: StencilSpec, initial: &[&[f32]]) -> Result<Self, GpuError> {
        check_spec(&spec)?;
        let [nx, ny] = spec.shape;
        let points = nx * ny;
        let storage = |label| gpu.storage(label, (FIELDS * points * 4) as u64);
        let states = [storage("state")?, storage("sum")?];
        let params = match spec.method {
            StencilMethod::Verlet => vec![gpu.uniform(&half_step_params(&spec))],
            method => (0..method.stages().len())
                .map(|stage| match spec.system {
                    StencilSystem::GrayScott { .. } => gpu.uniform(&gray_scott_params(&spec, stage)),
                    StencilSystem::Wave { .. } => gpu.uniform(&wave_params(&spec, stage)),
                })
                .collect(),
        };
        let mut step_from = [Recording::new(), Recording::new()];
        if spec.method == StencilMethod::Verlet {
            let kernels = [gpu.pipeline_now(&kernels::wave::KICK_DRIFT)?, gpu.pipeline_now(&kernels::wave::KICK)?];
            for (from, recording) in step_from.iter_mut().enumerate() {
                record_verlet(gpu, recording, &kernels, &params[0], [&states[from], &states[1 - from]], spec.shape)?;
            }
        } else {
            let pipeline = gpu.pipeline_now(match spec.system {
                StencilSystem::GrayScott { .. } => &kernels::gray_scott::RUNGE_KUTTA,
                StencilSystem::Wave { .. } => &kernels::wave::RUNGE_KUTTA,
            })?;
            // Between stages; the last one's is written and not read.
            let stages = [storage("stage 1")?, storage("stage 2")?];
            for (from, recording) in step_from.iter_mut().enumerate() {
                let ends = [&states[from], &states[1 - from]];
                record_step(gpu, recording, &pipeline, &params, ends, &stages, spec.shape)?;
            }
        }
        let mut summaries = [Vec::new(), Vec::new()];
        for (state, list) in states.iter().zip(&mut summaries) {
            for field in 0..FIELDS {
                list.push(Reduction::new(gpu, state, (field * points) as u32, points as u32, 1)?);
            }
        }
        let mut plan =
            Self { gpu: gpu.clone(), spec, states, current: 0, params, step_from, summaries, kept: None, steps: 0 };
        plan.set_fields(initial)?;
        Ok(plan)
    }

    /// Replaces both fields; the step count starts again.
    pub fn set_fields(&mut self, initial: &[&[f32]]) -> Result<(), GpuError> {
        let points = self.points();
        check_fields(initial, FIELDS, points)?;
        for (field, values) in initial.iter().enumerate() {
            self.gpu.write(&self.states[self.current], field * points, values)?;
        }
        self.steps = 0;
        Ok(())
    }

    /// Submits `n` steps. Does not wait; see [`Gpu::finished`].
    pub fn step(&mut self, n: usize) -> Result<(), GpuError> {
        let first = self.current;
        self.gpu.submit_all((0..n).map(|i| &self.step_from[(first + i) % 2]))?;
        self.current = (first + n) % 2;
        self.steps += n as u64;
        Ok(())
    }

    /// Steps since the fields were set.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn fields(&self) -> usize {
        FIELDS
    }

    pub fn spec(&self) -> &StencilSpec {
        &self.spec
    }

    fn points(&self) -> usize {
        self.spec.shape[0] * self.spec.shape[1]
    }

    /// Changes the time step; the fields stay.
    pub fn set_dt(&mut self, dt: f64) -> Result<(), GpuError> {
        self.change(StencilSpec { dt, ..self.spec })
    }

    /// Changes the coefficients; the kind of system is fixed.
    pub fn set_system(&mut self, system: StencilSystem) -> Result<(), GpuError> {
        if std::mem::discriminant(&system) != std::mem::discriminant(&self.spec.system) {
            return Err(GpuError::shape("The kind of system of a plan is fixed."));
        }
        self.change(StencilSpec { system, ..self.spec })
    }

    fn change(&mut self, spec: StencilSpec) -> Result<(), GpuError> {
        check_spec(&spec)?;
        self.spec = spec;
        if spec.method == StencilMethod::Verlet {
            return self.gpu.write(&self.params[0], 0, &[half_step_params(&spec)]);
        }
        for (stage, uniform) in self.params.iter().enumerate() {
            match spec.system {
                StencilSystem::GrayScott { .. } => self.gpu.write(uniform, 0, &[gray_scott_params(&spec, stage)])?,
                StencilSystem::Wave { .. } => self.gpu.write(uniform, 0, &[wave_params(&spec, stage)])?,
            }
        }
        Ok(())
    }

    /// Remembers the state on the device, instead of the one remembered before.
    pub fn keep(&mut self) -> Result<(), GpuError> {
        if self.kept.is_none() {
            let copy = self.gpu.storage("kept", self.states[0].size())?;
            let mut kept = Kept { save: Default::default(), load: Default::default(), steps: 0 };
            for (i, state) in self.states.iter().enumerate() {
                kept.save[i].copy(state, &copy, copy.size());
                kept.load[i].copy(&copy, state, copy.size());
            }
            self.kept = Some(kept);
        }
        if let Some(kept) = &mut self.kept {
            kept.steps = self.steps;
            self.gpu.submit(&kept.save[self.current], 1)?;
        }
        Ok(())
    }

    /// Goes back to the state that [`StencilPlan::keep`] remembered; without one nothing changes.
    pub fn restore(&mut self) -> Result<(), GpuError> {
        if let Some(kept) = &self.kept {
            self.gpu.submit(&kept.load[self.current], 1)?;
            self.steps = kept.steps;
        }
        Ok(())
    }

    fn check_field(&self, field: usize) -> Result<(), GpuError> {
        if field < FIELDS { Ok(()) } else { Err(GpuError::shape(format!("There is no field {field}; there are 2."))) }
    }

    /// The values of a field as they are now, for drawing.
    pub fn physical_buffer(&mut self, field: usize) -> Result<FieldSource, GpuError> {
        self.check_field(field)?;
        let [nx, ny] = self.spec.shape;
        Ok(FieldSource { buffer: self.states[self.current].clone(), nx, ny, offset: field * nx * ny })
    }

    /// Reads a field as it is now; the steps may go on while the future is pending.
    pub fn read(&mut self, field: usize) -> Result<impl Future<Output = Result<Vec<f32>, GpuError>> + use<>, GpuError> {
        let source = self.physical_buffer(field)?;
        Ok(self.gpu.read(&source.buffer, source.offset, self.points()))
    }

    /// Extremes, sum and non-finite count of a field.
    pub async fn stats(&mut self, field: usize) -> Result<Summary, GpuError> {
        self.check_field(field)?;
        self.summaries[self.current][field].run(&self.gpu).await
    }

    /// Adds a bump to a field; across the edges if both axes are periodic.
    pub fn paint(&mut self, field: usize, brush: Brush) -> Result<(), GpuError> {
        let source = self.physical_buffer(field)?;
        let is_periodic = self.spec.edges == [Edge::Periodic; 2];
        let shape = [source.nx as u32, source.ny as u32];
        paint_bump(&self.gpu, &source.buffer, shape, source.offset as u32, is_periodic, brush)
    }
}

fn check_spec(spec: &StencilSpec) -> Result<(), GpuError> {
    let numbers = match spec.system {
        StencilSystem::GrayScott { diffusivity_u, diffusivity_v, feed, kill } => {
            [diffusivity_u, diffusivity_v, feed, kill]
        }
        StencilSystem::Wave { speed, damping } => [speed, damping, 0.0, 0.0],
    };
    let is_finite = numbers.iter().chain(&spec.spacing).chain([&spec.dt]).all(|v| v.is_finite());
    if !is_finite || spec.spacing.iter().any(|d| *d <= 0.0) {
        return Err(GpuError::shape("The time step, the spacing and the coefficients must be finite numbers."));
    }
    if spec.method == StencilMethod::Verlet
        && !matches!(spec.system, StencilSystem::Wave { damping, .. } if damping == 0.0)
    {
        return Err(GpuError::shape("Störmer-Verlet steps undamped waves only."));
    }
    // The stencil of order 4 reaches two points, its mirror image must lie inside.
    let [nx, ny] = spec.shape;
    if nx < 3 || ny < 3 || nx > 1 << 14 || ny > 1 << 14 {
        return Err(GpuError::shape(format!("A grid of {nx} × {ny} points; each axis takes 3 to 16384.")));
    }
    Ok(())
}

fn stencil(spec: &StencilSpec) -> Stencil {
    let (near, far) = match spec.order {
        StencilOrder::Two => (1.0, 0.0),
        StencilOrder::Four => (4.0 / 3.0, -1.0 / 12.0),
    };
    let [dx, dy] = spec.spacing;
    Stencil {
        nx: spec.shape[0] as u32,
        ny: spec.shape[1] as u32,
        edge_x: spec.edges[0].code(),
        edge_y: spec.edges[1].code(),
        inverse_dx2: (1.0 / (dx * dx)) as f32,
        inverse_dy2: (1.0 / (dy * dy)) as f32,
        near,
        far,
    }
}

fn gray_scott_params(spec: &StencilSpec, stage: usize) -> gray_scott::runge_kutta::Params {
    let StencilSystem::GrayScott { diffusivity_u, diffusivity_v, feed, kill } = spec.system else {
        return bytemuck::Zeroable::zeroed();
    };
    gray_scott::runge_kutta::Params {
        stencil: stencil(spec),
        diffusivity_u: diffusivity_u as f32,
        diffusivity_v: diffusivity_v as f32,
        feed: feed as f32,
        kill: kill as f32,
        share: (spec.dt * spec.method.stages()[stage].0) as f32,
        ahead: (spec.dt * spec.method.stages()[stage].1) as f32,
        is_first: u32::from(stage == 0),
    }
}

fn wave_params(spec: &StencilSpec, stage: usize) -> wave::runge_kutta::Params {
    let StencilSystem::Wave { speed, damping } = spec.system else { return bytemuck::Zeroable::zeroed() };
    wave::runge_kutta::Params {
        stencil: stencil(spec),
        speed_squared: (speed * speed) as f32,
        damping: damping as f32,
        share: (spec.dt * spec.method.stages()[stage].0) as f32,
        ahead: (spec.dt * spec.method.stages()[stage].1) as f32,
        is_first: u32::from(stage == 0),
    }
}

/// The two kernels of a Verlet step have the same parameters.
fn half_step_params(spec: &StencilSpec) -> wave::kick_drift::Params {
    let StencilSystem::Wave { speed, .. } = spec.system else { return bytemuck::Zeroable::zeroed() };
    wave::kick_drift::Params { stencil: stencil(spec), speed_squared: (speed * speed) as f32, dt: spec.dt as f32 }
}

fn record_verlet(
    gpu: &Gpu,
    recording: &mut Recording,
    [kick_drift, kick]: &[Arc<Pipeline>; 2],
    params: &Buffer,
    [start, end]: [&Buffer; 2],
    [nx, ny]: [usize; 2],
) -> Result<(), GpuError> {
    let size = [nx as u32, ny as u32, 1];
    recording.dispatch(gpu, kick_drift, &[params, start, end], kick_drift.workgroups(size))?;
    recording.dispatch(gpu, kick, &[params, end], kick.workgroups(size))
}

fn record_step(
    gpu: &Gpu,
    recording: &mut Recording,
    pipeline: &Arc<Pipeline>,
    params: &[Buffer],
    [start, sum]: [&Buffer; 2],
    stages: &[Buffer; 2],
    [nx, ny]: [usize; 2],
) -> Result<(), GpuError> {
    for (stage, uniform) in params.iter().enumerate() {
        let state = if stage == 0 { start } else { &stages[(stage - 1) % 2] };
        let buffers = [uniform, start, state, sum, &stages[stage % 2]];
        recording.dispatch(gpu, pipeline, &buffers, pipeline.workgroups([nx as u32, ny as u32, 1]))?;
    }
    Ok(())
}
