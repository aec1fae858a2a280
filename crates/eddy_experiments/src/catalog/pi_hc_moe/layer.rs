//! The constraint layer: each expert solves its own nonlinear least-squares problem for the weights of the basis functions,
//! and hands the loss back through the solution by the implicit function theorem.

use eddy_nets::{GaussNewton, GaussNewtonSettings};
use eddy_numerics::linear::{Banded, LinearError};

use super::{
    Method, Params,
    volumes::{DIFFUSIVITY, SPREAD, mobility},
};

/// Value, ∂x, ∂t and ∂xx.
pub const COMPONENTS: usize = 4;
pub type Jet = [f64; COMPONENTS];

/// One equation that the solution should meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row {
    /// u_t = D T u_xx/R(u).
    Inside,
    /// u = level.
    Initial(f64),
    /// u = 1.
    Left,
    /// u + D u_x = 0.
    Right,
    /// Both experts agree; it counts in the loss alone.
    Seam,
}

/// A row's residual at a jet, its slopes, and its second derivatives ∂²/∂u² and ∂²/∂u∂u_xx.
pub struct Residual {
    pub value: f64,
    pub slopes: Jet,
    pub curved: [f64; 2],
}

impl Row {
    pub fn at(self, [u, ux, ut, uxx]: Jet) -> Residual {
        let linear = |value: f64, slopes: Jet| Residual { value, slopes, curved: [0.0; 2] };
        match self {
            Self::Inside => {
                let [g, first, second] = mobility(u).map(|g| SPREAD * g);
                Residual { value: ut - g * uxx, slopes: [-first * uxx, 0.0, 1.0, -g], curved: [-second * uxx, -first] }
            }
            Self::Initial(level) => linear(u - level, [1.0, 0.0, 0.0, 0.0]),
            Self::Left => linear(u - 1.0, [1.0, 0.0, 0.0, 0.0]),
            Self::Right => linear(u + DIFFUSIVITY * ux, [1.0, DIFFUSIVITY, 0.0, 0.0]),
            Self::Seam => linear(0.0, [0.0; COMPONENTS]),
        }
    }
}

/// The boxes of the experts: slices of x, or of t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boxes {
    pub count: usize,
    pub in_time: bool,
}

impl Boxes {
    /// The box of a point of the unit square.
    pub fn owner(self, x: f64, t: f64) -> usize {
        let at = if self.in_time { t } else { x };
        ((at * self.count as f64) as usize).min(self.count - 1)
    }
    /// Where box k begins.
    pub fn seam(self, k: usize) -> f64 {
        k as f64 / self.count as f64
    }
    /// Whether a point lies in a box, or no further from it than `reach` times its width.
    fn has(self, expert: usize, reach: f64, x: f64, t: f64) -> bool {
        let at = if self.in_time { t } else { x } * self.count as f64 - expert as f64;
        at >= -reach && at < 1.0 + reach
    }
}

/// A point of a step.
pub struct Site {
    pub row: Row,
    owner: usize,
    /// Factor of the squared residual in the loss.
    share: f64,
    is_solved: bool,
}

/// The points of a step: those inside, of which every second one is for the solves, then those on the three sides and the
/// seams.
pub struct Sample {
    params: Params,
    /// (x, t, level) of each site.
    pub points: Vec<f64>,
    sites: Vec<Site>,
}

impl Sample {
    /// One point in each of side² cells, and `edge` on each of the sides and seams.
    pub fn new(p: &Params) -> Self {
        Self { params: p.clone(), points: Vec::new(), sites: Vec::new() }
    }

    fn lines(&self) -> usize {
        2 + self.params.boxes().count
    }
    pub fn count(&self) -> usize {
        (self.params.side * self.params.side) as usize + self.lines() * self.params.edge as usize
    }
    /// How many numbers place the points.
    pub fn draws(&self) -> usize {
        self.count() + (self.params.side * self.params.side) as usize
    }

