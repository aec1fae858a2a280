//! The training loop.

use eddy_nets::{Adam, AdamSettings, Engine, JetSpec, NetError, Network, Real, Schedule, Shape};
use eddy_spec::{EddyError, Outcome, Role, Series, ViewData};
use web_time::Instant;

#[cfg(feature = "pinn")]
use super::problem_insight::{ProblemInsight, standing};
use super::{METRICS, Problem, Weigher, Weighting};
use crate::{
    Budget, Context, DeviceKind, LocalFuture, Precision, Progress, Record, Run, ready,
    weights::{Tensor, fill, tensors},
};

/// How a problem is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    pub weighting: Weighting,
    pub steps: u64,
    pub seed: u32,
    /// Learning rate of Adam; it decays by `factor` every `every` of the steps.
    pub rate: f64,
    pub decay: (f64, f64),
    /// Steps between two rows of the record; the error against the reference is computed there.
    pub record_every: u64,
}

impl Training {
    pub(super) fn adam(&self) -> AdamSettings {
        let (factor, share) = self.decay;
        let every = ((self.steps as f64 * share) as u64).max(1);
        let shape = Shape::Exponential { factor, every, staircase: true };
        AdamSettings { schedule: Schedule { rate: self.rate, shape, warm_up: 0 }, ..AdamSettings::default() }
    }
}

/// A fresh run in the context's precision.
pub fn start<P: Problem>(problem: P, training: Training, context: &Context) -> Result<Box<dyn Run>, EddyError> {
    if context.kind() == DeviceKind::Gpu {
        return Err(EddyError::gpu("device-unsupported", "This training runs on the CPU. Switch the device to CPU."));
    }
    let refused = |e: NetError| EddyError::start(format!("The network cannot be built. {e}"));
    Ok(match context.precision {
        Precision::F32 => Box::new(PinnRun::<P, f32>::new(problem, training).map_err(refused)?),
        Precision::F64 => Box::new(PinnRun::<P, f64>::new(problem, training).map_err(refused)?),
    })
}

/// Training of a problem in the number format `T`.
pub struct PinnRun<P, T: Real> {
    problem: P,
    training: Training,
    network: Network<T>,
    engine: Engine<T>,
    adam: Adam<T>,
    gradient: Vec<T>,
    sample: Vec<f64>,
    points: Vec<T>,
    weigher: Weigher,
    stage: usize,
    steps: u64,
    /// Spent training.
    seconds: f64,
    outcome: Outcome,
    record: Record,
    prober: Prober<T>,
    /// Parameters at the last finite measurement.
    good: Vec<T>,
    #[cfg(feature = "pinn")]
    insight: ProblemInsight,
}

/// Compares the network with the reference.
pub(super) struct Prober<T> {
    engine: Engine<T>,
    points: Vec<T>,
    outputs: usize,
    pub(super) solution: Vec<f64>,
    raw: Vec<f64>,
}

impl<T: Real> Prober<T> {
    pub(super) fn new<P: Problem>(problem: &P, network: &Network<T>) -> Result<Self, NetError> {
        let outputs = network.architecture().outputs;
        Ok(Self {
            engine: Engine::new(network, &JetSpec::value(network.architecture().inputs))?,
            points: problem.probes().iter().map(|x| T::from_f64(*x)).collect(),
            outputs,
            solution: vec![0.0; problem.reference().len()],
            raw: vec![0.0; outputs],
        })
    }

    /// Updates the solution at the probes; returns the relative L² error.
    pub(super) fn measure<P: Problem>(&mut self, problem: &P, network: &Network<T>) -> f64 {
        let Self { engine, points, outputs, solution, raw } = self;
        let inputs = network.architecture().inputs;
        let probes = problem.probes();
        engine.evaluate(network, points, |tile| {
            for i in 0..tile.len {
                for (o, r) in raw.iter_mut().enumerate() {
                    *r = tile.jet(o, 0)[i].to_f64();
                }
                let at = tile.start + i;
                problem.solution(&probes[at * inputs..][..inputs], raw, &mut solution[at * *outputs..][..*outputs]);
            }
        });
        let (mut difference, mut size) = (0.0, 0.0);
        for (u, r) in solution.iter().zip(problem.reference()) {
            difference += (u - r) * (u - r);
            size += r * r;
        }
        (difference / size).sqrt()
    }
}

