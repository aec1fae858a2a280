//! Training the image model: v-prediction at times spread evenly over the schedule, conditions dropped at random.

use burn::tensor::{Tensor, TensorData};
use eddy_numerics::{
    diffusion::Schedule,
    rng::{Philox, Stream},
};

use super::{
    Metadata, Model,
    checkpoint::{self, Stored},
    drawing::{CLASSES, Condition, PIXELS, SIZES, picture, picture_of, to_patches},
    features::{self, Classifier},
    network::{self, Input, PATCH, schedule, span},
    parameters::{self, Adam, gradient, numbers, rate_at},
};
use crate::{Engine, LearnError};

/// Everything a training depends on; equal options give equal runs on one kind of processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Length of the training.
    pub steps: usize,
    pub seed: u32,
    /// Pictures per step.
    pub batch: usize,
    /// Highest learning rate of Adam; it rises at first and falls to zero along a half cosine.
    pub learning_rate: f64,
    /// What the pictures show; drawn too where it is left open.
    pub only: Condition,
}

impl Default for Options {
    fn default() -> Self {
        Self { steps: 6000, seed: 1, batch: 128, learning_rate: 2e-3, only: Condition::default() }
    }
}

/// Shares of pictures trained without any condition, without the class, and without the size (Ho & Salimans 2022,
/// section 3.2, drop the one condition they have with 0.1 or 0.2).
const DROP_ALL: f64 = 0.1;
const DROP_ONE: f64 = 0.05;
/// Pictures that the held-out loss is measured on.
const HELD_OUT: u32 = 256;
const HELD_OUT_SEED: u32 = 0xE1D;
/// Tells the first values from those of the classifier.
const DRAW: u32 = 0;

/// The image model in training.
pub struct Training {
    options: Options,
    engine: Engine,
    adam: Adam,
    classifier: Classifier,
    layout: Vec<parameters::Matrix>,
    latest_loss: f64,
}

impl Training {
    /// A fresh model, with a classifier that is trained already.
    ///
    /// # Errors
    /// [`LearnError::Setting`] for no steps, an empty batch or a class that does not exist.
    pub fn new(options: Options, classifier: Classifier, engine: Engine) -> Result<Self, LearnError> {
        let values = parameters::initial(&network::layout(), &Philox::new(options.seed), DRAW);
        Self::with(options, Adam::new(values), classifier, engine)
    }

    /// Goes on from a model's weights with a new optimizer.
    ///
    /// # Errors
    /// As [`Training::new`].
    pub fn from_model(options: Options, model: &Model, engine: Engine) -> Result<Self, LearnError> {
        Self::with(options, Adam::new(model.values.clone()), model.classifier.clone(), engine)
    }

    fn with(options: Options, adam: Adam, classifier: Classifier, engine: Engine) -> Result<Self, LearnError> {
        let beyond = |which: Option<usize>, count: usize| which.is_some_and(|k| k >= count);
        if options.steps == 0 || options.batch == 0 {
            return Err(LearnError::Setting { message: "A training needs at least one step and one picture.".into() });
        }
        if beyond(options.only.class, CLASSES.len()) || beyond(options.only.size, SIZES.len()) {
            return Err(LearnError::Setting {
                message: format!("There are {} classes and {} sizes.", CLASSES.len(), SIZES.len()),
            });
        }
        Ok(Self { options, engine, adam, classifier, layout: network::layout(), latest_loss: f64::NAN })
    }

