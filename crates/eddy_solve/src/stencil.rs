//! Right-hand sides by finite differences in one pass: the kernel reads neighbours itself instead of arrays of derivatives.
//!
//! On periodic planes the inside reads the fields where they are; only a frame along the edges, as wide as the stencil
//! reaches, reads copies with the neighbours from across. Explicit Euler steps are made in the same pass: u + dt f(u).
//! Elsewhere fields get layers of ghost points around the grid, as wide as the stencil reaches, and the whole right-hand side of a row
//! is worked out while it stays in the cache, or by a module compiled at run time. On periodic axes ghosts repeat the other
//! side. Beyond a wall they hold the polynomial through the nearest points that satisfies the conditions at the wall (of
//! degree = order of accuracy, at most 4 where no slope is given): the polynomial of [`line`], so that second derivatives
//! come out as they do there. Along edges and corners the layers of x are made first, then y, then z from those.
//!
//! `upwind(a, u)` is differenced against the flow only here: arrays of derivatives are made before the velocity is known.

use eddy_expr::{
    Kernel,
    ir::{Leaf, Op2},
    kernel::{Part, Source},
    program::{Action, Instruction, Operand, Program, Uniform, UniformInput},
};

use crate::{
    compiled::{Plane, Runner},
    difference::{Component, line},
    evaluate::{Scalar, Uniforms},
    grid::Grid,
};

/// One layer of ghosts beyond a wall: Σ weights[j] u_j + Σ data[c] g_c, with j counted inward from the wall.
#[derive(Clone, Debug)]
struct Layer<R> {
    weights: Vec<R>,
    data: [R; 2],
}

/// Layers at both walls of an axis, nearest first.
type Walls<R> = [Vec<Layer<R>>; 2];

/// Conditions at both ends of one axis for one component, in the terms of [`line`].
pub type Ends = [Vec<line::EndCondition>; 2];

/// Right-hand sides of conditions over a face: by axis, side and condition; empty means zero.
pub type GivenValues<R> = [[[Vec<R>; 2]; 2]; 3];

/// A stencil kernel on a grid.
#[derive(Clone, Debug)]
pub struct Stencil<R> {
    runner: Runner<R>,
    /// u + dt f(u), with dt as the parameter after the last one; on periodic planes.
    euler: Option<Runner<R>>,
    /// Component of each slot.
    components: Vec<usize>,
    /// By slot: values with ghosts; of the whole grid, or of one part of the frame.
    padded: Vec<Vec<R>>,
    /// Width of the frame's parts at the ends of rows, at least a vector, where the inside is read in place.
    margin: Option<usize>,
    /// By slot and axis; `None` on periodic axes.
    walls: Vec<[Option<Walls<R>>; 3]>,
    shape: [usize; 3],
    reach: [usize; 3],
}

impl<R: Scalar> Stencil<R> {
    /// `None` where a slot is no component, or the grid has fewer points than the stencil reaches. `ends` gives the
    /// conditions of a component along an axis, `parameters` is their count.
    pub fn new(
        kernel: &Kernel,
        grid: &Grid,
        accuracy: u8,
        components: &[Component],
        parameters: u16,
        ends: impl Fn(usize, usize) -> Ends,
    ) -> Option<Self> {
        let shape = grid.shape();
        let reach = kernel.program.reach();
        if (0..3).any(|axis| reach[axis] > shape[axis]) || grid.axes.iter().any(|axis| axis.is_chebyshev) {
            return None;
        }
        let mut found = Vec::new();
        for slot in &kernel.slots {
            let Source::Variable { index, part } = slot.source else { return None };
            found.push(components.iter().position(|c| c.variable == index && c.part == part)?);
        }
        let walls = found
            .iter()
            .map(|component| {
                [0, 1, 2].map(|axis| {
                    let grid_axis = grid.axes.get(axis).filter(|grid_axis| !grid_axis.is_periodic)?;
                    let ends = ends(*component, axis);
                    let layers =
                        |side: usize| layers(&ends[side], accuracy, grid_axis.points, grid_axis.spacing(), reach[axis]);
                    Some([layers(0), layers(1)])
                })
            })
            .collect();
        let [nx, ny, _] = shape;
        let [rx, ry, _] = reach;
        let margin = rx.max(16 / size_of::<R>());
        let margin = (grid.is_periodic() && grid.dimension() == 2 && nx >= 3 * margin && ny > 2 * ry).then_some(margin);
        let room = match margin {
            Some(margin) => ((nx + 2 * rx) * 3 * ry).max((margin + 2 * rx) * ny),
            None => (0..3).map(|axis| shape[axis] + 2 * reach[axis]).product(),
        };
        let euler = margin.map(|_| euler_program(kernel, parameters, components, &mut found));
        Some(Self {
            runner: Runner::new(kernel.program.clone(), grid, margin.unwrap_or(nx)),
            euler: euler.map(|program| Runner::new(program, grid, margin.unwrap_or(nx))),
            padded: vec![vec![R::of(0.0); room]; found.len()],
            components: found,
            margin,
            walls,
            shape,
            reach,
        })
    }

