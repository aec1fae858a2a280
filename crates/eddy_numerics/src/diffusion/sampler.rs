//! The one loop: executes the plans of any method, one step per call.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Batch, Combination, Denoiser, Interval, Lane, Langevin, Method, Node, Plan, Prediction, Schedule, Source,
    methods::StepControl,
};
use crate::rng::{Philox, Stream};

/// How a run of a sampler stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Running,
    /// It reached the last node.
    Finished,
    /// A method with step control used all evaluations it was allowed before the last node.
    OutOfEvaluations,
    /// Step control asked for steps too short to change t: the field is not smooth or not finite there.
    Stuck,
}

/// What one call of [`Sampler::step`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    pub from: Node,
    pub to: Node,
    /// False if step control rejected the attempt; the state is then unchanged.
    pub accepted: bool,
    /// Particles with a coordinate that is not finite.
    pub non_finite: usize,
}

/// A batch on its way from noise to data. Move it with [`Sampler::step`]; look at it between steps.
pub struct Sampler<T> {
    schedule: Arc<dyn Schedule>,
    method: Box<dyn Method>,
    /// Nodes still to come, next one last. With step control only the final node.
    ahead: Vec<Node>,
    steps: usize,
    node: Node,
    x: Batch<T>,
    done: usize,
    rng: Philox,
    stages: Vec<Batch<T>>,
    past: VecDeque<(Node, Batch<T>)>,
    carried: Option<Batch<T>>,
    corrects: bool,
    spare: Vec<Batch<T>>,
    work: Batch<T>,
    control: Option<Control>,
    limit: u64,
    used: u64,
}

/// Step length of an adaptive method, in t (positive).
struct Control {
    rule: StepControl,
    next: Option<f64>,
    after_rejection: bool,
    stuck: bool,
}

impl<T: Lane> Sampler<T> {
    /// Starts at the first node of `grid` with the points `x` there. `grid` has at least two nodes, from noise to data;
    /// a method with step control uses the first and the last only. Stochastic methods draw from `rng`.
    pub fn new(schedule: Arc<dyn Schedule>, method: Box<dyn Method>, grid: &[Node], x: Batch<T>, rng: Philox) -> Self {
        let control =
            method.step_control().map(|rule| Control { rule, next: None, after_rejection: false, stuck: false });
        let mut ahead: Vec<Node> = grid.iter().skip(1).rev().copied().collect();
        if control.is_some() {
            ahead.truncate(1);
        }
        let node = grid.first().copied().unwrap_or_else(|| schedule.node(schedule.default_span().1));
        Self {
            steps: if control.is_some() { 0 } else { ahead.len() },
            node,
            ahead,
            method,
            schedule,
            work: Batch::zeros(x.dim(), x.len()),
            x,
            done: 0,
            rng,
            stages: Vec::new(),
            past: VecDeque::new(),
            carried: None,
            corrects: false,
            spare: Vec::new(),
            control,
            limit: u64::MAX,
            used: 0,
        }
    }

    /// Lets a method with step control use at most `evaluations`.
    pub fn with_limit(mut self, evaluations: u64) -> Self {
        self.limit = evaluations;
        self
    }

    pub fn x(&self) -> &Batch<T> {
        &self.x
    }
    /// The state at the start of the last step as its evaluation corrected it, for methods that do so (UniPC).
    pub fn corrected(&self) -> Option<&Batch<T>> {
        self.carried.as_ref().filter(|_| self.corrects)
    }
    /// Where the state is.
    pub fn node(&self) -> Node {
        self.node
    }
    /// Accepted steps so far.
    pub fn steps_done(&self) -> usize {
        self.done
    }
    pub fn status(&self) -> Status {
        if self.control.as_ref().is_some_and(|c| c.stuck) {
            Status::Stuck
        } else if self.ahead.is_empty() {
            Status::Finished
        } else if self.control.is_some() && self.used + 6 > self.limit {
            // An attempt costs six evaluations once the first one is made.
            Status::OutOfEvaluations
        } else {
            Status::Running
        }
    }

    /// One step, or one attempt of a method with step control. `None` when there is nothing left to do.
    pub fn step(&mut self, model: &mut dyn Denoiser<T>) -> Option<StepReport> {
        if self.status() != Status::Running {
            return None;
        }
        let before = model.evaluations();
        let report = if self.control.is_some() { self.attempt(model) } else { Some(self.fixed(model)) };
        self.used += model.evaluations() - before;
        report
    }

    /// All remaining steps.
    pub fn run(&mut self, model: &mut dyn Denoiser<T>) -> Status {
        while self.step(model).is_some() {}
        self.status()
    }

    fn plan(&self, to: Node) -> Plan {
        let past: Vec<Node> = self.past.iter().map(|(n, _)| *n).collect();
        self.method.plan(&Interval {
            schedule: &*self.schedule,
            from: self.node,
            to,
            step: self.done,
            steps: self.steps,
            past: &past,
        })
    }

