//! Exponential time differencing Runge-Kutta for a diagonal linear part.

use num_complex::Complex;

use crate::Real;

/// u_t = L u + N(t, u) with L diagonal in the basis of the coefficients (Fourier modes of all fields, one after the other).
pub trait SplitTerm<R: Real> {
    /// Number of coefficients.
    fn modes(&self) -> usize;
    /// Diagonal of L, in f64: it enters through its exponential.
    fn symbol(&self) -> Vec<Complex<f64>>;
    /// Writes N(t, û) to `out`, which may hold anything before.
    fn nonlinear(&mut self, t: f64, u_hat: &[Complex<R>], out: &mut [Complex<R>]);
    /// Whether N is zero; a step is then the exact exponential and `nonlinear` is not called.
    fn is_linear(&self) -> bool {
        false
    }
}

/// Order of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtdrkOrder {
    Two,
    Four,
}

/// ETDRK4 (4 evaluations of N) or ETDRK2 (2 evaluations): the linear part exactly, the nonlinear part by Runge-Kutta.
///
/// The step is bounded by the nonlinear part alone, so stiff diffusion and dispersion cost nothing. Exact for linear
/// problems at any dt. Order 4 is lost (down to about 2) where N itself is stiff.
///
/// Scheme: Cox & Matthews (2002), J. Comput. Phys. 176, 430: eq. 22 (order 2), 26-29 (order 4). Coefficients: contour means
/// of Kassam & Trefethen (2005), SIAM J. Sci. Comput. 26, 1214, eq. 2.5, over 32 points of a unit circle about each dt·λ.
pub struct Etdrk<R: Real> {
    order: EtdrkOrder,
    dt: f64,
    coefficients: Coefficients<R>,
    slopes: [Vec<Complex<R>>; 3],
    argument: Vec<Complex<R>>,
    /// Second argument: only order 4 needs it.
    first: Vec<Complex<R>>,
}

/// Real symbols (diffusion) get real coefficients: half the work of complex ones (dispersion).
enum Coefficients<R: Real> {
    Real(Table<R>),
    Complex(Table<Complex<R>>),
}

/// Per mode: e^{L}, e^{L/2}, dt·Q, and the weights of N(u), N(a) + N(b), N(c); L stands for dt·λ.
struct Table<C> {
    full: Vec<C>,
    half: Vec<C>,
    to_argument: Vec<C>,
    weight: [Vec<C>; 3],
}

/// What a coefficient can be.
trait Coefficient<R: Real>: Copy {
    fn from_complex(z: Complex<f64>) -> Self;
    fn times(self, z: Complex<R>) -> Complex<R>;
}

impl<R: Real> Coefficient<R> for R {
    fn from_complex(z: Complex<f64>) -> Self {
        R::of(z.re)
    }
    #[inline(always)]
    fn times(self, z: Complex<R>) -> Complex<R> {
        Complex::new(z.re * self, z.im * self)
    }
}

impl<R: Real> Coefficient<R> for Complex<R> {
    fn from_complex(z: Complex<f64>) -> Self {
        Complex::new(R::of(z.re), R::of(z.im))
    }
    #[inline(always)]
    fn times(self, z: Complex<R>) -> Complex<R> {
        z * self
    }
}

/// Points of the contour; the means converge faster than any power of it.
const CONTOUR: usize = 32;

/// The coefficients of one mode with z = dt·λ, all without the factor dt: (Q, f1, f2, f3) for order 4,
/// (φ1, φ1 - φ2, φ2, 0) for order 2.
fn contour_means(z: Complex<f64>, order: EtdrkOrder) -> [Complex<f64>; 4] {
    let mut sum = [Complex::default(); 4];
    for j in 0..CONTOUR {
        // Half a point off the axis: no point meets a real z's own zero of the denominators.
        let r = z + Complex::from_polar(1.0, std::f64::consts::TAU * (j as f64 + 0.5) / CONTOUR as f64);
        let e = r.exp();
        let values = match order {
            EtdrkOrder::Four => {
                let (r2, r3) = (r * r, r * r * r);
                [
                    ((r * 0.5).exp() - 1.0) / r,
                    (-4.0 - r + e * (4.0 - 3.0 * r + r2)) / r3,
                    (2.0 + r + e * (r - 2.0)) / r3,
                    (-4.0 - 3.0 * r - r2 + e * (4.0 - r)) / r3,
                ]
            }
            EtdrkOrder::Two => {
                let phi1 = (e - 1.0) / r;
                let phi2 = (e - 1.0 - r) / (r * r);
                [phi1, phi1 - phi2, phi2, Complex::default()]
            }
        };
        for (s, v) in sum.iter_mut().zip(values) {
            *s += v;
        }
    }
    sum.map(|s| s / CONTOUR as f64)
}