impl<P: Problem, T: Real> PinnRun<P, T> {
    pub fn new(problem: P, training: Training) -> Result<Self, NetError> {
        let network = Network::<T>::new(problem.architecture(), u64::from(training.seed))?;
        let engine = Engine::new(&network, &problem.jets())?;
        let inputs = network.architecture().inputs;
        let slices = problem.slices();
        let numbers = slices.count * slices.points * inputs;
        let prober = Prober::new(&problem, &network)?;
        let count = network.parameters.len();
        let mut run = Self {
            adam: Adam::new(count, training.adam()),
            gradient: vec![T::ZERO; count],
            sample: vec![0.0; numbers],
            points: vec![T::ZERO; numbers],
            weigher: Weigher::new(slices),
            stage: 0,
            steps: 0,
            seconds: 0.0,
            outcome: Outcome::Running,
            record: Record::of(METRICS),
            prober,
            good: network.parameters.clone(),
            #[cfg(feature = "pinn")]
            insight: ProblemInsight::default(),
            problem,
            training,
            network,
            engine,
        };
        run.sample();
        run.prober.measure(&run.problem, &run.network);
        Ok(run)
    }

    /// The network as it stands.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    fn sample(&mut self) {
        self.problem.points(self.steps, &mut self.sample);
        for (p, s) in self.points.iter_mut().zip(&self.sample) {
            *p = T::from_f64(*s);
        }
    }

    fn epsilon(&self) -> f64 {
        match &self.training.weighting {
            Weighting::Uniform => 0.0,
            Weighting::Causal { stages, .. } => stages.get(self.stage).or(stages.last()).copied().unwrap_or(0.0),
        }
    }

    /// One training step. Returns whether everything stayed finite.
    fn step(&mut self) -> bool {
        if self.steps > 0 && self.problem.is_resampled() {
            self.sample();
        }
        let epsilon = self.epsilon();
        self.weigher.begin(epsilon);
        let (problem, weigher) = (&self.problem, &mut self.weigher);
        self.engine.gradient(&self.network, &self.points, &mut self.gradient, |tile| {
            problem.backward(tile, weigher);
            0.0
        });
        let norm = self.adam.step(&mut self.network.parameters, &mut self.gradient);
        self.steps += 1;
        if !(norm.is_finite() && self.weigher.mean().is_finite()) {
            return false;
        }
        if let Weighting::Causal { stages, threshold } = &self.training.weighting {
            if self.stage + 1 < stages.len() && self.weigher.smallest() > *threshold {
                self.stage += 1;
            }
        }
        true
    }

    /// Writes a row. Returns whether it is finite.
    fn measure(&mut self) -> bool {
        let error = self.prober.measure(&self.problem, &self.network);
        if !error.is_finite() {
            return false;
        }
        self.good.copy_from_slice(&self.network.parameters);
        let epsilon = if self.training.weighting == Weighting::Uniform { f64::NAN } else { self.epsilon() };
        let row = [error, self.weigher.mean(), self.weigher.smallest(), epsilon, self.seconds];
        self.record.push(self.steps as f64, &row);
        #[cfg(feature = "pinn")]
        if self.insight.is_due(self.steps) {
            let standing = standing(&self.network, &self.sample, self.steps);
            let epsilon = if epsilon.is_nan() { 0.0 } else { epsilon };
            // The network was built before: nothing is refused here.
            let _ = self.insight.measured(&self.problem, &standing, epsilon, self.training.steps);
        }
        true
    }

    fn diverge(&mut self) {
        self.network.parameters.copy_from_slice(&self.good);
        self.prober.measure(&self.problem, &self.network);
        self.outcome = divergence(self.steps, self.training.rate);
    }
}

