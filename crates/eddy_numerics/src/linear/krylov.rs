//! Krylov methods for matrices that are only known by what they do to a vector.
//!
//! All stop when the norm of the residual b - A x falls to `tolerance` times that of b (or to `floor`), and judge success
//! by the residual computed anew from x, never by the recurrence. None panics or loops on a bad matrix: the [`Outcome`]
//! says what happened, and x holds the last iterate.

use super::{Csr, Preconditioner, Scalar};

/// A square linear map.
pub trait Operator<V> {
    /// out = A x.
    fn apply(&mut self, x: &[V], out: &mut [V]);
}

impl<V: Scalar> Operator<V> for &Csr<V> {
    fn apply(&mut self, x: &[V], out: &mut [V]) {
        Csr::apply(self, x, out);
    }
}

impl<V, F: FnMut(&[V], &mut [V])> Operator<V> for F {
    fn apply(&mut self, x: &[V], out: &mut [V]) {
        self(x, out);
    }
}

/// Why a solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Converged,
    /// Not there after all iterations: allow more, precondition better, or ask for less.
    TooManyIterations,
    /// Nothing changes any more above the tolerance: it is below what rounding allows, or the system has no solution.
    Stagnated,
    /// The next direction is undefined. BiCGSTAB: restart from x or use GMRES.
    Breakdown,
    /// Conjugate gradients met a direction of no or negative energy: the matrix or the preconditioner is not positive
    /// definite. Use GMRES or BiCGSTAB.
    NotPositiveDefinite,
    /// A number stopped being finite.
    NotFinite,
}

/// What a solve did.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a solve may have failed"]
pub struct Report {
    pub outcome: Outcome,
    /// Applications of the matrix within iterations, two for each of BiCGSTAB.
    pub applications: usize,
    pub iterations: usize,
    /// Norm of b - A x over that of b, computed anew.
    pub residual: f64,
    /// The same by the recurrence before the first and after each iteration.
    pub history: Vec<f64>,
}

impl Report {
    pub fn is_converged(&self) -> bool {
        self.outcome == Outcome::Converged
    }
}

/// When to stop, and with how much memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Krylov {
    /// Residual to reach, relative to the right-hand side.
    pub tolerance: f64,
    /// Norm of the residual that is good enough in itself.
    pub floor: f64,
    pub max_iterations: usize,
    /// Directions that GMRES keeps before it restarts; memory is that many vectors.
    pub restart: usize,
}

impl Default for Krylov {
    fn default() -> Self {
        Self { tolerance: 1e-10, floor: 0.0, max_iterations: 1000, restart: 40 }
    }
}

fn dot<V: Scalar>(a: &[V], b: &[V]) -> V {
    let mut sum = V::default();
    for (a, b) in a.iter().zip(b) {
        sum += a.conj() * *b;
    }
    sum
}

fn norm<V: Scalar>(a: &[V]) -> f64 {
    a.iter().map(|v| v.magnitude().powi(2)).sum::<f64>().sqrt()
}

/// y += a x.
fn add<V: Scalar>(y: &mut [V], a: V, x: &[V]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * *x;
    }
}

/// r = b - A x.
fn residual<V: Scalar>(a: &mut impl Operator<V>, b: &[V], x: &[V], r: &mut [V]) -> f64 {
    a.apply(x, r);
    for (r, b) in r.iter_mut().zip(b) {
        *r = *b - *r;
    }
    norm(r)
}

impl Krylov {
    fn target(&self, scale: f64) -> f64 {
        (self.tolerance * scale).max(self.floor)
    }

    /// Judges by the residual computed anew.
    fn report<V: Scalar>(
        &self,
        a: &mut impl Operator<V>,
        b: &[V],
        x: &[V],
        ended: Outcome,
        history: Vec<f64>,
        applications: usize,
    ) -> Report {
        let scale = norm(b);
        let size = residual(a, b, x, &mut vec![V::default(); b.len()]);
        let outcome = if !size.is_finite() {
            Outcome::NotFinite
        } else if size <= self.target(scale) * (1.0 + 1e-6) {
            Outcome::Converged
        } else if ended == Outcome::Converged {
            // The recurrence has drifted from the truth.
            Outcome::Stagnated
        } else {
            ended
        };
        let residual = if scale > 0.0 { size / scale } else { size };
        Report { outcome, applications, iterations: history.len().saturating_sub(1), residual, history }
    }

