//! A sheet of starting points, carried along by a flow: where it is stretched, where it is pressed together, how it folds.

use eddy_numerics::diffusion::{Batch, Mixture, Shape};
use eddy_spec::{Axis, ColorMap, ViewData, ViewSpec};

use super::pictures::positions;

/// Points along a side.
const SIDE: usize = 29;
/// Standard deviations of the law that the sheet covers on each side.
const REACH: f64 = 2.0;
/// Decades of stretch and compression that are told apart.
const DECADES: f64 = 1.0;

pub const SHEET_VIEW: ViewSpec = ViewSpec::mesh(
    "sheet",
    "sheet",
    Axis::linear("x", "x_1"),
    Axis::linear("y", "x_2"),
    Axis::linear("decades of stretch", "\\log_{10}|\\det\\,\\partial Z_1/\\partial Z_0|"),
    ColorMap::Diverging,
);

/// A lattice over where a law in the plane has its mass.
pub struct Sheet {
    pub start: Batch<f64>,
    triangles: Vec<u32>,
}

impl Sheet {
    pub fn over(law: &Mixture) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for component in law.components() {
            let deviation = match &component.shape {
                Shape::Isotropic { sd } => *sd,
                Shape::Full { sds, .. } => sds.iter().copied().fold(0.0, f64::max),
            };
            for axis in 0..2 {
                low[axis] = low[axis].min(component.mean[axis] - REACH * deviation);
                high[axis] = high[axis].max(component.mean[axis] + REACH * deviation);
            }
        }
        let at = |axis: usize, k: usize| low[axis] + (high[axis] - low[axis]) * k as f64 / (SIDE - 1) as f64;
        let points: Vec<f64> = (0..SIDE * SIDE).flat_map(|i| [at(0, i % SIDE), at(1, i / SIDE)]).collect();
        let cells = (0..SIDE - 1).flat_map(|y| (0..SIDE - 1).map(move |x| (y * SIDE + x) as u32));
        let row = SIDE as u32;
        let triangles = cells.flat_map(|a| [a, a + 1, a + row + 1, a, a + row + 1, a + row]).collect();
        Self { start: Batch::from_points(2, &points), triangles }
    }

    /// The sheet with its points at `end`.
    pub fn view(&self, end: &Batch<f64>, limit: f64) -> ViewData {
        let area = |points: &Batch<f64>, corners: &[u32]| {
            let [a, b, c] = [0, 1, 2].map(|k| points.point(corners[k] as usize));
            0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])).abs()
        };
        // Of the triangles around a point, before and after.
        let mut around = vec![[0.0; 2]; end.len()];
        for corners in self.triangles.chunks_exact(3) {
            let both = [area(&self.start, corners), area(end, corners)];
            for corner in corners {
                (0..2).for_each(|k| around[*corner as usize][k] += both[k]);
            }
        }
        let stretch = |[before, after]: [f64; 2]| (after / before).log10().clamp(-DECADES, DECADES);
        ViewData::Mesh {
            positions: positions(end),
            // A triangle pressed to nothing is at the end of the scale, and one without numbers too.
            values: around.into_iter().map(|areas| stretch(areas).max(-DECADES) as f32).collect(),
            triangles: self.triangles.clone(),
            range: (-DECADES, DECADES),
            x: (-limit, limit),
            y: (-limit, limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use eddy_numerics::diffusion::targets;

    use super::*;

    #[test]
    fn a_linear_map_stretches_by_its_determinant() {
        let sheet = Sheet::over(&targets::single(&[1.0, 0.0], 0.5));
        // x' = 2x + y, y' = -x/4 + y/2: the determinant is 5/4.
        let moved: Vec<f64> = (0..sheet.start.len())
            .flat_map(|i| {
                let p = sheet.start.point(i);
                [2.0 * p[0] + p[1], -0.25 * p[0] + 0.5 * p[1]]
            })
            .collect();
        let ViewData::Mesh { positions, values, triangles, .. } = sheet.view(&Batch::from_points(2, &moved), 4.0)
        else {
            panic!("no mesh")
        };
        assert_eq!((positions.len(), values.len(), triangles.len()), (2 * 841, 841, 6 * 784));
        assert!(triangles.iter().all(|index| *index < 841));
        assert!(values.iter().all(|v| (f64::from(*v) - 1.25f64.log10()).abs() < 1e-5), "{values:?}");
        // From -2 to 2 standard deviations about the mean.
        assert_eq!((sheet.start.point(0)[0], sheet.start.point(840)[1]), (0.0, 1.0));
        // Pressed to a line, or lost: drawn all the same.
        for flat in [0.0, f64::NAN] {
            let flat = Batch::from_points(2, &vec![flat; 2 * 841]);
            assert!(sheet.view(&flat, 4.0).is_finite());
        }
    }
}
