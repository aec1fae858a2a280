//! The two contracts: [`Experiment`] (what a catalogue file states) and [`Run`] (a setting's state in time).

use std::{any::Any, future::Future, pin::Pin};

use eddy_spec::{Axis, Citation, Claim, Cost, EddyError, Metric, Outcome, ParamTable, ViewData, ViewSpec};
use web_time::Instant;

use crate::{Record, weights::Tensor};

/// A future of this thread. GPU read-back is asynchronous in a browser; CPU runs return [`ready`].
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A future that is already done.
pub fn ready<'a, T: 'a>(value: T) -> LocalFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

/// The kind of problem an experiment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lab {
    Pde,
    Pinn,
    Operator,
    Sampler,
    Flow,
    Linear,
    Dynamics,
    Inverse,
    Mesh,
    Optimizer,
    Eigen,
    Sequence,
}

impl Lab {
    pub fn key(self) -> &'static str {
        match self {
            Self::Pde => "pde",
            Self::Pinn => "pinn",
            Self::Operator => "operator",
            Self::Sampler => "sampler",
            Self::Flow => "flow",
            Self::Linear => "linear",
            Self::Dynamics => "dynamics",
            Self::Inverse => "inverse",
            Self::Mesh => "mesh",
            Self::Optimizer => "optimizer",
            Self::Eigen => "eigen",
            Self::Sequence => "sequence",
        }
    }
    pub fn label(self) -> &'static str {
        match self {
            Self::Pde => "PDE",
            Self::Pinn => "PINN",
            Self::Operator => "Operators",
            Self::Sampler => "Samplers",
            Self::Flow => "Flows",
            Self::Linear => "Linear solvers",
            Self::Dynamics => "Dynamics",
            Self::Inverse => "Inverse",
            Self::Mesh => "Meshes",
            Self::Optimizer => "Optimizers",
            Self::Eigen => "Eigenproblems",
            Self::Sequence => "Sequences",
        }
    }
}

/// Number format of a CPU run. GPU runs are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    F64,
}

/// Back end kinds an experiment can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    Cpu,
    Gpu,
}

impl DeviceKind {
    pub fn key(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

/// The back end of a run.
#[derive(Clone)]
pub enum Device {
    Cpu,
    Gpu(eddy_gpu::Gpu),
}

/// Where and how a run computes.
#[derive(Clone)]
pub struct Context {
    pub device: Device,
    pub precision: Precision,
}

impl Context {
    /// The CPU in f64, where every claim is checked by default.
    pub fn cpu() -> Self {
        Self { device: Device::Cpu, precision: Precision::F64 }
    }
    pub fn kind(&self) -> DeviceKind {
        match self.device {
            Device::Cpu => DeviceKind::Cpu,
            Device::Gpu(_) => DeviceKind::Gpu,
        }
    }
    /// What the device chip and the verdict say of a run: "CPU · f64" or the adapter's name, as the run itself has it.
    pub fn describe_run(&self, run: &dyn Run) -> String {
        match (&self.device, run.device_kind()) {
            (Device::Gpu(_), Some(DeviceKind::Gpu) | None) => self.describe(),
            _ => Self { device: Device::Cpu, precision: run.precision().unwrap_or(self.precision) }.describe(),
        }
    }
    /// Where and how runs compute that do not say otherwise.
    pub fn describe(&self) -> String {
        match &self.device {
            Device::Cpu => match self.precision {
                Precision::F32 => "CPU · f32".to_owned(),
                Precision::F64 => "CPU · f64".to_owned(),
            },
            Device::Gpu(gpu) => format!("{} · f32", gpu.describe()),
        }
    }
}

/// The run drawn beside an experiment: the same parameters with `change` (a permalink query) applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    pub label: &'static str,
    pub change: &'static str,
}

/// One file of the catalogue. Everything on its page, in the command line and in the claim checks is derived from this.
pub trait Experiment: 'static {
    type Params: ParamTable;
    const TITLE: &'static str;
    /// One sentence for the gallery card: what one sees.
    const SUMMARY: &'static str;
    const LAB: Lab;
    /// Empty for a pure lab bench without a paper.
    const PAPERS: &'static [Citation];
    /// The axis against which the metrics are recorded (time, training steps, evaluations).
    const AXIS: Axis;
    const METRICS: &'static [Metric];
    /// The first one is shown first on the stage.
    const VIEWS: &'static [ViewSpec];
    const BASELINE: Option<Baseline>;
    const CLAIM: Option<Claim>;
    const DEVICES: &'static [DeviceKind];
    /// Whether one default run takes seconds or minutes on a slow laptop.
    const COST: Cost;