    /// Point k's coordinates are `within` of their cells.
    pub fn place(&mut self, level: f64, within: impl Fn(usize) -> f64) {
        let (side, edge, lines) = (self.params.side as usize, self.params.edge as usize, self.lines());
        let (data, boxes) = (self.params.data, self.params.boxes());
        self.points.clear();
        self.sites.clear();
        let mut add = |row: Row, x: f64, t: f64, share: f64, is_solved: bool| {
            self.points.extend([x, t, level]);
            self.sites.push(Site { row, owner: boxes.owner(x, t), share, is_solved });
        };
        let share = 1.0 / (side * side) as f64;
        for k in 0..side * side {
            let (i, j) = (k % side, k / side);
            let at = |i: usize, draw: usize| (i as f64 + within(draw)) / side as f64;
            add(Row::Inside, at(i, 2 * k), at(j, 2 * k + 1), share, (i + j).is_multiple_of(2));
        }
        let share = data / edge as f64;
        let seam = self.params.seam / edge as f64;
        for k in 0..lines * edge {
            let at = ((k % edge) as f64 + within(2 * side * side + k)) / edge as f64;
            match k / edge {
                0 => add(Row::Initial(level), at, 0.0, share, true),
                1 => add(Row::Left, 0.0, at, share, true),
                2 => add(Row::Right, 1.0, at, share, true),
                // A little below the seam, so that the owner is the lower box.
                line if boxes.in_time => add(Row::Seam, at, boxes.seam(line - 2) - 1e-9, seam, false),
                line => add(Row::Seam, boxes.seam(line - 2) - 1e-9, at, seam, false),
            }
        }
    }
}

/// What a pass through the layer found, with its multiplications.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pass {
    pub loss: f64,
    /// Of all experts, one after the other, and of the one with the most.
    pub work: f64,
    pub longest: f64,
    /// Mean number of solver steps of an expert.
    pub iterations: f64,
}

#[derive(Clone)]
pub struct Layer {
    bases: usize,
    /// Of each expert.
    pub weights: Vec<Vec<f64>>,
    pub params: Params,
    /// The relative decrease at which a solve ends.
    pub tolerance: f64,
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Jet of b·w, where `bases` holds [point][component][basis].
pub fn jet(bases: &[f64], point: usize, w: &[f64]) -> Jet {
    let n = w.len();
    std::array::from_fn(|c| dot(&bases[(COMPONENTS * point + c) * n..][..n], w))
}

impl Layer {
    pub fn new(p: &Params) -> Self {
        let bases = if p.method == Method::Soft { 1 } else { p.bases as usize };
        Self { bases, weights: vec![vec![1.0; bases]; p.boxes().count], params: p.clone(), tolerance: 1e-8 }
    }

    /// Whether nothing is solved: the network is the solution.
    pub fn is_soft(&self) -> bool {
        self.params.method == Method::Soft
    }

    /// Rows of an expert's problem with the factors of their squares: mean square inside its own box, and all sides.
    fn problem(&self, expert: usize, sample: &Sample) -> Vec<(usize, f64)> {
        let sites = || sample.sites.iter().enumerate().filter(|(_, s)| s.is_solved);
        let (boxes, reach) = (self.params.boxes(), self.params.overlap);
        let is_near = |i: usize| boxes.has(expert, reach, sample.points[3 * i], sample.points[3 * i + 1]);
        let inside = || sites().filter(|(i, s)| s.row == Row::Inside && is_near(*i)).map(|(i, _)| i);
        let share = 1.0 / inside().count().max(1) as f64;
        let sides = sites().filter(|(_, s)| s.row != Row::Inside).map(|(i, s)| (i, s.share));
        inside().map(|i| (i, share)).chain(sides).collect()
    }

