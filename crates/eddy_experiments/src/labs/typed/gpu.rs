//! Typed systems on the GPU: which ones run there, and their steps.
//!
//! What runs: evolution equations of differences on grids of one to three dimensions, with sides that are periodic, hold a
//! constant value or let no slope, by explicit methods in steps of one length. Everything else is refused with the reason,
//! and runs on the CPU.

use eddy_expr::{
    Discretization, Role,
    kernel::{Part, Source},
    lower::{
        wgsl::{Edge, WgslOptions},
        wgsl_step::{StepOptions, Update, reads, step_shader},
    },
    program::{Program, UniformInput},
};
use eddy_gpu::{Brush, FieldSource, Gpu, GpuError, TypedMethod, TypedPlan, TypedSpec, UniformsAt};
use eddy_solve::{
    Simulation, Statement,
    boundary::Side,
    discrete::Values,
    evaluate::Scalar,
    grid::Grid,
    limits::{Limits, Process},
    simulation::BLOW_UP,
};

/// How a statement is solved on the GPU.
#[derive(Clone, Debug)]
pub struct Scheme {
    /// The statement with the scheme's names in it, so that the CPU would take the same one.
    pub statement: Statement,
    pub method: TypedMethod,
    /// Order of the differences.
    pub accuracy: u8,
    shader: String,
    program: Program,
    /// Name and part by plane of the state.
    planes: Vec<(String, Part)>,
    /// By plane, axis and side: the values there do not change.
    held: Vec<[[bool; 2]; 3]>,
}

/// Methods that steps on the GPU know, for sentences.
const METHODS: &str = "euler, rk2, ssprk3, rk4 or verlet";

impl Scheme {
    /// The scheme of a statement.
    ///
    /// # Errors
    /// The reason why it cannot run on the GPU, as a sentence with what to do where something can be done.
    pub fn of(statement: &Statement) -> Result<Self, String> {
        let mut system = statement.system.clone();
        let (grid, dimension) = (&statement.grid, statement.grid.dimension());
        if dimension == 0 {
            return Err("The GPU needs a grid; systems without space run on the CPU.".into());
        }
        let elliptic = system.variables.iter().find(|variable| variable.role == Role::Elliptic);
        if let Some(variable) = elliptic {
            return Err(format!(
                "The line for {} holds at every moment and is solved by the CPU; on the GPU only rates of change run.",
                variable.name
            ));
        }
        if system.noise_channels > 0 {
            return Err("Noise is drawn on the CPU.".into());
        }
        if !system.integrals.is_empty() {
            return Err("Integrals over the domain are taken on the CPU.".into());
        }
        let accuracy = accuracy(statement)?;
        let mut planes = Vec::new();
        let mut variables = Vec::new();
        for variable in statement.stepped() {
            let described = &system.variables[usize::from(variable)];
            for part in [Part::Real, Part::Imaginary].into_iter().take(1 + usize::from(described.is_complex)) {
                planes.push((described.name.clone(), part));
                variables.push((variable, part));
            }
        }
        let kernel = system
            .rates_kernel(Discretization::Stencil(accuracy))
            .map_err(|error| format!("The equations cannot be compiled for the GPU: {error}."))?;
        let program = kernel.program;
        let mut slots = Vec::with_capacity(kernel.slots.len());
        for slot in &kernel.slots {
            let Source::Variable { index, part } = slot.source else { return Err("Noise is drawn on the CPU.".into()) };
            let plane = variables.iter().position(|known| *known == (index, part));
            slots.push(plane.ok_or("A field is read that nothing steps; it runs on the CPU.")? as u16);
        }
        let (edges, held) = sides(statement, &variables, program.reach())?;
        let pairs = pairs(statement, &variables, &program, &slots);
        let name = statement.problem.method.time.trim().to_ascii_lowercase();
        let method = match name.as_str() {
            "auto" if pairs.is_some() => TypedMethod::Verlet,
            "auto" => TypedMethod::Rk4,
            name => TypedMethod::from_name(name)
                .ok_or_else(|| format!("`{name}` runs on the CPU; the GPU has {METHODS}."))?,
        };
        let update = if method == TypedMethod::Verlet {
            let pairs = pairs.ok_or(
                "verlet needs every equation to be u_tt = F(u) with a force that does not depend on the velocity; use rk4.",
            )?;
            Update::Verlet { pairs }
        } else {
            Update::RungeKutta { has_sum: method.has_sum() }
        };
        let options = StepOptions {
            grid: WgslOptions { dimension: dimension as u8, edges },
            update,
            planes: slots,
            held: held.clone(),
        };
        let shader = step_shader(&program, &options).map_err(|error| format!("On the GPU {error}."))?;
        let mut statement = statement.clone();
        statement.problem.method.space = format!("fd{accuracy}");
        statement.problem.method.time = method.name().into();
        statement.problem.method.precision = "f32".into();
        debug_assert_eq!(grid.points(), statement.grid.points());
        Ok(Self { statement, method, accuracy, shader, program, planes, held })
    }

