//! DPM-Solver-v3: an exponential integrator whose linear part and scaling are measured on the model (Zheng, Lu, Chen, Zhu,
//! "DPM-Solver-v3: Improved Diffusion ODE Solver with Empirical Model Statistics", NeurIPS 2023).
//!
//! With λ = ln(α/σ) the flow is d(x/α)/dλ = −l x/α − f, f = (σ ε − l x)/α, for any l(λ) (the paper's equation 6). Along
//! solutions f nearly follows f' = s f + b; what is left, g = e^(−∫s) f − ∫ e^(−∫s) b, varies slowly and is replaced by a
//! polynomial (equation 9). l, s and b are numbers per coordinate and λ: l = E[σ ∂ε_i/∂x_i] makes the Jacobian of f small
//! (equation 5), s and b are the least-squares line of f' over f (equation 11).

use crate::quadrature::gauss_legendre;
use std::{collections::VecDeque, sync::Arc};

use super::{
    Batch, Denoiser, DiffusionError, Node, Prediction, Sampler, Schedule, Spacing, grid, methods::DpmMultistep,
    trapezoid_rule::TrapezoidRule,
};
use crate::rng::Philox;

/// l, s and b of one coordinate at every node of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinate {
    /// l: E[σ ∂ε_i/∂x_i]. 0 builds on ε, 1 on x₀.
    pub linear: Vec<f64>,
    /// s: slope of f' over f.
    pub scaling: Vec<f64>,
    /// b: intercept of f' over f.
    pub bias: Vec<f64>,
}

/// Empirical model statistics on equal steps of λ, linear between them and constant beyond.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelStatistics {
    first: f64,
    step: f64,
    coordinates: Vec<Coordinate>,
    /// Evaluations that the measurement took, each of all its particles at once.
    pub evaluations: u64,
}

/// Integrals from the start of a march to one λ.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Integrals {
    /// ∫ l.
    linear: f64,
    /// ∫ s.
    scaling: f64,
    /// ∫ e^(−∫s) b.
    bias: f64,
}

/// Points of the quadrature on a piece, and the longest piece: e^λ times a low power is then integrated to rounding.
const QUADRATURE: usize = 4;
const LONGEST: f64 = 0.25;

impl ModelStatistics {
    /// l and s the same everywhere, b = 0: (0, −1) is DPM-Solver, (1, 0) is DPM-Solver++.
    pub fn constant(dim: usize, linear: f64, scaling: f64) -> Self {
        let row = Coordinate { linear: vec![linear; 2], scaling: vec![scaling; 2], bias: vec![0.0; 2] };
        Self { first: 0.0, step: 1.0, coordinates: vec![row; dim], evaluations: 0 }
    }

    /// From l, s and b of every coordinate at equal steps of λ from `first`. `None` if they are not as many everywhere, 2 or
    /// more, and finite.
    pub fn table(first: f64, step: f64, rows: Vec<(Vec<f64>, Vec<f64>, Vec<f64>)>) -> Option<Self> {
        let count = rows.first().map_or(0, |r| r.0.len());
        let fits = |v: &Vec<f64>| v.len() == count && v.iter().all(|x| x.is_finite());
        let all = rows.iter().all(|r| [&r.0, &r.1, &r.2].into_iter().all(fits));
        let coordinates =
            rows.into_iter().map(|(linear, scaling, bias)| Coordinate { linear, scaling, bias }).collect();
        (all && count > 1 && step > 0.0).then_some(Self { first, step, coordinates, evaluations: 0 })
    }

    /// The same with s = b = 0: only the linear part is measured.
    pub fn without_scaling(&self) -> Self {
        let mut out = self.clone();
        for row in &mut out.coordinates {
            row.scaling.fill(0.0);
            row.bias.fill(0.0);
        }
        out
    }

    pub fn coordinates(&self) -> &[Coordinate] {
        &self.coordinates
    }
    /// λ of the nodes.
    pub fn lambdas(&self) -> Vec<f64> {
        let count = self.coordinates.first().map_or(0, |c| c.linear.len());
        (0..count).map(|k| self.first + self.step * k as f64).collect()
    }

    /// Value and slope at λ, seen from the cell that `inside` lies in.
    fn line(&self, values: &[f64], lambda: f64, inside: f64) -> (f64, f64) {
        let cells = values.len() - 1;
        let u = (inside - self.first) / self.step;
        if u <= 0.0 || u >= cells as f64 {
            return (values[if u <= 0.0 { 0 } else { cells }], 0.0);
        }
        let k = (u as usize).min(cells - 1);
        let slope = (values[k + 1] - values[k]) / self.step;
        (values[k] + slope * (lambda - self.first - self.step * k as f64), slope)
    }

