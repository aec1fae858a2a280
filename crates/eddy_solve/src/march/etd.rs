//! Exponential time differencing on Fourier coefficients, for diagonal and coupled linear parts.

use eddy_numerics::{
    Complex, Real,
    time::etdrk::{Etdrk, EtdrkOrder, SplitTerm},
};

use super::{Counts, March, Stop, Walk};
use crate::{
    discrete::Discrete,
    evaluate::Scalar,
    spectral::{Blocks, Spectral, Symbol},
};

/// The methods' coefficients for one step length.
enum Table<R: Scalar> {
    /// A diagonal linear part: one number a coefficient.
    Diagonal(Box<Etdrk<R>>),
    /// Matrices: exp(hL), exp(hL/2), h/2 φ₁(hL/2), and the weights of the slopes.
    Coupled { full: Blocks<R>, half: Blocks<R>, argument: Blocks<R>, weights: [Blocks<R>; 3] },
}

impl<R: Scalar> Table<R> {
    fn new(symbol: &Symbol, order: EtdrkOrder, h: f64) -> Self {
        if symbol.is_diagonal() {
            return Self::Diagonal(Box::new(Etdrk::new(order, &symbol.diagonal(), h)));
        }
        let phis: Vec<_> = symbol.matrices.iter().map(|l| l.scaled(h).phi()).collect();
        let halves: Vec<_> = symbol.matrices.iter().map(|l| l.scaled(0.5 * h).phi()).collect();
        let (m, n) = (symbol.size, symbol.modes);
        let blocks = |of: &dyn Fn(usize) -> crate::spectral::CMatrix| {
            let values: Vec<_> = (0..n).map(of).collect();
            Blocks::new(m, m, n, |row, column, mode| values[mode].entries[row * m + column])
        };
        let sum = |mode: usize, factors: [f64; 3]| {
            let [_, p1, p2, p3] = &phis[mode];
            p1.scaled(h * factors[0]).plus(&p2.scaled(h * factors[1])).plus(&p3.scaled(h * factors[2]))
        };
        let weights = match order {
            // h φ₁ on the first slope and h φ₂ on the difference.
            EtdrkOrder::Two => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
            EtdrkOrder::Four => [[1.0, -3.0, 4.0], [0.0, 2.0, -4.0], [0.0, -1.0, 4.0]],
        };
        Self::Coupled {
            full: blocks(&|mode| phis[mode][0].clone()),
            half: blocks(&|mode| halves[mode][0].clone()),
            argument: blocks(&|mode| match order {
                EtdrkOrder::Two => sum(mode, [1.0, 0.0, 0.0]),
                EtdrkOrder::Four => halves[mode][1].scaled(0.5 * h),
            }),
            weights: weights.map(|factors| blocks(&|mode| sum(mode, factors))),
        }
    }
}

/// A spectral system as the term that the diagonal method takes.
struct Term<'a, R: Scalar>(&'a mut Spectral<R>);

impl<R: Scalar> SplitTerm<R> for Term<'_, R> {
    fn modes(&self) -> usize {
        self.0.size()
    }
    fn symbol(&self) -> Vec<Complex<f64>> {
        self.0.symbol.diagonal()
    }
    fn nonlinear(&mut self, t: f64, u_hat: &[Complex<R>], out: &mut [Complex<R>]) {
        self.0.nonlinear(t, u_hat, out);
    }
    fn is_linear(&self) -> bool {
        self.0.is_linear()
    }
}

/// How step lengths are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Steps {
    Fixed(f64),
    /// Relative error of a step; lengths are the interval between saved states divided by powers of two, so that the
    /// coefficients of few lengths serve the whole run.
    Adaptive {
        tolerance: f64,
    },
}

/// ETDRK2 or ETDRK4: the linear part exactly, the rest by Runge-Kutta. Cox & Matthews (2002), J. Comput. Phys. 176, 430,
/// eq. 20-22 and 26-29, with matrices for numbers where the linear part couples fields.
///
/// Error control compares a step with two of half its length (Richardson), which costs 11 evaluations for 8.
pub struct Etd<R: Scalar> {
    order: EtdrkOrder,
    steps: Steps,
    tables: Vec<(f64, Table<R>)>,
    walk: Walk,
    slopes: [Vec<Complex<R>>; 3],
    stages: [Vec<Complex<R>>; 2],
    whole: Vec<Complex<R>>,
    halves: Vec<Complex<R>>,
    /// Level of the ladder: lengths are `base / 2^level`.
    level: u32,
    base: f64,
    /// Steps of the present level since the start of the interval.
    ticks: u64,
    interval: (f64, f64),
    counts: Counts,
}

