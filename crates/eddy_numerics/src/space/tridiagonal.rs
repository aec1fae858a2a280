//! Tridiagonal systems, also periodic ones.

use crate::Real;

/// Row i: `lower[i] x[i-1] + diagonal[i] x[i] + upper[i] x[i+1]`. `lower[0]` and `upper[n-1]` are the corner entries of a
/// periodic system and ignored otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Tridiagonal<R> {
    pub lower: Vec<R>,
    pub diagonal: Vec<R>,
    pub upper: Vec<R>,
    pub periodic: bool,
}

impl<R: Real> Tridiagonal<R> {
    /// out = A x.
    pub fn apply(&self, x: &[R], out: &mut [R]) {
        let n = self.diagonal.len();
        for i in 0..n {
            let mut sum = self.diagonal[i] * x[i];
            if i > 0 {
                sum += self.lower[i] * x[i - 1];
            } else if self.periodic {
                sum += self.lower[0] * x[n - 1];
            }
            if i + 1 < n {
                sum += self.upper[i] * x[i + 1];
            } else if self.periodic {
                sum += self.upper[i] * x[0];
            }
            out[i] = sum;
        }
    }
}

/// Factors of a tridiagonal matrix: elimination without pivoting (Thomas), O(n) a solve. Safe for diagonally dominant
/// matrices, which implicit diffusion always gives. A periodic matrix is a rank-one change of a plain one
/// (Sherman-Morrison), one extra vector.
#[derive(Clone, Debug)]
pub struct TridiagonalSolver<R> {
    lower: Vec<R>,
    /// upper / pivot.
    ratio: Vec<R>,
    /// 1 / pivot.
    inverse_pivot: Vec<R>,
    correction: Option<Correction<R>>,
}

#[derive(Clone, Debug)]
struct Correction<R> {
    /// A'^{-1} u.
    z: Vec<R>,
    /// Entry of v at the last row; its first is 1.
    v_last: R,
    /// 1 / (1 + v·z).
    factor: R,
}

impl<R: Real> TridiagonalSolver<R> {
    pub fn new(a: &Tridiagonal<R>) -> Self {
        let n = a.diagonal.len();
        let zero = R::of(0.0);
        let mut diagonal = a.diagonal.clone();
        // A = A' + u vᵀ with u = (gamma, 0, …, upper[n-1]), v = (1, 0, …, lower[0] / gamma).
        let periodic = a.periodic && n > 2;
        let gamma = if periodic { -a.diagonal[0] } else { zero };
        if periodic {
            diagonal[0] -= gamma;
            diagonal[n - 1] -= a.upper[n - 1] * a.lower[0] / gamma;
        }
        let (mut ratio, mut inverse_pivot) = (vec![zero; n], vec![zero; n]);
        for i in 0..n {
            let pivot = if i == 0 { diagonal[0] } else { diagonal[i] - a.lower[i] * ratio[i - 1] };
            inverse_pivot[i] = R::of(1.0) / pivot;
            ratio[i] = if i + 1 < n { a.upper[i] * inverse_pivot[i] } else { zero };
        }
        let mut solver = Self { lower: a.lower.clone(), ratio, inverse_pivot, correction: None };
        if periodic {
            let mut z = vec![zero; n];
            z[0] = gamma;
            z[n - 1] = a.upper[n - 1];
            solver.sweep(&mut z);
            let v_last = a.lower[0] / gamma;
            let factor = R::of(1.0) / (R::of(1.0) + z[0] + v_last * z[n - 1]);
            solver.correction = Some(Correction { z, v_last, factor });
        }
        solver
    }

    fn sweep(&self, x: &mut [R]) {
        let n = x.len();
        x[0] = x[0] * self.inverse_pivot[0];
        for i in 1..n {
            x[i] = (x[i] - self.lower[i] * x[i - 1]) * self.inverse_pivot[i];
        }
        for i in (0..n - 1).rev() {
            let next = x[i + 1];
            x[i] -= self.ratio[i] * next;
        }
    }

    /// Overwrites the right side `x` with the solution.
    pub fn solve(&self, x: &mut [R]) {
        self.sweep(x);
        if let Some(c) = &self.correction {
            let scale = (x[0] + c.v_last * x[x.len() - 1]) * c.factor;
            for (v, z) in x.iter_mut().zip(&c.z) {
                *v -= *z * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Lcg, max_difference};

    #[test]
    fn solutions_reconstruct_the_right_side() {
        let mut random = Lcg::new(3);
        for periodic in [false, true] {
            for n in [3, 4, 17, 100] {
                let mut line = |shift: f64| (0..n).map(|_| random.symmetric() + shift).collect::<Vec<f64>>();
                let a = Tridiagonal { lower: line(0.0), diagonal: line(4.0), upper: line(0.0), periodic };
                let b = line(0.0);
                let mut x = b.clone();
                TridiagonalSolver::new(&a).solve(&mut x);
                let mut back = vec![f64::NAN; n];
                a.apply(&x, &mut back);
                assert!(max_difference(&back, &b) < 1e-14, "n = {n}, periodic {periodic}");
                // A planted fault: one wrong entry of the matrix must show.
                let mut wrong = a.clone();
                wrong.upper[1] += 0.1;
                wrong.apply(&x, &mut back);
                assert!(max_difference(&back, &b) > 1e-6);
            }
        }
    }
}
