//! Direct solves of elliptic equations with constant coefficients on lines, rectangles and boxes.

use std::f64::consts::PI;

use super::{TrigKind, TrigTransform};
use crate::Real;
use crate::space::difference::{Derivative1, Side};

/// What holds at the low and high end of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The last point is left out.
    Periodic,
    Dirichlet,
    Neumann,
    DirichletNeumann,
    NeumannDirichlet,
}

impl Ends {
    /// Whether the value is given at the low and at the high end.
    fn given(self) -> [bool; 2] {
        match self {
            Self::Periodic | Self::Neumann => [false, false],
            Self::Dirichlet => [true, true],
            Self::DirichletNeumann => [true, false],
            Self::NeumannDirichlet => [false, true],
        }
    }

    /// Whether the slope is given at the low and at the high end.
    fn slopes(self) -> [bool; 2] {
        if self == Self::Periodic { [false; 2] } else { self.given().map(|given| !given) }
    }
}

/// An axis of the box: points (with both ends unless periodic), distance, ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FastAxis {
    pub points: usize,
    pub spacing: f64,
    pub ends: Ends,
}

/// Which second derivative is inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// Finite differences of order 2, 4, 6 or 8. Beyond the ends the field is continued oddly about given values and evenly
    /// about given slopes; order 2 is that of [`Derivative1`] exactly, higher orders have their order where the field so
    /// continued is smooth.
    Order(usize),
    /// The derivative of the trigonometric interpolant: exact for resolved fields that are smooth when so continued.
    Spectral,
}

/// Why there is no solution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HelmholtzError {
    #[error("one to three axes can be solved on, not {0}")]
    Axes(usize),
    #[error("an axis of {have} points is too short: it needs {need}, a positive finite spacing and order 2, 4, 6 or 8")]
    Axis { have: usize, need: usize },
    #[error(
        "a mode is a solution of its own (symbol 0), so that the rest does not fix it: change the coefficients a little"
    )]
    Resonant,
    #[error(
        "no solution: the mean of the right side, with its boundary data, is {mean:e} and must be 0 where nothing fixes the level; subtract it or add a reaction term"
    )]
    Incompatible { mean: f64 },
    #[error("values and slopes other than zero at ends need order 2; subtract a function that has them")]
    Inhomogeneous,
    #[error("boundary data of {have} numbers; the side has {need}")]
    Data { have: usize, need: usize },
}

struct Line<R: Real> {
    ends: Ends,
    spacing: f64,
    points: usize,
    /// First unknown and number of unknowns: points whose value is not given.
    first: usize,
    count: usize,
    transform: TrigTransform<R>,
    /// Eigenvalues of minus the second derivative by coefficient.
    eigenvalues: Vec<f64>,
}

/// Lines across the grid that are gathered and transformed together.
const BLOCK: usize = 16;

/// A solver for one box. Solves cost a transform forth and back along each axis; nothing is allocated but for slopes.
pub struct Helmholtz<R: Real> {
    /// x, y, z; missing ones have one point.
    lines: Vec<Line<R>>,
    shape: [usize; 3],
    symbol: Symbol,
    work: Vec<R>,
    block: Vec<R>,
}

impl<R: Real> Helmholtz<R> {
    /// `axes` are x, then y, then z.
    pub fn new(axes: &[FastAxis], symbol: Symbol) -> Result<Self, HelmholtzError> {
        if axes.is_empty() || axes.len() > 3 {
            return Err(HelmholtzError::Axes(axes.len()));
        }
        let lines = axes.iter().map(|axis| Line::new(axis, symbol)).collect::<Result<Vec<_>, _>>()?;
        let mut shape = [1; 3];
        axes.iter().zip(&mut shape).for_each(|(axis, n)| *n = axis.points);
        let unknowns = lines.iter().map(|line| line.count).product();
        let longest = lines.iter().map(|line| line.count).max().unwrap_or(1);
        Ok(Self { lines, shape, symbol, work: vec![R::of(0.0); unknowns], block: vec![R::of(0.0); BLOCK * longest] })
    }