    /// Length of a step: as given, else nine tenths of what keeps the method stable at `limits`, or half where waves turn, so
    /// that they keep their phase.
    pub fn dt(&self, limits: &Limits) -> f64 {
        if let Some(dt) = self.statement.dt {
            return dt;
        }
        let [real, imaginary] = self.method.stability();
        let damped = [Process::Reaction, Process::Diffusion, Process::HighOrder];
        let turned = [Process::Advection, Process::Dispersion];
        let sum = |processes: &[Process]| processes.iter().map(|process| limits.rate(*process)).sum::<f64>();
        // Verlet has no damping; whatever it is given turns.
        let real = if real > 0.0 { real } else { imaginary };
        let turning = if imaginary > 0.0 { sum(&turned) / imaginary } else { sum(&turned) / real };
        let needed = sum(&damped) / real / 0.9 + turning / 0.5;
        let interval = self.statement.end - self.statement.start;
        // Slow systems are followed all the same.
        if needed > 0.0 { (1.0 / needed).min(interval / 100.0) } else { interval / 100.0 }
    }

    fn uniforms(&self, parameters: &[f64]) -> UniformsAt {
        let (program, parameters) = (self.program.clone(), parameters.to_vec());
        let lattice = [0, 1, 2]
            .map(|axis| self.statement.grid.axes.get(axis).map_or([0.0, 1.0], |axis| [axis.min, axis.spacing()]));
        Box::new(move |time| {
            let input = |input: UniformInput| match input {
                UniformInput::Parameter(index) => parameters.get(usize::from(index)).copied().unwrap_or(f64::NAN),
                UniformInput::Time => time,
                UniformInput::Integral(_) => f64::NAN,
                UniformInput::InverseSpacing(axis) => 1.0 / lattice[usize::from(axis.min(2))][1],
            };
            let mut all: Vec<f32> = program.uniform_values(input).into_iter().map(|value| value as f32).collect();
            all.extend(lattice.iter().flatten().map(|value| *value as f32));
            all
        })
    }

    /// The planes of the state from values by name.
    fn encode(&self, values: &[Values]) -> Vec<Vec<f32>> {
        let points = self.statement.grid.points();
        self.planes
            .iter()
            .map(|(name, part)| {
                let found = values.iter().find(|one| one.name == *name);
                let list = found.map(|one| if *part == Part::Real { &one.re } else { &one.im });
                list.map_or(vec![0.0; points], |list| list.iter().map(|value| *value as f32).collect())
            })
            .collect()
    }

    fn decode(&self, state: &[f32]) -> Vec<Values> {
        let mut all: Vec<Values> = Vec::new();
        for ((name, part), plane) in self.planes.iter().zip(state.chunks(self.statement.grid.points())) {
            let list: Vec<f64> = plane.iter().map(|value| f64::from(*value)).collect();
            match (part, all.last_mut()) {
                (Part::Imaginary, Some(last)) => last.im = list,
                _ => all.push(Values { name: name.clone(), re: list, im: Vec::new() }),
            }
        }
        all
    }

    /// By plane: points whose values are held, with those of `planes`.
    fn held_values(&self, planes: &[Vec<f32>]) -> Vec<Vec<(usize, f32)>> {
        let shape = self.statement.grid.shape();
        let [nx, ny, _] = shape;
        let of = |held: &[[bool; 2]; 3], values: &[f32]| {
            if !held.iter().flatten().any(|held| *held) {
                return Vec::new();
            }
            let is_held = |point: usize| {
                let index = [point % nx, point / nx % ny, point / (nx * ny)];
                (0..3).any(|axis| held[axis][0] && index[axis] == 0 || held[axis][1] && index[axis] + 1 == shape[axis])
            };
            values.iter().copied().enumerate().filter(|(point, _)| is_held(*point)).collect()
        };
        self.held.iter().zip(planes).map(|(held, values)| of(held, values)).collect()
    }
}

/// The order of the differences that a statement asks for.
fn accuracy(statement: &Statement) -> Result<u8, String> {
    let is_periodic = statement.grid.is_periodic();
    let accuracy = match statement.problem.method.space.trim().to_ascii_lowercase().as_str() {
        "auto" if is_periodic => 4,
        "auto" | "fd2" => 2,
        "fd4" => 4,
        "fd6" => 6,
        "fd8" => 8,
        other => return Err(format!("`{other}` runs on the CPU; the GPU has differences: auto or fd2 to fd8.")),
    };
    if !is_periodic && accuracy > 2 {
        return Err("With walls the GPU has differences of order 2 only; choose fd2 or auto.".into());
    }
    Ok(accuracy)
}

