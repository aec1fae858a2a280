//! A graph as straight-line code: constants and parameters hoisted out of the loop over points, powers reduced,
//! instructions ordered so that few values are alive at once. What the interpreter, WASM and WGSL lower from.

use std::collections::HashMap;

use crate::ir::{Graph, Id, Leaf, Node, Op1, Op2};

/// Where an operand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A number that is the same at all points, by index into [`Program::uniforms`].
    Uniform(u32),
    /// A coordinate, varying from point to point.
    Coordinate(u8),
    /// An array at an offset, in points.
    Array { slot: u16, offset: [i8; 3] },
    /// The result of an instruction of the point code, by index.
    Result(u32),
}

/// A number that is the same at all points of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Uniform {
    Constant(f64),
    /// Given by the caller for each call.
    Input(UniformInput),
    /// Worked out once per call from earlier uniforms.
    Computed(Instruction),
}

/// Numbers that the caller gives for each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UniformInput {
    Parameter(u16),
    Time,
    Integral(u16),
    /// One over the grid spacing of an axis.
    InverseSpacing(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    One(Op1),
    Two(Op2),
    Select,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instruction {
    pub action: Action,
    /// Operands; those beyond the arity repeat the first.
    pub operands: [Operand; 3],
}

impl Instruction {
    /// The operands that count.
    pub fn used(&self) -> &[Operand] {
        match self.action {
            Action::One(_) => &self.operands[..1],
            Action::Two(_) => &self.operands[..2],
            Action::Select => &self.operands,
        }
    }
}

/// Straight-line code with real operands.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub uniforms: Vec<Uniform>,
    /// Point code; each instruction defines one result.
    pub code: Vec<Instruction>,
    pub outputs: Vec<Operand>,
    /// What each array slot holds, as the leaf it replaced.
    pub arrays: Vec<Leaf>,
}

/// Why a graph cannot become a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    #[error(
        "a spatial derivative is left in a pointwise expression; lower it to a stencil or give it as an array first"
    )]
    Derivative,
    #[error("a complex value is left; split it into real and imaginary parts first")]
    Complex,
    #[error("the expression has more than {limit} operations; split it into algebraic fields")]
    TooLarge { limit: usize },
}

/// Most instructions in a program.
pub const MAX_INSTRUCTIONS: usize = 30_000;

impl Program {
    /// Compiles roots of a graph without complex values and derivatives. Variables, their parts and noise become
    /// array slots in the order of `arrays` if listed there, new slots after those otherwise.
    pub fn compile(graph: &Graph, roots: &[Id], arrays: &[Leaf]) -> Result<Self, ProgramError> {
        let mut reduced = Graph::new(0);
        let roots = reduce_powers(graph, &mut reduced, roots)?;
        let mut compiler = Compiler {
            graph: &reduced,
            is_uniform: Vec::new(),
            program: Self { arrays: arrays.to_vec(), ..Self::default() },
            place: vec![None; reduced.len()],
            constants: HashMap::new(),
        };
        let varies = reduced.depends(|node| {
            matches!(
                node,
                Node::Leaf(
                    Leaf::Coordinate(_)
                        | Leaf::Variable(_)
                        | Leaf::RealPart(_)
                        | Leaf::ImaginaryPart(_)
                        | Leaf::Noise(_)
                        | Leaf::Array { .. }
                )
            )
        });
        compiler.is_uniform = varies.into_iter().map(|varies| !varies).collect();
        for root in &roots {
            compiler.schedule(*root)?;
            if compiler.program.code.len() + compiler.program.uniforms.len() > MAX_INSTRUCTIONS {
                return Err(ProgramError::TooLarge { limit: MAX_INSTRUCTIONS });
            }
        }
        let mut program = compiler.program;
        for root in &roots {
            if let Some(place) = compiler.place[root.index()] {
                program.outputs.push(place);
            }
        }
        Ok(program)
    }

