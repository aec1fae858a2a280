//! Residuals of a system, for whoever holds a candidate solution with its derivatives: a network, say. A residual is
//! what an equation leaves when the candidate is put in; it comes with its derivatives with respect to everything it reads.

use std::collections::HashMap;

use super::{Discretization, KernelError, Lowering, Part, Source, centred_upwind};
use crate::{
    complex,
    ir::{Graph, Id, Leaf, Node, Orders, rewrite::RewriteError},
    program::{Program, ProgramError},
    simplify,
    system::{Role, System},
};

/// A number at each point that residuals read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// A partial derivative of a field; `time` is its order in time.
    Jet { variable: u16, part: Part, orders: Orders, time: u8 },
    /// The time of the point.
    Time,
}

/// The residuals of a system: u_t - …, u_tt - …, left - right, each as real and imaginary part where it is complex.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// Outputs: the residuals, then one for each of `slopes`, then one for each of `parameter_slopes`.
    pub program: Program,
    /// What the program's arrays hold.
    pub reads: Vec<Read>,
    /// By residual: the field it belongs to, and which part.
    pub fields: Vec<(u16, Part)>,
    /// (residual, read): derivatives that do not vanish identically.
    pub slopes: Vec<(usize, usize)>,
    /// (residual, position in the parameters asked for), likewise.
    pub parameter_slopes: Vec<(usize, usize)>,
}

/// Why a system has no residuals of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResidualError {
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error("an integral over the domain is not known at a point: replace it by a number or an equation")]
    Integral,
    #[error("noise has no residual: take it out")]
    Noise,
}

impl From<RewriteError> for ResidualError {
    fn from(error: RewriteError) -> Self {
        Self::Kernel(error.into())
    }
}

impl From<ProgramError> for ResidualError {
    fn from(error: ProgramError) -> Self {
        Self::Kernel(error.into())
    }
}

impl System {
    /// The residuals of all equations but those of algebraic fields, which are put in, and their derivatives with respect
    /// to what they read and to `parameters`. `upwind(a, u)` is a times the derivative.
    pub fn residuals(&mut self, parameters: &[u16]) -> Result<Residuals, ResidualError> {
        let lines = self.residual_lines();
        let roots: Vec<Id> = lines.iter().map(|line| line.2).collect();
        let roots = self.inlined(&roots)?;
        let roots = centred_upwind(&mut self.graph, &roots)?;
        let roots = self.graph.expand_derivatives(&roots)?;
        if self.graph.leaves(&roots).iter().any(|leaf| matches!(leaf, Leaf::Integral(_))) {
            return Err(ResidualError::Integral);
        }
        let mut real = Graph::new(0);
        let pairs = complex::split(&self.graph, &mut real, &roots);
        let mut fields = Vec::new();
        let mut times = Vec::new();
        let mut values = Vec::new();
        for ((variable, time, _), pair) in lines.iter().zip(&pairs) {
            let is_complex = self.variables[usize::from(*variable)].is_complex;
            for (part, value) in [(Part::Real, pair.0), (Part::Imaginary, pair.1)] {
                if part == Part::Real || is_complex {
                    fields.push((*variable, part));
                    times.push(*time);
                    values.push(value);
                }
            }
        }
        let mut lowering = Lowering {
            source: &real,
            target: Graph::new(0),
            slots: Vec::new(),
            discretization: Discretization::Pointwise,
            memo: HashMap::new(),
        };
        let lowered = lowering.run(&values, [0; 3])?;
        let Lowering { mut target, slots, .. } = lowering;
        let mut reads: Vec<Read> = slots
            .iter()
            .map(|slot| match slot.source {
                Source::Variable { index, part } => {
                    let (variable, time) = match self.variables[usize::from(index)].role {
                        Role::Velocity { of } => (of, 1),
                        _ => (index, 0),
                    };
                    Ok(Read::Jet { variable, part, orders: slot.orders, time })
                }
                Source::Noise(_) => Err(ResidualError::Noise),
            })
            .collect::<Result<_, _>>()?;
        let array = |target: &mut Graph, slot: usize| target.leaf(Leaf::Array { slot: slot as u16, offset: [0; 3] });
        // The moment differs from point to point.
        let moment = reads.len();
        let lowered = target.map(&lowered, |graph, _, node| match node {
            Node::Leaf(Leaf::Time) => Some(array(graph, moment)),
            _ => None,
        })?;
        reads.push(Read::Time);
        let mut residuals = Vec::with_capacity(values.len());
        for (((variable, part), time), value) in fields.iter().zip(&times).zip(&lowered) {
            residuals.push(if *time == 0 {
                *value
            } else {
                let left = array(&mut target, reads.len());
                reads.push(Read::Jet { variable: *variable, part: *part, orders: [0; 3], time: *time });
                target.sub(left, *value)
            });
        }
        let mut roots = residuals.clone();
        let (mut slopes, mut parameter_slopes) = (Vec::new(), Vec::new());
        for (index, residual) in residuals.iter().enumerate() {
            for read in (0..reads.len()).filter(|read| reads[*read] != Read::Time) {
                let leaf = array(&mut target, read);
                let slope = target.differentiate(*residual, leaf)?;
                if target.real_value(slope) != Some(0.0) {
                    slopes.push((index, read));
                    roots.push(slope);
                }
            }
        }
        for (index, residual) in residuals.iter().enumerate() {
            for (position, parameter) in parameters.iter().enumerate() {
                let leaf = target.leaf(Leaf::Parameter(*parameter));
                let slope = target.differentiate(*residual, leaf)?;
                if target.real_value(slope) != Some(0.0) {
                    parameter_slopes.push((index, position));
                    roots.push(slope);
                }
            }
        }
        let simplified = simplify::simplify(&mut target, &roots);
        let arrays: Vec<Leaf> = (0..reads.len() as u16).map(|slot| Leaf::Array { slot, offset: [0; 3] }).collect();
        let program = Program::compile(&target, &simplified, &arrays)?;
        Ok(Residuals { program, reads, fields, slopes, parameter_slopes })
    }
}
