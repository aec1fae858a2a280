//! A polymer slab between two baths lets solutes through. What it takes up makes it collapse, and the collapsed slab takes up
//! and lets through differently: the membrane answers to its own traffic.
//!
//! $$c_t = -j_x, \qquad j = D\big(c f - c_x + c\,(\ln K)_x\big), \qquad K = e^{-B\varphi},\quad D = e^{-a\varphi/(1-\varphi)}$$
//!
//! inside, $K = D = 1$ outside, with the same bath $c_0$ at both ends and a force $f$ that pulls from left to right. The polymer
//! fraction follows the mean concentration inside, $\tau\dot\varphi = \varphi(c_{in}) - \varphi$, a sigmoid from swollen to
//! collapsed.
//!
//! Where $B < 0$ polymer attracts solutes: a denser slab takes up more, which keeps it dense. Two states can then be
//! stable at once, and which one is there depends on the past. The run turns the force up and down slowly; the dashed
//! curve holds all steady states, followed round its folds by continuation; the jumps must happen at the folds. Between them the
//! same force drives a large flux or a small one.
//!
//! Try: a faster ramp, whose loop is too wide, and that is no property of the membrane; a ramp of the bath with $a = 3$, where
//! the polymer still jumps but the two fluxes are almost equal; repulsion, $B = 6$, which has one state until forces of about
//! 8 and then three as well; a frozen membrane; drive "hold" and drag the force yourself. The map counts the steady states.

use std::any::Any;

use eddy_numerics::systems::responsive_membrane::{Branch, BranchPoint, Control, Membrane, MembraneFlow};
use eddy_spec::{
    Arm, Axis, Better, Bound, Citation, Claim, ColorMap, Cost, Counter, EddyError, Marker, Metric, Outcome, Role,
    Series, Test, ViewData, ViewSpec, choice, params,
};

use crate::{
    Baseline, Budget, Context, DeviceKind, Experiment, Lab, LocalFuture, Precision, Progress, Record, Run, ready,
};

choice! { pub enum Drive {
    /// ramp the force
    Force = "force",
    /// ramp the bath
    Bath = "bath",
    /// hold both
    Hold = "hold",
} }

params! { pub struct Params {
    /// Drive. What goes up to its value and back.
    drive: Drive = Drive::Force => choice().group("drive"),
    /// Force. On each solute, in thermal energies per length of the cell.
    force: f64 = 7.0 => range(0.0, 20.0).symbol("f").group("drive").live(),
    /// Bath. Concentration at both ends, in units of that at which the membrane is halfway.
    bath: f64 = 0.22 => log(0.02, 2.0).symbol("c_0").group("drive").live(),
    /// Time of the ramp up. In units of diffusion through the cell.
    duration: f64 = 20000.0 => log(10.0, 1e5).symbol("T").group("drive"),
    /// Interaction. Below zero polymer attracts solutes.
    interaction: f64 = -6.0 => range(-8.0, 8.0).symbol("B").group("membrane"),
    /// Crowding. How much polymer slows solutes.
    crowding: f64 = 12.0 => range(0.0, 20.0).symbol("a").group("membrane"),
    /// Width of the transition. In concentration.
    sharpness: f64 = 0.6 => log(0.05, 2.0).symbol("w").group("membrane"),
    /// Relaxation of the polymer.
    relaxation: f64 = 0.5 => log(0.1, 20.0).symbol("\\tau").group("membrane"),
    /// Responsive. Off: the polymer stays swollen.
    responsive: bool = true => toggle().group("membrane"),
    /// Cells.
    cells: u32 = 100 => steps(20, 400).by(10.0).symbol("N").group("method"),
} }

pub struct ResponsiveMembrane;

const SWOLLEN: f64 = 0.05;
const COLLAPSED: f64 = 0.35;
/// Samples kept of each half of a ramp.
const SAMPLES: usize = 700;
/// Steps of a half; shorter ramps take shorter steps.
const STEPS: u64 = 200_000;
/// How long a held state is watched.
const HOLD: f64 = 400.0;
/// Forces and baths of the map.
const MAP: (usize, usize) = (160, 96);

