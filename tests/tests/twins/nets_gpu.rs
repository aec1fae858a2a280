//! The kernels of a training step against their twins, and whole steps on the GPU against the CPU engine.
//!
//! The link below: `eddy_nets`' own tests, which hold the CPU engine against hyper-dual numbers and central differences.

// Not all of the harness is used here.
use crate::harness::{Bound, Case, Fault, check_all, gpu};
#[allow(dead_code, reason = "shared with the other twins")]
use eddy_kernels::bytemuck::{cast_slice, cast_slice_mut, pod_read_unaligned};
use eddy_kernels::cpu::nets::{adam, advance, backward, forward, line_residual, typed_residual};
use eddy_kernels::kernels::nets as kernels;
use eddy_nets::gpu::{GpuTrainError, LineResidual, LineTask, LineTrainer, Residual};
use eddy_nets::{
    Activation, Adam, AdamSettings, Architecture, Engine, JetSpec, Linear, Network, Schedule, Shape, uniform,
};

/// 21 points: two full tiles and a part of a third.
const POINTS: usize = 21;
const BATCHES: usize = 3;
const WIDTH: usize = 11;
const LAYERS: usize = 3;
const FEATURES: usize = 5;
const GROUPS: usize = 2;
const COUNT: usize = WIDTH * (FEATURES + 1) + (LAYERS - 1) * WIDTH * (WIDTH + 1) + WIDTH + 1;

fn numbers(stream: u64, count: usize, scale: f32) -> Vec<u32> {
    (0..count).map(|i| (scale * (2.0 * uniform(stream, i as u64) as f32 - 1.0)).to_bits()).collect()
}

fn words<T: eddy_kernels::bytemuck::Pod>(params: &T) -> Vec<u32> {
    cast_slice(std::slice::from_ref(params)).to_vec()
}

fn dirty(count: usize) -> Vec<u32> {
    vec![crate::harness::DIRTY.to_bits(); count]
}

