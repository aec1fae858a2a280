//! Particles moved by a field, and what their paths are like.

use eddy_numerics::{
    diffusion::Batch,
    rng::{Philox, Stream},
};

/// A field over all particles at once: (x, t, out).
pub type Field<'a> = &'a mut dyn FnMut(&Batch<f64>, f64, &mut Batch<f64>);

/// Euler steps through `times`; `visit(t, x)` sees every state, the first too. One evaluation per step.
pub fn euler(mut x: Batch<f64>, times: &[f64], field: Field, mut visit: impl FnMut(f64, &Batch<f64>)) -> Batch<f64> {
    let mut v = Batch::zeros(x.dim(), x.len());
    for pair in times.windows(2) {
        visit(pair[0], &x);
        field(&x, pair[0], &mut v);
        x.combine(1.0, &[(pair[1] - pair[0], &v)]);
    }
    visit(times.last().copied().unwrap_or(0.0), &x);
    x
}

/// The same with Heun's method: order 2, two evaluations per step.
pub fn heun(mut x: Batch<f64>, times: &[f64], field: Field, mut visit: impl FnMut(f64, &Batch<f64>)) -> Batch<f64> {
    let (dim, len) = (x.dim(), x.len());
    let (mut a, mut b, mut middle) = (Batch::zeros(dim, len), Batch::zeros(dim, len), Batch::zeros(dim, len));
    for pair in times.windows(2) {
        let h = pair[1] - pair[0];
        visit(pair[0], &x);
        field(&x, pair[0], &mut a);
        middle.assign(1.0, &x, &[(h, &a)]);
        field(&middle, pair[1], &mut b);
        x.combine(1.0, &[(0.5 * h, &a), (0.5 * h, &b)]);
    }
    visit(times.last().copied().unwrap_or(0.0), &x);
    x
}

/// Euler-Maruyama steps of dX = field dt + √(2ε) dW; weak order 1.
pub fn euler_maruyama(
    mut x: Batch<f64>,
    times: &[f64],
    epsilon: f64,
    rng: &Philox,
    field: Field,
    mut visit: impl FnMut(f64, &Batch<f64>),
) -> Batch<f64> {
    let mut v = Batch::zeros(x.dim(), x.len());
    for (k, pair) in times.windows(2).enumerate() {
        let h = pair[1] - pair[0];
        visit(pair[0], &x);
        field(&x, pair[0], &mut v);
        x.combine(1.0, &[(h, &v)]);
        if epsilon > 0.0 {
            x.add_normal((2.0 * epsilon * h.abs()).sqrt(), rng, Stream::Path, k as u32);
        }
    }
    visit(times.last().copied().unwrap_or(0.0), &x);
    x
}

/// E|Z₁ − Z₀|².
pub fn transport_cost(start: &Batch<f64>, end: &Batch<f64>) -> f64 {
    let sum: f64 = start.data().iter().zip(end.data()).map(|(a, b)| (b - a) * (b - a)).sum();
    sum / start.len().max(1) as f64
}

/// ∫ E|Z₁ − Z₀ − v(Z_t, t)|² dt along the paths that `steps` Heun steps give, by the trapezoidal rule on their states:
/// 0 if all paths are straight lines run through at constant speed. Returns it with the end points.
pub fn straightness(start: &Batch<f64>, steps: usize, field: Field) -> (f64, Batch<f64>) {
    let times: Vec<f64> = (0..=steps).map(|k| k as f64 / steps as f64).collect();
    let mut states = Vec::with_capacity(steps + 1);
    let end = heun(start.clone(), &times, field, |t, x| states.push((t, x.clone())));
    let mut v = Batch::zeros(start.dim(), start.len());
    let mut sum = 0.0;
    for (k, (t, x)) in states.iter().enumerate() {
        field(x, *t, &mut v);
        let square: f64 = (0..v.data().len()).map(|i| (end.data()[i] - start.data()[i] - v.data()[i]).powi(2)).sum();
        let weight = if k == 0 || k == steps { 0.5 } else { 1.0 };
        sum += weight * square / (steps * start.len().max(1)) as f64;
    }
    (sum, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(n: usize) -> Vec<f64> {
        (0..=n).map(|k| k as f64 / n as f64).collect()
    }

    /// v = t x: x(1) = x(0) e^{1/2}.
    fn growth(x: &Batch<f64>, t: f64, out: &mut Batch<f64>) {
        out.assign(t, x, &[]);
    }

    #[test]
    fn orders() {
        let x = Batch::from_points(1, &[1.0]);
        let error = |method: &dyn Fn(usize) -> Batch<f64>, n| (method(n).data()[0] - 0.5f64.exp()).abs();
        let e = |n| euler(x.clone(), &grid(n), &mut growth, |_, _| ());
        let h = |n| heun(x.clone(), &grid(n), &mut growth, |_, _| ());
        let order = |m: &dyn Fn(usize) -> Batch<f64>| (error(m, 40) / error(m, 80)).log2();
        assert!((order(&e) - 1.0).abs() < 0.1, "{}", order(&e));
        assert!((order(&h) - 2.0).abs() < 0.1, "{}", order(&h));
    }

    #[test]
    fn noise_has_its_variance() {
        let x = Batch::zeros(1, 20_000);
        let still = &mut |_: &Batch<f64>, _: f64, out: &mut Batch<f64>| out.combine(0.0, &[]);
        let end = euler_maruyama(x, &grid(10), 0.7, &Philox::new(1), still, |_, _| ());
        let variance = end.data().iter().map(|v| v * v).sum::<f64>() / 20_000.0;
        assert!((variance - 1.4).abs() < 5.0 * 1.4 * (2.0f64 / 20_000.0).sqrt(), "{variance}");
    }

    #[test]
    fn straightness_of_a_line_and_of_a_turn() {
        let x = Batch::from_points(2, &[1.0, 0.0, 0.0, 2.0]);
        let mut line = |_: &Batch<f64>, _: f64, out: &mut Batch<f64>| out.data_mut().fill(0.5);
        let (s, end) = straightness(&x, 10, &mut line);
        assert!(s < 1e-25 && (transport_cost(&x, &end) - 0.5).abs() < 1e-12);
        // A half turn about the origin: |Z₁ − Z₀|² = 4r², |v|² = π²r², and their product has the mean 4r².
        let mut turn = |x: &Batch<f64>, _: f64, out: &mut Batch<f64>| {
            for i in 0..x.len() {
                let p = x.point(i);
                out.coordinate_mut(0)[i] = -std::f64::consts::PI * p[1];
                out.coordinate_mut(1)[i] = std::f64::consts::PI * p[0];
            }
        };
        let (s, _) = straightness(&x, 400, &mut turn);
        let expected = 2.5 * (std::f64::consts::PI.powi(2) - 4.0);
        assert!((s / expected - 1.0).abs() < 1e-3, "{s} {expected}");
    }
}
