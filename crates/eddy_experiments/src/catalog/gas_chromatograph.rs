//! A gas carries a mixture through a column whose wall holds each compound back for a while. What is held longer comes out
//! later: the mixture is sorted.
//!
//! $$c_t + u\,c_x = D\,c_{xx} - F\,q_t, \qquad q_t = k_a\,c\,(1 - \textstyle\sum q/q_{max}) - k_d\,q$$
//!
//! for each compound. With little diffusion and a wall that is nearly empty the compounds do not feel each other, and the
//! outlet signal is one integral per compound,
//!
//! $$c(L, t) = e^{-\xi}\Big[c_{in}(\tau) + \int_0^\tau c_{in}(\tau - y)\sqrt{\tfrac{\xi k_d}{y}}\,
//! I_1\big(2\sqrt{\xi k_d y}\big)\,e^{-k_d y}\,dy\Big], \quad \tau = t - \tfrac Lu,\ \xi = \tfrac{F k_a L}{u},$$
//!
//! instead of the solution of ten coupled equations. The run solves the full model (finite volumes, limited fluxes, implicit
//! diffusion), draws the integral dashed over it, and then forgets the rates and fits them from the noisy signal of each
//! compound, two at a time.
//!
//! All data are made here: the measured chromatograms of the paper are not public. What to look for: lower the Péclet number,
//! or the capacity of the wall, and see where the short cut ends.

use std::any::Any;

use eddy_numerics::Real;
use eddy_numerics::least_squares::{Fit, levenberg_marquardt};
use eddy_numerics::rng::{Philox, Stream};
use eddy_numerics::systems::chromatograph::{Advection, Column, ColumnModel, ColumnStepper, Compound};
use eddy_numerics::time::{Stepper, Term};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, Cost, Counter, EddyError, Metric, Outcome, Role, Series, Test, ViewData,
    ViewSpec, choice, params,
};
use web_time::Instant;

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Flux {
    /// limited, third order
    Limited = "limited",
    /// upwind, first order
    Upwind = "upwind",
} }

params! { pub struct Params {
    /// Péclet number. Advection over diffusion, uL/D.
    peclet: f64 = 1000.0 => log(20.0, 1e5).symbol("\\mathrm{Pe}").group("column"),
    /// Capacity of the wall. In units of the injected concentration.
    capacity: f64 = 1e4 => log(10.0, 1e5).symbol("q_{max}").group("column"),
    /// Length of the injection. In units of the time that the gas takes.
    pulse: f64 = 1.0 => range(0.2, 4.0).symbol("t_{in}").group("column"),
    /// Adsorption. Factor of all rates of adsorption.
    adsorption: f64 = 1.0 => range(0.5, 2.0).symbol("k_a").group("mixture"),
    /// Desorption. Factor of all rates of desorption.
    desorption: f64 = 1.0 => range(0.5, 2.0).symbol("k_d").group("mixture"),
    /// Noise on the signal to fit. In parts of each peak.
    noise: f64 = 0.01 => range(0.0, 0.1).group("fit"),
    /// Cells.
    cells: u32 = 400 => steps(50, 4000).symbol("N").group("method"),
    /// Flux.
    flux: Flux = Flux::Limited => choice().group("method"),
    /// Seed of the noise.
    seed: u32 = 1 => seed().group("fit"),
} }

pub struct GasChromatograph;

/// Benzene, toluene, ethylbenzene, m/p-xylene, o-xylene by name; the rates are ours: injected concentration, k_a, k_d in
/// units of u/L.
const MIXTURE: [(&str, f64, f64, f64); 5] = [
    ("benzene", 1.0, 8.0, 2.6),
    ("toluene", 0.9, 9.0, 2.2),
    ("ethylbenzene", 0.8, 10.0, 1.8),
    ("m/p-xylene", 1.0, 11.0, 1.4),
    ("o-xylene", 0.9, 12.0, 1.0),
];

