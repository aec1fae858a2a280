//! Small tools for the likelihood and the coefficients: an adaptive integrator of plain vectors and Gauss-Legendre.

use super::methods::{StepControl, Tableau};

/// Why an integration stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OdeError {
    /// The slope or the state was not finite, or the step became too short to move t.
    Stuck,
    /// More than the allowed number of attempts.
    TooManySteps,
}

/// End of an integration.
#[derive(Clone, Debug, PartialEq)]
pub struct OdeSolution {
    pub y: Vec<f64>,
    /// Evaluations of the right-hand side.
    pub evaluations: usize,
}

/// y' = f(t, y) from `start` to `end` by Dormand-Prince 5(4) with step control on the RMS of the scaled error.
/// `f` writes the slope into its last argument.
pub fn dormand_prince(
    mut f: impl FnMut(f64, &[f64], &mut [f64]),
    mut y: Vec<f64>,
    start: f64,
    end: f64,
    control: StepControl,
) -> Result<OdeSolution, OdeError> {
    const MAX_ATTEMPTS: usize = 100_000;
    let table = Tableau::DORMAND_PRINCE;
    let n = y.len();
    let stages = table.c.len();
    let mut k = vec![vec![0.0; n]; stages];
    let direction = (end - start).signum();
    let span = (end - start).abs();
    let norm = |v: &[f64], y: &[f64], z: &[f64]| {
        let scaled = |i: usize| v[i] / (control.absolute + control.relative * y[i].abs().max(z[i].abs()));
        ((0..n).map(|i| scaled(i).powi(2)).sum::<f64>() / n.max(1) as f64).sqrt()
    };
    let mut evaluations = 1;
    let mut t = start;
    f(t, &y, &mut k[0]);
    let mut h = {
        let (d0, d1) = (norm(&y, &y, &y), norm(&k[0], &y, &y));
        if d0 < 1e-5 || d1 < 1e-5 { 1e-6 } else { 0.01 * d0 / d1 }.min(span)
    };
    let mut next = y.clone();
    let mut error = vec![0.0; n];
    for _ in 0..MAX_ATTEMPTS {
        let left = (end - t) * direction;
        if left <= 0.0 {
            return Ok(OdeSolution { y, evaluations });
        }
        let last = h >= left * (1.0 - 1e-9);
        let step = direction * if last { left } else { h };
        for j in 1..stages {
            next.copy_from_slice(&y);
            for (i, a) in table.a[j].iter().enumerate() {
                next.iter_mut().zip(&k[i]).for_each(|(v, s)| *v += step * a * s);
            }
            let (_, rest) = k.split_at_mut(j);
            f(t + table.c[j] * step, &next, &mut rest[0]);
        }
        evaluations += stages - 1;
        // The last stage was evaluated at the new state, which `next` still holds.
        for (i, e) in error.iter_mut().enumerate() {
            *e = step * table.error.iter().zip(&k).map(|(c, k)| c * k[i]).sum::<f64>();
        }
        let size = norm(&error, &y, &next);
        if size.is_nan() && step.abs() < 1e-12 * span {
            return Err(OdeError::Stuck);
        }
        if size < 1.0 {
            t = if last { end } else { t + step };
            std::mem::swap(&mut y, &mut next);
            k.swap(0, stages - 1);
        }
        let factor = if size == 0.0 { 10.0 } else { 0.9 * size.powf(-0.2) };
        let ceiling = if size < 1.0 { 10.0 } else { 1.0 };
        h = step.abs() * if factor.is_nan() { 0.2 } else { factor.clamp(0.2, ceiling) };
        if h < 16.0 * f64::EPSILON * t.abs().max(f64::MIN_POSITIVE) {
            return Err(OdeError::Stuck);
        }
    }
    Err(OdeError::TooManySteps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_an_oscillator_to_tolerance() {
        for tolerance in [1e-4, 1e-8, 1e-11] {
            let control = StepControl { absolute: tolerance, relative: tolerance };
            let f = |_: f64, y: &[f64], k: &mut [f64]| (k[0], k[1]) = (y[1], -y[0]);
            let s = dormand_prince(f, vec![1.0, 0.0], 0.0, 5.0, control).unwrap();
            let error = (s.y[0] - 5.0_f64.cos()).hypot(s.y[1] + 5.0_f64.sin());
            assert!(error < 20.0 * tolerance && error > 1e-4 * tolerance, "{tolerance}: {error}");
        }
    }

    #[test]
    fn gives_up_on_a_pole() {
        let control = StepControl { absolute: 1e-6, relative: 1e-6 };
        let f = |_: f64, y: &[f64], k: &mut [f64]| k[0] = y[0] * y[0];
        assert!(dormand_prince(f, vec![1.0], 0.0, 2.0, control).is_err());
    }
}
