//! The membrane in time.

use super::{Membrane, phi1};

/// Finite volumes for the concentration, and φ that follows its target: τ φ_t = φ(c_in) - φ.
///
/// The flux between two centres is the exact one of a steady piece, (g_i - g_{i+1} e^{-fh}) / ∫ e^{-f(x-x_i)}/P dx, so that
/// steady states at a frozen φ are exact; the concentration takes one implicit Euler step, φ an exponential one before it:
/// first order in dt, unconditionally stable, never negative. O(cells) a step without allocation.
pub struct MembraneFlow {
    membrane: Membrane,
    relaxation: f64,
    phi: f64,
    /// g = c/K at the centres.
    g: Vec<f64>,
    /// Index of the first cell of the slab, and of the first behind it.
    slab: (usize, usize),
    /// Elimination.
    ratio: Vec<f64>,
}

impl MembraneFlow {
    /// About `cells` cells, so many that faces lie on the slab's ends where its width is a tenth of something whole;
    /// everywhere `bath`, φ at rest with it. `relaxation` is τ.
    pub fn new(membrane: Membrane, cells: usize, relaxation: f64, bath: f64) -> Self {
        let cells = (cells.max(10) / 10) * 10;
        let begin = (membrane.entry() * cells as f64).round() as usize;
        let mut flow = Self {
            membrane,
            relaxation,
            phi: membrane.swollen,
            g: vec![bath; cells],
            slab: (begin, cells - begin),
            ratio: vec![0.0; cells],
        };
        flow.phi = membrane.states(bath, 0.0).first().copied().unwrap_or(membrane.swollen);
        flow
    }

    pub fn phi(&self) -> f64 {
        self.phi
    }

    /// Mean concentration in the slab.
    pub fn inside(&self) -> f64 {
        let slab = &self.g[self.slab.0..self.slab.1];
        self.membrane.partition(self.phi) * slab.iter().sum::<f64>() / slab.len() as f64
    }

    /// Mean of the fluxes through the two ends.
    pub fn flux(&self, bath: f64, force: f64) -> f64 {
        let (decay, half) = self.half_cell(force);
        let (first, last) = (self.g[0], self.g[self.g.len() - 1]);
        0.5 * ((bath - first * decay) + (last - bath * decay)) / half
    }

    /// x and c at the centres.
    pub fn profile(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (n, partition) = (self.g.len(), self.membrane.partition(self.phi));
        self.g.iter().enumerate().map(move |(i, g)| {
            let is_slab = (self.slab.0..self.slab.1).contains(&i);
            ((i as f64 + 0.5) / n as f64, if is_slab { partition * g } else { *g })
        })
    }

    pub fn is_finite(&self) -> bool {
        self.phi.is_finite() && self.g.iter().all(|v| v.is_finite())
    }

    /// e^{-fh/2} and ∫ e^{-fx} over half a cell.
    fn half_cell(&self, force: f64) -> (f64, f64) {
        let half = 0.5 / self.g.len() as f64;
        ((-force * half).exp(), half * phi1(-force * half))
    }

    /// One step of length `dt` under a bath and a force that are constant during it.
    pub fn step(&mut self, dt: f64, bath: f64, force: f64) {
        let target = self.membrane.target(self.inside());
        let held = self.membrane.partition(self.phi);
        self.phi = target + (self.phi - target) * (-dt / self.relaxation).exp();
        let (partition, permeability) = (self.membrane.partition(self.phi), self.membrane.permeability(self.phi));
        let n = self.g.len();
        let (decay, half) = self.half_cell(force);
        let rate = dt * n as f64;
        // Conductances between centres, times dt/h: bath to bath, into the slab, within it, out of it.
        let between = |left: f64, right: f64| rate / (half / left + decay * half / right);
        let conductance = [
            between(1.0, 1.0),
            between(1.0, permeability),
            between(permeability, permeability),
            between(permeability, 1.0),
        ];
        let end = rate / half;
        let (begin, behind) = self.slab;
        let is_slab = |i: usize| i >= begin && i < behind;
        let face = |i: usize| match (is_slab(i), is_slab(i + 1)) {
            (false, false) => conductance[0],
            (false, true) => conductance[1],
            (true, true) => conductance[2],
            (true, false) => conductance[3],
        };
        let full_decay = decay * decay;
        // Row i: K g_i + G_right (g_i - g_{i+1} e) - G_left (g_{i-1} - g_i e) = c_i.
        let mut left = end;
        for i in 0..n {
            let (capacity, before) = if is_slab(i) { (partition, held) } else { (1.0, 1.0) };
            let is_last = i + 1 == n;
            let right = if is_last { end } else { face(i) };
            let mut right_side = before * self.g[i];
            let mut diagonal = capacity + right;
            if i == 0 {
                diagonal += left * decay;
                right_side += left * bath;
            } else {
                diagonal += left * (full_decay - self.ratio[i - 1]);
                right_side += left * self.g[i - 1];
            }
            if is_last {
                right_side += right * decay * bath;
            } else {
                self.ratio[i] = right * full_decay / diagonal;
            }
            self.g[i] = right_side / diagonal;
            left = right;
        }
        for i in (0..n - 1).rev() {
            self.g[i] += self.ratio[i] * self.g[i + 1];
        }
    }
}