    /// Solves one expert's problem; returns the steps and the multiplications.
    fn solve_one(&mut self, expert: usize, used: &[(usize, f64)], sample: &Sample, bases: &[f64]) -> (u32, f64) {
        let Params { ridge, most, warm, .. } = self.params;
        let (n, m, tolerance) = (self.bases, used.len(), self.tolerance);
        let w = &mut self.weights[expert];
        if !warm {
            w.fill(1.0);
        }
        // The solver's own damping adds to the ridge, and must end below it.
        let mut newton = GaussNewton::new(GaussNewtonSettings { damping: 1e-6, range: (1e-15, 1e8), tries: 6 });
        let (mut residuals, mut jacobian) = (vec![0.0; m + n], vec![0.0; (m + n) * n]);
        for d in 0..n {
            jacobian[(m + d) * n + d] = ridge;
        }
        let loss = |w: &[f64]| {
            let rows = used.iter().map(|(i, share)| share * sample.sites[*i].row.at(jet(bases, *i, w)).value.powi(2));
            rows.sum::<f64>() + ridge * ridge * dot(w, w)
        };
        let (mut iterations, mut work) = (0, 0.0);
        while iterations < most {
            for (k, (i, share)) in used.iter().enumerate() {
                let at = sample.sites[*i].row.at(jet(bases, *i, w));
                let scale = share.sqrt();
                residuals[k] = scale * at.value;
                let row = &mut jacobian[k * n..(k + 1) * n];
                row.fill(0.0);
                add_slopes(row, &at.slopes.map(|s| scale * s), bases, *i);
            }
            residuals[m..].iter_mut().zip(&*w).for_each(|(r, w)| *r = ridge * w);
            let before = dot(&residuals, &residuals);
            let step = newton.step(w, &residuals, &jacobian, &loss);
            iterations += 1;
            let (rows, size, tries) = (m as f64, n as f64, step.tries as f64);
            work += rows * (6.0 * size + 0.5 * size * (size + 1.0));
            work += tries * (size * size * size / 6.0 + size * size + 3.0 * rows * size);
            if !step.moved || before - step.loss <= tolerance * before {
                break;
            }
        }
        (iterations, work)
    }

    /// Solves all experts' problems.
    pub fn solve(&mut self, sample: &Sample, bases: &[f64]) {
        for expert in 0..self.weights.len() {
            let used = self.problem(expert, sample);
            self.solve_one(expert, &used, sample, bases);
        }
    }

    /// H⁻¹ of the slope, with the whole Hessian H of half the expert's sum of squares.
    fn adjoint(
        &self,
        expert: usize,
        used: &[(usize, f64)],
        sample: &Sample,
        bases: &[f64],
        slope: &[f64],
    ) -> Result<Vec<f64>, LinearError> {
        let (n, w) = (self.bases, &self.weights[expert]);
        let mut hessian = vec![0.0; n * n];
        let (mut p, mut q) = (vec![0.0; n], vec![0.0; n]);
        for (i, share) in used {
            let at = sample.sites[*i].row.at(jet(bases, *i, w));
            p.fill(0.0);
            q.fill(0.0);
            add_slopes(&mut p, &at.slopes, bases, *i);
            // r ∂²r = b₀ qᵀ + q b₀ᵀ.
            let [same, mixed] = at.curved.map(|c| at.value * c);
            add_slopes(&mut q, &[0.5 * same, 0.0, 0.0, mixed], bases, *i);
            let value = &bases[COMPONENTS * i * n..][..n];
            for a in 0..n {
                let (pa, va, qa) = (share * p[a], share * value[a], share * q[a]);
                let row = hessian[a * n..].iter_mut().zip(&p).zip(value.iter().zip(&q));
                row.take(a + 1).for_each(|((h, p), (v, q))| *h += pa * p + va * q + qa * v);
            }
        }
        let mut matrix = Banded::new(n, n - 1, n - 1);
        for a in 0..n {
            for b in 0..a {
                matrix.add(a, b, hessian[a * n + b]);
                matrix.add(b, a, hessian[a * n + b]);
            }
            matrix.add(a, a, hessian[a * n + a] + self.params.ridge.powi(2));
        }
        let mut lambda = slope.to_vec();
        matrix.factor()?.solve(&mut lambda);
        Ok(lambda)
    }

