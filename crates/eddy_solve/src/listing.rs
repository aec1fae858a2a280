//! A problem as a Python script with NumPy that runs on its own, to be read, changed and compared with.

use eddy_expr::lower::numpy::NumpyOptions;

use crate::{error::SolveError, limits::Limits, problem::Number, statement::Statement};

/// Share of the stability limit at which the script steps.
const SAFETY: f64 = 0.8;
/// Steps where nothing limits them.
const STEPS: f64 = 400.0;

/// The script of a statement on a periodic grid: Fourier derivatives and classical Runge-Kutta steps, which are as long as the
/// problem asks for, or as `limits` (those of the chosen discretization) allow. An error says what the script does not do.
pub fn numpy(statement: &Statement, limits: &Limits) -> Result<String, SolveError> {
    if !statement.grid.is_periodic() {
        return Err(SolveError::value("boundary", "the script knows periodic sides only"));
    }
    if statement.start != 0.0 {
        return Err(SolveError::value("time.start", "the script starts at t = 0"));
    }
    let length = statement.end - statement.start;
    if !(length > 0.0) {
        return Err(SolveError::value("time.end", "the script makes steps in time, and here there are none"));
    }
    let longest = statement.dt.unwrap_or(length / STEPS);
    let time_step = limits.binding().map_or(longest, |limit| longest.min(SAFETY * limit.dt));
    let initial = statement
        .problem
        .initial
        .iter()
        .map(|(name, value)| match value {
            Number::Value(value) => (name.clone(), format!("{value:?}")),
            Number::Text(text) => (name.clone(), text.clone()),
        })
        .collect();
    let options = NumpyOptions {
        axes: statement.grid.axes.iter().map(|axis| (axis.min, axis.max, axis.points)).collect(),
        initial,
        time_step,
        end_time: length,
        seed: statement.problem.method.seed,
    };
    let mut system = statement.system.clone();
    for (parameter, value) in system.parameters.iter_mut().zip(&statement.parameters) {
        parameter.value = *value;
    }
    system.numpy(&options).map_err(|error| SolveError::value("equations", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Problem, Simulation};

    fn listing(text: &str) -> Result<String, SolveError> {
        let statement = Statement::new(Problem::parse(text).unwrap()).unwrap();
        let simulation = Simulation::<f64>::new(statement.clone()).unwrap();
        numpy(&statement, &simulation.choice.limits)
    }

    #[test]
    fn steps_stay_within_the_limit_and_walls_are_refused() {
        let heat = "equations = \"u_t = D*lap(u); D = 0.1\"\ninitial.u = \"sin(3*x)\"\nparameters.D = 0.2\n\
                    [domain]\nx = { max = \"2*pi\", points = 64 }\n[time]\nend = 1\n";
        let script = listing(heat).unwrap();
        assert!(script.contains("D = 0.2") && script.contains("import numpy"), "{script}");
        // RK4 is stable to dt·D·32² = 2.785 on the highest wave: 74 steps at least.
        let steps: f64 = script.split("steps = ").nth(1).unwrap().split('\n').next().unwrap().parse().unwrap();
        assert!((74.0..2000.0).contains(&steps), "{steps}");
        assert!(listing(&heat.replace("[domain]", "boundary.u = \"dirichlet: 0\"\n[domain]")).is_err());
        assert!(listing(&heat.replace("sin(3*x)", "rand")).is_err());
    }
}
