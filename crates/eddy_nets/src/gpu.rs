//! Training on the GPU: a step is five dispatches, and many steps are one submission.
//!
//! For residuals of (u, ∂u/∂a, ∂u/∂b, ∂²u/∂b²) of one field u = A + B·N, (t, x) in place of (a, b) for most: one with
//! coefficients, or any that is given as a function in WGSL. Forward, residual, backward, Adam with the gradients of the
//! workgroups, and the count of steps; the twins of the kernels are in `eddy_kernels::cpu::nets`. The points come from a fixed
//! pool of batches, taken in turn.

use std::sync::Arc;

use eddy_gpu::{Buffer, Gpu, GpuError, Pipeline, Recording};
use eddy_kernels::{
    cpu::nets::{adam, advance, backward, forward, line_residual, typed_residual},
    kernels::nets as kernels,
};
use thiserror::Error;

use crate::{Activation, AdamSettings, JetSpec, Level, NetError, Network, features::FeatureLayer};

/// Coefficients of the residual u_t + advection·u·u_x − diffusion·u_xx + reaction·(u³ − u).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineResidual {
    pub advection: f32,
    pub diffusion: f32,
    pub reaction: f32,
}

/// Why a network cannot be trained on this device.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum GpuTrainError {
    #[error(transparent)]
    Network(#[from] NetError),
    #[error(transparent)]
    Gpu(#[from] GpuError),
    #[error("{what} on the GPU. {advice}")]
    Unsupported { what: &'static str, advice: &'static str },
}

/// What the network is trained on.
#[derive(Clone, Copy, Debug)]
pub enum Residual<'a> {
    Line(LineResidual),
    Typed(TypedResidual<'a>),
}

/// A residual as a function in WGSL, `fn residual(u: vec4<f32>, place: vec2<f32>) -> Residual` with
/// `struct Residual { value: f32, slopes: vec4<f32> }`, and with what it calls.
#[derive(Clone, Copy, Debug)]
pub struct TypedResidual<'a> {
    pub function: &'a str,
    /// The numbers that it reads as `uniforms`.
    pub uniforms: &'a [f32],
    /// `place` of the points, [batch][point].
    pub places: &'a [[f32; 2]],
    /// Factor of the residual before it is squared.
    pub scale: f32,
    /// Points of a batch at which it is asked for, the first ones.
    pub inside: usize,
    /// At the other points factors of u, ∂u/∂b and ∂²u/∂b², and what is added to them: [batch][point].
    pub conditions: &'a [[f32; 4]],
    /// Factor of the mean of the squares of those in the loss.
    pub side_weight: f32,
}

/// A dense network with equal hidden layers and one output, its parameters as in [`Architecture::layers`](crate::Architecture).
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    pub width: usize,
    pub layers: usize,
    pub activation: Activation,
    /// Jets of what the first layer sees, [batch][point][feature].
    pub features: &'a [[f32; 4]],
    /// How many of them a point has.
    pub feature_count: usize,
    pub parameters: &'a [f32],
}

/// What a training is made of.
pub struct LineTask<'a> {
    pub residual: Residual<'a>,
    /// (t, x) pairs, [batch][point].
    pub points: &'a [f32],
    /// Jets (value, ∂t, ∂x, ∂xx) of A and B, [batch][point][2].
    pub envelopes: &'a [[f32; 4]],
    /// Points of a batch.
    pub batch: usize,
    pub adam: AdamSettings,
    /// Steps after which the learning rate stays as it is; sizes a table of 8 bytes a step.
    pub steps: u64,
}

/// A network in training on the device.
pub struct LineTrainer {
    gpu: Gpu,
    step: Recording,
    parameters: Buffer,
    squares: Buffer,
    gradients: Buffer,
    count: usize,
    groups: usize,
    batch: usize,
}

/// What is said of layers that do not fit.
const UNEQUAL: [&str; 2] =
    ["Only networks of up to 64 units in equal hidden layers are trained", "Make the layers smaller, or use the CPU."];

/// Most workgroups of the backward kernel: each has a gradient of its own to be summed.
const MOST_GROUPS: usize = 64;

impl LineTrainer {
    /// Uploads the network and the pool, and records a step.
    ///
    /// # Errors
    /// [`GpuTrainError::Unsupported`] for networks other than 1 to 64 units in equal hidden layers, at most 64 features, one
    /// output, tanh or sine, and for gradient clipping; [`GpuTrainError::Gpu`] as the device has it.
    pub fn new(gpu: &Gpu, network: &Network<f32>, task: &LineTask<'_>) -> Result<Self, GpuTrainError> {
        let architecture = network.architecture();
        let refuse = |what, advice| Err(GpuTrainError::Unsupported { what, advice });
        let width = architecture.hidden.first().copied().unwrap_or(0);
        if architecture.hidden.iter().any(|u| *u != width) {
            return refuse(UNEQUAL[0], UNEQUAL[1]);
        }
        if architecture.inputs != 2 || architecture.outputs != 1 {
            return refuse("Only networks from (t, x) to one value are trained", "Use the CPU.");
        }
        let features = features_of(network, task.points);
        let dense = Dense {
            width,
            layers: architecture.hidden.len(),
            activation: architecture.activation,
            features: &features,
            feature_count: architecture.features.count(),
            parameters: &network.parameters,
        };
        Self::with(gpu, &dense, task)
    }