/// What a shader reads beyond the ends of each axis, and by plane, axis and side whether values are held there.
type Sides = ([Edge; 3], Vec<[[bool; 2]; 3]>);

fn sides(statement: &Statement, variables: &[(u16, Part)], reach: [usize; 3]) -> Result<Sides, String> {
    let mut edges = [Edge::Periodic; 3];
    let mut held = vec![[[false; 2]; 3]; variables.len()];
    for (axis, grid_axis) in statement.grid.axes.iter().enumerate() {
        let name = ["x", "y", "z"][axis];
        // A stencil is folded back into the grid once.
        if reach[axis] >= grid_axis.points {
            return Err(format!("The stencil is wider than the {} points along {name}.", grid_axis.points));
        }
        if grid_axis.is_periodic {
            continue;
        }
        if reach[axis] > 1 {
            return Err(format!(
                "The equations reach further than one point along {name}, which walls there do not allow."
            ));
        }
        edges[axis] = Edge::Reflect;
        for (plane, (variable, _)) in variables.iter().enumerate() {
            let Some(sides) = &statement.sides[usize::from(*variable)] else { continue };
            for side in 0..2 {
                let Side::Conditions(conditions) = &sides[axis][side] else {
                    return Err(format!("Sides along {name} that are free or absorbing run on the CPU."));
                };
                match conditions.as_slice() {
                    [one] if one.is_dirichlet() && !one.needs_time => held[plane][axis][side] = true,
                    [one] if one.is_homogeneous && one.coefficients[0] == 0.0 && one.coefficients[2..] == [0.0; 2] => {}
                    _ => {
                        return Err(format!(
                            "On the GPU sides hold a constant value or have no slope; those along {name} run on the CPU."
                        ));
                    }
                }
            }
        }
    }
    Ok((edges, held))
}

/// Planes of (u, u_t) where every equation is u_tt = F(u).
fn pairs(
    statement: &Statement,
    variables: &[(u16, Part)],
    program: &Program,
    slots: &[u16],
) -> Option<Vec<(u16, u16)>> {
    let mut pairs = Vec::new();
    for (plane, (variable, part)) in variables.iter().enumerate() {
        match statement.system.variables[usize::from(*variable)].role {
            Role::SecondOrder { velocity } => {
                let other = variables.iter().position(|known| *known == (velocity, *part))?;
                pairs.push((plane as u16, other as u16));
            }
            Role::Velocity { .. } => {}
            _ => return None,
        }
    }
    let reads = reads(program);
    let depends = pairs.iter().any(|(_, velocity)| {
        let forces = reads.get(usize::from(*velocity)).into_iter().flatten();
        forces.into_iter().any(|(slot, _)| {
            let plane = slots.get(usize::from(*slot));
            pairs.iter().any(|(_, v)| plane == Some(v))
        })
    });
    (!depends).then_some(pairs)
}

/// A typed system that steps on the GPU.
///
/// A [`Simulation`] of the same statement stands beside it: it checks, limits and shows; its state is behind until
/// [`TypedGpu::read`].
pub struct TypedGpu {
    plan: TypedPlan,
    scheme: Scheme,
    /// Length that steps should have; shortened to meet the times asked for.
    longest: f64,
    /// Where the present stretch of equal steps ends, and how many of them are left.
    stretch: (f64, u64),
    steps: u64,
    /// By plane: points whose values are held, with them.
    held: Vec<Vec<(usize, f32)>>,
}

impl TypedGpu {
    /// Starts at the state of `simulation`, which is of the scheme's statement.
    pub fn new<R: Scalar>(gpu: &Gpu, scheme: Scheme, simulation: &mut Simulation<R>) -> Result<Self, GpuError> {
        // Given values at the sides are in the state from the start.
        let initial = simulation.values();
        simulation.set_values(&initial).map_err(|error| GpuError::Shape { message: error.to_string() })?;
        let planes = scheme.encode(&simulation.values());
        let longest = scheme.dt(&simulation.choice.limits);
        let spec = TypedSpec {
            shape: scheme.statement.grid.shape(),
            dimension: scheme.statement.grid.dimension() as u8,
            planes: scheme.planes.len(),
            method: scheme.method,
            dt: longest,
            reads_time: scheme.program.inputs().any(|input| input == UniformInput::Time),
            is_periodic: scheme.statement.grid.is_periodic(),
        };
        let uniforms = scheme.uniforms(&scheme.statement.parameters);
        let slices: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
        let plan = TypedPlan::new(gpu, spec, &scheme.shader, uniforms, &slices, simulation.time)?;
        let held = scheme.held_values(&planes);
        Ok(Self { plan, scheme, longest, stretch: (f64::NAN, 0), steps: 0, held })
    }

    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Length of the steps.
    pub fn dt(&self) -> f64 {
        self.plan.spec().dt
    }

