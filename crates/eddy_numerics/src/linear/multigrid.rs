//! Geometric multigrid for -∇·(a ∇u) + c u = f on rectangles and lines, with coefficients that vary in space.
//!
//! Points include the ends of axes that are not periodic. The equations are balances of the cells around the points (half
//! cells at ends): second order, symmetric, and for constant a at points the same as differences with ghost values of order
//! 2. Conductances between points are averages of a at the points. Coarse grids have every second point of the axes with
//! strong coupling (both, unless spacings or sizes differ much); their conductances are those of two fine ones in series
//! and of neighbouring rows in parallel. Smoothing is by red-black Gauss-Seidel sweeps, transfer by interpolation weighted
//! with conductances and its transpose; the coarsest grid is solved directly.
//!
//! Sources: Brandt 1977, Math. Comp. 31, 333; Trottenberg, Oosterlee, Schüller 2001, Multigrid, sections 2.4 to 2.8 and
//! 5.1. A cycle of one sweep before and one after reduces the residual by about 9.5 where a is smooth, whatever the size,
//! for about 30 operations a point. Where a jumps by a thousand at blocks off the coarse grids it is 2 to 3: corrections are
//! then scaled to lower the energy, so that no cycle diverges.

mod level;
#[cfg(test)]
mod tests;

use level::Level;

use super::{BandedLu, Csr, LinearError};
use crate::Real;
use crate::space::difference::Side;

/// The equation and its grid.
#[derive(Clone, Debug)]
pub struct EllipticProblem<'a, R> {
    /// Points along x and y; one point in y for a line.
    pub points: [usize; 2],
    pub spacing: [f64; 2],
    /// By axis: low and high. With one point in y, both are free.
    pub sides: [[Side; 2]; 2],
    /// a > 0 at every point (`ny` rows of `nx`), or one number.
    pub diffusion: &'a [R],
    /// c ≥ 0 at every point, or one number.
    pub reaction: &'a [R],
}

/// Right-hand sides g of the conditions, `data[axis][side]`: nothing for zero, one number, or one for each point of the side.
pub type FaceData<'a, R> = [[&'a [R]; 2]; 2];

/// Why a problem cannot be set up or solved.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MultigridError {
    #[error("{name} has {have} numbers; it needs {need}")]
    Length { name: &'static str, have: usize, need: usize },
    #[error("an axis needs at least 3 points and a positive finite spacing, and both its sides periodic or neither")]
    Axis,
    #[error(
        "the coefficient under the derivatives must be positive and finite everywhere, and the reaction finite and not negative"
    )]
    Coefficient,
    #[error(
        "a side must be periodic, or have one condition on u and u_n with factors of the same sign; this one has {0:?}"
    )]
    Side(Side),
    #[error(
        "{nx} × {ny} points cannot be halved far enough (the coarsest grid would have {coarsest} points); use 2^k m + 1 points along an axis with ends and 2^k m along a periodic one, m small"
    )]
    Coarsening { nx: usize, ny: usize, coarsest: usize },
    #[error(
        "no solution: right side and boundary data add up to {sum:e} and must add up to 0 where nothing fixes the level; subtract the mean or add a reaction"
    )]
    Incompatible { sum: f64 },
    #[error("the coarsest grid: {0}")]
    Coarsest(#[from] LinearError),
}

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cycles {
    /// Residual to reach, relative to that of zero in the field.
    pub tolerance: f64,
    pub max_cycles: usize,
    /// Sweeps before and after each coarse correction.
    pub before: usize,
    pub after: usize,
    /// Starts from the coarsest grid upwards (full multigrid) instead of from the given field.
    pub is_full: bool,
}

impl Default for Cycles {
    fn default() -> Self {
        Self { tolerance: 1e-10, max_cycles: 40, before: 1, after: 1, is_full: false }
    }
}

/// What the cycles did.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "the cycles may not have converged"]
pub struct CycleReport {
    pub is_converged: bool,
    pub cycles: usize,
    /// Norm of the residual over that of zero in the field, at the start and after each cycle.
    pub history: Vec<f64>,
}

impl CycleReport {
    /// Factor by which the last cycles, those that rounding does not disturb, reduced the residual: geometric mean.
    pub fn factor(&self) -> f64 {
        let last = self.history.len().saturating_sub(1);
        let first = last.saturating_sub(4).max(last.min(1));
        if last <= first {
            f64::NAN
        } else {
            (self.history[last] / self.history[first]).powf(1.0 / (last - first) as f64)
        }
    }
}

/// Largest coarsest grid: its direct solve must stay cheap.
const COARSEST: usize = 4225;

/// Ratio of the largest to the least coefficient from which corrections are scaled.
const ROUGH: f64 = 20.0;

