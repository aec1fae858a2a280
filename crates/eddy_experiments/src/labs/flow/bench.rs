//! The training step whose speed is tracked.

use eddy_numerics::rng::{Philox, Stream};
use web_time::Instant;

use super::network::{FieldNetwork, Loss};

/// Seconds per step of fitting a 3×64 tanh network to the straight velocities from noise to eight Gaussians, with the drawing
/// of `batch` examples and Adam. Not a number if training broke down.
pub fn flow_matching_step(batch: usize, steps: u32) -> f64 {
    let rng = Philox::new(5);
    let Ok(mut network) = FieldNetwork::new(2, &[64; 3], 1, 2e-3, 10_000) else { return f64::NAN };
    let mut begun = Instant::now();
    let mut loss = 0.0;
    for step in 0..=steps {
        if step == 1 {
            begun = Instant::now();
        }
        loss += network.train(batch, Loss::Square, |i, x, target| {
            let [time, mode, ..] = rng.uniforms(Stream::Data, step, i as u32, 0);
            let normals = rng.normals(Stream::Prior, step, i as u32, 0);
            let (sin, cos) = (std::f64::consts::FRAC_PI_4 * (8.0 * mode).floor()).sin_cos();
            for (k, centre) in [1.4 * cos, 1.4 * sin].into_iter().enumerate() {
                let (noise, end) = (normals[k], centre + 0.1 * normals[k + 2]);
                x[k] = time * end + (1.0 - time) * noise;
                target[k] = end - noise;
            }
            x[2] = time;
        });
    }
    if loss.is_finite() { begun.elapsed().as_secs_f64() / f64::from(steps) } else { f64::NAN }
}
