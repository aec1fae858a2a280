//! Gaussian mixtures: densities whose score is known in closed form at every noise level.
//!
//! If x₀ ~ Σ w_k N(μ_k, C_k) then x_t = α x₀ + σ ε ~ Σ w_k N(α μ_k, α² C_k + σ² I). This file is the plain f64 form, one
//! point at a time; `kernel.rs` computes the same for whole batches and is checked against it.

use super::{Batch, DiffusionError, lattice::Lattice};
use crate::rng::{Philox, Stream};

/// Covariance of a component.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// sd² I.
    Isotropic { sd: f64 },
    /// Σ_j sds_j² a_j a_jᵀ with orthonormal rows a_j, `dim` values each.
    Full { axes: Vec<f64>, sds: Vec<f64> },
}

/// One Gaussian of a mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    pub weight: f64,
    pub mean: Vec<f64>,
    pub shape: Shape,
    /// Label for guidance; several components may share one.
    pub class: u32,
}

/// A mixture of Gaussians in `dim` dimensions. The weights sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    dim: usize,
    components: Vec<Component>,
    lattice: Option<Lattice>,
}

impl Mixture {
    /// Checks the components and normalizes their weights. Components of weight 0 are left out.
    pub fn new(dim: usize, components: Vec<Component>) -> Result<Self, DiffusionError> {
        let wrong = |index: usize, what: &'static str| DiffusionError::Component { index, what };
        if dim == 0 {
            return Err(DiffusionError::Dimension);
        }
        for (i, c) in components.iter().enumerate() {
            if !(c.weight >= 0.0 && c.weight.is_finite()) {
                return Err(wrong(i, "its weight must be a number that is not negative"));
            }
            if c.mean.len() != dim || c.mean.iter().any(|m| !m.is_finite()) {
                return Err(wrong(i, "its mean must have one finite number for each dimension"));
            }
            let positive = |sd: &f64| *sd > 0.0 && sd.is_finite();
            let ok = match &c.shape {
                Shape::Isotropic { sd } => positive(sd),
                Shape::Full { axes, sds } => {
                    axes.len() == dim * dim && sds.len() == dim && sds.iter().all(positive) && orthonormal(axes, dim)
                }
            };
            if !ok {
                return Err(wrong(i, "its covariance must be symmetric and positive definite"));
            }
        }
        let total: f64 = components.iter().map(|c| c.weight).sum();
        if !(total > 0.0 && total.is_finite()) {
            return Err(DiffusionError::NoWeight);
        }
        let components = components
            .into_iter()
            .filter(|c| c.weight > 0.0)
            .map(|c| Component { weight: c.weight / total, ..c })
            .collect();
        Ok(Self { dim, components, lattice: None })
    }

    /// Equal weights, one class for each mean, all with standard deviation `sd`.
    pub fn isotropic(dim: usize, means: &[Vec<f64>], sd: f64) -> Result<Self, DiffusionError> {
        let component = |(k, mean): (usize, &Vec<f64>)| Component {
            weight: 1.0,
            mean: mean.clone(),
            shape: Shape::Isotropic { sd },
            class: k as u32,
        };
        Self::new(dim, means.iter().enumerate().map(component).collect())
    }

    /// The same law, evaluated faster for batches where its components are those of a picture's cells: isotropic, of one
    /// width, on the columns and rows of a lattice. Rounding is another then.
    pub fn with_lattice(self) -> Self {
        let lattice = Lattice::of(&self.components);
        Self { lattice, ..self }
    }
    pub(super) fn lattice(&self) -> Option<&Lattice> {
        self.lattice.as_ref()
    }

