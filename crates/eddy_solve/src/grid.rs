//! Uniform grids.

use crate::difference::chebyshev;
use crate::error::SolveError;
use crate::problem::Problem;

/// Most points on a grid: eight fields of f64 with the work space of a step are then about 4 GiB.
pub const MAX_POINTS: usize = 1 << 24;

/// Points at equal distances. A periodic axis leaves out its end point, any other holds both end points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    pub min: f64,
    pub max: f64,
    pub points: usize,
    pub is_periodic: bool,
    /// Points are those of Chebyshev instead of equally far apart.
    pub is_chebyshev: bool,
}

impl Axis {
    pub fn length(&self) -> f64 {
        self.max - self.min
    }

    pub fn spacing(&self) -> f64 {
        self.length() / if self.is_periodic { self.points } else { self.points - 1 } as f64
    }

    pub fn at(&self, index: usize) -> f64 {
        if self.is_chebyshev {
            return chebyshev::points(self.points, self.min, self.max)[index];
        }
        if !self.is_periodic && index + 1 == self.points { self.max } else { self.min + self.spacing() * index as f64 }
    }

    pub fn coordinates(&self) -> Vec<f64> {
        if self.is_chebyshev {
            return chebyshev::points(self.points, self.min, self.max);
        }
        (0..self.points).map(|index| self.at(index)).collect()
    }
}

/// Up to three axes; fields are stored with x fastest: `u[(z * ny + y) * nx + x]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    pub axes: Vec<Axis>,
}

/// Factors of the differences of order 1, 2, … at the ends in Gregory's rule.
const GREGORY: [f64; 6] = [1.0 / 12.0, 1.0 / 24.0, 19.0 / 720.0, 3.0 / 160.0, 863.0 / 60_480.0, 275.0 / 24_192.0];

impl Grid {
    pub fn dimension(&self) -> usize {
        self.axes.len()
    }

    pub fn points(&self) -> usize {
        self.axes.iter().map(|axis| axis.points).product()
    }

    /// Points along x, y and z; 1 beyond the dimension.
    pub fn shape(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.axes.get(axis).map_or(1, |axis| axis.points))
    }

    /// A point in words: `x = 0.5, y = 1`.
    pub fn place(&self, point: usize) -> String {
        let mut rest = point;
        let part = |(axis, name): (&Axis, &str)| {
            let index = rest % axis.points;
            rest /= axis.points;
            format!("{name} = {}", (axis.at(index) * 1e4).round() / 1e4)
        };
        self.axes.iter().zip(["x", "y", "z"]).map(part).collect::<Vec<_>>().join(", ")
    }

    /// Volume of one cell; 1 in no dimension.
    pub fn cell(&self) -> f64 {
        self.axes.iter().map(Axis::spacing).product()
    }

    pub fn volume(&self) -> f64 {
        self.axes.iter().map(Axis::length).product()
    }

    pub fn is_periodic(&self) -> bool {
        self.axes.iter().all(|axis| axis.is_periodic)
    }

    /// Weights of the points of an axis in integrals: the trapezoidal rule, exact to rounding for resolved periodic functions,
    /// or that of Clenshaw and Curtis on Chebyshev points. Between walls, orders above 2 come from Gregory's differences at the
    /// ends.
    pub fn weights(&self, axis: usize, order: u8) -> Vec<f64> {
        let Some(axis) = self.axes.get(axis) else { return vec![1.0] };
        if axis.is_chebyshev {
            return chebyshev::quadrature(axis.points, axis.length());
        }
        let mut weights = vec![axis.spacing(); axis.points];
        if !axis.is_periodic {
            weights[0] *= 0.5;
            weights[axis.points - 1] *= 0.5;
            let n = axis.points;
            for (index, factor) in GREGORY.iter().enumerate().take(usize::from(order.saturating_sub(2))) {
                let difference = index + 1;
                if n < 2 * (difference + 1) {
                    break;
                }
                // (-1)ᵏ Δᵏ at the first point and ∇ᵏ at the last have the same binomial weights.
                let mut binomial = 1.0;
                for at in 0..=difference {
                    let sign = if at % 2 == 0 { 1.0 } else { -1.0 };
                    let value = factor * sign * binomial * axis.spacing();
                    weights[at] -= value;
                    weights[n - 1 - at] -= value;
                    binomial *= (difference - at) as f64 / (at + 1) as f64;
                }
            }
        }
        weights
    }

    /// The axes of a problem's domain; `periodic` says which of them are.
    pub fn of(problem: &Problem, periodic: [bool; 3]) -> Result<Self, SolveError> {
        let mut axes = Vec::new();
        let mut points = 1usize;
        for (index, (name, text)) in problem.axes()?.into_iter().enumerate() {
            let place = format!("domain.{name}");
            let (min, max) = (text.min.get(&format!("{place}.min"))?, text.max.get(&format!("{place}.max"))?);
            if !(max > min) {
                return Err(SolveError::value(place, format!("max ({max}) must be larger than min ({min})")));
            }
            let least = if periodic[index] { 2 } else { 3 };
            if text.points < least {
                return Err(SolveError::value(
                    format!("{place}.points"),
                    format!("{} points are too few; at least {least} are needed", text.points),
                ));
            }
            points = points.saturating_mul(text.points as usize);
            let is_chebyshev = !periodic[index] && problem.method.space.trim().eq_ignore_ascii_case("chebyshev");
            axes.push(Axis { min, max, points: text.points as usize, is_periodic: periodic[index], is_chebyshev });
        }
        if points > MAX_POINTS {
            let side = (MAX_POINTS as f64).powf(1.0 / axes.len().max(1) as f64).floor();
            return Err(SolveError::TooLarge {
                message: format!(
                    "The grid has {points} points, {MAX_POINTS} are the most: {side} along each axis would fit."
                ),
            });
        }
        Ok(Self { axes })
    }
}