    /// Points of a field.
    pub fn points(&self) -> usize {
        self.shape.iter().product()
    }

    /// Solves `reaction` u - `diffusion` ∇·∇u = f in place: `u` (shape `[nz, ny, nx]`) holds f at unknown points and the
    /// given values at Dirichlet ends, and then the solution. Given slopes are zero.
    ///
    /// Where nothing fixes the level (no Dirichlet end, `reaction` 0), the mean of f must vanish (trapezoidal weights at
    /// ends) up to `1e4` roundings of its size, and the mean of the solution is zero.
    ///
    /// # Panics
    /// If `u` has not [`Helmholtz::points`] entries.
    pub fn solve(&mut self, reaction: f64, diffusion: f64, u: &mut [R]) -> Result<(), HelmholtzError> {
        self.solve_with_slopes(reaction, diffusion, [[&[]; 2]; 3], u)
    }

    /// As [`Helmholtz::solve`] with outward slopes `slopes[axis][side]`: nothing for zero, one number, or one for each
    /// point of the side (the field's shape without the axis).
    pub fn solve_with_slopes(
        &mut self,
        reaction: f64,
        diffusion: f64,
        slopes: [[&[R]; 2]; 3],
        u: &mut [R],
    ) -> Result<(), HelmholtzError> {
        assert_eq!(u.len(), self.points(), "points of the box");
        self.lift(diffusion, &slopes, u)?;
        self.invert(u, |e| reaction + diffusion * (e[0] + e[1] + e[2]))
    }

    /// Solves S u = f for any operator that is a function of the second derivatives: `symbol` gets the eigenvalues of
    /// -∂²/∂x², -∂²/∂y², -∂²/∂z² of a mode and returns that of S. `u` is used as in [`Helmholtz::solve`], with zeros at
    /// Dirichlet ends.
    pub fn solve_symbol(&mut self, symbol: impl Fn([f64; 3]) -> f64, u: &mut [R]) -> Result<(), HelmholtzError> {
        assert_eq!(u.len(), self.points(), "points of the box");
        self.lift(f64::NAN, &[[&[]; 2]; 3], u)?;
        self.invert(u, symbol)
    }

