//! The trained model: its checkpoint, and its use as a denoiser by any sampler.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use burn::tensor::Tensor;
use eddy_numerics::diffusion::{Batch, Denoiser, Node, Prediction};

use super::{
    Metadata,
    checkpoint::{self, Stored},
    drawing::{Condition, PIXELS, to_rows},
    features::{self, Classifier},
    network::{self, Input, PATCH},
    parameters::{self, numbers},
};
use crate::{Engine, LearnError};

/// Weights of the denoiser, and the classifier that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(super) values: Vec<f32>,
    pub(super) classifier: Classifier,
    pub(super) metadata: Metadata,
}

/// The checkpoint that Eddy ships; its metadata says the command that made it.
const SHIPPED: &[u8] = include_bytes!("weights.safetensors");

impl Model {
    /// The weights that Eddy ships.
    ///
    /// # Errors
    /// [`LearnError::Setting`] if the file is not of this version, which a test excludes.
    pub fn shipped() -> Result<Self, LearnError> {
        Self::from_bytes(SHIPPED)
    }

    /// From a checkpoint that [`Model::to_bytes`] has written.
    ///
    /// # Errors
    /// [`LearnError::Setting`] says what does not fit.
    pub fn from_bytes(file: &[u8]) -> Result<Self, LearnError> {
        let (stored, metadata) = checkpoint::read(file)?;
        Ok(Self {
            values: checkpoint::restore("", &network::layout(), &stored)?,
            classifier: Classifier { values: checkpoint::restore("", &features::layout(), &stored)? },
            metadata,
        })
    }

    /// A checkpoint in half precision.
    pub fn to_bytes(&self, metadata: &Metadata) -> Vec<u8> {
        let mut all = checkpoint::store("", &network::layout(), &self.values);
        all.extend(checkpoint::store("", &features::layout(), &self.classifier.values));
        checkpoint::write(&all, true, metadata)
    }

    /// Name, shape and values of every matrix, in single precision.
    pub fn named(&self) -> Vec<(String, [usize; 2], Vec<f32>)> {
        let mut all = checkpoint::store("", &network::layout(), &self.values);
        all.extend(checkpoint::store("", &features::layout(), &self.classifier.values));
        all.into_iter().map(|s| (s.name, s.shape, s.values)).collect()
    }

    /// From what [`Model::named`] gave, in any order.
    ///
    /// # Errors
    /// [`LearnError::Setting`] says what does not fit.
    pub fn from_named(named: &[(String, [usize; 2], Vec<f32>)]) -> Result<Self, LearnError> {
        let stored: Vec<Stored> = named
            .iter()
            .map(|(name, shape, values)| Stored { name: name.clone(), shape: *shape, values: values.clone() })
            .collect();
        Ok(Self {
            values: checkpoint::restore("", &network::layout(), &stored)?,
            classifier: Classifier { values: checkpoint::restore("", &features::layout(), &stored)? },
            metadata: Metadata::new(),
        })
    }

    /// The texts of the checkpoint it came from.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }
}

/// The model as a [`Denoiser`] of pictures that are each asked for something, with guidance.
///
/// With v of the condition and v of none, it predicts v₀ + w (v₁ − v₀) (Ho & Salimans 2022, equation 6, there with
/// 1 + w): w = 0 does not listen, w = 1 is the condition alone, and neither needs two predictions. Both together count
/// as one evaluation.
pub struct Guided {
    parameters: Vec<Tensor<2>>,
    engine: Engine,
    conditions: Vec<Condition>,
    guidance: f64,
    evaluations: u64,
}

impl Guided {
    /// One condition for each picture of the batches to come. `engine` is the CPU: samplers do not wait for a device.
    pub fn new(model: &Model, conditions: Vec<Condition>, guidance: f64, engine: &Engine) -> Self {
        let parameters = parameters::on_device(&network::layout(), &model.values, engine.plain());
        Self { parameters, engine: engine.clone(), conditions, guidance, evaluations: 0 }
    }