    /// Whether calls go to a compiled module.
    pub fn is_compiled(&self) -> bool {
        self.runner.is_compiled()
    }

    /// Right-hand sides of the components that are stepped, one after the other, in `slope`. `field(component)` gives the
    /// values of a component, `given` the right-hand sides of its conditions.
    pub fn evaluate<'a>(
        &mut self,
        field: impl Fn(usize) -> &'a [R],
        given: impl Fn(usize) -> Option<&'a GivenValues<R>>,
        uniforms: Uniforms<'_>,
        slope: &mut [R],
    ) {
        let points: usize = self.shape.iter().product();
        self.runner.set_uniforms(uniforms, points);
        if let Some(margin) = self.margin {
            let frame = Frame { shape: self.shape, reach: self.reach, margin };
            let fields: Vec<&[R]> = self.components.iter().map(|component| field(*component)).collect();
            frame.run(&mut self.runner, &fields, &mut self.padded, slope);
            return;
        }
        for slot in 0..self.walls.len() {
            let component = self.components[slot];
            self.pad(slot, field(component), given(component));
        }
        let [nx, ny, nz] = self.shape;
        let [wx, wy] = [nx + 2 * self.reach[0], ny + 2 * self.reach[1]];
        let arrays: Vec<&[R]> = self.padded.iter().map(Vec::as_slice).collect();
        let mut blocks: Vec<&mut [R]> = slope.chunks_mut(points).collect();
        for z in 0..nz {
            let start = ((z + self.reach[2]) * wy + self.reach[1]) * wx + self.reach[0];
            let output = [z * nx * ny, nx];
            let plane = Plane { start, strides: [wx, wx * wy], shape: [nx, ny], origin: [0, 0, z], output };
            self.runner.run(&arrays, plane, &mut blocks);
        }
    }

    /// One step of explicit Euler, u + dt f(u), from `field` into `next`, in one pass. False, and nothing done, where the
    /// grid is no periodic plane.
    pub fn euler<'a>(
        &mut self,
        field: impl Fn(usize) -> &'a [R],
        uniforms: Uniforms<'_>,
        dt: f64,
        next: &mut [R],
    ) -> bool {
        let (Some(margin), Some(runner)) = (self.margin, &mut self.euler) else { return false };
        let parameters: Vec<f64> = uniforms.parameters.iter().copied().chain([dt]).collect();
        runner.set_uniforms(Uniforms { parameters: &parameters, ..uniforms }, self.shape.iter().product());
        let fields: Vec<&[R]> = self.components.iter().map(|component| field(*component)).collect();
        Frame { shape: self.shape, reach: self.reach, margin }.run(runner, &fields, &mut self.padded, next);
        true
    }

    fn pad(&mut self, slot: usize, values: &[R], given: Option<&GivenValues<R>>) {
        let [nx, ny, nz] = self.shape;
        let [rx, ry, rz] = self.reach;
        let [wx, wy] = [nx + 2 * rx, ny + 2 * ry];
        let padded = &mut self.padded[slot];
        for z in 0..nz {
            for y in 0..ny {
                let to = ((z + rz) * wy + y + ry) * wx + rx;
                let from = (z * ny + y) * nx;
                padded[to..to + nx].copy_from_slice(&values[from..from + nx]);
            }
        }
        // Where each axis has its lines, and where a line stands on the faces: from the layers of earlier axes a line takes
        // the right-hand side of the nearest one on the grid.
        for axis in 0..3 {
            let reach = self.reach[axis];
            if reach == 0 {
                continue;
            }
            let count = self.shape[axis];
            let [step, outer, inner] = match axis {
                0 => [1, wx, wx * wy],
                1 => [wx, 1, wx * wy],
                _ => [wx * wy, 1, wx],
            };
            // Ranges of the other two axes: with ghosts where they were made before.
            let (first, second) = match axis {
                0 => (ry..ry + ny, rz..rz + nz),
                1 => (0..wx, rz..rz + nz),
                _ => (0..wx, 0..wy),
            };
            for b in second {
                for a in first.clone() {
                    let line = a * outer + b * inner;
                    let at = |index: usize| line + index * step;
                    match &self.walls[slot][axis] {
                        None => {
                            for layer in 0..reach {
                                padded[at(layer)] = padded[at(layer + count)];
                                padded[at(reach + count + layer)] = padded[at(reach + layer)];
                            }
                        }
                        Some(walls) => {
                            // Faces are stored in the order of the other axes.
                            let place = match axis {
                                0 => (b - rz) * ny + (a - ry),
                                1 => (b - rz) * nx + a.saturating_sub(rx).min(nx - 1),
                                _ => b.saturating_sub(ry).min(ny - 1) * nx + a.saturating_sub(rx).min(nx - 1),
                            };
                            for side in 0..2 {
                                for (distance, layer) in walls[side].iter().enumerate() {
                                    let inward = |j: usize| if side == 0 { reach + j } else { reach + count - 1 - j };
                                    let mut sum = R::of(0.0);
                                    for (j, weight) in layer.weights.iter().enumerate() {
                                        sum += padded[at(inward(j))] * *weight;
                                    }
                                    for (index, weight) in layer.data.iter().enumerate() {
                                        let values = given.map(|given| &given[axis][side][index]);
                                        if let Some(g) = values.and_then(|values| values.get(place)) {
                                            sum += *g * *weight;
                                        }
                                    }
                                    let ghost = if side == 0 { reach - 1 - distance } else { reach + count + distance };
                                    padded[at(ghost)] = sum;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How a periodic plane is cut: the inside, and four parts along the edges.
#[derive(Clone, Copy)]
struct Frame {
    shape: [usize; 3],
    reach: [usize; 3],
    margin: usize,
}

impl Frame {
    /// Evaluates all points; `patches` is room for a part of the frame with its neighbours, by slot.
    fn run<R: Scalar>(self, runner: &mut Runner<R>, fields: &[&[R]], patches: &mut [Vec<R>], outputs: &mut [R]) {
        let ([nx, ny, _], [rx, ry, _], margin) = (self.shape, self.reach, self.margin);
        let mut blocks: Vec<&mut [R]> = outputs.chunks_mut(nx * ny).collect();
        let inner = ny - 2 * ry;
        let parts = [(0, 0, nx, ry), (0, ny - ry, nx, ry), (0, ry, margin, inner), (nx - margin, ry, margin, inner)];
        for (x, y, width, height) in parts {
            if height == 0 {
                continue;
            }
            let along = width + 2 * rx;
            for (patch, field) in patches.iter_mut().zip(fields) {
                for (row, to) in patch.chunks_exact_mut(along).take(height + 2 * ry).enumerate() {
                    let from = &field[(y + row + ny - ry) % ny * nx..][..nx];
                    let mut at = (x + nx - rx) % nx;
                    // By hand: most rows are too short for a call that copies memory.
                    for place in to {
                        *place = from[at];
                        at += 1;
                        if at == nx {
                            at = 0;
                        }
                    }
                }
            }
            let arrays: Vec<&[R]> = patches.iter().map(Vec::as_slice).collect();
            let (start, shape, origin) = (ry * along + rx, [width, height], [x, y, 0]);
            let plane = Plane { start, strides: [along, 0], shape, origin, output: [y * nx + x, nx] };
            runner.run(&arrays, plane, &mut blocks);
        }
        let first = ry * nx + margin;
        let shape = [nx - 2 * margin, inner];
        let plane = Plane { start: first, strides: [nx, 0], shape, origin: [margin, ry, 0], output: [first, nx] };
        runner.run(fields, plane, &mut blocks);
    }
}

/// A kernel's program with u + dt·f in place of each f, where dt is the parameter `dt`. Components that it does not read
/// become slots behind the others.
fn euler_program(kernel: &Kernel, dt: u16, components: &[Component], slots: &mut Vec<usize>) -> Program {
    let mut program = kernel.program.clone();
    let factor = Operand::Uniform(program.uniforms.len() as u32);
    program.uniforms.push(Uniform::Input(UniformInput::Parameter(dt)));
    for component in 0..program.outputs.len() {
        let slot = slots.iter().position(|known| *known == component).unwrap_or_else(|| {
            let Component { variable, part } = components[component];
            program.arrays.push(match part {
                Part::Real => Leaf::RealPart(variable),
                Part::Imaginary => Leaf::ImaginaryPart(variable),
            });
            slots.push(component);
            slots.len() - 1
        });
        let mut push = |op: Op2, a: Operand, b: Operand| {
            program.code.push(Instruction { action: Action::Two(op), operands: [a, b, a] });
            Operand::Result(program.code.len() as u32 - 1)
        };
        let change = push(Op2::Mul, factor, program.outputs[component]);
        let old = Operand::Array { slot: slot as u16, offset: [0; 3] };
        program.outputs[component] = push(Op2::Add, old, change);
    }
    program
}

/// The layers at one wall.
fn layers<R: Scalar>(
    conditions: &[line::EndCondition],
    accuracy: u8,
    points: usize,
    spacing: f64,
    reach: usize,
) -> Vec<Layer<R>> {
    let slopes: Vec<(usize, [f64; 4])> = conditions
        .iter()
        .enumerate()
        .filter(|(_, condition)| !condition.is_dirichlet)
        .map(|(index, condition)| (index, condition.coefficients))
        .collect();
    let factors: Vec<[f64; 4]> = slopes.iter().map(|(_, factors)| *factors).collect();
    let is_open = factors.is_empty() || conditions.iter().any(|condition| condition.is_dirichlet);
    let accuracy = usize::from(if is_open { accuracy.min(4) } else { accuracy });
    let nodes = (accuracy + 1 - factors.len().min(accuracy)).min(points);
    let distances: Vec<f64> = (0..nodes).map(|j| j as f64).collect();
    (1..=reach)
        .map(|layer| {
            let (values, given) = line::weights(&distances, &factors, 0, -(layer as f64), spacing);
            let mut data = [R::of(0.0); 2];
            for ((index, _), weight) in slopes.iter().zip(&given) {
                data[*index] = R::of(*weight);
            }
            Layer { weights: values.into_iter().map(R::of).collect(), data }
        })
        .collect()
}