    /// Moves boundary data to the right side, as differences of order 2 see it.
    fn lift(&self, diffusion: f64, slopes: &[[&[R]; 2]; 3], u: &mut [R]) -> Result<(), HelmholtzError> {
        let can_lift = self.symbol == Symbol::Order(2) && !diffusion.is_nan();
        for (axis, line) in self.lines.iter().enumerate() {
            let (n, stride) = (line.points, self.stride(axis));
            let square = R::of(diffusion / (line.spacing * line.spacing));
            let double = R::of(2.0 * diffusion / line.spacing);
            for side in 0..2 {
                let given = slopes[axis][side];
                let need = u.len() / n;
                if given.len() > 1 && given.len() != need {
                    return Err(HelmholtzError::Data { have: given.len(), need });
                }
                let (end, next) = if side == 0 { (0, 1) } else { (n - 1, n.wrapping_sub(2)) };
                for across in 0..need {
                    let base = across / stride * stride * n + across % stride;
                    // Lines within a side of given values have no equations.
                    if !self.is_unknown(base, axis) {
                        continue;
                    }
                    if line.ends.given()[side] {
                        let value = u[base + end * stride];
                        if value != R::of(0.0) {
                            if !can_lift {
                                return Err(HelmholtzError::Inhomogeneous);
                            }
                            // With two given ends and no point between, or next to the other end, there is nothing to add.
                            if (line.first..line.first + line.count).contains(&next) {
                                u[base + next * stride] += square * value;
                            }
                        }
                    } else if line.ends.slopes()[side]
                        && let Some(slope) = given.get(if given.len() > 1 { across } else { 0 })
                        && *slope != R::of(0.0)
                    {
                        if !can_lift {
                            return Err(HelmholtzError::Inhomogeneous);
                        }
                        u[base + end * stride] += double * *slope;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a point is unknown as far as all axes but one are concerned.
    fn is_unknown(&self, point: usize, besides: usize) -> bool {
        self.lines.iter().enumerate().filter(|(axis, _)| *axis != besides).all(|(axis, line)| {
            let at = point / self.stride(axis) % line.points;
            (line.first..line.first + line.count).contains(&at)
        })
    }

    fn stride(&self, axis: usize) -> usize {
        self.shape[..axis].iter().product()
    }

    fn invert(&mut self, u: &mut [R], symbol: impl Fn([f64; 3]) -> f64) -> Result<(), HelmholtzError> {
        let mut work = std::mem::take(&mut self.work);
        self.copy_unknowns(u, &mut work, true);
        let size = work.iter().fold(0.0_f64, |m, v| m.max(v.to_f64().abs()));
        let counts = self.counts();
        (0..self.lines.len()).for_each(|axis| self.transform(axis, counts, &mut work, true));
        let outcome = self.divide(&mut work, size, symbol);
        if outcome.is_ok() {
            (0..self.lines.len()).for_each(|axis| self.transform(axis, counts, &mut work, false));
            self.copy_unknowns(u, &mut work, false);
        }
        self.work = work;
        outcome
    }

    fn counts(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.lines.get(axis).map_or(1, |line| line.count))
    }

    fn copy_unknowns(&self, u: &mut [R], work: &mut [R], is_in: bool) {
        let first: [usize; 3] = std::array::from_fn(|axis| self.lines.get(axis).map_or(0, |line| line.first));
        let [cx, cy, _] = self.counts();
        for (row, work) in work.chunks_exact_mut(cx).enumerate() {
            let (y, z) = (row % cy + first[1], row / cy + first[2]);
            let u = &mut u[(z * self.shape[1] + y) * self.shape[0] + first[0]..][..cx];
            if is_in { work.copy_from_slice(u) } else { u.copy_from_slice(work) }
        }
    }

    fn transform(&mut self, axis: usize, counts: [usize; 3], work: &mut [R], is_forward: bool) {
        let line = &mut self.lines[axis];
        let n = line.count;
        let stride: usize = counts[..axis].iter().product();
        if axis == 0 {
            work.chunks_exact_mut(n).for_each(|row| line.transform(row, is_forward));
            return;
        }
        for plane in work.chunks_exact_mut(n * stride) {
            for start in (0..stride).step_by(BLOCK) {
                let width = BLOCK.min(stride - start);
                for j in 0..n {
                    for (b, v) in plane[j * stride + start..][..width].iter().enumerate() {
                        self.block[b * n + j] = *v;
                    }
                }
                self.block[..width * n].chunks_exact_mut(n).for_each(|row| line.transform(row, is_forward));
                for j in 0..n {
                    for (b, v) in plane[j * stride + start..][..width].iter_mut().enumerate() {
                        *v = self.block[b * n + j];
                    }
                }
            }
        }
    }

    /// Divides coefficients by the symbol. `size` is the largest right-hand side.
    fn divide(&self, work: &mut [R], size: f64, symbol: impl Fn([f64; 3]) -> f64) -> Result<(), HelmholtzError> {
        let flat = [0.0];
        let eigenvalues: [&[f64]; 3] =
            std::array::from_fn(|axis| self.lines.get(axis).map_or(&flat[..], |line| &line.eigenvalues));
        let largest = symbol(eigenvalues.map(|e| e.iter().fold(0.0_f64, |m, v| m.max(*v)))).abs();
        let tiny = 4.0 * f64::EPSILON * largest;
        let [cx, cy, _] = self.counts();
        for (row, work) in work.chunks_exact_mut(cx).enumerate() {
            let (ey, ez) = (eigenvalues[1][row % cy], eigenvalues[2][row / cy]);
            for (kx, (v, ex)) in work.iter_mut().zip(eigenvalues[0]).enumerate() {
                let s = symbol([*ex, ey, ez]);
                if s.abs() > tiny {
                    *v = R::of(v.to_f64() / s);
                    continue;
                }
                if *ex != 0.0 || ey != 0.0 || ez != 0.0 {
                    return Err(HelmholtzError::Resonant);
                }
                debug_assert!(row == 0 && kx == 0, "the constant mode is the first");
                let mean = v.to_f64() * self.lines.iter().map(Line::mean_factor).product::<f64>();
                if !(mean.abs() <= 1e4 * R::EPSILON * size) {
                    return Err(HelmholtzError::Incompatible { mean });
                }
                *v = R::of(0.0);
            }
        }
        Ok(())
    }
}

impl<R: Real> Line<R> {
    fn new(axis: &FastAxis, symbol: Symbol) -> Result<Self, HelmholtzError> {
        let FastAxis { points, spacing, ends } = *axis;
        let periodic = ends == Ends::Periodic;
        let need = if periodic { 1 } else { 3 };
        let order = if let Symbol::Order(order) = symbol { order } else { 2 };
        let fault = HelmholtzError::Axis { have: points, need };
        if points < need || !(spacing > 0.0 && spacing.is_finite()) || !matches!(order, 2 | 4 | 6 | 8) {
            return Err(fault);
        }
        let given = ends.given();
        let first = usize::from(given[0]);
        let count = points - first - usize::from(given[1]);
        let kind = match ends {
            Ends::Periodic => TrigKind::Fourier,
            Ends::Dirichlet => TrigKind::Sine1,
            Ends::Neumann => TrigKind::Cosine1,
            Ends::DirichletNeumann => TrigKind::Sine2,
            Ends::NeumannDirichlet => TrigKind::Cosine2,
        };
        let last = (points - 1) as f64;
        // Phase from point to point of coefficient k.
        let phase = |k: usize| match ends {
            Ends::Periodic => 2.0 * PI * if k <= count / 2 { k } else { k - count / 2 } as f64 / count as f64,
            Ends::Dirichlet => PI * (k + 1) as f64 / last,
            Ends::Neumann => PI * k as f64 / last,
            Ends::DirichletNeumann | Ends::NeumannDirichlet => PI * (k as f64 + 0.5) / last,
        };
        // Any periodic grid long enough has the weights.
        let weights =
            Derivative1::<f64>::new(2, order, 16, 1.0, &Side::Periodic, &Side::Periodic).map_err(|_| fault)?;
        let eigenvalue = |k: usize| {
            let phase = phase(k);
            let unit = match symbol {
                Symbol::Spectral => phase * phase,
                // In this form small phases lose no digits.
                Symbol::Order(2) => 4.0 * (0.5 * phase).sin().powi(2),
                Symbol::Order(_) if phase == 0.0 => 0.0,
                Symbol::Order(_) => -weights.symbol(phase).0,
            };
            unit / (spacing * spacing)
        };
        let eigenvalues = (0..count).map(eigenvalue).collect();
        Ok(Self { ends, spacing, points, first, count, transform: TrigTransform::new(kind, count), eigenvalues })
    }

    /// Values at points to coefficients, or back. At mixed ends the modes lie half-way between whole ones, so that points
    /// and coefficients of the second transforms change places.
    fn transform(&mut self, row: &mut [R], is_forward: bool) {
        let is_mixed = matches!(self.ends, Ends::DirichletNeumann | Ends::NeumannDirichlet);
        if is_forward != is_mixed { self.transform.forward(row) } else { self.transform.inverse(row) }
    }

    /// The mean by trapezoidal weights over coefficient 0, where the constant is a mode.
    fn mean_factor(&self) -> f64 {
        match self.ends {
            Ends::Periodic => 1.0 / self.count as f64,
            _ => 0.5 / (self.count - 1) as f64,
        }
    }
}