    /// Good steps since the start.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn time(&self) -> f64 {
        self.plan.time()
    }

    /// Makes at most `most` steps towards `target` and tells whether the state is still one; if not, the state is the one
    /// before them. Also returns whether the target was reached, and the count of steps.
    pub async fn advance(&mut self, target: f64, most: u64) -> Result<Advanced, GpuError> {
        if self.stretch.1 == 0 || self.stretch.0 != target {
            let interval = target - self.plan.time();
            let count = (interval / self.longest * (1.0 - 1e-9)).ceil().max(1.0);
            self.plan.set_dt(interval / count)?;
            self.stretch = (target, count as u64);
        }
        let count = self.stretch.1.min(most.max(1));
        self.plan.step(count as usize)?;
        for plane in 0..self.scheme.planes.len() {
            let summary = self.plan.stats(plane).await?;
            let largest = f64::from(summary.min.abs().max(summary.max.abs()));
            if summary.non_finite > 0 || !(largest <= BLOW_UP) {
                self.plan.restore()?;
                self.stretch.1 = 0;
                return Ok(Advanced { is_good: false, has_reached: false, steps: 0 });
            }
        }
        self.plan.keep()?;
        self.stretch.1 -= count;
        self.steps += count;
        Ok(Advanced { is_good: true, has_reached: self.stretch.1 == 0, steps: count })
    }

    /// Brings the state back into `simulation`, at `time`: the plan adds up its steps, so that times asked for are met but for
    /// rounding.
    pub async fn read<R: Scalar>(&self, simulation: &mut Simulation<R>, time: f64) -> Result<(), GpuError> {
        let state = self.plan.read().await?;
        let outcome = simulation.outcome.clone();
        simulation
            .set_values(&self.scheme.decode(&state))
            .map_err(|error| GpuError::Shape { message: error.to_string() })?;
        (simulation.time, simulation.outcome) = (time, outcome);
        Ok(())
    }

    /// Puts the state and time of `simulation` onto the device.
    pub fn write<R: Scalar>(&mut self, simulation: &mut Simulation<R>) -> Result<(), GpuError> {
        let planes = self.scheme.encode(&simulation.values());
        let slices: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
        self.stretch.1 = 0;
        self.plan.set_state(&slices, simulation.time)
    }

    /// The plane of a field's part.
    pub fn plane(&self, field: &str, part: Part) -> Option<usize> {
        self.scheme.planes.iter().position(|(name, known)| name == field && *known == part)
    }

    /// A plane where it lies, for drawing.
    pub fn field_source(&self, plane: usize) -> Option<FieldSource> {
        self.plan.field_source(plane).ok()
    }

    /// Adds a bump to a plane, in units of the grid; what is held at sides stays.
    pub fn paint(&mut self, plane: usize, brush: Brush) -> Result<(), GpuError> {
        self.plan.paint(plane, brush)?;
        for (point, value) in self.held.get(plane).into_iter().flatten() {
            self.plan.write(plane, *point, &[*value])?;
        }
        self.plan.keep()
    }

    /// Goes on under other parameters; `simulation` is of the new statement.
    pub fn set_parameters<R: Scalar>(
        &mut self,
        scheme: Scheme,
        simulation: &mut Simulation<R>,
    ) -> Result<(), GpuError> {
        let held = scheme.held_values(&scheme.encode(&simulation.values()));
        for (plane, points) in held.iter().enumerate() {
            for (point, value) in points {
                if !self.held.get(plane).is_some_and(|known| known.contains(&(*point, *value))) {
                    self.plan.write(plane, *point, &[*value])?;
                }
            }
        }
        self.held = held;
        self.plan.keep()?;
        self.plan.set_uniforms(scheme.uniforms(&scheme.statement.parameters))?;
        self.longest = scheme.dt(&simulation.choice.limits);
        self.stretch.1 = 0;
        self.scheme = scheme;
        Ok(())
    }

    /// Grid of the state.
    pub fn grid(&self) -> &Grid {
        &self.scheme.statement.grid
    }
}

/// What a call of [`TypedGpu::advance`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advanced {
    pub is_good: bool,
    pub has_reached: bool,
    pub steps: u64,
}
