//! Least squares: a line through points, and nonlinear fits.

/// Slope of the least-squares line; NaN for fewer than three points.
pub fn line_slope(points: &[(f64, f64)]) -> f64 {
    if points.len() < 3 {
        return f64::NAN;
    }
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let top: f64 = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    top / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>()
}

/// How a fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitEnding {
    /// The step or the decrease fell below the tolerance.
    Converged,
    IterationLimit,
    /// No damping gave a decrease, or a residual was not finite at the start.
    Stuck,
}

/// Result of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    pub parameters: Vec<f64>,
    /// Σ residual².
    pub cost: f64,
    pub iterations: u32,
    /// Calls of the residual function, those for the Jacobian included.
    pub evaluations: u32,
    pub ending: FitEnding,
}

/// Levenberg-Marquardt: minimises Σ residuals(p)² from `start`, with a forward-difference Jacobian.
///
/// Each step solves `min |J δ + r|² + λ |D δ|²` by Householder QR of the stacked matrix, with D the running largest column
/// norms of J, so that the fit does not depend on the units of the parameters. λ follows the gain ratio. Cost per
/// iteration: p + 1 evaluations and O(m p²). Moré (1978), Lecture Notes in Mathematics 630, 105; damping of Nielsen (1999).
/// The small dense factorization is written out here rather than taken from a library: it is p columns wide and ships in
/// the browser bundle.
pub fn levenberg_marquardt(
    mut residuals: impl FnMut(&[f64], &mut [f64]),
    start: &[f64],
    count: usize,
    tolerance: f64,
    max_iterations: u32,
) -> Fit {
    let p = start.len();
    let mut x = start.to_vec();
    let mut r = vec![0.0; count];
    residuals(&x, &mut r);
    let mut evaluations = 1;
    let mut cost = sum_of_squares(&r);
    let mut fit = Fit { parameters: x.clone(), cost, iterations: 0, evaluations, ending: FitEnding::IterationLimit };
    if !cost.is_finite() {
        fit.ending = FitEnding::Stuck;
        return fit;
    }
    let mut scale = vec![0.0_f64; p];
    let (mut lambda, mut growth) = (1e-3_f64, 2.0);
    let mut trial = vec![0.0; count];
    // Columns of the Jacobian.
    let mut jacobian = vec![vec![0.0; count]; p];
    for iteration in 1..=max_iterations {
        fit.iterations = iteration;
        for j in 0..p {
            let step = 1e-7 * x[j].abs().max(1e-7);
            let kept = x[j];
            x[j] = kept + step;
            residuals(&x, &mut trial);
            evaluations += 1;
            let exact_step = x[j] - kept;
            x[j] = kept;
            for (d, (a, b)) in jacobian[j].iter_mut().zip(trial.iter().zip(&r)) {
                *d = (a - b) / exact_step;
            }
            scale[j] = scale[j].max(sum_of_squares(&jacobian[j]).sqrt()).max(1e-300);
        }
        let mut accepted = false;
        for _ in 0..30 {
            let damping: Vec<f64> = scale.iter().map(|s| lambda.sqrt() * s).collect();
            let Some(step) = damped_step(&jacobian, &r, &damping) else { break };
            let candidate: Vec<f64> = x.iter().zip(&step).map(|(a, b)| a + b).collect();
            residuals(&candidate, &mut trial);
            evaluations += 1;
            let new_cost = sum_of_squares(&trial);
            // Decrease that the linear model promises: |r|² - |r + Jδ|².
            let mut linear = r.clone();
            for (column, s) in jacobian.iter().zip(&step) {
                for (l, d) in linear.iter_mut().zip(column) {
                    *l += d * s;
                }
            }
            let promised = cost - sum_of_squares(&linear);
            let gain = (cost - new_cost) / promised;
            let relative_step = step.iter().zip(&x).map(|(s, x)| s.abs() / (x.abs() + 1e-12)).fold(0.0, f64::max);
            if new_cost < cost {
                let decrease = (cost - new_cost) / cost;
                x = candidate;
                std::mem::swap(&mut r, &mut trial);
                cost = new_cost;
                lambda *= (1.0 - (2.0 * gain - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
                growth = 2.0;
                accepted = true;
                if relative_step < tolerance || decrease < tolerance * tolerance {
                    fit.ending = FitEnding::Converged;
                }
                break;
            }
            if relative_step < tolerance {
                fit.ending = FitEnding::Converged;
                break;
            }
            lambda *= growth;
            growth *= 2.0;
        }
        if fit.ending == FitEnding::Converged {
            break;
        }
        if !accepted {
            fit.ending = FitEnding::Stuck;
            break;
        }
    }
    fit.parameters = x;
    fit.cost = cost;
    fit.evaluations = evaluations;
    fit
}

fn sum_of_squares(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum()
}

/// Solves min |J δ + r|² + |diag(damping) δ|² by QR. `None` if the matrix is singular or not finite.
fn damped_step(jacobian: &[Vec<f64>], r: &[f64], damping: &[f64]) -> Option<Vec<f64>> {
    let (p, m) = (jacobian.len(), r.len());
    let rows = m + p;
    let columns = jacobian.iter().enumerate().map(|(j, column)| {
        let mut c = column.clone();
        c.resize(rows, 0.0);
        c[m + j] = damping[j];
        c
    });
    let factors = Qr::new(columns.collect())?;
    let mut right: Vec<f64> = r.iter().map(|v| -v).collect();
    right.resize(rows, 0.0);
    factors.solve(right)
}

/// Householder QR of a dense matrix with at least as many rows as columns, for least squares of some hundreds of unknowns.
///
/// Written out here rather than taken from a library: it ships in the browser bundles. 2mn² operations for m rows and n
/// columns; as accurate as the matrix allows, where normal equations would square its condition.
pub struct Qr {
    /// By column: the entries of R above the diagonal, then the reflector from there on.
    columns: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    /// |v|² of each reflector.
    squares: Vec<f64>,
}

impl Qr {
    /// Factors a matrix given by columns. `None` if it is singular, not finite, or wider than high.
    pub fn new(mut columns: Vec<Vec<f64>>) -> Option<Self> {
        let n = columns.len();
        if columns.iter().any(|column| column.len() < n || column.len() != columns[0].len()) {
            return None;
        }
        let (mut diagonal, mut squares) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for j in 0..n {
            let (done, rest) = columns.split_at_mut(j + 1);
            let reflector = &mut done[j][j..];
            let norm = sum_of_squares(reflector).sqrt();
            if !(norm > 0.0 && norm.is_finite()) {
                return None;
            }
            // v = a + sign(a_j) |a| e_j; the reflection I - 2 v vᵀ / |v|² maps a to -sign(a_j) |a| e_j.
            diagonal.push(-norm.copysign(reflector[0]));
            reflector[0] -= diagonal[j];
            squares.push(sum_of_squares(reflector));
            for column in rest {
                reflect(reflector, squares[j], &mut column[j..]);
            }
        }
        Some(Self { columns, diagonal, squares })
    }

    /// The x that minimises |Ax - right|; `None` if it is not finite.
    pub fn solve(&self, mut right: Vec<f64>) -> Option<Vec<f64>> {
        for (j, column) in self.columns.iter().enumerate() {
            reflect(&column[j..], self.squares[j], &mut right[j..]);
        }
        right.truncate(self.columns.len());
        self.solve_upper(&mut right);
        right.iter().all(|x| x.is_finite()).then_some(right)
    }

    /// Overwrites y with the x of AᵀA x = y: a step of inverse iteration for the smallest singular values.
    pub fn solve_gram(&self, y: &mut [f64]) {
        // Rᵀ from the left, whose rows are columns of R.
        for j in 0..y.len() {
            let sum: f64 = self.columns[j][..j].iter().zip(&y[..j]).map(|(r, y)| r * y).sum();
            y[j] = (y[j] - sum) / self.diagonal[j];
        }
        self.solve_upper(y);
    }

    fn solve_upper(&self, x: &mut [f64]) {
        for j in (0..x.len()).rev() {
            x[j] /= self.diagonal[j];
            let (above, own) = x.split_at_mut(j);
            above.iter_mut().zip(&self.columns[j]).for_each(|(x, r)| *x -= r * own[0]);
        }
    }
}

fn reflect(reflector: &[f64], square: f64, target: &mut [f64]) {
    let dot: f64 = reflector.iter().zip(target.iter()).map(|(a, b)| a * b).sum();
    let factor = 2.0 * dot / square;
    for (t, v) in target.iter_mut().zip(reflector) {
        *t -= factor * v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;
    use faer::linalg::solvers::SolveLstsq;

    #[test]
    fn the_dense_step_equals_faer() {
        let mut random = Lcg::new(9);
        for (m, p) in [(5, 2), (40, 3), (100, 10)] {
            let jacobian: Vec<Vec<f64>> = (0..p).map(|_| (0..m).map(|_| random.symmetric()).collect()).collect();
            let r: Vec<f64> = (0..m).map(|_| random.symmetric()).collect();
            let damping: Vec<f64> = (0..p).map(|j| 0.1 * (j + 1) as f64).collect();
            let stacked = faer::Mat::from_fn(m + p, p, |i, j| {
                if i < m {
                    jacobian[j][i]
                } else if i - m == j {
                    damping[j]
                } else {
                    0.0
                }
            });
            let right = faer::Mat::from_fn(m + p, 1, |i, _| if i < m { -r[i] } else { 0.0 });
            let expected = stacked.qr().solve_lstsq(&right);
            let step = damped_step(&jacobian, &r, &damping).unwrap();
            for j in 0..p {
                assert!((step[j] - expected[(j, 0)]).abs() < 1e-13, "{m} {p}");
            }
            // A planted fault: another damping gives another step.
            let wrong = damped_step(&jacobian, &r, &vec![5.0; p]).unwrap();
            assert!((wrong[0] - expected[(0, 0)]).abs() > 1e-3);
        }
    }

    #[test]
    fn factors_solve_the_normal_equations() {
        let (m, n) = (60, 25);
        let mut random = Lcg::new(4);
        let a: Vec<Vec<f64>> = (0..n).map(|_| (0..m).map(|_| random.symmetric()).collect()).collect();
        let right: Vec<f64> = (0..m).map(|_| random.symmetric()).collect();
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let y: Vec<f64> = a.iter().map(|column| product(column, &right)).collect();
        let factors = Qr::new(a.clone()).unwrap();
        let mut x = y.clone();
        factors.solve_gram(&mut x);
        // The least-squares solution by the other way, and what AᵀA makes of it.
        let other = factors.solve(right).unwrap();
        let image: Vec<f64> = (0..m).map(|i| (0..n).map(|j| a[j][i] * x[j]).sum()).collect();
        for j in 0..n {
            assert!((x[j] - other[j]).abs() < 1e-12, "{j}");
            assert!((product(&a[j], &image) - y[j]).abs() < 1e-11, "{j}");
        }
        let mut wrong = a;
        wrong[3] = wrong[7].clone();
        assert!(Qr::new(wrong).is_none_or(|f| f.diagonal.iter().any(|d| d.abs() < 1e-13)), "two equal columns");
        assert!(Qr::new(vec![vec![1.0]; 2]).is_none(), "wider than high");
    }

    #[test]
    fn rosenbrock_and_an_exponential() {
        let rosenbrock = |x: &[f64], r: &mut [f64]| {
            r[0] = 10.0 * (x[1] - x[0] * x[0]);
            r[1] = 1.0 - x[0];
        };
        let fit = levenberg_marquardt(rosenbrock, &[-1.2, 1.0], 2, 1e-10, 200);
        assert!(fit.cost < 1e-16 && (fit.parameters[1] - 1.0).abs() < 1e-7, "{fit:?}");
        // Parameters of very different size.
        let model = |p: &[f64], t: f64| p[0] * (-p[1] * t).exp();
        let truth = [3e4, 2e-3];
        let fit = levenberg_marquardt(
            |p, r| {
                for (i, r) in r.iter_mut().enumerate() {
                    let t = 20.0 * i as f64;
                    *r = model(p, t) - model(&truth, t);
                }
            },
            &[1e4, 1e-2],
            50,
            1e-10,
            100,
        );
        assert_eq!(fit.ending, FitEnding::Converged);
        assert!(fit.parameters.iter().zip(truth).all(|(a, b)| (a / b - 1.0).abs() < 1e-7), "{fit:?}");
    }

    #[test]
    fn hopeless_fits_end_without_harm() {
        let fit = levenberg_marquardt(|_, r| r.fill(f64::NAN), &[1.0], 3, 1e-8, 10);
        assert_eq!(fit.ending, FitEnding::Stuck);
        let flat = levenberg_marquardt(|_, r| r.fill(1.0), &[1.0, 2.0], 3, 1e-8, 10);
        assert_ne!(flat.ending, FitEnding::IterationLimit);
        assert!(flat.parameters.iter().all(|v| v.is_finite()));
    }
}
