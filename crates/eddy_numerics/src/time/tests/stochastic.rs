//! Stochastic methods: strong and weak order on geometric Brownian motion, the exact variance of the discrete
//! Ornstein-Uhlenbeck recursion. Every entry of the state is a path of its own.

use crate::rng::{Philox, Stream};
use crate::time::Term;
use crate::time::stochastic::{NoisyTerm, Sde, SdeScheme, fill_normals};

/// dy = μ y dt + σ y dW.
struct Geometric {
    paths: usize,
    drift: f64,
    volatility: f64,
    knows_derivative: bool,
}
impl Term<f64> for Geometric {
    type Value = f64;
    fn size(&self) -> usize {
        self.paths
    }
    fn evaluate(&mut self, _: f64, y: &[f64], slope: &mut [f64]) {
        for (s, v) in slope.iter_mut().zip(y) {
            *s = self.drift * v;
        }
    }
}
impl NoisyTerm<f64> for Geometric {
    fn amplitude(&mut self, _: f64, y: &[f64], out: &mut [f64]) {
        for (o, v) in out.iter_mut().zip(y) {
            *o = self.volatility * v;
        }
    }
    fn amplitude_derivative(&mut self, _: f64, _: &[f64], out: &mut [f64]) -> bool {
        out.fill(self.volatility);
        self.knows_derivative
    }
}

/// (mean |y - exact|, mean (y - exact)) at t = 1 with 2^level steps on the paths of a grid of 2^9 steps.
fn errors(term: &mut Geometric, scheme: SdeScheme, level: u32, noise: &[Vec<f64>]) -> (f64, f64) {
    let (n, finest) = (term.paths, noise.len());
    let steps = 1_usize << level;
    let (group, dt) = (finest / steps, 1.0 / steps as f64);
    let mut method = Sde::new(scheme, n);
    let (mut y, mut total, mut normals) = (vec![1.0; n], vec![0.0; n], vec![0.0; n]);
    for step in 0..steps {
        normals.fill(0.0);
        for fine in &noise[step * group..(step + 1) * group] {
            for i in 0..n {
                normals[i] += fine[i] / (group as f64).sqrt();
            }
        }
        for i in 0..n {
            total[i] += normals[i] * dt.sqrt();
        }
        method.step(term, step as f64 * dt, dt, &normals, &mut y);
    }
    let (mu, sigma) = (term.drift, term.volatility);
    let (mut strong, mut weak) = (0.0, 0.0);
    for i in 0..n {
        let difference = y[i] - (mu - 0.5 * sigma * sigma + sigma * total[i]).exp();
        strong += difference.abs() / n as f64;
        weak += difference / n as f64;
    }
    (strong, weak)
}

fn noise(paths: usize, steps: u32) -> Vec<Vec<f64>> {
    let philox = Philox::new(11);
    (0..steps)
        .map(|step| {
            let mut z = vec![0.0; paths];
            fill_normals(&philox, Stream::Path, step, &mut z);
            z
        })
        .collect()
}

/// Slope of log2(error) over the levels.
fn slope(errors: &[f64]) -> f64 {
    let n = errors.len() as f64;
    let mean = (n - 1.0) / 2.0;
    let above: f64 = errors.iter().enumerate().map(|(i, e)| (i as f64 - mean) * e.log2()).sum();
    let below: f64 = (0..errors.len()).map(|i| (i as f64 - mean).powi(2)).sum();
    -above / below
}

#[test]
fn strong_orders_on_geometric_brownian_motion() {
    let noise = noise(2000, 512);
    let order = |scheme, knows_derivative| {
        let mut term = Geometric { paths: 2000, drift: 0.5, volatility: 0.8, knows_derivative };
        slope(&(5..=9).map(|level| errors(&mut term, scheme, level, &noise).0).collect::<Vec<_>>())
    };
    let euler = order(SdeScheme::EulerMaruyama, true);
    assert!((euler - 0.5).abs() < 0.1, "{euler}");
    for knows in [true, false] {
        let milstein = order(SdeScheme::Milstein, knows);
        assert!((milstein - 1.0).abs() < 0.1, "{knows} {milstein}");
    }
}

