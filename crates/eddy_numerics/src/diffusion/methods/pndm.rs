//! Pseudo numerical methods (Liu, Ren, Lin, Zhao 2022): a classical method applied to ε, with every move made by the
//! transfer φ(x, ε; t, s) = α_s/α_t (x − σ_t ε) + σ_s ε, which keeps x at the noise level of its time.

use super::{
    Method, RungeKutta, Tableau, Variable,
    adams::{BASHFORTH, newest},
    may_end_clean,
};
use crate::diffusion::{Combination, Interval, Node, Plan, Schedule, Source, Stage};

/// Steps that start F-PNDM and FON by Runge-Kutta, four evaluations each.
const WARM_UP: usize = 3;

fn warm_up_cost(steps: usize) -> usize {
    4 * steps.min(WARM_UP) + steps.saturating_sub(WARM_UP)
}

/// Half way in time, as in the paper.
fn middle(at: &Interval) -> Node {
    at.schedule.node(0.5 * (at.from.t + at.to.t))
}

/// F-PNDM: pseudo linear multistep of order 4 after three pseudo Runge-Kutta steps (the paper's equations 12 and 13).
///
/// Four evaluations for each of the first three steps, then one. The weights are those of equal steps of σ/α, so on other
/// grids the order is 2 in the limit; before it, errors fall like order 3 to 4. Needs an even grid in λ and 12 evaluations or more
/// before the first cheap step; with exact scores on a grid uniform in t it loses to DDIM below about 30.
#[derive(Clone, Copy, Debug, Default)]
pub struct FPndm;

impl Method for FPndm {
    fn name(&self) -> &'static str {
        "F-PNDM"
    }
    fn order(&self) -> u32 {
        2
    }
    fn memory(&self) -> usize {
        WARM_UP
    }
    fn cost(&self, steps: usize) -> usize {
        warm_up_cost(steps)
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let keep = Combination::source(Source::Stage(0));
        if at.past.len() >= WARM_UP {
            let weights: Vec<_> = BASHFORTH[3].iter().enumerate().map(|(j, c)| (newest(j), *c)).collect();
            return Plan::simple(&at.from, Combination::transfer(&at.from, &at.to, &weights)).remembering(keep);
        }
        let e = Source::Stage;
        let half = middle(at);
        let stage =
            |node: &Node, j: usize| Stage::epsilon(*node, Combination::transfer(&at.from, node, &[(e(j), 1.0)]));
        let first = Stage::epsilon(at.from, Combination::identity());
        let stages = vec![first, stage(&half, 0), stage(&half, 1), stage(&at.to, 2)];
        let weights = [(e(0), 1.0 / 6.0), (e(1), 2.0 / 6.0), (e(2), 2.0 / 6.0), (e(3), 1.0 / 6.0)];
        Plan::new(stages, Combination::transfer(&at.from, &at.to, &weights)).remembering(keep)
    }
}

/// S-PNDM: pseudo linear multistep of order 2 after one pseudo improved Euler step. One evaluation per step, two for
/// the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct SPndm;

impl Method for SPndm {
    fn name(&self) -> &'static str {
        "S-PNDM"
    }
    fn order(&self) -> u32 {
        2
    }
    fn memory(&self) -> usize {
        1
    }
    fn cost(&self, steps: usize) -> usize {
        steps + usize::from(steps > 0)
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let keep = Combination::source(Source::Stage(0));
        if !at.past.is_empty() {
            let weights = [(newest(0), 1.5), (newest(1), -0.5)];
            return Plan::simple(&at.from, Combination::transfer(&at.from, &at.to, &weights)).remembering(keep);
        }
        let e = Source::Stage;
        let first = Stage::epsilon(at.from, Combination::identity());
        let second = Stage::epsilon(at.to, Combination::transfer(&at.from, &at.to, &[(e(0), 1.0)]));
        let update = Combination::transfer(&at.from, &at.to, &[(e(0), 0.5), (e(1), 0.5)]);
        Plan::new(vec![first, second], update).remembering(keep)
    }
}

/// FON: the same multistep formula applied classically to dx/dt = f x + (g²/2σ) ε (the paper's baseline). Its states
/// leave the noise level of their time. Order 4 on grids uniform in t; same cost as F-PNDM.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fon;

impl Method for Fon {
    fn name(&self) -> &'static str {
        "FON"
    }
    fn order(&self) -> u32 {
        4
    }
    fn memory(&self) -> usize {
        WARM_UP
    }
    fn cost(&self, steps: usize) -> usize {
        warm_up_cost(steps)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let (f, g) = at.schedule.flow(at.from.t);
        // The slope dx/dt at the start of the step.
        let slope = Combination::new(f, [(Source::Stage(0), g)]);
        if at.past.len() < WARM_UP {
            let mut plan = RungeKutta::new(Tableau::RK4, Variable::Time).plan(at);
            plan.remember = Some(slope);
            return plan;
        }
        let step = at.to.t - at.from.t;
        let c = BASHFORTH[3];
        let mut update = Combination::new(1.0 + step * c[0] * f, [(Source::Stage(0), step * c[0] * g)]);
        update.terms.extend((1..4).map(|j| (Source::Past(j - 1), step * c[j])));
        Plan::simple(&at.from, update).remembering(slope)
    }
}

/// PLMS as latent diffusion and diffusers run it: Adams-Bashforth of order 4 on ε after a pseudo improved Euler step and
/// two steps of lower order (Liu et al. 2022, as in the code of Rombach et al. 2022). Two evaluations for the first
/// step, then one. Weights of equal steps, as for [`Adams`](super::Adams).
#[derive(Clone, Copy, Debug, Default)]
pub struct Plms;

impl Method for Plms {
    fn name(&self) -> &'static str {
        "PLMS"
    }
    fn order(&self) -> u32 {
        2
    }
    fn memory(&self) -> usize {
        3
    }
    fn cost(&self, steps: usize) -> usize {
        SPndm.cost(steps)
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        if at.past.is_empty() {
            return SPndm.plan(at);
        }
        let order = (at.past.len() + 1).min(4);
        let weights: Vec<_> = BASHFORTH[order - 1].iter().enumerate().map(|(j, c)| (newest(j), *c)).collect();
        Plan::simple(&at.from, Combination::transfer(&at.from, &at.to, &weights))
            .remembering(Combination::source(Source::Stage(0)))
    }
}