    /// A fresh run. Fails when the parameters, each valid by itself, do not go together.
    fn start(params: &Self::Params, context: &Context) -> Result<Box<dyn Run>, EddyError>;
}

/// How much a call of [`Run::advance`] may do: whichever limit is reached first.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub seconds: f64,
    pub steps: u64,
}

impl Budget {
    pub fn seconds(seconds: f64) -> Self {
        Self { seconds, steps: u64::MAX }
    }
    pub fn steps(steps: u64) -> Self {
        Self { seconds: f64::INFINITY, steps }
    }
    /// Starts the clock.
    pub fn start(self) -> Clock {
        Clock { budget: self, started: Instant::now(), steps: 0 }
    }
    /// Spends it: `work` does some steps and says how many, `None` when the run has ended. One call is always allowed.
    pub fn spend(self, mut work: impl FnMut() -> Option<u64>) {
        let mut clock = self.start();
        while work().is_some_and(|steps| clock.tick(steps)) {}
    }
}

/// A running budget.
pub struct Clock {
    budget: Budget,
    started: Instant,
    steps: u64,
}

impl Clock {
    /// Counts `steps` done steps and tells whether there is budget left. Call it after each step: a budget always allows
    /// one, so that a slow run still moves.
    pub fn tick(&mut self, steps: u64) -> bool {
        self.steps += steps;
        self.steps < self.budget.steps && self.started.elapsed().as_secs_f64() < self.budget.seconds
    }
    /// Steps still allowed.
    pub fn steps_left(&self) -> u64 {
        self.budget.steps.saturating_sub(self.steps)
    }
    pub fn elapsed_secs(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done (time steps, training steps, sampler steps).
    pub steps: u64,
    /// Position on the experiment's AXIS.
    pub position: f64,
    /// Fraction done in [0, 1].
    pub fraction: f64,
    /// Work done, for the speed read-out: cell updates, evaluations, points.
    pub work: f64,
    /// Unit of `work` in the plural ("cells", "evaluations").
    pub work_unit: &'static str,
}

/// What the pointer did on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerKind {
    Down,
    Move,
    Up,
}

/// A pointer event in the data coordinates of a view's axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pointer {
    pub kind: PointerKind,
    pub x: f64,
    pub y: f64,
    /// Radius of the brush in units of the x axis.
    pub radius: f64,
    /// The second button or the shift key: paint the opposite.
    pub secondary: bool,
}

/// A picture in shades of grey: `values[j * nx + i]` from 0 (black) to 1 (white), row 0 at the bottom.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub nx: usize,
    pub ny: usize,
    pub values: Vec<f32>,
}

impl Picture {
    /// Whether there are as many finite values as the size says, at least one.
    pub fn is_sound(&self) -> bool {
        self.nx > 0
            && self.nx.checked_mul(self.ny) == Some(self.values.len())
            && !self.values.is_empty()
            && self.values.iter().all(|v| v.is_finite())
    }

    /// The shade at a place of the unit square, bilinear between the middles of the pixels.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let place = |at: f64, count: usize| {
            let at = (at * count as f64 - 0.5).clamp(0.0, (count - 1) as f64);
            let low = at.floor() as usize;
            (low, (low + 1).min(count - 1), at - low as f64)
        };
        let ((i, right, a), (j, up, b)) = (place(x, self.nx), place(y, self.ny));
        let value = |i: usize, j: usize| f64::from(self.values[j * self.nx + i]);
        let along = |j: usize| value(i, j) + a * (value(right, j) - value(i, j));
        along(j) + b * (along(up) - along(j))
    }
}

