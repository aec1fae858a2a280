//! Lists of dispatches that are built once and replayed.

use std::sync::Arc;

use crate::buffer::Buffer;
use crate::error::GpuError;
use crate::gpu::Gpu;
use crate::pipeline::{Pipeline, bind_group};

/// Dispatches and copies in order. Each sees the results of those before it.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    commands: Vec<Command>,
}

#[derive(Clone, Debug)]
enum Command {
    Dispatch {
        pipeline: Arc<Pipeline>,
        group: wgpu::BindGroup,
        workgroups: [u32; 3],
        // A bind group does not keep a buffer from being destroyed.
        _buffers: Vec<Buffer>,
    },
    Copy {
        from: Buffer,
        to: Buffer,
        bytes: u64,
    },
}

impl Recording {
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of commands.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Runs a kernel with these buffers, in binding order, `params` first.
    ///
    /// # Errors
    /// [`GpuError::Shape`] for a wrong number of buffers, [`GpuError::Limit`] for too many workgroups.
    pub fn dispatch(
        &mut self,
        gpu: &Gpu,
        pipeline: &Arc<Pipeline>,
        buffers: &[&Buffer],
        workgroups: [u32; 3],
    ) -> Result<(), GpuError> {
        let kernel = pipeline.kernel;
        if buffers.len() != kernel.bindings.len() {
            return Err(GpuError::shape(format!(
                "{} takes {} buffers, {} given.",
                kernel.name,
                kernel.bindings.len(),
                buffers.len()
            )));
        }
        let most = u64::from(gpu.limits().max_compute_workgroups_per_dimension);
        if let Some(count) = workgroups.iter().map(|n| u64::from(*n)).find(|n| *n > most) {
            return Err(GpuError::Limit { name: "workgroups per dimension", have: most, need: count });
        }
        self.commands.push(Command::Dispatch {
            pipeline: pipeline.clone(),
            group: bind_group(gpu, kernel, &pipeline.layout, buffers),
            workgroups,
            _buffers: buffers.iter().map(|b| (*b).clone()).collect(),
        });
        Ok(())
    }

    /// Copies the first `bytes` of a buffer.
    pub fn copy(&mut self, from: &Buffer, to: &Buffer, bytes: u64) {
        self.commands.push(Command::Copy { from: from.clone(), to: to.clone(), bytes });
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass: Option<wgpu::ComputePass<'static>> = None;
        for command in &self.commands {
            match command {
                Command::Dispatch { pipeline, group, workgroups: [x, y, z], .. } => {
                    let pass =
                        pass.get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime());
                    pass.set_pipeline(&pipeline.raw);
                    pass.set_bind_group(0, group, &[]);
                    pass.dispatch_workgroups(*x, *y, *z);
                }
                Command::Copy { from, to, bytes } => {
                    pass = None;
                    encoder.copy_buffer_to_buffer(from.raw(), 0, to.raw(), 0, Some(*bytes));
                }
            }
        }
    }
}

impl Gpu {
    /// Most commands in one submission: long enough to hide the cost of submitting, short enough that a slow device does
    /// not look hung to the driver's watchdog.
    const COMMANDS_PER_SUBMISSION: usize = 2000;

    /// Replays a recording `times` times.
    ///
    /// # Errors
    /// What [`Gpu::check`] reports, before and after.
    pub fn submit(&self, recording: &Recording, times: usize) -> Result<(), GpuError> {
        self.submit_all(std::iter::repeat_n(recording, times))
    }

    /// Replays recordings one after another.
    pub fn submit_all<'a>(&self, recordings: impl IntoIterator<Item = &'a Recording>) -> Result<(), GpuError> {
        self.check()?;
        let new_encoder = || self.device().create_command_encoder(&Default::default());
        let (mut encoder, mut commands) = (new_encoder(), 0);
        for recording in recordings {
            if commands > 0 && commands + recording.len() > Self::COMMANDS_PER_SUBMISSION {
                self.queue().submit([std::mem::replace(&mut encoder, new_encoder()).finish()]);
                commands = 0;
            }
            recording.encode(&mut encoder);
            commands += recording.len();
        }
        if commands > 0 {
            self.queue().submit([encoder.finish()]);
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            // Frees what finished work held; a failure shows at the next read-back.
            let _ = self.device().poll(wgpu::PollType::Poll);
        }
        self.check()
    }
}
