//! Finite differences on uniform grids with walls (or without), and systems without space.
//!
//! Derivatives are arrays made by [`Line`]s; right-hand sides are compiled expressions of them at every point. A value that
//! is given at a wall is put into the state before anything reads it.

pub mod chebyshev;
mod elliptic;
mod jacobian;
pub mod line;
mod sides;

use eddy_expr::{Discretization, Kernel, Role, ir::Id, kernel::Part, kernel::Source};

use crate::{
    error::{Place, SolveError},
    evaluate::{Pointwise, Scalar, Uniforms},
    grid::Grid,
    statement::Statement,
    stencil::Stencil,
};
use chebyshev::Ends;
use elliptic::Elliptic;
pub use jacobian::{Jacobian, LinearPart};
use line::Line;

/// An array of a field: which variable and part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    pub variable: u16,
    pub part: Part,
}

/// A derivative array that an expression reads.
struct Wanted<R> {
    component: usize,
    orders: [u8; 3],
    values: Vec<R>,
}

/// What a kernel reads: a component itself, or a derivative.
#[derive(Clone, Copy, Debug)]
enum Read {
    Field(usize),
    Derivative(usize),
    Noise,
}

struct Evaluation<R> {
    kernel: Pointwise<R>,
    reads: Vec<Read>,
    outputs: Vec<Vec<R>>,
}

/// The right-hand sides of a variable's conditions at its sides, over the faces.
#[derive(Clone, Debug)]
struct Given<R> {
    /// By side and condition; empty means zero.
    values: [[[Vec<R>; 2]; 2]; 3],
    needs_time: bool,
}

/// A side where waves leave.
#[derive(Clone, Debug)]
struct Outgoing {
    axis: usize,
    side: usize,
    /// Positions in the state of u and u_t.
    pair: (usize, usize),
    speed: f64,
}

/// Noise in the equation of a component of the state.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    pub component: usize,
    pub channel: u16,
    pub is_multiplicative: bool,
}

/// The discretized system. Its state holds the stepped components, one after the other.
pub struct Difference<R: Scalar> {
    pub grid: Grid,
    pub accuracy: u8,
    pub parameters: Vec<f64>,
    statement: Statement,
    /// Stepped components first, then elliptic ones.
    pub components: Vec<Component>,
    pub stepped: usize,
    fields: Vec<Vec<R>>,
    wanted: Vec<Wanted<R>>,
    lines: Vec<(u16, usize, u8, Line<R>)>,
    given: Vec<Option<Given<R>>>,
    given_time: Option<f64>,
    /// On Chebyshev points: how the ends of each component follow from the rest.
    ends: Vec<Option<Ends<R>>>,
    /// Grid points at which a component's value is given, as (point, axis, side, place on the face, condition).
    fixed: Vec<Vec<(usize, usize, usize, usize, usize)>>,
    rates: Evaluation<R>,
    /// The same right-hand sides in one pass, where that can be done; set to `None` to use derivative arrays.
    pub stencil: Option<Box<Stencil<R>>>,
    integrands: Option<Evaluation<R>>,
    is_mean: Vec<bool>,
    integrals: Vec<f64>,
    noise: Option<Evaluation<R>>,
    pub noise_terms: Vec<Noise>,
    elliptic: Vec<Elliptic<R>>,
    outgoing: Vec<Outgoing>,
    work: Vec<R>,
    zeros: Vec<R>,
    pub evaluations: u64,
    pub warnings: Vec<String>,
    pub is_autonomous: bool,
    pub roles: Vec<Role>,
}

