//! Crank-Nicolson for a tridiagonal linear part.

use crate::Real;
use crate::space::tridiagonal::{Tridiagonal, TridiagonalSolver};

/// y' = A y + b with A tridiagonal: `(1 - dt/2 A) y⁺ = (1 + dt/2 A) y + dt b`. Order 2, one tridiagonal solve, stable for
/// every dt if A is dissipative. Does not damp the stiffest modes (their factor tends to -1), so rough data ring: take the
/// first few steps by [`CrankNicolson::backward_euler`] there (Rannacher 1984). Crank & Nicolson (1947).
pub struct CrankNicolson<R> {
    matrix: Tridiagonal<R>,
    source: Vec<R>,
    dt: f64,
    /// Weight of the new time level: 1/2, or 1 for backward Euler.
    implicitness: f64,
    solver: TridiagonalSolver<R>,
    right_side: Vec<R>,
}

impl<R: Real> CrankNicolson<R> {
    /// For the matrix and the constant source at step length `dt`.
    pub fn new(matrix: Tridiagonal<R>, source: Vec<R>, dt: f64) -> Self {
        Self::with_implicitness(matrix, source, dt, 0.5)
    }

    /// The same with the new level alone: order 1, damps everything.
    pub fn backward_euler(matrix: Tridiagonal<R>, source: Vec<R>, dt: f64) -> Self {
        Self::with_implicitness(matrix, source, dt, 1.0)
    }

    fn with_implicitness(matrix: Tridiagonal<R>, source: Vec<R>, dt: f64, implicitness: f64) -> Self {
        let n = matrix.diagonal.len();
        let scale = R::of(-dt * implicitness);
        let scaled = |v: &[R]| v.iter().map(|x| *x * scale).collect::<Vec<R>>();
        let mut left = Tridiagonal {
            lower: scaled(&matrix.lower),
            diagonal: scaled(&matrix.diagonal),
            upper: scaled(&matrix.upper),
            periodic: matrix.periodic,
        };
        for d in &mut left.diagonal {
            *d += R::of(1.0);
        }
        Self {
            solver: TridiagonalSolver::new(&left),
            right_side: vec![R::of(0.0); n],
            matrix,
            source,
            dt,
            implicitness,
        }
    }

    pub fn dt(&self) -> f64 {
        self.dt
    }

    /// One step, in place.
    pub fn step(&mut self, y: &mut [R]) {
        self.matrix.apply(y, &mut self.right_side);
        let explicit = R::of(self.dt * (1.0 - self.implicitness));
        let dt = R::of(self.dt);
        for ((v, r), b) in y.iter_mut().zip(&self.right_side).zip(&self.source) {
            *v += *r * explicit + *b * dt;
        }
        self.solver.solve(y);
    }
}
