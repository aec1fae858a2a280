//! Training the step network, on either engine, a few steps at a time.

use burn::{
    module::Module,
    optim::{AdamConfig, GradientsParams, ModuleOptimizer},
    tensor::{Tensor, TensorData},
};
use eddy_numerics::rng::{Philox, Stream};

use super::{
    data::{Problem, Trajectories},
    network::{NetworkShape, StepNetwork},
};
use crate::{Engine, LearnError};

/// Everything a training depends on; equal options give equal runs on the CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    pub problem: Problem,
    pub shape: NetworkShape,
    /// Pairs (state, next state) per training step.
    pub batch: usize,
    /// Learning rate of Adam at the start; it falls to zero along a half cosine over `steps`.
    pub learning_rate: f64,
    /// Length of the training.
    pub steps: usize,
    pub seed: u32,
}

/// Trajectories that the network is judged on and never trained on.
const HELD_OUT: u32 = 16;
/// Trajectories at the start; one more joins with every step, up to the limit.
const FIRST_TRAJECTORIES: usize = 16;
const MOST_TRAJECTORIES: usize = 256;

/// How good the network is on states it was not trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// RMS error after one step over the RMS change in that step: 1 means no better than "nothing changes".
    pub step_error: f64,
    /// The same after a whole trajectory of the network's own steps.
    pub rollout_error: f64,
    /// Largest change of the spatial mean over a trajectory; the equation keeps it.
    pub mean_drift: f64,
    /// The network's own trajectory from the first held-out state: `Problem::steps + 1` states.
    pub predicted: Vec<Vec<f32>>,
    /// The solver's.
    pub exact: Vec<Vec<f32>>,
}

/// A network in training.
pub struct Training {
    options: Options,
    engine: Engine,
    network: StepNetwork,
    optimizer: ModuleOptimizer,
    random: Philox,
    trajectories: Trajectories,
    held_out: Trajectories,
    steps_done: usize,
    latest_loss: f64,
}

impl Training {
    /// A fresh network and the first trajectories.
    ///
    /// # Errors
    /// [`LearnError::Setting`] for an empty batch or network, or a problem that has no solver.
    pub fn new(options: Options, engine: Engine) -> Result<Self, LearnError> {
        let shape = &options.shape;
        if options.batch == 0 || shape.channels == 0 || shape.hidden_layers == 0 || options.steps == 0 {
            return Err(LearnError::Setting {
                message: "A training needs at least one pair, one channel, one hidden layer and one step.".into(),
            });
        }
        if 2 * shape.radius >= options.problem.points {
            return Err(LearnError::Setting {
                message: format!(
                    "A kernel of {} points does not fit on a grid of {}; take a smaller kernel.",
                    2 * shape.radius + 1,
                    options.problem.points
                ),
            });
        }
        let random = Philox::new(options.seed);
        let mut drawn = 0;
        let uniform = || {
            let numbers = random.uniforms(Stream::Prior, 0, drawn / 4, 0);
            drawn += 1;
            numbers[(drawn as usize - 1) % 4] as f32
        };
        let network = StepNetwork::new(shape, uniform, &engine.training());
        let mut trajectories = Trajectories::new(options.problem, random, Stream::Data)?;
        trajectories.extend_to(FIRST_TRAJECTORIES);
        let mut held_out = Trajectories::new(options.problem, random, Stream::Control)?;
        held_out.extend_to(HELD_OUT as usize);
        Ok(Self {
            options,
            engine,
            network,
            // burn's default of 1e-5 would slow the last, small steps.
            optimizer: AdamConfig::new().with_epsilon(1e-8).init(),
            random,
            trajectories,
            held_out,
            steps_done: 0,
            latest_loss: f64::NAN,
        })
    }

    pub fn options(&self) -> &Options {
        &self.options
    }
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
    /// Training steps done.
    pub fn steps_done(&self) -> usize {
        self.steps_done
    }
    /// Loss of the last step: mean squared error over the mean squared change; NaN before the first.
    pub fn latest_loss(&self) -> f64 {
        self.latest_loss
    }
    /// Trajectories in the training set so far.
    pub fn trajectory_count(&self) -> usize {
        self.trajectories.len()
    }

