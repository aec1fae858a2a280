//! The device: canary, errors, read-back.

use std::sync::Arc;

use eddy_gpu::{FftPlan, Gpu, GpuOptions, Pipeline, Recording, Reduction, canary};
use eddy_kernels::kernels;

use crate::harness::gpu;

#[test]
fn the_canary_sings() {
    let Some(gpu) = gpu() else { return };
    pollster::block_on(canary(gpu)).expect("this device computes rightly");
    assert!(!gpu.describe().is_empty() && !gpu.adapter_name().is_empty());
}

#[test]
fn errors_have_their_codes() {
    let Some(gpu) = gpu() else { return };
    pollster::block_on(async {
        assert_eq!(FftPlan::new(gpu, 100, 1).err().expect("no power of two").code(), "shape");
        assert_eq!(FftPlan::new(gpu, 2048, 1).err().expect("too long").code(), "shape");
        assert_eq!(gpu.storage("huge", 1 << 60).expect_err("huge").code(), "limit");
        let kernel = &kernels::burgers::SQUARE;
        let broken = kernel.source.replace("u * u", "u * ");
        let error = Pipeline::compile(gpu, kernel, &broken).await.expect_err("broken text");
        assert_eq!(error.code(), "validation");
        let pipeline = Arc::new(Pipeline::compile(gpu, kernel, kernel.source).await.expect("the kernel"));
        let error = Recording::new().dispatch(gpu, &pipeline, &[], [1; 3]).expect_err("no buffers");
        assert_eq!(error.code(), "shape");
        let buffer = gpu.storage_from("four", &[1.0f32; 4]).expect("a buffer");
        assert_eq!(gpu.write(&buffer, 2, &[0.0f32; 3]).expect_err("too long").code(), "shape");
        assert_eq!(gpu.read::<f32>(&buffer, 2, 3).await.expect_err("too long").code(), "shape");
        assert_eq!(Reduction::new(gpu, &buffer, 3, 2, 1).err().expect("too long").code(), "shape");
        gpu.check().expect("none of them is left behind");
    });
}

#[test]
fn a_read_sees_the_work_submitted_before_it_only() {
    let Some(gpu) = gpu() else { return };
    pollster::block_on(async {
        let buffer = gpu.storage_from("value", &[1.0f32, 2.0]).expect("a buffer");
        let first = gpu.read::<f32>(&buffer, 0, 2);
        gpu.write(&buffer, 1, &[5.0f32]).expect("written");
        let second = gpu.read_f32(&buffer);
        assert_eq!(first.await.expect("first")[..2], [1.0, 2.0]);
        assert_eq!(second.await.expect("second")[..2], [1.0, 5.0]);
        gpu.finished().await.expect("idle");
    });
}

/// On a device of its own: nothing else may be running on it.
#[test]
fn a_lost_device_is_reported_by_every_later_call() {
    if gpu().is_none() {
        return;
    }
    pollster::block_on(async {
        let gpu = Gpu::request(GpuOptions::default()).await.expect("there is an adapter");
        let buffer = gpu.storage_from("value", &[1.0f32]).expect("a buffer");
        gpu.destroy();
        for _ in 0..2 {
            assert_eq!(gpu.check().expect_err("lost").code(), "device-lost");
            assert_eq!(gpu.write(&buffer, 0, &[2.0f32]).expect_err("lost").code(), "device-lost");
            assert_eq!(gpu.read_f32(&buffer).await.expect_err("lost").code(), "device-lost");
            assert_eq!(canary(&gpu).await.expect_err("lost").code(), "device-lost");
        }
    });
}
