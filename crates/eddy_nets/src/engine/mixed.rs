//! Derivatives read off on the way back through the layers, where that carries less than all of them forward.
//!
//! With z the sums of a layer, h its outputs and g = ∂u/∂h, an operator v·∇ + Σ c ∂_i∂_j of an output u is
//!
//! Σ_f (∂u/∂f) (v·∇ + Σ c ∂_i∂_j) f + Σ_layers Σ_units g σ″(z) Σ c z_i z_j
//!
//! over the features f: what bends is the features and the activations, each seen from the output through g (Bishop 1992,
//! "Exact calculation of the Hessian matrix for the multilayer perceptron", Neural Computation 4, 494, section 3). So the
//! value, the directions i and j and one g for each output go through the layers: 1 + directions + outputs in place of
//! 1 + directions + all other first derivatives + operators. (u, u_t, u_x, u_xx) costs three products of each kind per layer
//! instead of four; all derivatives up to the second in three inputs cost five instead of ten.

use super::chain::Hidden;
use crate::{
    JetSpec, LayerShape, Level, Real,
    activation::curvature,
    aligned::Aligned,
    lanes::Lanes,
    matmul::{Strided, add_product_transposed, product},
    real::Kernel,
};

/// Two directions and c.
type Term = (usize, usize, f64);
/// Of an operator's Σ c z_i z_j: its derivative with respect to one of the z, as numbers of others and their factors.
type Slope = Vec<(usize, f64)>;

/// What this way needs besides the layers' own memory.
pub(super) struct Mixed<T> {
    /// Value and directions that go through the layers.
    pub carried: JetSpec,
    /// Of each carried component, the first one the value: its number among all.
    components: Vec<usize>,
    /// Components that are read off on the way back: first derivatives, then the operators.
    read: Vec<usize>,
    /// The operators' terms in carried directions.
    operators: Vec<Vec<Term>>,
    /// [carried direction][operator]
    slopes: Vec<Vec<Slope>>,
    all: usize,
    outputs: usize,
    /// [features][carried][lanes]
    pub features: Aligned<T>,
    /// [outputs][carried][lanes]
    pub carried_outputs: Aligned<T>,
    pub carried_adjoints: Aligned<T>,
    layers: Vec<Back<T>>,
    /// ∂u/∂f, and the adjoints of these, [features][outputs][lanes].
    bottom: [Aligned<T>; 2],
    /// Adjoints of the ∂u/∂z of a layer, [units][outputs][lanes].
    above: Aligned<T>,
}

/// Of a hidden layer.
struct Back<T> {
    /// ∂u/∂h, later the adjoints of these, [units][outputs][lanes].
    by_output: Aligned<T>,
    /// ∂u/∂z.
    by_sum: Aligned<T>,
    /// What the derivatives that were read off add to the adjoints of the sums, [units][carried][lanes].
    extra: Aligned<T>,
}

/// A tile's layers as the engine keeps them.
pub(super) struct Pass<'a, T> {
    pub level: Level,
    pub lanes: usize,
    pub layers: &'a [LayerShape],
    pub hidden: &'a [Hidden<T>],
    /// [features][all components][lanes]
    pub features: &'a [T],
    pub parameters: &'a [T],
}

impl<T: Real> Pass<'_, T> {
    fn weights(&self, shape: &LayerShape) -> Strided<'_, T> {
        let data = &self.parameters[shape.weights..shape.biases];
        Strided { data, row: shape.inputs, column: 1 }
    }
    fn transposed(&self, shape: &LayerShape) -> Strided<'_, T> {
        Strided { row: 1, column: shape.inputs, ..self.weights(shape) }
    }
}

/// The directions that second derivatives of `jets` take.
fn bent(jets: &JetSpec) -> Vec<usize> {
    let uses = |d: &usize| jets.operators().iter().flat_map(|o| &o.terms).any(|&(i, j, _)| i == *d || j == *d);
    (0..jets.directions().len()).filter(uses).collect()
}

/// How many components go through each layer forward, or forward and back: all of `jets`, or fewer and one per output.
pub(super) fn width(jets: &JetSpec, outputs: usize) -> usize {
    jets.components().min(1 + bent(jets).len() + outputs)
}

