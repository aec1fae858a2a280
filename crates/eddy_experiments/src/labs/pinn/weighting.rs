//! Weights of the residual in time.

/// How the points of a step lie in time: `count` slices of `points` each, at rising times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slices {
    pub count: usize,
    pub points: usize,
    pub end: f64,
}

impl Slices {
    /// Time of slice `i` as drawn.
    pub fn time(&self, i: usize) -> f64 {
        self.end * (i as f64 + 0.5) / self.count as f64
    }
}

/// How much each moment counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Weighting {
    /// All moments alike.
    Uniform,
    /// w_i = exp(−ε · (1/N) Σ_{k<i} L(t_k)) with L the mean squared residual of a slice: a moment counts once all before it
    /// are solved (Wang, Sankaran, Perdikaris 2024, eqs. 14-16; we divide the sum by the number of slices N, so that ε does
    /// not depend on it). The weights are constants to the gradient. ε runs through `stages`: the next one begins when the
    /// smallest weight exceeds `threshold`, which is also the test of convergence.
    Causal { stages: Vec<f64>, threshold: f64 },
}

/// Weighs the residuals of one pass. Points must come in order of time: a weight needs only what came before, so one pass
/// is enough.
#[derive(Clone, Debug)]
pub struct Weigher {
    slices: Slices,
    epsilon: f64,
    /// (1/N) Σ of the finished slices' losses.
    before: f64,
    sum: f64,
    weight: f64,
    losses: Vec<f64>,
    weights: Vec<f64>,
    /// Number of the first point of the batch within the pass.
    first: usize,
    /// Squared residuals of all points of the pass, where they are asked for.
    #[cfg(feature = "pinn")]
    pub kept: Option<Vec<f64>>,
}

impl Weigher {
    pub fn new(slices: Slices) -> Self {
        let zeros = vec![0.0; slices.count];
        Self {
            slices,
            epsilon: 0.0,
            before: 0.0,
            sum: 0.0,
            weight: 1.0,
            losses: zeros.clone(),
            weights: vec![1.0; zeros.len()],
            first: 0,
            #[cfg(feature = "pinn")]
            kept: None,
        }
    }

    /// Begins a pass with strictness `epsilon`, 0 for equal weights.
    pub fn begin(&mut self, epsilon: f64) {
        (self.epsilon, self.before, self.sum, self.weight, self.first) = (epsilon, 0.0, 0.0, 1.0, 0);
    }

    /// The pass comes in several batches, of which the next one starts with this point.
    #[cfg(feature = "pinn")]
    pub fn start_at(&mut self, first: usize) {
        self.first = first;
    }

    /// Takes the squared residual of point `point` of the step and returns what its derivative counts in the loss:
    /// w/(number of points).
    pub fn weigh(&mut self, point: usize, squared: f64) -> f64 {
        let point = self.first + point;
        let (slice, within) = (point / self.slices.points, point % self.slices.points);
        if within == 0 {
            self.weight = (-self.epsilon * self.before).exp();
            self.weights[slice] = self.weight;
            self.sum = 0.0;
        }
        self.sum += squared;
        #[cfg(feature = "pinn")]
        if let Some(kept) = &mut self.kept {
            kept.push(squared);
        }
        if within + 1 == self.slices.points {
            self.losses[slice] = self.sum / self.slices.points as f64;
            self.before += self.losses[slice] / self.slices.count as f64;
        }
        self.weight / (self.slices.count * self.slices.points) as f64
    }

    /// Mean squared residual of the last pass.
    pub fn mean(&self) -> f64 {
        self.before
    }
    /// The smallest weight of the last pass; NaN if a residual was.
    pub fn smallest(&self) -> f64 {
        (-self.epsilon * self.before).exp()
    }
    /// Mean squared residual of each slice.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
    pub fn slices(&self) -> Slices {
        self.slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_the_formula() {
        let mut w = Weigher::new(Slices { count: 3, points: 2, end: 1.0 });
        w.begin(2.0);
        let squares = [1.0, 3.0, 0.5, 0.5, 7.0, 9.0];
        let factors: Vec<f64> = squares.iter().enumerate().map(|(i, s)| w.weigh(i, *s)).collect();
        // Slice losses 2, 1/2, 8; sums before, over three slices: 0, 2/3, 5/6.
        let expected = [1.0, (-4.0f64 / 3.0).exp(), (-5.0f64 / 3.0).exp()];
        for (i, f) in factors.iter().enumerate() {
            assert!((f - expected[i / 2] / 6.0).abs() < 1e-15);
        }
        assert_eq!(w.losses(), [2.0, 0.5, 8.0]);
        assert!((w.mean() - 3.5).abs() < 1e-15 && (w.smallest() - (-7.0f64).exp()).abs() < 1e-15);
        // Without causality all weigh the same.
        w.begin(0.0);
        assert!(squares.iter().enumerate().all(|(i, s)| w.weigh(i, *s) == 1.0 / 6.0));
    }
}