impl Params {
    fn membrane(&self) -> Membrane {
        Membrane {
            width: 0.2,
            interaction: self.interaction,
            crowding: self.crowding,
            swollen: SWOLLEN,
            collapsed: if self.responsive { COLLAPSED } else { SWOLLEN },
            threshold: 1.0,
            sharpness: self.sharpness,
        }
    }

    /// What the horizontal axis of the curves turns.
    fn control(&self) -> Control {
        match self.drive {
            Drive::Force | Drive::Hold => Control::Force { bath: self.bath },
            Drive::Bath => Control::Bath { force: self.force },
        }
    }

    /// Range of the control: a ramp's own, or what a user may drag through.
    fn range(&self) -> (f64, f64) {
        match self.drive {
            Drive::Force => (0.0, self.force.max(0.01)),
            Drive::Bath => (1e-3 * self.bath, self.bath),
            Drive::Hold => (0.0, (1.5 * self.force).max(8.0)),
        }
    }

    fn end(&self) -> f64 {
        if self.drive == Drive::Hold { HOLD } else { 2.0 * self.duration }
    }

    fn dt(&self) -> f64 {
        let longest = 0.1 * self.relaxation.min(1.0);
        let steps = (0.5 * self.end() / longest).ceil().max(2000.0).min(STEPS as f64);
        0.5 * self.end() / steps
    }
}

const PAPER: Citation = Citation {
    number: 138,
    key: "milster2023feedback",
    authors: "Milster, S. and Kim, W. K. and Dzubiella, J.",
    title: "Feedback-controlled solute transport through chemo-responsive polymer membranes",
    venue: "The Journal of Chemical Physics 158, 104903",
    year: 2023,
    url: "https://doi.org/10.1063/5.0135707",
};

impl Experiment for ResponsiveMembrane {
    type Params = Params;
    const TITLE: &'static str = "A membrane that remembers";
    const SUMMARY: &'static str =
        "Solutes collapse the membrane that they pass: one force, two fluxes, and a loop between.";
    const LAB: Lab = Lab::Dynamics;
    const PAPERS: &'static [Citation] = &[PAPER];
    const AXIS: Axis = Axis::linear("time", "t");
    const METRICS: &'static [Metric] = &[
        Metric::new("flux", Axis::linear("flux", "j"), Better::Neither, "Mean of the fluxes through the two ends."),
        Metric::new("polymer", Axis::linear("polymer fraction", "\\varphi"), Better::Neither, "φ of the membrane."),
        Metric::new(
            "fold_error",
            Axis::log("jumps against folds", "|f_{jump}/f_{fold} - 1|"),
            Better::Lower,
            "Larger relative distance of the two jumps of the ramp (φ passes the middle) from the folds of the steady states; \
             none before both have been seen.",
        ),
        Metric::new(
            "flux_ratio",
            Axis::log("flux between the branches", "j_{more}/j_{less}"),
            Better::Neither,
            "Larger over smaller of the fluxes measured on the way up and on the way down, midway (in logarithms) between the \
             folds.",
        ),
        Metric::new(
            "folds",
            Axis::linear("folds", "n"),
            Better::Neither,
            "Folds of the steady states within the range of the drive.",
        ),
        Metric::new(
            "most_states",
            Axis::linear("most steady states", "n"),
            Better::Neither,
            "Largest number of steady states at any force of the range and any bath from 0.01 to 2.",
        ),
        Metric::new(
            "lag",
            Axis::log("distance from the closed form", "|j/j_{steady} - 1|"),
            Better::Lower,
            "Relative difference of the flux from the steady one at the present φ: how well the ramp keeps to rest.",
        ),
    ];
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("loop", "flux", Axis::linear("force or bath", "f,\\ c_0"), Axis::linear("flux", "j")),
        ViewSpec::lines(
            "polymer",
            "polymer",
            Axis::linear("force or bath", "f,\\ c_0"),
            Axis::linear("polymer fraction", "\\varphi"),
        ),
        ViewSpec::field(
            "map",
            "number of states",
            Axis::linear("force", "f"),
            Axis::linear("bath", "\\log_{10} c_0"),
            Axis::linear("steady states", "n"),
            ColorMap::Cividis,
        ),
        ViewSpec::lines("profile", "inside", Axis::linear("position", "x"), Axis::linear("concentration", "c")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "frozen membrane", change: "responsive=off" });
    const CLAIM: Option<Claim> = Some(Claim {
        sentence: "With attraction, B = -6 (a = 12, w = 0.6), a slow ramp of the force to 7 and back jumps at two places, within \
                   3 % of the folds of the steady states and nearer the slower it is, and between them the branches carry fluxes \
                   at least three times apart; with B = +6 there is one steady state at every force up to 7 and every bath from 0.01 to 2.",
        arms: &[
            Arm { name: "attractive", setting: "interaction=-6" },
            Arm { name: "faster", setting: "interaction=-6&duration=10000" },
            Arm { name: "repulsive", setting: "interaction=6&duration=100" },
        ],
        seeds: &[0],
        tests: &[
            Test {
                label: "jumps against folds",
                measure: |m| m.max("attractive", "fold_error"),
                bound: Bound::AtMost(0.03),
                unit: "",
            },
            Test {
                label: "the same, at half the speed / at full speed",
                measure: |m| m.ratio("attractive", "faster", "fold_error"),
                bound: Bound::AtMost(0.75),
                unit: "×",
            },
            Test {
                label: "flux between the branches",
                measure: |m| m.min("attractive", "flux_ratio"),
                bound: Bound::AtLeast(3.0),
                unit: "×",
            },
            Test {
                label: "most steady states with attraction",
                measure: |m| m.min("attractive", "most_states"),
                bound: Bound::AtLeast(3.0),
                unit: "",
            },
            Test {
                label: "most steady states with repulsion",
                measure: |m| m.max("repulsive", "most_states"),
                bound: Bound::AtMost(1.0),
                unit: "",
            },
        ],
        counter: Counter {
            why: "A ramp forty times as fast does not give the membrane the time to follow: it jumps far behind the folds.",
            arms: &["attractive"],
            change: "duration=500",
        },
        cost: Cost::Cheap,
    });
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu];
    const COST: Cost = Cost::Cheap;

    fn start(p: &Params, _: &Context) -> Result<Box<dyn Run>, EddyError> {
        Ok(Box::new(MembraneRun::new(p)))
    }
}