    /// Changes the learning rate from the next step on.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.options.learning_rate = learning_rate;
    }

    /// Trains for `steps` steps and returns their losses. They are read back together at the end, since on a GPU every
    /// reading waits for the queue.
    ///
    /// # Errors
    /// [`LearnError::Execution`] if the device fails.
    pub async fn advance(&mut self, steps: usize) -> Result<Vec<f64>, LearnError> {
        let mut losses = Vec::with_capacity(steps);
        for _ in 0..steps {
            if self.trajectories.len() < MOST_TRAJECTORIES {
                self.trajectories.extend_to(self.trajectories.len() + 1);
            }
            losses.push(self.step());
        }
        if losses.is_empty() {
            return Ok(Vec::new());
        }
        let losses = Tensor::cat(losses, 0).into_data_async().await.map_err(LearnError::execution)?;
        let losses: Vec<f64> = losses.iter::<f32>().map(f64::from).collect();
        self.latest_loss = losses.last().copied().unwrap_or(f64::NAN);
        Ok(losses)
    }

    fn step(&mut self) -> Tensor<1> {
        let device = self.engine.training();
        let (points, batch) = (self.options.problem.points, self.options.batch);
        let (mut from, mut to) = (Vec::with_capacity(batch * points), Vec::with_capacity(batch * points));
        for i in 0..batch {
            let numbers = self.random.words(Stream::Path, self.steps_done as u32, i as u32, 0);
            let trajectory = numbers[0] as usize % self.trajectories.len();
            let at = numbers[1] as usize % self.options.problem.steps;
            from.extend_from_slice(self.trajectories.state(trajectory, at));
            to.extend_from_slice(self.trajectories.state(trajectory, at + 1));
        }
        let from = Tensor::<2>::from_data(TensorData::new(from, [batch, points]), &device);
        let to = Tensor::<2>::from_data(TensorData::new(to, [batch, points]), &device);
        // Of the whole training set, so that the loss is one function of the weights and not of the batch's scale.
        let scale = 1.0 / self.trajectories.mean_square_change();
        let loss = (self.network.forward(from) - to).square().mean() * scale;
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let progress = (self.steps_done as f64 / self.options.steps as f64).min(1.0);
        let rate = self.options.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.network = self.optimizer.step(rate, self.network.clone(), gradients);
        self.steps_done += 1;
        loss.inner()
    }

    /// The network's own trajectories from `states` (each of `Problem::points` numbers): `steps + 1` states each.
    ///
    /// # Errors
    /// [`LearnError::Size`] for a state of the wrong length, [`LearnError::Execution`] if the device fails.
    pub async fn predict(&self, states: &[&[f32]], steps: usize) -> Result<Vec<Vec<Vec<f32>>>, LearnError> {
        let points = self.options.problem.points;
        for state in states {
            LearnError::check_size("A state", points, state.len())?;
        }
        let data = TensorData::new(states.concat(), [states.len(), points]);
        // Without autodiff: nothing is recorded, so nothing is kept.
        let network = self.network.valid();
        let mut all = vec![Tensor::<2>::from_data(data, self.engine.plain())];
        for i in 0..steps {
            all.push(network.forward(all[i].clone()));
        }
        let data = Tensor::stack::<3>(all, 1).into_data_async().await.map_err(LearnError::execution)?;
        let flat: Vec<f32> = data.iter::<f32>().collect();
        Ok(flat
            .chunks_exact((steps + 1) * points)
            .map(|trajectory| trajectory.chunks_exact(points).map(<[f32]>::to_vec).collect())
            .collect())
    }

    /// Measures the network on the held-out trajectories.
    ///
    /// # Errors
    /// [`LearnError::Execution`] if the device fails.
    pub async fn evaluate(&self) -> Result<Evaluation, LearnError> {
        let steps = self.options.problem.steps;
        let starts: Vec<&[f32]> = (0..self.held_out.len()).map(|i| self.held_out.state(i, 0)).collect();
        let mut predicted = self.predict(&starts, steps).await?;
        // One step from every held-out state, not only from the first ones.
        let all: Vec<&[f32]> = (0..self.held_out.len())
            .flat_map(|i| (0..steps).map(move |at| (i, at)))
            .map(|(i, at)| self.held_out.state(i, at))
            .collect();
        let one_step = self.predict(&all, 1).await?;

        let mut step = Ratio::default();
        let mut rollout = Ratio::default();
        let mut mean_drift = 0.0f64;
        for i in 0..self.held_out.len() {
            for at in 0..steps {
                let pair = &one_step[i * steps + at];
                step.add(&pair[1], self.held_out.state(i, at + 1), &pair[0]);
            }
            rollout.add(&predicted[i][steps], self.held_out.state(i, steps), self.held_out.state(i, 0));
            let first = mean(&predicted[i][0]);
            // f64::max would drop a NaN.
            for state in &predicted[i] {
                let drift = (mean(state) - first).abs();
                mean_drift = if drift.is_nan() { f64::NAN } else { mean_drift.max(drift) };
            }
        }
        Ok(Evaluation {
            step_error: step.root(),
            rollout_error: rollout.root(),
            mean_drift,
            predicted: predicted.swap_remove(0),
            exact: (0..=steps).map(|at| self.held_out.state(0, at).to_vec()).collect(),
        })
    }
}

