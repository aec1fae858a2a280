//! Denoisers: what a sampler calls, and the exact one of a Gaussian mixture with guidance and gauge terms.

use super::{Batch, DiffusionError, Lane, Mixture, Node, kernel::Table};

/// Predicts the noise ε in a batch of noisy points and counts how often it was asked.
///
/// The counts that Eddy reports come from here, never from a formula about the method.
pub trait Denoiser<T: Lane> {
    fn dim(&self) -> usize;
    /// Writes ε(x, t) for every point: one evaluation.
    fn epsilon(&mut self, x: &Batch<T>, node: &Node, out: &mut Batch<T>);
    /// Writes E[x₀ | x, t] for every point: one evaluation. From ε by x₀ = (x − σ ε)/α unless the model knows better,
    /// so α must not be 0 by default.
    fn data(&mut self, x: &Batch<T>, node: &Node, out: &mut Batch<T>) {
        self.epsilon(x, node, out);
        out.combine(-node.sigma / node.alpha, &[(1.0 / node.alpha, x)]);
    }
    /// Evaluations so far.
    fn evaluations(&self) -> u64;
}

/// A field added to the exact score s. `Rotated` satisfies the gauge condition div(p r) = 0 and leaves the density of
/// the flow unchanged; the others do not.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// s alone.
    Exact,
    /// s + c R s with R the rotation by 90° in the first two dimensions: div(p R s) = div(R ∇p) = 0.
    Rotated { c: f64 },
    /// s + c diag(1, −1) s in the first two dimensions: as large, but it moves the density.
    Sheared { c: f64 },
    /// The score of the same components with other weights: conservative, but of the wrong density.
    Reweighted { weights: Vec<f64> },
}

/// Classifier-free guidance (Ho & Salimans 2022): ε_u + w (ε_c − ε_u), with w = 1 the class alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guidance {
    pub class: u32,
    pub scale: f64,
}

/// The exact denoiser of a mixture. A guided evaluation, which asks for the class and for the whole, counts once.
#[derive(Clone, Debug)]
pub struct MixtureModel<T> {
    mixture: Mixture,
    guidance: Option<(Mixture, f64)>,
    rotation: f64,
    shear: f64,
    table: Table<T>,
    guided: Batch<T>,
    evaluations: u64,
}

impl<T: Lane> MixtureModel<T> {
    pub fn new(mixture: Mixture) -> Self {
        let dim = mixture.dim();
        Self {
            mixture,
            guidance: None,
            rotation: 0.0,
            shear: 0.0,
            table: Table::default(),
            guided: Batch::zeros(dim, 0),
            evaluations: 0,
        }
    }

    /// With guidance toward one class.
    pub fn with_guidance(mut self, guidance: Guidance) -> Result<Self, DiffusionError> {
        let class = self.mixture.of_class(guidance.class).ok_or(DiffusionError::Class { class: guidance.class })?;
        self.guidance = Some((class, guidance.scale));
        Ok(self)
    }

    /// With a field other than the exact score.
    pub fn with_field(mut self, field: Field) -> Result<Self, DiffusionError> {
        match field {
            Field::Exact => {}
            Field::Rotated { c } => self.rotation = c,
            Field::Sheared { c } => self.shear = c,
            Field::Reweighted { weights } => self.mixture = self.mixture.reweighted(&weights)?,
        }
        if (self.rotation != 0.0 || self.shear != 0.0) && self.mixture.dim() < 2 {
            return Err(DiffusionError::Dimension);
        }
        Ok(self)
    }

    pub fn mixture(&self) -> &Mixture {
        &self.mixture
    }
}

impl<T: Lane> Denoiser<T> for MixtureModel<T> {
    fn dim(&self) -> usize {
        self.mixture.dim()
    }

    fn epsilon(&mut self, x: &Batch<T>, node: &Node, out: &mut Batch<T>) {
        self.evaluations += 1;
        self.table.set(&self.mixture, node);
        self.table.epsilon(x.data(), out.data_mut(), x.len());
        if let Some((class, scale)) = &self.guidance {
            if self.guided.len() != x.len() {
                self.guided = Batch::zeros(x.dim(), x.len());
            }
            self.table.set(class, node);
            self.table.epsilon(x.data(), self.guided.data_mut(), x.len());
            out.combine(1.0 - scale, &[(*scale, &self.guided)]);
        }
        if self.rotation != 0.0 || self.shear != 0.0 {
            let (a, b) = (T::of(self.rotation), T::of(self.shear));
            let len = x.len();
            let (first, rest) = out.data_mut().split_at_mut(len);
            for (u, v) in first.iter_mut().zip(&mut rest[..len]) {
                (*u, *v) = (*u - a * *v + b * *u, *v + a * *u - b * *v);
            }
        }
    }

    fn data(&mut self, x: &Batch<T>, node: &Node, out: &mut Batch<T>) {
        // (x − σ ε)/α loses log₁₀(1/α) digits: below this level the posterior mean itself is computed, point by point.
        const SMALL_ALPHA: f64 = 1e-3;
        let plain = self.rotation == 0.0 && self.shear == 0.0;
        if node.alpha > SMALL_ALPHA || !plain {
            self.epsilon(x, node, out);
            out.combine(-node.sigma / node.alpha, &[(1.0 / node.alpha, x)]);
            return;
        }
        self.evaluations += 1;
        for p in 0..x.len() {
            let point = x.point(p);
            let mut mean = self.mixture.denoised(&point, node.alpha, node.sigma);
            if let Some((class, scale)) = &self.guidance {
                // Guidance is linear, so that of ε is that of x₀.
                let guided = class.denoised(&point, node.alpha, node.sigma);
                mean.iter_mut().zip(&guided).for_each(|(m, g)| *m += scale * (g - *m));
            }
            for (d, m) in mean.iter().enumerate() {
                out.coordinate_mut(d)[p] = T::of(*m);
            }
        }
    }

    fn evaluations(&self) -> u64 {
        self.evaluations
    }
}