/// Tables of so many step lengths are kept: two for a step and its halves, and those of the neighbouring level.
const KEPT_TABLES: usize = 3;
/// Levels beyond this are shorter than rounding of the time.
const MAX_LEVEL: u32 = 44;

impl<R: Scalar> Etd<R> {
    pub fn new(order: EtdrkOrder, steps: Steps, size: usize) -> Self {
        let zero = vec![Complex::default(); size];
        Self {
            order,
            steps,
            tables: Vec::new(),
            walk: Walk::default(),
            slopes: [zero.clone(), zero.clone(), zero.clone()],
            stages: [zero.clone(), zero.clone()],
            whole: zero.clone(),
            halves: zero,
            level: 0,
            base: 0.0,
            ticks: 0,
            interval: (f64::NAN, f64::NAN),
            counts: Counts::default(),
        }
    }

    fn p(&self) -> i32 {
        match self.order {
            EtdrkOrder::Two => 2,
            EtdrkOrder::Four => 4,
        }
    }

    /// Moves `u` by one step of length `h`.
    fn advance(&mut self, spectral: &mut Spectral<R>, t: f64, h: f64, u: &mut [Complex<R>]) {
        let at = match self.tables.iter().position(|(length, _)| *length == h) {
            Some(at) => at,
            None => {
                if self.tables.len() == KEPT_TABLES {
                    self.tables.remove(0);
                }
                self.tables.push((h, Table::new(&spectral.symbol, self.order, h)));
                self.tables.len() - 1
            }
        };
        // The most recently used table is last.
        let entry = self.tables.remove(at);
        self.tables.push(entry);
        let last = self.tables.len() - 1;
        match &mut self.tables[last].1 {
            Table::Diagonal(method) => method.step(&mut Term(spectral), t, u),
            Table::Coupled { full, half, argument, weights } => {
                let [first, second] = &mut self.stages;
                let [s0, s1, s2] = &mut self.slopes;
                if spectral.is_linear() {
                    first.fill(Complex::default());
                    full.add_product(u, first);
                    u.copy_from_slice(first);
                    return;
                }
                let combine = |out: &mut Vec<Complex<R>>, terms: &[(&Blocks<R>, &[Complex<R>])]| {
                    out.fill(Complex::default());
                    terms.iter().for_each(|(block, v)| block.add_product(v, out));
                };
                spectral.nonlinear(t, u, s0);
                match self.order {
                    EtdrkOrder::Two => {
                        combine(first, &[(full, u), (argument, s0)]);
                        spectral.nonlinear(t + h, first, s1);
                        s1.iter_mut().zip(s0.iter()).for_each(|(b, a)| *b -= *a);
                        weights[1].add_product(s1, first);
                        u.copy_from_slice(first);
                    }
                    EtdrkOrder::Four => {
                        // first = a, second = b, then c.
                        combine(first, &[(half, u), (argument, s0)]);
                        spectral.nonlinear(t + 0.5 * h, first, s1);
                        combine(second, &[(half, u), (argument, s1)]);
                        spectral.nonlinear(t + 0.5 * h, second, s2);
                        // c = exp(hL/2) a + Q (2 N(b) - N(u)); s1 becomes N(a) + N(b).
                        s1.iter_mut().zip(s2.iter()).for_each(|(a, b)| *a += *b);
                        let two = R::of(2.0);
                        s2.iter_mut().zip(s0.iter()).for_each(|(b, n)| *b = *b * two - *n);
                        combine(second, &[(half, first), (argument, s2)]);
                        spectral.nonlinear(t + h, second, s2);
                        combine(first, &[(full, u), (&weights[0], s0), (&weights[1], s1), (&weights[2], s2)]);
                        u.copy_from_slice(first);
                    }
                }
            }
        }
    }

