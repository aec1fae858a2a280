//! The usual networks and embeddings, as nodes of a [`Graph`]. What ends in `_layers` is the last hidden layer; a network has a
//! linear one after it.

use super::{Function, Graph, Initial, Node};
use crate::normal;

impl Graph {
    /// h ← f(W h + b), layer after layer.
    pub fn plain_layers(&mut self, from: Node, hidden: &[usize], function: Function) -> Node {
        hidden.iter().fold(from, |at, &units| self.layer(at, units, function))
    }
    /// Dense layers with `function` between, linear at the end.
    pub fn mlp(&mut self, from: Node, hidden: &[usize], outputs: usize, function: Function) -> Node {
        let at = self.plain_layers(from, hidden, function);
        self.dense(at, outputs, Initial::Glorot)
    }

    /// Two encoders U and V of the input, and in each layer h ← (1 − z)·U + z·V with z = f(W h + b) (Wang, Teng, Perdikaris 2021,
    /// "Understanding and mitigating gradient flow pathologies in physics-informed neural networks", eqs. 43-47).
    pub fn modified_layers(&mut self, from: Node, width: usize, layers: usize, function: Function) -> Node {
        let u = self.layer(from, width, function);
        let v = self.layer(from, width, function);
        let away = self.affine(u, -1.0, 0.0);
        let difference = self.add(v, away);
        (0..layers).fold(from, |at, _| {
            let gate = self.layer(at, width, function);
            let moved = self.multiply(gate, difference);
            self.add(u, moved)
        })
    }

    /// Layers that add to what they get: h ← h + f(W h + b) after a first one h = f(W x + b) (He, Zhang, Ren, Sun 2016, eq. 1).
    pub fn residual_layers(&mut self, from: Node, width: usize, layers: usize, function: Function) -> Node {
        let first = self.layer(from, width, function);
        (1..layers).fold(first, |at, _| {
            let added = self.layer(at, width, function);
            self.add(at, added)
        })
    }

    /// Sines throughout (Sitzmann et al. 2020, "Implicit neural representations with periodic activation functions",
    /// section 3.2): the first layer's weights within ±ω/inputs, later ones' within ±√(6/inputs), where the factor ω = 30
    /// and its inverse cancel.
    pub fn siren_layers(&mut self, from: Node, hidden: &[usize], omega: f64) -> Node {
        let mut at = from;
        for (layer, &units) in hidden.iter().enumerate() {
            let inputs = self.units(at);
            let bound = if layer == 0 { omega / inputs as f64 } else { siren_bound(inputs) };
            let sums = self.dense(at, units, Initial::Uniform(bound));
            at = self.apply(sums, Function::Sin);
        }
        at
    }
    /// [`siren_layers`](Self::siren_layers), linear at the end.
    pub fn siren(&mut self, from: Node, hidden: &[usize], outputs: usize, omega: f64) -> Node {
        let at = self.siren_layers(from, hidden, omega);
        let bound = siren_bound(self.units(at)) / omega.max(1.0);
        self.dense(at, outputs, Initial::Uniform(bound))
    }

    /// (cos 2πkx/period, sin 2πkx/period) of coordinate `input`, k = 1…harmonics: whatever is built on them has that
    /// period exactly (Dong and Ni 2021, "A method for representing periodic functions", section 2).
    pub fn periodic(&mut self, input: usize, period: f64, harmonics: usize) -> Node {
        let row = |k: usize| -> Vec<f64> {
            let wave = std::f64::consts::TAU * k as f64 / period;
            (0..self.inputs).map(|i| if i == input { wave } else { 0.0 }).collect()
        };
        let rows: Vec<_> = (1..=harmonics.max(1)).map(row).collect();
        self.waves(Node(0), &rows)
    }
    /// (cos B z, sin B z) of what `from` says, with `count` rows of normal numbers of deviation `sigma` in B, which is not trained
    /// (Tancik et al. 2020, "Fourier features let networks learn high frequency functions in low dimensional domains", section 4;
    /// their 2πB is our B).
    pub fn random_waves(&mut self, from: Node, count: usize, sigma: f64, seed: u64) -> Node {
        let rows = wave_rows(self.units(from), count, sigma, seed);
        self.waves(from, &rows)
    }

    /// Gaussians exp(−½ Σ ((z_i − c_i)/w_i)²) of what `from` says, with trainable centres and widths, as features (Kang, Oh, Hong,
    /// Park 2025, "PIG: physics-informed Gaussians as adaptive parametric mesh representations", eq. 5, with widths along the
    /// axes). They begin with one width, and centres drawn uniformly within [-1, 1]. For each unit of `from` there is a layer
    /// of its own, whose weights are the inverse widths.
    pub fn gaussian_features(&mut self, from: Node, count: usize, width: f64) -> Node {
        let mut sum: Option<Node> = None;
        for unit in 0..self.units(from) {
            let one = self.pick(from, unit, 1.0, 0.0);
            let distance = self.dense(one, count, Initial::Centres { width });
            let square = self.multiply(distance, distance);
            sum = Some(sum.map_or(square, |sum| self.add(sum, square)));
        }
        let exponent = self.affine(sum.unwrap_or(from), -0.5, 0.0);
        self.apply(exponent, Function::Exp)
    }

    /// (cos z, sin z) of z = `rows` · `from`.
    fn waves(&mut self, from: Node, rows: &[Vec<f64>]) -> Node {
        let phases = self.fixed(from, rows, &vec![0.0; rows.len()]);
        let (cos, sin) = (self.apply(phases, Function::Cos), self.apply(phases, Function::Sin));
        self.join(cos, sin)
    }

    fn layer(&mut self, from: Node, units: usize, function: Function) -> Node {
        let sums = self.dense(from, units, Initial::Glorot);
        self.apply(sums, function)
    }
}

/// Bound of the weights of a hidden layer of sines.
fn siren_bound(inputs: usize) -> f64 {
    (6.0 / inputs as f64).sqrt()
}

/// The matrix of [`Graph::random_waves`] over so many units.
pub fn wave_rows(inputs: usize, count: usize, sigma: f64, seed: u64) -> Vec<Vec<f64>> {
    (0..count).map(|wave| (0..inputs).map(|i| sigma * normal(seed, (wave * inputs + i) as u64)).collect()).collect()
}
