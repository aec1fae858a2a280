//! The density that goes after the residual: a normalizing flow of the square onto itself.
//!
//! Six couplings on [0, 1]² move one coordinate each, by turns. The moved coordinate u goes through a distribution function
//! on [0, 1]: a part of the uniform one and `BUMPS` logistic ones σ(a(u - μ)), cut at the ends, whose weights, centres μ and
//! slopes a depend on the other coordinate through a small network. It is smooth in the place and in the weights, so the
//! slope of ∫|∇p|² with respect to the weights is the mean of slopes at points; with splines, where knots move, it is not.

use eddy_nets::{Activation, Adam, AdamSettings, Architecture, Engine, Features, JetSpec, Linear, NetError, Network};

const LAYERS: usize = 6;
const BUMPS: usize = 4;
/// Of a conditioner: the weights' logarithms (the uniform part's first), the centres' logits, the slopes.
const OUTPUTS: usize = 1 + 3 * BUMPS;
/// Least slope of a coupling, so that it can be inverted.
const FLOOR: f64 = 0.01;
/// Slopes of the logistic functions lie between e^0.2 and e^4.2.
const MIDDLE: f64 = 2.2;
const SPAN: f64 = 2.0;
/// The step of the differences that stand for ∇p: their error is of its order, rounding far below.
const STEP: f64 = 1e-5;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Of a logistic function: slope a, centre μ, tanh of the raw slope, values at 0 and 1.
#[derive(Clone, Copy)]
struct Bump {
    a: f64,
    centre: f64,
    turned: f64,
    low: f64,
    high: f64,
}

/// F(u) of a coupling at one value of the other coordinate.
struct Coupling {
    shares: [f64; BUMPS + 1],
    bumps: [Bump; BUMPS],
}

impl Coupling {
    fn new(c: &[f64]) -> Self {
        let top = c[..=BUMPS].iter().fold(f64::NEG_INFINITY, |m: f64, w| m.max(*w));
        let mut shares: [f64; BUMPS + 1] = std::array::from_fn(|k| (c[k] - top).exp());
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|s| *s /= total);
        let bumps = std::array::from_fn(|k| {
            let (centre, turned) = (sigmoid(c[1 + BUMPS + k]), c[1 + 2 * BUMPS + k].tanh());
            let a = (MIDDLE + SPAN * turned).exp();
            Bump { a, centre, turned, low: sigmoid(-a * centre), high: sigmoid(a * (1.0 - centre)) }
        });
        Self { shares, bumps }
    }

    /// Value and slope.
    fn at(&self, u: f64) -> (f64, f64) {
        let (mut value, mut slope) = (self.shares[0] * u, self.shares[0]);
        for (share, b) in self.shares[1..].iter().zip(&self.bumps) {
            let here = sigmoid(b.a * (u - b.centre));
            let height = share / (b.high - b.low);
            value += height * (here - b.low);
            slope += height * b.a * here * (1.0 - here);
        }
        ((1.0 - FLOOR) * value + FLOOR * u, (1.0 - FLOOR) * slope + FLOOR)
    }

    /// The u of a value: Newton's method, halving where it leaves the bracket.
    fn invert(&self, value: f64) -> f64 {
        let (mut low, mut high, mut u) = (0.0, 1.0, value);
        for _ in 0..60 {
            let (reached, slope) = self.at(u);
            let miss = reached - value;
            if miss.abs() < 1e-11 {
                break;
            }
            *(if miss > 0.0 { &mut high } else { &mut low }) = u;
            let next = u - miss / slope;
            u = if next > low && next < high { next } else { 0.5 * (low + high) };
        }
        u
    }

    /// Derivatives of (F, ln F_u) by u and by each of the conditioner's outputs.
    fn sensitivities(&self, u: f64) -> ([f64; 2], [[f64; 2]; OUTPUTS]) {
        let (value, slope) = self.at(u);
        // What is left of both when the floor is taken off.
        let (sum, density) = ((value - FLOOR * u) / (1.0 - FLOOR), (slope - FLOOR) / (1.0 - FLOOR));
        let mut by_c = [[0.0; 2]; OUTPUTS];
        by_c[0] = [self.shares[0] * (u - sum), self.shares[0] * (1.0 - density)];
        let mut bent = 0.0;
        for (k, (share, &Bump { a, centre, turned, low, high })) in self.shares[1..].iter().zip(&self.bumps).enumerate()
        {
            let off = u - centre;
            let here = sigmoid(a * off);
            let [low_slope, here_slope, high_slope] = [low, here, high].map(|s| s * (1.0 - s));
            let cut = 1.0 / (high - low);
            let (part, q) = ((here - low) * cut, a * here_slope * cut);
            // q_u / a
            let tilt = q * (1.0 - 2.0 * here);
            let spread = ((1.0 - centre) * high_slope + centre * low_slope) * cut;
            let lean = (high_slope - low_slope) * cut;
            bent += share * a * tilt;
            by_c[1 + k] = [share * (part - sum), share * (q - density)];
            let by_centre = share * centre * (1.0 - centre) * a;
            by_c[1 + BUMPS + k] =
                [by_centre * (part * lean - (here_slope - low_slope) * cut), by_centre * (q * lean - tilt)];
            let by_slope = share * a * SPAN * (1.0 - turned * turned);
            by_c[1 + 2 * BUMPS + k] = [
                by_slope * ((here_slope * off + centre * low_slope) * cut - part * spread),
                by_slope * (here_slope * cut + tilt * off - q * spread),
            ];
        }
        let relative = (1.0 - FLOOR) / slope;
        ([slope, bent * relative], by_c.map(|[f, q]| [f * (1.0 - FLOOR), q * relative]))
    }
}

