//! Finite elements of any degree on a line, between two ends where the solution is zero, and the lowest states of symmetric
//! pencils A u = E B u with a band.
//!
//! A degree p has p + 1 Gauss-Lobatto nodes per element and an error of the energies of order 2p in the length of the
//! elements where the states are smooth; at fixed elements the error falls geometrically with p (Čertík, Pask, Fernando,
//! Goswami, Sukumar, Collins, Manzini, Vackář 2024, "High-order finite element method for atomic structure calculations",
//! Comput. Phys. Commun. 297, 109051, section 3). Integrals are taken at Gauss points, which avoid the ends, so 1/r and 1/r²
//! are never asked for at zero.

/// Legendre's P of degree n and its slope; `x` inside (-1, 1).
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut value, mut before) = (1.0, 0.0);
    for k in 0..n {
        let k = k as f64;
        (value, before) = (((2.0 * k + 1.0) * x * value - k * before) / (k + 1.0), value);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

/// Points, ascending, and weights of Gauss-Legendre on [-1, 1]: exact to degree 2n - 1.
pub fn gauss_points(n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut x: Vec<f64> =
        (0..n).map(|i| -(std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos()).collect();
    let weight = |x: &mut f64| {
        // From Tricomi's start Newton's method doubles the digits: 8 steps reach rounding for any n.
        for _ in 0..8 {
            let (value, slope) = legendre(n, *x);
            *x -= value / slope;
        }
        let slope = legendre(n, *x).1;
        2.0 / ((1.0 - *x * *x) * slope * slope)
    };
    let weights = x.iter_mut().map(weight).collect();
    (x, weights)
}

/// The ends of [-1, 1] and the p - 1 places between where the slope of Legendre's polynomial of degree `p` ≥ 1 is zero,
/// ascending.
pub fn lobatto_nodes(p: usize) -> Vec<f64> {
    let mut nodes = vec![-1.0];
    for i in 1..p {
        // Chebyshev's points lie close enough for Newton's method on P'; P″ comes from Legendre's equation.
        let mut x = -(std::f64::consts::PI * i as f64 / p as f64).cos();
        for _ in 0..20 {
            let (value, slope) = legendre(p, x);
            let n = p as f64;
            let curvature = (2.0 * x * slope - n * (n + 1.0) * value) / (1.0 - x * x);
            x -= slope / curvature;
        }
        nodes.push(x);
    }
    nodes.push(1.0);
    nodes
}

/// Ends of `elements` elements on [0, end] that grow by a constant factor, the last one being `ratio` times the first.
pub fn exponential_mesh(elements: usize, ratio: f64, end: f64) -> Vec<f64> {
    let growth = ratio.ln() / (elements.max(2) - 1) as f64;
    let place = |i: usize| {
        let share = if growth.abs() < 1e-9 {
            i as f64 / elements as f64
        } else {
            (growth * i as f64).exp_m1() / (growth * elements as f64).exp_m1()
        };
        end * share
    };
    (0..=elements).map(|i| if i == elements { end } else { place(i) }).collect()
}

/// Continuous functions that are polynomials of one degree on each element and zero at both ends.
#[derive(Clone, Debug)]
pub struct Elements {
    mesh: Vec<f64>,
    degree: usize,
    nodes: Vec<f64>,
    /// Of the barycentric formula.
    barycentric: Vec<f64>,
    points: Vec<f64>,
    weights: Vec<f64>,
    /// Of the polynomials at the points, [point][node].
    values: Vec<f64>,
    slopes: Vec<f64>,
}

impl Elements {
    /// `mesh` ascending, at least one element; degree at least 1. 2p + 8 Gauss points per element: 1/r is no polynomial, and
    /// on an element five times as long as it is far from zero these integrate it to rounding.
    pub fn new(mesh: Vec<f64>, degree: usize) -> Self {
        let degree = degree.max(1);
        let nodes = lobatto_nodes(degree);
        let (points, weights) = gauss_points(2 * degree + 8);
        let barycentric: Vec<f64> = (0..=degree)
            .map(|i| (0..=degree).filter(|j| *j != i).map(|j| 2.0 * (nodes[i] - nodes[j])).product::<f64>().recip())
            .collect();
        let mut elements = Self {
            mesh,
            degree,
            nodes,
            barycentric,
            values: Vec::new(),
            slopes: Vec::new(),
            points: Vec::new(),
            weights,
        };
        for x in &points {
            let row = elements.basis(*x);
            // The slope of a polynomial is that of the product formula: Σ over the other nodes of 1/(x - node).
            for (i, value) in row.iter().enumerate() {
                let others = elements.nodes.iter().enumerate().filter(|(j, _)| *j != i);
                elements.slopes.push(value * others.map(|(_, node)| 1.0 / (x - node)).sum::<f64>());
            }
            elements.values.extend(row);
        }
        elements.points = points;
        elements
    }

    /// The polynomials at a place of [-1, 1].
    fn basis(&self, x: f64) -> Vec<f64> {
        if let Some(hit) = self.nodes.iter().position(|node| *node == x) {
            return (0..=self.degree).map(|i| f64::from(u8::from(i == hit))).collect();
        }
        let mut row: Vec<f64> = self.nodes.iter().zip(&self.barycentric).map(|(node, w)| w / (x - node)).collect();
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|r| *r /= sum);
        row
    }

    pub fn mesh(&self) -> &[f64] {
        &self.mesh
    }
    pub fn count(&self) -> usize {
        self.mesh.len() - 1
    }
    /// Nodes inside: the values there are the unknowns.
    pub fn unknowns(&self) -> usize {
        self.count() * self.degree - 1
    }

    /// Every Gauss point with its weight, ascending.
    pub fn quadrature(&self) -> Vec<(f64, f64)> {
        let of = |e: usize| {
            let (half, middle) = (0.5 * (self.mesh[e + 1] - self.mesh[e]), 0.5 * (self.mesh[e + 1] + self.mesh[e]));
            self.points.iter().zip(&self.weights).map(move |(x, w)| (middle + half * x, half * w))
        };
        (0..self.count()).flat_map(of).collect()
    }

    /// The unknown of a node of an element; none at the ends.
    fn unknown(&self, element: usize, node: usize) -> Option<usize> {
        (element * self.degree + node).checked_sub(1).filter(|i| *i < self.unknowns())
    }

    /// ∫ (a u'v' + c u v) as a matrix, `c` given at every Gauss point.
    ///
    /// # Panics
    /// If `c` has another length than [`Self::quadrature`].
    pub fn matrix(&self, a: f64, c: &[f64]) -> SymmetricBand {
        assert_eq!(c.len(), self.count() * self.points.len(), "one coefficient per Gauss point");
        let (mut matrix, width) = (SymmetricBand::new(self.unknowns(), self.degree), self.degree + 1);
        for e in 0..self.count() {
            let half = 0.5 * (self.mesh[e + 1] - self.mesh[e]);
            for i in 0..width {
                for j in 0..=i {
                    let (Some(row), Some(column)) = (self.unknown(e, i), self.unknown(e, j)) else { continue };
                    let entry = (0..self.points.len()).map(|q| {
                        let slopes = self.slopes[q * width + i] * self.slopes[q * width + j] / (half * half);
                        let values = self.values[q * width + i] * self.values[q * width + j];
                        self.weights[q] * half * (a * slopes + c[e * self.points.len() + q] * values)
                    });
                    matrix.add(row, column, entry.sum());
                }
            }
        }
        matrix
    }

    /// ∫ f v for every unknown, `f` given at every Gauss point.
    pub fn load(&self, f: &[f64]) -> Vec<f64> {
        let (mut load, width) = (vec![0.0; self.unknowns()], self.degree + 1);
        for e in 0..self.count() {
            let half = 0.5 * (self.mesh[e + 1] - self.mesh[e]);
            for i in 0..width {
                let Some(row) = self.unknown(e, i) else { continue };
                let part = |q: usize| self.weights[q] * f[e * self.points.len() + q] * self.values[q * width + i];
                load[row] += half * (0..self.points.len()).map(part).sum::<f64>();
            }
        }
        load
    }

    fn local(&self, u: &[f64], element: usize) -> Vec<f64> {
        (0..=self.degree).map(|i| self.unknown(element, i).map_or(0.0, |at| u[at])).collect()
    }

    /// The function at every Gauss point.
    pub fn at_points(&self, u: &[f64]) -> Vec<f64> {
        let width = self.degree + 1;
        let of = |e: usize| {
            let local = self.local(u, e);
            (0..self.points.len())
                .map(|q| self.values[q * width..][..width].iter().zip(&local).map(|(a, b)| a * b).sum())
                .collect::<Vec<f64>>()
        };
        (0..self.count()).flat_map(of).collect()
    }

    /// The function anywhere; zero outside.
    pub fn value(&self, u: &[f64], r: f64) -> f64 {
        let Some(last) = self.mesh.last() else { return 0.0 };
        if !(r >= self.mesh[0] && r <= *last) {
            return 0.0;
        }
        let e = self.mesh.partition_point(|m| *m <= r).saturating_sub(1).min(self.count() - 1);
        let (low, high) = (self.mesh[e], self.mesh[e + 1]);
        let row = self.basis((2.0 * r - low - high) / (high - low));
        row.iter().zip(self.local(u, e)).map(|(a, b)| a * b).sum()
    }
}

/// Second-order differences for -½u″ + V u on the inner points of a mesh, as a pencil of two bands: what linear elements
/// become when all but the slopes is lumped to the points. The symmetric form of the three-point rule, second order on a mesh
/// whose spacing varies smoothly.
pub fn difference_pencil(mesh: &[f64], potential: impl Fn(f64) -> f64) -> (SymmetricBand, SymmetricBand) {
    let n = mesh.len().saturating_sub(2);
    let (mut a, mut b) = (SymmetricBand::new(n, 1), SymmetricBand::new(n, 1));
    for i in 0..n {
        let (left, right) = (mesh[i + 1] - mesh[i], mesh[i + 2] - mesh[i + 1]);
        let cell = 0.5 * (left + right);
        a.add(i, i, 0.5 / left + 0.5 / right + cell * potential(mesh[i + 1]));
        b.add(i, i, cell);
        if i > 0 {
            a.add(i, i - 1, -0.5 / left);
        }
    }
    (a, b)
}

/// A symmetric matrix with entries near the diagonal.
#[derive(Clone, Debug, PartialEq)]
pub struct SymmetricBand {
    size: usize,
    band: usize,
    /// [row][band + 1], the diagonal last.
    entries: Vec<f64>,
}

impl SymmetricBand {
    /// Zeros, `band` diagonals under the main one.
    pub fn new(size: usize, band: usize) -> Self {
        Self { size, band, entries: vec![0.0; size * (band + 1)] }
    }
    pub fn size(&self) -> usize {
        self.size
    }
    /// Adds to an entry on or under the diagonal.
    ///
    /// # Panics
    /// If the entry is above the diagonal or outside the band.
    pub fn add(&mut self, row: usize, column: usize, value: f64) {
        assert!(column <= row && row - column <= self.band, "an entry of the lower band");
        self.entries[row * (self.band + 1) + self.band + column - row] += value;
    }
    fn get(&self, row: usize, column: usize) -> f64 {
        self.entries[row * (self.band + 1) + self.band + column - row]
    }
    /// out = A x.
    pub fn apply(&self, x: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for i in 0..self.size {
            for j in i.saturating_sub(self.band)..i {
                let a = self.get(i, j);
                out[i] += a * x[j];
                out[j] += a * x[i];
            }
            out[i] += self.get(i, i) * x[i];
        }
    }
    /// xᵀA x.
    pub fn form(&self, x: &[f64]) -> f64 {
        let mut image = vec![0.0; self.size];
        self.apply(x, &mut image);
        image.iter().zip(x).map(|(a, b)| a * b).sum()
    }

    /// A - E B = L D Lᵀ without pivots; both bands are alike in size. Cost: size · band².
    fn shifted(&self, energy: f64, other: &Self) -> Factors {
        let (n, band) = (self.size, self.band);
        let width = band + 1;
        let mut l: Vec<f64> = self.entries.iter().zip(&other.entries).map(|(a, b)| a - energy * b).collect();
        let mut negative = 0;
        // Rows hold L·D until their diagonal is known.
        for i in 0..n {
            let first = i.saturating_sub(band);
            for j in first..i {
                let from = first.max(j.saturating_sub(band));
                let (row_i, row_j) = (i * width + band - i, j * width + band - j);
                let mut sum = l[row_i + j];
                for k in from..j {
                    sum -= l[row_i + k] * l[row_j + k];
                }
                l[row_i + j] = sum;
            }
            let row = i * width + band - i;
            let mut pivot = l[row + i];
            for j in first..i {
                let product = l[row + j];
                let scaled = product / l[j * width + band];
                pivot -= product * scaled;
                l[row + j] = scaled;
            }
            // An exact zero would be an eigenvalue of a corner of the matrix: any tiny number does as well.
            if pivot == 0.0 {
                pivot = f64::MIN_POSITIVE.sqrt();
            }
            l[row + i] = pivot;
            negative += usize::from(pivot < 0.0);
        }
        Factors { size: n, band, l, negative }
    }

    /// Solves A x = b for a positive definite A.
    pub fn solve(&self, x: &mut [f64]) {
        self.shifted(0.0, &Self::new(self.size, self.band)).solve(x);
    }
}

struct Factors {
    size: usize,
    band: usize,
    /// L with D on its diagonal.
    l: Vec<f64>,
    negative: usize,
}

impl Factors {
    fn solve(&self, x: &mut [f64]) {
        let width = self.band + 1;
        for i in 0..self.size {
            let row = i * width + self.band - i;
            for j in i.saturating_sub(self.band)..i {
                x[i] -= self.l[row + j] * x[j];
            }
        }
        for i in 0..self.size {
            x[i] /= self.l[i * width + self.band];
        }
        for i in (0..self.size).rev() {
            let row = i * width + self.band - i;
            for j in i.saturating_sub(self.band)..i {
                x[j] -= self.l[row + j] * x[i];
            }
        }
    }
}

/// An eigenvalue and its vector, uᵀB u = 1, positive where it first leaves zero.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub energy: f64,
    pub vector: Vec<f64>,
}

