use super::{Method, may_end_clean};
use crate::diffusion::{Combination, Interval, Node, Plan, Schedule, Source};

/// Weights of Adams-Bashforth of order k for equal steps, newest value first.
pub(super) const BASHFORTH: [&[f64]; 4] = [
    &[1.0],
    &[3.0 / 2.0, -1.0 / 2.0],
    &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
    &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

/// Source of the j-th newest ε.
pub(super) fn newest(j: usize) -> Source {
    if j == 0 { Source::Stage(0) } else { Source::Past(j - 1) }
}

/// Adams-Bashforth on d(x/α)/dρ = ε with the weights for equal steps; order 4 is PLMS (Liu et al. 2022, equation 12, as
/// used by latent diffusion), warmed up with the lower orders at one evaluation each.
///
/// One evaluation per step. Order k on a grid even in ρ = σ/α ([`Spacing::Karras`](crate::diffusion::Spacing) with
/// ρ = 1). The usual grids are not even in ρ; on them the order is at most 2, and the published samplers use these
/// weights all the same. Small region of stability: diverges under guidance.
#[derive(Clone, Copy, Debug)]
pub struct Adams {
    order: usize,
}

impl Adams {
    /// `order` is clamped to 1..=4.
    pub fn new(order: u32) -> Self {
        Self { order: order.clamp(1, 4) as usize }
    }
}

impl Method for Adams {
    fn name(&self) -> &'static str {
        ["AB1", "AB2", "AB3", "PLMS4"][self.order - 1]
    }
    fn order(&self) -> u32 {
        self.order as u32
    }
    fn memory(&self) -> usize {
        self.order - 1
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        may_end_clean(first, last)
    }
    fn plan(&self, at: &Interval) -> Plan {
        let order = self.order.min(at.past.len() + 1);
        let weights: Vec<_> = BASHFORTH[order - 1].iter().enumerate().map(|(j, c)| (newest(j), *c)).collect();
        Plan::simple(&at.from, Combination::transfer(&at.from, &at.to, &weights))
            .remembering(Combination::source(Source::Stage(0)))
    }
}
