//! A small classifier of the pictures, and the space of features in which sets of them are compared.
//!
//! It is trained by Eddy on the same drawn pictures as the image model, so a Fréchet distance in its features says how
//! far samples are from these pictures; it is not comparable with distances in the features of any other network.

use burn::tensor::{Device, Tensor, TensorData, activation};
use eddy_numerics::rng::{Philox, Stream};

use super::{
    drawing::{CLASSES, PIXELS, SIZES, picture, windows},
    frechet::Moments,
    parameters::{self, Adam, Matrix, gradient, numbers, rate_at},
};
use crate::{Engine, LearnError};

/// Numbers that describe a picture.
pub const FEATURES: usize = 24;
/// First layer: windows of 6 × 6 every 2 pixels, 16 numbers each. Second: four neighbours of those, 24 numbers.
const STRIDE: usize = 2;
const SEEN: usize = 6;
const STROKES: usize = 16;
const PARTS: usize = 24;
/// Windows along a side, and groups of four.
const ACROSS: usize = 8;
const GROUPS: usize = ACROSS * ACROSS / 4;
const ANSWERS: usize = CLASSES.len() + SIZES.len();

/// Pictures per training step, and the highest learning rate.
const BATCH: usize = 96;
const RATE: f64 = 4e-3;
/// Tells its first values from those of other networks.
const DRAW: u32 = 1;

pub(super) fn layout() -> Vec<Matrix> {
    let dense = |name: &str, inputs: usize, outputs: usize, gain: f64| {
        [
            Matrix::weight(&format!("features.{name}.weight"), inputs, outputs, gain),
            Matrix::table(&format!("features.{name}.bias"), 1, outputs, 0.0),
        ]
    };
    [
        dense("strokes", SEEN * SEEN, STROKES, 1.4),
        dense("parts", 4 * STROKES, PARTS, 1.4),
        dense("whole", GROUPS * PARTS, FEATURES, 1.4),
        dense("answers", FEATURES, ANSWERS, 1.0),
    ]
    .concat()
}

/// The windows of the first layer, with four neighbours one after the other.
fn inputs(pixels: &[f32]) -> Vec<f32> {
    let each = SEEN * SEEN;
    let all = windows(pixels, STRIDE, SEEN);
    let mut out = Vec::with_capacity(all.len());
    for picture in all.chunks_exact(ACROSS * ACROSS * each) {
        for group in 0..GROUPS {
            let (i, j) = (2 * (group % (ACROSS / 2)), 2 * (group / (ACROSS / 2)));
            for k in 0..4 {
                let at = (j + k / 2) * ACROSS + i + k % 2;
                out.extend_from_slice(&picture[at * each..(at + 1) * each]);
            }
        }
    }
    out
}

/// Features [pictures, 24] and answers [pictures, 16].
fn forward(parameters: &[Tensor<2>], pixels: &[f32], device: &Device) -> (Tensor<2>, Tensor<2>) {
    let n = pixels.len() / PIXELS;
    let [w1, b1, w2, b2, w3, b3, w4, b4] = std::array::from_fn(|k| parameters[k].clone());
    let windows = TensorData::new(inputs(pixels), [n * ACROSS * ACROSS, SEEN * SEEN]);
    let h = activation::gelu(Tensor::<2>::from_data(windows, device).matmul(w1) + b1);
    let h = activation::gelu(h.reshape([n * GROUPS, 4 * STROKES]).matmul(w2) + b2);
    let features = activation::gelu(h.reshape([n, GROUPS * PARTS]).matmul(w3) + b3);
    (features.clone(), features.matmul(w4) + b4)
}

/// What the classifier makes of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// [`FEATURES`] numbers for each picture.
    pub features: Vec<f32>,
    /// Class and size it takes each for; none where the picture is not finite.
    pub answers: Vec<Option<(usize, usize)>>,
}

impl Judged {
    pub fn moments(&self) -> Moments {
        Moments::of(&self.features, FEATURES)
    }
}

/// The trained classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    pub(super) values: Vec<f32>,
}

