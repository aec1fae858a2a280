//! Which derivatives of the network a loss needs.

use crate::NetError;

/// The components of a jet: the value, first derivatives along directions of the input space, and operators of second order.
/// Component 0 is the value, then the first derivatives, then the operators, each in the order in which they were added.
///
/// (u, u_t, u_x, u_xx) of u(t, x) is `JetSpec::value(2).along(0).along(1).second(1, 1)`. A loss that needs u_t and u_xx only
/// as u_t − ν u_xx saves a component, and what it costs in every product:
/// `JetSpec::value(2).along(1).operator(&[1.0, 0.0], &[(0, 0, -nu)])`.
#[derive(Clone, Debug, PartialEq)]
pub struct JetSpec {
    inputs: usize,
    first: Vec<Vec<f64>>,
    second: Vec<Operator>,
}

/// v·∇ + Σ c ∂_i∂_j with constant coefficients. A linear operator passes through a layer as a derivative does: of σ(z) it is
/// σ′ Lz + σ″ Σ c z_i z_j ("forward Laplacian", Li et al. 2024, Nat. Mach. Intell. 6, 209, eq. 6; "collapsed Taylor mode",
/// Dangel et al. 2025).
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// v, one number per input.
    pub along: Vec<f64>,
    /// Numbers of two directions in the order of adding, and c.
    pub terms: Vec<(usize, usize, f64)>,
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
    pub fn second(self, i: usize, j: usize) -> Self {
        let nowhere = vec![0.0; self.inputs];
        self.operator(&nowhere, &[(i, j, 1.0)])
    }
    /// Adds `along`·∇ and second derivatives along pairs of directions, each with its factor, as one component.
    pub fn operator(mut self, along: &[f64], terms: &[(usize, usize, f64)]) -> Self {
        self.second.push(Operator { along: along.to_vec(), terms: terms.to_vec() });
        self
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }
    /// Directions of the first derivatives.
    pub fn directions(&self) -> &[Vec<f64>] {
        &self.first
    }
    /// The operators of second order.
    pub fn operators(&self) -> &[Operator] {
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
    /// Component of operator number `k`.
    pub fn second_component(&self, k: usize) -> usize {
        1 + self.first.len() + k
    }

    pub(crate) fn check(&self, inputs: usize) -> Result<(), NetError> {
        let lengths = || self.first.iter().chain(self.second.iter().map(|o| &o.along)).map(Vec::len);
        if self.inputs != inputs || lengths().any(|n| n != inputs) {
            let have = lengths().find(|n| *n != inputs).unwrap_or(self.inputs);
            return Err(NetError::Directions { have, need: inputs });
        }
        match self.second.iter().flat_map(|o| &o.terms).flat_map(|&(i, j, _)| [i, j]).find(|i| *i >= self.first.len()) {
            Some(direction) => Err(NetError::SecondWithoutFirst { direction, directions: self.first.len() }),
            None => Ok(()),
        }
    }
}