/// One half of a ramp as it was seen: control, flux, φ.
#[derive(Default)]
struct Sweep {
    samples: Vec<[f64; 3]>,
    /// Control where φ passed the middle.
    jump: Option<f64>,
}

impl Sweep {
    /// Flux where the control was `at`.
    fn flux_at(&self, at: f64) -> Option<f64> {
        self.samples
            .windows(2)
            .find(|w| (w[0][0] - at) * (w[1][0] - at) <= 0.0 && w[0][0] != w[1][0])
            .map(|w| w[0][1] + (w[1][1] - w[0][1]) * (at - w[0][0]) / (w[1][0] - w[0][0]))
    }
}

struct MembraneRun {
    params: Params,
    membrane: Membrane,
    flow: MembraneFlow,
    branches: Vec<Branch>,
    map: Vec<f32>,
    most_states: u32,
    dt: f64,
    t: f64,
    steps: u64,
    /// Steps since the last live change.
    since: u64,
    sweeps: [Sweep; 2],
    record: Record,
    outcome: Outcome,
}

impl MembraneRun {
    fn new(p: &Params) -> Self {
        let membrane = p.membrane();
        let (start, _) = p.control().at(p.range().0);
        let mut run = Self {
            flow: MembraneFlow::new(membrane, p.cells as usize, p.relaxation, start),
            branches: Vec::new(),
            map: Vec::new(),
            most_states: 0,
            dt: p.dt(),
            t: 0.0,
            steps: 0,
            since: 0,
            sweeps: Default::default(),
            record: Record::of(ResponsiveMembrane::METRICS),
            params: p.clone(),
            membrane,
            outcome: Outcome::Running,
        };
        run.analyse();
        run.sample();
        run
    }

    /// Steady states over the control, and their number over the map.
    fn analyse(&mut self) {
        let p = &self.params;
        self.branches = self.membrane.branches(p.control(), p.range());
        let (columns, rows) = MAP;
        let baths: Vec<f64> = (0..rows).map(|j| 10f64.powf(self.bath_of_row(j))).collect();
        let counts: Vec<Vec<u32>> = (0..columns)
            .map(|i| self.membrane.count_states(&baths, self.top_force() * (i as f64 + 0.5) / columns as f64))
            .collect();
        self.most_states = counts.iter().flatten().copied().max().unwrap_or(0);
        self.map = (0..rows).flat_map(|j| counts.iter().map(move |c| c[j] as f32)).collect();
    }