#[test]
fn a_wrong_correction_is_seen() {
    /// Says that the derivative is 1.5 times what it is.
    struct Faulty(Geometric);
    impl Term<f64> for Faulty {
        type Value = f64;
        fn size(&self) -> usize {
            self.0.paths
        }
        fn evaluate(&mut self, t: f64, y: &[f64], slope: &mut [f64]) {
            self.0.evaluate(t, y, slope);
        }
    }
    impl NoisyTerm<f64> for Faulty {
        fn amplitude(&mut self, t: f64, y: &[f64], out: &mut [f64]) {
            self.0.amplitude(t, y, out);
        }
        fn amplitude_derivative(&mut self, _: f64, _: &[f64], out: &mut [f64]) -> bool {
            out.fill(1.5 * self.0.volatility);
            true
        }
    }
    // One step from 1 with ΔW = √dt z has a closed form; the right derivative gives it, the wrong one does not.
    let (dt, z) = (0.04_f64, 1.7);
    let expected = 1.0 + 0.5 * dt + 0.8 * dt.sqrt() * z + 0.5 * 0.64 * dt * (z * z - 1.0);
    let term = || Geometric { paths: 1, drift: 0.5, volatility: 0.8, knows_derivative: true };
    let (mut right, mut wrong) = ([1.0], [1.0]);
    Sde::new(SdeScheme::Milstein, 1).step(&mut term(), 0.0, dt, &[z], &mut right);
    Sde::new(SdeScheme::Milstein, 1).step(&mut Faulty(term()), 0.0, dt, &[z], &mut wrong);
    assert!((right[0] - expected).abs() < 1e-15);
    assert!((wrong[0] - expected).abs() > 1e-3);
}

#[test]
fn weak_order_is_one() {
    let noise = noise(4000, 64);
    for scheme in [SdeScheme::EulerMaruyama, SdeScheme::Milstein] {
        let mut term = Geometric { paths: 4000, drift: 1.5, volatility: 0.1, knows_derivative: true };
        let order = slope(&(3..=6).map(|level| -errors(&mut term, scheme, level, &noise).1).collect::<Vec<_>>());
        assert!((order - 1.0).abs() < 0.15, "{scheme:?} {order}");
    }
}

#[test]
fn the_variance_of_the_discrete_ornstein_uhlenbeck_process() {
    /// dy = -θ y dt + σ dW.
    struct OrnsteinUhlenbeck(usize);
    impl Term<f64> for OrnsteinUhlenbeck {
        type Value = f64;
        fn size(&self) -> usize {
            self.0
        }
        fn evaluate(&mut self, _: f64, y: &[f64], slope: &mut [f64]) {
            for (s, v) in slope.iter_mut().zip(y) {
                *s = -2.0 * v;
            }
        }
    }
    impl NoisyTerm<f64> for OrnsteinUhlenbeck {
        fn amplitude(&mut self, _: f64, _: &[f64], out: &mut [f64]) {
            out.fill(0.7);
        }
        fn is_additive(&self) -> bool {
            true
        }
    }
    let (paths, dt, steps) = (40_000, 0.2, 30_u32);
    let philox = Philox::new(4);
    let mut outcomes = Vec::new();
    for scheme in [SdeScheme::EulerMaruyama, SdeScheme::Milstein] {
        let (mut y, mut z) = (vec![0.0; paths], vec![0.0; paths]);
        let mut method = Sde::new(scheme, paths);
        let mut variance = 0.0;
        for step in 0..steps {
            fill_normals(&philox, Stream::Path, step, &mut z);
            method.step(&mut OrnsteinUhlenbeck(paths), 0.0, dt, &z, &mut y);
            variance = (1.0 - 2.0 * dt) * (1.0 - 2.0 * dt) * variance + 0.49 * dt;
        }
        let sample = y.iter().map(|v| v * v).sum::<f64>() / paths as f64;
        let deviation = (sample / variance - 1.0) / (2.0 / paths as f64).sqrt();
        assert!(deviation.abs() < 4.0, "{scheme:?}: {deviation} standard errors");
        // The variance of the continuous process, 0.49/4, is 25 % off at this step: the check tells them apart.
        assert!((sample / 0.1225 - 1.0) / (2.0 / paths as f64).sqrt() > 20.0);
        outcomes.push(y);
    }
    assert_eq!(outcomes[0], outcomes[1], "additive noise: the two methods are one");
}

#[test]
fn noise_does_not_depend_on_the_length_of_the_vector() {
    let (mut short, mut long) = (vec![0.0_f64; 7], vec![0.0_f64; 64]);
    fill_normals(&Philox::new(3), Stream::Path, 5, &mut short);
    fill_normals(&Philox::new(3), Stream::Path, 5, &mut long);
    assert_eq!(short[..], long[..7]);
    fill_normals(&Philox::new(3), Stream::Path, 6, &mut short);
    assert_ne!(short[..], long[..7]);
}
