//! The linear part in Fourier space.

use super::{Equation, System};
use crate::{
    complex,
    diagnostic::Diagnostic,
    ir::{Graph, Leaf},
    program::{Program, UniformInput},
    split::LinearTerm,
};

/// A polynomial in i k for each pair of variables: row `r`, column `c` multiplies the transform of variable c in
/// the equation of variable r. Coefficients are evaluated for given parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinearSymbol {
    /// Side of the matrix: the number of variables of the system.
    pub size: usize,
    /// (row, column, derivative orders, real and imaginary part of the coefficient).
    pub terms: Vec<(u16, u16, [u8; 3], (f64, f64))>,
}

impl LinearSymbol {
    /// The matrix at wavenumber `k` (radians per length), row-major, as (real, imaginary).
    pub fn at(&self, k: [f64; 3]) -> Vec<(f64, f64)> {
        let mut matrix = vec![(0.0, 0.0); self.size * self.size];
        for (row, column, orders, (re, im)) in &self.terms {
            let mut size = 1.0;
            let mut turns = 0u32;
            for axis in 0..3 {
                size *= k[axis].powi(i32::from(orders[axis]));
                turns += u32::from(orders[axis]);
            }
            // i^turns.
            let (re, im) = match turns % 4 {
                0 => (*re, *im),
                1 => (-im, *re),
                2 => (-re, -im),
                _ => (*im, -re),
            };
            let entry = &mut matrix[usize::from(*row) * self.size + usize::from(*column)];
            entry.0 += re * size;
            entry.1 += im * size;
        }
        matrix
    }

    /// Whether every term couples a variable to itself only.
    pub fn is_diagonal(&self) -> bool {
        self.terms.iter().all(|(row, column, ..)| row == column)
    }

    /// Highest total derivative order.
    pub fn highest_order(&self) -> u32 {
        self.terms.iter().map(|(_, _, orders, _)| orders.iter().map(|order| u32::from(*order)).sum()).max().unwrap_or(0)
    }
}

impl System {
    /// Symbol of the linear parts of all equations, for parameter values in the order of [`System::parameters`].
    /// Rows of elliptic variables hold left - right (so that row · transforms + other sources = 0); rows of
    /// algebraic variables are empty, as they are put into the others.
    pub fn linear_symbol(&mut self, parameters: &[f64]) -> Result<LinearSymbol, Diagnostic> {
        let mut symbol = LinearSymbol { size: self.variables.len(), terms: Vec::new() };
        for equation in self.equations.clone() {
            let (row, split) = match equation {
                Equation::Evolution { variable, .. } => (variable, self.split(variable)),
                Equation::Elliptic { variable, .. } => (variable, self.split_elliptic(variable)),
                Equation::Algebraic { .. } => continue,
            };
            if let Some(split) = split {
                for LinearTerm { variable, orders, coefficient } in split?.linear {
                    let value = self.constant_value(coefficient, parameters);
                    symbol.terms.push((row, variable, orders, value));
                }
            }
        }
        Ok(symbol)
    }

    /// Value of a node that is made of constants and parameters; not a number where it is made of more.
    pub fn constant_value(&self, id: crate::ir::Id, parameters: &[f64]) -> (f64, f64) {
        let nothing = (f64::NAN, f64::NAN);
        if self.graph.leaves(&[id]).iter().any(|leaf| !matches!(leaf, Leaf::Parameter(_))) {
            return nothing;
        }
        let mut real = Graph::new(0);
        let (re, im) = complex::split(&self.graph, &mut real, &[id])[0];
        let Ok(program) = Program::compile(&real, &[re, im], &[]) else { return nothing };
        let values = program.uniform_values(|input| match input {
            UniformInput::Parameter(index) => parameters.get(usize::from(index)).copied().unwrap_or(f64::NAN),
            _ => f64::NAN,
        });
        let at = |index: usize| match program.outputs[index] {
            crate::program::Operand::Uniform(place) => values[place as usize],
            _ => f64::NAN,
        };
        (at(0), at(1))
    }
}
