//! One grid of the hierarchy: conductances, sweeps, transfers.

use super::EllipticProblem;
use crate::Real;
use crate::space::difference::Side;

/// [a, b] of the single condition a u + b u_n = g of a side, if it is one.
pub(super) fn mixed(side: &Side) -> Option<[f64; 2]> {
    match side.conditions().as_slice() {
        [one] if one.coefficients[2..] == [0.0; 2] => Some([one.coefficients[0], one.coefficients[1]]),
        _ => None,
    }
}

/// Balances of cells: Σ conductance (u - neighbour) + mass u = right, in units of the equation times area.
pub(super) struct Level<R> {
    nx: usize,
    ny: usize,
    periodic: [bool; 2],
    /// By axis and side: points hold given values.
    given: [[bool; 2]; 2],
    /// Conductance to the next point in x and in y; zero beyond ends.
    east: Vec<R>,
    north: Vec<R>,
    /// Reaction times area, and what mixed conditions add.
    mass: Vec<R>,
    /// 1 / (sum of conductances + mass); zero at points with given values.
    inverse: Vec<R>,
    /// Steps of the next finer grid between points of this one, 1 or 2 by axis.
    steps: [usize; 2],
    /// Area of each cell, on the finest grid.
    area: Vec<f64>,
    pub right: Vec<R>,
    pub field: Vec<R>,
    pub remainder: Vec<R>,
}

impl<R: Real> Level<R> {
    fn new(points: [usize; 2], periodic: [bool; 2], given: [[bool; 2]; 2], steps: [usize; 2]) -> Self {
        let [nx, ny] = points;
        let vec = || vec![R::of(0.0); nx * ny];
        Self {
            nx,
            ny,
            periodic,
            given,
            east: vec(),
            north: vec(),
            mass: vec(),
            inverse: vec(),
            steps,
            area: Vec::new(),
            right: vec(),
            field: vec(),
            remainder: vec(),
        }
    }

    /// The problem's own grid; checked before.
    pub fn finest(problem: &EllipticProblem<R>, diffusion: &[R]) -> Self {
        let [nx, ny] = problem.points;
        let is_line = ny == 1;
        let [hx, hy] = [problem.spacing[0], if is_line { 1.0 } else { problem.spacing[1] }];
        let periodic = [problem.sides[0][0] == Side::Periodic, !is_line && problem.sides[1][0] == Side::Periodic];
        let is_given = |side: &Side| mixed(side).is_some_and(|[_, b]| b == 0.0);
        let mut given = [[false; 2]; 2];
        for (axis, sides) in problem.sides.iter().enumerate().filter(|(axis, _)| *axis == 0 || !is_line) {
            given[axis] = [is_given(&sides[0]), is_given(&sides[1])];
        }
        let mut level = Self::new([nx, ny], periodic, given, [1, 1]);
        // Half cells at ends.
        let part =
            |i: usize, n: usize, periodic: bool| if n > 1 && !periodic && (i == 0 || i + 1 == n) { 0.5 } else { 1.0 };
        level.area =
            (0..nx * ny).map(|i| hx * part(i % nx, nx, periodic[0]) * hy * part(i / nx, ny, periodic[1])).collect();
        let mean = |i: usize, j: usize| 0.5 * (diffusion[i].to_f64() + diffusion[j].to_f64());
        for y in 0..ny {
            for x in 0..nx {
                let i = y * nx + x;
                if x + 1 < nx || periodic[0] {
                    let next = y * nx + (x + 1) % nx;
                    level.east[i] = R::of(mean(i, next) * hy * part(y, ny, periodic[1]) / hx);
                }
                if ny > 1 && (y + 1 < ny || periodic[1]) {
                    let next = (y + 1) % ny * nx + x;
                    level.north[i] = R::of(mean(i, next) * hx * part(x, nx, periodic[0]) / hy);
                }
                let reaction = problem.reaction[if problem.reaction.len() == 1 { 0 } else { i }].to_f64();
                level.mass[i] = R::of(reaction * level.area[i]);
            }
        }
        for axis in 0..if is_line { 1 } else { 2 } {
            for side in 0..2 {
                if let Some([a, b]) = mixed(&problem.sides[axis][side])
                    && b != 0.0
                {
                    for (_, point, width) in level.face(axis, side, [hx, hy]) {
                        level.mass[point] += R::of(diffusion[point].to_f64() * a / b * width);
                    }
                }
            }
        }
        level.finish();
        level
    }