/// An experiment's own parameters of those that a run is given.
pub fn own<P: 'static>(params: &dyn Any) -> Result<&P, EddyError> {
    params.downcast_ref().ok_or_else(|| EddyError::internal("A run was given another experiment's parameters."))
}

/// A setting's state in time.
///
/// Never panics on any parameters its table allows. Divergence is an [`Outcome`]; `advance` errs only for what the user
/// or we must fix (a lost device, out of memory).
pub trait Run {
    /// Moves on until the budget is spent or the run ends. Does nothing if the outcome is not `Running`.
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>>;
    fn outcome(&self) -> Outcome;
    fn progress(&self) -> Progress;
    /// The device at work where it may not be the context's: a method without a GPU version stays on the CPU.
    fn device_kind(&self) -> Option<DeviceKind> {
        None
    }
    /// The number format at work on the CPU where it may not be the context's: some methods exist in one only.
    fn precision(&self) -> Option<Precision> {
        None
    }
    /// What the metrics have been so far.
    fn record(&self) -> &Record;
    /// The contents of the view `key` of VIEWS. All numbers finite, also after divergence (the last good state).
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>>;
    /// Applies changed live parameters; `params` is the experiment's `Params`.
    fn update(&mut self, _params: &dyn Any) -> Result<(), EddyError> {
        Ok(())
    }
    /// The user touches view `key`. Returns whether anything changed.
    fn pointer(&mut self, _key: &str, _event: &Pointer) -> bool {
        false
    }
    /// Positions on the axis that the run can go back (or forth again) to, ascending; empty where it keeps no states.
    fn keyframes(&self) -> Vec<f64> {
        Vec::new()
    }
    /// Shows the kept state nearest to `position`. Stays there until it advances, which then goes on from that state and
    /// forgets the later ones. Returns whether there was one.
    fn seek(&mut self, _position: f64) -> bool {
        false
    }
    /// Puts a picture in place of the field that view `key` shows. Returns whether there is such a field.
    fn load(&mut self, _key: &str, _picture: &Picture) -> bool {
        false
    }
    /// A Python program that makes the same run, or why there is none of this one; `None` where there never is one.
    fn script(&self) -> Option<Result<String, EddyError>> {
        None
    }
    /// What the settings bring about that they do not say, at their keys: the run goes on all the same.
    fn remarks(&self) -> Vec<EddyError> {
        Vec::new()
    }
    /// The trained parameters; empty where the run trains none.
    fn weights(&self) -> Vec<Tensor> {
        Vec::new()
    }
    /// Puts given parameters in place of the trained ones. Training goes on from them with a fresh optimizer.
    fn set_weights(&mut self, _given: &[Tensor]) -> Result<(), EddyError> {
        Err(EddyError::new(
            "weights",
            "This experiment trains no network that could take weights. Load the file where they were saved.",
        ))
    }
    /// The field view `key` where it lies on the GPU, if it does: it is then drawn from there without read-back.
    fn gpu_field(&mut self, _key: &str) -> Option<GpuField> {
        None
    }
}

/// A field on the GPU with what `ViewData::Field` says beside the numbers.
#[derive(Clone, Debug)]
pub struct GpuField {
    pub source: eddy_gpu::FieldSource,
    pub x: (f64, f64),
    pub y: (f64, f64),
    /// Values of the first and the last colour.
    pub range: (f64, f64),
}

/// A GPU error keeps its code and message.
pub fn gpu_error(e: eddy_gpu::GpuError) -> EddyError {
    EddyError::gpu(e.code(), e.to_string())
}

impl Device {
    /// Asks for a GPU and checks that it computes rightly (a known transform and sum); the error says why there is none.
    pub async fn request_gpu() -> Result<Self, EddyError> {
        let gpu = eddy_gpu::Gpu::request(eddy_gpu::GpuOptions::default()).await.map_err(gpu_error)?;
        eddy_gpu::canary(&gpu).await.map_err(gpu_error)?;
        Ok(Self::Gpu(gpu))
    }
}
