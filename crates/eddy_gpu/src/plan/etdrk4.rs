//! Pseudo-spectral equations with a diagonal linear part, stepped by ETDRK4.

use std::f64::consts::TAU;
use std::sync::Arc;

use eddy_kernels::cpu::{burgers, etdrk4, navier_stokes, spectral};
use eddy_kernels::etdrk4::{ROWS, coefficients};
use eddy_kernels::kernels;

use super::{Brush, check_fields, paint_bump};
use crate::buffer::Buffer;
use crate::draw::FieldSource;
use crate::error::GpuError;
use crate::fft::FftPlan;
use crate::gpu::Gpu;
use crate::pipeline::Pipeline;
use crate::recording::Recording;
use crate::reduce::{Reduction, Summary};

/// The nonlinear term N of û_t = λ û + N.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinear {
    /// None: a step is exact for any dt.
    None,
    /// -flux (u²/2)_x on lines; Burgers and Kuramoto-Sivashinsky have flux 1. The 2/3 rule removes aliasing.
    Burgers { flux: f64 },
    /// -(u ω_x + v ω_y) of one vorticity field, u = ψ_y, v = -ψ_x, ∇²ψ = -ω, plus the curl of the steady force
    /// `amplitude` sin(k y) along x with k = `mode` fundamental wavenumbers (Kolmogorov flow; 0 is none). 2/3 rule, no mean.
    NavierStokes { amplitude: f64, mode: u32 },
}

/// An equation on a periodic line or plane.
#[derive(Clone, Debug)]
pub struct Etdrk4Spec {
    /// [nx, ny], powers of two from 2 to 1024; ny = 1 is a line.
    pub shape: [usize; 2],
    /// Side lengths; the second is not used on a line.
    pub lengths: [f64; 2],
    /// λ of every field (real, imaginary) per mode, index `iy * nx + ix` in FFT order (see [`crate::wavenumbers`]).
    pub linear: Vec<Vec<[f64; 2]>>,
    pub nonlinear: Nonlinear,
    pub dt: f64,
}

/// Steps of ETDRK4 (Kassam and Trefethen 2005, SIAM J. Sci. Comput. 26, 1214, eqs. 26-29; the scheme of Cox and Matthews
/// 2002) in f32 on the device. Order 4; four evaluations of N per step.
///
/// Breaks when dt exceeds the limit of the nonlinear term (about dx / max |u|); the linear part sets none. Rounding is 6e-8
/// of the largest coefficient per step.
pub struct Etdrk4Plan {
    gpu: Gpu,
    spec: Etdrk4Spec,
    coefficients: Buffer,
    spectrum: Buffer,
    physical: Buffer,
    kept: Option<Kept>,
    nonlinear_params: Option<Buffer>,
    step: Recording,
    to_physical: Recording,
    from_physical: Recording,
    summaries: Vec<Reduction>,
    /// The grid values are those of the spectrum.
    is_physical_current: bool,
    steps: u64,
}

/// A copy of the state and how it gets there and back.
struct Kept {
    save: Recording,
    load: Recording,
    steps: u64,
}

