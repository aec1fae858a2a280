//! The metrics of the lab and how a row of them is computed.

use eddy_numerics::{
    diffusion::{Batch, Lane, Node, log_likelihood, metrics as measure},
    rng::{Philox, Stream},
};
use eddy_spec::{Axis, Better, EddyError, Metric};

use super::Setup;

pub const ERROR: Metric = Metric::new(
    "error",
    Axis::log("RMS distance to the reference", "e"),
    Better::Lower,
    "Root mean square distance of the particles to the end points of a converged run from the same noise.",
);
pub const MEDIAN: Metric = Metric::new(
    "median",
    Axis::log("median distance to the reference", "\\tilde e"),
    Better::Lower,
    "Median of the same distances: particles that changed basin do not move it.",
);
pub const WASSERSTEIN: Metric = Metric::new(
    "w2",
    Axis::log("sliced Wasserstein distance", "W_2"),
    Better::Lower,
    "Sliced 2-Wasserstein distance (64 directions) between the particles and a stratified sample of the target.",
);
pub const WASSERSTEIN_FLOOR: Metric = Metric::new(
    "w2_floor",
    Axis::log("sliced Wasserstein distance of exact samples", "W_2^*"),
    Better::Neither,
    "The same distance for as many independent exact samples: nothing can be told apart below it.",
);
pub const ENERGY: Metric = Metric::new(
    "energy",
    Axis::log("energy distance", "D_E"),
    Better::Lower,
    "Energy distance between the particles (the first 2,000) and as many fresh samples of the target, over all pairs.",
);
pub const FLOOR: Metric = Metric::new(
    "floor",
    Axis::log("two-sample floor", "D_E^*"),
    Better::Neither,
    "Energy distance between two fresh samples of the same size, mean over 8 pairs.",
);
pub const DIVERGED: Metric = Metric::new(
    "diverged",
    Axis::linear("diverged share", "\\delta"),
    Better::Lower,
    "Share of particles that end farther than 1 from the mode of the guided class.",
);
pub const EVALUATIONS: Metric = Metric::new(
    "evaluations",
    Axis::linear("evaluations", "N"),
    Better::Lower,
    "Evaluations of the model, counted by the model.",
);
pub const LEVEL: Metric = Metric::new(
    "level",
    Axis::linear("size against its noise level", "\\rho"),
    Better::Neither,
    "Mean square of the particles over its exact expectation at their time: 1 on the noise manifold.",
);
pub const LIKELIHOOD: Metric = Metric::new(
    "likelihood",
    Axis::log("error of the log-likelihood", "|\\Delta\\ln p|").unit("nats"),
    Better::Lower,
    "Mean absolute difference between the log-likelihood by the flow and the exact log-density, 400 fresh samples.",
);

/// Whether a metric takes much longer than a step.
pub(super) fn is_slow(metric: &Metric) -> bool {
    [WASSERSTEIN, WASSERSTEIN_FLOOR, ENERGY, FLOOR, LIKELIHOOD].iter().any(|m| m.key == metric.key)
}

/// Directions of the sliced distance.
const DIRECTIONS: usize = 64;
/// Particles of an energy distance, which costs their square.
const PAIRED: usize = 2000;
/// Samples for the likelihood.
const LIKELIHOOD_POINTS: usize = 400;

/// What the expensive metrics of a setup are measured against, made once.
#[derive(Default)]
pub(super) struct Yardsticks {
    stratified: Option<Batch<f64>>,
    fresh: Option<Batch<f64>>,
    wasserstein_floor: Option<f64>,
    energy_floor: Option<f64>,
    likelihood: Option<f64>,
}

impl Yardsticks {
    fn sample(setup: &Setup, seed: u32, stream: Stream) -> Batch<f64> {
        let end = setup.end();
        setup.mixture.sample(setup.particles as usize, end.alpha, end.sigma, &Philox::new(seed), stream)
    }

    /// Sliced distance to the target.
    pub(super) fn wasserstein<T: Lane>(&mut self, setup: &Setup, x: &Batch<T>) -> f64 {
        let end = setup.end();
        let target = self.stratified.get_or_insert_with(|| {
            setup.mixture.sample_stratified(
                setup.particles as usize,
                end.alpha,
                end.sigma,
                &setup.rng(),
                Stream::Control,
            )
        });
        measure::sliced_wasserstein(x, &target.cast(), DIRECTIONS)
    }

