//! Training at a budget of multiplications, and the use of the frozen network on initial levels that it has not seen.

use std::any::Any;

use eddy_nets::{
    Activation, Adam, AdamSettings, Architecture, Engine, Features, JetSpec, Level, Linear, NetError, Network,
    Schedule, Tile, uniform,
};
use eddy_spec::{EddyError, Outcome, ViewData};
use web_time::Instant;

use super::{
    Params, PiHcMoe,
    layer::{Boxes, COMPONENTS, Layer, Pass, Sample, jet},
    volumes::{COLUMNS, ROWS, reference},
};
use crate::{
    Budget, Experiment, LocalFuture, Precision, Progress, Record, Run,
    labs::pinn::relative_error,
    ready,
    weights::{Tensor, fill, tensors},
};

#[path = "views.rs"]
mod views;

/// Initial levels: twelve from 0.02 to 0.2 are trained on; the ones that count lie between them.
const TRAINED: f64 = 12.0;
fn level(at: f64) -> f64 {
    0.02 + 0.18 * at / (TRAINED - 1.0)
}
const HELD_OUT: [f64; 4] = [1.5, 4.5, 6.5, 9.5];
/// Steps between two measurements.
const MEASURE: u64 = 50;

/// Points between box k − 1 and box k.
fn seam(boxes: Boxes, k: usize, level: f64) -> Vec<f64> {
    let at = boxes.seam(k);
    let point = |s: f64| if boxes.in_time { [s, at, level] } else { [at, s, level] };
    middles(COLUMNS).into_iter().flat_map(point).collect()
}

fn middles(count: usize) -> Vec<f64> {
    (0..count).map(|k| (k as f64 + 0.5) / count as f64).collect()
}

/// (x, t, level) at the middles of the cells where solutions are compared.
fn probes(level: f64) -> Vec<f64> {
    let row = |t: f64| middles(COLUMNS).into_iter().flat_map(move |x| [x, t, level]);
    middles(ROWS).into_iter().flat_map(row).collect()
}

/// What the frozen network makes of a level.
struct Inferred {
    layer: Layer,
    solution: Vec<f64>,
    /// By seam, along it.
    jumps: Vec<Vec<f64>>,
}

pub struct Training {
    params: Params,
    boxes: Boxes,
    network: Network<f64>,
    /// All points of a step are one tile: the solves need them at once.
    engine: Engine<f64>,
    layer: Layer,
    sample: Sample,
    bases: Vec<f64>,
    adjoints: Vec<f64>,
    gradient: Vec<f64>,
    adam: Adam<f64>,
    /// References of the held-out levels.
    held_out: Vec<Vec<f64>>,
    held_out_errors: Vec<f64>,
    /// The level on the stage.
    reference: Vec<f64>,
    shown: Inferred,
    is_shown_old: bool,
    steps: u64,
    /// Multiplications, of all and of the solves, one expert after the other; and of the longest solve.
    work: f64,
    solves: [f64; 2],
    iterations: f64,
    seconds: f64,
    loss: f64,
    /// Parameters at the last finite measurement.
    good: Vec<f64>,
    outcome: Outcome,
    record: Record,
}

/// Jets of a tile, to [point][component][basis].
fn read(tile: &Tile<'_, f64>, n: usize, bases: &mut [f64]) {
    for o in 0..n {
        for c in 0..COMPONENTS {
            for (i, b) in tile.jet(o, c).iter().enumerate() {
                bases[(COMPONENTS * (tile.start + i) + c) * n + o] = *b;
            }
        }
    }
}

