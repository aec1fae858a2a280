//! Runs a kernel and its twin on the same numbers.

use std::io::Write as _;
use std::sync::OnceLock;

use eddy_gpu::{Gpu, GpuOptions, Pipeline, Recording};
use eddy_kernels::bytemuck::{self, Pod};
use eddy_kernels::{BindingKind, Kernel};

/// Words that outputs hold before a dispatch, so that a kernel that skips a number is seen.
pub const DIRTY: f32 = -0.625;

/// One dispatch.
pub struct Case {
    pub kernel: &'static Kernel,
    pub label: String,
    /// Contents of every binding, in order, as words.
    pub buffers: Vec<Vec<u32>>,
    pub workgroups: [u32; 3],
    /// Runs the twin on the buffers.
    pub twin: fn(&mut [Vec<u32>]),
    pub bound: Bound,
    pub fault: Fault,
}

/// How far outputs may differ, and why.
#[derive(Clone, Copy)]
pub enum Bound {
    /// Bit for bit.
    Bits,
    /// By this fraction of the largest magnitude in the output.
    Relative(f32, &'static str),
}

/// A change of the WGSL text after which the comparison must fail.
pub struct Fault(pub &'static str, pub &'static str);

/// The device of this test binary; none if there is no adapter, which is said aloud.
pub fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| match pollster::block_on(Gpu::request(GpuOptions::default())) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var_os("EDDY_REQUIRE_GPU").is_some_and(|v| v == "1") => {
            panic!("EDDY_REQUIRE_GPU=1, but: {error}")
        }
        Err(error) => {
            // Past the capture of passing tests.
            let line = format!("SKIPPED: no Vulkan adapter; install mesa-vulkan-drivers ({error})\n");
            std::io::stderr().write_all(line.as_bytes()).expect("stderr");
            None
        }
    })
    .as_ref()
}

/// Compares every case, and checks that every planted fault is caught.
pub fn check_all(cases: Vec<Case>) {
    let Some(gpu) = gpu() else { return };
    assert!(!cases.is_empty());
    for case in cases {
        let mut expected = case.buffers.clone();
        (case.twin)(&mut expected);
        // A device emulated on a CPU gets fewer threads; those of hardware are compared as well.
        let for_hardware = case.kernel.source.replace("override THREADS", "const THREADS");
        for source in [case.kernel.source, &for_hardware] {
            let computed = dispatch(gpu, &case, source);
            if let Err(difference) = compare(&case, &computed, &expected) {
                panic!("{} {}: {difference}", case.kernel.name, case.label);
            }
            if for_hardware == case.kernel.source {
                break;
            }
        }
        let Fault(from, to) = case.fault;
        assert!(case.kernel.source.contains(from), "{}: no `{from}` to plant a fault at", case.kernel.name);
        let computed = dispatch(gpu, &case, &case.kernel.source.replace(from, to));
        assert!(
            compare(&case, &computed, &expected).is_err(),
            "{} {}: the fault `{from}` → `{to}` went unnoticed",
            case.kernel.name,
            case.label
        );
    }
}

fn dispatch(gpu: &Gpu, case: &Case, source: &str) -> Vec<Vec<u32>> {
    pollster::block_on(async {
        let pipeline = std::sync::Arc::new(Pipeline::compile(gpu, case.kernel, source).await?);
        let mut buffers = Vec::new();
        for (binding, words) in case.kernel.bindings.iter().zip(&case.buffers) {
            buffers.push(match binding.kind {
                BindingKind::Uniform => {
                    let mut padded = [0u32; 32];
                    padded[..words.len()].copy_from_slice(words);
                    gpu.uniform(&padded)
                }
                _ => gpu.storage_from(binding.name, words)?,
            });
        }
        let mut recording = Recording::new();
        recording.dispatch(gpu, &pipeline, &buffers.iter().collect::<Vec<_>>(), case.workgroups)?;
        gpu.submit(&recording, 1)?;
        let mut out = case.buffers.clone();
        for ((binding, buffer), words) in case.kernel.bindings.iter().zip(&buffers).zip(&mut out) {
            if binding.kind == BindingKind::ReadWrite {
                *words = gpu.read::<u32>(buffer, 0, words.len()).await?;
            }
        }
        Ok::<_, eddy_gpu::GpuError>(out)
    })
    .unwrap_or_else(|error| panic!("{} {}: {error}", case.kernel.name, case.label))
}

fn compare(case: &Case, computed: &[Vec<u32>], expected: &[Vec<u32>]) -> Result<(), String> {
    for (number, binding) in case.kernel.bindings.iter().enumerate() {
        if binding.kind != BindingKind::ReadWrite {
            continue;
        }
        let (computed, expected) = (&computed[number], &expected[number]);
        let values = expected.iter().map(|w| f32::from_bits(*w).abs()).filter(|v| v.is_finite());
        let largest = values.fold(0.0, f32::max);
        for (i, (c, e)) in computed.iter().zip(expected).enumerate() {
            let (cf, ef) = (f32::from_bits(*c), f32::from_bits(*e));
            let agrees = match case.bound {
                Bound::Bits => c == e,
                // Written so that a NaN fails.
                Bound::Relative(fraction, _) => c == e || (cf - ef).abs() <= fraction * largest,
            };
            if !agrees {
                let reason = match case.bound {
                    Bound::Bits => "bits must be equal",
                    Bound::Relative(_, reason) => reason,
                };
                return Err(format!("{}[{i}] is {cf:e} ({c:#x}), twin {ef:e} ({e:#x}); {reason}", binding.name));
            }
        }
    }
    Ok(())
}

/// Reproducible numbers in [-1, 1).
pub fn noise(count: usize, seed: u32) -> Vec<f32> {
    let block = |i: u32| eddy_kernels::cpu::random::philox::philox_4x32_10([i, 0, 0, 0], [seed, 0]);
    let words = (0..count.div_ceil(4) as u32).flat_map(block);
    // 24 bits: exact in f32.
    words.take(count).map(|w| (w >> 8) as f32 / (1u32 << 23) as f32 - 1.0).collect()
}

/// `count` dirty numbers.
pub fn dirty(count: usize) -> Vec<u32> {
    vec![DIRTY.to_bits(); count]
}

pub fn words<T: Pod>(values: &[T]) -> Vec<u32> {
    bytemuck::cast_slice(values).to_vec()
}

/// The words of a binding as numbers or as a struct of numbers.
pub fn view<T: Pod>(words: &[u32]) -> &[T] {
    bytemuck::cast_slice(words)
}

pub fn view_mut<T: Pod>(words: &mut [u32]) -> &mut [T] {
    bytemuck::cast_slice_mut(words)
}

/// The uniform, which is binding 0.
pub fn params<T: Pod>(buffers: &[Vec<u32>]) -> T {
    view::<T>(&buffers[0])[0]
}
