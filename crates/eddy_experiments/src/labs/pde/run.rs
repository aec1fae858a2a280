//! The run that all systems share.

use std::any::Any;

use eddy_numerics::time::stability::Diagnosis;
use eddy_spec::{EddyError, Metric, Outcome, Role, Series, ViewData};

use super::{Advance, Backend, Brush, Live, Shape, history::History};
use crate::{Budget, DeviceKind, GpuField, LocalFuture, Pointer, PointerKind, Progress, Record, Run};

/// Turns fields into metrics.
pub trait Measure {
    /// Writes the metrics at time `t`, in the order of the experiment's METRICS.
    fn measure(&mut self, t: f64, fields: &[Vec<f64>], out: &mut [f64]);
    /// The state was painted on at time `t`, or coefficients changed: a reference solution starts anew from `fields`.
    fn disturbed(&mut self, _t: f64, _fields: &[Vec<f64>], _live: &Live) {}
    /// The exact solution at time `t`, if there is one.
    fn exact(&mut self, _t: f64) -> Option<Vec<f64>> {
        None
    }
}

/// How the colour or value range of a picture is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    Fixed(f64, f64),
    /// Symmetric about zero, follows the largest magnitude.
    Symmetric,
    /// Follows the smallest and largest value.
    Fit,
}

