//! The run of a typed system.

mod device;
mod picture;

use std::any::Any;

use eddy_solve::{Outcome as SolverOutcome, Simulation, Statement, discrete::Values, evaluate::Scalar, observe};
use eddy_spec::{EddyError, Metric, Outcome, ViewData};

use super::{
    pictures::{Component, Pictures, component_values},
    texts::Texts,
};
use crate::keyframes::Keyframes;
use crate::{
    Budget, DeviceKind, GpuField, LocalFuture, Picture, Pointer, PointerKind, Precision, Progress, Record, Run, ready,
};

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Name of a field, with `re ` or `im ` before it for a part of a complex one; the first one where empty.
    pub field: String,
    /// Coordinates of the point whose values are kept; the middle where empty.
    pub probe: String,
    /// Name of the field that the brush paints, the one shown where empty.
    pub brush: String,
}

/// Live part of an experiment's parameters.
pub type LiveOf = fn(&dyn Any) -> Result<(Texts, Shown), EddyError>;

/// A [`Simulation`] as a [`Run`].
pub struct TypedRun<R: Scalar> {
    simulation: Simulation<R>,
    /// Where the steps are made on the GPU.
    device: Option<device::OnDevice>,
    texts: Texts,
    shown: Shown,
    live_of: LiveOf,
    outcome: Outcome,
    metrics: &'static [Metric],
    record: Record,
    pictures: Pictures,
    /// States by their time, with the steps made until then.
    keyframes: Keyframes<(Vec<R>, u64)>,
    /// Steps to take off those counted, as the run went back.
    steps_undone: u64,
    /// Fields of the present state, if they have been asked for.
    values: Option<Vec<Values>>,
    /// Index of the saved state that is next.
    save: usize,
    /// Steps made before the last change of parameters.
    steps_before: u64,
    /// ∫u and ∫|u| of the field shown, where the comparison began.
    begun: Option<(f64, f64)>,
    /// Whether the state is still that of the problem: not painted on, no parameter moved.
    is_pure: bool,
}

impl<R: Scalar> TypedRun<R> {
    pub fn new(
        simulation: Simulation<R>,
        texts: Texts,
        shown: Shown,
        live_of: LiveOf,
        metrics: &'static [Metric],
    ) -> Self {
        let mut pictures = Pictures::new(&simulation.statement);
        if texts.about()["colors"] == "diverging" {
            pictures.centre_colors();
        }
        let keyframes = Keyframes::new(size_of_val(simulation.snapshot().as_slice()));
        let mut run = Self {
            simulation,
            device: None,
            texts,
            shown,
            live_of,
            outcome: Outcome::Running,
            metrics,
            record: Record::of(metrics),
            pictures,
            keyframes,
            steps_undone: 0,
            values: None,
            save: 0,
            steps_before: 0,
            begun: None,
            is_pure: true,
        };
        run.pictures.set_probe(&run.simulation.statement, &run.shown.probe);
        run.pictures.outline(&run.shown.brush);
        run.observe();
        run
    }

    fn statement(&self) -> &Statement {
        &self.simulation.statement
    }

    /// The fields now.
    fn values(&mut self) -> &[Values] {
        let simulation = &mut self.simulation;
        self.values.get_or_insert_with(|| simulation.values())
    }

    fn component(&mut self) -> Component {
        let name = self.shown.field.clone();
        Component::find(self.values(), &name)
    }

    /// What the brush paints.
    fn painted(&mut self) -> Component {
        let brush = self.shown.brush.clone();
        if brush.trim().is_empty() { self.component() } else { Component::find(self.values(), &brush) }
    }

    fn steps(&self) -> u64 {
        let made = self.device.as_ref().map_or(self.simulation.steps().0, |device| device.system.steps());
        (self.steps_before + made).saturating_sub(self.steps_undone)
    }

    /// Writes a row of the record and of what the pictures keep.
    fn observe(&mut self) {
        self.values();
        let values = self.values.as_deref().unwrap_or_default();
        self.pictures.observe(self.simulation.time, values, &self.simulation.statement.grid);
        if self.simulation.outcome == SolverOutcome::Running {
            let (simulation, steps) = (&self.simulation, self.steps());
            self.keyframes.offer(simulation.time, || (simulation.snapshot(), steps));
        }
        self.write_row();
    }

    /// What was kept beyond the present time is of a run that is not gone on with.
    fn forget_the_future(&mut self) {
        let time = self.simulation.time;
        if self.keyframes.forget_after(time) {
            self.record.forget_after(time);
            self.pictures.forget_after(time);
        }
    }

