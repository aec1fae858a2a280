//! A nonlinear elliptic problem on the unit cube in many dimensions: a two-layer network of cosines that lowers the energy
//! at random points (Deep Ritz), and the best that tensor-product splines of as many coefficients can do.

use std::f64::consts::{PI, TAU};

use eddy_nets::{Named, normal, uniform};

/// A function of one coordinate whose slope vanishes at 0 and at 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Factor {
    /// cos πnx; n = 0 is the constant.
    Cosine(u32),
    /// exp(α cos πnx).
    Exponential(f64, u32),
}

impl Factor {
    /// Value, first and second derivative.
    fn jet(self, x: f64) -> [f64; 3] {
        match self {
            Self::Cosine(n) => {
                let k = PI * f64::from(n);
                let (sin, cos) = (k * x).sin_cos();
                [cos, -k * sin, -k * k * cos]
            }
            Self::Exponential(strength, n) => {
                let [cos, slope, curvature] = Self::Cosine(n).jet(x);
                let value = (strength * cos).exp();
                let (slope, curvature) = (strength * slope, strength * curvature);
                [value, slope * value, (curvature + slope * slope) * value]
            }
        }
    }
}

/// The solution that is asked for: a sum of products of one factor per coordinate. Its normal slope vanishes on the
/// boundary, the natural condition of the energy ½|∇u|² + ½u² + ¼u⁴ − f u with f = −Δu* + u* + u*³.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    terms: Vec<Vec<Factor>>,
}

impl Solution {
    /// Three products of two cosines, each of which is the half sum of two plane waves with wave vectors π(n, m) and
    /// π(n, −m) on two of the axes; `frequency` multiplies (1, 1), (2, 1) and (1, 2).
    pub fn waves(dimension: usize, frequency: u32) -> Self {
        let term = |(i, [n, m]): (usize, [u32; 2])| {
            let mut factors = vec![Factor::Cosine(0); dimension];
            factors[2 * i % dimension] = Factor::Cosine(n * frequency);
            factors[(2 * i + 1) % dimension] = Factor::Cosine(m * frequency);
            factors
        };
        Self { terms: [[1, 1], [2, 1], [1, 2]].into_iter().enumerate().map(term).collect() }
    }
    /// exp(Σ_j cos(π n_j x_j)/√d), n_j in turn 1 and 2 times `frequency`: no sum of finitely many cosines.
    pub fn exponential(dimension: usize, frequency: u32) -> Self {
        let strength = 1.0 / (dimension as f64).sqrt();
        Self {
            terms: vec![
                (0..dimension).map(|j| Factor::Exponential(strength, (1 + j as u32 % 2) * frequency)).collect(),
            ],
        }
    }

    pub fn dimension(&self) -> usize {
        self.terms[0].len()
    }

    /// u* and f.
    pub fn value_and_source(&self, x: &[f64]) -> (f64, f64) {
        let (mut value, mut laplacian) = (0.0, 0.0);
        for term in &self.terms {
            // Derivatives of a product: (p, Σ p_jj) grows factor by factor.
            let (mut product, mut second) = (1.0, 0.0);
            for (factor, x) in term.iter().zip(x) {
                let [h, _, curvature] = factor.jet(*x);
                second = second * h + product * curvature;
                product *= h;
            }
            value += product;
            laplacian += second;
        }
        (value, value + value * value * value - laplacian)
    }
}

/// Point number `i` of a Kronecker sequence of badly approximable steps, moved by a shift drawn from `seed`: points that
/// fill the cube more evenly than independent ones. The steps are powers of 1/g, g^(d+1) = g + 1.
pub fn spread_points(dimension: usize, count: usize, seed: u64, out: &mut Vec<f64>) {
    let mut g: f64 = 1.5;
    for _ in 0..60 {
        g = (1.0 + g).powf(1.0 / (dimension + 1) as f64);
    }
    out.clear();
    let start: Vec<f64> = (0..dimension).map(|j| uniform(seed, j as u64)).collect();
    for i in 0..count {
        out.extend(start.iter().enumerate().map(|(j, s)| (s + i as f64 * g.powi(-1 - j as i32)).fract()));
    }
}

/// u(x) = c + Σ a_j cos(w_j·x + b_j). Parameters: c, then b, a and w, [unit][axis].
pub struct CosineNetwork {
    dimension: usize,
    width: usize,
    pub parameters: Vec<f64>,
    cosines: Vec<f64>,
    sines: Vec<f64>,
    /// ∇u·w_j per unit.
    along: Vec<f64>,
}