    /// l of coordinate `d` at λ.
    fn linear_at(&self, d: usize, lambda: f64) -> f64 {
        self.line(&self.coordinates[d].linear, lambda, lambda).0
    }

    /// Ends of the pieces of [from, to], in the direction of travel: the table is linear on each and none is long.
    fn pieces(&self, from: f64, to: f64) -> Vec<f64> {
        let (low, high) = (from.min(to), from.max(to));
        let nodes = self.lambdas().into_iter().filter(|v| *v > low && *v < high);
        let corners: Vec<f64> = std::iter::once(low).chain(nodes).chain([high]).collect();
        let mut ends = vec![low];
        for pair in corners.windows(2) {
            let parts = ((pair[1] - pair[0]) / LONGEST).ceil().max(1.0);
            ends.extend((1..parts as usize).map(|i| pair[0] + (pair[1] - pair[0]) * i as f64 / parts));
            ends.push(pair[1]);
        }
        if from > to {
            ends.reverse();
        }
        ends
    }

    /// Integrals of coordinate `d` from `from` to `to` (either way). `visit(λ, weight, integrals)` sees the quadrature
    /// points on the way.
    fn march(&self, d: usize, from: f64, to: f64, mut visit: impl FnMut(f64, f64, &Integrals)) -> Integrals {
        let (points, weights) = gauss_legendre(QUADRATURE);
        let row = &self.coordinates[d];
        let mut at = Integrals::default();
        let ends = self.pieces(from, to);
        for pair in ends.windows(2) {
            let (a, middle) = (pair[0], 0.5 * (pair[0] + pair[1]));
            let [l, s, b] = [&row.linear, &row.scaling, &row.bias].map(|v| self.line(v, a, middle));
            // All three are linear here, so two integrals are closed and the third is smooth.
            let inside = |lambda: f64| {
                let u = lambda - a;
                let scaling = |u: f64| at.scaling + u * (s.0 + 0.5 * u * s.1);
                let share = |p: f64| 0.5 * u * (1.0 + p);
                let bias = points.iter().zip(&weights).map(|(p, w)| {
                    let v = share(*p);
                    0.5 * u * w * (-scaling(v)).exp() * (b.0 + v * b.1)
                });
                Integrals {
                    linear: at.linear + u * (l.0 + 0.5 * u * l.1),
                    scaling: scaling(u),
                    bias: at.bias + bias.sum::<f64>(),
                }
            };
            let half = 0.5 * (pair[1] - a);
            for (p, w) in points.iter().zip(&weights) {
                let lambda = middle + half * p;
                visit(lambda, half * w, &inside(lambda));
            }
            at = inside(pair[1]);
        }
        at
    }

    /// One step of coordinate `d` from `from` to `to` with g replaced by the polynomial through its values at `knots`:
    /// x ← carry · x + constant + Σ weight_j f_j.
    fn step(&self, d: usize, from: &Node, to: &Node, knots: &[f64]) -> (f64, f64, Vec<f64>) {
        let at_knots: Vec<Integrals> = knots.iter().map(|k| self.march(d, from.lambda, *k, |_, _, _| ())).collect();
        let basis = |j: usize, lambda: f64| {
            let others = knots.iter().enumerate().filter(|(i, _)| *i != j);
            others.map(|(_, k)| (lambda - k) / (knots[j] - k)).product::<f64>()
        };
        let mut sums = vec![0.0; knots.len()];
        let mut rest = 0.0;
        let end = self.march(d, from.lambda, to.lambda, |lambda, weight, i| {
            let factor = weight * (i.linear + i.scaling).exp();
            sums.iter_mut().enumerate().for_each(|(j, sum)| *sum += factor * basis(j, lambda));
            rest += factor * i.bias;
        });
        let scale = to.alpha * (-end.linear).exp();
        let known: f64 = sums.iter().zip(&at_knots).map(|(w, k)| w * k.bias).sum();
        let weights = sums.iter().zip(&at_knots).map(|(w, k)| -scale * w * (-k.scaling).exp()).collect();
        (scale / from.alpha, scale * (known - rest), weights)
    }
}