    /// The same for a network whose features are given.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(gpu: &Gpu, network: &Dense<'_>, task: &LineTask<'_>) -> Result<Self, GpuTrainError> {
        let refuse = |what, advice| Err(GpuTrainError::Unsupported { what, advice });
        let activation = match network.activation {
            Activation::Tanh => 0,
            Activation::Sin => 1,
            _ => return refuse("Only tanh and sine networks are trained", "Choose one of them, or the CPU."),
        };
        let Dense { width, layers, feature_count: features, .. } = *network;
        if width == 0 || layers == 0 {
            return refuse("Only networks with a hidden layer are trained", "Add one.");
        }
        if width > backward::UNITS || features > backward::UNITS {
            return refuse(UNEQUAL[0], UNEQUAL[1]);
        }
        if task.adam.clip.is_some() {
            return refuse("Gradients are not clipped", "Use the CPU, or do not clip.");
        }
        let batches = task.points.len() / (2 * task.batch.max(1));
        let all = batches * task.batch;
        let fits = task.points.len() == 2 * all
            && task.envelopes.len() == 2 * all
            && network.features.len() == all * features
            && network.parameters.len() == width * (features + 1) + (layers - 1) * width * (width + 1) + width + 1;
        let has_places = match &task.residual {
            Residual::Line(_) => true,
            Residual::Typed(typed) => {
                let outside = task.batch.checked_sub(typed.inside);
                typed.places.len() == all && outside.is_some_and(|n| typed.conditions.len() == batches * n)
            }
        };
        if batches == 0 || !fits || !has_places {
            return Err(GpuError::Shape {
                message: format!(
                    "A pool of {} numbers and {} jets is not made of batches of {} points.",
                    task.points.len(),
                    task.envelopes.len(),
                    task.batch
                ),
            }
            .into());
        }

        let count = network.parameters.len();
        let groups = task.batch.div_ceil(backward::TILE).min(MOST_GROUPS);
        let number = |n: usize| n as u32;
        let state = gpu.storage_from("steps", &[0u32])?;
        let parameters = gpu.storage_from("parameters", network.parameters)?;
        let moments = gpu.storage_from("moments", &vec![[0f32; 2]; count])?;
        let feature_jets = gpu.storage_from("features", network.features)?;
        let envelopes = gpu.storage_from("envelopes", task.envelopes)?;
        let sums = gpu.storage("sums", (layers * task.batch * width * 16) as u64)?;
        let outputs = gpu.storage("outputs", (task.batch * 16) as u64)?;
        let adjoints = gpu.storage("adjoints", (task.batch * 16) as u64)?;
        let squares = gpu.storage("squared residuals", (task.batch * 4) as u64)?;
        let gradients = gpu.storage("gradients", (groups * count * 4) as u64)?;
        let rates = rates(&task.adam, task.steps.max(1));
        let rates_buffer = gpu.storage_from("rates", &rates)?;

