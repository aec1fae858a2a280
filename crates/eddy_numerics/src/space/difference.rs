//! Finite differences of any order along an axis, with boundary conditions through ghost values.
//!
//! Points are equidistant. An axis with ends has a point on each end; a periodic one leaves out the last. In the interior a
//! derivative is that of the polynomial through the nearest points on both sides. At an end the stencil reaches beyond the
//! grid; the values there are those of the polynomial through the nearest points that also satisfies the conditions, so
//! that the whole is affine: D u + Σ w_low g_low + Σ w_high g_high, with g the right-hand sides, which may change in time.
//! For u_n = 0 and order 2 this is the reflected stencil.
//!
//! A condition that fixes the value itself ([`Condition::dirichlet`]) has no weight: its point holds the value.
//!
//! # Order and stability
//! The degree of the ghosts' polynomial is the largest for which the spectra are right; rows near ends lose order, which
//! solutions regain in part (Gustafsson 1975, Math. Comp. 29, 396; Svärd, Nordström 2006, J. Comput. Phys. 218, 333).
//! - u_xx with value, slope or mixed conditions: spectrum real and negative at all orders, so diffusion, waves and
//!   Schrödinger equations are stable. With given values the solution has order 6 when 8 is asked for: a closure of order
//!   8 would have complex eigenvalues, with which waves grow.
//! - u_x with a value given at the inflow and a free outflow: no eigenvalue on the wrong side at any order; the
//!   solution has order 4 when 6 or 8 is asked for.
//! - u_xxxx with two conditions a side (supported, clamped, symmetric, free): spectrum real; with given values the order
//!   is 6 or a little more when 8 is asked for.
//! - u_xxx with one value at one side and value and slope at the other: stable; order 4 or a little more when 6 or 8 is
//!   asked for.
//! - Waves as a first-order system (u_t = v_x, v_t = u_x) with u given and v free at both ends grow slowly at orders above
//!   2 (rate 0.5 to 1 over a unit length, on any grid); give v its condition v_n = 0, or use u_tt = u_xx.
//! - A free side is for outflow. u_xx with a free side is not a well-posed problem and has growing solutions.

mod closure;
#[cfg(test)]
mod tests;

use closure::EndPolynomial;
pub use closure::weights;

use crate::Real;

/// A condition at an end: Σ_j coefficients[j] ∂ʲu/∂nʲ = g, n the outward normal. Coefficients have units of length^j.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    pub coefficients: [f64; 4],
}

impl Condition {
    pub const fn new(coefficients: [f64; 4]) -> Self {
        Self { coefficients }
    }

    /// u = g.
    pub const fn dirichlet() -> Self {
        Self::new([1.0, 0.0, 0.0, 0.0])
    }

    /// u_n = g.
    pub const fn neumann() -> Self {
        Self::new([0.0, 1.0, 0.0, 0.0])
    }

    /// a u + b u_n = g.
    pub const fn robin(a: f64, b: f64) -> Self {
        Self::new([a, b, 0.0, 0.0])
    }

    /// u_nn = g: no bending moment.
    pub const fn moment() -> Self {
        Self::new([0.0, 0.0, 1.0, 0.0])
    }

    /// u_nnn = g: no shear force.
    pub const fn shear() -> Self {
        Self::new([0.0, 0.0, 0.0, 1.0])
    }

    /// The value itself is given.
    pub fn is_dirichlet(&self) -> bool {
        self.coefficients[0] != 0.0 && self.coefficients[1..] == [0.0; 3]
    }

    /// Highest derivative in the condition.
    fn highest(&self) -> usize {
        self.coefficients.iter().rposition(|c| *c != 0.0).unwrap_or(0)
    }
}

/// What holds at one end of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// The last point is the neighbour of the first. Both ends must be periodic.
    Periodic,
    /// No condition: one-sided differences.
    Free,
    /// u = g.
    Dirichlet,
    /// u_n = g, n outwards.
    Neumann,
    /// a u + b u_n = g.
    Robin { a: f64, b: f64 },
    /// Up to two conditions at once, as beams and Cahn-Hilliard fields need.
    Conditions(Vec<Condition>),
}

impl Side {
    /// Its conditions; right-hand sides are given in this order.
    pub fn conditions(&self) -> Vec<Condition> {
        match self {
            Self::Periodic | Self::Free => Vec::new(),
            Self::Dirichlet => vec![Condition::dirichlet()],
            Self::Neumann => vec![Condition::neumann()],
            Self::Robin { a, b } => vec![Condition::robin(*a, *b)],
            Self::Conditions(list) => list.clone(),
        }
    }

    /// Place among the conditions of the one that gives the value, if one does.
    pub fn dirichlet(&self) -> Option<usize> {
        self.conditions().iter().position(Condition::is_dirichlet)
    }
}

