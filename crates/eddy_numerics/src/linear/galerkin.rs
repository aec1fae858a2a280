//! Multigrid for a matrix on a grid: coarse matrices are made of the fine one, so that no equation has to be known.
//!
//! Coarse grids have every second point of the axes along which the matrix couples strongly; between them corrections are
//! interpolated linearly, P, and the coarse matrix is Pᵀ A P. Before and after a coarse correction one sweep of incomplete
//! LU factors smooths; the coarsest grid is solved directly. Made as a [`Preconditioner`]: one cycle is a fixed linear map.
//!
//! Source: Trottenberg, Oosterlee, Schüller 2001, Multigrid, sections 2.4, 7.5 (ILU smoothing) and 7.7 (Galerkin coarse
//! matrices). For Laplacians of orders 2 to 8 with walls a Krylov method needs some ten cycles to 1e-12 whatever the number
//! of points; a cycle costs about six applications of the fine matrix in the plane, set-up some fifty. Where a matrix is far
//! from elliptic (strong advection across the grid, waves shorter than coarse grids resolve) the cycles do not help, and the
//! Krylov method says so. [`super::multigrid`] needs less memory and time where its equation fits.

use std::sync::Arc;

use super::{BandedLu, Csr, Ilu0, LinearError, Preconditioner, Scalar};

/// Unknowns of the coarsest grid, at most, unless no axis can be halved.
const COARSEST: usize = 600;
/// An axis with fewer points is not halved.
const LEAST: usize = 5;
/// An axis whose couplings are weaker than this share of the strongest is not halved: what oscillates along it is not
/// smoothed.
const WEAK: f64 = 0.1;
/// From so many points on an entry between the first and last point of an axis says that it is periodic: differences at
/// walls reach less far.
const WIDE: usize = 16;

struct Level<V> {
    matrix: Arc<Csr<V>>,
    smoother: Ilu0<V>,
    /// From the coarse grid to this one, and back.
    interpolation: Csr<V>,
    restriction: Csr<V>,
}

/// One cycle as an approximate inverse.
pub struct GalerkinMultigrid<V> {
    /// Finest first.
    levels: Vec<Level<V>>,
    coarsest: BandedLu<V>,
}

impl<V: Scalar> GalerkinMultigrid<V> {
    /// For unknowns `component · points + point` on a grid of points along x, y, z; x runs fastest.
    ///
    /// Fails where factors of a level do not exist, or where the grid cannot be made small enough for a direct solve.
    ///
    /// # Panics
    /// If the matrix has not as many rows as unknowns.
    pub fn new(matrix: Arc<Csr<V>>, shape: [usize; 3], components: usize) -> Result<Self, LinearError> {
        assert_eq!(matrix.rows(), shape.iter().product::<usize>() * components, "a row for each unknown");
        let (mut matrix, mut shape, mut levels) = (matrix, shape, Vec::new());
        while matrix.rows() > COARSEST {
            let Some(coarse) = coarser(&matrix, shape) else { break };
            let interpolation = interpolation(&matrix, shape, coarse, components);
            let restriction = interpolation.transpose();
            let smoother = Ilu0::new(&matrix)?;
            let product = Arc::new(with_identity(restriction.multiply(&matrix.multiply(&interpolation))));
            levels.push(Level { matrix, smoother, interpolation, restriction });
            (matrix, shape) = (product, coarse);
        }
        Ok(Self { coarsest: matrix.factor()?, levels })
    }

    /// Grids, the finest and the coarsest included.
    pub fn levels(&self) -> usize {
        self.levels.len() + 1
    }

    fn cycle(&self, depth: usize, r: &[V], z: &mut [V]) {
        let Some(level) = self.levels.get(depth) else {
            z.copy_from_slice(r);
            return self.coarsest.solve(z);
        };
        let mut rest = vec![V::default(); r.len()];
        let mut step = vec![V::default(); r.len()];
        let subtract = |z: &[V], rest: &mut [V]| {
            level.matrix.apply(z, rest);
            rest.iter_mut().zip(r).for_each(|(a, r)| *a = *r - *a);
        };
        let add = |z: &mut [V], step: &[V]| z.iter_mut().zip(step).for_each(|(z, s)| *z += *s);
        level.smoother.precondition(r, z);
        subtract(z, &mut rest);
        let mut below = vec![V::default(); level.restriction.rows()];
        level.restriction.apply(&rest, &mut below);
        let mut correction = vec![V::default(); below.len()];
        self.cycle(depth + 1, &below, &mut correction);
        level.interpolation.apply(&correction, &mut step);
        add(z, &step);
        subtract(z, &mut rest);
        level.smoother.precondition(&rest, &mut step);
        add(z, &step);
    }
}

