//! A typed system solved by a network: the residuals of the equations, as typed, are driven to zero.
//!
//! The equations give the residual and its derivatives ([`eddy_expr::Residuals`]); the network gives the derivatives of the
//! candidate; the same system gives the reference. Conditions at the sides, and measured values where coefficients are to be
//! found from them, are further terms of the loss.

mod amplitude;
mod architecture;
mod balance;
mod built_in;
mod candidate;
mod checks;
mod collocation;
mod curriculum;
mod device;
mod given;
mod inside;
mod integrals;
mod jax;
mod joints;
mod march;
mod newton;
mod pictures;
mod points;
mod presets;
mod reads;
mod reference;
mod remarks;
mod scale;
mod sides;
mod spectra;
mod start;
mod terms;
mod training;

use eddy_expr::{BlockKernel, Read, ResidualError, Residuals, ir::Id};
use eddy_nets::graph::{Derivatives, Graph, GraphEngine, NormalEquations};
use eddy_solve::Statement;
use eddy_spec::{EddyError, Metric, ViewData};

use amplitude::Known;
pub use architecture::{Architecture, Kind};
pub use balance::Balance;
use candidate::Candidate;
use collocation::Steady;
use curriculum::Curriculum;
pub use device::start_on_gpu;
pub use given::guesses;
use given::{check_measured, free_fields, measured};
use inside::Single;
use integrals::Integrals;
use joints::Joints;
use march::March;
use points::put_parameters;
pub use presets::{network_end, network_preset};
use reads::{Sources, sources};
use reference::Reference;
use sides::Sides;
use spectra::Insight;
use training::METRICS;
pub use training::{Data, Training};

use super::Conditioned;
use crate::{
    Precision,
    labs::pinn::{Descent, Objective, Slices, Weigher, refused},
};

/// Slices in time.
const SLICES: usize = 32;

/// The loss of a typed system.
pub struct TypedNetwork {
    statement: Statement,
    training: Training,
    candidate: Candidate,
    reference: Reference,
    residuals: Residuals,
    kernel: BlockKernel<f64>,
    engine: GraphEngine<f64>,
    /// The same in single precision, where the gradient inside is taken so.
    single: Option<Single>,
    /// By read: output and component of the network's derivatives; none for the time.
    sources: Sources,
    /// What is added to each read, [read][point].
    bases: Vec<Vec<f64>>,
    /// Factor of each residual ([`scale::factors`]).
    scales: Vec<f64>,
    /// [point][input]
    points: Vec<f64>,
    weigher: Weigher,
    sides: Option<Sides>,
    integrals: Option<Integrals>,
    joints: Option<Joints>,
    /// Left less right of the conditions on integrals, in the system's graph.
    nodes: Vec<Id>,
    values: GraphEngine<f64>,
    data: Measurements,
    sought: Vec<Sought>,
    side_loss: f64,
    integral_loss: f64,
    joint_loss: f64,
    data_loss: f64,
    /// Sums of these, of the size of the reference, solve an eigenproblem as well as the reference.
    space: Vec<Vec<Vec<f64>>>,
    /// Whether numbers that are looked for stay where they are.
    is_held: bool,
    /// Whether they were at the start.
    begins_held: bool,
    side_weight: f64,
    data_weight: f64,
    /// Whether the loss must stay one function.
    is_fixed: bool,
    insight: Insight,
    /// By output, at the points of the reference, as last measured.
    solution: Vec<Vec<f64>>,
    march: March,
    curriculum: Curriculum,
    /// By output: what its equation leaves at the points of the reference, as last drawn.
    left: Vec<Vec<f64>>,
    /// Squared residual at each point of the last step.
    squares: Vec<f64>,
    /// What each of them counts, where the loss is taken as a sum of squares.
    factors: Vec<f64>,
    /// The step, and the sought coefficients at it: numbers, then the means of fields.
    history: Vec<(f64, Vec<f64>)>,
    step: u64,
    remarks: Vec<EddyError>,
}

/// A coefficient to be found.
struct Sought {
    parameter: usize,
    /// Where it is among the trained numbers, and the factor of that number.
    at: usize,
    scale: f64,
}

#[derive(Default)]
struct Measurements {
    points: Vec<f64>,
    /// By output.
    values: Vec<Vec<f64>>,
    bases: Vec<Vec<f64>>,
}

impl TypedNetwork {
    /// What a run records.
    pub const METRICS: &'static [Metric] = METRICS;