/// The lowest `count` states of A u = E B u, B positive definite; fewer if there are fewer. `low` is any energy below all of
/// them, or a guess. Each state is fenced in by the number of negative pivots of A - E B, which is the number of energies
/// below E (Sylvester's law of inertia; Parlett 1980, The Symmetric Eigenvalue Problem, section 3.3), then refined by Rayleigh
/// quotient iteration, whose error is the square of the vector's. Cost: some 30 factorizations per state.
pub fn lowest_states(a: &SymmetricBand, b: &SymmetricBand, count: usize, low: f64) -> Vec<State> {
    let below = |energy: f64| a.shifted(energy, b).negative;
    let mut low = low.min(-1e-3);
    let mut doublings = 0;
    while below(low) > 0 && doublings < 200 {
        low *= 2.0;
        doublings += 1;
    }
    let mut states: Vec<State> = Vec::new();
    for index in 0..count.min(a.size()) {
        let mut span = -low;
        let mut fence = (states.last().map_or(low, |s| s.energy), low + span);
        doublings = 0;
        while below(fence.1) <= index && doublings < 200 {
            span *= 2.0;
            fence.1 = low + span;
            doublings += 1;
        }
        let Some(state) = refined(a, b, fence, index, &below) else { break };
        states.push(state);
    }
    states
}