    /// Largest relative difference of two states over the fields, as root mean squares.
    fn difference(&self, spectral: &Spectral<R>, a: &[Complex<R>], b: &[Complex<R>]) -> f64 {
        let n = spectral.modes.len();
        let norm = |f: &dyn Fn(usize) -> f64| -> f64 {
            (0..n).map(|mode| spectral.modes.weight(mode) * f(mode)).sum::<f64>().sqrt()
        };
        let sizes: Vec<f64> = b.chunks(n).map(|b| norm(&|mode| Real::to_f64(b[mode].norm_sqr()))).collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let mut worst = 0.0f64;
        for ((a, b), size) in a.chunks(n).zip(b.chunks(n)).zip(&sizes) {
            let error = norm(&|mode| Real::to_f64((a[mode] - b[mode]).norm_sqr()));
            let scale = size + 1e-3 * largest;
            let ratio = if scale > 0.0 { error / scale } else { error };
            // A maximum would drop NaN.
            if ratio.is_nan() {
                return f64::NAN;
            }
            worst = worst.max(ratio);
        }
        worst
    }
}

impl<R: Scalar> March<R> for Etd<R> {
    fn step(&mut self, system: &mut Discrete<R>, t: f64, t_end: f64, y: &mut [R]) -> Result<f64, Stop> {
        let Discrete::Spectral(spectral) = system else {
            return Err(Stop::Failed("exponential methods need the Fourier discretization".into()));
        };
        let y: &mut [Complex<R>] = bytemuck::cast_slice_mut(y);
        let tolerance = match self.steps {
            Steps::Fixed(dt) => {
                let (h, is_last) = self.walk.next(t, t_end, dt);
                self.advance(spectral, t, h, y);
                self.counts.accepted += 1;
                self.counts.dt = h;
                return Ok(if is_last { t_end } else { t + h });
            }
            Steps::Adaptive { tolerance } => tolerance,
        };
        if self.interval.1 != t_end || !(self.interval.0 <= t) {
            // A new interval: keep the present step length where the interval has the same base, else the nearest below.
            let base = t_end - t;
            if (base - self.base).abs() > 1e-9 * base {
                if self.base > 0.0 {
                    let h = self.base / 2f64.powi(self.level as i32);
                    self.level = (base / h).log2().ceil().clamp(0.0, f64::from(MAX_LEVEL)) as u32;
                } else {
                    self.level = if spectral.is_linear() { 0 } else { 2 };
                }
                self.base = base;
            }
            self.interval = (t, t_end);
            self.ticks = 0;
        }
        if spectral.is_linear() {
            // Exact at any length.
            let base = self.base;
            self.advance(spectral, t, base, y);
            self.counts.accepted += 1;
            self.counts.dt = base;
            return Ok(t_end);
        }
        loop {
            let h = self.base / 2f64.powi(self.level as i32);
            let mut whole = std::mem::take(&mut self.whole);
            let mut halves = std::mem::take(&mut self.halves);
            whole.copy_from_slice(y);
            halves.copy_from_slice(y);
            self.advance(spectral, t, h, &mut whole);
            self.advance(spectral, t, 0.5 * h, &mut halves);
            self.advance(spectral, t + 0.5 * h, 0.5 * h, &mut halves);
            let power = 2f64.powi(self.p());
            let error = self.difference(spectral, &whole, &halves) / (power - 1.0);
            let is_good = error <= tolerance;
            if is_good {
                y.copy_from_slice(&halves);
            }
            self.whole = whole;
            self.halves = halves;
            if is_good {
                self.counts.accepted += 1;
                self.counts.dt = 0.5 * h;
                self.ticks += 1;
                let is_last = self.ticks == 1 << self.level;
                let reached = if is_last { t_end } else { self.interval.0 + h * self.ticks as f64 };
                // Twice the length only with room to spare, and only where it meets the ladder.
                if self.level > 0 && self.ticks.is_multiple_of(2) && error * 2.0 * power * 2.0 < tolerance {
                    self.level -= 1;
                    self.ticks /= 2;
                }
                return Ok(reached);
            }
            self.counts.rejected += 1;
            self.level += 1;
            self.ticks *= 2;
            if self.level > MAX_LEVEL {
                return Err(Stop::StepTooSmall);
            }
        }
    }

    fn reset(&mut self, _: &mut Discrete<R>) {
        self.tables.clear();
        self.walk.reset();
        self.interval = (f64::NAN, f64::NAN);
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