impl<R: Real, C: Coefficient<R>> TableOf<R> for Table<C> {
    fn new(symbol: &[Complex<f64>], dt: f64, order: EtdrkOrder) -> Self {
        let n = symbol.len();
        let mut table = Self {
            full: Vec::with_capacity(n),
            half: Vec::with_capacity(n),
            to_argument: Vec::with_capacity(n),
            weight: [Vec::with_capacity(n), Vec::with_capacity(n), Vec::with_capacity(n)],
        };
        for lambda in symbol {
            let z = lambda * dt;
            let means = contour_means(z, order);
            table.full.push(C::from_complex(z.exp()));
            table.half.push(C::from_complex((z * 0.5).exp()));
            table.to_argument.push(C::from_complex(means[0] * dt));
            for (w, m) in table.weight.iter_mut().zip(&means[1..]) {
                w.push(C::from_complex(m * dt));
            }
        }
        table
    }
}

trait TableOf<R: Real> {
    fn new(symbol: &[Complex<f64>], dt: f64, order: EtdrkOrder) -> Self;
}

impl<R: Real> Etdrk<R> {
    /// For a term's symbol at step length `dt`. Costs 32 complex exponentials a mode.
    pub fn new(order: EtdrkOrder, symbol: &[Complex<f64>], dt: f64) -> Self {
        let n = symbol.len();
        let vec = || vec![Complex::default(); n];
        let coefficients = Self::coefficients(order, symbol, dt);
        Self { order, dt, coefficients, slopes: [vec(), vec(), vec()], argument: vec(), first: vec() }
    }

    fn coefficients(order: EtdrkOrder, symbol: &[Complex<f64>], dt: f64) -> Coefficients<R> {
        if symbol.iter().all(|z| z.im == 0.0) {
            Coefficients::Real(<Table<R> as TableOf<R>>::new(symbol, dt, order))
        } else {
            Coefficients::Complex(<Table<Complex<R>> as TableOf<R>>::new(symbol, dt, order))
        }
    }

    /// Changes the symbol or the step length, keeping the work space.
    pub fn set(&mut self, symbol: &[Complex<f64>], dt: f64) {
        self.coefficients = Self::coefficients(self.order, symbol, dt);
        self.dt = dt;
    }

    pub fn dt(&self) -> f64 {
        self.dt
    }

    pub fn order(&self) -> EtdrkOrder {
        self.order
    }

    /// Evaluations of N in one step.
    pub fn evaluations(&self) -> u32 {
        match self.order {
            EtdrkOrder::Two => 2,
            EtdrkOrder::Four => 4,
        }
    }

    /// Moves the coefficients from `t` to `t + dt`, in place.
    pub fn step<T: SplitTerm<R> + ?Sized>(&mut self, term: &mut T, t: f64, u_hat: &mut [Complex<R>]) {
        let Self { order, dt, coefficients, slopes, argument, first } = self;
        let work = (slopes, argument, first);
        match (coefficients, order) {
            (Coefficients::Real(table), EtdrkOrder::Four) => step4(table, term, t, *dt, u_hat, work),
            (Coefficients::Complex(table), EtdrkOrder::Four) => step4(table, term, t, *dt, u_hat, work),
            (Coefficients::Real(table), EtdrkOrder::Two) => step2(table, term, t, *dt, u_hat, work),
            (Coefficients::Complex(table), EtdrkOrder::Two) => step2(table, term, t, *dt, u_hat, work),
        }
    }
}

type Work<'a, R> = (&'a mut [Vec<Complex<R>>; 3], &'a mut Vec<Complex<R>>, &'a mut Vec<Complex<R>>);

fn exponential<R: Real, C: Coefficient<R>>(table: &Table<C>, u_hat: &mut [Complex<R>]) {
    for (u, e) in u_hat.iter_mut().zip(&table.full) {
        *u = e.times(*u);
    }
}