/// A measurement of the statistics in progress: one node of the table per call of [`StatisticsEstimator::step`].
pub struct StatisticsEstimator {
    nodes: Vec<Node>,
    /// Carries the particles along the flow.
    sampler: Sampler<f64>,
    coordinates: Vec<Coordinate>,
    /// f at every node done.
    residuals: Vec<Batch<f64>>,
    /// l, where it is given.
    given: Option<f64>,
    evaluations: u64,
}

/// Steps of the central difference in units of σ, the length over which a noisy density cannot change.
const DIFFERENCE: f64 = 1e-3;

impl StatisticsEstimator {
    /// On `nodes` ≥ 3 equal steps of λ from `start` to `end`, with the particles `x` at the start. They should not be those
    /// that are sampled later.
    pub fn new(
        schedule: Arc<dyn Schedule>,
        (start, end): (f64, f64),
        nodes: usize,
        x: Batch<f64>,
    ) -> Result<Self, DiffusionError> {
        let nodes = grid(&*schedule, Spacing::LogSnr, start, end, nodes.max(3) - 1)?;
        let empty = Coordinate { linear: Vec::new(), scaling: Vec::new(), bias: Vec::new() };
        let coordinates = vec![empty; x.dim()];
        let method = Box::new(DpmMultistep::new(2, Prediction::Data));
        let sampler = Sampler::new(schedule, method, &nodes, x, Philox::new(0));
        Ok(Self { nodes, sampler, coordinates, residuals: Vec::new(), given: None, evaluations: 0 })
    }

    /// Takes l as given and measures s and b only.
    pub fn with_linear(mut self, linear: f64) -> Self {
        self.given = Some(linear);
        self
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }
    pub fn done(&self) -> usize {
        self.residuals.len()
    }
    /// l so far, node by node.
    pub fn coordinates(&self) -> &[Coordinate] {
        &self.coordinates
    }

    /// Measures the next node: 2 dim + 2 evaluations of `model`, or 2 with l given. Returns the statistics when all are done.
    pub fn step(&mut self, model: &mut dyn Denoiser<f64>) -> Option<ModelStatistics> {
        let before = model.evaluations();
        if let Some(node) = self.nodes.get(self.residuals.len()).copied() {
            let x = self.sampler.x().clone();
            let (dim, len) = (x.dim(), x.len());
            let mut f = Batch::zeros(dim, len);
            model.epsilon(&x, &node, &mut f);
            let h = DIFFERENCE * node.sigma;
            for d in 0..dim {
                let mut side = |shift: f64| {
                    let mut moved = x.clone();
                    moved.coordinate_mut(d).iter_mut().for_each(|v| *v += shift);
                    let mut out = Batch::zeros(dim, len);
                    model.epsilon(&moved, &node, &mut out);
                    out.coordinate(d).iter().sum::<f64>() / len.max(1) as f64
                };
                let linear = self.given.unwrap_or_else(|| node.sigma * (side(h) - side(-h)) / (2.0 * h));
                self.coordinates[d].linear.push(linear);
                for (f, x) in f.coordinate_mut(d).iter_mut().zip(x.coordinate(d)) {
                    *f = (node.sigma * *f - linear * x) / node.alpha;
                }
            }
            self.residuals.push(f);
            self.sampler.step(model);
        }
        self.evaluations += model.evaluations() - before;
        (self.residuals.len() == self.nodes.len()).then(|| self.regress())
    }

    /// s and b from the differences of f along the paths.
    fn regress(&mut self) -> ModelStatistics {
        let last = self.nodes.len() - 1;
        let step = (self.nodes[last].lambda - self.nodes[0].lambda) / last as f64;
        let mut coordinates = self.coordinates.clone();
        for (d, row) in coordinates.iter_mut().enumerate() {
            for k in 0..=last {
                let f = |k: usize| self.residuals[k].coordinate(d);
                // Central inside, the parabola through three nodes at the ends: order 2 everywhere.
                let rate = |i: usize| match k {
                    0 => (-3.0 * f(0)[i] + 4.0 * f(1)[i] - f(2)[i]) / (2.0 * step),
                    k if k == last => (3.0 * f(k)[i] - 4.0 * f(k - 1)[i] + f(k - 2)[i]) / (2.0 * step),
                    k => (f(k + 1)[i] - f(k - 1)[i]) / (2.0 * step),
                };
                let (slope, intercept) = fit_line(f(k), rate);
                row.scaling.push(slope);
                row.bias.push(intercept);
            }
        }
        ModelStatistics { first: self.nodes[0].lambda, step, coordinates, evaluations: self.evaluations }
    }
}

