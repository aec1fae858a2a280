//! Shaders that the equation language writes, on the device, against its block interpreter in f32 and f64.
//!
//! The link below: the interpreter against a naive evaluator of the syntax tree (eddy_expr's own tests).

use eddy_expr::{
    BlockKernel, Column, Discretization, Field, Options, Row, System,
    lower::wgsl::{self, Edge, WgslOptions},
    program::UniformInput,
};
use eddy_gpu::{Gpu, wgpu};

use crate::harness::gpu;

const NX: usize = 37;
const NY: usize = 19;
const HX: f64 = 0.25;
const HY: f64 = 0.5;

fn sample(slot: usize, i: usize, j: usize) -> f64 {
    let (x, y) = (std::f64::consts::TAU * i as f64 / NX as f64, std::f64::consts::TAU * j as f64 / NY as f64);
    0.6 + 0.3 * (x + slot as f64).sin() + 0.2 * (2.0 * y - x).cos()
}

fn uniform(parameters: &[f64]) -> impl Fn(UniformInput) -> f64 + '_ {
    |input| match input {
        UniformInput::Parameter(index) => parameters[usize::from(index)],
        UniformInput::Time => 0.4,
        UniformInput::Integral(_) => 0.9,
        UniformInput::InverseSpacing(0) => 1.0 / HX,
        UniformInput::InverseSpacing(_) => 1.0 / HY,
    }
}

/// Periodic rates in double precision.
fn interpreted(kernel: &eddy_expr::Kernel, parameters: &[f64]) -> Vec<f64> {
    let halo = kernel.program.reach().into_iter().max().unwrap_or(0);
    let width = NX + 2 * halo;
    let wrapped = |index: usize, n: usize| (index + n * (1 + halo / n) - halo) % n;
    let slots: Vec<Vec<f64>> = (0..kernel.slots.len())
        .map(|slot| {
            (0..width * (NY + 2 * halo))
                .map(|at| sample(slot, wrapped(at % width, NX), wrapped(at / width, NY)))
                .collect()
        })
        .collect();
    let mut block = BlockKernel::<f64>::new(kernel.program.clone());
    block.set_uniforms(uniform(parameters));
    let xs: Vec<f64> = (0..NX).map(|i| 0.1 + HX * i as f64).collect();
    let mut results = vec![vec![0.0; NX * NY]; kernel.outputs.len()];
    for j in 0..NY {
        let fields: Vec<Field<'_, f64>> =
            slots.iter().map(|data| Field { data, start: (j + halo) * width + halo }).collect();
        let row = Row {
            fields: &fields,
            strides: [1, width, 0],
            coordinates: [Column::Values(&xs), Column::Constant(-0.2 + HY * j as f64), Column::Constant(0.0)],
        };
        let mut rows: Vec<&mut [f64]> = results.iter_mut().map(|r| &mut r[j * NX..(j + 1) * NX]).collect();
        block.run(&row, &mut rows).expect("fits");
    }
    results.concat()
}

/// One dispatch of the shader.
fn dispatched(gpu: &Gpu, kernel: &eddy_expr::Kernel, source: &str, parameters: &[f64]) -> Vec<f32> {
    let mut uniforms: Vec<f32> =
        kernel.program.uniform_values(uniform(parameters)).into_iter().map(|value| value as f32).collect();
    uniforms.extend([0.1, HX as f32, -0.2, HY as f32, 0.0, 1.0]);
    let state: Vec<f32> = (0..kernel.slots.len())
        .flat_map(|slot| (0..NX * NY).map(move |at| sample(slot, at % NX, at / NX) as f32))
        .collect();
    let cells = kernel.outputs.len() * NX * NY;
    let built = |result: Result<eddy_gpu::Buffer, eddy_gpu::GpuError>| result.unwrap_or_else(|error| panic!("{error}"));
    let uniforms = built(gpu.storage_from("uniforms", &uniforms));
    let state = built(gpu.storage_from("state", &state));
    let results = built(gpu.storage("results", 4 * cells as u64));
    let grid = gpu.uniform(&[NX as u32, NY as u32, 1u32, 0u32]);
    let device = gpu.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("rates"),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("rates"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    // With a layout made from the shader, only what it uses may be bound.
    let mut entries = Vec::new();
    let read_uniforms = source.contains("uniforms[");
    for (binding, buffer, used) in
        [(0, &uniforms, read_uniforms), (1, &state, source.contains("state[")), (2, &results, true), (3, &grid, true)]
    {
        if used {
            entries.push(wgpu::BindGroupEntry { binding, resource: buffer.raw().as_entire_binding() });
        }
    }
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("rates"),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        let [wx, wy, _] = wgsl::workgroup(2);
        pass.dispatch_workgroups((NX as u32).div_ceil(wx), (NY as u32).div_ceil(wy), 1);
    }
    gpu.queue().submit([encoder.finish()]);
    pollster::block_on(gpu.read_f32(&results)).unwrap_or_else(|error| panic!("{error}"))
}

