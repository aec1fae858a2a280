//! The denoiser: a transformer over patches of 4 × 4 pixels that predicts v = α ε − σ x₀.
//!
//! Sixteen tokens of 64 numbers pass three blocks of attention and a two-layer network (Peebles & Xie 2023, with one
//! modulation for all blocks and a table of its own for each as in Chen et al. 2024, "PixArt-α", section 2.3). A patch
//! transformer is mostly matrix products, which burn's CPU back end does well; a U-Net of the same number of weights at
//! 16 × 16 pixels moves its data through shapes that it does badly. Each token sees its patch and a margin of two pixels,
//! so that strokes go on across the seams. There are no biases where a modulation adds one anyway.

use burn::tensor::{Device, Tensor, TensorData, activation};
use eddy_numerics::diffusion::{Node, Schedule, VpCosine};

use super::{
    drawing::{CLASSES, Condition, PIXELS, SIDE, SIZES, windows},
    parameters::Matrix,
};

/// Side of a patch, patches of a picture, and side of what a token sees.
pub(super) const PATCH: usize = 4;
const TOKENS: usize = PIXELS / (PATCH * PATCH);
const SEEN: usize = 8;
/// Numbers of a token, blocks, heads of attention, hidden numbers of the two-layer networks.
const WIDTH: usize = 64;
const BLOCKS: usize = 3;
const HEADS: usize = 4;
const HIDDEN: usize = 128;
/// Pairs of a cosine and a sine of the time.
const WAVES: usize = 8;
const TIME: usize = 2 * WAVES + 2;
/// Numbers that describe time, class and size; both lists have one entry more, for "not said".
const DESCRIPTION: usize = TIME + CLASSES.len() + 1 + SIZES.len() + 1;

/// The noise levels that the model is trained on.
pub fn schedule() -> VpCosine {
    VpCosine::default()
}

/// The span of its times, from the data's end to the noise's.
pub fn span() -> (f64, f64) {
    schedule().default_span()
}

/// The parameters in the order in which [`forward`] takes them.
pub(super) fn layout() -> Vec<Matrix> {
    let weight = Matrix::weight;
    let mut out = vec![
        weight("denoiser.patches.weight", SEEN * SEEN, WIDTH, 1.0),
        Matrix::table("denoiser.places", TOKENS, WIDTH, 0.3),
        weight("denoiser.condition.0.weight", DESCRIPTION, HIDDEN, 2.0),
        Matrix::table("denoiser.condition.0.bias", 1, HIDDEN, 0.0),
        weight("denoiser.condition.1.weight", HIDDEN, WIDTH, 1.5),
        Matrix::table("denoiser.condition.1.bias", 1, WIDTH, 0.0),
        weight("denoiser.modulation.weight", WIDTH, 6 * WIDTH, 0.3),
    ];
    for block in 0..BLOCKS {
        let name = |part: &str| format!("denoiser.blocks.{block}.{part}");
        out.extend([
            Matrix::table(&name("table"), 1, 6 * WIDTH, 0.0),
            weight(&name("attention.in.weight"), WIDTH, 3 * WIDTH, 1.0),
            weight(&name("attention.out.weight"), WIDTH, WIDTH, 0.5),
            weight(&name("network.in.weight"), WIDTH, HIDDEN, 1.4),
            weight(&name("network.out.weight"), HIDDEN, WIDTH, 0.5),
        ]);
    }
    out.extend([
        Matrix::table("denoiser.last.table", 1, 2 * WIDTH, 0.0),
        // Zero: the first prediction is v = 0.
        weight("denoiser.last.weight", WIDTH, PATCH * PATCH, 0.0),
        Matrix::table("denoiser.last.bias", 1, PATCH * PATCH, 0.0),
    ]);
    out
}

/// Number of weights and biases.
pub fn parameter_count() -> usize {
    super::parameters::count(&layout())
}

/// What the network is given for `x` (rows of pixels) at a time and under a condition each: the windows of the patches,
/// and time, class and size as numbers.
pub(super) struct Input {
    count: usize,
    windows: Vec<f32>,
    description: Vec<f32>,
}

