//! The steps whose speed is tracked, natively and in a browser.

use web_time::Instant;

use crate::{
    Activation, Adam, AdamSettings, Architecture, Engine, JetSpec, NetError, Network, Real,
    graph::{Derivatives, Function, Graph, GraphEngine},
    uniform,
};

/// Seconds per training step of a tanh network with these hidden layers on viscous Burgers' equation in (t, x), Adam, f32. The
/// derivatives that the residual has only in u_t − ν u_xx are carried as one.
pub fn pinn_step(hidden: &[usize], points: usize, iterations: usize) -> Result<f64, NetError> {
    let nu = 0.01 / std::f32::consts::PI;
    let jets = JetSpec::value(2).along(1).operator(&[1.0, 0.0], &[(0, 0, -f64::from(nu))]);
    let mut bench = Bench::<f32>::new(hidden, &jets, points)?;
    Ok(bench.time(iterations, |tile, scale| {
        let [u, ux, rest] = [0, 1, 2].map(|c| tile.jet(0, c));
        let mut loss = 0.0;
        for i in 0..tile.len {
            let r = rest[i] + u[i] * ux[i];
            let s = 2.0 * scale * r;
            loss += r * r;
            tile.adjoint(0, 0)[i] = s * ux[i];
            tile.adjoint(0, 1)[i] = s * u[i];
            tile.adjoint(0, 2)[i] = s;
        }
        f64::from(loss * scale)
    }))
}

/// The same step with u, u_t, u_x and u_xx each by itself.
pub fn pinn_step_apart(hidden: &[usize], points: usize, iterations: usize) -> Result<f64, NetError> {
    let jets = JetSpec::value(2).along(0).along(1).second(1, 1);
    let mut bench = Bench::<f32>::new(hidden, &jets, points)?;
    let nu = 0.01 / std::f32::consts::PI;
    Ok(bench.time(iterations, |tile, scale| {
        let [u, ut, ux, uxx] = [0, 1, 2, 3].map(|c| tile.jet(0, c));
        let mut loss = 0.0;
        for i in 0..tile.len {
            let r = ut[i] + u[i] * ux[i] - nu * uxx[i];
            let s = 2.0 * scale * r;
            loss += r * r;
            tile.adjoint(0, 0)[i] = s * ux[i];
            tile.adjoint(0, 1)[i] = s;
            tile.adjoint(0, 2)[i] = s * u[i];
            tile.adjoint(0, 3)[i] = -s * nu;
        }
        f64::from(loss * scale)
    }))
}

/// The same step, each by itself, through a graph: as typed equations are trained, in f32 or f64.
pub fn pinn_step_graph<T: Real>(hidden: &[usize], points: usize, iterations: usize) -> Result<f64, NetError> {
    let mut graph = Graph::new(2);
    let coordinates = graph.coordinates();
    graph.mlp(coordinates, hidden, 1, Function::Tanh);
    let derivatives = Derivatives::new(2, &[&[1, 0], &[0, 2]])?;
    let all = [[0, 0], [1, 0], [0, 1], [0, 2]].map(|orders| derivatives.component(&orders).unwrap_or(0));
    let mut engine = GraphEngine::<T>::new(&graph, &derivatives)?;
    let mut parameters = graph.start::<T>(1)?;
    let mut gradient = vec![T::ZERO; parameters.len()];
    let mut adam = Adam::new(parameters.len(), AdamSettings::default());
    let points = pinn_points::<T>(points);
    let (nu, scale) = (T::from_f64(0.01 / std::f64::consts::PI), T::from_f64(4.0 / points.len() as f64));
    Ok(timed(iterations, || {
        gradient.fill(T::ZERO);
        engine.add_gradient(&parameters, &points, &mut gradient, |tile| {
            let [u, ut, ux, uxx] = all.map(|c| tile.jet(0, c));
            for i in 0..tile.len {
                let s = scale * (ut[i] + u[i] * ux[i] - nu * uxx[i]);
                for (c, slope) in all.into_iter().zip([ux[i], T::ONE, u[i], -nu]) {
                    tile.adjoint(0, c)[i] = s * slope;
                }
            }
            0.0
        });
        adam.step(&mut parameters, &mut gradient);
    }))
}

fn pinn_points<T: Real>(count: usize) -> Vec<T> {
    (0..2 * count.max(1)).map(|i| T::from_f64(2.0 * uniform(7, i as u64) - 1.0)).collect()
}

/// Seconds per step over so many steps after one to warm up.
fn timed(iterations: usize, mut step: impl FnMut()) -> f64 {
    step();
    let begun = Instant::now();
    (0..iterations).for_each(|_| step());
    begun.elapsed().as_secs_f64() / iterations.max(1) as f64
}

/// Seconds per training step of a 2-64-64-1 tanh network fitted to a function, Adam, f32.
pub fn value_step(batch: usize, iterations: usize) -> Result<f64, NetError> {
    let mut bench = Bench::<f32>::new(&[64; 2], &JetSpec::value(2), batch)?;
    Ok(bench.time(iterations, |tile, scale| {
        let u = tile.jet(0, 0);
        let mut loss = 0.0;
        for i in 0..tile.len {
            let r = u[i] - tile.input(0)[i] * tile.input(1)[i];
            loss += r * r;
            tile.adjoint(0, 0)[i] = 2.0 * scale * r;
        }
        f64::from(loss * scale)
    }))
}

struct Bench<T> {
    network: Network<T>,
    engine: Engine<T>,
    adam: Adam<T>,
    points: Vec<T>,
    gradient: Vec<T>,
}

impl<T: Real> Bench<T> {
    fn new(hidden: &[usize], jets: &JetSpec, points: usize) -> Result<Self, NetError> {
        let network = Network::<T>::new(Architecture::dense(2, hidden, 1, Activation::Tanh), 1)?;
        let count = network.parameters.len();
        Ok(Self {
            engine: Engine::new(&network, jets)?,
            adam: Adam::new(count, AdamSettings::default()),
            points: pinn_points(points),
            gradient: vec![T::ZERO; count],
            network,
        })
    }

    /// Seconds per step over `iterations` steps after one to warm up. `loss` also gets 1/points.
    fn time(&mut self, iterations: usize, loss: impl Fn(&mut crate::Tile<'_, T>, T) -> f64) -> f64 {
        let scale = T::from_f64(2.0 / self.points.len() as f64);
        timed(iterations, || {
            self.engine.gradient(&self.network, &self.points, &mut self.gradient, |tile| loss(tile, scale));
            self.adam.step(&mut self.network.parameters, &mut self.gradient);
        })
    }
}