    /// A network for a statement, and for conditions on integrals beside it. An error names the text of the form that it is
    /// about.
    pub fn new(
        statement: Statement,
        conditioned: Option<Conditioned>,
        mut training: Training,
    ) -> Result<Self, EddyError> {
        // The solver knows what the network has to find.
        let truth = statement.clone();
        let is_nonlinear = statement.problem.is_nonlinear;
        let (mut statement, nodes) = match conditioned {
            Some(Conditioned { statement, nodes }) => (statement, nodes),
            None => (statement, Vec::new()),
        };
        if training.architecture.harmonics == 0 {
            training.architecture.harmonics = training.architecture.harmonics_of(&statement);
        }
        checks::check_time(&statement)?;
        let mut march = March::new(&mut statement, training.windows, training.causality);
        let free = free_fields(&mut statement, &training.sought)?;
        check_measured(&statement, &training)?;
        let (architecture, knows_start) = (training.architecture, training.knows_start);
        let mut guessed = statement.clone();
        for (name, guess) in &training.sought {
            if let Some(parameter) = statement.system.parameter(name) {
                guessed.parameters[usize::from(parameter)] = *guess;
            }
        }
        let asked = statement.system.clone().conditions(&nodes, &[]).ok();
        let norm = asked.and_then(|conditions| amplitude::asked_for(&guessed, &conditions));
        let known = Known { statement: &guessed, end: truth.end, builds_sides: training.builds_sides, norm };
        let mut candidate = Candidate::new(&statement, architecture, &free, knows_start, &known)?;
        let curriculum = Curriculum::new(&statement, &training)?;
        let mut sought = Vec::new();
        let mut asked = Vec::new();
        for (name, guess) in &training.sought {
            let Some(parameter) = statement.system.parameter(name) else { continue };
            asked.push(parameter);
            let scale = if *guess == 0.0 { 1.0 } else { guess.abs() };
            let at = candidate.graph.scalar(guess / scale);
            sought.push(Sought { parameter: usize::from(parameter), at, scale });
        }
        let residuals = statement.system.residuals(&asked).map_err(|e| match e {
            ResidualError::Kernel(e) => {
                EddyError::start(format!("The equations cannot be compiled: {e}.")).at("equations")
            }
            e => EddyError::start(format!("A network cannot be trained on this: {e}.")).at("equations"),
        })?;
        let conditions = match nodes.is_empty() {
            true => None,
            false => Some(statement.system.conditions(&nodes, &asked).map_err(|e| {
                EddyError::start(format!("These conditions cannot be trained on: {e}.")).at("integrals")
            })?),
        };
        let integrands = conditions.as_ref().map(|c| &c.integrands);
        let heard = || [Some(&residuals), integrands].into_iter().flatten();
        let unheard = |name: &str| {
            let message = format!("{name} does not stand in the equations, so nothing can be learnt of it.");
            EddyError::start(message).at("sought")
        };
        let is_asked = |k: usize| {
            let outer = conditions.iter().flat_map(|c| &c.parameter_slopes);
            heard().flat_map(|r| &r.parameter_slopes).chain(outer).any(|(_, other)| *other == k)
        };
        if let Some(idle) = (0..asked.len()).find(|k| !is_asked(*k)) {
            return Err(unheard(&statement.system.parameters[usize::from(asked[idle])].name));
        }
        let is_read = |field: u16| {
            let mut reads = heard().flat_map(|r| &r.reads);
            reads.any(|r| matches!(r, Read::Jet { variable, .. } if *variable == field))
        };
        if let Some((idle, _)) = free.iter().find(|(field, _)| !is_read(*field)) {
            return Err(unheard(&statement.system.variables[usize::from(*idle)].name));
        }
        checks::check_domain(&statement, &residuals)?;
        checks::check_sides(&statement, &residuals, &candidate)?;
        checks::check_smooth(&statement, &residuals, &candidate)?;
        let remarks = remarks::remarks(&statement, &candidate, knows_start);
        let inputs = candidate.inputs;
        let has_time = candidate.has_time;
        let (derivatives, sources) = sources(&residuals.reads, &statement, &mut candidate)?;
        let integrals = match conditions {
            Some(conditions) => Some(Integrals::new(&guessed, &mut candidate, conditions, training.seed)?),
            None => None,
        };
        let engine = GraphEngine::new(&candidate.graph, &derivatives).map_err(refused)?;
        let single = match training.is_single {
            true => Some(Single::new(&candidate.graph, &derivatives).map_err(refused)?),
            false => None,
        };
        // A later window begins with the velocities at the end of the one before.
        let carries = training.windows > 1 && candidate.outputs.iter().any(|output| output.order == 2);
        let known = if carries {
            let velocity: Vec<usize> = (0..inputs).map(|i| usize::from(i + 1 == inputs)).collect();
            Derivatives::new(inputs, &[&velocity])
        } else {
            Derivatives::all(inputs, 0)
        };
        let values = GraphEngine::new(&candidate.graph, &known.map_err(refused)?).map_err(refused)?;
        let length = statement.end - statement.start;
        let guesses: Vec<(usize, f64)> = (training.sought.iter())
            .filter_map(|(name, guess)| Some((usize::from(statement.system.parameter(name)?), *guess)))
            .collect();
        let of_terms = scale::size_of_terms(&statement, &residuals, &guesses, &free);
        let scales = scale::factors(&statement, &candidate, &residuals, &of_terms);
        let slices = match has_time {
            true => Slices { count: SLICES, points: training.points.div_ceil(SLICES).max(1), end: length },
            false => Slices { count: 1, points: training.points.max(1), end: 1.0 },
        };
        let sides = Sides::new(&statement, &mut candidate, training.side_points, training.seed)?;
        let (kind, points) = (training.architecture.kind, training.side_points);
        let joints = Joints::new(&statement, &candidate, &residuals, kind, points, training.seed)?;
        let problem = Steady {
            statement: &statement,
            candidate: &candidate,
            residuals: &residuals,
            sides: sides.as_ref(),
            conditions: integrals.as_ref().map(|i| &i.conditions),
            numbers: sought.iter().enumerate().map(|(p, one)| (one.parameter, p, training.sought[p].1)).collect(),
        };
        let (reference, space, eigenvalues) =
            given::reference(&truth, is_nonlinear, problem, &free, training.data.points > 0)?;
        checks::check_start(&statement, &reference)?;
        let is_eigen = !eigenvalues.is_empty();
        for (one, value) in sought.iter().zip(eigenvalues) {
            statement.parameters[one.parameter] = value;
        }
        march.check(&candidate, &reference, !training.sought.is_empty())?;
        march.look(&statement, &candidate, &reference);
        let sides = sides.and_then(|sides| sides.without_built_in(&candidate));
        // What is not reached yet stands where it began.
        let solution = (0..candidate.outputs.len()).map(|o| candidate.base(o, [0; 3], 0, &reference.points)).collect();
        let is_measured = !training.sought.is_empty() && !is_eigen && training.data.points > 0;
        if !training.sought.is_empty() && !is_eigen && !is_measured && integrals.is_none() {
            let message = "Nothing says what the coefficients are: give measured points, or conditions on integrals.";
            return Err(EddyError::start(message).at("measured").repaired_by("measured", "200"));
        }
        let data = if is_measured { measured(&candidate, &reference, &training) } else { Measurements::default() };
        Ok(Self {
            kernel: BlockKernel::new(residuals.program.clone()),
            bases: vec![Vec::new(); residuals.reads.len()],
            points: Vec::new(),
            weigher: Weigher::new(slices),
            side_loss: f64::NAN,
            integral_loss: f64::NAN,
            joint_loss: f64::NAN,
            data_loss: f64::NAN,
            space,
            is_held: is_eigen && training.hold > 0,
            begins_held: is_eigen && training.hold > 0,
            side_weight: training.side_weight,
            data_weight: training.data.weight,
            remarks,
            is_fixed: false,
            left: reference.values.iter().map(|values| vec![0.0; values.len()]).collect(),
            insight: Insight::default(),
            solution,
            history: Vec::new(),
            squares: Vec::new(),
            factors: Vec::new(),
            step: 0,
            statement,
            training,
            candidate,
            reference,
            residuals,
            engine,
            single,
            sources,
            scales,
            sides,
            integrals,
            joints,
            nodes,
            values,
            data,
            sought,
            march,
            curriculum,
        })
    }

