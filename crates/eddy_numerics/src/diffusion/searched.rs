//! Searched solver schedules: every step of a multistep exponential integrator has its own time, order and kind of value,
//! and evolution finds them (Liu, Ning, Yang, Wang, "A Unified Sampling Framework for Solver Searching of Diffusion
//! Probabilistic Models", ICLR 2024).
//!
//! Of the paper's components of a step these three are searched: time points, order of the Taylor expansion, and the
//! prediction that is expanded (ε or x₀). Derivatives come from divided differences of the last values; there is no
//! corrector. The paper spends its few true scores through a trained predictor; a schedule here takes a millisecond to
//! score, so every score is true.

use crate::quadrature::gauss_legendre;
use std::collections::VecDeque;

use super::{Batch, Denoiser, Node, Prediction, Schedule};
use crate::rng::{Philox, Stream};

/// How one step is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gene {
    /// Length of the step in λ, relative to the other steps; above 0.
    pub length: f64,
    /// Values that the polynomial passes through, 1 to 3; fewer where there are fewer.
    pub order: usize,
    /// ε or x₀.
    pub value: Prediction,
}

/// A solver schedule, one gene per step.
#[derive(Clone, Debug, PartialEq)]
pub struct Genome(pub Vec<Gene>);

impl Genome {
    /// Equal steps of λ with one order and value. The start has lower order; with `lower_final` the last step has too.
    pub fn uniform(steps: usize, order: usize, value: Prediction, lower_final: bool) -> Self {
        let gene = |i: usize| {
            let order = if lower_final && steps > 1 { order.min(steps - i) } else { order };
            Gene { length: 1.0, order, value }
        };
        Self((0..steps).map(gene).collect())
    }

    /// The nodes of the steps; the ends are exact.
    pub fn nodes(&self, schedule: &dyn Schedule, (start, end): (f64, f64)) -> Vec<Node> {
        let (first, last) = (schedule.node(start), schedule.node(end));
        let total: f64 = self.0.iter().map(|g| g.length).sum();
        let mut nodes = vec![first];
        let mut done = 0.0;
        for gene in &self.0[..self.0.len().saturating_sub(1)] {
            done += gene.length / total;
            nodes.push(schedule.node_of_lambda(first.lambda + done * (last.lambda - first.lambda)));
        }
        nodes.push(last);
        nodes
    }
}

/// x ← carry · x + Σ weight_j value_j from `from` to `to`, exact for values that are a polynomial in λ of degree below the
/// number of `knots` (λ of the values): the exponential integral of the paper's equations 3 and 4.
pub fn exponential_step(value: Prediction, from: &Node, to: &Node, knots: &[f64]) -> (f64, Vec<f64>) {
    /// e^λ times a parabola over a step of up to 10 is integrated to rounding.
    const POINTS: usize = 14;
    let data = value == Prediction::Data;
    let (points, quadrature) = gauss_legendre(POINTS);
    let h = to.lambda - from.lambda;
    let mut weights = vec![0.0; knots.len()];
    for (p, w) in points.iter().zip(&quadrature) {
        let lambda = from.lambda + 0.5 * h * (1.0 + p);
        // σ_to e^λ for x₀ and −α_to e^(−λ) for ε, both scaled to the end so that nothing overflows.
        let kernel = if data { to.alpha * (lambda - to.lambda).exp() } else { -to.sigma * (to.lambda - lambda).exp() };
        for (j, weight) in weights.iter_mut().enumerate() {
            let others = knots.iter().enumerate().filter(|(i, _)| *i != j);
            let basis: f64 = others.map(|(_, k)| (lambda - k) / (knots[j] - k)).product();
            *weight += 0.5 * h * w * kernel * basis;
        }
    }
    (if data { to.sigma / from.sigma } else { to.alpha / from.alpha }, weights)
}

