//! Time of a sampling with the shipped weights.

use std::sync::Arc;

use eddy_numerics::{
    diffusion::{Batch, Denoiser, Prediction, Sampler, Spacing, grid, methods::DpmMultistep},
    rng::{Philox, Stream},
};
use web_time::Instant;

use super::{CLASSES, Condition, Guided, Model, PIXELS, schedule, span};
use crate::{Engine, LearnError};

/// Seconds for 64 pictures with 10 evaluations of DPM-Solver++(2M) and guidance 2, which predicts 128 pictures each time.
///
/// # Errors
/// [`LearnError::Setting`] if the shipped checkpoint does not fit or the work was not done.
pub fn sampling(engine: &Engine) -> Result<f64, LearnError> {
    const PICTURES: usize = 64;
    const EVALUATIONS: usize = 10;
    let model = Model::shipped()?;
    let conditions = (0..PICTURES).map(|k| Condition::of(k % CLASSES.len(), k / CLASSES.len() % 2)).collect();
    let mut guided = Guided::new(&model, conditions, 2.0, engine);
    let failed = |message: String| LearnError::Setting { message };
    let (end, start) = span();
    let nodes = grid(&schedule(), Spacing::Uniform, start, end, EVALUATIONS).map_err(|e| failed(e.to_string()))?;
    let x = Batch::normal(PIXELS, PICTURES, nodes[0].sigma, &Philox::new(1), Stream::Prior, 0);
    let method = Box::new(DpmMultistep::new(2, Prediction::Data));
    let mut sampler = Sampler::new(Arc::new(schedule()), method, &nodes, x, Philox::new(1));
    let begun = Instant::now();
    sampler.run(&mut guided);
    let seconds = begun.elapsed().as_secs_f64();
    if guided.evaluations() != EVALUATIONS as u64 || sampler.x().non_finite() > 0 {
        return Err(failed("The sampling did not end with pictures.".to_owned()));
    }
    Ok(seconds)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn a_sampling_takes_time() {
        assert!(sampling(&Engine::cpu()).unwrap() > 1e-3);
    }
}
