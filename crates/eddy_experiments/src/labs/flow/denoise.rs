//! Networks that denoise: what their output means, deterministic steps with it, and how bent and how first-order the
//! paths are.

use eddy_numerics::diffusion::Batch;

/// What the output of a network at x = α x₀ + σ ε stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// ε.
    Noise,
    /// α ε − σ x₀ (Salimans & Ho 2022).
    Velocity,
    /// ε − x₀, the velocity of x = (1 − t) x₀ + t ε toward the noise.
    Straight,
}

impl Output {
    /// The target for a pair (x₀, ε).
    pub fn target(self, clean: f64, noise: f64, alpha: f64, sigma: f64) -> f64 {
        match self {
            Self::Noise => noise,
            Self::Velocity => alpha * noise - sigma * clean,
            Self::Straight => noise - clean,
        }
    }

    /// (x₀, ε) that go with `value` at `x`. For `Noise` α must not be 0; `Velocity` needs α² + σ² = 1 and `Straight`
    /// α + σ = 1.
    pub fn split(self, x: f64, value: f64, alpha: f64, sigma: f64) -> (f64, f64) {
        match self {
            Self::Noise => ((x - sigma * value) / alpha, value),
            Self::Velocity => (alpha * x - sigma * value, sigma * x + alpha * value),
            Self::Straight => (x - sigma * value, x + alpha * value),
        }
    }
}

/// A time with its signal and noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    pub t: f64,
    pub alpha: f64,
    pub sigma: f64,
}

/// DDIM: keep the pair (x₀, ε) that `value` means at x and go to another level with it. Exact if the pair is the same all
/// along the path. `visit` sees every state with its ε; `value(x, t, out)` is asked once per step.
pub fn ddim(
    mut x: Batch<f64>,
    levels: &[Level],
    output: Output,
    mut value: impl FnMut(&Batch<f64>, f64, &mut Batch<f64>),
    mut visit: impl FnMut(&Level, &Batch<f64>, &Batch<f64>),
) -> Batch<f64> {
    let mut noise = Batch::zeros(x.dim(), x.len());
    for pair in levels.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        value(&x, from.t, &mut noise);
        let mut next = x.clone();
        for (next, noise) in next.data_mut().iter_mut().zip(noise.data_mut()) {
            let (clean, eps) = output.split(*next, *noise, from.alpha, from.sigma);
            (*next, *noise) = (to.alpha * clean + to.sigma * eps, eps);
        }
        visit(&from, &x, &noise);
        x = next;
    }
    x
}

/// Mean distance of the states of all paths from the chord between their ends, over the mean length of the chords.
pub fn bend(states: &[Batch<f64>]) -> f64 {
    let (Some(first), Some(last)) = (states.first(), states.last()) else { return f64::NAN };
    let (mut distance, mut chord) = (0.0, 0.0);
    for i in 0..first.len() {
        let (a, b) = (first.point(i), last.point(i));
        let way: Vec<f64> = b.iter().zip(&a).map(|(b, a)| b - a).collect();
        let square: f64 = way.iter().map(|w| w * w).sum();
        chord += square.sqrt();
        for state in states {
            let x = state.point(i);
            let along: f64 = x.iter().zip(&a).zip(&way).map(|((x, a), w)| (x - a) * w).sum();
            let s = if square > 0.0 { (along / square).clamp(0.0, 1.0) } else { 0.0 };
            let off = x.iter().zip(&a).zip(&way).map(|((x, a), w)| (x - a - s * w).powi(2)).sum::<f64>();
            distance += off.sqrt();
        }
    }
    distance / states.len() as f64 / chord
}

/// For each time, the mean square over all paths of how far ε is from its mean along the path, per dimension.
pub fn wander(noises: &[Batch<f64>]) -> Vec<f64> {
    let Some(first) = noises.first() else { return Vec::new() };
    let mut mean = Batch::zeros(first.dim(), first.len());
    for noise in noises {
        mean.combine(1.0, &[(1.0 / noises.len() as f64, noise)]);
    }
    let square = |noise: &Batch<f64>| {
        let sum: f64 = noise.data().iter().zip(mean.data()).map(|(a, b)| (a - b) * (a - b)).sum();
        sum / noise.data().len().max(1) as f64
    };
    noises.iter().map(square).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A quarter of a circle of variance-preserving levels.
    fn quarter(steps: usize) -> Vec<Level> {
        let level = |k: usize| {
            let t = 1.0 - k as f64 / steps as f64;
            let (sigma, alpha) = (0.45 * std::f64::consts::PI * t).sin_cos();
            Level { t, alpha, sigma }
        };
        (0..=steps).map(level).collect()
    }

    #[test]
    fn outputs_and_pairs_are_inverse_to_each_other() {
        for (output, alpha, sigma) in
            [(Output::Noise, 0.3, 0.8), (Output::Velocity, 0.6, 0.8), (Output::Straight, 0.3, 0.7)]
        {
            let (clean, noise) = (1.3, -0.4);
            let x = alpha * clean + sigma * noise;
            let (a, b) = output.split(x, output.target(clean, noise, alpha, sigma), alpha, sigma);
            assert!((a - clean).abs() + (b - noise).abs() < 1e-14, "{output:?}");
            // Seen to fail: the pair of another output.
            let (a, _) = output.split(x, output.target(clean, noise, alpha, sigma) + 0.1, alpha, sigma);
            assert!((a - clean).abs() > 0.01);
        }
    }

    #[test]
    fn a_first_order_path_takes_any_number_of_steps() {
        // Pairs known to the field: it returns the same ε everywhere on the curved path.
        let (clean, noise) = ([1.5, -0.5], [0.2, 0.9]);
        let levels = quarter(7);
        let top = levels[0];
        let start: Vec<f64> = clean.iter().zip(noise).map(|(c, n)| top.alpha * c + top.sigma * n).collect();
        for steps in [1, 2, 7] {
            let (mut states, mut noises) = (Vec::new(), Vec::new());
            let end = ddim(
                Batch::from_points(2, &start),
                &quarter(steps),
                Output::Noise,
                |_, _, out| *out = Batch::from_points(2, &noise),
                |_, x, eps| {
                    states.push(x.clone());
                    noises.push(eps.clone());
                },
            );
            assert!((end.point(0)[0] - clean[0]).abs() + (end.point(0)[1] - clean[1]).abs() < 1e-12, "{steps}");
            states.push(end);
            assert!(wander(&noises).iter().all(|w| *w < 1e-24));
            assert_eq!(bend(&states) > 0.05, steps > 1, "bent, which one step cannot show: {}", bend(&states));
        }
    }

    #[test]
    fn bend_and_wander_of_known_paths() {
        // A half circle of radius 1: the mean distance from its diameter is 2/π, the chord 2.
        let half: Vec<Batch<f64>> = (0..=400)
            .map(|k| {
                let (s, c) = (std::f64::consts::PI * f64::from(k) / 400.0).sin_cos();
                Batch::from_points(2, &[c, s])
            })
            .collect();
        assert!((bend(&half) - std::f64::consts::FRAC_1_PI).abs() < 2e-3, "{}", bend(&half));
        let straight: Vec<Batch<f64>> = (0..5).map(|k| Batch::from_points(2, &[f64::from(k), 2.0])).collect();
        assert!(bend(&straight) < 1e-12);
        // ε = −1, 1: its mean is 0, the square distance 1.
        let noises = [Batch::from_points(1, &[-1.0]), Batch::from_points(1, &[1.0])];
        assert_eq!(wander(&noises), vec![1.0, 1.0]);
    }
}
