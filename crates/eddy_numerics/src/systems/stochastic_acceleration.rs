//! Particles that gain energy at random in a turbulent plasma: isotropic diffusion in momentum with losses and escape.
//!
//! Momentum p is measured in units of the injected one, N(p) counts particles per unit of p:
//!
//! ∂N/∂t = ∂/∂p [D N' - 2 D N / p + b N] - N/τ + Q,   D = D₀ p^q.

use crate::rng::{Philox, Stream};
use crate::space::tridiagonal::{Tridiagonal, TridiagonalSolver};

/// Coefficients of the equation, all finite and none negative; D₀ > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accelerator {
    /// D₀, at the injected momentum.
    pub diffusion: f64,
    /// q: 2 for scatterers much larger than a gyroradius, 5/3 for Kolmogorov turbulence, 1 for Bohm's limit.
    pub index: f64,
    /// b₂ of the losses b(p) = b₂ p² + b₁ p + b₀: synchrotron and inverse Compton radiation.
    pub synchrotron: f64,
    /// b₁: adiabatic expansion.
    pub adiabatic: f64,
    /// b₀: ionization and Coulomb collisions (Bethe), for fast particles almost without slope.
    pub ionization: f64,
    /// τ at the injected momentum.
    pub escape_time: f64,
    /// τ(p) = τ p^h.
    pub escape_index: f64,
}

impl Accelerator {
    pub fn diffusion_at(&self, p: f64) -> f64 {
        self.diffusion * p.powf(self.index)
    }

    /// b(p), the momentum lost in a unit of time.
    pub fn loss_at(&self, p: f64) -> f64 {
        (self.synchrotron * p + self.adiabatic) * p + self.ionization
    }

    pub fn escape_time_at(&self, p: f64) -> f64 {
        self.escape_time * p.powf(self.escape_index)
    }

    /// ∫ b/D dp from `a` to `b`.
    pub fn loss_over_diffusion(&self, a: f64, b: f64) -> f64 {
        let power = |k: f64| {
            // ∫ p^k dp; close to k = -1 the difference of powers cancels, expm1 does not.
            let (span, m) = ((b / a).ln(), k + 1.0);
            let ratio = if (m * span).abs() < 1e-8 { span } else { (m * span).exp_m1() / m };
            a.powf(m) * ratio
        };
        let terms = [(self.synchrotron, 2.0), (self.adiabatic, 1.0), (self.ionization, 0.0)];
        terms.iter().filter(|(c, _)| *c > 0.0).map(|(c, k)| c * power(k - self.index)).sum::<f64>() / self.diffusion
    }

    /// Where acceleration and losses balance, 2 D/p = b: the highest such momentum in [1e-6, 1e12] above which losses win;
    /// none without losses or if they never win. By bisection in ln p to rounding.
    pub fn balance(&self) -> Option<f64> {
        let excess = |x: f64| {
            let p = x.exp();
            self.loss_at(p) - 2.0 * self.diffusion_at(p) / p
        };
        let (mut below, mut above) = (1e-6_f64.ln(), 1e12_f64.ln());
        if excess(above) <= 0.0 || excess(below) > 0.0 && excess(0.0) > 0.0 {
            return None;
        }
        for _ in 0..80 {
            let middle = 0.5 * (below + above);
            if excess(middle) > 0.0 {
                above = middle;
            } else {
                below = middle;
            }
        }
        Some(above.exp())
    }

    /// Slopes d ln N / d ln p of the two power laws that solve the equation without losses if q = 2 and τ is constant:
    /// s(s - 1) = 2 + 1/(D₀τ); the negative one holds above the injection.
    pub fn slopes(&self) -> (f64, f64) {
        let root = (2.25 + 1.0 / (self.diffusion * self.escape_time)).sqrt();
        (0.5 - root, 0.5 + root)
    }
}

/// How the flux between two cells is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentumFlux {
    /// Chang and Cooper (1970): exact for a constant flux, never negative.
    ChangCooper,
    /// Arithmetic mean: of second order as well, but the matrix is no M-matrix where |w| > 2, and N turns negative.
    Centred,
}

