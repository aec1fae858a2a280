//! Jacobians of y' = f(t, y): what linearly implicit and fully implicit methods need, and two ready-made ones.

use super::Term;
use super::implicit::SolveFailed;
use crate::{Real, Value};

/// A system with a Jacobian J = ∂f/∂y and solves with I - shift·J.
pub trait Jacobian<R: Real>: Term<R> {
    /// Takes J at (t, y). The solves use it until the next call.
    fn refresh(&mut self, t: f64, y: &[Self::Value]);
    /// Prepares solves with I - shift·J, `shift` the product of a coefficient and dt.
    fn factor(&mut self, shift: f64) -> Result<(), SolveFailed>;
    /// x ← (I - shift·J)⁻¹ x with the shift last given.
    fn solve(&mut self, x: &mut [Self::Value]) -> Result<(), SolveFailed>;
    /// Whether f does not depend on t.
    fn is_autonomous(&self) -> bool {
        false
    }
    /// Writes ∂f/∂t at (t, y) to `out`, given f(t, y) in `slope` and the length of the step that it is for. By one-sided
    /// differences of order 2 over times after t, on the scale of the step, unless a term knows better.
    fn time_derivative(
        &mut self,
        t: f64,
        dt: f64,
        y: &[Self::Value],
        slope: &[Self::Value],
        scratch: &mut [Self::Value],
        out: &mut [Self::Value],
    ) {
        // Times are f64 whatever R is, but f is only as exact as R; t itself bounds what can be told apart.
        let wanted = (R::EPSILON.cbrt() * dt.abs()).max(f64::EPSILON.sqrt() * t.abs());
        let step = (t + wanted) - t;
        if !(step > 0.0) {
            out.fill(Self::Value::default());
            return;
        }
        self.evaluate(t + step, y, out);
        self.evaluate(t + 2.0 * step, y, scratch);
        let (four, half) = (R::of(4.0), R::of(0.5 / step));
        for ((o, s), f) in out.iter_mut().zip(&*scratch).zip(slope) {
            *o = (*o * four - *s - *f * R::of(3.0)) * half;
        }
    }
}

/// Any small real system with a dense Jacobian by central differences and an LU factorization with row pivots: 2n
/// evaluations a Jacobian, n³/3 multiplications a factorization. For systems of up to a few hundred unknowns.
///
/// Central differences are exact for quadratic f, whatever the step: reactions among trace species need that, as no step
/// fits concentrations that differ by ten orders of magnitude.
pub struct DenseJacobian<R, T> {
    pub term: T,
    /// J by rows.
    matrix: Vec<R>,
    factors: Vec<R>,
    pivots: Vec<usize>,
    above: Vec<R>,
    below: Vec<R>,
    point: Vec<R>,
}

impl<R: Real, T: Term<R, Value = R>> DenseJacobian<R, T> {
    pub fn new(term: T) -> Self {
        let n = term.size();
        let vec = |len| vec![R::of(0.0); len];
        Self {
            term,
            matrix: vec(n * n),
            factors: vec(n * n),
            pivots: vec![0; n],
            above: vec(n),
            below: vec(n),
            point: vec(n),
        }
    }
}

impl<R: Real, T: Term<R, Value = R>> Term<R> for DenseJacobian<R, T> {
    type Value = R;
    fn size(&self) -> usize {
        self.term.size()
    }
    fn evaluate(&mut self, t: f64, y: &[R], slope: &mut [R]) {
        self.term.evaluate(t, y, slope);
    }
}

impl<R: Real, T: Term<R, Value = R>> Jacobian<R> for DenseJacobian<R, T> {
    fn refresh(&mut self, t: f64, y: &[R]) {
        let n = y.len();
        self.point.copy_from_slice(y);
        for j in 0..n {
            let wanted = R::of(R::EPSILON.cbrt() * y[j].to_f64().abs().max(1e-3));
            // What was really added, after rounding.
            let (above, below) = (y[j] + wanted, y[j] - wanted);
            self.point[j] = above;
            self.term.evaluate(t, &self.point, &mut self.above);
            self.point[j] = below;
            self.term.evaluate(t, &self.point, &mut self.below);
            let mut step = above - below;
            if self.below.iter().any(|f| !f.is_finite()) {
                // Below zero there may be no f (a root, a logarithm): the difference to the point itself then.
                self.point[j] = y[j];
                self.term.evaluate(t, &self.point, &mut self.below);
                step = above - y[j];
            }
            self.point[j] = y[j];
            for i in 0..n {
                self.matrix[i * n + j] = (self.above[i] - self.below[i]) / step;
            }
        }
    }