fn refined(
    a: &SymmetricBand,
    b: &SymmetricBand,
    mut fence: (f64, f64),
    index: usize,
    below: &impl Fn(f64) -> usize,
) -> Option<State> {
    let n = a.size();
    let mut tolerance = 1e-3;
    // Each round fences more tightly, should the iteration have run off to a neighbour.
    for _ in 0..4 {
        for _ in 0..200 {
            let middle = 0.5 * (fence.0 + fence.1);
            if fence.1 - fence.0 <= tolerance * middle.abs() || middle <= fence.0 || middle >= fence.1 {
                break;
            }
            if below(middle) > index { fence.1 = middle } else { fence.0 = middle }
        }
        let middle = 0.5 * (fence.0 + fence.1);
        // No symmetry to be orthogonal to a state by.
        let mut vector: Vec<f64> = (0..n).map(|i| 1.0 + 0.3 * ((i * i) as f64).sin()).collect();
        let (mut energy, mut image) = (middle, vec![0.0; n]);
        for round in 0..8 {
            b.apply(&vector, &mut image);
            std::mem::swap(&mut vector, &mut image);
            // Two steps at the middle of the fence choose the state, then the quotient is the shift.
            a.shifted(if round < 2 { middle } else { energy }, b).solve(&mut vector);
            let largest = vector.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            if !(largest.is_finite() && largest > 0.0) {
                return None;
            }
            vector.iter_mut().for_each(|v| *v /= largest);
            let size = b.form(&vector).sqrt();
            vector.iter_mut().for_each(|v| *v /= size);
            let before = std::mem::replace(&mut energy, a.form(&vector));
            if round > 2 && (energy - before).abs() <= 2e-16 * energy.abs() {
                break;
            }
        }
        let slack = 1e-12 * energy.abs();
        if energy >= fence.0 - slack && energy <= fence.1 + slack {
            let top = vector.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            if vector.iter().find(|v| v.abs() > 0.01 * top).is_some_and(|v| *v < 0.0) {
                vector.iter_mut().for_each(|v| *v = -*v);
            }
            return Some(State { energy, vector });
        }
        tolerance *= 1e-3;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::testing::{max_difference, observed_order};

    /// -½u″ + V u on [0, end], the lowest states.
    fn by_elements(mesh: Vec<f64>, degree: usize, count: usize, potential: impl Fn(f64) -> f64) -> Vec<State> {
        let elements = Elements::new(mesh, degree);
        let points = elements.quadrature();
        let a = elements.matrix(0.5, &points.iter().map(|(r, _)| potential(*r)).collect::<Vec<_>>());
        let b = elements.matrix(0.0, &vec![1.0; points.len()]);
        lowest_states(&a, &b, count, -1.0)
    }

    #[test]
    fn nodes_are_the_known_ones_and_rules_exact_to_their_degree() {
        assert!(max_difference(&lobatto_nodes(3), &[-1.0, -0.2f64.sqrt(), 0.2f64.sqrt(), 1.0]) < 1e-15);
        assert!(
            max_difference(&lobatto_nodes(4), &[-1.0, -(3.0f64 / 7.0).sqrt(), 0.0, (3.0f64 / 7.0).sqrt(), 1.0]) < 1e-15
        );
        for n in [3, 12, 40] {
            let (x, w) = gauss_points(n);
            let integral = |p: i32| x.iter().zip(&w).map(|(x, w)| w * x.powi(p)).sum::<f64>();
            let even = 2 * n as i32 - 2;
            assert!((integral(even) - 2.0 / f64::from(even + 1)).abs() < 1e-14, "{n}");
            // The next even degree is beyond.
            assert!(n > 12 || (integral(even + 2) - 2.0 / f64::from(even + 3)).abs() > 1e-9, "{n}");
        }
        // Twenty-four steps of Newton's method end at zeros of the slope, all different.
        let nodes = lobatto_nodes(24);
        assert!(nodes.windows(2).all(|w| w[1] > w[0]) && nodes[1..24].iter().all(|x| legendre(24, *x).1.abs() < 1e-10));
    }

    #[test]
    fn meshes_have_their_ratio() {
        let mesh = exponential_mesh(8, 1e5, 50.0);
        let ratio = (mesh[8] - mesh[7]) / mesh[1];
        assert!((ratio / 1e5 - 1.0).abs() < 1e-9 && mesh[8] == 50.0, "{ratio}");
        assert!(max_difference(&exponential_mesh(4, 1.0, 1.0), &[0.0, 0.25, 0.5, 0.75, 1.0]) < 1e-15);
    }

    #[test]
    fn polynomials_within_the_degree_are_exact() {
        // -u″ = 12 x² - 6 x: u = x³ - x⁴, zero at both ends of [0, 1].
        let elements = Elements::new(exponential_mesh(3, 7.0, 1.0), 4);
        let points = elements.quadrature();
        let mut u = elements.load(&points.iter().map(|(x, _)| 12.0 * x * x - 6.0 * x).collect::<Vec<_>>());
        elements.matrix(1.0, &vec![0.0; points.len()]).solve(&mut u);
        for x in [0.0, 0.03, 0.5, 0.77, 1.0] {
            assert!((elements.value(&u, x) - x * x * x * (1.0 - x)).abs() < 1e-14, "{x}");
        }
        let exact: Vec<f64> = points.iter().map(|(x, _)| x * x * x * (1.0 - x)).collect();
        assert!(max_difference(&elements.at_points(&u), &exact) < 1e-14);
        assert_eq!(elements.value(&u, 1.5), 0.0);
    }

    #[test]
    fn grids_have_their_own_discrete_energies() {
        // A box of length 1 with spacing h, waves sin kx: linear elements and differences in closed form.
        let (n, h) = (20, 0.05);
        let mesh = exponential_mesh(n, 1.0, 1.0);
        let linear = by_elements(mesh.clone(), 1, 4, |_| 0.0);
        let (a, b) = difference_pencil(&mesh, |_| 0.0);
        for (i, (fem, fd)) in linear.iter().zip(lowest_states(&a, &b, 4, -1.0)).enumerate() {
            let c = (PI * (i + 1) as f64 * h).cos();
            assert!((fem.energy - 3.0 / (h * h) * (1.0 - c) / (2.0 + c)).abs() < 1e-10, "{i}");
            assert!((fd.energy - (1.0 - c) / (h * h)).abs() < 1e-10, "{i}");
        }
        // Coulomb's potential on a uniform grid: the ground state is r e^{-κr} there too, E = (1 - √(1 + Z²h²))/h².
        let z = 3.0;
        let (a, b) = difference_pencil(&exponential_mesh(400, 1.0, 40.0), |r| -z / r);
        let exact = (1.0 - f64::sqrt(1.0 + z * z * 0.01)) / 0.01;
        assert!((lowest_states(&a, &b, 1, -z * z)[0].energy - exact).abs() < 1e-10);
    }

    #[test]
    fn order_of_the_energies_is_twice_the_degree() {
        let errors = |degree: usize, counts: [usize; 3]| {
            counts.map(|n| {
                (by_elements(exponential_mesh(n, 1.0, 1.0), degree, 2, |_| 0.0)[1].energy - 2.0 * PI * PI).abs()
            })
        };
        for (degree, counts) in [(1, [8, 16, 32]), (2, [4, 8, 16]), (3, [4, 8, 16]), (4, [4, 8, 16])] {
            let (low, high) = observed_order(&errors(degree, counts));
            let order = 2.0 * degree as f64;
            assert!(low > order - 0.4 && high < order + 0.4, "degree {degree}: {low} {high}");
        }
        // The same band refuses quadratic elements where cubic ones are asked for.
        assert!(observed_order(&errors(2, [4, 8, 16])).1 < 5.6);
    }

    #[test]
    fn hydrogen_to_rounding_from_above_and_in_order() {
        let states = by_elements(exponential_mesh(6, 1e3, 120.0), 16, 4, |r| -1.0 / r);
        for (n, state) in states.iter().enumerate() {
            let exact = -0.5 / ((n + 1) * (n + 1)) as f64;
            assert!((state.energy - exact).abs() < 1e-10, "{n}: {}", state.energy - exact);
        }
        // Few elements: energies of a smaller space lie above (Ritz).
        let coarse = by_elements(exponential_mesh(6, 1e3, 120.0), 3, 4, |r| -1.0 / r);
        assert!(coarse.iter().zip(&states).all(|(c, s)| c.energy > s.energy));
        // With l = 1 the lowest state is 2p, and 1/r² at zero harms nothing.
        let p = by_elements(exponential_mesh(6, 1e3, 120.0), 16, 1, |r| -1.0 / r + 1.0 / (r * r));
        assert!((p[0].energy + 0.125).abs() < 1e-10, "{}", p[0].energy);
    }

    #[test]
    fn counts_of_negative_pivots_are_counts_of_energies() {
        let (a, b) = difference_pencil(&exponential_mesh(50, 30.0, 2.0), |r| -4.0 / r);
        let states = lowest_states(&a, &b, 10, -100.0);
        for (i, pair) in states.windows(2).enumerate() {
            assert_eq!(a.shifted(0.5 * (pair[0].energy + pair[1].energy), &b).negative, i + 1);
        }
        // Vectors of different states are orthogonal in B.
        let mut image = vec![0.0; a.size()];
        b.apply(&states[3].vector, &mut image);
        let product: f64 = image.iter().zip(&states[5].vector).map(|(a, b)| a * b).sum();
        assert!(product.abs() < 1e-9, "{product}");
        assert!((b.form(&states[3].vector) - 1.0).abs() < 1e-12);
    }
}
