//! Activations and how jets pass through them, forward and backward.

use crate::{
    JetSpec, Real,
    functions::{sin_cos, tanh},
    fused::tanh_rows,
    lanes::Lanes,
    real::{Kernel, Level},
};

/// What a hidden layer applies to each of its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Tanh,
    Sin,
    /// x Φ(x) with the exact normal distribution function.
    Gelu,
    /// A linear layer.
    Identity,
}

impl Activation {
    /// σ, σ′, σ″, σ‴ at z.
    #[inline(always)]
    fn derivatives<T: Real, V: Lanes<T>>(self, z: V) -> [V; 4] {
        let number = |x: f64| V::splat(T::from_f64(x));
        match self {
            Self::Tanh => derivatives_of_tanh(tanh(z)),
            Self::Sin => {
                let (sin, cos) = sin_cos(z);
                let zero = number(0.0);
                [sin, cos, zero.sub(sin), zero.sub(cos)]
            }
            Self::Gelu => {
                let cdf =
                    z.map(|x| T::from_f64(0.5) * (T::ONE + (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf()));
                let pdf = z.map(|x| T::from_f64(0.3989422804014327) * (T::from_f64(-0.5) * x * x).exp());
                let z2 = z.mul(z);
                [z.mul(cdf), z.fma(pdf, cdf), number(2.0).sub(z2).mul(pdf), z2.sub(number(4.0)).mul(z).mul(pdf)]
            }
            Self::Identity => [z, number(1.0), number(0.0), number(0.0)],
        }
    }
}

/// Of tanh where it is y.
#[inline(always)]
fn derivatives_of_tanh<T: Real, V: Lanes<T>>(y: V) -> [V; 4] {
    let number = |x: f64| V::splat(T::from_f64(x));
    let y2 = y.mul(y);
    let first = number(1.0).sub(y2);
    [y, first, number(-2.0).mul(y).mul(first), first.mul(number(6.0).fma(y2, number(-2.0)))]
}

/// One layer's activation for a tile: rows of `components × lanes` numbers, one row per unit.
pub(crate) struct Layer<'a> {
    pub activation: Activation,
    pub jets: &'a JetSpec,
    pub units: usize,
    pub lanes: usize,
}

impl Layer<'_> {
    /// From the sums `z` without bias to the outputs `y`, both [units][components][lanes]; keeps σ′, σ″, σ‴ in `slopes`,
    /// [units][3][lanes], for the way back.
    pub fn forward<T: Real>(&self, level: Level, bias: &[T], z: &[T], y: &mut [T], slopes: &mut [T]) {
        let row = self.jets.components() * self.lanes;
        assert!(
            self.lanes.is_multiple_of(8) && bias.len() >= self.units && slopes.len() >= 3 * self.units * self.lanes
        );
        assert!(z.len() >= self.units * row && y.len() >= self.units * row);
        let is_given = level == Level::Fused
            && self.activation == Activation::Tanh
            && tanh_rows(z, y, &bias[..self.units], row, self.lanes);
        T::run(level, Forward { layer: self, bias, z, y, slopes, is_given });
    }

    /// From the adjoints of the outputs to those of the sums, in place, to which `extra` is added where it is given.
    pub fn backward<T: Real>(&self, level: Level, z: &[T], slopes: &[T], adjoints: &mut [T], extra: Option<&[T]>) {
        let row = self.jets.components() * self.lanes;
        assert!(self.lanes.is_multiple_of(8) && slopes.len() >= 3 * self.units * self.lanes);
        assert!(z.len() >= self.units * row && adjoints.len() >= self.units * row);
        assert!(extra.is_none_or(|extra| extra.len() >= self.units * row));
        T::run(level, Backward { layer: self, z, slopes, adjoints, extra });
    }
}

/// Σ c z_a z_b.
///
/// # Safety
/// `z` can be read at the components of the terms, `lanes` numbers apart.
#[inline(always)]
pub(crate) unsafe fn curvature<T: Real, V: Lanes<T>>(z: *const T, lanes: usize, terms: &[(usize, usize, f64)]) -> V {
    let mut sum = V::splat(T::ZERO);
    for &(a, b, factor) in terms {
        // SAFETY: as the caller says.
        let (za, zb) = unsafe { (V::load(z.add((1 + a) * lanes)), V::load(z.add((1 + b) * lanes))) };
        sum = V::splat(T::from_f64(factor)).mul(za).fma(zb, sum);
    }
    sum
}

struct Forward<'a, T> {
    layer: &'a Layer<'a>,
    bias: &'a [T],
    z: &'a [T],
    y: &'a mut [T],
    slopes: &'a mut [T],
    /// The values are in `y` already, those of tanh.
    is_given: bool,
}

impl<T: Real> Kernel<T> for Forward<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        // One loop per activation: the choice is made outside.
        match self.layer.activation {
            _ if self.is_given => self.apply::<V>(|_, y| derivatives_of_tanh(y)),
            Activation::Tanh => self.apply::<V>(|z, _| Activation::Tanh.derivatives(z)),
            Activation::Sin => self.apply::<V>(|z, _| Activation::Sin.derivatives(z)),
            Activation::Gelu => self.apply::<V>(|z, _| Activation::Gelu.derivatives(z)),
            Activation::Identity => self.apply::<V>(|z, _| Activation::Identity.derivatives(z)),
        }
    }
}