    /// (place on the side, point, width of the cell along the side) of every point of a side.
    pub fn face(&self, axis: usize, side: usize, spacing: [f64; 2]) -> Vec<(usize, usize, f64)> {
        let (nx, ny) = (self.nx, self.ny);
        let (count, across) = if axis == 0 { (ny, 1) } else { (nx, 0) };
        let spacing = if count == 1 { 1.0 } else { spacing[across] };
        (0..count)
            .map(|at| {
                let is_corner = count > 1 && !self.periodic[across] && (at == 0 || at + 1 == count);
                let point = match (axis, side) {
                    (0, 0) => at * nx,
                    (0, _) => at * nx + nx - 1,
                    (_, 0) => at,
                    _ => (ny - 1) * nx + at,
                };
                (at, point, if is_corner { 0.5 * spacing } else { spacing })
            })
            .collect()
    }

    fn is_given(&self, x: usize, y: usize) -> bool {
        (x == 0 && self.given[0][0])
            || (x + 1 == self.nx && self.given[0][1])
            || (y == 0 && self.given[1][0])
            || (y + 1 == self.ny && self.given[1][1])
    }

    /// Neighbours of a point: (index, conductance).
    fn neighbours(&self, x: usize, y: usize) -> [(usize, R); 4] {
        let (nx, ny) = (self.nx, self.ny);
        let i = y * nx + x;
        let west = y * nx + if x == 0 { nx - 1 } else { x - 1 };
        let south = if y == 0 { ny - 1 } else { y - 1 } * nx + x;
        let (east, north) = (y * nx + (x + 1) % nx, (y + 1) % ny * nx + x);
        [(west, self.east[west]), (east, self.east[i]), (south, self.north[south]), (north, self.north[i])]
    }

    fn finish(&mut self) {
        for y in 0..self.ny {
            for x in 0..self.nx {
                let i = y * self.nx + x;
                let sum = self.neighbours(x, y).iter().fold(self.mass[i], |sum, (_, g)| sum + *g);
                self.inverse[i] = if self.is_given(x, y) || sum == R::of(0.0) { R::of(0.0) } else { R::of(1.0) / sum };
            }
        }
    }

    pub fn points(&self) -> [usize; 2] {
        [self.nx, self.ny]
    }

    pub fn size(&self) -> usize {
        self.nx * self.ny
    }

    pub fn cells(&self) -> &[f64] {
        &self.area
    }

    pub fn is_free(&self) -> bool {
        self.given == [[false; 2]; 2] && self.mass.iter().all(|m| *m == R::of(0.0))
    }

    pub fn set_right_side(&mut self, f: &[R]) {
        for ((right, f), area) in self.right.iter_mut().zip(f).zip(&self.area) {
            *right = *f * R::of(*area);
        }
    }

    /// Rows of the matrix; unit rows at given values, and at point 0 if the level is to be fixed there.
    pub fn rows(&self, is_free: bool) -> Vec<Vec<(usize, R)>> {
        (0..self.size())
            .map(|i| {
                let (x, y) = (i % self.nx, i / self.nx);
                if self.is_given(x, y) || (is_free && i == 0) {
                    return vec![(i, R::of(1.0))];
                }
                let mut row = vec![(i, self.mass[i])];
                for (j, g) in self.neighbours(x, y).into_iter().filter(|(_, g)| *g != R::of(0.0)) {
                    row.extend([(i, g), (j, -g)]);
                }
                row
            })
            .collect()
    }

    /// Whether all points of a row hold given values.
    fn is_given_row(&self, y: usize) -> bool {
        (y == 0 && self.given[1][0]) || (y + 1 == self.ny && self.given[1][1])
    }

    /// One red-black Gauss-Seidel sweep: first the colour of the coarse points. Always in this order, which is what makes a
    /// cycle fast: the other order after the coarse correction doubles its factor.
    pub fn sweep(&mut self) {
        for colour in 0..2 {
            for y in 0..self.ny {
                if !self.is_given_row(y) {
                    self.sweep_row(y, (colour + y) % 2);
                }
            }
        }
    }

