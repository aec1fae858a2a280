//! Descent of a variational energy on the torus, by Fourier series: in L² or with the Sobolev preconditioner.

use eddy_numerics::{Complex, space::fft::ComplexFft};

/// The mean of ½|∇u|² + ½u² + ¼u⁴ − f u over the torus [0, 2π)^d, d = 1 or 2, on `points` even points per axis.
///
/// Means of products are sums over the grid, so the energy is a function of the grid's values and what is called its
/// slope, −Δu + u + u³ − f, is exactly that of this function, at any number of points.
pub struct Torus {
    axes: usize,
    points: usize,
    fft: ComplexFft<f64>,
    /// |k|² per mode.
    waves: Vec<f64>,
    source: Vec<f64>,
    /// 1 + 3 max u² at the minimum: the largest slope of u + u³.
    steepest: f64,
    /// Values of the minimum, and its energy.
    pub minimum: Vec<f64>,
    pub least: f64,
    column: Vec<Complex<f64>>,
}

/// Which descent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slope {
    /// u ← u − η DE(u): explicit gradient flow.
    Plain,
    /// u ← u − η (1 − Δ)⁻¹ DE(u) (Marwah, Lipton, Lu, Risteski 2022, "Neural Network Approximations of PDEs Beyond
    /// Linearity: A Representational Perspective", section 6).
    Preconditioned,
}

/// Wave numbers and strengths of the source's cosines. Without the cube the solution would be the sum of the bare cosines.
fn source_terms(axes: usize) -> [([f64; 2], f64); 3] {
    let vectors = if axes == 1 { [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]] } else { [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]] };
    vectors.map(|k| (k, 1.0 + k[0] * k[0] + k[1] * k[1]))
}

/// Grids finer than this start their search for the minimum from this one's.
const COARSE: usize = 64;

impl Torus {
    /// With the source of three cosines, and its minimum by preconditioned descent to rounding.
    pub fn new(axes: usize, points: usize) -> Self {
        let step = std::f64::consts::TAU / points as f64;
        let place = |i: usize| [(i % points) as f64 * step, (i / points) as f64 * step];
        let source = (0..points.pow(axes as u32)).map(|i| {
            let x = place(i);
            let wave = |(k, strength): ([f64; 2], f64)| strength * (k[0] * x[0] + k[1] * x[1]).cos();
            source_terms(axes).map(wave).iter().sum::<f64>()
        });
        let mut torus = Self::with_source(axes, points, source.collect());
        torus.find_minimum();
        torus
    }

    fn with_source(axes: usize, points: usize, source: Vec<f64>) -> Self {
        let wave = |i: usize| if 2 * i <= points { i as f64 } else { i as f64 - points as f64 };
        let square = |i: usize| wave(i % points).powi(2) + if axes == 2 { wave(i / points).powi(2) } else { 0.0 };
        Self {
            waves: (0..source.len()).map(square).collect(),
            minimum: vec![0.0; source.len()],
            axes,
            points,
            fft: ComplexFft::new(points),
            source,
            steepest: 1.0,
            least: 0.0,
            column: vec![Complex::default(); points],
        }
    }

    fn find_minimum(&mut self) {
        let mut u_hat = vec![Complex::default(); self.waves.len()];
        if self.points > COARSE {
            let mut coarse = Self::new(self.axes, COARSE);
            let coarse_hat = coarse.modes_of(&coarse.minimum.clone());
            // Below its Nyquist mode, which stands for two.
            for (i, mode) in coarse_hat.iter().enumerate() {
                let (x, y) = (i % COARSE, i / COARSE);
                let to = |k: usize| if 2 * k < COARSE { k } else { k + self.points - COARSE };
                if 2 * x != COARSE && 2 * y != COARSE {
                    u_hat[to(x) + self.points * to(y)] = *mode;
                }
            }
        }
        // |u| is at most m with m + m³ = max|f| (where u is largest −Δu is not negative).
        let top = self.source.iter().fold(0.0, |m: f64, f| m.max(f.abs()));
        let mut most = 1.0;
        for _ in 0..60 {
            most -= (most + most * most * most - top) / (1.0 + 3.0 * most * most);
        }
        self.steepest = 1.0 + 3.0 * most * most;
        let step = self.best_step(Slope::Preconditioned);
        // The residual falls by (κ − 1)/(κ + 1) a step, κ the steepness: to rounding in some 15 κ steps, or it stays there.
        let mut last = f64::INFINITY;
        for _ in 0..(30.0 * self.steepest) as usize {
            let moved = self.descend(&mut u_hat, Slope::Preconditioned, step);
            if moved < 1e-15 || (moved < 1e-12 && moved >= last) {
                break;
            }
            last = moved;
        }
        let (energy, values) = self.energy(&u_hat);
        self.steepest = 1.0 + 3.0 * values.iter().fold(0.0, |m: f64, u| m.max(u * u));
        (self.least, self.minimum) = (energy, values);
    }