impl Training {
    pub fn new(p: &Params) -> Result<Self, NetError> {
        let layer = Layer::new(p);
        let n = layer.weights[0].len();
        // From −1 to 1 over the domain, and over the levels.
        let linear = |input: usize, center: f64, half: f64| Linear { input, center, scale: 1.0 / half };
        let linear = vec![linear(0, 0.5, 0.5), linear(1, 0.5, 0.5), linear(2, 0.11, 0.09)];
        let architecture = Architecture {
            inputs: 3,
            features: Features { linear, waves: Vec::new() },
            hidden: vec![p.width as usize; p.layers as usize],
            outputs: n,
            activation: Activation::Tanh,
        };
        let network = Network::<f64>::new(architecture, u64::from(p.seed))?;
        let sample = Sample::new(p);
        let (count, size) = (network.parameters.len(), sample.count() * COMPONENTS * n);
        let jets = JetSpec::value(3).along(0).along(1).second(0, 0);
        Ok(Self {
            engine: Engine::with(&network, &jets, sample.count(), Level::best())?,
            shown: Inferred { layer: layer.clone(), solution: vec![0.0; ROWS * COLUMNS], jumps: Vec::new() },
            layer,
            boxes: p.boxes(),
            sample,
            bases: vec![0.0; size],
            adjoints: vec![0.0; size],
            gradient: vec![0.0; count],
            adam: Adam::new(count, AdamSettings::default()),
            held_out: HELD_OUT.iter().map(|at| reference(level(*at), 3, 100.0)).collect(),
            held_out_errors: vec![f64::NAN; HELD_OUT.len()],
            reference: reference(p.level, 3, 100.0),
            is_shown_old: true,
            steps: 0,
            work: 0.0,
            solves: [0.0; 2],
            iterations: 0.0,
            seconds: 0.0,
            loss: f64::NAN,
            good: network.parameters.clone(),
            outcome: Outcome::Running,
            record: Record::of(PiHcMoe::METRICS),
            network,
            params: p.clone(),
        })
    }

    /// Points and level of a step.
    fn draw(&mut self) {
        let (p, draws) = (&self.params, self.sample.draws() as u64 + 1);
        let (seed, first) = ((u64::from(p.seed) << 32) ^ 0x5eed, self.steps * draws);
        let trained = level((TRAINED * uniform(seed, first)).floor());
        self.sample.place(trained, |k| uniform(seed, first + 1 + k as u64));
    }

    /// Loss and gradient at the points that are placed.
    fn descend(&mut self) -> Option<Pass> {
        let Self { engine, network, layer, sample, bases, adjoints, gradient, .. } = self;
        let (n, mut pass) = (layer.weights[0].len(), None);
        engine.gradient(network, &sample.points, gradient, |tile| {
            read(tile, n, bases);
            pass = layer.gradient(sample, bases, adjoints).ok();
            for o in 0..n {
                for c in 0..COMPONENTS {
                    let adjoints = adjoints.iter().skip(c * n + o).step_by(COMPONENTS * n);
                    tile.adjoint(o, c).iter_mut().zip(adjoints).for_each(|(a, b)| *a = *b);
                }
            }
            pass.map_or(f64::NAN, |p| p.loss)
        });
        pass.filter(|p| p.loss.is_finite())
    }

    /// One step; returns whether it could be made.
    fn step(&mut self) -> bool {
        self.draw();
        let Some(pass) = self.descend() else { return false };
        // The number of steps is not known beforehand: the rate falls with the work that is done.
        let done = (self.work / (1e9 * self.params.budget)).min(1.0);
        let falling = 0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.adam.settings.schedule = Schedule::constant(self.params.rate * falling);
        let moved = self.adam.step(&mut self.network.parameters, &mut self.gradient).is_finite();
        self.steps += 1;
        self.loss = pass.loss;
        // Forward once and backward once, for weights and for inputs, with every component of the jets.
        let weights: usize = self.network.architecture().layers().iter().map(|l| l.inputs * l.outputs).sum();
        self.work += (3 * COMPONENTS * weights * self.sample.count()) as f64 + pass.work;
        self.solves[0] += pass.work;
        self.solves[1] += pass.longest;
        self.iterations += pass.iterations;
        moved
    }

    /// Jets of all bases, [point][component][basis].
    fn jets(&mut self, points: &[f64]) -> Vec<f64> {
        let n = self.layer.weights[0].len();
        let mut bases = vec![0.0; points.len() / 3 * COMPONENTS * n];
        self.engine.evaluate(&self.network, points, |tile| read(tile, n, &mut bases));
        bases
    }

    /// Only the constraint is solved, at the middles of the cells.
    fn infer(&mut self, level: f64) -> Inferred {
        let (mut layer, boxes) = (self.layer.clone(), self.boxes);
        if !layer.is_soft() {
            layer.params.most = layer.params.most.max(40);
            self.sample.place(level, |_| 0.5);
            let bases = self.jets(&self.sample.points.clone());
            layer.solve(&self.sample, &bases);
        }
        let points = probes(level);
        let bases = self.jets(&points);
        let owned = |k: usize| &layer.weights[boxes.owner(points[3 * k], points[3 * k + 1])];
        let solution = (0..points.len() / 3).map(|k| jet(&bases, k, owned(k))[0]).collect();
        let jump = |k: usize| -> Vec<f64> {
            let across: Vec<f64> = layer.weights[k].iter().zip(&layer.weights[k - 1]).map(|(a, b)| a - b).collect();
            let bases = self.jets(&seam(boxes, k, level));
            (0..COLUMNS).map(|i| jet(&bases, i, &across)[0]).collect()
        };
        let jumps = (1..boxes.count).map(jump).collect();
        Inferred { layer, solution, jumps }
    }

