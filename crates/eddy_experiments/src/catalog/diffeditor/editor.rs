//! Edits: pictures carried to the noise and, guided, back.

use eddy_numerics::{
    diffusion::Batch,
    rng::{Philox, Stream},
};

use super::{
    model::Denoiser,
    scenes::{Drag, Region},
};
use crate::labs::flow::{
    denoise::{Level, Output, ddim},
    shapes::PIXELS,
};

/// Time of the noisiest level of an edit. Guidance divides by the signal, there a sixth.
const TOP: f64 = 0.9;
/// Shares of the way back with noise in the edited region, and with levels visited again, as in the paper.
const NOISY: (f64, f64) = (0.2, 0.4);
const REVISITED: (f64, f64) = (0.4, 0.6);

/// On the circle of signal and noise.
pub fn level(t: f64) -> Level {
    let (sigma, alpha) = (std::f64::consts::FRAC_PI_2 * t).sin_cos();
    Level { t, alpha, sigma }
}

/// Pictures on their way to the noise by DDIM.
pub struct Inversion {
    pub levels: Vec<Level>,
    /// The states at the level that is reached.
    pub x: Batch<f64>,
    /// The clean pictures from which each of the levels after the first was made.
    pub clean: Vec<Batch<f64>>,
    /// Evaluations of all pictures together.
    evaluations: u64,
}

impl Inversion {
    pub fn new(drags: &[Drag], steps: usize) -> Self {
        let levels = (0..=steps).map(|i| level(TOP * i as f64 / steps as f64)).collect();
        let sources: Vec<f64> = drags.iter().flat_map(|d| d.source.iter().copied()).collect();
        Self { levels, x: Batch::from_points(PIXELS, &sources), clean: Vec::new(), evaluations: 0 }
    }

    fn steps(&self) -> usize {
        self.levels.len() - 1
    }
    pub fn is_done(&self) -> bool {
        self.clean.len() == self.steps()
    }

    pub fn step(&mut self, denoiser: &mut Denoiser) {
        let done = self.clean.len();
        let clean = &mut self.clean;
        let keep = |at: &Level, x: &Batch<f64>, noise: &Batch<f64>| {
            let mut own = x.clone();
            own.combine(1.0 / at.alpha, &[(-at.sigma / at.alpha, noise)]);
            clean.push(own);
        };
        let value = |x: &Batch<f64>, t: f64, out: &mut Batch<f64>| denoiser.velocity(x, &level(t), out);
        self.x = ddim(self.x.clone(), &self.levels[done..done + 2], Output::Velocity, value, keep);
        self.evaluations += self.x.len() as u64;
    }
}

/// What an edit has: each of them all that come before it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parts {
    /// One gradient of both energies, everywhere.
    Global,
    /// The gradient of each energy in its own region alone.
    Masks,
    /// Fresh noise in the edited region.
    Noise,
    /// Levels visited again.
    Travel,
}

/// An edit to be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    pub parts: Parts,
    /// Weight of the guidance.
    pub weight: f64,
    /// Strength of the fresh noise.
    pub eta: f64,
    /// Visits of a level that is visited again.
    pub visits: u32,
    /// Share of the way back that is guided.
    pub guided: f64,
    /// Evaluations of each way, if both take as many.
    pub evaluations: u32,
    pub seed: u32,
}

fn is_within(range: (f64, f64), share: f64) -> bool {
    (range.0..range.1).contains(&(share + 1e-9))
}

impl Plan {
    /// Levels of each way: fewer where some are visited again, so that both ways together take what all others do.
    pub fn steps(&self) -> usize {
        let all = 2.0 * f64::from(self.evaluations);
        let again = if self.parts >= Parts::Travel { f64::from(self.visits.max(1) - 1) } else { 0.0 };
        ((all / (2.0 + again * (REVISITED.1 - REVISITED.0))).round() as usize).max(1)
    }

    /// How often each level is still to be visited on the way back, the clean one first.
    fn agenda(&self) -> Vec<usize> {
        let steps = self.steps();
        let mut agenda = vec![1; steps + 1];
        let share = |i: usize| (steps - i) as f64 / steps as f64;
        let mut again: Vec<usize> = (1..=steps).rev().filter(|i| is_within(REVISITED, share(*i))).collect();
        if again.is_empty() {
            again.push(steps.div_ceil(2));
        }
        for extra in 0..2 * (self.evaluations as usize).saturating_sub(steps) {
            agenda[again[extra % again.len()]] += 1;
        }
        agenda
    }
}