/// Slope and intercept of `y` over `x` by least squares; slope 0 where x does not vary.
fn fit_line(x: &[f64], y: impl Fn(usize) -> f64) -> (f64, f64) {
    let n = x.len().max(1) as f64;
    let mean_x = x.iter().sum::<f64>() / n;
    let mean_y = (0..x.len()).map(&y).sum::<f64>() / n;
    let spread: f64 = x.iter().map(|v| (v - mean_x).powi(2)).sum();
    let scale: f64 = x.iter().map(|v| v * v).sum();
    let joint: f64 = x.iter().enumerate().map(|(i, v)| (v - mean_x) * (y(i) - mean_y)).sum();
    // The central difference of the model leaves an error of 1e-12 in f: a spread of its square is no spread.
    let slope = if spread > 1e-18 * scale { joint / spread } else { 0.0 };
    (slope, mean_y - slope * mean_x)
}

/// Multistep DPM-Solver-v3 on a batch: a predictor through the last `order` values of g and a corrector through those and
/// the next one, which is the next step's evaluation (the paper's algorithm 1). One evaluation per step.
///
/// After a correction N = σ ε − l x keeps its value at the predicted point, as in the paper, so that no second evaluation
/// is needed. The last point is predicted only.
pub struct DpmSolverV3 {
    statistics: Arc<ModelStatistics>,
    order: usize,
    /// Values of the corrector, the new one included; 0 for none.
    corrector: usize,
    lower_final: bool,
    rule: Option<TrapezoidRule>,
    nodes: Vec<Node>,
    done: usize,
    x: Batch<f64>,
    /// The corrected state before the last step.
    before: Option<Batch<f64>>,
    /// f, newest first.
    past: VecDeque<(Node, Batch<f64>)>,
}

impl DpmSolverV3 {
    /// `order` is clamped to 1..=3. `corrector`: how many values correct, the new one included (2 or more), or 0.
    pub fn new(
        statistics: Arc<ModelStatistics>,
        order: usize,
        corrector: usize,
        nodes: Vec<Node>,
        x: Batch<f64>,
    ) -> Self {
        let (order, corrector) = (order.clamp(1, 3), if corrector < 2 { 0 } else { corrector.min(4) });
        let lower_final = false;
        let (rule, past) = (None, VecDeque::new());
        Self { statistics, order, corrector, lower_final, rule, nodes, done: 0, x, before: None, past }
    }

    /// The last steps lower their order, one by one, as in the authors' code for few steps.
    pub fn with_lower_final(mut self) -> Self {
        self.lower_final = true;
        self
    }

    /// In the authors' arithmetic, which also corrects with as many values as the step predicted with. The nodes must be
    /// some of the table's.
    pub fn with_rule(mut self, rule: TrapezoidRule) -> Self {
        self.rule = Some(rule);
        self
    }

    pub fn x(&self) -> &Batch<f64> {
        &self.x
    }
    /// The state at the start of the last step, corrected.
    pub fn before(&self) -> Option<&Batch<f64>> {
        self.before.as_ref()
    }
    pub fn node(&self) -> Option<Node> {
        self.nodes.get(self.done).copied()
    }
    pub fn steps_done(&self) -> usize {
        self.done
    }

    /// One step. False when the last node is reached.
    pub fn step(&mut self, model: &mut dyn Denoiser<f64>) -> bool {
        let [Some(from), Some(to)] = [self.done, self.done + 1].map(|i| self.nodes.get(i).copied()) else {
            return false;
        };
        let mut f = Batch::zeros(self.x.dim(), self.x.len());
        model.epsilon(&self.x, &from, &mut f);
        for d in 0..f.dim() {
            let l = self.statistics.linear_at(d, from.lambda);
            for (f, x) in f.coordinate_mut(d).iter_mut().zip(self.x.coordinate(d)) {
                *f = (from.sigma * *f - l * x) / from.alpha;
            }
        }
        self.past.push_front((from, f));
        if let Some(before) = self.before.take().filter(|_| self.corrector > 0) {
            let start = self.past[1].0;
            // As many older values as the step that is corrected had, and the new one.
            let had = if self.lower_final { self.order.min(self.nodes.len() - self.done) } else { self.order };
            let count = match &self.rule {
                None => self.corrector.min(had + 1),
                Some(rule) => had.min(self.done) + usize::from(rule.pseudo.1),
            };
            if count > 1 {
                self.x = self.moved(&before, &start, &from, count, true);
            }
        }
        let left = self.nodes.len() - 1 - self.done;
        let order = if self.lower_final { self.order.min(left) } else { self.order };
        let next = self.moved(&self.x, &from, &to, order, false);
        self.before = Some(std::mem::replace(&mut self.x, next));
        self.past.truncate(4);
        self.done += 1;
        true
    }