    /// Writes a row of the record.
    fn write_row(&mut self) {
        let component = self.component();
        let time = self.simulation.time;
        self.values();
        let values = self.values.as_deref().unwrap_or_default();
        let shown = component_values(values, component);
        let grid = &self.simulation.statement.grid;
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in shown.iter() {
            (least, most) = (least.min(*value), most.max(*value));
        }
        let total = observe::integral(grid, &shown);
        let size = observe::integral(grid, &shown.iter().map(|v| v.abs()).collect::<Vec<_>>());
        let (start, scale) = *self.begun.get_or_insert((total, size));
        let volume = observe::integral(grid, &vec![1.0; grid.points()]);
        let drift = if scale > 0.0 { (total - start).abs() / scale } else { f64::NAN };
        let error = if self.is_pure && !self.simulation.statement.exact.is_empty() {
            self.simulation.errors().iter().map(|(_, error)| *error).fold(f64::NAN, f64::max)
        } else {
            f64::NAN
        };
        let dt = match &self.device {
            Some(device) => device.system.dt(),
            None if self.simulation.steps().0 > 0 => self.simulation.dt(),
            None => f64::NAN,
        };
        self.record.push(time, &[total / volume, least, most, drift, error, dt]);
    }

    fn advance_within(&mut self, budget: Budget) {
        let mut clock = budget.start();
        let end = self.statement().end;
        if self.outcome.is_running() {
            self.forget_the_future();
        }
        // A system without space is cheap to look at after each step, and its path should be smooth.
        let is_point = self.statement().grid.dimension() == 0;
        while self.outcome.is_running() {
            while self.statement().saves.get(self.save).is_some_and(|save| *save <= self.simulation.time) {
                self.save += 1;
            }
            let target = self.statement().saves.get(self.save).copied().unwrap_or(end);
            if self.simulation.time >= end {
                self.outcome = Outcome::Finished;
                break;
            }
            let reached = self.simulation.advance(target, || false);
            self.values = None;
            match &self.simulation.outcome {
                SolverOutcome::Running | SolverOutcome::Finished => {}
                SolverOutcome::Diverged { cause, advice, .. } => {
                    let repair = self.simulation.choice.fixed_dt.map(|dt| ("dt".to_owned(), format!("{}", 0.5 * dt)));
                    self.outcome = Outcome::Diverged {
                        step: self.steps() + 1,
                        cause: cause.clone(),
                        advice: advice.clone(),
                        repair,
                    };
                    self.observe();
                    break;
                }
                SolverOutcome::StepLimit { .. } => {
                    self.outcome = Outcome::StepLimit { steps: self.steps() };
                    break;
                }
            }
            if reached {
                self.observe();
            } else if is_point || self.pictures.is_due(self.simulation.time) {
                self.values();
                let values = self.values.as_deref().unwrap_or_default();
                self.pictures.observe(self.simulation.time, values, &self.simulation.statement.grid);
            }
            if self.simulation.time >= end {
                self.outcome = Outcome::Finished;
            }
            if !clock.tick(1) {
                break;
            }
        }
    }

    /// Moves live parameters: the same state goes on under the new ones.
    fn set_live(&mut self, texts: Texts) -> Result<(), EddyError> {
        let filled = texts.filled().map_err(|error| error.refusal())?;
        let is_single = self.simulation.statement.problem.method.precision == "f32";
        let mut problem = filled.problem(is_single).map_err(|error| error.refusal())?;
        // Everything else stays as it began: a text that waits for a restart does not sneak in.
        let parameters = std::mem::take(&mut problem.parameters);
        problem = self.simulation.statement.problem.clone();
        problem.parameters = parameters;
        let statement = Statement::new(problem).map_err(|error| filled.refusal(&error))?;
        if self.device.is_some() {
            self.restate_on_device(&statement)?;
            self.disturb();
            return Ok(());
        }
        let steps = self.steps();
        self.simulation.restate(statement).map_err(|error| filled.refusal(&error))?;
        self.steps_before = steps;
        self.disturb();
        Ok(())
    }

    /// The state or its equations are no longer those of the problem.
    fn disturb(&mut self) {
        self.forget_the_future();
        self.values = None;
        self.begun = None;
        self.is_pure = false;
        if matches!(self.outcome, Outcome::Diverged { .. }) {
            self.outcome = Outcome::Running;
        }
    }

