//! Where the fields live and step.

use eddy_spec::EddyError;

use super::Shape;
use crate::{DeviceKind, LocalFuture, ready};

/// Parameters that a running run takes: the step, the end, and the coefficients in the order that its solver documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    pub dt: f64,
    pub end: f64,
    pub coefficients: Vec<f64>,
}

/// A stroke: adds `amount · exp(-r² / (2 radius²))` around (x, y).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brush {
    pub x: f64,
    pub y: f64,
    pub radius: f64,
    pub amount: f64,
}

impl Brush {
    /// Its value at every point of `shape`, with the nearest image where the ends are joined.
    pub fn values(&self, shape: &Shape) -> Vec<f64> {
        let along = |d: f64, extent: f64| {
            let d = d.abs();
            if shape.periodic { d.min((extent - d).abs()) } else { d }
        };
        // Narrower than the grid nothing would be seen, and a spectral method would ring.
        let radius = self.radius.max(1.5 * shape.dx());
        shape.sample(|x, y| {
            let dx = along(x - self.x, shape.x.1);
            let dy = if shape.ny > 1 { along(y - self.y, shape.y.1) } else { 0.0 };
            self.amount * (-(dx * dx + dy * dy) / (2.0 * radius * radius)).exp()
        })
    }
}

/// What a back end did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advance {
    /// Steps made. Fewer than asked means that the numbers blew up: the state is then the last good one.
    pub steps: u64,
    /// The first field after each of the steps asked for, as far as they were made.
    pub samples: Vec<Vec<f64>>,
}

/// The state of a run on some device.
pub trait Backend {
    /// Makes up to `steps` steps from time `t`, and copies the first field as it is after each of the step counts
    /// `sample_at` (ascending, from 1 to `steps`).
    fn advance<'a>(
        &'a mut self,
        t: f64,
        steps: u64,
        sample_at: &'a [u64],
    ) -> LocalFuture<'a, Result<Advance, EddyError>>;
    fn device_kind(&self) -> DeviceKind {
        DeviceKind::Cpu
    }
    /// Copies the fields in physical space.
    fn read<'a>(&'a mut self, fields: &'a mut [Vec<f64>]) -> LocalFuture<'a, Result<(), EddyError>>;
    fn paint(&mut self, field: usize, brush: &Brush) -> Result<(), EddyError>;
    /// Takes changed live parameters.
    fn set(&mut self, live: &Live) -> Result<(), EddyError>;
    /// Rows of the record are this many times rarer, because reading the fields costs.
    fn row_stride(&self) -> u64 {
        1
    }
    /// The buffer behind a field, if it lives on the GPU.
    fn gpu_field(&mut self, _field: usize) -> Option<eddy_gpu::FieldSource> {
        None
    }
}

/// A CPU method at work on its fields.
pub trait Solver {
    /// One step from time `t` of the length last set.
    fn step(&mut self, t: f64);
    /// Largest magnitude of the state in the solver's own measure; NaN if any number is not finite. Cheap.
    fn magnitude(&self) -> f64;
    /// Remembers the state.
    fn keep(&mut self);
    /// Goes back to the state remembered last.
    fn restore(&mut self);
    fn read(&mut self, fields: &mut [Vec<f64>]);
    fn write(&mut self, fields: &[Vec<f64>]);
    fn set(&mut self, live: &Live);
}

/// A [`Solver`] as a back end: steps, watches, keeps the last good state.
pub struct CpuBackend<S> {
    solver: S,
    shape: Shape,
    fields: Vec<Vec<f64>>,
    /// Magnitude beyond which the state counts as blown up.
    bound: f64,
    growth: f64,
    dt: f64,
}

/// Steps between two looks at the state: a look costs about a tenth of a cheap step.
const WATCH_EVERY: u64 = 4;

impl<S: Solver> CpuBackend<S> {
    /// Starts from `fields` with the parameters `live`. The state counts as blown up when it has grown by the factor
    /// `growth`.
    pub fn new(mut solver: S, shape: Shape, fields: &[Vec<f64>], live: &Live, growth: f64) -> Self {
        solver.set(live);
        solver.write(fields);
        solver.keep();
        let bound = Self::bound_of(&solver, growth);
        Self { solver, shape, fields: fields.to_vec(), bound, growth, dt: live.dt }
    }

    fn bound_of(solver: &S, growth: f64) -> f64 {
        // A state at rest may grow from nothing (forcing, noise), so the unit of the fields counts as well.
        growth * solver.magnitude().max(1.0)
    }
}

impl<S: Solver> Backend for CpuBackend<S> {
    fn advance<'a>(
        &'a mut self,
        t: f64,
        steps: u64,
        sample_at: &'a [u64],
    ) -> LocalFuture<'a, Result<Advance, EddyError>> {
        let mut done = Advance::default();
        for i in 0..steps {
            self.solver.step(t + self.dt * i as f64);
            if sample_at.get(done.samples.len()) == Some(&(i + 1)) {
                self.solver.read(&mut self.fields);
                done.samples.push(self.fields[0].clone());
            }
            if (i + 1) % WATCH_EVERY == 0 || i + 1 == steps {
                if !(self.solver.magnitude() <= self.bound) {
                    self.solver.restore();
                    // What was sampled since the last good state goes with it.
                    done.samples.truncate(sample_at.iter().take_while(|at| **at <= done.steps).count());
                    break;
                }
                self.solver.keep();
                done.steps = i + 1;
            }
        }
        ready(Ok(done))
    }

    fn read<'a>(&'a mut self, fields: &'a mut [Vec<f64>]) -> LocalFuture<'a, Result<(), EddyError>> {
        self.solver.read(fields);
        ready(Ok(()))
    }

    fn paint(&mut self, field: usize, brush: &Brush) -> Result<(), EddyError> {
        self.solver.read(&mut self.fields);
        for (v, b) in self.fields[field].iter_mut().zip(brush.values(&self.shape)) {
            *v += b;
        }
        self.solver.write(&self.fields);
        self.solver.keep();
        self.bound = self.bound.max(Self::bound_of(&self.solver, self.growth));
        Ok(())
    }

    fn set(&mut self, live: &Live) -> Result<(), EddyError> {
        self.solver.set(live);
        self.dt = live.dt;
        Ok(())
    }
}