    pub fn options(&self) -> &Options {
        &self.options
    }
    /// Training steps done.
    pub fn steps_done(&self) -> usize {
        self.adam.steps as usize
    }
    /// Loss of the last step; NaN before the first.
    pub fn latest_loss(&self) -> f64 {
        self.latest_loss
    }
    /// Changes the learning rate from the next step on.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.options.learning_rate = learning_rate;
    }

    /// The model as it stands: the moving average of the weights.
    pub fn model(&self) -> Model {
        Model { values: self.adam.average.clone(), classifier: self.classifier.clone(), metadata: Metadata::new() }
    }

    /// Trains for `steps` steps and returns their losses.
    ///
    /// # Errors
    /// [`LearnError::Execution`] if the device fails.
    pub async fn advance(&mut self, steps: usize) -> Result<Vec<f64>, LearnError> {
        let mut losses = Vec::with_capacity(steps);
        for _ in 0..steps {
            losses.push(self.step().await?);
        }
        Ok(losses)
    }

    async fn step(&mut self) -> Result<f64, LearnError> {
        let (step, rng) = (self.adam.steps, Philox::new(self.options.seed));
        let batch = Batch::new(&rng, Stream::Data, step, self.options.batch, self.options.only, true);
        let device = self.engine.training();
        let tensors: Vec<_> = parameters::on_device(&self.layout, &self.adam.values, &device)
            .into_iter()
            .map(Tensor::require_grad)
            .collect();
        let loss = batch.loss(&tensors, &device);
        let found = gradient(&self.layout, &tensors, &loss.backward()).await?;
        self.adam.step(rate_at(self.options.learning_rate, step as usize, self.options.steps), &found);
        self.latest_loss = numbers(loss.inner()).await?.first().map_or(f64::NAN, |v| f64::from(*v));
        Ok(self.latest_loss)
    }

    /// All of the training's state in single precision; [`Training::resume`] goes on from it as if it had not stopped.
    pub fn state(&self) -> Vec<u8> {
        let o = &self.options;
        let mut metadata = Metadata::from(
            [
                ("steps", o.steps.to_string()),
                ("seed", o.seed.to_string()),
                ("batch", o.batch.to_string()),
                ("learning_rate", o.learning_rate.to_string()),
                ("steps_done", self.adam.steps.to_string()),
                ("format", STATE.to_owned()),
            ]
            .map(|(k, v)| (k.to_owned(), v)),
        );
        for (key, which) in [("class", o.only.class), ("size", o.only.size)] {
            which.map(|k| metadata.insert(key.to_owned(), k.to_string()));
        }
        let mut all: Vec<Stored> = PARTS
            .iter()
            .zip([&self.adam.values, &self.adam.average, &self.adam.first, &self.adam.second])
            .flat_map(|(part, values)| checkpoint::store(part, &self.layout, values))
            .collect();
        all.extend(checkpoint::store("", &features::layout(), &self.classifier.values));
        checkpoint::write(&all, false, &metadata)
    }

    /// Goes on with a training that [`Training::state`] has saved.
    ///
    /// # Errors
    /// [`LearnError::Setting`] if the file is no such state.
    pub fn resume(state: &[u8], engine: Engine) -> Result<Self, LearnError> {
        let (file, metadata) = checkpoint::read(state)?;
        if metadata.get("format").map(String::as_str) != Some(STATE) {
            return Err(LearnError::Setting {
                message: "This file is not the state of a training. Choose the one written by --state.".into(),
            });
        }
        let missing = |key: &str| LearnError::Setting { message: format!("The state does not say its “{key}”.") };
        let text = |key: &str| metadata.get(key).ok_or_else(|| missing(key));
        let whole = |key: &str| text(key)?.parse::<usize>().map_err(|_| missing(key));
        let which = |key: &str| metadata.get(key).and_then(|v| v.parse::<usize>().ok());
        let options = Options {
            steps: whole("steps")?,
            seed: text("seed")?.parse().map_err(|_| missing("seed"))?,
            batch: whole("batch")?,
            learning_rate: text("learning_rate")?.parse().map_err(|_| missing("learning_rate"))?,
            only: Condition { class: which("class"), size: which("size") },
        };
        let layout = network::layout();
        let part = |k: usize| checkpoint::restore(PARTS[k], &layout, &file);
        let adam = Adam {
            values: part(0)?,
            average: part(1)?,
            first: part(2)?,
            second: part(3)?,
            steps: text("steps_done")?.parse().map_err(|_| missing("steps_done"))?,
        };
        let classifier = Classifier { values: checkpoint::restore("", &features::layout(), &file)? };
        Self::with(options, adam, classifier, engine)
    }
}

/// Kinds of numbers in a state, before the names of the matrices.
const PARTS: [&str; 4] = ["values.", "average.", "first.", "second."];
const STATE: &str = "eddy image training 1";

/// Noisy pictures, what is said of them, and the v that should be predicted.
struct Batch {
    input: Input,
    target: Vec<f32>,
}

