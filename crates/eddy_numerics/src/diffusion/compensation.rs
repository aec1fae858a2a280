//! DC-Solver: dynamic compensation of a predictor-corrector sampler (Zhao, Wang, Zhou, Lu, "DC-Solver: Improving
//! Predictor-Corrector Diffusion Sampler via Dynamic Compensation", ECCV 2024).
//!
//! UniPC corrects a state but keeps the model's value from the state that was predicted. Compensation replaces that value,
//! before the next step, by the parabola through the last three values at u' = ρ u_i + (1 − ρ) u_(i−1). ρ = 1 changes
//! nothing, ρ > 1 looks ahead. No evaluation is added: ρ is one number per step, fitted once.
//!
//! The authors take u = t. On equal steps of λ, whose last times lie close to each other and whose first ones do not, u = λ
//! does better, so both are offered. As in their code the first two steps are left alone.

use std::sync::Arc;

use super::{
    Batch, Combination, Denoiser, Interval, Node, Plan, Prediction, Sampler, Schedule, Source,
    methods::{Method, UniPc},
};
use crate::rng::Philox;

/// Values that the interpolation uses: the parabola through three.
const POINTS: usize = 3;

/// What the interpolating parabola is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abscissa {
    Lambda,
    Time,
}

impl Abscissa {
    fn of(self, node: &Node) -> f64 {
        match self {
            Self::Lambda => node.lambda,
            Self::Time => node.t,
        }
    }
}

/// [`UniPc`] with compensated values. One evaluation per step; order that of the host for ρ = 1 only.
#[derive(Clone, Debug)]
pub struct Compensated {
    host: UniPc,
    abscissa: Abscissa,
    ratios: Vec<f64>,
}

impl Compensated {
    /// `ratios[i]` is ρ before step i; 1 where there is none. The first two steps have too few values and ignore theirs.
    pub fn new(host: UniPc, abscissa: Abscissa, ratios: Vec<f64>) -> Self {
        Self { host, abscissa, ratios }
    }
}

/// The value at u' as a combination of this step's and the remembered ones.
fn compensated(at: &Interval, abscissa: Abscissa, ratio: f64) -> Combination {
    let knots: Vec<f64> = std::iter::once(&at.from).chain(at.past).take(POINTS).map(|n| abscissa.of(n)).collect();
    let u = ratio * knots[0] + (1.0 - ratio) * knots[1];
    let terms = (0..knots.len()).map(|j| {
        let others = knots.iter().enumerate().filter(|(i, _)| *i != j);
        let weight = others.map(|(_, k)| (u - k) / (knots[j] - k)).product();
        (if j == 0 { Source::Stage(0) } else { Source::Past(j - 1) }, weight)
    });
    Combination::new(0.0, terms)
}

impl Method for Compensated {
    fn name(&self) -> &'static str {
        "DC-Solver"
    }
    fn order(&self) -> u32 {
        self.host.order()
    }
    fn memory(&self) -> usize {
        self.host.memory().max(POINTS - 1)
    }
    fn cost(&self, steps: usize) -> usize {
        self.host.cost(steps)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let mut plan = self.host.plan(at);
        let ratio = self.ratios.get(at.step).copied().unwrap_or(1.0);
        let Some(corrected) = plan.carry.clone().filter(|_| ratio != 1.0 && at.past.len() + 1 >= POINTS) else {
            return plan;
        };
        // The correction of the state keeps the true value; only the step from there sees the new one.
        let carry = match self.host.value {
            Prediction::Data => at.to.sigma / at.from.sigma,
            _ => at.to.alpha / at.from.alpha,
        };
        let value = compensated(at, self.abscissa, ratio);
        let rest = plan.update.plus(-carry, &corrected);
        let mut update = corrected.times(carry);
        update.state += rest.state;
        for (source, c) in &rest.terms {
            let known = Combination::source(*source);
            update = update.plus(*c, if *source == Source::Stage(0) { &value } else { &known });
        }
        plan.update = update;
        plan.remember = Some(value);
        plan
    }
}

/// Range of ρ, and how many values in it are tried.
pub const RANGE: (f64, f64) = (0.5, 2.0);
const TRIED: usize = 61;

