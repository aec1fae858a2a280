//! Sides where waves leave: a layer that damps them, and the relation that holds for outgoing ones.

use crate::Real;

/// A damping layer for u_tt + σ u_t = c² u_xx, with σ rising from 0 where the layer begins to its largest value at the end.
/// In a first-order system u_t + σ u = … the amplitude that comes back is squared.
///
/// σ(s) = σ₀ s^p, s the depth over the length. A wave that crosses the layer twice comes back with the amplitude
/// exp(-∫σ/c) for u_tt + σ u_t (each way takes half of σ) — plus what the rise of σ reflects by itself, which is small if a
/// wavelength fits into the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sponge {
    /// Length of the layer.
    pub length: f64,
    /// Power p of the rise; 2 or 3 is good.
    pub power: f64,
    /// Amplitude that comes back, such as 1e-4.
    pub reflection: f64,
    /// Speed of the waves.
    pub speed: f64,
}

impl Sponge {
    /// The largest damping rate, at the end: σ₀ = -(p + 1) c ln R / length.
    pub fn strength(&self) -> f64 {
        -(self.power + 1.0) * self.speed * self.reflection.ln() / self.length
    }

    /// σ at a distance from the end (0 at the end itself, `length` where the layer begins; 0 beyond).
    pub fn rate(&self, distance: f64) -> f64 {
        let depth = 1.0 - distance / self.length;
        if depth > 0.0 { self.strength() * depth.min(1.0).powf(self.power) } else { 0.0 }
    }

    /// σ at `points` points `spacing` apart with layers at the low and the high side as asked.
    pub fn profile<R: Real>(&self, points: usize, spacing: f64, at: [bool; 2]) -> Vec<R> {
        let last = points.saturating_sub(1);
        let side = |is_there: bool, steps: usize| if is_there { self.rate(steps as f64 * spacing) } else { 0.0 };
        (0..points).map(|i| R::of(side(at[0], i).max(side(at[1], last - i)))).collect()
    }
}

/// The rate of change at a side that lets plane waves out that run against it: u_t = -c u_n, with the outward derivative
/// one-sided of order 2 from the end value and its two neighbours inwards. Exact for waves of normal incidence but for the
/// difference; at an angle θ the fraction (1 - cos θ) / (1 + cos θ) comes back.
///
/// Source: Engquist, Majda 1977, Math. Comp. 31, 629, equation 1.15.
pub fn outgoing_rate<R: Real>(end: R, first: R, second: R, speed: f64, spacing: f64) -> R {
    let slope = end * R::of(1.5) - first * R::of(2.0) + second * R::of(0.5);
    slope * R::of(-speed / spacing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a pulse on [0, 1] after it has run into the right side and back: its largest amplitude over that at
    /// the start. Störmer-Verlet with damping, σ from `damping`, and the last point by `end`.
    fn left_over(points: usize, wavenumber: f64, damping: &[f64], is_outgoing: bool) -> f64 {
        let h = 1.0 / (points - 1) as f64;
        let dt = 0.5 * h;
        let pulse = |x: f64| (-((x - 0.3) / 0.05).powi(2)).exp() * (wavenumber * (x - 0.3)).cos();
        let mut now: Vec<f64> = (0..points).map(|i| pulse(i as f64 * h)).collect();
        // To the right.
        let mut before: Vec<f64> = (0..points).map(|i| pulse(i as f64 * h + dt)).collect();
        let n = points - 1;
        let steps = (1.4 / dt) as usize;
        for _ in 0..steps {
            let mut next = vec![0.0; points];
            for i in 1..n {
                let force = (now[i - 1] - 2.0 * now[i] + now[i + 1]) / (h * h);
                let half = 0.5 * dt * damping[i];
                next[i] = (2.0 * now[i] - (1.0 - half) * before[i] + dt * dt * force) / (1.0 + half);
            }
            next[n] = if is_outgoing {
                // Trapezoidal rule. The rate is affine in the end value, with factor -3/2h, so it is solved exactly.
                let known = outgoing_rate(now[n], now[n - 1], now[n - 2], 1.0, h)
                    + outgoing_rate(0.0, next[n - 1], next[n - 2], 1.0, h);
                (now[n] + 0.5 * dt * known) / (1.0 + 0.75 * dt / h)
            } else {
                0.0
            };
            before = now;
            now = next;
        }
        now[..n / 2].iter().fold(0.0, |m, v| m.max(v.abs()))
    }

    #[test]
    fn pulses_leave() {
        let n = 801;
        let zero = vec![0.0; n];
        // A wall sends all of it back.
        assert!(left_over(n, 0.0, &zero, false) > 0.9);
        let open = left_over(n, 0.0, &zero, true);
        assert!(open < 2e-3, "{open:e}");
        // Twice the points: the difference's error falls by its order.
        let finer = left_over(2 * n - 1, 0.0, &vec![0.0; 2 * n - 1], true);
        assert!((2.5..12.0).contains(&(open / finer)), "{open:e} {finer:e}");
        // Waves that fit into the layer; longer ones would feel it less.
        for reflection in [1e-1, 1e-2] {
            let sponge = Sponge { length: 0.4, power: 2.0, reflection, speed: 1.0 };
            let profile: Vec<f64> = sponge.profile(n, 1.0 / 800.0, [false, true]);
            assert!(profile[400] == 0.0 && (profile[800] - sponge.strength()).abs() < 1e-9);
            let found = left_over(n, 80.0, &profile, false);
            assert!((0.8..1.2).contains(&(found / reflection)), "{reflection}: {found:e}");
        }
    }

    #[test]
    fn outgoing_waves_are_kept_in_shape() {
        // u = quadratic in x - t: the relation is exact.
        let u = |x: f64, t: f64| (x - t).powi(2) + 3.0 * (x - t);
        let h = 0.1;
        let rate = outgoing_rate(u(1.0, 0.0), u(1.0 - h, 0.0), u(1.0 - 2.0 * h, 0.0), 2.0, h);
        // u_t = -2 u_x for u(x - 2t).
        assert!((rate + 2.0 * (2.0 * 1.0 + 3.0)).abs() < 1e-12);
    }
}