/// A run of a genome: one evaluation per step.
pub struct GenomeRun {
    genome: Genome,
    nodes: Vec<Node>,
    done: usize,
    x: Batch<f64>,
    /// λ, ε and x₀, newest first.
    past: VecDeque<(f64, Batch<f64>, Batch<f64>)>,
}

impl GenomeRun {
    pub fn new(genome: Genome, schedule: &dyn Schedule, span: (f64, f64), x: Batch<f64>) -> Self {
        let nodes = genome.nodes(schedule, span);
        Self { genome, nodes, done: 0, x, past: VecDeque::new() }
    }

    pub fn x(&self) -> &Batch<f64> {
        &self.x
    }

    /// One step. False when the last node is reached.
    pub fn step(&mut self, model: &mut dyn Denoiser<f64>) -> bool {
        let Some(gene) = self.genome.0.get(self.done).copied() else { return false };
        let (from, to) = (self.nodes[self.done], self.nodes[self.done + 1]);
        let (dim, len) = (self.x.dim(), self.x.len());
        let mut epsilon = Batch::zeros(dim, len);
        model.epsilon(&self.x, &from, &mut epsilon);
        let mut data = Batch::zeros(dim, len);
        data.assign(1.0 / from.alpha, &self.x, &[(-from.sigma / from.alpha, &epsilon)]);
        self.past.push_front((from.lambda, epsilon, data));
        let used: Vec<_> = self.past.iter().take(gene.order.clamp(1, 3)).collect();
        let knots: Vec<f64> = used.iter().map(|p| p.0).collect();
        let (carry, weights) = exponential_step(gene.value, &from, &to, &knots);
        let terms: Vec<(f64, &Batch<f64>)> = weights
            .iter()
            .zip(&used)
            .map(|(w, p)| (*w, if gene.value == Prediction::Data { &p.2 } else { &p.1 }))
            .collect();
        self.x.combine(carry, &terms);
        self.past.truncate(3);
        self.done += 1;
        true
    }
}

/// Which components a search may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    pub times: bool,
    pub orders: bool,
    pub values: bool,
}

/// Evolution of genomes by tournaments: two parents, each the best of a few, are mixed step by step and mutated; the child
/// replaces the worst. Every score is a call of the fitness.
pub struct Evolution {
    free: Free,
    rng: Philox,
    draws: u32,
    /// With their scores, best first.
    population: Vec<(f64, Genome)>,
    waiting: Vec<Genome>,
    size: usize,
}

/// Genomes of a tournament.
const TOURNAMENT: usize = 4;
/// Spread of ln(length): of random genomes, and of a mutation while it narrows.
const WIDE: f64 = 0.6;
const MUTATION: (f64, f64) = (0.35, 0.05);

impl Evolution {
    /// Starts from `known` genomes and random ones around the first, `size` ≥ 4 in all.
    pub fn new(known: Vec<Genome>, size: usize, free: Free, seed: u32) -> Self {
        let size = size.max(TOURNAMENT).max(known.len());
        let mut out =
            Self { free, rng: Philox::new(seed), draws: 0, population: Vec::new(), waiting: known.clone(), size };
        if let Some(first) = known.first() {
            for _ in known.len()..size {
                let random = out.mutated(first.clone(), 1.0, WIDE);
                out.waiting.push(random);
            }
        }
        // Taken from the end.
        out.waiting.reverse();
        out
    }

    /// The best so far and its score.
    pub fn best(&self) -> Option<&(f64, Genome)> {
        self.population.first()
    }
    /// All, best first.
    pub fn population(&self) -> &[(f64, Genome)] {
        &self.population
    }

    fn uniforms(&mut self) -> [f64; 4] {
        self.draws += 1;
        self.rng.uniforms(Stream::Corrector, self.draws, 0, 0)
    }

