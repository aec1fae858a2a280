//! How far samples are from a reference run, or from the target.

mod assignment;
mod laws;

pub use assignment::wasserstein_exact;
pub use laws::{histogram, kl_on_grid, mmd_squared, straightness, transport_cost};

use super::{Batch, Lane};

/// Distances of paired particles, sorted. Particles that are not finite count as infinitely far.
pub fn paired_distances<T: Lane>(a: &Batch<T>, b: &Batch<T>) -> Vec<f64> {
    let square = |p: usize| {
        (0..a.dim()).map(|d| (a.coordinate(d)[p].to_f64() - b.coordinate(d)[p].to_f64()).powi(2)).sum::<f64>()
    };
    let mut out: Vec<f64> = (0..a.len().min(b.len()))
        .map(|p| square(p).sqrt())
        .map(|v| if v.is_nan() { f64::INFINITY } else { v })
        .collect();
    out.sort_unstable_by(f64::total_cmp);
    out
}

/// Root mean square of distances.
pub fn rms(distances: &[f64]) -> f64 {
    (distances.iter().map(|v| v * v).sum::<f64>() / distances.len().max(1) as f64).sqrt()
}

/// Quantile q in [0, 1] of sorted values; NaN if there are none.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    sorted[((sorted.len() - 1) as f64 * q.clamp(0.0, 1.0)).round() as usize]
}

/// Share of particles farther than `limit` from `centre`, or not finite.
pub fn share_beyond<T: Lane>(x: &Batch<T>, centre: &[f64], limit: f64) -> f64 {
    let beyond = |p: &usize| {
        let square: f64 = (0..x.dim()).map(|d| (x.coordinate(d)[*p].to_f64() - centre[d]).powi(2)).sum();
        // Not `>`, which would count NaN as near.
        !(square <= limit * limit)
    };
    (0..x.len()).filter(beyond).count() as f64 / x.len().max(1) as f64
}