/// A picture of the fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// Curves of some fields, each with a name; with the exact solution of the first one where there is one.
    Lines(Vec<(usize, &'static str)>),
    /// A field on the plane.
    Plane(usize),
    /// The history of the first field on a line, over the last so many time units.
    SpaceTime(f64),
}

/// What an experiment gives the lab.
pub struct Setup {
    pub shape: Shape,
    pub backend: Box<dyn Backend>,
    /// The fields at t = 0.
    pub initial: Vec<Vec<f64>>,
    pub live: Live,
    /// Smallest step length that the parameter allows: no repair is offered below.
    pub smallest_dt: f64,
    pub metrics: &'static [Metric],
    pub measure: Box<dyn Measure>,
    /// Steps between two rows of the record.
    pub record_every: u64,
    /// View key, picture, range.
    pub pictures: Vec<(&'static str, Picture, Range)>,
    /// Field that the brush paints on, and the height of a stroke.
    pub brush: (usize, f64),
    /// Cause of a blow-up at step length `live.dt` from the last good fields.
    pub diagnose: Box<dyn Fn(&Live, &[Vec<f64>]) -> Diagnosis>,
    /// The live part of the experiment's parameters, or why no run goes on with them.
    pub live_of: fn(&dyn Any) -> Result<Live, EddyError>,
}

/// A PDE run on either back end.
pub struct PdeRun {
    setup: Setup,
    t: f64,
    steps: u64,
    /// Time and step count at which the present step length began: times are multiples from there, so that they do not
    /// depend on how a run is cut into calls.
    origin: (f64, u64),
    outcome: Outcome,
    record: Record,
    fields: Vec<Vec<f64>>,
    /// Whether `fields` are those of the present state.
    fresh: bool,
    /// Whether a stroke or a live change waits to be told to the measure.
    disturbed: bool,
    history: Option<History>,
    /// Range shown last, per picture.
    ranges: Vec<Option<(f64, f64)>>,
    row: Vec<f64>,
}

impl PdeRun {
    pub fn new(mut setup: Setup) -> Self {
        setup.record_every *= setup.backend.row_stride();
        let window = setup.pictures.iter().find_map(|(_, p, _)| match p {
            Picture::SpaceTime(window) => Some(*window),
            _ => None,
        });
        let mut run = Self {
            t: 0.0,
            steps: 0,
            origin: (0.0, 0),
            outcome: Outcome::Running,
            record: Record::of(setup.metrics),
            fields: setup.initial.clone(),
            fresh: true,
            disturbed: false,
            history: window.map(History::new),
            ranges: vec![None; setup.pictures.len()],
            row: vec![f64::NAN; setup.metrics.len()],
            setup,
        };
        run.setup.measure.disturbed(0.0, &run.fields, &run.setup.live);
        run.write_record();
        if let Some(history) = &mut run.history {
            history.push(0.0, &run.fields[0]);
        }
        run
    }

    /// Time after so many steps in all.
    fn time_at(&self, steps: u64) -> f64 {
        self.origin.0 + self.setup.live.dt * (steps - self.origin.1) as f64
    }

    async fn refresh(&mut self) -> Result<(), EddyError> {
        if !self.fresh {
            self.setup.backend.read(&mut self.fields).await?;
            self.fresh = true;
        }
        if self.disturbed {
            self.setup.measure.disturbed(self.t, &self.fields, &self.setup.live);
            self.disturbed = false;
        }
        Ok(())
    }

    fn write_record(&mut self) {
        self.setup.measure.measure(self.t, &self.fields, &mut self.row);
        self.record.push(self.t, &self.row);
    }

    fn diverge(&mut self) {
        let diagnosis = (self.setup.diagnose)(&self.setup.live, &self.fields);
        let repair = (diagnosis.stable_dt >= self.setup.smallest_dt)
            .then(|| ("dt".to_owned(), format!("{}", diagnosis.stable_dt)));
        self.outcome =
            Outcome::Diverged { step: self.steps + 1, cause: diagnosis.cause, advice: diagnosis.advice, repair };
    }

    async fn advance_within(&mut self, budget: Budget) -> Result<(), EddyError> {
        let mut clock = budget.start();
        // A stroke before the first step must reach the reference before the state moves on.
        if self.disturbed {
            self.refresh().await?;
        }
        while self.outcome.is_running() {
            let Live { dt, end, .. } = self.setup.live;
            let remaining = ((end - self.t) / dt * (1.0 - 1e-9)).ceil().max(0.0) as u64;
            if remaining == 0 {
                self.outcome = Outcome::Finished;
                break;
            }
            let until_row = self.setup.record_every - self.steps % self.setup.record_every;
            let asked = until_row.min(remaining).min(clock.steps_left().max(1));
            // Rows of the history at their own times, on every device alike, whenever the record is written.
            let times = (1..=asked).map(|i| self.time_at(self.steps + i));
            let sample_at = self.history.as_ref().map_or_else(Vec::new, |history| history.due(times));
            let Advance { steps: made, samples } = self.setup.backend.advance(self.t, asked, &sample_at).await?;
            for (at, sample) in sample_at.iter().zip(&samples) {
                let t = self.time_at(self.steps + at);
                if let Some(history) = &mut self.history {
                    history.push(t, sample);
                }
            }
            self.steps += made;
            self.t = self.time_at(self.steps);
            self.fresh &= made == 0;
            if made < asked {
                self.refresh().await?;
                self.diverge();
                self.write_record();
                break;
            }
            let is_last = made == remaining;
            if self.steps.is_multiple_of(self.setup.record_every) || is_last {
                self.refresh().await?;
                self.write_record();
            }
            if is_last {
                self.outcome = Outcome::Finished;
            }
            if !clock.tick(made) {
                break;
            }
        }
        Ok(())
    }

    /// The range to show for picture `index` whose values span `span`: it widens at once and narrows slowly, so that the
    /// colours do not flicker.
    fn range(&mut self, index: usize, (low, high): (f64, f64)) -> (f64, f64) {
        let range = match self.setup.pictures[index].2 {
            Range::Fixed(low, high) => return (low, high),
            Range::Symmetric => {
                let size = low.abs().max(high.abs()).max(1e-12);
                (-size, size)
            }
            Range::Fit => (low, high.max(low + 1e-12)),
        };
        let shown = match self.ranges[index] {
            Some((a, b)) => {
                let ease = |shown: f64, now: f64| shown + 0.05 * (now - shown);
                (range.0.min(ease(a, range.0)), range.1.max(ease(b, range.1)))
            }
            None => range,
        };
        self.ranges[index] = Some(shown);
        shown
    }

    async fn picture(&mut self, key: &str) -> Result<ViewData, EddyError> {
        let Some(index) = self.setup.pictures.iter().position(|(k, ..)| *k == key) else {
            return Ok(ViewData::Empty);
        };
        self.refresh().await?;
        let shape = self.setup.shape;
        let x = (shape.x.0, shape.x.0 + shape.x.1);
        Ok(match self.setup.pictures[index].1.clone() {
            Picture::Lines(curves) => {
                let xs = shape.xs();
                let mut series = Vec::new();
                let mut all = (f64::INFINITY, f64::NEG_INFINITY);
                if let Some(exact) = self.setup.measure.exact(self.t) {
                    series.push(Series::line("exact", Role::Reference, xs.clone(), exact));
                }
                let roles = [Role::Result, Role::Second, Role::Third];
                for (i, (field, name)) in curves.iter().enumerate() {
                    let ys = self.fields[*field].clone();
                    all = span(&ys, all);
                    series.push(Series::line(*name, roles[i.min(2)], xs.clone(), ys));
                }
                let (low, high) = self.range(index, all);
                let margin = 0.08 * (high - low);
                ViewData::Lines { series, x, y: (low - margin, high + margin) }
            }
            Picture::Plane(field) => {
                let range = self.range(index, span(&self.fields[field], (f64::INFINITY, f64::NEG_INFINITY)));
                ViewData::Field {
                    nx: shape.nx,
                    ny: shape.ny,
                    data: self.fields[field].iter().map(|v| *v as f32).collect(),
                    x,
                    y: (shape.y.0, shape.y.0 + shape.y.1),
                    range,
                }
            }
            Picture::SpaceTime(_) => {
                let held = self.history.as_ref().and_then(History::range).unwrap_or((0.0, 1.0));
                let range = self.range(index, held);
                let blank = (0.5 * (range.0 + range.1)) as f32;
                let Some(history) = &self.history else { return Ok(ViewData::Empty) };
                let (ny, data, y) = history.picture(shape.nx, blank);
                ViewData::Field { nx: shape.nx, ny, data, x, y, range }
            }
        })
    }
}

fn span(values: &[f64], (low, high): (f64, f64)) -> (f64, f64) {
    values.iter().fold((low, high), |(a, b), v| (a.min(*v), b.max(*v)))
}

impl Run for PdeRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        Box::pin(self.advance_within(budget))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        Progress {
            steps: self.steps,
            position: self.t,
            fraction: (self.t / self.setup.live.end).clamp(0.0, 1.0),
            work: self.steps as f64 * (self.setup.shape.points() * self.fields.len()) as f64,
            work_unit: "cells",
        }
    }

    fn device_kind(&self) -> Option<DeviceKind> {
        Some(self.setup.backend.device_kind())
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        Box::pin(self.picture(key))
    }

    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let live = (self.setup.live_of)(params)?;
        self.setup.backend.set(&live)?;
        self.disturbed |= live.coefficients != self.setup.live.coefficients;
        self.setup.live = live;
        self.origin = (self.t, self.steps);
        // A shorter step, or a later end, lets a run go on from its last good state.
        match self.outcome {
            Outcome::Diverged { .. } => self.outcome = Outcome::Running,
            Outcome::Finished if self.t < self.setup.live.end * (1.0 - 1e-9) => self.outcome = Outcome::Running,
            _ => {}
        }
        Ok(())
    }

    fn pointer(&mut self, key: &str, event: &Pointer) -> bool {
        let Some((_, picture, _)) = self.setup.pictures.iter().find(|(k, ..)| *k == key) else { return false };
        if event.kind == PointerKind::Up || !(event.x.is_finite() && event.y.is_finite() && event.radius.is_finite()) {
            return false;
        }
        let shape = self.setup.shape;
        let (field, height) = self.setup.brush;
        let sign = if event.secondary { -1.0 } else { 1.0 };
        let amount = match picture {
            Picture::Plane(_) => sign * height,
            // On a curve the stroke pulls it towards the pointer.
            Picture::Lines(_) => {
                let i = ((event.x - shape.x.0) / shape.dx()).round().clamp(0.0, (shape.nx - 1) as f64) as usize;
                0.3 * (event.y - self.fields[field][i]).clamp(-4.0 * height, 4.0 * height)
            }
            Picture::SpaceTime(_) => sign * height,
        };
        let brush = Brush { x: event.x, y: event.y, radius: event.radius.abs(), amount };
        if self.setup.backend.paint(field, &brush).is_err() {
            return false;
        }
        self.fresh = false;
        self.disturbed = true;
        true
    }

    fn gpu_field(&mut self, key: &str) -> Option<GpuField> {
        let index = self.setup.pictures.iter().position(|(k, ..)| *k == key)?;
        let Picture::Plane(field) = self.setup.pictures[index].1 else { return None };
        let source = self.setup.backend.gpu_field(field)?;
        let shape = self.setup.shape;
        // The range follows the fields read last, for the metrics; the picture itself is not read back.
        let range = self.range(index, span(&self.fields[field], (f64::INFINITY, f64::NEG_INFINITY)));
        Some(GpuField { source, x: (shape.x.0, shape.x.0 + shape.x.1), y: (shape.y.0, shape.y.0 + shape.y.1), range })
    }
}