impl<T: Real> Mixed<T> {
    /// Memory for tiles of `lanes` points, if this way is the cheaper one.
    pub fn new(jets: &JetSpec, layers: &[LayerShape], lanes: usize) -> Option<Self> {
        let (last, hidden) = layers.split_last()?;
        let (outputs, features) = (last.outputs, hidden.first()?.inputs);
        let bent = bent(jets);
        if width(jets, outputs) == jets.components() {
            return None;
        }
        let carried =
            bent.iter().fold(JetSpec::value(jets.inputs()), |spec, d| spec.direction(jets.directions()[*d].clone()));
        let place = |d: usize| bent.iter().position(|b| *b == d).unwrap_or(0);
        let straight = (0..jets.directions().len()).filter(|d| !bent.contains(d)).map(|d| jets.first_component(d));
        let curved = (0..jets.operators().len()).map(|k| jets.second_component(k));
        let operators: Vec<Vec<Term>> = jets
            .operators()
            .iter()
            .map(|o| o.terms.iter().map(|&(i, j, c)| (place(i), place(j), c)).collect())
            .collect();
        let slope = |direction: usize, terms: &Vec<Term>| {
            let both = terms.iter().flat_map(|&(i, j, c)| [(i, j, c), (j, i, c)]);
            let others = (0..bent.len()).map(|other| {
                let factors = both.clone().filter(|&(i, j, _)| i == direction && j == other);
                (other, factors.map(|(_, _, c)| c).sum::<f64>())
            });
            others.filter(|(_, factor)| *factor != 0.0).collect()
        };
        let row = carried.components() * lanes;
        let back = |shape: &LayerShape| Back {
            by_output: Aligned::zeros(shape.outputs * outputs * lanes),
            by_sum: Aligned::zeros(shape.outputs * outputs * lanes),
            extra: Aligned::zeros(shape.outputs * row),
        };
        let widest = hidden.iter().map(|shape| shape.outputs).max().unwrap_or(0);
        Some(Self {
            components: [0].into_iter().chain(bent.iter().map(|d| jets.first_component(*d))).collect(),
            read: straight.chain(curved).collect(),
            slopes: (0..bent.len()).map(|d| operators.iter().map(|terms| slope(d, terms)).collect()).collect(),
            operators,
            all: jets.components(),
            outputs,
            features: Aligned::zeros(features * row),
            carried_outputs: Aligned::zeros(outputs * row),
            carried_adjoints: Aligned::zeros(outputs * row),
            layers: hidden.iter().map(back).collect(),
            bottom: [(); 2].map(|()| Aligned::zeros(features * outputs * lanes)),
            above: Aligned::zeros(widest * outputs * lanes),
            carried,
        })
    }

    /// Takes what is carried out of the features.
    pub fn pack_features(&mut self, features: &[T], lanes: usize) {
        gather(features, &mut self.features, &self.components, self.all, lanes);
    }

    /// From the carried outputs and the layers to all components, [outputs][all components][lanes].
    pub fn read_off(&mut self, pass: &Pass<'_, T>, outputs: &mut [T]) {
        let lanes = pass.lanes;
        let n = self.outputs * lanes;
        let (sizes, first) = (self.sizes(lanes), self.read.len() - self.operators.len());
        let rows = self.carried_outputs.chunks_exact(self.components.len() * lanes);
        for (to, from) in outputs.chunks_exact_mut(self.all * lanes).zip(rows) {
            for (component, from) in self.components.iter().zip(from.chunks_exact(lanes)) {
                to[component * lanes..][..lanes].copy_from_slice(from);
            }
            self.read.iter().for_each(|component| to[component * lanes..][..lanes].fill(T::ZERO));
        }
        for (l, hidden) in pass.hidden.iter().enumerate().rev() {
            let above = &pass.layers[l + 1];
            let (these, higher) = self.layers.split_at_mut(l + 1);
            let Back { by_output, by_sum, .. } = &mut these[l];
            if let Some(higher) = higher.first() {
                product(pass.level, pass.transposed(above), &higher.by_sum, by_output, above.inputs, above.outputs, n);
            } else {
                let weights = pass.weights(above).data;
                for (row, to) in by_output[..above.inputs * n].chunks_exact_mut(lanes).enumerate() {
                    to.fill(weights[row % self.outputs * above.inputs + row / self.outputs]);
                }
            }
            let kernel = Read {
                sizes,
                operators: &self.operators,
                places: &self.read[first..],
                hidden,
                by_output,
                by_sum,
                read: &mut *outputs,
            };
            kernel.check(above.inputs);
            T::run(pass.level, kernel);
        }
        let (shape, [bottom, _]) = (&pass.layers[0], &mut self.bottom);
        product(pass.level, pass.transposed(shape), &self.layers[0].by_sum, bottom, shape.inputs, shape.outputs, n);
        for feature in 0..shape.inputs {
            for output in 0..self.outputs {
                let slope = &bottom[(feature * self.outputs + output) * lanes..][..lanes];
                for component in &self.read {
                    let of_feature = &pass.features[(feature * self.all + component) * lanes..][..lanes];
                    let to = &mut outputs[(output * self.all + component) * lanes..][..lanes];
                    add_products(to, slope, of_feature);
                }
            }
        }
    }