    pub fn dim(&self) -> usize {
        self.dim
    }
    pub fn components(&self) -> &[Component] {
        &self.components
    }
    /// The mixture of the components of one class; `None` if there is none.
    pub fn of_class(&self, class: u32) -> Option<Self> {
        let components: Vec<_> = self.components.iter().filter(|c| c.class == class).cloned().collect();
        Self::new(self.dim, components).ok()
    }
    /// The same components with other weights (same order). Fails on the wrong number of them.
    pub fn reweighted(&self, weights: &[f64]) -> Result<Self, DiffusionError> {
        if weights.len() != self.components.len() {
            return Err(DiffusionError::NoWeight);
        }
        let swap = |(c, w): (&Component, &f64)| Component { weight: *w, ..c.clone() };
        Self::new(self.dim, self.components.iter().zip(weights).map(swap).collect())
    }
    /// Mean of class `class`; `None` if no component has it.
    pub fn class_mean(&self, class: u32) -> Option<Vec<f64>> {
        let members = || self.components.iter().filter(|c| c.class == class);
        let total: f64 = members().map(|c| c.weight).sum();
        (total > 0.0)
            .then(|| (0..self.dim).map(|d| members().map(|c| c.weight * c.mean[d]).sum::<f64>() / total).collect())
    }
    /// Largest distance of a mean from the origin plus three standard deviations: the size of a picture.
    pub fn extent(&self) -> f64 {
        let reach = |c: &Component| {
            let sd = match &c.shape {
                Shape::Isotropic { sd } => *sd,
                Shape::Full { sds, .. } => sds.iter().copied().fold(0.0, f64::max),
            };
            c.mean.iter().map(|m| m * m).sum::<f64>().sqrt() + 3.0 * sd
        };
        self.components.iter().map(reach).fold(0.0, f64::max)
    }

    /// For each component at noise level (α, σ): ln(w_k N_k(x)), ∇ ln N_k(x) and the trace of its Hessian.
    fn terms(&self, x: &[f64], alpha: f64, sigma: f64) -> Vec<(f64, Vec<f64>, f64)> {
        let log_two_pi = std::f64::consts::TAU.ln();
        self.components
            .iter()
            .map(|c| {
                let from_mean: Vec<f64> = x.iter().zip(&c.mean).map(|(x, m)| x - alpha * m).collect();
                let variance = |sd: f64| (alpha * sd).powi(2) + sigma * sigma;
                let mut log = c.weight.ln() - 0.5 * self.dim as f64 * log_two_pi;
                let mut trace = 0.0;
                let mut gradient = vec![0.0; self.dim];
                match &c.shape {
                    Shape::Isotropic { sd } => {
                        let v = variance(*sd);
                        for d in 0..self.dim {
                            log -= 0.5 * (from_mean[d] * from_mean[d] / v + v.ln());
                            trace -= 1.0 / v;
                            gradient[d] = -from_mean[d] / v;
                        }
                    }
                    Shape::Full { axes, sds } => {
                        for (axis, sd) in axes.chunks(self.dim).zip(sds) {
                            let v = variance(*sd);
                            let along: f64 = axis.iter().zip(&from_mean).map(|(a, b)| a * b).sum();
                            log -= 0.5 * (along * along / v + v.ln());
                            trace -= 1.0 / v;
                            for d in 0..self.dim {
                                gradient[d] -= along / v * axis[d];
                            }
                        }
                    }
                }
                (log, gradient, trace)
            })
            .collect()
    }

    /// ln p_t(x) at noise level (α, σ).
    pub fn log_density(&self, x: &[f64], alpha: f64, sigma: f64) -> f64 {
        let terms = self.terms(x, alpha, sigma);
        let top = terms.iter().map(|t| t.0).fold(f64::NEG_INFINITY, f64::max);
        if top == f64::NEG_INFINITY { top } else { top + terms.iter().map(|t| (t.0 - top).exp()).sum::<f64>().ln() }
    }