impl<V: Scalar> Preconditioner<V> for GalerkinMultigrid<V> {
    fn precondition(&self, r: &[V], z: &mut [V]) {
        self.cycle(0, r, z);
    }
}

/// Points of the next grid; none where no axis can be halved.
fn coarser<V: Scalar>(matrix: &Csr<V>, shape: [usize; 3]) -> Option<[usize; 3]> {
    let points: usize = shape.iter().product();
    let mut strength = [0.0; 3];
    for (row, column, value) in matrix.triplets() {
        // Within one component, and along one axis.
        let (a, b) = (place(row % points, shape), place(column % points, shape));
        let mut axes = (0..3).filter(|axis| a[*axis] != b[*axis]);
        if let (true, Some(axis), None) = (row / points == column / points, axes.next(), axes.next()) {
            strength[axis] += value.magnitude();
        }
    }
    let strongest = (0..3).filter(|axis| shape[*axis] >= LEAST).map(|axis| strength[axis]).fold(0.0, f64::max);
    let coarse = [0, 1, 2].map(|axis| {
        let is_halved = shape[axis] >= LEAST && strength[axis] >= WEAK * strongest;
        if is_halved { shape[axis].div_ceil(2) } else { shape[axis] }
    });
    (coarse != shape).then_some(coarse)
}

fn place(point: usize, shape: [usize; 3]) -> [usize; 3] {
    [point % shape[0], point / shape[0] % shape[1], point / (shape[0] * shape[1])]
}

/// Linear interpolation between every second point, component by component. Unknowns that nothing is coupled to, such as
/// given values, are left as they are.
fn interpolation<V: Scalar>(matrix: &Csr<V>, fine: [usize; 3], coarse: [usize; 3], components: usize) -> Csr<V> {
    let points: usize = fine.iter().product();
    let coarse_points: usize = coarse.iter().product();
    let is_alone = |unknown: usize| matrix.row(unknown).0.iter().all(|column| *column == unknown);
    let strides = [1, fine[0], fine[0] * fine[1]];
    let periodic = [0, 1, 2].map(|axis| {
        fine[axis] >= WIDE
            && (0..points).filter(|point| place(*point, fine)[axis] == 0).any(|point| {
                let last = point + (fine[axis] - 1) * strides[axis];
                matrix.get(point, last) != V::default()
            })
    });
    let along = |axis: usize, at: usize| -> [Option<(usize, f64)>; 2] {
        if coarse[axis] == fine[axis] {
            [Some((at, 1.0)), None]
        } else if at % 2 == 0 {
            [Some((at / 2, 1.0)), None]
        } else if at + 1 < fine[axis] {
            [Some((at / 2, 0.5)), Some((at / 2 + 1, 0.5))]
        } else if periodic[axis] {
            [Some((at / 2, 0.5)), Some((0, 0.5))]
        } else {
            [Some((at / 2, 1.0)), None]
        }
    };
    let rows = (0..components * points).map(|unknown| {
        let mut row = Vec::with_capacity(8);
        if is_alone(unknown) {
            return row;
        }
        let (component, at) = (unknown / points, place(unknown % points, fine));
        for (z, wz) in along(2, at[2]).into_iter().flatten() {
            for (y, wy) in along(1, at[1]).into_iter().flatten() {
                for (x, wx) in along(0, at[0]).into_iter().flatten() {
                    // The fine point that lies where the coarse one does.
                    let step = |axis: usize, c: usize| if coarse[axis] == fine[axis] { c } else { 2 * c };
                    let same = step(0, x) * strides[0] + step(1, y) * strides[1] + step(2, z) * strides[2];
                    if !is_alone(component * points + same) {
                        let column = (z * coarse[1] + y) * coarse[0] + x;
                        row.push((component * coarse_points + column, V::of(wx * wy * wz)));
                    }
                }
            }
        }
        row
    });
    Csr::from_rows(components * coarse_points, rows)
}