    /// Errors on the held-out levels and a row of the record; false if one is not finite.
    fn measure(&mut self) -> bool {
        let (mut errors, mut jump) = (Vec::new(), f64::NAN);
        for (k, at) in HELD_OUT.into_iter().enumerate() {
            let inferred = self.infer(level(at));
            errors.push(relative_error(&inferred.solution, &self.held_out[k]));
            jump = inferred.jumps.iter().flatten().fold(jump, |m: f64, j| m.max(j.abs()));
        }
        self.is_shown_old = true;
        let error = errors.iter().sum::<f64>() / errors.len() as f64;
        if !error.is_finite() {
            return false;
        }
        self.held_out_errors = errors;
        self.good.copy_from_slice(&self.network.parameters);
        if self.steps > 0 {
            let steps = self.steps as f64;
            let mean = |sum: f64| if self.layer.is_soft() { f64::NAN } else { sum / steps };
            let [all, longest] = self.solves.map(|s| mean(s) / 1e6);
            let row = [error, self.loss, jump, all, longest, mean(self.iterations), self.seconds];
            self.record.push(self.work / 1e9, &row);
        }
        true
    }

    /// The stage follows the training and the slider.
    fn refresh(&mut self) {
        if self.is_shown_old {
            let inferred = self.infer(self.params.level);
            if inferred.solution.iter().all(|u| u.is_finite()) {
                self.shown = inferred;
            }
            self.is_shown_old = false;
        }
    }
}

impl Run for Training {
    fn advance(&mut self, budget: Budget) -> LocalFuture<'_, Result<(), EddyError>> {
        budget.spend(|| {
            if !self.outcome.is_running() {
                return None;
            }
            let started = Instant::now();
            let mut is_fine = self.step();
            self.seconds += started.elapsed().as_secs_f64();
            self.is_shown_old = true;
            let is_last = self.work >= 1e9 * self.params.budget;
            if is_fine && (is_last || self.steps == 1 || self.steps.is_multiple_of(MEASURE)) {
                is_fine = self.measure();
            }
            if !is_fine {
                self.network.parameters.copy_from_slice(&self.good);
                self.outcome = Outcome::Diverged {
                    step: self.steps,
                    cause: "The loss, its gradient or a solve is not a finite number.".to_owned(),
                    advice: "Lower the learning rate, or raise the ridge.".to_owned(),
                    repair: None,
                };
            } else if is_last {
                self.outcome = Outcome::Finished;
            }
            Some(1)
        });
        ready(Ok(()))
    }
    fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
    fn progress(&self) -> Progress {
        let done = self.work / 1e9;
        Progress {
            steps: self.steps,
            position: done,
            fraction: if self.outcome.is_running() { (done / self.params.budget).min(1.0) } else { 1.0 },
            work: self.steps as f64 * self.sample.count() as f64,
            work_unit: "points",
        }
    }
    fn precision(&self) -> Option<Precision> {
        // The normal equations square the condition of the bases.
        Some(Precision::F64)
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn view<'a>(&'a mut self, key: &'a str) -> LocalFuture<'a, Result<ViewData, EddyError>> {
        self.refresh();
        ready(Ok(self.draw_view(key)))
    }
    fn update(&mut self, params: &dyn Any) -> Result<(), EddyError> {
        if let Some(p) = params.downcast_ref::<Params>() {
            self.params.level = p.level;
            self.reference = reference(p.level, 3, 100.0);
            self.is_shown_old = true;
        }
        Ok(())
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.network.architecture().named(), &self.network.parameters)
    }
    fn set_weights(&mut self, given: &[Tensor]) -> Result<(), EddyError> {
        let named = self.network.architecture().named();
        fill("", &named, given, &mut self.network.parameters)?;
        self.adam = Adam::new(self.network.parameters.len(), AdamSettings::default());
        self.good.copy_from_slice(&self.network.parameters);
        self.is_shown_old = true;
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