/// A solver for one problem. Cycles allocate nothing.
pub struct Multigrid<R: Real> {
    /// Finest first.
    levels: Vec<Level<R>>,
    coarsest: BandedLu<R>,
    sides: [[Side; 2]; 2],
    spacing: [f64; 2],
    diffusion: Vec<R>,
    /// Nothing fixes the level of the solution.
    is_free: bool,
    /// The coefficient varies so much that coarse grids may overshoot: corrections are scaled.
    is_rough: bool,
}

impl<R: Real> Multigrid<R> {
    pub fn new(problem: &EllipticProblem<R>) -> Result<Self, MultigridError> {
        check(problem)?;
        let [nx, ny] = problem.points;
        let at = |values: &[R], i: usize| values[if values.len() == 1 { 0 } else { i }];
        let diffusion: Vec<R> = (0..nx * ny).map(|i| at(problem.diffusion, i)).collect();
        let mut levels = vec![Level::finest(problem, &diffusion)];
        while let Some(coarse) = levels.last().and_then(Level::coarser) {
            levels.push(coarse);
        }
        let last = &levels[levels.len() - 1];
        if last.size() > COARSEST {
            return Err(MultigridError::Coarsening { nx, ny, coarsest: last.size() });
        }
        let is_free = levels[0].is_free();
        let matrix = Csr::from_rows(last.size(), last.rows(is_free));
        let coarsest = matrix.factor()?;
        let (least, most) = diffusion
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(least, most), a| (least.min(a.to_f64()), most.max(a.to_f64())));
        let (sides, spacing, is_rough) = (problem.sides.clone(), problem.spacing, most > ROUGH * least);
        Ok(Self { levels, coarsest, sides, spacing, diffusion, is_free, is_rough })
    }

    /// Grids, the finest and the coarsest included.
    pub fn levels(&self) -> usize {
        self.levels.len()
    }

    /// Solves from the field in `u` (`ny` rows of `nx`), into which given values are put first.
    ///
    /// Where nothing fixes the level the mean of the solution is that of `u` at the start, by cells.
    pub fn solve(
        &mut self,
        f: &[R],
        data: FaceData<R>,
        cycles: &Cycles,
        u: &mut [R],
    ) -> Result<CycleReport, MultigridError> {
        let [nx, ny] = self.levels[0].points();
        for (name, have) in [("the right side", f.len()), ("the field", u.len())] {
            if have != nx * ny {
                return Err(MultigridError::Length { name, have, need: nx * ny });
            }
        }
        for (axis, faces) in data.iter().enumerate() {
            let need = [ny, nx][axis];
            for face in faces.iter().filter(|face| face.len() > 1 && face.len() != need) {
                return Err(MultigridError::Length { name: "a side's data", have: face.len(), need });
            }
        }
        let mean = self.mean(u);
        self.levels[0].set_right_side(f);
        self.put_data(&data, u);
        if self.is_free {
            let right = &self.levels[0].right;
            let (sum, size) = right.iter().fold((0.0, 0.0), |(s, m), r| (s + r.to_f64(), m + r.to_f64().abs()));
            if !(sum.abs() <= 1e3 * R::EPSILON * size) {
                return Err(MultigridError::Incompatible { sum });
            }
        }
        self.levels[0].field.copy_from_slice(u);
        let scale = self.levels[0].residual_of_zero(u);
        let relative = |size: f64| if scale > 0.0 { size / scale } else { size };
        let mut history = vec![relative(self.levels[0].residual())];
        if cycles.is_full && self.levels.len() > 1 {
            self.full(cycles);
            history.push(relative(self.levels[0].residual()));
        }
        let is_done = |history: &[f64]| history[history.len() - 1] <= cycles.tolerance;
        while !is_done(&history) && history.len() <= cycles.max_cycles {
            self.cycle(0, cycles);
            let size = relative(self.levels[0].residual());
            history.push(size);
            if !size.is_finite() {
                break;
            }
        }
        u.copy_from_slice(&self.levels[0].field);
        if self.is_free {
            let shift = R::of(mean - self.mean(u));
            u.iter_mut().for_each(|v| *v += shift);
        }
        Ok(CycleReport { is_converged: is_done(&history), cycles: history.len() - 1, history })
    }

    fn mean(&self, u: &[R]) -> f64 {
        let cells = self.levels[0].cells();
        let total: f64 = cells.iter().sum();
        cells.iter().zip(u).map(|(cell, u)| cell * u.to_f64()).sum::<f64>() / total
    }

    /// Puts given values into the field and given slopes into the right side.
    fn put_data(&mut self, data: &FaceData<R>, u: &mut [R]) {
        let fine = &mut self.levels[0];
        for (axis, faces) in data.iter().enumerate() {
            for (side, values) in faces.iter().enumerate() {
                let Some([a, b]) = level::mixed(&self.sides[axis][side]) else { continue };
                let value = |at: usize| values.get(if values.len() > 1 { at } else { 0 }).map_or(0.0, |g| g.to_f64());
                for (at, point, width) in fine.face(axis, side, self.spacing) {
                    if b == 0.0 {
                        u[point] = R::of(value(at) / a);
                    } else {
                        // a_coefficient u_n = a_coefficient (g - a u) / b flows in.
                        fine.right[point] += R::of(self.diffusion[point].to_f64() * value(at) / b * width);
                    }
                }
            }
        }
    }

    fn cycle(&mut self, depth: usize, cycles: &Cycles) {
        if depth + 1 == self.levels.len() {
            return self.solve_coarsest();
        }
        let (fine, coarse) = self.levels.split_at_mut(depth + 1);
        let (fine, coarse) = (&mut fine[depth], &mut coarse[0]);
        (0..cycles.before).for_each(|_| fine.sweep());
        fine.residual();
        coarse.restrict_from(fine);
        coarse.field.fill(R::of(0.0));
        self.cycle(depth + 1, cycles);
        let (fine, coarse) = self.levels.split_at_mut(depth + 1);
        let (fine_level, correction) = (&mut fine[depth], &coarse[0]);
        correction.interpolate_to(fine_level);
        let mut factor = 1.0;
        if self.is_rough {
            // The length that lowers the energy most. e·r on the fine grid is that on the coarse one, as transfers are
            // transposes of each other.
            let gain: f64 = correction.field.iter().zip(&correction.right).map(|(e, r)| (*e * *r).to_f64()).sum();
            let cost = fine_level.energy();
            factor = if cost > 0.0 && gain > 0.0 { (gain / cost).min(2.0) } else { 0.0 };
        }
        fine_level.add_remainder(factor);
        (0..cycles.after).for_each(|_| fine[depth].sweep());
    }

    /// From the coarsest grid upwards, one cycle on each. All grids get the problem itself, not that of a correction: next
    /// to given values the correction of a field that is zero is not smooth.
    fn full(&mut self, cycles: &Cycles) {
        let count = self.levels.len();
        for depth in 0..count - 1 {
            let (fine, coarse) = self.levels.split_at_mut(depth + 1);
            coarse[0].start_from(&mut fine[depth]);
        }
        self.solve_coarsest();
        for depth in (0..count - 1).rev() {
            let (fine, coarse) = self.levels.split_at_mut(depth + 1);
            fine[depth].clear_unknowns();
            coarse[0].interpolate_to(&mut fine[depth]);
            fine[depth].add_remainder(1.0);
            // A cycle overwrites the right sides below, which are done with.
            self.cycle(depth, cycles);
        }
    }

    fn solve_coarsest(&mut self) {
        let is_free = self.is_free;
        let Some(level) = self.levels.last_mut() else { return };
        // With the level fixed at one point; the equations of the others imply the one left out.
        level.residual();
        let mut x = std::mem::take(&mut level.remainder);
        if is_free {
            x[0] = R::of(0.0);
        }
        self.coarsest.solve(&mut x);
        level.field.iter_mut().zip(&x).for_each(|(u, x)| *u += *x);
        level.remainder = x;
    }
}