/// Why an operator could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DifferenceError {
    #[error("derivatives 1 to 6 of order 2, 4, 6 or 8 can be taken, not derivative {derivative} of order {order}")]
    Unsupported { derivative: usize, order: usize },
    #[error(
        "{have} points are too few: this derivative with these sides needs {need}; refine the grid or lower the order"
    )]
    TooFewPoints { have: usize, need: usize },
    #[error("the distance of points must be positive and finite")]
    Spacing,
    #[error("one side is periodic and the other is not; make both periodic or neither")]
    HalfPeriodic,
    #[error("{0} conditions at one side; at most two, not all about the value, can hold")]
    TooManyConditions(usize),
    #[error("the conditions at a side contradict or repeat each other on this grid; change one, or refine the grid")]
    Contradictory,
}

/// One row near an end: Σ weights[j] u[start + j] + Σ data[c] g_c over the conditions c of its side.
#[derive(Clone, Debug, PartialEq)]
struct Closure<R> {
    start: usize,
    weights: Vec<R>,
    data: Vec<R>,
}

/// One row of the operator as a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row<R> {
    /// Points and their weights, each point once.
    pub entries: Vec<(usize, R)>,
    /// Weights of the right-hand sides of the low side's conditions; empty away from it.
    pub low: Vec<R>,
    /// Of the high side's.
    pub high: Vec<R>,
}

/// Right-hand sides of the conditions at the low and high side, as `data[side][condition]`: nothing for zero, one number
/// for all lines, or one number for each line across the axis.
pub type SideData<'a, R> = [&'a [&'a [R]]; 2];

/// The derivative of one order along an axis of `points` points.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivative1<R> {
    points: usize,
    derivative: usize,
    reach: usize,
    periodic: bool,
    /// Weights of the points from -reach to reach.
    interior: Vec<R>,
    /// Rows 0, 1, … and the last ones, ascending. Empty on a periodic axis.
    low: Vec<Closure<R>>,
    high: Vec<Closure<R>>,
}

/// The degree of the ghosts' polynomial: found by eigenvalues, and held by tests. See the module's documentation.
fn closure_degree(derivative: usize, order: usize, conditions: &[Condition]) -> usize {
    let slopes = conditions.iter().filter(|c| !c.is_dirichlet()).count();
    let is_fixed = slopes < conditions.len();
    let degree = match (derivative, slopes, is_fixed) {
        (1, 0, _) => order.min(3),
        (1, _, _) => order.min(6),
        (2, 0, true) => (order + 1).min(5),
        (2, 0, false) => order.min(4),
        // The reflected stencil.
        (2, 1, false) if order == 2 => 2,
        (2, _, _) => order + 1,
        (3, _, _) => (order + 2).min(5),
        (4, 1.., true) => (order + 3).min(7),
        (_, 2.., false) => order + derivative - 1,
        (_, _, _) => (order + derivative - 1).min(7),
    };
    // A condition must be able to see a polynomial of its own order.
    let highest = conditions.iter().map(Condition::highest).max().unwrap_or(0);
    degree.max(highest).max(derivative)
}

impl<R: Real> Derivative1<R> {
    /// Derivative `derivative` (1 to 6) of accuracy `order` (2, 4, 6, 8) on points `spacing` apart.
    pub fn new(
        derivative: usize,
        order: usize,
        points: usize,
        spacing: f64,
        low: &Side,
        high: &Side,
    ) -> Result<Self, DifferenceError> {
        let degree = |side: &Side| closure_degree(derivative, order, &side.conditions());
        Self::with_degrees(derivative, order, points, spacing, [low, high], [degree(low), degree(high)])
    }

