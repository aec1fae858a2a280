//! Where the residual is asked for, and its values there.

use eddy_expr::{BlockKernel, Column, Field, Residuals, Row, program::UniformInput};
use eddy_nets::{
    Real,
    graph::{GraphTile, RowTile},
    uniform,
};

use super::{TypedNetwork, reads::bases};

/// Steps between two draws of points that follow the residual.
const FOLLOWED: u64 = 50;
/// Candidates for each of them.
const CANDIDATES: usize = 4;

/// Gives a kernel of residuals the parameters, the only uniforms that they have.
pub(super) fn put_parameters(kernel: &mut BlockKernel<f64>, parameters: &[f64]) {
    kernel.set_uniforms(|input| match input {
        UniformInput::Parameter(k) => parameters.get(usize::from(k)).copied().unwrap_or(f64::NAN),
        _ => f64::NAN,
    });
}

/// What a program gives at places [axis][point] where it reads `columns` [read][point]: [output][point]. None where an input is
/// missing.
pub(super) fn run_at(
    residuals: &Residuals,
    parameters: &[f64],
    places: &[Vec<f64>],
    columns: &[Vec<f64>],
) -> Option<Vec<Vec<f64>>> {
    let mut kernel = BlockKernel::<f64>::new(residuals.program.clone());
    put_parameters(&mut kernel, parameters);
    let at = |axis: usize| places.get(axis).map_or(Column::Constant(0.0), |values| Column::Values(values));
    let mut outputs = vec![vec![0.0; columns.first().map_or(0, Vec::len)]; residuals.program.outputs.len()];
    run(&mut kernel, columns, [at(0), at(1), at(2)], &mut outputs).then_some(outputs)
}

