//! Derivatives of single residuals with respect to the parameters, many points at once.

use super::{GraphEngine, GraphTile, derivatives::Derivatives};
use crate::{
    Real,
    aligned::Aligned,
    lanes::Lanes,
    matmul::add_gram,
    real::{Kernel, Level},
};

/// Residuals of a tile and their derivatives, which [`GraphEngine::rows`] hands out: lanes are points.
pub struct Rows<'a, T> {
    /// Number of the tile's first point within the batch, and of its points.
    pub start: usize,
    pub len: usize,
    /// Which residual of each point.
    pub residual: usize,
    pub residuals: &'a [T],
    lanes: usize,
    /// [parameter][lanes]
    slopes: &'a [T],
}

impl<'a, T: Real> Rows<'a, T> {
    /// ∂r/∂(parameter) at the points.
    pub fn slopes(&self, parameter: usize) -> &'a [T] {
        &self.slopes[parameter * self.lanes..][..self.len]
    }
}

/// A tile whose residuals are asked for.
pub struct RowTile<'a, 'b, T> {
    pub tile: GraphTile<'a, T>,
    pub residuals: &'b mut [T],
    lanes: usize,
    slopes: &'b mut [T],
}

impl<T: Real> RowTile<'_, '_, T> {
    /// ∂r/∂(parameter) at the points, to be written for parameters that no node reads.
    pub fn slopes(&mut self, parameter: usize) -> &mut [T] {
        &mut self.slopes[parameter * self.lanes..][..self.tile.len]
    }
}

impl<T: Real> GraphEngine<T> {
    /// Residuals and their derivatives with respect to all parameters, `count` residuals at each point. `residual(tile, k)`
    /// writes residual k at the tile's points and its adjoints there; `take` gets them tile by tile. Lanes stay apart all
    /// the way back, so a residual costs what one gradient costs and one write per parameter and point.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn rows(
        &mut self,
        parameters: &[T],
        points: &[T],
        count: usize,
        mut residual: impl FnMut(&mut RowTile<'_, '_, T>, usize),
        mut take: impl FnMut(&Rows<'_, T>),
    ) {
        let width = self.graph.parameters;
        let mut slopes = Aligned::zeros(width * self.capacity);
        let mut residuals = vec![T::ZERO; self.capacity];
        self.uses_chains = false;
        self.tiles(parameters, points, |engine, start, len| {
            let lanes = engine.lanes;
            for k in 0..count {
                slopes[..width * lanes].fill(T::ZERO);
                engine.output_adjoints.fill(T::ZERO);
                let (residuals, slopes) = (&mut residuals[..len], &mut slopes[..width * lanes]);
                residual(&mut RowTile { tile: engine.tile(start, len), residuals, lanes, slopes }, k);
                engine.backward(parameters, Sink::Rows(slopes));
                take(&Rows { start, len, residual: k, residuals, lanes, slopes });
            }
        });
    }

    /// What [`add_gradient`](Self::add_gradient) adds up, for single points of the batch: each chosen one's part of the loss and
    /// the gradient of that part. `loss` is called with one point at a time, which has its number within the batch. Cost: one
    /// evaluation of the batch, and a gradient for each tile that has a chosen point.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn gradients_of(
        &mut self,
        parameters: &[T],
        points: &[T],
        chosen: &[usize],
        mut loss: impl FnMut(&mut GraphTile<'_, T>) -> f64,
    ) -> Vec<(f64, Vec<T>)> {
        let width = self.graph.parameters;
        let (mut slopes, mut found) = (Aligned::zeros(width * self.capacity), Vec::new());
        self.uses_chains = false;
        self.tiles(parameters, points, |engine, start, len| {
            let here: Vec<usize> = chosen.iter().filter(|at| (start..start + len).contains(at)).copied().collect();
            if here.is_empty() {
                return;
            }
            engine.output_adjoints.fill(T::ZERO);
            let parts: Vec<f64> = here.iter().map(|at| loss(&mut engine.single(start, *at))).collect();
            let lanes = engine.lanes;
            slopes[..width * lanes].fill(T::ZERO);
            engine.backward(parameters, Sink::Rows(&mut slopes[..width * lanes]));
            for (at, part) in here.into_iter().zip(parts) {
                found.push((part, (0..width).map(|p| slopes[p * lanes + at - start]).collect()));
            }
        });
        found
    }

    /// Every point's part of the loss; see [`gradients_of`](Self::gradients_of).
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn parts(
        &mut self,
        parameters: &[T],
        points: &[T],
        mut loss: impl FnMut(&mut GraphTile<'_, T>) -> f64,
    ) -> Vec<f64> {
        let mut parts = Vec::with_capacity(points.len() / self.graph.inputs);
        self.uses_chains = true;
        self.tiles(parameters, points, |engine, start, len| {
            parts.extend((start..start + len).map(|at| loss(&mut engine.single(start, at))));
        });
        parts
    }

    /// Point `at` of the batch alone, of the tile that starts with point `start`.
    fn single(&mut self, start: usize, at: usize) -> GraphTile<'_, T> {
        let mut tile = self.tile(at, 1);
        tile.first = at - start;
        tile
    }

