//! Training of a typed network on the GPU: the residual as typed becomes a function of the shader.
//!
//! What is trained there: one real field in time and along one axis, or one of them, in derivatives (u, u_t, u_x, u_xx), by Adam
//! on plain networks. Everything else is refused where it is set, with what to do.

use eddy_expr::{
    lower::wgsl_point::{Place, places_in_jet, residual_function},
    program::UniformInput,
};
use eddy_gpu::Gpu;
use eddy_nets::{
    Activation, AdamSettings, Real, Rule,
    gpu::{Dense, LineTask, LineTrainer, Residual, TypedResidual},
    graph::{Derivatives, Graph, GraphEngine},
};
use eddy_spec::{EddyError, Outcome, ViewData};

use super::{Balance, Kind, TypedNetwork, mean, sides::Sides};
use crate::{
    Record, Run,
    labs::pinn::{
        Descent, DeviceRun, Followed, Gradient, Method, Objective, POOL, Reached, divergence_at_rate, refused,
        refused_on_gpu,
    },
    weights::{Tensor, tensors},
};

/// Most units of a layer on the device.
const MOST_UNITS: usize = 64;

/// What goes to the device.
struct Plan {
    function: String,
    uniforms: Vec<f32>,
    /// Inputs of the first derivative and of the other two.
    inputs: [Option<usize>; 2],
    places: Vec<Place>,
    gradient: Gradient,
}

/// A run of the network on the device.
///
/// # Errors
/// What cannot be trained there, at the setting that asks for it.
pub fn start_on_gpu(mut network: TypedNetwork, descent: Descent, gpu: &Gpu) -> Result<Box<dyn Run>, EddyError> {
    let plan = network.plan(&descent)?;
    let graph = network.graph().clone();
    let parameters: Vec<f64> = graph.start(u64::from(descent.seed)).map_err(refused)?;
    let pool = Pool::new(&mut network, &plan)?;
    let batch = network.points() + network.sides.as_ref().map_or(0, Sides::points);
    let architecture = network.training.architecture;
    let single: Vec<f32> = parameters.iter().map(|p| *p as f32).collect();
    let dense = Dense {
        width: architecture.width,
        layers: architecture.layers,
        activation: if architecture.kind == Kind::Plain { Activation::Tanh } else { Activation::Sin },
        features: &pool.features,
        feature_count: pool.features.len() / pool.places.len(),
        parameters: &single,
    };
    let task = LineTask {
        residual: Residual::Typed(TypedResidual {
            function: &plan.function,
            uniforms: &plan.uniforms,
            places: &pool.places,
            scale: network.scales[0] as f32,
            inside: network.points(),
            conditions: &pool.conditions,
            side_weight: network.training.side_weight as f32,
        }),
        points: pool.places.as_flattened(),
        envelopes: &pool.envelopes,
        batch,
        adam: AdamSettings { schedule: plan.gradient.schedule(descent.steps), ..AdamSettings::default() },
        steps: descent.steps,
    };
    let trainer = LineTrainer::with(gpu, &dense, &task).map_err(refused_on_gpu)?;
    network.draw(0);
    network.measure(&parameters);
    let record = Record::of(TypedNetwork::METRICS);
    let counts = [descent.steps, descent.record_every];
    let typed = Typed { network, descent, rate: plan.gradient.rate, parameters };
    Ok(Box::new(DeviceRun::new(gpu, trainer, typed, counts, record)))
}