/// A fit of the ratios in progress: step by step, ρ_i is the one for which the next state, corrected, is nearest to the
/// truth in the mean square (the last one is predicted only). The paper searches by 40 gradient steps, this by trial.
pub struct RatioFit {
    host: UniPc,
    abscissa: Abscissa,
    schedule: Arc<dyn Schedule>,
    nodes: Vec<Node>,
    /// Where the exact flow is at every node.
    truth: Vec<Batch<f64>>,
    ratios: Vec<f64>,
}

impl RatioFit {
    /// `truth[i]` are the exact states at `nodes[i]` of the particles that start at `truth[0]`.
    pub fn new(
        host: UniPc,
        abscissa: Abscissa,
        schedule: Arc<dyn Schedule>,
        nodes: Vec<Node>,
        truth: Vec<Batch<f64>>,
    ) -> Self {
        // The first two steps have nothing to choose.
        let ratios = vec![1.0; (POINTS - 1).min(nodes.len().saturating_sub(1))];
        Self { host, abscissa, schedule, nodes, truth, ratios }
    }

    /// ρ so far, one per step.
    pub fn ratios(&self) -> &[f64] {
        &self.ratios
    }
    pub fn is_done(&self) -> bool {
        self.ratios.len() + 1 >= self.nodes.len().min(self.truth.len())
    }

    /// The corrected state after `ratios.len()` steps with these ratios.
    fn state(&self, ratios: Vec<f64>, model: &mut dyn Denoiser<f64>) -> Batch<f64> {
        let steps = ratios.len();
        let method = Box::new(Compensated::new(self.host, self.abscissa, ratios));
        let start = self.truth[0].clone();
        let mut sampler = Sampler::new(self.schedule.clone(), method, &self.nodes, start, Philox::new(0));
        for _ in 0..steps {
            sampler.step(model);
        }
        if steps + 1 < self.nodes.len() {
            // The next step's evaluation corrects this state.
            sampler.step(model);
            if let Some(corrected) = sampler.corrected() {
                return corrected.clone();
            }
        }
        sampler.x().clone()
    }

    /// Mean square distance to the truth after step i with these i + 1 ratios.
    pub fn loss(&self, ratios: Vec<f64>, model: &mut dyn Denoiser<f64>) -> f64 {
        let truth = &self.truth[ratios.len()];
        let state = self.state(ratios, model);
        let square = state.data().iter().zip(truth.data()).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        square / state.data().len().max(1) as f64
    }

    /// Chooses the next ratio. Each of the 61 trials is a run up to that step.
    pub fn step(&mut self, model: &mut dyn Denoiser<f64>) {
        if self.is_done() {
            return;
        }
        let mut best = (f64::INFINITY, 1.0);
        for i in 0..TRIED {
            let ratio = RANGE.0 + (RANGE.1 - RANGE.0) * i as f64 / (TRIED - 1) as f64;
            let loss = self.loss([&*self.ratios, &[ratio]].concat(), model);
            if loss < best.0 {
                best = (loss, ratio);
            }
        }
        self.ratios.push(best.1);
    }
}

