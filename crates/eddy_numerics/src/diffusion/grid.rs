//! Time grids: where a sampler with a fixed number of steps stops.

use super::{DiffusionError, Node, Schedule};

/// How times are spread between the start (noise) and the end (data).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spacing {
    /// Equal steps of t.
    Uniform,
    /// Equal steps of √t (Zhang & Chen 2023, section 4, κ = 2).
    Quadratic,
    /// Equal steps of λ = ln(α/σ) (Lu et al. 2022, section 3.3).
    LogSnr,
    /// Equal steps of (σ/α)^(1/ρ); ρ = 7 is usual (Karras et al. 2022, equation 5).
    Karras { rho: f64 },
}

/// The `steps + 1` nodes from `start` down to `end`. The first and the last time are exact.
pub fn grid(
    schedule: &dyn Schedule,
    spacing: Spacing,
    start: f64,
    end: f64,
    steps: usize,
) -> Result<Vec<Node>, DiffusionError> {
    if steps == 0 {
        return Err(DiffusionError::NoSteps);
    }
    let (first, last) = (schedule.node(start), schedule.node(end));
    let finite = |n: &Node| n.alpha > 0.0 && n.sigma > 0.0 && n.lambda.is_finite();
    if !(start > end && end >= 0.0 && finite(&first) && finite(&last)) {
        return Err(DiffusionError::Span { start, end });
    }
    let between = |a: f64, b: f64, i: usize| a + (b - a) * i as f64 / steps as f64;
    let inner = |i: usize| match spacing {
        Spacing::Uniform => schedule.node(between(start, end, i)),
        Spacing::Quadratic => schedule.node(between(start.sqrt(), end.sqrt(), i).powi(2)),
        Spacing::LogSnr => schedule.node_of_lambda(between(first.lambda, last.lambda, i)),
        Spacing::Karras { rho } => {
            let root = |n: &Node| n.rho().powf(1.0 / rho);
            schedule.node_of_lambda(-rho * between(root(&first), root(&last), i).ln())
        }
    };
    Ok((0..=steps)
        .map(|i| match i {
            0 => first,
            i if i == steps => last,
            i => inner(i),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{Edm, VpLinear};

    #[test]
    fn ends_are_exact_and_steps_equal_in_their_variable() {
        let s = VpLinear::default();
        let variable: [(Spacing, fn(&Node) -> f64); 4] = [
            (Spacing::Uniform, |n| n.t),
            (Spacing::Quadratic, |n| n.t.sqrt()),
            (Spacing::LogSnr, |n| n.lambda),
            (Spacing::Karras { rho: 7.0 }, |n| n.rho().powf(1.0 / 7.0)),
        ];
        for (spacing, u) in variable {
            let g = grid(&s, spacing, 1.0, 1e-3, 10).unwrap();
            assert_eq!((g.len(), g[0].t, g[10].t), (11, 1.0, 1e-3));
            let step = (u(&g[10]) - u(&g[0])) / 10.0;
            for w in g.windows(2) {
                assert!((u(&w[1]) - u(&w[0]) - step).abs() < 1e-10 * step.abs(), "{spacing:?}");
                assert!(w[1].t < w[0].t);
            }
        }
    }

    #[test]
    fn karras_on_the_edm_schedule_is_the_published_formula() {
        let g = grid(&Edm, Spacing::Karras { rho: 7.0 }, 80.0, 0.002, 17).unwrap();
        let (a, b) = (80.0_f64.powf(1.0 / 7.0), 0.002_f64.powf(1.0 / 7.0));
        for (i, n) in g.iter().enumerate() {
            let sigma = (a + i as f64 / 17.0 * (b - a)).powi(7);
            assert!((n.sigma / sigma - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn impossible_spans_are_explained() {
        let s = VpLinear::default();
        assert!(matches!(grid(&s, Spacing::Uniform, 0.1, 0.2, 5), Err(DiffusionError::Span { .. })));
        assert!(matches!(grid(&s, Spacing::Uniform, 1.0, 0.0, 5), Err(DiffusionError::Span { .. })));
        assert!(matches!(grid(&s, Spacing::Uniform, f64::NAN, 0.0, 5), Err(DiffusionError::Span { .. })));
        assert!(matches!(grid(&s, Spacing::Uniform, 1.0, 1e-3, 0), Err(DiffusionError::NoSteps)));
    }
}
