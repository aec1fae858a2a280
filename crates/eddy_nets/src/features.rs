//! The fixed first layer: scaled inputs and Fourier pairs, with their exact jets.

use crate::{
    JetSpec, NetError, Real,
    functions::sin_cos,
    lanes::Lanes,
    real::{Kernel, Level},
};

/// `scale · (x_input − center)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    pub input: usize,
    pub center: f64,
    pub scale: f64,
}

/// What the first trained layer sees: the linear features, then (sin k·x, cos k·x) for each wave vector k. A coordinate
/// that enters only through waves of wavenumbers 2πn/L makes the network exactly periodic in it, with period L.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    pub linear: Vec<Linear>,
    /// Wave vectors in radians per unit, one number per input.
    pub waves: Vec<Vec<f64>>,
}

impl Features {
    /// The inputs themselves.
    pub fn identity(inputs: usize) -> Self {
        Self { linear: (0..inputs).map(|input| Linear { input, center: 0.0, scale: 1.0 }).collect(), waves: Vec::new() }
    }

    /// Adds `count` wave vectors with normal entries of standard deviation `sigma` (Tancik et al. 2020, "Fourier features
    /// let networks learn high frequency functions", section 4; their 2πB is our wave vector).
    pub fn with_random_waves(mut self, inputs: usize, count: usize, sigma: f64, seed: u64) -> Self {
        self.waves.extend(crate::graph::wave_rows(inputs, count, sigma, seed));
        self
    }

    /// Number of features.
    pub fn count(&self) -> usize {
        self.linear.len() + 2 * self.waves.len()
    }

    pub(crate) fn check(&self, inputs: usize) -> Result<(), NetError> {
        if self.count() == 0 {
            return Err(NetError::Empty { what: "features" });
        }
        if let Some(bad) = self.linear.iter().find(|l| l.input >= inputs) {
            return Err(NetError::FeatureInput { input: bad.input, inputs });
        }
        match self.waves.iter().find(|w| w.len() != inputs) {
            Some(wave) => Err(NetError::Wave { have: wave.len(), need: inputs }),
            None => Ok(()),
        }
    }
}

/// The features' jets for a tile, with the constants in the network's format.
pub(crate) struct FeatureLayer<T> {
    inputs: usize,
    components: usize,
    linear: Vec<(usize, T, T)>,
    waves: Vec<T>,
    /// Per feature (linear) or wave, the factors of each derivative component: of the first derivative of the feature, then of
    /// its second, scale·d and 0 or k·d and −Σ c (k·d_i)(k·d_j).
    factors: Vec<[T; 2]>,
}

impl<T: Real> FeatureLayer<T> {
    pub fn new(features: &Features, jets: &JetSpec) -> Self {
        let mut factors = Vec::new();
        for l in &features.linear {
            let directions = jets.directions().iter().chain(jets.operators().iter().map(|o| &o.along));
            factors.extend(directions.map(|d| [T::from_f64(l.scale * d[l.input]), T::ZERO]));
        }
        for wave in &features.waves {
            let along = |d: &Vec<f64>| -> f64 { d.iter().zip(wave).map(|(d, k)| d * k).sum() };
            let firsts: Vec<f64> = jets.directions().iter().map(along).collect();
            factors.extend(firsts.iter().map(|k| [T::from_f64(*k), T::ZERO]));
            factors.extend(jets.operators().iter().map(|operator| {
                let square: f64 = operator.terms.iter().map(|&(i, j, c)| c * firsts[i] * firsts[j]).sum();
                [T::from_f64(along(&operator.along)), T::from_f64(-square)]
            }));
        }
        Self {
            inputs: jets.inputs(),
            components: jets.components(),
            linear: features.linear.iter().map(|l| (l.input, T::from_f64(l.center), T::from_f64(l.scale))).collect(),
            waves: features.waves.iter().flatten().map(|k| T::from_f64(*k)).collect(),
            factors,
        }
    }

    /// From points [inputs][lanes] to jets [features][components][lanes].
    pub fn fill(&self, level: Level, lanes: usize, points: &[T], jets: &mut [T]) {
        let count = self.linear.len() + 2 * (self.waves.len() / self.inputs.max(1));
        assert!(points.len() >= self.inputs * lanes && lanes.is_multiple_of(8));
        assert!(jets.len() >= count * self.components * lanes);
        T::run(level, Fill { layer: self, lanes, points, jets });
    }
}

struct Fill<'a, T> {
    layer: &'a FeatureLayer<T>,
    lanes: usize,
    points: &'a [T],
    jets: &'a mut [T],
}

impl<T: Real> Kernel<T> for Fill<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        let FeatureLayer { inputs, components, ref linear, ref waves, ref factors } = *self.layer;
        let lanes = self.lanes;
        let row = components * lanes;
        let derivatives = components - 1;
        let jets = self.jets.as_mut_ptr();
        let points = self.points.as_ptr();
        let mut i = 0;
        while i < lanes {
            // SAFETY: `fill` has checked the extents; lanes is a multiple of V::N.
            unsafe {
                for (f, &(input, center, scale)) in linear.iter().enumerate() {
                    let x = V::load(points.add(input * lanes + i));
                    x.sub(V::splat(center)).mul(V::splat(scale)).store(jets.add(f * row + i));
                    for c in 0..derivatives {
                        V::splat(factors[f * derivatives + c][0]).store(jets.add(f * row + (1 + c) * lanes + i));
                    }
                }
                for (w, wave) in waves.chunks_exact(inputs).enumerate() {
                    let mut phase = V::splat(T::ZERO);
                    for (input, k) in wave.iter().enumerate() {
                        phase = V::splat(*k).fma(V::load(points.add(input * lanes + i)), phase);
                    }
                    let (sin, cos) = sin_cos(phase);
                    let sine = jets.add((linear.len() + 2 * w) * row + i);
                    let cosine = sine.add(row);
                    sin.store(sine);
                    cos.store(cosine);
                    let factors = &factors[(linear.len() + w) * derivatives..][..derivatives];
                    for (c, factors) in factors.iter().enumerate() {
                        let [first, second] = factors.map(V::splat);
                        let at = (1 + c) * lanes;
                        first.fma(cos, second.mul(sin)).store(sine.add(at));
                        second.mul(cos).sub(first.mul(sin)).store(cosine.add(at));
                    }
                }
            }
            i += V::N;
        }
    }
}
