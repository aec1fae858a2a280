//! A rectangle whose boundary values are built into a network: the lift, the factor, and a flow to try them on.

pub mod taylor;

use std::f64::consts::TAU;

use eddy_spec::{Role, Series, ViewData};

/// The rectangle.
pub const X: (f64, f64) = (-0.5, 1.0);
/// See [`X`].
pub const Y: (f64, f64) = (-0.5, 1.5);

/// Value, x, y, xx and yy derivative.
pub type Jet = [f64; 5];

/// Kovasznay's flow (Kovasznay 1948, Math. Proc. Camb. Phil. Soc. 44, 58).
#[derive(Clone, Copy, Debug)]
pub struct Kovasznay {
    pub lambda: f64,
}

impl Kovasznay {
    /// λ of a Reynolds number.
    pub fn new(reynolds: f64) -> Self {
        // Re/2 - √(Re²/4 + 4π²) without the cancellation at high Re.
        let half = 0.5 * reynolds;
        Self { lambda: -TAU * TAU / (half + (half * half + TAU * TAU).sqrt()) }
    }
    /// u and v.
    pub fn velocity(self, x: f64, y: f64) -> [Jet; 2] {
        let (l, e) = (self.lambda, (self.lambda * x).exp());
        let (sin, cos) = (TAU * y).sin_cos();
        let u = [1.0 - e * cos, -l * e * cos, TAU * e * sin, -l * l * e * cos, TAU * TAU * e * cos];
        let s = l / TAU;
        let v = [s * e * sin, s * l * e * sin, l * e * cos, s * l * l * e * sin, -l * TAU * e * sin];
        [u, v]
    }
    /// Up to a constant.
    pub fn pressure(self, x: f64) -> f64 {
        -0.5 * (2.0 * self.lambda * x).exp()
    }

    /// Values on the four walls blended over the rectangle (Coons 1967, Surfaces for computer-aided design of space forms):
    /// linear between opposite walls, less the corners that are counted twice.
    pub fn blend(self, x: f64, y: f64) -> [Jet; 2] {
        let (wide, high) = (X.1 - X.0, Y.1 - Y.0);
        let (s, t) = ((x - X.0) / wide, (y - Y.0) / high);
        let [left, right] = [X.0, X.1].map(|x| self.velocity(x, y));
        let [bottom, top] = [Y.0, Y.1].map(|y| self.velocity(x, y));
        let corner = |x, y| self.velocity(x, y).map(|jet| jet[0]);
        let [c00, c10, c01, c11] = [corner(X.0, Y.0), corner(X.1, Y.0), corner(X.0, Y.1), corner(X.1, Y.1)];
        let of = |o: usize| {
            let (l, r, b, a) = (left[o], right[o], bottom[o], top[o]);
            let corners = (1.0 - t) * ((1.0 - s) * c00[o] + s * c10[o]) + t * ((1.0 - s) * c01[o] + s * c11[o]);
            let across = (1.0 - t) * (c10[o] - c00[o]) + t * (c11[o] - c01[o]);
            let along = (1.0 - s) * (c01[o] - c00[o]) + s * (c11[o] - c10[o]);
            [
                (1.0 - s) * l[0] + s * r[0] + (1.0 - t) * b[0] + t * a[0] - corners,
                (r[0] - l[0]) / wide + (1.0 - t) * b[1] + t * a[1] - across / wide,
                (1.0 - s) * l[2] + s * r[2] + (a[0] - b[0]) / high - along / high,
                (1.0 - t) * b[3] + t * a[3],
                (1.0 - s) * l[4] + s * r[4],
            ]
        };
        [of(0), of(1)]
    }
}

/// (4 s (1 - s))^power along one side with its first and second derivative.
pub fn bump(at: f64, (low, high): (f64, f64), power: u32) -> [f64; 3] {
    let length = high - low;
    // As a product of differences it is zero at the ends exactly.
    let f = 4.0 * (at - low) * (high - at) / (length * length);
    let slope = 4.0 * (low + high - 2.0 * at) / (length * length);
    let curvature = -8.0 / (length * length);
    let q = f64::from(power);
    let lower = |k: u32| if power >= k { f.powi((power - k) as i32) } else { 0.0 };
    [f.powi(power as i32), q * lower(1) * slope, q * (q - 1.0) * lower(2) * slope * slope + q * lower(1) * curvature]
}

/// Product of the [`bump`]s along both sides of a rectangle: zero on all of its walls.
pub fn bumps((x, along): (f64, (f64, f64)), (y, across): (f64, (f64, f64)), power: u32) -> Jet {
    let (f, g) = (bump(x, along, power), bump(y, across, power));
    [f[0] * g[0], f[1] * g[0], f[0] * g[1], f[2] * g[0], f[0] * g[2]]
}