    /// The parameters of the system, the sought ones and those of a curriculum at their present values.
    fn coefficients(&self, parameters: &[f64]) -> Vec<f64> {
        let mut values = self.statement.parameters.clone();
        self.curriculum.put(&mut values);
        for one in &self.sought {
            values[one.parameter] = one.scale * parameters[one.at];
        }
        values
    }

    /// Gives the residuals the present coefficients.
    fn put_coefficients(&mut self, parameters: &[f64]) {
        let coefficients = self.coefficients(parameters);
        put_parameters(&mut self.kernel, &coefficients);
    }

    fn draw_all(&mut self, step: u64) {
        self.draw_inside(step);
        if self.training.balance == Balance::Fixed {
            self.data_weight = self.training.data.weight_at(step);
        }
        if let Some(sides) = &mut self.sides {
            sides.draw(&self.statement, &self.candidate, self.march.offset(), step);
        }
        if let Some(integrals) = &mut self.integrals {
            integrals.draw(&self.statement, &self.candidate, self.march.offset(), step);
        }
        if let Some(joints) = &mut self.joints {
            joints.draw(&self.statement, &self.candidate, step);
        }
    }

    fn count_step(&mut self) {
        self.step += 1;
        if self.step > self.training.hold {
            self.let_go();
        }
    }