    /// From the adjoints of all components to those of the carried ones, and what the others add to the adjoints of the sums
    /// and to the gradient.
    pub fn back(&mut self, pass: &Pass<'_, T>, adjoints: &[T], gradient: &mut [T]) {
        let lanes = pass.lanes;
        let n = self.outputs * lanes;
        let (sizes, first) = (self.sizes(lanes), self.read.len() - self.operators.len());
        gather(adjoints, &mut self.carried_adjoints, &self.components, self.all, lanes);
        let shape = &pass.layers[0];
        let bottom = &mut self.bottom[1];
        bottom[..shape.inputs * n].fill(T::ZERO);
        for feature in 0..shape.inputs {
            for output in 0..self.outputs {
                let to = &mut bottom[(feature * self.outputs + output) * lanes..][..lanes];
                for component in &self.read {
                    let of_feature = &pass.features[(feature * self.all + component) * lanes..][..lanes];
                    add_products(to, &adjoints[(output * self.all + component) * lanes..][..lanes], of_feature);
                }
            }
        }
        for (l, hidden) in pass.hidden.iter().enumerate() {
            let shape = &pass.layers[l];
            let (below, these) = self.layers.split_at_mut(l);
            let inputs = below.last().map_or(&self.bottom[1], |back| &back.by_output);
            let Back { by_output, by_sum, extra } = &mut these[0];
            product(pass.level, pass.weights(shape), inputs, &mut self.above, shape.outputs, shape.inputs, n);
            let weights = &mut gradient[shape.weights..shape.biases];
            add_product_transposed(pass.level, by_sum, inputs, weights, shape.outputs, shape.inputs, n);
            let kernel = Bend {
                sizes,
                operators: &self.operators,
                slopes: &self.slopes,
                places: &self.read[first..],
                hidden,
                above: &self.above,
                adjoints,
                by_output,
                extra,
            };
            kernel.check(shape.outputs);
            T::run(pass.level, kernel);
        }
        let (last, back) = (&pass.layers[pass.hidden.len()], &self.layers[pass.hidden.len() - 1]);
        for (row, adjoints) in back.by_output[..last.inputs * n].chunks_exact(lanes).enumerate() {
            let sum = adjoints.iter().fold(T::ZERO, |sum, a| sum + *a);
            gradient[last.weights + row % self.outputs * last.inputs + row / self.outputs] += sum;
        }
    }

    /// What is to be added to the adjoints of hidden layer `l`'s sums.
    pub fn extra(&self, l: usize) -> &[T] {
        &self.layers[l].extra
    }

    fn sizes(&self, lanes: usize) -> Sizes {
        Sizes { lanes, carried: self.components.len(), outputs: self.outputs, all: self.all }
    }
}

/// Of rows of `all` components those in `components`.
fn gather<T: Real>(from: &[T], to: &mut [T], components: &[usize], all: usize, lanes: usize) {
    let rows = to.chunks_exact_mut(components.len() * lanes).zip(from.chunks_exact(all * lanes));
    for (to, from) in rows {
        for (component, to) in components.iter().zip(to.chunks_exact_mut(lanes)) {
            to.copy_from_slice(&from[component * lanes..][..lanes]);
        }
    }
}

