//! What `eddy bench` measures, natively and in a browser: the same functions on both sides.

#[cfg(feature = "pinn")]
use eddy_nets::bench as nets;
#[cfg(feature = "core")]
use eddy_numerics::bench as numerics;
#[cfg(feature = "sampler")]
use eddy_numerics::diffusion;
use serde_json::{Value, json};

/// One measurement: a name that peers use too, and a function that returns the seconds of one unit (a step, a run).
pub struct Bench {
    pub name: &'static str,
    /// What one unit is.
    pub what: &'static str,
    /// The wasm bundle that holds it.
    pub bundle: &'static str,
    /// Seconds per unit, the fastest of a few batches: other work on a machine only makes a unit slower.
    /// NaN if the measurement could not be made.
    pub run: fn() -> f64,
}

#[cfg(any(
    feature = "core",
    feature = "pinn",
    feature = "sampler",
    feature = "flow",
    feature = "equations",
    feature = "learn"
))]
const fn bench(bundle: &'static str, name: &'static str, what: &'static str, run: fn() -> f64) -> Bench {
    Bench { name, what, bundle, run }
}

/// Everything that can be measured in this build.
pub fn benches() -> &'static [Bench] {
    BENCHES
}

static BENCHES: &[Bench] = &[
    #[cfg(feature = "core")]
    bench("core", "navier-stokes-128", "ETDRK4 step of 2-D vorticity, 128², f64", || {
        fastest(5, || numerics::navier_stokes_step(128, 20))
    }),
    #[cfg(feature = "core")]
    bench("core", "navier-stokes-256", "ETDRK4 step of 2-D vorticity, 256², f64", || {
        fastest(5, || numerics::navier_stokes_step(256, 6))
    }),
    #[cfg(feature = "pinn")]
    bench("pinn", "pinn-4x64-2048", "training step of a 4×64 tanh PINN, 2048 points, Adam, f32", || {
        fastest(5, || nets::pinn_step(&[64; 4], 2048, 4).unwrap_or(f64::NAN))
    }),
    #[cfg(feature = "pinn")]
    bench("pinn", "pinn-4x64-2048-apart", "the same with u_t and u_xx each by itself", || {
        fastest(5, || nets::pinn_step_apart(&[64; 4], 2048, 4).unwrap_or(f64::NAN))
    }),
    #[cfg(feature = "pinn")]
    bench("pinn", "pinn-4x64-2048-graph", "the same, apart, as a graph: how typed equations are trained", || {
        fastest(5, || nets::pinn_step_graph::<f32>(&[64; 4], 2048, 4).unwrap_or(f64::NAN))
    }),
    #[cfg(feature = "pinn")]
    bench("pinn", "pinn-4x64-2048-graph-f64", "the same in f64", || {
        fastest(5, || nets::pinn_step_graph::<f64>(&[64; 4], 2048, 4).unwrap_or(f64::NAN))
    }),
    #[cfg(feature = "pinn")]
    bench("pinn", "pinn-4x128-4096", "training step of a 4×128 tanh PINN, 4096 points, Adam, f32", || {
        fastest(4, || nets::pinn_step(&[128; 4], 4096, 2).unwrap_or(f64::NAN))
    }),
    #[cfg(feature = "pinn")]
    bench("pinn", "value-2x64-256", "training step of a 2-64-64-1 tanh network, batch 256, f32", || {
        fastest(5, || nets::value_step(256, 40).unwrap_or(f64::NAN))
    }),
    #[cfg(feature = "pinn")]
    bench("pinn", "value-2x64-2048", "training step of a 2-64-64-1 tanh network, batch 2048, f32", || {
        fastest(5, || nets::value_step(2048, 10).unwrap_or(f64::NAN))
    }),
    #[cfg(feature = "sampler")]
    bench("sampler", "ddim-50k", "50,000 particles, 10 evaluations of DDIM, 8-Gaussian mixture, f32", || ddim_50k(10)),
    #[cfg(feature = "sampler")]
    bench("sampler", "ddim-50k-20", "the same with 20 evaluations", || ddim_50k(20)),
    #[cfg(feature = "flow")]
    bench("flow", "flow-matching-3x64-512", "training step of a 3×64 flow-matching network, batch 512, f32", || {
        fastest(5, || crate::labs::flow::bench::flow_matching_step(512, 40))
    }),
    #[cfg(feature = "equations")]
    bench(
        "equations",
        "gray-scott-256-loop",
        "Euler step of 2-D Gray-Scott by a hand-written loop, 256², f32",
        || eddy_solve::bench::gray_scott_loop(60),
    ),
    #[cfg(feature = "equations")]
    bench("equations", "gray-scott-256-typed", "the same step typed, compiled where that can be done", || {
        eddy_solve::bench::gray_scott_typed(60, true).unwrap_or(f64::NAN)
    }),
    #[cfg(feature = "equations")]
    bench("equations", "gray-scott-256-interpreted", "the same step typed, in the block interpreter", || {
        eddy_solve::bench::gray_scott_typed(10, false).unwrap_or(f64::NAN)
    }),
    #[cfg(feature = "equations")]
    bench("equations", "vorticity-128-typed", "ETDRK4 step of the typed 2-D vorticity equation, 128², f64", || {
        eddy_solve::bench::vorticity_typed(128, 12).unwrap_or(f64::NAN)
    }),
    #[cfg(feature = "equations")]
    bench("equations", "vorticity-256-typed", "the same, 256²", || {
        eddy_solve::bench::vorticity_typed(256, 6).unwrap_or(f64::NAN)
    }),
    #[cfg(feature = "equations")]
    bench("equations", "poisson-512", "direct solve of a Poisson equation by transforms, 512², f64", || {
        eddy_solve::bench::poisson_512(8)
    }),
    #[cfg(feature = "learn")]
    bench("learn", "pinn-4x64-2048-burn-flex", "the same PINN step through burn-flex", || {
        fastest(2, || flex(|e| Box::pin(eddy_learn::bench::pinn_step(e, 2048, 2))))
    }),
    #[cfg(feature = "learn")]
    bench("learn", "value-2x64-256-burn-flex", "the same value-only step through burn-flex, batch 256", || {
        fastest(2, || flex(|e| Box::pin(eddy_learn::bench::value_step(e, 256, 10))))
    }),
    #[cfg(feature = "learn")]
    bench("learn", "value-2x64-2048-burn-flex", "the same value-only step through burn-flex, batch 2048", || {
        fastest(2, || flex(|e| Box::pin(eddy_learn::bench::value_step(e, 2048, 4))))
    }),
    #[cfg(feature = "learn")]
    bench("learn", "image-model-64x10", "64 guided pictures of 10 evaluations of the small image model", || {
        fastest(2, || eddy_learn::image::bench::sampling(&eddy_learn::Engine::cpu()).unwrap_or(f64::NAN))
    }),
];