fn run(
    kernel: &mut BlockKernel<f64>,
    columns: &[Vec<f64>],
    coordinates: [Column<'_, f64>; 3],
    outputs: &mut [Vec<f64>],
) -> bool {
    let fields: Vec<Field<'_, f64>> = columns.iter().map(|data| Field { data, start: 0 }).collect();
    let row = Row { fields: &fields, strides: [1, 0, 0], coordinates };
    let mut slices: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    kernel.run(&row, &mut slices).is_ok()
}

/// What the residuals read and give, by point of a tile.
pub(super) struct Buffers {
    columns: Vec<Vec<f64>>,
    /// Coordinates, by axis.
    places: [Vec<f64>; 3],
    pub outputs: Vec<Vec<f64>>,
}

impl Buffers {
    pub fn new(residuals: &Residuals) -> Self {
        let outputs = vec![Vec::new(); residuals.program.outputs.len()];
        Self { columns: vec![Vec::new(); residuals.reads.len()], places: Default::default(), outputs }
    }

    /// Fills `outputs` for the points of a tile, the first of all tiles being point `first` of `bases`. False where an input is
    /// missing.
    pub fn run<T: Real>(
        &mut self,
        kernel: &mut BlockKernel<f64>,
        sources: &[Option<(usize, usize)>],
        bases: &[Vec<f64>],
        first: usize,
        dimension: usize,
        tile: &GraphTile<'_, T>,
    ) -> bool {
        let Self { columns, places, outputs } = self;
        for ((column, source), base) in columns.iter_mut().zip(sources).zip(bases) {
            column.clear();
            column.extend_from_slice(&base[first + tile.start..][..tile.len]);
            if let Some((output, component)) = source {
                column.iter_mut().zip(tile.jet(*output, *component)).for_each(|(c, j)| *c += j.to_f64());
            }
        }
        outputs.iter_mut().for_each(|output| output.resize(tile.len, 0.0));
        for (axis, place) in places.iter_mut().enumerate().take(dimension) {
            place.clear();
            place.extend(tile.input(axis).iter().map(|x| x.to_f64()));
        }
        let at = |axis: usize| if axis < dimension { Column::Values(&places[axis]) } else { Column::Constant(0.0) };
        run(kernel, columns, [at(0), at(1), at(2)], outputs)
    }

    /// What was read at a point of the tile, by read.
    pub fn read(&self, read: usize, i: usize) -> f64 {
        self.columns[read][i]
    }

    /// Residual `k` as [`run`](Self::run) left it, with its adjoints, times a factor of each point.
    pub fn write(
        &self,
        rows: &mut RowTile<'_, '_, f64>,
        k: usize,
        residuals: &Residuals,
        sources: &[Option<(usize, usize)>],
        factor: impl Fn(usize) -> f64,
    ) {
        let (count, tile) = (residuals.fields.len(), &mut rows.tile);
        for (i, r) in rows.residuals.iter_mut().enumerate() {
            *r = factor(i) * self.outputs[k][i];
        }
        for (n, (_, read)) in residuals.slopes.iter().enumerate().filter(|(_, (of, _))| *of == k) {
            let Some((output, component)) = sources[*read] else { continue };
            for (i, a) in tile.adjoint(output, component).iter_mut().enumerate() {
                *a += factor(i) * self.outputs[count + n][i];
            }
        }
    }

    /// Derivatives of residual `k` with respect to coefficients, at the points, and which coefficients.
    pub fn parameter_slopes<'a>(
        &'a self,
        residuals: &'a Residuals,
        k: usize,
    ) -> impl Iterator<Item = (&'a [f64], usize)> + 'a {
        let after = residuals.fields.len() + residuals.slopes.len();
        let slopes = residuals.parameter_slopes.iter().enumerate().filter(move |(_, (of, _))| *of == k);
        slopes.map(move |(n, (_, position))| (&self.outputs[after + n][..], *position))
    }
}

impl TypedNetwork {
    /// Random points inside, slice by slice in order of time: uniform, or of four times as many the ones that a density
    /// |r|/mean|r| + 1 takes (residual-based adaptive distribution, Wu, Zhu, Tan, Kartha, Lu 2023, eq. 2 with k = c = 1), slice by
    /// slice with the network of the last measurement. Those are kept for fifty steps.
    pub(super) fn draw_inside(&mut self, step: u64) {
        let follows = self.training.is_adaptive && !self.points.is_empty();
        if follows && !step.is_multiple_of(FOLLOWED) {
            return;
        }
        let per = self.weigher.slices().points;
        self.points = self.uniform_points(step, if follows { CANDIDATES * per } else { per });
        self.read_bases();
        if follows {
            let sizes = self.residual_sizes();
            let inputs = self.candidate.inputs;
            let mut chosen = Vec::with_capacity(self.weigher.slices().count * per * inputs);
            for (slice, sizes) in sizes.chunks_exact(CANDIDATES * per).enumerate() {
                let shift = uniform(u64::from(self.training.seed) ^ 0xada, step * 64 + slice as u64);
                for at in spread(sizes, per, shift) {
                    let point = slice * CANDIDATES * per + at;
                    chosen.extend_from_slice(&self.points[point * inputs..][..inputs]);
                }
            }
            self.points = chosen;
            self.read_bases();
        }
    }

    fn uniform_points(&self, step: u64, per: usize) -> Vec<f64> {
        let slices = self.weigher.slices();
        let (inputs, dimension) = (self.candidate.inputs, self.statement.grid.dimension());
        let seed = u64::from(self.training.seed);
        let mut counter = step * (slices.count * per * inputs) as u64;
        let mut next = || {
            counter += 1;
            uniform(seed ^ 0x5eed, counter)
        };
        let mut points = Vec::with_capacity(slices.count * per * inputs);
        for slice in 0..slices.count {
            for _ in 0..per {
                for axis in &self.statement.grid.axes[..dimension] {
                    points.push(axis.min + axis.length() * next());
                }
                if self.candidate.has_time {
                    let share = (slice as f64 + next()) / slices.count as f64;
                    points.push(self.statement.start + (self.statement.end - self.statement.start) * share);
                }
            }
        }
        points
    }

    /// What is not the network's of everything that is read at the points.
    fn read_bases(&mut self) {
        let offset = self.march.offset();
        self.bases =
            bases(&self.residuals.reads, &self.sources, &self.statement, &self.candidate, &self.points, offset);
    }

    /// Size of the residual at the points, with the network as last measured.
    fn residual_sizes(&mut self) -> Vec<f64> {
        let parameters = self.insight.parameters().to_vec();
        self.put_coefficients(&parameters);
        let Self { kernel, residuals, sources, bases, scales, engine, statement, points, .. } = self;
        let (dimension, mut buffers) = (statement.grid.dimension(), Buffers::new(residuals));
        let mut sizes = Vec::with_capacity(points.len());
        engine.evaluate(&parameters, points, |tile| {
            let is_known = buffers.run(kernel, sources, bases, 0, dimension, tile);
            sizes.extend((0..tile.len).map(|i| {
                let squared = scales.iter().zip(&buffers.outputs).map(|(s, r)| (s * r[i]).powi(2)).sum::<f64>();
                if is_known && squared.is_finite() { squared.sqrt() } else { 0.0 }
            }));
        });
        sizes
    }
}

/// `count` places drawn with density w/mean w + 1, at equal distances along its sum from `shift` (in [0, 1)) on, so that no
/// place is taken more often than its share rounded up.
fn spread(weights: &[f64], count: usize, shift: f64) -> Vec<usize> {
    let n = weights.len() as f64;
    let mean = weights.iter().sum::<f64>() / n;
    let density = |w: f64| if mean > 0.0 { w / mean + 1.0 } else { 1.0 };
    let total: f64 = weights.iter().map(|w| density(*w)).sum();
    let (mut places, mut sum) = (Vec::with_capacity(count), 0.0);
    for (i, w) in weights.iter().enumerate() {
        sum += density(*w);
        while places.len() < count && (places.len() as f64 + shift) * total < sum * count as f64 {
            places.push(i);
        }
    }
    // Rounding may leave the last one out.
    places.resize(count, weights.len() - 1);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_density() {
        // Of four places the last holds all of the residual: densities 1, 1, 1 and 5 of 8.
        let places = spread(&[0.0, 0.0, 0.0, 2.0], 8, 0.5);
        assert_eq!(places, [0, 1, 2, 3, 3, 3, 3, 3]);
        assert_eq!(spread(&[0.0; 4], 4, 0.0), [0, 1, 2, 3]);
        assert_eq!(spread(&[1.0; 6], 3, 0.5), [1, 3, 5]);
    }
}
