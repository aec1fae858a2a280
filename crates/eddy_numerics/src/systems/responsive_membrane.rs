//! Solutes driven through a membrane that swells or collapses with what it takes up.
//!
//! Bath, slab, bath on 0 ≤ x ≤ 1, the concentration `bath` at both ends, a constant force f on each solute (kT = 1):
//!
//! c_t = -j_x,   j = D (c f - c_x + c (ln K)_x).
//!
//! In the slab K = e^{-Bφ} and D = e^{-aφ/(1-φ)} with the polymer fraction φ; outside both are one. With g = c/K, which does
//! not jump, and the permeability P = K D the flux is j = P (f g - g_x).

mod branch;
mod flow;

pub use branch::{Branch, BranchPoint, Control};
pub use flow::MembraneFlow;

/// (e^z - 1)/z.
fn phi1(z: f64) -> f64 {
    if z.abs() < 1e-8 { 1.0 + 0.5 * z } else { z.exp_m1() / z }
}

/// (e^z - 1 - z)/z².
fn phi2(z: f64) -> f64 {
    // The difference cancels: below this the series is the more accurate of the two.
    if z.abs() < 1e-2 {
        0.5 + z / 6.0 * (1.0 + 0.25 * z * (1.0 + 0.2 * z * (1.0 + z / 6.0)))
    } else {
        (z.exp_m1() - z) / (z * z)
    }
}

/// A slab of `width` in the middle, and how it responds. 0 < swollen ≤ collapsed < 1, 0 < width < 1, sharpness > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Membrane {
    pub width: f64,
    /// B: negative attracts solutes.
    pub interaction: f64,
    /// a: how much polymer slows them.
    pub crowding: f64,
    /// φ without solute, and with much of it.
    pub swollen: f64,
    pub collapsed: f64,
    /// Mean concentration inside at which φ is halfway.
    pub threshold: f64,
    /// Width of the transition in that concentration.
    pub sharpness: f64,
}

/// What a steady state carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    /// j, the same at every x.
    pub flux: f64,
    /// Mean concentration in the slab.
    pub inside: f64,
}

impl Membrane {
    /// K
    pub fn partition(&self, phi: f64) -> f64 {
        (-self.interaction * phi).exp()
    }
    /// D
    pub fn diffusivity(&self, phi: f64) -> f64 {
        (-self.crowding * phi / (1.0 - phi)).exp()
    }
    /// P = K D
    pub fn permeability(&self, phi: f64) -> f64 {
        self.partition(phi) * self.diffusivity(phi)
    }
    /// Where the slab begins.
    pub fn entry(&self) -> f64 {
        0.5 * (1.0 - self.width)
    }

    /// φ that a mean concentration `inside` calls for: a sigmoid from swollen to collapsed.
    pub fn target(&self, inside: f64) -> f64 {
        let s = 0.5 * (1.0 + ((inside - self.threshold) / self.sharpness).tanh());
        self.swollen + (self.collapsed - self.swollen) * s
    }

    /// The steady state at a frozen φ, in closed form: with S = ∫₀¹ e^{-fx}/P dx the flux is c₀ (1 - e^{-f})/S, and
    /// g(x) = c₀ e^{-f(1-x)} + j ∫ₓ¹ e^{-f(y-x)}/P dy, a sum of positive terms. Any force; its sign mirrors the state.
    pub fn steady(&self, phi: f64, bath: f64, force: f64) -> Transport {
        let (f, permeability) = (force.abs(), self.permeability(phi));
        let (near, far) = (self.entry(), 1.0 - self.entry());
        // ∫ over a layer of length l that begins at x is e^{-fx} l φ₁(-fl).
        let layer = |l: f64| l * phi1(-f * l);
        let slab = layer(self.width);
        let resistance = layer(near) + (-f * near).exp() * slab / permeability + (-f * far).exp() * layer(near);
        let flux = bath * f * phi1(-f) / resistance;
        let mean = bath * (-f * near).exp() * phi1(-f * self.width)
            + flux * (self.width * phi2(-f * self.width) / permeability + phi1(-f * self.width) * layer(near));
        Transport { flux: flux.copysign(force), inside: self.partition(phi) * mean }
    }