        let mut step = Recording::new();
        let shape = forward::Params {
            points: number(task.batch),
            batches: number(batches),
            features: number(features),
            width: number(width),
            layers: number(layers),
            activation,
        };
        step.dispatch(
            gpu,
            &gpu.pipeline_now(&kernels::FORWARD)?,
            &[&gpu.uniform(&shape), &state, &parameters, &feature_jets, &sums, &outputs],
            [number(task.batch.div_ceil(backward::TILE)), 1, 1],
        )?;
        let (points, batches, weight) = (shape.points, shape.batches, 1.0 / task.batch as f32);
        match &task.residual {
            Residual::Line(LineResidual { advection, diffusion, reaction }) => {
                let params = line_residual::Params {
                    points,
                    batches,
                    advection: *advection,
                    diffusion: *diffusion,
                    reaction: *reaction,
                    weight,
                };
                let pipeline = gpu.pipeline_now(&kernels::LINE_RESIDUAL)?;
                let buffers = [&gpu.uniform(&params), &state, &envelopes, &outputs, &adjoints, &squares];
                step.dispatch(gpu, &pipeline, &buffers, pipeline.workgroups([points, 1, 1]))?;
            }
            Residual::Typed(typed) => {
                let TypedResidual { scale, inside, .. } = *typed;
                let share = |count: usize| 1.0 / count.max(1) as f32;
                let params = typed_residual::Params {
                    points,
                    batches,
                    inside: number(inside),
                    scale,
                    weight: share(inside),
                    side_weight: typed.side_weight * share(task.batch - inside),
                };
                // Buffers cannot be empty.
                let uniforms = if typed.uniforms.is_empty() { &[0.0] } else { typed.uniforms };
                let conditions = if typed.conditions.is_empty() { &[[0.0; 4]] } else { typed.conditions };
                let uniforms = gpu.storage_from("uniforms", uniforms)?;
                let conditions = gpu.storage_from("conditions", conditions)?;
                let places = gpu.storage_from("places", typed.places)?;
                let source = with_function(kernels::TYPED_RESIDUAL.source, typed.function);
                let pipeline = Arc::new(Pipeline::start(gpu, &kernels::TYPED_RESIDUAL, &source)?);
                let params = gpu.uniform(&params);
                let buffers =
                    [&params, &state, &uniforms, &places, &conditions, &envelopes, &outputs, &adjoints, &squares];
                step.dispatch(gpu, &pipeline, &buffers, pipeline.workgroups([points, 1, 1]))?;
            }
        }
        let forward::Params { points, batches, features, width, layers, activation } = shape;
        let back = backward::Params {
            points,
            batches,
            features,
            width,
            layers,
            activation,
            groups: number(groups),
            count: number(count),
        };
        step.dispatch(
            gpu,
            &gpu.pipeline_now(&kernels::BACKWARD)?,
            &[&gpu.uniform(&back), &state, &parameters, &feature_jets, &sums, &adjoints, &gradients],
            [number(groups), 1, 1],
        )?;
        let update = adam::Params {
            count: number(count),
            groups: number(groups),
            steps: number(rates.len()),
            beta1: task.adam.beta1 as f32,
            beta2: task.adam.beta2 as f32,
            epsilon: task.adam.epsilon as f32,
        };
        let pipeline = gpu.pipeline_now(&kernels::ADAM)?;
        step.dispatch(
            gpu,
            &pipeline,
            &[&gpu.uniform(&update), &state, &rates_buffer, &gradients, &parameters, &moments],
            pipeline.workgroups([number(count), 1, 1]),
        )?;
        let one = gpu.uniform(&advance::Params { steps: 1 });
        step.dispatch(gpu, &gpu.pipeline_now(&kernels::ADVANCE)?, &[&one, &state], [1, 1, 1])?;
        Ok(Self { gpu: gpu.clone(), step, parameters, squares, gradients, count, groups, batch: task.batch })
    }

    /// Queues `steps` training steps; does not wait for them.
    pub fn train(&self, steps: usize) -> Result<(), GpuError> {
        self.gpu.submit(&self.step, steps)
    }

    /// The parameters after all steps queued before.
    pub async fn parameters(&self) -> Result<Vec<f32>, GpuError> {
        self.gpu.read(&self.parameters, 0, self.count).await
    }

    /// Squared residual of each point of the last step's batch, and squared errors of conditions.
    pub async fn squares(&self) -> Result<Vec<f32>, GpuError> {
        self.gpu.read(&self.squares, 0, self.batch).await
    }

    /// Gradient of the last step's mean squared residual.
    pub async fn gradient(&self) -> Result<Vec<f32>, GpuError> {
        let parts: Vec<f32> = self.gpu.read(&self.gradients, 0, self.groups * self.count).await?;
        Ok((0..self.count).map(|i| (0..self.groups).map(|g| parts[g * self.count + i]).sum()).collect())
    }
}

/// A kernel with another `fn residual`: the one that it has calls nothing and has no block within it.
fn with_function(source: &str, function: &str) -> String {
    let start = source.find("fn residual(").unwrap_or(source.len());
    let end = source[start..].find("\n}\n").map_or(source.len(), |length| start + length + 3);
    [&source[..start], function, &source[end..]].concat()
}

/// rate/(1 − β₁ᵗ) and 1/(1 − β₂ᵗ) of every step.
fn rates(adam: &AdamSettings, steps: u64) -> Vec<[f32; 2]> {
    (0..steps)
        .map(|step| {
            let correction = |beta: f64| 1.0 - beta.powf((step + 1) as f64);
            [(adam.schedule.at(step) / correction(adam.beta1)) as f32, (1.0 / correction(adam.beta2)) as f32]
        })
        .collect()
}

/// Jets of the features at every point, [point][feature]: fixed, so computed once, by the code that the CPU trains with.
fn features_of(network: &Network<f32>, points: &[f32]) -> Vec<[f32; 4]> {
    const LANES: usize = 64;
    let features = &network.architecture().features;
    let jets = JetSpec::value(2).along(0).along(1).second(1, 1);
    let layer = FeatureLayer::<f32>::new(features, &jets);
    let count = features.count();
    let mut tile = [0f32; 2 * LANES];
    let mut out = vec![0f32; count * 4 * LANES];
    let mut all = Vec::with_capacity(points.len() / 2 * count);
    for chunk in points.chunks(2 * LANES) {
        for (lane, point) in chunk.chunks_exact(2).enumerate() {
            (tile[lane], tile[LANES + lane]) = (point[0], point[1]);
        }
        layer.fill(Level::best(), LANES, &tile, &mut out);
        for lane in 0..chunk.len() / 2 {
            all.extend((0..count).map(|f| [0, 1, 2, 3].map(|c| out[(f * 4 + c) * LANES + lane])));
        }
    }
    all
}
