//! The network that solves the equation at the points it is given.

use eddy_nets::{Activation, Adam, AdamSettings, Architecture, Engine, JetSpec, NetError, Network};

use crate::labs::walls::{Layer, bumps};

/// -Δu = f on [-1, 1]² with u = Σ exp(-s|x - c|²), zero on the boundary to rounding.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub centres: Vec<[f64; 2]>,
    pub sharpness: f64,
}

const SIDE: (f64, f64) = (-1.0, 1.0);

impl Problem {
    fn peaks(&self, x: f64, y: f64) -> impl Iterator<Item = (f64, f64)> {
        let s = self.sharpness;
        self.centres.iter().map(move |c| {
            let square = s * ((x - c[0]).powi(2) + (y - c[1]).powi(2));
            (square, (-square).exp())
        })
    }
    pub fn exact(&self, x: f64, y: f64) -> f64 {
        self.peaks(x, y).map(|(_, e)| e).sum()
    }
    pub fn source(&self, x: f64, y: f64) -> f64 {
        self.peaks(x, y).map(|(square, e)| 4.0 * self.sharpness * (1.0 - square) * e).sum()
    }
}

/// (1 - x²)(1 - y²), by which the network is multiplied.
fn factor(x: f64, y: f64) -> Layer {
    Layer { lift: [[0.0; 5]; 2], factor: bumps((x, SIDE), (y, SIDE), 1) }
}

pub(super) struct Solver {
    pub problem: Problem,
    pub network: Network<f64>,
    engine: Engine<f64>,
    adam: Adam<f64>,
    pub gradient: Vec<f64>,
    /// Squared residuals at the points of the last loss.
    pub squares: Vec<f64>,
}

impl Solver {
    pub fn new(problem: Problem, hidden: &[usize], seed: u64, settings: AdamSettings) -> Result<Self, NetError> {
        let network = Network::new(Architecture::dense(2, hidden, 1, Activation::Tanh), seed)?;
        let jets = JetSpec::value(2).along(0).along(1).second(0, 0).second(1, 1);
        let count = network.parameters.len();
        Ok(Self {
            engine: Engine::new(&network, &jets)?,
            adam: Adam::new(count, settings),
            gradient: vec![0.0; count],
            squares: Vec::new(),
            network,
            problem,
        })
    }

    /// Forgets the moments of Adam.
    pub fn restart(&mut self) {
        self.adam = Adam::new(self.gradient.len(), self.adam.settings);
    }

    /// Mean squared residual at `points`. Fills the gradient.
    pub fn loss(&mut self, points: &[f64]) -> f64 {
        let Self { problem, network, engine, gradient, squares, .. } = self;
        let scale = 2.0 / points.len() as f64;
        squares.clear();
        engine.gradient(network, points, gradient, |tile| {
            let mut loss = 0.0;
            for i in 0..tile.len {
                let (x, y) = (tile.input(0)[i], tile.input(1)[i]);
                let layer = factor(x, y);
                let u = layer.apply(0, [0, 1, 2, 3, 4].map(|c| tile.jet(0, c)[i]));
                let r = problem.source(x, y) + u[3] + u[4];
                squares.push(r * r);
                loss += scale * r * r;
                let slope = 2.0 * scale * r;
                for (c, a) in layer.back([0.0, 0.0, 0.0, slope, slope]).into_iter().enumerate() {
                    tile.adjoint(0, c)[i] = a;
                }
            }
            loss
        })
    }

    /// One step of Adam. Returns the loss before it, NaN if its gradient is not finite.
    pub fn step(&mut self, points: &[f64]) -> f64 {
        let loss = self.loss(points);
        let norm = self.adam.step(&mut self.network.parameters, &mut self.gradient);
        if norm.is_finite() { loss } else { f64::NAN }
    }

    /// Solution and residual f + Δu at `points`.
    pub fn look(&mut self, points: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let count = points.len() / 2;
        let (mut values, mut residuals) = (Vec::with_capacity(count), Vec::with_capacity(count));
        self.look_into(points, &mut values, &mut residuals);
        (values, residuals)
    }

    /// The same into memory that is there: what is made and dropped again and again ends in pieces.
    pub fn look_into(&mut self, points: &[f64], values: &mut Vec<f64>, residuals: &mut Vec<f64>) {
        values.clear();
        residuals.clear();
        let problem = &self.problem;
        self.engine.evaluate(&self.network, points, |tile| {
            for i in 0..tile.len {
                let (x, y) = (tile.input(0)[i], tile.input(1)[i]);
                let u = factor(x, y).apply(0, [0, 1, 2, 3, 4].map(|c| tile.jet(0, c)[i]));
                values.push(u[0]);
                residuals.push(problem.source(x, y) + u[3] + u[4]);
            }
        });
    }
}
