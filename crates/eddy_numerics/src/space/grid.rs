//! Regular grids and their wavenumbers.

/// A periodic interval `[start, start + length)` with `points` equidistant points; the right end is not a point of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Periodic {
    pub points: usize,
    pub length: f64,
    /// Coordinate of point 0.
    pub start: f64,
}

impl Periodic {
    /// `[0, length)`.
    pub fn new(points: usize, length: f64) -> Self {
        Self { points, length, start: 0.0 }
    }

    /// `[-length/2, length/2)`.
    pub fn centred(points: usize, length: f64) -> Self {
        Self { points, length, start: -0.5 * length }
    }

    /// Distance of two points.
    pub fn spacing(&self) -> f64 {
        self.length / self.points as f64
    }

    /// Coordinate of point `i`.
    pub fn x(&self, i: usize) -> f64 {
        self.start + self.spacing() * i as f64
    }

    /// All coordinates.
    pub fn xs(&self) -> Vec<f64> {
        (0..self.points).map(|i| self.x(i)).collect()
    }

    /// Smallest positive wavenumber, 2π / length.
    pub fn fundamental(&self) -> f64 {
        std::f64::consts::TAU / self.length
    }

    /// Coefficients of a real field: modes 0..=points/2.
    pub fn half_modes(&self) -> usize {
        self.points / 2 + 1
    }

    /// Wavenumbers of the half spectrum of a real field. The entry of the Nyquist mode (even number of points) is its
    /// magnitude; odd derivatives of that mode vanish on the grid, see [`Periodic::derivative_half`].
    pub fn wavenumbers_half(&self) -> Vec<f64> {
        (0..self.half_modes()).map(|m| self.fundamental() * m as f64).collect()
    }

    /// Wavenumbers for a first derivative of a real field: as [`Periodic::wavenumbers_half`], but 0 at the Nyquist mode,
    /// whose derivative is not representable (a sawtooth between the points).
    pub fn derivative_half(&self) -> Vec<f64> {
        let mut k = self.wavenumbers_half();
        if self.points.is_multiple_of(2)
            && let Some(last) = k.last_mut()
        {
            *last = 0.0;
        }
        k
    }

    /// Signed wavenumbers of the full spectrum, in the order of the FFT: 0, 1, …, -2, -1 times the fundamental.
    pub fn wavenumbers(&self) -> Vec<f64> {
        (0..self.points).map(|m| self.fundamental() * signed_mode(m, self.points) as f64).collect()
    }
}

/// Mode number of FFT entry `m` of `n`: m for the first half, m - n for the second. The Nyquist mode counts as -n/2.
pub fn signed_mode(m: usize, n: usize) -> i64 {
    let (m, n) = (m as i64, n as i64);
    if 2 * m < n { m } else { m - n }
}

/// Whether mode `m` of `n` points survives truncation to the fraction `numerator/denominator` of the resolved modes:
/// |m| < fraction · n/2. With 2/3 a product of two fields, with 1/2 a product of three, has no aliasing error in the modes
/// that are kept (Orszag 1971, J. Atmos. Sci. 28, 1074).
pub fn keeps(m: i64, n: usize, (numerator, denominator): (usize, usize)) -> bool {
    2 * m.unsigned_abs() as usize * denominator < numerator * n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_truncation() {
        assert_eq!((0..6).map(|m| signed_mode(m, 6)).collect::<Vec<_>>(), [0, 1, 2, -3, -2, -1]);
        assert_eq!((0..5).map(|m| signed_mode(m, 5)).collect::<Vec<_>>(), [0, 1, 2, -2, -1]);
        assert!(keeps(42, 128, (2, 3)) && !keeps(43, 128, (2, 3)));
        assert!(keeps(-31, 128, (1, 2)) && !keeps(32, 128, (1, 2)));
        let g = Periodic::new(8, std::f64::consts::TAU);
        assert_eq!(g.derivative_half(), [0.0, 1.0, 2.0, 3.0, 0.0]);
        assert_eq!(Periodic::centred(4, 2.0).xs(), [-1.0, -0.5, 0.0, 0.5]);
    }
}
