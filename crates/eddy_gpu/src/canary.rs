//! A small known computation that a device must get right before it is trusted.

use eddy_kernels::cpu::fft::stockham;
use eddy_kernels::cpu::reduce::{partial, total};
use eddy_kernels::kernels;

use crate::error::GpuError;
use crate::fft::FftPlan;
use crate::gpu::Gpu;
use crate::recording::Recording;
use crate::reduce::{Reduction, Summary};

const NX: usize = 32;
const NY: usize = 16;

/// A transform of 32 × 16 numbers and a summary of it, compared with the twins on the CPU.
///
/// # Errors
/// [`GpuError::Canary`] if they differ by more than rounding, or what the device itself reports.
pub async fn canary(gpu: &Gpu) -> Result<(), GpuError> {
    // The first kernels of a session: here the compiler's verdict is waited for.
    for kernel in [&kernels::fft::STOCKHAM, &kernels::reduce::PARTIAL, &kernels::reduce::TOTAL] {
        gpu.pipeline(kernel).await?;
    }
    let signal = |i: usize| [(0.3 * i as f32).sin() + 0.1, (0.05 * (i * i) as f32).cos()];
    let mut expected: Vec<[f32; 2]> = (0..NX * NY).map(signal).collect();
    let data = gpu.storage_from("canary", &expected)?;
    let mut recording = Recording::new();
    FftPlan::new(gpu, NX, NY)?.record(gpu, &mut recording, &data, 1, false)?;
    gpu.submit(&recording, 1)?;
    let computed = gpu.read::<[f32; 2]>(&data, 0, NX * NY).await?;

    let (nx, ny) = (NX as u32, NY as u32);
    stockham::stockham(&stockham::Params::rows(nx, ny, false), &stockham::twiddles(nx), &mut expected);
    stockham::stockham(&stockham::Params::columns(nx, ny, 1, false), &stockham::twiddles(ny), &mut expected);
    // Nine radix-2 levels of rounding on coefficients of at most a few hundred.
    compare("transform", 1e-3, computed.as_flattened(), expected.as_flattened())?;

    let values = expected.as_flattened();
    let params = partial::Params::new(values.len() as u32, 0, 1);
    let mut partials = vec![[0.0; 4]; params.groups as usize];
    partial::partial(&params, values, &mut partials);
    let mut joined = [[0.0; 4]];
    total::total(&total::Params { groups: params.groups }, &partials, &mut joined);
    let expected = Summary::from(joined[0]);
    let summary = Reduction::new(gpu, &data, 0, values.len() as u32, 1)?.run(gpu).await?;
    compare(
        "summary",
        1e-2,
        &[summary.min, summary.max, summary.sum, summary.non_finite as f32],
        &[expected.min, expected.max, expected.sum, expected.non_finite as f32],
    )
}

fn compare(what: &str, bound: f32, computed: &[f32], expected: &[f32]) -> Result<(), GpuError> {
    for (i, (c, e)) in computed.iter().zip(expected).enumerate() {
        let difference = (c - e).abs();
        if difference.is_nan() || difference > bound {
            return Err(GpuError::Canary { message: format!("{what}[{i}] is {c}, not {e}") });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn a_wrong_value_and_a_nan_are_caught() {
        assert!(compare("x", 1e-3, &[1.0, 2.0], &[1.0, 2.0]).is_ok());
        assert_eq!(compare("x", 1e-3, &[1.0, 2.1], &[1.0, 2.0]).unwrap_err().code(), "canary");
        assert!(compare("x", 1e-3, &[f32::NAN], &[1.0]).is_err());
    }
}