    /// As [`Derivative1::new`] with the degrees of the ghosts' polynomials at the low and high side chosen. A degree of
    /// `order + derivative - 1` keeps the full order in every row, at the risk of growing modes; see the module.
    pub fn with_degrees(
        derivative: usize,
        order: usize,
        points: usize,
        spacing: f64,
        sides: [&Side; 2],
        degrees: [usize; 2],
    ) -> Result<Self, DifferenceError> {
        if !(1..=6).contains(&derivative) || !matches!(order, 2 | 4 | 6 | 8) {
            return Err(DifferenceError::Unsupported { derivative, order });
        }
        if !(spacing > 0.0 && spacing.is_finite()) {
            return Err(DifferenceError::Spacing);
        }
        let periodic = *sides[0] == Side::Periodic;
        if periodic != (*sides[1] == Side::Periodic) {
            return Err(DifferenceError::HalfPeriodic);
        }
        let reach = derivative.div_ceil(2) + order / 2 - 1;
        let mut need = 2 * reach + 1;
        let offsets: Vec<f64> = (0..=2 * reach).map(|j| j as f64 - reach as f64).collect();
        let mut centred = weights(0.0, &offsets, derivative).swap_remove(derivative);
        // Exact symmetry: what a derivative kills by parity must vanish to the last bit.
        let parity = if derivative.is_multiple_of(2) { 1.0 } else { -1.0 };
        for j in 0..=reach {
            let mean = 0.5 * (centred[j] + parity * centred[2 * reach - j]);
            (centred[j], centred[2 * reach - j]) = (mean, parity * mean);
        }
        let scale = spacing.powi(-(derivative as i32));
        let mut rows: [Vec<Closure<R>>; 2] = [Vec::new(), Vec::new()];
        if !periodic {
            for (side, rows) in rows.iter_mut().enumerate() {
                let all = sides[side].conditions();
                let active: Vec<usize> = (0..all.len()).filter(|c| !all[*c].is_dirichlet()).collect();
                if all.len() > 2 || all.len() - active.len() > 1 {
                    return Err(DifferenceError::TooManyConditions(all.len()));
                }
                let nodes = (degrees[side] + 1).saturating_sub(active.len()).max(1);
                need = need.max(nodes);
                if need > points {
                    continue;
                }
                let conditions: Vec<Condition> = active.iter().map(|c| all[*c]).collect();
                let polynomial = EndPolynomial::new(nodes, &conditions, spacing)?;
                for row in 0..reach {
                    // In coordinates counted inwards from the end, where odd derivatives change sign at the high one.
                    let mut values = vec![0.0; nodes.max(row + reach + 1)];
                    let mut data = vec![0.0; all.len()];
                    for (j, weight) in centred.iter().enumerate() {
                        match (row + j).checked_sub(reach) {
                            Some(point) => values[point] += weight,
                            None => {
                                let (ghost, given) = polynomial.value((row + j) as f64 - reach as f64);
                                values.iter_mut().zip(&ghost).for_each(|(v, g)| *v += weight * g);
                                active.iter().zip(&given).for_each(|(c, g)| data[*c] += weight * g);
                            }
                        }
                    }
                    let turn = if side == 1 { parity * scale } else { scale };
                    let mut weights: Vec<R> = values.into_iter().map(|w| R::of(w * turn)).collect();
                    let mut start = 0;
                    if side == 1 {
                        weights.reverse();
                        start = points.saturating_sub(weights.len());
                    }
                    rows.push(Closure { start, weights, data: data.into_iter().map(|w| R::of(w * turn)).collect() });
                }
            }
            rows[1].reverse();
        }
        if points < need {
            return Err(DifferenceError::TooFewPoints { have: points, need });
        }
        let interior = centred.into_iter().map(|w| R::of(w * scale)).collect();
        let [low, high] = rows;
        Ok(Self { points, derivative, reach, periodic, interior, low, high })
    }

    pub fn points(&self) -> usize {
        self.points
    }

    pub fn is_periodic(&self) -> bool {
        self.periodic
    }

    /// Points that the interior stencil reaches to either side.
    pub fn reach(&self) -> usize {
        self.reach
    }

    /// The interior weights, from -reach to reach.
    pub fn interior(&self) -> &[R] {
        &self.interior
    }

    /// The eigenvalue for e^{ikx} on a periodic axis, given k times the distance of points: (real, imaginary) part.
    pub fn symbol(&self, phase: f64) -> (f64, f64) {
        let mut sum = (0.0, 0.0);
        for (j, w) in self.interior.iter().enumerate() {
            let (sin, cos) = (phase * (j as f64 - self.reach as f64)).sin_cos();
            sum = (sum.0 + w.to_f64() * cos, sum.1 + w.to_f64() * sin);
        }
        // One of the two vanishes by symmetry.
        if self.derivative.is_multiple_of(2) { (sum.0, 0.0) } else { (0.0, sum.1) }
    }

    /// A row as a list, for matrices.
    ///
    /// # Panics
    /// If `index` is not a point.
    pub fn row(&self, index: usize) -> Row<R> {
        let n = self.points;
        assert!(index < n, "a point of the axis");
        let entries = |row: &Closure<R>| row.weights.iter().enumerate().map(|(j, w)| (row.start + j, *w)).collect();
        if let Some(row) = self.low.get(index) {
            return Row { entries: entries(row), low: row.data.clone(), high: Vec::new() };
        }
        if index + self.high.len() >= n {
            let row = &self.high[index + self.high.len() - n];
            return Row { entries: entries(row), low: Vec::new(), high: row.data.clone() };
        }
        let entries = (0..self.interior.len())
            .filter(|j| self.interior[*j] != R::of(0.0))
            .map(|j| ((index + n + j - self.reach) % n, self.interior[j]))
            .collect();
        Row { entries, low: Vec::new(), high: Vec::new() }
    }

