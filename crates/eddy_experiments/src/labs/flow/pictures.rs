//! What the experiments of the lab draw: clouds of particles with trails over a density.

use eddy_numerics::{
    diffusion::{Batch, Mixture, metrics::energy_distance},
    rng::{Philox, Stream},
};
use eddy_spec::{Axis, ColorMap, Role, Series, ViewData, ViewSpec};

/// Cells per side of a backdrop.
const CELLS: usize = 80;
/// Points of a trail at most.
const TRAIL_POINTS: usize = 64;

/// Paths of the first particles.
#[derive(Clone, Debug, Default)]
pub struct Trails {
    count: usize,
    states: Vec<Vec<f32>>,
}

impl Trails {
    /// Of the first `count` particles.
    pub fn of(count: usize) -> Self {
        Self { count, states: Vec::new() }
    }

    pub fn push(&mut self, x: &Batch<f64>) {
        let count = self.count.min(x.len());
        self.states.push(positions(&x.head(count)));
    }

    /// Trail after trail, each with the same number of points; long ones are thinned, their ends are kept.
    fn flat(&self) -> (Vec<f32>, usize) {
        let Some(first) = self.states.first() else { return (Vec::new(), 0) };
        let particles = first.len() / 2;
        let stride = self.states.len().div_ceil(TRAIL_POINTS);
        let mut kept: Vec<&Vec<f32>> = self.states.iter().rev().step_by(stride.max(1)).collect();
        kept.reverse();
        let flat = (0..particles).flat_map(|p| kept.iter().flat_map(move |s| [s[2 * p], s[2 * p + 1]])).collect();
        (flat, if particles == 0 { 0 } else { kept.len() })
    }
}

/// What a stage shows.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub positions: Vec<f32>,
    pub values: Vec<f32>,
    pub range: (f64, f64),
    pub trails: Trails,
    pub backdrop: Option<ViewData>,
    pub limit: f64,
}

impl Cloud {
    /// Particles coloured by the direction from the origin in which they started.
    pub const BY_START: ViewSpec = ViewSpec::points(
        "particles",
        "particles",
        Axis::linear("x", "x_1"),
        Axis::linear("y", "x_2"),
        Axis::linear("direction of the start", "\\varphi"),
        ColorMap::Cyclic,
    );

    /// Particles at `x` with one value each.
    pub fn new(x: &Batch<f64>, values: Vec<f32>, range: (f64, f64), limit: f64) -> Self {
        Self { positions: positions(x), values, range, trails: Trails::default(), backdrop: None, limit }
    }

    pub fn view(self) -> ViewData {
        let (trails, trail_len) = self.trails.flat();
        let side = (-self.limit, self.limit);
        ViewData::Points {
            positions: self.positions,
            values: self.values,
            range: self.range,
            trails,
            trail_len,
            backdrop: self.backdrop.map(Box::new),
            x: side,
            y: side,
        }
    }
}

/// What is no number is a gap in a curve.
pub fn with_gaps<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<f64> {
    values.into_iter().map(|v| if v.is_finite() { *v } else { f64::NAN }).collect()
}

/// The lines of a sweep: `values` holds line after line, each at all of `points`; the last ones may still be missing.
pub fn sweep_lines<'a>(names: impl Iterator<Item = (&'a str, Role)>, points: &[f64], values: &[f64]) -> Vec<Series> {
    let parts = values.chunks(points.len()).chain(std::iter::repeat(&[][..]));
    names
        .zip(parts)
        .map(|((name, role), own)| Series::dotted(name, role, points[..own.len()].to_vec(), with_gaps(own)))
        .collect()
}

/// Lines of errors, to be drawn on a logarithmic axis that holds all of them and at least the `usual` range.
pub fn error_lines(series: Vec<Series>, x: (f64, f64), usual: (f64, f64)) -> ViewData {
    let all = series.iter().flat_map(|line| &line.ys).filter(|e| e.is_finite() && **e > 0.0);
    let (low, high) = all.fold(usual, |(low, high), e| (low.min(*e), high.max(*e)));
    ViewData::Lines { series, x, y: (0.7 * low, 1.4 * high) }
}

/// x, y pairs of the first two coordinates; what is not finite or far outside is put far outside.
pub(super) fn positions(x: &Batch<f64>) -> Vec<f32> {
    let show = |v: f64| if v.is_finite() { v.clamp(-1e6, 1e6) as f32 } else { 1e6 };
    let (xs, ys) = (x.coordinate(0), x.coordinate(x.dim().min(2) - 1));
    xs.iter().zip(ys).flat_map(|(a, b)| [show(*a), show(*b)]).collect()
}

/// Direction of each point from the origin, in (−π, π].
pub fn angles(x: &Batch<f64>) -> Vec<f32> {
    let (xs, ys) = (x.coordinate(0), x.coordinate(x.dim().min(2) - 1));
    xs.iter().zip(ys).map(|(a, b)| b.atan2(*a) as f32).collect()
}

/// The square root of a mixture's density over the square of side 2 · `limit`, 1 where it is largest: tails stay visible
/// beside sharp modes.
pub fn density(mixture: &Mixture, limit: f64) -> ViewData {
    let at = |i: usize| limit * (2.0 * (i as f64 + 0.5) / CELLS as f64 - 1.0);
    let cell = |j: usize| (0..CELLS).map(move |i| [at(i), at(j)]);
    let logs: Vec<f64> = (0..CELLS).flat_map(cell).map(|x| mixture.log_density(&x, 1.0, 0.0)).collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let data = logs.iter().map(|v| (0.5 * (v - top)).exp() as f32).collect();
    let side = (-limit, limit);
    ViewData::Field { nx: CELLS, ny: CELLS, data, x: side, y: side, range: (0.0, 1.0) }
}

/// Mean energy distance between `pairs` pairs of independent sets of `len` samples of the mixture.
pub fn energy_floor(mixture: &Mixture, len: usize, pairs: u32, seed: u32) -> f64 {
    let pair = |i: u32| {
        // Seeds far from the ones people type, so that no set is also the run's own.
        let rng = Philox::new(seed.wrapping_add(1_000_003 * (i + 1)));
        let [a, b] = [Stream::Data, Stream::Control].map(|s| mixture.sample(len, 1.0, 0.0, &rng, s));
        energy_distance(&a, &b)
    };
    (0..pairs).map(pair).sum::<f64>() / f64::from(pairs.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trails_are_thinned_to_the_same_length_and_keep_their_end() {
        let mut trails = Trails::of(3);
        for k in 0..200 {
            trails.push(&Batch::from_points(2, &[f64::from(k), 0.0].repeat(5)));
        }
        let (flat, len) = trails.flat();
        assert!(len <= TRAIL_POINTS && flat.len() == 3 * 2 * len);
        assert_eq!(flat[2 * len - 2], 199.0);
    }
}
