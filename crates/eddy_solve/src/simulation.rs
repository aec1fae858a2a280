//! A statement in motion.

use eddy_expr::{
    Equation,
    ir::Id,
    kernel::{Part, Source},
};
use serde::Serialize;

use crate::{
    boundary::Side,
    choose::{self, Choice},
    discrete::{Discrete, Values},
    error::SolveError,
    evaluate::Scalar,
    march::{March, Stop},
    observe::{Integrals, Observer, Rough, integral},
    statement::Statement,
};

/// How a run ended, or that it goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    Running,
    Finished,
    /// A value was not finite or beyond all bounds; the state is the last good one.
    Diverged {
        time: f64,
        cause: String,
        advice: String,
    },
    StepLimit {
        time: f64,
        advice: String,
    },
}

/// Largest magnitude that still counts as a state.
pub const BLOW_UP: f64 = 1e12;

/// A run of a statement at one precision.
pub struct Simulation<R: Scalar> {
    pub statement: Statement,
    pub choice: Choice,
    pub time: f64,
    pub outcome: Outcome,
    pub warnings: Vec<String>,
    rough: Rough,
    discrete: Discrete<R>,
    /// Algebraic variables with what gives them.
    algebraic: Option<(Vec<u16>, Observer)>,
    integrals: Integrals,
    march: Box<dyn March<R>>,
    /// The last good one.
    state: Vec<R>,
    /// Room for the one after it.
    next: Vec<R>,
    max_steps: u64,
    /// The initial values as given: the state may hold less than them.
    initial: Option<Vec<(Vec<f64>, Vec<f64>)>>,
}

impl<R: Scalar> Simulation<R> {
    pub fn new(statement: Statement) -> Result<Self, SolveError> {
        let stepped = statement.stepped().len();
        let mut initial = Vec::with_capacity(stepped);
        for position in 0..stepped {
            initial.push(statement.initial(position, &statement.grid)?);
        }
        let values: Vec<(Vec<R>, Vec<R>)> = initial.iter().map(|(re, im)| (rounded(re), rounded(im))).collect();
        let ((mut discrete, march, choice), state) = choose::choose::<R>(&statement, &values)?;
        let mut system = statement.system.clone();
        let lines: Vec<(u16, Id)> = system
            .equations
            .iter()
            .filter_map(|equation| match equation {
                Equation::Algebraic { variable, value, .. } => Some((*variable, *value)),
                _ => None,
            })
            .collect();
        let ids: Vec<(Id, bool)> = lines
            .iter()
            .map(|(variable, value)| (*value, system.variables[usize::from(*variable)].is_complex))
            .collect();
        let algebraic = if ids.is_empty() {
            None
        } else {
            let observer = Observer::new(&mut system, &ids, &statement.grid, &statement)?;
            Some((lines.iter().map(|line| line.0).collect(), observer))
        };
        let integrals = Integrals::new(&mut system, &statement.grid, &statement)?;
        let mut warnings = statement.warnings.clone();
        warnings.extend(choice.warnings.iter().cloned());
        note_imbalance(&statement, &mut discrete, &state, &mut warnings)?;
        Ok(Self {
            time: statement.start,
            outcome: Outcome::Running,
            warnings,
            rough: Rough::default(),
            next: state.clone(),
            state,
            discrete,
            algebraic,
            integrals,
            march,
            choice,
            max_steps: statement.problem.time.max_steps.unwrap_or(100_000_000),
            initial: Some(initial),
            statement,
        })
    }

    pub fn steps(&self) -> (u64, u64) {
        let counts = self.march.counts();
        (counts.accepted, counts.rejected)
    }

    /// The method in time, and the one that took over on the way if one did.
    pub fn method(&self) -> String {
        match self.march.switched() {
            Some(then) => format!("{} → {then}", self.choice.time),
            None => self.choice.time.clone(),
        }
    }

    /// Length of the last step.
    pub fn dt(&self) -> f64 {
        self.march.counts().dt
    }

    /// Steps to `t_end`, or until `go_on` says no (asked after each step). Returns whether `t_end` was reached.
    pub fn advance(&mut self, t_end: f64, mut go_on: impl FnMut() -> bool) -> bool {
        while self.time < t_end && self.outcome == Outcome::Running {
            match self.march.step_into(&mut self.discrete, self.time, t_end, &self.state, &mut self.next) {
                Ok(reached) => {
                    self.discrete.make_real(&mut self.next);
                    let largest = R::largest_magnitude(&self.next);
                    if !(largest <= BLOW_UP) {
                        self.diverge("a value grew beyond all bounds");
                        return false;
                    }
                    self.initial = None;
                    std::mem::swap(&mut self.state, &mut self.next);
                    self.time = reached;
                }
                Err(Stop::StepTooSmall) => {
                    self.diverge("no step is short enough for the tolerance: the solution may become singular here");
                    return false;
                }
                Err(Stop::Failed(why)) => {
                    self.diverge(&why);
                    return false;
                }
            }
            if self.march.counts().accepted >= self.max_steps && self.time < t_end {
                self.outcome = Outcome::StepLimit {
                    time: self.time,
                    advice: format!("{} steps were made; raise time.max_steps or the tolerance", self.max_steps),
                };
                return false;
            }
            if !go_on() {
                break;
            }
        }
        self.time >= t_end
    }