/// Errors of both components of the velocity over the way around, which is `length` long.
pub fn wall_error_lines(way: Vec<f64>, errors: &[[f64; 2]], length: f64) -> ViewData {
    let top = errors.iter().flatten().fold(1e-15, |m: f64, e| m.max(e.abs()));
    let of = |o: usize| errors.iter().map(|e| e[o]).collect::<Vec<_>>();
    let series = vec![Series::line("u", Role::Result, way.clone(), of(0)), Series::line("v", Role::Second, way, of(1))];
    ViewData::Lines { series, x: (0.0, length), y: (-1.1 * top, 1.1 * top) }
}

/// What turns the network's outputs into velocities, at one point.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    pub lift: [Jet; 2],
    pub factor: Jet,
}

impl Layer {
    /// g + B N and its derivatives.
    pub fn apply(&self, o: usize, n: Jet) -> Jet {
        let (g, b) = (self.lift[o], self.factor);
        [
            g[0] + b[0] * n[0],
            g[1] + b[1] * n[0] + b[0] * n[1],
            g[2] + b[2] * n[0] + b[0] * n[2],
            g[3] + b[3] * n[0] + 2.0 * b[1] * n[1] + b[0] * n[3],
            g[4] + b[4] * n[0] + 2.0 * b[2] * n[2] + b[0] * n[4],
        ]
    }
    /// The adjoints of N from those of g + B N.
    pub fn back(&self, a: Jet) -> Jet {
        let b = self.factor;
        [
            a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] + a[4] * b[4],
            a[1] * b[0] + 2.0 * a[3] * b[1],
            a[2] * b[0] + 2.0 * a[4] * b[2],
            a[3] * b[0],
            a[4] * b[0],
        ]
    }
}

/// Steady flow of an incompressible fluid: (u·∇)u + ∇p = νΔu and ∇·u = 0.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    pub viscosity: f64,
}

impl Steady {
    /// Both momentum equations and continuity; `slope` is the gradient of the pressure.
    pub fn residuals(self, u: Jet, v: Jet, slope: [f64; 2]) -> [f64; 3] {
        let nu = self.viscosity;
        [
            u[0] * u[1] + v[0] * u[2] + slope[0] - nu * (u[3] + u[4]),
            u[0] * v[1] + v[0] * v[2] + slope[1] - nu * (v[3] + v[4]),
            u[1] + v[2],
        ]
    }
    /// Adjoints of u and v from those of the residuals; those of the slopes of the pressure are the first two themselves.
    pub fn back(self, u: Jet, v: Jet, [a, b, c]: [f64; 3]) -> [Jet; 2] {
        let nu = self.viscosity;
        [
            [a * u[1] + b * v[1], a * u[0] + c, a * v[0], -nu * a, -nu * a],
            [a * u[2] + b * v[2], b * u[0], b * v[0] + c, -nu * b, -nu * b],
        ]
    }
}

/// A place of the boundary: wall 0 to 3 counterclockwise from the lower one, `s` in [0, 1] along it.
pub fn on_wall(wall: usize, s: f64) -> [f64; 2] {
    let (x, y) = (X.0 + s * (X.1 - X.0), Y.0 + s * (Y.1 - Y.0));
    match wall {
        0 => [x, Y.0],
        1 => [X.1, y],
        2 => [X.0 + X.1 - x, Y.1],
        _ => [X.0, Y.0 + Y.1 - y],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The jets of a function against central differences of its values.
    fn check_jet(f: impl Fn(f64, f64) -> Jet, x: f64, y: f64) -> f64 {
        let h = 1e-4;
        let [c, l, r, b, t] = [(0.0, 0.0), (-h, 0.0), (h, 0.0), (0.0, -h), (0.0, h)].map(|(i, j)| f(x + i, y + j)[0]);
        let own =
            [c, (r - l) / (2.0 * h), (t - b) / (2.0 * h), (r - 2.0 * c + l) / (h * h), (t - 2.0 * c + b) / (h * h)];
        f(x, y).iter().zip(own).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn derivatives_of_flow_lift_and_factor_equal_differences() {
        let exact = Kovasznay::new(20.0);
        let factor = |x, y| bumps((x, X), (y, Y), 2);
        for (x, y) in [(0.1, 0.3), (-0.4, 1.2), (0.9, -0.2)] {
            for o in 0..2 {
                assert!(check_jet(|x, y| exact.velocity(x, y)[o], x, y) < 1e-4);
                assert!(check_jet(|x, y| exact.blend(x, y)[o], x, y) < 1e-4);
            }
            assert!(check_jet(factor, x, y) < 1e-5);
            // The value in place of a slope must be seen.
            let wrong = |x, y| {
                let [a, _, c, d, e] = exact.velocity(x, y)[0];
                [a, a, c, d, e]
            };
            assert!(check_jet(wrong, x, y) > 1e-2);
        }
    }
}