    fn sweep_row(&mut self, y: usize, first: usize) {
        let (nx, ny) = (self.nx, self.ny);
        let (row, south, north) = (y * nx, if y == 0 { ny - 1 } else { y - 1 } * nx, (y + 1) % ny * nx);
        // Ends of the row wrap, have no neighbour or are given; the inside knows none of this.
        for x in [0, nx - 1] {
            let i = row + x;
            if x % 2 == first && self.inverse[i] != R::of(0.0) {
                let sum = self.neighbours(x, y).iter().fold(self.right[i], |sum, (j, g)| sum + *g * self.field[*j]);
                self.field[i] = sum * self.inverse[i];
            }
        }
        let (east, right, inverse) = (&self.east[row..][..nx], &self.right[row..][..nx], &self.inverse[row..][..nx]);
        let (to_south, to_north) = (&self.north[south..][..nx], &self.north[row..][..nx]);
        let mut x = if first == 0 { 2 } else { 1 };
        while x + 1 < nx {
            let sum = right[x]
                + east[x - 1] * self.field[row + x - 1]
                + east[x] * self.field[row + x + 1]
                + to_south[x] * self.field[south + x]
                + to_north[x] * self.field[north + x];
            self.field[row + x] = sum * inverse[x];
            x += 2;
        }
    }

    /// right - A field to `remainder`, zero at given values; returns its norm.
    pub fn residual(&mut self) -> f64 {
        let mut remainder = std::mem::take(&mut self.remainder);
        let (nx, ny) = (self.nx, self.ny);
        let mut sum = 0.0;
        for y in 0..ny {
            let (row, south, north) = (y * nx, if y == 0 { ny - 1 } else { y - 1 } * nx, (y + 1) % ny * nx);
            if self.is_given_row(y) {
                remainder[row..row + nx].fill(R::of(0.0));
                continue;
            }
            for x in [0, nx - 1] {
                let i = row + x;
                let u = self.field[i];
                let inflow = self.neighbours(x, y).iter().fold(R::of(0.0), |s, (j, g)| s + *g * (self.field[*j] - u));
                let is_given = self.inverse[i] == R::of(0.0);
                remainder[i] = if is_given { R::of(0.0) } else { self.right[i] + inflow - self.mass[i] * u };
            }
            let field = |start: usize| &self.field[start..][..nx];
            let (here, below, above) = (field(row), field(south), field(north));
            let (east, right, mass) = (&self.east[row..][..nx], &self.right[row..][..nx], &self.mass[row..][..nx]);
            let (to_south, to_north) = (&self.north[south..][..nx], &self.north[row..][..nx]);
            let out = &mut remainder[row..][..nx];
            for x in 1..nx - 1 {
                let u = here[x];
                out[x] = right[x] - mass[x] * u
                    + east[x - 1] * (here[x - 1] - u)
                    + east[x] * (here[x + 1] - u)
                    + to_south[x] * (below[x] - u)
                    + to_north[x] * (above[x] - u);
            }
            sum += out.iter().fold(R::of(0.0), |s, r| s + *r * *r).to_f64();
        }
        self.remainder = remainder;
        sum.sqrt()
    }

    /// Norm of the residual of a field that is zero except for the given values of `u`.
    pub fn residual_of_zero(&mut self, u: &[R]) -> f64 {
        let kept = self.field.clone();
        for (i, (field, u)) in self.field.iter_mut().zip(u).enumerate() {
            *field = if self.inverse[i] == R::of(0.0) { *u } else { R::of(0.0) };
        }
        let size = self.residual();
        self.field = kept;
        size
    }

