//! A problem, checked: everything that can be wrong is found here, before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use eddy_expr::{
    Column, Expression, Inputs, Names, Options, Role, System,
    ir::{Leaf, Node},
};
use eddy_numerics::rng::{Philox, Stream};

use crate::{
    boundary::{self, Side},
    error::{Place, SolveError},
    grid::Grid,
    problem::{BoundaryText, Number, Problem},
};

/// Names that stand for random numbers in initial states, drawn anew at each point: uniform on [0, 1), and normal.
pub const RANDOM_NAMES: [&str; 2] = ["rand", "randn"];

/// A checked problem.
#[derive(Clone, Debug)]
pub struct Statement {
    pub problem: Problem,
    pub system: System,
    pub grid: Grid,
    /// By variable of the system, then axis, then low and high side. Algebraic variables have none.
    pub sides: Vec<Option<[[Side; 2]; 3]>>,
    /// Initial values of stepped variables, in the order of [`System::stepped`].
    initial: Vec<Option<Expression>>,
    /// Values of the parameters, in the order of the system.
    pub parameters: Vec<f64>,
    /// Exact solutions by variable.
    pub exact: Vec<(u16, Expression)>,
    pub start: f64,
    pub end: f64,
    pub saves: Vec<f64>,
    pub dt: Option<f64>,
    pub tolerance: Option<f64>,
    pub warnings: Vec<String>,
}

impl Statement {
    pub fn new(problem: Problem) -> Result<Self, SolveError> {
        let axes = problem.axes()?;
        let dimension = axes.len() as u8;
        let mut warnings = Vec::new();
        let given = problem.parameter_values()?;
        let mut options = Options {
            dimension: Some(dimension),
            parameters: given,
            fields: problem.fields.clone(),
            is_nonlinear: problem.is_nonlinear,
            ..Options::default()
        };
        let parse = |options: &Options| {
            System::parse(&problem.equations, options).map_err(|diagnostics| SolveError::Text {
                place: Place::Equations,
                text: problem.equations.clone(),
                diagnostics,
            })
        };
        let mut system = parse(&options)?;
        let names = Names::new(dimension).with_system(&system);
        // A complex initial value makes its field complex, and with it what depends on it.
        for (name, value) in &problem.initial {
            if let Some(expression) = initial_expression(name, value, &names)?
                && expression.is_complex()
            {
                let field = name.strip_suffix("_t").filter(|_| system.variable(name).is_none()).unwrap_or(name);
                options.complex_fields.push(field.to_string());
            }
        }
        if !options.complex_fields.is_empty() {
            system = parse(&options)?;
        }
        let parameters = system.parameter_values();
        note_unused(&problem, &system, &mut warnings);
        if let Some(diagnostic) = system.ill_posed(&parameters) {
            return Err(SolveError::Text {
                place: Place::Equations,
                text: problem.equations.clone(),
                diagnostics: vec![diagnostic],
            });
        }
        let numbers = problem.with_numbers(&Names::new(0).with_system(&system), &parameters)?;
        let (sides, periodic) = read_sides(&numbers, &system, &names, &parameters, &mut warnings)?;
        let grid = Grid::of(&numbers, periodic)?;
        let initial = read_initial(&problem, &system, &names, &mut warnings)?;
        let mut exact = Vec::new();
        for (name, text) in &problem.exact {
            let place = format!("exact.{name}");
            let variable = known(&system, name, &place)?;
            exact.push((variable, expression_at(text, &place, &names)?));
        }
        let start = numbers.time.start.get("time.start")?;
        let end = match &numbers.time.end {
            Some(end) => end.get("time.end")?,
            None if system.stepped().next().is_none() => start,
            None => return Err(SolveError::value("time.end", "say where to stop: end = 1.0")),
        };
        if end < start {
            return Err(SolveError::value("time.end", format!("the end ({end}) lies before the start ({start})")));
        }
        let every = match &numbers.time.save_every {
            Some(every) => every.get("time.save_every")?,
            None => (end - start) / 100.0,
        };
        if !(every > 0.0) && end > start {
            return Err(SolveError::value("time.save_every", "must be larger than zero"));
        }
        let saves = save_times(start, end, every)?;
        let positive = |number: &Option<Number>, place: &str| match number {
            Some(number) => match number.get(place)? {
                value if value > 0.0 => Ok(Some(value)),
                value => Err(SolveError::value(place, format!("must be larger than zero, not {value}"))),
            },
            None => Ok(None),
        };
        let dt = positive(&numbers.time.dt, "time.dt")?;
        let tolerance = positive(&numbers.time.tolerance, "time.tolerance")?;
        let mut statement = Self {
            system,
            grid,
            sides,
            initial,
            parameters,
            exact,
            start,
            end,
            saves,
            dt,
            tolerance,
            warnings,
            problem,
        };
        crate::outflow::release(&mut statement);
        Ok(statement)
    }

