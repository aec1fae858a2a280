//! What a run does where its system steps on the GPU.
//!
//! The run's simulation stands beside the device: it is brought up to date before anything is measured, kept or drawn from
//! numbers. The plane itself is drawn from where it lies.

use eddy_expr::kernel::Part as Component;
use eddy_gpu::{Brush, Gpu};
use eddy_solve::{Simulation, Statement, evaluate::Scalar};
use eddy_spec::{EddyError, Metric, Outcome};

use super::{LiveOf, Shown, TypedRun};
use crate::{
    Budget, GpuField, Pointer, gpu_error,
    labs::typed::{
        gpu::{Scheme, TypedGpu},
        pictures::Part,
        texts::Texts,
    },
};

/// The system on the device.
pub(super) struct OnDevice {
    pub system: TypedGpu,
    /// Steps of one submission: as many as take about a third of a call.
    batch: u64,
    /// Whether the simulation's state is an older one.
    pub is_behind: bool,
}

/// Part of a call's time that one submission may take, so that a call ends in time.
const SHARE: f64 = 0.3;

impl TypedRun<f32> {
    /// Steps `scheme` on `gpu`.
    pub fn on_gpu(
        gpu: &Gpu,
        scheme: Scheme,
        texts: Texts,
        shown: Shown,
        live_of: LiveOf,
        metrics: &'static [Metric],
    ) -> Result<Self, EddyError> {
        let mut simulation =
            Simulation::<f32>::new(scheme.statement.clone()).map_err(|error| EddyError::start(error.to_string()))?;
        let system = TypedGpu::new(gpu, scheme, &mut simulation).map_err(gpu_error)?;
        simulation.choice.fixed_dt = Some(system.dt());
        simulation.choice.tolerance = None;
        let mut run = Self::new(simulation, texts, shown, live_of, metrics);
        run.device = Some(OnDevice { system, batch: 4, is_behind: false });
        Ok(run)
    }
}

impl<R: Scalar> TypedRun<R> {
    /// Brings the simulation up to date.
    pub(super) async fn refresh(&mut self) -> Result<(), EddyError> {
        if let Some(device) = &mut self.device
            && device.is_behind
        {
            let time = self.simulation.time;
            device.system.read(&mut self.simulation, time).await.map_err(gpu_error)?;
            device.is_behind = false;
            self.values = None;
        }
        Ok(())
    }

    pub(super) async fn advance_on_device(&mut self, budget: Budget) -> Result<(), EddyError> {
        let mut clock = budget.start();
        let end = self.statement().end;
        if self.outcome.is_running() {
            self.forget_the_future();
        }
        while self.outcome.is_running() {
            if self.simulation.time >= end {
                self.outcome = Outcome::Finished;
                break;
            }
            while self.statement().saves.get(self.save).is_some_and(|save| *save <= self.simulation.time) {
                self.save += 1;
            }
            let target = self.statement().saves.get(self.save).copied().unwrap_or(end);
            let Some(device) = &mut self.device else { break };
            let begun = clock.elapsed_secs();
            let most = device.batch.min(clock.steps_left());
            let advanced = device.system.advance(target, most).await.map_err(gpu_error)?;
            device.is_behind = true;
            if !advanced.is_good {
                self.refresh().await?;
                self.observe();
                let dt = self.device.as_ref().map_or(0.0, |device| device.system.dt());
                self.outcome = Outcome::Diverged {
                    step: self.steps() + 1,
                    cause: "a value grew beyond all bounds".into(),
                    advice: format!("try dt = {:.3e}, half of the present one", 0.5 * dt),
                    repair: Some(("dt".into(), format!("{}", 0.5 * dt))),
                };
                break;
            }
            self.simulation.time = if advanced.has_reached { target } else { device.system.time() };
            let took = clock.elapsed_secs() - begun;
            if took < 0.5 * SHARE * budget.seconds && advanced.steps == device.batch {
                device.batch = (2 * device.batch).min(1 << 12);
            } else if took > SHARE * budget.seconds {
                device.batch = (device.batch / 2).max(1);
            }
            self.values = None;
            if advanced.has_reached {
                self.refresh().await?;
                self.observe();
            } else if self.pictures.is_due(self.simulation.time) {
                self.refresh().await?;
                self.values();
                let values = self.values.as_deref().unwrap_or_default();
                self.pictures.observe(self.simulation.time, values, &self.simulation.statement.grid);
            }
            if self.simulation.time >= end {
                self.outcome = Outcome::Finished;
            }
            if !clock.tick(advanced.steps) {
                break;
            }
        }
        Ok(())
    }

    /// The simulation and the device under another statement, whose parameters differ.
    pub(super) fn restate_on_device(&mut self, statement: &Statement) -> Result<(), EddyError> {
        let Some(device) = &mut self.device else { return Ok(()) };
        let scheme = Scheme::of(statement).map_err(EddyError::start)?;
        let time = self.simulation.time;
        self.simulation.restate(scheme.statement.clone()).map_err(|error| EddyError::start(error.to_string()))?;
        self.simulation.time = time;
        device.system.set_parameters(scheme, &mut self.simulation).map_err(gpu_error)?;
        self.simulation.choice.fixed_dt = Some(device.system.dt());
        self.simulation.choice.tolerance = None;
        device.is_behind = true;
        Ok(())
    }

    /// Puts the simulation's state onto the device.
    pub(super) fn load_device(&mut self) -> bool {
        let Some(device) = &mut self.device else { return true };
        device.is_behind = false;
        device.system.write(&mut self.simulation).is_ok()
    }

    /// Adds a bump of `height` on the device; `None` where the component is no plane of the state.
    pub(super) fn paint_on_device(&mut self, component: super::Component, event: &Pointer, height: f64) -> Option<()> {
        let name = self.values().get(component.field)?.name.clone();
        let grid = self.statement().grid.clone();
        let device = self.device.as_mut()?;
        let part = if component.is_imaginary() { Component::Imaginary } else { Component::Real };
        let plane = device.system.plane(&name, part)?;
        let x = grid.axes.first()?;
        let y = grid.axes.get(1).map_or(0.0, |axis| (event.y - axis.min) / axis.spacing());
        let brush = Brush {
            x: ((event.x - x.min) / x.spacing()) as f32,
            y: y as f32,
            radius: (event.radius.abs() / x.spacing()).max(0.5) as f32,
            amplitude: height as f32,
        };
        device.system.paint(plane, brush).ok()?;
        device.is_behind = true;
        Some(())
    }

    /// The plane on the device, where the picture of `key` is one.
    pub(super) fn device_field(&mut self, key: &str) -> Option<GpuField> {
        if key != "field" || self.statement().grid.dimension() != 2 || self.device.is_none() {
            return None;
        }
        let component = self.component();
        self.values();
        let values = self.values.as_deref().unwrap_or_default();
        // An outline is drawn over values that have been read.
        if component.part == Part::Magnitude || self.pictures.has_outline(values, component) {
            return None;
        }
        let name = values.get(component.field)?.name.clone();
        let part = if component.is_imaginary() { Component::Imaginary } else { Component::Real };
        let device = self.device.as_ref()?;
        let source = device.system.field_source(device.system.plane(&name, part)?)?;
        let (x, y) = (self.statement().grid.axes[0], self.statement().grid.axes[1]);
        // Colours follow the values read last; the picture itself is not read back.
        let values = self.values.as_deref().unwrap_or_default();
        let range = self.pictures.plane_range(&self.simulation.statement.grid, values, component);
        Some(GpuField { source, x: (x.min, x.max), y: (y.min, y.max), range })
    }
}
