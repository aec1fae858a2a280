//! ε of isotropic Gaussians of one width whose means lie on a rectangular lattice, as the cells of a picture do.
//!
//! Their exponentials are products of one along each side: columns + rows of them per particle, where each component takes
//! one for itself in `kernel.rs`. What is left per component is two multiplications and additions.

use super::{
    Component, Lane, Node, Shape,
    lane::{LANES, Lanes},
};

/// A mixture's means by column and row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lattice {
    xs: Vec<f64>,
    ys: Vec<f64>,
    /// Row by row; 0 where there is no component.
    weights: Vec<f64>,
    sd: f64,
}

impl Lattice {
    /// `None` where the components are not isotropic in the plane with one standard deviation, or so few for their columns
    /// and rows that nothing is gained. Columns and rows are told apart by the bits of their coordinate.
    pub(super) fn of(components: &[Component]) -> Option<Self> {
        let Shape::Isotropic { sd } = components.first()?.shape else { return None };
        if components.iter().any(|c| c.shape != Shape::Isotropic { sd } || c.mean.len() != 2) {
            return None;
        }
        let sorted = |d: usize| {
            let mut all: Vec<f64> = components.iter().map(|c| c.mean[d]).collect();
            all.sort_by(f64::total_cmp);
            all.dedup();
            all
        };
        let (xs, ys) = (sorted(0), sorted(1));
        if components.len() < xs.len() + ys.len() {
            return None;
        }
        let mut weights = vec![0.0; xs.len() * ys.len()];
        for c in components {
            let at = |all: &[f64], v: f64| all.partition_point(|a| *a < v);
            // Two components may share a place.
            weights[at(&ys, c.mean[1]) * xs.len() + at(&xs, c.mean[0])] += c.weight;
        }
        Some(Self { xs, ys, weights, sd })
    }
}

/// A lattice at one noise level, in the number format of the kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct LatticeTable<T> {
    /// α times the coordinates.
    xs: Vec<T>,
    ys: Vec<T>,
    weights: Vec<T>,
    /// First column with weight of each row, and the one after its last.
    spans: Vec<(usize, usize)>,
    /// 1/(2 v) and σ/v.
    half_precision: T,
    gain: T,
    /// e^(…) of each column and of each row, and the same times the distance from it.
    sides: [Vec<[Lanes<T>; 2]>; 2],
}

impl<T: Lane> LatticeTable<T> {
    /// Fills the table for noise level `node`. Reuses its memory.
    pub(super) fn set(&mut self, lattice: &Lattice, node: &Node) {
        let (alpha, sigma) = (node.alpha, node.sigma);
        let variance = (alpha * lattice.sd).powi(2) + sigma * sigma;
        self.half_precision = T::of(0.5 / variance);
        self.gain = T::of(sigma / variance);
        let fill = |to: &mut Vec<T>, from: &[f64], scale: f64| {
            to.clear();
            to.extend(from.iter().map(|v| T::of(scale * v)));
        };
        fill(&mut self.xs, &lattice.xs, alpha);
        fill(&mut self.ys, &lattice.ys, alpha);
        fill(&mut self.weights, &lattice.weights, 1.0);
        self.spans.clear();
        self.spans.extend(lattice.weights.chunks(lattice.xs.len()).map(|row| {
            let inked = |w: &f64| *w > 0.0;
            let first = row.iter().position(inked).unwrap_or(0);
            (first, row.iter().rposition(inked).map_or(first, |last| last + 1))
        }));
        for (side, lines) in self.sides.iter_mut().zip([&self.xs, &self.ys]) {
            side.resize(lines.len(), [[T::ZERO; LANES]; 2]);
        }
    }