    /// The next coarser grid, or nothing if no axis can be halved or the grid is small.
    pub fn coarser(&self) -> Option<Self> {
        // Typical conductances by axis tell along which errors are smooth after a sweep.
        let total = |g: &[R]| g.iter().fold(0.0, |s, g| s + g.to_f64()) / g.len() as f64;
        let strength = [total(&self.east), total(&self.north)];
        let points = [self.nx, self.ny];
        let can_halve = |axis: usize| {
            let n = points[axis];
            if self.periodic[axis] { n >= 8 && n.is_multiple_of(2) } else { n >= 5 && n % 2 == 1 }
        };
        let strongest = strength[0].max(strength[1]);
        let is_halved = [0, 1].map(|axis| can_halve(axis) && strength[axis] > 0.4 * strongest);
        if is_halved == [false, false] {
            return None;
        }
        let steps = is_halved.map(|halved| if halved { 2 } else { 1 });
        let size = [0, 1].map(|axis| match (is_halved[axis], self.periodic[axis]) {
            (false, _) => points[axis],
            (true, true) => points[axis] / 2,
            (true, false) => points[axis] / 2 + 1,
        });
        let mut coarse = Self::new(size, self.periodic, self.given, steps);
        let [cx, cy] = size;
        for y in 0..cy {
            for x in 0..cx {
                let i = y * cx + x;
                let (fx, fy) = (x * steps[0], y * steps[1]);
                let (mut east, mut north, mut mass) = (0.0, 0.0, 0.0);
                // Rows in parallel, each the series of the conductances between the two coarse points.
                for (py, weight) in self.shares(fy, 1, steps[1]) {
                    east += weight * self.series(&self.east, fx, py, 0, steps[0]);
                }
                for (px, weight) in self.shares(fx, 0, steps[0]) {
                    north += weight * self.series(&self.north, px, fy, 1, steps[1]);
                }
                for (py, wy) in self.shares(fy, 1, steps[1]) {
                    for (px, wx) in self.shares(fx, 0, steps[0]) {
                        mass += wx * wy * self.mass[py * self.nx + px].to_f64();
                    }
                }
                coarse.east[i] = R::of(east);
                coarse.north[i] = R::of(north);
                coarse.mass[i] = R::of(mass);
            }
        }
        coarse.finish();
        Some(coarse)
    }

    /// Fine points along an axis around coarse point `at` (its fine place), with their weights.
    fn shares(&self, at: usize, axis: usize, step: usize) -> impl Iterator<Item = (usize, f64)> {
        let n = [self.nx, self.ny][axis];
        let periodic = self.periodic[axis];
        let low = if at > 0 { Some(at - 1) } else { periodic.then_some(n - 1) };
        let high = if at + 1 < n { Some(at + 1) } else { periodic.then_some(0) };
        let near = low.into_iter().chain(high).filter(move |_| step == 2).map(|i| (i, 0.5));
        std::iter::once((at, 1.0)).chain(near)
    }

    /// Conductance over `step` points from (x, y) along an axis; zero beyond ends.
    fn series(&self, conductance: &[R], x: usize, y: usize, axis: usize, step: usize) -> f64 {
        let at = |k: usize| {
            let (x, y) = if axis == 0 { ((x + k) % self.nx, y) } else { (x, (y + k) % self.ny) };
            conductance[y * self.nx + x].to_f64()
        };
        if step == 1 {
            return at(0);
        }
        let place = [x, y][axis];
        let is_beyond = !self.periodic[axis] && place + 2 >= [self.nx, self.ny][axis];
        let (a, b) = (at(0), at(1));
        if is_beyond || a == 0.0 || b == 0.0 { 0.0 } else { a * b / (a + b) }
    }

    /// Takes the `remainder` of the next finer grid, which is used up, as right side: the transpose of
    /// [`Level::interpolate_to`].
    pub fn restrict_from(&mut self, fine: &mut Self) {
        let ([sx, sy], nx, ny) = (self.steps, fine.nx, fine.ny);
        let (east, north, r) = (&fine.east, &fine.north, &mut fine.remainder);
        for y in (1..ny).step_by(2).filter(|_| sy == 2) {
            let (row, below, above) = (y * nx, (y - 1) * nx, (y + 1) % ny * nx);
            for x in (1..nx).step_by(2).filter(|_| sx == 2) {
                let (i, next) = (row + x, row + (x + 1) % nx);
                let (w, e, s, n) = (east[i - 1], east[i], north[below + x], north[i]);
                let share = r[i] / (w + e + s + n);
                r[i - 1] += w * share;
                r[next] += e * share;
                r[below + x] += s * share;
                r[above + x] += n * share;
            }
            for x in (0..nx).step_by(sx) {
                let (s, n) = (north[below + x], north[row + x]);
                let share = r[row + x] / (s + n);
                r[below + x] += s * share;
                r[above + x] += n * share;
            }
        }
        for y in 0..self.ny {
            let row = y * sy * nx;
            for x in (1..nx).step_by(2).filter(|_| sx == 2) {
                let i = row + x;
                let share = r[i] / (east[i - 1] + east[i]);
                r[i - 1] += east[i - 1] * share;
                r[row + (x + 1) % nx] += east[i] * share;
            }
            for (x, right) in self.right[y * self.nx..][..self.nx].iter_mut().enumerate() {
                *right = r[row + x * sx];
            }
        }
    }