    /// Adds a bump to the field of the brush, or pulls a curve towards the pointer.
    fn paint(&mut self, key: &str, event: &Pointer) -> Option<()> {
        let component = self.painted();
        let mut values = self.values().to_vec();
        let stepped: Vec<String> = self
            .statement()
            .stepped()
            .iter()
            .map(|v| self.statement().system.variables[usize::from(*v)].name.clone())
            .collect();
        let field = values.get_mut(component.field)?;
        if !stepped.contains(&field.name) {
            return None;
        }
        let grid = self.statement().grid.clone();
        let part = if component.is_imaginary() { &mut field.im } else { &mut field.re };
        let (least, most) = part.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        // Of a field that is zero everywhere nothing is known: it may be one of order 1.
        let size = if most == 0.0 && least == 0.0 { 1.0 } else { 0.2 * most.abs().max(least.abs()) };
        let range = (most - least).max(size).max(1e-3);
        let sign = if event.secondary { -1.0 } else { 1.0 };
        let [nx, ny, _] = grid.shape();
        let radius = event.radius.abs().max(1e-9);
        let height = match key {
            "lines" => {
                let axis = grid.axes.first()?;
                let near =
                    (0..nx).min_by(|a, b| (axis.at(*a) - event.x).abs().total_cmp(&(axis.at(*b) - event.x).abs()))?;
                0.3 * (event.y - part[near]).clamp(-2.0 * range, 2.0 * range)
            }
            "field" | "spacetime" => 0.3 * sign * range,
            _ => return None,
        };
        if self.device.is_some() {
            return self.paint_on_device(component, event, height);
        }
        let is_plane = key == "field";
        // The distance on a ring is the shorter way around.
        let distance = |axis: usize, index: usize, at: f64| {
            let axis = &grid.axes[axis];
            let straight = (axis.at(index) - at).abs();
            if axis.is_periodic { straight.min((axis.length() - straight).abs()) } else { straight }
        };
        for (index, value) in part.iter_mut().enumerate() {
            let dx = distance(0, index % nx, event.x);
            let dy = if is_plane && grid.dimension() > 1 { distance(1, index / nx % ny, event.y) } else { 0.0 };
            let falloff = (-(dx * dx + dy * dy) / (radius * radius)).exp();
            if falloff > 1e-6 {
                *value += height * falloff;
            }
        }
        self.simulation.set_values(&values).ok()
    }
}

impl<R: Scalar> Run for TypedRun<R> {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        if self.device.is_some() {
            return Box::pin(self.advance_on_device(budget));
        }
        self.advance_within(budget);
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        let statement = self.statement();
        let interval = statement.end - statement.start;
        let done = if interval > 0.0 { (self.simulation.time - statement.start) / interval } else { 1.0 };
        Progress {
            steps: self.steps(),
            position: self.simulation.time,
            fraction: done.clamp(0.0, 1.0),
            work: self.steps() as f64 * statement.grid.points() as f64,
            work_unit: if statement.grid.dimension() == 0 { "steps" } else { "points" },
        }
    }

    fn device_kind(&self) -> Option<DeviceKind> {
        Some(if self.device.is_some() { DeviceKind::Gpu } else { DeviceKind::Cpu })
    }

    fn precision(&self) -> Option<Precision> {
        Some(if size_of::<R>() == 4 { Precision::F32 } else { Precision::F64 })
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn keyframes(&self) -> Vec<f64> {
        self.keyframes.positions()
    }

    fn seek(&mut self, position: f64) -> bool {
        let steps = self.steps();
        let Some((time, (state, then))) = self.keyframes.nearest(position) else { return false };
        let (time, then) = (*time, *then);
        if !self.simulation.restore(time, state) {
            return false;
        }
        self.steps_undone = (self.steps_undone + steps).saturating_sub(then);
        self.save = 0;
        self.values = None;
        if !self.load_device() {
            return false;
        }
        let is_over = time >= self.statement().end;
        self.outcome = if is_over { Outcome::Finished } else { Outcome::Running };
        true
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        if self.device.is_some() {
            return Box::pin(async move {
                self.refresh().await?;
                let component = self.component();
                let (time, is_pure) = (self.simulation.time, self.is_pure);
                self.values();
                let values = self.values.as_deref().unwrap_or_default();
                Ok(self.pictures.view(key, &self.simulation.statement, values, component, time, is_pure))
            });
        }
        let component = self.component();
        let (time, is_pure) = (self.simulation.time, self.is_pure);
        self.values();
        let values = self.values.as_deref().unwrap_or_default();
        ready(Ok(self.pictures.view(key, &self.simulation.statement, values, component, time, is_pure)))
    }

    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let (texts, shown) = (self.live_of)(params)?;
        if texts.parameters.trim() != self.texts.parameters.trim() {
            self.set_live(texts.clone())?;
        }
        self.texts = texts;
        let other_field = shown.field != self.shown.field;
        if shown.probe != self.shown.probe {
            self.pictures.set_probe(&self.simulation.statement, &shown.probe);
        }
        self.pictures.outline(&shown.brush);
        self.shown = shown;
        if other_field {
            // The rows so far are of another field.
            self.begun = None;
            self.pictures.forget_ranges();
            self.record = Record::of(self.metrics);
            // Of a state that is still on the device only, the next row tells.
            if !self.device.as_ref().is_some_and(|device| device.is_behind) {
                self.write_row();
            }
        }
        Ok(())
    }

    fn pointer(&mut self, key: &str, event: &Pointer) -> bool {
        if event.kind == PointerKind::Up || !(event.x.is_finite() && event.y.is_finite() && event.radius.is_finite()) {
            return false;
        }
        if self.paint(key, event).is_none() {
            return false;
        }
        self.disturb();
        true
    }

    fn load(&mut self, _key: &str, picture: &Picture) -> bool {
        if self.put_picture(picture).is_none() {
            return false;
        }
        self.disturb();
        true
    }

    fn gpu_field(&mut self, key: &str) -> Option<GpuField> {
        self.device_field(key)
    }
}