    /// Conjugate gradients for a Hermitian positive definite matrix and preconditioner, from the start value in x (Hestenes,
    /// Stiefel 1952, J. Res. NBS 49, 409). One application an iteration; iterations grow with the square root of the
    /// condition number.
    ///
    /// # Panics
    /// If b and x differ in length.
    pub fn conjugate_gradients<V: Scalar>(
        &self,
        mut a: impl Operator<V>,
        preconditioner: &impl Preconditioner<V>,
        b: &[V],
        x: &mut [V],
    ) -> Report {
        assert_eq!(b.len(), x.len(), "one unknown a row");
        let n = b.len();
        let (scale, mut r) = (norm(b), vec![V::default(); n]);
        let relative = |size: f64| if scale > 0.0 { size / scale } else { size };
        let mut size = residual(&mut a, b, x, &mut r);
        let (mut z, mut p, mut q) = (vec![V::default(); n], vec![V::default(); n], vec![V::default(); n]);
        let (mut history, mut energy) = (vec![relative(size)], 0.0);
        let mut ended = Outcome::TooManyIterations;
        for iteration in 0..=self.max_iterations {
            if !(size > self.target(scale)) {
                ended = Outcome::Converged;
                break;
            }
            if iteration == self.max_iterations {
                break;
            }
            preconditioner.precondition(&r, &mut z);
            let next = dot(&r, &z).re();
            if !(next > 0.0) {
                ended = Outcome::NotPositiveDefinite;
                break;
            }
            let beta = if iteration == 0 { 0.0 } else { next / energy };
            energy = next;
            for (p, z) in p.iter_mut().zip(&z) {
                *p = *z + V::of(beta) * *p;
            }
            a.apply(&p, &mut q);
            let curvature = dot(&p, &q).re();
            if !(curvature > 0.0) {
                ended = Outcome::NotPositiveDefinite;
                break;
            }
            let step = V::of(energy / curvature);
            add(x, step, &p);
            add(&mut r, -step, &q);
            size = norm(&r);
            history.push(relative(size));
        }
        let count = history.len() - 1;
        self.report(&mut a, b, x, ended, history, count)
    }

    /// BiCGSTAB for any square matrix, preconditioned from the right, from the start value in x (van der Vorst 1992, SIAM
    /// J. Sci. Stat. Comput. 13, 631). Two applications an iteration, fixed memory; residuals are not monotone.
    ///
    /// # Panics
    /// If b and x differ in length.
    pub fn bicgstab<V: Scalar>(
        &self,
        mut a: impl Operator<V>,
        preconditioner: &impl Preconditioner<V>,
        b: &[V],
        x: &mut [V],
    ) -> Report {
        assert_eq!(b.len(), x.len(), "one unknown a row");
        let n = b.len();
        let vec = || vec![V::default(); n];
        let (scale, mut r) = (norm(b), vec());
        let relative = |size: f64| if scale > 0.0 { size / scale } else { size };
        let mut size = residual(&mut a, b, x, &mut r);
        let shadow = r.clone();
        let shadow_size = norm(&shadow);
        let (mut p, mut v, mut p_hat, mut s_hat, mut t) = (vec(), vec(), vec(), vec(), vec());
        let (mut rho, mut alpha, mut omega) = (V::of(1.0), V::of(1.0), V::of(1.0));
        let (mut history, mut ended, mut applications) = (vec![relative(size)], Outcome::TooManyIterations, 0);
        for iteration in 0..=self.max_iterations {
            if !(size > self.target(scale)) {
                ended = Outcome::Converged;
                break;
            }
            if iteration == self.max_iterations {
                break;
            }
            let next = dot(&shadow, &r);
            if !(next.magnitude() > 1e-2 * V::EPSILON * V::EPSILON * shadow_size * size) || omega == V::default() {
                ended = Outcome::Breakdown;
                break;
            }
            let beta = if iteration == 0 { V::default() } else { (next / rho) * (alpha / omega) };
            rho = next;
            for ((p, r), v) in p.iter_mut().zip(&r).zip(&v) {
                *p = *r + beta * (*p - omega * *v);
            }
            preconditioner.precondition(&p, &mut p_hat);
            a.apply(&p_hat, &mut v);
            let divisor = dot(&shadow, &v);
            if divisor == V::default() {
                ended = Outcome::Breakdown;
                break;
            }
            alpha = rho / divisor;
            add(x, alpha, &p_hat);
            add(&mut r, -alpha, &v);
            applications += 1;
            size = norm(&r);
            if !(size > self.target(scale)) {
                history.push(relative(size));
                ended = Outcome::Converged;
                break;
            }
            preconditioner.precondition(&r, &mut s_hat);
            a.apply(&s_hat, &mut t);
            applications += 1;
            let squared = dot(&t, &t);
            omega = if squared == V::default() { V::default() } else { dot(&t, &r) / squared };
            add(x, omega, &s_hat);
            add(&mut r, -omega, &t);
            size = norm(&r);
            history.push(relative(size));
        }
        self.report(&mut a, b, x, ended, history, applications)
    }