    /// Whether no coefficient and no condition changes with time.
    pub fn is_autonomous(&self) -> bool {
        let reads_time = self.system.graph.nodes().any(|(_, node)| node == Node::Leaf(Leaf::Time));
        let moves = self.sides.iter().flatten().flatten().flatten().any(
            |side| matches!(side, Side::Conditions(conditions) if conditions.iter().any(|condition| condition.needs_time)),
        );
        !reads_time && !moves
    }

    /// The stepped variables.
    pub fn stepped(&self) -> Vec<u16> {
        self.system.stepped().collect()
    }

    /// The initial value of a stepped variable (by its position in [`Statement::stepped`]) as it was given.
    pub fn initial_expression(&self, position: usize) -> Option<&Expression> {
        self.initial.get(position)?.as_ref()
    }

    /// Initial values of a stepped variable (by its position in [`Statement::stepped`]) on the grid: real and imaginary
    /// parts.
    pub fn initial(&self, position: usize, grid: &Grid) -> Result<(Vec<f64>, Vec<f64>), SolveError> {
        let points = grid.points();
        let variable = self.stepped()[position];
        let name = &self.system.variables[usize::from(variable)].name;
        let Some(expression) = &self.initial[position] else { return Ok((vec![0.0; points], vec![0.0; points])) };
        let philox = Philox::new(self.problem.method.seed);
        let draws: Vec<([f64; 4], [f64; 4])> = (0..points.div_ceil(4))
            .map(|chunk| {
                let at = |draw| (draw, position as u32, chunk as u32);
                let (u, n) = (at(0), at(1));
                (philox.uniforms(Stream::Prior, u.0, u.1, u.2), philox.normals(Stream::Prior, n.0, n.1, n.2))
            })
            .collect();
        let rand: Vec<f64> = (0..points).map(|index| draws[index / 4].0[index % 4]).collect();
        let randn: Vec<f64> = (0..points).map(|index| draws[index / 4].1[index % 4]).collect();
        let (re, im) = sample(expression, grid, self.start, &self.parameters, &[&rand, &randn]);
        if let Some(index) = re.iter().zip(&im).position(|(re, im)| !(re.is_finite() && im.is_finite())) {
            let [nx, ny, _] = grid.shape();
            let at: Vec<f64> = [index % nx, index / nx % ny, index / (nx * ny)]
                .iter()
                .zip(&grid.axes)
                .map(|(index, axis)| axis.at(*index))
                .collect();
            return Err(SolveError::value(
                format!("initial.{name}"),
                format!("the value is not finite at {at:?}; check for division by zero, roots and logarithms there"),
            ));
        }
        Ok((re, im))
    }
}

