//! Explicit methods in time for shaders that a typed system wrote.
//!
//! A shader does a whole stage: it takes the rates at one state and writes the next, with the bindings of
//! `eddy_expr::lower::wgsl_step`. This file knows nothing of equations; it brings the factors of the methods, the buffers
//! and the order of the dispatches.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use eddy_kernels::{Binding, BindingKind, EntryPoint, Kernel, Stage};

use super::{Brush, check_fields, paint_bump};
use crate::buffer::Buffer;
use crate::draw::FieldSource;
use crate::error::GpuError;
use crate::gpu::Gpu;
use crate::pipeline::Pipeline;
use crate::recording::Recording;
use crate::reduce::{Reduction, Summary};

/// How a [`TypedPlan`] steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedMethod {
    /// Explicit Euler: order 1, one dispatch a step.
    Euler,
    /// Heun's method: order 2, two dispatches.
    Rk2,
    /// Strong-stability-preserving: order 3, three dispatches. Shu & Osher (1988), J. Comput. Phys. 77, 439, eq. 2.18.
    Ssprk3,
    /// The classical Runge-Kutta method: order 4, four dispatches.
    Rk4,
    /// Störmer-Verlet in kick-drift-kick form: order 2, symplectic, two dispatches; for u_tt = F(u). Hairer, Lubich &
    /// Wanner (2003), Acta Numerica 12, 399, eq. 1.8.
    Verlet,
}

/// One dispatch: when the rates are taken, in steps, and the factors of `next` and `sum`.
struct StageFactors {
    at: f64,
    next: [f64; 4],
    sum: [f64; 4],
}

impl TypedMethod {
    /// Of the names `euler`, `rk2`, `ssprk3`, `rk4` and `verlet`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "euler" => Self::Euler,
            "rk2" => Self::Rk2,
            "ssprk3" => Self::Ssprk3,
            "rk4" => Self::Rk4,
            "verlet" => Self::Verlet,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Euler => "euler",
            Self::Rk2 => "rk2",
            Self::Ssprk3 => "ssprk3",
            Self::Rk4 => "rk4",
            Self::Verlet => "verlet",
        }
    }

    /// Whether its shader sums over the stages.
    pub fn has_sum(self) -> bool {
        self == Self::Rk4
    }

    /// Longest stable dt·λ on the negative real axis and on the imaginary axis; 0 where every step grows.
    pub fn stability(self) -> [f64; 2] {
        match self {
            Self::Euler | Self::Rk2 => [2.0, 0.0],
            Self::Ssprk3 => [2.512, 1.732],
            Self::Rk4 => [2.785, 2.828],
            Self::Verlet => [0.0, 2.0],
        }
    }

    fn stages(self, dt: f64) -> Vec<StageFactors> {
        let stage = |at: f64, next: [f64; 4]| StageFactors { at, next, sum: [0.0; 4] };
        match self {
            Self::Euler => vec![stage(0.0, [0.0, 1.0, 0.0, dt])],
            Self::Rk2 => vec![stage(0.0, [0.0, 1.0, 0.0, dt]), stage(1.0, [0.5, 0.5, 0.0, 0.5 * dt])],
            Self::Ssprk3 => vec![
                stage(0.0, [0.0, 1.0, 0.0, dt]),
                stage(1.0, [0.75, 0.25, 0.0, 0.25 * dt]),
                stage(0.5, [1.0 / 3.0, 2.0 / 3.0, 0.0, 2.0 / 3.0 * dt]),
            ],
            Self::Rk4 => vec![
                StageFactors { at: 0.0, next: [1.0, 0.0, 0.0, 0.5 * dt], sum: [1.0, 0.0, dt / 6.0, 0.0] },
                StageFactors { at: 0.5, next: [1.0, 0.0, 0.0, 0.5 * dt], sum: [0.0, 1.0, dt / 3.0, 0.0] },
                StageFactors { at: 0.5, next: [1.0, 0.0, 0.0, dt], sum: [0.0, 1.0, dt / 3.0, 0.0] },
                StageFactors { at: 1.0, next: [0.0, 0.0, 1.0, dt / 6.0], sum: [0.0, 1.0, 0.0, 0.0] },
            ],
            Self::Verlet => {
                vec![stage(0.0, [0.5 * dt, dt, 0.0, 0.0]), stage(1.0, [0.5 * dt, 0.0, 0.0, 0.0])]
            }
        }
    }
}

