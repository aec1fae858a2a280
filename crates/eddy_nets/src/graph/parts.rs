//! Networks on parts of the domain: windows along one coordinate.

use super::{Function, Graph, Node};

/// Parts of one coordinate, all of the same length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    pub input: usize,
    pub low: f64,
    pub high: f64,
    /// Whether the ends are one place.
    pub is_periodic: bool,
    pub count: usize,
    /// Windows are one on their part and zero elsewhere, so that what they make jumps between parts, which conditions have to join.
    /// Else they are smooth and overlap: between walls differences of ½(1 + tanh), on a ring powers of a cosine.
    pub is_sharp: bool,
}

/// How steep smooth windows between walls are, in the coordinate of their part: in the middle of the neighbour 2 % are left.
const STEEP: f64 = 2.0;

impl Parts {
    fn length(&self) -> f64 {
        (self.high - self.low) / self.count as f64
    }

    fn middle(&self, k: usize) -> f64 {
        self.low + (k as f64 + 0.5) * self.length()
    }
}

impl Graph {
    /// What `make` makes of the window of each part and of the coordinate within it (from -1 to 1; none on a ring), joined. The
    /// windows add up to one exactly (a partition of unity: Moseley, Markham, Nissen-Meyer 2023, "Finite basis physics-informed
    /// neural networks", eqs. 13-15; without overlap: Jagtap and Karniadakis 2020, section 2.2).
    pub fn parts(&mut self, parts: &Parts, mut make: impl FnMut(&mut Self, Node, Option<Node>) -> Node) -> Node {
        let parts = Parts { count: parts.count.max(1), ..*parts };
        let mut all: Option<Node> = None;
        for k in 0..parts.count {
            let local = (!parts.is_periodic).then(|| {
                let scale = 2.0 / parts.length();
                self.pick(Node(0), parts.input, scale, -scale * parts.middle(k))
            });
            let window = match local {
                _ if parts.is_sharp => self.sharp_window(&parts, k),
                Some(local) => self.wall_window(local, k, parts.count),
                None => self.ring_window(&parts, k),
            };
            let one = make(self, window, local);
            all = Some(all.map_or(one, |all| self.join(all, one)));
        }
        all.unwrap_or(Node(0))
    }

    fn sharp_window(&mut self, parts: &Parts, k: usize) -> Node {
        let at = |k: usize| parts.low + k as f64 * parts.length();
        // Between walls the outer parts go on beyond them.
        let from = if parts.is_periodic || k > 0 { at(k) } else { f64::NEG_INFINITY };
        let to = if parts.is_periodic || k + 1 < parts.count { at(k + 1) } else { f64::INFINITY };
        self.indicator(parts.input, from, to, parts.is_periodic.then_some(parts.high - parts.low))
    }

    /// ½ tanh s(z + 1) − ½ tanh s(z − 1) of the coordinate in part `k`, and without end at the walls.
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

    /// ((1 + cos(θ − θ_k))/2)^(count − 1), over the sum of all, which is the same everywhere.
    fn ring_window(&mut self, parts: &Parts, k: usize) -> Node {
        let wave = std::f64::consts::TAU / (parts.high - parts.low);
        let angle = self.pick(Node(0), parts.input, wave, -wave * parts.middle(k));
        let cos = self.apply(angle, Function::Cos);
        let bump = self.affine(cos, 0.5, 0.5);
        let one = self.fixed(angle, &[vec![0.0]], &[ring_share(parts.count)]);
        (1..parts.count).fold(one, |window, _| self.multiply(window, bump))
    }
}

/// One over Σ_k ((1 + cos(θ − 2πk/n))/2)^(n−1) = n·C(2(n−1), n−1)/4^(n−1): all waves but the mean cancel.
pub fn ring_share(count: usize) -> f64 {
    let central = (1..count).fold(1.0, |c, i| c * (count - 1 + i) as f64 / i as f64 / 4.0);
    1.0 / (count as f64 * central)
}