    /// GMRES with restarts for any square matrix, preconditioned from the right, from the start value in x (Saad, Schultz
    /// 1986, SIAM J. Sci. Stat. Comput. 7, 856). One application an iteration; residuals never grow. Memory: `restart` + 1
    /// vectors; work of orthogonalization grows with the square of it.
    ///
    /// # Panics
    /// If b and x differ in length.
    pub fn gmres<V: Scalar>(
        &self,
        mut a: impl Operator<V>,
        preconditioner: &impl Preconditioner<V>,
        b: &[V],
        x: &mut [V],
    ) -> Report {
        assert_eq!(b.len(), x.len(), "one unknown a row");
        let n = b.len();
        let scale = norm(b);
        let relative = |size: f64| if scale > 0.0 { size / scale } else { size };
        let restart = self.restart.clamp(1, n.max(1));
        let mut basis = vec![vec![V::default(); n]; restart + 1];
        let (mut z, mut sum) = (vec![V::default(); n], vec![V::default(); n]);
        let mut size = residual(&mut a, b, x, &mut basis[0]);
        let mut history = vec![relative(size)];
        let mut ended = Outcome::TooManyIterations;
        let mut iterations = 0;
        'cycles: while iterations < self.max_iterations {
            if !(size > self.target(scale)) {
                ended = Outcome::Converged;
                break;
            }
            let before = size;
            let inverse = V::of(1.0 / size);
            basis[0].iter_mut().for_each(|v| *v = *v * inverse);
            // Upper triangle by columns, rotations (cosine, sine) and the turned right-hand side.
            let (mut columns, mut rotations) = (Vec::<Vec<V>>::new(), Vec::<(f64, V)>::new());
            let mut right = vec![V::of(size)];
            while columns.len() < restart && iterations < self.max_iterations && size > self.target(scale) {
                let k = columns.len();
                preconditioner.precondition(&basis[k], &mut z);
                let (known, rest) = basis.split_at_mut(k + 1);
                let next = &mut rest[0];
                a.apply(&z, next);
                iterations += 1;
                let full = norm(next);
                if !full.is_finite() {
                    ended = Outcome::NotFinite;
                    break 'cycles;
                }
                let mut column = vec![V::default(); k + 1];
                // Twice is enough for orthogonality to rounding.
                for _ in 0..2 {
                    for (h, v) in column.iter_mut().zip(known.iter()) {
                        let share = dot(v, next);
                        *h += share;
                        add(next, -share, v);
                    }
                }
                let below = norm(next);
                for (i, (cos, sin)) in rotations.iter().enumerate() {
                    let (upper, lower) = (column[i], column[i + 1]);
                    column[i] = V::of(*cos) * upper + *sin * lower;
                    column[i + 1] = V::of(*cos) * lower - sin.conj() * upper;
                }
                let diagonal = column[k];
                let length = diagonal.magnitude().hypot(below);
                let is_last = below <= V::EPSILON * full;
                if length <= V::EPSILON * V::EPSILON * full {
                    // A has no effect on this direction: singular on the space searched.
                    ended = Outcome::Breakdown;
                    update(x, &columns, &right, &basis, preconditioner, &mut z, &mut sum);
                    break 'cycles;
                }
                let cos = diagonal.magnitude() / length;
                let phase =
                    if diagonal == V::default() { V::of(1.0) } else { diagonal * V::of(1.0 / diagonal.magnitude()) };
                let sin = phase * V::of(below / length);
                column[k] = phase * V::of(length);
                columns.push(column);
                rotations.push((cos, sin));
                let value = right[k];
                right[k] = V::of(cos) * value;
                right.push(-(sin.conj() * value));
                size = right[k + 1].magnitude();
                history.push(relative(size));
                if is_last {
                    break;
                }
                let inverse = V::of(1.0 / below);
                basis[k + 1].iter_mut().for_each(|v| *v = *v * inverse);
            }
            update(x, &columns, &right, &basis, preconditioner, &mut z, &mut sum);
            size = residual(&mut a, b, x, &mut basis[0]);
            if !size.is_finite() {
                ended = Outcome::NotFinite;
                break;
            }
            if size > self.target(scale) && size > 0.999_999 * before {
                ended = Outcome::Stagnated;
                break;
            }
        }
        if !(size > self.target(scale)) {
            ended = Outcome::Converged;
        }
        self.report(&mut a, b, x, ended, history, iterations)
    }
}

/// x += M⁻¹ V y, with y from the triangle.
fn update<V: Scalar>(
    x: &mut [V],
    columns: &[Vec<V>],
    right: &[V],
    basis: &[Vec<V>],
    preconditioner: &impl Preconditioner<V>,
    z: &mut [V],
    sum: &mut [V],
) {
    let mut y = right[..columns.len()].to_vec();
    for k in (0..columns.len()).rev() {
        y[k] = y[k] / columns[k][k];
        let value = y[k];
        for (y, h) in y[..k].iter_mut().zip(&columns[k]) {
            *y -= *h * value;
        }
    }
    sum.fill(V::default());
    y.iter().zip(basis).for_each(|(y, v)| add(sum, *y, v));
    preconditioner.precondition(sum, z);
    add(x, V::of(1.0), z);
}
