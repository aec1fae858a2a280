//! Pictures to be restored from measurements.

use eddy_numerics::{
    diffusion::{measurement::Measurement, templates::Templates},
    rng::{Philox, Stream},
};
use eddy_spec::{Role, Series, ViewData, choice};

use super::{
    pictures::with_gaps,
    shapes::{PIXELS, SIDE, Size, add_noise, box_mask, contrast, misfit, psnr, truths},
};

choice! { pub enum Task {
    /// 8 × 8 pixels missing
    Box = "box",
    /// means of 4 × 4 pixels
    Blocks = "blocks",
    /// blurred
    Blur = "blur",
} }

impl Task {
    fn measurement(self) -> Measurement {
        match self {
            Self::Box => Measurement::pixels(&box_mask()),
            Self::Blocks => Measurement::blocks(SIDE, 4),
            Self::Blur => Measurement::blur(SIDE, 1.5),
        }
    }
}

choice! { pub enum Truth {
    /// drawn anew
    HeldOut = "new",
    /// of the prior
    Prior = "prior",
} }

/// Which pictures are measured.
#[derive(Clone, Copy, Debug)]
pub struct Pictures {
    pub size: Size,
    pub truth: Truth,
}

/// The true pictures and what was measured of them.
pub struct Problem {
    pub a: Measurement,
    /// ‖A‖².
    pub norm: f64,
    pub truths: Vec<Vec<f64>>,
    pub measured: Vec<Vec<f64>>,
}

impl Problem {
    /// `count` pictures measured with normal noise of standard deviation `noise`.
    pub fn new(prior: &Templates, of: Pictures, task: Task, noise: f64, count: usize, seed: u32) -> Self {
        let a = task.measurement();
        let truths = truths(prior, of.size, count, of.truth == Truth::HeldOut, seed);
        let measure = |(k, x): (usize, &Vec<f64>)| {
            let mut y = a.apply(x);
            add_noise(&mut y, noise, &Philox::new(seed), Stream::Corrector, k as u32, 0);
            y
        };
        let measured = truths.iter().enumerate().map(measure).collect();
        Self { norm: a.norm_squared(), truths, measured, a }
    }

    pub fn count(&self) -> usize {
        self.truths.len()
    }

    /// Gradient of ½|A x − y|²/‖A‖² for picture `k`.
    pub fn gradient(&self, k: usize, x: &[f64]) -> Vec<f64> {
        let fit = self.a.apply(x);
        let off: Vec<f64> = fit.iter().zip(&self.measured[k]).map(|(a, b)| (a - b) / self.norm).collect();
        self.a.transpose(&off)
    }

    /// What each measurement alone says.
    pub fn pseudo_inverses(&self, count: usize) -> Vec<Vec<f64>> {
        self.measured.iter().take(count).map(|y| self.a.pseudo_inverse(y)).collect()
    }

    /// Means over the given first pictures: PSNR, misfit, contrast against the truth.
    pub fn quality(&self, pictures: &[Vec<f64>]) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for (k, x) in pictures.iter().enumerate().take(self.count()) {
            sums[0] += psnr(x, &self.truths[k]);
            sums[1] += misfit(&self.a, x, &self.measured[k]);
            sums[2] += contrast(x) / contrast(&self.truths[k]);
        }
        sums.map(|s| s / pictures.len().max(1) as f64)
    }
}

/// Whether pictures are lost: not finite, or a thousand times as bright as any true one.
pub fn is_lost(pictures: &[Vec<f64>]) -> bool {
    pictures.iter().flatten().any(|v| !(v.abs() < 1e3))
}

/// Independent standard normal pictures.
pub fn noises(count: usize, seed: u32) -> Vec<Vec<f64>> {
    let noise = |k: usize| {
        let mut z = vec![0.0; PIXELS];
        add_noise(&mut z, 1.0, &Philox::new(seed), Stream::Prior, k as u32, 0);
        z
    };
    (0..count).map(noise).collect()
}

/// Quality in decibels along the way to `end`: where it was measured, and what it was.
pub fn way_line(name: &str, way: &(Vec<f64>, Vec<f64>), end: f64) -> ViewData {
    let ys = with_gaps(&way.1);
    let y = decibel_limits(ys.iter());
    ViewData::Lines { series: vec![Series::line(name, Role::Result, way.0.clone(), ys)], x: (0.0, end), y }
}

/// Axis limits in decibels that hold all values.
pub fn decibel_limits<'a>(values: impl Iterator<Item = &'a f64>) -> (f64, f64) {
    values.filter(|v| v.is_finite()).fold((5.0, 25.0), |(a, b), v| (a.min(v - 1.0), b.max(v + 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::flow::shapes::prior;

    #[test]
    fn the_truth_fits_up_to_its_noise_and_its_gradient_is_small() {
        let of = Pictures { size: Size::Large, truth: Truth::HeldOut };
        let prior = prior(of.size).unwrap();
        for task in [Task::Box, Task::Blocks, Task::Blur] {
            let problem = Problem::new(&prior, of, task, 0.02, 20, 3);
            let [psnr, misfit, contrast] = problem.quality(&problem.truths);
            assert!(psnr > 200.0 && (misfit - 0.02).abs() < 4e-3 && (contrast - 1.0).abs() < 1e-12, "{misfit}");
            // A step of length 1 along the gradient fits exactly where A Aᵀ is a multiple of the identity.
            let x = &problem.truths[0];
            let step: Vec<f64> = x.iter().zip(problem.gradient(0, x)).map(|(x, g)| x - g).collect();
            let after = super::misfit(&problem.a, &step, &problem.measured[0]);
            assert!(if task == Task::Blur { after < 0.02 } else { after < 1e-12 }, "{after}");
            assert!(!is_lost(&problem.truths) && is_lost(&[vec![f64::NAN]]) && is_lost(&[vec![-2e3]]));
        }
    }
}