/// Ones on the diagonal of empty rows.
fn with_identity<V: Scalar>(matrix: Csr<V>) -> Csr<V> {
    if (0..matrix.rows()).all(|row| !matrix.row(row).0.is_empty()) {
        return matrix;
    }
    let rows = (0..matrix.rows()).map(|row| {
        let (columns, values) = matrix.row(row);
        if columns.is_empty() {
            vec![(row, V::of(1.0))]
        } else {
            columns.iter().copied().zip(values.iter().copied()).collect()
        }
    });
    Csr::from_rows(matrix.columns(), rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::{Krylov, Report};

    /// -∇·(a ∇u) + c u with weights by axis; values are given at the ends of the axes that are not periodic.
    fn laplacian(shape: [usize; 3], weights: [f64; 3], reaction: f64, periodic: [bool; 3]) -> Csr<f64> {
        let points: usize = shape.iter().product();
        let strides = [1, shape[0], shape[0] * shape[1]];
        let is_end = |point: usize| {
            (0..3).any(|axis| {
                let at = place(point, shape)[axis];
                shape[axis] > 1 && !periodic[axis] && (at == 0 || at + 1 == shape[axis])
            })
        };
        Csr::from_rows(
            points,
            (0..points).map(|point| {
                if is_end(point) {
                    return vec![(point, 1.0)];
                }
                let mut row = vec![(point, reaction)];
                for axis in (0..3).filter(|axis| shape[*axis] > 1) {
                    let (at, n) = (place(point, shape)[axis], shape[axis]);
                    for other in [(at + 1) % n, (at + n - 1) % n] {
                        let neighbour = point + other * strides[axis] - at * strides[axis];
                        // Coefficients vary by a factor of three.
                        let a = weights[axis] * (2.0 + ((point + neighbour) as f64 * 0.01).sin());
                        row.push((point, a));
                        if !is_end(neighbour) {
                            row.push((neighbour, -a));
                        }
                    }
                }
                row
            }),
        )
    }

    fn solved(matrix: &Csr<f64>, shape: [usize; 3], components: usize) -> (Report, f64) {
        let exact: Vec<f64> = (0..matrix.rows()).map(|i| (0.37 * i as f64).cos() + 0.2).collect();
        let mut b = vec![0.0; exact.len()];
        matrix.apply(&exact, &mut b);
        let multigrid = GalerkinMultigrid::new(Arc::new(matrix.clone()), shape, components).unwrap();
        assert!(multigrid.levels() > 1, "{shape:?}");
        let mut x = vec![0.0; exact.len()];
        let krylov = Krylov { tolerance: 1e-12, ..Krylov::default() };
        let report = krylov.gmres(matrix, &multigrid, &b, &mut x);
        let error = x.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        (report, error)
    }

    #[test]
    fn cycles_do_not_grow_with_the_grid() {
        let walls = [false; 3];
        for (shape, periodic, reaction) in [
            ([33, 33, 1], walls, 0.0),
            ([129, 129, 1], walls, 0.0),
            ([100, 61, 1], walls, 0.0),
            ([64, 48, 1], [true, true, false], 0.1),
            ([17, 17, 17], walls, 0.0),
            ([33, 33, 33], walls, 0.0),
        ] {
            let (report, error) = solved(&laplacian(shape, [1.0; 3], reaction, periodic), shape, 1);
            assert!(report.is_converged() && report.iterations <= 14, "{shape:?}: {report:?}");
            assert!(error < 1e-9, "{shape:?}: {error:e}");
        }
    }

    #[test]
    fn weak_axes_are_left() {
        let shape = [65, 65, 1];
        let matrix = laplacian(shape, [1.0, 1e-3, 1.0], 0.0, [false; 3]);
        assert_eq!(coarser(&matrix, shape), Some([33, 65, 1]));
        let (report, error) = solved(&matrix, shape, 1);
        assert!(report.is_converged() && report.iterations <= 14 && error < 1e-9, "{report:?} {error:e}");
    }

    #[test]
    fn coupled_components_are_solved_together() {
        // I - shift (Δ u - v, Δ v + u), both components on one grid.
        let (shape, points) = ([40, 40, 1], 1600);
        let one = laplacian(shape, [25.0; 3], 1.0, [false; 3]);
        let rows = (0..2 * points).map(|unknown| {
            let (component, point) = (unknown / points, unknown % points);
            let (columns, values) = one.row(point);
            let mut row: Vec<(usize, f64)> =
                columns.iter().zip(values).map(|(c, v)| (component * points + c, *v)).collect();
            if columns.len() > 1 {
                row.push(((1 - component) * points + point, if component == 0 { 3.0 } else { -3.0 }));
            }
            row
        });
        let (report, error) = solved(&Csr::from_rows(2 * points, rows.collect::<Vec<_>>()), shape, 2);
        assert!(report.is_converged() && report.iterations <= 16 && error < 1e-9, "{report:?} {error:e}");
    }

    /// The comparison is seen to fail: without its coarse grids the same smoother needs far more.
    #[test]
    fn coarse_grids_are_what_helps() {
        let shape = [129, 129, 1];
        let matrix = laplacian(shape, [1.0; 3], 0.0, [false; 3]);
        let b = vec![1.0; matrix.rows()];
        let krylov = Krylov { tolerance: 1e-12, max_iterations: 30, ..Krylov::default() };
        let smoother = Ilu0::new(&matrix).unwrap();
        assert!(!krylov.gmres(&matrix, &smoother, &b, &mut vec![0.0; b.len()]).is_converged());
        let multigrid = GalerkinMultigrid::new(Arc::new(matrix.clone()), shape, 1).unwrap();
        assert!(krylov.gmres(&matrix, &multigrid, &b, &mut vec![0.0; b.len()]).is_converged());
    }
}
