//! Log-likelihood of a point by the probability-flow ODE with exact divergence.

use super::{Mixture, OdeError, Schedule, methods::StepControl, ode::dormand_prince};

/// Result of [`log_likelihood`].
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood {
    /// ln p at the first time, one per point.
    pub log_density: Vec<f64>,
    /// Evaluations of the score and its divergence, all points together being one.
    pub evaluations: usize,
}

/// ln p_t(x) at time `from` for `points` (array of structures): the flow carries them to time `to`, where the density of
/// the mixture is close to that of the prior N(0, σ² + …); the exact marginal there is used, so that only the error of
/// the flow remains. ln p(x_from) = ln p(x_to) + ∫ div(f x − ½ g² s) dt (Song et al. 2021, equation 39).
pub fn log_likelihood(
    mixture: &Mixture,
    schedule: &dyn Schedule,
    points: &[f64],
    from: f64,
    to: f64,
    tolerance: f64,
) -> Result<Likelihood, OdeError> {
    let dim = mixture.dim();
    let count = points.len() / dim;
    // Coordinates of all points, then the integral of the divergence of each.
    let mut state = points[..count * dim].to_vec();
    state.resize(count * (dim + 1), 0.0);
    let slope = |t: f64, y: &[f64], k: &mut [f64]| {
        let (alpha, sigma) = (schedule.alpha(t), schedule.sigma(t));
        let (f, half_g2) = (schedule.drift(t), 0.5 * schedule.diffusion_squared(t));
        let (positions, _) = y.split_at(count * dim);
        let (velocity, divergence) = k.split_at_mut(count * dim);
        for p in 0..count {
            let x = &positions[p * dim..(p + 1) * dim];
            let (score, score_divergence) = mixture.score_with_divergence(x, alpha, sigma);
            for d in 0..dim {
                velocity[p * dim + d] = f * x[d] - half_g2 * score[d];
            }
            divergence[p] = f * dim as f64 - half_g2 * score_divergence;
        }
    };
    let control = StepControl { absolute: tolerance, relative: tolerance };
    let end = dormand_prince(slope, state, from, to, control)?;
    let (alpha, sigma) = (schedule.alpha(to), schedule.sigma(to));
    let log_density = (0..count)
        .map(|p| mixture.log_density(&end.y[p * dim..(p + 1) * dim], alpha, sigma) + end.y[count * dim + p])
        .collect();
    Ok(Likelihood { log_density, evaluations: end.evaluations })
}