    /// c(x) of the same state.
    pub fn profile(&self, phi: f64, bath: f64, force: f64, x: f64) -> f64 {
        if force < 0.0 {
            return self.profile(phi, bath, -force, 1.0 - x);
        }
        let flux = self.steady(phi, bath, force).flux;
        let (near, far) = (self.entry(), 1.0 - self.entry());
        let part = |from: f64, to: f64| {
            let from = from.max(x);
            if to > from { (-force * (from - x)).exp() * (to - from) * phi1(-force * (to - from)) } else { 0.0 }
        };
        let integral = part(0.0, near) + part(near, far) / self.permeability(phi) + part(far, 1.0);
        let g = bath * (-force * (1.0 - x)).exp() + flux * integral;
        if (near..=far).contains(&x) { self.partition(phi) * g } else { g }
    }

    /// φ(c_in(φ)) - φ, zero in a steady state; one is stable if this falls there.
    pub fn residual(&self, phi: f64, bath: f64, force: f64) -> f64 {
        self.target(self.steady(phi, bath, force).inside) - phi
    }

    /// The bath at which φ is a steady state: uptake is linear in it. Negative if no bath does it.
    pub fn bath_for(&self, phi: f64, force: f64) -> f64 {
        let s = (phi - self.swollen) / (self.collapsed - self.swollen);
        let inside = self.threshold + self.sharpness * (2.0 * s - 1.0).atanh();
        inside / self.steady(phi, 1.0, force).inside
    }

    /// φ at `i` of `n` interior points, denser where the sigmoid is flat.
    fn phi_at(&self, i: usize, n: usize) -> f64 {
        let s = 0.5 * (1.0 + (9.0 * (2.0 * (i as f64 + 0.5) / n as f64 - 1.0)).tanh());
        self.swollen + (self.collapsed - self.swollen) * s
    }

    /// All steady φ, rising, at most one per 1/2000 of the scanned range, each to rounding by bisection.
    pub fn states(&self, bath: f64, force: f64) -> Vec<f64> {
        if self.collapsed - self.swollen < 1e-12 {
            return vec![self.swollen];
        }
        let n = 2000;
        let mut roots = Vec::new();
        // The residual is positive at the swollen end and negative at the collapsed one.
        let mut last = (self.swollen, 1.0);
        for i in 0..=n {
            let phi = if i == n { self.collapsed } else { self.phi_at(i, n) };
            let value = if i == n { -1.0 } else { self.residual(phi, bath, force) };
            if (value > 0.0) != (last.1 > 0.0) {
                let (mut a, mut b) = (last.0, phi);
                for _ in 0..60 {
                    let middle = 0.5 * (a + b);
                    if (self.residual(middle, bath, force) > 0.0) == (last.1 > 0.0) { a = middle } else { b = middle }
                }
                roots.push(0.5 * (a + b));
            }
            last = (phi, value);
        }
        roots
    }