#[cfg(feature = "sampler")]
fn ddim_50k(evaluations: usize) -> f64 {
    fastest(5, || {
        let begun = web_time::Instant::now();
        let (radius, counted) = diffusion::bench::ddim_50k(evaluations);
        // A run that did not do the work has no time.
        if counted == evaluations as u64 && radius.is_finite() { begun.elapsed().as_secs_f64() } else { f64::NAN }
    })
}

/// The fastest of `batches` measurements.
#[cfg(any(feature = "core", feature = "pinn", feature = "sampler", feature = "flow", feature = "learn"))]
fn fastest(batches: usize, mut measure: impl FnMut() -> f64) -> f64 {
    (0..batches).map(|_| measure()).fold(f64::NAN, f64::min)
}

/// A measurement on burn's CPU back end, whose futures never wait.
#[cfg(feature = "learn")]
fn flex(
    measure: impl for<'a> FnOnce(&'a eddy_learn::Engine) -> crate::LocalFuture<'a, Result<f64, eddy_learn::LearnError>>,
) -> f64 {
    use std::task::{Context, Poll, Waker};
    let engine = eddy_learn::Engine::cpu();
    let mut future = measure(&engine);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(seconds)) => seconds,
        _ => f64::NAN,
    }
}

/// The benchmarks of this build as `[{name, what, bundle}]`.
pub fn bench_names() -> Value {
    benches().iter().map(|b| json!({ "name": b.name, "what": b.what, "bundle": b.bundle })).collect()
}