/// Values of an expression on a grid: real and imaginary parts.
pub fn sample(
    expression: &Expression,
    grid: &Grid,
    time: f64,
    parameters: &[f64],
    fields: &[&[f64]],
) -> (Vec<f64>, Vec<f64>) {
    let [nx, ny, nz] = grid.shape();
    let xs = grid.axes.first().map_or(vec![0.0], crate::grid::Axis::coordinates);
    let (mut re, mut im) = (vec![0.0; nx * ny * nz], vec![0.0; nx * ny * nz]);
    let mut kernel = expression.kernel::<f64>();
    for row in 0..ny * nz {
        let (y, z) = (row % ny, row / ny);
        let at = |axis: usize, index: usize| Column::Constant(grid.axes.get(axis).map_or(0.0, |axis| axis.at(index)));
        let range = row * nx..(row + 1) * nx;
        let rows: Vec<&[f64]> = fields.iter().map(|field| &field[range.clone()]).collect();
        let inputs = Inputs { coordinates: [Column::Values(&xs), at(1, y), at(2, z)], time, parameters, fields: &rows };
        if kernel.eval(&inputs, &mut re[range.clone()], &mut im[range.clone()]).is_err() {
            re[range].fill(f64::NAN);
        }
    }
    (re, im)
}

fn expression_at(text: &str, place: &str, names: &Names) -> Result<Expression, SolveError> {
    Expression::parse(text, names).map_err(|diagnostics| SolveError::Text {
        place: Place::Key(place.into()),
        text: text.into(),
        diagnostics,
    })
}

fn initial_expression(name: &str, value: &Number, names: &Names) -> Result<Option<Expression>, SolveError> {
    let text = match value {
        Number::Value(value) => format!("{value:?}"),
        Number::Text(text) => text.clone(),
    };
    let names = names.clone().with_fields(RANDOM_NAMES);
    expression_at(&text, &format!("initial.{name}"), &names).map(Some)
}

/// A parameter that nothing reads is likely misspelt: the text then runs with another value than the one that was given.
fn note_unused(problem: &Problem, system: &System, warnings: &mut Vec<String>) {
    let mut texts: Vec<&str> = vec![&problem.equations];
    let axes = [&problem.domain.x, &problem.domain.y, &problem.domain.z];
    let numbers = problem
        .initial
        .values()
        .chain(problem.parameters.values())
        .chain(axes.into_iter().flatten().flat_map(|axis| [&axis.min, &axis.max]))
        .chain([&problem.time.start])
        .chain([&problem.time.end, &problem.time.save_every, &problem.time.dt].into_iter().flatten());
    texts.extend(numbers.filter_map(|number| match number {
        Number::Text(text) => Some(text.as_str()),
        Number::Value(_) => None,
    }));
    for text in problem.boundary.values() {
        match text {
            BoundaryText::All(text) => texts.push(text),
            BoundaryText::Sides(sides) => texts.extend(sides.values().map(String::as_str)),
        }
    }
    texts.extend(problem.exact.values().map(String::as_str));
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '\'';
    let mut words: BTreeSet<&str> = BTreeSet::new();
    words.extend(texts.iter().flat_map(|text| text.split(|c: char| !is_part(c))));
    for name in problem.parameters.keys().filter(|name| !words.contains(name.as_str())) {
        let others = system.parameters.iter().map(|parameter| parameter.name.as_str());
        let others = others.filter(|other| !problem.parameters.contains_key(*other));
        let hint = match eddy_expr::diagnostic::did_you_mean(name, others) {
            Some(other) => format!(" Did you mean {other}?"),
            None => String::new(),
        };
        warnings.push(format!("parameters.{name} is not used: nothing in the problem reads {name}.{hint}"));
    }
}

fn known(system: &System, name: &str, place: &str) -> Result<u16, SolveError> {
    system.variable(name).ok_or_else(|| {
        let fields: Vec<&str> = system.variables.iter().map(|variable| variable.name.as_str()).collect();
        SolveError::value(place, format!("the system has no field `{name}`; its fields are {}", fields.join(", ")))
    })
}