fn check<R: Real>(problem: &EllipticProblem<R>) -> Result<(), MultigridError> {
    let [nx, ny] = problem.points;
    for (axis, n) in problem.points.into_iter().enumerate() {
        let spacing = problem.spacing[axis];
        let is_line = axis == 1 && n == 1;
        let periodic = problem.sides[axis].iter().filter(|side| **side == Side::Periodic).count();
        if !is_line && (n < 3 || !(spacing > 0.0 && spacing.is_finite()) || periodic == 1) {
            return Err(MultigridError::Axis);
        }
        for side in problem.sides[axis].iter().filter(|_| !is_line) {
            let is_known = *side == Side::Periodic
                || level::mixed(side)
                    .is_some_and(|[a, b]| (a != 0.0 || b != 0.0) && a * b >= 0.0 && (a + b).is_finite());
            if !is_known {
                return Err(MultigridError::Side(side.clone()));
            }
        }
    }
    for (name, values) in [("the diffusion", problem.diffusion), ("the reaction", problem.reaction)] {
        if values.len() != 1 && values.len() != nx * ny {
            return Err(MultigridError::Length { name, have: values.len(), need: nx * ny });
        }
    }
    let zero = R::of(0.0);
    let is_fine = problem.diffusion.iter().all(|a| *a > zero && a.is_finite())
        && problem.reaction.iter().all(|c| *c >= zero && c.is_finite());
    if is_fine { Ok(()) } else { Err(MultigridError::Coefficient) }
}