impl CosineNetwork {
    /// The widest one of at most `budget` parameters, (d + 2) per unit and one. Components of the wave vectors are normal
    /// with deviation `spread`, phases uniform, strengths normal with deviation 0.1/√width.
    pub fn new(dimension: usize, budget: usize, spread: f64, seed: u64) -> Self {
        let width = (budget.saturating_sub(1) / (dimension + 2)).max(1);
        let mut parameters = vec![0.0];
        parameters.extend((0..width).map(|j| TAU * uniform(seed ^ 0xb1a5, j as u64)));
        parameters.extend((0..width).map(|j| 0.1 / (width as f64).sqrt() * normal(seed ^ 0xa3b, j as u64)));
        parameters.extend((0..width * dimension).map(|j| spread * normal(seed ^ 0x3ea7e, j as u64)));
        let empty = vec![0.0; width];
        Self { dimension, width, parameters, cosines: empty.clone(), sines: empty.clone(), along: empty }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// The parameters by name, in their order.
    pub fn named(&self) -> Vec<Named> {
        let (n, d) = (self.width, self.dimension);
        let one = |name: &str, shape: &[usize], at: usize| Named { name: name.to_owned(), shape: shape.to_vec(), at };
        vec![
            one("constant", &[1], 0),
            one("phases", &[n], 1),
            one("strengths", &[n], 1 + n),
            one("waves", &[n, d], 1 + 2 * n),
        ]
    }
    /// Strength and length of the wave vector of each unit.
    pub fn units(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (a, w) = self.parameters[1 + self.width..].split_at(self.width);
        a.iter().zip(w.chunks_exact(self.dimension)).map(|(a, w)| (*a, w.iter().map(|w| w * w).sum::<f64>().sqrt()))
    }
    /// |c| + Σ (1 + |w_j|) |a_j|, which bounds the Barron norm.
    pub fn barron_norm(&self) -> f64 {
        self.parameters[0].abs() + self.units().map(|(a, k)| (1.0 + k) * a.abs()).sum::<f64>()
    }

    pub fn value(&self, x: &[f64]) -> f64 {
        let (m, p) = (self.width, &self.parameters);
        let wave = |j: usize| {
            let w = &p[1 + 2 * m + j * self.dimension..][..self.dimension];
            p[1 + m + j] * (p[1 + j] + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).cos()
        };
        p[0] + (0..m).map(wave).sum::<f64>()
    }

    /// The mean over the points of ½|∇u|² + ½u² + ¼u⁴ − f u; its slope overwrites `gradient`.
    ///
    /// 2 trigonometric functions and some 8 d operations per point and unit.
    pub fn energy(&mut self, points: &[f64], solution: &Solution, gradient: &mut [f64]) -> f64 {
        let (d, m) = (self.dimension, self.width);
        gradient.fill(0.0);
        let Self { parameters, cosines, sines, along, .. } = self;
        let (phases, rest) = parameters[1..].split_at(m);
        let (strengths, waves) = rest.split_at(m);
        let (of_constant, of_rest) = gradient.split_at_mut(1);
        let (of_phases, of_rest) = of_rest.split_at_mut(m);
        let (of_strengths, of_waves) = of_rest.split_at_mut(m);
        let scale = d as f64 / points.len() as f64;
        let mut total = 0.0;
        let mut slope = vec![0.0; d];
        for x in points.chunks_exact(d) {
            let mut u = parameters[0];
            slope.fill(0.0);
            for j in 0..m {
                let w = &waves[j * d..(j + 1) * d];
                let phase = phases[j] + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
                (sines[j], cosines[j]) = phase.sin_cos();
                u += strengths[j] * cosines[j];
                let by_phase = -strengths[j] * sines[j];
                slope.iter_mut().zip(w).for_each(|(s, w)| *s += by_phase * w);
            }
            let (_, source) = solution.value_and_source(x);
            let square = u * u;
            total += 0.5 * (slope.iter().map(|s| s * s).sum::<f64>() + square) + 0.25 * square * square - source * u;
            let by_value = scale * (u + square * u - source);
            of_constant[0] += by_value;
            for j in 0..m {
                let w = &waves[j * d..(j + 1) * d];
                along[j] = scale * w.iter().zip(&slope).map(|(w, s)| w * s).sum::<f64>();
                of_strengths[j] += by_value * cosines[j] - along[j] * sines[j];
                let by_phase = -strengths[j] * (by_value * sines[j] + along[j] * cosines[j]);
                of_phases[j] += by_phase;
                let bent = -scale * strengths[j] * sines[j];
                for ((o, x), s) in of_waves[j * d..(j + 1) * d].iter_mut().zip(x).zip(&slope) {
                    *o += by_phase * x + bent * s;
                }
            }
        }
        total * scale
    }
}

/// The splines of one axis: `count` B-splines of degree min(3, count − 1) on even knots, and what the solution's factors
/// look like among them.
#[derive(Clone)]
struct Axis {
    count: usize,
    degree: usize,
    /// Cholesky factor L of the Gram matrix, [row][column].
    factor: Vec<f64>,
    /// L⁻¹ (B, h) per term: the coefficients of h's projection in an orthonormal basis.
    projections: Vec<Vec<f64>>,
    /// (h, h) of two terms, [term][term].
    products: Vec<f64>,
}

/// Nodes and weights of Gauss's rule of eight nodes on [0, 1]: exact to degree 15.
fn gauss_nodes() -> [(f64, f64); 8] {
    const N: usize = 8;
    std::array::from_fn(|i| {
        let mut x = (PI * (i as f64 + 0.75) / (N as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..20 {
            let (mut before, mut p) = (1.0, x);
            for k in 2..=N {
                (before, p) = (p, ((2 * k - 1) as f64 * x * p - (k - 1) as f64 * before) / k as f64);
            }
            slope = N as f64 * (x * p - before) / (x * x - 1.0);
            x -= p / slope;
        }
        (0.5 + 0.5 * x, 1.0 / ((1.0 - x * x) * slope * slope))
    })
}

impl Axis {
    fn new(count: usize, factors: &[Factor]) -> Self {
        // Parts per span of the knots: factors may swing faster than the splines.
        const PARTS: usize = 4;
        let degree = 3.min(count - 1);
        let mut axis =
            Self { count, degree, factor: vec![0.0; count * count], projections: Vec::new(), products: Vec::new() };
        let cells = PARTS * (count - degree);
        let (mut gram, mut loads) = (vec![0.0; count * count], vec![vec![0.0; count]; factors.len()]);
        axis.products = vec![0.0; factors.len() * factors.len()];
        let nodes = gauss_nodes();
        for cell in 0..cells {
            for (at, weight) in nodes {
                let (x, weight) = ((cell as f64 + at) / cells as f64, weight / cells as f64);
                let (first, values) = axis.splines(x);
                let heights: Vec<f64> = factors.iter().map(|f| f.jet(x)[0]).collect();
                for (i, b) in values.iter().take(degree + 1).enumerate() {
                    for (j, c) in values.iter().take(degree + 1).enumerate() {
                        gram[(first + i) * count + first + j] += weight * b * c;
                    }
                    for (load, h) in loads.iter_mut().zip(&heights) {
                        load[first + i] += weight * b * h;
                    }
                }
                for (t, h) in heights.iter().enumerate() {
                    for (s, g) in heights.iter().enumerate() {
                        axis.products[t * heights.len() + s] += weight * h * g;
                    }
                }
            }
        }
        let l = &mut axis.factor;
        for i in 0..count {
            for j in i.saturating_sub(degree)..=i {
                let known = (i.saturating_sub(degree)..j).map(|k| l[i * count + k] * l[j * count + k]).sum::<f64>();
                let rest = gram[i * count + j] - known;
                l[i * count + j] = if i == j { rest.sqrt() } else { rest / l[j * count + j] };
            }
        }
        axis.projections = loads
            .into_iter()
            .map(|mut y| {
                for i in 0..count {
                    let known = (0..i).map(|k| l[i * count + k] * y[k]).sum::<f64>();
                    y[i] = (y[i] - known) / l[i * count + i];
                }
                y
            })
            .collect();
        axis
    }

    /// The index of the first spline that is not zero at `x`, and the values of that and the `degree` next ones.
    ///
    /// Cox and de Boor's recursion on the knots 0 … 0, h, 2h … 1 … 1, h = 1/spans.
    fn splines(&self, x: f64) -> (usize, [f64; 4]) {
        let (degree, spans) = (self.degree, self.count - self.degree);
        let span = ((x * spans as f64) as usize).min(spans - 1);
        let knot = |i: usize| (i.saturating_sub(degree)).min(spans) as f64 / spans as f64;
        let at = span + degree;
        let mut values = [1.0, 0.0, 0.0, 0.0];
        for k in 1..=degree {
            let mut carried = 0.0;
            for r in 0..k {
                let (left, right) = (knot(at + 1 + r - k), knot(at + 1 + r));
                let part = values[r] / (right - left);
                values[r] = carried + (right - x) * part;
                carried = (x - left) * part;
            }
            values[k] = carried;
        }
        (span, values)
    }

    /// The projection of term `t`'s factor at `x`.
    fn value(&self, t: usize, x: f64) -> f64 {
        // L⁻ᵀ y are the coefficients of the splines.
        let (n, l) = (self.count, &self.factor);
        let mut q = self.projections[t].clone();
        for i in (0..n).rev() {
            let known = (i + 1..n.min(i + 4)).map(|k| l[k * n + i] * q[k]).sum::<f64>();
            q[i] = (q[i] - known) / l[i * n + i];
        }
        let (first, values) = self.splines(x);
        (0..=self.degree).map(|i| q[first + i] * values[i]).sum()
    }
}

/// The best approximation of a solution in L² by tensor products of splines: no other way to choose their coefficients, by
/// energy or by interpolation, comes closer. Projections of products are products of projections, so it is exact in any
/// dimension at the cost of one axis.
pub struct BestSpline {
    axes: Vec<Axis>,
}

impl BestSpline {
    /// At most `budget` coefficients: as many along every axis, then one more at a time along the axis where it helps most.
    pub fn new(solution: &Solution, budget: usize) -> Self {
        let d = solution.dimension();
        let mut count = 1;
        while (count + 1usize).checked_pow(d as u32).is_some_and(|n| n <= budget) {
            count += 1;
        }
        let axis = |j: usize, count: usize| Axis::new(count, &solution.terms.iter().map(|t| t[j]).collect::<Vec<_>>());
        let mut best = Self { axes: (0..d).map(|j| axis(j, count)).collect() };
        loop {
            let total = best.coefficients();
            let longer = |j: usize| {
                let count = best.axes[j].count;
                (total / count * (count + 1) <= budget).then(|| {
                    let mut axes = best.axes.clone();
                    axes[j] = axis(j, count + 1);
                    Self { axes }
                })
            };
            match (0..d).filter_map(longer).min_by(|a, b| a.error().total_cmp(&b.error())) {
                Some(better) => best = better,
                None => return best,
            }
        }
    }

    pub fn coefficients(&self) -> usize {
        self.axes.iter().map(|a| a.count).product()
    }
    /// Coefficients along each axis.
    pub fn counts(&self) -> Vec<usize> {
        self.axes.iter().map(|a| a.count).collect()
    }

    /// ‖u* − Pu*‖/‖u*‖ by Pythagoras: down to about 1e-8, the root of rounding.
    pub fn error(&self) -> f64 {
        let terms = self.axes[0].projections.len();
        let (mut whole, mut kept) = (0.0, 0.0);
        for t in 0..terms {
            for s in 0..terms {
                whole += self.axes.iter().map(|a| a.products[t * terms + s]).product::<f64>();
                let dot = |a: &Axis| a.projections[t].iter().zip(&a.projections[s]).map(|(y, z)| y * z).sum::<f64>();
                kept += self.axes.iter().map(dot).product::<f64>();
            }
        }
        ((whole - kept).max(0.0) / whole).sqrt()
    }

    pub fn value(&self, x: &[f64]) -> f64 {
        let term = |t: usize| self.axes.iter().zip(x).map(|(a, x)| a.value(t, *x)).product::<f64>();
        (0..self.axes[0].projections.len()).map(term).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_that_of_the_solution() {
        for solution in [Solution::waves(3, 1), Solution::waves(2, 2), Solution::exponential(4, 1)] {
            let d = solution.dimension();
            let x: Vec<f64> = (0..d).map(|j| 0.2 + 0.17 * j as f64).collect();
            let (value, source) = solution.value_and_source(&x);
            let h = 1e-3;
            let mut laplacian = 0.0;
            for j in 0..d {
                let at = |s: f64| {
                    let mut y = x.clone();
                    y[j] += s * h;
                    solution.value_and_source(&y).0
                };
                // Fourth order: (−1, 16, −30, 16, −1)/12.
                laplacian += (16.0 * (at(1.0) + at(-1.0)) - at(2.0) - at(-2.0) - 30.0 * value) / (12.0 * h * h);
                // The natural condition on both faces.
                for end in [0.0, 1.0] {
                    let mut y = x.clone();
                    y[j] = end;
                    let mut z = y.clone();
                    z[j] = (end - 1e-4f64).abs();
                    assert!((solution.value_and_source(&y).0 - solution.value_and_source(&z).0).abs() < 1e-5);
                }
            }
            let off = |source: f64| (value + value.powi(3) - laplacian - source).abs();
            assert!(off(source) < 1e-6 * source.abs().max(1.0) && off(1.001 * source) > 1e-6 * source.abs().max(1.0));
        }
    }

    #[test]
    fn slope_of_the_energy_equals_central_differences() {
        let solution = Solution::waves(3, 1);
        let mut network = CosineNetwork::new(3, 60, 2.0, 1);
        let mut points = Vec::new();
        spread_points(3, 40, 2, &mut points);
        let count = network.parameters.len();
        let (mut gradient, mut scratch) = (vec![0.0; count], vec![0.0; count]);
        network.energy(&points, &solution, &mut gradient);
        let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        let h = 1e-5;
        for i in 0..count {
            let p = network.parameters[i];
            let mut at = |x: f64| {
                network.parameters[i] = x;
                network.energy(&points, &solution, &mut scratch)
            };
            let slope = (at(p + h) - at(p - h)) / (2.0 * h);
            network.parameters[i] = p;
            assert!((slope - gradient[i]).abs() < 1e-7 * scale, "{i}: {slope} {}", gradient[i]);
            assert!(gradient[i].abs() < scale || (slope - 0.999 * gradient[i]).abs() > 1e-7 * scale);
        }
    }

    #[test]
    fn atoms_of_the_solution_are_stationary() {
        // cos a cos b is half of cos(a + b) + cos(a − b).
        let solution = Solution::waves(2, 1);
        let mut network = CosineNetwork::new(2, 25, 1.0, 1);
        assert_eq!(network.width(), 6);
        network.parameters.fill(0.0);
        for (t, [n, m]) in [[1.0, 1.0], [2.0, 1.0], [1.0, 2.0]].into_iter().enumerate() {
            // Term 1 of two axes begins at axis 2 mod 2 again.
            for (s, sign) in [1.0, -1.0].into_iter().enumerate() {
                let j = 2 * t + s;
                network.parameters[7 + j] = 0.5;
                network.parameters[13 + 2 * j..][..2].copy_from_slice(&[PI * n, sign * PI * m]);
            }
        }
        let mut points = Vec::new();
        spread_points(2, 20_000, 3, &mut points);
        let exact = |x: &[f64]| (network.value(x) - solution.value_and_source(x).0).abs();
        assert!(points.chunks(2).take(50).map(exact).fold(0.0, f64::max) < 1e-12);
        let mut gradient = vec![0.0; 25];
        let least = network.energy(&points, &solution, &mut gradient);
        let slope = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        // The error of the mean over the points.
        assert!(slope < 0.05, "{slope}");
        network.parameters[7] = 0.4;
        assert!(network.energy(&points, &solution, &mut gradient) > least);
        assert!(gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs())) > 0.2);
    }

    #[test]
    fn splines_converge_at_their_order() {
        let solution = Solution::waves(2, 1);
        let error = |count: usize| BestSpline::new(&solution, count * count).error();
        // Twice as many spans divide the error by 2⁴.
        let order = (error(12 + 3) / error(24 + 3)).log2();
        assert!((3.6..4.4).contains(&order), "{order}");
        // One coefficient is the mean, which is zero.
        assert!((BestSpline::new(&solution, 1).error() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn error_of_the_splines_is_the_distance() {
        for solution in [Solution::waves(3, 1), Solution::exponential(3, 1)] {
            let spline = BestSpline::new(&solution, 80);
            assert_eq!(spline.coefficients(), 80, "{:?}", spline.counts());
            let mut points = Vec::new();
            spread_points(3, 20_000, 1, &mut points);
            let (mut difference, mut size) = (0.0, 0.0);
            for x in points.chunks_exact(3) {
                let u = solution.value_and_source(x).0;
                difference += (u - spline.value(x)).powi(2);
                size += u * u;
            }
            let by_points = (difference / size).sqrt();
            assert!((by_points / spline.error() - 1.0).abs() < 0.01, "{by_points} {}", spline.error());
        }
    }

    #[test]
    fn points_fill_the_cube() {
        let mut points = Vec::new();
        let mut squares = 0.0;
        for seed in 0..20 {
            spread_points(3, 1024, seed, &mut points);
            assert!(points.len() == 3072 && points.iter().all(|x| (0.0..1.0).contains(x)));
            let mean = points.chunks(3).map(|x| x.iter().product::<f64>()).sum::<f64>() / 1024.0;
            squares += (mean - 0.125).powi(2) / 20.0;
        }
        // Independent points would leave √(3⁻³ − 2⁻⁶)/32.
        let independent = (1f64 / 27.0 - 1.0 / 64.0).sqrt() / 32.0;
        assert!(squares.sqrt() < 0.3 * independent, "{} {independent}", squares.sqrt());
    }
}