impl Etdrk4Plan {
    /// Compiles what is needed and loads one initial field of nx · ny values per entry of `spec.linear`.
    ///
    /// # Errors
    /// [`GpuError::Shape`] for sizes that do not fit, [`GpuError::Limit`] for fields beyond the device.
    pub fn new(gpu: &Gpu, spec: Etdrk4Spec, initial: &[&[f32]]) -> Result<Self, GpuError> {
        let [nx, ny] = spec.shape;
        let fft = FftPlan::new(gpu, nx, ny)?;
        check_spec(&spec)?;
        let (modes, fields) = (nx * ny, spec.linear.len());
        let count = modes * fields;
        let bytes = (count * 8) as u64;
        let spectrum = gpu.storage("spectrum", bytes)?;
        let physical = gpu.storage("physical", bytes / 2)?;
        // The velocity and the vorticity gradient of Navier-Stokes are transformed together.
        let work = gpu.storage("work", 2 * bytes)?;
        let coefficients = gpu.storage("coefficients", ROWS as u64 * bytes)?;

        let mut builder = Builder {
            gpu,
            fft: &fft,
            spec: &spec,
            count: count as u32,
            work: &work,
            coefficients: &coefficients,
            nonlinear_params: None,
        };
        let mut to_physical = Recording::new();
        to_physical.copy(&spectrum, &work, bytes);
        fft.record(gpu, &mut to_physical, &work, fields as u32, true)?;
        let params = spectral::real_from_complex::Params { count: count as u32 };
        builder.pointwise(&mut to_physical, &kernels::spectral::REAL_FROM_COMPLEX, &params, &[&work, &physical])?;

        let mut from_physical = Recording::new();
        let params = spectral::complex_from_real::Params { count: count as u32 };
        builder.pointwise(
            &mut from_physical,
            &kernels::spectral::COMPLEX_FROM_REAL,
            &params,
            &[&physical, &spectrum],
        )?;
        fft.record(gpu, &mut from_physical, &spectrum, fields as u32, false)?;
        builder.project(&mut from_physical, &spectrum)?;

        let step = builder.step(&spectrum)?;
        let nonlinear_params = builder.nonlinear_params;
        let mut summaries = Vec::new();
        for field in 0..fields {
            summaries.push(Reduction::new(gpu, &physical, (field * modes) as u32, modes as u32, 1)?);
        }
        let mut plan = Self {
            gpu: gpu.clone(),
            spec,
            coefficients,
            spectrum,
            physical,
            kept: None,
            nonlinear_params,
            step,
            to_physical,
            from_physical,
            summaries,
            is_physical_current: false,
            steps: 0,
        };
        plan.upload_coefficients()?;
        plan.set_fields(initial)?;
        Ok(plan)
    }

    /// Replaces all fields; the step count starts again. With a nonlinear term they are cut by the 2/3 rule.
    pub fn set_fields(&mut self, initial: &[&[f32]]) -> Result<(), GpuError> {
        let points = self.points();
        check_fields(initial, self.fields(), points)?;
        for (field, values) in initial.iter().enumerate() {
            self.gpu.write(&self.physical, field * points, values)?;
        }
        self.gpu.submit(&self.from_physical, 1)?;
        self.is_physical_current = false;
        self.steps = 0;
        Ok(())
    }

    /// Submits `n` steps. Does not wait; see [`Gpu::finished`].
    pub fn step(&mut self, n: usize) -> Result<(), GpuError> {
        self.gpu.submit(&self.step, n)?;
        self.steps += n as u64;
        self.is_physical_current &= n == 0;
        Ok(())
    }

