//! Fourier pseudo-spectral discretization of periodic systems.
//!
//! u_t = L u + N(u): L with constant coefficients is a small matrix for each wavenumber (fields that it couples are solved
//! together, elliptic lines are eliminated from it), N is evaluated at points. Products of p fields spread wavenumbers p
//! times; either N is evaluated on a grid fine enough that what folds back is discarded (padding), or the upper wavenumbers
//! of the state are given up (truncation). Canuto, Hussaini, Quarteroni, Zang (2006), Spectral Methods, section 3.4.

mod matrix;
mod parallel;
mod passes;
mod symbol;
pub mod transform;

use eddy_expr::{Discretization, Kernel, Role, ir::Id, kernel::Part, kernel::Source};
use eddy_numerics::Complex;

use crate::{
    error::{Place, SolveError},
    evaluate::{Pointwise, Scalar, Uniforms},
    grid::Grid,
    statement::Statement,
};
pub use matrix::{Blocks, CMatrix};
use passes::elliptic_passes;
pub use symbol::Symbol;
use transform::{Modes, Transform};

/// How aliases are kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dealias {
    Pad,
    Truncate,
    None,
}

/// A kernel with the derivatives it reads and where its results go.
struct Evaluation<R> {
    kernel: Pointwise<R>,
    /// For each array of the kernel: index into the list of wanted derivatives, and which part.
    reads: Vec<(usize, Part)>,
    outputs: Vec<Vec<R>>,
}

/// A derivative of a variable at the points.
struct Wanted<R> {
    variable: u16,
    orders: [u8; 3],
    re: Vec<R>,
    im: Vec<R>,
}

/// A transform with room for coefficients before and after it.
struct Worker<R: Scalar> {
    transform: Transform<R>,
    work: [Vec<Complex<R>>; 2],
}

/// One part of a right-hand side: ∂^orders of a value, in the equation of a variable.
#[derive(Clone, Copy, Debug)]
struct Root {
    variable: u16,
    orders: [u8; 3],
    value: Id,
}

/// Amplitude of a noise channel in the equation of a stepped variable.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Position among the stepped variables.
    pub position: usize,
    pub channel: u16,
    pub orders: [u8; 3],
    pub is_multiplicative: bool,
}

/// The discretized system. Its state is the kept coefficients of all stepped variables, one after the other.
pub struct Spectral<R: Scalar> {
    pub modes: Modes,
    /// Grid of the points at which the nonlinear part is evaluated.
    pub fine: Grid,
    pub parameters: Vec<f64>,
    pub symbol: Symbol,
    stepped: Vec<u16>,
    /// By stepped variable: whether its values are real numbers.
    is_real_field: Vec<bool>,
    elliptic: Vec<u16>,
    /// Transforms between coefficients and the fine grid, one for each that runs at the same time; never empty.
    workers: Vec<Worker<R>>,
    output: Transform<R>,
    wanted: Vec<Wanted<R>>,
    /// Right-hand sides of stepped variables, with their roots by output.
    rates: Option<(Evaluation<R>, Vec<Root>, Vec<eddy_expr::kernel::Output>)>,
    sources: Option<(Evaluation<R>, Vec<Root>, Vec<eddy_expr::kernel::Output>)>,
    integrands: Option<Evaluation<R>>,
    is_mean: Vec<bool>,
    integrals: Vec<f64>,
    noise: Option<(Evaluation<R>, Vec<eddy_expr::kernel::Output>)>,
    pub noise_terms: Vec<Noise>,
    /// Coefficients of the elliptic variables for the last state.
    solved: Vec<Complex<R>>,
    work: Vec<Complex<R>>,
    pub dealias: Dealias,
    pub is_autonomous: bool,
    pub roles: Vec<Role>,
    /// Highest degree of the nonlinear part, `None` where it is no polynomial.
    pub degree: Option<u32>,
    /// Evaluations of the nonlinear part so far.
    pub evaluations: u64,
    elliptic_passes: usize,
}