/// What a plan needs to know besides its shader.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedSpec {
    /// Points along x, y and z; 1 beyond the dimension.
    pub shape: [usize; 3],
    /// 1 to 3; decides the shader's workgroup.
    pub dimension: u8,
    /// Planes of the state: one per real field, two per complex one.
    pub planes: usize,
    pub method: TypedMethod,
    pub dt: f64,
    /// Whether the numbers of the shader change with time.
    pub reads_time: bool,
    pub is_periodic: bool,
}

/// The numbers that a shader reads at a time, always of one length.
pub type UniformsAt = Box<dyn Fn(f64) -> Vec<f32>>;

/// Steps that have numbers of their own in one submission, where the numbers change with time.
const TIMED_STEPS: usize = 32;

/// `Stage` of the shader.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct StageParams {
    grid: [u32; 4],
    next: [f32; 4],
    sum: [f32; 4],
}

const BINDINGS: &[Binding] = &[
    Binding { name: "stage", kind: BindingKind::Uniform },
    Binding { name: "uniforms", kind: BindingKind::Read },
    Binding { name: "state", kind: BindingKind::Read },
    Binding { name: "start", kind: BindingKind::Read },
    Binding { name: "sum", kind: BindingKind::ReadWrite },
    Binding { name: "next", kind: BindingKind::ReadWrite },
];

const fn stage_kernel(entries: &'static [EntryPoint]) -> Kernel {
    let params_size = size_of::<StageParams>() as u32;
    Kernel { name: "typed/stage", source: "", entries, bindings: BINDINGS, params: &[], params_size }
}

static LINE: Kernel = stage_kernel(&[EntryPoint { name: "main", stage: Stage::Compute, workgroup_size: [64, 1, 1] }]);
static PLANE: Kernel = stage_kernel(&[EntryPoint { name: "main", stage: Stage::Compute, workgroup_size: [16, 8, 1] }]);

/// A typed system in f32 on the device.
///
/// The state is one buffer of `planes` · points values, plane after plane, x fastest.
pub struct TypedPlan {
    gpu: Gpu,
    spec: TypedSpec,
    uniforms_at: UniformsAt,
    /// Values in one set of uniforms.
    set: usize,
    uniforms: Buffer,
    /// By position in a block of steps and stage.
    params: Vec<Vec<Buffer>>,
    states: [Buffer; 2],
    current: usize,
    /// By position in a block of steps, and by the buffer that the step starts from.
    recorded: Vec<[Recording; 2]>,
    summaries: [Vec<Reduction>; 2],
    kept: Buffer,
    save: [Recording; 2],
    load: [Recording; 2],
    kept_at: (f64, u64),
    time: f64,
    steps: u64,
}