    pub(super) fn wasserstein_floor(&mut self, setup: &Setup) -> f64 {
        if let Some(v) = self.wasserstein_floor {
            return v;
        }
        let exact = Self::sample(setup, setup.seed, Stream::Data);
        let v = self.wasserstein(setup, &exact);
        self.wasserstein_floor = Some(v);
        v
    }

    pub(super) fn energy<T: Lane>(&mut self, setup: &Setup, x: &Batch<T>) -> f64 {
        let fresh = self.fresh.get_or_insert_with(|| Self::sample(setup, setup.seed, Stream::Data).head(PAIRED));
        measure::energy_distance(&x.head(PAIRED), &fresh.cast())
    }

    pub(super) fn energy_floor(&mut self, setup: &Setup) -> f64 {
        /// Pairs of fresh samples; one pair alone scatters by half its value.
        const PAIRS: u32 = 8;
        *self.energy_floor.get_or_insert_with(|| {
            let pair = |i: u32| {
                // Seeds far from the ones people type, so that no set is also the run's own.
                let seed = setup.seed.wrapping_add(1_000_003 * (i + 1));
                let [a, b] = [Stream::Data, Stream::Control].map(|s| Self::sample(setup, seed, s).head(PAIRED));
                measure::energy_distance(&a, &b)
            };
            (0..PAIRS).map(pair).sum::<f64>() / f64::from(PAIRS)
        })
    }

    /// Mean |ln p by the flow − ln p|; NaN if the flow could not be integrated.
    fn likelihood(&mut self, setup: &Setup) -> f64 {
        *self.likelihood.get_or_insert_with(|| {
            let (first, last) = setup.span;
            let end = setup.end();
            let stream = Stream::Control;
            let points =
                setup.mixture.sample(LIKELIHOOD_POINTS, end.alpha, end.sigma, &setup.rng(), stream).to_points();
            let result =
                log_likelihood(&setup.mixture, &*setup.schedule, &points, last, first, setup.likelihood_tolerance);
            result.map_or(f64::NAN, |flow| {
                let exact =
                    points.chunks(setup.mixture.dim()).map(|x| setup.mixture.log_density(x, end.alpha, end.sigma));
                exact.zip(&flow.log_density).map(|(a, b)| (a - b).abs()).sum::<f64>() / LIKELIHOOD_POINTS as f64
            })
        })
    }
}

/// State of a run from which a row is computed.
pub(super) struct Snapshot<'a, T> {
    pub x: &'a Batch<T>,
    pub node: Node,
    pub reference: Option<&'a Batch<T>>,
    pub evaluations: u64,
    /// Whether to compute what takes long.
    pub all: bool,
}

/// One value per metric of the experiment; NaN where there is none.
pub(super) fn row<T: Lane>(setup: &Setup, now: &Snapshot<T>, yard: &mut Yardsticks) -> Result<Vec<f64>, EddyError> {
    let distances = now.reference.map(|r| measure::paired_distances(now.x, r));
    let value = |metric: &Metric| -> f64 {
        match metric.key {
            "error" => distances.as_ref().map_or(f64::NAN, |d| measure::rms(d)),
            "median" => distances.as_ref().map_or(f64::NAN, |d| measure::quantile(d, 0.5)),
            "evaluations" => now.evaluations as f64,
            "level" => level(setup, now),
            "diverged" => diverged(setup, now.x),
            "w2" if now.all => yard.wasserstein(setup, now.x),
            "w2_floor" if now.all => yard.wasserstein_floor(setup),
            "energy" if now.all => yard.energy(setup, now.x),
            "floor" if now.all => yard.energy_floor(setup),
            "likelihood" if now.all => yard.likelihood(setup),
            _ => f64::NAN,
        }
    };
    Ok(setup.metrics.iter().map(value).collect())
}

fn diverged<T: Lane>(setup: &Setup, x: &Batch<T>) -> f64 {
    let centre = setup.guidance.and_then(|g| setup.mixture.class_mean(g.class));
    centre.map_or(f64::NAN, |c| measure::share_beyond(x, &c, 1.0))
}

fn level<T: Lane>(setup: &Setup, now: &Snapshot<T>) -> f64 {
    let (alpha, sigma) = (now.node.alpha, now.node.sigma);
    let expected = setup.mixture.mean_square() * alpha * alpha + setup.mixture.dim() as f64 * sigma * sigma;
    let square: f64 = now.x.data().iter().map(|v| v.to_f64() * v.to_f64()).sum();
    square / now.x.len().max(1) as f64 / expected
}