impl<R: Scalar> Difference<R> {
    pub fn new(statement: &Statement, accuracy: u8) -> Result<Self, SolveError> {
        let mut system = statement.system.clone();
        let grid = statement.grid.clone();
        let points = grid.points();
        let mut components = Vec::new();
        let stepped_variables = statement.stepped();
        let elliptic_variables: Vec<u16> = (0..system.variables.len() as u16)
            .filter(|index| system.variables[usize::from(*index)].role == Role::Elliptic)
            .collect();
        for variable in stepped_variables.iter().chain(&elliptic_variables) {
            components.push(Component { variable: *variable, part: Part::Real });
            if system.variables[usize::from(*variable)].is_complex {
                components.push(Component { variable: *variable, part: Part::Imaginary });
            }
        }
        let stepped = components.iter().filter(|c| stepped_variables.contains(&c.variable)).count();
        let mut wanted: Vec<Wanted<R>> = Vec::new();
        let mut noise_terms = Vec::new();
        let mut amplitudes = Vec::new();
        for variable in &stepped_variables {
            let Some(split) = system.split(*variable) else { continue };
            let split = split.map_err(|diagnostic| text_error(statement, diagnostic))?;
            for term in split.noise {
                if term.orders != [0; 3] {
                    return Err(SolveError::value(
                        "equations",
                        "noise under a derivative needs periodic sides and space = \"fourier\"",
                    ));
                }
                let is_complex = system.graph.is_complex(term.amplitude);
                for part in [Part::Real, Part::Imaginary] {
                    let place = components.iter().position(|c| c.variable == *variable && c.part == part);
                    if let (Some(component), true) = (place, part == Part::Real || is_complex) {
                        noise_terms.push(Noise {
                            component,
                            channel: term.channel,
                            is_multiplicative: term.is_multiplicative,
                        });
                    }
                }
                amplitudes.push((term.amplitude, is_complex));
            }
        }
        let mut compile = |kernel: &Kernel| -> Result<Evaluation<R>, SolveError> {
            let mut reads = Vec::new();
            for slot in &kernel.slots {
                reads.push(match slot.source {
                    Source::Noise(_) => Read::Noise,
                    Source::Variable { index, part } => {
                        let Some(component) = components.iter().position(|c| c.variable == index && c.part == part)
                        else {
                            return Err(SolveError::value("equations", "a field is read that nothing determines"));
                        };
                        if slot.orders == [0; 3] {
                            Read::Field(component)
                        } else {
                            let known = wanted.iter().position(|w| w.component == component && w.orders == slot.orders);
                            Read::Derivative(known.unwrap_or_else(|| {
                                let values = vec![R::of(0.0); points];
                                wanted.push(Wanted { component, orders: slot.orders, values });
                                wanted.len() - 1
                            }))
                        }
                    }
                });
            }
            let outputs = vec![vec![R::of(0.0); points]; kernel.outputs.len()];
            Ok(Evaluation { kernel: Pointwise::new(kernel, &grid), reads, outputs })
        };
        let kernel_error = |system: &eddy_expr::System, error: &eddy_expr::KernelError| {
            text_error(statement, system.kernel_diagnostic(error))
        };
        let rates_kernel =
            system.rates_kernel(Discretization::Pointwise).map_err(|error| kernel_error(&system, &error))?;
        let rates = compile(&rates_kernel)?;
        let mut compile_ids = |system: &mut eddy_expr::System, ids: &[(Id, bool)]| {
            if ids.is_empty() {
                return Ok(None);
            }
            let kernel = system.kernel(ids, Discretization::Pointwise).map_err(|error| kernel_error(system, &error))?;
            compile(&kernel).map(Some)
        };
        let ids: Vec<(Id, bool)> = system.integrals.iter().map(|integral| (integral.integrand, false)).collect();
        let integrands = compile_ids(&mut system, &ids)?;
        let noise = compile_ids(&mut system, &amplitudes)?;
        let elliptic = Elliptic::all(statement, &mut system, &elliptic_variables, &components, &grid)?;
        // Derivatives that only elliptic residuals read.
        for line in &elliptic {
            for (component, orders) in line.reads() {
                if orders != [0; 3] && !wanted.iter().any(|w| w.component == component && w.orders == orders) {
                    wanted.push(Wanted { component, orders, values: vec![R::of(0.0); points] });
                }
            }
        }
        let mut difference = Self {
            accuracy,
            parameters: statement.parameters.clone(),
            fields: vec![vec![R::of(0.0); points]; components.len()],
            given: Vec::new(),
            given_time: None,
            fixed: Vec::new(),
            ends: Vec::new(),
            lines: Vec::new(),
            is_mean: system.integrals.iter().map(|integral| integral.is_mean).collect(),
            integrals: vec![0.0; system.integrals.len()],
            work: vec![R::of(0.0); points],
            zeros: vec![R::of(0.0); if system.noise_channels > 0 { points } else { 0 }],
            outgoing: Vec::new(),
            evaluations: 0,
            warnings: Vec::new(),
            is_autonomous: statement.is_autonomous(),
            roles: statement.system.variables.iter().map(|variable| variable.role).collect(),
            statement: statement.clone(),
            grid,
            components,
            stepped,
            wanted,
            rates,
            stencil: None,
            integrands,
            noise,
            noise_terms,
            elliptic,
        };
        difference.check_points()?;
        let needed: Vec<(u16, [u8; 3])> =
            difference.wanted.iter().map(|w| (difference.components[w.component].variable, w.orders)).collect();
        for (variable, orders) in needed {
            difference.add_lines(variable, orders);
        }
        difference.read_sides(&mut system)?;
        difference.stencil = difference.fused(&mut system).map(Box::new);
        Ok(difference)
    }