/// A density p on [-1, 1]² that can be evaluated, drawn from, and trained.
pub(super) struct Flow {
    pub networks: Vec<Network<f64>>,
    /// One engine for all conditioners: they are alike.
    engine: Engine<f64>,
    adam: Vec<Adam<f64>>,
    gradients: Vec<Vec<f64>>,
    /// Of the points last evaluated: the place in [0, 1]² before each coupling, [layer][point], …
    states: Vec<Vec<[f64; 2]>>,
    /// … and the conditioners' outputs with their slopes, [layer][point · output].
    outputs: Vec<Vec<[f64; 2]>>,
}

/// The coordinate that a coupling moves.
fn moved(layer: usize) -> usize {
    layer % 2
}

impl Flow {
    /// Nearly uniform.
    pub fn new(width: usize, seed: u64, settings: AdamSettings) -> Result<Self, NetError> {
        let mut architecture = Architecture::dense(1, &[width; 2], OUTPUTS, Activation::Tanh);
        // Wide enough in slope to tell places a few hundredths apart.
        architecture.features = Features { linear: vec![Linear { input: 0, center: 0.5, scale: 6.0 }], waves: vec![] };
        let mut networks = Vec::with_capacity(LAYERS);
        for layer in 0..LAYERS {
            let mut network = Network::new(architecture.clone(), seed.wrapping_mul(LAYERS as u64) + layer as u64)?;
            if let Some(last) = architecture.layers().last() {
                network.parameters[last.weights..last.biases].iter_mut().for_each(|w| *w *= 0.1);
                let biases = &mut network.parameters[last.biases..];
                // Nine tenths of it uniform, the bumps side by side.
                biases[0] = (9.0 * BUMPS as f64).ln();
                for k in 0..BUMPS {
                    let place = (k as f64 + 0.5) / BUMPS as f64;
                    biases[1 + BUMPS + k] = (place / (1.0 - place)).ln();
                }
            }
            networks.push(network);
        }
        let count = architecture.parameters();
        Ok(Self {
            engine: Engine::new(&networks[0], &JetSpec::value(1).along(0))?,
            adam: vec![Adam::new(count, settings); LAYERS],
            gradients: vec![vec![0.0; count]; LAYERS],
            states: vec![Vec::new(); LAYERS],
            outputs: vec![Vec::new(); LAYERS],
            networks,
        })
    }

    /// Forgets the moments of Adam.
    pub fn restart(&mut self) {
        self.adam.iter_mut().for_each(|a| *a = Adam::new(self.gradients[0].len(), a.settings));
    }

    /// A conditioner's outputs and their slopes at coordinates `ys`, kept for the way back.
    fn condition(&mut self, layer: usize, ys: &[f64]) {
        let outputs = &mut self.outputs[layer];
        outputs.clear();
        outputs.resize(ys.len() * OUTPUTS, [0.0; 2]);
        self.engine.evaluate(&self.networks[layer], ys, |tile| {
            for j in 0..OUTPUTS {
                let (value, slope) = (tile.jet(j, 0), tile.jet(j, 1));
                for i in 0..tile.len {
                    outputs[(tile.start + i) * OUTPUTS + j] = [value[i], slope[i]];
                }
            }
        });
    }

    fn coupling(&self, layer: usize, point: usize) -> Coupling {
        let own = &self.outputs[layer][point * OUTPUTS..][..OUTPUTS];
        Coupling::new(&std::array::from_fn::<f64, OUTPUTS, _>(|j| own[j][0]))
    }

    /// Points of the square from points of [0, 1]², in place.
    pub fn sample(&mut self, points: &mut [f64]) {
        for layer in (0..LAYERS).rev() {
            let at = moved(layer);
            let ys: Vec<f64> = points.chunks_exact(2).map(|x| x[1 - at]).collect();
            self.condition(layer, &ys);
            for (i, x) in points.chunks_exact_mut(2).enumerate() {
                x[at] = self.coupling(layer, i).invert(x[at]);
            }
        }
        points.iter_mut().for_each(|x| *x = 2.0 * *x - 1.0);
    }

