//! What is trained, on the solver's runs, and how it makes blocks of frames.

use std::f64::consts::FRAC_PI_2;

use eddy_numerics::{
    diffusion::Batch,
    rng::{Philox, Stream},
};
use eddy_spec::EddyError;

use super::{
    Condition, Method, Params,
    pod::Pod,
    waves::{Attributes, BLOCK, FRAMES, PLACES, Setup},
    words::{Caption, VOCABULARY},
};
use crate::labs::flow::{
    FieldNetwork, Loss,
    denoise::{Level, Output, ddim},
};

/// Numbers of a first frame with the two coefficients, and features of a time.
const GIVEN: usize = PLACES + 2;
const TIME_FEATURES: usize = 3;
/// What makes frames numbers of order 1.
const LEVEL: f64 = 0.4;
const SWING: f64 = 0.35;

/// A run to be made: what the network is told, what a caption says, and the solver's run where there is one.
#[derive(Clone, Debug)]
pub struct Case {
    pub condition: Vec<f32>,
    pub said: [Option<usize>; 4],
    pub truth: Vec<f64>,
}

/// First frame, c and ν, as the networks see them.
pub fn given(block: &[f64], setup: &Setup) -> Vec<f32> {
    let frame = block[..PLACES].iter().map(|u| (u - LEVEL) / SWING);
    frame.chain([4.0 * setup.speed, (200.0 * setup.diffusivity).ln()]).map(|v| v as f32).collect()
}

/// What is trained on. Blocks are kept as codes; whole only where steps are learned.
#[derive(Default)]
pub struct Examples {
    pub count: usize,
    blocks: Vec<f32>,
    given: Vec<f32>,
    attributes: Vec<Attributes>,
}

impl Examples {
    pub fn push(&mut self, block: &[f64], setup: &Setup, attributes: Attributes, pod: &Pod, method: Method) {
        self.count += 1;
        self.given.extend(given(block, setup));
        self.attributes.push(attributes);
        if method == Method::Steps {
            self.blocks.extend(block.iter().map(|u| *u as f32));
        } else {
            self.blocks.extend(pod.encode(block).iter().map(|z| *z as f32));
        }
    }
}

/// The level of noise at t in [0, 1].
fn level(t: f64) -> Level {
    let (sigma, alpha) = (FRAC_PI_2 * t).sin_cos();
    Level { t, alpha, sigma }
}

fn time_features(t: f64) -> [f64; TIME_FEATURES] {
    let Level { alpha, sigma, .. } = level(t);
    [alpha, sigma, 2.0 * t - 1.0]
}

fn copy(to: &mut [f64], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, v)| *to = f64::from(*v));
}

/// A network with what its numbers mean.
pub struct Model {
    pub net: FieldNetwork,
    /// Multiplications of a pass forward: one per weight.
    weights: usize,
    /// What each output is multiplied by before the network learns it.
    scales: Vec<f64>,
}

impl Model {
    pub fn new(p: &Params) -> Result<Self, EddyError> {
        let latents = p.latents as usize;
        let condition = if p.condition == Condition::Words { VOCABULARY } else { GIVEN };
        let block = latents + TIME_FEATURES + condition;
        let (inputs, outputs) = match p.method {
            Method::Block => (block, latents),
            Method::Mean => (condition, latents),
            Method::Steps => (GIVEN, PLACES),
        };
        // The others get the width that makes them at least as large.
        let weights = |inputs: usize, width: usize, outputs: usize| width * (inputs + 2 * width + outputs);
        let aim = weights(block, p.width as usize, latents);
        let width = (1..).find(|w| weights(inputs, *w, outputs) >= aim).unwrap_or(p.width as usize);
        Ok(Self {
            net: FieldNetwork::with_inputs(inputs, outputs, &[width; 3], p.seed, p.rate, p.steps.into())?,
            weights: weights(inputs, width, outputs),
            scales: vec![1.0; outputs],
        })
    }

    /// Fits the scales to the solver's runs: the codes' deviations, and the RMS change from frame to frame.
    pub fn set_scales(&mut self, p: &Params, pod: &Pod, change: f64) {
        if p.method == Method::Steps {
            self.scales.fill(1.0 / change.hypot(p.noise).max(1e-9));
        } else {
            // The square error of a code counts by its deviation in the field, halfway between the code's own measure
            // and the field's.
            let mean = pod.spreads.iter().sum::<f64>() / pod.spreads.len() as f64;
            self.scales = pod.spreads.iter().map(|s| (s / mean).sqrt()).collect();
        }
    }

    /// Multiplications of a training step: a pass forward, and back to the inputs and to the weights of each layer.
    pub fn multiplications(&self, batch: u32) -> f64 {
        3.0 * self.weights as f64 * f64::from(batch)
    }