fn read_initial(
    problem: &Problem,
    system: &System,
    names: &Names,
    warnings: &mut Vec<String>,
) -> Result<Vec<Option<Expression>>, SolveError> {
    let stepped: Vec<u16> = system.stepped().collect();
    let mut initial = vec![None; stepped.len()];
    for (name, value) in &problem.initial {
        let place = format!("initial.{name}");
        if let Some(base) = name.strip_suffix("_t")
            && system.variable(name).is_none()
            && system.variable(base).is_some()
        {
            return Err(SolveError::value(
                place,
                format!(
                    "{base} is not of second order in time, so its equation gives its rate; remove this line, or write {base}_tt = …"
                ),
            ));
        }
        let variable = known(system, name, &place)?;
        match stepped.iter().position(|other| *other == variable) {
            Some(position) => initial[position] = initial_expression(name, value, names)?,
            None => warnings.push(format!("{place} is not used: its equation gives {name} at every time.")),
        }
    }
    for (variable, value) in stepped.iter().zip(&initial) {
        let variable = &system.variables[usize::from(*variable)];
        if value.is_none() && !matches!(variable.role, Role::Velocity { .. }) {
            warnings.push(format!("{} starts from zero, as initial.{} is not given.", variable.name, variable.name));
        }
    }
    Ok(initial)
}

type Sides = Vec<Option<[[Side; 2]; 3]>>;

const SIDE_NAMES: [[&str; 2]; 3] = [["x_min", "x_max"], ["y_min", "y_max"], ["z_min", "z_max"]];
const AXIS_NAMES: [&str; 3] = ["x", "y", "z"];

fn read_sides(
    problem: &Problem,
    system: &System,
    names: &Names,
    parameters: &[f64],
    warnings: &mut Vec<String>,
) -> Result<(Sides, [bool; 3]), SolveError> {
    let axes = problem.axes()?;
    let dimension = axes.len();
    let mut corner = [[0.0; 2]; 3];
    for (index, (name, axis)) in axes.iter().enumerate() {
        corner[index] = [axis.min.get(&format!("domain.{name}.min"))?, axis.max.get(&format!("domain.{name}.max"))?];
    }
    // A condition for `all` serves the fields that have none of their own.
    let default = problem.boundary.get("all");
    let mut texts: BTreeMap<u16, &BoundaryText> = BTreeMap::new();
    for (name, text) in problem.boundary.iter().filter(|(name, _)| *name != "all") {
        let place = format!("boundary.{name}");
        let is_side = AXIS_NAMES.contains(&name.as_str()) || SIDE_NAMES.iter().flatten().any(|side| side == name);
        if is_side && system.variable(name).is_none() {
            let field = &system.variables[0].name;
            return Err(SolveError::value(
                place,
                format!(
                    "conditions belong to a field; write {field} = {{ {name} = … }}, or all = {{ {name} = … }} for all fields"
                ),
            ));
        }
        let variable = known(system, name, &place)?;
        match system.variables[usize::from(variable)].role {
            Role::Algebraic => warnings.push(format!("{place} is not used: its equation gives {name} at every point.")),
            _ => {
                texts.insert(variable, text);
            }
        }
    }
    let has_any = !problem.boundary.is_empty();
    let is_u_free = system.variable("u").is_none() && system.parameter("u").is_none();
    let mut sides: Sides = vec![None; system.variables.len()];
    for (index, variable) in system.variables.iter().enumerate() {
        // The velocity of a field obeys what its field obeys.
        let (source, name) = match variable.role {
            Role::Algebraic => continue,
            Role::Velocity { of } => (of, &system.variables[usize::from(of)].name),
            _ => (index as u16, &variable.name),
        };
        let text = texts.get(&source).copied().or(default);
        let mut found = [0, 1, 2].map(|_| [Side::Periodic, Side::Periodic]);
        for axis in 0..dimension {
            for side in 0..2 {
                let side_name = SIDE_NAMES[axis][side];
                let (text, place) = match text {
                    None => continue,
                    Some(BoundaryText::All(text)) => (text, format!("boundary.{name}")),
                    Some(BoundaryText::Sides(by_side)) => {
                        check_side_names(by_side, name, dimension)?;
                        match (by_side.get(side_name), by_side.get(AXIS_NAMES[axis])) {
                            (Some(text), _) => (text, format!("boundary.{name}.{side_name}")),
                            (None, Some(text)) => (text, format!("boundary.{name}.{}", AXIS_NAMES[axis])),
                            (None, None) => continue,
                        }
                    }
                };
                let mut probe = corner.map(|pair| 0.5 * (pair[0] + pair[1]));
                probe[axis] = corner[axis][side];
                found[axis][side] = boundary::parse(text, &place, name, names, parameters, probe, is_u_free)?;
                let Side::Conditions(conditions) = &found[axis][side] else { continue };
                let is_complex = |time: f64| conditions.iter().any(|c| c.value(probe, time, parameters).1 != 0.0);
                if !system.variables[index].is_complex && (is_complex(0.0) || is_complex(0.71)) {
                    let message = format!(
                        "the condition is complex, and {name} is real: a field is complex where its equation has an i in it"
                    );
                    return Err(SolveError::value(&place, message));
                }
            }
        }
        sides[index] = Some(found);
    }
    let mut periodic = [true; 3];
    for axis in 0..dimension {
        let mut first: Option<(bool, &str)> = None;
        for (variable, found) in system.variables.iter().zip(&sides) {
            let Some(found) = found else { continue };
            let [low, high] = &found[axis];
            if low.is_periodic() != high.is_periodic() {
                let given = if low.is_periodic() { SIDE_NAMES[axis][1] } else { SIDE_NAMES[axis][0] };
                let missing = if low.is_periodic() { SIDE_NAMES[axis][0] } else { SIDE_NAMES[axis][1] };
                return Err(SolveError::value(
                    format!("boundary.{}", variable.name),
                    format!(
                        "{given} has a condition but {missing} is periodic: give {missing} a condition too, or `free` where it has none"
                    ),
                ));
            }
            match first {
                None => first = Some((low.is_periodic(), &variable.name)),
                Some((is_periodic, other)) if is_periodic != low.is_periodic() => {
                    let (wall, open) =
                        if is_periodic { (variable.name.as_str(), other) } else { (other, variable.name.as_str()) };
                    return Err(SolveError::value(
                        format!("boundary.{open}"),
                        format!(
                            "{} is periodic for {open}{} but has walls for {wall}: give {open} conditions at {} and {}",
                            AXIS_NAMES[axis],
                            if has_any { " (the default)" } else { "" },
                            SIDE_NAMES[axis][0],
                            SIDE_NAMES[axis][1],
                        ),
                    ));
                }
                Some(_) => {}
            }
        }
        periodic[axis] = first.is_none_or(|(is_periodic, _)| is_periodic);
    }
    Ok((sides, periodic))
}