    /// ln p at points of the square, and where they are in [0, 1]² when all couplings are done.
    pub fn evaluate(&mut self, points: &[f64]) -> (Vec<f64>, Vec<[f64; 2]>) {
        let mut state: Vec<[f64; 2]> =
            points.chunks_exact(2).map(|x| [0.5 * (x[0] + 1.0), 0.5 * (x[1] + 1.0)]).collect();
        // Both coordinates are halved, so p is a quarter of the product of slopes.
        let mut log_density = vec![-4f64.ln(); state.len()];
        for layer in 0..LAYERS {
            let at = moved(layer);
            let ys: Vec<f64> = state.iter().map(|x| x[1 - at]).collect();
            self.condition(layer, &ys);
            self.states[layer].clone_from(&state);
            for (i, (x, log)) in state.iter_mut().zip(&mut log_density).enumerate() {
                let (value, slope) = self.coupling(layer, i).at(x[at]);
                x[at] = value;
                *log += slope.ln();
            }
        }
        (log_density, state)
    }

    /// From the derivatives of something by ln p at the points last evaluated to those by the weights: fills `gradients`.
    fn pull_back(&mut self, adjoints: &[f64]) {
        // By the state after the coupling in hand.
        let mut above = vec![[0.0; 2]; adjoints.len()];
        let mut by_outputs = vec![0.0; adjoints.len() * OUTPUTS];
        for layer in (0..LAYERS).rev() {
            let at = moved(layer);
            for (i, (log, above)) in adjoints.iter().zip(&mut above).enumerate() {
                let (by_u, by_c) = self.coupling(layer, i).sensitivities(self.states[layer][i][at]);
                let back = |[f, l]: [f64; 2]| above[at] * f + log * l;
                let by_c = by_c.map(back);
                let by_moved = back(by_u);
                let outputs = &self.outputs[layer][i * OUTPUTS..][..OUTPUTS];
                above[1 - at] += by_c.iter().zip(outputs).map(|(c, [_, slope])| c * slope).sum::<f64>();
                above[at] = by_moved;
                by_outputs[i * OUTPUTS..][..OUTPUTS].copy_from_slice(&by_c);
            }
            let ys: Vec<f64> = self.states[layer].iter().map(|x| x[1 - at]).collect();
            self.engine.gradient(&self.networks[layer], &ys, &mut self.gradients[layer], |tile| {
                let start = tile.start;
                for j in 0..OUTPUTS {
                    for (i, a) in tile.adjoint(j, 0).iter_mut().enumerate() {
                        *a = by_outputs[(start + i) * OUTPUTS + j];
                    }
                }
                0.0
            });
        }
    }

    /// Fills `gradients` with those of β ∫|∇p|² - ∫ reward p, from points drawn from p.
    fn slopes(&mut self, points: &[f64], rewards: &[f64], beta: f64) {
        // Each point with one beside it along both axes, on the side where the middle is.
        let beside = |x: f64| if x > 0.0 { x - STEP } else { x + STEP };
        let corners: Vec<f64> =
            points.chunks_exact(2).flat_map(|x| [x[0], x[1], beside(x[0]), x[1], x[0], beside(x[1])]).collect();
        let (logs, _) = self.evaluate(&corners);
        self.pull_back(&descent_slopes(&logs, rewards, beta));
    }

    /// One step up ∫ reward p dx - β ∫|∇p|² dx, from points drawn from p. Returns whether the slope is finite.
    pub fn ascend(&mut self, points: &[f64], rewards: &[f64], beta: f64) -> bool {
        self.slopes(points, rewards, beta);
        let Self { networks, adam, gradients, .. } = self;
        let mut fine = true;
        for ((network, adam), gradient) in networks.iter_mut().zip(adam).zip(gradients) {
            fine &= adam.step(&mut network.parameters, gradient).is_finite();
        }
        fine
    }
}

/// Derivatives of β ∫|∇p|² - ∫ reward p by ln p at points drawn from p and at the two beside each: ∫ h dx is the mean of h/p,
/// and ∂p = p ∂ ln p. A constant may be taken off what multiplies the slope of ln p at a point, as the mean of that slope is
/// zero: the mean, which leaves less noise.
fn descent_slopes(logs: &[f64], rewards: &[f64], beta: f64) -> Vec<f64> {
    let scale = 1.0 / rewards.len() as f64;
    let slope = |(log, reward): (&[f64], &f64)| {
        let p = log[0].exp();
        // Of (p_d - p)²/STEP² over p, by ln p, and by ln p_d, which comes with its p_d/p.
        let [x, y] = [log[1] - log[0], log[2] - log[0]].map(|d| (2.0 * beta * p * d.exp_m1() / (STEP * STEP), d.exp()));
        [-reward - x.0 - y.0, x.0 * x.1, y.0 * y.1].map(|s| scale * s)
    };
    let mut slopes: Vec<f64> = logs.chunks_exact(3).zip(rewards).flat_map(slope).collect();
    let mean = slopes.iter().sum::<f64>() * scale;
    slopes.iter_mut().step_by(3).for_each(|s| *s -= mean);
    slopes
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