/// Sum of squared errors over the sum of squared changes.
#[derive(Default)]
struct Ratio {
    error: f64,
    change: f64,
}

impl Ratio {
    fn add(&mut self, found: &[f32], exact: &[f32], before: &[f32]) {
        for ((f, e), b) in found.iter().zip(exact).zip(before) {
            self.error += (f64::from(*f) - f64::from(*e)).powi(2);
            self.change += (f64::from(*e) - f64::from(*b)).powi(2);
        }
    }
    fn root(&self) -> f64 {
        (self.error / self.change).sqrt()
    }
}

fn mean(state: &[f32]) -> f64 {
    state.iter().map(|v| f64::from(*v)).sum::<f64>() / state.len() as f64
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        problem: Problem { points: 32, viscosity: 0.2, interval: 0.2, steps: 4 },
        shape: NetworkShape { channels: 8, hidden_layers: 2, radius: 2, is_conservative: true },
        batch: 16,
        learning_rate: 5e-3,
        steps: 150,
        seed: 3,
    };

    fn trained(options: Options, steps: usize) -> (Training, Vec<f64>) {
        let mut training = Training::new(options, Engine::cpu()).unwrap();
        let losses = pollster::block_on(training.advance(steps)).unwrap();
        (training, losses)
    }

    #[test]
    fn training_lowers_the_loss_and_the_error_on_unseen_states() {
        let (training, losses) = trained(OPTIONS, 150);
        let after = pollster::block_on(training.evaluate()).unwrap();
        // The last layer starts near zero, so the first loss is that of "nothing changes": about 1.
        assert!((0.5..1.5).contains(&losses[0]), "{}", losses[0]);
        let last = losses[140..].iter().sum::<f64>() / 10.0;
        assert!(last < 0.02 * losses[0], "{last}");
        assert!(after.step_error < 0.15, "{after:?}");
        assert!(after.rollout_error < 0.25, "{after:?}");
        // Flux form: four steps of f32 rounding.
        assert!(after.mean_drift < 1e-6, "{}", after.mean_drift);
    }

    #[test]
    fn without_learning_the_same_checks_fail() {
        let (training, losses) = trained(Options { learning_rate: 1e-12, ..OPTIONS }, 20);
        let after = pollster::block_on(training.evaluate()).unwrap();
        assert!(losses[19] > 0.5 * losses[0], "{losses:?}");
        assert!(after.step_error > 0.5, "{}", after.step_error);
        let (training, _) =
            trained(Options { shape: NetworkShape { is_conservative: false, ..OPTIONS.shape }, ..OPTIONS }, 20);
        let after = pollster::block_on(training.evaluate()).unwrap();
        assert!(after.mean_drift > 1e-4, "{}", after.mean_drift);
    }

    #[test]
    fn equal_options_give_equal_runs_however_they_are_cut() {
        let (_, whole) = trained(OPTIONS, 6);
        let mut training = Training::new(OPTIONS, Engine::cpu()).unwrap();
        let mut parts = pollster::block_on(training.advance(2)).unwrap();
        pollster::block_on(training.evaluate()).unwrap();
        parts.extend(pollster::block_on(training.advance(4)).unwrap());
        assert_eq!(whole, parts);
        let (_, other) = trained(Options { seed: 4, ..OPTIONS }, 6);
        assert_ne!(whole, other);
    }

    #[test]
    fn impossible_settings_are_errors() {
        let fails = |options| Training::new(options, Engine::cpu()).err().map(|error| error.code());
        assert_eq!(fails(Options { batch: 0, ..OPTIONS }), Some("learn-setting"));
        let shape = NetworkShape { radius: 16, ..OPTIONS.shape };
        assert_eq!(fails(Options { shape, ..OPTIONS }), Some("learn-setting"));
        assert_eq!(fails(OPTIONS), None);
    }
}
