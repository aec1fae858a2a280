//! Distances of laws by kernels and grids, and what a flow's paths look like.

use super::super::{Batch, Lane};

/// Squared maximum mean discrepancy with the kernel exp(−|x − y|²/2w²), means over all pairs, equal ones included (the
/// V-statistic: never negative). Gretton et al. 2012, equation 5. Costs O(n²).
pub fn mmd_squared<T: Lane>(a: &Batch<T>, b: &Batch<T>, width: f64) -> f64 {
    let mean = |a: &Batch<T>, b: &Batch<T>| {
        let (pa, pb) = (a.to_points(), b.to_points());
        let dim = a.dim().max(1);
        let mut sum = 0.0;
        for x in pa.chunks(dim) {
            for y in pb.chunks(dim) {
                let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum();
                sum += (-0.5 * square / (width * width)).exp();
            }
        }
        sum / (a.len() * b.len()).max(1) as f64
    };
    mean(a, a) + mean(b, b) - 2.0 * mean(a, b)
}

/// Shares of the points in `cells` × `cells` equal squares of [−reach, reach]², x fastest, over the first two
/// coordinates (in one dimension: one row). Points outside are in no cell.
pub fn histogram<T: Lane>(x: &Batch<T>, reach: f64, cells: usize) -> Vec<f64> {
    let rows = if x.dim() > 1 { cells } else { 1 };
    let mut out = vec![0.0; cells * rows];
    let cell = |v: f64| {
        let at = (v + reach) / (2.0 * reach) * cells as f64;
        (at >= 0.0 && at < cells as f64).then_some(at as usize)
    };
    for p in 0..x.len() {
        let column = cell(x.coordinate(0)[p].to_f64());
        let row = if x.dim() > 1 { cell(x.coordinate(1)[p].to_f64()) } else { Some(0) };
        if let (Some(column), Some(row)) = (column, row) {
            out[row * cells + column] += 1.0 / x.len() as f64;
        }
    }
    out
}

/// KL(p ‖ q) = Σ p ln(p/q) of two laws on one grid, in nats, both scaled to the sum 1. Infinite where p has mass and q
/// none.
pub fn kl_on_grid(p: &[f64], q: &[f64]) -> f64 {
    let (sum_p, sum_q) = (p.iter().sum::<f64>(), q.iter().sum::<f64>());
    let term = |(p, q): (&f64, &f64)| if *p > 0.0 { p / sum_p * ((p / sum_p) / (q / sum_q)).ln() } else { 0.0 };
    p.iter().zip(q).map(term).sum()
}

/// How far paths are from straight: the mean over particles of ∫ |ẋ − (x_end − x_start)/T|² dt · T, with ẋ from the
/// differences between saved states (Liu, Gong, Liu 2023, equation 9, for any time span T). 0 for straight paths
/// followed at constant speed. NaN with fewer than two states.
pub fn straightness<T: Lane>(states: &[Batch<T>], times: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (states.first(), states.last()) else { return f64::NAN };
    let (Some(start), Some(end)) = (times.first(), times.last()) else { return f64::NAN };
    if states.len() < 2 || states.len() != times.len() || start == end {
        return f64::NAN;
    }
    let span = end - start;
    let mut sum = 0.0;
    for (pair, t) in states.windows(2).zip(times.windows(2)) {
        let step = t[1] - t[0];
        for k in 0..first.data().len() {
            let value = |b: &Batch<T>| b.data()[k].to_f64();
            let off = (value(&pair[1]) - value(&pair[0])) / step - (value(last) - value(first)) / span;
            sum += off * off * step * span;
        }
    }
    sum / first.len().max(1) as f64
}

/// Mean squared distance between where particles start and where they end: the cost of the coupling that a flow makes.
pub fn transport_cost<T: Lane>(start: &Batch<T>, end: &Batch<T>) -> f64 {
    let square = |(a, b): (&T, &T)| (a.to_f64() - b.to_f64()).powi(2);
    start.data().iter().zip(end.data()).map(square).sum::<f64>() / start.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Philox, Stream};

    #[test]
    fn mmd_of_gaussians_is_its_closed_form() {
        // For N(0, 1) and N(m, 1) with kernel width w: E k = w/√(w² + 2) exp(−m²/2(w² + 2)).
        let (w, m) = (1.0_f64, 1.5);
        let a = Batch::<f64>::normal(1, 2000, 1.0, &Philox::new(1), Stream::Prior, 0);
        let mut b = Batch::<f64>::normal(1, 2000, 1.0, &Philox::new(2), Stream::Prior, 0);
        b.coordinate_mut(0).iter_mut().for_each(|v| *v += m);
        let scale = w / (w * w + 2.0).sqrt();
        let exact = 2.0 * scale * (1.0 - (-m * m / (2.0 * (w * w + 2.0))).exp());
        let got = mmd_squared(&a, &b, w);
        assert!((got / exact - 1.0).abs() < 0.1, "{got} {exact}");
        assert!(mmd_squared(&a, &a, w).abs() < 1e-12);
    }

    #[test]
    fn kl_of_small_laws() {
        let (p, q) = ([0.5, 0.5, 0.0], [0.25, 0.5, 0.25]);
        assert!((kl_on_grid(&p, &q) - 0.5 * 2.0_f64.ln()).abs() < 1e-15);
        assert_eq!(kl_on_grid(&q, &p), f64::INFINITY);
        assert!(kl_on_grid(&[2.0, 4.0], &[1.0, 2.0]).abs() < 1e-15);
        let x = Batch::<f64>::from_points(2, &[-0.9, -0.9, 0.9, -0.9, 0.9, 0.9, 5.0, 0.0]);
        assert_eq!(histogram(&x, 1.0, 2), [0.25, 0.25, 0.0, 0.25]);
    }

    #[test]
    fn straight_and_bent_paths() {
        let at = |x: f64, y: f64| Batch::<f64>::from_points(2, &[x, y]);
        let straight = [at(0.0, 0.0), at(0.5, 1.0), at(1.0, 2.0)];
        let times = [1.0, 0.5, 0.0];
        assert!(straightness(&straight, &times).abs() < 1e-15);
        // Half way to the side: both legs are off by (0, ±2) in speed, for half the time each.
        let bent = [at(0.0, 0.0), at(0.5, 1.0), at(1.0, 0.0)];
        assert!((straightness(&bent, &times) - 4.0).abs() < 1e-12);
        assert_eq!(transport_cost(&straight[0], &straight[2]), 5.0);
        assert!(straightness(&straight[..1], &times[..1]).is_nan());
    }
}