fn step4<R: Real, C: Coefficient<R>, T: SplitTerm<R> + ?Sized>(
    table: &Table<C>,
    term: &mut T,
    t: f64,
    dt: f64,
    u: &mut [Complex<R>],
    (slopes, argument, first): Work<'_, R>,
) {
    if term.is_linear() {
        return exponential(table, u);
    }
    let n = u.len();
    let [n_u, n_ab, n_last] = slopes;
    let (half, q, full) = (&table.half[..n], &table.to_argument[..n], &table.full[..n]);
    let [f1, f2, f3] = &table.weight;
    let (f1, f2, f3) = (&f1[..n], &f2[..n], &f3[..n]);
    let two = R::of(2.0);
    term.nonlinear(t, u, n_u);
    // a, kept: the last stage starts from it.
    for i in 0..n {
        first[i] = half[i].times(u[i]) + q[i].times(n_u[i]);
    }
    term.nonlinear(t + 0.5 * dt, first, n_ab);
    // b
    for i in 0..n {
        argument[i] = half[i].times(u[i]) + q[i].times(n_ab[i]);
    }
    term.nonlinear(t + 0.5 * dt, argument, n_last);
    // c; from here on only N(a) + N(b) is needed.
    for i in 0..n {
        argument[i] = half[i].times(first[i]) + q[i].times(n_last[i] * two - n_u[i]);
        n_ab[i] = n_ab[i] + n_last[i];
    }
    term.nonlinear(t + dt, argument, n_last);
    for i in 0..n {
        u[i] = full[i].times(u[i]) + f1[i].times(n_u[i]) + f2[i].times(n_ab[i] * two) + f3[i].times(n_last[i]);
    }
}

fn step2<R: Real, C: Coefficient<R>, T: SplitTerm<R> + ?Sized>(
    table: &Table<C>,
    term: &mut T,
    t: f64,
    dt: f64,
    u: &mut [Complex<R>],
    (slopes, argument, _): Work<'_, R>,
) {
    if term.is_linear() {
        return exponential(table, u);
    }
    let n = u.len();
    let [n_u, n_a, _] = slopes;
    term.nonlinear(t, u, n_u);
    for i in 0..n {
        argument[i] = table.full[i].times(u[i]) + table.to_argument[i].times(n_u[i]);
    }
    term.nonlinear(t + dt, argument, n_a);
    for i in 0..n {
        u[i] = table.full[i].times(u[i]) + table.weight[0][i].times(n_u[i]) + table.weight[1][i].times(n_a[i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// φ-functions by their Taylor series, another path to the coefficients for small z.
    fn phi(k: u32, z: Complex<f64>) -> Complex<f64> {
        let mut term = Complex::from(1.0 / (1..=k).map(f64::from).product::<f64>());
        let mut sum = term;
        for j in 1..60 {
            term = term * z / f64::from(j + k);
            sum += term;
        }
        sum
    }

    #[test]
    fn contour_means_equal_the_series_and_the_formulas() {
        for z in [0.0, 1e-9, -1e-3, -0.5, 0.7, -3.0].map(Complex::from).into_iter().chain([Complex::new(0.1, 2.0)]) {
            let (p1, p2, p3) = (phi(1, z), phi(2, z), phi(3, z));
            let expected = [phi(1, z * 0.5) * 0.5, p1 - 3.0 * p2 + 4.0 * p3, p2 - 2.0 * p3, 4.0 * p3 - p2];
            for (a, b) in contour_means(z, EtdrkOrder::Four).iter().zip(&expected) {
                assert!((a - b).norm() < 2e-14, "z = {z}: {a} {b}");
            }
            let expected = [p1, p1 - p2, p2];
            for (a, b) in contour_means(z, EtdrkOrder::Two).iter().zip(&expected) {
                assert!((a - b).norm() < 2e-14, "z = {z}");
            }
        }
        // Far from zero the closed formula has no cancellation and is its own oracle.
        for z in [-40.0, -1e4, -1e7] {
            let means = contour_means(Complex::from(z), EtdrkOrder::Four);
            let e = z.exp();
            let f1 = (-4.0 - z + e * (4.0 - 3.0 * z + z * z)) / (z * z * z);
            assert!((means[1].re / f1 - 1.0).abs() < 1e-12 && means[1].im.abs() < 1e-15, "z = {z}");
        }
    }
}