    /// The numbers that the caller gives, in the order in which they appear.
    pub fn inputs(&self) -> impl Iterator<Item = UniformInput> + '_ {
        self.uniforms.iter().filter_map(|uniform| match uniform {
            Uniform::Input(input) => Some(*input),
            _ => None,
        })
    }

    /// All uniforms for one call, at double precision.
    pub fn uniform_values(&self, mut input: impl FnMut(UniformInput) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(self.uniforms.len());
        for uniform in &self.uniforms {
            let value = match uniform {
                Uniform::Constant(value) => *value,
                Uniform::Input(name) => input(*name),
                Uniform::Computed(instruction) => {
                    let operand = |index: usize| match instruction.operands[index] {
                        Operand::Uniform(at) => values[at as usize],
                        _ => f64::NAN,
                    };
                    match instruction.action {
                        Action::One(op) => op.eval(operand(0)),
                        Action::Two(op) => op.eval(operand(0), operand(1)),
                        Action::Select => {
                            if operand(0) != 0.0 {
                                operand(1)
                            } else {
                                operand(2)
                            }
                        }
                    }
                }
            };
            values.push(value);
        }
        values
    }

    /// Cost of one point, in additions.
    pub fn cost(&self) -> u32 {
        self.code
            .iter()
            .map(|instruction| match instruction.action {
                Action::One(op) => op.cost(),
                Action::Two(op) => op.cost(),
                Action::Select => 1,
            })
            .sum()
    }

    /// Largest reach of the stencil along each axis, in points.
    pub fn reach(&self) -> [usize; 3] {
        let mut reach = [0; 3];
        let operands = self.code.iter().flat_map(|instruction| instruction.used()).chain(&self.outputs);
        for operand in operands {
            if let Operand::Array { offset, .. } = operand {
                for axis in 0..3 {
                    reach[axis] = reach[axis].max(usize::from(offset[axis].unsigned_abs()));
                }
            }
        }
        reach
    }
}

struct Compiler<'a> {
    graph: &'a Graph,
    is_uniform: Vec<bool>,
    program: Program,
    place: Vec<Option<Operand>>,
    constants: HashMap<u64, u32>,
}

impl Compiler<'_> {
    /// Orders the code depth first, the operand with the larger subtree first, so that few results wait.
    fn schedule(&mut self, root: Id) -> Result<(), ProgramError> {
        let mut stack = vec![(root, false)];
        while let Some((id, ready)) = stack.pop() {
            if self.place[id.index()].is_some() {
                continue;
            }
            if ready {
                let place = self.emit(id)?;
                self.place[id.index()] = Some(place);
                continue;
            }
            stack.push((id, true));
            let mut operands: Vec<Id> = Graph::operands(self.graph.node(id)).collect();
            // A higher index means a deeper subtree, roughly; the last pushed is worked out first.
            operands.sort_unstable();
            for operand in operands {
                if self.place[operand.index()].is_none() {
                    stack.push((operand, false));
                }
            }
        }
        Ok(())
    }

    fn slot(&mut self, leaf: Leaf) -> Operand {
        let slot = self.program.arrays.iter().position(|known| *known == leaf).unwrap_or_else(|| {
            self.program.arrays.push(leaf);
            self.program.arrays.len() - 1
        });
        Operand::Array { slot: slot as u16, offset: [0; 3] }
    }

    fn uniform(&mut self, uniform: Uniform) -> Operand {
        if let Uniform::Constant(value) = uniform
            && let Some(at) = self.constants.get(&value.to_bits())
        {
            return Operand::Uniform(*at);
        }
        let at = self.program.uniforms.len() as u32;
        if let Uniform::Constant(value) = uniform {
            self.constants.insert(value.to_bits(), at);
        }
        self.program.uniforms.push(uniform);
        Operand::Uniform(at)
    }

    fn emit(&mut self, id: Id) -> Result<Operand, ProgramError> {
        let at = |operand: Id| self.place[operand.index()].unwrap_or(Operand::Uniform(0));
        let (action, operands) = match self.graph.node(id) {
            Node::Real(bits) => return Ok(self.uniform(Uniform::Constant(f64::from_bits(bits)))),
            Node::Imaginary => return Err(ProgramError::Complex),
            Node::Derivative(..) | Node::Upwind(..) => return Err(ProgramError::Derivative),
            Node::Leaf(leaf) => {
                return Ok(match leaf {
                    Leaf::Parameter(index) => self.uniform(Uniform::Input(UniformInput::Parameter(index))),
                    Leaf::Time => self.uniform(Uniform::Input(UniformInput::Time)),
                    Leaf::Integral(index) => self.uniform(Uniform::Input(UniformInput::Integral(index))),
                    Leaf::InverseSpacing(axis) => self.uniform(Uniform::Input(UniformInput::InverseSpacing(axis))),
                    Leaf::Coordinate(axis) => Operand::Coordinate(axis),
                    Leaf::Array { slot, offset } => Operand::Array { slot, offset },
                    Leaf::Variable(_) | Leaf::RealPart(_) | Leaf::ImaginaryPart(_) | Leaf::Noise(_) => self.slot(leaf),
                });
            }
            Node::Unary(op, a) => (Action::One(op), [at(a); 3]),
            Node::Binary(op, a, b) => (Action::Two(op), [at(a), at(b), at(a)]),
            Node::Select(a, b, c) => (Action::Select, [at(a), at(b), at(c)]),
        };
        let instruction = Instruction { action, operands };
        if self.is_uniform[id.index()] {
            return Ok(self.uniform(Uniform::Computed(instruction)));
        }
        self.program.code.push(instruction);
        Ok(Operand::Result(self.program.code.len() as u32 - 1))
    }
}