    /// ∇ ln p_t(x) and its divergence Δ ln p_t(x).
    pub fn score_with_divergence(&self, x: &[f64], alpha: f64, sigma: f64) -> (Vec<f64>, f64) {
        let terms = self.terms(x, alpha, sigma);
        let top = terms.iter().map(|t| t.0).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = terms.iter().map(|t| (t.0 - top).exp()).sum();
        let mut score = vec![0.0; self.dim];
        let mut divergence = 0.0;
        for (log, gradient, trace) in &terms {
            let p = (log - top).exp() / total;
            for d in 0..self.dim {
                score[d] += p * gradient[d];
            }
            divergence += p * (trace + gradient.iter().map(|g| g * g).sum::<f64>());
        }
        // Δ ln p = Σ p_k (tr H_k + |s_k|²) − |s|².
        divergence -= score.iter().map(|s| s * s).sum::<f64>();
        (score, divergence)
    }

    /// ∇ ln p_t(x).
    pub fn score(&self, x: &[f64], alpha: f64, sigma: f64) -> Vec<f64> {
        self.score_with_divergence(x, alpha, sigma).0
    }

    /// E[x₀ | x_t = x], finite at every level: it does not divide by α.
    pub fn denoised(&self, x: &[f64], alpha: f64, sigma: f64) -> Vec<f64> {
        let terms = self.terms(x, alpha, sigma);
        let top = terms.iter().map(|t| t.0).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = terms.iter().map(|t| (t.0 - top).exp()).sum();
        let mut out = vec![0.0; self.dim];
        for (c, (log, gradient, _)) in self.components.iter().zip(&terms) {
            // E[x₀ | x, k] = μ_k + α C_k V_k⁻¹ (x − α μ_k), and V_k⁻¹ (x − α μ_k) is minus the gradient.
            let p = (log - top).exp() / total;
            match &c.shape {
                Shape::Isotropic { sd } => {
                    for d in 0..self.dim {
                        out[d] += p * (c.mean[d] - alpha * sd * sd * gradient[d]);
                    }
                }
                Shape::Full { axes, sds } => {
                    for d in 0..self.dim {
                        out[d] += p * c.mean[d];
                    }
                    for (axis, sd) in axes.chunks(self.dim).zip(sds) {
                        let along: f64 = axis.iter().zip(gradient).map(|(a, g)| a * g).sum();
                        for d in 0..self.dim {
                            out[d] -= p * alpha * sd * sd * along * axis[d];
                        }
                    }
                }
            }
        }
        out
    }

    /// Independent exact samples of p_t at noise level (α, σ).
    pub fn sample(&self, len: usize, alpha: f64, sigma: f64, rng: &Philox, stream: Stream) -> Batch<f64> {
        /// The counter word that picks the component; coordinates use chunks far below it.
        const PICK: u32 = 1 << 31;
        self.draw(len, alpha, sigma, rng, stream, |p| rng.uniforms(stream, 0, p as u32, PICK)[0])
    }

    /// Exact samples of p_t with the components in their exact proportions instead of random ones: a sharper picture of
    /// the law than independent samples, for distances to it.
    pub fn sample_stratified(&self, len: usize, alpha: f64, sigma: f64, rng: &Philox, stream: Stream) -> Batch<f64> {
        self.draw(len, alpha, sigma, rng, stream, |p| (p as f64 + 0.5) / len as f64)
    }

    /// E|x₀|².
    pub fn mean_square(&self) -> f64 {
        let of = |c: &Component| {
            let spread = match &c.shape {
                Shape::Isotropic { sd } => self.dim as f64 * sd * sd,
                Shape::Full { sds, .. } => sds.iter().map(|s| s * s).sum(),
            };
            c.weight * (c.mean.iter().map(|m| m * m).sum::<f64>() + spread)
        };
        self.components.iter().map(of).sum()
    }