    /// Solves, and writes the slopes of the loss with respect to all jets of the bases. The loss is the mean square inside
    /// and on the sides of the solution as it is put together, each point by its own expert, and of the jumps at the seams.
    pub fn gradient(&mut self, sample: &Sample, bases: &[f64], adjoints: &mut [f64]) -> Result<Pass, LinearError> {
        let (n, experts) = (self.bases, self.weights.len());
        adjoints.fill(0.0);
        let mut pass = Pass::default();
        let mut works = vec![0.0; experts];
        let mut problems = vec![Vec::new(); experts];
        for expert in (0..experts).filter(|_| self.params.method == Method::Hard) {
            problems[expert] = self.problem(expert, sample);
        }
        for (expert, used) in problems.iter().enumerate().filter(|(_, used)| !used.is_empty()) {
            let (iterations, work) = self.solve_one(expert, used, sample, bases);
            works[expert] = work;
            pass.iterations += f64::from(iterations) / experts as f64;
        }
        let mut slopes = vec![vec![0.0; n]; experts];
        // A difference over the width h of a cell sees a jump of the value over h², one of the slope over h.
        let of_slope = if self.params.boxes().in_time { 0.0 } else { f64::from(self.params.side).powi(-2) };
        for (i, site) in sample.sites.iter().enumerate() {
            let (owner, w) = (site.owner, &self.weights[site.owner]);
            works[owner] += 12.0 * n as f64;
            if site.row == Row::Seam {
                let across: Vec<f64> = self.weights[owner + 1].iter().zip(w).map(|(a, b)| a - b).collect();
                let [u, ux, ..] = jet(bases, i, &across);
                pass.loss += site.share * (u * u + of_slope * ux * ux);
                let of_jump = [2.0 * site.share * u, 2.0 * site.share * of_slope * ux, 0.0, 0.0];
                add_slopes(&mut slopes[owner + 1], &of_jump, bases, i);
                add_slopes(&mut slopes[owner], &of_jump.map(|s| -s), bases, i);
                add_products(adjoints, i, &of_jump, &across);
                continue;
            }
            let at = site.row.at(jet(bases, i, w));
            pass.loss += site.share * at.value * at.value;
            let of_jet = at.slopes.map(|s| 2.0 * site.share * at.value * s);
            add_slopes(&mut slopes[owner], &of_jet, bases, i);
            add_products(adjoints, i, &of_jet, w);
        }
        for expert in 0..experts {
            let (w, used, mut work) = (&self.weights[expert], &problems[expert], works[expert]);
            if self.params.implicit && !self.is_soft() {
                let lambda = self.adjoint(expert, used, sample, bases, &slopes[expert])?;
                // The loss changes by −λ·∂(slope of the sum)/∂b: λ·slope is r (∂r·v) at each row, v the jet of b·λ.
                for (i, share) in used {
                    let (at, v) = (sample.sites[*i].row.at(jet(bases, *i, w)), jet(bases, *i, &lambda));
                    let along = dot(&at.slopes, &v);
                    let turned = [at.curved[0] * v[0] + at.curved[1] * v[3], 0.0, 0.0, at.curved[1] * v[0]];
                    let of_u: Jet = std::array::from_fn(|c| -share * (at.slopes[c] * along + at.value * turned[c]));
                    add_products(adjoints, *i, &of_u, w);
                    add_products(adjoints, *i, &at.slopes.map(|s| -share * at.value * s), &lambda);
                }
                let (rows, size) = (used.len() as f64, n as f64);
                work += rows * (20.0 * size + 1.5 * size * (size + 1.0)) + size * size * size / 3.0;
            }
            pass.work += work;
            pass.longest = pass.longest.max(work);
        }
        Ok(pass)
    }
}

/// out += Σ slopes[c] · b_c of a point.
fn add_slopes(out: &mut [f64], slopes: &Jet, bases: &[f64], point: usize) {
    let n = out.len();
    for (c, s) in slopes.iter().enumerate().filter(|(_, s)| **s != 0.0) {
        out.iter_mut().zip(&bases[(COMPONENTS * point + c) * n..]).for_each(|(o, b)| *o += s * b);
    }
}

/// Adjoints of a point's jets += slopes ⊗ w.
fn add_products(adjoints: &mut [f64], point: usize, slopes: &Jet, w: &[f64]) {
    let n = w.len();
    for (c, s) in slopes.iter().enumerate().filter(|(_, s)| **s != 0.0) {
        adjoints[(COMPONENTS * point + c) * n..][..n].iter_mut().zip(w).for_each(|(a, w)| *a += s * w);
    }
}
