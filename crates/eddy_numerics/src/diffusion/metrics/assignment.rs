//! The exact 2-Wasserstein distance of two samples of equal size.

use super::super::{Batch, Lane};

/// √(min over pairings of the mean squared distance) of two samples of as many points; `None` for unequal sizes, none at
/// all, or coordinates that are not finite. Shortest augmenting paths with potentials (Jonker & Volgenant 1987): O(n³)
/// time and O(n²) memory, so for up to about a thousand points.
pub fn wasserstein_exact<T: Lane>(a: &Batch<T>, b: &Batch<T>) -> Option<f64> {
    let n = a.len();
    if n == 0 || b.len() != n || a.non_finite() + b.non_finite() > 0 {
        return None;
    }
    let (pa, pb) = (a.to_points(), b.to_points());
    let dim = a.dim();
    let mut cost = Vec::with_capacity(n * n);
    for x in pa.chunks(dim) {
        for y in pb.chunks(dim) {
            cost.push(x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>());
        }
    }
    let pairs = assignment(&cost, n);
    Some((pairs.iter().enumerate().map(|(i, j)| cost[i * n + j]).sum::<f64>() / n as f64).sqrt())
}

/// The column of each row in an assignment of least total cost; `cost` is n × n in row order.
fn assignment(cost: &[f64], n: usize) -> Vec<usize> {
    // One more row and column than there are: index 0 is the virtual start of a path.
    let mut row_price = vec![0.0; n + 1];
    let mut column_price = vec![0.0; n + 1];
    let mut row_of = vec![0; n + 1];
    let mut before = vec![0; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut at = 0;
        let mut shortest = vec![f64::INFINITY; n + 1];
        let mut visited = vec![false; n + 1];
        while row_of[at] != 0 {
            visited[at] = true;
            let from = row_of[at];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for j in (1..=n).filter(|j| !visited[*j]) {
                let reduced = cost[(from - 1) * n + j - 1] - row_price[from] - column_price[j];
                if reduced < shortest[j] {
                    (shortest[j], before[j]) = (reduced, at);
                }
                if shortest[j] < step {
                    (step, next) = (shortest[j], j);
                }
            }
            for j in 0..=n {
                if visited[j] {
                    row_price[row_of[j]] += step;
                    column_price[j] -= step;
                } else {
                    shortest[j] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            row_of[at] = row_of[before[at]];
            at = before[at];
        }
    }
    let mut out = vec![0; n];
    for j in 1..=n {
        out[row_of[j] - 1] = j - 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diffusion::metrics::sliced_wasserstein,
        rng::{Philox, Stream},
    };

    #[test]
    fn the_best_of_all_pairings() {
        // Every permutation of five points is tried.
        for seed in 0..20 {
            let a = Batch::<f64>::normal(2, 5, 1.0, &Philox::new(seed), Stream::Prior, 0);
            let b = Batch::<f64>::normal(2, 5, 1.0, &Philox::new(seed), Stream::Data, 0);
            let square =
                |i: usize, j: usize| a.point(i).iter().zip(b.point(j)).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
            let mut best = f64::INFINITY;
            for code in 0..5_usize.pow(5) {
                let to: Vec<usize> = (0..5).map(|i| code / 5_usize.pow(i) % 5).collect();
                if (0..5).all(|j| to.contains(&j)) {
                    best = best.min(to.iter().enumerate().map(|(i, j)| square(i, *j)).sum::<f64>());
                }
            }
            let got = wasserstein_exact(&a, &b).unwrap();
            assert!((got - (best / 5.0).sqrt()).abs() < 1e-12, "{seed}: {got}");
        }
    }

    #[test]
    fn a_shift_costs_its_length_and_slices_never_more() {
        let a = Batch::<f64>::normal(2, 200, 1.0, &Philox::new(1), Stream::Prior, 0);
        let mut b = a.clone();
        b.coordinate_mut(0).iter_mut().for_each(|v| *v += 0.3);
        b.coordinate_mut(1).iter_mut().for_each(|v| *v -= 0.4);
        let exact = wasserstein_exact(&a, &b).unwrap();
        assert!((exact - 0.5).abs() < 1e-12, "{exact}");
        assert!(sliced_wasserstein(&a, &b, 32) <= exact);
        assert_eq!(wasserstein_exact(&a, &a), Some(0.0));
        assert_eq!(wasserstein_exact(&a, &a.head(10)), None);
    }
}