    /// `x` moved from `from` to `to` with the newest `count` values.
    fn moved(&self, x: &Batch<f64>, from: &Node, to: &Node, count: usize, corrects: bool) -> Batch<f64> {
        let mut past: Vec<&(Node, Batch<f64>)> = self.past.iter().take(count).collect();
        if corrects {
            // The value at the start of the step comes first.
            past.swap(0, 1);
        }
        let knots: Vec<f64> = past.iter().map(|(n, _)| n.lambda).collect();
        let mut out = x.clone();
        for d in 0..x.dim() {
            let (carry, constant, weights) = match &self.rule {
                None => self.statistics.step(d, from, to, &knots),
                Some(rule) => rule.step(d, from, to, &knots, if corrects { rule.pseudo.1 } else { rule.pseudo.0 }),
            };
            let column = out.coordinate_mut(d);
            column.iter_mut().for_each(|v| *v = carry * *v + constant);
            for ((_, f), w) in past.iter().zip(&weights) {
                column.iter_mut().zip(f.coordinate(d)).for_each(|(v, f)| *v += w * f);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diffusion::{
            Mixture, MixtureModel, VpLinear,
            few_steps::{RingTask, SPAN},
            methods::{Ddim, LowerFinal, RungeKutta, Tableau, Variable},
            metrics::{paired_distances, rms},
            targets,
        },
        rng::Stream,
    };

    fn measured(mixture: &Mixture, nodes: usize, len: usize, linear: Option<f64>) -> Arc<ModelStatistics> {
        let x = Batch::normal(2, len, 1.0, &Philox::new(1), Stream::Data, 0);
        let mut work = StatisticsEstimator::new(Arc::new(VpLinear::default()), SPAN, nodes, x).unwrap();
        work.given = linear;
        let mut model = MixtureModel::new(mixture.clone());
        loop {
            if let Some(done) = work.step(&mut model) {
                let per_node = if linear.is_some() { 2 } else { 6 };
                // The last node is not left, so the particles are not moved from there.
                assert_eq!(done.evaluations, nodes as u64 * per_node - 1);
                assert_eq!(Denoiser::<f64>::evaluations(&model), done.evaluations);
                return Arc::new(done);
            }
        }
    }

    fn ends(mixture: &Mixture, statistics: &Arc<ModelStatistics>, order: (usize, usize), steps: usize) -> Batch<f64> {
        let g = grid(&VpLinear::default(), Spacing::LogSnr, SPAN.0, SPAN.1, steps).unwrap();
        let x = Batch::normal(2, 100, 1.0, &Philox::new(9), Stream::Prior, 0);
        let mut solver = DpmSolverV3::new(statistics.clone(), order.0, order.1, g, x);
        let mut model = MixtureModel::new(mixture.clone());
        while solver.step(&mut model) {}
        assert_eq!(Denoiser::<f64>::evaluations(&model), steps as u64);
        solver.x().clone()
    }

    fn apart(a: &Batch<f64>, b: &Batch<f64>) -> f64 {
        rms(&paired_distances(a, b))
    }

    #[test]
    fn constant_statistics_are_dpm_solver_and_dpm_solver_pp() {
        let task = RingTask::new(2.0, 0.15, None).unwrap();
        let x = Batch::normal(2, 100, 1.0, &Philox::new(9), Stream::Prior, 0);
        for (linear, scaling, value) in [(0.0, -1.0, Prediction::Epsilon), (1.0, 0.0, Prediction::Data)] {
            for order in 1..=2 {
                let mut method = DpmMultistep::new(order, value);
                (method.taylor, method.lower_final) = (true, LowerFinal::Never);
                let (known, _) = task.run(Box::new(method), 20, x.clone()).unwrap();
                let same = Arc::new(ModelStatistics::constant(2, linear, scaling));
                let got = ends(task.mixture(), &same, (order as usize, 0), 20);
                assert!(apart(&got, &known) < 1e-10, "{linear} {order}: {}", apart(&got, &known));
                let other = Arc::new(ModelStatistics::constant(2, linear + 0.01, scaling));
                assert!(apart(&ends(task.mixture(), &other, (order as usize, 0), 20), &known) > 1e-5);
            }
        }
    }

    #[test]
    fn one_gaussian_is_solved_in_two_steps() {
        // N is constant there, or with l given f is affine in x: the integral form has nothing left but the table's error,
        // which falls with the square of its spacing.
        let mixture = targets::single(&[1.0, -0.5], 0.4);
        let x = Batch::normal(2, 100, 1.0, &Philox::new(9), Stream::Prior, 0);
        let (first, last) = (VpLinear::default().node(SPAN.0), VpLinear::default().node(SPAN.1));
        let spread = |n: &Node| (0.16 * n.alpha * n.alpha + n.sigma * n.sigma).sqrt();
        let exact = |d: usize, v: f64| {
            let mean = [1.0, -0.5][d];
            last.alpha * mean + spread(&last) / spread(&first) * (v - first.alpha * mean)
        };
        let exact: Vec<f64> = (0..100).flat_map(|i| [exact(0, x.point(i)[0]), exact(1, x.point(i)[1])]).collect();
        let exact = Batch::from_points(2, &exact);
        for linear in [None, Some(0.0), Some(1.0)] {
            let error = |nodes: usize| {
                let statistics = measured(&mixture, nodes, 64, linear);
                apart(&ends(&mixture, &statistics, (1, 0), 2), &exact)
            };
            let (coarse, fine) = (error(121), error(241));
            assert!(fine < 0.03 && (3.0..5.3).contains(&(coarse / fine)), "{linear:?}: {coarse} {fine}");
            // Without s and b the step is not exact.
            let bare = Arc::new(measured(&mixture, 241, 64, linear).without_scaling());
            assert!(apart(&ends(&mixture, &bare, (1, 0), 2), &exact) > 20.0 * fine);
        }
        assert!(
            apart(&RingTask::new(2.0, 0.4, None).unwrap().run(Box::new(Ddim::default()), 2, x).unwrap().0, &exact)
                > 0.1
        );
    }

    #[test]
    fn orders() {
        let mixture = targets::three();
        let statistics = Arc::new(ModelStatistics::constant(2, 0.5, -0.8));
        let g = grid(&VpLinear::default(), Spacing::LogSnr, SPAN.0, SPAN.1, 2000).unwrap();
        let x = Batch::normal(2, 100, 1.0, &Philox::new(9), Stream::Prior, 0);
        let runge_kutta = Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho));
        let mut sampler = Sampler::new(Arc::new(VpLinear::default()), runge_kutta, &g, x, Philox::new(0));
        sampler.run(&mut MixtureModel::new(mixture.clone()));
        let fine = sampler.x().clone();
        for ((order, corrector), expected) in
            [((1, 0), 1.0), ((2, 0), 2.0), ((1, 2), 2.0), ((2, 2), 2.0), ((3, 3), 3.0)]
        {
            let [a, b] = [320, 640].map(|n| apart(&ends(&mixture, &statistics, (order, corrector), n), &fine));
            let observed = (a / b).log2();
            assert!((observed - expected).abs() < 0.3, "{order} {corrector}: {observed} ({a} {b})");
        }
    }

