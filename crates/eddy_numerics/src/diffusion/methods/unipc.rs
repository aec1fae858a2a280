use super::{
    Method,
    multistep::{Exponential, LowerFinal, stage},
};
use crate::diffusion::{Combination, Interval, Node, Plan, Prediction, Schedule, Source};

/// The function B(h) of UniPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// B₁(h) = h.
    Bh1,
    /// B₂(h) = e^h − 1.
    Bh2,
}

/// UniPC-p: a multistep predictor whose evaluation also corrects the state it was made at (Zhao et al. 2023, algorithms
/// 5 to 8).
///
/// One evaluation per step; the corrector is free, because the value at the predicted point is kept for the next step.
/// Order p + 1, the corrector's, if the last steps keep their order; the last point is predicted only, and with the last
/// steps lowered as in the authors' code the order is 2 in the limit. As there, order 2 predicts and order 1 corrects
/// with weight ½.
#[derive(Clone, Copy, Debug)]
pub struct UniPc {
    order: usize,
    pub variant: Variant,
    pub value: Prediction,
    pub lower_final: LowerFinal,
}

/// The most values a step combines: beyond it the weights alternate in sign and grow.
const MAX_ORDER: u32 = 6;

impl UniPc {
    /// `order` is clamped to 1..=6.
    pub fn new(order: u32, variant: Variant, value: Prediction) -> Self {
        let value = if value == Prediction::Data { value } else { Prediction::Epsilon };
        Self { order: order.clamp(1, MAX_ORDER) as usize, variant, value, lower_final: LowerFinal::Always }
    }

    /// From `state` at `from` to `to` with `order` values: that at `from` (`at_start`), those of `past` (node and value,
    /// newest first), and with a corrector the one at `to`.
    fn step(
        &self,
        (from, to): (&Node, &Node),
        order: usize,
        state: Combination,
        at_start: &Combination,
        past: &[(Node, Combination)],
        at_end: Option<&Combination>,
    ) -> Combination {
        let step = Exponential::new(self.value, from, to);
        let moved = step.constant(state, at_start);
        let h = to.lambda - from.lambda;
        let mut nodes: Vec<f64> = past[..order - 1].iter().map(|(n, _)| (n.lambda - from.lambda) / h).collect();
        let mut changes: Vec<Combination> = past[..order - 1]
            .iter()
            .zip(&nodes)
            .map(|((_, value), r)| value.clone().plus(-1.0, at_start).times(1.0 / r))
            .collect();
        if let Some(value) = at_end {
            nodes.push(1.0);
            changes.push(value.clone().plus(-1.0, at_start));
        }
        if nodes.is_empty() || !h.is_finite() {
            return moved;
        }
        let b = match self.variant {
            Variant::Bh1 => step.hh,
            Variant::Bh2 => step.hh.exp_m1(),
        };
        let weights = match (order, at_end.is_some()) {
            (1, true) | (2, false) => vec![0.5],
            _ => weights(&nodes, step.hh, b),
        };
        changes.iter().zip(&weights).fold(moved, |sum, (change, w)| sum.plus(-step.scale * b * w, change))
    }
}

/// The solution of Σ_m r_m^(k−1) ρ_m = k! h φ_{k+1}(h)/B(h), k = 1..n (the paper's theorem 3.1).
fn weights(nodes: &[f64], hh: f64, b: f64) -> Vec<f64> {
    let n = nodes.len();
    let mut rows: Vec<Vec<f64>> = Vec::new();
    let mut factorial = 1.0;
    // (e^z − 1)/z − 1 and so on, each from the one before; the factorial of the power moves with it.
    let mut phi = hh.exp_m1() / hh - 1.0;
    for k in 1..=n {
        let mut row: Vec<f64> = nodes.iter().map(|r| r.powi(k as i32 - 1)).collect();
        row.push(phi * factorial / b);
        factorial *= (k + 1) as f64;
        phi = phi / hh - 1.0 / factorial;
        rows.push(row);
    }
    solve(rows)
}