    /// ε of a block of particles. `None` where a particle is so far from what is nearest by column and by row that the
    /// products have left the range of numbers: then the components are summed one by one.
    #[inline(always)]
    pub(super) fn block(&mut self, x: &Lanes<T>, y: &Lanes<T>) -> Option<(Lanes<T>, Lanes<T>)> {
        // One loop for both sides: the exponential takes room in a bundle wherever it stands.
        for ((side, lines), x) in self.sides.iter_mut().zip([&self.xs, &self.ys]).zip([x, y]) {
            let mut least = [T::of(1e30); LANES];
            for at in lines {
                for l in 0..LANES {
                    let exponent = self.half_precision * ((x[l] - *at) * (x[l] - *at));
                    least[l] = if exponent < least[l] { exponent } else { least[l] };
                }
            }
            for (line, at) in side.iter_mut().zip(lines) {
                let (mut logit, mut from) = ([T::ZERO; LANES], [T::ZERO; LANES]);
                for l in 0..LANES {
                    from[l] = x[l] - *at;
                    logit[l] = least[l] - self.half_precision * (from[l] * from[l]);
                }
                line[0] = T::exp_lanes(logit);
                for l in 0..LANES {
                    line[1][l] = line[0][l] * from[l];
                }
            }
        }
        let [columns, rows] = &self.sides;
        let mut total = [T::ZERO; LANES];
        let (mut ex, mut ey) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        for ((row, span), weights) in rows.iter().zip(&self.spans).zip(self.weights.chunks(self.xs.len())) {
            let (mut mass, mut moment) = ([T::ZERO; LANES], [T::ZERO; LANES]);
            for (weight, column) in weights[span.0..span.1].iter().zip(&columns[span.0..span.1]) {
                for l in 0..LANES {
                    mass[l] += *weight * column[0][l];
                    moment[l] += *weight * column[1][l];
                }
            }
            for l in 0..LANES {
                total[l] += row[0][l] * mass[l];
                ex[l] += row[0][l] * moment[l];
                ey[l] += row[1][l] * mass[l];
            }
        }
        // Written so that NaN is faint.
        if total.iter().any(|t| !(*t >= T::FAINTEST)) {
            return None;
        }
        for l in 0..LANES {
            ex[l] = self.gain * ex[l] / total[l];
            ey[l] = self.gain * ey[l] / total[l];
        }
        Some((ex, ey))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::{Mixture, Schedule, VpLinear, kernel::tests::gap};

    /// Gaussians of the cells of a picture 24 cells wide.
    fn picture(inked: impl Fn(usize, usize) -> f64) -> Mixture {
        let cells = (0..576).map(|at| (at % 24, at / 24)).filter(|(i, j)| inked(*i, *j) > 0.0);
        let component = |(i, j): (usize, usize)| Component {
            weight: inked(i, j),
            mean: vec![(i as f64 - 11.5) / 6.0, (j as f64 - 11.5) / 6.0],
            shape: Shape::Isotropic { sd: 1.0 / 12.0 },
            class: 0,
        };
        Mixture::new(2, cells.map(component).collect()).unwrap()
    }
    fn ring(i: usize, j: usize) -> f64 {
        let r = (i as f64 - 11.5).hypot(j as f64 - 11.5);
        if (6.0..9.0).contains(&r) { 1.0 + (i % 3) as f64 } else { 0.0 }
    }
    /// Three cells in each of two opposite corners.
    fn corners(i: usize, j: usize) -> f64 {
        if i == j && !(3..21).contains(&i) { 1.0 } else { 0.0 }
    }
    /// One of them filled: no cell is near the particles in the other two corners, whose columns and rows have some.
    fn spread(i: usize, j: usize) -> f64 {
        if i < 4 && j < 4 { 1.0 } else { corners(i, j) }
    }

    #[test]
    fn agrees_with_the_plain_form() {
        for law in [picture(ring), picture(|_, _| 1.0), picture(corners), picture(spread)] {
            let plain = law.clone();
            let fast = law.with_lattice();
            assert!(gap::<f64>(&fast, &plain) < 1e-12, "{}", gap::<f64>(&fast, &plain));
            // As in `kernel.rs`: one rounding of x in f32 is magnified by |x − m|/v in the exponent.
            assert!(gap::<f32>(&fast, &plain) < 1e-4, "{}", gap::<f32>(&fast, &plain));
        }
        // Seen to fail where one cell has another weight.
        let other = picture(|i, j| if (i, j) == (4, 12) { 1.5 } else { ring(i, j) }).with_lattice();
        assert!(gap::<f64>(&other, &picture(ring)) > 1e-3);
    }

    #[test]
    fn it_is_used_where_it_holds() {
        let lattice = |law: Mixture| Lattice::of(law.components()).is_some();
        assert!(lattice(picture(ring)) && lattice(picture(|_, _| 1.0)));
        // Six components in six columns and six rows gain nothing, and other shapes are not on it.
        assert!(!lattice(picture(corners)));
        let mut mixed = picture(ring).components().to_vec();
        mixed[5].shape = Shape::Isotropic { sd: 0.2 };
        assert!(Lattice::of(&mixed).is_none() && Lattice::of(&[]).is_none());
        // A particle in an empty corner is given back.
        let mut table = LatticeTable::<f64>::default();
        table.set(&Lattice::of(picture(spread).components()).unwrap(), &VpLinear::default().node(1e-3));
        assert!(table.block(&[-1.9; LANES], &[1.9; LANES]).is_none());
        assert!(table.block(&[-1.9; LANES], &[-1.9; LANES]).is_some());
    }
}