/// Copies the roots with whole and half powers as products and roots, and divisions by constants and uniforms as
/// products (at most one rounding more).
fn reduce_powers(graph: &Graph, target: &mut Graph, roots: &[Id]) -> Result<Vec<Id>, ProgramError> {
    let needed = graph.reachable(roots);
    let varies = graph.depends(|node| {
        matches!(node, Node::Leaf(leaf) if !matches!(leaf, Leaf::Parameter(_) | Leaf::Time | Leaf::Integral(_) | Leaf::InverseSpacing(_)))
    });
    let zero = target.real(0.0);
    let mut image = vec![zero; needed.len()];
    for (id, node) in graph.nodes() {
        if !needed[id.index()] {
            continue;
        }
        if graph.is_complex(id) {
            return Err(ProgramError::Complex);
        }
        image[id.index()] = match node {
            Node::Binary(Op2::Pow, a, b) => {
                let base = image[a.index()];
                match graph.real_value(b) {
                    Some(exponent) => power(target, base, exponent),
                    None => target.pow(base, image[b.index()]),
                }
            }
            Node::Binary(Op2::Div, a, b) if varies[a.index()] && !varies[b.index()] => {
                let one = target.real(1.0);
                let inverse = target.div(one, image[b.index()]);
                target.mul(image[a.index()], inverse)
            }
            _ => target.rebuild(node, |operand| image[operand.index()]),
        };
    }
    Ok(roots.iter().map(|root| image[root.index()]).collect())
}

fn power(g: &mut Graph, base: Id, exponent: f64) -> Id {
    let size = exponent.abs();
    let doubled = 2.0 * size;
    if doubled != doubled.trunc() || size > 64.0 || size == 0.0 {
        let exponent = g.real(exponent);
        return g.pow(base, exponent);
    }
    let mut result: Option<Id> = None;
    if size != size.trunc() {
        result = Some(g.unary(Op1::Sqrt, base));
    }
    let mut factor = base;
    let mut rest = size.trunc() as u32;
    while rest > 0 {
        if rest & 1 == 1 {
            result = Some(result.map_or(factor, |product| g.mul(product, factor)));
        }
        rest >>= 1;
        if rest > 0 {
            factor = g.mul(factor, factor);
        }
    }
    let product = result.unwrap_or(base);
    if exponent < 0.0 {
        let one = g.real(1.0);
        g.div(one, product)
    } else {
        product
    }
}
