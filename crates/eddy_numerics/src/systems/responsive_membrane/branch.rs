//! Steady states as a curve: pseudo-arclength continuation.

use super::{Membrane, Transport};

/// What is turned while the other one is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Control {
    Force { bath: f64 },
    Bath { force: f64 },
}

impl Control {
    /// (bath, force) where the control stands at `value`.
    pub fn at(self, value: f64) -> (f64, f64) {
        match self {
            Self::Force { bath } => (bath, value),
            Self::Bath { force } => (value, force),
        }
    }
}

/// A steady state on a branch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BranchPoint {
    /// Value of the control.
    pub control: f64,
    pub phi: f64,
    pub transport: Transport,
}

/// Steady states over a range of a control, in order along the curve, and the folds where it turns back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    pub points: Vec<BranchPoint>,
    pub folds: Vec<BranchPoint>,
}

/// State and control, each in units of its range.
type Pair = [f64; 2];

/// F(u, v) = 0 with u = φ and v = the control in units of their ranges.
struct Curve<'a> {
    membrane: &'a Membrane,
    control: Control,
    range: (f64, f64),
}

impl Curve<'_> {
    fn unscaled(&self, w: Pair) -> (f64, f64) {
        let m = self.membrane;
        (m.swollen + (m.collapsed - m.swollen) * w[0], self.range.0 + (self.range.1 - self.range.0) * w[1])
    }

    fn residual(&self, w: Pair) -> f64 {
        let (phi, value) = self.unscaled(w);
        let (bath, force) = self.control.at(value);
        self.membrane.residual(phi, bath, force) / (self.membrane.collapsed - self.membrane.swollen)
    }

    fn gradient(&self, w: Pair) -> Pair {
        let h = 1e-6;
        let along = |k: usize| {
            let (mut up, mut down) = (w, w);
            up[k] += h;
            down[k] -= h;
            (self.residual(up) - self.residual(down)) / (2.0 * h)
        };
        [along(0), along(1)]
    }

    /// Unit tangent, turned to agree with `before`.
    fn tangent(&self, w: Pair, before: Pair) -> Pair {
        let [a, b] = self.gradient(w);
        let length = a.hypot(b).max(1e-300);
        let t = [-b / length, a / length];
        if t[0] * before[0] + t[1] * before[1] < 0.0 { [-t[0], -t[1]] } else { t }
    }

    /// Newton onto the curve in the plane through `guess` across `tangent`; the iterations it took.
    fn corrected(&self, guess: Pair, tangent: Pair) -> Option<(Pair, u32)> {
        let mut w = guess;
        for iteration in 1..=12 {
            let f = self.residual(w);
            let g = self.gradient(w);
            let off = tangent[0] * (w[0] - guess[0]) + tangent[1] * (w[1] - guess[1]);
            let determinant = g[0] * tangent[1] - g[1] * tangent[0];
            let step = [(f * tangent[1] - off * g[1]) / determinant, (off * g[0] - f * tangent[0]) / determinant];
            w = [w[0] - step[0], w[1] - step[1]];
            if !(step[0].abs() + step[1].abs() < 1.0) {
                return None;
            }
            if step[0].abs() + step[1].abs() < 1e-12 {
                return Some((w, iteration));
            }
        }
        // Rounding may keep the steps just above the limit.
        (self.residual(w).abs() < 1e-10).then_some((w, 12))
    }

    fn point(&self, w: Pair) -> BranchPoint {
        let (phi, control) = self.unscaled(w);
        let (bath, force) = self.control.at(control);
        BranchPoint { control, phi, transport: self.membrane.steady(phi, bath, force) }
    }

    /// From `start` along the curve until the control leaves its range.
    fn trace(&self, start: Pair, forward: bool) -> Branch {
        let (mut w, mut step) = (start, 2e-3);
        let mut t = self.tangent(w, [0.0, if forward { 1.0 } else { -1.0 }]);
        let mut branch = Branch { points: vec![self.point(w)], folds: Vec::new() };
        while branch.points.len() < 4000 && step > 1e-9 {
            let guess = [w[0] + step * t[0], w[1] + step * t[1]];
            let Some((next, iterations)) = self.corrected(guess, t) else {
                step *= 0.5;
                continue;
            };
            let turned = self.tangent(next, t);
            // A corner taken in one step could hide two folds.
            if turned[0] * t[0] + turned[1] * t[1] < 0.97 {
                step *= 0.5;
                continue;
            }
            if turned[1] * t[1] < 0.0 {
                branch.folds.push(self.point(self.fold(w, t, step)));
            }
            (w, t) = (next, turned);
            if !(0.0..=1.0).contains(&w[1]) {
                break;
            }
            branch.points.push(self.point(w));
            step = (step * if iterations <= 4 { 1.4 } else { 0.8 }).min(0.01);
        }
        branch
    }

    /// Where the tangent has no control component, between `w` and a step ahead of it, by bisection along the step.
    fn fold(&self, w: Pair, t: Pair, step: f64) -> Pair {
        let (mut low, mut high, mut best) = (0.0, step, w);
        for _ in 0..45 {
            let middle = 0.5 * (low + high);
            let Some((at, _)) = self.corrected([w[0] + middle * t[0], w[1] + middle * t[1]], t) else { break };
            best = at;
            if self.tangent(at, t)[1] * t[1] > 0.0 { low = middle } else { high = middle }
        }
        best
    }
}