/// The weights in time.
pub(crate) fn weights_view(weigher: &Weigher) -> ViewData {
    let slices = weigher.slices();
    let ts = (0..slices.count).map(|i| slices.time(i)).collect();
    let series = vec![Series::line("w(t)", Role::Result, ts, finite(weigher.weights(), 0.0))];
    ViewData::Lines { series, x: (0.0, slices.end), y: (0.0, 1.05) }
}

/// The mean squared residual in time, after a first step.
pub(crate) fn residual_view(weigher: &Weigher, steps: u64) -> ViewData {
    if steps == 0 {
        return ViewData::Empty;
    }
    let slices = weigher.slices();
    let ts = (0..slices.count).map(|i| slices.time(i)).collect();
    let losses: Vec<f64> = finite(weigher.losses(), 1.0).iter().map(|l| l.clamp(1e-16, 1e16)).collect();
    let (low, high) = losses.iter().fold((f64::INFINITY, 0.0), |(a, b): (f64, f64), l| (a.min(*l), b.max(*l)));
    // Without a time there is one of them.
    let draw = if slices.count == 1 { Series::dotted } else { Series::line };
    let series = vec![draw("mean squared residual", Role::Result, ts, losses)];
    ViewData::Lines { series, x: (0.0, slices.end), y: (low, high.max(2.0 * low)) }
}

/// What a run that overflowed says.
pub(crate) fn divergence(step: u64, rate: f64) -> Outcome {
    Outcome::Diverged {
        step,
        cause: format!("A step of Adam at rate {rate:.1e} made the network overflow."),
        advice: "Lower the learning rate.".to_owned(),
        repair: Some(("rate".to_owned(), format!("{:e}", (0.1 * rate).max(1e-5)))),
    }
}

fn finite(values: &[f64], instead: f64) -> Vec<f64> {
    values.iter().map(|v| if v.is_finite() { *v } else { instead }).collect()
}

impl<P: Problem, T: Real> Run for PinnRun<P, T> {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            let started = Instant::now();
            let fine = self.step();
            self.seconds += started.elapsed().as_secs_f64();
            let end = self.steps >= self.training.steps;
            let row = end || self.steps == 1 || self.steps.is_multiple_of(self.training.record_every);
            if !fine || (row && !self.measure()) {
                self.diverge();
            } else if end {
                self.outcome = Outcome::Finished;
            }
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        let slices = self.weigher.slices();
        Progress {
            steps: self.steps,
            position: self.steps as f64,
            fraction: (self.steps as f64 / self.training.steps as f64).min(1.0),
            work: self.steps as f64 * (slices.count * slices.points) as f64,
            work_unit: "points",
        }
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        ready(Ok(match key {
            "weights" => weights_view(&self.weigher),
            "residual" => residual_view(&self.weigher, self.steps),
            #[cfg(feature = "pinn")]
            "points" | "error-spectrum" | "kernel" | "gradients" | "neurons" => {
                let standing = standing(&self.network, &self.sample, self.steps);
                self.insight.view(key, &self.problem, &standing, &self.prober.solution).unwrap_or(ViewData::Empty)
            }
            _ => self.problem.view(key, &self.prober.solution),
        }))
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.network.architecture().named(), &self.network.parameters)
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        fill("", &self.network.architecture().named(), given, &mut self.network.parameters)?;
        self.good.copy_from_slice(&self.network.parameters);
        #[cfg(feature = "pinn")]
        self.insight.forget_kernel();
        self.adam = Adam::new(self.good.len(), self.training.adam());
        self.prober.measure(&self.problem, &self.network);
        Ok(())
    }
}
