//! Fourier coefficients of fields in one to three dimensions ↔ values on a grid that may be finer.
//!
//! Only the wavenumbers |m| ≤ K of each axis are kept, below the Nyquist one, so that every derivative of a real field is
//! real. Coefficients are those of the Fourier series, independent of the grid: u(x) = Σ û_m exp(i k_m (x - x_min)).

use eddy_numerics::{
    Complex, Real,
    space::fft::{ComplexFft, RealFft},
};

/// Which coefficients are kept: order along an axis is 0, 1, …, K, then -K, …, -1 (without the negative ones along x for
/// real fields, where they are the conjugates).
#[derive(Clone, Debug, PartialEq)]
pub struct Modes {
    pub is_real: bool,
    /// Largest |m| kept along each axis; 0 beyond the dimension.
    pub highest: [usize; 3],
    /// Coefficients along each axis.
    pub shape: [usize; 3],
    /// 2π / length of each axis.
    pub fundamental: [f64; 3],
}

impl Modes {
    pub fn new(highest: [usize; 3], fundamental: [f64; 3], is_real: bool) -> Self {
        let full = highest.map(|k| 2 * k + 1);
        let shape = [if is_real { highest[0] + 1 } else { full[0] }, full[1], full[2]];
        Self { is_real, highest, shape, fundamental }
    }

    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// Signed wavenumbers along an axis, in radians per length.
    pub fn wavenumbers(&self, axis: usize) -> Vec<f64> {
        (0..self.shape[axis]).map(|index| self.signed(axis, index) as f64 * self.fundamental[axis]).collect()
    }

    fn signed(&self, axis: usize, index: usize) -> i64 {
        if index <= self.highest[axis] { index as i64 } else { index as i64 - (2 * self.highest[axis] + 1) as i64 }
    }

    /// Index of the coefficient of the opposite wavenumber; `None` where it is not stored, as for real fields with m_x > 0.
    pub fn opposite(&self, index: usize) -> Option<usize> {
        let [nx, ny, nz] = self.shape;
        let [x, y, z] = [index % nx, index / nx % ny, index / (nx * ny)];
        if self.is_real && x > 0 {
            return None;
        }
        Some((nx - x) % nx + nx * ((ny - y) % ny + ny * ((nz - z) % nz)))
    }

    /// The wavenumber vector of a coefficient.
    pub fn at(&self, index: usize) -> [f64; 3] {
        let [nx, ny, _] = self.shape;
        let place = [index % nx, index / nx % ny, index / (nx * ny)];
        [0, 1, 2].map(|axis| self.signed(axis, place[axis]) as f64 * self.fundamental[axis])
    }

    /// Weight of a coefficient in sums over all of the spectrum: 2 where its conjugate is not stored.
    pub fn weight(&self, index: usize) -> f64 {
        if self.is_real && index % self.shape[0] != 0 { 2.0 } else { 1.0 }
    }

    /// Writes (i k)^orders û to `out`.
    pub fn derivative<R: Real>(&self, orders: [u8; 3], u_hat: &[Complex<R>], out: &mut [Complex<R>]) {
        let power = |axis: usize| -> Vec<f64> {
            self.wavenumbers(axis).iter().map(|k| k.powi(i32::from(orders[axis]))).collect()
        };
        let (px, py, pz) = (power(0), power(1), power(2));
        let turns = orders.iter().map(|order| u32::from(*order)).sum::<u32>() % 4;
        let px: Vec<R> = px.into_iter().map(R::of).collect();
        let [nx, ny, nz] = self.shape;
        for z in 0..nz {
            for y in 0..ny {
                let factor = R::of(pz[z] * py[y]);
                let row = (z * ny + y) * nx..(z * ny + y + 1) * nx;
                for ((out, u), p) in out[row.clone()].iter_mut().zip(&u_hat[row]).zip(&px) {
                    let size = factor * *p;
                    *out = match turns {
                        0 => *u * size,
                        1 => Complex::new(-(u.im * size), u.re * size),
                        2 => -(*u * size),
                        _ => Complex::new(u.im * size, -(u.re * size)),
                    };
                }
            }
        }
    }
}