    /// Largest difference to each exact solution that the problem states, over its largest value.
    pub fn errors(&mut self) -> Vec<(String, f64)> {
        if self.statement.exact.is_empty() {
            return Vec::new();
        }
        let values = self.values();
        let statement = &self.statement;
        let mut errors = Vec::new();
        for (variable, exact) in &statement.exact {
            let name = &statement.system.variables[usize::from(*variable)].name;
            let Some(found) = values.iter().find(|values| values.name == *name) else { continue };
            let (re, im) = crate::statement::sample(exact, &statement.grid, self.time, &statement.parameters, &[]);
            let size = re.iter().zip(&im).map(|(a, b)| a.hypot(*b)).fold(f64::MIN_POSITIVE, f64::max);
            let difference = |index: usize| {
                let imaginary = found.im.get(index).copied().unwrap_or(0.0);
                (found.re[index] - re[index]).hypot(imaginary - im[index]) / size
            };
            errors.push((name.clone(), (0..re.len()).map(difference).fold(0.0, f64::max)));
        }
        errors
    }

    fn diverge(&mut self, cause: &str) {
        let advice = match self.choice.fixed_dt {
            Some(dt) => format!("try dt = {:.3e}, half of the present one", 0.5 * dt),
            None => "shorten the run to before this time, or check the equations' signs".into(),
        };
        let cause = self.discrete.failure().unwrap_or(cause).to_string();
        self.outcome = Outcome::Diverged { time: self.time, cause, advice };
    }

    /// Puts values of the stepped variables in place of the present ones, by name; variables that are not named keep theirs.
    /// The method forgets what it kept of earlier steps. A run that had diverged may go on.
    pub fn set_values(&mut self, values: &[Values]) -> Result<(), SolveError> {
        let present = self.values();
        let points = self.statement.grid.points();
        let mut encoded: Vec<(Vec<R>, Vec<R>)> = Vec::new();
        for variable in self.statement.stepped() {
            let variable = &self.statement.system.variables[usize::from(variable)];
            let find = |all: &[Values]| all.iter().position(|one| one.name == variable.name);
            let found = match (find(values), find(&present)) {
                (Some(at), _) => &values[at],
                (None, Some(at)) => &present[at],
                (None, None) => continue,
            };
            let imaginary = if variable.is_complex { points } else { 0 };
            let fits = found.re.len() == points && (found.im.len() == imaginary || found.im.is_empty());
            if !fits || found.re.iter().chain(&found.im).any(|value| !(value.abs() <= BLOW_UP)) {
                return Err(SolveError::value(
                    variable.name.clone(),
                    format!("the new values must be {points} finite numbers of at most {BLOW_UP:e}"),
                ));
            }
            let im = if found.im.is_empty() { vec![R::of(0.0); points] } else { rounded(&found.im) };
            encoded.push((rounded(&found.re), im));
        }
        self.discrete.encode(&encoded, &mut self.state);
        self.rough = Rough::default();
        self.march.reset(&mut self.discrete);
        self.initial = None;
        self.outcome = Outcome::Running;
        Ok(())
    }

    /// The state as the method holds it, to be given back to [`Self::restore`].
    pub fn snapshot(&self) -> Vec<R> {
        self.state.clone()
    }

    /// Goes back, or forth, to a state of this run. The method forgets what it kept of earlier steps; counts go on.
    /// A run that had diverged may go on. A state of another size is ignored, and `false` returned.
    pub fn restore(&mut self, time: f64, state: &[R]) -> bool {
        if state.len() != self.state.len() {
            return false;
        }
        self.state.copy_from_slice(state);
        self.time = time;
        self.march.reset(&mut self.discrete);
        self.initial = None;
        self.outcome = Outcome::Running;
        true
    }

    /// Goes on from the present state and time under another statement of the same fields on the same grid: other parameters,
    /// conditions, or another method. On an error nothing has changed.
    pub fn restate(&mut self, statement: Statement) -> Result<(), SolveError> {
        let same_fields = statement.system.variables == self.statement.system.variables;
        if !same_fields || statement.grid != self.statement.grid {
            return Err(SolveError::value("equations", "only a run of the same fields on the same grid can go on"));
        }
        let (time, values) = (self.time, self.values());
        let mut next = Self::new(statement)?;
        next.time = time;
        next.set_values(&values)?;
        *self = next;
        Ok(())
    }