    /// v as rows of pixels, point after point; NaN where the device failed.
    fn velocity(&self, x: &Batch<f32>, node: &Node) -> Vec<f32> {
        let n = x.len();
        let mut rows = vec![0.0f32; n * PIXELS];
        for d in 0..x.dim().min(PIXELS) {
            x.coordinate(d).iter().enumerate().for_each(|(p, v)| rows[p * PIXELS + d] = *v);
        }
        let mut asked: Vec<Condition> = self.conditions.iter().copied().cycle().take(n).collect();
        asked.resize(n, Condition::default());
        let open = vec![Condition::default(); n];
        let conditions = match self.guidance {
            0.0 => open,
            1.0 => asked,
            _ => {
                rows.extend_from_within(..);
                [asked, open].concat()
            }
        };
        let input = Input::new(&rows, &[node.t], &conditions);
        let patches = network::forward(&self.parameters, &input, self.engine.plain());
        let mut v = match at_once(numbers(patches)) {
            Some(Ok(patches)) => to_rows(&patches, PATCH),
            _ => vec![f32::NAN; conditions.len() * PIXELS],
        };
        let (asked, open) = v.split_at_mut(n * PIXELS);
        let w = self.guidance as f32;
        asked.iter_mut().zip(open).for_each(|(a, o)| *a = *o + w * (*a - *o));
        v.truncate(n * PIXELS);
        v
    }

    /// The prediction as ε or x₀: exact at both ends, since v says both.
    fn predict(&mut self, to: Prediction, x: &Batch<f32>, node: &Node, out: &mut Batch<f32>) {
        self.evaluations += 1;
        let v = self.velocity(x, node);
        let (a, b) = Prediction::Velocity.convert(to, node).unwrap_or((f64::NAN, f64::NAN));
        let (a, b) = (a as f32, b as f32);
        let n = x.len();
        for d in 0..x.dim().min(PIXELS) {
            let pixel = x.coordinate(d).iter().enumerate().map(|(p, x)| a * x + b * v[p * PIXELS + d]);
            out.coordinate_mut(d)[..n].iter_mut().zip(pixel).for_each(|(o, v)| *o = v);
        }
    }
}

impl Denoiser<f32> for Guided {
    fn dim(&self) -> usize {
        PIXELS
    }
    fn epsilon(&mut self, x: &Batch<f32>, node: &Node, out: &mut Batch<f32>) {
        self.predict(Prediction::Epsilon, x, node, out);
    }
    fn data(&mut self, x: &Batch<f32>, node: &Node, out: &mut Batch<f32>) {
        self.predict(Prediction::Data, x, node, out);
    }
    fn evaluations(&self) -> u64 {
        self.evaluations
    }
}

