//! The refinement study of a form: the same problem with steps dt, dt/2, dt/4 and spacings dx, dx/2, dx/4.

use eddy_solve::{Simulation, Statement, refine::Refiner};
use serde_json::{Value, json};

use super::texts::{FormError, Texts};
use crate::Budget;

/// Steps of the coarsest run: enough for the error of a method to show, few enough to wait for.
const STEPS: f64 = 32.0;

/// A study under way.
pub struct Refinement {
    refiner: Refiner,
    texts: Texts,
    space: String,
    time: String,
    dt: f64,
    end: f64,
    is_done: bool,
}

impl Refinement {
    /// For the problem of a form and the step length `dt` of its run, over at most 32 such steps from the start. Without a
    /// usable `dt` the length of the method's own first step counts.
    pub fn new(texts: &Texts, dt: Option<f64>) -> Result<Self, FormError> {
        let texts = texts.filled()?;
        let problem = texts.problem(false)?;
        let place = |error: eddy_solve::SolveError| {
            let fallback = FormError {
                key: "equations".into(),
                start: 0,
                end: 0,
                message: error.to_string(),
                hint: String::new(),
                replacement: None,
            };
            texts.place(&error).into_iter().next().unwrap_or(fallback)
        };
        let statement = Statement::new(problem.clone()).map_err(place)?;
        let (start, last) = (statement.start, statement.end);
        let mut simulation = Simulation::<f64>::new(statement).map_err(place)?;
        let (space, time) = (simulation.choice.space.clone(), simulation.choice.time.clone());
        let dt = match dt.filter(|dt| dt.is_finite() && *dt > 0.0) {
            Some(dt) => dt,
            None => {
                simulation.advance(last, || false);
                simulation.dt().max(1e-9 * (last - start))
            }
        };
        let end = (start + STEPS * dt).min(last);
        let refiner = Refiner::new(&problem, (&space, &time), dt, end).map_err(place)?;
        Ok(Self { refiner, texts, space, time, dt, end, is_done: false })
    }

    /// Goes on within a budget of time. Returns whether all is done.
    pub fn advance(&mut self, budget: Budget) -> Result<bool, FormError> {
        let mut clock = budget.start();
        if !self.is_done {
            self.is_done = self.refiner.advance(|| clock.tick(1)).map_err(|error| {
                self.texts.place(&error).into_iter().next().unwrap_or(FormError {
                    key: "equations".into(),
                    start: 0,
                    end: 0,
                    message: error.to_string(),
                    hint: String::new(),
                    replacement: None,
                })
            })?;
        }
        Ok(self.is_done)
    }

    /// As JSON `{fraction, done, space, time, dt, end, studies: {time, space}}`; a study is
    /// `{sizes, differences, order, error, note}` or null where it makes no sense.
    pub fn report(&self) -> Value {
        let studies = if self.is_done { serde_json::to_value(self.refiner.result()).ok() } else { None };
        json!({
            "fraction": self.refiner.fraction(), "done": self.is_done, "space": self.space, "time": self.time,
            "dt": self.dt, "end": self.end, "studies": studies,
        })
    }
}