    fn fixed(&mut self, model: &mut dyn Denoiser<T>) -> StepReport {
        let to = self.ahead.pop().unwrap_or(self.node);
        let plan = self.plan(to);
        if let Some((scale, sd)) = plan.lift {
            self.x.combine(scale, &[]);
            self.x.add_normal(sd, &self.rng, Stream::Lift, self.done as u32);
        }
        self.evaluate(&plan, model);
        let remembered = self.kept(plan.remember.as_ref());
        let carried = self.kept(plan.carry.as_ref());
        let mut next = std::mem::replace(&mut self.work, Batch::zeros(0, 0));
        self.combine(&plan.update, &mut next);
        self.work = std::mem::replace(&mut self.x, next);
        let from = self.node;
        self.remember(from, remembered);
        self.corrects = plan.corrects;
        if carried.is_some() {
            self.spare.extend(std::mem::replace(&mut self.carried, carried));
        }
        if plan.noise > 0.0 {
            self.x.add_normal(plan.noise, &self.rng, Stream::Path, self.done as u32);
        }
        self.node = to;
        if let Some(langevin) = plan.corrector {
            self.correct(langevin, model);
        }
        self.done += 1;
        StepReport { from, to, accepted: true, non_finite: self.x.non_finite() }
    }

    /// Evaluates the model at the stages of the plan.
    fn evaluate(&mut self, plan: &Plan, model: &mut dyn Denoiser<T>) {
        while self.stages.len() < plan.stages.len() {
            self.stages.push(Batch::zeros(self.x.dim(), self.x.len()));
        }
        for (j, stage) in plan.stages.iter().enumerate() {
            let mut out = std::mem::replace(&mut self.stages[j], Batch::zeros(0, 0));
            if stage.point == Combination::identity() {
                ask(model, stage.value, &self.x, &stage.node, &mut out);
            } else {
                let mut point = std::mem::replace(&mut self.work, Batch::zeros(0, 0));
                self.combine(&stage.point, &mut point);
                ask(model, stage.value, &point, &stage.node, &mut out);
                self.work = point;
            }
            self.stages[j] = out;
        }
    }

    /// A vector the plan asks to keep.
    fn kept(&mut self, what: Option<&Combination>) -> Option<Batch<T>> {
        let what = what?;
        let mut out = self.spare.pop().unwrap_or_else(|| Batch::zeros(self.x.dim(), self.x.len()));
        self.combine(what, &mut out);
        Some(out)
    }

    fn remember(&mut self, node: Node, vector: Option<Batch<T>>) {
        if let Some(v) = vector {
            self.past.push_front((node, v));
            if self.past.len() > self.method.memory() {
                self.spare.extend(self.past.pop_back().map(|(_, b)| b));
            }
        }
    }

    fn combine(&self, what: &Combination, out: &mut Batch<T>) {
        let terms: Vec<(f64, &Batch<T>)> = what
            .terms
            .iter()
            .filter_map(|(source, c)| {
                let batch = match source {
                    Source::Stage(j) => self.stages.get(*j),
                    Source::Past(j) => self.past.get(*j).map(|(_, b)| b),
                    Source::Carried => self.carried.as_ref(),
                };
                debug_assert!(batch.is_some(), "the plan uses {source:?}, which this step does not have");
                batch.map(|b| (*c, b))
            })
            .collect();
        out.assign(what.state, &self.x, &terms);
    }

    fn correct(&mut self, langevin: Langevin, model: &mut dyn Denoiser<T>) {
        if self.stages.is_empty() {
            self.stages.push(Batch::zeros(self.x.dim(), self.x.len()));
        }
        let node = self.node;
        let mut eps = std::mem::replace(&mut self.stages[0], Batch::zeros(0, 0));
        model.epsilon(&self.x, &node, &mut eps);
        let noise = Batch::<T>::normal(self.x.dim(), self.x.len(), 1.0, &self.rng, Stream::Corrector, self.done as u32);
        let score_norm = mean_norm(&eps) / node.sigma;
        let size = 2.0 * (langevin.decay * langevin.snr * mean_norm(&noise) / score_norm).powi(2);
        if size.is_finite() {
            self.x.combine(1.0, &[(-size / node.sigma, &eps), ((2.0 * size).sqrt(), &noise)]);
        }
        self.stages[0] = eps;
    }