    /// Samples whose component is picked by `pick`, a number in [0, 1) for each.
    fn draw(
        &self,
        len: usize,
        alpha: f64,
        sigma: f64,
        rng: &Philox,
        stream: Stream,
        pick: impl Fn(usize) -> f64,
    ) -> Batch<f64> {
        let mut out = Batch::zeros(self.dim, len);
        let mut z = vec![0.0; self.dim];
        for p in 0..len {
            let mut u = pick(p);
            let mut k = 0;
            while k + 1 < self.components.len() && u >= self.components[k].weight {
                u -= self.components[k].weight;
                k += 1;
            }
            for (chunk, z) in z.chunks_mut(4).enumerate() {
                let normals = rng.normals(stream, 0, p as u32, chunk as u32);
                z.copy_from_slice(&normals[..z.len()]);
            }
            let c = &self.components[k];
            let sd_t = |sd: f64| (alpha * sd).hypot(sigma);
            for d in 0..self.dim {
                out.data_mut()[d * len + p] = alpha * c.mean[d]
                    + match &c.shape {
                        Shape::Isotropic { sd } => sd_t(*sd) * z[d],
                        Shape::Full { axes, sds } => {
                            axes.chunks(self.dim).zip(sds).zip(&z).map(|((a, sd), z)| a[d] * sd_t(*sd) * z).sum()
                        }
                    };
            }
        }
        out
    }
}

impl Shape {
    /// From a symmetric positive definite matrix, row by row, by Jacobi rotations.
    pub fn from_covariance(matrix: &[f64], dim: usize) -> Result<Self, DiffusionError> {
        let wrong =
            || DiffusionError::Component { index: 0, what: "its covariance must be symmetric and positive definite" };
        if matrix.len() != dim * dim || matrix.iter().any(|v| !v.is_finite()) {
            return Err(wrong());
        }
        let scale = matrix.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let asymmetric = |i: usize, j: usize| (matrix[i * dim + j] - matrix[j * dim + i]).abs() > 1e-10 * scale;
        if (0..dim).any(|i| (0..i).any(|j| asymmetric(i, j))) {
            return Err(wrong());
        }
        let mut a = matrix.to_vec();
        let mut axes = vec![0.0; dim * dim];
        (0..dim).for_each(|i| axes[i * dim + i] = 1.0);
        // Cyclic Jacobi converges quadratically; 30 sweeps are far more than any dimension up to hundreds needs.
        for _ in 0..30 {
            let off: f64 =
                (0..dim).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * dim + j].powi(2)).sum();
            if off.sqrt() <= 1e-15 * scale {
                break;
            }
            for p in 0..dim {
                for q in p + 1..dim {
                    if a[p * dim + q] != 0.0 {
                        rotate(&mut a, &mut axes, dim, p, q);
                    }
                }
            }
        }
        let variances: Vec<f64> = (0..dim).map(|i| a[i * dim + i]).collect();
        if variances.iter().any(|v| *v <= 1e-14 * scale) {
            return Err(wrong());
        }
        Ok(Self::Full { axes, sds: variances.into_iter().map(f64::sqrt).collect() })
    }
}

/// One Jacobi rotation that annihilates a[p][q]; the rows of `axes` become the eigenvectors.
fn rotate(a: &mut [f64], axes: &mut [f64], dim: usize, p: usize, q: usize) {
    let theta = (a[q * dim + q] - a[p * dim + p]) / (2.0 * a[p * dim + q]);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..dim {
        let (x, y) = (a[k * dim + p], a[k * dim + q]);
        (a[k * dim + p], a[k * dim + q]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..dim {
        let (x, y) = (a[p * dim + k], a[q * dim + k]);
        (a[p * dim + k], a[q * dim + k]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (axes[p * dim + k], axes[q * dim + k]);
        (axes[p * dim + k], axes[q * dim + k]) = (c * x - s * y, s * x + c * y);
    }
}

fn orthonormal(axes: &[f64], dim: usize) -> bool {
    (0..dim).all(|i| {
        (0..=i).all(|j| {
            let dot: f64 = (0..dim).map(|k| axes[i * dim + k] * axes[j * dim + k]).sum();
            (dot - f64::from(u8::from(i == j))).abs() < 1e-9
        })
    })
}
