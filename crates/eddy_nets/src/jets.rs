//! Which derivatives of the network a loss needs.

use crate::NetError;

/// The components of a jet: the value, first derivatives along directions of the input space, and second derivatives
/// along pairs of those directions. Component 0 is the value, then the first, then the second derivatives, each in the
/// order in which they were added.
///
/// (u, u_t, u_x, u_xx) of u(t, x) is `JetSpec::value(2).along(0).along(1).second(1, 1)`.
#[derive(Clone, Debug, PartialEq)]
pub struct JetSpec {
    inputs: usize,
    first: Vec<Vec<f64>>,
    second: Vec<(usize, usize)>,
}

impl JetSpec {
    /// Only the value, of a network with this many inputs.
    pub fn value(inputs: usize) -> Self {
        Self { inputs, first: Vec::new(), second: Vec::new() }
    }
    /// Adds the derivative with respect to input `input`.
    pub fn along(self, input: usize) -> Self {
        let direction = (0..self.inputs).map(|i| f64::from(u8::from(i == input))).collect();
        self.direction(direction)
    }
    /// Adds the derivative along any direction, one number per input.
    pub fn direction(mut self, direction: Vec<f64>) -> Self {
        self.first.push(direction);
        self
    }
    /// Adds the second derivative along first-derivative directions `i` and `j` (numbers in the order of adding).
    pub fn second(mut self, i: usize, j: usize) -> Self {
        self.second.push((i, j));
        self
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }
    /// Directions of the first derivatives.
    pub fn directions(&self) -> &[Vec<f64>] {
        &self.first
    }
    /// Pairs of directions of the second derivatives.
    pub fn pairs(&self) -> &[(usize, usize)] {
        &self.second
    }
    /// How many components.
    pub fn components(&self) -> usize {
        1 + self.first.len() + self.second.len()
    }
    /// Highest order of a derivative: 0, 1 or 2.
    pub fn order(&self) -> usize {
        if !self.second.is_empty() { 2 } else { usize::from(!self.first.is_empty()) }
    }
    /// Component of the first derivative along direction `i`.
    pub fn first_component(&self, i: usize) -> usize {
        1 + i
    }
    /// Component of second derivative number `k`.
    pub fn second_component(&self, k: usize) -> usize {
        1 + self.first.len() + k
    }

    pub(crate) fn check(&self, inputs: usize) -> Result<(), NetError> {
        if self.inputs != inputs || self.first.iter().any(|d| d.len() != inputs) {
            let have = self.first.iter().map(Vec::len).find(|n| *n != inputs).unwrap_or(self.inputs);
            return Err(NetError::Directions { have, need: inputs });
        }
        match self.second.iter().flat_map(|&(i, j)| [i, j]).find(|i| *i >= self.first.len()) {
            Some(direction) => Err(NetError::SecondWithoutFirst { direction, directions: self.first.len() }),
            None => Ok(()),
        }
    }
}