impl Membrane {
    /// The steady states for a control that goes from `range.0` to `range.1`: every curve that reaches an end of the range,
    /// by predictor and corrector in arclength (Keller 1977), which passes folds where stepping in the control would fail.
    /// Derivatives by central differences; folds to about 1e-6 of the range.
    pub fn branches(&self, control: Control, range: (f64, f64)) -> Vec<Branch> {
        if self.collapsed - self.swollen < 1e-12 {
            let point = |i: usize| {
                let value = range.0 + (range.1 - range.0) * i as f64 / 200.0;
                let (bath, force) = control.at(value);
                BranchPoint { control: value, phi: self.swollen, transport: self.steady(self.swollen, bath, force) }
            };
            return vec![Branch { points: (0..=200).map(point).collect(), folds: Vec::new() }];
        }
        let curve = Curve { membrane: self, control, range };
        let mut branches: Vec<Branch> = Vec::new();
        for (end, forward) in [(0.0, true), (1.0, false)] {
            let (bath, force) = control.at(range.0 + (range.1 - range.0) * end);
            for phi in self.states(bath, force) {
                let u = (phi - self.swollen) / (self.collapsed - self.swollen);
                // A curve that ended here has been traced from its other end.
                let is_known = branches.iter().any(|b| {
                    b.points.last().is_some_and(|p| {
                        let at = (p.control - range.0) / (range.1 - range.0);
                        let near = (p.phi - self.swollen) / (self.collapsed - self.swollen) - u;
                        (at - end).abs() < 0.02 && near.abs() < 0.02
                    })
                });
                if !is_known {
                    branches.push(curve.trace([u, end], forward));
                }
            }
        }
        branches
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::ATTRACTIVE;
    use super::*;

    /// Extrema of bath(φ), a closed formula: what the continuation in the bath must find as folds.
    fn extrema(m: &Membrane, force: f64) -> Vec<f64> {
        let n = 3000;
        let at = |i: usize| m.swollen + (m.collapsed - m.swollen) * (i as f64 + 0.5) / n as f64;
        let value = |i: usize| m.bath_for(at(i), force);
        let mut found = Vec::new();
        for i in 1..n - 1 {
            let (l, c, r) = (value(i - 1), value(i), value(i + 1));
            if (c - l) * (r - c) < 0.0 && c > 0.0 {
                found.push(c - 0.125 * (r - l).powi(2) / (l - 2.0 * c + r));
            }
        }
        found
    }

    #[test]
    fn folds_in_the_bath_are_the_extrema_of_a_closed_curve() {
        let m = ATTRACTIVE;
        let branches = m.branches(Control::Bath { force: 5.0 }, (0.02, 1.0));
        assert_eq!(branches.len(), 1, "one curve joins all states");
        let folds: Vec<f64> = branches[0].folds.iter().map(|f| f.control).collect();
        let exact = extrema(&m, 5.0);
        assert_eq!((folds.len(), exact.len()), (2, 2));
        for (f, e) in folds.iter().zip(&exact) {
            assert!((f / e - 1.0).abs() < 1e-5, "{folds:?} {exact:?}");
        }
        // A slightly other membrane has other folds.
        let other = extrema(&Membrane { interaction: -5.9, ..m }, 5.0);
        assert!((folds[0] / other[0] - 1.0).abs() > 1e-3);
        for p in &branches[0].points {
            assert!(m.residual(p.phi, p.control, 5.0).abs() < 1e-9, "{p:?}");
        }
    }

    #[test]
    fn folds_in_the_force_bound_the_region_of_three_states() {
        let m = Membrane { crowding: 12.0, sharpness: 0.6, ..ATTRACTIVE };
        let branches = m.branches(Control::Force { bath: 0.22 }, (0.0, 7.0));
        assert_eq!(branches.len(), 1);
        let mut folds: Vec<f64> = branches[0].folds.iter().map(|f| f.control).collect();
        folds.sort_by(f64::total_cmp);
        let [low, high] = folds[..] else { panic!("{folds:?}") };
        let count = |f: f64| m.states(0.22, f).len();
        assert_eq!([0.99 * low, 1.01 * low, 0.99 * high, 1.01 * high].map(count), [1, 3, 3, 1]);
        // Where curves reach both ends of the range in several states, each is traced once.
        let inside = m.branches(Control::Force { bath: 0.22 }, (1.05 * low, 0.95 * high));
        assert_eq!(inside.len(), 3);
    }
}