    /// Lets eigenvalues go from their first guesses; false where none is held.
    fn let_go(&mut self) -> bool {
        std::mem::take(&mut self.is_held)
    }

    /// The outputs that are coefficients to be found.
    fn free(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.candidate.outputs.len()).filter(|o| self.candidate.outputs[*o].guess.is_some())
    }

    /// Fields that the equations leave free by a constant: elliptic ones without a condition on the value.
    fn is_floating(&self, index: usize) -> bool {
        let output = &self.candidate.outputs[index];
        output.order == 0
            && output.guess.is_none()
            && (self.integrals.is_none() || self.candidate.has_time)
            && self.candidate.built_in(index).is_nothing()
            && !self.sides.as_ref().is_some_and(|sides| sides.fixes(output.variable))
    }
}

/// All values that are known.
fn solution_of(solution: &[Vec<f64>], reached: usize) -> impl Iterator<Item = &f64> {
    solution.iter().flat_map(move |values| &values[..reached])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Norm of a gradient, or of what was added to an earlier one.
fn distance(gradient: &[f64], before: Option<&Vec<f64>>) -> f64 {
    let square = match before {
        None => gradient.iter().map(|g| g * g).sum::<f64>(),
        Some(before) => gradient.iter().zip(before).map(|(a, b)| (a - b) * (a - b)).sum(),
    };
    square.sqrt()
}

impl Objective for TypedNetwork {
    fn script(&self, descent: &Descent) -> Option<Result<String, EddyError>> {
        Some(self.jax(descent))
    }
    fn remarks(&self) -> Vec<EddyError> {
        self.remarks.clone()
    }
    fn graph(&self) -> &Graph {
        &self.candidate.graph
    }
    fn extras(&self) -> &'static [Metric] {
        &METRICS[3..]
    }
    fn precision(&self) -> Precision {
        if self.single.is_some() { Precision::F32 } else { Precision::F64 }
    }
    fn draw(&mut self, step: u64) {
        self.curriculum.follow(self.step);
        if self.points.is_empty() || self.training.is_resampled {
            self.draw_all(step);
        }
    }
    fn windows(&self) -> u64 {
        self.march.windows as u64
    }
    fn next_window(&mut self, parameters: &[f64]) {
        self.is_fixed = false;
        // With the coefficients that this window came to.
        self.look_everywhere(parameters);
        self.curriculum.begin(self.step);
        self.march_on(parameters);
    }
    fn points(&self) -> usize {
        self.points.len() / self.candidate.inputs
    }
    fn undefined(&mut self, parameters: &[f64]) -> Option<(String, String)> {
        self.undefined_at(parameters)
    }
    fn release(&mut self) -> bool {
        let is_held = self.let_go();
        self.curriculum.end() || is_held
    }
    fn is_moving(&self) -> bool {
        self.curriculum.is_moving()
    }
    fn fix(&mut self) {
        self.is_fixed = true;
        self.let_go();
        self.curriculum.end();
        self.training.causality = 0.0;
    }
    fn gradient(&mut self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.count_step();
        gradient.fill(0.0);
        let mut loss = self.inside(parameters, gradient);
        let mut before = std::mem::take(&mut self.insight.before);
        self.insight.norms = [distance(gradient, None), 0.0, 0.0, 0.0, 0.0];
        if let Some(sides) = &mut self.sides {
            gradient.clone_into(&mut before);
            self.side_loss = sides.add_gradient(parameters, self.side_weight, gradient);
            loss += self.side_weight * self.side_loss;
            self.insight.norms[1] = distance(gradient, Some(&before));
        }
        if !self.data.points.is_empty() {
            gradient.clone_into(&mut before);
            let own = self.at_measurements(parameters, gradient);
            self.data_loss = own / self.data_weight;
            loss += own;
            self.insight.norms[2] = distance(gradient, Some(&before));
        }
        if self.integrals.is_some() {
            gradient.clone_into(&mut before);
            loss += self.at_integrals(parameters, gradient);
            self.insight.norms[3] = distance(gradient, Some(&before));
        }
        if let Some(joints) = &mut self.joints {
            gradient.clone_into(&mut before);
            self.joint_loss = joints.add_gradient(parameters, self.training.joint_weight, gradient);
            loss += self.training.joint_weight * self.joint_loss;
            self.insight.norms[4] = distance(gradient, Some(&before));
        }
        self.insight.before = before;
        self.balance(parameters);
        loss
    }
    fn linearize(&mut self, parameters: &[f64], equations: &mut NormalEquations) {
        self.linearize(parameters, equations);
    }
    fn loss_there(&mut self, parameters: &[f64]) -> f64 {
        self.loss_there(parameters)
    }
    fn measure(&mut self, parameters: &[f64]) -> Vec<f64> {
        let outputs = self.candidate.outputs.len();
        let mut solution = std::mem::take(&mut self.solution);
        let per = self.reference.per_time();
        let (first, reached) = (self.march.rows.start * per, self.march.rows.end * per);
        for (values, bases) in solution.iter_mut().zip(&self.march.bases) {
            values[first..reached].copy_from_slice(bases);
        }
        self.values.evaluate(parameters, &self.march.probes, |tile| {
            for (o, values) in solution.iter_mut().enumerate() {
                let there = &mut values[first + tile.start..][..tile.len];
                there.iter_mut().zip(tile.jet(o, 0)).for_each(|(v, j)| *v += j);
            }
        });
        if !self.space.is_empty() {
            self.reference.values = collocation::nearest(&self.space, &solution, &self.reference.values);
        }
        let (mut squares, mut counted, mut worst) = (0.0, 0.0, f64::NAN);
        for o in 0..outputs {
            let reference = &self.reference.values[o][..reached];
            if self.is_floating(o) {
                for (own, theirs) in solution[o][first..reached].chunks_mut(per).zip(reference[first..].chunks(per)) {
                    let shift = (theirs.iter().sum::<f64>() - own.iter().sum::<f64>()) / per as f64;
                    own.iter_mut().for_each(|v| *v += shift);
                }
            }
            // Of a field that is zero throughout there is no relative error.
            if self.reference.sizes[o] > 0.0 && self.candidate.outputs[o].guess.is_some() {
                worst = f64::max(worst, crate::labs::pinn::relative_error(&solution[o][..reached], reference));
            } else if self.reference.sizes[o] > 0.0 {
                squares += crate::labs::pinn::relative_error(&solution[o][..reached], reference).powi(2);
                counted += 1.0;
            }
        }
        self.solution = solution;
        self.insight.measured(self.step, parameters);
        let coefficients = self.coefficients(parameters);
        let gap = |one: &Sought| {
            let truth = self.statement.parameters[one.parameter];
            (coefficients[one.parameter] - truth).abs() / if truth == 0.0 { 1.0 } else { truth.abs() }
        };
        let worst = self.sought.iter().map(gap).fold(worst, f64::max);
        if !self.training.sought.is_empty() {
            let numbers = self.sought.iter().map(|one| coefficients[one.parameter]);
            let found = numbers.chain(self.free().map(|o| mean(&self.solution[o]))).collect();
            self.history.push((self.step as f64, found));
        }
        let weight = if self.sides.is_some() { self.side_weight } else { f64::NAN };
        let error = if counted > 0.0 {
            (squares / counted).sqrt()
        } else {
            // Of zero there is no relative error.
            let all = || solution_of(&self.solution, reached);
            (all().map(|v| v * v).sum::<f64>() / all().count().max(1) as f64).sqrt()
        };
        vec![
            error,
            self.weigher.mean(),
            self.side_loss,
            worst,
            weight,
            self.integral_loss,
            self.data_loss,
            self.joint_loss,
        ]
    }
    fn view(&mut self, key: &str) -> ViewData {
        self.picture(key)
    }
}

#[cfg(test)]
mod built_in_tests;
#[cfg(test)]
mod march_tests;
#[cfg(test)]
mod steady_tests;
#[cfg(test)]
mod tests;