impl Input {
    pub fn new(x: &[f32], times: &[f64], conditions: &[Condition]) -> Self {
        let count = conditions.len();
        let mut description = Vec::with_capacity(count * DESCRIPTION);
        for (i, condition) in conditions.iter().enumerate() {
            let node = schedule().node(times[i.min(times.len() - 1)]);
            description.extend(time_features(&node));
            one_of(&mut description, condition.class, CLASSES.len());
            one_of(&mut description, condition.size, SIZES.len());
        }
        Self { count, windows: windows(x, PATCH, SEEN), description }
    }
}

fn time_features(node: &Node) -> [f32; TIME] {
    let mut out = [0.0; TIME];
    for k in 0..WAVES {
        let (sin, cos) = (std::f64::consts::PI * (k + 1) as f64 * node.t).sin_cos();
        (out[2 * k], out[2 * k + 1]) = (cos as f32, sin as f32);
    }
    (out[TIME - 2], out[TIME - 1]) = (node.alpha as f32, node.sigma as f32);
    out
}

/// A 1 at `which`, or at the place after the list where nothing is said.
fn one_of(out: &mut Vec<f32>, which: Option<usize>, count: usize) {
    let at = which.unwrap_or(count).min(count);
    out.extend((0..=count).map(|i| if i == at { 1.0 } else { 0.0 }));
}

/// v in patches [pictures · 16, 16]; see [`super::drawing::to_rows`].
///
/// One picture costs about 5 million multiplications and additions: 2 · 16 · (weights of the blocks), and a tenth more
/// for the attention itself.
pub(super) fn forward(parameters: &[Tensor<2>], input: &Input, device: &Device) -> Tensor<2> {
    let n = input.count;
    let mut next = parameters.iter().cloned();
    // The list is that of `layout`, so it does not end early; an empty matrix would fail in the product.
    let mut take = || next.next().unwrap_or_else(|| Tensor::zeros([0, 0], device));
    let windows = Tensor::<2>::from_data(TensorData::new(input.windows.clone(), [n * TOKENS, SEEN * SEEN]), device);
    let description = Tensor::<2>::from_data(TensorData::new(input.description.clone(), [n, DESCRIPTION]), device);

    let tokens = windows.matmul(take()).reshape([n, TOKENS, WIDTH]);
    let mut x = tokens + take().unsqueeze::<3>();
    let said = activation::gelu(description.matmul(take()) + take());
    let said = activation::gelu(said.matmul(take()) + take());
    let common = said.matmul(take());
    for _ in 0..BLOCKS {
        let part = {
            let all = common.clone() + take();
            move |k: usize| all.clone().narrow(1, k * WIDTH, WIDTH).unsqueeze_dim::<3>(1)
        };
        let h = modulate(normalize(x.clone()), part(0), part(1));
        let h = attention(h, take()).matmul(take()).reshape([n, TOKENS, WIDTH]);
        x = x + h * part(2);
        let h = modulate(normalize(x.clone()), part(3), part(4)).reshape([n * TOKENS, WIDTH]);
        let h = activation::gelu(h.matmul(take())).matmul(take()).reshape([n, TOKENS, WIDTH]);
        x = x + h * part(5);
    }
    let last = common.narrow(1, 0, 2 * WIDTH) + take();
    let part = |k: usize| last.clone().narrow(1, k * WIDTH, WIDTH).unsqueeze_dim::<3>(1);
    let h = modulate(normalize(x), part(0), part(1)).reshape([n * TOKENS, WIDTH]);
    h.matmul(take()) + take()
}

/// Each token divided by the root of its mean square (Zhang & Sennrich 2019).
fn normalize(x: Tensor<3>) -> Tensor<3> {
    let square = x.clone().square().mean_dim(2);
    x / (square + 1e-6).sqrt()
}