    /// The step 2/(μ + L) that is best for the quadratic with the curvatures μ and L of the energy at its minimum, in the
    /// norm of the descent: 1 and 1 + 3 max u², and the largest |k|² more in L².
    pub fn best_step(&self, slope: Slope) -> f64 {
        let stiffest = self.waves.iter().fold(0.0, |m: f64, k| m.max(*k));
        2.0 / (1.0
            + self.steepest
            + match slope {
                Slope::Plain => stiffest,
                Slope::Preconditioned => 0.0,
            })
    }

    pub fn modes(&self) -> usize {
        self.waves.len()
    }

    /// One step of length `step`, in place; how far it moved, in the norm of H¹.
    pub fn descend(&mut self, u_hat: &mut [Complex<f64>], slope: Slope, step: f64) -> f64 {
        let mut forces = self.values_of(u_hat);
        for (v, f) in forces.iter_mut().zip(&self.source) {
            *v = *v * *v * *v - f;
        }
        let forces = self.modes_of(&forces);
        let mut moved = 0.0;
        for ((u, force), k) in u_hat.iter_mut().zip(&forces).zip(&self.waves) {
            let gradient = *u * (1.0 + k) + force;
            let change = match slope {
                Slope::Plain => gradient * step,
                Slope::Preconditioned => gradient * (step / (1.0 + k)),
            };
            *u -= change;
            moved += (1.0 + k) * change.norm_sqr();
        }
        moved.sqrt()
    }

    /// The energy of these modes, and the values.
    pub fn energy(&mut self, u_hat: &[Complex<f64>]) -> (f64, Vec<f64>) {
        let values = self.values_of(u_hat);
        let smooth: f64 = u_hat.iter().zip(&self.waves).map(|(u, k)| 0.5 * (1.0 + k) * u.norm_sqr()).sum();
        let local: f64 = values.iter().zip(&self.source).map(|(u, f)| 0.25 * u * u * u * u - f * u).sum();
        (smooth + local / values.len() as f64, values)
    }

    /// The spectral Barron norm Σ (1 + |k|) |û_k|.
    pub fn barron_norm(&self, u_hat: &[Complex<f64>]) -> f64 {
        u_hat.iter().zip(&self.waves).map(|(u, k)| (1.0 + k.sqrt()) * u.norm()).sum()
    }

    /// The largest |û_k| in each shell of |k|, from |k| = 0.
    pub fn spectrum(&self, u_hat: &[Complex<f64>]) -> Vec<f64> {
        let mut shells = vec![0.0f64; self.points / 2 + 1];
        for (u, k) in u_hat.iter().zip(&self.waves) {
            if let Some(shell) = shells.get_mut(k.sqrt().round() as usize) {
                *shell = shell.max(u.norm());
            }
        }
        shells
    }

    /// Modes û_k = mean of u exp(−i k·x).
    pub fn modes_of(&mut self, values: &[f64]) -> Vec<Complex<f64>> {
        let scale = 1.0 / values.len() as f64;
        let mut modes: Vec<_> = values.iter().map(|v| Complex::new(scale * v, 0.0)).collect();
        self.along_axes(&mut modes, |fft, line| fft.forward(line));
        modes
    }

    fn values_of(&mut self, u_hat: &[Complex<f64>]) -> Vec<f64> {
        let mut values = u_hat.to_vec();
        self.along_axes(&mut values, |fft, line| fft.inverse(line));
        let scale = values.len() as f64;
        values.iter().map(|v| scale * v.re).collect()
    }