impl Batch {
    /// Pictures of step `draw`, at times spread evenly with a random place in each part (the loss then varies less from
    /// step to step); `drops` leaves conditions out at random.
    fn new(rng: &Philox, stream: Stream, draw: u32, count: usize, only: Condition, drops: bool) -> Self {
        let (mut x, mut v) = (Vec::with_capacity(count * PIXELS), Vec::with_capacity(count * PIXELS));
        let (mut times, mut conditions) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let (end, start) = span();
        for i in 0..count {
            let index = i as u32;
            let mut drawn = picture(rng, stream, draw, index);
            if only != Condition::default() {
                let (class, size) = (only.class.unwrap_or(drawn.class), only.size.unwrap_or(drawn.size));
                drawn = picture_of(class, size, rng, stream, draw, index);
            }
            let [place, dropped, ..] = rng.uniforms(Stream::Prior, draw, index, 0);
            let node = schedule().node(end + (start - end) * (i as f64 + place) / count as f64);
            for (chunk, pixels) in drawn.pixels.chunks(4).enumerate() {
                let noise = rng.normals(Stream::Path, draw, index, chunk as u32);
                for (x0, eps) in pixels.iter().zip(noise) {
                    x.push((node.alpha * f64::from(*x0) + node.sigma * eps) as f32);
                    v.push((node.alpha * eps - node.sigma * f64::from(*x0)) as f32);
                }
            }
            let mut said = Condition::of(drawn.class, drawn.size);
            if drops {
                if dropped < DROP_ALL + DROP_ONE {
                    said.class = None;
                }
                if dropped < DROP_ALL || (DROP_ALL + DROP_ONE..DROP_ALL + 2.0 * DROP_ONE).contains(&dropped) {
                    said.size = None;
                }
            }
            times.push(node.t);
            conditions.push(said);
        }
        Self { input: Input::new(&x, &times, &conditions), target: to_patches(&v, PATCH) }
    }

    /// Mean squared error of v per pixel.
    fn loss(&self, parameters: &[Tensor<2>], device: &burn::tensor::Device) -> Tensor<1> {
        let each = PATCH * PATCH;
        let target = TensorData::new(self.target.clone(), [self.target.len() / each, each]);
        (network::forward(parameters, &self.input, device) - Tensor::from_data(target, device)).square().mean()
    }
}