    #[test]
    fn the_linear_part_is_the_mean_jacobian() {
        // σ ∂ε_i/∂x_i summed over i is −σ² div s, which the mixture gives in closed form.
        let mixture = targets::ring(8, 2.0, 0.15);
        let x = Batch::normal(2, 50, 1.0, &Philox::new(1), Stream::Data, 0);
        let mut work = StatisticsEstimator::new(Arc::new(VpLinear::default()), SPAN, 61, x).unwrap();
        let mut model = MixtureModel::new(mixture.clone());
        for k in 0..61 {
            let (n, x) = (work.nodes[k], work.sampler.x().clone());
            let divergence = |i: usize| mixture.score_with_divergence(&x.point(i), n.alpha, n.sigma).1;
            let exact = -n.sigma * n.sigma * (0..50).map(divergence).sum::<f64>() / 50.0;
            work.step(&mut model);
            let got: f64 = work.coordinates().iter().map(|c| c.linear[k]).sum();
            assert!((got - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{k}: {got} {exact}");
        }
    }

    #[test]
    fn lines_are_fitted() {
        let x = [0.3, -1.2, 2.0, 0.7];
        let (slope, intercept) = fit_line(&x, |i| 1.5 - 0.8 * x[i]);
        assert!((slope + 0.8).abs() < 1e-14 && (intercept - 1.5).abs() < 1e-14);
        assert_eq!(fit_line(&[2.0; 4], |i| i as f64), (0.0, 1.5));
    }
}
