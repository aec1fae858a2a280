use super::{Method, may_end_clean};
use crate::diffusion::{Batch, Combination, Denoiser, Interval, Lane, Node, Plan, Schedule, Source};

/// BDIA-DDIM: DDIM forward and backward from the same ε, which makes the map exactly invertible (Zhang, Lewis, Kleijn
/// 2024, "Exact diffusion inversion via bi-directional integration approximation", equation 18).
///
/// With Δ(a → b | z) the DDIM move from a to b: z_{i−1} = z_i + Δ(t_i → t_{i−1} | z_i) + γ (z_{i+1} − z_i −
/// Δ(t_i → t_{i+1} | z_i)). γ = 0 is DDIM, γ = 1 a leapfrog of order 2 on even grids, which is neutrally stable at best:
/// perturbations are kept, not damped. One evaluation per step; the first step is DDIM.
#[derive(Clone, Copy, Debug)]
pub struct Bdia {
    gamma: f64,
}

impl Bdia {
    /// `gamma` in [0, 1]; the authors use 0.5 at few steps and 1 otherwise.
    pub fn new(gamma: f64) -> Self {
        Self { gamma: if gamma.is_finite() { gamma } else { 1.0 } }
    }

    /// Runs the sampler backwards over `grid` (from noise to data, as the sampler was given it): `last` is the state at
    /// its final node and `before` the one at the node before. Returns the state at the first node. Costs one evaluation
    /// for every node but the first and the last. `None` if γ = 0, which has no such inverse, or on fewer than 3 nodes.
    pub fn invert<T: Lane>(
        &self,
        grid: &[Node],
        before: &Batch<T>,
        last: &Batch<T>,
        model: &mut dyn Denoiser<T>,
    ) -> Option<Batch<T>> {
        if self.gamma == 0.0 || grid.len() < 3 {
            return None;
        }
        let (mut here, mut next) = (before.clone(), last.clone());
        for around in grid.windows(3).rev() {
            let earlier = self.earlier(around, &here, &next, model)?;
            (next, here) = (here, earlier);
        }
        Some(here)
    }

    /// One step of [`Self::invert`]: the state at the first of three nodes (noise first) from those at the second, `here`,
    /// and at the third, `next`. One evaluation, at `here`. `None` if γ = 0 or there are not three nodes.
    pub fn earlier<T: Lane>(
        &self,
        around: &[Node],
        here: &Batch<T>,
        next: &Batch<T>,
        model: &mut dyn Denoiser<T>,
    ) -> Option<Batch<T>> {
        let [first, middle, last] = around else { return None };
        if self.gamma == 0.0 {
            return None;
        }
        let mut eps = Batch::zeros(here.dim(), here.len());
        model.epsilon(here, middle, &mut eps);
        let (a_next, b_next) = middle.transfer(last);
        let (a_back, b_back) = middle.transfer(first);
        let mut earlier = next.clone();
        let g = 1.0 / self.gamma;
        earlier.combine(g, &[(a_back - g * a_next, here), (b_back - g * b_next, &eps)]);
        Some(earlier)
    }
}

impl Method for Bdia {
    fn name(&self) -> &'static str {
        "BDIA-DDIM"
    }
    fn order(&self) -> u32 {
        1
    }
    fn memory(&self) -> usize {
        1
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let eps = Source::Stage(0);
        let mut update = Combination::transfer(&at.from, &at.to, &[(eps, 1.0)]);
        if let Some(before) = at.past.first() {
            let back = Combination::transfer(&at.from, before, &[(eps, 1.0)]);
            update = update.plus(self.gamma, &Combination::source(Source::Carried)).plus(-self.gamma, &back);
        }
        let mut plan = Plan::simple(&at.from, update).remembering(Combination::source(eps));
        plan.carry = Some(Combination::identity());
        plan
    }
}
