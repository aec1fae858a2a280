//! The device options that all commands share.

use clap::ValueEnum;
use eddy_experiments::{Context, Device, DeviceKind, Entry, Precision, spec::EddyError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceOption {
    Cpu,
    Gpu,
    /// The GPU where there is one and the experiment runs on it, else the CPU.
    Auto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionOption {
    F32,
    F64,
}

/// The context for `entry`, asking for a GPU at most once.
pub struct Devices {
    option: DeviceOption,
    precision: Precision,
    gpu: Option<Device>,
}

impl Devices {
    pub fn new(option: DeviceOption, precision: PrecisionOption) -> Result<Self, EddyError> {
        let precision = match precision {
            PrecisionOption::F32 => Precision::F32,
            PrecisionOption::F64 => Precision::F64,
        };
        let gpu = match option {
            DeviceOption::Cpu => None,
            DeviceOption::Gpu => Some(pollster::block_on(Device::request_gpu())?),
            DeviceOption::Auto => pollster::block_on(Device::request_gpu()).ok(),
        };
        Ok(Self { option, precision, gpu })
    }

    /// Where `entry` runs; with `--device gpu` an experiment without a GPU path is refused when it starts.
    pub fn context(&self, entry: &Entry) -> Context {
        let device = match (&self.gpu, self.option) {
            (Some(gpu), DeviceOption::Gpu) => gpu.clone(),
            (Some(gpu), _) if entry.runs_on(DeviceKind::Gpu) => gpu.clone(),
            _ => Device::Cpu,
        };
        Context { device, precision: self.precision }
    }
}