    /// One training step. Returns the loss before it.
    pub fn train(&mut self, examples: &Examples, p: &Params, step: u32) -> f64 {
        let rng = Philox::new(p.seed.wrapping_mul(0x9E37_79B9).wrapping_add(step + 1));
        let (batch, scales) = (p.batch as usize, &self.scales);
        let tell = |i: usize, run: usize, to: &mut [f64]| match p.condition {
            Condition::Frame => copy(to, &examples.given[run * GIVEN..][..GIVEN]),
            Condition::Words => {
                copy(to, &Caption::taught(examples.attributes[run], &rng, Stream::Control, i as u32).words);
            }
        };
        self.net.train(batch, Loss::Square, |i, x, y| {
            let [run, u, ..] = rng.uniforms(Stream::Corrector, 0, i as u32, 0);
            let run = ((run * examples.count as f64) as usize).min(examples.count - 1);
            let normals = |j: usize| rng.normals(Stream::Path, 0, i as u32, j as u32 / 4)[j % 4];
            match p.method {
                Method::Block => {
                    // One time in each of as many parts as there are examples.
                    let t = (i as f64 + u) / batch as f64;
                    let (Level { alpha, sigma, .. }, latents) = (level(t), y.len());
                    for (l, y) in y.iter_mut().enumerate() {
                        let (clean, noise) = (f64::from(examples.blocks[run * latents + l]), normals(l));
                        x[l] = alpha * clean + sigma * noise;
                        *y = scales[l] * Output::Velocity.target(clean, noise, alpha, sigma);
                    }
                    x[latents..latents + TIME_FEATURES].copy_from_slice(&time_features(t));
                    tell(i, run, &mut x[latents + TIME_FEATURES..]);
                }
                Method::Mean => {
                    tell(i, run, x);
                    copy(y, &examples.blocks[run * y.len()..]);
                    y.iter_mut().zip(scales).for_each(|(y, s)| *y *= s);
                }
                Method::Steps => {
                    let frame = ((u * (FRAMES - 1) as f64) as usize).min(FRAMES - 2);
                    let frames = &examples.blocks[run * BLOCK + frame * PLACES..][..2 * PLACES];
                    for j in 0..PLACES {
                        // Its own errors come back to it: noise teaches it to take them away.
                        let noise = if p.noise > 0.0 { p.noise * normals(j) } else { 0.0 };
                        let now = f64::from(frames[j]) + noise;
                        (x[j], y[j]) = ((now - LEVEL) / SWING, scales[j] * (f64::from(frames[PLACES + j]) - now));
                    }
                    copy(&mut x[PLACES..], &examples.given[run * GIVEN + PLACES..]);
                }
            }
        })
    }

    /// A block for each case; `draw` numbers repeated use.
    pub fn blocks(&mut self, cases: &[Case], pod: &Pod, p: &Params, draw: u32) -> Vec<Vec<f64>> {
        let codes = match p.method {
            Method::Block => self.sample(cases, p, draw),
            Method::Mean => {
                let inputs: Vec<f32> = cases.iter().flat_map(|case| case.condition.iter().copied()).collect();
                let outputs = self.net.outputs(&inputs).into_iter().enumerate();
                let code = outputs.map(|(k, v)| f64::from(v) / self.scales[k % self.scales.len()]);
                Batch::from_points(self.scales.len(), &code.collect::<Vec<f64>>())
            }
            Method::Steps => return self.roll(cases),
        };
        (0..cases.len()).map(|i| pod.decode(&codes.point(i))).collect()
    }

    /// DDIM from noise. With guidance w the velocity is v₀ + w (v − v₀), where v₀ is told nothing.
    fn sample(&mut self, cases: &[Case], p: &Params, draw: u32) -> Batch<f64> {
        let steps = f64::from(p.evaluations);
        let levels: Vec<Level> = (0..=p.evaluations).map(|k| level(1.0 - f64::from(k) / steps)).collect();
        let start = Batch::normal(self.scales.len(), cases.len(), 1.0, &Philox::new(p.seed), Stream::Prior, draw);
        let guidance = if p.condition == Condition::Words { p.guidance } else { 1.0 };
        let (net, scales) = (&mut self.net, &self.scales);
        let mut outputs = |x: &Batch<f64>, t: f64, told: f32| {
            let mut inputs = Vec::new();
            for (i, case) in cases.iter().enumerate() {
                inputs.extend(x.point(i).into_iter().chain(time_features(t)).map(|v| v as f32));
                inputs.extend(case.condition.iter().map(|v| told * v));
            }
            net.outputs(&inputs)
        };
        let velocity = |x: &Batch<f64>, t: f64, out: &mut Batch<f64>| {
            let mut values = outputs(x, t, 1.0);
            if guidance != 1.0 {
                let untold = outputs(x, t, 0.0);
                values.iter_mut().zip(&untold).for_each(|(v, free)| *v = free + guidance as f32 * (*v - free));
            }
            for (l, scale) in scales.iter().enumerate() {
                let to = out.coordinate_mut(l).iter_mut().enumerate();
                to.for_each(|(i, to)| *to = f64::from(values[i * scales.len() + l]) / scale);
            }
        };
        ddim(start, &levels, Output::Velocity, velocity, |_, _, _| ())
    }

    /// Frame by frame from the first one.
    fn roll(&mut self, cases: &[Case]) -> Vec<Vec<f64>> {
        let mut blocks: Vec<Vec<f64>> = cases.iter().map(|case| case.truth[..PLACES].to_vec()).collect();
        for at in (0..BLOCK - PLACES).step_by(PLACES) {
            let mut inputs = Vec::new();
            for (block, case) in blocks.iter().zip(cases) {
                inputs.extend(block[at..].iter().map(|u| ((u - LEVEL) / SWING) as f32));
                inputs.extend_from_slice(&case.condition[PLACES..]);
            }
            let changes = self.net.outputs(&inputs);
            for (block, changes) in blocks.iter_mut().zip(changes.chunks_exact(PLACES)) {
                for (j, change) in changes.iter().enumerate() {
                    block.push(block[at + j] + f64::from(*change) / self.scales[j]);
                }
            }
        }
        blocks
    }
}