/// Rows that are moved together between row and column order.
const BLOCK: usize = 8;

enum Line<R: Real> {
    Real(RealFft<R>),
    Complex(ComplexFft<R>),
}

/// The transform of one field; plans and work space are made once.
pub struct Transform<R: Real> {
    modes: Modes,
    grid: [usize; 3],
    line: Line<R>,
    columns: [Option<ComplexFft<R>>; 2],
    /// Coefficients by column: [kx][y], one plane at a time.
    plane: Vec<Complex<R>>,
    /// Coefficients of all planes: [z][ky][kx], in three dimensions only.
    planes: Vec<Complex<R>>,
    depth: Vec<Complex<R>>,
    rows: Vec<Complex<R>>,
}

impl<R: Real> Transform<R> {
    /// # Panics
    /// If the grid does not resolve the modes (it needs more than 2K points along each axis).
    pub fn new(modes: Modes, grid: [usize; 3]) -> Self {
        for axis in 0..3 {
            assert!(grid[axis] > 2 * modes.highest[axis], "the grid resolves the modes");
        }
        let line =
            if modes.is_real { Line::Real(RealFft::new(grid[0])) } else { Line::Complex(ComplexFft::new(grid[0])) };
        let column = |axis: usize| (grid[axis] > 1).then(|| ComplexFft::new(grid[axis]));
        let zero = Complex::default();
        let row = if modes.is_real { grid[0] / 2 + 1 } else { grid[0] };
        let is_deep = grid[2] > 1;
        Self {
            line,
            columns: [column(1), column(2)],
            plane: vec![zero; if grid[1] > 1 { modes.shape[0] * grid[1] } else { 0 }],
            planes: vec![zero; if is_deep { modes.shape[0] * modes.shape[1] * grid[2] } else { 0 }],
            depth: vec![zero; if is_deep { grid[2] } else { 0 }],
            rows: vec![zero; BLOCK * row],
            modes,
            grid,
        }
    }

    pub fn modes(&self) -> &Modes {
        &self.modes
    }

    pub fn points(&self) -> usize {
        self.grid.iter().product()
    }

    /// Coefficients to values. `im` is written for complex fields only.
    pub fn inverse(&mut self, u_hat: &[Complex<R>], re: &mut [R], im: &mut [R]) {
        let [mx, my, mz] = self.modes.shape;
        let [nx, ny, nz] = self.grid;
        let plane = nx * ny;
        if nz == 1 {
            return self.plane_inverse(u_hat, re, im);
        }
        let mut planes = std::mem::take(&mut self.planes);
        let highest = self.modes.highest[2];
        if let Some(fft) = &mut self.columns[1] {
            for column in 0..mx * my {
                spread(&mut self.depth, highest, |index| u_hat[index * mx * my + column]);
                fft.sum(&mut self.depth);
                for (z, value) in self.depth.iter().enumerate() {
                    planes[z * mx * my + column] = *value;
                }
            }
        }
        debug_assert_eq!(mz, 2 * highest + 1);
        for z in 0..nz {
            let im_range = if im.is_empty() { 0..0 } else { z * plane..(z + 1) * plane };
            self.plane_inverse(
                &planes[z * mx * my..(z + 1) * mx * my],
                &mut re[z * plane..(z + 1) * plane],
                &mut im[im_range],
            );
        }
        self.planes = planes;
    }

