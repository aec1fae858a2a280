//! One pass over a batch: features, layers forward, the caller's loss, layers backward, tile by tile.

pub(crate) mod chain;
mod mixed;

use crate::{Architecture, JetSpec, Level, NetError, Network, Real, aligned::Aligned, features::FeatureLayer};
use chain::Chain;

/// All memory of a training step, for one architecture and one set of derivatives. Nothing is allocated per step.
///
/// The points are taken in order, a tile of [`lanes`](Self::lanes) at a time; a tile's jets stay in cache through all
/// layers and back. Cost per point, with P parameters: about 6·P·C floating-point operations with the gradient, 2·P·C
/// without. C is the number of jet components; or, where that is less, 1 and the outputs and those directions along which
/// second derivatives are taken: the other derivatives are then read off on a way back through the layers.
pub struct Engine<T> {
    level: Level,
    /// Points for which there is room.
    capacity: usize,
    /// Points of the tile in hand: the last one of a batch may be smaller.
    lanes: usize,
    jets: JetSpec,
    architecture: Architecture,
    feature_layer: FeatureLayer<T>,
    /// Points of the tile, [inputs][lanes].
    points: Aligned<T>,
    /// Features of the tile, [features][components][lanes].
    features: Aligned<T>,
    chain: Chain<T>,
    /// Outputs and their adjoints, [outputs][components][lanes].
    outputs: Aligned<T>,
    output_adjoints: Aligned<T>,
}

/// A tile of the batch, as the loss sees it. `jet`, `adjoint` and `input` give one number per point of the tile.
pub struct Tile<'a, T> {
    /// Number of the tile's first point within the batch.
    pub start: usize,
    /// Points in the tile.
    pub len: usize,
    lanes: usize,
    components: usize,
    points: &'a [T],
    jets: &'a [T],
    adjoints: &'a mut [T],
}

impl<'a, T: Real> Tile<'a, T> {
    /// Input `i` at the tile's points.
    pub fn input(&self, i: usize) -> &'a [T] {
        &self.points[i * self.lanes..][..self.len]
    }
    /// Component `component` of output `output`'s jet at the tile's points.
    pub fn jet(&self, output: usize, component: usize) -> &'a [T] {
        &self.jets[(output * self.components + component) * self.lanes..][..self.len]
    }
    /// The derivative of the loss with respect to that component, to be written by the loss; zero if it is not.
    pub fn adjoint(&mut self, output: usize, component: usize) -> &mut [T] {
        &mut self.adjoints[(output * self.components + component) * self.lanes..][..self.len]
    }
}

impl<T: Real> Engine<T> {
    /// Memory for networks of the shape of `network`.
    pub fn new(network: &Network<T>, jets: &JetSpec) -> Result<Self, NetError> {
        // A layer of 64 units and 192 columns (f64: 96) is 48 kB. The column count is 24 vectors, whole blocks of three,
        // and no large power of two: rows 1024 bytes apart would fall into the same few sets of the first-level cache.
        let columns = 768 / size_of::<T>();
        let lanes = (columns / chain::width(jets, network.architecture().outputs) / 8 * 8).max(8);
        Self::with(network, jets, lanes, Level::best())
    }

    /// The same with a chosen tile (rounded up to a multiple of 8 points) and instruction set.
    pub fn with(network: &Network<T>, jets: &JetSpec, lanes: usize, level: Level) -> Result<Self, NetError> {
        let architecture = network.architecture().clone();
        jets.check(architecture.inputs)?;
        let lanes = lanes.max(1).next_multiple_of(8);
        let row = jets.components() * lanes;
        Ok(Self {
            level,
            capacity: lanes,
            lanes,
            feature_layer: FeatureLayer::new(&architecture.features, jets),
            points: Aligned::zeros(architecture.inputs * lanes),
            features: Aligned::zeros(architecture.features.count() * row),
            chain: Chain::new(level, architecture.layers(), architecture.activation, jets, lanes),
            outputs: Aligned::zeros(architecture.outputs * row),
            output_adjoints: Aligned::zeros(architecture.outputs * row),
            jets: jets.clone(),
            architecture,
        })
    }

    /// Points per tile.
    pub fn lanes(&self) -> usize {
        self.capacity
    }
    pub fn jets(&self) -> &JetSpec {
        &self.jets
    }

    /// Loss and its gradient. `points` is [point][input]; `loss` is called once per tile, in order, writes the adjoint of
    /// each jet component that it uses and returns its part of the loss; `gradient`, one number per parameter, is
    /// overwritten.
    ///
    /// # Panics
    /// If `network` has another shape than the one given to [`new`](Self::new), or a length does not fit.
    pub fn gradient(
        &mut self,
        network: &Network<T>,
        points: &[T],
        gradient: &mut [T],
        mut loss: impl FnMut(&mut Tile<'_, T>) -> f64,
    ) -> f64 {
        assert_eq!(gradient.len(), network.parameters.len(), "one gradient entry per parameter");
        gradient.fill(T::ZERO);
        let mut total = 0.0;
        self.tiles(network, points, |engine, start, len| {
            engine.output_adjoints.fill(T::ZERO);
            total += loss(&mut engine.tile(start, len));
            engine.backward(network, gradient);
        });
        total
    }

    /// Calls `read` with every tile's jets; nothing goes backward.
    ///
    /// # Panics
    /// As [`gradient`](Self::gradient).
    pub fn evaluate(&mut self, network: &Network<T>, points: &[T], mut read: impl FnMut(&Tile<'_, T>)) {
        self.tiles(network, points, |engine, start, len| read(&engine.tile(start, len)));
    }

    fn tiles(&mut self, network: &Network<T>, points: &[T], mut each: impl FnMut(&mut Self, usize, usize)) {
        assert_eq!(network.architecture(), &self.architecture, "the engine was made for another network");
        let inputs = self.architecture.inputs;
        assert!(points.len().is_multiple_of(inputs), "one number per input and point");
        let count = points.len() / inputs;
        let mut start = 0;
        while start < count {
            let len = self.capacity.min(count - start);
            self.lanes = len.next_multiple_of(8);
            for lane in 0..self.lanes {
                // Idle lanes repeat the last point; their adjoints are zero.
                let point = &points[(start + lane.min(len - 1)) * inputs..][..inputs];
                for (input, x) in point.iter().enumerate() {
                    self.points[input * self.lanes + lane] = *x;
                }
            }
            self.forward(network);
            each(self, start, len);
            start += len;
        }
    }

    fn tile(&mut self, start: usize, len: usize) -> Tile<'_, T> {
        Tile {
            start,
            len,
            lanes: self.lanes,
            components: self.jets.components(),
            points: &self.points,
            jets: &self.outputs,
            adjoints: &mut self.output_adjoints,
        }
    }

    // Both once for all losses, of which each makes its own loop over the tiles.
    #[inline(never)]
    fn forward(&mut self, network: &Network<T>) {
        self.feature_layer.fill(self.level, self.lanes, &self.points, &mut self.features);
        self.chain.forward(&network.parameters, &self.features, &mut self.outputs, self.lanes);
    }

    #[inline(never)]
    fn backward(&mut self, network: &Network<T>, gradient: &mut [T]) {
        self.chain.backward(&network.parameters, &self.features, &self.output_adjoints, gradient, self.lanes);
    }
}
