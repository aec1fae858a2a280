//! A placeholder to be replaced by the PDE lab's heat equation: exact decay of a sine.
//!
//! $u_t = D u_{xx}$ on a periodic interval.

use std::any::Any;

use eddy_spec::{
    Axis, Better, Citation, Claim, ColorMap, Cost, EddyError, Metric, Outcome, Role, Series, ViewData, ViewSpec, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Progress, Record, Run, ready,
};

params! { pub struct Params {
    /// Diffusivity.
    diffusivity: f64 = 0.1 => log(1e-3, 10.0).symbol("D").live(),
    /// Wavenumber.
    wavenumber: u32 = 3 => steps(1, 10).symbol("k"),
    /// Length of a step.
    dt: f64 = 0.005 => log(1e-4, 0.1).symbol("\\Delta t"),
} }

pub struct Heat1d;

impl Experiment for Heat1d {
    type Params = Params;
    const TITLE: &'static str = "Heat in one dimension";
    const SUMMARY: &'static str = "A sine decays at exactly the rate theory gives.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] =
        &[Metric::new("amplitude", Axis::linear("amplitude", "\\max|u|"), Better::Neither, "Largest value.")];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("u", "temperature", Axis::linear("position", "x"), Axis::linear("temperature", "u")),
        ViewSpec::field("xt", "history", Axis::linear("position", "x"), Axis::linear("time", "t"), Axis::linear("temperature", "u"), ColorMap::Diverging),
    ];
    const BASELINE: Option<Baseline> = None;
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;
    fn start(p: &Params, _: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(State { p: p.clone(), t: 0.0, steps: 0, record: Record::of(Self::METRICS) }))
    }
}

struct State {
    p: Params,
    t: f64,
    steps: u64,
    record: Record,
}

impl State {
    fn u(&self, x: f64) -> f64 {
        let k = f64::from(self.p.wavenumber);
        (k * x).sin() * (-self.p.diffusivity * k * k * self.t).exp()
    }
}

impl Run for State {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.t < 4.0 {
            self.t += self.p.dt;
            self.steps += 1;
            let k = f64::from(self.p.wavenumber);
            self.record.push(self.t, &[(-self.p.diffusivity * k * k * self.t).exp()]);
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }
    fn outcome(&self) -> Outcome {
        if self.t < 4.0 { Outcome::Running } else { Outcome::Finished }
    }
    fn progress(&self) -> Progress {
        Progress { steps: self.steps, position: self.t, fraction: (self.t / 4.0).min(1.0), work: self.steps as f64, work_unit: "steps" }
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let xs: Vec<f64> = (0..=128).map(|i| f64::from(i) / 128.0 * std::f64::consts::TAU).collect();
        ready(Ok(if key == "u" {
            let ys = xs.iter().map(|x| self.u(*x)).collect();
            ViewData::Lines { series: vec![Series::line("u", Role::Result, xs, ys)], x: (0.0, std::f64::consts::TAU), y: (-1.1, 1.1) }
        } else {
            let data = (0..64).flat_map(|_| xs.iter().map(|x| self.u(*x) as f32)).collect();
            ViewData::Field { nx: 129, ny: 64, data, x: (0.0, std::f64::consts::TAU), y: (0.0, 4.0), range: (-1.0, 1.0) }
        }))
    }
    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        if let Some(p) = params.downcast_ref::<Params>() {
            self.p = p.clone();
        }
        Ok(())
    }
}