impl TypedNetwork {
    /// What goes to the device, or why nothing can.
    fn plan(&self, descent: &Descent) -> Result<Plan, EddyError> {
        let training = &self.training;
        let refuse =
            |key: &str, what: &str| EddyError::start(format!("{what} Or switch the device to the CPU.")).at(key);
        let Method::FirstOrder(gradient @ Gradient { rule: Rule::Adam, .. }) = descent.method else {
            let what = "On the GPU networks are trained by Adam. Take Adam.";
            return Err(refuse("optimizer", what).repaired_by("optimizer", "adam"));
        };
        if !matches!(training.architecture.kind, Kind::Plain | Kind::Sines { .. }) {
            let what = "On the GPU networks are plain, or of sines. Take a plain one.";
            return Err(refuse("network", what).repaired_by("network", "plain"));
        }
        if training.architecture.width > MOST_UNITS {
            let what = format!("On the GPU layers have {MOST_UNITS} units at most. Make them narrower.");
            return Err(refuse("width", &what).repaired_by("width", MOST_UNITS.to_string()));
        }
        if training.windows > 1 {
            return Err(refuse("windows", "On the GPU there is one window in time.").repaired_by("windows", "1"));
        }
        if training.causality > 0.0 {
            let what = "On the GPU all times count alike: set the strictness to 0.";
            return Err(refuse("causality", what).repaired_by("causality", "0"));
        }
        if training.is_adaptive {
            let what = "On the GPU points are drawn once, and evenly.";
            return Err(refuse("sampling", what).repaired_by("sampling", "uniform"));
        }
        if !training.curriculum.is_empty() {
            return Err(refuse("curriculum", "On the GPU coefficients stay as they are.").repaired_by("curriculum", ""));
        }
        if !training.sought.is_empty() {
            return Err(refuse("sought", "On the GPU no coefficients are looked for."));
        }
        if self.integrals.is_some() {
            return Err(refuse("integrals", "On the GPU there are no conditions on integrals."));
        }
        if let Some(sides) = &self.sides {
            if training.balance != Balance::Fixed {
                return Err(refuse("weights", "On the GPU weights are as given.").repaired_by("weights", "fixed"));
            }
            if sides.held().iter().any(|one| one.factors()[3] != 0.0) {
                return Err(refuse("boundary", "On the GPU conditions weigh u, its slope and its second derivative."));
            }
        }
        let (axes, has_time) = (self.statement.grid.dimension(), self.candidate.has_time);
        let one_field = "On the GPU one real field is trained, in time and along one axis, from u, u_t, u_x and u_xx.";
        let inputs = match (axes, has_time) {
            (1, true) => [Some(1), Some(0)],
            (1, false) | (0, true) => [None, Some(0)],
            _ => return Err(refuse("equations", one_field)),
        };
        if self.candidate.outputs.len() != 1 || self.residuals.fields.len() != 1 {
            return Err(refuse("equations", one_field));
        }
        let places =
            places_in_jet(&self.residuals, axes, has_time, inputs).ok_or_else(|| refuse("equations", one_field))?;
        let function = residual_function(&self.residuals, &places)
            .map_err(|e| refuse("equations", &format!("On the GPU {e}.")))?;
        let parameters = &self.statement.parameters;
        let uniforms = self.residuals.program.uniform_values(|input| match input {
            UniformInput::Parameter(k) => parameters.get(usize::from(k)).copied().unwrap_or(f64::NAN),
            _ => f64::NAN,
        });
        let uniforms: Vec<f32> = uniforms.iter().map(|u| *u as f32).collect();
        if uniforms.iter().any(|u| !u.is_finite()) {
            let what = "On the GPU numbers end at 3.4e38, and a coefficient lies beyond. Rescale the equations.";
            return Err(refuse("equations", what));
        }
        Ok(Plan { function, uniforms, inputs, places, gradient })
    }
}

/// All points that the device trains on, with everything there that is not the network's.
struct Pool {
    /// (x, t), [batch][point]
    places: Vec<[f32; 2]>,
    /// Jets of A and B, [batch][point][2]; at sides without what initial values add to A, which is in the condition.
    envelopes: Vec<[f32; 4]>,
    /// At the sides, [batch][point].
    conditions: Vec<[f32; 4]>,
    /// [batch][point][feature]
    features: Vec<[f32; 4]>,
}

impl Pool {
    fn new(network: &mut TypedNetwork, plan: &Plan) -> Result<Self, EddyError> {
        let inputs = network.candidate.inputs;
        let [first, second] = plan.inputs;
        let order = |input: Option<usize>, order: usize| -> Vec<usize> {
            (0..inputs).map(|i| if input == Some(i) { order } else { 0 }).collect()
        };
        let orders =
            [Some(order(None, 0)), first.map(|_| order(first, 1)), Some(order(second, 1)), Some(order(second, 2))];
        let wanted: Vec<&[usize]> = orders.iter().flatten().map(Vec::as_slice).collect();
        let derivatives = Derivatives::new(inputs, &wanted).map_err(refused)?;
        let components = orders.map(|orders| orders.and_then(|orders| derivatives.component(&orders)));
        let training = &network.training;
        let graphs = network.candidate.frame(&network.statement, training.architecture, training.knows_start);
        let mut engines = Vec::new();
        for graph in &graphs {
            engines.push((GraphEngine::new(graph, &derivatives).map_err(refused)?, graph));
        }
        let mut pool = Self { places: Vec::new(), envelopes: Vec::new(), conditions: Vec::new(), features: Vec::new() };
        for set in 0..POOL {
            network.draw_inside(set);
            let (dimension, inside) = (network.statement.grid.dimension(), network.points());
            let mut points = network.points.clone();
            if let Some(sides) = &mut network.sides {
                sides.draw(&network.statement, &network.candidate, 0.0, set);
                points.extend_from_slice(sides.places());
                pool.conditions.extend(sides.in_order().map(|all| all.map(|c| c as f32)));
            }
            let points = &points;
            let [features, without, with] = &mut engines[..] else { unreachable!("there are three") };
            pool.features.extend(jets_of(features, points, components).iter().map(|jet| jet.map(|v| v as f32)));
            let (zero, one) = (jets_of(without, points, components), jets_of(with, points, components));
            for (i, (point, (zero, one))) in points.chunks_exact(inputs).zip(zero.iter().zip(&one)).enumerate() {
                // By component of the jet what initial values add: two reads may ask for the same.
                let (mut start, mut time) = ([0.0; 4], network.statement.start);
                for (place, base) in plan.places.iter().zip(&network.bases).filter(|_| i < inside) {
                    match place {
                        Place::Jet(component) => start[*component] = base[i],
                        Place::Time => time = base[i],
                    }
                }
                let x = if dimension > 0 { point[0] } else { 0.0 };
                pool.places.push([x as f32, time as f32]);
                pool.envelopes.push([0, 1, 2, 3].map(|c| (start[c] + zero[c]) as f32));
                pool.envelopes.push([0, 1, 2, 3].map(|c| (one[c] - zero[c]) as f32));
            }
        }
        Ok(pool)
    }
}