/// Equal cells in ln p, the injected momentum at the centre of one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumGrid {
    pub cells: usize,
    /// Width of a cell in ln p.
    pub spacing: f64,
    /// Index of the cell around p = 1.
    pub injection: usize,
}

impl MomentumGrid {
    /// From near `bottom` (< 1) to exactly `top` (> 1); `bottom` moves by less than a cell. At least 4 cells.
    pub fn new(cells: usize, bottom: f64, top: f64) -> Self {
        let cells = cells.max(4);
        let (down, up) = (-bottom.ln(), top.ln());
        let share = cells as f64 * down / (down + up) - 0.5;
        let injection = (share.round().max(1.0) as usize).min(cells - 2);
        Self { cells, spacing: up / (cells as f64 - injection as f64 - 0.5), injection }
    }

    /// p at the centre of cell `i`.
    pub fn centre(&self, i: usize) -> f64 {
        (self.spacing * (i as f64 - self.injection as f64)).exp()
    }

    /// p at the face between cells `i - 1` and `i`.
    pub fn face(&self, i: usize) -> f64 {
        (self.spacing * (i as f64 - self.injection as f64 - 0.5)).exp()
    }

    pub fn centres(&self) -> Vec<f64> {
        (0..self.cells).map(|i| self.centre(i)).collect()
    }
}

/// w / (e^w - 1).
fn bernoulli(w: f64) -> f64 {
    if w.abs() < 1e-5 { 1.0 - 0.5 * w + w * w / 12.0 } else { w / w.exp_m1() }
}

/// The steady spectrum N at the centres of `grid` for a source of one particle per unit of time, a Gaussian of standard
/// deviation `width` in ln p around p = 1 (one cell if that is narrower). Nothing passes the two ends.
///
/// With n = p N per unit of ln p the flux is J = B n - C n_x, C = D/p², B = 3 D/p² - b/p, and between two cells
/// J = C/dx (w/(1 - e^{-w}) n_left - w/(e^w - 1) n_right), w = ∫ B/C dx taken in closed form: without source and escape the
/// result is exact, N ∝ p² exp(-∫ b/D dp). Else of second order in the spacing. One tridiagonal system, O(cells). Chang and
/// Cooper, J. Comput. Phys. 6 (1970) 1, whose weights are written here as Bernoulli functions.
pub fn steady_spectrum(accelerator: &Accelerator, grid: &MomentumGrid, flux: MomentumFlux, width: f64) -> Vec<f64> {
    let (n, dx) = (grid.cells, grid.spacing);
    let zeros = || vec![0.0; n];
    let mut matrix = Tridiagonal { lower: zeros(), diagonal: zeros(), upper: zeros(), periodic: false };
    for i in 0..n {
        let p = grid.centre(i);
        matrix.diagonal[i] += dx / accelerator.escape_time_at(p);
        if i + 1 == n {
            break;
        }
        let face = grid.face(i + 1);
        let scale = accelerator.diffusion_at(face) / (face * face) / dx;
        let w = 3.0 * dx - accelerator.loss_over_diffusion(p, grid.centre(i + 1));
        let (out, back) = match flux {
            MomentumFlux::ChangCooper => (scale * bernoulli(-w), scale * bernoulli(w)),
            MomentumFlux::Centred => (scale * (1.0 + 0.5 * w), scale * (1.0 - 0.5 * w)),
        };
        matrix.diagonal[i] += out;
        matrix.lower[i + 1] = -out;
        matrix.diagonal[i + 1] += back;
        matrix.upper[i] = -back;
    }
    let mut spectrum = source(grid, width);
    TridiagonalSolver::new(&matrix).solve(&mut spectrum);
    for (i, v) in spectrum.iter_mut().enumerate() {
        *v /= grid.centre(i);
    }
    spectrum
}