/// The result of a future that does not wait, as those of burn's CPU back end.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use eddy_numerics::{
        diffusion::Schedule,
        rng::{Philox, Stream},
    };

    use super::{
        super::{drawing::picture, network::schedule},
        *,
    };

    fn busy() -> Model {
        let layout: Vec<_> =
            network::layout().into_iter().map(|m| parameters::Matrix { spread: m.spread.max(0.1), ..m }).collect();
        let values = parameters::initial(&layout, &Philox::new(4), 0);
        let classifier = Classifier { values: parameters::initial(&features::layout(), &Philox::new(5), 1) };
        Model { values, classifier, metadata: Metadata::new() }
    }

    fn noise(count: usize) -> Batch<f32> {
        Batch::normal(PIXELS, count, 1.0, &Philox::new(3), Stream::Prior, 0)
    }

    fn guided(condition: Condition, guidance: f64) -> Guided {
        Guided::new(&busy(), vec![condition], guidance, &Engine::cpu())
    }

    #[test]
    fn the_shipped_checkpoint_is_small_labelled_and_trained() {
        let shipped = Model::shipped().unwrap();
        assert!(shipped.to_bytes(shipped.metadata()) == SHIPPED, "written again it has the same bytes");
        assert!(SHIPPED.len() < 400_000, "{}", SHIPPED.len());
        assert!(shipped.metadata()["command"].starts_with("eddy train image --steps "));
        assert!(["seed", "steps", "origin"].iter().all(|key| shipped.metadata().contains_key(*key)));
        // Fresh weights say v = 0; what noise hides keeps any model well above zero.
        let fresh = Model { values: parameters::initial(&network::layout(), &Philox::new(1), 0), ..shipped.clone() };
        let loss = |model: &Model| pollster::block_on(model.held_out_loss(&Engine::cpu())).unwrap();
        let (before, after) = (loss(&fresh), loss(&shipped));
        assert!(after < before / 3.0, "{before} {after}");
        assert!((after - shipped.metadata()["held_out_loss"].parse::<f64>().unwrap()).abs() < 1e-3, "{after}");
        // Seen to fail: the same weights out of order.
        let mut turned = shipped.clone();
        turned.values.reverse();
        assert!(loss(&turned) > before / 3.0);
    }

    #[test]
    fn the_shipped_classifier_tells_pictures_apart() {
        let (shipped, rng) = (Model::shipped().unwrap(), Philox::new(123));
        let drawn: Vec<_> = (0..280).map(|i| picture(&rng, Stream::Control, 1, i)).collect();
        let pixels: Vec<f32> = drawn.iter().flat_map(|p| p.pixels.clone()).collect();
        let judged = pollster::block_on(shipped.classifier().judge(&pixels, &Engine::cpu())).unwrap();
        let right = |shift: usize| {
            let pairs = judged.answers.iter().zip(drawn.iter().cycle().skip(shift));
            pairs.filter(|(a, p)| **a == Some((p.class, p.size))).count()
        };
        assert!(right(0) >= 275, "{} of 280", right(0));
        // Of other pictures than those judged, one in 28 by chance.
        assert!(right(1) < 60, "{}", right(1));
    }

    fn worst(a: &Batch<f32>, b: &Batch<f32>) -> f32 {
        a.data().iter().zip(b.data()).fold(0.0, |worst, (a, b)| worst.max((a - b).abs()))
    }

    #[test]
    fn noise_and_picture_are_those_of_v_at_every_level_and_at_both_ends() {
        let x = noise(2);
        let model = &mut guided(Condition::of(6, 1), 1.0);
        let ends = [(1.0, 0.0), (0.0, 1.0)];
        let ends = ends.map(|(alpha, sigma)| Node { t: 0.5, alpha, sigma, lambda: f64::NAN });
        for node in [0.02, 0.5, 0.97].map(|t| schedule().node(t)).into_iter().chain(ends) {
            let v = Batch::from_points(PIXELS, &model.velocity(&x, &node).map_to_f64());
            let (mut eps, mut x0) = (Batch::zeros(PIXELS, 2), Batch::zeros(PIXELS, 2));
            model.epsilon(&x, &node, &mut eps);
            model.data(&x, &node, &mut x0);
            // x = α x₀ + σ ε and v = α ε − σ x₀, both to rounding.
            let mut back = x.clone();
            back.assign(0.0, &x, &[(node.alpha, &x0), (node.sigma, &eps)]);
            assert!(worst(&back, &x) < 1e-5, "{} {}", node.alpha, worst(&back, &x));
            back.assign(0.0, &x, &[(node.alpha, &eps), (-node.sigma, &x0)]);
            assert!(worst(&back, &v) < 1e-4, "{} {}", node.alpha, worst(&back, &v));
            // Planted fault: the other sign of x₀.
            back.assign(0.0, &x, &[(node.alpha, &eps), (node.sigma, &x0)]);
            assert!(node.sigma == 0.0 || worst(&back, &v) > 1e-3);
        }
    }

    trait ToF64 {
        fn map_to_f64(&self) -> Vec<f64>;
    }
    impl ToF64 for Vec<f32> {
        fn map_to_f64(&self) -> Vec<f64> {
            self.iter().map(|v| f64::from(*v)).collect()
        }
    }

    #[test]
    fn guidance_is_linear_and_counts_once() {
        let (x, node, asked) = (noise(3), schedule().node(0.6), Condition::of(2, 0));
        let v = |condition, w| guided(condition, w).velocity(&x, &node);
        let (none, one, three) = (v(asked, 0.0), v(asked, 1.0), v(asked, 3.0));
        assert_eq!(none, v(Condition::default(), 1.0));
        assert!(none.iter().zip(&one).any(|(a, b)| (a - b).abs() > 1e-2));
        let off = |w: f32| {
            let pairs = none.iter().zip(&one).zip(&three);
            pairs.fold(0.0f32, |worst, ((n, o), t)| worst.max((n + w * (o - n) - t).abs()))
        };
        assert!(off(3.0) < 1e-4, "{}", off(3.0));
        assert!(off(2.0) > 1e-2, "another weight is seen: {}", off(2.0));
        let mut model = guided(asked, 3.0);
        let mut out = x.clone();
        model.epsilon(&x, &node, &mut out);
        model.data(&x, &node, &mut out);
        assert_eq!(model.evaluations(), 2);
    }

    #[test]
    fn a_checkpoint_read_and_written_again_has_the_same_bytes() {
        let metadata = Metadata::from([("seed".to_owned(), "4".to_owned())]);
        let file = busy().to_bytes(&metadata);
        let read = Model::from_bytes(&file).unwrap();
        assert_eq!(read.metadata(), &metadata);
        assert!(read.to_bytes(read.metadata()) == file);
        let mut other = read.clone();
        other.values[17] += 0.5;
        assert!(other.to_bytes(&metadata) != file);
        assert_eq!(Model::from_bytes(&file[..1000]).unwrap_err().code(), "learn-setting");
        // The same by name, in single precision.
        let named = read.named();
        assert!(Model::from_named(&named).unwrap().values == read.values);
        assert!(Model::from_named(&named[1..]).is_err());
    }
}