impl<T: Real> Forward<'_, T> {
    /// `derivatives` takes the sum with its bias and what is in `y`.
    #[inline(always)]
    fn apply<V: Lanes<T>>(self, derivatives: impl Fn(V, V) -> [V; 4]) {
        let Layer { jets, units, lanes, .. } = *self.layer;
        let row = jets.components() * lanes;
        let firsts = jets.directions().len();
        for unit in 0..units {
            let bias = V::splat(self.bias[unit]);
            // SAFETY: `Layer::forward` has checked the extents, lanes is a multiple of V::N, and every component index
            // is below `components` (JetSpec::check).
            unsafe {
                let z = self.z.as_ptr().add(unit * row);
                let y = self.y.as_mut_ptr().add(unit * row);
                let slopes = self.slopes.as_mut_ptr().add(unit * 3 * lanes);
                let mut i = 0;
                while i < lanes {
                    let [value, s1, s2, s3] = derivatives(V::load(z.add(i)).add(bias), V::load(y.add(i)));
                    value.store(y.add(i));
                    s1.store(slopes.add(i));
                    s2.store(slopes.add(lanes + i));
                    s3.store(slopes.add(2 * lanes + i));
                    for c in 1..=firsts {
                        s1.mul(V::load(z.add(c * lanes + i))).store(y.add(c * lanes + i));
                    }
                    for (k, operator) in jets.operators().iter().enumerate() {
                        let at = (1 + firsts + k) * lanes + i;
                        let curvature = curvature::<T, V>(z.add(i), lanes, &operator.terms);
                        s2.fma(curvature, s1.mul(V::load(z.add(at)))).store(y.add(at));
                    }
                    i += V::N;
                }
            }
        }
    }
}

struct Backward<'a, T> {
    layer: &'a Layer<'a>,
    z: &'a [T],
    slopes: &'a [T],
    adjoints: &'a mut [T],
    extra: Option<&'a [T]>,
}

impl<T: Real> Kernel<T> for Backward<'_, T> {
    #[inline(always)]
    fn run<V: Lanes<T>>(self) {
        // A loop of its own for each: the choice is made outside.
        match self.extra {
            Some(extra) => self.apply::<V>(|adjoint, at| {
                // SAFETY: `apply` asks below units · components · lanes, which `Layer::backward` has checked.
                adjoint.add(unsafe { V::load(extra.as_ptr().add(at)) })
            }),
            None => self.apply::<V>(|adjoint, _| adjoint),
        }
    }
}

impl<T: Real> Backward<'_, T> {
    #[inline(always)]
    fn apply<V: Lanes<T>>(self, with_extra: impl Fn(V, usize) -> V) {
        let Layer { jets, units, lanes, .. } = *self.layer;
        let row = jets.components() * lanes;
        let firsts = jets.directions().len();
        for unit in 0..units {
            // SAFETY: as in `Forward`.
            unsafe {
                let z = self.z.as_ptr().add(unit * row);
                let slopes = self.slopes.as_ptr().add(unit * 3 * lanes);
                let adjoints = self.adjoints.as_mut_ptr().add(unit * row);
                let mut i = 0;
                while i < lanes {
                    let (s1, s2) = (V::load(slopes.add(i)), V::load(slopes.add(lanes + i)));
                    let s3 = V::load(slopes.add(2 * lanes + i));
                    let mut value = with_extra(s1.mul(V::load(adjoints.add(i))), unit * row + i);
                    for c in 1..=firsts {
                        let at = c * lanes + i;
                        let adjoint = V::load(adjoints.add(at));
                        value = s2.mul(V::load(z.add(at))).fma(adjoint, value);
                        with_extra(s1.mul(adjoint), unit * row + at).store(adjoints.add(at));
                    }
                    for (k, operator) in jets.operators().iter().enumerate() {
                        let at = (1 + firsts + k) * lanes + i;
                        let adjoint = V::load(adjoints.add(at));
                        let curvature = curvature::<T, V>(z.add(i), lanes, &operator.terms);
                        let slope = s3.fma(curvature, s2.mul(V::load(z.add(at))));
                        value = slope.fma(adjoint, value);
                        let curved = s2.mul(adjoint);
                        for &(a, b, factor) in &operator.terms {
                            let (a, b) = ((1 + a) * lanes + i, (1 + b) * lanes + i);
                            let curved = curved.mul(V::splat(T::from_f64(factor)));
                            let (za, zb) = (V::load(z.add(a)), V::load(z.add(b)));
                            curved.fma(zb, V::load(adjoints.add(a))).store(adjoints.add(a));
                            curved.fma(za, V::load(adjoints.add(b))).store(adjoints.add(b));
                        }
                        s1.mul(adjoint).store(adjoints.add(at));
                    }
                    value.store(adjoints.add(i));
                    i += V::N;
                }
            }
        }
    }
}
