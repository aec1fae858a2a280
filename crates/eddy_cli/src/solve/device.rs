//! Where `eddy solve` makes its steps.

use eddy_experiments::{
    Device, gpu_error,
    labs::typed::gpu::{Scheme, TypedGpu},
    spec::EddyError,
};
use eddy_gpu::Gpu;
use eddy_solve::{Outcome, Simulation, Statement, evaluate::Scalar};

use super::refused;

/// A simulation, and the device that steps it where it is not the CPU.
pub struct Solver<R: Scalar> {
    pub simulation: Simulation<R>,
    pub device: Option<OnDevice>,
}

/// A system on the GPU.
pub struct OnDevice {
    pub system: TypedGpu,
    pub name: String,
}

/// Steps of one submission, so that progress is seen and a blow-up ends soon.
const BATCH: u64 = 256;

/// The GPU and the scheme of a statement on it, or the reason why it is solved on the CPU.
pub fn scheme(statement: &Statement) -> Result<(Gpu, Scheme), String> {
    let scheme = Scheme::of(statement)?;
    match pollster::block_on(Device::request_gpu()) {
        Ok(Device::Gpu(gpu)) => Ok((gpu, scheme)),
        Ok(Device::Cpu) => Err("There is no GPU.".into()),
        Err(error) => Err(error.message),
    }
}

impl<R: Scalar> Solver<R> {
    pub fn on_cpu(statement: Statement, refusal: Option<String>) -> Result<Self, EddyError> {
        let mut simulation = Simulation::<R>::new(statement).map_err(refused)?;
        simulation.warnings.extend(refusal);
        Ok(Self { simulation, device: None })
    }

    pub fn on_gpu(gpu: &Gpu, scheme: Scheme, mut simulation: Simulation<R>) -> Result<Self, EddyError> {
        let asked_for_dt = scheme.statement.dt.is_some();
        let system = TypedGpu::new(gpu, scheme, &mut simulation).map_err(gpu_error)?;
        simulation.choice.fixed_dt = Some(system.dt());
        simulation.choice.tolerance = None;
        if !asked_for_dt {
            simulation.warnings.push(format!(
                "dt = {:.3e} was picked for stability; on the GPU there is no error control, so halve it to check.",
                system.dt()
            ));
        }
        Ok(Self { simulation, device: Some(OnDevice { system, name: gpu.describe() }) })
    }
}

impl OnDevice {
    /// Steps towards `target`; on the way the simulation has the time only, at the target the state as well. Returns whether
    /// the target was reached.
    pub fn advance<R: Scalar>(&mut self, simulation: &mut Simulation<R>, target: f64) -> Result<bool, EddyError> {
        let advanced = pollster::block_on(self.system.advance(target, BATCH)).map_err(gpu_error)?;
        let most = simulation.statement.problem.time.max_steps.unwrap_or(u64::MAX);
        let time = if advanced.has_reached { target } else { self.system.time() };
        if !advanced.is_good {
            pollster::block_on(self.system.read(simulation, time)).map_err(gpu_error)?;
            simulation.outcome = Outcome::Diverged {
                time,
                cause: "a value grew beyond all bounds".into(),
                advice: format!("try dt = {:.3e}, half of the present one", 0.5 * self.system.dt()),
            };
        } else if advanced.has_reached {
            pollster::block_on(self.system.read(simulation, time)).map_err(gpu_error)?;
        } else if self.system.steps() >= most {
            simulation.outcome =
                Outcome::StepLimit { time, advice: format!("{most} steps were made; raise time.max_steps") };
        } else {
            simulation.time = time;
        }
        Ok(advanced.has_reached)
    }
}