impl Model {
    /// Mean squared error of v per pixel on pictures, times and noise that no training uses: the same for every model.
    ///
    /// # Errors
    /// [`LearnError::Execution`] if the device fails.
    pub async fn held_out_loss(&self, engine: &Engine) -> Result<f64, LearnError> {
        let rng = Philox::new(HELD_OUT_SEED);
        let batch = Batch::new(&rng, Stream::Control, 0, HELD_OUT as usize, Condition::default(), false);
        let tensors = parameters::on_device(&network::layout(), &self.values, engine.plain());
        let loss = numbers(batch.loss(&tensors, engine.plain())).await?;
        Ok(loss.first().map_or(f64::NAN, |v| f64::from(*v)))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    const OPTIONS: Options =
        Options { steps: 40, seed: 5, batch: 16, learning_rate: 2e-3, only: Condition { class: None, size: None } };

    fn classifier() -> Classifier {
        pollster::block_on(Classifier::train(1, 0, &Engine::cpu(), |_| {})).unwrap()
    }

    fn training(options: Options) -> Training {
        Training::new(options, classifier(), Engine::cpu()).unwrap()
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let device = Engine::cpu().training();
        let layout = network::layout();
        let busy: Vec<_> =
            layout.iter().map(|m| parameters::Matrix { spread: m.spread.max(0.1), ..m.clone() }).collect();
        let values = parameters::initial(&busy, &Philox::new(2), 0);
        let batch = Batch::new(&Philox::new(3), Stream::Data, 0, 3, Condition::default(), true);
        let loss = |values: &[f32]| {
            let tensors = parameters::on_device(&layout, values, Engine::cpu().plain());
            let out = network::forward(&tensors, &batch.input, Engine::cpu().plain()).try_into_vec_as::<f32>().unwrap();
            let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
            out.iter().zip(&batch.target).map(square).sum::<f64>() / out.len() as f64
        };
        let tensors: Vec<_> =
            parameters::on_device(&layout, &values, &device).into_iter().map(Tensor::require_grad).collect();
        let found = pollster::block_on(gradient(&layout, &tensors, &batch.loss(&tensors, &device).backward())).unwrap();
        // Along a direction with a part in every matrix, by central differences; f32 leaves about three digits.
        let rng = Philox::new(8);
        for draw in 0..3 {
            let direction: Vec<f32> =
                (0..values.len()).map(|i| rng.normals(Stream::Prior, draw, i as u32, 0)[0] as f32).collect();
            let h = 2e-4f32;
            let moved =
                |sign: f32| -> Vec<f32> { values.iter().zip(&direction).map(|(v, d)| v + sign * h * d).collect() };
            let expected = (loss(&moved(1.0)) - loss(&moved(-1.0))) / (2.0 * f64::from(h));
            let slope = |sign: f64| -> f64 {
                found.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum::<f64>() * sign
            };
            let scale = found.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            assert!((slope(1.0) - expected).abs() < 0.02 * scale, "{} {expected} {scale}", slope(1.0));
            // Planted fault: the other sign.
            assert!((slope(-1.0) - expected).abs() > 0.02 * scale);
        }
    }

    #[test]
    fn the_target_is_v() {
        let rng = Philox::new(3);
        let batch = Batch::new(&rng, Stream::Data, 7, 4, Condition { class: Some(2), size: Some(1) }, false);
        let drawn = picture_of(2, 1, &rng, Stream::Data, 7, 3);
        let place = rng.uniforms(Stream::Prior, 7, 3, 0)[0];
        let node = schedule().node(span().0 + (span().1 - span().0) * (3.0 + place) / 4.0);
        // Patch 5 begins at row 4, column 4: pixel 68, the first of its chunk of four.
        let eps = rng.normals(Stream::Path, 7, 3, 17)[0];
        let v = node.alpha * eps - node.sigma * f64::from(drawn.pixels[68]);
        assert!((f64::from(batch.target[3 * PIXELS + 5 * 16]) - v).abs() < 1e-6);
        assert!((f64::from(batch.target[3 * PIXELS + 6 * 16]) - v).abs() > 1e-6);
    }

    #[test]
    fn a_short_training_lowers_the_held_out_loss() {
        let mut training = training(OPTIONS);
        let loss = |t: &Training| pollster::block_on(t.model().held_out_loss(&Engine::cpu())).unwrap();
        let before = loss(&training);
        let losses = pollster::block_on(training.advance(40)).unwrap();
        let after = loss(&training);
        // A model that says v = 0 has the mean square of v, between the data's and the noise's.
        assert!((0.5..1.1).contains(&before), "{before}");
        assert!(after < 0.85 * before && losses[39] < losses[0], "{before} {after} {losses:?}");
        // Without learning it stays.
        let mut idle = self::training(Options { learning_rate: 1e-12, ..OPTIONS });
        pollster::block_on(idle.advance(3)).unwrap();
        assert!((loss(&idle) / before - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_resumed_training_gives_the_same_bytes_as_one_that_never_stopped() {
        let options = Options { batch: 4, steps: 5, only: Condition { class: Some(4), size: None }, ..OPTIONS };
        let mut whole = training(options);
        pollster::block_on(whole.advance(5)).unwrap();
        let mut first = training(options);
        pollster::block_on(first.advance(2)).unwrap();
        let state = first.state();
        let mut second = Training::resume(&state, Engine::cpu()).unwrap();
        assert_eq!((second.steps_done(), *second.options(), second.state() == state), (2, options, true));
        pollster::block_on(second.advance(3)).unwrap();
        assert!(second.state() == whole.state());
        // Another seed is another training, and a fresh optimizer is no resumption.
        let mut other = training(Options { seed: 6, ..options });
        pollster::block_on(other.advance(5)).unwrap();
        assert!(other.state() != whole.state());
        let mut fresh = Training::from_model(options, &first.model(), Engine::cpu()).unwrap();
        pollster::block_on(fresh.advance(3)).unwrap();
        assert!(fresh.model().values != whole.model().values);
    }

    #[test]
    fn impossible_settings_are_errors() {
        let fails = |options| Training::new(options, classifier(), Engine::cpu()).err().map(|e| e.code());
        assert_eq!(fails(Options { steps: 0, ..OPTIONS }), Some("learn-setting"));
        assert_eq!(fails(Options { batch: 0, ..OPTIONS }), Some("learn-setting"));
        assert_eq!(fails(Options { only: Condition::of(14, 0), ..OPTIONS }), Some("learn-setting"));
        assert_eq!(fails(OPTIONS), None);
        assert!(Training::resume(&[1, 2, 3], Engine::cpu()).is_err());
        let model = training(OPTIONS).model().to_bytes(&Metadata::new());
        assert!(Training::resume(&model, Engine::cpu()).err().is_some_and(|e| e.to_string().contains("--state")));
    }
}