/// Particles per cell and unit of time, one in all.
fn source(grid: &MomentumGrid, width: f64) -> Vec<f64> {
    let mut source = vec![0.0; grid.cells];
    if width < grid.spacing {
        source[grid.injection] = 1.0;
        return source;
    }
    for (i, s) in source.iter_mut().enumerate() {
        let x = grid.spacing * (i as f64 - grid.injection as f64) / width;
        *s = (-0.5 * x * x).exp();
    }
    let total: f64 = source.iter().sum();
    source.iter_mut().for_each(|s| *s /= total);
    source
}

/// The same spectrum by particles: y = ln p obeys the Itô equation
///
/// dy = ((q + 1) D/p² - b/p) dt + √(2D)/p dW,
///
/// reflected at the ends. Every particle starts at the injection with weight one, which decays as e^{-∫dt/τ}: escape costs
/// weight, not particles, so that the tail of many decades stays populated. The steady spectrum is the integral of the
/// weighted density over the age; from the present age on the weights are taken to decay as one mode, at the rate that the
/// ensemble has now. Weak order one in the step (Euler-Maruyama), exact for q = 2 without losses.
pub struct ParticleEnsemble {
    accelerator: Accelerator,
    grid: MomentumGrid,
    per_bin: usize,
    y: Vec<f64>,
    weight: Vec<f64>,
    steps_taken: Vec<u32>,
    random: Philox,
    /// Age, and the number of `advance` calls so far.
    pub age: f64,
    rounds: u32,
    end: f64,
    /// Weighted time per bin, the weight in each after the last round, and the share of the weight averaged over the age
    /// since half of the rounds (empty before).
    time: Vec<f64>,
    held: Vec<f64>,
    shape: Vec<f64>,
    visits: Vec<f64>,
}

/// Rounds to the end of a run; their lengths grow linearly, so that the young ages are resolved.
pub const ROUNDS: u32 = 400;

impl ParticleEnsemble {
    /// `count` particles; `per_bin` neighbouring cells of `grid` make a bin of the histogram.
    pub fn new(
        accelerator: Accelerator,
        grid: MomentumGrid,
        per_bin: usize,
        count: usize,
        width: f64,
        seed: u32,
    ) -> Self {
        let random = Philox::new(seed);
        let bins = grid.cells.div_ceil(per_bin);
        // Spectra relax within a few times the slowest of p²/D at the two momenta where particles gather.
        let relaxation =
            accelerator.balance().map_or(1.0, |p| p.max(1.0).powi(2) / accelerator.diffusion_at(p.max(1.0)));
        let slowest = relaxation.max(1.0 / accelerator.diffusion);
        let end = (20.0 * accelerator.escape_time).min(15.0 * slowest).min(400.0 / accelerator.diffusion);
        let (low, high) = (grid.face(0).ln(), grid.face(grid.cells).ln());
        let start = |k: usize| width * random.normals(Stream::Prior, 0, k as u32, 0)[0];
        let mut ensemble = Self {
            accelerator,
            grid,
            per_bin,
            y: (0..count).map(|k| start(k).clamp(low, high)).collect(),
            weight: vec![1.0; count],
            steps_taken: vec![0; count],
            random,
            age: 0.0,
            rounds: 0,
            end,
            time: vec![0.0; bins],
            held: vec![0.0; bins],
            shape: vec![0.0; bins],
            visits: vec![0.0; bins],
        };
        ensemble.count();
        ensemble
    }

    pub fn is_done(&self) -> bool {
        self.rounds >= ROUNDS || self.y.is_empty()
    }

    /// Age at which the run ends.
    pub fn end(&self) -> f64 {
        self.end
    }

    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// ln p of every particle, and its weight.
    pub fn particles(&self) -> (&[f64], &[f64]) {
        (&self.y, &self.weight)
    }