    /// Each gene's free components, changed with probability `rate`; lengths by a factor e^(spread · normal).
    fn mutated(&mut self, genome: Genome, rate: f64, spread: f64) -> Genome {
        let genes = genome.0.into_iter().map(|mut gene| {
            let (u, v) = (self.uniforms(), self.uniforms());
            self.draws += 1;
            let z = self.rng.normals(Stream::Corrector, self.draws, 0, 0)[0];
            if self.free.times && u[0] < rate {
                gene.length = (gene.length * (spread * z).exp()).clamp(0.05, 20.0);
            }
            if self.free.orders && u[1] < rate {
                gene.order = 1 + (3.0 * v[0]) as usize;
            }
            if self.free.values && u[2] < rate {
                gene.value = if v[1] < 0.5 { Prediction::Epsilon } else { Prediction::Data };
            }
            gene
        });
        Genome(genes.collect())
    }

    fn parent(&mut self) -> Genome {
        let count = self.population.len();
        let u = self.uniforms();
        // The population is sorted: the best of a tournament has the least index.
        let best = u[..TOURNAMENT].iter().map(|u| (u * count as f64) as usize).min().unwrap_or(0);
        self.population[best.min(count - 1)].1.clone()
    }

    /// Scores one more genome; lower is better. `progress` in [0, 1] narrows the mutations.
    pub fn step(&mut self, progress: f64, mut fitness: impl FnMut(&Genome) -> f64) {
        let genome = match self.waiting.pop() {
            Some(genome) => genome,
            None if self.population.is_empty() => return,
            None => {
                let (mut a, b) = (self.parent(), self.parent());
                for (i, gene) in b.0.into_iter().enumerate() {
                    if self.uniforms()[0] < 0.5 {
                        a.0[i] = gene;
                    }
                }
                let spread = MUTATION.0 * (MUTATION.1 / MUTATION.0).powf(progress.clamp(0.0, 1.0));
                let rate = (1.5 / a.0.len() as f64).min(0.5);
                self.mutated(a, rate, spread)
            }
        };
        let score = fitness(&genome);
        // What diverges stays out.
        let score = if score.is_finite() { score } else { f64::MAX };
        let place = self.population.partition_point(|(s, _)| *s <= score);
        self.population.insert(place, (score, genome));
        self.population.truncate(self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{
        Method, VpLinear,
        few_steps::{RingTask, SPAN},
        methods::{Ddim, DpmMultistep, LowerFinal},
        metrics::{paired_distances, rms},
    };

    fn end(task: &RingTask, genome: &Genome, x: &Batch<f64>) -> (Batch<f64>, u64) {
        let mut model = task.model().unwrap();
        let mut run = GenomeRun::new(genome.clone(), &*task.schedule(), SPAN, x.clone());
        while run.step(&mut model) {}
        (run.x().clone(), Denoiser::<f64>::evaluations(&model))
    }
    fn apart(a: &Batch<f64>, b: &Batch<f64>) -> f64 {
        rms(&paired_distances(a, b))
    }

    #[test]
    fn steps_integrate_polynomials() {
        // x₀ = a + b λ + c λ²: ∫ e^λ x₀ dλ has the closed form e^λ (a − b + 2c + (b − 2c) λ + c λ²); ε likewise.
        let s = VpLinear::default();
        let (from, to) = (s.node(0.6), s.node(0.1));
        let knots = [from.lambda, from.lambda - 0.7, from.lambda - 1.9];
        let [a, b, c] = [0.4, -1.3, 0.8];
        for sign in [1.0, -1.0] {
            let value = if sign > 0.0 { Prediction::Data } else { Prediction::Epsilon };
            let primitive = |l: f64| {
                let polynomial = if sign > 0.0 {
                    a - b + 2.0 * c + (b - 2.0 * c) * l + c * l * l
                } else {
                    -(a + b + 2.0 * c + (b + 2.0 * c) * l + c * l * l)
                };
                polynomial * (sign * l).exp()
            };
            let scale = if sign > 0.0 { to.sigma } else { -to.alpha };
            let exact = scale * (primitive(to.lambda) - primitive(from.lambda));
            let (carry, weights) = exponential_step(value, &from, &to, &knots);
            let got: f64 = weights.iter().zip(knots).map(|(w, l)| w * (a + b * l + c * l * l)).sum();
            assert!((got - exact).abs() < 1e-12, "{value:?}: {got} {exact}");
            let known = if sign > 0.0 { to.sigma / from.sigma } else { to.alpha / from.alpha };
            assert_eq!(carry, known);
            // Two knots cannot see c.
            let (_, weights) = exponential_step(value, &from, &to, &knots[..2]);
            let missed: f64 = weights.iter().zip(knots).map(|(w, l)| w * (a + b * l + c * l * l)).sum();
            assert!((missed - exact).abs() > 1e-3);
        }
    }

    #[test]
    fn uniform_genomes_are_the_known_solvers() {
        let task = RingTask::new(2.0, 0.15, None).unwrap();
        let x = task.noise(4, Stream::Prior, 100);
        for value in [Prediction::Epsilon, Prediction::Data] {
            let mut known = DpmMultistep::new(2, value);
            (known.taylor, known.lower_final) = (true, LowerFinal::Always);
            let known: [Box<dyn Method>; 2] = [Box::new(Ddim::default()), Box::new(known)];
            for (method, order) in known.into_iter().zip([1, 2]) {
                let (a, used) = end(&task, &Genome::uniform(12, order, value, true), &x);
                let (b, _) = task.run(method, 12, x.clone()).unwrap();
                assert!(apart(&a, &b) < 1e-9 && used == 12, "{value:?} {order}: {}", apart(&a, &b));
                let (c, _) = end(&task, &Genome::uniform(12, order + 1, value, true), &x);
                assert!(apart(&c, &b) > 1e-3);
            }
        }
    }

    #[test]
    fn orders() {
        let task = RingTask::new(1.0, 0.4, None).unwrap();
        let x = task.noise(4, Stream::Prior, 50);
        let fine = task.converged(x.clone()).unwrap();
        for value in [Prediction::Epsilon, Prediction::Data] {
            for (order, expected) in [(1, 1.0), (2, 2.0)] {
                let [a, b] =
                    [60, 120].map(|n| apart(&end(&task, &Genome::uniform(n, order, value, false), &x).0, &fine));
                assert!(((a / b).log2() - expected).abs() < 0.35, "{value:?} {order}: {a} {b}");
            }
        }
    }

    #[test]
    fn evolution_finds_a_known_best_and_respects_what_is_fixed() {
        let start = || vec![Genome::uniform(5, 2, Prediction::Data, false)];
        let wanted = [3.0, 1.0, 0.5, 1.0, 2.0];
        // Least where the shares of the lengths are those wanted, all orders are 3 and all values ε.
        let score = |g: &Genome| {
            let total: f64 = g.0.iter().map(|g| g.length).sum();
            let times: f64 = g.0.iter().zip(wanted).map(|(g, w)| (g.length / total - w / 7.5).powi(2)).sum();
            let orders: f64 = g.0.iter().map(|g| (3 - g.order) as f64).sum();
            times.sqrt() + orders + g.0.iter().filter(|g| g.value == Prediction::Data).count() as f64
        };
        let search = |free: Free| {
            let mut work = Evolution::new(start(), 40, free, 1);
            (0..1200).for_each(|i| work.step(f64::from(i) / 1200.0, score));
            assert!(work.population().is_sorted_by(|a, b| a.0 <= b.0) && work.population().len() == 40);
            work.best().unwrap().clone()
        };
        let (best, _) = search(Free { times: true, orders: true, values: true });
        assert!(best < 0.05, "{best}");
        let (_, fixed) = search(Free { times: true, orders: false, values: false });
        assert!(fixed.0.iter().all(|g| g.order == 2 && g.value == Prediction::Data));
        let (best, fixed) = search(Free { times: false, orders: true, values: true });
        assert!(fixed.0.iter().all(|g| g.length == 1.0) && best > 0.2, "{best}");
    }
}
