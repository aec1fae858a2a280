//! Optimizers that need the gradient alone, by name: one for the matrices of layers, Adam for all else.

use crate::{Adam, AdamSettings, LayerShape, Muon, MuonSettings, Schedule, Soap, SoapSettings};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    Adam,
    /// Adam with weight decay apart from the gradient.
    AdamW {
        decay: f64,
    },
    /// [`Muon`] for the matrices of hidden layers, at Adam's size of steps.
    Muon,
    /// [`Soap`] for all matrices.
    Soap,
}

/// Root mean square of Muon's updates over the rate, so that rates are those of Adam (Liu et al. 2025, "Muon is scalable for LLM
/// training", section 2.2).
const LIKE_ADAM: f64 = 0.2;

/// One of the rules at work on the parameters of a network.
#[derive(Clone, Debug)]
pub struct FirstOrder {
    schedule: Schedule,
    /// Of what the other one leaves.
    adam: Adam<f64>,
    matrices: Matrices,
    /// The weights that are the other one's.
    own: Vec<std::ops::Range<usize>>,
    step: u64,
}

#[derive(Clone, Debug)]
enum Matrices {
    None,
    Muon(Muon),
    Soap(Soap),
}

impl FirstOrder {
    /// For a network with these dense layers among its parameters, in their order.
    pub fn new(rule: Rule, schedule: Schedule, parameters: usize, layers: &[LayerShape]) -> Self {
        let decay = if let Rule::AdamW { decay } = rule { decay } else { 0.0 };
        // The first and the last one are no maps between hidden units.
        let inner = layers.get(1..layers.len().max(2) - 1).unwrap_or_default();
        let (matrices, own) = match rule {
            Rule::Adam | Rule::AdamW { .. } => (Matrices::None, &[][..]),
            Rule::Muon => {
                let settings = MuonSettings { root_mean_square: Some(LIKE_ADAM), ..MuonSettings::default() };
                (Matrices::Muon(Muon::new(inner, settings)), inner)
            }
            Rule::Soap => (Matrices::Soap(Soap::new(layers, SoapSettings::default())), layers),
        };
        Self {
            schedule,
            adam: Adam::new(parameters, AdamSettings { schedule, decay, ..AdamSettings::default() }),
            matrices,
            own: own.iter().map(|l| l.weights..l.weights + l.inputs * l.outputs).collect(),
            step: 0,
        }
    }

    /// Moves the parameters against the gradient. Returns its norm, not finite if an entry is not.
    ///
    /// # Panics
    /// If a length is not the one given to [`new`](Self::new).
    pub fn step(&mut self, parameters: &mut [f64], gradient: &mut [f64]) -> f64 {
        let kept: Vec<Vec<f64>> = self.own.iter().map(|range| parameters[range.clone()].to_vec()).collect();
        let norm = self.adam.step(parameters, gradient);
        self.own.iter().zip(&kept).for_each(|(range, kept)| parameters[range.clone()].copy_from_slice(kept));
        let rate = self.schedule.at(self.step);
        self.step += 1;
        match &mut self.matrices {
            Matrices::None => {}
            Matrices::Muon(muon) => {
                muon.settings.rate = rate;
                muon.step(parameters, gradient);
            }
            Matrices::Soap(soap) => {
                soap.settings.rate = rate;
                soap.step(parameters, gradient);
            }
        }
        norm
    }
}