    /// One round.
    pub fn advance(&mut self) {
        let share = f64::from(self.rounds + 1) / f64::from(ROUNDS);
        let next = self.end * share * share;
        let dt = next - self.age;
        // The trapezoidal rule in the age.
        for (t, h) in self.time.iter_mut().zip(&self.held) {
            *t += 0.5 * dt * h;
        }
        for k in 0..self.y.len() {
            self.step(k, dt);
        }
        self.age = next;
        self.rounds += 1;
        self.count();
        let weight: f64 = self.held.iter().sum();
        let is_relaxed = 2 * self.rounds > ROUNDS && weight > 0.0;
        for ((t, s), h) in self.time.iter_mut().zip(&mut self.shape).zip(&self.held) {
            *t += 0.5 * dt * h;
            if is_relaxed {
                *s += dt * h / weight;
            }
        }
    }

    /// Moves particle `k` through `dt` in steps that its rates allow.
    fn step(&mut self, k: usize, dt: f64) {
        let a = &self.accelerator;
        let (low, high) = (self.grid.face(0).ln(), self.grid.face(self.grid.cells).ln());
        let (mut y, mut left) = (self.y[k], dt);
        let mut taken = self.steps_taken[k];
        let (mut normals, mut drawn) = ([0.0; 4], None);
        let mut lost = 0.0;
        while left > 0.0 {
            let p = y.exp();
            let rate = a.diffusion * ((a.index - 2.0) * y).exp();
            let loss = a.loss_at(p) / p;
            // Where the coefficients do not depend on p a step of any length is exact.
            let h = (0.05 / (loss + (2.0 - a.index) * rate + 1e-12)).min(left).max(1e-3 * dt).min(left);
            if drawn != Some(taken / 4) {
                normals = self.random.normals(Stream::Path, taken / 4, k as u32, 0);
                drawn = Some(taken / 4);
            }
            lost += h * (-a.escape_index * y).exp();
            y += ((a.index + 1.0) * rate - loss) * h + (2.0 * rate * h).sqrt() * normals[(taken % 4) as usize];
            // Mirror images; a jump beyond the far end as well is cut.
            if y < low {
                y = (2.0 * low - y).min(high);
            } else if y > high {
                y = (2.0 * high - y).max(low);
            }
            left -= h;
            taken += 1;
        }
        self.weight[k] *= (-lost / a.escape_time).exp();
        (self.y[k], self.steps_taken[k]) = (y, taken);
    }

    fn bin(&self, y: f64) -> usize {
        let cell = (y / self.grid.spacing + self.grid.injection as f64 + 0.5).floor().max(0.0) as usize;
        cell.min(self.grid.cells - 1) / self.per_bin
    }

    fn count(&mut self) {
        self.held.fill(0.0);
        for k in 0..self.y.len() {
            let bin = self.bin(self.y[k]);
            self.held[bin] += self.weight[k];
            self.visits[bin] += 1.0;
        }
    }

    /// Of each bin the centre in p, the mean of N, and how often a particle was seen there.
    pub fn histogram(&self) -> Vec<(f64, f64, f64)> {
        let escape = |k: usize| (-self.accelerator.escape_index * self.y[k]).exp() / self.accelerator.escape_time;
        let weight: f64 = self.weight.iter().sum();
        let flow: f64 = (0..self.y.len()).map(|k| self.weight[k] * escape(k)).sum();
        let remaining = if flow > 0.0 { weight * weight / flow } else { 0.0 };
        let count = self.y.len().max(1) as f64;
        let averaged: f64 = self.shape.iter().sum();
        let share = |j: usize| match (averaged > 0.0, weight > 0.0) {
            (true, _) => self.shape[j] / averaged,
            (false, true) => self.held[j] / weight,
            (false, false) => 0.0,
        };
        self.bins()
            .map(|(j, p, dp)| (p, (self.time[j] + remaining * share(j)) / (count * dp), self.visits[j]))
            .collect()
    }

    /// The spectrum `n_at_cells` averaged over the same bins, to compare.
    pub fn binned(&self, n_at_cells: &[f64]) -> Vec<f64> {
        let mass = |i: usize| n_at_cells[i] * self.grid.centre(i) * self.grid.spacing;
        self.bins()
            .map(|(j, _, dp)| {
                let cells = j * self.per_bin..((j + 1) * self.per_bin).min(self.grid.cells);
                cells.map(mass).sum::<f64>() / dp
            })
            .collect()
    }