    /// Steps since the fields were set.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn fields(&self) -> usize {
        self.spec.linear.len()
    }

    pub fn spec(&self) -> &Etdrk4Spec {
        &self.spec
    }

    fn points(&self) -> usize {
        self.spec.shape[0] * self.spec.shape[1]
    }

    /// Changes the time step; the fields stay.
    pub fn set_dt(&mut self, dt: f64) -> Result<(), GpuError> {
        if dt == self.spec.dt {
            return Ok(());
        }
        let changed = Etdrk4Spec { dt, ..self.spec.clone() };
        check_spec(&changed)?;
        self.spec = changed;
        self.upload_coefficients()
    }

    /// Changes the linear part (viscosity, diffusivity); the fields stay.
    pub fn set_linear(&mut self, linear: Vec<Vec<[f64; 2]>>) -> Result<(), GpuError> {
        let changed = Etdrk4Spec { linear, ..self.spec.clone() };
        if changed.linear.len() != self.fields() {
            return Err(GpuError::shape("The number of fields of a plan is fixed."));
        }
        check_spec(&changed)?;
        self.spec = changed;
        self.upload_coefficients()
    }

    /// Changes the coefficients of the nonlinear term; its kind is fixed.
    pub fn set_nonlinear(&mut self, nonlinear: Nonlinear) -> Result<(), GpuError> {
        if std::mem::discriminant(&nonlinear) != std::mem::discriminant(&self.spec.nonlinear) {
            return Err(GpuError::shape("The kind of the nonlinear term of a plan is fixed."));
        }
        self.spec.nonlinear = nonlinear;
        let Some(uniform) = &self.nonlinear_params else { return Ok(()) };
        match nonlinear {
            Nonlinear::None => Ok(()),
            Nonlinear::Burgers { flux } => self.gpu.write(uniform, 0, &[flux_params(&self.spec, flux)]),
            Nonlinear::NavierStokes { amplitude, mode } => {
                self.gpu.write(uniform, 0, &[force_params(&self.spec, amplitude, mode)])
            }
        }
    }

    fn upload_coefficients(&self) -> Result<(), GpuError> {
        let symbols = self.spec.linear.concat();
        self.gpu.write(&self.coefficients, 0, &coefficients(&symbols, self.spec.dt))
    }

    /// Remembers the state on the device, instead of the one remembered before.
    pub fn keep(&mut self) -> Result<(), GpuError> {
        if self.kept.is_none() {
            let copy = self.gpu.storage("kept", self.spectrum.size())?;
            let (mut save, mut load) = (Recording::new(), Recording::new());
            save.copy(&self.spectrum, &copy, copy.size());
            load.copy(&copy, &self.spectrum, copy.size());
            self.kept = Some(Kept { save, load, steps: 0 });
        }
        if let Some(kept) = &mut self.kept {
            kept.steps = self.steps;
            self.gpu.submit(&kept.save, 1)?;
        }
        Ok(())
    }

    /// Goes back to the state that [`Etdrk4Plan::keep`] remembered; without one nothing changes.
    pub fn restore(&mut self) -> Result<(), GpuError> {
        if let Some(kept) = &self.kept {
            self.gpu.submit(&kept.load, 1)?;
            self.steps = kept.steps;
            self.is_physical_current = false;
        }
        Ok(())
    }

    fn make_physical_current(&mut self) -> Result<(), GpuError> {
        if !self.is_physical_current {
            self.gpu.submit(&self.to_physical, 1)?;
            self.is_physical_current = true;
        }
        Ok(())
    }

    fn check_field(&self, field: usize) -> Result<(), GpuError> {
        if field < self.fields() {
            Ok(())
        } else {
            Err(GpuError::shape(format!("There is no field {field}; there are {}.", self.fields())))
        }
    }

    /// The grid values of a field as they are now, for drawing.
    pub fn physical_buffer(&mut self, field: usize) -> Result<FieldSource, GpuError> {
        self.check_field(field)?;
        self.make_physical_current()?;
        let [nx, ny] = self.spec.shape;
        Ok(FieldSource { buffer: self.physical.clone(), nx, ny, offset: field * nx * ny })
    }

    /// Reads the grid values of a field as they are now; the steps may go on while the future is pending.
    pub fn read(&mut self, field: usize) -> Result<impl Future<Output = Result<Vec<f32>, GpuError>> + use<>, GpuError> {
        let points = self.points();
        let source = self.physical_buffer(field)?;
        Ok(self.gpu.read(&source.buffer, source.offset, points))
    }

    /// Reads the spectrum of a field (not scaled), index `iy * nx + ix` in FFT order.
    pub fn read_spectrum(
        &self,
        field: usize,
    ) -> Result<impl Future<Output = Result<Vec<[f32; 2]>, GpuError>> + use<>, GpuError> {
        self.check_field(field)?;
        Ok(self.gpu.read(&self.spectrum, field * self.points(), self.points()))
    }

    /// Extremes, sum and non-finite count of a field.
    pub async fn stats(&mut self, field: usize) -> Result<Summary, GpuError> {
        self.check_field(field)?;
        self.make_physical_current()?;
        self.summaries[field].run(&self.gpu).await
    }

    /// Adds a bump to a field, periodically.
    pub fn paint(&mut self, field: usize, brush: Brush) -> Result<(), GpuError> {
        let source = self.physical_buffer(field)?;
        let shape = [source.nx as u32, source.ny as u32];
        paint_bump(&self.gpu, &source.buffer, shape, source.offset as u32, true, brush)?;
        self.gpu.submit(&self.from_physical, 1)?;
        // The spectrum holds the truncated sum.
        self.is_physical_current = false;
        Ok(())
    }
}