impl<R: Scalar> Spectral<R> {
    pub fn new(statement: &Statement, dealias: Option<Dealias>) -> Result<Self, SolveError> {
        let mut system = statement.system.clone();
        let grid = &statement.grid;
        let text_error = |diagnostic| SolveError::Text {
            place: Place::Equations,
            text: statement.problem.equations.clone(),
            diagnostics: vec![diagnostic],
        };
        let stepped = statement.stepped();
        let elliptic: Vec<u16> = (0..system.variables.len() as u16)
            .filter(|index| system.variables[usize::from(*index)].role == Role::Elliptic)
            .collect();
        let (mut roots, mut sources) = (Vec::new(), Vec::new());
        let mut noise_terms = Vec::new();
        let mut amplitudes = Vec::new();
        let mut degree = Some(1u32);
        for (position, variable) in stepped.iter().enumerate() {
            let Some(split) = system.split(*variable) else { continue };
            let split = split.map_err(text_error)?;
            degree = degree.zip(split.degree).map(|(a, b)| a.max(b));
            roots.extend(split.rest.map(|value| Root { variable: *variable, orders: [0; 3], value }));
            roots.extend(split.fluxes.iter().map(|flux| Root {
                variable: *variable,
                orders: flux.orders,
                value: flux.value,
            }));
            for term in &split.noise {
                noise_terms.push(Noise {
                    position,
                    channel: term.channel,
                    orders: term.orders,
                    is_multiplicative: term.is_multiplicative,
                });
                amplitudes.push((term.amplitude, system.graph.is_complex(term.amplitude)));
            }
        }
        for variable in &elliptic {
            let Some(split) = system.split_elliptic(*variable) else { continue };
            let split = split.map_err(text_error)?;
            degree = degree.zip(split.degree).map(|(a, b)| a.max(b));
            sources.extend(split.rest.map(|value| Root { variable: *variable, orders: [0; 3], value }));
            sources.extend(split.fluxes.iter().map(|flux| Root {
                variable: *variable,
                orders: flux.orders,
                value: flux.value,
            }));
        }
        let is_linear = roots.is_empty() && sources.is_empty();
        // A rest that only varies in space or time (degree 0 or 1) spreads wavenumbers like a product of two fields.
        let effective = if is_linear { Some(1) } else { degree.map(|degree| degree.max(2)) };
        let default = if grid.dimension() >= 2 && effective == Some(2) { Dealias::Truncate } else { Dealias::Pad };
        let dealias = if is_linear { Dealias::None } else { dealias.unwrap_or(default) };
        let (highest, fine) = resolution(grid, effective, dealias);
        let is_real = system.variables.iter().all(|variable| !variable.is_complex);
        let fundamental =
            [0, 1, 2].map(|axis| grid.axes.get(axis).map_or(1.0, |axis| std::f64::consts::TAU / axis.length()));
        let modes = Modes::new(highest, fundamental, is_real);
        let output = Transform::new(modes.clone(), grid.shape());
        let mut wanted = Vec::new();
        let mut compile =
            |system: &mut eddy_expr::System, ids: &[(Id, bool)]| -> Result<(Evaluation<R>, Kernel), SolveError> {
                let kernel = system
                    .kernel(ids, Discretization::Pointwise)
                    .map_err(|error| text_error(system.kernel_diagnostic(&error)))?;
                let reads = kernel
                    .slots
                    .iter()
                    .map(|slot| match slot.source {
                        Source::Variable { index, part } => {
                            let at = wanted
                                .iter()
                                .position(|w: &Wanted<R>| w.variable == index && w.orders == slot.orders)
                                .unwrap_or_else(|| {
                                    let points = fine.points();
                                    wanted.push(Wanted {
                                        variable: index,
                                        orders: slot.orders,
                                        re: vec![R::of(0.0); points],
                                        im: vec![R::of(0.0); if is_real { 0 } else { points }],
                                    });
                                    wanted.len() - 1
                                });
                            Ok((at, part))
                        }
                        Source::Noise(_) => Err(SolveError::value("equations", "noise must be a factor of one term")),
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let outputs = vec![vec![R::of(0.0); fine.points()]; kernel.outputs.len()];
                Ok((Evaluation { kernel: Pointwise::new(&kernel, &fine), reads, outputs }, kernel))
            };
        let mut group = |system: &mut eddy_expr::System, roots: Vec<Root>| -> Result<_, SolveError> {
            if roots.is_empty() {
                return Ok(None);
            }
            let ids: Vec<(Id, bool)> = roots
                .iter()
                .map(|root| (root.value, !is_real && system.variables[usize::from(root.variable)].is_complex))
                .collect();
            let (evaluation, kernel) = compile(system, &ids)?;
            Ok(Some((evaluation, roots, kernel.outputs)))
        };
        let elliptic_passes = elliptic_passes(&mut system, &elliptic, &sources)?;
        let rates = group(&mut system, roots)?;
        let sources = group(&mut system, sources)?;
        let integrand_ids: Vec<(Id, bool)> =
            system.integrals.iter().map(|integral| (integral.integrand, false)).collect();
        let integrands = if integrand_ids.is_empty() { None } else { Some(compile(&mut system, &integrand_ids)?.0) };
        let noise = if amplitudes.is_empty() {
            None
        } else {
            let (evaluation, kernel) = compile(&mut system, &amplitudes)?;
            Some((evaluation, kernel.outputs))
        };
        let linear = system.linear_symbol(&statement.parameters).map_err(text_error)?;
        let symbol = Symbol::new(&modes, &linear, &stepped, &elliptic)?;
        let zero = vec![Complex::default(); modes.len()];
        let most =
            |group: &Option<(Evaluation<R>, Vec<Root>, Vec<_>)>| group.as_ref().map_or(0, |(_, roots, _)| roots.len());
        let transforms = wanted.len().max(most(&rates)).max(most(&sources));
        Ok(Self {
            is_mean: system.integrals.iter().map(|integral| integral.is_mean).collect(),
            integrals: vec![0.0; system.integrals.len()],
            solved: vec![Complex::default(); modes.len() * elliptic.len()],
            parameters: statement.parameters.clone(),
            work: zero.clone(),
            workers: (0..parallel::at_once(transforms, fine.points()))
                .map(|_| Worker {
                    transform: Transform::new(modes.clone(), fine.shape()),
                    work: [zero.clone(), zero.clone()],
                })
                .collect(),
            modes,
            fine,
            symbol,
            is_real_field: stepped
                .iter()
                .map(|variable| !statement.system.variables[usize::from(*variable)].is_complex)
                .collect(),
            stepped,
            elliptic,
            output,
            wanted,
            rates,
            sources,
            integrands,
            noise,
            noise_terms,
            dealias,
            is_autonomous: statement.is_autonomous(),
            roles: statement.system.variables.iter().map(|variable| variable.role).collect(),
            degree: effective,
            evaluations: 0,
            elliptic_passes,
        })
    }

    pub fn stepped_variables(&self) -> &[u16] {
        &self.stepped
    }

    /// Coefficients in the state.
    pub fn size(&self) -> usize {
        self.modes.len() * self.stepped.len()
    }

    pub fn is_linear(&self) -> bool {
        self.rates.is_none() && self.sources.is_none()
    }

    /// State of given values on the grid: real and imaginary parts by stepped variable.
    pub fn encode(&mut self, values: &[(Vec<R>, Vec<R>)], state: &mut [Complex<R>]) {
        let n = self.modes.len();
        for ((re, im), part) in values.iter().zip(state.chunks_mut(n)) {
            let im: &[R] = if self.modes.is_real { &[] } else { im };
            self.output.forward(re, im, part);
        }
    }

    /// Removes what rounding has put into coefficients that a real field cannot have, û(-k) ≠ conj û(k): no transform
    /// sees that part, so nothing but the linear terms acts on it, and where they grow it grows without bound.
    pub fn make_real(&self, state: &mut [Complex<R>]) {
        for (part, is_real) in state.chunks_mut(self.modes.len()).zip(&self.is_real_field) {
            if !is_real {
                continue;
            }
            for index in 0..part.len() {
                if let Some(other) = self.modes.opposite(index)
                    && other >= index
                {
                    let mean = (part[index] + part[other].conj()) * R::of(0.5);
                    part[index] = mean;
                    part[other] = mean.conj();
                }
            }
        }
    }

    /// Values on the grid of all variables that are stepped, then of the elliptic ones.
    pub fn decode(&mut self, time: f64, state: &[Complex<R>]) -> Vec<(u16, Vec<R>, Vec<R>)> {
        let n = self.modes.len();
        let points = self.output.points();
        if !self.elliptic.is_empty() {
            self.solve_elliptic(time, state);
        }
        let mut all = Vec::new();
        let parts = state.chunks(n).zip(&self.stepped).map(|(part, variable)| (*variable, part));
        let solved = self.solved.chunks(n).zip(&self.elliptic).map(|(part, variable)| (*variable, part));
        for (variable, part) in parts.chain(solved) {
            let mut re = vec![R::of(0.0); points];
            let mut im = vec![R::of(0.0); if self.modes.is_real { 0 } else { points }];
            self.output.inverse(part, &mut re, &mut im);
            all.push((variable, re, im));
        }
        all
    }

    /// ∂^orders of a variable on the grid.
    pub fn derivative(&mut self, time: f64, state: &[Complex<R>], variable: u16, orders: [u8; 3]) -> (Vec<R>, Vec<R>) {
        let n = self.modes.len();
        let points = self.output.points();
        let mut re = vec![R::of(0.0); points];
        let mut im = vec![R::of(0.0); if self.modes.is_real { 0 } else { points }];
        if let Some(position) = self.stepped.iter().position(|v| *v == variable) {
            self.modes.derivative(orders, &state[position * n..(position + 1) * n], &mut self.work);
        } else if let Some(position) = self.elliptic.iter().position(|v| *v == variable) {
            self.solve_elliptic(time, state);
            self.modes.derivative(orders, &self.solved[position * n..(position + 1) * n], &mut self.work);
        } else {
            return (re, im);
        }
        self.output.inverse(&self.work, &mut re, &mut im);
        (re, im)
    }

    /// Highest total order of derivatives in the nonlinear part.
    pub fn nonlinear_order(&self) -> u32 {
        let total = |orders: [u8; 3]| orders.iter().map(|order| u32::from(*order)).sum::<u32>();
        let Some((evaluation, roots, _)) = &self.rates else { return 0 };
        let inner = evaluation.reads.iter().map(|(at, _)| total(self.wanted[*at].orders)).max().unwrap_or(0);
        let outer = roots.iter().map(|root| total(root.orders)).max().unwrap_or(0);
        inner + outer
    }

    /// N(t, û).
    pub fn nonlinear(&mut self, time: f64, state: &[Complex<R>], out: &mut [Complex<R>]) {
        out.fill(Complex::default());
        if self.is_linear() {
            return;
        }
        self.evaluations += 1;
        self.solve_elliptic(time, state);
        self.update_wanted(state);
        self.update_integrals(time);
        let n = self.modes.len();
        if self.sources.is_some() {
            // What the sources of elliptic lines add to the stepped equations beyond the eliminated linear part.
            let sources = self.source_coefficients(time);
            self.symbol.add_sources(&sources, out);
        }
        if let Some((mut evaluation, roots, outputs)) = self.rates.take() {
            self.run(&mut evaluation, time);
            let positions: Vec<usize> =
                roots.iter().map(|root| self.stepped.iter().position(|v| *v == root.variable).unwrap_or(0)).collect();
            self.collect(&evaluation, &roots, &outputs, |root| positions[root] * n, out);
            self.rates = Some((evaluation, roots, outputs));
        }
    }

    /// L û + N(t, û).
    pub fn rates(&mut self, time: f64, state: &[Complex<R>], out: &mut [Complex<R>]) {
        self.nonlinear(time, state, out);
        self.symbol.add_product(state, out);
    }

    /// Amplitudes of all noise terms at the points of the fine grid: real and imaginary parts.
    pub fn noise_amplitudes(&mut self, time: f64, state: &[Complex<R>]) -> Vec<(Vec<R>, Vec<R>)> {
        let Some((mut evaluation, outputs)) = self.noise.take() else { return Vec::new() };
        self.solve_elliptic(time, state);
        self.update_wanted(state);
        self.update_integrals(time);
        self.run(&mut evaluation, time);
        let mut amplitudes: Vec<(Vec<R>, Vec<R>)> = vec![(Vec::new(), Vec::new()); self.noise_terms.len()];
        for (output, values) in outputs.iter().zip(&evaluation.outputs) {
            match output.part {
                Part::Real => amplitudes[output.root].0 = values.clone(),
                Part::Imaginary => amplitudes[output.root].1 = values.clone(),
            }
        }
        self.noise = Some((evaluation, outputs));
        amplitudes
    }

    /// Coefficients of values on the fine grid, differentiated.
    pub fn coefficients(&mut self, re: &[R], im: &[R], orders: [u8; 3], out: &mut [Complex<R>]) {
        let im: &[R] = if self.modes.is_real { &[] } else { im };
        self.workers[0].transform.forward(re, im, &mut self.work);
        self.modes.derivative(orders, &self.work, out);
    }

    fn run(&mut self, evaluation: &mut Evaluation<R>, time: f64) {
        let arrays: Vec<&[R]> = evaluation
            .reads
            .iter()
            .map(|(at, part)| match part {
                Part::Real => self.wanted[*at].re.as_slice(),
                Part::Imaginary => self.wanted[*at].im.as_slice(),
            })
            .collect();
        let uniforms = Uniforms { time, parameters: &self.parameters, integrals: &self.integrals };
        evaluation.kernel.run(&arrays, uniforms, &mut evaluation.outputs);
    }

    /// Transforms the outputs and adds them at `place(root)` of `out`.
    fn collect(
        &mut self,
        evaluation: &Evaluation<R>,
        roots: &[Root],
        outputs: &[eddy_expr::kernel::Output],
        place: impl Fn(usize) -> usize,
        out: &mut [Complex<R>],
    ) {
        let n = self.modes.len();
        let mut real: Vec<usize> = (0..outputs.len()).filter(|index| outputs[*index].part == Part::Real).collect();
        let at_once = self.workers.len();
        let modes = &self.modes;
        for batch in real.chunks_mut(at_once) {
            parallel::each(&mut self.workers[..batch.len()], batch, |worker, index| {
                let root = outputs[*index].root;
                let imaginary = outputs
                    .iter()
                    .position(|other| other.root == root && other.part == Part::Imaginary)
                    .map_or(&[][..], |at| evaluation.outputs[at].as_slice());
                let [values_hat, derivative] = &mut worker.work;
                worker.transform.forward(&evaluation.outputs[*index], imaginary, values_hat);
                if roots[root].orders != [0; 3] {
                    modes.derivative(roots[root].orders, values_hat, derivative);
                }
            });
            // Added in the order of the equations, so that rounding does not depend on the threads.
            for (worker, index) in self.workers.iter().zip(batch.iter()) {
                let root = outputs[*index].root;
                let [values_hat, derivative] = &worker.work;
                let added = if roots[root].orders == [0; 3] { values_hat } else { derivative };
                for (place, value) in out[place(root)..][..n].iter_mut().zip(added) {
                    *place += *value;
                }
            }
        }
    }

    /// Of all elliptic variables, one after the other.
    fn source_coefficients(&mut self, time: f64) -> Vec<Complex<R>> {
        let n = self.modes.len();
        let mut all = vec![Complex::default(); n * self.elliptic.len()];
        if let Some((mut evaluation, roots, outputs)) = self.sources.take() {
            self.run(&mut evaluation, time);
            let positions: Vec<usize> =
                roots.iter().map(|root| self.elliptic.iter().position(|v| *v == root.variable).unwrap_or(0)).collect();
            self.collect(&evaluation, &roots, &outputs, |root| positions[root] * n, &mut all);
            self.sources = Some((evaluation, roots, outputs));
        }
        all
    }

    fn solve_elliptic(&mut self, time: f64, state: &[Complex<R>]) {
        if self.elliptic.is_empty() {
            return;
        }
        let passes = if self.sources.is_some() { self.elliptic_passes } else { 0 };
        let mut sources = Vec::new();
        for _ in 0..passes {
            self.update_wanted(state);
            self.update_integrals(time);
            sources = self.source_coefficients(time);
            self.symbol.solve_elliptic(state, &sources, &mut self.solved);
        }
        if passes == 0 {
            self.symbol.solve_elliptic(state, &sources, &mut self.solved);
        }
    }

    /// Derivatives at the points, from the state and the solved elliptic fields.
    fn update_wanted(&mut self, state: &[Complex<R>]) {
        let n = self.modes.len();
        let Self { wanted, workers, modes, stepped, elliptic, solved, .. } = self;
        parallel::each(workers, wanted, |worker, wanted| {
            let source = match stepped.iter().position(|v| *v == wanted.variable) {
                Some(position) => &state[position * n..(position + 1) * n],
                None => match elliptic.iter().position(|v| *v == wanted.variable) {
                    Some(position) => &solved[position * n..(position + 1) * n],
                    None => return,
                },
            };
            if wanted.orders == [0; 3] {
                worker.transform.inverse(source, &mut wanted.re, &mut wanted.im);
            } else {
                modes.derivative(wanted.orders, source, &mut worker.work[0]);
                worker.transform.inverse(&worker.work[0], &mut wanted.re, &mut wanted.im);
            }
        });
    }

    fn update_integrals(&mut self, time: f64) {
        let Some(mut evaluation) = self.integrands.take() else { return };
        self.run(&mut evaluation, time);
        for ((value, is_mean), values) in self.integrals.iter_mut().zip(&self.is_mean).zip(&evaluation.outputs) {
            let sum: f64 = values.iter().map(|v| Real64::of(*v)).sum();
            *value = if *is_mean { sum / values.len() as f64 } else { sum * self.fine.cell() };
        }
        self.integrands = Some(evaluation);
    }
}

/// `to_f64` of one of the two traits that both have it.
struct Real64;
impl Real64 {
    fn of<R: Scalar>(value: R) -> f64 {
        eddy_numerics::Real::to_f64(value)
    }
}

/// Kept wavenumbers and evaluation grid for a nonlinear part of a degree.
fn resolution(grid: &Grid, degree: Option<u32>, dealias: Dealias) -> ([usize; 3], Grid) {
    let mut highest = [0; 3];
    let mut fine = grid.clone();
    // Products of p modes below K reach pK and fold to M - pK, which is above K where M > (p + 1)K. What is no polynomial
    // has no such bound; it is treated as of degree 2, the common compromise.
    let p = degree.unwrap_or(2).max(1) as usize;
    for (axis, k) in highest.iter_mut().enumerate().take(grid.dimension()) {
        let n = grid.axes[axis].points;
        let nyquist = n.div_ceil(2) - 1;
        match dealias {
            Dealias::None => *k = nyquist,
            Dealias::Truncate => *k = (n.saturating_sub(1) / (p + 1)).min(nyquist),
            Dealias::Pad => {
                *k = nyquist;
                fine.axes[axis].points = fast_size(((p + 1) * nyquist + 1).max(n));
            }
        }
    }
    (highest, fine)
}

/// The next number that is a product of 2, 3 and 5 with at least one 2: fast to transform.
fn fast_size(least: usize) -> usize {
    let mut size = least.max(2).next_multiple_of(2);
    loop {
        let mut rest = size;
        for factor in [2, 3, 5] {
            while rest.is_multiple_of(factor) {
                rest /= factor;
            }
        }
        // In a browser every length but a power of two goes through Bluestein's algorithm, five times the work.
        if rest == 1 && (!cfg!(target_arch = "wasm32") || size.is_power_of_two()) {
            return size;
        }
        size += 2;
    }
}