/// x (1 + scale) + shift.
fn modulate(x: Tensor<3>, scale: Tensor<3>, shift: Tensor<3>) -> Tensor<3> {
    x * (scale + 1.0) + shift
}

/// softmax(q kᵀ/√d) v for each head: tokens as [pictures · 16, width] before the last product.
fn attention(x: Tensor<3>, weight: Tensor<2>) -> Tensor<2> {
    const EACH: usize = WIDTH / HEADS;
    let n = x.dims()[0];
    let all = x.reshape([n * TOKENS, WIDTH]).matmul(weight).reshape([n, TOKENS, 3 * HEADS, EACH]).swap_dims(1, 2);
    let part = |k: usize| all.clone().narrow(1, k * HEADS, HEADS);
    let scores = part(0).matmul(part(1).swap_dims(2, 3)) * (EACH as f64).powf(-0.5);
    activation::softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([n * TOKENS, WIDTH])
}

/// The side of the pictures fits the patches.
const _: () = assert!(SIDE % PATCH == 0 && WIDTH % HEADS == 0);

#[cfg(all(test, feature = "flex"))]
mod tests {
    use eddy_numerics::rng::{Philox, Stream};

    use super::{super::parameters, *};
    use crate::Engine;

    /// Parameters with no zeros, so that every part has its say.
    fn busy() -> Vec<f32> {
        let layout: Vec<Matrix> = layout().into_iter().map(|m| Matrix { spread: m.spread.max(0.2), ..m }).collect();
        parameters::initial(&layout, &Philox::new(4), 0)
    }

    fn pixels(count: usize) -> Vec<f32> {
        let rng = Philox::new(9);
        (0..count * PIXELS).map(|i| rng.normals(Stream::Path, 0, i as u32, 0)[0] as f32).collect()
    }

    fn run(values: &[f32], x: &[f32], times: &[f64], conditions: &[Condition]) -> Vec<f32> {
        let device = Engine::cpu().plain().clone();
        let tensors = parameters::on_device(&layout(), values, &device);
        forward(&tensors, &Input::new(x, times, conditions), &device).try_into_vec_as::<f32>().unwrap()
    }