fn check_spec(spec: &Etdrk4Spec) -> Result<(), GpuError> {
    let [nx, ny] = spec.shape;
    let problem = if spec.linear.is_empty() || spec.linear.iter().any(|l| l.len() != nx * ny) {
        "needs one value of the linear part per field and mode"
    } else if !(spec.dt.is_finite() && spec.lengths.iter().all(|l| l.is_finite() && *l > 0.0)) {
        "needs a finite time step and positive lengths"
    } else if spec.linear.iter().flatten().flatten().any(|v| !v.is_finite()) {
        "needs a finite linear part"
    } else {
        match spec.nonlinear {
            Nonlinear::Burgers { .. } if ny != 1 => "has the flux term on lines only",
            Nonlinear::NavierStokes { .. } if ny == 1 || spec.linear.len() != 1 => {
                "has the vorticity equation for one field on a plane only"
            }
            _ => return Ok(()),
        }
    };
    Err(GpuError::shape(format!("ETDRK4 on the GPU {problem}.")))
}

fn flux_params(spec: &Etdrk4Spec, flux: f64) -> burgers::flux::Params {
    burgers::flux::Params {
        points: spec.shape[0] as u32,
        lines: spec.linear.len() as u32,
        wavenumber: (TAU / spec.lengths[0]) as f32,
        flux: flux as f32,
    }
}

fn force_params(spec: &Etdrk4Spec, amplitude: f64, mode: u32) -> navier_stokes::force::Params {
    let [nx, ny] = spec.shape;
    let k = TAU / spec.lengths[1] * f64::from(mode);
    // The curl of amplitude sin(k y) along x is -amplitude k cos(k y): half of it in each of ±k.
    let forcing = -0.5 * amplitude * k * (nx * ny) as f64;
    navier_stokes::force::Params { nx: nx as u32, ny: ny as u32, forced_mode: mode, forcing: forcing as f32 }
}

/// What the recordings share while they are built.
struct Builder<'a> {
    gpu: &'a Gpu,
    fft: &'a FftPlan,
    spec: &'a Etdrk4Spec,
    count: u32,
    work: &'a Buffer,
    coefficients: &'a Buffer,
    nonlinear_params: Option<Buffer>,
}