    /// Values of all variables on the grid at the present time. A field that has become finer than the grid since they were first
    /// asked for is added to the warnings.
    pub fn values(&mut self) -> Vec<Values> {
        let mut all = self.discrete.decode(self.time, &self.state);
        if let Some(initial) = &self.initial {
            for (place, (re, im)) in all.iter_mut().zip(initial) {
                place.1 = rounded(re);
                if !place.2.is_empty() {
                    place.2 = rounded(im);
                }
            }
        }
        if let Some((variables, observer)) = &mut self.algebraic {
            let (grid, parameters) = (&self.statement.grid, &self.statement.parameters);
            let integrals = self.integrals.values(&mut self.discrete, grid, self.time, &self.state, parameters);
            let arrays = observer.arrays(&mut self.discrete, self.time, &self.state);
            let outputs = observer.run(&arrays, self.time, parameters, &integrals);
            for (root, variable) in variables.iter().enumerate() {
                let part = |part: Part| {
                    observer
                        .outputs
                        .iter()
                        .position(|output| output.root == root && output.part == part)
                        .map_or(Vec::new(), |at| rounded(&outputs[at]))
                };
                all.push((*variable, part(Part::Real), part(Part::Imaginary)));
            }
        }
        let system = &self.statement.system;
        let mut values: Vec<Values> = Vec::with_capacity(all.len());
        for (index, variable) in system.variables.iter().enumerate() {
            let found = all.iter().find(|(variable, ..)| usize::from(*variable) == index);
            values.extend(found.map(|(_, re, im)| Values {
                name: variable.name.clone(),
                re: widened(re),
                im: if variable.is_complex { widened(im) } else { Vec::new() },
            }));
        }
        if system.noise_channels == 0 {
            for name in self.rough.look(&self.statement.grid, &values) {
                self.warnings.push(format!(
                    "From t = {:.4} or before, {name} alternates from point to point: it has become finer than the grid, and what \
                     follows is not to be trusted. Use more points or diffusion, or end before.",
                    self.time
                ));
            }
        }
        values
    }
}

/// Where nothing fixes the level of an elliptic field, its source has to balance the slopes at the sides; what is left over
/// was taken off the source, and is worth knowing.
fn note_imbalance<R: Scalar>(
    statement: &Statement,
    discrete: &mut Discrete<R>,
    state: &[R],
    warnings: &mut Vec<String>,
) -> Result<(), SolveError> {
    let mut system = statement.system.clone();
    let lines: Vec<(u16, Id, Id)> = system
        .equations
        .iter()
        .filter_map(|equation| match equation {
            Equation::Elliptic { variable, left, right, .. } => Some((*variable, *left, *right)),
            _ => None,
        })
        .collect();
    for (variable, left, right) in lines {
        let described = &statement.system.variables[usize::from(variable)];
        let is_held = statement.sides[usize::from(variable)].iter().flatten().flatten().any(
            |side| matches!(side, Side::Conditions(all) if all.iter().any(|condition| condition.coefficients[0] != 0.0)),
        );
        if is_held || described.is_complex {
            continue;
        }
        let residual = system.graph.sub(left, right);
        let (grid, parameters) = (&statement.grid, &statement.parameters);
        let mut integrals = Integrals::new(&mut system, grid, statement)?;
        let values = integrals.values(discrete, grid, statement.start, state, parameters);
        let mut observer = Observer::new(&mut system, &[(residual, false)], grid, statement)?;
        let mut arrays = observer.arrays(discrete, statement.start, state);
        let volume = grid.volume();
        let found = observer.run(&arrays, statement.start, parameters, &values);
        let missed = -integral(grid, &found[0]) / volume;
        for (array, slot) in arrays.iter_mut().zip(&observer.slots) {
            if matches!(slot.source, Source::Variable { index, .. } if index == variable) {
                array.fill(0.0);
            }
        }
        let source = observer.run(&arrays, statement.start, parameters, &values);
        let size = source[0].iter().fold(0.0f64, |a, b| a.max(b.abs()));
        // Slopes at the sides count like a source.
        let slopes = found[0].iter().fold(0.0f64, |a, b| a.max(b.abs()));
        if missed.abs() > 1e-3 * size.max(slopes) {
            let name = &described.name;
            warnings.push(if grid.is_periodic() {
                format!(
                    "The source of {name} has the mean {missed:.4e}, which no periodic {name} can answer: it was taken off, and \
                     the mean of {name} is zero."
                )
            } else {
                format!(
                    "Nothing holds the value of {name} at a side, and its source and the slopes there do not balance: a mean of \
                     {missed:.4e} was taken off the source, and the mean of {name} is zero. Give {name} a value at some side, or \
                     make them balance."
                )
            });
        }
    }
    Ok(())
}

fn rounded<R: Scalar>(values: &[f64]) -> Vec<R> {
    values.iter().map(|value| R::of(*value)).collect()
}

fn widened<R: Scalar>(values: &[R]) -> Vec<f64> {
    values.iter().map(|value| eddy_numerics::Real::to_f64(*value)).collect()
}
