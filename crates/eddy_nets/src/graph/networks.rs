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

    /// Parts of a coordinate without overlap, as [`parts`](Self::parts): each window is one there and zero elsewhere. What comes out
    /// jumps from part to part; conditions on it have to join them.
    pub fn domains(
        &mut self,
        input: usize,
        ends: (f64, f64),
        is_periodic: bool,
        count: usize,
        part: impl FnMut(&mut Self, Node, Option<Node>) -> Node,
    ) -> Node {
        self.each_part(input, ends, (is_periodic, true), count, part)
    }

    /// A partition of unity over `count` overlapping parts of a coordinate, and what `part` makes of each smooth window and of
    /// the coordinate within the part (from -1 to 1; none on a ring), joined (Moseley, Markham, Nissen-Meyer 2023, "Finite
    /// basis physics-informed neural networks", eqs. 13-15). The windows add up to one exactly: between walls they are
    /// differences of ½(1 + tanh), on a ring powers of a cosine.
    pub fn parts(
        &mut self,
        input: usize,
        ends: (f64, f64),
        is_periodic: bool,
        count: usize,
        part: impl FnMut(&mut Self, Node, Option<Node>) -> Node,
    ) -> Node {
        self.each_part(input, ends, (is_periodic, false), count, part)
    }

    fn each_part(
        &mut self,
        input: usize,
        ends: (f64, f64),
        (is_periodic, is_sharp): (bool, bool),
        count: usize,
        mut part: impl FnMut(&mut Self, Node, Option<Node>) -> Node,
    ) -> Node {
        let (low, high) = ends;
        let (count, length) = (count.max(1), high - low);
        let mut all: Option<Node> = None;
        for k in 0..count {
            let own = length / count as f64;
            let local = (!is_periodic).then(|| {
                let (scale, middle) = (2.0 / own, low + (k as f64 + 0.5) * own);
                self.pick(Node(0), input, scale, -scale * middle)
            });
            let window = match local {
                _ if is_sharp => {
                    let at = |k: usize| low + k as f64 * own;
                    // Between walls the outer parts go on beyond them.
                    let from = if is_periodic || k > 0 { at(k) } else { f64::NEG_INFINITY };
                    let to = if is_periodic || k + 1 < count { at(k + 1) } else { f64::INFINITY };
                    self.indicator(input, from, to, is_periodic.then_some(length))
                }
                Some(local) => self.wall_window(local, k, count),
                None => self.ring_window(input, length, k, count, low),
            };
            let one = part(self, window, local);
            all = Some(all.map_or(one, |all| self.join(all, one)));
        }
        all.unwrap_or(Node(0))
    }

    /// Of part `k`, by the coordinate in it: ½ tanh s(z + 1) − ½ tanh s(z − 1), and without end at the walls.
    fn wall_window(&mut self, local: Node, k: usize, count: usize) -> Node {
        let step = |graph: &mut Self, end: f64| {
            let distance = graph.pick(local, 0, STEEP, STEEP * end);
            graph.apply(distance, Function::Tanh)
        };
        let rising = if k > 0 { Some(step(self, 1.0)) } else { None };
        let falling = if k + 1 < count { Some(step(self, -1.0)) } else { None };
        match (rising, falling) {
            (Some(rising), Some(falling)) => {
                let both = self.join(rising, falling);
                self.fixed(both, &[vec![0.5, -0.5]], &[0.0])
            }
            (Some(rising), None) => self.affine(rising, 0.5, 0.5),
            (None, Some(falling)) => self.affine(falling, -0.5, 0.5),
            (None, None) => self.fixed(local, &[vec![0.0]], &[1.0]),
        }
    }

    /// Of part `k` of a ring: ((1 + cos(θ − θ_k))/2)^(count − 1), over the sum of all, which is the same everywhere.
    fn ring_window(&mut self, input: usize, length: f64, k: usize, count: usize, low: f64) -> Node {
        let (wave, coordinates) = (std::f64::consts::TAU / length, self.coordinates());
        let middle = low + (k as f64 + 0.5) * length / count as f64;
        let angle = self.pick(coordinates, input, wave, -wave * middle);
        let cos = self.apply(angle, Function::Cos);
        let bump = self.affine(cos, 0.5, 0.5);
        let one = self.fixed(angle, &[vec![0.0]], &[ring_share(count)]);
        (1..count).fold(one, |window, _| self.multiply(window, bump))
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

/// How steep the windows of parts between walls are, in their own coordinate: at the middle of the neighbour 2 % are left.
const STEEP: f64 = 2.0;

/// One over Σ_k ((1 + cos(θ − 2πk/n))/2)^(n−1) = n·C(2(n−1), n−1)/4^(n−1): all waves but the mean cancel.
pub fn ring_share(count: usize) -> f64 {
    let central = (1..count).fold(1.0, |c, i| c * (count - 1 + i) as f64 / i as f64 / 4.0);
    1.0 / (count as f64 * central)
}

/// Bound of the weights of a hidden layer of sines.
fn siren_bound(inputs: usize) -> f64 {
    (6.0 / inputs as f64).sqrt()
}

/// The matrix of [`Graph::random_waves`] over so many units.
pub fn wave_rows(inputs: usize, count: usize, sigma: f64, seed: u64) -> Vec<Vec<f64>> {
    (0..count).map(|wave| (0..inputs).map(|i| sigma * normal(seed, (wave * inputs + i) as u64)).collect()).collect()
}