    /// Index, centre and width in p of each bin.
    fn bins(&self) -> impl Iterator<Item = (usize, f64, f64)> + '_ {
        (0..self.time.len()).map(|j| {
            let from = self.grid.face(j * self.per_bin);
            let to = self.grid.face(((j + 1) * self.per_bin).min(self.grid.cells));
            (j, (from * to).sqrt(), to - from)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::observed_order;

    const PLAIN: Accelerator = Accelerator {
        diffusion: 1.0,
        index: 2.0,
        synchrotron: 0.0,
        adiabatic: 0.0,
        ionization: 0.0,
        escape_time: 1.0,
        escape_index: 0.0,
    };

    /// Without losses, q = 2, constant τ, no flux at `low` and `high`: two powers on each side of p = 1, joined.
    fn two_powers(a: &Accelerator, low: f64, high: f64, p: f64) -> f64 {
        let (minus, plus) = a.slopes();
        // J = -D₀ (s - 2) p^{s+1} per power p^s; each side combines both so that J vanishes at its end.
        let side = |end: f64, p: f64| {
            let other = -(plus - 2.0) * end.powf(plus + 1.0) / ((minus - 2.0) * end.powf(minus + 1.0));
            let value = |p: f64| p.powf(plus) + other * p.powf(minus);
            let flux = |p: f64| {
                -a.diffusion * ((plus - 2.0) * p.powf(plus + 1.0) + other * (minus - 2.0) * p.powf(minus + 1.0))
            };
            (value(p), value(1.0), flux(1.0))
        };
        let (below, above) = (side(low, p), side(high, p));
        // N continuous, and J jumps by the source.
        let scale = 1.0 / (above.2 / above.1 - below.2 / below.1);
        if p < 1.0 { scale * below.0 / below.1 } else { scale * above.0 / above.1 }
    }

    #[test]
    fn a_closed_box_is_exact_and_escape_balances_injection() {
        for index in [1.0, 5.0 / 3.0, 2.0] {
            let a =
                Accelerator { index, synchrotron: 0.01, adiabatic: 0.1, ionization: 0.02, escape_time: 1e12, ..PLAIN };
            let grid = MomentumGrid::new(60, 0.1, 1e3);
            let n = steady_spectrum(&a, &grid, MomentumFlux::ChangCooper, 0.0);
            let shape = |i: usize| {
                let p = grid.centre(i);
                p * p * (-a.loss_over_diffusion(1.0, p)).exp()
            };
            let at = grid.injection;
            for i in 0..grid.cells {
                let exact = n[at] * shape(i) / shape(at);
                // What leaks is below 4e-7. Where losses win by hundreds of decades both are zero.
                let is_equal = (n[i] / exact - 1.0).abs() < 1e-5 || n[i] < 1e-280 && exact < 1e-280;
                assert!(is_equal, "q = {index}, cell {i}: {} {exact}", n[i]);
            }
            // Centred differences are not exact here: the comparison sees it.
            let centred = steady_spectrum(&a, &grid, MomentumFlux::Centred, 0.0);
            assert!((0..grid.cells).any(|i| (centred[i] * shape(at) / (centred[at] * shape(i)) - 1.0).abs() > 1e-3));
            let leak = Accelerator { escape_time: 3.0, escape_index: -0.5, ..a };
            let n = steady_spectrum(&leak, &grid, MomentumFlux::ChangCooper, 0.3);
            let mass = |i: usize| n[i] * grid.centre(i) * grid.spacing / leak.escape_time_at(grid.centre(i));
            assert!(((0..grid.cells).map(mass).sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn power_laws_converge_with_second_order() {
        let error = |cells: usize, flux| {
            let a = Accelerator { escape_time: 0.7, ..PLAIN };
            let grid = MomentumGrid::new(cells, 0.02, 400.0);
            let (low, high) = (grid.face(0), grid.face(grid.cells));
            let n = steady_spectrum(&a, &grid, flux, 0.0);
            let relative = |i: usize| (n[i] / two_powers(&a, low, high, grid.centre(i)) - 1.0).abs();
            (0..grid.cells).map(relative).fold(0.0, f64::max)
        };
        for flux in [MomentumFlux::ChangCooper, MomentumFlux::Centred] {
            let errors: Vec<f64> = [100, 200, 400, 800].iter().map(|c| error(*c, flux)).collect();
            let (low, high) = observed_order(&errors);
            assert!(low > 1.8 && high < 2.2, "{flux:?}: {low}..{high}, {errors:?}");
        }
    }

    #[test]
    fn chang_cooper_stays_positive_where_centred_differences_do_not() {
        let a = Accelerator { synchrotron: 0.5, ..PLAIN };
        let grid = MomentumGrid::new(80, 0.01, 1e3);
        assert!(steady_spectrum(&a, &grid, MomentumFlux::ChangCooper, 0.0).iter().all(|v| *v >= 0.0));
        assert!(steady_spectrum(&a, &grid, MomentumFlux::Centred, 0.0).iter().any(|v| *v < 0.0));
    }

    #[test]
    fn the_balance_is_where_gains_and_losses_meet() {
        let a = Accelerator { synchrotron: 0.01, ..PLAIN };
        assert!((a.balance().unwrap() / 200.0 - 1.0).abs() < 1e-12);
        let b = Accelerator { index: 1.0, adiabatic: 0.1, ionization: 0.3, ..a };
        let p = b.balance().unwrap();
        assert!((2.0 * b.diffusion_at(p) / p / b.loss_at(p) - 1.0).abs() < 1e-10);
        assert_eq!(PLAIN.balance(), None);
        // The integral of b/D against its derivative, also where a power is -1.
        for index in [1.0, 1.5, 2.0, 1.0 + 1e-10] {
            let c = Accelerator { index, ..b };
            let h = 1e-4;
            let slope = c.loss_over_diffusion(3.0 - h, 3.0 + h) / (2.0 * h);
            assert!((slope / (c.loss_at(3.0) / c.diffusion_at(3.0)) - 1.0).abs() < 1e-8, "q = {index}");
        }
    }

    #[test]
    fn particles_make_the_same_spectrum() {
        for (a, width) in [
            (Accelerator { synchrotron: 0.05, escape_time: 1.0, ..PLAIN }, 0.0),
            (Accelerator { synchrotron: 0.05, escape_time: 50.0, ..PLAIN }, 0.2),
            (
                Accelerator { index: 5.0 / 3.0, synchrotron: 0.1, escape_time: 4.0, escape_index: -1.0 / 3.0, ..PLAIN },
                0.0,
            ),
        ] {
            let grid = MomentumGrid::new(400, 0.05, 500.0);
            let n = steady_spectrum(&a, &grid, MomentumFlux::ChangCooper, width);
            let mut ensemble = ParticleEnsemble::new(a, grid, 10, 3000, width, 5);
            while !ensemble.is_done() {
                ensemble.advance();
            }
            let expected = ensemble.binned(&n);
            let deviation = |scale: f64| {
                let seen = ensemble.histogram();
                let mut d: Vec<f64> = seen
                    .iter()
                    .zip(&expected)
                    .filter(|((_, _, visits), _)| *visits > 3000.0)
                    .map(|((_, v, _), e)| (scale * v / e - 1.0).abs())
                    .collect();
                d.sort_by(f64::total_cmp);
                assert!(d.len() > 8, "too few bins were seen");
                d[d.len() / 2]
            };
            // Correlated samples: a few percent.
            assert!(deviation(1.0) < 0.04, "{a:?}: {}", deviation(1.0));
            assert!(deviation(1.15) > 0.08, "the comparison sees 15 percent");
        }
    }
}