    /// The right-hand sides in one pass: on periodic grids, where walls ask for nothing that ghosts do not give exactly as
    /// derivative arrays do, and for systems that are differenced against the flow.
    fn fused(&self, system: &mut eddy_expr::System) -> Option<Stencil<R>> {
        let dimension = self.grid.dimension();
        let is_upwinded = system.graph.nodes().any(|(_, node)| matches!(node, eddy_expr::ir::Node::Upwind(..)));
        let has_walls = !self.grid.is_periodic();
        // First derivatives of order 2 and second ones come from one polynomial at a wall.
        let is_plain = |orders: [u8; 3]| match orders.iter().filter(|order| **order > 0).count() {
            0 => true,
            1 => orders.contains(&2) || (orders.contains(&1) && self.accuracy == 2),
            _ => false,
        };
        // Of higher orders the rows at walls are one-sided differences of another width.
        let is_same_at_walls = self.accuracy <= 4 && self.wanted.iter().all(|w| is_plain(w.orders));
        if dimension == 0 || (has_walls && !is_upwinded && !is_same_at_walls) {
            return None;
        }
        let kernel = system.rates_kernel(Discretization::Stencil(self.accuracy)).ok()?;
        let parameters = u16::try_from(self.parameters.len()).ok()?;
        Stencil::new(&kernel, &self.grid, self.accuracy, &self.components, parameters, |component, axis| {
            self.end_conditions(self.components[component].variable, axis)
        })
    }