    fn plane_inverse(&mut self, u_hat: &[Complex<R>], re: &mut [R], im: &mut [R]) {
        let mx = self.modes.shape[0];
        let [nx, ny, _] = self.grid;
        if ny == 1 {
            let mut row = std::mem::take(&mut self.rows);
            self.row_inverse(|index| u_hat[index], &mut row, re, im);
            self.rows = row;
            return;
        }
        let Some(fft) = &mut self.columns[0] else { return };
        let (highest, my) = (self.modes.highest[1], self.modes.shape[1]);
        // Some columns at a time, so that coefficients are read in runs and lines are transformed where they lie in the cache.
        for (block, lines) in self.plane.chunks_mut(BLOCK * ny).enumerate() {
            let first = block * BLOCK;
            lines.chunks_exact_mut(ny).for_each(|line| line[highest + 1..ny - highest].fill(Complex::default()));
            for index in 0..my {
                let y = if index <= highest { index } else { ny - my + index };
                let run = &u_hat[index * mx + first..index * mx + (first + BLOCK).min(mx)];
                for (x, value) in run.iter().enumerate() {
                    lines[x * ny + y] = *value;
                }
            }
            fft.sum(lines);
        }
        let plane = std::mem::take(&mut self.plane);
        let mut rows = std::mem::take(&mut self.rows);
        let width = rows.len() / BLOCK;
        for first in (0..ny).step_by(BLOCK) {
            let count = BLOCK.min(ny - first);
            // Columns are read in runs of a block of rows.
            for x in 0..mx {
                for (y, value) in plane[x * ny + first..x * ny + first + count].iter().enumerate() {
                    rows[y * width + x] = *value;
                }
            }
            for y in 0..count {
                let range = (first + y) * nx..(first + y + 1) * nx;
                let im_range = if im.is_empty() { 0..0 } else { range.clone() };
                let (row, (re, im)) = (&mut rows[y * width..(y + 1) * width], (&mut re[range], &mut im[im_range]));
                self.row_in_place(row, re, im);
            }
        }
        self.plane = plane;
        self.rows = rows;
    }

    fn row_inverse(&mut self, at: impl Fn(usize) -> Complex<R>, row: &mut [Complex<R>], re: &mut [R], im: &mut [R]) {
        let width = row.len() / BLOCK;
        for (index, place) in row[..self.modes.shape[0]].iter_mut().enumerate() {
            *place = at(index);
        }
        self.row_in_place(&mut row[..width], re, im);
    }

    /// A row whose first entries are the kept coefficients, to values.
    fn row_in_place(&mut self, row: &mut [Complex<R>], re: &mut [R], im: &mut [R]) {
        let mx = self.modes.shape[0];
        let highest = self.modes.highest[0];
        match &mut self.line {
            Line::Real(fft) => {
                row[mx..].fill(Complex::default());
                fft.sum(row, re);
            }
            Line::Complex(fft) => {
                // Negative wavenumbers move to the end.
                let n = row.len();
                if n > mx {
                    row.copy_within(highest + 1..mx, n - highest);
                    row[highest + 1..n - highest].fill(Complex::default());
                }
                fft.sum(row);
                for (place, value) in re.iter_mut().zip(row.iter()) {
                    *place = value.re;
                }
                for (place, value) in im.iter_mut().zip(row.iter()) {
                    *place = value.im;
                }
            }
        }
    }

    /// Values to coefficients. `im` is read for complex fields only; empty means zero.
    pub fn forward(&mut self, re: &[R], im: &[R], u_hat: &mut [Complex<R>]) {
        let [mx, my, _] = self.modes.shape;
        let [nx, ny, nz] = self.grid;
        let plane = nx * ny;
        if nz == 1 {
            return self.plane_forward(re, im, u_hat);
        }
        let mut planes = std::mem::take(&mut self.planes);
        for z in 0..nz {
            let im_range = if im.is_empty() { 0..0 } else { z * plane..(z + 1) * plane };
            self.plane_forward(
                &re[z * plane..(z + 1) * plane],
                &im[im_range],
                &mut planes[z * mx * my..(z + 1) * mx * my],
            );
        }
        let highest = self.modes.highest[2];
        let scale = R::of(1.0 / nz as f64);
        if let Some(fft) = &mut self.columns[1] {
            for column in 0..mx * my {
                for (z, place) in self.depth.iter_mut().enumerate() {
                    *place = planes[z * mx * my + column];
                }
                fft.forward(&mut self.depth);
                gather(&self.depth, highest, |index, value| u_hat[index * mx * my + column] = value * scale);
            }
        }
        self.planes = planes;
    }