/// Samples of the outlet signal.
const SAMPLES: usize = 400;

impl Params {
    fn column(&self) -> Column {
        Column {
            length: 1.0,
            velocity: 1.0,
            diffusivity: 1.0 / self.peclet,
            phase_ratio: 1.0,
            capacity: self.capacity,
            pulse: self.pulse,
        }
    }

    fn compounds(&self) -> Vec<Compound> {
        let rates = |(_, inlet, ka, kd): (&str, f64, f64, f64)| Compound {
            inlet,
            adsorption: ka * self.adsorption,
            desorption: kd * self.desorption,
        };
        MIXTURE.map(rates).to_vec()
    }

    /// Until the last peak is out.
    fn end(&self) -> f64 {
        let column = self.column();
        self.compounds().iter().map(|c| column.retention_time(c) + 4.0 * column.peak_width(c)).fold(0.0, f64::max)
    }
}

const PAPER: Citation = Citation {
    number: 35,
    key: "cabreracodony2024chromatograph",
    authors: "Cabrera-Codony, A. and Valverde, A. and Born, K. and Noreldin, O. A. I. and Myers, T. G.",
    title: "Mathematical modelling of flow and adsorption in a gas chromatograph",
    venue: "Partial Differential Equations in Applied Mathematics",
    year: 2024,
    url: "https://arxiv.org/abs/2501.00001",
};