    fn top_force(&self) -> f64 {
        if self.params.drive == Drive::Hold { self.params.range().1 } else { self.params.force.max(0.01) }
    }

    fn bath_of_row(&self, j: usize) -> f64 {
        let (low, high) = BATHS;
        low + (high - low) * (j as f64 + 0.5) / MAP.1 as f64
    }

    /// The control at time `t`: up to the middle of a ramp, then down.
    fn control_at(&self, t: f64) -> f64 {
        let (low, high) = self.params.range();
        match self.params.drive {
            Drive::Hold => self.params.force,
            _ => {
                let share = 1.0 - (t / self.params.duration - 1.0).abs();
                low + (high - low) * share.clamp(0.0, 1.0)
            }
        }
    }

    fn half(&self) -> usize {
        usize::from(self.params.drive != Drive::Hold && self.t > self.params.duration * (1.0 + 1e-9))
    }

    fn fold_controls(&self) -> Vec<f64> {
        self.branches.iter().flat_map(|b| &b.folds).map(|f| f.control).collect()
    }

    fn step(&mut self) {
        let before = self.flow.phi();
        let control = self.control_at(self.t + self.dt);
        let (bath, force) = self.params.control().at(control);
        self.flow.step(self.dt, bath, force);
        self.steps += 1;
        self.since += 1;
        self.t = if self.params.drive == Drive::Hold { self.t + self.dt } else { self.dt * self.since as f64 };
        let middle = 0.5 * (SWOLLEN + COLLAPSED);
        let half = self.half();
        if self.params.drive != Drive::Hold && (before - middle) * (self.flow.phi() - middle) <= 0.0 && before != middle
        {
            self.sweeps[half].jump.get_or_insert(control);
        }
        let every = (self.params.end() / self.dt / (2 * SAMPLES) as f64).ceil().max(1.0) as u64;
        if self.since.is_multiple_of(every) {
            self.sample();
        }
    }

    fn sample(&mut self) {
        let control = self.control_at(self.t);
        let (bath, force) = self.params.control().at(control);
        let (flux, phi) = (self.flow.flux(bath, force), self.flow.phi());
        let half = self.half();
        if self.params.drive != Drive::Hold {
            self.sweeps[half].samples.push([control, flux, phi]);
        }
        let steady = self.membrane.steady(phi, bath, force).flux;
        let folds = self.fold_controls();
        let (mut fold_error, mut flux_ratio) = (f64::NAN, f64::NAN);
        if let [a, b] = folds[..] {
            let (low, high) = (a.min(b), a.max(b));
            if let (Some(up), Some(down)) = (self.sweeps[0].jump, self.sweeps[1].jump) {
                fold_error = (up / high - 1.0).abs().max((down / low - 1.0).abs());
            }
            let between = (low * high).sqrt();
            if let (Some(up), Some(down)) = (self.sweeps[0].flux_at(between), self.sweeps[1].flux_at(between)) {
                flux_ratio = (up / down).max(down / up);
            }
        }
        let lag = if steady.abs() > 1e-6 { (flux / steady - 1.0).abs() } else { f64::NAN };
        let row = [flux, phi, fold_error, flux_ratio, folds.len() as f64, f64::from(self.most_states), lag];
        self.record.push(self.t, &row);
    }