fn check_side_names(by_side: &BTreeMap<String, String>, field: &str, dimension: usize) -> Result<(), SolveError> {
    for key in by_side.keys() {
        let axis = (0..3).find(|axis| AXIS_NAMES[*axis] == key || SIDE_NAMES[*axis].contains(&key.as_str()));
        match axis {
            Some(axis) if axis < dimension => {}
            Some(axis) => {
                return Err(SolveError::value(
                    format!("boundary.{field}.{key}"),
                    format!("the domain has no {}", AXIS_NAMES[axis]),
                ));
            }
            None => {
                return Err(SolveError::value(
                    format!("boundary.{field}.{key}"),
                    "this is no side; there are x, x_min, x_max and likewise for y and z".to_string(),
                ));
            }
        }
    }
    Ok(())
}

/// Most states that are saved.
const MAX_SAVES: usize = 1_000_000;

fn save_times(start: f64, end: f64, every: f64) -> Result<Vec<f64>, SolveError> {
    if end == start {
        return Ok(vec![start]);
    }
    let count = (end - start) / every;
    if count > MAX_SAVES as f64 {
        return Err(SolveError::value(
            "time.save_every",
            format!("this makes {count:.0} saved states, {MAX_SAVES} are the most"),
        ));
    }
    // A last interval that misses a whole one by rounding counts as whole.
    let whole = (count + 1e-9).floor() as usize;
    let mut saves: Vec<f64> = (0..=whole).map(|index| start + every * index as f64).collect();
    if let Some(last) = saves.last_mut() {
        if (end - *last).abs() <= 1e-9 * every {
            *last = end;
        } else {
            saves.push(end);
        }
    }
    Ok(saves)
}