impl Experiment for GasChromatograph {
    type Params = Params;
    const TITLE: &'static str = "A mixture is sorted: gas chromatography";
    const SUMMARY: &'static str = "Five compounds leave a column one after the other; one integral each says when.";
    const LAB: Lab = Lab::Pde;
    const PAPERS: &'static [Citation] = &[PAPER];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new(
            "difference",
            Axis::log("integral against full model", "\\max|c - c_{int}|/\\max c_{int}"),
            Better::Lower,
            "Largest difference of the outlet signals so far, over each compound's peak; the worst of the five.",
        ),
        Metric::new(
            "speedup",
            Axis::log("time of the model / time of the integrals", "\\times"),
            Better::Higher,
            "Seconds for the outlet signals by the full model over seconds by the integrals, at the same 400 times.",
        ),
        Metric::new(
            "fit_error",
            Axis::log("error of the fitted rates", "\\max|\\hat k/k - 1|"),
            Better::Lower,
            "Largest relative error of the ten rates fitted to the noisy signals of the full model.",
        ),
        Metric::new(
            "occupancy",
            Axis::linear("share of the wall taken", "\\max\\sum q/q_{max}"),
            Better::Neither,
            "Largest share of the wall that has been taken anywhere; the short cut needs it below about 5 %.",
        ),
        Metric::new(
            "balance",
            Axis::log("missing mass", "|m/m_0 - 1|"),
            Better::Lower,
            "Relative mass that is neither in the column nor came out, of all compounds, at the end.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("outlet", "outlet signal", Axis::linear("time", "t"), Axis::linear("concentration", "c(L, t)")),
        ViewSpec::lines(
            "column",
            "along the column",
            Axis::linear("position", "x"),
            Axis::linear("concentration", "c"),
        ),
        ViewSpec::lines("fit", "fit", Axis::linear("time", "t"), Axis::linear("noisy signal", "c")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "first-order upwind", change: "flux=upwind" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "At a Péclet number of 1000 the integral and the full model on 2000 cells differ by less than 1 % of the \
                   peak, the integrals are at least 20 times faster, and the fit in pairs recovers all rates within 5 % from \
                   signals with 1 % noise.",
        arms: &[Arm { name: "column", setting: "peclet=1000&cells=2000&noise=0.01" }],
        seeds: &[1],
        tests: &[
            Test {
                label: "integral against full model",
                measure: |m| m.max("column", "difference"),
                bound: Bound::AtMost(0.01),
                unit: "of the peak",
            },
            Test {
                label: "speed of the integrals",
                measure: |m| m.min("column", "speedup"),
                bound: Bound::AtLeast(20.0),
                unit: "×",
            },
            Test {
                label: "error of the fitted rates",
                measure: |m| m.max("column", "fit_error"),
                bound: Bound::AtMost(0.05),
                unit: "",
            },
        ],
        counter: Counter {
            why: "At a Péclet number of 50 diffusion widens the peaks, which the integral does not know; fewer cells are then \
                  enough.",
            arms: &[],
            change: "peclet=50&cells=500",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(match context.precision {
            Precision::F64 => Box::new(ColumnRun::<f64>::new(p)),
            Precision::F32 => Box::new(ColumnRun::<f32>::new(p)),
        })
    }
}

/// First the full model in time, then the fits, one compound at a time.
struct ColumnRun<R: Real> {
    params: Params,
    column: Column,
    compounds: Vec<Compound>,
    model: ColumnModel<R>,
    stepper: ColumnStepper<R>,
    dt: f64,
    end: f64,
    state: Vec<R>,
    t: f64,
    steps: u64,
    times: Vec<f64>,
    /// Outlet signals by the integral and by the model, per compound.
    integral: Vec<Vec<f64>>,
    signal: Vec<Vec<f64>>,
    last_outlet: Vec<f64>,
    left: Vec<f64>,
    noisy: Vec<Vec<f64>>,
    fits: Vec<Fit>,
    integral_secs: f64,
    model_secs: f64,
    difference: f64,
    occupancy: f64,
    record: Record,
    outcome: Outcome,
}

impl<R: Real> ColumnRun<R> {
    fn new(p: &Params) -> Self {
        let (column, compounds, end) = (p.column(), p.compounds(), p.end());
        let advection = if p.flux == Flux::Upwind { Advection::Upwind } else { Advection::Limited };
        let model = ColumnModel::<R>::new(column, compounds.clone(), p.cells as usize, advection);
        // A whole number of steps.
        let dt = end / (end / model.suggested_dt()).ceil();
        let times: Vec<f64> = (1..=SAMPLES).map(|j| end * j as f64 / SAMPLES as f64).collect();
        let count = compounds.len();
        let mut run = Self {
            stepper: ColumnStepper::new(&model, dt),
            state: vec![R::of(0.0); model.size()],
            record: Record::of(GasChromatograph::METRICS),
            params: p.clone(),
            column,
            compounds,
            model,
            dt,
            end,
            t: 0.0,
            steps: 0,
            times,
            integral: Vec::new(),
            signal: vec![Vec::new(); count],
            last_outlet: vec![0.0; count],
            left: vec![0.0; count],
            noisy: Vec::new(),
            fits: Vec::new(),
            integral_secs: 0.0,
            model_secs: 0.0,
            difference: 0.0,
            occupancy: 0.0,
            outcome: Outcome::Running,
        };
        run.integrate();
        run.write_record();
        run
    }

    /// The closed signals, timed over enough rounds for a coarse clock.
    fn integrate(&mut self) {
        let started = Instant::now();
        let mut rounds = 0.0;
        loop {
            self.integral = self.compounds.iter().map(|c| outlet_curve(&self.column, c, &self.times)).collect();
            rounds += 1.0;
            let elapsed = started.elapsed().as_secs_f64();
            if elapsed > 5e-3 {
                self.integral_secs = elapsed / rounds;
                break;
            }
        }
    }

    fn peak(&self, k: usize) -> f64 {
        self.integral[k].iter().copied().fold(1e-300, f64::max)
    }

    /// One step of the model, and the samples that fall into it.
    fn step(&mut self) -> bool {
        let started = Instant::now();
        self.stepper.step(&mut self.model, self.t, self.dt, &mut self.state);
        self.model_secs += started.elapsed().as_secs_f64();
        let before = self.t;
        self.steps += 1;
        self.t = self.dt * self.steps as f64;
        let mut sampled = false;
        for k in 0..self.compounds.len() {
            let outlet = self.model.outlet(&self.state, k);
            if !outlet.is_finite() {
                return false;
            }
            self.left[k] += 0.5 * (outlet + self.last_outlet[k]) * self.dt * self.column.velocity;
            while let Some(&at) = self.times.get(self.signal[k].len()).filter(|at| **at <= self.t * (1.0 + 1e-12)) {
                let share = ((at - before) / self.dt).clamp(0.0, 1.0);
                let value = self.last_outlet[k] + share * (outlet - self.last_outlet[k]);
                let exact = self.integral[k][self.signal[k].len()];
                self.difference = self.difference.max((value - exact).abs() / self.peak(k));
                self.signal[k].push(value);
                sampled = true;
            }
            self.last_outlet[k] = outlet;
        }
        if sampled {
            self.occupancy = self.occupancy.max(self.model.occupancy(&self.state));
            self.write_record();
        }
        true
    }

    fn is_simulated(&self) -> bool {
        self.signal[self.compounds.len() - 1].len() == SAMPLES
    }

    /// Fits the next compound to its noisy signal.
    fn fit(&mut self) {
        let k = self.fits.len();
        let normals = Philox::new(self.params.seed);
        let sd = self.params.noise * self.signal[k].iter().copied().fold(0.0, f64::max);
        let noisy: Vec<f64> = self.signal[k]
            .iter()
            .enumerate()
            .map(|(j, v)| v + sd * normals.normals(Stream::Data, k as u32, j as u32, 0)[0])
            .collect();
        let inlet = self.compounds[k].inlet;
        let guess = first_guess(&self.column, &self.times, &noisy);
        let (column, times) = (self.column, &self.times);
        // In logarithms, so that rates stay positive.
        let fit = levenberg_marquardt(
            |log_rates, r| {
                let compound = Compound {
                    inlet,
                    adsorption: log_rates[0].clamp(-12.0, 12.0).exp(),
                    desorption: log_rates[1].clamp(-12.0, 12.0).exp(),
                };
                for ((r, t), v) in r.iter_mut().zip(times).zip(&noisy) {
                    *r = column.outlet(&compound, *t).value - v;
                }
            },
            &guess,
            noisy.len(),
            1e-6,
            40,
        );
        self.noisy.push(noisy);
        self.fits.push(fit);
        self.steps += 1;
        self.write_record();
        if self.fits.len() == self.compounds.len() {
            self.outcome = Outcome::Finished;
        }
    }

    fn fitted(&self, k: usize) -> Compound {
        let p = &self.fits[k].parameters;
        Compound { inlet: self.compounds[k].inlet, adsorption: p[0].exp(), desorption: p[1].exp() }
    }

    fn write_record(&mut self) {
        let mut row = [f64::NAN; 5];
        row[0] = if self.signal[0].is_empty() { f64::NAN } else { self.difference };
        row[3] = self.occupancy;
        if self.is_simulated() {
            row[1] = self.model_secs / self.integral_secs;
            let (mut missing, mut injected) = (0.0, 0.0);
            for (k, c) in self.compounds.iter().enumerate() {
                let mass = c.inlet * self.column.pulse * self.column.velocity;
                missing += mass - self.left[k] - self.model.held(&self.state, k);
                injected += mass;
            }
            row[4] = (missing / injected).abs();
        }
        if self.fits.len() == self.compounds.len() {
            let error = |k: usize| {
                let (fit, truth) = (self.fitted(k), self.compounds[k]);
                (fit.adsorption / truth.adsorption - 1.0).abs().max((fit.desorption / truth.desorption - 1.0).abs())
            };
            row[2] = (0..self.compounds.len()).map(error).fold(0.0, f64::max);
        }
        self.record.push(self.t, &row);
    }
}

fn outlet_curve(column: &Column, compound: &Compound, times: &[f64]) -> Vec<f64> {
    times.iter().map(|t| column.outlet(compound, *t).value).collect()
}

/// Logarithms of k_a and k_d from the mean and the variance of the leaving times above a fifth of the peak: with τ the time
/// held back, k_a/k_d = τ u/(F L) and the variance is 2τ/k_d.
fn first_guess(column: &Column, times: &[f64], signal: &[f64]) -> [f64; 2] {
    let peak = signal.iter().copied().fold(0.0, f64::max);
    let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
    for (t, c) in times.iter().zip(signal).filter(|(_, c)| **c > 0.2 * peak) {
        mass += c;
        first += c * t;
        second += c * t * t;
    }
    let mean = first / mass;
    let held = (mean - column.length / column.velocity - 0.5 * column.pulse).max(1e-3);
    let variance = (second / mass - mean * mean - column.pulse.powi(2) / 12.0).max(1e-4);
    let desorption = 2.0 * held / variance;
    let adsorption = desorption * held * column.velocity / (column.phase_ratio * column.length);
    let log = |v: f64| if v.is_finite() && v > 0.0 { v.ln() } else { 0.0 };
    [log(adsorption), log(desorption)]
}

impl<R: Real> Run for ColumnRun<R> {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            if self.is_simulated() {
                self.fit();
            } else if !self.step() {
                let limit = self.model.limits().diagnose(self.dt);
                self.outcome = Outcome::Diverged {
                    step: self.steps,
                    cause: limit.cause,
                    advice: "Take fewer cells or slower rates.".to_owned(),
                    repair: None,
                };
            }
            if !clock.tick(1) {
                break;
            }
        }
        ready(Ok(()))
    }

    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn progress(&self) -> Progress {
        let fits = self.fits.len() as f64 / self.compounds.len() as f64;
        Progress {
            steps: self.steps,
            position: self.t.min(self.end),
            fraction: (0.9 * self.t / self.end).min(0.9) + 0.1 * fits,
            work: self.steps as f64 * self.state.len() as f64,
            work_unit: "cells",
        }
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let top = (0..self.compounds.len()).map(|k| self.peak(k)).fold(0.0, f64::max);
        let mut series = Vec::new();
        let (mut x, mut y) = ((0.0, self.end), (-0.02 * top, 1.1 * top));
        match key {
            "outlet" => {
                for (k, (name, ..)) in MIXTURE.iter().enumerate() {
                    let known = self.signal[k].len();
                    series.push(Series::line(
                        *name,
                        Role::Result,
                        self.times[..known].to_vec(),
                        self.signal[k].clone(),
                    ));
                    let curve = self.integral[k].clone();
                    series.push(Series::line(format!("{name}, integral"), Role::Reference, self.times.clone(), curve));
                }
            }
            "column" => {
                let (xs, n) = (self.model.xs(), self.model.cells);
                x = (0.0, self.column.length);
                y = (-0.02, 1.05);
                for (k, (name, ..)) in MIXTURE.iter().enumerate() {
                    let c = &self.state[k * n..(k + 1) * n];
                    let values: Vec<f64> = c.iter().map(|v| if v.is_finite() { v.to_f64() } else { 0.0 }).collect();
                    series.push(Series::line(*name, Role::Result, xs.clone(), values));
                }
            }
            "fit" => {
                for (k, (name, ..)) in MIXTURE.iter().enumerate().take(self.fits.len()) {
                    let mut data = Series::line(*name, Role::Second, self.times.clone(), self.noisy[k].clone());
                    data.marker = eddy_spec::Marker::Dots;
                    series.push(data);
                    let curve = outlet_curve(&self.column, &self.fitted(k), &self.times);
                    series.push(Series::line(format!("{name}, fit"), Role::Result, self.times.clone(), curve));
                }
            }
            _ => return ready(Ok(ViewData::Empty)),
        }
        ready(Ok(ViewData::Lines { series, x, y }))
    }

    fn update(&mut self, _: &dyn Any) -> Result<(), EddyError> {
        Ok(())
    }
}