    fn plane_forward(&mut self, re: &[R], im: &[R], u_hat: &mut [Complex<R>]) {
        let mx = self.modes.shape[0];
        let [nx, ny, _] = self.grid;
        let mut rows = std::mem::take(&mut self.rows);
        let width = rows.len() / BLOCK;
        let scale = R::of(1.0 / (nx * ny) as f64);
        if ny == 1 {
            self.row_forward(re, im, &mut rows[..width]);
            u_hat.iter_mut().zip(&rows[..mx]).for_each(|(place, value)| *place = *value * scale);
            self.rows = rows;
            return;
        }
        let mut plane = std::mem::take(&mut self.plane);
        for first in (0..ny).step_by(BLOCK) {
            let count = BLOCK.min(ny - first);
            for y in 0..count {
                let range = (first + y) * nx..(first + y + 1) * nx;
                let im_range = if im.is_empty() { 0..0 } else { range.clone() };
                self.row_forward(&re[range], &im[im_range], &mut rows[y * width..(y + 1) * width]);
            }
            for x in 0..mx {
                for (y, place) in plane[x * ny + first..x * ny + first + count].iter_mut().enumerate() {
                    *place = rows[y * width + x];
                }
            }
        }
        let (highest, my) = (self.modes.highest[1], self.modes.shape[1]);
        if let Some(fft) = &mut self.columns[0] {
            for (block, lines) in plane.chunks_mut(BLOCK * ny).enumerate() {
                let first = block * BLOCK;
                fft.forward(lines);
                for index in 0..my {
                    let y = if index <= highest { index } else { ny - my + index };
                    let run = &mut u_hat[index * mx + first..index * mx + (first + BLOCK).min(mx)];
                    for (x, place) in run.iter_mut().enumerate() {
                        *place = lines[x * ny + y] * scale;
                    }
                }
            }
        }
        self.plane = plane;
        self.rows = rows;
    }

    /// Values of a row to its kept coefficients times the number of points, at the front of `row`.
    fn row_forward(&mut self, re: &[R], im: &[R], row: &mut [Complex<R>]) {
        let highest = self.modes.highest[0];
        match &mut self.line {
            Line::Real(fft) => fft.forward(re, row),
            Line::Complex(fft) => {
                for (place, value) in row.iter_mut().zip(re) {
                    *place = Complex::new(*value, R::of(0.0));
                }
                for (place, value) in row.iter_mut().zip(im) {
                    place.im = *value;
                }
                fft.forward(row);
                let n = row.len();
                row.copy_within(n - highest..n, highest + 1);
            }
        }
    }
}

/// Coefficients 0 … K, -K … -1 into a longer line.
fn spread<R: Real>(line: &mut [Complex<R>], highest: usize, at: impl Fn(usize) -> Complex<R>) {
    let n = line.len();
    for (index, place) in line[..=highest].iter_mut().enumerate() {
        *place = at(index);
    }
    line[highest + 1..n - highest].fill(Complex::default());
    for index in 0..highest {
        line[n - highest + index] = at(highest + 1 + index);
    }
}