/// Texts with the tolerance relative to the largest value: stencils lose (1/h)^order of the 6e-8 of single precision.
const CASES: &[(&str, f64)] = &[
    (
        "u_t = Du*lap(u) - u*v^2 + F*(1 - u)\nv_t = Dv*lap(v) + u*v^2 - (F + k)*v\nDu = 0.16; Dv = 0.08; F = 0.037; k = 0.06",
        1e-5,
    ),
    ("u_t = -u*u_x - u_xx - u_xxxx + x*y + t", 2e-4),
    ("u_t = (1 + i*a)*lap(u) + u - (1 + i*b)*abs(u)^2*u; a = 1; b = 2", 1e-5),
    ("u_t = upwind([sin(y), -1], u) + mod(x, 0.37)*heaviside(u - 0.5) + u^(-1.5) + abs(u)^0.3 + (-u)^3", 1e-5),
    ("u_t = if(u > 0.6 and not x > 4, exp(-u), tanh(30*u)) + atan2(u, x) + asinh(u) + log(u + 2)", 1e-5),
    (
        "u_t = erf(2*u - 1) + gamma(1 + u) + lgamma(2 + 5*u) + digamma(u + 0.2) + besselj(3, 9*u) + i0(3*u) + k1(u + 0.1)",
        2e-5,
    ),
    ("u_t = mean(u) - integral(u^2) + u^2.7 + gamma(0.5*u - 0.7) + erfc(u)", 1e-5),
];

#[test]
fn shaders_compute_what_the_interpreter_does() {
    let Some(gpu) = gpu() else { return };
    for (text, tolerance) in CASES {
        let mut system = System::parse(text, &Options::new(2)).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let parameters = system.parameter_values();
        for order in [2, 6] {
            let kernel = system.rates_kernel(Discretization::Stencil(order)).expect("compiles");
            let options = WgslOptions { dimension: 2, edges: [Edge::Periodic; 3] };
            let source = wgsl::shader(&kernel.program, &options).unwrap_or_else(|error| panic!("{text}: {error}"));
            let found = dispatched(gpu, &kernel, &source, &parameters);
            let expected = interpreted(&kernel, &parameters);
            let largest = expected.iter().fold(0f64, |most, value| most.max(value.abs()));
            let worst = worst_gap(&found, &expected) / largest;
            assert!(worst < *tolerance, "{text}, order {order}: {worst:e}");
            // The planted fault: one parameter or constant a little off is seen.
            if !parameters.is_empty() {
                let mut wrong = parameters.clone();
                wrong[0] *= 1.01;
                let found = dispatched(gpu, &kernel, &source, &wrong);
                assert!(worst_gap(&found, &expected) / largest > *tolerance, "{text}: the fault was not seen");
            }
        }
    }
}

fn worst_gap(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0f64, |worst, (found, expected)| {
        let gap = (f64::from(*found) - expected).abs();
        if gap.is_nan() { f64::INFINITY } else { worst.max(gap) }
    })
}

#[test]
fn roots_of_negative_numbers_have_no_value() {
    let Some(gpu) = gpu() else { return };
    let mut system = System::parse("u_t = (0.5 - u)^1.5 + (0.5 - u)^3", &Options::new(2)).expect("parses");
    let parameters = system.parameter_values();
    let kernel = system.rates_kernel(Discretization::Stencil(2)).expect("compiles");
    let options = WgslOptions { dimension: 2, edges: [Edge::Periodic; 3] };
    let source = wgsl::shader(&kernel.program, &options).expect("has a shader");
    let (found, expected) = (dispatched(gpu, &kernel, &source, &parameters), interpreted(&kernel, &parameters));
    let undefined = expected.iter().filter(|value| value.is_nan()).count();
    assert!(undefined > 0 && undefined < expected.len(), "{undefined}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.is_nan() == expected.is_nan(), "{found} {expected}");
        assert!(expected.is_nan() || (f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
    }
}