const SUMMED: Bound = Bound::Relative(2e-5, "some tens of products of jets near one, summed in another order, and exp");
const POINTWISE: Bound = Bound::Relative(2e-6, "a dozen operations without cancellation");

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in [0, 1] {
        let shape = forward::Params {
            points: POINTS as u32,
            batches: BATCHES as u32,
            features: FEATURES as u32,
            width: WIDTH as u32,
            layers: LAYERS as u32,
            activation,
        };
        let forward::Params { points, batches, features, width, layers, .. } = shape;
        let back =
            backward::Params { points, batches, features, width, layers, activation, groups: 2, count: COUNT as u32 };
        // Step 5 of three batches takes batch 2.
        let inputs = || [vec![5], numbers(1, COUNT, 0.6), numbers(2, BATCHES * POINTS * FEATURES * 4, 1.0)];
        let [state, parameters, jets] = inputs();
        cases.push(Case {
            kernel: &kernels::FORWARD,
            label: format!("activation {activation}"),
            buffers: vec![
                words(&shape),
                state,
                parameters,
                jets,
                dirty(LAYERS * POINTS * WIDTH * 4),
                dirty(POINTS * 4),
            ],
            workgroups: [POINTS.div_ceil(backward::TILE) as u32, 1, 1],
            twin: |b| {
                let [p, state, parameters, jets, sums, outputs] = b else { unreachable!() };
                forward::forward(
                    &pod_read_unaligned(cast_slice(p)),
                    state,
                    cast_slice(parameters),
                    cast_slice(jets),
                    cast_slice_mut(sums),
                    cast_slice_mut(outputs),
                );
            },
            bound: SUMMED,
            fault: Fault("s.z * z.z * z.z", "s.z * z.z * z.y"),
        });
        let [state, parameters, jets] = inputs();
        cases.push(Case {
            kernel: &kernels::BACKWARD,
            label: format!("activation {activation}"),
            buffers: vec![
                words(&back),
                state,
                parameters,
                jets,
                numbers(3, LAYERS * POINTS * WIDTH * 4, 1.0),
                numbers(4, POINTS * 4, 1.0),
                dirty(GROUPS * COUNT),
            ],
            workgroups: [GROUPS as u32, 1, 1],
            twin: |b| {
                let [p, state, parameters, jets, sums, adjoints, partials] = b else { unreachable!() };
                backward::backward(
                    &pod_read_unaligned(cast_slice(p)),
                    state,
                    cast_slice(parameters),
                    cast_slice(jets),
                    cast_slice(sums),
                    cast_slice(adjoints),
                    cast_slice_mut(partials),
                );
            },
            bound: SUMMED,
            fault: Fault("s.w * z.z * z.z", "s.w * z.z * z.y"),
        });
    }
    let residual = line_residual::Params {
        points: POINTS as u32,
        batches: BATCHES as u32,
        advection: 0.8,
        diffusion: 0.1,
        reaction: 1.5,
        weight: 0.25,
    };
    cases.push(Case {
        kernel: &kernels::LINE_RESIDUAL,
        label: String::new(),
        buffers: vec![
            words(&residual),
            vec![4],
            numbers(5, BATCHES * POINTS * 8, 1.0),
            numbers(6, POINTS * 4, 1.0),
            dirty(POINTS * 4),
            dirty(POINTS),
        ],
        workgroups: [1, 1, 1],
        twin: |b| {
            let [p, state, envelopes, outputs, adjoints, squares] = b else { unreachable!() };
            line_residual::line_residual(
                &pod_read_unaligned(cast_slice(p)),
                state,
                cast_slice(envelopes),
                cast_slice(outputs),
                cast_slice_mut(adjoints),
                cast_slice_mut(squares),
            );
        },
        bound: POINTWISE,
        fault: Fault("3.0 * u.x * u.x", "2.0 * u.x * u.x"),
    });
    const INSIDE: usize = 15;
    let typed = typed_residual::Params {
        points: POINTS as u32,
        batches: BATCHES as u32,
        inside: INSIDE as u32,
        scale: 1.5,
        weight: 0.25,
        side_weight: 0.75,
    };
    cases.push(Case {
        kernel: &kernels::TYPED_RESIDUAL,
        label: String::new(),
        buffers: vec![
            words(&typed),
            vec![4],
            numbers(12, 1, 1.0),
            numbers(13, BATCHES * POINTS * 2, 1.0),
            numbers(14, BATCHES * (POINTS - INSIDE) * 4, 1.0),
            numbers(5, BATCHES * POINTS * 8, 1.0),
            numbers(6, POINTS * 4, 1.0),
            dirty(POINTS * 4),
            dirty(POINTS),
        ],
        workgroups: [1, 1, 1],
        twin: |b| {
            let [p, state, uniforms, places, conditions, envelopes, outputs, adjoints, squares] = b else {
                unreachable!()
            };
            typed_residual::typed_residual(
                &pod_read_unaligned(cast_slice(p)),
                state,
                cast_slice(uniforms),
                cast_slice(places),
                cast_slice(conditions),
                cast_slice(envelopes),
                cast_slice(outputs),
                cast_slice_mut(adjoints),
                cast_slice_mut(squares),
            );
        },
        bound: POINTWISE,
        fault: Fault("u.xzw", "u.xyw"),
    });
    let update = adam::Params { count: COUNT as u32, groups: 2, steps: 7, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let positive = |stream, count| {
        numbers(stream, count, 1.0).into_iter().map(|w| (f32::from_bits(w).abs() + 0.1).to_bits()).collect::<Vec<_>>()
    };
    cases.push(Case {
        kernel: &kernels::ADAM,
        label: String::new(),
        buffers: vec![
            words(&update),
            vec![3],
            positive(7, 14),
            numbers(8, GROUPS * COUNT, 1.0),
            numbers(9, COUNT, 1.0),
            positive(10, 2 * COUNT),
        ],
        workgroups: [COUNT.div_ceil(64) as u32, 1, 1],
        twin: |b| {
            let [p, state, rates, partials, parameters, moments] = b else { unreachable!() };
            adam::adam(
                &pod_read_unaligned(cast_slice(p)),
                state,
                cast_slice(rates),
                cast_slice(partials),
                cast_slice_mut(parameters),
                cast_slice_mut(moments),
            );
        },
        bound: POINTWISE,
        fault: Fault("v * rate.y", "v * rate.x"),
    });
    cases.push(Case {
        kernel: &kernels::ADVANCE,
        label: String::new(),
        buffers: vec![words(&advance::Params { steps: 3 }), vec![39]],
        workgroups: [1, 1, 1],
        twin: |b| {
            let [p, state] = b else { unreachable!() };
            advance::advance(&pod_read_unaligned(cast_slice(p)), state);
        },
        bound: Bound::Bits,
        fault: Fault("+=", "-="),
    });
    cases
}