fn add_products<T: Real>(to: &mut [T], a: &[T], b: &[T]) {
    for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
        *to += *a * *b;
    }
}

#[derive(Clone, Copy)]
struct Sizes {
    lanes: usize,
    carried: usize,
    outputs: usize,
    all: usize,
}

/// ∂u/∂z = g σ′, and g σ″ Σ c z_i z_j added to the operators.
struct Read<'a, T> {
    sizes: Sizes,
    operators: &'a [Vec<Term>],
    /// The operators' components.
    places: &'a [usize],
    hidden: &'a Hidden<T>,
    by_output: &'a [T],
    by_sum: &'a mut [T],
    /// [outputs][all][lanes]
    read: &'a mut [T],
}

impl<T: Real> Read<'_, T> {
    fn check(&self, units: usize) {
        let Sizes { lanes, carried, outputs, all } = self.sizes;
        assert!(self.by_output.len() >= units * outputs * lanes && self.by_sum.len() >= units * outputs * lanes);
        assert!(self.hidden.sums.len() >= units * carried * lanes && self.hidden.slopes.len() >= units * 3 * lanes);
        assert!(self.read.len() >= outputs * all * lanes && self.hidden.units == units && lanes.is_multiple_of(8));
    }
}

impl<T: Real> Kernel<T> for Read<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        let Sizes { lanes, carried, outputs, all } = self.sizes;
        for unit in 0..self.hidden.units {
            // SAFETY: `check` has seen the extents, lanes is a multiple of V::N, the places are below `all` and the terms'
            // directions among the carried ones (`Mixed::new`).
            unsafe {
                let z = self.hidden.sums.as_ptr().add(unit * carried * lanes);
                let slopes = self.hidden.slopes.as_ptr().add(unit * 3 * lanes);
                for output in 0..outputs {
                    let at = (unit * outputs + output) * lanes;
                    let (g, p) = (self.by_output.as_ptr().add(at), self.by_sum.as_mut_ptr().add(at));
                    let read = self.read.as_mut_ptr().add(output * all * lanes);
                    let mut i = 0;
                    while i < lanes {
                        let (s1, s2) = (V::load(slopes.add(i)), V::load(slopes.add(lanes + i)));
                        let by_output = V::load(g.add(i));
                        by_output.mul(s1).store(p.add(i));
                        let bending = by_output.mul(s2);
                        for (terms, place) in self.operators.iter().zip(self.places) {
                            let to = read.add(place * lanes + i);
                            bending.fma(curvature::<T, V>(z.add(i), lanes, terms), V::load(to)).store(to);
                        }
                        i += V::N;
                    }
                }
            }
        }
    }
}

/// The adjoints of what [`Read`] read: of g in its place, of z in `extra`.
struct Bend<'a, T> {
    sizes: Sizes,
    operators: &'a [Vec<Term>],
    slopes: &'a [Vec<Slope>],
    places: &'a [usize],
    hidden: &'a Hidden<T>,
    /// Adjoints of ∂u/∂z.
    above: &'a [T],
    /// Those of the outputs, [outputs][all][lanes].
    adjoints: &'a [T],
    by_output: &'a mut [T],
    extra: &'a mut [T],
}

impl<T: Real> Bend<'_, T> {
    fn check(&self, units: usize) {
        let Sizes { lanes, carried, outputs, all } = self.sizes;
        assert!(self.by_output.len() >= units * outputs * lanes && self.above.len() >= units * outputs * lanes);
        assert!(self.hidden.sums.len() >= units * carried * lanes && self.hidden.slopes.len() >= units * 3 * lanes);
        assert!(self.extra.len() >= units * carried * lanes && self.hidden.units == units && lanes.is_multiple_of(8));
        assert!(self.adjoints.len() >= outputs * all * lanes);
    }
}

impl<T: Real> Kernel<T> for Bend<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        // One second derivative of one output is the usual case, and takes half the time without lists.
        match (self.operators, self.places, self.sizes.outputs) {
            ([terms], &[place], 1) if self.slopes.len() == 1 => self.single::<V>(terms, place),
            _ => self.any::<V>(),
        }
    }
}