/// Gaussian elimination with row exchange; each row carries its right-hand side last.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|a, b| rows[*a][k].abs().total_cmp(&rows[*b][k].abs())).unwrap_or(k);
        rows.swap(k, pivot);
        let top = rows[k].clone();
        for row in rows.iter_mut().skip(k + 1) {
            let factor = row[k] / top[k];
            row.iter_mut().zip(&top).for_each(|(v, t)| *v -= factor * t);
        }
    }
    let mut out = vec![0.0; n];
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| rows[k][j] * out[j]).sum();
        out[k] = (rows[k][n] - known) / rows[k][k];
    }
    out
}

impl Method for UniPc {
    fn name(&self) -> &'static str {
        ["UniPC-1", "UniPC-2", "UniPC-3", "UniPC-4", "UniPC-5", "UniPC-6"][self.order - 1]
    }
    fn order(&self) -> u32 {
        self.order as u32
    }
    fn memory(&self) -> usize {
        self.order
    }
    fn cost(&self, steps: usize) -> usize {
        steps
    }
    fn reaches(&self, _: &dyn Schedule, first: &Node, last: &Node) -> bool {
        // x₀ determines the step at both ends, which then has order 1.
        self.value == Prediction::Data || (first.lambda.is_finite() && last.lambda.is_finite())
    }
    fn plan(&self, at: &Interval) -> Plan {
        let order = |step: usize| self.lower_final.order(self.order, step, at.steps).min(step + 1);
        let past: Vec<(Node, Combination)> =
            at.past.iter().enumerate().map(|(j, n)| (*n, Combination::source(Source::Past(j)))).collect();
        // A value at α = 0 has no λ and takes no part in a polynomial.
        let count = past.iter().take_while(|(n, _)| n.lambda.is_finite()).count().max(usize::from(!past.is_empty()));
        let past = &past[..count];
        let here = Combination::source(Source::Stage(0));
        // The state was predicted from past[0]; the value there corrects it.
        let corrected = match past.first() {
            None => Combination::identity(),
            Some((before, value)) => self.step(
                (before, &at.from),
                order(at.step - 1).min(past.len()),
                Combination::source(Source::Carried),
                value,
                &past[1..],
                Some(&here),
            ),
        };
        let finite = past.iter().filter(|(n, _)| n.lambda.is_finite()).count();
        let known = order(at.step).min(finite + 1);
        let update = self.step((&at.from, &at.to), known, corrected.clone(), &here, past, None);
        let mut plan = Plan::new(vec![stage(self.value, at.from, Combination::identity())], update);
        plan.remember = Some(here);
        plan.carry = Some(corrected);
        plan.corrects = true;
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_integrate_powers() {
        // Σ ρ_m r_m^(k−1) B = k! h φ_{k+1}, checked against the integral ∫₀¹ e^((1−s)h) k s^k … by Simpson.
        for hh in [0.7, -0.4] {
            let nodes = [-0.8, -1.9, 1.0];
            let b = f64::exp_m1(hh);
            let w = weights(&nodes, hh, b);
            for k in 1..=3 {
                let sum: f64 = nodes.iter().zip(&w).map(|(r, w)| w * r.powi(k - 1)).sum();
                let n = 2000;
                let integrand = |s: f64| ((1.0 - s) * hh).exp() * s.powi(k) * hh;
                let simpson = (0..=n)
                    .map(|i| {
                        let weight = if i == 0 || i == n {
                            1.0
                        } else if i % 2 == 1 {
                            4.0
                        } else {
                            2.0
                        };
                        weight * integrand(f64::from(i) / f64::from(n))
                    })
                    .sum::<f64>()
                    / f64::from(3 * n);
                assert!((sum * b - simpson).abs() < 1e-10, "{hh} {k}: {} {simpson}", sum * b);
            }
        }
    }
}