    /// How many steady states there are at each of `baths` (rising) for one force: crossings of the curve bath(φ), one
    /// evaluation of it for all baths.
    pub fn count_states(&self, baths: &[f64], force: f64) -> Vec<u32> {
        let mut counts = vec![0; baths.len()];
        if self.collapsed - self.swollen < 1e-12 {
            return vec![1; baths.len()];
        }
        let n = 1500;
        let mut last = f64::NEG_INFINITY;
        for i in 0..=n {
            let value = if i == n { f64::INFINITY } else { self.bath_for(self.phi_at(i, n), force) };
            let (low, high) = if value > last { (last, value) } else { (value, last) };
            let from = baths.partition_point(|b| *b <= low);
            let to = baths.partition_point(|b| *b <= high);
            counts[from..to].iter_mut().for_each(|c| *c += 1);
            last = value;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quadrature::integrate;
    use crate::testing::observed_order;

    pub(super) const ATTRACTIVE: Membrane = Membrane {
        width: 0.2,
        interaction: -6.0,
        crowding: 3.0,
        swollen: 0.05,
        collapsed: 0.35,
        threshold: 1.0,
        sharpness: 0.15,
    };

    #[test]
    fn the_closed_form_solves_the_equation() {
        let m = ATTRACTIVE;
        for (phi, force) in [(0.1, 5.0), (0.3, 0.7), (0.2, 1e-9), (0.2, 40.0), (0.25, -3.0)] {
            let s = m.steady(phi, 0.3, force);
            let total = integrate(|x| m.profile(phi, 0.3, force, x), m.entry(), 1.0 - m.entry(), 1e-14, 1e-12, 200);
            assert!((total.value / m.width / s.inside - 1.0).abs() < 1e-9, "φ = {phi}, f = {force}");
            // j = D (f c - c_x) away from the faces, by central differences.
            for x in [0.1, 0.45, 0.58, 0.9] {
                let h = 1e-5;
                let c = |x: f64| m.profile(phi, 0.3, force, x);
                let d = if (0.4..0.6).contains(&x) { m.diffusivity(phi) } else { 1.0 };
                let flux = d * (force * c(x) - (c(x + h) - c(x - h)) / (2.0 * h));
                assert!((flux - s.flux).abs() < 1e-6 * (1.0 + s.flux.abs()), "φ = {phi}, f = {force}, x = {x}");
            }
            // c/K does not jump, and the ends are the bath.
            let (inner, outer) = (m.profile(phi, 0.3, force, 0.4 + 1e-12), m.profile(phi, 0.3, force, 0.4 - 1e-12));
            assert!((inner / outer / m.partition(phi) - 1.0).abs() < 1e-9);
            assert!((inner / outer - 1.0).abs() > 0.1, "the comparison sees K");
            assert!((m.profile(phi, 0.3, force, 0.0) - 0.3).abs() < 1e-9);
        }
    }

    #[test]
    fn a_pulled_apart_model_agrees_with_itself() {
        let m = ATTRACTIVE;
        let states = m.states(0.25, 5.0);
        assert_eq!(states.len(), 3);
        for phi in &states {
            assert!(m.residual(*phi, 0.25, 5.0).abs() < 1e-12);
            assert!((m.bath_for(*phi, 5.0) / 0.25 - 1.0).abs() < 1e-6);
        }
        assert_eq!(m.count_states(&[0.05, 0.25, 0.9], 5.0), [1, 3, 1]);
        let repulsive = Membrane { interaction: 6.0, ..m };
        let baths: Vec<f64> = (1..200).map(|i| 0.01 * f64::from(i)).collect();
        for force in [0.5, 2.0, 5.0] {
            assert!(repulsive.count_states(&baths, force).iter().all(|n| *n == 1));
        }
        let stiff = Membrane { collapsed: m.swollen, ..m };
        assert_eq!(stiff.states(0.25, 5.0), [m.swollen]);
    }

    #[test]
    fn a_frozen_membrane_relaxes_to_the_closed_form_exactly() {
        let m = Membrane { collapsed: 0.2, swollen: 0.2, ..ATTRACTIVE };
        let mut flow = MembraneFlow::new(m, 50, 1.0, 0.1);
        for _ in 0..400 {
            flow.step(0.5, 0.3, 4.0);
        }
        let exact = m.steady(0.2, 0.3, 4.0);
        assert!((flow.flux(0.3, 4.0) / exact.flux - 1.0).abs() < 1e-11);
        for (x, c) in flow.profile() {
            assert!((c / m.profile(0.2, 0.3, 4.0, x) - 1.0).abs() < 1e-11, "x = {x}");
        }
        assert!((flow.flux(0.3, 4.0) / m.steady(0.21, 0.3, 4.0).flux - 1.0).abs() > 1e-4, "the comparison sees φ");
    }

    #[test]
    fn the_steps_are_of_first_order() {
        let m = Membrane { sharpness: 0.4, ..ATTRACTIVE };
        let at = |steps: u32| {
            let mut flow = MembraneFlow::new(m, 50, 0.5, 0.1);
            for _ in 0..steps {
                flow.step(1.0 / f64::from(steps), 0.4, 4.0);
            }
            flow.phi()
        };
        let exact = at(40_960);
        let errors: Vec<f64> = [40, 80, 160, 320].iter().map(|n| (at(*n) - exact).abs()).collect();
        let (low, high) = observed_order(&errors);
        assert!(low > 0.9 && high < 1.12, "{low}..{high}, {errors:?}");
    }
}
