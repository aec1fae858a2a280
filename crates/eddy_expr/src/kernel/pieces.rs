//! Coefficients in pieces that equations differentiate.

use crate::{
    block::{BlockKernel, Column, Row},
    ir::{Id, Leaf, Node, op::Op1},
    program::{Program, UniformInput},
    system::System,
};

/// A function of the place in pieces (`if`, `sign`, `floor`), of which an equation takes derivatives along an axis.
#[derive(Clone, Debug)]
pub struct Piece {
    pub axis: usize,
    program: Program,
}

impl Piece {
    /// Its values at places along its axis, elsewhere at `place`; none where they cannot be worked out.
    pub fn values(&self, place: [f64; 3], along: &[f64], time: f64, parameters: &[f64]) -> Vec<f64> {
        let mut kernel = BlockKernel::<f64>::new(self.program.clone());
        kernel.set_uniforms(|input| match input {
            UniformInput::Parameter(index) => parameters.get(usize::from(index)).copied().unwrap_or(f64::NAN),
            UniformInput::Time => time,
            _ => f64::NAN,
        });
        let mut coordinates = place.map(Column::Constant);
        coordinates[self.axis] = Column::Values(along);
        let mut values = vec![f64::NAN; along.len()];
        let row = Row { fields: &[], strides: [1, 0, 0], coordinates };
        if kernel.run(&row, &mut [&mut values]).is_err() {
            values.fill(f64::NAN);
        }
        values
    }
}

impl System {
    /// The largest parts of what `roots` differentiate that depend on the place alone and hold something in pieces.
    pub fn pieces(&mut self, roots: &[Id]) -> Vec<Piece> {
        let Ok(roots) = self.inlined(roots) else { return Vec::new() };
        let needed = self.graph.reachable(&roots);
        let nodes: Vec<(Id, Node)> = self.graph.nodes().filter(|(id, _)| needed[id.index()]).collect();
        let mut found: Vec<(usize, Id)> = Vec::new();
        for (_, node) in &nodes {
            let Node::Derivative(orders, operand) = node else { continue };
            for axis in (0..3).filter(|axis| orders[*axis] > 0) {
                self.collect(*operand, axis, &mut found);
            }
        }
        let program = |(axis, id): (usize, Id)| {
            let program = Program::compile(&self.graph, &[id], &[]).ok()?;
            Some(Piece { axis, program })
        };
        found.into_iter().filter_map(program).collect()
    }

    fn collect(&self, id: Id, axis: usize, found: &mut Vec<(usize, Id)>) {
        let leaves = self.graph.leaves(&[id]);
        if !leaves.contains(&Leaf::Coordinate(axis as u8)) || found.contains(&(axis, id)) {
            return;
        }
        let is_of_place = leaves.iter().all(|l| matches!(l, Leaf::Coordinate(_) | Leaf::Parameter(_) | Leaf::Time));
        if is_of_place {
            let inside = self.graph.reachable(&[id]);
            let is_in_pieces = self.graph.nodes().any(|(id, node)| {
                inside[id.index()] && matches!(node, Node::Select(..) | Node::Unary(Op1::Sign | Op1::Floor, _))
            });
            if is_in_pieces {
                found.push((axis, id));
            }
            return;
        }
        match self.graph.node(id) {
            Node::Unary(_, a) | Node::Derivative(_, a) => self.collect(a, axis, found),
            Node::Binary(_, a, b) => [a, b].into_iter().for_each(|part| self.collect(part, axis, found)),
            Node::Upwind(_, a, b) => [a, b].into_iter().for_each(|part| self.collect(part, axis, found)),
            // Which piece counts is not differentiated.
            Node::Select(_, a, b) => [a, b].into_iter().for_each(|part| self.collect(part, axis, found)),
            Node::Real(_) | Node::Imaginary | Node::Leaf(_) => {}
        }
    }
}
