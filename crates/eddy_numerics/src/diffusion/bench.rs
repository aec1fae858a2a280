//! Workloads for the benchmark command. They only compute; the caller keeps the time.

use std::sync::Arc;

use super::{Batch, Denoiser, MixtureModel, Sampler, Spacing, Status, VpLinear, grid, methods::Ddim, targets};
use crate::rng::{Philox, Stream};

/// 50,000 particles of the 8-Gaussian ring, `evaluations` of DDIM on the quadratic grid, f32, from drawing the noise
/// to the final points. Returns the mean squared radius (1.98 for the target; few steps of DDIM end a little inside),
/// so that nothing can be optimized away, and the evaluations the model counted.
pub fn ddim_50k(evaluations: usize) -> (f64, u64) {
    let rng = Philox::new(7);
    let mut model = MixtureModel::<f32>::new(targets::ring(8, 1.4, 0.1));
    let schedule = Arc::new(VpLinear::default());
    let Ok(nodes) = grid(&*schedule, Spacing::Quadratic, 1.0, 1e-3, evaluations) else { return (f64::NAN, 0) };
    let x = Batch::normal(2, 50_000, nodes[0].sigma, &rng, Stream::Prior, 0);
    let mut sampler = Sampler::new(schedule, Box::new(Ddim::default()), &nodes, x, rng);
    let status = sampler.run(&mut model);
    debug_assert_eq!(status, Status::Finished);
    let sum: f64 = sampler.x().data().iter().map(|v| f64::from(v * v)).sum();
    (sum / 50_000.0, model.evaluations())
}