/// The exact flow's states at `nodes` from `x` at the first one, by `per_step` steps of `sampler` between two nodes: it
/// must run over a grid that many times as fine.
pub fn exact_states(
    sampler: &mut Sampler<f64>,
    steps: usize,
    per_step: usize,
    model: &mut dyn Denoiser<f64>,
) -> Vec<Batch<f64>> {
    let mut out = vec![sampler.x().clone()];
    for _ in 0..steps {
        for _ in 0..per_step {
            sampler.step(model);
        }
        out.push(sampler.x().clone());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diffusion::{
            few_steps::RingTask,
            methods::{RungeKutta, Tableau, Variable, Variant},
            metrics::{paired_distances, rms},
        },
        rng::Stream,
    };

    fn host() -> UniPc {
        UniPc::new(2, Variant::Bh2, Prediction::Data)
    }

    fn fit(task: &RingTask, steps: usize, abscissa: Abscissa) -> RatioFit {
        let x = task.noise(1, Stream::Control, 10);
        let method = Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho));
        let mut sampler = task.sampler(method, &task.grid(40 * steps).unwrap(), x);
        let truth = exact_states(&mut sampler, steps, 40, &mut task.model().unwrap());
        RatioFit::new(host(), abscissa, task.schedule(), task.grid(steps).unwrap(), truth)
    }

    fn rms_between(a: &Batch<f64>, b: &Batch<f64>) -> f64 {
        rms(&paired_distances(a, b))
    }

    #[test]
    fn ratio_1_is_the_host_and_costs_nothing() {
        for value in [Prediction::Data, Prediction::Epsilon] {
            let task = RingTask::new(2.0, 0.15, None).unwrap();
            let host = UniPc::new(2, Variant::Bh2, value);
            let x = task.noise(5, Stream::Prior, 100);
            let run = |ratio: f64| {
                let method = Compensated::new(host, Abscissa::Lambda, vec![ratio; 8]);
                task.run(Box::new(method), 8, x.clone()).unwrap()
            };
            let (known, evaluations) = task.run(Box::new(host), 8, x.clone()).unwrap();
            // Beside 1 the plan is rebuilt: the limit must be the host too.
            assert_eq!((rms_between(&run(1.0).0, &known), run(1.3).1), (0.0, evaluations));
            let (near, far) = (rms_between(&run(1.0 + 1e-7).0, &known), rms_between(&run(1.1).0, &known));
            assert!(near < 1e-5 && near > 0.0 && far > 1e-3, "{near} {far}");
        }
    }

    #[test]
    fn parabolas_are_continued_exactly() {
        let task = RingTask::new(2.0, 0.15, None).unwrap();
        let (nodes, schedule) = (task.grid(6).unwrap(), task.schedule());
        for abscissa in [Abscissa::Lambda, Abscissa::Time] {
            let value = |u: f64| 0.3 - 1.1 * u + 0.7 * u * u;
            let past = [nodes[2], nodes[1]];
            let at = Interval { schedule: &*schedule, from: nodes[3], to: nodes[4], step: 3, steps: 6, past: &past };
            for ratio in [0.5, 1.0, 1.7] {
                let sum: f64 = compensated(&at, abscissa, ratio)
                    .terms
                    .iter()
                    .map(|(source, c)| {
                        let node = match source {
                            Source::Stage(_) => nodes[3],
                            Source::Past(j) => past[*j],
                            Source::Carried => unreachable!("no interpolation carries"),
                        };
                        c * value(abscissa.of(&node))
                    })
                    .sum();
                let u = ratio * abscissa.of(&nodes[3]) + (1.0 - ratio) * abscissa.of(&nodes[2]);
                assert!((sum - value(u)).abs() < 1e-12, "{abscissa:?} {ratio}");
            }
        }
    }

    #[test]
    fn a_constant_value_cannot_be_compensated() {
        // Where x₀ is the same at all points and times every interpolation of it is itself, whatever ρ.
        let task = RingTask::new(1e-9, 1e-6, None).unwrap();
        let x = task.noise(5, Stream::Prior, 20);
        let method = Compensated::new(host(), Abscissa::Lambda, vec![1.6; 8]);
        let (a, _) = task.run(Box::new(method), 8, x.clone()).unwrap();
        let (b, _) = task.run(Box::new(host()), 8, x).unwrap();
        assert!(rms_between(&a, &b) < 1e-8, "{}", rms_between(&a, &b));
    }

    #[test]
    fn each_ratio_is_the_best_of_its_step_and_all_help_on_other_noise() {
        let task = RingTask::new(2.0, 0.15, None).unwrap();
        let mut work = fit(&task, 5, Abscissa::Lambda);
        let mut model = task.model().unwrap();
        while !work.is_done() {
            work.step(&mut model);
        }
        assert_eq!((work.ratios().len(), &work.ratios()[..2]), (5, &[1.0, 1.0][..]));
        for i in 2..5 {
            let best = work.loss(work.ratios()[..=i].to_vec(), &mut model);
            for other in [0.5, 0.8, 1.0, 1.4, 2.0] {
                let tried = [&work.ratios()[..i], &[other]].concat();
                assert!(work.loss(tried, &mut model) >= best, "{i} {other}");
            }
        }
        let x = task.noise(77, Stream::Prior, 300);
        let ends = task.converged(x.clone()).unwrap();
        let error = |method: Box<dyn Method>| rms_between(&task.run(method, 5, x.clone()).unwrap().0, &ends);
        let with = |abscissa, ratios: &[f64]| error(Box::new(Compensated::new(host(), abscissa, ratios.to_vec())));
        let (fitted, plain) = (with(Abscissa::Lambda, work.ratios()), error(Box::new(host())));
        assert!(fitted < 0.6 * plain, "{fitted} {plain}");
        // Looking back instead does not help.
        assert!(with(Abscissa::Lambda, &[0.5; 5]) > 0.9 * plain);
    }
}
