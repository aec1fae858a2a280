//! Particles in structure-of-arrays order, and linear combinations of them.

use super::Lane;
use crate::rng::{Philox, Stream};

/// `len` points in `dim` dimensions; coordinate d of all points is contiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<T> {
    dim: usize,
    len: usize,
    data: Vec<T>,
}

/// Values per block of a combination: three blocks of f64 stay in a 32 kB first-level cache.
const BLOCK: usize = 1024;

impl<T: Lane> Batch<T> {
    pub fn zeros(dim: usize, len: usize) -> Self {
        Self { dim, len, data: vec![T::ZERO; dim * len] }
    }

    /// From points in array-of-structures order, `dim` values each. A trailing incomplete point is left out.
    pub fn from_points(dim: usize, points: &[f64]) -> Self {
        let len = points.len() / dim.max(1);
        let mut out = Self::zeros(dim, len);
        for (p, point) in points.chunks_exact(dim.max(1)).enumerate() {
            for (d, v) in point.iter().enumerate() {
                out.data[d * len + p] = T::of(*v);
            }
        }
        out
    }

    /// Independent standard normal coordinates times `scale`, the same for a particle whatever the batch length.
    pub fn normal(dim: usize, len: usize, scale: f64, rng: &Philox, stream: Stream, draw: u32) -> Self {
        let mut out = Self::zeros(dim, len);
        out.add_normal(scale, rng, stream, draw);
        out
    }

    /// Adds independent normal noise of standard deviation `scale`.
    pub fn add_normal(&mut self, scale: f64, rng: &Philox, stream: Stream, draw: u32) {
        for chunk in 0..self.dim.div_ceil(4) {
            let width = (self.dim - 4 * chunk).min(4);
            for p in 0..self.len {
                let z = rng.normals(stream, draw, p as u32, chunk as u32);
                for (j, z) in z[..width].iter().enumerate() {
                    self.data[(4 * chunk + j) * self.len + p] += T::of(scale * z);
                }
            }
        }
    }

    pub fn dim(&self) -> usize {
        self.dim
    }
    pub fn len(&self) -> usize {
        self.len
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// All values, coordinate by coordinate.
    pub fn data(&self) -> &[T] {
        &self.data
    }
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
    /// Coordinate `d` of every point.
    pub fn coordinate(&self, d: usize) -> &[T] {
        &self.data[d * self.len..(d + 1) * self.len]
    }
    pub fn coordinate_mut(&mut self, d: usize) -> &mut [T] {
        &mut self.data[d * self.len..(d + 1) * self.len]
    }
    /// Point `p` in f64.
    pub fn point(&self, p: usize) -> Vec<f64> {
        (0..self.dim).map(|d| self.data[d * self.len + p].to_f64()).collect()
    }
    /// All points in array-of-structures order.
    pub fn to_points(&self) -> Vec<f64> {
        (0..self.len).flat_map(|p| self.point(p)).collect()
    }
    /// The same numbers in another format.
    pub fn cast<U: Lane>(&self) -> Batch<U> {
        Batch { dim: self.dim, len: self.len, data: self.data.iter().map(|v| U::of(v.to_f64())).collect() }
    }
    /// The first `len` points, or all if there are fewer.
    pub fn head(&self, len: usize) -> Self {
        let len = len.min(self.len);
        let data = (0..self.dim).flat_map(|d| &self.coordinate(d)[..len]).copied().collect();
        Self { dim: self.dim, len, data }
    }
    /// Number of points with a coordinate that is not finite.
    pub fn non_finite(&self) -> usize {
        // The sum of v - v is 0 unless some v is not finite: one pass without branches in the usual case.
        let probe = self.data.iter().fold(T::ZERO, |acc, v| acc + (*v - *v));
        if probe == T::ZERO {
            return 0;
        }
        (0..self.len).filter(|p| (0..self.dim).any(|d| !self.data[d * self.len + p].is_finite())).count()
    }

    /// self ← scale · self + Σ c_j · terms_j.
    pub fn combine(&mut self, scale: f64, terms: &[(f64, &Self)]) {
        let scale = T::of(scale);
        for (b, out) in self.data.chunks_mut(BLOCK).enumerate() {
            if scale != T::ONE {
                out.iter_mut().for_each(|o| *o *= scale);
            }
            accumulate(out, b, terms);
        }
    }

    /// self ← scale · base + Σ c_j · terms_j.
    pub fn assign(&mut self, scale: f64, base: &Self, terms: &[(f64, &Self)]) {
        let scale = T::of(scale);
        for (b, (out, base)) in self.data.chunks_mut(BLOCK).zip(base.data.chunks(BLOCK)).enumerate() {
            for (o, x) in out.iter_mut().zip(base) {
                *o = scale * *x;
            }
            accumulate(out, b, terms);
        }
    }
}

#[inline(always)]
fn accumulate<T: Lane>(out: &mut [T], block: usize, terms: &[(f64, &Batch<T>)]) {
    for (c, term) in terms {
        let c = T::of(*c);
        let start = block * BLOCK;
        for (o, v) in out.iter_mut().zip(&term.data[start..]) {
            *o += c * *v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations() {
        let a = Batch::<f64>::normal(3, 1000, 1.0, &Philox::new(1), Stream::Prior, 0);
        let b = Batch::<f64>::normal(3, 1000, 1.0, &Philox::new(2), Stream::Prior, 0);
        let mut c = Batch::zeros(3, 1000);
        c.assign(2.0, &a, &[(-3.0, &b), (0.5, &a)]);
        let mut d = a.clone();
        d.combine(2.5, &[(-3.0, &b)]);
        for i in [0, 1, 1023, 1024, 2999] {
            assert!((c.data()[i] - (2.5 * a.data()[i] - 3.0 * b.data()[i])).abs() < 1e-14);
            assert!((c.data()[i] - d.data()[i]).abs() < 1e-14);
        }
    }

    #[test]
    fn noise_of_a_particle_does_not_depend_on_the_batch() {
        let rng = Philox::new(5);
        let small = Batch::<f64>::normal(5, 10, 1.0, &rng, Stream::Path, 4);
        let large = Batch::<f64>::normal(5, 99, 1.0, &rng, Stream::Path, 4);
        assert_eq!(small.point(9), large.point(9));
    }

    #[test]
    fn non_finite_points_are_counted_once() {
        let mut b = Batch::<f32>::zeros(2, 9);
        assert_eq!(b.non_finite(), 0);
        b.coordinate_mut(0)[3] = f32::NAN;
        b.coordinate_mut(1)[3] = f32::INFINITY;
        b.coordinate_mut(1)[8] = f32::NEG_INFINITY;
        assert_eq!(b.non_finite(), 2);
    }
}