    /// Residuals and their derivatives as one matrix, one row per residual, `count` of them per point, point by point. Cost
    /// and `residual` as for [`rows`](Self::rows).
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn jacobian(
        &mut self,
        parameters: &[T],
        points: &[T],
        count: usize,
        residuals: &mut [T],
        jacobian: &mut [T],
        residual: impl FnMut(&mut RowTile<'_, '_, T>, usize),
    ) {
        let width = self.graph.parameters;
        let all = points.len() / self.graph.inputs * count;
        assert!(residuals.len() == all && jacobian.len() == all * width, "one row per residual");
        self.rows(parameters, points, count, residual, |rows| {
            for (i, r) in rows.residuals.iter().enumerate() {
                residuals[(rows.start + i) * count + rows.residual] = *r;
            }
            for parameter in 0..width {
                for (i, slope) in rows.slopes(parameter).iter().enumerate() {
                    jacobian[((rows.start + i) * count + rows.residual) * width + parameter] = *slope;
                }
            }
        });
    }
}

/// Where the derivatives with respect to the parameters go.
pub(super) enum Sink<'a, T> {
    /// One number per parameter: the sum over the points is added.
    Sum(&'a mut [T]),
    /// [parameter][lanes]: that of each point.
    Rows(&'a mut [T]),
}

/// out[unit][input][lane] = Σ over the components of adjoint · value: a dense layer's weights, lane by lane.
pub(super) struct DenseRows<'a, T> {
    pub set: &'a Derivatives,
    pub units: usize,
    pub inputs: usize,
    pub lanes: usize,
    pub adjoints: &'a [T],
    pub values: &'a [T],
    pub out: &'a mut [T],
}

impl<T: Real> Kernel<T> for DenseRows<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        let (components, lanes) = (self.set.components(), self.lanes);
        let row = components * lanes;
        assert!(lanes.is_multiple_of(8) && self.adjoints.len() >= self.units * row);
        assert!(self.values.len() >= self.inputs * row && self.out.len() >= self.units * self.inputs * lanes);
        for unit in 0..self.units {
            for input in 0..self.inputs {
                let mut i = 0;
                while i < lanes {
                    let mut sum = V::splat(T::ZERO);
                    for c in 0..components {
                        // SAFETY: checked above, lanes being a multiple of every V::N.
                        let (a, b) = unsafe {
                            let a = V::load(self.adjoints.as_ptr().add(unit * row + c * lanes + i));
                            (a, V::load(self.values.as_ptr().add(input * row + c * lanes + i)))
                        };
                        sum = a.fma(b, sum);
                    }
                    // SAFETY: checked above.
                    unsafe { sum.store(self.out.as_mut_ptr().add((unit * self.inputs + input) * lanes + i)) };
                    i += V::N;
                }
            }
        }
    }
}

/// Points whose rows are multiplied at once: sums of products over them stay in registers.
const WIDE: usize = 256;

/// JᵀJ, Jᵀr and |r|² of residuals r that come in rows, without keeping J.
pub struct NormalEquations {
    level: Level,
    parameters: usize,
    /// The lower triangle, [parameter][parameter].
    pub gram: Vec<f64>,
    /// Half the gradient of |r|².
    pub gradient: Vec<f64>,
    /// |r|²
    pub loss: f64,
    /// [parameter][WIDE], of which `filled` are used.
    waiting: Aligned<f64>,
    filled: usize,
}

impl NormalEquations {
    pub fn new(parameters: usize) -> Self {
        Self::with(parameters, Level::best())
    }

    /// The same with a chosen instruction set.
    pub fn with(parameters: usize, level: Level) -> Self {
        Self {
            level,
            parameters,
            gram: vec![0.0; parameters * parameters],
            gradient: vec![0.0; parameters],
            loss: 0.0,
            waiting: Aligned::zeros(parameters * WIDE),
            filled: 0,
        }
    }

    /// As without residuals.
    pub fn clear(&mut self) {
        self.gram.fill(0.0);
        self.gradient.fill(0.0);
        (self.loss, self.filled) = (0.0, 0);
    }

    /// Takes the residuals of a tile. Their products are made when there are enough: see [`finish`](Self::finish).
    pub fn add(&mut self, rows: &Rows<'_, f64>) {
        self.loss += rows.residuals.iter().map(|r| r * r).sum::<f64>();
        let mut from = 0;
        while from < rows.len {
            let count = (WIDE - self.filled).min(rows.len - from);
            for p in 0..self.parameters {
                let slopes = &rows.slopes(p)[from..from + count];
                let products = slopes.iter().zip(&rows.residuals[from..]).map(|(s, r)| s * r);
                self.gradient[p] += products.sum::<f64>();
                self.waiting[p * WIDE + self.filled..][..count].copy_from_slice(slopes);
            }
            self.filled += count;
            from += count;
            if self.filled == WIDE {
                self.finish();
            }
        }
    }

    /// Takes one residual by itself, such as one of an integral, with its derivatives.
    ///
    /// # Panics
    /// If there is not one derivative per parameter.
    pub fn add_one(&mut self, residual: f64, slopes: &[f64]) {
        assert_eq!(slopes.len(), self.parameters, "one derivative per parameter");
        self.loss += residual * residual;
        for (p, slope) in slopes.iter().enumerate() {
            self.gradient[p] += slope * residual;
            self.waiting[p * WIDE + self.filled] = *slope;
        }
        self.filled += 1;
        if self.filled == WIDE {
            self.finish();
        }
    }

    /// Makes the products of all that was added.
    pub fn finish(&mut self) {
        let used = self.filled.next_multiple_of(8);
        if used == 0 {
            return;
        }
        for row in self.waiting.chunks_exact_mut(WIDE) {
            row[self.filled..used].fill(0.0);
        }
        add_gram(self.level, &self.waiting, WIDE, &mut self.gram, self.parameters, self.parameters, used);
        self.filled = 0;
    }
}