fn gather<R: Real>(line: &[Complex<R>], highest: usize, mut put: impl FnMut(usize, Complex<R>)) {
    let n = line.len();
    for (index, value) in line[..=highest].iter().enumerate() {
        put(index, *value);
    }
    for (index, value) in line[n - highest..].iter().enumerate() {
        put(highest + 1 + index, *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The series summed as written, at every point: the independent path.
    fn direct(modes: &Modes, u_hat: &[Complex<f64>], grid: [usize; 3]) -> Vec<Complex<f64>> {
        let step = [0, 1, 2].map(|axis| std::f64::consts::TAU / (modes.fundamental[axis] * grid[axis] as f64));
        let mut out = Vec::new();
        for z in 0..grid[2] {
            for y in 0..grid[1] {
                for x in 0..grid[0] {
                    let mut sum = Complex::default();
                    for (index, value) in u_hat.iter().enumerate() {
                        let k = modes.at(index);
                        let phase = k[0] * step[0] * x as f64 + k[1] * step[1] * y as f64 + k[2] * step[2] * z as f64;
                        sum += value * Complex::from_polar(1.0, phase);
                        if modes.weight(index) == 2.0 {
                            sum += (value * Complex::from_polar(1.0, phase)).conj();
                        }
                    }
                    out.push(sum);
                }
            }
        }
        out
    }

    fn noise(count: usize) -> Vec<f64> {
        (0..count).map(|index| ((index * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5).collect()
    }

    #[test]
    fn agrees_with_the_series_in_every_dimension() {
        let fundamental = [1.0, 0.5, 2.0];
        for (highest, grid) in [
            ([3, 0, 0], [7, 1, 1]),
            ([3, 0, 0], [12, 1, 1]),
            ([4, 2, 0], [9, 8, 1]),
            ([2, 3, 0], [16, 20, 1]),
            ([2, 1, 2], [6, 5, 8]),
        ] {
            for is_real in [true, false] {
                let modes = Modes::new(highest, fundamental, is_real);
                let points: usize = grid.iter().product();
                let mut transform = Transform::<f64>::new(modes.clone(), grid);
                // Band-limited values: noise, projected once.
                let mut u_hat = vec![Complex::default(); modes.len()];
                let im = if is_real { Vec::new() } else { noise(2 * points)[points..].to_vec() };
                transform.forward(&noise(points), &im, &mut u_hat);
                let (mut re, mut imaginary) = (vec![0.0; points], vec![0.0; if is_real { 0 } else { points }]);
                transform.inverse(&u_hat, &mut re, &mut imaginary);
                for (index, exact) in direct(&modes, &u_hat, grid).iter().enumerate() {
                    assert!((re[index] - exact.re).abs() < 1e-12, "{grid:?} {is_real}");
                    if !is_real {
                        assert!((imaginary[index] - exact.im).abs() < 1e-12, "{grid:?}");
                    }
                }
                let mut again = vec![Complex::default(); modes.len()];
                transform.forward(&re, &imaginary, &mut again);
                for (a, b) in u_hat.iter().zip(&again) {
                    assert!((a - b).norm() < 1e-14);
                }
            }
        }
    }

    #[test]
    fn differentiates_exactly() {
        let modes = Modes::new([5, 3, 0], [1.0, 1.0, 1.0], true);
        let grid = [12, 9, 1];
        let mut transform = Transform::<f64>::new(modes.clone(), grid);
        let at = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            let step = |n: usize, i: usize| std::f64::consts::TAU * i as f64 / n as f64;
            (0..grid[0] * grid[1]).map(|i| f(step(grid[0], i % grid[0]), step(grid[1], i / grid[0]))).collect()
        };
        let u = at(&|x, y| (3.0 * x).sin() * (2.0 * y).cos());
        let expected = at(&|x, y| -(3.0 * 3.0 * 3.0) * (3.0 * x).cos() * -2.0 * (2.0 * y).sin());
        let mut u_hat = vec![Complex::default(); modes.len()];
        let mut v_hat = u_hat.clone();
        transform.forward(&u, &[], &mut u_hat);
        modes.derivative([3, 1, 0], &u_hat, &mut v_hat);
        let mut v = vec![0.0; u.len()];
        transform.inverse(&v_hat, &mut v, &mut []);
        for (a, b) in v.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-11, "{a} {b}");
        }
    }
}