    fn factor(&mut self, shift: f64) -> Result<(), SolveFailed> {
        let n = self.pivots.len();
        let minus = R::of(-shift);
        for (f, m) in self.factors.iter_mut().zip(&self.matrix) {
            *f = *m * minus;
        }
        let a = &mut self.factors;
        for i in 0..n {
            a[i * n + i] += R::of(1.0);
        }
        for k in 0..n {
            let mut pivot = k;
            for i in k + 1..n {
                if a[i * n + k].magnitude() > a[pivot * n + k].magnitude() {
                    pivot = i;
                }
            }
            let value = a[pivot * n + k];
            if !value.is_finite() || value == R::of(0.0) {
                return Err(SolveFailed::Singular { row: k });
            }
            self.pivots[k] = pivot;
            if pivot != k {
                for j in 0..n {
                    a.swap(k * n + j, pivot * n + j);
                }
            }
            let inverse = R::of(1.0) / value;
            for i in k + 1..n {
                let factor = a[i * n + k] * inverse;
                a[i * n + k] = factor;
                if factor != R::of(0.0) {
                    for j in k + 1..n {
                        let upper = a[k * n + j];
                        a[i * n + j] -= factor * upper;
                    }
                }
            }
        }
        Ok(())
    }

    fn solve(&mut self, x: &mut [R]) -> Result<(), SolveFailed> {
        let n = self.pivots.len();
        for k in 0..n {
            x.swap(k, self.pivots[k]);
        }
        for i in 1..n {
            for j in 0..i {
                let known = x[j];
                x[i] -= self.factors[i * n + j] * known;
            }
        }
        for i in (0..n).rev() {
            for j in i + 1..n {
                let known = x[j];
                x[i] -= self.factors[i * n + j] * known;
            }
            x[i] /= self.factors[i * n + i];
        }
        Ok(())
    }
}

/// Any real system, without a matrix: products J·v by differences of f, solves by restarted GMRES.
///
/// No preconditioner, so the number of evaluations of a solve grows like the square root of the stiffness (shift times the
/// spectral radius) for diffusion. Differences limit the solves to about √ε relative accuracy. Knoll & Keyes (2004),
/// J. Comput. Phys. 193, 357; Saad & Schultz (1986), SIAM J. Sci. Stat. Comput. 7, 856.
pub struct KrylovJacobian<R, T> {
    pub term: T,
    /// Residual, relative to the right side, at which a solve ends.
    pub tolerance: f64,
    pub max_iterations: u32,
    /// Products J·v so far.
    pub products: u64,
    t: f64,
    shift: f64,
    point: Vec<R>,
    slope: Vec<R>,
    size: f64,
    basis: Vec<Vec<R>>,
    right_side: Vec<R>,
    moved: Vec<R>,
}

/// Directions kept before GMRES starts anew.
const RESTART: usize = 40;

impl<R: Real, T: Term<R, Value = R>> KrylovJacobian<R, T> {
    pub fn new(term: T) -> Self {
        let n = term.size();
        let vec = || vec![R::of(0.0); n];
        Self {
            term,
            tolerance: 4.0 * R::EPSILON.sqrt(),
            max_iterations: 400,
            products: 0,
            t: 0.0,
            shift: 0.0,
            point: vec(),
            slope: vec(),
            size: 0.0,
            basis: (0..=RESTART.min(n)).map(|_| vec()).collect(),
            right_side: vec(),
            moved: vec(),
        }
    }
}

impl<R: Real, T: Term<R, Value = R>> Term<R> for KrylovJacobian<R, T> {
    type Value = R;
    fn size(&self) -> usize {
        self.term.size()
    }
    fn evaluate(&mut self, t: f64, y: &[R], slope: &mut [R]) {
        self.term.evaluate(t, y, slope);
    }
}

fn norm<R: Real>(x: &[R]) -> f64 {
    x.iter().map(|v| v.to_f64() * v.to_f64()).sum::<f64>().sqrt()
}

impl<R: Real, T: Term<R, Value = R>> KrylovJacobian<R, T> {
    /// out = v - shift J v.
    fn apply(&mut self, v: &[R], out: &mut [R]) {
        let length = norm(v);
        if length == 0.0 {
            out.fill(R::of(0.0));
            return;
        }
        self.products += 1;
        let step = (R::EPSILON * (1.0 + self.size)).sqrt() / length;
        for ((m, p), d) in self.moved.iter_mut().zip(&self.point).zip(v) {
            *m = *p + *d * R::of(step);
        }
        self.term.evaluate(self.t, &self.moved, out);
        let scale = R::of(-self.shift / step);
        for ((o, s), d) in out.iter_mut().zip(&self.slope).zip(v) {
            *o = *d + (*o - *s) * scale;
        }
    }
}

