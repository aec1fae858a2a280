use thiserror::Error;

/// Something that keeps a network from being built or trained, and what to do about it.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LearnError {
    /// No WebGPU adapter answered.
    #[error("There is no WebGPU adapter to train on. Run on the CPU. ({reason})")]
    NoAdapter { reason: String },
    /// The adapter cannot measure time, which burn's GPU back end needs in a browser.
    #[error("This GPU has no timestamp queries, without which training cannot use it. Run on the CPU. ({adapter})")]
    NoTimestamps { adapter: String },
    /// The device refused to start.
    #[error("The GPU could not be set up for training. Run on the CPU. ({reason})")]
    GpuInit { reason: String },
    /// This build has no GPU back end for training.
    #[error("This build trains on the CPU only. Run on the CPU, or load the bundle with GPU training.")]
    NoGpuBuild,
    /// The device failed during training.
    #[error("The device stopped while training. Restart, or run on the CPU. ({reason})")]
    Execution { reason: String },
    /// Sizes that do not go together.
    #[error("{what} needs {expected} numbers, and there are {found}.")]
    Size { what: &'static str, expected: usize, found: usize },
    /// A setting that no network can be built from.
    #[error("{message}")]
    Setting { message: String },
}

impl LearnError {
    /// Stable identifier, one per variant.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoAdapter { .. } => "no-adapter",
            Self::NoTimestamps { .. } => "gpu-no-timestamps",
            Self::GpuInit { .. } => "gpu-init",
            Self::NoGpuBuild => "gpu-not-built",
            Self::Execution { .. } => "device-lost",
            Self::Size { .. } => "learn-size",
            Self::Setting { .. } => "learn-setting",
        }
    }

    pub(crate) fn execution(reason: impl std::fmt::Debug) -> Self {
        Self::Execution { reason: format!("{reason:?}") }
    }

    /// `Ok` when `found == expected`.
    pub(crate) fn check_size(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self::Size { what, expected, found }) }
    }
}
