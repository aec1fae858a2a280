//! The curve under the stage: the same setup at other budgets (or gauges), measured after the main run.

use eddy_numerics::diffusion::{Batch, Denoiser, metrics as measure};
use eddy_spec::{Axis, EddyError, Marker, Role, Series, ViewSpec};

use super::{Field, Setup, metrics::Yardsticks};

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sweep {
    None,
    /// Evaluations allowed.
    Evaluations(&'static [u32]),
    /// Strength of the gauge or shear.
    Strength(&'static [f64]),
}

/// What is plotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    Error,
    Wasserstein,
    Energy,
}

/// Budgets of a curve over evaluations.
pub const BUDGETS: &[u32] = &[4, 5, 6, 8, 10, 12, 15, 20, 25, 32, 40, 50, 64, 80, 100];

const BUDGET: Axis = Axis::log("evaluations", "N");

pub const CURVE_ERROR: ViewSpec =
    ViewSpec::curves("race", "error against evaluations", BUDGET, Axis::log("RMS distance to the reference", "e"));
pub const CURVE_WASSERSTEIN: ViewSpec =
    ViewSpec::curves("race", "distance against evaluations", BUDGET, Axis::log("sliced Wasserstein distance", "W_2"));
pub const CURVE_ENERGY: ViewSpec = ViewSpec::curves(
    "race",
    "distance against strength",
    Axis::linear("strength", "c"),
    Axis::log("energy distance", "D_E"),
);

/// Particles of a curve's runs: enough for a percent, and quick.
const PARTICLES: u32 = 600;

/// A curve that grows by one point per step.
pub(super) struct Curve {
    setup: Setup,
    score: Score,
    xs: Vec<f64>,
    ys: Vec<f64>,
    done: usize,
    /// What exact samples would score.
    floor: Option<f64>,
    yard: Yardsticks,
}

impl Curve {
    pub(super) fn of(setup: &Setup, score: Score) -> Self {
        let setup = Setup { particles: setup.particles.min(PARTICLES), ..setup.clone() };
        Self { setup, score, xs: Vec::new(), ys: Vec::new(), done: 0, floor: None, yard: Yardsticks::default() }
    }

    pub(super) fn points(&self) -> usize {
        match self.setup.sweep {
            Sweep::None => 0,
            Sweep::Evaluations(list) => list.len(),
            Sweep::Strength(list) => list.len(),
        }
    }
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// Measures the next point. A budget too small for the solver leaves a gap.
    pub(super) fn step(&mut self, reference: Option<&Batch<f64>>) -> Result<(), EddyError> {
        let i = self.done;
        self.done += 1;
        let mut setup = self.setup.clone();
        let mut x = None;
        match setup.sweep {
            Sweep::None => return Ok(()),
            Sweep::Evaluations(list) => {
                let Some(n) = list.get(i) else { return Ok(()) };
                if setup.method().step_control().is_some() {
                    // An adaptive method is asked by tolerance, from 0.3 down to 1e-6.
                    setup.options.tolerance = 10.0_f64.powf(-0.5 - 5.5 * i as f64 / list.len() as f64);
                    setup.evaluations = u32::MAX;
                } else {
                    setup.evaluations = *n;
                }
            }
            Sweep::Strength(list) => {
                let Some(c) = list.get(i) else { return Ok(()) };
                x = Some(*c);
                match &mut setup.field {
                    Field::Rotated { c: old } | Field::Sheared { c: old } => *old = *c,
                    Field::Exact => {}
                    Field::Reweighted { weights } => {
                        weights.iter_mut().enumerate().for_each(|(k, w)| *w = 1.0 + c * k as f64);
                    }
                }
            }
        }
        let Ok(mut sampler) = setup.sampler::<f64>() else { return Ok(()) };
        let mut model = setup.model::<f64>()?;
        sampler.run(&mut model);
        let value = match (self.score, reference) {
            (Score::Error, Some(r)) => measure::rms(&measure::paired_distances(sampler.x(), r)),
            (Score::Error, None) => f64::NAN,
            (Score::Wasserstein, _) => self.yard.wasserstein(&setup, sampler.x()),
            (Score::Energy, _) => self.yard.energy(&setup, sampler.x()),
        };
        let x = x.unwrap_or(model.evaluations() as f64);
        // Two tolerances may lead to the same steps, two budgets to the same number of them.
        if value.is_finite() && self.xs.last() != Some(&x) {
            self.xs.push(x);
            self.ys.push(value);
        }
        if self.floor.is_none() {
            self.floor = match self.score {
                Score::Error => None,
                Score::Wasserstein => Some(self.yard.wasserstein_floor(&setup)),
                Score::Energy => Some(self.yard.energy_floor(&setup)),
            };
        }
        Ok(())
    }

    /// The curve so far, and the floor where there is one.
    pub(super) fn series(&self, name: &str) -> Vec<Series> {
        let mut out = vec![Series {
            name: name.to_owned(),
            role: Role::Result,
            marker: Marker::LineAndDots,
            xs: self.xs.clone(),
            ys: self.ys.clone(),
        }];
        if let (Some(floor), [first, .., last]) = (self.floor, &*self.xs) {
            out.push(Series::line("exact samples", Role::Reference, vec![*first, *last], vec![floor; 2]));
        }
        out
    }
}
