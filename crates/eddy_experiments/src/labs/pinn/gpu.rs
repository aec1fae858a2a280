//! Training of line problems on the GPU.

use eddy_gpu::Gpu;
use eddy_nets::{
    Network,
    gpu::{GpuTrainError, LineTask, LineTrainer, Residual},
};
use eddy_spec::{EddyError, Outcome, ViewData};

#[cfg(feature = "pinn")]
use super::problem_insight::{ProblemInsight, standing};
use super::{
    METRICS, Problem, Training, Weigher, Weighting,
    device::{DeviceRun, Followed, POOL, Reached, refused},
    line::{LineEquation, LineProblem},
    run::{Prober, divergence, residual_view, start, weights_view},
};
use crate::{Context, Device, Record, Run, weights::Tensor, weights::tensors};

/// A fresh run of a line problem on the context's device.
pub fn start_line<E: LineEquation>(
    problem: LineProblem<E>,
    training: Training,
    context: &Context,
) -> Result<Box<dyn Run>, EddyError> {
    match &context.device {
        Device::Cpu => start(problem, training, context),
        Device::Gpu(gpu) => start_on_gpu(problem, training, gpu),
    }
}

/// A line problem in training on the device.
struct Line<E> {
    problem: LineProblem<E>,
    training: Training,
    /// The network as last read back.
    network: Network<f32>,
    prober: Prober<f32>,
    weigher: Weigher,
    step: u64,
    #[cfg(feature = "pinn")]
    insight: ProblemInsight,
    /// Points of a step, for the insight.
    #[cfg(feature = "pinn")]
    sample: Vec<f64>,
}

fn start_on_gpu<E: LineEquation>(
    problem: LineProblem<E>,
    training: Training,
    gpu: &Gpu,
) -> Result<Box<dyn Run>, EddyError> {
    let (Some(residual), Weighting::Uniform) = (problem.equation().on_gpu(), &training.weighting) else {
        return Err(EddyError::gpu("device-unsupported", "This training runs on the CPU. Switch the device to CPU."));
    };
    let network = Network::<f32>::new(problem.architecture(), u64::from(training.seed))
        .map_err(|e| refused(GpuTrainError::Network(e)))?;
    let slices = problem.slices();
    let batch = slices.count * slices.points;
    let mut points = vec![0.0; 2 * batch * POOL as usize];
    for (set, points) in points.chunks_exact_mut(2 * batch).enumerate() {
        problem.points(set as u64, points);
    }
    let mut envelopes = Vec::with_capacity(points.len());
    for p in points.chunks_exact(2) {
        let (a, b) = problem.equation().envelope(p[0], p[1]);
        envelopes.extend([a, b].map(|jet| jet.map(|v| v as f32)));
    }
    #[cfg(feature = "pinn")]
    let sample = points[..2 * batch].to_vec();
    let points: Vec<f32> = points.iter().map(|x| *x as f32).collect();
    let task = LineTask {
        residual: Residual::Line(residual),
        points: &points,
        envelopes: &envelopes,
        batch,
        adam: training.adam(),
        steps: training.steps,
    };
    let trainer = LineTrainer::new(gpu, &network, &task).map_err(refused)?;
    let mut prober = Prober::new(&problem, &network).map_err(|e| refused(GpuTrainError::Network(e)))?;
    prober.measure(&problem, &network);
    let counts = [training.steps, training.record_every];
    let line = Line {
        prober,
        weigher: Weigher::new(slices),
        network,
        problem,
        training,
        step: 0,
        #[cfg(feature = "pinn")]
        insight: ProblemInsight::default(),
        #[cfg(feature = "pinn")]
        sample,
    };
    Ok(Box::new(DeviceRun::new(gpu, trainer, line, counts, Record::of(METRICS))))
}

impl<E: LineEquation> Followed for Line<E> {
    fn measure(&mut self, reached: Reached) -> Option<Vec<f64>> {
        self.step = reached.step;
        self.network.parameters = reached.parameters;
        // Those of the last step.
        #[cfg(feature = "pinn")]
        self.problem.points((reached.step.max(1) - 1) % POOL, &mut self.sample);
        self.weigher.begin(0.0);
        for (point, square) in reached.squares.iter().enumerate() {
            self.weigher.weigh(point, f64::from(*square));
        }
        let error = self.prober.measure(&self.problem, &self.network);
        #[cfg(feature = "pinn")]
        if self.insight.is_due(self.step) {
            let standing = standing(&self.network, &self.sample, self.step);
            // The network was built before: nothing is refused here.
            let _ = self.insight.measured(&self.problem, &standing, 0.0, self.training.steps);
        }
        let row = vec![error, self.weigher.mean(), self.weigher.smallest(), f64::NAN, reached.seconds];
        error.is_finite().then_some(row)
    }
    fn points(&self) -> usize {
        let slices = self.weigher.slices();
        slices.count * slices.points
    }
    fn divergence(&mut self, step: u64) -> Outcome {
        divergence(step, self.training.rate)
    }
    fn view(&mut self, key: &str) -> ViewData {
        match key {
            "weights" => weights_view(&self.weigher),
            "residual" => residual_view(&self.weigher, self.step),
            #[cfg(feature = "pinn")]
            "points" | "error-spectrum" | "kernel" | "gradients" | "neurons" => {
                let standing = standing(&self.network, &self.sample, self.step);
                self.insight.view(key, &self.problem, &standing, &self.prober.solution).unwrap_or(ViewData::Empty)
            }
            _ => self.problem.view(key, &self.prober.solution),
        }
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.network.architecture().named(), &self.network.parameters)
    }
}
