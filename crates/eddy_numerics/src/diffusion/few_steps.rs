//! The task on which samplers of few evaluations are compared: a ring of Gaussians with exact score, the same noise for
//! everyone, and the point where the exact flow takes it.

use std::sync::Arc;

use super::{
    Batch, Component, DiffusionError, Guidance, Method, Mixture, MixtureModel, Node, Sampler, Schedule, Spacing,
    VpLinear, grid,
    methods::{RungeKutta, Tableau, Variable},
    targets,
};
use crate::rng::{Philox, Stream};

/// First and last time of the variance-preserving schedule.
pub const SPAN: (f64, f64) = (1.0, 1e-3);
/// Steps of Runge-Kutta 4 in σ/α of a converged run. Twice as many move its end points by less than 1e-3 (RMS) at guidance
/// 7.5 and by less than 1e-4 without.
pub const FINE_STEPS: usize = 200;

/// Eight Gaussians on a ring under the variance-preserving schedule with linear β.
#[derive(Clone, Debug)]
pub struct RingTask {
    mixture: Mixture,
    guidance: Option<f64>,
}

impl RingTask {
    /// With `guidance` at this scale toward two neighbours, the modes at 0 and 45 degrees.
    pub fn new(radius: f64, sd: f64, guidance: Option<f64>) -> Result<Self, DiffusionError> {
        let of_pair = |(k, c): (usize, &Component)| Component { class: u32::from(k > 1), ..c.clone() };
        let ring = targets::ring(8, radius, sd);
        let mixture = Mixture::new(2, ring.components().iter().enumerate().map(of_pair).collect())?;
        Ok(Self { mixture, guidance })
    }

    pub fn mixture(&self) -> &Mixture {
        &self.mixture
    }
    /// What the particles are drawn to: the pair under guidance, else the ring.
    pub fn target(&self) -> Mixture {
        self.guidance.and_then(|_| self.mixture.of_class(0)).unwrap_or_else(|| self.mixture.clone())
    }
    pub fn schedule(&self) -> Arc<dyn Schedule> {
        Arc::new(VpLinear::default())
    }
    pub fn model(&self) -> Result<MixtureModel<f64>, DiffusionError> {
        let model = MixtureModel::new(self.mixture.clone());
        match self.guidance {
            Some(scale) => model.with_guidance(Guidance { class: 0, scale }),
            None => Ok(model),
        }
    }
    /// `steps` equal steps of λ.
    pub fn grid(&self, steps: usize) -> Result<Vec<Node>, DiffusionError> {
        grid(&*self.schedule(), Spacing::LogSnr, SPAN.0, SPAN.1, steps)
    }
    /// Noise at the first time. Different streams of a seed are independent.
    pub fn noise(&self, seed: u32, stream: Stream, len: usize) -> Batch<f64> {
        let sd = VpLinear::default().sigma(SPAN.0);
        Batch::normal(2, len, sd, &Philox::new(seed), stream, 0)
    }
    /// A run of a deterministic method over `nodes`.
    pub fn sampler(&self, method: Box<dyn Method>, nodes: &[Node], x: Batch<f64>) -> Sampler<f64> {
        Sampler::new(self.schedule(), method, nodes, x, Philox::new(0))
    }
    /// A converged run in progress.
    pub fn fine(&self, x: Batch<f64>) -> Result<Sampler<f64>, DiffusionError> {
        let method = Box::new(RungeKutta::new(Tableau::RK4, Variable::Rho));
        Ok(self.sampler(method, &self.grid(FINE_STEPS)?, x))
    }
    /// Where the exact flow takes `x`.
    pub fn converged(&self, x: Batch<f64>) -> Result<Batch<f64>, DiffusionError> {
        let mut sampler = self.fine(x)?;
        sampler.run(&mut self.model()?);
        Ok(sampler.x().clone())
    }
    /// Where `method` takes `x` in `steps` equal steps of λ, and its evaluations.
    pub fn run(
        &self,
        method: Box<dyn Method>,
        steps: usize,
        x: Batch<f64>,
    ) -> Result<(Batch<f64>, u64), DiffusionError> {
        let mut model = self.model()?;
        let mut sampler = self.sampler(method, &self.grid(steps)?, x);
        sampler.run(&mut model);
        Ok((sampler.x().clone(), super::Denoiser::<f64>::evaluations(&model)))
    }
}

/// log₁₀ of each particle's distance to its end point, in the order of the particles, within [−6, 6].
pub fn log_distances(x: &Batch<f64>, ends: &Batch<f64>) -> Vec<f32> {
    let square = |p: usize| (0..x.dim()).map(|d| (x.coordinate(d)[p] - ends.coordinate(d)[p]).powi(2)).sum::<f64>();
    let log = |p: usize| {
        let distance = square(p).sqrt();
        if distance.is_finite() { distance.clamp(1e-6, 1e6).log10() as f32 } else { 6.0 }
    };
    (0..x.len().min(ends.len())).map(log).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{
        dormand_prince,
        methods::{Ddim, StepControl},
        metrics::{paired_distances, rms},
    };

    #[test]
    fn the_converged_run_is_the_flow() {
        // A second path: Dormand-Prince on dx/dt with the score of the mixture itself, one particle at a time.
        for (scale, tolerance) in [(None, 1e-4), (Some(7.5), 3e-3)] {
            let task = RingTask::new(2.0, 0.15, scale).unwrap();
            let x = task.noise(3, Stream::Prior, 12);
            let ends = task.converged(x.clone()).unwrap();
            let (s, pair) = (VpLinear::default(), task.mixture.of_class(0).unwrap());
            let exact: Vec<f64> = (0..x.len())
                .flat_map(|i| {
                    let slope = |t: f64, y: &[f64], k: &mut [f64]| {
                        let n = s.node(t);
                        let all = task.mixture.score(y, n.alpha, n.sigma);
                        let class = pair.score(y, n.alpha, n.sigma);
                        let w = scale.unwrap_or(0.0);
                        for d in 0..2 {
                            let score = all[d] + w * (class[d] - all[d]);
                            k[d] = s.drift(t) * y[d] - 0.5 * s.diffusion_squared(t) * score;
                        }
                    };
                    let control = StepControl { absolute: 1e-9, relative: 1e-9 };
                    dormand_prince(slope, x.point(i), SPAN.0, SPAN.1, control).unwrap().y
                })
                .collect();
            let exact = Batch::from_points(2, &exact);
            let error = rms(&paired_distances(&ends, &exact));
            assert!(error < tolerance, "{scale:?}: {error}");
            let (ddim, evaluations) = task.run(Box::new(Ddim::default()), 10, x).unwrap();
            assert_eq!(evaluations, 10);
            assert!(rms(&paired_distances(&ddim, &exact)) > 10.0 * tolerance, "ten steps of DDIM are seen");
        }
    }

    #[test]
    fn distances_keep_the_order() {
        let x = Batch::from_points(2, &[0.0, 10.0, 0.1, 0.0, f64::NAN, 0.0, 0.0, 0.0]);
        assert_eq!(log_distances(&x, &Batch::zeros(2, 4)), [1.0, -1.0, 6.0, -6.0]);
    }
}
