//! What a network may predict, and the conversions: each is affine in (x, value).

use super::Node;

/// A parameterization of the denoiser for x = α x₀ + σ ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise ε.
    Epsilon,
    /// The clean point x₀.
    Data,
    /// ∇ ln p_t(x) = −ε/σ.
    Score,
    /// v = α ε − σ x₀ (Salimans & Ho 2022), defined at both ends.
    Velocity,
}

impl Prediction {
    /// (a, b) such that `to = a x + b value`, where `value` is a prediction of kind `self` at `node`. `None` where the
    /// value does not determine the result: ε says nothing about x₀ at α = 0, x₀ nothing about ε at σ = 0, and the score
    /// has no finite value for given ε at σ = 0. A conversion from or to `Velocity` of ε and x₀ exists at both ends.
    pub fn convert(self, to: Self, node: &Node) -> Option<(f64, f64)> {
        let (alpha, sigma) = (node.alpha, node.sigma);
        let norm = alpha * alpha + sigma * sigma;
        if self == to {
            return Some((0.0, 1.0));
        }
        use Prediction::{Data, Epsilon, Score, Velocity};
        let (a, b) = match (self, to) {
            (Epsilon, Data) => (1.0 / alpha, -sigma / alpha),
            (Data, Epsilon) => (1.0 / sigma, -alpha / sigma),
            (Epsilon, Score) => (0.0, -1.0 / sigma),
            (Score, Epsilon) => (0.0, -sigma),
            (Data, Score) => (-1.0 / (sigma * sigma), alpha / (sigma * sigma)),
            (Score, Data) => (1.0 / alpha, sigma * sigma / alpha),
            (Velocity, Data) => (alpha / norm, -sigma / norm),
            (Velocity, Epsilon) => (sigma / norm, alpha / norm),
            (Velocity, Score) => (-1.0 / norm, -alpha / (sigma * norm)),
            // v = α ε − σ x₀ with the other one eliminated.
            (Epsilon, Velocity) => (-sigma / alpha, norm / alpha),
            (Data, Velocity) => (alpha / sigma, -norm / sigma),
            (Score, Velocity) => (-sigma / alpha, -sigma * norm / alpha),
            _ => (0.0, 1.0),
        };
        (a.is_finite() && b.is_finite()).then_some((a, b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{CondOt, Schedule, VpLinear};

    const ALL: [Prediction; 4] = [Prediction::Epsilon, Prediction::Data, Prediction::Score, Prediction::Velocity];

    fn value(kind: Prediction, x0: f64, eps: f64, n: &Node) -> f64 {
        match kind {
            Prediction::Epsilon => eps,
            Prediction::Data => x0,
            Prediction::Score => -eps / n.sigma,
            Prediction::Velocity => n.alpha * eps - n.sigma * x0,
        }
    }

    #[test]
    fn every_pair_agrees_with_the_definitions() {
        let (x0, eps) = (0.7, -1.3);
        for n in [VpLinear::default().node(0.3), CondOt.node(0.9), CondOt.node(0.01)] {
            let x = n.alpha * x0 + n.sigma * eps;
            for from in ALL {
                for to in ALL {
                    let (a, b) = from.convert(to, &n).unwrap();
                    let got = a * x + b * value(from, x0, eps, &n);
                    let expected = value(to, x0, eps, &n);
                    assert!(
                        (got - expected).abs() < 1e-10 * (1.0 + expected.abs()),
                        "{from:?} {to:?}: {got} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_ends() {
        let noise = Node { t: 1.0, alpha: 0.0, sigma: 1.0, lambda: f64::NEG_INFINITY };
        let data = Node { t: 0.0, alpha: 1.0, sigma: 0.0, lambda: f64::INFINITY };
        use Prediction::{Data, Epsilon, Score, Velocity};
        assert_eq!(Velocity.convert(Data, &noise), Some((0.0, -1.0)));
        assert_eq!(Velocity.convert(Epsilon, &noise), Some((1.0, 0.0)));
        assert_eq!(Velocity.convert(Data, &data), Some((1.0, 0.0)));
        assert_eq!(Velocity.convert(Epsilon, &data), Some((0.0, 1.0)));
        assert_eq!(Score.convert(Epsilon, &data), Some((0.0, -0.0)));
        assert_eq!(Epsilon.convert(Data, &noise), None);
        assert_eq!(Data.convert(Epsilon, &data), None);
        assert_eq!(Epsilon.convert(Score, &data), None);
    }
}
