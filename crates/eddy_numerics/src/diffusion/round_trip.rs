//! From data to noise and back along one time grid, by DDIM or by BDIA.

use super::{Batch, Denoiser, Lane, Node, methods::Bdia};

/// A round trip in progress: one step for each interval of the grid towards noise, then as many back. With BDIA the pair
/// of the last two states is kept, which saves the first evaluation of the way back and makes it the exact inverse of the
/// way out, in exact arithmetic, if the model is the same. Another model on the way back edits what it began from.
#[derive(Clone)]
pub struct RoundTrip<T: Lane> {
    /// From noise to data.
    nodes: Vec<Node>,
    /// γ, or none for DDIM.
    gamma: Option<f64>,
    here: Batch<T>,
    /// BDIA: the state at the node that is nearer to data on the way out, nearer to noise on the way back.
    beside: Option<Batch<T>>,
    /// Index of `here` among the nodes.
    at: usize,
    latent: Option<Batch<T>>,
}

impl<T: Lane> RoundTrip<T> {
    /// From `data` at the last of `nodes`, which run from noise to data as those of a sampler do. `gamma` is that of BDIA,
    /// above 0; without it both ways are DDIM.
    pub fn new(nodes: Vec<Node>, data: Batch<T>, gamma: Option<f64>) -> Self {
        let at = nodes.len().saturating_sub(1);
        Self { nodes, gamma, here: data, beside: None, at, latent: None }
    }

    /// The way back alone, from `latent` at the first node, by DDIM.
    pub fn from_noise(nodes: Vec<Node>, latent: Batch<T>) -> Self {
        Self { nodes, gamma: None, here: latent.clone(), beside: None, at: 0, latent: Some(latent) }
    }

    /// The state in hand.
    pub fn here(&self) -> &Batch<T> {
        &self.here
    }
    pub fn here_mut(&mut self) -> &mut Batch<T> {
        &mut self.here
    }
    /// The state at the first node, once it was reached.
    pub fn latent(&self) -> Option<&Batch<T>> {
        self.latent.as_ref()
    }
    pub fn is_done(&self) -> bool {
        self.latent.is_some() && self.at + 1 >= self.nodes.len()
    }
    /// Steps of both ways together, at most.
    pub fn all_steps(&self) -> usize {
        2 * self.nodes.len().saturating_sub(1)
    }

    /// One evaluation of `model`, out or back.
    pub fn step(&mut self, model: &mut dyn Denoiser<T>) {
        if self.latent.is_none() {
            self.outward(model);
        } else if !self.is_done() {
            self.homeward(model);
        }
    }

    fn epsilon(&self, model: &mut dyn Denoiser<T>) -> Batch<T> {
        let mut eps = Batch::zeros(self.here.dim(), self.here.len());
        model.epsilon(&self.here, &self.nodes[self.at], &mut eps);
        eps
    }

    /// DDIM from `here` to the node at `to`.
    fn ddim(&self, to: usize, model: &mut dyn Denoiser<T>) -> Batch<T> {
        let (a, b) = self.nodes[self.at].transfer(&self.nodes[to]);
        let mut next = self.here.clone();
        next.combine(a, &[(b, &self.epsilon(model))]);
        next
    }

    fn outward(&mut self, model: &mut dyn Denoiser<T>) {
        if self.at > 0 {
            let before = match (self.gamma, &self.beside) {
                (Some(gamma), Some(next)) => {
                    Bdia::new(gamma).earlier(&self.nodes[self.at - 1..=self.at + 1], &self.here, next, model)
                }
                _ => None,
            };
            let before = before.unwrap_or_else(|| self.ddim(self.at - 1, model));
            self.beside = Some(std::mem::replace(&mut self.here, before));
            self.at -= 1;
        }
        if self.at == 0 {
            self.latent = Some(self.here.clone());
            // The state beside the latent is where BDIA's way back continues, without an evaluation.
            if let (Some(_), Some(second)) = (self.gamma, self.beside.take()) {
                self.beside = Some(std::mem::replace(&mut self.here, second));
                self.at = 1;
            }
        }
    }

    fn homeward(&mut self, model: &mut dyn Denoiser<T>) {
        let (Some(gamma), Some(earlier)) = (self.gamma, &self.beside) else {
            self.here = self.ddim(self.at + 1, model);
            self.at += 1;
            return;
        };
        // z₋ = z + Δ(to data) + γ (z₊ − z − Δ(to noise)), both moves from the same ε.
        let [noise, node, data] = [self.at - 1, self.at, self.at + 1].map(|k| self.nodes[k]);
        let ((a, b), (a_back, b_back)) = (node.transfer(&data), node.transfer(&noise));
        let mut next = self.here.clone();
        next.combine(a - gamma * a_back, &[(b - gamma * b_back, &self.epsilon(model)), (gamma, earlier)]);
        self.beside = Some(std::mem::replace(&mut self.here, next));
        self.at += 1;
    }
}