/// Both ways of some drags.
pub struct Edit {
    plan: Plan,
    pub inversion: Inversion,
    agenda: Vec<usize>,
    /// The level in hand, the clean one being 0.
    at: usize,
    /// Evaluations of the way back so far: the number of the draw.
    draws: u32,
    x: Batch<f64>,
    /// Clean pictures, moved by the guidance.
    pub clean: Batch<f64>,
    /// Evaluations and passes backward, all pictures together.
    pub cost: [u64; 2],
}

impl Edit {
    /// `known` is taken for the way to the noise, with what it cost, if it has as many levels as the plan asks for.
    pub fn new(plan: Plan, drags: &[Drag], known: Option<Inversion>) -> Self {
        let steps = plan.steps();
        let known = known.filter(|i| i.is_done() && i.steps() == steps);
        let inversion = known.unwrap_or_else(|| Inversion::new(drags, steps));
        let (x, cost) = (inversion.x.clone(), [inversion.evaluations, 0]);
        Self { plan, agenda: plan.agenda(), at: steps, draws: 0, clean: x.clone(), x, inversion, cost }
    }

    pub fn is_inverted(&self) -> bool {
        self.inversion.is_done()
    }
    pub fn is_done(&self) -> bool {
        self.at == 0
    }
    /// Whether the guidance was too strong for the steps.
    pub fn is_lost(&self) -> bool {
        self.clean.data().iter().any(|v| !(v.abs() < 1e3))
    }

    /// One evaluation of all pictures.
    pub fn step(&mut self, denoiser: &mut Denoiser, drags: &[Drag]) {
        let before = denoiser.cost;
        if !self.is_inverted() {
            self.inversion.step(denoiser);
            self.x.clone_from(&self.inversion.x);
        } else if !self.is_done() {
            self.go_back(denoiser, drags);
        }
        self.cost = [0, 1].map(|k| self.cost[k] + denoiser.cost[k] - before[k]);
    }

    fn go_back(&mut self, denoiser: &mut Denoiser, drags: &[Drag]) {
        let (plan, steps, count) = (self.plan, self.inversion.steps(), drags.len());
        let (from, to) = (self.inversion.levels[self.at], self.inversion.levels[self.at - 1]);
        let known = &self.inversion.clean[self.at - 1];
        let way = (steps - self.at) as f64 / steps as f64;
        // With masks the first gradient is of the edit's energy, the second of the content's.
        let passes = if plan.parts == Parts::Global { 1 } else { 2 };
        let is_guided = way < plan.guided;
        self.draws += 1;
        // To the next level, or to this one again; part of the noise there is fresh where something changes.
        self.agenda[self.at] -= 1;
        let kept = from.alpha / to.alpha;
        let (next, fresh) = if self.agenda[self.at] > 0 {
            (from, (from.sigma * from.sigma - kept * kept * to.sigma * to.sigma).max(0.0).sqrt())
        } else {
            self.at -= 1;
            let is_noisy = plan.parts >= Parts::Noise && is_within(NOISY, way);
            let eta = if is_noisy { plan.eta } else { 0.0 };
            (to, eta * to.sigma / from.sigma * (1.0 - kept * kept).max(0.0).sqrt())
        };
        let draw: Batch<f64> = Batch::normal(PIXELS, count, fresh, &Philox::new(plan.seed), Stream::Path, self.draws);
        let old = (next.sigma * next.sigma - fresh * fresh).max(0.0).sqrt();
        // ε moves by w σ ∇E, and the clean picture with it.
        let length = plan.weight * from.sigma * from.sigma / from.alpha;
        for (i, drag) in drags.iter().enumerate() {
            let (x, known) = (self.x.point(i), known.point(i));
            let pass_of = |p: usize| usize::from(passes == 2 && !matches!(drag.regions[p], Region::Edit { .. }));
            let slopes = |clean: &[f64]| -> Vec<Vec<f64>> {
                let slope = |pass: usize, p: usize| {
                    drag.wanted(p, |p| known[p]).filter(|_| pass == pass_of(p)).map_or(0.0, |wanted| clean[p] - wanted)
                };
                let guided = if is_guided { passes } else { 0 };
                (0..guided).map(|pass| (0..PIXELS).map(|p| slope(pass, p)).collect()).collect()
            };
            let (clean, back) = denoiser.pull_back(&x, &from, slopes);
            for p in 0..PIXELS {
                let k = p * count + i;
                let moved = clean[p] - back.get(pass_of(p)).map_or(0.0, |back| length * back[p]);
                let noise = (x[p] - from.alpha * moved) / from.sigma;
                self.clean.data_mut()[k] = moved;
                let noise = match drag.regions[p] {
                    Region::Content => next.sigma * noise,
                    _ => old * noise + draw.data()[k],
                };
                self.x.data_mut()[k] = next.alpha * moved + noise;
            }
        }
    }
}
