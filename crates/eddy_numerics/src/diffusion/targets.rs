//! Standard targets, all Gaussian mixtures, so that their score is exact.

use std::f64::consts::{PI, TAU};

use super::{Component, Mixture, Shape};
use crate::rng::{Philox, Stream};

/// Equal weights and one class for each mean unless `class` says otherwise. All arguments come from this file and are
/// valid, so a mixture always results.
fn mixture(dim: usize, means: Vec<(Vec<f64>, u32)>, sd: f64) -> Mixture {
    let component = |(mean, class)| Component { weight: 1.0, mean, shape: Shape::Isotropic { sd }, class };
    Mixture::new(dim, means.into_iter().map(component).collect())
        .expect("the means above are finite and sd is positive")
}

/// A positive, finite standard deviation whatever is passed.
fn safe(sd: f64) -> f64 {
    if sd.is_finite() { sd.clamp(1e-6, 1e6) } else { 0.1 }
}

/// `count` Gaussians of standard deviation `sd` on a circle, the first on the positive x axis; each is a class.
pub fn ring(count: usize, radius: f64, sd: f64) -> Mixture {
    let count = count.max(1);
    let at = |k: usize| TAU * k as f64 / count as f64;
    let means = (0..count).map(|k| (vec![radius * at(k).cos(), radius * at(k).sin()], k as u32)).collect();
    mixture(2, means, safe(sd))
}

/// One Gaussian in `dim` dimensions.
pub fn single(mean: &[f64], sd: f64) -> Mixture {
    mixture(mean.len(), vec![(mean.to_vec(), 0)], safe(sd))
}

/// Three unequal Gaussians in the plane.
pub fn three() -> Mixture {
    let component = |weight: f64, x: f64, y: f64, sd: f64, class| Component {
        weight,
        mean: vec![x, y],
        shape: Shape::Isotropic { sd },
        class,
    };
    Mixture::new(
        2,
        vec![component(0.5, -1.2, -0.6, 0.3, 0), component(0.3, 1.2, -0.4, 0.25, 1), component(0.2, 0.1, 1.3, 0.2, 2)],
    )
    .expect("three proper components")
}

/// Two interleaved half circles, a dense chain of Gaussians each; each moon is a class.
pub fn two_moons(sd: f64) -> Mixture {
    let n = 32;
    let means = (0..2 * n).map(|i| {
        let angle = PI * (f64::from(i % n) + 0.5) / f64::from(n);
        if i < n {
            (vec![1.2 * angle.cos() - 0.6, 1.2 * angle.sin() - 0.3], 0)
        } else {
            (vec![0.6 - 1.2 * angle.cos(), 0.3 - 1.2 * angle.sin()], 1)
        }
    });
    mixture(2, means.collect(), safe(sd))
}

/// One arm of an Archimedean spiral of one and a half turns, spaced evenly along the arc.
pub fn spiral(sd: f64) -> Mixture {
    let n = 80;
    // Arc length of r = a θ grows as θ² for large θ, so equal steps of θ² are close to even.
    let at = |i: i32| (PI * PI / 4.0 + (16.0 - 0.25) * PI * PI * (f64::from(i) + 0.5) / f64::from(n)).sqrt();
    let means = (0..n).map(|i| {
        let (theta, r) = (at(i), 1.8 * at(i) / (4.0 * PI));
        (vec![r * theta.cos(), r * theta.sin()], u32::from(i >= n / 2))
    });
    mixture(2, means.collect(), safe(sd))
}

/// The Swiss roll in the plane: an Archimedean spiral from 3π/2 to 9π/2, spaced evenly along the arc.
pub fn swiss_roll(sd: f64) -> Mixture {
    let n = 96;
    let (start, end) = (1.5 * PI, 4.5 * PI);
    // As in `spiral`: equal steps of θ² are close to even along the arc.
    let at = |i: i32| (start * start + (end * end - start * start) * (f64::from(i) + 0.5) / f64::from(n)).sqrt();
    let means = (0..n).map(|i| {
        let (theta, r) = (at(i), 1.8 * at(i) / end);
        (vec![r * theta.cos(), r * theta.sin()], u32::from(i >= n / 2))
    });
    mixture(2, means.collect(), safe(sd))
}

/// The eight dark cells of a 4 × 4 board, each filled by 4 × 4 Gaussians; the cells are the classes.
pub fn checkerboard(sd: f64) -> Mixture {
    let mut means = Vec::new();
    for cell in (0..16).filter(|c| (c % 4 + c / 4) % 2 == 0) {
        for i in 0..16 {
            let x = f64::from(cell % 4) + (f64::from(i % 4) + 0.5) / 4.0 - 2.0;
            let y = f64::from(cell / 4) + (f64::from(i / 4) + 0.5) / 4.0 - 2.0;
            means.push((vec![0.9 * x, 0.9 * y], cell as u32 / 2));
        }
    }
    mixture(2, means, safe(sd))
}

/// Five curved arms; each is a class.
pub fn pinwheel(sd: f64) -> Mixture {
    let means = (0..70).map(|i| {
        let (arm, along) = (i % 5, f64::from(i / 5) / 13.0);
        let (r, theta) = (0.3 + 1.4 * along, TAU * f64::from(arm) / 5.0 + 1.2 * along);
        (vec![r * theta.cos(), r * theta.sin()], arm as u32)
    });
    mixture(2, means.collect(), safe(sd))
}

/// `modes` Gaussians with means drawn from N(0, I) in `dim` dimensions: a bridge to data with structure in many
/// dimensions.
pub fn dictionary(dim: usize, modes: usize, sd: f64, seed: u32) -> Mixture {
    let rng = Philox::new(seed);
    let mean = |k: usize| {
        (0..dim).map(|d| rng.normals(Stream::Data, 1, k as u32, (d / 4) as u32)[d % 4]).collect::<Vec<f64>>()
    };
    mixture(dim.max(1), (0..modes.max(1)).map(|k| (mean(k), k as u32)).collect(), safe(sd))
}