impl<R: Real, T: Term<R, Value = R>> Jacobian<R> for KrylovJacobian<R, T> {
    fn refresh(&mut self, t: f64, y: &[R]) {
        self.t = t;
        self.point.copy_from_slice(y);
        self.size = norm(y);
        self.term.evaluate(t, y, &mut self.slope);
    }

    fn factor(&mut self, shift: f64) -> Result<(), SolveFailed> {
        self.shift = shift;
        Ok(())
    }

    fn solve(&mut self, x: &mut [R]) -> Result<(), SolveFailed> {
        self.right_side.copy_from_slice(x);
        let target = self.tolerance * norm(x);
        if !target.is_finite() {
            return Err(SolveFailed::NotFinite);
        }
        if target == 0.0 {
            return Ok(());
        }
        let mut basis = std::mem::take(&mut self.basis);
        let result = self.gmres(x, &mut basis, target);
        self.basis = basis;
        result
    }
}

impl<R: Real, T: Term<R, Value = R>> KrylovJacobian<R, T> {
    /// Starts from the right side, which is the answer for a small shift.
    fn gmres(&mut self, x: &mut [R], basis: &mut [Vec<R>], target: f64) -> Result<(), SolveFailed> {
        let (mut done, width) = (0, basis.len() - 1);
        // Column k of the Hessenberg matrix after rotation, then the rotations and the rotated right side.
        let mut columns = vec![vec![0.0; width + 1]; width];
        let (mut cosine, mut sine, mut rotated) = (vec![0.0; width], vec![0.0; width], vec![0.0; width + 1]);
        loop {
            self.apply(x, &mut basis[0]);
            for (r, b) in basis[0].iter_mut().zip(&self.right_side) {
                *r = *b - *r;
            }
            let residual = norm(&basis[0]);
            if residual <= target {
                return Ok(());
            }
            if !residual.is_finite() {
                return Err(SolveFailed::NotFinite);
            }
            if done >= self.max_iterations {
                return Err(SolveFailed::NoConvergence {
                    iterations: done,
                    residual: residual / target * self.tolerance,
                });
            }
            scale(&mut basis[0], 1.0 / residual);
            rotated.fill(0.0);
            rotated[0] = residual;
            let mut used = 0;
            while used < width && done < self.max_iterations {
                let k = used;
                let (old, new) = basis.split_at_mut(k + 1);
                self.apply(&old[k], &mut new[0]);
                let column = &mut columns[k];
                column.fill(0.0);
                for (h, v) in column.iter_mut().zip(old.iter()) {
                    *h = v.iter().zip(&new[0]).map(|(a, b)| a.to_f64() * b.to_f64()).sum();
                    super::imex::axpy(&mut new[0], v, -*h);
                }
                let length = norm(&new[0]);
                for i in 0..k {
                    let (a, b) = (column[i], column[i + 1]);
                    column[i] = cosine[i] * a + sine[i] * b;
                    column[i + 1] = cosine[i] * b - sine[i] * a;
                }
                let radius = column[k].hypot(length);
                (cosine[k], sine[k]) = if radius > 0.0 { (column[k] / radius, length / radius) } else { (1.0, 0.0) };
                column[k] = radius;
                rotated[k + 1] = -sine[k] * rotated[k];
                rotated[k] *= cosine[k];
                used += 1;
                done += 1;
                if rotated[k + 1].abs() <= target || !(length > 1e-14 * radius) {
                    break;
                }
                scale(&mut new[0], 1.0 / length);
            }
            for k in (0..used).rev() {
                let known: f64 = (k + 1..used).map(|j| columns[j][k] * rotated[j]).sum();
                rotated[k] = (rotated[k] - known) / columns[k][k];
            }
            for k in 0..used {
                super::imex::axpy(x, &basis[k], rotated[k]);
            }
            // Differences make the recurrence's residual an estimate; the true one is formed at the top of the loop, and
            // its floor is that of the differences.
            if rotated[..used].iter().any(|c| !c.is_finite()) {
                return Err(SolveFailed::NotFinite);
            }
        }
    }
}

fn scale<R: Real>(x: &mut [R], factor: f64) {
    for v in x {
        *v *= R::of(factor);
    }
}