    fn along_axes(&mut self, plane: &mut [Complex<f64>], each: impl Fn(&mut ComplexFft<f64>, &mut [Complex<f64>])) {
        let n = self.points;
        for row in plane.chunks_exact_mut(n) {
            each(&mut self.fft, row);
        }
        if self.axes == 2 {
            for i in 0..n {
                for (j, v) in self.column.iter_mut().enumerate() {
                    *v = plane[i + n * j];
                }
                each(&mut self.fft, &mut self.column);
                for (j, v) in self.column.iter().enumerate() {
                    plane[i + n * j] = *v;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_is_the_manufactured_solution() {
        for axes in [1, 2] {
            let n = 48;
            let place = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
            let exact = |i: usize| place(i % n).cos() + if axes == 2 { 0.5 * (2.0 * place(i / n)).sin() } else { 0.0 };
            // −Δ of the two waves is 1 and 4 times them.
            let source = |i: usize| {
                let second = exact(i) - place(i % n).cos();
                2.0 * place(i % n).cos() + 5.0 * second + exact(i).powi(3)
            };
            let all = (0..n * if axes == 2 { n } else { 1 }).collect::<Vec<_>>();
            let mut torus = Torus::with_source(axes, n, all.iter().map(|i| source(*i)).collect());
            torus.find_minimum();
            let error = all.iter().map(|i| (torus.minimum[*i] - exact(*i)).abs()).fold(0.0, f64::max);
            assert!(error < 1e-12, "{axes}: {error:e}");
            let wrong = torus.minimum.iter().zip(&all).map(|(u, i)| (u - 1.001 * exact(*i)).abs()).fold(0.0, f64::max);
            assert!(wrong > 1e-4);
        }
    }

    #[test]
    fn slope_is_that_of_the_energy() {
        for axes in [1, 2] {
            let mut torus = Torus::new(axes, 12);
            let mut u_hat = torus.modes_of(&torus.source.clone());
            // Half way to the minimum, in a direction with all modes.
            u_hat.iter_mut().for_each(|u| *u *= 0.3);
            let direction: Vec<f64> = (0..torus.modes()).map(|i| (i as f64 * 0.7).sin()).collect();
            let towards = torus.modes_of(&direction);
            let at = |torus: &mut Torus, h: f64| {
                let moved: Vec<_> = u_hat.iter().zip(&towards).map(|(u, d)| u + d * h).collect();
                torus.energy(&moved).0
            };
            let differences = (at(&mut torus, 1e-5) - at(&mut torus, -1e-5)) / 2e-5;
            let mut stepped = u_hat.clone();
            torus.descend(&mut stepped, Slope::Plain, 1.0);
            let gradient = u_hat.iter().zip(&stepped).map(|(u, s)| u - s);
            let slope: f64 = gradient.zip(&towards).map(|(g, d)| (g * d.conj()).re).sum();
            let off = |slope: f64| (slope / differences - 1.0).abs();
            assert!(off(slope) < 1e-7 && off(1.001 * slope) > 1e-7, "{axes}: {slope} {differences}");
        }
    }

    #[test]
    fn energy_falls_at_the_rate_of_its_curvatures() {
        // ‖u − u*‖ shrinks by at most (L − μ)/(L + μ) a step near the minimum; the gap by the square.
        for (slope, points) in [(Slope::Preconditioned, 32), (Slope::Preconditioned, 128), (Slope::Plain, 16)] {
            let mut torus = Torus::new(1, points);
            let step = torus.best_step(slope);
            let shrink = 1.0 - step;
            let mut u_hat = torus.modes_of(&torus.minimum.clone());
            u_hat.iter_mut().for_each(|u| *u *= 1.01);
            let mut last = torus.energy(&u_hat).0 - torus.least;
            for _ in 0..5 {
                torus.descend(&mut u_hat, slope, step);
                let gap = torus.energy(&u_hat).0 - torus.least;
                assert!(gap > 0.0 && gap / last < 1.1 * shrink * shrink, "{slope:?} {points}: {}", gap / last);
                last = gap;
            }
            // A step too long by more than two climbs.
            let mut wild = torus.modes_of(&torus.source.clone());
            let before = torus.energy(&wild).0;
            for _ in 0..20 {
                torus.descend(&mut wild, slope, 2.5 * step);
            }
            assert!(!(torus.energy(&wild).0 < before));
        }
    }

    #[test]
    fn finer_grids_have_the_same_minimum() {
        let (coarse, fine) = (Torus::new(2, 64), Torus::new(2, 96));
        assert!((coarse.least - fine.least).abs() < 1e-10, "{} {}", coarse.least, fine.least);
        assert!((Torus::new(2, 8).least - fine.least).abs() > 1e-10);
        assert!((coarse.minimum[0] - fine.minimum[0]).abs() < 1e-10);
    }
}