/// Squared 2-Wasserstein distance of two samples on the line (any sizes), exact: the integral of the squared
/// difference of their quantile functions. Sorts its arguments.
pub fn wasserstein_1d_squared(a: &mut [f64], b: &mut [f64]) -> f64 {
    a.sort_unstable_by(f64::total_cmp);
    b.sort_unstable_by(f64::total_cmp);
    let (n, m) = (a.len(), b.len());
    let (mut i, mut j, mut done, mut sum) = (0, 0, 0.0, 0.0);
    while i < n && j < m {
        let (next_a, next_b) = ((i + 1) as f64 / n as f64, (j + 1) as f64 / m as f64);
        let next = next_a.min(next_b);
        sum += (next - done) * (a[i] - b[j]).powi(2);
        done = next;
        // Equal sizes advance together; integers decide, so that rounding does not.
        let order = ((i + 1) * m).cmp(&((j + 1) * n));
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
    sum
}

/// Sliced 2-Wasserstein distance: the root mean over `directions` of the squared distance of the projections. In the
/// plane the directions are evenly spaced, in one dimension there is one, beyond they are drawn from a fixed stream.
pub fn sliced_wasserstein<T: Lane>(a: &Batch<T>, b: &Batch<T>, directions: usize) -> f64 {
    let dim = a.dim();
    let count = if dim == 1 { 1 } else { directions.max(1) };
    let mut sum = 0.0;
    for k in 0..count {
        let axis = direction(dim, k, count);
        let project = |x: &Batch<T>| -> Vec<f64> {
            let mut out = vec![0.0; x.len()];
            for d in 0..dim {
                out.iter_mut().zip(x.coordinate(d)).for_each(|(o, v)| *o += axis[d] * v.to_f64());
            }
            out
        };
        sum += wasserstein_1d_squared(&mut project(a), &mut project(b));
    }
    (sum / count as f64).sqrt()
}

fn direction(dim: usize, k: usize, count: usize) -> Vec<f64> {
    use crate::rng::{Philox, Stream};
    if dim == 1 {
        return vec![1.0];
    }
    if dim == 2 {
        let angle = std::f64::consts::PI * (k as f64 + 0.5) / count as f64;
        return vec![angle.cos(), angle.sin()];
    }
    let z: Vec<f64> =
        (0..dim).map(|d| Philox::new(0).normals(Stream::Control, 7, k as u32, (d / 4) as u32)[d % 4]).collect();
    let norm = z.iter().map(|v| v * v).sum::<f64>().sqrt();
    z.iter().map(|v| v / norm).collect()
}

/// Energy distance 2 E|X − Y| − E|X − X'| − E|Y − Y'| with means over all pairs, equal ones included (the V-statistic:
/// never negative; its value for two samples of one law, of n points each, is about 2 E|X − X'| / n). Costs O(n²).
pub fn energy_distance<T: Lane>(a: &Batch<T>, b: &Batch<T>) -> f64 {
    2.0 * mean_distance(a, b) - mean_distance(a, a) - mean_distance(b, b)
}

fn mean_distance<T: Lane>(a: &Batch<T>, b: &Batch<T>) -> f64 {
    let mut sum = 0.0;
    let mut squares = vec![0.0; b.len()];
    for p in 0..a.len() {
        squares.fill(0.0);
        for d in 0..a.dim() {
            let x = a.coordinate(d)[p].to_f64();
            squares.iter_mut().zip(b.coordinate(d)).for_each(|(s, y)| *s += (x - y.to_f64()) * (x - y.to_f64()));
        }
        sum += squares.iter().map(|s| s.sqrt()).sum::<f64>();
    }
    sum / (a.len() * b.len()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diffusion::targets,
        rng::{Philox, Stream},
    };

    #[test]
    fn wasserstein_of_shifted_and_of_unequal_samples() {
        let mut a: Vec<f64> = (0..100).map(f64::from).collect();
        let mut b: Vec<f64> = a.iter().map(|v| v + 3.0).rev().collect();
        assert!((wasserstein_1d_squared(&mut a, &mut b) - 9.0).abs() < 1e-12);
        // Each point twice is the same law.
        let mut twice: Vec<f64> = a.iter().chain(&a).copied().collect();
        assert!(wasserstein_1d_squared(&mut a, &mut twice) < 1e-12);
        // {0, 1} against {0, 0, 1}: mass 1/6 moves by 1.
        assert!((wasserstein_1d_squared(&mut [0.0, 1.0], &mut [0.0, 0.0, 1.0]) - 1.0 / 6.0).abs() < 1e-15);
    }

    #[test]
    fn energy_distance_of_two_points() {
        let at = |x: f64| Batch::<f64>::from_points(1, &[x]);
        assert_eq!(energy_distance(&at(0.0), &at(2.0)), 4.0);
        assert_eq!(energy_distance(&at(1.0), &at(1.0)), 0.0);
    }

    #[test]
    fn sliced_distance_of_a_shift() {
        // In the plane the mean of cos² over directions is one half.
        let a = Batch::<f64>::from_points(2, &[0.0, 0.0, 1.0, 1.0]);
        let b = Batch::<f64>::from_points(2, &[0.5, 0.0, 1.5, 1.0]);
        assert!((sliced_wasserstein(&a, &b, 64) - 0.5 * 0.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn same_law_lies_at_the_floor() {
        let m = targets::ring(8, 1.4, 0.1);
        let draw = |stream| m.sample(1000, 1.0, 0.0, &Philox::new(1), stream);
        let (a, b) = (draw(Stream::Data), draw(Stream::Control));
        let floor = 2.0 * mean_distance(&a, &a) / 1000.0;
        let d = energy_distance(&a, &b);
        assert!(d > 0.2 * floor && d < 3.0 * floor, "{d} {floor}");
        let shifted = targets::ring(8, 1.6, 0.1).sample(1000, 1.0, 0.0, &Philox::new(1), Stream::Control);
        assert!(energy_distance(&a, &shifted) > 3.0 * floor);
    }

    #[test]
    fn what_is_not_finite_is_far() {
        let mut x = Batch::<f64>::zeros(2, 4);
        x.coordinate_mut(1)[2] = f64::NAN;
        assert_eq!(share_beyond(&x, &[0.0, 0.0], 1.0), 0.25);
        assert_eq!(rms(&paired_distances(&x, &Batch::zeros(2, 4))), f64::INFINITY);
    }
}