    /// The same network with loops in f64.
    fn by_loops(values: &[f32], x: &[f32], time: f64, condition: Condition, heads: usize) -> Vec<f64> {
        let mut rest = values;
        let mut matrices = Vec::new();
        for m in layout() {
            let (own, after) = rest.split_at(m.len());
            rest = after;
            matrices.push((m.rows, m.columns, own.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>()));
        }
        let mut matrices = matrices.into_iter();
        let mut take = || matrices.next().unwrap();
        let product = |x: &[f64], (rows, columns, w): &(usize, usize, Vec<f64>)| -> Vec<f64> {
            (0..x.len() / rows * columns)
                .map(|k| (0..*rows).map(|r| x[k / columns * rows + r] * w[r * columns + k % columns]).sum())
                .collect()
        };
        let gelu = |v: f64| 0.5 * v * (1.0 + erf(v / 2f64.sqrt()));
        let input = Input::new(x, &[time], &[condition]);
        let as_f64 = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let mut h = product(&as_f64(&input.windows), &take());
        h.iter_mut().zip(take().2).for_each(|(a, b)| *a += b);
        let mut said = as_f64(&input.description);
        for _ in 0..2 {
            said = product(&said, &take());
            said = said.iter().zip(take().2).map(|(a, b)| gelu(a + b)).collect();
        }
        let common = product(&said, &take());
        let modulated = |h: &[f64], by: &[f64], k: usize| -> Vec<f64> {
            h.chunks(WIDTH)
                .flat_map(|token| {
                    let root = (token.iter().map(|v| v * v).sum::<f64>() / WIDTH as f64 + 1e-6).sqrt();
                    token
                        .iter()
                        .enumerate()
                        .map(move |(i, v)| v / root * (1.0 + by[k * WIDTH + i]) + by[(k + 1) * WIDTH + i])
                })
                .collect()
        };
        for _ in 0..BLOCKS {
            let by: Vec<f64> = common.iter().zip(take().2).map(|(a, b)| a + b).collect();
            let all = product(&modulated(&h, &by, 0), &take());
            let each = WIDTH / heads;
            let mut mixed = vec![0.0; TOKENS * WIDTH];
            for head in 0..heads {
                let at =
                    |token: usize, which: usize, i: usize| all[token * 3 * WIDTH + which * WIDTH + head * each + i];
                for q in 0..TOKENS {
                    let score =
                        |k: usize| (0..each).map(|i| at(q, 0, i) * at(k, 1, i)).sum::<f64>() / (each as f64).sqrt();
                    let weights: Vec<f64> = (0..TOKENS).map(|k| score(k).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    for i in 0..each {
                        mixed[q * WIDTH + head * each + i] = (0..TOKENS).map(|k| weights[k] / sum * at(k, 2, i)).sum();
                    }
                }
            }
            let out = product(&mixed, &take());
            h.iter_mut().zip(&out).enumerate().for_each(|(k, (a, b))| *a += b * by[2 * WIDTH + k % WIDTH]);
            let hidden: Vec<f64> = product(&modulated(&h, &by, 3), &take()).into_iter().map(gelu).collect();
            let out = product(&hidden, &take());
            h.iter_mut().zip(&out).enumerate().for_each(|(k, (a, b))| *a += b * by[5 * WIDTH + k % WIDTH]);
        }
        let by: Vec<f64> = common.iter().zip(take().2).map(|(a, b)| a + b).collect();
        let out = product(&modulated(&h, &by, 0), &take());
        let bias = take().2;
        out.iter().enumerate().map(|(k, v)| v + bias[k % bias.len()]).collect()
    }

    /// erf by its Taylor series, which is enough for |x| < 4.
    fn erf(x: f64) -> f64 {
        if x.abs() > 4.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn the_network_is_the_one_described() {
        let (values, x) = (busy(), pixels(1));
        let condition = Condition { class: Some(5), size: None };
        let found = run(&values, &x, &[0.4], &[condition]);
        let worst = |heads| {
            let expected = by_loops(&values, &x, 0.4, condition, heads);
            let scale = expected.iter().fold(0.0f64, |a, v| a.max(v.abs()));
            expected.iter().zip(&found).fold(0.0f64, |a, (e, f)| a.max((e - f64::from(*f)).abs())) / scale
        };
        assert!(worst(HEADS) < 1e-4, "{}", worst(HEADS));
        // Planted fault: half as many heads.
        assert!(worst(HEADS / 2) > 1e-2, "{}", worst(HEADS / 2));
    }

    #[test]
    fn time_class_and_size_change_the_prediction_and_pictures_do_not_mix() {
        let (values, x) = (busy(), pixels(1));
        let twice = [x.clone(), x.clone()].concat();
        let differ = |times: [f64; 2], conditions: [Condition; 2]| {
            let out = run(&values, &twice, &times, &conditions);
            out[..PIXELS].iter().zip(&out[PIXELS..]).fold(0.0f32, |a, (b, c)| a.max((b - c).abs()))
        };
        let asked = Condition::of(3, 1);
        assert_eq!(differ([0.3, 0.3], [asked, asked]), 0.0);
        assert!(differ([0.3, 0.31], [asked, asked]) > 1e-3);
        assert!(differ([0.3, 0.3], [asked, Condition::of(4, 1)]) > 1e-2);
        assert!(differ([0.3, 0.3], [asked, Condition::of(3, 0)]) > 1e-2);
        assert!(differ([0.3, 0.3], [asked, Condition { size: None, ..asked }]) > 1e-2);
        assert!(differ([0.3, 0.3], [asked, Condition { class: None, ..asked }]) > 1e-2);
    }

    #[test]
    fn the_model_is_as_small_as_said() {
        assert!(parameter_count() < 400_000);
        assert_eq!(parameter_count(), layout().iter().map(|m| m.rows * m.columns).sum::<usize>());
    }
}