impl Classifier {
    /// Trains on `steps` batches of fresh pictures; `after` hears the loss of each step.
    ///
    /// # Errors
    /// [`LearnError::Execution`] if the device fails.
    pub async fn train(
        seed: u32,
        steps: usize,
        engine: &Engine,
        mut after: impl FnMut(f64),
    ) -> Result<Self, LearnError> {
        let (layout, rng, device) = (layout(), Philox::new(seed), engine.training());
        let mut adam = Adam::new(parameters::initial(&layout, &rng, DRAW));
        for step in 0..steps {
            let (mut pixels, mut wanted) = (Vec::with_capacity(BATCH * PIXELS), vec![0.0f32; BATCH * ANSWERS]);
            for i in 0..BATCH {
                let drawn = picture(&rng, Stream::Corrector, step as u32, i as u32);
                wanted[i * ANSWERS + drawn.class] = 1.0;
                wanted[i * ANSWERS + CLASSES.len() + drawn.size] = 1.0;
                pixels.extend(drawn.pixels);
            }
            let tensors: Vec<_> =
                parameters::on_device(&layout, &adam.values, &device).into_iter().map(Tensor::require_grad).collect();
            let answers = forward(&tensors, &pixels, &device).1;
            let wanted = Tensor::<2>::from_data(TensorData::new(wanted, [BATCH, ANSWERS]), &device);
            let entropy = |from: usize, count: usize| {
                let likely = activation::log_softmax(answers.clone().narrow(1, from, count), 1);
                (likely * wanted.clone().narrow(1, from, count)).sum() / -(BATCH as f64)
            };
            let loss = entropy(0, CLASSES.len()) + entropy(CLASSES.len(), SIZES.len());
            let found = gradient(&layout, &tensors, &loss.backward()).await?;
            adam.step(rate_at(RATE, step, steps), &found);
            after(numbers(loss.inner()).await?.first().map_or(f64::NAN, |v| f64::from(*v)));
        }
        Ok(Self { values: adam.values })
    }

    /// Features and answers for pictures given as rows of pixels.
    ///
    /// # Errors
    /// [`LearnError::Size`] for a picture cut off, [`LearnError::Execution`] if the device fails.
    pub async fn judge(&self, pixels: &[f32], engine: &Engine) -> Result<Judged, LearnError> {
        LearnError::check_size("A set of pictures", pixels.len().next_multiple_of(PIXELS), pixels.len())?;
        if pixels.is_empty() {
            return Ok(Judged { features: Vec::new(), answers: Vec::new() });
        }
        let tensors = parameters::on_device(&layout(), &self.values, engine.plain());
        let (features, answers) = forward(&tensors, pixels, engine.plain());
        let answers = numbers(answers).await?;
        let answer = |row: &[f32]| {
            let (classes, sizes) = row.split_at(CLASSES.len());
            let is_finite = row.iter().all(|v| v.is_finite());
            is_finite.then(|| (largest(classes), largest(sizes)))
        };
        Ok(Judged { features: numbers(features).await?, answers: answers.chunks_exact(ANSWERS).map(answer).collect() })
    }
}

fn largest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    fn share_right(classifier: &Classifier) -> f64 {
        let rng = Philox::new(77);
        let drawn: Vec<_> = (0..300).map(|i| picture(&rng, Stream::Control, 0, i)).collect();
        let pixels: Vec<f32> = drawn.iter().flat_map(|p| p.pixels.clone()).collect();
        let judged = pollster::block_on(classifier.judge(&pixels, &Engine::cpu())).unwrap();
        let right = judged.answers.iter().zip(&drawn).filter(|(a, p)| **a == Some((p.class, p.size)));
        right.count() as f64 / drawn.len() as f64
    }

    #[test]
    fn a_short_training_beats_chance_and_is_repeatable() {
        let train = |steps| pollster::block_on(Classifier::train(3, steps, &Engine::cpu(), |_| {})).unwrap();
        let (fresh, short) = (train(0), train(60));
        // Chance is 1 in 28.
        assert!(share_right(&fresh) < 0.15, "{}", share_right(&fresh));
        assert!(share_right(&short) > 0.3, "{}", share_right(&short));
        assert_eq!(train(3), train(3));
    }

    #[test]
    fn four_neighbours_are_one_group() {
        let pixels: Vec<f32> = (0..PIXELS).map(|v| v as f32).collect();
        let grouped = inputs(&pixels);
        let centre = |group: usize, k: usize| grouped[(group * 4 + k) * 36 + 14];
        // The centre of a window is two pixels right of and below its first one.
        assert_eq!([0, 1, 2, 3].map(|k| centre(0, k)), [0.0, 2.0, 32.0, 34.0]);
        assert_eq!(centre(1, 0), 4.0);
        assert_eq!(centre(4, 0), 64.0);
    }

    #[test]
    fn what_is_not_finite_has_no_answer() {
        let classifier = pollster::block_on(Classifier::train(3, 0, &Engine::cpu(), |_| {})).unwrap();
        let judge = |pixels: &[f32]| pollster::block_on(classifier.judge(pixels, &Engine::cpu()));
        let mut pixels = vec![0.0; 2 * PIXELS];
        pixels[PIXELS + 100] = f32::NAN;
        let judged = judge(&pixels).unwrap();
        assert!(judged.answers[0].is_some() && judged.answers[1].is_none());
        assert!(judge(&[]).unwrap().answers.is_empty());
        assert_eq!(judge(&[0.0; 5]).unwrap_err().code(), "learn-size");
    }
}