    /// One attempt with step control: the error per step is kept below tolerance (Hairer, Nørsett, Wanner, "Solving
    /// ordinary differential equations I", section II.4).
    fn attempt(&mut self, model: &mut dyn Denoiser<T>) -> Option<StepReport> {
        let end = self.ahead.last().copied()?;
        let rule = self.control.as_ref()?.rule;
        if self.past.is_empty() {
            let mut first = Batch::zeros(self.x.dim(), self.x.len());
            ask(model, self.method.value_at(&self.node), &self.x, &self.node, &mut first);
            self.past.push_front((self.node, first));
            let length = self.first_length(model, rule, self.node.t - end.t);
            self.control.as_mut()?.next = Some(length);
            return Some(StepReport {
                from: self.node,
                to: self.node,
                accepted: false,
                non_finite: self.x.non_finite(),
            });
        }
        let left = self.node.t - end.t;
        let length = self.control.as_ref()?.next.unwrap_or(left);
        // A last step that would be tiny is joined to the one before.
        let to = if length >= left * (1.0 - 1e-9) { end } else { self.schedule.node(self.node.t - length) };
        let plan = self.plan(to);
        self.evaluate(&plan, model);
        let mut next = std::mem::replace(&mut self.work, Batch::zeros(0, 0));
        self.combine(&plan.update, &mut next);
        let mut estimate = self.spare.pop().unwrap_or_else(|| Batch::zeros(self.x.dim(), self.x.len()));
        if let Some(error) = &plan.error {
            self.combine(error, &mut estimate);
        }
        let error = scaled_norm(&estimate, &self.x, &next, rule);
        self.spare.push(estimate);
        let control = self.control.as_mut()?;
        let accepted = error < 1.0;
        // The classical controller for a 5(4) pair; no growth right after a rejection.
        let ceiling = if control.after_rejection { 1.0 } else { 10.0 };
        let factor = if error == 0.0 { ceiling } else { 0.9 * error.powf(-0.2) };
        let factor = if factor.is_nan() { 0.2 } else { factor };
        let factor = if accepted { factor.clamp(0.2, ceiling) } else { factor.clamp(0.2, 1.0) };
        control.after_rejection = !accepted;
        control.next = Some((self.node.t - to.t) * factor);
        let from = self.node;
        if accepted {
            let remembered = self.kept(plan.remember.as_ref());
            self.work = std::mem::replace(&mut self.x, next);
            self.remember(to, remembered);
            self.node = to;
            self.done += 1;
            if to == end {
                self.ahead.clear();
            }
        } else {
            self.work = next;
            control.stuck = is_too_short(length, from.t);
        }
        Some(StepReport { from, to: self.node, accepted, non_finite: self.x.non_finite() })
    }

    /// First step length from the size of the solution and of its first two derivatives (the same book, II.4).
    /// Costs one evaluation.
    fn first_length(&mut self, model: &mut dyn Denoiser<T>, rule: StepControl, span: f64) -> f64 {
        let (f0, g0) = self.schedule.slope(&self.node, self.method.value_at(&self.node));
        let mut slope = Batch::zeros(self.x.dim(), self.x.len());
        slope.assign(f0, &self.x, &[(g0, &self.past[0].1)]);
        let d0 = scaled_norm(&self.x, &self.x, &self.x, rule);
        let d1 = scaled_norm(&slope, &self.x, &self.x, rule);
        let h0 = if d0 < 1e-5 || d1 < 1e-5 { 1e-6 } else { 0.01 * d0 / d1 }.min(span);
        let mut probe = self.x.clone();
        probe.combine(1.0, &[(-h0, &slope)]);
        let node = self.schedule.node(self.node.t - h0);
        let mut eps = Batch::zeros(self.x.dim(), self.x.len());
        let value = self.method.value_at(&node);
        ask(model, value, &probe, &node, &mut eps);
        let (f1, g1) = self.schedule.slope(&node, value);
        // The difference of the slopes, with the slope at the probe written out.
        slope.combine(-1.0, &[(f1, &probe), (g1, &eps)]);
        let d2 = scaled_norm(&slope, &self.x, &self.x, rule) / h0;
        let h1 = if d1.max(d2) <= 1e-15 { (1e-3 * h0).max(1e-6) } else { (0.01 / d1.max(d2)).powf(0.2) };
        let h = h1.min(100.0 * h0).min(span);
        if h.is_finite() && h > 0.0 { h } else { span }
    }
}

/// One evaluation of x₀ or ε.
fn ask<T: Lane>(model: &mut dyn Denoiser<T>, value: Prediction, x: &Batch<T>, node: &Node, out: &mut Batch<T>) {
    match value {
        Prediction::Data => model.data(x, node, out),
        _ => model.epsilon(x, node, out),
    }
}

/// Whether a step of this length leaves t as it is.
fn is_too_short(length: f64, t: f64) -> bool {
    length < 16.0 * f64::EPSILON * t.abs()
}

/// √ mean (v / (absolute + relative max(|a|, |b|)))² over all coordinates of all particles.
fn scaled_norm<T: Lane>(v: &Batch<T>, a: &Batch<T>, b: &Batch<T>, rule: StepControl) -> f64 {
    let mut sum = 0.0;
    for ((v, a), b) in v.data().iter().zip(a.data()).zip(b.data()) {
        let scale = rule.absolute + rule.relative * a.to_f64().abs().max(b.to_f64().abs());
        sum += (v.to_f64() / scale).powi(2);
    }
    (sum / v.data().len().max(1) as f64).sqrt()
}

/// Mean Euclidean norm of the particles.
fn mean_norm<T: Lane>(v: &Batch<T>) -> f64 {
    let norm = |p: usize| (0..v.dim()).map(|d| v.coordinate(d)[p].to_f64().powi(2)).sum::<f64>().sqrt();
    (0..v.len()).map(norm).sum::<f64>() / v.len().max(1) as f64
}
