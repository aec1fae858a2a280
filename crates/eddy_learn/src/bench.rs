//! Time of a training step through burn, for comparison with the fused networks.

use burn::{
    optim::{AdamConfig, GradientsParams},
    tensor::{Tensor, TensorData},
};
use web_time::Instant;

use crate::{
    Engine, LearnError,
    dense::{Activation, Dense, parameter_count},
};

/// Seconds per step of value-only training of a 2-64-64-1 tanh network with Adam on `batch` points: forward, reverse and
/// update. Two steps before the clock starts warm up caches and pipelines.
///
/// # Errors
/// [`LearnError::Execution`] if the device fails.
pub async fn value_step(engine: &Engine, batch: usize, iterations: usize) -> Result<f64, LearnError> {
    step_seconds(engine, &[2, 64, 64, 1], batch, iterations, |network, points| {
        let target = points.clone().narrow(1, 0, 1) * points.clone().narrow(1, 1, 1);
        (network.forward(points) - target).square().mean()
    })
    .await
}

/// Seconds per step of training a 2-64-64-64-64-1 tanh network on the residual u_t + u u_x - 0.01 u_xx at `points` points
/// with Adam; the derivatives are jets (see [`crate::jets`]).
///
/// # Errors
/// [`LearnError::Execution`] if the device fails.
pub async fn pinn_step(engine: &Engine, points: usize, iterations: usize) -> Result<f64, LearnError> {
    step_seconds(engine, &[2, 64, 64, 64, 64, 1], points, iterations, |network, points| {
        let jet = network.forward_jet(points);
        (jet.t + jet.value * jet.x - jet.xx * 0.01).square().mean()
    })
    .await
}

async fn step_seconds(
    engine: &Engine,
    widths: &[usize],
    batch: usize,
    iterations: usize,
    loss: impl Fn(&Dense, Tensor<2>) -> Tensor<1>,
) -> Result<f64, LearnError> {
    let spread = |i: usize| ((i + 1) as f64 * 0.618_033_988_749_895).fract() as f32 - 0.5;
    let parameters: Vec<f32> = (0..parameter_count(widths)).map(|i| 0.4 * spread(i)).collect();
    let points: Vec<f32> = (0..2 * batch).map(spread).collect();
    let mut network = Dense::from_parameters(widths, Activation::Tanh, &parameters, &engine.training())?;
    let points = Tensor::<2>::from_data(TensorData::new(points, [batch, 2]), &engine.training());
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let mut started = Instant::now();
    const WARM_UP: usize = 2;
    for i in 0..WARM_UP + iterations.max(1) {
        let value = loss(&network, points.clone());
        let gradients = GradientsParams::from_grads(value.backward(), &network);
        network = optimizer.step(1e-3, network, gradients);
        if i + 1 == WARM_UP || i + 1 == WARM_UP + iterations.max(1) {
            // Reading the loss waits for all work before it.
            value.into_scalar_async::<f32>().await.map_err(LearnError::execution)?;
            if i + 1 == WARM_UP {
                started = Instant::now();
            }
        }
    }
    Ok(started.elapsed().as_secs_f64() / iterations.max(1) as f64)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn steps_take_time_that_grows_with_the_batch() {
        let seconds = |batch| pollster::block_on(value_step(&Engine::cpu(), batch, 3)).unwrap();
        let (small, large) = (seconds(64), seconds(4096));
        // 64 times the work; a thirtieth of that allows for fixed costs and a busy machine.
        assert!(small > 0.0 && large > 2.0 * small, "{small} {large}");
        assert!(pollster::block_on(pinn_step(&Engine::cpu(), 64, 1)).unwrap() > 0.0);
    }
}
