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

/// Conditions on integrals over the domain, `integral(u^2) = 1` say, as functions of those integrals.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The integrands at a point, in place of residuals: `fields` counts the integrals.
    pub integrands: Residuals,
    /// By integral: whether it is divided by the size of the domain.
    pub is_mean: Vec<bool>,
    /// Left less right of each condition, then one for each of `integral_slopes`, then one for each of `parameter_slopes`. What
    /// it reads are uniforms: integrals by their place in `integrands`, parameters, the time.
    pub program: Program,
    /// (condition, integral): derivatives that do not vanish identically.
    pub integral_slopes: Vec<(usize, usize)>,
    /// (condition, position in the parameters asked for), likewise.
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
    #[error("condition {} differs from place to place: fields stand within integral(…) or mean(…) there", .0 + 1)]
    Local(usize),
    #[error("condition {} has no integral over the domain: write integral(…) or mean(…) of a field", .0 + 1)]
    NoIntegral(usize),
    #[error("condition {} is complex: take its real and imaginary parts", .0 + 1)]
    Complex(usize),
    #[error("an integral within another one is not worked out")]
    Nested,
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
        let (real, pairs) = self.local(&roots, ResidualError::Integral)?;
        let mut values = Vec::new();
        for ((variable, time, _), pair) in lines.iter().zip(&pairs) {
            let is_complex = self.variables[usize::from(*variable)].is_complex;
            for (part, value) in [(Part::Real, pair.0), (Part::Imaginary, pair.1)] {
                if part == Part::Real || is_complex {
                    values.push((*variable, part, *time, value));
                }
            }
        }
        self.pointwise(&real, &values, parameters)
    }

    /// Conditions on integrals, each the node whose value is to vanish; with their derivatives with respect to `parameters`.
    pub fn conditions(&mut self, conditions: &[Id], parameters: &[u16]) -> Result<Conditions, ResidualError> {
        let conditions = self.inlined(conditions)?;
        let conditions = self.graph.expand_derivatives(&conditions)?;
        let mut used: Vec<u16> = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            let mut has_one = false;
            for leaf in self.graph.leaves(&[*condition]) {
                match leaf {
                    Leaf::Integral(k) => {
                        has_one = true;
                        if !used.contains(&k) {
                            used.push(k);
                        }
                    }
                    Leaf::Variable(_) | Leaf::Coordinate(_) => return Err(ResidualError::Local(index)),
                    Leaf::Noise(_) => return Err(ResidualError::Noise),
                    _ => {}
                }
            }
            if self.graph.is_complex(*condition) {
                return Err(ResidualError::Complex(index));
            }
            if !has_one {
                return Err(ResidualError::NoIntegral(index));
            }
        }
        let integrals: Vec<_> = used.iter().map(|k| self.integrals[usize::from(*k)]).collect();
        let roots: Vec<Id> = integrals.iter().map(|integral| integral.integrand).collect();
        let (real, pairs) = self.local(&roots, ResidualError::Nested)?;
        let values: Vec<_> = (0u16..).zip(&pairs).map(|(k, pair)| (k, Part::Real, 0, pair.0)).collect();
        let integrands = self.pointwise(&real, &values, parameters)?;
        let mut target = Graph::new(0);
        let outer: Vec<Id> = complex::split(&self.graph, &mut target, &conditions).iter().map(|pair| pair.0).collect();
        let outer = target.map(&outer, |graph, _, node| match node {
            Node::Leaf(Leaf::Integral(k)) => {
                let place = used.iter().position(|other| *other == k).unwrap_or(0);
                Some(graph.leaf(Leaf::Integral(place as u16)))
            }
            _ => None,
        })?;
        let mut roots = outer.clone();
        let integral_leaves: Vec<Leaf> = (0..used.len() as u16).map(Leaf::Integral).collect();
        let integral_slopes = slopes_of(&mut target, &outer, &integral_leaves, &mut roots)?;
        let parameter_leaves: Vec<Leaf> = parameters.iter().map(|p| Leaf::Parameter(*p)).collect();
        let parameter_slopes = slopes_of(&mut target, &outer, &parameter_leaves, &mut roots)?;
        let simplified = simplify::simplify(&mut target, &roots);
        let program = Program::compile(&target, &simplified, &[])?;
        let is_mean = integrals.iter().map(|integral| integral.is_mean).collect();
        Ok(Conditions { integrands, is_mean, program, integral_slopes, parameter_slopes })
    }

    /// What is known at a point, without algebraic fields and with derivatives of fields alone, as real and imaginary parts.
    /// `not_local` is the error where an integral stands in it.
    fn local(&mut self, roots: &[Id], not_local: ResidualError) -> Result<(Graph, Vec<(Id, Id)>), ResidualError> {
        let roots = self.inlined(roots)?;
        let roots = centred_upwind(&mut self.graph, &roots)?;
        let roots = self.graph.expand_derivatives(&roots)?;
        if self.graph.leaves(&roots).iter().any(|leaf| matches!(leaf, Leaf::Integral(_))) {
            return Err(not_local);
        }
        let mut real = Graph::new(0);
        let pairs = complex::split(&self.graph, &mut real, &roots);
        Ok((real, pairs))
    }

    /// Values at a point, each with the field, the part and the order in time of what it is the right side of, as a program.
    fn pointwise(
        &self,
        real: &Graph,
        lines: &[(u16, Part, u8, Id)],
        parameters: &[u16],
    ) -> Result<Residuals, ResidualError> {
        let values: Vec<Id> = lines.iter().map(|line| line.3).collect();
        let fields: Vec<(u16, Part)> = lines.iter().map(|line| (line.0, line.1)).collect();
        let mut lowering = Lowering {
            source: real,
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
        for ((variable, part, time, _), value) in lines.iter().zip(&lowered) {
            residuals.push(if *time == 0 {
                *value
            } else {
                let left = array(&mut target, reads.len());
                reads.push(Read::Jet { variable: *variable, part: *part, orders: [0; 3], time: *time });
                target.sub(left, *value)
            });
        }
        let mut roots = residuals.clone();
        let jets: Vec<usize> = (0..reads.len()).filter(|read| reads[*read] != Read::Time).collect();
        let leaf = |slot: &usize| Leaf::Array { slot: *slot as u16, offset: [0; 3] };
        let jet_leaves: Vec<Leaf> = jets.iter().map(leaf).collect();
        let slopes = slopes_of(&mut target, &residuals, &jet_leaves, &mut roots)?;
        let slopes = slopes.into_iter().map(|(index, jet)| (index, jets[jet])).collect();
        let parameter_leaves: Vec<Leaf> = parameters.iter().map(|p| Leaf::Parameter(*p)).collect();
        let parameter_slopes = slopes_of(&mut target, &residuals, &parameter_leaves, &mut roots)?;
        let simplified = simplify::simplify(&mut target, &roots);
        let arrays: Vec<Leaf> = (0..reads.len()).map(|slot| leaf(&slot)).collect();
        let program = Program::compile(&target, &simplified, &arrays)?;
        Ok(Residuals { program, reads, fields, slopes, parameter_slopes })
    }
}

/// Derivatives of values with respect to leaves, those that do not vanish: they are appended to `roots`, and named by value
/// and leaf.
fn slopes_of(
    graph: &mut Graph,
    values: &[Id],
    leaves: &[Leaf],
    roots: &mut Vec<Id>,
) -> Result<Vec<(usize, usize)>, ResidualError> {
    let mut found = Vec::new();
    for (index, value) in values.iter().enumerate() {
        for (position, leaf) in leaves.iter().enumerate() {
            let leaf = graph.leaf(*leaf);
            let slope = graph.differentiate(*value, leaf)?;
            if graph.real_value(slope) != Some(0.0) {
                found.push((index, position));
                roots.push(slope);
            }
        }
    }
    Ok(found)
}
