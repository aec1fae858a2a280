//! Thresholding of x₀ (Saharia et al. 2022, section 2.3): keeps guided predictions inside the range of the data.

use super::{Batch, Denoiser, Lane, Node};

/// How the predicted x₀ is kept in range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// Coordinates are clamped to [−max, max].
    Static { max: f64 },
    /// Coordinates are clamped to [−s, s] and divided by s, where s is the quantile `ratio` of the point's |x₀|, at least
    /// `max`: as in the code of DPM-Solver, which also divides by s when it is `max`.
    Dynamic { max: f64, ratio: f64 },
}

impl Threshold {
    fn apply(&self, point: &mut [f64]) {
        match *self {
            Self::Static { max } => point.iter_mut().for_each(|v| *v = v.clamp(-max, max)),
            Self::Dynamic { max, ratio } => {
                let mut sizes: Vec<f64> = point.iter().map(|v| v.abs()).collect();
                sizes.sort_unstable_by(f64::total_cmp);
                // The quantile between order statistics, linear as in NumPy and PyTorch.
                let at = ratio.clamp(0.0, 1.0) * (sizes.len() - 1) as f64;
                let (low, part) = (at.floor() as usize, at.fract());
                let quantile = sizes[low] + part * (sizes[(low + 1).min(sizes.len() - 1)] - sizes[low]);
                let s = quantile.max(max);
                point.iter_mut().for_each(|v| *v = v.clamp(-s, s) / s);
            }
        }
    }
}

/// A denoiser whose x₀ is thresholded; its ε follows from that x₀.
pub struct Thresholded<M> {
    pub model: M,
    pub threshold: Threshold,
}

impl<T: Lane, M: Denoiser<T>> Denoiser<T> for Thresholded<M> {
    fn dim(&self) -> usize {
        self.model.dim()
    }
    fn epsilon(&mut self, x: &Batch<T>, node: &Node, out: &mut Batch<T>) {
        self.data(x, node, out);
        out.combine(-node.alpha / node.sigma, &[(1.0 / node.sigma, x)]);
    }
    fn data(&mut self, x: &Batch<T>, node: &Node, out: &mut Batch<T>) {
        self.model.data(x, node, out);
        for p in 0..out.len() {
            let mut point = out.point(p);
            // NaN stays as it is, for the sampler to report.
            if point.iter().all(|v| !v.is_nan()) && !point.is_empty() {
                self.threshold.apply(&mut point);
            }
            for (d, v) in point.iter().enumerate() {
                out.coordinate_mut(d)[p] = T::of(*v);
            }
        }
    }
    fn evaluations(&self) -> u64 {
        self.model.evaluations()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds() {
        let mut point = [3.0, -0.5, 1.0];
        Threshold::Static { max: 1.0 }.apply(&mut point);
        assert_eq!(point, [1.0, -0.5, 1.0]);
        let mut point = [4.0, -0.5, 1.0];
        // |x| sorted: 0.5, 1, 4; the quantile 0.75 lies half way between 1 and 4.
        Threshold::Dynamic { max: 1.0, ratio: 0.75 }.apply(&mut point);
        assert_eq!(point, [1.0, -0.2, 0.4]);
        let mut point = [0.4, -0.5];
        Threshold::Dynamic { max: 2.0, ratio: 0.5 }.apply(&mut point);
        assert_eq!(point, [0.2, -0.25]);
    }
}