impl TypedPlan {
    /// Compiles `shader`, loads `initial` (one slice of points per plane) and starts at `time`.
    ///
    /// # Errors
    /// [`GpuError::Shape`] for sizes that do not fit, [`GpuError::Limit`] for states beyond the device,
    /// [`GpuError::Validation`] for a shader that does not compile (in a browser at the next call).
    pub fn new(
        gpu: &Gpu,
        spec: TypedSpec,
        shader: &str,
        uniforms_at: UniformsAt,
        initial: &[&[f32]],
        time: f64,
    ) -> Result<Self, GpuError> {
        check_dt(spec.dt)?;
        let points: usize = spec.shape.iter().product();
        if points == 0 || spec.planes == 0 || spec.shape.iter().any(|n| u32::try_from(*n).is_err()) {
            return Err(GpuError::shape("A typed system needs at least one point and one field."));
        }
        check_fields(initial, spec.planes, points)?;
        let bytes = (spec.planes * points * 4) as u64;
        // The shader's indices are 32 bits wide.
        if bytes / 4 > u64::from(u32::MAX) {
            return Err(GpuError::Limit { name: "values in a state", have: u64::from(u32::MAX), need: bytes / 4 });
        }
        let kernel = if spec.dimension <= 1 { &LINE } else { &PLANE };
        let pipeline = Arc::new(Pipeline::build(gpu, kernel, shader)?);
        gpu.check()?;
        let block = if spec.reads_time { TIMED_STEPS } else { 1 };
        let stages = spec.method.stages(spec.dt).len();
        let set = uniforms_at(time).len();
        let sets = if spec.reads_time { block * stages } else { 1 };
        let uniforms = gpu.storage("uniforms", (4 * set * sets) as u64)?;
        let states = [gpu.storage("state", bytes)?, gpu.storage("state", bytes)?];
        let scratch = |needed: bool, label: &str| gpu.storage(label, if needed { bytes } else { 16 });
        let between = [scratch(stages > 1, "stage 1")?, scratch(stages > 2, "stage 2")?];
        let sum = scratch(spec.method.has_sum(), "sum")?;
        let empty = StageParams::zeroed();
        let params: Vec<Vec<Buffer>> = (0..block).map(|_| (0..stages).map(|_| gpu.uniform(&empty)).collect()).collect();
        let size = spec.shape.map(|n| n as u32);
        let mut recorded = Vec::with_capacity(block);
        for params in &params {
            let mut pair = [Recording::new(), Recording::new()];
            for (from, recording) in pair.iter_mut().enumerate() {
                for (stage, params) in params.iter().enumerate() {
                    let state = if stage == 0 { &states[from] } else { &between[(stage - 1) % 2] };
                    let next = if stage + 1 == stages { &states[1 - from] } else { &between[stage % 2] };
                    let buffers = [params, &uniforms, state, &states[from], &sum, next];
                    recording.dispatch(gpu, &pipeline, &buffers, pipeline.workgroups(size))?;
                }
            }
            recorded.push(pair);
        }
        let kept = gpu.storage("kept", bytes)?;
        let (mut save, mut load) = ([Recording::new(), Recording::new()], [Recording::new(), Recording::new()]);
        let mut summaries = [Vec::new(), Vec::new()];
        for (index, state) in states.iter().enumerate() {
            save[index].copy(state, &kept, bytes);
            load[index].copy(&kept, state, bytes);
            for plane in 0..spec.planes {
                summaries[index].push(Reduction::new(gpu, state, (plane * points) as u32, points as u32, 1)?);
            }
        }
        let mut plan = Self {
            gpu: gpu.clone(),
            spec,
            uniforms_at,
            set,
            uniforms,
            params,
            states,
            current: 0,
            recorded,
            summaries,
            kept,
            save,
            load,
            kept_at: (time, 0),
            time,
            steps: 0,
        };
        plan.write_params()?;
        plan.write_uniforms(time, 1)?;
        plan.set_state(initial, time)?;
        Ok(plan)
    }

    fn points(&self) -> usize {
        self.spec.shape.iter().product()
    }

    pub fn spec(&self) -> &TypedSpec {
        &self.spec
    }

    /// Time of the state as it will be when all submitted steps are done.
    pub fn time(&self) -> f64 {
        self.time
    }

