//! What the network is made of.

use eddy_nets::graph::{Function, Graph, Initial, Node};

/// How its layers are put together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// tanh after each layer.
    Plain,
    /// Layers that add to what they get.
    Residual,
    /// Layers that choose between two encodings of the input.
    Modified,
    /// Sines in place of tanh; the first layer's weights are within ±ω/inputs.
    Sines { omega: f64 },
    /// tanh on sines and cosines of as many random directions as a layer has units, half of each; σ is the deviation of their
    /// wave numbers.
    Waves { sigma: f64, seed: u64 },
}

/// Kind and size of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    pub kind: Kind,
    pub width: usize,
    pub layers: usize,
    /// Waves per periodic coordinate.
    pub harmonics: usize,
}

impl Architecture {
    /// The last hidden layer.
    pub fn hidden(self, graph: &mut Graph, from: Node) -> Node {
        let Self { kind, width, layers, .. } = self;
        let all = vec![width; layers];
        match kind {
            Kind::Plain => graph.plain_layers(from, &all, Function::Tanh),
            Kind::Residual => graph.residual_layers(from, width, layers, Function::Tanh),
            Kind::Modified => graph.modified_layers(from, width, layers, Function::Tanh),
            Kind::Sines { omega } => graph.siren_layers(from, &all, omega),
            Kind::Waves { sigma, seed } => {
                let waves = graph.random_waves(from, self.waves(), sigma, seed);
                graph.plain_layers(waves, &all, Function::Tanh)
            }
        }
    }

    /// The network, its parameters those of [`hidden`](Self::hidden) and then the weights that read it.
    pub fn network(self, graph: &mut Graph, from: Node, outputs: usize) -> Node {
        if let Kind::Sines { omega } = self.kind {
            return graph.siren(from, &vec![self.width; self.layers], outputs, omega);
        }
        let hidden = self.hidden(graph, from);
        graph.dense(hidden, outputs, Initial::Glorot)
    }

    /// Random directions of [`Kind::Waves`].
    pub fn waves(self) -> usize {
        self.width.div_ceil(2)
    }
}
