//! Arithmetic of functions of the plane with their derivatives to order 3.

use super::Jet;

/// Taylor coefficients of a function of the plane at a point, to total order 3, in the order of [`ORDERS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taylor(pub [f64; 10]);

/// Orders along x and y.
pub const ORDERS: [[usize; 2]; 10] = [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2], [3, 0], [2, 1], [1, 2], [0, 3]];
/// Derivative over Taylor coefficient.
pub const FACTORIALS: [f64; 10] = [1.0, 1.0, 1.0, 2.0, 1.0, 2.0, 6.0, 2.0, 2.0, 6.0];
/// Where u and v with their x, y, xx and yy derivatives are among those of the stream function, v with the other sign.
const OF_STREAM: [[usize; 5]; 2] = [[2, 4, 5, 7, 9], [1, 3, 4, 6, 8]];

/// Position of the product of two terms, if it is of order 3 at most.
pub fn product(i: usize, j: usize) -> Option<usize> {
    let [a, b] = [ORDERS[i][0] + ORDERS[j][0], ORDERS[i][1] + ORDERS[j][1]];
    let n = a + b;
    (n <= 3).then_some(n * (n + 1) / 2 + b)
}

impl Taylor {
    pub fn constant(value: f64) -> Self {
        let mut out = [0.0; 10];
        out[0] = value;
        Self(out)
    }
    pub fn x(at: f64) -> Self {
        let mut out = Self::constant(at);
        out.0[1] = 1.0;
        out
    }
    pub fn y(at: f64) -> Self {
        let mut out = Self::constant(at);
        out.0[2] = 1.0;
        out
    }
    pub fn scaled(self, factor: f64) -> Self {
        Self(self.0.map(|c| factor * c))
    }
    /// This and `factor` times the other.
    pub fn plus(self, other: Self, factor: f64) -> Self {
        Self(std::array::from_fn(|k| self.0[k] + factor * other.0[k]))
    }
    pub fn times(self, other: Self) -> Self {
        let mut out = [0.0; 10];
        for (i, a) in self.0.into_iter().enumerate() {
            for (j, b) in other.0.into_iter().enumerate() {
                if let Some(k) = product(i, j) {
                    out[k] += a * b;
                }
            }
        }
        Self(out)
    }
    /// Adjoint of the first factor of [`times`](Self::times) from that of the product.
    pub fn back(self, adjoint: Self) -> Self {
        let mut out = [0.0; 10];
        for (i, own) in out.iter_mut().enumerate() {
            for (j, b) in self.0.into_iter().enumerate() {
                if let Some(k) = product(i, j) {
                    *own += b * adjoint.0[k];
                }
            }
        }
        Self(out)
    }
    /// 1 over this. In a corner the fraction of which it is part has no value: what comes out there is finite.
    pub fn inverse(self) -> Self {
        let first = 1.0 / self.0[0].max(1e-9);
        let mut out = Self::constant(first);
        // Each order needs only lower ones.
        for k in 1..10 {
            let known: f64 = (1..10)
                .flat_map(|i| (0..k).map(move |j| (i, j)))
                .filter(|(i, j)| product(*i, *j) == Some(k))
                .map(|(i, j)| self.0[i] * out.0[j])
                .sum();
            out.0[k] = -first * known;
        }
        out
    }
    /// u and v of this stream function.
    pub fn velocities(self) -> [Jet; 2] {
        let of = |o: usize| OF_STREAM[o].map(|k| if o == 0 { 1.0 } else { -1.0 } * FACTORIALS[k] * self.0[k]);
        [of(0), of(1)]
    }
    /// Adjoint of the stream function's coefficients from those of the velocities.
    pub fn of_velocities(adjoints: [Jet; 2]) -> Self {
        let mut out = [0.0; 10];
        for (o, adjoint) in adjoints.into_iter().enumerate() {
            for (k, a) in OF_STREAM[o].into_iter().zip(adjoint) {
                out[k] += if o == 0 { 1.0 } else { -1.0 } * FACTORIALS[k] * a;
            }
        }
        Self(out)
    }
}