    /// Steps since the state was set.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn write_params(&self) -> Result<(), GpuError> {
        let [nx, ny, nz] = self.spec.shape.map(|n| n as u32);
        for (position, params) in self.params.iter().enumerate() {
            for (stage, (factors, buffer)) in self.spec.method.stages(self.spec.dt).iter().zip(params).enumerate() {
                let set = if self.spec.reads_time { position * params.len() + stage } else { 0 };
                let (next, sum) = (factors.next.map(|f| f as f32), factors.sum.map(|f| f as f32));
                let grid = [nx, ny, nz, (set * self.set) as u32];
                self.gpu.write(buffer, 0, &[StageParams { grid, next, sum }])?;
            }
        }
        Ok(())
    }

    /// The numbers for the `steps` steps that begin at `time`.
    fn write_uniforms(&self, time: f64, steps: usize) -> Result<(), GpuError> {
        let mut all = Vec::new();
        if self.spec.reads_time {
            let stages = self.spec.method.stages(self.spec.dt);
            for step in 0..steps {
                for stage in &stages {
                    all.extend((self.uniforms_at)(time + (step as f64 + stage.at) * self.spec.dt));
                }
            }
        } else {
            all = (self.uniforms_at)(time);
        }
        self.gpu.write(&self.uniforms, 0, &all)
    }

    /// Replaces the state and the time; the step count starts again. What was kept is this state from then on.
    pub fn set_state(&mut self, planes: &[&[f32]], time: f64) -> Result<(), GpuError> {
        let points = self.points();
        check_fields(planes, self.spec.planes, points)?;
        for (plane, values) in planes.iter().enumerate() {
            self.gpu.write(&self.states[self.current], plane * points, values)?;
        }
        (self.time, self.steps) = (time, 0);
        self.keep()
    }

    /// Writes some values of a plane, from point `start` on.
    pub fn write(&mut self, plane: usize, start: usize, values: &[f32]) -> Result<(), GpuError> {
        self.check_plane(plane)?;
        if start + values.len() > self.points() {
            return Err(GpuError::shape("The values leave the plane."));
        }
        self.gpu.write(&self.states[self.current], plane * self.points() + start, values)
    }

    /// Submits `n` steps. Does not wait; see [`Gpu::finished`].
    pub fn step(&mut self, n: usize) -> Result<(), GpuError> {
        let block = if self.spec.reads_time { TIMED_STEPS } else { usize::MAX };
        let mut left = n;
        while left > 0 {
            let count = left.min(block);
            if self.spec.reads_time {
                self.write_uniforms(self.time, count)?;
            }
            let (first, recorded) = (self.current, &self.recorded);
            self.gpu.submit_all((0..count).map(|i| &recorded[i % recorded.len()][(first + i) % 2]))?;
            self.current = (first + count) % 2;
            self.time += count as f64 * self.spec.dt;
            self.steps += count as u64;
            left -= count;
        }
        Ok(())
    }

    /// Changes the time step; the state stays.
    pub fn set_dt(&mut self, dt: f64) -> Result<(), GpuError> {
        check_dt(dt)?;
        if dt == self.spec.dt {
            return Ok(());
        }
        self.spec.dt = dt;
        self.write_params()
    }

    /// Changes what the shader's numbers are; their count stays.
    pub fn set_uniforms(&mut self, uniforms_at: UniformsAt) -> Result<(), GpuError> {
        if uniforms_at(self.time).len() != self.set {
            return Err(GpuError::shape("The shader takes another count of numbers."));
        }
        self.uniforms_at = uniforms_at;
        self.write_uniforms(self.time, 1)
    }

    /// Remembers the state on the device, instead of the one remembered before.
    pub fn keep(&mut self) -> Result<(), GpuError> {
        self.gpu.submit(&self.save[self.current], 1)?;
        self.kept_at = (self.time, self.steps);
        Ok(())
    }

    /// Goes back to the state that [`TypedPlan::keep`] remembered last.
    pub fn restore(&mut self) -> Result<(), GpuError> {
        self.gpu.submit(&self.load[self.current], 1)?;
        (self.time, self.steps) = self.kept_at;
        Ok(())
    }

    fn check_plane(&self, plane: usize) -> Result<(), GpuError> {
        let planes = self.spec.planes;
        if plane < planes { Ok(()) } else { Err(GpuError::shape(format!("No plane {plane}; there are {planes}."))) }
    }

    /// A plane as it is now, for drawing; of three dimensions the slice in the middle of z.
    pub fn field_source(&self, plane: usize) -> Result<FieldSource, GpuError> {
        self.check_plane(plane)?;
        let [nx, ny, nz] = self.spec.shape;
        let offset = plane * self.points() + nz / 2 * nx * ny;
        Ok(FieldSource { buffer: self.states[self.current].clone(), nx, ny, offset })
    }

    /// Reads the whole state as it is now, plane after plane; the steps may go on while the future is pending.
    pub fn read(&self) -> impl Future<Output = Result<Vec<f32>, GpuError>> + use<> {
        self.gpu.read(&self.states[self.current], 0, self.spec.planes * self.points())
    }

    /// Extremes, sum and non-finite count of a plane.
    pub async fn stats(&self, plane: usize) -> Result<Summary, GpuError> {
        self.check_plane(plane)?;
        self.summaries[self.current][plane].run(&self.gpu).await
    }

    /// Adds a bump to a plane of a system in one or two dimensions; across the edges if all axes are periodic.
    pub fn paint(&mut self, plane: usize, brush: Brush) -> Result<(), GpuError> {
        let source = self.field_source(plane)?;
        if self.spec.shape[2] > 1 {
            return Err(GpuError::shape("Painting works in one and two dimensions."));
        }
        let shape = [source.nx as u32, source.ny as u32];
        paint_bump(&self.gpu, &source.buffer, shape, source.offset as u32, self.spec.is_periodic, brush)
    }

    /// Bytes on the device.
    pub fn memory(&self) -> u64 {
        self.states[0].size() * 2 + self.kept.size() + self.uniforms.size()
    }
}

fn check_dt(dt: f64) -> Result<(), GpuError> {
    if dt > 0.0 && dt.is_finite() {
        Ok(())
    } else {
        Err(GpuError::shape(format!("The time step must be positive and finite, not {dt}.")))
    }
}