impl<T: Real> Bend<'_, T> {
    #[inline(always)]
    fn single<V: Lanes<T>>(self, terms: &[Term], place: usize) {
        let lanes = self.sizes.lanes;
        let factor = V::splat(T::from_f64(terms.iter().map(|(_, _, c)| c).sum()));
        for unit in 0..self.hidden.units {
            // SAFETY: as in `Read`; one direction is carried besides the value.
            unsafe {
                let z = self.hidden.sums.as_ptr().add((2 * unit + 1) * lanes);
                let slopes = self.hidden.slopes.as_ptr().add(unit * 3 * lanes);
                let above = self.above.as_ptr().add(unit * lanes);
                let adjoints = self.adjoints.as_ptr().add(place * lanes);
                let g = self.by_output.as_mut_ptr().add(unit * lanes);
                let extra = self.extra.as_mut_ptr().add(2 * unit * lanes);
                let mut i = 0;
                while i < lanes {
                    let (s1, s2) = (V::load(slopes.add(i)), V::load(slopes.add(lanes + i)));
                    let s3 = V::load(slopes.add(2 * lanes + i));
                    let (above, by_output, z) = (V::load(above.add(i)), V::load(g.add(i)), V::load(z.add(i)));
                    let turn = V::load(adjoints.add(i)).mul(factor).mul(z);
                    let curved = turn.mul(z);
                    curved.fma(s2, above.mul(s1)).store(g.add(i));
                    by_output.mul(curved.fma(s3, above.mul(s2))).store(extra.add(i));
                    by_output.mul(turn.add(turn)).mul(s2).store(extra.add(lanes + i));
                    i += V::N;
                }
            }
        }
    }

    #[inline(always)]
    fn any<V: Lanes<T>>(self) {
        let Sizes { lanes, carried, outputs, all } = self.sizes;
        for unit in 0..self.hidden.units {
            // SAFETY: as in `Read`.
            unsafe {
                let z = self.hidden.sums.as_ptr().add(unit * carried * lanes);
                let slopes = self.hidden.slopes.as_ptr().add(unit * 3 * lanes);
                let extra = self.extra.as_mut_ptr().add(unit * carried * lanes);
                let mut i = 0;
                while i < lanes {
                    let (s1, s2) = (V::load(slopes.add(i)), V::load(slopes.add(lanes + i)));
                    let s3 = V::load(slopes.add(2 * lanes + i));
                    let adjoint = |output: usize, place: &usize| {
                        V::load(self.adjoints.as_ptr().add((output * all + place) * lanes + i))
                    };
                    for (direction, slopes) in self.slopes.iter().enumerate() {
                        let mut sum = V::splat(T::ZERO);
                        for output in 0..outputs {
                            let by_output = V::load(self.by_output.as_ptr().add((unit * outputs + output) * lanes + i));
                            for (slope, place) in slopes.iter().zip(self.places) {
                                let mut turn = V::splat(T::ZERO);
                                for &(other, factor) in slope {
                                    let z = V::load(z.add((1 + other) * lanes + i));
                                    turn = V::splat(T::from_f64(factor)).fma(z, turn);
                                }
                                sum = adjoint(output, place).mul(by_output).fma(turn, sum);
                            }
                        }
                        sum.mul(s2).store(extra.add((1 + direction) * lanes + i));
                    }
                    let mut value = V::splat(T::ZERO);
                    for output in 0..outputs {
                        let at = (unit * outputs + output) * lanes + i;
                        let g = self.by_output.as_mut_ptr().add(at);
                        let (by_output, above) = (V::load(g), V::load(self.above.as_ptr().add(at)));
                        let mut back = above.mul(s1);
                        let mut along = above.mul(s2);
                        for (terms, place) in self.operators.iter().zip(self.places) {
                            let curved = adjoint(output, place).mul(curvature::<T, V>(z.add(i), lanes, terms));
                            back = curved.fma(s2, back);
                            along = curved.fma(s3, along);
                        }
                        value = by_output.fma(along, value);
                        back.store(g);
                    }
                    value.store(extra.add(i));
                    i += V::N;
                }
            }
        }
    }
}
