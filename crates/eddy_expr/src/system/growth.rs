//! How fast single waves grow under the linear part, and systems whose short waves grow without bound.

use super::{Equation, LinearSymbol, Role, System};
use crate::diagnostic::{Code, Diagnostic};

type Complex = (f64, f64);

fn mul(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

fn sub(a: Complex, b: Complex) -> Complex {
    (a.0 - b.0, a.1 - b.1)
}

fn div(a: Complex, b: Complex) -> Complex {
    let size = b.0 * b.0 + b.1 * b.1;
    let top = mul(a, (b.0, -b.1));
    (top.0 / size, top.1 / size)
}

fn size(a: Complex) -> f64 {
    a.0.hypot(a.1)
}

impl System {
    /// The eigenvalues, as (growth rate, angular frequency), of the linear part at wavenumber `k` for the variables
    /// stepped in time, with elliptic fields eliminated. `None` where an elliptic field has no solution at `k`.
    pub fn modes(&self, symbol: &LinearSymbol, k: [f64; 3]) -> Option<Vec<(f64, f64)>> {
        let matrix = symbol.at(k);
        let full = symbol.size;
        let stepped: Vec<usize> = self.stepped().map(usize::from).collect();
        let elliptic: Vec<usize> = (0..full).filter(|index| self.variables[*index].role == Role::Elliptic).collect();
        // Rows: stepped first, then elliptic; elimination from below leaves the Schur complement above.
        let order: Vec<usize> = stepped.iter().chain(&elliptic).copied().collect();
        let n = order.len();
        let mut work: Vec<Complex> = (0..n * n).map(|at| matrix[order[at / n] * full + order[at % n]]).collect();
        for pivot in (stepped.len()..n).rev() {
            let best = (stepped.len()..=pivot)
                .max_by(|a, b| size(work[a * n + pivot]).total_cmp(&size(work[b * n + pivot])))?;
            if size(work[best * n + pivot]) == 0.0 {
                return None;
            }
            for column in 0..n {
                work.swap(best * n + column, pivot * n + column);
            }
            for row in 0..pivot {
                let factor = div(work[row * n + pivot], work[pivot * n + pivot]);
                for column in 0..n {
                    work[row * n + column] = sub(work[row * n + column], mul(factor, work[pivot * n + column]));
                }
            }
        }
        let m = stepped.len();
        let square: Vec<Complex> = (0..m * m).map(|at| work[at / m * n + at % m]).collect();
        Some(eigenvalues(&square, m))
    }

    /// A diagnostic where the growth rate of waves rises without bound with their wavenumber, as for heat run
    /// backwards. Looks at the linear part about zero only, so it misses what a nonlinear coefficient does.
    pub fn ill_posed(&mut self, parameters: &[f64]) -> Option<Diagnostic> {
        if self.dimension == 0 {
            return None;
        }
        let symbol = self.linear_symbol(parameters).ok()?;
        let directions: &[[f64; 3]] = match self.dimension {
            1 => &[[1.0, 0.0, 0.0]],
            2 => &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.8, 0.0], [0.6, -0.8, 0.0]],
            _ => &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.48, 0.6, 0.64], [-0.48, 0.6, 0.64]],
        };
        for direction in directions {
            let growth = |wavenumber: f64| {
                let modes = self.modes(&symbol, direction.map(|part| part * wavenumber))?;
                let largest = modes.iter().map(|mode| size(*mode)).fold(0.0, f64::max);
                let growth = modes.iter().map(|mode| mode.0).fold(f64::NEG_INFINITY, f64::max);
                // Rounding of multiple eigenvalues shows as growth; below this it says nothing.
                Some(if growth > 1e-3 * largest { growth } else { 0.0 })
            };
            if let (Some(long), Some(short)) = (growth(1e3), growth(4e3))
                && long > 0.0
                && short > 1.5 * long
            {
                let span = self.equations.iter().find_map(|equation| match equation {
                    Equation::Evolution { span, .. } => Some(*span),
                    _ => None,
                });
                return Some(Diagnostic::new(
                    Code::System,
                    span.unwrap_or_default(),
                    "Short waves grow without bound in this system, so it has no solution that a grid can follow (as for heat run backwards).",
                    "Check the signs of the highest derivatives: u_t = +lap(u) and u_t = -bilap(u) smooth, the opposite signs do not.",
                ));
            }
        }
        None
    }
}

/// All eigenvalues of a small complex matrix (side at most 16): characteristic polynomial by the method of
/// Faddeev and LeVerrier, its roots by Durand and Kerner's simultaneous iteration; relative errors grow with
/// multiplicity, to about 1e-5 for triple roots.
fn eigenvalues(matrix: &[Complex], n: usize) -> Vec<Complex> {
    let scale = matrix.iter().map(|entry| size(*entry)).fold(0.0, f64::max) * n as f64;
    if n == 0 || scale == 0.0 || !scale.is_finite() {
        return vec![(if scale.is_finite() { 0.0 } else { f64::NAN }, 0.0); n];
    }
    let a: Vec<Complex> = matrix.iter().map(|entry| (entry.0 / scale, entry.1 / scale)).collect();
    // p(λ) = λ^n + c[n-1] λ^(n-1) + … + c[0].
    let mut c = vec![(0.0, 0.0); n];
    let mut m = vec![(0.0, 0.0); n * n];
    let mut last: Complex = (1.0, 0.0);
    for step in 1..=n {
        // m ← a m + c[n-step+1] I.
        let mut next = vec![(0.0, 0.0); n * n];
        for row in 0..n {
            for column in 0..n {
                let mut sum = (0.0, 0.0);
                for inner in 0..n {
                    let product = mul(a[row * n + inner], m[inner * n + column]);
                    sum = (sum.0 + product.0, sum.1 + product.1);
                }
                if row == column {
                    sum = (sum.0 + last.0, sum.1 + last.1);
                }
                next[row * n + column] = sum;
            }
        }
        m = next;
        let mut trace = (0.0, 0.0);
        for row in 0..n {
            for inner in 0..n {
                let product = mul(a[row * n + inner], m[inner * n + row]);
                trace = (trace.0 + product.0, trace.1 + product.1);
            }
        }
        last = (-trace.0 / step as f64, -trace.1 / step as f64);
        c[n - step] = last;
    }
    // Starting points on a spiral, none symmetric to another.
    let mut roots: Vec<Complex> = (0..n)
        .map(|index| {
            let angle = 0.4 + 2.4 * index as f64;
            let radius = 0.2 + 0.6 * (index + 1) as f64 / n as f64;
            (radius * angle.cos(), radius * angle.sin())
        })
        .collect();
    for _ in 0..500 {
        let mut change: f64 = 0.0;
        for index in 0..n {
            let mut value = (1.0, 0.0);
            for coefficient in c.iter().rev() {
                let product = mul(value, roots[index]);
                value = (product.0 + coefficient.0, product.1 + coefficient.1);
            }
            let mut others = (1.0, 0.0);
            for other in 0..n {
                if other != index {
                    others = mul(others, sub(roots[index], roots[other]));
                }
            }
            if size(others) < 1e-300 {
                roots[index].0 += 1e-9;
                continue;
            }
            let step = div(value, others);
            roots[index] = sub(roots[index], step);
            change = change.max(size(step));
        }
        if change < 1e-15 {
            break;
        }
    }
    // What the iteration leaves of a root at zero is rounding, and its sign says nothing.
    roots
        .into_iter()
        .map(|root| if size(root) < 1e-12 { (0.0, 0.0) } else { (root.0 * scale, root.1 * scale) })
        .collect()
}