    fn check_points(&self) -> Result<(), SolveError> {
        for wanted in &self.wanted {
            for axis in 0..self.grid.dimension() {
                let (order, points) = (wanted.orders[axis], self.grid.axes[axis].points);
                let is_chebyshev = self.grid.axes[axis].is_chebyshev;
                let least =
                    if is_chebyshev { usize::from(order) + 2 } else { line::least_points(order, self.accuracy) };
                if order > 0 && points < least {
                    return Err(SolveError::value(
                        format!("domain.{}.points", ["x", "y", "z"][axis]),
                        format!(
                            "{points} points are too few for a derivative of order {order} by differences of order {}: at \
                             least {least} are needed",
                            self.accuracy
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// New values of the parameters; conditions and factors follow at the next evaluation.
    pub fn set_parameters(&mut self, parameters: &[f64]) {
        self.parameters = parameters.to_vec();
        self.given_time = None;
    }

    pub fn size(&self) -> usize {
        self.stepped * self.grid.points()
    }

    pub fn has_elliptic(&self) -> bool {
        !self.elliptic.is_empty()
    }

    /// Why an elliptic line had no solution when it was last solved.
    pub fn failure(&self) -> Option<&str> {
        self.elliptic.iter().find_map(|line| line.failure.as_deref())
    }

    pub fn has_integrals(&self) -> bool {
        self.integrands.is_some()
    }

    /// Highest total order of derivatives in the right-hand sides.
    pub fn order(&self) -> u32 {
        self.wanted.iter().map(|w| w.orders.iter().map(|o| u32::from(*o)).sum()).max().unwrap_or(0)
    }

    /// Largest factor by which a difference multiplies a wave: sums of its weights' sizes.
    pub fn largest_factor(&self, orders: [u8; 3]) -> f64 {
        (0..self.grid.dimension())
            .map(|axis| match orders[axis] {
                0 => 1.0,
                order if self.grid.axes[axis].is_chebyshev => {
                    // The largest eigenvalue of the second derivative is about 0.047 n⁴ on [-1, 1] (Weideman & Trefethen 1988).
                    let axis = &self.grid.axes[axis];
                    (0.22 * (axis.points as f64).powi(2) * 2.0 / axis.length()).powi(i32::from(order))
                }
                order => {
                    let axis = &self.grid.axes[axis];
                    let line = Line::<f64>::new(
                        order,
                        self.accuracy,
                        4 * line::least_points(order, self.accuracy),
                        axis.spacing(),
                        true,
                        [&[], &[]],
                    );
                    let most = |theta: f64| -> f64 {
                        let (mut re, mut im) = (0.0, 0.0);
                        for (j, w) in line.interior.iter().enumerate() {
                            let angle = (j as f64 - line.reach as f64) * theta;
                            re += w * angle.cos();
                            im += w * angle.sin();
                        }
                        re.hypot(im)
                    };
                    (0..=64).map(|i| most(std::f64::consts::PI * f64::from(i) / 64.0)).fold(0.0, f64::max)
                }
            })
            .product()
    }

    pub fn encode(&mut self, values: &[(Vec<R>, Vec<R>)], state: &mut [R]) {
        let points = self.grid.points();
        let mut blocks = state.chunks_mut(points);
        let variables = self.statement.stepped();
        for (variable, (re, im)) in variables.iter().zip(values) {
            if let Some(block) = blocks.next() {
                block.copy_from_slice(re);
            }
            if self.statement.system.variables[usize::from(*variable)].is_complex
                && let Some(block) = blocks.next()
            {
                block.copy_from_slice(im);
            }
        }
    }

    pub fn decode(&mut self, time: f64, state: &[R]) -> Vec<(u16, Vec<R>, Vec<R>)> {
        self.load(time, state);
        let mut all: Vec<(u16, Vec<R>, Vec<R>)> = Vec::new();
        for (component, values) in self.components.iter().zip(&self.fields) {
            match component.part {
                Part::Real => all.push((component.variable, values.clone(), Vec::new())),
                Part::Imaginary => {
                    if let Some(last) = all.last_mut() {
                        last.2 = values.clone();
                    }
                }
            }
        }
        all
    }

    /// y' = f(t, y).
    pub fn evaluate(&mut self, time: f64, state: &[R], slope: &mut [R]) {
        self.evaluations += 1;
        if let Some(mut stencil) = self.stencil.take() {
            self.evaluate_fused(&mut stencil, time, state, slope);
            self.stencil = Some(stencil);
            return;
        }
        self.load(time, state);
        self.update_wanted();
        self.update_integrals(time);
        let points = self.grid.points();
        let mut rates = std::mem::replace(&mut self.rates, Evaluation::empty());
        self.run(&mut rates, time);
        for (block, values) in slope.chunks_mut(points).zip(&rates.outputs) {
            block.copy_from_slice(values);
        }
        self.rates = rates;
        self.fix_rates(slope);
    }

    fn evaluate_fused(&mut self, stencil: &mut Stencil<R>, time: f64, state: &[R], slope: &mut [R]) {
        let points = self.grid.points();
        // Where nothing is put into the state, it is read where it is.
        let is_bare = self.grid.is_periodic() && self.elliptic.is_empty() && self.integrands.is_none();
        if !is_bare {
            self.load(time, state);
            if self.integrands.is_some() {
                self.update_wanted();
                self.update_integrals(time);
            }
        }
        let uniforms = Uniforms { time, parameters: &self.parameters, integrals: &self.integrals };
        let field = |component: usize| {
            if is_bare {
                &state[component * points..(component + 1) * points]
            } else {
                self.fields[component].as_slice()
            }
        };
        let given = |component: usize| self.given[component].as_ref().map(|given| &given.values);
        stencil.evaluate(field, given, uniforms, slope);
        if !is_bare {
            self.fix_rates(slope);
        }
    }

    /// y + dt f(t, y) into `next` in one pass over memory; false, and nothing done, where the right-hand side needs more than
    /// one.
    pub fn euler(&mut self, time: f64, dt: f64, state: &[R], next: &mut [R]) -> bool {
        if !(self.grid.is_periodic() && self.elliptic.is_empty() && self.integrands.is_none()) {
            return false;
        }
        let Some(stencil) = &mut self.stencil else { return false };
        let points = self.grid.points();
        let uniforms = Uniforms { time, parameters: &self.parameters, integrals: &[] };
        let is_done = stencil.euler(|c| &state[c * points..(c + 1) * points], uniforms, dt, next);
        self.evaluations += u64::from(is_done);
        is_done
    }

    /// Values given at walls do not change by themselves; waves leave through absorbing sides.
    fn fix_rates(&mut self, slope: &mut [R]) {
        let points = self.grid.points();
        for (component, fixed) in self.fixed.iter().enumerate().take(self.stepped) {
            for (point, ..) in fixed {
                slope[component * points + point] = R::of(0.0);
            }
        }
        for out in &self.outgoing {
            let (u, v) = out.pair;
            let variable = self.components[v].variable;
            let Some((.., line)) = self.lines.iter().find(|(w, a, o, _)| (*w, *a, *o) == (variable, out.axis, FREE))
            else {
                continue;
            };
            line.apply(out.axis, self.grid.shape(), &self.fields[v], [[&[]; 2]; 2], &mut self.work);
            let sign = if out.side == 0 { 1.0 } else { -1.0 };
            for point in face(&self.grid, out.axis, out.side) {
                // u_t = v and v_t = -c v_n: the field follows its velocity, the velocity leaves.
                slope[u * points + point] = self.fields[v][point];
                slope[v * points + point] = self.work[point] * R::of(sign * out.speed);
            }
        }
    }

    /// Amplitudes of the noise terms at the points.
    pub fn noise_amplitudes(&mut self, time: f64, state: &[R]) -> Vec<Vec<R>> {
        let Some(mut evaluation) = self.noise.take() else { return Vec::new() };
        self.load(time, state);
        self.update_wanted();
        self.update_integrals(time);
        self.run(&mut evaluation, time);
        let mut amplitudes = evaluation.outputs.clone();
        for (amplitude, term) in amplitudes.iter_mut().zip(&self.noise_terms) {
            for (point, ..) in &self.fixed[term.component] {
                amplitude[*point] = R::of(0.0);
            }
        }
        self.noise = Some(evaluation);
        amplitudes
    }

    /// ∂^orders of a variable on the grid.
    pub fn derivative(&mut self, time: f64, state: &[R], variable: u16, orders: [u8; 3]) -> (Vec<R>, Vec<R>) {
        self.load(time, state);
        self.add_lines(variable, orders);
        let mut parts = [Vec::new(), Vec::new()];
        for (index, component) in self.components.clone().into_iter().enumerate() {
            if component.variable == variable {
                let mut values = vec![R::of(0.0); self.grid.points()];
                self.differentiate(index, orders, &mut values);
                parts[usize::from(component.part == Part::Imaginary)] = values;
            }
        }
        let [re, im] = parts;
        (re, im)
    }

    /// Takes a state in: given values at walls, elliptic fields.
    fn load(&mut self, time: f64, state: &[R]) {
        let points = self.grid.points();
        self.update_given(time);
        for (field, block) in self.fields.iter_mut().zip(state.chunks(points)).take(self.stepped) {
            field.copy_from_slice(block);
        }
        for component in 0..self.components.len() {
            self.put_fixed(component);
        }
        if !self.elliptic.is_empty() {
            let mut elliptic = std::mem::take(&mut self.elliptic);
            for line in &mut elliptic {
                line.solve(self, time);
            }
            self.elliptic = elliptic;
        }
    }

    fn update_wanted(&mut self) {
        for index in 0..self.wanted.len() {
            let mut values = std::mem::take(&mut self.wanted[index].values);
            let (component, orders) = (self.wanted[index].component, self.wanted[index].orders);
            self.differentiate(component, orders, &mut values);
            self.wanted[index].values = values;
        }
    }

    /// ∂^orders of a component as it is loaded. Mixed derivatives use the conditions along the first axis only: what they
    /// mean for a derivative along another axis is not known, so the second one is taken from the points alone.
    fn differentiate(&mut self, component: usize, orders: [u8; 3], out: &mut [R]) {
        let variable = self.components[component].variable;
        let shape = self.grid.shape();
        let mut is_first = true;
        for axis in 0..self.grid.dimension() {
            let order = orders[axis];
            if order == 0 {
                continue;
            }
            let Some((.., line)) = self.lines.iter().find(|(v, a, o, _)| (*v, *a, *o) == (variable, axis, order))
            else {
                continue;
            };
            if is_first {
                let empty: [[&[R]; 2]; 2] = [[&[]; 2]; 2];
                let given = self.given[component].as_ref().map_or(empty, |given| {
                    let side =
                        |side: usize| [given.values[axis][side][0].as_slice(), given.values[axis][side][1].as_slice()];
                    [side(0), side(1)]
                });
                line.apply(axis, shape, &self.fields[component], given, out);
                is_first = false;
            } else {
                self.work.copy_from_slice(out);
                let free = self.free_line(order, self.accuracy, axis);
                free.apply(axis, shape, &self.work, [[&[]; 2]; 2], out);
            }
        }
        if is_first {
            out.copy_from_slice(&self.fields[component]);
        }
    }

    fn run(&self, evaluation: &mut Evaluation<R>, time: f64) {
        let arrays: Vec<&[R]> = evaluation
            .reads
            .iter()
            .map(|read| match read {
                Read::Field(component) => self.fields[*component].as_slice(),
                Read::Derivative(index) => self.wanted[*index].values.as_slice(),
                // Noise is added by the method in time, not by the rate.
                Read::Noise => self.zeros.as_slice(),
            })
            .collect();
        let uniforms = Uniforms { time, parameters: &self.parameters, integrals: &self.integrals };
        evaluation.kernel.run(&arrays, uniforms, &mut evaluation.outputs);
    }

    fn update_integrals(&mut self, time: f64) {
        let Some(mut evaluation) = self.integrands.take() else { return };
        self.run(&mut evaluation, time);
        for (index, values) in evaluation.outputs.iter().enumerate() {
            let wide: Vec<f64> = values.iter().map(|v| eddy_numerics::Real::to_f64(*v)).collect();
            let total = crate::observe::integral_of_order(&self.grid, &wide, self.accuracy);
            self.integrals[index] = if self.is_mean[index] { total / self.grid.volume() } else { total };
        }
        self.integrands = Some(evaluation);
    }
}

/// Key of first derivatives without conditions among the lines.
const FREE: u8 = u8::MAX;

impl<R> Evaluation<R>
where
    R: Scalar,
{
    fn empty() -> Self {
        let kernel = Kernel { program: Default::default(), slots: Vec::new(), outputs: Vec::new() };
        Self { kernel: Pointwise::new(&kernel, &Grid::default()), reads: Vec::new(), outputs: Vec::new() }
    }
}

fn text_error(statement: &Statement, diagnostic: eddy_expr::Diagnostic) -> SolveError {
    SolveError::Text {
        place: Place::Equations,
        text: statement.problem.equations.clone(),
        diagnostics: vec![diagnostic],
    }
}

/// Indices of the points of a face, in the order of the other axes.
pub(crate) fn face(grid: &Grid, axis: usize, side: usize) -> Vec<usize> {
    let [nx, ny, nz] = grid.shape();
    let at = if side == 0 { 0 } else { [nx, ny, nz][axis] - 1 };
    match axis {
        0 => (0..ny * nz).map(|line| line * nx + at).collect(),
        1 => (0..nz * nx).map(|line| line / nx * (nx * ny) + at * nx + line % nx).collect(),
        _ => (0..nx * ny).map(|line| at * nx * ny + line).collect(),
    }
}

/// Coordinates of a point.
pub(crate) fn position(grid: &Grid, point: usize) -> [f64; 3] {
    let [nx, ny, _] = grid.shape();
    let index = [point % nx, point / nx % ny, point / (nx * ny)];
    [0, 1, 2].map(|axis| grid.axes.get(axis).map_or(0.0, |grid_axis| grid_axis.at(index[axis])))
}