    /// Puts this field, interpolated, into the `remainder` of the next finer grid. Points between get the mean of their
    /// neighbours weighted by conductance, which is the linear one where the coefficient is constant, and keeps
    /// fluxes continuous where it jumps (Alcouffe, Brandt, Dendy, Painter 1981, SIAM J. Sci. Stat. Comput. 2, 430).
    pub fn interpolate_to(&self, fine: &mut Self) {
        let ([sx, sy], nx, ny) = (self.steps, fine.nx, fine.ny);
        let (east, north, v) = (&fine.east, &fine.north, &mut fine.remainder);
        for y in 0..self.ny {
            let row = y * sy * nx;
            for (x, value) in self.field[y * self.nx..][..self.nx].iter().enumerate() {
                v[row + x * sx] = *value;
            }
            for x in (1..nx).step_by(2).filter(|_| sx == 2) {
                let (i, next) = (row + x, row + (x + 1) % nx);
                v[i] = (east[i - 1] * v[i - 1] + east[i] * v[next]) / (east[i - 1] + east[i]);
            }
        }
        for y in (1..ny).step_by(2).filter(|_| sy == 2) {
            let (row, below, above) = (y * nx, (y - 1) * nx, (y + 1) % ny * nx);
            for x in (0..nx).step_by(sx) {
                let (s, n) = (north[below + x], north[row + x]);
                v[row + x] = (s * v[below + x] + n * v[above + x]) / (s + n);
            }
            for x in (1..nx).step_by(2).filter(|_| sx == 2) {
                let (i, next) = (row + x, row + (x + 1) % nx);
                let (w, e, s, n) = (east[i - 1], east[i], north[below + x], north[i]);
                let sum = w * v[i - 1] + e * v[next] + s * v[below + x] + n * v[above + x];
                v[i] = sum / (w + e + s + n);
            }
        }
    }

    /// Σ conductance (difference of v)² + mass v² for the field v in `remainder`.
    pub fn energy(&self) -> f64 {
        let (nx, ny, v) = (self.nx, self.ny, &self.remainder);
        let mut sum = 0.0;
        for y in 0..ny {
            let (row, above) = (y * nx, (y + 1) % ny * nx);
            let mut part = R::of(0.0);
            for x in 0..nx {
                let i = row + x;
                let (east, north) = (v[row + (x + 1) % nx] - v[i], v[above + x] - v[i]);
                part += self.east[i] * east * east + self.north[i] * north * north + self.mass[i] * v[i] * v[i];
            }
            sum += part.to_f64();
        }
        sum
    }

    /// field += factor · remainder, but not at given values.
    pub fn add_remainder(&mut self, factor: f64) {
        let (nx, factor) = (self.nx, R::of(factor));
        for y in 0..self.ny {
            if self.is_given_row(y) {
                continue;
            }
            // Given values inside a row are at its ends only.
            let first = y * nx + usize::from(self.given[0][0]);
            let last = (y + 1) * nx - usize::from(self.given[0][1]);
            for (u, v) in self.field[first..last].iter_mut().zip(&self.remainder[first..last]) {
                *u += factor * *v;
            }
        }
    }

    /// Sets up the same problem as that of the next finer grid: its right side, its given values, zero elsewhere.
    pub fn start_from(&mut self, fine: &mut Self) {
        fine.remainder.copy_from_slice(&fine.right);
        self.restrict_from(fine);
        let [sx, sy] = self.steps;
        for (i, u) in self.field.iter_mut().enumerate() {
            let from = i / self.nx * sy * fine.nx + i % self.nx * sx;
            *u = if self.inverse[i] == R::of(0.0) { fine.field[from] } else { R::of(0.0) };
        }
    }

    /// Zero where values are not given.
    pub fn clear_unknowns(&mut self) {
        for (u, inverse) in self.field.iter_mut().zip(&self.inverse) {
            if *inverse != R::of(0.0) {
                *u = R::of(0.0);
            }
        }
    }
}