#[test]
fn kernels_equal_their_twins() {
    check_all(cases());
}

const NU: f64 = 0.05;

/// Jets of the envelope of Burgers' problem.
fn envelope(t: f64, x: f64) -> [[f64; 4]; 2] {
    let (sin, cos) = (std::f64::consts::PI * x).sin_cos();
    let (pi, hat) = (std::f64::consts::PI, 1.0 - x * x);
    [[-sin, 0.0, -pi * cos, pi * pi * sin], [t * hat, hat, -2.0 * t * x, -2.0 * t]]
}

/// What training gave: mean squared residual and its gradient in the last step, and the parameters after it.
struct Trained {
    residual: f64,
    gradient: Vec<f32>,
    parameters: Vec<f32>,
}

/// One network trained on the CPU and on the GPU.
fn train(activation: Activation, steps: usize, viscosity_on_gpu: f64) -> Option<[Trained; 2]> {
    let gpu = gpu()?;
    let (batch, batches) = (100, 4);
    let mut architecture = Architecture::dense(2, &[24, 24, 24], 1, activation);
    architecture.features.linear[0] = Linear { input: 0, center: 0.5, scale: 2.0 };
    architecture.features.waves = vec![vec![0.3, 2.0]];
    let mut network = Network::<f32>::new(architecture, 6).unwrap();
    let points: Vec<f32> = (0..batches * batch)
        .flat_map(|i| [uniform(1, i as u64) as f32, 2.0 * uniform(2, i as u64) as f32 - 1.0])
        .collect();
    let envelopes: Vec<[f32; 4]> = points
        .chunks(2)
        .flat_map(|p| envelope(f64::from(p[0]), f64::from(p[1])).map(|j| j.map(|v| v as f32)))
        .collect();
    let schedule =
        Schedule { rate: 3e-3, shape: Shape::Exponential { factor: 0.5, every: 7, staircase: true }, warm_up: 3 };
    let settings = AdamSettings { schedule, ..AdamSettings::default() };
    let task = LineTask {
        residual: Residual::Line(LineResidual { advection: 1.0, diffusion: viscosity_on_gpu as f32, reaction: 0.0 }),
        points: &points,
        envelopes: &envelopes,
        batch,
        adam: settings,
        steps: steps as u64,
    };
    let trainer = LineTrainer::new(gpu, &network, &task).unwrap();
    trainer.train(steps).unwrap();
    let squares = pollster::block_on(trainer.squares()).unwrap();
    let on_gpu = squares.iter().map(|s| f64::from(*s)).sum::<f64>() / batch as f64;
    let on_gpu = Trained {
        residual: on_gpu,
        gradient: pollster::block_on(trainer.gradient()).unwrap(),
        parameters: pollster::block_on(trainer.parameters()).unwrap(),
    };

    let jets = JetSpec::value(2).along(0).along(1).second(1, 1);
    let mut engine = Engine::new(&network, &jets).unwrap();
    let mut adam = Adam::new(network.parameters.len(), settings);
    let mut gradient = vec![0f32; network.parameters.len()];
    let mut mean = 0.0;
    for step in 0..steps {
        let at = step % batches * batch * 2;
        mean = engine.gradient(&network, &points[at..at + 2 * batch], &mut gradient, |tile| {
            let mut sum = 0.0;
            for i in 0..tile.len {
                let [a, b] = envelope(f64::from(tile.input(0)[i]), f64::from(tile.input(1)[i]));
                let n = [0, 1, 2, 3].map(|c| f64::from(tile.jet(0, c)[i]));
                let u = a[0] + b[0] * n[0];
                let ut = a[1] + b[1] * n[0] + b[0] * n[1];
                let ux = a[2] + b[2] * n[0] + b[0] * n[2];
                let uxx = a[3] + b[3] * n[0] + 2.0 * b[2] * n[2] + b[0] * n[3];
                let r = ut + u * ux - NU * uxx;
                sum += r * r / batch as f64;
                let f = 2.0 * r / batch as f64;
                let adjoints = [
                    f * (b[0] * ux + b[1] + b[2] * u - NU * b[3]),
                    f * b[0],
                    f * (b[0] * u - 2.0 * NU * b[2]),
                    -f * NU * b[0],
                ];
                for (c, a) in adjoints.into_iter().enumerate() {
                    tile.adjoint(0, c)[i] = a as f32;
                }
            }
            sum
        });
        adam.step(&mut network.parameters, &mut gradient);
    }
    Some([Trained { residual: mean, gradient, parameters: network.parameters }, on_gpu])
}

fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |m, v| m.max(v.abs()))
}

/// Largest difference of the parameters.
fn distance([a, b]: &[Trained; 2]) -> f32 {
    largest(a.parameters.iter().zip(&b.parameters).map(|(a, b)| a - b))
}

#[test]
fn steps_on_the_gpu_follow_the_cpu() {
    for activation in [Activation::Tanh, Activation::Sin] {
        let Some(one) = train(activation, 1, NU) else { return };
        let [cpu, graphics] = &one;
        assert!((cpu.residual / graphics.residual - 1.0).abs() < 1e-5, "{} {}", cpu.residual, graphics.residual);
        let difference = largest(cpu.gradient.iter().zip(&graphics.gradient).map(|(a, b)| a - b));
        // Sums over a hundred points of products that pass four layers, in f32 and in another order.
        let scale = largest(cpu.gradient.iter().copied());
        assert!(difference < 1e-5 * scale, "{activation:?}: {difference:e} of {scale:e}");
        assert!(distance(&one) < 1e-6, "{activation:?}: {}", distance(&one));
        // Ten steps through all batches and two stairs of the rate: rounding of small gradients grows with each.
        let Some(ten) = train(activation, 10, NU) else { return };
        assert!((ten[0].residual / ten[1].residual - 1.0).abs() < 1e-3, "{} {}", ten[0].residual, ten[1].residual);
        assert!(distance(&ten) < 2e-5, "{activation:?}: {}", distance(&ten));
        // Planted fault: a hundredth more viscosity.
        let Some(wrong) = train(activation, 10, 1.01 * NU) else { return };
        assert!(distance(&wrong) > 2e-5, "{activation:?}: {}", distance(&wrong));
    }
}

#[test]
fn training_reduces_the_residual() {
    let Some([_, before]) = train(Activation::Tanh, 1, NU) else { return };
    let Some([_, after]) = train(Activation::Tanh, 60, NU) else { return };
    assert!(after.residual < 0.5 * before.residual, "{} {}", before.residual, after.residual);
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(gpu) = gpu() else { return };
    let try_it = |hidden: &[usize], activation, points: usize| {
        let network = Network::<f32>::new(Architecture::dense(2, hidden, 1, activation), 1).unwrap();
        let numbers = vec![0.5; 2 * points];
        let task = LineTask {
            residual: Residual::Line(LineResidual { advection: 1.0, diffusion: 0.1, reaction: 0.0 }),
            points: &numbers,
            envelopes: &vec![[0.0; 4]; 2 * points],
            batch: 10,
            adam: AdamSettings::default(),
            steps: 10,
        };
        LineTrainer::new(gpu, &network, &task).err()
    };
    assert!(try_it(&[64, 64], Activation::Sin, 20).is_none());
    assert!(matches!(try_it(&[65], Activation::Tanh, 20), Some(GpuTrainError::Unsupported { .. })));
    assert!(matches!(try_it(&[8, 9], Activation::Tanh, 20), Some(GpuTrainError::Unsupported { .. })));
    assert!(matches!(try_it(&[8], Activation::Gelu, 20), Some(GpuTrainError::Unsupported { .. })));
    assert!(matches!(try_it(&[8], Activation::Tanh, 25), Some(GpuTrainError::Gpu(_))));
    assert!(matches!(try_it(&[8], Activation::Tanh, 0), Some(GpuTrainError::Gpu(_))));
}