impl Builder<'_> {
    /// One invocation per number of all fields.
    fn pointwise<P: bytemuck::Pod>(
        &self,
        recording: &mut Recording,
        kernel: &'static eddy_kernels::Kernel,
        params: &P,
        buffers: &[&Buffer],
    ) -> Result<(), GpuError> {
        let pipeline = self.gpu.pipeline_now(kernel)?;
        self.dispatch(recording, &pipeline, &self.gpu.uniform(params), buffers)
    }

    fn dispatch(
        &self,
        recording: &mut Recording,
        pipeline: &Arc<Pipeline>,
        uniform: &Buffer,
        buffers: &[&Buffer],
    ) -> Result<(), GpuError> {
        let all: Vec<&Buffer> = std::iter::once(uniform).chain(buffers.iter().copied()).collect();
        recording.dispatch(self.gpu, pipeline, &all, pipeline.workgroups([self.count, 1, 1]))
    }

    fn project(&self, recording: &mut Recording, spectrum: &Buffer) -> Result<(), GpuError> {
        let params = spectral::project::Params {
            nx: self.spec.shape[0] as u32,
            ny: self.spec.shape[1] as u32,
            fields: self.spec.linear.len() as u32,
            truncates: u32::from(self.spec.nonlinear != Nonlinear::None),
            removes_mean: u32::from(matches!(self.spec.nonlinear, Nonlinear::NavierStokes { .. })),
        };
        self.pointwise(recording, &kernels::spectral::PROJECT, &params, &[spectrum])
    }

    /// The whole step, in place on `spectrum`.
    fn step(&mut self, spectrum: &Buffer) -> Result<Recording, GpuError> {
        let mut step = Recording::new();
        let count = self.count;
        if self.spec.nonlinear == Nonlinear::None {
            let params = etdrk4::decay::Params { count };
            self.pointwise(&mut step, &kernels::etdrk4::DECAY, &params, &[self.coefficients, spectrum])?;
            self.project(&mut step, spectrum)?;
            return Ok(step);
        }
        let bytes = spectrum.size();
        let storage = |label| self.gpu.storage(label, bytes);
        let (a, b, c) = (storage("a")?, storage("b")?, storage("c")?);
        let (n_u, n_a, n_b, n_c) = (storage("N(u)")?, storage("N(a)")?, storage("N(b)")?, storage("N(c)")?);
        self.nonlinear(&mut step, spectrum, &n_u)?;
        self.stage(&mut step, (1.0, 0.0), [spectrum, &n_u, &n_u, &a])?;
        self.nonlinear(&mut step, &a, &n_a)?;
        self.stage(&mut step, (1.0, 0.0), [spectrum, &n_a, &n_a, &b])?;
        self.nonlinear(&mut step, &b, &n_b)?;
        self.stage(&mut step, (2.0, -1.0), [&a, &n_b, &n_u, &c])?;
        self.nonlinear(&mut step, &c, &n_c)?;
        let params = etdrk4::combine::Params { count };
        let buffers = [self.coefficients, &n_u, &n_a, &n_b, &n_c, spectrum];
        self.pointwise(&mut step, &kernels::etdrk4::COMBINE, &params, &buffers)?;
        self.project(&mut step, spectrum)?;
        Ok(step)
    }

    fn stage(
        &self,
        step: &mut Recording,
        (first_weight, second_weight): (f32, f32),
        [base, first, second, out]: [&Buffer; 4],
    ) -> Result<(), GpuError> {
        let params = etdrk4::stage::Params { count: self.count, first_weight, second_weight };
        let buffers = [self.coefficients, base, first, second, out];
        self.pointwise(step, &kernels::etdrk4::STAGE, &params, &buffers)
    }

    /// N of the spectrum `from`, into `to`.
    fn nonlinear(&mut self, step: &mut Recording, from: &Buffer, to: &Buffer) -> Result<(), GpuError> {
        let (gpu, work, count) = (self.gpu, self.work, self.count);
        let [nx, ny] = self.spec.shape.map(|n| n as u32);
        match self.spec.nonlinear {
            Nonlinear::None => Ok(()),
            Nonlinear::Burgers { flux } => {
                let fields = self.spec.linear.len() as u32;
                step.copy(from, work, 8 * u64::from(count));
                self.fft.record(gpu, step, work, fields, true)?;
                let params = burgers::square::Params { count };
                self.pointwise(step, &kernels::burgers::SQUARE, &params, &[work])?;
                self.fft.record(gpu, step, work, fields, false)?;
                let uniform =
                    self.nonlinear_params.get_or_insert_with(|| gpu.uniform(&flux_params(self.spec, flux))).clone();
                let pipeline = gpu.pipeline_now(&kernels::burgers::FLUX)?;
                self.dispatch(step, &pipeline, &uniform, &[work, to])
            }
            Nonlinear::NavierStokes { amplitude, mode } => {
                let [lx, ly] = self.spec.lengths;
                let params = navier_stokes::velocity::Params {
                    nx,
                    ny,
                    wavenumber_x: (TAU / lx) as f32,
                    wavenumber_y: (TAU / ly) as f32,
                };
                self.pointwise(step, &kernels::navier_stokes::VELOCITY, &params, &[from, work])?;
                self.fft.record(gpu, step, work, 2, true)?;
                let params = navier_stokes::advection::Params { count };
                self.pointwise(step, &kernels::navier_stokes::ADVECTION, &params, &[work])?;
                self.fft.record(gpu, step, work, 1, false)?;
                let uniform = self
                    .nonlinear_params
                    .get_or_insert_with(|| gpu.uniform(&force_params(self.spec, amplitude, mode)))
                    .clone();
                let pipeline = gpu.pipeline_now(&kernels::navier_stokes::FORCE)?;
                self.dispatch(step, &pipeline, &uniform, &[work, to])
            }
        }
    }
}
