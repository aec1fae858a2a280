//! Coefficients that begin where the equations are easy, and go to their values in the course of the training.

use eddy_solve::Statement;
use eddy_spec::EddyError;

use super::Training;

/// Curriculum training (Krishnapriyan, Gholami, Zhe, Kirby, Mahoney 2021, section 4): the residual is that of other coefficients
/// at first. They move evenly, in their logarithms where both ends have one sign, in each window from its beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Curriculum {
    /// Index of a parameter, and where it begins.
    firsts: Vec<(usize, f64)>,
    /// Steps that it takes.
    steps: u64,
    begun: u64,
    share: f64,
    is_over: bool,
}

impl Curriculum {
    pub fn new(statement: &Statement, training: &Training) -> Result<Self, EddyError> {
        let mut firsts = Vec::new();
        for (name, first) in &training.curriculum {
            let refused =
                |message: String| Err(EddyError::start(message).at("curriculum").repaired_by("curriculum", ""));
            let Some(parameter) = statement.system.parameter(name) else {
                let names: Vec<&str> = statement.system.parameters.iter().map(|p| p.name.as_str()).collect();
                return refused(format!(
                    "The equations have no coefficient {name} to begin elsewhere; there are: {}.",
                    names.join(", ")
                ));
            };
            if training.sought.iter().any(|(other, _)| other == name) {
                return refused(format!("{name} is to be found, so its first guess says where it begins."));
            }
            firsts.push((usize::from(parameter), *first));
        }
        Ok(Self { firsts, steps: training.curriculum_steps, ..Self::default() })
    }

    /// Begins again, at step `step` of the training.
    pub fn begin(&mut self, step: u64) {
        (self.begun, self.share, self.is_over) = (step, 0.0, false);
    }

    pub fn follow(&mut self, step: u64) {
        if !self.is_over {
            self.share = ((step - self.begun) as f64 / self.steps.max(1) as f64).min(1.0);
        }
    }

    /// Goes to the end; whether it was not there.
    pub fn end(&mut self) -> bool {
        let was_moving = self.is_moving();
        (self.share, self.is_over) = (1.0, true);
        was_moving
    }

    pub fn is_there(&self) -> bool {
        !self.firsts.is_empty()
    }

    pub fn is_moving(&self) -> bool {
        !self.firsts.is_empty() && self.share < 1.0
    }

    pub fn put(&self, values: &mut [f64]) {
        for (parameter, first) in &self.firsts {
            let (last, share) = (values[*parameter], self.share);
            values[*parameter] = match first * last > 0.0 {
                true => last * (first / last).powf(1.0 - share),
                false => first + share * (last - first),
            };
        }
    }

    /// Indices of parameters, and where they begin.
    pub fn firsts(&self) -> &[(usize, f64)] {
        &self.firsts
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }
}