/// Jets of a graph's units, [point][unit].
fn jets_of<T: Real>(
    (engine, graph): &mut (GraphEngine<T>, &Graph),
    points: &[T],
    components: [Option<usize>; 4],
) -> Vec<[f64; 4]> {
    let units = graph.outputs();
    let mut all = vec![[0.0; 4]; points.len() / graph.inputs() * units];
    engine.evaluate(&[], points, |tile| {
        for unit in 0..units {
            for (c, component) in components.iter().enumerate() {
                let Some(component) = component else { continue };
                for (i, value) in tile.jet(unit, *component).iter().enumerate() {
                    all[(tile.start + i) * units + unit][c] = value.to_f64();
                }
            }
        }
    });
    all
}

/// The network in training there, as last read back.
struct Typed {
    network: TypedNetwork,
    descent: Descent,
    rate: f64,
    parameters: Vec<f64>,
}

impl Followed for Typed {
    fn measure(&mut self, reached: Reached) -> Option<Vec<f64>> {
        let network = &mut self.network;
        let parameters: Vec<f64> = reached.parameters.iter().map(|p| f64::from(*p)).collect();
        // The points of the step that was the last one.
        network.step = reached.step;
        network.draw_inside((reached.step - 1) % POOL);
        network.weigher.begin(0.0);
        network.squares.clear();
        let squares: Vec<f64> = reached.squares.iter().map(|s| f64::from(*s)).collect();
        let (inside, at_sides) = squares.split_at(network.points());
        for (point, square) in inside.iter().enumerate() {
            network.weigher.weigh(point, *square);
            network.squares.push(*square);
        }
        let mut loss = network.weigher.mean();
        if !at_sides.is_empty() {
            network.side_loss = mean(at_sides);
            loss += network.side_weight * network.side_loss;
        }
        let norm = reached.gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        // One number: where sides are terms it is of no term alone.
        let norm = if network.sides.is_some() { 0.0 } else { norm };
        network.insight.norms = [norm, 0.0, 0.0, 0.0, 0.0];
        let measured = network.measure(&parameters);
        if !measured.first().is_some_and(|error| error.is_finite()) {
            network.measure(&self.parameters);
            return None;
        }
        self.parameters = parameters;
        let mut row = vec![measured[0], loss, reached.seconds];
        row.extend_from_slice(&measured[1..]);
        Some(row)
    }
    fn points(&self) -> usize {
        self.network.points()
    }
    fn divergence(&mut self, step: u64) -> Outcome {
        let undefined = if step == 1 { self.network.undefined(&self.parameters) } else { None };
        if let Some((cause, advice)) = undefined {
            return Outcome::Diverged { step, cause, advice, repair: None };
        }
        divergence_at_rate(step, self.rate)
    }
    fn view(&mut self, key: &str) -> ViewData {
        self.network.picture(key)
    }
    fn weights(&self) -> Vec<Tensor> {
        tensors("", &self.network.graph().named(), &self.parameters)
    }
    fn script(&self) -> Option<Result<String, EddyError>> {
        Objective::script(&self.network, &self.descent)
    }
    fn remarks(&self) -> Vec<EddyError> {
        self.network.remarks.clone()
    }
    fn wants_gradient(&self) -> bool {
        true
    }
}