    /// Differentiates one line.
    ///
    /// # Panics
    /// If `u` or `out` has not the operator's number of points.
    pub fn apply(&self, u: &[R], data: SideData<R>, out: &mut [R]) {
        self.apply_along(0, [1, 1, self.points], u, data, out);
    }

    /// Differentiates a field of shape `[nz, ny, nx]` along `axis` (0 is x, 1 is y, 2 is z). A condition's data by line
    /// are ordered as the field without its axis: `[nz, ny]`, `[nz, nx]`, `[ny, nx]`.
    ///
    /// # Panics
    /// If the shape does not fit the operator or a slice.
    pub fn apply_along(&self, axis: usize, shape: [usize; 3], u: &[R], data: SideData<R>, out: &mut [R]) {
        let [nz, ny, nx] = shape;
        let (n, stride) = match axis {
            0 => (nx, 1),
            1 => (ny, nx),
            _ => (nz, nx * ny),
        };
        assert!(n == self.points && u.len() == nx * ny * nz && out.len() == u.len(), "shape of the operator");
        match self.interior.len() {
            3 => self.interior_rows::<3>(stride, u, out),
            5 => self.interior_rows::<5>(stride, u, out),
            7 => self.interior_rows::<7>(stride, u, out),
            9 => self.interior_rows::<9>(stride, u, out),
            _ => self.interior_rows::<11>(stride, u, out),
        }
        if self.periodic {
            self.wrapped_rows(stride, u, out);
            return;
        }
        let sides = [(0, &self.low, data[0]), (n - self.high.len(), &self.high, data[1])];
        for (first, rows, data) in sides {
            for (offset, row) in rows.iter().enumerate() {
                for (block, (u, out)) in u.chunks_exact(n * stride).zip(out.chunks_exact_mut(n * stride)).enumerate() {
                    let out = &mut out[(first + offset) * stride..][..stride];
                    out.fill(R::of(0.0));
                    for (j, w) in row.weights.iter().enumerate() {
                        add_scaled(out, &u[(row.start + j) * stride..][..stride], *w);
                    }
                    for (w, g) in row.data.iter().zip(data) {
                        match g {
                            [] => {}
                            [g] => out.iter_mut().for_each(|o| *o += *w * *g),
                            _ => add_scaled(out, &g[block * stride..][..stride], *w),
                        }
                    }
                }
            }
        }
    }

    /// Rows whose stencil lies inside. W is the stencil's width, or for the widest an upper bound.
    fn interior_rows<const W: usize>(&self, stride: usize, u: &[R], out: &mut [R]) {
        let (n, width, reach) = (self.points, self.interior.len(), self.reach);
        if width != W {
            return self.wide_rows(stride, u, out);
        }
        let w: [R; W] = std::array::from_fn(|j| self.interior[j]);
        for (u, out) in u.chunks_exact(n * stride).zip(out.chunks_exact_mut(n * stride)) {
            // Along x and across it alike: neighbours along the axis are `stride` apart.
            let out = &mut out[reach * stride..(n - reach) * stride];
            let shifted: [&[R]; W] = std::array::from_fn(|j| &u[j * stride..][..out.len()]);
            for (i, o) in out.iter_mut().enumerate() {
                let mut sum = w[0] * shifted[0][i];
                for j in 1..W {
                    sum += w[j] * shifted[j][i];
                }
                *o = sum;
            }
        }
    }

    fn wide_rows(&self, stride: usize, u: &[R], out: &mut [R]) {
        let (n, reach) = (self.points, self.reach);
        for (u, out) in u.chunks_exact(n * stride).zip(out.chunks_exact_mut(n * stride)) {
            let out = &mut out[reach * stride..(n - reach) * stride];
            out.fill(R::of(0.0));
            for (j, w) in self.interior.iter().enumerate() {
                add_scaled(out, &u[j * stride..][..out.len()], *w);
            }
        }
    }

    /// The rows at both ends of a periodic axis.
    fn wrapped_rows(&self, stride: usize, u: &[R], out: &mut [R]) {
        let (n, reach) = (self.points, self.reach);
        for (u, out) in u.chunks_exact(n * stride).zip(out.chunks_exact_mut(n * stride)) {
            for at in (0..reach).chain(n - reach..n) {
                let out = &mut out[at * stride..][..stride];
                out.fill(R::of(0.0));
                for (j, w) in self.interior.iter().enumerate() {
                    add_scaled(out, &u[(at + n + j - reach) % n * stride..][..stride], *w);
                }
            }
        }
    }
}

/// out += w u.
fn add_scaled<R: Real>(out: &mut [R], u: &[R], w: R) {
    for (o, u) in out.iter_mut().zip(u) {
        *o += w * *u;
    }
}