    /// Curves over the control: all steady states, the folds, what the run saw, where it stands.
    fn curves(&self, value: fn(&BranchPoint) -> f64, seen: usize) -> ViewData {
        let mut series = Vec::new();
        let mut top = 0.0_f64;
        for b in &self.branches {
            let ys: Vec<f64> = b.points.iter().map(value).collect();
            top = ys.iter().copied().fold(top, f64::max);
            let xs = b.points.iter().map(|p| p.control).collect();
            series.push(Series::line("steady states", Role::Reference, xs, ys));
        }
        let folds: Vec<&BranchPoint> = self.branches.iter().flat_map(|b| &b.folds).collect();
        if !folds.is_empty() {
            let mut dots = Series::line(
                "folds",
                Role::Third,
                folds.iter().map(|f| f.control).collect(),
                folds.iter().map(|f| value(f)).collect(),
            );
            dots.marker = Marker::Dots;
            series.push(dots);
        }
        for (name, role, sweep) in [("up", Role::Result, &self.sweeps[0]), ("down", Role::Second, &self.sweeps[1])] {
            let ys: Vec<f64> = sweep.samples.iter().map(|s| s[seen]).collect();
            top = ys.iter().copied().fold(top, f64::max);
            series.push(Series::line(name, role, sweep.samples.iter().map(|s| s[0]).collect(), ys));
        }
        let control = self.control_at(self.t);
        let (bath, force) = self.params.control().at(control);
        let now = if seen == 1 { self.flow.flux(bath, force) } else { self.flow.phi() };
        let mut here = Series::line("now", Role::Result, vec![control], vec![now]);
        here.marker = Marker::Dots;
        series.push(here);
        let (low, high) = self.params.range();
        let y = if seen == 1 { (0.0, 1.08 * top.max(1e-3)) } else { (0.0, COLLAPSED + SWOLLEN) };
        ViewData::Lines { series, x: (low, high), y }
    }

    fn profile(&self) -> ViewData {
        let (bath, force) = self.params.control().at(self.control_at(self.t));
        let (xs, ys): (Vec<f64>, Vec<f64>) = self.flow.profile().unzip();
        let phi = self.flow.phi();
        let fine: Vec<f64> = (0..=600).map(|i| f64::from(i) / 600.0).collect();
        let steady: Vec<f64> = fine.iter().map(|x| self.membrane.profile(phi, bath, force, *x)).collect();
        let top = ys.iter().chain(&steady).copied().fold(0.1, f64::max);
        let series = vec![
            Series::line("steady at this φ", Role::Reference, fine, steady),
            Series::line("c", Role::Result, xs, ys),
        ];
        ViewData::Lines { series, x: (0.0, 1.0), y: (0.0, 1.08 * top) }
    }
}

/// log₁₀ of the baths of the map.
const BATHS: (f64, f64) = (-2.0, 0.301);

impl Run for MembraneRun {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        let mut clock = budget.start();
        while self.outcome.is_running() {
            self.step();
            let is_over = match self.params.drive {
                Drive::Hold => self.since as f64 * self.dt >= HOLD,
                _ => self.t >= self.params.end() * (1.0 - 1e-9),
            };
            if !self.flow.is_finite() {
                self.outcome = Outcome::Diverged {
                    step: self.steps,
                    cause: "The membrane left the range of numbers.".to_owned(),
                    advice: "Take a smaller force or a weaker interaction.".to_owned(),
                    repair: None,
                };
            } else if is_over {
                self.sample();
                self.outcome = Outcome::Finished;
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
        let done = match self.params.drive {
            Drive::Hold => self.since as f64 * self.dt / HOLD,
            _ => self.t / self.params.end(),
        };
        Progress {
            steps: self.steps,
            position: self.t,
            fraction: done.min(1.0),
            work: self.steps as f64 * f64::from(self.params.cells),
            work_unit: "cells",
        }
    }

    fn precision(&self) -> Option<Precision> {
        Some(Precision::F64)
    }
    fn record(&self) -> &Record {
        &self.record
    }

    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        let data = match key {
            "loop" => self.curves(|p| p.transport.flux, 1),
            "polymer" => self.curves(|p| p.phi, 2),
            "map" => ViewData::Field {
                nx: MAP.0,
                ny: MAP.1,
                data: self.map.clone(),
                x: (0.0, self.top_force()),
                y: BATHS,
                range: (0.0, 3.0),
            },
            "profile" => self.profile(),
            _ => ViewData::Empty,
        };
        ready(Ok(data))
    }

    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        let p: &Params = crate::own(params)?;
        if self.params.drive == Drive::Hold {
            // The membrane keeps its state: this is how one walks round the loop by hand.
            self.params = p.clone();
            self.analyse();
            self.since = 0;
            if self.outcome == Outcome::Finished {
                self.outcome = Outcome::Running;
            }
        } else {
            // A ramp to another height is another ramp, from its beginning.
            *self = Self { steps: self.steps, ..Self::new(p) };
        }
        Ok(())
    }
}
